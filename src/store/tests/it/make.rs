//! Builders of rows for tests.

use model::case::Reference;
use model::event::{Actor, Subject};
use model::message::{Direction, Door};
use model::{Authority, Event, EventKind, Id, Message, MessageState, Record, RecordKind, Timestamp, ids};
use serde_json::json;
use store::{InboxEntry, InboxState, NewJob};

pub(crate) const TENANT: &str = "soest";

pub(crate) fn authority() -> Authority {
    "bab:05974000".parse().unwrap()
}

/// A message of tenant `soest`, unit `63`, service `baugenehmigung`.
pub(crate) fn message() -> Message {
    let id = ids::new_id();
    Message {
        id,
        tenant: TENANT.into(),
        authority: authority(),
        unit: "63".into(),
        public_service: Some("baugenehmigung".into()),
        direction: Direction::In,
        door: Door::Rest,
        partner: "bab:05978000".into(),
        identity: None,
        dedup_key: id.to_string(),
        payload: None,
        file_name: None,
        test: false,
        state: MessageState::Accepted,
        received_at: Timestamp::from_micros(1_000),
        updated_at: Timestamp::from_micros(1_000),
        report: None,
        related: None,
        exchange: None,
        forwarding: None,
    }
}

/// The first version of a case of the same tenant, unit and service.
pub(crate) fn case(title: &str) -> Record {
    let mut record = model::testkit::a_case(title);
    record.meta_mut().version = 1;
    record
}

pub(crate) fn with_alias(mut record: Record, kind: &str, value: &str) -> Record {
    if let Record::Case(case) = &mut record {
        case.description.references.push(Reference { kind: kind.into(), value: value.into() });
    }
    record
}

/// The next version, with another title.
pub(crate) fn changed(record: &Record, title: &str) -> Record {
    let mut record = record.clone();
    record.meta_mut().version += 1;
    if let Record::Case(case) = &mut record {
        case.description.title = title.into();
    }
    record
}

/// An event of the same tenant, unit and service, about a case.
pub(crate) fn event(case_id: Option<Id>) -> Event {
    Event {
        id: ids::new_id(),
        tenant: TENANT.into(),
        unit: Some("63".into()),
        public_service: Some("baugenehmigung".into()),
        at: Timestamp::from_micros(1_000),
        kind: EventKind::RecordCreated,
        actor: Actor::gateway(),
        subject: case_id.map(|id| Subject { kind: RecordKind::Case, id }),
        case_id,
        message_id: None,
        changes: Some(json!({ "title": "Neubau" })),
        payloads: vec![],
        detail: None,
    }
}

/// A job of tenant `soest`, due since 1970.
pub(crate) fn job(lane: &str, fifo_key: Option<&str>) -> NewJob {
    NewJob {
        id: ids::new_id(),
        tenant: TENANT.into(),
        lane: lane.into(),
        kind: "deliver".into(),
        subject: ids::new_id(),
        detail: json!({ "n": 1 }),
        next_at: Timestamp::default(),
        fifo_key: fifo_key.map(str::to_owned),
    }
}

pub(crate) fn entry() -> InboxEntry {
    InboxEntry {
        id: ids::new_id(),
        tenant: TENANT.into(),
        authority: authority(),
        unit: "63".into(),
        public_service: Some("baugenehmigung".into()),
        message_id: ids::new_id(),
        state: InboxState::Available,
        lease_until: None,
        holder: None,
        created_at: Timestamp::from_micros(1_000),
    }
}
