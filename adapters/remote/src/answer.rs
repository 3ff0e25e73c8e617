//! What an answer means. Only its status and the members that are known are looked at; nothing of it gets into a log.
//!
//! | status | kind of failure |
//! |---|---|
//! | 401, 403 | unauthorised |
//! | 408, 425, 429, 503 | transient, with the pause that `Retry-After` asks for |
//! | other 5xx | uncertain: something went wrong in the middle of it |
//! | 422 | rejected: the content goes back to its sender |
//! | anything else | permanent |

use model::adapter::{Capability, Receipt};
use model::{Failure, FailureKind, Timestamp};
use net::Answer;
use serde::Deserialize;
use serde_json::Value;

/// Longest reference that is kept, in bytes.
const REFERENCE: usize = 200;

/// What the other side says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    /// The channel that it serves.
    pub(crate) channel: String,
    /// What it offers.
    pub(crate) capabilities: Vec<Capability>,
}

pub(crate) fn described(answer: &Answer) -> Result<Described, Failure> {
    let described: Described = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
    // Shown to operators as it stands.
    if model::ids::is_name(&described.channel) { Ok(described) } else { Err(garbage()) }
}

/// The receipt of a delivery. An answer that is none tells nothing of what became of the delivery.
pub(crate) fn receipt(answer: &Answer) -> Result<Receipt, Failure> {
    let mut receipt: Receipt = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
    let is_short = receipt.reference.as_ref().is_none_or(|reference| reference.len() <= REFERENCE);
    if !is_short || !(receipt.data.is_object() || receipt.data.is_null()) {
        return Err(garbage());
    }
    if receipt.data.is_null() {
        receipt.data = Value::Object(serde_json::Map::new());
    }
    Ok(receipt)
}

/// Whether a 404 means the delivery, and not that nothing at all stands at this address.
pub(crate) fn is_unknown_delivery(answer: &Answer) -> bool {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"] == "delivery.unknown"
}

/// Why something was not done.
pub(crate) fn refusal(answer: &Answer, now: Timestamp) -> Failure {
    let (kind, code) = match answer.status {
        401 | 403 => (FailureKind::Unauthorised, "adapter.unauthorised"),
        408 | 425 | 429 | 503 => (FailureKind::Transient, "adapter.unavailable"),
        422 => (FailureKind::Rejected, "adapter.rejected"),
        500.. => (FailureKind::Uncertain, "adapter.failed"),
        _ => (FailureKind::Permanent, "adapter.refused"),
    };
    let failure = Failure::new(kind, code, format!("the other side answered with {}", answer.status));
    match kind {
        FailureKind::Transient => failure.after(answer.retry_after(now)),
        _ => failure,
    }
}

fn garbage() -> Failure {
    let why = "the other side gave an answer that is not what was agreed";
    Failure::new(FailureKind::Uncertain, "adapter.bad-answer", why)
}
