//! Dispatches (Versand): documents of a case that are sent to somebody, notices, and what is known of their way.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::RecordFilter;
use model::activity::{
    Addressee, Dispatch, DispatchKind, DispatchOptions, DispatchStatus, DispatchStep, Notice, ProofKind,
    StepProof,
};
use model::command::Change;
use model::deemed::Deemed;
use model::{Action, Caller, Id, Record, RecordKind, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, Answer};
use crate::body::Posted;
use crate::interactions::file_or_case;
use crate::params::{IfMatch, Params, PathId};
use crate::records::{self, PageQuery};
use crate::{Api, paging};

/// Something that shall be sent. An adapter whose way it names makes it its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewDispatch {
    /// Case or case file that it belongs to.
    case: Id,
    /// Legal kind.
    kind: DispatchKind,
    /// Documents within the tree of the case, in the order in which they are sent; of each the first file of its newest version.
    documents: Vec<Id>,
    /// What a notification says by itself, without content of the case.
    #[serde(default)]
    notice: Option<Notice>,
    /// Not before this time.
    #[serde(default)]
    not_before: Option<Timestamp>,
    /// The ways that are tried next if this one comes to nothing; of a notification without documents alone.
    #[serde(default)]
    otherwise: Vec<String>,
    /// How it goes: `print`, `hybrid`, `mail`, `call` or `letter` (tasks to call, to write) or what else the house has an adapter for; absent: not by the gateway.
    #[serde(default)]
    way: Option<String>,
    /// Whom it goes to.
    #[serde(default)]
    to: Option<Addressee>,
    /// How it is made and carried.
    #[serde(default)]
    options: DispatchOptions,
}

/// A dispatch as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownDispatch {
    /// The dispatch.
    #[serde(flatten)]
    dispatch: Dispatch,
    /// When it counts as disclosed or served, as the rules of the house propose it (Bekanntgabefiktion): no fact, and kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    deemed: Option<Deemed>,
}

/// What became of something that was sent, as somebody says who has a proof of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToldStep {
    /// What happened; never `open`.
    kind: DispatchStatus,
    /// When, by the proof.
    at: Timestamp,
    /// What proves it.
    proof: ProofKind,
    /// The document that is the proof, within the tree of the case.
    #[serde(default)]
    document: Option<Id>,
}

/// Which dispatches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DispatchQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// That stand there.
    status: Option<DispatchStatus>,
    /// Of this unit.
    unit: Option<String>,
    /// Of this case or case file.
    case: Option<Id>,
}

/// `POST /dispatches`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewDispatch>,
) -> Answer {
    caller.may(Action::WriteCases)?;
    let new = posted.body;
    let case = file_or_case(&api, &caller, new.case).await?;
    let meta = records::new_meta(&caller, None, None, None, Some(&case))?;
    let record = Record::Dispatch(Dispatch {
        documents: new.documents,
        notice: new.notice,
        not_before: new.not_before,
        otherwise: new.otherwise,
        way: new.way,
        to: new.to,
        options: new.options,
        ..Dispatch::new(meta, new.case, new.kind)
    });
    records::create(&api, &caller, record, posted.once).await
}

/// `GET /dispatches`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<DispatchQuery>,
) -> Answer {
    let filter = RecordFilter {
        status: query.status.map(|status| status.name().to_owned()),
        owner_unit: query.unit,
        parent: query.case,
        ..RecordFilter::of(RecordKind::Dispatch)
    };
    let page = paging::page(query.limit, query.after)?;
    records::listed_by(&api, &caller, &uri, &filter, &page).await
}

/// `GET /dispatches/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let record = api.broker.record(&caller, RecordKind::Dispatch, id).await?;
    let version = record.meta().version;
    let Record::Dispatch(dispatch) = record else {
        return Err(model::Error::NotFound { kind: RecordKind::Dispatch.name() }.into());
    };
    let deemed = api.broker.deemed(&dispatch);
    let mut response = answer::json(&ShownDispatch { dispatch, deemed });
    answer::tag(&mut response, version);
    Ok(response)
}

/// `POST /dispatches/{id}/steps`.
pub(crate) async fn add_step(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<ToldStep>,
) -> Answer {
    let told = posted.body;
    let step = DispatchStep { kind: told.kind, at: told.at };
    let change = Change::ProvenStep(StepProof { step, kind: told.proof, document: told.document });
    records::change(&api, &caller, (RecordKind::Dispatch, id), expected, posted.once, change).await
}

/// `GET /dispatches/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Dispatch, id), query).await
}
