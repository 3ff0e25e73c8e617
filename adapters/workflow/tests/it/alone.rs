//! Each external task stands alone: one that cannot be ended keeps none of its batch waiting.

use std::time::Duration;

use conformance::simulate::camunda::Fault;
use model::adapter::{Adapter, Host};
use model::command::Change;
use model::testkit::{a_case, a_claim, a_payment};
use model::{EventKind, FailureKind, Record};
use serde_json::json;

use crate::support::{fetch, told};
use crate::work::{Bench, bench};

/// A bench with a second case, and the case's instance.
async fn two() -> (Bench, String) {
    let bench = bench().await;
    let mut case = a_case("Abriss");
    case.meta_mut().version = 1;
    bench.desk.put(&case);
    let delivery = told(EventKind::RecordCreated, &case, vec![], vec![]);
    let started = bench.workflow.deliver(&delivery, &[]).await.unwrap();
    for link in started.links {
        bench.desk.link(link).await.unwrap();
    }
    (bench, started.reference.unwrap())
}

/// External task of the first case.
async fn first(bench: &Bench) -> String {
    let tasks = fetch(&bench.engine.url, "pruefung", 1).await;
    assert_eq!(tasks[0]["processInstanceId"], bench.instance());
    bench.engine.pass(Duration::from_secs(2));
    tasks[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_task_that_cannot_be_held_keeps_none_behind_it_waiting() {
    let (bench, _) = two().await;
    let first = first(&bench).await;
    bench.engine.fault(Fault::Error, &format!("{first}/extendLock"));
    assert_eq!(bench.session().await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!(bench.desk.tasks().len(), 2);
}

#[tokio::test]
async fn an_end_that_the_engine_does_not_take_is_an_incident_and_the_other_task_ends() {
    let (bench, other) = two().await;
    let first = first(&bench).await;
    bench.session().await.unwrap();
    for task in bench.desk.tasks() {
        bench.desk.change(task.meta.id, Change::CompleteTask(Some("ja".into())));
    }
    bench.engine.pass(Duration::from_secs(24 * 3_600));
    bench.engine.fault(Fault::Step, &format!("{first}/complete"));
    let failure = bench.session().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "workflow.failed"));
    assert_eq!(bench.engine.stands_at(&other).as_deref(), Some("zahlung"));
    assert_eq!((bench.stands_at().as_deref(), bench.engine.incidents()), (Some("pruefen"), 1));
    // The incident is the engine's, which hands the task out no more.
    bench.engine.pass(Duration::from_secs(24 * 3_600));
    bench.session().await.unwrap();
    assert_eq!(bench.engine.incidents(), 1);
}

#[tokio::test]
async fn an_end_that_was_told_in_vain_can_be_told_again_once_the_process_is_mended() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let task = bench.desk.tasks().remove(0);
    bench.desk.change(task.meta.id, Change::CompleteTask(Some("ja".into())));
    bench.engine.fault(Fault::Step, "/complete");
    let failure = bench.tell_end(&task).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "workflow.failed"));
    assert_eq!(bench.engine.incidents(), 1);
    bench.engine.fault(Fault::None, "");
    let receipt = bench.tell_end(&task).await.unwrap();
    assert_eq!(receipt.data, json!({ "externalTask": "done" }));
    assert_eq!(bench.stands_at().as_deref(), Some("zahlung"));
}

#[tokio::test]
async fn a_service_whose_end_the_engine_does_not_take_is_done_once() {
    let (bench, other) = two().await;
    for _ in 0..2 {
        crate::tell::complete(&bench.engine.url, "pruefung").await;
    }
    let claim = a_claim(1);
    for case in bench.desk.cases() {
        let payment = Record::Payment(a_payment(&claim));
        let above = vec![case, Record::Claim(claim.clone())];
        bench.workflow.deliver(&told(EventKind::PaymentPaid, &payment, above, vec![]), &[]).await.unwrap();
    }
    let tasks = fetch(&bench.engine.url, "schliessen", 2).await;
    bench.engine.pass(Duration::from_secs(2));
    let (failing, rest) = (tasks[0]["id"].as_str().unwrap(), tasks[1]["processInstanceId"].as_str().unwrap());
    bench.engine.fault(Fault::Step, &format!("{failing}/complete"));
    bench.session().await.unwrap_err();
    assert_eq!(bench.engine.stands_at(rest), None, "the other one has ended");
    assert!(bench.desk.cases().iter().all(|case| case.status() == "closed"));
    assert_eq!(bench.engine.incidents(), 1);
    assert!([bench.instance(), other.as_str()].contains(&rest));
}
