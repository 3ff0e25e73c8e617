//! What the configuration says of XTA 2 at authorities and partners, where the gateway is the client. The broker itself reads none of
//! it: keys are loaded from the references by `config` and used by `transport`.

use serde::{Deserialize, Serialize};

use super::{CourtForm, KeyPair};

/// How an authority calls servers of XTA.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaKeys {
    /// The key pair that is shown by TLS.
    pub identity: KeyPair,
    /// Name of the authority for those servers; absent: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Scheme of that name (`type`, in version 5 `identifierScheme`).
    #[serde(default = "scheme")]
    pub scheme: String,
}

/// A version of XTA 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
pub enum XtaVersion {
    /// Web service 2.1.1.
    #[default]
    #[serde(rename = "3")]
    V3,
    /// Core 3.1.1.
    #[serde(rename = "5")]
    V5,
}

/// A server of XTA: where each of its ports is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaServer {
    /// Its version.
    #[serde(default)]
    pub version: XtaVersion,
    /// `managementPort`; in version 5 `transport.base`.
    #[serde(alias = "base")]
    pub management: String,
    /// `sendPort`; in version 5 `sender`. Needed to send.
    #[serde(default, alias = "sender", skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// `msgBoxPort`; in version 5 `recipient`. Needed to fetch.
    #[serde(default, alias = "recipient", skip_serializing_if = "Option::is_none")]
    pub message_box: Option<String>,
    /// Reference to the file of the certificates that that of the server must go back to; absent: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// Megabytes (MiB) of a container that it takes.
    #[serde(default = "container_mb")]
    pub container_mb: u64,
    /// Whether requests are packages (MTOM); otherwise contents stand in them as base64.
    #[serde(default = "yes")]
    pub mtom: bool,
}

/// How a partner is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaReach {
    /// The server that takes messages for it: that of the sender.
    pub server: XtaServer,
    /// Its name there; absent: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Scheme of that name; absent: as for the authority that sends, and none for a court.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// What messages look like.
    #[serde(default)]
    pub profile: XtaProfile,
    /// For a court: the form of messages, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court: Option<CourtForm>,
}

/// What a message to a partner looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum XtaProfile {
    /// The message as it is, one content.
    #[default]
    Plain,
    /// A submission to a court by way of a beBPo: an XJustiz message with its documents, each a content.
    Court,
}

/// How the readers of an authority answer at once (`sendMessageSync`): they fetch, and answer by a message of their own, which the
/// sender waits for; or they have a server.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaReader {
    /// Seconds that a sender waits.
    #[serde(default = "within_seconds")]
    pub within_seconds: u32,
    /// Services that are offered in no other way.
    #[serde(default)]
    pub only_synchronous: Vec<String>,
    /// Services that are not offered in this way.
    #[serde(default)]
    pub only_asynchronous: Vec<String>,
    /// Their server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<XtaReaderServer>,
}

/// A server of readers, which messages are put to: `deliverMessage` of version 5, `sendMessageSync` of version 3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaReaderServer {
    /// Its version.
    #[serde(default)]
    pub version: XtaVersion,
    /// Its address: `reader` of version 5, `sendPort` of version 3.
    pub address: String,
    /// Reference to the file of the certificates that that of the server must go back to; absent: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// Whether requests are packages (MTOM); otherwise contents stand in them as base64.
    #[serde(default = "yes")]
    pub mtom: bool,
}

/// A message box of an authority at a server of XTA, which messages are fetched from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XtaMailbox {
    /// The server.
    pub server: XtaServer,
    /// Seconds between two looks.
    #[serde(default = "every_seconds")]
    pub every_seconds: u32,
}

fn scheme() -> String {
    "xoev".to_owned()
}

fn container_mb() -> u64 {
    40
}

fn yes() -> bool {
    true
}

fn within_seconds() -> u32 {
    30
}

fn every_seconds() -> u32 {
    60
}
