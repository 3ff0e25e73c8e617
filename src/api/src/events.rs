//! The event feed: sealed events in the order of their numbers, so that a reader that goes on from the last
//! number misses nothing. Waiting for the next event makes polling as quick as a call-back.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use model::{Caller, Event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, Answer};
use crate::params::Params;
use crate::problem::Problem;
use crate::{Api, paging, records};

/// Longest wait, in seconds.
const MOST_WAIT: u64 = 30;

/// Pause between two looks while waiting. The sealer's own pause is of this order.
const PAUSE: Duration = Duration::from_millis(250);

/// Where to go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// Number of the last event seen; 0 if absent: from the beginning.
    #[serde(default)]
    after: u64,
    /// Most events, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// How long to wait for an event if there is none, 0 to 30 seconds.
    #[serde(default)]
    #[schemars(range(max = 30))]
    wait: u64,
}

/// An event with its number.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumberedEvent {
    /// Number in the tenant's evidence chain, from 1.
    number: u64,
    /// What happened.
    event: Event,
}

/// A part of the feed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventFeed {
    /// Events in ascending order.
    items: Vec<NumberedEvent>,
    /// `after` of the next request.
    last: u64,
}

/// `GET /events`.
pub(crate) async fn feed(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<EventQuery>,
) -> Answer {
    if query.wait > MOST_WAIT {
        return Err(Problem::invalid_query("wait"));
    }
    if i64::try_from(query.after).is_err() {
        return Err(Problem::invalid_query("after"));
    }
    let limit = paging::size(query.limit)?;
    let place = api.polls.try_acquire();
    let until = Instant::now() + Duration::from_secs(if place.is_ok() { query.wait } else { 0 });
    let mut events = api.broker.events(&caller, query.after, limit).await?;
    while events.is_empty() && Instant::now() < until {
        tokio::time::sleep(PAUSE).await;
        events = api.broker.events(&caller, query.after, limit).await?;
    }
    let last = events.last().map_or(query.after, |event| event.number);
    let numbered = |sealed: broker::SealedEvent| NumberedEvent {
        number: sealed.number,
        event: records::shown(&caller, sealed.event),
    };
    Ok(answer::json(&EventFeed { items: events.into_iter().map(numbered).collect(), last }))
}
