//! Messages that a system of an authority hands in as they are, for somebody else: taken in by the first transaction like any, then
//! checked by their standard, and delivered. From then on they are outgoing messages like those of exchanges.

use model::message::{Direction, Finding, Message, Report};
use model::standard::Identity;
use model::{Actor, Authority, EventKind, Failure, MessageState, ids};
use store::{Job, StoredPayload, Work};

use crate::intake::dedup_key;
use crate::reach::best;
use crate::{Broker, Error, notes};

impl Broker {
    /// A message from an authority of the house to somebody else that is handed in now.
    ///
    /// # Errors
    /// `UnknownAuthority`, `TooLarge`, or what keeps every way from being used.
    pub(crate) async fn handed_in(
        &self,
        tenant: &str,
        (from, to): (&Authority, &Authority),
        identity: Option<Identity>,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let size = stored.reference().size;
        let ways = self.ways_onward(tenant, from, to, Some(size)).await?;
        let way = best(ways).ok_or(Error::UnknownAuthority)?;
        let limit = way.reach.most_bytes.min(self.most_bytes());
        match way.obstacle {
            _ if size > limit => return Err(Error::TooLarge { limit }),
            Some(rule) => {
                return Err(Failure::permanent(rule, "no way to the recipient can be used").into());
            }
            None => {}
        }
        let from = self.house().authority(tenant, from).ok_or(Error::UnknownAuthority)?;
        let now = self.now();
        Ok(Message {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            authority: from.key.clone(),
            unit: from.unit.clone(),
            public_service: None,
            direction: Direction::Out,
            door: way.reach.transport.door(),
            partner: to.to_string(),
            // The same message to somebody else is another one.
            dedup_key: format!("{}:{to}", dedup_key(identity.as_ref(), &stored.reference().sha256)),
            identity,
            payload: Some(stored.reference().clone()),
            file_name: None,
            test: false,
            state: MessageState::Preparing,
            received_at: now,
            updated_at: now,
            report: None,
            related: None,
            exchange: None,
            forwarding: None,
        })
    }

    /// Checks a message that was handed in. What its standard refuses goes back; what nobody can be reached for waits.
    pub(crate) async fn prepare_handed_in(&self, job: &Job, mut message: Message) -> Result<(), Error> {
        let payload = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        let content = self.store().open_payload(&job.tenant, payload.id).await?;
        let checked = self.check_content(content, message.file_name.clone()).await?;
        let now = self.now();
        message.updated_at = now;
        message.identity = checked.identity;
        let mut report = checked.report;
        if !report.is_acceptable() {
            message.report = Some(report);
            return self.return_message(job, message).await;
        }
        let recipient: Authority = message.partner.parse()?;
        match best(self.ways_of(&message, &recipient).await?) {
            None => report.add(Finding::error("broker.unknown-authority")),
            Some(way) => {
                message.door = way.reach.transport.door();
                way.obstacle.into_iter().for_each(|rule| report.add(Finding::error(rule)));
            }
        }
        let is_ready = report.is_acceptable();
        message.report = Some(report).filter(|report| *report != Report::default());
        message.related = self.meant_by(&message).await?.map(|meant| meant.id);
        let mut work = Work::new();
        if !is_ready {
            self.parked(&mut work, message, &Actor::gateway(), None)?;
            return self.finish(job, work).await;
        }
        message.state = MessageState::Ready;
        work.update_message(&message, MessageState::Preparing);
        work.insert_event(&notes::of_message(EventKind::MessagePrepared, &message, &Actor::gateway(), now));
        self.enqueue_delivery(&mut work, &message);
        self.finish(job, work).await
    }
}
