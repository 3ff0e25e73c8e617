//! What XTA costs: `sendMessage` over mutual TLS into a message box, beside messages that the same gateway takes in by REST,
//! and the gateway's memory with large contents.
//!
//! The gateway does nothing else (`limits.workers = 0`), as in `bench ingest`. A message box holds only so much, so each round
//! has a gateway of its own.

mod large;

use std::path::Path;

use serde::Serialize;

use super::node::{SIZE, message, sealed, sender};
use super::wire::{self, Run};
use super::{median, rounded};
use crate::Error;
use crate::gateway::{COUNTY_KEY, Engine};
use crate::xta::house::{House, Keys, MANAGEMENT, SEND, party};
use crate::xta::request::{self, Form, Message};

/// Rounds; each measures everything but memory once.
const ROUNDS: usize = 5;
/// Messages of a round with one, sixteen and sixty-four connections.
const MESSAGES: [(usize, usize); 3] = [(1, 300), (16, 1_500), (64, 3_000)];
/// Messages of a round whose content is base64, with 64 connections.
const INLINE: usize = 1_000;
/// Messages that are followed until their evidence is sealed.
const SEALED: usize = 2_000;
/// How a PDF begins.
const PDF: &[u8] = b"%PDF-1.7\n";
/// The configuration of a gateway that only takes in.
const TAKING: &str = "[limits]\nworkers = 0\n";

/// Outcome of `bench xta`: medians of the rounds. CPU is user and system time of the whole gateway.
#[derive(Debug, Clone, Serialize)]
pub struct XtaFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// Messages answered per second with 64 connections, their content in a part of its own.
    pub rps: f64,
    /// With one connection.
    pub rps_c1: f64,
    /// With 16.
    pub rps_c16: f64,
    /// With 64, the content as base64 in the envelope.
    pub rps_inline: f64,
    /// Latency that 99 of 100 kept with 64 connections, in milliseconds.
    pub p99_ms_c64: f64,
    /// CPU of the gateway up to the answer, in microseconds; with 64 connections.
    pub cpu_us_per_message: f64,
    /// The same with the content as base64.
    pub cpu_us_inline: f64,
    /// The same as the first with a gateway that does everything, until all evidence is sealed.
    pub cpu_us_sealed: f64,
    /// `rps` divided by the rate of `POST /api/v1/messages` with as many connections and bytes, in turns.
    pub vs_rest_ingest: f64,
    /// That rate.
    pub rest_rps: f64,
    /// CPU of the gateway for each of those, in microseconds.
    pub rest_cpu_us: f64,
    /// Peak of the gateway's resident memory above idle, in MB (10⁶ bytes): 1 GB in a part of its own, in and out.
    pub peak_mb_mtom: f64,
    /// In.
    pub peak_mb_mtom_in: f64,
    /// Out.
    pub peak_mb_mtom_out: f64,
    /// The same with 300 MB as base64.
    pub peak_mb_inline: f64,
    /// In.
    pub peak_mb_inline_in: f64,
    /// Out.
    pub peak_mb_inline_out: f64,
    /// Bytes of such a request with 10 KB of content.
    pub request_bytes: usize,
    /// What was measured.
    pub command: &'static str,
}

/// Measures.
///
/// # Errors
/// If the gateway refuses a message, or changes a byte.
pub async fn xta(binary: &Path, engine: &Engine) -> Result<XtaFigures, Error> {
    let keys = Keys::make(1)?;
    let mtom = large::peaks(binary, engine, &keys, Form::Mtom).await?;
    let inline = large::peaks(binary, engine, &keys, Form::Inline).await?;
    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        let house = House::start(binary, engine, &keys, TAKING).await?;
        rounds.push(round(&house).await?);
        house.gateway.remove().await?;
    }
    let cpu_us_sealed = rounded(until_sealed(binary, engine, &keys).await?);
    let of = |value: fn(&Round) -> f64| rounded(median(rounds.iter().map(value)));
    Ok(XtaFigures {
        engine: engine.name(),
        rps: of(|round| round.mtom[2].rate()),
        rps_c1: of(|round| round.mtom[0].rate()),
        rps_c16: of(|round| round.mtom[1].rate()),
        rps_inline: of(|round| round.inline.0.rate()),
        p99_ms_c64: of(|round| round.mtom[2].p99_ms()),
        cpu_us_per_message: of(|round| round.cpu),
        cpu_us_inline: of(|round| round.inline.1),
        cpu_us_sealed,
        vs_rest_ingest: of(|round| round.mtom[2].rate() / round.rest.0.rate()),
        rest_rps: of(|round| round.rest.0.rate()),
        rest_cpu_us: of(|round| round.rest.1),
        peak_mb_mtom: rounded(mtom.0.max(mtom.1)),
        peak_mb_mtom_in: rounded(mtom.0),
        peak_mb_mtom_out: rounded(mtom.1),
        peak_mb_inline: rounded(inline.0.max(inline.1)),
        peak_mb_inline_in: rounded(inline.0),
        peak_mb_inline_out: rounded(inline.1),
        request_bytes: rounds.first().map_or(0, |round| round.bytes),
        command: "POST /xta/v3/send: sendMessage with a content of 10 KB for a message box, over kept-alive mutual TLS on \
                  the loopback; message ids are issued before the clock starts. Beside it POST /api/v1/messages with as \
                  much over plain HTTP. Load generator on the same machine",
    })
}

/// One round.
struct Round {
    /// With one, sixteen and sixty-four connections.
    mtom: Vec<Run>,
    /// CPU of each of the last of them, in microseconds.
    cpu: f64,
    /// Runs with the CPU of each message.
    inline: (Run, f64),
    rest: (Run, f64),
    bytes: usize,
}

async fn round(house: &House) -> Result<Round, Error> {
    let (mut mtom, mut cpu) = (vec![], f64::NAN);
    let mut bytes = 0;
    for (connections, count) in MESSAGES {
        let requests = messages(house, count, Form::Mtom, noise).await?;
        bytes = requests.first().map_or(0, Vec::len);
        let (run, cost) = send(house, requests, connections).await?;
        mtom.push(run);
        cpu = cost;
    }
    // At once behind it: the machine is the same.
    let rest = rest(house, MESSAGES[2]).await?;
    let requests = messages(house, INLINE, Form::Inline, noise).await?;
    let inline = send(house, requests, 64).await?;
    Ok(Round { mtom, cpu, inline, rest, bytes })
}

/// A content with its name.
type Named = (String, Vec<u8>);

/// Bytes that no standard recognises. They begin like a PDF: noise alone may begin like XML, and is refused then.
fn noise() -> Named {
    let rest = (PDF.len()..SIZE).map(|_| fastrand::u8(..));
    ("plan.pdf".to_owned(), PDF.iter().copied().chain(rest).collect())
}

/// Requests with ids of their own, and contents.
async fn messages(
    house: &House,
    count: usize,
    form: Form,
    content: fn() -> Named,
) -> Result<Vec<Vec<u8>>, Error> {
    let author = party(0);
    let asked = (0..count).map(|_| request::create_message_id(MANAGEMENT, &author)).collect();
    let mut streams = house.author(0)?.connections(16).await?;
    let (_, answers) = wire::over(&mut streams, asked, 200).await?;
    let request = |(_, answer): (usize, Vec<u8>)| {
        let id = request::issued(&answer).ok_or_else(|| Error::Unverified("a message id".to_owned()))?;
        let (name, content) = content();
        let (file_name, length) = (name.as_str(), content.len() as u64);
        let message = Message { author: &author, reader: COUNTY_KEY, id: &id, file_name, length };
        Ok(request::send_message(SEND, &message, &content, form))
    };
    answers.into_iter().map(request).collect()
}

/// Sends them; returns the CPU of the gateway for each, too.
async fn send(house: &House, requests: Vec<Vec<u8>>, connections: usize) -> Result<(Run, f64), Error> {
    let count = requests.len() as f64;
    let mut streams = house.author(0)?.connections(connections).await?;
    // Both ends are through with the handshake when one request was answered on each.
    let warm = (0..connections).map(|_| request::create_message_id(MANAGEMENT, &party(0))).collect();
    wire::over(&mut streams, warm, 200).await?;
    let before = house.gateway.cpu_us()?;
    let (run, _) = wire::over(&mut streams, requests, 200).await?;
    Ok((run, (house.gateway.cpu_us()? - before) / count))
}

/// The same number of messages by REST.
async fn rest(house: &House, (connections, count): (usize, usize)) -> Result<(Run, f64), Error> {
    let token = house.gateway.token(&format!("bench-{}", fastrand::u32(..)), sender()).await?;
    let requests: Vec<_> = (0..count as u64).map(|number| message(&token, number)).collect();
    let before = house.gateway.cpu_us()?;
    let run = wire::run(&house.gateway.internal(), requests, connections, 202).await?;
    Ok((run, (house.gateway.cpu_us()? - before) / count as f64))
}

/// CPU for each message of a gateway that does everything, until all evidence is sealed.
async fn until_sealed(binary: &Path, engine: &Engine, keys: &Keys) -> Result<f64, Error> {
    let house = House::start(binary, engine, keys, "").await?;
    let requests = messages(&house, SEALED, Form::Mtom, noise).await?;
    sealed(&house.gateway).await?;
    let before = house.gateway.cpu_us()?;
    send(&house, requests, 64).await?;
    sealed(&house.gateway).await?;
    let took = house.gateway.cpu_us()? - before;
    house.gateway.remove().await?;
    Ok(took / SEALED as f64)
}
