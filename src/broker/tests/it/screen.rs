//! The virus check: what is harmful is refused at the doors or kept from everybody, and what nobody could look at is not taken in.

use std::io::{Read, Write};
use std::sync::Arc;

use broker::Arrival;
use model::message::{Door, MessageState};
use model::scan::{Scanner, Verdict};
use model::{Actor, Caller, EventKind, Failure, Message, Role, Scope};
use serde_json::json;
use store::{MessageFilter, Page};

use crate::house::{Gateway, caller, soest};

/// Finds the word "virus", and is sometimes not there.
struct Fake {
    is_there: bool,
}

impl Scanner for Fake {
    fn scan(&self, content: &mut dyn Read, length: u64) -> Result<Verdict, Failure> {
        if !self.is_there {
            return Err(Failure::transient("virus.unavailable", ""));
        }
        let mut bytes = vec![];
        content.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        let harmful = bytes.windows(5).any(|window| window == b"virus");
        Ok(if harmful { Verdict::Harmful } else { Verdict::Clean })
    }
}

async fn gateway(is_there: bool) -> Gateway {
    let Gateway { broker, folder } = Gateway::start().await;
    Gateway { broker: broker.with_scanner(Arc::new(Fake { is_there })), folder }
}

async fn messages(gateway: &Gateway) -> Vec<Message> {
    let page = Page::first(50);
    gateway.broker.messages(&caller("soest", "63"), &MessageFilter::default(), &page).await.unwrap().items
}

async fn bring(gateway: &Gateway, ticket: &str, bytes: &'static [u8]) -> Result<Message, broker::Error> {
    let from = Caller {
        actor: Actor { kind: "partner".into(), id: "bab:1".into() },
        roles: vec![Role::System],
        scope: Scope::tenant("soest"),
        authority: Some(soest()),
    };
    let arrival = Arrival {
        door: Door::Osci,
        ticket: ticket.into(),
        authority: soest(),
        file_name: None,
        answers: None,
        finding: None,
        facts: json!({}),
        not_before: None,
        sent: None,
        carried: None,
        test: false,
    };
    let (broker, by) = (gateway.broker.clone(), from.clone());
    let write = move || {
        let mut writer = broker.arrival_writer(&by).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let stored = tokio::task::spawn_blocking(write).await.unwrap();
    gateway.broker.take_arrival(&from, arrival, stored).await
}

#[tokio::test]
async fn harmful_content_is_refused_and_leaves_only_its_audit_event() {
    let gateway = gateway(true).await;
    let ours = caller("soest", "63");
    let refused = gateway.accept(&ours, &json!({ "toy": "0401", "text": "virus" })).await.unwrap_err();
    assert_eq!(refused.code(), "virus.found");
    assert!(messages(&gateway).await.is_empty());
    gateway.broker.run_due_jobs().await.unwrap();
    let whole = Caller { scope: Scope::tenant("soest"), ..ours.clone() };
    let events = gateway.broker.events(&whole, 0, 100).await.unwrap();
    let told: Vec<_> = events.iter().map(|sealed| (sealed.event.kind, sealed.event.detail.clone())).collect();
    let detail = json!({ "code": "virus.found", "number": 422 });
    assert_eq!(told, [(EventKind::MessageRefused, Some(detail))]);
    gateway.accept(&ours, &json!({ "toy": "0401", "text": "gesund" })).await.unwrap();
    assert_eq!(messages(&gateway).await.len(), 1);
}

#[tokio::test]
async fn a_harmful_arrival_waits_and_is_given_to_nobody() {
    let gateway = gateway(true).await;
    let waiting = bring(&gateway, "a", b"a virus").await.unwrap();
    assert_eq!(waiting.state, MessageState::Parked);
    assert_eq!(waiting.report.as_ref().unwrap().findings[0].rule, "virus.found");
    let ours = caller("soest", &waiting.unit);
    let kept = gateway.broker.message_content(&ours, waiting.id).await.map(|_| ()).unwrap_err();
    assert_eq!(kept.code(), "broker.content-unavailable");
    assert_eq!(bring(&gateway, "a", b"a virus").await.unwrap().id, waiting.id, "the same delivery again");
    let fine = bring(&gateway, "b", b"fine").await.unwrap();
    assert_eq!(fine.state, MessageState::Accepted);
}

#[tokio::test]
async fn nothing_is_taken_in_that_nobody_could_look_at() {
    let gateway = gateway(false).await;
    let refused = gateway.accept(&caller("soest", "63"), &json!({ "toy": "0401" })).await.unwrap_err();
    assert_eq!(refused.code(), "virus.unavailable");
    let later = bring(&gateway, "a", b"fine").await.unwrap_err();
    assert_eq!(later.code(), "virus.unavailable", "it stays where it is, and comes again");
    assert!(messages(&gateway).await.is_empty());
}
