//! External tasks, which the engine hands out at least once, and the history.

use std::sync::Arc;
use std::time::Duration;

use adapter_workflow::{Cancelled, Kind, Settings, Workflow};
use conformance::simulate::camunda::{Fault, Simulator};
use model::activity::TaskStatus;
use model::adapter::{Adapter, Host, Receipt};
use model::command::Change;
use model::testkit::{a_case, a_claim, a_payment};
use model::{EventKind, FailureKind, Record, SystemClock};
use serde_json::json;

use crate::desk::Desk;
use crate::support::{client, engine, settings, told, workflow};

/// More than the lock of a task that people have.
const A_DAY: Duration = Duration::from_secs(24 * 3_600);

pub(crate) struct Bench {
    pub(crate) engine: Simulator,
    pub(crate) workflow: Workflow,
    pub(crate) desk: Arc<Desk>,
    case: Record,
    instance: String,
}

/// An engine with an instance for a case.
pub(crate) async fn bench() -> Bench {
    let engine = engine().await;
    let workflow = workflow(&engine.url);
    bench_of(engine, workflow).await
}

async fn bench_of(engine: Simulator, workflow: Workflow) -> Bench {
    let mut case = a_case("Neubau");
    case.meta_mut().version = 1;
    let desk = Arc::new(Desk::with(&case));
    let started =
        workflow.deliver(&told(EventKind::RecordCreated, &case, vec![], vec![]), &[]).await.unwrap();
    for link in started.links {
        desk.link(link).await.unwrap();
    }
    let instance = started.reference.unwrap();
    Bench { engine, workflow, desk, case, instance }
}

impl Bench {
    pub(crate) async fn session(&self) -> Result<Duration, model::Failure> {
        self.workflow.run(self.desk.clone()).await
    }

    /// What the task's end is told as.
    pub(crate) async fn tell_end(&self, task: &model::activity::Task) -> Result<Receipt, model::Failure> {
        let record = self.desk.get(task.meta.id);
        let mut links = self.desk.links_of(self.case.meta().id);
        links.extend(self.desk.links_of(task.meta.id));
        let delivery = told(EventKind::RecordChanged, &record, vec![self.case.clone()], links);
        self.workflow.deliver(&delivery, &[]).await
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn stands_at(&self) -> Option<String> {
        self.engine.stands_at(&self.instance)
    }
}

#[tokio::test]
async fn an_external_task_becomes_one_task_however_often_it_is_handed_out() {
    let bench = bench().await;
    for _ in 0..3 {
        bench.session().await.unwrap();
        bench.engine.pass(A_DAY);
    }
    let tasks = bench.desk.tasks();
    assert_eq!(tasks.len(), 1);
    let task = &tasks[0];
    assert_eq!(
        (task.title.as_str(), task.meta.unit.as_str(), task.kind.as_str()),
        ("Antrag prüfen", "63", "pruefung")
    );
    assert_eq!(task.case_id, Some(bench.case.meta().id));
    assert!(task.due.is_some());
    assert_eq!(bench.stands_at().as_deref(), Some("pruefen"), "people are at it");
}

#[tokio::test]
async fn the_process_goes_on_with_the_result_when_the_task_is_done() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let task = bench.desk.tasks().remove(0);
    bench.desk.change(task.meta.id, Change::AssignTask("sb1".into()));
    assert_eq!(bench.tell_end(&task).await.unwrap().reference, None, "nothing has ended");
    bench.desk.change(task.meta.id, Change::CompleteTask(Some("bewilligt".into())));
    let first = bench.tell_end(&task).await.unwrap();
    assert_eq!(bench.stands_at().as_deref(), Some("zahlung"));
    assert_eq!(bench.engine.variable(&bench.instance, "ergebnis").unwrap()["value"], "bewilligt");
    assert_eq!(bench.tell_end(&task).await.unwrap(), first, "gone because it was done");
    assert_eq!(first.data, json!({ "externalTask": "done" }));
}

#[tokio::test]
async fn a_lost_lock_is_taken_again_but_not_from_another_worker() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let task = bench.desk.tasks().remove(0);
    bench.desk.change(task.meta.id, Change::CompleteTask(None));
    bench.engine.pass(A_DAY);
    // Another one holds it now.
    let theirs = Workflow::new(
        Settings { worker: Some("theirs".into()), ..settings(&bench.engine.url) },
        client(),
        Arc::new(SystemClock),
    );
    theirs.run(Arc::new(Desk::with(&bench.case))).await.unwrap();
    let held = bench.tell_end(&task).await.unwrap_err();
    assert_eq!((held.kind, &*held.code, held.alone), (FailureKind::Transient, "workflow.lock-lost", true));
    bench.engine.pass(A_DAY);
    bench.tell_end(&task).await.unwrap();
    assert_eq!(bench.stands_at().as_deref(), Some("zahlung"));
}

#[tokio::test]
async fn a_task_that_ended_unheard_ends_when_it_is_handed_out_again() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let task = bench.desk.tasks().remove(0);
    bench.desk.change(task.meta.id, Change::CompleteTask(Some("ja".into())));
    bench.engine.pass(A_DAY);
    bench.session().await.unwrap();
    assert_eq!(bench.stands_at().as_deref(), Some("zahlung"));
}

#[tokio::test]
async fn a_cancelled_task_is_an_error_of_the_process() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let task = bench.desk.tasks().remove(0);
    bench.desk.change(task.meta.id, Change::CancelTask);
    bench.tell_end(&task).await.unwrap();
    assert_eq!(bench.stands_at(), None, "the process took its other way");
    assert_eq!(bench.engine.variable(&bench.instance, "fehler").unwrap()["value"], "ABGELEHNT");
}

#[tokio::test]
async fn a_crash_at_any_write_neither_loses_nor_doubles_a_task() {
    for writes in 0..6 {
        let bench = bench().await;
        bench.desk.dies_after(Some(writes));
        let died = bench.session().await;
        bench.desk.dies_after(None);
        bench.engine.pass(Duration::from_secs(61));
        bench.session().await.unwrap();
        assert_eq!(bench.desk.tasks().len(), 1, "{writes} {died:?}");
        let task = bench.desk.tasks().remove(0);
        bench.desk.change(task.meta.id, Change::CompleteTask(None));
        bench.tell_end(&task).await.unwrap();
        assert_eq!(bench.stands_at().as_deref(), Some("zahlung"), "{writes}");
    }
}

async fn at_closing() -> Bench {
    let bench = bench().await;
    crate::tell::complete(&bench.engine.url, "pruefung").await;
    let claim = a_claim(1);
    let payment = Record::Payment(a_payment(&claim));
    let above = vec![bench.case.clone(), Record::Claim(claim)];
    bench.workflow.deliver(&told(EventKind::PaymentPaid, &payment, above, vec![]), &[]).await.unwrap();
    assert_eq!(bench.stands_at().as_deref(), Some("schliessen"));
    bench
}

#[tokio::test]
async fn a_service_is_done_here_before_the_engine_hears_of_it_and_only_once() {
    let bench = at_closing().await;
    bench.engine.fault(Fault::Error, "/complete");
    assert_eq!(bench.session().await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!(bench.desk.get(bench.case.meta().id).status(), "closed");
    let version = bench.desk.get(bench.case.meta().id).meta().version;
    bench.engine.fault(Fault::None, "");
    bench.engine.pass(Duration::from_secs(61));
    bench.session().await.unwrap();
    assert_eq!(bench.stands_at(), None, "the process has ended");
    assert_eq!(bench.desk.get(bench.case.meta().id).meta().version, version);
}

#[tokio::test]
async fn what_the_case_does_not_allow_is_an_incident_of_the_engine() {
    let bench = at_closing().await;
    bench.desk.change(bench.case.meta().id, Change::Lock);
    bench.session().await.unwrap();
    assert_eq!(bench.engine.incidents(), 1);
    // The next look tells the case's time line of it.
    bench.session().await.unwrap();
    let notes = bench.desk.notes();
    assert!(notes.iter().any(|note| note["noted"]["incident"] == "failedExternalTask"), "{notes:?}");
}

#[tokio::test]
async fn a_unit_that_is_not_there_and_a_case_of_nobody_are_incidents() {
    let bench = bench().await;
    let mut changed = settings(&bench.engine.url);
    let Kind::Task { unit, cancelled, .. } = &mut changed.topics[0].kind else { panic!("a task") };
    (*unit, *cancelled) = (Some("=gibtsnicht".parse().unwrap()), Cancelled::Incident);
    let workflow = Workflow::new(changed, client(), Arc::new(SystemClock));
    workflow.run(bench.desk.clone()).await.unwrap();
    assert_eq!((bench.engine.incidents(), bench.desk.tasks().len()), (1, 0));

    let bench = self::bench().await;
    bench.workflow.run(Arc::new(Desk::default())).await.unwrap();
    assert_eq!(bench.engine.incidents(), 1);
}

#[tokio::test]
async fn each_step_is_told_once_and_a_step_that_was_left_takes_its_task_away() {
    let bench = bench().await;
    bench.session().await.unwrap();
    let steps = |bench: &Bench| -> Vec<String> {
        let told = bench.desk.notes();
        told.iter().filter_map(|note| note["noted"]["activity"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(steps(&bench), ["start"]);
    bench.session().await.unwrap();
    assert_eq!(steps(&bench), ["start"]);
    bench.engine.terminate(&bench.instance);
    bench.session().await.unwrap();
    assert_eq!(steps(&bench).len(), 2);
    let notes = bench.desk.notes();
    assert!(notes.iter().any(|note| note["noted"]["cancelled"] == true), "{notes:?}");
    assert_eq!(bench.desk.tasks()[0].status, TaskStatus::Cancelled);
}

#[tokio::test]
async fn a_step_that_was_left_takes_its_task_away_also_where_nothing_is_told() {
    let engine = engine().await;
    let quiet = Settings { history: false, ..settings(&engine.url) };
    let workflow = Workflow::new(quiet, client(), Arc::new(SystemClock));
    let bench = bench_of(engine, workflow).await;
    bench.session().await.unwrap();
    bench.engine.terminate(&bench.instance);
    // Whatever is in the way of the tasks.
    bench.engine.fault(Fault::Error, "/fetchAndLock");
    bench.session().await.unwrap_err();
    assert_eq!(bench.desk.tasks()[0].status, TaskStatus::Cancelled);
    assert!(bench.desk.notes().is_empty(), "{:?}", bench.desk.notes());
}
