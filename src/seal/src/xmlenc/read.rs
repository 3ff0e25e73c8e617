//! Reading `xenc:EncryptedData` and `xenc:EncryptedKey` (XML Encryption 1.1 sections 3.1 to 3.6), with the parameter
//! `IvLength` and the raw key in `ds:MgmtData` of OSCI-Transport 1.2.
//!
//! The order of elements is that of the schema. What is not understood is refused where it could change the meaning
//! (parameters of an algorithm, transforms), and passed over where it only names a key in another way.

use std::io::{BufRead, Write};

use xml::{Event, Reader};

use super::{DS, OSCI128, XENC, XENC11, base64, transport::ContentKey};
use crate::{
    Error, Result,
    algorithm::{BlockCipher, DigestMethod, KeyTransport},
    x509::MAX_CERTIFICATE,
};

/// Receivers of one content.
const MAX_KEYS: usize = 256;
/// Characters of a wrapped key: RSA of 16,384 bits, with white space.
const MAX_KEY_TEXT: usize = 4 * 1024;
/// Characters of a certificate, with white space.
const MAX_CERTIFICATE_TEXT: usize = MAX_CERTIFICATE * 2;
/// Characters of an address or an id.
const MAX_NAME: usize = 2 * 1024;
/// Characters of numbers, labels and keys in the clear.
const MAX_SHORT_TEXT: usize = 512;

const MASKS: [(DigestMethod, &str); 4] = [
    (DigestMethod::Sha1, "http://www.w3.org/2009/xmlenc11#mgf1sha1"),
    (DigestMethod::Sha256, "http://www.w3.org/2009/xmlenc11#mgf1sha256"),
    (DigestMethod::Sha384, "http://www.w3.org/2009/xmlenc11#mgf1sha384"),
    (DigestMethod::Sha512, "http://www.w3.org/2009/xmlenc11#mgf1sha512"),
];

/// The head of encrypted data: everything but the ciphertext.
#[derive(Debug)]
pub struct EncryptedData {
    /// Attribute `Id`.
    pub id: Option<String>,
    /// Attribute `MimeType`.
    pub mime_type: Option<String>,
    /// The cipher of the content.
    pub cipher: BlockCipher,
    /// Length of the IV in bytes, where the sender says it (`osci128:IvLength`). Without: 12 by XML Encryption, 16 with
    /// OSCI partners.
    pub iv_bytes: Option<usize>,
    /// The content key for each receiver.
    pub keys: Vec<EncryptedKey>,
    /// The content key in the clear (`ds:MgmtData`), inside of something encrypted.
    pub raw_key: Option<ContentKey>,
    /// Where the ciphertext is.
    pub source: CipherSource,
}

/// Where the ciphertext is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CipherSource {
    /// In the CipherValue whose start the reader has just read: [`copy_value`] reads on.
    Value,
    /// Elsewhere (`CipherReference`): the address, such as `cid:osci_enc`.
    Reference(String),
}

/// A content key, wrapped for one receiver.
#[derive(Debug, Clone)]
pub struct EncryptedKey {
    /// How it is wrapped.
    pub transport: KeyTransport,
    /// Digest of OAEP.
    pub digest: DigestMethod,
    /// Digest of the mask generation function of OAEP.
    pub mask: DigestMethod,
    /// Label of OAEP (`OAEPparams`); usually empty.
    pub label: Vec<u8>,
    /// For whom.
    pub receiver: Receiver,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

/// How an encrypted key names its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// By his certificate: the DER.
    Certificate(Vec<u8>),
    /// By the address of his certificate (`RetrievalMethod`), such as `#reader0_cipher`.
    Retrieval(String),
    /// Not, or in a way that is not understood.
    Unnamed,
}

/// Parameters of an EncryptionMethod.
#[derive(Default)]
struct Method {
    algorithm: String,
    key_bits: Option<usize>,
    iv_bytes: Option<usize>,
    digest: Option<DigestMethod>,
    mask: Option<DigestMethod>,
    label: Vec<u8>,
}

impl EncryptedData {
    /// Reads on from the start of `xenc:EncryptedData`, which `reader` has just read. If the ciphertext is elsewhere, up
    /// to and with its end; if it is here, up to the start of the CipherValue: go on with [`copy_value`].
    ///
    /// # Errors
    /// [`Error::EncryptionMalformed`], [`Error::AlgorithmUnknown`], or [`Error::Xml`].
    pub fn read<R: BufRead>(reader: &mut Reader<R>) -> Result<Self> {
        if !reader.current().is(XENC, "EncryptedData") {
            return Err(malformed("no EncryptedData"));
        }
        let (id, mime_type) = (attribute(reader, "Id")?, attribute(reader, "MimeType")?);
        expect_child(reader, XENC, "EncryptionMethod")?;
        let method = Method::read(reader)?;
        let cipher = BlockCipher::from_uri(&method.algorithm)?;
        method.check_cipher(cipher)?;
        let mut data = EncryptedData {
            id,
            mime_type,
            cipher,
            iv_bytes: method.iv_bytes,
            keys: Vec::new(),
            raw_key: None,
            source: CipherSource::Value,
        };
        expect_any_child(reader)?;
        if reader.current().is(DS, "KeyInfo") {
            data.read_key_info(reader)?;
            expect_any_child(reader)?;
        }
        data.source = read_cipher_data(reader)?;
        if data.source != CipherSource::Value {
            end_cipher_data(reader)?;
        }
        Ok(data)
    }

    fn read_key_info<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        while next_child(reader)? {
            let start = reader.current();
            if start.is(XENC, "EncryptedKey") {
                if self.keys.len() >= MAX_KEYS {
                    return Err(malformed("too many encrypted keys"));
                }
                self.keys.push(EncryptedKey::read(reader)?);
            } else if start.is(DS, "MgmtData") {
                let text = zeroize::Zeroizing::new(reader.read_text(MAX_SHORT_TEXT)?);
                let key = ContentKey::from_base64(&text)?;
                if self.raw_key.replace(key).is_some() {
                    return Err(malformed("more than one key"));
                }
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }
}

impl EncryptedKey {
    /// Reads on from the start of `xenc:EncryptedKey`, which `reader` has just read, up to and with its end.
    ///
    /// # Errors
    /// [`Error::EncryptionMalformed`], [`Error::AlgorithmUnknown`], or [`Error::Xml`].
    pub fn read<R: BufRead>(reader: &mut Reader<R>) -> Result<Self> {
        if !reader.current().is(XENC, "EncryptedKey") {
            return Err(malformed("no EncryptedKey"));
        }
        expect_child(reader, XENC, "EncryptionMethod")?;
        let method = Method::read(reader)?;
        let transport = KeyTransport::from_uri(&method.algorithm)?;
        method.check_transport(transport)?;
        let mut receiver = Receiver::Unnamed;
        expect_any_child(reader)?;
        if reader.current().is(DS, "KeyInfo") {
            receiver = read_receiver(reader)?;
            expect_any_child(reader)?;
        }
        if read_cipher_data(reader)? != CipherSource::Value {
            return Err(malformed("the key is elsewhere"));
        }
        let wrapped = base64::decode(&reader.read_text(MAX_KEY_TEXT)?)?;
        end_cipher_data(reader)?;
        let digest = method.digest.unwrap_or(DigestMethod::Sha1);
        let mask = method.mask.unwrap_or(DigestMethod::Sha1);
        Ok(EncryptedKey { transport, digest, mask, label: method.label, receiver, wrapped })
    }
}

/// Decodes the CipherValue whose start was read last into `sink`, and reads on to the end of the EncryptedData around
/// it. Memory does not grow with the length.
///
/// # Errors
/// [`Error::EncryptionMalformed`], [`Error::Xml`], and what the sink says: [`super::Decryptor`]'s errors as they are.
pub fn copy_value<R: BufRead, W: Write>(reader: &mut Reader<R>, sink: &mut W) -> Result<()> {
    let mut decoder = base64::Decoder::default();
    loop {
        match reader.next()? {
            Event::Text(piece) => sink.write_all(decoder.decode(piece)?).map_err(sink_error)?,
            Event::End => break,
            _ => return Err(malformed("an element in a CipherValue")),
        }
    }
    decoder.finish()?;
    end_cipher_data(reader)
}

/// The error of ours inside, or that of a staging file.
fn sink_error(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::EncryptionStaging(other),
    }
}

impl Method {
    fn read<R: BufRead>(reader: &mut Reader<R>) -> Result<Self> {
        let algorithm = algorithm(reader)?;
        let mut method = Method { algorithm, ..Method::default() };
        while next_child(reader)? {
            method.read_parameter(reader)?;
        }
        Ok(method)
    }

    fn read_parameter<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        let start = reader.current();
        let is_second = if start.is(XENC, "KeySize") {
            let bits = reader.read_text(MAX_SHORT_TEXT)?;
            self.key_bits.replace(number(&bits)?).is_some()
        } else if start.is(XENC, "OAEPparams") {
            let label = base64::decode(&reader.read_text(MAX_SHORT_TEXT)?)?;
            !std::mem::replace(&mut self.label, label).is_empty()
        } else if start.is(OSCI128, "IvLength") {
            let bytes = start.attribute("Value").ok_or(malformed("IvLength"))?;
            let is_second = self.iv_bytes.replace(number(bytes)?).is_some();
            end_of_parameter(reader)?;
            is_second
        } else if start.is(XENC11, "MGF") {
            let known = algorithm(reader)?;
            end_of_parameter(reader)?;
            self.mask.replace(mask_from_uri(&known)?).is_some()
        } else if start.is(DS, "DigestMethod") {
            let known = algorithm(reader)?;
            end_of_parameter(reader)?;
            self.digest.replace(DigestMethod::from_uri(&known)?).is_some()
        } else {
            return Err(malformed("unknown parameter of an EncryptionMethod"));
        };
        if is_second { Err(malformed("a parameter of an EncryptionMethod stands twice")) } else { Ok(()) }
    }

    fn check_cipher(&self, cipher: BlockCipher) -> Result<()> {
        let has_others = self.digest.is_some() || self.mask.is_some() || !self.label.is_empty();
        if has_others || self.key_bits.is_some_and(|bits| bits != cipher.key_bytes() * 8) {
            return Err(malformed("parameters of the cipher"));
        }
        Ok(())
    }

    fn check_transport(&self, transport: KeyTransport) -> Result<()> {
        let fits = match transport {
            KeyTransport::RsaOaep => true,
            KeyTransport::RsaOaepMgf1p => matches!(self.mask, None | Some(DigestMethod::Sha1)),
            KeyTransport::Rsa15 => self.mask.is_none() && self.digest.is_none() && self.label.is_empty(),
        };
        if !fits || self.iv_bytes.is_some() {
            return Err(malformed("parameters of the key transport"));
        }
        Ok(())
    }
}

/// The KeyInfo of an EncryptedKey.
fn read_receiver<R: BufRead>(reader: &mut Reader<R>) -> Result<Receiver> {
    let mut receiver = Receiver::Unnamed;
    while next_child(reader)? {
        let start = reader.current();
        let found = if start.is(DS, "RetrievalMethod") {
            let uri = attribute(reader, "URI")?.ok_or(malformed("RetrievalMethod"))?;
            end_of_parameter(reader)?;
            Receiver::Retrieval(uri)
        } else if start.is(DS, "X509Data") {
            read_x509_data(reader)?
        } else {
            reader.skip()?;
            Receiver::Unnamed
        };
        match (&receiver, found) {
            (_, Receiver::Unnamed) => {}
            (Receiver::Unnamed, found) => receiver = found,
            _ => return Err(malformed("more than one receiver of a key")),
        }
    }
    Ok(receiver)
}

fn read_x509_data<R: BufRead>(reader: &mut Reader<R>) -> Result<Receiver> {
    let mut receiver = Receiver::Unnamed;
    while next_child(reader)? {
        if !reader.current().is(DS, "X509Certificate") {
            reader.skip()?;
            continue;
        }
        let der = base64::decode(&reader.read_text(MAX_CERTIFICATE_TEXT)?)?;
        if receiver != Receiver::Unnamed {
            return Err(malformed("more than one receiver of a key"));
        }
        receiver = Receiver::Certificate(der);
    }
    Ok(receiver)
}

/// From the start of a CipherData: to the start of its CipherValue, or to the end of its CipherReference.
fn read_cipher_data<R: BufRead>(reader: &mut Reader<R>) -> Result<CipherSource> {
    if !reader.current().is(XENC, "CipherData") {
        return Err(malformed("no CipherData"));
    }
    expect_any_child(reader)?;
    if reader.current().is(XENC, "CipherValue") {
        return Ok(CipherSource::Value);
    }
    if !reader.current().is(XENC, "CipherReference") {
        return Err(malformed("CipherData"));
    }
    let uri = attribute(reader, "URI")?.ok_or(malformed("CipherReference"))?;
    while next_child(reader)? {
        read_transforms(reader)?;
    }
    Ok(CipherSource::Reference(uri))
}

/// Transforms of a CipherReference: base64 at most, which says nothing (OSCI partners write it always).
fn read_transforms<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    if !reader.current().is(XENC, "Transforms") {
        return Err(malformed("CipherReference"));
    }
    while next_child(reader)? {
        let is_transform = reader.current().is(DS, "Transform");
        if !is_transform || algorithm(reader)? != super::write::BASE64_TRANSFORM {
            return Err(malformed("transform of a CipherReference"));
        }
        end_of_parameter(reader)?;
    }
    Ok(())
}

/// The ends of CipherData and of what is around it; only EncryptionProperties, and the names of a key, may come between.
fn end_cipher_data<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    end_of_parameter(reader)?;
    while next_child(reader)? {
        let start = reader.current();
        let is_known = ["EncryptionProperties", "ReferenceList", "CarriedKeyName"]
            .iter()
            .any(|local| start.is(XENC, local));
        if !is_known {
            return Err(malformed("something behind CipherData"));
        }
        reader.skip()?;
    }
    Ok(())
}

/// Whether another child begins; else the element has ended. Between elements there is nothing but white space.
fn next_child<R: BufRead>(reader: &mut Reader<R>) -> Result<bool> {
    loop {
        match reader.next()? {
            Event::Start(_) => return Ok(true),
            Event::End => return Ok(false),
            Event::Text(text) if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() => {}
            _ => return Err(malformed("text between elements")),
        }
    }
}

fn expect_any_child<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    if next_child(reader)? { Ok(()) } else { Err(malformed("an element is missing")) }
}

fn expect_child<R: BufRead>(reader: &mut Reader<R>, namespace: &str, local: &'static str) -> Result<()> {
    expect_any_child(reader)?;
    if reader.current().is(namespace, local) { Ok(()) } else { Err(malformed(local)) }
}

/// The end of an element that holds nothing more.
fn end_of_parameter<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    if next_child(reader)? { Err(malformed("an element too many")) } else { Ok(()) }
}

fn attribute<R: BufRead>(reader: &Reader<R>, name: &str) -> Result<Option<String>> {
    match reader.current().attribute(name) {
        Some(value) if value.len() > MAX_NAME => Err(malformed("an attribute is too long")),
        value => Ok(value.map(str::to_owned)),
    }
}

fn algorithm<R: BufRead>(reader: &Reader<R>) -> Result<String> {
    attribute(reader, "Algorithm")?.ok_or(malformed("no Algorithm"))
}

pub(super) fn mask_uri(mask: DigestMethod) -> Option<&'static str> {
    MASKS.iter().find(|(it, _)| *it == mask).map(|(_, uri)| *uri)
}

fn mask_from_uri(uri: &str) -> Result<DigestMethod> {
    MASKS.iter().find(|(_, known)| *known == uri).map(|(it, _)| *it).ok_or(Error::AlgorithmUnknown)
}

fn number(text: &str) -> Result<usize> {
    text.trim().parse().map_err(|_| malformed("a number"))
}

fn malformed(what: &'static str) -> Error {
    Error::EncryptionMalformed(what)
}
