//! Deliveries that come in pieces: what was committed is there after a restart, each number once, within the quota, and
//! nothing is left of what went.

use std::io::Read;
use std::time::Duration;

use model::{Id, Timestamp};
use store::{RelayWhole, Store, StoredPayload, Ticket, WholeKey, WholeQuota, Work};

use crate::make::TENANT;
use crate::{conflict, on_every_engine};

const MUCH: WholeQuota = WholeQuota { per_sender: 10, sender_bytes: 1 << 30, tenant_bytes: 1 << 30 };
const DOOR: &str = "osci";

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn key(sender: &str, ticket: &str) -> WholeKey {
    WholeKey { tenant: TENANT.into(), sender: sender.into(), ticket: ticket.into() }
}

/// A delivery of three pieces that begins in second 1 and is over in second 100.
fn whole(sender: &str, ticket: &str) -> RelayWhole {
    let (pieces, bytes, taken) = (3, 100_000, false);
    let (created_at, modified_at, expires_at) = (at(1), at(1), at(100));
    RelayWhole { key: key(sender, ticket), pieces, bytes, taken, created_at, modified_at, expires_at }
}

async fn issue(store: &Store, id: &str) {
    let ticket = Ticket { id: id.into(), tenant: TENANT.into(), owner: DOOR.into(), expires_at: at(50) };
    let mut work = Work::new();
    work.issue_ticket(&ticket);
    store.commit(work).await.unwrap();
}

async fn stored(store: &Store, bytes: &[u8]) -> StoredPayload {
    let mut writer = store.payload_writer(TENANT);
    writer.write(bytes).await.unwrap();
    writer.finish().await.unwrap()
}

async fn begin(store: &Store, sender: &str, ticket: &str, quota: WholeQuota) -> Result<(), store::Error> {
    let mut work = Work::new();
    work.begin_whole(&whole(sender, ticket), DOOR, quota);
    store.commit(work).await
}

async fn keep(store: &Store, key: &WholeKey, number: u32, bytes: &[u8]) -> Result<Id, store::Error> {
    let stored = stored(store, bytes).await;
    let mut work = Work::new();
    work.insert_piece(key, number, &stored, at(2));
    store.commit(work).await.map(|()| stored.reference().id)
}

/// Numbers and sizes of the pieces that are here.
async fn here(store: &Store, key: &WholeKey) -> Option<Vec<(u32, u64)>> {
    let (_, pieces) = store.relay_whole(key, at(3)).await.unwrap()?;
    Some(pieces.iter().map(|piece| (piece.number, piece.size)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_was_kept_is_there_after_a_restart_and_no_number_twice() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let key = key("alice", "t");
        begin(&bed.store, "alice", "t", MUCH).await.unwrap();
        let large = vec![7; 70_000];
        keep(&bed.store, &key, 3, &large).await.unwrap();
        keep(&bed.store, &key, 1, b"one").await.unwrap();
        assert_eq!(conflict(keep(&bed.store, &key, 1, b"uno").await.map(drop)), "relay piece");
        assert_eq!(
            conflict(keep(&bed.store, &key, 2, &[0; 29_998]).await.map(drop)),
            "relay whole",
            "no room"
        );

        let again = bed.reopen().await;
        let (whole, pieces) = again.relay_whole(&key, at(3)).await.unwrap().unwrap();
        assert_eq!(
            (whole.pieces, whole.taken, whole.created_at, whole.modified_at),
            (3, false, at(1), at(2))
        );
        assert_eq!(here(&again, &key).await, Some(vec![(1, 3), (3, 70_000)]));
        let payload = again.open_payload(TENANT, pieces[1].payload.unwrap()).await.unwrap();
        let mut bytes = Vec::new();
        let mut reader = payload.blocking();
        let read = move || reader.read_to_end(&mut bytes).map(|_| bytes);
        assert_eq!(tokio::task::spawn_blocking(read).await.unwrap().unwrap(), large);
        assert!(again.relay_whole(&self::key("carol", "t"), at(3)).await.unwrap().is_none());
        again.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_with_a_good_ticket_and_within_the_quota() {
    on_every_engine(|bed| async move {
        assert_eq!(conflict(begin(&bed.store, "alice", "invented", MUCH).await), "ticket");
        for id in ["a", "b", "c", "d"] {
            issue(&bed.store, id).await;
        }
        let quota = WholeQuota { per_sender: 2, ..MUCH };
        begin(&bed.store, "alice", "a", quota).await.unwrap();
        assert_eq!(conflict(begin(&bed.store, "alice", "a", quota).await), "relay whole", "it has begun");
        begin(&bed.store, "alice", "b", quota).await.unwrap();
        assert_eq!(conflict(begin(&bed.store, "alice", "c", quota).await), "relay whole");
        begin(&bed.store, "bob", "a", quota).await.unwrap();
        let bytes = WholeQuota { sender_bytes: 199_999, ..MUCH };
        assert_eq!(conflict(begin(&bed.store, "bob", "b", bytes).await), "relay whole");
        let bytes = WholeQuota { tenant_bytes: 399_999, ..MUCH };
        assert_eq!(conflict(begin(&bed.store, "carol", "a", bytes).await), "relay whole");
        // What has become a delivery makes room.
        let mut work = Work::new();
        work.finish_whole(&key("alice", "a"));
        bed.store.commit(work).await.unwrap();
        begin(&bed.store, "alice", "c", quota).await.unwrap();
        // The ticket, which was good up to second 50, is as good as what began with it.
        let mut work = Work::new();
        work.use_ticket(TENANT, "c", DOOR, at(99));
        bed.store.commit(work).await.unwrap();
        let mut work = Work::new();
        work.use_ticket(TENANT, "d", DOOR, at(99));
        assert_eq!(conflict(bed.store.commit(work).await), "ticket");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_finished_the_pieces_stay_known_and_their_bytes_go() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let key = key("alice", "t");
        begin(&bed.store, "alice", "t", MUCH).await.unwrap();
        let payload = keep(&bed.store, &key, 1, &[1; 70_000]).await.unwrap();
        keep(&bed.store, &key, 2, b"two").await.unwrap();
        let mut work = Work::new();
        work.finish_whole(&key);
        bed.store.commit(work).await.unwrap();
        let mut work = Work::new();
        work.finish_whole(&key);
        assert_eq!(conflict(bed.store.commit(work).await), "relay whole");
        assert_eq!(conflict(keep(&bed.store, &key, 3, b"three").await.map(drop)), "relay whole");
        let (whole, pieces) = bed.store.relay_whole(&key, at(3)).await.unwrap().unwrap();
        assert!(whole.taken && pieces.len() == 2 && pieces.iter().all(|piece| piece.payload.is_none()));
        assert!(bed.store.open_payload(TENANT, payload).await.is_err());
        bed.clock.advance(Duration::from_secs(10));
        bed.store.sweep(Duration::ZERO).await.unwrap();
        assert!(bed.payload_files().is_empty(), "{:?}", bed.payload_files());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_finished_goes_in_time_and_what_began_anew_does_not() {
    on_every_engine(|bed| async move {
        for id in ["a", "b"] {
            issue(&bed.store, id).await;
            begin(&bed.store, "alice", id, MUCH).await.unwrap();
            keep(&bed.store, &key("alice", id), 1, &[1; 70_000]).await.unwrap();
        }
        // Somebody who looked too early deletes nothing.
        let mut work = Work::new();
        work.forget_whole(&key("alice", "a"), at(99));
        bed.store.commit(work).await.unwrap();
        assert_eq!(here(&bed.store, &key("alice", "a")).await, Some(vec![(1, 70_000)]));
        assert_eq!(bed.store.sweep_wholes(at(99)).await.unwrap(), 0);
        assert!(
            bed.store.relay_whole(&key("alice", "a"), at(100)).await.unwrap().is_none(),
            "its time is over"
        );
        assert_eq!(bed.store.sweep_wholes(at(100)).await.unwrap(), 2);
        assert_eq!(here(&bed.store, &key("alice", "a")).await, None);
        bed.clock.advance(Duration::from_secs(10));
        bed.store.sweep(Duration::ZERO).await.unwrap();
        assert!(bed.payload_files().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_bring_the_same_piece_one_is_kept() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let key = key("alice", "t");
        begin(&bed.store, "alice", "t", MUCH).await.unwrap();
        let tries: Vec<_> = (0_u8..20)
            .map(|number| {
                let (store, key) = (bed.store.clone(), key.clone());
                tokio::spawn(async move { keep(&store, &key, 1, &[number; 70_000]).await })
            })
            .collect();
        let mut kept = 0;
        for tried in tries {
            match tried.await.unwrap() {
                Ok(_) => kept += 1,
                Err(store::Error::Conflict { what }) => {
                    assert!(["relay piece", "relay whole"].contains(&what))
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((kept, here(&bed.store, &key).await), (1, Some(vec![(1, 70_000)])));
    })
    .await;
}
