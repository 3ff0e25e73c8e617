//! Writes bodies and header blocks of answers (`XTA-Webservice.xsd`, core 3.1.1), all but the container. Each is an element that declares
//! its namespaces itself.

use std::io::Write;

use soap::message::NewBlock;
use xml::Writer;

use super::metadata::{self, Ids};
use super::names::CORE;
use crate::Result;
use crate::model::{Availability, Key, MetaData, Party, Record, Report, Severity};
use crate::server::backend::{NoMatch, Position, Rest};
use crate::v3::answer::{base64, header_block};

/// List of the codes of a report's entries, and its version. Its content is not known to us.
const RECORD_TYPES: (&str, &str) = ("urn:xoev-de:kosit:codeliste:xta.core.record-type", "1");
/// What reasons why there is no message begin with. The path is not that of version 3.
const REASONS: &str = "http://www.osci.eu/ws/2008/05/transport/MessageBox/reasons";

/// `XTAMessageID`: the id that was issued, or the message that is meant.
pub(crate) fn message_id<W: Write>(writer: &mut Writer<W>, id: &str, ids: &mut Ids) -> Result<()> {
    writer.start("c:XTAMessageID", &[("xmlns:c", CORE), ("id", &ids.next_id())])?;
    writer.text(id)?;
    Ok(writer.end()?)
}

/// `LookupStatus`.
pub(crate) fn lookup<W: Write>(
    writer: &mut Writer<W>,
    found: &[((Party, String), Availability)],
) -> Result<()> {
    let mut ids = Ids::default();
    writer.start("c:LookupStatus", &[("xmlns:c", CORE)])?;
    for ((reader, service), availability) in found {
        writer.start("c:LookupServiceResult", &[])?;
        metadata::write_party(writer, "c:Reader", reader, &mut ids)?;
        if !service.is_empty() {
            writer.element("c:Service", service)?;
        }
        write_availability(writer, availability)?;
        writer.end()?;
    }
    Ok(writer.end()?)
}

fn write_availability<W: Write>(writer: &mut Writer<W>, availability: &Availability) -> Result<()> {
    writer.start("c:IsServiceAvailableValue", &[])?;
    match availability.is_available {
        Some(true) => writer.element("c:ServiceIsAvailable", "true")?,
        Some(false) => writer.element("c:ServiceIsAvailable", "false")?,
        None => writer.element("c:ServiceIsAvailableUnknown", "true")?,
    }
    writer.end()?;
    for (kind, resource) in &availability.parameters {
        writer.start("c:ServiceParameter", &[])?;
        metadata::write_code(writer, "c:ParameterType", kind)?;
        writer.element("c:Resource", &base64(resource))?;
        writer.end()?;
    }
    Ok(())
}

/// `ReportResult`.
pub(crate) fn report<W: Write>(writer: &mut Writer<W>, report: &Report) -> Result<()> {
    let mut ids = Ids::default();
    writer.start("c:ReportResult", &[("xmlns:c", CORE)])?;
    writer.start("c:TransportReport", &[("id", &ids.next_id())])?;
    writer.element("c:ReportTime", &report.time.to_string())?;
    writer.element("c:XTAServerIdentity", &report.server)?;
    writer.start("c:MessageStatus", &[])?;
    writer.element("c:Status", &(report.status as u8).to_string())?;
    write_records(writer, ("c:ErrorList", "c:Error"), Severity::Error, &report.records)?;
    write_records(writer, ("c:WarnList", "c:Warning"), Severity::Warning, &report.records)?;
    write_records(writer, ("c:InfoList", "c:Info"), Severity::Info, &report.records)?;
    writer.end()?;
    metadata::write(writer, &report.meta, &mut ids)?;
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
        writer.element("c:Timestamp", &record.time.to_string())?;
        let (list, version) = (RECORD_TYPES.0.to_owned(), RECORD_TYPES.1.to_owned());
        let code = Key { code: record.code.clone(), name: None, list, version };
        metadata::write_code(writer, "c:Code", &code)?;
        writer.element("c:Reason", &record.reason)?;
        writer.end()?;
    }
    Ok(writer.end()?)
}

/// `MessageStatusList`.
pub(crate) fn status_list<W: Write>(writer: &mut Writer<W>, entries: &[MetaData]) -> Result<()> {
    let mut ids = Ids::default();
    writer.start("c:MessageStatusList", &[("xmlns:c", CORE)])?;
    for entry in entries {
        metadata::write(writer, entry, &mut ids)?;
    }
    Ok(writer.end()?)
}

/// `MessageMetaData` as a header block.
pub(crate) fn meta_block(meta: &MetaData) -> Result<NewBlock> {
    header_block(|writer| metadata::write(writer, meta, &mut Ids::default()))
}

/// `MessageMetaDataReply`, a header block: empty if nothing is to be said.
pub(crate) fn reply_block(meta: Option<&MetaData>) -> Result<NewBlock> {
    header_block(|writer| {
        writer.start("c:MessageMetaDataReply", &[("xmlns:c", CORE)])?;
        if let Some(meta) = meta {
            metadata::write(writer, meta, &mut Ids::default())?;
        }
        Ok(writer.end()?)
    })
}

/// `MessageBoxStatus`, a header block.
pub(crate) fn position_block(position: &Position) -> Result<NewBlock> {
    header_block(|writer| {
        writer.start("c:MessageBoxStatus", &[("xmlns:c", CORE)])?;
        writer.start("c:MessagesRemaining", &[])?;
        match position.rest {
            Rest::Pending(count) => writer.element("c:MessagesPending", &count.to_string())?,
            Rest::Nothing(reason) => {
                let reason = match reason {
                    NoMatch::NoMatch | NoMatch::RequestId => "NoMatch",
                    NoMatch::SearchArgs => "SearchArgsInvalid",
                };
                writer.element("c:NoMessageAvailable", &format!("{REASONS}/{reason}"))?;
            }
        }
        writer.end()?;
        Ok(writer.end()?)
    })
}
