//! The evidence bundle of a case: what an auditor verifies without the database and without us.
//!
//! A ZIP whose entries are stored, not compressed:
//!
//! | entry | holds |
//! |---|---|
//! | `events.jsonl` | an [`EventRecord`] per event of the case, by ascending number |
//! | `proofs.jsonl` | a [`ProofRecord`] per event, in the same order |
//! | `batches.jsonl` | a [`SignedBatch`] per batch of the tenant, from 1 to the last |
//! | `stamps/<no>.head` | the 32 bytes of the head of batch `<no>`, which are what its time stamp stamps |
//! | `stamps/<no>.tsr` | the time stamp over them as the authority sent it (RFC 3161 TimeStampResp, DER) |
//! | `payloads/<uuid>.json` | a payload's size and digests, see below |
//! | `payloads/<uuid>.bin` | the payload's content, optional |
//! | `manifest.json` | the [`Manifest`]: what the bundle must hold, and the digest of every file above |
//! | `manifest.sig` | DER signature of the evidence key over the bytes of `manifest.json` |
//!
//! Every line of a `.jsonl` file is canonical JSON (see [`crate::canonical`]) and ends with a line feed, so that no
//! byte of it can change unseen. A payload's JSON file is one object, laid out so that it can be read line by line: a
//! first line with `chunkRoot`, `id`, `sha256`, `size` and the beginning of `chunks`, then one chunk digest a line.
//!
//! An event names its payloads under the key `payload` (one object) or `payloads` (an array of them), each with `id`,
//! `sha256`, `size`, `chunkRoot`, and whatever else the event wants to say about it. A payload that no event names is
//! refused by the verifier: nothing but the exporter's word would vouch for it.
//!
//! A stamp over a head proves everything that the chain holds up to it, so a bundle has, for each batch with an event of
//! the case, the first stamp at or behind it. `docs/evidence.md` describes the format for whoever writes another verifier.

mod archive;
mod format;
mod lines;
mod report;
mod verify;
mod writer;

pub use crate::chain::SignedBatch;
pub use format::{
    Absence, BundleFile, ChainTip, Content, Counts, EventRecord, FileRecord, Manifest, PayloadInfo,
    ProofRecord,
};
pub use report::{Finding, Place, Report, Stamped};
pub use verify::{Progress, Trust, verify, verify_with};
pub use writer::{BundleWriter, ContentWriter};

/// The longest line of a `.jsonl` file in bytes, line feed included.
pub const MAX_LINE: usize = 1024 * 1024;
/// The most entries of a bundle.
pub const MAX_ENTRIES: u64 = 100_000;
/// The longest manifest in bytes.
pub const MAX_MANIFEST: u64 = 16 * 1024 * 1024;
/// The longest signature in bytes; a DER signature over P-256 has at most 72.
const MAX_SIGNATURE: u64 = 128;
