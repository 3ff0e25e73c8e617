//! What is done to the store as a whole, by whoever keeps the machine: backups, restores, a change of the master key. Each leaves an event in
//! the chain of every tenant.

use model::{Actor, EventKind};
use serde_json::{Value, json};
use store::{KeyUse, Rewrapped, Work};

use crate::{Broker, Error};

/// Which master keys what is kept needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysInUse {
    /// Those that are at hand, the one that wraps first.
    pub at_hand: Vec<String>,
    /// How many keys and secrets need each.
    pub uses: Vec<KeyUse>,
}

impl KeysInUse {
    /// How many keys and secrets need another than the one that wraps.
    pub fn outdated(&self) -> u64 {
        let others = self.uses.iter().filter(|it| Some(&it.key) != self.at_hand.first());
        others.map(|it| it.uses).sum()
    }
}

impl Broker {
    /// Leaves an event of something that was done to the whole store, in the chain of every tenant. `detail` holds ids and numbers.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn note_upkeep(&self, kind: EventKind, by: &Actor, detail: &Value) -> Result<(), Error> {
        let mut work = Work::new();
        for tenant in self.house().tenants() {
            work.insert_event(&self.audit(&tenant.id, kind, by, detail.clone()));
        }
        Ok(self.store().commit(work).await?)
    }

    /// Which master keys what is kept needs, of all tenants.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn keys_in_use(&self) -> Result<KeysInUse, Error> {
        let mut uses = self.store().key_use().await?;
        for tenant in self.house().tenants() {
            let Some(key) = self.citizen_master_key(&tenant.id).await? else { continue };
            match uses.iter_mut().find(|it| it.key == key) {
                Some(known) => known.uses += 1,
                None => uses.push(KeyUse { key, uses: 1 }),
            }
        }
        Ok(KeysInUse { at_hand: self.store().key_ids(), uses })
    }

    /// Wraps everything anew that an older master key wrapped, beside whoever works; `progress` is told how much is done. Goes on where
    /// it was interrupted. Returns how many keys and secrets were wrapped anew.
    ///
    /// # Errors
    /// `key.unknown` if something needs a key that is not at hand; what was done before stays done.
    pub async fn rewrap_keys(&self, by: &Actor, progress: impl Fn(u64)) -> Result<u64, Error> {
        let mut so_far = Rewrapped::default();
        while let Some(next) = self.store().rewrap(so_far).await? {
            so_far = next;
            progress(so_far.done);
        }
        let mut done = so_far.done;
        for tenant in self.house().tenants() {
            done += u64::from(self.rewrap_citizen_key(&tenant.id).await?);
        }
        if done > 0 {
            let key = self.store().key_ids().into_iter().next();
            self.note_upkeep(EventKind::KeysRewrapped, by, &json!({ "key": key, "count": done })).await?;
        }
        Ok(done)
    }
}
