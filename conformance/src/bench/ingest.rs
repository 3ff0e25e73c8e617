//! How fast messages of 10 KB are taken in: keep-alive connections, each answer after the sync. The gateway's own CPU is
//! what the kernel accounts to its process; taking in is measured on a node that does nothing else
//! (`limits.workers = 0`), the whole way into the mailbox on one that does everything.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::copies::Copies;
use super::node::{Node, SIZE, message, sender};
use super::wire::{self, Run};
use super::{median, rounded};
use crate::Error;
use crate::client::{items, text};
use crate::gateway::{Engine, Gateway};

/// Rounds; each measures everything once.
const ROUNDS: usize = 5;

/// Messages of a round with one, sixteen and sixty-four connections.
const MESSAGES: [(usize, usize); 3] = [(1, 500), (16, 3_000), (64, 6_000)];

/// Messages that are followed into the mailbox.
const DELIVERED: usize = 2_000;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Its engine.
    pub engine: Engine,
    /// Where the raw inserts go; not measured without it.
    pub postgres: Option<Engine>,
}

/// Outcome of `bench ingest`. Rates are answered messages per second, medians of five rounds.
#[derive(Debug, Clone, Serialize)]
pub struct IngestFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// With one connection.
    pub rps_c1: f64,
    /// With 16.
    pub rps_c16: f64,
    /// With 64.
    pub rps_c64: f64,
    /// Latency that 99 of 100 kept with 64 connections, in milliseconds.
    pub p99_ms_c64: f64,
    /// CPU of the gateway up to the acknowledgement, in microseconds.
    pub cpu_us_per_message: f64,
    /// CPU of the gateway from the socket into the mailbox, evidence sealed, in microseconds.
    pub delivered_cpu_us: f64,
    /// Syncs per message with 64 connections, counted by strace.
    pub fsyncs_per_message_c64: f64,
    /// `rps_c64` divided by the rate at which 64 clients insert the same rows into PostgreSQL.
    pub vs_postgres_insert: Option<f64>,
    /// Share of their rate that these raw inserts lose by the rows of evidence.
    pub evidence_share_postgres: Option<f64>,
    /// The time that the rows of evidence take raw, as a share of the time that a gateway on PostgreSQL takes for a
    /// message, 64 at once.
    pub evidence_cost_postgres: Option<f64>,
    /// Size of a message, in bytes.
    pub message_bytes: usize,
    /// What was measured.
    pub command: &'static str,
}

/// Measures.
///
/// # Errors
/// If a program is missing, or an answer is not what the contract says.
pub async fn ingest(wanted: &Ingest) -> Result<IngestFigures, Error> {
    let mut taking = Node::start(&wanted.binary, &wanted.engine, "[limits]\nworkers = 0\n", &[]).await?;
    let mut rival = match &wanted.postgres {
        Some(engine) => Some(Rival::of(&wanted.binary, engine).await?),
        None => None,
    };
    let (mut runs, mut cpu, mut rivals) = ([const { vec![] }; 3], vec![], vec![]);
    for _ in 0..ROUNDS {
        for (runs, (connections, count)) in runs.iter_mut().zip(MESSAGES) {
            let before = taking.gateway.cpu_us()?;
            let run: Run = taking.send(count, connections).await?;
            if connections == 64 {
                cpu.push((taking.gateway.cpu_us()? - before) / count as f64);
                if let Some(rival) = &mut rival {
                    rivals.push((run.rate(), rival.run(count, connections).await?));
                }
            }
            runs.push(run);
        }
    }
    taking.gateway.remove().await?;
    if let Some(rival) = rival {
        rival.gateway.remove().await?;
        rival.node.gateway.remove().await?;
    }
    let rate = |runs: &[Run]| median(runs.iter().map(Run::rate)).round();
    Ok(IngestFigures {
        engine: wanted.engine.name(),
        rps_c1: rate(&runs[0]),
        rps_c16: rate(&runs[1]),
        rps_c64: rate(&runs[2]),
        p99_ms_c64: rounded(median(runs[2].iter().map(Run::p99_ms))),
        cpu_us_per_message: rounded(median(cpu.into_iter())),
        delivered_cpu_us: rounded(delivered(wanted).await?),
        fsyncs_per_message_c64: rounded(syncs(wanted).await?),
        vs_postgres_insert: some_median(&rivals, |own, rates| own / rates.whole),
        evidence_share_postgres: some_median(&rivals, |_, rates| 1.0 - rates.whole / rates.bare),
        evidence_cost_postgres: some_median(&rivals, |_, rates| {
            (1.0 / rates.whole - 1.0 / rates.bare) * rates.gateway
        }),
        message_bytes: SIZE,
        command: "POST /api/v1/messages (xdomea 0401 in a ZIP), keep-alive, load generator on the same machine",
    })
}

fn some_median(rivals: &[(f64, Rates)], figure: fn(f64, &Rates) -> f64) -> Option<f64> {
    let figures = rivals.iter().map(|(own, rates)| figure(*own, rates));
    (!rivals.is_empty()).then(|| rounded(median(figures)))
}

/// The same rows by themselves.
struct Rival {
    /// Whose database takes the rows; it does not run.
    gateway: Gateway,
    whole: Copies,
    bare: Copies,
    /// A gateway on PostgreSQL that runs.
    node: Node,
}

/// Messages per second in one round.
struct Rates {
    /// Their rows by themselves.
    whole: f64,
    /// These without the rows of evidence.
    bare: f64,
    /// Through a gateway on PostgreSQL.
    gateway: f64,
}

impl Rival {
    /// Has a gateway on PostgreSQL take one message in, and stops it: its rows are the pattern.
    async fn of(binary: &Path, engine: &Engine) -> Result<Self, Error> {
        let mut gateway = Gateway::prepare(binary, engine).await?;
        gateway.configure("[limits]\nworkers = 0\n")?;
        let token = gateway.token("bench", sender()).await?;
        gateway.start().await?;
        let client = gateway.client(&token)?;
        wire::run(&gateway.internal(), vec![message(&token, 1)], 1, 202).await?;
        let listed = client.get("/messages?limit=1").await?.expect("GET /messages", &[200])?;
        let id =
            items(&listed, "items").first().map(|message| text(message, "id").to_owned()).unwrap_or_default();
        gateway.kill().await?;
        let url = gateway.database_url();
        let (whole, bare) = (Copies::of(&url, &id, true).await?, Copies::of(&url, &id, false).await?);
        let node = Node::start(binary, engine, "[limits]\nworkers = 0\n", &[]).await?;
        Ok(Rival { gateway, whole, bare, node })
    }

    async fn run(&mut self, count: usize, connections: usize) -> Result<Rates, Error> {
        Ok(Rates {
            whole: self.whole.write(count, connections).await?,
            bare: self.bare.write(count, connections).await?,
            gateway: self.node.send(count, connections).await?.rate(),
        })
    }
}

/// CPU for each message from the socket into the mailbox.
async fn delivered(wanted: &Ingest) -> Result<f64, Error> {
    let mut node = Node::start(&wanted.binary, &wanted.engine, "", &[]).await?;
    let before = node.gateway.cpu_us()?;
    node.send(DELIVERED, 64).await?;
    node.through().await?;
    let took = node.gateway.cpu_us()? - before;
    node.gateway.remove().await?;
    Ok(took / DELIVERED as f64)
}

/// Syncs for each message with 64 connections.
async fn syncs(wanted: &Ingest) -> Result<f64, Error> {
    let trace = tempfile::NamedTempFile::new()?;
    let path = trace.path().display().to_string();
    let strace = ["strace", "--seccomp-bpf", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", &path];
    let mut node = Node::start(&wanted.binary, &wanted.engine, "[limits]\nworkers = 0\n", &strace).await?;
    let count = || std::fs::read_to_string(trace.path()).map(|text| text.matches("sync(").count());
    let (_, messages) = MESSAGES[2];
    let before = count()?;
    node.send(messages, 64).await?;
    let syncs = count()? - before;
    node.gateway.remove().await?;
    Ok(syncs as f64 / messages as f64)
}
