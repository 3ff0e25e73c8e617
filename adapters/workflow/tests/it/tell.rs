//! What happens to cases gets to the engine, once.

use std::sync::Arc;
use std::time::Duration;

use adapter_workflow::Workflow;
use conformance::simulate::camunda::Fault;
use model::adapter::{Adapter, Capability};
use model::testkit::{a_case, a_claim, a_payment, adapter_contract};
use model::{EventKind, FailureKind, Record, RecordKind, SystemClock};

use crate::support::{client, engine, fetch, post, settings, told, workflow};

#[tokio::test]
async fn it_keeps_the_contract_of_adapters() {
    let engine = engine().await;
    let case = a_case("Neubau");
    let delivery = told(EventKind::RecordCreated, &case, vec![], vec![]);
    adapter_contract(Arc::new(workflow(&engine.url)), delivery, &[]).await;
    let instances = engine.instances(&case.meta().id.to_string());
    assert_eq!(instances.len(), 1);
    let title = engine.variable(&instances[0], "titel").unwrap();
    assert_eq!(title, serde_json::json!({ "type": "String", "value": "Neubau", "valueInfo": {} }));
}

#[tokio::test]
async fn a_case_of_another_service_starts_nothing() {
    let engine = engine().await;
    let mut case = a_case("Neubau");
    case.meta_mut().public_service = Some("fischereischein".into());
    let receipt = workflow(&engine.url)
        .deliver(&told(EventKind::RecordCreated, &case, vec![], vec![]), &[])
        .await
        .unwrap();
    assert_eq!(receipt.reference, None);
    assert!(engine.instances(&case.meta().id.to_string()).is_empty());
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_not_made_again() {
    let engine = engine().await;
    let (case, workflow) = (a_case("Neubau"), workflow(&engine.url));
    let delivery = told(EventKind::RecordCreated, &case, vec![], vec![]);
    engine.fault(Fault::Lost, "/start");
    let failure = workflow.deliver(&delivery, &[]).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Uncertain, "workflow.unclear"));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(60)), "the engine may be still at it");
    engine.fault(Fault::None, "");
    let known = workflow.reconcile(&delivery).await.unwrap().unwrap();
    let instances = engine.instances(&case.meta().id.to_string());
    assert_eq!((known.reference.as_deref(), instances.len()), (instances.first().map(String::as_str), 1));
    assert_eq!(known.links[0].reference, instances[0]);
    // Ended meanwhile: its history still tells.
    engine.terminate(&instances[0]);
    assert_eq!(workflow.reconcile(&delivery).await.unwrap().unwrap(), known);
    assert_eq!(workflow.deliver(&delivery, &[]).await.unwrap(), known);
}

fn paid(case: &Record, links: Vec<model::adapter::Link>) -> model::adapter::Delivery {
    let claim = a_claim(4_250);
    let payment = a_payment(&claim);
    let above = vec![case.clone(), Record::Claim(claim)];
    told(EventKind::PaymentPaid, &Record::Payment(payment), above, links)
}

#[tokio::test]
async fn a_message_before_its_catch_event_waits_and_is_told_once() {
    let engine = engine().await;
    let (case, workflow) = (a_case("Neubau"), workflow(&engine.url));
    let message = paid(&case, vec![]);
    assert!(!workflow.descriptor().in_order, "what waits holds nothing back");
    let early = workflow.deliver(&message, &[]).await.unwrap_err();
    assert_eq!((early.kind, &*early.code, early.alone), (FailureKind::Transient, "workflow.no-match", true));
    workflow.deliver(&told(EventKind::RecordCreated, &case, vec![], vec![]), &[]).await.unwrap();
    assert!(workflow.deliver(&message, &[]).await.is_err(), "the process is not there yet");

    let instance = engine.instances(&case.meta().id.to_string()).remove(0);
    complete(&engine.url, "pruefung").await;
    assert_eq!(engine.stands_at(&instance).as_deref(), Some("zahlung"));
    engine.fault(Fault::Lost, "/message");
    assert_eq!(workflow.deliver(&message, &[]).await.unwrap_err().kind, FailureKind::Uncertain);
    engine.fault(Fault::None, "");
    assert_eq!(engine.stands_at(&instance).as_deref(), Some("schliessen"));
    let known = workflow.reconcile(&message).await.unwrap().unwrap();
    assert_eq!(known.reference.as_deref(), Some(instance.as_str()));
    assert_eq!(workflow.deliver(&message, &[]).await.unwrap(), known, "it is not told again");
    assert_eq!(engine.variable(&instance, "betrag").unwrap()["value"], 4_250);
}

#[tokio::test]
async fn a_message_for_a_process_that_has_ended_is_told_nobody() {
    let engine = engine().await;
    let (case, workflow) = (a_case("Neubau"), workflow(&engine.url));
    let started =
        workflow.deliver(&told(EventKind::RecordCreated, &case, vec![], vec![]), &[]).await.unwrap();
    let message = paid(&case, started.links.clone());
    assert_eq!(workflow.deliver(&message, &[]).await.unwrap_err().code, "workflow.no-match");
    engine.terminate(started.reference.as_deref().unwrap());
    let receipt = workflow.deliver(&message, &[]).await.unwrap();
    assert_eq!((receipt.reference, &receipt.data["unmatched"]), (None, &serde_json::json!(true)));
}

#[tokio::test]
async fn a_process_that_the_engine_does_not_know_waits_for_a_human() {
    let engine = conformance::simulate::camunda::Simulator::start().await.unwrap();
    let workflow = workflow(&engine.url);
    let delivery = told(EventKind::RecordCreated, &a_case("Neubau"), vec![], vec![]);
    let failure = workflow.deliver(&delivery, &[]).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "workflow.no-process"));
    let health = workflow.check().await;
    assert!(!health.ok && health.detail.contains("workflow.no-process"), "{}", health.detail);
    assert!(workflow.descriptor().capabilities.contains(&Capability::Run));
}

/// Another worker does an external task.
pub(crate) async fn complete(url: &str, topic: &str) {
    let tasks = fetch(url, topic, 1).await;
    let id = tasks[0]["id"].as_str().unwrap();
    post(url, &format!("/external-task/{id}/complete"), &serde_json::json!({ "workerId": "other" })).await;
}

#[tokio::test]
async fn a_state_is_that_into_which_the_record_was_brought() {
    let engine = engine().await;
    let mut settings = settings(&engine.url);
    (settings.messages[0].event, settings.messages[0].record) = (EventKind::RecordChanged, RecordKind::Claim);
    settings.messages[0].status = Some("paid".into());
    let workflow = Workflow::new(settings, client(), Arc::new(SystemClock));
    let (case, claim) = (a_case("Neubau"), Record::Claim(a_claim(4_250)));
    let changed = |status: Option<&str>| {
        let mut delivery = told(EventKind::RecordChanged, &claim, vec![case.clone()], vec![]);
        delivery.detail["status"] = status.into();
        delivery
    };
    let is_told = async |status| match workflow.deliver(&changed(status), &[]).await {
        Ok(receipt) => receipt.data["message"].is_string(),
        Err(failure) => failure.code == "workflow.no-match",
    };
    assert_ne!(claim.status(), "paid", "how it is now says nothing of what happened");
    assert!(is_told(Some("paid")).await);
    assert!(!is_told(Some("open")).await);
    assert!(!is_told(None).await, "whatever changed, it was not the state");
}

#[tokio::test]
async fn what_is_not_kept_is_told_at_once_or_not_at_all() {
    let engine = engine().await;
    let mut settings = settings(&engine.url);
    settings.messages[0].keep = false;
    let workflow = Workflow::new(settings, client(), Arc::new(SystemClock));
    let case = a_case("Neubau");
    workflow.deliver(&told(EventKind::RecordCreated, &case, vec![], vec![]), &[]).await.unwrap();
    complete(&engine.url, "pruefung").await;
    let now = model::Clock::now(&SystemClock).micros();
    let ago = |seconds: i64| model::Timestamp::from_micros(now - seconds * 1_000_000);
    for (at, unmatched) in [(ago(61), true), (ago(1), false)] {
        let mut message = paid(&case, vec![]);
        message.detail["at"] = serde_json::json!(at);
        let receipt = workflow.deliver(&message, &[]).await.unwrap();
        assert_eq!(receipt.data["unmatched"], unmatched, "{at}");
        message.detail["at"] = serde_json::json!(ago(61));
        assert_eq!(
            workflow.reconcile(&message).await.unwrap(),
            Some(receipt),
            "it was told, or never will be"
        );
    }
}
