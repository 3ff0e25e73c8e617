//! Cryptographic Message Syntax (RFC 5652, RFC 5083) as S/MIME uses it (RFC 8551), over OpenSSL.
//!
//! What is verified is given back by the verification itself, and whoever called uses nothing else. All that can be wrong with
//! something encrypted is one error: key, padding, tag and form cannot be told apart. Both take the whole in memory, so the
//! caller limits it.
//!
//! Who signed is found by trying each certificate that came along, alone: then the signature is that certificate's, and one with
//! several signers is nobody's. Whether the certificate is trusted is the matter of [`x509::Trust`](crate::x509::Trust).

use openssl::{
    cms::{CMSOptions, CmsContentInfo},
    stack::Stack,
    symm::Cipher,
    x509::X509,
};

use crate::{
    Error, Result,
    der::{Reader, SEQUENCE, SET, context},
    identity::Identity,
    x509::{Certificate, forget_reasons},
};

/// Contents of the OIDs 1.2.840.113549.1.7.2, 1.2.840.113549.1.7.3 and 1.2.840.113549.1.9.16.1.23, with tag and length.
const SIGNED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const ENVELOPED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3];
const AUTH_ENVELOPED_DATA: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 23];
/// 2.16.840.1.101.3.4.2.1, .2 and .3: SHA-256, SHA-384, SHA-512; all but the last byte.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// More certificates than any chain has.
const MAX_CERTIFICATES: usize = 16;

/// What a CMS object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SignedData.
    Signed,
    /// EnvelopedData: encrypted, and nobody has vouched for it.
    Enveloped,
    /// AuthEnvelopedData: encrypted, and unchanged since.
    AuthEnveloped,
}

/// What the bytes (DER or BER) say they are; `None` for anything else.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    let [0x30, length, rest @ ..] = bytes else { return None };
    let more = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
    let content = rest.get(more..)?;
    match content {
        _ if more > 8 => None,
        _ if content.starts_with(SIGNED_DATA) => Some(Kind::Signed),
        _ if content.starts_with(ENVELOPED_DATA) => Some(Kind::Enveloped),
        _ if content.starts_with(AUTH_ENVELOPED_DATA) => Some(Kind::AuthEnveloped),
        _ => None,
    }
}

/// What a signature covers, and whose it is.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The bytes that were verified.
    pub content: Vec<u8>,
    /// The certificate of the key that signed. It is not trusted yet.
    pub signer: Certificate,
    /// The other certificates that came along.
    pub others: Vec<Certificate>,
    /// Whether a digest older than SHA-2 was signed: others may have made the same signature.
    pub is_weak: bool,
}

impl Signed {
    /// Addresses of e-mail that the signer's certificate names, see [`addresses`].
    pub fn addresses(&self) -> Vec<String> {
        addresses(&self.signer)
    }
}

/// Addresses of e-mail that a certificate names (RFC 8550, section 3), in lower case.
pub fn addresses(certificate: &Certificate) -> Vec<String> {
    let Ok(x509) = X509::from_der(certificate.der()) else { return vec![] };
    let mut found: Vec<String> = vec![];
    for name in x509.subject_alt_names().iter().flatten() {
        found.extend(name.email().map(str::to_ascii_lowercase));
    }
    for entry in x509.subject_name().entries_by_nid(openssl::nid::Nid::PKCS9_EMAILADDRESS) {
        found.extend(entry.data().to_string().ok().map(|text| text.to_ascii_lowercase()));
    }
    found
}

/// Verifies SignedData; `detached` is what was signed if it does not stand within.
///
/// # Errors
/// [`Error::SignatureMalformed`] if it cannot be read or brings no certificate; [`Error::SignatureValue`] if it is the signature of
/// none of its certificates, or of something else.
pub fn verify(bytes: &[u8], detached: Option<&[u8]>) -> Result<Signed> {
    let verified = verify_each(bytes, detached);
    forget_reasons();
    verified
}

fn verify_each(bytes: &[u8], detached: Option<&[u8]>) -> Result<Signed> {
    let malformed = |_| Error::SignatureMalformed("CMS");
    // What others write may be BER; what OpenSSL writes of it is DER.
    let der = CmsContentInfo::from_der(bytes).and_then(|it| it.to_der()).map_err(malformed)?;
    let (mut certificates, is_weak) = survey(&der).map_err(|_| Error::SignatureMalformed("CMS"))?;
    for at in 0..certificates.len() {
        let mut content = Vec::new();
        let mut signers = Stack::new()?;
        signers.push(X509::from_der(certificates[at].der())?)?;
        let flags = CMSOptions::BINARY | CMSOptions::NOINTERN | CMSOptions::NO_SIGNER_CERT_VERIFY;
        // One object for each try: OpenSSL remembers the certificate of the last.
        let mut object = CmsContentInfo::from_der(bytes).map_err(malformed)?;
        if object.verify(Some(&signers), None, detached, Some(&mut content), flags).is_ok() {
            let signer = certificates.swap_remove(at);
            return Ok(Signed { content, signer, others: certificates, is_weak });
        }
    }
    match certificates.is_empty() {
        true => Err(Error::SignatureMalformed("no certificate")),
        false => Err(Error::SignatureValue),
    }
}

/// The certificates of SignedData in DER that can be read, and whether one of its signers used an old digest.
fn survey(der: &[u8]) -> Result<(Vec<Certificate>, bool)> {
    let mut info = Reader::new(der, "CMS").enter(SEQUENCE)?;
    info.any()?;
    let mut explicit = info.enter(context(0))?;
    let mut data = explicit.enter(SEQUENCE)?;
    data.any()?;
    data.expect(SET)?;
    data.expect(SEQUENCE)?;
    let mut certificates = vec![];
    if let Some(set) = data.maybe(context(0))? {
        let mut set = Reader::new(set.content, "CMS");
        while let Some(certificate) = set.any()? {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(set.malformed());
            }
            certificates.extend(Certificate::from_der(certificate.whole).ok());
        }
    }
    data.maybe(context(1))?;
    let mut signers = data.enter(SET)?;
    let mut is_weak = false;
    while let Some(signer) = signers.maybe(SEQUENCE)? {
        let mut signer = Reader::new(signer.content, "CMS");
        signer.any()?;
        signer.any()?;
        let digest = signer.enter(SEQUENCE)?.any()?;
        let oid = digest.map(|it| it.content).unwrap_or_default();
        is_weak |= !matches!(oid.split_last(), Some((1..=3, SHA2)));
    }
    Ok((certificates, is_weak))
}

/// Decrypts EnvelopedData or AuthEnvelopedData that was encrypted for one of the identities.
///
/// # Errors
/// [`Error::Decrypt`], whatever is wrong.
pub fn decrypt(bytes: &[u8], identities: &[Identity]) -> Result<Vec<u8>> {
    let plain = identities.iter().find_map(|identity| {
        let object = CmsContentInfo::from_der(bytes).ok()?;
        let certificate = X509::from_der(identity.certificate().der()).ok()?;
        object.decrypt(identity.key(), &certificate).ok()
    });
    forget_reasons();
    plain.ok_or(Error::Decrypt)
}

/// A signature (DER) beside the bytes that it covers, by SHA-256 unless the key prescribes another digest, with the identity's
/// certificates.
pub fn sign(identity: &Identity, data: &[u8]) -> Result<Vec<u8>> {
    let mut chain = Stack::new()?;
    for certificate in identity.chain() {
        chain.push(X509::from_der(certificate.der())?)?;
    }
    let own = X509::from_der(identity.certificate().der())?;
    let flags = CMSOptions::BINARY | CMSOptions::DETACHED;
    let object = CmsContentInfo::sign(Some(&own), Some(identity.key()), Some(&chain), Some(data), flags)?;
    Ok(object.to_der()?)
}

/// EnvelopedData (DER) for the certificates, by AES-256 in CBC: what all programs read. Nobody vouches for it, so sign before.
pub fn encrypt(recipients: &[Certificate], data: &[u8]) -> Result<Vec<u8>> {
    let mut certificates = Stack::new()?;
    for certificate in recipients {
        certificates.push(X509::from_der(certificate.der())?)?;
    }
    let object = CmsContentInfo::encrypt(&certificates, data, Cipher::aes_256_cbc(), CMSOptions::BINARY)?;
    Ok(object.to_der()?)
}
