//! Message boxes: their owner looks through them, and says itself what it has received.

use broker::{BoxFilter, BoxTerms, NewDelivery, RelayStage};
use model::MessageState;

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
