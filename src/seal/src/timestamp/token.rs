//! A time stamp token: TSTInfo (RFC 3161, section 2.4.2), its signer, and the judgement on both.

use openssl::{
    asn1::Asn1Time,
    cms::{CMSOptions, CmsContentInfo},
    hash::{MessageDigest, hash},
    stack::Stack,
    x509::{X509, X509PurposeId, X509StoreContext, store::X509StoreBuilder, verify::X509VerifyParam},
};

use super::{Authorities, SHA256_OID, Timestamp, response::TST_INFO};
use crate::hash::Algorithm;
use crate::{
    Error, Result,
    der::{BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET, context},
    x509::forget_reasons,
};

/// Contents of the OIDs 1.2.840.113549.1.9.3 and 1.2.840.113549.1.9.16.2.{12,47}.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
/// 2.16.840.1.101.3.4.2.2 and .3.
const SHA384_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// A token whose outer form was read.
pub(super) struct Token<'a> {
    /// The DER of the ContentInfo.
    pub(super) whole: &'a [u8],
    /// The DER of the TSTInfo.
    pub(super) info: &'a [u8],
    /// The DER of each certificate.
    pub(super) certificates: Vec<&'a [u8]>,
    /// Version of the SignedData.
    pub(super) version: u32,
    /// Whether it brings revocation lists or answers along.
    pub(super) has_revocation: bool,
    /// The fields of the one SignerInfo.
    pub(super) signer: Reader<'a>,
}

/// What the TSTInfo says.
pub(super) struct Info<'a> {
    pub(super) policy: &'a [u8],
    /// The DER of the nonce.
    pub(super) nonce: Option<&'a [u8]>,
    pub(super) algorithm: Algorithm,
    imprint: &'a [u8],
    at_micros: i64,
    accuracy_micros: i64,
}

impl Info<'_> {
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp { at_micros: self.at_micros, accuracy_micros: self.accuracy_micros }
    }
}

impl<'a> Token<'a> {
    /// What the token says, if it stamps this imprint and its signer is who he must be.
    pub(super) fn verified(
        &self,
        (algorithm, imprint): (Algorithm, &[u8]),
        authorities: Option<&Authorities>,
    ) -> Result<Info<'a>> {
        let info = read_info(self.info)?;
        if info.imprint != imprint || info.algorithm != algorithm {
            return Err(Error::TimestampDiffers("message imprint"));
        }
        let (signer, certificates) = self.signer()?;
        self.verify_signature(&signer)?;
        if let Some(authorities) = authorities {
            verify_chain(&signer, &certificates, authorities, info.at_micros)?;
        }
        Ok(info)
    }

    /// The certificate that the signed attributes name, and all that were sent.
    fn signer(&self) -> Result<(X509, Vec<X509>)> {
        let named = signing_certificate(self.signer)?;
        let certificates: Vec<X509> = self
            .certificates
            .iter()
            .map(|der| X509::from_der(der).map_err(|_| Error::TimestampMalformed("certificates")))
            .collect::<Result<_>>()?;
        let signer = certificates.iter().find(|certificate| named.is(certificate)).cloned();
        Ok((signer.ok_or(Error::TimestampSignature)?, certificates))
    }

    /// Whether the chain to an authority, or without any the signer's own certificate, is valid at a time.
    pub(super) fn counts_at(&self, authorities: Option<&Authorities>, at_micros: i64) -> Result<bool> {
        let (signer, certificates) = self.signer()?;
        let Some(authorities) = authorities else {
            let at = Asn1Time::from_unix(at_micros.div_euclid(1_000_000))?;
            return Ok(signer.not_before() <= &*at && signer.not_after() >= &*at);
        };
        match verify_chain(&signer, &certificates, authorities, at_micros) {
            Ok(()) => Ok(true),
            Err(Error::TimestampUntrusted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Verifies with this certificate and no other, so that it is the signer's.
    fn verify_signature(&self, signer: &X509) -> Result<()> {
        let mut signers = Stack::new()?;
        signers.push(signer.clone())?;
        let wrong = |_| Error::TimestampSignature;
        let mut content = CmsContentInfo::from_der(self.whole).map_err(wrong)?;
        let flags = CMSOptions::BINARY | CMSOptions::NOINTERN | CMSOptions::NO_SIGNER_CERT_VERIFY;
        let mut signed = Vec::new();
        content.verify(Some(&signers), None, None, Some(&mut signed), flags).map_err(wrong)?;
        // OpenSSL and our reader must speak of the same bytes.
        if signed == self.info { Ok(()) } else { Err(Error::TimestampSignature) }
    }
}

/// The signer's chain to an authority at the time of the stamp; OpenSSL's purpose check demands that time stamping is
/// the certificate's only extended use, and critical.
fn verify_chain(signer: &X509, sent: &[X509], authorities: &Authorities, at_micros: i64) -> Result<()> {
    let mut store = X509StoreBuilder::new()?;
    for authority in &authorities.0 {
        store.add_cert(authority.clone())?;
    }
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_time(at_micros.div_euclid(1_000_000));
    parameters.set_purpose(X509PurposeId::TIMESTAMP_SIGN)?;
    store.set_param(&parameters)?;
    let mut chain = Stack::new()?;
    for certificate in sent {
        chain.push(certificate.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    let trusted = context.init(&store.build(), signer, &chain, |context| context.verify_cert())?;
    forget_reasons();
    if trusted { Ok(()) } else { Err(Error::TimestampUntrusted) }
}

pub(super) fn read_info(bytes: &[u8]) -> Result<Info<'_>> {
    let mut outer = Reader::new(bytes, "TSTInfo");
    let mut fields = outer.enter(SEQUENCE)?;
    outer.end()?;
    if fields.small()? != 1 {
        return Err(fields.malformed());
    }
    let policy = fields.expect(OID)?.content;
    let (algorithm, imprint) = read_imprint(fields.enter(SEQUENCE)?)?;
    fields.expect(INTEGER)?;
    let time = fields.expect(GENERALIZED_TIME)?.content;
    let at_micros = generalized_time(time).ok_or_else(|| fields.malformed())?;
    let accuracy_micros = match fields.maybe(SEQUENCE)? {
        Some(accuracy) => read_accuracy(Reader::new(accuracy.content, "TSTInfo"))?,
        None => 0,
    };
    fields.maybe(BOOLEAN)?;
    // As it stands there: some ask with numbers below zero, and their stamps are old by now.
    let nonce = fields.maybe(INTEGER)?.map(|nonce| nonce.whole);
    fields.maybe(context(0))?;
    fields.maybe(context(1))?;
    fields.end()?;
    Ok(Info { policy, nonce, algorithm, imprint, at_micros, accuracy_micros })
}

/// The digest that is stamped, and its algorithm.
fn read_imprint(mut fields: Reader<'_>) -> Result<(Algorithm, &[u8])> {
    let algorithm = Algorithm::from_oid(fields.enter(SEQUENCE)?.expect(OID)?.content);
    let imprint = fields.expect(OCTET_STRING)?.content;
    fields.end()?;
    Ok((algorithm.ok_or(Error::TimestampDiffers("message imprint"))?, imprint))
}

/// Seconds, `[0]` milliseconds and `[1]` microseconds, in microseconds.
fn read_accuracy(mut fields: Reader<'_>) -> Result<i64> {
    let seconds = match fields.maybe(INTEGER)? {
        Some(seconds) => Reader::new(seconds.whole, "TSTInfo").small()?,
        None => 0,
    };
    let mut micros = i64::from(seconds) * 1_000_000;
    for (tag, unit) in [(0x80, 1_000), (0x81, 1)] {
        if let Some(part) = fields.maybe(tag)? {
            let digits = fields.magnitude(part.content)?;
            let number = digits.iter().fold(0_i64, |number, digit| number << 8 | i64::from(*digit));
            if digits.len() > 2 || !(1..=999).contains(&number) {
                return Err(fields.malformed());
            }
            micros += number * unit;
        }
    }
    fields.end()?;
    Ok(micros)
}

/// `YYYYMMDDhhmmss[.fraction]Z` as microseconds since 1970; finer fractions are cut.
fn generalized_time(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    let (whole, fraction) = match text.split_at_checked(14)? {
        (whole, []) => (whole, &[][..]),
        // DER: a fraction has digits, and the last one is no zero.
        (whole, [b'.', fraction @ ..]) if fraction.last().is_some_and(|last| *last != b'0') => {
            (whole, fraction)
        }
        _ => return None,
    };
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        whole[from..to].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    let (hour, minute, second) = (number(8, 10), number(10, 12), number(12, 14));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let micros = fraction
        .iter()
        .chain(b"000000")
        .take(6)
        .fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
    Some(seconds * 1_000_000 + micros)
}

/// Days from 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01: the way back.
pub(super) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, date)
}

/// The digests by which the signed attributes name the signer's certificate.
struct Named<'a>(Vec<(MessageDigest, &'a [u8])>);

impl Named<'_> {
    fn is(&self, certificate: &X509) -> bool {
        let Ok(der) = certificate.to_der() else { return false };
        self.0
            .iter()
            .all(|(algorithm, expected)| hash(*algorithm, &der).is_ok_and(|found| *found == **expected))
    }
}

/// Reads a SignerInfo: which certificate its signed attributes name. Who names it in both versions of the attribute
/// must mean the same.
fn signing_certificate(mut signer: Reader<'_>) -> Result<Named<'_>> {
    signer.small()?;
    signer.any()?;
    let digest = signer.enter(SEQUENCE)?.expect(OID)?.content;
    if digest_algorithm(digest).is_none() {
        return Err(Error::TimestampSignature);
    }
    let mut attributes = signer.enter(context(0))?;
    let (mut named, mut typed) = (Named(Vec::new()), false);
    while let Some(attribute) = attributes.maybe(SEQUENCE)? {
        let mut attribute = Reader::new(attribute.content, "signed attributes");
        let kind = attribute.expect(OID)?.content;
        let mut values = attribute.enter(SET)?;
        match kind {
            CONTENT_TYPE => typed = values.expect(OID)?.content == TST_INFO,
            SIGNING_CERTIFICATE => named.0.push((MessageDigest::sha1(), cert_hash(&mut values)?.1)),
            SIGNING_CERTIFICATE_V2 => {
                let (algorithm, expected) = cert_hash(&mut values)?;
                let algorithm = digest_algorithm(algorithm.unwrap_or(SHA256_OID));
                named.0.push((algorithm.ok_or(Error::TimestampSignature)?, expected));
            }
            _ => continue,
        }
        values.end()?;
        attribute.end()?;
    }
    attributes.end()?;
    if named.0.is_empty() || !typed { Err(Error::TimestampSignature) } else { Ok(named) }
}

/// The first certificate that a SigningCertificate(V2) names: algorithm, if there is one, and digest. The digest is over
/// the whole certificate, issuer and serial number included, so those need no look of their own.
fn cert_hash<'a>(values: &mut Reader<'a>) -> Result<(Option<&'a [u8]>, &'a [u8])> {
    let mut first = values.enter(SEQUENCE)?.enter(SEQUENCE)?.enter(SEQUENCE)?;
    let algorithm = match first.maybe(SEQUENCE)? {
        Some(algorithm) => Some(Reader::new(algorithm.content, "signed attributes").expect(OID)?.content),
        None => None,
    };
    Ok((algorithm, first.expect(OCTET_STRING)?.content))
}

fn digest_algorithm(oid: &[u8]) -> Option<MessageDigest> {
    match oid {
        SHA256_OID => Some(MessageDigest::sha256()),
        SHA384_OID => Some(MessageDigest::sha384()),
        SHA512_OID => Some(MessageDigest::sha512()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_openssl_reads_them() {
        for (text, micros) in [
            ("19700101000000Z", 0),
            ("20000229120000Z", 951_825_600_000_000),
            ("20261124182727.25Z", 1_795_544_847_250_000),
            ("99991231235959.9999999Z", 253_402_300_799_999_999),
            ("19691231235959Z", -1_000_000),
        ] {
            assert_eq!(generalized_time(text.as_bytes()), Some(micros), "{text}");
            let epoch = openssl::asn1::Asn1Time::from_unix(0).unwrap();
            let whole = format!("{}Z", &text[..14]);
            let judged = epoch.diff(&openssl::asn1::Asn1Time::from_str(&whole).unwrap()).unwrap();
            let seconds = i64::from(judged.days) * 86_400 + i64::from(judged.secs);
            assert_eq!(seconds, micros.div_euclid(1_000_000), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "20261124182727",
            "2026112418272Z",
            "20261124182727+01Z",
            "20261301000000Z",
            "20260229000000Z",
            "20260101240000Z",
            "20260101006000Z",
            "20260101000060Z",
            "20260101000000.Z",
            "20260101000000.10Z",
            "20260101000000.1xZ",
            "20260101000000,1Z",
            "2026010100000\u{0}Z",
            "20260100000000Z",
            "20260001000000Z",
        ] {
            assert_eq!(generalized_time(text.as_bytes()), None, "{text}");
        }
    }
}
