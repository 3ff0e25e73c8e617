//! Malformed requests: each gets a 4xx problem with a stable code. None gets a 5xx, and memory does not grow
//! with them.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Call, Gateway, MOST_BYTES, memory, repr_digest};

/// Requests, each with the status and code it gets.
fn requests(case: &str, document: &str) -> Vec<(&'static str, Call, u16, &'static str)> {
    let new = || Call::post("/cases");
    let raw = |text: &str| new().with("content-type", "application/json").bytes(text.to_owned());
    let put = |query: &str| Call::new("PUT", &format!("/documents/{document}/content{query}"));
    let send = || Call::post("/messages").with("content-type", "application/xml");
    let patch = |body: Value| Call::new("PATCH", &format!("/cases/{case}")).with("if-match", "*").json(body);
    let case_with = |name: &str, value: Value| {
        let mut body = json!({ "unit": "63", "title": "x" });
        body[name] = value;
        new().json(body)
    };
    let bytes = |bytes: &'static [u8]| new().with("content-type", "application/json").bytes(bytes);
    let within_both = json!({ "unit": "63", "title": "x", "caseFile": case, "parent": case });
    let exchange = |name: &str, value: Value| {
        let mut body = json!({ "kind": "handover", "to": "bab:05974028", "objects": [case] });
        body[name] = value;
        Call::post("/exchanges").json(body)
    };
    let task = json!({ "unit": "63", "title": "x", "kind": "x", "due": "2026-01-01T00:00:00" });
    let token = json!({ "name": "x", "roles": ["king"], "units": "all", "services": "all" });
    let too_far = json!({ "locations": [{ "latitudeMicro": 9_999_999_999_i64 }] });
    let announced = (MOST_BYTES + 1).to_string();
    let body = "api.invalid-body";
    vec![
        ("no JSON", raw("{"), 400, body),
        ("an empty body", raw(""), 400, body),
        ("an array", raw("[]"), 400, body),
        ("two values", raw("{} {}"), 400, body),
        ("a comment", raw("{/* x */}"), 400, body),
        ("a member twice", raw(r#"{"unit": "63", "unit": "70", "title": "x"}"#), 400, body),
        (
            "a nested member twice",
            raw(r#"{"unit": "63", "period": {"begin": "a", "begin": "b"}}"#),
            400,
            body,
        ),
        ("an unknown member", case_with("owner", json!("x")), 400, body),
        ("an unknown nested member", case_with("period", json!({ "start": "x" })), 400, body),
        ("an id of one's own", case_with("id", json!("x")), 400, body),
        ("another tenant", case_with("tenant", json!("lippstadt")), 400, body),
        ("a status", case_with("status", json!("locked")), 400, body),
        ("extensions", case_with("extensions", json!({ "xdomea": { "a": 1 } })), 400, body),
        ("a wrong type", case_with("title", json!(5)), 400, body),
        ("null", case_with("title", json!(null)), 400, body),
        ("a fraction", case_with("position", json!(1.5)), 400, body),
        ("a negative position", case_with("position", json!(-1)), 400, body),
        ("a huge number", raw(r#"{"position": 123456789012345678901234567890}"#), 400, body),
        ("an exponent", raw(r#"{"position": 1e400}"#), 400, body),
        ("NUL in a text", case_with("title", json!("a\0b")), 400, body),
        ("a control character", case_with("title", json!("a\u{1}b")), 400, body),
        ("a half surrogate", raw(r#"{"unit": "63", "title": "\ud800"}"#), 400, body),
        ("UTF-8 that is none", bytes(b"{\"title\": \"\xff\"}"), 400, body),
        ("UTF-16", bytes(b"\xff\xfe{\0}\0"), 400, body),
        ("a byte order mark", raw("\u{feff}{}"), 400, body),
        ("deep arrays", raw(&("[".repeat(5_000) + &"]".repeat(5_000))), 400, body),
        ("deep objects", raw(&("{\"a\":".repeat(200) + "1" + &"}".repeat(200))), 400, body),
        ("unclosed depth", raw(&"[".repeat(100_000)), 400, body),
        (
            "a large body",
            raw(&format!("{{\"title\": \"{}\"}}", "x".repeat(300_000))),
            413,
            "api.body-too-large",
        ),
        ("a large announced body", raw("{}").with("content-length", "999999999"), 413, "api.body-too-large"),
        ("a shorter body than announced", raw("{}").with("content-length", "50"), 400, "api.body-length"),
        (
            "a longer body than announced",
            raw("{\"a\": 1}").with("content-length", "2"),
            400,
            "api.body-length",
        ),
        ("a length that is no number", raw("{}").with("content-length", "two"), 400, "api.invalid-header"),
        ("no media type", new().bytes("{}"), 415, "api.media-type"),
        (
            "a form",
            new().with("content-type", "application/x-www-form-urlencoded").bytes("a=b"),
            415,
            "api.media-type",
        ),
        ("a long title", case_with("title", json!("x".repeat(2_001))), 400, "model.invalid"),
        ("a unit that is none", case_with("unit", json!("99")), 422, "broker.unknown-unit"),
        ("a unit of another token", case_with("unit", json!("70")), 403, "model.forbidden"),
        ("a unit with a wildcard", case_with("unit", json!("%")), 422, "broker.unknown-unit"),
        ("another authority", case_with("authority", json!("bab:05974028")), 403, "model.forbidden"),
        ("an authority that is none", case_with("authority", json!("x")), 400, body),
        ("a service with a bar", case_with("publicService", json!("a|b")), 400, "model.invalid"),
        ("classified content", case_with("confidentiality", json!("secret")), 422, "model.classified"),
        ("a level that is none", case_with("confidentiality", json!("cosmic")), 400, body),
        ("a parent that is none", case_with("caseFile", json!(model::ids::new_id())), 404, "model.not-found"),
        ("a parent of another kind", case_with("caseFile", json!(case)), 404, "model.not-found"),
        ("two parents", new().json(within_both), 400, "model.invalid"),
        ("a key with a space", raw("{}").with("idempotency-key", "a b"), 400, "api.invalid-header"),
        ("a long key", raw("{}").with("idempotency-key", "k".repeat(256)), 400, "api.invalid-header"),
        ("an empty key", raw("{}").with("idempotency-key", ""), 400, "api.invalid-header"),
        (
            "two keys",
            raw("{}").with("idempotency-key", "a").with("idempotency-key", "b"),
            400,
            "api.invalid-header",
        ),
        ("an unknown parameter", Call::get("/cases?owner=x"), 400, "api.invalid-query"),
        ("a parameter twice", Call::get("/cases?limit=1&limit=2"), 400, "api.invalid-query"),
        ("NUL in a parameter", Call::get("/cases?status=%00"), 400, "api.invalid-query"),
        ("a parameter that is no UTF-8", Call::get("/cases?status=%c3%28"), 400, "api.invalid-query"),
        ("a cursor that is none", Call::get("/cases?after=x"), 400, "api.invalid-query"),
        ("a negative number", Call::get("/events?after=-1"), 400, "api.invalid-query"),
        ("a number beyond all", Call::get("/events?after=18446744073709551615"), 400, "api.invalid-query"),
        ("a long wait", Call::get("/events?wait=31"), 400, "api.invalid-query"),
        ("a state that is none", Call::get("/messages?state=lost"), 400, "api.invalid-query"),
        ("an id that is none", Call::get("/cases/1"), 404, "model.not-found"),
        ("an id in braces", Call::get(&format!("/cases/%7B{case}%7D")), 404, "model.not-found"),
        ("an id that is no UTF-8", Call::get("/cases/%ff"), 404, "model.not-found"),
        ("an id with NUL", Call::get("/partners/%00"), 404, "model.not-found"),
        ("an id with a path", Call::get("/partners/..%2f..%2fetc"), 404, "model.not-found"),
        ("SQL", Call::get("/cases?recordReference=%27%20OR%201%3D1%3B--"), 200, ""),
        ("a patch of the id", patch(json!({ "id": model::ids::new_id() })), 400, "model.invalid"),
        ("a patch of the unit", patch(json!({ "unit": "70" })), 400, "model.invalid"),
        ("a patch of what is not there", patch(json!({ "due": "2026-01-01T00:00:00Z" })), 400, body),
        ("a patch that is no object", patch(json!([1])), 400, body),
        ("a patch to a wrong type", patch(json!({ "title": { "x": 1 } })), 400, "model.invalid"),
        ("a patch to a place that is none", patch(too_far), 400, "model.invalid"),
        (
            "a body where none belongs",
            Call::post(&format!("/cases/{case}/close")).json(json!({ "x": 1 })),
            400,
            body,
        ),
        ("a name with a path", put("?fileName=..%2Fx").bytes("x"), 400, "api.invalid-query"),
        ("a name with NUL", put("?fileName=a%00b").bytes("x"), 400, "api.invalid-query"),
        ("a long name", put(&format!("?fileName={}", "x".repeat(256))).bytes("x"), 400, "api.invalid-query"),
        ("no name", put("").bytes("x"), 400, "api.invalid-query"),
        (
            "a media type that is none",
            put("?fileName=a").with("content-type", "a b").bytes("x"),
            415,
            "api.media-type",
        ),
        (
            "a digest that is none",
            put("?fileName=a").with("repr-digest", "sha-256=:x:").bytes("x"),
            400,
            "api.invalid-header",
        ),
        (
            "another digest",
            put("?fileName=a").with("repr-digest", repr_digest(b"y")).bytes("x"),
            400,
            "broker.digest-mismatch",
        ),
        ("a message without a body", send(), 400, "api.length-missing"),
        (
            "a message of another type",
            Call::post("/messages").with("content-type", "text/html").bytes("x"),
            415,
            "api.media-type",
        ),
        (
            "a large announced message",
            send().with("content-length", announced).bytes("x"),
            413,
            "broker.too-large",
        ),
        ("an exchange of nothing", exchange("objects", json!([])), 400, "model.invalid"),
        ("an exchange of too much", exchange("objects", json!(vec![case; 1_001])), 400, "model.invalid"),
        ("an exchange of the same twice", exchange("objects", json!([case, case])), 400, "model.invalid"),
        ("an exchange with nobody", exchange("to", json!("bab:1")), 422, "broker.unknown-authority"),
        ("an exchange with half a version", exchange("version", json!("9")), 400, "model.invalid"),
        ("an exchange of no known kind", exchange("kind", json!("gift")), 400, body),
        (
            "a lease without end",
            Call::post("/inbox/leases").json(json!({ "seconds": 99_999 })),
            400,
            "model.invalid",
        ),
        (
            "a return with odd words",
            Call::post(&format!("/inbox/{case}/return")).json(json!({ "rule": "a b" })),
            400,
            "model.invalid",
        ),
        ("a time without a zone", Call::post("/tasks").json(task), 400, body),
        (
            "an assignment to nobody",
            Call::post(&format!("/tasks/{case}/assign")).json(json!({ "assignee": "" })),
            400,
            "model.invalid",
        ),
        ("a role that is none", Call::post("/tokens").json(token), 400, body),
        (
            "a partner with an odd id",
            Call::new("PUT", "/partners/a%20b").json(json!({ "name": "x" })),
            400,
            "model.invalid",
        ),
        ("a method that is none", Call::new("BREW", "/cases"), 405, "api.no-method"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_a_problem_with_a_stable_code() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    let case = gateway.call(&token, Call::post("/cases").json(case)).await.is(201).json();
    let case = case["id"].as_str().unwrap();
    let path = format!("/cases/{case}/documents");
    let document = gateway.call(&token, Call::post(&path).json(json!({ "title": "x" }))).await.is(201).json();
    let table = requests(case, document["id"].as_str().unwrap());
    let before = memory();
    let count = table.len();
    let mut wrong = vec![];
    for (name, call, status, code) in table {
        let answer = gateway.call(&token, call).await;
        let got = if answer.status.is_success() { String::new() } else { answer.code() };
        if (answer.status.as_u16(), got.as_str()) != (status, code) {
            wrong.push(format!("{name}: {} {got}, not {status} {code}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 60, "{count}");
    let grown = memory().saturating_sub(before);
    assert!(grown < 64, "memory grew by {grown} MiB");
    let cases = gateway.call(&token, Call::get("/cases")).await.is(200).json();
    assert_eq!(cases["items"].as_array().unwrap().len(), 1, "nothing of all this came into being");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_at_the_limit_and_memory_stays_flat() {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let before = memory();
    for (path, kind, code) in [
        ("/messages", "application/zip", "broker.too-large"),
        ("/checks", "application/zip", "broker.too-large"),
        ("/cases", "application/json", "api.body-too-large"),
    ] {
        let endless =
            futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'['; 64 * 1_024])));
        let request = Request::post(format!("{}{path}", api::BASE))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .body(Body::from_stream(endless))
            .unwrap();
        assert_eq!(gateway.send(request).await.is(413).code(), code);
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 32, "memory grew by {grown} MiB");
}
