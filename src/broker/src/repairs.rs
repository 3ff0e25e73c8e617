//! What operators and clerks do about messages: try again, put aside, send back, mend. Each act is an event with its actor and
//! note, is carried out once per key, and takes the message from the desk together with its task.

use bytes::Bytes;
use futures::Stream;
use model::message::Direction;
use model::rights::Action;
use model::{Actor, Caller, Event, EventKind, Id, Message, MessageState, Scope, Timestamp, ids};
use serde_json::json;
use store::{InboxState, NewJob, StoredPayload, Work};

use crate::once::{as_seen, stands_as};
use crate::onward::is_sent_on;
use crate::process::with_finding;
use crate::screen::is_harmful;
use crate::{Broker, Checked, Error, Incoming, Once, intake, notes};

/// Longest note, in characters.
pub const NOTE_CHARS: usize = 500;

/// What became of mended bytes.
#[derive(Debug, Clone)]
pub enum Mended {
    /// They were checked, and nothing was changed.
    Checked(Box<Checked>),
    /// The message has them, and is processed again.
    Done(Box<Message>),
}

impl Broker {
    /// Tries a parked message again.
    ///
    /// # Errors
    /// `WrongState` if it is not parked.
    pub async fn resend(
        &self,
        caller: &Caller,
        id: Id,
        note: Option<&str>,
        once: Option<&Once>,
    ) -> Result<Message, Error> {
        caller.may(Action::ClearMessages)?;
        check_note(note)?;
        self.once(caller, once, move || async move {
            let message = self.to_repair(caller, id).await?;
            as_seen(once, &message)?;
            let mut work = Work::new();
            let noted = |event| notes::with_note(event, note);
            let message = self.again(&mut work, message, &caller.actor, self.now(), noted).await?;
            self.commit_answer(caller, once, work, id, message.brief()).await
        })
        .await
    }

    /// Puts a message aside for a human.
    ///
    /// # Errors
    /// `WrongState` if it has ended.
    pub async fn park_by_hand(
        &self,
        caller: &Caller,
        id: Id,
        note: Option<&str>,
        once: Option<&Once>,
    ) -> Result<Message, Error> {
        caller.may(Action::ClearMessages)?;
        check_note(note)?;
        self.once(caller, once, move || async move {
            let mut message = self.to_repair(caller, id).await?;
            as_seen(once, &message)?;
            // What waits in a mailbox or with its recipient is not ours to put aside.
            use MessageState::{Accepted, Preparing, Ready};
            if !matches!(message.state, Accepted | Preparing | Ready) {
                return Err(model::Error::WrongState { state: message.state.name() }.into());
            }
            message.report = Some(with_finding(message.report.take(), "message.parked-by-hand"));
            let mut work = Work::new();
            work.cancel_jobs(&message.tenant, message.id);
            let message = self.parked(&mut work, message, &caller.actor, note)?;
            self.commit_answer(caller, once, work, id, message.brief()).await
        })
        .await
    }

    /// Sends a message back to its sender, with a rule that says why.
    ///
    /// # Errors
    /// `WrongState` if it has ended.
    pub async fn return_by_hand(
        &self,
        caller: &Caller,
        id: Id,
        rule: Option<&str>,
        note: Option<&str>,
        once: Option<&Once>,
    ) -> Result<Message, Error> {
        caller.may(Action::ClearMessages)?;
        check_note(note)?;
        let rule = rule.unwrap_or("message.returned-by-hand");
        if !ids::is_name(rule) {
            return Err(model::Error::Invalid { field: "rule" }.into());
        }
        self.once(caller, once, move || async move {
            let mut message = self.to_repair(caller, id).await?;
            as_seen(once, &message)?;
            // What is with its recipient can only be returned by the recipient.
            if !message.state.may_become(MessageState::Returned) || message.state == MessageState::Delivered {
                return Err(model::Error::WrongState { state: message.state.name() }.into());
            }
            let waits = message.state == MessageState::Processed;
            message.report = Some(with_finding(message.report.take(), rule));
            let mut work = Work::new();
            work.cancel_jobs(&message.tenant, message.id);
            if waits {
                self.take_from_mailbox(&mut work, &message).await?;
            }
            self.reject(&mut work, &message).await?;
            let message = self.returned(&mut work, message, &caller.actor, note).await?;
            self.commit_answer(caller, once, work, id, message.brief()).await
        })
        .await
    }

    /// Rows of the end of a message's waiting, in the mailbox of its authority or for whoever picks it up.
    async fn take_from_mailbox(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        let scope = Scope::tenant(&message.tenant);
        if let Some(delivery) = self.store().relay_delivery(&scope, message.id).await? {
            let from = delivery.stage;
            work.update_relay_delivery(&delivery.returned(), from);
            return Ok(());
        }
        let from = [InboxState::Available, InboxState::HandedOut];
        work.set_inbox(&message.tenant, message.id, &from, InboxState::Returned, None);
        Ok(())
    }

    /// Gives a parked incoming message mended bytes and has it processed again. The bytes it came with stay, and the
    /// event names both digests. The sender is not told: its message is the one that it sent.
    ///
    /// # Errors
    /// `OtherMessage` if the mended bytes say that they are another message than the one that came.
    pub async fn repair(
        &self,
        caller: &Caller,
        id: Id,
        incoming: Incoming,
        note: Option<&str>,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Message, Error> {
        caller.may(Action::ClearMessages)?;
        // Nobody mends what they may not see.
        caller.may(Action::ReadContent)?;
        check_note(note)?;
        repairable(&self.to_repair(caller, id).await?).or_else(|error| match &incoming.key {
            // It may have been mended by this very request before.
            Some(_) => Ok(()),
            None => Err(error),
        })?;
        let stored = self.stage(caller, body).await?;
        let sha256 = stored.reference().sha256.clone();
        if incoming.digest.as_ref().is_some_and(|announced| !announced.eq_ignore_ascii_case(&sha256)) {
            self.store().discard(stored).await;
            return Err(Error::DigestMismatch);
        }
        let once = incoming.key.clone().map(|key| Once::new(key, format!("{sha256}:{id}")));
        let (incoming, new, key) = (&incoming, &stored, once.as_ref());
        let outcome =
            self.once(caller, key, move || self.try_repair(caller, id, incoming, note, new, key)).await;
        let used = outcome.as_ref().is_ok_and(|message| message.payload.as_ref() == Some(stored.reference()));
        // Of an unknown outcome nobody may say that the bytes are not needed: what is not is swept.
        if !used && !matches!(outcome, Err(Error::Store(store::Error::Uncertain))) {
            self.store().discard(stored).await;
        }
        outcome
    }

    /// The same from a desk: the mended bytes are checked first, and only if nothing stands against them is the message given them.
    /// With `only_check` they never are. `seen` is how the message stood when somebody looked at it ([`seen`](crate::seen)).
    ///
    /// # Errors
    /// As [`repair`](Broker::repair).
    pub async fn mend(
        &self,
        caller: &Caller,
        (id, seen): (Id, Option<&str>),
        (file_name, note, only_check): (Option<String>, Option<&str>, bool),
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Mended, Error> {
        caller.may(Action::ClearMessages)?;
        // Nobody mends what they may not see.
        caller.may(Action::ReadContent)?;
        check_note(note)?;
        let message = self.to_repair(caller, id).await?;
        stands_as(seen, &message)?;
        repairable(&message)?;
        let stored = self.stage(caller, body).await?;
        let name = file_name.clone().or(message.file_name);
        let outcome = match self.store().open_stored(&message.tenant, &stored).map_err(Error::from) {
            Ok(content) => self.check_content(content, name).await,
            Err(error) => Err(error),
        };
        if only_check || !outcome.as_ref().is_ok_and(|checked| checked.report.is_acceptable()) {
            self.store().discard(stored).await;
            return Ok(Mended::Checked(Box::new(outcome?)));
        }
        let incoming = Incoming { file_name, ..Incoming::default() };
        let (incoming, new) = (&incoming, &stored);
        let outcome =
            self.once(caller, None, move || self.try_repair(caller, id, incoming, note, new, None)).await;
        if outcome.as_ref().is_err_and(|error| !matches!(error, Error::Store(store::Error::Uncertain))) {
            self.store().discard(stored).await;
        }
        Ok(Mended::Done(Box::new(outcome?)))
    }

    async fn try_repair(
        &self,
        caller: &Caller,
        id: Id,
        incoming: &Incoming,
        note: Option<&str>,
        stored: &StoredPayload,
        once: Option<&Once>,
    ) -> Result<Message, Error> {
        let mut message = self.to_repair(caller, id).await?;
        repairable(&message)?;
        let before = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        message.file_name = incoming.file_name.clone().or(message.file_name);
        let identity = self.identify(&message.tenant, stored, message.file_name.clone()).await?;
        let mut work = Work::new();
        let key = intake::dedup_key(identity.as_ref(), &message.partner, &stored.reference().sha256);
        if message.dedup_key != key && identity.is_some() {
            self.take_key(&mut work, &mut message, key)?;
        }
        work.insert_payload(&message.tenant, stored);
        message.identity = identity;
        message.payload = Some(stored.reference().clone());
        // What was found was found in the bytes before.
        message.report = None;
        let noted = |mut event: Event| {
            event.kind = EventKind::MessageRepaired;
            event.payloads.insert(0, before.clone());
            let digests = json!({ "before": before.sha256, "after": stored.reference().sha256 });
            notes::with_note(notes::with_fact(event, "digests", digests), note)
        };
        let message = self.again(&mut work, message, &caller.actor, self.now(), noted).await?;
        match self.commit_answer(caller, once, work, id, message.brief()).await {
            // Another message has the id that the mended bytes name.
            Err(error) if error.is_conflict("dedup") => Err(Error::IdReused),
            outcome => outcome,
        }
    }

    /// A message whose own id could not be read takes the one that its mended bytes name; any other stays the message
    /// that it is.
    fn take_key(&self, work: &mut Work, message: &mut Message, key: String) -> Result<(), Error> {
        if !message.dedup_key.starts_with("sha256:") {
            return Err(Error::OtherMessage);
        }
        let digest = message.payload.as_ref().map_or("", |payload| payload.sha256.as_str());
        let space = intake::dedup_space(message);
        work.claim_dedup(&message.tenant, &space, &key, message.id, digest, None);
        message.dedup_key = key;
        Ok(())
    }

    /// Rows of another try at a parked message, not before `at`; `noted` completes the event.
    pub(crate) async fn again(
        &self,
        work: &mut Work,
        mut message: Message,
        actor: &Actor,
        at: Timestamp,
        noted: impl FnOnce(Event) -> Event,
    ) -> Result<Message, Error> {
        // What goes out is built or checked anew: what was wrong may have been mended meanwhile. What was sent on was
        // checked when it came.
        let (state, kind) = match message.direction {
            Direction::In => (MessageState::Accepted, "process"),
            Direction::Out if is_sent_on(&message) => (MessageState::Ready, "deliver"),
            Direction::Out => (MessageState::Preparing, "prepare"),
        };
        if message.state != MessageState::Parked {
            return Err(model::Error::WrongState { state: message.state.name() }.into());
        }
        // Harmful bytes are not tried again; mended ones may be.
        if is_harmful(message.report.as_ref()) {
            return Err(Error::ContentUnavailable);
        }
        let now = self.now();
        self.leave_parked(work, &message, actor).await?;
        message.state = state;
        message.updated_at = now;
        message.report = None;
        work.cancel_jobs(&message.tenant, message.id);
        work.update_message(&message, MessageState::Parked);
        work.insert_event(&noted(notes::of_message(EventKind::MessageResent, &message, actor, now)));
        work.enqueue(&NewJob {
            id: ids::new_id(),
            tenant: message.tenant.clone(),
            lane: format!("again:{}", message.partner),
            kind: kind.to_owned(),
            subject: message.id,
            detail: json!(null),
            next_at: at,
            fifo_key: None,
        });
        Ok(message)
    }

    pub(crate) async fn to_repair(&self, caller: &Caller, id: Id) -> Result<Message, Error> {
        let scope = caller.may(Action::ClearMessages)?;
        let found = self.store().message(scope, id).await?;
        found.ok_or_else(|| model::Error::NotFound { kind: "message" }.into())
    }
}

fn repairable(message: &Message) -> Result<(), Error> {
    match (message.direction, message.state) {
        (Direction::In, MessageState::Parked) => Ok(()),
        // What goes out is mended at its records and built anew.
        (Direction::Out, _) => Err(model::Error::WrongState { state: "outgoing" }.into()),
        (_, state) => Err(model::Error::WrongState { state: state.name() }.into()),
    }
}

/// A note is one short text of an operator, without personal data.
pub(crate) fn check_note(note: Option<&str>) -> Result<(), Error> {
    match note {
        Some(note) if !(1..=NOTE_CHARS).contains(&note.chars().count()) => {
            Err(model::Error::Invalid { field: "note" }.into())
        }
        _ => Ok(()),
    }
}
