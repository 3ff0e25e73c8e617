//! What lies in a record that a message brought: no event tells of each, so it is listed when it is the record's turn.

use std::time::Duration;

use model::adapter::Adapter;
use model::{Id, RecordKind, Scope, ids};
use serde_json::{Value, json};
use store::{ChannelDelivery, Job, NewJob, Work};

use super::Channel;
use super::feed::{contents, wants};
use crate::send::is_doubted;
use crate::{Broker, Error};

/// Kind of the job that lists what lies in a record which an adapter is not told of itself.
pub(crate) const BELOW: &str = "channel-below";

/// Records below one, and files of one document, that are looked at together.
const SLICE: usize = 200;

/// How often something is put behind what happened before it without a pause: as deep as records can lie in each other.
const AT_ONCE: u64 = 60;
/// Longest pause after that.
const LONGEST: Duration = Duration::from_secs(60);

impl Broker {
    /// What lies directly in a record that a message brought is told after it, in slices; each lists what lies in it in turn. What somebody
    /// has added since has events of its own. Interrupted, it is done again and makes the same; done, it is not done again.
    pub(super) async fn list_below(
        &self,
        job: &Job,
        row: &ChannelDelivery,
        channel: &Channel,
        adapter: &dyn Adapter,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&row.tenant);
        let below = match row.message {
            Some(message) => self.store().brought_children(&scope, row.record, message).await?,
            None => vec![],
        };
        let mut slices = below.chunks(SLICE).peekable();
        loop {
            let mut work = Work::new();
            for (kind, id) in slices.next().unwrap_or_default() {
                for delivery in self.brought(row, adapter, (*kind, *id)).await? {
                    self.enqueue_told(&mut work, channel, &delivery);
                    if is_doubted(job) {
                        work.doubt_calls(&delivery.tenant, delivery.id);
                    }
                }
            }
            let is_last = slices.peek().is_none();
            if is_last {
                work.list_channel_delivery(&row.tenant, row.id);
            }
            work.hold_job(job.id, job.epoch);
            self.store().commit(work).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// What an adapter is to be told of one record that lies in that of `row`.
    async fn brought(
        &self,
        row: &ChannelDelivery,
        adapter: &dyn Adapter,
        (kind, id): (RecordKind, Id),
    ) -> Result<Vec<ChannelDelivery>, Error> {
        let Some(record) = self.store().record(&Scope::tenant(&row.tenant), kind, id).await? else {
            return Ok(vec![]);
        };
        let mut payloads = vec![];
        if kind == RecordKind::Document && adapter.descriptor().takes_bytes && wants(adapter, row.event, kind)
        {
            payloads = self.brought_contents(row, &contents(&record.to_json())).await?;
        }
        let meta = record.meta();
        let delivery = |at: usize, payload| ChannelDelivery {
            id: ids::derived_id(row.id, &format!("{id}:{at}")),
            unit: meta.unit.clone(),
            public_service: meta.public_service.clone(),
            kind,
            record: id,
            payload,
            whole: at == 0,
            ..row.clone()
        };
        if payloads.is_empty() {
            return Ok(vec![delivery(0, None)]);
        }
        Ok(payloads.into_iter().enumerate().map(|(at, payload)| delivery(at, Some(payload))).collect())
    }

    /// Those of a document's bytes that came with it.
    async fn brought_contents(&self, row: &ChannelDelivery, all: &[Id]) -> Result<Vec<Id>, Error> {
        let Some(message) = row.message else { return Ok(all.to_vec()) };
        let mut found = vec![];
        for some in all.chunks(SLICE) {
            let brought = self.store().brought_payloads(&row.tenant, message, some).await?;
            found.extend(some.iter().copied().filter(|id| brought.contains(id)));
        }
        Ok(found)
    }

    /// Puts a delivery behind what happened to its tree before it and came to wait only now: what a message brought is listed when it is
    /// its turn, and a human may have something sent again.
    pub(super) async fn tell_later(&self, job: &Job, row: &ChannelDelivery) -> Result<(), Error> {
        let moved = job.detail["moved"].as_u64().unwrap_or_default().saturating_add(1);
        // Those before it have their turn first. Should one of them have none, nothing is to spin.
        let pause = match moved.checked_sub(AT_ONCE) {
            Some(more) => Duration::from_secs(1 << more.min(6)).min(LONGEST),
            None => Duration::ZERO,
        };
        let mut work = Work::new();
        work.finish_job(job.id, job.epoch);
        let next = NewJob { detail: json!({ "moved": moved }), ..self.tell_job(row, self.now().plus(pause)) };
        work.enqueue_call(&next, job.expires_at);
        if job.calling {
            work.doubt_calls(&row.tenant, row.id);
        }
        Ok(self.store().commit(work).await?)
    }

    /// The job that lists what lies in a record which a human said the adapter is not told of.
    pub(super) fn enqueue_below(&self, work: &mut Work, row: &ChannelDelivery) {
        work.enqueue(&NewJob {
            id: ids::derived_id(row.id, "below"),
            tenant: row.tenant.clone(),
            lane: format!("channel-below:{}", row.adapter),
            kind: BELOW.to_owned(),
            subject: row.id,
            detail: Value::Null,
            next_at: self.now(),
            fifo_key: self.turn_of(row),
        });
    }

    /// Lists it.
    pub(crate) async fn tell_below(&self, job: &Job) -> Result<(), Error> {
        let Some(row) = self.store().dropped_delivery(&job.tenant, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        let mut work = Work::new();
        let known = self.adapters.get(&row.adapter).zip(self.channels.get(&row.adapter));
        if let Some((adapter, channel)) = known.filter(|_| row.whole) {
            self.list_below(job, &row, channel, &**adapter).await?;
        }
        // Who keeps records reports what was dropped, and forgets it then.
        if known.is_none_or(|(adapter, _)| !adapter.descriptor().keeps_records) {
            work.end_channel_delivery(&row.tenant, row.id);
        }
        self.finish(job, work).await
    }
}
