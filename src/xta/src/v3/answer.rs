//! Writes bodies and header blocks of answers (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the container. Each is
//! an element that declares its namespaces itself.

use std::io::Write;

use soap::message::NewBlock;
use xml::Writer;
use xml::value::DateTime;

use super::metadata;
use super::names::{META, OSCI, WSA, XTA};
use super::request::ListForm;
use crate::model::{Availability, Key, MetaData, Party, Record, Report, Scenario, Severity};
use crate::server::backend::{NoMatch, Position, Rest};
use crate::{Fault, Result};

/// List of the codes of a report's entries, and its version.
const RECORD_TYPES: (&str, &str) = ("urn:de:xta:codeliste:record.type", "1.0");

/// `wsa:MessageID`: the id that was issued.
pub(crate) fn message_id<W: Write>(writer: &mut Writer<W>, id: &str) -> Result<()> {
    writer.start("wsa:MessageID", &[("xmlns:wsa", WSA)])?;
    writer.text(id)?;
    Ok(writer.end()?)
}

/// `LookupServiceResponse`.
pub(crate) fn lookup<W: Write>(
    writer: &mut Writer<W>,
    found: &[((Party, String), Availability)],
) -> Result<()> {
    writer.start("x:LookupServiceResponse", &[("xmlns:x", XTA), ("xmlns:m", META)])?;
    writer.start("x:LookupServiceResultList", &[])?;
    for ((reader, service), availability) in found {
        writer.start("x:LookupServiceResult", &[])?;
        metadata::write_party(writer, "m:Reader", reader)?;
        writer.element("x:ServiceType", service)?;
        write_availability(writer, availability)?;
        writer.end()?;
    }
    writer.end()?;
    Ok(writer.end()?)
}

fn write_availability<W: Write>(writer: &mut Writer<W>, availability: &Availability) -> Result<()> {
    writer.start("x:IsServiceAvailableValue", &[])?;
    match availability.is_available {
        Some(true) => writer.element("x:ServiceIsAvailable", "true")?,
        Some(false) => writer.element("x:ServiceIsAvailable", "false")?,
        None => writer.element("x:ServiceIsAvailableUnknown", "true")?,
    }
    writer.end()?;
    for (kind, resource) in &availability.parameters {
        writer.start("x:ServiceParameter", &[])?;
        // The schema has no place for the code's name here.
        metadata::write_key(writer, "x:ParameterType", &Key { name: None, ..kind.clone() }, &[])?;
        writer.element("x:Resource", &base64(resource))?;
        writer.end()?;
    }
    Ok(())
}

/// As base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// `TransportReport`.
pub(crate) fn report<W: Write>(writer: &mut Writer<W>, report: &Report) -> Result<()> {
    writer.start("x:TransportReport", &[("xmlns:x", XTA)])?;
    metadata::write(writer, &report.meta)?;
    writer.element("x:ReportTime", &report.time.to_string())?;
    writer.element("x:XTAServerIdentity", &report.server)?;
    writer.start("x:MessageStatus", &[])?;
    writer.element("x:Status", &(report.status as u8).to_string())?;
    write_records(writer, ("x:ErrorList", "x:Error"), Severity::Error, &report.records)?;
    write_records(writer, ("x:WarnList", "x:Warning"), Severity::Warning, &report.records)?;
    write_records(writer, ("x:InfoList", "x:Info"), Severity::Info, &report.records)?;
    writer.end()?;
    Ok(writer.end()?)
}

fn write_records<W: Write>(
    writer: &mut Writer<W>,
    (list, entry): (&str, &str),
    severity: Severity,
    records: &[Record],
) -> Result<()> {
    let mut records = records.iter().filter(|record| record.severity == severity).peekable();
    if records.peek().is_none() {
        return Ok(());
    }
    writer.start(list, &[])?;
    for record in records {
        writer.start(entry, &[])?;
        writer.element("x:Timestamp", &record.time.to_string())?;
        let (list, version) = (RECORD_TYPES.0.to_owned(), RECORD_TYPES.1.to_owned());
        let code = Key { code: record.code.clone(), name: None, list, version };
        metadata::write_key(writer, "x:Code", &code, &[])?;
        writer.element("x:Reason", &record.reason)?;
        writer.end()?;
    }
    Ok(writer.end()?)
}

/// `MsgStatusList`.
pub(crate) fn status_list<W: Write>(
    writer: &mut Writer<W>,
    entries: &[MetaData],
    form: ListForm,
) -> Result<()> {
    writer.start("o:MsgStatusList", &[("xmlns:o", OSCI), ("xmlns:wsa", WSA)])?;
    for entry in entries {
        match form {
            ListForm::MetaData => metadata::write(writer, entry)?,
            ListForm::Attributes => write_attributes(writer, entry)?,
        }
    }
    Ok(writer.end()?)
}

fn write_attributes<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    writer.start("o:MsgAttributes", &[])?;
    writer.element("wsa:MessageID", &meta.message_id)?;
    for id in &meta.in_reply_to {
        writer.element("wsa:RelatesTo", id)?;
    }
    let scenario = match &meta.scenario {
        Some(Scenario::Defined(key)) => &key.code,
        Some(Scenario::Undefined(_)) | None => "",
    };
    writer.element("o:TypeOfBusinessScenario", scenario)?;
    // `xs:int`.
    let size = i32::try_from(meta.size.unwrap_or_default()).unwrap_or(i32::MAX);
    writer.element("o:MsgSize", &size.to_string())?;
    if let Some(date) = &meta.delivery.obsolete_after {
        writer.element("o:ObsoleteAfterDate", &date.to_string())?;
    }
    writer.element("o:DeliveryTime", &delivery_time(meta)?.to_string())?;
    if let Some(moment) = &meta.delivery.initial_fetch {
        writer.element("o:InitialFetchedTime", &moment.to_string())?;
    }
    Ok(writer.end()?)
}

/// A message in a box was delivered there.
fn delivery_time(meta: &MetaData) -> Result<&DateTime> {
    Ok(meta.delivery.delivery.as_ref().ok_or(Fault::INTERNAL)?)
}

/// `MessageMetaData` as a header block.
pub(crate) fn meta_block(meta: &MetaData) -> Result<NewBlock> {
    header_block(|writer| metadata::write(writer, meta))
}

/// `MsgBoxResponse`, a header block.
pub(crate) fn position_block(position: &Position) -> Result<NewBlock> {
    header_block(|writer| {
        let attributes = [("xmlns:o", OSCI), ("MsgBoxRequestID", position.iterator.as_str())];
        writer.start("o:MsgBoxResponse", &attributes)?;
        match position.rest {
            Rest::Pending(count) => writer.element("o:ItemsPending", &count.to_string())?,
            Rest::Nothing(reason) => {
                let reason = match reason {
                    NoMatch::NoMatch => "NoMatch",
                    NoMatch::SearchArgs => "SearchArgsInvalid",
                    NoMatch::RequestId => "RequestIdInvalid",
                };
                let uri = format!("{OSCI}/MsgBox/reasons/{reason}");
                writer.start("o:NoMessageAvailable", &[("reason", &uri)])?;
                writer.end()?;
            }
        }
        Ok(writer.end()?)
    })
}

/// What is written as a header block.
pub(crate) fn header_block(write: impl FnOnce(&mut Writer<Vec<u8>>) -> Result<()>) -> Result<NewBlock> {
    Ok(NewBlock::checked(block(write)?)?)
}

/// What is written as an element by itself.
pub(crate) fn block(write: impl FnOnce(&mut Writer<Vec<u8>>) -> Result<()>) -> Result<String> {
    let mut writer = Writer::new(Vec::new())?;
    write(&mut writer)?;
    let document = writer.finish()?;
    // Behind the declaration, which a block has not.
    let root = document.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let block = document.get(root..).unwrap_or_default().trim_ascii_end();
    String::from_utf8(block.to_vec()).map_err(|_| Fault::INTERNAL.into())
}
