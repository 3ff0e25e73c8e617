//! One thing that an adapter is told: delivered, and noted with everything that follows from it.

use std::sync::Arc;

use futures::TryStreamExt;
use model::activity::Dispatch;
use model::adapter::{About, AboutFile, Adapter, Content, Delivery, Descriptor, Receipt, Source};
use model::case::{Document, RecordStatus};
use model::event::Subject;
use model::{Event, EventKind, Failure, Id, PayloadRef, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::{Value, json};
use store::{ChannelDelivery, Job, NewJob, Work};
use tokio_util::io::StreamReader;

use super::feed::wants;
use super::host::Session;
use super::{Channel, actor};
use crate::citizen::keep_link;
use crate::send::{Called, is_doubted};
use crate::{Broker, Error};

/// Kind of the job.
pub(crate) const TELL: &str = "channel";

/// How often the end of a delivery is decided anew because a record changed in between.
const ATTEMPTS: usize = 8;

impl Broker {
    /// Tells an adapter. Doing it again after an interruption tells it the same under the same id.
    pub(crate) async fn tell(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let Some(row) = self.store().channel_delivery(&scope, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        if row.parked.is_some() {
            // A human is asked: whoever sends it again enqueues it anew.
            let mut work = Work::new();
            work.require_parked(&row.tenant, row.id);
            return self.finish(job, work).await;
        }
        let known = self.adapters.get(&row.adapter).zip(self.channels.get(&row.adapter));
        let Some((adapter, channel)) = known else {
            return Err(Failure::permanent("broker.no-adapter", "the adapter is not configured").into());
        };
        if (!job.calling || is_doubted(job)) && self.has_to_wait(&row, adapter.descriptor()).await? {
            return self.tell_later(job, &row).await;
        }
        let Some(about) = self.about(&row, channel, &**adapter).await? else {
            // It is destroyed, or its bytes are, or it went elsewhere: there is nothing to tell any more.
            return self.nothing_to_tell(job, &row, &**adapter).await;
        };
        if row.whole {
            self.list_below(job, &row, channel, &**adapter).await?;
        }
        if !is_business(&**adapter, &row, &about.record) {
            return self.nothing_to_tell(job, &row, &**adapter).await;
        }
        if let Some(until) = self.not_yet(job, &about.record, &**adapter) {
            return self.tell_at(job, &row, channel, until).await;
        }
        let sources: Vec<Box<dyn Source>> =
            about.files.iter().filter_map(|file| self.source(&row.tenant, file)).collect();
        let delivery = Delivery {
            id: row.id,
            tenant: row.tenant.clone(),
            kind: name(row.event),
            record: Some((row.kind, row.record)),
            detail: self.facts(&row).await?,
            about: Some(Box::new(about)),
        };
        let host = Arc::new(Session::new(self.clone(), row.adapter.clone(), channel.clone()));
        let called = Called { id: &row.adapter, adapter: &**adapter, host: Some(host) };
        let receipt = self.call_adapter(job, called, &delivery, &sources, false).await?;
        if receipt.nothing {
            return self.nothing_to_tell(job, &row, &**adapter).await;
        }
        self.told(job, &row, (channel, &**adapter), receipt).await
    }

    /// Whether something that its adapter has to be told before has not been told yet.
    async fn has_to_wait(&self, row: &ChannelDelivery, adapter: &Descriptor) -> Result<bool, Error> {
        let apart = (!adapter.waits_for_dispatches()).then_some(RecordKind::Dispatch);
        Ok(adapter.keeps_order(row.kind) && self.store().waits_before(row, apart).await?)
    }

    /// Which event it is, when it was, and the state that it brought its record into, if it did.
    async fn facts(&self, row: &ChannelDelivery) -> Result<Value, Error> {
        let mut facts = json!({ "eventNumber": row.number, "at": row.created_at });
        let scope = Scope::tenant(&row.tenant);
        let found = self.store().events(&scope, row.number.saturating_sub(1), 1).await?.pop();
        let event = found.filter(|found| found.number == row.number).map(|found| found.event);
        // What lies in a record that a message brought has no event of its own.
        let event = event.filter(|event| event.subject.is_some_and(|subject| subject.id == row.record));
        if let Some(Value::String(status)) = event.and_then(|event| event.changes?.get("status").cloned()) {
            facts["status"] = status.into();
        }
        Ok(facts)
    }

    /// Until when whoever carries a dispatch is not told of it. Once it was called, what became of that is found out at once.
    fn not_yet(&self, job: &Job, record: &Record, adapter: &dyn Adapter) -> Option<Timestamp> {
        match record {
            Record::Dispatch(it) if adapter.descriptor().way.is_some() && !job.calling => {
                self.waits_until(it)
            }
            _ => None,
        }
    }

    /// It is told then, as if it had come to be told then: attempts and patience count from there.
    async fn tell_at(
        &self,
        job: &Job,
        row: &ChannelDelivery,
        channel: &Channel,
        until: Timestamp,
    ) -> Result<(), Error> {
        let mut work = Work::new();
        work.finish_job(job.id, job.epoch);
        // Its age counts from when it may leave: until then nobody is late with it.
        let next = NewJob { id: ids::id_at(until), ..self.tell_job(row, until) };
        work.enqueue_call(&next, Some(until.plus(channel.patience)));
        Ok(self.store().commit(work).await?)
    }

    async fn nothing_to_tell(
        &self,
        job: &Job,
        row: &ChannelDelivery,
        adapter: &dyn Adapter,
    ) -> Result<(), Error> {
        let mut work = Work::new();
        work.end_channel_delivery(&row.tenant, row.id);
        self.when_told(&mut work, row, adapter);
        self.finish(job, work).await
    }

    /// What is told; `None` if it is not there any more, or lies on a desk, or outside of what the adapter may see.
    async fn about(
        &self,
        row: &ChannelDelivery,
        channel: &Channel,
        adapter: &dyn Adapter,
    ) -> Result<Option<About>, Error> {
        let scope = Scope::tenant(&row.tenant);
        let record = self.store().record(&channel.scope, row.kind, row.record).await?;
        let Some(record) = record.filter(|record| !lies_on_a_desk(record)) else { return Ok(None) };
        let mut above = self.above(&record).await?;
        let is_destroyed = |it: &Record| it.status() == RecordStatus::Destroyed.name();
        let is_gone = is_destroyed(&record) || above.iter().any(is_destroyed);
        if is_gone && row.event != EventKind::RecordDestroyed {
            return Ok(None);
        }
        let files = match (&record, row.payload) {
            _ if !adapter.descriptor().takes_bytes => vec![],
            (Record::Document(document), Some(payload)) => match file_of(document, payload) {
                Some(file) => vec![file],
                None => return Ok(None),
            },
            (Record::Dispatch(dispatch), _) => self.sent_files(&scope, dispatch).await?,
            _ => vec![],
        };
        above.retain(|above| sees(channel, above));
        above.reverse();
        let mut links = vec![];
        for known in above.iter().chain([&record]) {
            links.extend(self.store().links(&row.tenant, &row.adapter, known.meta().id).await?);
        }
        Ok(Some(About { record, above, links, files }))
    }

    /// What is sent: of each document the first file of its newest version. One without bytes is left out: whether anything is to be sent
    /// then, the adapter says.
    async fn sent_files(&self, scope: &Scope, dispatch: &Dispatch) -> Result<Vec<AboutFile>, Error> {
        let mut files = vec![];
        for id in &dispatch.documents {
            let record = self.store().record(scope, RecordKind::Document, *id).await?;
            let Some(Record::Document(document)) = record else { continue };
            let newest = document.versions.last();
            let file = newest.and_then(|version| version.files.iter().find(|file| file.content.is_some()));
            let Some((version, file)) = newest.zip(file) else { continue };
            files.push(AboutFile { document: *id, version: version.number.clone(), file: file.clone() });
        }
        Ok(files)
    }

    fn source(&self, tenant: &str, file: &AboutFile) -> Option<Box<dyn Source>> {
        let content = file.file.content.clone()?;
        Some(Box::new(Kept { broker: self.clone(), tenant: tenant.to_owned(), content }))
    }

    /// The adapter has it: links, what follows for records, and the event, with the end of the row.
    async fn told(
        &self,
        job: &Job,
        row: &ChannelDelivery,
        (channel, adapter): (&Channel, &dyn Adapter),
        receipt: Receipt,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let mut work = Work::new();
            let refused = self.follow_commands(&mut work, row, channel, &receipt.commands).await?;
            for link in &receipt.links {
                keep_link(&mut work, &row.tenant, &row.adapter, link);
            }
            work.end_channel_delivery(&row.tenant, row.id);
            self.when_told(&mut work, row, adapter);
            let detail = json!({
                "adapter": row.adapter,
                "delivery": row.id,
                "of": name(row.event),
                "reference": receipt.reference,
                "data": receipt.data,
                "refused": refused,
            });
            work.insert_event(&self.channel_event(EventKind::ChannelDelivered, row, detail));
            match self.finish(job, work).await {
                Err(error) if error.is_conflict("record") || error.is_conflict("root") => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(self.store().note_lane(&job.tenant, &job.lane, None).await?),
            }
        }
        Err(Error::Internal)
    }

    /// What happened to a record at an adapter, or on the way there.
    pub(super) fn channel_event(&self, kind: EventKind, row: &ChannelDelivery, detail: Value) -> Event {
        Event {
            id: ids::new_id(),
            tenant: row.tenant.clone(),
            unit: Some(row.unit.clone()),
            public_service: row.public_service.clone(),
            at: self.now(),
            kind,
            actor: actor(&row.adapter),
            subject: Some(Subject { kind: row.kind, id: row.record }),
            case_id: Some(row.root),
            message_id: None,
            changes: None,
            payloads: vec![],
            detail: Some(detail),
        }
    }

    /// Bytes of the store, from their beginning.
    pub(super) async fn read_kept(&self, tenant: &str, content: &PayloadRef) -> Result<Content, Error> {
        let payload = self.store().open_payload(tenant, content.id).await?;
        let pieces = Box::pin(payload.stream(0..payload.size()).map_err(std::io::Error::from));
        Ok(Box::new(StreamReader::new(pieces)))
    }
}

/// Bytes that the store keeps.
pub(crate) struct Kept {
    pub(crate) broker: Broker,
    pub(crate) tenant: String,
    pub(crate) content: PayloadRef,
}

#[async_trait::async_trait]
impl Source for Kept {
    async fn open(&self) -> Result<Content, Failure> {
        self.broker.read_kept(&self.tenant, &self.content).await.map_err(Error::into_failure)
    }
}

fn file_of(document: &Document, payload: Id) -> Option<AboutFile> {
    document.versions.iter().find_map(|version| {
        let is_it = |file: &&model::case::File| file.content.as_ref().is_some_and(|it| it.id == payload);
        let file = version.files.iter().find(is_it)?;
        Some(AboutFile { document: document.meta.id, version: version.number.clone(), file: file.clone() })
    })
}

/// Whether an adapter wants to hear of it. What lies in a record that it wants nothing of may still be its business.
fn is_business(adapter: &dyn Adapter, row: &ChannelDelivery, record: &Record) -> bool {
    let is_its_way = match record {
        Record::Dispatch(dispatch) => adapter.descriptor().carries(dispatch.way.as_deref()),
        _ => true,
    };
    is_its_way && wants(adapter, row.event, row.kind)
}

/// Whether an adapter may see a record.
fn sees(channel: &Channel, record: &Record) -> bool {
    let meta = record.meta();
    channel.scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref())
}

/// Whether it is a document of a letter that nobody has placed into a case yet; only those lie in none and have another's root.
fn lies_on_a_desk(record: &Record) -> bool {
    let is_document = record.kind() == RecordKind::Document;
    is_document && record.parent().is_none() && record.meta().root != record.meta().id
}

/// The name of a kind of event, as in its JSON form.
pub(super) fn name(event: EventKind) -> String {
    json!(event).as_str().unwrap_or_default().to_owned()
}
