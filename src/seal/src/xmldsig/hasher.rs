//! Digests of XML Signature 1.1 section 6.2 and RFC 9231 section 2.1 as a sink.

use crate::Result;
use crate::algorithm::DigestMethod;
use openssl::hash::{Hasher as OpenSslHasher, MessageDigest};
use std::io::{self, Write};

/// Computes the digest of what is written to it.
pub struct Hasher(OpenSslHasher);

impl Hasher {
    /// Nothing written yet.
    pub fn new(method: DigestMethod) -> Result<Self> {
        Ok(Hasher(OpenSslHasher::new(message_digest(method))?))
    }

    /// The digest of all bytes written.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        Ok(self.0.finish()?.to_vec())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
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
