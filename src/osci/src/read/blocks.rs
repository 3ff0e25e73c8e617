//! The header blocks that every kind of message has (OSCI-Transport 1.2, section 4.1; `order.xsd`).

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seal::x509::Certificate;
use xml::Reader;

use super::SUPPLEMENT;
use crate::code::Code;
use crate::element::{Children, Element, end, text};
use crate::message::{
    Certificates, ControlBlock, Features, IntermediaryCertificates, Named, QualityOfTimestamp,
};
use crate::names::{DS, OSCI};
use crate::{Error, Result};

/// Longest certificate, in bytes of base64.
const CERTIFICATE: usize = 64 * 1024;
/// Most certificates of one role.
const CERTIFICATES: usize = 200;
/// Most features, and most languages.
const WORDS: usize = 100;
/// Longest challenge and number of a dialog, in bytes.
const CHALLENGE: usize = 1_000;

/// `osci:ControlBlock`.
pub(crate) fn control<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<ControlBlock> {
    let conversation = element.attribute("ConversationId").map(digits).transpose()?;
    let sequence = element.number("SequenceNumber")?;
    let mut children = Children::of(reader)?;
    let response = children.optional(OSCI, "Response", challenge)?;
    let challenge = children.optional(OSCI, "Challenge", challenge)?;
    children.done()?;
    Ok(ControlBlock { response, challenge, conversation, sequence })
}

fn digits(text: &str) -> Result<String> {
    let is_number =
        !text.is_empty() && text.len() <= CHALLENGE && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(text.to_owned()) } else { Err(Error::Refused(Code::DIALOG)) }
}

fn challenge<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<String> {
    let text = text(reader)?;
    let is_sound = text.len() <= CHALLENGE && !text.chars().any(char::is_whitespace);
    if is_sound { Ok(text) } else { Err(Error::Refused(Code::DIALOG)) }
}

/// `osci:DesiredLanguages`.
pub(crate) fn languages<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Vec<String>> {
    let list = element.required("LanguagesList")?;
    let languages: Vec<String> = list.split_ascii_whitespace().take(WORDS).map(str::to_owned).collect();
    end(reader)?;
    if languages.is_empty() { Err(Error::Malformed("LanguagesList is empty")) } else { Ok(languages) }
}

/// `osci:QualityOfTimestamp`.
pub(crate) fn time_stamp<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
) -> Result<QualityOfTimestamp> {
    let of_creation = one_of(element.required("Service")?, "creation", "reception")?;
    let cryptographic = one_of(element.required("Quality")?, "cryptographic", "plain")?;
    end(reader)?;
    Ok(QualityOfTimestamp { of_creation, cryptographic })
}

fn one_of(text: &str, yes: &str, no: &str) -> Result<bool> {
    match text {
        _ if text == yes => Ok(true),
        _ if text == no => Ok(false),
        _ => Err(Error::Malformed("QualityOfTimestamp has an unknown value")),
    }
}

/// `osci2017:FeatureDescription`. Corrigendum 8 spells the time-out with a capital O.
pub(crate) fn features<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Features> {
    let timeout = element.number("ChunkMessageTimeout")?;
    let mut features = Features {
        chunk_message_timeout: timeout.or(element.number("ChunkMessageTimeOut")?),
        max_chunk_size: element.number("MaxChunkSize")?,
        max_message_size: element.number("MaxMessageSize")?,
        min_chunk_size: element.number("MinChunkSize")?,
        supported: Vec::new(),
    };
    let mut children = Children::of(reader)?;
    let supported = children.optional(SUPPLEMENT, "SupportedFeatures", |reader, _| {
        let mut children = Children::of(reader)?;
        let supported = children.many((SUPPLEMENT, "Feature"), WORDS, |reader, element| {
            let feature = (element.required("Key")?.to_owned(), element.required("Version")?.to_owned());
            end(reader)?;
            Ok(feature)
        })?;
        children.done()?;
        Ok(supported)
    })?;
    children.done()?;
    features.supported = supported.unwrap_or_default();
    Ok(features)
}

/// `osci:NonIntermediaryCertificates`. The field writes the last two in either order.
pub(crate) fn certificates<R: BufRead>(reader: &mut Reader<R>) -> Result<Certificates> {
    let mut children = Children::of(reader)?;
    let one = certificate::<R>;
    let mut all = Certificates {
        cipher_originator: children.optional(OSCI, "CipherCertificateOriginator", one)?,
        cipher_other_authors: children.many((OSCI, "CipherCertificateOtherAuthor"), CERTIFICATES, one)?,
        cipher_addressee: children.optional(OSCI, "CipherCertificateAddressee", one)?,
        cipher_other_readers: children.many((OSCI, "CipherCertificateOtherReader"), CERTIFICATES, one)?,
        signature_originator: children.optional(OSCI, "SignatureCertificateOriginator", one)?,
        signature_addressee: children.optional(OSCI, "SignatureCertificateAddressee", one)?,
        signature_other_authors: children.many(
            (OSCI, "SignatureCertificateOtherAuthor"),
            CERTIFICATES,
            one,
        )?,
        block: None,
    };
    if all.signature_addressee.is_none() {
        all.signature_addressee = children.optional(OSCI, "SignatureCertificateAddressee", one)?;
    }
    children.done()?;
    Ok(all)
}

/// `osci:IntermediaryCertificates`.
pub(crate) fn intermediary<R: BufRead>(reader: &mut Reader<R>) -> Result<IntermediaryCertificates> {
    let mut children = Children::of(reader)?;
    let cipher = children.optional(OSCI, "CipherCertificateIntermediary", certificate)?;
    let signature = children.optional(OSCI, "SignatureCertificateIntermediary", certificate)?;
    children.done()?;
    Ok(IntermediaryCertificates { cipher, signature })
}

fn certificate<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Named> {
    let id = element.required("Id")?.to_owned();
    let mut children = Children::of(reader)?;
    let der = children.required(DS, "X509Data", |reader, _| {
        let mut children = Children::of(reader)?;
        let der = children.required(DS, "X509Certificate", |reader, _| {
            let mut written = reader.read_text(CERTIFICATE)?;
            written.retain(|c| !c.is_ascii_whitespace());
            STANDARD.decode(written).map_err(|_| Error::Malformed("a certificate is not base64"))
        })?;
        children.done()?;
        Ok(der)
    })?;
    children.done()?;
    let certificate =
        Certificate::from_der(&der).map_err(|_| Error::Malformed("a certificate is none of X.509"))?;
    Ok(Named { id, certificate })
}
