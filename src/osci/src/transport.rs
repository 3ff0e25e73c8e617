//! The envelope of encryption around a message: OSCI-Transport 1.2, section 3.2 ("Nachrichtenebene"), schema
//! `soapMessageEncrypted.xsd`. A package that comes in the clear passes through here, too.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};

use seal::algorithm::{BlockCipher, Policy};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmlenc::{
    CipherSource, ContentKey, DataWriter, Decryptor, EncryptedData, Encryptor, GCM_IV_BYTES,
    GCM_OLD_IV_BYTES, OaepHash, Plaintext, Receiver, Staging,
};
use soap::mime::{self, Boundary, Multipart, NewPart};
use xml::{Event, Reader};

use crate::code::Code;
use crate::names::{ENVELOPE, Kind, SOAP, XENC, XSI};
use crate::{Error, Result};

/// The Content-ID of the encrypted part.
const PART: &str = "osci_enc";
/// Longest XML of an envelope of encryption, in bytes.
const ENVELOPE_BYTES: u64 = 4 << 20;
/// Bytes that are copied at a time.
const PIECE: usize = 64 * 1024;

/// How much is taken in.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a package, encrypted or not.
    pub package: u64,
    /// Bytes of the XML of a message.
    pub xml: u64,
    /// Parts of a package.
    pub parts: usize,
    /// Bytes of a package that are kept in memory; the rest goes into a file without a name.
    pub memory: usize,
    /// What is taken of messages in chunks. As a whole they are packages.
    pub chunks: ChunkLimits,
}

/// What is taken of messages in chunks (supplement of 2017). Sizes in units of 1,024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Least size of a chunk; the last one may be smaller.
    pub smallest: u64,
    /// Greatest size of a chunk.
    pub largest: u64,
    /// Most chunks of a message.
    pub most: u32,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        ChunkLimits { smallest: 1, largest: 64 << 10, most: 5_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let (package, xml) = (600 << 20, 64 << 20);
        Limits { package, xml, parts: 10_001, memory: 1 << 20, chunks: ChunkLimits::default() }
    }
}

impl Limits {
    pub(crate) fn mime(&self) -> mime::Limits {
        mime::Limits { parts: self.parts, total_bytes: self.package }
    }

    pub(crate) fn staging(&self) -> Staging {
        Staging::new(self.memory, self.package)
    }
}

/// A package as it came, without its envelope of encryption.
#[derive(Debug)]
pub struct Opened {
    /// The bytes of the package.
    pub package: Plaintext,
    /// How it was encrypted; `None` if it came in the clear.
    pub protection: Option<Protection>,
}

/// How a package was encrypted.
#[derive(Debug, Clone)]
pub struct Protection {
    /// The certificate for which it was encrypted: one of ours.
    pub certificate: Certificate,
    /// The cipher.
    pub cipher: BlockCipher,
    /// Whether the sender knows IVs of 12 bytes.
    pub knows_short_iv: bool,
}

impl Protection {
    /// Whether anybody can change what is encrypted, since the cipher has no tag. Different answers to changed orders
    /// would then tell what they say; so until a signature is found to be right, whatever is wrong must be told like a
    /// wrong ciphertext (9202).
    pub fn is_malleable(&self) -> bool {
        !self.cipher.is_authenticated()
    }
}

/// Takes a package in, and decrypts it with whichever of our keys it names.
///
/// # Errors
/// [`Error::Refused`] with 9100 (no message), 9200 (not for a key of ours) or 9202 (cannot be decrypted);
/// [`Error::Io`] if `input` fails.
pub fn open(input: impl Read, keys: &[Identity], policy: &Policy, limits: &Limits) -> Result<Opened> {
    let copy = RefCell::new(Some(limits.staging()));
    let mut input = input.take(limits.package + 1);
    let tee = Tee { input: &mut input, copy: &copy };
    let mut parts = Multipart::with_inner_headers(tee, limits.mime()).map_err(no_message)?;
    let mut envelope = Vec::new();
    let first = parts.next_part().map_err(no_message)?.ok_or(Error::Refused(Code::NO_MESSAGE))?;
    // An envelope of encryption is small. If it is something else, reading goes on from the copy.
    let mut first = first.take(ENVELOPE_BYTES);
    first.read_to_end(&mut envelope).map_err(no_message)?;
    let mut reader = Reader::new(&envelope[..], xml::Limits::default());
    if kind(&mut reader).map_err(no_message)? != Some(Kind::Encrypted) {
        first.set_limit(limits.xml.saturating_sub(envelope.len() as u64).saturating_add(1));
        // What is read is copied. What has too much of anything is not read to its end.
        skip_xml(first)?;
        while parts.next_part().map_err(no_message)?.is_some() {}
        drop(parts);
        let copy = copy.into_inner().ok_or(Error::Refused(Code::INTERNAL))?;
        return Ok(Opened { package: copy.finish(), protection: None });
    }
    drop(first);
    copy.replace(None);
    let data = encrypted_data(&mut reader).map_err(no_message)?;
    let (key, protection) = own_key(&data, keys, policy)?;
    let package = decrypt(&mut parts, &data, key, policy, limits)?;
    Ok(Opened { package, protection: Some(protection) })
}

/// For whom a package is encrypted; nobody if it came in the clear.
///
/// # Errors
/// [`Error::Refused`] with 9100 if it is no message.
pub fn receivers(input: impl Read, limits: &Limits) -> Result<Vec<Certificate>> {
    let mut parts =
        Multipart::with_inner_headers(input.take(limits.package), limits.mime()).map_err(no_message)?;
    let mut envelope = Vec::new();
    let first = parts.next_part().map_err(no_message)?.ok_or(Error::Refused(Code::NO_MESSAGE))?;
    first.take(ENVELOPE_BYTES).read_to_end(&mut envelope).map_err(no_message)?;
    let mut reader = Reader::new(&envelope[..], xml::Limits::default());
    if kind(&mut reader).map_err(no_message)? != Some(Kind::Encrypted) {
        return Ok(Vec::new());
    }
    let mut receivers = Vec::new();
    for wrapped in encrypted_data(&mut reader).map_err(no_message)?.keys {
        let Receiver::Certificate(der) = &wrapped.receiver else { continue };
        receivers.push(Certificate::from_der(der).map_err(no_message)?);
    }
    Ok(receivers)
}

/// Reads the rest of an XML in the clear, which must end before the limit.
fn skip_xml<R: Read>(mut first: io::Take<mime::Part<'_, R>>) -> Result<()> {
    io::copy(&mut first, &mut io::sink()).map_err(no_message)?;
    if first.limit() == 0 { Err(Error::Refused(Code::NO_MESSAGE)) } else { Ok(()) }
}

/// What is no message, unless a better code is known or the fault is on our side.
fn no_message(error: impl Into<Error>) -> Error {
    match error.into() {
        error @ (Error::Refused(_) | Error::Io(_)) => error,
        _ => Error::Refused(Code::NO_MESSAGE),
    }
}

/// Every failure alike, so that nobody learns from it, unless our own disk failed.
fn not_decrypted(error: seal::Error) -> Error {
    match error {
        seal::Error::EncryptionStaging(error) => Error::Io(error),
        _ => Error::Refused(Code::NOT_DECRYPTED),
    }
}

/// What kind of message an XML is that was just opened, by its root's `xsi:schemaLocation`; `None` if it has none, as faults.
///
/// # Errors
/// [`Error::Refused`] with 9300 for a kind that nobody knows, others if it is no SOAP envelope.
pub(crate) fn kind<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Kind>> {
    let Event::Start(start) = reader.next()? else { return Err(Error::Malformed("there is no envelope")) };
    if !start.is(SOAP, "Envelope") {
        return Err(Error::Malformed("the root is no SOAP envelope"));
    }
    let Some(location) = start.attribute_ns(XSI, "schemaLocation") else { return Ok(None) };
    Kind::from_schema_location(location).map(Some).ok_or(Error::Refused(Code::NO_ORDER))
}

/// The EncryptedData in the body of an envelope of encryption, whose root was read.
fn encrypted_data<R: BufRead>(reader: &mut Reader<R>) -> Result<EncryptedData> {
    let mut data = None;
    loop {
        match reader.next()? {
            Event::Start(start) if data.is_none() && start.is(XENC, "EncryptedData") => {}
            Event::Eof => return data.ok_or(Error::Malformed("the envelope holds nothing encrypted")),
            _ => continue,
        }
        data = Some(EncryptedData::read(reader)?);
    }
}

/// The content key, opened with the key of ours that the envelope names.
fn own_key(data: &EncryptedData, keys: &[Identity], policy: &Policy) -> Result<(ContentKey, Protection)> {
    for wrapped in &data.keys {
        let Receiver::Certificate(der) = &wrapped.receiver else { continue };
        let Some(own) = keys.iter().find(|own| own.certificate().der() == der.as_slice()) else { continue };
        let key = wrapped.open(policy, own, data.cipher).map_err(not_decrypted)?;
        let protection = Protection {
            certificate: own.certificate().clone(),
            cipher: data.cipher,
            knows_short_iv: data.iv_bytes.is_some(),
        };
        return Ok((key, protection));
    }
    Err(Error::Refused(Code::NOT_OUR_KEY))
}

fn decrypt<R: Read>(
    parts: &mut Multipart<R>,
    data: &EncryptedData,
    key: ContentKey,
    policy: &Policy,
    limits: &Limits,
) -> Result<Plaintext> {
    let CipherSource::Reference(uri) = &data.source else { return Err(Error::Refused(Code::NO_MESSAGE)) };
    let iv_bytes = data.iv_bytes.unwrap_or(GCM_OLD_IV_BYTES);
    let mut decryptor =
        Decryptor::new(policy, data.cipher, iv_bytes, key, limits.staging()).map_err(not_decrypted)?;
    let mut part = parts.next_part().map_err(no_message)?.ok_or(Error::Refused(Code::NO_MESSAGE))?;
    let is_meant = uri.strip_prefix("cid:").is_some_and(|id| part.content_id() == Some(id));
    if !is_meant {
        return Err(Error::Refused(Code::NO_MESSAGE));
    }
    loop {
        let piece = part.fill_buf().map_err(no_message)?;
        if piece.is_empty() {
            break;
        }
        decryptor.update(piece).map_err(not_decrypted)?;
        let length = piece.len();
        part.consume(length);
    }
    // A package that is cut off has no closing boundary, and must not look whole.
    if parts.next_part().map_err(no_message)?.is_some() {
        return Err(Error::Refused(Code::NO_MESSAGE));
    }
    decryptor.finish().map_err(not_decrypted)
}

/// Copies everything that is read, as long as the copy is wanted.
struct Tee<'a, R> {
    input: R,
    copy: &'a RefCell<Option<Staging>>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(target)?;
        if let Some(copy) = self.copy.borrow_mut().as_mut() {
            copy.write_all(&target[..count])?;
        }
        Ok(count)
    }
}

/// For whom and how an answer or order is encrypted.
#[derive(Debug, Clone)]
pub struct Sealing<'a> {
    /// The receiver's cipher certificate.
    pub receiver: &'a Certificate,
    /// The cipher.
    pub cipher: BlockCipher,
    /// The digest of OAEP.
    pub oaep: OaepHash,
    /// Whether the receiver knows IVs of 12 bytes.
    pub knows_short_iv: bool,
}

/// Writes a package in an envelope of encryption.
///
/// # Errors
/// What encrypting and the sink say.
pub fn seal<W: Write>(
    package: impl Read,
    sealing: &Sealing<'_>,
    policy: &Policy,
    boundary: Boundary,
    sink: W,
) -> Result<W> {
    let mut package = BufReader::with_capacity(PIECE, package);
    let write = |sink: &mut dyn Write| Ok(io::copy(&mut package, sink).map(drop)?);
    seal_written(write, sealing, policy, boundary, sink)
}

/// The same with a package that `write` writes.
pub(crate) fn seal_written<W: Write>(
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
    sealing: &Sealing<'_>,
    policy: &Policy,
    boundary: Boundary,
    sink: W,
) -> Result<W> {
    let key = ContentKey::random(sealing.cipher)?;
    let receiver = Receiver::Certificate(sealing.receiver.der().to_vec());
    let wrapped = key.wrap(policy, sealing.receiver, sealing.oaep, receiver)?;
    let iv_bytes = if sealing.knows_short_iv { GCM_IV_BYTES } else { GCM_OLD_IV_BYTES };
    let data = DataWriter {
        id: None,
        mime_type: Some("Multipart/Related"),
        cipher: sealing.cipher,
        iv_bytes,
        keys: &[wrapped],
        raw_key: None,
        declares: false,
    };
    let mut writer = mime::Writer::osci(sink, boundary)?;
    writer.begin(&NewPart::osci_message())?;
    writer.write_all(envelope(&data.with_reference(&format!("cid:{PART}"))?).as_bytes())?;
    writer.begin(&NewPart::attachment(PART))?;
    let mut encryptor = Encryptor::new(policy, sealing.cipher, iv_bytes, &key, &mut writer)?;
    write(&mut encryptor)?;
    encryptor.finish()?;
    Ok(writer.finish()?)
}

fn envelope(data: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\r\n<soap:Envelope");
    for (prefix, uri) in ENVELOPE {
        text.push_str(&format!(" xmlns:{prefix}=\"{uri}\""));
    }
    let location = Kind::Encrypted.schema_location();
    text.push_str(&format!(
        " xsi:schemaLocation=\"{location}\"><soap:Body>{data}</soap:Body></soap:Envelope>"
    ));
    text
}
