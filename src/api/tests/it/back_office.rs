//! What lies on desks, what adapters do not have yet, and the door by which they are called.

use axum::body::Body;
use axum::http::Request;
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, RecordKind, Role};
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};
use crate::outside::Leads;

/// Most bytes of a call to an adapter.
const MOST: usize = 16 << 20;

struct Office {
    gateway: Gateway,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let gateway = Gateway::start().await;
        let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
        Office { gateway, token }
    }

    async fn make(&self, path: &str, body: Value) -> String {
        let made = self.gateway.call(&self.token, Call::post(path).json(body)).await.is(201).json();
        made["id"].as_str().unwrap().to_owned()
    }

    async fn case(&self) -> String {
        self.make("/cases", json!({ "unit": "63", "title": "Bauantrag" })).await
    }

    async fn contact(&self) -> String {
        self.make("/interactions", json!({ "unit": "63", "kind": "visit" })).await
    }

    async fn get(&self, path: &str) -> Value {
        self.gateway.call(&self.token, Call::get(path)).await.is(200).json()
    }

    async fn act(&self, path: &str) -> Answer {
        self.gateway.call(&self.token, Call::post(path)).await
    }

    async fn knock(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.gateway.knock(Request::builder().method("POST").uri(path).body(body.into()).unwrap()).await
    }

    /// The delivery of a contact, once it waits for a human.
    async fn parked(&self, contact: &str) -> Value {
        let is_it =
            |list: &Value| list["items"].as_array().unwrap().iter().any(|it| it["record"]["id"] == *contact);
        let list = self.gateway.until(&self.token, "/channel-deliveries?parked=true", is_it).await;
        let mut items = list["items"].as_array().unwrap().iter();
        items.find(|it| it["record"]["id"] == *contact).unwrap().clone()
    }
}

#[tokio::test]
async fn what_lies_on_a_desk_is_filed_handed_on_or_dismissed() {
    let office = Office::open().await;
    let (case, contact) = (office.case().await, office.contact().await);
    let on_desks = office.get("/interactions?status=open").await;
    assert_eq!(on_desks["items"][0]["id"], json!(contact));

    let path = format!("/interactions/{contact}/file");
    let file = || Call::post(&path).json(json!({ "case": case }));
    let late = office.gateway.call(&office.token, file().with("if-match", "\"7\"")).await.is(412);
    assert_eq!(late.code(), "model.version-conflict");
    let first = office.gateway.call(&office.token, file().with("idempotency-key", "f")).await.is(200);
    let filed = first.json();
    assert_eq!((&filed["status"], &filed["caseId"]), (&json!("filed"), &json!(case)));
    let again = office.gateway.call(&office.token, file().with("idempotency-key", "f")).await.is(200);
    assert_eq!((again.body, again.headers["idempotency-replayed"].to_str().unwrap()), (first.body, "true"));
    let twice = office.gateway.call(&office.token, file()).await.is(409);
    assert_eq!(twice.code(), "model.wrong-state");
    assert_eq!(office.get(&format!("/interactions?case={case}")).await["items"][0]["id"], json!(contact));
    let events = office.get(&format!("/interactions/{contact}/timeline")).await;
    assert_eq!(events["items"].as_array().unwrap().len(), 2);

    let other = office.contact().await;
    let hand_on =
        |unit: &str| Call::post(&format!("/interactions/{other}/hand-on")).json(json!({ "unit": unit }));
    let unknown = office.gateway.call(&office.token, hand_on("99")).await.is(422);
    assert_eq!(unknown.code(), "broker.unknown-unit");
    let handed = office.gateway.call(&office.token, hand_on("70")).await.is(200).json();
    assert_eq!((&handed["unit"], &handed["status"]), (&json!("70"), &json!("open")));
    office.gateway.call(&office.token, Call::get(&format!("/interactions/{other}"))).await.is(404);
    let theirs = office.gateway.token("soest", "70", "*", ALL_ROLES).await;
    let dismiss = Call::post(&format!("/interactions/{other}/dismiss"));
    let dismissed = office.gateway.call(&theirs, dismiss).await.is(200).json();
    assert_eq!(dismissed["status"], json!("dismissed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_adapter_does_not_have_is_seen_sent_again_or_dropped() {
    let office = Office::open().await;
    let workers = office.gateway.work().await;
    let (first, second) = (office.contact().await, office.contact().await);
    let waits = office.parked(&first).await;
    assert_eq!((&waits["adapter"], &waits["parked"]["code"]), (&json!("outside"), &json!("adapter.failed")));
    let page = model::catalog::sentence("adapter.failed").unwrap();
    assert_eq!((&waits["parked"]["en"], &waits["parked"]["de"]), (&json!(page.en), &json!(page.de)));
    let path = format!("/channel-deliveries/{}", waits["id"].as_str().unwrap());
    assert_eq!(office.get(&path).await, waits);
    let task = format!("/tasks/{}", waits["task"].as_str().unwrap());
    assert_eq!(office.get(&task).await["kind"], json!("adapter.failed"));

    // A clerk sees it, and leaves it to the operating desk.
    let clerk = office.gateway.token("soest", "63", "*", &[Role::Clerk]).await;
    for step in ["resend", "drop"] {
        let refused = office.gateway.call(&clerk, Call::post(&format!("{path}/{step}"))).await.is(403);
        assert_eq!(refused.code(), "model.forbidden");
    }
    office.gateway.outside.is_well();
    office.act(&format!("{path}/resend")).await.is(204);
    let is_linked = |links: &Value| links["items"][0]["reference"] == format!("outside:{first}");
    office.gateway.until(&office.token, &format!("/links/{first}"), is_linked).await;
    office.gateway.call(&office.token, Call::get(&path)).await.is(404);
    assert_eq!(office.act(&format!("{path}/resend")).await.is(404).code(), "model.not-found");
    assert_eq!(office.get(&task).await["status"], json!("done"));

    let waits = office.parked(&second).await;
    let path = format!("/channel-deliveries/{}", waits["id"].as_str().unwrap());
    office.act(&format!("{path}/drop")).await.is(204);
    office.act(&format!("{path}/drop")).await.is(404);
    assert_eq!(office.get(&format!("/links/{second}")).await["items"], json!([]));
    let task = office.get(&format!("/tasks/{}", waits["task"].as_str().unwrap())).await;
    assert_eq!(task["status"], json!("done"));
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_is_called_with_what_a_signature_may_need_and_nothing_of_ours() {
    let office = Office::open().await;
    let request = Request::builder().method("PUT").uri("/adapters/outside/hooks/a?b=c");
    let request =
        request.header("cookie", "session=1").header("Proxy-Authorization", "x").header("X-Signature", "s");
    office.gateway.knock(request.body(Body::from("hallo")).unwrap()).await.is(200);
    let called = office.gateway.outside.last_call();
    assert_eq!((called.method.as_str(), called.path.as_str(), called.bytes), ("PUT", "hooks/a?b=c", 5));
    assert_eq!(called.headers, [("x-signature".to_owned(), "s".to_owned())]);

    office.knock("/adapters/outside", vec![b'x'; MOST]).await.is(200);
    assert_eq!(office.gateway.outside.last_call().bytes, MOST);
    office.knock("/adapters/outside", vec![b'x'; MOST + 1]).await.is(413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_after_what_it_led_to_and_by_what_was_in_the_way() {
    let office = Office::open().await;
    let case = office.case().await;
    let id: Id = case.parse().unwrap();
    let leads_to = |change: Change| {
        let command = Command { kind: RecordKind::Case, id, expected: None, change };
        Ok(Leads { to: Some(("k", command)), status: 202, body: "taken" })
    };
    let outside = &office.gateway.outside;
    let assign = || leads_to(Change::AssignReference("63-4711/26".into()));
    for _ in 0..2 {
        outside.answers(assign());
        let answer = office.knock("/adapters/outside/done", "").await.is(202);
        assert_eq!(answer.body, b"taken");
        let now = office.get(&format!("/cases/{case}")).await;
        assert_eq!((&now["recordReference"], &now["version"]), (&json!("63-4711/26"), &json!(2)), "once");
    }
    let fails = |kind| Err(Failure::new(kind, "adapter.failed", "geheim"));
    let unknown = Command { kind: RecordKind::Case, id: Id::now_v7(), expected: None, change: Change::Close };
    let elsewhere = Leads { to: Some(("n", unknown)), status: 200, body: "" };
    let reopen = Command { kind: RecordKind::Case, id, expected: None, change: Change::Reopen };
    let untimely = Leads { to: Some(("r", reopen)), status: 200, body: "" };
    for (answer, status) in [
        (fails(FailureKind::Rejected), 400),
        (fails(FailureKind::Unauthorised), 401),
        (fails(FailureKind::Permanent), 404),
        (fails(FailureKind::Transient), 503),
        (fails(FailureKind::Uncertain), 503),
        (Ok(elsewhere), 404),
        (Ok(untimely), 409),
    ] {
        outside.answers(answer);
        let answer = office.knock("/adapters/outside", "").await.is(status);
        assert!(answer.body.is_empty(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // What an adapter says itself is said with when to come again.
    for status in [429, 503] {
        outside.answers(Ok(Leads { to: None, status, body: "busy" }));
        let answer = office.knock("/adapters/outside", "").await.is(status);
        assert_eq!((answer.body.as_slice(), answer.header("retry-after")), (&b"busy"[..], "30"));
    }
}
