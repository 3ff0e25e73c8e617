//! Dispatches (Versand): documents of a case that are sent to somebody, and what is known of their way.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::RecordFilter;
use model::activity::{Addressee, Dispatch, DispatchKind, DispatchOptions, DispatchStatus};
use model::{Action, Caller, Id, Record, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::body::Posted;
use crate::interactions::file_or_case;
use crate::params::{Params, PathId};
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
    /// How it goes: `print`, `hybrid`, `mail` or what else the house has an adapter for; absent: not by the gateway.
    #[serde(default)]
    way: Option<String>,
    /// Whom it goes to.
    #[serde(default)]
    to: Option<Addressee>,
    /// How it is made and carried.
    #[serde(default)]
    options: DispatchOptions,
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
    let record = Record::Dispatch(Dispatch {
        meta: records::new_meta(&caller, None, None, None, Some(&case))?,
        case_id: new.case,
        kind: new.kind,
        documents: new.documents,
        notice: None,
        not_before: None,
        otherwise: vec![],
        way: new.way,
        to: new.to,
        options: new.options,
        reference: None,
        status: DispatchStatus::Open,
        steps: vec![],
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
    records::read(&api, &caller, RecordKind::Dispatch, id).await
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
