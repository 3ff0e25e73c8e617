//! What became of a message that the other side has taken: asked again and again, until it is known.

use std::time::Duration;

use model::adapter::Followed;
use model::exchange::{Exchange, ExchangeStatus, ImportResult};
use model::{EventKind, Failure, Id, MessageState, Record, RecordKind};
use serde_json::json;
use store::Page;

use crate::delivery::{Bed, Fake, HOUR, hamm};
use crate::rejection::bring;

async fn exchange(bed: &Bed, message: Id) -> Exchange {
    let id = bed.message(message).await.exchange.unwrap();
    match bed.gateway.broker.record(&bed.ours, RecordKind::Exchange, id).await.unwrap() {
        Record::Exchange(exchange) => exchange,
        _ => unreachable!(),
    }
}

/// What an archive says that has taken everything.
async fn imported(bed: &Bed, message: Id) -> Followed {
    let objects = exchange(bed, message).await.objects;
    let result = ImportResult { successful: true, ..ImportResult::default() };
    let results = objects.iter().map(|object| (object.object_id, result.clone())).collect();
    Followed::Imported { results, proof: json!(null) }
}

#[tokio::test]
async fn a_message_that_its_recipient_has_is_followed_up_no_more() {
    let bed = Bed::new(Fake::following(), false).await;
    let id = bed.send().await;
    bed.run().await;
    // Asked after one minute, and then after two more.
    for (minutes, asked) in [(0, 0), (1, 1), (1, 1), (1, 2)] {
        bed.later(Duration::from_secs(60 * minutes)).await;
        assert_eq!(*bed.fake.asked.lock().unwrap(), asked);
    }
    *bed.fake.followed.lock().unwrap() = Err(Failure::permanent("test.failed", ""));
    bed.later(HOUR).await;
    *bed.fake.followed.lock().unwrap() = Ok(Followed::Received);
    bed.later(HOUR).await;
    assert_eq!(*bed.fake.asked.lock().unwrap(), 4);
    // The receipt of the standard is still to come.
    assert_eq!(bed.message(id).await.state, MessageState::Delivered);
    let timeline = bed.gateway.broker.message_timeline(&bed.ours, id, &Page::first(100)).await.unwrap();
    assert_eq!(timeline.iter().filter(|(_, event)| event.kind == EventKind::MessageReceived).count(), 1);
    bed.later(HOUR).await;
    assert_eq!(*bed.fake.asked.lock().unwrap(), 4);
}

#[tokio::test]
async fn a_message_that_came_to_nothing_goes_back_with_the_reason() {
    let bed = Bed::new(Fake::following(), false).await;
    *bed.fake.followed.lock().unwrap() = Ok(Followed::CameToNothing("test.came-to-nothing"));
    let id = bed.send().await;
    bed.run().await;
    bed.later(HOUR).await;
    assert_eq!(bed.message(id).await.state, MessageState::Returned);
    assert_eq!(bed.rule(id).await, "test.came-to-nothing");
}

#[tokio::test]
async fn a_message_of_which_nobody_says_anything_stays_delivered() {
    let bed = Bed::new(Fake::following(), false).await;
    let id = bed.send().await;
    bed.run().await;
    bed.clock.advance(30 * 24 * HOUR);
    bed.gateway.broker.expire_due().await.unwrap();
    bed.run().await;
    assert_eq!((bed.message(id).await.state, *bed.fake.asked.lock().unwrap()), (MessageState::Delivered, 0));
}

#[tokio::test]
async fn an_answer_that_nobody_else_gives_counts_however_late_and_is_asked_for_no_more() {
    let bed = Bed::new(Fake::answering(), false).await;
    let id = bed.send().await;
    bed.run().await;
    bed.clock.advance(30 * 24 * HOUR);
    bed.gateway.broker.expire_due().await.unwrap();
    bed.run().await;
    assert_eq!((bed.message(id).await.state, *bed.fake.asked.lock().unwrap()), (MessageState::Delivered, 1));
    *bed.fake.followed.lock().unwrap() = Ok(imported(&bed, id).await);
    bed.later(HOUR).await;
    assert_eq!(exchange(&bed, id).await.status, ExchangeStatus::Confirmed);
    bed.later(HOUR).await;
    assert_eq!(*bed.fake.asked.lock().unwrap(), 2);
}

#[tokio::test]
async fn an_exchange_that_has_its_answer_otherwise_is_asked_about_no_more() {
    let bed = Bed::new(Fake::answering(), false).await;
    let id = bed.send().await;
    bed.run().await;
    let begun = exchange(&bed, id).await;
    let results = json!([[begun.objects[0].object_id, true]]);
    let reply = json!({ "toy": "0402", "process": begun.process_id, "id": Id::now_v7(), "results": results });
    bring(&bed.gateway, &hamm().to_string(), &reply, false).await;
    assert_eq!(exchange(&bed, id).await.status, ExchangeStatus::Confirmed);
    bed.later(HOUR).await;
    assert_eq!(*bed.fake.asked.lock().unwrap(), 0);
}

#[tokio::test]
async fn what_a_human_can_mend_waits_for_one_and_is_sent_again() {
    let bed = Bed::new(Fake::answering(), false).await;
    *bed.fake.followed.lock().unwrap() = Ok(Followed::Clarify("test.differs"));
    let id = bed.send().await;
    bed.run().await;
    bed.later(HOUR).await;
    assert_eq!(bed.message(id).await.state, MessageState::Parked);
    assert_eq!(bed.rule(id).await, "test.differs");
    assert_eq!(
        exchange(&bed, id).await.status,
        ExchangeStatus::Sent,
        "it has gone, and may still be answered"
    );
    *bed.fake.followed.lock().unwrap() = Ok(imported(&bed, id).await);
    bed.gateway.broker.resend(&bed.ours, id, None, None).await.unwrap();
    bed.run().await;
    assert_eq!(bed.message(id).await.state, MessageState::Delivered);
    {
        let calls = bed.fake.calls.lock().unwrap();
        let [first, second] = &calls[..] else { panic!() };
        assert_eq!(first, second, "the same bytes under the same id");
    }
    bed.later(HOUR).await;
    assert_eq!(exchange(&bed, id).await.status, ExchangeStatus::Confirmed);
}
