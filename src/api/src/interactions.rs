//! Contacts (Kontakte): visits, calls, and pieces of post. What names no case for sure lies on a desk until somebody says where it belongs.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::{Filing, Once, RecordFilter};
use model::activity::{Interaction, InteractionStatus};
use model::command::Forward;
use model::{Authority, Caller, Id, Record, RecordKind, Timestamp, ids};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::params::{IfMatch, Params, PathId};
use crate::problem::Problem;
use crate::records::{self, PageQuery};
use crate::{Api, paging};

/// A contact that somebody notes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewInteraction {
    /// Case or case file that it is about; absent: it lies on the desk of `unit`.
    #[serde(default)]
    case: Option<Id>,
    /// Authority that it was with; the token's if absent.
    #[serde(default)]
    authority: Option<Authority>,
    /// Unit that it was with; that of the case if absent.
    #[serde(default)]
    unit: Option<String>,
    /// `call`, `visit`, `letter` or the house's own word: letters, digits, `.`, `:` and `-`.
    kind: String,
    /// When it took place; now if absent.
    #[serde(default)]
    at: Option<Timestamp>,
    /// What it was about, at most 500 characters.
    #[serde(default)]
    subject: Option<String>,
    /// Whom it was with, at most 500 characters.
    #[serde(default)]
    from: Option<String>,
}

/// Which contacts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InteractionQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// `open`: what lies on a desk.
    status: Option<InteractionStatus>,
    /// Of this unit.
    unit: Option<String>,
    /// About this case or case file.
    case: Option<Id>,
}

/// Where a contact belongs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Destination {
    /// The open case or case file; the documents of the contact come into it.
    case: Id,
}

/// Who has to say what becomes of a contact.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OtherDesk {
    /// A unit of the tenant.
    unit: String,
}

/// Who has to answer a contact, and until when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewForward {
    /// A unit of the tenant.
    unit: String,
    /// Public service (Leistung) that it is about; as before if absent.
    #[serde(default)]
    public_service: Option<String>,
    /// What it is about, so that nobody has to ask again; at most 500 characters, as before if absent.
    #[serde(default)]
    concern: Option<String>,
    /// By which way the answer is wanted: `mail`, `call`, `letter` or the house's own word.
    #[serde(default)]
    answer_by: Option<String>,
    /// Hours of service since the contact within which it has to be answered, 1 to 1,000; 24 if absent.
    #[serde(default)]
    due_hours: Option<u32>,
}

/// Hours of service that 115 promises.
const PROMISED: u32 = 24;

/// `POST /interactions`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewInteraction>,
) -> Answer {
    let new = posted.body;
    if !ids::is_name(&new.kind) {
        return Err(model::Error::Invalid { field: "kind" }.into());
    }
    let case = match new.case {
        Some(id) => Some(file_or_case(&api, &caller, id).await?),
        None => None,
    };
    let record = Record::Interaction(Interaction {
        meta: records::new_meta(&caller, new.authority, new.unit, None, case.as_ref())?,
        case_id: new.case,
        kind: new.kind,
        at: new.at.unwrap_or_else(|| api.broker.now()),
        subject: new.subject,
        from: new.from,
        documents: vec![],
        hints: vec![],
        proposals: vec![],
        concerns: vec![],
        call: None,
        proof: serde_json::Value::Null,
        status: if case.is_some() { InteractionStatus::Filed } else { InteractionStatus::Open },
    });
    records::create(&api, &caller, record, posted.once).await
}

/// A case file or case that the caller sees.
pub(crate) async fn file_or_case(api: &Api, caller: &Caller, id: Id) -> Result<Record, Problem> {
    let record = api.broker.require_visible(caller, id).await?;
    match record.kind() {
        RecordKind::CaseFile | RecordKind::Case => Ok(record),
        _ => Err(Problem::not_found()),
    }
}

/// `GET /interactions`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<InteractionQuery>,
) -> Answer {
    let filter = RecordFilter {
        status: query.status.map(|status| status.name().to_owned()),
        owner_unit: query.unit,
        parent: query.case,
        ..RecordFilter::of(RecordKind::Interaction)
    };
    let page = paging::page(query.limit, query.after)?;
    records::listed_by(&api, &caller, &uri, &filter, &page).await
}

/// `GET /interactions/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Interaction, id).await
}

/// `GET /interactions/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Interaction, id), query).await
}

/// `POST /interactions/{id}/file`.
pub(crate) async fn file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<Destination>,
) -> Answer {
    settle(&api, &caller, (id, expected), Filing::Into(posted.body.case), posted.once).await
}

/// `POST /interactions/{id}/hand-on`.
pub(crate) async fn hand_on(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<OtherDesk>,
) -> Answer {
    settle(&api, &caller, (id, expected), Filing::To(posted.body.unit), posted.once).await
}

/// `POST /interactions/{id}/forward`.
pub(crate) async fn forward(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<NewForward>,
) -> Answer {
    let new = posted.body;
    let hours = new.due_hours.unwrap_or(PROMISED);
    let is_name = |text: &Option<String>| text.as_ref().is_none_or(|text| ids::is_name(text));
    let wrong = match () {
        () if !is_name(&new.public_service) => Some("publicService"),
        () if !is_name(&new.answer_by) => Some("answerBy"),
        () if !(1..=1_000).contains(&hours) => Some("dueHours"),
        () => None,
    };
    if let Some(field) = wrong {
        return Err(model::Error::Invalid { field }.into());
    }
    let forward = Forward {
        unit: new.unit,
        public_service: new.public_service,
        concern: new.concern,
        answer_by: new.answer_by,
    };
    let within = Duration::from_secs(u64::from(hours) * 3_600);
    settle(&api, &caller, (id, expected), Filing::On(Box::new(forward), within), posted.once).await
}

/// `POST /interactions/{id}/dismiss`.
pub(crate) async fn dismiss(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    settle(&api, &caller, (id, expected), Filing::Dismissed, once).await
}

async fn settle(
    api: &Api,
    caller: &Caller,
    (id, expected): (Id, Option<u64>),
    filing: Filing,
    once: Option<Once>,
) -> Answer {
    let replayed = api.first_answer(caller, once.as_ref()).await?.is_some();
    let outcome = api.broker.file_interaction(caller, (id, expected), &filing, once.as_ref()).await;
    let settled = outcome.map_err(|error| Problem::from(error).if_expected(expected))?;
    Ok(answer::replayed(answer::record(&Record::Interaction(settled)), replayed))
}
