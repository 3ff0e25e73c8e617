//! What the record-keeping system or archive of ours says of imported objects, and locking what the other side has confirmed.

use model::case::RecordStatus;
use model::command::{Change, Command};
use model::exchange::{
    Exchange, ExchangeKind, ExchangeMessage, ExchangeObject, ExchangeStatus, ImportResult, Side,
};
use model::process::{Part, message_type};
use model::rights::Action;
use model::{Caller, Id, MessageState, Record, RecordKind, Scope};
use store::Work;

use super::exchange;
use crate::{Broker, Error, Once};

impl Broker {
    /// Records what the record-keeping system says of imported objects, by their UUIDs in the message.
    /// Once every object has its result, the sender is told.
    ///
    /// # Errors
    /// If the exchange is not one that was received for hand-over, or an object is not part of it; `WrongState` if the sender was told
    /// otherwise.
    pub async fn confirm_import(
        &self,
        caller: &Caller,
        id: Id,
        results: Vec<(Id, ImportResult)>,
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let scope = caller.may(Action::ConfirmImport)?;
        let results = &results;
        self.once(caller, once, move || self.try_confirm(caller, scope, id, results, once)).await
    }

    async fn try_confirm(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        results: &[(Id, ImportResult)],
        once: Option<&Once>,
    ) -> Result<Exchange, Error> {
        let current = self.owned(scope, RecordKind::Exchange, id).await?;
        let before = exchange(current.clone())?;
        if !takes_results(&before) {
            return Err(model::Error::WrongState { state: "not-received" }.into());
        }
        if results.iter().any(|(id, _)| is_missing(&before, *id)) {
            return Err(model::Error::WrongState { state: "not-transferred" }.into());
        }
        let replied = self.has_reported(&before).await?;
        if replied && results.iter().any(|(id, result)| is_other(&before, *id, result)) {
            return Err(model::Error::WrongState { state: "reported" }.into());
        }
        let received = before.last_of(Part::Opening, Part::Transfer).unwrap_or(id);
        let mut work = Work::new();
        let change = Change::ImportResults(results.to_vec());
        let after = self.apply(&mut work, &current, change, &caller.actor, Some(received))?;
        let after = exchange(after)?;
        let whole = after.kind != ExchangeKind::Disposition || after.is_whole(Part::Transfer);
        let complete = whole && after.sent_objects().all(|object| object.result.is_some());
        let replies = complete && !replied;
        if after.objects == before.objects && !replies {
            return self.commit_answer(caller, once, Work::new(), id, before).await;
        }
        self.open_confirmed(scope, &mut work, caller, &before, &after).await?;
        let after = match replies {
            true => self.prepare_part(&mut work, &after, Part::Outcome, after.status, Some(received))?,
            false => after,
        };
        self.end_reminders(&mut work, &before, &after).await?;
        self.commit_answer(caller, once, work, id, after).await
    }

    /// Whether the other side is told what became of the import, by a message that has not come back.
    async fn has_reported(&self, exchange: &Exchange) -> Result<bool, Error> {
        let scope = Scope::tenant(&exchange.meta.tenant);
        let outcome = message_type(exchange.kind, Part::Outcome);
        let is_it = |noted: &&ExchangeMessage| Some(noted.message_type.as_str()) == outcome;
        for noted in exchange.messages.iter().filter(is_it) {
            let message = self.store().message(&scope, noted.id).await?;
            if message.is_none_or(|message| message.state != MessageState::Returned) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was imported is worked on here from now on.
    async fn open_confirmed(
        &self,
        scope: &Scope,
        work: &mut Work,
        caller: &Caller,
        before: &Exchange,
        after: &Exchange,
    ) -> Result<(), Error> {
        let newly = after
            .objects
            .iter()
            .filter(|object| after.is_confirmed(object.id) && !before.is_confirmed(object.id));
        for object in newly {
            let record = self.owned_any(scope, object.id).await?;
            if record.status() == RecordStatus::Received.name() {
                self.apply(work, &record, Change::ConfirmReceived, &caller.actor, None)?;
            }
        }
        Ok(())
    }

    /// Locks a record that was handed over, once the receiver has confirmed its import.
    ///
    /// # Errors
    /// `NotConfirmed` before that.
    pub async fn lock(
        &self,
        caller: &Caller,
        kind: RecordKind,
        id: Id,
        exchange_id: Id,
        once: Option<&Once>,
    ) -> Result<Record, Error> {
        let scope = caller.may(Action::Exchange)?;
        self.owned(scope, kind, id).await?;
        let record = exchange(self.owned(scope, RecordKind::Exchange, exchange_id).await?)?;
        let handed_over = record.side == Side::Sender && record.kind == ExchangeKind::Handover;
        if !handed_over || !record.is_confirmed(id) {
            return Err(model::Error::NotConfirmed.into());
        }
        let command = Command { kind, id, expected: None, change: Change::Lock };
        match self.submit(caller, command, once).await {
            Err(Error::Model(model::Error::Locked)) => {}
            outcome => return outcome,
        }
        // Locked before: there is nothing to do but to keep the answer.
        let record = self.owned(scope, kind, id).await?;
        let mut work = Work::new();
        if let Some(once) = once {
            once.claim(&mut work, caller, id, &record.to_json());
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok(record),
            Some(first) => Ok(Record::from_json(kind, first)?),
        }
    }
}

/// Whether it is our turn to report on the import, or was.
fn takes_results(exchange: &Exchange) -> bool {
    use ExchangeStatus::{Confirmed, PartlyConfirmed, Received, Refused, TransferReceived};
    let ended = matches!(exchange.status, Confirmed | PartlyConfirmed | Refused);
    let has_come = match exchange.kind {
        ExchangeKind::Handover => exchange.status == Received,
        ExchangeKind::Disposition => exchange.status == TransferReceived,
        _ => false,
    };
    exchange.side == Side::Receiver
        && (has_come
            || (ended && matches!(exchange.kind, ExchangeKind::Handover | ExchangeKind::Disposition)))
}

/// Whether a result says otherwise than what was reported of the object.
fn is_other(exchange: &Exchange, object_id: Id, result: &ImportResult) -> bool {
    let object = exchange.objects.iter().find(|object| object.object_id == object_id);
    let known = object.and_then(|object| object.result.as_ref());
    known.is_some_and(|known| known.successful != result.successful)
}

/// Whether an object was offered, but has not come with a transfer.
fn is_missing(exchange: &Exchange, object_id: Id) -> bool {
    let offered = exchange.kind == ExchangeKind::Disposition && !exchange.is_two_step();
    let not_come = |object: &ExchangeObject| object.object_id == object_id && object.offered.is_none();
    offered && exchange.objects.iter().any(not_come)
}
