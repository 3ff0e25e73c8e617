//! What clients were told. Only an answer that arrived counts: whatever broke off on its way is
//! unknown to the client, and nothing is claimed about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Everything that the clients of one seed were told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Records that exist.
    pub(super) records: Vec<ToldRecord>,
    /// Files of documents.
    pub(super) contents: Vec<ToldContent>,
    /// Messages that were taken in.
    pub(super) messages: Vec<ToldMessage>,
    /// Hand-overs that were taken on.
    pub(super) exchanges: Vec<ToldExchange>,
    /// Hand-overs to authorities outside that were taken on.
    pub(super) sent: Vec<ToldSent>,
    /// Processes whose import results were recorded.
    pub(super) reported: BTreeSet<String>,
    /// Entries of mailboxes that were confirmed: tenant and message.
    pub(super) confirmed: Vec<(&'static str, String)>,
    /// Events as they were read, by tenant and number.
    pub(super) events: BTreeMap<(&'static str, u64), Value>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldRecord {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// Part of the path, such as `case-files`.
    pub(super) route: &'static str,
    /// Identifier.
    pub(super) id: String,
    /// Its title, unique within the tenant.
    pub(super) title: String,
    /// Version that was told last.
    pub(super) version: u64,
}

/// A file of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldContent {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// The document.
    pub(super) document: String,
    /// SHA-256 of its only file.
    pub(super) sha256: String,
}

/// A raw message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldMessage {
    /// Tenant.
    pub(super) tenant: &'static str,
    /// Identifier.
    pub(super) id: String,
    /// SHA-256 of its bytes.
    pub(super) sha256: String,
}

/// A hand-over to the other authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldExchange {
    /// The sender's tenant.
    pub(super) tenant: &'static str,
    /// The sender's record of it.
    pub(super) id: String,
    /// ProzessID.
    pub(super) process_id: String,
}

/// A message to an authority outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldSent {
    /// The sender's tenant.
    pub(super) tenant: &'static str,
    /// Identifier of the message.
    pub(super) message: String,
    /// Whether the authority can be given it again.
    pub(super) may_repeat: bool,
}
