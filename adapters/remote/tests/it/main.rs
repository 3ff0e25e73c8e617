//! The adapter against a program that keeps the contract of `openapi.yaml`, and against programs that do not.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod host;
mod samples;
mod sessions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_remote::{Remote, Settings};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::adapter::{Adapter, CallbackRequest, Delivery, Interest, Link};
use model::{EventKind, FailureKind, RecordKind, SystemClock, ids};
use net::{Client, Egress};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::host::Memory;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

type Taken = Arc<Mutex<HashMap<String, (Value, usize)>>>;

/// Whether the signature over `signed` is right.
fn is_signed(headers: &HeaderMap, signed: &[u8]) -> bool {
    let field = |name: &str| headers[name].to_str().unwrap();
    let wanted = SharedSecret::parse(SECRET).unwrap().sign(
        field("webhook-id"),
        field("webhook-timestamp").parse().unwrap(),
        signed,
    );
    wanted.unwrap() == field("webhook-signature")
}

async fn describe(headers: HeaderMap) -> Response {
    assert!(is_signed(&headers, b""));
    Json(json!({ "channel": "test", "capabilities": ["deliver", "reconcile", "run", "callback"] }))
        .into_response()
}

async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> Response {
    let told = BASE64_STANDARD.decode(headers["amtsbote-delivery"].as_bytes()).unwrap();
    assert!(is_signed(&headers, &told));
    let told: Value = serde_json::from_slice(&told).unwrap();
    let id = told["id"].as_str().unwrap().to_owned();
    assert_eq!(headers["webhook-id"], id.as_str());
    taken.lock().unwrap().entry(id.clone()).or_insert((told, body.len()));
    Json(json!({ "reference": id, "data": {}, "confirmed": true })).into_response()
}

async fn found(State(taken): State<Taken>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    assert!(is_signed(&headers, b""));
    match taken.lock().unwrap().contains_key(&id) {
        true => Json(json!({ "reference": id, "data": null })).into_response(),
        false => (StatusCode::NOT_FOUND, Json(json!({ "code": "delivery.unknown" }))).into_response(),
    }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn remote(url: String) -> Arc<Remote> {
    following(url, vec![])
}

fn following(url: String, follows: Vec<Interest>) -> Arc<Remote> {
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    let client = Client::new(egress, net::Settings::default(), Arc::new(SystemClock));
    let settings = Settings {
        id: "test".into(),
        url,
        secret: SharedSecret::parse(SECRET).unwrap(),
        reconciles: true,
        takes_calls: follows.is_empty(),
        follows,
        keeps_records: false,
        brings: true,
        within: Duration::from_secs(20),
    };
    Arc::new(Remote::new(settings, client, Arc::new(SystemClock)))
}

async fn good() -> (Arc<Remote>, Taken) {
    let taken = Taken::default();
    let router = Router::new()
        .route("/describe", get(describe))
        .route("/deliveries", post(take))
        .route("/deliveries/{id}", get(found))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(taken.clone());
    (remote(serve(router).await), taken)
}

fn delivery(size: usize) -> Delivery {
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "message".into(),
        record: None,
        about: None,
        detail: json!({ "size": size }),
    }
}

#[tokio::test]
async fn the_contract_of_adapters_is_kept() {
    let (remote, _) = good().await;
    let delivery = Delivery { detail: json!({}), ..delivery(0) };
    model::testkit::adapter_contract(remote, delivery, &[]).await;
}

#[tokio::test]
async fn the_content_is_streamed_with_its_length() {
    let (remote, taken) = good().await;
    let bytes = vec![7; 1_000_000];
    let delivery = delivery(bytes.len());
    assert!(remote.deliver(&delivery, &[Box::new(bytes)]).await.unwrap().confirmed);
    let taken = taken.lock().unwrap();
    let (told, size) = &taken[&delivery.id.to_string()];
    assert_eq!((*size, &told["kind"]), (1_000_000, &json!("message")));
}

/// What a delivery fails with if it is answered so.
async fn failure(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> model::Failure {
    let answer = move || async move {
        let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    };
    let router = Router::new().fallback(answer);
    remote(serve(router).await).deliver(&delivery(0), &[]).await.unwrap_err()
}

#[tokio::test]
async fn each_answer_is_one_kind_of_failure() {
    for (status, body, kind, code) in [
        (200, "<html>Wartung</html>", FailureKind::Uncertain, "adapter.bad-answer"),
        (200, r#"{"reference": 5, "data": {}}"#, FailureKind::Uncertain, "adapter.bad-answer"),
        (302, "", FailureKind::Permanent, "adapter.refused"),
        (401, "", FailureKind::Unauthorised, "adapter.unauthorised"),
        (404, "", FailureKind::Permanent, "adapter.refused"),
        (422, "", FailureKind::Rejected, "adapter.rejected"),
        (500, "", FailureKind::Uncertain, "adapter.failed"),
        (502, "", FailureKind::Uncertain, "adapter.failed"),
        (503, "", FailureKind::Transient, "adapter.unavailable"),
    ] {
        let failure = failure(status, &[], body).await;
        assert_eq!((failure.kind, failure.code.as_ref()), (kind, code), "{status}");
    }
    let asked = failure(429, &[("retry-after", "90")], "").await;
    assert_eq!((asked.kind, asked.retry_after), (FailureKind::Transient, Some(Duration::from_secs(90))));
}

#[tokio::test]
async fn a_page_that_is_not_found_does_not_mean_that_a_delivery_never_arrived() {
    let remote = remote(serve(Router::new()).await);
    assert_eq!(remote.reconcile(&delivery(0)).await.unwrap_err().code, "adapter.refused");
    let health = remote.check().await;
    assert!(!health.ok && health.detail.starts_with("adapter.refused"), "{health:?}");
}

#[tokio::test]
async fn a_program_that_does_not_follow_what_it_is_told_is_found_by_the_check() {
    let router = || Router::new().route("/describe", get(describe));
    assert!(remote(serve(router()).await).check().await.ok);
    let wanted = Interest { event: EventKind::RecordCreated, record: RecordKind::Case };
    let health = following(serve(router()).await, vec![wanted]).check().await;
    assert!(!health.ok && health.detail.contains("RecordCreated of case"), "{health:?}");
}

#[tokio::test]
async fn a_receipt_speaks_of_the_records_of_its_delivery_alone() {
    let told = samples::about_a_document(b"abc");
    let (_, above) = (told.record.unwrap(), told.about.as_ref().unwrap().above[0].meta().id);
    let link = |record| json!({ "kind": "case", "record": record, "reference": "63-1" });
    let assign = |record: model::Id| json!({ "do": "assignReference", "record": { "kind": "case", "id": record }, "recordReference": "63-1" });
    let receipt = |links: Value, changes: Value| {
        let answer = json!({ "reference": "a", "data": {}, "links": links, "changes": changes });
        let told = told.clone();
        async move {
            let remote = remote(serve(Router::new().fallback(|_: Bytes| async move { Json(answer) })).await);
            remote.deliver(&told, &[Box::new(b"abc".to_vec()), Box::new(b"abc".to_vec())]).await
        }
    };
    let taken = receipt(json!([link(above)]), json!([assign(above)])).await.unwrap();
    let known = Link {
        kind: RecordKind::Case,
        record: above,
        part: String::new(),
        reference: "63-1".into(),
        state: json!(null),
    };
    assert_eq!((taken.links, taken.commands.len()), (vec![known], 1));
    let other = ids::new_id();
    for (links, changes) in [
        (json!([link(other)]), json!([])),
        (json!([]), json!([assign(other)])),
        (json!([]), json!([{ "do": "note", "record": { "kind": "case", "id": above }, "detail": {} }])),
        (json!(vec![link(above); 101]), json!([])),
    ] {
        let failure = receipt(links, changes).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Uncertain, "adapter.bad-answer"));
    }
}

#[tokio::test]
async fn a_call_is_passed_on_and_answered_with_what_it_leads_to() {
    let record = model::testkit::a_task("Rückruf");
    let task = record.meta().id;
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let told = BASE64_STANDARD.decode(headers["amtsbote-call"].as_bytes()).unwrap();
        assert!(is_signed(&headers, &told));
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told, json!({ "method": "POST", "path": "/hook", "headers": [["x-a", "b"]] }));
        assert_eq!(body, "abc");
        let command = json!({ "key": "1", "do": "completeTask", "record": { "kind": "task", "id": task } });
        Json(json!({ "status": 202, "body": "ok", "commands": [command] }))
    };
    let remote = remote(serve(Router::new().route("/calls", post(take))).await);
    let call = |headers: &[(&str, &str)]| CallbackRequest {
        method: "POST".into(),
        path: "/hook".into(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: Box::new(&b"abc"[..]),
    };
    let host = Memory::with([record]);
    let reply = remote.callback(call(&[("x-a", "b"), ("host", "outside")]), host.clone()).await.unwrap();
    let mut body = String::new();
    reply.body.take(10).read_to_string(&mut body).await.unwrap();
    assert_eq!((reply.status, body.as_str()), (202, "ok"));
    let submitted = host.submitted();
    assert_eq!(submitted.iter().map(|(key, it)| (key.as_str(), it.id)).collect::<Vec<_>>(), [("1", task)]);
    let large = "x".repeat(10_000);
    let refused = remote.callback(call(&[("x-a", &large)]), host).await.err().unwrap();
    assert_eq!(refused.code, "adapter.call-too-large");
}
