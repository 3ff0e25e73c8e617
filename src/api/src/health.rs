//! The operations listener: is the process alive, can it work, how does it stand. It has no tokens: it
//! belongs on an address that only the operator's systems reach, and tells no ids, names or content.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::{Api, answer, meter};

/// `/health/live`, `/health/ready` and `/metrics`.
pub fn operations_router(api: Api) -> Router {
    meter::start();
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(figures))
        .with_state(api)
}

async fn live() -> Response {
    answer::json(&json!({ "live": true }))
}

async fn ready(State(api): State<Api>) -> Response {
    match api.broker.stats().await {
        // Reading, confirming and small changes go on when the disk is full: that is no reason to take the node away.
        Ok(stats) if api.broker.pressure().disk_full => {
            let body =
                json!({ "ready": true, "store": stats.engine, "bodies": false, "code": "broker.disk-full" });
            answer::json(&body)
        }
        Ok(stats) => answer::json(&json!({ "ready": true, "store": stats.engine, "bodies": true })),
        Err(error) => {
            tracing::error!(code = error.code(), "the store cannot be asked");
            let body = json!({ "ready": false, "code": error.code() }).to_string();
            (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

async fn figures(State(api): State<Api>) -> Response {
    let stats = api.broker.stats().await.ok();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], meter::render(stats.as_ref(), &api.broker.pressure()))
        .into_response()
}
