//! Message authentication codes of others' interfaces: HMAC (RFC 2104) with MD5, SHA-1, SHA-256 or SHA-512, compared without telling by time
//! how much of one is right. MD5 stands only where an interface knows nothing else; nothing is ever proved by it alone. SHA-1 is what apps
//! for one-time codes (RFC 6238) know.

use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::Result;

/// The digest of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacDigest {
    /// MD5: 16 bytes.
    Md5,
    /// SHA-1: 20 bytes.
    Sha1,
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-512: 64 bytes.
    Sha512,
}

/// The code of `message` under `key`.
///
/// # Errors
/// If OpenSSL cannot compute it, such as MD5 where the machine forbids it.
pub fn hmac(digest: MacDigest, key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let digest = match digest {
        MacDigest::Md5 => MessageDigest::md5(),
        MacDigest::Sha1 => MessageDigest::sha1(),
        MacDigest::Sha256 => MessageDigest::sha256(),
        MacDigest::Sha512 => MessageDigest::sha512(),
    };
    let mut signer = Signer::new(digest, &*PKey::hmac(key)?)?;
    signer.update(message)?;
    Ok(signer.sign_to_vec()?)
}

/// Whether two codes or tokens are the same. Takes as long for any two of the same length.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && memcmp::eq(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 section 2, test case 2; RFC 4231 section 4.3.
    #[test]
    fn codes_are_those_of_the_rfcs() {
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        let hex = |digest| hex::encode(hmac(digest, key, message).unwrap());
        assert_eq!(hex(MacDigest::Md5), "750c783e6ab0b503eaa86e310a5db738");
        let wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(MacDigest::Sha256), wanted);
    }

    #[test]
    fn only_the_same_is_the_same() {
        assert!(is_same(b"abc", b"abc") && is_same(b"", b""));
        assert!(!is_same(b"abc", b"abd") && !is_same(b"abc", b"ab"));
    }
}
