//! The way of a delivery: each step is proved, and reception is noted once.

use broker::{Pick, RelayStage, Turn};
use model::{Clock, EventKind, MessageState};
use serde_json::json;
use store::{MessageFilter, Page};

use super::{Bed, HOUR, SECRET, bytes, new};
use crate::engines::on_every_engine;
use crate::house::{caller, soest};

#[tokio::test(flavor = "multi_thread")]
async fn each_step_from_taking_in_to_reception_is_an_event_and_a_moment_of_the_card() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let sent = bed.send("t").await;
        let id = sent.message;
        assert_eq!(
            (sent.stage, sent.size, sent.expires_at),
            (RelayStage::Waiting, 13, sent.created_at.plus(10 * HOUR))
        );
        assert_eq!(bed.state(id).await, MessageState::Processed);
        bed.begin("1").await;
        assert_eq!(bed.next().await, Some(id));
        assert_eq!(bytes(bed.relay.content(&bed.bob, id).await.unwrap()).await, b"for Bob alone");

        bed.clock.advance(HOUR / 60);
        let handed = bed.hand_out("1", 1, &[], id).await;
        assert_eq!(handed.forwarded_at, Some(bed.clock.now()));
        assert_eq!((handed.modified_at, handed.received_at), (bed.clock.now(), None));
        assert_eq!(bed.state(id).await, MessageState::Processed, "whether it has arrived is not known");
        let conversation = bed.relay.conversation(&bed.bob, "1").await.unwrap().unwrap();
        assert_eq!((conversation.version, conversation.body), (2, json!({ "last": id })));

        bed.clock.advance(HOUR / 60);
        let turn = Turn { id: "1", version: 2, received: &[id] };
        assert_eq!(bed.relay.advance(&bed.bob, turn, &json!({})).await.unwrap(), 3);
        let card = bed.card("t").await;
        assert_eq!(card.received_at, Some(bed.clock.now()));
        assert_eq!((card.modified_at, card.forwarded_at), (bed.clock.now(), handed.forwarded_at));
        assert_eq!(bed.state(id).await, MessageState::Confirmed);
        assert_eq!(bed.next().await, None);

        use EventKind::{MessageAccepted, MessageConfirmed, MessageDelivered};
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageDelivered, MessageConfirmed]);
        bed.broker().run_due_jobs().await.unwrap();
        let page = Page::first(9);
        let sealed = bed.broker().message_timeline(&caller("soest", "63"), id, &page).await.unwrap();
        assert!(sealed.iter().all(|(number, _)| number.is_some()), "every step is in the chain");
        // What was received can still be had by its id.
        let mailbox = soest();
        let again = bed.relay.next(&bed.bob, mailbox.as_str(), Pick::Ticket("t"), &[]).await.unwrap();
        assert_eq!(again.map(|(it, more)| (it.message.id, more)), Some((id, false)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_the_way_and_neither_subject_nor_content() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        bed.begin("1").await;
        bed.hand_out("1", 1, &[], id).await;
        bed.relay.end(&bed.bob, Turn { id: "1", version: 2, received: &[id] }).await.unwrap();
        assert_eq!(bed.relay.conversation(&bed.bob, "1").await.unwrap(), None);
        let events = bed.events(id).await;
        assert_eq!(events.len(), 3);
        let told = json!(events).to_string();
        assert!(!told.contains(SECRET) && !told.contains("inspection"));
        let detail = events[0].detail.as_ref().unwrap();
        let parties = json!({
            "ticket": "t", "mailbox": soest(), "originator": "alice", "addressee": "bob-cipher"
        });
        assert_eq!((&detail["relay"], &detail["door"]), (&parties, &json!("osci")));
        assert_eq!(events[0].payloads.len(), 1, "the digest proves what came");
        assert_eq!([&events[0].actor.id, &events[2].actor.id], ["alice", "bob"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_by_this_door_is_listed_like_any_other() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        let filter = MessageFilter { partner: Some("bab:05978000".into()), ..MessageFilter::default() };
        let listed = bed.broker().messages(&caller("soest", "63"), &filter, &Page::first(9)).await.unwrap();
        assert_eq!(listed.items.iter().map(|it| it.id).collect::<Vec<_>>(), [id]);
        assert_eq!(json!(listed.items[0])["door"], json!("osci"));
        let other = bed.broker().messages(&caller("soest", "70"), &filter, &Page::first(9)).await.unwrap();
        assert!(other.items.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_payload_is_read_as_it_was_written_and_that_of_a_refused_one_goes() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        static LARGE: [u8; 300_000] = [7; 300_000];
        bed.relay.issue(&bed.alice, "t").await.unwrap();
        let files = || {
            let folders = std::fs::read_dir(bed.gateway.folder.path().join("payloads")).unwrap();
            folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap()).count()
        };
        let stored = bed.write(&LARGE).await;
        assert!(files() > 0);
        let refused = bed.relay.take_in(&bed.alice, new("unknown"), stored).await.unwrap_err();
        assert_eq!((refused.code(), files()), ("relay.ticket-refused", 0));
        let stored = bed.write(&LARGE).await;
        let sent = bed.relay.take_in(&bed.alice, new("t"), stored).await.unwrap();
        assert_eq!(bytes(bed.relay.content(&bed.bob, sent.message).await.unwrap()).await, LARGE);
        static TOO_LARGE: [u8; (1 << 20) + 1] = [7; (1 << 20) + 1];
        bed.relay.issue(&bed.alice, "u").await.unwrap();
        let stored = bed.write(&TOO_LARGE).await;
        let refused = bed.relay.take_in(&bed.alice, new("u"), stored).await.unwrap_err();
        assert_eq!(refused.code(), "broker.too-large");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_go_on_at_the_same_place_one_wins_and_it_is_received_once() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        bed.begin("1").await;
        bed.hand_out("1", 1, &[], id).await;
        let tries: Vec<_> = (0..20)
            .map(|number| {
                let (relay, bob) = (bed.relay.clone(), bed.bob.clone());
                tokio::spawn(async move {
                    let turn = Turn { id: "1", version: 2, received: &[id] };
                    relay.advance(&bob, turn, &json!({ "by": number })).await
                })
            })
            .collect();
        let mut won = 0;
        for tried in tries {
            match tried.await.unwrap() {
                Ok(version) => won += version,
                Err(refused) => assert_eq!(refused.code(), "relay.conversation-changed"),
            }
        }
        assert_eq!(won, 3, "one went on, to version 3");
        use EventKind::{MessageAccepted, MessageConfirmed, MessageDelivered};
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageDelivered, MessageConfirmed]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_conversations_that_had_the_same_delivery_receive_it_once() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        for number in 0..10 {
            let name = number.to_string();
            bed.begin(&name).await;
            bed.hand_out(&name, 1, &[], id).await;
        }
        let ends: Vec<_> = (0..10)
            .map(|number: u32| {
                let (relay, bob) = (bed.relay.clone(), bed.bob.clone());
                tokio::spawn(async move {
                    let name = number.to_string();
                    relay.end(&bob, Turn { id: &name, version: 2, received: &[id, id] }).await
                })
            })
            .collect();
        for end in ends {
            end.await.unwrap().unwrap();
        }
        let kinds = bed.kinds(id).await;
        let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
        assert_eq!((count(EventKind::MessageDelivered), count(EventKind::MessageConfirmed)), (10, 1));
        bed.broker().run_due_jobs().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_at_an_old_place_changes_nothing() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let (first, second) = (bed.send("a").await.message, bed.send("b").await.message);
        bed.begin("1").await;
        bed.hand_out("1", 1, &[], first).await;
        let old = Turn { id: "1", version: 1, received: &[first] };
        let unknown = Turn { id: "2", ..old };
        for turn in [old, unknown] {
            let advanced = bed.relay.advance(&bed.bob, turn, &json!({})).await.unwrap_err();
            let handed = bed.relay.hand_out(&bed.bob, turn, &json!({}), second).await.unwrap_err();
            let ended = bed.relay.end(&bed.bob, turn).await.unwrap_err();
            for refused in [advanced, handed, ended] {
                assert_eq!(refused.code(), "relay.conversation-changed");
            }
        }
        assert_eq!((bed.state(first).await, bed.kinds(first).await.len()), (MessageState::Processed, 2));
        assert_eq!((bed.card("b").await.stage, bed.kinds(second).await.len()), (RelayStage::Waiting, 1));
        // One request that receives the one and gets the other.
        bed.hand_out("1", 2, &[first], second).await;
        assert_eq!(
            (bed.card("a").await.stage, bed.card("b").await.stage),
            (RelayStage::Received, RelayStage::HandedOut)
        );
        // And one that asks again for what it receives with that.
        let again = bed.hand_out("1", 3, &[second], second).await;
        assert_eq!((again.stage, bed.card("b").await), (RelayStage::Received, again.clone()));
    })
    .await;
}
