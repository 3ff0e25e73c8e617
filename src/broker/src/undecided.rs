//! Tasks that stay on a desk for as long as what they are about waits for a decision: a message that is parked, a letter that lies on a desk,
//! a contradiction of a payment. The decision ends its task in its own transaction; nobody ends it before.

use model::activity::{InteractionStatus, Task};
use model::command::Change;
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Scope};

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
}

impl Broker {
    /// What a task is about, if that waits for a decision which ends the task.
    ///
    /// # Errors
    /// If the caller may not work on tasks.
    pub async fn undecided(&self, caller: &Caller, task: &Task) -> Result<Option<Undecided>, Error> {
        let scope = Scope::tenant(&caller.may(Action::WorkTasks)?.tenant);
        let store = self.store();
        if let Some(id) = task.message_id {
            let found = store.clarification(&scope, id).await?;
            let waits = found.is_some_and(|found| found.task == Some(task.meta.id));
            return Ok(waits.then_some(Undecided::Message(id)));
        }
        if let Some(id) = task.payment_id {
            let clearing = match store.record(&scope, RecordKind::Payment, id).await? {
                Some(Record::Payment(payment)) => payment.clearing,
                _ => None,
            };
            let waits = clearing.is_some_and(|clearing| clearing.reason.code() == task.kind);
            return Ok(waits.then_some(Undecided::Payment(id)));
        }
        // A letter to be written by hand is of the same kind, and is about a case.
        let Some(id) = task.case_id.filter(|_| task.kind == TO_FILE) else { return Ok(None) };
        let found = store.record(&scope, RecordKind::Interaction, id).await?;
        let lies = matches!(found, Some(Record::Interaction(it)) if it.status == InteractionStatus::Open);
        Ok(lies.then_some(Undecided::Letter(id)))
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
