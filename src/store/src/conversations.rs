//! Conversations with clients, and the ids issued to them: what a relay remembers between two requests.

use model::Timestamp;
use serde_json::Value as Json;

use crate::sql::{Expect, Row, Select, Step};
use crate::unit::Unit;
use crate::{Error, Store};

/// Rows deleted in one unit.
const SLICE: u32 = 500;

/// A dialog with a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Identifier within the tenant, chosen by whoever began it.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// Counts the changes: of two requests that go on at the same place one loses.
    pub version: u64,
    /// When it went on last.
    pub touched_at: Timestamp,
    /// What its protocol has to remember.
    pub body: Json,
}

/// A message id that was issued here and may be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The id, unique within the tenant.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// Whom it was issued to: nobody else may use it.
    pub owner: String,
    /// From when on it may not be used any more.
    pub expires_at: Timestamp,
}

const DELETE_IDLE: &str = "DELETE FROM relay_conversation WHERE (tenant, id) IN \
     (SELECT tenant, id FROM relay_conversation WHERE touched_at <= $1 ORDER BY touched_at LIMIT $2) RETURNING id";
const DELETE_EXPIRED: &str = "DELETE FROM relay_ticket WHERE (tenant, id) IN \
     (SELECT tenant, id FROM relay_ticket WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id";

impl Store {
    /// A conversation that has gone on since `idle_since`; one that has been idle for longer is none any more.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn conversation(
        &self,
        tenant: &str,
        id: &str,
        idle_since: Timestamp,
    ) -> Result<Option<Conversation>, Error> {
        let columns = "SELECT id, tenant, version, touched_at, body FROM relay_conversation WHERE tenant = ";
        let select = Select::new(columns).bind(tenant).and("id =", id).and("touched_at >", idle_since);
        self.db().read_one(select).await?.as_ref().map(conversation).transpose()
    }

    /// Whether a ticket may be used by its owner at `now`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_open_ticket(
        &self,
        tenant: &str,
        id: &str,
        owner: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let select = Select::new("SELECT id FROM relay_ticket WHERE tenant = ").bind(tenant).and("id =", id);
        let select = select.and("owner =", owner).and("expires_at >", now);
        Ok(self.db().read_one(select).await?.is_some())
    }

    /// Removes conversations that have been idle since `idle_since`, and ids that nobody may use any more at `now`,
    /// over all tenants; returns how many.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sweep_relay(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        for (what, sql, before) in
            [("conversation", DELETE_IDLE, idle_since), ("ticket", DELETE_EXPIRED, now)]
        {
            loop {
                let step = Step::new(sql, vec![before.into(), SLICE.into()], what, Expect::Returning);
                let gone = self.db().commit(Unit::Steps(vec![step])).await?.len() as u64;
                swept += gone;
                if gone < u64::from(SLICE) {
                    break;
                }
            }
        }
        Ok(swept)
    }
}

fn conversation(row: &Row) -> Result<Conversation, Error> {
    Ok(Conversation {
        id: row.text(0)?,
        tenant: row.text(1)?,
        version: row.number(2)?,
        touched_at: row.time(3)?,
        body: row.json(4)?,
    })
}
