//! The queue: jobs in lanes, claimed with leases, fenced by epochs.
//!
//! A lane (usually one per partner) has at most [`LANE_CAP`] jobs leased at once, so that a slow partner harms nobody
//! else; one whose [`Breaker`](crate::Breaker) is not closed has none or one. Of the jobs that share a FIFO key only the
//! oldest unfinished one is given out. A lease that has run out is given out again with a higher epoch; the worker before
//! can then no longer finish the job.
//!
//! A claim looks at each lane once, at the first job that is due there and not behind its FIFO key: what it costs grows
//! with the lanes and hardly with the jobs.

use std::time::Duration;

use model::{Id, Timestamp};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio::sync::Notify;

use crate::breaker::BreakerState;
use crate::lanes::LaneKey;
use crate::sql::{Conn, Expect, Failed, Row, Select, Step};
use crate::unit::Unit;
use crate::{Error, Store};

/// Most jobs of a lane that are leased at once.
pub const LANE_CAP: u32 = 4;

/// Which workers take the jobs of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Work for processor and disk.
    Work,
    /// Calls outside, which mostly wait.
    Network,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 2] = [Class::Work, Class::Network];

    /// Name in the store and in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            Class::Work => "work",
            Class::Network => "network",
        }
    }
}

/// A job to enqueue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Identifier; while the job is unfinished, enqueueing it again has no effect.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Lane within the tenant, usually the partner.
    pub lane: String,
    /// What is to be done.
    pub kind: String,
    /// What it is to be done with.
    pub subject: Id,
    /// Further facts.
    pub detail: Value,
    /// Not before.
    pub next_at: Timestamp,
    /// Jobs of the same key within the tenant are done one after the other, in the order of enqueueing.
    pub fifo_key: Option<String>,
}

/// A leased job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Lane within the tenant.
    pub lane: String,
    /// What is to be done.
    pub kind: String,
    /// What it is to be done with.
    pub subject: Id,
    /// Further facts.
    pub detail: Value,
    /// How often it was tried and put back before.
    pub attempts: u32,
    /// Fencing: names this lease when the job is finished or put back.
    pub epoch: i64,
    /// See [`NewJob::fifo_key`].
    pub fifo_key: Option<String>,
    /// The time in its id: that of the message or record that it was derived from.
    pub created_at: Timestamp,
    /// A call outside was begun and its outcome is not known.
    pub calling: bool,
    /// How often its holder never came back.
    pub lost: u32,
    /// When it is too late for it.
    pub expires_at: Option<Timestamp>,
}

/// A request for jobs, carried out within one transaction.
pub(crate) struct Claim {
    class: Class,
    worker: String,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
}

/// Lanes that have something claimable and room, the longest waiting first; what waits behind its FIFO key is not claimable,
/// and must not keep other lanes from being looked at. On PostgreSQL the lane's row is locked, so that
/// two nodes cannot fill the same lane beyond its cap; lanes that another node is filling are left out.
const LANES: &str = "SELECT l.tenant, l.lane, l.breaker FROM lane l ";
const ROOM: &str = " WHERE l.class = $2 AND l.open_until <= $1 \
       AND (SELECT count(*) FROM job r WHERE r.tenant = l.tenant AND r.lane = l.lane \
            AND r.holder IS NOT NULL AND r.due_at > $1) < CASE l.breaker WHEN 'closed' THEN $3 ELSE 1 END \
     ORDER BY j.due_at, j.seq LIMIT $4";

/// The first claimable job `j` of each lane `l`, as each engine looks for it by the index. PostgreSQL would rather read all
/// jobs to join them; SQLite knows no LATERAL.
const FIRST_JOB: [&str; 2] = [
    "JOIN job j ON j.seq = (SELECT o.seq FROM job o ",
    "CROSS JOIN LATERAL (SELECT o.due_at, o.seq FROM job o ",
];
const CLAIMABLE: &str = "WHERE o.tenant = l.tenant AND o.lane = l.lane AND o.due_at <= $1 \
       AND (o.fifo_key IS NULL OR NOT EXISTS (SELECT 1 FROM job p \
            WHERE p.tenant = o.tenant AND p.fifo_key = o.fifo_key AND p.seq < o.seq)) \
     ORDER BY o.due_at, o.seq LIMIT 1)";

/// Counted after the lane was locked: the row before may have seen an older state.
const LEASED: &str =
    "SELECT count(*) FROM job WHERE tenant = $1 AND lane = $2 AND holder IS NOT NULL AND due_at > $3";

/// A job whose holder never came back counts as attempted: it may be the job that ends its workers.
const LEASE: &str = "UPDATE job SET holder = $4, due_at = $5, epoch = epoch + 1, \
     attempts = attempts + CASE WHEN holder IS NULL THEN 0 ELSE 1 END, \
     lost = lost + CASE WHEN holder IS NULL THEN 0 ELSE 1 END \
     WHERE due_at <= $3 AND id IN (SELECT j.id FROM job j \
        WHERE j.tenant = $1 AND j.lane = $2 AND j.due_at <= $3 \
          AND (j.fifo_key IS NULL OR NOT EXISTS (SELECT 1 FROM job o \
               WHERE o.tenant = j.tenant AND o.fifo_key = j.fifo_key AND o.seq < j.seq)) \
        ORDER BY j.due_at, j.seq LIMIT $6) \
     RETURNING id, tenant, lane, kind, subject, detail, attempts, epoch, fifo_key, created_at, calling, lost, \
        expires_at, seq";

impl Claim {
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        let args = [self.now.into(), self.class.name().into(), LANE_CAP.into(), self.limit.into()];
        let sql = match conn {
            Conn::Sqlite(_) => format!("{LANES}{}{CLAIMABLE}{ROOM}", FIRST_JOB[0]),
            Conn::Postgres(_) => {
                format!("{LANES}{}{CLAIMABLE} j{ROOM} FOR UPDATE OF l SKIP LOCKED", FIRST_JOB[1])
            }
        };
        let lanes = conn.rows(AssertSqlSafe(sql), &args).await?;
        let mut jobs = Vec::new();
        for lane in lanes {
            let left = i64::from(self.limit) - jobs.len() as i64;
            if left <= 0 {
                break;
            }
            let closed = lane.text(2)? == BreakerState::Closed.name();
            let most = if closed { i64::from(LANE_CAP) } else { 1 };
            let lane = LaneKey { tenant: lane.text(0)?, lane: lane.text(1)? };
            let mut args = vec![lane.tenant.as_str().into(), lane.lane.as_str().into(), self.now.into()];
            let leased = conn.rows(LEASED, &args).await?.first().map_or(Ok(0), |row| row.int(0))?;
            args.extend([
                self.worker.as_str().into(),
                self.until.into(),
                left.min(most - leased).max(0).into(),
            ]);
            let claimed = conn.rows(LEASE, &args).await?;
            if !closed && !claimed.is_empty() {
                lane.change(conn, |breaker| breaker.claimed(self.now)).await?;
            }
            jobs.extend(claimed);
        }
        Ok(jobs)
    }
}

impl Store {
    /// Leases up to `limit` due jobs of a class to `worker` for `lease`, over all tenants.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim(
        &self,
        class: Class,
        worker: &str,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, Error> {
        let now = self.db().now().await?;
        let claim = Claim { class, worker: worker.to_owned(), now, until: now.plus(lease), limit };
        let rows = self.db().commit(Unit::Claim(claim)).await?;
        let mut jobs =
            rows.iter().map(|row| Ok((row.int(13)?, job(row)?))).collect::<Result<Vec<_>, Error>>()?;
        jobs.sort_by_key(|(seq, _)| *seq);
        Ok(jobs.into_iter().map(|(_, job)| job).collect())
    }

    /// Gives back what `worker` had leased when it died: its jobs are due at once. Called when it starts again under the
    /// same name. Returns how many there were.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn release_leases(&self, worker: &str) -> Result<u64, Error> {
        let now = self.db().now().await?;
        let release = Step::new(
            "UPDATE job SET holder = NULL, due_at = $2, attempts = attempts + 1, lost = lost + 1 WHERE holder = $1 \
             RETURNING id",
            vec![worker.into(), now.into()],
            "job",
            Expect::Returning,
        );
        Ok(self.db().commit(Unit::Steps(vec![release])).await?.len() as u64)
    }

    /// Leases a job for longer. False if its lease was lost to another worker.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn renew_job(&self, id: Id, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let until = self.db().now().await?.plus(lease);
        let renew = Step::new(
            "UPDATE job SET due_at = $3 WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), until.into()],
            "job",
            Expect::Rows(1),
        );
        match self.db().commit(Unit::Steps(vec![renew])).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a job about a subject has a call outside begun whose outcome is not known.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_calling(&self, tenant: &str, subject: Id) -> Result<bool, Error> {
        let select = Select::new("SELECT id FROM job WHERE calling = 1 AND tenant = ").bind(tenant);
        let select = select.and("subject =", subject).sql(" LIMIT ").bind(1_u32);
        Ok(!self.db().read(select).await?.is_empty())
    }

    /// Whether a job is there that goes by this FIFO key: it waits, or somebody is at it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_enqueued(&self, tenant: &str, fifo_key: &str) -> Result<bool, Error> {
        let select =
            Select::new("SELECT id FROM job WHERE tenant = ").bind(tenant).and("fifo_key =", fifo_key);
        Ok(self.db().read_one(select.sql(" LIMIT ").bind(1_u32)).await?.is_some())
    }

    /// Jobs that it is too late for and that nobody is at, the longest expired first, over all tenants.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expired_jobs(&self, limit: u32) -> Result<Vec<Job>, Error> {
        let now = self.db().now().await?;
        let select = Select::new(
            "SELECT id, tenant, lane, kind, subject, detail, attempts, epoch, fifo_key, created_at, calling, lost, \
             expires_at FROM job WHERE expires_at <= ",
        );
        let select = select.bind(now).sql(" AND (holder IS NULL OR due_at <= ").bind(now);
        let select = select.sql(") ORDER BY expires_at LIMIT ").bind(limit);
        self.db().read(select).await?.iter().map(job).collect()
    }

    /// Waits until a job of the class may have become due: something was enqueued here or on another node, or `at_most`
    /// is over.
    pub async fn wait_for_jobs(&self, class: Class, at_most: Duration) {
        // Running out of time is as good as being woken.
        let _ = tokio::time::timeout(at_most, self.bells().of(class).notified()).await;
    }
}

/// Wakes the workers of each class.
#[derive(Debug, Default)]
pub(crate) struct Bells([Notify; 2]);

impl Bells {
    pub(crate) fn of(&self, class: Class) -> &Notify {
        &self.0[class as usize]
    }

    pub(crate) fn all(&self) {
        self.0.iter().for_each(Notify::notify_one);
    }
}

fn job(row: &Row) -> Result<Job, Error> {
    Ok(Job {
        id: row.id(0)?,
        tenant: row.text(1)?,
        lane: row.text(2)?,
        kind: row.text(3)?,
        subject: row.id(4)?,
        detail: row.json(5)?,
        attempts: u32::try_from(row.int(6)?).unwrap_or(u32::MAX),
        epoch: row.int(7)?,
        fifo_key: row.opt_text(8)?,
        created_at: row.time(9)?,
        calling: row.int(10)? != 0,
        lost: u32::try_from(row.int(11)?).unwrap_or(u32::MAX),
        expires_at: row.opt_time(12)?,
    })
}
