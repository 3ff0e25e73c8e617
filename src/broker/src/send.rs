//! Deliveries through an adapter, where nobody knows what became of a call that got no answer.
//!
//! Before a call its job is marked durably. Whoever finds the mark, after a crash or a lost answer, does not know whether
//! the message has arrived: where the other side knows deliveries by their id it is sent again, else the other side is
//! asked ([`reconcile`](model::adapter::Adapter::reconcile)), and where it cannot be asked a human has to.

use std::sync::Arc;
use std::time::Duration;

use model::adapter::{Adapter, Capability, Delivery, Host, Receipt, Sources};
use model::{Actor, EventKind, Failure, FailureKind, Message, MessageState};
use serde_json::{Value, json};
use store::{Job, LaneFailure, Work};
use tokio::time::timeout;

use crate::channels::Kept;
use crate::process::with_finding;
use crate::{Broker, Error, notes, retry};

/// Member of the job's detail: the adapter that was called.
const CALLED: &str = "adapter";
/// Longest time of one call. Adapters end earlier by themselves; none may hold a place for ever.
const LONGEST_CALL: Duration = Duration::from_secs(6 * 3_600);

/// The adapter that is called.
pub(crate) struct Called<'a> {
    pub(crate) id: &'a str,
    pub(crate) adapter: &'a dyn Adapter,
    /// Where it may note something before the other side is told the last word; of messages it may not.
    pub(crate) host: Option<Arc<dyn Host>>,
}

impl Broker {
    /// Delivers a message that is ready through the adapter `id`.
    pub(crate) async fn send_outside(
        &self,
        job: &Job,
        message: Message,
        id: &str,
        may_repeat: bool,
    ) -> Result<(), Error> {
        let Some(adapter) = self.adapters.get(id) else {
            return Err(Failure::permanent("broker.no-adapter", "the partner's adapter is not there").into());
        };
        let delivery = self.delivery_of(&message).await?;
        let content = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        let source = Kept { broker: self.clone(), tenant: message.tenant.clone(), content };
        let called = Called { id, adapter: &**adapter, host: None };
        let receipt = self.call_adapter(job, called, &delivery, &[Box::new(source)], may_repeat).await?;
        self.sent(job, message, receipt, &**adapter).await
    }

    /// Calls an adapter for a delivery, or finds out what became of an earlier call.
    pub(crate) async fn call_adapter(
        &self,
        job: &Job,
        called: Called<'_>,
        delivery: &Delivery,
        sources: Sources<'_>,
        may_repeat: bool,
    ) -> Result<Receipt, Error> {
        let Called { id, adapter, host } = called;
        let offers = |capability| adapter.descriptor().capabilities.contains(&capability);
        // What an earlier attempt left open, and this one does not answer.
        let mut unknown = job.calling;
        if unknown && !may_repeat {
            if !offers(Capability::Reconcile) {
                return Err(uncertain().into());
            }
            match self.bounded(adapter.reconcile(delivery)).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) if is_doubted(job) && adapter.descriptor().asks_by_notes => {
                    return Err(uncertain().into());
                }
                Ok(None) => unknown = false,
                Err(failure) => return Err(self.blamed(job, may_be_asked(failure, true)).await?.into()),
            }
            if job.expires_at.is_some_and(|end| end <= self.now()) {
                return Err(retry::too_late(&Job { calling: false, ..job.clone() }).into());
            }
        }
        self.begin_call(job, id).await?;
        let delivered = match host {
            Some(host) => self.bounded(adapter.deliver_noting(delivery, sources, host)).await,
            None => self.bounded(adapter.deliver(delivery, sources)).await,
        };
        let failure = match delivered {
            Ok(receipt) => return Ok(receipt),
            Err(failure) => failure,
        };
        if failure.kind != FailureKind::Uncertain && !unknown {
            self.end_call(job).await?;
        }
        let can_ask = may_repeat || offers(Capability::Reconcile);
        Err(self.blamed(job, may_be_asked(failure, can_ask)).await?.into())
    }

    pub(crate) async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let too_long = || {
            let why = "the call took too long";
            Failure::new(FailureKind::Uncertain, "broker.call-too-long", why)
        };
        timeout(LONGEST_CALL, call).await.unwrap_or_else(|_| Err(too_long()))
    }

    /// Durable before the call, with the adapter that is called: nobody else can say what became of it.
    async fn begin_call(&self, job: &Job, adapter: &str) -> Result<(), Error> {
        let mut work = Work::new();
        work.begin_call(job.id, job.epoch, &json!({ CALLED: adapter }));
        Ok(self.store().commit(work).await?)
    }

    async fn end_call(&self, job: &Job) -> Result<(), Error> {
        let mut work = Work::new();
        work.mark_call(job.id, job.epoch, false);
        Ok(self.store().commit(work).await?)
    }

    /// Notes on the lane that the other side is to blame, unless it gave an answer or we are to blame ourselves.
    async fn blamed(&self, job: &Job, failure: Failure) -> Result<Failure, Error> {
        let noted = match failure.kind {
            FailureKind::Permanent => return Ok(failure),
            _ if failure.alone => None,
            FailureKind::Rejected => None,
            FailureKind::Transient | FailureKind::Unauthorised | FailureKind::Uncertain => {
                Some(LaneFailure {
                    code: failure.code.to_string(),
                    asked: failure.retry_after,
                    jitter: fastrand::f64(),
                })
            }
        };
        self.store().note_lane(&job.tenant, &job.lane, noted).await?;
        Ok(failure)
    }

    /// The other side has the message, or is on the way with it.
    async fn sent(
        &self,
        job: &Job,
        mut message: Message,
        receipt: Receipt,
        adapter: &dyn Adapter,
    ) -> Result<(), Error> {
        if let Some(rule) = receipt.clarify {
            return self.arrived_but(job, message, rule).await;
        }
        let now = self.now();
        message.state = MessageState::Delivered;
        message.updated_at = now;
        let mut work = Work::new();
        let mut event = notes::of_message(EventKind::MessageDelivered, &message, &Actor::gateway(), now);
        if let Some(Value::Object(detail)) = &mut event.detail {
            detail.insert("receipt".to_owned(), json!(receipt));
        }
        work.insert_event(&event);
        if receipt.confirmed {
            message.state = MessageState::Confirmed;
            let partner = Actor { kind: "partner".to_owned(), id: message.partner.clone() };
            work.insert_event(&notes::of_message(EventKind::MessageConfirmed, &message, &partner, now));
        }
        work.update_message(&message, MessageState::Ready);
        self.enqueue_follow(&mut work, &message, adapter, &receipt);
        self.note_sent(&mut work, &message).await?;
        self.finish(job, work).await?;
        Ok(self.store().note_lane(&job.tenant, &job.lane, None).await?)
    }

    /// The other side has the message, and something is left that only a human can see to.
    async fn arrived_but(&self, job: &Job, mut message: Message, rule: &str) -> Result<(), Error> {
        let mut work = Work::new();
        self.note_sent(&mut work, &message).await?;
        message.report = Some(with_finding(message.report.take(), rule));
        self.parked(&mut work, message, &Actor::gateway(), None)?;
        self.finish(job, work).await?;
        Ok(self.store().note_lane(&job.tenant, &job.lane, None).await?)
    }

    /// What the adapter is told, with what another transport carried with the message.
    pub(crate) async fn delivery_of(&self, message: &Message) -> Result<Delivery, Error> {
        let mut delivery = delivery(message);
        if let Some(carried) = self.carried(&message.tenant, message.id).await? {
            if !carried.metadata.is_null() {
                delivery.detail["xta"] = carried.metadata;
            }
            delivery.detail["container"] = json!(carried.container);
        }
        Ok(delivery)
    }
}

/// The adapter of a call whose outcome is not known; nothing if there is none, or it was begun before that was noted.
pub(crate) fn called(job: &Job) -> Option<&str> {
    if job.calling { job.detail[CALLED].as_str() } else { None }
}

/// Whether nobody knows of a call, and there may have been one all the same: the store was restored, and what happened since is not in it.
pub(crate) fn is_doubted(job: &Job) -> bool {
    job.calling && called(job).is_none()
}

fn uncertain() -> Failure {
    Failure::new(FailureKind::Uncertain, "broker.uncertain", "nobody knows whether the message has arrived")
}

/// An unclear outcome is passing trouble as long as somebody can be asked about it.
fn may_be_asked(failure: Failure, can_ask: bool) -> Failure {
    match failure.kind {
        FailureKind::Uncertain if can_ask => Failure { kind: FailureKind::Transient, ..failure },
        _ => failure,
    }
}

/// What the adapter is told about the message beside its content.
fn delivery(message: &Message) -> Delivery {
    let identity = message.identity.as_ref();
    let payload = message.payload.as_ref();
    Delivery {
        id: message.id,
        tenant: message.tenant.clone(),
        kind: "message".to_owned(),
        record: None,
        about: None,
        detail: json!({
            "from": message.authority,
            "to": message.partner,
            "service": message.public_service,
            "standard": identity.map(|identity| &identity.standard),
            "version": identity.map(|identity| &identity.version),
            "type": identity.map(|identity| &identity.message_type),
            "processId": identity.and_then(|identity| identity.process_id),
            "fileName": message.file_name,
            "size": payload.map(|payload| payload.size),
            "sha256": payload.map(|payload| &payload.sha256),
            "test": message.test,
        }),
    }
}
