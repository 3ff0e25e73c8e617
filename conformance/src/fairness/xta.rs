//! Whether callers and servers of XTA that stall harm others: two gateways side by side, one with both kinds of burden, the other
//! without. In turns, a healthy author sends to both, and both deliver to a healthy server.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::callers::{Callers, MANNERS, Way, pdf};
use super::servers::{Manner, Server};
use super::{PAUSE, p99};
use crate::Error;
use crate::bed::{hand_over, open, until};
use crate::bench::wire;
use crate::client::{Client, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Rights};
use crate::xta::house::{House, Keys, MANAGEMENT, SEND, party};
use crate::xta::request::{self, Form, Message};

/// Partners, by the keys of their authorities.
const PARTNERS: [(&str, Manner); 4] = [
    ("bab:00000201", Manner::Healthy),
    ("bab:00000202", Manner::Silent),
    ("bab:00000203", Manner::Stalled),
    ("bab:00000204", Manner::Dripping),
];
/// Bytes of a message.
const BYTES: usize = 10_000;
/// Messages that are taken in for each one that is delivered: they are quick, and a p99 needs many.
const TAKEN: usize = 5;
/// The author that is none of the burden.
const AUTHOR: usize = 0;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Connections that stall, of each of six manners.
    pub connections: usize,
    /// Messages to each server that is a burden.
    pub waiting: usize,
    /// Deliveries that are measured, on each gateway, with five messages that are taken in for each.
    pub rounds: usize,
    /// `limits.patience_seconds` of the gateways.
    pub patience: u64,
    /// Whether it is waited until each connection that stalls was cut off.
    pub until_cut: bool,
}

/// What was found. Times are in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// p99 of `sendMessage` from the connection to the answer, with the burden divided by without.
    pub xta_in_p99_ratio: f64,
    /// p99 of a delivery from the request to its arrival at the healthy server, in the same way.
    pub xta_out_p99_ratio: f64,
    /// p99 of `sendMessage`, with the burden.
    pub xta_in_p99_ms: f64,
    /// p99 of deliveries, with the burden.
    pub xta_out_p99_ms: f64,
    /// p99 of `sendMessage`, without the burden.
    pub quiet_xta_in_p99_ms: f64,
    /// p99 of deliveries, without the burden.
    pub quiet_xta_out_p99_ms: f64,
    /// Messages in and out that went through.
    pub xta_delivered: usize,
    /// Connections that stall.
    pub xta_callers: usize,
    /// How often they were cut off, for each manner.
    pub xta_cut: Vec<usize>,
    /// How often they were told to come again.
    pub xta_turned_away: usize,
    /// How often anything else came of them: none may.
    pub xta_strange: usize,
    /// Messages for servers that are a burden.
    pub xta_burden: usize,
    /// Of those, how many count as delivered: none may.
    pub xta_burden_delivered: usize,
    /// Files that the callers left behind: none may.
    pub xta_left: usize,
}

/// A gateway with its servers, and a client of the county that hands over.
struct Site {
    house: House,
    servers: Vec<Server>,
    client: Client,
    sent: usize,
}

impl Site {
    async fn start(binary: &Path, keys: &Keys, patience: u64) -> Result<Self, Error> {
        let mut config = format!("[limits]\npatience_seconds = {patience}\n");
        let mut servers = vec![];
        for (key, manner) in PARTNERS {
            let server = Server::start(keys, manner).await?;
            config += &server.config(key);
            servers.push(server);
        }
        let house = House::start(binary, &Engine::Sqlite, keys, &config).await?;
        let rights = Rights {
            tenant: COUNTY,
            roles: &["system"],
            unit: "*",
            service: "*",
            authority: Some(COUNTY_KEY),
        };
        let client = house.gateway.client(&house.gateway.token("fairness", rights).await?)?;
        Ok(Site { house, servers, client, sent: 0 })
    }

    /// Starts `count` hand-overs to each server that is a burden, and waits until each of these was called.
    async fn load(&self, count: usize) -> Result<(), Error> {
        for number in 0..count {
            for (key, _) in &PARTNERS[1..] {
                let name = format!("{key}-{number}");
                hand_over(&self.client, key, &open(&self.client, &name).await?, &name).await?;
            }
        }
        let are_called = || self.servers[1..].iter().all(|server| server.calls() > 0);
        until("calls of the servers that are a burden", PAUSE, async || Ok(are_called().then_some(()))).await
    }

    /// Sends a message to the gateway; returns milliseconds.
    async fn take_in(&self, content: &[u8]) -> Result<f64, Error> {
        let (author, connector) = (party(AUTHOR), self.house.author(AUTHOR)?);
        let mut stream = connector.connect().await?;
        let asked = request::create_message_id(MANAGEMENT, &author);
        let issued = request::issued(&wire::ask(&mut stream, &asked, 200).await?);
        let id = issued.ok_or_else(|| Error::Unverified("a message id".to_owned()))?;
        let (file_name, length) = ("plan.bin", content.len() as u64);
        let message = Message { author: &author, reader: COUNTY_KEY, id: &id, file_name, length };
        let sent = request::send_message(SEND, &message, content, Form::Mtom);
        let begin = Instant::now();
        let mut stream = connector.connect().await?;
        wire::ask(&mut stream, &sent, 200).await?;
        Ok(begin.elapsed().as_secs_f64() * 1e3)
    }

    /// Hands over to the healthy server; returns milliseconds.
    async fn deliver(&mut self) -> Result<f64, Error> {
        let (key, _) = PARTNERS[0];
        let name = format!("healthy-{}", self.sent);
        let file = open(&self.client, &name).await?;
        let begin = Instant::now();
        hand_over(&self.client, key, &file, &name).await?;
        let server = &self.servers[0];
        let came = until("a delivery by XTA", PAUSE, async || Ok(server.message(self.sent))).await?;
        self.sent += 1;
        Ok((came - begin).as_secs_f64() * 1e3)
    }

    /// Messages to burdens that count as delivered.
    async fn burden_delivered(&self) -> Result<usize, Error> {
        let mut delivered = 0;
        for (key, _) in &PARTNERS[1..] {
            let messages = self.client.list(&format!("/messages?partner={key}")).await?;
            delivered +=
                messages.iter().filter(|it| matches!(text(it, "state"), "delivered" | "confirmed")).count();
        }
        Ok(delivered)
    }

    /// Files of contents: whatever is up to 64 KiB stands in the database.
    fn files(&self) -> usize {
        files(&self.house.gateway.folder().join("data/payloads"))
    }
}

/// Milliseconds of each message in and out.
#[derive(Default)]
struct Times {
    taken: Vec<f64>,
    delivered: Vec<f64>,
}

/// Runs the comparison.
///
/// # Errors
/// If a gateway does not do what the standard says, or something is not delivered in time.
pub async fn run(binary: &Path, size: Size) -> Result<Figures, Error> {
    let keys = Keys::make(2)?;
    let mut quiet = Site::start(binary, &keys, size.patience).await?;
    let mut loaded = Site::start(binary, &keys, size.patience).await?;
    loaded.load(size.waiting).await?;
    let way = Way::to(&loaded.house, Duration::from_secs(size.patience)).await?;
    let before = loaded.files();
    let callers: Vec<_> =
        MANNERS.iter().map(|manner| Callers::start(&way, *manner, size.connections)).collect();
    let are_there = || callers.iter().all(|it| it.fate.stalled.load(Ordering::Relaxed) >= size.connections);
    until("callers that stall", PAUSE, async || Ok(are_there().then_some(()))).await?;

    let content = pdf(BYTES);
    let (mut without, mut with) = (Times::default(), Times::default());
    for _ in 0..size.rounds {
        for _ in 0..TAKEN {
            without.taken.push(quiet.take_in(&content).await?);
            with.taken.push(loaded.take_in(&content).await?);
        }
        without.delivered.push(quiet.deliver().await?);
        with.delivered.push(loaded.deliver().await?);
    }
    let are_cut = || callers.iter().all(|it| it.fate.cut.load(Ordering::Relaxed) >= size.connections);
    if size.until_cut {
        until("callers that are cut off", PAUSE * 10, async || Ok(are_cut().then_some(()))).await?;
    }
    let figures = figures(&loaded, &callers, [&with, &without], size).await?;
    drop(callers);
    // What was begun is removed when its connection has ended.
    let gone = async || Ok((loaded.files() <= before).then_some(()));
    let left = until("files to be removed", PAUSE * 10, gone).await;
    let xta_left = left.map_or(loaded.files() - before, |()| 0);
    quiet.house.gateway.remove().await?;
    loaded.house.gateway.remove().await?;
    Ok(Figures { xta_left, ..figures })
}

async fn figures(
    loaded: &Site,
    callers: &[Callers],
    [with, without]: [&Times; 2],
    size: Size,
) -> Result<Figures, Error> {
    let sum = |count: fn(&Callers) -> usize| callers.iter().map(count).sum();
    let all = [&with.taken, &with.delivered, &without.taken, &without.delivered];
    Ok(Figures {
        xta_in_p99_ratio: p99(&with.taken) / p99(&without.taken),
        xta_out_p99_ratio: p99(&with.delivered) / p99(&without.delivered),
        xta_in_p99_ms: p99(&with.taken),
        xta_out_p99_ms: p99(&with.delivered),
        quiet_xta_in_p99_ms: p99(&without.taken),
        quiet_xta_out_p99_ms: p99(&without.delivered),
        xta_delivered: all.iter().map(|times| times.len()).sum(),
        xta_callers: size.connections * MANNERS.len(),
        xta_cut: callers.iter().map(|it| it.fate.cut.load(Ordering::Relaxed)).collect(),
        xta_turned_away: sum(|it| it.fate.turned_away.load(Ordering::Relaxed)),
        xta_strange: sum(|it| it.fate.strange.load(Ordering::Relaxed)),
        xta_burden: size.waiting * (PARTNERS.len() - 1),
        xta_burden_delivered: loaded.burden_delivered().await?,
        xta_left: 0,
    })
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
