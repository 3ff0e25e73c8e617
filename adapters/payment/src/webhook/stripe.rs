//! Notifications by the scheme of Stripe: `Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX…]`, where each `v1` is the HMAC-SHA-256 of the time, a full
//! stop and the body under a secret. Only `v1` counts, and any of them may fit, so that secrets can be changed.

use model::Timestamp;
use model::payment::provider::{Notice, Refusal};
use seal::mac::{self, MacDigest};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Told, header, is_event_id, is_recent};

/// Most parts of the header field.
const PARTS: usize = 20;

#[derive(Deserialize)]
struct Event {
    id: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

/// A payment (`payment_intent`), or something that belongs to one.
#[derive(Deserialize)]
struct Object {
    id: String,
    object: String,
    payment_intent: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    case: Option<String>,
}

/// What a notification says. The signature is looked at first, over what came, byte by byte.
pub(super) fn read(secrets: &[Zeroizing<String>], notice: &Notice, now: Timestamp) -> Result<Told, Refusal> {
    let signature = Signature::read(header(notice, "stripe-signature")?.ok_or(Refusal::Signature)?)?;
    if !secrets.iter().any(|secret| signature.fits(secret.as_bytes(), &notice.body)) {
        return Err(Refusal::Signature);
    }
    if !is_recent(signature.at, now) {
        return Err(Refusal::Time);
    }
    let event: Event = serde_json::from_slice(&notice.body).map_err(|_| Refusal::Malformed)?;
    if !is_event_id(&event.id) {
        return Err(Refusal::Malformed);
    }
    told(event).ok_or(Refusal::Malformed)
}

/// Of what is no payment itself, the payment that it belongs to counts; its own amount is another one.
fn told(event: Event) -> Option<Told> {
    let object = event.data.object;
    let is_payment = object.object == "payment_intent";
    Some(Told {
        id: Some(event.id),
        reference: if is_payment { object.id } else { object.payment_intent? },
        request_id: object.metadata.and_then(|metadata| metadata.case),
        amount_cents: object.amount.filter(|_| is_payment),
        currency: object.currency.map(|currency| currency.to_ascii_uppercase()).filter(|_| is_payment),
    })
}

struct Signature<'a> {
    at: &'a str,
    codes: Vec<&'a str>,
}

impl<'a> Signature<'a> {
    fn read(field: &'a str) -> Result<Self, Refusal> {
        let (mut at, mut codes) = (None, vec![]);
        for (index, part) in field.split(',').enumerate() {
            let (name, value) = part.trim().split_once('=').ok_or(Refusal::Malformed)?;
            match name {
                _ if index >= PARTS => return Err(Refusal::Malformed),
                "t" if at.is_some() => return Err(Refusal::Repeated),
                "t" => at = Some(value),
                "v1" => codes.push(value),
                _ => {}
            }
        }
        Ok(Signature { at: at.ok_or(Refusal::Signature)?, codes })
    }

    fn fits(&self, secret: &[u8], body: &[u8]) -> bool {
        let signed = [self.at.as_bytes(), b".", body].concat();
        let Ok(ours) = mac::hmac(MacDigest::Sha256, secret, &signed) else { return false };
        let ours = hex::encode(ours);
        self.codes.iter().any(|code| mac::is_same(code.as_bytes(), ours.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_was_computed_elsewhere() {
        let body = br#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;
        let code = "22d8dc182f5c588077683bd378368e29765bfe5df2560112b4f28fef120f0e31";
        let fits = |field: &str| Signature::read(field).unwrap().fits(b"whsec_test_secret", body);
        assert!(fits(&format!("t=1700000000,v1={code}")));
        assert!(fits(&format!("t=1700000000, v0=ab, v1=00, v1={code}")), "any v1 may fit");
        assert!(!fits(&format!("t=1700000000,v0={code}")), "only v1 counts");
        assert!(!fits(&format!("t=1700000001,v1={code}")));
    }

    #[test]
    fn a_field_that_can_be_read_in_two_ways_is_refused() {
        for (field, wanted) in [
            ("t=1,t=2,v1=a", Refusal::Repeated),
            ("v1=a", Refusal::Signature),
            ("", Refusal::Malformed),
            ("t=1,v1", Refusal::Malformed),
        ] {
            assert_eq!(Signature::read(field).err(), Some(wanted), "{field}");
        }
        assert!(Signature::read(&format!("t=1{}", ",v1=a".repeat(PARTS))).is_err());
    }
}
