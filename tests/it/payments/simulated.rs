//! The simulator that is shipped for tests of one's own speaks every interface as the gateway does, from the start to the money that goes back.

use conformance::simulate::payment::{Provider, State};
use reqwest::Url;
use serde_json::{Value, json};

use super::till::{Begun, CENTS, Till, simulator};

/// Accounts whose provider is the simulator, and what a payer's giving up is called there.
const ACCOUNTS: [(&str, &str); 6] = [
    ("sim-giro", "cancelled"),
    ("sim-xb", "cancelled"),
    ("sim-pm", "failed"),
    ("sim-epaybl", "cancelled"),
    ("sim-epay21", "cancelled"),
    ("standard", "cancelled"),
];

/// The payer has done something, and comes back.
async fn come_back(till: &Till, provider: &Provider, begun: &Begun, state: State) {
    assert!(provider.change(&begun.request_id, |held| held.state = state), "{}", begun.page);
    let page = Url::parse(&begun.page).unwrap();
    let in_page = page.query_pairs().find(|(name, _)| name == "backlinkSuccess");
    let told = provider.held(&begun.request_id).unwrap().return_url;
    let back = till.here(&told.or_else(|| Some(in_page?.1.into_owned())).unwrap());
    assert_eq!(till.knock(|client| client.get(back)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_payments_come_to_at_the_simulator_they_come_to_here() {
    let provider = simulator().await;
    let till = Till::open("http://127.0.0.1:1", &provider.url).await;
    for (account, given_up) in ACCOUNTS {
        for (state, ends, receipts) in [(State::Paid, "paid", 1), (State::Cancelled, given_up, 0)] {
            let begun = till.begin(account, &json!({})).await;
            come_back(&till, &provider, &begun, state).await;
            till.comes_to(&begun, ends, None).await;
            assert_eq!(till.stands(&begun).await, (ends.to_owned(), None, receipts), "{account}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_where_that_is_offered_and_only_if_two_want_it() {
    let provider = simulator().await;
    let till = Till::open("http://127.0.0.1:1", &provider.url).await;
    for account in ["sim-giro", "standard"] {
        let begun = till.begin(account, &json!({})).await;
        come_back(&till, &provider, &begun, State::Paid).await;
        till.comes_to(&begun, "paid", None).await;
        let path = format!("/payments/{}/refunds", begun.id);
        let wanted = json!({ "amountCents": 1_000, "reason": "zu viel" });
        let (status, payment) = till.cashier_post(0, &path, &wanted).await;
        assert!((200..300).contains(&status), "{payment}");
        let agreement = format!("{path}/{}/agreement", payment["refunds"][0]["id"].as_str().unwrap());
        let (status, refused) = till.cashier_post(0, &agreement, &Value::Null).await;
        assert!((400..500).contains(&status), "whoever asked agrees: {refused}");
        assert_eq!(provider.held(&begun.request_id).unwrap().refunded_cents, 0);
        let (status, payment) = till.cashier_post(1, &agreement, &Value::Null).await;
        assert!((200..300).contains(&status), "{payment}");
        till.comes_to(&begun, "partlyRefunded", None).await;
        assert_eq!(provider.held(&begun.request_id).unwrap().refunded_cents, 1_000, "{account}");
        let refunds = till.cashier_get(&format!("/bookings?kind=refund&payment={}", begun.id)).await;
        assert_eq!(refunds["items"].as_array().unwrap().len(), 1, "{refunds}");
        assert_eq!(refunds["items"][0]["amountCents"], 1_000);
        let claim = till.get(&format!("/claims/{}", begun.claim)).await;
        assert_eq!(claim["paidCents"], CENTS - 1_000, "{claim}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_taken_back_where_that_is_offered() {
    let provider = simulator().await;
    let till = Till::open("http://127.0.0.1:1", &provider.url).await;
    for account in ["sim-giro", "standard", "sim-epay21"] {
        let begun = till.begin(account, &json!({})).await;
        let (status, payment) = till.post(&format!("/payments/{}/void", begun.id), &Value::Null).await;
        assert!((200..300).contains(&status), "{account}: {payment}");
        till.comes_to(&begun, "cancelled", None).await;
        assert_eq!(provider.held(&begun.request_id).unwrap().state, State::Cancelled, "{account}");
    }
    let begun = till.begin("sim-pm", &json!({})).await;
    let (status, refused) = till.post(&format!("/payments/{}/void", begun.id), &Value::Null).await;
    assert_eq!((status, &refused["code"]), (409, &json!("payment.not-offered")), "{refused}");
}

/// As somebody does who has started it by `conformance simulate payment`.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_is_told_over_http_what_payments_come_to() {
    let provider = simulator().await;
    let till = Till::open("http://127.0.0.1:1", &provider.url).await;
    let begun = till.begin("sim-giro", &json!({})).await;
    let control = format!("{}/_control", provider.url);
    let set = async |path: &str, body: Value| -> u16 {
        let url = format!("{control}{path}");
        till.knock(|client| client.put(url).json(&body)).await.status().as_u16()
    };
    assert_eq!(set("/fault", json!({ "fault": "nonsense" })).await, 400);
    assert_eq!(set("/payments/unknown", json!({ "state": "paid" })).await, 404);
    assert_eq!(set(&format!("/payments/{}", begun.request_id), json!({ "state": "paid" })).await, 200);
    let held: Value =
        till.knock(|client| client.get(format!("{control}/payments"))).await.json().await.unwrap();
    assert_eq!((&held[0]["requestId"], &held[0]["state"]), (&json!(begun.request_id), &json!("paid")));
    let notify = format!("{control}/payments/{}/notify", begun.request_id);
    let told = till.knock(|client| client.post(notify)).await;
    // The name of the gateway under test is nobody's.
    assert_eq!(told.status(), 502);
    assert_eq!(set("/fault", json!({ "fault": "error" })).await, 200);
    let down = till.knock(|client| client.get(format!("{}/xb/status/a/b", provider.url))).await;
    assert_eq!(down.status(), 503);
}
