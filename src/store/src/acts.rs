//! Who did what: the events that are acts of people, or of the house's systems beyond their daily work. Each has its kind in a column of
//! its own, so that the log is read without passing what the gateway notes by itself.

use model::{Event, EventKind, Id, Scope, Timestamp, ids};

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Which acts; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct ActFilter {
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// About this message, record or case.
    pub subject: Option<Id>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// What systems and people do alike, and what is told of it whoever it was.
const ACTS: &[EventKind] = &[
    EventKind::MessageResent,
    EventKind::MessageRepaired,
    EventKind::MessageForwarded,
    EventKind::MessageParked,
    EventKind::MessageReturned,
    EventKind::RefundAsked,
    EventKind::RefundDeclined,
    EventKind::RefundWithdrawn,
    EventKind::PaymentCleared,
    EventKind::ClaimCancelled,
    EventKind::DestructionAsked,
    EventKind::ChannelResent,
    EventKind::ChannelDropped,
    EventKind::PayloadErased,
    EventKind::EventErased,
    EventKind::EvidenceExported,
    EventKind::RecordHeld,
    EventKind::HoldLifted,
];

impl Store {
    /// Acts, the newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn acts(
        &self,
        scope: &Scope,
        filter: &ActFilter,
        page: &Page,
    ) -> Result<Listed<(Id, Option<u64>, Event)>, Error> {
        let select = Select::new(
            "SELECT event.id, chain_entry.number, event.body FROM event \
             LEFT JOIN chain_entry ON chain_entry.event_id = event.id WHERE event.body IS NOT NULL \
             AND event.act IS NOT NULL AND ",
        )
        .within(scope, Table::Event)
        .and_if("event.act =", filter.kind.and_then(name))
        .and_if("event.id >=", filter.since.map(ids::first_at))
        .and_if("event.id <", filter.until.map(ids::first_at));
        let select = match filter.subject {
            Some(id) => select
                .sql(" AND (event.message_id = ")
                .bind(id)
                .sql(" OR event.subject_id = ")
                .bind(id)
                .sql(" OR event.case_id = ")
                .bind(id)
                .sql(")"),
            None => select,
        };
        let rows = self.db().read(page.apply(select, "event.id <", " ORDER BY event.id DESC LIMIT ")).await?;
        page.listed(rows.iter().map(|row| {
            let id = row.id(0)?;
            Ok((id, (id, number(row)?, row.json(2)?)))
        }))
    }
}

fn number(row: &Row) -> Result<Option<u64>, Error> {
    Ok(row.opt_int(1)?.and_then(|number| u64::try_from(number).ok()))
}

/// The kind of an event that is an act; `None` of what the gateway, a partner or the daily work of a system leaves.
pub(crate) fn act(event: &Event) -> Option<String> {
    let is_house = matches!(event.actor.kind.as_str(), "person" | "system");
    let belongs_nowhere = event.message_id.is_none() && event.subject.is_none();
    let is_refusal = event.kind == EventKind::MessageRefused;
    let is_act = event.actor.kind == "person"
        || (is_house && ACTS.contains(&event.kind))
        || (belongs_nowhere && !is_refusal);
    if is_act { name(event.kind) } else { None }
}

/// Name of a kind as in its JSON form.
fn name(kind: EventKind) -> Option<String> {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned))
}
