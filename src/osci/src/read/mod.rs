//! Reading the header blocks and the body of a message: OSCI-Transport 1.2, section 4, schemas `soap*.xsd`.
//!
//! What the field sends and the schemas of corrigendum 8 refuse is accepted: see the facts each function names.

pub(crate) mod answer;
pub(crate) mod assembly;
pub(crate) mod blocks;
pub(crate) mod card;
pub(crate) mod order;

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xml::Reader;

use crate::element::{Element, text};
use crate::message::{Chunk, Role, SelectionRule, Since};
use crate::names::{OSCI, OSCI2017};
use crate::{Error, Result};

/// Most message ids in one selection.
const IDS: usize = 1_000;
/// Longest message id, in bytes.
const ID: usize = 1_000;
/// Most chunks of one message.
pub(crate) const CHUNKS: usize = 100_000;

/// `osci:MessageId`: base64 of UTF-8.
pub(crate) fn message_id<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<String> {
    let mut written = text(reader)?;
    written.retain(|c| !c.is_ascii_whitespace());
    let bytes = STANDARD.decode(written).map_err(|_| Error::Malformed("a MessageId is not base64"))?;
    let id = String::from_utf8(bytes).map_err(|_| Error::Malformed("a MessageId is not UTF-8"))?;
    let is_sound = !id.is_empty() && id.len() <= ID && !id.chars().any(char::is_control);
    if is_sound { Ok(id) } else { Err(Error::Malformed("a MessageId is empty, too long or not text")) }
}

pub(crate) fn plain_text<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<String> {
    text(reader)
}

/// `osci:SelectionRule`; `None` if it is empty.
pub(crate) fn selection_rule<R: BufRead>(
    reader: &mut Reader<R>,
    _: &Element,
) -> Result<Option<SelectionRule>> {
    let mut children = crate::element::Children::of(reader)?;
    let ids = children.many((OSCI, "MessageId"), IDS, message_id)?;
    let received = children.optional(OSCI, "ReceptionOfDelivery", since)?;
    let modified = children.optional(OSCI, "RecentModification", since)?;
    children.done()?;
    match (ids.is_empty(), received, modified) {
        (true, None, None) => Ok(None),
        (false, None, None) => Ok(Some(SelectionRule::MessageIds(ids))),
        (true, Some(since), None) => Ok(Some(SelectionRule::ReceptionOfDelivery(since))),
        (true, None, Some(since)) => Ok(Some(SelectionRule::RecentModification(since))),
        _ => Err(Error::Malformed("a SelectionRule has several rules")),
    }
}

fn since<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Since> {
    let no_reception = match element.attribute("NoReception") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Error::Malformed("NoReception is no boolean")),
    };
    let role = match element.attribute("Role") {
        None => None,
        Some("Addressee") => Some(Role::Addressee),
        Some("Originator") => Some(Role::Originator),
        Some(_) => return Err(Error::Malformed("Role is none that is known")),
    };
    Ok(Since { moment: text(reader)?.parse()?, no_reception, role })
}

/// `osci:Quantity`.
pub(crate) fn limit<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<u32> {
    let limit = element.number("Limit")?;
    crate::element::end(reader)?;
    limit.ok_or(Error::Malformed("Quantity has no Limit"))
}

/// `osci2017:ChunkInformation`.
pub(crate) fn chunk<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Chunk> {
    let received = element.attribute("ReceivedChunks").map(received_chunks).transpose()?;
    let chunk = Chunk {
        number: element.number("ChunkNumber")?,
        size: element.number("ChunkSize")?,
        total_chunks: element.number("TotalChunkNumbers")?,
        total_size: element.number("TotalMessageSize")?,
        received,
    };
    crate::element::end(reader)?;
    Ok(chunk)
}

fn received_chunks(list: &str) -> Result<Vec<u32>> {
    if list.trim() == "-1" {
        return Ok(Vec::new());
    }
    let numbers = list.split_ascii_whitespace().take(CHUNKS).map(str::parse);
    numbers.collect::<Result<_, _>>().map_err(|_| Error::Malformed("ReceivedChunks are no numbers"))
}

/// Namespace of the elements that the supplement of 2017 adds to an order.
pub(crate) const SUPPLEMENT: &str = OSCI2017;
