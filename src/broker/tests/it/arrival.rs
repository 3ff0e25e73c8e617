//! What a transport brings: taken in once however often it comes, and never lost, whatever is wrong with it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use broker::{Arrival, Carried, Sent};
use model::message::{Door, Finding};
use model::{Actor, Caller, Clock, Message, MessageState, Role, Scope};
use serde_json::json;
use store::{ClarificationFilter, MessageFilter, Page};

use crate::house::{Gateway, SetClock, caller, soest};

const HOUR: Duration = Duration::from_secs(3_600);

/// A partner that brings something for the county by a transport.
fn partner(id: &str) -> Caller {
    Caller {
        actor: Actor { kind: "partner".into(), id: id.into() },
        roles: vec![Role::System],
        scope: Scope::tenant("soest"),
        authority: Some(soest()),
    }
}

fn arrival(ticket: &str, finding: Option<&str>) -> Arrival {
    Arrival {
        door: Door::Osci,
        ticket: ticket.into(),
        authority: soest(),
        file_name: None,
        answers: None,
        finding: finding.map(Finding::error),
        facts: json!({ "messageId": ticket }),
        not_before: None,
        sent: None,
        carried: None,
        test: false,
    }
}

async fn bring(gateway: &Gateway, from: &str, arrival: Arrival, bytes: &[u8]) -> Message {
    let (broker, from, bytes) = (gateway.broker.clone(), partner(from), bytes.to_vec());
    let by = from.clone();
    let write = move || {
        let mut writer = broker.arrival_writer(&by).unwrap();
        writer.write_all(&bytes).unwrap();
        writer.finish().unwrap()
    };
    let stored = tokio::task::spawn_blocking(write).await.unwrap();
    gateway.broker.take_arrival(&from, arrival, stored).await.unwrap()
}

/// What the county is sent by XTA by a partner that is told what becomes of it.
async fn bring_by_ticket(gateway: &Gateway, ticket: &str, carried: Option<Carried>, bytes: &[u8]) -> Message {
    let by = "bab:05974028";
    gateway.broker.relay().issue_for(&partner(by), ticket, HOUR).await.unwrap();
    let sent = Some(Sent { sender: by.into(), ticket: ticket.into(), body: json!({}) });
    bring(gateway, by, Arrival { door: Door::Xta, sent, carried, ..arrival(ticket, None) }, bytes).await
}

/// States of all messages, oldest first.
async fn states(gateway: &Gateway) -> Vec<MessageState> {
    gateway.broker.run_due_jobs().await.unwrap();
    let page = Page { after: None, limit: 50 };
    let all =
        gateway.broker.messages(&caller("soest", "63"), &MessageFilter::default(), &page).await.unwrap();
    all.items.iter().map(|message| message.state).collect()
}

#[tokio::test]
async fn the_same_delivery_twice_is_one_message_even_after_it_was_decided_upon() {
    let gateway = Gateway::start().await;
    let first = bring(&gateway, "bab:1", arrival("x:1", None), b"no message").await;
    assert_eq!((first.state, first.door), (MessageState::Accepted, Door::Osci));
    assert_eq!(states(&gateway).await, [MessageState::Parked], "its sender would not be told of a return");
    let again = bring(&gateway, "bab:1", arrival("x:1", None), b"as it was packed again").await;
    assert_eq!(again.id, first.id);
    let other = bring(&gateway, "bab:1", arrival("x:2", None), b"no message").await;
    assert_eq!(other.id, first.id, "the same bytes by another delivery");
    let known = bring(&gateway, "bab:1", arrival("x:2", None), b"whatever").await;
    assert_eq!(known.id, first.id);
    assert_eq!(states(&gateway).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_opened_waits_with_its_rule_and_takes_no_id_from_others() {
    let gateway = Gateway::start().await;
    let waiting =
        bring(&gateway, "stranger", arrival("x:1", Some("osci-party.unknown-sender")), b"bytes").await;
    assert_eq!(waiting.state, MessageState::Parked);
    let ours = caller("soest", "63");
    let page = Page { after: None, limit: 5 };
    let found = gateway.broker.clarifications(&ours, &ClarificationFilter::default(), &page).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].rule, "osci-party.unknown-sender");
    assert!(found.items[0].task.is_some());
    let again =
        bring(&gateway, "stranger", arrival("x:1", Some("osci-party.unknown-sender")), b"others").await;
    assert_eq!(again.id, waiting.id);
    assert_eq!(states(&gateway).await, [MessageState::Parked], "no job works on it");
}

/// A hand-over of one case in the standard of the tests.
fn handover(title: &str) -> Vec<u8> {
    let (process, case) = ("0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002");
    json!({ "toy": "0401", "process": process, "receipt": false, "objects": [[case, title]], "results": [] })
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn other_content_under_a_known_id_waits_instead_of_being_lost() {
    let gateway = Gateway::start().await;
    // Nobody that we know: it must not take the id from the one that has it.
    bring(&gateway, "stranger", arrival("x:0", Some("osci-party.unknown-sender")), &handover("a claim"))
        .await;
    let first = bring(&gateway, "bab:05974028", arrival("x:1", None), &handover("Neubau")).await;
    let other = bring(&gateway, "bab:05974028", arrival("x:2", None), &handover("Anbau")).await;
    assert_ne!(other.id, first.id);
    assert_eq!(other.report.unwrap().findings[0].rule, "broker.id-reused");
    let again = bring(&gateway, "bab:05974028", arrival("x:3", None), &handover("Neubau")).await;
    assert_eq!(again.id, first.id);
    use MessageState::{Parked, Processed};
    assert_eq!(states(&gateway).await, [Parked, Processed, Parked]);
}

#[tokio::test]
async fn what_came_by_xta_goes_back_only_to_whoever_is_told() {
    let gateway = Gateway::start().await;
    let fetched = Arrival { door: Door::Xta, ..arrival("x:1", None) };
    bring(&gateway, "bab:05974028", fetched, b"no message").await;
    bring_by_ticket(&gateway, "t", None, b"no message either").await;
    assert_eq!(states(&gateway).await, [MessageState::Parked, MessageState::Returned]);
}

#[tokio::test]
async fn what_its_author_says_of_its_time_is_kept() {
    let clock = Arc::new(SetClock::default());
    let gateway = Gateway::on(None, clock.clone()).await;
    let now = clock.now();
    let early = Carried { not_before: Some(now.plus(HOUR)), ..Carried::default() };
    let brief = Carried { obsolete_at: Some(now.plus(3 * HOUR)), ..Carried::default() };
    let never = Carried { not_before: Some(now.plus(HOUR * 24 * 400)), ..Carried::default() };
    let toy = || {
        let process = model::Id::now_v7();
        json!({ "toy": "0401", "process": process, "receipt": false, "objects": [], "results": [] })
            .to_string()
    };
    for (ticket, carried) in [("x:1", early), ("x:2", brief.clone()), ("x:3", never)] {
        let arrival = Arrival { carried: Some(carried), ..arrival(ticket, None) };
        bring(&gateway, "bab:05974028", arrival, toy().as_bytes()).await;
    }
    bring_by_ticket(&gateway, "t", Some(brief), toy().as_bytes()).await;
    use MessageState::{Accepted, Processed, Returned};
    assert_eq!(
        states(&gateway).await,
        [Accepted, Processed, Processed, Processed],
        "more than a year ahead is a mistake"
    );
    clock.advance(2 * HOUR);
    assert_eq!(states(&gateway).await, [Processed; 4]);
    clock.advance(2 * HOUR);
    gateway.broker.expire_due().await.unwrap();
    // Its service would allow more. Who is not told loses nothing: for them it has arrived.
    assert_eq!(states(&gateway).await, [Processed, Processed, Processed, Returned]);
}
