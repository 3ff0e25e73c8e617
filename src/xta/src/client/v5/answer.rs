//! Reads bodies and header blocks of answers of version 5.1.1 (`XTA-Webservice.xsd`, core 3.1.1), all but the container. Each function
//! stands behind the start of its element, and reads to its end.

use std::io::BufRead;

use xml::Reader;

use crate::client::answer::{MANY, availability, entries, status};
use crate::deviations::Deviations;
use crate::element::{self, Children, Element};
use crate::model::{Availability, MetaData, Party, Report};
use crate::server::backend::{NoMatch, Position, Rest};
use crate::v5::metadata;
use crate::v5::names::CORE;
use crate::{Error, Result};

/// `LookupStatus`.
pub(in crate::client) fn services<R: BufRead>(
    reader: &mut Reader<R>,
) -> Result<Vec<((Party, String), Availability)>> {
    let mut children = Children::of(reader, CORE)?;
    let found = children.many("LookupServiceResult", MANY, |reader, _| {
        let mut result = Children::of(reader, CORE)?;
        let party = result.required("Reader", |reader, _| metadata::read_party(reader))?;
        let service = result.optional("Service", |reader, _| element::text(reader))?;
        let found = availability(&mut result, CORE, metadata::read_code)?;
        result.finish()?;
        Ok(((party, service.unwrap_or_default()), found))
    })?;
    children.finish()?;
    Ok(found)
}

/// `ReportResult`. Additional reports, extensions and a signature are not looked at.
pub(in crate::client) fn report<R: BufRead>(reader: &mut Reader<R>) -> Result<Report> {
    let mut children = Children::of(reader, CORE)?;
    let report = children.required("TransportReport", |reader, _| {
        let mut report = Children::of(reader, CORE)?;
        let time = report.required("ReportTime", |reader, _| element::value(reader))?;
        let server = report.required("XTAServerIdentity", |reader, _| element::text(reader))?;
        let read = |reader: &mut Reader<R>, _: &Element| status(reader, CORE, metadata::read_code);
        let (status, records) = report.required("MessageStatus", read)?;
        let meta =
            report.required("MessageMetaData", |reader, _| metadata::read(reader, &Deviations::default()))?;
        report.skip_rest()?;
        Ok(Report { meta, time, server, status, records })
    })?;
    children.skip_rest()?;
    Ok(report)
}

/// `MessageStatusList`. Of an entry that cannot be read only the message id is told.
pub(in crate::client) fn status_list<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<MetaData>> {
    entries(reader, (CORE, "XTAMessageID"), meta_data)
}

/// `MessageMetaData`, a document.
pub(in crate::client) fn meta_data(document: &str) -> Result<MetaData> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    match element::is(&reader, CORE, "MessageMetaData") {
        true => metadata::read(&mut reader, &Deviations::default()),
        false => Err(Error::Malformed("no metadata")),
    }
}

/// `MessageMetaDataReply`, a document: the metadata in it, if there are any.
pub(in crate::client) fn reply_data(document: &str) -> Result<Option<MetaData>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    let mut children = Children::of(&mut reader, CORE)?;
    let meta =
        children.optional("MessageMetaData", |reader, _| metadata::read(reader, &Deviations::default()))?;
    children.finish()?;
    Ok(meta)
}

/// `MessageBoxStatus`, a document. There is no iterator. Some give a reason in words where there is to be a URI.
pub(in crate::client) fn position(document: &str) -> Result<Position> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    let mut children = Children::of(&mut reader, CORE)?;
    let rest = children.required("MessagesRemaining", |reader, _| {
        let mut remaining = Children::of(reader, CORE)?;
        let reason = remaining.optional("NoMessageAvailable", |reader, _| element::text(reader))?;
        let pending = remaining.optional("MessagesPending", |reader, _| element::value(reader))?;
        remaining.finish()?;
        Ok(match reason {
            Some(reason) if reason.ends_with("/SearchArgsInvalid") => Rest::Nothing(NoMatch::SearchArgs),
            Some(_) => Rest::Nothing(NoMatch::NoMatch),
            None => Rest::Pending(pending.unwrap_or_default()),
        })
    })?;
    children.skip_rest()?;
    Ok(Position { iterator: String::new(), rest })
}
