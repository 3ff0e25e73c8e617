//! The adapter against a program that keeps the contract of `openapi.yaml`, and against programs that do not.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

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
use model::adapter::{Adapter, Delivery};
use model::{FailureKind, SystemClock, ids};
use net::{Client, Egress};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};

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
    Json(json!({ "channel": "test", "capabilities": ["deliver", "reconcile"] })).into_response()
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
    let egress = Egress::new(&["127.0.0.1"]).unwrap();
    let client = Client::new(egress, net::Settings::default(), Arc::new(SystemClock));
    let settings = Settings {
        id: "test".into(),
        url,
        secret: SharedSecret::parse(SECRET).unwrap(),
        reconciles: true,
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
