//! What goes on within an exchange: appraisal, transfer and destruction in a disposition (Aussonderung), the stations of a
//! circulation (Geschäftsgang).

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Once, StepDone};
use model::case::Disposition;
use model::circulation::Outcome;
use model::exchange::{Appraisal, Exchange};
use model::{Authority, Caller, Id, Record};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::params::PathId;

/// Most appraisals of one call.
const MOST_APPRAISALS: usize = 10_000;

/// What an archive decides of what it was offered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Appraisals {
    /// One entry per object or unit, at most 10,000; what lies in an object shares its appraisal unless it has its own.
    appraisals: Vec<ObjectAppraisal>,
}

/// What an archive decides of one object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ObjectAppraisal {
    /// UUID of the object, or of the unit of a file plan, in the message.
    object_id: Id,
    /// Aussonderungsart: archive or destroy; appraise only for units of a file plan.
    disposition: Disposition,
}

/// What is to be destroyed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Destruction {
    /// UUIDs of objects of the exchange; everything that may be destroyed if none is named.
    #[serde(default)]
    objects: Vec<Id>,
}

/// What was done at a step of a route.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewStep {
    /// Which step of the route, from 0.
    step: usize,
    /// Whether it was passed over.
    #[serde(default)]
    skipped: bool,
    /// What was done, or who passed it over.
    outcome: Outcome,
}

/// Where the documents of a circulation go next.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PassOn {
    /// The authority of the next station; the one that the route names if absent.
    #[serde(default)]
    to: Option<Authority>,
}

/// `POST /exchanges/{id}/appraisals`.
pub(crate) async fn appraise(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<Appraisals>,
) -> Answer {
    let given = posted.body.appraisals;
    if !(1..=MOST_APPRAISALS).contains(&given.len()) {
        return Err(model::Error::Invalid { field: "appraisals" }.into());
    }
    let appraisals = given.into_iter().map(|it| (it.object_id, Appraisal::of(it.disposition))).collect();
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let exchange = api.broker.appraise(&caller, id, appraisals, once).await?;
    Ok(shown(exchange, StatusCode::OK, replayed))
}

/// `POST /exchanges/{id}/transfer`.
pub(crate) async fn transfer(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    let exchange = api.broker.transfer(&caller, id, once.as_ref()).await?;
    Ok(shown(exchange, StatusCode::ACCEPTED, replayed))
}

/// `POST /exchanges/{id}/destruction`.
pub(crate) async fn destroy(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<Destruction>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let exchange = api.broker.destroy(&caller, id, posted.body.objects, once).await?;
    Ok(shown(exchange, StatusCode::ACCEPTED, replayed))
}

/// `POST /exchanges/{id}/steps`.
pub(crate) async fn do_step(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewStep>,
) -> Answer {
    let NewStep { step, skipped, outcome } = posted.body;
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let done = StepDone { step, skipped, outcome };
    Ok(shown(api.broker.do_step(&caller, id, done, once).await?, StatusCode::OK, replayed))
}

/// `POST /exchanges/{id}/pass-on`.
pub(crate) async fn pass_on(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<PassOn>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let exchange = api.broker.pass_on(&caller, id, posted.body.to, once).await?;
    Ok(shown(exchange, StatusCode::ACCEPTED, replayed))
}

/// `POST /exchanges/{id}/end`.
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    let exchange = api.broker.end_circulation(&caller, id, once.as_ref()).await?;
    Ok(shown(exchange, StatusCode::OK, replayed))
}

async fn replayed(api: &Api, caller: &Caller, once: Option<&Once>) -> Result<bool, crate::problem::Problem> {
    Ok(api.first_answer(caller, once).await?.is_some())
}

fn shown(exchange: Exchange, status: StatusCode, replayed: bool) -> Response {
    let mut response = answer::record(&Record::Exchange(exchange));
    *response.status_mut() = status;
    answer::replayed(response, replayed)
}
