//! Message boxes: their owner looks through them, and says itself what it has received.

use broker::{BoxFilter, BoxTerms, NewDelivery, RelayStage};
use model::{EventKind, MessageState};

use super::{Bed, HOUR, client, new};
use crate::engines::on_every_engine;
use crate::house::soest;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_of_a_mailbox_looks_through_it_and_closes_what_is_in_it() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let (id, mailbox) = (bed.send("t").await.message, soest().to_string());
        let filter = BoxFilter { mailbox: &mailbox, ..BoxFilter::default() };
        assert_eq!(bed.relay.entries(&bed.bob, &filter, 9).await.unwrap().len(), 1);
        assert_eq!(bed.relay.count(&bed.bob, &filter).await.unwrap(), 1);
        let tickets = ["t".to_owned()];
        for stranger in [&bed.alice, &client("soest", "eve")] {
            let refusals = [
                bed.relay.entries(stranger, &filter, 9).await.map(drop),
                bed.relay.count(stranger, &filter).await.map(drop),
                bed.relay.fetch(stranger, id).await.map(drop),
                bed.relay.close(stranger, &mailbox, &tickets).await,
                bed.relay.close(stranger, &stranger.actor.id, &tickets).await,
            ];
            for refused in refusals {
                assert_eq!(refused.unwrap_err().code(), "model.not-found");
            }
        }
        bed.relay.close(&bed.bob, &mailbox, &tickets).await.unwrap();
        assert_eq!(bed.state(id).await, MessageState::Confirmed);
        assert_eq!(bed.relay.fetch(&bed.bob, id).await.unwrap_err().code(), "model.not-found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_is_held_until_its_reader_can_have_closed_it() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        bed.clock.advance(HOUR * 10 - HOUR / 2);
        let fetched = bed.relay.fetch(&bed.bob, id).await.unwrap();
        assert_eq!(fetched.stage, RelayStage::HandedOut);
        bed.clock.advance(HOUR / 2);
        assert_eq!(bed.broker().expire_due().await.unwrap(), 0);
        bed.clock.advance(HOUR / 2);
        assert_eq!(bed.broker().expire_due().await.unwrap(), 1);
        assert_eq!(bed.state(id).await, MessageState::Returned);
        let close = bed.relay.close(&bed.bob, soest().as_str(), &["t".into()]).await;
        assert_eq!(close.unwrap_err().code(), "model.not-found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_entered_its_mailbox_can_be_recalled_by_its_sender_alone() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        bed.relay.issue_for(&bed.alice, "t", HOUR).await.unwrap();
        assert!(bed.relay.may_use(&bed.alice, "t").await.unwrap());
        assert!(!bed.relay.may_use(&bed.bob, "t").await.unwrap(), "it is not Bob's");
        let not_before = Some(model::Clock::now(&*bed.clock).plus(HOUR));
        let terms = BoxTerms { not_before, ..BoxTerms::default() };
        let stored = bed.write(b"later").await;
        let early = bed.relay.take_in(&bed.alice, NewDelivery { terms, ..new("t") }, stored).await.unwrap();
        assert!(!bed.relay.may_use(&bed.alice, "t").await.unwrap(), "it was used");
        let rule = "message.taken-back";
        assert_eq!(bed.relay.recall(&bed.bob, "t", rule).await.unwrap_err().code(), "model.not-found");
        assert_eq!(bed.relay.fetch(&bed.bob, early.message).await.unwrap_err().code(), "model.not-found");
        bed.relay.recall(&bed.alice, "t", rule).await.unwrap();
        assert_eq!(bed.state(early.message).await, MessageState::Returned);
        bed.send("u").await;
        assert_eq!(bed.relay.recall(&bed.alice, "u", rule).await.unwrap_err().code(), "model.wrong-state");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_and_what_it_answers_are_received_together_or_not_at_all() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let answer = async |ticket: &str| {
            bed.relay.issue(&bed.bob, ticket).await.unwrap();
            let stored = bed.write(b"the answer").await;
            let back = NewDelivery { mailbox: "alice".into(), ..new(ticket) };
            bed.relay.take_in(&bed.bob, back, stored).await.unwrap().message
        };
        let (asked, given) = (bed.send("q1").await.message, answer("a1").await);
        for _ in 0..2 {
            let taken = bed.relay.take_answer(&bed.alice, "q1", given).await.unwrap();
            assert_eq!((taken.stage, taken.ticket.as_str()), (RelayStage::Received, "a1"));
        }
        let kinds = [EventKind::MessageAccepted, EventKind::MessageDelivered, EventKind::MessageConfirmed];
        assert_eq!((bed.kinds(asked).await, bed.kinds(given).await), (kinds.to_vec(), kinds.to_vec()));

        // What was asked has come to nothing: the answer is not touched.
        let (asked, late) = (bed.send("q2").await.message, answer("a2").await);
        bed.relay.give_back(&bed.alice, asked, "message.not-answered").await.unwrap();
        let refused = bed.relay.take_answer(&bed.alice, "q2", late).await.unwrap_err();
        assert_eq!(refused.code(), "model.not-found");
        assert_eq!(bed.kinds(late).await, kinds[..1]);
        // Nor is what was asked if the answer is somebody else's.
        let (asked, theirs) = (bed.send("q3").await.message, bed.send("q4").await.message);
        assert!(bed.relay.take_answer(&bed.alice, "q3", theirs).await.is_err());
        assert_eq!(bed.kinds(asked).await, kinds[..1]);
    })
    .await;
}
