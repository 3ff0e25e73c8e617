//! Tasks that have to be done by a time. When it is over, an event says so; if the unit's house rules name one that is asked then, that
//! unit gets a task of its own about it, and may see the case for as long as that is open. What is done ends both.
//!
//! Each step is a job that was enqueued with the time itself, so no node can forget it. A task that has another time meanwhile has
//! another job; the old one finds that and ends.

use std::time::Duration;

use model::activity::Task;
use model::command::Change;
use model::record::Meta;
use model::{Actor, Id, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::{Value, json};
use store::{Job, NewJob, Work};

use crate::{Broker, Error};

/// Kind of the job.
pub(crate) const JOB: &str = "task-due";

/// Kind and title of the task of whoever is asked.
const KIND: &str = "task-overdue";
const TITLE: &str = "Aufgabe einer anderen Organisationseinheit überfällig";

/// Pause until it is tried again if it failed.
const AGAIN: Duration = Duration::from_secs(600);

impl Broker {
    /// Looks after the time of a task that was made or changed, and ends what was told of it once it is done.
    pub(crate) async fn keep_due(
        &self,
        work: &mut Work,
        before: Option<&Record>,
        after: &Record,
        actor: &Actor,
    ) -> Result<(), Error> {
        let Record::Task(task) = after else { return Ok(()) };
        let before = match before {
            Some(Record::Task(before)) => Some(before),
            _ => None,
        };
        if let Some(due) = task.due.filter(|_| task.status.is_open() && is_to_be_looked_at(before, task)) {
            enqueue(work, task, due, due);
        }
        let Some(before) = before else { return Ok(()) };
        if !task.status.is_open() || task.overdue.is_none() {
            self.end_asking(work, before, actor).await?;
        }
        Ok(())
    }

    /// Ends an open task that the gateway itself has no more use for, with what was told of it because it was late.
    pub(crate) async fn end_task(
        &self,
        work: &mut Work,
        task: &Record,
        change: Change,
        actor: &Actor,
        message: Option<Id>,
    ) -> Result<(), Error> {
        let after = self.apply(work, task, change, actor, message)?;
        self.keep_due(work, Some(task), &after, actor).await
    }

    /// Takes the task from whoever was asked.
    async fn end_asking(&self, work: &mut Work, task: &Task, actor: &Actor) -> Result<(), Error> {
        let Some(asked) = asked_by(task) else { return Ok(()) };
        let scope = Scope::tenant(&task.meta.tenant);
        match self.store().record(&scope, RecordKind::Task, asked).await? {
            Some(Record::Task(asked)) if asked.status.is_open() => {
                self.apply(work, &Record::Task(asked), Change::CompleteTask(None), actor, None).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// A task's time is over, or so much time since then that somebody else is asked.
    pub(crate) async fn task_due(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut work = Work::new();
        let record = self.store().record(&scope, RecordKind::Task, job.subject).await?;
        let Some(Record::Task(task)) = record else { return self.finish(job, work).await };
        let due = task.due.filter(|due| job.detail["due"] == due.micros());
        let Some(due) = due.filter(|_| task.status.is_open()) else { return self.finish(job, work).await };
        let mut record = Record::Task(task.clone());
        if task.overdue.is_none() {
            record = self.apply(&mut work, &record, Change::Overdue, &Actor::gateway(), None)?;
        }
        let is_asked = task.overdue.as_ref().is_some_and(|overdue| overdue.escalated_to.is_some());
        let rule = self.house().escalation(&job.tenant, &task.meta.unit).filter(|_| !is_asked);
        let Some(rule) = rule else { return self.finish(job, work).await };
        let then = due.plus(Duration::from_secs(u64::from(rule.after_hours) * 3_600));
        if then > self.now() {
            enqueue(&mut work, &task, due, then);
            return self.finish(job, work).await;
        }
        let asked = Record::Task(asking(&task, &rule.to, due, self.now()));
        let id = asked.meta().id;
        let escalated = Change::Escalate { to: rule.to.clone(), asked: id };
        self.apply(&mut work, &record, escalated, &Actor::gateway(), None)?;
        self.bring(&mut work, asked)?;
        self.finish(job, work).await
    }

    /// What could not be told is tried again: nobody else looks.
    pub(crate) fn task_due_later(&self, work: &mut Work, job: &Job) {
        let at = self.now().plus(AGAIN);
        work.enqueue(&new_job(&job.tenant, job.subject, job.detail.clone(), at));
    }
}

fn enqueue(work: &mut Work, task: &Task, due: Timestamp, at: Timestamp) {
    let detail = json!({ "due": due.micros() });
    work.enqueue(&new_job(&task.meta.tenant, task.meta.id, detail, at));
}

fn new_job(tenant: &str, subject: Id, detail: Value, at: Timestamp) -> NewJob {
    NewJob {
        // Its age counts from when it is due: until then nobody is late with it.
        id: ids::id_at(at),
        tenant: tenant.to_owned(),
        lane: JOB.to_owned(),
        kind: JOB.to_owned(),
        subject,
        detail,
        next_at: at,
        fifo_key: None,
    }
}

/// Whether somebody has to look at the time of a task that was made or changed: it has another one, or it is late already and the house
/// rule of the unit that has it now was not asked.
fn is_to_be_looked_at(before: Option<&Task>, task: &Task) -> bool {
    let Some(before) = before else { return true };
    let is_late = task.overdue.as_ref().is_some_and(|overdue| overdue.escalated_to.is_none());
    before.due != task.due || (is_late && before.meta.unit != task.meta.unit)
}

/// The task of whoever was asked because of this one.
pub(crate) fn asked_by(task: &Task) -> Option<Id> {
    task.overdue.as_ref().filter(|overdue| overdue.escalated_to.is_some())?.asked
}

/// The same time may be set again after it was told of, so the version says which time it was.
fn asked_id(task: &Task, due: Timestamp) -> Id {
    ids::derived_id(task.meta.id, &format!("{}:{}", told_of(due), task.meta.version))
}

fn told_of(due: Timestamp) -> String {
    format!("overdue:{}", due.micros())
}

fn asking(task: &Task, unit: &str, due: Timestamp, now: Timestamp) -> Task {
    let id = asked_id(task, due);
    Task {
        case_id: task.case_id,
        task_id: Some(task.meta.id),
        requested_by: Some(task.meta.unit.clone()),
        ..Task::new(
            Meta {
                id,
                unit: unit.to_owned(),
                version: 0,
                created_at: now,
                updated_at: now,
                ..task.meta.clone()
            },
            KIND,
            TITLE,
        )
    }
}
