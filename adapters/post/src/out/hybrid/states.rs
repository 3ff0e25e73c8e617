//! Where letters stand: those of the last days are looked for, those that are not at their end are asked for, and what has changed becomes
//! steps of the dispatch.
//!
//! | what the carrier says | step |
//! |---|---|
//! | statusID 4, processing in the print centre | `posted`, by `printFeedbackDate` or `processedDate` |
//! | statusID 99, error | `failed` |
//! | registered mail was handed over (`DELIVERED`, `FETCHED…`, `CONFIRMED…`) | none; noted on the time line |
//! | registered mail came back (`RETURNED_TO_SENDER`, `MARBURG`) | `returned` |

use std::collections::BTreeMap;
use std::time::Duration;

use model::activity::{DispatchStatus, DispatchStep};
use model::adapter::Host;
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, RecordKind, Timestamp};
use serde_json::{Value, json};

use super::api::{AT_ONCE, Api, Told};
use super::moment;

/// Key of the durable state: the letters that are under way, and the last day that was looked at.
const STATE: &str = "letters";
/// Letters that are followed at once.
const MOST_OPEN: usize = 5_000;
/// Days that are looked back at most, and how long a letter is followed.
const LOOK_BACK: u64 = 14;
const FOLLOWED: u64 = 90;
const DAY: u64 = 24 * 3_600;

/// What the carrier will say no more after (registered mail).
const FINAL: [&str; 14] = [
    "DELIVERED",
    "MARBURG",
    "FETCHED_PACKSTATION",
    "FETCHED",
    "FETCHED_NOTIFIED",
    "DELIVERED_PO_BOX",
    "CONFIRMED",
    "CONFIRMATION_PENDING",
    "FETCHED_PENDING_DELIVERY_CONFIRMATION",
    "FETCHED_PO_BOX_PENDING_DELIVERY_CONFIRMATION",
    "FETCHED_KEY_ACCOUNT_PENDING_DELIVERY_CONFIRMATION",
    "RETURNED_TO_SENDER",
    "CONFIRMED_BY_SENDER",
    "AMBIGUOUS",
];
/// Of these, what means that it came back; letters that nobody can deliver are opened in Marburg.
const CAME_BACK: [&str; 2] = ["RETURNED_TO_SENDER", "MARBURG"];

/// A letter under way: the dispatch, and since when it is followed (microseconds).
type Open = BTreeMap<i64, (Id, i64)>;

/// One session.
pub(super) async fn look(api: &Api, host: &dyn Host) -> Result<(), Failure> {
    let state = host.state(STATE).await?.unwrap_or(Value::Null);
    let mut open: Open = serde_json::from_value(state["open"].clone()).unwrap_or_default();
    let now = host.now();
    let earliest = ago(now, LOOK_BACK);
    let since = state["day"].as_str().filter(|day| **day > *earliest).unwrap_or(&earliest).to_owned();
    for told in api.of_days(&since, &day(now)).await? {
        let dispatch = told.custom2.as_deref().and_then(|it| Id::try_parse(it).ok());
        let Some(dispatch) = dispatch.filter(|_| open.len() < MOST_OPEN) else { continue };
        open.entry(told.letter_id).or_insert((dispatch, now.micros()));
    }
    let ids: Vec<i64> = open.keys().copied().collect();
    for ids in ids.chunks(AT_ONCE) {
        for told in api.states(ids).await? {
            let Some((dispatch, since)) = open.get(&told.letter_id).copied() else { continue };
            let is_old =
                now.micros().saturating_sub(since) > i64::try_from(FOLLOWED * DAY).unwrap_or(0) * 1_000_000;
            if tell(host, dispatch, &told).await? || is_old {
                open.remove(&told.letter_id);
            }
        }
    }
    // Yesterday is looked at once more: a letter may appear late.
    host.set_state(STATE, json!({ "open": open, "day": ago(now, 1) })).await
}

/// Tells a dispatch what became of its letter; whether nothing more will come.
async fn tell(host: &dyn Host, dispatch: Id, told: &Told) -> Result<bool, Failure> {
    if host.record(RecordKind::Dispatch, dispatch).await?.is_none() {
        // Another gateway, or another tenant, uses the same account.
        return Ok(true);
    }
    let at = |text: &Option<String>| text.as_deref().and_then(moment);
    match told.status_id {
        99 => step(host, dispatch, told, DispatchStatus::Failed, at(&told.processed_date)).await?,
        4 => {
            let printed = at(&told.print_feedback_date).or_else(|| at(&told.processed_date));
            step(host, dispatch, told, DispatchStatus::Posted, printed).await?;
        }
        _ => return Ok(false),
    }
    let Some(registered) = told.registered_letter_status.as_deref().filter(|it| is_word(it)) else {
        return Ok(told.registered_letter_id.is_none());
    };
    let key = format!("epost:{}:{registered}", told.letter_id);
    let detail = json!({
        "registered": registered,
        "number": told.registered_letter_id.as_deref().filter(|it| is_word(it)),
        "at": told.registered_letter_status_date.as_deref().and_then(moment),
    });
    host.note(&key, RecordKind::Dispatch, dispatch, detail).await?;
    if CAME_BACK.contains(&registered) {
        step(host, dispatch, told, DispatchStatus::Returned, at(&told.registered_letter_status_date)).await?;
    }
    Ok(FINAL.contains(&registered))
}

/// A step, once for each letter and kind, whatever time it is told with.
async fn step(
    host: &dyn Host,
    dispatch: Id,
    told: &Told,
    kind: DispatchStatus,
    at: Option<Timestamp>,
) -> Result<(), Failure> {
    let step = DispatchStep { kind, at: at.unwrap_or_else(|| host.now()) };
    let change = Change::DispatchStep(step, Some(told.letter_id.to_string()));
    let command = Command { kind: RecordKind::Dispatch, id: dispatch, expected: None, change };
    match host.submit(&format!("epost:{}:{}", told.letter_id, kind.name()), command).await {
        // What the record refuses, it refuses tomorrow as well.
        Err(failure) if !matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain) => {
            tracing::warn!(%dispatch, code = &*failure.code, "a step of a dispatch was refused");
            Ok(())
        }
        submitted => submitted.map(drop),
    }
}

/// A word of the carrier that may be repeated.
fn is_word(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The day as `YYYY-MM-DD`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn ago(now: Timestamp, days: u64) -> String {
    let micros = i64::try_from(Duration::from_secs(days * DAY).as_micros()).unwrap_or(0);
    day(Timestamp::from_micros(now.micros() - micros))
}
