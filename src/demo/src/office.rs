//! The systems around the county's gateway, and the gateway's adapters for them: a DMS (CMIS 1.1), a workflow engine (the REST API of
//! Camunda 7), the hot folder of a scanner, and the folder of an archive.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use conformance::simulate::Error;
use conformance::simulate::camunda::Simulator;
use conformance::simulate::client::{Client, text};
use conformance::simulate::cmis::{PASSWORD, Repository, USER};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Gateway};
use conformance::simulate::portal::{SERVICE, UNIT};
use serde_json::Value;

/// Adapter of the DMS.
pub(crate) const DMS: &str = "dms";
/// Topic of the external task that people do.
pub(crate) const TOPIC: &str = "bauantrag-pruefen";
/// Adapter of letters that are printed.
pub(crate) const PRINTED: &str = "print";
/// The archive, as a partner.
pub(crate) const ARCHIVE: &str = "kv:00000099";

/// The process of a building application.
const PROCESS: &str = include_str!("bauantrag.bpmn");
/// Service of what other authorities hand over: no system here takes it.
const TAKEN_OVER: &str = "aktenuebernahme";
/// How long is looked for what has to come about.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// The systems.
pub(crate) struct Office {
    pub(crate) dms: Repository,
    pub(crate) engine: Simulator,
    /// The hot folder.
    pub(crate) scan: PathBuf,
    /// Where letters appear that are to be printed.
    pub(crate) prints: PathBuf,
    /// Where packages for the archive appear.
    pub(crate) bags: PathBuf,
}

impl Office {
    /// Starts the systems, and configures a gateway that is not running for them. Its outbound calls may reach this machine.
    pub(crate) async fn set_up(gateway: &Gateway) -> Result<Self, Error> {
        let (dms, engine) = (Repository::start().await?, Simulator::start().await?);
        engine.deploy(PROCESS);
        let (scan, bags) = (gateway.folder().join("scan"), gateway.folder().join("kreisarchiv"));
        let prints = gateway.folder().join("druck");
        std::fs::create_dir(&scan)?;
        std::fs::create_dir(&prints)?;
        std::fs::create_dir(&bags)?;
        gateway.write_secret("office-dms.secret", PASSWORD)?;
        // DMS and engine have the applications of the county alone.
        gateway
            .reconfigure(&[(&format!("service = \"{SERVICE}\""), &format!("service = \"{TAKEN_OVER}\""))])?;
        gateway.configure(&adapters(&dms, &engine))?;
        Ok(Office { dms, engine, scan, prints, bags })
    }

    /// What the DMS has of a record: one object for each version of it.
    pub(crate) fn objects(&self, record: &str) -> Vec<Value> {
        self.dms.objects().into_iter().filter(|object| text(object, "amt:id") == record).collect()
    }

    /// How many documents the DMS has.
    pub(crate) fn documents(&self) -> usize {
        let all = self.dms.objects();
        all.iter().filter(|object| text(object, "cmis:objectTypeId") == "amt:dokument").count()
    }
}

/// The adapters, and the archive as a partner.
fn adapters(dms: &Repository, engine: &Simulator) -> String {
    let serves = format!("tenant = \"{COUNTY}\"\nauthority = \"{COUNTY_KEY}\"\nunit = \"{UNIT}\"");
    let (browser, engine) = (dms.browser(), &engine.url);
    format!(
        r#"
[[adapter]]
id = "{DMS}"
{serves}
services = ["{SERVICE}"]
kind = "cmis"
url = "{browser}"
user = "{USER}"
password = "file:office-dms.secret"
folder = "/Fachverfahren/Bauakten"
folder_type = "amt:akte"
document_type = "amt:dokument"
own_property = "amt:id"
folder_fields = [
  {{ field = "title", property = "amt:titel" }},
  {{ field = "recordReference", property = "amt:aktenzeichen" }},
]
document_fields = [{{ field = "title", property = "amt:titel" }}]

[[adapter]]
id = "vorgaenge"
{serves}
services = ["{SERVICE}"]
kind = "camunda"
url = "{engine}"
wait_seconds = 1
processes = [{{ service = "{SERVICE}", key = "bauantrag", variables = {{ betreff = "case.title" }} }}]
topics = [{{ name = "{TOPIC}", does = "task", title = "=Bauantrag prüfen", result = "ergebnis" }}]

[[adapter]]
id = "scan"
{serves}
kind = "scan"
folder = "scan"
quiet_seconds = 0
pause_seconds = 1
columns = {{ Aktenzeichen = "reference", Eingang = "received", Betreff = "subject" }}

[[adapter]]
id = "{PRINTED}"
{serves}
kind = "print"
folder = "druck"

[[adapter]]
id = "archiv"
kind = "archive-folder"
folder = "kreisarchiv"
source_organisation = "Kreis Soest"

[[partner]]
authority = "{ARCHIVE}"
name = "Kreisarchiv"
adapter = "archiv"
reads = [["xdomea", "3.1.0"]]
most_bytes = 1_000_000_000
"#
    )
}

/// What the DMS calls a record, once the record's time line tells that it has it: the event `channel.delivered` with a reference.
/// `path` is the record's.
pub(crate) async fn delivered(client: &Client, path: &str) -> Result<String, Error> {
    let path = format!("{path}/timeline");
    until(&format!("channel.delivered in {path}"), async || reference_in(client, &path).await).await
}

/// The same as far as it is told now.
pub(crate) async fn reference_in(client: &Client, timeline: &str) -> Result<Option<String>, Error> {
    let events = client.list(timeline).await?;
    let told = events.iter().map(|item| &item["event"]).filter(|event| {
        text(event, "kind") == "channel.delivered" && text(&event["detail"], "adapter") == DMS
    });
    let mut references = told.map(|event| text(&event["detail"], "reference"));
    Ok(references.find(|reference| !reference.is_empty()).map(str::to_owned))
}

/// Looks until something is there.
pub(crate) async fn until<T>(
    what: &str,
    look: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            return Err(Error::Late(what.to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    }
}
