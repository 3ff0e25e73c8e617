//! Reading events: the sealed feed, time lines, and what an evidence bundle needs.

use std::collections::BTreeMap;

use model::{Event, Id, Scope};
use seal::bundle::{Content, EventRecord};
use seal::chain::Salt;

use crate::sql::{Row, Select, Table};
use crate::{Error, Page, Store};

/// An event with its number in the tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    /// From 1, without gaps within the tenant.
    pub number: u64,
    /// What happened.
    pub event: Event,
}

/// Whose time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineOf {
    /// Of a message.
    Message(Id),
    /// Of a record.
    Record(Id),
    /// Of all records of a tree, by its topmost record.
    Root(Id),
}

impl Store {
    /// The event feed: sealed events behind number `after`, ascending, at most `limit` and [`Page::MOST`]. An event is
    /// never numbered below one that was seen before, so a reader that goes on from the last number misses nothing.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events(&self, scope: &Scope, after: u64, limit: u32) -> Result<Vec<SealedEvent>, Error> {
        let select = Select::new(
            "SELECT chain_entry.number, event.body FROM chain_entry JOIN event ON event.id = chain_entry.event_id \
             WHERE event.body IS NOT NULL AND ",
        )
        .within(scope, Table::Event)
        .and("chain_entry.tenant =", scope.tenant.as_str())
        .and("chain_entry.number >", after)
        .sql(" ORDER BY chain_entry.number LIMIT ")
        .bind(limit.min(Page::MOST));
        let rows = self.db().read(select).await?;
        rows.iter().map(|row| Ok(SealedEvent { number: row.number(0)?, event: row.json(1)? })).collect()
    }

    /// Events of a message, record or tree by id, sealed or not yet; the number is absent where not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn timeline(
        &self,
        scope: &Scope,
        of: TimelineOf,
        page: &Page,
    ) -> Result<Vec<(Option<u64>, Event)>, Error> {
        let (column, id) = column_of(of);
        let select = Select::new(
            "SELECT chain_entry.number, event.body FROM event \
             LEFT JOIN chain_entry ON chain_entry.event_id = event.id WHERE event.body IS NOT NULL AND ",
        )
        .within(scope, Table::Event)
        .and(column, id)
        .and_if("event.id >", page.after)
        .sql(" ORDER BY event.id LIMIT ")
        .bind(page.limit.min(Page::MOST));
        let rows = self.db().read(select).await?;
        let number = |row: &Row| row.opt_int(0).map(|number| number.and_then(|n| u64::try_from(n).ok()));
        rows.iter().map(|row| Ok((number(row)?, row.json(1)?))).collect()
    }

    /// The newest events of a message, record or tree, before event `before`, the newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn newest_events(
        &self,
        scope: &Scope,
        of: TimelineOf,
        before: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        let (column, id) = column_of(of);
        let select = Select::new("SELECT event.body FROM event WHERE event.body IS NOT NULL AND ")
            .within(scope, Table::Event)
            .and(column, id)
            .and_if("event.id <", before)
            .sql(" ORDER BY event.id DESC LIMIT ")
            .bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(|row| row.json(0)).collect()
    }

    /// What happened to a message itself, and not to the records that it led to: its oldest and its newest events, at most `most` of
    /// each, the oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn steps(&self, scope: &Scope, message: Id, most: u32) -> Result<Vec<Event>, Error> {
        let mut steps = BTreeMap::new();
        for order in [" ORDER BY event.id LIMIT ", " ORDER BY event.id DESC LIMIT "] {
            let select =
                Select::new("SELECT event.id, event.body FROM event WHERE event.body IS NOT NULL AND ")
                    .within(scope, Table::Event)
                    .and("event.message_id =", message)
                    .sql(" AND event.subject_id IS NULL")
                    .sql(order)
                    .bind(most.min(Page::MOST));
            for row in self.db().read(select).await? {
                steps.insert(row.id(0)?, row.json(1)?);
            }
        }
        Ok(steps.into_values().collect())
    }

    /// Messages that occur in the events of the tree whose topmost record is `root`, behind `after`, ascending, at most `limit`; also
    /// in events that are erased.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn messages_of_tree(
        &self,
        scope: &Scope,
        root: Id,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Id>, Error> {
        // As an expression, so that SQLite goes through the few events of the tree and not through those of all messages.
        let select = Select::new("SELECT DISTINCT message_id || '' AS message FROM event WHERE ")
            .within(scope, Table::Event)
            .and("event.case_id =", root)
            .and("message_id || '' >", after.map(|id| id.to_string()).unwrap_or_default())
            .sql(" ORDER BY message LIMIT ")
            .bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(|row| row.id(0)).collect()
    }

    /// The sealed events that prove a case, behind number `after`, ascending, in the form that evidence bundles hold:
    /// the events of the tree whose topmost record is `root`, and those of every message that occurs in them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn case_events(
        &self,
        scope: &Scope,
        root: Id,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, Error> {
        // The cross joins have SQLite begin with the few events of the case and not with the whole chain.
        let tenant = scope.tenant.as_str();
        let select = Select::new(
            "SELECT chain_entry.number, event.id, event.digest, event.salt, event.body \
             FROM (SELECT id FROM event WHERE tenant = ",
        )
        .bind(tenant)
        .and("case_id =", root)
        .sql(" UNION SELECT id FROM event WHERE tenant = ")
        .bind(tenant)
        .sql(" AND message_id IN (SELECT message_id FROM event WHERE tenant = ")
        .bind(tenant)
        .and("case_id =", root)
        .sql(
            ")) AS proving CROSS JOIN event CROSS JOIN chain_entry \
             WHERE event.id = proving.id AND chain_entry.event_id = event.id AND ",
        )
        .within(scope, Table::Event)
        .and("chain_entry.number >", after)
        .sql(" ORDER BY chain_entry.number LIMIT ")
        .bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(record).collect()
    }
}

fn column_of(of: TimelineOf) -> (&'static str, Id) {
    match of {
        TimelineOf::Message(id) => ("event.message_id =", id),
        TimelineOf::Record(id) => ("event.subject_id =", id),
        TimelineOf::Root(id) => ("event.case_id =", id),
    }
}

pub(crate) fn record(row: &Row) -> Result<EventRecord, Error> {
    let content = match row.opt_text(3)? {
        Some(salt) => {
            let mut bytes = [0; 16];
            hex::decode_to_slice(salt, &mut bytes).map_err(|_| Error::Corrupt { what: "event" })?;
            Content::Full { salt: Salt(bytes), event: row.json(4)? }
        }
        None => Content::Erased { digest: row.parsed(2)? },
    };
    Ok(EventRecord { number: row.number(0)?, event_id: row.id(1)?, content })
}
