//! Calls that are on, and what becomes of one.

use std::collections::BTreeMap;

use model::activity::{Call, CallDirection, CallState, Task};
use model::record::Meta;
use model::{Id, Record, Timestamp, ids};
use serde::{Deserialize, Serialize};

/// Kind of the task of calling back.
pub const CALL_BACK: &str = "call-back";

/// Kind of the task of looking what became of a call whose end nobody saw.
pub const UNSEEN: &str = "telephone.unseen";

/// Titles of these tasks.
const CALL_BACK_TITLE: &str = "Rückruf";
const UNSEEN_TITLE: &str = "Anruf prüfen: ob ihn jemand annahm, ist nicht bekannt";

/// Calls that are on at once, at most.
pub(crate) const MOST: usize = 500;

/// What every identifier begins with that the gateway gives.
const OURS: &str = "amtsbote-";

/// Causes by which nobody took a call (ITU-T Q.850): no word of why, normal clearing, no user responding, no answer, subscriber absent,
/// rejected, answered elsewhere.
const MISSED: [u32; 7] = [0, 16, 18, 19, 20, 21, 26];
const BUSY: u32 = 17;

/// Calls that are on, by the identifier of their channel; those that the gateway makes by that of the clerk's. Kept as the adapter's state,
/// so that whoever comes after a crash knows what to look for.
pub(crate) type All = BTreeMap<String, Live>;

/// A call that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Live {
    /// The contact that it is; none until it was taken in for sure.
    pub(crate) interaction: Option<Id>,
    /// Name that the caller shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    pub(crate) call: Call,
    pub(crate) since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answered: Option<Timestamp>,
    /// Whether the citizen was rung, of a call that the gateway makes.
    #[serde(default)]
    pub(crate) rung: bool,
}

impl Live {
    /// Somebody took it; whether that is news.
    pub(crate) fn taken(&mut self, at: Timestamp) -> bool {
        if self.call.state.is_over() || self.answered.is_some() {
            return false;
        }
        self.answered = Some(at);
        self.call.state = CallState::Answered;
        self.call.wait_seconds = Some(seconds(self.since, at));
        true
    }

    /// It is over, at this time and by this cause; both are unknown if it ended while nobody looked. Then nobody knows of a call that rang
    /// whether somebody took it before; one that a clerk wanted has rung nobody outside.
    pub(crate) fn over(&mut self, seen: Option<(Timestamp, u32)>) {
        let is_outgoing = self.call.direction == CallDirection::Outgoing;
        self.call.state = match (self.answered, seen) {
            (Some(_), _) => CallState::Ended,
            (None, None) if self.call.state == CallState::Wanted => CallState::Missed,
            (None, None) => CallState::Unknown,
            (None, Some((_, BUSY))) => CallState::Busy,
            (None, Some((_, cause))) if is_outgoing && !MISSED.contains(&cause) => CallState::Failed,
            (None, Some(_)) => CallState::Missed,
        };
        self.call.duration_seconds = self.answered.zip(seen).map(|(answered, (at, _))| seconds(answered, at));
    }
}

fn seconds(from: Timestamp, until: Timestamp) -> u32 {
    u32::try_from((until.micros() - from.micros()).max(0) / 1_000_000).unwrap_or(u32::MAX)
}

/// The leg of a call that the gateway makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    /// The clerk's.
    Clerk,
    /// The citizen's.
    Citizen,
}

/// Identifier of the clerk's channel of a call.
pub(crate) fn clerk(call: Id) -> String {
    format!("{OURS}{call}-a")
}

/// Identifier of the citizen's.
pub(crate) fn citizen(call: Id) -> String {
    format!("{OURS}{call}-c")
}

/// Identifier of the bridge between them.
pub(crate) fn bridge(call: Id) -> String {
    format!("{OURS}{call}-b")
}

/// The call that a channel of ours belongs to.
pub(crate) fn ours(channel: &str) -> Option<(Id, Leg)> {
    let (id, leg) = channel.strip_prefix(OURS)?.rsplit_once('-')?;
    let leg = match leg {
        "a" => Leg::Clerk,
        "c" => Leg::Citizen,
        _ => return None,
    };
    Some((id.parse().ok()?, leg))
}

/// Whether somebody called the house.
pub(crate) fn comes_in(call: &Call) -> bool {
    call.direction == CallDirection::Incoming
}

/// Whether a channel is one of ours, or Asterisk made it for one.
pub(crate) fn is_ours(channel: &str) -> bool {
    channel.starts_with(OURS)
}

/// The task about a contact that follows from how its call ended; `None` if none does. `is_missed_too`: not only from what was promised.
pub(crate) fn task(of: &Meta, call: &Call, is_missed_too: bool, due: Option<Timestamp>) -> Option<Record> {
    let is_reached = comes_in(call) && call.number.is_some();
    let (kind, title) = match call.state {
        _ if !is_reached => return None,
        CallState::CallBack => (CALL_BACK, CALL_BACK_TITLE),
        CallState::Missed if is_missed_too => (CALL_BACK, CALL_BACK_TITLE),
        CallState::Unknown if is_missed_too => (UNSEEN, UNSEEN_TITLE),
        _ => return None,
    };
    let id = ids::derived_id(of.id, kind);
    let zero = Timestamp::default();
    let meta = Meta { id, version: 0, created_at: zero, updated_at: zero, ..of.clone() };
    Some(Record::Task(Task { case_id: Some(of.id), due, ..Task::new(meta, kind, title) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(direction: CallDirection) -> Live {
        let call = Call {
            direction,
            number: None,
            extension: None,
            state: CallState::Ringing,
            wait_seconds: None,
            duration_seconds: None,
            reference: None,
            task: None,
        };
        Live {
            interaction: None,
            from: None,
            call,
            since: Timestamp::from_micros(0),
            answered: None,
            rung: false,
        }
    }

    #[test]
    fn how_a_call_ended_is_said_by_its_cause_only_if_nobody_took_it() {
        use CallDirection::{Incoming, Outgoing};
        use CallState::{Busy, Failed, Missed};
        for (direction, cause, state) in [
            (Incoming, 0, Missed),
            (Incoming, 16, Missed),
            (Incoming, 34, Missed),
            (Incoming, 17, Busy),
            (Outgoing, 19, Missed),
            (Outgoing, 21, Missed),
            (Outgoing, 17, Busy),
            (Outgoing, 1, Failed),
            (Outgoing, 38, Failed),
        ] {
            let mut it = live(direction);
            it.over(Some((Timestamp::from_micros(9_000_000), cause)));
            assert_eq!((it.call.state, it.call.duration_seconds), (state, None), "{direction:?} {cause}");
        }
        let mut it = live(Outgoing);
        assert!(it.taken(Timestamp::from_micros(4_200_000)));
        assert!(!it.taken(Timestamp::from_micros(5_000_000)), "told twice");
        it.over(Some((Timestamp::from_micros(9_300_000), 0)));
        let call = it.call;
        assert_eq!(
            (call.state, call.wait_seconds, call.duration_seconds),
            (CallState::Ended, Some(4), Some(5))
        );
    }

    #[test]
    fn of_what_rang_when_nobody_looked_it_is_not_known_how_it_ended() {
        let at = Timestamp::from_micros(0);
        for (state, answered, then) in [
            (CallState::Ringing, None, CallState::Unknown),
            (CallState::Answered, Some(at), CallState::Ended),
            (CallState::Wanted, None, CallState::Missed),
        ] {
            let mut it = live(CallDirection::Incoming);
            (it.call.state, it.answered) = (state, answered);
            it.over(None);
            assert_eq!((it.call.state, it.call.duration_seconds), (then, None), "{state:?}");
        }
    }

    #[test]
    fn channels_of_the_gateway_name_their_call() {
        let id = ids::new_id();
        assert_eq!(ours(&clerk(id)), Some((id, Leg::Clerk)));
        assert_eq!(ours(&citizen(id)), Some((id, Leg::Citizen)));
        for other in [bridge(id), "1795401955.1".to_owned(), "amtsbote-x-a".to_owned()] {
            assert_eq!(ours(&other), None);
        }
    }
}
