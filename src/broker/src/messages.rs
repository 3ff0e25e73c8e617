//! Messages as operators and systems see them, and the three places where they end: confirmed,
//! returned, parked.

use model::activity::{Task, TaskStatus};
use model::exchange::ExchangeStatus;
use model::message::Direction;
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, Message, MessageState, Record, Scope, ids};
use serde_json::json;
use store::{Listed, MessageFilter, NewJob, Page, TimelineOf, Work};

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
        Ok(self.store().timeline(&scope, TimelineOf::Message(message.id), page).await?)
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
        let (state, kind) = match (message.direction, &message.payload) {
            (Direction::In, _) => (MessageState::Accepted, "process"),
            (Direction::Out, Some(_)) => (MessageState::Ready, "deliver"),
            (Direction::Out, None) => (MessageState::Preparing, "prepare"),
        };
        let now = self.now();
        let before = message.state;
        if before != MessageState::Parked || !before.may_become(state) {
            return Err(model::Error::WrongState { state: before.name() }.into());
        }
        message.state = state;
        message.updated_at = now;
        let mut work = Work::new();
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
        if !message.state.may_become(MessageState::Parked) {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        message.report = Some(with_finding(message.report.take(), "message.parked-by-hand"));
        let mut work = Work::new();
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
        if !message.state.may_become(MessageState::Returned) {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        message.report = Some(with_finding(message.report.take(), "message.returned-by-hand"));
        let mut work = Work::new();
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

    /// Rows of a clarification (Klärungsfall): the message, and a task on its unit's desk.
    pub(crate) fn parked(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
    ) -> Result<Message, Error> {
        let now = self.now();
        let before = message.state;
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
