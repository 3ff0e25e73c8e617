//! Puts the gateway together as it is configured: keys, store, schemas, standards, broker.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use broker::house::House;
use broker::{Broker, Parts};
use model::command::Rules;
use model::rights::Scope;
use model::{Actor, Caller, Clock, Role, SystemClock, Timestamp};
use schemas::Schemas;
use seal::evidence_key::EvidenceKey;
use seal::keys::{KeyRing, MasterKey};
use store::Store;

use config::Config;
use crate::error::Error;
use crate::registry;

/// A clock before this stands on a value that no machine had when this program was written: whatever it
/// stamps would be worthless as evidence.
const EARLIEST: Timestamp = Timestamp::from_micros(1_767_225_600_000_000); // 2026-01-01T00:00:00Z

/// An open gateway. Nothing runs yet.
pub(crate) struct Gateway {
    pub(crate) broker: Broker,
    store: Store,
}

impl Gateway {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// If the clock is wrong, a key is missing, or the store cannot be used.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let clock = Arc::new(SystemClock);
        check_clock(clock.now())?;
        let store = Store::open(store::Config {
            database: config.database()?,
            payloads: config.store.payloads.clone(),
            keys: Arc::new(master_keys(&config.store)?),
            clock: clock.clone(),
        });
        let store = store.await?;
        let schemas = Arc::new(Schemas::open(&config.store.schemas)?);
        let standards = registry::standards(&schemas, &config.limits, config.policy.allow_restricted);
        let most_bytes = config.limits.most_bytes;
        let house = Arc::new(House::new(config.tenants.clone(), registry::reads(&standards), most_bytes));
        let broker = Broker::new(Parts {
            store: store.clone(),
            standards,
            directory: house.clone(),
            house,
            clock,
            evidence_key: Arc::new(evidence_key(&config.store)?),
            rules: Rules { allow_restricted: config.policy.allow_restricted },
            limits: broker::Limits { most_bytes },
            node: config.node.clone(),
        });
        Ok(Gateway { broker, store })
    }

    /// Commits what waits and closes the store.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

/// The command line as a caller: whoever reaches the store's keys may administer a tenant. It never reads
/// content.
pub(crate) fn operator(tenant: &str) -> Caller {
    Caller {
        actor: Actor { kind: "system".to_owned(), id: "cli".to_owned() },
        roles: vec![Role::Operator, Role::Auditor, Role::Admin],
        scope: Scope::tenant(tenant),
        authority: None,
    }
}

/// The key that signs evidence.
pub(crate) fn evidence_key(store: &config::Store) -> Result<EvidenceKey, Error> {
    let path = &store.evidence_key;
    prepare(path, store.create_keys)?;
    Ok(EvidenceKey::load_or_create(path)?)
}

fn master_keys(store: &config::Store) -> Result<KeyRing, Error> {
    let current = match store.master_key.strip_prefix("file:").map(Path::new) {
        Some(path) if store.create_keys => {
            prepare(path, true)?;
            MasterKey::load_or_create(path)?
        }
        _ => MasterKey::load(&store.master_key)?,
    };
    let older = store.older_master_keys.iter().map(|reference| MasterKey::load(reference));
    Ok(KeyRing::new(current, older.collect::<Result<_, _>>()?))
}

/// Makes the folder of a key that may be created; refuses a missing key that may not.
fn prepare(key: &Path, create: bool) -> Result<(), Error> {
    if key.exists() {
        return Ok(());
    }
    if !create {
        return Err(seal::Error::KeyFile(std::io::ErrorKind::NotFound.into()).into());
    }
    if let Some(folder) = key.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(seal::Error::KeyFile)?;
    }
    Ok(())
}

fn check_clock(now: Timestamp) -> Result<(), Error> {
    if now < EARLIEST { Err(Error::Clock(now)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_refused() {
        assert_eq!(EARLIEST.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(check_clock(Timestamp::from_micros(0)).unwrap_err().code(), "cli.clock");
        assert!(check_clock(EARLIEST).is_ok());
    }
}
