//! Events as the broker writes them.

use std::collections::BTreeSet;

use model::command::Change;
use model::event::Subject;
use model::exchange::ExchangeObject;
use model::{Actor, Decided, Event, EventKind, Failure, Id, Message, Record, Timestamp, ids};
use serde_json::{Value, json};

/// Member of an event's detail that holds what an operator noted.
pub(crate) const NOTE: &str = "note";

/// What happened to a record.
pub(crate) fn of_record(decided: &Decided, actor: &Actor, now: Timestamp, message: Option<Id>) -> Event {
    let record = &decided.record;
    let meta = record.meta();
    Event {
        id: ids::new_id(),
        tenant: meta.tenant.clone(),
        unit: Some(meta.unit.clone()),
        public_service: meta.public_service.clone(),
        at: now,
        kind: decided.event,
        actor: actor.clone(),
        subject: Some(Subject { kind: record.kind(), id: meta.id }),
        case_id: Some(meta.root),
        message_id: message,
        changes: Some(decided.changes.clone()),
        payloads: vec![],
        detail: None,
    }
}

/// What happened to an exchange: one event for each tree it moves, so that each one's evidence is
/// whole; of what concerns some objects alone, for each tree of theirs. The first carries the changes.
pub(crate) fn of_exchange(
    decided: &Decided,
    change: &Change,
    actor: &Actor,
    now: Timestamp,
    message: Id,
) -> Vec<Event> {
    let Record::Exchange(exchange) = &decided.record else { return vec![] };
    if exchange.objects.is_empty() {
        return vec![of_record(decided, actor, now, Some(message))];
    }
    let some: Option<BTreeSet<Id>> = concerned(change).map(|some| some.iter().copied().collect());
    let is_concerned =
        |object: &&ExchangeObject| some.as_ref().is_none_or(|some| some.contains(&object.object_id));
    let mut roots: Vec<Id> = exchange.objects.iter().filter(is_concerned).map(|object| object.root).collect();
    roots.sort_unstable();
    roots.dedup();
    let mut changes = Some(decided.changes.clone());
    let event = |root| {
        let first = of_record(decided, actor, now, Some(message));
        Event { case_id: Some(root), changes: changes.take(), ..first }
    };
    roots.into_iter().map(event).collect()
}

/// The objects that a change is about, by their UUIDs; all of them where it names none.
fn concerned(change: &Change) -> Option<&[Id]> {
    match change {
        Change::BeginDestruction(some)
        | Change::ObjectsDestroyed(some)
        | Change::RefuseDestruction(some, _) => Some(some),
        _ => None,
    }
}

/// What happened to a message.
pub(crate) fn of_message(kind: EventKind, message: &Message, actor: &Actor, now: Timestamp) -> Event {
    crate::figures::counters::note(kind, message, now);
    Event {
        id: ids::new_id(),
        tenant: message.tenant.clone(),
        unit: Some(message.unit.clone()),
        public_service: message.public_service.clone(),
        at: now,
        kind,
        actor: actor.clone(),
        subject: None,
        case_id: None,
        message_id: Some(message.id),
        changes: None,
        payloads: message.payload.clone().into_iter().collect(),
        detail: Some(message_facts(message)),
    }
}

/// The same event with what the operator noted about it: kept as part of the account, shown to those who see the
/// message in their own scope, never sent to the other side.
pub(crate) fn with_note(mut event: Event, note: Option<&str>) -> Event {
    if let (Some(note), Some(Value::Object(detail))) = (note, &mut event.detail) {
        detail.insert(NOTE.to_owned(), note.into());
    }
    event
}

/// Takes the operator's note out of what others are shown.
pub(crate) fn without_note(event: &mut Event) {
    if let Some(Value::Object(detail)) = &mut event.detail {
        detail.remove(NOTE);
    }
}

/// The same event with a further fact.
pub(crate) fn with_fact(mut event: Event, name: &str, fact: Value) -> Event {
    if let Some(Value::Object(detail)) = &mut event.detail {
        detail.insert(name.to_owned(), fact);
    }
    event
}

/// A delivery of a message was tried and failed. `attempt` counts from 1; `next` is when it is tried again.
pub(crate) fn of_attempt(
    message: &Message,
    failure: &Failure,
    attempt: u32,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Event {
    let mut event = of_message(EventKind::DeliveryFailed, message, &Actor::gateway(), now);
    if let Some(Value::Object(detail)) = &mut event.detail {
        let tried = json!({
            "number": attempt,
            "kind": failure.kind,
            "code": failure.code,
            "nextAt": next,
        });
        detail.insert("attempt".to_owned(), tried);
    }
    event
}

/// Type, state and the other side: what proves a message's way without its content.
fn message_facts(message: &Message) -> Value {
    let identity = message.identity.as_ref();
    let rules: Vec<&str> = message
        .report
        .iter()
        .flat_map(|report| &report.findings)
        .map(|f| f.rule.as_str())
        .take(100)
        .collect();
    json!({
        "state": message.state.name(),
        "direction": message.direction,
        "door": message.door,
        "partner": message.partner,
        "authority": message.authority,
        "standard": identity.map(|i| &i.standard),
        "type": identity.map(|i| &i.message_type),
        "processId": identity.and_then(|i| i.process_id),
        "rules": rules,
    })
}
