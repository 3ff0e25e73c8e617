//! Refunds: two agree, and none is carried out twice.

use broker::Page;
use model::payment::record::Decision;
use model::payment::{BookingKind, ClearingReason, PaymentStatus, Refund, RefundStatus};
use model::rights::Within;
use model::{Caller, EventKind, FailureKind, Id};

use super::till::{Fault, Till};
use crate::engines::on_every_engine;

async fn ask(till: &Till, payment: Id, cents: i64) -> Result<Refund, broker::Error> {
    let reason = "Antrag zurückgenommen".to_owned();
    let asked = till.broker().ask_refund(&till.cashier(), payment, cents, reason, None).await?;
    Ok(asked.refunds.last().cloned().unwrap())
}

async fn agreed(till: &Till, payment: Id, cents: i64) -> Refund {
    let refund = ask(till, payment, cents).await.unwrap();
    till.broker().agree_refund(&till.cashier(), payment, refund.id, None).await.unwrap();
    refund
}

#[tokio::test]
async fn a_refund_needs_two_and_is_carried_out_and_booked_once() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let id = till.paid(&claim).await.meta.id;
        let one = till.cashier();
        let reason = || "Antrag zurückgenommen".to_owned();
        let asked = till.broker().ask_refund(&one, id, 1_000, reason(), None).await.unwrap();
        let refund = asked.refunds[0].id;
        let alone = till.broker().agree_refund(&one, id, refund, None).await.unwrap_err();
        assert_eq!(alone.code(), "model.second-person");
        let clerk = till.broker().agree_refund(&till.clerk, id, refund, None).await.unwrap_err();
        assert_eq!(clerk.code(), "model.forbidden");
        let (two, three) = (till.cashier(), till.cashier());
        let both = tokio::join!(
            till.broker().agree_refund(&two, id, refund, None),
            till.broker().agree_refund(&three, id, refund, None)
        );
        assert_eq!(u8::from(both.0.is_ok()) + u8::from(both.1.is_ok()), 1);
        till.run().await;
        till.later(100).await;
        assert_eq!(till.giro.count("refund"), 1);
        assert_eq!(till.giro.state.lock().unwrap().refunds[0].id, refund);
        let payment = till.payment(id).await;
        assert_eq!((payment.status, payment.refunded_cents), (PaymentStatus::PartlyRefunded, 1_000));
        assert_eq!(till.claimed(&claim).await.paid_cents, 1_500);
        assert!(till.booked(&claim).await.contains(&(BookingKind::Refund, 1_000)));
    })
    .await;
}

async fn declines(till: &Till, by: &Caller, payment: Id, refund: Id) -> Result<Refund, broker::Error> {
    let after = till.broker().decline_refund(by, payment, refund, "Irrtum".into(), None).await?;
    Ok(after.refunds.into_iter().find(|it| it.id == refund).unwrap())
}

#[tokio::test]
async fn a_refund_that_is_declined_or_withdrawn_does_not_take_place_and_is_asked_for_anew() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let id = till.paid(&claim).await.meta.id;
        let (one, two) = (till.cashier(), till.cashier());
        let token = |by: &Caller| by.actor.id.parse::<Id>().unwrap();
        for (by, status) in [(&one, RefundStatus::Withdrawn), (&two, RefundStatus::Declined)] {
            let reason = "Antrag zurückgenommen".to_owned();
            let asked = till.broker().ask_refund(&one, id, 2_500, reason, None).await.unwrap();
            let refund = asked.refunds.last().unwrap().id;
            let unsaid = till.broker().decline_refund(by, id, refund, " ".into(), None).await.unwrap_err();
            assert_eq!(unsaid.code(), "model.invalid");
            let ended = declines(&till, by, id, refund).await.unwrap();
            assert_eq!((ended.status, ended.agreed_by), (status, None));
            let declined = ended.declined.unwrap();
            assert_eq!((declined.by, &*declined.reason), (token(by), "Irrtum"));
            let again = declines(&till, by, id, refund).await.unwrap_err();
            assert_eq!(again.code(), "model.wrong-state");
            let late = till.broker().agree_refund(&two, id, refund, None).await.unwrap_err();
            assert_eq!(late.code(), "model.wrong-state");
        }
        till.run().await;
        assert_eq!(till.giro.count("refund"), 0);
        let line = till.broker().record_timeline(&till.clerk, id, &Page::first(100)).await.unwrap();
        let kinds: Vec<_> = line.iter().map(|(_, event)| event.kind).collect();
        let ends = [EventKind::RefundWithdrawn, EventKind::RefundDeclined];
        assert_eq!(ends.map(|end| kinds.iter().filter(|kind| **kind == end).count()), [1, 1]);
        agreed(&till, id, 2_500).await;
        till.run().await;
        assert_eq!(till.payment(id).await.status, PaymentStatus::Refunded);
        let booked = till.booked(&claim).await;
        assert_eq!(booked.iter().filter(|it| **it == (BookingKind::Refund, 2_500)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_agreed_to_is_not_declined_any_more() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let id = till.paid(&till.claim(2_500).await).await.meta.id;
        let refund = ask(&till, id, 1_000).await.unwrap().id;
        let (one, two) = (till.cashier(), till.cashier());
        let (agreed, declined) = tokio::join!(
            till.broker().agree_refund(&one, id, refund, None),
            declines(&till, &two, id, refund)
        );
        assert_ne!(agreed.is_ok(), declined.is_ok(), "one of two decides");
        let refused = agreed.err().or(declined.err()).unwrap();
        assert_eq!(refused.code(), "model.wrong-state");
        till.run().await;
        till.later(100).await;

        let asker = till.cashier();
        let reason = "Antrag zurückgenommen".to_owned();
        let asked = till.broker().ask_refund(&asker, id, 500, reason, None).await.unwrap();
        let refund = asked.refunds[1].id;
        till.broker().agree_refund(&one, id, refund, None).await.unwrap();
        for state in ["agreed to", "carried out"] {
            for by in [&asker, &one, &two] {
                let late = declines(&till, by, id, refund).await.unwrap_err();
                assert_eq!(late.code(), "model.wrong-state", "{state}");
            }
            till.run().await;
            till.later(100).await;
        }
        assert_eq!(till.payment(id).await.refunds[1].status, RefundStatus::Done);
    })
    .await;
}

#[tokio::test]
async fn whoever_could_not_agree_to_a_refund_does_not_decline_it() {
    let till = Till::open(None).await;
    let id = till.paid(&till.claim(2_500).await).await.meta.id;
    let refund = ask(&till, id, 1_000).await.unwrap().id;
    let clerk = declines(&till, &till.clerk, id, refund).await.unwrap_err();
    assert_eq!(clerk.code(), "model.forbidden");
    let mut elsewhere = till.cashier();
    elsewhere.scope.units = Within::one("80");
    let foreign = declines(&till, &elsewhere, id, refund).await.unwrap_err();
    assert_eq!(foreign.code(), "model.not-found");
    let unknown = declines(&till, &till.cashier(), id, Id::from_u128(7)).await.unwrap_err();
    assert_eq!(unknown.code(), "model.not-found");
    assert_eq!(till.payment(id).await.refunds[0].status, RefundStatus::Asked);
}

#[tokio::test]
async fn no_more_is_asked_for_than_is_left() {
    let till = Till::open(None).await;
    let id = till.paid(&till.claim(2_500).await).await.meta.id;
    assert_eq!(ask(&till, id, 2_501).await.unwrap_err().code(), "model.invalid");
    ask(&till, id, 2_000).await.unwrap();
    assert_eq!(ask(&till, id, 501).await.unwrap_err().code(), "model.invalid", "asked for counts as given");
    ask(&till, id, 500).await.unwrap();
    let open = till.started(&till.claim(100).await).await;
    assert_eq!(ask(&till, open.meta.id, 100).await.unwrap_err().code(), "model.wrong-state");
}

#[tokio::test]
async fn a_refund_of_which_nobody_knows_is_never_repeated_but_looked_for() {
    on_every_engine(|database| async move {
        for fault in [Fault::After(FailureKind::Uncertain), Fault::Silent] {
            let till = Till::open(database.clone()).await;
            let claim = till.claim(2_500).await;
            let id = till.paid(&claim).await.meta.id;
            till.giro.fails(&[fault]);
            agreed(&till, id, 1_000).await;
            match fault {
                Fault::Silent => {
                    till.crash().await;
                    till.later(61).await;
                }
                _ => till.run().await,
            }
            let unclear = till.payment(id).await;
            assert_eq!(unclear.refunds[0].status, RefundStatus::Unclear);
            assert_eq!(unclear.clearing.map(|it| it.reason), Some(ClearingReason::RefundUnclear));
            till.later(61).await;
            let settled = till.payment(id).await;
            assert_eq!(settled.refunds[0].status, RefundStatus::Done);
            assert_eq!((settled.refunded_cents, till.giro.count("refund")), (1_000, 1));
            let booked = till.booked(&claim).await;
            assert_eq!(booked.iter().filter(|(kind, _)| *kind == BookingKind::Refund).count(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_refused_stays_here_and_somebody_is_told() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        till.giro.fails(&[Fault::Before(FailureKind::Rejected)]);
        agreed(&till, payment.meta.id, 1_000).await;
        till.run().await;
        let after = till.payment(payment.meta.id).await;
        assert_eq!((after.refunds[0].status, after.refunded_cents), (RefundStatus::Refused, 0));
        assert_eq!(till.tasks(&payment).await, ["payment.refund-refused"]);
        // What passes is tried again, and done once.
        till.giro.fails(&[Fault::Before(FailureKind::Transient); 3]);
        agreed(&till, payment.meta.id, 500).await;
        till.run().await;
        for _ in 0..4 {
            till.later(100).await;
        }
        assert_eq!(till.payment(payment.meta.id).await.refunded_cents, 500);
    })
    .await;
}

#[tokio::test]
async fn a_refund_of_which_nobody_knows_is_ended_by_a_human() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        let id = payment.meta.id;
        // The provider does not tell refunds.
        for decision in [Decision::Keep, Decision::Accept] {
            till.giro.fails(&[Fault::Before(FailureKind::Uncertain)]);
            agreed(&till, id, 1_000).await;
            till.run().await;
            till.later(61).await;
            assert_eq!(till.tasks(&payment).await, ["payment.refund-unclear"]);
            let decided = till.broker().decide_clearing(&till.cashier(), id, decision, None).await.unwrap();
            assert!(decided.clearing.is_none());
            assert!(till.tasks(&payment).await.is_empty());
        }
        let ended = till.payment(id).await;
        let statuses: Vec<_> = ended.refunds.iter().map(|refund| refund.status).collect();
        assert_eq!(statuses, [RefundStatus::Refused, RefundStatus::Done]);
        assert_eq!((ended.refunded_cents, till.claimed(&claim).await.paid_cents), (1_000, 1_500));
        assert!(till.booked(&claim).await.contains(&(BookingKind::Refund, 1_000)));
    })
    .await;
}

#[tokio::test]
async fn what_the_payers_bank_took_back_is_not_given_back_besides() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        let id = payment.meta.id;
        let asked = ask(&till, id, 400).await.unwrap();
        // Agreed to, and the provider cannot be reached; meanwhile the money is gone.
        till.giro.fails(&[Fault::Before(FailureKind::Transient)]);
        agreed(&till, id, 1_000).await;
        till.run().await;
        till.giro.set(|it| it.known.values_mut().for_each(|truth| truth.charged_back_cents = Some(2_500)));
        till.notify("back=1").await;
        till.run().await;
        for _ in 0..3 {
            till.later(20).await;
        }
        let after = till.payment(id).await;
        assert_eq!(after.status, PaymentStatus::ChargedBack);
        assert_eq!((after.refunds[1].status, after.refunded_cents), (RefundStatus::Refused, 0));
        assert_eq!(till.tasks(&payment).await, ["payment.refund-refused"]);
        let late = till.broker().agree_refund(&till.cashier(), id, asked.id, None).await.unwrap_err();
        assert_eq!(late.code(), "model.wrong-state");
    })
    .await;
}
