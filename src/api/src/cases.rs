//! Cases (Vorgänge).

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use model::case::{Case, Description, Location, Priority, RecordStatus};
use model::command::Change;
use model::{Authority, Caller, Id, Record, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::Answer;
use crate::body::{Patch, Plain, Posted, members_of};
use crate::case_files::{self, NewHold, NewLock, NewReference, hold_record, without_extensions};
use crate::params::{IfMatch, MustMatch, Params, PathId};
use crate::records::{self, ListQuery, PageQuery};

/// A case that shall come into being, in a case file, in another case, or by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = without_extensions)]
pub(crate) struct NewCase {
    /// Authority that owns it; the token's if absent.
    #[serde(default)]
    authority: Option<Authority>,
    /// Unit that owns it; that of the record it lies in if absent.
    #[serde(default)]
    unit: Option<String>,
    /// Public service it belongs to.
    #[serde(default)]
    public_service: Option<String>,
    /// Case file (Akte) it lies in.
    #[serde(default)]
    case_file: Option<Id>,
    /// Case it is a part of (Teilvorgang).
    #[serde(default)]
    parent: Option<Id>,
    /// How urgent it is.
    #[serde(default)]
    priority: Priority,
    /// Places it is about.
    #[serde(default)]
    locations: Vec<Location>,
    #[serde(flatten)]
    description: Description,
}

/// `POST /cases`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewCase>,
) -> Answer {
    let new = posted.body;
    let parent = match (new.case_file, new.parent) {
        (Some(_), Some(_)) => return Err(model::Error::Invalid { field: "parent" }.into()),
        (Some(file), None) => Some(api.broker.record(&caller, RecordKind::CaseFile, file).await?),
        (None, Some(case)) => Some(api.broker.record(&caller, RecordKind::Case, case).await?),
        (None, None) => None,
    };
    let record = Record::Case(Case {
        meta: records::new_meta(&caller, new.authority, new.unit, new.public_service, parent.as_ref())?,
        description: new.description,
        case_file: new.case_file,
        parent: new.parent,
        status: RecordStatus::Open,
        priority: new.priority,
        locations: new.locations,
    });
    records::create(&api, &caller, record, posted.once).await
}

/// `GET /cases`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ListQuery>,
) -> Answer {
    records::list(&api, &caller, &uri, RecordKind::Case, query).await
}

/// `GET /cases/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Case, id).await
}

/// `PATCH /cases/{id}`.
pub(crate) async fn amend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    MustMatch(expected): MustMatch,
    Patch(patch): Patch,
) -> Answer {
    records::amend(&api, &caller, (RecordKind::Case, id), expected, &members_of::<Case>(), patch).await
}

/// `GET /cases/{id}/documents`.
pub(crate) async fn documents(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::documents_of(&api, &caller, &uri, (RecordKind::Case, id), query).await
}

/// `GET /cases/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Case, id), query).await
}

/// `POST /cases/{id}/record-reference`.
pub(crate) async fn assign_reference(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<NewReference>,
) -> Answer {
    case_files::assign(&api, &caller, (RecordKind::Case, id), expected, posted).await
}

/// `POST /cases/{id}/close`.
pub(crate) async fn close(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::Case, id), expected, once, Change::Close).await
}

/// `POST /cases/{id}/reopen`.
pub(crate) async fn reopen(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::Case, id), expected, once, Change::Reopen).await
}

/// `POST /cases/{id}/lock`.
pub(crate) async fn lock(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewLock>,
) -> Answer {
    case_files::lock_record(&api, &caller, RecordKind::Case, id, posted).await
}

/// `POST /cases/{id}/hold`.
pub(crate) async fn hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewHold>,
) -> Answer {
    hold_record(&api, &caller, (RecordKind::Case, id), posted).await
}

/// `POST /cases/{id}/lift-hold`.
pub(crate) async fn lift_hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::Case, id), None, once, Change::LiftHold).await
}
