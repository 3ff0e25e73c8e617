//! Revocation lists (RFC 5280 section 5): complete ones, signed by the issuer of the certificates they are about.
//!
//! Whoever is listed is revoked, whatever else the list says of itself. That somebody is *not* listed counts only if
//! the list is fresh and speaks of all certificates of its issuer, or of those that name its distribution point.

use std::sync::OnceLock;

use openssl::x509::{CrlStatus, X509Crl};

use super::{Certificate, forget_reasons, unix_seconds};
use crate::{
    Error, Result,
    der::{BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, context},
};

/// The longest list that is read, in bytes.
pub const MAX_CRL: usize = 64 << 20;

/// Content of the OID 2.5.29.28, issuingDistributionPoint.
const ISSUING_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
const URI: u8 = 0x86;

/// A revocation list.
pub struct Crl {
    list: X509Crl,
    scope: Scope,
    this_update: i64,
    next_update: Option<i64>,
    /// Who signed it, once that was seen: of a long list nobody wants to verify that again for each certificate.
    signer: OnceLock<Certificate>,
}

/// Of whom a list says that they are not revoked, if it does not list them.
enum Scope {
    All,
    /// The certificates that name one of these addresses.
    Points(Vec<String>),
    /// Deltas, indirect lists, and what we do not know.
    Nobody,
}

/// What a list says about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Revoked,
    NotRevoked,
    /// The list is not about this certificate, too old, or not signed by its issuer.
    Nothing,
}

impl Crl {
    /// Reads a list in DER or PEM.
    ///
    /// # Errors
    /// [`Error::RevocationList`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_CRL {
            return Err(Error::RevocationList);
        }
        let list = match bytes.starts_with(b"-----") {
            true => X509Crl::from_pem(bytes),
            false => X509Crl::from_der(bytes),
        };
        let list = list.map_err(|_| Error::RevocationList)?;
        let der = list.to_der()?;
        if !says_one_algorithm(&der).unwrap_or(false) {
            return Err(Error::RevocationList);
        }
        let scope = read_scope(&der).map_err(|_| Error::RevocationList)?;
        let this_update = unix_seconds(list.last_update()).map_err(|_| Error::RevocationList)?;
        let next_update =
            list.next_update().map(unix_seconds).transpose().map_err(|_| Error::RevocationList)?;
        Ok(Crl { list, scope, this_update, next_update, signer: OnceLock::new() })
    }

    /// When it was made, in seconds since 1970-01-01 UTC.
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// When the next one is due, in seconds since 1970-01-01 UTC.
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    pub(super) fn status(&self, certificate: &Certificate, issuer: &Certificate, at: i64) -> Result<Listed> {
        let names = self.list.issuer_name().try_cmp(certificate.x509().issuer_name())?;
        if names.is_ne() || !issuer.key_usage().crl_sign || !self.is_signed_by(issuer) {
            return Ok(Listed::Nothing);
        }
        let serial = certificate.x509().serial_number();
        if let CrlStatus::Revoked(_) = self.list.get_by_serial(serial) {
            return Ok(Listed::Revoked);
        }
        let is_fresh = self.next_update.is_some_and(|next| next >= at);
        Ok(if is_fresh && self.covers(certificate) { Listed::NotRevoked } else { Listed::Nothing })
    }

    fn is_signed_by(&self, issuer: &Certificate) -> bool {
        if self.signer.get() == Some(issuer) {
            return true;
        }
        let is_right = self.list.verify(issuer.public_key()).unwrap_or(false);
        forget_reasons();
        if is_right {
            self.signer.get_or_init(|| issuer.clone());
        }
        is_right
    }

    fn covers(&self, certificate: &Certificate) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Nobody => false,
            Scope::Points(points) => named_points(certificate).iter().any(|name| points.contains(name)),
        }
    }
}

/// The addresses at which a certificate says that its revocation list is found.
fn named_points(certificate: &Certificate) -> Vec<String> {
    let points = certificate.x509().crl_distribution_points();
    let names = points.iter().flatten().filter_map(|point| point.distpoint()?.fullname());
    names.flatten().filter_map(|name| name.uri().map(str::to_owned)).collect()
}

/// Whether the algorithm beside the signature, which nobody signs, is the one that is signed (RFC 5280 section 5.1.1.2).
fn says_one_algorithm(list: &[u8]) -> Result<bool> {
    let mut outer = Reader::new(list, "revocation list").enter(SEQUENCE)?;
    let mut body = Reader::new(outer.expect(SEQUENCE)?.content, "revocation list");
    body.maybe(INTEGER)?;
    Ok(body.expect(SEQUENCE)?.whole == outer.expect(SEQUENCE)?.whole)
}

/// Walks to the extensions of the list; those that are critical limit what it says.
fn read_scope(list: &[u8]) -> Result<Scope> {
    let mut body = Reader::new(list, "revocation list").enter(SEQUENCE)?.enter(SEQUENCE)?;
    let mut scope = Scope::All;
    while let Some(field) = body.any()? {
        if field.tag != context(0) {
            continue;
        }
        let mut extensions = Reader::new(field.content, "revocation list").enter(SEQUENCE)?;
        while let Some(extension) = extensions.any()? {
            let mut fields = Reader::new(extension.whole, "revocation list").enter(SEQUENCE)?;
            let kind = fields.expect(OID)?.content;
            let is_critical = fields.maybe(BOOLEAN)?.is_some();
            let value = fields.expect(OCTET_STRING)?.content;
            if kind == ISSUING_POINT {
                scope = issuing_point(value)?;
            } else if is_critical {
                return Ok(Scope::Nobody);
            }
        }
    }
    Ok(scope)
}

/// IssuingDistributionPoint (RFC 5280 section 5.2.5): only one that has nothing but addresses is understood.
fn issuing_point(value: &[u8]) -> Result<Scope> {
    let mut fields = Reader::new(value, "revocation list").enter(SEQUENCE)?;
    let Some(point) = fields.maybe(context(0))? else { return Ok(Scope::Nobody) };
    if fields.end().is_err() {
        return Ok(Scope::Nobody);
    }
    let mut point = Reader::new(point.content, "revocation list");
    let Some(full_name) = point.maybe(context(0))? else { return Ok(Scope::Nobody) };
    let mut names = Reader::new(full_name.content, "revocation list");
    let mut points = Vec::new();
    while let Some(name) = names.any()? {
        if name.tag == URI {
            points.push(String::from_utf8_lossy(name.content).into_owned());
        }
    }
    Ok(Scope::Points(points))
}
