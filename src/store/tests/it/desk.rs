//! Where open tasks lie on a desk, on both engines.

use std::collections::BTreeMap;

use model::activity::{Overdue, Pile, Task, TaskStatus};
use model::{Id, Record, Scope, Timestamp, ids};
use store::{DeskFilter, Store, Work};

use crate::{Bed, make, on_every_engine, open};

/// What the version before had not: dropped, and brought by the migration again.
const BEFORE: &str = "DROP INDEX record_desk; ALTER TABLE record DROP COLUMN urgency; \
     ALTER TABLE record DROP COLUMN pile; ALTER TABLE record DROP COLUMN assignee; \
     DELETE FROM amtsbote_schema WHERE version >= 19";

/// A hand-over that could not be made, with its task; its id is that of the task.
fn a_delivery_of(task: Id) -> String {
    format!(
        "INSERT INTO channel_delivery (id, tenant, adapter, unit, number, event, record_kind, record, root, whole, state, \
         task, created_at) VALUES ('{task}', 'soest', 'dms', '63', 1, 'record.created', 'case', 'r', 'r', 0, 'parked', '{task}', 0)"
    )
}

/// Tasks in the order in which a desk has to show them; the last one is done.
fn tasks() -> Vec<Task> {
    let task = |kind: &str| {
        let mut meta = make::case("a").meta().clone();
        meta.id = ids::new_id();
        Task::new(meta, kind, "Prüfen")
    };
    let at = |seconds: i64| Some(Timestamp::from_micros(seconds * 1_000_000));
    let some = Some(ids::new_id());
    let overdue = Some(Overdue { since: Timestamp::from_micros(0), escalated_to: None, asked: None });
    vec![
        Task { overdue, due: at(900), message_id: some, ..task("clarification") },
        Task { due: at(100), case_id: some, ..task("letter") },
        Task { due: at(200), payment_id: some, ..task("payment.reversed") },
        Task { assignee: Some("a".into()), status: TaskStatus::Assigned, ..task("letter") },
        Task { status: TaskStatus::Done, ..task("check") },
    ]
}

async fn shown(store: &Store, filter: &DeskFilter) -> (Vec<Id>, BTreeMap<Pile, u64>) {
    let scope = Scope::tenant("soest");
    let tasks = store.desk_tasks(&scope, filter, None, (0, 100)).await.unwrap();
    (tasks.iter().map(|task| task.meta.id).collect(), store.desk_counts(&scope, filter).await.unwrap())
}

async fn filled(bed: &Bed) -> Vec<Id> {
    let (mut work, tasks) = (Work::new(), tasks());
    for task in &tasks {
        work.put_record(&Record::Task(task.clone()), None);
    }
    bed.store.commit(work).await.unwrap();
    tasks.iter().map(|task| task.meta.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn open_tasks_that_an_earlier_version_wrote_lie_where_those_of_this_one_do() {
    on_every_engine(|bed| async move {
        let ids = filled(&bed).await;
        let all = DeskFilter::default();
        let piles = [(Pile::Clarification, 1), (Pile::Post, 1), (Pile::Money, 1), (Pile::Other, 1)];
        let expected = (ids[..4].to_vec(), BTreeMap::from(piles));
        assert_eq!(shown(&bed.store, &all).await, expected);
        bed.store.close().await;
        bed.execute(BEFORE).await;
        bed.execute(&a_delivery_of(ids[3])).await;
        let store = open(&bed.database, bed.folder.path(), &bed.clock, &bed.keys).await.unwrap();
        let piles = [(Pile::Clarification, 1), (Pile::Post, 1), (Pile::Money, 1), (Pile::Delivery, 1)];
        assert_eq!(shown(&store, &all).await, (expected.0, BTreeMap::from(piles)));
        let mine = DeskFilter { taken_by: Some("a".into()), ..DeskFilter::default() };
        assert_eq!(shown(&store, &mine).await.0, ids[3..4]);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_of_an_earlier_version_writes_beside_this_one_is_on_the_desk_too() {
    on_every_engine(|bed| async move {
        let ids = filled(&bed).await;
        bed.execute("UPDATE record SET urgency = NULL, pile = NULL, assignee = NULL").await;
        let (mut shown, counts) = shown(&bed.store, &DeskFilter::default()).await;
        shown.sort_unstable();
        assert_eq!(shown, {
            let mut open = ids[..4].to_vec();
            open.sort_unstable();
            open
        });
        assert_eq!(counts, BTreeMap::from([(Pile::Other, 4)]));
    })
    .await;
}
