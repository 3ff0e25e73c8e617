//! Mailboxes: one row per recipient of a message. Delivered means confirmed.

use std::time::Duration;

use model::{Authority, Id, Scope, Timestamp};

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Where an entry of a mailbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InboxState {
    /// Waits to be fetched.
    Available,
    /// Leased to somebody who fetches it.
    HandedOut,
    /// The recipient has it.
    Confirmed,
    /// Nobody fetched it in time.
    Expired,
    /// Went back to its sender.
    Returned,
}

impl InboxState {
    const ALL: [InboxState; 5] = [
        InboxState::Available,
        InboxState::HandedOut,
        InboxState::Confirmed,
        InboxState::Expired,
        InboxState::Returned,
    ];

    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            InboxState::Available => "available",
            InboxState::HandedOut => "handedOut",
            InboxState::Confirmed => "confirmed",
            InboxState::Expired => "expired",
            InboxState::Returned => "returned",
        }
    }
}

/// An entry of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Authority whose mailbox it is.
    pub authority: Authority,
    /// Unit that it is for.
    pub unit: String,
    /// Public service that it is for.
    pub public_service: Option<String>,
    /// The message.
    pub message_id: Id,
    /// Where it stands.
    pub state: InboxState,
    /// Until when it is handed out.
    pub lease_until: Option<Timestamp>,
    /// To whom it is handed out, or who confirmed it.
    pub holder: Option<String>,
    /// When it was put there.
    pub created_at: Timestamp,
}

/// Which entries; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct InboxFilter {
    /// Of this authority's mailbox.
    pub authority: Option<Authority>,
    /// For this public service.
    pub service: Option<String>,
    /// For this unit.
    pub unit: Option<String>,
    /// In this state.
    pub state: Option<InboxState>,
}

const COLUMNS: &str =
    "id, tenant, authority, unit, public_service, message_id, state, lease_until, holder, created_at";
fn select() -> Select {
    Select::new("SELECT ").sql(COLUMNS).sql(" FROM inbox WHERE ")
}

impl Store {
    /// Entries of mailboxes, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn inbox(
        &self,
        scope: &Scope,
        filter: &InboxFilter,
        page: &Page,
    ) -> Result<Listed<InboxEntry>, Error> {
        let select = filtered(select().within(scope, Table::Inbox), filter)
            .and_if("authority =", filter.authority.as_ref().map(Authority::as_str));
        let rows = self.db().read(page.apply(select, "inbox.id >", " ORDER BY inbox.id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(0)?, entry(row)?))))
    }

    /// One entry.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn inbox_entry(&self, scope: &Scope, id: Id) -> Result<Option<InboxEntry>, Error> {
        let select = select().within(scope, Table::Inbox).and("id =", id);
        self.db().read_one(select).await?.as_ref().map(entry).transpose()
    }

    /// Entries that nobody has fetched in time, the longest expired first, over all tenants.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expired_inbox(&self, limit: u32) -> Result<Vec<InboxEntry>, Error> {
        let now = self.db().now().await?;
        let select = select()
            .sql("expires_at <= ")
            .bind(now)
            .sql(" AND state IN ('available', 'handedOut') AND (lease_until IS NULL OR lease_until <= ")
            .bind(now)
            .sql(") ORDER BY expires_at LIMIT ")
            .bind(limit);
        self.db().read(select).await?.iter().map(entry).collect()
    }

    /// Hands out up to `limit` entries of the authority's mailbox to `holder`, the oldest first: available ones, and
    /// those whose lease has run out. `filter.authority` is not looked at.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn lease_inbox(
        &self,
        scope: &Scope,
        authority: &Authority,
        filter: &InboxFilter,
        holder: &str,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, Error> {
        let now = self.db().now().await?;
        // As a WITH clause, because PostgreSQL may run a locking subquery of IN more than once.
        let picked = Select::new("WITH picked AS (SELECT id FROM inbox WHERE ")
            .within(scope, Table::Inbox)
            .and("authority =", authority.as_str());
        let update = filtered(picked, filter)
            .sql(" AND (state = 'available' OR (state = 'handedOut' AND lease_until <= ")
            .bind(now)
            .sql(")) ORDER BY id LIMIT ")
            .bind(limit)
            .sql(self.db().skip_locked())
            .sql(") UPDATE inbox SET state = 'handedOut', holder = ")
            .bind(holder)
            .sql(", lease_until = ")
            .bind(now.plus(lease))
            .sql(" WHERE id IN (SELECT id FROM picked) RETURNING ")
            .sql(COLUMNS);
        let rows = self.db().commit_returning(update, "inbox").await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
        entries.sort_by_key(|entry| entry.id);
        Ok(entries)
    }
}

fn filtered(select: Select, filter: &InboxFilter) -> Select {
    select
        .and_if("public_service =", filter.service.as_deref())
        .and_if("unit =", filter.unit.as_deref())
        .and_if("state =", filter.state.map(InboxState::name))
}

fn entry(row: &Row) -> Result<InboxEntry, Error> {
    let state = row.text(6)?;
    Ok(InboxEntry {
        id: row.id(0)?,
        tenant: row.text(1)?,
        authority: row.parsed(2)?,
        unit: row.text(3)?,
        public_service: row.opt_text(4)?,
        message_id: row.id(5)?,
        state: InboxState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or(Error::Corrupt { what: "inbox entry" })?,
        lease_until: row.opt_time(7)?,
        holder: row.opt_text(8)?,
        created_at: row.time(9)?,
    })
}
