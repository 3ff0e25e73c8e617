//! A simulated delivery service of FIT-Connect (Zustelldienst, v2) with its neighbours: access tokens, Submission API, the keys of the
//! Destination API, Routing API, callbacks. It verifies and signs events as the real one does, and understands no content: whatever
//! is encrypted stays encrypted. Large content lies in files without a name. It is no delivery service: nothing leaves this machine.
//!
//! | module | does |
//! |---|---|
//! | `jose` | the little JOSE that it speaks, over OpenSSL alone |
//! | `books` | what it holds |
//! | `destinations` | destinations, keys, routes |
//! | `submit` | announce, upload, submit |
//! | `fetch` | what waits, and its content |
//! | `log` | event logs, and who may write what |
//! | `office` | somebody who sends and somebody who fetches, both simple and independent of the gateway |
//!
//! Base addresses are below [`Service::url`]: `/token`, `/submission-api`, `/destination-api`, `/routing-api`. A call without
//! `User-Agent` is refused with 403.

mod books;
mod destinations;
mod fetch;
pub mod jose;
mod log;
pub mod office;
mod submit;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use books::{Books, Client};
pub use books::{Destination, State, Submission};
use jose::{Key, Use};

use crate::Error;

/// Where types of problems begin.
const PROBLEMS: &str = "https://schema.fitko.de/fit-connect/submission-api/problems/";
/// Largest body that is no attachment: two JWEs.
const MOST_BODY: usize = 64 << 20;
/// What a sender is called.
pub const SENDER: (&str, &str) = ("simulator-onlinedienst", "Simulator-Geheimnis-Onlinedienst");
/// What a subscriber is called.
pub const SUBSCRIBER: (&str, &str) = ("simulator-verwaltungssystem", "Simulator-Geheimnis-Verwaltungssystem");

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// With 500.
    Down,
    /// With 429 and `RateLimit-Reset`.
    Busy,
    /// With 200 and a web page; nothing is done.
    Garbage,
    /// What was called for is done, and then 500 is answered: of submissions and events.
    Lost,
    /// Tokens of before are not taken any more; once.
    LoggedOut,
    /// A submission's data were changed on their way.
    TamperedData,
    /// A submission's attachments were changed on their way.
    TamperedAttachment,
    /// The event which submits names other tags.
    WrongTag,
    /// The event which submits is signed by a key of nobody.
    ForgedSet,
    /// The event which submits is missing.
    NoSet,
    /// Keys of destinations are not found.
    UnknownKey,
    /// What was accepted waits again.
    Again,
}

type Known = Arc<Mutex<Books>>;

/// A delivery service that runs until it is dropped.
#[derive(Debug)]
pub struct Service {
    /// Base address.
    pub url: String,
    known: Known,
    serving: JoinHandle<()>,
}

/// The keys of the delivery service and of the Self-Service-Portal: the same for all of a process.
fn keys() -> Result<&'static (Key, Key), Error> {
    static KEYS: OnceLock<(Key, Key)> = OnceLock::new();
    if let Some(keys) = KEYS.get() {
        return Ok(keys);
    }
    let service = Key::generate("simulator-zustelldienst", Use::Signing)?;
    let portal = Key::generate("simulator-self-service-portal", Use::Signing)?;
    Ok(KEYS.get_or_init(|| (service, portal)))
}

impl Service {
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
        Self::start_as(port, keys()?.clone()).await
    }

    /// With keys of one's own: of the delivery service, and of the Self-Service-Portal.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start_as(port: u16, (service, portal): (Key, Key)) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let mut books = Books::new(&url, service, portal);
        for ((id, secret), may_send) in [(SENDER, true), (SUBSCRIBER, false)] {
            books.clients.insert(id.to_owned(), Client { secret: secret.to_owned(), may_send });
        }
        let known = Arc::new(Mutex::new(books));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&known));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Service { url, known, serving })
    }

    /// Address of the Submission API, without `/v2`.
    pub fn submission_url(&self) -> String {
        format!("{}/submission-api", self.url)
    }

    /// Address of access tokens.
    pub fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    /// Address of the Routing API, without `/v1`.
    pub fn routing_url(&self) -> String {
        format!("{}/routing-api", self.url)
    }

    /// The public key that routes are signed with (JWK).
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn routing_key(&self) -> Result<Value, Error> {
        self.with(|books| books.portal_key.public_jwk())
    }

    /// Sets a destination up, or another in its place.
    pub fn set_up(&self, destination: Destination) {
        self.with(|books| _ = books.destinations.insert(destination.id, destination));
    }

    /// Changes a destination.
    pub fn change(&self, id: Uuid, change: impl FnOnce(&mut Destination)) {
        self.with(|books| _ = books.destinations.get_mut(&id).map(change));
    }

    /// All submissions, in the order in which they were announced.
    pub fn submissions(&self) -> Vec<Submission> {
        self.with(|books| books.submissions.clone())
    }

    /// Name and payload of all events of a submission, in their order.
    pub fn events(&self, submission: Uuid) -> Vec<(String, Value)> {
        let subject = format!("submission:{submission}");
        self.with(|books| log::history(books, |entry| entry.subject == subject))
    }

    /// The delivery service itself rejects a submission, as it does with what nobody has fetched for 14 days.
    ///
    /// # Errors
    /// If it cannot sign.
    pub fn reject(&self, submission: Uuid) -> Result<(), Error> {
        self.with(|books| log::reject(books, submission))
    }

    /// From now on it answers so.
    pub fn fault(&self, fault: Fault) {
        self.with(|books| books.fault = fault);
    }

    /// Calls whose method and path hold this are answered with this status, and nothing is done; `None`: no more.
    pub fn refuse(&self, calls: Option<(&str, u16)>) {
        self.with(|books| books.refused = calls.map(|(call, status)| (call.to_owned(), status)));
    }

    /// Whether event logs are shown empty, since the delivery service is slow.
    pub fn lag(&self, lags: bool) {
        self.with(|books| books.lags = lags);
    }

    /// From now on its events are dated so many seconds later than this machine would; fewer than none: earlier.
    pub fn ahead(&self, seconds: i64) {
        self.with(|books| books.ahead = seconds);
    }

    /// A token stands in the event log of a submission from now on, whatever it is.
    pub fn put(&self, submission: Uuid, token: String) {
        self.with(|books| log::put(books, submission, token));
    }

    /// The tokens of a submission's event log, in their order.
    pub fn tokens(&self, submission: Uuid) -> Vec<String> {
        self.with(|books| log::tokens(books, submission))
    }

    /// Methods and paths of all calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.with(|books| books.calls.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut locked(&self.known))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(known: &Known) -> std::sync::MutexGuard<'_, Books> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call whose caller is known.
struct Call {
    method: Method,
    /// Path behind the base of its API.
    path: String,
    query: String,
    /// Id of the client.
    client: String,
    may_send: bool,
}

impl Call {
    fn asked(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, it)| it.into_owned())
    }

    /// `offset` and `limit`.
    fn page(&self) -> (usize, usize) {
        let number = |name: &str| self.asked(name)?.parse().ok();
        (number("offset").unwrap_or(0), number("limit").unwrap_or(100).min(500))
    }
}

async fn answer(Shared(known): Shared<Known>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let (fault, refused) = {
        let mut books = locked(&known);
        let call = format!("{} {path}", parts.method);
        let refused =
            books.refused.as_ref().filter(|(held, _)| call.contains(held)).map(|(_, status)| *status);
        books.calls.push(call);
        (books.fault, refused)
    };
    if let Some(status) = refused {
        return problem(status, "refused");
    }
    if header(&parts.headers, "user-agent").is_empty() {
        return problem(403, "forbidden");
    }
    match fault {
        Fault::Down => return problem(500, "internal"),
        Fault::Busy => {
            let mut answer = problem(429, "too-many-requests");
            for (name, value) in
                [("ratelimit-limit", "1"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "1")]
            {
                answer.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
            }
            return answer;
        }
        Fault::Garbage => return (StatusCode::OK, "<html>Wartungsarbeiten</html>").into_response(),
        Fault::LoggedOut => {
            let mut books = locked(&known);
            books.tokens.clear();
            books.fault = Fault::None;
        }
        _ => {}
    }
    if path == "/token" {
        return match whole(body, MOST_BODY).await {
            Some(form) => token(&mut locked(&known), &form),
            None => problem(413, "too-large"),
        };
    }
    if path == "/submission-api/.well-known/jwks.json" {
        return destinations::service_keys(&locked(&known));
    }
    if let Some(path) = path.strip_prefix("/routing-api") {
        return destinations::routing(&locked(&known), path, &query);
    }
    let authorization = header(&parts.headers, "authorization");
    let who = locked(&known).who(authorization.strip_prefix("Bearer ").unwrap_or_default());
    let Some((client, may_send)) = who else { return problem(401, "unauthorized") };
    let below = |base: &str| path.strip_prefix(base).map(str::to_owned);
    let Some(path) = below("/submission-api").or_else(|| below("/destination-api")) else {
        return problem(404, "not-found");
    };
    let call = Call { method: parts.method, path, query, client, may_send };
    let content_type = header(&parts.headers, "content-type").to_owned();
    called(&known, &call, &content_type, body).await
}

async fn called(known: &Known, call: &Call, content_type: &str, body: Body) -> Response {
    let path = call.path.clone();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if let (&Method::PUT, [_, "submissions", id, "attachments", attachment]) =
        (&call.method, parts.as_slice())
    {
        let Some(place) = ids(id, attachment) else { return problem(404, "submission-not-found") };
        if content_type != "application/jose" {
            return problem(415, "unsupported-media-type");
        }
        return submit::attachment(known, call, place, body).await;
    }
    let Some(body) = whole(body, MOST_BODY).await else { return problem(413, "too-large") };
    let answer = {
        let mut books = locked(known);
        match (&call.method, parts.as_slice()) {
            (_, [_, "destinations", ..]) => destinations::answer(&mut books, call, &parts, &body),
            (&Method::POST, [_, "submissions"]) => submit::announce(&mut books, call, &body),
            (&Method::PUT, [_, "submissions", id]) => submit::submit(&mut books, call, id, &body),
            (&Method::GET, [_, "submissions"]) => fetch::list(&books, call),
            (&Method::GET, [_, "submissions", id]) => fetch::submission(&books, call, id),
            (&Method::GET, [_, "submissions", id, "attachments", attachment]) => match ids(id, attachment) {
                Some(place) => fetch::attachment(&books, call, place),
                None => problem(404, "submission-not-found"),
            },
            (&Method::GET, [_, "submissions", id, "events"]) => {
                log::read(&books, call, &format!("submission:{id}"))
            }
            (&Method::GET, [_, "cases", id, "events"]) => log::read(&books, call, &format!("case:{id}")),
            (&Method::POST, [_, "cases", id, "events"]) if content_type == "application/jose" => {
                log::write(&mut books, call, id, &body)
            }
            (&Method::POST, [_, "cases", _, "events"]) => problem(415, "unsupported-media-type"),
            _ => problem(404, "not-found"),
        }
    };
    let callbacks = locked(known).take_callbacks();
    for it in callbacks {
        let request = reqwest::Client::new()
            .post(it.url)
            .header("callback-timestamp", it.timestamp)
            .header("callback-authentication", it.code)
            .header("content-type", "application/json")
            .body(it.body);
        // A callback is a hint: who does not get it looks by itself.
        tokio::spawn(async move { _ = request.send().await });
    }
    answer
}

/// RFC 6749 section 4.4, with id and secret in the body alone.
fn token(books: &mut Books, form: &[u8]) -> Response {
    let asked = |name: &str| {
        form_urlencoded::parse(form)
            .find(|(key, _)| key == name)
            .map(|(_, it)| it.into_owned())
            .unwrap_or_default()
    };
    let (id, secret) = (asked("client_id"), asked("client_secret"));
    let is_known = books.clients.get(&id).is_some_and(|client| client.secret == secret);
    if asked("grant_type") != "client_credentials" || !is_known {
        return told(401, &json!({ "error": "invalid_client" }));
    }
    let token = new_id().simple().to_string();
    books.tokens.insert(token.clone(), id);
    told(
        200,
        &json!({ "token_type": "Bearer", "expires_in": 1800, "access_token": token, "scope": "simulator" }),
    )
}

async fn whole(body: Body, most: usize) -> Option<Vec<u8>> {
    let mut stream = body.into_data_stream();
    let mut bytes = vec![];
    while let Some(piece) = stream.next().await {
        let piece = piece.ok()?;
        if bytes.len() + piece.len() > most {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    Some(bytes)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
}

fn ids(one: &str, other: &str) -> Option<(Uuid, Uuid)> {
    Some((Uuid::try_parse(one).ok()?, Uuid::try_parse(other).ok()?))
}

fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_le_bytes()).into_uuid()
}

fn told(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

/// RFC 9457.
fn problem(status: u16, name: &str) -> Response {
    let body = json!({ "type": format!("{PROBLEMS}{name}"), "title": name, "status": status });
    let mut answer = told(status, &body);
    let kind = axum::http::HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert("content-type", kind);
    answer
}
