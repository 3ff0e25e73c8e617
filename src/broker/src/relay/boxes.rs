//! Message boxes: a mailbox whose owner looks through it, fetches as often as it likes, and says itself what it has
//! received. There is no conversation; each call stands alone.

use std::time::Duration;

use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, Scope, ids};
use store::{BoxFilter, CardFilter, CardRule, RelayDelivery, RelayStage, Work};

use super::{MOST_NAMED, Relay, Relayed, is_own, is_ticket, no_delivery, refuse, retried};
use crate::{Error, notes};

impl Relay {
    /// Issues a ticket to the caller that may be used for so long.
    ///
    /// # Errors
    /// `RelayIdTaken` if the id is known already.
    pub async fn issue_for(&self, caller: &Caller, ticket: &str, lasts: Duration) -> Result<(), Error> {
        self.issue_until(caller, ticket, self.0.now().plus(lasts)).await
    }

    /// Whether the caller may use a ticket now: issued to it, not used yet, its time not over.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn may_use(&self, caller: &Caller, ticket: &str) -> Result<bool, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        if !is_ticket(ticket) {
            return Ok(false);
        }
        Ok(self.0.store().is_open_ticket(tenant, ticket, &caller.actor.id, self.0.now()).await?)
    }

    /// The first deliveries of a mailbox of the caller that fit, the oldest first; at most 100.
    ///
    /// # Errors
    /// `NotFound` if the mailbox is not the caller's; `Invalid` if too many tickets are named.
    pub async fn entries(
        &self,
        caller: &Caller,
        filter: &BoxFilter<'_>,
        limit: u32,
    ) -> Result<Vec<RelayDelivery>, Error> {
        let scope = caller.may(Action::UseInbox)?;
        check(caller, filter)?;
        let limit = limit.clamp(1, MOST_NAMED as u32);
        Ok(self.0.store().box_entries(scope, filter, self.0.now(), limit).await?)
    }

    /// How many deliveries of a mailbox of the caller fit.
    ///
    /// # Errors
    /// As [`entries`](Relay::entries).
    pub async fn count(&self, caller: &Caller, filter: &BoxFilter<'_>) -> Result<u64, Error> {
        let scope = caller.may(Action::UseInbox)?;
        check(caller, filter)?;
        Ok(self.0.store().box_count(scope, filter, self.0.now()).await?)
    }

    /// Notes that a delivery is handed out to the caller now. May be done again: the first time is the one that counts.
    /// For a while it is not too late then to say that it was received. Returns it as it is now.
    ///
    /// # Errors
    /// `NotFound` if it does not wait in a mailbox of the caller.
    pub async fn fetch(&self, caller: &Caller, id: Id) -> Result<RelayDelivery, Error> {
        retried(move || async move {
            let now = self.0.now();
            let found = self.own(caller, id).await?;
            let waits = |it: &Relayed| it.delivery.stage.waits() && it.delivery.enters_at <= now;
            let Relayed { delivery, message } = found.filter(waits).ok_or_else(no_delivery)?;
            let from = delivery.stage;
            let delivery = delivery.handed_out(now, now.plus(self.0.relay_limits.idle));
            let mut work = Work::new();
            work.update_relay_delivery(&delivery, from);
            // Whoever fetches again and again adds nothing to the journal.
            if from == RelayStage::Waiting {
                let kind = EventKind::MessageDelivered;
                work.insert_event(&notes::of_message(kind, &message, &caller.actor, now));
            }
            self.0.store().commit(work).await?;
            Ok(delivery)
        })
        .await
    }

    /// Notes that the caller has received these deliveries of its mailbox: all of them or nothing. What it had received
    /// before stays as it is.
    ///
    /// # Errors
    /// `NotFound` if one of them is not in the mailbox or was returned; `Invalid` if there are more than 100.
    pub async fn close(&self, caller: &Caller, mailbox: &str, tickets: &[String]) -> Result<(), Error> {
        refuse("tickets", tickets.len() > MOST_NAMED)?;
        let mut tickets = tickets.to_vec();
        tickets.sort_unstable();
        tickets.dedup();
        let tickets = &tickets;
        retried(move || async move {
            let now = self.0.now();
            let mut work = Work::new();
            let mut changes = false;
            for ticket in tickets {
                let found = self.entered(caller, mailbox, ticket).await?.ok_or_else(no_delivery)?;
                match found.delivery.stage {
                    RelayStage::Returned => return Err(no_delivery()),
                    RelayStage::Received => continue,
                    RelayStage::Waiting | RelayStage::HandedOut => {}
                }
                let relayed = self.note_received(&mut work, found, &caller.actor, now);
                self.0.confirm_sender(&mut work, &relayed.message).await?;
                changes = true;
            }
            if changes {
                self.0.store().commit(work).await?;
            }
            Ok(())
        })
        .await
    }

    /// Notes that the caller is given the answer that it waited for: its own delivery of this ticket was received by its reader, and
    /// the answer, in a mailbox of the caller, by the caller. Both or nothing; doing it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` if the caller sent no such delivery, the answer is not in its mailbox, or one of them was returned.
    pub async fn take_answer(
        &self,
        caller: &Caller,
        ticket: &str,
        answer: Id,
    ) -> Result<RelayDelivery, Error> {
        retried(move || async move {
            let now = self.0.now();
            let sent = self.sent(caller, ticket).await?.ok_or_else(no_delivery)?;
            let asked = self.with_message(sent).await?.ok_or_else(no_delivery)?;
            let answer = self.own(caller, answer).await?.filter(|it| it.delivery.enters_at <= now);
            let answer = answer.ok_or_else(no_delivery)?;
            let mut work = Work::new();
            let mut taken = answer.delivery.clone();
            for (relayed, actor) in [(asked, Actor::gateway()), (answer, caller.actor.clone())] {
                match relayed.delivery.stage {
                    RelayStage::Returned => return Err(no_delivery()),
                    RelayStage::Received => continue,
                    RelayStage::HandedOut => {}
                    RelayStage::Waiting => {
                        let kind = EventKind::MessageDelivered;
                        work.insert_event(&notes::of_message(kind, &relayed.message, &actor, now));
                    }
                }
                let relayed = self.note_received(&mut work, relayed, &actor, now);
                self.0.confirm_sender(&mut work, &relayed.message).await?;
                if relayed.delivery.message == taken.message {
                    taken = relayed.delivery;
                }
            }
            self.0.store().commit(work).await?;
            Ok(taken)
        })
        .await
    }

    /// A delivery that the caller sent, or that has entered its mailbox, however far it has come.
    ///
    /// # Errors
    /// `NotFound` if the mailbox is not the caller's.
    pub async fn of_ticket(
        &self,
        caller: &Caller,
        mailbox: &str,
        ticket: &str,
    ) -> Result<Option<Relayed>, Error> {
        if let Some(entered) = self.entered(caller, mailbox, ticket).await? {
            return Ok(Some(entered));
        }
        match self.sent(caller, ticket).await? {
            Some(sent) => self.with_message(sent).await,
            None => Ok(None),
        }
    }

    /// A delivery that has entered a mailbox of the caller, however far it has come.
    async fn entered(&self, caller: &Caller, mailbox: &str, ticket: &str) -> Result<Option<Relayed>, Error> {
        let found = self.cards(caller, &by_ticket(Some(mailbox), None, ticket)).await?;
        let now = self.0.now();
        match found.items.into_iter().find(|it| it.enters_at <= now) {
            Some(entered) => self.with_message(entered).await,
            None => Ok(None),
        }
    }

    async fn with_message(&self, delivery: RelayDelivery) -> Result<Option<Relayed>, Error> {
        let message = self.0.store().message(&Scope::tenant(&delivery.tenant), delivery.message).await?;
        Ok(message.map(|message| Relayed { delivery, message }))
    }

    /// A delivery that the caller sent.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn sent(&self, caller: &Caller, ticket: &str) -> Result<Option<RelayDelivery>, Error> {
        let filter = by_ticket(None, Some(&caller.actor.id), ticket);
        Ok(self.cards(caller, &filter).await?.items.into_iter().next())
    }

    /// Takes a delivery of the caller back that has not entered its mailbox yet: it is returned, with a rule that says why.
    ///
    /// # Errors
    /// `NotFound` if the caller did not send it; `WrongState` if it has entered its mailbox or has ended.
    pub async fn recall(&self, caller: &Caller, ticket: &str, rule: &str) -> Result<(), Error> {
        refuse("rule", !ids::is_name(rule))?;
        retried(move || async move {
            let sent = self.sent(caller, ticket).await?.ok_or_else(no_delivery)?;
            let Relayed { delivery, message } = self.with_message(sent).await?.ok_or_else(no_delivery)?;
            let is_early = delivery.stage == RelayStage::Waiting && delivery.enters_at > self.0.now();
            if !is_early {
                return Err(model::Error::WrongState { state: message.state.name() }.into());
            }
            self.0.send_back(Work::new(), delivery, message, rule, &caller.actor).await
        })
        .await
    }
}

fn check(caller: &Caller, filter: &BoxFilter<'_>) -> Result<(), Error> {
    if !is_own(caller, filter.mailbox) {
        return Err(no_delivery());
    }
    refuse("tickets", filter.tickets.len() > MOST_NAMED)?;
    refuse("related", filter.related.len() > MOST_NAMED)
}

fn by_ticket<'a>(mailbox: Option<&'a str>, originator: Option<&'a str>, ticket: &str) -> CardFilter<'a> {
    let rule = CardRule::Tickets(vec![ticket.to_owned()]);
    CardFilter { mailbox, originator, rule, unreceived: false, limit: 1 }
}
