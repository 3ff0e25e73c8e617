//! What clerks ask for beyond single records, on both engines: their desk, cases by their names, what happened to a case, mended bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker::{About, DeskFilter, Error, Mended};
use bytes::Bytes;
use model::activity::{Pile, Task};
use model::command::Change;
use model::{Caller, EventKind, Id, MessageState, Record, RecordKind, SystemClock, Timestamp, ids};
use serde_json::{Value, json};

use crate::engines::on_every_engine;
use crate::house::{Gateway, caller, change, create};

async fn task(gateway: &Gateway, clerk: &Caller, case: Id, due: Option<Timestamp>) -> Id {
    task_of(gateway, clerk, case, ("check", due)).await
}

async fn task_of(gateway: &Gateway, clerk: &Caller, case: Id, (kind, due): (&str, Option<Timestamp>)) -> Id {
    let record = gateway.broker.record(clerk, RecordKind::Case, case).await.unwrap();
    let mut meta = record.meta().clone();
    meta.id = ids::new_id();
    let task = Record::Task(Task { case_id: Some(case), due, ..Task::new(meta, kind, "Prüfen") });
    gateway.broker.submit(clerk, create(task), None).await.unwrap().meta().id
}

async fn on_desk(gateway: &Gateway, clerk: &Caller, filter: &DeskFilter) -> Vec<Id> {
    let desk = gateway.broker.desk(clerk, filter, None, (0, 10)).await.unwrap();
    assert_eq!(desk.counts.values().sum::<u64>(), desk.waiting.len() as u64);
    desk.waiting.iter().map(|it| it.task.meta.id).collect()
}

#[tokio::test]
async fn a_desk_has_the_open_tasks_of_its_units_with_what_is_due_first() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, std::sync::Arc::new(SystemClock)).await;
        let (clerk, other) = (caller("soest", "63"), caller("soest", "70"));
        let case = gateway.a_case(&clerk, "Neubau").await.meta.id;
        let now = gateway.broker.now();
        let late = task(&gateway, &clerk, case, None).await;
        let soon = task(&gateway, &clerk, case, Some(now.plus(Duration::from_secs(3_600)))).await;
        let done = task(&gateway, &clerk, case, None).await;
        let over = task(&gateway, &clerk, case, Some(Timestamp::from_micros(now.micros() - 1_000_000))).await;
        let finish = change(RecordKind::Task, done, Change::CompleteTask(None));
        gateway.broker.submit(&clerk, finish, None).await.unwrap();
        let all = DeskFilter::default();
        assert_eq!(on_desk(&gateway, &clerk, &all).await, [over, soon, late]);
        assert!(on_desk(&gateway, &other, &all).await.is_empty());
        let there = DeskFilter { unit: Some("70".into()), ..DeskFilter::default() };
        assert!(on_desk(&gateway, &clerk, &there).await.is_empty());
        let take = change(RecordKind::Task, soon, Change::AssignTask("a".into()));
        gateway.broker.submit(&clerk, take, None).await.unwrap();
        let mine = DeskFilter { taken_by: Some("a".into()), ..DeskFilter::default() };
        assert_eq!(on_desk(&gateway, &clerk, &mine).await, [soon]);
        assert_eq!(on_desk(&gateway, &clerk, &all).await, [over, soon, late]);
    })
    .await;
}

#[tokio::test]
async fn a_desk_counts_all_that_lies_on_it_and_shows_one_pile_page_by_page() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, std::sync::Arc::new(SystemClock)).await;
        let clerk = caller("soest", "63");
        let case = gateway.a_case(&clerk, "Neubau").await.meta.id;
        let mut letters = vec![];
        for number in 0..3 {
            task(&gateway, &clerk, case, None).await;
            letters.push(task_of(&gateway, &clerk, case, ("letter", None)).await);
            let due = gateway.broker.now().plus(Duration::from_secs(3_600 * (9 - number)));
            task(&gateway, &clerk, case, Some(due)).await;
        }
        let all = DeskFilter::default();
        let desk = gateway.broker.desk(&clerk, &all, Some(Pile::Post), (1, 1)).await.unwrap();
        assert_eq!(desk.counts, BTreeMap::from([(Pile::Post, 3), (Pile::Other, 6)]));
        assert_eq!(desk.waiting.iter().map(|it| it.task.meta.id).collect::<Vec<_>>(), letters[1..2]);
        // What is due stands before what never is, and both pages together have each once.
        let first = gateway.broker.desk(&clerk, &all, None, (0, 5)).await.unwrap().waiting;
        let second = gateway.broker.desk(&clerk, &all, None, (5, 5)).await.unwrap().waiting;
        let due: Vec<Option<Timestamp>> = first.iter().map(|it| it.task.due).collect();
        assert!(due[..3].is_sorted() && due[..3].iter().all(Option::is_some) && due[3..] == [None, None]);
        assert!(first.iter().all(|it| matches!(&it.about, About::Record(about) if about.meta().id == case)));
        let ids: BTreeSet<Id> = first.iter().chain(&second).map(|it| it.task.meta.id).collect();
        assert_eq!((first.len(), second.len(), ids.len()), (5, 4, 9));
    })
    .await;
}

#[tokio::test]
async fn cases_are_found_by_any_of_their_names_and_tell_their_latest_first() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, std::sync::Arc::new(SystemClock)).await;
        let (clerk, other) = (caller("soest", "63"), caller("soest", "70"));
        let case = gateway.a_case(&clerk, "Neubau").await.meta.id;
        let names = json!({ "references": [{ "kind": "antrag", "value": "A-1" }] });
        gateway
            .broker
            .submit(&clerk, change(RecordKind::Case, case, Change::Amend(names)), None)
            .await
            .unwrap();
        for name in ["A-1", &case.to_string()] {
            let found = gateway.broker.find_cases(&clerk, name, 10).await.unwrap();
            assert_eq!(found.iter().map(|it| it.meta().id).collect::<Vec<_>>(), [case], "{name}");
            assert!(gateway.broker.find_cases(&other, name, 10).await.unwrap().is_empty());
        }
        assert!(gateway.broker.find_cases(&clerk, "A-", 10).await.unwrap().is_empty());
        let events = gateway.broker.tree_events(&clerk, case, None, 10).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::RecordChanged, EventKind::RecordCreated]);
        let before = gateway.broker.tree_events(&clerk, case, Some(events[0].id), 10).await.unwrap();
        assert_eq!(before, events[1..]);
        let refused = gateway.broker.tree_events(&other, case, None, 10).await;
        assert!(matches!(refused, Err(Error::Model(model::Error::NotFound { .. }))));
    })
    .await;
}

async fn mend(gateway: &Gateway, clerk: &Caller, id: Id, only_check: bool, body: &Value) -> Mended {
    let bytes = futures::stream::iter([Ok(Bytes::from(body.to_string()))]);
    gateway.broker.mend(clerk, (id, None), (None, Some("berichtigt"), only_check), bytes).await.unwrap()
}

#[tokio::test]
async fn mended_bytes_are_checked_first_and_taken_over_only_if_they_are_sound() {
    let gateway = Gateway::start().await;
    let clerk = caller("soest", "63");
    let process = ids::new_id();
    let message = gateway.accept(&clerk, &json!({"toy": "0403", "process": process})).await.unwrap().id;
    gateway.broker.run_due_jobs().await.unwrap();
    let state = async || gateway.broker.message(&clerk, message).await.unwrap().state;
    assert_eq!(state().await, MessageState::Parked);
    let broken = json!({"toy": "0403", "process": process, "broken": true});
    let Mended::Checked(checked) = mend(&gateway, &clerk, message, false, &broken).await else {
        panic!("a file with errors was taken over")
    };
    assert_eq!(checked.report.findings[0].rule, "toy.broken");
    let sound = json!({"toy": "0403", "process": process, "note": "berichtigt"});
    let Mended::Checked(checked) = mend(&gateway, &clerk, message, true, &sound).await else {
        panic!("a file was taken over that was only to be checked")
    };
    assert!(checked.report.is_acceptable());
    assert_eq!(state().await, MessageState::Parked);
    assert!(matches!(mend(&gateway, &clerk, message, false, &sound).await, Mended::Done(_)));
    assert_eq!(state().await, MessageState::Accepted);
}
