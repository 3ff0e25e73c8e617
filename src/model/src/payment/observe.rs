//! How a payment changes because of what its provider says of it. Pure; the one place where a payment becomes paid online.
//!
//! 1. What was paid stays paid: a state that says otherwise is a contradiction.
//! 2. What failed, was cancelled or has expired may still become paid: late money is real money.
//! 3. The same again changes nothing.
//! 4. Another amount, currency or reference than ours is a contradiction, never a payment.

use super::record::{Clearing, ClearingReason, MOST_WAITING, Payment, PaymentStatus, RefundStatus};
use super::{EURO, Truth, TruthState};
use crate::Timestamp;

/// A payment as it is now, and whether that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The payment.
    pub payment: Payment,
    /// Whether it changed.
    pub changed: bool,
}

/// What becomes of a payment of which its provider says this.
pub fn observe(payment: &Payment, truth: &Truth, now: Timestamp) -> Observed {
    let mut after = payment.clone();
    match unlike(payment, truth) {
        Some(reason) => contradict(&mut after, Clearing::new(reason, truth.amount_cents, now)),
        None => {
            take_state(&mut after, truth, now);
            take_refunds(&mut after, truth, now);
        }
    }
    let changed = after != *payment;
    Observed { payment: after, changed }
}

/// Whether the provider speaks of another payment, or of other money.
fn unlike(payment: &Payment, truth: &Truth) -> Option<ClearingReason> {
    let differs =
        |told: &Option<String>, ours: Option<&str>| told.as_deref().is_some_and(|told| Some(told) != ours);
    if differs(&truth.reference, payment.reference.as_deref())
        || differs(&truth.request_id, Some(&payment.request_id))
        // A Kassenzeichen that the provider has given once is never another.
        || payment.cash_reference.is_some() && differs(&truth.cash_reference, payment.cash_reference.as_deref())
    {
        return Some(ClearingReason::Reference);
    }
    differs(&truth.currency, Some(EURO)).then_some(ClearingReason::Currency)
}

fn take_state(payment: &mut Payment, truth: &Truth, now: Timestamp) {
    use PaymentStatus::{Cancelled, ChargedBack, Created, Expired, Failed, Pending, Refunded, Started};
    if payment.cash_reference.is_none() {
        payment.cash_reference.clone_from(&truth.cash_reference);
    }
    let next = match (truth.state, payment.status) {
        (TruthState::Paid, before) if before.was_paid() => return compare_paid(payment, truth, now),
        (TruthState::Paid, _) => return pay(payment, truth, now),
        // A payment that went back is shown as ended by some.
        (TruthState::Failed | TruthState::Cancelled, Refunded | ChargedBack) => return,
        (_, before) if before.was_paid() => {
            return contradict(
                payment,
                Clearing::new(ClearingReason::Contradiction, truth.amount_cents, now),
            );
        }
        (TruthState::Open, Created) => Started,
        (TruthState::Pending, Created | Started) => Pending,
        (TruthState::Open | TruthState::Pending, _) => return,
        (TruthState::Failed, _) => Failed,
        (TruthState::Cancelled, _) => Cancelled,
        (TruthState::Expired, _) => Expired,
    };
    payment.status = next;
    if !next.is_open() {
        payment.payment_url = None;
    }
}

/// The money has come, if it is ours.
fn pay(payment: &mut Payment, truth: &Truth, now: Timestamp) {
    let came = truth.amount_cents.unwrap_or(payment.amount_cents);
    if came != payment.amount_cents {
        let less = came < payment.amount_cents;
        let reason = if less { ClearingReason::Underpaid } else { ClearingReason::Overpaid };
        return contradict(payment, Clearing::new(reason, Some(came), now));
    }
    payment.status = PaymentStatus::Paid;
    payment.paid_cents = came;
    payment.paid_at = Some(truth.paid_at.unwrap_or(now));
    payment.method.clone_from(&truth.method);
    payment.payment_url = None;
    payment.failure = None;
}

/// What was paid is paid, whatever became of it since; only another amount is news, also if it is the one that was asked for: a human
/// may have accepted another before.
fn compare_paid(payment: &mut Payment, truth: &Truth, now: Timestamp) {
    let Some(told) = truth.amount_cents else { return };
    if ![payment.paid_cents, payment.kept_cents()].contains(&told) {
        let less = told < payment.paid_cents;
        let reason = if less { ClearingReason::Underpaid } else { ClearingReason::Overpaid };
        contradict(payment, Clearing::new(reason, Some(told), now));
    }
}

/// Money that went back, as the provider tells it in all.
fn take_refunds(payment: &mut Payment, truth: &Truth, now: Timestamp) {
    if !payment.status.was_paid() {
        return;
    }
    if let Some(taken) = truth.charged_back_cents.filter(|taken| *taken > payment.charged_back_cents) {
        charge_back(payment, taken - payment.charged_back_cents);
    }
    let Some(told) = truth.refunded_cents else { return };
    let news = settle_unclear(payment, told, now);
    let under_way = payment.refunds.iter().filter(|refund| refund.status == RefundStatus::Agreed);
    if news > 0 && news > under_way.map(|refund| refund.amount_cents).sum() {
        contradict(payment, Clearing::new(ClearingReason::UnknownRefund, truth.refunded_cents, now));
    }
}

/// What went back and is not known yet is first what was unclear. Gives what is left of it, in cents; 0 or less: nothing.
pub(crate) fn settle_unclear(payment: &mut Payment, told: i64, now: Timestamp) -> i64 {
    loop {
        let news = told - payment.refunded_cents;
        let unclear = payment
            .refunds
            .iter()
            .find(|refund| refund.status == RefundStatus::Unclear && refund.amount_cents <= news);
        let Some(id) = unclear.map(|refund| refund.id) else { return news };
        refunded(payment, id, None, now);
    }
}

/// The provider says that a refund is done. Again: nothing.
///
/// If the payer's bank took the money back meanwhile, it left twice: a human has to see to that.
pub fn refunded(payment: &mut Payment, id: crate::Id, reference: Option<String>, now: Timestamp) {
    let refund = payment.refunds.iter_mut().find(|refund| refund.id == id);
    let Some(refund) = refund.filter(|refund| refund.status != RefundStatus::Done) else { return };
    refund.status = RefundStatus::Done;
    if reference.is_some() {
        refund.reference = reference;
    }
    payment.refunded_cents += refund.amount_cents;
    if payment.status != PaymentStatus::ChargedBack {
        let all = payment.refunded_cents >= payment.paid_cents;
        payment.status = if all { PaymentStatus::Refunded } else { PaymentStatus::PartlyRefunded };
    }
    if payment.kept_cents() < 0 {
        let kept = Some(payment.kept_cents());
        contradict(payment, Clearing::new(ClearingReason::Contradiction, kept, now));
    }
}

/// The payer's bank has taken money back; never more than is left.
pub fn charge_back(payment: &mut Payment, cents: i64) {
    let taken = cents.min(payment.kept_cents());
    if taken > 0 {
        payment.charged_back_cents += taken;
        payment.status = PaymentStatus::ChargedBack;
    }
}

/// Something contradicts: a human has to decide. What a human has decided about, or is to decide about already, is not told again; what
/// comes while another waits to be decided about waits behind it.
pub fn contradict(payment: &mut Payment, found: Clearing) {
    let decided = payment.cleared.iter().any(|cleared| cleared.key() == found.key());
    let mut told = payment.clearing.iter().chain(&payment.contradictions);
    if decided || told.any(|clearing| clearing.key() == found.key()) {
        return;
    }
    if payment.clearing.is_none() {
        payment.clearing = Some(found);
    } else if payment.contradictions.len() < MOST_WAITING {
        payment.contradictions.push(found);
    }
}
