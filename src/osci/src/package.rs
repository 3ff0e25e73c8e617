//! A package taken apart: the XML of a message and its attachments, and whether a signature covers them
//! (OSCI-Transport 1.2, sections 3.1 and 4.1.2).
//!
//! A [`Message`] can be had from an [`Unverified`] in two ways only: by verifying the signature, which must then cover
//! every part, or by saying that there is none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, Read, Write};
use std::ops::Range;

use seal::algorithm::{DigestMethod, Policy};
use seal::x509::Certificate;
use seal::xmldsig::{Elements, Hasher, Key, OutsideDigests, Survey, Verifier};
use seal::xmlenc::Plaintext;
use soap::mime::{self, Decoded, Multipart, NewPart, Part, TransferEncoding};
use xml::Event;

use crate::code::Code;
use crate::message::{Message, Named};
use crate::names::{Kind, OSCI, Order, SOAP};
use crate::read::assembly::Assembly;
use crate::transport::{Limits, kind};
use crate::write::declarations;
use crate::{Error, Result};

/// Longest text of a code in a fault, in bytes.
const CODE: usize = 100;
/// The digest under which attachments are known here.
pub(crate) const OWN_DIGEST: DigestMethod = DigestMethod::Sha256;

/// A package.
#[derive(Debug)]
pub struct Package {
    /// The bytes of the whole package, as it came.
    pub raw: Plaintext,
    /// The XML of the message.
    pub xml: Plaintext,
    /// The other parts, in their order.
    pub attachments: Vec<Attachment>,
    /// Where they stand in the package, by their Content-ID.
    places: HashMap<String, Place>,
    /// Its XML as a message, until somebody asks for it.
    reading: Option<Result<Reading>>,
    /// It does not say what it is, as faults do not.
    is_nameless: bool,
    survey: Survey,
    outside: OutsideDigests,
    limits: xml::Limits,
    has_epilogue: bool,
}

/// A part beside the XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its Content-ID, without angle brackets.
    pub id: String,
    /// Length, in bytes, without transfer encoding.
    pub length: u64,
    /// SHA-256 of these bytes.
    pub digest: Vec<u8>,
}

/// Where an attachment stands in the package, and how.
#[derive(Debug)]
struct Place {
    bytes: Range<u64>,
    encoding: TransferEncoding,
}

/// A message that was read, but not released yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    package: &'a Package,
    reading: Reading,
}

/// What was read of an XML, and where its parts stand in it.
#[derive(Debug)]
struct Reading {
    message: Message,
    /// What is wrong with it beside its signature.
    defect: Option<Error>,
    ordinals: Vec<u64>,
    signature: Option<u64>,
}

impl Package {
    /// Takes a package apart.
    ///
    /// # Errors
    /// If it is no package, its XML no XML, or larger than the limits.
    pub fn open(raw: Plaintext, limits: &Limits) -> Result<Self> {
        let mut parts = Multipart::with_inner_headers(raw.open(), limits.mime())?;
        let first = parts.next_part()?.ok_or(Error::Malformed("a package without parts"))?;
        let xml = content(first, &raw, limits)?;
        let xml_limits = xml::Limits { total_bytes: limits.xml, ..xml::Limits::default() };
        // That it is no message of ours is told before that its XML is broken.
        let kind = kind(&mut xml::Reader::new(xml.open(), xml_limits))?;
        let (reading, survey) = read(kind, &xml, xml_limits)?;
        let wanted = wanted_digests(&survey);
        let (mut attachments, mut places) = (Vec::new(), HashMap::new());
        let mut outside = OutsideDigests::new();
        while let Some(mut part) = parts.next_part()? {
            let id = part.content_id().ok_or(Error::Malformed("an attachment has no Content-ID"))?.to_owned();
            let uri = format!("cid:{id}");
            let also = wanted.get(uri.as_str()).map_or(&[][..], Vec::as_slice);
            let encoding = part.transfer_encoding();
            let (length, bytes, digests) = digests(&mut part, also)?;
            let own = digests.iter().find(|(method, _)| *method == OWN_DIGEST);
            let digest = own.map(|(_, digest)| digest.clone()).unwrap_or_default();
            digests.into_iter().for_each(|(method, digest)| outside.insert(&uri, method, digest));
            places.insert(id.clone(), Place { bytes, encoding });
            attachments.push(Attachment { id, length, digest });
        }
        let has_epilogue = parts.epilogue() > 0;
        drop(parts);
        let limits = xml_limits;
        let (reading, is_nameless) = (Some(reading), kind.is_none());
        Ok(Package {
            raw,
            xml,
            attachments,
            places,
            reading,
            is_nameless,
            survey,
            outside,
            limits,
            has_epilogue,
        })
    }

    /// The message, once.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is none, or [`Error::Refused`] with what a request is to be answered.
    pub fn read(&mut self) -> Result<Unverified<'_>> {
        let reading = self.reading.take().ok_or(Error::Malformed("the message was taken before"))??;
        Ok(Unverified { package: self, reading })
    }

    /// A header block in a foreign namespace, as the only child of a document that declares what the envelope declares; `None` if
    /// the message has none of this name, or more than one.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it has more than `most` bytes.
    pub fn header(
        &self,
        message: &Message,
        (namespace, local): (&str, &str),
        most: u64,
    ) -> Result<Option<String>> {
        let mut named = message.custom.iter().filter(|it| it.namespace == namespace && it.local == local);
        let (Some(header), None) = (named.next(), named.next()) else { return Ok(None) };
        let place = header.block.place.clone();
        if place.end.saturating_sub(place.start) > most {
            return Err(Error::Malformed("a foreign header block is too large"));
        }
        let mut text = format!("<header{}>", declarations(&message.namespaces));
        self.xml.open_range(place).read_to_string(&mut text)?;
        text.push_str("</header>");
        Ok(Some(text))
    }

    /// Whether something stands behind the last part, where no signature covers it.
    pub(crate) fn has_epilogue(&self) -> bool {
        self.has_epilogue
    }

    /// Whether something in the XML has this id.
    pub(crate) fn holds_id(&self, id: &str) -> bool {
        self.survey.place(id).is_some()
    }

    /// The code of a SOAP fault; `None` if this is none. A code that nobody knows reads as 9811.
    ///
    /// # Errors
    /// If it is neither a fault nor says what it is.
    pub fn fault(&self) -> Result<Option<Code>> {
        if !self.is_nameless {
            return Ok(None);
        }
        let mut reader = xml::Reader::new(self.xml.open(), self.limits);
        loop {
            match reader.next()? {
                Event::Start(start) if start.is(SOAP, "Fault") => break,
                Event::Eof => return Err(Error::Malformed("the envelope does not say what it is")),
                _ => {}
            }
        }
        loop {
            match reader.next()? {
                Event::Start(start) if start.is(OSCI, "Code") => break,
                Event::Eof => return Ok(Some(Code::ORDER_INTERNAL)),
                _ => {}
            }
        }
        let digits = reader.read_text(CODE)?;
        Ok(Some(Code::parse(digits.trim()).unwrap_or(Code::ORDER_INTERNAL)))
    }

    /// The bytes of an attachment without transfer encoding, read where they stand; `None` if there is none of this id.
    pub(crate) fn attachment(&self, id: &str) -> Option<Box<dyn Read + '_>> {
        let place = self.places.get(id)?;
        let bytes = self.raw.open_range(place.bytes.clone());
        Some(match place.encoding {
            TransferEncoding::Identity => Box::new(bytes),
            TransferEncoding::Base64 => Box::new(Decoded::new(bytes)),
        })
    }

    /// Gives each attachment to `take`, one after the other.
    pub(crate) fn each_attachment(
        &self,
        mut take: impl FnMut(&Attachment, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        for attachment in &self.attachments {
            let bytes = self.attachment(&attachment.id);
            take(attachment, &mut *bytes.ok_or(Error::Malformed("an attachment is missing"))?)?;
        }
        Ok(())
    }

    /// Copies all attachments into another package.
    pub(crate) fn copy_attachments<W: Write>(&self, writer: &mut mime::Writer<W>) -> Result<()> {
        self.each_attachment(|attachment, bytes| {
            writer.begin(&NewPart::attachment(&attachment.id).with_length(attachment.length))?;
            std::io::copy(bytes, writer)?;
            Ok(())
        })
    }
}

/// Reads an XML and surveys it in one pass. If it is no message that is told once somebody asks for one; the error here is that
/// it is no XML, or cannot be surveyed.
fn read(kind: Option<Kind>, xml: &Plaintext, limits: xml::Limits) -> Result<(Result<Reading>, Survey)> {
    let mut elements = Elements::surveyed(xml.open(), limits, |depth, start| {
        depth == 3 || (depth == 2 && !start.is(SOAP, "Header"))
    });
    let reading = match kind {
        Some(kind) => Reading::of(kind, &mut elements),
        None => Err(Error::Malformed("the envelope does not say what it is")),
    };
    let has_failed = elements.has_failed();
    match (reading, elements.into_survey()) {
        (reading, Ok(survey)) => Ok((reading, survey)),
        // Whoever read has said why.
        (Err(error), Err(_)) if has_failed => Err(error),
        (_, Err(error)) => Err(error.into()),
    }
}

impl Reading {
    fn of<R: BufRead>(kind: Kind, elements: &mut Elements<R>) -> Result<Self> {
        let mut assembly = Assembly::new(kind);
        // The blocks of one Header, and then one Body: whoever reads the first and whoever reads the last see the same.
        let (mut header, mut has_body) = (None, false);
        while let Some(mut element) = elements.next()? {
            let parent = element.place.parent;
            let is_body = element.place.depth == 2;
            let reader = element.reader()?;
            if has_body || (is_body && !reader.current().is(SOAP, "Body")) {
                return Err(Error::Malformed("the envelope has something beside Header and Body"));
            }
            if is_body {
                has_body = true;
                assembly.body(reader)?;
            } else if header.is_none() || header == parent {
                header = parent;
                assembly.header_block(reader)?;
            } else {
                return Err(Error::Malformed("a second Header"));
            }
        }
        let (ordinals, signature) = (std::mem::take(&mut assembly.ordinals), assembly.signature);
        let (message, defect) = assembly.finish()?;
        Ok(Reading { message, defect, ordinals, signature })
    }
}

/// The content of a part: where it stands in the package, unless it is encoded there.
fn content<R: Read>(mut part: Part<'_, R>, raw: &Plaintext, limits: &Limits) -> Result<Plaintext> {
    if part.transfer_encoding() != TransferEncoding::Identity {
        let mut staging = limits.staging();
        std::io::copy(&mut part, &mut staging)?;
        return Ok(staging.finish());
    }
    let from = part.offset();
    let mut to = from;
    loop {
        let count = part.fill_buf()?.len();
        if count == 0 {
            return Ok(raw.part(from..to));
        }
        part.consume(count);
        to += count as u64;
    }
}

/// The digest methods by which signatures name things outside of the XML.
fn wanted_digests(survey: &Survey) -> BTreeMap<&str, Vec<DigestMethod>> {
    let mut wanted: BTreeMap<&str, Vec<DigestMethod>> = BTreeMap::new();
    for reference in survey.signatures().iter().flat_map(|signature| &signature.references) {
        let (Some(uri), Some(method)) = (reference.uri.as_deref(), reference.digest_method) else { continue };
        let methods = wanted.entry(uri).or_default();
        if uri.starts_with("cid:") && !methods.contains(&method) {
            methods.push(method);
        }
    }
    wanted
}

type Digests = Vec<(DigestMethod, Vec<u8>)>;

/// Length and place of a part, and its digests by our own method and by others.
fn digests<R: Read>(part: &mut Part<'_, R>, also: &[DigestMethod]) -> Result<(u64, Range<u64>, Digests)> {
    let others = also.iter().filter(|method| **method != OWN_DIGEST);
    let mut hashers = Vec::new();
    for method in std::iter::once(&OWN_DIGEST).chain(others) {
        hashers.push((*method, Hasher::new(*method)?));
    }
    let from = part.offset();
    let (mut length, mut to) = (0, from);
    loop {
        let piece = part.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        for (_, hasher) in &mut hashers {
            hasher.write_all(piece)?;
        }
        let count = piece.len();
        length += count as u64;
        part.consume(count);
        // At the part's end the delimiter is passed, too.
        to = part.offset();
    }
    let finished = hashers.into_iter().map(|(method, hasher)| Ok((method, hasher.finish()?)));
    Ok((length, from..to, finished.collect::<Result<_>>()?))
}

impl Unverified<'_> {
    /// Whether the message claims to be signed.
    pub fn is_signed(&self) -> bool {
        self.reading.signature.is_some()
    }

    /// What the message says of itself, for answering that it cannot be believed; for nothing else.
    pub fn unbelieved(&self) -> &Message {
        &self.reading.message
    }

    /// The message, if nobody signed it: the caller has decided that this will do.
    ///
    /// # Errors
    /// [`Error::Refused`] with 9601 if somebody did; [`Error::Malformed`] if it breaks the rules of its kind.
    pub fn unsigned(self) -> Result<Message> {
        if self.is_signed() {
            return Err(Error::Refused(Code::SIGNATURE));
        }
        self.reading.defect.map_or(Ok(self.reading.message), Err)
    }

    /// The message and who signed it, if the signature is right and covers every header block, the body and every
    /// attachment. Whether the signer is to be trusted is another question.
    ///
    /// # Errors
    /// [`Error::Refused`] with 9600 (unsigned), 9601 (wrong) or 9602 (does not cover everything); [`Error::Malformed`] if
    /// the message breaks the rules of its kind.
    pub fn verify(self, policy: &Policy) -> Result<(Message, Certificate)> {
        let Reading { message, defect, ordinals, signature } = self.reading;
        let block = signature.ok_or(Error::Refused(Code::UNSIGNED))?;
        let survey = &self.package.survey;
        let mut within = survey.signatures().iter().filter(|signature| signature.place.parent == Some(block));
        let (Some(signature), None) = (within.next(), within.next()) else {
            return Err(Error::Refused(Code::SIGNATURE));
        };
        let [retrieval] = signature.key_info.retrieval.as_slice() else {
            return Err(Error::Refused(Code::SIGNATURE));
        };
        let signer = signer(&message).ok_or(Error::Refused(Code::SIGNATURE))?;
        let is_meant = retrieval.uri.strip_prefix('#') == Some(signer.id.as_str());
        if !is_meant || !signer.certificate.key_usage().may_sign() {
            return Err(Error::Refused(Code::SIGNATURE));
        }
        let verifier = Verifier {
            survey,
            key: &Key::Certificate(signer.certificate.clone()),
            policy: *policy,
            outside: &self.package.outside,
            library_form: false,
        };
        let verified = verifier
            .verify(signature, self.package.xml.open())
            .map_err(|_| Error::Refused(Code::SIGNATURE))?;
        let covers_blocks = ordinals.iter().all(|ordinal| verified.require(*ordinal).is_ok());
        let outside: HashSet<&str> =
            verified.outside().iter().filter_map(|uri| uri.strip_prefix("cid:")).collect();
        let covers_attachments = self.package.attachments.iter().all(|it| outside.contains(it.id.as_str()));
        if !covers_blocks || !covers_attachments {
            return Err(Error::Refused(Code::NOT_ALL_SIGNED));
        }
        let certificate = signer.certificate.clone();
        defect.map_or(Ok((message, certificate)), Err)
    }
}

/// The certificate that signs this kind of message.
fn signer(message: &Message) -> Option<&Named> {
    match message.kind {
        Kind::Order(Order::AcceptDelivery | Order::ProcessDelivery) => {
            message.intermediary.signature.as_ref()
        }
        Kind::Answer(Order::AcceptDelivery) => message.certificates.signature_addressee.as_ref(),
        Kind::Order(_) | Kind::Answer(Order::ProcessDelivery) => {
            message.certificates.signature_originator.as_ref()
        }
        Kind::Answer(_) => message.intermediary.signature.as_ref(),
        Kind::Encrypted => None,
    }
}
