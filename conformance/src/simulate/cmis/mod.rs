//! A simulated CMIS 1.1 repository, browser binding and AtomPub, that answers as a recorded Apache OpenCMIS server did. Rights are not
//! simulated; its change log is a real one.
//!
//! | address | is |
//! |---|---|
//! | `/inmemory/browser` | service of the browser binding |
//! | `/inmemory/atom11` | service document of AtomPub |
//! | `PUT /_control/fault` | `{"fault": "none" \| "hang" \| "html" \| "cut" \| "unavailable" \| "slow" \| "stranger" \| "crash", "on": action or null, "times": n}` |
//! | `GET /_control/objects` | what it holds, succinct |

mod atom;
mod browser;
mod content;
mod query;
mod service;
mod somebody;
mod store;
pub mod types;
mod upload;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RANGE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;
use store::{Logged, Outcome, Store, refuse};

/// Id of the repository.
pub const REPOSITORY: &str = "A1";
/// User that it lets in.
pub const USER: &str = "amtsbote";
/// Password of every user.
pub const PASSWORD: &str = "Simulator-Kennwort";

/// What it says of itself, without its addresses.
const INFO: &str = include_str!("repository.json");

/// First id that it gives.
const FIRST: u64 = 136;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// Does it and never answers.
    Hang,
    /// Does it and answers with a page, and 200.
    Html,
    /// Does it, and breaks off in the middle of the answer.
    Cut,
    /// Does not do it and says so.
    Unavailable,
    /// Does it and answers a byte a second.
    Slow,
    /// Knows nobody any more.
    Stranger,
    /// Of an action: does it, breaks off in the middle of the answer, and is unavailable from then on.
    Crash,
}

#[derive(Debug, Default)]
struct Faults {
    fault: Fault,
    on: Option<String>,
    times: usize,
    actions: Vec<String>,
    is_plain: bool,
    refused: BTreeMap<String, &'static str>,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    faults: Mutex<Faults>,
}

/// A repository that runs until it is dropped.
#[derive(Debug)]
pub struct Repository {
    /// Base address.
    pub url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Repository {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self, Error> {
        Self::start_on(0, FIRST).await
    }

    /// Listens on a port of the loopback; 0 is any free one. The first object gets the id `first`.
    ///
    /// # Errors
    /// If it is taken.
    pub async fn start_on(port: u16, first: u64) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared { store: Mutex::new(Store::new(first)), faults: Mutex::default() });
        let router =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Repository { url, shared, serving })
    }

    /// Address of the browser binding.
    pub fn browser(&self) -> String {
        format!("{}/inmemory/browser", self.url)
    }

    /// Address of AtomPub.
    pub fn atom(&self) -> String {
        format!("{}/inmemory/atom11", self.url)
    }

    /// From now on it answers so: to one action (lower case, as `createdocument`) or to everything, so many times.
    pub fn fault(&self, fault: Fault, on: Option<&str>, times: usize) {
        let mut faults = lock(&self.shared.faults);
        faults.fault = fault;
        faults.on = on.map(str::to_owned);
        faults.times = times;
    }

    /// Actions so far.
    pub fn actions(&self) -> Vec<String> {
        lock(&self.shared.faults).actions.clone()
    }

    /// Properties of everything that it holds, by their id; versions are told one by one.
    pub fn objects(&self) -> Vec<Value> {
        let store = lock(&self.shared.store);
        let all = store.all().map(|it| browser::shown(&store, it, true)["succinctProperties"].clone());
        all.collect()
    }

    /// From now on AtomPub has only what the standard has: statuses that name no exception, and a change log without an extension.
    pub fn plain(&self) {
        lock(&self.shared.faults).is_plain = true;
    }

    /// From now on one object cannot be read: that is refused with this exception. `None`: it can be again.
    pub fn refuse_to_read(&self, id: &str, exception: Option<&'static str>) {
        let refused = &mut lock(&self.shared.faults).refused;
        match exception {
            Some(exception) => _ = refused.insert(id.to_owned(), exception),
            None => _ = refused.remove(id),
        }
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call as it came, its body apart.
#[derive(Debug, Clone)]
struct Call {
    method: Method,
    /// Below the binding's address.
    path: String,
    /// The binding's address.
    base: String,
    /// Parameters, names in lower case.
    query: BTreeMap<String, String>,
    content_type: String,
    disposition: String,
    range: Option<(u64, Option<u64>)>,
    user: String,
    shared: Arc<Shared>,
}

impl Call {
    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.shared.store)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    fn number(&self, name: &str, otherwise: usize) -> usize {
        self.get(name).and_then(|it| it.parse().ok()).unwrap_or(otherwise)
    }

    fn with(&self, fields: &BTreeMap<String, String>) -> Call {
        let mut call = self.clone();
        call.query.extend(fields.clone());
        call
    }

    fn is_plain(&self) -> bool {
        lock(&self.shared.faults).is_plain
    }

    /// Refuses to read an object, if it was told to.
    fn may_read(&self, id: &str) -> Outcome<()> {
        match lock(&self.shared.faults).refused.get(id) {
            Some(exception) => refuse(exception, "it cannot be read"),
            None => Ok(()),
        }
    }

    fn note(&self, action: &str) {
        lock(&self.shared.faults).actions.push(action.to_owned());
    }

    fn fault_before(&self, action: &str) -> bool {
        self.fault(Some(action), |fault| fault == Fault::Unavailable).is_some()
    }

    fn fault_after(&self, action: &str) -> bool {
        let due = self.fault(Some(action), |fault| matches!(fault, Fault::Cut | Fault::Crash));
        if due == Some(Fault::Crash) {
            let mut faults = lock(&self.shared.faults);
            (faults.fault, faults.on, faults.times) = (Fault::Unavailable, None, usize::MAX);
        }
        due.is_some()
    }

    /// The fault that is due, if it is one of those; it is used up.
    fn fault(&self, action: Option<&str>, is_meant: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut faults = lock(&self.shared.faults);
        let is_due = faults.times > 0 && faults.on.as_deref() == action && is_meant(faults.fault);
        if !is_due {
            return None;
        }
        faults.times -= 1;
        Some(faults.fault)
    }
}

/// An answer.
struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Answered,
}

enum Answered {
    Text(String),
    Stream(Body),
    Cut(String),
}

impl Reply {
    fn text(status: StatusCode, content_type: &str, text: String) -> Self {
        Reply { status, headers: vec![("content-type", content_type.to_owned())], body: Answered::Text(text) }
    }

    fn json(status: StatusCode, value: &Value) -> Self {
        Reply::text(status, "application/json;charset=utf-8", value.to_string())
    }

    fn empty_html() -> Self {
        Reply::text(StatusCode::OK, "text/html;charset=utf-8", String::new())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn with_status(self, status: StatusCode) -> Self {
        Reply { status, ..self }
    }

    fn map_text(self, map: impl FnOnce(String) -> String) -> Self {
        match self.body {
            Answered::Text(text) => Reply { body: Answered::Text(map(text)), ..self },
            _ => self,
        }
    }

    fn cut(self) -> Self {
        match self.body {
            Answered::Text(text) => Reply { body: Answered::Cut(text), ..self },
            _ => self,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let body = match self.body {
            Answered::Text(text) => Body::from(text),
            Answered::Stream(body) => body,
            Answered::Cut(text) => {
                let half = text.as_bytes()[..text.len() / 2].to_vec();
                let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
                // Later, so that the half goes out before.
                let end = futures::stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(broken)
                });
                Body::from_stream(futures::stream::iter([Ok(Bytes::from(half))]).chain(Box::pin(end)))
            }
        };
        let mut response = (self.status, body).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// HTTP status of an exception.
fn status(exception: &str) -> StatusCode {
    match exception {
        "constraint"
        | "contentAlreadyExists"
        | "nameConstraintViolation"
        | "updateConflict"
        | "versioning" => StatusCode::CONFLICT,
        "filterNotValid" | "invalidArgument" => StatusCode::BAD_REQUEST,
        "notSupported" => StatusCode::METHOD_NOT_ALLOWED,
        "objectNotFound" => StatusCode::NOT_FOUND,
        "permissionDenied" | "streamNotSupported" => StatusCode::FORBIDDEN,
        "serviceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A part of the change log, and where it begins.
fn log_page<'a>(store: &'a Store, token: Option<&str>, most: usize) -> Outcome<(usize, &'a [Logged])> {
    let from = match token {
        None | Some("") => 0,
        Some(token) => match token.strip_prefix("token-").and_then(|it| it.parse::<usize>().ok()) {
            Some(from) if from <= store.log.len() => from,
            _ => return refuse("invalidArgument", "the change log token is unknown"),
        },
    };
    Ok((from, &store.log[from..(from + most).min(store.log.len())]))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if let Some(control) = path.strip_prefix("/_control/") {
        return controlled(&shared, control, body).await;
    }
    let header = |name| text(&parts.headers, name);
    let is_stranger = strange(&shared);
    let known = user(&header(AUTHORIZATION.as_str())).filter(|_| !is_stranger);
    let Some(user) = known else {
        let page = "<html><body>Authentication Required</body></html>".to_owned();
        let reply = Reply::text(StatusCode::UNAUTHORIZED, "text/html;charset=utf-8", page);
        return reply
            .with("www-authenticate", "Basic realm=\"CMIS\", charset=\"UTF-8\"".into())
            .into_response();
    };
    let (binding, below) =
        match (path.strip_prefix("/inmemory/browser"), path.strip_prefix("/inmemory/atom11")) {
            (Some(below), _) => ("browser", below),
            (_, Some(below)) => ("atom11", below),
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let call = Call {
        method: parts.method,
        path: decoded(below),
        base: format!("http://{}/inmemory/{binding}", header(HOST.as_str())),
        query: query.map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect(),
        content_type: header(CONTENT_TYPE.as_str()),
        disposition: header("content-disposition"),
        range: content::range(&header(RANGE.as_str())),
        user,
        shared,
    };
    if call.fault(None, |fault| fault == Fault::Unavailable).is_some() {
        return Reply::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", String::new())
            .with("retry-after", "7".into())
            .into_response();
    }
    let reply = match binding {
        "browser" => browser::answer(call.clone(), body).await,
        _ => atom::answer(call.clone(), body).await,
    };
    match call.fault(None, |fault| fault != Fault::None) {
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            reply.into_response()
        }
        Some(Fault::Html) => {
            Reply::text(StatusCode::OK, "text/html", "<html>Wartungsarbeiten</html>".into()).into_response()
        }
        Some(Fault::Cut) => reply.cut().into_response(),
        Some(Fault::Slow) => slow(reply).into_response(),
        _ => reply.into_response(),
    }
}

fn slow(reply: Reply) -> Reply {
    let Answered::Text(text) = reply.body else { return reply };
    let bytes = futures::stream::iter(text.into_bytes()).then(|byte| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, std::io::Error>(Bytes::from(vec![byte]))
    });
    Reply { body: Answered::Stream(Body::from_stream(bytes)), ..reply }
}

async fn controlled(shared: &Arc<Shared>, control: &str, body: Body) -> Response {
    match control {
        "fault" => {
            let body = upload::whole(body).await.unwrap_or_default();
            let wanted: Value = serde_json::from_slice(&body).unwrap_or_default();
            let Ok(fault) = serde_json::from_value(wanted["fault"].clone()) else {
                return StatusCode::BAD_REQUEST.into_response();
            };
            let mut faults = lock(&shared.faults);
            faults.fault = fault;
            faults.on = wanted["on"].as_str().map(str::to_lowercase);
            faults.times = wanted["times"].as_u64().and_then(|it| it.try_into().ok()).unwrap_or(usize::MAX);
            StatusCode::NO_CONTENT.into_response()
        }
        "objects" => {
            let store = lock(&shared.store);
            let all: Vec<Value> = store.all().map(|it| browser::shown(&store, it, true)).collect();
            Reply::json(StatusCode::OK, &Value::Array(all)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Who calls: anybody with the password; the recorded server let in everybody.
fn user(authorization: &str) -> Option<String> {
    let pair = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    (password == PASSWORD || pair == "test:test").then(|| user.to_owned())
}

fn strange(shared: &Shared) -> bool {
    let mut faults = lock(&shared.faults);
    let is_due = faults.times > 0 && faults.fault == Fault::Stranger;
    faults.times -= usize::from(is_due);
    is_due
}

fn decoded(path: &str) -> String {
    let plus = path.replace('+', "%2B");
    form_urlencoded::parse(format!("p={plus}").as_bytes())
        .next()
        .map(|(_, path)| path.into_owned())
        .unwrap_or_default()
}
