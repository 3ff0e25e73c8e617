//! Lanes: how what waits for each partner stands, and the operator's wish to have it tried again at once.

use axum::Extension;
use axum::extract::State;
use broker::Lane;
use model::{Caller, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::answer::{self, Answer};
use crate::params::PathName;

/// A lane.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Lane")]
pub(crate) struct ShownLane {
    /// Its name: `to:` and an authority for messages that go outside, `channel:` and an adapter for what it is told, `session:` and an
    /// adapter for its own work.
    lane: String,
    /// `work` or `network`: which workers take its jobs.
    class: &'static str,
    /// Jobs that wait, due or not.
    waiting: u64,
    /// Jobs that are being done.
    leased: u64,
    /// When the oldest of them came into being.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Timestamp>,
    /// `closed`: jobs are done; `open`: none is tried for a time; `halfOpen`: one goes ahead.
    breaker: &'static str,
    /// When the breaker changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Nothing is tried before.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_until: Option<Timestamp>,
    /// Failures since the last success.
    failures: u32,
    /// Code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
}

/// All lanes that have something to do, and all that lead outside.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LaneList {
    items: Vec<ShownLane>,
}

/// `GET /lanes`.
pub(crate) async fn list(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Answer {
    let lanes = api.broker.lanes(&caller).await?;
    Ok(answer::json(&LaneList { items: lanes.into_iter().map(shown).collect() }))
}

/// `POST /lanes/{name}/retry`.
pub(crate) async fn retry(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(name): PathName,
) -> Answer {
    Ok(answer::json(&shown(api.broker.retry_lane(&caller, &name).await?)))
}

fn shown(lane: Lane) -> ShownLane {
    let Lane { lane, class, waiting, leased, oldest, breaker, .. } = lane;
    let known = |time: Timestamp| (time != Timestamp::default()).then_some(time);
    ShownLane {
        lane,
        class: class.name(),
        waiting,
        leased,
        oldest,
        breaker: breaker.state.name(),
        since: known(breaker.since),
        open_until: known(breaker.open_until),
        failures: breaker.failures,
        last_failure: breaker.last_code,
    }
}
