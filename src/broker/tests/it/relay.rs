//! The relay: what is taken in is proved at every step, is received once, and is nobody else's.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use broker::{
    Broker, CardFilter, CardRule, NewDelivery, Pick, Relay, RelayDelivery, RelayLimits, RelayQuota,
    RelayStage, StoredPayload, Turn,
};
use model::message::Door;
use model::rights::Within;
use model::{Actor, Caller, Clock, Event, EventKind, Id, MessageState, Role, Scope};
use serde_json::{Value, json};
use store::{MessageFilter, Page};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, lippstadt, soest};

const HOUR: Duration = Duration::from_secs(3_600);
const SECRET: &str = "Antrag auf Waffenschein";

struct Bed {
    gateway: Gateway,
    relay: Relay,
    clock: Arc<SetClock>,
    /// Somebody outside who sends.
    alice: Caller,
    /// The authority's own client.
    bob: Caller,
}

/// A client that is known by its certificate.
fn client(tenant: &str, fingerprint: &str) -> Caller {
    Caller {
        actor: Actor { kind: "partner".into(), id: fingerprint.into() },
        roles: vec![Role::System],
        scope: Scope::tenant(tenant),
        authority: None,
    }
}

impl Bed {
    async fn on(database: Option<String>) -> Bed {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder } = Gateway::on(database, clock.clone()).await;
        let limits = RelayLimits {
            idle: HOUR,
            ticket: 2 * HOUR,
            mailbox: RelayQuota { deliveries: 40, bytes: 1 << 20 },
        };
        let broker = broker.with_relay_limits(limits);
        let (relay, gateway) = (broker.relay(), Gateway { broker, folder });
        let bob = Caller { authority: Some(soest()), ..client("soest", "bob") };
        Bed { gateway, relay, clock, alice: client("soest", "alice"), bob }
    }

    fn broker(&self) -> &Broker {
        &self.gateway.broker
    }

    async fn write(&self, bytes: &'static [u8]) -> StoredPayload {
        let mut writer = self.relay.writer(&self.alice).unwrap();
        let written = move || {
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        };
        tokio::task::spawn_blocking(written).await.unwrap()
    }

    async fn try_send(&self, ticket: &str) -> Result<RelayDelivery, broker::Error> {
        let stored = self.write(b"for Bob alone").await;
        self.relay.take_in(&self.alice, new(ticket), stored).await
    }

    async fn send(&self, ticket: &str) -> RelayDelivery {
        self.relay.issue(&self.alice, ticket).await.unwrap();
        self.try_send(ticket).await.unwrap()
    }

    async fn begin(&self, id: &str) {
        self.relay.begin(&self.bob, id, &json!({})).await.unwrap();
    }

    /// Hands a delivery out in a conversation that goes on from this version.
    async fn hand_out(&self, id: &str, version: u64, received: &[Id], delivery: Id) -> RelayDelivery {
        let turn = Turn { id, version, received };
        self.relay.hand_out(&self.bob, turn, &json!({ "last": delivery }), delivery).await.unwrap()
    }

    async fn next(&self) -> Option<Id> {
        let mailbox = soest();
        let picked = self.relay.next(&self.bob, mailbox.as_str(), Pick::Next, &[]).await.unwrap();
        picked.map(|(it, _)| it.message.id)
    }

    async fn state(&self, id: Id) -> MessageState {
        self.broker().message(&caller("soest", "63"), id).await.unwrap().state
    }

    async fn events(&self, id: Id) -> Vec<Event> {
        let page = Page::first(100);
        let events = self.broker().message_timeline(&caller("soest", "63"), id, &page).await.unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }

    async fn kinds(&self, id: Id) -> Vec<EventKind> {
        self.events(id).await.into_iter().map(|event| event.kind).collect()
    }

    /// The delivery as its sender sees it.
    async fn card(&self, ticket: &str) -> RelayDelivery {
        let filter = CardFilter {
            mailbox: None,
            originator: Some("alice"),
            rule: CardRule::Tickets(vec![ticket.into()]),
            unreceived: false,
            limit: 1,
        };
        self.relay.cards(&self.alice, &filter).await.unwrap().items.remove(0)
    }
}

fn new(ticket: &str) -> NewDelivery {
    NewDelivery {
        door: Door::Osci,
        ticket: ticket.into(),
        issued_to: None,
        authority: soest(),
        mailbox: soest().to_string(),
        partner: "bab:05978000".into(),
        addressee: "bob-cipher".into(),
        subject: Some(SECRET.into()),
        dedup_key: format!("osci:{ticket}"),
        body: json!({ "inspection": SECRET }),
    }
}

async fn bytes(payload: broker::Payload) -> Vec<u8> {
    let size = payload.size() as usize;
    payload.read_at(0, size).await.unwrap().to_vec()
}

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
async fn a_ticket_is_good_for_one_delivery_of_whoever_it_was_issued_to() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let code = |outcome: Result<RelayDelivery, broker::Error>| outcome.unwrap_err().code().to_owned();
        assert_eq!(code(bed.try_send("invented").await), "relay.ticket-refused");
        bed.send("t").await;
        assert_eq!(code(bed.try_send("t").await), "relay.ticket-refused", "it was used");
        assert_eq!(bed.relay.issue(&bed.alice, "t").await.unwrap_err().code(), "relay.id-taken");
        bed.relay.issue(&bed.bob, "bobs").await.unwrap();
        assert_eq!(code(bed.try_send("bobs").await), "relay.ticket-refused", "it is not Alice's");
        bed.relay.issue(&bed.alice, "late").await.unwrap();
        bed.clock.advance(2 * HOUR);
        assert_eq!(code(bed.try_send("late").await), "relay.ticket-refused", "its time is over");
        assert_eq!(bed.relay.sweep().await.unwrap(), 2);
        let listed = bed
            .broker()
            .messages(&caller("soest", "63"), &MessageFilter::default(), &Page::first(9))
            .await
            .unwrap();
        assert_eq!(listed.items.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_keeps_its_ticket() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        bed.relay.issue(&bed.alice, "t").await.unwrap();
        let wrong: [(&str, NewDelivery); 6] = [
            ("broker.unknown-authority", NewDelivery { authority: lippstadt(), ..new("t") }),
            ("model.invalid", NewDelivery { mailbox: "a b".into(), ..new("t") }),
            ("model.invalid", NewDelivery { addressee: String::new(), ..new("t") }),
            ("model.invalid", NewDelivery { subject: Some("x".repeat(4_001)), ..new("t") }),
            ("model.invalid", NewDelivery { body: json!("x".repeat(65_536)), ..new("t") }),
            ("model.invalid", NewDelivery { body: json!("\0"), ..new("t") }),
        ];
        for (code, new) in wrong {
            let stored = bed.write(b"x").await;
            let refused = bed.relay.take_in(&bed.alice, new, stored).await.unwrap_err();
            assert_eq!(refused.code(), code);
        }
        let nobody = Caller { roles: vec![], ..bed.alice.clone() };
        let stored = bed.write(b"x").await;
        let refused = bed.relay.take_in(&nobody, new("t"), stored).await.unwrap_err();
        assert_eq!(refused.code(), "model.forbidden");
        bed.try_send("t").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_twice_is_refused_until_the_first_came_to_nothing() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let send = async |ticket: &str| {
            bed.relay.issue(&bed.alice, ticket).await.unwrap();
            let stored = bed.write(b"for Bob alone").await;
            let new = NewDelivery { dedup_key: "osci:same".into(), ..new(ticket) };
            bed.relay.take_in(&bed.alice, new, stored).await
        };
        let first = send("a").await.unwrap();
        assert_eq!(send("b").await.unwrap_err().code(), "broker.id-reused");
        bed.relay.give_back(&bed.alice, first.message, "message.returned-by-recipient").await.unwrap();
        send("c").await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_fetches_or_ends_a_delivery() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let id = bed.send("t").await.message;
        let mailbox = soest().to_string();
        let eve = client("soest", "eve");
        let unna = Caller { authority: Some(soest()), ..client("unna", "bob") };
        let other_unit =
            Caller { scope: Scope { units: Within::one("70"), ..Scope::tenant("soest") }, ..bed.bob.clone() };
        for stranger in [&eve, &unna, &other_unit] {
            let next = bed.relay.next(stranger, &mailbox, Pick::Next, &[]).await;
            assert!(matches!(next, Ok(None)) || next.is_err_and(|error| error.code() == "model.not-found"));
            assert_eq!(bed.relay.content(stranger, id).await.err().unwrap().code(), "model.not-found");
            bed.relay.begin(stranger, "7", &json!({})).await.unwrap();
            let turn = Turn { id: "7", version: 1, received: &[] };
            let handed = bed.relay.hand_out(stranger, turn, &json!({}), id).await.unwrap_err();
            assert_eq!(handed.code(), "model.not-found");
            bed.relay.end(stranger, Turn { received: &[id], ..turn }).await.unwrap();
            assert_eq!(bed.relay.receive(stranger, id, bed.clock.now()).await.unwrap_err().code(), "model.not-found");
            let returned = bed.relay.give_back(stranger, id, "message.returned-by-recipient").await;
            assert_eq!(returned.unwrap_err().code(), "model.not-found");
        }
        let filter = CardFilter {
            mailbox: Some(&mailbox),
            originator: None,
            rule: CardRule::Tickets(vec!["t".into()]),
            unreceived: false,
            limit: 9,
        };
        assert_eq!(bed.relay.cards(&eve, &filter).await.unwrap_err().code(), "model.not-found");
        assert!(bed.relay.cards(&unna, &filter).await.unwrap().items.is_empty());
        let alices = CardFilter { mailbox: None, originator: Some("alice"), ..filter.clone() };
        assert_eq!(bed.relay.cards(&bed.bob, &alices).await.unwrap_err().code(), "model.not-found");
        assert_eq!(bed.relay.cards(&bed.bob, &filter).await.unwrap().items.len(), 1);
        assert_eq!(
            bed.relay.next(&bed.alice, &mailbox, Pick::Next, &[]).await.unwrap_err().code(),
            "model.not-found"
        );
        assert_eq!((bed.state(id).await, bed.kinds(id).await.len()), (MessageState::Processed, 1));
    })
    .await;
}

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
        assert_eq!(bed.try_send("t").await.unwrap_err().code(), "relay.ticket-refused", "it is not Alice's own");
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
        assert_eq!(bed.relay.receive(&bed.alice, id, bed.clock.now()).await.unwrap(), received, "the first reception counts");
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageDelivered, MessageConfirmed]);
        let late = bed.relay.give_back(&bed.alice, id, "message.returned-by-recipient").await;
        assert_eq!(late.unwrap_err().code(), "model.wrong-state");

        let id = bed.send("b").await.message;
        for _ in 0..2 {
            bed.relay.give_back(&bed.alice, id, "message.returned-by-recipient").await.unwrap();
        }
        assert_eq!(bed.kinds(id).await, [MessageAccepted, MessageReturned]);
        assert_eq!((bed.state(id).await, bed.next().await), (MessageState::Returned, None));
        assert_eq!(bed.relay.receive(&bed.alice, id, bed.clock.now()).await.unwrap_err().code(), "model.not-found");
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

#[tokio::test(flavor = "multi_thread")]
async fn names_from_outside_that_cannot_be_are_not_found_instead_of_failing() {
    on_every_engine(|database| async move {
        let bed = Bed::on(database).await;
        let mailbox = soest().to_string();
        let long = "x".repeat(201);
        for name in ["", "\0", "a\nb", long.as_str()] {
            assert!(bed.relay.conversation(&bed.bob, name).await.unwrap().is_none());
            assert_eq!(
                bed.relay.begin(&bed.bob, name, &json!({})).await.unwrap_err().code(),
                "model.invalid"
            );
            assert_eq!(bed.relay.issue(&bed.alice, name).await.unwrap_err().code(), "model.invalid");
            assert_eq!(bed.try_send(name).await.unwrap_err().code(), "relay.ticket-refused");
            let next = bed.relay.next(&bed.bob, &mailbox, Pick::Ticket(name), &[]).await.unwrap();
            assert!(next.is_none());
            let filter = CardFilter {
                mailbox: Some(&mailbox),
                originator: None,
                rule: CardRule::Tickets(vec![name.into()]),
                unreceived: false,
                limit: 9,
            };
            assert!(bed.relay.cards(&bed.bob, &filter).await.unwrap().items.is_empty());
        }
        bed.begin("1").await;
        assert_eq!(bed.relay.begin(&bed.bob, "1", &Value::Null).await.unwrap_err().code(), "relay.id-taken");
    })
    .await;
}
