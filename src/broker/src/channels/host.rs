//! What an adapter may do here in one of its sessions: as a caller with the rights of a clerk and a record-keeping system, within
//! the scope that it is configured for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use model::adapter::{Content, Handed, Host, Link, Wanted};
use model::command::Command;
use model::event::Subject;
use model::letter::{Letter, TakenIn};
use model::{
    Caller, Event, EventKind, Failure, FailureKind, Id, PayloadRef, Record, RecordKind, Timestamp, ids,
};
use serde_json::{Value, json};
use store::{Page, RecordFilter, StoredPayload, Work};
use tokio_util::io::ReaderStream;

use super::Channel;
use super::commands::check_offered;
use crate::citizen::keep_link;
use crate::records::named_by;
use crate::{Broker, Error, Once};

/// Records of one name that are given.
const MOST_FOUND: u32 = 10;
/// Longest reference of a link, and most bytes of what is remembered of one.
const REFERENCE_BYTES: usize = 500;
/// Records that are given at once.
const MOST_WANTED: u32 = 1_000;
/// Longest key of a command or note, in bytes.
const KEY_BYTES: usize = 200;
const LINK_STATE_BYTES: usize = 16 * 1024;

/// One session of an adapter.
pub(crate) struct Session {
    pub(super) broker: Broker,
    pub(super) adapter: String,
    pub(super) channel: Channel,
    pub(super) caller: Caller,
    /// Bytes that were kept in this session and no record names yet.
    kept: Mutex<BTreeMap<Id, StoredPayload>>,
}

impl Session {
    pub(super) fn new(broker: Broker, adapter: String, channel: Channel) -> Self {
        let caller = channel.caller(&adapter);
        Session { broker, adapter, channel, caller, kept: Mutex::default() }
    }

    /// The same for somebody who is no adapter.
    pub(crate) fn of_caller(broker: Broker, caller: Caller, channel: Channel) -> Self {
        Session { broker, adapter: caller.actor.id.clone(), channel, caller, kept: Mutex::default() }
    }

    fn tenant(&self) -> &str {
        &self.channel.scope.tenant
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Id, StoredPayload>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes out that a record is going to name.
    pub(super) fn take(&self, content: &PayloadRef) -> Option<StoredPayload> {
        self.kept().remove(&content.id)
    }

    /// Bytes that no record names after all.
    pub(super) fn give_back(&self, stored: Vec<StoredPayload>) {
        self.kept().extend(stored.into_iter().map(|stored| (stored.reference().id, stored)));
    }

    async fn find_any(&self, name: &str, value: &str) -> Result<Vec<Record>, Error> {
        let mut found = vec![];
        for kind in [RecordKind::Case, RecordKind::CaseFile, RecordKind::Claim, RecordKind::Document] {
            let mut filter = RecordFilter::of(kind);
            match name {
                "recordReference" => filter.record_reference = Some(value.to_owned()),
                name => filter.reference = Some((name.to_owned(), value.to_owned())),
            }
            let page = Page::first(MOST_FOUND);
            found.extend(self.broker.records(&self.caller, &filter, &page).await?.items);
        }
        found.truncate(MOST_FOUND as usize);
        Ok(found)
    }

    async fn wanted(&self, wanted: &Wanted) -> Result<Vec<Record>, Error> {
        if !(1..=MOST_WANTED).contains(&wanted.limit) {
            return Err(model::Error::Invalid { field: "limit" }.into());
        }
        let filter = RecordFilter {
            services: wanted.services.clone(),
            root: wanted.root,
            status: wanted.status.clone(),
            reference: wanted.name.clone(),
            since: wanted.since,
            before: wanted.before,
            ..RecordFilter::of(wanted.kind)
        };
        Ok(self.broker.store().newest(&self.channel.scope, &filter, wanted.after, wanted.limit).await?)
    }

    pub(super) async fn submit_once(&self, key: &str, command: Command) -> Result<Record, Error> {
        if !(1..=KEY_BYTES).contains(&key.len()) {
            return Err(model::Error::Invalid { field: "key" }.into());
        }
        check_offered(&command)?;
        let once = Once::new(format!("command:{key}"), String::new());
        let named = named_by(&command.change);
        let kind = command.kind;
        if let Some(first) = self.broker.answered(&self.caller, Some(&once)).await? {
            self.discard(&named).await;
            return Ok(Record::from_json(kind, first)?);
        }
        let stored = self.take_all(&named)?;
        let outcome = self.broker.submit_with(&self.caller, command, Some(&once), &stored).await;
        // Of an unknown outcome nobody may say that the bytes are not needed.
        if matches!(outcome, Err(Error::Model(_))) {
            self.give_back(stored);
        }
        outcome
    }

    async fn note_once(&self, key: &str, subject: Subject, detail: Value) -> Result<(), Error> {
        if !(1..=KEY_BYTES).contains(&key.len()) || detail.to_string().len() > LINK_STATE_BYTES {
            return Err(model::Error::Invalid { field: "note" }.into());
        }
        let once = Once::new(format!("note:{key}"), String::new());
        if self.broker.answered(&self.caller, Some(&once)).await?.is_some() {
            return Ok(());
        }
        let record = self.broker.store().record(&self.channel.scope, subject.kind, subject.id).await?;
        let record = record.ok_or(model::Error::NotFound { kind: "record" })?;
        let meta = record.meta();
        let mut work = Work::new();
        work.insert_event(&Event {
            id: ids::new_id(),
            tenant: meta.tenant.clone(),
            unit: Some(meta.unit.clone()),
            public_service: meta.public_service.clone(),
            at: self.broker.now(),
            kind: EventKind::ChannelNoted,
            actor: super::actor(&self.adapter),
            subject: Some(subject),
            case_id: Some(meta.root),
            message_id: None,
            changes: None,
            payloads: vec![],
            detail: Some(json!({ "adapter": self.adapter, "noted": detail })),
        });
        once.claim(&mut work, &self.caller, subject.id, &Value::Null);
        self.broker.commit_once(&self.caller, Some(&once), work).await.map(drop)
    }

    async fn put_link(&self, link: Link) -> Result<(), Error> {
        let is_long = link.reference.len() > REFERENCE_BYTES || link.part.len() > REFERENCE_BYTES;
        if is_long || link.reference.is_empty() || link.state.to_string().len() > LINK_STATE_BYTES {
            return Err(model::Error::Invalid { field: "link" }.into());
        }
        let record = self.broker.store().record(&self.channel.scope, link.kind, link.record).await?;
        record.ok_or(model::Error::NotFound { kind: "record" })?;
        let mut work = Work::new();
        keep_link(&mut work, self.tenant(), &self.adapter, &link);
        Ok(self.broker.store().commit(work).await?)
    }

    async fn put_state(&self, key: &str, value: Value) -> Result<(), Error> {
        let mut work = Work::new();
        match value {
            Value::Null => work.remove_adapter_state(self.tenant(), &self.adapter, key),
            value => work.set_adapter_state(self.tenant(), &self.adapter, key, &value),
        };
        Ok(self.broker.store().commit(work).await?)
    }
}

#[async_trait]
impl Host for Session {
    async fn record(&self, kind: RecordKind, id: Id) -> Result<Option<Record>, Failure> {
        self.broker.store().record(&self.channel.scope, kind, id).await.map_err(failure)
    }

    async fn find(&self, name: &str, value: &str) -> Result<Vec<Record>, Failure> {
        self.find_any(name, value).await.map_err(failure)
    }

    async fn records(&self, wanted: &Wanted) -> Result<Vec<Record>, Failure> {
        self.wanted(wanted).await.map_err(failure)
    }

    async fn submit(&self, key: &str, command: Command) -> Result<Record, Failure> {
        self.submit_once(key, command).await.map_err(failure)
    }

    async fn keep(&self, content: Content) -> Result<PayloadRef, Failure> {
        let stored = self.broker.stage(&self.caller, ReaderStream::new(content)).await.map_err(failure)?;
        let reference = stored.reference().clone();
        self.kept().insert(reference.id, stored);
        Ok(reference)
    }

    async fn open(&self, content: &PayloadRef) -> Result<Content, Failure> {
        self.broker.read_kept(self.tenant(), content).await.map_err(failure)
    }

    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        self.take_letter(letter).await.map_err(failure)
    }

    async fn message(&self, key: &str, message: Handed) -> Result<Id, Failure> {
        self.take_message(key, message).await.map_err(failure)
    }

    async fn links(&self, record: Id) -> Result<Vec<Link>, Failure> {
        self.broker.store().links(self.tenant(), &self.adapter, record).await.map_err(failure)
    }

    async fn linked(&self, reference: &str) -> Result<Option<Link>, Failure> {
        self.broker.store().linked(self.tenant(), &self.adapter, reference).await.map_err(failure)
    }

    async fn link(&self, link: Link) -> Result<(), Failure> {
        self.put_link(link).await.map_err(failure)
    }

    async fn note(&self, key: &str, kind: RecordKind, record: Id, detail: Value) -> Result<(), Failure> {
        self.note_once(key, Subject { kind, id: record }, detail).await.map_err(failure)
    }

    async fn state(&self, key: &str) -> Result<Option<Value>, Failure> {
        self.broker.store().adapter_state(self.tenant(), &self.adapter, key).await.map_err(failure)
    }

    async fn set_state(&self, key: &str, value: Value) -> Result<(), Failure> {
        self.put_state(key, value).await.map_err(failure)
    }

    fn now(&self) -> Timestamp {
        self.broker.now()
    }
}

/// What passes must not make an adapter tell the other side that it never will be done: a store that is broken is mended.
fn failure(error: impl Into<Error>) -> Failure {
    let error: Error = error.into();
    let passes = error.is_passing();
    let failure = error.into_failure();
    if passes { Failure { kind: FailureKind::Transient, ..failure } } else { failure }
}
