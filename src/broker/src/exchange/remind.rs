//! Deadlines of exchanges: whoever waits too long is reminded, by an event and a task on the desk of the exchange's unit, again and
//! again. The state of the exchange never changes because of that.

use model::activity::Task;
use model::command::Change;
use model::exchange::Exchange;
use model::process::Waits;
use model::record::Meta;
use model::{Actor, Id, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::json;
use store::{Job, NewJob, Page, RecordFilter, Work};

use super::exchange;
use crate::{Broker, Error};

/// Kind of the job, and of the task.
pub(crate) const JOB: &str = "remind";
const TASK: &str = "exchange-overdue";

impl Broker {
    /// The job that looks after what an exchange waits for, if it is another than before.
    pub(crate) fn keep_deadline(&self, work: &mut Work, before: Option<&Waits>, after: &Exchange) {
        if let Some(waits) = after.waits.as_ref().filter(|waits| Some(*waits) != before) {
            enqueue(work, &after.meta.tenant, after.meta.id, waits.until);
        }
    }

    /// A reminder that could not be given is tried again after the usual pause.
    pub(crate) fn remind_later(&self, work: &mut Work, job: &Job) {
        enqueue(work, &job.tenant, job.subject, self.now().plus(self.parts.rules.deadlines.pause()));
    }

    /// Reminds of an exchange if what it waits for is overdue.
    pub(crate) async fn remind(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let Some(record) = self.store().record(&scope, RecordKind::Exchange, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        let current = exchange(record.clone())?;
        let now = self.now();
        // What came meanwhile has its own job.
        if current.waits.as_ref().is_none_or(|waits| waits.until > now) {
            return self.finish(job, Work::new()).await;
        }
        let mut work = Work::new();
        let until = now.plus(self.parts.rules.deadlines.pause());
        let message = current.messages.last().map(|message| message.id);
        self.apply(&mut work, &record, Change::Remind(until), &Actor::gateway(), message)?;
        if self.overdue_tasks(&current).await?.is_empty() {
            let task = Record::Task(overdue_task(&current, now));
            self.create(&mut work, task, &Actor::gateway(), message.unwrap_or(current.meta.id))?;
        }
        self.finish(job, work).await
    }

    /// Open reminders of an exchange.
    async fn overdue_tasks(&self, exchange: &Exchange) -> Result<Vec<Record>, Error> {
        let scope = Scope::tenant(&exchange.meta.tenant);
        let filter = RecordFilter { parent: Some(exchange.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let page = Page { after: None, limit: 200 };
        let found = self.store().records(&scope, &filter, &page).await?.items;
        let is_open = |record: &Record| match record {
            Record::Task(task) => task.status.is_open() && task.kind == TASK,
            _ => false,
        };
        Ok(found.into_iter().filter(is_open).collect())
    }

    /// Takes the reminders from the desk once an exchange waits for something else.
    pub(crate) async fn end_reminders(
        &self,
        work: &mut Work,
        before: &Exchange,
        after: &Exchange,
    ) -> Result<(), Error> {
        let same = |a: &Waits, b: &Waits| (a.turn, a.what) == (b.turn, b.what);
        let goes_on = match (&before.waits, &after.waits) {
            (Some(before), Some(after)) => same(before, after),
            _ => false,
        };
        if goes_on || before.waits.as_ref().is_none_or(|waits| waits.reminders == 0) {
            return Ok(());
        }
        for task in self.overdue_tasks(before).await? {
            self.end_task(work, &task, Change::CompleteTask(None), &Actor::gateway(), None).await?;
        }
        Ok(())
    }
}

fn enqueue(work: &mut Work, tenant: &str, exchange: Id, at: Timestamp) {
    work.enqueue(&NewJob {
        // Its age counts from when it is due: until then nobody is late with it.
        id: ids::id_at(at),
        tenant: tenant.to_owned(),
        lane: JOB.to_owned(),
        kind: JOB.to_owned(),
        subject: exchange,
        detail: json!(null),
        next_at: at,
        fifo_key: None,
    });
}

fn overdue_task(exchange: &Exchange, now: Timestamp) -> Task {
    let id = ids::new_id();
    Task {
        exchange_id: Some(exchange.meta.id),
        ..Task::new(
            Meta { id, root: id, version: 0, created_at: now, updated_at: now, ..exchange.meta.clone() },
            TASK,
            "Austausch überfällig",
        )
    }
}
