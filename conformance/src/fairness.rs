//! Whether partners that are a burden harm others: two gateways side by side, the one with hundreds of messages waiting for
//! a stalled, a dripping and a garbling partner, the other without; the same hand-overs go through both, in turns.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use crate::client::{Client, items, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN_KEY};
use crate::simulate::containers;
use crate::simulate::partner::{Manner, Partner, SECRET};
use crate::simulate::portal::{SERVICE, UNIT};
use crate::simulate::sender::Sender;

/// Partners, by the keys of their authorities.
const PARTNERS: [(&str, Manner); 4] = [
    ("bab:00000101", Manner::Healthy),
    ("bab:00000102", Manner::Stalled),
    ("bab:00000103", Manner::Dripping),
    ("bab:00000104", Manner::Garbage),
];

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let mut quiet = Bed::start(binary).await?;
    let mut loaded = Bed::start(binary).await?;
    loaded.load(size.burden).await?;
    let (mut without, mut with) = (Times::default(), Times::default());
    for round in 0..size.rounds {
        quiet.measure(round, &mut without).await?;
        loaded.measure(round, &mut with).await?;
    }
    let (accepted, took) = loaded.bring(size.at_once).await?;
    let figures = Figures {
        local_p99_ratio: p99(&with.local) / p99(&without.local),
        healthy_p99_ratio: p99(&with.healthy) / p99(&without.healthy),
        local_p99_ms: p99(&with.local),
        healthy_p99_ms: p99(&with.healthy),
        quiet_local_p99_ms: p99(&without.local),
        quiet_healthy_p99_ms: p99(&without.healthy),
        delivered: with.local.len() + with.healthy.len() + without.local.len() + without.healthy.len(),
        burden: size.burden * (PARTNERS.len() - 1),
        burden_delivered: loaded.burden_delivered().await?,
        burden_offered: loaded.partners[1..].iter().map(Partner::count).sum(),
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

/// A gateway with its four partners.
struct Bed {
    gateway: Gateway,
    partners: Vec<Partner>,
    client: Client,
}

impl Bed {
    async fn start(binary: &Path) -> Result<Self, Error> {
        let mut gateway = Gateway::prepare(binary, &Engine::Sqlite).await?;
        gateway.write_token("partner", SECRET)?;
        let mut partners = vec![];
        let mut config = "\n[egress]\nallow = [\"127.0.0.1\"]\n".to_owned();
        for (key, manner) in PARTNERS {
            let partner = Partner::start(manner).await?;
            let id = format!("{manner:?}").to_lowercase();
            config += &format!(
                "\n[[adapter]]\nid = \"{id}\"\nkind = \"remote\"\nurl = \"{}\"\nsecret = \"file:tokens/partner\"\n\
                 within_seconds = 60\n\n[[partner]]\nauthority = \"{key}\"\nname = \"{id} (Simulator)\"\n\
                 adapter = \"{id}\"\nreads = [[\"xdomea\", \"3.1.0\"]]\nmost_bytes = 1_000_000_000\nmay_repeat = true\n",
                partner.url
            );
            partners.push(partner);
        }
        gateway.configure(&config)?;
        gateway.start().await?;
        let rights = Rights {
            tenant: COUNTY,
            roles: &["system"],
            unit: "*",
            service: "*",
            authority: Some(COUNTY_KEY),
        };
        let secret = gateway.token("fairness", rights).await?;
        let client = gateway.client(&secret)?;
        Ok(Bed { gateway, partners, client })
    }

    /// Starts `count` hand-overs to each partner that is a burden and waits until all are built.
    async fn load(&mut self, count: usize) -> Result<(), Error> {
        for number in 0..count {
            let burdens =
                PARTNERS[1..].iter().map(|(key, _)| self.hand_over(key, format!("burden-{number}")));
            join_all(burdens).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        let burden =
            |lane: &&Value| PARTNERS[1..].iter().any(|(key, _)| text(lane, "lane") == format!("to:{key}"));
        let wanted = (count * (PARTNERS.len() - 1)) as u64;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let lanes = self.client.read("/lanes").await?;
            let jobs =
                |lane: &Value| lane["waiting"].as_u64().unwrap_or(0) + lane["leased"].as_u64().unwrap_or(0);
            if items(&lanes, "items").iter().filter(burden).map(jobs).sum::<u64>() == wanted {
                return Ok(());
            }
            tokio::time::sleep(PAUSE * 10).await;
        }
        Err(Error::Late("the messages that are a burden".to_owned()))
    }

    /// One hand-over within the gateway and one to the healthy partner, at the same time.
    async fn measure(&mut self, round: usize, times: &mut Times) -> Result<(), Error> {
        let (healthy, _) = PARTNERS[0];
        let begin = Instant::now();
        let local = async {
            let message = self.hand_over(TOWN_KEY, format!("local-{round}")).await?;
            self.until("local", async || {
                let message = self.client.read(&format!("/messages/{message}")).await?;
                let waits = matches!(text(&message, "state"), "preparing" | "ready");
                Ok((!waits).then(Instant::now))
            })
            .await
        };
        let outside = async {
            let message = self.hand_over(healthy, format!("healthy-{round}")).await?;
            self.until("healthy", async || Ok(self.partners[0].taken(&message))).await
        };
        let (local, outside) = try_join(local, outside).await?;
        times.local.push((local - begin).as_secs_f64() * 1e3);
        times.healthy.push((outside - begin).as_secs_f64() * 1e3);
        Ok(())
    }

    async fn until(
        &self,
        what: &str,
        look: impl AsyncFn() -> Result<Option<Instant>, Error>,
    ) -> Result<Instant, Error> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(at) = look().await? {
                return Ok(at);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::Late(format!("a delivery: {what}")))
    }

    /// Opens a case file and hands it over; returns the id of the message.
    async fn hand_over(&self, to: &str, key: String) -> Result<String, Error> {
        let key = format!("{to}-{key}");
        let file = json!({ "unit": UNIT, "publicService": SERVICE, "title": "Abgabe (Simulator)" });
        let file = self.client.post("/case-files", &format!("{key}-file"), &file).await?;
        let file = file.expect("POST /case-files", &[201])?;
        let wanted = json!({ "kind": "handover", "to": to, "objects": [text(&file, "id")] });
        let exchange =
            self.client.post("/exchanges", &key, &wanted).await?.expect("POST /exchanges", &[202])?;
        let first = items(&exchange, "messages").first().cloned().unwrap_or_default();
        Ok(text(&first, "id").to_owned())
    }

    /// Brings messages, all at once; returns how many were accepted, and how long it took.
    async fn bring(&self, count: usize) -> Result<(usize, Duration), Error> {
        let sender = Sender { client: self.client.clone() };
        let made: Vec<_> = (0..count as u64)
            .map(|seed| containers::handover(containers::seeded_id(seed, 77), seed, 4_000))
            .collect();
        let begin = Instant::now();
        let keyed = made.iter().enumerate().map(|(number, made)| (format!("at-once-{number}"), made));
        let answers = join_all(keyed.map(async |(key, made)| sender.send(&key, &made.content).await)).await;
        let took = begin.elapsed();
        Ok((answers.iter().filter(|answer| answer.is_ok()).count(), took))
    }

    async fn burden_delivered(&self) -> Result<usize, Error> {
        let mut delivered = 0;
        for (key, _) in &PARTNERS[1..] {
            let messages = self.client.list(&format!("/messages?partner={key}")).await?;
            let has_gone = |message: &&Value| matches!(text(message, "state"), "delivered" | "confirmed");
            delivered += messages.iter().filter(has_gone).count();
        }
        Ok(delivered)
    }
}
