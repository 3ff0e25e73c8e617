//! A payment as its provider has to know it. The same payment always makes the same order.

use std::sync::Arc;
use std::time::Duration;

use model::payment::provider::{Order, Provider};
use model::payment::{BookingLine, Claim, Payment, Registers};
use model::{Failure, FailureKind, Id, Record, RecordKind, Scope, Timestamp, ids};
use store::{Job, LaneFailure, NewJob, PaymentDoor, Work};
use tokio::time::timeout;

use super::Payments;
use super::books::{Books, claim_of, payment_of, task};
use super::notice::NoticeDoor;
use crate::{Broker, Error};

/// Kinds of the jobs.
pub(crate) const START: &str = "payment-start";
pub(crate) const PULL: &str = "payment-pull";
pub(crate) const REFUND: &str = "payment-refund";

/// Longest time of a call. Adapters end earlier by themselves; none may hold a place for ever.
const LONGEST_CALL: Duration = Duration::from_secs(120);

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A payment with all that a call about it needs.
pub(super) struct Ordered {
    pub(super) payment: Payment,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) door: PaymentDoor,
    pub(super) order: Order,
}

impl Broker {
    /// A payment of the whole tenant.
    pub(super) async fn payment_of(&self, tenant: &str, id: Id) -> Result<Payment, Error> {
        payment_of(self.owned(&Scope::tenant(tenant), RecordKind::Payment, id).await?)
    }

    /// A payment with its provider and its order; `None` if its provider is not configured (any more), or it has none.
    pub(super) async fn ordered(&self, payment: Payment) -> Result<Option<Ordered>, Error> {
        let payments = self.payments()?;
        let tenant = &payment.meta.tenant;
        let Some(provider) = payments.providers.get(&payment.provider) else { return Ok(None) };
        let Some(door) = self.store().payment_door(tenant, payment.meta.id).await? else { return Ok(None) };
        let claim = self.owned(&Scope::tenant(tenant), RecordKind::Claim, payment.claim_id).await?;
        let claim = claim_of(claim)?;
        let [notify, comes_back] = self.store().open_door(&door)?.tokens();
        let url = |door: NoticeDoor, token: &str| {
            format!("{}/payments/{}/{}/{token}", payments.public_url, payment.provider, door.name())
        };
        let order = Order {
            payment_id: payment.meta.id,
            request_id: payment.request_id.clone(),
            amount_cents: payment.amount_cents,
            purpose: claim.purpose.clone(),
            cash_reference: payments.given_reference(&claim, &payment),
            lines: self.lines(&claim, &payment),
            payer: claim.payer.clone(),
            notify_url: url(NoticeDoor::Notify, &notify),
            return_url: url(NoticeDoor::Return, &comes_back),
            created_at: payment.meta.created_at,
            deadline: payment.deadline,
            due: claim.due.clone(),
        };
        Ok(Some(Ordered { payment, provider: Arc::clone(provider), door, order }))
    }

    /// The claim's own lines if the whole of it is paid, else one line; their amounts add up to the payment's.
    fn lines(&self, claim: &Claim, payment: &Payment) -> Vec<BookingLine> {
        if !claim.lines.is_empty() && payment.amount_cents == claim.amount_cents {
            return claim.lines.clone();
        }
        let account = self.payments.as_ref().and_then(|it| it.account(&claim.meta.tenant, &claim.account));
        let first = claim.lines.first();
        let budget_item = account.and_then(|account| account.budget_item.clone());
        let cost_object = account.and_then(|account| account.cost_object.clone());
        vec![BookingLine {
            description: claim.purpose.clone(),
            amount_cents: payment.amount_cents,
            budget_item: budget_item.or_else(|| first?.budget_item.clone()),
            cost_object: cost_object.or_else(|| first?.cost_object.clone()),
            ..BookingLine::default()
        }]
    }

    /// The job that asks where a payment stands. There is one for each payment.
    pub(super) fn pull_job(&self, payment: &Payment, at: Timestamp) -> NewJob {
        let id = ids::derived_id(payment.meta.id, "pull");
        money_job(id, "pay", PULL, payment, at)
    }

    /// Has the provider asked at `at`, or before if that was to be.
    pub(super) fn ask_at(&self, work: &mut Work, payment: &Payment, at: Timestamp) {
        let job = self.pull_job(payment, at);
        work.enqueue_call(&job, None).hasten_job(job.id, at);
    }

    /// How a call to the provider of a job's lane went is noted on the lane, unless we are to blame ourselves.
    pub(super) async fn note_call<T>(&self, job: &Job, outcome: &Result<T, Failure>) -> Result<(), Error> {
        let noted = match outcome {
            Ok(_) => None,
            Err(failure) => match failure.kind {
                FailureKind::Permanent => return Ok(()),
                FailureKind::Rejected => None,
                FailureKind::Transient | FailureKind::Unauthorised | FailureKind::Uncertain => {
                    Some(LaneFailure {
                        code: failure.code.to_string(),
                        asked: failure.retry_after,
                        jitter: fastrand::f64(),
                    })
                }
            },
        };
        Ok(self.store().note_lane(&job.tenant, &job.lane, noted).await?)
    }

    /// A task for whoever keeps the account: somebody has to see to it, by its code. One a day for each provider and code.
    pub(super) async fn tell_trouble(&self, payment: &Payment, code: &str, title: &str) -> Result<(), Error> {
        let now = self.now();
        let day = now.micros().div_euclid(DAY_MICROS);
        let midnight = ids::id_at(Timestamp::from_micros(day * DAY_MICROS));
        let mut fixed = [0; 16];
        fixed[..6].copy_from_slice(&midnight.as_bytes()[..6]);
        let tenant = &payment.meta.tenant;
        let id = ids::derived_id(Id::from_bytes(fixed), &format!("{tenant}:{}:{code}", payment.provider));
        self.make_task(payment, id, code, title).await
    }

    /// A task about a payment, unless there is one of this id.
    pub(super) async fn make_task(
        &self,
        payment: &Payment,
        id: Id,
        kind: &str,
        title: &str,
    ) -> Result<(), Error> {
        let tenant = &payment.meta.tenant;
        if self.store().record_any(&Scope::tenant(tenant), id).await?.is_some() {
            return Ok(());
        }
        let mut books = Books::open(self, tenant, &model::Actor::gateway());
        let claim = books.claim(payment.claim_id).await?;
        let unit = books.account_of(&claim).and_then(|account| account.unit.clone());
        let task = task(id, payment, &claim, unit, kind, title, self.now());
        books.create(Record::Task(task))?;
        match self.store().commit(books.work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("record") => Ok(()),
            outcome => outcome,
        }
    }
}

impl Payments {
    /// The Kassenzeichen that the provider is given: the claim's, unless the provider makes one for each payment.
    fn given_reference(&self, claim: &Claim, payment: &Payment) -> Option<String> {
        let account = self.account(&claim.meta.tenant, &claim.account);
        match account.map(|account| account.registers) {
            Some(Registers::Provider) => payment.cash_reference.clone(),
            _ => claim.cash_reference.clone(),
        }
    }
}

/// A job about a payment in a lane of its provider. Starts have one of their own: a payer waits for them.
pub(super) fn money_job(id: Id, lane: &str, kind: &str, payment: &Payment, at: Timestamp) -> NewJob {
    NewJob {
        id,
        tenant: payment.meta.tenant.clone(),
        lane: format!("{lane}:{}", payment.provider),
        kind: kind.to_owned(),
        subject: payment.meta.id,
        detail: serde_json::json!({}),
        next_at: at,
        fifo_key: None,
    }
}

/// A call that has an end. `kind` says what is known if it took too long.
pub(super) async fn within<T>(
    kind: FailureKind,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let too_long = || Failure::new(kind, "broker.call-too-long", "the call took too long");
    timeout(LONGEST_CALL, call).await.unwrap_or_else(|_| Err(too_long()))
}
