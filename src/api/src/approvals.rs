//! What one asks for and another agrees to (four eyes).

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use broker::{Act, Approval, ApprovalFilter, Listed};
use model::approval::{ApprovalKind, ApprovalState};
use model::{Actor, Authority, Caller, Id, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::params::{Params, PathId};
use crate::{Api, paging, range};

/// A text that says something: not only blanks, and nothing that XML and the databases cannot carry.
const SAYING: &str = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]*[^\s\u0000-\u001F\uFFFE\uFFFF][^\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]*$";

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewApproval {
    /// What shall be carried out.
    act: WantedAct,
    /// Why; 1 to 500 characters. Kept as content of an event, so that it can be erased.
    #[schemars(length(min = 1, max = 500), regex(pattern = SAYING))]
    reason: String,
}

/// What shall be carried out once somebody else has agreed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum WantedAct {
    /// Whoever asks may read the bytes of a message for some minutes, at most 480.
    ReleaseMessage {
        message: Id,
        #[schemars(range(min = 1, max = 480))]
        minutes: u32,
    },
    /// Whoever asks may read a file of a document for some minutes, at most 480.
    ReleaseDocument {
        document: Id,
        #[serde(default)]
        version: Option<String>,
        #[serde(default)]
        file: Option<String>,
        #[schemars(range(min = 1, max = 480))]
        minutes: u32,
    },
    /// What an event says is erased; `root` is the topmost record of the tree that it belongs to, or the approval whose reason it is.
    EraseEvent { root: Id, event: Id },
    /// The bytes of a payload are erased.
    ErasePayload { root: Id, payload: Id },
    /// A message goes on to another authority.
    Forward { message: Id, to: Authority },
}

/// Something that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Approval")]
pub(crate) struct ShownApproval {
    /// Identifier.
    id: Id,
    /// What is asked for.
    kind: ApprovalKind,
    /// How far it is.
    state: ApprovalState,
    /// What is carried out.
    act: Value,
    /// What it is about, such as `message`.
    subject_kind: String,
    /// Its identifier.
    subject: String,
    /// Why it was asked for; absent in lists, and if it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who asked.
    asked_by: Actor,
    /// When.
    asked_at: Timestamp,
    /// Until when somebody has to decide.
    expires_at: Timestamp,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<Actor>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    /// Until when what was released may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Timestamp>,
}

/// Which of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ApprovalQuery {
    /// Those that the token itself has asked for; otherwise those that it may decide about.
    #[serde(default)]
    mine: bool,
    /// Whether somebody can still decide.
    open: Option<bool>,
    /// Of this kind.
    kind: Option<ApprovalKind>,
    /// Most items, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// Those behind this one.
    after: Option<Id>,
}

/// `GET /approvals`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ApprovalQuery>,
) -> Answer {
    let ApprovalQuery { mine, open, kind, limit, after } = query;
    let page = paging::page(limit, after)?;
    let filter = ApprovalFilter { mine, open, kind, ..ApprovalFilter::default() };
    let Listed { items, next } = api.broker.approvals(&caller, &filter, &page).await?;
    let items = items.into_iter().map(|it| shown(&api, it, None)).collect();
    Ok(paging::answer(&uri, Listed { items, next }))
}

/// `POST /approvals`.
pub(crate) async fn ask(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewApproval>,
) -> Answer {
    let NewApproval { act, reason } = posted.body;
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let new = broker::NewApproval { act: act.into(), reason };
    let asked_for = api.broker.ask_for(&caller, new, once).await?;
    Ok(answer::replayed(asked(&api, asked_for), replayed))
}

/// `GET /approvals/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let (approval, reason) = api.broker.approval(&caller, id).await?;
    Ok(answer::json(&shown(&api, approval, reason)))
}

/// `POST /approvals/{id}/agree`. Agreeing again changes nothing and gets the same answer.
pub(crate) async fn agree(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    _: Plain,
) -> Answer {
    let agreed = api.broker.agree_to(&caller, id).await?;
    Ok(answer::json(&shown(&api, agreed, None)))
}

/// `POST /approvals/{id}/refuse`.
pub(crate) async fn refuse(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    _: Plain,
) -> Answer {
    let refused = api.broker.turn_down(&caller, id).await?;
    Ok(answer::json(&shown(&api, refused, None)))
}

/// `POST /approvals/{id}/withdraw`.
pub(crate) async fn withdraw(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    _: Plain,
) -> Answer {
    let withdrawn = api.broker.withdraw_asked(&caller, id).await?;
    Ok(answer::json(&shown(&api, withdrawn, None)))
}

/// `GET /approvals/{id}/content`.
pub(crate) async fn content(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Answer {
    let released = api.broker.released_content(&caller, id).await?;
    let media_type = released.media_type.as_deref().unwrap_or("application/octet-stream");
    let size = (released.reference.size, released.reference.sha256.as_str());
    Ok(range::answer(&headers, &released.payload, size, media_type, &released.name))
}

/// 202: a second person has to agree.
pub(crate) fn asked(api: &Api, approval: Approval) -> Response {
    let path = format!("/approvals/{}", approval.id);
    answer::created(answer::json(&shown(api, approval, None)), StatusCode::ACCEPTED, &path)
}

fn shown(api: &Api, approval: Approval, reason: Option<String>) -> ShownApproval {
    ShownApproval {
        id: approval.id,
        kind: approval.kind,
        state: approval.state_at(api.broker.now()),
        act: Act::shown(&approval.detail),
        subject_kind: approval.subject_kind,
        subject: approval.subject,
        reason,
        asked_by: approval.asked_by,
        asked_at: approval.asked_at,
        expires_at: approval.expires_at,
        decided_by: approval.decided_by,
        decided_at: approval.decided_at,
        valid_until: approval.valid_until,
    }
}

impl From<WantedAct> for Act {
    fn from(wanted: WantedAct) -> Self {
        match wanted {
            WantedAct::ReleaseMessage { message, minutes } => {
                Act::ReleaseMessage { message, payload: None, minutes }
            }
            WantedAct::ReleaseDocument { document, version, file, minutes } => {
                Act::ReleaseDocument { document, version, file, root: None, minutes }
            }
            WantedAct::EraseEvent { root, event } => Act::EraseEvent { root, event },
            WantedAct::ErasePayload { root, payload } => Act::ErasePayload { root, payload },
            WantedAct::Forward { message, to } => Act::Forward { message, to, seen: None },
        }
    }
}
