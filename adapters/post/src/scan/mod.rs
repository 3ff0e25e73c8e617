//! Scanned letters out of a hot folder (replacing scanning, BSI TR-03138 RESISCAN): files are taken over as a whole, stacks taken apart at
//! separator sheets, images kept as they are and made searchable beside, sealed with a Transfervermerk, and taken in as letters
//! with what was recognised.
//!
//! | module | does |
//! |---|---|
//! | `folder` | the hot folder: what is complete, taken over, done, refused |
//! | `index` | index files: XML, CSV, JSON |
//! | `probe`, `jbig2` | what a file is; how its images are coded |
//! | `separate`, `sheet` | stacks, codes, separator sheets |
//! | `text`, `recognise`, `received` | OCR, what its words say, when the letter came |
//! | `transfer_note`, `seals`, `embed` | the Transfervermerk, sealed, inside the PDF/A-3 |
//! | `stack`, `document` | one file, one document, from beginning to end |
//! | `tool`, `trouble` | tools outside with their limits; what may be in the way |

mod document;
mod embed;
mod folder;
mod index;
mod jbig2;
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

use folder::{Folder, Item};
use recognise::Patterns;
use separate::Pages;
use settings::Settings;
use sheet::Forms;
use stack::Outcome;
use tool::Tool;
use trouble::{Trouble, blocking};

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
        let sheets = settings.separate.as_ref().map(|it| it.sheets.as_slice()).unwrap_or_default();
        let forms = Forms::new(sheets)
            .map_err(|_| trouble::settings("a sheet's pattern is no regular expression"))?;
        let patterns = Patterns::new(&settings.recognise)?;
        let descriptor = Descriptor::new(&settings.id, "post", vec![Capability::Run]);
        let folder = Folder::new(settings.folder.clone(), settings.quiet, settings.index.mode);
        Ok(Scan {
            descriptor,
            folder,
            bench: Bench { settings, forms, patterns, seal, versions: OnceCell::new() },
        })
    }

    /// One file, from `work` to `done` or `error`. Whether the session has time for another.
    async fn one(&self, host: &Arc<dyn Host>, item: Item, until: Instant) -> Result<bool, Failure> {
        if item.attempts > self.bench.settings.limits.attempts {
            self.refuse(&item, "post.scan-given-up", "it was begun too often").await?;
            return Ok(true);
        }
        match stack::take(&self.bench, host, &item, until).await {
            Ok(Outcome::Done) => {
                self.on_folder(move |folder| folder.finish(&item)).await?;
                Ok(Instant::now() < until)
            }
            Ok(Outcome::Later) => Ok(false),
            Err(Trouble::File { code, why }) => {
                self.refuse(&item, code, &why).await?;
                Ok(true)
            }
            // It is begun again in the next session, a few times.
            Err(Trouble::BrokeOff { code }) => {
                tracing::warn!(adapter = self.descriptor.id, code, "a scan broke off");
                Ok(true)
            }
            Err(Trouble::Unready) => {
                self.on_folder(move |_| item.is_innocent()).await?;
                Ok(true)
            }
            Err(Trouble::Session(failure)) => {
                // What the gateway will not have for good may be this file's fault: it counts against it.
                if failure.kind != FailureKind::Permanent || failure.code.starts_with("post.") {
                    self.on_folder(move |_| item.is_innocent()).await?;
                }
                Err(failure)
            }
        }
    }

    async fn refuse(&self, item: &Item, code: &'static str, why: &str) -> Result<(), Failure> {
        tracing::warn!(adapter = self.descriptor.id, code, "a scan was put into the folder for errors");
        let (item, why) = (item.clone(), why.to_owned());
        self.on_folder(move |folder| folder.refuse(&item, code, &why)).await
    }

    async fn on_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let folder = self.folder.clone();
        blocking(move || work(&folder)).await?.map_err(|error| trouble::folder(&error))
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
        for item in begun {
            if !self.one(&host, item, until).await? {
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
            if !self.one(&host, item, until).await? {
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
