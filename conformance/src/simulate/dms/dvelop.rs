//! d.velop documents: what the public SDK for Node calls of the dmsApp.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Held, Running, serve};
use crate::Error;

/// Its repository.
pub const REPOSITORY: &str = "akten";
/// The API key that it takes.
pub const KEY: &str = "Simulator-Schluessel";

type Shared = Arc<Mutex<Inside>>;

#[derive(Default)]
struct Inside {
    held: Vec<Held>,
    chunks: Vec<Vec<u8>>,
}

/// The system.
pub struct Simulator {
    /// Its address.
    pub url: String,
    inside: Shared,
    _running: Running,
}

impl Simulator {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start() -> Result<Self, Error> {
        let inside = Shared::default();
        let router = Router::new()
            .route("/dms/r/{repo}", get(repository))
            .route("/dms/r/{repo}/blob/chunk/", post(chunk))
            .route("/dms/r/{repo}/srm", get(search))
            .route("/dms/r/{repo}/o2m", post(create))
            .route("/dms/r/{repo}/o2m/{id}", get(read).put(update))
            .route("/dms/r/{repo}/o2/{id}/children", post(link))
            .route("/dms/r/{repo}/o2/{id}/blob", get(blob))
            .layer(DefaultBodyLimit::disable())
            .layer(axum::middleware::from_fn(admit))
            .with_state(Arc::clone(&inside));
        let (url, running) = serve(router).await?;
        Ok(Simulator { url, inside, _running: running })
    }

    /// What it holds.
    pub fn held(&self) -> Vec<Held> {
        locked(&self.inside).held.clone()
    }

    /// A clerk changes a property.
    pub fn change(&self, id: &str, property: &str, value: &str) {
        if let Some(held) = locked(&self.inside).held.iter_mut().find(|held| held.id == id) {
            held.values.insert(property.to_owned(), value.to_owned());
            held.changes += 1;
        }
    }

    /// A clerk makes a version; properties stay as they are.
    pub fn revise(&self, id: &str, bytes: &[u8]) {
        if let Some(held) = locked(&self.inside).held.iter_mut().find(|held| held.id == id) {
            held.versions.push(bytes.to_vec());
            held.changes += 1;
        }
    }
}

fn locked(shared: &Shared) -> MutexGuard<'_, Inside> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn admit(
    headers: HeaderMap,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    match shown == Some(&format!("Bearer {KEY}")) {
        true => next.run(request).await,
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn repository(Path(repo): Path<String>) -> Response {
    if repo != REPOSITORY {
        return StatusCode::NOT_FOUND.into_response();
    }
    let href =
        |path: &str| json!({ "href": format!("/dms/r/{repo}/{path}"), "templated": path.contains('{') });
    Json(json!({ "id": repo, "_links": {
        "dmsobjectwithmapping": href("o2m/{dmsobjectid}{?sourceid}"),
        "searchresultwithmapping": href("srm{?sourceid,sourceproperties,sourcecategories,fulltext,page,pagesize}"),
        "chunkedupload": href("blob/chunk/"),
        "source": href("source"),
    } }))
    .into_response()
}

async fn chunk(State(shared): State<Shared>, bytes: Bytes) -> Response {
    let mut inside = locked(&shared);
    inside.chunks.push(bytes.to_vec());
    let location = format!("/dms/r/{REPOSITORY}/blob/chunk/{}", inside.chunks.len() - 1);
    (StatusCode::CREATED, [("location", location)]).into_response()
}

async fn create(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let mut inside = locked(&shared);
    let id = format!("D{:09}", inside.held.len() + 1);
    let kind = body["sourceCategory"].as_str().unwrap_or_default().to_owned();
    let mut held = Held { id: id.clone(), kind, ..Held::default() };
    if set(&inside.chunks, &mut held, &body).is_none() {
        return (StatusCode::BAD_REQUEST, Json(json!({ "reason": "unknown source" }))).into_response();
    }
    inside.held.push(held);
    let location = format!("/dms/r/{REPOSITORY}/o2m/{id}?sourceid=%2Fdms%2Fr%2F{REPOSITORY}%2Fsource");
    (StatusCode::CREATED, [("location", location)]).into_response()
}

async fn update(
    State(shared): State<Shared>,
    Path((_, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut inside = locked(&shared);
    let Inside { held, chunks } = &mut *inside;
    let Some(held) = held.iter_mut().find(|held| held.id == id) else { return StatusCode::NOT_FOUND };
    match set(chunks, held, &body) {
        Some(()) if body["alterationText"].is_string() => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Takes over what a request says; `None` if it is none.
fn set(chunks: &[Vec<u8>], held: &mut Held, body: &Value) -> Option<()> {
    if body["sourceId"] != format!("/dms/r/{REPOSITORY}/source") {
        return None;
    }
    for property in body["sourceProperties"]["properties"].as_array()? {
        let key = property["key"].as_str()?.to_owned();
        match property["values"].as_array()?.first() {
            Some(value) => _ = held.values.insert(key, value.as_str()?.to_owned()),
            None => _ = held.values.remove(&key),
        }
    }
    if let Some(location) = body["contentLocationUri"].as_str() {
        let number: usize = location.rsplit('/').next()?.parse().ok()?;
        held.versions.push(chunks.get(number)?.clone());
        held.values.insert("property_filename".to_owned(), body["filename"].as_str()?.to_owned());
    }
    held.changes += 1;
    Some(())
}

async fn read(State(shared): State<Shared>, Path((_, id)): Path<(String, String)>) -> Response {
    let inside = locked(&shared);
    match inside.held.iter().find(|held| held.id == id) {
        Some(held) => Json(dto(held)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn dto(held: &Held) -> Value {
    let mut properties: Vec<Value> =
        held.values.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    properties.push(json!({ "key": "property_variant_number", "value": held.versions.len().to_string() }));
    properties
        .push(json!({ "key": "property_last_modified_date", "value": format!("change {}", held.changes) }));
    let id = &held.id;
    let href = |path: &str| json!({ "href": format!("/dms/r/{REPOSITORY}/{path}") });
    let mut links = json!({
        "self": href(&format!("o2m/{id}")),
        "update": href(&format!("o2m/{id}")),
        "linkDmsObject": href(&format!("o2/{id}/children")),
    });
    if !held.versions.is_empty() {
        links["mainblobcontent"] = href(&format!("o2/{id}/blob"));
    }
    json!({ "id": id, "sourceCategories": [held.kind], "sourceProperties": properties, "_links": links })
}

async fn search(State(shared): State<Shared>, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    let parsed = |name: &str| asked.get(name).map(|text| serde_json::from_str::<Value>(text));
    let (Some(Ok(wanted)), Some(Ok(kinds))) = (parsed("sourceproperties"), parsed("sourcecategories")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (Some(wanted), Some(kinds)) = (wanted.as_object(), kinds.as_array()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let is_wanted = |held: &&Held| {
        let has = |(key, values): (&String, &Value)| {
            held.values
                .get(key)
                .is_some_and(|value| values.as_array().is_some_and(|all| all.iter().any(|it| it == value)))
        };
        kinds.iter().any(|kind| *kind == held.kind) && wanted.iter().all(has)
    };
    let inside = locked(&shared);
    let items: Vec<Value> = inside.held.iter().filter(is_wanted).map(dto).collect();
    Json(json!({ "page": 1, "items": items, "_links": {} })).into_response()
}

async fn link(
    State(shared): State<Shared>,
    Path((_, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> StatusCode {
    let ids: Vec<&str> =
        body["dmsObjectIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for held in locked(&shared).held.iter_mut().filter(|held| ids.contains(&held.id.as_str())) {
        if !held.parents.contains(&id) {
            held.parents.push(id.clone());
        }
    }
    StatusCode::CREATED
}

async fn blob(State(shared): State<Shared>, Path((_, id)): Path<(String, String)>) -> Response {
    let inside = locked(&shared);
    let held = inside.held.iter().find(|held| held.id == id);
    match held.and_then(|held| held.versions.last()) {
        Some(bytes) => ([("content-type", "application/octet-stream")], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
