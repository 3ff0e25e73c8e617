//! Digests by algorithm, streamed: for records of evidence and package manifests, where the other side chooses the algorithm. All else
//! in the house is SHA-256 ([`crate::sha256`]).

use std::io;

use openssl::hash::{Hasher as Inner, MessageDigest};

use crate::Result;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The names say it.
pub enum Algorithm {
    /// Only to find damage: some archives' packages demand it (BagIt of DA NRW). It proves nothing.
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

use Algorithm::{Md5, Sha1, Sha3_224, Sha3_256, Sha3_384, Sha3_512, Sha224, Sha256, Sha384, Sha512};

/// Contents of the object identifiers (RFC 5754, section 2; NIST CSOR).
const IDENTIFIERS: [(Algorithm, &[u8]); 9] = [
    (Sha1, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]),
    (Sha224, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04]),
    (Sha256, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]),
    (Sha384, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02]),
    (Sha512, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03]),
    (Sha3_224, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x07]),
    (Sha3_256, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08]),
    (Sha3_384, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x09]),
    (Sha3_512, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x0a]),
];

/// Identifiers of XML security (XML Encryption 1.1, RFC 9231).
const URIS: [(Algorithm, &str); 9] = [
    (Sha1, "http://www.w3.org/2000/09/xmldsig#sha1"),
    (Sha224, "http://www.w3.org/2001/04/xmldsig-more#sha224"),
    (Sha256, "http://www.w3.org/2001/04/xmlenc#sha256"),
    (Sha384, "http://www.w3.org/2001/04/xmldsig-more#sha384"),
    (Sha512, "http://www.w3.org/2001/04/xmlenc#sha512"),
    (Sha3_224, "http://www.w3.org/2007/05/xmldsig-more#sha3-224"),
    (Sha3_256, "http://www.w3.org/2007/05/xmldsig-more#sha3-256"),
    (Sha3_384, "http://www.w3.org/2007/05/xmldsig-more#sha3-384"),
    (Sha3_512, "http://www.w3.org/2007/05/xmldsig-more#sha3-512"),
];

/// 2016-01-01 and 2026-01-01, in microseconds since 1970.
const YEAR_2016: i64 = 1_451_606_400_000_000;
const YEAR_2026: i64 = 1_767_225_600_000_000;

impl Algorithm {
    /// The algorithm with this URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        URIS.iter().find(|(_, known)| *known == uri).map(|(it, _)| *it)
    }

    /// Its URI; empty for MD5.
    pub fn uri(self) -> &'static str {
        URIS.iter().find(|(it, _)| *it == self).map_or("", |(_, uri)| uri)
    }

    /// The algorithm whose object identifier has this content.
    pub(crate) fn from_oid(content: &[u8]) -> Option<Self> {
        IDENTIFIERS.iter().find(|(_, known)| *known == content).map(|(it, _)| *it)
    }

    /// Content of its object identifier; empty for MD5.
    pub(crate) fn oid(self) -> &'static [u8] {
        IDENTIFIERS.iter().find(|(it, _)| *it == self).map_or(&[], |(_, oid)| oid)
    }

    /// Length of a digest in bytes.
    pub fn bytes(self) -> usize {
        self.md().size()
    }

    /// Whether it still counted as evidence at that time, in microseconds since 1970: SHA-1 until 2015, SHA-224 until 2025 (the catalogue of
    /// SOG-IS and the German algorithm catalogue, as BSI TR-ESOR-ERS uses them); MD5 never.
    pub fn is_suitable_at(self, micros: i64) -> bool {
        match self {
            Md5 => false,
            Sha1 => micros < YEAR_2016,
            Sha224 | Sha3_224 => micros < YEAR_2026,
            _ => true,
        }
    }

    fn md(self) -> MessageDigest {
        match self {
            Md5 => MessageDigest::md5(),
            Sha1 => MessageDigest::sha1(),
            Sha224 => MessageDigest::sha224(),
            Sha256 => MessageDigest::sha256(),
            Sha384 => MessageDigest::sha384(),
            Sha512 => MessageDigest::sha512(),
            Sha3_224 => MessageDigest::sha3_224(),
            Sha3_256 => MessageDigest::sha3_256(),
            Sha3_384 => MessageDigest::sha3_384(),
            Sha3_512 => MessageDigest::sha3_512(),
        }
    }
}

/// Hashes what is written to it.
pub struct Hasher(Inner);

impl Hasher {
    /// Nothing written yet.
    ///
    /// # Errors
    /// If OpenSSL does not offer the algorithm.
    pub fn new(algorithm: Algorithm) -> Result<Self> {
        Ok(Hasher(Inner::new(algorithm.md())?))
    }

    /// The digest of all that was written.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        Ok(self.0.finish()?.to_vec())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest of the concatenation of `parts`.
///
/// # Errors
/// If OpenSSL does not offer the algorithm.
pub fn digest(algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>> {
    let mut hasher = Hasher::new(algorithm)?;
    for part in parts {
        hasher.0.update(part)?;
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_their_standards() {
        for (algorithm, expected) in [
            (Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (Sha3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"),
            (Sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        ] {
            let found = digest(algorithm, &[b"a", b"bc"]).unwrap();
            assert_eq!(hex::encode(&found), expected, "{algorithm:?}");
            assert_eq!(found.len(), algorithm.bytes());
        }
        for (algorithm, uri) in URIS {
            assert_eq!(Algorithm::from_uri(uri), Some(algorithm));
            assert_eq!(Algorithm::from_oid(algorithm.oid()), Some(algorithm));
        }
    }

    #[test]
    fn an_algorithm_counts_as_long_as_the_catalogue_says() {
        assert!(Sha1.is_suitable_at(YEAR_2016 - 1) && !Sha1.is_suitable_at(YEAR_2016));
        assert!(Sha224.is_suitable_at(YEAR_2026 - 1) && !Sha224.is_suitable_at(YEAR_2026));
        assert!(Sha256.is_suitable_at(i64::MAX) && !Md5.is_suitable_at(0));
    }
}
