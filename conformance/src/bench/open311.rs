//! What apps of citizens cost: reports by Open311 into cases, and lists, single reports and services read, as they come mixed at a public
//! listener. Nine of ten calls read. First as fast as they go; then at an even pace of 10,000 a minute, messages of other authorities at theirs, and
//! both at the same time.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, StatusCode};
use serde::Serialize;

use super::node::{self, Node};
use super::wire::{self, Run};
use super::{median, rounded};
use crate::Error;
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, free_port};

/// Rounds; each is one minute's calls.
const ROUNDS: usize = 3;

/// Calls of a round, and how many of ten report.
const CALLS: usize = 10_000;
const OF_TEN: usize = 1;

/// Reports that are there before.
const BEFORE: usize = 2_000;

/// Connections.
const CONNECTIONS: usize = 16;

/// Messages of other authorities in a second: the normal load.
const MESSAGES: usize = 50;

/// Connections of apps, and of those who send messages, when both keep a pace.
const PACED_CONNECTIONS: usize = 64;
const SENDERS: usize = 16;

/// How long a pace is kept.
const MINUTE: Duration = Duration::from_secs(60);

/// Longest time of one call.
const WITHIN: Duration = Duration::from_secs(30);

impl fmt::Display for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.0} a minute, {} errors, p50 {:.1} ms, p99 {:.1} ms, {:.1} % of two cores in all",
            self.per_minute,
            self.errors,
            self.p50_ms,
            self.p99_ms,
            self.share_of_two_cores * 100.0
        )
    }
}

/// Outcome of `bench open311`: medians of three rounds.
#[derive(Debug, Clone, Serialize)]
pub struct OpenFigures {
    /// The gateway's engine.
    pub engine: &'static str,
    /// Calls that are answered in a minute, one of ten a report.
    pub requests_per_minute: f64,
    /// Latency that 99 of 100 kept, in milliseconds.
    pub p99_ms: f64,
    /// CPU of the gateway for a call, in microseconds.
    pub cpu_us_per_request: f64,
    /// What of two cores 10,000 calls in a minute would take.
    pub share_of_two_cores: f64,
    /// 10,000 calls a minute by themselves.
    pub requests_alone: Kept,
    /// 50 messages a second by themselves.
    pub messages_alone: Kept,
    /// These calls while the messages come.
    pub requests_beside: Kept,
    /// These messages while the calls come.
    pub messages_beside: Kept,
    /// Whether all calls beside the messages were answered, at their pace.
    pub holds: bool,
    /// What was measured.
    pub command: &'static str,
}

/// A minute at an even pace. Latencies count from the moment when something was due.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// What was answered as it should be, in a minute.
    pub per_minute: f64,
    /// What was answered otherwise, or not at all.
    pub errors: usize,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// Latency that 99 of 100 kept, in milliseconds.
    pub p99_ms: f64,
    /// What the gateway took of two cores, for all that came in that minute.
    pub share_of_two_cores: f64,
}

impl Kept {
    fn of(run: &Run, errors: usize, cpu_us: f64) -> Self {
        Kept {
            per_minute: rounded(run.rate() * 60.0),
            errors,
            p50_ms: rounded(run.percentile_ms(50)),
            p99_ms: rounded(run.p99_ms()),
            share_of_two_cores: rounded(cpu_us / (run.took.as_secs_f64() * 2e6)),
        }
    }
}

/// Measures.
///
/// # Errors
/// If the gateway does not start, or answers otherwise than it should.
pub async fn open311(binary: &Path, engine: &Engine) -> Result<OpenFigures, Error> {
    let gateway = Gateway::prepare(binary, engine).await?;
    let port = free_port();
    gateway.reconfigure(&[("[listen]", &format!("[listen]\npublic = \"127.0.0.1:{port}\""))])?;
    gateway.write_secret("app.key", "schluessel")?;
    gateway.configure(&adapter(port))?;
    let mut node = Node::of(gateway).await?;
    let http = Client::builder().timeout(WITHIN).build()?;
    let base = format!("http://127.0.0.1:{port}/open311/v2");
    let measured = measure(&mut node, Apps { http, base }, engine).await;
    node.gateway.remove().await?;
    measured
}

async fn measure(node: &mut Node, apps: Apps, engine: &Engine) -> Result<OpenFigures, Error> {
    let ids = apps.reports(BEFORE).await?;
    let (mut runs, mut cpu) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let before = node.gateway.cpu_us()?;
        runs.push(apps.round(round, &ids).await?);
        cpu.push((node.gateway.cpu_us()? - before) / CALLS as f64);
    }
    let cpu = median(cpu.into_iter());
    let paced = paced(node, &apps, &ids).await?;
    let is_kept = |kept: &Kept, wanted: usize| kept.errors == 0 && kept.per_minute >= 0.99 * wanted as f64;
    let holds = is_kept(&paced.requests_beside, CALLS) && is_kept(&paced.messages_beside, MESSAGES * 60);
    Ok(OpenFigures {
        engine: engine.name(),
        requests_per_minute: rounded(median(runs.iter().map(|run| run.rate() * 60.0))),
        p99_ms: rounded(median(runs.iter().map(Run::p99_ms))),
        cpu_us_per_request: rounded(cpu),
        share_of_two_cores: rounded(cpu * 10_000.0 / 120e6),
        requests_alone: paced.requests_alone,
        messages_alone: paced.messages_alone,
        requests_beside: paced.requests_beside,
        messages_beside: paced.messages_beside,
        holds,
        command: "bench open311: 10,000 calls over 16 connections, of ten one POST requests, nine GET; then 10,000 a minute \
                  over 64, 50 messages of 10 KB a second over 16, and both",
    })
}

/// Minutes at a pace.
struct Paced {
    requests_alone: Kept,
    messages_alone: Kept,
    requests_beside: Kept,
    messages_beside: Kept,
}

/// Both by themselves, and both at the same time. Between two minutes everything is delivered and sealed.
async fn paced(node: &mut Node, apps: &Apps, ids: &[String]) -> Result<Paced, Error> {
    rest(node).await?;
    let before = node.gateway.cpu_us()?;
    let (run, errors) = apps.minute(ROUNDS, ids).await;
    let requests_alone = Kept::of(&run, errors, node.gateway.cpu_us()? - before);
    rest(node).await?;
    let before = node.gateway.cpu_us()?;
    let run = messages(node).await?;
    let messages_alone = Kept::of(&run, 0, node.gateway.cpu_us()? - before);
    rest(node).await?;
    let before = node.gateway.cpu_us()?;
    let both = join(apps.minute(ROUNDS + 1, ids), messages(node)).await;
    let ((requests, errors), messages) = (both.0, both.1?);
    let cpu = node.gateway.cpu_us()? - before;
    Ok(Paced {
        requests_alone,
        messages_alone,
        requests_beside: Kept::of(&requests, errors, cpu),
        messages_beside: Kept::of(&messages, 0, cpu),
    })
}

async fn rest(node: &Node) -> Result<(), Error> {
    node.through().await?;
    node::sealed(&node.gateway).await
}

/// A minute of messages; one that is not taken in ends the measurement.
async fn messages(node: &mut Node) -> Result<Run, Error> {
    let base = node.gateway.internal();
    let count = MESSAGES * MINUTE.as_secs() as usize;
    wire::paced(&base, || node.next(), count, MINUTE.div_f64(count as f64), SENDERS).await
}

/// The server, as the county configures it.
fn adapter(port: u16) -> String {
    format!(
        r#"
[[adapter]]
id = "meldungen"
tenant = "{COUNTY}"
authority = "{COUNTY_KEY}"
unit = "63"
kind = "open311"
url = "http://127.0.0.1:{port}/open311/v2"
changeset = "2026-11-30T08:00:00Z"
publish = "at-once"
reads_per_minute = 1_000_000
  [[adapter.keys]]
  name = "app"
  secret = "file:app.key"
  per_minute = 1_000_000
  [[adapter.reports]]
  code = "001"
  name = "Schlagloch"
  service = "strassenschaden"
"#
    )
}

/// Apps of citizens.
struct Apps {
    http: Client,
    base: String,
}

impl Apps {
    /// Makes so many reports; gives their ids.
    async fn reports(&self, count: usize) -> Result<Vec<String>, Error> {
        let made = stream::iter(0..count).map(|at| self.report(at));
        made.buffer_unordered(CONNECTIONS).try_collect().await
    }

    /// A report of its own place.
    async fn report(&self, at: usize) -> Result<String, Error> {
        let form = format!(
            "api_key=schluessel&service_code=001&lat=51.{:06}&long=8.{:06}&description=Schlagloch+Nummer+{at}&\
             device_id=geraet-{at}&email=buerger%40mail.example",
            at * 7_919 % 1_000_000,
            at * 104_729 % 1_000_000
        );
        let request = self.http.post(format!("{}/requests.json", self.base)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let text = answered(request).await?;
        let id = text.split("\"service_request_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
        Ok(id.unwrap_or_default().to_owned())
    }

    async fn round(&self, round: usize, ids: &[String]) -> Result<Run, Error> {
        let begin = Instant::now();
        let calls = stream::iter(0..CALLS).map(|at| async move {
            let begin = Instant::now();
            self.call(round * CALLS + at, ids).await?;
            Ok::<_, Error>(begin.elapsed())
        });
        let latencies = calls.buffer_unordered(CONNECTIONS).try_collect().await?;
        Ok(Run::of(begin, latencies))
    }

    /// A minute's calls at an even pace, as long as a connection is free; and how many were not answered as they should be.
    async fn minute(&self, round: usize, ids: &[String]) -> (Run, usize) {
        let begin = Instant::now();
        let pause = MINUTE.div_f64(CALLS as f64);
        let calls = stream::iter(0..CALLS).map(|at| async move {
            let due = begin + pause.mul_f64(at as f64);
            tokio::time::sleep_until(due.into()).await;
            self.call(round * CALLS + at, ids).await.ok().map(|()| due.elapsed())
        });
        let answered: Vec<Option<Duration>> = calls.buffer_unordered(PACED_CONNECTIONS).collect().await;
        let latencies: Vec<Duration> = answered.into_iter().flatten().collect();
        let errors = CALLS - latencies.len();
        (Run::of(begin, latencies), errors)
    }

    /// One call of many.
    async fn call(&self, at: usize, ids: &[String]) -> Result<(), Error> {
        let id = ids.get(at % ids.len().max(1)).map(String::as_str).unwrap_or_default();
        let path = match at % 10 {
            kind if kind < OF_TEN => return self.report(BEFORE + at).await.map(drop),
            1 | 2 => "services.json".to_owned(),
            3 => "requests.json".to_owned(),
            4 => "requests.xml?service_code=001&status=open&page_size=20&page=2".to_owned(),
            _ => format!("requests/{id}.json"),
        };
        answered(self.http.get(format!("{}/{path}", self.base))).await.map(drop)
    }
}

/// The text of an answer, which must be 200.
async fn answered(request: reqwest::RequestBuilder) -> Result<String, Error> {
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    match status {
        StatusCode::OK => Ok(text),
        other => Err(Error::Unexpected {
            what: "a call of an app".to_owned(),
            status: other.as_u16(),
            code: text.chars().take(200).collect(),
        }),
    }
}
