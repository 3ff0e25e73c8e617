//! The only doors that anybody on the internet may knock at: notifications of payment providers, browsers of payers that come
//! back from them, citizens, and systems that call adapters. They have no tokens of ours but the one in their address, belong on a
//! listener of their own, and answer with a status and next to nothing else. What comes is a hint: nothing that it says is believed.

mod adapters;
mod citizen;
mod page;
mod throttle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use broker::{Broker, NoticeAnswer, NoticeDoor, PayerSees};
use futures::StreamExt;
use model::Id;
use model::payment::provider::Notice;
use net::pace::TooSlow;
use tokio::sync::Semaphore;

use crate::meter;
use page::Shown;
use pages::Language;
use throttle::Throttle;

/// Largest notification that is read, in bytes; what its provider allows may be less.
const NOTICE_BYTES: usize = 64 * 1024;

/// How long a browser waits for the provider to be asked, and how often is looked.
const RETURN_WAIT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(150);

/// Browsers that may wait at once; further ones are sent on at once.
const WAITING: usize = 256;

/// Forms with files that may come in at once.
const UPLOADS: usize = 32;

/// Seconds after which a provider may come again.
const RETRY_SECONDS: u64 = 30;

/// Header fields that are kept of a notification: as many as a listener takes.
const KEPT_FIELDS: usize = 100;

#[derive(Clone)]
struct Doors {
    broker: Broker,
    waits: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    throttle: Arc<Throttle>,
}

/// The doors as a router: `/payments/{provider}/notify/{token}`, `/payments/{provider}/return/{token}`, `/citizen/…`,
/// `/open311/v2/{path}` and `/adapters/{id}/{path}`.
pub fn public_router(broker: Broker) -> Router {
    meter::start();
    let waits = Arc::new(Semaphore::new(WAITING));
    let uploads = Arc::new(Semaphore::new(UPLOADS));
    let doors = Doors { broker, waits, uploads, throttle: Arc::new(Throttle::new()) };
    citizen::router(&doors)
        .route("/payments/{provider}/notify/{token}", any(notify))
        .route("/payments/{provider}/return/{token}", any(come_back))
        .route("/open311/v2/{*path}", any(adapters::open311))
        .route("/adapters/{id}", any(adapters::call))
        .route("/adapters/{id}/{*path}", any(adapters::call))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(from_fn(discreet))
        .layer(from_fn(crate::router::without_panic))
        .layer(from_fn(meter::at_a_door))
        .with_state(doors)
}

/// No cache keeps what is answered, no search engine finds it, and no other site learns the address.
async fn discreet(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The citizens' pages tell their own site, and no other.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}

type Address = Result<Path<(String, String)>, PathRejection>;

/// A provider says that something happened.
async fn notify(State(doors): State<Doors>, address: Address, request: Request) -> Response {
    let method = request.method().clone();
    match knock(&doors, NoticeDoor::Notify, address, request).await {
        Ok(answer) => plain(&answer, &method),
        Err(status) => refusal(status),
    }
}

/// A payer's browser comes back from the provider: it is sent on to where the portal wants it, or shown how the payment stands.
async fn come_back(State(doors): State<Doors>, address: Address, request: Request) -> Response {
    let language = Language::wanted(request.headers());
    let answer = match knock(&doors, NoticeDoor::Return, address, request).await {
        Ok(answer) => answer,
        Err(StatusCode::SERVICE_UNAVAILABLE) => return page::answer(&Shown::NotNow, None, language),
        Err(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) => {
            return page::answer(&Shown::Unknown, None, language);
        }
        Err(status) => return refusal(status),
    };
    // Even if nothing could be kept of the return, the payer is not left standing.
    let Some((tenant, payment)) = &answer.payment else {
        let passing = answer.status == StatusCode::SERVICE_UNAVAILABLE.as_u16();
        let shown = if passing { Shown::NotNow } else { Shown::Unknown };
        return page::answer(&shown, None, language);
    };
    let Some(seen) = settled(&doors, tenant, *payment).await else {
        return page::answer(&Shown::NotNow, None, language);
    };
    let on =
        seen.payment.return_to.as_deref().and_then(|to| HeaderValue::from_str(&onward(to, *payment)).ok());
    match on {
        Some(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        None => page::answer(&Shown::of(&seen.payment), Some(&seen), language),
    }
}

/// Hands what came to the broker. Nothing is read of a body that is too large or of a method that no door knows.
async fn knock(
    doors: &Doors,
    door: NoticeDoor,
    address: Address,
    request: Request,
) -> Result<NoticeAnswer, StatusCode> {
    let Ok(Path((provider, token))) = address else { return Err(StatusCode::BAD_REQUEST) };
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if !doors.throttle.lets_in(&(door == NoticeDoor::Notify, &provider, &token), Instant::now()) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let method = request.method().to_string();
    let headers = kept(door, request.headers());
    let body = body_of(request, NOTICE_BYTES.saturating_sub(query.len())).await?;
    let notice = Notice { method, query, headers, body };
    doors.broker.notice(&provider, &token, door, notice).await.map_err(|error| {
        match error.code() {
            "payment.not-configured" | "model.not-found" => StatusCode::BAD_REQUEST,
            code => {
                // Whoever comes again finds us well, we hope.
                tracing::error!(code, "a notification could not be kept");
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    })
}

/// The header fields that are kept: all that a signature may need, and of a browser no more than the type of what it sends.
fn kept(door: NoticeDoor, headers: &HeaderMap) -> Vec<(String, String)> {
    let wanted = |name: &HeaderName| match door {
        NoticeDoor::Return => name == CONTENT_TYPE,
        NoticeDoor::Notify => !matches!(name.as_str(), "cookie" | "proxy-authorization"),
    };
    let fields = headers.iter().filter(|(name, _)| wanted(name));
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    fields.take(KEPT_FIELDS).map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The body, of up to `most` bytes.
async fn body_of(request: Request, most: usize) -> Result<Vec<u8>, StatusCode> {
    let announced = match request.headers().get(CONTENT_LENGTH) {
        Some(value) => {
            value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(StatusCode::BAD_REQUEST)?
        }
        None => request.body().size_hint().lower(),
    };
    if announced > most as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    collect(request.into_body(), most).await
}

async fn collect(body: Body, most: usize) -> Result<Vec<u8>, StatusCode> {
    let mut pieces = body.into_data_stream();
    let mut all = vec![];
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| match TooSlow::is_cause(&error) {
            true => StatusCode::REQUEST_TIMEOUT,
            false => StatusCode::BAD_REQUEST,
        })?;
        if all.len() + piece.len() > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// How the payment stands once its provider was asked, or after a while.
async fn settled(doors: &Doors, tenant: &str, payment: Id) -> Option<PayerSees> {
    let place = doors.waits.try_acquire();
    let until = Instant::now() + if place.is_ok() { RETURN_WAIT } else { Duration::ZERO };
    let mut seen = doors.broker.payer_sees(tenant, payment).await.ok()?;
    let first = seen.payment.meta.version;
    let moved = |seen: &PayerSees| !seen.payment.status.is_open() || seen.payment.meta.version != first;
    while !moved(&seen) && Instant::now() < until {
        tokio::time::sleep(PAUSE).await;
        seen = doors.broker.payer_sees(tenant, payment).await.ok()?;
    }
    Some(seen)
}

/// The portal's address with the payment's id, and with nothing that says how it stands: portals ask.
fn onward(to: &str, payment: Id) -> String {
    let (address, fragment) = match to.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (to, String::new()),
    };
    let joint = match address.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{address}{joint}payment={payment}{fragment}")
}

/// An answer to a provider: a status, and when to come again.
fn plain(answer: &NoticeAnswer, method: &Method) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = refusal(status);
    if let Some(wait) = answer.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let other = if method == Method::GET { "POST" } else { "GET" };
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(other));
    }
    response
}

/// A status with what has to stand beside it.
fn refusal(status: StatusCode) -> Response {
    let mut response = status.into_response();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portals_address_keeps_what_it_has() {
        let id = Id::nil();
        for (to, expected) in [
            ("https://portal.example/a", "https://portal.example/a?payment={}"),
            ("https://portal.example/a?", "https://portal.example/a?payment={}"),
            ("https://portal.example/a?b=1", "https://portal.example/a?b=1&payment={}"),
            ("https://portal.example/a?b=1&", "https://portal.example/a?b=1&payment={}"),
            ("https://portal.example/a?b=1#/c?d", "https://portal.example/a?b=1&payment={}#/c?d"),
            ("https://portal.example/#c", "https://portal.example/?payment={}#c"),
        ] {
            assert_eq!(onward(to, id), expected.replace("{}", &id.to_string()));
        }
    }

    #[test]
    fn of_a_browser_nothing_is_kept_but_the_type_of_what_it_sends() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert("user-agent", HeaderValue::from_static("Somebody's"));
        headers.insert("cookie", HeaderValue::from_static("a=b"));
        headers.insert("webhook-signature", HeaderValue::from_static("v1,x"));
        let names = |door| kept(door, &headers).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(NoticeDoor::Return), ["content-type"]);
        assert_eq!(names(NoticeDoor::Notify), ["content-type", "user-agent", "webhook-signature"]);
    }
}
