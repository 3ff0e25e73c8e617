//! What apps of citizens cost: reports by Open311 into cases, and lists, single reports and services read, as they come mixed at a public
//! listener. Nine of ten calls read.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, StatusCode};
use serde::Serialize;

use super::wire::Run;
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

/// Longest time of one call.
const WITHIN: Duration = Duration::from_secs(30);

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
    /// What was measured.
    pub command: &'static str,
}

/// Measures.
///
/// # Errors
/// If the gateway does not start, or answers otherwise than it should.
pub async fn open311(binary: &Path, engine: &Engine) -> Result<OpenFigures, Error> {
    let mut gateway = Gateway::prepare(binary, engine).await?;
    let measured = measure(&mut gateway, engine).await;
    gateway.remove().await?;
    measured
}

async fn measure(gateway: &mut Gateway, engine: &Engine) -> Result<OpenFigures, Error> {
    let port = free_port();
    gateway.reconfigure(&[("[listen]", &format!("[listen]\npublic = \"127.0.0.1:{port}\""))])?;
    gateway.write_secret("app.key", "schluessel")?;
    gateway.configure(&adapter(port))?;
    gateway.start().await?;
    let http = Client::builder().timeout(WITHIN).build()?;
    let base = format!("http://127.0.0.1:{port}/open311/v2");
    let apps = Apps { http, base };
    let ids = apps.reports(BEFORE).await?;
    let (mut runs, mut cpu) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let before = gateway.cpu_us()?;
        runs.push(apps.round(round, &ids).await?);
        cpu.push((gateway.cpu_us()? - before) / CALLS as f64);
    }
    let cpu = median(cpu.into_iter());
    Ok(OpenFigures {
        engine: engine.name(),
        requests_per_minute: rounded(median(runs.iter().map(|run| run.rate() * 60.0))),
        p99_ms: rounded(median(runs.iter().map(Run::p99_ms))),
        cpu_us_per_request: rounded(cpu),
        share_of_two_cores: rounded(cpu * 10_000.0 / 120e6),
        command: "bench open311: 10,000 calls over 16 connections, of ten one POST requests, nine GET",
    })
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
            let id = ids.get(at % ids.len().max(1)).map(String::as_str).unwrap_or_default();
            let path = match at % 10 {
                at if at < OF_TEN => None,
                1 | 2 => Some("services.json".to_owned()),
                3 => Some("requests.json".to_owned()),
                4 => Some("requests.xml?service_code=001&status=open&page_size=20&page=2".to_owned()),
                _ => Some(format!("requests/{id}.json")),
            };
            match path {
                Some(path) => drop(answered(self.http.get(format!("{}/{path}", self.base))).await?),
                None => drop(self.report(BEFORE + round * CALLS + at).await?),
            }
            Ok::<_, Error>(begin.elapsed())
        });
        let latencies = calls.buffer_unordered(CONNECTIONS).try_collect().await?;
        Ok(Run::of(begin, latencies))
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
