//! Answers to single messages. Where a standard gives each message an id of its own (XJustiz), a message names the one that it answers,
//! and may acknowledge it or say why not. Both sides' messages of one authority and one partner are looked at; nobody else's word
//! counts. What was handed in without an exchange is answered by messages of its process (xdomea).

use model::message::{Direction, Finding};
use model::standard::Identity;
use model::{Actor, Authority, EventKind, Id, Message, MessageState, Scope};
use serde_json::json;
use store::{Job, MessageFilter, Page, Work};

use crate::{Broker, Error, notes};

/// Messages of one id that are looked at: those that came to nothing may have been sent again.
const MOST_OF_ONE_ID: u32 = 20;
/// What a message of ours is told by that a court has not acknowledged, and one that was rejected by its standard.
const COURTS: &str = "xjustiz";
const REFUSED: &str = "xjustiz.eeb-refused";
const REJECTED: &str = "xoev.rejected";

impl Broker {
    /// The message of the other direction that one means by its answer, if there is one: the newest that did not come to nothing.
    pub(crate) async fn meant_by(&self, message: &Message) -> Result<Option<Message>, Error> {
        let Some(identity) = message.identity.as_ref() else { return Ok(None) };
        let Some(answers) = identity.answers else { return Ok(None) };
        let direction = match message.direction {
            Direction::In => Direction::Out,
            Direction::Out => Direction::In,
        };
        let alive = self.alive_with(message, direction, answers).await?;
        Ok(alive.into_iter().max_by_key(|it| it.received_at))
    }

    /// Messages between the authority of `message` and its partner that say they are of this process and did not come to nothing.
    /// Ids of one standard are nothing in another.
    async fn alive_with(
        &self,
        message: &Message,
        direction: Direction,
        process: Id,
    ) -> Result<Vec<Message>, Error> {
        let filter = MessageFilter {
            direction: Some(direction),
            partner: Some(message.partner.clone()),
            authority: Some(message.authority.clone()),
            process_id: Some(process),
            ..MessageFilter::default()
        };
        let page = Page { after: None, limit: MOST_OF_ONE_ID };
        let mut found = self.store().messages(&Scope::tenant(&message.tenant), &filter, &page).await?.items;
        let kept_by = |it: &Message| {
            let name = &it.identity.as_ref()?.standard;
            self.parts.standards.iter().position(|known| known.is_of(name))
        };
        found.retain(|it| it.state != MessageState::Returned && it.test == message.test);
        found.retain(|it| kept_by(it) == kept_by(message));
        Ok(found)
    }

    /// A reply that belongs to no exchange. One to a message that was handed in waits in the mailbox for whoever handed that in; any
    /// other waits for a human because of `rule`.
    pub(crate) async fn take_answer(
        &self,
        job: &Job,
        mut message: Message,
        identity: &Identity,
        rule: &str,
    ) -> Result<(), Error> {
        let Some(process) = identity.process_id else { return self.park_by(job, message, rule).await };
        let mut sent = self.alive_with(&message, Direction::Out, process).await?;
        sent.retain(|sent| sent.exchange.is_none());
        let is_named = |sent: &Message| {
            identity.answers.is_some()
                && sent.identity.as_ref().is_some_and(|it| it.message_id == identity.answers)
        };
        let Some(sent) = sent.into_iter().max_by_key(|sent| (is_named(sent), sent.received_at)) else {
            return self.park_by(job, message, rule).await;
        };
        // What came from an authority of this gateway names its sender's copy.
        message.related.get_or_insert(sent.id);
        let mut work = Work::new();
        self.has_arrived(&mut work, sent.id, &message).await?;
        self.carried_on(job, message, work).await
    }

    /// Rows of a message of ours that has arrived, because `answer` to it has come: nobody has to wonder any more. Between authorities of
    /// this gateway the recipient's own copy tells.
    pub(crate) async fn has_arrived(&self, work: &mut Work, sent: Id, answer: &Message) -> Result<(), Error> {
        let Some(sent) = self.store().message(&Scope::tenant(&answer.tenant), sent).await? else {
            return Ok(());
        };
        let partner: Authority = sent.partner.parse()?;
        let is_open = sent.direction == Direction::Out && sent.state.may_become(MessageState::Confirmed);
        if !is_open || self.house().tenant_of(&partner).is_some() || !self.has_left(&sent).await? {
            return Ok(());
        }
        let actor = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
        let (before, now) = (sent.state, self.now());
        if before == MessageState::Parked {
            self.leave_parked(work, &sent, &actor).await?;
        }
        let sent = Message { state: MessageState::Confirmed, updated_at: now, ..sent };
        work.update_message(&sent, before);
        let event = notes::of_message(EventKind::MessageConfirmed, &sent, &actor, now);
        work.insert_event(&notes::with_fact(event, "answer", json!(answer.id)));
        Ok(())
    }

    /// Notes on a message of ours what one says that came: that it is an answer, and whether it acknowledges.
    pub(crate) async fn note_answer(&self, work: &mut Work, message: &mut Message) -> Result<(), Error> {
        // What the authorities of this gateway send each other is linked by their messages themselves.
        let partner: Option<Authority> = message.partner.parse().ok();
        if partner.is_none_or(|partner| self.house().tenant_of(&partner).is_some()) {
            return Ok(());
        }
        let Some(mut sent) = self.meant_by(message).await? else { return Ok(()) };
        message.related = Some(sent.id);
        let said = message.identity.as_ref().and_then(|identity| identity.acknowledgement.as_ref());
        let Some(said) = said else { return Ok(()) };
        if !self.has_left(&sent).await? {
            return Ok(());
        }
        let (before, now) = (sent.state, self.now());
        let (state, kind) = match said.refused {
            None => (MessageState::Confirmed, EventKind::MessageConfirmed),
            Some(_) => (MessageState::Returned, EventKind::MessageReturned),
        };
        if let Some(reason) = &said.refused {
            let by_court = message.identity.as_ref().is_some_and(|it| it.standard == COURTS);
            let finding =
                Finding::error(if by_court { REFUSED } else { REJECTED }).with("reason", reason.as_str());
            sent.report.get_or_insert_default().add(finding);
        }
        let actor = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
        // Nobody knew whether it had arrived.
        if before == MessageState::Parked {
            self.leave_parked(work, &sent, &actor).await?;
        }
        // Its transport may have told its end before; what is said of it is kept all the same.
        let is_its_end = before.may_become(state);
        if let Some(exchange) = self.sending_exchange(&sent).await? {
            let status = match said.refused {
                None => exchange.when_receipted(),
                Some(_) => Some(exchange.when_returned()).filter(|_| is_its_end),
            };
            if let Some(status) = status {
                self.set_status(work, exchange, status, &sent).await?;
            }
        }
        if is_its_end {
            sent.state = state;
        }
        sent.updated_at = now;
        work.update_message(&sent, before);
        let fact = json!({ "message": message.id, "day": said.day, "refused": said.refused });
        let event = notes::of_message(kind, &sent, &actor, now);
        work.insert_event(&notes::with_fact(event, "acknowledgement", fact));
        Ok(())
    }

    /// Whether a message of ours may be with its recipient. One whose outcome is open is: its job then finds that it has ended.
    async fn has_left(&self, sent: &Message) -> Result<bool, Error> {
        match sent.state {
            MessageState::Preparing => Ok(false),
            MessageState::Ready => Ok(self.store().is_calling(&sent.tenant, sent.id).await?),
            _ => Ok(true),
        }
    }
}
