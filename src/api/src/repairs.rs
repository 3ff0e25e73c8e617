//! What is done about messages that wait: sent again, mended, returned, put aside, forwarded; one or many.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use broker::{DoneOrAsked, Incoming, Redrive, RedriveState};
use model::{Action, Authority, Caller, Id, Message, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, Answer};
use crate::body::{MayPost, Posted, Raw, require_type};
use crate::params::{self, Params, PathId};
use crate::problem::Problem;
use crate::{Api, approvals, messages};

/// What an operator notes about an act.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Noted {
    /// Why, for colleagues; 1 to 500 characters, without personal data. Never sent to the other side.
    #[serde(default)]
    note: Option<String>,
}

/// Why a message goes back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Returned {
    /// Stable code that the sender is told; `message.returned-by-hand` if absent.
    #[serde(default)]
    rule: Option<String>,
    /// Why, for colleagues; 1 to 500 characters, without personal data. Never sent to the other side.
    #[serde(default)]
    note: Option<String>,
}

/// What is said of mended bytes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RepairQuery {
    /// New name of the file or container; that of the first bytes if absent.
    file_name: Option<String>,
    /// Why, for colleagues; 1 to 500 characters, without personal data.
    note: Option<String>,
}

/// To whom a message is handed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewForward {
    /// The competent authority; it has a mailbox in this gateway.
    to: Authority,
    /// Why, for colleagues; 1 to 500 characters, without personal data. Never sent to the other side. Needed where the house wants four
    /// eyes.
    #[serde(default)]
    note: Option<String>,
}

/// Which parked messages shall be tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRedrive {
    /// To or from this partner.
    #[serde(default)]
    partner: Option<String>,
    /// Kept by this rule.
    #[serde(default)]
    rule: Option<String>,
    /// Waiting since this time or later.
    #[serde(default)]
    since: Option<Timestamp>,
    /// Most messages.
    #[serde(default)]
    limit: Option<u64>,
    /// Only says how many there are.
    #[serde(default)]
    dry_run: bool,
    /// Why, for colleagues; 1 to 500 characters, without personal data.
    #[serde(default)]
    note: Option<String>,
}

/// Work on many messages.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    /// Identifier; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    /// `running`, `done` or `failed`; `dryRun` if nothing was begun.
    state: String,
    /// Messages that it is about.
    matched: u64,
    /// Messages that were sent again so far.
    resent: u64,
    /// Messages that were not sent again: others had moved them in between, or they are barred.
    passed: u64,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// `POST /messages/{id}/resend`.
pub(crate) async fn resend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: MayPost<Noted>,
) -> Answer {
    let (note, once) = (posted.body.note, posted.once.as_ref());
    let replayed = api.first_answer(&caller, once).await?.is_some();
    done(api.broker.resend(&caller, id, note.as_deref(), once).await, replayed)
}

/// `POST /messages/{id}/park`.
pub(crate) async fn park(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: MayPost<Noted>,
) -> Answer {
    let (note, once) = (posted.body.note, posted.once.as_ref());
    let replayed = api.first_answer(&caller, once).await?.is_some();
    done(api.broker.park_by_hand(&caller, id, note.as_deref(), once).await, replayed)
}

/// `POST /messages/{id}/return`.
pub(crate) async fn give_back(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: MayPost<Returned>,
) -> Answer {
    let Returned { rule, note } = posted.body;
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let outcome = api.broker.return_by_hand(&caller, id, rule.as_deref(), note.as_deref(), once).await;
    done(outcome, replayed)
}

/// `POST /messages/{id}/repair`.
pub(crate) async fn repair(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Params(query): Params<RepairQuery>,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    caller.may(Action::ClearMessages)?;
    require_type(&headers, messages::MEDIA_TYPES)?;
    let incoming = Incoming {
        file_name: messages::file_name(query.file_name)?,
        key: params::idempotency_key(&headers)?,
        digest: params::repr_digest(&headers)?,
        test: false,
        to: None,
    };
    let replayed = match &incoming.key {
        Some(key) => api.broker.knows_key(&caller, key).await?,
        None => false,
    };
    let (body, fault) = raw.split();
    let outcome = api.broker.repair(&caller, id, incoming, query.note.as_deref(), body).await;
    let message = outcome.map_err(|error| Raw::explain(&fault, error))?;
    done(Ok(message), replayed)
}

/// `POST /messages/{id}/forward`.
pub(crate) async fn forward(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewForward>,
) -> Answer {
    let NewForward { to, note } = posted.body;
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    match api.broker.forward_or_ask(&caller, id, &to, note.as_deref(), once).await? {
        DoneOrAsked::Done(message) => done(Ok(message), replayed),
        DoneOrAsked::Asked(asked) => Ok(answer::replayed(approvals::asked(&api, *asked), replayed)),
    }
}

/// `POST /messages/resend`: 202 with an operation whose progress is seen at its `Location`.
pub(crate) async fn resend_many(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewRedrive>,
) -> Answer {
    let NewRedrive { partner, rule, since, limit, dry_run, note } = posted.body;
    let wanted = Redrive { partner, rule, since, limit, note };
    if dry_run {
        let matched = api.broker.count_redrive(&caller, &wanted).await?;
        let state = "dryRun".to_owned();
        let shown = Operation { id: None, state, matched, resent: 0, passed: 0, since: None };
        let mut response = answer::json(&shown);
        *response.status_mut() = StatusCode::ACCEPTED;
        return Ok(response);
    }
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let started = api.broker.start_redrive(&caller, &wanted, once).await?;
    let path = format!("/operations/{}", started.id);
    let response = answer::created(answer::json(&shown(started)), StatusCode::ACCEPTED, &path);
    Ok(answer::replayed(response, replayed))
}

/// `GET /operations/{id}`.
pub(crate) async fn operation(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    Ok(answer::json(&shown(api.broker.operation(&caller, id).await?)))
}

fn done(outcome: Result<Message, broker::Error>, replayed: bool) -> Result<Response, Problem> {
    Ok(answer::replayed(answer::json(&messages::shown(&outcome?)), replayed))
}

fn shown(state: RedriveState) -> Operation {
    let RedriveState { id, state, matched, resent, passed, since } = state;
    Operation { id: Some(id), state, matched, resent, passed, since: Some(since) }
}
