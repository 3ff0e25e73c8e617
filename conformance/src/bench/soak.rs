//! Hours at 70 % of what the gateway bears, from the socket into the mailbox: the last minute must be like the first, in
//! throughput and in memory (phoss-ap#68 and others slow down by the hour).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::node::Node;
use super::wire;
use crate::Error;
use crate::gateway::Engine;

/// Messages by which the maximum is found.
const PROBE: usize = 2_000;

/// Connections.
const CONNECTIONS: usize = 16;

/// Share of the maximum.
const SHARE: f64 = 0.7;

/// What may change from the first to the last minute.
const CHANGE: f64 = 0.1;

/// What to run.
#[derive(Debug, Clone)]
pub struct Soak {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Its engine.
    pub engine: Engine,
    /// How long, at least two minutes.
    pub length: Duration,
}

/// One minute. Rates are messages per second.
#[derive(Debug, Clone, Serialize)]
pub struct Minute {
    /// Acknowledged.
    pub rps: f64,
    /// Resident memory of the gateway at its end, in MB (10⁶ bytes).
    pub memory_mb: f64,
    /// Latency that 99 of 100 kept, in milliseconds.
    pub p99_ms: f64,
}

/// Outcome of a soak.
#[derive(Debug, Clone, Serialize)]
pub struct SoakFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// What it bears, from the socket into the mailbox, per second.
    pub maximum_rps: f64,
    /// Each minute.
    pub minutes: Vec<Minute>,
    /// Throughput of the last minute divided by that of the first.
    pub throughput: f64,
    /// Memory likewise. The first minute is the one after the caches have filled.
    pub memory: f64,
    /// Seconds until everything that was acknowledged was in its mailbox, after the last minute.
    pub drained_s: f64,
    /// Whether throughput has not fallen and memory not grown by more than a tenth.
    pub holds: bool,
}

/// Runs.
///
/// # Errors
/// If an answer is not what the contract says.
pub async fn soak(wanted: &Soak) -> Result<SoakFigures, Error> {
    let mut node = Node::start(&wanted.binary, &wanted.engine, "", &[]).await?;
    let begin = Instant::now();
    node.send(PROBE, CONNECTIONS).await?;
    node.through().await?;
    let maximum = PROBE as f64 / begin.elapsed().as_secs_f64();
    let minute = (maximum * SHARE * 60.0) as usize;
    let mut minutes = vec![];
    for _ in 0..(wanted.length.as_secs() / 60).max(2) {
        let base = node.gateway.internal();
        let pause = Duration::from_secs_f64(1.0 / (maximum * SHARE));
        let run = wire::paced(&base, || node.next(), minute, pause, CONNECTIONS).await?;
        minutes.push(Minute {
            rps: run.rate(),
            memory_mb: node.gateway.memory() as f64 / 1e6,
            p99_ms: run.p99_ms(),
        });
    }
    let end = Instant::now();
    node.through().await?;
    let drained_s = end.elapsed().as_secs_f64();
    node.gateway.remove().await?;
    let ratio = |value: fn(&Minute) -> f64| match (minutes.first(), minutes.last()) {
        (Some(first), Some(last)) => value(last) / value(first),
        _ => f64::NAN,
    };
    let (throughput, memory) = (ratio(|minute| minute.rps), ratio(|minute| minute.memory_mb));
    Ok(SoakFigures {
        engine: wanted.engine.name(),
        maximum_rps: maximum,
        minutes,
        throughput,
        memory,
        drained_s,
        holds: throughput >= 1.0 - CHANGE && memory <= 1.0 + CHANGE,
    })
}
