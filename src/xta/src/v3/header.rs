//! `MessageMetaData` as a header block of OSCI-Transport 1.2, as libraries of the field write it: the element with an `Id`, in
//! Canonical XML, which declares the namespaces that an envelope of OSCI has.

use std::io::BufRead;

use xml::{Event, Form, Limits, Node, Reader, Start, Writer, canonical_document};

use super::metadata;
use super::names::META;
use crate::deviations::Deviations;
use crate::model::MetaData;
use crate::{Error, Result};

/// `Id` of the block.
pub const ID: &str = "MetaData";
/// Namespace of the block.
pub const NAMESPACE: &str = META;
/// Local name of the block.
pub const LOCAL: &str = "MessageMetaData";
/// The prefix of the field, and ours.
const PREFIX: &str = "oscimeta";
const OWN_PREFIX: &str = "m";

/// Writes the block for an envelope that declares these prefixes.
///
/// # Errors
/// If the metadata hold what cannot be written.
pub fn write(meta: &MetaData, envelope: &[(&str, &str)]) -> Result<String> {
    let mut writer = Writer::new(Vec::new())?;
    metadata::write(&mut writer, meta)?;
    let plain = writer.finish()?;
    let named = with_prefix(&mut Reader::new(plain.as_slice(), Limits::default()), envelope)?;
    let canonical = canonical_document(named.as_slice(), Limits::default(), Form::default(), Vec::new());
    String::from_utf8(canonical?).map_err(|_| Error::Malformed("metadata that are no text"))
}

/// The same document with the prefix of the field, its `Id`, and the namespaces of the envelope.
fn with_prefix<R: BufRead>(reader: &mut Reader<R>, envelope: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new())?;
    loop {
        match reader.next()? {
            Event::Start(start) => {
                let mut attributes = attributes(&start);
                if start.ordinal() == 0 {
                    let around = envelope.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), *uri));
                    attributes.extend(around);
                    attributes.push((format!("xmlns:{PREFIX}"), META));
                    attributes.push(("Id".to_owned(), ID));
                }
                let attributes: Vec<(&str, &str)> =
                    attributes.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                writer.start(&name(&start), &attributes)?;
            }
            Event::Text(text) => writer.text(text)?,
            Event::End => writer.end()?,
            Event::Eof => return Ok(writer.finish()?),
        }
    }
}

fn name(start: &Start<'_>) -> String {
    match start.prefix() {
        Some(OWN_PREFIX) if start.namespace() == Some(META) => format!("{PREFIX}:{}", start.local()),
        Some(prefix) => format!("{prefix}:{}", start.local()),
        None => start.local().to_owned(),
    }
}

/// Declarations and attributes as they stand, but for the prefix that is not needed any more.
fn attributes<'a>(start: &'a Start<'_>) -> Vec<(String, &'a str)> {
    let qualified = |prefix: Option<&str>, local: &str| match prefix {
        Some(prefix) => format!("{prefix}:{local}"),
        None => local.to_owned(),
    };
    let needed = start.declarations().filter(|&it| it != (Some(OWN_PREFIX), META));
    let declared = needed.map(|(prefix, uri)| match prefix {
        Some(prefix) => (format!("xmlns:{prefix}"), uri),
        None => ("xmlns".to_owned(), uri),
    });
    let own = start.attributes().map(|it| (qualified(it.prefix, it.local), it.value));
    declared.chain(own).collect()
}

/// Reads a block again that stands alone in a document, or is the only child of its root. What some in the field write against
/// the schema is accepted.
///
/// # Errors
/// [`Error::Malformed`] if these are no metadata.
pub fn read(document: impl BufRead) -> Result<MetaData> {
    let mut reader = Reader::new(document, Limits::default());
    for _ in 0..2 {
        match reader.next_node()? {
            Node::Start(start) if start.is(META, LOCAL) => {
                return metadata::read(&mut reader, &Deviations::default());
            }
            Node::Start(_) => {}
            _ => break,
        }
    }
    Err(Error::Malformed("no metadata"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Key, Party, Scenario};

    const ENVELOPE: [(&str, &str); 2] = [("ds", "http://www.w3.org/2000/09/xmldsig#"), ("soap", "urn:soap")];

    fn party(id: &str) -> Party {
        Party {
            id: id.into(),
            scheme: Some("xoev".into()),
            name: Some("A & \"B\"".into()),
            ..Party::default()
        }
    }

    fn meta() -> MetaData {
        let key =
            |code: &str| Key { code: code.into(), list: "urn:l".into(), version: "1".into(), name: None };
        MetaData {
            is_test: true,
            author: party("bab:1"),
            sender: Some(party("bab:2")),
            reader: party("bab:3"),
            message_id: "urn:de:xta:messageid:X:1".into(),
            in_reply_to: vec!["urn:a".into()],
            subject: Some("<Antrag>".into()),
            service: "urn:dienst".into(),
            scenario: Some(Scenario::Defined(key("XBAU"))),
            message_type: key("0201"),
            payload_schema: "urn:schema".into(),
            properties: vec![(key("p"), "v".into())],
            size: Some(5),
            ..MetaData::default()
        }
    }

    #[test]
    fn a_block_is_canonical_and_read_again_without_loss() {
        let block = write(&meta(), &ENVELOPE).unwrap();
        let start = "<oscimeta:MessageMetaData xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
            xmlns:oscimeta=\"http://www.osci.eu/ws/2014/10/transport\" xmlns:soap=\"urn:soap\" \
            xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" Id=\"MetaData\" TestMsg=\"true\">";
        assert!(block.starts_with(start), "{block}");
        assert!(!block.contains("m:MessageID xmlns") && !block.contains("/>"), "{block}");
        assert_eq!(read(block.as_bytes()).unwrap(), meta());
        assert_eq!(read(format!("<h>{block}</h>").as_bytes()).unwrap(), meta());
        let again = canonical_document(block.as_bytes(), Limits::default(), Form::default(), Vec::new());
        assert_eq!(again.unwrap(), block.as_bytes());
    }

    #[test]
    fn what_its_author_wrote_with_other_prefixes_stays_what_it_is() {
        let process = format!("<m:ProcessRef xmlns:m=\"{META}\"><m:Requester>a</m:Requester></m:ProcessRef>");
        let block = write(&MetaData { process_ref: Some(process), ..meta() }, &ENVELOPE).unwrap();
        assert!(block.contains("<oscimeta:ProcessRef><oscimeta:Requester>a</"), "{block}");
        let first = read(block.as_bytes()).unwrap();
        let second = read(write(&first, &ENVELOPE).unwrap().as_bytes()).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let block = write(&meta(), &ENVELOPE).unwrap();
        for wrong in ["", "<h/>", "<h><x/></h>", &format!("<h><x>{block}</x></h>"), &block[..block.len() - 9]]
        {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
