//! Hours at 70 % of what the gateway bears, from the socket into the mailbox: the last minute must be like the first, in
//! throughput and in memory (phoss-ap#68 and others slow down by the hour). Engines are soaked at the same time, each at
//! its share of what it bears while the others work, too.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde::Serialize;

use super::node::Node;
use super::wire;
use crate::Error;
use crate::gateway::Engine;

/// Messages by which the maximum is found.
const PROBE: usize = 1_000;

/// Messages of a portion by which one goes on while others are still probed.
const PORTION: usize = 100;

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
    /// Its engines, a gateway for each.
    pub engines: Vec<Engine>,
    /// How long after the minute of warming up, at least two minutes.
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
    /// CPU of the gateway for each message, in microseconds.
    pub cpu_us: f64,
}

/// Outcome of a soak.
#[derive(Debug, Clone, Serialize)]
pub struct SoakFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// What it bears, from the socket into the mailbox, per second.
    pub maximum_rps: f64,
    /// Each minute. One more went before, which counts for nothing: the caches fill.
    pub minutes: Vec<Minute>,
    /// Throughput of the last minute divided by that of the first.
    pub throughput: f64,
    /// Memory likewise.
    pub memory: f64,
    /// Seconds until everything that was acknowledged was in its mailbox, after the last minute.
    pub drained_s: f64,
    /// Whether throughput has not fallen and memory not grown by more than a tenth.
    pub holds: bool,
}

/// Hears of each minute as it ends: the engine, the number of the minute from 1, and what it was like.
pub type Heard<'a> = &'a dyn Fn(&'static str, usize, &Minute);

/// Runs. The outcomes are in the order of the engines.
///
/// # Errors
/// If an answer is not what the contract says.
pub async fn soak(wanted: &Soak, heard: Heard<'_>) -> Result<Vec<SoakFigures>, Error> {
    let probing = Cell::new(wanted.engines.len());
    let runs = wanted.engines.iter().map(|engine| one(wanted, engine, &probing, heard));
    try_join_all(runs).await
}

async fn one(
    wanted: &Soak,
    engine: &Engine,
    probing: &Cell<usize>,
    heard: Heard<'_>,
) -> Result<SoakFigures, Error> {
    let mut node = Node::start(&wanted.binary, engine, "", &[]).await?;
    let maximum = probe(&mut node, PROBE).await?;
    probing.set(probing.get() - 1);
    // Goes on, so that a slower one is not probed on a machine that it has for itself.
    while probing.get() > 0 {
        probe(&mut node, PORTION).await?;
    }
    let pace = maximum * SHARE;
    minute(&mut node, pace).await?;
    let mut minutes = vec![];
    for number in 1..=(wanted.length.as_secs() / 60).max(2) as usize {
        let minute = minute(&mut node, pace).await?;
        heard(engine.name(), number, &minute);
        minutes.push(minute);
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
        engine: engine.name(),
        maximum_rps: maximum,
        minutes,
        throughput,
        memory,
        drained_s,
        holds: throughput >= 1.0 - CHANGE && memory <= 1.0 + CHANGE,
    })
}

/// Messages per second from the socket into the mailbox, as fast as they go.
async fn probe(node: &mut Node, count: usize) -> Result<f64, Error> {
    let begin = Instant::now();
    node.send(count, CONNECTIONS).await?;
    node.through().await?;
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

/// A minute at so many messages per second.
async fn minute(node: &mut Node, pace: f64) -> Result<Minute, Error> {
    let count = (pace * 60.0) as usize;
    let base = node.gateway.internal();
    let before = node.gateway.cpu_us()?;
    let pause = Duration::from_secs_f64(1.0 / pace);
    let run = wire::paced(&base, || node.next(), count, pause, CONNECTIONS).await?;
    Ok(Minute {
        rps: run.rate(),
        memory_mb: node.gateway.memory() as f64 / 1e6,
        p99_ms: run.p99_ms(),
        cpu_us: (node.gateway.cpu_us()? - before) / count as f64,
    })
}
