//! Reading messages and the keys by which a repeated one is known.

use model::message::Direction;
use model::{Authority, Id, Message, MessageState, Scope};
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

    /// Messages, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn messages(
        &self,
        scope: &Scope,
        filter: &MessageFilter,
        page: &Page,
    ) -> Result<Listed<Message>, Error> {
        let select = Select::new(SELECT)
            .within(scope, Table::Message)
            .and_if("direction =", filter.direction.map(direction))
            .and_if("state =", filter.state.map(MessageState::name))
            .and_if("partner =", filter.partner.as_deref())
            .and_if("authority =", filter.authority.as_ref().map(Authority::as_str))
            .and_if("message_type =", filter.message_type.as_deref())
            .and_if("exchange =", filter.exchange)
            .and_if("process_id =", filter.process_id);
        let rows = self.db().read(page.apply(select, "id >", " ORDER BY id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(2)?, message(row)?))))
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
