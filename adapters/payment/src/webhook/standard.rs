//! Notifications by Standard Webhooks 1.0.0 ("Webhook headers", "Verifying webhook authenticity"): id, time and body are signed; the id is
//! that of the event, the same when it comes again.

use model::Timestamp;
use model::payment::provider::{Notice, Refusal};
use seal::webhook::SharedSecret;
use serde::Deserialize;

use super::{Told, header, is_event_id, is_recent};

#[derive(Deserialize)]
struct Body {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    reference: String,
    case: Option<String>,
    amount: i64,
    currency: String,
}

/// What a notification says. The signature is looked at first, over what came, byte by byte.
pub(super) fn read(secrets: &[SharedSecret], notice: &Notice, now: Timestamp) -> Result<Told, Refusal> {
    let wanted = |name| header(notice, name)?.ok_or(Refusal::Signature);
    let (id, at) = (wanted("webhook-id")?, wanted("webhook-timestamp")?);
    let signatures = wanted("webhook-signature")?;
    if !is_event_id(id) {
        return Err(Refusal::Malformed);
    }
    if !secrets.iter().any(|secret| secret.signed(id, at, &notice.body, signatures)) {
        return Err(Refusal::Signature);
    }
    if !is_recent(at, now) {
        return Err(Refusal::Time);
    }
    let Body { data } = serde_json::from_slice(&notice.body).map_err(|_| Refusal::Malformed)?;
    Ok(Told {
        id: Some(id.to_owned()),
        reference: data.reference,
        request_id: data.case,
        amount_cents: Some(data.amount),
        currency: Some(data.currency),
    })
}
