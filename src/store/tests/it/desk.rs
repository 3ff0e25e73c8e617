//! Where open tasks lie on a desk, on both engines.

use std::collections::BTreeMap;

use model::activity::{Overdue, Pile, Task, TaskStatus};
use model::{Id, Record, Scope, Timestamp, ids};
use store::backup::NewRows;
use store::{DeskFilter, Store, Work};

use crate::{Bed, backup, execute, make, on_every_engine, open};

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
async fn open_tasks_lie_on_a_desk_by_what_they_are_about() {
    on_every_engine(|bed| async move {
        let ids = filled(&bed).await;
        let piles = [(Pile::Clarification, 1), (Pile::Post, 1), (Pile::Money, 1), (Pile::Other, 1)];
        let all = shown(&bed.store, &DeskFilter::default()).await;
        assert_eq!(all, (ids[..4].to_vec(), BTreeMap::from(piles)));
        let mine = DeskFilter { taken_by: Some("a".into()), ..DeskFilter::default() };
        assert_eq!(shown(&bed.store, &mine).await.0, ids[3..4]);
    })
    .await;
}

/// The rows of a task as an earlier version wrote them.
fn of_earlier(task: &Task) -> String {
    let body = Record::Task(task.clone()).to_json().to_string();
    format!(
        "INSERT INTO record (id, tenant, kind, authority, unit, root, status, version, body) \
         VALUES ('{}', 'soest', 'task', 'bab:05974000', '63', 'r', '{}', 1, '{body}')",
        task.meta.id,
        task.status.name()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn open_tasks_that_an_earlier_version_wrote_lie_where_those_of_this_one_do() {
    on_every_engine(|bed| async move {
        let earlier = match bed.is_sqlite() {
            true => format!("sqlite:{}", bed.folder.path().join("earlier.db").display()),
            false => backup::another(&bed).await,
        };
        NewRows::create(&earlier, 18).await.unwrap().finish().await.unwrap();
        let tasks = tasks();
        for task in &tasks {
            execute(&earlier, &of_earlier(task)).await;
        }
        execute(&earlier, &a_delivery_of(tasks[3].meta.id)).await;
        let store = open(&earlier, bed.folder.path(), &bed.clock, &bed.keys).await.unwrap();
        let ids: Vec<Id> = tasks[..4].iter().map(|task| task.meta.id).collect();
        let piles = [(Pile::Clarification, 1), (Pile::Post, 1), (Pile::Money, 1), (Pile::Delivery, 1)];
        assert_eq!(shown(&store, &DeskFilter::default()).await, (ids, BTreeMap::from(piles)));
        let mine = DeskFilter { taken_by: Some("a".into()), ..DeskFilter::default() };
        let taken = store.desk_tasks(&Scope::tenant("soest"), &mine, None, (0, 9)).await.unwrap();
        let expected = Task { delivery_id: Some(tasks[3].meta.id), ..tasks[3].clone() };
        assert_eq!(taken, [expected]);
        store.close().await;
        if !bed.is_sqlite() {
            backup::remove(&bed, &earlier).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_of_an_earlier_version_writes_beside_this_one_is_on_the_desk_too() {
    on_every_engine(|bed| async move {
        let ids = filled(&bed).await;
        execute(&bed.database, "UPDATE record SET urgency = NULL, pile = NULL, assignee = NULL").await;
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
