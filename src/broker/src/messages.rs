//! Messages as operators and systems see them, and what it takes to return or park one. What operators do
//! about them stands in `repairs` and `forward`.

use model::activity::Task;
use model::clarification::{self, Clarification, Side};
use model::command::Change;
use model::exchange::ExchangeObject;
use model::message::Direction;
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, Message, MessageState, Record, RecordKind, Scope, ids};
use store::{Listed, MessageFilter, Page, TimelineOf, Work};

use crate::{Broker, Error, notes};

/// Events from each end of a message's way.
const MOST_STEPS: u32 = 50;

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
            // Who only brought the message sees its way, not the records it led to nor what operators note.
            events.retain(|(_, event)| event.subject.is_none());
            events.iter_mut().for_each(|(_, event)| notes::without_note(event));
        }
        Ok(events)
    }

    /// What happened to a message itself, oldest first: however much it led to or was tried, its first events and its last, at most
    /// 50 of each.
    ///
    /// # Errors
    /// As [`message`](Broker::message).
    pub async fn message_steps(&self, caller: &Caller, id: Id) -> Result<Vec<model::Event>, Error> {
        let message = self.message(caller, id).await?;
        Ok(self.store().steps(&Scope::tenant(&message.tenant), message.id, MOST_STEPS).await?)
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

    /// Rows of a return: the message, the sender's copy of it and the exchange that it opened. Who returns it because of what it says
    /// writes its rejection beside them.
    pub(crate) async fn returned(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<Message, Error> {
        let now = self.now();
        let before = message.state;
        if message.direction == Direction::In {
            self.take_back(work, &message).await?;
        }
        if before == MessageState::Parked {
            self.leave_parked(work, &message, actor).await?;
        }
        message.state = MessageState::Returned;
        message.updated_at = now;
        work.update_message(&message, before);
        let event = notes::of_message(EventKind::MessageReturned, &message, actor, now);
        work.insert_event(&notes::with_note(event, note));
        if let Some(mut sent) =
            self.sent_copy(&message).await?.filter(|sent| sent.state == MessageState::Delivered)
        {
            sent.state = MessageState::Returned;
            sent.updated_at = now;
            sent.report.clone_from(&message.report);
            work.update_message(&sent, MessageState::Delivered);
            let partner = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
            work.insert_event(&notes::of_message(EventKind::MessageReturned, &sent, &partner, now));
            self.step_back(work, &sent).await?;
        }
        if message.direction == Direction::Out {
            self.step_back(work, &message).await?;
        }
        Ok(message)
    }

    /// The exchange of a message of ours that came back stands where it may be sent, or replied, again.
    async fn step_back(&self, work: &mut Work, sent: &Message) -> Result<(), Error> {
        if let Some(exchange) = self.sending_exchange(sent).await? {
            let status = exchange.when_returned();
            return self.set_status(work, exchange, status, sent).await;
        }
        let Some(id) = sent.exchange else { return Ok(()) };
        let scope = Scope::tenant(&sent.tenant);
        match self.store().record(&scope, RecordKind::Exchange, id).await? {
            Some(Record::Exchange(exchange)) => match exchange.when_reply_returned(sent.id) {
                Some(status) => self.set_status(work, exchange, status, sent).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What a returned message had led to at its receiver is taken back: its records, and its exchange.
    /// Nothing is taken back once an object was imported, or the documents have gone on along their route, nor what is barred from
    /// destruction (Löschsperre).
    pub(crate) async fn take_back(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        if message.state == MessageState::Processed {
            let scope = Scope::tenant(&message.tenant);
            if let Some(id) = message.exchange
                && let Some(Record::Exchange(exchange)) =
                    self.store().record(&scope, RecordKind::Exchange, id).await?
            {
                if exchange.objects.iter().any(ExchangeObject::is_imported) {
                    return Err(model::Error::WrongState { state: "imported" }.into());
                }
                // Documents that have gone on along their route are at the next station, which would not learn of it.
                if exchange.has_passed_on() {
                    return Err(model::Error::WrongState { state: "passed-on" }.into());
                }
                self.take_back_exchange(work, exchange, message).await?;
            }
            if self.store().holds_of(&scope, message.id).await? {
                return Err(model::Error::Held.into());
            }
            work.take_back_staged(&message.tenant, message.id);
            return Ok(());
        }
        work.discard_staged(&message.tenant, message.id);
        Ok(())
    }

    /// Rows of a clarification (Klärungsfall): the message, why it waits, and a task on its unit's desk.
    pub(crate) fn parked(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<Message, Error> {
        let now = self.now();
        let before = message.state;
        if message.direction == Direction::In {
            work.discard_staged(&message.tenant, message.id);
        }
        message.state = MessageState::Parked;
        message.updated_at = now;
        work.update_message(&message, before);
        let event = notes::of_message(EventKind::MessageParked, &message, actor, now);
        work.insert_event(&notes::with_note(event, note));
        let task = clarification_task(&message);
        let rule = message.report.as_ref().and_then(clarification::leading);
        let rule = rule.map_or("message.parked-by-hand", |finding| finding.rule.as_str()).to_owned();
        work.open_clarification(&Clarification {
            message: message.clone(),
            side: Side::of(&rule, message.direction),
            rule,
            since: now,
            task: Some(task.meta.id),
        });
        self.create(work, Record::Task(task), actor, message.id)?;
        Ok(message)
    }

    /// Rows of a message's leaving the desk: nobody has to do anything about it any more.
    pub(crate) async fn leave_parked(
        &self,
        work: &mut Work,
        message: &Message,
        actor: &Actor,
    ) -> Result<(), Error> {
        let scope = Scope::tenant(&message.tenant);
        work.close_clarification(&message.tenant, message.id);
        let known = self.store().clarification(&scope, message.id).await?;
        let Some(id) = known.and_then(|known| known.task) else { return Ok(()) };
        let Some(task) = self.store().record(&scope, RecordKind::Task, id).await? else { return Ok(()) };
        if matches!(&task, Record::Task(task) if task.status.is_open()) {
            self.end_task(work, &task, Change::CompleteTask(None), actor, Some(message.id)).await?;
        }
        Ok(())
    }
}

fn clarification_task(message: &Message) -> Task {
    let id = ids::new_id();
    let meta = Meta {
        id,
        tenant: message.tenant.clone(),
        authority: message.authority.clone(),
        unit: message.unit.clone(),
        public_service: message.public_service.clone(),
        root: id,
        version: 0,
        created_at: message.updated_at,
        updated_at: message.updated_at,
    };
    Task { message_id: Some(message.id), ..Task::new(meta, "clarification", "Klärungsfall") }
}
