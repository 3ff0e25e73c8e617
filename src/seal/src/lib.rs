//! All cryptography of the gateway, over OpenSSL: what the store and the evidence need, and XML security.
//!
//! | module | holds |
//! |---|---|
//! | [`payload`] | the sealed payload format (AES-256-GCM chunks) and hashing while writing |
//! | [`keys`] | master keys, tenant keys, wrapped data keys |
//! | [`merkle`] | the Merkle tree of RFC 6962 / RFC 9162 |
//! | [`canonical`] | canonical JSON (a subset of RFC 8785) |
//! | [`chain`] | the evidence chain of a tenant: event digests, batches, heads |
//! | [`evidence_key`] | the gateway's signing key for heads and manifests |
//! | [`web_push`] | Web Push: encryption to browsers (RFC 8291) and who sends (RFC 8292) |
//! | [`webhook`] | secrets and signatures of Standard Webhooks |
//! | [`timestamp`] | time stamps of a foreign authority (RFC 3161) over heads |
//! | [`hash`] | digests of any algorithm |
//! | [`ers`] | records of evidence (RFC 4998): read, verified, made, renewed |
//! | [`algorithm`] | algorithms of XML security, and the policy on them |
//! | [`identity`] | private keys with their certificates: signing, opening content keys |
//! | [`x509`] | certificates, trust anchors, revocation |
//! | [`jose`] | JSON Web Keys, signatures and encryption, streamed |
//! | [`xmlenc`] | XML Encryption, streamed |
//! | [`xmldsig`] | XML signatures: survey, verification, reading what was covered, signing |
//! | [`cms`] | CMS of S/MIME: verifying, decrypting, signing, encrypting |
//! | [`bundle`] | the evidence bundle of a case: writer and offline verifier |
//!
//! Everything here is CPU work and blocking file access on small files; callers move long work
//! (a bundle) to a blocking thread.

pub mod algorithm;
pub mod bundle;
pub mod canonical;
pub mod chain;
pub mod cms;
mod der;
mod digest;
pub mod door;
mod error;
pub mod ers;
pub mod evidence_key;
mod gcm;
pub mod hash;
pub mod identity;
pub mod jose;
pub mod keys;
pub mod mac;
pub mod merkle;
pub mod payload;
mod raw_signature;
mod runs;
mod secret_file;
pub mod timestamp;
mod token;
pub mod web_push;
pub mod webhook;
pub mod x509;
pub mod xmldsig;
pub mod xmlenc;

pub use digest::{Digest, Sha256Writer, sha256};
pub use error::{Error, Result};
pub use token::{random_bytes, random_secret};
