//! Whether partners and receivers of webhooks that are a burden harm others: two gateways side by side, the one with
//! hundreds of messages waiting for a stalled, a dripping and a garbling partner and with subscriptions of receivers of
//! such manners, the other without; the same hand-overs go through both, in turns. [`xta`] does the same for those who speak XTA.

mod callers;
mod servers;
pub mod xta;

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::bed::{Bed, until};
use crate::client::{items, text};
use crate::gateway::{Engine, TOWN_KEY};
use crate::simulate::containers;
use crate::simulate::partner::{Manner, Partner};
use crate::simulate::sender::Sender;

/// Partners, by the keys of their authorities.
const PARTNERS: [(&str, Manner); 4] = [
    ("bab:00000101", Manner::Healthy),
    ("bab:00000102", Manner::Stalled),
    ("bab:00000103", Manner::Dripping),
    ("bab:00000104", Manner::Garbage),
];

/// Receivers of webhooks that are a burden. One that answers 200 is none, whatever comes with it.
const RECEIVERS: [Manner; 3] = [Manner::Stalled, Manner::Dripping, Manner::Noise];

/// Subscriptions of each of these receivers; a token may have twenty in all.
const SUBSCRIPTIONS: usize = 6;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Messages to each partner that is a burden.
    pub burden: usize,
    /// Hand-overs that are measured, on each gateway, to each of the two that are none.
    pub rounds: usize,
    /// Messages that come in at once.
    pub at_once: usize,
}

/// What was found. Times are in milliseconds, from the request to the delivery.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// p99 of deliveries within the gateway, with the burden divided by without.
    pub local_p99_ratio: f64,
    /// The same for those to a healthy partner outside.
    pub healthy_p99_ratio: f64,
    /// p99 within the gateway, with the burden.
    pub local_p99_ms: f64,
    /// p99 to the healthy partner, with the burden.
    pub healthy_p99_ms: f64,
    /// p99 within the gateway, without the burden.
    pub quiet_local_p99_ms: f64,
    /// p99 to the healthy partner, without the burden.
    pub quiet_healthy_p99_ms: f64,
    /// Hand-overs to those that are none, which all were delivered.
    pub delivered: usize,
    /// Messages for partners that are a burden.
    pub burden: usize,
    /// Of those, how many count as delivered: none may.
    pub burden_delivered: usize,
    /// Different messages that these partners were offered.
    pub burden_offered: usize,
    /// Subscriptions whose receivers are a burden; each of these was offered an event before anything was measured.
    pub hooks: usize,
    /// Messages brought at once while the burden waited.
    pub at_once: usize,
    /// Of those, how many were accepted.
    pub accepted: usize,
    /// How long until the last of them was answered.
    pub accepted_ms: f64,
}

/// Runs the comparison.
///
/// # Errors
/// If a gateway does not do what the contract says, or something is not delivered in time.
pub async fn run(binary: &Path, size: Size) -> Result<Figures, Error> {
    let quiet = Bed::start(binary, &Engine::Sqlite, &PARTNERS).await?;
    let loaded = Bed::start(binary, &Engine::Sqlite, &PARTNERS).await?;
    let receivers = subscribe(&loaded).await?;
    load(&loaded, size.burden).await?;
    let offered = || receivers.iter().all(|receiver| receiver.count() > 0);
    until("webhooks to receivers that are a burden", PAUSE, async || Ok(offered().then_some(()))).await?;
    let (mut without, mut with) = (Times::default(), Times::default());
    for round in 0..size.rounds {
        measure(&quiet, round, &mut without).await?;
        measure(&loaded, round, &mut with).await?;
    }
    let (accepted, took) = bring(&loaded, size.at_once).await;
    let figures = Figures {
        local_p99_ratio: p99(&with.local) / p99(&without.local),
        healthy_p99_ratio: p99(&with.healthy) / p99(&without.healthy),
        local_p99_ms: p99(&with.local),
        healthy_p99_ms: p99(&with.healthy),
        quiet_local_p99_ms: p99(&without.local),
        quiet_healthy_p99_ms: p99(&without.healthy),
        delivered: with.local.len() + with.healthy.len() + without.local.len() + without.healthy.len(),
        burden: size.burden * (PARTNERS.len() - 1),
        burden_delivered: burden_delivered(&loaded).await?,
        burden_offered: loaded.partners[1..].iter().map(Partner::count).sum(),
        hooks: SUBSCRIPTIONS * RECEIVERS.len(),
        at_once: size.at_once,
        accepted,
        accepted_ms: took.as_secs_f64() * 1e3,
    };
    quiet.gateway.remove().await?;
    loaded.gateway.remove().await?;
    Ok(figures)
}

/// Milliseconds of each delivery.
#[derive(Default)]
struct Times {
    local: Vec<f64>,
    healthy: Vec<f64>,
}

fn p99(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Makes subscriptions whose receivers are a burden; returns the receivers.
async fn subscribe(bed: &Bed) -> Result<Vec<Partner>, Error> {
    let mut receivers = vec![];
    for manner in RECEIVERS {
        let receiver = Partner::start(manner).await?;
        for number in 0..SUBSCRIPTIONS {
            bed.subscribe(&receiver, &format!("{manner:?}-{number}"), 0).await?;
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}

/// Starts `count` hand-overs to each partner that is a burden and waits until all are built.
async fn load(bed: &Bed, count: usize) -> Result<(), Error> {
    for number in 0..count {
        let burdens = PARTNERS[1..].iter().map(|(key, _)| hand_over(bed, key, format!("burden-{number}")));
        join_all(burdens).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    let burden =
        |lane: &&Value| PARTNERS[1..].iter().any(|(key, _)| text(lane, "lane") == format!("to:{key}"));
    let jobs = |lane: &Value| lane["waiting"].as_u64().unwrap_or(0) + lane["leased"].as_u64().unwrap_or(0);
    let wanted = (count * (PARTNERS.len() - 1)) as u64;
    until("the messages that are a burden", PAUSE * 10, async || {
        let lanes = bed.client.read("/lanes").await?;
        let built = items(&lanes, "items").iter().filter(burden).map(jobs).sum::<u64>();
        Ok((built == wanted).then_some(()))
    })
    .await
}

/// One hand-over within the gateway and one to the healthy partner, at the same time.
async fn measure(bed: &Bed, round: usize, times: &mut Times) -> Result<(), Error> {
    let (healthy, _) = PARTNERS[0];
    let begin = Instant::now();
    let local = async {
        let message = hand_over(bed, TOWN_KEY, format!("local-{round}")).await?;
        let left = async || Ok(bed.has_left(&message).await?.then(Instant::now));
        until("a delivery within the gateway", PAUSE, left).await
    };
    let outside = async {
        let message = hand_over(bed, healthy, format!("healthy-{round}")).await?;
        until("a delivery to the healthy partner", PAUSE, async || Ok(bed.partners[0].taken(&message))).await
    };
    let (local, outside) = try_join(local, outside).await?;
    times.local.push((local - begin).as_secs_f64() * 1e3);
    times.healthy.push((outside - begin).as_secs_f64() * 1e3);
    Ok(())
}

/// Opens a case file and hands it over; returns the id of the message.
async fn hand_over(bed: &Bed, to: &str, key: String) -> Result<String, Error> {
    let key = format!("{to}-{key}");
    bed.hand_over(to, &bed.open(&key).await?, &key).await
}

/// Brings messages, all at once; returns how many were accepted, and how long it took.
async fn bring(bed: &Bed, count: usize) -> (usize, Duration) {
    let sender = Sender { client: bed.client.clone() };
    let made: Vec<_> = (0..count as u64)
        .map(|seed| containers::handover(containers::seeded_id(seed, 77), seed, 4_000))
        .collect();
    let begin = Instant::now();
    let keyed = made.iter().enumerate().map(|(number, made)| (format!("at-once-{number}"), made));
    let answers = join_all(keyed.map(async |(key, made)| sender.send(&key, &made.content).await)).await;
    (answers.iter().filter(|answer| answer.is_ok()).count(), begin.elapsed())
}

async fn burden_delivered(bed: &Bed) -> Result<usize, Error> {
    let mut delivered = 0;
    for (key, _) in &PARTNERS[1..] {
        let messages = bed.client.list(&format!("/messages?partner={key}")).await?;
        let has_gone = |message: &&Value| matches!(text(message, "state"), "delivered" | "confirmed");
        delivered += messages.iter().filter(has_gone).count();
    }
    Ok(delivered)
}
