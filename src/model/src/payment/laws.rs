//! What holds for every payment, whatever becomes of it in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::booking::{self, Booking, BookingKind};
use super::observe::observe;
use super::provider::Started;
use super::record::{Clearing, Decided, Decision};
use super::{ClearingReason, Payment, PaymentStatus, Refund, RefundStatus, Truth, TruthState};
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
        2 => decision().prop_map(PaymentChange::Clear),
        3 => (id(), 1..3_000_i64).prop_map(|(id, amount_cents)| PaymentChange::AskRefund(Box::new(Refund {
            id,
            amount_cents,
            reason: "Rücknahme".into(),
            status: RefundStatus::Asked,
            asked_by: Id::nil(),
            agreed_by: None,
            asked_at: Timestamp::default(),
            reference: None,
        }))),
        3 => id().prop_map(|id| PaymentChange::AgreeRefund(id, Id::max())),
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
                | PaymentChange::Clear(Decision::Accept)
        );
        assert!(by_ours, "nothing else makes it paid: {change:?}");
    }
    if let (Some(now), true) = (told(after.clearing), told(before.clearing) != told(after.clearing)) {
        let decided = before.cleared.iter().any(|cleared| (cleared.reason, cleared.amount_cents) == now);
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

#[test]
fn a_refund_whose_outcome_is_unclear_is_settled_by_what_the_provider_says_later() {
    let id = Id::from_u128(1);
    let refund = Refund {
        id,
        amount_cents: 1_000,
        reason: "Rücknahme".into(),
        status: RefundStatus::Asked,
        asked_by: Id::nil(),
        agreed_by: None,
        asked_at: Timestamp::default(),
        reference: None,
    };
    let asked = changed(&paid(), PaymentChange::AskRefund(Box::new(refund)), 3).unwrap();
    assert_eq!(asked.refundable_cents(), OWED - 1_000);
    let agreed = changed(&asked, PaymentChange::AgreeRefund(id, Id::max()), 4).unwrap();
    let unclear = changed(&agreed, PaymentChange::RefundFailed(id, RefundStatus::Unclear), 5).unwrap();
    assert_eq!(told(unclear.clearing), Some((ClearingReason::RefundUnclear, Some(1_000))));
    let truth = Truth { state: TruthState::Paid, refunded_cents: Some(1_000), ..Truth::default() };
    let after = observe(&unclear, &truth, Timestamp::default()).payment;
    assert_eq!((after.status, after.refunds[0].status), (PaymentStatus::PartlyRefunded, RefundStatus::Done));
    let booked = booking::of_payment(&a_claim(OWED), Some(&unclear), &after, Timestamp::default());
    let amounts: Vec<_> =
        booked.iter().map(|booking: &Booking| (booking.kind, booking.amount_cents)).collect();
    assert_eq!(amounts, [(BookingKind::Refund, 1_000)]);
}
