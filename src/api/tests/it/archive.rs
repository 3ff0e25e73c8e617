//! The recorded answers of a state archive's own software drive a disposition to its end: an agency offers what the sample offers, is
//! appraised, transfers, and destroys what the archive has confirmed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::Incoming;
use bytes::Bytes;
use model::case::{RecordStatus, Reference};
use model::command::{Change, Command};
use model::record::Meta;
use model::standard::{Intake, Object, Standard};
use model::{Actor, Caller, Failure, Id, MessageState, PayloadRef, Record, RecordKind, Role, Scope, ids};
use schemas::Schemas;
use serde_json::{Value, json};
use xoev::xdomea::{Options, Xdomea};

use crate::gateway::{ALL_ROLES, Call, Gateway};

fn samples() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/xoev/xdomea");
    assert!(folder.is_dir(), "{} must be there", folder.display());
    folder
}

fn find(folder: &str, ending: &str) -> PathBuf {
    let folder = samples().join(folder);
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let found = files.find(|path| path.to_string_lossy().ends_with(ending));
    found.unwrap_or_else(|| panic!("{ending} must be in {}", folder.display()))
}

/// What an offer says.
#[derive(Default)]
struct Offered(Vec<Object>);

impl Intake for Offered {
    fn file(&mut self, _: &str, _: &mut dyn Read) -> Result<PayloadRef, Failure> {
        Err(Failure::permanent("model.invalid", "an offer has no files"))
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        self.0.push(object);
        Ok(())
    }
}

fn caller(id: &str) -> Caller {
    Caller {
        actor: Actor { kind: "system".into(), id: id.into() },
        roles: Role::ALL.to_vec(),
        scope: Scope::tenant("soest"),
        authority: Some("bab:05974000".parse().unwrap()),
    }
}

/// The records of an offer as the agency's own; gives their roots.
async fn load(gateway: &Gateway, offer: &Path) -> Vec<Id> {
    let xdomea = Xdomea::new(Arc::new(Schemas::new()), Options::default());
    let mut offered = Offered::default();
    xdomea.read(&mut File::open(offer).unwrap(), &mut offered).unwrap();
    let mut known: BTreeMap<Id, Id> = BTreeMap::new();
    let mut roots = vec![];
    // Children come before their parents.
    for object in offered.0.into_iter().rev() {
        let id = ids::new_id();
        known.insert(object.object_id, id);
        let here = |(kind, uuid): &(RecordKind, Id)| (*kind, known[uuid]);
        let parent = object.ancestors.last().map(here);
        let root = object.ancestors.first().map_or(id, |first| here(first).1);
        let record = placed(object, id, root, parent);
        let kind = record.kind();
        let command = Command { kind, id, expected: None, change: Change::Create(Box::new(record)) };
        gateway.broker.submit(&caller("dms"), command, None).await.unwrap();
        if parent.is_none() {
            roots.push(id);
        }
    }
    roots
}

fn placed(object: Object, id: Id, root: Id, parent: Option<(RecordKind, Id)>) -> Record {
    let by = caller("dms");
    let mut record = object.record;
    *record.meta_mut() = Meta {
        id,
        tenant: by.scope.tenant,
        authority: by.authority.unwrap(),
        unit: "63".into(),
        public_service: None,
        root,
        version: 0,
        created_at: model::Timestamp::default(),
        updated_at: model::Timestamp::default(),
    };
    let description = match &mut record {
        Record::CaseFile(file) => {
            file.parent = parent.map(|(_, id)| id);
            file.status = RecordStatus::Closed;
            &mut file.description
        }
        Record::Case(case) => {
            case.status = RecordStatus::Closed;
            match parent {
                Some((RecordKind::CaseFile, id)) => case.case_file = Some(id),
                parent => case.parent = parent.map(|(_, id)| id),
            }
            &mut case.description
        }
        Record::Document(document) => {
            document.parent = parent.map(|(_, id)| id);
            &mut document.description
        }
        _ => unreachable!("an offer holds records"),
    };
    if description.reference("xdomea").is_none() {
        let value = object.object_id.to_string();
        description.references.push(Reference { kind: "xdomea".into(), value });
    }
    record
}

/// A recorded answer, as if it answered another process.
fn answer(path: &Path, process: &str) -> (String, Vec<u8>) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let (before, rest) = name.split_at(36);
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut text).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    let inside = format!("{process}{}", rest.replace(".zip", ".xml"));
    writer.start_file(inside, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(text.replace(before, process).as_bytes()).unwrap();
    (format!("{process}{rest}"), writer.finish().unwrap().into_inner())
}

struct Process<'a> {
    gateway: &'a Gateway,
    token: String,
    path: String,
    process: String,
    replies: &'a str,
}

impl Process<'_> {
    async fn now(&self) -> Value {
        self.gateway.broker.run_due_jobs().await.unwrap();
        self.gateway.call(&self.token, Call::get(&self.path)).await.is(200).json()
    }

    /// The archive's answer of a type comes; gives the exchange as it is then.
    async fn comes(&self, ending: &str) -> Value {
        let (name, bytes) = answer(&find(self.replies, ending), &self.process);
        let incoming = Incoming { file_name: Some(name), ..Incoming::default() };
        let stream = futures::stream::iter([Ok(Bytes::from(bytes))]);
        let archive = caller("bab:05974028");
        let message = self.gateway.broker.accept(&archive, incoming, stream).await.unwrap();
        let now = self.now().await;
        let message = self.gateway.broker.message(&archive, message.id).await.unwrap();
        assert_eq!(message.state, MessageState::Confirmed, "{ending}: {:?}", message.report);
        now
    }
}

async fn begin<'a>(gateway: &'a Gateway, version: &str, offer: &str, replies: &'a str) -> Process<'a> {
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let roots = load(gateway, &find(offer, "0501.zip")).await;
    let wanted = json!({
        "kind": "disposition", "to": "bab:05974028", "objects": roots, "standard": "xdomea", "version": version,
        "wantsReceipt": false,
    });
    let started = gateway.call(&token, Call::post("/exchanges").json(wanted)).await.is(202);
    let path = started.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    let process = started.json()["processId"].as_str().unwrap().to_owned();
    let process = Process { gateway, token, path, process, replies };
    let sent = process.now().await;
    assert_eq!((&sent["status"], &sent["waits"]["what"]), (&json!("sent"), &json!("appraisal")), "{sent}");
    process
}

async fn transfer(process: &Process<'_>) -> Value {
    let path = format!("{}/transfer", process.path);
    process.gateway.call(&process.token, Call::post(&path)).await.is(202);
    let transferred = process.now().await;
    assert_eq!(transferred["status"], "transferred", "{transferred}");
    transferred
}

fn destroyed(exchange: &Value) -> usize {
    let objects = exchange["objects"].as_array().unwrap();
    objects.iter().filter(|object| object["destroyedAt"].is_string()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_an_archive_in_3_0_0_end_a_disposition_and_what_it_did_not_name_stays() {
    let gateway = Gateway::start().await;
    let process = begin(&gateway, "3.0.0", "xman-testdata-3.0.0", "xman-replies-3.0.0").await;
    assert_eq!(process.comes("0504.zip").await["status"], "received");
    let appraised = process.comes("0502.zip").await;
    assert_eq!((&appraised["status"], &appraised["waits"]["turn"]), (&json!("appraised"), &json!("us")));
    assert!(
        appraised["messages"].as_array().unwrap().iter().any(|message| message["type"] == "0505"),
        "asked for"
    );
    transfer(&process).await;
    assert_eq!(process.comes("0507.zip").await["status"], "transferReceived");
    let ended = process.comes("0506.zip").await;
    assert_eq!((&ended["status"], &ended["waits"]), (&json!("partlyConfirmed"), &Value::Null));

    let path = format!("{}/destruction", process.path);
    gateway.call(&process.token, Call::post(&path).json(json!({}))).await.is(202);
    let gone = process.now().await;
    assert_eq!(destroyed(&gone), 2, "of the third file the archive says nothing");
    for object in gone["objects"].as_array().unwrap() {
        let path = format!("/case-files/{}", object["id"].as_str().unwrap());
        let record = gateway.call(&process.token, Call::get(&path)).await.is(200).json();
        let is_gone = object["destroyedAt"].is_string();
        assert_eq!(record["status"], if is_gone { "destroyed" } else { "closed" });
        let names = record["references"].as_array().unwrap().iter();
        assert_eq!(names.filter(|name| name["value"] == "AIP-0001").count(), usize::from(is_gone));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_an_archive_in_2_3_0_end_a_disposition_by_one_word_on_the_whole() {
    let gateway = Gateway::start().await;
    let process = begin(&gateway, "2.3.0", "toolkit-generated-2.3.0", "xman-replies-2.3.0").await;
    assert_eq!(process.comes("0504.zip").await["status"], "received");
    assert_eq!(process.comes("0502.zip").await["status"], "appraised");
    transfer(&process).await;
    let ended = process.comes("0506.zip").await;
    assert_eq!(ended["status"], "confirmed", "{ended}");
    assert!(ended["objects"].as_array().unwrap().iter().all(|object| object["result"]["successful"] == true));
}
