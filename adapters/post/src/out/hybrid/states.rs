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

use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::adapter::Host;
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
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

/// One session. Days are looked at one by one, and the next session begins with the first that was not looked at as a whole: an answer for
/// many days may be larger than any that is taken.
pub(super) async fn look(api: &Api, host: &dyn Host) -> Result<(), Failure> {
    let state = host.state(STATE).await?.unwrap_or(Value::Null);
    let mut open: Open = serde_json::from_value(state["open"].clone()).unwrap_or_default();
    let now = host.now();
    let since = state["day"].as_str().unwrap_or_default();
    // Yesterday is looked at once more: a letter may appear late.
    let (mut next, mut failed) = (ago(now, 1), None);
    for back in (0..=LOOK_BACK).rev().filter(|back| *ago(now, *back) >= *since) {
        let (first, last) = (ago(now, back), day_after(now, back));
        let is_whole = match api.of_days(&first, &last).await {
            Ok(letters) => note(&mut open, &letters, now),
            Err(failure) => {
                failed = Some(failure);
                false
            }
        };
        if !is_whole {
            next = next.min(first);
            break;
        }
    }
    let asked = states(api, host, &mut open, now).await;
    host.set_state(STATE, json!({ "open": open, "day": next })).await?;
    asked?;
    failed.map_or(Ok(()), Err)
}

/// Notes letters that are under way; whether there was room for all of them.
fn note(open: &mut Open, letters: &[Told], now: Timestamp) -> bool {
    let mut is_whole = true;
    for told in letters {
        let dispatch = told.custom2.as_deref().and_then(|it| Id::try_parse(it).ok());
        let Some(dispatch) = dispatch.filter(|_| !open.contains_key(&told.letter_id)) else { continue };
        match open.len() < MOST_OPEN {
            true => _ = open.insert(told.letter_id, (dispatch, now.micros())),
            false => is_whole = false,
        }
    }
    is_whole
}

/// Asks where the letters stand; those that are at their end are followed no more.
async fn states(api: &Api, host: &dyn Host, open: &mut Open, now: Timestamp) -> Result<(), Failure> {
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
    Ok(())
}

/// Tells a dispatch what became of its letter; whether nothing more will come.
async fn tell(host: &dyn Host, id: Id, told: &Told) -> Result<bool, Failure> {
    let Some(Record::Dispatch(dispatch)) = host.record(RecordKind::Dispatch, id).await? else {
        // Another gateway, or another tenant, uses the same account.
        return Ok(true);
    };
    let at = |text: &Option<String>| text.as_deref().and_then(moment);
    match told.status_id {
        99 => step(host, &dispatch, told, DispatchStatus::Failed, at(&told.processed_date)).await?,
        4 => {
            let printed = at(&told.print_feedback_date).or_else(|| at(&told.processed_date));
            step(host, &dispatch, told, DispatchStatus::Posted, printed).await?;
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
    host.note(&key, RecordKind::Dispatch, id, detail).await?;
    if CAME_BACK.contains(&registered) {
        let came_back = at(&told.registered_letter_status_date);
        step(host, &dispatch, told, DispatchStatus::Returned, came_back).await?;
    }
    Ok(FINAL.contains(&registered))
}

/// A step, once for each letter and kind, whatever time it is told with.
async fn step(
    host: &dyn Host,
    dispatch: &Dispatch,
    told: &Told,
    kind: DispatchStatus,
    at: Option<Timestamp>,
) -> Result<(), Failure> {
    let step = DispatchStep { kind, at: believed(dispatch, kind, at, host.now()) };
    let change = Change::DispatchStep(step, Some(told.letter_id.to_string()));
    let id = dispatch.meta.id;
    let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
    match host.submit(&format!("epost:{}:{}", told.letter_id, kind.name()), command).await {
        // What the record refuses, it refuses tomorrow as well.
        Err(failure) if !matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain) => {
            tracing::warn!(dispatch = %id, code = &*failure.code, "a step of a dispatch was refused");
            Ok(())
        }
        submitted => submitted.map(drop),
    }
}

/// When a step was: as the carrier says, but never later than now. The latest step by its time says where a dispatch stands, so what ends its
/// way is not earlier than the last that is known of it, whatever the carrier's clock says.
fn believed(dispatch: &Dispatch, kind: DispatchStatus, at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let at = at.map_or(now, |at| at.min(now));
    match (kind, dispatch.steps.last()) {
        (DispatchStatus::Failed | DispatchStatus::Returned, Some(last)) => at.max(last.at),
        _ => at,
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

/// The day so many days ago.
fn ago(now: Timestamp, days: u64) -> String {
    day(Timestamp::from_micros(now.micros() - micros(days)))
}

/// The day after that: whether the carrier counts the last day in or not, the first is asked for as a whole.
fn day_after(now: Timestamp, days: u64) -> String {
    day(Timestamp::from_micros(now.micros() - micros(days) + micros(1)))
}

fn micros(days: u64) -> i64 {
    i64::try_from(Duration::from_secs(days * DAY).as_micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_not_forgotten() {
        let dispatch = model::ids::new_id();
        let letter = |id: i64| Told { letter_id: id, custom2: Some(dispatch.to_string()), ..Told::default() };
        let many: Vec<Told> = (0..5_001).map(letter).collect();
        let mut open = Open::new();
        assert!(note(&mut open, &many[..5_000], Timestamp::default()));
        assert!(note(&mut open, &many[..5_000], Timestamp::default()), "those are known");
        assert!(!note(&mut open, &many, Timestamp::default()) && open.len() == 5_000);
    }
}
