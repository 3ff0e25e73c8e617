//! Mailboxes: one row per recipient of a message. Delivered means confirmed.

use std::time::Duration;

use model::{Authority, Id, Scope, Timestamp};
use serde::{Deserialize, Serialize};

use crate::sql::{Conn, Failed, Row, Select, Table, Value};
use crate::unit::Unit;
use crate::work::CLAIM_DEDUP;
use crate::{Error, Listed, Page, Store};

/// Where an entry of a mailbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// What is to be handed out.
#[derive(Debug)]
pub struct Lease<'a> {
    /// Whose mailbox.
    pub authority: &'a Authority,
    /// Which entries; its `authority` is not looked at.
    pub filter: &'a InboxFilter,
    /// To whom.
    pub holder: &'a str,
    /// For how long.
    pub duration: Duration,
    /// Most entries.
    pub limit: u32,
    /// Key of the request, if it may come again: see [`Work::claim_dedup`](crate::Work::claim_dedup).
    pub once: Option<LeaseKey<'a>>,
}

/// The key of a request for a lease.
#[derive(Debug)]
pub struct LeaseKey<'a> {
    /// Keys of different spaces never meet.
    pub space: &'a str,
    /// Chosen by whoever asks.
    pub key: &'a str,
    /// Of what is asked for.
    pub digest: &'a str,
}

/// A lease as a unit of work: which entries it is about is known only when it is written, so the key's answer (the
/// entries as JSON) is made and written in the same transaction.
pub(crate) struct LeaseUnit {
    update: Select,
    tenant: String,
    /// Space, key and digest.
    once: Option<[String; 3]>,
}

impl LeaseUnit {
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        let (sql, args) = self.update.clone().finish();
        let rows = conn.rows(sql, &args).await?;
        let (Some([space, key, digest]), false) = (&self.once, rows.is_empty()) else { return Ok(rows) };
        let entries = entries(&rows)?;
        let answer = serde_json::to_string(&entries).map_err(Error::from)?;
        let text = |text: &str| Value::from(text);
        let subject = entries.first().map(|entry| entry.id);
        let args = [text(&self.tenant), text(space), text(key), subject.into(), text(digest), answer.into()];
        match conn.execute(CLAIM_DEDUP, &args).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(Error::Conflict { what: "dedup" }.into())
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(rows),
        }
    }
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

    /// Hands out entries of an authority's mailbox, the oldest first: available ones, and those whose lease has run
    /// out. A key is taken together with them, its answer being the entries; if there are none, it stays free.
    ///
    /// # Errors
    /// A conflict of `dedup` if the key is taken; otherwise if the database fails.
    pub async fn lease_inbox(&self, scope: &Scope, lease: &Lease<'_>) -> Result<Vec<InboxEntry>, Error> {
        let now = self.db().now().await?;
        // As a WITH clause, because PostgreSQL may run a locking subquery of IN more than once.
        let picked = Select::new("WITH picked AS (SELECT id FROM inbox WHERE ")
            .within(scope, Table::Inbox)
            .and("authority =", lease.authority.as_str());
        let update = filtered(picked, lease.filter)
            .sql(" AND (state = 'available' OR (state = 'handedOut' AND lease_until <= ")
            .bind(now)
            .sql(")) ORDER BY id LIMIT ")
            .bind(lease.limit)
            .sql(self.db().skip_locked())
            .sql(") UPDATE inbox SET state = 'handedOut', holder = ")
            .bind(lease.holder)
            .sql(", lease_until = ")
            .bind(now.plus(lease.duration))
            .sql(" WHERE id IN (SELECT id FROM picked) RETURNING ")
            .sql(COLUMNS);
        let once = lease.once.as_ref().map(|once| [once.space, once.key, once.digest].map(str::to_owned));
        let unit = LeaseUnit { update, tenant: scope.tenant.clone(), once };
        entries(&self.db().commit(Unit::Lease(unit)).await?)
    }
}

/// The entries in these rows, by id.
fn entries(rows: &[Row]) -> Result<Vec<InboxEntry>, Error> {
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
    entries.sort_by_key(|entry| entry.id);
    Ok(entries)
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
