//! Subscriptions: the event feed sent to an address (Standard Webhooks 1.0.0). Whatever they give, `GET /events` gives
//! too: they spare the asking, nothing else.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::{Delivery, NewSubscription, Subscription, SubscriptionChange, SubscriptionSecret, Terms};
use model::{Caller, EventKind, Id, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Patch, Plain, Posted, members_of};
use crate::json::{pointer, typed};
use crate::params::{MustMatch, PathId};
use crate::problem::Problem;

/// How long an old secret goes on signing if nobody says otherwise: a day.
const OVERLAP_SECONDS: u64 = 24 * 3_600;

/// A subscription that shall be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewSubscription")]
pub(crate) struct Wanted {
    /// Where events are posted to: `https`, at most 2,000 characters, without credentials.
    url: String,
    /// Kinds of events; all if absent or empty.
    #[serde(default)]
    types: Vec<EventKind>,
    /// Begin behind the event of this number; with what is numbered from now on if absent.
    #[serde(default)]
    after: Option<u64>,
}

/// What may be changed of a subscription.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SubscriptionPatch {
    /// Where events are posted to.
    #[serde(default)]
    url: Option<String>,
    /// Kinds of events; all if empty.
    #[serde(default)]
    types: Option<Vec<EventKind>>,
    /// Whether events are sent.
    #[serde(default)]
    enabled: Option<bool>,
    /// Go on behind the event of this number: backwards to have events sent again.
    #[serde(default)]
    after: Option<u64>,
}

/// A new secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecretRotation {
    /// How long the old secret signs beside the new one: at most a week, a day if absent.
    #[serde(default)]
    overlap_seconds: Option<u64>,
}

/// A subscription.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Subscription")]
pub(crate) struct ShownSubscription {
    /// Identifier.
    id: Id,
    /// Token that made it: it never sees more than this one, and ends with it.
    token: Id,
    /// Where events are posted to.
    url: String,
    /// Kinds of events; all if empty.
    types: Vec<EventKind>,
    /// Whether events are sent.
    enabled: bool,
    /// Code of the reason why the gateway disabled it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// Number of the last event that it has, or that is of no interest to it.
    reached: u64,
    /// Failed attempts in a row.
    failures: u32,
    /// When the next attempt is made, after failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    /// Until when the secret before signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until: Option<Timestamp>,
    /// Counts the changes, from 1.
    version: u64,
    /// When it was made.
    created_at: Timestamp,
    /// The secret that webhooks are signed with (`whsec_…`): shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// All subscriptions that the caller sees.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SubscriptionList {
    items: Vec<ShownSubscription>,
}

/// How an event was delivered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Delivery")]
pub(crate) struct ShownDelivery {
    /// `webhook-id`, the same at every attempt.
    id: Id,
    /// Number of the event; absent: a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// Kind of the event.
    #[serde(rename = "type")]
    kind: String,
    /// Attempts so far.
    attempts: u32,
    /// Whether one succeeded.
    delivered: bool,
    /// HTTP status of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// When the last one was.
    at: Timestamp,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
}

/// The latest deliveries, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeliveryList {
    items: Vec<ShownDelivery>,
}

/// `POST /subscriptions`. A repetition with the same key makes no second one, and does not show the secret again.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<Wanted>,
) -> Answer {
    let once = posted.once.as_ref();
    if let Some(first) = api.first_answer(&caller, once).await? {
        let id = first["id"].as_str().unwrap_or_default().to_owned();
        return Ok(answer::replayed(created(answer::json(&first), &id), true));
    }
    let Wanted { url, types, after } = posted.body;
    let made = api.broker.subscribe(&caller, NewSubscription { terms: Terms { url, types }, after }).await?;
    let id = made.subscription.id;
    api.remember(&caller, once, id, &json!(shown(made.subscription.clone(), None))).await?;
    Ok(created(with_secret(made), &id.to_string()))
}

/// `GET /subscriptions`.
pub(crate) async fn list(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Answer {
    let all = api.broker.subscriptions(&caller).await?;
    Ok(answer::json(&SubscriptionList { items: all.into_iter().map(|it| shown(it, None)).collect() }))
}

/// `GET /subscriptions/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    Ok(tagged(api.broker.subscription(&caller, id).await?))
}

/// `PATCH /subscriptions/{id}`.
pub(crate) async fn amend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    MustMatch(expected): MustMatch,
    Patch(patch): Patch,
) -> Answer {
    let known = members_of::<SubscriptionPatch>();
    let mut members = patch.as_object().into_iter().flatten();
    // Null would remove a member; each of these has to be there.
    if let Some((wrong, _)) = members.find(|(name, value)| !known.contains(*name) || value.is_null()) {
        return Err(Problem::invalid_body(pointer([wrong.as_str()].into_iter())));
    }
    let SubscriptionPatch { url, types, enabled, after } = typed(patch).map_err(Problem::invalid_body)?;
    let change = SubscriptionChange { url, types, enabled, after };
    let changed = api.broker.change_subscription(&caller, id, expected, change).await;
    changed.map(tagged).map_err(|error| Problem::from(error).if_expected(expected))
}

/// `DELETE /subscriptions/{id}`.
pub(crate) async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    api.broker.unsubscribe(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /subscriptions/{id}/rotate-secret`. A repetition with the same key makes no other secret, and shows none.
pub(crate) async fn rotate(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<SecretRotation>,
) -> Answer {
    // Seen before the key is looked at: what is not visible has no first answer either.
    api.broker.subscription(&caller, id).await?;
    let once = posted.once.as_ref();
    if let Some(first) = api.first_answer(&caller, once).await? {
        return Ok(answer::replayed(answer::json(&first), true));
    }
    let overlap = Duration::from_secs(posted.body.overlap_seconds.unwrap_or(OVERLAP_SECONDS));
    let rotated = api.broker.rotate_secret(&caller, id, overlap).await?;
    api.remember(&caller, once, id, &json!(shown(rotated.subscription.clone(), None))).await?;
    Ok(with_secret(rotated))
}

/// `POST /subscriptions/{id}/test`.
pub(crate) async fn test(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    _: Plain,
) -> Answer {
    let mut response = tagged(api.broker.test_subscription(&caller, id).await?);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// `GET /subscriptions/{id}/deliveries`.
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let all = api.broker.deliveries(&caller, id).await?;
    Ok(answer::json(&DeliveryList { items: all.into_iter().map(shown_delivery).collect() }))
}

fn created(response: Response, id: &str) -> Response {
    answer::created(response, StatusCode::CREATED, &format!("/subscriptions/{id}"))
}

fn with_secret(made: SubscriptionSecret) -> Response {
    let version = made.subscription.version;
    let mut response = answer::json(&shown(made.subscription, Some(made.secret)));
    answer::tag(&mut response, version);
    response
}

fn tagged(it: Subscription) -> Response {
    let version = it.version;
    let mut response = answer::json(&shown(it, None));
    answer::tag(&mut response, version);
    response
}

fn shown(it: Subscription, secret: Option<String>) -> ShownSubscription {
    ShownSubscription {
        id: it.id,
        token: it.token,
        url: it.terms.url,
        types: it.terms.types,
        enabled: it.enabled,
        stopped: it.stopped,
        reached: it.reached,
        failures: it.failures,
        next_attempt_at: (it.enabled && it.failures > 0).then_some(it.next_at),
        old_secret_until: it.old_secret.map(|(_, until)| until),
        version: it.version,
        created_at: it.created_at,
        secret,
    }
}

fn shown_delivery(it: Delivery) -> ShownDelivery {
    let Delivery { id, number, kind, attempts, delivered, status, code, at, next_at } = it;
    ShownDelivery { id, number, kind, attempts, delivered, status, code, at, next_attempt_at: next_at }
}
