//! Process cards ("Laufzettel") as they are told, and what a selection means: OSCI-Transport 1.2, section 4.2.6.

use super::backend::{Card, Cards, Selection};
use crate::Result;
use crate::card::{ProcessCardBundle, TimeStamp};
use crate::message::SelectionRule;
use crate::moment::{date_time, seconds};

/// Most process cards of one answer, whatever the client asks for.
pub(super) const MOST: usize = 1_000;

/// A card as it stands in an answer.
pub(super) fn bundle(card: &Card) -> Result<ProcessCardBundle> {
    let stamp = |at: i64| date_time(at).map(TimeStamp::Plain);
    let report = |inspected: &super::inspect::Inspected| inspected.report();
    Ok(ProcessCardBundle {
        message_id: card.message_id.clone(),
        recent_modification: date_time(card.modification)?,
        creation: Some(stamp(card.creation)?),
        forwarding: card.forwarding.map(stamp).transpose()?,
        reception: card.reception.map(stamp).transpose()?,
        subject: card.subject.clone(),
        inspections: card.inspections.iter().map(report).collect::<Result<_>>()?,
    })
}

/// Which deliveries a rule means.
pub(super) fn selection(rule: Option<&SelectionRule>) -> Result<Selection> {
    Ok(match rule {
        None => Selection::Next,
        Some(SelectionRule::MessageIds(ids)) => Selection::Ids(ids.clone()),
        Some(SelectionRule::ReceptionOfDelivery(since)) => Selection::Since(seconds(&since.moment)?),
        Some(SelectionRule::RecentModification(since)) => Selection::Modified(seconds(&since.moment)?),
    })
}

/// Which cards a rule and a limit mean.
pub(super) fn wanted(rule: Option<&SelectionRule>, limit: Option<u32>) -> Result<Cards> {
    let since = match rule {
        Some(SelectionRule::ReceptionOfDelivery(since) | SelectionRule::RecentModification(since)) => {
            Some(since)
        }
        _ => None,
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST).min(MOST);
    Ok(Cards {
        selection: match rule {
            None => Selection::Since(0),
            rule => selection(rule)?,
        },
        role: since.and_then(|since| since.role),
        no_reception: since.is_some_and(|since| since.no_reception),
        limit,
    })
}
