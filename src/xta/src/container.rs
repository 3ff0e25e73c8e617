//! The contents of a message, read and written as a stream: as base64 in the envelope, or as parts of a package that it
//! names (MTOM). In version 3 of XTA 2 a `GenericContentContainer`, in version 5.1.1 a `ContentContainer`, which need not
//! have a `Message` (`XTA-Webservice-Datentypen.xsd` of either).
//!
//! A container that its author encrypted (`xenc:EncryptedData`) is one content: the element as a document.

use std::collections::HashMap;
use std::io::{self, Read};

use soap::message::Incoming;
use soap::mime::{Base64Decoder, encode_base64};
use soap::{Error as SoapError, xop};
use xml::{Canonical, Event, Form, Node, Reader, Start};

use crate::error::{Error, Exception, Fault, Result};
use crate::model::{Content, ContentRole, Version};
use crate::server::backend::Taking;
use crate::v5::names::{CORE, current};

mod writing;

pub use writing::{is_encrypted_document, write, write_parts, write_reply};

/// Namespace of the web service in version 3.
const XTA: &str = "http://xoev.de/transport/xta/211";
/// Namespace of XML Encryption.
const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// Media type of an encrypted container.
const ENCRYPTED_TYPE: &str = "application/xml";
/// White space that may stand within an `Include`, in bytes.
const WITHIN_INCLUDE: usize = 256;

/// How much a container may hold; its bytes are counted by whoever takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Contents. More is refused with the fault 9023.
    pub contents: usize,
}

impl Default for Limits {
    /// 10,000 contents.
    fn default() -> Self {
        Limits { contents: 10_000 }
    }
}

/// Reads the container that is the child of the body, then the message to its end. The reader stands where
/// [`Incoming::header`] leaves it. Each content is given to `receiving`: what stands in the envelope as it comes, what
/// the envelope names afterwards, in the order of the parts.
///
/// # Errors
/// [`Error::Soap`] if it is no container, if names and parts do not fit each other one to one, or if something is no
/// base64; 9023 if there are more contents than allowed; what `receiving` says. An [`Error`] or [`Fault`] that its
/// [`Write`](io::Write) fails with, within an [`io::Error`], comes out as it is.
pub fn read<R: Read>(
    incoming: &mut Incoming<R>,
    receiving: &mut dyn Taking,
    limits: &Limits,
    version: Version,
) -> Result<()> {
    let read = match version {
        Version::V3 => read_container(incoming, receiving, limits),
        Version::V5 => read_core(incoming, receiving, limits),
    };
    read.map_err(unwrap)
}

/// Reads the `ContentContainerReply` of version 5 that is the child of the body, then the message to its end. Whether there
/// is a container in it.
///
/// # Errors
/// As [`read`].
pub fn read_reply<R: Read>(
    incoming: &mut Incoming<R>,
    receiving: &mut dyn Taking,
    limits: &Limits,
) -> Result<bool> {
    let mut waiting = Waiting::default();
    let mut read = || {
        if !incoming.child()? || child(&incoming.body().current()) != Child::Reply {
            return Err(malformed("the body holds no answer"));
        }
        let is_there = match next_child(incoming)? {
            Child::Core => {
                read_contents(incoming, receiving, limits, &mut waiting, Version::V5)?;
                true
            }
            Child::None => false,
            _ => return Err(malformed("an answer holds a ContentContainer")),
        };
        if is_there && next_child(incoming)? != Child::None {
            return Err(malformed("an answer holds more than one thing"));
        }
        incoming.end()?;
        std::mem::take(&mut waiting).fill(incoming, receiving)?;
        Ok(is_there)
    };
    read().map_err(unwrap)
}

/// A container of version 5.
fn read_core<R: Read>(incoming: &mut Incoming<R>, receiving: &mut dyn Taking, limits: &Limits) -> Result<()> {
    if !incoming.child()? || child(&incoming.body().current()) != Child::Core {
        return Err(malformed("the body holds no container"));
    }
    let mut waiting = Waiting::default();
    read_contents(incoming, receiving, limits, &mut waiting, Version::V5)?;
    incoming.end()?;
    waiting.fill(incoming, receiving)
}

/// Takes an error out of those that it travelled in.
fn unwrap(error: Error) -> Error {
    let error = match error {
        Error::Io(error)
        | Error::Soap(SoapError::Io(error))
        | Error::Xml(xml::Error::Io(error))
        | Error::Soap(SoapError::Xml(xml::Error::Io(error))) => error,
        other => return other,
    };
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.downcast::<Fault>() {
        Ok(fault) => Error::Fault(fault),
        Err(error) => match SoapError::from(error) {
            SoapError::Io(error) => Error::Io(error),
            error => Error::Soap(error),
        },
    }
}

fn malformed(rule: &'static str) -> Error {
    Error::Soap(SoapError::Message { rule })
}

fn read_container<R: Read>(
    incoming: &mut Incoming<R>,
    receiving: &mut dyn Taking,
    limits: &Limits,
) -> Result<()> {
    if !incoming.child()? || !incoming.body().current().is(XTA, "GenericContentContainer") {
        return Err(malformed("the body holds no container"));
    }
    let mut waiting = Waiting::default();
    match next_child(incoming)? {
        Child::Contents => read_contents(incoming, receiving, limits, &mut waiting, Version::V3)?,
        Child::Encrypted => read_encrypted(incoming, receiving)?,
        _ => return Err(malformed("a container holds ContentContainer or EncryptedData")),
    }
    if next_child(incoming)? != Child::None {
        return Err(malformed("a container holds more than one thing"));
    }
    incoming.end()?;
    waiting.fill(incoming, receiving)
}

fn read_contents<R: Read>(
    incoming: &mut Incoming<R>,
    receiving: &mut dyn Taking,
    limits: &Limits,
    waiting: &mut Waiting,
    version: Version,
) -> Result<()> {
    for index in 0.. {
        let role = match (next_child(incoming)?, version) {
            (Child::Message, Version::V3) if index == 0 => ContentRole::Message,
            (Child::Attachment, Version::V3) if index > 0 => ContentRole::Attachment,
            (Child::CoreMessage, Version::V5) if index == 0 => ContentRole::Message,
            (Child::CoreAttachment, Version::V5) => ContentRole::Attachment,
            (Child::Extensions, Version::V5) => return Err(Fault::EXTENSION.into()),
            (Child::None, _) if index > 0 => return Ok(()),
            _ => return Err(malformed("a container holds one Message, then Attachments")),
        };
        if index >= limits.contents {
            return Err(Fault { code: 9023, exception: Exception::ParameterIsNotValid }.into());
        }
        let content = describe(&incoming.body().current(), role, version)?;
        read_content(incoming.body(), receiving, index, content, waiting)?;
    }
    Ok(())
}

/// Reads the attributes of a content.
fn describe(start: &Start<'_>, role: ContentRole, version: Version) -> Result<Content> {
    let text = |name: &str| start.attribute(name).map(str::to_owned);
    let media_type = match (text("contentType"), version) {
        (None, Version::V3) => return Err(malformed("a content without its contentType")),
        (media_type, _) => media_type.unwrap_or_default(),
    };
    let size = start.attribute("size").map(|size| size.trim().parse()).transpose();
    Ok(Content {
        role,
        media_type,
        description: text("contentDescription"),
        encoding: text("encoding"),
        file_name: text("filename"),
        id: text("id"),
        language: text("lang"),
        size: size.map_err(|_| malformed("the size of a content is no number"))?,
    })
}

/// Reads the content whose start was read last: base64, or an `Include`, which is then waited for.
fn read_content<R: io::BufRead>(
    reader: &mut Reader<R>,
    receiving: &mut dyn Taking,
    index: usize,
    content: Content,
    waiting: &mut Waiting,
) -> Result<()> {
    let mut decoder = Base64Decoder::new();
    let sink = loop {
        match reader.next()? {
            Event::Text(text) if is_white(text) => {}
            Event::Text(text) => {
                let sink = receiving.content(index, &content)?;
                decoder.decode_into(text.as_bytes(), sink)?;
                break sink;
            }
            Event::Start(start) => {
                let id = include(&start)?;
                read_include(reader)?;
                return match next_event(reader)? {
                    None => waiting.add(id, index, content),
                    Some(rule) => Err(malformed(rule)),
                };
            }
            Event::End | Event::Eof => {
                receiving.content(index, &content)?;
                return Ok(());
            }
        }
    };
    loop {
        match reader.next()? {
            Event::Text(text) => decoder.decode_into(text.as_bytes(), sink)?,
            Event::End | Event::Eof => return Ok(decoder.finish()?),
            Event::Start(_) => return Err(malformed("an element within base64")),
        }
    }
}

/// What stands behind an `Include`, if it is not the end of its parent.
fn next_event<R: io::BufRead>(reader: &mut Reader<R>) -> Result<Option<&'static str>> {
    loop {
        match reader.next()? {
            Event::Text(text) if is_white(text) => {}
            Event::Text(_) => return Ok(Some("text beside an Include")),
            Event::Start(_) => return Ok(Some("an element beside an Include")),
            Event::End | Event::Eof => return Ok(None),
        }
    }
}

/// Content-ID that an `Include` names.
fn include(start: &Start<'_>) -> Result<String> {
    match xop::is_include(start) {
        true => Ok(xop::content_id(start)?),
        false => Err(malformed("a content is neither base64 nor an Include")),
    }
}

/// Reads the `Include` whose start was read last to its end.
fn read_include<R: io::BufRead>(reader: &mut Reader<R>) -> Result<()> {
    match is_white(&reader.read_text(WITHIN_INCLUDE)?) {
        true => Ok(()),
        false => Err(malformed("an Include is not empty")),
    }
}

/// Contents whose parts are still to come, by Content-ID.
#[derive(Default)]
struct Waiting(HashMap<String, (usize, Content)>);

impl Waiting {
    fn add(&mut self, id: String, index: usize, content: Content) -> Result<()> {
        match self.0.insert(id, (index, content)) {
            None => Ok(()),
            Some(_) => Err(malformed("two contents name the same part")),
        }
    }

    /// Gives the parts to whom they belong. Each must be named, and each that is named must be there.
    fn fill<R: Read>(mut self, incoming: &mut Incoming<R>, receiving: &mut dyn Taking) -> Result<()> {
        while let Some(mut part) = incoming.next_part()? {
            let named = part.content_id().and_then(|id| self.0.remove(id));
            let (index, content) = named.ok_or_else(|| malformed("a part that nothing names"))?;
            io::copy(&mut part, receiving.content(index, &content)?)?;
        }
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(malformed("a content names a part that is not there")),
        }
    }
}

/// Reads the `EncryptedData` whose start was read last. What it names is put in its place, so that it stands alone;
/// since it streams, parts must come in the order of their names, as clients write them.
fn read_encrypted<R: Read>(incoming: &mut Incoming<R>, receiving: &mut dyn Taking) -> Result<()> {
    let role = ContentRole::Encrypted;
    let content = Content { role, media_type: ENCRYPTED_TYPE.to_owned(), ..Content::default() };
    let sink = receiving.content(0, &content)?;
    let mut canonical = Canonical::new(Form { exclusive: true, ..Form::default() }, sink);
    canonical.take(&Node::Start(incoming.body().current()))?;
    let depth = incoming.body().depth();
    let mut beside = Beside::Start;
    while incoming.body().depth() >= depth {
        let node = incoming.body().next_node()?;
        let named = beside.step(&node)?;
        let Some(id) = named else {
            canonical.take(&node)?;
            continue;
        };
        read_include(incoming.body())?;
        let part = incoming.next_part()?.filter(|part| part.content_id() == Some(&id));
        let part =
            part.ok_or_else(|| malformed("an Include of encrypted data does not name the next part"))?;
        encode_base64(part, |letters| canonical.take(&Node::Text(letters)))?;
    }
    canonical.finish()?;
    Ok(())
}

/// What came last but for white space: an `Include` stands alone in its parent.
enum Beside {
    Start,
    Include,
    Other,
}

impl Beside {
    /// Takes a node; the Content-ID if it begins an `Include`.
    fn step(&mut self, node: &Node<'_>) -> Result<Option<String>> {
        let is_white = matches!(node, Node::Text(text) if is_white(text));
        match (node, &self) {
            (Node::Start(_) | Node::Text(_), Beside::Include) if !is_white => {
                return Err(malformed("something beside an Include"));
            }
            (Node::Start(start), _) if !xop::is_include(start) => *self = Beside::Start,
            (Node::Start(start), Beside::Start) => {
                *self = Beside::Include;
                return Ok(Some(xop::content_id(start)?));
            }
            (Node::Start(_), _) => return Err(malformed("something beside an Include")),
            (Node::Text(_), _) if is_white => {}
            (Node::Text(_) | Node::End, _) => *self = Beside::Other,
            _ => {}
        }
        Ok(None)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Child {
    Contents,
    Encrypted,
    Message,
    Attachment,
    /// Of version 5, as what follows: `ContentContainer`.
    Core,
    CoreMessage,
    CoreAttachment,
    Extensions,
    /// `ContentContainerReply`.
    Reply,
    Other,
    /// The end of the element.
    None,
}

/// The next child of the innermost open element; only white space may stand between children.
fn next_child<R: Read>(incoming: &mut Incoming<R>) -> Result<Child> {
    loop {
        match incoming.body().next()? {
            Event::Start(start) => return Ok(child(&start)),
            Event::End | Event::Eof => return Ok(Child::None),
            Event::Text(text) if is_white(text) => {}
            Event::Text(_) => return Err(malformed("text between the elements of a container")),
        }
    }
}

fn child(start: &Start<'_>) -> Child {
    match (start.namespace().map(current), start.local()) {
        (Some(CORE), "ContentContainer") => Child::Core,
        (Some(CORE), "Message") => Child::CoreMessage,
        (Some(CORE), "Attachment") => Child::CoreAttachment,
        (Some(CORE), "Extensions") => Child::Extensions,
        (Some(CORE), "ContentContainerReply") => Child::Reply,
        (Some(XTA), "ContentContainer") => Child::Contents,
        (Some(XENC), "EncryptedData") => Child::Encrypted,
        (Some(XTA), "Message") => Child::Message,
        (Some(XTA), "Attachment") => Child::Attachment,
        _ => Child::Other,
    }
}

fn is_white(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
