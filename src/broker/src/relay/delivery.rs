//! Deliveries: taken in, found, received by those who are called, and sent back.

use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, Message, MessageState, Scope, Timestamp, ids};
use serde_json::json;
use store::{
    CardFilter, CardRule, Cards, Payload, Pick, RelayDelivery, RelayStage, StoredPayload, Ticket, WholeKey,
    Work,
};

use super::pieces::key;
use super::{
    MOST_NAMED, NewDelivery, Relay, Relayed, SUBJECT_BYTES, check_json, is_own, is_ticket, named,
    no_delivery, refuse, retried,
};
use crate::intake::Known;
use crate::process::with_finding;
use crate::{Broker, Error, notes};

impl Relay {
    /// Takes a delivery in: ticket, message, delivery and the room that it needs in its mailbox are one transaction.
    /// Returns once it is durable. What is refused leaves nothing, and the ticket can still be used.
    ///
    /// # Errors
    /// `TicketRefused`, `MailboxFull`, `IdReused` if another message has its dedup key, `UnknownAuthority`,
    /// `TooLarge`.
    pub async fn take_in(
        &self,
        caller: &Caller,
        new: NewDelivery,
        stored: StoredPayload,
    ) -> Result<RelayDelivery, Error> {
        self.take_in_or_discard(caller, new, stored, None).await
    }

    /// Takes a delivery in that came in pieces: they are not needed any more, and go in the same transaction. `new` names
    /// whom its ticket was issued to.
    ///
    /// # Errors
    /// As [`take_in`](Relay::take_in).
    pub async fn take_in_whole(
        &self,
        caller: &Caller,
        new: NewDelivery,
        stored: StoredPayload,
        sender: &str,
    ) -> Result<RelayDelivery, Error> {
        let whole = key(new.issued_to.as_ref().unwrap_or(caller), sender, &new.ticket)?;
        let pieces = self.payloads_of(&whole).await?;
        let taken = self.take_in_or_discard(caller, new, stored, Some(&whole)).await?;
        self.0.store().remove_forgotten(pieces).await;
        Ok(taken)
    }

    async fn take_in_or_discard(
        &self,
        caller: &Caller,
        new: NewDelivery,
        stored: StoredPayload,
        whole: Option<&WholeKey>,
    ) -> Result<RelayDelivery, Error> {
        let outcome = self.try_take_in(caller, new, &stored, whole).await;
        // Of an unknown outcome nobody may say that the bytes are not needed: what is not is swept.
        if outcome.as_ref().is_err_and(|error| !matches!(error, Error::Store(store::Error::Uncertain))) {
            self.0.store().discard(stored).await;
        }
        outcome
    }

    async fn try_take_in(
        &self,
        caller: &Caller,
        new: NewDelivery,
        stored: &StoredPayload,
        whole: Option<&WholeKey>,
    ) -> Result<RelayDelivery, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        self.0.may_bring_message(tenant)?;
        let limit = self.0.most_bytes();
        if stored.reference().size > limit {
            return Err(Error::TooLarge { limit });
        }
        check(&new)?;
        let from = (new.door, new.partner.as_str());
        let message = Message {
            dedup_key: new.dedup_key.clone(),
            // Nothing is to be done about it but to be picked up.
            state: MessageState::Processed,
            ..self.0.incoming(&caller.scope.tenant, &new.authority, from, None, stored)?
        };
        let holder = new.issued_to.clone().unwrap_or_else(|| caller.clone());
        let delivery = self.new_delivery(caller, new, &message, stored.reference().size);
        let mut supersedes = None;
        // A second round comes only from a message of the same key that was returned.
        for _ in 0..2 {
            let mut work = self.first_transaction(caller, &holder, &message, &delivery, stored, supersedes);
            if let Some(whole) = whole {
                work.finish_whole(whole);
            }
            match self.0.store().commit(work).await.map_err(Error::from) {
                Err(error) if error.is_conflict("dedup") => {}
                Err(error) if error.is_conflict("relay delivery") => return Err(Error::TicketRefused),
                outcome => return outcome.map(|()| delivery).map_err(named),
            }
            match self.0.known(&message).await? {
                Known::Failed(first) => supersedes = Some(first),
                Known::Nothing => supersedes = None,
                Known::Same(_) | Known::Other => break,
            }
        }
        Err(Error::IdReused)
    }

    fn new_delivery(&self, caller: &Caller, new: NewDelivery, message: &Message, size: u64) -> RelayDelivery {
        let now = message.received_at;
        let enters_at = new.terms.not_before.map_or(now, |moment| moment.max(now));
        let in_time = enters_at.plus(self.0.ttl(message));
        let expires_at = new.terms.obsolete_at.map_or(in_time, |moment| moment.min(in_time));
        RelayDelivery {
            message: message.id,
            tenant: message.tenant.clone(),
            unit: message.unit.clone(),
            public_service: message.public_service.clone(),
            ticket: new.ticket,
            mailbox: new.mailbox,
            originator: caller.actor.id.clone(),
            addressee: new.addressee,
            subject: new.subject,
            size,
            stage: RelayStage::Waiting,
            created_at: now,
            forwarded_at: None,
            received_at: None,
            modified_at: now,
            expires_at,
            body: new.body,
            enters_at,
            related: new.terms.related,
        }
    }

    fn first_transaction(
        &self,
        caller: &Caller,
        holder: &Caller,
        message: &Message,
        delivery: &RelayDelivery,
        stored: &StoredPayload,
        supersedes: Option<Id>,
    ) -> Work {
        let mut work = Work::new();
        work.use_ticket(&holder.scope.tenant, &delivery.ticket, &holder.actor.id, message.received_at);
        self.0.take_in_rows(&mut work, message, stored, supersedes);
        let event =
            notes::of_message(EventKind::MessageAccepted, message, &caller.actor, message.received_at);
        let parties = json!({
            "ticket": delivery.ticket,
            "mailbox": delivery.mailbox,
            "originator": delivery.originator,
            "addressee": delivery.addressee,
        });
        work.insert_event(&notes::with_fact(event, "relay", parties));
        work.insert_relay_delivery(delivery, self.0.relay_limits.mailbox);
        work
    }

    /// The delivery that a rule picks from a mailbox of the caller, and whether it picks more. Those in `except` are
    /// not looked at: whoever goes through a mailbox names what this conversation had before.
    ///
    /// # Errors
    /// `NotFound` if the mailbox is not the caller's.
    pub async fn next(
        &self,
        caller: &Caller,
        mailbox: &str,
        pick: Pick<'_>,
        except: &[Id],
    ) -> Result<Option<(Relayed, bool)>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        if !is_own(caller, mailbox) {
            return Err(no_delivery());
        }
        if matches!(pick, Pick::Ticket(ticket) if !is_ticket(ticket)) {
            return Ok(None);
        }
        let picked = self.0.store().pick_delivery(scope, mailbox, pick, except).await?;
        let Some((delivery, more)) = picked else { return Ok(None) };
        let message = self.0.store().message(scope, delivery.message).await?.ok_or_else(no_delivery)?;
        Ok(Some((Relayed { delivery, message }, more)))
    }

    /// The bytes of a delivery in a mailbox of the caller.
    ///
    /// # Errors
    /// `NotFound` if it is not there, or was returned.
    pub async fn content(&self, caller: &Caller, id: Id) -> Result<Payload, Error> {
        let found = self.own(caller, id).await?;
        let relayed = found.filter(|it| it.delivery.stage != RelayStage::Returned).ok_or_else(no_delivery)?;
        let payload = relayed.message.payload.ok_or(Error::ContentUnavailable)?;
        Ok(self.0.store().open_payload(&relayed.message.tenant, payload.id).await?)
    }

    /// Notes that a recipient who was called has taken the delivery: received now, and handed out at `forwarded` if it was
    /// not before. Once received, it stays as it is. Returns it as it is then.
    ///
    /// # Errors
    /// `NotFound` if the caller neither sent it nor has its mailbox, or it was returned.
    pub async fn receive(
        &self,
        caller: &Caller,
        id: Id,
        forwarded: Timestamp,
    ) -> Result<RelayDelivery, Error> {
        retried(move || async move {
            let mut relayed = self.of_party(caller, id).await?;
            match relayed.delivery.stage {
                RelayStage::Returned => return Err(no_delivery()),
                RelayStage::Received => return Ok(relayed.delivery),
                RelayStage::Waiting | RelayStage::HandedOut => {}
            }
            let (now, gateway) = (self.0.now(), Actor::gateway());
            let mut work = Work::new();
            if relayed.delivery.stage == RelayStage::Waiting {
                let kind = EventKind::MessageDelivered;
                work.insert_event(&notes::of_message(kind, &relayed.message, &gateway, now));
            }
            let created = relayed.delivery.created_at;
            relayed.delivery.forwarded_at.get_or_insert(forwarded.max(created).min(now));
            let relayed = self.note_received(&mut work, relayed, &gateway, now);
            self.0.store().commit(work).await?;
            Ok(relayed.delivery)
        })
        .await
    }

    /// Sends a delivery that waits back to its sender, with a rule that says why: a recipient that was called could
    /// not be reached or did not take it. Once returned, it stays as it is.
    ///
    /// # Errors
    /// `NotFound` if the caller neither sent it nor has its mailbox; `WrongState` if it was received.
    pub async fn give_back(&self, caller: &Caller, id: Id, rule: &str) -> Result<(), Error> {
        refuse("rule", !ids::is_name(rule))?;
        retried(move || async move {
            let relayed = self.of_party(caller, id).await?;
            match relayed.delivery.stage {
                RelayStage::Returned => Ok(()),
                RelayStage::Received => {
                    Err(model::Error::WrongState { state: relayed.message.state.name() }.into())
                }
                RelayStage::Waiting | RelayStage::HandedOut => {
                    let (delivery, message) = (relayed.delivery, relayed.message);
                    self.0.send_back(Work::new(), delivery, message, rule, &caller.actor).await
                }
            }
        })
        .await
    }

    /// Takes a delivery of the caller back of which its recipient certainly saw nothing: it is returned, and its ticket may be
    /// used again by `holder`, as [`NewDelivery::issued_to`] said.
    ///
    /// # Errors
    /// `NotFound` if the caller neither sent it nor has its mailbox; `WrongState` if it does not wait unseen.
    pub async fn withdraw(&self, caller: &Caller, id: Id, holder: &Caller, rule: &str) -> Result<(), Error> {
        refuse("rule", !ids::is_name(rule))?;
        retried(move || async move {
            let relayed = self.of_party(caller, id).await?;
            if relayed.delivery.stage != RelayStage::Waiting {
                return Err(model::Error::WrongState { state: relayed.message.state.name() }.into());
            }
            let ticket = Ticket {
                id: relayed.delivery.ticket.clone(),
                tenant: holder.scope.tenant.clone(),
                owner: holder.actor.id.clone(),
                expires_at: self.0.now().plus(self.0.relay_limits.ticket),
            };
            let mut work = Work::new();
            work.free_ticket(&relayed.delivery).issue_ticket(&ticket);
            self.0.send_back(work, relayed.delivery, relayed.message, rule, &caller.actor).await
        })
        .await
    }

    /// Cards of deliveries to a mailbox of the caller, and of those it sent if the filter names it as their originator.
    ///
    /// # Errors
    /// `NotFound` if mailbox or originator are not the caller's; `Invalid` if too many tickets are named.
    pub async fn cards(&self, caller: &Caller, filter: &CardFilter<'_>) -> Result<Cards, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let own = filter.mailbox.is_none_or(|mailbox| is_own(caller, mailbox))
            && filter.originator.is_none_or(|originator| originator == caller.actor.id);
        if !own {
            return Err(no_delivery());
        }
        let mut filter = filter.clone();
        if let CardRule::Tickets(tickets) = &mut filter.rule {
            refuse("tickets", tickets.len() > MOST_NAMED)?;
            tickets.retain(|ticket| is_ticket(ticket));
        }
        Ok(self.0.store().relay_cards(scope, &filter).await?)
    }

    /// A delivery that the caller sent or has in a mailbox.
    async fn of_party(&self, caller: &Caller, id: Id) -> Result<Relayed, Error> {
        if let Some(own) = self.own(caller, id).await? {
            return Ok(own);
        }
        let whole = Scope::tenant(&caller.may(Action::SendMessages)?.tenant);
        let sent = self.find(&whole, id).await?;
        sent.filter(|it| it.delivery.originator == caller.actor.id).ok_or_else(no_delivery)
    }
}

impl Broker {
    /// Sends a delivery back to its sender, who is told this rule.
    pub(crate) async fn send_back(
        &self,
        mut work: Work,
        delivery: RelayDelivery,
        mut message: Message,
        rule: &str,
        actor: &Actor,
    ) -> Result<(), Error> {
        message.report = Some(with_finding(message.report.take(), rule));
        let from = delivery.stage;
        work.update_relay_delivery(&delivery.returned(), from);
        self.returned(&mut work, message, actor, None).await?;
        Ok(self.store().commit(work).await?)
    }
}

fn check(new: &NewDelivery) -> Result<(), Error> {
    if !is_ticket(&new.ticket) {
        return Err(Error::TicketRefused);
    }
    for (field, name) in [("mailbox", &new.mailbox), ("partner", &new.partner), ("addressee", &new.addressee)]
    {
        refuse(field, !ids::is_name(name))?;
    }
    refuse("dedupKey", !is_ticket(&new.dedup_key))?;
    let too_long = |subject: &String| subject.len() > SUBJECT_BYTES || subject.contains('\0');
    refuse("subject", new.subject.as_ref().is_some_and(too_long))?;
    let related = &new.terms.related;
    refuse("related", related.len() > MOST_NAMED || !related.iter().all(|it| is_ticket(it)))?;
    check_json(new.body.as_str())
}
