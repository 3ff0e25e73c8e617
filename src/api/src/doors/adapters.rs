//! Calls from outside to adapters: webhooks of a workflow engine, a DMS, a carrier. Who calls is for the adapter to find out. What the call
//! leads to is committed before it is answered. Of an adapter that takes none nobody learns that it is there.

use std::io::Error as IoError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use model::FailureKind;
use model::adapter::CallbackRequest;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{Doors, KEPT_FIELDS, RETRY_SECONDS, refusal};

/// Largest body of a call, in bytes. What is larger is fetched by the adapter itself.
const BODY_BYTES: u64 = 16 * 1024 * 1024;

/// Somebody calls an adapter.
pub(super) async fn call(State(doors): State<Doors>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/adapters/").unwrap_or_default();
    let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !doors.throttle.lets_in(&("adapter", id), Instant::now()) {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    }
    to(&doors, id, path, request).await
}

/// Somebody calls the adapter that has the door `open311/v2`. It counts calls itself, by its callers' keys.
pub(super) async fn open311(State(doors): State<Doors>, request: Request) -> Response {
    const DOOR: &str = "open311/v2";
    let Some(id) = doors.broker.behind_door(DOOR).map(str::to_owned) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    let path = request.uri().path().to_owned();
    to(&doors, &id, path.strip_prefix("/open311/v2/").unwrap_or_default(), request).await
}

async fn to(doors: &Doors, id: &str, path: &str, request: Request) -> Response {
    if !doors.broker.takes_callbacks(id) {
        return refusal(StatusCode::NOT_FOUND);
    }
    let method = request.method().to_string();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let headers = kept(request.headers());
    let too_large = Arc::new(AtomicBool::new(false));
    let body = Box::new(StreamReader::new(Box::pin(limited(request.into_body(), Arc::clone(&too_large)))));
    let path = format!("{path}{query}");
    let outcome = doors.broker.callback(id, CallbackRequest { method, path, headers, body }).await;
    match outcome {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            let kind = answer.content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
            let kind = kind.unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"));
            let body = Body::from_stream(ReaderStream::new(answer.body));
            let mut response = (
                status,
                [
                    (CONTENT_TYPE, kind),
                    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                    // Whatever it is, it is no page of ours.
                    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
                ],
                body,
            )
                .into_response();
            if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            }
            response
        }
        Err(_) if too_large.load(Ordering::Relaxed) => refusal(StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => {
            tracing::warn!(adapter = id, code = error.code(), "a call to an adapter led to nothing");
            refusal(status_of(&error))
        }
    }
}

/// Whoever comes again may find us well, unless the adapter says that the call itself is wrong.
fn status_of(error: &broker::Error) -> StatusCode {
    match error {
        broker::Error::Failure(failure) => match failure.kind {
            FailureKind::Rejected => StatusCode::BAD_REQUEST,
            FailureKind::Unauthorised => StatusCode::UNAUTHORIZED,
            // What the call would have led to is refused by the rules of records.
            _ if failure.code == "model.not-found" => StatusCode::NOT_FOUND,
            _ if failure.code.starts_with("model.") => StatusCode::CONFLICT,
            FailureKind::Permanent => StatusCode::NOT_FOUND,
            FailureKind::Transient | FailureKind::Uncertain => StatusCode::SERVICE_UNAVAILABLE,
        },
        broker::Error::Model(model::Error::NotFound { .. }) => StatusCode::NOT_FOUND,
        broker::Error::Model(_) => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The header fields that an adapter sees: all that a signature may need.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let wanted = |name: &HeaderName| !matches!(name.as_str(), "cookie" | "proxy-authorization");
    let fields = headers.iter().filter(|(name, _)| wanted(name)).take(KEPT_FIELDS);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

/// The body up to its limit; beyond it, it breaks off.
fn limited(body: Body, too_large: Arc<AtomicBool>) -> impl Stream<Item = Result<Bytes, IoError>> + Send {
    let mut seen = 0_u64;
    body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(|_| IoError::from(std::io::ErrorKind::UnexpectedEof))?;
        seen = seen.saturating_add(piece.len() as u64);
        if seen > BODY_BYTES {
            too_large.store(true, Ordering::Relaxed);
            return Err(IoError::from(std::io::ErrorKind::FileTooLarge));
        }
        Ok(piece)
    })
}
