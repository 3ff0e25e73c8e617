//! Subscriptions: what the feed has arrives, in its order, once the receiver takes it; and nobody else's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Error, NewSubscription, NewToken, SubscriptionChange, Terms};
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::rights::Within;
use model::{Actor, Caller, EventKind, Failure, FailureKind, Id, Role};
use serde_json::Value;

use crate::house::{Gateway, TestClock, caller, create, new_case, soest};

/// A receiver that answers as it is told, and 204 otherwise.
#[derive(Default)]
struct Receiver {
    taken: Mutex<Vec<Post>>,
    answers: Mutex<VecDeque<Result<Reply, Failure>>>,
}

impl Receiver {
    fn will(&self, status: u16, retry_after: Option<u64>) {
        let retry_after = retry_after.map(Duration::from_secs);
        let reply = Reply { status, content_type: None, retry_after, body: vec![] };
        self.answers.lock().unwrap().push_back(Ok(reply));
    }

    fn will_fail(&self, kind: FailureKind) {
        self.answers.lock().unwrap().push_back(Err(Failure::new(kind, "net.no-answer", "x")));
    }

    /// Everything that came since the last call.
    fn take(&self) -> Vec<Post> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }

    /// The numbers of the events that came.
    fn numbers(&self) -> Vec<u64> {
        self.take().iter().map(|post| body(post)["data"]["number"].as_u64().unwrap()).collect()
    }
}

#[async_trait]
impl Outbound for Receiver {
    fn permits(&self, url: &str, chosen_by: ChosenBy) -> Result<(), Failure> {
        assert_eq!(chosen_by, ChosenBy::System);
        if url.starts_with("https://hooks.") {
            return Ok(());
        }
        Err(Failure::permanent("net.forbidden", "x"))
    }

    async fn post(&self, post: &Post) -> Result<Reply, Failure> {
        assert_eq!(post.chosen_by, ChosenBy::System);
        self.taken.lock().unwrap().push(post.clone());
        let told = self.answers.lock().unwrap().pop_front();
        told.unwrap_or(Ok(Reply { status: 204, content_type: None, retry_after: None, body: vec![] }))
    }
}

fn body(post: &Post) -> Value {
    serde_json::from_slice(&post.body).unwrap()
}

fn header<'a>(post: &'a Post, name: &str) -> &'a str {
    post.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap()
}

struct Bed {
    gateway: Gateway,
    clock: Arc<TestClock>,
    receiver: Arc<Receiver>,
}

impl Bed {
    async fn new() -> Self {
        let (clock, receiver) = (Arc::new(TestClock::now()), Arc::new(Receiver::default()));
        let gateway = Gateway::with(clock.clone(), receiver.clone()).await;
        Bed { gateway, clock, receiver }
    }

    async fn token(&self, unit: &str, roles: &[Role]) -> Caller {
        let new = NewToken {
            name: "Fachverfahren".into(),
            roles: roles.to_vec(),
            units: Within::one(unit),
            services: Within::All,
            authority: Some(soest()),
            expires_at: None,
        };
        let made = self.gateway.broker.create_token("soest", new, &Actor::gateway()).await.unwrap();
        self.gateway.broker.authenticate(&made.secret).await.unwrap().unwrap()
    }

    async fn subscribe(&self, caller: &Caller, types: &[EventKind]) -> Id {
        let made = self.gateway.broker.subscribe(caller, wanted(types)).await.unwrap();
        made.subscription.id
    }

    /// Makes cases of unit 63; each is an event.
    async fn cases(&self, count: usize) {
        for _ in 0..count {
            self.gateway.a_case(&caller("soest", "63"), "Vorgang").await;
        }
    }

    async fn run(&self) {
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    async fn feed(&self, caller: &Caller) -> Vec<u64> {
        let events = self.gateway.broker.events(caller, 0, 1_000).await.unwrap();
        events.iter().map(|event| event.number).collect()
    }
}

fn wanted(types: &[EventKind]) -> NewSubscription {
    let terms = Terms { url: "https://hooks.example/in".into(), types: types.to_vec() };
    NewSubscription { terms, after: Some(0) }
}

#[tokio::test]
async fn a_subscription_gets_exactly_the_feed_of_its_token_in_its_order() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let gateway = &bed.gateway;
    gateway.a_case(&caller("soest", "63"), "Geheimes Vorhaben").await;
    let other = caller("soest", "70");
    let theirs = create(new_case(&other, "70", "Anderes Amt"));
    gateway.broker.submit(&other, theirs, None).await.unwrap();
    bed.run().await;
    bed.subscribe(&owner, &[]).await;
    gateway.a_case(&caller("soest", "63"), "Geheimes Vorhaben").await;
    gateway.a_case(&caller("lippstadt", "63"), "Anderer Mandant").await;
    bed.run().await;
    let taken = bed.receiver.take();
    let numbers: Vec<_> = taken.iter().map(|post| body(post)["data"]["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, bed.feed(&owner).await);
    assert_eq!(numbers.len(), 2);
    for post in &taken {
        let text = String::from_utf8(post.body.clone()).unwrap();
        assert!(!text.contains("Geheim") && !text.contains("changes"), "{text}");
        let body = body(post);
        assert_eq!(
            (&body["type"], &body["data"]["subject"]["kind"]),
            (&"record.created".into(), &"case".into())
        );
        assert_eq!(body["data"]["unit"], "63");
        assert!(body["timestamp"].is_string());
        assert!(header(post, "webhook-signature").starts_with("v1,"));
    }
    bed.run().await;
    assert!(bed.receiver.take().is_empty(), "what was taken is not sent again");
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_under_the_same_id_and_nothing_overtakes_it() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    bed.cases(3).await;
    bed.receiver.will(500, None);
    bed.run().await;
    let first = bed.receiver.take();
    assert_eq!(first.len(), 1);
    let deliveries = bed.gateway.broker.deliveries(&owner, id).await.unwrap();
    assert_eq!((deliveries[0].status, deliveries[0].code.as_deref()), (Some(500), Some("webhook.refused")));
    assert!(deliveries[0].next_at.is_some() && !deliveries[0].delivered);
    bed.clock.advance(Duration::from_secs(4));
    bed.run().await;
    assert!(bed.receiver.take().is_empty(), "not before five seconds");
    bed.clock.advance(Duration::from_secs(3));
    bed.receiver.will_fail(FailureKind::Uncertain);
    bed.run().await;
    let second = bed.receiver.take();
    assert_eq!(header(&second[0], "webhook-id"), header(&first[0], "webhook-id"));
    assert_ne!(header(&second[0], "webhook-timestamp"), header(&first[0], "webhook-timestamp"));
    bed.clock.advance(Duration::from_secs(400));
    bed.run().await;
    assert_eq!(bed.receiver.numbers(), bed.feed(&owner).await);
    let deliveries = bed.gateway.broker.deliveries(&owner, id).await.unwrap();
    let attempts: Vec<_> = deliveries.iter().map(|it| (it.attempts, it.delivered)).collect();
    assert_eq!(attempts.len(), 3);
    assert!(attempts.contains(&(3, true)), "{attempts:?}");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    bed.subscribe(&owner, &[]).await;
    bed.cases(1).await;
    bed.receiver.will(429, Some(3_600));
    bed.run().await;
    assert_eq!(bed.receiver.take().len(), 1);
    bed.clock.advance(Duration::from_secs(3_500));
    bed.run().await;
    assert!(bed.receiver.take().is_empty());
    bed.clock.advance(Duration::from_secs(101));
    bed.run().await;
    assert_eq!(bed.receiver.take().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_its_owner_says_otherwise() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    bed.cases(2).await;
    bed.receiver.will(410, None);
    bed.run().await;
    assert_eq!(bed.receiver.take().len(), 1);
    let it = bed.gateway.broker.subscription(&owner, id).await.unwrap();
    assert_eq!((it.enabled, it.stopped.as_deref()), (false, Some("webhook.gone")));
    bed.clock.advance(Duration::from_secs(1_000_000));
    bed.run().await;
    assert!(bed.receiver.take().is_empty());
    let change = SubscriptionChange { enabled: Some(true), ..SubscriptionChange::default() };
    let stale = bed.gateway.broker.change_subscription(&owner, id, Some(1), change.clone()).await;
    assert!(matches!(stale, Err(Error::Model(model::Error::VersionConflict))));
    let it = bed.gateway.broker.change_subscription(&owner, id, None, change).await.unwrap();
    assert_eq!((it.enabled, it.stopped), (true, None));
    bed.run().await;
    assert_eq!(bed.receiver.numbers(), bed.feed(&owner).await, "nothing was left out");
}

#[tokio::test]
async fn a_dead_receiver_costs_one_row_and_is_given_up_after_three_days() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    let mut attempts = 0;
    for _ in 0..20 {
        bed.cases(10).await;
        bed.receiver.will_fail(FailureKind::Transient);
        bed.run().await;
        attempts += bed.receiver.take().len();
        let deliveries = bed.gateway.broker.deliveries(&owner, id).await.unwrap();
        assert_eq!(deliveries.len(), 1);
        if !bed.gateway.broker.subscription(&owner, id).await.unwrap().enabled {
            break;
        }
        bed.clock.advance(Duration::from_secs(150_000));
    }
    assert_eq!(attempts, 10);
    let it = bed.gateway.broker.subscription(&owner, id).await.unwrap();
    assert_eq!(it.stopped.as_deref(), Some("webhook.given-up"));
    let all = caller("soest", "63");
    let all = Caller { scope: model::Scope::tenant("soest"), ..all };
    let events = bed.gateway.broker.events(&all, 0, 1_000).await.unwrap();
    let told = events.iter().any(|sealed| {
        let detail = sealed.event.detail.as_ref();
        detail.is_some_and(|detail| {
            detail["code"] == "webhook.given-up" && detail["subscription"] == id.to_string()
        })
    });
    assert!(told, "an event says so");
}

#[tokio::test]
async fn the_end_of_a_token_is_the_end_of_its_subscription() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    bed.cases(1).await;
    bed.run().await;
    assert_eq!(bed.receiver.take().len(), 1);
    let token = owner.actor.id.parse().unwrap();
    bed.gateway.broker.revoke_token("soest", token, &Actor::gateway()).await.unwrap();
    bed.cases(1).await;
    bed.run().await;
    assert!(bed.receiver.take().is_empty());
    let it = bed.gateway.broker.subscription(&owner, id).await.unwrap();
    assert_eq!((it.enabled, it.stopped.as_deref()), (false, Some("webhook.token-ended")));
}

#[tokio::test]
async fn only_the_wanted_kinds_are_sent() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[EventKind::RecordLocked]).await;
    bed.cases(120).await;
    bed.run().await;
    assert!(bed.receiver.take().is_empty());
    let reached = bed.gateway.broker.subscription(&owner, id).await.unwrap().reached;
    assert!(reached >= 120, "{reached}");
    let types = Some(vec![EventKind::RecordCreated]);
    let change = SubscriptionChange { types, after: Some(100), ..SubscriptionChange::default() };
    bed.gateway.broker.change_subscription(&owner, id, None, change).await.unwrap();
    bed.run().await;
    assert!(bed.receiver.numbers().iter().all(|number| *number > 100));
    let change = SubscriptionChange { after: Some(1_000_000), ..SubscriptionChange::default() };
    let beyond = bed.gateway.broker.change_subscription(&owner, id, None, change).await;
    assert!(matches!(beyond, Err(Error::Model(model::Error::Invalid { field: "after" }))));
}

#[tokio::test]
async fn the_old_secret_signs_beside_the_new_one_until_the_overlap_is_over() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    let signatures = async || {
        bed.cases(1).await;
        bed.run().await;
        let taken = bed.receiver.take();
        header(&taken[0], "webhook-signature").split(' ').count()
    };
    assert_eq!(signatures().await, 1);
    let overlap = Duration::from_secs(3_600);
    let rotated = bed.gateway.broker.rotate_secret(&owner, id, overlap).await.unwrap();
    assert!(rotated.secret.starts_with("whsec_"));
    assert_eq!(signatures().await, 2);
    bed.clock.advance(Duration::from_secs(3_601));
    assert_eq!(signatures().await, 1);
    let too_long = bed.gateway.broker.rotate_secret(&owner, id, overlap * 24 * 8).await;
    assert!(matches!(too_long, Err(Error::Model(model::Error::Invalid { field: "overlapSeconds" }))));
}

#[tokio::test]
async fn a_test_is_sent_once_and_noted_even_if_the_subscription_is_disabled() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    let change = SubscriptionChange { enabled: Some(false), ..SubscriptionChange::default() };
    bed.gateway.broker.change_subscription(&owner, id, None, change).await.unwrap();
    bed.receiver.will(404, None);
    for _ in 0..3 {
        bed.gateway.broker.test_subscription(&owner, id).await.unwrap();
    }
    bed.run().await;
    let taken = bed.receiver.take();
    assert_eq!(taken.len(), 1);
    assert_eq!(body(&taken[0])["type"], "subscription.test");
    let deliveries = bed.gateway.broker.deliveries(&owner, id).await.unwrap();
    assert_eq!((deliveries.len(), deliveries[0].number, deliveries[0].status), (1, None, Some(404)));
}

#[tokio::test]
async fn a_subscription_is_its_token_s_and_administrators_may_see_and_end_it() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    let broker = &bed.gateway.broker;
    for stranger in [
        bed.token("63", &[Role::System]).await,
        bed.token("70", &[Role::System, Role::Admin]).await,
        Caller { scope: model::Scope::tenant("lippstadt"), ..owner.clone() },
    ] {
        let seen = broker.subscription(&stranger, id).await;
        assert!(matches!(seen, Err(Error::Model(model::Error::NotFound { .. }))), "{seen:?}");
        assert!(broker.subscriptions(&stranger).await.unwrap().is_empty());
    }
    let admin = bed.token("63", &[Role::Admin]).await;
    assert_eq!(broker.subscriptions(&admin).await.unwrap().len(), 1);
    let changed = broker.change_subscription(&admin, id, None, SubscriptionChange::default()).await;
    assert!(matches!(changed, Err(Error::Model(model::Error::Forbidden))), "{changed:?}");
    let made = broker.subscribe(&admin, wanted(&[])).await;
    assert!(matches!(made, Err(Error::Model(model::Error::Forbidden))), "it may not read events");
    broker.unsubscribe(&admin, id).await.unwrap();
    assert!(broker.subscription(&owner, id).await.is_err());
    bed.cases(1).await;
    bed.run().await;
    assert!(bed.receiver.take().is_empty());
}

#[tokio::test]
async fn addresses_that_must_not_be_called_and_too_many_subscriptions_are_refused() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let mut new = wanted(&[]);
    new.terms.url = "http://169.254.169.254/".into();
    let refused = bed.gateway.broker.subscribe(&owner, new).await.unwrap_err();
    assert_eq!(refused.code(), "net.forbidden");
    for _ in 0..20 {
        bed.subscribe(&owner, &[]).await;
    }
    let refused = bed.gateway.broker.subscribe(&owner, wanted(&[])).await.unwrap_err();
    assert_eq!(refused.code(), "webhook.too-many");
}

/// Writers commit while workers seal and send, and every third answer is a failure.
#[tokio::test(flavor = "multi_thread")]
async fn under_load_and_failures_each_event_arrives_and_first_arrivals_are_in_order() {
    let bed = Bed::new().await;
    let owner = bed.token("63", &[Role::System]).await;
    let id = bed.subscribe(&owner, &[]).await;
    let workers = broker::Workers::start(bed.gateway.broker.clone()).await.unwrap();
    let writers = (0..4).map(|_| bed.cases(15));
    let writing = futures::future::join_all(writers);
    let trouble = async {
        for _ in 0..12 {
            bed.receiver.will(204, None);
            bed.receiver.will(204, None);
            bed.receiver.will_fail(FailureKind::Uncertain);
            tokio::task::yield_now().await;
        }
    };
    futures::future::join(writing, trouble).await;
    let done = async {
        loop {
            // Time passes quickly here: what failed is due again at once.
            bed.clock.advance(Duration::from_secs(400));
            let it = bed.gateway.broker.subscription(&owner, id).await.unwrap();
            assert!(it.enabled, "{:?}", it.stopped);
            if bed.feed(&owner).await.len() == 60 && it.reached >= *bed.feed(&owner).await.last().unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.unwrap();
    workers.stop().await;
    let mut seen: Vec<(u64, String)> = vec![];
    for post in bed.receiver.take() {
        let arrived =
            (body(&post)["data"]["number"].as_u64().unwrap(), header(&post, "webhook-id").to_owned());
        if !seen.contains(&arrived) {
            seen.push(arrived);
        }
    }
    let numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, bed.feed(&owner).await);
}
