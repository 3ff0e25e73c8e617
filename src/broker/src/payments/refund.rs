//! Money goes back, agreed to by two, unless one of them does not want it; payments that are open are voided.
//!
//! A refund's job is marked before the call. If the mark is found, or no answer came, nobody knows whether the money went back: it is
//! never repeated, and the provider's state is looked at until it tells.

use std::time::Duration;

use model::command::PaymentChange;
use model::payment::provider::RefundOrder;
use model::payment::record::TRANSFER;
use model::payment::{Declined, Payment, Refund, RefundStatus};
use model::rights::Action;
use model::{Actor, Caller, Failure, FailureKind, Id, RecordKind, Scope, ids};
use serde_json::json;
use store::{Job, Work};

use super::books::{Books, is_decided_anew, payment_of};
use super::clearing::token_of;
use super::orders::{Ordered, REFUND, money_job, within};
use crate::{Broker, Error, Once};

/// Longest reason, in characters.
const REASON_CHARS: usize = 200;

/// Attempts at a refund that certainly did not happen: about an hour.
const MOST_ATTEMPTS: u32 = 12;

/// Kind of the task if a refund was not carried out.
const TASK: &str = "payment.refund-refused";

impl Broker {
    /// Asks that `cents` of a payment be given back, with a reason that holds no personal data. Always somebody else has to agree.
    ///
    /// # Errors
    /// `Invalid` if there is less to give back; `PaymentNotOffered` if the provider gives nothing back.
    pub async fn ask_refund(
        &self,
        caller: &Caller,
        payment: Id,
        cents: i64,
        reason: String,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::DecideMoney)?;
        check_reason(&reason)?;
        let refund = Refund {
            id: ids::new_id(),
            amount_cents: cents,
            reason,
            status: RefundStatus::Asked,
            asked_by: token_of(caller)?,
            agreed_by: None,
            asked_at: self.now(),
            declined: None,
            reference: None,
        };
        let refund = &refund;
        let act = move || async move {
            let before = self.kept_payment(scope, payment).await?;
            if !self.offers(&before, |terms| terms.refunds)? {
                return Err(Error::PaymentNotOffered);
            }
            let mut books = Books::open(self, &scope.tenant, &caller.actor);
            let after = books.change(payment, PaymentChange::AskRefund(Box::new(refund.clone()))).await?;
            self.commit_answer(caller, once, books.work, payment, after).await
        };
        self.anew(caller, once, act).await
    }

    /// Agrees to a refund, which is carried out then.
    ///
    /// # Errors
    /// `SecondPerson` if it is the one who asked; `WrongState` if it is agreed to already, or the money is not here any more.
    pub async fn agree_refund(
        &self,
        caller: &Caller,
        payment: Id,
        refund: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::DecideMoney)?;
        self.anew(caller, once, move || self.try_agree(caller, scope, payment, refund, once)).await
    }

    async fn try_agree(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        refund: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let by = token_of(caller)?;
        let before = self.kept_payment(scope, id).await?;
        let asked = before.refunds.iter().find(|known| known.id == refund);
        if asked.ok_or(model::Error::NotFound { kind: "refund" })?.asked_by == by {
            return Err(model::Error::SecondPerson.into());
        }
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        let after = books.change(id, PaymentChange::AgreeRefund(refund, by)).await?;
        let mut job = money_job(ids::derived_id(refund, "refund"), "pay", REFUND, &after, books.now());
        job.detail = json!({ "refund": refund });
        books.work.enqueue_call(&job, None);
        self.commit_answer(caller, once, books.work, id, after).await
    }

    /// Ends a refund that nobody has agreed to, with a reason that holds no personal data: whoever asked for it withdraws it, anybody else
    /// who could agree declines it. What it was to give back may be asked for anew.
    ///
    /// # Errors
    /// `Invalid` without a reason; `WrongState` if it is agreed to or has ended already.
    pub async fn decline_refund(
        &self,
        caller: &Caller,
        payment: Id,
        refund: Id,
        reason: String,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::DecideMoney)?;
        check_reason(&reason)?;
        let declined = &Declined { by: token_of(caller)?, reason, at: self.now() };
        let act = move || async move {
            self.kept_payment(scope, payment).await?;
            let mut books = Books::open(self, &scope.tenant, &caller.actor);
            let change = PaymentChange::DeclineRefund(refund, declined.clone());
            let after = books.change(payment, change).await?;
            self.commit_answer(caller, once, books.work, payment, after).await
        };
        self.anew(caller, once, act).await
    }

    /// Cancels a payment that is still open at its provider, and has the provider asked where it stands; waits a while for that.
    ///
    /// # Errors
    /// `WrongState` if it is not open, or its start is not answered yet; `PaymentNotOffered` if the provider cancels nothing; the
    /// provider's failure.
    pub async fn void_payment(
        &self,
        caller: &Caller,
        payment: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::WriteClaims)?;
        let act = move || self.try_void(caller, scope, payment, once);
        let first = self.anew(caller, once, act).await?;
        self.waited(first, |payment| !payment.status.is_open()).await
    }

    async fn try_void(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: Id,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let payment = payment_of(self.owned(scope, RecordKind::Payment, id).await?)?;
        if !self.offers(&payment, |terms| terms.voids)? {
            return Err(Error::PaymentNotOffered);
        }
        let state = payment.status.name();
        let wrong = || Error::from(model::Error::WrongState { state });
        let reference = payment.reference.clone().filter(|_| payment.status.is_open()).ok_or_else(wrong)?;
        let ordered = self.ordered(payment.clone()).await?.ok_or(Error::PaymentNotOffered)?;
        let call = ordered.provider.void(&ordered.order, &reference);
        let outcome = within(FailureKind::Transient, call).await;
        // Whatever became of it, the provider's own state says so.
        if let Err(failure) = outcome {
            self.hint(&payment, self.now()).await?;
            return Err(failure.into());
        }
        let mut work = Work::new();
        work.count_hint(id);
        self.ask_at(&mut work, &payment, self.now());
        self.commit_answer(caller, once, work, id, payment).await
    }

    async fn kept_payment(&self, scope: &Scope, id: Id) -> Result<Payment, Error> {
        payment_of(self.keeper_of(scope, RecordKind::Payment, id).await?)
    }

    /// Whether the payment's provider offers something.
    fn offers(
        &self,
        payment: &Payment,
        offers: impl Fn(&model::payment::provider::Terms) -> bool,
    ) -> Result<bool, Error> {
        let provider = self.payments()?.providers.get(&payment.provider);
        let provider = provider.filter(|_| payment.provider != TRANSFER);
        Ok(provider.is_some_and(|provider| offers(provider.terms())))
    }

    /// Carries a refund out.
    pub(crate) async fn refund(&self, job: &Job) -> Result<(), Error> {
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        let agreed =
            |refund: &&Refund| Some(refund.id) == refund_id(job) && refund.status == RefundStatus::Agreed;
        let Some(refund) = payment.refunds.iter().find(agreed).cloned() else {
            return self.finish(job, Work::new()).await;
        };
        if job.calling {
            return self.end_refund(job, failed(refund.id, RefundStatus::Unclear)).await;
        }
        // The payer's bank may have taken the money back since it was agreed to.
        if !payment.covers(&refund) {
            return self.not_refunded(job, &refund).await;
        }
        let Some(ordered) = self.ordered(payment).await? else {
            return self.not_refunded(job, &refund).await;
        };
        let Some(reference) = ordered.payment.reference.clone() else {
            return self.not_refunded(job, &refund).await;
        };
        let mut work = Work::new();
        work.begin_call(job.id, job.epoch, &job.detail);
        self.store().commit(work).await?;
        let wanted = RefundOrder {
            id: refund.id,
            amount_cents: refund.amount_cents,
            purpose: refund_purpose(&ordered),
        };
        let call = ordered.provider.refund(&ordered.order, &reference, &wanted);
        let outcome = within(FailureKind::Uncertain, call).await;
        self.note_call(job, &outcome).await?;
        match outcome {
            Ok(name) => self.end_refund(job, PaymentChange::RefundDone(refund.id, name)).await,
            Err(failure) => self.refund_failed(job, &refund, failure).await,
        }
    }

    async fn refund_failed(&self, job: &Job, refund: &Refund, failure: Failure) -> Result<(), Error> {
        tracing::warn!(payment = %job.subject, code = %failure.code, "a refund failed");
        match failure.kind {
            FailureKind::Uncertain => self.end_refund(job, failed(refund.id, RefundStatus::Unclear)).await,
            FailureKind::Transient if job.attempts < MOST_ATTEMPTS => {
                let pause = Duration::from_secs(1 << job.attempts.min(10));
                let at = self.now().plus(pause.max(failure.retry_after.unwrap_or_default()));
                let mut work = Work::new();
                work.mark_call(job.id, job.epoch, false).retry_job(job.id, job.epoch, at);
                Ok(self.store().commit(work).await?)
            }
            _ => self.not_refunded(job, refund).await,
        }
    }

    /// The money certainly stays here: whoever asked for the refund has to see that.
    async fn not_refunded(&self, job: &Job, refund: &Refund) -> Result<(), Error> {
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        let id = ids::derived_id(refund.id, "refused");
        self.make_task(&payment, id, TASK, "Erstattung unterblieben").await?;
        self.end_refund(job, failed(refund.id, RefundStatus::Refused)).await
    }

    /// How a refund ended is written together with the end of its job; what others change meanwhile has it decided anew.
    async fn end_refund(&self, job: &Job, change: PaymentChange) -> Result<(), Error> {
        for _ in 0..8 {
            let mut books = Books::open(self, &job.tenant, &Actor::gateway());
            let payment = books.payment(job.subject).await?;
            let agreed =
                |refund: &Refund| Some(refund.id) == refund_id(job) && refund.status == RefundStatus::Agreed;
            if payment.refunds.iter().any(agreed) {
                // However it ended, the provider is asked: for what is not known, and for what else went back. While this one was under
                // way, that might have been it. Counted before the record, as everybody does who writes both.
                books.work.count_hint(job.subject);
                let after = books.change(job.subject, change.clone()).await?;
                let soon = books.now().plus(Duration::from_secs(60));
                self.ask_at(&mut books.work, &after, soon);
            }
            match self.finish(job, books.work).await {
                Err(error) if is_decided_anew(&error) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Internal)
    }

    /// A refund whose job cannot go on.
    pub(super) async fn refund_given_up(&self, job: &Job) -> Result<(), Error> {
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        let refund = payment.refunds.iter().find(|refund| Some(refund.id) == refund_id(job)).cloned();
        match refund {
            Some(refund) if !job.calling => self.not_refunded(job, &refund).await,
            Some(refund) => self.end_refund(job, failed(refund.id, RefundStatus::Unclear)).await,
            None => self.finish(job, Work::new()).await,
        }
    }
}

fn check_reason(reason: &str) -> Result<(), Error> {
    let says_something = !reason.trim().is_empty() && !reason.chars().any(char::is_control);
    match says_something && reason.chars().count() <= REASON_CHARS {
        true => Ok(()),
        false => Err(model::Error::Invalid { field: "reason" }.into()),
    }
}

fn refund_id(job: &Job) -> Option<Id> {
    job.detail["refund"].as_str().and_then(|id| id.parse().ok())
}

fn failed(refund: Id, status: RefundStatus) -> PaymentChange {
    PaymentChange::RefundFailed(refund, status)
}

fn refund_purpose(ordered: &Ordered) -> String {
    ordered.order.purpose.clone()
}
