//! What a webhook carries: Standard Webhooks 1.0.0, sections "Payload structure" and "Webhook headers". The payload is
//! thin: it names what happened to what, and nothing of its content.

use model::event::Subject;
use model::{EventKind, Id, Timestamp, ids};
use seal::webhook::Secret;
use serde::Serialize;
use serde_json::json;
use store::SealedEvent;

use crate::Error;

/// Kind of a test. No event has it.
pub(super) const TEST: &str = "subscription.test";

/// What is sent to one subscription.
pub(super) struct Message {
    /// The same whenever the same event is sent to the same subscription, so that its receiver can tell it has it.
    pub(super) id: Id,
    /// Number of the event; absent: a test.
    pub(super) number: Option<u64>,
    /// Kind of the event, such as `record.created`.
    pub(super) kind: String,
    /// JSON.
    pub(super) body: Vec<u8>,
}

#[derive(Serialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: EventKind,
    timestamp: Timestamp,
    data: Data,
}

/// The event as the feed has it, without what changed, who did it, and further facts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    number: u64,
    id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<Id>,
}

impl Message {
    pub(super) fn of_event(sealed: SealedEvent, subscription: Id) -> Result<Self, Error> {
        let SealedEvent { number, event } = sealed;
        let payload = Payload {
            kind: event.kind,
            timestamp: event.at,
            data: Data {
                number,
                id: event.id,
                unit: event.unit,
                public_service: event.public_service,
                subject: event.subject,
                case_id: event.case_id,
                message_id: event.message_id,
            },
        };
        let kind = json!(event.kind).as_str().unwrap_or_default().to_owned();
        Ok(Message {
            id: ids::derived_id(event.id, &subscription.to_string()),
            number: Some(number),
            kind,
            body: serde_json::to_vec(&payload).map_err(|_| Error::Internal)?,
        })
    }

    pub(super) fn test(subscription: Id, now: Timestamp) -> Self {
        let payload = json!({ "type": TEST, "timestamp": now, "data": { "subscription": subscription } });
        Message {
            id: ids::new_id(),
            number: None,
            kind: TEST.to_owned(),
            body: payload.to_string().into_bytes(),
        }
    }

    /// The header fields, signed with every secret.
    pub(super) fn headers(&self, now: Timestamp, secrets: &[Secret]) -> Result<Vec<(String, String)>, Error> {
        let (id, seconds) = (self.id.to_string(), now.micros().div_euclid(1_000_000));
        let signatures: Vec<String> =
            secrets.iter().map(|secret| secret.sign(&id, seconds, &self.body)).collect::<Result<_, _>>()?;
        let fields = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        Ok(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }
}
