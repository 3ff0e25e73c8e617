//! Messages that go on from XTA to somebody outside, and messages that come by other ways into a message box.

use std::sync::Mutex;

use async_trait::async_trait;
use broker::house::PartnerEntry;
use broker::{Arrival, Carried, NewExchange};
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Receipt, Sources};
use model::exchange::ExchangeKind;
use model::message::{Direction, Door};
use model::{Failure, FailureKind, Id, Message, MessageState};
use serde_json::{Value, json};
use store::{MessageFilter, Page};
use tokio::io::AsyncReadExt;

use super::*;
use crate::house::{caller, lippstadt};

const PARTNER: &str = "bab:05915000";

/// An adapter that keeps what it is told to deliver, and answers as it was told to.
struct Fake {
    descriptor: Descriptor,
    calls: Mutex<Vec<(Value, Vec<u8>)>>,
    answer: Mutex<Result<bool, Failure>>,
}

#[async_trait]
impl Adapter for Fake {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(
        &self,
        delivery: &Delivery,
        sources: Sources<'_>,
    ) -> std::result::Result<Receipt, Failure> {
        let mut bytes = vec![];
        sources[0].open().await.unwrap().read_to_end(&mut bytes).await.unwrap();
        self.calls.lock().unwrap().push((delivery.detail.clone(), bytes));
        let answer = self.answer.lock().unwrap().as_ref().map_err(Failure::clone).copied();
        answer.map(|confirmed| Receipt { reference: Some("r-1".into()), confirmed, ..Receipt::default() })
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

/// A gateway whose authority in Soest has a message box, sends by XTA, and has a partner outside.
struct Bridge {
    bed: Bed,
    fake: Arc<Fake>,
}

impl Bridge {
    async fn on(database: Option<String>) -> Bridge {
        let descriptor = Descriptor::new("fake", "test", vec![Capability::Deliver]);
        let fake = Arc::new(Fake { descriptor, calls: Mutex::default(), answer: Mutex::new(Ok(false)) });
        let partner = PartnerEntry {
            tenant: Some("soest".into()),
            authority: PARTNER.parse().unwrap(),
            name: "Bauaufsicht Hamm".into(),
            adapter: Some("fake".into()),
            osci: None,
            xta: None,
            prefer: vec![],
            reads: vec![("toy".into(), "1".into())],
            most_bytes: 2_000,
            may_repeat: true,
        };
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::with_box(database, clock.clone(), vec![partner], vec![fake.clone()]).await;
        let boxes = boxes(&gateway.broker, true, true);
        Bridge { bed: Bed { gateway, clock, boxes, runtime: Handle::current() }, fake }
    }

    /// The authority of the house sends contents to the partner.
    fn send(
        &self,
        contents: &[(Content, &[u8])],
        change: impl FnOnce(&mut MetaData),
    ) -> (String, Result<()>) {
        let boxes = &self.bed.boxes;
        let id = boxes.create_message_id(&author()).unwrap();
        let (author_is, reader_is) = (party(soest().as_str()), party(PARTNER));
        let mut meta = MetaData { author: author_is, reader: reader_is, ..metadata(&id) };
        change(&mut meta);
        (id, send(boxes, &author(), &meta, contents))
    }

    fn run(&self) {
        self.bed.wait(self.bed.gateway.broker.run_due_jobs());
    }

    fn messages(&self, tenant: &str) -> Vec<Message> {
        let page = Page::first(9);
        self.bed
            .wait(self.bed.gateway.broker.messages(&caller(tenant, "63"), &MessageFilter::default(), &page))
            .items
    }

    fn report(&self, id: &str) -> Report {
        self.bed.boxes.report(&author(), id).unwrap()
    }
}

/// The account of the authority of the house.
fn author() -> Account {
    let mut account = reader();
    account.caller.authority = Some(soest());
    account
}

fn codes(report: &Report) -> Vec<&str> {
    report.records.iter().map(|record| record.code.as_str()).collect()
}

async fn on_bridges(test: impl Fn(&Bridge) + Send + Sync + Copy + 'static) {
    crate::engines::on_every_engine(move |database| async move {
        let bridge = Bridge::on(database).await;
        block_in_place(|| test(&bridge));
    })
    .await;
}

fn toy() -> Vec<u8> {
    format!(r#"{{"toy": "0401", "process": "{}"}}"#, Id::now_v7()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_authority_of_the_house_writes_to_somebody_outside_is_sent_on_with_its_metadata() {
    on_bridges(|bridge| {
        let toy = toy();
        let (id, sent) = bridge.send(&[(message("toy.json"), &toy)], |meta| {
            meta.in_reply_to = vec!["urn:before".into()];
        });
        sent.unwrap();
        let [out] = &bridge.messages("soest")[..] else { panic!() };
        assert_eq!((out.direction, out.state), (Direction::Out, MessageState::Ready));
        assert_eq!((out.authority.clone(), out.partner.as_str()), (soest(), PARTNER));
        assert_eq!(
            (bridge.report(&id).status, codes(&bridge.report(&id))),
            (Status::Open, vec!["submission"])
        );
        bridge.run();
        let calls = bridge.fake.calls.lock().unwrap();
        let [(detail, bytes)] = &calls[..] else { panic!() };
        assert_eq!(bytes, &toy, "the only content goes as it is");
        assert_eq!((&detail["container"], &detail["fileName"]), (&json!(false), &json!("toy.json")));
        assert_eq!((&detail["from"], &detail["to"]), (&json!(soest()), &json!(PARTNER)));
        let carried = &detail["xta"];
        assert_eq!((&carried["messageId"], &carried["subject"]), (&json!(id), &json!("Antrag")));
        assert_eq!(carried["inReplyTo"], json!(["urn:before"]));
        let report = bridge.report(&id);
        assert_eq!((report.status, codes(&report)), (Status::Open, vec!["submission", "relay"]));
        assert_eq!(report.records[1].reason, "sent on by adapter, there r-1");
        assert!(report.meta.delivery.initial_send.is_some() && report.meta.delivery.delivery.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_contents_go_on_as_a_container_and_a_test_stays_one() {
    on_bridges(|bridge| {
        *bridge.fake.answer.lock().unwrap() = Ok(true);
        let contents: [(Content, &[u8]); 2] = [(message("a.txt"), b"Anbei"), (attachment("b.pdf"), b"%PDF")];
        let (id, sent) = bridge.send(&contents, |meta| meta.is_test = true);
        sent.unwrap();
        bridge.run();
        let calls = bridge.fake.calls.lock().unwrap();
        let (detail, bytes) = &calls[0];
        assert_eq!((&detail["container"], &detail["test"]), (&json!(true), &json!(true)));
        assert_eq!(&bytes[..2], b"PK");
        let report = bridge.report(&id);
        assert_eq!((report.status, report.meta.is_test), (Status::Green, true));
        assert_eq!(codes(&report), ["submission", "relay", "reception"]);
        assert!(report.meta.delivery.reception.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_partner_refuses_is_told_to_its_author() {
    on_bridges(|bridge| {
        let rejected = Failure::new(FailureKind::Rejected, "test.rejected", "no");
        *bridge.fake.answer.lock().unwrap() = Err(rejected);
        let (id, sent) = bridge.send(&[(message("toy.json"), &toy())], |_| ());
        sent.unwrap();
        bridge.run();
        let report = bridge.report(&id);
        assert_eq!((report.status, codes(&report)), (Status::Red, vec!["submission", "return"]));
        assert_eq!(report.records[1].reason, "test.rejected");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_on_for_others_nor_to_nobody_nor_more_than_is_taken_there() {
    on_bridges(|bridge| {
        let boxes = &bridge.bed.boxes;
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        let foreign = MetaData { reader: party(PARTNER), ..metadata(&id) };
        let contents = [(message("a.txt"), b"x".as_slice())];
        assert_eq!(code(send(boxes, &account(AUTHOR), &foreign, &contents)), 9022);
        let (_, nobody) = bridge.send(&contents, |meta| meta.reader = party("bab:00000000"));
        assert_eq!(code(nobody), 9022);
        let (_, said) = bridge.send(&contents, |meta| meta.size = Some(2_001));
        assert_eq!(code(said), 9023);
        let large = vec![b'x'; 2_001];
        let (id, too_large) = bridge.send(&[(message("a.txt"), &large)], |_| ());
        assert_eq!(code(too_large), 9023);
        assert!(bridge.messages("soest").is_empty());
        // The id can still be used, and then no more.
        let meta = MetaData { author: party(soest().as_str()), reader: party(PARTNER), ..metadata(&id) };
        send(boxes, &author(), &meta, &contents).unwrap();
        assert_eq!(code(send(boxes, &author(), &meta, &contents)), 9024);
        assert_eq!(bridge.messages("soest").len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_leave_yet_can_be_taken_back() {
    on_bridges(|bridge| {
        let at = Timestamp::from_micros(model::SystemClock.now().micros()).plus(2 * HOUR);
        let (id, sent) = bridge.send(&[(message("toy.json"), &toy())], |meta| {
            meta.delivery.not_before = written(at);
        });
        sent.unwrap();
        bridge.run();
        assert!(bridge.fake.calls.lock().unwrap().is_empty());
        bridge.bed.boxes.cancel(&author(), &id).unwrap();
        bridge.run();
        assert_eq!(bridge.report(&id).status, Status::Red);
        assert!(bridge.fake.calls.lock().unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_left_already_cannot_be_taken_back() {
    on_bridges(|bridge| {
        let lost = Failure::new(FailureKind::Uncertain, "test.lost", "no answer");
        *bridge.fake.answer.lock().unwrap() = Err(lost);
        let (id, sent) = bridge.send(&[(message("toy.json"), &toy())], |_| ());
        sent.unwrap();
        bridge.run();
        // It waits to be sent again, and nobody knows whether it has arrived.
        assert!(!bridge.fake.calls.lock().unwrap().is_empty());
        assert_eq!(bridge.messages("soest")[0].state, MessageState::Ready);
        let (author, sender, ticket) = (author().caller, format!("xta:{}", soest()), id.to_lowercase());
        let broker = &bridge.bed.gateway.broker;
        let recalled = broker.recall_arrival(&author, &sender, &ticket, "message.taken-back");
        let refused = bridge.bed.runtime.block_on(recalled).unwrap_err();
        assert_eq!(refused.code(), model::Error::WrongState { state: "ready" }.code());
        assert_eq!(bridge.report(&id).status, Status::Open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_rest_lies_in_the_message_box_until_it_is_closed() {
    on_bridges(|bridge| {
        let toy: Value = serde_json::from_slice(&toy()).unwrap();
        let portal = caller("soest", "63");
        let taken = bridge.bed.wait(bridge.bed.gateway.accept(&portal, &toy));
        bridge.run();
        let listed = bridge.bed.list(&Selector::default(), None);
        let [meta] = &listed.entries[..] else { panic!() };
        assert_eq!((meta.author.id.as_str(), meta.reader.id.as_str()), ("soest-63", soest().as_str()));
        assert_eq!(meta.message_id, format!("urn:de:xta:messageid:amtsbote:{}", taken.id));
        assert_eq!(
            (meta.message_type.code.as_str(), meta.payload_schema.as_str()),
            ("0401", "urn:xoev-de:toy:schema:1")
        );
        let fetched = bridge.bed.fetch(&meta.message_id).unwrap();
        assert_eq!(bytes(&fetched, 0), toy.to_string().as_bytes());
        assert_eq!(fetched.meta.size, Some(toy.to_string().len() as u64));
        let state = || bridge.messages("soest")[0].state;
        assert_eq!(state(), MessageState::Processed);
        bridge.bed.close(&meta.message_id).unwrap();
        assert_eq!((state(), bridge.bed.ids().len()), (MessageState::Confirmed, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_sender_s_message_is_confirmed_by_the_reader_s_close() {
    on_bridges(|bridge| {
        let (broker, theirs) = (&bridge.bed.gateway.broker, caller("lippstadt", "63"));
        let case = bridge.bed.runtime.block_on(bridge.bed.gateway.a_case(&theirs, "Neubau"));
        let wanted = NewExchange {
            kind: ExchangeKind::Handover,
            to: soest(),
            objects: vec![case.meta.id],
            version: None,
            wants_receipt: false,
            opening: broker::Opening::Usual,
        };
        bridge.bed.wait(broker.start_exchange(&theirs, wanted, None));
        (0..4).for_each(|_| bridge.run());
        let sent = || bridge.messages("lippstadt")[0].state;
        assert_eq!(sent(), MessageState::Delivered);
        let [id] = &bridge.bed.ids()[..] else { panic!() };
        assert_eq!(bridge.bed.fetch(id).unwrap().meta.author.id, lippstadt().as_str());
        bridge.bed.close(id).unwrap();
        assert_eq!(sent(), MessageState::Confirmed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_fetches_goes_back_to_its_local_sender() {
    on_bridges(|bridge| {
        let (broker, theirs) = (&bridge.bed.gateway.broker, caller("lippstadt", "63"));
        let case = bridge.bed.runtime.block_on(bridge.bed.gateway.a_case(&theirs, "Neubau"));
        let wanted = NewExchange {
            kind: ExchangeKind::Handover,
            to: soest(),
            objects: vec![case.meta.id],
            version: None,
            wants_receipt: false,
            opening: broker::Opening::Usual,
        };
        bridge.bed.wait(broker.start_exchange(&theirs, wanted, None));
        (0..4).for_each(|_| bridge.run());
        bridge.bed.clock.advance(24 * 8 * HOUR);
        bridge.bed.wait(broker.expire_due());
        assert_eq!(bridge.messages("lippstadt")[0].state, MessageState::Returned);
        assert!(bridge.bed.ids().is_empty());
    })
    .await;
}

/// An arrival by OSCI-Transport that brings metadata.
fn arrival(ticket: &str, meta: Option<&str>) -> Arrival {
    let letter = |id: &str| {
        let party = |id: &str| json!({ "id": id, "scheme": "xoev", "name": null, "category": null });
        json!({
            "isTest": true, "delivery": {}, "author": party("lan:1"), "sender": null, "replyTo": null,
            "reader": party(soest().as_str()), "otherReaders": [], "ccReaders": [], "messageId": id, "inReplyTo": [],
            "processRef": null, "subject": "Antrag", "service": "urn:s", "scenario": null,
            "messageType": { "code": "c", "name": null, "list": "urn:l", "version": "1" }, "payloadSchema": "urn:p",
            "properties": [], "size": 9,
        })
    };
    Arrival {
        door: Door::Osci,
        ticket: ticket.into(),
        authority: soest(),
        file_name: Some("a.txt".into()),
        answers: None,
        finding: None,
        facts: json!({}),
        not_before: None,
        sent: None,
        carried: meta.map(|id| Carried {
            metadata: letter(id),
            container: false,
            ticket: Some(id.to_lowercase()),
            ..Carried::default()
        }),
        test: meta.is_some(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_a_delivery_brings_are_those_that_the_reader_sees() {
    on_bridges(|bridge| {
        let partner = account("lan:1").caller;
        let take = |arrival: Arrival, text: &[u8]| {
            let mut writer = bridge.bed.gateway.broker.arrival_writer(&partner).unwrap();
            std::io::Write::write_all(&mut writer, text).unwrap();
            let stored = writer.finish().unwrap();
            bridge.bed.wait(bridge.bed.gateway.broker.take_arrival(&partner, arrival, stored))
        };
        let first = take(arrival("i:1", Some("urn:de:xta:messageid:Land:A")), b"Guten Tag");
        assert_eq!(take(arrival("i:1", Some("urn:de:xta:messageid:Land:A")), b"Guten Tag").id, first.id);
        take(arrival("i:2", None), b"ohne Metadaten");
        bridge.run();
        let entries = bridge.bed.list(&Selector::default(), None).entries;
        let ids: Vec<_> = entries.iter().map(|meta| meta.message_id.as_str()).collect();
        assert_eq!((ids.len(), ids[0]), (2, "urn:de:xta:messageid:Land:A"));
        assert_eq!((entries[0].subject.as_deref(), entries[0].is_test), (Some("Antrag"), true));
        assert_eq!(
            (entries[1].author.id.as_str(), entries[1].payload_schema.as_str()),
            ("lan:1", "about:blank")
        );
        let fetched = bridge.bed.fetch(ids[0]).unwrap();
        assert_eq!(bytes(&fetched, 0), b"Guten Tag");
        assert_eq!(fetched.contents.list()[0].0.file_name.as_deref(), Some("a.txt"));
        // The same id once more is somebody's mistake, and a human's business.
        let again = take(arrival("i:3", Some("urn:de:xta:messageid:Land:A")), b"etwas anderes");
        bridge.run();
        let messages = bridge.messages("soest");
        let again = messages.iter().find(|it| it.id == again.id).unwrap();
        assert_eq!(again.state, MessageState::Parked);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_into_a_box_stays_until_it_is_fetched_if_its_sender_is_not_told() {
    on_bridges(|bridge| {
        let broker = &bridge.bed.gateway.broker;
        let partner = account("lan:1").caller;
        let mut writer = broker.arrival_writer(&partner).unwrap();
        std::io::Write::write_all(&mut writer, b"Guten Tag").unwrap();
        let mut brief = arrival("i:1", Some("urn:de:xta:messageid:Land:A"));
        brief.carried.as_mut().unwrap().obsolete_at = Some(bridge.bed.in_hours(2));
        bridge.bed.wait(broker.take_arrival(&partner, brief, writer.finish().unwrap()));
        bridge.run();
        bridge.bed.clock.advance(24 * 60 * HOUR);
        bridge.bed.wait(broker.expire_due());
        assert_eq!(bridge.bed.ids(), ["urn:de:xta:messageid:Land:A"]);
        assert_eq!(bridge.messages("soest")[0].state, MessageState::Processed);
        assert_eq!(bytes(&bridge.bed.fetch("urn:de:xta:messageid:Land:A").unwrap(), 0), b"Guten Tag");
    })
    .await;
}
