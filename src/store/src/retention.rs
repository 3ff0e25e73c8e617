//! What deletion looks at: messages that have ended and calls at doors of payments whose bytes may still be here, whether a legal hold
//! (Löschsperre) lies on what they brought; and what each run deleted and left.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Id, Message, PayloadRef, Scope, Timestamp};
use serde_json::Value as Json;

use crate::messages::UNFINISHED;
use crate::payments::NOTICE;
use crate::records::first_id;
use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, PaymentNotice, Store};

/// A message whose bytes may be here.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageCopy {
    /// The message.
    pub message: Message,
    /// Whether it only waited here for somebody who picks up.
    pub relayed: bool,
}

/// A run of deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionRun {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it is under way.
    pub ended_at: Option<Timestamp>,
    /// Lines of its list.
    pub deleted: u64,
    /// Merkle root over the lines, hex; absent while it is under way.
    pub root: Option<String>,
    /// The event that says so in the chain.
    pub event: Option<Id>,
    /// What was configured, and how much was left for which reason.
    pub body: Json,
}

/// Something that a run had to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionKept {
    /// What it is: `message`, `relay`, `notice`, `record`.
    pub kind: String,
    /// Its id.
    pub subject: Id,
    /// Why it stays: a code.
    pub reason: String,
    /// Since when it is there.
    pub since: Timestamp,
}

const RUN: &str =
    "SELECT id, tenant, started_at, ended_at, deleted, root, event, body FROM retention_run WHERE ";

impl Store {
    /// Messages of the tenant that were taken in before a time, have ended, and may have bytes here: by id, behind `after`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn message_copies(
        &self,
        tenant: &str,
        before: Timestamp,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<MessageCopy>, Error> {
        let select = Select::new(
            "SELECT message.body, message.received_at, relay_delivery.message FROM message \
             LEFT JOIN relay_delivery ON relay_delivery.message = message.id \
             WHERE message.copies = 1 AND message.state IN ('confirmed', 'returned') AND message.tenant = ",
        )
        .bind(tenant)
        .and("message.id <", first_id(before))
        .and_if("message.id >", after)
        .sql(" ORDER BY message.id LIMIT ")
        .bind(limit.min(Page::MOST));
        let rows = self.db().read(select).await?;
        rows.iter()
            .map(|row| Ok(MessageCopy { message: message(row)?, relayed: row.opt_text(2)?.is_some() }))
            .collect()
    }

    /// Messages of the tenant that were taken in before a time and have not ended: by id, behind `after`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unfinished_before(
        &self,
        tenant: &str,
        before: Timestamp,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let select = Select::new("SELECT body, received_at FROM message WHERE ").sql(UNFINISHED);
        let select = select.and("tenant =", tenant).and("id <", first_id(before)).and_if("id >", after);
        let rows = self.db().read(select.sql(" ORDER BY id LIMIT ").bind(limit.min(Page::MOST))).await?;
        rows.iter().map(message).collect()
    }

    /// Calls at doors of the tenant's payments that came before a time and whose bytes may be here: by id, behind `after`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn notice_copies(
        &self,
        tenant: &str,
        before: Timestamp,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<PaymentNotice>, Error> {
        let select = Select::new(NOTICE).sql("copies = 1 AND tenant = ").bind(tenant);
        let select = select.and("id <", first_id(before)).and_if("id >", after);
        let rows = self.db().read(select.sql(" ORDER BY id LIMIT ").bind(limit.min(Page::MOST))).await?;
        rows.iter().map(crate::payments::notice).collect()
    }

    /// Whether a legal hold lies on something that a message brought, or on anything in the trees that it moved.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_message_held(&self, tenant: &str, id: Id) -> Result<bool, Error> {
        let select = Select::new("SELECT 1 FROM record WHERE tenant = ").bind(tenant);
        let select = select.sql(HELD_ROOTS).bind(id).sql(" UNION SELECT case_id FROM event WHERE tenant = ");
        let select = select.bind(tenant).and("message_id =", id).sql(" AND case_id IS NOT NULL) LIMIT 1");
        Ok(self.db().read_one(select).await?.is_some())
    }

    /// Whether a legal hold lies on anything in a tree, by its topmost record.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_tree_held(&self, tenant: &str, root: Id) -> Result<bool, Error> {
        let select = Select::new("SELECT 1 FROM record WHERE tenant = ").bind(tenant).and("root =", root);
        let select = select.sql(r#" AND body LIKE '%"hold":{%' LIMIT 1"#);
        Ok(self.db().read_one(select).await?.is_some())
    }

    /// Records on which a legal hold lies, within a scope, by id. Reads all records: for people who ask, not for work.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn held_records(&self, scope: &Scope, page: &Page) -> Result<Listed<model::Record>, Error> {
        let select = Select::new("SELECT kind, body, id FROM record WHERE ").within(scope, Table::Record);
        let select = select.sql(r#" AND body LIKE '%"hold":{%'"#);
        let rows = self.db().read(page.apply(select, "id >", " ORDER BY id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(2)?, crate::records::record(row)?))))
    }

    /// Those of these payloads whose bytes are here.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn kept_payloads(&self, tenant: &str, ids: &[Id]) -> Result<Vec<PayloadRef>, Error> {
        let select =
            Select::new("SELECT id, size, sha256, chunk_root FROM payload WHERE tenant = ").bind(tenant);
        let mut select = select.sql(" AND wrapped_key IS NOT NULL AND id IN (NULL");
        for id in ids {
            select = select.sql(", ").bind(*id);
        }
        let rows = self.db().read(select.sql(") ORDER BY id")).await?;
        let reference = |row: &Row| {
            Ok(PayloadRef {
                id: row.id(0)?,
                size: row.number(1)?,
                sha256: row.text(2)?,
                chunk_root: row.text(3)?,
            })
        };
        rows.iter().map(reference).collect()
    }

    /// Takes the turn for the tenant's next run: `false` if it is not due, or another node has it. The next one is due after `every`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_retention(
        &self,
        tenant: &str,
        now: Timestamp,
        every: Duration,
    ) -> Result<bool, Error> {
        let claim = Select::new("INSERT INTO retention_clock (tenant, due_at) VALUES (")
            .bind(tenant)
            .sql(", ")
            .bind(now.plus(every))
            .sql(") ON CONFLICT (tenant) DO UPDATE SET due_at = excluded.due_at WHERE retention_clock.due_at <= ")
            .bind(now)
            .sql(" RETURNING due_at");
        Ok(!self.db().commit_returning(claim, "retention clock").await?.is_empty())
    }

    /// A run.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_run(&self, tenant: &str, id: Id) -> Result<Option<RetentionRun>, Error> {
        let select = Select::new(RUN).sql("id = ").bind(id).and("tenant =", tenant);
        self.db().read_one(select).await?.as_ref().map(run).transpose()
    }

    /// The newest runs of a tenant, the newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_runs(&self, tenant: &str, limit: u32) -> Result<Vec<RetentionRun>, Error> {
        let select = Select::new(RUN).sql("tenant = ").bind(tenant);
        let select = select.sql(" ORDER BY id DESC LIMIT ").bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(run).collect()
    }

    /// Lines of a run's list behind `number`, as they were written: canonical JSON.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_items(
        &self,
        run: Id,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, Error> {
        let select = Select::new("SELECT number, body FROM retention_item WHERE run = ").bind(run);
        let select = select.and("number >", after).sql(" ORDER BY number LIMIT ").bind(limit.min(Page::MOST));
        self.db().read(select).await?.iter().map(|row| Ok((row.number(0)?, row.text(1)?))).collect()
    }

    /// The number of the last line of a run's list; 0 if it has none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_last(&self, run: Id) -> Result<u64, Error> {
        let select = Select::new("SELECT number FROM retention_item WHERE run = ").bind(run);
        let row = self.db().read_one(select.sql(" ORDER BY number DESC LIMIT 1")).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    /// What the last run of a tenant had to leave, at most `limit`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_kept(&self, tenant: &str, limit: u32) -> Result<Vec<RetentionKept>, Error> {
        let select = Select::new("SELECT kind, subject, reason, since FROM retention_kept WHERE tenant = ")
            .bind(tenant);
        let select = select.sql(" ORDER BY kind, subject LIMIT ").bind(limit.min(Page::MOST));
        let kept = |row: &Row| {
            Ok(RetentionKept {
                kind: row.text(0)?,
                subject: row.id(1)?,
                reason: row.text(2)?,
                since: row.time(3)?,
            })
        };
        self.db().read(select).await?.iter().map(kept).collect()
    }

    /// A sealed event by its id, in the form that evidence bundles hold; `None` if it is not sealed yet.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sealed_event(&self, tenant: &str, id: Id) -> Result<Option<crate::EventRecord>, Error> {
        let select = Select::new(
            "SELECT chain_entry.number, event.id, event.digest, event.salt, event.body FROM event \
             JOIN chain_entry ON chain_entry.event_id = event.id WHERE event.id = ",
        )
        .bind(id)
        .and("event.tenant =", tenant);
        self.db().read_one(select).await?.as_ref().map(crate::events::record).transpose()
    }

    /// The batch of the chain that holds an event's number.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn batch_of(&self, tenant: &str, number: u64) -> Result<Option<crate::SignedBatch>, Error> {
        let select =
            Select::new("SELECT no FROM chain_batch WHERE tenant = ").bind(tenant).and("first <=", number);
        let select = select.sql(" ORDER BY first DESC LIMIT 1");
        let Some(row) = self.db().read_one(select).await? else { return Ok(None) };
        let no = row.number(0)?;
        Ok(self
            .batches(tenant, no.saturating_sub(1), 1)
            .await?
            .into_iter()
            .find(|signed| signed.batch.no == no))
    }

    /// Who has asked since a time for the erasure of somebody from the records of this digest.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn erasure_asked(
        &self,
        tenant: &str,
        digest: &str,
        since: Timestamp,
    ) -> Result<Option<String>, Error> {
        let select = Select::new("SELECT asked_by FROM erasure_asked WHERE tenant = ").bind(tenant);
        let select = select.and("digest =", digest).and("asked_at >=", since);
        self.db().read_one(select).await?.map(|row| row.text(0)).transpose()
    }

    /// How many of what was left there are, by reason.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retention_reasons(&self, tenant: &str) -> Result<BTreeMap<String, u64>, Error> {
        let select = Select::new("SELECT reason, count(*) FROM retention_kept WHERE tenant = ").bind(tenant);
        let rows = self.db().read(select.sql(" GROUP BY reason")).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.number(1)?))).collect()
    }
}

/// Of records: those under a hold in the trees, as they are now, of what the message brought that is named next, and in further ones.
const HELD_ROOTS: &str =
    r#" AND body LIKE '%"hold":{%' AND root IN (SELECT root FROM record WHERE staged_by = "#;

fn message(row: &Row) -> Result<Message, Error> {
    let mut message: Message = row.json(0)?;
    message.received_at = row.time(1)?;
    Ok(message)
}

fn run(row: &Row) -> Result<RetentionRun, Error> {
    Ok(RetentionRun {
        id: row.id(0)?,
        tenant: row.text(1)?,
        started_at: row.time(2)?,
        ended_at: row.opt_time(3)?,
        deleted: row.number(4)?,
        root: row.opt_text(5)?,
        event: row.opt_text(6)?.map(|_| row.id(6)).transpose()?,
        body: row.json(7)?,
    })
}
