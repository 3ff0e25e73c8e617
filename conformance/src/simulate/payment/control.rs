//! What is set from outside: states, amounts, faults, and notifications that are to be sent.

use std::sync::PoisonError;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Books, Call, Fault, Known, Reply, json_reply, notices};

pub(super) async fn answer(known: &Known, call: &Call) -> Reply {
    let parts: Vec<&str> =
        call.path.trim_start_matches("/_control").trim_start_matches('/').split('/').collect();
    if let (&Method::POST, ["payments", id, "notify"]) = (&call.method, parts.as_slice()) {
        return notify(known, id).await;
    }
    let mut books = known.lock().unwrap_or_else(PoisonError::into_inner);
    match (&call.method, parts.as_slice()) {
        (&Method::GET, ["payments"]) => json_reply(200, &json!(books.held)),
        (&Method::PUT, ["payments", id]) => set(&mut books, id, &call.body),
        (&Method::PUT, ["fault"]) => {
            let fault = serde_json::from_slice::<Value>(&call.body).ok();
            match fault.and_then(|body| serde_json::from_value::<Fault>(body["fault"].clone()).ok()) {
                Some(fault) => {
                    books.fault = fault;
                    json_reply(200, &json!({ "fault": fault }))
                }
                None => json_reply(400, &json!({ "error": "fault" })),
            }
        }
        _ => json_reply(404, &json!({ "error": "no such path" })),
    }
}

fn set(books: &mut Books, id: &str, body: &[u8]) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return json_reply(400, &json!({ "error": "body" }));
    };
    let Some(held) = books.held.iter_mut().find(|held| held.request_id == id) else {
        return json_reply(404, &json!({ "error": "unknown" }));
    };
    if let Ok(state) = serde_json::from_value(body["state"].clone()) {
        held.state = state;
    }
    for (name, cents) in [
        ("amountCents", &mut held.amount_cents),
        ("refundedCents", &mut held.refunded_cents),
        ("chargedBackCents", &mut held.charged_back_cents),
    ] {
        *cents = body[name].as_i64().unwrap_or(*cents);
    }
    json_reply(200, &json!(held))
}

async fn notify(known: &Known, id: &str) -> Reply {
    let notification = {
        let books = known.lock().unwrap_or_else(PoisonError::into_inner);
        books.held.iter().find(|held| held.request_id == id).and_then(notices::of)
    };
    let Some(notification) = notification else {
        return json_reply(404, &json!({ "error": "nothing to tell" }));
    };
    match notification.send(&reqwest::Client::new()).await {
        Ok(status) => json_reply(200, &json!({ "answered": status })),
        Err(_) => json_reply(502, &json!({ "error": "no answer" })),
    }
}
