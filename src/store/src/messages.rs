//! Reading messages and the keys by which a repeated one is known.

use model::message::{Direction, Door};
use model::rights::Within;
use model::{Authority, Id, Message, MessageState, Scope, Timestamp, ids};
use serde_json::Value;

use crate::sql::{Row, Select, Table};
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
    pub answer: Option<Value>,
}

/// Messages that have not ended, or that a human may still move. Named one by one, so that an index serves it.
pub(crate) const UNFINISHED: &str =
    "state IN ('accepted', 'processed', 'preparing', 'ready', 'delivered', 'parked')";

/// Ids that a search looks at: more than it shows, since not all of them need to be within the scope.
const MOST_SOUGHT: u32 = 500;

const SELECT: &str = "SELECT body, received_at, id FROM message WHERE ";

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
        let select = filtered(scope, filter);
        let (behind, order) = match filter.newest {
            true => ("id <", " ORDER BY id DESC LIMIT "),
            false => ("id >", " ORDER BY id LIMIT "),
        };
        let rows = self.db().read(page.apply(select, behind, order)).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(2)?, message(row)?))))
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

/// The filter, so that one index leads, and the one by which least is found: a state in which few messages are; what a message is of; a state;
/// whose it is. Compared with an expression, a column is not looked up by its index.
fn filtered(scope: &Scope, filter: &MessageFilter) -> Select {
    let state = match filter.rule {
        Some(_) => Some(MessageState::Parked),
        None => filter.state,
    };
    let in_few = state.is_some_and(|state| {
        !matches!(state, MessageState::Confirmed | MessageState::Returned | MessageState::Delivered)
    });
    let named = filter.exchange.is_some()
        || filter.process_id.is_some()
        || filter.partner.is_some()
        || filter.message_type.is_some()
        || filter.door.is_some()
        || filter.standard.is_some();
    let by_state = in_few || (!named && state.is_some_and(|state| state != MessageState::Confirmed));
    let by_whose = !named && !by_state;
    let by_unit = by_whose && scope.units != Within::All;
    let by_authority = by_whose && !by_unit;
    let by_direction = by_authority && filter.authority.is_none();
    let by_nothing = by_direction && filter.direction.is_none();
    let [partner, message_type, door, standard] = match in_few {
        true => ["partner || '' =", "message_type || '' =", "door || '' =", "standard || '' ="],
        false => ["partner =", "message_type =", "door =", "standard ="],
    };
    let authority = if by_authority { "authority =" } else { "authority || '' =" };
    let direction_of = if by_direction { "direction =" } else { "direction || '' =" };
    let of_state = if by_state || by_nothing { "state =" } else { "state || '' =" };
    let select =
        Select::new(SELECT).within(scope, if by_unit { Table::Message } else { Table::MessageLedByOthers });
    let select = select
        .and_if(direction_of, filter.direction.map(direction))
        .and_if(of_state, state.map(MessageState::name))
        .and_if(partner, filter.partner.as_deref())
        .and_if(authority, filter.authority.as_ref().map(Authority::as_str))
        .and_if(message_type, filter.message_type.as_deref())
        .and_if("exchange =", filter.exchange)
        .and_if("process_id =", filter.process_id)
        .and_if(door, filter.door.map(door_name))
        .and_if(standard, filter.standard.as_deref())
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
        for state in [Accepted, Processed, Preparing, Ready, Delivered, Confirmed, Returned, Parked] {
            let listed = UNFINISHED.contains(&format!("'{}'", state.name()));
            assert_ne!(listed, matches!(state, Confirmed | Returned), "{}", state.name());
        }
    }
}
