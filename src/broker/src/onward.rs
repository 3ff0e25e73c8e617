//! Messages that a system of one of the house's authorities brings for somebody outside: taken in and sent on. From then on
//! they are outgoing messages like those of exchanges, with lanes, breakers, marks of calls and an end; only what is built
//! for an exchange has one.

use model::directory::{Asked, Way};
use model::message::{Direction, Door};
use model::rights::Action;
use model::{Authority, Caller, EventKind, Failure, Message, MessageState, Timestamp, ids};
use serde_json::json;
use store::{StoredPayload, Work};

use crate::arrival::{Sent, promises};
use crate::carried::Carried;
use crate::reach::best;
use crate::relay::check_body;
use crate::{Broker, Error, notes};

/// Before the ticket that a message is known by which is sent on.
const BY_TICKET: &str = "ticket:";

/// Whether a message is one that is sent on, in the form that its author gave it.
pub(crate) fn is_sent_on(message: &Message) -> bool {
    message.exchange.is_none() && message.dedup_key.starts_with(BY_TICKET)
}

/// What is to be sent on, beside its bytes.
#[derive(Debug, Clone)]
pub struct Onward {
    /// By which door it came.
    pub door: Door,
    /// Authority of the house that sends it.
    pub from: Authority,
    /// Whom it is for.
    pub to: Authority,
    /// Name of the file, if it has one.
    pub file_name: Option<String>,
    /// What the transport that brings it carries with it.
    pub carried: Carried,
    /// What its author was promised. The ticket is used up in the same transaction.
    pub sent: Sent,
    /// Not to be sent before; absent: at once.
    pub not_before: Option<Timestamp>,
    /// Goes back to its author then at the latest.
    pub obsolete_at: Option<Timestamp>,
    /// A test message.
    pub test: bool,
}

impl Broker {
    /// The largest message that an authority takes which is no mailbox of this tenant, in bytes; `None` if it is not reached.
    ///
    /// # Errors
    /// If the directory or the store cannot be asked.
    pub async fn takes_bytes(
        &self,
        tenant: &str,
        from: &Authority,
        to: &Authority,
    ) -> Result<Option<u64>, Error> {
        let ways = self.ways_onward(tenant, from, to, None).await?;
        let usable = ways.iter().filter(|way| way.is_usable()).map(|way| way.reach.most_bytes);
        Ok(usable.max().map(|most| most.min(self.most_bytes())))
    }

    pub(crate) async fn ways_onward(
        &self,
        tenant: &str,
        from: &Authority,
        to: &Authority,
        bytes: Option<u64>,
    ) -> Result<Vec<Way>, Error> {
        let asked = Asked { tenant, to, from: Some(from), service: None, bytes, now: self.now() };
        self.own_ways(&asked).await
    }

    /// The best way from an authority of the house to another for so many bytes; something may keep it from being used.
    ///
    /// # Errors
    /// `UnknownAuthority` or `TooLarge`.
    pub(crate) async fn way_onward(
        &self,
        tenant: &str,
        (from, to): (&Authority, &Authority),
        size: u64,
    ) -> Result<Way, Error> {
        let ways = self.ways_onward(tenant, from, to, Some(size)).await?;
        let way = best(ways).ok_or(Error::UnknownAuthority)?;
        let limit = way.reach.most_bytes.min(self.most_bytes());
        if size > limit { Err(Error::TooLarge { limit }) } else { Ok(way) }
    }

    /// Takes a message in that goes on to somebody else. Returns once it is durable.
    ///
    /// # Errors
    /// `UnknownAuthority`, `TooLarge`, `TicketRefused`, or if the store fails. Nothing is left then, and the ticket can still
    /// be used.
    pub async fn send_on(
        &self,
        caller: &Caller,
        onward: Onward,
        stored: StoredPayload,
    ) -> Result<Message, Error> {
        let outcome = self.try_send_on(caller, onward, &stored).await;
        // Of an unknown outcome nobody may say that the bytes are not needed: what is not is swept.
        if outcome.as_ref().is_err_and(|error| !matches!(error, Error::Store(store::Error::Uncertain))) {
            self.store().discard(stored).await;
        }
        outcome
    }

    async fn try_send_on(
        &self,
        caller: &Caller,
        onward: Onward,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        self.may_bring_message(tenant)?;
        check_body(&onward.sent.body)?;
        let message = self.onward_message(tenant, &onward, stored).await?;
        let (now, digest) = (message.received_at, &stored.reference().sha256);
        let Onward { sent, carried, not_before, obsolete_at, door, .. } = onward;
        let mut work = Work::new();
        work.use_ticket(tenant, &sent.ticket, &sent.sender, now);
        let space = promises(&sent.sender);
        work.claim_dedup(tenant, &space, &sent.ticket, message.id, digest, Some(&sent.body));
        work.insert_payload(tenant, stored);
        work.insert_message(&message);
        carried.keep(&mut work, &message)?;
        let event = notes::of_message(EventKind::MessageAccepted, &message, &caller.actor, now);
        work.insert_event(&notes::with_fact(event, "transport", json!({ "door": door })));
        let starts = not_before.map_or(now, |moment| moment.max(now));
        self.enqueue_delivery_between(&mut work, &message, starts, obsolete_at);
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("ticket") || error.is_conflict("dedup") => {
                Err(Error::TicketRefused)
            }
            outcome => outcome.map(|()| message),
        }
    }

    async fn onward_message(
        &self,
        tenant: &str,
        onward: &Onward,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let ends = (&onward.from, &onward.to);
        let way = self.way_onward(tenant, ends, stored.reference().size).await?;
        if let Some(rule) = way.obstacle {
            return Err(Failure::permanent(rule, "no way to the recipient can be used").into());
        }
        let from = self.house().authority(tenant, &onward.from).ok_or(Error::UnknownAuthority)?;
        let identity = match onward.carried.container {
            true => None,
            false => self.identify(tenant, stored, onward.file_name.clone()).await?,
        };
        let now = self.now();
        Ok(Message {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            authority: from.key.clone(),
            unit: from.unit.clone(),
            public_service: None,
            direction: Direction::Out,
            door: way.reach.transport.door(),
            partner: onward.to.to_string(),
            identity,
            dedup_key: format!("{BY_TICKET}{}", onward.sent.ticket),
            payload: Some(stored.reference().clone()),
            file_name: onward.file_name.clone(),
            test: onward.test,
            state: MessageState::Ready,
            received_at: now,
            updated_at: now,
            report: None,
            related: None,
            exchange: None,
            forwarding: None,
        })
    }
}
