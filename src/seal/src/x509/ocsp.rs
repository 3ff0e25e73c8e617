//! OCSP (RFC 6960): the question about one certificate, and the judgement on the answer. Asking is not done here.

use openssl::{
    hash::MessageDigest,
    ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus},
    stack::Stack,
};

use super::{Certificate, OnlineResult, Trust};
use crate::{Error, Result};

/// The longest answer that is read, in bytes; real ones have about 2,000.
pub const MAX_OCSP_RESPONSE: usize = 64 * 1024;

/// Seconds that clocks may differ.
const SKEW: u32 = 300;
/// Seconds that an answer counts that does not say when the next one is due.
const AGE: u32 = 3_600;

impl Trust {
    /// The DER of a question about `certificate`, for `application/ocsp-request`. `issuer` is
    /// [`super::Inspection::issuer`].
    pub fn ocsp_request(&self, certificate: &Certificate, issuer: &Certificate) -> Result<Vec<u8>> {
        let mut request = OcspRequest::new()?;
        request.add_id(question(certificate, issuer)?)?;
        Ok(request.to_der()?)
    }

    /// What a responder answers about `certificate` *now*: answers count by the system's clock. `None`: it does not
    /// know the certificate.
    ///
    /// # Errors
    /// [`Error::OcspResponse`] if the answer is no good: not signed by the issuer or by whom the issuer certified for
    /// that, not within its time, about another certificate, or no answer at all.
    pub fn check_ocsp_response(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        response: &[u8],
    ) -> Result<Option<OnlineResult>> {
        if response.len() > MAX_OCSP_RESPONSE {
            return Err(Error::OcspResponse);
        }
        self.read_ocsp(certificate, issuer, response).map_err(|_| Error::OcspResponse)
    }

    fn read_ocsp(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        response: &[u8],
    ) -> Result<Option<OnlineResult>> {
        let response = OcspResponse::from_der(response)?;
        if response.status() != OcspResponseStatus::SUCCESSFUL {
            return Err(Error::OcspResponse);
        }
        let basic = response.basic()?;
        let mut known = Stack::new()?;
        known.push(issuer.x509().to_owned())?;
        basic.verify(&known, self.ocsp_store(), OcspFlag::empty())?;
        let status = basic.find_status(&*question(certificate, issuer)?).ok_or(Error::OcspResponse)?;
        let age = status.next_update().is_none().then_some(AGE);
        status.check_validity(SKEW, age)?;
        Ok(match status.status {
            OcspCertStatus::GOOD => Some(OnlineResult::Ok),
            OcspCertStatus::REVOKED => Some(OnlineResult::Revoked),
            _ => None,
        })
    }
}

/// SHA-1 only names the certificate here; it is what every responder understands (RFC 5019 section 2.1.1).
fn question(certificate: &Certificate, issuer: &Certificate) -> Result<OcspCertId> {
    Ok(OcspCertId::from_cert(MessageDigest::sha1(), certificate.x509(), issuer.x509())?)
}
