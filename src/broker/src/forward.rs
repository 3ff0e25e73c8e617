//! Handing a message to the authority that is competent (Abgabe wegen Unzuständigkeit): the other authority of this
//! gateway takes it in as its own, by the same first transaction as from any door.
//!
//! The message here ends as confirmed and names who has it now, so each copy is in one of the three places. Its
//! sender's copy stays delivered until the last one that has it confirms or returns it: its confirmation goes
//! straight to the sender. An exchange that it opened is with the new authority from then on. Loops are refused.

use model::command::Change;
use model::exchange::ExchangeObject;
use model::message::{Direction, Door, Forwarding};
use model::rights::Action;
use model::{Actor, Authority, Caller, EventKind, Id, Message, MessageState, Record, RecordKind, Scope};
use serde_json::json;
use store::{InboxState, StoredPayload, Work};

use crate::approvals::Agreed;
use crate::intake::Known;
use crate::once::{as_seen, exactly};
use crate::process::partner;
use crate::repairs::check_note;
use crate::screen::is_harmful;
use crate::{Broker, Error, Once, notes};

/// To whom a message is handed, and how.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The other authority.
    pub(crate) to: &'a Authority,
    /// Why, for colleagues.
    pub(crate) note: Option<&'a str>,
    /// How the message stood when it was agreed to, if it was.
    pub(crate) seen: Option<&'a str>,
    /// What makes the request repeatable.
    pub(crate) once: Option<&'a Once>,
    /// The decision of a second person, which is written with it.
    pub(crate) agreed: Option<Agreed<'a>>,
}

impl Broker {
    /// Hands an incoming message that is parked or waits in the mailbox to another authority of this gateway.
    ///
    /// # Errors
    /// `UnknownAuthority` if it has no mailbox here, `ForwardLoop` if the message was there before or comes from
    /// there, `WrongState` if something of it was imported already, or it waits for somebody who picks it up; `ApprovalNeeded` if the
    /// house wants four eyes.
    pub async fn forward(
        &self,
        caller: &Caller,
        id: Id,
        to: &Authority,
        note: Option<&str>,
        once: Option<&Once>,
    ) -> Result<Message, Error> {
        caller.may(Action::ClearMessages)?;
        check_note(note)?;
        if self.four_eyes() {
            return Err(Error::ApprovalNeeded);
        }
        let wish = Wish { to, note, seen: None, once, agreed: None };
        self.once(caller, once, move || self.try_forward(caller, id, wish)).await
    }

    pub(crate) async fn try_forward(
        &self,
        caller: &Caller,
        id: Id,
        wish: Wish<'_>,
    ) -> Result<Message, Error> {
        let to = wish.to;
        let message = self.to_repair(caller, id).await?;
        as_seen(wish.once, &message)?;
        if wish.seen.is_some_and(|agreed| agreed != exactly(&message)) {
            return Err(model::Error::VersionConflict.into());
        }
        let waits = matches!(message.state, MessageState::Parked | MessageState::Processed);
        if message.direction != Direction::In || !waits {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        // What was encrypted for one recipient is of no use to another.
        if self.store().relay_delivery(&Scope::tenant(&message.tenant), id).await?.is_some() {
            return Err(model::Error::WrongState { state: "relayed" }.into());
        }
        if is_harmful(message.report.as_ref()) {
            return Err(Error::ContentUnavailable);
        }
        let from = way(&message);
        let sender = message.identity.as_ref().map(|identity| partner(&message, identity));
        if from.contains(to) || sender.as_ref() == Some(to) {
            return Err(Error::ForwardLoop);
        }
        let tenant = &self.house().tenant_of(to).ok_or(Error::UnknownAuthority)?.id;
        let receipted = self.is_receipted(&message).await?;
        let stored = self.copy_payload(&message, tenant).await?;
        let mut copy = self.forwarded_copy(&message, to, tenant, &stored)?;
        copy.forwarding = Some(Forwarding { from, to: None, receipted });
        let outcome = self.commit_forward(caller, message, copy, &stored, wish).await;
        if outcome.as_ref().is_err_and(|error| !matches!(error, Error::Store(store::Error::Uncertain))) {
            self.store().discard(stored).await;
        }
        outcome
    }

    /// Both sides in one transaction: it leaves here, and is taken in there.
    async fn commit_forward(
        &self,
        caller: &Caller,
        message: Message,
        copy: Message,
        stored: &StoredPayload,
        Wish { note, once, agreed, .. }: Wish<'_>,
    ) -> Result<Message, Error> {
        let mut supersedes = None;
        let carried = self.carried(&message.tenant, message.id).await?;
        for _ in 0..4 {
            let mut work = self.transaction_one(&copy, stored, supersedes);
            if let Some(carried) = &carried {
                carried.keep(&mut work, &copy)?;
            }
            let here = Actor { kind: "partner".to_owned(), id: message.authority.to_string() };
            let taken = notes::of_message(EventKind::MessageAccepted, &copy, &here, copy.updated_at);
            work.insert_event(&taken);
            let message = self.left(&mut work, message.clone(), &copy.authority, &caller.actor, note).await?;
            self.tell_sender(&mut work, &message, &copy.authority).await?;
            if let Some(agreed) = agreed {
                agreed.add(self, &mut work);
            }
            match self.commit_answer(caller, once, work, message.id, message.brief()).await {
                Err(error) if error.is_conflict("dedup") => {}
                outcome => return outcome,
            }
            match self.known(&copy).await? {
                Known::Failed(first) => supersedes = Some(first),
                Known::Nothing => supersedes = None,
                // It is there already, by another way.
                Known::Same(_) | Known::Other => return Err(Error::IdReused),
            }
        }
        Err(Error::IdReused)
    }

    /// Rows of the message's end here: what it had led to is taken back.
    async fn left(
        &self,
        work: &mut Work,
        mut message: Message,
        to: &Authority,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<Message, Error> {
        let before = message.state;
        let now = self.now();
        if before == MessageState::Parked {
            self.leave_parked(work, &message, actor).await?;
        } else {
            let from = [InboxState::Available, InboxState::HandedOut];
            work.set_inbox(&message.tenant, message.id, &from, InboxState::Confirmed, None);
        }
        self.take_back(work, &message).await?;
        work.cancel_jobs(&message.tenant, message.id);
        message.state = MessageState::Confirmed;
        message.updated_at = now;
        message.forwarding.get_or_insert_default().to = Some(to.clone());
        work.update_message(&message, before);
        let event = notes::of_message(EventKind::MessageForwarded, &message, actor, now);
        let event = notes::with_fact(event, "to", json!(to));
        work.insert_event(&notes::with_note(event, note));
        Ok(message)
    }

    /// The sender sees who has its message now, and its exchange goes on with that authority.
    async fn tell_sender(&self, work: &mut Work, message: &Message, to: &Authority) -> Result<(), Error> {
        let Some(sent) = self.sent_copy(message).await? else { return Ok(()) };
        let here = Actor { kind: "partner".to_owned(), id: message.authority.to_string() };
        let event = notes::of_message(EventKind::MessageForwarded, &sent, &here, message.updated_at);
        work.insert_event(&notes::with_fact(event, "to", json!(to)));
        let Some(id) = sent.exchange else { return Ok(()) };
        let scope = Scope::tenant(&sent.tenant);
        let Some(record) = self.store().record(&scope, RecordKind::Exchange, id).await? else {
            return Ok(());
        };
        let opens = |first: Id| first == sent.id;
        if matches!(&record, Record::Exchange(exchange) if exchange.messages.first().is_some_and(|m| opens(m.id)))
        {
            self.apply(work, &record, Change::ExchangePartner(to.clone()), &here, Some(sent.id))?;
        }
        Ok(())
    }

    /// Whether the sender has its receipt. One that is on its way has to arrive before.
    async fn is_receipted(&self, message: &Message) -> Result<bool, Error> {
        let before = message.forwarding.as_ref().is_some_and(|forwarding| forwarding.receipted);
        let Some(id) = message.exchange else { return Ok(before) };
        let scope = Scope::tenant(&message.tenant);
        let Some(Record::Exchange(exchange)) = self.store().record(&scope, RecordKind::Exchange, id).await?
        else {
            return Ok(before);
        };
        let imported = |object: &ExchangeObject| object.result.is_some();
        if exchange.objects.iter().any(imported) {
            return Err(model::Error::WrongState { state: "imported" }.into());
        }
        let Some(receipt) = exchange.messages.get(1) else { return Ok(before) };
        match self.store().message(&scope, receipt.id).await?.map(|receipt| receipt.state) {
            Some(state @ (MessageState::Preparing | MessageState::Ready)) => {
                Err(model::Error::WrongState { state: state.name() }.into())
            }
            _ => Ok(true),
        }
    }

    /// The message as the other authority takes it in: from its first sender.
    fn forwarded_copy(
        &self,
        message: &Message,
        to: &Authority,
        tenant: &str,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let sender = message.identity.as_ref().map(|identity| partner(message, identity));
        let sender = sender.filter(|sender| *sender != Authority::nobody());
        let sender = sender.unwrap_or_else(|| message.authority.clone()).to_string();
        Ok(Message {
            // Only what a sender of this gateway sent has a copy there.
            related: message.related.filter(|_| message.partner == sender),
            dedup_key: message.dedup_key.clone(),
            file_name: message.file_name.clone(),
            test: message.test,
            ..self.incoming(tenant, to, (Door::Local, &sender), message.identity.clone(), stored)?
        })
    }
}

/// Every authority that the message was at, the present one last.
fn way(message: &Message) -> Vec<Authority> {
    let before = message.forwarding.iter().flat_map(|forwarding| &forwarding.from);
    before.chain([&message.authority]).cloned().collect()
}
