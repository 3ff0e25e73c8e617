//! Hot folders of xdomea containers: what is put there, what is taken, and what a kill in the middle leaves.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use adapter_dms::hotfolder::{Hotfolder, Settings, Told};
use async_trait::async_trait;
use model::adapter::{Adapter as _, Content, Delivery, Handed, Host, Link, Source};
use model::command::Command;
use model::letter::{Letter, TakenIn};
use model::standard::{Endpoint, Standard};
use model::{
    Failure, FailureKind, Id, PayloadRef, Record, RecordKind, Report, SystemClock, Timestamp, ids, testkit,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use xoev::xdomea::{Options, Xdomea};

use crate::given::Given;

static XDOMEA: LazyLock<Arc<Xdomea>> =
    LazyLock::new(|| Arc::new(Xdomea::new(Arc::new(schemas::Schemas::new()), Options::default())));

struct Folders {
    folder: tempfile::TempDir,
    settings: Settings,
}

impl Folders {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (export, import) = (of("export"), of("import"));
        let mut settings = Settings::new("hot", export, import, "dms:vis".parse().unwrap());
        settings.quiet = Duration::ZERO;
        Folders { folder, settings }
    }

    fn telling() -> Self {
        let mut folders = Folders::new();
        let endpoint = |authority: &str, name: &str| Endpoint {
            authority: Some(authority.parse().unwrap()),
            name: Some(name.into()),
            unit: None,
        };
        folders.settings.told = Some(Told {
            version: "3.1.0".into(),
            sender: endpoint("bab:05974000", "Kreis Soest"),
            recipient: endpoint("dms:vis", "Aktenverwaltung"),
        });
        folders
    }

    fn open(&self) -> Arc<Hotfolder> {
        Arc::new(Hotfolder::new(self.settings.clone(), XDOMEA.clone(), Arc::new(SystemClock)))
    }

    fn export(&self) -> Vec<PathBuf> {
        files(&self.settings.export)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.settings.import.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// The files in a folder, without those in folders below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn sources(bytes: &[u8]) -> Vec<Box<dyn Source>> {
    vec![Box::new(bytes.to_vec())]
}

fn a_message(file_name: &str, size: usize) -> Delivery {
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "message".into(),
        record: None,
        detail: json!({ "fileName": file_name, "size": size }),
        about: None,
    }
}

/// A message with its bytes.
type Message = (Id, Vec<u8>, Handed);

/// A broker that remembers messages by their key, and dies at the moments it was told to.
#[derive(Default)]
struct Broker {
    kept: Mutex<BTreeMap<Id, Vec<u8>>>,
    messages: Mutex<BTreeMap<String, Message>>,
    /// Calls that are still answered.
    lives: Mutex<Option<usize>>,
    refuses: Option<FailureKind>,
}

impl Broker {
    fn call(&self) -> Result<(), Failure> {
        match self.lives.lock().unwrap().as_mut() {
            Some(0) => Err(Failure::transient("test.killed", "")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn told(&self) -> Vec<Vec<u8>> {
        self.messages.lock().unwrap().values().map(|(_, bytes, _)| bytes.clone()).collect()
    }
}

#[async_trait]
impl Host for Broker {
    async fn keep(&self, mut content: Content) -> Result<PayloadRef, Failure> {
        self.call()?;
        let mut bytes = vec![];
        content.read_to_end(&mut bytes).await.unwrap();
        let id = ids::new_id();
        let reference = PayloadRef {
            id,
            size: bytes.len() as u64,
            sha256: seal::sha256(&[&bytes]).to_string(),
            chunk_root: String::new(),
        };
        self.kept.lock().unwrap().insert(id, bytes);
        Ok(reference)
    }

    async fn message(&self, key: &str, message: Handed) -> Result<Id, Failure> {
        if let Some(kind) = self.refuses {
            return Err(Failure::new(kind, "message.unknown-standard", "it is no message"));
        }
        assert!(key.len() <= 200);
        let bytes = self.kept.lock().unwrap().remove(&message.content.id).expect("kept in this session");
        let mut messages = self.messages.lock().unwrap();
        let id = messages.get(key).map_or_else(ids::new_id, |(id, ..)| *id);
        messages.insert(key.to_owned(), (id, bytes, message));
        drop(messages);
        // Dies after the effect and before the answer, too.
        self.call().map(|()| id)
    }

    async fn record(&self, _: RecordKind, _: Id) -> Result<Option<Record>, Failure> {
        Ok(None)
    }
    async fn find(&self, _: &str, _: &str) -> Result<Vec<Record>, Failure> {
        Ok(vec![])
    }
    async fn submit(&self, _: &str, _: Command) -> Result<Record, Failure> {
        Err(Failure::permanent("adapter.not-offered", "it is never asked"))
    }
    async fn open(&self, _: &PayloadRef) -> Result<Content, Failure> {
        Err(Failure::permanent("adapter.not-offered", "it is never asked"))
    }
    async fn take_in(&self, _: Letter) -> Result<TakenIn, Failure> {
        Err(Failure::permanent("adapter.not-offered", "it is never asked"))
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
        Timestamp::default()
    }
}

#[tokio::test]
async fn a_document_is_told_as_a_valid_0101_and_the_contract_is_kept() {
    let folders = Folders::telling();
    let bytes = b"%PDF-1.7 Lageplan";
    let mut given = Given::new();
    let delivery = given.version("1", bytes);
    testkit::adapter_contract(folders.open(), delivery.clone(), &[bytes.to_vec()]).await;

    let written = folders.export();
    assert_eq!(written.len(), 1);
    let name = written[0].file_name().unwrap().to_str().unwrap();
    let mut container = Cursor::new(std::fs::read(&written[0]).unwrap());
    let mut report = Report::default();
    let identity = XDOMEA.check(&mut container, Some(name), &mut report).unwrap().unwrap();
    assert!(report.is_acceptable(), "{report:#?}");
    assert_eq!((identity.message_type.as_str(), identity.process_id), ("0101", Some(delivery.id)));
    let text = String::from_utf8_lossy(container.get_ref()).into_owned();
    assert!(text.contains("lageplan-1"), "the file is in it");
}

#[tokio::test]
async fn a_message_is_there_whole_or_not_at_all_and_never_a_second_time() {
    let folders = Folders::new();
    let adapter = folders.open();
    let delivery = a_message("0198_Abgabe.Abgabe.0401.zip", 6);
    testkit::adapter_contract(adapter.clone(), delivery.clone(), &[b"Abgabe".to_vec()]).await;
    let there = folders.export();
    assert_eq!(there, [folders.settings.export.join("0198_Abgabe.Abgabe.0401.zip")]);
    assert_eq!(std::fs::read(&there[0]).unwrap(), b"Abgabe");

    // The system takes it away: whoever asks again is told so, and nothing is put there again.
    std::fs::remove_file(&there[0]).unwrap();
    assert!(adapter.reconcile(&delivery).await.unwrap().is_some());
    adapter.deliver(&delivery, &sources(b"Abgabe")).await.unwrap();
    assert!(folders.export().is_empty());

    // Another of the same name waits until the system has taken the first.
    let first = a_message("gleich.zip", 4);
    adapter.deliver(&first, &sources(b"eins")).await.unwrap();
    let waiting = a_message("gleich.zip", 4);
    let failure = adapter.deliver(&waiting, &sources(b"zwei")).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Transient, "dms.folder-full"));
    std::fs::remove_file(folders.settings.export.join("gleich.zip")).unwrap();
    adapter.deliver(&waiting, &sources(b"zwei")).await.unwrap();
    assert_eq!(std::fs::read(folders.settings.export.join("gleich.zip")).unwrap(), b"zwei");

    // Names that lead elsewhere are not used, and what was cut short is not handed over.
    let strange = a_message("../../x.zip", 1);
    adapter.deliver(&strange, &sources(b"x")).await.unwrap();
    assert!(folders.settings.export.join(format!("{}.zip", strange.id)).exists());
    let short = adapter.deliver(&a_message("kurz.zip", 9), &sources(b"kurz")).await.unwrap_err();
    assert_eq!(short.code, "dms.folder");
    assert!(!folders.settings.export.join("kurz.zip").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_containers_of_one_name_at_one_moment_none_is_lost() {
    for _ in 0..20 {
        let folders = Folders::new();
        let adapter = folders.open();
        let tries = (0..8).map(|number| {
            let (adapter, delivery) = (adapter.clone(), a_message("gleich.zip", 1));
            tokio::spawn(async move { adapter.deliver(&delivery, &sources(&[number])).await })
        });
        let outcomes = futures::future::join_all(tries).await;
        let (taken, waiting): (Vec<_>, Vec<_>) =
            outcomes.into_iter().map(Result::unwrap).enumerate().partition(|(_, outcome)| outcome.is_ok());
        assert_eq!((taken.len(), waiting.len()), (1, 7));
        assert!(waiting.iter().all(|(_, it)| it.as_ref().unwrap_err().code == "dms.folder-full"));
        let there = std::fs::read(folders.settings.export.join("gleich.zip")).unwrap();
        assert_eq!(there, [u8::try_from(taken[0].0).unwrap()]);
    }
}

#[tokio::test]
async fn a_kill_between_link_and_removal_is_known_and_never_writes_into_what_was_handed_over() {
    let folders = Folders::new();
    let delivery = a_message("m.zip", 1);
    let own = folders.settings.export.join(".amtsbote");
    for name in ["sent", "staged"] {
        std::fs::create_dir_all(own.join(name)).unwrap();
    }
    let slip = own.join("sent").join(format!("{}.json", delivery.id));
    std::fs::write(&slip, json!({ "name": "m.zip", "message": null }).to_string()).unwrap();
    let aside = own.join("staged").join(delivery.id.to_string());
    std::fs::write(&aside, b"x").unwrap();
    std::fs::hard_link(&aside, folders.settings.export.join("m.zip")).unwrap();
    assert!(folders.open().reconcile(&delivery).await.unwrap().is_some());
    assert!(!aside.exists());

    // The system has moved another away before the removal: what it reads stays whole.
    let other = a_message("n.zip", 1);
    let aside = own.join("staged").join(other.id.to_string());
    std::fs::write(&aside, b"alt").unwrap();
    let taken = folders.folder.path().join("uebernommen");
    std::fs::hard_link(&aside, &taken).unwrap();
    folders.open().deliver(&other, &sources(b"x")).await.unwrap();
    assert_eq!(std::fs::read(&taken).unwrap(), b"alt");
}

#[tokio::test]
async fn a_kill_before_the_move_is_made_good_and_one_after_it_is_known() {
    let folders = Folders::new();
    let delivery = a_message("m.zip", 1);
    let own = folders.settings.export.join(".amtsbote");
    for name in ["sent", "staged"] {
        std::fs::create_dir_all(own.join(name)).unwrap();
    }
    let slip = own.join("sent").join(format!("{}.json", delivery.id));
    std::fs::write(&slip, json!({ "name": "m.zip", "message": null }).to_string()).unwrap();
    std::fs::write(own.join("staged").join(delivery.id.to_string()), b"x").unwrap();
    assert_eq!(folders.open().reconcile(&delivery).await.unwrap(), None, "it still stands aside");
    folders.open().deliver(&delivery, &sources(b"x")).await.unwrap();
    assert_eq!(folders.export().len(), 1);
    assert!(folders.open().reconcile(&delivery).await.unwrap().is_some());
}

#[tokio::test]
async fn what_the_system_puts_there_is_taken_once_it_is_whole_and_only_that() {
    let mut folders = Folders::new();
    folders.settings.keep_done = true;
    folders.settings.most_bytes = 100;
    folders.put("a.zip", b"Import 0402");
    folders.put("b.zip.part", b"halb");
    folders.put(".versteckt", b"x");
    folders.put("gross.zip", &[0; 101]);
    std::fs::create_dir(folders.settings.import.join("ordner.zip")).unwrap();
    let secret = folders.folder.path().join("geheim");
    std::fs::write(&secret, b"geheim").unwrap();
    std::os::unix::fs::symlink(&secret, folders.settings.import.join("verweis.zip")).unwrap();

    let broker = Arc::new(Broker::default());
    folders.open().run(broker.clone()).await.unwrap();
    assert_eq!(broker.told(), [b"Import 0402".to_vec()]);
    let (_, _, handed) = broker.messages.lock().unwrap().pop_first().unwrap().1;
    assert_eq!(handed.from.unwrap().as_str(), "dms:vis");
    assert_eq!(handed.file_name.as_deref(), Some("a.zip"));
    let own = folders.settings.import.join(".amtsbote");
    assert_eq!(files(&own.join("done")), [own.join("done/a.zip")]);
    let rejected = own.join("rejected");
    assert_eq!(files(&rejected), [rejected.join("gross.zip"), rejected.join("gross.zip.txt")]);
    assert!(std::fs::read_to_string(rejected.join("gross.zip.txt")).unwrap().starts_with("dms.too-large\n"));
}

#[tokio::test]
async fn a_file_that_is_in_its_own_way_keeps_no_other_waiting() {
    use std::os::unix::fs::PermissionsExt as Mode;
    let mut folders = Folders::new();
    folders.settings.most_bytes = 100;
    let own = folders.settings.import.join(".amtsbote");
    std::fs::create_dir_all(&own).unwrap();
    // What is refused cannot be put away.
    std::fs::write(own.join("rejected"), b"kein Ordner").unwrap();
    folders.put("a-gross.zip", &[0; 101]);
    let unreadable = folders.put("b-verboten.zip", b"verboten");
    std::fs::set_permissions(&unreadable, Mode::from_mode(0o0)).unwrap();
    let is_root = std::fs::read(&unreadable).is_ok();
    folders.put("c-gut.zip", b"gut");
    let broker = Arc::new(Broker::default());
    let failure = folders.open().run(broker.clone()).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Transient, "dms.folder"));
    assert!(broker.told().contains(&b"gut".to_vec()));
    assert_eq!(broker.told().len(), if is_root { 2 } else { 1 });
    // Nor what an earlier session left.
    folders.put("d-gut.zip", b"auch gut");
    assert!(folders.open().run(broker.clone()).await.is_err());
    assert!(broker.told().contains(&b"auch gut".to_vec()));
}

#[tokio::test]
async fn a_file_that_still_grows_is_left_alone() {
    let mut folders = Folders::new();
    folders.settings.quiet = Duration::from_secs(3_600);
    folders.put("a.zip", b"halb");
    let broker = Arc::new(Broker::default());
    let adapter = folders.open();
    adapter.run(broker.clone()).await.unwrap();
    folders.put("a.zip", b"halb und halb");
    adapter.run(broker.clone()).await.unwrap();
    assert!(broker.told().is_empty() && files(&folders.settings.import).len() == 1);
}

#[tokio::test]
async fn what_the_broker_refuses_is_put_away_and_what_it_cannot_take_now_waits() {
    let folders = Folders::new();
    folders.put("a.zip", b"keine Nachricht");
    let broken = Arc::new(Broker { refuses: Some(FailureKind::Transient), ..Broker::default() });
    assert!(folders.open().run(broken).await.is_err());
    let work = folders.settings.import.join(".amtsbote/work");
    assert_eq!(files(&work), [work.join("a.zip")], "it waits");
    // A partner that is configured wrongly costs no message either, and each is tried.
    folders.put("b.zip", b"noch eine");
    let wrong = Arc::new(Broker { refuses: Some(FailureKind::Permanent), ..Broker::default() });
    assert!(folders.open().run(wrong).await.is_err());
    assert_eq!(files(&work), [work.join("a.zip"), work.join("b.zip")]);
    let refusing = Arc::new(Broker { refuses: Some(FailureKind::Rejected), ..Broker::default() });
    folders.open().run(refusing).await.unwrap();
    assert!(files(&work).is_empty());
    assert_eq!(files(&folders.settings.import.join(".amtsbote/rejected")).len(), 4);
}

#[tokio::test]
async fn ten_thousand_files_through_three_kills_are_taken_once_each() {
    let folders = Folders::new();
    for number in 0..10_000 {
        folders.put(&format!("{number:05}.zip"), format!("Nachricht {number}").as_bytes());
    }
    let broker = Arc::new(Broker::default());
    for lives in [3_001, 6_000, 6_003] {
        *broker.lives.lock().unwrap() = Some(lives);
        assert!(folders.open().run(broker.clone()).await.is_err());
    }
    *broker.lives.lock().unwrap() = None;
    folders.open().run(broker.clone()).await.unwrap();
    let mut told = broker.told();
    told.sort();
    told.dedup();
    assert_eq!((told.len(), broker.messages.lock().unwrap().len()), (10_000, 10_000));
    assert!(files(&folders.settings.import).is_empty());
}
