//! Exchanges of records with other authorities: starting, reading, reporting on the import. What else goes on: see `processes`.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use broker::{NewExchange, Opening, RecordFilter};
use model::circulation::Route;
use model::exchange::{ExchangeKind, ImportResult};
use model::file_plan::FilePlan;
use model::{Authority, Caller, Id, Record, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::body::Posted;
use crate::params::{Params, PathId};
use crate::problem::Problem;
use crate::{Api, paging, records};

/// Most objects of one exchange.
const MOST_OBJECTS: usize = 1_000;

/// An exchange that shall be started.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewExchange")]
pub(crate) struct Wanted {
    /// What it is for.
    kind: ExchangeKind,
    /// The other authority.
    to: Authority,
    /// Case files, cases or documents to send, in order; 1 to 1,000. None with a file plan.
    #[serde(default)]
    objects: Vec<Id>,
    /// Message standard, such as `xdomea`; chosen by what both sides know if absent. With `version` only.
    #[serde(default)]
    standard: Option<String>,
    /// Version of the standard. With `standard` only.
    #[serde(default)]
    version: Option<String>,
    /// Whether the receiver shall send a receipt; yes if absent.
    #[serde(default = "yes")]
    wants_receipt: bool,
    /// A disposition begins with the transfer: everything named is appraised for the archive already.
    #[serde(default)]
    two_step: bool,
    /// The route of a circulation.
    #[serde(default)]
    route: Option<Box<Route>>,
    /// The file plan that is sent (`filePlan`) or is to be appraised (`catalogue`).
    #[serde(default)]
    file_plan: Option<Box<FilePlan>>,
}

impl Wanted {
    fn opening(&mut self) -> Result<Opening, model::Error> {
        match (self.two_step, self.route.take(), self.file_plan.take()) {
            (false, None, None) => Ok(Opening::Usual),
            (true, None, None) => Ok(Opening::Transfer),
            (false, Some(route), None) => Ok(Opening::Route(route)),
            (false, None, Some(plan)) => Ok(Opening::FilePlan(plan)),
            _ => Err(model::Error::Invalid { field: "kind" }),
        }
    }
}

fn yes() -> bool {
    true
}

/// What the record-keeping system says of imported objects.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImportResults {
    /// One entry per object; objects that are not named have no result yet.
    results: Vec<ObjectResult>,
}

/// What the record-keeping system says of one object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ObjectResult {
    /// The object's UUID in the message.
    object_id: Id,
    /// Whether the import succeeded.
    successful: bool,
    /// Reasons if not.
    #[serde(default)]
    messages: Vec<String>,
    /// The Aktenzeichen that the object got here.
    #[serde(default)]
    record_reference: Option<String>,
    /// What an archive calls it (Archivkennung).
    #[serde(default)]
    archive_reference: Option<String>,
}

/// Which exchanges.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExchangeQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// Organisational unit that owns it.
    unit: Option<String>,
    /// Public service (Leistung).
    service: Option<String>,
}

/// `POST /exchanges`.
pub(crate) async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<Wanted>,
) -> Answer {
    let mut wanted = posted.body;
    let opening = wanted.opening()?;
    let least = usize::from(!matches!(opening, Opening::FilePlan(_)));
    if !(least..=MOST_OBJECTS).contains(&wanted.objects.len()) {
        return Err(model::Error::Invalid { field: "objects" }.into());
    }
    let version = match (wanted.standard, wanted.version) {
        (Some(standard), Some(version)) => Some((standard, version)),
        (None, None) => None,
        _ => return Err(model::Error::Invalid { field: "version" }.into()),
    };
    let wanted = NewExchange {
        kind: wanted.kind,
        to: wanted.to,
        objects: wanted.objects,
        version,
        wants_receipt: wanted.wants_receipt,
        opening,
    };
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let record = Record::Exchange(api.broker.start_exchange(&caller, wanted, once).await?);
    let path = answer::path_of(&record);
    let response = answer::created(answer::record(&record), StatusCode::ACCEPTED, &path);
    Ok(answer::replayed(response, replayed))
}

/// `GET /exchanges`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ExchangeQuery>,
) -> Answer {
    let filter = RecordFilter {
        owner_unit: query.unit,
        service: query.service,
        ..RecordFilter::of(RecordKind::Exchange)
    };
    let page = paging::page(query.limit, query.after)?;
    let listed = api.broker.records(&caller, &filter, &page).await?;
    let items: Vec<Value> = listed.items.iter().map(Record::to_json).collect();
    Ok(paging::answer(&uri, broker::Listed { items, next: listed.next }))
}

/// `GET /exchanges/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Exchange, id).await
}

/// `POST /exchanges/{id}/import-results`.
pub(crate) async fn import_results(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<ImportResults>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let results = posted.body.results.into_iter().map(result).collect::<Result<_, Problem>>()?;
    let exchange = api.broker.confirm_import(&caller, id, results, once).await?;
    Ok(answer::replayed(answer::record(&Record::Exchange(exchange)), replayed))
}

/// Reasons go to the other side, so they are kept short.
fn result(given: ObjectResult) -> Result<(Id, ImportResult), Problem> {
    let ObjectResult { object_id, successful, messages, record_reference, archive_reference } = given;
    let fits = |text: &String, most: usize| text.chars().count() <= most;
    if messages.len() > 20 || !messages.iter().all(|message| fits(message, 1_000)) {
        return Err(model::Error::Invalid { field: "results" }.into());
    }
    if !record_reference.iter().chain(&archive_reference).all(|reference| fits(reference, 200)) {
        return Err(model::Error::Invalid { field: "results" }.into());
    }
    Ok((object_id, ImportResult { successful, messages, record_reference, archive_reference }))
}
