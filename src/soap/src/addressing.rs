//! WS-Addressing 1.0 (Core section 3, SOAP Binding sections 3 and 6) as far as request and answer over one
//! connection need it: the headers that say which operation is meant and what answers what.

use std::io::BufRead;

use xml::{Event, Reader};

use crate::message::NewBlock;
use crate::{Error, Result};

/// Namespace of WS-Addressing 1.0.
pub const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
/// The address that means the connection that the request came on.
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";

/// Longest address or id, in bytes.
const TEXT_BYTES: usize = 8 * 1024;

/// The headers of WS-Addressing that a message carries. Values are without white space around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// `Action`: the operation.
    pub action: Option<String>,
    /// `MessageID` of the SOAP message, which is not that of what it carries.
    pub message_id: Option<String>,
    /// `To`.
    pub to: Option<String>,
    /// The first `RelatesTo`: the `MessageID` of the request that this answers.
    pub relates_to: Option<String>,
    /// `Address` within `From`.
    pub from: Option<String>,
    /// `Address` within `ReplyTo`.
    pub reply_to: Option<String>,
    /// `Address` within `FaultTo`.
    pub fault_to: Option<String>,
}

/// What is wrong with a header (SOAP Binding section 6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It stands twice.
    Cardinality,
    /// `Action` is not the action that the media type names.
    ActionMismatch,
    /// It is missing.
    Required,
    /// An endpoint without an address.
    MissingAddress,
}

impl Problem {
    /// The subcodes of the fault that tells it, the outer one first.
    pub fn subcodes(self) -> &'static [&'static str] {
        match self {
            Problem::Cardinality => &["InvalidAddressingHeader", "InvalidCardinality"],
            Problem::ActionMismatch => &["InvalidAddressingHeader", "ActionMismatch"],
            Problem::Required => &["MessageAddressingHeaderRequired"],
            Problem::MissingAddress => &["InvalidAddressingHeader", "MissingAddressInEPR"],
        }
    }
}

impl Addressing {
    /// Reads the header block whose start was read last, up to and with its end, if it is one of these. `false`: it
    /// is not, and nothing was read.
    pub(crate) fn take<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<bool> {
        let start = reader.current();
        if start.namespace() != Some(ADDRESSING) {
            return Ok(false);
        }
        let (place, name, is_endpoint) = match start.local() {
            "Action" => (&mut self.action, "Action", false),
            "MessageID" => (&mut self.message_id, "MessageID", false),
            "To" => (&mut self.to, "To", false),
            "RelatesTo" => (&mut self.relates_to, "RelatesTo", false),
            "From" => (&mut self.from, "From", true),
            "ReplyTo" => (&mut self.reply_to, "ReplyTo", true),
            "FaultTo" => (&mut self.fault_to, "FaultTo", true),
            _ => return Ok(false),
        };
        let value = match is_endpoint {
            true => read_address(reader, name)?,
            false => reader.read_text(TEXT_BYTES)?.trim().to_owned(),
        };
        // Of all of them, only this one may stand more than once.
        if place.is_some() && name == "RelatesTo" {
            return Ok(true);
        }
        match place.replace(value) {
            Some(_) => Err(Error::Addressing { problem: Problem::Cardinality, header: name }),
            None => Ok(true),
        }
    }
}

/// The address of an endpoint reference; what else it holds is of no use here.
fn read_address<R: BufRead>(reader: &mut Reader<R>, header: &'static str) -> Result<String> {
    let mut address = None;
    loop {
        match reader.next()? {
            Event::Text(_) => continue,
            Event::Start(start) if start.is(ADDRESSING, "Address") => {}
            Event::Start(_) => {
                reader.skip()?;
                continue;
            }
            Event::End | Event::Eof => break,
        }
        let text = reader.read_text(TEXT_BYTES)?;
        if address.replace(text.trim().to_owned()).is_some() {
            return Err(Error::Message { rule: "an endpoint has two addresses" });
        }
    }
    address.ok_or(Error::Addressing { problem: Problem::MissingAddress, header })
}

/// The headers of an answer on the connection that the request came on.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// Its action.
    pub action: &'a str,
    /// `MessageID` of the request, if it had one.
    pub relates_to: Option<&'a str>,
    /// Its own id; see [`message_id`].
    pub message_id: &'a str,
}

impl Reply<'_> {
    /// The header blocks.
    ///
    /// # Errors
    /// If a value has a character that XML does not allow.
    pub fn blocks(&self) -> Result<Vec<NewBlock>> {
        let mut all = vec![("Action", self.action), ("MessageID", self.message_id)];
        all.extend(self.relates_to.map(|id| ("RelatesTo", id)));
        all.push(("To", ANONYMOUS));
        all.into_iter().map(|(name, value)| NewBlock::addressing(name, value)).collect()
    }
}

/// The headers of a request whose answer comes on its connection.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its action.
    pub action: &'a str,
    /// The address that it is posted to.
    pub to: &'a str,
    /// Its own id; see [`message_id`].
    pub message_id: &'a str,
}

impl Request<'_> {
    /// The header blocks.
    ///
    /// # Errors
    /// If a value has a character that XML does not allow.
    pub fn blocks(&self) -> Result<Vec<NewBlock>> {
        let reply_to = format!(
            "<wsa:ReplyTo xmlns:wsa=\"{ADDRESSING}\"><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>"
        );
        let texts = [("Action", self.action), ("MessageID", self.message_id), ("To", self.to)];
        let texts = texts.into_iter().map(|(name, value)| NewBlock::addressing(name, value));
        texts.chain([Ok(NewBlock(reply_to))]).collect()
    }
}

/// A `MessageID` (`urn:uuid:`, RFC 4122 version 4) of these bytes, which must come fresh from a cryptographic generator.
pub fn message_id(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let hex = hex::encode(random);
    ["urn:uuid:", &hex[..8], "-", &hex[8..12], "-", &hex[12..16], "-", &hex[16..20], "-", &hex[20..]].concat()
}
