//! Message boxes: mailboxes whose owner looks through what waits there, in the order in which it came. Unlike a recipient
//! that takes whatever is next, it lists, counts and selects. What was received or returned is not in the box any more.

use model::{Id, Scope, Timestamp};
use serde_json::Value as Json;

use crate::relay::{delivery, select};
use crate::sql::{Select, Table};
use crate::{Error, RelayDelivery, Store};

/// What is looked for in a mailbox. All conditions hold together.
#[derive(Debug, Clone, Copy, Default)]
pub struct BoxFilter<'a> {
    /// The mailbox.
    pub mailbox: &'a str,
    /// One of these tickets, if there are any.
    pub tickets: &'a [String],
    /// An answer to one of these, if there are any.
    pub related: &'a [String],
    /// Entered the mailbox then or later.
    pub from: Option<Timestamp>,
    /// Entered the mailbox then or before.
    pub until: Option<Timestamp>,
    /// Never handed out.
    pub only_new: bool,
    /// Behind the delivery of this message that entered at this moment.
    pub after: Option<(Timestamp, Id)>,
}

impl Store {
    /// The first deliveries that have entered a mailbox by `now`, wait there, and fit: the oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn box_entries(
        &self,
        scope: &Scope,
        filter: &BoxFilter<'_>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<RelayDelivery>, Error> {
        let select = self.in_box(select(), scope, filter, now).sql(" ORDER BY enters_at, message LIMIT ");
        self.db().read(select.bind(limit)).await?.iter().map(delivery).collect()
    }

    /// How many there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn box_count(
        &self,
        scope: &Scope,
        filter: &BoxFilter<'_>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let select = Select::new("SELECT COUNT(*) FROM relay_delivery WHERE ");
        let row = self.db().read_one(self.in_box(select, scope, filter, now)).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    fn in_box(&self, select: Select, scope: &Scope, filter: &BoxFilter<'_>, now: Timestamp) -> Select {
        let mut select = select
            .within(scope, Table::Relay)
            .and("mailbox =", filter.mailbox)
            .sql(" AND stage < 2")
            .and("enters_at <=", now)
            .and_if("enters_at >=", filter.from)
            .and_if("enters_at <=", filter.until);
        if filter.only_new {
            select = select.sql(" AND stage = 0");
        }
        if !filter.tickets.is_empty() {
            select =
                self.db().texts_of(select.sql(" AND ticket IN "), Json::from(filter.tickets).to_string());
        }
        if !filter.related.is_empty() {
            select = self.db().answering(select, Json::from(filter.related).to_string());
        }
        let Some((moment, message)) = filter.after else { return select };
        select.sql(" AND (enters_at, message) > (").bind(moment).sql(", ").bind(message).sql(")")
    }
}
