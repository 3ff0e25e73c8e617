//! What is ordered: the element of each order (OSCI-Transport 1.2, section 4; supplement of 2017).

use std::io::BufRead;

use xml::Reader;

use super::{SUPPLEMENT, card, chunk, limit, message_id, plain_text, selection_rule};
use crate::element::{Children, Element, end};
use crate::message::Body;
use crate::names::{OSCI, Order};
use crate::{Error, Result};

/// Longest URI of a receiver, in bytes.
const URI: usize = 2_000;

/// Reads the order's element, whose start was read last.
pub(crate) fn body<R: BufRead>(reader: &mut Reader<R>, order: Order) -> Result<Body> {
    match order {
        Order::InitDialog | Order::ExitDialog | Order::GetMessageId => {
            end(reader)?;
            Ok(Body::Plain)
        }
        Order::StoreDelivery => store(reader),
        Order::ForwardDelivery | Order::MediateDelivery => to_receiver(reader, order),
        Order::FetchDelivery => fetch_delivery(reader).map(Body::FetchDelivery),
        Order::FetchProcessCard => {
            let (rule, limit) = fetch_process_card(reader)?;
            Ok(Body::FetchProcessCard { rule, limit })
        }
        Order::AcceptDelivery | Order::ProcessDelivery => to_recipient(reader, order),
        Order::PartialStoreDelivery => partial_store(reader),
        Order::PartialFetchDelivery => partial_fetch(reader),
    }
}

fn store<R: BufRead>(reader: &mut Reader<R>) -> Result<Body> {
    let mut children = Children::of(reader)?;
    let message_id = children.optional(OSCI, "MessageId", message_id)?;
    let subject = children.optional(OSCI, "Subject", plain_text)?;
    children.done()?;
    Ok(Body::Store { message_id, subject })
}

fn to_receiver<R: BufRead>(reader: &mut Reader<R>, order: Order) -> Result<Body> {
    let mut children = Children::of(reader)?;
    let receiver = children.required(OSCI, "ContentReceiver", uri)?;
    let message_id = children.optional(OSCI, "MessageId", message_id)?;
    let subject = children.optional(OSCI, "Subject", plain_text)?;
    children.done()?;
    Ok(match order {
        Order::ForwardDelivery => Body::Forward { receiver, message_id, subject },
        _ => Body::Mediate { receiver, message_id, subject },
    })
}

fn uri<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<String> {
    let uri = element.required("URI")?.to_owned();
    end(reader)?;
    if uri.len() <= URI { Ok(uri) } else { Err(Error::Malformed("the URI of a receiver is too long")) }
}

/// `osci:fetchDelivery`, also where an answer repeats it.
pub(super) fn fetch_delivery<R: BufRead>(
    reader: &mut Reader<R>,
) -> Result<Option<crate::message::SelectionRule>> {
    let mut children = Children::of(reader)?;
    let rule = children.optional(OSCI, "SelectionRule", selection_rule)?.flatten();
    children.done()?;
    Ok(rule)
}

type Selection = (Option<crate::message::SelectionRule>, Option<u32>);

/// `osci:fetchProcessCard`, also where an answer repeats it.
pub(super) fn fetch_process_card<R: BufRead>(reader: &mut Reader<R>) -> Result<Selection> {
    let mut children = Children::of(reader)?;
    let rule = children.optional(OSCI, "SelectionRule", selection_rule)?.flatten();
    let limit = children.optional(OSCI, "Quantity", limit)?;
    children.done()?;
    Ok((rule, limit))
}

fn to_recipient<R: BufRead>(reader: &mut Reader<R>, order: Order) -> Result<Body> {
    let mut children = Children::of(reader)?;
    let answer_id = children.optional(OSCI, "MessageIdResponse", message_id)?;
    let card = children.optional(OSCI, "ProcessCardBundle", card::bundle)?.map(Box::new);
    children.done()?;
    match (order, card) {
        (Order::AcceptDelivery, Some(card)) if answer_id.is_none() => Ok(Body::Accept(card)),
        (Order::AcceptDelivery, _) => Err(Error::Malformed("AcceptDelivery needs a ProcessCardBundle only")),
        (_, card) => Ok(Body::Process { answer_id, card }),
    }
}

fn partial_store<R: BufRead>(reader: &mut Reader<R>) -> Result<Body> {
    let mut children = Children::of(reader)?;
    let message_id = children.optional(OSCI, "MessageId", message_id)?;
    let subject = children.optional(OSCI, "Subject", plain_text)?;
    let asks = children.optional(SUPPLEMENT, "InfoOnly", |reader, _| end(reader))?;
    let chunk = children.optional(SUPPLEMENT, "ChunkInformation", chunk)?;
    children.done()?;
    if asks.is_some() == chunk.is_some() {
        return Err(Error::Malformed("PartialStoreDelivery needs either InfoOnly or ChunkInformation"));
    }
    Ok(Body::PartialStore { message_id, subject, chunk })
}

fn partial_fetch<R: BufRead>(reader: &mut Reader<R>) -> Result<Body> {
    let mut children = Children::of(reader)?;
    let rule = children.optional(OSCI, "SelectionRule", selection_rule)?.flatten();
    let chunk = children.required(SUPPLEMENT, "ChunkInformation", chunk)?;
    children.done()?;
    Ok(Body::PartialFetch { rule, chunk })
}
