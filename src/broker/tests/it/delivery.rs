//! Deliveries through an adapter: each kind of failure has its one treatment, nothing with an unclear outcome is sent
//! again blindly, and what is too late goes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::house::{Kind, OsciMode, OsciReach, PartnerEntry};
use broker::{BreakerState, NewExchange, Places, Wanted, Workers};
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Followed, Health, Receipt, Sources};
use model::exchange::{ExchangeKind, ExchangeStatus};
use model::{
    Authority, Caller, EventKind, Failure, FailureKind, Id, Message, MessageState, Record, RecordKind,
};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use store::{InboxFilter, InboxState, MessageFilter, Page};
use tokio::io::AsyncReadExt;

use crate::house::{Gateway, SetClock, caller, lippstadt, soest};
use crate::rejection::bring;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// An adapter that answers as it was told to.
pub(crate) struct Fake {
    descriptor: Descriptor,
    /// Answers to deliveries; when they are used up, all goes well.
    script: Mutex<VecDeque<Option<Failure>>>,
    /// What a question about a delivery is answered.
    known: Mutex<Result<Option<Receipt>, Failure>>,
    /// Id and bytes of each call.
    pub(crate) calls: Mutex<Vec<(Id, Vec<u8>)>>,
    pub(crate) asked: Mutex<u32>,
    /// What a question about a delivered message is answered, if it follows them up.
    pub(crate) followed: Mutex<Result<Followed, Failure>>,
}

fn receipt() -> Receipt {
    Receipt { reference: Some("r-1".into()), ..Receipt::default() }
}

impl Fake {
    /// One that only delivers, and all goes well.
    fn bare() -> Self {
        Fake {
            descriptor: Descriptor::new("fake", "test", vec![Capability::Deliver]),
            script: Mutex::default(),
            known: Mutex::new(Ok(None)),
            calls: Mutex::default(),
            asked: Mutex::default(),
            followed: Mutex::new(Ok(Followed::Open)),
        }
    }

    fn new(reconciles: bool, script: Vec<Option<Failure>>) -> Arc<Self> {
        let mut fake = Fake { script: Mutex::new(script.into()), ..Fake::bare() };
        fake.descriptor.capabilities.extend(reconciles.then_some(Capability::Reconcile));
        Arc::new(fake)
    }

    /// One that can be asked what became of a delivery.
    fn named(id: &str, script: Vec<Option<Failure>>) -> Arc<Self> {
        let mut fake = Fake::new(true, script);
        Arc::get_mut(&mut fake).unwrap().descriptor.id = id.into();
        fake
    }

    pub(crate) fn following() -> Arc<Self> {
        let mut fake = Fake::new(false, vec![]);
        let own = Arc::get_mut(&mut fake).unwrap();
        own.descriptor.capabilities.push(Capability::Follow);
        fake
    }

    /// One whose answers nobody else gives.
    pub(crate) fn answering() -> Arc<Self> {
        let mut fake = Fake::following();
        Arc::get_mut(&mut fake).unwrap().descriptor.answers = true;
        fake
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

#[async_trait]
impl Adapter for Fake {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let mut bytes = vec![];
        sources[0].open().await.unwrap().read_to_end(&mut bytes).await.unwrap();
        assert_eq!(delivery.detail["size"], json!(bytes.len()));
        self.calls.lock().unwrap().push((delivery.id, bytes));
        let answer = self.script.lock().unwrap().pop_front().flatten();
        match answer {
            // Never answers: as if the process had ended in the middle of the call.
            Some(failure) if failure.code == "test.hang" => std::future::pending().await,
            Some(failure) => Err(failure),
            None => Ok(receipt()),
        }
    }

    async fn reconcile(&self, _: &Delivery) -> Result<Option<Receipt>, Failure> {
        *self.asked.lock().unwrap() += 1;
        self.known.lock().unwrap().clone()
    }

    async fn follow(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Followed, Failure> {
        let mut bytes = vec![];
        sources[0].open().await.unwrap().read_to_end(&mut bytes).await.unwrap();
        assert_eq!(delivery.detail["size"], json!(bytes.len()), "what was sent is at hand");
        *self.asked.lock().unwrap() += 1;
        self.followed.lock().unwrap().clone()
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

pub(crate) fn hamm() -> Authority {
    "bab:05915000".parse().unwrap()
}

pub(crate) struct Bed {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) ours: Caller,
    pub(crate) fake: Arc<Fake>,
}

impl Bed {
    pub(crate) async fn new(fake: Arc<Fake>, may_repeat: bool) -> Bed {
        let partner = PartnerEntry {
            tenant: Some("soest".into()),
            authority: hamm(),
            name: "Bauaufsicht Unna".into(),
            adapter: Some("fake".into()),
            osci: None,
            xta: None,
            prefer: vec![],
            reads: vec![("toy".into(), "1".into())],
            most_bytes: 1 << 20,
            may_repeat,
        };
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::with_partners(clock.clone(), vec![partner], vec![fake.clone()]).await;
        Bed { gateway, clock, ours: caller("soest", "63"), fake }
    }

    /// Hands a case over and returns the id of the message that is on its way.
    pub(crate) async fn send(&self) -> Id {
        let case = self.gateway.a_case(&self.ours, "Neubau").await;
        let wanted = NewExchange {
            kind: ExchangeKind::Handover,
            to: hamm(),
            objects: vec![case.meta.id],
            version: None,
            wants_receipt: true,
            opening: broker::Opening::Usual,
        };
        let exchange = self.gateway.broker.start_exchange(&self.ours, wanted, None).await.unwrap();
        exchange.messages[0].id
    }

    pub(crate) async fn run(&self) {
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    /// Lets time pass, and does what is due then.
    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.run().await;
    }

    pub(crate) async fn message(&self, id: Id) -> Message {
        self.gateway.broker.message(&self.ours, id).await.unwrap()
    }

    pub(crate) async fn rule(&self, id: Id) -> String {
        self.message(id).await.report.unwrap().findings[0].rule.clone()
    }

    /// Details of the attempts that were told of.
    async fn attempts(&self, id: Id) -> Vec<Value> {
        let timeline = self.gateway.broker.message_timeline(&self.ours, id, &Page::first(100)).await.unwrap();
        let failed = timeline.into_iter().filter(|(_, event)| event.kind == EventKind::DeliveryFailed);
        failed.map(|(_, event)| event.detail.unwrap()["attempt"].clone()).collect()
    }

    async fn breaker(&self) -> BreakerState {
        let whole = Caller { scope: model::Scope::tenant("soest"), ..self.ours.clone() };
        let lanes = self.gateway.broker.lanes(&whole).await.unwrap();
        let lane = format!("to:{}", hamm());
        lanes.into_iter().find(|known| known.lane == lane).unwrap().breaker.state
    }
}

fn failure(kind: FailureKind) -> Option<Failure> {
    Some(Failure::new(kind, "test.failed", ""))
}

#[tokio::test]
async fn a_message_goes_out_through_the_adapter_and_its_receipt_stays() {
    let bed = Bed::new(Fake::new(false, vec![]), false).await;
    let id = bed.send().await;
    bed.run().await;
    let message = bed.message(id).await;
    assert_eq!((message.state, message.door), (MessageState::Delivered, model::message::Door::Adapter));
    assert_eq!(bed.fake.calls.lock().unwrap()[0].0, id);
    let timeline = bed.gateway.broker.message_timeline(&bed.ours, id, &Page::first(100)).await.unwrap();
    let (_, event) = timeline.iter().find(|(_, event)| event.kind == EventKind::MessageDelivered).unwrap();
    assert_eq!(event.detail.as_ref().unwrap()["receipt"]["reference"], "r-1");
    let exchange = bed.gateway.broker.record(&bed.ours, RecordKind::Exchange, message.exchange.unwrap());
    let Record::Exchange(exchange) = exchange.await.unwrap() else { unreachable!() };
    assert_eq!(exchange.status, ExchangeStatus::Sent);
}

#[tokio::test]
async fn passing_trouble_is_tried_again_and_every_doubling_is_told() {
    let script = (0..4).map(|_| failure(FailureKind::Transient)).collect();
    let bed = Bed::new(Fake::new(false, script), false).await;
    let id = bed.send().await;
    bed.run().await;
    assert_eq!(bed.message(id).await.state, MessageState::Ready);
    for _ in 0..4 {
        bed.later(Duration::from_secs(60)).await;
    }
    assert_eq!((bed.fake.calls(), bed.message(id).await.state), (5, MessageState::Delivered));
    let told: Vec<_> = bed.attempts(id).await.iter().map(|attempt| attempt["number"].clone()).collect();
    assert_eq!(told, [1, 2, 4]);
    let first = &bed.attempts(id).await[0];
    assert_eq!((&first["kind"], &first["code"]), (&json!("transient"), &json!("test.failed")));
    assert!(first["nextAt"].is_string());
}

#[tokio::test]
async fn each_other_kind_ends_at_once() {
    for (kind, state, rule) in [
        (FailureKind::Rejected, MessageState::Returned, "test.failed"),
        (FailureKind::Permanent, MessageState::Parked, "test.failed"),
        (FailureKind::Unauthorised, MessageState::Parked, "test.failed"),
        (FailureKind::Uncertain, MessageState::Parked, "broker.uncertain"),
    ] {
        let bed = Bed::new(Fake::new(false, vec![failure(kind)]), false).await;
        let id = bed.send().await;
        bed.run().await;
        bed.later(HOUR).await;
        assert_eq!((bed.message(id).await.state, bed.fake.calls()), (state, 1), "{kind:?}");
        assert_eq!(bed.rule(id).await, rule);
        assert_eq!(bed.attempts(id).await[0]["kind"], kind.name());
    }
}

#[tokio::test]
async fn a_rejection_that_does_not_arrive_waits_for_a_human() {
    let bed = Bed::new(Fake::new(false, vec![failure(FailureKind::Rejected)]), false).await;
    let body =
        json!({ "other": "order", "id": Id::now_v7(), "to": soest().to_string(), "wrong": "other.broken" });
    let refused = bring(&bed.gateway, &hamm().to_string(), &body, false).await;
    assert_eq!((refused.state, bed.fake.calls()), (MessageState::Returned, 1));
    let page = Page::first(10);
    let all = bed.gateway.broker.messages(&bed.ours, &MessageFilter::default(), &page).await.unwrap();
    let rejection = all.items.into_iter().find(|it| it.related == Some(refused.id)).unwrap();
    assert_eq!(rejection.state, MessageState::Parked, "its reader was not told");
}

#[tokio::test]
async fn an_unclear_outcome_is_asked_about_before_anything_is_sent_again() {
    for (known, calls) in [(Some(receipt()), 1), (None, 2)] {
        let bed = Bed::new(Fake::new(true, vec![failure(FailureKind::Uncertain)]), false).await;
        *bed.fake.known.lock().unwrap() = Err(Failure::transient("test.away", ""));
        let id = bed.send().await;
        bed.run().await;
        bed.later(HOUR).await;
        assert_eq!((bed.fake.calls(), bed.message(id).await.state), (1, MessageState::Ready));
        *bed.fake.known.lock().unwrap() = Ok(known);
        bed.later(HOUR).await;
        assert_eq!((bed.fake.calls(), bed.message(id).await.state), (calls, MessageState::Delivered));
        assert_eq!(*bed.fake.asked.lock().unwrap(), 2);
    }
}

/// The partner, reached by these ways.
fn reached(adapter: Option<&str>, by_osci: bool, by_xta: bool, prefer: Vec<Kind>) -> PartnerEntry {
    let osci = OsciReach {
        intermediary: "https://osci.example".into(),
        intermediary_certificate: "file:i.pem".into(),
        answers_by: None,
        recipient_certificate: "file:r.pem".into(),
        signed_by: vec![],
        mode: OsciMode::Store,
        receiver: None,
    };
    let server = json!({ "management": "https://xta.example/m", "send": "https://xta.example/s" });
    let xta = serde_json::from_value(json!({ "server": server })).unwrap();
    PartnerEntry {
        tenant: Some("soest".into()),
        authority: hamm(),
        name: "Bauaufsicht Unna".into(),
        adapter: adapter.map(str::to_owned),
        osci: by_osci.then_some(osci),
        xta: if by_xta { xta } else { None },
        prefer,
        reads: vec![("toy".into(), "1".into())],
        most_bytes: 1 << 20,
        may_repeat: false,
    }
}

/// What becomes of a message whose call got no answer through `first` when the partner is reached otherwise from then on: whether
/// `first` was asked, whether `second` was asked or called, and where the message is.
async fn moved(
    (before, first): (PartnerEntry, &str),
    (after, second): (PartnerEntry, &str),
) -> (u32, u32, MessageState) {
    let first = Fake::named(first, vec![failure(FailureKind::Uncertain)]);
    let second = Fake::named(second, vec![]);
    *first.known.lock().unwrap() = Ok(Some(receipt()));
    let clock = Arc::new(SetClock::default());
    let adapters = || -> Vec<Arc<dyn Adapter>> { vec![first.clone(), second.clone()] };
    let gateway = Gateway::with_keys(None, clock.clone(), vec![before], adapters()).await;
    let mut bed = Bed { gateway, clock: clock.clone(), ours: caller("soest", "63"), fake: first.clone() };
    let id = bed.send().await;
    bed.run().await;
    assert_eq!((first.calls(), bed.message(id).await.state), (1, MessageState::Ready));
    bed.gateway = Gateway::with_keys(Some(bed.gateway), clock, vec![after], adapters()).await;
    bed.later(HOUR).await;
    assert_eq!(first.calls(), 1, "nothing is sent twice");
    let state = bed.message(id).await.state;
    let asked = |fake: &Fake| *fake.asked.lock().unwrap();
    (asked(&first), asked(&second) + second.calls() as u32, state)
}

#[tokio::test]
async fn a_call_with_open_outcome_is_asked_about_by_the_way_it_went_and_takes_no_other() {
    let both = |prefer| reached(None, true, true, vec![prefer]);
    let to_xta = moved((both(Kind::Osci), "osci"), (both(Kind::Xta), "xta")).await;
    assert_eq!(to_xta, (1, 0, MessageState::Delivered), "the other is preferred now");
    let gone = moved((both(Kind::Xta), "xta"), (reached(None, true, false, vec![]), "osci")).await;
    assert_eq!(gone, (0, 0, MessageState::Parked), "a human decides");
    let through = |id: &'static str| (reached(Some(id), false, false, vec![]), id);
    assert_eq!(
        moved(through("a"), through("b")).await,
        (0, 0, MessageState::Parked),
        "through another adapter"
    );
    let added = (reached(Some("a"), true, false, vec![Kind::Osci]), "osci");
    assert_eq!(moved(through("a"), added).await, (1, 0, MessageState::Delivered));
}

#[tokio::test]
async fn what_the_other_side_knows_by_its_id_may_be_sent_again() {
    let bed = Bed::new(Fake::new(false, vec![failure(FailureKind::Uncertain)]), true).await;
    let id = bed.send().await;
    bed.run().await;
    bed.later(HOUR).await;
    assert_eq!((bed.fake.calls(), bed.message(id).await.state), (2, MessageState::Delivered));
    let calls = bed.fake.calls.lock().unwrap();
    assert_eq!(calls[0], calls[1], "the same bytes under the same id");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_in_the_middle_of_a_call_nothing_is_sent_blindly() {
    for (may_repeat, calls, state) in [(false, 1, MessageState::Parked), (true, 2, MessageState::Delivered)] {
        let hang = Failure::new(FailureKind::Transient, "test.hang", "");
        let bed = Bed::new(Fake::new(false, vec![Some(hang)]), may_repeat).await;
        let id = bed.send().await;
        // The call begins and its process "dies": the future is dropped where it stands.
        let running = tokio::spawn({
            let broker = bed.gateway.broker.clone();
            async move { broker.run_due_jobs().await }
        });
        while bed.fake.calls() == 0 {
            tokio::task::yield_now().await;
        }
        running.abort();
        let _ = running.await;
        // Starting again gives back what the node had.
        let workers =
            Workers::start_in(bed.gateway.broker.clone(), Places { work: 0, network: 0 }).await.unwrap();
        workers.stop().await;
        bed.run().await;
        assert_eq!((bed.fake.calls(), bed.message(id).await.state), (calls, state));
        if !may_repeat {
            assert_eq!(bed.rule(id).await, "broker.uncertain");
        }
    }
}

#[tokio::test]
async fn what_a_restored_store_does_not_know_to_be_sent_is_not_sent_blindly() {
    let cannot_ask = || Descriptor::new("fake", "test", vec![Capability::Deliver]);
    let asks = || Descriptor::new("fake", "test", vec![Capability::Deliver, Capability::Reconcile]);
    let asks_by_notes = || Descriptor { asks_by_notes: true, ..asks() };
    for (descriptor, known, may_repeat, calls, state) in [
        (cannot_ask(), None, false, 0, MessageState::Parked),
        (cannot_ask(), None, true, 1, MessageState::Delivered),
        (asks(), Some(receipt()), false, 0, MessageState::Delivered),
        (asks(), None, false, 1, MessageState::Delivered),
        (asks_by_notes(), Some(receipt()), false, 0, MessageState::Delivered),
        (asks_by_notes(), None, false, 0, MessageState::Parked),
    ] {
        let fake = Fake { descriptor, known: Mutex::new(Ok(known)), ..Fake::bare() };
        let bed = Bed::new(Arc::new(fake), may_repeat).await;
        let id = bed.send().await;
        // It was still to be prepared when the backup was made; this is what a restore does.
        let rows = format!("sqlite:{}", bed.gateway.folder.path().join("db").display());
        let mut rows = SqliteConnection::connect(&rows).await.unwrap();
        let doubt = "UPDATE job SET calling = 1 WHERE kind = 'prepare'";
        assert_eq!(sqlx::query(doubt).execute(&mut rows).await.unwrap().rows_affected(), 1);
        rows.close().await.unwrap();
        bed.run().await;
        assert_eq!((bed.fake.calls(), bed.message(id).await.state), (calls, state));
        if state == MessageState::Parked {
            assert_eq!(bed.rule(id).await, "broker.uncertain");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_delivered_in_time_goes_back_unless_it_may_have_arrived() {
    for (kind, state, rule) in [
        (FailureKind::Transient, MessageState::Returned, "message.expired"),
        (FailureKind::Uncertain, MessageState::Parked, "broker.uncertain"),
    ] {
        let script = (0..100).map(|_| failure(kind)).collect();
        let bed = Bed::new(Fake::new(false, script), true).await;
        let id = bed.send().await;
        bed.run().await;
        bed.later(9 * HOUR).await;
        assert_eq!(bed.message(id).await.state, MessageState::Ready);
        bed.clock.advance(HOUR + HOUR);
        bed.gateway.broker.expire_due().await.unwrap();
        assert_eq!((bed.message(id).await.state, bed.rule(id).await.as_str()), (state, rule));
        assert_eq!(bed.gateway.broker.expire_due().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_failing_partner_is_left_alone_and_tried_with_one_message() {
    let script = (0..5).map(|_| failure(FailureKind::Transient)).collect();
    let bed = Bed::new(Fake::new(false, script), false).await;
    for _ in 0..8 {
        bed.send().await;
    }
    bed.run().await;
    assert_eq!((bed.fake.calls(), bed.breaker().await), (5, BreakerState::Open));
    bed.later(Duration::from_secs(1)).await;
    assert_eq!(bed.fake.calls(), 5, "nothing is tried meanwhile");
    bed.later(HOUR).await;
    assert_eq!((bed.fake.calls(), bed.breaker().await), (13, BreakerState::Closed));
}

#[tokio::test]
async fn an_operator_has_a_partner_tried_again_and_it_is_audited() {
    let asks = Failure::transient("test.busy", "").after(Some(HOUR));
    let bed = Bed::new(Fake::new(false, vec![Some(asks)]), false).await;
    let id = bed.send().await;
    bed.run().await;
    assert_eq!(bed.breaker().await, BreakerState::Open);
    let lane = format!("to:{}", hamm());
    let refused = bed.gateway.broker.retry_lane(&bed.ours, &lane).await.unwrap_err();
    assert_eq!(refused.code(), "model.not-found", "a lane is the whole tenant's");
    let whole = Caller { scope: model::Scope::tenant("soest"), ..bed.ours.clone() };
    bed.gateway.broker.retry_lane(&whole, &lane).await.unwrap();
    bed.run().await;
    assert_eq!(
        (bed.message(id).await.state, bed.breaker().await),
        (MessageState::Delivered, BreakerState::Closed)
    );
    let events = bed.gateway.broker.events(&whole, 0, 1_000).await.unwrap();
    let audited = events.iter().filter(|sealed| sealed.event.kind == EventKind::PartnerRetried);
    assert_eq!(audited.count(), 1);
}

#[tokio::test]
async fn another_tenant_does_not_reach_the_partner() {
    let bed = Bed::new(Fake::new(false, vec![]), false).await;
    let refused =
        bed.gateway.broker.capabilities(&caller("lippstadt", "63"), &hamm(), Wanted::default()).await;
    assert_eq!(refused.unwrap_err().code(), "broker.unknown-authority");
}

#[tokio::test]
async fn a_mailbox_entry_that_nobody_fetches_goes_back_to_its_sender() {
    let bed = Bed::new(Fake::new(false, vec![]), false).await;
    let theirs = caller("lippstadt", "63");
    let case = bed.gateway.a_case(&bed.ours, "Neubau").await;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![case.meta.id],
        version: None,
        wants_receipt: false,
        opening: broker::Opening::Usual,
    };
    let sent = bed.gateway.broker.start_exchange(&bed.ours, wanted, None).await.unwrap().messages[0].id;
    bed.run().await;
    bed.clock.advance(9 * HOUR);
    assert_eq!(bed.gateway.broker.expire_due().await.unwrap(), 0);
    bed.clock.advance(2 * HOUR);
    assert_eq!(bed.gateway.broker.expire_due().await.unwrap(), 1);
    assert_eq!(bed.message(sent).await.state, MessageState::Returned);
    assert_eq!(bed.rule(sent).await, "message.expired");
    let inbox = bed.gateway.broker.inbox(&theirs, &InboxFilter::default(), &Page::first(10)).await.unwrap();
    assert_eq!(inbox.items[0].entry.state, InboxState::Expired);
}
