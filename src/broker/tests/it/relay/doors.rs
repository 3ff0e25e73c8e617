//! What a door needs that calls recipients and gives ids to whoever asks.

use broker::NewDelivery;
use model::{Clock, MessageState};

use super::{Bed, HOUR, client, new};
use crate::engines::on_every_engine;

#[tokio::test(flavor = "multi_thread")]
async fn a_called_recipient_s_card_tells_when_the_delivery_was_handed_out() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("a").await.message;
        bed.clock.advance(HOUR);
        let forwarded = bed.clock.now();
        bed.clock.advance(HOUR);
        let received = bed.relay.receive(&bed.alice, id, forwarded).await.unwrap();
        assert_eq!((received.forwarded_at, received.received_at), (Some(forwarded), Some(bed.clock.now())));

        let early = bed.send("b").await;
        let received = bed.relay.receive(&bed.alice, early.message, forwarded).await.unwrap();
        assert_eq!(received.forwarded_at, Some(early.created_at), "not before it was taken in");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_s_ticket_may_be_used_by_anybody_once_and_again_after_a_withdrawal() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let door = client("lippstadt", "door");
        bed.relay.issue(&door, "t").await.unwrap();
        let new = || NewDelivery { issued_to: Some(door.clone()), ..new("t") };
        let take_in = || async {
            let stored = bed.write(b"for Bob alone").await;
            bed.relay.take_in(&bed.alice, new(), stored).await
        };
        assert_eq!(
            bed.try_send("t").await.unwrap_err().code(),
            "relay.ticket-refused",
            "it is not Alice's own"
        );
        let id = take_in().await.unwrap().message;
        assert_eq!(take_in().await.unwrap_err().code(), "relay.ticket-refused");

        let rule = "message.returned-by-recipient";
        let eve = client("soest", "eve");
        assert_eq!(bed.relay.withdraw(&eve, id, &door, rule).await.unwrap_err().code(), "model.not-found");
        bed.relay.withdraw(&bed.alice, id, &door, rule).await.unwrap();
        assert_eq!((bed.state(id).await, bed.next().await), (MessageState::Returned, None));
        let again = bed.relay.withdraw(&bed.alice, id, &door, rule).await;
        assert_eq!(again.unwrap_err().code(), "model.wrong-state");

        let second = take_in().await.unwrap().message;
        assert_eq!((bed.next().await, bed.card("t").await.message), (Some(second), second));
        assert_eq!(take_in().await.unwrap_err().code(), "relay.ticket-refused");
        bed.begin("1").await;
        bed.hand_out("1", 1, &[], second).await;
        let seen = bed.relay.withdraw(&bed.alice, second, &door, rule).await;
        assert_eq!(seen.unwrap_err().code(), "model.wrong-state");
    })
    .await;
}
