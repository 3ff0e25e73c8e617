//! What outsiders are told of where a case stands: the six states of the federal status monitor (Statusmonitor), which the citizens' pages,
//! messages to mailboxes and notices share. One pure mapping, so that nobody hears two different things.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activity::{Task, TaskStatus};
use crate::case::{Case, RecordStatus};
use crate::payment::{Claim, ClaimStatus};

/// Kind of the tasks that wait for documents of the citizen.
pub const MISSING_DOCUMENT: &str = "missing-document";

/// Where a case stands, for those whom it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PublicState {
    /// An application is begun, and the authority does not have it yet.
    Initiated,
    /// It was sent off.
    Submitted,
    /// The authority has it (Eingang).
    Received,
    /// Somebody works on it.
    Processing,
    /// The citizen has to do something: bring documents, pay.
    ActionRequired,
    /// It is done.
    Completed,
}

impl PublicState {
    /// Name as in the JSON form and in the status monitor.
    pub fn name(self) -> &'static str {
        match self {
            PublicState::Initiated => "INITIATED",
            PublicState::Submitted => "SUBMITTED",
            PublicState::Received => "RECEIVED",
            PublicState::Processing => "PROCESSING",
            PublicState::ActionRequired => "ACTION_REQUIRED",
            PublicState::Completed => "COMPLETED",
        }
    }

    /// The state of a case, with the tasks and claims of it. `Initiated` and `Submitted` come before there is a case.
    pub fn of(case: &Case, tasks: &[Task], claims: &[Claim]) -> PublicState {
        match case.status {
            RecordStatus::Closed | RecordStatus::Destroyed => return PublicState::Completed,
            // It is locked since another authority has it for good, unless it goes along a route.
            RecordStatus::Locked if case.description.circulates.is_none() => return PublicState::Completed,
            RecordStatus::Received => return PublicState::Received,
            RecordStatus::Locked | RecordStatus::Open => {}
        }
        if tasks.iter().any(waits_for_citizen) || claims.iter().any(is_owed) {
            return PublicState::ActionRequired;
        }
        let is_worked_on = tasks.iter().any(is_taken) || case.description.record_reference.is_some();
        if is_worked_on || case.status == RecordStatus::Locked {
            return PublicState::Processing;
        }
        PublicState::Received
    }
}

/// Whether a task waits for documents of the citizen.
pub fn waits_for_citizen(task: &Task) -> bool {
    task.kind == MISSING_DOCUMENT && task.status.is_open()
}

/// Whether the citizen still owes money by the claim.
pub fn is_owed(claim: &Claim) -> bool {
    matches!(claim.status, ClaimStatus::Open | ClaimStatus::PartlyPaid)
}

/// Whether somebody has begun to work on a task, or has done it.
fn is_taken(task: &Task) -> bool {
    task.kind != MISSING_DOCUMENT && matches!(task.status, TaskStatus::Assigned | TaskStatus::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::testkit::{a_case, a_claim, a_task};
    use crate::ids;

    fn case(status: RecordStatus) -> Case {
        let Record::Case(case) = a_case("Neubau") else { unreachable!() };
        Case { status, ..case }
    }

    fn task(kind: &str, status: TaskStatus) -> Task {
        let Record::Task(task) = a_task("Prüfen") else { unreachable!() };
        Task { kind: kind.into(), status, ..task }
    }

    fn claim(status: ClaimStatus) -> Claim {
        Claim { status, ..a_claim(2_500) }
    }

    #[test]
    fn what_is_told_follows_from_the_case_and_what_is_open() {
        use ClaimStatus::{Cancelled, Paid, PartlyPaid};
        use PublicState::{ActionRequired, Completed, Processing, Received};
        use RecordStatus::{Closed, Destroyed, Locked, Open};
        use TaskStatus::{Assigned, Cancelled as NotNeeded, Done};
        let missing = |status| vec![task(MISSING_DOCUMENT, status)];
        let other = |status| vec![task("check", status)];
        for (status, tasks, claims, expected) in [
            (Open, vec![], vec![], Received),
            (Open, other(TaskStatus::Open), vec![], Received),
            (Open, other(NotNeeded), vec![], Received),
            (Open, other(Assigned), vec![], Processing),
            (Open, other(Done), vec![claim(Paid)], Processing),
            (Open, other(Done), vec![claim(ClaimStatus::Open)], ActionRequired),
            (Open, vec![], vec![claim(PartlyPaid)], ActionRequired),
            (Open, vec![], vec![claim(Cancelled)], Received),
            (Open, missing(TaskStatus::Open), vec![], ActionRequired),
            (Open, missing(Assigned), vec![], ActionRequired),
            (Open, missing(Done), vec![], Received),
            (RecordStatus::Received, missing(TaskStatus::Open), vec![], Received),
            (Closed, missing(TaskStatus::Open), vec![claim(ClaimStatus::Open)], Completed),
            (Locked, vec![], vec![], Completed),
            (Destroyed, vec![], vec![], Completed),
        ] {
            assert_eq!(PublicState::of(&case(status), &tasks, &claims), expected, "{status:?} {tasks:?}");
        }
    }

    #[test]
    fn a_case_with_an_aktenzeichen_or_along_a_route_is_worked_on() {
        let mut numbered = case(RecordStatus::Open);
        numbered.description.record_reference = Some("63-1/26".into());
        assert_eq!(PublicState::of(&numbered, &[], &[]), PublicState::Processing);
        let mut away = case(RecordStatus::Locked);
        away.description.circulates = Some(ids::new_id());
        assert_eq!(PublicState::of(&away, &[], &[]), PublicState::Processing);
    }

    #[test]
    fn names_are_those_of_the_status_monitor() {
        let json = serde_json::to_value(PublicState::ActionRequired).unwrap();
        assert_eq!(json, PublicState::ActionRequired.name());
    }
}
