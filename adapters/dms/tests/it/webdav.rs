//! WebDAV against wsgidav, a server without any code of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapter_dms::Login;
use adapter_dms::port::{Bytes, Change, Created, Entry, Object, Port, Value, ValueKind, What};
use adapter_dms::webdav::{Library, Settings, library};
use model::adapter::{Adapter as _, Content, Source};
use model::{Failure, FailureKind, SystemClock, testkit};
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::given::{Given, Wsgidav, client, dms};

fn login() -> Login {
    Login::Basic { user: "gateway".into(), password: Zeroizing::new("geheim".into()) }
}

fn open(server: &Wsgidav) -> Library {
    library(&Settings::new(&server.url, login()), client(), Arc::new(SystemClock)).unwrap()
}

fn sources(bytes: &[u8]) -> Vec<Box<dyn Source>> {
    vec![Box::new(bytes.to_vec())]
}

/// What others see in the folder, without what is the gateway's own.
fn visible(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_name() == ".amtsbote" {
                continue;
            }
            match entry.path() {
                path if path.is_dir() => walk(&path, found),
                path => found.push(path),
            }
        }
    }
    let mut found = vec![];
    walk(folder, &mut found);
    let root = folder.join("akten");
    let mut names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_folder_keeps_the_contract_of_adapters() {
    let server = Wsgidav::start();
    let adapter = dms(open(&server));
    let mut given = Given::new();
    given.begin(&*adapter).await;
    let delivery = given.version("1", b"%PDF-1.7 eins");
    testkit::adapter_contract(adapter, delivery, &[b"%PDF-1.7 eins".to_vec()]).await;
    let plan = "63.10 Bauanträge/Akte Müller Nord/Bauantrag Garage/Lageplan Nord.pdf";
    assert_eq!(visible(server.folder.path()), [plan]);
    let bytes = std::fs::read(server.folder.path().join("akten").join(plan)).unwrap();
    assert_eq!(bytes, b"%PDF-1.7 eins");
}

#[tokio::test]
async fn a_new_version_replaces_the_bytes_and_what_it_replaces_is_kept() {
    let server = Wsgidav::start();
    let adapter = dms(open(&server));
    let mut given = Given::new();
    let first = given.version("1", b"eins");
    given.keep(&adapter.deliver(&first, &sources(b"eins")).await.unwrap());
    let second = given.version("2", b"zwei!");
    let receipt = adapter.deliver(&second, &sources(b"zwei!")).await.unwrap();
    given.keep(&receipt);
    assert_eq!(adapter.deliver(&second, &sources(b"zwei!")).await.unwrap(), receipt, "again is the same");
    let files = visible(server.folder.path());
    let path = server.folder.path().join("akten").join(&files[0]);
    assert_eq!((files.len(), std::fs::read(&path).unwrap()), (1, b"zwei!".to_vec()));
    let kept = find(server.folder.path(), "1 Lageplan Nord.pdf").expect("the replaced bytes");
    assert_eq!(std::fs::read(kept).unwrap(), b"eins");

    // Somebody else has changed it since: nothing is overwritten.
    std::fs::write(&path, b"von Hand").unwrap();
    let third = given.version("3", b"drei");
    let refused = adapter.deliver(&third, &sources(b"drei")).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_ref()), (FailureKind::Permanent, "dms.conflict"));
    assert_eq!(std::fs::read(&path).unwrap(), b"von Hand");
}

/// What a walk tells: it never has to be asked for.
fn is(change: &Change) -> &Object {
    let What::Is(object) = &change.what else { panic!("{change:?}") };
    object
}

#[tokio::test]
async fn a_file_whose_place_is_too_long_for_a_reference_is_taken_in_all_the_same() {
    let server = Wsgidav::start();
    let port = open(&server);
    port.root().await.unwrap();
    let begin = port.changes(None).await.unwrap().unwrap();
    let deep = ["a", "b", "c"].map(|letter| letter.repeat(180)).join("/");
    let folder = server.folder.path().join("akten").join(deep);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("Fund.txt"), b"Fund").unwrap();
    let page = port.changes(Some(&begin.cursor)).await.unwrap().unwrap();
    let object = is(&page.changes[0]);
    assert!(object.reference.len() <= 500 && object.name == "Fund.txt");
    assert_eq!(port.parent(object).await.unwrap().unwrap().name, "c".repeat(180));
    let known = port.set_metadata(object, Some("neu"), &BTreeMap::new()).await.unwrap();
    assert_eq!(known.reference, "own:neu");
    let mut read = String::new();
    port.open(&known).await.unwrap().read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "Fund");
}

#[tokio::test]
async fn an_older_version_is_never_put_on_top_of_a_newer_one() {
    let server = Wsgidav::start();
    let adapter = dms(open(&server));
    let mut given = Given::new();
    let mut first = given.version("1", b"eins");
    let second = given.version("2", b"zwei!");
    given.keep(&adapter.deliver(&second, &sources(b"zwei!")).await.unwrap());
    let mut about = *first.about.take().unwrap();
    about.links = given.links.clone();
    about.record = model::Record::Document(given.document.clone());
    first.about = Some(Box::new(about));
    let late = adapter.deliver(&first, &sources(b"eins")).await.unwrap_err();
    assert_eq!((late.kind, late.code.as_ref()), (FailureKind::Permanent, "dms.newer-version"));
    let files = visible(server.folder.path());
    let path = server.folder.path().join("akten").join(&files[0]);
    assert_eq!(std::fs::read(path).unwrap(), b"zwei!");
}

/// Bytes that stand nowhere.
struct Large(u64);

#[async_trait::async_trait]
impl Source for Large {
    async fn open(&self) -> Result<Content, Failure> {
        Ok(Box::new(tokio::io::repeat(b'x').take(self.0)))
    }
}

/// The most memory that this process ever had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn a_large_document_goes_there_and_back_without_standing_in_memory() {
    // Four times what memory may grow by: more only keeps the server busy.
    there_and_back(256 << 20).await;
}

#[tokio::test]
#[ignore = "long: ./dev check packages"]
async fn a_gigabyte_goes_there_and_back_without_standing_in_memory() {
    there_and_back(1 << 30).await;
}

async fn there_and_back(size: u64) {
    let server = Wsgidav::start();
    let port = open(&server);
    let adapter = dms(open(&server));
    let mut given = Given::new();
    let delivery = given.version_of("1", size, &"00".repeat(32));
    let before = peak();
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Large(size))];
    let receipt = adapter.deliver(&delivery, &sources).await.unwrap();
    let document = receipt.links.iter().find(|link| link.record == given.document.meta.id).unwrap();
    let object = port.get(&document.reference).await.unwrap().unwrap();
    assert_eq!(object.size, Some(size));
    let mut content = port.open(&object).await.unwrap();
    let read = tokio::io::copy(&mut content, &mut tokio::io::sink()).await.unwrap();
    assert_eq!(read, size);
    let grown = peak() - before;
    assert!(grown < 64, "{grown} MB");
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name() == name {
            return Some(entry.path());
        }
        if entry.path().is_dir()
            && let Some(found) = find(&entry.path(), name)
        {
            return Some(found);
        }
    }
    None
}

#[tokio::test]
async fn whatever_a_crash_leaves_the_next_try_ends_with_one_document() {
    let server = Wsgidav::start();
    let port = open(&server);
    let root = port.root().await.unwrap();
    let entry = |own: &str| Entry {
        own: own.into(),
        name: "Bescheid.pdf".into(),
        properties: BTreeMap::from([("az".into(), Value { kind: ValueKind::Text, value: Some("1".into()) })]),
    };
    let source = b"Bescheid".to_vec();
    let bytes = Bytes { source: &source, size: 8, media_type: None, file_name: "Bescheid.pdf", mark: "m1" };
    let made = port.create_document(&root.reference, &entry("eins"), &bytes).await.unwrap();
    let Created::New(made) = made else { panic!("{made:?}") };
    assert_eq!(made.mark.as_deref(), Some("m1"));
    assert_eq!(made.properties["az"], "1");

    // The same name is somebody else's.
    let taken = port.create_document(&root.reference, &entry("zwei"), &bytes).await.unwrap();
    assert_eq!(taken, Created::NameTaken);
    assert_eq!(port.find("zwei", false).await.unwrap(), None);
    assert_eq!(
        port.child(&root.reference, "Bescheid.pdf").await.unwrap().unwrap().own.as_deref(),
        Some("eins")
    );

    // A crash between the move and its note: the note still says that it is under way.
    let note = find(server.folder.path(), "records").unwrap();
    let note = first_file(&note).unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["pending"] = serde_json::json!({ "place": json["place"], "mark": "m1" });
    json["place"] = serde_json::Value::Null;
    json["marks"] = serde_json::json!([]);
    json["token"] = serde_json::Value::Null;
    std::fs::write(&note, json.to_string()).unwrap();
    let found = port.find("eins", false).await.unwrap().expect("it is there");
    assert!(port.has_version(&found, "m1").await.unwrap());
    // The same before the move: the bytes still wait aside.
    let waiting = server.folder.path().join("akten/.amtsbote/staged").join(note.file_stem().unwrap());
    std::fs::rename(server.folder.path().join("akten/Bescheid.pdf"), &waiting).unwrap();
    assert_eq!(port.find("eins", false).await.unwrap(), None);
    let again = port.create_document(&root.reference, &entry("eins"), &bytes).await.unwrap();
    assert!(matches!(again, Created::New(_)));
    assert_eq!(visible(server.folder.path()), ["Bescheid.pdf"]);
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.find_map(|path| if path.is_dir() { first_file(&path) } else { Some(path) })
}

#[tokio::test]
async fn what_others_put_there_is_told_page_by_page_and_what_is_ours_by_its_identifier() {
    let server = Wsgidav::start();
    let port = open(&server);
    let root = port.root().await.unwrap();
    let begin = port.changes(None).await.unwrap().unwrap();
    assert!(begin.changes.is_empty() && !begin.more);
    let folder = Entry { own: "akte".into(), name: "Akte".into(), properties: BTreeMap::new() };
    let Created::New(folder) = port.create_folder(&root.reference, &folder).await.unwrap() else { panic!() };
    let source = b"unser".to_vec();
    let bytes = Bytes { source: &source, size: 5, media_type: None, file_name: "a.txt", mark: "m" };
    let ours = Entry { own: "dok".into(), name: "unser.txt".into(), properties: BTreeMap::new() };
    port.create_document(&folder.reference, &ours, &bytes).await.unwrap();
    let inside = server.folder.path().join("akten/Akte");
    for number in 0..150 {
        std::fs::write(inside.join(format!("Scan {number:03}.txt")), b"x").unwrap();
    }
    std::fs::write(inside.join("noch.part"), b"x").unwrap();
    std::fs::create_dir_all(inside.join("Unter/Ordner")).unwrap();
    std::fs::write(inside.join("Unter/Ordner/Fund.txt"), b"Fund").unwrap();

    let (mut told, mut cursor, mut pages) = (vec![], begin.cursor, 0);
    loop {
        let page = port.changes(Some(&cursor)).await.unwrap().unwrap();
        assert!(page.changes.len() <= 100 && page.cursor.len() <= 2_000);
        told.extend(page.changes);
        (cursor, pages) = (page.cursor, pages + 1);
        if !page.more {
            break;
        }
    }
    let told: Vec<&Object> = told.iter().map(is).collect();
    let names: std::collections::BTreeSet<_> = told.iter().map(|it| it.name.clone()).collect();
    assert_eq!((told.len(), names.len(), pages), (152, 152, 2), "each once");
    let of = |name: &str| *told.iter().find(|it| it.name == name).unwrap();
    assert_eq!(of("unser.txt").own.as_deref(), Some("dok"));
    let object = of("Scan 000.txt");
    assert_eq!(port.parent(object).await.unwrap().unwrap().own.as_deref(), Some("akte"));
    assert_eq!(port.parent(of("unser.txt")).await.unwrap().unwrap().own.as_deref(), Some("akte"));
    assert_eq!(port.parent(of("Fund.txt")).await.unwrap().unwrap().own, None);

    // What is taken in gets our identifier and is known by it from then on.
    let known = port.set_metadata(object, Some("neu"), &BTreeMap::new()).await.unwrap();
    assert_eq!((known.own.as_deref(), known.token.clone()), (Some("neu"), object.token.clone()));
    assert_eq!(port.find("neu", false).await.unwrap().unwrap().name, "Scan 000.txt");
    let mut read = String::new();
    port.open(&known).await.unwrap().read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "x");
}
