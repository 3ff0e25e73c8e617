//! Writing what is answered (OSCI-Transport 1.2, section 4; supplement of 2017).

use super::order::{cards_selection, chunk_information, id_and_subject, selection};
use super::{Xml, card};
use crate::code::language;
use crate::message::{Answer, Feedback};
use crate::names::Order;

/// Puts what the answer's element holds.
pub(super) fn body(xml: &mut Xml, order: Order, answer: &Answer) {
    if !answer.inside_feedback.is_empty() {
        feedback(xml, "osci2017:InsideFeedback", &answer.inside_feedback);
    }
    feedback(xml, "osci:Feedback", &answer.feedback);
    match order {
        Order::FetchDelivery | Order::PartialFetchDelivery => fetched(xml, answer),
        Order::FetchProcessCard => {
            xml.open("osci:fetchProcessCard", &[]);
            cards_selection(xml, answer.rule.as_ref(), answer.limit);
            xml.close("osci:fetchProcessCard");
            answer.cards.iter().for_each(|card| card::bundle(xml, "ProcessCardBundle", card));
        }
        Order::MediateDelivery => {
            answer.cards.iter().for_each(|card| card::bundle(xml, "RequestProcessCardBundle", card));
            answer.reply_card.iter().for_each(|card| card::bundle(xml, "ReplyProcessCardBundle", card));
        }
        _ => {
            id_and_subject(xml, answer.message_id.as_deref(), answer.subject.as_deref());
            answer.cards.iter().for_each(|card| card::bundle(xml, "ProcessCardBundle", card));
            answer.chunk.iter().for_each(|chunk| chunk_information(xml, chunk));
        }
    }
}

fn fetched(xml: &mut Xml, answer: &Answer) {
    xml.open("osci:fetchDelivery", &[]);
    selection(xml, answer.rule.as_ref());
    xml.close("osci:fetchDelivery");
    answer.cards.iter().for_each(|card| card::bundle(xml, "ProcessCardBundle", card));
    answer.chunk.iter().for_each(|chunk| chunk_information(xml, chunk));
    id_and_subject(xml, answer.message_id.as_deref(), None);
}

fn feedback(xml: &mut Xml, name: &str, entries: &[Feedback]) {
    xml.open(name, &[]);
    for entry in entries {
        xml.open("osci:Entry", &[("xml:lang", entry.language.as_deref().unwrap_or(language([])))]);
        xml.element("osci:Code", &entry.code);
        xml.element("osci:Text", &entry.text);
        xml.close("osci:Entry");
    }
    xml.close(name);
}
