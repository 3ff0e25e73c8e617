//! Entries in the store, each tenant's own. They stand among what adapters remember, under a name that no adapter can have.

use std::collections::{BTreeMap, BTreeSet};

use model::rights::Action;
use model::{Authority, Caller, EventKind};
use serde::Serialize;
use serde_json::{Value, json};
use store::Work;

use super::document::MOST_ENTRIES;
use super::{Document, Entry};
use crate::{Broker, Error};

/// Where entries stand.
const PLACE: &str = "~directory";
/// Whose signatures the certificates are, by their fingerprints.
const SIGNERS: &str = "~signers";
/// Most authorities that an event names.
const MOST_NAMED: usize = 100;

/// How a file is imported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Import {
    /// Whether entries that the file does not have are removed.
    pub replace: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// What an import changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// New entries.
    pub added: Vec<Authority>,
    /// Entries that are different now.
    pub changed: Vec<Authority>,
    /// Entries that are gone.
    pub removed: Vec<Authority>,
    /// How many entries stay as they were.
    pub unchanged: usize,
    /// Authorities of the file that the configuration knows: its entries come first, or are the only ones that count.
    pub configured: Vec<Authority>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    fn detail(&self) -> Value {
        let named = self.added.iter().chain(&self.changed).chain(&self.removed);
        json!({
            "added": self.added.len(),
            "changed": self.changed.len(),
            "removed": self.removed.len(),
            "authorities": named.take(MOST_NAMED).collect::<Vec<_>>(),
        })
    }
}

impl Broker {
    /// The entries of the caller's tenant, by authority.
    ///
    /// # Errors
    /// If the caller may not read partners.
    pub async fn directory(&self, caller: &Caller) -> Result<Vec<Entry>, Error> {
        let tenant = &caller.may(Action::ReadPartners)?.tenant;
        Ok(self.all_imported(tenant).await?.into_values().collect())
    }

    /// Imports a file of entries for the caller's tenant, in one transaction with the event that tells it.
    ///
    /// # Errors
    /// If the caller may not, or there would be too many entries.
    pub async fn import_directory(
        &self,
        caller: &Caller,
        document: Document,
        import: Import,
    ) -> Result<Changes, Error> {
        let tenant = &caller.may(Action::ManagePartners)?.tenant;
        let before = self.all_imported(tenant).await?;
        let (mut work, mut changes) = (Work::new(), Changes::default());
        let named: BTreeSet<&Authority> = document.entries.iter().map(|entry| &entry.authority).collect();
        let others: Vec<&Authority> = before.keys().filter(|key| !named.contains(key)).collect();
        let mut kept = if import.replace { 0 } else { others.len() };
        for key in others.into_iter().filter(|_| import.replace) {
            changes.removed.push(key.clone());
            work.remove_adapter_state(tenant, PLACE, key.as_str());
            forget_signers(&mut work, tenant, before.get(key));
        }
        if kept + document.entries.len() > MOST_ENTRIES {
            return Err(Error::DirectoryDocument { place: "entries".to_owned() });
        }
        for entry in document.entries {
            let key = entry.authority.clone();
            if self.house().knows(&key) {
                changes.configured.push(key.clone());
            }
            match before.get(&key) {
                Some(known) if *known == entry => {
                    kept += 1;
                    continue;
                }
                Some(_) => changes.changed.push(key.clone()),
                None => changes.added.push(key.clone()),
            }
            work.set_adapter_state(tenant, PLACE, key.as_str(), &json!(entry));
            forget_signers(&mut work, tenant, before.get(&key));
            for fingerprint in entry.signers() {
                work.set_adapter_state(tenant, SIGNERS, &fingerprint, &json!(key));
            }
        }
        changes.unchanged = kept;
        if !import.dry_run && !changes.is_empty() {
            let detail = changes.detail();
            work.insert_event(&self.audit(tenant, EventKind::DirectoryChanged, &caller.actor, detail));
            self.store().commit(work).await?;
        }
        Ok(changes)
    }

    /// Whose signatures a certificate makes by the imported entries, by its fingerprint.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn signer(&self, tenant: &str, fingerprint: &str) -> Result<Option<Authority>, Error> {
        let found = self.store().adapter_state(tenant, SIGNERS, fingerprint).await?;
        found.map(|key| serde_json::from_value(key).map_err(|_| Error::Internal)).transpose()
    }

    /// The entry of one authority.
    pub(super) async fn imported(&self, tenant: &str, authority: &Authority) -> Result<Option<Entry>, Error> {
        let found = self.store().adapter_state(tenant, PLACE, authority.as_str()).await?;
        found.map(read).transpose()
    }

    async fn all_imported(&self, tenant: &str) -> Result<BTreeMap<Authority, Entry>, Error> {
        let all = self.store().adapter_states(tenant, PLACE).await?;
        let entries = all.into_iter().map(|(_, value)| read(value));
        entries.map(|entry| entry.map(|entry| (entry.authority.clone(), entry))).collect()
    }
}

fn forget_signers(work: &mut Work, tenant: &str, entry: Option<&Entry>) {
    for fingerprint in entry.iter().flat_map(|entry| entry.signers()) {
        work.remove_adapter_state(tenant, SIGNERS, &fingerprint);
    }
}

fn read(value: Value) -> Result<Entry, Error> {
    serde_json::from_value(value).map_err(|_| Error::Internal)
}
