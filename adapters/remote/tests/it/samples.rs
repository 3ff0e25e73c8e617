//! The programs under `conformance/samples/remote`, in other languages and without any code of ours, keep the contract.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use adapter_remote::Remote;
use model::adapter::{About, AboutFile, Adapter, Delivery, Interest};
use model::case::{Document, File, RecordStatus};
use model::command::Change;
use model::testkit::{a_case, a_meta};
use model::{EventKind, FailureKind, PayloadRef, Record, RecordKind, ids};
use serde_json::{Value, json};

use crate::host::Memory;
use crate::{SECRET, following};

/// The record of a document with a file of these bytes, in a case.
pub(crate) fn about_a_document(bytes: &[u8]) -> Delivery {
    let case = a_case("Bauantrag");
    let sha256 = seal::sha256(&[bytes]).to_string();
    let content =
        PayloadRef { id: ids::new_id(), size: bytes.len() as u64, chunk_root: sha256.clone(), sha256 };
    let file = File { name: "../Plan ä.pdf".into(), content: Some(content), ..File::default() };
    let document = Document {
        meta: a_meta(),
        description: Default::default(),
        parent: Some(case.meta().id),
        kind: Some("Plan".into()),
        dates: Default::default(),
        versions: vec![],
        status: RecordStatus::Open,
    };
    let id = document.meta.id;
    let files = vec![
        AboutFile { document: id, version: "1".into(), file: file.clone() },
        AboutFile { document: id, version: "2".into(), file },
    ];
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "record.created".into(),
        record: Some((RecordKind::Document, id)),
        detail: json!({ "eventNumber": 7 }),
        about: Some(Box::new(About {
            record: Record::Document(document),
            above: vec![case],
            links: vec![],
            files,
        })),
    }
}

struct Program {
    process: Child,
    folder: tempfile::TempDir,
    remote: Arc<Remote>,
}

impl Program {
    fn start(command: &[&str]) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let sample =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/samples/remote").join(command[1]);
        let process = Command::new(command[0])
            .arg(sample)
            .arg(folder.path())
            .args(["--assign", "63-"])
            .env("AMTSBOTE_SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn();
        let mut process =
            process.unwrap_or_else(|_| panic!("{} is missing; ./dev test installs it", command[0]));
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let follows = [RecordKind::Case, RecordKind::Document]
            .map(|record| Interest { event: EventKind::RecordCreated, record });
        let remote = following(format!("http://127.0.0.1:{}", port.trim()), follows.to_vec());
        Program { process, folder, remote }
    }

    fn read(&self, path: PathBuf) -> Vec<u8> {
        std::fs::read(self.folder.path().join(path)).unwrap()
    }

    fn offer(&self, name: &str, change: &Value) {
        std::fs::write(self.folder.path().join("outbox").join(name), change.to_string()).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn keeps_the_contract(command: &[&str]) {
    let program = Program::start(command);
    let bytes = vec![7; 300_000];
    let delivery = about_a_document(&bytes);
    let sources = [bytes.clone(), bytes.clone()];
    model::testkit::adapter_contract(program.remote.clone(), delivery.clone(), &sources).await;
    let about = delivery.about.as_ref().unwrap();
    let home = Path::new("records")
        .join(about.above[0].meta().id.to_string())
        .join(about.record.meta().id.to_string());
    let digest = seal::sha256(&[&bytes]).to_string();
    for version in ["1", "2"] {
        assert_eq!(program.read(home.join(format!("{version}-{}-.._Plan ä.pdf", &digest[..8]))), bytes);
    }
    let again =
        program.remote.deliver(&delivery, &[Box::new(bytes.clone()), Box::new(bytes.clone())]).await.unwrap();
    assert_eq!(again.links[0].reference, home.display().to_string());

    // A message has a content and nothing else.
    let message = Delivery {
        id: ids::new_id(),
        record: None,
        about: None,
        kind: "message".into(),
        detail: json!({ "size": 3 }),
        ..delivery.clone()
    };
    program.remote.deliver(&message, &[Box::new(b"abc".to_vec())]).await.unwrap();
    assert_eq!(program.read(Path::new("deliveries").join(message.id.to_string()).join("content")), b"abc");

    // Other bytes than those that are announced are not taken.
    let other = Delivery { id: ids::new_id(), ..delivery.clone() };
    let wrong = vec![8; 300_000];
    let failure = program.remote.deliver(&other, &[Box::new(wrong), Box::new(bytes)]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorised);
    assert!(program.remote.reconcile(&other).await.unwrap().is_none());

    keeps_files_apart(&program, &delivery).await;
    brings_changes(&program).await;
}

/// Files whose names are the same where a file system cannot have them as they are.
async fn keeps_files_apart(program: &Program, delivery: &Delivery) {
    let mut told = Delivery { id: ids::new_id(), ..delivery.clone() };
    let about = told.about.as_mut().unwrap();
    let home = Path::new("records")
        .join(about.above[0].meta().id.to_string())
        .join(about.record.meta().id.to_string());
    let contents = [b"eins".to_vec(), b"zwei".to_vec()];
    let digests = contents.clone().map(|bytes| seal::sha256(&[&bytes]).to_string());
    for (at, name) in ["a/b.pdf", "a:b.pdf"].into_iter().enumerate() {
        let file = &mut about.files[at];
        let sha256 = digests[at].clone();
        let content = PayloadRef { id: ids::new_id(), size: 4, chunk_root: sha256.clone(), sha256 };
        (file.version, file.file.name, file.file.content) = ("3".into(), name.into(), Some(content));
    }
    let sources = contents.clone().map(|bytes| Box::new(bytes) as Box<dyn model::adapter::Source>);
    program.remote.deliver(&told, &sources).await.unwrap();
    for (digest, bytes) in digests.iter().zip(contents) {
        assert_eq!(program.read(home.join(format!("3-{}-a_b.pdf", &digest[..8]))), bytes);
    }
}

async fn brings_changes(program: &Program) {
    let case = a_case("Bauantrag");
    let host = Memory::with([case.clone()]);
    let place = json!({ "kind": "case", "id": case.meta().id });
    std::fs::write(program.folder.path().join("contents/a_1"), b"abc").unwrap();
    let file =
        |name: &str, sha256: String| json!({ "name": name, "size": 3, "sha256": sha256, "content": "a_1" });
    let right = file("a.pdf", seal::sha256(&[b"abc"]).to_string());
    let wrong = file("b.pdf", seal::sha256(&[b"abd"]).to_string());
    let document = |key: &str, file: Value| json!({ "key": key, "do": "createDocument", "in": place, "title": "Bescheid", "reference": key, "files": [file] });
    program.offer("1.json", &document("one", right));
    program.offer("2.json", &document("two", wrong));
    program.offer(
        "3.json",
        &json!({ "key": "three", "do": "assignReference", "record": place, "recordReference": "63-7" }),
    );
    program.offer("4.json", &json!({ "key": "four", "do": "explode" }));
    assert_eq!(program.remote.run(host.clone()).await.unwrap().as_secs(), 1);
    // The page is gone through again if its end was lost.
    host.forget_the_cursor();
    program.remote.run(host.clone()).await.unwrap();
    let outcome = |key: &str| -> Value {
        serde_json::from_slice(&program.read(Path::new("outcomes").join(format!("{key}.json")))).unwrap()
    };
    let made = outcome("one")["record"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(outcome("two")["code"], "adapter.other-content");
    assert_eq!(outcome("three")["record"], place);
    assert_eq!(outcome("four")["code"], "adapter.bad-change");
    let submitted = host.submitted();
    let kinds: Vec<_> = submitted
        .iter()
        .map(|(key, command)| (key.as_str(), command.id == made, matches!(command.change, Change::Create(_))))
        .collect();
    assert_eq!(kinds, [("one", true, true), ("one:file:0", true, false), ("three", false, false)]);
    assert_eq!(host.link_of("one"), Some(made));
}

#[tokio::test]
async fn the_sample_in_python_keeps_the_contract() {
    keeps_the_contract(&["python3", "adapter.py"]).await;
}

#[tokio::test]
async fn the_sample_for_node_keeps_the_contract() {
    keeps_the_contract(&["node", "adapter.mjs"]).await;
}
