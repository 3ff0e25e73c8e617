//! Back-pressure: whoever brings too much is told so at once, and everybody else goes on.

use std::convert::Infallible;

use api::Settings;
use axum::body::{Body, Bytes};
use broker::Quotas;
use futures::{StreamExt, stream};
use model::{Actor, Caller, Scope};
use serde_json::json;
use tokio::sync::oneshot;

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};

async fn limited(quotas: Quotas) -> Gateway {
    Gateway::limited(Settings::default(), quotas).await
}

/// A body that begins and never ends; `came` hears when it has been asked for more.
fn hanging(came: oneshot::Sender<()>) -> Body {
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"<a>")) });
    let never = stream::once(async move {
        let _ = came.send(());
        std::future::pending().await
    });
    Body::from_stream(first.chain(never))
}

fn message(body: impl Into<Body>) -> Call {
    Call::post("/messages").with("content-type", "application/xml").bytes(body)
}

/// What `call` is answered while a body of `holder` hangs, and once more after it is gone.
async fn while_one_hangs(
    gateway: &Gateway,
    holder: &str,
    asker: &str,
    call: impl Fn() -> Call,
) -> [Answer; 2] {
    let (came, seen) = oneshot::channel();
    let hangs = gateway.call(holder, message(hanging(came)));
    let meanwhile = async {
        seen.await.unwrap();
        gateway.call(asker, call()).await
    };
    let during = tokio::select! {
        _ = hangs => panic!("the body never ends"),
        answer = meanwhile => answer,
    };
    [during, gateway.call(asker, call()).await]
}

fn assert_busy(answer: Answer, code: &str) {
    assert_eq!(answer.header("retry-after"), "2", "{answer:?}");
    assert_eq!(answer.is(429).code(), code);
}

#[tokio::test]
async fn requests_of_a_token_and_of_a_tenant_are_bounded() {
    let gateway = limited(Quotas { token_requests: 1, tenant_requests: 2, ..Quotas::default() }).await;
    let [one, other] = [
        gateway.token("soest", "63", "*", ALL_ROLES).await,
        gateway.token("soest", "63", "*", ALL_ROLES).await,
    ];
    let read = || Call::get("/cases");
    let [during, after] = while_one_hangs(&gateway, &one, &one, read).await;
    assert_busy(during, "broker.too-many-requests");
    after.is(200);
    let [during, _] = while_one_hangs(&gateway, &one, &other, read).await;
    during.is(200);

    let gateway = limited(Quotas { tenant_requests: 1, ..Quotas::default() }).await;
    let [one, other] = [
        gateway.token("soest", "63", "*", ALL_ROLES).await,
        gateway.token("soest", "63", "*", ALL_ROLES).await,
    ];
    let foreign = gateway.token("unna", "63", "*", ALL_ROLES).await;
    let [during, after] = while_one_hangs(&gateway, &one, &other, read).await;
    assert_busy(during, "broker.too-many-requests");
    after.is(200);
    let [during, _] = while_one_hangs(&gateway, &one, &foreign, read).await;
    during.is(200);
}

#[tokio::test]
async fn large_bodies_are_bounded_and_small_ones_go_on() {
    let gateway = limited(Quotas { bodies: 1, ..Quotas::default() }).await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let large = || message(vec![b'x'; 70_000]).with("content-length", "70000");
    let [during, after] = while_one_hangs(&gateway, &token, &token, large).await;
    assert_busy(during, "broker.too-many-bodies");
    after.is(202);
    let small = || message("<a/>").with("content-length", "4");
    let [during, _] = while_one_hangs(&gateway, &token, &token, small).await;
    during.is(202);
}

#[tokio::test]
async fn nobody_has_more_bodies_under_way_than_are_left() {
    let gateway = limited(Quotas { bodies: 8, tenant_bytes: 100, ..Quotas::default() }).await;
    let caller = |id: &str| Caller {
        actor: Actor { kind: "system".to_owned(), id: id.to_owned() },
        roles: vec![],
        scope: Scope::tenant("soest"),
        authority: None,
    };
    let place = |id: &str, announced| gateway.broker.body_place(&caller(id), announced);
    let all = |id: &str| std::iter::from_fn(|| place(id, None).ok()).collect::<Vec<_>>();
    let (one, other) = (all("one"), all("other"));
    assert_eq!((one.len(), other.len()), (5, 2));
    assert!(place("third", None).is_ok());
    drop(one);
    assert!(place("other", None).is_ok());
    // The same with what is announced.
    let held = [place("one", Some(40)).unwrap(), place("one", Some(30)).unwrap()];
    assert!(place("one", Some(1)).is_err());
    assert!(place("other", Some(30)).is_ok());
    drop(held);
    assert!(place("one", Some(1)).is_ok());
}

#[tokio::test]
async fn announced_bytes_of_a_tenant_are_bounded() {
    let gateway = limited(Quotas { tenant_bytes: 10, ..Quotas::default() }).await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let of = |bytes: &'static str| message(bytes).with("content-length", bytes.len().to_string());
    gateway.call(&token, of("1234567890")).await.is(202);
    assert_busy(gateway.call(&token, of("12345678901")).await, "broker.too-many-bodies");
    gateway.call(&token, of("123456789")).await.is(202);
}

#[tokio::test]
async fn messages_that_wait_are_bounded_and_everything_else_goes_on() {
    let gateway = limited(Quotas { tenant_waiting: 2, ..Quotas::default() }).await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    for number in 0..2 {
        gateway.call(&token, message(format!("<a>{number}</a>"))).await.is(202);
    }
    gateway.broker.look_at_pressure().await;
    assert_busy(gateway.call(&token, message("<a>3</a>")).await, "broker.too-many-waiting");
    let begin = message("").with("upload-complete", "?0");
    assert_busy(gateway.call(&token, begin).await, "broker.too-many-waiting");
    gateway.call(&token, Call::get("/messages")).await.is(200);
    let foreign = gateway.token("unna", "63", "*", ALL_ROLES).await;
    gateway.call(&foreign, message("<a>3</a>")).await.is(202);
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.look_at_pressure().await;
    gateway.call(&token, message("<a>3</a>")).await.is(202);
}

#[tokio::test]
async fn below_the_reserve_bodies_are_refused_and_reading_goes_on() {
    let gateway = limited(Quotas { disk_reserve: 1 << 60, ..Quotas::default() }).await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    // Nobody has looked yet.
    let kept = gateway.call(&token, message("<a/>")).await.is(202).json();
    gateway.broker.look_at_pressure().await;
    let refused = gateway.call(&token, message("<b/>")).await.is(507);
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("broker.disk-full", "60"));
    let path = format!("/messages/{}/content", kept["id"].as_str().unwrap());
    assert_eq!(gateway.call(&token, Call::get(&path)).await.is(200).body, b"<a/>");
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    gateway.call(&token, Call::post("/cases").json(case)).await.is(201);
    gateway.call(&token, Call::post("/inbox/leases").json(json!({ "seconds": 1 }))).await.is(200);
    assert!(gateway.broker.pressure().disk_full);
}

#[tokio::test]
async fn what_is_agreed_with_a_partner_lowers_what_is_sent_to_it() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let most = async |query: &str| {
        let answer = gateway.call(&token, Call::get(&format!("/capabilities/bab:05974028{query}"))).await;
        answer.is(200).json()["mostBytes"].as_u64().unwrap()
    };
    assert_eq!(most("").await, crate::gateway::MOST_BYTES);
    let settings = json!({ "mostBytes": 5_000, "services": { "abfall": { "mostBytes": 100 } } });
    let partner = json!({ "name": "Lippstadt", "authority": "bab:05974028", "settings": settings });
    let put = |body| Call::new("PUT", "/partners/lippstadt").json(body);
    gateway.call(&token, put(partner)).await.is(201);
    assert_eq!((most("").await, most("?service=abfall").await), (5_000, 100));
    let wrong = json!({ "name": "Lippstadt", "settings": { "mostBytes": "viel" } });
    let wrong = gateway.call(&token, put(wrong).with("if-match", "\"1\"")).await.is(400);
    assert_eq!(wrong.code(), "model.invalid");

    // A container is larger than that: it is parked before anything leaves.
    let case = json!({ "unit": "63", "title": "Akte" });
    let file = gateway.call(&token, Call::post("/case-files").json(case)).await.is(201).json();
    let path = format!("/case-files/{}/documents", file["id"].as_str().unwrap());
    let document =
        gateway.call(&token, Call::post(&path).json(json!({ "title": "Plan" }))).await.is(201).json();
    let path = format!("/documents/{}/content?fileName=plan.pdf", document["id"].as_str().unwrap());
    gateway.call(&token, Call::new("PUT", &path).bytes(vec![7; 6_000])).await.is(201);
    let wanted = json!({ "kind": "handover", "to": "bab:05974028", "objects": [file["id"]] });
    let exchange = gateway.call(&token, Call::post("/exchanges").json(wanted)).await.is(202).json();
    gateway.broker.run_due_jobs().await.unwrap();
    let sent = format!("/messages?direction=out&exchange={}", exchange["id"].as_str().unwrap());
    let sent = gateway.call(&token, Call::get(&sent)).await.is(200).json();
    assert_eq!(sent["items"][0]["state"], "parked", "{sent}");
    assert!(sent.to_string().contains("message.too-large-for-recipient"), "{sent}");
}
