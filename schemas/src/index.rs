//! What a file of a pack is for, found by reading its outline: a schema with its global elements,
//! a code list, a catalogue, or nothing of interest.

use crate::codelists::{self, CodeList};
use serde::{Deserialize, Serialize};
use std::io::Read;
use xml::{Event, Limits, Reader};

const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const CATALOG: &str = "urn:oasis:names:tc:entity:xmlns:xml:catalog";

/// What a file is.
pub(crate) enum Kind {
    Schema(Outline),
    CodeList(CodeList),
    /// Location asked for → location in its place, relative to the catalogue.
    Catalog(Vec<(String, String)>),
    Other,
}

/// A schema from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outline {
    /// Empty if there is none.
    pub(crate) namespace: String,
    /// Local names of the global elements.
    pub(crate) elements: Vec<String>,
}

/// Reads the outline. What is not well-formed is of no interest here; libxml2 will judge it if it
/// is part of a schema.
pub(crate) fn examine(name: &str, bytes: &[u8]) -> Kind {
    let is_schema = name.ends_with(".xsd");
    if !is_schema && !name.ends_with(".xml") {
        return Kind::Other;
    }
    let body = without_doctype(bytes);
    let mut reader = Reader::new(body, Limits::default());
    match examine_root(&mut reader) {
        Ok(kind) => kind,
        // A schema that our strict reader refuses can still be part of a set.
        Err(_) if is_schema => Kind::Schema(Outline::default()),
        Err(_) => Kind::Other,
    }
}

fn examine_root(reader: &mut Reader<&[u8]>) -> Result<Kind, xml::Error> {
    let Event::Start(root) = reader.next()? else { return Ok(Kind::Other) };
    if root.is(XSD, "schema") {
        let namespace = root.attribute("targetNamespace").unwrap_or_default().to_owned();
        let elements = global_elements(reader)?;
        return Ok(Kind::Schema(Outline { namespace, elements }));
    }
    if root.is(codelists::GENERICODE, "CodeList") {
        return Ok(codelists::read(reader)?.map_or(Kind::Other, Kind::CodeList));
    }
    if root.is(CATALOG, "catalog") {
        return Ok(Kind::Catalog(catalog_entries(reader)?));
    }
    Ok(Kind::Other)
}

fn global_elements(reader: &mut Reader<&[u8]>) -> Result<Vec<String>, xml::Error> {
    let mut elements = Vec::new();
    loop {
        match reader.next()? {
            Event::Start(start) => {
                let name = start.attribute("name").filter(|_| start.is(XSD, "element"));
                elements.extend(name.map(str::to_owned));
                reader.skip()?;
            }
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

fn catalog_entries(reader: &mut Reader<&[u8]>) -> Result<Vec<(String, String)>, xml::Error> {
    let mut entries = Vec::new();
    loop {
        match reader.next()? {
            Event::Start(start) => {
                let asked = match start.local() {
                    "uri" => start.attribute("name"),
                    "system" => start.attribute("systemId"),
                    _ => None,
                };
                if let (Some(asked), Some(uri)) = (asked, start.attribute("uri")) {
                    entries.push((asked.to_owned(), uri.to_owned()));
                }
            }
            Event::Eof => return Ok(entries),
            _ => {}
        }
    }
}

/// The document behind its DOCTYPE: W3C's schema of XML Signature has one. Only for looking at the
/// outline; a file whose outline needs its entities is not understood, which is harmless.
fn without_doctype(bytes: &[u8]) -> &[u8] {
    let Some(begin) = find(bytes, b"<!DOCTYPE") else { return bytes };
    let end = match (find(&bytes[begin..], b"["), find(&bytes[begin..], b">")) {
        (Some(bracket), Some(end)) if bracket < end => find(&bytes[begin..], b"]>").map(|end| end + 2),
        (_, end) => end.map(|end| end + 1),
    };
    end.map_or(bytes, |end| &bytes[begin + end..])
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).take(1 << 20).position(|window| window == part)
}

/// Reads all of a file that must not exceed `limit` bytes; `None` if it does.
pub(crate) fn read_limited(source: impl Read, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}
