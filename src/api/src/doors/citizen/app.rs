//! The same for apps, as JSON: how a case stands, by which way its citizen wants to hear of it, and where the app is pushed to, or not any more. Each
//! request carries number and secret in its body: wrong ones count as attempts, right ones up to a limit of their own.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use broker::{CitizenSession, Error, PushSubscription};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Doors, body_of, is_from_here, own_origin};
use crate::problem::Problem;
use crate::{answer, json};

/// Largest body, in bytes.
const BODY_BYTES: usize = 8 * 1024;

/// Number and secret of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Access {
    number: String,
    secret: String,
}

/// The same, and the way by which the citizen wants to hear of the case; null: by none that was chosen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Preference {
    number: String,
    secret: String,
    prefers: Option<String>,
}

/// The same, and an app's subscription as browsers give it (Push API).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSubscription {
    number: String,
    secret: String,
    subscription: Subscription,
}

/// The same, and the address of the push service whose subscription ends; absent: those of all apps do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ended {
    number: String,
    secret: String,
    #[serde(default)]
    endpoint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// `POST /citizen/api/status`.
pub(super) async fn status(State(doors): State<Doors>, request: Request) -> Result<Response, Problem> {
    let Access { number, secret } = read(&doors, request).await?;
    let session = enter(&doors, &number, &secret).await?;
    Ok(answer::json(&doors.broker.citizen_view(&session).await?))
}

/// `POST /citizen/api/way`.
pub(super) async fn prefer(State(doors): State<Doors>, request: Request) -> Result<Response, Problem> {
    let Preference { number, secret, prefers } = read(&doors, request).await?;
    let session = enter(&doors, &number, &secret).await?;
    doors.broker.citizen_prefers(&session, prefers.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /citizen/api/push`.
pub(super) async fn subscribe(State(doors): State<Doors>, request: Request) -> Result<Response, Problem> {
    let NewSubscription { number, secret, subscription } = read(&doors, request).await?;
    let session = enter(&doors, &number, &secret).await?;
    let Subscription { endpoint, keys: Keys { p256dh, auth } } = subscription;
    doors.broker.citizen_subscribes(&session, PushSubscription { endpoint, p256dh, auth }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /citizen/api/push/end`.
pub(super) async fn unsubscribe(State(doors): State<Doors>, request: Request) -> Result<Response, Problem> {
    let Ended { number, secret, endpoint } = read(&doors, request).await?;
    let session = enter(&doors, &number, &secret).await?;
    doors.broker.citizen_unsubscribes(&session, endpoint.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enter(doors: &Doors, number: &str, secret: &str) -> Result<CitizenSession, Error> {
    doors.broker.citizen_app_enters(number, secret).await
}

async fn read<T: DeserializeOwned>(doors: &Doors, request: Request) -> Result<T, Problem> {
    if !is_from_here(request.headers(), own_origin(doors)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "citizen.refused"));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "api.media-type"));
    }
    let bytes = body_of(request, BODY_BYTES).await.map_err(|status| match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "api.body-too-large"),
        StatusCode::REQUEST_TIMEOUT => Problem::new(status, "api.body-timeout"),
        _ => Problem::bad("api.body-length"),
    })?;
    let value = json::parse(&bytes).map_err(Problem::invalid_body)?;
    json::typed(value).map_err(Problem::invalid_body)
}
