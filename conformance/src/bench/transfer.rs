//! One large file in by REST, out as a container to another authority of the gateway, in on the other side and fetched
//! there: memory per leg, and speed beside `cp` and `sync` of the same file, interleaved.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Body, Method};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::median;
use super::memory::Watch;
use crate::Error;
use crate::client::{Client, items, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use crate::simulate::files::Content;
use crate::simulate::portal::{Attachment, Portal, UNIT, content_path, upload_key};
use crate::simulate::records::RecordKeeping;
use crate::simulate::story::verify;

/// Times that the file goes in, each beside a copy of it.
const ROUNDS: usize = 3;

/// Pause after the start before the gateway counts as idle.
const SETTLE: Duration = Duration::from_secs(2);

/// Longest time for a leg that the gateway does by itself.
const LEG: Duration = Duration::from_secs(900);

/// Outcome of `bench transfer`. MB are 10⁶ bytes; peaks are above idle.
#[derive(Debug, Clone, Serialize)]
pub struct TransferFigures {
    /// Size of the file.
    pub file_mb: f64,
    /// Resident memory when nothing goes on.
    pub idle_mb: f64,
    /// From the start of the process to its ready line, in milliseconds; the median.
    pub start_to_ready_ms: f64,
    /// Peak while the file comes in by REST.
    pub peak_mb_in: f64,
    /// Peak while the container is written, checked and handed over.
    pub peak_mb_out: f64,
    /// Peak while the other side checks and takes in what it received.
    pub peak_mb_received: f64,
    /// Peak while the other side fetches the file by REST.
    pub peak_mb_fetched: f64,
    /// Speed in by REST until the answer, which comes after the sync; the median.
    pub mb_per_s: f64,
    /// That speed divided by the speed of `cp` and `sync` of the same file; the median of the pairs' ratios.
    pub vs_cp_sync: f64,
    /// Speed of `cp` and `sync`; the median.
    pub cp_sync_mb_per_s: f64,
    /// Speed from the request for the hand-over until the sender's message is delivered.
    pub out_mb_per_s: f64,
    /// Speed from there until it lies processed in the other side's mailbox.
    pub received_mb_per_s: f64,
    /// Speed of the download.
    pub fetched_mb_per_s: f64,
    /// What was measured.
    pub command: String,
}

/// Runs all legs once, the first one [`ROUNDS`] times. `megabytes` is the size of the file.
///
/// # Errors
/// If the gateway refuses, changes a byte, or is not in time.
pub async fn transfer(binary: &Path, engine: &Engine, megabytes: u32) -> Result<TransferFigures, Error> {
    let mut gateway = Gateway::prepare(binary, engine).await?;
    let measured = measure(&mut gateway, megabytes).await;
    gateway.remove().await?;
    measured
}

async fn measure(gateway: &mut Gateway, megabytes: u32) -> Result<TransferFigures, Error> {
    let start_to_ready_ms = starts(gateway).await?;
    let county = client(gateway, COUNTY, COUNTY_KEY).await?;
    let town = client(gateway, TOWN, TOWN_KEY).await?;
    let content = Content::large("plan.pdf", megabytes);
    let file = gateway.folder().join("plan.pdf");
    write(&content, &file).await?;
    let portal = Portal { client: county.clone() };
    let opened = portal.open("transfer", "Sehr großer Plan (erfunden)").await?;
    // Warm: every code path ran once, and the connections stand.
    let warm = Content::large("klein.pdf", 1);
    portal.upload(&describe(&portal, &opened.case, &warm).await?, &warm).await?;
    tokio::time::sleep(SETTLE).await;
    let watch = Watch::start(gateway)?;

    let size = content.size as f64 / 1e6;
    let (mut pairs, mut peak_mb_in) = (vec![], 0.0_f64);
    let mut document = String::new();
    for round in 0..ROUNDS {
        let copied = copy(&file, &gateway.folder().join("copy.pdf"))?;
        // All but the last lie in a file that is not handed over.
        let case = if round + 1 == ROUNDS {
            opened.case.clone()
        } else {
            portal.open(&format!("runde-{round}"), "Probe (erfunden)").await?.case
        };
        document = describe(&portal, &case, &content).await?;
        watch.reset()?;
        let begin = Instant::now();
        put(&county, &document, &content, &file).await?;
        pairs.push((size / begin.elapsed().as_secs_f64(), size / copied.as_secs_f64()));
        peak_mb_in = peak_mb_in.max(watch.peak_mb()?);
    }
    verify(!document.is_empty(), "ein Dokument trägt die Datei")?;

    watch.reset()?;
    let begin = Instant::now();
    let body =
        json!({ "kind": "handover", "to": TOWN_KEY, "objects": [opened.case_file], "wantsReceipt": false });
    let exchange = county.post("/exchanges", "abgabe", &body).await?.expect("POST /exchanges", &[202])?;
    let path = format!("/exchanges/{}", text(&exchange, "id"));
    wait(&county, &path, |exchange| text(exchange, "status") != "sending").await?;
    let out = begin.elapsed();
    let peak_mb_out = watch.peak_mb()?;

    watch.reset()?;
    let begin = Instant::now();
    wait(&town, "/inbox", |inbox| !items(inbox, "items").is_empty()).await?;
    let received = begin.elapsed();
    let peak_mb_received = watch.peak_mb()?;

    watch.reset()?;
    let begin = Instant::now();
    let fetched = fetch(&town).await?;
    verify(fetched >= content.size, "die Datei kommt Byte für Byte auf der anderen Seite an")?;
    let fetching = begin.elapsed();
    let peak_mb_fetched = watch.peak_mb()?;
    Ok(TransferFigures {
        file_mb: size,
        idle_mb: watch.idle as f64 / 1e6,
        start_to_ready_ms,
        peak_mb_in,
        peak_mb_out,
        peak_mb_received,
        peak_mb_fetched,
        mb_per_s: median(pairs.iter().map(|(ours, _)| *ours)),
        vs_cp_sync: median(pairs.iter().map(|(ours, copy)| ours / copy)),
        cp_sync_mb_per_s: median(pairs.iter().map(|(_, copy)| *copy)),
        out_mb_per_s: size / out.as_secs_f64(),
        received_mb_per_s: size / received.as_secs_f64(),
        fetched_mb_per_s: size / fetching.as_secs_f64(),
        command: "PUT content | cp && sync -d; POST /exchanges; GET /inbox; GET content".to_owned(),
    })
}

/// Starts the gateway a few times; the last one runs on. The first start, which lays out the store, does not count.
async fn starts(gateway: &mut Gateway) -> Result<f64, Error> {
    gateway.start().await?;
    let mut taken = vec![];
    for _ in 0..ROUNDS {
        gateway.kill().await?;
        let begin = Instant::now();
        gateway.start().await?;
        taken.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(taken.into_iter()))
}

async fn client(gateway: &Gateway, tenant: &str, authority: &str) -> Result<Client, Error> {
    let roles = &["system", "record-keeping"];
    let rights = Rights { tenant, roles, unit: UNIT, service: "*", authority: Some(authority) };
    gateway.client(&gateway.token("Messung", rights).await?)
}

async fn describe(portal: &Portal, case: &str, content: &Content) -> Result<String, Error> {
    portal.describe(case, &Attachment { title: "Plan", kind: "Plan", content: content.clone() }).await
}

async fn write(content: &Content, path: &Path) -> Result<(), Error> {
    use futures::StreamExt;
    let mut file = tokio::fs::File::create(path).await?;
    let mut blocks = content.stream();
    while let Some(block) = blocks.next().await {
        file.write_all(&block?).await?;
    }
    Ok(file.sync_all().await?)
}

/// What `cp` and `sync` of the copy take.
fn copy(from: &Path, to: &Path) -> Result<Duration, Error> {
    let run = |program: &'static str, command: &mut Command| match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Tool { tool: program, detail: format!("ended with {status}") }),
        Err(error) => Err(Error::Tool { tool: program, detail: error.to_string() }),
    };
    let begin = Instant::now();
    // A copy that shares blocks with the original would copy nothing.
    run("cp", Command::new("cp").arg("--reflink=never").arg(from).arg(to))?;
    run("sync", Command::new("sync").arg("-d").arg(to))?;
    let taken = begin.elapsed();
    std::fs::remove_file(to)?;
    Ok(taken)
}

async fn put(client: &Client, document: &str, content: &Content, file: &Path) -> Result<(), Error> {
    let body = Body::from(tokio::fs::File::open(file).await?);
    let (path, key) = (content_path(document, content), upload_key(document, content));
    let answer = client.upload_stream(Method::PUT, &path, &key, content, body).await?;
    answer.expect("PUT content", &[201]).map(drop)
}

async fn wait(client: &Client, path: &str, fits: impl Fn(&Value) -> bool) -> Result<(), Error> {
    let begin = Instant::now();
    while !fits(&client.read(path).await?) {
        if begin.elapsed() > LEG {
            return Err(Error::Late(path.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Fetches and checks every file of what lies in the mailbox; returns its bytes.
async fn fetch(town: &Client) -> Result<u64, Error> {
    let system = RecordKeeping::new(town, UNIT);
    let leased = system.lease().await?;
    let entry = leased.first().ok_or_else(|| Error::Unverified("etwas liegt im Postfach".to_owned()))?;
    let imported = system.import(entry).await?;
    system.confirm(entry).await?;
    Ok(imported.objects.iter().map(|object| object.bytes).sum())
}
