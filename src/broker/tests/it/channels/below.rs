//! What lies in a record that a message brought: told once, in order, whatever becomes of the record itself.

use std::time::Duration;

use model::rights::Within;
use model::{FailureKind, Record, RecordKind, Scope, ids};
use serde_json::json;

use super::bed::{Bed, DMS, FOLLOWS, Scripted};
use super::imports::{MINUTE, exchange, object, receive, sent};
use crate::engines::on_every_engine;

const HOUR: Duration = Duration::from_secs(3_600);

/// How often it was told of something called so.
fn count(bed: &Bed, title: &str) -> usize {
    bed.dms.heard().iter().filter(|(_, heard)| heard == title).count()
}

/// A bed whose DMS does not care for the order.
async fn in_any_order() -> Bed {
    let mut dms = Scripted::new(DMS, FOLLOWS);
    (dms.descriptor.in_order, dms.descriptor.keeps_records) = (false, true);
    Bed::with(None, dms, Scope { units: Within::one("63"), ..Scope::tenant("soest") }).await
}

#[tokio::test]
async fn a_parked_part_waits_for_its_own_repair_when_the_whole_is_sent_again() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.dms.set(|state| {
            state.by_title.insert("Akte".into(), FailureKind::Permanent);
            state.by_title.insert("Teil 1".into(), FailureKind::Rejected);
        });
        receive(&bed, object(ids::new_id(), 2)).await;
        bed.run().await;
        assert_eq!((bed.waiting().await.len(), bed.open_tasks().await.len()), (2, 2));
        bed.dms.set(|state| state.by_title.clear());
        let of = |waiting: Vec<broker::ChannelDelivery>, whole: bool| {
            waiting.into_iter().find(|row| (row.record == row.root) == whole).unwrap().id
        };
        let whole = of(bed.waiting().await, true);
        bed.broker.resend_channel(&bed.ours, whole, None).await.unwrap();
        bed.run().await;
        assert_eq!((count(&bed, "Akte"), count(&bed, "Teil 1"), count(&bed, "Teil 2")), (1, 0, 1));
        assert_eq!((bed.waiting().await.len(), bed.open_tasks().await.len()), (1, 1));
        let part = of(bed.waiting().await, false);
        bed.broker.resend_channel(&bed.ours, part, None).await.unwrap();
        bed.run().await;
        assert_eq!(count(&bed, "Teil 1"), 1);
        assert!(bed.waiting().await.is_empty() && bed.open_tasks().await.is_empty());
        bed.later(MINUTE).await;
        assert_eq!(sent(&bed).await, ["0403", "0402"]);
    })
    .await;
}

#[tokio::test]
async fn the_parts_are_told_once_however_often_the_whole_is_tried() {
    let bed = in_any_order().await;
    bed.dms.set(|state| _ = state.by_title.insert("Akte".into(), FailureKind::Transient));
    receive(&bed, object(ids::new_id(), 3)).await;
    bed.run().await;
    for _ in 0..3 {
        bed.later(HOUR).await;
    }
    bed.dms.set(|state| state.by_title.clear());
    bed.later(HOUR).await;
    assert_eq!((count(&bed, "Akte"), count(&bed, "Teil 1"), bed.dms.heard().len()), (1, 1, 4));
}

#[tokio::test]
async fn what_a_clerk_adds_meanwhile_comes_once_and_after_what_it_lies_in() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.dms.set(|state| _ = state.by_title.insert("Akte".into(), FailureKind::Transient));
        let (file, part) = (ids::new_id(), ids::new_id());
        let inner = json!([ids::new_id(), "Unterteil", [file, part]]);
        let objects = vec![inner, json!([part, "Teil", [file]]), json!([file, "Akte", []])];
        receive(&bed, objects).await;
        bed.run().await;
        let cases = bed.all(RecordKind::Case).await.into_iter();
        let mut found = cases.filter_map(|record| match record {
            Record::Case(case) if case.description.title == "Unterteil" => Some(case),
            _ => None,
        });
        let inner = found.next_back().unwrap();
        let added = bed.document(&inner, "Nachtrag", "Plan").await;
        bed.run().await;
        assert_eq!(bed.dms.heard(), [], "all of it waits for the first");
        bed.dms.set(|state| state.by_title.clear());
        bed.later(MINUTE).await;
        let heard: Vec<(String, String)> = bed.dms.heard();
        let heard: Vec<(&str, &str)> = heard.iter().map(|(kind, title)| (&**kind, &**title)).collect();
        let expected = [
            ("record.created", "Akte"),
            ("record.created", "Teil"),
            ("record.created", "Unterteil"),
            ("record.created", "Nachtrag"),
            ("document.content-added", "Nachtrag"),
        ];
        assert_eq!(heard, expected);
        let last = bed.dms.told().pop().unwrap();
        assert_eq!((last.record.1, last.bytes), (added, vec![b"Plan".to_vec()]));
        assert_eq!(last.links.len(), 4, "all that it lies in is known there");
    })
    .await;
}

#[tokio::test]
async fn bytes_that_a_clerk_adds_to_a_document_that_came_are_told_once() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.dms.set(|state| _ = state.by_title.insert("Akte".into(), FailureKind::Transient));
        let file = ids::new_id();
        let objects = vec![json!([ids::new_id(), "Bescheid", [file], "alt"]), json!([file, "Akte", []])];
        receive(&bed, objects).await;
        bed.run().await;
        let document = bed.all(RecordKind::Document).await.pop().unwrap().meta().id;
        bed.content(document, "2", "neu").await;
        bed.run().await;
        bed.dms.set(|state| state.by_title.clear());
        bed.later(MINUTE).await;
        let told = bed.dms.told().into_iter().map(|told| (told.kind, told.bytes)).collect::<Vec<_>>();
        let created = || "record.created".to_owned();
        let expected = [
            (created(), vec![]),
            (created(), vec![b"alt".to_vec()]),
            ("document.content-added".to_owned(), vec![b"neu".to_vec()]),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn what_lies_in_a_record_is_told_though_a_human_drops_it() {
    on_every_engine(|database| async move {
        for keeps_records in [true, false] {
            if !keeps_records && database.is_some() {
                // The database is that of the first round.
                return;
            }
            let mut dms = Scripted::new(DMS, FOLLOWS);
            dms.descriptor.keeps_records = keeps_records;
            let scope = Scope { units: Within::one("63"), ..Scope::tenant("soest") };
            let bed = Bed::with(database.clone(), dms, scope).await;
            // Nothing is tried for a time: as often as it takes, it has failed.
            bed.dms.set(|state| _ = state.by_title.insert("Anderes".into(), FailureKind::Transient));
            for _ in 0..5 {
                bed.case("Anderes").await;
            }
            bed.run().await;
            bed.damage("UPDATE lane SET open_until = 9000000000000000 WHERE open_until > 0").await;
            let id = ids::new_id();
            receive(&bed, object(id, 2)).await;
            bed.run().await;
            bed.patience_ends().await;
            let parked = bed.waiting().await;
            assert_eq!(parked.len(), 6);
            let (whole, others): (Vec<_>, Vec<_>) = parked.into_iter().partition(|row| row.message.is_some());
            let code = |row: &broker::ChannelDelivery| row.parked.clone().unwrap();
            assert_eq!(code(&whole[0]), "message.expired", "it was never tried");
            let in_the_way = others.iter().any(|row| code(row) == "adapter.failed");
            assert!(in_the_way, "what was in the way at last: {others:?}");

            bed.dms.set(|state| state.by_title.clear());
            bed.broker.drop_channel(&bed.ours, whole[0].id, None).await.unwrap();
            bed.damage("UPDATE lane SET open_until = 0").await;
            bed.run().await;
            let mut heard: Vec<String> = bed.dms.heard().into_iter().map(|(_, title)| title).collect();
            heard.sort_unstable();
            assert_eq!(heard, ["Teil 1", "Teil 2"]);
            bed.later(MINUTE).await;
            assert_eq!(bed.waiting().await.len(), 5);
            if keeps_records {
                assert_eq!(sent(&bed).await, ["0403", "0402"]);
                let result = exchange(&bed).await.objects[0].result.clone().unwrap();
                assert_eq!((result.successful, result.messages), (false, vec!["message.expired".to_owned()]));
            }
        }
    })
    .await;
}
