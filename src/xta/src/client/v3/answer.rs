//! Reads bodies and header blocks of answers of version 3 (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the
//! container. Each function stands behind the start of its element, and reads to its end.

use std::io::BufRead;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xml::Reader;

use crate::element::{self, Children, Element};
use crate::model::{Availability, Key, MetaData, Party, Record, Report, Severity, Status};
use crate::server::backend::{NoMatch, Position, Rest};
use crate::v3::metadata::{self, Rules};
use crate::v3::names::{META, OSCI, WSA, XTA};
use crate::{Error, Result};

/// Most results of a lookup, entries of a list or records of a report.
const MANY: usize = 10_000;
/// Longest metadata of an entry, in bytes.
const ENTRY: usize = 256 * 1024;
/// Longest resource, in letters of base64.
const RESOURCE: usize = 1 << 20;

/// `LookupServiceResponse`. What is not said (`xsi:nil`) is left out.
pub(in crate::client) fn services<R: BufRead>(
    reader: &mut Reader<R>,
) -> Result<Vec<((Party, String), Availability)>> {
    let mut children = Children::of(reader, XTA)?;
    let found = children.optional("LookupServiceResultList", |reader, _| {
        let mut list = Children::of(reader, XTA)?;
        let found = list.many("LookupServiceResult", MANY, |reader, _| read_service(reader))?;
        list.finish()?;
        Ok(found)
    })?;
    children.finish()?;
    Ok(found.unwrap_or_default().into_iter().flatten().collect())
}

fn read_service<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<((Party, String), Availability)>> {
    let mut children = Children::of(reader, XTA)?;
    let party =
        children.optional_of(META, "Reader", |reader, _| metadata::read_party(reader, Rules::Lenient))?;
    let Some(party) = party else {
        children.finish()?;
        return Ok(None);
    };
    let service = children.required("ServiceType", |reader, _| element::text(reader))?;
    let is_available = children.required("IsServiceAvailableValue", |reader, _| read_availability(reader))?;
    let parameters = children.many("ServiceParameter", MANY, |reader, _| read_parameter(reader))?;
    children.finish()?;
    Ok(Some(((party, service), Availability { is_available, parameters })))
}

fn read_availability<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<bool>> {
    let mut children = Children::of(reader, XTA)?;
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

fn read_parameter<R: BufRead>(reader: &mut Reader<R>) -> Result<(Key, Vec<u8>)> {
    let mut children = Children::of(reader, XTA)?;
    let key = children.required("ParameterType", metadata::read_key)?;
    let bytes = children.required("Resource", |reader, _| {
        let letters: String = reader.read_text(RESOURCE)?.split_ascii_whitespace().collect();
        STANDARD.decode(letters).map_err(|_| Error::Malformed("base64 is none"))
    })?;
    children.finish()?;
    Ok((key, bytes))
}

/// `TransportReport`. Additional reports and a signature are not looked at.
pub(in crate::client) fn report<R: BufRead>(reader: &mut Reader<R>) -> Result<Report> {
    let mut children = Children::of(reader, XTA)?;
    let meta =
        children.required_of(META, "MessageMetaData", |reader, _| metadata::read(reader, Rules::Lenient))?;
    let time = children.required("ReportTime", |reader, _| element::value(reader))?;
    let server = children.required("XTAServerIdentity", |reader, _| element::text(reader))?;
    let (status, records) = children.required("MessageStatus", |reader, _| read_status(reader))?;
    children.skip_rest()?;
    Ok(Report { meta, time, server, status, records })
}

fn read_status<R: BufRead>(reader: &mut Reader<R>) -> Result<(Status, Vec<Record>)> {
    let mut children = Children::of(reader, XTA)?;
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
        let read = children.optional(list, |reader, _| read_records(reader, entry, severity))?;
        records.extend(read.unwrap_or_default());
    }
    children.skip_rest()?;
    Ok((status, records))
}

fn read_records<R: BufRead>(reader: &mut Reader<R>, entry: &str, severity: Severity) -> Result<Vec<Record>> {
    let mut children = Children::of(reader, XTA)?;
    let records = children.many(entry, MANY, |reader, _| {
        let mut record = Children::of(reader, XTA)?;
        let time = record.required("Timestamp", |reader, _| element::value(reader))?;
        let code = record.required("Code", metadata::read_key)?.code;
        let reason = record.required("Reason", |reader, _| element::text(reader))?;
        record.finish()?;
        Ok(Record { severity, time, code, reason })
    })?;
    children.finish()?;
    Ok(records)
}

/// `MsgStatusList`. Of an entry that cannot be read, or that is in the older form, only the message id is told.
pub(in crate::client) fn status_list<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<MetaData>> {
    let mut entries = Vec::new();
    while let Some(child) = element::child(reader)? {
        if entries.len() == MANY {
            return Err(Error::Malformed("too many elements of one name"));
        }
        let is_meta = child.is(META, "MessageMetaData");
        let fragment = reader.copy_element(ENTRY)?;
        let whole = is_meta.then(|| meta_data(&fragment).ok()).flatten();
        match whole {
            Some(meta) => entries.push(meta),
            None => entries
                .extend(only_id(&fragment)?.map(|message_id| MetaData { message_id, ..MetaData::default() })),
        }
    }
    Ok(entries)
}

/// The first `MessageID` somewhere in a document.
fn only_id(document: &str) -> Result<Option<String>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    loop {
        match reader.next()? {
            xml::Event::Start(start) if start.is(WSA, "MessageID") => {
                return element::id(&mut reader).map(Some);
            }
            xml::Event::Eof => return Ok(None),
            _ => {}
        }
    }
}

/// `MessageMetaData`, a document.
pub(in crate::client) fn meta_data(document: &str) -> Result<MetaData> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    metadata::read(&mut reader, Rules::Lenient)
}

/// `MsgBoxResponse`, a document.
pub(in crate::client) fn position(document: &str) -> Result<Position> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    let iterator = Element::current(&reader).filled("MsgBoxRequestID").unwrap_or_default();
    let mut children = Children::of(&mut reader, OSCI)?;
    let nothing = children.optional("NoMessageAvailable", |reader, element| {
        let reason = element.filled("reason").unwrap_or_default();
        reader.skip()?;
        Ok(match reason.rsplit('/').next() {
            Some("SearchArgsInvalid") => NoMatch::SearchArgs,
            Some("RequestIdInvalid") => NoMatch::RequestId,
            _ => NoMatch::NoMatch,
        })
    })?;
    let pending = children.optional("ItemsPending", |reader, _| element::value(reader))?;
    children.finish()?;
    let rest = match nothing {
        Some(reason) => Rest::Nothing(reason),
        None => Rest::Pending(pending.unwrap_or_default()),
    };
    Ok(Position { iterator, rest })
}
