//! Jobs and mailboxes.

use model::{Id, Timestamp};
use serde_json::Value;

use super::Work;
use crate::sql::{Expect, Select};
use crate::{Class, InboxEntry, InboxState, NewJob};

impl Work {
    /// Enqueues a job of work. A job of the same id that is not finished yet stays as it is.
    pub fn enqueue(&mut self, job: &NewJob) -> &mut Self {
        self.enqueue_in(Class::Work, job, None)
    }

    /// Enqueues a job that calls outside, until `expires_at`: then it is one of [`expired_jobs`](crate::Store::expired_jobs).
    /// Its lane must not hold jobs of work.
    pub fn enqueue_call(&mut self, job: &NewJob, expires_at: Option<Timestamp>) -> &mut Self {
        self.enqueue_in(Class::Network, job, expires_at)
    }

    fn enqueue_in(&mut self, class: Class, job: &NewJob, expires_at: Option<Timestamp>) -> &mut Self {
        self.wakes.insert(class);
        let lane = || vec![job.tenant.as_str().into(), job.lane.as_str().into()];
        let mut args = lane();
        args.push(class.name().into());
        self.any("INSERT INTO lane (tenant, lane, class) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", args);
        let mut args = vec![job.id.into()];
        args.extend(lane());
        args.extend([
            job.kind.as_str().into(),
            job.subject.into(),
            job.detail.to_string().into(),
            job.fifo_key.as_deref().into(),
            job.next_at.into(),
            created(job.id).into(),
            expires_at.into(),
        ]);
        self.any(
            "INSERT INTO job (id, tenant, lane, kind, subject, detail, fifo_key, attempts, epoch, due_at, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9, $10) ON CONFLICT DO NOTHING",
            args,
        )
    }

    /// Ends every unfinished job about a subject, whoever has it: a worker that is at it cannot commit any more.
    pub fn cancel_jobs(&mut self, tenant: &str, subject: Id) -> &mut Self {
        self.any("DELETE FROM job WHERE tenant = $1 AND subject = $2", vec![tenant.into(), subject.into()])
    }

    /// Ends every unfinished job about a subject. Precondition: none of them is claimed or has a call outside begun; otherwise the
    /// conflict names `job`.
    pub fn end_waiting_jobs(&mut self, tenant: &str, subject: Id) -> &mut Self {
        let args = || vec![tenant.into(), subject.into()];
        self.any(
            "DELETE FROM job WHERE tenant = $1 AND subject = $2 AND holder IS NULL AND calling = 0",
            args(),
        );
        // Also what was claimed in between: on PostgreSQL the statement before waits for such a claim, and leaves the job.
        self.none("UPDATE job SET epoch = epoch WHERE tenant = $1 AND subject = $2", args(), "job")
    }

    /// Only a precondition: the job is still leased with this epoch. Belongs into every unit of work that is written in
    /// the course of a job, so that a worker whose lease has run out does not write between its successor's rows.
    pub fn hold_job(&mut self, id: Id, epoch: i64) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE job SET epoch = epoch WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into()],
            "job",
        )
    }

    /// Finishes a job. Precondition: it is still leased with this epoch. Nobody is woken for those that had to wait for
    /// it: the worker that had it looks for more by itself.
    pub fn finish_job(&mut self, id: Id, epoch: i64) -> &mut Self {
        self.one(
            "DELETE FROM job WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into()],
            "job",
        )
    }

    /// Puts a job back to be tried again, not before `next_at`. Precondition: it is still leased with this epoch.
    pub fn retry_job(&mut self, id: Id, epoch: i64, next_at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE job SET attempts = attempts + 1, holder = NULL, due_at = $3 \
             WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), next_at.into()],
            "job",
        )
    }

    /// Notes that a call outside is begun with unknown outcome, with what has to be known to ask for it. Precondition: the job is
    /// still leased with this epoch.
    pub fn begin_call(&mut self, id: Id, epoch: i64, detail: &Value) -> &mut Self {
        self.one(
            "UPDATE job SET calling = 1, detail = $3 WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), detail.to_string().into()],
            "job",
        )
    }

    /// Notes that a call outside is begun with unknown outcome, or that its outcome is known. Precondition: the job is still
    /// leased with this epoch.
    pub fn mark_call(&mut self, id: Id, epoch: i64, calling: bool) -> &mut Self {
        self.one(
            "UPDATE job SET calling = $3 WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), calling.into()],
            "job",
        )
    }

    /// Notes of every unfinished job about a subject that a call outside may have been made which this store knows nothing of.
    pub fn doubt_calls(&mut self, tenant: &str, subject: Id) -> &mut Self {
        self.any(
            "UPDATE job SET calling = 1 WHERE tenant = $1 AND subject = $2",
            vec![tenant.into(), subject.into()],
        )
    }

    /// Ends a job that it is too late for. Precondition: nobody has claimed it since it was seen with this epoch.
    pub fn expire_job(&mut self, id: Id, epoch: i64) -> &mut Self {
        self.one("DELETE FROM job WHERE id = $1 AND epoch = $2", vec![id.into(), epoch.into()], "job")
    }

    /// Makes everything in a lane that was tried before due at `now`, whatever pause it was given, and every question what became of
    /// a message, and every session of an adapter, and has the lane's breaker let the next job through. What was never tried waits for its own moment. Precondition:
    /// there is such a lane.
    pub fn retry_lane(&mut self, tenant: &str, lane: &str, now: Timestamp) -> &mut Self {
        self.wakes.insert(Class::Network);
        self.one(
            "UPDATE lane SET open_until = 0, openings = CASE breaker WHEN 'closed' THEN 0 ELSE 1 END \
             WHERE tenant = $1 AND lane = $2",
            vec![tenant.into(), lane.into()],
            "lane",
        )
        .any(
            "UPDATE job SET due_at = $3 WHERE tenant = $1 AND lane = $2 AND holder IS NULL AND due_at > $3 \
             AND (attempts > 0 OR kind IN ('follow', 'channel-session', 'channel-import'))",
            vec![tenant.into(), lane.into(), now.into()],
        )
    }

    /// Says until when an entry of a mailbox must have been fetched; absent: for ever.
    pub fn set_inbox_expiry(&mut self, id: Id, at: Option<Timestamp>) -> &mut Self {
        self.any("UPDATE inbox SET expires_at = $2 WHERE id = $1", vec![id.into(), at.into()])
    }

    /// Puts a message into a mailbox. Precondition: the entry's id is new.
    pub fn insert_inbox(&mut self, entry: &InboxEntry) -> &mut Self {
        let args = vec![
            entry.id.into(),
            entry.tenant.as_str().into(),
            entry.authority.as_str().into(),
            entry.unit.as_str().into(),
            entry.public_service.as_deref().into(),
            entry.message_id.into(),
            entry.state.name().into(),
            entry.lease_until.into(),
            entry.holder.as_deref().into(),
            entry.created_at.into(),
        ];
        self.one(
            "INSERT INTO inbox (id, tenant, authority, unit, public_service, message_id, state, lease_until, holder, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            args,
            "inbox entry",
        )
    }

    /// Moves an entry of a mailbox on. Precondition: it is in one of the states `from`, and held by `holder` if one is
    /// given. Its lease ends; an entry that becomes available again has no holder.
    pub fn set_inbox(
        &mut self,
        tenant: &str,
        id: Id,
        from: &[InboxState],
        to: InboxState,
        holder: Option<&str>,
    ) -> &mut Self {
        let mut update = Select::new("UPDATE inbox SET lease_until = NULL, state = ").bind(to.name());
        if to == InboxState::Available {
            update = update.sql(", holder = NULL");
        }
        update = update
            .sql(" WHERE tenant = ")
            .bind(tenant)
            .and("id =", id)
            .and_if("holder =", holder)
            .sql(" AND state IN (NULL");
        for state in from {
            update = update.sql(", ").bind(state.name());
        }
        self.steps.push(update.sql(")").step("inbox entry", Expect::Rows(1)));
        self
    }
}

/// The time in a UUIDv7, to the millisecond; 1970 for any other id.
fn created(id: Id) -> Timestamp {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    Timestamp::from_micros(i64::try_from(seconds).unwrap_or(0) * 1_000_000 + i64::from(nanos / 1_000))
}
