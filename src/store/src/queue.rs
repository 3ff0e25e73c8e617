//! The queue: jobs in lanes, claimed with leases, fenced by epochs.
//!
//! A lane (usually one per partner) has at most [`LANE_CAP`] jobs leased at once, so that a slow partner harms nobody
//! else. Of the jobs that share a FIFO key only the oldest unfinished one is given out. A lease that has run out is given
//! out again with a higher epoch; the worker before can then no longer finish the job.

use std::time::Duration;

use model::{Id, Timestamp};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::sql::{Conn, Expect, Failed, Row, Select, Step};
use crate::unit::Unit;
use crate::{Error, Store};

/// Most jobs of a lane that are leased at once.
pub const LANE_CAP: i64 = 4;

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
}

/// How a lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCount {
    /// Tenant.
    pub tenant: String,
    /// Lane within the tenant.
    pub lane: String,
    /// Jobs that nobody has, due or not.
    pub waiting: u64,
    /// Jobs that a worker has or had when its lease ran out.
    pub leased: u64,
    /// Smallest [`Job::created_at`] of its unfinished jobs.
    pub oldest: Timestamp,
}

/// A request for jobs, carried out within one transaction.
pub(crate) struct Claim {
    worker: String,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
    skip_locked: &'static str,
}

/// Lanes that have something claimable and room, the longest waiting first; what waits behind its FIFO key is not claimable,
/// and must not keep other lanes from being looked at. On PostgreSQL the lane's row is locked, so that
/// two nodes cannot fill the same lane beyond its cap; lanes that another node is filling are left out.
const LANES: &str = "SELECT tenant, lane FROM lane \
     WHERE EXISTS (SELECT 1 FROM job WHERE job.tenant = lane.tenant AND job.lane = lane.lane AND due_at <= $1 \
           AND (job.fifo_key IS NULL OR NOT EXISTS (SELECT 1 FROM job o \
                WHERE o.tenant = job.tenant AND o.fifo_key = job.fifo_key AND o.seq < job.seq))) \
       AND (SELECT count(*) FROM job WHERE job.tenant = lane.tenant AND job.lane = lane.lane \
            AND holder IS NOT NULL AND due_at > $1) < $2 \
     ORDER BY (SELECT min(due_at) FROM job WHERE job.tenant = lane.tenant AND job.lane = lane.lane \
               AND (job.fifo_key IS NULL OR NOT EXISTS (SELECT 1 FROM job o \
                    WHERE o.tenant = job.tenant AND o.fifo_key = job.fifo_key AND o.seq < job.seq))) LIMIT $3";

/// Counted after the lane was locked: the row before may have seen an older state.
const LEASED: &str =
    "SELECT count(*) FROM job WHERE tenant = $1 AND lane = $2 AND holder IS NOT NULL AND due_at > $3";

/// A job whose holder never came back counts as attempted: it may be the job that ends its workers.
const LEASE: &str = "UPDATE job SET holder = $4, due_at = $5, epoch = epoch + 1, \
     attempts = attempts + CASE WHEN holder IS NULL THEN 0 ELSE 1 END \
     WHERE due_at <= $3 AND id IN (SELECT j.id FROM job j \
        WHERE j.tenant = $1 AND j.lane = $2 AND j.due_at <= $3 \
          AND (j.fifo_key IS NULL OR NOT EXISTS (SELECT 1 FROM job o \
               WHERE o.tenant = j.tenant AND o.fifo_key = j.fifo_key AND o.seq < j.seq)) \
        ORDER BY j.due_at, j.seq LIMIT $6) \
     RETURNING id, tenant, lane, kind, subject, detail, attempts, epoch, fifo_key, created_at, seq";

impl Claim {
    pub(crate) async fn run(&self, conn: &mut Conn<'_>) -> Result<Vec<Row>, Failed> {
        let lanes = conn
            .rows(
                AssertSqlSafe(format!("{LANES}{}", self.skip_locked)),
                &[self.now.into(), LANE_CAP.into(), self.limit.into()],
            )
            .await?;
        let mut jobs = Vec::new();
        for lane in lanes {
            let room = i64::from(self.limit) - jobs.len() as i64;
            if room <= 0 {
                break;
            }
            let (tenant, lane) = (lane.text(0)?, lane.text(1)?);
            let key = [tenant.into(), lane.into(), self.now.into()];
            let leased = conn.rows(LEASED, &key).await?.first().map_or(Ok(0), |row| row.int(0))?;
            let mut args = key.to_vec();
            args.extend([
                self.worker.as_str().into(),
                self.until.into(),
                room.min(LANE_CAP - leased).max(0).into(),
            ]);
            jobs.extend(conn.rows(LEASE, &args).await?);
        }
        Ok(jobs)
    }
}

impl Store {
    /// Leases up to `limit` due jobs to `worker` for `lease`, over all tenants.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim(&self, worker: &str, lease: Duration, limit: u32) -> Result<Vec<Job>, Error> {
        let now = self.db().now().await?;
        let claim = Claim {
            worker: worker.to_owned(),
            now,
            until: now.plus(lease),
            limit,
            skip_locked: self.db().skip_locked(),
        };
        let rows = self.db().commit(Unit::Claim(claim)).await?;
        let mut jobs =
            rows.iter().map(|row| Ok((row.int(10)?, job(row)?))).collect::<Result<Vec<_>, Error>>()?;
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
            "UPDATE job SET holder = NULL, due_at = $2, attempts = attempts + 1 WHERE holder = $1 RETURNING id",
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

    /// Waits until a job may have become due: something was enqueued here or on another node, or `at_most` is over.
    pub async fn wait_for_jobs(&self, at_most: Duration) {
        // Running out of time is as good as being woken.
        let _ = tokio::time::timeout(at_most, self.wake().notified()).await;
    }

    /// How the lanes of a tenant stand; empty lanes are left out.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn jobs(&self, tenant: &str) -> Result<Vec<LaneCount>, Error> {
        let select = Select::new(COUNTS).sql(" WHERE tenant = ").bind(tenant).sql(" GROUP BY tenant, lane");
        self.db().read(select).await?.iter().map(lane_count).collect()
    }

    pub(crate) async fn lanes(&self) -> Result<Vec<LaneCount>, Error> {
        let select = Select::new(COUNTS).sql(" GROUP BY tenant, lane ORDER BY tenant, lane");
        self.db().read(select).await?.iter().map(lane_count).collect()
    }
}

const COUNTS: &str = "SELECT tenant, lane, count(*) - count(holder), count(holder), min(created_at) FROM job";

fn lane_count(row: &Row) -> Result<LaneCount, Error> {
    Ok(LaneCount {
        tenant: row.text(0)?,
        lane: row.text(1)?,
        waiting: row.number(2)?,
        leased: row.number(3)?,
        oldest: row.time(4)?,
    })
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
    })
}
