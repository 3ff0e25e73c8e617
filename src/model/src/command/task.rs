//! How tasks change: taken, passed on, done, overdue.

use super::{Change, amended};
use crate::activity::{Overdue, Task, TaskStatus};
use crate::ids::is_name;
use crate::record::Record;
use crate::{Error, EventKind, Timestamp};

pub(super) fn changed(
    current: &Record,
    task: &Task,
    change: &Change,
    now: Timestamp,
) -> Result<(Record, EventKind), Error> {
    if let Change::Amend(patch) = change {
        let (record, event) = amended(current, patch)?;
        return Ok((due_again(record, task), event));
    }
    if !task.status.is_open() {
        return Err(Error::WrongState { state: task.status.name() });
    }
    let mut task = task.clone();
    let mut event = EventKind::RecordChanged;
    match change {
        Change::AssignTask(person) => {
            task.assignee = Some(person.clone());
            task.status = TaskStatus::Assigned;
        }
        Change::CompleteTask(result) => {
            task.result.clone_from(result);
            task.status = TaskStatus::Done;
        }
        Change::CancelTask => task.status = TaskStatus::Cancelled,
        Change::HandOn(unit) => hand_on(&mut task, unit)?,
        Change::Overdue => {
            if task.overdue.is_some() {
                return Err(Error::Exists);
            }
            task.overdue = Some(late_since(now));
            event = EventKind::TaskOverdue;
        }
        Change::Escalate { to, asked } => {
            let overdue = task.overdue.get_or_insert_with(|| late_since(now));
            if overdue.escalated_to.is_some() {
                return Err(Error::Exists);
            }
            (overdue.escalated_to, overdue.asked) = (Some(to.clone()), Some(*asked));
            event = EventKind::TaskEscalated;
        }
        _ => return Err(Error::WrongState { state: task.status.name() }),
    }
    Ok((Record::Task(task), event))
}

fn late_since(now: Timestamp) -> Overdue {
    Overdue { since: now, escalated_to: None, asked: None }
}

/// Whoever passes a task on first hears of it as if it had asked for it, unless somebody else did. Whoever passes it on after that does not.
fn hand_on(task: &mut Task, unit: &str) -> Result<(), Error> {
    if !is_name(unit) || task.meta.unit == unit {
        return Err(Error::Invalid { field: "unit" });
    }
    let before = std::mem::replace(&mut task.meta.unit, unit.to_owned());
    task.requested_by.get_or_insert(before);
    (task.assignee, task.status) = (None, TaskStatus::Open);
    Ok(())
}

/// With another time to be done by, a task is not overdue any more.
fn due_again(record: Record, before: &Task) -> Record {
    match record {
        Record::Task(mut task) if task.due != before.due => {
            task.overdue = None;
            Record::Task(task)
        }
        record => record,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::command::{Command, Rules, decide};
    use crate::testkit::a_task;

    fn after(record: &Record, change: Change) -> Result<Task, Error> {
        let command = Command { kind: record.kind(), id: record.meta().id, expected: None, change };
        match decide(Some(record), &command, Rules::default(), Timestamp::from_micros(5))?.record {
            Record::Task(task) => Ok(task),
            _ => panic!("a task"),
        }
    }

    #[test]
    fn a_task_that_is_passed_on_is_nobodys_there_and_is_still_seen_here() {
        let assigned = Record::Task(after(&a_task("Prüfen"), Change::AssignTask("sb1".into())).unwrap());
        let given = after(&assigned, Change::HandOn("70".into())).unwrap();
        assert_eq!((given.meta.unit.as_str(), given.requested_by.as_deref()), ("70", Some("63")));
        assert_eq!((given.assignee.as_deref(), given.status), (None, TaskStatus::Open));
        let back = after(&Record::Task(given.clone()), Change::HandOn("63".into())).unwrap();
        assert_eq!(back.requested_by.as_deref(), Some("63"), "who asked first, asked");
        let on = after(&Record::Task(given.clone()), Change::HandOn("80".into())).unwrap();
        assert_eq!(
            on.requested_by.as_deref(),
            Some("63"),
            "the one in between has nothing to do with it any more"
        );
        for bad in ["70", "", "a b"] {
            let refused = after(&Record::Task(given.clone()), Change::HandOn(bad.into()));
            assert_eq!(refused, Err(Error::Invalid { field: "unit" }), "{bad:?}");
        }
        let done = Record::Task(after(&assigned, Change::CompleteTask(None)).unwrap());
        assert!(after(&done, Change::HandOn("70".into())).is_err());
    }

    #[test]
    fn a_task_is_overdue_once_until_it_has_another_time() {
        let overdue = Record::Task(after(&a_task("Prüfen"), Change::Overdue).unwrap());
        assert_eq!(after(&overdue, Change::Overdue), Err(Error::Exists));
        let escalation = || Change::Escalate { to: "10".into(), asked: crate::ids::new_id() };
        let escalated = Record::Task(after(&overdue, escalation()).unwrap());
        assert_eq!(after(&escalated, escalation()), Err(Error::Exists));
        let titled = after(&escalated, Change::Amend(json!({ "title": "x" }))).unwrap();
        assert!(titled.overdue.is_some());
        let later = after(&escalated, Change::Amend(json!({ "due": "2027-01-01T00:00:00Z" }))).unwrap();
        assert_eq!(later.overdue, None);
        let forged = after(&escalated, Change::Amend(json!({ "overdue": null })));
        assert_eq!(forged, Err(Error::Invalid { field: "body" }));
    }
}
