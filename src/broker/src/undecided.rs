//! Tasks that stay on a desk for as long as what they are about waits for a decision: a message that is parked, a letter that lies on a desk,
//! a contradiction of a payment, a hand-over that could not be made. The decision ends its task in its own transaction; nobody ends it before.

use std::collections::{BTreeMap, BTreeSet};

use model::activity::{InteractionStatus, Task};
use model::clarification::Clarification;
use model::command::Change;
use model::rights::Action;
use model::{Caller, Id, Record};

use crate::channels::TO_FILE;
use crate::{Broker, Error};

/// What waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// A message that is parked.
    Message(Id),
    /// A letter that lies on a desk.
    Letter(Id),
    /// A payment with a contradiction.
    Payment(Id),
    /// A hand-over to an adapter that could not be made.
    Delivery(Id),
}

/// What tasks are about, read at once.
pub(crate) struct Subjects {
    /// Messages that are parked.
    pub(crate) parked: BTreeMap<Id, Clarification>,
    /// Payments, letters, cases.
    pub(crate) records: BTreeMap<Id, Record>,
    /// Hand-overs that wait for a human.
    pub(crate) deliveries: BTreeSet<Id>,
}

impl Subjects {
    /// What a task is about, if that waits for a decision which ends the task.
    pub(crate) fn undecided(&self, task: &Task) -> Option<Undecided> {
        if let Some(id) = task.message_id {
            let waits = self.parked.get(&id).is_some_and(|found| found.task == Some(task.meta.id));
            return waits.then_some(Undecided::Message(id));
        }
        if let Some(id) = task.payment_id {
            let Some(Record::Payment(payment)) = self.records.get(&id) else { return None };
            let waits = payment.clearing.as_ref().is_some_and(|it| it.reason.code() == task.kind);
            return waits.then_some(Undecided::Payment(id));
        }
        if let Some(id) = task.delivery_id {
            return self.deliveries.contains(&id).then_some(Undecided::Delivery(id));
        }
        // A letter to be written by hand is of the same kind, and is about a case.
        let id = task.case_id.filter(|_| task.kind == TO_FILE)?;
        let Some(Record::Interaction(letter)) = self.records.get(&id) else { return None };
        (letter.status == InteractionStatus::Open).then_some(Undecided::Letter(id))
    }
}

impl Broker {
    /// What tasks of a tenant are about; at most some hundreds of them at once.
    pub(crate) async fn subjects(&self, tenant: &str, tasks: &[Task]) -> Result<Subjects, Error> {
        let messages: Vec<Id> = tasks.iter().filter_map(|task| task.message_id).collect();
        let records: Vec<Id> =
            tasks.iter().flat_map(|task| [task.payment_id, task.case_id]).flatten().collect();
        let deliveries: Vec<Id> = tasks.iter().filter_map(|task| task.delivery_id).collect();
        Ok(Subjects {
            parked: self.store().clarifications_of(tenant, &messages).await?,
            records: self.store().records_of(tenant, None, &records).await?,
            deliveries: self.store().parked_deliveries(tenant, &deliveries).await?,
        })
    }

    /// What a task is about, if that waits for a decision which ends the task.
    ///
    /// # Errors
    /// If the caller may not work on tasks.
    pub async fn undecided(&self, caller: &Caller, task: &Task) -> Result<Option<Undecided>, Error> {
        let tenant = &caller.may(Action::WorkTasks)?.tenant;
        Ok(self.subjects(tenant, std::slice::from_ref(task)).await?.undecided(task))
    }

    /// Refuses what would end a task while something waits for a decision.
    pub(crate) async fn check_decided(
        &self,
        caller: &Caller,
        current: Option<&Record>,
        change: &Change,
    ) -> Result<(), Error> {
        let (Some(Record::Task(task)), Change::CompleteTask(_) | Change::CancelTask) = (current, change)
        else {
            return Ok(());
        };
        match self.undecided(caller, task).await? {
            Some(_) => Err(model::Error::Undecided.into()),
            None => Ok(()),
        }
    }
}
