//! The job that destroys what was disposed of (Vernichtung): some objects at a time, each in slices of records. What it does to them is
//! said once for all of them on the exchange, before the first record goes and after the last.

use std::collections::{BTreeMap, BTreeSet};

use model::activity::Task;
use model::command::Change;
use model::exchange::{Exchange, ExchangeKind, ExchangeMessage, ExchangeObject, Side};
use model::message::Direction;
use model::process::{Part, message_type};
use model::record::Meta;
use model::{Actor, Failure, Id, MessageState, Record, RecordKind, Scope, ids};
use store::{Job, Page, RecordFilter, Work};

use super::beside::lies_in_trees;
use super::destroy::{check_place, check_record, going, is_destroyed};
use super::exchange;
use crate::citizen::end_apps;
use crate::evidence::PAGE;
use crate::{Broker, Error};

/// Kind of the task if something stays.
const TASK: &str = "destruction-refused";

/// Objects of an exchange that are done together.
const TOGETHER: usize = 100;

/// Records that lose their content together; events that are erased together.
const SLICE: usize = 100;

/// What became of some objects, by their UUIDs.
#[derive(Default)]
struct Outcome {
    destroyed: Vec<Id>,
    /// Roots of the trees that these lie in.
    roots: BTreeSet<Id>,
    /// Those that stay, by the code of the reason.
    stay: BTreeMap<&'static str, Vec<Id>>,
}

impl Broker {
    /// Destroys the objects of a job. Doing it again after an interruption goes on where it stopped. What speaks against one of them
    /// is told on the exchange and does not keep the others.
    pub(crate) async fn destroy_next(&self, job: &Job) -> Result<(), Error> {
        let by: Actor = serde_json::from_value(job.detail["by"].clone()).map_err(|_| Error::Internal)?;
        for some in objects_of(job)?.chunks(TOGETHER) {
            self.destroy_some(job, some, &by).await?;
        }
        self.finish(job, Work::new()).await
    }

    async fn destroy_some(&self, job: &Job, named: &[Id], by: &Actor) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let current = exchange(self.owned(&scope, RecordKind::Exchange, job.subject).await?)?;
        let (mut outcome, mut go) = (Outcome::default(), vec![]);
        let is_it =
            |object: &&ExchangeObject| object.destroyed_at.is_none() && named.contains(&object.object_id);
        let objects: Vec<ExchangeObject> = current.objects.iter().filter(is_it).cloned().collect();
        let was =
            |object: &&ExchangeObject| object.destroyed_at.is_some() && named.contains(&object.object_id);
        outcome.roots.extend(current.objects.iter().filter(was).map(|object| object.root));
        for object in &objects {
            match self.check_object(&scope, &current, object).await {
                Ok(()) => go.push(object.object_id),
                Err(Error::Model(reason)) => outcome.stays(object, &reason),
                Err(error) => return Err(error),
            }
        }
        let current = self.note_begun(job, current, &go, by).await?;
        for object in objects.iter().filter(|object| go.contains(&object.object_id)) {
            match self.destroy_object(job, &current, object, by).await {
                Ok(()) => outcome.goes(object),
                Err(Error::Model(reason)) => outcome.stays(object, &reason),
                Err(error) => return Err(error),
            }
        }
        self.seal_now(&job.tenant).await?;
        // Also of those that stay something may be gone.
        for object in objects.iter().filter(|object| object.is_fixed() || go.contains(&object.object_id)) {
            self.silence(job, object.id).await?;
        }
        self.note_outcome(job, &outcome, by).await?;
        self.erase_carriers(job, &outcome.roots).await
    }

    async fn check_object(
        &self,
        scope: &Scope,
        exchange: &Exchange,
        object: &ExchangeObject,
    ) -> Result<(), Error> {
        going(exchange, &[object.object_id])?;
        self.check_tree(scope, exchange, object).await
    }

    /// From now on something of these objects may be gone: no other appraisal of them is taken.
    async fn note_begun(
        &self,
        job: &Job,
        current: Exchange,
        go: &[Id],
        by: &Actor,
    ) -> Result<Exchange, Error> {
        let is_new =
            |object: &&ExchangeObject| object.destruction_begun.is_none() && go.contains(&object.object_id);
        let new: Vec<Id> = current.objects.iter().filter(is_new).map(|object| object.object_id).collect();
        if new.is_empty() {
            return Ok(current);
        }
        let opening = current.messages.first().map(|message| message.id);
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        let change = Change::BeginDestruction(new);
        let after = self.apply(&mut work, &Record::Exchange(current), change, by, opening)?;
        self.store().commit(work).await?;
        exchange(after)
    }

    /// Destroys the records of an object.
    async fn destroy_object(
        &self,
        job: &Job,
        current: &Exchange,
        object: &ExchangeObject,
        by: &Actor,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        // The outermost last: what was interrupted is still found from there.
        let tree: Vec<Id> = self.tree(&scope, object.id).await?.into_iter().rev().collect();
        let mut inner_first = vec![];
        for id in &tree {
            inner_first.extend(self.beside_inner_first(&scope, *id).await?);
            inner_first.push(*id);
        }
        for slice in inner_first.chunks(SLICE) {
            self.destroy_slice(job, current, slice, by).await?;
        }
        // Nothing comes beside what is destroyed, but something may have come before.
        let mut late = vec![];
        for id in &tree {
            late.extend(self.beside_inner_first(&scope, *id).await?);
        }
        for slice in late.chunks(SLICE) {
            self.destroy_slice(job, current, slice, by).await?;
        }
        Ok(())
    }

    async fn beside_inner_first(&self, scope: &Scope, id: Id) -> Result<Vec<Id>, Error> {
        Ok(self.belongings(scope, id).await?.iter().rev().map(|record| record.meta().id).collect())
    }

    /// Destroys some records of an object. What spoke for it may have changed since: all is looked at anew, and must not change until
    /// the commit.
    async fn destroy_slice(
        &self,
        job: &Job,
        current: &Exchange,
        slice: &[Id],
        by: &Actor,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut around = BTreeMap::from([(current.meta.id, current.meta.version)]);
        let (mut work, mut gone) = (Work::new(), vec![]);
        work.hold_job(job.id, job.epoch);
        for id in slice {
            let record = self.owned_any(&scope, *id).await?;
            if is_destroyed(&record) {
                continue;
            }
            let above = self.above(&record).await?;
            around.extend(above.iter().map(|above| (above.meta().id, above.meta().version)));
            work.forget_answers(&scope.tenant, *id);
            work.forget_parked(&scope.tenant, *id);
            if !lies_in_trees(record.kind()) {
                self.empty_beside(&mut work, (&record, &above), (current, by)).await?;
                continue;
            }
            check_place(current, &record, &above)?;
            check_record(&scope, current, &record)?;
            if let Record::Document(document) = &record {
                let files = document.versions.iter().flat_map(|version| &version.files);
                let payload = |id| (scope.tenant.clone(), id);
                gone.extend(files.filter_map(|file| Some(payload(file.content.as_ref()?.id))));
            }
            self.apply(&mut work, &record, Change::Destroy, by, None)?;
            if record.kind() == RecordKind::Case {
                end_apps(&mut work, &scope.tenant, *id);
            }
        }
        for (id, version) in around.iter().filter(|(id, _)| !slice.contains(id)) {
            work.require_version(&scope.tenant, *id, *version);
        }
        self.commit_erasing(work, gone).await
    }

    /// Commits `work` together with the end of payloads.
    async fn commit_erasing(&self, mut work: Work, gone: Vec<(String, Id)>) -> Result<(), Error> {
        for (tenant, payload) in &gone {
            work.erase_payload(tenant, *payload);
        }
        self.store().commit(work).await?;
        for (_, payload) in gone {
            self.store().remove_erased(payload).await?;
        }
        Ok(())
    }

    /// What became of some objects: on the exchange, by events and, if something stays, a task.
    async fn note_outcome(&self, job: &Job, outcome: &Outcome, by: &Actor) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut record = self.owned(&scope, RecordKind::Exchange, job.subject).await?;
        let opening = exchange(record.clone())?.messages.first().map(|message| message.id);
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        if !outcome.destroyed.is_empty() {
            let change = Change::ObjectsDestroyed(outcome.destroyed.clone());
            record = self.apply(&mut work, &record, change, by, opening)?;
        }
        for (code, some) in &outcome.stay {
            record = self.note_staying(&mut work, record, some, code)?;
        }
        if !outcome.stay.is_empty() {
            self.note_task(&mut work, &record).await?;
        }
        let gone = self.own_messages(&exchange(record)?).await?;
        self.commit_erasing(work, gone).await
    }

    /// Rows of the end of a job that is not tried again.
    pub(crate) async fn end_destruction(
        &self,
        work: &mut Work,
        job: &Job,
        failure: &Failure,
    ) -> Result<(), Error> {
        let record = self.owned(&Scope::tenant(&job.tenant), RecordKind::Exchange, job.subject).await?;
        let record = self.note_staying(work, record, &objects_of(job)?, &failure.code)?;
        self.note_task(work, &record).await
    }

    /// That objects stay: on the exchange, with an event for each of their trees.
    fn note_staying(
        &self,
        work: &mut Work,
        record: Record,
        some: &[Id],
        code: &str,
    ) -> Result<Record, Error> {
        let before = exchange(record.clone())?;
        let opening = before.messages.first().map(|message| message.id);
        let is_there =
            |object: &&ExchangeObject| object.destroyed_at.is_none() && some.contains(&object.object_id);
        let there: Vec<Id> = before.objects.iter().filter(is_there).map(|object| object.object_id).collect();
        if there.is_empty() {
            return Ok(record);
        }
        let change = Change::RefuseDestruction(there, code.to_owned());
        self.apply(work, &record, change, &Actor::gateway(), opening)
    }

    /// A task on the desk of the exchange's unit, unless it lies there.
    async fn note_task(&self, work: &mut Work, record: &Record) -> Result<(), Error> {
        let of = exchange(record.clone())?;
        let scope = Scope::tenant(&of.meta.tenant);
        let filter = RecordFilter { parent: Some(of.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let tasks = self.store().records(&scope, &filter, &Page { after: None, limit: 200 }).await?;
        let lies_there = |record: &Record| matches!(record, Record::Task(task) if task.kind == TASK && task.status.is_open());
        if !tasks.items.iter().any(lies_there) {
            let task = Record::Task(refusal_task(&of, self.now()));
            let opening = of.messages.first().map_or(of.meta.id, |message| message.id);
            self.create(work, task, &Actor::gateway(), opening)?;
        }
        Ok(())
    }

    /// Takes from the evidence what events say of what is destroyed in an object; that there were events, and their digests, stay.
    async fn silence(&self, job: &Job, object: Id) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut erased = vec![];
        for id in self.tree(&scope, object).await? {
            let record = self.owned_any(&scope, id).await?;
            if !is_destroyed(&record) {
                continue;
            }
            for record in self.belongings(&scope, id).await?.iter().chain([&record]) {
                let story = self.story(record).await?;
                erased.extend(story.silenced.into_iter().filter(|_| story.is_told));
                if erased.len() >= SLICE {
                    self.erase_events(job, std::mem::take(&mut erased)).await?;
                }
            }
        }
        self.erase_events(job, erased).await
    }

    async fn erase_events(&self, job: &Job, events: Vec<Id>) -> Result<(), Error> {
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        for id in events {
            work.erase_event(&job.tenant, id);
        }
        Ok(self.store().commit(work).await?)
    }

    /// The payloads of the messages of an exchange that carried the records, once everything in them is destroyed.
    async fn own_messages(&self, after: &Exchange) -> Result<Vec<(String, Id)>, Error> {
        let scope = Scope::tenant(&after.meta.tenant);
        let all = after.objects.iter().all(|object| object.destroyed_at.is_some());
        let sent = after.sent_objects().all(|object| object.destroyed_at.is_some());
        let mut gone = vec![];
        for (part, is_over) in [(Part::Opening, all), (Part::Transfer, sent)] {
            let wanted = message_type(after.kind, part);
            let is_it = |found: &&ExchangeMessage| is_over && Some(found.message_type.as_str()) == wanted;
            for noted in after.messages.iter().filter(is_it) {
                let message = self.store().message(&scope, noted.id).await?;
                gone.extend(message.and_then(|message| Some((message.tenant, message.payload?.id))));
            }
        }
        Ok(gone)
    }

    /// Messages of other processes that carried records of these trees lose their bytes, too, once everything in them is destroyed.
    async fn erase_carriers(&self, job: &Job, roots: &BTreeSet<Id>) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        for root in roots {
            let mut after = None;
            loop {
                let some = self.store().messages_of_tree(&scope, *root, after, PAGE).await?;
                let Some(last) = some.last() else { break };
                after = Some(*last);
                let mut gone = vec![];
                for id in some {
                    gone.extend(self.emptied(&scope, id).await?);
                }
                let mut work = Work::new();
                work.hold_job(job.id, job.epoch);
                self.commit_erasing(work, gone).await?;
            }
        }
        Ok(())
    }

    /// The payload of a message that is done with, if it carried records and all of them are destroyed.
    async fn emptied(&self, scope: &Scope, id: Id) -> Result<Option<(String, Id)>, Error> {
        let Some(message) = self.store().message(scope, id).await? else { return Ok(None) };
        let is_over = matches!(
            message.state,
            MessageState::Delivered | MessageState::Confirmed | MessageState::Returned
        );
        let Some(payload) = message.payload.filter(|_| is_over) else { return Ok(None) };
        let is_empty = match (message.direction, message.exchange) {
            (Direction::In, _) => self.store().is_all_destroyed(scope, id).await?,
            (Direction::Out, Some(of)) => self.is_emptied(scope, id, of).await?,
            (Direction::Out, None) => false,
        };
        Ok(is_empty.then_some((message.tenant, payload.id)))
    }

    /// Whether a message of ours carried the objects of an exchange, none of which is left.
    async fn is_emptied(&self, scope: &Scope, message: Id, of: Id) -> Result<bool, Error> {
        let Some(record) = self.store().record(scope, RecordKind::Exchange, of).await? else {
            return Ok(false);
        };
        let exchange = exchange(record)?;
        let carries = |part| {
            let wanted = message_type(exchange.kind, part);
            let is_it = |noted: &&ExchangeMessage| noted.id == message;
            let noted = exchange.messages.iter().find(is_it);
            noted.is_some_and(|noted| Some(noted.message_type.as_str()) == wanted)
        };
        let opens = exchange.messages.first().is_some_and(|first| first.id == message);
        let is_disposition = exchange.kind == ExchangeKind::Disposition;
        let sends = exchange.side == Side::Sender || exchange.kind == ExchangeKind::Circulation;
        // Those of a disposition go with its own objects.
        if is_disposition || !sends || !(opens || carries(Part::Opening)) || exchange.objects.is_empty() {
            return Ok(false);
        }
        for object in &exchange.objects {
            if !self.store().record_any(scope, object.id).await?.is_none_or(|record| is_destroyed(&record)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Outcome {
    fn goes(&mut self, object: &ExchangeObject) {
        self.destroyed.push(object.object_id);
        self.roots.insert(object.root);
    }

    fn stays(&mut self, object: &ExchangeObject, reason: &model::Error) {
        self.stay.entry(reason.code()).or_default().push(object.object_id);
    }
}

fn objects_of(job: &Job) -> Result<Vec<Id>, Error> {
    serde_json::from_value(job.detail["objects"].clone()).map_err(|_| Error::Internal)
}

fn refusal_task(exchange: &Exchange, now: model::Timestamp) -> Task {
    let id = ids::new_id();
    Task {
        exchange_id: Some(exchange.meta.id),
        ..Task::new(
            Meta { id, root: id, version: 0, created_at: now, updated_at: now, ..exchange.meta.clone() },
            TASK,
            "Vernichtung unterblieben",
        )
    }
}
