//! What an answer means. Only its status and the members that are known are looked at; nothing of it gets into a log.
//!
//! | status | kind of failure |
//! |---|---|
//! | 401, 403 | unauthorised |
//! | 408, 425, 429, 503 | transient, with the pause that `Retry-After` asks for |
//! | other 5xx | uncertain: something went wrong in the middle of it |
//! | 422 | rejected: the content goes back to its sender |
//! | anything else | permanent |

use model::adapter::{Capability, Delivery, Interest, Link, Receipt};
use model::{Failure, FailureKind, Timestamp};
use net::Answer;
use serde::Deserialize;
use serde_json::Value;

use crate::act::{Act, command, is_told};

/// Longest reference that is kept, in bytes.
const REFERENCE: usize = 200;

/// Longest reference of a link, most bytes of what is remembered of one, and most links and acts of one receipt.
const LINK_REFERENCE: usize = 500;
const LINK_STATE: usize = 16 * 1024;
const MOST_LINKS: usize = 100;

/// What the other side says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    /// The channel that it serves.
    pub(crate) channel: String,
    /// What it offers.
    pub(crate) capabilities: Vec<Capability>,
    /// What it wants to be told.
    #[serde(default)]
    pub(crate) follows: Vec<Interest>,
    /// Whether it keeps the records.
    #[serde(default)]
    pub(crate) keeps_records: bool,
}

/// A receipt as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    reference: Option<String>,
    data: Value,
    #[serde(default)]
    confirmed: bool,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(default)]
    changes: Vec<Act>,
}

pub(crate) fn described(answer: &Answer) -> Result<Described, Failure> {
    let described: Described = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
    // Shown to operators as it stands.
    if model::ids::is_name(&described.channel) { Ok(described) } else { Err(garbage()) }
}

/// The receipt of a delivery. An answer that is none tells nothing of what became of the delivery; nor does one that speaks of records
/// which the delivery does not tell of.
pub(crate) fn receipt(answer: &Answer, delivery: &Delivery) -> Result<Receipt, Failure> {
    let told: Told = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
    let is_short = told.reference.as_ref().is_none_or(|reference| reference.len() <= REFERENCE);
    let is_object = told.data.is_object() || told.data.is_null();
    let many = told.links.len() > MOST_LINKS || told.changes.len() > MOST_LINKS;
    if !is_short || !is_object || many || !told.links.iter().all(|link| may_link(link, delivery)) {
        return Err(garbage());
    }
    let mut commands = vec![];
    for act in &told.changes {
        let wanted = command(act).filter(|command| is_told(delivery, command.kind, command.id));
        commands.push(wanted.ok_or_else(garbage)?);
    }
    let data = if told.data.is_null() { Value::Object(serde_json::Map::new()) } else { told.data };
    Ok(Receipt {
        reference: told.reference,
        data,
        confirmed: told.confirmed,
        links: told.links,
        commands,
        ..Receipt::default()
    })
}

fn may_link(link: &Link, delivery: &Delivery) -> bool {
    (1..=LINK_REFERENCE).contains(&link.reference.len())
        && link.part.len() <= LINK_REFERENCE
        && link.state.to_string().len() <= LINK_STATE
        && is_told(delivery, link.kind, link.record)
}

/// Whether a 404 means the delivery, and not that nothing at all stands at this address.
pub(crate) fn is_unknown_delivery(answer: &Answer) -> bool {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"] == "delivery.unknown"
}

/// Why something was not done.
pub(crate) fn refusal(answer: &Answer, now: Timestamp) -> Failure {
    let failure = refusal_of(answer.status);
    match failure.kind {
        FailureKind::Transient => failure.after(answer.retry_after(now)),
        _ => failure,
    }
}

/// The same of a status alone.
pub(crate) fn refusal_of(status: u16) -> Failure {
    let (kind, code) = match status {
        401 | 403 => (FailureKind::Unauthorised, "adapter.unauthorised"),
        408 | 425 | 429 | 503 => (FailureKind::Transient, "adapter.unavailable"),
        422 => (FailureKind::Rejected, "adapter.rejected"),
        500.. => (FailureKind::Uncertain, "adapter.failed"),
        _ => (FailureKind::Permanent, "adapter.refused"),
    };
    Failure::new(kind, code, format!("the other side answered with {status}"))
}

pub(crate) fn garbage() -> Failure {
    let why = "the other side gave an answer that is not what was agreed";
    Failure::new(FailureKind::Uncertain, "adapter.bad-answer", why)
}
