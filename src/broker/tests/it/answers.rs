//! Messages that a system hands in for somebody outside, as they are, and answers to single messages.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::house::PartnerEntry;
use broker::{Arrival, Incoming};
use bytes::Bytes;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Receipt, Sources};
use model::message::{Door, Finding};
use model::rights::Within;
use model::{Actor, Caller, EventKind, Failure, FailureKind, Id, Message, MessageState, Role, Scope};
use serde_json::{Value, json};
use store::Page;

use crate::house::{Gateway, SetClock, caller, soest};

pub const COURT: &str = "ger:1";
pub const OTHER: &str = "ger:2";
/// Reached by XTA alone, for which the house has no keys.
const UNREACHED: &str = "ger:3";

/// An adapter that takes everything, or finds something in it, or fails.
pub struct Taker {
    descriptor: Descriptor,
    finds: Mutex<Vec<Finding>>,
    pub fails: Mutex<Option<FailureKind>>,
    calls: AtomicUsize,
}

#[async_trait]
impl Adapter for Taker {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, _: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(kind) = *self.fails.lock().unwrap() {
            return Err(Failure::new(kind, "test.failed", ""));
        }
        let finds = self.finds.lock().unwrap().clone();
        match finds.is_empty() {
            true => Ok(Receipt::default()),
            false => Err(Failure::new(FailureKind::Rejected, "test.refused", "").finding(finds)),
        }
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

pub struct Bed {
    pub gateway: Gateway,
    pub taker: Arc<Taker>,
    pub ours: Caller,
    clock: Arc<SetClock>,
}

impl Bed {
    pub async fn new() -> Bed {
        let partner = |authority: &str| PartnerEntry {
            tenant: Some("soest".into()),
            authority: authority.parse().unwrap(),
            name: "Amtsgericht".into(),
            adapter: Some("taker".into()),
            osci: None,
            xta: None,
            prefer: vec![],
            reads: vec![("toy".into(), "1".into())],
            most_bytes: 1 << 10,
            may_repeat: true,
        };
        let descriptor = Descriptor::new("taker", "test", vec![Capability::Deliver]);
        let taker = Arc::new(Taker {
            descriptor,
            finds: Mutex::default(),
            fails: Mutex::default(),
            calls: AtomicUsize::new(0),
        });
        let clock = Arc::new(SetClock::default());
        let server = json!({ "management": "https://xta.test/m", "send": "https://xta.test/s" });
        let xta = serde_json::from_value(json!({ "server": server })).unwrap();
        let unreached = PartnerEntry { adapter: None, xta, ..partner(UNREACHED) };
        let partners = vec![partner(COURT), partner(OTHER), unreached];
        let gateway = Gateway::with_partners(clock.clone(), partners, vec![taker.clone()]).await;
        Bed { gateway, taker, ours: caller("soest", "63"), clock }
    }

    pub async fn hand_in(&self, to: &str, body: &Value) -> Result<Message, broker::Error> {
        self.hand_in_by(&self.ours, to, body).await
    }

    async fn hand_in_by(&self, by: &Caller, to: &str, body: &Value) -> Result<Message, broker::Error> {
        let incoming = Incoming { to: Some(to.parse().unwrap()), ..Incoming::default() };
        let bytes = futures::stream::iter([Ok(Bytes::from(body.to_string()))]);
        self.gateway.broker.accept(by, incoming, bytes).await
    }

    /// The message once all that is due is done.
    pub async fn settled(&self, id: Id) -> Message {
        self.gateway.broker.run_due_jobs().await.unwrap();
        self.gateway.broker.message(&self.ours, id).await.unwrap()
    }

    /// A message that comes from somebody.
    pub async fn bring(&self, from: &str, body: &Value) -> Message {
        let from = Caller {
            actor: Actor { kind: "partner".into(), id: from.into() },
            roles: vec![Role::System],
            scope: Scope::tenant("soest"),
            authority: Some(soest()),
        };
        let (broker, by, bytes) = (self.gateway.broker.clone(), from.clone(), body.to_string());
        let write = move || {
            let mut writer = broker.arrival_writer(&by).unwrap();
            writer.write_all(bytes.as_bytes()).unwrap();
            writer.finish().unwrap()
        };
        let stored = tokio::task::spawn_blocking(write).await.unwrap();
        let arrival = Arrival {
            door: Door::Xta,
            ticket: Id::now_v7().to_string(),
            authority: soest(),
            file_name: None,
            answers: None,
            finding: None,
            facts: json!({}),
            not_before: None,
            sent: None,
            carried: None,
            test: false,
        };
        let message = self.gateway.broker.take_arrival(&from, arrival, stored).await.unwrap();
        self.settled(message.id).await
    }

    /// A message to the court whose delivery has failed in this manner.
    async fn failed(&self, kind: FailureKind) -> (Id, Message) {
        *self.taker.fails.lock().unwrap() = Some(kind);
        let own = Id::now_v7();
        let sent = self.hand_in(COURT, &toy(own)).await.unwrap();
        (own, self.settled(sent.id).await)
    }

    /// What the events of a message say of its acknowledgement.
    async fn told(&self, id: Id) -> Vec<(EventKind, Value)> {
        let events = self.gateway.broker.message_timeline(&self.ours, id, &Page::first(50)).await.unwrap();
        let facts = events.into_iter().map(|(_, event)| {
            (event.kind, event.detail.map_or(Value::Null, |detail| detail["acknowledgement"].clone()))
        });
        facts.filter(|(_, fact)| !fact.is_null()).collect()
    }
}

pub fn toy(own: Id) -> Value {
    json!({ "toy": "0901", "process": own })
}

/// An answer to a message, with a reason if it refuses.
pub fn answer(to: Id, refused: Option<&str>) -> Value {
    json!({ "toy": "0902", "process": Id::now_v7(), "answers": to, "refused": refused, "day": "2026-11-28" })
}

pub fn rules(message: &Message) -> Vec<&str> {
    message.report.iter().flat_map(|report| &report.findings).map(|it| it.rule.as_str()).collect()
}

#[tokio::test]
async fn what_is_handed_in_for_somebody_outside_is_checked_and_delivered_once() {
    let bed = Bed::new().await;
    let own = Id::now_v7();
    let taken = bed.hand_in(COURT, &toy(own)).await.unwrap();
    assert_eq!((taken.state, taken.partner.as_str()), (MessageState::Preparing, COURT));
    let again = bed.hand_in(COURT, &toy(own)).await.unwrap();
    assert_eq!(again.id, taken.id);
    let delivered = bed.settled(taken.id).await;
    assert_eq!((delivered.state, delivered.door), (MessageState::Delivered, Door::Adapter));
    let other = json!({ "toy": "0901", "process": own, "more": 1 });
    assert_eq!(bed.hand_in(COURT, &other).await.unwrap_err().code(), "broker.id-reused");
    let elsewhere = bed.hand_in(OTHER, &toy(own)).await.unwrap();
    assert_eq!((elsewhere.id == taken.id, elsewhere.partner.as_str()), (false, OTHER));
}

#[tokio::test]
async fn what_is_wrong_with_it_is_told_and_it_goes_back() {
    let bed = Bed::new().await;
    let broken = bed.hand_in(COURT, &json!({ "toy": "0901", "broken": true })).await.unwrap();
    let broken = bed.settled(broken.id).await;
    assert_eq!((broken.state, rules(&broken)), (MessageState::Returned, vec!["toy.broken"]));
    let unknown = bed.hand_in(COURT, &json!({ "what": 1 })).await.unwrap();
    let unknown = bed.settled(unknown.id).await;
    assert_eq!((unknown.state, rules(&unknown)), (MessageState::Returned, vec!["message.unknown"]));
    assert_eq!(
        bed.hand_in("ger:9", &toy(Id::now_v7())).await.unwrap_err().code(),
        "broker.unknown-authority"
    );
    let large = json!({ "toy": "x".repeat(2_000) });
    assert_eq!(bed.hand_in(COURT, &large).await.unwrap_err().code(), "broker.too-large");
}

#[tokio::test]
async fn each_finding_of_whoever_carries_a_message_is_told() {
    let bed = Bed::new().await;
    *bed.taker.finds.lock().unwrap() = vec![Finding::error("test.a").in_file("a"), Finding::error("test.b")];
    let own = Id::now_v7();
    let refused = bed.hand_in(COURT, &toy(own)).await.unwrap();
    let refused = bed.settled(refused.id).await;
    assert_eq!((refused.state, rules(&refused)), (MessageState::Returned, vec!["test.a", "test.b"]));
    // Mended, it may be sent under the same id.
    bed.taker.finds.lock().unwrap().clear();
    let mended = bed.hand_in(COURT, &json!({ "toy": "0901", "process": own, "mended": true })).await.unwrap();
    assert_eq!(bed.settled(mended.id).await.state, MessageState::Delivered);
}

#[tokio::test]
async fn an_acknowledgement_confirms_the_message_that_it_names() {
    let bed = Bed::new().await;
    let own = Id::now_v7();
    let sent = bed.hand_in(COURT, &toy(own)).await.unwrap();
    bed.settled(sent.id).await;
    // Somebody else's word counts for nothing, and neither does one about an id that is not ours.
    let foreign = bed.bring(OTHER, &answer(own, None)).await;
    let stray = bed.bring(COURT, &answer(Id::now_v7(), None)).await;
    assert_eq!((foreign.related, stray.related), (None, None));
    assert_eq!((foreign.state, stray.state), (MessageState::Processed, MessageState::Processed));
    assert_eq!(bed.settled(sent.id).await.state, MessageState::Delivered);

    let came = bed.bring(COURT, &answer(own, None)).await;
    assert_eq!((came.state, came.related), (MessageState::Processed, Some(sent.id)));
    assert_eq!(bed.settled(sent.id).await.state, MessageState::Confirmed);
    let fact = json!({ "message": came.id, "day": "2026-11-28", "refused": null });
    assert_eq!(bed.told(sent.id).await, [(EventKind::MessageConfirmed, fact)]);
}

#[tokio::test]
async fn a_refusal_sends_a_message_back_with_its_reason() {
    let bed = Bed::new().await;
    let own = Id::now_v7();
    let sent = bed.hand_in(COURT, &toy(own)).await.unwrap();
    bed.settled(sent.id).await;
    let came = bed.bring(COURT, &answer(own, Some("2"))).await;
    let returned = bed.settled(sent.id).await;
    assert_eq!((returned.state, rules(&returned)), (MessageState::Returned, vec!["xoev.rejected"]));
    assert_eq!(returned.report.unwrap().findings[0].with["reason"], "2");
    assert_eq!(came.state, MessageState::Processed, "it waits in the mailbox");
}

#[tokio::test]
async fn a_refusal_of_what_was_confirmed_before_is_told_all_the_same() {
    let bed = Bed::new().await;
    let own = Id::now_v7();
    let sent = bed.hand_in(COURT, &toy(own)).await.unwrap();
    bed.settled(sent.id).await;
    bed.bring(COURT, &answer(own, None)).await;
    bed.bring(COURT, &answer(own, Some("1"))).await;
    let after = bed.settled(sent.id).await;
    assert_eq!((after.state, rules(&after)), (MessageState::Confirmed, vec!["xoev.rejected"]));
    let kinds: Vec<_> = bed.told(sent.id).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EventKind::MessageConfirmed, EventKind::MessageReturned]);
}

#[tokio::test]
async fn an_acknowledgement_ends_a_message_whose_outcome_was_open() {
    let bed = Bed::new().await;
    for (refused, state, kind, rules_of_it) in [
        (None, MessageState::Confirmed, EventKind::MessageConfirmed, vec![]),
        (Some("2"), MessageState::Returned, EventKind::MessageReturned, vec!["xoev.rejected"]),
    ] {
        let (own, sent) = bed.failed(FailureKind::Uncertain).await;
        assert_eq!(sent.state, MessageState::Ready);
        bed.bring(COURT, &answer(own, refused)).await;
        let calls = bed.taker.calls.load(Ordering::SeqCst);
        *bed.taker.fails.lock().unwrap() = None;
        bed.clock.advance(Duration::from_secs(3_600));
        let ended = bed.settled(sent.id).await;
        assert_eq!((ended.state, rules(&ended)), (state, rules_of_it));
        assert_eq!(bed.taker.calls.load(Ordering::SeqCst), calls, "it is not sent again");
        assert_eq!(bed.told(sent.id).await.into_iter().map(|it| it.0).collect::<Vec<_>>(), [kind]);
    }
}

#[tokio::test]
async fn a_refusal_takes_a_parked_message_from_the_desk() {
    let bed = Bed::new().await;
    let (own, sent) = bed.failed(FailureKind::Uncertain).await;
    bed.gateway.broker.park_by_hand(&bed.ours, sent.id, None, None).await.unwrap();
    bed.bring(COURT, &answer(own, Some("1"))).await;
    let ended = bed.settled(sent.id).await;
    assert_eq!(
        (ended.state, rules(&ended)),
        (MessageState::Returned, vec!["message.parked-by-hand", "xoev.rejected"])
    );
}

#[tokio::test]
async fn what_has_not_left_cannot_be_acknowledged() {
    let bed = Bed::new().await;
    let (own, sent) = bed.failed(FailureKind::Transient).await;
    let came = bed.bring(COURT, &answer(own, Some("1"))).await;
    let waits = bed.settled(sent.id).await;
    assert_eq!((waits.state, rules(&waits), came.related), (MessageState::Ready, vec![], Some(sent.id)));
    assert!(bed.told(sent.id).await.is_empty());
}

#[tokio::test]
async fn what_was_parked_before_it_was_checked_is_checked_when_it_is_tried_again() {
    let bed = Bed::new().await;
    let broken = bed.hand_in(COURT, &json!({ "toy": "0901", "broken": true })).await.unwrap();
    bed.gateway.broker.park_by_hand(&bed.ours, broken.id, None, None).await.unwrap();
    bed.gateway.broker.resend(&bed.ours, broken.id, None, None).await.unwrap();
    let broken = bed.settled(broken.id).await;
    assert_eq!((broken.state, rules(&broken)), (MessageState::Returned, vec!["toy.broken"]));
    assert_eq!(bed.taker.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn whoever_hands_a_message_in_sees_it_or_is_refused() {
    let bed = Bed::new().await;
    let waste = caller("soest", "70");
    let own = toy(Id::now_v7());
    let taken = bed.hand_in_by(&waste, COURT, &own).await.unwrap();
    assert_eq!(
        (taken.unit.as_str(), taken.id),
        ("70", bed.gateway.broker.message(&waste, taken.id).await.unwrap().id)
    );
    assert_eq!(bed.hand_in_by(&waste, COURT, &own).await.unwrap().id, taken.id);
    let units = Within::Only(["70", "80"].map(str::to_owned).into());
    let several = Caller { scope: Scope { units, ..waste.scope.clone() }, ..waste };
    let refused = bed.hand_in_by(&several, COURT, &toy(Id::now_v7())).await.unwrap_err();
    assert_eq!(refused.code(), "model.forbidden");
}

#[tokio::test]
async fn what_no_way_can_be_used_for_now_is_taken_in_and_waits() {
    let bed = Bed::new().await;
    let own = toy(Id::now_v7());
    let taken = bed.hand_in(UNREACHED, &own).await.unwrap();
    let waits = bed.settled(taken.id).await;
    assert_eq!((waits.state, rules(&waits)), (MessageState::Parked, vec!["directory.no-keys"]));
    assert_eq!(bed.hand_in(UNREACHED, &own).await.unwrap().id, taken.id);
}

#[tokio::test]
async fn an_answer_of_ours_names_the_message_that_it_answers() {
    let bed = Bed::new().await;
    let own = Id::now_v7();
    let asked = bed.bring(COURT, &toy(own)).await;
    let sent = bed.hand_in(COURT, &answer(own, None)).await.unwrap();
    let sent = bed.settled(sent.id).await;
    assert_eq!((sent.state, sent.related), (MessageState::Delivered, Some(asked.id)));
    let to_other = bed.hand_in(OTHER, &answer(own, None)).await.unwrap();
    assert_eq!(bed.settled(to_other.id).await.related, None);
}
