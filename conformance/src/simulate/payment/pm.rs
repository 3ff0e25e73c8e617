//! pmPayment's own interface: start with HMAC-SHA256, status without any authentication.

use axum::http::Method;
use seal::mac::{MacDigest, hmac, is_same};
use serde_json::json;

use super::{Books, Call, Interface, PM_SALT, Reply, State, json_reply, new_name, now};

/// Fields in the order in which they are signed.
const SIGNED: [&str; 8] =
    ["ags", "amount", "procedure", "desc", "accountingRecord", "txid", "notifyURL", "redirectURL"];

pub(super) fn answer(books: &mut Books, call: &Call) -> Option<Reply> {
    if call.path.ends_with("/payment/secure") && call.method == Method::POST {
        return Some(start(books, call));
    }
    let (_, rest) = call.path.split_once("/payment/status/")?;
    let (_, id) = rest.split_once('/')?;
    let id =
        form_urlencoded::parse(format!("id={}", id.replace('+', "%2B")).as_bytes()).next()?.1.into_owned();
    let Some(held) = books.by_reference(Interface::Pmpayment, &id) else {
        return Some(json_reply(404, &json!({ "error": "unknown" })));
    };
    let status = match held.state {
        State::Open | State::Pending => -1,
        State::Paid => 1,
        State::Failed | State::Cancelled | State::Expired => 0,
    };
    Some(json_reply(200, &json!({ "status": status, "txid": held.reference, "amount": held.amount_cents })))
}

fn start(books: &mut Books, call: &Call) -> Reply {
    let fields = super::giro::fields(&call.body);
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let signed: Vec<String> = SIGNED.iter().filter_map(|name| field(name)).collect();
    let code = hmac(MacDigest::Sha256, PM_SALT.as_bytes(), signed.join("|").as_bytes());
    let code = code.map(hex::encode).unwrap_or_default();
    if !is_same(code.as_bytes(), field("hash").unwrap_or_default().as_bytes()) {
        return json_reply(400, &json!({ "error": "hash" }));
    }
    let own = field("txid").unwrap_or_else(new_name);
    let id = format!("{}.{}.{own}", field("procedure").unwrap_or_default(), now());
    let amount = field("amount").and_then(|amount| amount.parse().ok()).unwrap_or(0);
    let held = books.open(Interface::Pmpayment, &id, &own, amount);
    held.notify_url = field("notifyURL");
    held.return_url = field("redirectURL");
    held.order = json!(fields.iter().cloned().collect::<std::collections::BTreeMap<_, _>>());
    json_reply(200, &json!({ "url": format!("{}/paypage/{id}", call.base), "txid": id }))
}
