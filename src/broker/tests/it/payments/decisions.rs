//! Decisions about what contradicts: by two, where the house wants that.

use broker::{Page, RecordFilter};
use model::command::Change;
use model::payment::provider::Verdict;
use model::payment::record::Decision;
use model::payment::{BookingKind, ClaimStatus, ClearingReason, PaymentStatus, TruthState};
use model::{Caller, RecordKind, Scope};
use serde_json::json;

use super::till::Till;
use crate::engines::on_every_engine;
use crate::house::change;

/// A payment of which the provider says that 25 cents were paid.
async fn underpaid(till: &Till, claim: &model::payment::Claim) -> model::payment::Payment {
    let payment = till.started(claim).await;
    till.giro.set(|it| {
        for truth in it.known.values_mut() {
            truth.state = TruthState::Paid;
            truth.amount_cents = Some(25);
        }
    });
    till.later(40).await;
    till.payment(payment.meta.id).await
}

#[tokio::test]
async fn a_decision_needs_two_and_books_what_was_accepted_once() {
    let till = Till::of_two().await;
    let claim = till.claim(2_500).await;
    let id = underpaid(&till, &claim).await.meta.id;
    let one = till.cashier();
    let decide = |caller, decision| {
        let broker = till.broker().clone();
        async move { broker.decide_clearing(&caller, id, decision, None).await }
    };
    let asked = decide(one.clone(), Decision::Accept).await.unwrap();
    assert!(asked.clearing.unwrap().asked.is_some());
    let alone = decide(one.clone(), Decision::Accept).await.unwrap_err();
    assert_eq!(alone.code(), "model.second-person");
    // Another decision is another question.
    let other = decide(till.cashier(), Decision::Keep).await.unwrap();
    assert_eq!(other.clearing.unwrap().asked.unwrap().decision, Decision::Keep);
    decide(one, Decision::Accept).await.unwrap();
    let cleared = decide(till.cashier(), Decision::Accept).await.unwrap();
    assert_eq!((cleared.status, cleared.paid_cents), (PaymentStatus::Paid, 25));
    assert!(cleared.clearing.is_none());
    assert!(till.tasks(&cleared).await.is_empty());
    assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 25)]);
    let claim = till.claimed(&claim).await;
    assert_eq!((claim.status, claim.paid_cents), (ClaimStatus::PartlyPaid, 25));
    let none = decide(till.cashier(), Decision::Keep).await.unwrap_err();
    assert_eq!(none.code(), "model.not-found");
    // What is left may be paid online.
    assert_eq!(till.started(&claim).await.amount_cents, 2_475);
}

#[tokio::test]
async fn what_was_decided_is_not_told_again() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = underpaid(&till, &claim).await;
        let cashier = till.cashier();
        let keep = till.broker().decide_clearing(&cashier, payment.meta.id, Decision::Keep, None);
        keep.await.unwrap();
        till.later(200).await;
        till.later(1_000).await;
        assert!(till.payment(payment.meta.id).await.clearing.is_none());
        assert!(till.tasks(&payment).await.is_empty());
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500)]);
        let clerk = till.broker().decide_clearing(&till.clerk, payment.meta.id, Decision::Keep, None);
        assert_eq!(clerk.await.unwrap_err().code(), "model.forbidden");
    })
    .await;
}

#[tokio::test]
async fn a_decision_ends_what_was_asked_because_it_was_late() {
    let till = Till::open(None).await;
    let payment = underpaid(&till, &till.claim(2_500).await).await;
    let whole = Caller { scope: Scope::tenant("soest"), ..till.clerk.clone() };
    let tasks = async || {
        let filter = RecordFilter::of(RecordKind::Task);
        till.broker().records(&whole, &filter, &Page::first(10)).await.unwrap().items
    };
    let task = tasks().await[0].meta().id;
    let due = Change::Amend(json!({ "due": "2026-01-01T00:00:00Z" }));
    for wanted in [Change::HandOn("63".into()), due] {
        till.broker().submit(&whole, change(RecordKind::Task, task, wanted), None).await.unwrap();
    }
    till.run().await;
    let open = async || tasks().await.iter().filter(|task| task.status() == "open").count();
    assert_eq!(open().await, 2, "the task, and that of whoever was asked");
    let id = payment.meta.id;
    till.broker().decide_clearing(&till.cashier(), id, Decision::Keep, None).await.unwrap();
    assert_eq!(open().await, 0);
}

#[tokio::test]
async fn what_is_found_besides_waits_for_its_turn_and_nobody_ends_its_task_by_hand() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let payment = underpaid(&till, &till.claim(2_500).await).await;
        let differs = |cents| {
            till.giro.set(|it| {
                it.verdict = Some(Verdict::Differs(ClearingReason::CallbackDiffers, Some(cents), 200));
            });
            till.notify(["amount=1", "amount=2"][usize::from(cents == 2)])
        };
        differs(1).await;
        assert_eq!(till.tasks(&payment).await, ["payment.underpaid"], "one is decided about at a time");
        for end in [Change::CompleteTask(None), Change::CancelTask] {
            assert_eq!(till.end_task(&payment, end).await.unwrap_err().code(), "model.undecided");
        }
        differs(2).await;
        assert_eq!(till.tasks(&payment).await, ["payment.underpaid"]);
        let reasons =
            [ClearingReason::Underpaid, ClearingReason::CallbackDiffers, ClearingReason::CallbackDiffers];
        for (left, reason) in (0..3).rev().zip(reasons) {
            let told = till.payment(payment.meta.id).await;
            assert_eq!(told.clearing.map(|it| it.reason), Some(reason));
            assert_eq!(till.tasks(&payment).await, [reason.code()]);
            let keep =
                till.broker().decide_clearing(&till.cashier(), payment.meta.id, Decision::Keep, None).await;
            assert_eq!(keep.unwrap().contradictions.len(), usize::max(left, 1) - 1);
        }
        assert!(till.tasks(&payment).await.is_empty());
        let none =
            till.broker().decide_clearing(&till.cashier(), payment.meta.id, Decision::Keep, None).await;
        assert_eq!(none.unwrap_err().code(), "model.not-found");
    })
    .await;
}
