//! A simulated telephone system that answers as Asterisk 22.10 did when its REST interface (ARI) was recorded, and tells the events that it
//! told then: of a call that came in, of one that was made and answered, of one that nobody took. Whoever is rung answers as in the
//! recording that was chosen.
//!
//! | call | does |
//! |---|---|
//! | `POST /_control/calls` | `{"number": "+4938155512345"}`: somebody calls, as recorded |

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequest, FromRequestParts, Request, State as Shared};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::Error;

/// Who may use it.
pub const USER: &str = "gateway";
/// With which password.
pub const PASSWORD: &str = "geheim";

/// A session that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recorded {
    /// Somebody calls, hears something, and hangs up.
    Inbound,
    /// A clerk calls a citizen back.
    #[default]
    Callback,
    /// The clerk does not take the call.
    NoAnswer,
}

impl Recorded {
    /// Its events.
    pub fn events(self) -> Vec<Value> {
        let text = match self {
            Recorded::Inbound => include_str!("recorded/inbound.json"),
            Recorded::Callback => include_str!("recorded/callback.json"),
            Recorded::NoAnswer => include_str!("recorded/noanswer.json"),
        };
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Channels of it: the first, and the second if there is one.
    fn channels(self) -> [&'static str; 2] {
        match self {
            Recorded::Inbound => ["1795401955.1", "-"],
            Recorded::Callback => ["1795401978.3", "1795401978.4"],
            Recorded::NoAnswer => ["1795402010.5", "-"],
        }
    }
}

#[derive(Default)]
struct Known {
    lines: Vec<UnboundedSender<String>>,
    channels: BTreeMap<String, Value>,
    calls: Vec<String>,
    answers: Recorded,
    refuses: bool,
    /// Whether whoever is rung speaks for ever.
    goes_on: bool,
    /// Calls that fail: a part of what they are, and how often yet.
    failing: Vec<(String, u32)>,
    /// What happens once the second leg is made.
    rest: Vec<Value>,
    number: u32,
}

/// A telephone system that runs until it is dropped.
pub struct Simulator {
    /// Base address of its interface.
    pub url: String,
    known: Arc<Mutex<Known>>,
    serving: JoinHandle<()>,
}

impl Simulator {
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
        let url = format!("http://{}/ari", listener.local_addr()?);
        let known = Arc::<Mutex<Known>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&known));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Simulator { url, known, serving })
    }

    /// Tells an event to all lines, and remembers which channels are on.
    pub fn tell(&self, event: &Value) {
        self.with(|known| known.tell(event));
    }

    /// Tells something that is no event.
    pub fn say(&self, text: &str) {
        self.with(|known| known.lines.retain(|line| line.send(text.to_owned()).is_ok()));
    }

    /// From now on, whoever is rung answers as then.
    pub fn answers(&self, recorded: Recorded) {
        self.with(|known| known.answers = recorded);
    }

    /// From now on, those who are rung answer, and speak until something ends it.
    pub fn answers_without_end(&self) {
        self.with(|known| (known.answers, known.goes_on) = (Recorded::Callback, true));
    }

    /// From now on, no telephone can be rung: 500, as for an unknown technology.
    pub fn refuses(&self, refuses: bool) {
        self.with(|known| known.refuses = refuses);
    }

    /// The next so many calls that have this in their method, path or query are answered with 503, and do nothing.
    pub fn fails(&self, what: &str, times: u32) {
        self.with(|known| known.failing.push((what.to_owned(), times)));
    }

    /// Channels that are on.
    pub fn channels(&self) -> Vec<String> {
        self.with(|known| known.channels.keys().cloned().collect())
    }

    /// All lines break.
    pub fn breaks(&self) {
        self.with(|known| known.lines.clear());
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.with(|known| {
            known.lines.retain(|line| !line.is_closed());
            known.lines.len()
        })
    }

    /// Methods, paths and queries of all calls so far but those that only ask.
    pub fn calls(&self) -> Vec<String> {
        self.with(|known| known.calls.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Known {
    fn tell(&mut self, event: &Value) {
        if let Some(id) = event["channel"]["id"].as_str() {
            match event["type"].as_str() {
                Some("ChannelDestroyed") => drop(self.channels.remove(id)),
                _ => drop(self.channels.insert(id.to_owned(), event["channel"].clone())),
            }
        }
        let text = event.to_string();
        self.lines.retain(|line| line.send(text.clone()).is_ok());
    }

    /// Another line takes the application over: those before are told so, and end.
    fn replace(&mut self, line: UnboundedSender<String>) {
        let replaced = json!({ "type": "ApplicationReplaced", "application": "gateway" }).to_string();
        for before in self.lines.drain(..) {
            // It may have gone already.
            let _ = before.send(replaced.clone());
        }
        self.lines.push(line);
    }

    /// Whether this call is one that fails now.
    fn is_failing(&mut self, call: &str) -> bool {
        let found = self.failing.iter_mut().find(|(what, left)| *left > 0 && call.contains(what.as_str()));
        found.map(|(_, left)| *left -= 1).is_some()
    }

    /// A channel goes on in the dialplan; the application has it no more.
    fn go_on(&mut self, id: &str) -> bool {
        let Some(channel) = self.channels.get_mut(id) else { return false };
        channel["dialplan"]["app_name"] = json!("NoOp");
        true
    }

    /// A telephone rings under `id`, as recorded.
    fn ring(&mut self, id: &str) -> Value {
        if id.ends_with("-c") {
            let [_, second] = self.answers.channels();
            let mut events = std::mem::take(&mut self.rest);
            let hung_up = events.iter().position(|event| event["type"] == "ChannelHangupRequest");
            events.truncate(hung_up.filter(|_| self.goes_on).unwrap_or(events.len()));
            events.iter().map(|event| renamed(event, second, id)).for_each(|event| self.tell(&event));
            return json!({ "id": id, "state": "Down" });
        }
        let [first, second] = self.answers.channels();
        let all: Vec<Value> = self.answers.events().iter().map(|event| renamed(event, first, id)).collect();
        let of_second = all.iter().position(|event| event["channel"]["id"] == second);
        let (now, then) = all.split_at(of_second.unwrap_or(all.len()));
        self.rest = then.to_vec();
        now.iter().for_each(|event| self.tell(event));
        json!({ "id": id, "state": "Down" })
    }

    /// Somebody calls, as recorded, and shows this number.
    fn called(&mut self, number: &str) -> String {
        self.number += 1;
        let id = format!("1795401955.{}", 100 + self.number);
        let [first, _] = Recorded::Inbound.channels();
        for event in Recorded::Inbound.events() {
            let event = renamed(&event, first, &id).to_string().replace("+4938155512345", number);
            self.tell(&serde_json::from_str(&event).unwrap_or_default());
        }
        id
    }
}

/// The same event of another channel.
pub fn renamed(event: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&event.to_string().replace(from, to)).unwrap_or_default()
}

async fn answer(Shared(known): Shared<Arc<Mutex<Known>>>, request: Request) -> Response {
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    let path = request.uri().path().to_owned();
    if path == "/_control/calls" {
        let body = Bytes::from_request(request, &()).await.unwrap_or_default();
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let id = lock().called(told["number"].as_str().unwrap_or("anonymous"));
        return said(200, &json!({ "channel": id }));
    }
    let (mut parts, _) = request.into_parts();
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let shown = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    if shown != Some(&expected) {
        let realm = [("www-authenticate", "Basic realm=\"Asterisk REST Interface\"")];
        return (realm, said(401, &json!({ "message": "Authentication required" }))).into_response();
    }
    if path == "/ari/events" {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let known = Arc::clone(&known);
        return match upgrade {
            Ok(upgrade) => upgrade.on_upgrade(move |socket| serve(socket, known)),
            Err(refused) => refused.into_response(),
        };
    }
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    replied(&mut lock(), &parts.method, &path, &query)
}

fn replied(known: &mut Known, method: &Method, path: &str, query: &BTreeMap<String, String>) -> Response {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let call = format!("{method} {path} {}", pairs.join(" "));
    if *method != Method::GET {
        known.calls.push(call.clone());
    }
    if known.is_failing(&call) {
        return said(503, &json!({ "message": "Service unavailable" }));
    }
    let parts: Vec<&str> = path.trim_start_matches("/ari/").split('/').collect();
    let not_found = || said(404, &json!({ "message": "Channel not found" }));
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["asterisk", "info"]) => said(200, &json!({ "system": { "version": "22.10.1" } })),
        ("GET", ["channels"]) => said(200, &known.channels.values().cloned().collect()),
        ("GET", ["channels", id]) => known.channels.get(*id).map_or_else(not_found, |it| said(200, it)),
        ("POST", ["channels"]) if known.refuses => said(500, &json!({ "error": "Allocation failed" })),
        ("POST", ["channels"]) => made(known, query),
        ("POST", ["bridges"]) => said(200, &json!({ "id": query.get("bridgeId"), "channels": [] })),
        ("DELETE", ["bridges", _]) | ("POST", ["bridges", _, _]) => StatusCode::NO_CONTENT.into_response(),
        ("DELETE", ["channels", id]) => {
            known.channels.remove(*id).map_or_else(not_found, |_| StatusCode::NO_CONTENT.into_response())
        }
        ("POST", ["channels", id, "continue"]) => match known.go_on(id) {
            true => StatusCode::NO_CONTENT.into_response(),
            false => not_found(),
        },
        ("POST", ["channels", id, "variable" | "answer"]) => match known.channels.get(*id) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => not_found(),
        },
        _ => said(404, &json!({ "message": "Resource not found" })),
    }
}

fn made(known: &mut Known, query: &BTreeMap<String, String>) -> Response {
    let refused = |message: &str| said(400, &json!({ "message": message }));
    if !query.contains_key("endpoint") {
        return refused("Endpoint must be specified");
    }
    if !query.contains_key("app") {
        return refused("Application or extension must be specified");
    }
    let Some(id) = query.get("channelId") else { return refused("the simulator wants a channelId") };
    if known.channels.contains_key(id) {
        return said(409, &json!({ "message": "Channel with given unique ID already exists" }));
    }
    said(200, &known.ring(id))
}

/// A line: what happens is told by it until it breaks.
async fn serve(mut socket: WebSocket, known: Arc<Mutex<Known>>) {
    let (sender, mut told) = unbounded_channel();
    known.lock().unwrap_or_else(PoisonError::into_inner).replace(sender);
    loop {
        tokio::select! {
            text = told.recv() => {
                let Some(text) = text else { return };
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            // Pings are answered by whoever reads.
            came = socket.recv() => if !matches!(came, Some(Ok(_))) { return },
        }
    }
}

fn said(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}
