//! X.509 certificates (RFC 5280): what is read of them, and whom we trust.
//!
//! | module | holds |
//! |---|---|
//! | here | [`Certificate`]: names, times, key and key usage |
//! | `name` | names as text (RFC 2253) |
//! | `trust` | [`Trust`]: anchors and intermediates, chains, the findings of an inspection |
//! | `known` | certificates that were read lately |
//! | `strength` | whether key and signature are strong enough |
//! | `crl`, `ocsp` | revocation lists (RFC 5280 section 5) and OCSP (RFC 6960) |

mod crl;
mod known;
mod name;
mod ocsp;
mod strength;
mod trust;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{Id, PKey, PKeyRef, Public},
    x509::{X509, X509KeyUsage, X509Ref},
};

pub use crl::{Crl, MAX_CRL};
pub use ocsp::MAX_OCSP_RESPONSE;
pub use trust::{
    Inspection, MathResult, OfflineResult, OnlineResult, Problem, Standing, Trust, WithoutRevocation,
};

use crate::{
    Digest, Error, Result,
    algorithm::{Policy, SignatureMethod},
    der, raw_signature, sha256,
};

/// The longest certificate that is read, in bytes of DER; real ones have about 2,000.
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// Certificates of one PEM file.
const MAX_PEM: usize = 1_000;
/// Bounds on the keys: what is longer only costs time.
const MAX_RSA_BITS: u32 = 16_384;

/// Takes away what OpenSSL has left in the queue of this thread. A check that says no leaves its reasons there, and the next TLS
/// connection that the thread looks at would end, as if they were its own.
pub(crate) fn forget_reasons() {
    drop(ErrorStack::get());
}

/// A certificate. Cheap to clone; equal to another if the DER is.
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    x509: X509,
    key: PKey<Public>,
    fingerprint: String,
    not_before: i64,
    not_after: i64,
    usage: Option<X509KeyUsage>,
    /// Once somebody asked.
    names: OnceLock<Names>,
}

/// What stands in every inspection.
struct Names {
    subject: String,
    issuer: String,
    serial: String,
}

/// What a key may be used for (RFC 5280 section 4.2.1.3). Without the extension: everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// digitalSignature.
    pub digital_signature: bool,
    /// nonRepudiation, also called contentCommitment.
    pub non_repudiation: bool,
    /// keyEncipherment.
    pub key_encipherment: bool,
    /// dataEncipherment.
    pub data_encipherment: bool,
    /// keyCertSign.
    pub cert_sign: bool,
    /// cRLSign.
    pub crl_sign: bool,
}

impl KeyUsage {
    /// Whether a signature under a message may be of this key.
    pub fn may_sign(self) -> bool {
        self.digital_signature || self.non_repudiation
    }

    /// Whether content keys may be wrapped for this key.
    pub fn may_encrypt(self) -> bool {
        self.key_encipherment || self.data_encipherment
    }
}

impl Certificate {
    /// Reads one certificate, with nothing behind it.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`], also for keys that are neither RSA nor on a named elliptic curve.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        if der.len() > MAX_CERTIFICATE {
            return Err(Error::CertificateMalformed);
        }
        let digest = sha256(&[der]);
        if let Some(certificate) = known::find(&digest) {
            return Ok(certificate);
        }
        let parsed = parse(der, &digest).map_err(|_| Error::CertificateMalformed)?;
        let certificate = Certificate(Arc::new(parsed));
        known::remember(digest, &certificate);
        Ok(certificate)
    }

    /// Reads all certificates of a PEM; other things in it are passed over.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>> {
        let found = X509::stack_from_pem(pem).map_err(|_| Error::CertificateMalformed)?;
        if found.len() > MAX_PEM {
            return Err(Error::CertificateMalformed);
        }
        found.iter().map(|x509| Self::from_der(&x509.to_der()?)).collect()
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-1 of the DER, 40 lower-case hex digits: a name that older directories know it by, and no proof of anything.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn sha1(&self) -> Result<String> {
        let digest = self.0.x509.digest(MessageDigest::sha1())?;
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// SHA-256 of the DER, 64 lower-case hex digits.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Name of the holder as RFC 2253 writes it: `CN=…,O=…,C=DE`.
    pub fn subject(&self) -> Result<String> {
        Ok(self.names()?.subject.clone())
    }

    /// Name of the issuer, likewise.
    pub fn issuer(&self) -> Result<String> {
        Ok(self.names()?.issuer.clone())
    }

    /// Serial number, decimal.
    pub fn serial(&self) -> Result<String> {
        Ok(self.names()?.serial.clone())
    }

    fn names(&self) -> Result<&Names> {
        if let Some(names) = self.0.names.get() {
            return Ok(names);
        }
        let names = Names {
            subject: name::rfc2253(self.x509().subject_name())?,
            issuer: name::rfc2253(self.x509().issuer_name())?,
            serial: self.x509().serial_number().to_bn()?.to_dec_str()?.to_string(),
        };
        Ok(self.0.names.get_or_init(|| names))
    }

    /// First second of validity, in seconds since 1970-01-01 UTC.
    pub fn not_before(&self) -> i64 {
        self.0.not_before
    }

    /// Last second of validity, in seconds since 1970-01-01 UTC.
    pub fn not_after(&self) -> i64 {
        self.0.not_after
    }

    /// Whether it is valid at `at`, in seconds since 1970-01-01 UTC.
    pub fn is_valid_at(&self, at: i64) -> bool {
        (self.0.not_before..=self.0.not_after).contains(&at)
    }

    /// What the key may be used for.
    pub fn key_usage(&self) -> KeyUsage {
        let has = |bit| self.0.usage.is_none_or(|usage| usage.contains(bit));
        KeyUsage {
            digital_signature: has(X509KeyUsage::DIGITAL_SIGNATURE),
            non_repudiation: has(X509KeyUsage::NON_REPUDIATION),
            key_encipherment: has(X509KeyUsage::KEY_ENCIPHERMENT),
            data_encipherment: has(X509KeyUsage::DATA_ENCIPHERMENT),
            cert_sign: has(X509KeyUsage::KEY_CERT_SIGN),
            crl_sign: has(X509KeyUsage::CRL_SIGN),
        }
    }

    /// Length of the key in bits: of the RSA modulus, or of the curve's order.
    pub fn key_bits(&self) -> u32 {
        self.0.key.bits()
    }

    /// Whether the key is an RSA key.
    pub fn is_rsa(&self) -> bool {
        matches!(self.0.key.id(), Id::RSA | Id::RSA_PSS)
    }

    /// Addresses of the OCSP responders that the certificate names.
    pub fn ocsp_addresses(&self) -> Vec<String> {
        let found = self.x509().ocsp_responders();
        found.map(|all| all.iter().map(|one| one.to_string()).collect()).unwrap_or_default()
    }

    /// Whether `value` is the key's signature over a digest.
    ///
    /// # Errors
    /// [`Error::AlgorithmForbidden`] if the policy does not take this method or key.
    pub fn verify_digest(
        &self,
        policy: &Policy,
        method: SignatureMethod,
        digest: &[u8],
        value: &[u8],
    ) -> Result<bool> {
        policy.take_signature(method, self.key_bits())?;
        raw_signature::verify(self.public_key(), method, digest, value)
    }

    /// Whether `value` is the key's signature over some bytes; see [`Certificate::verify_digest`].
    pub fn verify(
        &self,
        policy: &Policy,
        method: SignatureMethod,
        data: &[u8],
        value: &[u8],
    ) -> Result<bool> {
        self.verify_digest(policy, method, &raw_signature::digest(method.digest, data)?, value)
    }

    pub(crate) fn public_key(&self) -> &PKeyRef<Public> {
        &self.0.key
    }

    /// The certificate as OpenSSL knows it.
    pub(crate) fn x509(&self) -> &X509Ref {
        &self.0.x509
    }
}

fn parse(der: &[u8], digest: &Digest) -> Result<Parsed> {
    let mut outer = der::Reader::new(der, "certificate");
    outer.expect(der::SEQUENCE)?;
    outer.end()?;
    let x509 = X509::from_der(der)?;
    let key = x509.public_key()?;
    let known = match key.id() {
        Id::RSA | Id::RSA_PSS => key.bits() <= MAX_RSA_BITS,
        Id::EC => is_named_curve(&key.public_key_to_der()?)?,
        _ => false,
    };
    if !known {
        return Err(Error::CertificateMalformed);
    }
    Ok(Parsed {
        der: der.to_vec(),
        key,
        fingerprint: digest.to_string(),
        not_before: unix_seconds(x509.not_before())?,
        not_after: unix_seconds(x509.not_after())?,
        usage: x509.key_usage(),
        names: OnceLock::new(),
        x509,
    })
}

/// Whether a SubjectPublicKeyInfo names its curve, instead of bringing parameters of its own (RFC 5480 section 2.1.1).
fn is_named_curve(key: &[u8]) -> Result<bool> {
    let mut algorithm = der::Reader::new(key, "key").enter(der::SEQUENCE)?.enter(der::SEQUENCE)?;
    algorithm.expect(der::OID)?;
    Ok(algorithm.maybe(der::OID)?.is_some())
}

/// A time in seconds since 1970-01-01 UTC.
fn unix_seconds(time: &Asn1TimeRef) -> Result<i64> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}
