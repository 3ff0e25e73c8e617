//! The German directory of public offices (Deutsches Verwaltungsdiensteverzeichnis, DVDV): its public reading interface v2, 2.15.0.
//!
//! | module | holds |
//! |---|---|
//! | here | looking authorities up: what is remembered, and for how long |
//! | `call` | the interface: tokens, requests, answers |
//! | `map` | what its services mean for us: ways of an entry |
//!
//! What is found is remembered in the store for some hours, what is not found as well, and both are used for some days if the
//! directory fails. The places for that are numbered, so their number is bounded: two authorities of the same number take turns.

mod call;
mod map;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use broker::Notebook;
use broker::directory::{Entry, Registry};
use broker::house::Reads;
use model::{Authority, Clock, Failure, Timestamp};
use seal::identity::Identity;
use seal::x509::Certificate;
use serde::{Deserialize, Serialize};
use serde_json::json;

use call::{Caller, Trouble};

/// Where it is remembered, under a name that no adapter and no tenant can have.
pub const PLACE: &str = "~dvdv";
/// Places for what is remembered.
const PLACES: u64 = 4_096;
/// How long the directory is left alone after it was not reached.
const PAUSE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// How the directory is asked.
pub struct Settings {
    /// Its address up to and with the entry path, such as `https://dvdv.example/dvdv2-backend/extern/standaloneauth/directory`.
    pub url: String,
    /// Where tokens are given; absent: none is needed.
    pub token_url: Option<String>,
    /// The organisation's client certificate in the directory, with an RSA key.
    pub identity: Identity,
    /// Certificates that that of the server must go back to; absent: those of the system.
    pub trust: Option<Vec<Certificate>>,
    /// How long an answer is used before the directory is asked again.
    pub cache: Duration,
    /// How long an answer is used while the directory fails.
    pub stale: Duration,
    /// The services that are looked for, the preferred one first.
    pub services: Vec<Service>,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
}

/// A service of the directory that messages are sent to.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its address (`serviceSpecificationUri`).
    pub uri: String,
    /// Public service of ours that it is; absent: any.
    pub service: Option<String>,
    /// What stands behind the address of a server of XTA for its management and its send port; absent: it is none.
    pub xta: Option<(String, String)>,
    /// Standards and versions that are read there. The directory does not say it.
    pub reads: Reads,
    /// Largest message, in bytes. The directory does not say it either.
    pub most_bytes: u64,
}

/// The directory as a client sees it.
pub struct Dvdv {
    caller: Caller,
    services: Vec<Service>,
    notebook: Notebook,
    cache: Duration,
    stale: Duration,
    clock: Arc<dyn Clock>,
    /// Not to be asked before.
    failed_until: Mutex<Option<Timestamp>>,
}

/// What is remembered of an authority.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remembered {
    authority: Authority,
    at: Timestamp,
    /// Nothing if the directory does not know it.
    entry: Option<Entry>,
    /// Which services were looked for.
    services: Vec<String>,
}

impl Dvdv {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`net::Error`] if an address is none, or the key pair cannot be shown.
    pub fn new(settings: Settings, notebook: Notebook) -> Result<Self, net::Error> {
        let (cache, stale, clock) = (settings.cache, settings.stale, Arc::clone(&settings.clock));
        let services = settings.services.clone();
        let caller = Caller::new(settings)?;
        Ok(Dvdv { caller, services, notebook, cache, stale, clock, failed_until: Mutex::default() })
    }

    async fn remembered(&self, authority: &Authority) -> Result<Option<Remembered>, Failure> {
        let found = self.notebook.read("", &place(authority)).await.map_err(|error| store(&error))?;
        let found = found.and_then(|value| serde_json::from_value::<Remembered>(value).ok());
        let services: Vec<&str> = self.services.iter().map(|service| service.uri.as_str()).collect();
        Ok(found.filter(|it| it.authority == *authority && it.services == services))
    }

    /// Asks the directory, unless it was not reached a moment ago. What it says of one authority keeps nobody from asking for others.
    async fn asked(&self, authority: &Authority) -> Result<Option<Entry>, Failure> {
        let now = self.clock.now();
        if self.failed_until().is_some_and(|end| now < end) {
            return Err(Failure::transient("dvdv.unavailable", "it failed a moment ago"));
        }
        map::entry(&self.caller, authority, &self.services, now).await.map_err(|trouble| match trouble {
            Trouble::Answer(failure) => failure,
            Trouble::Away(failure) => {
                *self.failed_until() = Some(self.clock.now().plus(PAUSE));
                failure
            }
        })
    }

    /// Never held while somebody waits.
    fn failed_until(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.failed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for Dvdv {
    async fn look_up(&self, authority: &Authority) -> Result<Option<Entry>, Failure> {
        let remembered = self.remembered(authority).await?;
        let now = self.clock.now();
        let is_younger = |it: &Remembered, than: Duration| now < it.at.plus(than) && it.at <= now.plus(HOUR);
        if let Some(it) = remembered.as_ref().filter(|it| is_younger(it, self.cache)) {
            return Ok(it.entry.clone());
        }
        match self.asked(authority).await {
            Ok(entry) => {
                let services = self.services.iter().map(|service| service.uri.clone()).collect();
                let new = Remembered { authority: authority.clone(), at: now, entry, services };
                let written = self.notebook.write("", &place(authority), &json!(new)).await;
                written.map_err(|error| store(&error))?;
                Ok(new.entry)
            }
            Err(failure) => match remembered.filter(|it| is_younger(it, self.stale)) {
                Some(it) => {
                    tracing::warn!(
                        code = failure.code.as_ref(),
                        "the DVDV failed; what is remembered is used"
                    );
                    Ok(it.entry)
                }
                None => Err(failure),
            },
        }
    }
}

/// The number of the place of an authority.
fn place(authority: &Authority) -> String {
    let digest = seal::sha256(&[authority.as_str().as_bytes()]).to_string();
    let number = digest.get(..8).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    format!("{}", number % PLACES)
}

fn store(error: &broker::Error) -> Failure {
    Failure::transient("dvdv.unavailable", error.code().to_owned())
}
