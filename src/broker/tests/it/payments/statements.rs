//! Bank statements: a line counts once, money finds its claim, what is not certain is left to two humans.

use broker::{Error, LineDecision, LineFilter, LineState, Once, Page, StatementLine, StatementReport};
use model::payment::statement::Line;
use model::payment::{
    BookingKind, Claim, ClaimStatus, Payment, PaymentStatus, Payouts, RefundStatus, TruthState,
};
use model::{Caller, FailureKind, Id, Record, RecordKind, Scope};

use super::sheets::{body, line, statement};
use super::till::{Fault, Till};
use crate::engines::on_every_engine;

const GEBUEHREN: &str = "gebuehren";

fn number(claim: &Claim) -> String {
    claim.cash_reference.clone().unwrap()
}

async fn lines(till: &Till) -> Vec<StatementLine> {
    let filter = LineFilter::default();
    let listed = till.broker().statement_lines(&till.cashier(), GEBUEHREN, &filter, &Page::first(100)).await;
    listed.unwrap().items
}

async fn payments(till: &Till, claim: &Claim) -> Vec<Payment> {
    let filter =
        broker::RecordFilter { parent: Some(claim.meta.id), ..broker::RecordFilter::of(RecordKind::Payment) };
    let whole = Caller { scope: Scope::tenant("soest"), ..till.clerk.clone() };
    let records = till.broker().records(&whole, &filter, &Page::first(100)).await.unwrap().items;
    let payment = |record| if let Record::Payment(payment) = record { Some(payment) } else { None };
    records.into_iter().filter_map(payment).collect()
}

fn counts(report: &StatementReport) -> [u32; 5] {
    [report.lines, report.known, report.matched, report.settled, report.unmatched]
}

#[tokio::test]
async fn a_transfer_pays_its_claim_once_however_often_its_line_comes() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let mut came = line("A", 2_500, &format!("Gebuehr {}", number(&claim)));
        came.booked_on = Some("2026-01-30".into());
        assert_eq!(counts(&statement(&till, &[came.clone()]).await), [1, 0, 1, 0, 0]);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
        let receipt = till.bookings(&claim).await.into_iter().find(|it| it.kind == BookingKind::Receipt);
        assert_eq!(receipt.unwrap().at.to_string(), "2026-01-30T11:00:00Z", "the day of the bank counts");
        // The same statement, another one with the same line, the same money divided.
        assert_eq!(counts(&statement(&till, &[came.clone()]).await), [0, 1, 0, 0, 0]);
        let mut divided = line("A#1", 2_500, &number(&claim));
        divided.text.push_str(" geteilt");
        assert_eq!(counts(&statement(&till, &[line("B", 1, "x"), divided]).await), [1, 1, 0, 0, 1]);
        assert_eq!(till.claimed(&claim).await.paid_cents, 2_500);
        assert_eq!(lines(&till).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_same_statement_at_the_same_time_is_taken_once() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let came = [line("A", 1_000, &number(&claim)), line("B", 1_500, &number(&claim))];
        let reports = futures::future::join_all((0..4).map(|_| statement(&till, &came))).await;
        assert_eq!(reports.iter().map(|report| report.lines).sum::<u32>(), 2);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
        assert_eq!(payments(&till, &claim).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn money_of_an_online_payment_is_not_money_once_more() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        assert_eq!(counts(&statement(&till, &[line("A", 2_500, &number(&claim))]).await), [1, 0, 0, 1, 0]);
        assert_eq!(till.payment(payment.meta.id).await.settled_by.as_deref(), Some("A"));
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
        // Once more is once more.
        assert_eq!(counts(&statement(&till, &[line("B", 2_500, &number(&claim))]).await), [1, 0, 1, 0, 0]);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Overpaid);
        let second = payments(&till, &claim).await.into_iter().find(|it| it.meta.id != payment.meta.id);
        assert_eq!(till.tasks(&second.unwrap()).await, ["payment.paid-twice"]);
    })
    .await;
}

#[tokio::test]
async fn the_statement_may_know_of_an_online_payment_before_its_provider_does() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        assert_eq!(counts(&statement(&till, &[line("A", 2_500, &number(&claim))]).await), [1, 0, 0, 1, 0]);
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Paid);
        till.giro.all_are(TruthState::Paid);
        till.later(40).await;
        assert_eq!(till.booked(&claim).await, [(BookingKind::Claim, 2_500), (BookingKind::Receipt, 2_500)]);
        assert_eq!(till.tasks(&payment).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn whoever_failed_to_pay_online_pays_by_transfer() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.started(&claim).await;
        till.giro.all_are(TruthState::Failed);
        till.later(40).await;
        // After the last look: before it, the line would be the payment's own money.
        till.later(3 * 24 * 3_600).await;
        assert_eq!(counts(&statement(&till, &[line("A", 2_500, &number(&claim))]).await), [1, 0, 1, 0, 0]);
        assert_eq!(till.payment(payment.meta.id).await.status, PaymentStatus::Failed);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn too_little_is_told_and_the_rest_is_awaited() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        statement(&till, &[line("A", 2_000, &number(&claim))]).await;
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::PartlyPaid);
        let part = payments(&till, &claim).await.remove(0);
        assert_eq!(till.tasks(&part).await, ["payment.underpaid"]);
        statement(&till, &[line("B", 500, &number(&claim))]).await;
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn what_the_bank_took_back_is_taken_back_once() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        statement(&till, &[line("A", 2_500, &number(&claim))]).await;
        // The bank names only the line that it takes back.
        let mut back = line("A#reversal", 2_500, "");
        (back.credit, back.reversal) = (false, true);
        assert_eq!(counts(&statement(&till, &[back.clone()]).await), [1, 0, 1, 0, 0]);
        assert_eq!(counts(&statement(&till, &[back]).await), [0, 1, 0, 0, 0]);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Open);
        let mut more = line("C", 2_500, &number(&claim));
        (more.credit, more.return_reason) = (false, Some("AC04".into()));
        assert_eq!(counts(&statement(&till, &[more]).await), [1, 0, 0, 0, 1], "nothing is left to take");
        assert_eq!(till.booked(&claim).await.last(), Some(&(BookingKind::Chargeback, 2_500)));
    })
    .await;
}

#[tokio::test]
async fn what_a_provider_told_of_before_is_not_taken_back_twice() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        till.giro.set(|it| it.known.values_mut().for_each(|truth| truth.charged_back_cents = Some(1_000)));
        till.notify("x=1").await;
        till.run().await;
        assert_eq!(till.payment(payment.meta.id).await.charged_back_cents, 1_000);
        let mut back = line("A", 1_000, &number(&claim));
        (back.credit, back.reversal) = (false, true);
        let again = Line { id: "B".into(), ..back.clone() };
        assert_eq!(counts(&statement(&till, &[back]).await), [1, 0, 1, 0, 0]);
        assert_eq!(till.payment(payment.meta.id).await.charged_back_cents, 1_000);
        statement(&till, &[again]).await;
        assert_eq!(till.payment(payment.meta.id).await.charged_back_cents, 2_000);
    })
    .await;
}

#[tokio::test]
async fn what_names_nothing_or_too_much_is_left_to_humans() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let (one, two) = (till.claim(100).await, till.claim(200).await);
        let both = format!("{} {}", number(&one), number(&two));
        let foreign = Line { currency: "CHF".into(), ..line("C", 100, &number(&one)) };
        let debit = Line { credit: false, ..line("D", 100, &number(&one)) };
        let pending = Line { booked: false, ..line("E", 100, &number(&one)) };
        let elsewhere = Line { iban: "DE02120300000000202051".into(), ..line("F", 100, &number(&one)) };
        let came = [line("A", 300, &both), line("B", 5, "Spende"), foreign, debit, pending, elsewhere];
        assert_eq!(counts(&statement(&till, &came).await), [4, 0, 0, 0, 4]);
        let why: Vec<String> =
            lines(&till).await.iter().map(|line| line.body["why"].as_str().unwrap().to_owned()).collect();
        assert_eq!(why, ["several", "unknown", "currency", "debit"]);
        assert_eq!(till.claimed(&one).await.status, ClaimStatus::Open);
    })
    .await;
}

#[tokio::test]
async fn a_broken_statement_or_one_of_another_account_leaves_nothing() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(100).await;
        let cashier = till.cashier();
        let take = async |text: String| {
            till.broker().take_statement(&cashier, GEBUEHREN, body(text), None).await.unwrap_err()
        };
        let sound = serde_json::to_string(&line("A", 100, &number(&claim))).unwrap();
        assert_eq!(take(format!("{sound}\nno line")).await.code(), "payment.statement-broken");
        let other = Line { iban: "DE02120300000000202051".into(), ..line("A", 100, "x") };
        assert_eq!(take(serde_json::to_string(&other).unwrap()).await.code(), "payment.statement-other");
        assert_eq!(lines(&till).await, []);
        assert_eq!(till.claimed(&claim).await.paid_cents, 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_one_statement() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let cashier = till.cashier();
        let once = Once::new("k".into(), "line".into());
        let take = async |text: &str| {
            let json = serde_json::to_string(&line("A", 100, text)).unwrap();
            till.broker().take_statement(&cashier, GEBUEHREN, body(json), Some(&once)).await
        };
        let first = take("eins").await.unwrap();
        assert_eq!(take("eins").await.unwrap(), first);
        assert!(matches!(take("zwei").await.unwrap_err(), Error::KeyReused));
    })
    .await;
}

async fn decide(till: &Till, by: &Caller, line: Id, what: LineDecision) -> Result<StatementLine, Error> {
    till.broker().decide_line(by, GEBUEHREN, line, what, None).await
}

#[tokio::test]
async fn two_have_to_say_what_a_line_is() {
    let till = Till::of_two().await;
    let claim = till.claim(100).await;
    statement(&till, &[line("A", 100, "vergessen"), line("B", 5, "Spende")]).await;
    let [first, second] = lines(&till).await.try_into().unwrap();
    let (one, two) = (till.cashier(), till.cashier());
    let towards = || LineDecision::Claim(claim.meta.id);
    let asked = decide(&till, &one, first.id, towards()).await.unwrap();
    assert_eq!(asked.state, LineState::Unmatched);
    assert_eq!(till.claimed(&claim).await.paid_cents, 0);
    let same = decide(&till, &one, first.id, towards()).await.unwrap_err();
    assert_eq!(same.code(), "model.second-person");
    let other = decide(&till, &two, first.id, LineDecision::Ignore).await.unwrap();
    assert_eq!(other.state, LineState::Unmatched, "another decision is asked for anew");
    decide(&till, &one, first.id, towards()).await.unwrap();
    let done = decide(&till, &two, first.id, towards()).await.unwrap();
    assert_eq!((done.state, done.claim), (LineState::Matched, Some(claim.meta.id)));
    assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
    let late = decide(&till, &two, first.id, towards()).await.unwrap_err();
    assert_eq!(late.code(), "model.wrong-state");
    decide(&till, &one, second.id, LineDecision::Ignore).await.unwrap();
    let ignored = decide(&till, &two, second.id, LineDecision::Ignore).await.unwrap();
    assert_eq!(ignored.state, LineState::Ignored);
}

#[tokio::test]
async fn money_given_back_by_hand_is_a_refund() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        statement(&till, &[line("A", 3_000, &number(&claim))]).await;
        statement(&till, &[Line { credit: false, ..line("B", 500, &number(&claim)) }]).await;
        let debit = lines(&till).await.into_iter().find(|line| !line.credit).unwrap();
        let decision = LineDecision::Claim(claim.meta.id);
        let done = decide(&till, &till.cashier(), debit.id, decision).await.unwrap();
        assert_eq!(done.state, LineState::Settled);
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Paid);
        let booked = till.booked(&claim).await;
        assert_eq!(booked[1..], [(BookingKind::Receipt, 3_000), (BookingKind::Refund, 500)]);
    })
    .await;
}

#[tokio::test]
async fn a_debit_ends_the_refund_of_which_nobody_knew_and_no_other() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let id = till.paid(&claim).await.meta.id;
        for fault in [None, Some(Fault::After(FailureKind::Uncertain))] {
            till.giro.fails(&fault.into_iter().collect::<Vec<_>>());
            let reason = "Antrag zurückgenommen".to_owned();
            let asked = till.broker().ask_refund(&till.cashier(), id, 1_000, reason, None).await.unwrap();
            let refund = asked.refunds.last().unwrap().id;
            till.broker().agree_refund(&till.cashier(), id, refund, None).await.unwrap();
            till.run().await;
        }
        let statuses = |payment: Payment| payment.refunds.iter().map(|it| it.status).collect::<Vec<_>>();
        assert_eq!(statuses(till.payment(id).await), [RefundStatus::Done, RefundStatus::Unclear]);
        let debit = |name| Line { credit: false, ..line(name, 1_000, &number(&claim)) };
        assert_eq!(counts(&statement(&till, &[debit("B")]).await), [1, 0, 0, 1, 0]);
        assert_eq!(statuses(till.payment(id).await), [RefundStatus::Done, RefundStatus::Unclear]);
        assert_eq!(counts(&statement(&till, &[debit("C"), debit("D")]).await), [2, 0, 0, 1, 1]);
        assert_eq!(statuses(till.payment(id).await), [RefundStatus::Done; 2]);
        let booked = till.booked(&claim).await;
        assert_eq!(booked.iter().filter(|it| **it == (BookingKind::Refund, 1_000)).count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_payout_settles_the_payments_that_it_is_made_of() {
    on_every_engine(|database| async move {
        let till = Till::paying_out(database, Payouts::Collective).await;
        let mut paid = vec![];
        for cents in [1_000, 2_000, 4_000] {
            let claim = till.claim(cents).await;
            paid.push(till.paid(&claim).await);
        }
        // The line of a payout has no Kassenzeichen; 30 cents of fees were taken off.
        let day = till.broker().now().to_string()[..10].to_owned();
        let payout = Line { charges_cents: 30, booked_on: Some(day), ..line("P", 5_970, "Auszahlung 7781") };
        assert_eq!(counts(&statement(&till, &[payout]).await), [1, 0, 0, 0, 1]);
        let found = lines(&till).await.remove(0);
        let of: Vec<Id> = paid[1..].iter().map(|payment| payment.meta.id).collect();
        assert_eq!(found.body["proposal"], serde_json::json!({ "settles": of }));
        let too_few = decide(&till, &till.cashier(), found.id, LineDecision::Settles(of[..1].to_vec())).await;
        assert_eq!(too_few.unwrap_err().code(), "model.invalid");
        let done = decide(&till, &till.cashier(), found.id, LineDecision::Settles(of.clone())).await.unwrap();
        assert_eq!(done.state, LineState::Settled);
        for id in &of {
            assert_eq!(till.payment(*id).await.settled_by.as_deref(), Some("P"));
        }
        assert_eq!(till.payment(paid[0].meta.id).await.settled_by, None);
        // There a line with a Kassenzeichen is a transfer of its own.
        let claim = till.claimed_of(&paid[0]).await;
        statement(&till, &[line("T", 1_000, &number(&claim))]).await;
        assert_eq!(till.claimed(&claim).await.status, ClaimStatus::Overpaid);
    })
    .await;
}
