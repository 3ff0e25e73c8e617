//! Digests of XML Signature 1.1 section 6.2 and RFC 9231 section 2.1 as a sink.

use crate::Result;
use crate::algorithm::DigestMethod;
use openssl::hash::{Hasher as OpenSslHasher, MessageDigest};
use openssl::sha::Sha256;
use std::io::{self, Write};

/// Computes the digest of what is written to it.
pub struct Hasher(Inner);

/// Nearly every digest is SHA-256, and most of what is digested is short: see [`crate::digest`].
enum Inner {
    Sha256(Sha256),
    Other(OpenSslHasher),
}

impl Hasher {
    /// Nothing written yet.
    pub fn new(method: DigestMethod) -> Result<Self> {
        Ok(Hasher(match method {
            DigestMethod::Sha256 => Inner::Sha256(Sha256::new()),
            other => Inner::Other(OpenSslHasher::new(message_digest(other))?),
        }))
    }

    /// The digest of all bytes written.
    pub fn finish(self) -> Result<Vec<u8>> {
        match self.0 {
            Inner::Sha256(hasher) => Ok(hasher.finish().to_vec()),
            Inner::Other(mut hasher) => Ok(hasher.finish()?.to_vec()),
        }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Sha256(hasher) => hasher.update(bytes),
            Inner::Other(hasher) => hasher.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn message_digest(method: DigestMethod) -> MessageDigest {
    match method {
        DigestMethod::Sha1 => MessageDigest::sha1(),
        DigestMethod::Sha256 => MessageDigest::sha256(),
        DigestMethod::Sha384 => MessageDigest::sha384(),
        DigestMethod::Sha512 => MessageDigest::sha512(),
        DigestMethod::Sha3_256 => MessageDigest::sha3_256(),
        DigestMethod::Sha3_384 => MessageDigest::sha3_384(),
        DigestMethod::Sha3_512 => MessageDigest::sha3_512(),
    }
}
