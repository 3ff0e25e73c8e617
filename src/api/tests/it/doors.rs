//! The doors that stand on the internet: hostile callers learn nothing and leave nothing, providers and payers are served.

use axum::body::Body;
use axum::http::Request;
use broker::Workers;
use model::payment::TruthState;
use model::payment::provider::Order;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};
use crate::till::MOST_NOTICE;

/// A payment that its provider knows.
struct Begun {
    gateway: Gateway,
    token: String,
    id: String,
    order: Order,
    workers: Workers,
}

async fn begun(body: Value) -> Begun {
    let gateway = Gateway::start().await;
    let workers = gateway.work().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let made = async |path: &str, body: Value| {
        gateway.call(&token, Call::post(path).json(body)).await.is(201).json()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let case = made("/cases", json!({ "unit": "63", "title": "Bauantrag" })).await;
    let owed = json!({ "amountCents": 123_456, "purpose": "Gebühr" });
    let claim = made(&format!("/cases/{case}/claims"), owed).await;
    let id = made(&format!("/claims/{claim}/payments"), body).await;
    let order = gateway.till.last();
    Begun { gateway, token, id, order, workers }
}

impl Begun {
    async fn knock(&self, method: &str, url: &str, body: impl Into<Body>) -> Answer {
        self.gateway.knock(Request::builder().method(method).uri(url).body(body.into()).unwrap()).await
    }

    async fn status(&self) -> String {
        let path = format!("/payments/{}", self.id);
        let payment = self.gateway.call(&self.token, Call::get(&path)).await.is(200).json();
        payment["status"].as_str().unwrap().to_owned()
    }

    async fn until(&self, status: &str) {
        let path = format!("/payments/{}", self.id);
        self.gateway.until(&self.token, &path, |payment| payment["status"] == status).await;
    }
}

/// The last step of an address.
fn token_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_has_the_provider_asked_and_pays_nothing_by_itself() {
    let begun = begun(json!({})).await;
    let url = begun.order.notify_url.clone();
    assert!(url.starts_with("https://zahlung.example/payments/till/notify/"), "{url}");
    for _ in 0..3 {
        let answer = begun.knock("POST", &url, "paid").await.is(200);
        assert!(answer.body.is_empty(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.headers.get("api-version").is_none());
    }
    assert_ne!(begun.status().await, "paid");
    begun.gateway.till.says(TruthState::Paid);
    begun.knock("POST", &format!("{url}?again=1"), "paid").await.is(200);
    begun.until("paid").await;
    let seen = begun.gateway.till.notices();
    assert!(seen.iter().any(|notice| notice.query == "again=1" && notice.body == b"paid"));
    begun.workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_callers_learn_nothing_and_leave_nothing() {
    let begun = begun(json!({})).await;
    let (notify, back) = (begun.order.notify_url.clone(), begun.order.return_url.clone());
    begun.gateway.till.says(TruthState::Paid);
    let unknown = "A".repeat(token_of(&notify).len());
    let silent = |answer: Answer| assert!(answer.body.is_empty(), "{answer:?}");
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        for url in [&notify, &back] {
            let answer = begun.knock(method, url, "paid").await.is(405);
            assert_eq!(answer.header("allow"), "GET, POST");
            silent(answer);
        }
    }
    // The provider notifies by POST.
    let answer = begun.knock("GET", &format!("{notify}?paid"), "").await.is(405);
    assert_eq!(answer.header("allow"), "POST");
    silent(answer);
    for url in [
        format!("/payments/till/notify/{unknown}"),
        format!("/payments/other/notify/{}", token_of(&notify)),
        format!("/payments/till/notify/{}", token_of(&back)),
        format!("/payments/till/notify/{}", token_of(&notify).to_lowercase()),
        "/payments/till/notify/x".to_owned(),
        "/payments/till/notify/%00".to_owned(),
        "/payments/till/notify/%ff%fe".to_owned(),
        format!("/payments/%ff/notify/{}", token_of(&notify)),
        format!("/payments/till/notify/{}", "x".repeat(2_000)),
        "/payments/till/notify/..%2f..%2fhealth".to_owned(),
        "/payments/'%20OR%201=1--/notify/1".to_owned(),
    ] {
        silent(begun.knock("POST", &url, "paid").await.is(400));
    }
    for body in ["paid&paid", "", "something else"] {
        silent(begun.knock("POST", &notify, body).await.is(400));
    }
    for url in
        ["/", "/payments", "/payments/till/notify/", "/api/v1/openapi.json", "/metrics", "/health/live"]
    {
        silent(begun.knock("GET", url, "").await.is(404));
    }
    silent(begun.knock("POST", &notify, "x".repeat(MOST_NOTICE + 1)).await.is(413));
    silent(begun.knock("POST", &notify, "x".repeat(1 << 20)).await.is(413));
    let announced = Request::post(&notify).header("content-length", "70000").body(Body::from_stream(never()));
    silent(begun.gateway.knock(announced.unwrap()).await.is(413));
    let odd = Request::post(&notify).header("content-length", "-1").body(Body::from("paid"));
    silent(begun.gateway.knock(odd.unwrap()).await.is(400));
    begun.knock("POST", &format!("{notify}?{}", "q".repeat(9_000)), "paid").await.is(414);
    assert_eq!(begun.status().await, "started");
    begun.workers.stop().await;
}

/// A body that never comes: whoever reads it waits for ever.
fn never() -> impl futures::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    futures::stream::pending()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_is_sent_on_to_the_portal_that_began_the_payment() {
    let begun = begun(json!({ "returnTo": "https://portal.example/antrag?nr=7#unten" })).await;
    begun.gateway.till.says(TruthState::Paid);
    for method in ["GET", "POST"] {
        let answer = begun.knock(method, &begun.order.return_url, "").await.is(303);
        let to = format!("https://portal.example/antrag?nr=7&payment={}#unten", begun.id);
        assert_eq!(answer.header("location"), to);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    assert_eq!(begun.status().await, "paid", "the provider was asked meanwhile");
    begun.workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_without_a_portal_sees_how_the_payment_stands() {
    let begun = begun(json!({})).await;
    let url = begun.order.return_url.clone();
    // What the browser says is never what is shown.
    let open = begun.knock("GET", &format!("{url}?status=paid"), "").await.is(200);
    let text = String::from_utf8(open.body.clone()).unwrap();
    assert!(text.contains("Ihre Zahlung ist noch offen") && text.contains("1.234,56\u{a0}€"), "{text}");
    assert!(text.contains("https://pay.example/kasse?a=1&amp;b=2"), "{text}");
    assert!(text.contains("Bauaufsicht soest"), "{text}");
    let policy = open.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("content-language", "de"),
        ("vary", "accept-language"),
    ] {
        assert_eq!(open.header(name).to_lowercase(), value, "{name}");
    }
    assert!(open.header("x-robots-tag").contains("noindex"));
    begun.gateway.till.says(TruthState::Paid);
    let english = Request::get(&url).header("accept-language", "en-GB,en;q=0.9,de;q=0.1").body(Body::empty());
    let paid = begun.gateway.knock(english.unwrap()).await.is(200);
    let text = String::from_utf8(paid.body).unwrap();
    assert!(text.contains("<html lang=\"en\">") && text.contains("Your payment has been received"), "{text}");
    assert!(!text.contains("pay.example"), "{text}");
    let unknown = format!("/payments/till/return/{}", "A".repeat(22));
    for url in
        [unknown.as_str(), "/payments/till/return/%ff", &begun.order.notify_url.replace("notify", "return")]
    {
        let answer = begun.knock("GET", url, "").await.is(404);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("Diese Adresse gibt es nicht") && !text.contains("soest"), "{text}");
    }
    begun.workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_not_heard_out_for_ever() {
    let begun = begun(json!({})).await;
    let mut answers = std::collections::BTreeMap::new();
    for number in 0..150 {
        let url = format!("{}?{number}", begun.order.notify_url);
        let answer = begun.knock("POST", &url, "paid").await;
        assert_eq!(answer.status == 503, !answer.header("retry-after").is_empty());
        *answers.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [200, 503], "{answers:?}");
    begun.workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_in_no_figure_record_or_event() {
    let begun = begun(json!({})).await;
    begun.knock("POST", &begun.order.notify_url, "paid").await.is(200);
    begun.knock("GET", &begun.order.return_url, "").await.is(200);
    let figures =
        api::operations_router(api::Api::new(begun.gateway.broker.clone(), api::Settings::default()));
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let figures = Gateway::ask(&figures, request).await.is(200);
    let mut seen = vec![String::from_utf8(figures.body).unwrap()];
    assert!(seen[0].contains("/payments/{provider}/notify/{token}"), "{}", seen[0]);
    for path in ["/payments", &format!("/payments/{}/timeline", begun.id), "/events"] {
        let answer = begun.gateway.call(&begun.token, Call::get(path)).await.is(200);
        seen.push(String::from_utf8(answer.body).unwrap());
    }
    for text in seen {
        for url in [&begun.order.notify_url, &begun.order.return_url] {
            assert!(!text.contains(token_of(url)), "{text}");
        }
    }
    begun.workers.stop().await;
}

#[tokio::test]
async fn of_adapters_that_take_no_calls_nobody_learns() {
    let gateway = Gateway::start().await;
    for path in
        ["/adapters/dms", "/adapters/dms/hook", "/adapters/..%2f", "/adapters/", "/adapters/dms/a/b?c=d"]
    {
        let request = Request::builder().method("POST").uri(path).body(Body::from("x")).unwrap();
        let answer = gateway.knock(request).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (404, 0), "{path}: {answer:?}");
    }
}
