//! Case files (Akten) and their parts (Teilakten); and what case files and cases have in common: their
//! Aktenzeichen, closing, reopening, locking after a hand-over.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use model::case::{CaseFile, Description, RecordStatus};
use model::command::Change;
use model::{Authority, Caller, Id, Record, RecordKind};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Patch, Plain, Posted, members_of};
use crate::params::{IfMatch, MustMatch, Params, PathId};
use crate::records::{self, ListQuery, PageQuery};

/// A case file that shall come into being.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = without_extensions)]
pub(crate) struct NewCaseFile {
    /// Authority that owns it; the token's if absent.
    #[serde(default)]
    authority: Option<Authority>,
    /// Unit that owns it; that of the case file it is a part of if absent.
    #[serde(default)]
    unit: Option<String>,
    /// Public service it belongs to.
    #[serde(default)]
    public_service: Option<String>,
    #[serde(flatten)]
    description: Description,
}

/// The Aktenzeichen that the record-keeping system assigns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewReference {
    /// Aktenzeichen, 1 to 200 characters.
    record_reference: String,
}

/// The exchange by which a record was handed over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewLock {
    /// The exchange whose import result confirms it.
    exchange: Id,
}

/// Why a record may not be destroyed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewHold {
    /// Reason in words, 1 to 500 characters.
    reason: String,
}

/// Extensions are what a standard brought along, nobody else writes them; a bar to destruction is set by its own call, and a
/// disposition or circulation by its exchange.
pub(crate) fn without_extensions(schema: &mut Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove("extensions");
        properties.remove("hold");
        properties.remove("inDisposition");
        properties.remove("circulates");
    }
}

/// `POST /case-files`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewCaseFile>,
) -> Answer {
    create_below(&api, &caller, posted, None).await
}

/// `POST /case-files/{id}/case-files`.
pub(crate) async fn create_part(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewCaseFile>,
) -> Answer {
    let parent = api.broker.record(&caller, RecordKind::CaseFile, id).await?;
    create_below(&api, &caller, posted, Some(parent)).await
}

async fn create_below(
    api: &Api,
    caller: &Caller,
    posted: Posted<NewCaseFile>,
    parent: Option<Record>,
) -> Answer {
    let new = posted.body;
    let record = Record::CaseFile(CaseFile {
        meta: records::new_meta(caller, new.authority, new.unit, new.public_service, parent.as_ref())?,
        description: new.description,
        parent: parent.map(|parent| parent.meta().id),
        status: RecordStatus::Open,
    });
    records::create(api, caller, record, posted.once).await
}

/// `GET /case-files`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ListQuery>,
) -> Answer {
    records::list(&api, &caller, &uri, RecordKind::CaseFile, query).await
}

/// `GET /case-files/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::CaseFile, id).await
}

/// `PATCH /case-files/{id}`.
pub(crate) async fn amend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    MustMatch(expected): MustMatch,
    Patch(patch): Patch,
) -> Answer {
    let known = members_of::<CaseFile>();
    records::amend(&api, &caller, (RecordKind::CaseFile, id), expected, &known, patch).await
}

/// `GET /case-files/{id}/documents`.
pub(crate) async fn documents(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::documents_of(&api, &caller, &uri, (RecordKind::CaseFile, id), query).await
}

/// `GET /case-files/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::CaseFile, id), query).await
}

/// `POST /case-files/{id}/record-reference`.
pub(crate) async fn assign_reference(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<NewReference>,
) -> Answer {
    assign(&api, &caller, (RecordKind::CaseFile, id), expected, posted).await
}

/// `POST /case-files/{id}/close`.
pub(crate) async fn close(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::CaseFile, id), expected, once, Change::Close).await
}

/// `POST /case-files/{id}/reopen`.
pub(crate) async fn reopen(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::CaseFile, id), expected, once, Change::Reopen).await
}

/// `POST /case-files/{id}/lock`.
pub(crate) async fn lock(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewLock>,
) -> Answer {
    lock_record(&api, &caller, RecordKind::CaseFile, id, posted).await
}

/// `POST /case-files/{id}/hold`.
pub(crate) async fn hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewHold>,
) -> Answer {
    hold_record(&api, &caller, (RecordKind::CaseFile, id), posted).await
}

/// `POST /case-files/{id}/lift-hold`.
pub(crate) async fn lift_hold(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::CaseFile, id), None, once, Change::LiftHold).await
}

/// Bars a record, and what lies in it, from destruction.
pub(crate) async fn hold_record(
    api: &Api,
    caller: &Caller,
    of: (RecordKind, Id),
    posted: Posted<NewHold>,
) -> Answer {
    records::change(api, caller, of, None, posted.once, Change::Hold(posted.body.reason)).await
}

/// Assigns the Aktenzeichen.
pub(crate) async fn assign(
    api: &Api,
    caller: &Caller,
    of: (RecordKind, Id),
    expected: Option<u64>,
    posted: Posted<NewReference>,
) -> Answer {
    let change = Change::AssignReference(posted.body.record_reference);
    records::change(api, caller, of, expected, posted.once, change).await
}

/// Locks what was handed over. Locking again changes nothing.
pub(crate) async fn lock_record(
    api: &Api,
    caller: &Caller,
    kind: RecordKind,
    id: Id,
    posted: Posted<NewLock>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = api.first_answer(caller, once).await?.is_some();
    let record = api.broker.lock(caller, kind, id, posted.body.exchange, once).await?;
    Ok(answer::replayed(answer::record(&record), replayed))
}
