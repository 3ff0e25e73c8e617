//! Asking the provider: by the schedule, after failures, at the end; late money; money that came twice.

use broker::NewPayment;
use model::FailureKind;
use model::payment::provider::Terms;
use model::payment::{BookingKind, ClaimStatus, ClearingReason, PaymentStatus, TruthState};

use super::till::{Fault, Till, terms};
use crate::engines::on_every_engine;

#[tokio::test]
async fn a_payment_that_nobody_finishes_expires_and_its_late_money_is_taken() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        for seconds in [40, 120, 600, 1_800, 3_000, 2_000] {
            till.later(seconds).await;
        }
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Expired);
        let looks = till.giro.count("status");
        assert!((5..=8).contains(&looks), "{looks} looks");
        till.giro.all_are(TruthState::Paid);
        till.later(86_400).await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_the_payer_has_acted_on_waits_for_the_last_look() {
    let till = Till::open(None).await;
    let payment = till.started(&till.claim(2_500).await).await;
    till.giro.all_are(TruthState::Pending);
    till.later(40).await;
    till.later(8_000).await;
    assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Pending);
    for _ in 0..25 {
        till.later(3_700).await;
    }
    assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Expired);
    let looks = till.giro.count("status");
    till.later(100_000).await;
    assert_eq!(till.giro.count("status"), looks, "nobody is asked for ever");
}

#[tokio::test]
async fn a_provider_that_fails_is_asked_again_until_it_answers() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        till.giro.all_are(TruthState::Paid);
        let faults = [Fault::Before(FailureKind::Transient), Fault::After(FailureKind::Uncertain)];
        till.giro.fails(&faults.repeat(10));
        for _ in 0..40 {
            till.later(1_000).await;
        }
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
        assert_eq!(till.giro.count("status"), 21);
    })
    .await;
}

#[tokio::test]
async fn wrong_credentials_are_told_and_the_payment_is_not_given_up() {
    let till = Till::open(None).await;
    let claim = till.claim(2_500).await;
    let payment = till.started(&claim).await;
    till.giro.fails(&[Fault::Before(FailureKind::Unauthorised); 30]);
    till.giro.all_are(TruthState::Paid);
    for _ in 0..25 {
        till.later(3_700).await;
    }
    assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Started, "nobody could look");
    let told = till.tasks(&payment).await;
    assert!((1..=3).contains(&told.len()), "once a day: {told:?}");
    for _ in 0..4 {
        till.later(3_700).await;
    }
    let late = till.payment(payment.meta.id).await;
    assert_eq!(
        (late.status, late.clearing.unwrap().reason),
        (PaymentStatus::Expired, ClearingReason::NotLookedAt)
    );
    assert!(till.tasks(&payment).await.contains(&"payment.not-looked-at".to_owned()));
    till.broker().start_payment(&till.clerk, claim.meta.id, NewPayment::default(), None).await.unwrap();
    for _ in 0..3 {
        till.later(3_700).await;
    }
    assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid, "late money is taken");
}

#[tokio::test]
async fn a_provider_that_may_not_be_asked_is_asked_after_a_call_alone() {
    let till = Till::with(None, Terms { may_be_polled: false, ..terms() }).await;
    let first = till.started(&till.claim(2_500).await).await;
    till.giro.all_are(TruthState::Paid);
    till.later(100).await;
    till.later(1_000).await;
    assert_eq!(till.giro.count("status"), 0);
    till.notify("state=paid").await;
    till.run().await;
    assert_eq!(till.payment(first.meta.id).await.status, PaymentStatus::Paid);
    let second = till.started(&till.claim(100).await).await;
    till.later(8_000).await;
    assert_eq!(till.payment(second.meta.id).await.status, PaymentStatus::Expired);
}

#[tokio::test]
async fn a_claim_that_is_paid_twice_is_told_and_both_payments_are_booked() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let first = till.started(&claim).await;
        till.giro.all_are(TruthState::Failed);
        till.later(40).await;
        assert_eq!(till.payment(first.meta.id).await.status, PaymentStatus::Failed);
        let second = till.started(&claim).await;
        till.giro.all_are(TruthState::Paid);
        till.later(40).await;
        assert_eq!(till.payment(second.meta.id).await.status, PaymentStatus::Paid);
        till.later(8_000).await;
        till.later(86_400).await;
        let late = till.payment(first.meta.id).await;
        assert_eq!(late.status, PaymentStatus::Paid);
        assert_eq!(late.clearing.map(|it| it.reason), Some(ClearingReason::PaidTwice));
        assert_eq!(till.tasks(&late).await, ["payment.paid-twice"]);
        let claim = till.claimed(&claim).await;
        assert_eq!((claim.status, claim.paid_cents), (ClaimStatus::Overpaid, 5_000));
        let receipts = till.booked(&claim).await;
        assert_eq!(receipts.iter().filter(|(kind, _)| *kind == BookingKind::Receipt).count(), 2);
    })
    .await;
}

#[tokio::test]
async fn another_amount_or_currency_is_a_contradiction_and_never_a_payment() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        till.giro.set(|it| {
            for truth in it.known.values_mut() {
                truth.state = TruthState::Paid;
                truth.amount_cents = Some(25);
            }
        });
        till.later(40).await;
        let unclear = till.payment(payment.meta.id).await;
        assert_eq!(unclear.status, PaymentStatus::Started);
        assert_eq!(unclear.clearing.map(|it| it.reason), Some(ClearingReason::Underpaid));
        assert_eq!(till.tasks(&payment).await, ["payment.underpaid"]);
        till.later(120).await;
        assert_eq!(till.payment(payment.meta.id).await.meta.version, unclear.meta.version, "told once");
        till.giro.set(|it| {
            it.known.values_mut().for_each(|truth| truth.currency = Some("CHF".into()));
        });
        till.later(700).await;
        let both = till.payment(payment.meta.id).await;
        let waits: Vec<_> = both.contradictions.iter().map(|it| it.reason).collect();
        assert_eq!(waits, [ClearingReason::Currency], "it waits until the first is decided about");
        assert_eq!(till.tasks(&payment).await, ["payment.underpaid"]);
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500)]);
    })
    .await;
}
