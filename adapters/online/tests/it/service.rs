//! A delivery service on the loopback, as far as a subscriber sees it. What it knows is what a test has put there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

/// A submission that waits.
#[derive(Clone, Default)]
pub(crate) struct Waits {
    /// As it is answered.
    pub(crate) body: Value,
    pub(crate) attachments: BTreeMap<String, String>,
    pub(crate) log: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) submissions: BTreeMap<String, Waits>,
    pub(crate) keys: Value,
    pub(crate) destination: Value,
    /// Events that came, in their order.
    pub(crate) events: Vec<String>,
    /// Tokens that were given.
    pub(crate) tokens: usize,
    /// Events are taken and answered with an error, so often.
    pub(crate) lost_answers: usize,
    /// Nobody gets keys.
    pub(crate) has_no_keys: bool,
    /// Nothing is known of any submission.
    pub(crate) has_forgotten: bool,
    /// All answers are this.
    pub(crate) status: Option<u16>,
    pub(crate) downloads: usize,
    /// Events of these submissions are refused with 500 and not kept.
    pub(crate) deaf: BTreeSet<String>,
    /// These submissions cannot be served.
    pub(crate) broken: BTreeSet<String>,
    /// Keys of destinations, by their id.
    pub(crate) destination_keys: BTreeMap<String, Value>,
}

#[derive(Clone)]
pub(crate) struct Service {
    known: Arc<Mutex<Known>>,
    pub(crate) url: String,
}

impl Service {
    pub(crate) async fn start(keys: Value, destination: Value) -> Self {
        let known = Known { keys, destination, ..Known::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Service { known: Arc::new(Mutex::new(known)), url };
        let router = Router::new()
            .route("/token", post(token))
            .route("/.well-known/jwks.json", get(keys_of_service))
            .route("/v2/submissions", get(listed))
            .route("/v2/submissions/{id}", get(submission))
            .route("/v2/submissions/{id}/attachments/{attachment}", get(attachment))
            .route("/v2/submissions/{id}/events", get(events))
            .route("/v2/cases/{id}/events", post(event))
            .route("/v2/destinations/{id}", get(destination_of))
            .route("/v2/destinations/{id}/keys/{kid}", get(key_of_destination))
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        service
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    /// What the caller is answered if it may not have what it asks for.
    fn refused(&self, headers: &HeaderMap) -> Option<Response> {
        let known = self.known();
        if let Some(status) = known.status {
            return Some(StatusCode::from_u16(status).unwrap().into_response());
        }
        let token = format!("Bearer token-{}", known.tokens);
        let has = |name: header::HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
        if has(header::USER_AGENT).is_none() {
            return Some(StatusCode::FORBIDDEN.into_response());
        }
        (has(header::AUTHORIZATION) != Some(&*token)).then(|| StatusCode::UNAUTHORIZED.into_response())
    }
}

fn json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn token(State(it): State<Service>, body: String) -> Response {
    if body != "grant_type=client_credentials&client_id=cid&client_secret=geheim%26" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut known = it.known();
    known.tokens += 1;
    json(
        &json!({ "access_token": format!("token-{}", known.tokens), "token_type": "Bearer", "expires_in": 1800 }),
    )
}

async fn keys_of_service(State(it): State<Service>) -> Response {
    let known = it.known();
    match known.has_no_keys {
        true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        false => json(&known.keys),
    }
}

async fn listed(State(it): State<Service>, headers: HeaderMap) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    let known = it.known();
    let all: Vec<Value> = known
        .submissions
        .values()
        .map(|waits| {
            let member = |name: &str| waits.body[name].clone();
            json!({ "destinationId": member("destinationId"), "submissionId": member("submissionId"),
                "caseId": member("caseId") })
        })
        .collect();
    json(&json!({ "offset": 0, "count": all.len(), "totalCount": all.len(), "submissions": all }))
}

async fn submission(State(it): State<Service>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    let mut known = it.known();
    known.downloads += 1;
    if known.broken.contains(&id) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    json(&known.submissions[&id].body)
}

async fn attachment(
    State(it): State<Service>,
    Path((id, attachment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    let known = it.known();
    let jwe = known.submissions[&id].attachments[&attachment].clone();
    ([(header::CONTENT_TYPE, "application/jose")], jwe).into_response()
}

async fn events(State(it): State<Service>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    let known = it.known();
    if known.has_forgotten {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut log = known.submissions.get(&id).map(|waits| waits.log.clone()).unwrap_or_default();
    log.extend(known.events.iter().cloned());
    json(&json!({ "offset": 0, "count": log.len(), "totalCount": log.len(), "eventLog": log }))
}

async fn event(State(it): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    assert_eq!(headers[header::CONTENT_TYPE], "application/jose");
    let mut known = it.known();
    let token = String::from_utf8(body.to_vec()).unwrap();
    let subject = crate::bed::claims(&token)["sub"].clone();
    if known.deaf.iter().any(|id| subject == format!("submission:{id}")) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    known.events.push(String::from_utf8(body.to_vec()).unwrap());
    match known.lost_answers {
        0 => StatusCode::NO_CONTENT.into_response(),
        _ => {
            known.lost_answers -= 1;
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

async fn destination_of(State(it): State<Service>, headers: HeaderMap) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    json(&it.known().destination)
}

async fn key_of_destination(
    State(it): State<Service>,
    Path((_, kid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = it.refused(&headers) {
        return refused;
    }
    it.known().destination_keys.get(&kid).map_or_else(|| StatusCode::NOT_FOUND.into_response(), json)
}
