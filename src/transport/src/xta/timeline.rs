//! What is told (TransportReport) of a message that an authority of the house takes in itself, or that goes on to somebody
//! outside: made of its events, one for each hop.

use model::message::Direction;
use model::{Event, EventKind, Message, MessageState};
use serde_json::Value;
use xta::Result;
use xta::model::{MetaData, Record, Severity, Status};

use super::boxes::{info, returned, written};

/// Metadata with the moments of the way, status and records, the oldest first.
pub(super) fn told(
    mut meta: MetaData,
    message: &Message,
    events: &[Event],
) -> Result<(MetaData, Status, Vec<Record>)> {
    let mut records = Vec::new();
    let way = &mut meta.delivery;
    way.initial_send = written(message.received_at);
    let is_out = message.direction == Direction::Out;
    for event in events {
        let at = event.at;
        match event.kind {
            EventKind::MessageAccepted => records.push(info(at, "submission", "taken in")?),
            EventKind::MessageDelivered if is_out => {
                way.delivery = written(at);
                records.push(info(at, "relay", &sent_on(message, event))?);
            }
            EventKind::MessageDelivered if way.initial_fetch.is_none() => {
                way.initial_fetch = written(at);
                records.push(info(at, "fetch", "fetched by its reader")?);
            }
            EventKind::MessageProcessed => {
                way.delivery = written(at);
                records.push(info(at, "delivery", "laid into the mailbox of its reader")?);
            }
            EventKind::MessageParked => {
                let record = info(at, "clarification", "waits for a human")?;
                records.push(Record { severity: Severity::Warning, ..record });
            }
            EventKind::MessageConfirmed => {
                way.reception = written(at);
                records.push(info(at, "reception", "received by its reader")?);
            }
            EventKind::MessageReturned => records.push(returned(message)?),
            _ => {}
        }
    }
    let has_warnings = records.iter().any(|record| record.severity == Severity::Warning);
    let status = match message.state {
        MessageState::Confirmed if has_warnings => Status::Yellow,
        MessageState::Confirmed => Status::Green,
        MessageState::Returned => Status::Red,
        _ => Status::Open,
    };
    Ok((meta, status, records))
}

/// By which way, and what the other side calls the message there.
fn sent_on(message: &Message, event: &Event) -> String {
    let way = serde_json::to_value(message.door).unwrap_or_default();
    let way = way.as_str().unwrap_or_default();
    let reference = event.detail.as_ref().and_then(|detail| detail.get("receipt")?.get("reference"));
    match reference.and_then(Value::as_str) {
        Some(reference) => format!("sent on by {way}, there {reference}"),
        None => format!("sent on by {way}"),
    }
}
