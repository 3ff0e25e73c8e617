//! `amtsbote backup` and `amtsbote restore`: the whole store in a folder, and a store made of it again.
//!
//! ```text
//! manifest.json         what it is made of: versions, counts, digests, the ends of all chains
//! manifest.sig          signature over it with the evidence key, as hex
//! parts.jsonl           a line for each file below, with its SHA-256; its own stands in the manifest
//! rows/<table>.jsonl    the rows of a table as they were at one moment ([`store::backup`])
//! payloads/…            files of payloads that these rows name, sealed as they are
//! schemas/… config/…    imported schema packs; the configuration
//! keys/…                with `--with-keys` only
//! ```
//! Rows come first, files after them: files are written before the rows that name them, and never change. A payload that is erased
//! meanwhile is named, and erased in what is restored.

mod files;
mod make;
mod manifest;
mod restore;
mod trial;
mod verify;

pub(crate) use make::make;
pub(crate) use restore::restore;
pub(crate) use verify::verify;
