//! Messages for an authority whose reader looks into a message box: whatever door they come by, they wait there as a delivery
//! of the relay instead of being translated into cases. What answers an exchange that was begun here is noted here all the
//! same. Closing such a delivery confirms the message, and that of a sender in the house with it.

use std::time::Duration;

use model::exchange::Side;
use model::message::Door;
use model::{Actor, Authority, EventKind, Message, MessageState, Report, Scope};
use serde_json::{Value, json};
use store::{Job, RelayDelivery, RelayStage, Work};

use crate::carried::Carried;
use crate::process::with_finding;
use crate::relay::no_delivery;
use crate::{Broker, Error, notes};

/// How long is waited at least for somebody who fetches a message that cannot go back.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// The mailbox of a party whose messages are fetched by XTA.
pub fn message_box(party: &str) -> String {
    format!("xta:{party}")
}

/// Whether a delivery is a message that came by another way and was put into the box here.
fn was_put_here(delivery: &RelayDelivery) -> bool {
    delivery.body.read::<Value>().is_some_and(|body| body["single"].is_boolean())
}

impl Broker {
    /// Whether the readers of a message's authority look into a message box.
    pub(crate) fn has_box(&self, message: &Message) -> bool {
        self.house().authority(&message.tenant, &message.authority).is_some_and(|entry| entry.xta_box)
    }

    /// Whether a message is several contents for a message box, which are no message that anybody here could check.
    pub(crate) async fn is_boxed_container(&self, message: &Message) -> Result<bool, Error> {
        if !self.has_box(message) {
            return Ok(false);
        }
        Ok(self.carried(&message.tenant, message.id).await?.is_some_and(|carried| carried.container))
    }

    /// Whether a message that was checked goes into the message box: nothing speaks against it but that no standard knows it, and
    /// it answers nothing that was begun here.
    pub(crate) async fn goes_into_box(&self, message: &Message) -> Result<bool, Error> {
        let process = message.identity.as_ref().and_then(|identity| identity.process_id);
        let is_sound = |report: &Report| {
            let mut findings = report.findings.iter();
            report.is_acceptable() || findings.all(|finding| finding.rule == "message.unknown")
        };
        if !self.has_box(message) || !message.report.as_ref().is_none_or(is_sound) {
            return Ok(false);
        }
        Ok(self.exchange_of(message, process, Side::Sender).await?.is_none())
    }

    /// Puts an accepted message into the message box of its authority. Doing it again after an interruption changes nothing.
    pub(crate) async fn put_into_box(&self, job: &Job, message: Message) -> Result<(), Error> {
        let carried = self.carried(&message.tenant, message.id).await?.unwrap_or_default();
        let delivery = self.boxed(&message, carried).await?;
        let now = self.now();
        let boxed =
            Message { state: MessageState::Processed, updated_at: now, report: None, ..message.clone() };
        let mut work = Work::new();
        work.update_message(&boxed, MessageState::Accepted);
        work.discard_staged(&boxed.tenant, boxed.id);
        let event = notes::of_message(EventKind::MessageProcessed, &boxed, &Actor::gateway(), now);
        let place = json!({ "ticket": delivery.ticket, "mailbox": delivery.mailbox });
        work.insert_event(&notes::with_fact(event, "relay", place));
        work.finish_job(job.id, job.epoch);
        work.insert_relay_delivery(&delivery, self.relay_limits.mailbox);
        match self.store().commit(work).await.map_err(Error::from) {
            // Somebody else's message has this id there.
            Err(error) if error.is_conflict("relay delivery") => {
                let report = Some(with_finding(message.report.clone(), "broker.id-reused"));
                self.park(job, Message { report, ..message }).await
            }
            Err(error) if error.is_conflict("relay mailbox") => {
                let why = "the message box is full";
                Err(model::Failure::transient("relay.mailbox-full", why).into())
            }
            outcome => outcome,
        }
    }

    async fn boxed(&self, message: &Message, carried: Carried) -> Result<RelayDelivery, Error> {
        let size = message.payload.as_ref().map_or(0, |payload| payload.size);
        let now = self.now();
        let expires_at = carried.ends(now.plus(self.ttl(message)));
        let related = match carried.related.is_empty() {
            true => self.answered_ids(message).await?,
            false => carried.related,
        };
        let known = Some(carried.metadata).filter(|metadata| !metadata.is_null());
        let single = !carried.container;
        let mut body = json!({ "bytes": single.then_some(size), "single": single });
        match known {
            Some(metadata) => body["meta"] = metadata,
            None => body["letter"] = self.letter(message, &related),
        }
        body["file"] = json!(message.file_name);
        Ok(RelayDelivery {
            message: message.id,
            tenant: message.tenant.clone(),
            unit: message.unit.clone(),
            public_service: message.public_service.clone(),
            ticket: carried.ticket.unwrap_or_else(|| self.box_ticket(message)),
            mailbox: message_box(message.authority.as_str()),
            originator: message.partner.clone(),
            addressee: message.authority.to_string(),
            subject: None,
            size,
            stage: RelayStage::Waiting,
            created_at: message.received_at,
            forwarded_at: None,
            received_at: None,
            modified_at: now,
            expires_at,
            body: body.into(),
            enters_at: now,
            related,
        })
    }

    /// A delivery whose time is over goes back to its sender, unless that was told long ago that it has arrived and hears no more: then it
    /// stays until it is fetched, whatever its author said of its time.
    pub(crate) async fn expire_delivery(&self, delivery: RelayDelivery) -> Result<(), Error> {
        let scope = Scope::tenant(&delivery.tenant);
        let message = self.store().message(&scope, delivery.message).await?;
        let message = message.ok_or_else(no_delivery)?;
        let mut work = Work::new();
        if !was_put_here(&delivery) || self.is_told(&message).await? {
            return self.send_back(work, delivery, message, "message.expired", &Actor::gateway()).await;
        }
        tracing::warn!(message = %message.id, "nobody has fetched a message in time whose sender cannot be told");
        let stage = delivery.stage;
        work.update_relay_delivery(
            &RelayDelivery { expires_at: self.now().plus(FOR_EVER), ..delivery },
            stage,
        );
        Ok(self.store().commit(work).await?)
    }

    /// The id of a message that has none of its own.
    fn box_ticket(&self, message: &Message) -> String {
        format!("urn:de:xta:messageid:{}:{}", self.house().box_server(), message.id)
    }

    /// What is known of a message whose author gave no metadata: for the transport to make some of.
    fn letter(&self, message: &Message, related: &[String]) -> Value {
        let identity = message.identity.as_ref();
        let content_says = || identity.and_then(|identity| identity.sender.as_ref()?.authority.clone());
        let from: Option<Authority> = message.partner.parse().ok().or_else(content_says);
        let from = from.map_or_else(|| message.partner.clone(), |from| from.to_string());
        let named = identity.and_then(|identity| identity.sender.as_ref()?.name.clone());
        let reader = self.house().authority(&message.tenant, &message.authority);
        json!({
            "id": self.box_ticket(message),
            "from": from,
            "fromName": named,
            "to": message.authority,
            "toName": reader.map(|entry| &entry.name),
            "service": message.public_service,
            "standard": identity.map(|identity| &identity.standard),
            "version": identity.map(|identity| &identity.version),
            "type": identity.map(|identity| &identity.message_type),
            "name": identity.map(|identity| &identity.name),
            "processId": identity.and_then(|identity| identity.process_id),
            "inReplyTo": related,
            "test": message.test,
        })
    }

    /// Under which ids its reader knows what a message answers: what came to an authority of the house by XTA before.
    async fn answered_ids(&self, message: &Message) -> Result<Vec<String>, Error> {
        let sent = match message.door {
            Door::Local => self.sent_copy(message).await?,
            _ => None,
        };
        let Some((sent, answered)) = sent.and_then(|sent| sent.related.map(|id| (sent, id))) else {
            return Ok(Vec::new());
        };
        let carried = self.carried(&sent.tenant, answered).await?;
        Ok(carried.and_then(|carried| carried.ticket).into_iter().collect())
    }
}
