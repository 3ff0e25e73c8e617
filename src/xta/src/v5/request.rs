//! Reads the bodies of requests (`XTA-Webservice.xsd`, core 3.1.1), all but the container. The reader stands behind the start of `Body`;
//! afterwards behind the end of its child.

use std::io::BufRead;

use xml::Reader;
use xml::value::Boolean;

use super::metadata;
use super::names::CORE;
use crate::deviations::Deviations;
use crate::element::{self, Children};
use crate::model::Party;
use crate::server::backend::Selector;
use crate::v3::metadata::positive;
use crate::v3::request::{begin, is_uri};
use crate::{Error, Fault, Result};

/// Most services that are asked for at once.
const SERVICES: usize = 100;
/// Most message ids in one request.
const IDS: usize = 1_000;

/// `XTAMessageID`: the message that is meant.
pub(crate) fn message_id<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<String> {
    let element = begin(reader, CORE, "XTAMessageID")?;
    match metadata::read_id(reader, &element, seen) {
        Err(Error::Malformed("an element is empty")) => Err(Fault::NO_PARAMETERS.into()),
        id => id,
    }
}

/// `LookupQuery`: readers and the services asked for; an empty one stands for any.
pub(crate) fn lookup<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<(Party, String)>> {
    begin(reader, CORE, "LookupQuery")?;
    let mut query = Children::of(reader, CORE)?;
    let asked = query.many("LookupService", SERVICES, |reader, _| {
        let mut asked = Children::of(reader, CORE)?;
        let party = asked.required("Reader", |reader, _| metadata::read_party(reader))?;
        let service = asked.optional("Service", |reader, _| element::text(reader))?;
        asked.finish()?;
        match service {
            Some(service) if !is_uri(&service) => Err(Fault::NO_URI.into()),
            service => Ok((party, service.unwrap_or_default())),
        }
    })?;
    query.finish()?;
    match asked.is_empty() {
        true => Err(Fault::NO_PARAMETERS.into()),
        false => Ok(asked),
    }
}

/// `MessageSelector`: what is looked for, and how many at most. Unless it names messages or says otherwise, only those that were
/// not fetched before.
pub(crate) fn selector<R: BufRead>(
    reader: &mut Reader<R>,
    seen: &Deviations,
) -> Result<(Selector, Option<u32>)> {
    begin(reader, CORE, "MessageSelector")?;
    let mut choice = Children::of(reader, CORE)?;
    let named = choice.optional("XTAMessageIDs", |reader, _| {
        let mut ids = Children::of(reader, CORE)?;
        let read = ids.many("XTAMessageID", IDS, |reader, it| metadata::read_id(reader, it, seen))?;
        ids.finish()?;
        Some(read).filter(|ids| !ids.is_empty()).ok_or(Error::Fault(Fault::NO_PARAMETERS))
    })?;
    let found = match named {
        Some(message_ids) => (Selector { message_ids, ..Selector::default() }, None),
        None => choice.required("OtherCriteria", |reader, _| read_criteria(reader))?,
    };
    choice.finish()?;
    Ok(found)
}

fn read_criteria<R: BufRead>(reader: &mut Reader<R>) -> Result<(Selector, Option<u32>)> {
    let mut criteria = Children::of(reader, CORE)?;
    let is_new: Option<Boolean> = criteria.optional("NewEntry", |reader, _| element::value(reader))?;
    let most = criteria.optional("MaxMessages", |reader, _| positive(&element::text(reader)?))?;
    let selector = Selector {
        // The other way round it would mean those that were fetched before.
        is_new: is_new.is_none_or(|it| it.value).then_some(true),
        from: criteria.optional("MessageBoxEntryTimeFrom", |reader, _| element::value(reader))?,
        to: criteria.optional("MessageBoxEntryTimeTo", |reader, _| element::value(reader))?,
        ..Selector::default()
    };
    no_extensions(&mut criteria)?;
    criteria.finish()?;
    Ok((selector, most.map(|most| u32::try_from(most).unwrap_or(u32::MAX))))
}

/// `MessageFetch`: the message that is meant.
pub(crate) fn fetch<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<String> {
    begin(reader, CORE, "MessageFetch")?;
    let mut choice = Children::of(reader, CORE)?;
    let id = choice.optional("XTAMessageID", |reader, it| metadata::read_id(reader, it, seen))?;
    no_extensions(&mut choice)?;
    choice.finish()?;
    id.ok_or(Fault::NO_PARAMETERS.into())
}

/// They would change what is asked for in a way that nobody here knows.
fn no_extensions<R: BufRead>(children: &mut Children<'_, R>) -> Result<()> {
    match metadata::read_extensions(children)?.is_empty() {
        true => Ok(()),
        false => Err(Fault::EXTENSION.into()),
    }
}
