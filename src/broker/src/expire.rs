//! What comes too late goes back to its sender: outgoing messages that could not be delivered, and mailbox entries
//! and relayed deliveries that nobody has fetched.

use std::time::Duration;

use model::{Actor, Message, MessageState, Scope};
use store::{InboxEntry, InboxState, Job, Work};

use crate::process::with_finding;
use crate::{Broker, Error, channels, retry};

/// Most that is looked at in one go.
const TOGETHER: u32 = 100;

impl Broker {
    /// How long a message may take, by its service and type.
    pub(crate) fn ttl(&self, message: &Message) -> Duration {
        let message_type = message.identity.as_ref().map(|identity| identity.message_type.as_str());
        self.house().ttl(&message.tenant, message.public_service.as_deref(), message_type)
    }

    /// Sends back what is too late, wherever it waits; returns how much there was.
    ///
    /// # Errors
    /// If the store cannot be asked. What cannot be sent back is logged and tried again at the next call.
    pub async fn expire_due(&self) -> Result<usize, Error> {
        let mut done = 0;
        loop {
            let jobs = self.store().expired_jobs(TOGETHER).await?;
            let entries = self.store().expired_inbox(TOGETHER).await?;
            let deliveries = self.store().expired_deliveries(self.now(), TOGETHER).await?;
            let found = jobs.len() + entries.len() + deliveries.len();
            let before = done;
            for job in &jobs {
                done += usize::from(succeeded(self.expire_job(job).await));
            }
            for entry in &entries {
                done += usize::from(succeeded(self.expire_entry(entry).await));
            }
            for delivery in deliveries {
                done += usize::from(succeeded(self.expire_delivery(delivery).await));
            }
            // Without progress the same would come again.
            if found < TOGETHER as usize || done == before {
                return Ok(done);
            }
        }
    }

    async fn expire_job(&self, job: &Job) -> Result<(), Error> {
        let mut work = Work::new();
        work.expire_job(job.id, job.epoch);
        let failure = retry::too_late(job);
        if job.kind == channels::TELL {
            self.untold(&mut work, job, &failure).await?;
            return Ok(self.store().commit(work).await?);
        }
        let next = retry::next(job, &failure, self.now(), 0.0);
        self.end_message(&mut work, job, &failure, next).await?;
        Ok(self.store().commit(work).await?)
    }

    async fn expire_entry(&self, entry: &InboxEntry) -> Result<(), Error> {
        let scope = Scope::tenant(&entry.tenant);
        let message = self.store().message(&scope, entry.message_id).await?;
        let Some(mut message) = message.filter(|message| message.state == MessageState::Processed) else {
            return self.keep_for_ever(entry).await;
        };
        // Nobody would learn of it, and for its author it has arrived: whatever that said of its time, it stays until it is fetched.
        if !self.is_told(&message).await? {
            tracing::warn!(message = %message.id, "nobody has fetched a message in time whose sender cannot be told");
            return self.keep_for_ever(entry).await;
        }
        message.report = Some(with_finding(message.report.take(), "message.expired"));
        let mut work = Work::new();
        let from = [InboxState::Available, InboxState::HandedOut];
        work.set_inbox(&entry.tenant, entry.id, &from, InboxState::Expired, None);
        match self.returned(&mut work, message, &Actor::gateway(), None).await {
            Ok(_) => Ok(self.store().commit(work).await?),
            // Objects of it were imported or barred from destruction, or it has gone on along its route: it has arrived, though nobody confirmed the entry.
            Err(Error::Model(model::Error::WrongState { .. } | model::Error::Held)) => {
                self.keep_for_ever(entry).await
            }
            Err(error) => Err(error),
        }
    }

    async fn keep_for_ever(&self, entry: &InboxEntry) -> Result<(), Error> {
        let mut work = Work::new();
        work.set_inbox_expiry(entry.id, None);
        Ok(self.store().commit(work).await?)
    }
}

fn succeeded(outcome: Result<(), Error>) -> bool {
    if let Err(error) = &outcome {
        tracing::warn!(code = error.code(), "what is too late could not be sent back");
    }
    outcome.is_ok()
}
