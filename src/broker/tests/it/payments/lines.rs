//! Lines of bank statements that could be counted twice, or for what they are not.

use broker::{LineDecision, LineFilter, LineState, Page, StatementLine};
use model::payment::statement::Line;
use model::payment::{
    BookingKind, BookingLine, Claim, ClaimStatus, Payment, PaymentStatus, RefundStatus, TruthState,
};
use model::{FailureKind, Id};

use super::sheets::{line, statement};
use super::till::{Fault, Till};
use crate::engines::on_every_engine;

const GEBUEHREN: &str = "gebuehren";

fn number(claim: &Claim) -> String {
    claim.cash_reference.clone().unwrap()
}

fn debit(id: &str, cents: i64, claim: &Claim) -> Line {
    Line { credit: false, ..line(id, cents, &number(claim)) }
}

fn returned(id: &str, cents: i64, claim: &Claim) -> Line {
    Line { return_reason: Some("AC04".into()), ..debit(id, cents, claim) }
}

async fn kept(till: &Till, name: &str) -> StatementLine {
    let filter = LineFilter::default();
    let listed = till.broker().statement_lines(&till.cashier(), GEBUEHREN, &filter, &Page::first(100)).await;
    listed.unwrap().items.into_iter().find(|line| line.line.starts_with(name)).unwrap()
}

fn why(line: &StatementLine) -> &str {
    line.body["why"].as_str().unwrap_or_default()
}

async fn given_back(till: &Till, payment: &Payment, cents: i64) -> Id {
    let (one, two) = (till.cashier(), till.cashier());
    let reason = "Antrag zurückgenommen".to_owned();
    let asked = till.broker().ask_refund(&one, payment.meta.id, cents, reason, None).await.unwrap();
    let refund = asked.refunds.last().unwrap().id;
    till.broker().agree_refund(&two, payment.meta.id, refund, None).await.unwrap();
    refund
}

#[tokio::test]
async fn a_debit_is_one_refund_and_a_second_one_is_another() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        given_back(&till, &payment, 500).await;
        till.run().await;
        let both = [debit("A", 500, &claim), debit("B", 500, &claim)];
        statement(&till, &both).await;
        assert_eq!(kept(&till, "A").await.state, LineState::Settled);
        assert_eq!(why(&kept(&till, "B").await), "debit");
        statement(&till, &[debit("C", 500, &claim)]).await;
        assert_eq!(why(&kept(&till, "C").await), "debit");
        assert_eq!(till.payment(payment.meta.id).await.refunds.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_debit_says_that_an_unclear_refund_was_carried_out() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        till.giro.fails(&[Fault::Before(FailureKind::Uncertain)]);
        given_back(&till, &payment, 500).await;
        till.run().await;
        assert_eq!(till.payment(payment.meta.id).await.refunds[0].status, RefundStatus::Unclear);
        statement(&till, &[debit("A", 500, &claim)]).await;
        assert_eq!(kept(&till, "A").await.state, LineState::Settled);
        let after = till.payment(payment.meta.id).await;
        assert_eq!((after.refunds.len(), after.refunds[0].status), (1, RefundStatus::Done));
        assert_eq!(after.refunded_cents, 500);
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_no_claims_money_and_waits_for_a_human() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        statement(&till, &[Line { transactions: 2, ..line("A", 5_000, &number(&claim)) }]).await;
        assert_eq!(why(&kept(&till, "A").await), "batch");
        assert_eq!(till.claimed(&claim).await.paid_cents, 0);
    })
    .await;
}

#[tokio::test]
async fn other_money_under_a_reference_that_was_used_is_not_dropped() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let came = [line("A", 2_500, &number(&claim)), line("A", 100, &number(&claim))];
        for known in [0, 2] {
            let report = statement(&till, &came).await;
            assert_eq!((report.lines, report.known), (2 - known, known));
        }
        let other = kept(&till, "A~").await;
        assert_eq!((why(&other), other.amount_cents), ("reference used twice", 100));
        assert_eq!(till.claimed(&claim).await.paid_cents, 2_500);
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_back_after_it_was_given_back_has_left_twice_and_a_human_is_told() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        given_back(&till, &payment, 500).await;
        till.run().await;
        statement(&till, &[returned("A", 2_500, &claim)]).await;
        assert_eq!(kept(&till, "A").await.state, LineState::Matched);
        assert_eq!(till.payment(payment.meta.id).await.charged_back_cents, 2_000);
        assert_eq!(till.tasks(&payment).await, ["payment.contradiction"]);
        assert!(till.booked(&claim).await.contains(&(BookingKind::Chargeback, 2_000)));
    })
    .await;
}

#[tokio::test]
async fn what_expired_and_came_by_the_bank_is_one_receipt_though_the_last_look_finds_it_paid() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        let until = (payment.deadline.micros() - till.broker().now().micros()) / 1_000_000;
        till.later(u64::try_from(until).unwrap() + 60).await;
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Expired);
        statement(&till, &[line("A", 2_500, &number(&claim))]).await;
        assert_eq!(kept(&till, "A").await.state, LineState::Settled);
        till.giro.all_are(TruthState::Paid);
        till.later(25 * 3_600).await;
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
        assert_eq!(till.tasks(&payment).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_line_of_another_currency_is_only_ignored() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        statement(&till, &[Line { currency: "CHF".into(), ..line("A", 2_500, &number(&claim)) }]).await;
        let id = kept(&till, "A").await.id;
        let cashier = till.cashier();
        let decide = async |what| till.broker().decide_line(&cashier, GEBUEHREN, id, what, None).await;
        let refused = decide(LineDecision::Claim(claim.meta.id)).await.unwrap_err();
        assert_eq!(refused.code(), "model.invalid");
        assert_eq!(decide(LineDecision::Ignore).await.unwrap().state, LineState::Ignored);
    })
    .await;
}

#[tokio::test]
async fn what_goes_back_is_booked_where_the_claim_is() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let part = |cents, item: &str| BookingLine {
            description: "Gebühr".into(),
            amount_cents: cents,
            budget_item: Some(item.into()),
            ..BookingLine::default()
        };
        let mut new = till.new_claim(2_500);
        new.lines = vec![part(2_000, "63.2"), part(500, "11.1")];
        let claim = till.broker().create_claim(&till.clerk, new.clone(), None).await.unwrap();
        let payment = till.paid(&claim).await;
        given_back(&till, &payment, 700).await;
        till.run().await;
        statement(&till, &[returned("A", 1_800, &claim)]).await;
        let cancelled = till.broker().create_claim(&till.clerk, new, None).await.unwrap();
        till.broker().cancel_claim(&till.clerk, cancelled.meta.id, None).await.unwrap();
        let mut told = till.bookings(&claim).await;
        told.extend(till.bookings(&cancelled).await);
        let lines = |kind| {
            let of = told.iter().rfind(move |booking| booking.kind == kind).unwrap();
            let line = |line: &BookingLine| (line.budget_item.clone().unwrap(), line.amount_cents);
            of.lines.iter().map(line).collect::<Vec<_>>()
        };
        let whole = [("63.2".to_owned(), 2_000), ("11.1".to_owned(), 500)];
        assert_eq!(lines(BookingKind::Receipt), whole);
        assert_eq!(lines(BookingKind::Cancellation), whole);
        assert_eq!(lines(BookingKind::Refund), [("63.2".to_owned(), 700)]);
        assert_eq!(lines(BookingKind::Chargeback), [("63.2".to_owned(), 1_800)]);
    })
    .await;
}
