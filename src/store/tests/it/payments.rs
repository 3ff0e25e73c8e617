//! Doors, calls, names and numbers of money; bookings and their files; lines of statements.

use model::payment::booking::of_claim;
use model::payment::{Booking, BookingKind, BookingState};
use model::rights::Within;
use model::{Clock, Id, Scope, SystemClock, Timestamp, ids, testkit};
use seal::door::{DoorKey, token_digest};
use serde_json::json;
use store::{
    BookingFileRow, BookingFilter, Class, KnownLine, LineFilter, LineState, NewJob, Page, PaymentDoor,
    PaymentNotice, StatementLine, Store, Work,
};

use crate::make::TENANT;
use crate::{conflict, on_every_engine};

const NOW: Timestamp = Timestamp::from_micros(1_000);

fn door(store: &Store) -> (PaymentDoor, [String; 2]) {
    let (payment, key) = (ids::new_id(), DoorKey::random().unwrap());
    let [notify_hash, return_hash] = key.digests();
    let tokens = store.wrap_door(TENANT, payment, &key).unwrap();
    let (tenant, provider) = (TENANT.to_owned(), "giro".to_owned());
    let door =
        PaymentDoor { payment, tenant, provider, notify_hash, return_hash, tokens, hints: 0, refused: 0 };
    (door, key.tokens())
}

fn notice(payment: Id, key: &str) -> PaymentNotice {
    PaymentNotice {
        id: ids::new_id(),
        tenant: TENANT.into(),
        payment,
        provider: "giro".into(),
        door: "notify".into(),
        dedup_key: key.into(),
        verdict: "hint".into(),
        status: 200,
        payload: ids::new_id(),
        received_at: NOW,
    }
}

async fn commit(store: &Store, fill: impl FnOnce(&mut Work)) -> Result<(), store::Error> {
    let mut work = Work::new();
    fill(&mut work);
    store.commit(work).await
}

#[tokio::test]
async fn a_door_opens_to_its_own_token_at_its_own_provider_alone() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let (door, [notify, comes_back]) = door(store);
        commit(store, |work| {
            work.open_door(&door);
        })
        .await
        .unwrap();
        let found = |provider: &'static str, token: &str, returns| {
            let (store, hash) = (store.clone(), token_digest(token));
            async move { store.door_by_hash(provider, &hash, returns).await.unwrap().map(|it| it.payment) }
        };
        assert_eq!(found("giro", &notify, false).await, Some(door.payment));
        assert_eq!(found("giro", &comes_back, true).await, Some(door.payment));
        assert_eq!(found("giro", &comes_back, false).await, None);
        assert_eq!(found("other", &notify, false).await, None);
        let known = store.payment_door(TENANT, door.payment).await.unwrap().unwrap();
        assert_eq!(store.open_door(&known).unwrap().tokens(), [notify, comes_back]);
        assert!(store.payment_door("unna", door.payment).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_call_counts_once_and_a_pull_that_did_not_see_it_does_not_end() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let (door, _) = door(store);
        let id = door.payment;
        commit(store, |work| {
            work.open_door(&door).require_hints(id, 0);
        })
        .await
        .unwrap();
        let call = |key: &'static str| {
            commit(store, move |work| {
                work.count_hint(id).insert_notice(&notice(id, key));
            })
        };
        call("a").await.unwrap();
        assert_eq!(conflict(call("a").await), "notice");
        let ends = commit(store, |work| {
            work.require_hints(id, 0);
        })
        .await;
        assert_eq!(conflict(ends), "hints");
        commit(store, |work| {
            work.require_hints(id, 1).count_refused(id);
        })
        .await
        .unwrap();
        let known = store.payment_door(TENANT, id).await.unwrap().unwrap();
        assert_eq!((known.hints, known.refused), (1, 1));
        assert_eq!(store.notices(TENANT, id).await.unwrap().len(), 1);
        let same = store.known_notice(TENANT, "giro", "a").await.unwrap().unwrap();
        assert_eq!((same.payment, same.status), (id, 200));
        assert!(store.known_notice("unna", "giro", "a").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_name_belongs_to_one_and_numbers_come_one_after_the_other() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let (one, two) = (ids::new_id(), ids::new_id());
        let take = |owner| {
            commit(store, move |work| {
                work.take_reference(TENANT, "giro", "r", owner);
            })
        };
        take(one).await.unwrap();
        take(one).await.unwrap();
        assert_eq!(conflict(take(two).await), "reference");
        assert_eq!(store.reference_owner(TENANT, "giro", "r").await.unwrap(), Some(one));
        assert_eq!(store.reference_owner("unna", "giro", "r").await.unwrap(), None);
        for last in 0..3 {
            assert_eq!(store.last_count(TENANT, "claims").await.unwrap(), last);
            let count = || {
                commit(store, |work| {
                    work.count_on(TENANT, "claims", last);
                })
            };
            count().await.unwrap();
            assert_eq!(conflict(count().await), "counter");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_put_back_was_not_tried_and_one_that_waits_can_be_hastened() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let later = Timestamp::from_micros(SystemClock.now().micros() + 3_600_000_000);
        let job = NewJob {
            id: ids::new_id(),
            tenant: TENANT.into(),
            lane: "pay:giro".into(),
            kind: "payment-pull".into(),
            subject: ids::new_id(),
            detail: json!({}),
            next_at: later,
            fifo_key: None,
        };
        commit(store, |work| {
            work.enqueue_call(&job, None);
        })
        .await
        .unwrap();
        let claim = || store.claim(Class::Network, "n", std::time::Duration::from_secs(60), 5);
        assert!(claim().await.unwrap().is_empty());
        for tries in 0..3 {
            commit(store, |work| {
                work.hasten_job(job.id, NOW);
            })
            .await
            .unwrap();
            let claimed = claim().await.unwrap().remove(0);
            assert_eq!((claimed.attempts, claimed.lost), (0, 0));
            assert_eq!(claimed.detail["failures"].as_u64().unwrap_or(0), tries);
            // Nobody hastens what is being done.
            commit(store, |work| {
                work.hasten_job(job.id, NOW);
            })
            .await
            .unwrap();
            assert!(claim().await.unwrap().is_empty());
            let detail = json!({ "failures": tries + 1 });
            let put_back = |epoch| {
                let detail = detail.clone();
                commit(store, move |work| {
                    work.put_back_job(job.id, epoch, later, &detail);
                })
            };
            assert_eq!(conflict(put_back(claimed.epoch + 1).await), "job");
            put_back(claimed.epoch).await.unwrap();
        }
    })
    .await;
}

fn booking(account: &str, unit: &str) -> Booking {
    let mut claim = testkit::a_claim(2_500);
    claim.account = account.into();
    claim.meta.tenant = TENANT.into();
    claim.meta.unit = unit.into();
    claim.meta.id = ids::new_id();
    of_claim(&claim, BookingKind::Claim, NOW)
}

#[tokio::test]
async fn bookings_are_handed_over_in_their_order_and_each_once() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let bookings = [booking("a", "63"), booking("a", "70"), booking("a", "63"), booking("b", "63")];
        commit(store, |work| {
            bookings.iter().for_each(|it| {
                work.insert_booking(it, NOW);
            })
        })
        .await
        .unwrap();
        let again = commit(store, |work| {
            work.insert_booking(&bookings[0], NOW);
        })
        .await;
        assert_eq!(conflict(again), "booking");
        let open = store.open_bookings(TENANT, "a", 2).await.unwrap();
        let ids: Vec<Id> = open.iter().map(|(_, it)| it.id).collect();
        assert_eq!(ids, [bookings[0].id, bookings[1].id]);
        let file = BookingFileRow {
            tenant: TENANT.into(),
            account: "a".into(),
            number: 1,
            sha256: "00".into(),
            bytes: 7,
            payload: ids::new_id(),
            bookings: 2,
            made_at: NOW,
            acknowledged_at: None,
        };
        let hand_over = |count| {
            let (place, file) = (open[1].0, file.clone());
            commit(store, move |work| {
                work.hand_over_bookings(TENANT, "a", place, count, 1).insert_booking_file(&file);
            })
        };
        assert_eq!(conflict(hand_over(3).await), "booking");
        hand_over(2).await.unwrap();
        assert_eq!(conflict(hand_over(2).await), "booking");
        assert_eq!(store.open_bookings(TENANT, "a", 9).await.unwrap().len(), 1);
        commit(store, |work| {
            work.refuse_booking(TENANT, "a", 1, bookings[1].id).acknowledge_bookings(TENANT, "a", 1);
            work.acknowledge_booking_file(TENANT, "a", 1, NOW);
        })
        .await
        .unwrap();
        let twice = commit(store, |work| {
            work.acknowledge_booking_file(TENANT, "a", 1, NOW);
        })
        .await;
        assert_eq!(conflict(twice), "booking file");
        let listed = |scope: Scope, filter: BookingFilter| {
            let store = store.clone();
            async move { store.bookings(&scope, &filter, &Page::first(10)).await.unwrap().items }
        };
        let whole = Scope::tenant(TENANT);
        let in_file = BookingFilter { file: Some(1), account: Some("a".into()), ..BookingFilter::default() };
        let states: Vec<_> = listed(whole.clone(), in_file).await.iter().map(|it| it.state).collect();
        assert!(states.contains(&BookingState::Acknowledged) && states.contains(&BookingState::Refused));
        let unit = Scope { units: Within::one("70"), ..whole };
        assert_eq!(listed(unit, BookingFilter::default()).await.len(), 1);
        assert!(listed(Scope::tenant("unna"), BookingFilter::default()).await.is_empty());
        let known = store.booking_file(TENANT, "a", 1).await.unwrap().unwrap();
        assert_eq!((known.bytes, known.acknowledged_at), (7, Some(NOW)));
        assert_eq!(store.booking_files(TENANT, "a", Some(1), 5).await.unwrap(), []);
        assert_eq!(store.booking_files(TENANT, "a", None, 5).await.unwrap(), [known]);
    })
    .await;
}

#[tokio::test]
async fn a_line_of_a_statement_is_known_by_the_bank_s_name_and_changed_by_one() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let line = StatementLine {
            id: ids::new_id(),
            tenant: TENANT.into(),
            account: "a".into(),
            line: "REF#1".into(),
            statement: ids::new_id(),
            booked_on: Some("2026-11-02".into()),
            amount_cents: 2_500,
            credit: true,
            state: LineState::Unmatched,
            payment: None,
            claim: None,
            body: json!({ "text": "x" }),
            version: 1,
        };
        commit(store, |work| {
            work.insert_line(&line);
        })
        .await
        .unwrap();
        let again = StatementLine { id: ids::new_id(), ..line.clone() };
        assert_eq!(
            conflict(
                commit(store, |work| {
                    work.insert_line(&again);
                })
                .await
            ),
            "line"
        );
        let known = store.known_lines(TENANT, "a", &["REF#1", "REF#2"]).await.unwrap();
        let as_kept = KnownLine { id: line.id, amount_cents: line.amount_cents, credit: line.credit };
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [("REF#1".to_owned(), as_kept)]);
        let matched =
            StatementLine { state: LineState::Matched, claim: Some(line.id), version: 2, ..line.clone() };
        let update = || {
            commit(store, |work| {
                work.update_line(&matched, LineState::Unmatched);
            })
        };
        update().await.unwrap();
        assert_eq!(conflict(update().await), "line");
        assert_eq!(store.statement_line(TENANT, "a", line.id).await.unwrap(), Some(matched));
        let filter = LineFilter { state: Some(LineState::Unmatched), ..LineFilter::default() };
        let left = store.statement_lines(TENANT, "a", &filter, &Page::first(5)).await.unwrap();
        assert!(left.items.is_empty());
    })
    .await;
}
