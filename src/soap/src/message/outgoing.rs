//! Writing: an envelope with its header blocks and body, and the package around it.

use std::io::Write;

use xml::{escape_text, is_character};

use super::{SOAP_XML, XOP_XML};
use crate::addressing::ADDRESSING;
use crate::envelope::{SOAP_12, check_fragment};
use crate::mime::{self, Boundary, NewPart, Related};
use crate::{Error, Result};

/// Content-ID of the root part of a package that we write.
const ROOT_ID: &str = "envelope@soap";

/// A header block that can be written: an element that declares its namespaces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlock(pub(crate) String);

impl NewBlock {
    /// An element that is XML already.
    ///
    /// # Errors
    /// If it could break out of the header.
    pub fn checked(xml: String) -> Result<Self> {
        check_fragment(&xml)?;
        Ok(NewBlock(xml))
    }

    /// An element of WS-Addressing with a prefix that is declared nowhere else, and a text.
    pub(crate) fn addressing(name: &str, text: &str) -> Result<Self> {
        if !text.chars().all(is_character) {
            return Err(Error::Write { rule: "a character that XML does not allow" });
        }
        let mut xml = format!("<wsa:{name} xmlns:wsa=\"{ADDRESSING}\">");
        escape_text(text, &mut xml);
        xml.push_str("</wsa:");
        xml.push_str(name);
        xml.push('>');
        Ok(NewBlock(xml))
    }
}

/// An envelope that is being written.
pub struct Outgoing<W: Write> {
    writer: xml::Writer<W>,
}

impl<W: Write> Outgoing<W> {
    /// Begins an envelope and its body. Give it a buffered sink: it writes small pieces.
    pub fn new(sink: W, blocks: &[NewBlock]) -> Result<Self> {
        let mut writer = xml::Writer::new(sink)?;
        begin_envelope(&mut writer, blocks)?;
        Ok(Outgoing { writer })
    }

    /// Writes what stands in the body. Elements that are begun here must be ended.
    pub fn body(&mut self) -> &mut xml::Writer<W> {
        &mut self.writer
    }

    /// Ends the envelope, flushes, and gives the sink back.
    pub fn finish(mut self) -> Result<W> {
        self.writer.end()?;
        self.writer.end()?;
        Ok(self.writer.finish()?)
    }
}

/// Writes an envelope up to and with the start of its body, with the prefix `soap`.
pub(crate) fn begin_envelope<W: Write>(writer: &mut xml::Writer<W>, blocks: &[NewBlock]) -> Result<()> {
    writer.start("soap:Envelope", &[("xmlns:soap", SOAP_12)])?;
    if !blocks.is_empty() {
        writer.start("soap:Header", &[])?;
        for NewBlock(xml) in blocks {
            writer.fragment(xml)?;
        }
        writer.end()?;
    }
    Ok(writer.start("soap:Body", &[])?)
}

/// The Content-Type of a bare envelope.
pub fn content_type(action: Option<&str>) -> Result<String> {
    let envelope = envelope_type(action)?;
    Ok(envelope.replacen(SOAP_XML, "application/soap+xml; charset=utf-8", 1))
}

/// Media type of an envelope with its action.
fn envelope_type(action: Option<&str>) -> Result<String> {
    let Some(action) = action else { return Ok(SOAP_XML.to_owned()) };
    if !action.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        return Err(Error::Write { rule: "an action with a character that no address has" });
    }
    Ok(format!("{SOAP_XML}; action=\"{action}\""))
}

/// The frame of a package whose root is an envelope (MTOM section 3.2).
pub struct Package {
    boundary: Boundary,
    envelope_type: String,
}

impl Package {
    /// A package; for the random bytes see [`Boundary::from_random`]. Requests name their action, answers need not.
    pub fn new(random: [u8; 24], action: Option<&str>) -> Result<Self> {
        Ok(Package { boundary: Boundary::from_random(random), envelope_type: envelope_type(action)? })
    }

    /// The value of HTTP's Content-Type.
    pub fn content_type(&self) -> Result<String> {
        let start_info = Some(self.envelope_type.as_str());
        Related { root_type: XOP_XML, root_id: ROOT_ID, start_info }.content_type(&self.boundary)
    }

    /// Begins the package and its root: the envelope is written into what is returned ([`Outgoing::new`] or
    /// [`crate::fault::Fault::write`] with `&mut` of it), then come the parts, each begun there, then its `finish`.
    pub fn begin<W: Write>(&self, sink: W) -> Result<mime::Writer<W>> {
        let escaped = self.envelope_type.replace('"', "\\\"");
        let root_type = format!("{XOP_XML}; charset=UTF-8; type=\"{escaped}\"");
        let mut package = mime::Writer::http(sink, self.boundary.clone());
        package.begin(&NewPart::root(&root_type, ROOT_ID))?;
        Ok(package)
    }
}
