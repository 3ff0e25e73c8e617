//! What a record-keeping adapter has taken counts as imported: once it has everything of a received object, the sender is told so, by
//! the same call that any record-keeping system makes. What a human dropped on the way was not imported.
//!
//! A job for each received object looks whether anything of its tree is left; it is enqueued with the end of the first delivery of it.

use std::time::Duration;

use model::adapter::Adapter;
use model::case::RecordStatus;
use model::exchange::{Exchange, ExchangeObject, ImportResult};
use model::{Caller, EventKind, Id, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{ChannelDelivery, ChannelLeft, Job, NewJob, Page, TimelineOf, Work};

use super::actor;
use crate::{Broker, Error, Once};

/// Kind of the job.
pub(crate) const IMPORT: &str = "channel-import";

/// Pause before the next look while deliveries wait for their turn; doubles up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Events of a record that are looked through for the Aktenzeichen that the adapter gave it.
const EVENTS: u32 = 200;

/// What a sender is told of an object of which something was dropped for no reason that is known.
const DROPPED: &str = "channel.dropped";

impl Broker {
    /// Adds the job that reports on a received object, if an adapter that keeps records was told of the object itself.
    pub(super) fn when_told(&self, work: &mut Work, row: &ChannelDelivery, adapter: &dyn Adapter) {
        let is_object = row.event == EventKind::RecordCreated && row.record == row.root;
        if is_object && adapter.descriptor().keeps_records {
            self.enqueue_import(work, row);
        }
    }

    /// The same whatever of the object it was told of.
    pub(super) fn enqueue_import(&self, work: &mut Work, row: &ChannelDelivery) {
        let Some(message) = row.message else { return };
        work.enqueue(&self.import_job(&row.tenant, &row.adapter, (row.root, message), 0));
    }

    fn import_job(&self, tenant: &str, adapter: &str, (root, message): (Id, Id), looks: u64) -> NewJob {
        let pause = FIRST.saturating_mul(1 << looks.min(6)).min(LONGEST);
        NewJob {
            id: ids::derived_id(root, &format!("import:{adapter}")),
            tenant: tenant.to_owned(),
            lane: format!("channel-import:{adapter}"),
            kind: IMPORT.to_owned(),
            subject: root,
            detail: json!({ "adapter": adapter, "message": message, "looks": looks }),
            next_at: self.now().plus(if looks == 0 { Duration::ZERO } else { pause }),
            fifo_key: None,
        }
    }

    /// Reports on a received object, or looks again later.
    pub(crate) async fn report_import(&self, job: &Job) -> Result<(), Error> {
        let adapter = job.detail["adapter"].as_str().unwrap_or_default();
        let message = job.detail["message"].as_str().and_then(|id| id.parse::<Id>().ok());
        let Some((channel, message)) = self.channels.get(adapter).zip(message) else {
            return self.finish(job, Work::new()).await;
        };
        let left = self.store().channel_left(&job.tenant, adapter, job.subject).await?;
        if left.waiting + left.parked > 0 {
            let looks = job.detail["looks"].as_u64().unwrap_or_default().saturating_add(1);
            let looks = if left.parked > 0 { u64::MAX } else { looks };
            let mut work = Work::new();
            // The same job anew, so that its attempts do not add up.
            work.finish_job(job.id, job.epoch);
            work.enqueue(&self.import_job(&job.tenant, adapter, (job.subject, message), looks));
            return Ok(self.store().commit(work).await?);
        }
        if let Some((exchange, object)) = self.received_object(job, message).await? {
            let caller = channel.caller(adapter);
            self.report(&caller, job, (exchange, object), &left).await?;
        }
        let mut work = Work::new();
        work.forget_dropped(&job.tenant, adapter, job.subject);
        self.finish(job, work).await
    }

    /// The exchange by which a record came, and what it is called there; none if nobody waits for a report.
    async fn received_object(&self, job: &Job, message: Id) -> Result<Option<(Exchange, Id)>, Error> {
        let scope = Scope::tenant(&job.tenant);
        let Some(root) = self.store().record_any(&scope, job.subject).await? else { return Ok(None) };
        let message = self.store().message(&scope, message).await?;
        let Some(exchange) = message.and_then(|message| message.exchange) else { return Ok(None) };
        if root.status() != RecordStatus::Received.name() {
            return Ok(None);
        }
        let found = self.store().record(&scope, RecordKind::Exchange, exchange).await?;
        let Some(Record::Exchange(exchange)) = found else { return Ok(None) };
        let is_it = |object: &&ExchangeObject| object.id == job.subject;
        let object = exchange.objects.iter().find(is_it).map(|object| object.object_id);
        Ok(object.map(|object| (exchange, object)))
    }

    async fn report(
        &self,
        caller: &Caller,
        job: &Job,
        (exchange, object): (Exchange, Id),
        left: &ChannelLeft,
    ) -> Result<(), Error> {
        let reason = (left.dropped > 0).then(|| left.code.clone().unwrap_or_else(|| DROPPED.to_owned()));
        let result = ImportResult {
            successful: reason.is_none(),
            messages: reason.into_iter().collect(),
            record_reference: self.given_reference(job, &caller.actor.id).await?,
            archive_reference: None,
        };
        let once = Once::new(format!("import:{}:{}", exchange.meta.id, job.subject), String::new());
        match self.confirm_import(caller, exchange.meta.id, vec![(object, result)], Some(&once)).await {
            Ok(_) => Ok(()),
            // Others reported on other objects all the time: tried again.
            Err(Error::Model(model::Error::VersionConflict)) => {
                Err(store::Error::Conflict { what: "record" }.into())
            }
            // Somebody else has reported, or it is not our turn: nothing more can be said.
            Err(Error::Model(error)) => {
                tracing::warn!(root = %job.subject, code = error.code(), "an import could not be reported");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The Aktenzeichen, if it is this adapter that gave it.
    async fn given_reference(&self, job: &Job, adapter: &str) -> Result<Option<String>, Error> {
        let scope = Scope::tenant(&job.tenant);
        let page = Page { after: None, limit: EVENTS };
        let events = self.store().timeline(&scope, TimelineOf::Record(job.subject), &page).await?;
        let gave = events
            .iter()
            .any(|(_, it)| it.kind == EventKind::ReferenceAssigned && it.actor == actor(adapter));
        let record = self.store().record_any(&scope, job.subject).await?.filter(|_| gave);
        Ok(record.and_then(|record| record.description()?.record_reference.clone()))
    }
}
