//! Claims: numbered, booked once, cancelled only while nothing is under way.

use broker::{Error, NewClaim, NewPayment, Once};
use model::payment::{BookingKind, ClaimStatus, PaymentStatus, Registers};
use model::rights::Within;
use model::{Caller, Scope, ids};

use super::till::{Till, account};
use crate::engines::on_every_engine;
use crate::house::caller;

#[tokio::test]
async fn a_claim_is_numbered_and_booked_once_however_often_it_is_asked_for() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let once = Once::new("k1".into(), "d".into());
        let make = || till.broker().create_claim(&till.clerk, till.new_claim(2_500), Some(&once));
        let first = make().await.unwrap();
        assert_eq!(make().await.unwrap(), first);
        let second = till.claim(100).await;
        let reference = |claim: &model::payment::Claim| claim.cash_reference.clone().unwrap();
        assert!(reference(&first).starts_with("42000001"), "{}", reference(&first));
        assert!(reference(&second).starts_with("42000002"), "{}", reference(&second));
        assert_eq!(till.booked(&first).await, [(BookingKind::Claim, 2_500)]);
        assert_eq!(till.bookings(&first).await[0].cash_reference, first.cash_reference);
    })
    .await;
}

#[tokio::test]
async fn claims_that_are_made_at_the_same_time_have_numbers_of_their_own() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claims = futures::future::join_all((0..12).map(|_| till.claim(100))).await;
        let mut numbers: Vec<_> = claims.iter().map(|claim| claim.cash_reference.clone()).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 12);
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_given_by_hand_is_passed_over() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let first = till.claim(100).await.cash_reference.unwrap();
        let next = |count| account("gebuehren", None, Registers::Gateway).numbering.reference(count).unwrap();
        assert_eq!(first, next(1));
        for count in [2, 3] {
            let by_hand = NewClaim {
                account: Some("kasse".into()),
                cash_reference: Some(next(count)),
                ..till.new_claim(100)
            };
            till.broker().create_claim(&till.clerk, by_hand, None).await.unwrap();
        }
        assert_eq!(till.claim(100).await.cash_reference, Some(next(4)));
        assert_eq!(till.claim(100).await.cash_reference, Some(next(5)));
    })
    .await;
}

#[tokio::test]
async fn the_cash_system_s_kassenzeichen_belongs_to_one_claim() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let (broker, cashier) = (till.broker(), till.cashier());
        let new = |reference: Option<&str>| NewClaim {
            account: Some("kasse".into()),
            cash_reference: reference.map(str::to_owned),
            ..till.new_claim(100)
        };
        let first = broker.create_claim(&till.clerk, new(Some("K-0001")), None).await.unwrap();
        assert_eq!(till.booked(&first).await, []);
        let taken = broker.create_claim(&till.clerk, new(Some("K-0001")), None).await.unwrap_err();
        assert_eq!(taken.code(), "payment.reference-taken");
        let later = broker.create_claim(&till.clerk, new(None), None).await.unwrap();
        let assign = |reference: &str| {
            broker.assign_cash_reference(&cashier, later.meta.id, reference.to_owned(), None)
        };
        assert_eq!(assign("K-0001").await.unwrap_err().code(), "payment.reference-taken");
        assert_eq!(assign("K-2").await.unwrap_err().code(), "model.invalid", "found in texts by chance");
        assert_eq!(assign("K-0002").await.unwrap().cash_reference.as_deref(), Some("K-0002"));
        assert_eq!(assign("K-0002").await.unwrap().cash_reference.as_deref(), Some("K-0002"));
        assert_eq!(assign("K-0003").await.unwrap_err().code(), "model.exists");
        let by_hand = NewClaim { cash_reference: Some("K-0009".into()), ..till.new_claim(100) };
        let refused = broker.create_claim(&till.clerk, by_hand, None).await.unwrap_err();
        assert_eq!(refused.code(), "model.invalid", "the gateway numbers these");
        let numbered = till.claim(100).await;
        let other = broker.assign_cash_reference(&cashier, numbered.meta.id, "K-0004".into(), None).await;
        assert_eq!(other.unwrap_err().code(), "model.invalid", "these, too");
    })
    .await;
}

#[tokio::test]
async fn a_claim_is_cancelled_only_while_nothing_is_under_way_and_nothing_is_kept() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let cancel = |id| till.broker().cancel_claim(&till.clerk, id, None);
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        let Err(Error::PaymentUnderWay { payment: named }) = cancel(claim.meta.id).await else {
            panic!("a payment is under way")
        };
        assert_eq!(named, payment.meta.id);
        till.broker().void_payment(&till.clerk, payment.meta.id, None).await.unwrap();
        till.run().await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Cancelled);
        let cancelled = cancel(claim.meta.id).await.unwrap();
        assert_eq!(cancelled.status, ClaimStatus::Cancelled);
        assert_eq!(
            till.booked(&claim).await,
            [(BookingKind::Claim, 2_500), (BookingKind::Cancellation, 2_500)]
        );
        let start = till.broker().start_payment(&till.clerk, claim.meta.id, NewPayment::default(), None);
        assert_eq!(start.await.unwrap_err().code(), "model.wrong-state");
        let paid = till.claim(100).await;
        till.paid(&paid).await;
        assert_eq!(cancel(paid.meta.id).await.unwrap_err().code(), "model.wrong-state");
    })
    .await;
}

#[tokio::test]
async fn of_a_start_and_a_cancellation_at_the_same_time_one_wins() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        for _ in 0..6 {
            let claim = till.claim(2_500).await;
            let start = till.broker().start_payment(&till.clerk, claim.meta.id, NewPayment::default(), None);
            let cancel = till.broker().cancel_claim(&till.clerk, claim.meta.id, None);
            let (started, cancelled) = tokio::join!(start, cancel);
            assert_ne!(started.is_ok(), cancelled.is_ok());
        }
    })
    .await;
}

#[tokio::test]
async fn claims_are_made_seen_and_paid_within_the_scope_alone() {
    let till = Till::open(None).await;
    let claim = till.claim(100).await;
    let (broker, id) = (till.broker(), claim.meta.id);
    let other_unit = Caller {
        scope: Scope { units: Within::one("71"), ..till.clerk.scope.clone() },
        ..till.clerk.clone()
    };
    for stranger in [other_unit, caller("lippstadt", "63")] {
        let made = broker.create_claim(&stranger, till.new_claim(100), None).await.unwrap_err();
        let started = broker.start_payment(&stranger, id, NewPayment::default(), None).await.unwrap_err();
        let cancelled = broker.cancel_claim(&stranger, id, None).await.unwrap_err();
        for error in [made, started, cancelled] {
            assert_eq!(error.code(), "model.not-found");
        }
        let seen = broker.record(&stranger, model::RecordKind::Claim, id).await.unwrap_err();
        assert_eq!(seen.code(), "model.not-found");
    }
    let auditor = Caller { roles: vec![model::Role::Auditor], ..till.clerk.clone() };
    let refused = broker.create_claim(&auditor, till.new_claim(100), None).await.unwrap_err();
    assert_eq!(refused.code(), "model.forbidden");
    // Whoever keeps the account's books sees what is paid by it.
    let keeper =
        Caller { scope: Scope { units: Within::one("70"), ..till.clerk.scope.clone() }, ..till.cashier() };
    broker.record(&keeper, model::RecordKind::Claim, id).await.unwrap();
    let by_command = model::command::Change::PaidTowards(100);
    let command = crate::house::change(model::RecordKind::Claim, id, by_command);
    assert_eq!(broker.submit(&till.clerk, command, None).await.unwrap_err().code(), "model.forbidden");
    let unknown = broker.cancel_claim(&till.clerk, ids::new_id(), None).await.unwrap_err();
    assert_eq!(unknown.code(), "model.not-found");
}
