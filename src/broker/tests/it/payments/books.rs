//! The cash system: files with numbers without gaps, each booking in one of them, acknowledged once; and whether the books agree.

use broker::{Acknowledgement, BookingFile, BookingFilter, Broker, NewClaim, Once, Page};
use model::payment::{Booking, BookingKind, BookingState};
use model::rights::Within;
use model::{Caller, EventKind, Id, Record, RecordKind, Scope, Timestamp, ids};

use super::sheets::{line, statement};
use super::till::Till;
use crate::engines::on_every_engine;

const GEBUEHREN: &str = "gebuehren";

async fn export(till: &Till) -> Option<BookingFile> {
    till.broker().export_bookings(&till.cashier(), GEBUEHREN, None).await.unwrap()
}

async fn bytes(till: &Till, number: u64) -> Vec<u8> {
    let (file, payload) =
        till.broker().booking_file_content(&till.cashier(), GEBUEHREN, number).await.unwrap();
    assert_eq!(file.bytes, payload.size());
    payload.read_at(0, usize::try_from(payload.size()).unwrap()).await.unwrap().to_vec()
}

async fn of_file(till: &Till, number: u64) -> Vec<Booking> {
    let filter =
        BookingFilter { account: Some(GEBUEHREN.into()), file: Some(number), ..BookingFilter::default() };
    till.broker().bookings(&till.cashier(), &filter, &Page::first(100)).await.unwrap().items
}

async fn states(till: &Till, number: u64) -> Vec<BookingState> {
    let mut states: Vec<_> = of_file(till, number).await.iter().map(|it| (it.kind, it.state)).collect();
    states.sort_by_key(|(kind, _)| *kind);
    states.into_iter().map(|(_, state)| state).collect()
}

fn refusing(bookings: &[Id]) -> Acknowledgement {
    Acknowledgement {
        refused: bookings.iter().map(|id| (*id, "HH-17".to_owned())).collect(),
        ..Acknowledgement::default()
    }
}

async fn acknowledge(
    broker: &Broker,
    caller: &Caller,
    number: u64,
    given: Acknowledgement,
) -> Result<BookingFile, broker::Error> {
    broker.acknowledge_file(caller, GEBUEHREN, number, given, None).await
}

#[tokio::test]
async fn each_booking_stands_in_one_file_and_files_are_the_same_bytes_again() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        assert_eq!(export(&till).await, None);
        let claim = till.claim(2_500).await;
        let once = Once::new("k".into(), "d".into());
        let cashier = till.cashier();
        let ask = || till.broker().export_bookings(&cashier, GEBUEHREN, Some(&once));
        let first = ask().await.unwrap().unwrap();
        assert_eq!(ask().await.unwrap().unwrap(), first, "the same request is the same file");
        assert_eq!((first.number, first.bookings), (1, 1));
        assert_eq!(first.name, format!("gebuehren-000001-{}.txt", &first.sha256[..16]));
        assert_eq!(export(&till).await, None, "nothing is told twice");
        till.paid(&claim).await;
        let second = export(&till).await.unwrap();
        assert_eq!((second.number, second.bookings), (2, 1));
        let text = String::from_utf8(bytes(&till, 1).await).unwrap();
        let booking = &of_file(&till, 1).await[0];
        assert_eq!(text, format!("soest gebuehren 1\n{}\n", booking.id));
        assert_eq!((booking.kind, booking.state), (BookingKind::Claim, BookingState::HandedOver));
        let files = till.broker().booking_files(&till.cashier(), GEBUEHREN, None).await.unwrap();
        assert_eq!(files, [second, first]);
    })
    .await;
}

#[tokio::test]
async fn two_who_make_files_at_once_share_the_bookings_out() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        for _ in 0..4 {
            till.claim(100).await;
        }
        let files = futures::future::join_all((0..6).map(|_| export(&till))).await;
        let numbers: Vec<u64> = files.iter().flatten().map(|file| file.number).collect();
        assert_eq!(numbers, [1]);
        assert_eq!(of_file(&till, 1).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn an_acknowledgement_counts_once_and_says_the_same_again() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        till.paid(&claim).await;
        export(&till).await.unwrap();
        let (broker, cashier) = (till.broker(), till.cashier());
        let unknown = acknowledge(broker, &cashier, 1, refusing(&[ids::new_id()])).await.unwrap_err();
        assert_eq!(unknown.code(), "model.invalid");
        assert_eq!(states(&till, 1).await, [BookingState::HandedOver; 2]);
        let done = acknowledge(broker, &cashier, 1, Acknowledgement::default()).await.unwrap();
        assert!(done.acknowledged_at.is_some());
        assert_eq!(states(&till, 1).await, [BookingState::Acknowledged; 2]);
        let again = acknowledge(broker, &cashier, 1, Acknowledgement::default()).await.unwrap();
        assert_eq!(again, done);
        let booking = of_file(&till, 1).await[0].id;
        let other = acknowledge(broker, &cashier, 1, refusing(&[booking])).await.unwrap_err();
        assert_eq!(other.code(), "model.wrong-state", "what was booked is not refused afterwards");
    })
    .await;
}

#[tokio::test]
async fn what_the_cash_system_refuses_is_somebody_s_task() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let claim = till.claim(2_500).await;
        let payment = till.paid(&claim).await;
        export(&till).await.unwrap();
        let refused: Vec<Id> = of_file(&till, 1).await.iter().map(|booking| booking.id).collect();
        let (broker, cashier) = (till.broker(), till.cashier());
        acknowledge(broker, &cashier, 1, refusing(&refused)).await.unwrap();
        acknowledge(broker, &cashier, 1, refusing(&refused)).await.unwrap();
        assert_eq!(states(&till, 1).await, [BookingState::Refused; 2]);
        assert_eq!(till.tasks(&payment).await, ["payment.booking-refused"]);
        let filter = broker::RecordFilter {
            owner_unit: Some("70".into()),
            ..broker::RecordFilter::of(RecordKind::Task)
        };
        let whole = Caller { scope: Scope::tenant("soest"), ..till.clerk.clone() };
        let tasks = broker.records(&whole, &filter, &Page::first(10)).await.unwrap().items;
        let of_claims = |task: &&Record| matches!(task, Record::Task(task) if task.payment_id.is_none());
        assert_eq!(tasks.iter().filter(of_claims).count(), 1, "that of the claim's own booking");
        assert_eq!(export(&till).await, None, "it is not told again");
    })
    .await;
}

#[tokio::test]
async fn the_cash_system_names_claims_with_its_acknowledgement() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let (broker, cashier) = (till.broker(), till.cashier());
        let new = NewClaim { account: Some("kasse".into()), ..till.new_claim(100) };
        let claim = broker.create_claim(&till.clerk, new, None).await.unwrap();
        let payment = till.paid(&claim).await;
        assert_eq!(payment.kept_cents(), 100);
        broker.export_bookings(&cashier, "kasse", None).await.unwrap().unwrap();
        let named = |name: &str| Acknowledgement {
            cash_references: vec![(claim.meta.id, name.to_owned())],
            ..Acknowledgement::default()
        };
        let say = |name: &str| broker.acknowledge_file(&cashier, "kasse", 1, named(name), None);
        say("K-0077").await.unwrap();
        say("K-0077").await.unwrap();
        assert_eq!(till.claimed(&claim).await.cash_reference.as_deref(), Some("K-0077"));
        assert_eq!(say("K-0078").await.unwrap_err().code(), "model.exists");
        let by_us = acknowledge(broker, &cashier, 1, named("K-0077")).await.unwrap_err();
        assert_eq!(by_us.code(), "model.invalid", "there the gateway numbers");
    })
    .await;
}

#[tokio::test]
async fn the_digest_of_each_file_is_in_the_evidence() {
    let till = Till::open(None).await;
    let mut made = vec![];
    for (number, cents) in [(1, 2_500), (2, 300)] {
        till.claim(cents).await;
        let file = export(&till).await.unwrap();
        let content = bytes(&till, number).await;
        assert_eq!(file.sha256, seal::sha256(&[content.as_slice()]).to_string());
        made.push(file.sha256);
    }
    till.run().await;
    let events = till.broker().events(&till.cashier(), 0, 1_000).await.unwrap();
    let handed_over = events.iter().map(|it| &it.event).filter(|it| it.kind == EventKind::BookingsHandedOver);
    let told: Vec<&str> =
        handed_over.map(|it| it.detail.as_ref().unwrap()["sha256"].as_str().unwrap()).collect();
    assert_eq!(told, made);
}

#[tokio::test]
async fn only_who_keeps_the_account_keeps_its_cash() {
    let till = Till::open(None).await;
    till.claim(100).await;
    let broker = till.broker();
    let clerk = broker.export_bookings(&till.clerk, GEBUEHREN, None).await.unwrap_err();
    assert_eq!(clerk.code(), "model.forbidden");
    let unknown = broker.export_bookings(&till.cashier(), "other", None).await.unwrap_err();
    assert_eq!(unknown.code(), "payment.no-account");
    let of_unit = |unit: &str| {
        let scope = Scope { tenant: "soest".into(), units: Within::one(unit), services: Within::All };
        Caller { scope, ..till.cashier() }
    };
    let foreign = broker.export_bookings(&of_unit("63"), GEBUEHREN, None).await.unwrap_err();
    assert_eq!(foreign.code(), "payment.no-account");
    assert!(broker.export_bookings(&of_unit("70"), GEBUEHREN, None).await.unwrap().is_some());
}

#[tokio::test]
async fn the_books_are_compared() {
    on_every_engine(|database| async move {
        let till = Till::open(database).await;
        let (broker, cashier) = (till.broker(), till.cashier());
        let begin = Timestamp::from_micros(0);
        let compare = async || {
            let end = till.broker().now().plus(std::time::Duration::from_secs(60));
            broker.reconciliation(&till.cashier(), GEBUEHREN, begin, end).await.unwrap()
        };
        let new = NewClaim { due: Some("2020-01-01".into()), ..till.new_claim(300) };
        let overdue = broker.create_claim(&till.clerk, new, None).await.unwrap();
        let claim = till.claim(2_500).await;
        till.paid(&claim).await;
        let open = compare().await;
        assert!(open.complete);
        assert_eq!(open.paid_not_booked.len(), 1);
        assert_eq!(open.unsettled.len(), 1, "its money is not on the account");
        assert_eq!(open.booked_not_paid, [], "nothing is booked");
        export(&till).await.unwrap();
        acknowledge(broker, &cashier, 1, Acknowledgement::default()).await.unwrap();
        let booked = compare().await;
        assert_eq!((booked.paid_not_booked.len(), booked.differing.len()), (0, 0));
        let claims: Vec<Id> = booked.booked_not_paid.iter().map(|it| it.claim_id).collect();
        assert_eq!(claims, [overdue.meta.id]);
        let number = claim.cash_reference.clone().unwrap();
        let came = line("1", 2_500, &number);
        let lost = line("2", 7, "ohne");
        let mut back = line("3", 2_500, &number);
        (back.credit, back.reversal) = (false, true);
        statement(&till, &[came, lost]).await;
        let settled = compare().await;
        assert_eq!((settled.unsettled.len(), settled.unmatched.len()), (0, 1));
        statement(&till, &[back]).await;
        let back = compare().await;
        assert_eq!(back.booked_not_paid.len(), 2, "the receipt is booked, the money is gone");
        assert_eq!(back.paid_not_booked.len(), 1, "that it went back is not");
    })
    .await;
}
