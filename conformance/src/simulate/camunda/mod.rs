//! A simulated workflow engine that answers as Camunda 7.24 did when its REST API was recorded: the same status, the same members, the same
//! sentences of its errors. It knows process models of one token (see `bpmn`), keeps everything in memory and forgets it at its end.
//!
//! | call | does |
//! |---|---|
//! | `PUT /_control/fault` | `{"fault": "none" \| "error" \| "database" \| "garbage" \| "slow" \| "lost", "only": "/message"}`: how calls are answered whose path contains this |
//! | `PUT /_control/clock` | `{"aheadSeconds": 60}`: its clock is ahead by so much |
//! | `GET /_control/calls` | methods and paths of all calls so far |

mod bpmn;
mod engine;
mod external;
mod history;
mod rest;
mod time;
mod variables;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;
use engine::Engine;

/// How long it takes when it is slow.
const SLOW: Duration = Duration::from_secs(20);

/// Pause between two looks for tasks while a question for them is kept.
const LOOK: Duration = Duration::from_millis(20);

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// With 503: it is down.
    Error,
    /// With 500: its database is away.
    Database,
    /// With 500: a step of the process failed, and everything was taken back.
    Step,
    /// With 200 and a web page.
    Garbage,
    /// As it should, but late.
    Slow,
    /// It does what it should, and its answer is late.
    Lost,
}

/// A call as it came.
struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
    body: Value,
    base: String,
}

impl Call {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer: status and JSON, or text; nothing for 204.
enum Reply {
    Json(u16, Value),
    Text(String),
    Nothing,
}

/// An error of the engine.
fn error(status: u16, kind: &str, message: impl Into<String>, code: Option<i64>) -> Reply {
    let message: String = message.into();
    Reply::Json(status, json!({ "type": kind, "message": message, "code": code }))
}

#[derive(Default)]
struct Known {
    engine: Engine,
    fault: Fault,
    only: String,
    calls: Vec<String>,
}

/// An engine that runs until it is dropped.
pub struct Simulator {
    /// Base address of its REST API.
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
        let url = format!("http://{}/engine-rest", listener.local_addr()?);
        let known = Arc::<Mutex<Known>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&known));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Simulator { url, known, serving })
    }

    /// Knows the processes of a model from now on.
    pub fn deploy(&self, bpmn: &str) {
        self.with(|known| rest::deploy(&mut known.engine, "model", "process-model.bpmn", bpmn));
    }

    /// From now on it answers calls so whose path contains `only`.
    pub fn fault(&self, fault: Fault, only: &str) {
        self.with(|known| (known.fault, known.only) = (fault, only.to_owned()));
    }

    /// Its clock goes on by so much: locks run out.
    pub fn pass(&self, time: Duration) {
        self.with(|known| known.engine.ahead += i64::try_from(time.as_millis()).unwrap_or(0));
    }

    /// Methods and paths of all calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.with(|known| known.calls.clone())
    }

    /// Ids of all instances with this business key, running or ended.
    pub fn instances(&self, business_key: &str) -> Vec<String> {
        self.with(|known| {
            let of_key = known.engine.instances.iter().filter(|it| it.business_key == business_key);
            of_key.map(|instance| instance.id.clone()).collect()
        })
    }

    /// The step where an instance stands; `None` if it has ended.
    pub fn stands_at(&self, instance: &str) -> Option<String> {
        self.with(|known| {
            let instance = known.engine.instances.iter().find(|it| it.id == instance)?;
            instance.at.as_ref().map(|at| at.node.clone())
        })
    }

    /// A variable of an instance, as the engine gives it.
    pub fn variable(&self, instance: &str, name: &str) -> Option<Value> {
        self.with(|known| {
            let instance = known.engine.instances.iter().find(|it| it.id == instance)?;
            instance.variables.get(name).cloned()
        })
    }

    /// How many incidents there were.
    pub fn incidents(&self) -> usize {
        self.with(|known| known.engine.incidents.len())
    }

    /// Somebody ends an instance in the engine itself.
    pub fn terminate(&self, instance: &str) {
        self.with(|known| {
            let at = known.engine.instances.iter().position(|it| it.id == instance && !it.ended);
            if let Some(at) = at {
                known.engine.terminate(at);
            }
        });
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

async fn answer(
    Shared(known): Shared<Arc<Mutex<Known>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let call = Call {
        method,
        path: uri.path().to_owned(),
        query: query.into_owned().collect(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        headers,
        bytes,
        base: format!("http://{host}/engine-rest"),
    };
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(control) = call.path.strip_prefix("/_control/") {
        return told(controlled(&mut lock(), control, &call));
    }
    let fault = {
        let mut known = lock();
        known.calls.push(format!("{} {}", call.method, call.path));
        if call.path.contains(&known.only) { known.fault } else { Fault::None }
    };
    match fault {
        Fault::None | Fault::Lost => {}
        Fault::Error => return (StatusCode::SERVICE_UNAVAILABLE, "down").into_response(),
        Fault::Garbage => return (StatusCode::OK, "<html>Wartungsarbeiten").into_response(),
        Fault::Database => {
            return told(error(500, "ProcessEnginePersistenceException", "no connection", Some(0)));
        }
        Fault::Step => {
            return told(error(500, "RestException", "Unknown property used in expression", Some(0)));
        }
        Fault::Slow => tokio::time::sleep(SLOW).await,
    }
    let mut reply = rest::answer(&mut lock().engine, &call);
    let until = tokio::time::Instant::now()
        + Duration::from_millis(call.body["asyncResponseTimeout"].as_u64().unwrap_or(0));
    while matches!(&reply, Reply::Json(200, Value::Array(list)) if list.is_empty())
        && tokio::time::Instant::now() < until
    {
        tokio::time::sleep(LOOK).await;
        reply = rest::answer(&mut lock().engine, &call);
    }
    if fault == Fault::Lost {
        tokio::time::sleep(SLOW).await;
    }
    told(reply)
}

fn controlled(known: &mut Known, control: &str, call: &Call) -> Reply {
    match (&call.method, control) {
        (&Method::GET, "calls") => Reply::Json(200, json!(known.calls)),
        (&Method::PUT, "clock") => {
            known.engine.ahead = call.body["aheadSeconds"].as_i64().unwrap_or(0) * 1_000;
            Reply::Nothing
        }
        (&Method::PUT, "fault") => match serde_json::from_value(call.body["fault"].clone()) {
            Ok(fault) => {
                known.fault = fault;
                known.only = call.body["only"].as_str().unwrap_or_default().to_owned();
                Reply::Nothing
            }
            Err(_) => Reply::Json(400, json!({ "error": "fault" })),
        },
        _ => Reply::Json(404, json!({ "error": "no such path" })),
    }
}

fn told(reply: Reply) -> Response {
    match reply {
        Reply::Nothing => StatusCode::NO_CONTENT.into_response(),
        Reply::Text(text) => {
            (StatusCode::OK, [("content-type", "text/plain;charset=utf-8")], text).into_response()
        }
        Reply::Json(status, body) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [("content-type", "application/json")], body.to_string()).into_response()
        }
    }
}
