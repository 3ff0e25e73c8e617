//! XBezahldienste 1.0.0: token, creation, query, health of a configuration.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Books, CLIENT_SECRET, Call, Held, Interface, Reply, State, euros, json_reply, new_name};

const TOKEN: &str = "simulierter-zugang";

pub(super) fn answer(books: &mut Books, call: &Call) -> Option<Reply> {
    if call.path.ends_with("/oauth2/token") || call.path.ends_with("/auth/token") {
        return Some(token(call));
    }
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let what = parts.iter().position(|part| *part == "paymenttransaction" || *part == "status")?;
    let (kind, rest) = (parts[what], &parts[what + 1..]);
    if !(2..=3).contains(&rest.len()) || what > 0 && parts[what - 1] == "payment" {
        return None;
    }
    if !is_let_in(call) {
        return Some(problem(403, "FORBIDDEN"));
    }
    match (kind, rest, &call.method) {
        ("status", [_, _], &Method::GET) => Some(problem(200, "UNSPECIFIED")),
        ("paymenttransaction", [_, _], &Method::POST) => Some(create(books, call)),
        ("paymenttransaction", [_, _, id], &Method::GET) => {
            Some(match books.by_reference(Interface::Xbezahldienste, id) {
                Some(held) => json_reply(200, &transaction(held, &call.base)),
                None => problem(404, "UNSPECIFIED"),
            })
        }
        _ => None,
    }
}

fn token(call: &Call) -> Reply {
    let fields: std::collections::HashMap<String, String> = match serde_json::from_slice(&call.body) {
        Ok(fields) => fields,
        Err(_) => super::giro::fields(&call.body).into_iter().collect(),
    };
    let field = |name: &str| fields.get(name).map(String::as_str);
    if field("grant_type") != Some("client_credentials") || field("client_secret") != Some(CLIENT_SECRET) {
        return json_reply(401, &json!({ "error": "invalid_client" }));
    }
    json_reply(200, &json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300 }))
}

fn is_let_in(call: &Call) -> bool {
    let given = call.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    given == format!("Bearer {TOKEN}") || given.starts_with("Basic ")
}

fn create(books: &mut Books, call: &Call) -> Reply {
    let Ok(order) = serde_json::from_slice::<Value>(&call.body) else {
        return problem(400, "VALIDATION_ERROR");
    };
    let needed =
        ["requestId", "requestTimestamp", "currency", "grosAmount", "purpose", "redirectUrl", "items"];
    if needed.iter().any(|name| order.get(name).is_none_or(Value::is_null)) || order["currency"] != "EUR" {
        return problem(400, "VALIDATION_ERROR");
    }
    let cents = |value: &Value| value.as_f64().map_or(-1, |euros| (euros * 100.0).round() as i64);
    let items = order["items"].as_array().cloned().unwrap_or_default();
    let sum: i64 =
        items.iter().map(|item| cents(&item["totalNetAmount"]) + cents(&item["totalTaxAmount"])).sum();
    if sum != cents(&order["grosAmount"]) {
        return problem(400, "CALCULATION_ERROR");
    }
    let request_id = order["requestId"].as_str().unwrap_or_default().to_owned();
    if books.by_request(Interface::Xbezahldienste, &request_id).is_some() {
        return problem(409, "PAYMENT_EXISTS");
    }
    let held = books.open(Interface::Xbezahldienste, &new_name(), &request_id, sum);
    held.return_url = order["redirectUrl"].as_str().map(str::to_owned);
    held.order = order;
    json_reply(200, &transaction(held, &call.base))
}

fn transaction(held: &Held, base: &str) -> Value {
    let status = match held.state {
        State::Open | State::Pending => "INITIAL",
        State::Paid => "PAYED",
        State::Failed | State::Expired => "FAILED",
        State::Cancelled => "CANCELED",
    };
    let mut information = json!({
        "transactionUrl": format!("{base}/paymenttransaction/x/y/{}", held.reference),
        "transactionId": held.reference,
        "status": status,
    });
    if status == "INITIAL" {
        information["transactionRedirectUrl"] = json!(format!("{base}/paypage/{}", held.reference));
    }
    if status == "PAYED" {
        information["transactionReference"] = json!("4200000000061");
        information["paymentMethod"] = json!("OTHER");
        information["paymentMethodDetail"] = json!("WERO");
    }
    let mut request = held.order.clone();
    request["grosAmount"] =
        euros(held.amount_cents).parse::<f64>().map_or(Value::Null, |amount| json!(amount));
    json!({ "paymentInformation": information, "paymentRequest": request })
}

fn problem(status: u16, code: &str) -> Reply {
    json_reply(status, &json!({ "status": status, "title": code, "functionalCode": code }))
}
