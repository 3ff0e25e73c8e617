//! What a node works with: its configuration and its schema packs. Whatever differs from what was noted of it last leaves an event in the
//! chain of every tenant. Names and digests are told and remembered, never what a key holds.

use std::collections::{BTreeMap, BTreeSet};

use model::{Actor, EventKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Work;

use crate::{Broker, Error};

/// Where it is remembered, for each tenant under the name of the node. No adapter has such ids.
const CONFIGURATION: &str = "~configuration";
const SCHEMAS: &str = "~schemas";

/// A configuration by its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationDigest {
    /// SHA-256 of the file, hex.
    pub file: String,
    /// Names of keys, such as `policy.four_eyes`, each with a digest of what it holds.
    pub keys: BTreeMap<String, String>,
}

impl ConfigurationDigest {
    /// Names of the keys that differ, or that only one of the two has.
    fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let names = self.keys.keys().chain(other.keys.keys());
        names.filter(|name| self.keys.get(*name) != other.keys.get(*name)).map(String::as_str).collect()
    }
}

/// A schema pack by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackDigest {
    /// Name under which it is kept.
    pub pack: String,
    /// Namespaces of the messages that it describes; a standard's version each.
    pub namespaces: Vec<String>,
    /// Digest of its files, hex.
    pub sha256: String,
}

impl Broker {
    /// Leaves events of what this node works with from now on, as far as it differs from what was noted of it last: `configuration.changed`
    /// with the digest of the file before and after and the names of the keys that differ, and `schemas.changed` with the packs that came
    /// and went. `packs` are in order of precedence.
    ///
    /// # Errors
    /// If the store cannot be asked or written.
    pub async fn note_works_with(
        &self,
        configuration: &ConfigurationDigest,
        packs: &[PackDigest],
    ) -> Result<(), Error> {
        for tenant in self.house().tenants() {
            let mut work = Work::new();
            let is_other = self.note_configuration(&mut work, &tenant.id, configuration).await?;
            if !self.note_packs(&mut work, &tenant.id, packs).await? && !is_other {
                continue;
            }
            // What is remembered and what is told of it are one commit: a start that is cut off tells it again or has told it.
            self.store().commit(work).await?;
            // Sealed before anybody works: the next time stamp covers it.
            if let Err(error) = self.seal(&tenant.id).await {
                tracing::error!(code = error.code(), "sealing failed");
            }
        }
        Ok(())
    }

    async fn note_configuration(
        &self,
        work: &mut Work,
        tenant: &str,
        now: &ConfigurationDigest,
    ) -> Result<bool, Error> {
        let before: Option<ConfigurationDigest> = self.noted_last(tenant, CONFIGURATION).await?;
        if before.as_ref() == Some(now) {
            return Ok(false);
        }
        let keys = before.as_ref().map(|before| before.differing(now)).unwrap_or_default();
        let from = before.as_ref().map(|before| &before.file);
        let node = &self.parts.node;
        let detail = json!({ "node": node, "from": from, "to": now.file, "keys": keys });
        work.insert_event(&self.audit(tenant, EventKind::ConfigurationChanged, &Actor::gateway(), detail));
        work.set_adapter_state(tenant, CONFIGURATION, node, &json!(now));
        Ok(true)
    }

    async fn note_packs(&self, work: &mut Work, tenant: &str, now: &[PackDigest]) -> Result<bool, Error> {
        let before: Vec<PackDigest> = self.noted_last(tenant, SCHEMAS).await?.unwrap_or_default();
        if before == now {
            return Ok(false);
        }
        let added: Vec<_> = now.iter().filter(|pack| !before.contains(pack)).collect();
        let removed: Vec<_> = before.iter().filter(|pack| !now.contains(pack)).collect();
        let precedence: Vec<_> = now.iter().map(|pack| &pack.pack).collect();
        let node = &self.parts.node;
        let detail = json!({ "node": node, "added": added, "removed": removed, "precedence": precedence });
        work.insert_event(&self.audit(tenant, EventKind::SchemasChanged, &Actor::gateway(), detail));
        work.set_adapter_state(tenant, SCHEMAS, node, &json!(now));
        Ok(true)
    }

    /// What was noted of this node last; `None` as well if it cannot be read.
    async fn noted_last<T: DeserializeOwned>(&self, tenant: &str, what: &str) -> Result<Option<T>, Error> {
        let kept: Option<Value> = self.store().adapter_state(tenant, what, &self.parts.node).await?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
    }
}
