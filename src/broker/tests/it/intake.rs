//! Taking in: once, durable, returned with a reason, parked for a human.

use std::sync::Arc;

use broker::{Error, Quotas};
use model::{MessageState, RecordKind, SystemClock, ids};
use serde_json::json;
use store::{InboxFilter, Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, caller};

fn page() -> Page {
    Page { after: None, limit: 50 }
}

#[tokio::test]
async fn an_acceptable_message_becomes_records_and_waits_in_the_mailbox() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let message = gateway.accept(&caller, &body).await.unwrap();
    assert_eq!(message.state, MessageState::Accepted);
    gateway.broker.run_due_jobs().await.unwrap();

    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Processed);
    let cases = gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Case), &page()).await.unwrap();
    assert_eq!(cases.items.len(), 1);
    assert_eq!(cases.items[0].status(), "received");
    let inbox = gateway.broker.inbox(&caller, &InboxFilter::default(), &page()).await.unwrap();
    assert_eq!(inbox.items.len(), 1);
}

#[tokio::test]
async fn the_same_message_twice_has_one_effect_and_the_first_answer() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let first = gateway.accept(&caller, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(gateway.accept(&caller, &body).await.unwrap().id, first.id);
    assert_eq!(gateway.broker.run_due_jobs().await.unwrap(), 0);
    let cases = gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Case), &page()).await.unwrap();
    assert_eq!(cases.items.len(), 1);
}

#[tokio::test]
async fn the_same_id_with_other_bytes_is_a_conflict() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let process = ids::new_id();
    let body = |title: &str| json!({"toy": "0401", "process": process, "objects": [[ids::new_id(), title]]});
    gateway.accept(&caller, &body("a")).await.unwrap();
    assert!(matches!(gateway.accept(&caller, &body("b")).await, Err(Error::IdReused)));
}

#[tokio::test]
async fn many_copies_at_once_are_one_message() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let copies = futures::future::join_all((0..16).map(|_| gateway.accept(&caller, &body))).await;
    let mut known: Vec<_> = copies.into_iter().map(|copy| copy.unwrap().id).collect();
    known.dedup();
    assert_eq!(known.len(), 1);
}

#[tokio::test]
async fn a_broken_message_is_returned_with_its_findings_and_quarantined() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "broken": true});
    let message = gateway.accept(&caller, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Returned);
    let findings = message.report.unwrap().findings;
    assert_eq!((findings[0].rule.as_str(), findings[0].line), ("toy.broken", Some(1)));
    let content = gateway.broker.message_content(&caller, message.id).await;
    assert!(matches!(content, Err(Error::ContentUnavailable)));
}

#[tokio::test]
async fn the_repetition_of_a_returned_message_is_processed() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let process = ids::new_id();
    let broken = json!({"toy": "0401", "process": process, "broken": true});
    let first = gateway.accept(&caller, &broken).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let mended = json!({"toy": "0401", "process": process, "objects": [[ids::new_id(), "Neubau"]]});
    let second = gateway.accept(&caller, &mended).await.unwrap();
    assert_ne!(first.id, second.id);
    gateway.broker.run_due_jobs().await.unwrap();
    let second = gateway.broker.message(&caller, second.id).await.unwrap();
    assert_eq!(second.state, MessageState::Processed);
}

#[tokio::test]
async fn unknown_content_is_returned_not_dropped() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = gateway.accept(&caller, &json!({"something": "else"})).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Returned);
    assert_eq!(message.report.unwrap().findings[0].rule, "message.unknown");
}

#[tokio::test]
async fn a_reply_to_an_unknown_process_is_parked_as_a_task() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = gateway.accept(&caller, &json!({"toy": "0403", "process": ids::new_id()})).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Parked);
    let tasks = gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Task), &page()).await.unwrap();
    assert_eq!(tasks.items.len(), 1);
}

#[tokio::test]
async fn a_check_has_no_effect() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = bytes::Bytes::from(json!({"toy": "0401", "broken": true}).to_string());
    let checked = gateway.broker.check(&caller, None, futures::stream::iter([Ok(body)])).await.unwrap();
    assert!(!checked.report.is_acceptable());
    let messages = gateway.broker.messages(&caller, &store::MessageFilter::default(), &page()).await.unwrap();
    assert!(messages.items.is_empty());
}

#[tokio::test]
async fn more_bytes_than_allowed_are_refused() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let chunk = bytes::Bytes::from(vec![0; 1 << 19]);
    let body = futures::stream::iter([Ok(chunk.clone()), Ok(chunk.clone()), Ok(chunk)]);
    let outcome = gateway.broker.accept(&caller, broker::Incoming::default(), body).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_test_message_touches_no_case() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]], "receipt": true});
    let incoming = broker::Incoming { test: true, ..broker::Incoming::default() };
    let stream = futures::stream::iter([Ok(bytes::Bytes::from(body.to_string()))]);
    let message = gateway.broker.accept(&caller, incoming, stream).await.unwrap();
    assert_eq!(gateway.broker.run_due_jobs().await.unwrap(), 1);
    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!((message.state, message.test), (MessageState::Processed, true));
    let cases = gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Case), &page()).await.unwrap();
    assert!(cases.items.is_empty());
}

#[tokio::test]
async fn a_message_that_says_of_itself_that_it_is_a_test_touches_no_case() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SystemClock)).await;
        let caller = caller("soest", "63");
        let body = json!({"toy": "0401", "process": ids::new_id(), "test": true, "objects": [[ids::new_id(), "Neubau"]], "receipt": true});
        let message = gateway.accept(&caller, &body).await.unwrap();
        gateway.broker.run_due_jobs().await.unwrap();
        let message = gateway.broker.message(&caller, message.id).await.unwrap();
        assert_eq!(message.state, MessageState::Processed);
        for kind in [RecordKind::Case, RecordKind::Exchange] {
            let records = gateway.broker.records(&caller, &RecordFilter::of(kind), &page()).await.unwrap();
            assert!(records.items.is_empty(), "{kind:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_brought_a_message_may_follow_it_into_another_unit() {
    let gateway = Gateway::start().await;
    let mailroom = caller("soest", "70");
    let message = gateway.accept(&mailroom, &json!({"toy": "0101", "process": ids::new_id()})).await.unwrap();
    assert_eq!(message.unit, "63");
    assert!(gateway.broker.message(&mailroom, message.id).await.is_ok());
    let mut other = mailroom.clone();
    other.actor.id = "another".into();
    assert!(gateway.broker.message(&other, message.id).await.is_err());
}

#[tokio::test]
async fn a_message_for_another_authority_is_returned_and_one_for_an_unknown_authority_is_taken() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let outcome = async |to: &str| {
        let body = json!({"toy": "0101", "process": ids::new_id(), "to": to});
        let message = gateway.accept(&caller, &body).await.unwrap();
        gateway.broker.run_due_jobs().await.unwrap();
        let message = gateway.broker.message(&caller, message.id).await.unwrap();
        (message.state, message.report.unwrap().findings.first().map(|finding| finding.rule.clone()))
    };
    assert_eq!(outcome("bab:05974000").await, (MessageState::Processed, None));
    let (state, rule) = outcome("bab:05974028").await;
    assert_eq!((state, rule.as_deref()), (MessageState::Returned, Some("message.wrong-recipient")));
    let (state, rule) = outcome("arc:1").await;
    assert_eq!((state, rule.as_deref()), (MessageState::Processed, Some("message.unknown-recipient")));
}

#[tokio::test]
async fn a_test_message_does_not_use_up_the_productive_id() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let incoming = broker::Incoming { test: true, key: Some("k".into()), ..broker::Incoming::default() };
    let bytes = bytes::Bytes::from(body.to_string());
    let test = gateway.broker.accept(&caller, incoming, futures::stream::iter([Ok(bytes)])).await.unwrap();
    let productive = gateway.accept(&caller, &body).await.unwrap();
    assert_ne!(test.id, productive.id);
    gateway.broker.run_due_jobs().await.unwrap();
    let cases = gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Case), &page()).await.unwrap();
    assert_eq!(cases.items.len(), 1);
}

#[tokio::test]
async fn a_return_takes_back_what_the_message_had_led_to_and_its_repetition_is_one_effect() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let message = gateway.accept(&caller, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.return_by_hand(&caller, message.id, None, None, None).await.unwrap();
    let count = async || {
        let cases =
            gateway.broker.records(&caller, &RecordFilter::of(RecordKind::Case), &page()).await.unwrap();
        let entries = InboxFilter { state: Some(store::InboxState::Available), ..InboxFilter::default() };
        let entries = gateway.broker.inbox(&caller, &entries, &page()).await.unwrap();
        (cases.items.len(), entries.items.len())
    };
    assert_eq!(count().await, (0, 0));
    gateway.accept(&caller, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(count().await, (1, 1));
}

#[tokio::test]
async fn what_waits_in_the_mailbox_cannot_be_parked() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = gateway.accept(&caller, &json!({"toy": "0101", "process": ids::new_id()})).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let refused = gateway.broker.park_by_hand(&caller, message.id, None, None).await.unwrap_err();
    assert_eq!(refused.code(), "model.wrong-state");
}

#[tokio::test]
async fn a_message_put_aside_while_it_waits_is_processed_once_when_it_is_sent_again() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let body = json!({"toy": "0401", "process": ids::new_id(), "objects": [[ids::new_id(), "Neubau"]]});
    let message = gateway.accept(&caller, &body).await.unwrap();
    gateway.broker.park_by_hand(&caller, message.id, None, None).await.unwrap();
    assert_eq!(gateway.broker.run_due_jobs().await.unwrap(), 0);
    gateway.broker.resend(&caller, message.id, None, None).await.unwrap();
    assert_eq!(gateway.broker.run_due_jobs().await.unwrap(), 1);
    let message = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Processed);
}

#[tokio::test]
async fn a_gateway_in_the_place_of_another_goes_on_with_what_is_under_way_there() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let quotas = Quotas { bodies: 1, ..Quotas::default() };
    let before = gateway.broker.clone().with_quotas(quotas);
    let after = gateway.broker.clone().with_quotas(quotas).in_place_of(&before);
    let body = before.body_place(&caller, None).unwrap();
    let refused = after.body_place(&caller, None).err().unwrap();
    assert_eq!(refused.code(), "broker.too-many-bodies");
    drop(body);
    assert!(after.body_place(&caller, None).is_ok());
}
