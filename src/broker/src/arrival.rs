//! Messages that a transport brings for an authority of the house: fetched from a mailbox elsewhere, handed to us by
//! somebody who waits, or the answer to what we sent. The transport has opened them and says whom they come from.
//!
//! Taken in by the first transaction as from any door. The transport's own id of a delivery (its ticket) is remembered with it,
//! so the same delivery may come again at any time, also by two nodes at once. Nothing is refused that a partner
//! could not send better: what cannot be opened, or whose id was used with other content, waits as a clarification.

use model::message::{Direction, Door, Message};
use model::rights::Action;
use model::standard::Source;
use model::{Authority, Caller, EventKind, Finding, Id, MessageState, Report, Scope, Timestamp};
use serde_json::Value;
use store::{Payload, PayloadWriterBlocking, StoredPayload, Work};

use crate::carried::Carried;
use crate::intake::{Checked, Known, check, enqueue_processing, identify};
use crate::process::with_finding;
use crate::relay::{check_body, retried};
use crate::{Broker, Error, notes, screen};

/// What a transport knows of a message beside its bytes. Whom it comes from is the caller.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// By which door it comes.
    pub door: Door,
    /// The transport's own id of the delivery: the same id is the same delivery.
    pub ticket: String,
    /// Authority of the house that it is for.
    pub authority: Authority,
    /// Name of the file, if it has one.
    pub file_name: Option<String>,
    /// The message of ours that it answers.
    pub answers: Option<Id>,
    /// Why it waits for a human instead of being processed.
    pub finding: Option<Finding>,
    /// What the transport has to say about its way; kept in the event.
    pub facts: Value,
    /// Not to be processed before; absent: at once.
    pub not_before: Option<Timestamp>,
    /// What its sender was promised, if it will ask what became of it.
    pub sent: Option<Sent>,
    /// What the transport carries with it.
    pub carried: Option<Carried>,
    /// A test message.
    pub test: bool,
}

/// An arrival whose sender had a ticket of the relay issued for it, and asks by it later. The ticket is used up in the same
/// transaction, so it is one arrival and never two.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whom the ticket was issued to, by its actor's id.
    pub sender: String,
    /// The ticket.
    pub ticket: String,
    /// What the transport has to remember for the sender; at most 64 KiB of JSON.
    pub body: Value,
}

impl Broker {
    /// Writes the bytes of an arrival; for threads that may block. Dropped, it leaves nothing behind.
    ///
    /// # Errors
    /// If the caller may not bring messages, or nothing is taken in now.
    pub fn arrival_writer(&self, caller: &Caller) -> Result<PayloadWriterBlocking, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        self.may_bring_message(tenant)?;
        Ok(self.store().payload_writer_blocking(tenant))
    }

    /// Whether a standard recognises bytes that were written.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn recognises(
        &self,
        caller: &Caller,
        stored: &StoredPayload,
        file_name: Option<&str>,
    ) -> Result<bool, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        Ok(self.identify(tenant, stored, file_name.map(str::to_owned)).await?.is_some())
    }

    /// Bytes that were written, before they are taken in.
    ///
    /// # Errors
    /// If they cannot be opened.
    pub fn written(&self, caller: &Caller, stored: &StoredPayload) -> Result<Payload, Error> {
        Ok(self.store().open_stored(&caller.may(Action::SendMessages)?.tenant, stored)?)
    }

    /// Whether a standard recognises a source; on threads that may block.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn recognises_source(&self, source: &mut dyn Source, file_name: Option<&str>) -> Result<bool, Error> {
        Ok(identify(&self.parts.standards, source, file_name)?.is_some())
    }

    /// What the standard that recognises a source finds in it; on threads that may block.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn check_source(&self, source: &mut dyn Source, file_name: Option<&str>) -> Result<Checked, Error> {
        Ok(check(&self.parts.standards, source, file_name)?)
    }

    /// Removes bytes that were written and are not needed.
    pub async fn discard_arrival(&self, stored: StoredPayload) {
        self.store().discard(stored).await;
    }

    /// The message that a delivery became, if it has come before.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn arrived(&self, tenant: &str, arrival: &Arrival) -> Result<Option<Message>, Error> {
        let found = self.store().dedup(tenant, &tickets(&arrival.authority), &arrival.ticket).await?;
        let Some(found) = found else { return Ok(None) };
        let message = self.store().message(&Scope::tenant(tenant), found.subject).await?;
        message.map(Some).ok_or(Error::ContentUnavailable)
    }

    /// Takes an arrival in. Returns once it is durable; the same delivery again gets the same message.
    ///
    /// # Errors
    /// `UnknownAuthority`, `TooLarge`, or if the store fails.
    pub async fn take_arrival(
        &self,
        caller: &Caller,
        arrival: Arrival,
        stored: StoredPayload,
    ) -> Result<Message, Error> {
        self.take_or_discard(caller, arrival, stored, false).await
    }

    /// Takes an arrival in that its transport has shown to the virus check itself, content by content, by
    /// [`screen_source`](Broker::screen_source). What it is kept in is not shown once more: it may be larger than the scanner takes.
    ///
    /// # Errors
    /// As [`take_arrival`](Broker::take_arrival).
    pub async fn take_screened_arrival(
        &self,
        caller: &Caller,
        arrival: Arrival,
        stored: StoredPayload,
    ) -> Result<Message, Error> {
        self.take_or_discard(caller, arrival, stored, true).await
    }

    async fn take_or_discard(
        &self,
        caller: &Caller,
        arrival: Arrival,
        stored: StoredPayload,
        is_screened: bool,
    ) -> Result<Message, Error> {
        let outcome = self.try_arrival(caller, arrival, &stored, is_screened).await;
        let used = outcome.as_ref().is_ok_and(|message| message.payload.as_ref() == Some(stored.reference()));
        // Of an unknown outcome nobody may say that the bytes are not needed: what is not is swept.
        if !used && !matches!(outcome, Err(Error::Store(store::Error::Uncertain))) {
            self.store().discard(stored).await;
        }
        outcome
    }

    async fn try_arrival(
        &self,
        caller: &Caller,
        mut arrival: Arrival,
        stored: &StoredPayload,
        is_screened: bool,
    ) -> Result<Message, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        self.may_bring_message(tenant)?;
        if let Some(first) = self.came_before(tenant, &arrival).await? {
            return Ok(first);
        }
        if let Some(sent) = &arrival.sent {
            check_body(&sent.body)?;
        }
        let limit = self.most_bytes();
        if stored.reference().size > limit {
            return Err(Error::TooLarge { limit });
        }
        if !is_screened && let Some(finding) = screen::finding(self.screen(tenant, stored).await)? {
            arrival.finding = Some(finding);
        }
        let mut message = self.new_arrival(caller, &arrival, stored).await?;
        let mut supersedes = None;
        for _ in 0..4 {
            let (work, taken) = self.arrival_rows(caller, &arrival, &message, stored, supersedes)?;
            match self.store().commit(work).await.map_err(Error::from) {
                Err(error) if error.is_conflict("dedup") => {}
                Err(error) if error.is_conflict("ticket") => return Err(Error::TicketRefused),
                outcome => return outcome.map(|()| taken),
            }
            if let Some(first) = self.came_before(tenant, &arrival).await? {
                return Ok(first);
            }
            match self.known(&message).await? {
                Known::Failed(first) => supersedes = Some(first),
                Known::Nothing => supersedes = None,
                // Who asks what became of a message must not be told of somebody else's.
                Known::Same(first) if arrival.sent.is_none() || first.partner == message.partner => {
                    return self.also_by(&arrival, *first).await;
                }
                Known::Same(_) | Known::Other => {
                    supersedes = None;
                    message.dedup_key = by_ticket(&arrival);
                    arrival.finding = Some(Finding::error("broker.id-reused"));
                }
            }
        }
        Err(Error::IdReused)
    }

    /// The message that the same delivery became before. A ticket that is used up is refused instead: it is good for one.
    async fn came_before(&self, tenant: &str, arrival: &Arrival) -> Result<Option<Message>, Error> {
        if arrival.sent.is_some() { Ok(None) } else { self.arrived(tenant, arrival).await }
    }

    /// What a sender was promised under a ticket, and the message that came of it; none if it used no such ticket for an
    /// arrival.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn promised(
        &self,
        tenant: &str,
        sender: &str,
        ticket: &str,
    ) -> Result<Option<(Value, Message)>, Error> {
        let found = self.store().dedup(tenant, &promises(sender), ticket).await?;
        let Some(found) = found else { return Ok(None) };
        let message = self.store().message(&Scope::tenant(tenant), found.subject).await?;
        Ok(message.map(|message| (found.answer.unwrap_or_default(), message)))
    }

    /// Takes an arrival back that is not to be processed yet, or what is not to be sent on yet: it is returned, with a rule that says why.
    ///
    /// # Errors
    /// `NotFound` if the sender used no such ticket; `WrongState` if it is processed or sent already, or somebody is at it, or it may
    /// have arrived.
    pub async fn recall_arrival(
        &self,
        caller: &Caller,
        sender: &str,
        ticket: &str,
        rule: &str,
    ) -> Result<(), Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        retried(move || async move {
            let found = self.promised(tenant, sender, ticket).await?;
            let (_, mut message) = found.ok_or(model::Error::NotFound { kind: "message" })?;
            let waits = match message.direction {
                Direction::In => message.state == MessageState::Accepted,
                Direction::Out => message.state == MessageState::Ready,
            };
            let too_late = model::Error::WrongState { state: message.state.name() };
            if !waits {
                return Err(too_late.into());
            }
            message.report = Some(with_finding(message.report.take(), rule));
            let mut work = Work::new();
            // First of all, so that nobody begins with it while the rest is written.
            work.end_waiting_jobs(&message.tenant, message.id);
            self.returned(&mut work, message, &caller.actor, None).await?;
            match self.store().commit(work).await.map_err(Error::from) {
                Err(error) if error.is_conflict("job") => Err(too_late.into()),
                outcome => outcome,
            }
        })
        .await
    }

    async fn new_arrival(
        &self,
        caller: &Caller,
        arrival: &Arrival,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let tenant = &caller.scope.tenant;
        let identity = self.identify(tenant, stored, arrival.file_name.clone()).await?;
        let has_id = identity.as_ref().is_some_and(|identity| identity.process_id.is_some());
        let from = (arrival.door, caller.actor.id.as_str());
        let mut message = self.incoming(tenant, &arrival.authority, from, identity, stored)?;
        // What waits takes no id from a message that comes by its right way; and two answers, or two messages that their sender
        // asks for, may be of the same bytes.
        if arrival.finding.is_some() || (!has_id && (arrival.answers.is_some() || arrival.sent.is_some())) {
            message.dedup_key = by_ticket(arrival);
        }
        message.test = arrival.test;
        message.related = self.answered_by(tenant, arrival).await?;
        message.file_name = arrival.file_name.clone();
        Ok(message)
    }

    /// The message that an arrival answers, if it is one.
    async fn answered_by(&self, tenant: &str, arrival: &Arrival) -> Result<Option<Id>, Error> {
        let Some(id) = arrival.answers else { return Ok(None) };
        let found = self.store().message(&Scope::tenant(tenant), id).await?;
        Ok(found.map(|message| message.id))
    }

    /// Rows of the first transaction, and the message as it is then.
    fn arrival_rows(
        &self,
        caller: &Caller,
        arrival: &Arrival,
        message: &Message,
        stored: &StoredPayload,
        supersedes: Option<Id>,
    ) -> Result<(Work, Message), Error> {
        let mut work = Work::new();
        self.use_ticket(&mut work, arrival, message);
        self.take_in_rows(&mut work, message, stored, supersedes);
        let promised = arrival.sent.is_some();
        if promised || arrival.carried.is_some() {
            arrival.carried.clone().unwrap_or_default().keep_with(&mut work, message, promised)?;
        }
        if arrival.finding.is_none() {
            let now = message.received_at;
            let begins = arrival.carried.as_ref().map_or(now, |carried| carried.begins(now));
            enqueue_processing(
                &mut work,
                message,
                arrival.not_before.map_or(begins, |moment| moment.max(now)),
            );
        }
        let event =
            notes::of_message(EventKind::MessageAccepted, message, &caller.actor, message.received_at);
        work.insert_event(&notes::with_fact(event, "transport", arrival.facts.clone()));
        self.claim_ticket(&mut work, arrival, message);
        let Some(finding) = &arrival.finding else { return Ok((work, message.clone())) };
        let report = Report { findings: vec![finding.clone()], more: 0 };
        let waiting = Message { report: Some(report), ..message.clone() };
        let waiting = self.parked(&mut work, waiting, &caller.actor, None)?;
        Ok((work, waiting))
    }

    /// The same message came by another delivery before: remembered, so that it is not looked at again.
    async fn also_by(&self, arrival: &Arrival, first: Message) -> Result<Message, Error> {
        let mut work = Work::new();
        self.use_ticket(&mut work, arrival, &first);
        self.claim_ticket(&mut work, arrival, &first);
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("ticket") => Err(Error::TicketRefused),
            Err(error) if !error.is_conflict("dedup") => Err(error),
            _ => Ok(first),
        }
    }

    fn use_ticket(&self, work: &mut Work, arrival: &Arrival, message: &Message) {
        if let Some(sent) = &arrival.sent {
            work.use_ticket(&message.tenant, &sent.ticket, &sent.sender, self.now());
        }
    }

    fn claim_ticket(&self, work: &mut Work, arrival: &Arrival, message: &Message) {
        let digest = message.payload.as_ref().map_or("", |payload| payload.sha256.as_str());
        let (space, ticket, answer) = match &arrival.sent {
            Some(sent) => (promises(&sent.sender), &sent.ticket, Some(&sent.body)),
            None => (tickets(&arrival.authority), &arrival.ticket, None),
        };
        work.claim_dedup(&message.tenant, &space, ticket, message.id, digest, answer);
    }
}

/// Where the tickets of an authority's arrivals are remembered.
fn tickets(authority: &Authority) -> String {
    format!("arrival:{authority}")
}

/// Where it is remembered what a sender was promised.
pub(crate) fn promises(sender: &str) -> String {
    format!("sent:{sender}")
}

/// The key of a message that has no id of its own: that of its delivery.
fn by_ticket(arrival: &Arrival) -> String {
    format!("ticket:{}", arrival.ticket)
}
