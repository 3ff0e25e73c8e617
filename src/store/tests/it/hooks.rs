//! Subscriptions and deliveries: what is due, how far each has got, and what a late worker cannot do.

use std::time::Duration;

use model::rights::Within;
use model::{EventKind, Id, Role, Timestamp, ids};
use seal::webhook::Secret;
use store::{Delivery, EvidenceKey, Store, Subscription, Terms, TokenRow, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

fn token() -> TokenRow {
    let id = ids::new_id();
    TokenRow {
        id,
        tenant: TENANT.into(),
        name: "DMS".into(),
        hash: id.to_string(),
        roles: vec![Role::System],
        units: Within::All,
        services: Within::All,
        authority: None,
        created_at: Timestamp::from_micros(1_000),
        expires_at: None,
        revoked_at: None,
    }
}

/// A subscription that was put.
async fn subscribed(store: &Store) -> Subscription {
    let (id, token) = (ids::new_id(), token());
    let it = Subscription {
        id,
        tenant: TENANT.into(),
        token: token.id,
        version: 1,
        enabled: true,
        stopped: None,
        reached: 0,
        failures: 0,
        next_at: Timestamp::from_micros(1_000),
        secret: store.wrap_secret(TENANT, id, &Secret::random().unwrap()).unwrap(),
        old_secret: None,
        terms: Terms { url: "https://hooks.example/".into(), types: vec![EventKind::RecordLocked] },
        created_at: Timestamp::from_micros(1_000),
    };
    let mut work = Work::new();
    work.put_token(&token).put_subscription(&it);
    store.commit(work).await.unwrap();
    it
}

async fn seal_events(bed: &Bed, count: usize) {
    let mut work = Work::new();
    for _ in 0..count {
        work.insert_event(&make::event(None));
    }
    bed.store.commit(work).await.unwrap();
    bed.store.seal(TENANT, &EvidenceKey::random().unwrap()).await.unwrap();
}

async fn due(bed: &Bed, at: i64) -> Vec<Id> {
    let due = bed.store.due_subscriptions(Timestamp::from_micros(at)).await.unwrap();
    due.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_due_while_events_lie_before_it_and_nobody_works_on_it() {
    on_every_engine(|bed| async move {
        let it = subscribed(&bed.store).await;
        assert!(due(&bed, 2_000).await.is_empty(), "nothing is sealed");
        assert_eq!(bed.store.last_number(TENANT).await.unwrap(), 0);
        seal_events(&bed, 3).await;
        assert_eq!(bed.store.last_number(TENANT).await.unwrap(), 3);
        assert_eq!(due(&bed, 2_000).await, [it.id]);
        assert!(due(&bed, 999).await.is_empty(), "not before its time");

        let job = store::NewJob { kind: "hook".into(), ..make::job(&format!("hook:{}", it.id), None) };
        let mut work = Work::new();
        work.enqueue(&store::NewJob { subject: it.id, ..job });
        bed.store.commit(work).await.unwrap();
        assert!(due(&bed, 2_000).await.is_empty(), "somebody works on it");
        let mut work = Work::new();
        work.cancel_jobs(TENANT, it.id);
        work.subscription_failed(TENANT, it.id, Timestamp::from_micros(5_000));
        bed.store.commit(work).await.unwrap();
        assert!(due(&bed, 4_999).await.is_empty());
        assert_eq!(due(&bed, 5_000).await, [it.id]);

        let mut work = Work::new();
        work.subscription_reached(TENANT, it.id, 3, Timestamp::from_micros(6_000));
        bed.store.commit(work).await.unwrap();
        assert!(due(&bed, 9_000).await.is_empty(), "it has everything");
        let (now, _) = bed.store.subscription(TENANT, it.id).await.unwrap().unwrap();
        let expected = Subscription { reached: 3, next_at: Timestamp::from_micros(6_000), ..it.clone() };
        assert_eq!(now, expected);
        assert!(bed.store.subscription("lippstadt", it.id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_version_before_and_keeps_the_position() {
    on_every_engine(|bed| async move {
        let it = subscribed(&bed.store).await;
        let mut work = Work::new();
        work.subscription_reached(TENANT, it.id, 7, it.next_at);
        bed.store.commit(work).await.unwrap();
        let until = Timestamp::from_micros(9_000);
        let changed = Subscription { version: 2, old_secret: Some((vec![1], until)), ..it.clone() };
        let put = async |it: &Subscription| {
            let mut work = Work::new();
            work.put_subscription(it);
            bed.store.commit(work).await
        };
        put(&changed).await.unwrap();
        assert_eq!(conflict(put(&changed).await), "subscription");
        let (now, _) = bed.store.subscription(TENANT, it.id).await.unwrap().unwrap();
        assert_eq!(now, Subscription { reached: 7, ..changed });

        let mut work = Work::new();
        work.stop_subscription(TENANT, it.id, "webhook.gone");
        bed.store.commit(work).await.unwrap();
        let (now, _) = bed.store.subscription(TENANT, it.id).await.unwrap().unwrap();
        assert_eq!((now.enabled, now.stopped.as_deref(), now.version), (false, Some("webhook.gone"), 3));
        let mut late = Work::new();
        late.subscription_reached(TENANT, it.id, 8, it.next_at);
        assert_eq!(conflict(bed.store.commit(late).await), "subscription");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_add_up_and_only_the_latest_deliveries_are_kept() {
    on_every_engine(|bed| async move {
        let it = subscribed(&bed.store).await;
        let delivery = |number: u64, at: i64| Delivery {
            id: ids::derived_id(it.id, &number.to_string()),
            number: Some(number),
            kind: "record.created".into(),
            attempts: 1,
            delivered: false,
            status: Some(500),
            code: Some("webhook.refused".into()),
            at: Timestamp::from_micros(at),
            next_at: None,
        };
        for number in 1..=130 {
            let mut work = Work::new();
            work.note_delivery(it.id, &delivery(number, number as i64));
            bed.store.commit(work).await.unwrap();
        }
        let last = Delivery { delivered: true, status: Some(204), code: None, ..delivery(130, 200) };
        let mut work = Work::new();
        work.note_delivery(it.id, &last);
        bed.store.commit(work).await.unwrap();
        let kept = bed.store.deliveries(it.id).await.unwrap();
        assert_eq!(kept.len(), 100);
        assert_eq!(kept[0], Delivery { attempts: 2, ..last });
        assert_eq!(kept[99].number, Some(31));

        let mut work = Work::new();
        work.delete_subscription(TENANT, it.id);
        bed.store.commit(work).await.unwrap();
        assert!(bed.store.deliveries(it.id).await.unwrap().is_empty());
        assert!(bed.store.subscriptions(TENANT).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_until_it_ends() {
    on_every_engine(|bed| async move {
        let it = subscribed(&bed.store).await;
        let owner = async || bed.store.subscription(TENANT, it.id).await.unwrap().unwrap().1;
        assert!(bed.store.is_valid(&owner().await));
        let expiring =
            TokenRow { expires_at: Some(make_now(&bed).plus(Duration::from_secs(1))), ..owner().await };
        assert!(bed.store.is_valid(&expiring));
        bed.clock.advance(Duration::from_secs(2));
        assert!(!bed.store.is_valid(&expiring));
        let mut work = Work::new();
        work.revoke_token(TENANT, it.token, make_now(&bed));
        bed.store.commit(work).await.unwrap();
        assert!(!bed.store.is_valid(&owner().await));
    })
    .await;
}

fn make_now(bed: &Bed) -> Timestamp {
    model::Clock::now(&*bed.clock)
}
