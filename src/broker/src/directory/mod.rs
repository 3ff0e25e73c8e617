//! What is known of authorities beside the configuration: entries that a tenant has imported, and whatever registry the gateway
//! asks for those that nobody else knows.
//!
//! | module | holds |
//! |---|---|
//! | `entry` | an entry: the ways to an authority with addresses, certificates and limits |
//! | `document` | entries as a file |
//! | `import` | entries in the store |

mod document;
mod entry;
mod import;

use std::sync::Arc;

use async_trait::async_trait;
use model::directory::{Asked, Source, Transport, Way};
use model::{Authority, Failure};

pub use document::{Document, FORMAT, VERSION};
pub use entry::{Entry, EntryOsci, EntryWay, EntryXta};
pub use import::{Changes, Import};

use crate::{Broker, Error};

/// A directory outside of the house.
#[async_trait]
pub trait Registry: Send + Sync {
    /// What it knows of an authority.
    ///
    /// # Errors
    /// If it cannot be asked and nothing is remembered.
    async fn look_up(&self, authority: &Authority) -> Result<Option<Entry>, Failure>;
}

impl Broker {
    /// The same with a directory outside that is asked for authorities which nobody else knows. Before it is cloned.
    pub fn with_registry(self, registry: Arc<dyn Registry>) -> Self {
        Broker { registry: Some(registry), ..self }
    }

    /// What is known of an authority for a tenant beside the configuration: an imported entry, or what the registry says. The
    /// registry is only asked for authorities that the configuration does not know.
    ///
    /// # Errors
    /// If the store or the registry cannot be asked.
    pub async fn entry(&self, tenant: &str, authority: &Authority) -> Result<Option<(Source, Entry)>, Error> {
        if let Some(entry) = self.imported(tenant, authority).await? {
            return Ok(Some((Source::Imported, entry)));
        }
        let Some(registry) = self.registry.as_ref().filter(|_| !self.house().knows(authority)) else {
            return Ok(None);
        };
        let found = registry.look_up(authority).await?;
        Ok(found.map(|entry| (Source::Dvdv, entry)))
    }

    /// Ways by entries, the preferred one first. Of the house's own authorities no entry counts.
    pub(crate) async fn ways_by_entry(&self, asked: &Asked<'_>) -> Result<Vec<Way>, Error> {
        if self.house().tenant_of(asked.to).is_some() {
            return Ok(vec![]);
        }
        let Some((source, entry)) = self.entry(asked.tenant, asked.to).await? else { return Ok(vec![]) };
        Ok(entry.told(self.house(), source, asked))
    }
}

/// The transport of an entry's way.
fn transport(way: &EntryWay) -> Transport {
    if way.osci.is_some() { Transport::Osci } else { Transport::Xta }
}
