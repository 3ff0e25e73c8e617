//! GiroCheckout: start, payment page, status, refund, void. Requests and answers are signed by HMAC-MD5 over their values.

use axum::http::{Method, StatusCode};
use seal::mac::{MacDigest, hmac, is_same};
use serde_json::{Value, json};

use super::{Books, Call, GIRO_PASSWORD, Held, Interface, Reply, State, new_name};

/// Fields that are not signed.
const UNSIGNED: [&str; 5] = ["hash", "sourceId", "userAgent", "orderId", "customerId"];

pub(super) fn answer(books: &mut Books, call: &Call) -> Option<Reply> {
    if call.method != Method::POST || !call.path.contains("/girocheckout/") {
        return None;
    }
    let fields = fields(&call.body);
    let signed = fields.iter().filter(|(name, _)| !UNSIGNED.contains(&name.as_str()));
    let signed: String = signed.map(|(_, value)| value.as_str()).collect();
    let field =
        |name: &str| fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    if !is_same(code(&signed).as_bytes(), field("hash").as_bytes()) {
        return Some(said(&json!({ "rc": 5002, "msg": "hash" })));
    }
    let what = call.path.rsplit_once("/girocheckout/").map_or("", |(_, path)| path);
    let what = what.rsplit('/').next().unwrap_or_default();
    Some(said(&match what {
        "start" | "init" => start(books, &fields, what == "init", &call.base),
        "status" => match books.by_reference(Interface::Girocheckout, field("reference")) {
            Some(held) => status(held),
            None => unknown(),
        },
        "refund" => refund(books, field("reference"), field("merchantTxId"), field("amount")),
        "void" => match books.by_reference(Interface::Girocheckout, field("reference")) {
            Some(held) if held.state == State::Open => {
                held.state = State::Cancelled;
                json!({ "rc": 0, "msg": "", "reference": new_name(), "referenceParent": held.reference })
            }
            _ => unknown(),
        },
        _ => json!({ "rc": 5004, "msg": "call" }),
    }))
}

fn start(books: &mut Books, fields: &[(String, String)], page: bool, base: &str) -> Value {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let amount = field("amount").and_then(|amount| amount.parse().ok()).unwrap_or(0);
    if amount < 1 {
        return json!({ "rc": 5030, "msg": "amount" });
    }
    let reference = new_name();
    let held =
        books.open(Interface::Girocheckout, &reference, &field("merchantTxId").unwrap_or_default(), amount);
    held.notify_url = field("urlNotify").or_else(|| field("notifyUrl"));
    held.return_url = field("urlRedirect").or_else(|| field("successUrl"));
    held.order = json!(fields.iter().cloned().collect::<std::collections::BTreeMap<_, _>>());
    let url = format!("{base}/paypage/{reference}");
    let name = if page { "url" } else { "redirect" };
    json!({ "reference": reference, name: url, "rc": 0, "msg": "" })
}

/// The code of the outcome; none while nothing has happened.
pub(super) fn result(held: &Held) -> Option<u32> {
    match held.state {
        State::Open => None,
        State::Pending => Some(4152),
        State::Paid => Some(4000),
        State::Failed => Some(4900),
        State::Cancelled => Some(4502),
        State::Expired => Some(4501),
    }
}

fn status(held: &Held) -> Value {
    let mut answer = json!({
        "reference": held.reference, "merchantTxId": held.request_id, "backendTxId": "b1",
        "amount": held.amount_cents, "currency": "EUR", "rc": 0, "msg": "",
    });
    if let Some(result) = result(held) {
        answer["resultPayment"] = json!(result);
    }
    answer
}

fn refund(books: &mut Books, reference: &str, own: &str, amount: &str) -> Value {
    let amount = amount.parse().unwrap_or(0);
    let Some(held) = books.by_reference(Interface::Girocheckout, reference) else { return unknown() };
    if held.state != State::Paid || amount < 1 || held.refunded_cents + amount > held.amount_cents {
        return json!({ "rc": 5200, "msg": "refused" });
    }
    held.refunded_cents += amount;
    json!({
        "reference": new_name(), "referenceParent": reference, "merchantTxId": own, "backendTxId": "r1",
        "amount": amount, "currency": "EUR", "resultPayment": 4000, "rc": 0, "msg": "",
    })
}

fn unknown() -> Value {
    json!({ "rc": 5034, "msg": "unknown" })
}

/// Answers are signed in a header field.
fn said(body: &Value) -> Reply {
    let body = body.to_string();
    let headers = vec![("content-type", "application/json".to_owned()), ("hash", code(&body))];
    (StatusCode::OK, headers, body)
}

/// HMAC-MD5 under the project's password, in hex.
pub(super) fn code(message: &str) -> String {
    hmac(MacDigest::Md5, GIRO_PASSWORD.as_bytes(), message.as_bytes()).map(hex::encode).unwrap_or_default()
}

/// The fields of a form in their order.
pub(super) fn fields(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}
