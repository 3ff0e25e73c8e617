//! Entries of the directory: what is taken for one, how files of them are imported, and what messages do by them.

use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use broker::directory::{Changes, Document, Entry, Import, Registry};
use broker::house::Kind;
use broker::{Broker, Wanted};
use model::directory::{Source, Way};
use model::{Authority, Caller, EventKind, Failure, Scope, SystemClock};
use serde_json::{Value, json};

use crate::engines::on_every_engine;
use crate::house::{Gateway, caller};

/// A certificate of its own that is valid for a day.
fn pem() -> String {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=amt -days 1";
    let made = Command::new("openssl")
        .args(arguments.split(' '))
        .args(["-keyout", "k.pem", "-out", "c.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read_to_string(folder.path().join("c.pem")).unwrap()
}

fn osci(pem: &str) -> Value {
    json!({
        "reads": [["toy", "1"]],
        "mostBytes": 1_000_000,
        "osci": {
            "intermediary": "https://osci.example/entry",
            "intermediaryCertificate": pem,
            "recipientCertificate": pem,
            "signedBy": [pem],
        },
    })
}

fn xta(pem: &str) -> Value {
    json!({
        "reads": [["toy", "1"]],
        "mostBytes": 1_000_000,
        "xta": {
            "management": "https://xta.example/m",
            "send": "https://xta.example/s",
            "trust": [pem],
        },
    })
}

fn document(entries: Value) -> Value {
    json!({ "format": "amtsbote-directory", "version": 1, "entries": entries })
}

fn entry(authority: &str, ways: Vec<Value>) -> Value {
    json!({ "authority": authority, "name": "Bauaufsicht", "ways": ways })
}

fn read(document: &Value) -> Result<Document, broker::Error> {
    Document::read(document.to_string().as_bytes())
}

fn key(text: &str) -> Authority {
    text.parse().unwrap()
}

fn keys(texts: &[&str]) -> Vec<Authority> {
    texts.iter().map(|text| key(text)).collect()
}

/// Where a document is wrong once a member has another value.
fn place_of(pem: &str, pointer: &str, value: Value) -> String {
    let mut changed = document(json!([entry("bab:1", vec![osci(pem), xta(pem)])]));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap()[name] = value;
    match read(&changed) {
        Err(broker::Error::DirectoryDocument { place }) => place,
        other => panic!("{pointer}: {other:?}"),
    }
}

#[test]
fn a_document_that_is_none_is_refused_with_the_place_where_it_is_wrong() {
    let pem = pem();
    let way = "/entries/0/ways/0";
    for (pointer, value, place) in [
        ("/format".to_owned(), json!("x"), "format"),
        ("/version".to_owned(), json!(2), "version"),
        ("/entries/0/authority".to_owned(), json!("bab"), "entries[0].authority"),
        ("/entries/0/name".to_owned(), json!(" "), "entries[0].name"),
        ("/entries/0/ways".to_owned(), json!([]), "entries[0].ways"),
        (format!("{way}/mostBytes"), json!(0), "entries[0].ways[0].mostBytes"),
        (format!("{way}/services"), json!(["a b"]), "entries[0].ways[0].services"),
        (format!("{way}/serviceUris"), json!(["nichts"]), "entries[0].ways[0].serviceUris"),
        (format!("{way}/reads"), json!([["", "1"]]), "entries[0].ways[0].reads"),
        (format!("{way}/osci"), Value::Null, "entries[0].ways[0].osci"),
        (format!("{way}/xta"), xta(&pem)["xta"].clone(), "entries[0].ways[0].osci"),
        (format!("{way}/osci/mode"), json!("forward"), "entries[0].ways[0].osci.receiver"),
        (format!("{way}/osci/receiver"), json!("https://a.example/"), "entries[0].ways[0].osci.receiver"),
        (
            format!("{way}/osci/recipientCertificate"),
            json!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
            "entries[0].ways[0].osci.recipientCertificate",
        ),
        (format!("{way}/osci/answersBy"), json!(pem.repeat(2)), "entries[0].ways[0].osci.answersBy"),
        (
            format!("{way}/osci/signedBy"),
            json!([format!("{pem}-----BEGIN {} KEY-----\n", "PRIVATE")]),
            "entries[0].ways[0].osci.signedBy",
        ),
        ("/entries/0/ways/1/xta/send".to_owned(), json!("ftp://a/"), "entries[0].ways[1].xta.send"),
        ("/entries/0/ways/1/xta/send".to_owned(), json!("https://a@b/"), "entries[0].ways[1].xta.send"),
        ("/entries/0/ways/1/xta/containerMb".to_owned(), json!(0), "entries[0].ways[1].xta.containerMb"),
        ("/entries/0/ways/1/xta/version".to_owned(), json!("4"), "entries[0].ways[1].xta.version"),
    ] {
        assert_eq!(place_of(&pem, &pointer, value), place);
    }
    let unknown = place_of(&pem, "/entries/0/<b>Meier<b>", json!(1));
    assert!(!unknown.contains('<'), "{unknown}");
    let twice = document(json!([entry("bab:1", vec![osci(&pem)]), entry("bab:1", vec![osci(&pem)])]));
    assert!(read(&twice).unwrap_err().to_string().contains("entries[1].authority"));
    let more = format!("{} x", document(json!([])));
    assert!(Document::read(more.as_bytes()).is_err());
}

async fn import(broker: &Broker, ours: &Caller, entries: Value, replace: bool, dry_run: bool) -> Changes {
    let document = read(&document(entries)).unwrap();
    broker.import_directory(ours, document, Import { replace, dry_run }).await.unwrap()
}

async fn events(broker: &Broker, tenant: &str) -> Vec<Value> {
    // Events are sealed by the workers.
    broker.run_due_jobs().await.unwrap();
    let auditor = Caller { scope: Scope::tenant(tenant), ..caller(tenant, "63") };
    let events = broker.events(&auditor, 0, 100).await.unwrap();
    let told = events.into_iter().filter(|sealed| sealed.event.kind == EventKind::DirectoryChanged);
    told.map(|sealed| sealed.event.detail.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_what_it_changes_and_leaves_one_event() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SystemClock)).await;
        let (broker, ours, theirs) = (&gateway.broker, caller("soest", "63"), caller("lippstadt", "63"));
        let pem = pem();
        let first = json!([entry("bab:1", vec![osci(&pem)]), entry("bab:2", vec![osci(&pem)])]);
        let dry = import(broker, &ours, first.clone(), false, true).await;
        assert_eq!(dry.added, keys(&["bab:1", "bab:2"]));
        assert!(
            broker.directory(&ours).await.unwrap().is_empty() && events(broker, "soest").await.is_empty()
        );
        assert_eq!(import(broker, &ours, first.clone(), false, false).await, dry);

        let second = json!([
            entry("bab:2", vec![xta(&pem)]),
            entry("bab:3", vec![xta(&pem)]),
            entry("bab:05974028", vec![xta(&pem)]),
        ]);
        let merged = import(broker, &ours, second.clone(), false, false).await;
        assert_eq!(merged.added, keys(&["bab:3", "bab:05974028"]));
        assert_eq!((merged.changed, merged.unchanged), (keys(&["bab:2"]), 1));
        assert_eq!(merged.configured, keys(&["bab:05974028"]), "it is an authority of this house");
        let replaced = import(broker, &ours, second.clone(), true, false).await;
        assert_eq!((replaced.removed, replaced.unchanged), (keys(&["bab:1"]), 3));
        let again = import(broker, &ours, second, true, false).await;
        assert_eq!((again.removed, again.unchanged), (vec![], 3));

        // bab:1 signed with it, and is gone.
        let signs =
            seal::x509::Certificate::all_from_pem(pem.as_bytes()).unwrap()[0].fingerprint().to_owned();
        assert_eq!(broker.signer("soest", &signs).await.unwrap(), None);
        import(broker, &theirs, json!([entry("bab:9", vec![osci(&pem)])]), false, false).await;
        assert_eq!(broker.signer("lippstadt", &signs).await.unwrap(), Some(key("bab:9")));

        let told = events(broker, "soest").await;
        assert_eq!(told.len(), 3, "what changes nothing leaves no event: {told:?}");
        assert_eq!((&told[2]["removed"], &told[2]["authorities"]), (&json!(1), &json!(["bab:1"])));
        let exported = Document::of(broker.directory(&ours).await.unwrap());
        assert_eq!(read(&json!(exported)).unwrap(), exported);
        assert_eq!(exported.entries.len(), 3);
        assert_eq!(broker.directory(&theirs).await.unwrap().len(), 1, "another tenant has its own");
    })
    .await;
}

async fn ways(broker: &Broker, ours: &Caller, to: &str, wanted: Wanted<'_>) -> Vec<Way> {
    broker.capabilities(ours, &key(to), wanted).await.unwrap()
}

fn told(ways: &[Way]) -> Vec<(&'static str, Source, Option<&'static str>)> {
    ways.iter().map(|way| (way.reach.transport.name(), way.reach.source, way.obstacle)).collect()
}

#[tokio::test]
async fn an_imported_entry_is_a_way_with_its_services_limits_and_the_end_of_its_certificates() {
    let gateway = Gateway::start().await;
    let (broker, ours, pem) = (&gateway.broker, caller("soest", "63"), pem());
    let (mut special, mut small) = (osci(&pem), xta(&pem));
    special["services"] = json!(["abfall"]);
    special["mostBytes"] = json!(2_000_000);
    special["serviceUris"] = json!(["urn:abfall"]);
    small["mostBytes"] = json!(10);
    let entries = json!([entry("bab:1", vec![small, special, osci(&pem)])]);
    import(broker, &ours, entries, false, false).await;

    let plain = ways(broker, &ours, "bab:1", Wanted::default()).await;
    let both = [("xta", Source::Imported, None), ("osci", Source::Imported, None)];
    assert_eq!(told(&plain), both);
    assert_eq!((plain[0].reach.most_bytes, plain[1].reach.most_bytes), (10, 1_000_000));
    assert!(plain[1].until.is_some_and(|end| end > broker.now()));
    let service = Wanted { service: Some("abfall"), bytes: Some(11), ..Wanted::default() };
    let special = ways(broker, &ours, "bab:1", service).await;
    assert_eq!(special[0].obstacle, Some("message.too-large-for-recipient"));
    assert_eq!((special[1].reach.most_bytes, special[1].obstacle), (2_000_000, None));
    let from = key("bab:05974000");
    let without = ways(broker, &ours, "bab:1", Wanted { from: Some(&from), ..Wanted::default() }).await;
    assert!(without.iter().all(|way| way.obstacle == Some("directory.no-keys")));

    let (_, entry) = broker.entry("soest", &key("bab:1")).await.unwrap().unwrap();
    assert_eq!((entry.offers("urn:abfall"), entry.offers("urn:x")), (Some(true), None));
    assert!(entry.encryption_certificate("urn:abfall").is_some());
    assert!(entry.encryption_certificate("urn:x").is_none());
    let wanted = Wanted { service: Some("abfall"), ..Wanted::default() };
    assert!(entry.way(Kind::Osci, wanted).is_some_and(|way| way.most_bytes == 2_000_000));
    assert!(broker.entry("lippstadt", &key("bab:1")).await.unwrap().is_none());
}

#[tokio::test]
async fn of_several_ways_by_one_transport_the_first_that_is_large_enough_is_taken_in_its_place() {
    let gateway = Gateway::start().await;
    let (broker, ours, pem) = (&gateway.broker, caller("soest", "63"), pem());
    let of_size = |mut way: Value, bytes: u64| {
        way["mostBytes"] = json!(bytes);
        way
    };
    let all = vec![of_size(xta(&pem), 10), of_size(osci(&pem), 20), of_size(xta(&pem), 30)];
    import(broker, &ours, json!([entry("bab:1", all)]), false, false).await;
    for (bytes, used, most) in
        [(None, "xta", 10), (Some(10), "xta", 10), (Some(20), "osci", 20), (Some(30), "xta", 30)]
    {
        let ways = ways(broker, &ours, "bab:1", Wanted { bytes, ..Wanted::default() }).await;
        let first = ways.iter().find(|way| way.is_usable()).unwrap();
        assert_eq!((first.reach.transport.name(), first.reach.most_bytes), (used, most), "{bytes:?}");
    }
    let none = ways(broker, &ours, "bab:1", Wanted { bytes: Some(31), ..Wanted::default() }).await;
    assert!(none.iter().all(|way| way.obstacle == Some("message.too-large-for-recipient")));
}

/// Knows one authority, or fails.
struct Fake(Option<Entry>);

#[async_trait]
impl Registry for Fake {
    async fn look_up(&self, authority: &Authority) -> Result<Option<Entry>, Failure> {
        let Some(entry) = &self.0 else { return Err(Failure::transient("dvdv.unavailable", "")) };
        Ok(Some(entry.clone()).filter(|entry| entry.authority == *authority))
    }
}

#[tokio::test]
async fn the_registry_is_asked_for_what_nobody_else_knows() {
    let gateway = Gateway::start().await;
    let (ours, pem) = (caller("soest", "63"), pem());
    let known = read(&document(json!([entry("bab:1", vec![xta(&pem)])]))).unwrap().entries.remove(0);
    let broker = gateway.broker.clone().with_registry(Arc::new(Fake(Some(known))));
    let found = ways(&broker, &ours, "bab:1", Wanted::default()).await;
    assert_eq!(told(&found), [("xta", Source::Dvdv, None)]);
    let unknown = broker.capabilities(&ours, &key("bab:2"), Wanted::default()).await.unwrap_err();
    assert_eq!(unknown.code(), "broker.unknown-authority");

    let failing = gateway.broker.clone().with_registry(Arc::new(Fake(None)));
    let failed = failing.capabilities(&ours, &key("bab:1"), Wanted::default()).await.unwrap_err();
    assert_eq!(failed.code(), "dvdv.unavailable");
    assert_eq!(ways(&failing, &ours, "bab:05974028", Wanted::default()).await.len(), 1, "of the house");
    import(&failing, &ours, json!([entry("bab:1", vec![osci(&pem)])]), false, false).await;
    let imported = ways(&failing, &ours, "bab:1", Wanted::default()).await;
    assert_eq!(told(&imported), [("osci", Source::Imported, None)]);
}
