//! Scanned letters out of a hot folder (replacing scanning, BSI TR-03138 RESISCAN): files are taken over as a whole, stacks taken apart at
//! separator sheets, images kept as they are and made searchable beside, sealed with a Transfervermerk, and taken in as letters
//! with what was recognised.
//!
//! | module | does |
//! |---|---|
//! | `folder`, `item` | the hot folder: what is complete, taken over, done, refused; what is noted beside it meanwhile |
//! | `index` | index files: XML, CSV, JSON |
//! | `probe`, `jbig2` | what a file is; how its images are coded |
//! | `separate`, `sheet` | stacks, codes, separator sheets |
//! | `text`, `recognise`, `received` | OCR, what its words say, when the letter came |
//! | `transfer_note`, `seals`, `embed` | the Transfervermerk, sealed, inside the PDF/A-3 |
//! | `stack`, `kept`, `document` | one file, what it was taken apart into, one document, from beginning to end |
//! | `tool`, `workshop`, `trouble` | tools outside with their limits; where they work; what may be in the way |

mod document;
mod embed;
mod folder;
mod index;
mod item;
mod jbig2;
mod kept;
mod probe;
mod received;
mod recognise;
mod seals;
mod separate;
pub mod settings;
pub mod sheet;
mod stack;
mod text;
mod tool;
mod transfer_note;
mod trouble;
mod workshop;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Descriptor, Health, Host};
use model::case::SealLevel;
use model::{Failure, FailureKind};
use tokio::sync::OnceCell;

pub use index::Facts;
pub use seals::{Advanced, Beside, Internal, SealProvider, Sealed};

use folder::Folder;
use item::Item;
use recognise::Patterns;
use separate::Pages;
use settings::Settings;
use sheet::Forms;
use stack::Outcome;
use tool::Tool;
use trouble::{Trouble, blocking};
use workshop::Workshop;

/// Longest wait for a tool to say its version, and bytes of it.
const VERSION_TIME: Duration = Duration::from_secs(20);
const VERSION_BYTES: usize = 4096;

/// The intake of one hot folder, an adapter of the channel `post`.
pub struct Scan {
    descriptor: Descriptor,
    folder: Folder,
    bench: Bench,
}

/// What the work on a file needs.
struct Bench {
    settings: Settings,
    forms: Forms,
    patterns: Patterns,
    seal: Option<Arc<dyn SealProvider>>,
    versions: OnceCell<BTreeMap<&'static str, String>>,
}

/// A session: a while in which files are taken.
struct Session<'a> {
    bench: &'a Bench,
    host: &'a dyn Host,
    /// When no other letter is begun.
    until: Instant,
    /// Where tools work; none if no tool is asked.
    workshop: Option<Workshop>,
}

impl Scan {
    /// The intake of a hot folder.
    ///
    /// # Errors
    /// `post.scan-settings` if a pattern is no regular expression; `post.scan-no-seal` if the settings ask for a Transfervermerk and `seal` is
    /// not there or worth less.
    pub fn new(settings: Settings, seal: Option<Arc<dyn SealProvider>>) -> Result<Self, Failure> {
        if let Some(note) = &settings.note {
            let level: Option<SealLevel> = seal.as_ref().map(|it| it.level());
            if level.is_none_or(|level| level < note.level) {
                return Err(seals::no_seal("the seal that the settings ask for is not there"));
            }
        }
        let separate = settings.separate.clone().unwrap_or_default();
        let forms = Forms::new(&separate.sheets, separate.word)
            .map_err(|_| trouble::settings("a sheet's pattern is no regular expression"))?;
        let patterns = Patterns::new(&settings.recognise)?;
        let descriptor = Descriptor::new(&settings.id, "post", vec![Capability::Run]);
        let folder = Folder::new(&settings);
        Ok(Scan {
            descriptor,
            folder,
            bench: Bench { settings, forms, patterns, seal, versions: OnceCell::new() },
        })
    }

    /// One file, from `work` to `done` or `error`. Whether the session has time for another.
    async fn one(&self, session: &Session<'_>, item: &Item) -> Result<bool, Failure> {
        match self.try_one(session, item).await {
            Ok(Outcome::Done) => Ok(Instant::now() < session.until),
            Ok(Outcome::Later) => Ok(false),
            Err(Trouble::Session(failure)) => Err(failure),
            // It is looked at again in the next session.
            Err(Trouble::Unready) => Ok(true),
            Err(Trouble::BrokeOff { code } | Trouble::File { code, .. }) => {
                tracing::warn!(adapter = self.descriptor.id, code, "a scan broke off");
                Ok(true)
            }
        }
    }

    async fn try_one(&self, session: &Session<'_>, item: &Item) -> Result<Outcome, Trouble> {
        let tries = self.on_item(item, |_, item| item.count_try()).await?;
        if tries > self.bench.settings.limits.attempts {
            return self.refuse(item, "post.scan-given-up", "it was begun too often").await;
        }
        match stack::take(session, item).await {
            Ok(Outcome::Done) => self.finish(item).await,
            Err(Trouble::File { code, why }) => self.refuse(item, code, &why).await,
            Err(Trouble::Session(failure)) => {
                // What the gateway will not have for good may be this file's fault: it counts against it.
                if failure.kind != FailureKind::Permanent || failure.code.starts_with("post.") {
                    // If that cannot be noted, this is one try less.
                    let _ = self.on_item(item, |_, item| item.is_innocent()).await;
                }
                Err(failure.into())
            }
            Err(Trouble::Unready) => {
                self.on_item(item, |_, item| item.is_innocent()).await?;
                Err(Trouble::Unready)
            }
            outcome => outcome,
        }
    }

    /// Everything of it is in. If it cannot be put away, that is not its fault, and nothing of it is made again.
    async fn finish(&self, item: &Item) -> Result<Outcome, Trouble> {
        match self.on_item(item, Folder::finish).await {
            Ok(()) => Ok(Outcome::Done),
            Err(trouble) => {
                self.on_item(item, |_, item| item.note_all_taken()).await?;
                Err(trouble)
            }
        }
    }

    async fn refuse(&self, item: &Item, code: &'static str, why: &str) -> Result<Outcome, Trouble> {
        let why = why.to_owned();
        self.on_item(item, move |folder, item| folder.refuse(item, code, &why)).await?;
        tracing::warn!(adapter = self.descriptor.id, code, "a scan was put into the folder for errors");
        Ok(Outcome::Done)
    }

    /// Work on the folder itself: what fails there fails with every file.
    async fn on_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let folder = self.folder.clone();
        blocking(move || work(&folder)).await?.map_err(|error| trouble::folder(&error))
    }

    /// Work on one file: what fails there need not fail with others.
    async fn on_item<T: Send + 'static>(
        &self,
        item: &Item,
        work: impl FnOnce(&Folder, &Item) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (folder, item) = (self.folder.clone(), item.clone());
        Ok(blocking(move || work(&folder, &item)).await??)
    }

    async fn workshop(&self) -> Result<Option<Workshop>, Failure> {
        if !self.bench.needs_tools() {
            return Ok(None);
        }
        let settings = self.bench.settings.clone();
        let workshop = blocking(move || Workshop::open(&settings)).await?;
        workshop.map(Some).map_err(|error| trouble::folder(&error))
    }
}

impl Bench {
    /// Whether a file is looked into; else it is taken in as it is.
    fn needs_tools(&self) -> bool {
        self.settings.separate.is_some() || self.settings.read.is_some() || self.settings.note.is_some()
    }

    fn pages<'a>(&'a self, pdf: &'a Path, folder: &'a Path) -> Pages<'a> {
        let time = self.settings.separate.as_ref().map_or(Duration::from_secs(60), |it| it.time);
        Pages { tools: &self.settings.tools, pdf, folder, time }
    }

    /// The versions of the tools, as each says; asked once.
    async fn versions(&self, folder: &Path) -> Result<&BTreeMap<&'static str, String>, Failure> {
        self.versions.get_or_try_init(|| self.ask_versions(folder)).await
    }

    fn known_versions(&self) -> BTreeMap<&'static str, String> {
        self.versions.get().cloned().unwrap_or_default()
    }

    async fn ask_versions(&self, folder: &Path) -> Result<BTreeMap<&'static str, String>, Failure> {
        let settings = &self.settings;
        let tools = &settings.tools;
        let mut of = vec![("qpdf", &tools.qpdf)];
        if let Some(separate) = &settings.separate {
            of.push(("zbarimg", &tools.zbarimg));
            of.extend(separate.datamatrix.then_some(("dmtxread", &tools.dmtxread)));
        }
        of.extend(settings.read.is_some().then_some(("ocrmypdf", &tools.ocrmypdf)));
        let mut versions = BTreeMap::new();
        for (name, command) in of {
            let (within, time, output) = (&tools.within, VERSION_TIME, VERSION_BYTES);
            let tool = Tool { within, command, folder, time, output, ends: &[] };
            let said = match tool.run(&["--version".into()]).await {
                Ok(said) => said.output,
                Err(Trouble::Session(failure)) => return Err(failure),
                Err(_) => continue,
            };
            let first = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned();
            let first = if first.contains(name) { first } else { format!("{name} {first}") };
            versions.insert(name, first.chars().take(100).collect());
        }
        Ok(versions)
    }
}

#[async_trait]
impl Adapter for Scan {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let until = Instant::now() + self.bench.settings.session;
        let begun = self.on_folder(|folder| folder.prepare().and_then(|()| folder.begun())).await?;
        let workshop = self.workshop().await?;
        let session = Session { bench: &self.bench, host: host.as_ref(), until, workshop };
        for item in &begun {
            if !self.one(&session, item).await? {
                return Ok(Duration::ZERO);
            }
        }
        let mut walk = self.on_folder(Folder::walk).await?;
        loop {
            let step = move |folder: &Folder| {
                let item = folder.next(&mut walk)?;
                Ok((item, walk))
            };
            let (item, rest) = self.on_folder(step).await?;
            walk = rest;
            let Some(item) = item else { return Ok(self.bench.settings.pause) };
            if !self.one(&session, &item).await? {
                return Ok(Duration::ZERO);
            }
        }
    }

    async fn check(&self) -> Health {
        let prepared = self.on_folder(|folder| folder.prepare().and_then(|()| folder.refused())).await;
        let refused = match prepared {
            Ok(refused) => refused,
            Err(failure) => return Health { ok: false, detail: format!("the folder: {}", failure.detail) },
        };
        if self.bench.needs_tools() {
            let folder = self.bench.settings.temporary.clone().unwrap_or_else(std::env::temp_dir);
            if let Err(failure) = self.bench.versions(&folder).await {
                return Health { ok: false, detail: failure.detail };
            }
        }
        Health { ok: true, detail: format!("{refused} in the folder for errors") }
    }
}
