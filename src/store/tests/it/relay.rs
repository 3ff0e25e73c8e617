//! The relay's rows: tickets are used once, conversations go on in one place, quotas are exact, and each sees its own.

use std::collections::BTreeSet;

use model::rights::Within;
use model::{Id, Scope, Timestamp, ids};
use serde_json::json;
use store::{
    CardFilter, CardRule, Cards, Conversation, Page, Pick, RelayDelivery, RelayQuota, RelayStage, Store,
    Ticket, Work,
};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

const MUCH: RelayQuota = RelayQuota { deliveries: 1_000, bytes: 1 << 40 };
const ALICE: &str = "fingerprint-of-alice";

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn whole() -> Scope {
    Scope::tenant(TENANT)
}

/// A delivery of one kilobyte from Alice to the mailbox.
fn delivery(mailbox: &str, ticket: &str, created: i64) -> RelayDelivery {
    RelayDelivery {
        message: ids::new_id(),
        tenant: TENANT.into(),
        unit: "63".into(),
        public_service: Some("baugenehmigung".into()),
        ticket: ticket.into(),
        mailbox: mailbox.into(),
        originator: ALICE.into(),
        addressee: "fingerprint-of-bob".into(),
        subject: Some("Bauantrag".into()),
        size: 1_000,
        stage: RelayStage::Waiting,
        created_at: at(created),
        forwarded_at: None,
        received_at: None,
        modified_at: at(created),
        expires_at: at(created + 1_000),
        body: json!({ "report": ["ok"] }).into(),
        enters_at: at(created),
        related: vec![],
    }
}

fn ticket(id: &str) -> Ticket {
    Ticket { id: id.into(), tenant: TENANT.into(), owner: ALICE.into(), expires_at: at(100) }
}

async fn issue(store: &Store, id: &str) {
    let mut work = Work::new();
    work.issue_ticket(&ticket(id));
    store.commit(work).await.unwrap();
}

async fn put(store: &Store, delivery: &RelayDelivery, quota: RelayQuota) -> Result<(), store::Error> {
    let mut work = Work::new();
    work.insert_relay_delivery(delivery, quota);
    store.commit(work).await
}

async fn update(store: &Store, delivery: &RelayDelivery, from: RelayStage) -> Result<(), store::Error> {
    let mut work = Work::new();
    work.update_relay_delivery(delivery, from);
    store.commit(work).await
}

/// Message, ticket and delivery as one unit, as whoever takes in writes them.
fn taking(delivery: &RelayDelivery, quota: RelayQuota) -> Work {
    let mut message = make::message();
    message.id = delivery.message;
    let mut work = Work::new();
    work.use_ticket(TENANT, &delivery.ticket, ALICE, at(1));
    work.insert_message(&message).insert_event(&make::event(None)).insert_relay_delivery(delivery, quota);
    work
}

/// Tickets of what is picked one after the other, each with whether there was more.
async fn picked(store: &Store, mailbox: &str, pick: Pick<'_>) -> Vec<(String, bool)> {
    let mut all = vec![];
    let mut had = vec![];
    while let Some((one, more)) = store.pick_delivery(&whole(), mailbox, pick, &had).await.unwrap() {
        had.push(one.message);
        all.push((one.ticket, more));
    }
    all
}

async fn cards(store: &Store, filter: CardFilter<'_>) -> (Vec<String>, bool) {
    let Cards { items, more } = store.relay_cards(&whole(), &filter).await.unwrap();
    (items.into_iter().map(|it| it.ticket).collect(), more)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_that_use_one_ticket_one_delivers_and_the_others_leave_nothing() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let tries: Vec<_> = (0..50)
            .map(|number| {
                let store = bed.store.clone();
                tokio::spawn(async move {
                    let delivery = delivery("bob", "t", number);
                    store.commit(taking(&delivery, MUCH)).await.map(|()| delivery)
                })
            })
            .collect();
        let mut done = vec![];
        for tried in tries {
            match tried.await.unwrap() {
                Ok(delivery) => done.push(delivery),
                refused => assert_eq!(conflict(refused.map(drop)), "ticket"),
            }
        }
        let [one] = &done[..] else { panic!("{} of fifty were taken in", done.len()) };
        let kept = bed.store.relay_delivery(&whole(), one.message).await.unwrap();
        assert_eq!(kept.as_ref(), Some(one));
        let page = Page::first(100);
        let messages = bed.store.messages(&whole(), &Default::default(), &page).await.unwrap();
        assert_eq!(messages.items.len(), 1);
        assert_eq!(bed.store.stats().await.unwrap().unsealed_events, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_its_owners_its_tenants_and_ends_in_time() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let mut again = Work::new();
        again.issue_ticket(&ticket("t"));
        assert_eq!(conflict(bed.store.commit(again).await), "ticket");
        for (tenant, id, owner, now) in [
            ("unna", "t", ALICE, 1),
            (TENANT, "u", ALICE, 1),
            (TENANT, "t", "eve", 1),
            (TENANT, "t", ALICE, 100),
        ] {
            let mut work = Work::new();
            work.use_ticket(tenant, id, owner, at(now));
            assert_eq!(conflict(bed.store.commit(work).await), "ticket", "{tenant} {id} {owner} {now}");
        }
        bed.store.commit(taking(&delivery("bob", "t", 1), MUCH)).await.unwrap();
        let mut used = Work::new();
        used.issue_ticket(&ticket("t"));
        assert_eq!(conflict(bed.store.commit(used).await), "ticket", "a delivery has it");
        let mut elsewhere = Work::new();
        elsewhere.issue_ticket(&Ticket { tenant: "unna".into(), ..ticket("t") });
        bed.store.commit(elsewhere).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_ticket_and_room_as_they_were() {
    on_every_engine(|bed| async move {
        issue(&bed.store, "t").await;
        let too_large = RelayDelivery { size: 5_001, ..delivery("bob", "t", 1) };
        let quota = RelayQuota { deliveries: 2, bytes: 5_000 };
        assert_eq!(conflict(bed.store.commit(taking(&too_large, quota)).await), "relay mailbox");
        assert_eq!(bed.store.message(&whole(), too_large.message).await.unwrap(), None);
        assert_eq!(bed.store.relay_delivery(&whole(), too_large.message).await.unwrap(), None);
        let fits = RelayDelivery { size: 5_000, ..delivery("bob", "t", 1) };
        bed.store.commit(taking(&fits, quota)).await.unwrap();
        assert_eq!(conflict(put(&bed.store, &delivery("bob", "u", 1), quota).await), "relay mailbox");
        put(&bed.store, &delivery("carol", "u", 1), quota).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_exact_however_many_come_at_once_and_however_they_end() {
    on_every_engine(|bed| async move {
        let take = async |quota: RelayQuota, tickets: std::ops::Range<u32>| {
            let tries = tickets.map(|number| {
                let store = bed.store.clone();
                tokio::spawn(async move {
                    let delivery = delivery("bob", &number.to_string(), 1);
                    put(&store, &delivery, quota).await.map(|()| delivery)
                })
            });
            let tries: Vec<_> = tries.collect();
            let mut taken = vec![];
            for tried in tries {
                match tried.await.unwrap() {
                    Ok(delivery) => taken.push(delivery),
                    refused => assert_eq!(conflict(refused.map(drop)), "relay mailbox"),
                }
            }
            taken
        };
        let seven = RelayQuota { deliveries: 7, bytes: 1 << 30 };
        let first = take(seven, 0..40).await;
        assert_eq!(first.len(), 7);
        // Many say at once that the same three have ended.
        let ends: Vec<_> = (0..30)
            .map(|number: usize| {
                let (store, one) = (bed.store.clone(), first[number % 3].clone());
                let ended = if number.is_multiple_of(3) { one.returned() } else { one.received(at(5)) };
                tokio::spawn(async move { update(&store, &ended, RelayStage::Waiting).await.is_ok() })
            })
            .collect();
        let mut ended = 0;
        for end in ends {
            ended += u32::from(end.await.unwrap());
        }
        assert_eq!(ended, 3);
        // A hand-out makes no room, nor does the end of what has ended.
        let handed = first[3].clone().handed_out(at(6), at(7));
        update(&bed.store, &handed, RelayStage::Waiting).await.unwrap();
        assert_eq!(take(seven, 100..140).await.len(), 3);
        let bytes = RelayQuota { deliveries: 100, bytes: 9_500 };
        assert_eq!(take(bytes, 200..240).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_that_go_on_with_a_conversation_one_wins() {
    on_every_engine(|bed| async move {
        let begun = Conversation {
            id: "4711".into(),
            tenant: TENANT.into(),
            version: 1,
            touched_at: at(10),
            body: json!({ "winner": null }),
        };
        let mut work = Work::new();
        work.begin_conversation(&begun);
        bed.store.commit(work).await.unwrap();
        let mut again = Work::new();
        again.begin_conversation(&begun);
        assert_eq!(conflict(bed.store.commit(again).await), "conversation");
        assert_eq!(bed.store.conversation(TENANT, "4711", at(9)).await.unwrap(), Some(begun));
        let tries: Vec<_> = (0..20)
            .map(|number| {
                let store = bed.store.clone();
                tokio::spawn(async move {
                    let mut work = Work::new();
                    work.advance_conversation(TENANT, "4711", 1, &json!({ "winner": number }), at(20));
                    store.commit(work).await.map(|()| number)
                })
            })
            .collect();
        let mut won = vec![];
        for tried in tries {
            match tried.await.unwrap() {
                Ok(number) => won.push(number),
                refused => assert_eq!(conflict(refused.map(drop)), "conversation"),
            }
        }
        let kept = bed.store.conversation(TENANT, "4711", at(19)).await.unwrap().unwrap();
        assert_eq!((won.len(), kept.version, kept.touched_at), (1, 2, at(20)));
        assert_eq!(kept.body, json!({ "winner": won[0] }));
        assert_eq!(bed.store.conversation("unna", "4711", at(0)).await.unwrap(), None);
        for (version, wanted) in [(1, false), (2, true), (2, false)] {
            let mut work = Work::new();
            work.end_conversation(TENANT, "4711", version);
            assert_eq!(bed.store.commit(work).await.is_ok(), wanted);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_idle_or_too_old_is_over_and_swept_and_the_rest_stays() {
    on_every_engine(|bed| async move {
        for touched in [10, 20, 30] {
            let mut work = Work::new();
            work.begin_conversation(&Conversation {
                id: touched.to_string(),
                tenant: TENANT.into(),
                version: 1,
                touched_at: at(touched),
                body: json!(null),
            });
            work.issue_ticket(&Ticket { expires_at: at(touched), ..ticket(&touched.to_string()) });
            bed.store.commit(work).await.unwrap();
        }
        assert_eq!(bed.store.conversation(TENANT, "20", at(20)).await.unwrap(), None, "idle for too long");
        assert!(bed.store.conversation(TENANT, "20", at(19)).await.unwrap().is_some());
        assert_eq!(bed.store.sweep_relay(at(20), at(10)).await.unwrap(), 3);
        assert_eq!(bed.store.conversation(TENANT, "20", at(0)).await.unwrap(), None, "swept");
        assert!(bed.store.conversation(TENANT, "30", at(0)).await.unwrap().is_some());
        assert_eq!(bed.store.sweep_relay(at(20), at(10)).await.unwrap(), 0);
        let mut left = Work::new();
        left.use_ticket(TENANT, "20", ALICE, at(1));
        bed.store.commit(left).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_slice_is_swept() {
    on_every_engine(|bed| async move {
        let mut work = Work::new();
        for number in 0..1_203 {
            work.issue_ticket(&ticket(&number.to_string()));
        }
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.sweep_relay(at(0), at(100)).await.unwrap(), 1_203);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn picking_begins_with_what_was_never_handed_out_and_never_gives_what_was_returned() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let mut all = vec![];
        for (number, name) in ["handed", "first", "second", "received", "returned"].into_iter().enumerate() {
            let one = delivery("bob", name, 10 * number as i64);
            put(store, &one, MUCH).await.unwrap();
            all.push(one);
        }
        put(store, &delivery("carol", "other", 1), MUCH).await.unwrap();
        let waiting = RelayStage::Waiting;
        update(store, &all[0].clone().handed_out(at(50), at(0)), waiting).await.unwrap();
        update(store, &all[3].clone().received(at(51)), waiting).await.unwrap();
        update(store, &all[4].clone().returned(), waiting).await.unwrap();

        let named = |names: &[(&str, bool)]| -> Vec<(String, bool)> {
            names.iter().map(|(name, more)| (name.to_string(), *more)).collect()
        };
        let next = picked(store, "bob", Pick::Next).await;
        assert_eq!(next, named(&[("first", true), ("second", true), ("handed", false)]));
        let since = picked(store, "bob", Pick::Since(at(0))).await;
        assert_eq!(since, named(&[("first", true), ("second", true), ("handed", true), ("received", false)]));
        let since = picked(store, "bob", Pick::Since(at(20))).await;
        assert_eq!(since, named(&[("second", true), ("received", false)]));
        assert_eq!(picked(store, "bob", Pick::Since(at(31))).await, named(&[]));
        for (mailbox, ticket, found) in [
            ("bob", "received", true),
            ("bob", "handed", true),
            ("bob", "returned", false),
            ("bob", "other", false),
            ("carol", "first", false),
            ("bob", "unknown", false),
        ] {
            let pick = Pick::Ticket(ticket);
            let got = store.pick_delivery(&whole(), mailbox, pick, &[]).await.unwrap();
            assert_eq!(got.map(|(one, more)| (one.ticket, more)), found.then(|| (ticket.to_owned(), false)));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mailbox_tenant_and_unit_sees_its_own() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let ours = delivery("bob", "a", 1);
        let theirs = RelayDelivery { tenant: "unna".into(), ..delivery("bob", "a", 1) };
        let other_unit = RelayDelivery { unit: "70".into(), ..delivery("bob", "b", 2) };
        for one in [&ours, &theirs, &other_unit] {
            put(store, one, MUCH).await.unwrap();
        }
        let units = |unit: &str| Scope { units: Within::Only(BTreeSet::from([unit.to_owned()])), ..whole() };
        let next = async |scope: Scope| {
            store.pick_delivery(&scope, "bob", Pick::Next, &[]).await.unwrap().map(|(one, _)| one.message)
        };
        assert_eq!(next(Scope::tenant("unna")).await, Some(theirs.message));
        assert_eq!(next(units("63")).await, Some(ours.message));
        assert_eq!(next(units("70")).await, Some(other_unit.message));
        assert_eq!(next(units("10")).await, None);
        assert_eq!(store.relay_delivery(&Scope::tenant("unna"), ours.message).await.unwrap(), None);
        let filter = CardFilter {
            mailbox: Some("bob"),
            originator: None,
            rule: CardRule::CreatedSince(at(0)),
            unreceived: false,
            limit: 9,
        };
        let seen = async |scope: Scope, filter: &CardFilter<'_>| -> Vec<Id> {
            let cards = store.relay_cards(&scope, filter).await.unwrap();
            cards.items.into_iter().map(|it| it.message).collect()
        };
        assert_eq!(seen(units("70"), &filter).await, [other_unit.message]);
        // What one has sent one may follow into whichever unit.
        let sent = CardFilter { mailbox: None, originator: Some(ALICE), ..filter };
        assert_eq!(seen(units("70"), &sent).await, [ours.message, other_unit.message]);
        assert_eq!(seen(Scope::tenant("unna"), &sent).await, [theirs.message]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_selected_by_role_rule_and_reception() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        // Alice sends two to Bob; Bob sends one to Alice, and one to himself.
        let from_bob = |mailbox, ticket, created| RelayDelivery {
            originator: "bob".into(),
            ..delivery(mailbox, ticket, created)
        };
        let all = [
            delivery("bob", "a", 10),
            from_bob("alice", "b", 20),
            delivery("bob", "c", 30),
            from_bob("bob", "d", 40),
        ];
        for one in &all {
            put(store, one, MUCH).await.unwrap();
        }
        update(store, &all[0].clone().received(at(35)), RelayStage::Waiting).await.unwrap();
        let filter =
            |mailbox, originator, rule| CardFilter { mailbox, originator, rule, unreceived: false, limit: 9 };
        let since = CardRule::CreatedSince;
        let changed = CardRule::ModifiedSince;
        let bob = Some("bob");
        let is = |got: (Vec<String>, bool), names: &[&str], more| {
            assert_eq!((got.0.iter().map(String::as_str).collect::<Vec<_>>(), got.1), (names.to_vec(), more));
        };
        is(cards(store, filter(bob, bob, since(at(0)))).await, &["a", "b", "c", "d"], false);
        is(cards(store, filter(bob, None, since(at(0)))).await, &["a", "c", "d"], false);
        is(cards(store, filter(None, bob, since(at(0)))).await, &["b", "d"], false);
        is(cards(store, filter(None, None, since(at(0)))).await, &[], false);
        is(cards(store, filter(bob, bob, since(at(20)))).await, &["b", "c", "d"], false);
        is(cards(store, filter(bob, bob, changed(at(30)))).await, &["c", "a", "d"], false);
        is(cards(store, filter(bob, bob, changed(at(35)))).await, &["a", "d"], false);
        let of = |names: &[&str]| CardRule::Tickets(names.iter().map(|name| name.to_string()).collect());
        is(cards(store, filter(bob, None, of(&["c", "b", "a", "x"]))).await, &["a", "c"], false);
        is(cards(store, filter(bob, None, of(&[]))).await, &[], false);
        let unreceived = CardFilter { unreceived: true, ..filter(bob, bob, since(at(0))) };
        is(cards(store, unreceived).await, &["b", "c", "d"], false);
        let some = |limit| CardFilter { limit, ..filter(bob, bob, since(at(0))) };
        is(cards(store, some(3)).await, &["a", "b", "c"], true);
        is(cards(store, some(4)).await, &["a", "b", "c", "d"], false);
        is(cards(store, some(1)).await, &["a"], true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_is_found_and_what_has_ended_is_not() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let all = ["a", "b", "c", "d"].map(|name| delivery("bob", name, 0));
        for one in &all {
            put(store, one, MUCH).await.unwrap();
        }
        let waiting = RelayStage::Waiting;
        update(store, &all[0].clone().received(at(1)), waiting).await.unwrap();
        update(store, &all[1].clone().returned(), waiting).await.unwrap();
        // Handed out, and kept until its conversation is over.
        update(store, &all[2].clone().handed_out(at(999), at(1_500)), waiting).await.unwrap();
        let expired = async |now: i64| -> Vec<String> {
            let found = store.expired_deliveries(at(now), 9).await.unwrap();
            found.into_iter().map(|it| it.ticket).collect()
        };
        assert_eq!(expired(999).await, Vec::<String>::new());
        assert_eq!(expired(1_000).await, ["d"]);
        assert_eq!(expired(1_500).await, ["d", "c"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_again_after_reopening() {
    on_every_engine(|bed: Bed| async move {
        let one = delivery("bob", "a", 1);
        issue(&bed.store, "b").await;
        put(&bed.store, &one, RelayQuota { deliveries: 1, bytes: 1 << 20 }).await.unwrap();
        let handed = one.clone().handed_out(at(5), at(6));
        update(&bed.store, &handed, RelayStage::Waiting).await.unwrap();
        bed.store.clone().close().await;
        let store = bed.reopen().await;
        assert_eq!(store.relay_delivery(&whole(), one.message).await.unwrap(), Some(handed));
        let full = put(&store, &delivery("bob", "c", 1), RelayQuota { deliveries: 1, bytes: 1 << 20 }).await;
        assert_eq!(conflict(full), "relay mailbox");
        store.commit(taking(&delivery("bob", "b", 1), MUCH)).await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_relayed_goes_with_its_month() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let of_2020 = |number: u8| {
            let mut bytes = *ids::new_id().as_bytes();
            bytes[..6].copy_from_slice(&(1_580_000_000_000_u64 + u64::from(number)).to_be_bytes()[2..]);
            Id::from_bytes(bytes)
        };
        let mut all = vec![];
        for (number, name) in ["ended", "waits"].into_iter().enumerate() {
            let one = RelayDelivery { message: of_2020(number as u8), ..delivery("bob", name, 1) };
            put(store, &one, MUCH).await.unwrap();
            all.push(one);
        }
        let young = delivery("bob", "young", 1);
        put(store, &young, MUCH).await.unwrap();
        for one in [&all[0], &young] {
            update(store, &one.clone().received(at(5)), RelayStage::Waiting).await.unwrap();
        }
        store.drop_partitions(Timestamp::parse("2021-01-01T00:00:00Z").unwrap()).await.unwrap();
        let kept =
            async |one: &RelayDelivery| store.relay_delivery(&whole(), one.message).await.unwrap().is_some();
        assert_eq!((kept(&all[0]).await, kept(&all[1]).await, kept(&young).await), (false, true, true));
    })
    .await;
}
