//! Time stamps of a foreign authority (RFC 3161, updated by RFC 5816): what we ask, and what we make of the answer.
//!
//! A [`Request`] names the SHA-256 of some bytes. The answer is a `TimeStampResp`, which is kept as it came, so that a
//! plain `openssl ts -verify` judges it later. [`check`] trusts nothing in it:
//!
//! | RFC 3161 | checked |
//! |---|---|
//! | 2.4.2 | status granted; the DER of every part, nothing behind it; version, imprint, nonce and policy |
//! | 2.3 | the signer's only purpose is time stamping, and it says so critically (by OpenSSL, with [`Authorities`]) |
//! | 2.4.2, RFC 5816 | one signer, whom the signed attribute SigningCertificate(V2) names by digest |
//! | RFC 5652 5.4, 5.6 | the signature over content and attributes (by OpenSSL, with that certificate and no other) |
//! | RFC 5280 6.1 | the chain to a configured authority, at the stamp's own time (by OpenSSL) |
//!
//! Revocation is not asked for: that needs the authority's lists, which an auditor adds with tools of his own.

mod held;
mod response;
mod token;

pub use held::{Facts, MAX_TOKEN, check_token, inspect, token_of, with_revocation};

use std::fmt;

use openssl::{rand::rand_bytes, x509::X509};

use crate::hash::Algorithm;
use crate::x509::Certificate;
use crate::{
    Error, Result,
    der::{self, INTEGER, NULL, OCTET_STRING, SEQUENCE, element, integer},
    sha256,
};

/// The longest answer that is looked at, in bytes; real ones have about 5,000.
pub const MAX_RESPONSE: usize = 64 * 1024;

/// `application/timestamp-query` (RFC 3161, section 3.4).
pub const QUERY_TYPE: &str = "application/timestamp-query";
/// `application/timestamp-reply`.
pub const REPLY_TYPE: &str = "application/timestamp-reply";

/// Content of the OID 2.16.840.1.101.3.4.2.1.
const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A policy of a time stamp authority, by its object identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy(Vec<u8>);

impl std::str::FromStr for Policy {
    type Err = Error;

    /// Reads the dotted form, such as `1.3.6.1.4.1.99999.1`.
    fn from_str(text: &str) -> Result<Self> {
        let object = openssl::asn1::Asn1Object::from_str(text).map_err(|_| Error::TimestampPolicy)?;
        // OpenSSL takes names and empty parts as well.
        let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let dotted = text.split('.').all(number);
        if dotted { Ok(Self(object.as_slice().to_owned())) } else { Err(Error::TimestampPolicy) }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", hex::encode(&self.0))
    }
}

/// A question to a time stamp authority.
pub struct Request {
    algorithm: Algorithm,
    imprint: Vec<u8>,
    nonce: Vec<u8>,
    policy: Option<Policy>,
}

impl Request {
    /// Asks for a stamp over the SHA-256 of `data`, with a fresh nonce; under `policy` if one is named.
    pub fn new(data: &[u8], policy: Option<Policy>) -> Result<Self> {
        Self::for_digest(Algorithm::Sha256, &sha256(&[data]).0, policy)
    }

    /// Asks for a stamp over a digest that was made by this algorithm.
    pub fn for_digest(algorithm: Algorithm, imprint: &[u8], policy: Option<Policy>) -> Result<Self> {
        let mut nonce = [0; 16];
        rand_bytes(&mut nonce)?;
        // The shortest form of a number has no leading zero, and some authorities answer with the shortest.
        nonce[0] |= 1;
        Ok(Self { algorithm, imprint: imprint.to_vec(), nonce: nonce.to_vec(), policy })
    }

    /// The DER of the TimeStampReq: version 1, and the answer shall bring the signer's certificate.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm =
            element(SEQUENCE, &[&element(der::OID, &[self.algorithm.oid()]), &element(NULL, &[])]);
        let imprint = element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[&self.imprint])]);
        let policy = self.policy.as_ref().map(|policy| element(der::OID, &[&policy.0])).unwrap_or_default();
        let version = element(INTEGER, &[&[1]]);
        let certificate = element(der::BOOLEAN, &[&[0xff]]);
        element(SEQUENCE, &[&version, &imprint, &policy, &integer(&self.nonce), &certificate])
    }

    /// Whether the answer belongs to this question, and what it says; see [`check`].
    ///
    /// # Errors
    /// As [`check`], and [`Error::TimestampDiffers`] if nonce or policy are not the ones asked for.
    pub fn check(&self, response: &[u8], authorities: Option<&Authorities>) -> Result<Timestamp> {
        let token = response::token(response)?;
        let info = token.verified((self.algorithm, &self.imprint), authorities)?;
        if info.nonce != Some(&integer(&self.nonce)[..]) {
            return Err(Error::TimestampDiffers("nonce"));
        }
        if self.policy.as_ref().is_some_and(|policy| policy.0 != info.policy) {
            return Err(Error::TimestampDiffers("policy"));
        }
        Ok(info.timestamp())
    }
}

/// Whether `response`, a TimeStampResp in DER, stamps `data`. Without `authorities` the result is only consistent in
/// itself: anybody could have made it.
///
/// # Errors
/// [`Error::TimestampMalformed`], [`Error::TimestampRejected`], [`Error::TimestampDiffers`],
/// [`Error::TimestampSignature`], [`Error::TimestampUntrusted`].
pub fn check(response: &[u8], data: &[u8], authorities: Option<&Authorities>) -> Result<Timestamp> {
    let imprint = sha256(&[data]);
    Ok(response::token(response)?.verified((Algorithm::Sha256, &imprint.0), authorities)?.timestamp())
}

/// What a time stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The authority's time, in microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// How far its clock may be off, in microseconds; 0 if it does not say.
    pub accuracy_micros: i64,
}

impl Timestamp {
    /// What was stamped existed before this time, in microseconds since 1970-01-01 UTC.
    pub fn before_micros(&self) -> i64 {
        self.at_micros.saturating_add(self.accuracy_micros)
    }
}

/// The certificates that a stamp's chain must end in.
#[derive(Clone)]
pub struct Authorities(Vec<X509>);

impl Authorities {
    /// Reads a PEM file of one or more certificates.
    ///
    /// # Errors
    /// [`Error::TimestampAuthorities`] if it holds none, or something that is no certificate.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        match X509::stack_from_pem(pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err(Error::TimestampAuthorities),
        }
    }

    /// Of certificates that were read before.
    pub fn of(certificates: &[Certificate]) -> Self {
        Self(certificates.iter().map(|one| one.x509().to_owned()).collect())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// A time in microseconds since 1970 as people read it, to the second, rounded up: `2026-11-24T18:27:28Z`.
pub(crate) fn time_text(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000) + i64::from(micros.rem_euclid(1_000_000) > 0);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = token::date_of(day);
    format!(
        "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_an_object_identifier() {
        assert_eq!("1.2.3.4.1".parse::<Policy>().unwrap().0, [0x2a, 3, 4, 1]);
        for wrong in ["", "1", "9.9.9", "sha256", "1.2.x", "1..2"] {
            assert_eq!(wrong.parse::<Policy>().unwrap_err().code(), "timestamp.policy", "{wrong}");
        }
    }

    #[test]
    fn times_are_shown_to_the_second_and_never_too_early() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:01Z"),
            (951_825_600_000_000, "2000-02-29T12:00:00Z"),
            (1_795_544_847_250_000, "2026-11-24T18:27:28Z"),
            (-1_000_000, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(time_text(micros), text);
        }
    }

    #[test]
    fn what_holds_no_certificate_is_no_authority() {
        for wrong in [&b""[..], b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(Authorities::from_pem(wrong).unwrap_err().code(), "timestamp.authorities");
        }
    }
}
