//! The keys of an issuer (RFC 7517): fetched when they are needed first, kept, fetched again when a token names one that is not among
//! them, but seldom, so that whoever sends made-up names has nobody called for each of them.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use net::Client;
use seal::jose::IssuerKeys;
use tokio::sync::Mutex;

use crate::person::discover;
use crate::{Error, door};

/// How long keys are kept, and how seldom they are fetched.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// Least time between two attempts.
    pub again: Duration,
    /// After this they are fetched again, so that keys which the issuer has withdrawn end.
    pub fresh: Duration,
    /// Without an answer of the issuer they end after this.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Pauses { again: Duration::from_secs(30), fresh: minutes(60), longest: minutes(24 * 60) }
    }
}

/// Where keys are.
pub(crate) enum Source {
    /// At this address.
    Url(String),
    /// Where this issuer says in its metadata.
    Issuer(String),
}

/// The keys of one issuer.
pub(crate) struct Keys {
    client: Client,
    source: Source,
    pauses: Pauses,
    held: RwLock<Option<Held>>,
    /// When they were asked for last: whoever holds it asks, and everybody else waits for the answer.
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<IssuerKeys>,
    at: Instant,
}

impl Keys {
    pub(crate) fn new(client: Client, source: Source, pauses: Pauses) -> Self {
        Keys { client, source, pauses, held: RwLock::default(), asked: Mutex::default() }
    }

    /// Keys among which the one of this name is, or any if there is no name.
    pub(crate) async fn with(&self, kid: Option<&str>) -> Result<Arc<IssuerKeys>, Error> {
        if let Some(keys) = self.known(kid, self.pauses.fresh) {
            return Ok(keys);
        }
        let mut asked = self.asked.lock().await;
        if let Some(keys) = self.known(kid, self.pauses.fresh) {
            return Ok(keys);
        }
        if asked.is_none_or(|at| at.elapsed() >= self.pauses.again) {
            *asked = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => self.hold(keys),
                Err(error) => tracing::warn!(code = error.code(), "keys of an issuer could not be fetched"),
            }
        }
        let none = if self.is_empty() { Error::Unreachable } else { Error::Signature };
        self.known(kid, self.pauses.longest).ok_or(none)
    }

    fn known(&self, kid: Option<&str>, within: Duration) -> Option<Arc<IssuerKeys>> {
        let held = self.held.read().ok()?.clone()?;
        (held.at.elapsed() < within && held.keys.knows(kid)).then_some(held.keys)
    }

    fn is_empty(&self) -> bool {
        self.held.read().is_ok_and(|held| held.is_none())
    }

    fn hold(&self, keys: IssuerKeys) {
        if let Ok(mut held) = self.held.write() {
            *held = Some(Held { keys: Arc::new(keys), at: Instant::now() });
        }
    }

    async fn fetch(&self) -> Result<IssuerKeys, Error> {
        let url = match &self.source {
            Source::Url(url) => url.clone(),
            Source::Issuer(issuer) => discover(&self.client, issuer).await?.jwks_uri,
        };
        IssuerKeys::from_json(&door::get(&self.client, &url, None).await?).map_err(|_| Error::Unreachable)
    }
}
