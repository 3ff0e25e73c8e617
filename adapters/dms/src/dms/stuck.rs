//! Changes there that cannot be taken at the moment. The session ends and the next tries again, so many times; then the others go on
//! without it, until it changes again.

use model::Failure;
use model::adapter::Host;
use serde::{Deserialize, Serialize};

use crate::port::{Change, What};

/// Where it is kept.
const STUCK: &str = "stuck";

/// How often one change is tried: sessions that fail come at least every five minutes, so this is an hour or so.
const MOST_TRIES: u32 = 20;

/// Changes that were given up which are remembered: those that may still be told again.
const MOST_GIVEN_UP: usize = 200;

/// What could not be taken. Changes are told apart by [`one`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Stuck {
    /// What is being tried.
    trying: String,
    /// How often it was.
    times: u32,
    /// What was given up, oldest first.
    given_up: Vec<String>,
}

impl Stuck {
    pub(super) async fn load(host: &dyn Host) -> Result<Self, Failure> {
        let known = host.state(STUCK).await?;
        Ok(known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default())
    }

    /// Whether a change was given up before.
    pub(super) fn is_given_up(&self, one: &str) -> bool {
        self.given_up.iter().any(|known| known == one)
    }

    /// Notes one more try that failed. True if it was the last.
    pub(super) async fn failed(&mut self, host: &dyn Host, one: &str) -> Result<bool, Failure> {
        let times = if self.trying == one { self.times + 1 } else { 1 };
        if times >= MOST_TRIES {
            return Ok(true);
        }
        (self.trying, self.times) = (one.to_owned(), times);
        self.keep(host).await.map(|()| false)
    }

    /// Gives a change up, once it is told.
    pub(super) async fn give_up(&mut self, host: &dyn Host, one: &str) -> Result<(), Failure> {
        self.given_up.push(one.to_owned());
        let more = self.given_up.len().saturating_sub(MOST_GIVEN_UP);
        self.given_up.drain(..more);
        (self.trying, self.times) = (String::new(), 0);
        self.keep(host).await
    }

    async fn keep(&self, host: &dyn Host) -> Result<(), Failure> {
        host.set_state(STUCK, serde_json::to_value(self).unwrap_or_default()).await
    }
}

/// Stands for one change of one object: by what the system says of the change, or else by the page that tells it, which only a change log
/// has, and tells once.
pub(super) fn one(change: &Change, page: &str) -> String {
    let told = match &change.what {
        What::Changed(moment) => moment.as_deref(),
        What::Is(object) => object.token.as_deref(),
        What::Gone => None,
    };
    let parts = [change.reference.as_bytes(), b"\0", told.unwrap_or(page).as_bytes()];
    hex::encode(&seal::sha256(&parts).0[..12])
}
