//! What handing over costs: from the request to the partner outside (through the remote adapter), and into the mailbox of
//! another authority of the gateway; and how fast a receiver of webhooks gets the events of it.
//!
//! Each round has two parts. A burst over sixteen connections tells rate and CPU: nothing looks at a single message
//! meanwhile. Then sixteen clients hand over, each again when its message has come: that tells the latency.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::wire::{self, Run};
use super::{median, rounded};
use crate::Error;
use crate::bed::{Bed, handover, until};
use crate::client::{Client, items};
use crate::gateway::{Engine, Rights, TOWN, TOWN_KEY};
use crate::simulate::partner::{Manner, Partner};

/// Authority outside.
const OUTSIDE: &str = "bab:00000301";

/// Rounds; each measures everything once.
const ROUNDS: usize = 3;

/// Connections, and clients.
const CONNECTIONS: usize = 16;

/// Hand-overs of a burst.
const BURST: usize = 480;

/// Hand-overs that are followed one by one.
const FOLLOWED: usize = 160;

/// Events that a receiver of webhooks gets.
const EVENTS: usize = 1_000;

/// Between two looks at a message within the gateway, and at what still waits; each look costs the gateway something, too.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two looks at a partner, which cost the gateway nothing.
const SHORT: Duration = Duration::from_millis(1);

/// Outcome of `bench deliver`: medians of three rounds. Rates are deliveries per second, from the first request to the
/// last delivery; latencies go from the request to the delivery.
#[derive(Debug, Clone, Serialize)]
pub struct DeliverFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// Into the mailbox of another authority of the gateway.
    pub rps_local_c16: f64,
    /// To the partner outside.
    pub rps_outside_c16: f64,
    /// Latency that 99 of 100 kept until the other authority had the message, in milliseconds, with a resolution of 20.
    pub p99_ms_local: f64,
    /// The same until the partner outside had it.
    pub p99_ms_outside: f64,
    /// CPU of the gateway for each message in the mailbox, evidence of both sides sealed, in microseconds.
    pub cpu_us_local: f64,
    /// CPU of the gateway for each message that the partner outside has, evidence sealed, in microseconds.
    pub cpu_us_outside: f64,
    /// Events per second to one receiver of webhooks, each answered before the next is sent.
    pub webhook_rps: f64,
    /// What was measured.
    pub command: &'static str,
}

/// Measures.
///
/// # Errors
/// If the gateway refuses, or something is not delivered in time.
pub async fn deliver(binary: &Path, engine: &Engine) -> Result<DeliverFigures, Error> {
    let bed = Bed::start(binary, engine, &[(OUTSIDE, Manner::Healthy)]).await?;
    let rights =
        Rights { tenant: TOWN, roles: &["system"], unit: "*", service: "*", authority: Some(TOWN_KEY) };
    let town = bed.gateway.client(&bed.gateway.token("bench", rights).await?)?;
    let ways = Ways { bed, town };
    let (mut local, mut outside) = (vec![], vec![]);
    for round in 0..ROUNDS {
        local.push(ways.measure(TOWN_KEY, round).await?);
        outside.push(ways.measure(OUTSIDE, round).await?);
    }
    let webhook_rps = ways.webhook().await?;
    ways.bed.gateway.remove().await?;
    let of = |rounds: &[Measured], value: fn(&Measured) -> f64| rounded(median(rounds.iter().map(value)));
    Ok(DeliverFigures {
        engine: engine.name(),
        rps_local_c16: of(&local, |round| round.rps),
        rps_outside_c16: of(&outside, |round| round.rps),
        p99_ms_local: of(&local, |round| round.p99_ms),
        p99_ms_outside: of(&outside, |round| round.p99_ms),
        cpu_us_local: of(&local, |round| round.cpu_us),
        cpu_us_outside: of(&outside, |round| round.cpu_us),
        webhook_rps: rounded(webhook_rps),
        command: "POST /api/v1/exchanges (one case file, xdomea 0401), load generator and partner on the same machine",
    })
}

/// One round of one way.
struct Measured {
    rps: f64,
    p99_ms: f64,
    cpu_us: f64,
}

/// Both ways out of the county's mailbox.
struct Ways {
    bed: Bed,
    town: Client,
}

impl Ways {
    async fn measure(&self, to: &str, round: usize) -> Result<Measured, Error> {
        let files: Vec<String> = stream::iter(0..BURST + FOLLOWED)
            .map(async |number| self.bed.open(&format!("{to}-{round}-{number}")).await)
            .buffered(CONNECTIONS)
            .try_collect()
            .await?;
        let (burst, followed) = files.split_at(BURST);
        self.sealed().await?;

        let base = self.bed.gateway.internal();
        let requests = burst.iter().map(|file| {
            let body = handover(to, file).to_string();
            wire::post("/exchanges", &self.bed.token, "application/json", body.as_bytes())
        });
        let requests = requests.collect();
        let before = self.bed.gateway.cpu_us()?;
        let begin = Instant::now();
        wire::run(&base, requests, CONNECTIONS, 202).await?;
        self.through().await?;
        let took = begin.elapsed();
        self.sealed().await?;
        let cpu = self.bed.gateway.cpu_us()? - before;

        let begin = Instant::now();
        let latencies = stream::iter(followed)
            .map(async |file| self.follow(to, file).await)
            .buffer_unordered(CONNECTIONS)
            .try_collect()
            .await?;
        let run = Run::of(begin, latencies);
        self.through().await?;
        Ok(Measured {
            rps: BURST as f64 / took.as_secs_f64(),
            p99_ms: run.p99_ms(),
            cpu_us: cpu / BURST as f64,
        })
    }

    /// Hands over, and sees when it has come.
    async fn follow(&self, to: &str, file: &str) -> Result<Duration, Error> {
        let begin = Instant::now();
        let message = self.bed.hand_over(to, file, file).await?;
        if to == TOWN_KEY {
            let left = async || Ok(self.bed.has_left(&message).await?.then_some(()));
            until("a delivery within the gateway", PAUSE, left).await?;
            return Ok(begin.elapsed());
        }
        let taken = async || Ok(self.bed.partners.iter().find_map(|partner| partner.taken(&message)));
        Ok(until("a delivery to a partner", SHORT, taken).await? - begin)
    }

    /// Waits until every message has come: nothing leaves the county any more, and nothing comes into the town.
    async fn through(&self) -> Result<(), Error> {
        let none = async |client: &Client, state: &str| {
            let listed = client.read(&format!("/messages?state={state}&limit=1")).await?;
            Ok::<_, Error>(items(&listed, "items").is_empty())
        };
        let county = &self.bed.client;
        until("the deliveries", PAUSE, async || {
            let all = none(county, "preparing").await?
                && none(county, "ready").await?
                && none(&self.town, "accepted").await?;
            Ok(all.then_some(()))
        })
        .await
    }

    /// Waits until every event is sealed.
    async fn sealed(&self) -> Result<(), Error> {
        let url = format!("{}/metrics", self.bed.gateway.operations());
        let http = reqwest::Client::new();
        until("the sealing", PAUSE, async || {
            let figures = http.get(&url).send().await?.text().await?;
            let unsealed = figures.lines().find_map(|line| line.strip_prefix("amtsbote_unsealed_events "));
            Ok((unsealed == Some("0")).then_some(()))
        })
        .await
    }

    /// Events per second to a receiver that has a thousand to get.
    async fn webhook(&self) -> Result<f64, Error> {
        self.sealed().await?;
        let events = self.bed.client.events(0).await?;
        let after = events.iter().rev().nth(EVENTS).map_or(0, |(number, _)| *number);
        let receiver = Partner::start(Manner::Healthy).await?;
        let begin = Instant::now();
        self.bed.subscribe(&receiver, "bench", after).await?;
        until("the webhooks", PAUSE, async || Ok((receiver.count() >= EVENTS).then_some(()))).await?;
        Ok(EVENTS as f64 / begin.elapsed().as_secs_f64())
    }
}
