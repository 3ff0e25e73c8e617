//! Destroying what was disposed of (Vernichtung, Löschung): only after offer, appraisal and, for what went to the archive, its
//! confirmed import; never what is barred (Löschsperre) or was not offered. Records lose their content, and so does whatever belongs to them
//! ([`beside`](super::beside)), payloads their keys, events what they say; digests, and an event for each record, stay as proof.

use model::command::Change;
use model::exchange::{DestructionAsked, Exchange, ExchangeObject};
use model::rights::Action;
use model::{Actor, Caller, Id, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{NewJob, Work};

use super::beside::check_settled;
use super::disposal::{disposed_by, is_at_rest, is_in};
use super::exchange;
use crate::{Broker, Error, Once};

/// Kind of the job.
pub(crate) const JOB: &str = "destroy";

/// What somebody wants to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destruction {
    /// The objects named by their UUIDs, or all that may be if none is.
    Of(Vec<Id>),
    /// What somebody else has asked for.
    Asked,
}

impl Broker {
    /// Has what an exchange disposed of destroyed: the objects named by their UUIDs, or all that may be. A job does it. Where a second
    /// one has to agree, the first call only asks; who then names something else asks anew.
    ///
    /// # Errors
    /// `NotDisposed`, `NotSettled`, `Held` or `SecondPerson`; `Forbidden` if something in an object is beyond the caller's scope.
    pub async fn destroy(
        &self,
        caller: &Caller,
        id: Id,
        objects: Vec<Id>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::DestroyRecords)?;
        let wanted = &Destruction::Of(objects);
        self.once(caller, once, move || self.try_destroy(caller, scope, (id, None), wanted, once)).await
    }

    /// The same from a page: of the exchange as the page showed it, known by its version. What asks there never agrees.
    ///
    /// # Errors
    /// As [`destroy`](Broker::destroy); `VersionConflict` if the exchange stands otherwise by now, `WrongState` if exactly that was asked for
    /// already.
    pub async fn destroy_shown(
        &self,
        caller: &Caller,
        (id, shown): (Id, u64),
        wanted: &Destruction,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::DestroyRecords)?;
        let act = move || self.try_destroy(caller, scope, (id, Some(shown)), wanted, once);
        self.once(caller, once, act).await
    }

    /// Whether what an exchange disposed of is being destroyed, or is about to be.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn is_destroying(&self, of: &Exchange) -> Result<bool, Error> {
        Ok(self.store().is_enqueued(&of.meta.tenant, &queue_of(of.meta.id)).await?)
    }

    async fn try_destroy(
        &self,
        caller: &Caller,
        scope: &Scope,
        (id, shown): (Id, Option<u64>),
        wanted: &Destruction,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        if shown.is_some_and(|shown| shown != before.meta.version) {
            return Err(model::Error::VersionConflict.into());
        }
        let going = going(&before, named(&before, wanted)?)?;
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
            if shown.is_some() && !asks && *wanted != Destruction::Asked {
                return Err(model::Error::WrongState { state: "destruction-asked" }.into());
            }
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
            fifo_key: Some(queue_of(id)),
        });
        self.commit_answer(caller, once, work, id, after).await
    }

    /// Nothing speaks against destroying an object with all that lies in it.
    pub(crate) async fn check_tree(
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
            let record = self.owned_any(&whole, id).await?;
            check_record(scope, exchange, &record)?;
            if !is_destroyed(&record) {
                self.belongings(&whole, id).await?.iter().try_for_each(check_settled)?;
            }
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
}

/// Destructions of one exchange wait for each other.
fn queue_of(exchange: Id) -> String {
    format!("destroy:{exchange}")
}

/// The objects that are wanted by name; none stands for all.
fn named<'a>(exchange: &'a Exchange, wanted: &'a Destruction) -> Result<&'a [Id], Error> {
    match (wanted, &exchange.destruction_asked) {
        (Destruction::Of(objects), _) => Ok(objects),
        (Destruction::Asked, Some(first)) => Ok(&first.objects),
        (Destruction::Asked, None) => Err(model::Error::VersionConflict.into()),
    }
}

/// The objects that are to be destroyed: all that may be, or those named, if every one of them may.
pub(super) fn going<'a>(exchange: &'a Exchange, named: &[Id]) -> Result<Vec<&'a ExchangeObject>, Error> {
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

pub(super) fn is_held(record: &Record) -> bool {
    record.description().is_some_and(|description| description.hold.is_some())
}

pub(super) fn is_destroyed(record: &Record) -> bool {
    record.status() == "destroyed"
}

/// What a record lies in is not barred, and it still is in the exchange.
pub(super) fn check_place(
    exchange: &Exchange,
    record: &Record,
    above: &[Record],
) -> Result<(), model::Error> {
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
pub(super) fn check_record(scope: &Scope, exchange: &Exchange, record: &Record) -> Result<(), model::Error> {
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
