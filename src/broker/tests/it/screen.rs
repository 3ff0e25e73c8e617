//! The virus check: what is harmful is refused at the doors or kept from everybody, and what nobody could look at is not taken in.

use std::io::{Read, Write};
use std::sync::Arc;

use broker::{Appended, Arrival, Asked, Incoming, Part, Upload, UploadTarget};
use bytes::Bytes;
use model::case::{Description, Document, DocumentDates, RecordStatus};
use model::message::{Door, MessageState};
use model::record::Meta;
use model::scan::{Scanner, Verdict};
use model::{Actor, Caller, EventKind, Failure, Id, Message, Record, Role, Scope, ids};
use serde_json::json;
use store::{MessageFilter, Page};

use crate::citizens::{Bed, PDF};
use crate::house::{Gateway, caller, create, lippstadt, soest};

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

#[tokio::test]
async fn a_harmful_arrival_is_neither_sent_again_nor_forwarded_but_returned_or_mended() {
    let gateway = gateway(true).await;
    let broker = &gateway.broker;
    let mut found = vec![];
    for (ticket, bytes) in [("a", &b"a virus"[..]), ("b", b"another virus")] {
        found.push(bring(&gateway, ticket, bytes).await.unwrap());
    }
    let ours = caller("soest", &found[0].unit);
    for message in &found {
        let again = broker.resend(&ours, message.id, None, None).await.unwrap_err();
        let forwarded = broker.forward(&ours, message.id, &lippstadt(), None, None).await.unwrap_err();
        for refused in [again, forwarded] {
            assert_eq!(refused.code(), "broker.content-unavailable");
        }
    }
    let [first, second] = [found[0].id, found[1].id];
    let returned = broker.return_by_hand(&ours, first, None, None, None).await.unwrap();
    assert_eq!(returned.state, MessageState::Returned);
    assert!(broker.message_content(&ours, first).await.is_err(), "not after its end either");
    let mend = async |bytes: &'static [u8]| {
        let body = futures::stream::iter([Ok(Bytes::from_static(bytes))]);
        broker.repair(&ours, second, Incoming::default(), Some("bereinigt"), body).await
    };
    assert_eq!(mend(b"still a virus").await.unwrap_err().code(), "virus.found");
    assert_eq!(mend(b"fine").await.unwrap().state, MessageState::Accepted);
}

/// A document of a case, without bytes.
async fn a_document(gateway: &Gateway, ours: &Caller) -> Id {
    let case = gateway.a_case(ours, "Neubau").await;
    let document = Document {
        meta: Meta { id: ids::new_id(), version: 0, ..case.meta.clone() },
        description: Description { title: "Lageplan".into(), ..Description::default() },
        parent: Some(case.meta.id),
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    };
    gateway.broker.submit(ours, create(Record::Document(document)), None).await.unwrap().meta().id
}

#[tokio::test]
async fn what_is_brought_for_a_document_is_looked_at_whole_or_in_parts() {
    let gateway = gateway(true).await;
    let (broker, ours) = (&gateway.broker, caller("soest", "63"));
    let document = a_document(&gateway, &ours).await;
    let file = || Upload { file_name: "plan.pdf".into(), version: "1".into(), ..Upload::default() };
    let body = |bytes: &'static [u8]| futures::stream::iter([Ok(Bytes::from_static(bytes))]);
    let whole = broker.add_content(&ours, document, file(), body(b"a virus")).await.unwrap_err();
    assert_eq!(whole.code(), "virus.found");
    // The word stands across two parts: only the whole shows it.
    let target = UploadTarget::Content { document, file: file() };
    let upload = broker.begin_upload(&ours, target, None).await.unwrap().id;
    let part = |offset, complete| Part { offset, complete, ..Part::default() };
    let first = broker.append_upload(&ours, upload, part(0, false), body(b"a vir")).await.unwrap();
    assert!(matches!(first, Appended::Kept(_)), "{first:?}");
    let last = broker.append_upload(&ours, upload, part(5, true), body(b"us")).await.unwrap();
    assert!(matches!(&last, Appended::Refused(refused) if refused.code() == "virus.found"), "{last:?}");
    broker.add_content(&ours, document, file(), body(b"gesund")).await.unwrap();
}

#[tokio::test]
async fn what_a_citizen_brings_is_looked_at_and_the_link_stays_good_for_something_else() {
    let bed = Bed::new(None).await;
    let bed = Bed { broker: bed.broker.clone().with_scanner(Arc::new(Fake { is_there: true })), ..bed };
    let case = bed.apply("k").await.access.case;
    let asked = Asked { what: "Lageplan".into(), due_days: 14 };
    let link = bed.broker.ask_for_document(&bed.ours, case, asked, None).await.unwrap().link;
    let token = link.rsplit('/').next().unwrap();
    let before = bed.kept_payloads();
    assert_eq!(bed.brings(token, b"%PDF-1.7 a virus").await.unwrap_err().code(), "virus.found");
    assert_eq!(bed.kept_payloads(), before, "nothing of it stays");
    bed.brings(token, PDF).await.unwrap();
}
