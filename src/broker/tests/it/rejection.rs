//! Messages that are returned in the form of their own standard, and messages that become facts without an exchange.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use broker::{Arrival, Incoming};
use bytes::Bytes;
use model::message::Door;
use model::{Actor, Caller, Id, Message, MessageState, RecordKind, Role, Scope};
use serde_json::{Value, json};
use store::{InboxFilter, MessageFilter, Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, lippstadt, soest, unna};

fn partner(from: &str) -> Caller {
    Caller {
        actor: Actor { kind: "partner".into(), id: from.into() },
        roles: vec![Role::System],
        scope: Scope::tenant("soest"),
        authority: Some(soest()),
    }
}

/// A message that a door took in from somebody.
pub async fn bring(gateway: &Gateway, from: &str, body: &Value, test: bool) -> Message {
    let (broker, by, bytes) = (gateway.broker.clone(), partner(from), body.to_string());
    let write = move || {
        let mut writer = broker.arrival_writer(&by).unwrap();
        writer.write_all(bytes.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    let stored = tokio::task::spawn_blocking(write).await.unwrap();
    let arrival = Arrival {
        door: Door::Osci,
        ticket: Id::now_v7().to_string(),
        authority: soest(),
        file_name: None,
        answers: None,
        finding: None,
        facts: json!({}),
        not_before: None,
        sent: None,
        carried: None,
        test,
    };
    let message = gateway.broker.take_arrival(&partner(from), arrival, stored).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.message(&caller("soest", "63"), message.id).await.unwrap()
}

/// Messages that a tenant has of the type of rejections.
async fn rejections(gateway: &Gateway, tenant: &str) -> Vec<Message> {
    let page = Page { after: None, limit: 50 };
    let all = gateway.broker.messages(&caller(tenant, "63"), &MessageFilter::default(), &page).await.unwrap();
    let is_rejection =
        |it: &Message| it.identity.as_ref().is_some_and(|it| it.message_type == "rueckweisung");
    all.items.into_iter().filter(is_rejection).collect()
}

/// A message for Soest.
fn order() -> Value {
    json!({ "other": "order", "id": Id::now_v7(), "to": soest().to_string() })
}

fn broken() -> Value {
    let mut order = order();
    order["wrong"] = json!("other.broken");
    order
}

#[tokio::test]
async fn who_sent_a_message_that_is_refused_is_told_in_the_form_of_its_standard() {
    let gateway = Gateway::start().await;
    let body = broken();
    let refused = bring(&gateway, &lippstadt().to_string(), &body, false).await;
    assert_eq!(refused.state, MessageState::Returned, "by OSCI-Transport nobody else would tell");
    let [sent] = &rejections(&gateway, "soest").await[..] else { panic!("one rejection") };
    assert_eq!((sent.related, sent.partner.clone()), (Some(refused.id), lippstadt().to_string()));
    assert_eq!((sent.state, sent.test), (MessageState::Delivered, false));
    let [came] = &rejections(&gateway, "lippstadt").await[..] else { panic!("it has arrived") };
    let said = came.identity.clone().unwrap();
    assert_eq!(said.answers.unwrap().to_string(), body["id"]);
    assert_eq!(said.acknowledgement.unwrap().refused.as_deref(), Some("other.broken"));
    assert_eq!(came.state, MessageState::Processed, "it waits in the mailbox");
}

#[tokio::test]
async fn what_rejects_a_test_is_one() {
    let gateway = Gateway::start().await;
    bring(&gateway, &lippstadt().to_string(), &broken(), true).await;
    let [sent] = &rejections(&gateway, "soest").await[..] else { panic!("one rejection") };
    assert!(sent.test);
}

#[tokio::test]
async fn nobody_is_told_who_cannot_be_reached_and_nobody_rejects_a_rejection() {
    let gateway = Gateway::start().await;
    let stranger = bring(&gateway, "bab:00000000", &broken(), false).await;
    assert_eq!(stranger.state, MessageState::Parked, "a human decides");
    let system = bring(&gateway, "fachverfahren", &broken(), false).await;
    assert_eq!(system.state, MessageState::Parked);
    let rejection = json!({ "other": "rueckweisung", "id": Id::now_v7(), "to": soest().to_string(), "wrong": "other.broken", "rejects": Id::now_v7() });
    let rejection = bring(&gateway, &unna().to_string(), &rejection, false).await;
    assert_eq!(rejection.state, MessageState::Parked);
    assert_eq!(rejections(&gateway, "soest").await.len(), 1, "the one that came");
}

#[tokio::test]
async fn what_a_clerk_sends_back_is_rejected_too() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let message = bring(&gateway, &lippstadt().to_string(), &order(), false).await;
    assert_eq!(message.state, MessageState::Processed);
    gateway.broker.return_by_hand(&ours, message.id, None, None, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let [came] = &rejections(&gateway, "lippstadt").await[..] else { panic!("one rejection") };
    let refused = came.identity.clone().unwrap().acknowledgement.unwrap().refused;
    assert_eq!(refused.as_deref(), Some("message.returned-by-hand"));
}

#[tokio::test]
async fn a_rejection_that_would_be_refused_itself_is_not_sent_and_a_human_decides() {
    on_every_engine(|database| async {
        let gateway = Gateway::on(database, Arc::new(SetClock::default())).await;
        let mut body = broken();
        body["spoils"] = json!("other.broken");
        let refused = bring(&gateway, &lippstadt().to_string(), &body, false).await;
        assert_eq!(refused.state, MessageState::Parked, "nobody else would learn of it");
        assert!(rejections(&gateway, "soest").await.is_empty());
        let other = bring(&gateway, &lippstadt().to_string(), &broken(), false).await;
        assert_eq!(other.state, MessageState::Returned);
        assert_eq!(rejections(&gateway, "soest").await[0].related, Some(other.id));
    })
    .await;
}

#[tokio::test]
async fn nobody_rejects_in_the_name_of_another() {
    let gateway = Gateway::start().await;
    for to in [json!(unna().to_string()), json!("bab:00000000"), json!("nobody"), Value::Null] {
        let mut body = broken();
        body["to"] = to;
        let refused = bring(&gateway, &lippstadt().to_string(), &body, false).await;
        assert_eq!(refused.state, MessageState::Parked, "{body}");
    }
    assert!(rejections(&gateway, "soest").await.is_empty());
}

#[tokio::test]
async fn what_only_this_house_can_mend_is_not_held_against_the_sender() {
    let gateway = Gateway::start().await;
    for rule in ["schema.absent", "schema.defect", "virus.unavailable"] {
        let mut body = broken();
        body["wrong"] = json!(rule);
        let refused = bring(&gateway, &lippstadt().to_string(), &body, false).await;
        assert_eq!(refused.state, MessageState::Parked, "{rule}");
    }
    assert!(rejections(&gateway, "soest").await.is_empty());
}

#[tokio::test]
async fn what_is_returned_without_being_wrong_is_not_rejected() {
    let clock = Arc::new(SetClock::default());
    let gateway = Gateway::on(None, clock.clone()).await;
    let incoming = Incoming { to: Some(soest()), ..Incoming::default() };
    let body = futures::stream::iter([Ok(Bytes::from(order().to_string()))]);
    let sent = gateway.broker.accept(&caller("lippstadt", "63"), incoming, body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    clock.advance(Duration::from_secs(11 * 3_600));
    assert_eq!(gateway.broker.expire_due().await.unwrap(), 1);
    gateway.broker.run_due_jobs().await.unwrap();
    let sent = gateway.broker.message(&caller("lippstadt", "63"), sent.id).await.unwrap();
    assert_eq!(sent.state, MessageState::Returned);
    assert_eq!(sent.report.unwrap().findings[0].rule, "message.expired");
    assert!(rejections(&gateway, "soest").await.is_empty());
}

#[tokio::test]
async fn who_uses_the_id_of_anothers_message_does_not_keep_it_out() {
    let gateway = Gateway::start().await;
    let id = Id::now_v7();
    let body = |more: u32| json!({ "other": "order", "id": id, "to": soest().to_string(), "more": more });
    let first = bring(&gateway, &unna().to_string(), &body(1), false).await;
    let second = bring(&gateway, &lippstadt().to_string(), &body(2), false).await;
    assert_ne!(first.id, second.id);
    assert_eq!(second.state, MessageState::Processed);
    assert!(second.report.unwrap_or_default().findings.is_empty());
    let again = bring(&gateway, &lippstadt().to_string(), &body(2), false).await;
    assert_eq!(again.id, second.id, "the same message of the same partner");
}

#[tokio::test]
async fn facts_become_a_case_that_is_worked_on_once_the_entry_is_confirmed() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let invoice = json!({ "other": "invoice", "id": Id::now_v7() });
    let message = bring(&gateway, &lippstadt().to_string(), &invoice, false).await;
    assert_eq!((message.state, message.exchange), (MessageState::Processed, None));
    let cases = async || {
        let page = Page { after: None, limit: 50 };
        gateway.broker.records(&ours, &RecordFilter::of(RecordKind::Case), &page).await.unwrap().items
    };
    let [case] = &cases().await[..] else { panic!("one case") };
    assert_eq!(case.status(), "received");
    let exchanges = RecordFilter::of(RecordKind::Exchange);
    let page = Page { after: None, limit: 50 };
    assert!(gateway.broker.records(&ours, &exchanges, &page).await.unwrap().items.is_empty());

    let picked = gateway
        .broker
        .lease(&ours, &InboxFilter::default(), Duration::from_secs(60), 10, None)
        .await
        .unwrap();
    gateway.broker.confirm(&ours, picked[0].entry.id, None).await.unwrap();
    assert_eq!(cases().await[0].status(), "open");
}

#[tokio::test]
async fn facts_that_are_given_back_are_gone() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let invoice = json!({ "other": "invoice", "id": Id::now_v7() });
    let message = bring(&gateway, &lippstadt().to_string(), &invoice, false).await;
    gateway.broker.return_by_hand(&ours, message.id, None, None, None).await.unwrap();
    let page = Page { after: None, limit: 50 };
    let cases = gateway.broker.records(&ours, &RecordFilter::of(RecordKind::Case), &page).await.unwrap();
    assert!(cases.items.is_empty());
}
