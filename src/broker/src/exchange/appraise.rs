//! Appraisals (Bewertung): those that come are applied to the records; an archive of ours gives its own; what was appraised for the
//! archive is transferred, exactly that.

use std::collections::BTreeMap;

use model::case::Disposition;
use model::command::Change;
use model::exchange::{
    Appraisal, AppraisedObject, Exchange, ExchangeKind, ExchangeObject, ExchangeStatus, Side,
};
use model::process::{Next, Part};
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Scope};
use store::{Page, RecordFilter, Work};

use super::disposal::is_in;
use super::reply::{CONTRADICTION, Effects, MOST_NAMED, TOO_MANY_NAMED, UNKNOWN_OBJECT};
use super::{exchange, object_id};
use crate::{Broker, Error, Once};

/// Records under one UUID that are looked at.
const MOST_OF_ONE_ID: u32 = 50;

/// A record of an exchange, with what it lies in.
pub(super) struct Place {
    pub(super) record: Record,
    /// What it lies in, innermost first.
    pub(super) above: Vec<Id>,
    /// Whether the exchange still has a say in it: what a disposition of ours was done with, and somebody took out, is not changed.
    pub(super) is_ours: bool,
}

impl Broker {
    /// The record that a message means by a UUID: an object of the exchange, or one below it.
    pub(super) async fn record_in(&self, exchange: &Exchange, uuid: Id) -> Result<Option<Place>, Error> {
        let whole = Scope::tenant(&exchange.meta.tenant);
        let known = exchange.objects.iter().find(|object| object.object_id == uuid);
        let by_id = self.store().record_any(&whole, known.map_or(uuid, |object| object.id)).await?;
        let mut found: Vec<Record> = by_id.into_iter().collect();
        for kind in [RecordKind::CaseFile, RecordKind::Case, RecordKind::Document] {
            if known.is_some() {
                break;
            }
            let reference = Some(("xdomea".to_owned(), uuid.to_string()));
            let filter = RecordFilter { reference, ..RecordFilter::of(kind) };
            let page = Page { after: None, limit: MOST_OF_ONE_ID };
            found.extend(self.store().records(&whole, &filter, &page).await?.items);
        }
        for record in found.into_iter().filter(|record| object_id(record) == uuid) {
            let around = self.above(&record).await?;
            let above: Vec<Id> = around.iter().map(|above| above.meta().id).collect();
            let own = record.meta().id;
            let lies_in = |object: &ExchangeObject| object.id == own || above.contains(&object.id);
            if exchange.objects.iter().any(lies_in) {
                let disposes = exchange.kind == ExchangeKind::Disposition && exchange.side == Side::Sender;
                let is_ours = !disposes || is_in(exchange, &record, &around);
                return Ok(Some(Place { record, above, is_ours }));
            }
        }
        Ok(None)
    }

    /// What appraisals change: of objects, of records below them where they differ from what those lie in, and the records' own
    /// metadata; or the rule by which they do not fit.
    pub(super) async fn appraisal_effects(
        &self,
        before: &Exchange,
        all: Vec<(Id, Appraisal)>,
    ) -> Result<Result<Effects, &'static str>, Error> {
        if before.kind == ExchangeKind::Catalogue {
            return Ok(plan_effects(before, &all));
        }
        if all.len() > MOST_NAMED {
            return Ok(Err(TOO_MANY_NAMED));
        }
        let mut places: BTreeMap<Id, (Id, Place, Appraisal)> = BTreeMap::new();
        for (uuid, appraisal) in all {
            let Some(place) = self.record_in(before, uuid).await? else { return Ok(Err(UNKNOWN_OBJECT)) };
            let id = place.record.meta().id;
            let is_other = places.get(&id).is_some_and(|(.., known)| *known != appraisal);
            if is_other || comes_too_late(before, &place, &appraisal) {
                return Ok(Err(CONTRADICTION));
            }
            places.insert(id, (uuid, place, appraisal));
        }
        let mut effects = Effects::default();
        let mut roots = vec![];
        // Which of the records below differ from what they lie in may be another by each appraisal.
        let mut below: BTreeMap<Id, (Vec<Id>, AppraisedObject)> = BTreeMap::new();
        for it in &before.exceptions {
            if let Some(place) = self.record_in(before, it.object_id).await? {
                below.insert(it.id, (place.above, it.clone()));
            }
        }
        for (id, (uuid, place, appraisal)) in &places {
            if before.objects.iter().any(|object| object.object_id == *uuid) {
                roots.push((*uuid, appraisal.clone()));
            }
            let is_below = before.objects.iter().all(|object| object.id != *id) || below.contains_key(id);
            if is_below {
                below.insert(*id, (place.above.clone(), exception(before, *uuid, place, appraisal)));
            }
            if let Some(disposition) = appraisal.disposition
                && place.is_ours
            {
                effects.records.push((place.record.clone(), Change::Appraise(disposition)));
            }
        }
        if below.len() > MOST_NAMED {
            return Ok(Err(TOO_MANY_NAMED));
        }
        let exceptions = that_differ(before, &roots, &below);
        effects.exchange.push(Change::Appraisals(roots, exceptions));
        Ok(Ok(effects))
    }

    /// Records what an archive of ours decides of offered objects or units of a plan, by their UUIDs. Once everything that was
    /// offered is appraised the other side is told.
    ///
    /// # Errors
    /// `WrongState` if nothing was offered, or it is appraised; `NotFound` if an object is not part of it.
    pub async fn appraise(
        &self,
        caller: &Caller,
        id: Id,
        appraisals: Vec<(Id, Appraisal)>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Appraise)?;
        let appraisals = &appraisals;
        self.once(caller, once, move || self.try_appraise(caller, scope, id, appraisals, once)).await
    }

    async fn try_appraise(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        appraisals: &[(Id, Appraisal)],
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        let fits = before.next(Part::Appraisal) == Ok(Next::To(ExchangeStatus::Appraised));
        if before.side != Side::Receiver || before.status != ExchangeStatus::Received || !fits {
            return Err(model::Error::WrongState { state: "not-offered" }.into());
        }
        // Only a plan is appraised "B": of an object that is offered the archive has to say what becomes of it.
        let decides = |appraisal: &Appraisal| appraisal.disposition != Some(Disposition::Appraise);
        if before.kind != ExchangeKind::Catalogue && !appraisals.iter().all(|(_, it)| decides(it)) {
            return Err(model::Error::Invalid { field: "disposition" }.into());
        }
        let effects = self.appraisal_effects(&before, appraisals.to_vec()).await?;
        let effects = effects.map_err(|rule| match rule {
            UNKNOWN_OBJECT => model::Error::NotFound { kind: "object" },
            _ => model::Error::Invalid { field: "appraisals" },
        })?;
        let mut work = Work::new();
        let opening = before.last_of(Part::Opening, Part::Opening);
        let mut record = current;
        for change in effects.exchange {
            record = self.apply(&mut work, &record, change, &caller.actor, opening)?;
        }
        for (of, change) in effects.records {
            self.apply(&mut work, &of, change, &caller.actor, opening)?;
        }
        let mut after = exchange(record)?;
        if is_complete(&after) {
            let status = ExchangeStatus::Appraised;
            after = self.prepare_part(&mut work, &after, Part::Appraisal, status, opening)?;
        }
        self.end_reminders(&mut work, &before, &after).await?;
        self.commit_answer(caller, once, work, id, after).await
    }

    /// Sends the archive what it was offered and has appraised for itself, and nothing else. For a plan: reports that its
    /// appraisal was taken over.
    ///
    /// # Errors
    /// `WrongState` if it has not appraised, nothing goes to it, something was worked on since, or the transfer has begun.
    pub async fn transfer(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<Exchange, Error> {
        let scope = caller.may(Action::Exchange)?;
        self.once(caller, once, move || self.try_transfer(caller, scope, id, once)).await
    }

    async fn try_transfer(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        let wrong = |state| Error::from(model::Error::WrongState { state });
        if before.side != Side::Sender || before.status != ExchangeStatus::Appraised {
            return Err(wrong("not-appraised"));
        }
        let mut work = Work::new();
        if before.kind == ExchangeKind::Catalogue {
            let appraisal = before.last_of(Part::Appraisal, Part::Appraisal);
            let status = ExchangeStatus::Confirmed;
            let after = self.prepare_part(&mut work, &before, Part::Outcome, status, appraisal)?;
            self.end_reminders(&mut work, &before, &after).await?;
            return self.commit_answer(caller, once, work, id, after).await;
        }
        let objects = with_exceptions(&before);
        if !objects.iter().any(|object| object.is_appraised(Disposition::Archive)) {
            return Err(wrong("nothing-to-transfer"));
        }
        let goes = objects.iter().filter(|object| object.is_appraised(Disposition::Archive));
        for object in goes {
            let record = self.owned_any(&Scope::tenant(&scope.tenant), object.id).await?;
            if !is_in(&before, &record, &self.above(&record).await?) {
                return Err(wrong("changed-since-offer"));
            }
        }
        let message = before.last_of(Part::Appraisal, Part::Appraisal);
        let change = Change::ExchangeObjects(objects);
        let after = exchange(self.apply(&mut work, &current, change, &caller.actor, message)?)?;
        let after =
            self.prepare_part(&mut work, &after, Part::Transfer, ExchangeStatus::Transferring, None)?;
        self.end_reminders(&mut work, &before, &after).await?;
        self.commit_answer(caller, once, work, id, after).await
    }
}

/// Of the records below the objects those that are appraised otherwise than what they lie in.
fn that_differ(
    before: &Exchange,
    roots: &[(Id, Appraisal)],
    below: &BTreeMap<Id, (Vec<Id>, AppraisedObject)>,
) -> Vec<AppraisedObject> {
    let known = |id: &Id| {
        let root = || {
            let object = before.objects.iter().find(|object| object.id == *id)?;
            let new = roots.iter().find(|(uuid, _)| *uuid == object.object_id).map(|(_, new)| new);
            new.or(object.appraisal.as_ref())
        };
        below.get(id).map(|(_, it)| &it.appraisal).or_else(root)
    };
    let differs =
        |(above, it): &&(Vec<Id>, AppraisedObject)| above.iter().find_map(known) != Some(&it.appraisal);
    below.values().filter(differs).map(|(_, it)| it.clone()).collect()
}

/// Whether an appraisal says what is to become of a record that a disposition was done with, and says so for the first time.
fn comes_too_late(before: &Exchange, place: &Place, appraisal: &Appraisal) -> bool {
    let decides = matches!(appraisal.disposition, Some(Disposition::Archive | Disposition::Destroy));
    if place.is_ours || !decides {
        return false;
    }
    let known = |id: &Id| {
        let exception = before.exceptions.iter().find(|it| it.id == *id).map(|it| &it.appraisal);
        let object = before.objects.iter().find(|object| object.id == *id);
        exception.or_else(|| object.and_then(|object| object.appraisal.as_ref()))
    };
    let own = place.record.meta().id;
    std::iter::once(&own).chain(&place.above).find_map(known) != Some(appraisal)
}

fn exception(before: &Exchange, uuid: Id, place: &Place, appraisal: &Appraisal) -> AppraisedObject {
    let meta = place.record.meta();
    let is_object = |id: &&Id| before.objects.iter().any(|object| object.id == **id);
    AppraisedObject {
        kind: place.record.kind(),
        id: meta.id,
        root: meta.root,
        within: place.above.iter().rfind(is_object).copied(),
        object_id: uuid,
        appraisal: appraisal.clone(),
    }
}

/// The objects, with those below them that go to the archive though what they lie in does not.
fn with_exceptions(before: &Exchange) -> Vec<ExchangeObject> {
    let mut objects = before.objects.clone();
    for it in &before.exceptions {
        let goes = it.appraisal.disposition == Some(Disposition::Archive);
        if goes && objects.iter().all(|object| object.object_id != it.object_id) {
            objects.push(ExchangeObject {
                appraisal: Some(it.appraisal.clone()),
                ..ExchangeObject::new(it.kind, it.id, it.root, it.object_id)
            });
        }
    }
    objects
}

fn plan_effects(before: &Exchange, all: &[(Id, Appraisal)]) -> Result<Effects, &'static str> {
    let mut plan = before.file_plan.clone().ok_or(UNKNOWN_OBJECT)?;
    for (id, appraisal) in all {
        if !plan.appraise(*id, appraisal) {
            return Err(UNKNOWN_OBJECT);
        }
    }
    Ok(Effects { exchange: vec![Change::FilePlan(plan)], records: vec![] })
}

/// Whether everything that was offered has come and is appraised. What is said of a plan is said at once.
fn is_complete(exchange: &Exchange) -> bool {
    exchange.is_whole(Part::Opening) && exchange.objects.iter().all(|object| object.appraisal.is_some())
}
