//! Destroying what was disposed of (Vernichtung, Löschung): only after offer, appraisal and, for what went to the archive, its
//! confirmed import; never what is barred (Löschsperre) or was not offered. Records lose their content, payloads their keys,
//! events what they say; digests, and an event for each record, stay as proof.

use std::collections::{BTreeMap, BTreeSet};

use model::activity::{Task, TaskStatus};
use model::command::Change;
use model::event::Subject;
use model::exchange::{DestructionAsked, Exchange, ExchangeObject};
use model::process::{Part, message_type};
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, Event, Failure, Id, Record, RecordKind, Scope, ids};
use seal::bundle::{Content, EventRecord};
use serde_json::json;
use store::{Job, NewJob, Page, RecordFilter, Work};

use super::disposal::{disposed_by, is_at_rest, is_in};
use super::exchange;
use crate::evidence::PAGE;
use crate::{Broker, Error, Once};

/// Kind of the job.
pub(crate) const JOB: &str = "destroy";

/// Kind of the task if something stays.
const TASK: &str = "destruction-refused";

/// Records that lose their content together.
const SLICE: usize = 100;

impl Broker {
    /// Has what an exchange disposed of destroyed: the objects named by their UUIDs, or all that may be. A job does it. Where a second
    /// one has to agree, the first call only asks; who then names something else asks anew.
    ///
    /// # Errors
    /// `NotDisposed`, `Held` or `SecondPerson`; `Forbidden` if something in an object is beyond the caller's scope.
    pub async fn destroy(
        &self,
        caller: &Caller,
        id: Id,
        objects: Vec<Id>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::DestroyRecords)?;
        let objects = &objects;
        self.once(caller, once, move || self.try_destroy(caller, scope, id, objects, once)).await
    }

    async fn try_destroy(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        named: &[Id],
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        let going = going(&before, named)?;
        for object in &going {
            self.check_tree(scope, &before, object).await?;
        }
        let mut objects: Vec<Id> = going.iter().map(|object| object.object_id).collect();
        objects.sort();
        let mut work = Work::new();
        let mut after = before.clone();
        if self.parts.rules.four_eyes {
            let change = agreed(&before, &caller.actor, &objects)?;
            let asks = matches!(change, Change::AskDestruction(_));
            let opening = before.messages.first().map(|message| message.id);
            after = exchange(self.apply(&mut work, &current, change, &caller.actor, opening)?)?;
            if asks {
                return self.commit_answer(caller, once, work, id, after).await;
            }
        }
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: before.meta.tenant.clone(),
            lane: JOB.to_owned(),
            kind: JOB.to_owned(),
            subject: id,
            detail: json!({ "objects": objects, "by": caller.actor }),
            next_at: self.now(),
            fifo_key: Some(format!("destroy:{id}")),
        });
        self.commit_answer(caller, once, work, id, after).await
    }

    /// Nothing speaks against destroying an object with all that lies in it.
    async fn check_tree(
        &self,
        scope: &Scope,
        exchange: &Exchange,
        object: &ExchangeObject,
    ) -> Result<(), Error> {
        let whole = Scope::tenant(&exchange.meta.tenant);
        let top = self.owned_any(&whole, object.id).await?;
        // Interrupted before that was noted.
        if is_destroyed(&top) {
            return Ok(());
        }
        check_place(exchange, &top, &self.above(&top).await?)?;
        for id in self.tree(&whole, object.id).await? {
            check_record(scope, exchange, &self.owned_any(&whole, id).await?)?;
        }
        Ok(())
    }

    /// A record and everything in it, outermost first.
    pub(super) async fn tree(&self, scope: &Scope, top: Id) -> Result<Vec<Id>, Error> {
        let mut tree = vec![top];
        let mut next = 0;
        while let Some(id) = tree.get(next).copied() {
            let children = self.store().children(scope, id).await?;
            tree.extend(children.into_iter().map(|(_, id)| id));
            next += 1;
        }
        Ok(tree)
    }

    /// Destroys the objects of a job. Doing it again after an interruption goes on where it stopped. What speaks against one of them
    /// is told on the exchange and does not keep the others.
    pub(crate) async fn destroy_next(&self, job: &Job) -> Result<(), Error> {
        let by: Actor = serde_json::from_value(job.detail["by"].clone()).map_err(|_| Error::Internal)?;
        let mut done = vec![];
        let mut roots: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
        for uuid in objects_of(job)? {
            match self.destroy_object(job, uuid, &by).await {
                Ok(Some((root, tree))) => {
                    roots.entry(root).or_default().extend(tree);
                    done.push(uuid);
                }
                Ok(None) => {}
                Err(Error::Model(reason)) => {
                    let mut work = Work::new();
                    work.hold_job(job.id, job.epoch);
                    self.note_staying(&mut work, job, &[uuid], reason.code()).await?;
                    self.store().commit(work).await?;
                }
                Err(error) => return Err(error),
            }
        }
        for (root, tree) in &roots {
            self.silence(job, *root, tree).await?;
        }
        for uuid in done {
            self.note_destroyed(job, uuid, &by).await?;
        }
        self.finish(job, Work::new()).await
    }

    /// Destroys the records of an object; gives the root of its tree and all that lay in it, or nothing if that was noted before.
    async fn destroy_object(&self, job: &Job, uuid: Id, by: &Actor) -> Result<Option<(Id, Vec<Id>)>, Error> {
        let scope = Scope::tenant(&job.tenant);
        let current = exchange(self.owned(&scope, RecordKind::Exchange, job.subject).await?)?;
        let is_it = |object: &&ExchangeObject| object.object_id == uuid;
        if current.objects.iter().find(is_it).is_some_and(|object| object.destroyed_at.is_some()) {
            return Ok(None);
        }
        let Some(object) = going(&current, &[uuid])?.into_iter().next() else { return Ok(None) };
        self.check_tree(&scope, &current, object).await?;
        let tree = self.tree(&scope, object.id).await?;
        // The outermost last: what was interrupted is still found from there.
        let inner_first: Vec<Id> = tree.iter().rev().copied().collect();
        for slice in inner_first.chunks(SLICE) {
            self.destroy_slice(job, uuid, slice, by).await?;
        }
        Ok(Some((object.root, tree)))
    }

    /// Destroys some records of an object. What spoke for it may have changed since: all is looked at anew, and must not change until
    /// the commit.
    async fn destroy_slice(&self, job: &Job, uuid: Id, slice: &[Id], by: &Actor) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let current = exchange(self.owned(&scope, RecordKind::Exchange, job.subject).await?)?;
        going(&current, &[uuid])?;
        let mut around = BTreeMap::from([(current.meta.id, current.meta.version)]);
        let (mut work, mut gone) = (Work::new(), vec![]);
        work.hold_job(job.id, job.epoch);
        for id in slice {
            let record = self.owned_any(&scope, *id).await?;
            if is_destroyed(&record) {
                continue;
            }
            let above = self.above(&record).await?;
            check_place(&current, &record, &above)?;
            check_record(&scope, &current, &record)?;
            around.extend(above.iter().map(|above| (above.meta().id, above.meta().version)));
            if let Record::Document(document) = &record {
                let files = document.versions.iter().flat_map(|version| &version.files);
                gone.extend(files.filter_map(|file| Some(file.content.as_ref()?.id)));
            }
            self.apply(&mut work, &record, Change::Destroy, by, None)?;
        }
        for (id, version) in around.iter().filter(|(id, _)| !slice.contains(id)) {
            work.require_version(&scope.tenant, *id, *version);
        }
        for payload in &gone {
            work.erase_payload(&scope.tenant, *payload);
        }
        self.store().commit(work).await?;
        for payload in gone {
            self.store().remove_erased(payload).await?;
        }
        Ok(())
    }

    async fn note_destroyed(&self, job: &Job, uuid: Id, by: &Actor) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let current = self.owned(&scope, RecordKind::Exchange, job.subject).await?;
        let opening = exchange(current.clone())?.messages.first().map(|message| message.id);
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        let change = Change::ObjectDestroyed(uuid);
        let after = exchange(self.apply(&mut work, &current, change, by, opening)?)?;
        let gone = self.erase_messages(&mut work, &after).await?;
        self.store().commit(work).await?;
        for payload in gone {
            self.store().remove_erased(payload).await?;
        }
        Ok(())
    }

    /// Rows of the end of a job that is not tried again.
    pub(crate) async fn end_destruction(
        &self,
        work: &mut Work,
        job: &Job,
        failure: &Failure,
    ) -> Result<(), Error> {
        self.note_staying(work, job, &objects_of(job)?, &failure.code).await
    }

    /// That objects stay: on the exchange, by an event and, unless it lies there, a task on the desk of its unit.
    async fn note_staying(&self, work: &mut Work, job: &Job, uuids: &[Id], code: &str) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut record = self.owned(&scope, RecordKind::Exchange, job.subject).await?;
        let before = exchange(record.clone())?;
        let opening = before.messages.first().map(|message| message.id);
        let is_there =
            |object: &&ExchangeObject| object.destroyed_at.is_none() && uuids.contains(&object.object_id);
        for object in before.objects.iter().filter(is_there) {
            let change = Change::RefuseDestruction(object.object_id, code.to_owned());
            record = self.apply(work, &record, change, &Actor::gateway(), opening)?;
        }
        let filter = RecordFilter { parent: Some(before.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let tasks = self.store().records(&scope, &filter, &Page { after: None, limit: 200 }).await?;
        let lies_there = |record: &Record| matches!(record, Record::Task(task) if task.kind == TASK && task.status.is_open());
        if !tasks.items.iter().any(lies_there) {
            let task = Record::Task(refusal_task(&before, self.now()));
            self.create(work, task, &Actor::gateway(), opening.unwrap_or(before.meta.id))?;
        }
        Ok(())
    }

    /// Takes from the evidence what events say of the records; that there were events, and their digests, stay.
    async fn silence(&self, job: &Job, root: Id, tree: &BTreeSet<Id>) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        self.seal_now(&job.tenant).await?;
        let mut after = 0;
        loop {
            let events = self.store().case_events(&scope, root, after, PAGE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.number;
            let mut work = Work::new();
            work.hold_job(job.id, job.epoch);
            for event in events.iter().filter(|event| tells_of(event, tree)) {
                work.erase_event(&job.tenant, event.event_id);
            }
            self.store().commit(work).await?;
        }
    }

    /// The messages that carried the records lose their bytes once everything in them is destroyed.
    async fn erase_messages(&self, work: &mut Work, after: &Exchange) -> Result<Vec<Id>, Error> {
        let scope = Scope::tenant(&after.meta.tenant);
        let all = after.objects.iter().all(|object| object.destroyed_at.is_some());
        let sent = after.sent_objects().all(|object| object.destroyed_at.is_some());
        let mut gone = vec![];
        for (part, is_over) in [(Part::Opening, all), (Part::Transfer, sent)] {
            let wanted = message_type(after.kind, part);
            let is_it = |found: &&model::exchange::ExchangeMessage| {
                is_over && Some(found.message_type.as_str()) == wanted
            };
            for noted in after.messages.iter().filter(is_it) {
                let message = self.store().message(&scope, noted.id).await?;
                let Some(payload) = message.and_then(|message| message.payload) else { continue };
                work.erase_payload(&scope.tenant, payload.id);
                gone.push(payload.id);
            }
        }
        Ok(gone)
    }
}

fn tells_of(event: &EventRecord, tree: &BTreeSet<Id>) -> bool {
    let Content::Full { event, .. } = &event.content else { return false };
    let Ok(event) = serde_json::from_value::<Event>(event.clone()) else { return false };
    let proves = event.kind == model::EventKind::RecordDestroyed;
    !proves && matches!(event.subject, Some(Subject { id, .. }) if tree.contains(&id))
}

/// The objects that are to be destroyed: all that may be, or those named, if every one of them may.
fn going<'a>(exchange: &'a Exchange, named: &[Id]) -> Result<Vec<&'a ExchangeObject>, Error> {
    let may = |object: &ExchangeObject| object.destroyed_at.is_none() && exchange.is_disposed(object);
    let is_named = |object: &&ExchangeObject| match named {
        [] => may(object),
        named => named.contains(&object.object_id),
    };
    let going: Vec<&ExchangeObject> = exchange.objects.iter().filter(is_named).collect();
    if going.is_empty() || going.len() < named.len() || !going.iter().all(|object| may(object)) {
        return Err(model::Error::NotDisposed.into());
    }
    Ok(going)
}

/// What a call means where a second one has to agree to exactly the same.
fn agreed(exchange: &Exchange, by: &Actor, objects: &[Id]) -> Result<Change, Error> {
    match &exchange.destruction_asked {
        Some(first) if first.objects == objects && first.by == by.id => {
            Err(model::Error::SecondPerson.into())
        }
        Some(first) if first.objects == objects => Ok(Change::AgreeDestruction),
        _ => Ok(Change::AskDestruction(DestructionAsked { by: by.id.clone(), objects: objects.to_vec() })),
    }
}

fn objects_of(job: &Job) -> Result<Vec<Id>, Error> {
    serde_json::from_value(job.detail["objects"].clone()).map_err(|_| Error::Internal)
}

fn is_held(record: &Record) -> bool {
    record.description().is_some_and(|description| description.hold.is_some())
}

fn is_destroyed(record: &Record) -> bool {
    record.status() == "destroyed"
}

/// What a record lies in is not barred, and it still is in the exchange.
fn check_place(exchange: &Exchange, record: &Record, above: &[Record]) -> Result<(), model::Error> {
    if above.iter().any(is_held) {
        return Err(model::Error::Held);
    }
    if !is_in(exchange, record, above) {
        return Err(model::Error::NotDisposed);
    }
    Ok(())
}

/// A record itself may go: it is the caller's, not barred, not younger than the offer, not worked on, and neither another exchange
/// nor another object of this one has a say in it.
fn check_record(scope: &Scope, exchange: &Exchange, record: &Record) -> Result<(), model::Error> {
    let meta = record.meta();
    if is_destroyed(record) {
        return Ok(());
    }
    if !scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref()) {
        return Err(model::Error::Forbidden);
    }
    if is_held(record) {
        return Err(model::Error::Held);
    }
    let is_others = disposed_by(record).is_some_and(|id| id != exchange.meta.id);
    let mut objects = exchange.objects.iter().filter(|object| object.id == meta.id);
    let waits = objects.any(|object| !exchange.is_disposed(object));
    if is_others || waits || !is_at_rest(record) || meta.created_at > exchange.meta.created_at {
        return Err(model::Error::NotDisposed);
    }
    Ok(())
}

fn refusal_task(exchange: &Exchange, now: model::Timestamp) -> Task {
    let id = ids::new_id();
    Task {
        meta: Meta { id, root: id, version: 0, created_at: now, updated_at: now, ..exchange.meta.clone() },
        case_id: None,
        message_id: None,
        exchange_id: Some(exchange.meta.id),
        payment_id: None,
        title: "Vernichtung unterblieben".to_owned(),
        kind: TASK.to_owned(),
        requested_by: None,
        assignee: None,
        due: None,
        status: TaskStatus::Open,
        result: None,
    }
}
