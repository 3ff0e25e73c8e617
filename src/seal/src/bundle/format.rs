//! The records of a bundle, shared by writer and verifier.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Digest, Result,
    chain::{Entry, Salt, event_digest},
    payload::PayloadDigest,
};

/// The value of [`Manifest::format`].
pub(super) const FORMAT: &str = "amtsbote-evidence";
/// The value of [`Manifest::version`].
pub(super) const VERSION: u32 = 1;

/// The files that a bundle may hold; there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum BundleFile {
    /// `manifest.json`
    Manifest,
    /// `manifest.sig`
    Signature,
    /// `events.jsonl`
    Events,
    /// `proofs.jsonl`
    Proofs,
    /// `batches.jsonl`
    Batches,
    /// `stamps/<no>.head`
    StampedHead(u64),
    /// `stamps/<no>.tsr`
    Stamp(u64),
    /// `payloads/<uuid>.json`
    PayloadInfo(Uuid),
    /// `payloads/<uuid>.bin`
    PayloadContent(Uuid),
}

impl BundleFile {
    /// Reads an entry's name; `None` unless it is exactly one of the allowed ones.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "manifest.json" => return Some(Self::Manifest),
            "manifest.sig" => return Some(Self::Signature),
            "events.jsonl" => return Some(Self::Events),
            "proofs.jsonl" => return Some(Self::Proofs),
            "batches.jsonl" => return Some(Self::Batches),
            _ => {}
        }
        let (folder, file) = name.split_once('/')?;
        let (stem, kind) = file.split_once('.')?;
        let file = match (folder, kind) {
            ("stamps", "head") => Self::StampedHead(stem.parse().ok()?),
            ("stamps", "tsr") => Self::Stamp(stem.parse().ok()?),
            ("payloads", "json") => Self::PayloadInfo(Uuid::try_parse(stem).ok()?),
            ("payloads", "bin") => Self::PayloadContent(Uuid::try_parse(stem).ok()?),
            _ => return None,
        };
        // Numbers and UUIDs have several spellings, a file of a bundle only one.
        (file.to_string() == name).then_some(file)
    }
}

impl fmt::Display for BundleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest.json"),
            Self::Signature => f.write_str("manifest.sig"),
            Self::Events => f.write_str("events.jsonl"),
            Self::Proofs => f.write_str("proofs.jsonl"),
            Self::Batches => f.write_str("batches.jsonl"),
            Self::StampedHead(no) => write!(f, "stamps/{no}.head"),
            Self::Stamp(no) => write!(f, "stamps/{no}.tsr"),
            Self::PayloadInfo(id) => write!(f, "payloads/{id}.json"),
            Self::PayloadContent(id) => write!(f, "payloads/{id}.bin"),
        }
    }
}

impl From<BundleFile> for String {
    fn from(file: BundleFile) -> Self {
        file.to_string()
    }
}

impl TryFrom<String> for BundleFile {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name).ok_or("not the name of a file of a bundle")
    }
}

/// `manifest.json`: what the bundle must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// `amtsbote-evidence`
    pub format: String,
    /// Version of the format: 1.
    pub version: u32,
    /// The tenant's id.
    pub tenant: String,
    /// The case's id.
    pub case_id: Uuid,
    /// When the bundle was made, in microseconds since 1970-01-01 UTC.
    pub created_at_micros: i64,
    /// How many records each file holds.
    pub counts: Counts,
    /// The tenant's chain at the time of the export.
    pub chain: ChainTip,
    /// Payloads whose content, or even whose digests, could not be put in, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<Uuid, Absence>,
    /// PEM of the evidence key that signed this manifest, and the batches unless one of the older keys did.
    pub public_key: String,
    /// PEMs of the gateway's evidence keys before that one, which signed older batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_keys: Vec<String>,
    /// Every file except the manifest and its signature.
    pub files: BTreeMap<BundleFile, FileRecord>,
}

/// How many records a bundle holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Events of the case, erased ones included.
    pub events: u64,
    /// Events whose content was erased.
    pub erased: u64,
    /// Batches of the tenant.
    pub batches: u64,
    /// Time stamps over heads.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stamps: u64,
    /// Payloads by digest.
    pub payloads: u64,
    /// Payloads whose content is in the bundle.
    pub contents: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why the content of a payload is not in a bundle, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Absence {
    /// It was erased on purpose.
    Erased,
    /// The gateway could not read it any more. Its content, if there is any in the bundle, ends at the first chunk that
    /// was lost; without a digest file, the digests of the chunks are lost too.
    Lost,
}

/// The last batch of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainTip {
    /// Number of the last batch; 0 if there is none.
    pub last_batch: u64,
    /// Its head; zeros if there is none.
    pub head: Digest,
}

/// Size and digest of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of all bytes.
    pub sha256: Digest,
}

/// A line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// The event's number in the tenant's chain.
    pub number: u64,
    /// The event's id.
    pub event_id: Uuid,
    /// The event itself, or what is left of it.
    #[serde(flatten)]
    pub content: Content,
}

/// An event, or what is left of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// The event with its salt.
    Full {
        /// See [`crate::chain::Salt`].
        salt: Salt,
        /// The event as JSON object.
        event: Value,
    },
    /// The content was erased; the digest still proves that there was one.
    Erased {
        /// See [`crate::chain::event_digest`].
        digest: Digest,
    },
}

impl EventRecord {
    /// The entry in the chain that belongs to this record.
    ///
    /// # Errors
    /// [`crate::Error::NotInteger`] if the event holds a number that canonical JSON refuses.
    pub fn entry(&self) -> Result<Entry> {
        let digest = match &self.content {
            Content::Full { salt, event } => event_digest(salt, event)?,
            Content::Erased { digest } => *digest,
        };
        Ok(Entry { number: self.number, event_id: self.event_id, digest })
    }
}

/// A line of `proofs.jsonl`: where an event stands in its batch, and the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofRecord {
    /// The event's number.
    pub number: u64,
    /// The batch's number.
    pub batch: u64,
    /// Index of the event's leaf in the batch, from 0.
    pub index: u64,
    /// Audit path from the leaf up.
    pub path: Vec<Digest>,
}

/// What names a payload: in the first line of `payloads/<uuid>.json`, and in the event that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadInfo {
    /// The payload's id.
    pub id: Uuid,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
    /// Merkle root over the chunk digests.
    pub chunk_root: Digest,
}

impl PayloadInfo {
    /// Names the payload `id` with this digest.
    pub fn new(id: Uuid, digest: &PayloadDigest) -> Self {
        Self { id, sha256: digest.sha256, size: digest.size, chunk_root: digest.chunk_root }
    }
}

/// Between the members of [`PayloadInfo`] and the first chunk digest, in the place of the object's closing brace.
pub(super) const CHUNKS_OPEN: &str = ",\"chunks\":[";
/// The last line of a payload's JSON file.
pub(super) const CHUNKS_CLOSE: &str = "]}";

/// The payloads that an event names; `None` if one of them is not of the form that [`PayloadInfo`] has.
pub(super) fn payloads_of(event: &Value) -> Option<Vec<PayloadInfo>> {
    let many = match event.get("payloads") {
        None => &[],
        Some(Value::Array(many)) => many.as_slice(),
        Some(_) => return None,
    };
    event
        .get("payload")
        .into_iter()
        .chain(many)
        .map(|payload| PayloadInfo::deserialize(payload).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_a_bundle_are_read() {
        let id = Uuid::from_u128(0xabc);
        for file in [
            BundleFile::Manifest,
            BundleFile::Events,
            BundleFile::Stamp(1),
            BundleFile::StampedHead(u64::MAX),
            BundleFile::PayloadInfo(id),
            BundleFile::PayloadContent(id),
        ] {
            assert_eq!(BundleFile::parse(&file.to_string()), Some(file));
        }
        for name in [
            "",
            "Manifest.json",
            "../manifest.json",
            "/manifest.json",
            "payloads/",
            "payloads/x.bin",
            "stamps/01.tsr",
            "stamps/+1.tsr",
            "stamps/1.bin",
            "stamps/99999999999999999999.head",
            "stamps/../1.head",
            "payloads/00000000000000000000000000000abc.bin",
            "payloads/00000000-0000-0000-0000-000000000ABC.bin",
            "payloads/{00000000-0000-0000-0000-000000000abc}.bin",
            "payloads/00000000-0000-0000-0000-000000000abc.bin.json",
            "payloads/../00000000-0000-0000-0000-000000000abc.bin",
        ] {
            assert_eq!(BundleFile::parse(name), None, "{name}");
        }
    }
}
