//! The contract of `openapi.yaml` with a provider that keeps it and with some that do not; notifications of each scheme.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_payment::webhook::computop::Merchant;
use adapter_payment::webhook::{Auth, Notifications, Settings, provider};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{Json, Router};
use model::payment::provider::{Notified, Provider, RefundOrder, Refusal, TruthState, Verdict};
use model::payment::record::ClearingReason;
use model::{FailureKind, SystemClock, Timestamp, ids};
use proptest::prelude::*;
use seal::webhook::SharedSecret;
use serde_json::{Value, json};

use crate::support::{REQUEST, client, notice, order, serve};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5";

fn secret(text: &str) -> SharedSecret {
    SharedSecret::parse(text).unwrap()
}

fn webhook(url: &str, auth: Auth, notifications: Notifications) -> Arc<dyn Provider> {
    let settings = Settings {
        id: "zahl".into(),
        url: url.into(),
        auth,
        notifications,
        window: Duration::from_secs(1_800),
        within: Duration::from_secs(20),
        refunds: true,
        voids: true,
    };
    provider(settings, client(), Arc::new(SystemClock))
}

fn bearer(url: &str) -> Arc<dyn Provider> {
    webhook(url, Auth::Bearer("geheim".to_owned().into()), Notifications::None)
}

type Heard = Arc<Mutex<Vec<(Method, String, HeaderMap, Bytes)>>>;

/// A provider that answers everything with this, and remembers what it was asked.
async fn answering(status: u16, answer: Value) -> (String, Heard) {
    let heard = Heard::default();
    let handler =
        move |State(heard): State<Heard>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let answer = (StatusCode::from_u16(status).unwrap(), Json(answer));
            heard.lock().unwrap().push((method, uri.to_string(), headers, body));
            async move { answer }
        };
    (serve(Router::new().fallback(handler).with_state(heard.clone())).await, heard)
}

#[tokio::test]
async fn each_call_is_signed_for_itself_and_the_same_when_it_comes_again() {
    let (url, heard) =
        answering(200, json!({ "reference": "r-1", "paymentUrl": "https://pay.example/1" })).await;
    let provider = webhook(&url, Auth::Signed(secret(SECRET)), Notifications::None);
    let (order, refund) =
        (order(), RefundOrder { id: ids::new_id(), amount_cents: 500, purpose: "Erlass".into() });
    for _ in 0..2 {
        let started = provider.start(&order).await.unwrap();
        assert_eq!(
            (started.reference.as_str(), started.payment_url.as_deref()),
            ("r-1", Some("https://pay.example/1"))
        );
    }
    assert_eq!(provider.refund(&order, "r-1", &refund).await.unwrap().as_deref(), Some("r-1"));
    provider.void(&order, "r-1").await.unwrap();
    let heard = heard.lock().unwrap();
    let field = |at: usize, name: &str| heard[at].2[name].to_str().unwrap().to_owned();
    for at in 0..4 {
        let signed = secret(SECRET).signed(
            &field(at, "webhook-id"),
            &field(at, "webhook-timestamp"),
            &heard[at].3,
            &field(at, "webhook-signature"),
        );
        assert!(signed, "{at}");
    }
    let seen: Vec<_> = heard.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(seen[0], format!("PUT /payments/{REQUEST}"));
    assert_eq!((&heard[0].3, field(0, "webhook-id")), (&heard[1].3, field(1, "webhook-id")));
    assert_eq!(seen[2], format!("PUT /payments/{REQUEST}/refunds/{}", refund.id));
    assert_eq!(seen[3], format!("DELETE /payments/{REQUEST}"));
    assert_ne!(field(0, "webhook-id"), field(3, "webhook-id"), "a start that was overheard cancels nothing");
    let body: Value = serde_json::from_slice(&heard[0].3).unwrap();
    assert_eq!(
        (&body["amountCents"], &body["requestId"], &body["currency"]),
        (&json!(2_500), &json!(REQUEST), &json!("EUR"))
    );
}

fn state(status: &str) -> Value {
    json!({ "reference": "r-1", "requestId": REQUEST, "status": status, "amountCents": 2_500, "currency": "EUR" })
}

#[tokio::test]
async fn a_state_is_told_as_it_is() {
    for (status, wanted) in [
        ("open", TruthState::Open),
        ("pending", TruthState::Pending),
        ("paid", TruthState::Paid),
        ("failed", TruthState::Failed),
        ("cancelled", TruthState::Cancelled),
        ("expired", TruthState::Expired),
    ] {
        let mut said = state(status);
        said["paidAt"] = json!("2026-11-29T13:00:00+01:00");
        said["refundedCents"] = json!(500);
        let (url, heard) = answering(200, said).await;
        let truth = bearer(&url).status(&order(), "r-1").await.unwrap();
        assert_eq!(truth.state, wanted);
        assert_eq!((truth.amount_cents, truth.currency.as_deref()), (Some(2_500), Some("EUR")));
        assert_eq!((truth.refunded_cents, truth.charged_back_cents), (Some(500), None));
        assert_eq!(truth.paid_at, Timestamp::parse("2026-11-29T12:00:00Z"));
        assert_eq!(heard.lock().unwrap()[0].2["authorization"], "Bearer geheim");
    }
}

#[tokio::test]
async fn what_is_no_state_is_never_a_truth() {
    let with = |name: &str, value: Value| {
        let mut said = state("paid");
        said[name] = value;
        said
    };
    let without = |name: &str| {
        let mut said = state("paid");
        said.as_object_mut().unwrap().remove(name);
        said
    };
    for said in [
        without("status"),
        without("amountCents"),
        without("currency"),
        without("reference"),
        without("requestId"),
        with("status", json!("PAID")),
        with("amountCents", json!(25.5)),
        with("amountCents", json!("2500")),
        with("amountCents", json!(-1)),
        with("refundedCents", json!(-1)),
        with("currency", json!("eur")),
        with("reference", json!("a b")),
        with("paidAt", json!("gestern")),
        json!([]),
    ] {
        let (url, _) = answering(200, said.clone()).await;
        let failure = bearer(&url).status(&order(), "r-1").await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_ref()),
            (FailureKind::Transient, "payment.provider-garbage"),
            "{said}"
        );
    }
    for (status, said, kind) in [
        (404, json!({ "code": "payment.unknown" }), FailureKind::Rejected),
        (404, json!({}), FailureKind::Rejected),
        (401, json!({}), FailureKind::Unauthorised),
        (500, json!({}), FailureKind::Transient),
        (302, json!({}), FailureKind::Rejected),
    ] {
        let (url, _) = answering(status, said).await;
        assert_eq!(bearer(&url).status(&order(), "r-1").await.unwrap_err().kind, kind, "{status}");
    }
}

#[tokio::test]
async fn only_a_provider_that_knows_us_is_well() {
    let (url, _) = answering(404, json!({ "code": "payment.unknown" })).await;
    assert!(bearer(&url).check().await.ok);
    let (url, _) = answering(404, json!({})).await;
    assert!(!bearer(&url).check().await.ok, "a page that is not found does not mean a payment");
}

#[tokio::test]
async fn a_start_whose_answer_tells_nothing_may_have_happened() {
    for (status, said, kind) in [
        (200, json!({}), FailureKind::Uncertain),
        (200, json!({ "reference": "r", "paymentUrl": "javascript:alert(1)" }), FailureKind::Uncertain),
        (500, json!({}), FailureKind::Uncertain),
        (503, json!({}), FailureKind::Transient),
        (422, json!({}), FailureKind::Rejected),
    ] {
        let (url, _) = answering(status, said).await;
        assert_eq!(bearer(&url).start(&order()).await.unwrap_err().kind, kind, "{status}");
    }
    let failure = bearer("http://127.0.0.1:1").start(&order()).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_ref()),
        (FailureKind::Transient, "payment.provider-unreachable")
    );
}

/// 2026-11-29T12:00:00Z in seconds.
const NOW: i64 = 1_795_953_600;

fn judge(provider: &dyn Provider, headers: &[(&str, &str)], body: &[u8]) -> Notified {
    let now = Timestamp::from_micros(NOW * 1_000_000);
    provider.notified(&order(), Some("r-1"), &notice(headers, body), now)
}

fn refused(notified: Notified) -> Refusal {
    match notified {
        Notified { verdict: Verdict::Refused(refusal), id: None } => refusal,
        other => panic!("{other:?}"),
    }
}

/// A scheme of notifications.
pub(crate) enum Scheme {
    Standard,
    Stripe,
    Computop,
}

/// A provider that notifies by this scheme, with two secrets each: any counts.
pub(crate) fn notified_by(scheme: Scheme) -> Arc<dyn Provider> {
    let two = |one: &str, other: &str| vec![one.to_owned().into(), other.to_owned().into()];
    let notifications = match scheme {
        Scheme::Standard => Notifications::Standard(vec![secret(OTHER), secret(SECRET)]),
        Scheme::Stripe => Notifications::Stripe(two("whsec_old", "whsec_test_secret")),
        Scheme::Computop => Notifications::Computop(Merchant {
            id: "yourMerchantId".into(),
            hmac_passwords: two("old", "mySecret"),
            blowfish_password: Some("0123456789abcdef".to_owned().into()),
        }),
    };
    webhook("https://pay.example", Auth::Signed(secret(SECRET)), notifications)
}

fn event(reference: &str, case: &str, amount: i64, currency: &str) -> Vec<u8> {
    let data = json!({ "reference": reference, "case": case, "amount": amount, "currency": currency });
    json!({ "type": "payment.paid", "timestamp": "2026-11-29T12:00:00Z", "data": data })
        .to_string()
        .into_bytes()
}

/// What a notification by Standard Webhooks, signed now and sent then, leads to.
fn standard_webhook(at: i64, body: &[u8], sent: &[u8]) -> Notified {
    let (signature, at_text) = (secret(SECRET).sign("msg_1", at, body).unwrap(), at.to_string());
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", &at_text), ("webhook-signature", &signature)];
    judge(&*notified_by(Scheme::Standard), &headers, sent)
}

#[test]
fn a_standard_webhook_is_a_hint_at_most() {
    let good = event("r-1", REQUEST, 2_500, "EUR");
    let hint = Notified { verdict: Verdict::Hint, id: Some("msg_1".into()) };
    assert_eq!(standard_webhook(NOW, &good, &good), hint, "any of the secrets counts");
    for at in [NOW - 300, NOW + 300] {
        assert_eq!(standard_webhook(at, &good, &good), hint);
    }
    for at in [NOW - 301, NOW + 301] {
        assert_eq!(refused(standard_webhook(at, &good, &good)), Refusal::Time);
    }
    assert_eq!(refused(standard_webhook(NOW, &good, &event("r-1", REQUEST, 1, "EUR"))), Refusal::Signature);
    let said = |body: Vec<u8>| standard_webhook(NOW, &body, &body);
    let differs = |reason, cents| Verdict::Differs(reason, Some(cents), 200);
    assert_eq!(said(event("r-1", REQUEST, 1, "EUR")).verdict, differs(ClearingReason::CallbackDiffers, 1));
    assert_eq!(said(event("r-1", REQUEST, 2_500, "USD")).verdict, differs(ClearingReason::Currency, 2_500));
    assert_eq!(refused(said(event("r-2", REQUEST, 2_500, "EUR"))), Refusal::OtherPayment);
    assert_eq!(refused(said(event("r-1", "other", 2_500, "EUR"))), Refusal::OtherPayment);
    for body in ["", "[]", "{}", r#"{"data":{"reference":"r-1","amount":"2500","currency":"EUR"}}"#] {
        assert_eq!(refused(said(body.into())), Refusal::Malformed, "{body}");
    }
    let twice = r#"{"data":{"reference":"r-1","amount":1,"amount":2500,"currency":"EUR"}}"#;
    assert_eq!(refused(said(twice.into())), Refusal::Malformed, "nobody has to choose");
}

#[test]
fn a_standard_webhook_is_read_in_one_way_only() {
    let body = event("r-1", REQUEST, 2_500, "EUR");
    let signature = secret(SECRET).sign("msg_1", NOW, &body).unwrap();
    let now = NOW.to_string();
    let (id, at) = (("webhook-id", "msg_1"), ("webhook-timestamp", now.as_str()));
    let signed = |signature| ("webhook-signature", signature);
    let said = |headers: &[(&str, &str)]| judge(&*notified_by(Scheme::Standard), headers, &body);
    assert_eq!(refused(said(&[id, at])), Refusal::Signature);
    assert_eq!(refused(said(&[id, at, signed("v9,AAAA")])), Refusal::Signature);
    assert_eq!(refused(said(&[("webhook-id", "msg_2"), at, signed(&signature)])), Refusal::Signature);
    assert_eq!(refused(said(&[id, at, signed(&signature), signed(&signature)])), Refusal::Repeated);
    assert_eq!(refused(said(&[id, id, at, signed(&signature)])), Refusal::Repeated);
    let rotated = format!("v1,AAAA {signature}");
    assert_eq!(said(&[id, at, signed(&rotated)]).verdict, Verdict::Hint);
    let plus = format!("+{now}");
    assert_eq!(refused(said(&[id, ("webhook-timestamp", &plus), signed(&signature)])), Refusal::Time);
}

#[test]
fn before_the_start_is_answered_only_what_is_authentic_may_come_again() {
    let body = event("r-1", REQUEST, 2_500, "EUR");
    let at = NOW.to_string();
    let now = Timestamp::from_micros(NOW * 1_000_000);
    let said = |signature: &str| {
        let headers =
            [("webhook-id", "m"), ("webhook-timestamp", at.as_str()), ("webhook-signature", signature)];
        refused(notified_by(Scheme::Standard).notified(&order(), None, &notice(&headers, body.clone()), now))
    };
    assert_eq!(said(&secret(SECRET).sign("m", NOW, &body).unwrap()), Refusal::TooEarly);
    assert_eq!(said("v1,AAAA"), Refusal::Signature);
}

fn stripe(at: i64, kind: &str, amount: i64, currency: &str) -> Notified {
    let object = json!({
        "id": if kind == "payment_intent" { "r-1" } else { "ch_1" }, "object": kind, "amount": amount,
        "currency": currency, "payment_intent": "r-1", "metadata": { "case": REQUEST },
    });
    let body = json!({ "id": "evt_1", "type": "x", "data": { "object": object } }).to_string();
    let code = seal::mac::hmac(
        seal::mac::MacDigest::Sha256,
        b"whsec_test_secret",
        format!("{at}.{body}").as_bytes(),
    );
    let field = format!("t={at},v1={},v1={}", "0".repeat(64), hex::encode(code.unwrap()));
    judge(&*notified_by(Scheme::Stripe), &[("stripe-signature", &field)], body.as_bytes())
}

#[test]
fn an_event_of_stripe_is_a_hint_at_most() {
    let hint = Notified { verdict: Verdict::Hint, id: Some("evt_1".into()) };
    assert_eq!(stripe(NOW, "payment_intent", 2_500, "eur"), hint);
    assert_eq!(stripe(NOW, "charge", 500, "eur"), hint, "part of a payment has an amount of its own");
    assert_eq!(refused(stripe(NOW - 301, "payment_intent", 2_500, "eur")), Refusal::Time);
    assert_eq!(refused(stripe(NOW + 301, "payment_intent", 2_500, "eur")), Refusal::Time);
    let wrong = Verdict::Differs(ClearingReason::CallbackDiffers, Some(1), 200);
    assert_eq!(stripe(NOW, "payment_intent", 1, "eur").verdict, wrong);
    let dollars = Verdict::Differs(ClearingReason::Currency, Some(2_500), 200);
    assert_eq!(stripe(NOW, "payment_intent", 2_500, "usd").verdict, dollars);
}

fn computop(body: &str) -> Notified {
    judge(&*notified_by(Scheme::Computop), &[], body.as_bytes())
}

fn mac(text: &str) -> String {
    hex::encode_upper(seal::mac::hmac(seal::mac::MacDigest::Sha256, b"mySecret", text.as_bytes()).unwrap())
}

#[test]
fn a_form_of_computop_is_a_hint_at_most() {
    let code = mac(&format!("r-1*{REQUEST}*yourMerchantId*OK*00000000"));
    let good =
        format!("mid=yourMerchantId&PayID=r-1&TransID={REQUEST}&Status=OK&Code=00000000&MAC={code}&New=1");
    let hint = Notified { verdict: Verdict::Hint, id: None };
    assert_eq!(computop(&good), hint);
    let lower = good.replace("PayID", "payid").replace("MAC", "mac").replace("Status", "status");
    assert_eq!(computop(&lower), hint, "names are the same in either case");
    assert_eq!(refused(computop(&good.replace("Status=OK", "Status=FAILED"))), Refusal::Signature);
    assert_eq!(refused(computop(&good.replace("&MAC=", "&Other="))), Refusal::Signature);
    assert_eq!(refused(computop(&format!("{good}&payid=r-1"))), Refusal::Repeated);
    assert_eq!(refused(computop(&good.replace("PayID=r-1&", ""))), Refusal::Malformed);
    let other = mac(&format!("r-2*{REQUEST}*yourMerchantId*OK*00000000"));
    let other = good.replace("r-1", "r-2").replace(&code, &other);
    assert_eq!(refused(computop(&other)), Refusal::OtherPayment);
    for broken in
        ["", "Len=8&Data=00", "Len=9&Data=0011223344556677", "Len=x&Data=0011223344556677", "Data=00"]
    {
        assert_eq!(refused(computop(broken)), Refusal::Malformed, "{broken}");
    }
}

/// The same form, encrypted by OpenSSL's Blowfish.
#[test]
fn an_encrypted_form_of_computop_is_opened() {
    let data = include_str!("computop.hex");
    let hint = Notified { verdict: Verdict::Hint, id: None };
    assert_eq!(computop(data.trim()), hint);
    let damaged = data.trim().replacen("Data=B4", "Data=B5", 1);
    assert!(matches!(computop(&damaged).verdict, Verdict::Refused(_)));
    for length in ["Len=196", "Len=10", "Len=201", "Len=-1"] {
        let other = data.trim().replacen("Len=197", length, 1);
        assert!(matches!(computop(&other).verdict, Verdict::Refused(_)), "{length}");
    }
}

#[test]
fn the_vectors_of_others_are_signed_as_we_do() {
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/epayment/other-vectors.json");
    let Ok(vectors) = std::fs::read(vectors) else { return eprintln!("SKIPPED: ../shared is absent") };
    let vectors: Value = serde_json::from_slice(&vectors).unwrap();
    for vector in vectors["standard_webhooks"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        assert!(secret(text("secret")).signed(
            text("id"),
            text("timestamp"),
            text("body").as_bytes(),
            text("signature")
        ));
    }
    for vector in vectors["computop"].as_array().unwrap() {
        assert_eq!(mac(vector["string"].as_str().unwrap()), vector["mac"].as_str().unwrap());
    }
    for vector in vectors["stripe"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let signed = format!("{}.{}", text("t"), text("body"));
        let code =
            seal::mac::hmac(seal::mac::MacDigest::Sha256, text("secret").as_bytes(), signed.as_bytes());
        assert_eq!(hex::encode(code.unwrap()), text("v1"));
    }
}

proptest! {
    /// Nobody without a secret makes the gateway ask, however the notification looks.
    #[test]
    fn nothing_unsigned_is_more_than_evidence(
        body in prop::collection::vec(any::<u8>(), 0..200),
        field in "[\\x20-\\x7e]{0,60}",
        form in "(Len|Data|mid|PayID|TransID|Status|Code|MAC|[=&%0-9A-F]){0,40}",
        data in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let at = NOW.to_string();
        let stripe = format!("t={at},v1={field}");
        let sent = format!("Len={}&Data={}", data.len(), hex::encode(&data));
        let headers =
            [("webhook-id", &*field), ("webhook-timestamp", &*at), ("webhook-signature", &*field), ("stripe-signature", &*stripe)];
        for scheme in [Scheme::Standard, Scheme::Stripe, Scheme::Computop] {
            let provider = notified_by(scheme);
            for body in [&body[..], form.as_bytes(), sent.as_bytes()] {
                refused(judge(&*provider, &headers, body));
            }
        }
    }
}
