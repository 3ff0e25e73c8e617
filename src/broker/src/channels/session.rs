//! An adapter's own work, in sessions: one of each adapter at a time, whichever node it is that has the job.

use std::sync::Arc;
use std::time::Duration;

use model::adapter::Capability;
use model::{Failure, ids};
use serde_json::{Value, json};
use store::{Job, LaneFailure, NewJob, Work};

use super::Channel;
use super::host::Session;
use crate::{Broker, Error};

/// Kind of the job.
pub(crate) const RUN: &str = "channel-session";

/// Longest pause after sessions that failed.
const LONGEST: Duration = Duration::from_secs(300);

/// Longest pause that an adapter may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3_600);

impl Broker {
    /// Enqueues a session for each adapter that runs them; one that waits already stays as it is. Workers do so when they start.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn enqueue_sessions(&self) -> Result<(), Error> {
        let mut work = Work::new();
        for (id, channel) in self.channels.iter() {
            let adapter = self.adapters.get(id);
            if adapter.is_some_and(|it| it.descriptor().capabilities.contains(&Capability::Run)) {
                work.enqueue_call(&self.session(id, channel, Duration::ZERO), None);
            }
        }
        Ok(self.store().commit(work).await?)
    }

    /// Somebody outside says that there is something to be looked for: the session that waits begins now. One that runs goes on, and
    /// looks again after its pause.
    pub(super) async fn look_now(&self, id: &str, channel: &Channel) -> Result<(), Error> {
        let job = self.session(id, channel, Duration::ZERO);
        let mut work = Work::new();
        work.hasten_job(job.id, job.next_at);
        Ok(self.store().commit(work).await?)
    }

    fn session(&self, id: &str, channel: &Channel, pause: Duration) -> NewJob {
        let subject = ids::derived_id(model::Id::nil(), &format!("session:{}:{id}", channel.scope.tenant));
        NewJob {
            id: subject,
            tenant: channel.scope.tenant.clone(),
            lane: format!("session:{id}"),
            kind: RUN.to_owned(),
            subject,
            detail: json!({ "adapter": id }),
            next_at: self.now().plus(pause),
            fifo_key: None,
        }
    }

    /// One session, and the job of the next.
    pub(crate) async fn run_session(&self, job: &Job) -> Result<(), Error> {
        let id = job.detail["adapter"].as_str().unwrap_or_default();
        let Some((adapter, channel)) = self.adapters.get(id).zip(self.channels.get(id)) else {
            // It is not configured any more.
            return self.finish(job, Work::new()).await;
        };
        let host = Arc::new(Session::new(self.clone(), id.to_owned(), channel.clone()));
        let pause = self.bounded(adapter.run(host)).await?.min(LONGEST_ASKED);
        self.next_session(job, pause.max(Duration::from_secs(1)), None).await
    }

    /// A session that failed is tried again: whatever was in the way, nobody else looks.
    pub(crate) async fn session_failed(&self, job: &Job, failure: &Failure) -> Result<(), Error> {
        let failures = job.detail["failures"].as_u64().unwrap_or(0);
        let pause = Duration::from_secs(1 << failures.min(9)).min(LONGEST);
        let noted = LaneFailure { code: failure.code.to_string(), asked: None, jitter: 0.0 };
        self.store().note_lane(&job.tenant, &job.lane, Some(noted)).await?;
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_ASKED);
        self.next_session(job, pause.max(asked), Some(failures + 1)).await
    }

    /// The same job anew, so that its attempts do not add up.
    async fn next_session(&self, job: &Job, pause: Duration, failures: Option<u64>) -> Result<(), Error> {
        let id = job.detail["adapter"].as_str().unwrap_or_default();
        let Some(channel) = self.channels.get(id) else { return self.finish(job, Work::new()).await };
        let mut next = self.session(id, channel, pause);
        if let Some(failures) = failures {
            next.detail["failures"] = Value::from(failures);
        } else if job.detail["failures"].is_u64() {
            self.store().note_lane(&job.tenant, &job.lane, None).await?;
        }
        let mut work = Work::new();
        work.finish_job(job.id, job.epoch);
        work.enqueue_call(&next, None);
        Ok(self.store().commit(work).await?)
    }
}
