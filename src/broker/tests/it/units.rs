//! Units of one authority: what each sees, and how they work together.

use model::activity::Task;
use model::command::Change;
use model::{Caller, Id, Record, RecordKind};
use serde_json::json;
use store::{Page, RecordFilter};

use crate::house::{Gateway, caller, change, create, new_case};

fn a_task(caller: &Caller, unit: &str, about: Id) -> Record {
    let mut meta = new_case(caller, unit, "").meta().clone();
    meta.root = meta.id;
    Record::Task(Task {
        case_id: Some(about),
        requested_by: Some("63".into()),
        ..Task::new(meta, "statement", "Stellungnahme")
    })
}

#[tokio::test]
async fn another_unit_does_not_see_the_case() {
    let gateway = Gateway::start().await;
    let (building, waste) = (caller("soest", "63"), caller("soest", "70"));
    let case = gateway.a_case(&building, "Neubau").await;
    let unseen = gateway.broker.record(&waste, RecordKind::Case, case.meta.id).await.unwrap_err();
    assert_eq!(unseen.code(), "model.not-found");
    let page = Page { after: None, limit: 10 };
    let listed = gateway.broker.records(&waste, &RecordFilter::of(RecordKind::Case), &page).await.unwrap();
    assert!(listed.items.is_empty());
    let foreign = gateway.broker.submit(&waste, create(new_case(&waste, "63", "x")), None).await.unwrap_err();
    assert_eq!(foreign.code(), "model.forbidden");
}

#[tokio::test]
async fn a_unit_that_is_asked_may_read_the_case_while_the_task_is_open() {
    let gateway = Gateway::start().await;
    let (building, waste) = (caller("soest", "63"), caller("soest", "70"));
    let case = gateway.a_case(&building, "Neubau").await;
    let task =
        gateway.broker.submit(&building, create(a_task(&building, "70", case.meta.id)), None).await.unwrap();
    let id = task.meta().id;
    assert!(gateway.broker.record(&waste, RecordKind::Case, case.meta.id).await.is_ok());
    let within = RecordFilter { parent: Some(case.meta.id), ..RecordFilter::of(RecordKind::Document) };
    let page = Page { after: None, limit: 10 };
    assert!(gateway.broker.records(&waste, &within, &page).await.is_ok());
    let write = change(RecordKind::Case, case.meta.id, Change::Amend(json!({"title": "x"})));
    assert_eq!(gateway.broker.submit(&waste, write, None).await.unwrap_err().code(), "model.not-found");
    assert!(
        gateway.broker.record(&building, RecordKind::Task, id).await.is_ok(),
        "the asking unit sees its task"
    );

    let done = change(RecordKind::Task, id, Change::CompleteTask(Some("keine Bedenken".into())));
    gateway.broker.submit(&waste, done, None).await.unwrap();
    assert!(gateway.broker.record(&waste, RecordKind::Case, case.meta.id).await.is_err());
}

#[tokio::test]
async fn a_task_cannot_be_given_about_what_one_does_not_own() {
    let gateway = Gateway::start().await;
    let (building, waste) = (caller("soest", "63"), caller("soest", "70"));
    let case = gateway.a_case(&building, "Neubau").await;
    let spy =
        gateway.broker.submit(&waste, create(a_task(&waste, "70", case.meta.id)), None).await.unwrap_err();
    assert_eq!(spy.code(), "model.not-found");
}
