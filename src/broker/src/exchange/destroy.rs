//! Destroying what was disposed of (Vernichtung, Löschung): only after offer, appraisal and, for what went to the archive, its
//! confirmed import; never what is barred (Löschsperre) or was not offered. Records lose their content, payloads their keys,
//! events what they say; digests, and an event for each record, stay as proof.

use std::collections::BTreeSet;

use model::case::Disposition;
use model::command::Change;
use model::event::Subject;
use model::exchange::{Exchange, ExchangeKind, ExchangeObject, Side};
use model::process::{Part, message_type};
use model::rights::Action;
use model::{Actor, Caller, Event, Id, Record, RecordKind, Scope, ids};
use seal::bundle::{Content, EventRecord};
use serde_json::json;
use store::{Job, NewJob, Work};

use super::exchange;
use crate::evidence::PAGE;
use crate::{Broker, Error, Once};

/// Kind of the job.
pub(crate) const JOB: &str = "destroy";

/// Records that lose their content together.
const SLICE: usize = 100;

impl Broker {
    /// Has what an exchange disposed of destroyed: the objects named by their UUIDs, or all that may be. A job does it. Where a second
    /// one has to agree, the first call only asks.
    ///
    /// # Errors
    /// `NotDisposed`, `Held` or `SecondPerson`.
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
            self.check_tree(&before, object).await?;
        }
        let mut work = Work::new();
        let by = &caller.actor.id;
        let opening = before.messages.first().map(|message| message.id);
        if self.parts.rules.four_eyes {
            match &before.destruction_asked_by {
                None => {
                    let change = Change::AskDestruction(by.clone());
                    let after = self.apply(&mut work, &current, change, &caller.actor, opening)?;
                    return self.commit_answer(caller, once, work, id, exchange(after)?).await;
                }
                Some(first) if first == by => return Err(model::Error::SecondPerson.into()),
                Some(_) => {}
            }
        }
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: before.meta.tenant.clone(),
            lane: JOB.to_owned(),
            kind: JOB.to_owned(),
            subject: id,
            detail: json!({ "objects": going.iter().map(|it| it.object_id).collect::<Vec<_>>(), "by": caller.actor }),
            next_at: self.now(),
            fifo_key: Some(format!("destroy:{id}")),
        });
        self.commit_answer(caller, once, work, id, before).await
    }

    /// Nothing in the tree is barred, and nothing in it is younger than the offer.
    async fn check_tree(&self, exchange: &Exchange, object: &ExchangeObject) -> Result<(), Error> {
        let whole = Scope::tenant(&exchange.meta.tenant);
        let top = self.owned_any(&whole, object.id).await?;
        let is_held = |record: &Record| record.description().is_some_and(|it| it.hold.is_some());
        if self.above(&top).await?.iter().any(is_held) {
            return Err(model::Error::Held.into());
        }
        for id in self.tree(&whole, object.id).await? {
            let record = self.owned_any(&whole, id).await?;
            if is_held(&record) {
                return Err(model::Error::Held.into());
            }
            if record.meta().created_at > exchange.meta.created_at {
                return Err(model::Error::NotDisposed.into());
            }
        }
        Ok(())
    }

    /// A record and everything in it, outermost first.
    async fn tree(&self, scope: &Scope, top: Id) -> Result<Vec<Id>, Error> {
        let mut tree = vec![top];
        let mut next = 0;
        while let Some(id) = tree.get(next).copied() {
            let children = self.store().children(scope, id).await?;
            tree.extend(children.into_iter().map(|(_, id)| id));
            next += 1;
        }
        Ok(tree)
    }

    /// Destroys the objects of a job. Doing it again after an interruption goes on where it stopped.
    pub(crate) async fn destroy_next(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let by: Actor = serde_json::from_value(job.detail["by"].clone()).map_err(|_| Error::Internal)?;
        let named: Vec<Id> =
            serde_json::from_value(job.detail["objects"].clone()).map_err(|_| Error::Internal)?;
        for uuid in named {
            let current = exchange(self.owned(&scope, RecordKind::Exchange, job.subject).await?)?;
            let Ok(going) = going(&current, &[uuid]) else { continue };
            for object in going {
                self.check_tree(&current, object).await?;
                self.destroy_object(job, &current, object, &by).await?;
            }
        }
        self.finish(job, Work::new()).await
    }

    async fn destroy_object(
        &self,
        job: &Job,
        current: &Exchange,
        object: &ExchangeObject,
        by: &Actor,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let tree = self.tree(&scope, object.id).await?;
        // The outermost last: what was interrupted is still found from there.
        let inner_first: Vec<Id> = tree.iter().rev().copied().collect();
        for slice in inner_first.chunks(SLICE) {
            self.destroy_slice(job, &scope, slice, by).await?;
        }
        self.silence(job, object.root, &tree.into_iter().collect()).await?;
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        let opening = current.messages.first().map(|message| message.id);
        let record = Record::Exchange(current.clone());
        let change = Change::ObjectDestroyed(object.object_id);
        let after = exchange(self.apply(&mut work, &record, change, by, opening)?)?;
        let gone = self.erase_messages(&mut work, &after).await?;
        self.store().commit(work).await?;
        for payload in gone {
            self.store().remove_erased(payload).await?;
        }
        Ok(())
    }

    async fn destroy_slice(&self, job: &Job, scope: &Scope, slice: &[Id], by: &Actor) -> Result<(), Error> {
        let mut work = Work::new();
        work.hold_job(job.id, job.epoch);
        let mut gone = vec![];
        for id in slice {
            let record = self.owned_any(scope, *id).await?;
            if record.status() == "destroyed" {
                continue;
            }
            if let Record::Document(document) = &record {
                let files = document.versions.iter().flat_map(|version| &version.files);
                gone.extend(files.filter_map(|file| Some(file.content.as_ref()?.id)));
            }
            self.apply(&mut work, &record, Change::Destroy, by, None)?;
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
    let may = |object: &ExchangeObject| object.destroyed_at.is_none() && is_disposed(exchange, object);
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

/// Whether it was offered, appraised, and taken by the archive if it went there; and so was everything below it.
fn is_disposed(exchange: &Exchange, object: &ExchangeObject) -> bool {
    if exchange.side != Side::Sender || exchange.kind != ExchangeKind::Disposition {
        return false;
    }
    let is_taken = |uuid: Id| exchange.objects.iter().any(|it| it.object_id == uuid && it.is_imported());
    let is_over = |uuid: Id, disposition: Option<Disposition>| match disposition {
        Some(Disposition::Archive) => is_taken(uuid),
        Some(Disposition::Destroy) => true,
        _ => false,
    };
    let own = object.appraisal.as_ref().and_then(|appraisal| appraisal.disposition);
    let below = exchange.exceptions.iter().filter(|it| it.root == object.root);
    is_over(object.object_id, own)
        && below.into_iter().all(|it| is_over(it.object_id, it.appraisal.disposition))
}
