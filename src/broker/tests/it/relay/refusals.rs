//! What is refused leaves nothing, and nobody sees what is not theirs.

use broker::{CardFilter, CardRule, NewDelivery, Pick, RelayDelivery, Turn};
use model::rights::Within;
use model::{Caller, Clock, MessageState, Scope};
use serde_json::{Value, json};
use store::{MessageFilter, Page};

use super::{Bed, HOUR, client, new};
use crate::engines::on_every_engine;
use crate::house::{caller, lippstadt, soest};

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
            ("model.invalid", NewDelivery { body: json!("x".repeat(65_536)).into(), ..new("t") }),
            ("model.invalid", NewDelivery { body: json!("\0").into(), ..new("t") }),
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
            assert_eq!(
                bed.relay.receive(stranger, id, bed.clock.now()).await.unwrap_err().code(),
                "model.not-found"
            );
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
            let turn = Turn { id: name, version: 1, received: &[] };
            let refused = bed.relay.end(&bed.bob, turn).await.unwrap_err();
            assert_eq!(refused.code(), "relay.conversation-changed");
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
