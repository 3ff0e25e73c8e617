//! Four eyes over REST: asked for with 202, agreed to by somebody else, read for a time.

use model::Role;
use serde_json::json;

use crate::gateway::{ALL_ROLES, Call, Gateway};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_reads_a_message_once_somebody_else_has_agreed() {
    let gateway = Gateway::start().await;
    let owner = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let operator = gateway.token("soest", "63", "*", &[Role::Operator]).await;
    let manager = gateway.token("soest", "63", "*", &[Role::RecordsManager]).await;
    let raw = Call::post("/messages").with("content-type", "application/xml").bytes("<a>Inhalt</a>");
    let message = gateway.call(&owner, raw).await.is(202).json()["id"].as_str().unwrap().to_owned();
    gateway.call(&operator, Call::get(&format!("/messages/{message}/content"))).await.is(403);

    let act = |minutes: u32| json!({ "do": "release-message", "message": message, "minutes": minutes });
    let ask = |minutes| Call::post("/approvals").json(json!({ "act": act(minutes), "reason": "Störung" }));
    assert_eq!(gateway.call(&operator, ask(481)).await.is(400).code(), "model.invalid");
    let unknown = json!({ "act": { "do": "anything" }, "reason": "Störung" });
    assert_eq!(
        gateway.call(&operator, Call::post("/approvals").json(unknown)).await.is(400).code(),
        "api.invalid-body"
    );
    let asked = gateway.call(&operator, ask(30).with("idempotency-key", "k")).await.is(202);
    let again = gateway.call(&operator, ask(30).with("idempotency-key", "k")).await.is(202);
    assert_eq!(
        (asked.json()["id"].clone(), again.header("idempotency-replayed")),
        (again.json()["id"].clone(), "true")
    );
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(asked.header("location"), format!("/api/v1/approvals/{id}"));

    let at = |rest: &str| format!("/approvals/{id}{rest}");
    assert_eq!(
        gateway.call(&operator, Call::post(&at("/agree"))).await.is(409).code(),
        "model.second-person"
    );
    let early = gateway.call(&operator, Call::get(&at("/content"))).await.is(403);
    assert_eq!(early.code(), "broker.not-released");
    let waiting = gateway.call(&manager, Call::get("/approvals?open=true")).await.is(200).json();
    assert_eq!(waiting["items"][0]["id"], id.as_str());
    assert_eq!(gateway.call(&manager, Call::get(&at(""))).await.is(200).json()["reason"], "Störung");
    let agreed = gateway.call(&manager, Call::post(&at("/agree"))).await.is(200).json();
    assert_eq!((agreed["state"].as_str(), agreed["validUntil"].is_string()), (Some("agreed"), true));
    let content = gateway.call(&operator, Call::get(&at("/content"))).await.is(200);
    assert_eq!(content.body, b"<a>Inhalt</a>");
    assert!(content.header("content-disposition").starts_with("attachment"));
    gateway.call(&manager, Call::get(&at("/content"))).await.is(404);
    let mine = gateway.call(&operator, Call::get("/approvals?mine=true&open=false")).await.is(200).json();
    assert_eq!(mine["items"][0]["state"], "agreed");
}
