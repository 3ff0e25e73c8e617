//! Erasure: the content goes, what proves it stays.

use broker::Erasure;
use model::command::Change;
use model::{Id, RecordKind, Role};
use seal::bundle::verify;
use serde_json::{Value, json};
use store::{Page, RecordFilter};

use crate::evidence::export;
use crate::house::{Gateway, caller, change};

fn id(value: &Value) -> Id {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_was_erased_is_named_and_the_chain_still_verifies() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let message = json!({
        "toy": "0401", "process": model::ids::new_id(), "objects": [[model::ids::new_id(), "Geheimnis"]],
        "padding": "x".repeat(100_000),
    });
    let message = gateway.accept(&ours, &message).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter::of(model::RecordKind::Case);
    let case = gateway.broker.records(&ours, &filter, &Page::first(9)).await.unwrap().items[0].meta().id;
    let (_, before) = export(&gateway, &ours, case).await;
    let created = before.iter().find(|event| event["event"]["kind"] == "record.created").unwrap();
    let (number, created) = (created["number"].as_u64().unwrap(), id(&created["eventId"]));
    let payload = message.payload.unwrap().id;

    let mut clerk = ours.clone();
    clerk.roles = vec![Role::Clerk, Role::Operator, Role::Auditor];
    for what in [Erasure::Event(created), Erasure::Payload(payload)] {
        let refused = gateway.broker.erase(&clerk, case, what).await.unwrap_err();
        assert_eq!(refused.code(), "model.forbidden");
        let stranger = gateway.broker.erase(&caller("lippstadt", "63"), case, what).await.unwrap_err();
        assert_eq!(stranger.code(), "model.not-found");
        gateway.broker.erase(&ours, case, what).await.unwrap();
    }
    for nothing in [Erasure::Event(model::ids::new_id()), Erasure::Payload(created)] {
        assert_eq!(gateway.broker.erase(&ours, case, nothing).await.unwrap_err().code(), "model.not-found");
    }

    let (bundle, after) = export(&gateway, &ours, case).await;
    let report = verify(bundle, None, |_| {});
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!((report.erased_events, report.erased_payloads), (vec![number], vec![payload]));
    assert!(!after.iter().any(|event| event["event"]["changes"].to_string().contains("Geheimnis")));
    let kinds: Vec<_> = after.iter().filter_map(|event| event["event"]["kind"].as_str()).collect();
    assert!(kinds.contains(&"event.erased") && kinds.contains(&"payload.erased"), "{kinds:?}");
    let chain = gateway.broker.check_chain(&ours, None).await.unwrap();
    assert_eq!((chain.erased, chain.findings), (1, vec![]));
}

#[tokio::test]
async fn what_is_barred_keeps_its_content_until_the_bar_is_lifted() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let broker = &gateway.broker;
    let object = model::ids::new_id();
    let body = json!({ "toy": "0401", "process": model::ids::new_id(), "objects": [[object, "Geheimnis"]] });
    let message = gateway.accept(&ours, &body).await.unwrap();
    broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter::of(RecordKind::Case);
    let case = broker.records(&ours, &filter, &Page::first(9)).await.unwrap().items[0].meta().id;
    let (_, events) = export(&gateway, &ours, case).await;
    let created = events.iter().find(|event| event["event"]["kind"] == "record.created").unwrap();
    let all = [Erasure::Event(id(&created["eventId"])), Erasure::Payload(message.payload.unwrap().id)];

    let hold = change(RecordKind::Case, case, Change::Hold("Klage".into()));
    broker.submit(&ours, hold, None).await.unwrap();
    for what in all {
        assert_eq!(broker.erase(&ours, case, what).await.unwrap_err().code(), "model.held");
    }
    assert!(broker.message_content(&ours, message.id).await.is_ok());
    broker.submit(&ours, change(RecordKind::Case, case, Change::LiftHold), None).await.unwrap();
    for what in all {
        broker.erase(&ours, case, what).await.unwrap();
    }
}
