//! Whether a certificate is as strong as its time wants (BSI TR-02102-1): the length of its key, and the digest that its issuer signed.
//! What is too weak is told; whether it is refused is said where it is used.

use openssl::nid::Nid;

use super::Certificate;
use crate::Result;
use crate::algorithm::Policy;
use crate::der::{self, Reader};

/// Digests of at least 256 bits, as OpenSSL names them.
const STRONG: [Nid; 7] = [
    Nid::SHA256,
    Nid::SHA384,
    Nid::SHA512,
    Nid::SHA3_256,
    Nid::SHA3_384,
    Nid::SHA3_512,
    // Signs the bytes themselves.
    Nid::UNDEF,
];

/// id-sha256, id-sha384 and id-sha512 (RFC 4055 section 2.1), without the last arc.
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

impl Certificate {
    /// What of it is weaker than the policy takes, in the words of the trade (`RSA 2048 bit`, `SHA1`); empty if nothing is. What a
    /// certificate says of itself under its own key proves nothing, so there the digest is not looked at.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn weaknesses(&self, policy: &Policy) -> Result<Vec<String>> {
        let mut found = vec![];
        if !policy.takes_key(self.is_rsa(), self.key_bits()) {
            let kind = if self.is_rsa() { "RSA" } else { "EC" };
            found.push(format!("{kind} {} bit", self.key_bits()));
        }
        if self.subject()? != self.issuer()? {
            found.extend(self.weak_digest());
        }
        Ok(found)
    }

    /// The digest under the issuer's signature, unless it has 256 bits and no known faults.
    fn weak_digest(&self) -> Option<String> {
        let method = self.x509().signature_algorithm().object().nid();
        if method == Nid::RSASSAPSS {
            return (!self.has_strong_pss().unwrap_or(false)).then(|| "RSA-PSS, SHA1".to_owned());
        }
        let digest = method.signature_algorithms().map_or(Nid::UNDEF, |it| it.digest);
        let name = digest.short_name().unwrap_or("?");
        (!STRONG.contains(&digest)).then(|| name.to_owned())
    }

    /// Whether the parameters of RSASSA-PSS (RFC 4055 section 3.1) name a member of SHA-2; without them it is SHA-1.
    fn has_strong_pss(&self) -> Result<bool> {
        let mut certificate = Reader::new(self.der(), "certificate").enter(der::SEQUENCE)?;
        certificate.expect(der::SEQUENCE)?;
        let mut method = certificate.enter(der::SEQUENCE)?;
        method.expect(der::OID)?;
        let Some(parameters) = method.maybe(der::SEQUENCE)? else { return Ok(false) };
        let Some(hash) = Reader::new(parameters.content, "certificate").maybe(der::context(0))? else {
            return Ok(false);
        };
        let oid = Reader::new(hash.content, "certificate").enter(der::SEQUENCE)?.expect(der::OID)?.content;
        Ok(matches!(oid.strip_prefix(SHA2.as_slice()), Some([1..=3])))
    }
}
