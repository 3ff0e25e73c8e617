//! Where an authority is reached (Verzeichnisdienst).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Authority, Failure};

/// How an authority is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// The authority.
    pub authority: Authority,
    /// Its name.
    pub name: String,
    /// Transport by which it is reached.
    pub transport: Transport,
    /// Standards and versions that it reads, newest first, such as `("xdomea", "3.1.0")`.
    pub reads: Vec<(String, String)>,
    /// Largest message it takes, in bytes. Checked before anything is sent.
    pub most_bytes: u64,
    /// The only tenant that may reach it this way; absent: any.
    pub tenant: Option<String>,
}

/// Transport to an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Transport {
    /// It has a mailbox in this gateway.
    Local {
        /// Its tenant.
        tenant: String,
        /// Unit that receives what names none.
        unit: String,
    },
    /// A channel of ours carries messages to it.
    Adapter {
        /// The adapter, as configured.
        id: String,
        /// Whether the other side knows a delivery by its id, so that the same one may be sent twice.
        may_repeat: bool,
    },
    /// By OSCI-Transport, as the configuration says.
    Osci,
    /// By XTA, as the configuration says.
    Xta,
}

impl Transport {
    /// Name as in the JSON form. What lies behind it (tenant, unit) is nobody else's business.
    pub fn name(&self) -> &'static str {
        match self {
            Transport::Local { .. } => "local",
            Transport::Adapter { .. } => "adapter",
            Transport::Osci => "osci",
            Transport::Xta => "xta",
        }
    }
}

/// A directory of authorities.
#[async_trait]
pub trait Directory: Send + Sync {
    /// How `authority` is reached; `None` if it is unknown.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    async fn find(&self, authority: &Authority) -> Result<Option<Reach>, Failure>;

    /// Every authority known, for the list of partners and for pickers.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    async fn all(&self) -> Result<Vec<Reach>, Failure>;
}
