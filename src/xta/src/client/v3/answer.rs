//! Reads bodies and header blocks of answers of version 3 (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the
//! container. Each function stands behind the start of its element, and reads to its end.

use std::io::BufRead;

use xml::Reader;

use crate::client::answer::{MANY, availability, entries, status};
use crate::deviations::Deviations;
use crate::element::{self, Children, Element};
use crate::model::{Availability, MetaData, Party, Report};
use crate::server::backend::{NoMatch, Position, Rest};
use crate::v3::metadata;
use crate::v3::names::{META, OSCI, WSA, XTA};
use crate::{Error, Result};

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
    let party = children
        .optional_of(META, "Reader", |reader, _| metadata::read_party(reader, &Deviations::default()))?;
    let Some(party) = party else {
        children.finish()?;
        return Ok(None);
    };
    let service = children.required("ServiceType", |reader, _| element::text(reader))?;
    let found = availability(&mut children, XTA, metadata::read_key)?;
    children.finish()?;
    Ok(Some(((party, service), found)))
}

/// `TransportReport`. Additional reports and a signature are not looked at.
pub(in crate::client) fn report<R: BufRead>(reader: &mut Reader<R>) -> Result<Report> {
    let mut children = Children::of(reader, XTA)?;
    let meta = children
        .required_of(META, "MessageMetaData", |reader, _| metadata::read(reader, &Deviations::default()))?;
    let time = children.required("ReportTime", |reader, _| element::value(reader))?;
    let server = children.required("XTAServerIdentity", |reader, _| element::text(reader))?;
    let read = |reader: &mut Reader<R>, _: &Element| status(reader, XTA, metadata::read_key);
    let (status, records) = children.required("MessageStatus", read)?;
    children.skip_rest()?;
    Ok(Report { meta, time, server, status, records })
}

/// `MsgStatusList`. Of an entry that cannot be read, or that is in the older form, only the message id is told.
pub(in crate::client) fn status_list<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<MetaData>> {
    entries(reader, (WSA, "MessageID"), meta_data)
}

/// `MessageMetaData`, a document.
pub(in crate::client) fn meta_data(document: &str) -> Result<MetaData> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    match element::is(&reader, META, "MessageMetaData") {
        true => metadata::read(&mut reader, &Deviations::default()),
        false => Err(Error::Malformed("no metadata")),
    }
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
