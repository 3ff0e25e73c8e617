//! `amtsbote selftest`: whether this build works on this machine. It needs no configuration and no network but the loopback, and leaves
//! nothing: everything lies in temporary folders, with keys of its own. A check that fails is named with its code, and the others are made
//! all the same.
//!
//! | module | holds |
//! |---|---|
//! | `house` | one gateway within this process: sealed content, an e-file from one authority to another, evidence |
//! | `samples` | messages of our own of other standards, good and broken |
//! | `signatures` | signatures, encryption and time stamps, right and wrong |
//! | `demo::rounds` | one round through every channel, between gateways that are processes of this program |

mod house;
mod samples;
mod signatures;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use schemas::Schemas;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::error::Error;

/// Code of a check whose outcome is not the one that it has to be.
const WRONG: &str = "cli.selftest";

/// A check that was made.
struct Check {
    name: &'static str,
    /// Stable code and detail of what went wrong, if anything did.
    failed: Option<(String, String)>,
    took: Duration,
}

impl Check {
    /// What a check says of itself, or what kept it from being made.
    fn of(name: &'static str, outcome: Result<bool, Error>, took: Duration) -> Self {
        let failed = match outcome {
            Ok(true) => None,
            Ok(false) => Some((WRONG.to_owned(), String::new())),
            Err(error) => Some((error.code().to_owned(), error.to_string())),
        };
        Check { name, failed, took }
    }
}

/// All checks so far.
struct Report {
    as_json: bool,
    checks: Vec<Check>,
    /// When the check that is under way began.
    since: Instant,
}

impl Report {
    fn begin(as_json: bool) -> Self {
        Report { as_json, checks: vec![], since: Instant::now() }
    }

    /// Notes whether a check holds that was made since the last one.
    fn note(&mut self, name: &'static str, holds: bool) {
        self.told(Check::of(name, Ok(holds), self.since.elapsed()));
    }

    /// Notes what kept a check from being made.
    fn broke(&mut self, name: &'static str, error: Error) {
        self.told(Check::of(name, Err(error), self.since.elapsed()));
    }

    fn told(&mut self, check: Check) {
        if !self.as_json {
            let seconds = check.took.as_secs_f32();
            output::line(&match &check.failed {
                None => format!("ok      {} ({seconds:.2} s)", check.name),
                Some((code, detail)) => format!("failed  {}: {code} {detail}", check.name),
            });
        }
        self.checks.push(check);
        self.since = Instant::now();
    }

    fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| check.failed.is_some())
    }

    fn to_json(&self) -> Value {
        let one = |check: &Check| {
            let (code, detail) = check.failed.clone().unzip();
            let seconds = check.took.as_secs_f32();
            json!({ "name": check.name, "ok": code.is_none(), "code": code, "detail": detail, "seconds": seconds })
        };
        json!(self.checks.iter().map(one).collect::<Vec<_>>())
    }
}

/// Runs all checks.
///
/// # Errors
/// If no temporary folder is to be had, or a check failed; then all of them are told before.
pub(crate) async fn run(as_json: bool) -> Result<ExitCode, Error> {
    let begin = Instant::now();
    let mut report = Report::begin(as_json);
    // The channels wait for each other most of the time; the other checks are made meanwhile.
    let (rounds, ()) = tokio::join!(demo::rounds(), own(&mut report));
    for round in rounds {
        let failed = round.failed.map(|(code, detail)| (code.to_owned(), detail));
        report.told(Check { name: round.name, failed, took: round.took });
    }
    let (ok, seconds) = (!report.has_failed(), begin.elapsed().as_secs_f32());
    output::line(&match as_json {
        true => json!({ "ok": ok, "checks": report.to_json(), "seconds": seconds }).to_string(),
        false => format!("{} checks in {seconds:.1} s", report.checks.len()),
    });
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What this process checks by itself.
async fn own(report: &mut Report) {
    let compile = spawn_blocking(|| Schemas::new().check_all().is_empty());
    report.note("schemas compile", compile.await.unwrap_or(false));
    for group in [signatures::run, samples::run] {
        match spawn_blocking(group).await {
            Ok(checks) => checks.into_iter().for_each(|check| report.told(check)),
            Err(_) => report.note("the checks are made to their end", false),
        }
    }
    house::run(report).await;
}
