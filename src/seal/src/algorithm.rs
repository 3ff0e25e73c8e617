//! The algorithms of XML Signature and XML Encryption by their identifiers, and the dated policy on
//! which of them may be used for what (after BSI TR-02102-1 and TR-03116; OSCI-Transport 1.2 with its
//! corrigenda names the same ones).
//!
//! Two questions are asked of the policy: may we *make* with an algorithm (sign, encrypt), and may we
//! *take* what others made with it (verify, decrypt). Nothing weak is ever made. Weak things are taken
//! only where the entry of a partner says so ([`Policy::with_legacy`]).

use openssl::md::{Md, MdRef};

use crate::{Error, Result};

/// Digest methods (XML Signature 1.1 section 6.2, RFC 9231 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum DigestMethod {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

/// Families of signature algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    RsaPkcs1,
    /// RSASSA-PSS with MGF1 over the same digest and a salt of the digest's length (RFC 9231 section 2.3.10).
    RsaPss,
    /// ECDSA; the value is r and s, one behind the other, of the curve's length (RFC 9231 section 2.3.6).
    Ecdsa,
}

/// A signature method: scheme and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureMethod {
    /// The scheme.
    pub scheme: Scheme,
    /// The digest that is signed.
    pub digest: DigestMethod,
}

/// Ciphers for content (XML Encryption 1.1 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum BlockCipher {
    Aes128Gcm,
    Aes192Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
    TripleDesCbc,
}

/// Ways to transport a content key (XML Encryption 1.1 section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyTransport {
    /// RSAES-OAEP with any digest and MGF1 over any digest (`xmlenc11#rsa-oaep`).
    RsaOaep,
    /// RSAES-OAEP with MGF1 over SHA-1 (`xmlenc#rsa-oaep-mgf1p`).
    RsaOaepMgf1p,
    /// RSAES-PKCS1-v1_5.
    Rsa15,
}

const DIGESTS: [(DigestMethod, &str); 7] = [
    (DigestMethod::Sha1, "http://www.w3.org/2000/09/xmldsig#sha1"),
    (DigestMethod::Sha256, "http://www.w3.org/2001/04/xmlenc#sha256"),
    (DigestMethod::Sha384, "http://www.w3.org/2001/04/xmldsig-more#sha384"),
    (DigestMethod::Sha512, "http://www.w3.org/2001/04/xmlenc#sha512"),
    (DigestMethod::Sha3_256, "http://www.w3.org/2007/05/xmldsig-more#sha3-256"),
    (DigestMethod::Sha3_384, "http://www.w3.org/2007/05/xmldsig-more#sha3-384"),
    (DigestMethod::Sha3_512, "http://www.w3.org/2007/05/xmldsig-more#sha3-512"),
];

const SIGNATURES: [(Scheme, DigestMethod, &str); 15] = [
    (Scheme::RsaPkcs1, DigestMethod::Sha1, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
    (Scheme::RsaPkcs1, DigestMethod::Sha256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
    (Scheme::RsaPkcs1, DigestMethod::Sha384, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"),
    (Scheme::RsaPkcs1, DigestMethod::Sha512, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
    (Scheme::RsaPss, DigestMethod::Sha256, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
    (Scheme::RsaPss, DigestMethod::Sha384, "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"),
    (Scheme::RsaPss, DigestMethod::Sha512, "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"),
    (Scheme::RsaPss, DigestMethod::Sha3_256, "http://www.w3.org/2007/05/xmldsig-more#sha3-256-rsa-MGF1"),
    (Scheme::RsaPss, DigestMethod::Sha3_384, "http://www.w3.org/2007/05/xmldsig-more#sha3-384-rsa-MGF1"),
    (Scheme::RsaPss, DigestMethod::Sha3_512, "http://www.w3.org/2007/05/xmldsig-more#sha3-512-rsa-MGF1"),
    (Scheme::Ecdsa, DigestMethod::Sha256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
    (Scheme::Ecdsa, DigestMethod::Sha384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"),
    (Scheme::Ecdsa, DigestMethod::Sha512, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"),
    (Scheme::Ecdsa, DigestMethod::Sha1, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
    (Scheme::RsaPss, DigestMethod::Sha1, "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1"),
];

const CIPHERS: [(BlockCipher, &str); 7] = [
    (BlockCipher::Aes128Gcm, "http://www.w3.org/2009/xmlenc11#aes128-gcm"),
    (BlockCipher::Aes192Gcm, "http://www.w3.org/2009/xmlenc11#aes192-gcm"),
    (BlockCipher::Aes256Gcm, "http://www.w3.org/2009/xmlenc11#aes256-gcm"),
    (BlockCipher::Aes128Cbc, "http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
    (BlockCipher::Aes192Cbc, "http://www.w3.org/2001/04/xmlenc#aes192-cbc"),
    (BlockCipher::Aes256Cbc, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
    (BlockCipher::TripleDesCbc, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
];

const TRANSPORTS: [(KeyTransport, &str); 3] = [
    (KeyTransport::RsaOaep, "http://www.w3.org/2009/xmlenc11#rsa-oaep"),
    (KeyTransport::RsaOaepMgf1p, "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"),
    (KeyTransport::Rsa15, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
];

impl DigestMethod {
    /// The method with this identifier.
    pub fn from_uri(uri: &str) -> Result<Self> {
        DIGESTS.iter().find(|(_, known)| *known == uri).map(|(it, _)| *it).ok_or(Error::AlgorithmUnknown)
    }

    /// The identifier.
    pub fn uri(self) -> &'static str {
        DIGESTS.iter().find(|(it, _)| *it == self).map_or("", |(_, uri)| uri)
    }

    /// Length of the digest in bytes.
    pub fn bytes(self) -> usize {
        match self {
            DigestMethod::Sha1 => 20,
            DigestMethod::Sha256 | DigestMethod::Sha3_256 => 32,
            DigestMethod::Sha384 | DigestMethod::Sha3_384 => 48,
            DigestMethod::Sha512 | DigestMethod::Sha3_512 => 64,
        }
    }

    /// The method as OpenSSL knows it.
    pub(crate) fn md(self) -> &'static MdRef {
        match self {
            DigestMethod::Sha1 => Md::sha1(),
            DigestMethod::Sha256 => Md::sha256(),
            DigestMethod::Sha384 => Md::sha384(),
            DigestMethod::Sha512 => Md::sha512(),
            DigestMethod::Sha3_256 => Md::sha3_256(),
            DigestMethod::Sha3_384 => Md::sha3_384(),
            DigestMethod::Sha3_512 => Md::sha3_512(),
        }
    }
}

impl SignatureMethod {
    /// The method with this identifier.
    pub fn from_uri(uri: &str) -> Result<Self> {
        let found = SIGNATURES.iter().find(|(_, _, known)| *known == uri);
        found.map(|&(scheme, digest, _)| SignatureMethod { scheme, digest }).ok_or(Error::AlgorithmUnknown)
    }

    /// The identifier; `None` if there is none for this pair.
    pub fn uri(self) -> Option<&'static str> {
        let same = |(scheme, digest, _): &&(_, _, _)| *scheme == self.scheme && *digest == self.digest;
        SIGNATURES.iter().find(same).map(|(_, _, uri)| *uri)
    }
}

impl BlockCipher {
    /// The cipher with this identifier.
    pub fn from_uri(uri: &str) -> Result<Self> {
        CIPHERS.iter().find(|(_, known)| *known == uri).map(|(it, _)| *it).ok_or(Error::AlgorithmUnknown)
    }

    /// The identifier.
    pub fn uri(self) -> &'static str {
        CIPHERS.iter().find(|(it, _)| *it == self).map_or("", |(_, uri)| uri)
    }

    /// Length of the key in bytes.
    pub fn key_bytes(self) -> usize {
        match self {
            BlockCipher::Aes128Gcm | BlockCipher::Aes128Cbc => 16,
            BlockCipher::Aes192Gcm | BlockCipher::Aes192Cbc | BlockCipher::TripleDesCbc => 24,
            BlockCipher::Aes256Gcm | BlockCipher::Aes256Cbc => 32,
        }
    }

    /// Length of a block in bytes, which is also the length of the IV in CBC mode.
    pub fn block_bytes(self) -> usize {
        if self == BlockCipher::TripleDesCbc { 8 } else { 16 }
    }

    /// Whether a tag proves that the plaintext is whole.
    pub fn is_authenticated(self) -> bool {
        matches!(self, BlockCipher::Aes128Gcm | BlockCipher::Aes192Gcm | BlockCipher::Aes256Gcm)
    }
}

impl KeyTransport {
    /// The way with this identifier.
    pub fn from_uri(uri: &str) -> Result<Self> {
        TRANSPORTS.iter().find(|(_, known)| *known == uri).map(|(it, _)| *it).ok_or(Error::AlgorithmUnknown)
    }

    /// The identifier.
    pub fn uri(self) -> &'static str {
        TRANSPORTS.iter().find(|(it, _)| *it == self).map_or("", |(_, uri)| uri)
    }
}

/// What may be used. The default takes and makes what TR-02102-1 recommends, and takes RSASSA-PKCS1-v1_5 and
/// AES-CBC, which the field still sends; it makes neither SHA-1 nor CBC nor RSA-1_5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    legacy: bool,
    rsa_bits: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { legacy: false, rsa_bits: RSA_BITS }
    }
}

/// Least length of an RSA key, in bits (TR-02102-1: 3000 from 2024 on; the field's keys have 3072).
const RSA_BITS: u32 = 3000;
/// The same for a partner that is allowed weak algorithms.
const RSA_BITS_LEGACY: u32 = 2000;
/// Least length of the order of a curve, in bits.
const CURVE_BITS: u32 = 250;

impl Policy {
    /// This policy, which takes SHA-1 signatures, 3DES and RSA-1_5, too: for one partner that cannot do better.
    pub fn with_legacy(self) -> Self {
        Policy { legacy: true, rsa_bits: RSA_BITS_LEGACY }
    }

    /// Refuses a digest that must not be taken.
    pub fn take_digest(&self, method: DigestMethod) -> Result<()> {
        self.permit(method != DigestMethod::Sha1 || self.legacy)
    }

    /// Refuses a signature that must not be taken, by its method and the length of its key in bits.
    pub fn take_signature(&self, method: SignatureMethod, key_bits: u32) -> Result<()> {
        self.take_digest(method.digest)?;
        self.permit(key_bits >= self.least_bits(method.scheme))
    }

    /// Whether a key is long enough for signatures that are taken, by its kind (RSA, else a curve) and length in bits.
    pub fn takes_key(&self, is_rsa: bool, bits: u32) -> bool {
        bits >= self.least_bits(if is_rsa { Scheme::RsaPkcs1 } else { Scheme::Ecdsa })
    }

    /// Refuses a cipher that must not be taken.
    pub fn take_cipher(&self, cipher: BlockCipher) -> Result<()> {
        self.permit(cipher != BlockCipher::TripleDesCbc || self.legacy)
    }

    /// Refuses a way of key transport that must not be taken.
    pub fn take_transport(&self, transport: KeyTransport) -> Result<()> {
        self.permit(transport != KeyTransport::Rsa15 || self.legacy)
    }

    /// Refuses a signature that must not be made.
    pub fn make_signature(&self, method: SignatureMethod, key_bits: u32) -> Result<()> {
        let least = Policy::default().least_bits(method.scheme);
        self.permit(method.digest != DigestMethod::Sha1 && key_bits >= least)
    }

    /// Refuses a cipher that must not be used to encrypt.
    pub fn make_cipher(&self, cipher: BlockCipher) -> Result<()> {
        self.permit(cipher.is_authenticated())
    }

    /// Refuses a way to wrap a content key, by the length of the receiver's key in bits: what the receiver's
    /// certificate has counts, so that a partner that is allowed weak algorithms gets its messages.
    pub fn make_transport(&self, transport: KeyTransport, key_bits: u32) -> Result<()> {
        self.permit(transport == KeyTransport::RsaOaep && key_bits >= self.rsa_bits)
    }

    fn least_bits(&self, scheme: Scheme) -> u32 {
        match scheme {
            Scheme::RsaPkcs1 | Scheme::RsaPss => self.rsa_bits,
            Scheme::Ecdsa => CURVE_BITS,
        }
    }

    fn permit(&self, permitted: bool) -> Result<()> {
        if permitted { Ok(()) } else { Err(Error::AlgorithmForbidden) }
    }
}
