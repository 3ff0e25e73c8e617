//! A simulated payment provider that speaks all interfaces of the gateway: XBezahldienste 1.0.0, GiroCheckout, pmPayment, ePayBL, epay21
//! and the gateway's own contract with signed webhooks. Nobody pays: what a payment has come to is set from outside, by a test
//! or over `/_control`, and so is whether the provider answers at all.
//!
//! | call | does |
//! |---|---|
//! | `GET /_control/payments` | what it holds |
//! | `PUT /_control/payments/{requestId}` | sets `state`, `amountCents`, `refundedCents`, `chargedBackCents`, each if it is there |
//! | `POST /_control/payments/{requestId}/notify` | sends the notification that belongs to its state |
//! | `PUT /_control/fault` | `{"fault": "none" \| "error" \| "garbage" \| "slow"}` for everything but control |

mod control;
mod giro;
mod hooks;
mod notices;
mod pm;
mod soap;
mod visitor;
mod xb;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;

pub use notices::Notification;
pub use visitor::Visitor;

/// Password of GiroCheckout's project.
pub const GIRO_PASSWORD: &str = "Simulator-Passwort";
/// Salt of pmPayment's procedure.
pub const PM_SALT: &str = "Simulator-Salz";
/// Client secret of XBezahldienste.
pub const CLIENT_SECRET: &str = "Simulator-Schluessel";
/// Secret of signed webhooks in both directions, in the form of Standard Webhooks.
pub const HOOK_SECRET: &str = crate::simulate::partner::SECRET;
/// All its secrets, by what they are of.
pub const SECRETS: [(&str, &str); 4] = [
    ("girocheckout", GIRO_PASSWORD),
    ("pmpayment", PM_SALT),
    ("xbezahldienste", CLIENT_SECRET),
    ("webhook", HOOK_SECRET),
];
/// How long it takes when it is slow.
const SLOW: Duration = Duration::from_secs(20);

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The payer can pay.
    Open,
    /// The payer has acted; the outcome is not known.
    Pending,
    /// Paid.
    Paid,
    /// The payer could not pay.
    Failed,
    /// The payer did not want to.
    Cancelled,
    /// Its time is over.
    Expired,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// With 503: it is down.
    Error,
    /// With 200 and a web page.
    Garbage,
    /// As it should, but late.
    Slow,
}

/// Interfaces that it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Interface {
    /// XBezahldienste 1.0.0.
    Xbezahldienste,
    /// GiroCheckout.
    Girocheckout,
    /// pmPayment's own.
    Pmpayment,
    /// ePayBL by SOAP.
    Epaybl,
    /// epay21 by SOAP.
    Epay21,
    /// The gateway's own contract.
    Webhook,
}

/// What it holds of a payment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The interface by which it was started.
    pub interface: Interface,
    /// Its own name for it.
    pub reference: String,
    /// The gateway's name for it.
    pub request_id: String,
    /// Amount that it would tell, in cents.
    pub amount_cents: i64,
    /// Where it stands.
    pub state: State,
    /// What was given back, in cents.
    pub refunded_cents: i64,
    /// What the payer's bank took back, in cents.
    pub charged_back_cents: i64,
    /// Where it sends notifications to.
    pub notify_url: Option<String>,
    /// Where it sends the payer back to.
    pub return_url: Option<String>,
    /// What it was told at the start.
    pub order: Value,
}

/// A call as it came.
#[derive(Debug)]
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Where it was called: the beginning of the addresses that it gives out.
    base: String,
}

/// An answer: status, header fields, body.
type Reply = (StatusCode, Vec<(&'static str, String)>, String);

/// All it knows.
#[derive(Debug, Default)]
struct Books {
    held: Vec<Held>,
    fault: Fault,
    calls: Vec<String>,
}

type Known = Arc<Mutex<Books>>;

/// A provider that runs until it is dropped.
#[derive(Debug)]
pub struct Provider {
    /// Base address.
    pub url: String,
    known: Known,
    serving: JoinHandle<()>,
}

impl Provider {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self, Error> {
        Self::start_on(0).await
    }

    /// Listens on a port of the loopback; 0 is any free one.
    ///
    /// # Errors
    /// If it is taken.
    pub async fn start_on(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let known = Known::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&known));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Provider { url, known, serving })
    }

    /// What it holds of the payment that the gateway calls so.
    pub fn held(&self, request_id: &str) -> Option<Held> {
        self.with(|books| books.held.iter().find(|held| held.request_id == request_id).cloned())
    }

    /// Everything that it holds, in the order in which it was started.
    pub fn all(&self) -> Vec<Held> {
        self.with(|books| books.held.clone())
    }

    /// Changes what it holds of a payment. False if it does not know it.
    pub fn change(&self, request_id: &str, change: impl FnOnce(&mut Held)) -> bool {
        self.with(|books| {
            let held = books.held.iter_mut().find(|held| held.request_id == request_id);
            held.map(change).is_some()
        })
    }

    /// From now on it answers so.
    pub fn fault(&self, fault: Fault) {
        self.with(|books| books.fault = fault);
    }

    /// Methods and paths of all calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.with(|books| books.calls.clone())
    }

    /// The notification that belongs to the state of a payment; `None` if its interface has none.
    pub fn notification(&self, request_id: &str) -> Option<Notification> {
        notices::of(&self.held(request_id)?)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    Shared(known): Shared<Known>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let call = Call {
        base: format!("http://{host}"),
        method,
        path: uri.path().to_owned(),
        headers,
        body: body.to_vec(),
    };
    if call.path == "/_control" || call.path.starts_with("/_control/") {
        return told(control::answer(&known, &call).await);
    }
    let fault = {
        let mut books = known.lock().unwrap_or_else(PoisonError::into_inner);
        books.calls.push(format!("{} {}", call.method, call.path));
        books.fault
    };
    match fault {
        Fault::None => {}
        Fault::Error => return (StatusCode::SERVICE_UNAVAILABLE, "down").into_response(),
        Fault::Garbage => return (StatusCode::OK, "<html>Wartungsarbeiten").into_response(),
        Fault::Slow => tokio::time::sleep(SLOW).await,
    }
    let mut books = known.lock().unwrap_or_else(PoisonError::into_inner);
    let nothing = || reply(StatusCode::NOT_FOUND, "application/json", r#"{"error":"no such path"}"#);
    told(by_interface(&mut books, &call).unwrap_or_else(nothing))
}

/// Each interface knows its own paths.
fn by_interface(books: &mut Books, call: &Call) -> Option<Reply> {
    xb::answer(books, call)
        .or_else(|| giro::answer(books, call))
        .or_else(|| pm::answer(books, call))
        .or_else(|| soap::answer(books, call))
        .or_else(|| hooks::answer(books, call))
}

fn told((status, headers, body): Reply) -> Response {
    let mut response = (status, body).into_response();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn reply(status: StatusCode, media_type: &str, body: impl Into<String>) -> Reply {
    (status, vec![("content-type", media_type.to_owned())], body.into())
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = if status.is_success() { "application/json" } else { "application/problem+json" };
    reply(status, media_type, body.to_string())
}

impl Books {
    fn by_reference(&mut self, interface: Interface, reference: &str) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.interface == interface && held.reference == reference)
    }

    fn by_request(&mut self, interface: Interface, request_id: &str) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.interface == interface && held.request_id == request_id)
    }

    /// A new payment that the payer can pay.
    fn open(
        &mut self,
        interface: Interface,
        reference: &str,
        request_id: &str,
        amount_cents: i64,
    ) -> &mut Held {
        self.held.push(Held {
            interface,
            reference: reference.to_owned(),
            request_id: request_id.to_owned(),
            amount_cents,
            state: State::Open,
            refunded_cents: 0,
            charged_back_cents: 0,
            notify_url: None,
            return_url: None,
            order: Value::Null,
        });
        let last = self.held.len() - 1;
        &mut self.held[last]
    }
}

/// A new name for something. Nobody may rely on it that it cannot be guessed.
fn new_name() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Euros with two decimals.
fn euros(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The current second since 1970, as it stands in a new name.
fn now() -> i64 {
    let stands = uuid::Uuid::now_v7().get_timestamp().map(|at| at.to_unix().0);
    stands.and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
}
