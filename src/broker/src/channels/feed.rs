//! From sealed events to what each adapter is to be told.

use std::sync::Arc;

use model::activity::Dispatch;
use model::adapter::{Adapter, Interest};
use model::event::Subject;
use model::record::Meta;
use model::{Event, EventKind, Id, RecordKind, Timestamp, ids};
use serde_json::{Value, json};
use store::{ChannelDelivery, NewJob, SealedEvent, Work};

use super::tell::TELL;
use super::{Channel, actor};
use crate::dispatches::is_by_hand;
use crate::{Broker, Error};

/// Events that are looked at together.
const PAGE: u32 = 100;

impl Broker {
    /// Looks what adapters are to be told; returns how much that is. What cannot be looked for is logged, and keeps no other adapter
    /// waiting.
    pub(crate) async fn feed_channels(&self) -> usize {
        let mut found = 0;
        for (id, channel) in self.channels.iter() {
            let Some(adapter) = self.adapters.get(id) else { continue };
            if adapter.descriptor().follows.is_empty() {
                continue;
            }
            match self.feed_channel(id, channel, &**adapter).await {
                Ok(more) => found += more,
                Err(error) => {
                    tracing::error!(adapter = %id, code = error.code(), "what an adapter is to be told could not be looked for")
                }
            }
        }
        found
    }

    async fn feed_channel(&self, id: &str, channel: &Channel, adapter: &dyn Adapter) -> Result<usize, Error> {
        let tenant = &channel.scope.tenant;
        // Asked first: up to this number everything is there to be seen.
        let last = self.store().last_number(tenant).await?;
        let mut work = Work::new();
        let Some(reached) = self.store().channel_reached(tenant, id).await? else {
            work.add_channel(tenant, id, if channel.from_beginning { 0 } else { last });
            self.store().commit(work).await?;
            return Ok(0);
        };
        if reached >= last {
            return Ok(0);
        }
        let events = self.store().events(&channel.scope, reached, PAGE).await?;
        let is_all = events.len() < PAGE as usize;
        let seen = events.last().map_or(0, |sealed| sealed.number);
        let number = seen.max(if is_all { last } else { 0 });
        let mut found = 0;
        for delivery in events.iter().flat_map(|sealed| wanted(id, adapter, sealed)) {
            self.enqueue_told(&mut work, channel, &delivery);
            found += 1;
        }
        work.channel_reached(tenant, id, reached, number);
        match self.store().commit(work).await.map_err(Error::from) {
            // Another node has just done so.
            Err(error) if error.is_conflict("channel") => Ok(0),
            outcome => outcome.map(|()| found.max(usize::from(!is_all))),
        }
    }

    /// The row of a delivery with its job: those of one tree are made one after the other.
    pub(super) fn enqueue_told(&self, work: &mut Work, channel: &Channel, delivery: &ChannelDelivery) {
        work.add_channel_delivery(delivery);
        let now = self.now();
        work.enqueue_call(&self.tell_job(delivery, now), Some(now.plus(channel.patience)));
    }

    /// The job of a delivery. Those of one tree are done one after the other, unless their adapter does not care for the order.
    pub(super) fn tell_job(&self, delivery: &ChannelDelivery, now: Timestamp) -> NewJob {
        NewJob {
            id: ids::derived_id(delivery.id, "job"),
            tenant: delivery.tenant.clone(),
            lane: format!("channel:{}", delivery.adapter),
            kind: TELL.to_owned(),
            subject: delivery.id,
            detail: Value::Null,
            next_at: now,
            fifo_key: self.turn_of(delivery),
        }
    }

    /// The key of what is told one after the other; none if the adapter does not care.
    pub(super) fn turn_of(&self, delivery: &ChannelDelivery) -> Option<String> {
        let adapter = self.adapters.get(&delivery.adapter);
        let in_order = adapter.is_none_or(|adapter| adapter.descriptor().keeps_order(delivery.kind));
        in_order.then(|| format!("channel:{}:{}", delivery.adapter, delivery.root))
    }
}

impl Broker {
    /// Whether an adapter is there that a dispatch is the business of.
    pub(crate) fn is_carried(&self, dispatch: &Dispatch) -> bool {
        self.carries(&dispatch.meta, dispatch.way.as_deref())
    }

    /// Whether an adapter is there that would carry a dispatch of this way from here.
    pub(crate) fn carries(&self, meta: &Meta, way: Option<&str>) -> bool {
        if way.is_some_and(is_by_hand) {
            return true;
        }
        self.channels.iter().any(|(id, channel)| {
            let carries = |adapter: &Arc<dyn Adapter>| {
                let descriptor = adapter.descriptor();
                descriptor.is_told_of_new(RecordKind::Dispatch) && descriptor.carries(way)
            };
            self.adapters.get(id).is_some_and(carries)
                && channel.scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref())
        })
    }
}

/// Whether an adapter wants to hear of something.
pub(super) fn wants(adapter: &dyn Adapter, event: EventKind, record: RecordKind) -> bool {
    adapter.descriptor().follows.contains(&Interest { event, record })
}

/// What an adapter is to be told because of an event.
fn wanted(id: &str, adapter: &dyn Adapter, sealed: &SealedEvent) -> Vec<ChannelDelivery> {
    let event = &sealed.event;
    let Some(Subject { kind, id: record }) = event.subject else { return vec![] };
    if event.actor == actor(id) || comes_onto_a_desk(event, record) {
        return vec![];
    }
    // A document that is placed into a case is new to those who were not told of it while it lay on a desk.
    let told = match (event.kind, kind) {
        (EventKind::RecordPlaced, RecordKind::Document) => EventKind::RecordCreated,
        (told, _) => told,
    };
    // Of what a message brings, events tell the topmost records alone.
    let is_file = matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document);
    let whole = event.kind == EventKind::RecordCreated && event.message_id.is_some() && is_file;
    let below = whole
        && [RecordKind::CaseFile, RecordKind::Case, RecordKind::Document]
            .iter()
            .any(|kind| wants(adapter, told, *kind));
    if !wants(adapter, told, kind) && !below {
        return vec![];
    }
    let delivery = |at: usize, payload: Option<Id>| ChannelDelivery {
        id: ids::derived_id(event.id, &format!("{id}:{at}")),
        tenant: event.tenant.clone(),
        adapter: id.to_owned(),
        unit: event.unit.clone().unwrap_or_default(),
        public_service: event.public_service.clone(),
        number: sealed.number,
        event: told,
        kind,
        record,
        root: event.case_id.unwrap_or(record),
        payload,
        message: event.message_id,
        whole: whole && at == 0,
        parked: None,
        failed: None,
        task: None,
        created_at: event.at,
    };
    let payloads: Vec<Id> = match (event.kind, kind) {
        // Once for the record, however many files it has.
        _ if !adapter.descriptor().takes_bytes => vec![],
        (EventKind::ContentAdded, _) | (EventKind::RecordPlaced, RecordKind::Document) => {
            event.payloads.iter().map(|payload| payload.id).collect()
        }
        (EventKind::RecordCreated, RecordKind::Document) => {
            contents(event.changes.as_ref().unwrap_or(&json!(null)))
        }
        _ => vec![],
    };
    match payloads.as_slice() {
        [] => vec![delivery(0, None)],
        some => some.iter().enumerate().map(|(at, payload)| delivery(at, Some(*payload))).collect(),
    }
}

/// Whether a document comes into being that lies in none and was brought by no message: it waits on a desk until somebody has placed it.
fn comes_onto_a_desk(event: &Event, record: Id) -> bool {
    let is_document = event.subject.is_some_and(|subject| subject.kind == RecordKind::Document);
    let lies_in = event.changes.as_ref().is_some_and(|changes| changes["parent"].is_string());
    event.kind == EventKind::RecordCreated
        && is_document
        && event.message_id.is_none()
        && !lies_in
        && event.case_id != Some(record)
}

/// The bytes that the JSON form of a document names, in its order.
pub(super) fn contents(document: &Value) -> Vec<Id> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let files = list(&document["versions"]).into_iter().flat_map(|version| list(&version["files"]));
    files.filter_map(|file| file["content"]["id"].as_str()?.parse().ok()).collect()
}
