//! Replies and the messages that they answer: of exchanges with somebody outside, and of what was handed in without one.

use broker::{NewExchange, Opening};
use model::exchange::{Exchange, ExchangeKind, ExchangeStatus};
use model::{FailureKind, Id, Message, MessageState, Record, RecordKind};
use serde_json::{Value, json};

use crate::answers::{Bed, COURT, OTHER, answer, rules};
use crate::house::{Gateway, caller, lippstadt};

impl Bed {
    /// A case goes to the court, in an exchange.
    async fn hands_over(&self) -> Exchange {
        let case = self.gateway.a_case(&self.ours, "Neubau").await;
        let wanted = NewExchange {
            kind: ExchangeKind::Handover,
            to: COURT.parse().unwrap(),
            objects: vec![case.meta.id],
            version: None,
            wants_receipt: true,
            opening: Opening::Usual,
        };
        let started = self.gateway.broker.start_exchange(&self.ours, wanted, None).await.unwrap();
        self.gateway.broker.run_due_jobs().await.unwrap();
        started
    }

    async fn exchange(&self, id: Id) -> Exchange {
        exchange(&self.gateway, &self.ours, id).await
    }
}

async fn exchange(gateway: &Gateway, caller: &model::Caller, id: Id) -> Exchange {
    match gateway.broker.record(caller, RecordKind::Exchange, id).await.unwrap() {
        Record::Exchange(exchange) => exchange,
        _ => unreachable!(),
    }
}

fn reply(kind: &str, process: Id) -> Value {
    json!({ "toy": kind, "process": process, "id": Id::now_v7() })
}

fn state(message: &Message) -> (MessageState, Vec<&str>) {
    (message.state, rules(message))
}

#[tokio::test]
async fn a_reply_to_what_was_handed_in_waits_in_the_mailbox_and_confirms_it() {
    let bed = Bed::new().await;
    let process = Id::now_v7();
    let sent = bed.hand_in(COURT, &json!({ "toy": "0401", "process": process })).await.unwrap();
    assert_eq!(bed.settled(sent.id).await.state, MessageState::Delivered);
    let foreign = bed.bring(OTHER, &reply("0403", process)).await;
    assert_eq!(state(&foreign), (MessageState::Parked, vec!["exchange.unknown-process"]));
    for kind in ["0403", "0402"] {
        let came = bed.bring(COURT, &reply(kind, process)).await;
        assert_eq!((state(&came), came.related), ((MessageState::Processed, vec![]), Some(sent.id)));
        assert_eq!(bed.settled(sent.id).await.state, MessageState::Confirmed);
    }
}

#[tokio::test]
async fn a_reply_confirms_a_message_of_which_nobody_knew_whether_it_had_arrived() {
    let bed = Bed::new().await;
    for (fails, kind, status, state) in [
        // Its transport may still be asked whether the recipient has it.
        (None, "0403", ExchangeStatus::Received, MessageState::Delivered),
        (Some(FailureKind::Uncertain), "0403", ExchangeStatus::Received, MessageState::Confirmed),
        (Some(FailureKind::Uncertain), "0402", ExchangeStatus::Confirmed, MessageState::Confirmed),
        (None, "0402", ExchangeStatus::Confirmed, MessageState::Delivered),
    ] {
        *bed.taker.fails.lock().unwrap() = fails;
        let begun = bed.hands_over().await;
        let (sent, object) = (begun.messages[0].id, begun.objects[0].object_id);
        if fails.is_some() {
            bed.gateway.broker.park_by_hand(&bed.ours, sent, None, None).await.unwrap();
        }
        let mut body = reply(kind, begun.process_id);
        body["results"] = json!([[object, true]]);
        assert_eq!(bed.bring(COURT, &body).await.state, MessageState::Confirmed);
        assert_eq!(bed.settled(sent).await.state, state);
        assert_eq!(bed.exchange(begun.meta.id).await.status, status);
        let waits = bed.gateway.broker.clarification(&bed.ours, sent).await;
        assert!(waits.is_err(), "it lies on no desk");
    }
}

#[tokio::test]
async fn an_acknowledgement_and_a_refusal_are_told_to_the_exchange() {
    let bed = Bed::new().await;
    for (refused, status) in [(None, ExchangeStatus::Received), (Some("2"), ExchangeStatus::Returned)] {
        let begun = bed.hands_over().await;
        // An id of another standard is another.
        let of_another =
            json!({ "other": "rueckweisung", "id": Id::now_v7(), "rejects": begun.process_id, "code": "x" });
        bed.bring(COURT, &of_another).await;
        assert_eq!(bed.exchange(begun.meta.id).await.status, ExchangeStatus::Sent);
        bed.bring(COURT, &answer(begun.process_id, refused)).await;
        assert_eq!(bed.exchange(begun.meta.id).await.status, status);
    }
}

#[tokio::test]
async fn a_receipt_that_comes_again_is_confirmed_and_noted_once() {
    let bed = Bed::new().await;
    let begun = bed.hands_over().await;
    for _ in 0..3 {
        let mut receipt = reply("0403", begun.process_id);
        receipt["answers"] = json!(begun.messages[0].id);
        let came = bed.bring(COURT, &receipt).await;
        assert_eq!((came.state, came.exchange), (MessageState::Confirmed, Some(begun.meta.id)));
    }
    assert_eq!(bed.exchange(begun.meta.id).await.messages.len(), 2);
    let mut stray = reply("0403", begun.process_id);
    stray["answers"] = json!(Id::now_v7());
    let stray = bed.bring(COURT, &stray).await;
    assert_eq!(state(&stray), (MessageState::Parked, vec!["exchange.out-of-turn"]));
}

#[tokio::test]
async fn between_authorities_of_this_gateway_the_copy_of_the_recipient_tells() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let process = Id::now_v7();
    let incoming = broker::Incoming { to: Some(lippstadt()), ..broker::Incoming::default() };
    let body =
        json!({ "toy": "0401", "process": process, "receipt": true, "objects": [[Id::now_v7(), "x", []]] });
    let bytes = futures::stream::iter([Ok(bytes::Bytes::from(body.to_string()))]);
    let sent = gateway.broker.accept(&ours, incoming, bytes).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let now = gateway.broker.message(&ours, sent.id).await.unwrap();
    assert_eq!(now.state, MessageState::Delivered, "its receipt has come, but it lies in a mailbox there");
    let filter = store::MessageFilter { process_id: Some(process), ..store::MessageFilter::default() };
    let all = gateway.broker.messages(&ours, &filter, &store::Page::first(50)).await.unwrap().items;
    let receipt = all.iter().find(|it| it.id != sent.id).unwrap();
    assert_eq!(state(receipt), (MessageState::Processed, vec![]));
}
