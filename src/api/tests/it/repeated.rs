//! What comes twice has one effect and the first answer; what comes late does not overwrite.

use serde_json::json;

use crate::gateway::{ALL_ROLES, Call, Gateway};

#[tokio::test]
async fn the_same_key_gets_the_first_answer_and_another_request_is_refused() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let create = |title: &str| {
        let body = json!({ "unit": "63", "title": title });
        Call::post("/cases").with("idempotency-key", "k-1").json(body)
    };
    let first = gateway.call(&token, create("Bauantrag")).await.is(201);
    let again = gateway.call(&token, create("Bauantrag")).await.is(201);
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let other = gateway.call(&token, create("Anderer Antrag")).await.is(422);
    assert_eq!(other.code(), "broker.key-reused");
    let cases = gateway.call(&token, Call::get("/cases")).await.is(200).json();
    assert_eq!(cases["items"].as_array().unwrap().len(), 1);

    let colleague = gateway.token("soest", "63", "*", ALL_ROLES).await;
    gateway.call(&colleague, create("Bauantrag")).await.is(201);
    let cases = gateway.call(&token, Call::get("/cases")).await.is(200).json();
    assert_eq!(cases["items"].as_array().unwrap().len(), 2, "keys of different callers never meet");
}

#[tokio::test]
async fn a_message_sent_again_is_the_same_message() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let send = |key: &str, text: &'static str| {
        let call = Call::post("/messages").with("content-type", "application/xml").bytes(text);
        if key.is_empty() { call } else { call.with("idempotency-key", key) }
    };
    let first = gateway.call(&token, send("k-3", "<a/>")).await.is(202);
    let again = gateway.call(&token, send("k-3", "<a/>")).await.is(202);
    assert_eq!(first.body, again.body);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(gateway.call(&token, send("k-3", "<b/>")).await.is(422).code(), "broker.key-reused");
    let without = gateway.call(&token, send("", "<a/>")).await.is(202);
    assert_eq!(without.json()["id"], first.json()["id"], "known by its own bytes");
    let all = gateway.call(&token, Call::get("/messages")).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_is_made_once_and_its_secret_shown_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let create = || {
        let body =
            json!({ "name": "Portal", "roles": ["system"], "units": { "only": ["63"] }, "services": "all" });
        Call::post("/tokens").with("idempotency-key", "k-2").json(body)
    };
    let first = gateway.call(&admin, create()).await.is(201).json();
    let again = gateway.call(&admin, create()).await.is(409);
    assert_eq!(again.code(), "broker.answer-not-kept");
    assert!(again.header("location").ends_with(first["id"].as_str().unwrap()));
    let secret = first["secret"].as_str().unwrap();
    gateway.call(secret, Call::get("/cases")).await.is(200);
    let listed = gateway.call(&admin, Call::get("/tokens")).await.is(200);
    assert!(!String::from_utf8_lossy(&listed.body).contains(secret));
    let path = format!("/tokens/{}", first["id"].as_str().unwrap());
    gateway.call(&admin, Call::new("DELETE", &path)).await.is(204);
    assert_eq!(gateway.call(secret, Call::get("/cases")).await.is(401).code(), "api.unauthorized");
}

#[tokio::test]
async fn nobody_makes_a_token_that_sees_more_than_their_own() {
    let gateway = Gateway::start().await;
    let admin = gateway.token("soest", "63", "*", ALL_ROLES).await;
    for units in [json!("all"), json!({ "only": ["70"] }), json!({ "only": ["63", "70"] })] {
        let body = json!({ "name": "Portal", "roles": ["system"], "units": units, "services": "all" });
        let refused = gateway.call(&admin, Call::post("/tokens").json(body)).await.is(403);
        assert_eq!(refused.code(), "model.forbidden");
    }
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_seen() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let body = json!({ "unit": "63", "title": "Bauantrag" });
    let case = gateway.call(&token, Call::post("/cases").json(body)).await.is(201).json();
    let path = format!("/cases/{}", case["id"].as_str().unwrap());
    let patch = || Call::new("PATCH", &path).json(json!({ "title": "Neu" }));
    assert_eq!(gateway.call(&token, patch()).await.is(428).code(), "api.if-match-missing");
    let changed = gateway.call(&token, patch().with("if-match", "\"1\"")).await.is(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    for stale in ["\"1\"", "\"x\""] {
        let refused = gateway.call(&token, patch().with("if-match", stale)).await.is(412);
        assert_eq!(refused.code(), "model.version-conflict");
    }
    for wrong in ["1", "\"1\", \"2\"", "W/\"1\""] {
        let refused = gateway.call(&token, patch().with("if-match", wrong)).await.is(400);
        assert_eq!(refused.code(), "api.invalid-header");
    }
    let close = Call::post(&format!("{path}/close")).with("if-match", "\"1\"");
    gateway.call(&token, close).await.is(412);
}

#[tokio::test]
async fn a_partner_is_created_once_and_changed_by_version() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
    let put = |name: &str| Call::new("PUT", "/partners/archiv").json(json!({ "name": name }));
    gateway.call(&token, put("Archiv").with("if-match", "\"1\"")).await.is(404);
    gateway.call(&token, put("Archiv")).await.is(201);
    gateway.call(&token, put("Kreisarchiv")).await.is(428);
    gateway.call(&token, put("Kreisarchiv").with("if-match", "\"1\"")).await.is(200);
    gateway.call(&token, put("Stadtarchiv").with("if-match", "\"1\"")).await.is(412);
    let partner = gateway.call(&token, Call::get("/partners/archiv")).await.is(200);
    assert_eq!((partner.json()["name"].as_str(), partner.header("etag")), (Some("Kreisarchiv"), "\"2\""));
}

#[tokio::test]
async fn lists_are_walked_by_their_links() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    for number in 0..5 {
        let body = json!({ "unit": "63", "title": format!("Antrag {number}") });
        gateway.call(&token, Call::post("/cases").json(body)).await.is(201);
    }
    let mut titles = vec![];
    let mut path = "/cases?limit=2&status=open".to_owned();
    loop {
        let page = gateway.call(&token, Call::get(&path)).await.is(200);
        let json = page.json();
        titles.extend(json["items"].as_array().unwrap().iter().map(|case| case["title"].clone()));
        let link = page.header("link");
        assert_eq!(link.is_empty(), json.get("next").is_none());
        let Some(target) = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""))
        else {
            break;
        };
        path = target.strip_prefix(api::BASE).unwrap().to_owned();
    }
    assert_eq!(titles, (0..5).map(|number| json!(format!("Antrag {number}"))).collect::<Vec<_>>());
    for wrong in ["0", "201", "-1", "x", ""] {
        let refused = gateway.call(&token, Call::get(&format!("/cases?limit={wrong}"))).await.is(400);
        assert_eq!(refused.code(), "api.invalid-query");
    }
}
