//! Channels to the outside as they are configured: each kind with its settings and secrets, and whom it serves.

mod remote;

use std::sync::Arc;

use broker::Channel;
use config::{AdapterEntry, AdapterKind, Config};
use model::adapter::Adapter;
use model::{Clock, SystemClock};
use net::{Client, Egress};

use crate::error::Error;

/// An adapter about to be built.
struct Build<'a> {
    config: &'a Config,
    entry: &'a AdapterEntry,
    client: &'a Client,
    clock: &'a Arc<dyn Clock>,
}

/// Channels to the outside, as configured.
///
/// # Errors
/// If a secret, key or certificate cannot be read or used.
pub(crate) fn adapters(
    config: &Config,
    client: &Client,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Adapter>>, Error> {
    config.adapters.iter().map(|entry| Build { config, entry, client, clock }.adapter()).collect()
}

/// Whom each of them serves, by its id.
pub(crate) fn channels(config: &Config) -> impl Iterator<Item = (String, Channel)> {
    config.adapters.iter().filter_map(|entry| Some((entry.serves.id.clone(), entry.channel()?)))
}

/// Whether all of them could be built.
///
/// # Errors
/// As [`adapters`].
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = Client::new(Egress::new(&[])?, net::Settings::default(), Arc::clone(&clock));
    adapters(config, &client, &clock).map(drop)
}

impl Build<'_> {
    fn adapter(self) -> Result<Arc<dyn Adapter>, Error> {
        match &self.entry.kind {
            AdapterKind::Remote(it) => self.remote(it),
            _ => Err(Error::Usage("this kind of adapter is not there yet".to_owned())),
        }
    }

    /// A secret that `key` of the entry refers to.
    fn secret(&self, key: &str, reference: &str) -> Result<String, Error> {
        Ok(self.config.adapter_secret(self.entry, key, reference)?)
    }

    fn id(&self) -> String {
        self.entry.serves.id.clone()
    }
}
