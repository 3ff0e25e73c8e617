//! The client against every recorded answer of a real engine that it may get.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use model::{FailureKind, SystemClock};
use net::{Client, Egress};

use super::*;

/// An engine that gives this recorded answer to whatever it is asked; `None` if the recordings are absent.
async fn engine(recording: &str) -> Option<Camunda> {
    let folder = conformance::shared("samples/workflow/camunda-rest")?;
    let text = std::fs::read_to_string(folder.join(format!("{recording}.http"))).unwrap();
    let text = text.replace("\r\n", "\n");
    let (_, answer) = text.split_once("==== RESPONSE ====\n").unwrap();
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = body.trim_end().to_owned();
    let router = Router::new().fallback(move || {
        let answer = (StatusCode::from_u16(status).unwrap(), body.clone());
        async move { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Some(camunda(url))
}

fn camunda(url: String) -> Camunda {
    let settings = Settings {
        id: "engine".into(),
        url,
        login: None,
        engine_tenant: None,
        worker: Some("gateway-1".into()),
        processes: vec![],
        messages: vec![],
        topics: vec![],
        within: Duration::from_secs(5),
        wait: Duration::ZERO,
        pause: Duration::ZERO,
        history: false,
    };
    let client =
        Client::new(Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), Arc::new(SystemClock));
    Camunda::new(&settings, client, Arc::new(SystemClock))
}

fn judged<T: std::fmt::Debug>(result: Result<T, Failure>) -> (FailureKind, String) {
    let failure = result.unwrap_err();
    assert!(!failure.detail.contains("antrag"), "nothing of an answer is told: {}", failure.detail);
    (failure.kind, failure.code.into_owned())
}

fn permanent(code: &str) -> (FailureKind, String) {
    (FailureKind::Permanent, code.to_owned())
}

#[tokio::test]
async fn starts_and_their_refusals_are_understood() {
    let none = Variables::new();
    let Some(started) = engine("43-start-for-bpmnError").await else { return };
    assert_eq!(started.start("antrag", "VG-2026-0003", &none).await.unwrap(), "60");
    for recording in ["05-start-json-type-without-spin", "08-start-bad-variable-type"] {
        let refusing = engine(recording).await.unwrap();
        assert_eq!(judged(refusing.start("antrag", "x", &none).await), permanent("workflow.refused"));
    }
    let unknown = engine("07-start-unknown-key").await.unwrap();
    assert_eq!(judged(unknown.start("gibtsnicht", "x", &none).await), permanent("workflow.no-process"));
    let listed = engine("04-process-definition-list").await.unwrap();
    assert!(listed.has_process("antrag").await.unwrap());
}

#[tokio::test]
async fn external_tasks_are_understood() {
    let topics = [("dms-ablage".to_owned(), vec!["aktenzeichen".to_owned()])];
    let lock = Duration::from_secs(30);
    for (recording, id, business_key) in [
        ("10-fetchAndLock", "26", "VG-2026-0001"),
        ("16-fetchAndLock-after-failure", "26", "VG-2026-0001"),
        ("22-fetchAndLock-again", "26", "VG-2026-0001"),
        ("44-fetchAndLock-3", "64", "VG-2026-0003"),
    ] {
        let Some(engine) = engine(recording).await else { return };
        let tasks = engine.fetch(&topics, lock, false).await.unwrap();
        assert_eq!((tasks[0].id.as_str(), tasks[0].business_key.as_deref()), (id, Some(business_key)));
        assert!(crate::values::read_time(tasks[0].create_time.as_deref().unwrap()).is_some());
    }
    let first = engine("10-fetchAndLock").await.unwrap().fetch(&topics, lock, false).await.unwrap();
    assert_eq!(first[0].variables["aktenzeichen"].value, "12.3-4711/2026");
    let nothing = engine("11-fetchAndLock-empty-no-wait").await.unwrap();
    assert!(nothing.fetch(&topics, lock, false).await.unwrap().is_empty());
    assert!(engine("13-extendLock").await.unwrap().hold("26", lock).await.unwrap());
    assert!(!engine("14-complete-wrong-worker").await.unwrap().hold("26", lock).await.unwrap());
    assert!(engine("19-external-task-get").await.unwrap().awaits("26").await.unwrap());
    assert!(!engine("26-complete-again-404").await.unwrap().awaits("26").await.unwrap());
    assert_eq!(engine("50-external-task-count").await.unwrap().waiting("dms-ablage").await.unwrap(), 0);
}

#[tokio::test]
async fn ends_of_external_tasks_are_understood() {
    let end = End::Complete(Variables::new());
    let Some(done) = engine("25-complete-with-variables").await else { return };
    assert_eq!(done.end("26", &end).await.unwrap(), Ended::Done);
    assert_eq!(
        engine("17-failure-retries-0-incident").await.unwrap().end("26", &End::Incident("x")).await.unwrap(),
        Ended::Done
    );
    let held = engine("14-complete-wrong-worker").await.unwrap();
    assert_eq!(judged(held.end("26", &end).await), (FailureKind::Transient, "workflow.lock-lost".into()));
    // It is gone, and the same answer to the question for its log is none: nobody knows why.
    let gone = engine("26-complete-again-404").await.unwrap();
    assert_eq!(judged(gone.end("26", &end).await), permanent("workflow.refused"));
    let claimed = engine("32-task-claim").await.unwrap();
    assert_eq!(judged(claimed.end("43", &end).await), permanent("workflow.failed"));
}

#[tokio::test]
async fn messages_and_instances_are_understood() {
    let none = Variables::new();
    let Some(waiting) = engine("28-message-correlate").await else { return };
    let met = waiting.correlate("ZahlungEingegangen", "VG-2026-0001", &none).await.unwrap().unwrap();
    assert_eq!(met.instance(), Some("8"));
    let starting = engine("29-message-start").await.unwrap();
    let met = starting.correlate("AntragEingegangen", "VG-2026-0002", &none).await.unwrap().unwrap();
    assert_eq!(met.instance(), Some("46"));
    assert!(!engine("49-process-instance-get-404").await.unwrap().is_running("60").await.unwrap());
    assert!(engine("43-start-for-bpmnError").await.unwrap().is_running("60").await.unwrap());
    let variables = engine("41-history-variable-instance").await.unwrap();
    assert_eq!(variables.marked("leer").await.unwrap().as_deref(), Some("8"));
}

#[tokio::test]
async fn the_history_is_understood() {
    let Some(engine) = engine("40-history-activity-instance").await else { return };
    let steps = engine.activities(None, 0, false).await.unwrap();
    let told: Vec<&str> = steps.iter().map(|step| step.activity_id.as_str()).collect();
    assert_eq!(told, ["start", "ablage", "warteZahlung", "pruefen", "ende"]);
    assert!(steps.iter().all(|step| !step.canceled && step.process_instance_id == "8"));
}

#[tokio::test]
async fn answers_that_belong_to_another_question_are_never_taken_for_a_result() {
    let none = Variables::new();
    for recording in [
        "01-deployment-create",
        "02-deployment-create-duplicate",
        "31-task-list",
        "38-task-complete",
        "47-process-instance-variables-after-bpmnError",
    ] {
        let Some(engine) = engine(recording).await else { return };
        let correlated = engine.correlate("x", "y", &none).await;
        let is_sound = matches!(&correlated, Ok(Some(met)) if met.instance().is_none());
        assert!(is_sound || correlated.is_err(), "{recording}");
        assert!(engine.fetch(&[], Duration::ZERO, false).await.is_err(), "{recording}");
    }
}
