//! What is answered: the element of each answer (OSCI-Transport 1.2, section 4; supplement of 2017).

use std::io::BufRead;

use xml::Reader;

use super::order::{fetch_delivery, fetch_process_card};
use super::{SUPPLEMENT, card, chunk, message_id, plain_text};
use crate::element::{Children, Element};
use crate::message::{Answer, Feedback};
use crate::names::{OSCI, Order};
use crate::{Error, Result};

/// The namespace of `xml:lang`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Most entries of one feedback.
const ENTRIES: usize = 100;
/// Most process cards of one answer.
const CARDS: usize = 10_000;

/// Reads the answer's element, whose start was read last.
pub(crate) fn body<R: BufRead>(reader: &mut Reader<R>, order: Order) -> Result<Answer> {
    let mut children = Children::of(reader)?;
    let inside_feedback = children.optional(SUPPLEMENT, "InsideFeedback", feedback)?.unwrap_or_default();
    let feedback = children.required(OSCI, "Feedback", feedback)?;
    let mut answer = Answer { feedback, inside_feedback, ..Answer::default() };
    match order {
        Order::FetchDelivery | Order::PartialFetchDelivery => fetched(&mut children, &mut answer)?,
        Order::FetchProcessCard => cards(&mut children, &mut answer)?,
        Order::MediateDelivery => mediated(&mut children, &mut answer)?,
        _ => others(&mut children, &mut answer)?,
    }
    children.done()?;
    Ok(answer)
}

fn feedback<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<Vec<Feedback>> {
    let mut children = Children::of(reader)?;
    let entries = children.many((OSCI, "Entry"), ENTRIES, |reader, entry| {
        let language = entry.attribute_ns(XML, "lang").map(str::to_owned);
        let mut children = Children::of(reader)?;
        let code = children.required(OSCI, "Code", plain_text)?;
        let text = children.required(OSCI, "Text", plain_text)?;
        children.done()?;
        let is_code = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
        if is_code {
            Ok(Feedback { code, text, language })
        } else {
            Err(Error::Malformed("a Code is not four digits"))
        }
    })?;
    children.done()?;
    if entries.is_empty() { Err(Error::Malformed("a Feedback has no Entry")) } else { Ok(entries) }
}

fn fetched<R: BufRead>(children: &mut Children<'_, R>, answer: &mut Answer) -> Result<()> {
    answer.rule = children.required(OSCI, "fetchDelivery", |reader, _| fetch_delivery(reader))?;
    answer.cards = children.optional(OSCI, "ProcessCardBundle", card::bundle)?.into_iter().collect();
    answer.chunk = children.optional(SUPPLEMENT, "ChunkInformation", chunk)?;
    answer.message_id = children.optional(OSCI, "MessageId", message_id)?;
    Ok(())
}

fn cards<R: BufRead>(children: &mut Children<'_, R>, answer: &mut Answer) -> Result<()> {
    (answer.rule, answer.limit) =
        children.required(OSCI, "fetchProcessCard", |reader, _| fetch_process_card(reader))?;
    answer.cards = children.many((OSCI, "ProcessCardBundle"), CARDS, card::bundle)?;
    Ok(())
}

fn mediated<R: BufRead>(children: &mut Children<'_, R>, answer: &mut Answer) -> Result<()> {
    answer.cards = children.optional(OSCI, "RequestProcessCardBundle", card::bundle)?.into_iter().collect();
    answer.reply_card = children.optional(OSCI, "ReplyProcessCardBundle", card::bundle)?;
    Ok(())
}

fn others<R: BufRead>(children: &mut Children<'_, R>, answer: &mut Answer) -> Result<()> {
    answer.message_id = children.optional(OSCI, "MessageId", message_id)?;
    answer.subject = children.optional(OSCI, "Subject", plain_text)?;
    let card = children.optional(OSCI, "ProcessCardBundle", card::bundle)?;
    // The schema of corrigendum 8 calls it so.
    let card = card.or(children.optional(SUPPLEMENT, "procard", card::bundle)?);
    answer.cards = card.into_iter().collect();
    answer.chunk = children.optional(SUPPLEMENT, "ChunkInformation", chunk)?;
    Ok(())
}
