//! enaio's AppConnector: what public clients call of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Held, Running, serve};
use crate::Error;

/// `Authorization` that it takes: Basic, `gateway` with `geheim`.
const ADMITTED: &str = "Basic Z2F0ZXdheTpnZWhlaW0=";

/// Ids of its types: cabinet, register, document.
pub const TYPES: [&str; 3] = ["1", "6488064", "262144"];

type Shared = Arc<Mutex<Vec<Held>>>;

/// The system.
pub struct Simulator {
    /// Address of its interface.
    pub url: String,
    held: Shared,
    _running: Running,
}

impl Simulator {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start() -> Result<Self, Error> {
        let held = Shared::default();
        let api = Router::new()
            .route("/serviceinfo", get(|| async { Json(json!({ "version": "10.0" })) }))
            .route("/documents/insert", post(insert_at_top))
            .route("/documents/insert/{location}", post(insert))
            .route("/documents/update/{id}", post(update))
            .route("/documents/search", post(search))
            .route("/documents/search/{id}", get(read))
            .layer(DefaultBodyLimit::disable())
            .layer(axum::middleware::from_fn(admit))
            .with_state(Arc::clone(&held));
        let (url, running) = serve(Router::new().nest("/osrest/api", api)).await?;
        Ok(Simulator { url: format!("{url}/osrest/api"), held, _running: running })
    }

    /// What it holds.
    pub fn held(&self) -> Vec<Held> {
        locked(&self.held).clone()
    }

    /// A clerk makes a version; fields stay as they are.
    pub fn revise(&self, id: &str, bytes: &[u8]) {
        if let Some(held) = locked(&self.held).iter_mut().find(|held| held.id == id) {
            held.versions.push(bytes.to_vec());
            held.changes += 1;
        }
    }
}

fn locked(shared: &Shared) -> MutexGuard<'_, Vec<Held>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn admit(
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    match headers.get("authorization").is_some_and(|value| value == ADMITTED) {
        true => next.run(request).await,
        false => (StatusCode::UNAUTHORIZED, Json(json!({ "errorMessage": "unauthorised" }))).into_response(),
    }
}

async fn insert_at_top(shared: State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    insert(shared, Path("0".to_owned()), headers, body).await
}

async fn insert(
    State(shared): State<Shared>,
    Path(location): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some((data, file)) = form(&headers, &body) else { return StatusCode::BAD_REQUEST.into_response() };
    let mut all = locked(&shared);
    let id = (all.len() + 101).to_string();
    let kind = data["objectTypeId"].as_str().unwrap_or_default().to_owned();
    let is_top = kind == TYPES[0];
    if !TYPES.contains(&kind.as_str()) || is_top != (location == "0") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut held = Held { id: id.clone(), kind, parents: vec![location], ..Held::default() };
    set(&mut held, &data, file);
    all.push(held);
    id.into_response()
}

async fn update(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Some((data, file)) = form(&headers, &body) else { return StatusCode::BAD_REQUEST };
    let mut all = locked(&shared);
    let Some(held) = all.iter_mut().find(|held| held.id == id) else { return StatusCode::NOT_FOUND };
    set(held, &data, file);
    StatusCode::OK
}

fn set(held: &mut Held, data: &Value, file: Option<Vec<u8>>) {
    for (name, field) in data["fields"].as_object().into_iter().flatten() {
        held.values.insert(name.clone(), field["value"].as_str().unwrap_or_default().to_owned());
    }
    held.versions.extend(file);
    held.changes += 1;
}

async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match locked(&shared).iter().find(|held| held.id == id) {
        Some(held) => Json(dto(held)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn search(State(shared): State<Shared>, Json(body): Json<Value>) -> Json<Vec<Value>> {
    let query = &body["query"];
    let has = |held: &&Held| {
        let fields = query["fields"].as_object().into_iter().flatten();
        held.kind == query["objectTypeId"].as_str().unwrap_or_default()
            && fields
                .into_iter()
                .all(|(name, field)| held.values.get(name).is_some_and(|it| *it == field["value"]))
    };
    Json(locked(&shared).iter().filter(has).map(dto).collect())
}

fn dto(held: &Held) -> Value {
    let fields: Vec<Value> = held
        .values
        .iter()
        .map(|(name, value)| json!({ "internalName": name, "value": value, "type": "TEXT" }))
        .collect();
    let kind = if held.kind == TYPES[0] {
        "FOLDER"
    } else if held.kind == TYPES[1] {
        "REGISTER"
    } else {
        "DOCUMENT"
    };
    json!({
        "osid": held.id.parse::<u64>().unwrap_or_default(),
        "objectTypeId": held.kind.parse::<u64>().unwrap_or_default(),
        "objectType": kind,
        "ecmSimpleFields": fields,
        "systemFields": [{ "type": "CHANGES", "value": held.changes.to_string() }],
        "fileProperties": [{ "type": "VERSIONS", "value": held.versions.len().to_string() }],
    })
}

/// The two parts of a form: index data and file.
fn form(headers: &HeaderMap, body: &[u8]) -> Option<(Value, Option<Vec<u8>>)> {
    let kind = headers.get("content-type")?.to_str().ok()?;
    let boundary = format!("--{}", kind.strip_prefix("multipart/form-data; boundary=")?);
    let (mut data, mut file) = (None, None);
    let mut rest = body.strip_prefix(boundary.as_bytes())?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, format!("\r\n{boundary}").as_bytes())?;
        let head = find(part, b"\r\n\r\n")?;
        let (fields, content) = (std::str::from_utf8(&part[..head]).ok()?, &part[head + 4..end]);
        if fields.contains("name=\"data\"") {
            data = serde_json::from_slice(content).ok();
        } else if fields.contains("filename=\"") {
            file = Some(content.to_vec());
        }
        rest = &part[end + 2 + boundary.len()..];
    }
    Some((data?, file))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
