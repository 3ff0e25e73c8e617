//! Containers written: contents as base64, or as names of the parts of a package and then these parts.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use soap::Error as SoapError;
use soap::mime::{self, NewPart, encode_base64};
use soap::xop;
use xml::{Event, Reader, Start};

use super::{XENC, XTA};
use crate::error::{Error, Result};
use crate::model::{Content, ContentRole, Version};
use crate::server::backend::Contents;
use crate::v5::metadata::Ids;
use crate::v5::names::CORE;

/// Media type of a content that does not say it.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Writes the container into an open body: contents as base64 or, `as_package`, as names of the parts that
/// [`write_parts`] then writes. An encrypted one stands in the envelope in either case.
///
/// # Errors
/// If the contents are not a message with its attachments or one encrypted document, or cannot be read.
pub fn write<W: Write>(
    writer: &mut xml::Writer<W>,
    contents: &dyn Contents,
    as_package: bool,
    version: Version,
) -> Result<()> {
    let list = contents.list();
    check_roles(list)?;
    if version == Version::V5 {
        return write_core(writer, contents, as_package);
    }
    writer.start("xta:GenericContentContainer", &[("xmlns:xta", XTA)])?;
    if is_encrypted(list) {
        write_encrypted(writer, contents.open(0)?)?;
        return Ok(writer.end()?);
    }
    writer.start("xta:ContentContainer", &[])?;
    for (index, (content, _)) in list.iter().enumerate() {
        start_content(writer, index, content)?;
        write_content(writer, contents, index, as_package)?;
    }
    writer.end()?;
    Ok(writer.end()?)
}

/// Writes the `ContentContainerReply` of version 5 into an open body: contents as [`write`] does, or none.
///
/// # Errors
/// As [`write`].
pub fn write_reply<W: Write>(
    writer: &mut xml::Writer<W>,
    contents: Option<&dyn Contents>,
    as_package: bool,
) -> Result<()> {
    writer.start("c:ContentContainerReply", &[("xmlns:c", CORE)])?;
    if let Some(contents) = contents {
        write(writer, contents, as_package, Version::V5)?;
    }
    Ok(writer.end()?)
}

/// A container of version 5. One that its author encrypted is a message like any other there.
fn write_core<W: Write>(
    writer: &mut xml::Writer<W>,
    contents: &dyn Contents,
    as_package: bool,
) -> Result<()> {
    let mut used = HashSet::new();
    writer.start("c:ContentContainer", &[("xmlns:c", CORE)])?;
    for (index, (content, _)) in contents.list().iter().enumerate() {
        let own = content.id.clone().filter(|id| is_id(id) && used.insert(id.clone()));
        let id = own.unwrap_or_else(|| format!("{}content-{index}", Ids::PREFIX));
        start_core_content(writer, content, &id)?;
        write_content(writer, contents, index, as_package)?;
    }
    Ok(writer.end()?)
}

/// Whether this may stand as `xs:ID` beside those that are made here; of names, those of plain letters.
fn is_id(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && text.bytes().all(is_inner) && !text.starts_with(Ids::PREFIX)
}

/// What stands in the open element of a content, and its end.
fn write_content<W: Write>(
    writer: &mut xml::Writer<W>,
    contents: &dyn Contents,
    index: usize,
    as_package: bool,
) -> Result<()> {
    match as_package {
        true => xop::write(writer, &content_id(index))?,
        false => {
            let written = encode_base64(contents.open(index)?, |letters| writer.text(letters))?;
            check_length(written, contents.list().get(index).map_or(0, |(_, bytes)| *bytes))?;
        }
    }
    Ok(writer.end()?)
}

/// Writes the parts that a container written `as_package` names, behind the root of the package.
///
/// # Errors
/// If a content cannot be read, or is not as long as it says.
pub fn write_parts<W: Write>(
    package: &mut mime::Writer<W>,
    contents: &dyn Contents,
    version: Version,
) -> Result<()> {
    if version == Version::V3 && is_encrypted(contents.list()) {
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
        // The first may be an attachment, too: version 5 allows it.
        [(first, _), attachments @ ..] if first.role != ContentRole::Encrypted => {
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

/// Begins the element of a content. The first is the message, since there has to be one.
fn start_content<W: Write>(writer: &mut xml::Writer<W>, index: usize, content: &Content) -> Result<()> {
    let name = if index == 0 { "xta:Message" } else { "xta:Attachment" };
    let media_type = match content.media_type.as_str() {
        "" => UNKNOWN_TYPE,
        media_type => media_type,
    };
    // The schema has no size of nothing.
    let size = content.size.filter(|size| *size > 0).map(|size| size.to_string());
    let attributes = [
        ("contentType", Some(media_type)),
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

/// Begins the element of a content in version 5.
fn start_core_content<W: Write>(writer: &mut xml::Writer<W>, content: &Content, id: &str) -> Result<()> {
    let name = match content.role {
        ContentRole::Message | ContentRole::Encrypted => "c:Message",
        ContentRole::Attachment => "c:Attachment",
    };
    let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let size = content.size.filter(|size| *size > 0).map(|size| size.to_string());
    let attributes = [
        ("contentType", filled(Some(&content.media_type))),
        ("encoding", filled(content.encoding.as_deref())),
        ("filename", filled(content.file_name.as_deref())),
        ("id", Some(id.to_owned())),
        ("size", size),
    ];
    let attributes: Vec<_> =
        attributes.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
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
