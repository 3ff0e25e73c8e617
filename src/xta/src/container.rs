//! `GenericContentContainer` (XTA 2 version 3, `XTA-Webservice-Datentypen.xsd`), the contents of a message, read and
//! written as a stream: as base64 in the envelope, or as parts of a package that it names (MTOM).
//!
//! A container that its author encrypted (`xenc:EncryptedData`) is one content: the element as a document.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use soap::message::Incoming;
use soap::mime::{self, Base64Decoder, NewPart, encode_base64};
use soap::{Error as SoapError, xop};
use xml::{Canonical, Event, Form, Node, Reader, Start};

use crate::error::{Error, Exception, Fault, Result};
use crate::model::{Content, ContentRole};
use crate::server::backend::{Contents, Receiving};

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
/// [`Write`] fails with, within an [`io::Error`], comes out as it is.
pub fn read<R: Read>(
    incoming: &mut Incoming<R>,
    receiving: &mut dyn Receiving,
    limits: &Limits,
) -> Result<()> {
    read_container(incoming, receiving, limits).map_err(unwrap)
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
    receiving: &mut dyn Receiving,
    limits: &Limits,
) -> Result<()> {
    if !incoming.child()? || !incoming.body().current().is(XTA, "GenericContentContainer") {
        return Err(malformed("the body holds no container"));
    }
    let mut waiting = Waiting::default();
    match next_child(incoming)? {
        Child::Contents => read_contents(incoming, receiving, limits, &mut waiting)?,
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
    receiving: &mut dyn Receiving,
    limits: &Limits,
    waiting: &mut Waiting,
) -> Result<()> {
    for index in 0.. {
        let role = match next_child(incoming)? {
            Child::Message if index == 0 => ContentRole::Message,
            Child::Attachment if index > 0 => ContentRole::Attachment,
            Child::None if index > 0 => return Ok(()),
            _ => return Err(malformed("a container holds one Message, then Attachments")),
        };
        if index >= limits.contents {
            return Err(Fault { code: 9023, exception: Exception::ParameterIsNotValid }.into());
        }
        let content = describe(&incoming.body().current(), role)?;
        read_content(incoming.body(), receiving, index, content, waiting)?;
    }
    Ok(())
}

/// Reads the attributes of a content.
fn describe(start: &Start<'_>, role: ContentRole) -> Result<Content> {
    let text = |name: &str| start.attribute(name).map(str::to_owned);
    let size = start.attribute("size").map(|size| size.trim().parse()).transpose();
    Ok(Content {
        role,
        media_type: text("contentType").ok_or_else(|| malformed("a content without its contentType"))?,
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
    receiving: &mut dyn Receiving,
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
    fn fill<R: Read>(mut self, incoming: &mut Incoming<R>, receiving: &mut dyn Receiving) -> Result<()> {
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
fn read_encrypted<R: Read>(incoming: &mut Incoming<R>, receiving: &mut dyn Receiving) -> Result<()> {
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
    match (start.namespace(), start.local()) {
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

/// Writes the container into an open body: contents as base64 or, `as_package`, as names of the parts that
/// [`write_parts`] then writes. An encrypted one stands in the envelope in either case.
///
/// # Errors
/// If the contents are not a message with its attachments or one encrypted document, or cannot be read.
pub fn write<W: Write>(writer: &mut xml::Writer<W>, contents: &dyn Contents, as_package: bool) -> Result<()> {
    let list = contents.list();
    check_roles(list)?;
    writer.start("xta:GenericContentContainer", &[("xmlns:xta", XTA)])?;
    if is_encrypted(list) {
        write_encrypted(writer, contents.open(0)?)?;
        return Ok(writer.end()?);
    }
    writer.start("xta:ContentContainer", &[])?;
    for (index, (content, bytes)) in list.iter().enumerate() {
        start_content(writer, content)?;
        match as_package {
            true => xop::write(writer, &content_id(index))?,
            false => {
                let written = encode_base64(contents.open(index)?, |letters| writer.text(letters))?;
                check_length(written, *bytes)?;
            }
        }
        writer.end()?;
    }
    writer.end()?;
    Ok(writer.end()?)
}

/// Writes the parts that a container written `as_package` names, behind the root of the package.
///
/// # Errors
/// If a content cannot be read, or is not as long as it says.
pub fn write_parts<W: Write>(package: &mut mime::Writer<W>, contents: &dyn Contents) -> Result<()> {
    if is_encrypted(contents.list()) {
        return Ok(());
    }
    for (index, (_, bytes)) in contents.list().iter().enumerate() {
        package.begin(&NewPart::attachment(&content_id(index)))?;
        check_length(io::copy(&mut contents.open(index)?, package)?, *bytes)?;
    }
    Ok(())
}

/// Content-ID of the part with the content of this index.
fn content_id(index: usize) -> String {
    format!("content-{index}@xta")
}

fn is_encrypted(list: &[(Content, u64)]) -> bool {
    matches!(list, [(only, _)] if only.role == ContentRole::Encrypted)
}

fn check_roles(list: &[(Content, u64)]) -> Result<()> {
    let is_sound = match list {
        [(message, _), attachments @ ..] if message.role == ContentRole::Message => {
            attachments.iter().all(|(content, _)| content.role == ContentRole::Attachment)
        }
        list => is_encrypted(list),
    };
    match is_sound {
        true => Ok(()),
        false => Err(unwritable("a container is a message with its attachments, or one encrypted document")),
    }
}

fn check_length(written: u64, promised: u64) -> Result<()> {
    match written == promised {
        true => Ok(()),
        false => Err(unwritable("a content is not as long as it says")),
    }
}

fn unwritable(rule: &'static str) -> Error {
    Error::Soap(SoapError::Write { rule })
}

/// Begins the element of a content.
fn start_content<W: Write>(writer: &mut xml::Writer<W>, content: &Content) -> Result<()> {
    let name = match content.role {
        ContentRole::Message => "xta:Message",
        _ => "xta:Attachment",
    };
    // The schema has no size of nothing.
    let size = content.size.filter(|size| *size > 0).map(|size| size.to_string());
    let attributes = [
        ("contentType", Some(content.media_type.as_str())),
        ("contentDescription", content.description.as_deref()),
        ("encoding", content.encoding.as_deref()),
        ("filename", content.file_name.as_deref()),
        ("id", content.id.as_deref()),
        ("lang", content.language.as_deref()),
        ("size", size.as_deref()),
    ];
    let attributes: Vec<_> =
        attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(writer.start(name, &attributes)?)
}

/// Whether a document is an encrypted container that can be written: well-formed, and an `EncryptedData`.
///
/// # Errors
/// If it cannot be read.
pub fn is_encrypted_document(document: impl Read) -> Result<bool> {
    match write_encrypted(&mut xml::Writer::new(io::sink())?, document) {
        Ok(()) => Ok(true),
        Err(Error::Io(error)) => Err(Error::Io(error)),
        Err(_) => Ok(false),
    }
}

/// Writes the document of an encrypted container, element by element, so that nothing but XML gets into the envelope.
fn write_encrypted<W: Write>(writer: &mut xml::Writer<W>, document: impl Read) -> Result<()> {
    let mut reader = Reader::new(io::BufReader::new(document), xml::Limits::default());
    loop {
        match reader.next()? {
            Event::Start(start) => write_start(writer, &start)?,
            Event::Text(text) => writer.text(text)?,
            Event::End => writer.end()?,
            Event::Eof => return Ok(()),
        }
    }
}

fn write_start<W: Write>(writer: &mut xml::Writer<W>, start: &Start<'_>) -> Result<()> {
    if start.ordinal() == 0 && !start.is(XENC, "EncryptedData") {
        return Err(unwritable("an encrypted container is no EncryptedData"));
    }
    let name = |prefix: Option<&str>, local: &str| match prefix {
        Some(prefix) => format!("{prefix}:{local}"),
        None => local.to_owned(),
    };
    let declared = start.declarations().map(|(prefix, namespace)| match prefix {
        Some(prefix) => (format!("xmlns:{prefix}"), namespace),
        None => ("xmlns".to_owned(), namespace),
    });
    let own = start.attributes().map(|attribute| (name(attribute.prefix, attribute.local), attribute.value));
    let all: Vec<(String, &str)> = declared.chain(own).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    Ok(writer.start(&name(start.prefix(), start.local()), &all)?)
}
