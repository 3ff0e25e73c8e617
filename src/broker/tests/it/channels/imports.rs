//! What a record-keeping adapter has taken counts as imported, and the sender hears so; what it did not get does not.

use std::time::Duration;

use model::exchange::{Exchange, ExchangeStatus};
use model::{FailureKind, Id, Message, Record, RecordKind, ids};
use serde_json::{Value, json};
use store::{MessageFilter, Page};

use super::bed::{Bed, Fault};
use crate::engines::on_every_engine;
use crate::house::lippstadt;
use crate::rejection::bring;

pub(super) const MINUTE: Duration = Duration::from_secs(61);

/// An object with so many others in it, each named by its number.
pub(super) fn object(id: Id, below: usize) -> Vec<Value> {
    let mut all: Vec<Value> =
        (1..=below).map(|number| json!([ids::new_id(), format!("Teil {number}"), [id]])).collect();
    all.push(json!([id, "Akte", []]));
    all
}

pub(super) async fn receive(bed: &Bed, objects: Vec<Value>) -> Message {
    let body = json!({ "toy": "0401", "process": Id::now_v7(), "receipt": true, "objects": objects });
    bring(&bed.gateway, &lippstadt().to_string(), &body, false).await
}

pub(super) async fn exchange(bed: &Bed) -> Exchange {
    let mut all = bed.all(RecordKind::Exchange).await;
    match all.pop().unwrap() {
        Record::Exchange(exchange) => exchange,
        _ => unreachable!(),
    }
}

/// Types of what went out.
pub(super) async fn sent(bed: &Bed) -> Vec<String> {
    let filter = MessageFilter::default();
    let all = bed.broker.messages(&bed.ours, &filter, &Page::first(50)).await.unwrap().items;
    let out = all.into_iter().filter(|it| it.direction == model::message::Direction::Out);
    out.filter_map(|message| message.identity.map(|identity| identity.message_type)).collect()
}

#[tokio::test]
async fn a_tree_of_hundreds_is_told_whole_and_then_reported() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let id = ids::new_id();
        // More than one slice.
        receive(&bed, object(id, 210)).await;
        bed.run().await;
        let heard = bed.dms.heard();
        assert_eq!((heard.len(), heard[0].1.as_str()), (211, "Akte"), "what it lies in comes first");
        let above: Vec<_> = bed.dms.told().iter().skip(1).map(|told| told.above.len()).collect();
        assert!(above.iter().all(|above| *above == 1));
        bed.later(MINUTE).await;
        let exchange = exchange(&bed).await;
        assert_eq!(exchange.status, ExchangeStatus::Confirmed);
        assert_eq!(sent(&bed).await, ["0403", "0402"]);
        let Record::Case(case) = bed.record(RecordKind::Case, exchange.objects[0].id).await else {
            panic!("a case")
        };
        assert_eq!(case.status.name(), "open", "it is worked on here from now on");
        bed.later(MINUTE).await;
        assert_eq!(bed.dms.heard().len(), 211, "that it is open now is the DMS's own doing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dozens_of_objects_of_one_message_are_all_reported() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let objects = (0..40).flat_map(|_| object(ids::new_id(), 0)).collect();
        receive(&bed, objects).await;
        for _ in 0..4 {
            let nodes = (0..6).map(|_| bed.broker.run_due_jobs());
            futures::future::join_all(nodes).await.into_iter().for_each(|done| _ = done.unwrap());
            bed.later(MINUTE).await;
        }
        assert_eq!(bed.dms.heard().len(), 40);
        let exchange = exchange(&bed).await;
        let open = exchange.objects.iter().filter(|object| object.result.is_none()).count();
        assert_eq!((open, exchange.status), (0, ExchangeStatus::Confirmed));
        assert_eq!(sent(&bed).await, ["0403", "0402"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_reported_while_something_waits_for_a_human() {
    on_every_engine(|database| async move {
        for is_dropped in [false, true] {
            let bed = Bed::new(database.clone()).await;
            if is_dropped && database.is_some() {
                // The database is that of the first round.
                return;
            }
            bed.dms.set(|state| _ = state.by_title.insert("Teil 2".into(), FailureKind::Rejected));
            let (id, whole) = (ids::new_id(), ids::new_id());
            let objects = [object(id, 3), object(whole, 1)].concat();
            receive(&bed, objects).await;
            bed.run().await;
            for _ in 0..3 {
                bed.later(MINUTE).await;
            }
            assert_eq!(sent(&bed).await, ["0403"]);
            let of = |exchange: &Exchange, id: Id| {
                let object = exchange.objects.iter().find(|object| object.object_id == id);
                object.unwrap().result.clone().map(|result| (result.successful, result.messages))
            };
            let before = exchange(&bed).await;
            assert_eq!(
                of(&before, whole),
                Some((true, vec![])),
                "the other object has nothing to do with it"
            );
            assert_eq!(of(&before, id), None);
            let parked = bed.waiting().await;
            assert_eq!(parked.len(), 1);
            bed.dms.set(|state| state.by_title.clear());
            if is_dropped {
                bed.broker.drop_channel(&bed.ours, parked[0].id, None).await.unwrap();
            } else {
                bed.broker.resend_channel(&bed.ours, parked[0].id, None).await.unwrap();
            }
            bed.run().await;
            bed.later(MINUTE).await;
            assert_eq!(sent(&bed).await, ["0403", "0402"]);
            let after = exchange(&bed).await;
            let expected =
                if is_dropped { (false, vec!["adapter.failed".to_owned()]) } else { (true, vec![]) };
            assert_eq!(of(&after, id), Some(expected));
            assert!(bed.waiting().await.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_crash_while_the_tree_is_told_changes_nothing() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let id = ids::new_id();
        receive(&bed, object(id, 20)).await;
        for _ in 0..3 {
            bed.dms.fails(&[Fault::Silent]);
            bed.dies_in_a_call(&bed.dms).await;
        }
        bed.run().await;
        bed.later(MINUTE).await;
        bed.later(MINUTE).await;
        let told = bed.dms.told();
        let mut records: Vec<_> = told.iter().map(|told| told.record.1).collect();
        records.sort_unstable();
        records.dedup();
        assert_eq!((told.len(), records.len()), (21, 21));
        assert_eq!(exchange(&bed).await.status, ExchangeStatus::Confirmed);
        assert_eq!(sent(&bed).await, ["0403", "0402"]);
    })
    .await;
}
