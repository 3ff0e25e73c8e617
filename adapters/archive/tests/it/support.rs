//! A message, deliveries of it, an archive under test, and programs that judge.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use adapter_archive::{AppraisalBy, Settings, Target, Tools, archive};
use model::adapter::{Adapter, Delivery, Followed, Receipt, Source};
use model::{Failure, SystemClock, ids};
use net::{Client, Egress};
use schemas::Schemas;
use seal::sha256;
use serde_json::json;

/// Reference inputs that are not part of the project.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if !path.exists() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(path)
}

/// A transfer as a portal of a record-keeping system makes it: three documents, of which one has a detached signature beside it.
pub(crate) fn transfer() -> Vec<u8> {
    transfer_of(&[
        ("Bescheid Grüße.pdf", b"%PDF-1.4 Bescheid"),
        ("Bescheid Grüße.xml", b"<daten/>"),
        ("Bescheid Grüße.pdf.p7s", b"signature"),
        ("100 Prozent.txt", b"hundert"),
    ])
}

/// A transfer of these files.
pub(crate) fn transfer_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let message = message("0503", OBJECT, "");
    let own: (&str, &[u8]) =
        ("0198c0de-0000-7000-8000-000000000001_Aussonderung.Aussonderung.0503.xml", message.as_bytes());
    let mut container = xoev::container::ContainerWriter::new(Vec::new());
    for (name, bytes) in [own].iter().chain(files) {
        container.entry(name, |sink| sink.write_all(bytes)).unwrap();
    }
    container.finish().unwrap()
}

pub(crate) const OBJECT: &str = "0198c0de-0000-7000-8000-000000000017";

/// A message of a disposition, as short as it can be read.
pub(crate) fn message(kind: &str, object: &str, disposition: &str) -> String {
    message_with(
        kind,
        &format!(
            "<x:Vorgang><x:Identifikation><x:ID>{object}</x:ID></x:Identifikation>\
             <x:AllgemeineMetadaten><x:Betreff>Bauantrag</x:Betreff></x:AllgemeineMetadaten>{disposition}</x:Vorgang>"
        ),
    )
}

/// The same with one object, as it is written.
pub(crate) fn message_with(kind: &str, object: &str) -> String {
    let root = if kind == "0501" {
        "Aussonderung.Anbieteverzeichnis.0501"
    } else {
        "Aussonderung.Aussonderung.0503"
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<x:{root} xmlns:x=\"urn:xoev-de:xdomea:schema:3.0.0\"><x:Kopf>\
         <x:ProzessID>0198c0de-0000-7000-8000-000000000001</x:ProzessID><x:Nachrichtentyp><code>{kind}</code></x:Nachrichtentyp>\
         <x:Erstellungszeitpunkt>2026-11-29T10:00:00</x:Erstellungszeitpunkt></x:Kopf>\
         <x:Schriftgutobjekt>{object}</x:Schriftgutobjekt></x:{root}>"
    )
}

pub(crate) fn delivery(kind: &str, bytes: &[u8]) -> Delivery {
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "message".into(),
        record: None,
        detail: json!({
            "standard": "xdomea", "version": "3.0.0", "type": kind, "processId": "0198c0de-0000-7000-8000-000000000001",
            "fileName": "0198c0de-0000-7000-8000-000000000001_Aussonderung.Aussonderung.0503.zip",
            "sha256": sha256(&[bytes]).to_string(), "size": bytes.len(),
        }),
        about: None,
    }
}

pub(crate) fn client() -> Client {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    Client::new(egress, net::Settings::default(), Arc::new(SystemClock))
}

pub(crate) fn settings(target: Target) -> Settings {
    Settings {
        target,
        appraisal: AppraisalBy::Nobody,
        tools: Tools::default(),
        work: None,
        source_organisation: "Kreis Soest".into(),
    }
}

pub(crate) fn adapter(settings: Settings) -> Arc<dyn Adapter> {
    archive("archive", settings, client(), Arc::new(Schemas::new()), Arc::new(SystemClock))
}

pub(crate) async fn deliver(
    adapter: &dyn Adapter,
    delivery: &Delivery,
    bytes: &[u8],
) -> Result<Receipt, Failure> {
    let source: Box<dyn Source> = Box::new(bytes.to_vec());
    adapter.deliver(delivery, &[source]).await
}

/// Asks as the broker does: with what delivering answered, and what was delivered.
pub(crate) async fn follow(
    adapter: &dyn Adapter,
    delivery: &Delivery,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<Followed, Failure> {
    let source: Box<dyn Source> = Box::new(bytes.to_vec());
    let mut delivery = delivery.clone();
    delivery.detail["receipt"] = json!({ "reference": receipt.reference, "data": receipt.data });
    adapter.follow(&delivery, &[source]).await
}

/// The one object of the message is archived, and called so.
pub(crate) fn assert_archived(followed: &Followed, called: &str) {
    let Followed::Imported { results, .. } = followed else { panic!("{followed:?}") };
    let [(object, result)] = &results[..] else { panic!("{results:?}") };
    assert_eq!(object.to_string(), OBJECT);
    assert!(result.successful);
    assert_eq!(result.archive_reference.as_deref(), Some(called));
}

/// Runs a program; what it printed, if it succeeded.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{}{}", text(&output.stdout), text(&output.stderr))),
    }
}

/// Python's own library of bags judges a folder.
pub(crate) fn assert_is_bag(folder: &Path) {
    let Some(python) = std::env::var_os("AMTSBOTE_TEST_ZEEP") else {
        eprintln!("SKIPPED: AMTSBOTE_TEST_ZEEP is not set");
        return;
    };
    let script = "import bagit, sys; bagit.Bag(sys.argv[1]).validate()";
    let judged = run(&python.to_string_lossy(), &["-c", script, &folder.to_string_lossy()]);
    assert!(judged.is_ok(), "{judged:?}");
}

/// xmllint judges a document by a schema of the packs.
pub(crate) fn assert_validates(document: &Path, schema: &str) {
    let (Some(schema), Some(catalog)) = (shared(&format!("packs/{schema}")), shared("packs/catalog.xml"))
    else {
        return;
    };
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--huge", "--schema"])
        .arg(schema)
        .arg(document)
        .env("XML_CATALOG_FILES", catalog)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
