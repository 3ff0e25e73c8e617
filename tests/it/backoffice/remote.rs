//! The sample in Python as the DMS of a gateway: what happens to cases and documents lies in its folders, what it brings is in the cases, and
//! neither is lost or doubled when the gateway dies.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::house::{House, case_with_document, until};
use crate::installation::Installation;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The sample, until it is dropped.
struct Sample {
    process: Child,
    port: String,
}

impl Sample {
    fn start(folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/samples/remote/adapter.py");
        let mut python = Command::new("python3");
        python.arg(script).arg(folder).args(["--assign", "63-"]).env("AMTSBOTE_SECRET", SECRET);
        let mut process = python.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Sample { process, port: port.trim().to_owned() }
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn adapter(port: &str) -> String {
    format!(
        "\n[[adapter]]\nid = \"folder\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\n\
         kind = \"remote\"\nurl = \"http://127.0.0.1:{port}\"\nsecret = \"file:folder.secret\"\nreconciles = true\n\
         keeps_records = true\nbrings = true\n\
         follows = {{ case = [\"record.created\", \"record.reference-assigned\"], document = [\"record.created\", \"document.content-added\"] }}\n"
    )
}

fn start() -> (Sample, House) {
    let installation = Installation::new();
    let sample = Sample::start(&installation.folder().join("dms"));
    let house = House::with(installation, &adapter(&sample.port), &[("folder.secret", SECRET)]);
    (sample, house)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_another_language_keeps_what_happens_and_names_the_case() {
    let (_sample, house) = start();
    let checked = house.installation.json(&["adapter", "check", "--json"]);
    let folder = checked["items"].as_array().unwrap().iter().find(|item| item["id"] == "folder").unwrap();
    assert_eq!((&folder["ok"], &folder["keepsRecords"]), (&json!(true), &json!(true)), "{folder}");
    assert_eq!((&folder["kind"], &folder["tenant"]), (&json!("remote"), &json!("musterkreis")), "{folder}");
    let columns = |command| {
        let output = house.installation.run(&["adapter", command]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(columns("list"), ["ID", "KIND", "TENANT", "CHANNEL", "WAY", "CAPABILITIES"]);
    assert_eq!(columns("check"), ["ID", "KIND", "TENANT", "OK", "DETAIL"]);

    let (case, document) = case_with_document(&house).await;
    house.put(&document, "plan.pdf", b"%PDF-1.7 Plan").await;
    let kept = house.path(&format!("dms/records/{case}/{document}"));
    let bytes = until("the file", async || kept_file(&kept, "plan.pdf")).await;
    assert_eq!(bytes, b"%PDF-1.7 Plan");

    let told = house.events("channel.delivered", &case).await;
    let detail = &told[0]["detail"];
    assert_eq!((&detail["adapter"], &detail["reference"]), (&json!("folder"), &json!(case)));
    assert_eq!(detail["data"]["folder"], json!(format!("records/{case}")));
    let record = house.get(&format!("/cases/{case}")).await;
    let end = case.replace('-', "");
    assert_eq!(record["recordReference"], json!(format!("63-{}", &end[end.len() - 8..])));
    // Who assigned it is not told of it, though it follows that: what happens later in the same tree comes behind it. Of what others assign
    // it is told.
    let assign = json!({ "recordReference": "63-4711/26" });
    house.make(&format!("/cases/{case}/record-reference"), assign).await;
    house.put(&document, "plan-2.pdf", b"%PDF-1.7 Plan 2").await;
    until("the second file", async || kept_file(&kept, "plan-2.pdf")).await;
    let mut kinds = told_kinds(&house);
    kinds.sort_unstable();
    let content = "document.content-added";
    assert_eq!(kinds, [content, content, "record.created", "record.created", "record.reference-assigned"]);
}

/// A file of a document as the sample keeps it.
fn kept_file(document: &Path, name: &str) -> Option<Vec<u8>> {
    let mut files = std::fs::read_dir(document).ok()?.flatten();
    let file = files.find(|it| it.file_name().to_string_lossy().ends_with(&format!("-{name}")))?;
    std::fs::read(file.path()).ok()
}

/// What the sample was told, by the kinds of what happened.
fn told_kinds(house: &House) -> Vec<String> {
    let deliveries = std::fs::read_dir(house.path("dms/deliveries")).unwrap().flatten();
    let told = deliveries.filter_map(|it| std::fs::read(it.path().join("delivery.json")).ok());
    let kind = |bytes: Vec<u8>| {
        serde_json::from_slice::<Value>(&bytes).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    told.map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_brings_is_in_the_case_once_though_the_gateway_dies() {
    let (_sample, mut house) = start();
    let (case, _) = case_with_document(&house).await;
    std::fs::write(house.path("dms/contents/scan"), b"%PDF-1.7 Scan").unwrap();
    let sha256 = seal::sha256(&[b"%PDF-1.7 Scan"]).to_string();
    let file = json!({ "name": "scan.pdf", "size": 13, "sha256": sha256, "content": "scan" });
    for number in 0..20 {
        let reference = format!("files/{number}");
        let place = json!({ "kind": "case", "id": case });
        let change = json!({
            "key": format!("doc-{number}"), "do": "createDocument", "in": place, "title": format!("Scan {number}"),
            "reference": reference, "files": [file],
        });
        std::fs::write(house.path(&format!("dms/outbox/{number:02}.json")), change.to_string()).unwrap();
    }
    let note = json!({ "key": "note", "do": "note", "record": { "reference": "files/7" }, "detail": { "seen": true } });
    std::fs::write(house.path("dms/outbox/50.json"), note.to_string()).unwrap();
    let documents = async |house: &House| {
        house.get(&format!("/cases/{case}/documents?limit=100")).await["items"].as_array().unwrap().clone()
    };
    for made in [3, 9] {
        until("some documents", async || (documents(&house).await.len() > made).then_some(())).await;
        house.kill();
    }
    let outcome = house.path("dms/outcomes/note.json");
    let told: Value =
        serde_json::from_slice(&until("the outcome", async || std::fs::read(&outcome).ok()).await).unwrap();
    let documents = documents(&house).await;
    let mut titles: Vec<&str> =
        documents.iter().filter_map(|it| it["title"].as_str()).filter(|it| it.starts_with("Scan")).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!((documents.len(), titles.len()), (21, 20));
    let noted = told["record"]["id"].as_str().unwrap();
    assert_eq!(house.bytes(noted).await, b"%PDF-1.7 Scan");
    assert_eq!(house.events("channel.noted", noted).await.len(), 1);
}
