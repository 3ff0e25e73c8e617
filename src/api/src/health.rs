//! The operations listener: is the process alive, can it work, how does it stand. It has no tokens: it
//! belongs on an address that only the operator's systems reach, and tells no ids, names or content.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

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
    if api.draining.load(Ordering::Relaxed) {
        return unready(&json!({ "ready": false, "code": "draining" }));
    }
    let asked: Result<_, broker::Error> =
        async { Ok((api.broker.stats().await?, api.broker.stamp_health().await?)) }.await;
    match asked {
        Ok((stats, stamps)) => {
            // Still ready: what it has is read and confirmed, and what it takes in is stamped later.
            let bodies = !api.broker.pressure().disk_full;
            let mut degraded = vec![];
            if !bodies {
                degraded.push(broker::Error::DiskFull.code().to_owned());
            }
            if stamps.is_some_and(|stamps| stamps.overdue) {
                degraded.push(broker::Error::TimeStampOverdue.code().to_owned());
            }
            answer::json(&json!({
                "ready": true, "store": stats.engine, "bodies": bodies, "degraded": degraded,
            }))
        }
        Err(error) => {
            tracing::error!(code = error.code(), "the store cannot be asked");
            unready(&json!({ "ready": false, "code": error.code() }))
        }
    }
}

fn unready(why: &Value) -> Response {
    let head = (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "application/json")]);
    (head.0, head.1, why.to_string()).into_response()
}

async fn figures(State(api): State<Api>) -> Response {
    let stats = api.broker.stats().await.ok();
    meter::note_messages(&api.broker);
    meter::note_certificates(api.broker.certificates());
    meter::note_weak_certificates(api.broker.weak_certificates());
    meter::note_stamps(api.broker.stamp_health().await.ok().flatten());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], meter::render(stats.as_ref(), &api.broker.pressure()))
        .into_response()
}
