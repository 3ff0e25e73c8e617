//! `/xta/v3/management`, `/xta/v3/send` and `/xta/v3/msgbox` of version 3, `/xta/v5/base`, `/xta/v5/sender`, `/xta/v5/recipient`
//! and `/xta/v5/reader` of version 5: XTA's binding to HTTP (SOAP 1.2, faults with status 500 in both). A large request runs on a thread that
//! may block, and reads its body from there as it comes; a small one is carried out where it has come. `GET …?wsdl` describes the service.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use ::xta::model::Version;
use ::xta::server::{self, Answer, Done, Port};
use ::xta::{v3, v5};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::executor::block_on;
use net::tls::Peer;
use seal::x509::Certificate;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn, spawn_blocking};

use super::accounts::Accounts;
use super::boxes::Boxes;
use super::desk::Desk;
use super::{wsdl, wsdl_v5};
use crate::door::{Place, Places, announced, beginning, response};

/// What a message has beside its contents, in bytes.
const BESIDE: u64 = 1 << 20;
/// Bytes that are read of a request after it was refused: many clients hear nothing before they have said all.
const HEARD_OUT: u64 = 64 << 20;
/// Requests of so many bytes are small, and their contents lie in rows.
const SMALL: u64 = 16 * 1024;
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
    strangers: Arc<Semaphore>,
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
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        Door(Arc::new(Inner { accounts, boxes, places, strangers, settings }))
    }

    /// The certificates of all accounts.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.0.accounts.certificates()
    }
}

impl Inner {
    /// Carries a request out whose body `is_whole`, or may block the thread.
    async fn carry_out(
        &self,
        port: Port,
        heads: Heads,
        mut body: Box<dyn Read + Send>,
        is_whole: bool,
    ) -> Done {
        let Heads { certificate, content_type, accept } = heads;
        let (accounts, boxes) = (Arc::clone(&self.accounts), Arc::clone(&self.boxes));
        let desk = Desk { accounts, boxes, certificate, is_whole, caller: OnceLock::new() };
        let request = server::Request { port, content_type, accept, body: &mut body };
        let done = server::carry_out(&desk, request, &self.settings).await;
        if let Some(error) = done.refusal() {
            // What strangers do has no tenant to be noted at; `accounts` has told the log.
            if let Some(caller) = desk.refused().filter(|_| !error.is_ours()) {
                self.boxes.note_refusal(&caller, error).await;
            }
            // What cannot be read any more is nobody's loss.
            let _ = io::copy(&mut body.take(HEARD_OUT), &mut io::sink());
        }
        done
    }

    /// Whether small requests can be carried out without waiting for anything but the store: certificates are judged by what is known,
    /// and contents are shown to nobody.
    fn never_waits(&self) -> bool {
        !self.accounts.may_wait() && !self.boxes.may_wait()
    }
}

/// Carries a request out and answers it; a client that goes away does not stop it: what was begun is ended. A small one that has come whole
/// needs no thread of its own, which would cost as much as all else. The place is held as long as anything is done.
async fn answered<P: Send + 'static>(
    door: Arc<Inner>,
    port: Port,
    heads: Heads,
    body: Box<dyn Read + Send>,
    is_small: bool,
    place: P,
) -> Result<(::xta::Result<Answer>, P), JoinError> {
    if is_small && door.never_waits() {
        let working = async move { (door.carry_out(port, heads, body, true).await, place) };
        let (done, place) = spawn(working).await?;
        return match done.has_contents() {
            true => spawn_blocking(|| (done.answer(), place)).await,
            false => Ok((done.answer(), place)),
        };
    }
    spawn_blocking(move || {
        // Not the runtime's own way to wait: whoever reads the body, or asks a responder, waits on this thread by that.
        let done = block_on(door.carry_out(port, heads, body, is_small));
        (done.answer(), place)
    })
    .await
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
    let is_small = announced(&parts.headers).is_some_and(|bytes| bytes <= SMALL);
    match answered(door, port, heads, body, is_small, place).await {
        Ok((answer, place)) => told(answer, Some(place)),
        Err(_) => failed(port.version()),
    }
}

/// Tells somebody who has no account so.
async fn turn_away(door: Arc<Inner>, port: Port, heads: Heads, body: Body) -> Response {
    let Ok(place) = Arc::clone(&door.strangers).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")]).into_response();
    };
    let body = beginning(body).await;
    let done = answered(door, port, heads, body, false, place).await;
    done.map_or_else(|_| failed(port.version()), |(answer, _)| told(answer, None))
}

/// A defect of ours ends one request; what the panic says stays inside.
fn failed(version: Version) -> Response {
    tracing::error!(code = broker::Error::Internal.code(), "a request of XTA failed");
    told(server::failure(version), None)
}

fn told(answer: ::xta::Result<Answer>, place: Option<Place>) -> Response {
    match answer {
        Ok(Answer { status, content_type, body, operation, error }) => {
            if let Some(error) = error {
                tracing::info!(code = error.code(), ?operation, %error, "a fault of XTA");
            }
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
