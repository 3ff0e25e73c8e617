//! Conversations and tickets: what a client is told now and comes back with later.

use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, MessageState, Timestamp};
use serde_json::Value;
use store::{Conversation, RelayDelivery, RelayStage, Ticket, Work};

use super::{
    CONVERSATION_DIGITS, MOST_NAMED, Relay, Relayed, Turn, check_body, is_own, is_ticket, named, no_delivery,
    refuse, retried,
};
use crate::{Error, notes};

impl Relay {
    /// Begins a conversation under an id of digits that the caller chose at random.
    ///
    /// # Errors
    /// `RelayIdTaken` if there is one of this id.
    pub async fn begin(&self, caller: &Caller, id: &str, body: &Value) -> Result<Conversation, Error> {
        refuse("conversation", !is_conversation(id))?;
        check_body(body)?;
        let conversation = Conversation {
            id: id.to_owned(),
            tenant: caller.scope.tenant.clone(),
            version: 1,
            touched_at: self.0.now(),
            body: body.clone(),
        };
        let mut work = Work::new();
        work.begin_conversation(&conversation);
        match self.0.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("conversation") => Err(Error::RelayIdTaken),
            outcome => outcome.map(|()| conversation),
        }
    }

    /// A conversation of the caller's tenant; none if it was never begun, has ended, or was idle for too long.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn conversation(&self, caller: &Caller, id: &str) -> Result<Option<Conversation>, Error> {
        if !is_conversation(id) {
            return Ok(None);
        }
        Ok(self.0.store().conversation(&caller.scope.tenant, id, self.idle_since()).await?)
    }

    /// Goes on with a conversation, and notes what has arrived: all of it or nothing. Returns its new version.
    ///
    /// # Errors
    /// `ConversationChanged` if it has ended, or another request went on with it.
    pub async fn advance(&self, caller: &Caller, turn: Turn<'_>, body: &Value) -> Result<u64, Error> {
        check_body(body)?;
        let received = &arrived(turn)?;
        retried(move || async move {
            let now = self.0.now();
            let mut work = Work::new();
            work.advance_conversation(&caller.scope.tenant, turn.id, turn.version, body, now);
            self.note_arrived(&mut work, caller, received, now).await?;
            Ok(self.0.store().commit(work).await?)
        })
        .await?;
        Ok(turn.version + 1)
    }

    /// Ends a conversation, and notes what has arrived: all of it or nothing.
    ///
    /// # Errors
    /// As [`advance`](Relay::advance).
    pub async fn end(&self, caller: &Caller, turn: Turn<'_>) -> Result<(), Error> {
        let received = &arrived(turn)?;
        retried(move || async move {
            let mut work = Work::new();
            work.end_conversation(&caller.scope.tenant, turn.id, turn.version);
            self.note_arrived(&mut work, caller, received, self.0.now()).await?;
            Ok(self.0.store().commit(work).await?)
        })
        .await
    }

    /// Hands a delivery out in a conversation, which goes on with that as by [`advance`](Relay::advance). May be done
    /// again: the first time is the one that its card tells. Until the conversation would be over, it is not too late
    /// for it. Returns the delivery as it is now.
    ///
    /// # Errors
    /// As [`advance`](Relay::advance); `NotFound` if it is not in a mailbox of the caller, or was returned.
    pub async fn hand_out(
        &self,
        caller: &Caller,
        turn: Turn<'_>,
        body: &Value,
        delivery: Id,
    ) -> Result<RelayDelivery, Error> {
        caller.may(Action::UseInbox)?;
        check_body(body)?;
        let received = &arrived(turn)?;
        retried(move || self.try_hand_out(caller, turn, received, body, delivery)).await
    }

    async fn try_hand_out(
        &self,
        caller: &Caller,
        turn: Turn<'_>,
        received: &[Id],
        body: &Value,
        id: Id,
    ) -> Result<RelayDelivery, Error> {
        let now = self.0.now();
        let mut work = Work::new();
        work.advance_conversation(&caller.scope.tenant, turn.id, turn.version, body, now);
        let arrived = self.note_arrived(&mut work, caller, received, now).await?;
        let relayed = match arrived.into_iter().find(|it| it.message.id == id) {
            Some(relayed) => relayed,
            None => self.own(caller, id).await?.ok_or_else(no_delivery)?,
        };
        let from = relayed.delivery.stage;
        if from == RelayStage::Returned {
            return Err(no_delivery());
        }
        let mut delivery = relayed.delivery;
        // What has arrived stays as it is, whoever fetches it again.
        if from.waits() {
            delivery = delivery.handed_out(now, now.plus(self.0.relay_limits.idle));
            work.update_relay_delivery(&delivery, from);
        }
        let kind = EventKind::MessageDelivered;
        work.insert_event(&notes::of_message(kind, &relayed.message, &caller.actor, now));
        self.0.store().commit(work).await?;
        Ok(delivery)
    }

    /// Rows of what has arrived at the caller. What is not (any more) in a mailbox of the caller, or does not wait,
    /// is left alone. Returns what was noted, as it is then.
    async fn note_arrived(
        &self,
        work: &mut Work,
        caller: &Caller,
        received: &[Id],
        now: Timestamp,
    ) -> Result<Vec<Relayed>, Error> {
        let mut arrived = Vec::new();
        for id in received {
            let found = self.own(caller, *id).await?;
            let Some(relayed) = found.filter(|it| it.delivery.stage.waits()) else { continue };
            arrived.push(self.note_received(work, relayed, &caller.actor, now));
        }
        Ok(arrived)
    }

    /// Rows of a reception.
    pub(super) fn note_received(
        &self,
        work: &mut Work,
        relayed: Relayed,
        actor: &Actor,
        now: Timestamp,
    ) -> Relayed {
        let Relayed { delivery, mut message } = relayed;
        let (stage, state) = (delivery.stage, message.state);
        let delivery = delivery.received(now);
        work.update_relay_delivery(&delivery, stage);
        message.state = MessageState::Confirmed;
        message.updated_at = now;
        work.update_message(&message, state);
        work.insert_event(&notes::of_message(EventKind::MessageConfirmed, &message, actor, now));
        Relayed { delivery, message }
    }

    /// A delivery in a mailbox of the caller.
    pub(super) async fn own(&self, caller: &Caller, id: Id) -> Result<Option<Relayed>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        let found = self.find(scope, id).await?;
        Ok(found.filter(|it| is_own(caller, &it.delivery.mailbox)))
    }

    /// Issues a ticket to the caller: the id of one delivery that it will bring.
    ///
    /// # Errors
    /// `RelayIdTaken` if the id is known already.
    pub async fn issue(&self, caller: &Caller, ticket: &str) -> Result<(), Error> {
        self.issue_until(caller, ticket, self.0.now().plus(self.0.relay_limits.ticket)).await
    }

    pub(super) async fn issue_until(
        &self,
        caller: &Caller,
        ticket: &str,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let tenant = caller.may(Action::SendMessages)?.tenant.clone();
        refuse("ticket", !is_ticket(ticket))?;
        let mut work = Work::new();
        work.issue_ticket(&Ticket {
            id: ticket.to_owned(),
            tenant,
            owner: caller.actor.id.clone(),
            expires_at,
        });
        match self.0.store().commit(work).await.map_err(|error| named(error.into())) {
            Err(Error::TicketRefused) => Err(Error::RelayIdTaken),
            outcome => outcome,
        }
    }
}

fn is_conversation(id: &str) -> bool {
    (1..=CONVERSATION_DIGITS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a request shows to have arrived: each once and in one order, so that two requests never wait for each other.
fn arrived(turn: Turn<'_>) -> Result<Vec<Id>, Error> {
    if !is_conversation(turn.id) {
        return Err(Error::ConversationChanged);
    }
    refuse("received", turn.received.len() > MOST_NAMED)?;
    let mut ids = turn.received.to_vec();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
