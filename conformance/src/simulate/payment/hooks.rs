//! The gateway's own contract for payment providers (`adapters/payment/openapi.yaml`), with requests that are signed by Standard Webhooks.

use axum::http::{Method, StatusCode};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};

use super::{Books, Call, HOOK_SECRET, Held, Interface, Reply, State, json_reply, new_name, reply};

pub(super) fn answer(books: &mut Books, call: &Call) -> Option<Reply> {
    let (_, rest) = call.path.rsplit_once("/payments/").or_else(|| call.path.split_once("/payments/"))?;
    let path = call.path.split_once("/payments/").map_or(rest, |(_, rest)| rest);
    let parts: Vec<&str> = path.split('/').collect();
    if !is_signed(call) {
        return Some(problem(401, "signature"));
    }
    match (&call.method, parts.as_slice()) {
        (&Method::PUT, [id]) => Some(start(books, call, id)),
        (&Method::GET, [id]) => Some(match books.by_request(Interface::Webhook, id) {
            Some(held) => json_reply(200, &state(held)),
            None => problem(404, "payment.unknown"),
        }),
        (&Method::DELETE, [id]) => Some(match books.by_request(Interface::Webhook, id) {
            Some(held) if matches!(held.state, State::Open | State::Cancelled) => {
                held.state = State::Cancelled;
                reply(StatusCode::NO_CONTENT, "application/json", "")
            }
            _ => problem(409, "payment.not-open"),
        }),
        (&Method::PUT, [id, "refunds", refund]) => Some(give_back(books, call, id, refund)),
        _ => None,
    }
}

/// The signature is over id, time and body; a bearer token does as well.
fn is_signed(call: &Call) -> bool {
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("authorization") == format!("Bearer {HOOK_SECRET}") {
        return true;
    }
    let secret = SharedSecret::parse(HOOK_SECRET);
    secret.is_ok_and(|secret| {
        secret.signed(
            header("webhook-id"),
            header("webhook-timestamp"),
            &call.body,
            header("webhook-signature"),
        )
    })
}

fn start(books: &mut Books, call: &Call, id: &str) -> Reply {
    let Ok(order) = serde_json::from_slice::<Value>(&call.body) else { return problem(422, "body") };
    let amount = order["amountCents"].as_i64().unwrap_or(0);
    if amount < 1 || order["requestId"] != id {
        return problem(422, "order");
    }
    if let Some(known) = books.by_request(Interface::Webhook, id) {
        return match known.order == order {
            true => json_reply(200, &started(known, &call.base)),
            false => problem(409, "order"),
        };
    }
    let held = books.open(Interface::Webhook, &new_name(), id, amount);
    held.notify_url = order["notifyUrl"].as_str().map(str::to_owned);
    held.return_url = order["returnUrl"].as_str().map(str::to_owned);
    held.order = order;
    json_reply(201, &started(held, &call.base))
}

fn started(held: &Held, base: &str) -> Value {
    let mut answer = json!({ "reference": held.reference });
    if held.state == State::Open {
        answer["paymentUrl"] =
            json!(format!("{base}/paypage/{}", held.reference).replacen("http://", "https://", 1));
    }
    answer
}

fn state(held: &Held) -> Value {
    json!({
        "reference": held.reference, "requestId": held.request_id, "status": held.state,
        "amountCents": held.amount_cents, "currency": "EUR", "method": "WERO",
        "refundedCents": held.refunded_cents, "chargedBackCents": held.charged_back_cents,
    })
}

/// The same refund again gets the same answer.
fn give_back(books: &mut Books, call: &Call, id: &str, refund: &str) -> Reply {
    let amount = serde_json::from_slice::<Value>(&call.body)
        .map_or(0, |body| body["amountCents"].as_i64().unwrap_or(0));
    let Some(held) = books.by_request(Interface::Webhook, id) else { return problem(422, "payment.unknown") };
    let known = held.order["simulatedRefunds"][refund].is_object();
    if !known {
        if held.state != State::Paid || amount < 1 || held.refunded_cents + amount > held.amount_cents {
            return problem(422, "refused");
        }
        held.refunded_cents += amount;
        held.order["simulatedRefunds"][refund] = json!({ "reference": new_name() });
    }
    json_reply(200, &held.order["simulatedRefunds"][refund])
}

fn problem(status: u16, code: &str) -> Reply {
    json_reply(status, &json!({ "status": status, "title": code, "code": code }))
}
