//! Starts: persisted before the call, asked for after a lost answer, never a second payment.

use broker::{Error, NewClaim, NewPayment, Once};
use model::FailureKind;
use model::payment::provider::Terms;
use model::payment::{BookingKind, ClaimStatus, PaymentStatus, TruthState};

use super::till::{Fault, Till, terms};
use crate::engines::on_every_engine;

#[tokio::test]
async fn a_payment_is_persisted_then_started_then_paid_and_booked_once() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let begun = till.begin(&claim).await;
        assert_eq!((begun.status, till.giro.count("start")), (PaymentStatus::Created, 0));
        till.run().await;
        let started = till.payment(begun.meta.id).await;
        assert_eq!(started.status, PaymentStatus::Started);
        assert_eq!(started.payment_url.as_deref(), Some("https://zahlen.example/seite"));
        till.giro.all_are(TruthState::Paid);
        till.later(40).await;
        let paid = till.payment(begun.meta.id).await;
        assert_eq!((paid.status, paid.paid_cents, paid.payment_url), (PaymentStatus::Paid, 2_500, None));
        till.later(90_000).await;
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
        let claim = till.claimed(&claim).await;
        assert_eq!((claim.status, claim.paid_cents), (ClaimStatus::Paid, 2_500));
        assert_eq!(till.giro.count("status"), 1, "what is paid is not asked for any more");
    })
    .await;
}

#[tokio::test]
async fn each_attempt_has_the_kassenzeichen_that_its_provider_made_and_the_claim_that_of_the_one_that_was_paid()
 {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        till.giro.set(|state| state.numbers = true);
        let new = NewClaim { account: Some("dienst".into()), ..till.new_claim(2_500) };
        let claim = till.broker().create_claim(&till.clerk, new, None).await.unwrap();
        let first = till.started(&claim).await;
        till.giro.all_are(TruthState::Cancelled);
        till.later(40).await;
        assert_eq!(till.claimed(&claim).await.cash_reference, None, "nothing was paid by it");
        let second = till.paid(&claim).await;
        assert_ne!(first.cash_reference, second.cash_reference);
        assert_eq!(till.claimed(&claim).await.cash_reference, second.cash_reference);
        let orders = till.giro.state.lock().unwrap().orders.clone();
        let starts = orders.iter().filter(|order| order.payment_id == second.meta.id);
        assert_eq!(starts.map(|order| order.cash_reference.clone()).next(), Some(None), "it makes its own");
        let booked = till.bookings(&claim).await;
        assert_eq!(
            booked.iter().map(|it| it.cash_reference.clone()).collect::<Vec<_>>(),
            [second.cash_reference]
        );
    })
    .await;
}

#[tokio::test]
async fn there_is_one_open_payment_of_a_claim_and_the_same_request_gets_the_same() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let once = Once::new("p".into(), "d".into());
        let start =
            |once| till.broker().start_payment(&till.clerk, claim.meta.id, NewPayment::default(), once);
        let first = start(Some(&once)).await.unwrap();
        till.run().await;
        let again = start(Some(&once)).await.unwrap();
        assert_eq!((again.meta.id, again.status), (first.meta.id, PaymentStatus::Started));
        let Err(Error::PaymentUnderWay { payment }) = start(None).await else { panic!("one is open") };
        assert_eq!(payment, first.meta.id);
        let other = till.claim(100).await;
        let start = || till.broker().start_payment(&till.clerk, other.meta.id, NewPayment::default(), None);
        let both = tokio::join!(start(), start());
        assert_eq!(u8::from(both.0.is_ok()) + u8::from(both.1.is_ok()), 1);
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_call_and_commit_is_asked_about_and_starts_nothing_twice() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let begun = till.begin(&claim).await;
        till.giro.fails(&[Fault::Silent]);
        till.crash().await;
        assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Created);
        till.later(61).await;
        assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Started);
        assert_eq!((till.giro.count("start"), till.giro.count("find")), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_about_and_what_did_not_happen_is_done_again() {
    on_every_engine(|database| async move {
        for (fault, starts) in
            [(Fault::After(FailureKind::Uncertain), 1), (Fault::Before(FailureKind::Uncertain), 2)]
        {
            let till = Till::open(database.clone()).await;
            let claim = till.claim(2_500).await;
            till.giro.fails(&[fault]);
            let begun = till.begin(&claim).await;
            till.run().await;
            till.later(2).await;
            let payment = till.payment(begun.meta.id).await;
            assert_eq!((payment.status, till.giro.count("start")), (PaymentStatus::Started, starts));
            assert_eq!(till.giro.state.lock().unwrap().known.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn where_nobody_can_be_asked_only_an_idempotent_start_is_repeated() {
    for (start_is_idempotent, status, starts) in
        [(true, PaymentStatus::Started, 2), (false, PaymentStatus::Failed, 1)]
    {
        let till = Till::with(None, Terms { finds: false, start_is_idempotent, ..terms() }).await;
        let claim = till.claim(2_500).await;
        till.giro.fails(&[Fault::After(FailureKind::Uncertain)]);
        let begun = till.begin(&claim).await;
        till.run().await;
        till.later(2).await;
        let payment = till.payment(begun.meta.id).await;
        assert_eq!((payment.status, till.giro.count("start")), (status, starts));
        let code = payment.failure.as_deref();
        assert_eq!(code, (!start_is_idempotent).then_some("payment.start-unclear"));
    }
}

#[tokio::test]
async fn a_start_that_was_refused_or_that_nobody_takes_fails_and_another_may_begin() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        till.giro.fails(&[Fault::Before(FailureKind::Rejected)]);
        let refused = till.started(&claim).await;
        assert_eq!(refused.status, PaymentStatus::Failed);
        assert_eq!(refused.failure.as_deref(), Some("payment.test"));
        till.giro.fails(&[Fault::Before(FailureKind::Transient); 6]);
        let begun = till.begin(&claim).await;
        till.run().await;
        for _ in 0..8 {
            till.later(60).await;
        }
        assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Failed);
        assert_eq!(till.giro.state.lock().unwrap().known.len(), 0, "the provider never knew any");
        assert_eq!(till.started(&claim).await.status, PaymentStatus::Started);
    })
    .await;
}

#[tokio::test]
async fn a_payment_without_a_page_is_never_shown_but_cancelled_and_looked_at() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        till.giro.set(|it| it.no_page = true);
        let payment = till.started(&claim).await;
        assert_eq!(payment.status, PaymentStatus::Failed);
        assert_eq!(payment.failure.as_deref(), Some("payment.no-page"));
        assert_eq!((payment.payment_url, till.giro.count("void")), (None, 1));
        assert!(payment.reference.is_some());
        // Somebody has paid all the same.
        till.giro.all_are(TruthState::Paid);
        till.later(40).await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn credentials_that_are_refused_are_told_once() {
    let till = Till::open(None).await;
    till.giro.fails(&[Fault::Before(FailureKind::Unauthorised); 2]);
    let first = till.started(&till.claim(100).await).await;
    let second = till.started(&till.claim(100).await).await;
    assert_eq!((first.status, second.status), (PaymentStatus::Failed, PaymentStatus::Failed));
    let told = [till.tasks(&first).await, till.tasks(&second).await].concat();
    assert_eq!(told, ["payment.test"]);
}

#[tokio::test]
async fn the_rest_of_a_claim_is_one_line_and_lines_always_add_up() {
    let till = Till::open(None).await;
    let line = |cents| model::payment::BookingLine {
        description: "Gebühr".into(),
        amount_cents: cents,
        ..Default::default()
    };
    let new = broker::NewClaim { lines: vec![line(2_000), line(500)], ..till.new_claim(2_500) };
    let claim = till.broker().create_claim(&till.clerk, new, None).await.unwrap();
    till.started(&claim).await;
    let orders = till.giro.state.lock().unwrap().orders.clone();
    assert_eq!(orders[0].lines, [line(2_000), line(500)]);
    let plain = till.claim(700).await;
    till.started(&plain).await;
    let order = till.giro.state.lock().unwrap().orders.last().cloned().unwrap();
    assert_eq!(order.lines.iter().map(|line| line.amount_cents).sum::<i64>(), 700);
    assert_eq!(order.lines[0].budget_item.as_deref(), Some("0.1310.1000"));
    assert_eq!(order.cash_reference, plain.cash_reference);
}

#[tokio::test]
async fn a_payer_is_sent_on_to_allowed_hosts_alone() {
    let till = Till::open(None).await;
    for (url, allowed) in [
        ("https://portal.example/fertig?x=1", true),
        ("https://PORTAL.example", true),
        ("http://portal.example/", false),
        ("https://portal.example.evil.example/", false),
        ("https://portal.example@evil.example/", false),
        ("https://evil.example\\@portal.example/", false),
        ("https://portal.example:8443/", false),
        ("javascript:alert(1)", false),
    ] {
        let claim = till.claim(100).await;
        let new = NewPayment { return_to: Some(url.into()) };
        let outcome = till.broker().start_payment(&till.clerk, claim.meta.id, new, None).await;
        match allowed {
            true => assert_eq!(outcome.unwrap().return_to.as_deref(), Some(url)),
            false => assert_eq!(outcome.unwrap_err().code(), "payment.return-host", "{url}"),
        }
    }
}
