//! Step 5, delivering. Partners outside are reached through adapters, see `send`. An authority of this gateway gets the message into
//! its own keeping, by the same first transaction as from any door. Delivered means confirmed by the recipient, later.

use bytes::Bytes;
use futures::StreamExt;
use model::directory::Transport;
use model::exchange::{Exchange, ExchangeStatus, Side};
use model::message::Door;
use model::process::Part;
use model::{
    Actor, Authority, EventKind, Message, MessageState, Record, RecordKind, Scope, command::Change, ids,
};
use store::{Job, StoredPayload, Work};

use crate::exchange::exchange;
use crate::house::{OSCI_ADAPTER, XTA_ADAPTER};
use crate::intake::{Known, dedup_key};
use crate::process::with_finding;
use crate::reach::Tried;
use crate::send::called;
use crate::{Broker, Error, notes, reach};

impl Broker {
    /// Delivers a message that is ready. Doing it again after an interruption delivers it once.
    pub(crate) async fn deliver(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let message = self.store().message(&scope, job.subject).await?;
        let Some(mut message) = message.filter(|message| message.state == MessageState::Ready) else {
            return self.finish(job, Work::new()).await;
        };
        let recipient: Authority = message.partner.parse()?;
        let ways = self.ways_of(&message, &recipient).await?;
        let tried =
            if job.calling { Tried::Open(message.door, called(job)) } else { Tried::Known(message.door) };
        let way = reach::choose(ways, tried)?;
        let door = way.reach.transport.door();
        if message.door != door {
            // Durable before any call: if its outcome stays open, it is asked for where the call went. By which adapter that was
            // is noted with the call itself.
            message.door = door;
            let mut work = Work::new();
            work.update_message(&message, MessageState::Ready);
            self.store().commit(work).await?;
        }
        let tenant = match way.reach.transport {
            Transport::Local { tenant, .. } => tenant,
            Transport::Adapter { id, may_repeat } => {
                return self.send_outside(job, message, &id, may_repeat).await;
            }
            Transport::Osci => return self.send_outside(job, message, OSCI_ADAPTER, false).await,
            Transport::Xta => return self.send_outside(job, message, XTA_ADAPTER, false).await,
            _ => return Err(Error::UnknownAuthority),
        };
        let stored = self.copy_payload(&message, &tenant).await?;
        let received = self.received_copy(&message, &recipient, &tenant, &stored)?;
        self.hand_over(job, message, received, stored).await
    }

    /// Both sides in one transaction: sent here, taken in there.
    async fn hand_over(
        &self,
        job: &Job,
        mut message: Message,
        received: Message,
        stored: StoredPayload,
    ) -> Result<(), Error> {
        let now = self.now();
        message.state = MessageState::Delivered;
        message.updated_at = now;
        let carried = self.carried(&message.tenant, message.id).await?;
        let mut supersedes = None;
        for _ in 0..4 {
            let mut work = self.transaction_one(&received, &stored, supersedes);
            if let Some(carried) = &carried {
                carried.keep(&mut work, &received)?;
            }
            let actor = Actor { kind: "partner".to_owned(), id: received.partner.clone() };
            work.insert_event(&notes::of_message(EventKind::MessageAccepted, &received, &actor, now));
            work.update_message(&message, MessageState::Ready);
            work.insert_event(&notes::of_message(
                EventKind::MessageDelivered,
                &message,
                &Actor::gateway(),
                now,
            ));
            self.note_sent(&mut work, &message).await?;
            match self.finish(job, work).await {
                Err(error) if error.is_conflict("dedup") => {}
                outcome => return outcome,
            }
            match self.known(&received).await? {
                Known::Failed(first) => supersedes = Some(first),
                Known::Nothing => supersedes = None,
                Known::Same(_) | Known::Other => break,
            }
        }
        // The recipient has another message under this id: ours is wrong, and stays here.
        self.store().discard(stored).await;
        message.state = MessageState::Ready;
        message.report = Some(with_finding(message.report.take(), "broker.id-reused"));
        self.park(job, message).await
    }

    /// The message that opens an exchange, or transfers, has gone.
    pub(crate) async fn note_sent(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        let Some(exchange) = self.sending_exchange(message).await? else { return Ok(()) };
        match exchange.when_delivered() {
            Some(status) => self.set_status(work, exchange, status, message).await,
            None => Ok(()),
        }
    }

    /// The exchange that `message` opens, or transfers the objects of, while nothing but its receipt has followed.
    pub(crate) async fn sending_exchange(&self, message: &Message) -> Result<Option<Exchange>, Error> {
        let Some(id) = message.exchange else { return Ok(None) };
        let scope = Scope::tenant(&message.tenant);
        let Some(Record::Exchange(exchange)) = self.store().record(&scope, RecordKind::Exchange, id).await?
        else {
            return Ok(None);
        };
        use ExchangeStatus::{Received, Sending, Sent, TransferReceived, Transferred, Transferring};
        let is_it = match exchange.status {
            Sending | Sent | Received => {
                exchange.messages.first().is_some_and(|first| first.id == message.id)
            }
            Transferring | Transferred | TransferReceived => {
                exchange.last_of(Part::Transfer, Part::Transfer) == Some(message.id)
            }
            _ => false,
        };
        Ok(Some(exchange).filter(|exchange| is_it && exchange.side == Side::Sender))
    }

    /// The exchange stands there now: nobody is reminded of what it waited for, and what came back is locked no longer.
    pub(crate) async fn set_status(
        &self,
        work: &mut Work,
        before: Exchange,
        status: ExchangeStatus,
        message: &Message,
    ) -> Result<(), Error> {
        let (change, actor) = (Change::ExchangeStatus(status), Actor::gateway());
        let after = self.apply(work, &Record::Exchange(before.clone()), change, &actor, Some(message.id))?;
        if status == ExchangeStatus::Returned {
            self.release_circulating(work, &before, &actor, Some(message.id)).await?;
        }
        self.end_reminders(work, &before, &exchange(after)?).await
    }

    /// The bytes once more, sealed with a key of the recipient's tenant: erasing the one leaves the other.
    pub(crate) async fn copy_payload(&self, message: &Message, tenant: &str) -> Result<StoredPayload, Error> {
        let reference = message.payload.as_ref().ok_or(Error::ContentUnavailable)?;
        let payload = self.store().open_payload(&message.tenant, reference.id).await?;
        let mut chunks = std::pin::pin!(payload.stream(0..payload.size()));
        let mut writer = self.store().payload_writer(tenant);
        while let Some(bytes) = chunks.next().await {
            let bytes: Bytes = bytes.map_err(|_| Error::ContentUnavailable)?;
            writer.write(&bytes).await?;
        }
        let stored = writer.finish().await?;
        if stored.reference().sha256 != reference.sha256 {
            self.store().discard(stored).await;
            return Err(Error::DigestMismatch);
        }
        Ok(stored)
    }

    fn received_copy(
        &self,
        message: &Message,
        recipient: &Authority,
        tenant: &str,
        stored: &StoredPayload,
    ) -> Result<Message, Error> {
        let sender = message.authority.to_string();
        // A message that its author has sent on is known here by its ticket; its recipient knows it by what it says.
        let dedup_key = match message.exchange {
            Some(_) => message.dedup_key.clone(),
            None => dedup_key(message.identity.as_ref(), &sender, &stored.reference().sha256),
        };
        Ok(Message {
            id: ids::derived_id(message.id, "received"),
            dedup_key,
            file_name: message.file_name.clone(),
            test: message.test,
            related: Some(message.id),
            ..self.incoming(tenant, recipient, (Door::Local, &sender), message.identity.clone(), stored)?
        })
    }
}
