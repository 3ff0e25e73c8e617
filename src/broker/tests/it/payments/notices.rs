//! Calls at the doors: hints that are kept, and nothing else.

use broker::NoticeDoor;
use model::payment::provider::{Refusal, Verdict};
use model::payment::{BookingKind, ClearingReason, PaymentStatus, TruthState};
use model::{EventKind, FailureKind};

use super::till::{Fault, GIRO, Till};
use crate::engines::on_every_engine;

#[tokio::test]
async fn a_call_has_the_provider_asked_and_pays_nothing_by_itself() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        assert_eq!(till.notify("state=paid").await.status, 200);
        till.run().await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Started);
        assert_eq!(till.giro.count("status"), 1);
        till.giro.all_are(TruthState::Paid);
        // The same bytes, but the state is another one: it is asked, too, though not at once.
        assert_eq!(till.notify("state=paid").await.status, 200);
        till.run().await;
        assert_eq!(till.giro.count("status"), 1);
        till.later(11).await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
        let events = till.broker().events(&till.clerk, 0, 1_000).await.unwrap();
        let kept: Vec<_> = events.iter().filter(|it| is_notice(&it.event)).collect();
        assert_eq!(kept.len(), 1, "the same call is kept once");
    })
    .await;
}

fn is_notice(event: &model::Event) -> bool {
    event.kind == EventKind::PaymentNotified && event.payloads.len() == 1
}

#[tokio::test]
async fn the_same_named_call_again_has_no_effect() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        till.started(&till.claim(2_500).await).await;
        till.giro.set(|it| it.notice_id = Some("evt_1".into()));
        for _ in 0..3 {
            assert_eq!(till.notify("a=1").await.status, 200);
            till.later(1).await;
        }
        assert_eq!(till.giro.count("status"), 1);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_token_reveals_nothing() {
    let till = Till::open(None).await;
    till.started(&till.claim(2_500).await).await;
    let (notify, comes_back) = till.tokens();
    let wrong = "A".repeat(22);
    for token in [wrong.as_str(), "", "x", &comes_back] {
        for method in ["GET", "DELETE"] {
            let answer = till.knock(NoticeDoor::Notify, token, method, &"x".repeat(9_000)).await;
            assert_eq!((answer.status, answer.payment), (400, None));
        }
    }
    let answer = till.knock(NoticeDoor::Return, &notify, "GET", "").await;
    assert_eq!((answer.status, answer.payment), (404, None));
    let known = till.knock(NoticeDoor::Notify, &notify, "DELETE", "").await;
    assert_eq!(known.status, 405);
    assert_eq!(till.knock(NoticeDoor::Notify, &notify, "GET", &"x".repeat(9_000)).await.status, 413);
    let elsewhere = model::payment::provider::Notice {
        method: "GET".into(),
        query: String::new(),
        headers: vec![],
        body: vec![],
    };
    let answer = till.broker().notice("other", &notify, NoticeDoor::Notify, elsewhere).await.unwrap();
    assert_eq!((answer.status, till.giro.count("status")), (400, 0));
}

#[tokio::test]
async fn a_payer_who_comes_back_has_the_provider_asked_whatever_the_query_says() {
    let till = Till::open(None).await;
    let claim = till.claim(2_500).await;
    let new = broker::NewPayment { return_to: Some("https://portal.example/a".into()) };
    let begun = till.broker().start_payment(&till.clerk, claim.meta.id, new, None).await.unwrap();
    till.run().await;
    till.giro.set(|it| it.verdict = Some(Verdict::Refused(Refusal::Signature)));
    let answer = till.knock(NoticeDoor::Return, &till.tokens().1, "GET", "state=paid&hash=0").await;
    assert_eq!((answer.status, answer.return_to.as_deref()), (200, Some("https://portal.example/a")));
    till.run().await;
    assert_eq!(till.giro.count("status"), 1);
    assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Started);
}

#[tokio::test]
async fn false_calls_are_kept_as_evidence_but_not_without_end() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let payment = till.started(&till.claim(2_500).await).await;
        till.giro.set(|it| it.verdict = Some(Verdict::Refused(Refusal::Signature)));
        for number in 0..105 {
            assert_eq!(till.notify(&format!("n={number}")).await.status, 400);
        }
        till.later(5).await;
        assert_eq!(till.giro.count("status"), 0);
        let mut after = 0;
        let mut kept = 0;
        loop {
            let events = till.broker().events(&till.clerk, after, 1_000).await.unwrap();
            let Some(last) = events.last() else { break };
            after = last.number;
            kept += events.iter().filter(|it| is_notice(&it.event)).count();
        }
        assert_eq!(kept, 100);
        // A true one still gets through.
        till.giro.set(|it| it.verdict = None);
        till.giro.all_are(TruthState::Paid);
        assert_eq!(till.notify("n=1").await.status, 200);
        till.run().await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn a_false_call_does_not_take_the_name_of_a_true_one() {
    let till = Till::open(None).await;
    till.started(&till.claim(2_500).await).await;
    till.giro.set(|it| {
        it.notice_id = Some("evt_1".into());
        it.verdict = Some(Verdict::Refused(Refusal::Signature));
    });
    assert_eq!(till.notify("a=1").await.status, 400);
    till.giro.set(|it| it.verdict = None);
    assert_eq!(till.notify("a=1").await.status, 200);
    till.run().await;
    assert_eq!(till.giro.count("status"), 1);
}

#[tokio::test]
async fn what_is_authentic_but_cannot_be_is_told_and_asked_about() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        let differs = Verdict::Differs(ClearingReason::CallbackDiffers, Some(25), 200);
        till.giro.set(|it| it.verdict = Some(differs));
        assert_eq!(till.notify("amount=25").await.status, 200);
        assert_eq!(till.tasks(&payment).await, ["payment.callback-differs"]);
        till.giro.all_are(TruthState::Paid);
        till.later(2).await;
        let paid = till.payment(payment.meta.id).await;
        assert_eq!((paid.status, paid.paid_cents), (PaymentStatus::Paid, 2_500));
        assert!(paid.clearing.is_some());
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_told_also_when_calls_are_only_counted() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let payment = till.started(&till.claim(2_500).await).await;
        till.hinted(1_000).await;
        till.giro.set(|it| {
            it.verdict = Some(Verdict::Differs(ClearingReason::CallbackDiffers, Some(25), 200));
        });
        for _ in 0..2 {
            assert_eq!(till.notify("amount=25").await.status, 200);
            assert_eq!(till.tasks(&payment).await, ["payment.callback-differs"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_before_the_start_is_answered_comes_again() {
    let till = Till::open(None).await;
    let claim = till.claim(2_500).await;
    let begun = till.begin(&claim).await;
    till.giro.fails(&[Fault::After(FailureKind::Uncertain)]);
    till.run().await;
    assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Created);
    till.giro.set(|it| it.verdict = Some(Verdict::Refused(Refusal::TooEarly)));
    let answer = till.notify("state=paid").await;
    assert_eq!((answer.status, answer.retry_after.is_some()), (503, true));
    till.later(2).await;
    till.giro.set(|it| it.verdict = None);
    till.giro.all_are(TruthState::Paid);
    assert_eq!(till.notify("state=paid").await.status, 200);
    till.run().await;
    assert_eq!(till.payment(begun.meta.id).await.status, PaymentStatus::Paid);
}

#[tokio::test]
async fn a_call_while_the_provider_is_being_asked_has_it_asked_again() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let payment = till.started(&till.claim(2_500).await).await;
        till.giro.set(|it| it.waits = true);
        let call = async {
            till.giro.asked.notified().await;
            // The answer on its way says "open"; now the payer pays and the provider calls.
            till.giro.all_are(TruthState::Paid);
            assert_eq!(till.notify("state=paid").await.status, 200);
            till.giro.set(|it| it.waits = false);
            till.giro.go.notify_one();
        };
        tokio::join!(till.later(40), call);
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Started);
        till.later(2).await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn a_call_long_after_the_end_has_the_provider_asked_again() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let paid = till.paid(&claim).await;
        till.later(200_000).await;
        till.giro.set(|it| it.known.values_mut().for_each(|truth| truth.charged_back_cents = Some(2_500)));
        till.notify("state=chargeback").await;
        till.run().await;
        assert_eq!(till.payment(paid.meta.id).await.status, PaymentStatus::ChargedBack);
        let claim = till.claimed(&claim).await;
        assert_eq!(claim.paid_cents, 0);
        assert!(till.booked(&claim).await.contains(&(BookingKind::Chargeback, 2_500)));
    })
    .await;
}

#[tokio::test]
async fn tokens_stand_in_no_record_and_no_event() {
    let till = Till::open(None).await;
    let payment = till.paid(&till.claim(2_500).await).await;
    till.notify("a=1").await;
    till.run().await;
    let (notify, comes_back) = till.tokens();
    let events = till.broker().events(&till.clerk, 0, 1_000).await.unwrap();
    let told = format!("{}{}", serde_json::to_string(&payment).unwrap(), {
        let all: Vec<_> = events.iter().map(|it| &it.event).collect();
        serde_json::to_string(&all).unwrap()
    });
    assert!(told.contains(GIRO) && !told.contains(&notify) && !told.contains(&comes_back));
}
