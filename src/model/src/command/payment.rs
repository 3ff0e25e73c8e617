//! What may become of claims and payments.

use crate::payment::claim::SHORTEST_REFERENCE;
use crate::payment::observe::{charge_back, contradict, observe, refunded, settle_unclear};
use crate::payment::provider::{Started, Truth};
use crate::payment::record::{Cleared, Clearing, Decided, Decision};
use crate::payment::{
    Claim, ClaimStatus, ClearingReason, Declined, MOST_CENTS, Payment, PaymentStatus, Refund, RefundStatus,
};
use crate::{Error, EventKind, Id, Timestamp, ids};

use super::Change;

/// Longest purpose and Kassenzeichen, in characters; most lines of a claim, and refunds of a payment.
const PURPOSE_CHARS: usize = 250;
const REFERENCE_CHARS: usize = 36;
const LINES: usize = 99;
const REFUNDS: usize = 50;

/// Something that became of a payment.
#[derive(Debug, Clone, PartialEq)]
pub enum PaymentChange {
    /// The provider knows it.
    Started(Started),
    /// The provider will not have it, or nobody can find out whether it does: it was never shown to the payer. By the code given.
    StartFailed(String),
    /// The provider says this of it.
    Observed(Truth),
    /// Its time is over.
    Expired,
    /// The bank statement has the money, by the line named: so many cents.
    Received(i64, String),
    /// The line of a statement or payout by which the money arrived.
    Settled(String),
    /// The payer's bank has taken so many cents back.
    ChargedBack(i64),
    /// Something contradicts, with the amount that the other side names.
    Contradicts(ClearingReason, Option<i64>),
    /// The cash system refused this booking of so many cents.
    BookingRefused(Id, i64),
    /// Somebody decided about the contradiction; a second one has to agree.
    AskClearing(Decided),
    /// The decision counts; by whom it does.
    Clear(Decided),
    /// Somebody asks for a refund.
    AskRefund(Box<Refund>),
    /// Somebody else agrees to it: refund, token.
    AgreeRefund(Id, Id),
    /// Somebody else does not agree to it, or the one who asked does not want it any more.
    DeclineRefund(Id, Declined),
    /// The provider has carried it out, under this name.
    RefundDone(Id, Option<String>),
    /// The provider did not, or nobody knows.
    RefundFailed(Id, RefundStatus),
}

pub(super) fn changed_claim(claim: &mut Claim, change: &Change) -> Result<EventKind, Error> {
    let wrong = Error::WrongState { state: claim.status.name() };
    match change {
        // Money comes whenever it comes, also to what was cancelled.
        Change::PaidTowards(cents) => {
            *claim = claim.clone().with_paid(*cents);
            Ok(EventKind::ClaimPaid)
        }
        _ if claim.status == ClaimStatus::Cancelled => Err(wrong),
        Change::AssignCashReference(reference) => {
            if claim.cash_reference.as_ref().is_some_and(|known| known != reference) {
                return Err(Error::Exists);
            }
            if claim.cash_reference.is_none() && reference.len() < SHORTEST_REFERENCE {
                return Err(Error::Invalid { field: "cashReference" });
            }
            claim.cash_reference = Some(reference.clone());
            Ok(EventKind::RecordChanged)
        }
        Change::CancelClaim if claim.paid_cents == 0 => {
            claim.status = ClaimStatus::Cancelled;
            Ok(EventKind::ClaimCancelled)
        }
        _ => Err(wrong),
    }
}

pub(super) fn changed(
    payment: &mut Payment,
    change: &PaymentChange,
    now: Timestamp,
) -> Result<EventKind, Error> {
    let before = payment.clone();
    let wrong = || Error::WrongState { state: before.status.name() };
    match change {
        PaymentChange::Started(started) => start(payment, started, now)?,
        PaymentChange::StartFailed(code) if payment.status == PaymentStatus::Created => {
            payment.status = PaymentStatus::Failed;
            payment.failure = Some(code.clone());
        }
        PaymentChange::Observed(truth) => *payment = observe(payment, truth, now).payment,
        PaymentChange::Expired if payment.status.is_open() => {
            payment.status = PaymentStatus::Expired;
            payment.payment_url = None;
        }
        PaymentChange::Received(cents, line) if !payment.status.was_paid() && *cents > 0 => {
            receive(payment, *cents, now);
            payment.settled_by = Some(line.clone());
        }
        PaymentChange::Settled(line) if payment.settled_by.is_none() => {
            payment.settled_by = Some(line.clone())
        }
        PaymentChange::ChargedBack(cents) if payment.status.was_paid() => charge_back(payment, *cents),
        PaymentChange::Contradicts(reason, cents) => contradict(payment, Clearing::new(*reason, *cents, now)),
        PaymentChange::BookingRefused(booking, cents) => {
            let refused = Clearing::new(ClearingReason::BookingRefused, Some(*cents), now);
            contradict(payment, refused.about(*booking));
        }
        PaymentChange::AskClearing(decided) => ask_clearing(payment, *decided)?,
        PaymentChange::Clear(decided) => clear(payment, *decided, now)?,
        PaymentChange::AskRefund(refund) => ask_refund(payment, refund)?,
        PaymentChange::AgreeRefund(id, by) => agree_refund(payment, *id, *by)?,
        PaymentChange::DeclineRefund(id, declined) => decline_refund(payment, *id, declined)?,
        PaymentChange::RefundDone(id, reference) => {
            use RefundStatus::{Asked, Declined, Refused, Withdrawn};
            let is_none =
                |it: &Refund| it.id == *id && matches!(it.status, Asked | Declined | Withdrawn | Refused);
            if payment.refunds.iter().any(is_none) {
                return Err(wrong());
            }
            refunded(payment, *id, reference.clone(), now);
        }
        PaymentChange::RefundFailed(id, status) => {
            let refund = payment.refunds.iter_mut().find(|refund| refund.id == *id);
            let refund = refund.filter(|refund| refund.status == RefundStatus::Agreed).ok_or_else(wrong)?;
            refund.status = *status;
            if *status == RefundStatus::Unclear {
                let unclear = Clearing::new(ClearingReason::RefundUnclear, Some(refund.amount_cents), now);
                contradict(payment, unclear.about(*id));
            }
        }
        _ => return Err(wrong()),
    }
    Ok(event(&before, payment, change))
}

/// The name of what happened: the most that it says about money comes first.
fn event(before: &Payment, after: &Payment, change: &PaymentChange) -> EventKind {
    if after.paid_cents > before.paid_cents {
        return EventKind::PaymentPaid;
    }
    if after.charged_back_cents > before.charged_back_cents {
        return EventKind::PaymentChargedBack;
    }
    if after.refunded_cents > before.refunded_cents {
        return EventKind::PaymentRefunded;
    }
    let told = |payment: &Payment| payment.contradictions.len() + usize::from(payment.clearing.is_some());
    if told(after) > told(before) {
        return EventKind::PaymentUnclear;
    }
    match change {
        PaymentChange::Clear(_) => EventKind::PaymentCleared,
        PaymentChange::AskRefund(_) | PaymentChange::AgreeRefund(..) => EventKind::RefundAsked,
        PaymentChange::DeclineRefund(id, _) => {
            let is_own = |it: &Refund| it.id == *id && it.status == RefundStatus::Withdrawn;
            match after.refunds.iter().any(is_own) {
                true => EventKind::RefundWithdrawn,
                false => EventKind::RefundDeclined,
            }
        }
        _ if before.status.is_open() && !after.status.is_open() => EventKind::PaymentEnded,
        _ if before.status == PaymentStatus::Created && after.status != before.status => {
            EventKind::PaymentStarted
        }
        _ => EventKind::RecordChanged,
    }
}

/// A reference, once known, is never another.
fn start(payment: &mut Payment, started: &Started, now: Timestamp) -> Result<(), Error> {
    if payment.reference.as_ref().is_some_and(|known| *known != started.reference) {
        contradict(payment, Clearing::new(ClearingReason::Reference, None, now));
        return Ok(());
    }
    payment.reference = Some(started.reference.clone());
    if payment.cash_reference.is_none() {
        payment.cash_reference.clone_from(&started.cash_reference);
    }
    if payment.status == PaymentStatus::Created {
        payment.status = PaymentStatus::Started;
    }
    if payment.status.is_open() && started.payment_url.is_some() {
        payment.payment_url.clone_from(&started.payment_url);
    }
    Ok(())
}

fn receive(payment: &mut Payment, cents: i64, now: Timestamp) {
    payment.status = PaymentStatus::Paid;
    payment.paid_cents = cents;
    // Money that came by itself brings the day of the statement along: a year's end may lie in between.
    payment.paid_at.get_or_insert(now);
    payment.payment_url = None;
    payment.failure = None;
}

fn ask_clearing(payment: &mut Payment, decided: Decided) -> Result<(), Error> {
    let clearing = payment.clearing.as_mut().ok_or(Error::NotFound { kind: "clearing" })?;
    clearing.asked = Some(decided);
    Ok(())
}

/// The next contradiction is told when this one is decided about.
fn clear(payment: &mut Payment, decided: Decided, now: Timestamp) -> Result<(), Error> {
    let clearing = payment.clearing.take().ok_or(Error::NotFound { kind: "clearing" })?;
    if !payment.contradictions.is_empty() {
        payment.clearing = Some(payment.contradictions.remove(0));
    }
    let Clearing { reason, amount_cents, subject, .. } = clearing;
    let decision = decided.decision;
    payment.cleared.push(Cleared { reason, amount_cents, subject, decision, at: now });
    match decision {
        Decision::Accept => accept(payment, &clearing, decided.by, now),
        Decision::Keep => {
            // Then it may be asked for again.
            let mut refunds = payment.refunds.iter_mut();
            let unclear = refunds.find(|it| Some(it.id) == subject && it.status == RefundStatus::Unclear);
            if let Some(refund) = unclear {
                refund.status = RefundStatus::Refused;
            }
            Ok(())
        }
    }
}

/// What the other side names is booked only if nothing was, and only if it is euros and its provider's own word: money is never booked
/// twice, and never because of a callback.
fn accept(payment: &mut Payment, clearing: &Clearing, by: Id, now: Timestamp) -> Result<(), Error> {
    let state = payment.status.name();
    let wrong = || Error::WrongState { state };
    let cents = clearing.amount_cents.filter(|cents| *cents > 0).ok_or_else(wrong)?;
    match (clearing.reason, clearing.subject) {
        (ClearingReason::Underpaid | ClearingReason::Overpaid, _) if !payment.status.was_paid() => {
            receive(payment, cents, now);
            Ok(())
        }
        (ClearingReason::RefundUnclear, Some(refund)) => {
            refunded(payment, refund, None, now);
            Ok(())
        }
        (ClearingReason::UnknownRefund, _) => {
            let asked_by = clearing.asked.map_or(by, |asked| asked.by);
            note_refund(payment, cents, (asked_by, by), now)
        }
        _ => Err(wrong()),
    }
}

/// The provider has given back `told` cents in all: what is not known of it is noted as a refund that is done. While one is under
/// way nobody knows whether it is among them.
fn note_refund(payment: &mut Payment, told: i64, by: (Id, Id), now: Timestamp) -> Result<(), Error> {
    let wrong = Error::WrongState { state: payment.status.name() };
    if payment.refunds.iter().any(|refund| refund.status == RefundStatus::Agreed) {
        return Err(wrong);
    }
    let amount_cents = settle_unclear(payment, told, now);
    let unclear = payment.refunds.iter().filter(|refund| refund.status == RefundStatus::Unclear);
    if told + unclear.map(|refund| refund.amount_cents).sum::<i64>() > payment.paid_cents {
        return Err(wrong);
    }
    if amount_cents < 1 {
        return Ok(());
    }
    let id = ids::derived_id(payment.meta.id, &format!("refunded:{told}"));
    payment.refunds.push(Refund {
        id,
        amount_cents,
        reason: "Erstattung laut Zahlungsdienst".to_owned(),
        status: RefundStatus::Unclear,
        asked_by: by.0,
        agreed_by: Some(by.1),
        asked_at: now,
        declined: None,
        reference: None,
    });
    refunded(payment, id, None, now);
    Ok(())
}

fn ask_refund(payment: &mut Payment, refund: &Refund) -> Result<(), Error> {
    if !payment.status.was_paid() {
        return Err(Error::WrongState { state: payment.status.name() });
    }
    if refund.amount_cents < 1 || refund.amount_cents > payment.refundable_cents() {
        return Err(Error::Invalid { field: "amountCents" });
    }
    if payment.refunds.len() >= REFUNDS || payment.refunds.iter().any(|known| known.id == refund.id) {
        return Err(Error::Exists);
    }
    payment.refunds.push(refund.clone());
    Ok(())
}

/// Agreed to is only what is still here: the payer's bank may have taken it back since it was asked for.
fn agree_refund(payment: &mut Payment, id: Id, by: Id) -> Result<(), Error> {
    let state = payment.status.name();
    let covered = payment.refunds.iter().any(|refund| refund.id == id && payment.covers(refund));
    let refund = payment.refunds.iter_mut().find(|refund| refund.id == id);
    let refund = refund.ok_or(Error::NotFound { kind: "refund" })?;
    if refund.status != RefundStatus::Asked || !covered {
        return Err(Error::WrongState { state });
    }
    refund.status = RefundStatus::Agreed;
    refund.agreed_by = Some(by);
    Ok(())
}

/// Only what nobody has agreed to: of anything else the provider may know already. It stays where it is, since bookings are numbered by
/// the places of refunds.
fn decline_refund(payment: &mut Payment, id: Id, declined: &Declined) -> Result<(), Error> {
    let state = payment.status.name();
    let refund = payment.refunds.iter_mut().find(|refund| refund.id == id);
    let refund = refund.ok_or(Error::NotFound { kind: "refund" })?;
    if refund.status != RefundStatus::Asked {
        return Err(Error::WrongState { state });
    }
    let is_own = declined.by == refund.asked_by;
    refund.status = if is_own { RefundStatus::Withdrawn } else { RefundStatus::Declined };
    refund.declined = Some(declined.clone());
    Ok(())
}

pub(super) fn validate_claim(claim: &Claim) -> Result<(), Error> {
    let invalid = |field| Err(Error::Invalid { field });
    if !(1..=MOST_CENTS).contains(&claim.amount_cents) {
        return invalid("amountCents");
    }
    let purpose = claim.purpose.trim();
    if purpose.is_empty() || purpose.chars().count() > PURPOSE_CHARS || purpose.chars().any(char::is_control)
    {
        return invalid("purpose");
    }
    // What was given before there was this rule stays.
    let shortest = if claim.meta.version > 1 { 2 } else { SHORTEST_REFERENCE };
    let is_reference = |text: &String| {
        (shortest..=REFERENCE_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte))
    };
    if !claim.cash_reference.as_ref().is_none_or(is_reference) {
        return invalid("cashReference");
    }
    if !claim.due.as_deref().is_none_or(is_day) {
        return invalid("due");
    }
    let sum = claim.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.amount_cents));
    let sound = claim.lines.iter().all(|line| {
        (0..=MOST_CENTS).contains(&line.amount_cents)
            && (0..=line.amount_cents).contains(&line.tax_cents)
            && line.tax_rate <= 10_000
            && line.description.chars().count() <= PURPOSE_CHARS
    });
    let adds_up = claim.lines.is_empty() || sum == Some(claim.amount_cents);
    if claim.lines.len() > LINES || !sound || !adds_up { invalid("lines") } else { Ok(()) }
}

/// Whether it is `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some()
}
