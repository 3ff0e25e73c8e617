//! How deliveries end that nobody fetches: received by whoever was called, expired, returned by hand.

use std::time::Duration;

use broker::{RelayStage, Turn};
use model::{Clock, EventKind, MessageState};
use store::Page;

use super::{Bed, HOUR};
use crate::engines::on_every_engine;
use crate::house::{caller, lippstadt};

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_was_called_has_it_at_once_or_it_goes_back() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        use EventKind::{MessageAccepted, MessageConfirmed, MessageDelivered, MessageReturned};
        let id = bed.send("a").await.message;
        let received = bed.relay.receive(&bed.alice, id, bed.clock.now()).await.unwrap();
        assert_eq!(received.stage, RelayStage::Received);
        assert_eq!(
            (received.forwarded_at, received.received_at),
            (Some(bed.clock.now()), Some(bed.clock.now()))
        );
        bed.clock.advance(HOUR);
        assert_eq!(
            bed.relay.receive(&bed.alice, id, bed.clock.now()).await.unwrap(),
            received,
            "the first reception counts"
        );
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageDelivered, MessageConfirmed]);
        let late = bed.relay.give_back(&bed.alice, id, "message.returned-by-recipient").await;
        assert_eq!(late.unwrap_err().code(), "model.wrong-state");

        let id = bed.send("b").await.message;
        for _ in 0..2 {
            bed.relay.give_back(&bed.alice, id, "message.returned-by-recipient").await.unwrap();
        }
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageReturned]);
        assert_eq!((bed.state(id).await, bed.next().await), (MessageState::Returned, None));
        assert_eq!(
            bed.relay.receive(&bed.alice, id, bed.clock.now()).await.unwrap_err().code(),
            "model.not-found"
        );
        assert_eq!(bed.relay.content(&bed.bob, id).await.err().unwrap().code(), "model.not-found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_fetched_in_time_goes_back_and_makes_room() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let mut sent = vec![];
        for number in 0..40 {
            sent.push(bed.send(&number.to_string()).await.message);
        }
        bed.relay.issue(&bed.alice, "more").await.unwrap();
        assert_eq!(bed.try_send("more").await.unwrap_err().code(), "relay.mailbox-full");
        bed.begin("1").await;
        bed.hand_out("1", 1, &[], sent[0]).await;
        bed.relay.end(&bed.bob, Turn { id: "1", version: 2, received: &[sent[0]] }).await.unwrap();
        bed.try_send("more").await.unwrap();

        bed.clock.advance(10 * HOUR - Duration::from_secs(1));
        assert_eq!(bed.broker().expire_due().await.unwrap(), 0);
        // Still on its way to a client: it may come back and say that it has it.
        bed.begin("2").await;
        bed.hand_out("2", 1, &[], sent[1]).await;
        bed.clock.advance(Duration::from_secs(1));
        assert_eq!(bed.broker().expire_due().await.unwrap(), 39);
        assert_eq!(
            (bed.state(sent[0]).await, bed.state(sent[1]).await),
            (MessageState::Confirmed, MessageState::Processed)
        );
        let message = bed.broker().message(&caller("soest", "63"), sent[2]).await.unwrap();
        assert_eq!(message.state, MessageState::Returned);
        assert_eq!(message.report.unwrap().findings[0].rule, "message.expired");
        assert_eq!(bed.kinds(sent[2]).await, [EventKind::MessageAccepted, EventKind::MessageReturned]);
        assert_eq!(
            (bed.card("2").await.stage, bed.card("2").await.received_at),
            (RelayStage::Returned, None)
        );
        bed.relay.end(&bed.bob, Turn { id: "2", version: 2, received: &[sent[1]] }).await.unwrap();
        assert_eq!(bed.state(sent[1]).await, MessageState::Confirmed);
        for number in 100..140 {
            bed.send(&number.to_string()).await;
        }
        bed.relay.issue(&bed.alice, "full").await.unwrap();
        assert_eq!(bed.try_send("full").await.unwrap_err().code(), "relay.mailbox-full");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_out_and_never_received_goes_back_once_its_conversation_is_over() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        bed.begin("1").await;
        bed.clock.advance(10 * HOUR - Duration::from_secs(1));
        assert!(bed.relay.conversation(&bed.bob, "1").await.unwrap().is_none(), "idle for too long");
        bed.begin("2").await;
        bed.hand_out("2", 1, &[], id).await;
        bed.clock.advance(HOUR);
        assert!(bed.relay.conversation(&bed.bob, "2").await.unwrap().is_none());
        assert_eq!(bed.broker().expire_due().await.unwrap(), 1);
        assert_eq!(bed.state(id).await, MessageState::Returned);
        assert_eq!(bed.relay.sweep().await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_return_what_waits_and_never_hand_it_to_another_authority() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let operator = caller("soest", "63");
        let id = bed.send("t").await.message;
        let forwarded = bed.broker().forward(&operator, id, &lippstadt(), None, None).await.unwrap_err();
        assert_eq!(forwarded.code(), "model.wrong-state");
        bed.broker().return_by_hand(&operator, id, None, None, None).await.unwrap();
        assert_eq!(
            (bed.state(id).await, bed.card("t").await.stage),
            (MessageState::Returned, RelayStage::Returned)
        );
        assert_eq!(bed.next().await, None);
        // Nothing of it is left for the mailbox of the authority's other systems.
        let mailbox = bed.broker().inbox(&operator, &Default::default(), &Page::first(9)).await.unwrap();
        assert!(mailbox.items.is_empty());
    })
    .await;
}
