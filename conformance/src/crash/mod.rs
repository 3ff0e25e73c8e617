//! The crash campaign: a load of clients, SIGKILL at moments drawn from a seed, restart, repetition of
//! what was not answered; then everything that clients were told must be there, once and unchanged.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::future::{try_join, try_join_all};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;

use crate::Error;
use crate::client::{Client, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use crate::simulate::portal::UNIT;

mod compare;
mod load;
mod outside;
mod seen;
mod told;

use load::Caller;
use outside::Outside;
use told::Told;

/// Seeds that run at once: while one waits for a disk or a restart, the other works.
const AT_ONCE: usize = 2;

/// Longest time until everything has come to rest.
const REST: Duration = Duration::from_secs(40);

/// What to run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The gateway's binary.
    pub binary: PathBuf,
    /// Its engine.
    pub engine: Engine,
    /// First seed.
    pub from: u64,
    /// Number of seeds.
    pub seeds: u64,
    /// Destroy one acknowledged payload before comparing: each seed must then find something.
    pub forget: bool,
}

/// What a campaign came to.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Engine.
    pub engine: &'static str,
    /// Seeds that ran.
    pub seeds: u64,
    /// SIGKILLs sent.
    pub kills: u64,
    /// Answers that were held against what was seen.
    pub acknowledged: u64,
    /// Seeds that found something, with what.
    pub failures: Vec<(u64, Vec<String>)>,
    /// How long it took.
    pub seconds: u64,
}

impl Campaign {
    /// Runs all seeds. `heard` hears of each as it ends.
    pub async fn run(&self, heard: impl Fn(u64, &[String])) -> Summary {
        let begin = Instant::now();
        let mut summary = Summary { engine: self.engine.name(), ..Summary::default() };
        let seeds = stream::iter(self.from..self.from + self.seeds);
        let mut outcomes = seeds.map(async |seed| (seed, self.seed(seed).await)).buffer_unordered(AT_ONCE);
        while let Some((seed, outcome)) = outcomes.next().await {
            let outcome = outcome.unwrap_or_else(|error| Outcome {
                found: vec![format!("error: {} [{}]", error, error.code())],
                ..Outcome::default()
            });
            heard(seed, &outcome.found);
            summary.seeds += 1;
            summary.kills += outcome.kills;
            summary.acknowledged += outcome.acknowledged;
            if !outcome.found.is_empty() {
                summary.failures.push((seed, outcome.found));
            }
        }
        summary.seconds = begin.elapsed().as_secs();
        summary
    }

    async fn seed(&self, seed: u64) -> Result<Outcome, Error> {
        let mut gateway = Gateway::prepare(&self.binary, &self.engine).await?;
        let outcome = run_seed(&mut gateway, seed, self.forget).await;
        let outcome = outcome.map_err(|error| match error {
            Error::Unexpected { status: 500.., .. } => {
                Error::Start(format!("{error}: {}", gateway.last_words()))
            }
            error => error,
        });
        gateway.remove().await?;
        outcome
    }
}

#[derive(Debug, Default)]
struct Outcome {
    found: Vec<String>,
    kills: u64,
    acknowledged: u64,
}

async fn run_seed(gateway: &mut Gateway, seed: u64, forgets: bool) -> Result<Outcome, Error> {
    let clients = [
        (COUNTY, client(gateway, COUNTY, COUNTY_KEY).await?),
        (TOWN, client(gateway, TOWN, TOWN_KEY).await?),
    ];
    let outside = Outside::start(gateway, clients.len()).await?;
    let (told, done) = (RefCell::new(Told::default()), Cell::new(false));
    let callers: Vec<Caller<'_>> = clients
        .iter()
        .map(|(tenant, client)| Caller { tenant, client: client.clone(), told: &told, done: &done })
        .collect();
    // One stream of chance for each client, so that scripts do not depend on how they interleave.
    let random = |number: u64| Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number));

    gateway.start().await?;
    outside.subscribe(&clients).await?;
    let writing = try_join_all(callers.iter().enumerate().map(|(n, caller)| caller.write(random(n as u64))));
    let sending =
        try_join_all(callers.iter().enumerate().map(|(n, caller)| caller.send(random(10 + n as u64))));
    let keeping = try_join_all(callers.iter().map(Caller::keep));
    let reading = try_join_all(callers.iter().map(Caller::read));
    let work = async {
        let ((_, _), kills) =
            try_join(try_join(writing, sending), kill_at_random(gateway, random(20))).await?;
        quiet(&clients).await?;
        resend(gateway).await?;
        rest(&clients, &outside).await?;
        done.set(true);
        Ok::<u64, Error>(kills)
    };
    let (kills, _) = try_join(work, try_join(keeping, reading)).await?;

    if forgets {
        gateway.kill().await?;
        forget(&gateway.folder().join("data/payloads"))?;
        gateway.start().await?;
    }
    let told = told.into_inner();
    // Before anything is looked at: exporting evidence leaves events of its own.
    let given = outside.given(&clients);
    let seen = seen::look(gateway, &clients, &told).await?;
    let found = compare::compare(&told, &seen, &given);
    let acknowledged = told.sent.len()
        + told.records.len()
        + told.contents.len()
        + told.messages.len()
        + told.exchanges.len();
    Ok(Outcome { found, kills, acknowledged: (acknowledged + told.confirmed.len()) as u64 })
}

/// A caller with every right within its tenant.
async fn client(gateway: &Gateway, tenant: &'static str, authority: &'static str) -> Result<Client, Error> {
    let roles = &["system", "record-keeping", "auditor"];
    let rights = Rights { tenant, roles, unit: "*", service: "*", authority: Some(authority) };
    gateway.client(&gateway.token("crash", rights).await?)
}

/// Kills a few times, sometimes while the gateway is still starting. Returns how often.
async fn kill_at_random(gateway: &mut Gateway, mut random: Rng) -> Result<u64, Error> {
    let mut kills = 0;
    for _ in 0..random.u8(2..=4) {
        tokio::time::sleep(Duration::from_millis(random.u64(20..400))).await;
        gateway.kill().await?;
        kills += 1;
        while random.u8(0..4) == 0 {
            gateway.start_and_kill(Duration::from_millis(random.u64(1..150))).await?;
            kills += 1;
        }
        gateway.start().await?;
    }
    Ok(kills)
}

/// An operator tries again what was parked because it was in hand at five kills: it might have been what ended the gateway.
async fn resend(gateway: &Gateway) -> Result<(), Error> {
    for tenant in [COUNTY, TOWN] {
        let given_up = ["message", "resend", "--all", "--rule", "broker.given-up", "--json"];
        gateway.run(&[&given_up[..], &["--tenant", tenant]].concat()).await?;
    }
    Ok(())
}

/// Waits until all messages have ended. What never does is left to the comparison, which names it.
async fn quiet(clients: &[(&'static str, Client)]) -> Result<(), Error> {
    let begin = Instant::now();
    while !seen::is_quiet(clients).await? && begin.elapsed() < REST {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Waits until all messages have ended and all events are sealed.
async fn rest(clients: &[(&'static str, Client)], outside: &Outside) -> Result<(), Error> {
    quiet(clients).await?;
    for (index, (_, client)) in clients.iter().enumerate() {
        // Sealing follows the order of commits: when this last event is sealed, all before it are.
        let body = json!({ "unit": UNIT, "title": "Ende" });
        let last = client.post("/case-files", "Ende", &body).await?.expect("POST /case-files", &[201])?;
        let id = text(&last, "id");
        client.wait_for_event("record.created", id).await?;
        let events = client.events(0).await?;
        let number =
            events.iter().find(|(_, event)| text(&event["subject"], "id") == id).map(|(number, _)| *number);
        outside.wait_for(index, number.unwrap_or_default()).await;
    }
    Ok(())
}

/// Removes every payload file. A single one might be what a killed upload left, which nobody misses.
fn forget(folder: &Path) -> Result<(), Error> {
    let mut forgotten = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.metadata()?.is_dir() {
                folders.push(entry.path());
            } else {
                std::fs::remove_file(entry.path())?;
                forgotten += 1;
            }
        }
    }
    if forgotten == 0 {
        return Err(Error::Start("there is no payload file to forget".into()));
    }
    Ok(())
}
