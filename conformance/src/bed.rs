//! A gateway with simulated partners outside, which it reaches through remote adapters, and hand-overs to them and to the
//! other authority of the gateway.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Error;
use crate::client::{Client, items, text};
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use crate::simulate::partner::{Manner, Partner, SECRET};
use crate::simulate::portal::{SERVICE, UNIT};

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running gateway with its partners, and a client of the county that hands over.
pub(crate) struct Bed {
    pub(crate) gateway: Gateway,
    /// In the order in which they were asked for.
    pub(crate) partners: Vec<Partner>,
    pub(crate) client: Client,
    /// Secret of the client's token.
    pub(crate) token: String,
}

impl Bed {
    /// Starts partners of these authorities and manners, and the gateway that knows them.
    ///
    /// # Errors
    /// If one of them does not start.
    pub(crate) async fn start(
        binary: &Path,
        engine: &Engine,
        wanted: &[(&str, Manner)],
    ) -> Result<Self, Error> {
        let mut gateway = Gateway::prepare(binary, engine).await?;
        gateway.write_token("partner", SECRET)?;
        let mut partners = vec![];
        let mut config = "[egress]\nallow = [\"127.0.0.1\"]\n".to_owned();
        for (key, manner) in wanted {
            let partner = Partner::start(*manner).await?;
            config += &partner.config(&format!("{manner:?}").to_lowercase(), key, true);
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
        let token = gateway.token("bed", rights).await?;
        let client = gateway.client(&token)?;
        Ok(Bed { gateway, partners, client, token })
    }

    /// Opens a case file; returns its id.
    ///
    /// # Errors
    /// If the gateway refuses.
    pub(crate) async fn open(&self, key: &str) -> Result<String, Error> {
        open(&self.client, key).await
    }

    /// Hands a case file over; returns the id of the message.
    ///
    /// # Errors
    /// If the gateway refuses.
    pub(crate) async fn hand_over(&self, to: &str, file: &str, key: &str) -> Result<String, Error> {
        hand_over(&self.client, to, file, key).await
    }

    /// Subscribes a receiver of webhooks to everything behind event number `after`.
    ///
    /// # Errors
    /// If the gateway refuses.
    pub(crate) async fn subscribe(&self, receiver: &Partner, key: &str, after: u64) -> Result<(), Error> {
        let body = json!({ "url": format!("{}/{key}", receiver.url), "after": after });
        self.client.post("/subscriptions", key, &body).await?.expect("POST /subscriptions", &[201]).map(drop)
    }

    /// Whether a message to the other authority of the gateway is with it.
    ///
    /// # Errors
    /// If the gateway does not answer.
    pub(crate) async fn has_left(&self, message: &str) -> Result<bool, Error> {
        let message = self.client.read(&format!("/messages/{message}")).await?;
        Ok(!matches!(text(&message, "state"), "preparing" | "ready"))
    }
}

/// Opens a case file; returns its id.
///
/// # Errors
/// If the gateway refuses.
pub(crate) async fn open(client: &Client, key: &str) -> Result<String, Error> {
    let file = json!({ "unit": UNIT, "publicService": SERVICE, "title": "Abgabe (Simulator)" });
    let file = client.post("/case-files", &format!("{key}-file"), &file).await?;
    Ok(text(&file.expect("POST /case-files", &[201])?, "id").to_owned())
}

/// Hands a case file over; returns the id of the message.
///
/// # Errors
/// If the gateway refuses.
pub(crate) async fn hand_over(client: &Client, to: &str, file: &str, key: &str) -> Result<String, Error> {
    let exchange = client.post("/exchanges", key, &handover(to, file)).await?;
    let exchange = exchange.expect("POST /exchanges", &[202])?;
    let first = items(&exchange, "messages").first().cloned().unwrap_or_default();
    Ok(text(&first, "id").to_owned())
}

/// Request for a hand-over of one case file, without receipt: the way there is what counts.
pub(crate) fn handover(to: &str, file: &str) -> Value {
    json!({ "kind": "handover", "to": to, "objects": [file], "wantsReceipt": false })
}

/// Looks every `pause` until there is something.
///
/// # Errors
/// [`Error::Late`] if there is nothing for two minutes.
pub(crate) async fn until<T>(
    what: &str,
    pause: Duration,
    look: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
    }
    Err(Error::Late(what.to_owned()))
}
