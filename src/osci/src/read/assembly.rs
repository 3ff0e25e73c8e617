//! Putting a message together from its header blocks and body (OSCI-Transport 1.2, section 4.1).

use std::io::BufRead;

use xml::{Event, Reader};

use super::{answer, blocks, order};
use crate::element::{Element, child};
use crate::message::{
    Body, Certificates, Content, ControlBlock, CustomHeader, IntermediaryCertificates, Message, Placed,
};
use crate::names::{Kind, OSCI, OSCI2017, SOAP};
use crate::{Error, Result, rules};

/// Most header blocks in foreign namespaces.
const CUSTOM: usize = 100;
/// Most containers of one content package.
const CONTAINERS: u32 = 100_000;

/// A message in the making, and where its parts stand.
pub(crate) struct Assembly {
    message: Message,
    has_control: bool,
    statement: Option<Body>,
    /// The first thing that is wrong with the body. It may be wrong because somebody changed it: that is told by the
    /// signature, which is looked at before.
    defect: Option<Error>,
    /// The start tags of what was read are the n-th of the document.
    pub(crate) ordinals: Vec<u64>,
    /// The same of the signature block, if there is one.
    pub(crate) signature: Option<u64>,
}

impl Assembly {
    pub(crate) fn new(kind: Kind) -> Self {
        let message = Message {
            kind,
            control: ControlBlock::default(),
            languages: Vec::new(),
            time_stamps: Vec::new(),
            body: Body::Plain,
            intermediary: IntermediaryCertificates::default(),
            certificates: Certificates::default(),
            features: None,
            custom: Vec::new(),
            content: None,
            namespaces: Vec::new(),
        };
        let (ordinals, signature) = (Vec::new(), None);
        Assembly { message, has_control: false, statement: None, defect: None, ordinals, signature }
    }

    /// Reads the header block whose start was read last.
    pub(crate) fn header_block<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        let element = Element::current(reader)?;
        let ordinal = reader.current().ordinal();
        if is_signature(self.message.kind, &element) {
            if self.signature.replace(ordinal).is_some() {
                return Err(Error::Malformed("a second signature block"));
            }
            return Ok(reader.skip()?);
        }
        if element.attribute("Id").is_none() {
            return Err(Error::Malformed("a header block has no Id"));
        }
        self.ordinals.push(ordinal);
        match element.namespace.as_str() {
            OSCI | OSCI2017 => self.own_block(reader, &element),
            SOAP => Err(Error::Malformed("a header block in SOAP's namespace")),
            _ => self.custom_block(reader, &element),
        }
    }

    fn own_block<R: BufRead>(&mut self, reader: &mut Reader<R>, element: &Element) -> Result<()> {
        let start = reader.position().offset;
        let message = &mut self.message;
        match (element.namespace.as_str(), element.local.as_str()) {
            (OSCI, "ControlBlock") if !self.has_control => {
                self.has_control = true;
                message.control = blocks::control(reader, element)?;
            }
            (OSCI, "DesiredLanguages") if message.languages.is_empty() => {
                message.languages = blocks::languages(reader, element)?;
            }
            (OSCI, "QualityOfTimestamp") if message.time_stamps.len() < 2 => {
                message.time_stamps.push(blocks::time_stamp(reader, element)?);
            }
            (OSCI, "IntermediaryCertificates") if message.intermediary.is_empty() => {
                message.intermediary = blocks::intermediary(reader)?;
            }
            (OSCI, "NonIntermediaryCertificates") if message.certificates.block.is_none() => {
                message.certificates = blocks::certificates(reader)?;
                let id = element.required("Id")?.to_owned();
                message.certificates.block = Some(Placed { id, place: start..reader.consumed() });
            }
            (OSCI2017, "FeatureDescription") if message.features.is_none() => {
                message.features = Some(blocks::features(reader, element)?);
            }
            _ => self.statement(reader, element)?,
        }
        Ok(())
    }

    fn custom_block<R: BufRead>(&mut self, reader: &mut Reader<R>, element: &Element) -> Result<()> {
        let start = reader.position().offset;
        if self.message.custom.len() == CUSTOM {
            return Err(Error::Malformed("too many foreign header blocks"));
        }
        reader.skip()?;
        self.message.custom.push(CustomHeader {
            namespace: element.namespace.clone(),
            local: element.local.clone(),
            block: Placed { id: element.required("Id")?.to_owned(), place: start..reader.consumed() },
        });
        Ok(())
    }

    /// Reads the element that says what is ordered or answered.
    fn statement<R: BufRead>(&mut self, reader: &mut Reader<R>, element: &Element) -> Result<()> {
        let kind = self.message.kind;
        let Some(of) = kind.order() else { return Err(Error::Malformed("nothing is ordered or answered")) };
        if !element.is(of.namespace(), &kind.element()) || self.statement.is_some() {
            return Err(Error::Malformed("an element that does not belong to this kind of message"));
        }
        self.statement = Some(match kind {
            Kind::Answer(_) => Body::Answer(Box::new(answer::body(reader, of)?)),
            _ => order::body(reader, of)?,
        });
        Ok(())
    }

    /// Reads the body, whose start was read last.
    pub(crate) fn body<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        let start = reader.current();
        if start.attribute("Id").is_none() {
            return Err(Error::Malformed("the Body has no Id"));
        }
        self.ordinals.push(start.ordinal());
        let owned = |(prefix, uri): (Option<&str>, &str)| (prefix.map(str::to_owned), uri.to_owned());
        self.message.namespaces = start.namespaces().into_iter().map(owned).collect();
        let depth = reader.depth();
        if let Err(error) = self.body_children(reader) {
            // Of a document that cannot be read on this is the reason; nobody will say a better one.
            if reader.has_failed() {
                return Err(error);
            }
            self.defect.get_or_insert(error);
        }
        // The rest counts for nothing, but it must be XML.
        while reader.depth() >= depth {
            if let Event::Eof = reader.next()? {
                break;
            }
        }
        Ok(())
    }

    fn body_children<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        while let Some(element) = child(reader)? {
            if !element.is(OSCI, "ContentPackage") {
                self.statement(reader, &element)?;
            } else if self.message.content.replace(content(reader)?).is_some() {
                return Err(Error::Malformed("a second ContentPackage"));
            }
        }
        Ok(())
    }

    /// The message, and what is wrong with it beside its signature.
    pub(crate) fn finish(mut self) -> Result<(Message, Option<Error>)> {
        if !self.has_control {
            return Err(Error::Malformed("there is no ControlBlock"));
        }
        match self.statement {
            Some(statement) => self.message.body = statement,
            None => drop(self.defect.get_or_insert(Error::Malformed("nothing is ordered or answered"))),
        }
        let defect = self.defect.or_else(|| rules::check(&self.message).err());
        Ok((self.message, defect))
    }
}

/// Whether a header block is the signature of this kind of message.
fn is_signature(kind: Kind, element: &Element) -> bool {
    match kind {
        Kind::Answer(_) => element.is(OSCI, "SupplierSignature"),
        _ => element.is(OSCI, "ClientSignature"),
    }
}

/// Looks over `osci:ContentPackage` without reading what is in it.
fn content<R: BufRead>(reader: &mut Reader<R>) -> Result<Content> {
    let start = reader.position().offset;
    let (mut containers, mut encrypted) = (0, 0);
    while let Some(element) = child(reader)? {
        match element.local.as_str() {
            "ContentContainer" if element.namespace == OSCI => containers += 1,
            "EncryptedData" if element.namespace == crate::names::XENC => encrypted += 1,
            _ => return Err(Error::Malformed("a ContentPackage holds something unknown")),
        }
        if containers + encrypted > CONTAINERS {
            return Err(Error::Malformed("too many containers"));
        }
        reader.skip()?;
    }
    Ok(Content { place: start..reader.consumed(), containers, encrypted })
}
