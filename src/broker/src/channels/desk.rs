//! What an adapter could not be told waits for a human: seen, sent again, dropped.

use model::activity::Task;
use model::adapter::Link;
use model::command::Change;
use model::record::Meta;
use model::rights::Action;
use model::{Caller, EventKind, Failure, FailureKind, Id, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{ChannelDelivery, ChannelFilter, Job, Listed, Page, Work};

use crate::retry::TOO_LATE;
use crate::{Broker, Error, Once};

/// Title of the task. Its kind is the code of what was in the way.
const TITLE: &str = "Übergabe an ein Verfahren klären";

impl Broker {
    /// What adapters do not have yet, within the caller's scope.
    ///
    /// # Errors
    /// If the caller may not read messages.
    pub async fn channel_deliveries(
        &self,
        caller: &Caller,
        filter: &ChannelFilter,
        page: &Page,
    ) -> Result<Listed<ChannelDelivery>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        Ok(self.store().channel_deliveries(scope, filter, page).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound` if the caller does not see it, or the adapter has it.
    pub async fn channel_delivery(&self, caller: &Caller, id: Id) -> Result<ChannelDelivery, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let row = self.store().channel_delivery(scope, id).await?;
        Ok(row.ok_or(model::Error::NotFound { kind: "delivery" })?)
    }

    /// What adapters call a record, with their ids.
    ///
    /// # Errors
    /// `NotFound` if the caller does not see the record.
    pub async fn links(&self, caller: &Caller, record: Id) -> Result<Vec<(String, Link)>, Error> {
        self.require_visible(caller, record).await?;
        Ok(self.store().links_of(&caller.scope.tenant, record).await?)
    }

    /// Has an adapter told what a human has seen to.
    ///
    /// # Errors
    /// `NotFound`, `WrongState` if it does not wait for a human.
    pub async fn resend_channel(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<(), Error> {
        caller.may(Action::RepairMessages)?;
        self.once(caller, once, move || self.try_resend(caller, id, once)).await
    }

    async fn try_resend(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<(), Error> {
        let (row, mut work) = self.parked_delivery(caller, id).await?;
        let patience = self.channels.get(&row.adapter).map(|channel| channel.patience).unwrap_or_default();
        work.resend_channel_delivery(&row.tenant, row.id);
        let now = self.now();
        work.enqueue_call(&self.tell_job(&row, now), Some(now.plus(patience)));
        self.delivery_decided(work, &row, EventKind::ChannelResent, (caller, once)).await
    }

    /// The adapter is not told.
    ///
    /// # Errors
    /// `NotFound`, `WrongState` if it does not wait for a human.
    pub async fn drop_channel(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<(), Error> {
        caller.may(Action::RepairMessages)?;
        self.once(caller, once, move || self.try_drop(caller, id, once)).await
    }

    async fn try_drop(&self, caller: &Caller, id: Id, once: Option<&Once>) -> Result<(), Error> {
        let (row, mut work) = self.parked_delivery(caller, id).await?;
        let known = self.adapters.get(&row.adapter).filter(|_| self.channels.contains_key(&row.adapter));
        let reports = row.message.is_some() && known.is_some_and(|it| it.descriptor().keeps_records);
        let lists = row.whole && known.is_some();
        match reports || lists {
            true => work.drop_channel_delivery(&row.tenant, row.id),
            false => work.end_channel_delivery(&row.tenant, row.id),
        };
        if reports {
            self.enqueue_import(&mut work, &row);
        }
        if lists {
            self.enqueue_below(&mut work, &row);
        }
        self.delivery_decided(work, &row, EventKind::ChannelDropped, (caller, once)).await
    }

    /// The row, with what ends its task.
    async fn parked_delivery(&self, caller: &Caller, id: Id) -> Result<(ChannelDelivery, Work), Error> {
        let scope = caller.may(Action::RepairMessages)?;
        let row = self.store().channel_delivery(scope, id).await?;
        let row = row.ok_or(model::Error::NotFound { kind: "delivery" })?;
        if row.parked.is_none() {
            return Err(model::Error::WrongState { state: "waiting" }.into());
        }
        let mut work = Work::new();
        let whole = Scope::tenant(&row.tenant);
        if let Some(task) = row.task
            && let Some(Record::Task(task)) = self.store().record(&whole, RecordKind::Task, task).await?
            && task.status.is_open()
        {
            let done = Change::CompleteTask(None);
            self.end_task(&mut work, &Record::Task(task), done, &caller.actor, None).await?;
        }
        Ok((row, work))
    }

    async fn delivery_decided(
        &self,
        mut work: Work,
        row: &ChannelDelivery,
        kind: EventKind,
        (caller, once): (&Caller, Option<&Once>),
    ) -> Result<(), Error> {
        let detail = json!({ "adapter": row.adapter, "delivery": row.id, "code": row.parked });
        let event = self.channel_event(kind, row, detail);
        work.insert_event(&model::Event { actor: caller.actor.clone(), ..event });
        match self.commit_answer(caller, once, work, row.id, ()).await {
            Err(error) if error.is_conflict("channel-delivery") || error.is_conflict("record") => {
                Err(model::Error::WrongState { state: "waiting" }.into())
            }
            outcome => outcome,
        }
    }

    /// Rows of the end of a job whose delivery came to nothing: it waits for a human, with a task on the desk of the record's unit.
    /// A mere notice that has another way takes that, unless nobody knows whether it arrived.
    pub(crate) async fn untold(&self, work: &mut Work, job: &Job, failure: &Failure) -> Result<(), Error> {
        let code = &*failure.code;
        let scope = Scope::tenant(&job.tenant);
        let row = self.store().channel_delivery(&scope, job.subject).await?;
        let Some(row) = row.filter(|row| row.parked.is_none()) else { return Ok(()) };
        // That its time is over says nothing of what was in the way.
        let code = row.failed.as_deref().filter(|_| code == TOO_LATE).unwrap_or(code);
        let Some(root) = self.store().record_any(&scope, row.root).await? else {
            work.end_channel_delivery(&row.tenant, row.id);
            return Ok(());
        };
        if self.takes_another_way(work, job, &row, failure).await? {
            work.end_channel_delivery(&row.tenant, row.id);
            let detail = json!({ "adapter": row.adapter, "delivery": row.id, "code": code });
            work.insert_event(&self.channel_event(EventKind::ChannelDropped, &row, detail));
            return Ok(());
        }
        let (id, now) = (ids::new_id(), self.now());
        let task = Task {
            case_id: Some(row.root),
            delivery_id: Some(row.id),
            ..Task::new(
                Meta {
                    id,
                    root: row.root,
                    version: 0,
                    created_at: now,
                    updated_at: now,
                    ..root.meta().clone()
                },
                code,
                TITLE,
            )
        };
        self.bring(work, Record::Task(task))?;
        work.park_channel_delivery(&row.tenant, row.id, code, id);
        let detail = json!({ "adapter": row.adapter, "delivery": row.id, "code": code });
        work.insert_event(&self.channel_event(EventKind::ChannelParked, &row, detail));
        Ok(())
    }

    /// Whether what could not be told was a notification that now goes by another way, of which the adapter of its way alone decides.
    async fn takes_another_way(
        &self,
        work: &mut Work,
        job: &Job,
        row: &ChannelDelivery,
        failure: &Failure,
    ) -> Result<bool, Error> {
        // As the store has it: the job is as it was before this attempt. Nothing that fails while somebody is asked about a call says
        // that it did not arrive, and that it is too late to try again says nothing either.
        let may_have_arrived = failure.kind == FailureKind::Uncertain
            || self.store().is_calling(&job.tenant, job.subject).await?;
        let carries = self.adapters.get(&row.adapter).is_some_and(|it| it.descriptor().way.is_some());
        let is_new = row.kind == RecordKind::Dispatch && row.event == EventKind::RecordCreated;
        if may_have_arrived || !carries || !is_new {
            return Ok(false);
        }
        self.gives_way(work, row.record, &row.tenant).await
    }
}
