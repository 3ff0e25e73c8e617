//! Tasks that the gateway ends by itself take with them what was told of them because they were late.

use std::time::Duration;

use broker::{Filing, Page, RecordFilter};
use model::activity::{Task, TaskStatus};
use model::command::Change;
use model::{Clock, FailureKind, Record, RecordKind, Timestamp};
use serde_json::json;

use super::bed::{Bed, Fault, a_letter};
use crate::engines::on_every_engine;
use crate::house::{caller, change};

/// The open task is late, for so long that the unit 70 is asked.
async fn late(bed: &Bed) -> Task {
    let task = bed.open_tasks().await.remove(0);
    let due = Timestamp::from_micros(bed.clock.now().micros() - 49 * 3_600 * 1_000_000);
    let amend = change(RecordKind::Task, task.meta.id, Change::Amend(json!({ "due": due })));
    bed.broker.submit(&bed.ours, amend, None).await.unwrap();
    bed.run().await;
    assert_eq!(asked(bed).await, [TaskStatus::Open]);
    task
}

/// Where the tasks of the unit 70 stand.
async fn asked(bed: &Bed) -> Vec<TaskStatus> {
    let filter = RecordFilter::of(RecordKind::Task);
    let all = bed.broker.records(&caller("soest", "70"), &filter, &Page::first(10)).await.unwrap().items;
    let status = |record: Record| match record {
        Record::Task(task) => task.status,
        _ => panic!("a task"),
    };
    all.into_iter().map(status).collect()
}

#[tokio::test]
async fn what_was_seen_to_at_an_adapter_is_asked_about_no_more() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.case("Neubau").await;
        bed.dms.fails(&[Fault::Before(FailureKind::Permanent)]);
        bed.run().await;
        late(&bed).await;
        let waiting = bed.waiting().await.remove(0).id;
        bed.broker.resend_channel(&bed.ours, waiting, None).await.unwrap();
        assert_eq!(asked(&bed).await, [TaskStatus::Done]);
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_was_filed_is_asked_about_no_more() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.case("Neubau").await.meta.id;
        bed.broker.enqueue_sessions().await.unwrap();
        bed.later(Duration::from_secs(61)).await;
        let host = bed.post.host();
        let taken = host.take_in(a_letter(&host, "l", vec![]).await).await.unwrap();
        late(&bed).await;
        bed.file(taken.interaction, Filing::Into(case)).await.unwrap();
        assert_eq!(asked(&bed).await, [TaskStatus::Done]);
        assert!(bed.open_tasks().await.is_empty());
    })
    .await;
}
