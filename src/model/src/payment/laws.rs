//! What holds for every payment, whatever becomes of it in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::booking::{self, Booking, BookingKind};
use super::observe::observe;
use super::provider::Started;
use super::record::{Clearing, Decided, Decision, MOST_WAITING};
use super::{ClearingReason, Declined, Payment, PaymentStatus, Refund, RefundStatus, Truth, TruthState};
use crate::command::{Change, Command, PaymentChange, Rules};
use crate::testkit::{a_claim, a_payment};
use crate::{Id, Record, RecordKind, Timestamp, decide};

const OWED: i64 = 2_500;

fn truths() -> impl Strategy<Value = Truth> {
    use TruthState::{Cancelled, Expired, Failed, Open, Paid, Pending};
    let state = prop_oneof![4 => Just(Paid), 1 => prop::sample::select(vec![Open, Pending, Failed, Cancelled, Expired])];
    let amount = prop::option::weighted(0.8, prop_oneof![6 => Just(OWED), 1 => 1..6_000_i64]);
    let back = || prop::option::weighted(0.3, 0..3_000_i64);
    let reference = prop::option::weighted(0.5, prop::sample::select(vec!["r", "r", "r", "other"]));
    let currency = prop::option::weighted(0.5, prop::sample::select(vec!["EUR", "EUR", "EUR", "CHF"]));
    (state, amount, back(), back(), reference, currency).prop_map(
        |(state, amount, refunded, taken, reference, currency)| Truth {
            state,
            amount_cents: amount,
            currency: currency.map(str::to_owned),
            reference: reference.map(str::to_owned),
            refunded_cents: refunded,
            charged_back_cents: taken,
            ..Truth::default()
        },
    )
}

fn changes() -> impl Strategy<Value = PaymentChange> {
    let id = || (1..4_u128).prop_map(Id::from_u128);
    let decision = || prop::sample::select(vec![Decision::Keep, Decision::Accept]);
    let started = prop::sample::select(vec!["r", "r", "other"]);
    prop_oneof![
        2 => started.prop_map(|reference| PaymentChange::Started(Started {
            reference: reference.into(),
            payment_url: Some("https://zahlen.example/1".into()),
            cash_reference: None,
        })),
        8 => truths().prop_map(PaymentChange::Observed),
        1 => Just(PaymentChange::StartFailed("payment.start-unclear".into())),
        1 => Just(PaymentChange::Expired),
        1 => (1..6_000_i64).prop_map(|cents| PaymentChange::Received(cents, "line".into())),
        1 => (1..3_000_i64).prop_map(PaymentChange::ChargedBack),
        1 => Just(PaymentChange::Contradicts(ClearingReason::CallbackDiffers, Some(1))),
        1 => decision().prop_map(|decision| PaymentChange::AskClearing(Decided { decision, by: Id::nil() })),
        3 => decision().prop_map(|decision| PaymentChange::Clear(Decided { decision, by: Id::max() })),
        1 => (1..4_u128).prop_map(|id| PaymentChange::BookingRefused(Id::from_u128(id), OWED)),
        3 => (id(), 1..3_000_i64).prop_map(|(id, amount_cents)| PaymentChange::AskRefund(Box::new(Refund {
            id,
            amount_cents,
            reason: "Rücknahme".into(),
            status: RefundStatus::Asked,
            asked_by: Id::nil(),
            agreed_by: None,
            asked_at: Timestamp::default(),
            declined: None,
            reference: None,
        }))),
        3 => id().prop_map(|id| PaymentChange::AgreeRefund(id, Id::max())),
        2 => (id(), any::<bool>()).prop_map(|(id, own)| declines(id, if own { Id::nil() } else { Id::max() })),
        3 => id().prop_map(|id| PaymentChange::RefundDone(id, Some("gutschrift".into()))),
        1 => id().prop_map(|id| PaymentChange::RefundFailed(id, RefundStatus::Unclear)),
        1 => id().prop_map(|id| PaymentChange::RefundFailed(id, RefundStatus::Refused)),
    ]
}

/// The payment after a change, if the change is allowed.
fn changed(payment: &Payment, change: PaymentChange, at: i64) -> Option<Payment> {
    let command = Command {
        kind: RecordKind::Payment,
        id: payment.meta.id,
        expected: None,
        change: Change::Payment(Box::new(change)),
    };
    let before = Record::Payment(payment.clone());
    match decide(Some(&before), &command, Rules::default(), Timestamp::from_micros(at)).ok()?.record {
        Record::Payment(payment) => Some(payment),
        _ => None,
    }
}

fn told(clearing: Option<Clearing>) -> Option<(ClearingReason, Option<i64>)> {
    clearing.map(|clearing| (clearing.reason, clearing.amount_cents))
}

/// What may never become otherwise.
fn keeps_its_word(before: &Payment, after: &Payment, change: &PaymentChange) {
    assert!(!before.status.was_paid() || after.status.was_paid(), "what was paid stays paid");
    assert!(
        before.reference.is_none() || before.reference == after.reference,
        "a reference is never another"
    );
    assert!(before.paid_cents == 0 || before.paid_cents == after.paid_cents, "money comes once");
    assert_eq!(after.status.was_paid(), after.paid_cents > 0, "paid is where money came");
    assert!(
        after.refunded_cents >= before.refunded_cents
            && after.charged_back_cents >= before.charged_back_cents
    );
    assert!(after.refunded_cents <= after.paid_cents && after.charged_back_cents <= after.paid_cents);
    assert!(
        after.kept_cents() >= 0 || after.clearing.is_some() || !after.cleared.is_empty(),
        "a loss is told"
    );
    if after.paid_cents > before.paid_cents {
        let by_ours = matches!(
            change,
            PaymentChange::Observed(Truth { state: TruthState::Paid, .. })
                | PaymentChange::Received(..)
                | PaymentChange::Clear(Decided { decision: Decision::Accept, .. })
        );
        assert!(by_ours, "nothing else makes it paid: {change:?}");
    }
    for refund in &after.refunds {
        let was = before.refunds.iter().find(|known| known.id == refund.id).map(|known| known.status);
        if refund.status == RefundStatus::Agreed && was != Some(RefundStatus::Agreed) {
            assert!(before.covers(refund), "agreed to is only what is here");
        }
    }
    declines_only_what_waits(before, after);
    loses_nothing(before, after);
}

/// A refund is declined only while nobody has agreed to it, and that is its end; its money is free again.
fn declines_only_what_waits(before: &Payment, after: &Payment) {
    use RefundStatus::{Asked, Withdrawn};
    let is_over = |refund: &Refund| matches!(refund.status, RefundStatus::Declined | Withdrawn);
    for (was, is) in before.refunds.iter().zip(&after.refunds) {
        assert_eq!(was.id, is.id, "refunds keep their places");
        assert!(!is_over(was) || was == is, "what was declined stays so");
        if is_over(is) && !is_over(was) {
            assert_eq!((was.status, &is.agreed_by), (Asked, &None));
            let by = is.declined.as_ref().map(|declined| declined.by);
            assert_eq!(is.status == Withdrawn, by == Some(is.asked_by), "whoever asked withdraws");
            assert_eq!(after.kept_cents(), before.kept_cents(), "no money moves");
            assert_eq!(after.refundable_cents(), before.refundable_cents() + is.amount_cents);
        }
        assert_eq!(is.declined.is_some(), is_over(is));
    }
}

/// What is told stays told, in its order, until a human has decided about it.
fn loses_nothing(before: &Payment, after: &Payment) {
    let keys = |payment: &Payment| -> Vec<_> {
        payment.clearing.iter().chain(&payment.contradictions).map(Clearing::key).collect()
    };
    let (was, is) = (keys(before), keys(after));
    let decided = after.cleared.len() - before.cleared.len();
    assert_eq!(is[..was.len() - decided], was[decided..], "nothing is lost or put before another");
    assert_eq!(is.iter().collect::<BTreeSet<_>>().len(), is.len(), "nothing is told twice");
    assert!(after.contradictions.len() <= MOST_WAITING);
    assert!(after.clearing.is_some() || after.contradictions.is_empty());
    if let (Some(was), Some(is), 0) = (before.clearing, after.clearing, decided) {
        assert!(was.asked.is_none() || is.asked.is_some(), "what the first of two decided stays");
    }
    if let (Some(now), true) = (told(after.clearing), told(before.clearing) != told(after.clearing)) {
        let now = after.clearing.map_or((now.0, now.1, None), |it| it.key());
        let decided = before.cleared.iter().any(|cleared| cleared.key() == now);
        assert!(!decided, "what was decided is not told again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bookings_are_the_money_and_none_comes_twice(history in prop::collection::vec(changes(), 1..30)) {
        let claim = a_claim(OWED);
        let mut payment = a_payment(&claim);
        let (mut ids, mut kept) = (BTreeSet::new(), 0);
        for (at, change) in (1..).zip(history) {
            let Some(after) = changed(&payment, change.clone(), at) else { continue };
            keeps_its_word(&payment, &after, &change);
            for booking in booking::of_payment(&claim, Some(&payment), &after, Timestamp::from_micros(at)) {
                prop_assert!(ids.insert(booking.id), "booked twice: {:?}", booking);
                prop_assert!(booking.amount_cents > 0);
                kept += match booking.kind {
                    BookingKind::Receipt => booking.amount_cents,
                    BookingKind::Refund | BookingKind::Chargeback => -booking.amount_cents,
                    BookingKind::Claim | BookingKind::Cancellation => 0,
                };
            }
            payment = after;
            prop_assert_eq!(kept, payment.kept_cents());
        }
    }

    #[test]
    fn the_same_truth_again_changes_nothing(history in prop::collection::vec(changes(), 0..12), truth in truths()) {
        let mut payment = a_payment(&a_claim(OWED));
        for (at, change) in (1..).zip(history) {
            payment = changed(&payment, change, at).unwrap_or(payment);
        }
        let once = observe(&payment, &truth, Timestamp::from_micros(100)).payment;
        let again = observe(&once, &truth, Timestamp::from_micros(200));
        prop_assert!(!again.changed, "{:?} became {:?}", once, again.payment);
    }

    #[test]
    fn late_money_is_taken_whatever_was_before(history in prop::collection::vec(changes(), 0..12)) {
        let mut payment = a_payment(&a_claim(OWED));
        for (at, change) in (1..).zip(history) {
            payment = changed(&payment, change, at).unwrap_or(payment);
        }
        let truth = Truth { state: TruthState::Paid, amount_cents: Some(OWED), ..Truth::default() };
        let after = observe(&payment, &truth, Timestamp::from_micros(100)).payment;
        prop_assert!(after.status.was_paid());
    }
}

fn paid() -> Payment {
    let truth = Truth { state: TruthState::Paid, amount_cents: Some(OWED), ..Truth::default() };
    let payment = a_payment(&a_claim(OWED));
    let started = Started { reference: "r".into(), payment_url: None, cash_reference: None };
    let payment = changed(&payment, PaymentChange::Started(started), 1).unwrap();
    changed(&payment, PaymentChange::Observed(truth), 2).unwrap()
}

#[test]
fn what_was_paid_is_left_by_no_other_state_and_a_human_is_told() {
    use TruthState::{Cancelled, Expired, Failed, Open, Pending};
    for state in [Open, Pending, Failed, Cancelled, Expired] {
        let truth = Truth { state, ..Truth::default() };
        let after = observe(&paid(), &truth, Timestamp::default()).payment;
        assert_eq!(after.status, PaymentStatus::Paid, "{state:?}");
        assert_eq!(told(after.clearing), Some((ClearingReason::Contradiction, None)), "{state:?}");
    }
}

#[test]
fn other_money_than_ours_is_never_a_payment() {
    let tell = |truth: Truth| {
        let mut payment = a_payment(&a_claim(OWED));
        payment.reference = Some("r".into());
        let after =
            observe(&payment, &Truth { state: TruthState::Paid, ..truth }, Timestamp::default()).payment;
        assert!(!after.status.was_paid());
        told(after.clearing).unwrap()
    };
    let amount = |cents| Truth { amount_cents: Some(cents), ..Truth::default() };
    assert_eq!(tell(amount(1)), (ClearingReason::Underpaid, Some(1)));
    assert_eq!(tell(amount(OWED + 1)), (ClearingReason::Overpaid, Some(OWED + 1)));
    let currency = Truth { currency: Some("CHF".into()), ..amount(OWED) };
    assert_eq!(tell(currency), (ClearingReason::Currency, Some(OWED)));
    let other = Truth { reference: Some("other".into()), ..amount(OWED) };
    assert_eq!(tell(other), (ClearingReason::Reference, Some(OWED)));
}

fn asked(payment: &Payment, id: Id, amount_cents: i64) -> Option<Payment> {
    let refund = Refund {
        id,
        amount_cents,
        reason: "Rücknahme".into(),
        status: RefundStatus::Asked,
        asked_by: Id::nil(),
        agreed_by: None,
        asked_at: Timestamp::default(),
        declined: None,
        reference: None,
    };
    changed(payment, PaymentChange::AskRefund(Box::new(refund)), 3)
}

fn declines(id: Id, by: Id) -> PaymentChange {
    PaymentChange::DeclineRefund(id, Declined { by, reason: "Irrtum".into(), at: Timestamp::default() })
}

/// A refund of which nobody knows whether it was carried out.
fn unclear(payment: &Payment, id: Id, cents: i64) -> Payment {
    let agreed = changed(&asked(payment, id, cents).unwrap(), PaymentChange::AgreeRefund(id, Id::max()), 4);
    changed(&agreed.unwrap(), PaymentChange::RefundFailed(id, RefundStatus::Unclear), 5).unwrap()
}

fn decided(payment: &Payment, decision: Decision) -> Option<Payment> {
    changed(payment, PaymentChange::Clear(Decided { decision, by: Id::max() }), 6)
}

#[test]
fn a_human_ends_a_refund_of_which_nobody_knows_and_each_has_its_own_decision() {
    let (one, two) = (Id::from_u128(1), Id::from_u128(2));
    let both = unclear(&unclear(&paid(), one, 1_000), two, 1_000);
    assert_eq!(both.contradictions.len(), 1, "of the same amount, and still another");
    let kept = decided(&both, Decision::Keep).unwrap();
    assert_eq!((kept.refunds[0].status, kept.refunded_cents), (RefundStatus::Refused, 0));
    assert_eq!(kept.clearing.unwrap().subject, Some(two));
    let done = decided(&kept, Decision::Accept).unwrap();
    assert_eq!((done.refunds[1].status, done.refunded_cents), (RefundStatus::Done, 1_000));
    assert_eq!(booking::of_payment(&a_claim(OWED), Some(&kept), &done, Timestamp::default()).len(), 1);
    assert_eq!((done.clearing, done.refundable_cents()), (None, OWED - 1_000));
}

#[test]
fn a_refund_that_nobody_asked_for_is_booked_once_if_two_accept_it() {
    let tells = |cents| Truth { state: TruthState::Paid, refunded_cents: Some(cents), ..Truth::default() };
    let hears =
        |payment: &Payment, cents| changed(payment, PaymentChange::Observed(tells(cents)), 7).unwrap();
    let found = hears(&paid(), 700);
    let noted = decided(&found, Decision::Accept).unwrap();
    assert_eq!((noted.refunded_cents, noted.status), (700, PaymentStatus::PartlyRefunded));
    assert_eq!(booking::of_payment(&a_claim(OWED), Some(&found), &noted, Timestamp::default()).len(), 1);
    assert_eq!(hears(&noted, 700).clearing, None);
    assert_eq!(decided(&hears(&noted, OWED + 1), Decision::Accept), None, "no more than came");
}

#[test]
fn what_the_bank_took_back_is_not_agreed_to_be_given_back() {
    let id = Id::from_u128(1);
    let asked = asked(&paid(), id, 2_000).unwrap();
    let taken = changed(&asked, PaymentChange::ChargedBack(1_000), 4).unwrap();
    assert_eq!(changed(&taken, PaymentChange::AgreeRefund(id, Id::max()), 5), None);
    assert!(changed(&asked, PaymentChange::AgreeRefund(id, Id::max()), 5).is_some());
}

#[test]
fn a_refund_is_declined_only_until_somebody_agrees_and_may_be_asked_for_anew() {
    let (id, other) = (Id::from_u128(1), Id::from_u128(2));
    let waits = asked(&paid(), id, OWED).unwrap();
    assert_eq!(asked(&waits, other, 1), None, "all of it is asked for");
    for (by, status) in [(Id::nil(), RefundStatus::Withdrawn), (Id::max(), RefundStatus::Declined)] {
        let declined = changed(&waits, declines(id, by), 4).unwrap();
        assert_eq!((declined.refunds[0].status, declined.refundable_cents()), (status, OWED));
        assert_eq!(changed(&declined, declines(id, by), 5), None);
        assert_eq!(changed(&declined, PaymentChange::AgreeRefund(id, Id::max()), 5), None);
        assert_eq!(changed(&declined, PaymentChange::RefundDone(id, None), 5), None);
        let anew = asked(&declined, other, OWED).unwrap();
        assert!(changed(&anew, PaymentChange::AgreeRefund(other, Id::max()), 6).is_some());
    }
    let agreed = changed(&waits, PaymentChange::AgreeRefund(id, Id::max()), 4).unwrap();
    assert_eq!([Id::nil(), Id::max()].map(|by| changed(&agreed, declines(id, by), 5)), [None, None]);
}

#[test]
fn only_the_providers_own_word_in_euros_is_accepted() {
    use ClearingReason::{
        CallbackDiffers, Contradiction, Currency, Overpaid, Reference, Underpaid, UnknownStart,
    };
    let open = a_payment(&a_claim(OWED));
    let accepted = |reason| {
        let told = changed(&open, PaymentChange::Contradicts(reason, Some(100)), 1).unwrap();
        decided(&told, Decision::Accept).map(|it| it.paid_cents)
    };
    for reason in [CallbackDiffers, Contradiction, Currency, Reference, UnknownStart] {
        assert_eq!(accepted(reason), None, "{reason:?}");
    }
    assert_eq!([accepted(Underpaid), accepted(Overpaid)], [Some(100); 2]);
}

#[test]
fn two_contradictions_of_one_answer_both_wait_and_leave_the_first_decision_alone() {
    let truth = Truth {
        state: TruthState::Paid,
        amount_cents: Some(100),
        refunded_cents: Some(50),
        ..Truth::default()
    };
    let once = observe(&paid(), &truth, Timestamp::default()).payment;
    let ask = PaymentChange::AskClearing(Decided { decision: Decision::Keep, by: Id::nil() });
    let asked = changed(&once, ask, 3).unwrap();
    assert!(!observe(&asked, &truth, Timestamp::default()).changed);
    assert_eq!(told(asked.clearing), Some((ClearingReason::Underpaid, Some(100))));
    let next = decided(&asked, Decision::Keep).unwrap();
    assert_eq!(told(next.clearing), Some((ClearingReason::UnknownRefund, Some(50))));
}

#[test]
fn all_of_the_money_after_a_part_was_accepted_is_told() {
    let truth = |cents| Truth { state: TruthState::Paid, amount_cents: Some(cents), ..Truth::default() };
    let part = observe(&a_payment(&a_claim(OWED)), &truth(25), Timestamp::default()).payment;
    let part = decided(&part, Decision::Accept).unwrap();
    assert!(!observe(&part, &truth(25), Timestamp::default()).changed);
    let all = observe(&part, &truth(OWED), Timestamp::default()).payment;
    assert_eq!(told(all.clearing), Some((ClearingReason::Overpaid, Some(OWED))));
}

#[test]
fn a_refund_whose_outcome_is_unclear_is_settled_by_what_the_provider_says_later() {
    let id = Id::from_u128(1);
    assert_eq!(asked(&paid(), id, 1_000).unwrap().refundable_cents(), OWED - 1_000);
    let unclear = unclear(&paid(), id, 1_000);
    assert_eq!(told(unclear.clearing), Some((ClearingReason::RefundUnclear, Some(1_000))));
    let truth = Truth { state: TruthState::Paid, refunded_cents: Some(1_000), ..Truth::default() };
    let after = observe(&unclear, &truth, Timestamp::default()).payment;
    assert_eq!((after.status, after.refunds[0].status), (PaymentStatus::PartlyRefunded, RefundStatus::Done));
    let booked = booking::of_payment(&a_claim(OWED), Some(&unclear), &after, Timestamp::default());
    let amounts: Vec<_> =
        booked.iter().map(|booking: &Booking| (booking.kind, booking.amount_cents)).collect();
    assert_eq!(amounts, [(BookingKind::Refund, 1_000)]);
}
