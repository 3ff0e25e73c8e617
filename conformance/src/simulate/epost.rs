//! A simulated carrier of hybrid mail that speaks Deutsche Post's E-POSTBUSINESS API v2, as far as the gateway calls it: login, letters, where
//! they stand. It keeps of a letter its fields and digest; nothing is printed. Letters move on when a test or `/_control` says so.
//!
//! | call | does |
//! |---|---|
//! | `GET /_control/letters` | what it holds |
//! | `PUT /_control/letters/{id}` | sets `statusID`, `registeredLetterStatus` and their dates, each if it is there |
//! | `PUT /_control/fault` | `{"fault": "none" \| "down" \| "garbage" \| "lost" \| "slow" \| "loggedOut"}` |

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;

/// What it lets in: vendorID, ekp, secret, password.
pub const LOGIN: [&str; 4] = ["Simulator", "5000000000", "Simulator-Geheimnis", "Simulator-Passwort"];
/// How long it takes when it is slow.
const SLOW: Duration = Duration::from_secs(20);
/// Largest body.
const MOST_BODY: usize = 64 << 20;
/// Longest lines of an address.
const LINE_CHARS: usize = 80;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// With 503: it is down.
    Down,
    /// With 200 and a web page; nothing is done.
    Garbage,
    /// A letter is taken, and then 500 is answered.
    Lost,
    /// As it should, but late.
    Slow,
    /// Tokens of before are not taken any more; once.
    LoggedOut,
}

/// All it knows.
#[derive(Debug, Default)]
struct Books {
    letters: Vec<Value>,
    fault: Fault,
    logins: usize,
    calls: Vec<String>,
}

type Known = Arc<Mutex<Books>>;

/// A carrier that runs until it is dropped.
#[derive(Debug)]
pub struct Carrier {
    /// Base address.
    pub url: String,
    known: Known,
    serving: JoinHandle<()>,
}

impl Carrier {
    /// Listens on a port of the loopback; 0 is any free one.
    ///
    /// # Errors
    /// If it is taken.
    pub async fn start_on(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let known = Known::default();
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MOST_BODY))
            .with_state(Arc::clone(&known));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Carrier { url, known, serving })
    }

    /// The letters that it holds, in the order in which they came.
    pub fn letters(&self) -> Vec<Value> {
        self.with(|books| books.letters.clone())
    }

    /// Changes a field of a letter.
    pub fn set(&self, id: i64, name: &str, value: Value) {
        self.with(|books| {
            if let Some(letter) = books.letters.iter_mut().find(|it| it["letterID"] == id) {
                letter[name] = value;
            }
        });
    }

    /// From now on it answers so.
    pub fn fault(&self, fault: Fault) {
        self.with(|books| books.fault = fault);
    }

    /// Methods and paths of all calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.with(|books| books.calls.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Carrier {
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
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(path) = uri.path().strip_prefix("/_control/") {
        return control(&mut known.lock().unwrap_or_else(PoisonError::into_inner), &method, path, &body);
    }
    let fault = {
        let mut books = known.lock().unwrap_or_else(PoisonError::into_inner);
        books.calls.push(format!("{method} {}", uri.path()));
        books.fault
    };
    match fault {
        Fault::Down => return (StatusCode::SERVICE_UNAVAILABLE, "down").into_response(),
        Fault::Garbage => return (StatusCode::OK, "<html>Wartungsarbeiten</html>").into_response(),
        Fault::Slow => tokio::time::sleep(SLOW).await,
        Fault::None | Fault::Lost | Fault::LoggedOut => {}
    }
    let mut books = known.lock().unwrap_or_else(PoisonError::into_inner);
    if (&method, uri.path()) == (&Method::POST, "/api/Login") {
        return login(&mut books, &body);
    }
    let token = headers.get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default();
    if fault == Fault::LoggedOut {
        books.logins += 1;
        books.fault = Fault::None;
    }
    if books.logins == 0 || token != format!("Bearer token-{}", books.logins) {
        return error(401, "LOGIN", "token");
    }
    call(&mut books, &method, &uri, &body)
}

fn login(books: &mut Books, body: &Value) -> Response {
    let given = ["vendorID", "ekp", "secret", "password"].map(|name| body[name].as_str().unwrap_or_default());
    if given != LOGIN {
        return error(401, "LOGIN", "login");
    }
    books.logins += 1;
    told(200, &json!({ "token": format!("token-{}", books.logins) }))
}

fn call(books: &mut Books, method: &Method, uri: &Uri, body: &Value) -> Response {
    let query = uri.query().unwrap_or_default().to_owned();
    let asked = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    match (method, uri.path()) {
        (&Method::POST, "/api/Letter") => take(books, body),
        (&Method::GET, "/api/Letter/Custom1") => {
            let wanted = asked("custom1").unwrap_or_default();
            told(200, &Value::from(shown(books, |letter| letter["custom1"] == wanted.as_str())))
        }
        (&Method::GET, "/api/Letter/Date") => {
            let (from, till) = (asked("fromDate").unwrap_or_default(), asked("tillDate").unwrap_or_default());
            let day = |letter: &Value| {
                letter["createdDate"].as_str().unwrap_or_default().chars().take(10).collect::<String>()
            };
            told(
                200,
                &Value::from(shown(books, |letter| (from.clone()..=till.clone()).contains(&day(letter)))),
            )
        }
        (&Method::POST, "/api/Letter/StatusQuery") => {
            let wanted = body.as_array().cloned().unwrap_or_default();
            told(200, &Value::from(shown(books, |letter| wanted.contains(&letter["letterID"]))))
        }
        _ => error(404, "PATH", "no such path"),
    }
}

/// Takes letters: all of them, or none.
fn take(books: &mut Books, body: &Value) -> Response {
    let Some(letters) = body.as_array().filter(|it| !it.is_empty()) else {
        return error(400, "BODY", "an array of letters");
    };
    let mut taken = vec![];
    for letter in letters {
        match checked(letter, books.letters.len() + taken.len()) {
            Ok(letter) => taken.push(letter),
            Err(field) => return error(400, "FIELD", field),
        }
    }
    let answer: Vec<_> =
        taken.iter().map(|it| json!({ "letterID": it["letterID"], "fileName": it["fileName"] })).collect();
    books.letters.extend(taken);
    if books.fault == Fault::Lost {
        return error(500, "SYSTEM", "lost");
    }
    told(200, &Value::from(answer))
}

/// What is kept of a letter; the field that is wrong.
fn checked(letter: &Value, before: usize) -> Result<Value, &'static str> {
    let text = |name: &str, most: usize| {
        let text = letter[name].as_str().unwrap_or_default();
        (!text.is_empty() && text.chars().count() <= most).then(|| text.to_owned())
    };
    text("addressLine1", LINE_CHARS).ok_or("addressLine1")?;
    text("zipCode", 20).ok_or("zipCode")?;
    text("city", LINE_CHARS).ok_or("city")?;
    text("fileName", 200).ok_or("fileName")?;
    let data = STANDARD.decode(letter["data"].as_str().unwrap_or_default()).map_err(|_| "data")?;
    if !data.starts_with(b"%PDF") {
        return Err("data");
    }
    let mut kept = letter.clone();
    let fields = json!({
        "data": null,
        "sha256": seal::sha256(&[&data]).to_string(),
        "bytes": data.len(),
        "letterID": 1_000 + before,
        "statusID": 1,
        "createdDate": "2026-03-01T12:00:00",
        "errorList": [],
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        kept[name] = value.clone();
    }
    Ok(kept)
}

/// Letters as they are told.
fn shown(books: &Books, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    books.letters.iter().filter(|letter| wanted(letter)).cloned().collect()
}

fn control(books: &mut Books, method: &Method, path: &str, body: &Value) -> Response {
    match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
        (&Method::GET, ["letters"]) => told(200, &Value::from(books.letters.clone())),
        (&Method::PUT, ["letters", id]) => {
            let letter = books.letters.iter_mut().find(|it| it["letterID"].as_u64() == id.parse().ok());
            let Some(letter) = letter else { return error(404, "LETTER", "unknown") };
            for name in [
                "statusID",
                "processedDate",
                "printFeedbackDate",
                "registeredLetterID",
                "registeredLetterStatus",
                "registeredLetterStatusDate",
            ] {
                if !body[name].is_null() {
                    letter[name] = body[name].clone();
                }
            }
            told(200, letter)
        }
        (&Method::PUT, ["fault"]) => match serde_json::from_value(body["fault"].clone()) {
            Ok(fault) => {
                books.fault = fault;
                told(200, &json!({ "fault": fault }))
            }
            Err(_) => error(400, "FAULT", "fault"),
        },
        _ => error(404, "PATH", "no such path"),
    }
}

fn told(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn error(status: u16, code: &str, description: &str) -> Response {
    told(status, &json!([{ "level": "Error", "code": code, "description": description }]))
}
