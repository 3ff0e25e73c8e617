//! Asking the provider where a payment stands: by a schedule, and whenever somebody called about it.
//!
//! There is one job for each payment. What it finds out is written together with its own next time, under the precondition that nobody
//! has called since before the question: so no call is ever answered by what was known before it. A payment that has ended unpaid is
//! looked at once more a day after it became too late; late money is real money.

use std::time::Duration;

use model::command::PaymentChange;
use model::payment::provider::{Found, Terms, Truth};
use model::payment::{ClearingReason, Payment, PaymentStatus, RefundStatus, TruthState};
use model::{Actor, Failure, FailureKind, Timestamp};
use serde_json::json;
use store::{Job, Work};

use super::books::{Books, is_decided_anew};
use super::orders::{Ordered, within};
use crate::{Broker, Error};

/// When a payment is asked for after it was begun, in seconds; then every hour.
const LOOKS: [u64; 4] = [30, 120, 600, 1_800];

const HOUR: Duration = Duration::from_secs(3_600);

/// The last look, after the deadline.
pub(super) const LAST: Duration = Duration::from_secs(24 * 3_600);

/// How long a refund of which nobody knows is looked for.
const UNCLEAR: Duration = Duration::from_secs(72 * 3_600);

/// Pause before the next question if somebody called while this one was under way.
const AGAIN: Duration = Duration::from_secs(1);

/// First and longest pause after a question that failed.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(15 * 60);

/// Longest pause that a provider is granted.
const MOST_ASKED: Duration = Duration::from_secs(24 * 3_600);

/// What a question gave.
#[derive(Default)]
struct Answer {
    /// Changes that follow from it, in their order.
    changes: Vec<PaymentChange>,
    /// The payer has acted; the outcome is not known.
    pending: bool,
    /// There is more to ask at once.
    more: bool,
}

impl Broker {
    /// Asks where a payment stands.
    pub(crate) async fn pull(&self, job: &Job) -> Result<(), Error> {
        let payment = self.payment_of(&job.tenant, job.subject).await?;
        let Some(ordered) = self.ordered(payment).await? else {
            // The provider may come back with the next configuration.
            return self.cannot_ask(job, self.now().plus(HOUR), 0).await;
        };
        if ordered.payment.status == PaymentStatus::Created {
            // Its start is under way, and sets the first look.
            return self.put_back(job, self.now().plus(SHORT), 0).await;
        }
        match self.ask_provider(job, &ordered).await? {
            Ok(answer) => self.write_answer(job, &ordered, answer).await,
            Err(failure) => self.pull_failed(job, &ordered, failure).await,
        }
    }

    async fn ask_provider(&self, job: &Job, ordered: &Ordered) -> Result<Result<Answer, Failure>, Error> {
        if !may_ask(ordered.provider.terms(), ordered.door.hints) {
            return Ok(Ok(Answer::default()));
        }
        let Ordered { payment, provider, order, .. } = ordered;
        let outcome = match &payment.reference {
            Some(reference) => {
                within(FailureKind::Transient, provider.status(order, reference)).await.map(observed)
            }
            None => within(FailureKind::Transient, provider.find(order)).await.map(found),
        };
        self.note_call(job, &outcome).await?;
        Ok(match outcome {
            // It does not know the payment, or will not say: nothing new.
            Err(failure) if failure.kind == FailureKind::Rejected => Ok(Answer::default()),
            outcome => outcome,
        })
    }

    /// What was found out is written. What others change meanwhile has it decided anew, never asked anew.
    async fn write_answer(&self, job: &Job, ordered: &Ordered, answer: Answer) -> Result<(), Error> {
        let mut hints = ordered.door.hints;
        for _ in 0..8 {
            let mut books = Books::open(self, &job.tenant, &Actor::gateway());
            books.work.require_hints(job.subject, hints);
            for change in answer.changes.iter().cloned() {
                books.change(job.subject, change).await?;
            }
            let payment = self.expired(&mut books, job, answer.pending).await?;
            let next = match hints == ordered.door.hints && !answer.more {
                true => next_look(&payment, books.now()),
                false => Some(books.now().plus(AGAIN)),
            };
            match next {
                Some(at) => books.work.put_back_job(job.id, job.epoch, at, &json!({})),
                None => books.work.finish_job(job.id, job.epoch),
            };
            match self.store().commit(books.work).await.map_err(Error::from) {
                Err(error) if is_decided_anew(&error) => {}
                outcome => return outcome,
            }
            let door = self.store().payment_door(&job.tenant, job.subject).await?;
            hints = door.map_or(hints, |door| door.hints);
        }
        Err(Error::Internal)
    }

    /// An open payment whose time is over has expired; one that the payer has acted on waits for the last look.
    async fn expired(&self, books: &mut Books<'_>, job: &Job, pending: bool) -> Result<Payment, Error> {
        let payment = books.payment(job.subject).await?;
        let until = if pending { payment.deadline.plus(LAST) } else { payment.deadline };
        if payment.status.is_open() && books.now() >= until {
            return books.change(job.subject, PaymentChange::Expired).await;
        }
        Ok(payment)
    }

    async fn pull_failed(&self, job: &Job, ordered: &Ordered, failure: Failure) -> Result<(), Error> {
        tracing::warn!(payment = %job.subject, code = %failure.code, "a provider could not be asked");
        let failures = failures(job).saturating_add(1);
        let pause = match failure.kind {
            FailureKind::Unauthorised | FailureKind::Permanent => {
                let title = "Zugang zum Zahlungsdienst prüfen";
                self.tell_trouble(&ordered.payment, &failure.code, title).await?;
                return self.cannot_ask(job, self.now().plus(HOUR), failures).await;
            }
            _ => backoff(failures, failure.retry_after, fastrand::f64()),
        };
        self.put_back(job, self.now().plus(pause), failures).await
    }

    /// Nobody can be asked, and that may stay so. A day after a payment became too late it has expired all the same, and a human is told:
    /// else nothing else could be paid towards its claim. It goes on being asked for.
    async fn cannot_ask(&self, job: &Job, at: Timestamp, failures: u32) -> Result<(), Error> {
        for _ in 0..5 {
            let mut books = Books::open(self, &job.tenant, &Actor::gateway());
            let payment = books.payment(job.subject).await?;
            if payment.status.is_open() && books.now() >= payment.deadline.plus(LAST) {
                books.change(job.subject, PaymentChange::Expired).await?;
                let unknown = PaymentChange::Contradicts(ClearingReason::NotLookedAt, None);
                books.change(job.subject, unknown).await?;
            }
            books.work.put_back_job(job.id, job.epoch, at, &json!({ "failures": failures }));
            match self.store().commit(books.work).await.map_err(Error::from) {
                Err(error) if is_decided_anew(&error) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Internal)
    }

    /// Puts the job back: it never ends as long as something is to be found out.
    async fn put_back(&self, job: &Job, at: Timestamp, failures: u32) -> Result<(), Error> {
        let mut work = Work::new();
        work.put_back_job(job.id, job.epoch, at, &json!({ "failures": failures }));
        Ok(self.store().commit(work).await?)
    }

    /// Whatever was in the way: it is asked again.
    pub(super) async fn pull_later(&self, job: &Job, failure: &Failure) -> Result<(), Error> {
        let failures = failures(job).saturating_add(1);
        let pause = match failure.kind {
            FailureKind::Transient => backoff(failures, failure.retry_after, fastrand::f64()),
            _ => HOUR,
        };
        self.put_back(job, self.now().plus(pause), failures).await
    }
}

/// Whether the provider lets itself be asked: some only after a call.
fn may_ask(terms: &Terms, hints: u64) -> bool {
    terms.may_be_polled || hints > 0
}

fn observed(truth: Truth) -> Answer {
    let pending = truth.state == TruthState::Pending;
    Answer { changes: vec![PaymentChange::Observed(truth)], pending, more: false }
}

/// Somebody called about a payment whose start was never answered.
fn found(found: Found) -> Answer {
    let change = match found {
        Found::Started(started) => PaymentChange::Started(started),
        Found::CannotAsk => PaymentChange::Contradicts(ClearingReason::UnknownStart, None),
        Found::Nothing => return Answer::default(),
    };
    let more = matches!(change, PaymentChange::Started(_));
    Answer { changes: vec![change], pending: false, more }
}

/// When a payment is looked at next; `None`: not any more, unless somebody calls.
fn next_look(payment: &Payment, now: Timestamp) -> Option<Timestamp> {
    let last = payment.deadline.plus(LAST);
    if payment.status.was_paid() {
        let open = |refund: &model::payment::Refund| {
            refund.status == RefundStatus::Unclear && now < refund.asked_at.plus(UNCLEAR)
        };
        return payment.refunds.iter().any(open).then(|| now.plus(HOUR));
    }
    if now >= last {
        return None;
    }
    if !payment.status.is_open() {
        return Some(last);
    }
    let at = |seconds: u64| payment.meta.created_at.plus(jittered(payment, Duration::from_secs(seconds)));
    let scheduled = LOOKS.into_iter().map(at).find(|at| *at > now);
    let next = scheduled.unwrap_or_else(|| now.plus(jittered(payment, HOUR)));
    Some(if now < payment.deadline { next.min(payment.deadline) } else { next.min(last) })
}

/// Up to an eighth more, which differs between payments.
fn jittered(payment: &Payment, pause: Duration) -> Duration {
    pause + pause * u32::from(payment.meta.id.as_bytes()[15]) / (255 * 8)
}

fn failures(job: &Job) -> u32 {
    job.detail["failures"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

/// Doubles from five seconds to a quarter of an hour, the second half of it random; never shorter than what the provider asks for.
fn backoff(failures: u32, asked: Option<Duration>, random: f64) -> Duration {
    let longest = SHORT.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(LONG);
    longest.mul_f64(0.5 + random / 2.0).max(asked.unwrap_or_default().min(MOST_ASKED))
}

#[cfg(test)]
mod tests {
    use model::testkit::{a_claim, a_payment};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(seconds))
    }

    fn payment(status: PaymentStatus) -> Payment {
        let mut payment = a_payment(&a_claim(100));
        payment.meta.created_at = at(0);
        payment.deadline = at(7_200);
        payment.status = status;
        payment.meta.id = model::Id::nil();
        payment
    }

    #[test]
    fn an_open_payment_is_looked_at_by_the_schedule_and_at_its_deadline() {
        let open = payment(PaymentStatus::Started);
        let mut looks = vec![];
        let mut now = at(1);
        while let Some(next) = next_look(&open, now).filter(|_| looks.len() < 6) {
            looks.push(next);
            now = next;
        }
        assert_eq!(looks, [30, 120, 600, 1_800, 5_400, 7_200].map(at));
    }

    #[test]
    fn what_ended_unpaid_gets_one_last_look_a_day_after_the_deadline() {
        for status in [PaymentStatus::Failed, PaymentStatus::Cancelled, PaymentStatus::Expired] {
            let ended = payment(status);
            assert_eq!(next_look(&ended, at(10)), Some(at(7_200 + 86_400)));
            assert_eq!(next_look(&ended, at(7_200 + 86_400)), None);
        }
        assert_eq!(next_look(&payment(PaymentStatus::Paid), at(10)), None);
    }

    #[test]
    fn pauses_after_failures_grow_to_a_quarter_of_an_hour() {
        assert_eq!(backoff(1, None, 1.0), SHORT);
        assert_eq!(backoff(3, None, 0.0), Duration::from_secs(10));
        assert_eq!(backoff(40, None, 1.0), LONG);
        assert_eq!(backoff(1, Some(Duration::from_secs(90)), 1.0), Duration::from_secs(90));
    }
}
