//! How exchanges change: messages that went or came, what the other side said, deadlines.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Change;
use crate::exchange::{
    Appraisal, AppraisedObject, Exchange, ExchangeObject, ExchangeStatus, ImportResult, MOST_MESSAGES,
};
use crate::{Error, EventKind, Id, Timestamp};

pub(super) fn changed(exchange: &mut Exchange, change: &Change, now: Timestamp) -> Result<EventKind, Error> {
    match change {
        Change::ExchangeMessage(message, status) => {
            if exchange.messages.len() >= MOST_MESSAGES {
                return Err(Error::Invalid { field: "messages" });
            }
            exchange.messages.push(message.clone());
            exchange.status = *status;
            return Ok(exchange_event(*status));
        }
        Change::ExchangePartner(partner) => exchange.partner = partner.clone(),
        Change::ExchangeStatus(status) => {
            exchange.status = *status;
            return Ok(exchange_event(*status));
        }
        Change::ImportResults(results) => {
            record_results(exchange, results)?;
            return Ok(EventKind::ImportConfirmed);
        }
        Change::Appraisals(objects, exceptions) => {
            record_appraisals(exchange, objects, exceptions)?;
            return Ok(EventKind::ExchangeAppraised);
        }
        Change::ExchangeObjects(objects) => exchange.objects.clone_from(objects),
        Change::FilePlan(plan) => exchange.file_plan = Some(plan.clone()),
        Change::Route(route) => exchange.route = Some(route.clone()),
        Change::Remind(until) => {
            let waits = exchange.waits.as_mut().ok_or(Error::WrongState { state: "not-waiting" })?;
            waits.until = *until;
            waits.reminders = waits.reminders.saturating_add(1);
            return Ok(EventKind::ExchangeOverdue);
        }
        Change::AskDestruction(asked) => {
            exchange.destruction_asked = Some(asked.clone());
            return Ok(EventKind::DestructionAsked);
        }
        Change::AgreeDestruction => exchange.destruction_asked = None,
        Change::BeginDestruction(all) => each_of(exchange, all, |object| {
            object.destruction_begun.get_or_insert(now);
        })?,
        Change::RefuseDestruction(all, code) => {
            each_of(exchange, all, |object| object.not_destroyed = Some(code.clone()))?;
            return Ok(EventKind::DestructionRefused);
        }
        Change::ObjectsDestroyed(all) => each_of(exchange, all, |object| {
            (object.destroyed_at, object.not_destroyed) = (Some(now), None);
        })?,
        _ => return Err(Error::WrongState { state: "exchange" }),
    }
    Ok(EventKind::RecordChanged)
}

fn object_of(exchange: &mut Exchange, object_id: Id) -> Result<&mut ExchangeObject, Error> {
    let found = exchange.objects.iter_mut().find(|object| object.object_id == object_id);
    found.ok_or(Error::NotFound { kind: "object" })
}

/// Changes the objects that are named, all of which there must be.
fn each_of(exchange: &mut Exchange, named: &[Id], change: impl Fn(&mut ExchangeObject)) -> Result<(), Error> {
    let named: BTreeSet<&Id> = named.iter().collect();
    let mut found = 0;
    for object in exchange.objects.iter_mut().filter(|object| named.contains(&object.object_id)) {
        change(object);
        found += 1;
    }
    if found == named.len() { Ok(()) } else { Err(Error::NotFound { kind: "object" }) }
}

/// What is being destroyed, or was to be, keeps its appraisal: the archive's second word comes too late.
fn record_appraisals(
    exchange: &mut Exchange,
    objects: &[(Id, Appraisal)],
    exceptions: &[AppraisedObject],
) -> Result<(), Error> {
    let before = exchange.clone();
    for (object_id, appraisal) in objects {
        object_of(exchange, *object_id)?.appraisal = Some(appraisal.clone());
    }
    exchange.exceptions = exceptions.to_vec();
    let says = |of: &Exchange, object: &ExchangeObject| -> BTreeMap<Id, Appraisal> {
        of.exceptions_of(object).map(|it| (it.id, it.appraisal.clone())).collect()
    };
    let differs = |(then, now): (&ExchangeObject, &ExchangeObject)| {
        then.is_fixed() && (then.appraisal != now.appraisal || says(&before, then) != says(exchange, now))
    };
    if before.objects.iter().zip(&exchange.objects).any(differs) {
        return Err(Error::WrongState { state: "in-destruction" });
    }
    Ok(())
}

fn exchange_event(status: ExchangeStatus) -> EventKind {
    match status {
        ExchangeStatus::Received => EventKind::ExchangeReceived,
        _ => EventKind::RecordChanged,
    }
}

pub(super) fn record_results(exchange: &mut Exchange, results: &[(Id, ImportResult)]) -> Result<(), Error> {
    for (object_id, result) in results {
        let object = object_of(exchange, *object_id)?;
        match &object.result {
            // A confirmed import stays confirmed: the source may already have locked or deleted.
            Some(known) if known.successful && !result.successful => {
                return Err(Error::WrongState { state: "confirmed" });
            }
            _ => object.result = Some(result.clone()),
        }
    }
    exchange.status = exchange.status_by_results();
    Ok(())
}
