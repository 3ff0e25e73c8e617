//! Reads the bodies of requests (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the container. The reader stands behind
//! the start of `Body`; afterwards behind the end of its child.

use std::io::BufRead;

use xml::Reader;

use super::metadata;
use super::names::{META, OSCI, WSA, XTA};
use crate::deviations::Deviations;
use crate::element::{self, Children, Element};
use crate::model::Party;
use crate::server::backend::Selector;
use crate::{Error, Fault, Result};

/// Most services that are asked for at once.
const SERVICES: usize = 100;
/// Most message ids in one request.
const IDS: usize = 1_000;

/// `MsgBoxStatusListRequest`.
#[derive(Debug)]
pub(crate) struct StatusList {
    pub(crate) selector: Selector,
    /// `maxListItems`.
    pub(crate) most: Option<u32>,
    pub(crate) form: ListForm,
}

/// `ListForm`: what the list holds of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// Its metadata.
    MetaData,
    /// A few of them, in the older form of OSCI 2.
    Attributes,
}

/// `MsgBoxGetNextRequest` and `MsgBoxCloseRequest`.
#[derive(Debug)]
pub(crate) struct Next {
    /// `MsgBoxRequestID`.
    pub(crate) iterator: String,
    /// `LastMsgReceived`.
    pub(crate) received: Vec<String>,
}

/// There is no body.
pub(crate) fn nothing<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    match element::child(reader)? {
        false => Ok(()),
        true => Err(Error::Malformed("a body where none is expected")),
    }
}

/// The start of the body's child, which has this name.
pub(crate) fn begin<R: BufRead>(reader: &mut Reader<R>, namespace: &str, local: &str) -> Result<Element> {
    if !element::child(reader)? {
        return Err(Fault::NO_PARAMETERS.into());
    }
    match element::is(reader, namespace, local) {
        true => Ok(Element::current(reader)),
        false => Err(Error::Malformed("a body that is not of this operation")),
    }
}

/// `wsa:MessageID`: the message that is meant.
pub(crate) fn message_id<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    begin(reader, WSA, "MessageID")?;
    match element::id(reader) {
        Err(Error::Malformed(_)) => Err(Fault::NO_PARAMETERS.into()),
        id => id,
    }
}

/// `LookupServiceRequest`: readers, without their tokens, and the services asked for.
pub(crate) fn lookup<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<Vec<(Party, String)>> {
    begin(reader, XTA, "LookupServiceRequest")?;
    let mut lists = Children::of(reader, XTA)?;
    let asked = lists.many("LookupServiceRequestList", SERVICES, |reader, _| {
        let mut list = Children::of(reader, XTA)?;
        let asked = list.required("LookupService", |reader, _| read_lookup(reader, seen))?;
        list.finish()?;
        Ok(asked)
    })?;
    lists.finish()?;
    match asked.is_empty() {
        true => Err(Fault::NO_PARAMETERS.into()),
        false => Ok(asked),
    }
}

fn read_lookup<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<(Party, String)> {
    let mut children = Children::of(reader, XTA)?;
    let mut party = children.required_of(META, "Reader", |reader, _| metadata::read_party(reader, seen))?;
    let service = children.required("ServiceType", |reader, _| element::text(reader))?;
    children.finish()?;
    party.tokens.clear();
    match is_uri(&service) {
        true => Ok((party, service)),
        false => Err(Fault::NO_URI.into()),
    }
}

/// Whether a text is an absolute URI by its outer form: a scheme, and no character that none has.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let starts_well = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || "<>\"{}|\\^`".contains(c);
    starts_well && is_scheme && !rest.is_empty() && !rest.contains(is_forbidden)
}

/// `MsgBoxStatusListRequest`.
pub(crate) fn status_list<R: BufRead>(reader: &mut Reader<R>) -> Result<StatusList> {
    let element = begin(reader, OSCI, "MsgBoxStatusListRequest")?;
    let most = element.attribute("maxListItems").map(metadata::positive).transpose()?;
    let form = match element.attribute("ListForm") {
        None | Some("MessageMetaData") => ListForm::MetaData,
        // The schema has a slip of the pen.
        Some("MsgAtrributes" | "MsgAttributes") => ListForm::Attributes,
        Some(_) => return Err(Error::Malformed("a form of lists that is not known")),
    };
    let most = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
    Ok(StatusList { selector: read_selector(reader)?, most, form })
}

/// `MsgBoxFetchRequest`. Only whole messages are handed out.
pub(crate) fn fetch<R: BufRead>(reader: &mut Reader<R>) -> Result<Selector> {
    let element = begin(reader, OSCI, "MsgBoxFetchRequest")?;
    match element.attribute("MsgPart") {
        None | Some("Envelope") => read_selector(reader),
        Some(_) => Err(Error::Malformed("a part of a message is asked for")),
    }
}

/// The selector in the innermost element, up to and with that element's end; without one everything is selected.
fn read_selector<R: BufRead>(reader: &mut Reader<R>) -> Result<Selector> {
    let mut children = Children::of(reader, OSCI)?;
    let selector = children.optional("MsgSelector", |reader, element| {
        let is_new = match element.attribute("newEntry") {
            None => None,
            Some(_) => Some(metadata::flag(element, "newEntry")?),
        };
        let mut conditions = Children::of(reader, OSCI)?;
        let selector = Selector {
            message_ids: conditions.many_of((WSA, "MessageID"), IDS, |reader, _| element::id(reader))?,
            relates_to: conditions.many_of((WSA, "RelatesTo"), IDS, |reader, _| element::id(reader))?,
            from: conditions.optional("MsgBoxEntryTimeFrom", |reader, _| element::value(reader))?,
            to: conditions.optional("MsgBoxEntryTimeTo", |reader, _| element::value(reader))?,
            is_new,
        };
        // `Extension` would narrow the selection in a way that nobody here knows.
        conditions.finish()?;
        Ok(selector)
    })?;
    children.finish()?;
    Ok(selector.unwrap_or_default())
}

/// `MsgBoxGetNextRequest` or `MsgBoxCloseRequest`, whichever `local` names.
pub(crate) fn next<R: BufRead>(reader: &mut Reader<R>, local: &str) -> Result<Next> {
    let element = begin(reader, OSCI, local)?;
    let iterator = element.attribute("MsgBoxRequestID").map(|id| id.trim().to_owned());
    let iterator = iterator.ok_or(Error::Malformed("a request of a message box without its id"))?;
    let mut children = Children::of(reader, OSCI)?;
    let received = children.many("LastMsgReceived", IDS, |reader, _| element::id(reader))?;
    children.finish()?;
    Ok(Next { iterator, received })
}
