//! Messages as operators and systems see them, and the three places where they end: confirmed,
//! returned, parked.

use model::activity::{Task, TaskStatus};
use model::exchange::{ExchangeObject, ExchangeStatus};
use model::message::Direction;
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, Message, MessageState, Record, RecordKind, Scope, ids};
use serde_json::json;
use store::{InboxState, Listed, MessageFilter, NewJob, Page, TimelineOf, Work};

use crate::process::with_finding;
use crate::{Broker, Error, notes};

impl Broker {
    /// One message.
    ///
    /// # Errors
    /// `NotFound` also if it is outside the caller's scope.
    pub async fn message(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        if let Some(message) = self.store().message(scope, id).await? {
            return Ok(message);
        }
        // Whoever brought a message may follow it, into whichever unit it was routed.
        let found = self.store().message(&Scope::tenant(&scope.tenant), id).await?;
        let brought =
            |message: &Message| message.direction == Direction::In && message.partner == caller.actor.id;
        found.filter(brought).ok_or_else(|| model::Error::NotFound { kind: "message" }.into())
    }

    /// Messages within the caller's scope.
    ///
    /// # Errors
    /// If the caller may not read messages.
    pub async fn messages(
        &self,
        caller: &Caller,
        filter: &MessageFilter,
        page: &Page,
    ) -> Result<Listed<Message>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        Ok(self.store().messages(scope, filter, page).await?)
    }

    /// What happened to a message, oldest first, with the sealed number where there is one.
    ///
    /// # Errors
    /// As [`message`](Broker::message).
    pub async fn message_timeline(
        &self,
        caller: &Caller,
        id: Id,
        page: &Page,
    ) -> Result<Vec<(Option<u64>, model::Event)>, Error> {
        let message = self.message(caller, id).await?;
        let scope = Scope::tenant(&message.tenant);
        let mut events = self.store().timeline(&scope, TimelineOf::Message(message.id), page).await?;
        if !caller.scope.covers(&message.tenant, &message.unit, message.public_service.as_deref()) {
            // Who only brought the message sees its way, not the records it led to.
            events.retain(|(_, event)| event.subject.is_none());
        }
        Ok(events)
    }

    /// What happened to a record, oldest first.
    ///
    /// # Errors
    /// As [`require_visible`](Broker::require_visible).
    pub async fn record_timeline(
        &self,
        caller: &Caller,
        id: Id,
        page: &Page,
    ) -> Result<Vec<(Option<u64>, model::Event)>, Error> {
        self.require_visible(caller, id).await?;
        let scope = Scope::tenant(&caller.scope.tenant);
        Ok(self.store().timeline(&scope, TimelineOf::Record(id), page).await?)
    }

    /// Tries a parked message again.
    ///
    /// # Errors
    /// `WrongState` if it is not parked.
    pub async fn resend(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let mut message = self.to_repair(caller, id).await?;
        // What goes out is built and checked anew: what was wrong may have been mended meanwhile.
        let (state, kind) = match message.direction {
            Direction::In => (MessageState::Accepted, "process"),
            Direction::Out => (MessageState::Preparing, "prepare"),
        };
        let now = self.now();
        let before = message.state;
        if before != MessageState::Parked || !before.may_become(state) {
            return Err(model::Error::WrongState { state: before.name() }.into());
        }
        message.state = state;
        message.updated_at = now;
        message.report = None;
        let mut work = Work::new();
        work.cancel_jobs(&message.tenant, message.id);
        work.update_message(&message, before);
        work.insert_event(&notes::of_message(EventKind::MessageResent, &message, &caller.actor, now));
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: message.tenant.clone(),
            lane: format!("again:{}", message.partner),
            kind: kind.to_owned(),
            subject: message.id,
            detail: json!(null),
            next_at: now,
            fifo_key: None,
        });
        self.store().commit(work).await?;
        Ok(message)
    }

    /// Puts a message aside for a human.
    ///
    /// # Errors
    /// `WrongState` if it has ended.
    pub async fn park_by_hand(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let mut message = self.to_repair(caller, id).await?;
        // What waits in a mailbox or with its recipient is not ours to put aside.
        let ours =
            matches!(message.state, MessageState::Accepted | MessageState::Preparing | MessageState::Ready);
        if !ours {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        message.report = Some(with_finding(message.report.take(), "message.parked-by-hand"));
        let mut work = Work::new();
        work.cancel_jobs(&message.tenant, message.id);
        let message = self.parked(&mut work, message, &caller.actor)?;
        self.store().commit(work).await?;
        Ok(message)
    }

    /// Sends a message back to its sender.
    ///
    /// # Errors
    /// `WrongState` if it has ended.
    pub async fn return_by_hand(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let mut message = self.to_repair(caller, id).await?;
        // What is with its recipient can only be returned by the recipient.
        if !message.state.may_become(MessageState::Returned) || message.state == MessageState::Delivered {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        let waits = message.state == MessageState::Processed;
        message.report = Some(with_finding(message.report.take(), "message.returned-by-hand"));
        let mut work = Work::new();
        work.cancel_jobs(&message.tenant, message.id);
        if waits {
            let from = [InboxState::Available, InboxState::HandedOut];
            work.set_inbox(&message.tenant, message.id, &from, InboxState::Returned, None);
        }
        let message = self.returned(&mut work, message, &caller.actor).await?;
        self.store().commit(work).await?;
        Ok(message)
    }

    async fn to_repair(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let scope = caller.may(Action::RepairMessages)?;
        let found = self.store().message(scope, id).await?;
        found.ok_or_else(|| model::Error::NotFound { kind: "message" }.into())
    }

    /// Rows of a return: the message, the sender's copy of it and the exchange that it opened.
    pub(crate) async fn returned(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
    ) -> Result<Message, Error> {
        let now = self.now();
        let before = message.state;
        if message.direction == Direction::In {
            self.take_back(work, &message).await?;
        }
        message.state = MessageState::Returned;
        message.updated_at = now;
        work.update_message(&message, before);
        work.insert_event(&notes::of_message(EventKind::MessageReturned, &message, actor, now));
        if let Some(mut sent) =
            self.sent_copy(&message).await?.filter(|sent| sent.state == MessageState::Delivered)
        {
            sent.state = MessageState::Returned;
            sent.updated_at = now;
            sent.report.clone_from(&message.report);
            work.update_message(&sent, MessageState::Delivered);
            let partner = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
            work.insert_event(&notes::of_message(EventKind::MessageReturned, &sent, &partner, now));
            if let Some(exchange) = self.sending_exchange(&sent).await? {
                self.set_status(work, exchange, ExchangeStatus::Returned, &sent)?;
            }
        }
        if message.direction == Direction::Out
            && let Some(exchange) = self.sending_exchange(&message).await?
        {
            self.set_status(work, exchange, ExchangeStatus::Returned, &message)?;
        }
        Ok(message)
    }

    /// What a returned message had led to at its receiver is taken back: its records, and its exchange.
    /// Nothing is taken back once an object was imported.
    async fn take_back(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        if message.state == MessageState::Processed {
            let scope = Scope::tenant(&message.tenant);
            if let Some(id) = message.exchange
                && let Some(Record::Exchange(exchange)) =
                    self.store().record(&scope, RecordKind::Exchange, id).await?
            {
                let imported = |object: &ExchangeObject| object.result.as_ref().is_some_and(|r| r.successful);
                if exchange.objects.iter().any(imported) {
                    return Err(model::Error::WrongState { state: "imported" }.into());
                }
                self.set_status(work, exchange, ExchangeStatus::Returned, message)?;
            }
            work.unreveal(&message.tenant, message.id);
        }
        work.discard_staged(&message.tenant, message.id);
        Ok(())
    }

    /// Rows of a clarification (Klärungsfall): the message, and a task on its unit's desk.
    pub(crate) fn parked(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
    ) -> Result<Message, Error> {
        let now = self.now();
        let before = message.state;
        if message.direction == Direction::In {
            work.discard_staged(&message.tenant, message.id);
        }
        message.state = MessageState::Parked;
        message.updated_at = now;
        work.update_message(&message, before);
        work.insert_event(&notes::of_message(EventKind::MessageParked, &message, actor, now));
        let id = ids::new_id();
        let meta = Meta {
            id,
            tenant: message.tenant.clone(),
            authority: message.authority.clone(),
            unit: message.unit.clone(),
            public_service: message.public_service.clone(),
            root: id,
            version: 0,
            created_at: now,
            updated_at: now,
        };
        let task = Task {
            meta,
            case_id: None,
            message_id: Some(message.id),
            title: "Klärungsfall".to_owned(),
            kind: "clarification".to_owned(),
            requested_by: None,
            assignee: None,
            due: None,
            status: TaskStatus::Open,
            result: None,
        };
        self.create(work, Record::Task(task), actor, message.id)?;
        Ok(message)
    }
}
