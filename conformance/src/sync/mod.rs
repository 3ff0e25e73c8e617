//! Order of syncs: the gateway runs under strace while each writing door is used once or more, and the
//! trace is judged. Killing alone cannot show this: what the kernel has buffered survives a SIGKILL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::Error;
use crate::client::{Answer, Client, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use crate::simulate::containers;
use crate::simulate::files::{Content, noise};
use crate::simulate::portal::{SERVICE, UNIT, content_path, upload_key};
use crate::simulate::records::RecordKeeping;

mod judge;
mod trace;

pub use judge::Judged;

/// Longer than the sealer's pause: two equal looks this far apart mean that it has nothing to do.
const SEALER: Duration = Duration::from_millis(300);

const CALLS: &str = "trace=openat,open,creat,write,writev,pwrite64,pwritev,sendto,sendmsg,recvfrom,read,readv,\
    fsync,fdatasync,rename,renameat,renameat2,close";

/// Uses every writing door of a traced gateway and judges what it did.
///
/// # Errors
/// If strace is missing or a door does not answer as its contract says.
pub async fn run(binary: &Path) -> Result<Vec<Judged>, Error> {
    let mut gateway = Gateway::prepare(binary, &Engine::Sqlite).await?;
    let folder = gateway.folder().canonicalize()?;
    let file = folder.join("trace");
    let file_name = file.to_string_lossy().into_owned();
    let doors = Doors::open(&gateway).await?;
    gateway.wrapped(&[
        "strace",
        "-f",
        "-yy",
        "-s",
        "200",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
        &file_name,
    ]);
    gateway.start().await.map_err(|error| Error::Tool { tool: "strace", detail: error.to_string() })?;
    let used = doors.use_all().await;
    stop_traced(&mut gateway).await?;
    let trace = std::fs::read_to_string(&file)?;
    gateway.remove().await?;
    used?;
    let payloads = folder.join("data/payloads");
    Ok(judge::judge(&trace::moments(&trace), &payloads.to_string_lossy()))
}

/// Ends the traced process; strace then ends by itself with its file complete.
async fn stop_traced(gateway: &mut Gateway) -> Result<(), Error> {
    let tracer = gateway.pid().unwrap_or_default();
    let children = PathBuf::from(format!("/proc/{tracer}/task/{tracer}/children"));
    let children = std::fs::read_to_string(children)?;
    for pid in children.split_whitespace() {
        Command::new("kill").arg("-TERM").arg(pid).status().await?;
    }
    gateway.ended().await?;
    Ok(())
}

/// Callers that may use every writing door between them.
struct Doors {
    county: Client,
    town: Client,
    operator: Client,
}

impl Doors {
    async fn open(gateway: &Gateway) -> Result<Self, Error> {
        let worker = &["system", "record-keeping"];
        let rights =
            |tenant, roles, key| Rights { tenant, roles, unit: "*", service: "*", authority: Some(key) };
        let county = gateway.token("kreis", rights(COUNTY, worker, COUNTY_KEY)).await?;
        let town = gateway.token("stadt", rights(TOWN, worker, TOWN_KEY)).await?;
        let operator = gateway.token("betrieb", rights(COUNTY, &["operator", "admin"], COUNTY_KEY)).await?;
        Ok(Doors {
            county: gateway.client(&county)?,
            town: gateway.client(&town)?,
            operator: gateway.client(&operator)?,
        })
    }

    async fn use_all(&self) -> Result<(), Error> {
        let (file, case) = self.write_records().await?;
        self.write_contents(&case).await?;
        self.work_on_tasks(&case).await?;
        self.hand_over(&file).await?;
        self.send_messages().await?;
        self.administrate().await
    }

    async fn write_records(&self) -> Result<(String, String), Error> {
        let place = json!({ "unit": UNIT, "publicService": SERVICE, "title": "Akte" });
        let file = text(&self.post("/case-files", place.clone()).await?, "id").to_owned();
        self.post(&format!("/case-files/{file}/case-files"), place.clone()).await?;
        let mut case = place;
        case["caseFile"] = json!(file);
        let case = text(&self.post("/cases", case).await?, "id").to_owned();
        self.post(&format!("/case-files/{file}/record-reference"), json!({ "recordReference": "63-1" }))
            .await?;
        self.post(&format!("/cases/{case}/close"), json!({})).await?;
        let reopened = self.post(&format!("/cases/{case}/reopen"), json!({})).await?;
        let version = reopened["version"].as_u64().unwrap_or_default();
        let path = format!("/cases/{case}");
        let title = json!({ "title": "Vorgang" });
        self.settled(self.county.change(Method::PATCH, &path, Some(version), &title).await?, &path).await?;
        Ok((file, case))
    }

    async fn write_contents(&self, case: &str) -> Result<(), Error> {
        for size in [100, 100_000, 9_000_000] {
            let path = format!("/cases/{case}/documents");
            let document = self.post(&path, json!({ "title": format!("{size}") })).await?;
            let document = text(&document, "id");
            let content = Content::new("datei.bin", "application/octet-stream", noise(size, size).to_vec());
            let (path, key) = (content_path(document, &content), upload_key(document, &content));
            self.settled(self.county.upload(Method::PUT, &path, &key, &content).await?, &path).await?;
        }
        Ok(())
    }

    async fn work_on_tasks(&self, case: &str) -> Result<(), Error> {
        let body = json!({ "unit": UNIT, "title": "Aufgabe", "kind": "review", "case": case });
        let task = self.post("/tasks", body.clone()).await?;
        let task = format!("/tasks/{}", text(&task, "id"));
        self.post(&format!("{task}/assign"), json!({ "assignee": "stelle-1" })).await?;
        self.post(&format!("{task}/complete"), json!({ "result": "erledigt" })).await?;
        let mut other = body;
        other["title"] = json!("Andere Aufgabe");
        let task = self.post("/tasks", other).await?;
        self.post(&format!("/tasks/{}/cancel", text(&task, "id")), json!({})).await?;
        Ok(())
    }

    async fn hand_over(&self, file: &str) -> Result<(), Error> {
        let body = json!({ "kind": "handover", "to": TOWN_KEY, "objects": [file] });
        let exchange = self.post("/exchanges", body).await?;
        let id = text(&exchange, "id").to_owned();
        let path = format!("/exchanges/{id}");
        self.county.wait_until(&path, |exchange| text(exchange, "status") == "received").await?;
        self.settle().await?;
        let keeper = RecordKeeping::new(&self.town, "63");
        for entry in keeper.lease().await? {
            self.settle().await?;
            keeper.import(&entry).await?;
            self.settle().await?;
            keeper.confirm(&entry).await?;
        }
        self.county.wait_until(&path, |exchange| text(exchange, "status") == "confirmed").await?;
        self.settle().await?;
        self.post(&format!("/case-files/{file}/lock"), json!({ "exchange": id })).await?;
        Ok(())
    }

    async fn send_messages(&self) -> Result<(), Error> {
        for (number, size) in [(1, 100), (2, 100_000), (3, 9_000_000)] {
            let container = containers::handover(containers::seeded_id(number, 0), number, size);
            let message = self.message(&container.content).await?;
            let path = format!("/messages/{}", text(&message, "id"));
            self.county.wait_until(&path, |message| text(message, "state") == "processed").await?;
            self.settle().await?;
            if number == 1 {
                let (key, path) = (uuid::Uuid::now_v7().to_string(), format!("{path}/return"));
                self.settled(self.operator.post(&path, &key, &json!({})).await?, &path).await?;
            }
        }
        self.repair_message().await?;
        let keeper = RecordKeeping::new(&self.county, "63");
        for entry in keeper.lease().await? {
            self.settle().await?;
            self.post(&format!("/inbox/{}/return", text(&entry, "id")), json!({})).await?;
        }
        Ok(())
    }

    /// A receipt that nobody waits for is parked by the gateway itself: it is tried again and sent back.
    async fn repair_message(&self) -> Result<(), Error> {
        let stray = Content::new("empfang.xml", "application/xml", STRAY_RECEIPT.as_bytes().to_vec());
        let message = self.message(&stray).await?;
        let path = format!("/messages/{}", text(&message, "id"));
        for action in ["resend", "return"] {
            self.county.wait_until(&path, |message| text(message, "state") == "parked").await?;
            self.settle().await?;
            let (key, path) = (uuid::Uuid::now_v7().to_string(), format!("{path}/{action}"));
            self.settled(self.operator.post(&path, &key, &json!({})).await?, &path).await?;
        }
        Ok(())
    }

    async fn administrate(&self) -> Result<(), Error> {
        let partner = json!({ "name": "Erfundene Nachbarbehörde", "authority": "bab:05974999" });
        let answer = self.operator.change(Method::PUT, "/partners/nachbar", None, &partner).await?;
        self.settled(answer, "PUT /partners").await?;
        let token = json!({ "name": "x", "roles": ["auditor"], "units": "all", "services": "all" });
        let token = self.operator.post("/tokens", "token", &token).await?;
        let token = self.settled(token, "POST /tokens").await?;
        let path = format!("/tokens/{}", text(&token, "id"));
        self.settled(self.operator.change(Method::DELETE, &path, None, &Value::Null).await?, &path).await?;
        Ok(())
    }

    async fn message(&self, content: &Content) -> Result<Value, Error> {
        let path = format!("/messages?fileName={}", content.name);
        let key = format!("m-{}", &content.sha256[..16]);
        self.settled(self.county.upload(Method::POST, &path, &key, content).await?, &path).await
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        let key = uuid::Uuid::now_v7().to_string();
        self.settled(self.county.post(path, &key, &body).await?, path).await
    }

    /// The body of an answer that must be a success, once the gateway has come to rest after it.
    async fn settled(&self, answer: Answer, what: &str) -> Result<Value, Error> {
        let body = answer.expect(what, &[200, 201, 202, 204])?;
        self.settle().await?;
        Ok(body)
    }

    /// Waits until the feeds of both tenants stand still.
    async fn settle(&self) -> Result<(), Error> {
        let mut before = (usize::MAX, usize::MAX);
        loop {
            let now = (self.county.events(0).await?.len(), self.town.events(0).await?.len());
            if now == before {
                return Ok(());
            }
            before = now;
            tokio::time::sleep(SEALER).await;
        }
    }
}

/// A receipt (0403) of a process that was never begun.
const STRAY_RECEIPT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<xdomea:Abgabe.EmpfangBestaetigen.0403 xmlns:xdomea="urn:xoev-de:xdomea:schema:3.1.0"><xdomea:Kopf>
<xdomea:ProzessID>6f1d1c52-0000-4000-8000-000000000403</xdomea:ProzessID>
<xdomea:Nachrichtentyp listURI="urn:xoev-de:xdomea:codeliste:nachrichtentyp" listVersionID="2.0"><code>0403</code></xdomea:Nachrichtentyp>
<xdomea:Erstellungszeitpunkt>2026-11-23T09:15:00+01:00</xdomea:Erstellungszeitpunkt>
<xdomea:Absender><xdomea:Institution><xdomea:Name>Erfundene Behörde</xdomea:Name></xdomea:Institution></xdomea:Absender>
<xdomea:Empfaenger><xdomea:Institution><xdomea:Name>Erfundene Behörde</xdomea:Name></xdomea:Institution></xdomea:Empfaenger>
</xdomea:Kopf></xdomea:Abgabe.EmpfangBestaetigen.0403>
"#;
