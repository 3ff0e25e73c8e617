//! Opening, reopening, refusing; months.

use std::time::Duration;

use model::{MessageState, Scope, Timestamp};
use sqlx::{Connection, PgConnection, SqliteConnection};
use store::{EvidenceKey, MessageFilter, Page, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine, open};

async fn run(bed: &Bed, sql: &'static str) {
    if bed.is_sqlite() {
        let mut conn = SqliteConnection::connect(&bed.database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = PgConnection::connect(&bed.database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_again_after_reopening() {
    on_every_engine(|bed| async move {
        let message = make::message();
        let mut writer = bed.store.payload_writer(TENANT);
        writer.write(&[7; 100_000]).await.unwrap();
        let stored = writer.finish().await.unwrap();
        let mut work = Work::new();
        work.insert_message(&message).insert_payload(TENANT, &stored).enqueue(&make::job("a", None));
        bed.store.commit(work).await.unwrap();
        bed.store.clone().close().await;
        let mut late = Work::new();
        late.insert_message(&make::message());
        assert_eq!(bed.store.commit(late).await.unwrap_err().code(), "store.closed");

        let store = bed.reopen().await;
        assert_eq!(store.message(&Scope::tenant(TENANT), message.id).await.unwrap(), Some(message));
        let payload = store.open_payload(TENANT, stored.reference().id).await.unwrap();
        assert_eq!(payload.read_at(0, 200_000).await.unwrap(), vec![7; 100_000]);
        assert_eq!(store.claim(store::Class::Work, "w", Duration::from_secs(9), 9).await.unwrap().len(), 1);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_commits_what_waits() {
    on_every_engine(|bed| async move {
        let commits: Vec<_> = (0..200)
            .map(|_| {
                let (store, message) = (bed.store.clone(), make::message());
                tokio::spawn(async move {
                    let mut work = Work::new();
                    work.insert_message(&message);
                    (message.id, store.commit(work).await.is_ok())
                })
            })
            .collect();
        bed.store.clone().close().await;
        let store = bed.reopen().await;
        for commit in commits {
            let (id, acknowledged) = commit.await.unwrap();
            let found = store.message(&Scope::tenant(TENANT), id).await.unwrap().is_some();
            assert!(found || !acknowledged, "what was acknowledged is there");
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_refused_and_left_alone() {
    on_every_engine(|bed| async move {
        bed.store.clone().close().await;
        run(&bed, "INSERT INTO amtsbote_schema (version) VALUES (999)").await;
        let refused = open(&bed.database, bed.folder.path(), &bed.clock, &bed.keys).await.err().unwrap();
        assert_eq!(refused.code(), "store.newer-schema");
        run(&bed, "DELETE FROM amtsbote_schema WHERE version = 999").await;
        bed.reopen().await.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_forgets_commits_is_refused() {
    on_every_engine(|bed| async move {
        if bed.is_sqlite() {
            return;
        }
        let forgetful = format!("{}?options=-c%20synchronous_commit%3Doff", bed.database);
        let refused = open(&forgetful, bed.folder.path(), &bed.clock, &bed.keys).await.err().unwrap();
        assert_eq!(refused.code(), "store.unsafe-setting");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kind_of_database_is_refused() {
    on_every_engine(|bed| async move {
        for database in ["", "mysql://x", "rows.db"] {
            let refused = open(database, bed.folder.path(), &bed.clock, &bed.keys).await.err().unwrap();
            assert_eq!(refused.code(), "store.config");
        }
    })
    .await;
}

/// An id of 2026-01-15.
fn january(number: u16) -> model::Id {
    format!("019bbf00-{number:04x}-7000-8000-000000000000").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_months_go_once_everything_in_them_has_ended() {
    on_every_engine(|bed| async move {
        // The clock of this test stands in January 2026; the store makes the partitions of that time.
        let now = Timestamp::parse("2026-01-20T12:00:00Z").unwrap();
        bed.clock.0.store(now.micros(), std::sync::atomic::Ordering::SeqCst);
        bed.store.maintain().await.unwrap();
        let mut work = Work::new();
        let (mut old, mut young) = (make::message(), make::message());
        old.id = january(1);
        young.state = MessageState::Confirmed;
        let mut event = make::event(Some(january(3)));
        event.id = january(2);
        work.insert_message(&old).insert_message(&young).insert_event(&event);
        work.claim_dedup(TENANT, "in", "k", old.id, "d", None);
        bed.store.commit(work).await.unwrap();

        let february = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        assert_eq!(conflict(bed.store.drop_partitions(february).await), "message", "it has not ended");
        old.state = MessageState::Confirmed;
        let mut end = Work::new();
        end.update_message(&old, MessageState::Accepted);
        bed.store.commit(end).await.unwrap();
        assert_eq!(conflict(bed.store.drop_partitions(february).await), "event", "it is not sealed");
        let key = EvidenceKey::random().unwrap();
        bed.store.seal(TENANT, &key).await.unwrap();

        let listed = async || {
            let scope = Scope::tenant(TENANT);
            let all = bed.store.messages(&scope, &MessageFilter::default(), &Page::first(9)).await.unwrap();
            (all.items.len(), bed.store.events(&scope, 0, 9).await.unwrap().len())
        };
        bed.store.drop_partitions(Timestamp::parse("2026-01-31T23:59:59Z").unwrap()).await.unwrap();
        assert_eq!(listed().await, (2, 1), "a month goes as a whole");
        bed.store.drop_partitions(february).await.unwrap();
        assert_eq!(listed().await, (1, 0));
        assert!(bed.store.dedup(TENANT, "in", "k").await.unwrap().is_some());
        assert_eq!(bed.store.chain_entries(TENANT, 1, 9).await.unwrap().len(), 1, "the chain stays whole");
        bed.store.maintain().await.unwrap();
    })
    .await;
}
