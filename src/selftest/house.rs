//! One house within this process, with its own keys and store: a sealed content comes back, an e-file goes from one authority to another
//! as a checked xdomea 0401, its evidence verifies, and a flipped byte in it is named.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use broker::{Broker, InboxFilter, MessageFilter, NewExchange, Page, Upload};
use bytes::Bytes;
use model::command::{Change, Command};
use model::exchange::ExchangeKind;
use model::rights::Scope;
use model::{Actor, Authority, Caller, Id, Record, RecordKind, Role, ids};
use serde_json::{Value, json};

use crate::error::Error;
use crate::gateway::Gateway;
use crate::selftest::Report;
use config::Config;

const HOUSE: &str = r#"
node = "selftest"
[store]
database = "sqlite:test.db"
payloads = "payloads"
master_key = "file:master.key"
evidence_key = "evidence.pem"
schemas = "schemas"
create_keys = true
[[tenant]]
id = "a"
name = "Amt A"
unit = [{ id = "1", name = "Amt 1" }]
authority = [{ key = "test:a", name = "Behörde A", unit = "1" }]
[[tenant]]
id = "b"
name = "Amt B"
unit = [{ id = "1", name = "Amt 1" }]
authority = [{ key = "test:b", name = "Behörde B", unit = "1" }]
"#;

/// More than one sealed chunk, so that their order counts.
const CONTENT_BYTES: usize = 200_000;

/// A house that goes wrong ends here: what it was to show next rests on it.
pub(super) async fn run(report: &mut Report) {
    if let Err(error) = checks(report).await {
        report.broke("a house of its own", error);
    }
}

async fn checks(report: &mut Report) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::open(&Config::parse(HOUSE, folder.path())?).await?;
    let outcome = judge(&gateway, folder.path(), report).await;
    gateway.close().await;
    outcome
}

async fn judge(gateway: &Gateway, folder: &Path, report: &mut Report) -> Result<(), Error> {
    let broker = &gateway.broker;
    let (sender, receiver) = (caller("a")?, caller("b")?);
    let (file, document) = records(broker, &sender).await?;
    report.note("sealed content comes back", content_comes_back(broker, &sender, document).await?);

    hand_over(broker, &sender, file).await?;
    let inbox = broker.inbox(&receiver, &InboxFilter::default(), &Page::first(2)).await?;
    report.note("xdomea 0401 is written, accepted and delivered", inbox.items.len() == 1);
    let filter = MessageFilter { message_type: Some("0403".to_owned()), ..MessageFilter::default() };
    let receipts = broker.messages(&sender, &filter, &Page::first(2)).await?;
    report.note("xdomea 0403 comes back", receipts.items.len() == 1);

    let bundle = folder.join("evidence.zip");
    broker.export_evidence(&sender, file, File::create_new(&bundle)?, true).await?;
    let keys = broker.evidence_keys()?;
    let verify = || Ok::<_, Error>(seal::bundle::verify(File::open(&bundle)?, Some(keys.current()), |_| {}));
    let verdict = verify()?;
    report.note("evidence verifies", verdict.ok && verdict.key_trusted);
    flip_a_byte(&bundle)?;
    let named = verify()?.findings.iter().any(|finding| finding.code == "evidence.chunk-changed");
    report.note("a flipped byte of evidence is named", named);
    Ok(())
}

fn caller(tenant: &str) -> Result<Caller, Error> {
    let authority: Authority = format!("test:{tenant}").parse().map_err(broker::Error::Model)?;
    Ok(Caller {
        actor: Actor { kind: "system".to_owned(), id: "selftest".to_owned() },
        roles: vec![Role::System, Role::RecordKeeping, Role::Auditor],
        scope: Scope::tenant(tenant),
        authority: Some(authority),
    })
}

/// A case file with a document in it.
async fn records(broker: &Broker, by: &Caller) -> Result<(Id, Id), Error> {
    let file =
        create(broker, by, RecordKind::CaseFile, json!({ "title": "Akte", "recordReference": "1/26" }))
            .await?;
    let fields = json!({ "title": "Dokument", "parent": file, "root": file });
    Ok((file, create(broker, by, RecordKind::Document, fields).await?))
}

async fn create(broker: &Broker, by: &Caller, kind: RecordKind, fields: Value) -> Result<Id, Error> {
    let id = ids::new_id();
    let mut record = json!({
        "id": id, "tenant": by.scope.tenant, "authority": by.authority, "unit": "1", "root": id,
        "version": 0, "createdAt": "1970-01-01T00:00:00Z", "updatedAt": "1970-01-01T00:00:00Z",
    });
    if let (Some(record), Value::Object(fields)) = (record.as_object_mut(), fields) {
        record.extend(fields);
    }
    let record = Record::from_json(kind, record).map_err(broker::Error::Model)?;
    let command = Command { kind, id, expected: None, change: Change::Create(Box::new(record)) };
    Ok(broker.submit(by, command, None).await?.meta().id)
}

async fn content_comes_back(broker: &Broker, by: &Caller, document: Id) -> Result<bool, Error> {
    let content: Vec<u8> = (0..CONTENT_BYTES).map(|at| (at % 251) as u8).collect();
    let upload = Upload {
        file_name: "plan.bin".to_owned(),
        version: "1".to_owned(),
        media_type: Some("application/octet-stream".to_owned()),
        ..Upload::default()
    };
    let body = futures::stream::iter([Ok(Bytes::from(content.clone()))]);
    broker.add_content(by, document, upload, body).await?;
    let (_, payload) = broker.content(by, document, None, None).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        payload.blocking().read_to_end(&mut read).map(|_| read)
    });
    Ok(read.await.map_err(|_| Error::Selftest("sealed content"))?? == content)
}

async fn hand_over(broker: &Broker, by: &Caller, file: Id) -> Result<(), Error> {
    let to: Authority = "test:b".parse().map_err(broker::Error::Model)?;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to,
        objects: vec![file],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    broker.start_exchange(by, wanted, None).await?;
    while broker.run_due_jobs().await? > 0 {}
    Ok(())
}

/// Changes one byte in the middle of the bundle's largest part: the document's content.
fn flip_a_byte(bundle: &Path) -> Result<(), Error> {
    let mut file = File::options().read(true).write(true).open(bundle)?;
    let bytes = std::fs::read(bundle)?;
    let start =
        bytes.windows(251).position(|window| window.iter().enumerate().all(|(at, byte)| *byte == at as u8));
    let at = start.ok_or(Error::Selftest("a flipped byte is named"))? as u64 + 1_000;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[!bytes[at as usize]])?;
    Ok(file.sync_all()?)
}
