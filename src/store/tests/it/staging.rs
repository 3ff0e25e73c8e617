//! Long translations: staged in slices, revealed at once.

use model::{Record, RecordKind, Scope, ids};
use store::{Page, RecordFilter, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

async fn seen(bed: &Bed, parent: model::Id) -> usize {
    let scope = Scope::tenant(TENANT);
    let filter = RecordFilter { parent: Some(parent), ..RecordFilter::of(RecordKind::Case) };
    let listed = bed.store.records(&scope, &filter, &Page::first(1_000)).await.unwrap().items;
    assert_eq!(bed.store.children(&scope, parent).await.unwrap().len(), listed.len());
    for record in &listed {
        assert!(bed.store.record_any(&scope, record.meta().id).await.unwrap().is_some());
    }
    listed.len()
}

fn below(parent: model::Id) -> Record {
    let mut record = make::case("a");
    if let Record::Case(case) = &mut record {
        case.parent = Some(parent);
    }
    record
}

fn begin(message: model::Id) -> Work {
    let mut work = Work::new();
    work.begin_staging(TENANT, message);
    work
}

fn reveal(message: model::Id) -> Work {
    let mut work = Work::new();
    work.reveal(TENANT, message);
    work
}

fn slice(message: model::Id, records: &[Record]) -> Work {
    let mut work = Work::new();
    for record in records {
        work.put_record(record, Some(message));
    }
    work
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_records_are_invisible_and_then_revealed_together() {
    on_every_engine(|bed| async move {
        let (parent, message) = (ids::new_id(), ids::new_id());
        let records: Vec<_> = (0..30).map(|_| below(parent)).collect();
        bed.store.commit(begin(message)).await.unwrap();
        for some in records.chunks(10) {
            bed.store.commit(slice(message, some)).await.unwrap();
        }
        // A slice that is repeated after a crash is harmless.
        bed.store.commit(slice(message, &records[10..20])).await.unwrap();
        assert_eq!(seen(&bed, parent).await, 0);
        assert!(bed.store.record_any(&Scope::tenant(TENANT), records[0].meta().id).await.unwrap().is_none());

        bed.store.commit(reveal(message)).await.unwrap();
        assert_eq!(seen(&bed, parent).await, 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_hidden_or_added_after_the_reveal() {
    on_every_engine(|bed| async move {
        let (parent, message) = (ids::new_id(), ids::new_id());
        bed.store.commit(begin(message)).await.unwrap();
        bed.store.commit(slice(message, &[below(parent)])).await.unwrap();
        bed.store.commit(reveal(message)).await.unwrap();
        assert_eq!(conflict(bed.store.commit(reveal(message)).await), "staging");
        bed.store.commit(begin(message)).await.unwrap();
        assert_eq!(conflict(bed.store.commit(slice(message, &[below(parent)])).await), "staging");
        assert_eq!(seen(&bed, parent).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_without_staging_and_a_foreign_row_are_refused() {
    on_every_engine(|bed| async move {
        let (parent, message) = (ids::new_id(), ids::new_id());
        let record = below(parent);
        assert_eq!(
            conflict(bed.store.commit(slice(message, std::slice::from_ref(&record))).await),
            "staging"
        );

        bed.store.commit(begin(message)).await.unwrap();
        let mut visible = Work::new();
        visible.put_record(&record, None);
        bed.store.commit(visible).await.unwrap();
        assert_eq!(conflict(bed.store.commit(slice(message, &[record])).await), "record");
        assert_eq!(seen(&bed, parent).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_run_left_never_appears() {
    on_every_engine(|bed| async move {
        let (parent, message) = (ids::new_id(), ids::new_id());
        let [left, kept] = [below(parent), below(parent)];
        let mut writer = bed.store.payload_writer(TENANT);
        writer.write(b"content").await.unwrap();
        let stored = writer.finish().await.unwrap();
        bed.store.commit(begin(message)).await.unwrap();
        let mut first = slice(message, &[left]);
        first.insert_staged_payload(TENANT, &stored, message);
        bed.store.commit(first).await.unwrap();
        let payload = async || bed.store.open_payload(TENANT, stored.reference().id).await.is_ok();
        assert!(payload().await);

        bed.store.commit(begin(message)).await.unwrap();
        assert!(!payload().await);
        bed.store.commit(slice(message, std::slice::from_ref(&kept))).await.unwrap();
        bed.store.commit(reveal(message)).await.unwrap();
        assert_eq!(seen(&bed, parent).await, 1);

        let mut discard = Work::new();
        discard.discard_staged(TENANT, message);
        bed.store.commit(discard).await.unwrap();
        assert_eq!(seen(&bed, parent).await, 1, "what is revealed is not discarded");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_come_as_documents_cases_files_by_position() {
    on_every_engine(|bed| async move {
        let parent = ids::new_id();
        let mut work = Work::new();
        let mut expected = Vec::new();
        for (kind, position) in [
            (RecordKind::Document, Some(2)),
            (RecordKind::Document, Some(9)),
            (RecordKind::Document, None),
            (RecordKind::Case, Some(1)),
            (RecordKind::CaseFile, Some(1)),
        ] {
            let mut json = below(parent).to_json();
            if let Some(position) = position {
                json["position"] = position.into();
            }
            let record = Record::from_json(kind, json).unwrap();
            expected.push((kind, record.meta().id));
            work.put_record(&record, None);
        }
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.children(&Scope::tenant(TENANT), parent).await.unwrap(), expected);
    })
    .await;
}
