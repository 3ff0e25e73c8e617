//! A gateway that keeps what it is given in memory or, for a process that will be killed, in a file; folders; settings.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_post::scan::settings::{
    Fact, Index, IndexMode, Opens, Read, Recognise, Separate, Settings, SheetForm,
};
use adapter_post::scan::{Scan, SealProvider};
use async_trait::async_trait;
use model::adapter::{Adapter, Content, Handed, Host, Link};
use model::command::Command;
use model::letter::{Letter, TakenIn};
use model::{Failure, FailureKind, Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use seal::sha256;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// When somebody writes to a file that was taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Keep,
    TakeIn,
}

/// What the gateway holds.
#[derive(Default)]
pub(super) struct Gateway {
    pub(super) letters: Mutex<Vec<Letter>>,
    pub(super) kept: Mutex<BTreeMap<Id, Vec<u8>>>,
    /// How often a letter came that was there.
    pub(super) again: Mutex<u32>,
    /// What it answers to letters instead of taking them.
    pub(super) refuses: Mutex<Option<Failure>>,
    /// Its clock; that of the machine if there is none.
    pub(super) clock: Mutex<Option<Timestamp>>,
    /// Somebody who writes to what lies in `work` of this hot folder, once: when bytes are kept, or when a letter is in.
    pub(super) writer: Mutex<Option<(When, PathBuf)>>,
    /// Where it keeps letters beyond its death.
    log: Option<Mutex<(HashSet<String>, fs::File)>>,
}

impl Gateway {
    /// One that remembers letters in a file: a line `new KEY VALUE-OF-FIRST-HINT` or `again KEY` for each.
    pub(super) fn with_log(path: &Path) -> Arc<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let known = text.lines().filter_map(|line| line.strip_prefix("new ")?.split(' ').next());
        let known = known.map(str::to_owned).collect();
        let file = fs::File::options().create(true).append(true).open(path).unwrap();
        Arc::new(Gateway { log: Some(Mutex::new((known, file))), ..Gateway::default() })
    }

    pub(super) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    /// The bytes of a file of a letter's document.
    pub(super) fn bytes(&self, letter: &Letter, document: usize, name: &str) -> Vec<u8> {
        let files = &letter.documents[document].files;
        let file = files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("no {name}"));
        self.kept.lock().unwrap()[&file.content.as_ref().unwrap().id].clone()
    }

    fn meddle(&self, now: When) {
        let mut writer = self.writer.lock().unwrap();
        let Some((_, folder)) = writer.take_if(|(when, _)| *when == now) else { return };
        for entry in fs::read_dir(folder.join("work")).unwrap() {
            for file in fs::read_dir(entry.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|it| it == "pdf") {
                    fs::File::options()
                        .append(true)
                        .open(path)
                        .unwrap()
                        .write_all(b"% more\n%%EOF\n")
                        .unwrap();
                }
            }
        }
    }

    fn take(&self, letter: Letter) -> bool {
        let Some(log) = &self.log else {
            let mut letters = self.letters.lock().unwrap();
            let again = letters.iter().any(|known| known.key == letter.key);
            if again {
                *self.again.lock().unwrap() += 1;
            } else {
                letters.push(letter);
            }
            return again;
        };
        let (known, file) = &mut *log.lock().unwrap();
        let again = !known.insert(letter.key.clone());
        let value = letter.hints.first().map(|hint| hint.value.as_str()).unwrap_or("-");
        let what = if again { "again" } else { "new" };
        file.write_all(format!("{what} {} {value}\n", letter.key).as_bytes()).unwrap();
        again
    }
}

#[async_trait]
impl Host for Gateway {
    async fn record(&self, _: RecordKind, _: Id) -> Result<Option<Record>, Failure> {
        Ok(None)
    }

    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }

    async fn submit(&self, _: &str, _: Command) -> Result<Record, Failure> {
        Err(Failure::new(FailureKind::Permanent, "adapter.not-offered", ""))
    }

    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        self.meddle(When::Keep);
        let mut bytes = vec![];
        content.read_to_end(&mut bytes).await.unwrap();
        let id = ids::new_id();
        let (size, sha256) = (bytes.len() as u64, sha256(&[&bytes]).to_string());
        if self.log.is_none() {
            self.kept.lock().unwrap().insert(id, bytes);
        }
        Ok(PayloadRef { id, size, sha256: sha256.clone(), chunk_root: sha256 })
    }

    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        Err(Failure::new(FailureKind::Permanent, "adapter.not-offered", ""))
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        if let Some(failure) = self.refuses.lock().unwrap().clone() {
            return Err(failure);
        }
        let again = self.take(letter);
        self.meddle(When::TakeIn);
        Ok(TakenIn { interaction: ids::new_id(), case: None, again })
    }

    async fn message(&self, _: &str, _: Handed) -> Result<Id, Failure> {
        Err(Failure::new(FailureKind::Permanent, "adapter.not-offered", ""))
    }

    async fn links(&self, _: Id) -> Result<Vec<Link>, Failure> {
        Ok(vec![])
    }

    async fn linked(&self, _: &str) -> Result<Option<Link>, Failure> {
        Ok(None)
    }

    async fn link(&self, _: Link) -> Result<(), Failure> {
        Ok(())
    }

    async fn note(&self, _: &str, _: RecordKind, _: Id, _: Value) -> Result<(), Failure> {
        Ok(())
    }

    async fn state(&self, _: &str) -> Result<Option<Value>, Failure> {
        Ok(None)
    }

    async fn set_state(&self, _: &str, _: Value) -> Result<(), Failure> {
        Ok(())
    }

    fn now(&self) -> Timestamp {
        if let Some(now) = *self.clock.lock().unwrap() {
            return now;
        }
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        Timestamp::from_micros(now.as_micros() as i64)
    }
}

/// A hot folder, and a gateway that takes what lies in it.
pub(super) struct Office {
    pub(super) folder: TempDir,
    pub(super) gateway: Arc<Gateway>,
    pub(super) settings: Settings,
    pub(super) seal: Option<Arc<dyn SealProvider>>,
}

impl Office {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("scan", folder.path());
        settings.quiet = Duration::ZERO;
        settings.index = Index { mode: IndexMode::Optional, columns: vec![("az".into(), Fact::Reference)] };
        Office { folder, gateway: Arc::default(), settings, seal: None }
    }

    /// One whose folder is in memory where that can be, for very many files.
    pub(super) fn in_memory() -> Self {
        let mut office = Office::new();
        if let Ok(folder) = tempfile::tempdir_in("/dev/shm") {
            office.settings.folder = folder.path().to_owned();
            office.folder = folder;
        }
        office
    }

    /// With our own sheets alone; these codes are found on these pages.
    pub(super) fn with_codes(codes: &[(u32, &str)]) -> Self {
        let mut office = Office::new();
        office.settings.separate = Some(Separate::default());
        office.finds(codes);
        office
    }

    /// From now on these codes are found on these pages.
    pub(super) fn finds(&mut self, codes: &[(u32, &str)]) {
        let case = |(page, code): &(u32, &str)| format!("*/p-{page}.pgm) code='{code}';; ");
        let cases: String = codes.iter().map(case).collect();
        let script = format!(
            "echo '<barcodes>'; for file; do case $file in {cases}*) continue;; esac; \
             echo \"<source href='$file'><index><symbol><data>$code</data></symbol></index></source>\"; done; \
             echo '</barcodes>'"
        );
        self.settings.tools.zbarimg = vec!["sh".into(), "-c".into(), script, "zbarimg".into()];
    }

    /// With separation, by the sheets of the samples too, and recognition.
    pub(super) fn separating() -> Self {
        let mut office = Office::new();
        let sheet = |pattern: &str| SheetForm { pattern: pattern.into(), opens: Opens::Letter };
        let sheets = vec![
            sheet(r"TRENN;AZ=(?P<reference>[^;]+);DOKTYP=(?P<kind>[^;]+)"),
            sheet(r"PATCH-T-\d{4}"),
            sheet(r"(?P<reference>VG-\d{4}-\d{4})"),
        ];
        office.settings.separate = Some(Separate { sheets, ..Separate::default() });
        office.settings.recognise = Recognise {
            references: vec![r"\b\d\d\.\d-\d{4}/\d{4}\b".into()],
            units: vec![("Kfz-Zulassung".into(), "36".into())],
            ..Recognise::default()
        };
        office
    }

    /// And OCR.
    pub(super) fn reading() -> Self {
        let mut office = Office::separating();
        office.settings.read = Some(Read::default());
        office
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(super) fn scan(&self) -> Scan {
        Scan::new(self.settings.clone(), self.seal.clone()).unwrap()
    }

    /// One session.
    pub(super) async fn session(&self) -> Result<Duration, Failure> {
        self.scan().run(self.gateway.clone()).await
    }

    /// Names of the files in a folder, in all folders below, without those that begin with a dot.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let mut names = vec![];
        collect(&self.path(folder), &mut names);
        names.sort();
        names
    }

    /// The codes of what was refused, with the names of the documents.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        let mut refused = vec![];
        for entry in fs::read_dir(self.path("error")).unwrap() {
            for file in fs::read_dir(entry.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if let Some(name) = name.strip_suffix(".err.txt") {
                    let text = fs::read_to_string(&path).unwrap();
                    refused.push((name.to_owned(), text.lines().next().unwrap().to_owned()));
                    assert!(!text.lines().nth(1).unwrap().is_empty(), "what to do is said: {text}");
                }
            }
        }
        refused.sort();
        refused
    }
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type().unwrap().is_dir() {
            true => collect(&entry.path(), names),
            false if !name.starts_with('.') => names.push(name),
            false => {}
        }
    }
}

/// A PDF of so many blank pages.
pub(super) fn blank(pages: u32) -> Vec<u8> {
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", page + 3)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Kids[{kids}]/Count {pages}>>"),
    ];
    let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>";
    objects.extend((0..pages).map(|_| page.to_owned()));
    let (mut pdf, mut table) = ("%PDF-1.4\n".to_owned(), "0000000000 65535 f \n".to_owned());
    for (number, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{} 0 obj{object}endobj\n", number + 1));
    }
    let (at, size) = (pdf.len(), objects.len() + 1);
    pdf.push_str(&format!(
        "xref\n0 {size}\n{table}trailer<</Root 1 0 R/Size {size}>>\nstartxref\n{at}\n%%EOF\n"
    ));
    pdf.into_bytes()
}

/// A file of the shared test input.
pub(super) fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// Runs a program of another's and gives what it says.
pub(super) fn judge(program: &str, arguments: &[&str]) -> String {
    let output =
        Process::new(program).args(arguments).output().unwrap_or_else(|_| panic!("{program} is needed"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}
