//! `/xta/v3/management`, `/xta/v3/send` and `/xta/v3/msgbox` of version 3, `/xta/v5/base`, `/xta/v5/sender`, `/xta/v5/recipient`
//! and `/xta/v5/reader` of version 5: XTA's binding to HTTP (SOAP 1.2, faults with status 500 in both). A request runs on a thread that may block, and reads its body from there as it comes. `GET …?wsdl` describes
//! the service.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use ::xta::model::Version;
use ::xta::server::{self, Answer, Port, Rules};
use ::xta::{v3, v5};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use net::tls::Peer;
use seal::x509::Certificate;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::accounts::Accounts;
use super::boxes::Boxes;
use super::desk::Desk;
use super::{wsdl, wsdl_v5};
use crate::door::{Place, Places, beginning, response};

/// What a message has beside its contents, in bytes.
const BESIDE: u64 = 1 << 20;
/// Bytes that are read of a request after it was refused: many clients hear nothing before they have said all.
const HEARD_OUT: u64 = 64 << 20;
/// Requests at once of those who have no account.
const STRANGERS: usize = 16;
/// Media type of the description.
const WSDL: &str = "text/xml; charset=utf-8";

/// The server behind HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    accounts: Arc<Accounts>,
    boxes: Arc<Boxes>,
    places: Places,
    /// Places for those who have no account: they are told so, and hold nobody else up.
    strangers: Semaphore,
    settings: server::Settings,
}

/// The routes of the server, if there is one. Requests must have a [`Peer`] for an extension; without one they are refused
/// like those without a certificate.
pub fn router(door: Option<Door>) -> Router {
    let Some(door) = door else { return Router::new() };
    let port =
        |path, port| Router::new().route(path, post(take).get(describe)).with_state((door.clone(), port));
    port("/xta/v3/management", Port::V3(v3::names::Port::Management))
        .merge(port("/xta/v3/send", Port::V3(v3::names::Port::Send)))
        .merge(port("/xta/v3/msgbox", Port::V3(v3::names::Port::MessageBox)))
        .merge(port("/xta/v5/base", Port::V5(v5::names::Port::Base)))
        .merge(port("/xta/v5/sender", Port::V5(v5::names::Port::Sender)))
        .merge(port("/xta/v5/recipient", Port::V5(v5::names::Port::Recipient)))
        .merge(port("/xta/v5/reader", Port::V5(v5::names::Port::Reader)))
}

impl Door {
    pub(super) fn new(accounts: Accounts, boxes: Boxes, broker: broker::Broker) -> Self {
        // Contents may come as base64. What is too large is refused in the words of the standard, unless it is said to be
        // much larger before it comes.
        let most = accounts.most_container_bytes().saturating_mul(2).saturating_add(BESIDE);
        let mut settings = server::Settings::default();
        settings.limits.envelope_bytes = most;
        settings.limits.package_bytes = most;
        let places = Places::new(broker, most);
        let (accounts, boxes) = (Arc::new(accounts), Arc::new(boxes));
        Door(Arc::new(Inner { accounts, boxes, places, strangers: Semaphore::new(STRANGERS), settings }))
    }

    /// The certificates of all accounts.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.0.accounts.certificates()
    }
}

impl Inner {
    fn answer(&self, port: Port, heads: Heads, mut body: Box<dyn Read + Send>) -> ::xta::Result<Answer> {
        let Heads { certificate, content_type, accept } = heads;
        let rules =
            if self.accounts.is_lenient(certificate.as_ref()) { Rules::Lenient } else { Rules::Strict };
        let settings = server::Settings { rules, ..self.settings };
        let (accounts, boxes) = (Arc::clone(&self.accounts), Arc::clone(&self.boxes));
        let desk = Desk { accounts, boxes, certificate, caller: OnceLock::new() };
        let request = server::Request { port, content_type, accept, body: &mut body };
        let answer = server::answer(&desk, request, &settings)?;
        if let Some(error) = &answer.error {
            tracing::info!(code = error.code(), operation = ?answer.operation, %error, "a fault of XTA");
            // What strangers do has no tenant to be noted at; `accounts` has told the log.
            if let Some(caller) = desk.refused().filter(|_| !error.is_ours()) {
                self.boxes.note_refusal(&caller, error);
            }
            // What cannot be read any more is nobody's loss.
            let _ = io::copy(&mut body.take(HEARD_OUT), &mut io::sink());
        }
        Ok(answer)
    }
}

/// What is known of a request before its body.
struct Heads {
    certificate: Option<Certificate>,
    content_type: String,
    accept: Option<String>,
}

impl Heads {
    fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<Peer>();
        let der = peer.and_then(|peer| peer.certificate.as_deref());
        Heads {
            certificate: der.and_then(|der| Certificate::from_der(der).ok()),
            content_type: text(request.headers(), CONTENT_TYPE).unwrap_or_default(),
            accept: text(request.headers(), ACCEPT),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

async fn take(State((Door(door), port)): State<(Door, Port)>, request: Request) -> Response {
    let heads = Heads::of(&request);
    let Some(whose) = door.accounts.bodies_of(heads.certificate.as_ref()) else {
        return turn_away(door, port, heads, request.into_body()).await;
    };
    let (parts, body) = request.into_parts();
    let (body, place) = match door.places.take(&whose, &parts.headers, body).await {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    // A client that goes away does not stop its request: what was begun is ended.
    let done = spawn_blocking(move || (door.answer(port, heads, body), place)).await;
    match done {
        Ok((answer, place)) => told(answer, Some(place)),
        Err(_) => failed(port.version()),
    }
}

/// Tells somebody who has no account so.
async fn turn_away(door: Arc<Inner>, port: Port, heads: Heads, body: Body) -> Response {
    let Ok(_place) = door.strangers.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")]).into_response();
    };
    let body = beginning(body).await;
    let working = Arc::clone(&door);
    let done = spawn_blocking(move || working.answer(port, heads, body)).await;
    done.map_or_else(|_| failed(port.version()), |answer| told(answer, None))
}

/// A defect of ours ends one request; what the panic says stays inside.
fn failed(version: Version) -> Response {
    tracing::error!(code = broker::Error::Internal.code(), "a request of XTA failed");
    told(server::failure(version), None)
}

fn told(answer: ::xta::Result<Answer>, place: Option<Place>) -> Response {
    match answer {
        Ok(Answer { status, content_type, body, .. }) => {
            let mut response = response(body, content_type, place);
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response
        }
        Err(error) => {
            tracing::error!(code = error.code(), "not even a fault could be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn describe(State((_, port)): State<(Door, Port)>, headers: HeaderMap, uri: Uri) -> Response {
    if !uri.query().is_some_and(|query| query.eq_ignore_ascii_case("wsdl")) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response();
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    match text(&headers, HOST).filter(|host| !host.is_empty() && host.bytes().all(is_part)) {
        Some(host) => {
            let text = match port.version() {
                Version::V3 => wsdl::wsdl(&host),
                Version::V5 => wsdl_v5::wsdl(&host),
            };
            ([(CONTENT_TYPE, WSDL)], text).into_response()
        }
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}
