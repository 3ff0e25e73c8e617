//! The start of a payment: persisted first, then the provider hears of it by a job, which is marked before the call.
//!
//! Whoever finds the mark, after a crash or a lost answer, does not know whether the provider knows the payment: it is asked; where it
//! cannot be asked the start is repeated only if that makes no second payment. What was never answered was never shown to the payer.

use std::time::Duration;

use model::command::PaymentChange;
use model::payment::provider::{Found, Started};
use model::payment::record::TRANSFER;
use model::payment::{Claim, ClaimStatus, Payment, PaymentStatus};
use model::record::Meta;
use model::rights::Action;
use model::{Actor, Caller, Failure, FailureKind, Id, RecordKind, Scope, ids};
use seal::door::DoorKey;
use serde_json::json;
use store::{Job, PaymentDoor, Work};

use super::Payments;
use super::books::{Books, claim_of, is_decided_anew};
use super::orders::{Ordered, START, money_job, within};
use crate::{Broker, Error, Once};

/// Attempts at a start that certainly did not happen: about half a minute, since a payer waits.
const MOST_STARTS: u32 = 5;

/// Attempts at finding out what became of a start: about an hour.
const MOST_QUESTIONS: u32 = 12;

/// Pause before the provider is asked for the first time.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(30);

/// Pause between two looks at a payment that somebody waits for.
const LOOK: Duration = Duration::from_millis(50);

/// Longest address to go on to, in bytes.
const LONGEST_URL: usize = 2_000;

/// Codes of payments that were never shown to the payer.
const UNCLEAR: &str = "payment.start-unclear";
const NO_PAGE: &str = "payment.no-page";

/// A payment that somebody begins.
#[derive(Debug, Clone, Default)]
pub struct NewPayment {
    /// Where the payer's browser goes on to in the end: https, and one of the hosts that are allowed.
    pub return_to: Option<String>,
}

impl Broker {
    /// Begins an online payment of what is left of a claim. It is persisted before the provider hears of it; waits a while
    /// ([`Payments::patience`]) for the provider's answer, then answers as the payment stands.
    ///
    /// # Errors
    /// `PaymentUnderWay` while another one is open; `WrongState` if nothing is owed; `NoProvider` if the account has none;
    /// `ReturnHost` if the payer may not be sent there.
    pub async fn start_payment(
        &self,
        caller: &Caller,
        claim: Id,
        new: NewPayment,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let payments = self.payments()?;
        let scope = caller.may(Action::WriteClaims)?;
        payments.check_return(new.return_to.as_deref())?;
        let new = &new;
        let act = move || self.try_start(caller, scope, claim, new, once);
        let first = self.anew(caller, once, act).await?;
        self.waited(first, |payment| payment.status != PaymentStatus::Created).await
    }

    async fn try_start(
        &self,
        caller: &Caller,
        scope: &Scope,
        claim: Id,
        new: &NewPayment,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let payments = self.payments()?;
        let claim = claim_of(self.owned(scope, RecordKind::Claim, claim).await?)?;
        if !matches!(claim.status, ClaimStatus::Open | ClaimStatus::PartlyPaid) {
            return Err(model::Error::WrongState { state: claim.status.name() }.into());
        }
        let account = payments.account(&scope.tenant, &claim.account).ok_or(Error::NoAccount)?;
        let provider = account.provider.as_ref().filter(|id| *id != TRANSFER);
        let provider = provider.and_then(|id| payments.providers.get(id)).ok_or(Error::NoProvider)?;
        let (id, now) = (ids::new_id(), self.now());
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        self.take_place(&mut books, claim.meta.id, id).await?;
        // What is left must still be left.
        books.work.require_version(&scope.tenant, claim.meta.id, claim.meta.version);
        let payment = books.make_payment(Payment {
            meta: Meta { id, version: 0, created_at: now, updated_at: now, ..claim.meta.clone() },
            deadline: now.plus(provider.terms().window),
            return_to: new.return_to.clone(),
            ..a_payment(&claim, provider.id())
        })?;
        books.work.open_door(&self.new_door(&payment)?);
        let job = money_job(ids::derived_id(id, "start"), "pay-start", START, &payment, now);
        books.work.enqueue_call(&job, None);
        self.commit_answer(caller, once, books.work, id, payment).await
    }

    fn new_door(&self, payment: &Payment) -> Result<PaymentDoor, Error> {
        let key = DoorKey::random()?;
        let [notify_hash, return_hash] = key.digests();
        let (tenant, id) = (payment.meta.tenant.clone(), payment.meta.id);
        let tokens = self.store().wrap_door(&tenant, id, &key)?;
        let provider = payment.provider.clone();
        Ok(PaymentDoor {
            payment: id,
            tenant,
            provider,
            notify_hash,
            return_hash,
            tokens,
            hints: 0,
            refused: 0,
        })
    }

    /// The payment once it is as is waited for, or as it is when patience ends.
    pub(super) async fn waited(
        &self,
        payment: Payment,
        done: impl Fn(&Payment) -> bool,
    ) -> Result<Payment, Error> {
        let until = tokio::time::Instant::now() + self.payments()?.patience;
        let mut now = self.payment_of(&payment.meta.tenant, payment.meta.id).await?;
        while !done(&now) && tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            now = self.payment_of(&payment.meta.tenant, payment.meta.id).await?;
        }
        Ok(now)
    }

    /// Tells the provider of a payment.
    pub(crate) async fn start(&self, job: &Job) -> Result<(), Error> {
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        if payment.status != PaymentStatus::Created {
            return self.finish(job, Work::new()).await;
        }
        let Some(ordered) = self.ordered(payment).await? else {
            return self.not_started(job, "payment.no-provider").await;
        };
        if job.calling {
            return self.find_start(job, &ordered).await;
        }
        self.begin_start(job, &ordered).await
    }

    /// What became of a start that was never answered?
    async fn find_start(&self, job: &Job, ordered: &Ordered) -> Result<(), Error> {
        let terms = ordered.provider.terms();
        let found = match terms.finds {
            true => within(FailureKind::Transient, ordered.provider.find(&ordered.order)).await,
            false => Ok(Found::CannotAsk),
        };
        self.note_call(job, &found).await?;
        match found {
            Ok(Found::Started(started)) => self.started(job, ordered, started).await,
            Ok(Found::Nothing) => self.begin_start(job, ordered).await,
            Ok(Found::CannotAsk) if terms.start_is_idempotent => self.begin_start(job, ordered).await,
            Ok(Found::CannotAsk) => self.not_started(job, UNCLEAR).await,
            Err(failure) => self.start_failed(job, ordered, failure, true).await,
        }
    }

    async fn begin_start(&self, job: &Job, ordered: &Ordered) -> Result<(), Error> {
        // Nobody could pay any more.
        if ordered.payment.deadline <= self.now() {
            return self.not_started(job, if job.calling { UNCLEAR } else { "payment.too-late" }).await;
        }
        let mut work = Work::new();
        work.begin_call(job.id, job.epoch, &json!({}));
        self.store().commit(work).await?;
        let outcome = within(FailureKind::Uncertain, ordered.provider.start(&ordered.order)).await;
        self.note_call(job, &outcome).await?;
        match outcome {
            Ok(started) => self.started(job, ordered, started).await,
            Err(failure) => self.start_failed(job, ordered, failure, false).await,
        }
    }

    /// A start that failed, or whose outcome is not known; `asked`: a question about one failed.
    async fn start_failed(
        &self,
        job: &Job,
        ordered: &Ordered,
        failure: Failure,
        asked: bool,
    ) -> Result<(), Error> {
        if failure.kind == FailureKind::Unauthorised {
            self.tell_trouble(&ordered.payment, &failure.code, "Zugang zum Zahlungsdienst prüfen").await?;
        }
        let unclear = asked || failure.kind == FailureKind::Uncertain;
        let passing = matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain);
        let most = if unclear { MOST_QUESTIONS } else { MOST_STARTS };
        if !passing || job.attempts >= most {
            let code = if unclear { UNCLEAR } else { &failure.code };
            return self.not_started(job, code).await;
        }
        let pause =
            Duration::from_secs(1 << job.attempts.min(9)).max(failure.retry_after.unwrap_or_default());
        let mut work = Work::new();
        if !unclear {
            work.mark_call(job.id, job.epoch, false);
        }
        work.retry_job(job.id, job.epoch, self.now().plus(pause.min(Duration::from_secs(600))));
        Ok(self.store().commit(work).await?)
    }

    /// The provider knows the payment. One without a page for the payer cannot be paid: it is cancelled there if that can be, and asked
    /// for all the same.
    async fn started(&self, job: &Job, ordered: &Ordered, started: Started) -> Result<(), Error> {
        let has_page = started.payment_url.is_some();
        let mut changes = vec![PaymentChange::Started(started.clone())];
        if !has_page {
            // First: what has failed takes the provider's name for it, but is never shown to the payer.
            changes.insert(0, PaymentChange::StartFailed(NO_PAGE.to_owned()));
        }
        self.end_start(job, changes).await?;
        if !has_page && ordered.provider.terms().voids {
            let call = ordered.provider.void(&ordered.order, &started.reference);
            if let Err(failure) = within(FailureKind::Transient, call).await {
                tracing::warn!(code = %failure.code, "a payment without a page could not be cancelled");
            }
        }
        Ok(())
    }

    /// The payment was never shown to the payer.
    pub(super) async fn not_started(&self, job: &Job, code: &str) -> Result<(), Error> {
        self.end_start(job, vec![PaymentChange::StartFailed(code.to_owned())]).await
    }

    /// How a start ended is written together with the end of its job. What others change meanwhile has it decided anew, never asked
    /// anew.
    async fn end_start(&self, job: &Job, changes: Vec<PaymentChange>) -> Result<(), Error> {
        for _ in 0..5 {
            let mut books = Books::open(self, &job.tenant, &Actor::gateway());
            let mut changes = changes.clone();
            if let Some(reference) = self.taken_by_another(job, &changes).await? {
                tracing::error!(payment = %job.subject, "a provider has given the same reference twice");
                changes = vec![PaymentChange::StartFailed(reference)];
            }
            for change in changes {
                let payment = books.payment(job.subject).await?;
                let failing = matches!(change, PaymentChange::StartFailed(_));
                // A notice may have been quicker.
                if !failing || payment.status == PaymentStatus::Created {
                    books.change(job.subject, change).await?;
                }
            }
            let payment = books.payment(job.subject).await?;
            if payment.reference.is_some() {
                self.ask_at(&mut books.work, &payment, self.now().plus(FIRST_LOOK));
            }
            match self.finish(job, books.work).await {
                Err(error) if is_decided_anew(&error) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Internal)
    }

    /// The code of a start whose reference belongs to another payment already.
    async fn taken_by_another(&self, job: &Job, changes: &[PaymentChange]) -> Result<Option<String>, Error> {
        let started = changes.iter().find_map(|change| match change {
            PaymentChange::Started(started) => Some(started),
            _ => None,
        });
        let Some(started) = started else { return Ok(None) };
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        let owner = self.store().reference_owner(&job.tenant, &payment.provider, &started.reference).await?;
        let other = owner.is_some_and(|owner| owner != payment.meta.id);
        Ok(other.then(|| "payment.reference".to_owned()))
    }
}

/// A payment of what is left of a claim. Identity and deadline are still to be set.
pub(super) fn a_payment(claim: &Claim, provider: &str) -> Payment {
    Payment {
        meta: claim.meta.clone(),
        claim_id: claim.meta.id,
        provider: provider.to_owned(),
        amount_cents: claim.amount_cents - claim.paid_cents,
        paid_cents: 0,
        status: PaymentStatus::Created,
        request_id: ids::new_id().to_string(),
        reference: None,
        payment_url: None,
        return_to: None,
        cash_reference: None,
        method: None,
        deadline: claim.meta.created_at,
        paid_at: None,
        failure: None,
        refunds: vec![],
        refunded_cents: 0,
        charged_back_cents: 0,
        clearing: None,
        contradictions: vec![],
        cleared: vec![],
        settled_by: None,
    }
}

impl Payments {
    /// Where a payer's browser may be sent on to: https, one of the hosts, and nothing that could be read in two ways.
    fn check_return(&self, url: Option<&str>) -> Result<(), Error> {
        let Some(url) = url else { return Ok(()) };
        let plain =
            url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
        let is_allowed = |host: &str| self.return_hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        if plain && host.is_some_and(is_allowed) { Ok(()) } else { Err(Error::ReturnHost) }
    }
}
