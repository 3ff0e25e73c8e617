//! Successful answers: JSON, records with their `ETag`, and what was created.

use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{Record, RecordKind};
use serde::Serialize;

use crate::BASE;
use crate::problem::Problem;

/// What a handler gives.
pub(crate) type Answer = Result<Response, Problem>;

/// 200 with JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broker.internal").into_response(),
    }
}

/// 200 with a record and its version as `ETag`.
pub(crate) fn record(record: &Record) -> Response {
    let mut response = json(&record.to_json());
    tag(&mut response, record.meta().version);
    response
}

/// The version as `ETag`.
pub(crate) fn tag(response: &mut Response, version: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, value);
    }
}

/// The same answer, for something that came into being at `path` below the base.
pub(crate) fn created(mut response: Response, status: StatusCode, path: &str) -> Response {
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(&format!("{BASE}{path}")) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// The same answer, marked as the first one given to this idempotency key.
pub(crate) fn replayed(mut response: Response, replayed: bool) -> Response {
    if replayed {
        let name = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}

/// Where a record is found, below the base.
pub(crate) fn path_of(record: &Record) -> String {
    let folder = match record.kind() {
        RecordKind::CaseFile => "case-files",
        RecordKind::Case => "cases",
        RecordKind::Document => "documents",
        RecordKind::Exchange => "exchanges",
        RecordKind::Claim => "claims",
        RecordKind::Payment => "payments",
        RecordKind::Interaction => "interactions",
        RecordKind::Dispatch => "dispatches",
        _ => "tasks",
    };
    format!("/{folder}/{}", record.meta().id)
}
