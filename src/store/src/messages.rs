//! Reading messages and the keys by which a repeated one is known.

use model::message::{Direction, Door};
use model::rights::Within;
use model::{Authority, Id, Message, MessageState, Scope, Timestamp, ids};

use crate::sql::{Row, Select, Table, Value};
use crate::{Error, Listed, Page, Store};

/// Which messages; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// In or out.
    pub direction: Option<Direction>,
    /// In this state.
    pub state: Option<MessageState>,
    /// To or from this partner.
    pub partner: Option<String>,
    /// Of this authority of ours.
    pub authority: Option<Authority>,
    /// Of this type, such as `0401`.
    pub message_type: Option<String>,
    /// Of this exchange.
    pub exchange: Option<Id>,
    /// Of this process (ProzessID).
    pub process_id: Option<Id>,
    /// By this door.
    pub door: Option<Door>,
    /// Of this standard, such as `xdomea`.
    pub standard: Option<String>,
    /// Parked by this rule.
    pub rule: Option<String>,
    /// Here since this time or later.
    pub since: Option<Timestamp>,
    /// Here before this time.
    pub until: Option<Timestamp>,
    /// Whether the newest come first.
    pub newest: bool,
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// A message, process, exchange, case or case file by its id.
    Id(Id),
    /// A case or case file by its Aktenzeichen.
    Reference(String),
}

/// What is known of a message that came before under the same key.
#[derive(Debug, Clone, PartialEq)]
pub struct Dedup {
    /// What came of it: the message or record.
    pub subject: Id,
    /// Digest of its bytes; the same key with other bytes is a conflict.
    pub digest: String,
    /// The answer that was given, once it was.
    pub answer: Option<serde_json::Value>,
}

/// Messages that have not ended, or that a human may still move. Named one by one, so that an index serves it.
pub(crate) const UNFINISHED: &str =
    "state IN ('accepted', 'processed', 'preparing', 'ready', 'delivered', 'parked')";

/// Ids that a search looks at: more than it shows, since not all of them need to be within the scope.
const MOST_SOUGHT: u32 = 500;

/// Units of a scope that are looked through one after the other.
const MOST_WAYS: usize = 32;

const SELECT: &str = "SELECT body, received_at, id FROM message WHERE ";

/// The kind of a message, by which the index `message_kind` goes: direction, door, standard and type.
const KIND: &str = "(direction || '|' || COALESCE(door, '') || '|' || COALESCE(standard, '') || '|' || COALESCE(message_type, ''))";
/// Kinds that are told apart.
const MOST_KINDS: usize = 200;
/// Kinds that are looked through one after the other.
const FEW_KINDS: usize = 8;

impl Store {
    /// One message.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn message(&self, scope: &Scope, id: Id) -> Result<Option<Message>, Error> {
        let select = Select::new(SELECT).within(scope, Table::Message).and("id =", id);
        self.db().read_one(select).await?.as_ref().map(message).transpose()
    }

    /// Messages, by id, which is by the time at which they came here.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn messages(
        &self,
        scope: &Scope,
        filter: &MessageFilter,
        page: &Page,
    ) -> Result<Listed<Message>, Error> {
        let kinds = self.kinds(&scope.tenant, filter).await?;
        if kinds.as_ref().is_some_and(Vec::is_empty) {
            return page.listed(std::iter::empty());
        }
        let ways = ways(scope, filter, kinds.as_deref().unwrap_or_default());
        let select = found_ids(Select::new(SELECT).sql("id IN ("), scope, filter, (ways, page));
        let select = select.sql(if filter.newest { ") ORDER BY id DESC" } else { ") ORDER BY id" });
        let rows = self.db().read(select).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(2)?, message(row)?))))
    }

    /// The kinds of a tenant's messages that a filter lets through: what there is no message of is not looked for among a million. Each is
    /// one look into the index. `None` if the filter asks for none, or if there are too many.
    async fn kinds(&self, tenant: &str, filter: &MessageFilter) -> Result<Option<Vec<String>>, Error> {
        let MessageFilter { direction, door, standard, message_type, .. } = filter;
        let asks = direction.is_some() || door.is_some() || standard.is_some() || message_type.is_some();
        if !asks || filter.exchange.is_some() || filter.process_id.is_some() {
            return Ok(None);
        }
        let select = Select::new("WITH RECURSIVE kind (it) AS (SELECT (SELECT ").sql(KIND);
        let select = select.sql(" FROM message WHERE tenant = ").bind(tenant).sql(" ORDER BY ").sql(KIND);
        let select = select.sql(" LIMIT 1) UNION ALL SELECT (SELECT ").sql(KIND);
        let select = select.sql(" FROM message WHERE tenant = ").bind(tenant).sql(" AND ").sql(KIND);
        let select = select
            .sql(" > kind.it ORDER BY ")
            .sql(KIND)
            .sql(" LIMIT 1) FROM kind WHERE kind.it IS NOT NULL) ");
        let select = select.sql("SELECT it FROM kind WHERE it IS NOT NULL LIMIT ").bind(MOST_KINDS as u64);
        let rows = self.db().read(select).await?;
        if rows.len() == MOST_KINDS {
            return Ok(None);
        }
        let mut kinds = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<String>, Error>>()?;
        kinds.retain(|kind| is_of_kind(filter, kind));
        Ok(Some(kinds))
    }

    /// The newest messages that have to do with what is sought.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sought_messages(
        &self,
        scope: &Scope,
        sought: &Sought,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let ids = self.db().read(sought_ids(&scope.tenant, sought)).await?;
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let mut select = Select::new(SELECT).within(scope, Table::Message).sql(" AND id IN (");
        for (at, row) in ids.iter().enumerate() {
            select = select.sql(if at == 0 { "" } else { ", " }).bind(row.id(0)?);
        }
        let select = select.sql(") ORDER BY id DESC LIMIT ").bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(message).collect()
    }

    /// How many messages of the scope are in a state; not counted beyond `most`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_messages(&self, scope: &Scope, state: MessageState, most: u32) -> Result<u64, Error> {
        let select = Select::new("SELECT count(*) FROM (SELECT 1 FROM message WHERE ")
            .within(scope, Table::Message)
            .and("state =", state.name())
            .sql(" LIMIT ")
            .bind(most)
            .sql(") AS counted");
        self.db().read_one(select).await?.map_or(Ok(0), |row| row.number(0))
    }

    /// What is known under a key. The window is as long as the row is kept, and common to all nodes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn dedup(&self, tenant: &str, space: &str, key: &str) -> Result<Option<Dedup>, Error> {
        let select = Select::new("SELECT subject, digest, answer FROM dedup WHERE tenant = ")
            .bind(tenant)
            .and("space =", space)
            .and("name =", key);
        let Some(row) = self.db().read_one(select).await? else { return Ok(None) };
        let answer = match row.opt_text(2)? {
            Some(_) => Some(row.json(2)?),
            None => None,
        };
        Ok(Some(Dedup { subject: row.id(0)?, digest: row.text(1)?, answer }))
    }
}

/// The newest ids that have to do with what is sought. Each part is answered by its own index; in one statement with the messages, an engine
/// may prefer to walk through all of these. `IS NOT NULL` would have SQLite take another index of the events.
fn sought_ids(tenant: &str, sought: &Sought) -> Select {
    let select = match sought {
        Sought::Id(id) => Select::new("SELECT id FROM (SELECT id FROM message WHERE id = ")
            .bind(*id)
            .sql(" UNION SELECT id FROM message WHERE tenant = ")
            .bind(tenant)
            .and("process_id =", *id)
            .sql(" UNION SELECT id FROM message WHERE tenant = ")
            .bind(tenant)
            .and("exchange =", *id)
            .sql(" UNION SELECT message_id FROM event WHERE length(message_id) > 0 AND tenant = ")
            .bind(tenant)
            .and("case_id =", *id),
        Sought::Reference(reference) => Select::new(
            "SELECT id FROM (SELECT DISTINCT event.message_id AS id FROM record JOIN event ON event.tenant = record.tenant \
             AND event.case_id = record.root WHERE length(event.message_id) > 0 AND record.tenant = ",
        )
        .bind(tenant)
        .and("record.record_reference =", reference.as_str()),
    };
    select.sql(") AS found ORDER BY id DESC LIMIT ").bind(MOST_SOUGHT)
}

/// Whether a filter lets a kind through.
fn is_of_kind(filter: &MessageFilter, kind: &str) -> bool {
    let wanted = [
        filter.direction.map(direction),
        filter.door.map(door_name),
        filter.standard.as_deref(),
        filter.message_type.as_deref(),
    ];
    let parts = kind.splitn(wanted.len(), '|');
    parts.zip(wanted).all(|(part, wanted)| wanted.is_none_or(|wanted| wanted == part))
}

/// The ids of a page of what passes a filter, in the order of ids. Each way is walked by one index until the page is full.
fn found_ids(
    select: Select,
    scope: &Scope,
    filter: &MessageFilter,
    (ways, page): (Vec<(&'static str, Value)>, &Page),
) -> Select {
    let (behind, order) = match filter.newest {
        true => ("id <", " ORDER BY id DESC LIMIT "),
        false => ("id >", " ORDER BY id LIMIT "),
    };
    let mut select = select.sql("SELECT id FROM (");
    for (at, (led_by, value)) in ways.into_iter().enumerate() {
        select = select
            .sql(if at == 0 { "" } else { " UNION ALL " })
            .sql("SELECT id FROM (SELECT id FROM message WHERE ");
        select = passes(select, scope, filter, led_by).sql(" AND ").sql(led_by).sql(" = ").bind(value);
        select = page.apply(select, behind, order).sql(") AS way");
    }
    select.sql(") AS found").sql(order).bind(page.size() as u64 + 1)
}

/// What leads to what is looked for. One thing alone is looked up by an index of its own, if it has one, and so are few kinds: nothing that
/// is not looked for lies there. Several things together are looked for within `message_sought`, one state after the other: it has all that
/// a message is looked for by, so a million messages are passed without one of them being read.
fn ways(scope: &Scope, filter: &MessageFilter, kinds: &[String]) -> Vec<(&'static str, Value)> {
    if let Some(exchange) = filter.exchange {
        return vec![("exchange", exchange.into())];
    }
    if let Some(process) = filter.process_id {
        return vec![("process_id", process.into())];
    }
    let state = filter.rule.as_ref().map_or(filter.state, |_| Some(MessageState::Parked));
    let partner = filter.partner.as_deref().map(|it| ("partner", it.into()));
    let message_type = filter.message_type.as_deref().map(|it| ("message_type", it.into()));
    let others = [
        state.is_some(),
        filter.direction.is_some(),
        filter.door.is_some(),
        filter.authority.is_some(),
        filter.standard.is_some(),
    ];
    let units = match &scope.units {
        Within::Only(units) if (1..=MOST_WAYS).contains(&units.len()) => Some(units),
        _ => None,
    };
    let is_whole = scope.units == Within::All && scope.services == Within::All;
    let is_kind_all = state.is_none() && partner.is_none() && filter.authority.is_none();
    if is_whole && is_kind_all && (1..=FEW_KINDS).contains(&kinds.len()) {
        return kinds.iter().map(|it| (KIND, it.as_str().into())).collect();
    }
    match (partner, message_type, units) {
        // Its index has all the rest, too; only a state in which few are leads to less.
        (Some(partner), _, _) if !state.is_some_and(is_of_few) => return vec![partner],
        _ if others.contains(&true) => {}
        (None, Some(message_type), _) if is_whole => return vec![message_type],
        (None, None, Some(units)) => return units.iter().map(|it| ("unit", it.as_str().into())).collect(),
        _ => {}
    }
    let states = MessageState::ALL.iter().filter(|it| state.is_none_or(|state| state == **it));
    states.map(|it| ("state", it.name().into())).collect()
}

/// Whether few messages are in a state: none stays there.
fn is_of_few(state: MessageState) -> bool {
    !matches!(state, MessageState::Confirmed | MessageState::Returned | MessageState::Delivered)
}

/// What passes. Within an expression a column is not looked up by its index, so what has one leads only where [`ways`] says so.
fn passes(select: Select, scope: &Scope, filter: &MessageFilter, led_by: &str) -> Select {
    let state = filter.state.filter(|_| led_by != "state").map(MessageState::name);
    let select = select
        .within(scope, Table::MessageLedByOthers)
        .and_if("door =", filter.door.map(door_name))
        .and_if("direction =", filter.direction.map(direction))
        .and_if("standard =", filter.standard.as_deref())
        .and_if("authority =", filter.authority.as_ref().map(Authority::as_str))
        .and_if("COALESCE(message_type, '') =", filter.message_type.as_deref())
        .and_if("COALESCE(partner, '') =", filter.partner.as_deref())
        .and_if("COALESCE(state, '') =", state)
        .and_if("COALESCE(exchange, '') =", filter.exchange)
        .and_if("COALESCE(process_id, '') =", filter.process_id)
        .and_if("id >=", filter.since.map(ids::first_at))
        .and_if("id <", filter.until.map(ids::first_at));
    match &filter.rule {
        Some(rule) => select
            .sql(
                " AND EXISTS (SELECT 1 FROM clarification WHERE clarification.tenant = message.tenant \
                 AND clarification.message = message.id AND clarification.rule = ",
            )
            .bind(rule.as_str())
            .sql(")"),
        None => select,
    }
}

/// Name of a door in the store.
pub(crate) fn door_name(door: Door) -> &'static str {
    match door {
        Door::Rest => "rest",
        Door::Local => "local",
        Door::Adapter => "adapter",
        Door::Osci => "osci",
        Door::Xta => "xta",
        _ => "other",
    }
}

/// Name of a direction in the store.
pub(crate) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

fn message(row: &Row) -> Result<Message, Error> {
    let mut message: Message = row.json(0)?;
    // The column is written once; the body is written with every change.
    message.received_at = row.time(1)?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_finished_or_unfinished() {
        use MessageState::*;
        for state in MessageState::ALL {
            let listed = UNFINISHED.contains(&format!("'{}'", state.name()));
            assert_ne!(listed, matches!(state, Confirmed | Returned), "{}", state.name());
        }
    }
}
