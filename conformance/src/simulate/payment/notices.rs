//! The notifications that belong to the state of a payment, as each interface sends them.

use seal::webhook::SharedSecret;
use serde_json::json;

use super::{HOOK_SECRET, Held, Interface, State, giro, new_name, now};

/// A notification, ready to be sent.
#[derive(Debug, Clone)]
pub struct Notification {
    /// HTTP method.
    pub method: &'static str,
    /// Address, with its query.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// The notification of a payment; `None` if its interface has none, or if nothing has happened yet.
pub(super) fn of(held: &Held) -> Option<Notification> {
    let url = held.notify_url.as_deref()?;
    match held.interface {
        Interface::Girocheckout => girocheckout(held, url),
        Interface::Pmpayment => Some(pmpayment(held, url)),
        Interface::Webhook => webhook(held, url),
        Interface::Xbezahldienste | Interface::Epaybl | Interface::Epay21 => None,
    }
}

fn girocheckout(held: &Held, url: &str) -> Option<Notification> {
    let result = giro::result(held)?.to_string();
    let amount = held.amount_cents.to_string();
    let fields = [
        ("gcReference", held.reference.as_str()),
        ("gcMerchantTxId", &held.request_id),
        ("gcBackendTxId", "b1"),
        ("gcAmount", &amount),
        ("gcCurrency", "EUR"),
        ("gcResultPayment", &result),
    ];
    let signed: String = fields.iter().map(|(_, value)| *value).collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields).append_pair("gcHash", &giro::code(&signed));
    let url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, query.finish());
    Some(Notification { method: "GET", url, headers: vec![], body: vec![] })
}

/// Without any hash, as it was seen in the field.
fn pmpayment(held: &Held, url: &str) -> Notification {
    let field = |name: &str| held.order[name].as_str().unwrap_or_default().to_owned();
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("ags", &field("ags"))
        .append_pair("txid", &held.reference)
        .append_pair("amount", &held.amount_cents.to_string())
        .append_pair("desc", &field("desc"))
        .append_pair("status", if held.state == State::Paid { "1" } else { "0" })
        .append_pair("payment_method", "paypal")
        .append_pair("procedure", &field("procedure"))
        .append_pair("created_at", "2026-11-01 12:00:00");
    Notification {
        method: "POST",
        url: url.to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: body.finish().into_bytes(),
    }
}

fn webhook(held: &Held, url: &str) -> Option<Notification> {
    let kind = match held.state {
        State::Open | State::Pending => return None,
        State::Paid => "payment.paid",
        State::Failed => "payment.failed",
        State::Cancelled => "payment.cancelled",
        State::Expired => "payment.expired",
    };
    let data = json!({
        "reference": held.reference, "case": held.request_id, "amount": held.amount_cents, "currency": "EUR",
    });
    let body = json!({ "type": kind, "timestamp": "2026-11-01T12:00:00Z", "data": data }).to_string();
    let (id, at) = (new_name(), now());
    let signature =
        SharedSecret::parse(HOOK_SECRET).and_then(|secret| secret.sign(&id, at, body.as_bytes())).ok()?;
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", signature),
    ];
    Some(Notification { method: "POST", url: url.to_owned(), headers, body: body.into_bytes() })
}

impl Notification {
    /// Sends it. Returns the status of the answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, client: &reqwest::Client) -> Result<u16, crate::Error> {
        let request = match self.method {
            "GET" => client.get(&self.url),
            _ => client.post(&self.url).body(self.body.clone()),
        };
        let headers = self.headers.iter();
        let request = headers.fold(request, |request, (name, value)| request.header(*name, value));
        Ok(request.send().await?.status().as_u16())
    }
}
