//! What happens to cases gets to the engine, once.

use std::sync::Arc;
use std::time::Duration;

use conformance::simulate::camunda::Fault;
use model::adapter::{Adapter, Capability};
use model::testkit::{a_case, a_claim, a_payment, adapter_contract};
use model::{EventKind, FailureKind, Record};

use crate::support::{engine, told, workflow};

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
    use crate::support::client;
    let post = async |path: String, body: serde_json::Value| {
        let request = net::Request {
            method: net::Method::POST,
            url: format!("{url}{path}"),
            chosen_by: model::outbound::ChosenBy::Administrator,
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(body.to_string().into_bytes().into()),
            within: Duration::from_secs(5),
            most_answer: 1 << 16,
        };
        client().send(request).await.unwrap().body
    };
    let topics = serde_json::json!([{ "topicName": topic, "lockDuration": 1_000 }]);
    let body = serde_json::json!({ "workerId": "other", "maxTasks": 1, "topics": topics });
    let tasks: serde_json::Value =
        serde_json::from_slice(&post("/external-task/fetchAndLock".into(), body).await).unwrap();
    let id = tasks[0]["id"].as_str().unwrap();
    post(format!("/external-task/{id}/complete"), serde_json::json!({ "workerId": "other" })).await;
}
