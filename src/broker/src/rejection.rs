//! Rejections in the form of the rejected message's standard (XInneres 0010, XBau 1100): a message of its own to the partner who sent it,
//! written in the transaction that returns the message. It is then checked and delivered like any that is handed in.

use model::clarification::Side;
use model::message::{Direction, Severity};
use model::standard::{Rejecting, Written};
use model::{Actor, Authority, EventKind, FailureKind, Message, MessageState, ids};
use store::{Job, StoredPayload, Work};

use crate::intake::enqueue_processing;
use crate::reach::best;
use crate::screen::is_harmful;
use crate::{Broker, Error, blocking, intake, notes};

/// What the key of a rejection begins with; behind it stands the id of the message that it rejects.
const REJECTS: &str = "rejects:";

/// Whether a message is a rejection that was written here.
pub(crate) fn is_rejection(message: &Message) -> bool {
    let key = |rejected| format!("{REJECTS}{rejected}");
    message.direction == Direction::Out && message.related.map(key).is_some_and(|it| it == message.dedup_key)
}

/// A rejection that is written and has stood its own check, so that nothing is returned for one that cannot be sent.
struct Rejection {
    message: Message,
    stored: StoredPayload,
}

impl Rejection {
    fn put_into(&self, work: &mut Work) {
        let message = &self.message;
        work.insert_payload(&message.tenant, &self.stored);
        work.insert_message(message);
        let at = message.received_at;
        work.insert_event(&notes::of_message(EventKind::MessagePrepared, message, &Actor::gateway(), at));
        enqueue_processing(work, message, at);
    }
}

impl Broker {
    /// Sends back what its standard does not accept, if its sender learns of it: by its door, or by a rejection. Else it waits for a
    /// human, as does what only this house can mend.
    pub(crate) async fn refuse_message(&self, job: &Job, message: Message) -> Result<(), Error> {
        let rejection = match is_for_sender(&message) {
            true => self.rejection_of(&message).await?,
            false => None,
        };
        if rejection.is_none() && !self.is_told(&message).await? {
            return self.park(job, message).await;
        }
        let mut work = Work::new();
        rejection.iter().for_each(|it| it.put_into(&mut work));
        self.returned(&mut work, message, &Actor::gateway(), None).await?;
        self.finish(job, work).await
    }

    /// Rows of the rejection of a message that somebody returns, if its standard has one and its sender can be reached.
    pub(crate) async fn reject(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        self.rejection_of(message).await?.iter().for_each(|it| it.put_into(work));
        Ok(())
    }

    /// Only the partner who brought a message is told, never whom its content names: that anyone may write. And only for the authority
    /// that the message names as its reader: nobody rejects in the name of another.
    async fn rejection_of(&self, message: &Message) -> Result<Option<Rejection>, Error> {
        let partner: Option<Authority> = message.partner.parse().ok();
        let (Direction::In, Some(partner)) = (message.direction, partner) else { return Ok(None) };
        // Nobody is sent harmful content, not even who sent it.
        if !is_reader(message) || is_harmful(message.report.as_ref()) {
            return Ok(None);
        }
        let way = best(self.ways_of(message, &partner).await?);
        let Some(way) = way.filter(|way| way.is_usable()) else { return Ok(None) };
        let id = ids::new_id();
        let by = self.house().contact(&message.authority).cloned().unwrap_or_default();
        let rejecting = Rejecting { message_id: id, created_at: self.now(), by };
        let Some((written, stored)) = self.write_rejection(message, rejecting).await? else {
            return Ok(None);
        };
        if !self.is_sound(&message.tenant, &written, &stored).await? {
            tracing::warn!(message = %message.id, "its rejection would not be valid and is not sent");
            self.store().discard(stored).await;
            return Ok(None);
        }
        let rejection = Message {
            id,
            direction: Direction::Out,
            door: way.reach.transport.door(),
            dedup_key: format!("{REJECTS}{}", message.id),
            identity: Some(written.identity),
            payload: Some(stored.reference().clone()),
            file_name: Some(written.file_name),
            state: MessageState::Preparing,
            received_at: self.now(),
            updated_at: self.now(),
            report: None,
            related: Some(message.id),
            exchange: None,
            forwarding: None,
            ..message.clone()
        };
        Ok(Some(Rejection { message: rejection, stored }))
    }

    /// Whether a rejection would pass the check that every message has to pass before it leaves.
    async fn is_sound(&self, tenant: &str, written: &Written, stored: &StoredPayload) -> Result<bool, Error> {
        let content = self.store().open_stored(tenant, stored)?;
        let checked = self.check_content(content, Some(written.file_name.clone())).await?;
        Ok(checked.identity.is_some() && checked.report.is_acceptable())
    }

    async fn write_rejection(
        &self,
        message: &Message,
        rejecting: Rejecting,
    ) -> Result<Option<(Written, StoredPayload)>, Error> {
        let Some((identity, payload)) = message.identity.as_ref().zip(message.payload.as_ref()) else {
            return Ok(None);
        };
        let Some(standard) = intake::standard(&self.parts.standards, &identity.standard).cloned() else {
            return Ok(None);
        };
        let content = self.store().open_payload(&message.tenant, payload.id).await?;
        let (broker, tenant) = (self.clone(), message.tenant.clone());
        let report = message.report.clone().unwrap_or_default();
        blocking(move || {
            let mut writer = broker.store().payload_writer_blocking(&tenant);
            match standard.rejection(&rejecting, &report, &mut content.blocking(), &mut writer) {
                Ok(Some(written)) => Ok(Some((written, writer.finish()?))),
                Ok(None) => Ok(None),
                // What is so broken that it cannot be put into a rejection is returned without one.
                Err(failure) if failure.kind == FailureKind::Permanent => Ok(None),
                Err(failure) => Err(failure.into()),
            }
        })
        .await
    }
}

/// Whether all that is wrong with a message is for its sender to mend.
fn is_for_sender(message: &Message) -> bool {
    let findings = message.report.iter().flat_map(|report| &report.findings);
    let mut errors = findings.filter(|finding| finding.severity == Severity::Error);
    errors.all(|finding| Side::of(&finding.rule, Direction::In) == Side::Sender)
}

/// Whether a message names the authority that it has come to as its reader.
fn is_reader(message: &Message) -> bool {
    let recipient = message.identity.as_ref().and_then(|identity| identity.recipient.as_ref());
    recipient.and_then(|recipient| recipient.authority.as_ref()) == Some(&message.authority)
}
