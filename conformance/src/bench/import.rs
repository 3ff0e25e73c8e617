//! A container with very many documents: it is taken in and processed in slices while others go on working.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::memory::Watch;
use crate::Error;
use crate::client::{Client, items, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use crate::simulate::containers;
use crate::simulate::portal::UNIT;
use crate::simulate::sender::Sender;
use crate::simulate::story::verify;

/// Longest time for the whole import.
const LONGEST: Duration = Duration::from_secs(900);

/// Outcome of `bench import`. MB are 10⁶ bytes.
#[derive(Debug, Clone, Serialize)]
pub struct ImportFigures {
    /// Documents in the container, each with one file.
    pub documents: u32,
    /// Bytes of each file.
    pub file_bytes: u64,
    /// From the answer to the container until everything is visible, in seconds.
    pub seconds: f64,
    /// Documents taken in per second of that time.
    pub documents_per_s: f64,
    /// Peak of the process above idle, from the first byte of the container on.
    pub peak_mb: f64,
    /// Cases that another client opened while the import went on, each answered after its sync.
    pub answers_meanwhile: u64,
    /// Slowest of those answers, in milliseconds.
    pub slowest_answer_ms: f64,
    /// What was measured.
    pub command: String,
}

/// Sends a container of `documents` files of `file_bytes` each, and opens cases until all of it is visible.
///
/// # Errors
/// If the gateway refuses, loses a document, or is not in time.
pub async fn import(
    binary: &Path,
    engine: &Engine,
    documents: u32,
    file_bytes: u64,
) -> Result<ImportFigures, Error> {
    let mut gateway = Gateway::prepare(binary, engine).await?;
    let measured = measure(&mut gateway, documents, file_bytes).await;
    gateway.remove().await?;
    measured
}

async fn measure(gateway: &mut Gateway, documents: u32, file_bytes: u64) -> Result<ImportFigures, Error> {
    gateway.start().await?;
    let roles = &["system", "record-keeping"];
    let rights = Rights { tenant: COUNTY, roles, unit: UNIT, service: "*", authority: Some(COUNTY_KEY) };
    let client = gateway.client(&gateway.token("Messung", rights).await?)?;
    let container = containers::handover_of_many(containers::seeded_id(7, 0), 7, documents, file_bytes);
    open_case(&client, 0).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let watch = Watch::start(gateway)?;

    watch.reset()?;
    let message = Sender { client: client.clone() }.send("import", &container.content).await?;
    let path = format!("/messages/{}", text(&message, "id"));
    let begin = Instant::now();
    let (mut answers, mut slowest) = (0, Duration::ZERO);
    let ended = loop {
        let asked = Instant::now();
        open_case(&client, answers + 1).await?;
        slowest = slowest.max(asked.elapsed());
        answers += 1;
        let message = client.read(&path).await?;
        if text(&message, "state") != "accepted" {
            break message;
        }
        if begin.elapsed() > LONGEST {
            return Err(Error::Late("the import".to_owned()));
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    let peak_mb = watch.peak_mb()?;
    verify(text(&ended, "state") == "processed", "der Container ist angenommen und verarbeitet")?;
    verify(count(&client, &ended).await? == documents as usize, "jedes Dokument ist da, einmal")?;
    Ok(ImportFigures {
        documents,
        file_bytes,
        seconds,
        documents_per_s: f64::from(documents) / seconds,
        peak_mb,
        answers_meanwhile: answers,
        slowest_answer_ms: slowest.as_secs_f64() * 1e3,
        command: "POST /messages (0401); POST /cases meanwhile".to_owned(),
    })
}

async fn open_case(client: &Client, number: u64) -> Result<(), Error> {
    let body = json!({ "unit": UNIT, "title": format!("Nebenher {number} (erfunden)") });
    client.post("/cases", &format!("nebenher-{number}"), &body).await?.expect("POST /cases", &[201]).map(drop)
}

/// Documents below the objects of the exchange.
async fn count(client: &Client, message: &Value) -> Result<usize, Error> {
    let exchange = client.read(&format!("/exchanges/{}", text(message, "exchange"))).await?;
    let mut documents = 0;
    for object in items(&exchange, "objects") {
        for case in client.list(&format!("/cases?caseFile={}", text(object, "id"))).await? {
            documents += client.list(&format!("/cases/{}/documents", text(&case, "id"))).await?.len();
        }
    }
    Ok(documents)
}
