//! Reads what answers of both versions have in common, each in its own namespace. Each function stands behind the start of its element,
//! and reads to its end.

use std::io::BufRead;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xml::Reader;

use crate::element::{self, Children, Element};
use crate::model::{Availability, Key, MetaData, Record, Severity, Status};
use crate::{Error, Result};

/// Most results of a lookup, entries of a list or records of a report.
pub(super) const MANY: usize = 10_000;
/// Longest metadata of an entry, in bytes.
const ENTRY: usize = 256 * 1024;
/// Longest resource, in letters of base64.
const RESOURCE: usize = 1 << 20;

/// How a version reads codes of lists.
pub(super) type ReadKey<R> = fn(&mut Reader<R>, &Element) -> Result<Key>;

/// `IsServiceAvailableValue` and what parameters follow it, among these children.
pub(super) fn availability<R: BufRead>(
    children: &mut Children<'_, R>,
    namespace: &'static str,
    read_key: ReadKey<R>,
) -> Result<Availability> {
    let is_available =
        children.required("IsServiceAvailableValue", |reader, _| is_available(reader, namespace))?;
    let parameters =
        children.many("ServiceParameter", MANY, |reader, _| parameter(reader, namespace, read_key))?;
    Ok(Availability { is_available, parameters })
}

fn is_available<R: BufRead>(reader: &mut Reader<R>, namespace: &'static str) -> Result<Option<bool>> {
    let mut children = Children::of(reader, namespace)?;
    let known =
        children.optional("ServiceIsAvailable", |reader, _| match element::text(reader)?.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(Error::Malformed("a yes or no is neither")),
        })?;
    children.optional("ServiceIsAvailableUnknown", |reader, _| element::text(reader))?;
    children.finish()?;
    Ok(known)
}

fn parameter<R: BufRead>(
    reader: &mut Reader<R>,
    namespace: &'static str,
    read_key: ReadKey<R>,
) -> Result<(Key, Vec<u8>)> {
    let mut children = Children::of(reader, namespace)?;
    let key = children.required("ParameterType", read_key)?;
    let bytes = children.required("Resource", |reader, _| {
        let letters: String = reader.read_text(RESOURCE)?.split_ascii_whitespace().collect();
        STANDARD.decode(letters).map_err(|_| Error::Malformed("base64 is none"))
    })?;
    children.finish()?;
    Ok((key, bytes))
}

/// `MessageStatus` of a report.
pub(super) fn status<R: BufRead>(
    reader: &mut Reader<R>,
    namespace: &'static str,
    read_key: ReadKey<R>,
) -> Result<(Status, Vec<Record>)> {
    let mut children = Children::of(reader, namespace)?;
    let status = children.required("Status", |reader, _| match element::text(reader)?.as_str() {
        "0" => Ok(Status::Open),
        "1" => Ok(Status::Green),
        "2" => Ok(Status::Yellow),
        "3" => Ok(Status::Red),
        _ => Err(Error::Malformed("a status that is not known")),
    })?;
    let mut records = Vec::new();
    for (list, entry, severity) in [
        ("ErrorList", "Error", Severity::Error),
        ("WarnList", "Warning", Severity::Warning),
        ("InfoList", "Info", Severity::Info),
    ] {
        let read = children.optional(list, |reader, _| {
            let mut records = Children::of(reader, namespace)?;
            let read =
                records.many(entry, MANY, |reader, _| record(reader, namespace, severity, read_key))?;
            records.finish()?;
            Ok(read)
        })?;
        records.extend(read.unwrap_or_default());
    }
    children.skip_rest()?;
    Ok((status, records))
}

fn record<R: BufRead>(
    reader: &mut Reader<R>,
    namespace: &'static str,
    severity: Severity,
    read_key: ReadKey<R>,
) -> Result<Record> {
    let mut record = Children::of(reader, namespace)?;
    let time = record.required("Timestamp", |reader, _| element::value(reader))?;
    let code = record.required("Code", read_key)?.code;
    let reason = record.required("Reason", |reader, _| element::text(reader))?;
    record.finish()?;
    Ok(Record { severity, time, code, reason })
}

/// The children of a list of messages. Of an entry that `read` cannot read only the id is told, which is the first element with the
/// name `id` in it; what has none is no entry.
pub(super) fn entries<R: BufRead>(
    reader: &mut Reader<R>,
    id: (&str, &str),
    read: fn(&str) -> Result<MetaData>,
) -> Result<Vec<MetaData>> {
    let mut entries = Vec::new();
    while element::child(reader)? {
        if entries.len() == MANY {
            return Err(Error::Malformed("too many elements of one name"));
        }
        let fragment = reader.copy_element(ENTRY)?;
        match read(&fragment) {
            Ok(meta) => entries.push(meta),
            // One entry must not keep the others from being seen.
            Err(_) => {
                let only = first_id(&fragment, id).ok().flatten();
                entries.extend(only.map(|message_id| MetaData { message_id, ..MetaData::default() }));
            }
        }
    }
    Ok(entries)
}

fn first_id(document: &str, (namespace, local): (&str, &str)) -> Result<Option<String>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    loop {
        match reader.next()? {
            xml::Event::Start(_) => {}
            xml::Event::Eof => return Ok(None),
            _ => continue,
        }
        if element::is(&reader, namespace, local) {
            return element::id(&mut reader).map(Some);
        }
    }
}
