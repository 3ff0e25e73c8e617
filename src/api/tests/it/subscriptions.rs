//! Subscriptions by REST. What they send is looked at where it is made and where it arrives.

use serde_json::json;

use crate::gateway::{ALL_ROLES, Call, Gateway};

async fn gateway() -> (Gateway, String) {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    (gateway, token)
}

#[tokio::test]
async fn a_subscription_shows_its_secret_once() {
    let (gateway, token) = gateway().await;
    let new = json!({ "url": "https://hooks.example/in", "types": ["record.created"] });
    let create = || Call::post("/subscriptions").with("idempotency-key", "one").json(new.clone());
    let made = gateway.call(&token, create()).await.is(201);
    let path = made.header("location").strip_prefix(api::BASE).unwrap().to_owned();
    let made = made.json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let again = gateway.call(&token, create()).await.is(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((&again.json()["id"], &again.json()["secret"]), (&made["id"], &json!(null)));
    let read = gateway.call(&token, Call::get(&path)).await.is(200);
    assert_eq!(read.header("etag"), "\"1\"");
    assert!(!String::from_utf8_lossy(&read.body).contains("whsec_"));
    let list = gateway.call(&token, Call::get("/subscriptions")).await.is(200).json();
    assert_eq!(list["items"], json!([read.json()]));

    let rotate =
        || Call::post(&format!("{path}/rotate-secret")).with("idempotency-key", "two").json(json!({}));
    let rotated = gateway.call(&token, rotate()).await.is(200);
    assert_eq!(rotated.header("etag"), "\"2\"");
    let rotated = rotated.json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["oldSecretUntil"].is_string());
    let again = gateway.call(&token, rotate()).await.is(200).json();
    assert_eq!((&again["version"], &again["secret"]), (&json!(2), &json!(null)));
}

#[tokio::test]
async fn a_subscription_is_changed_under_a_precondition_and_deleted() {
    let (gateway, token) = gateway().await;
    let made =
        gateway.call(&token, Call::post("/subscriptions").json(json!({ "url": "https://a.example/" }))).await;
    let path = format!("/subscriptions/{}", made.is(201).json()["id"].as_str().unwrap());
    let patch =
        |version: &str, body| Call::new("PATCH", &path).with("if-match", version.to_owned()).json(body);
    let changed =
        gateway.call(&token, patch("\"1\"", json!({ "enabled": false, "types": [] }))).await.is(200);
    assert_eq!((&changed.json()["enabled"], changed.header("etag")), (&json!(false), "\"2\""));
    let stale = gateway.call(&token, patch("\"1\"", json!({ "enabled": true }))).await.is(412);
    assert_eq!(stale.code(), "model.version-conflict");
    for (body, status, code) in [
        (json!({ "url": null }), 400, "api.invalid-body"),
        (json!({ "secret": "x" }), 400, "api.invalid-body"),
        (json!({ "types": ["no.such"] }), 400, "api.invalid-body"),
        (json!({ "after": 1_000_000 }), 400, "model.invalid"),
        (json!({ "url": "https://127.0.0.1/" }), 422, "net.forbidden"),
        (json!({ "url": format!("https://a.example/{}", "a".repeat(2_000)) }), 400, "model.invalid"),
    ] {
        assert_eq!(gateway.call(&token, patch("\"2\"", body)).await.is(status).code(), code);
    }
    gateway.call(&token, Call::post(&format!("{path}/test"))).await.is(202);
    gateway.broker.run_due_jobs().await.unwrap();
    let list = gateway.call(&token, Call::get(&format!("{path}/deliveries"))).await.is(200).json();
    assert_eq!(list["items"][0]["type"], "subscription.test");
    assert_eq!(
        (&list["items"][0]["code"], &list["items"][0]["delivered"]),
        (&json!("net.unreachable"), &json!(false))
    );
    gateway.call(&token, Call::new("DELETE", &path)).await.is(204);
    gateway.call(&token, Call::get(&path)).await.is(404);
    gateway.call(&token, Call::new("DELETE", &path)).await.is(404);
}
