//! The one place where claims and payments change: each change with everything that follows from it (event, bookings, what was paid
//! towards the claim, Kassenzeichen, the task of whoever has to decide), gathered into one unit of work.
//!
//! Bookings follow from the difference of a payment before and after, so nothing is booked twice or left out. Records are kept as
//! they will be, so several changes of the same one may stand in one unit. Whatever others change meanwhile is a conflict of the
//! commit, and everything is decided anew ([`Broker::anew`]).

use std::collections::BTreeMap;
use std::time::Duration;

use model::activity::Task;
use model::command::{Change, Command, PaymentChange};
use model::payment::booking::{of_claim, of_payment};
use model::payment::claim::SHORTEST_REFERENCE;
use model::payment::record::Decision;
use model::payment::{Account, Booking, BookingKind, Claim, ClaimStatus, ClearingReason, Payment, Registers};
use model::record::Meta;
use model::{Actor, Caller, Decided, Id, Record, RecordKind, Scope, Timestamp, decide, ids};
use serde::de::DeserializeOwned;
use store::{BookingFilter, CASH_REFERENCES, Page, Work};

use crate::{Broker, Error, Once, notes};

/// How often five attempts are made, because others changed the same: many who number claims of one account meet here.
const ROUNDS: usize = 8;

/// Preconditions of the store that are decided anew if they do not hold.
const DECIDED_ANEW: [&str; 5] = ["root", "reference", "counter", "line", "hints"];

/// Claims and payments of a tenant, as they are changed by one unit of work.
pub(crate) struct Books<'a> {
    broker: &'a Broker,
    tenant: String,
    actor: Actor,
    now: Timestamp,
    claims: BTreeMap<Id, Claim>,
    payments: BTreeMap<Id, Payment>,
    tasks: BTreeMap<Id, Record>,
    /// What is to be written so far. Others may add to it.
    pub(crate) work: Work,
}

impl<'a> Books<'a> {
    /// Nothing yet; `actor` stands in the events.
    pub(crate) fn open(broker: &'a Broker, tenant: &str, actor: &Actor) -> Self {
        Books {
            broker,
            tenant: tenant.to_owned(),
            actor: actor.clone(),
            now: broker.now(),
            claims: BTreeMap::new(),
            payments: BTreeMap::new(),
            tasks: BTreeMap::new(),
            work: Work::new(),
        }
    }

    /// The time of all that is changed here.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// A claim as it is now.
    pub(crate) async fn claim(&mut self, id: Id) -> Result<Claim, Error> {
        if let Some(known) = self.claims.get(&id) {
            return Ok(known.clone());
        }
        let record = self.broker.owned(&Scope::tenant(&self.tenant), RecordKind::Claim, id).await?;
        let claim = claim_of(record)?;
        self.claims.insert(id, claim.clone());
        Ok(claim)
    }

    /// A payment as it is now.
    pub(crate) async fn payment(&mut self, id: Id) -> Result<Payment, Error> {
        if let Some(known) = self.payments.get(&id) {
            return Ok(known.clone());
        }
        let record = self.broker.owned(&Scope::tenant(&self.tenant), RecordKind::Payment, id).await?;
        let payment = payment_of(record)?;
        self.payments.insert(id, payment.clone());
        Ok(payment)
    }

    /// Payments towards a claim that this unit of work has looked at, or made.
    pub(crate) fn made_towards(&self, claim: Id) -> Vec<Id> {
        let towards = self.payments.values().filter(|payment| payment.claim_id == claim);
        towards.map(|payment| payment.meta.id).collect()
    }

    /// A claim comes into being; where the gateway registers claims, it is booked.
    pub(crate) fn make_claim(&mut self, claim: Claim, registers: Registers) -> Result<Claim, Error> {
        let claim = claim_of(self.create(Record::Claim(claim))?)?;
        if let Some(reference) = &claim.cash_reference {
            self.work.take_reference(&self.tenant, CASH_REFERENCES, reference, claim.meta.id);
        }
        if registers == Registers::Gateway {
            self.book(&of_claim(&claim, BookingKind::Claim, self.now));
        }
        self.claims.insert(claim.meta.id, claim.clone());
        Ok(claim)
    }

    /// A payment comes into being, on which nothing was paid yet.
    pub(crate) fn make_payment(&mut self, payment: Payment) -> Result<Payment, Error> {
        let payment = payment_of(self.create(Record::Payment(payment))?)?;
        self.payments.insert(payment.meta.id, payment.clone());
        Ok(payment)
    }

    /// Changes a claim.
    pub(crate) async fn change_claim(&mut self, id: Id, change: Change) -> Result<Claim, Error> {
        let before = self.claim(id).await?;
        if let Change::AssignCashReference(reference) = &change {
            self.work.take_reference(&self.tenant, CASH_REFERENCES, reference, id);
        }
        let cancels = matches!(change, Change::CancelClaim);
        let claim = claim_of(self.changed(&Record::Claim(before), change)?)?;
        if cancels && self.is_booked(&claim).await? {
            self.book(&of_claim(&claim, BookingKind::Cancellation, self.now));
        }
        self.claims.insert(id, claim.clone());
        Ok(claim)
    }

    /// Whether the cash system was, or will be, told of a claim: whatever the configuration says by now.
    async fn is_booked(&self, claim: &Claim) -> Result<bool, Error> {
        let kind = Some(BookingKind::Claim);
        let filter = BookingFilter { claim: Some(claim.meta.id), kind, ..BookingFilter::default() };
        let scope = Scope::tenant(&self.tenant);
        let page = Page { after: None, limit: 1 };
        Ok(!self.broker.store().bookings(&scope, &filter, &page).await?.items.is_empty())
    }

    /// Changes a payment, and what follows from that. A change that makes no difference leaves nothing.
    pub(crate) async fn change(&mut self, id: Id, change: PaymentChange) -> Result<Payment, Error> {
        let mut next = Some(change);
        while let Some(change) = next.take() {
            let before = self.payment(id).await?;
            let current = Record::Payment(before.clone());
            let decided = self.decide(Some(&current), Change::Payment(Box::new(change)))?;
            if is_same(&current, &decided.record) {
                break;
            }
            self.put(&decided);
            let after = payment_of(decided.record)?;
            self.payments.insert(id, after.clone());
            next = self.follow(&before, &after).await?;
        }
        self.payment(id).await
    }

    /// What follows from a payment's change; what it gives is to be changed next.
    async fn follow(&mut self, before: &Payment, after: &Payment) -> Result<Option<PaymentChange>, Error> {
        let id = after.meta.id;
        if let (None, Some(reference)) = (&before.reference, &after.reference) {
            self.work.take_reference(&self.tenant, &after.provider, reference, id);
        }
        self.name_claim(after).await?;
        let claim = self.claim(after.claim_id).await?;
        for booking in of_payment(&self.as_booked(&claim, after), Some(before), after, self.now) {
            self.book(&booking);
        }
        self.keep_task(before, after).await?;
        let kept = after.kept_cents() - before.kept_cents();
        if kept == 0 {
            return Ok(None);
        }
        let paid = self.change_claim(after.claim_id, Change::PaidTowards(kept)).await?;
        Ok(if kept > 0 { too_much(&claim, &paid, after) } else { None })
    }

    /// A claim as a payment of it is booked: where the provider makes the Kassenzeichen, each payment has its own.
    fn as_booked(&self, claim: &Claim, payment: &Payment) -> Claim {
        let mut claim = claim.clone();
        if self.by_provider(&claim) && payment.cash_reference.is_some() {
            claim.cash_reference.clone_from(&payment.cash_reference);
        }
        claim
    }

    fn by_provider(&self, claim: &Claim) -> bool {
        self.account_of(claim).is_some_and(|it| it.registers == Registers::Provider)
    }

    /// The Kassenzeichen that the provider made becomes the claim's, where it is the provider's to make it: that of the payment by
    /// which money came, since each attempt has its own.
    async fn name_claim(&mut self, payment: &Payment) -> Result<(), Error> {
        let Some(reference) = payment.cash_reference.as_ref().filter(|_| payment.status.was_paid()) else {
            return Ok(());
        };
        let claim = self.claim(payment.claim_id).await?;
        if !self.by_provider(&claim)
            || claim.cash_reference.is_some()
            || claim.status == ClaimStatus::Cancelled
            || reference.len() < SHORTEST_REFERENCE
        {
            return Ok(());
        }
        let owner = self.broker.store().reference_owner(&self.tenant, CASH_REFERENCES, reference).await?;
        if owner.is_none_or(|owner| owner == claim.meta.id) {
            self.change_claim(claim.meta.id, Change::AssignCashReference(reference.clone())).await?;
        }
        Ok(())
    }

    /// One open task says that somebody has to decide, for as long as that is so; each contradiction has its own.
    async fn keep_task(&mut self, before: &Payment, after: &Payment) -> Result<(), Error> {
        if after.cleared.len() > before.cleared.len() {
            let result = after.cleared.last().map(|cleared| word(cleared.decision).to_owned());
            self.change_task(clearing_task(before), Change::CompleteTask(result)).await?;
        } else if before.clearing.is_some() {
            return Ok(());
        }
        let Some(clearing) = after.clearing else { return Ok(()) };
        let id = clearing_task(after);
        if self.known_task(id).await?.is_some() {
            return Ok(());
        }
        let claim = self.claim(after.claim_id).await?;
        let unit = self.account_of(&claim).and_then(|account| account.unit.clone());
        let task = task(id, after, &claim, unit, clearing.reason.code(), "Zahlung klären", self.now);
        let record = self.create(Record::Task(task))?;
        self.tasks.insert(id, record);
        Ok(())
    }

    async fn known_task(&self, id: Id) -> Result<Option<Record>, Error> {
        match self.tasks.get(&id) {
            Some(known) => Ok(Some(known.clone())),
            None => Ok(self.broker.store().record_any(&Scope::tenant(&self.tenant), id).await?),
        }
    }

    /// A task that has ended stays as it is.
    async fn change_task(&mut self, id: Id, change: Change) -> Result<(), Error> {
        let known = self.known_task(id).await?;
        let Some(task) = known.filter(|it| matches!(it, Record::Task(task) if task.status.is_open())) else {
            return Ok(());
        };
        let record = self.changed(&task, change)?;
        self.broker.keep_due(&mut self.work, Some(&task), &record, &self.actor).await?;
        self.tasks.insert(id, record);
        Ok(())
    }

    /// The account of a claim, if it is still configured.
    pub(crate) fn account_of(&self, claim: &Claim) -> Option<&'a Account> {
        self.broker.payments.as_ref()?.account(&self.tenant, &claim.account)
    }

    fn book(&mut self, booking: &Booking) {
        self.work.insert_booking(booking, self.now);
    }

    /// A record comes into being.
    pub(crate) fn create(&mut self, record: Record) -> Result<Record, Error> {
        let decided = self.decide(None, Change::Create(Box::new(record)))?;
        self.put(&decided);
        Ok(decided.record)
    }

    fn changed(&mut self, current: &Record, change: Change) -> Result<Record, Error> {
        let decided = self.decide(Some(current), change)?;
        self.put(&decided);
        Ok(decided.record)
    }

    fn decide(&self, current: Option<&Record>, change: Change) -> Result<Decided, Error> {
        let (kind, id) = match (current, &change) {
            (Some(record), _) => (record.kind(), record.meta().id),
            (None, Change::Create(record)) => (record.kind(), record.meta().id),
            (None, _) => return Err(Error::Internal),
        };
        let command = Command { kind, id, expected: None, change };
        Ok(decide(current, &command, self.broker.parts.rules, self.now)?)
    }

    fn put(&mut self, decided: &Decided) {
        self.work.put_record(&decided.record, None);
        self.work.insert_event(&notes::of_record(decided, &self.actor, self.now, None));
    }
}

impl Broker {
    /// Carries `act` out like [`once`](Broker::once), deciding anew also if another precondition of money did not hold.
    pub(crate) async fn anew<T: DeserializeOwned, F: Future<Output = Result<T, Error>>>(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        act: impl Fn() -> F,
    ) -> Result<T, Error> {
        let act = || async { act().await.map_err(as_record) };
        for _ in 1..ROUNDS {
            match self.once(caller, once, act).await {
                Err(Error::Model(model::Error::VersionConflict)) => {}
                outcome => return outcome,
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
        }
        self.once(caller, once, act).await
    }
}

/// Whether a conflict of the store is one that is decided anew.
pub(super) fn is_decided_anew(error: &Error) -> bool {
    error.is_conflict("record") || DECIDED_ANEW.iter().any(|what| error.is_conflict(what))
}

fn as_record(error: Error) -> Error {
    match is_decided_anew(&error) {
        true => store::Error::Conflict { what: "record" }.into(),
        false => error,
    }
}

/// Whether two records differ in nothing but version and time.
fn is_same(before: &Record, after: &Record) -> bool {
    let mut after = after.clone();
    let (meta, known) = (after.meta_mut(), before.meta());
    (meta.version, meta.updated_at) = (known.version, known.updated_at);
    after == *before
}

/// More was paid than is owed, by this payment or by several: a human has to give some of it back.
fn too_much(before: &Claim, after: &Claim, payment: &Payment) -> Option<PaymentChange> {
    let cancelled = after.status == ClaimStatus::Cancelled;
    if after.paid_cents <= after.amount_cents && !cancelled {
        return None;
    }
    let reason = match before.paid_cents > 0 || cancelled {
        true => ClearingReason::PaidTwice,
        false => ClearingReason::Overpaid,
    };
    Some(PaymentChange::Contradicts(reason, Some(payment.paid_cents)))
}

/// A task about a payment, on the desk of `unit` or of the unit that the claim belongs to.
pub(super) fn task(
    id: Id,
    payment: &Payment,
    claim: &Claim,
    unit: Option<String>,
    kind: &str,
    title: &str,
    now: Timestamp,
) -> Task {
    let unit = unit.unwrap_or_else(|| claim.meta.unit.clone());
    let meta =
        Meta { id, root: id, unit, version: 0, created_at: now, updated_at: now, ..claim.meta.clone() };
    Task { case_id: Some(claim.case_id), payment_id: Some(payment.meta.id), ..Task::new(meta, kind, title) }
}

/// The task about the contradiction that is to be decided about now.
fn clearing_task(payment: &Payment) -> Id {
    ids::derived_id(payment.meta.id, &format!("clearing:{}", payment.cleared.len()))
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Keep => "keep",
        Decision::Accept => "accept",
    }
}

pub(super) fn claim_of(record: Record) -> Result<Claim, Error> {
    match record {
        Record::Claim(claim) => Ok(claim),
        _ => Err(model::Error::NotFound { kind: "claim" }.into()),
    }
}

pub(super) fn payment_of(record: Record) -> Result<Payment, Error> {
    match record {
        Record::Payment(payment) => Ok(payment),
        _ => Err(model::Error::NotFound { kind: "payment" }.into()),
    }
}
