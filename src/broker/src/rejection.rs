//! Rejections in the form of the rejected message's standard (XInneres 0010, XBau 1100): a message of its own to the partner who sent it,
//! written in the transaction that returns the message. It is then checked and delivered like any that is handed in.

use model::message::Direction;
use model::standard::{Rejecting, Written};
use model::{Actor, Authority, EventKind, FailureKind, Message, MessageState, ids};
use store::{StoredPayload, Work};

use crate::intake::{dedup_key, enqueue_processing};
use crate::reach::best;
use crate::screen::is_harmful;
use crate::{Broker, Error, blocking, intake, notes};

impl Broker {
    /// Whether the sender of a message would be told by its standard that it is rejected.
    pub(crate) async fn may_reject(&self, message: &Message) -> Result<bool, Error> {
        let Some((_, stored)) = self.rejection_of(message).await? else { return Ok(false) };
        self.store().discard(stored).await;
        Ok(true)
    }

    /// Rows of the rejection of a message, if its standard has one and its sender can be reached.
    pub(crate) async fn reject(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        let Some((rejection, stored)) = self.rejection_of(message).await? else { return Ok(()) };
        work.insert_payload(&rejection.tenant, &stored);
        work.insert_message(&rejection);
        let event = notes::of_message(
            EventKind::MessagePrepared,
            &rejection,
            &Actor::gateway(),
            rejection.received_at,
        );
        work.insert_event(&event);
        enqueue_processing(work, &rejection, rejection.received_at);
        Ok(())
    }

    /// Only the partner who brought a message is told, never whom its content names: that anyone may write.
    async fn rejection_of(&self, message: &Message) -> Result<Option<(Message, StoredPayload)>, Error> {
        let partner: Option<Authority> = message.partner.parse().ok();
        let (Direction::In, Some(partner)) = (message.direction, partner) else { return Ok(None) };
        // Nobody is sent harmful content, not even who sent it.
        if message.identity.is_none() || is_harmful(message.report.as_ref()) {
            return Ok(None);
        }
        let id = ids::new_id();
        let by = self.house().contact(&message.authority).cloned().unwrap_or_default();
        let rejecting = Rejecting { message_id: id, created_at: self.now(), by };
        let Some((written, stored)) = self.write_rejection(message, rejecting).await? else {
            return Ok(None);
        };
        let way = best(self.ways_of(message, &partner).await?);
        let Some(way) = way.filter(|way| way.is_usable()) else {
            self.store().discard(stored).await;
            return Ok(None);
        };
        let rejection = Message {
            id,
            direction: Direction::Out,
            door: way.reach.transport.door(),
            dedup_key: format!(
                "{}:{partner}",
                dedup_key(Some(&written.identity), &stored.reference().sha256)
            ),
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
        Ok(Some((rejection, stored)))
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
