//! Who calls: an account that speaks for one party.

use model::{Authority, Caller};

/// The account of a call.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name in logs and audit.
    pub id: String,
    /// The party that it speaks for in this call.
    pub party: Authority,
    /// Tenant.
    pub tenant: String,
    /// Who it is in the broker.
    pub caller: Caller,
    /// Largest container that it may send, in bytes.
    pub container_bytes: u64,
    /// Services that it may use; empty: all.
    pub services: Vec<String>,
    /// Whether it is a server of XTA that delivers messages of other authors to readers (`deliverMessage`).
    pub delivers: bool,
    /// Whether what the schemas do not allow is taken if it can be understood.
    pub lenient: bool,
}
