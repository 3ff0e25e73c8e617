//! Calls that a clerk wants.

use conformance::simulate::ari::Recorded;
use model::activity::{Call, CallDirection, CallState, Interaction};
use model::adapter::{About, Adapter, Delivery, Receipt};
use model::command::Change;
use model::{Clock, Record, RecordKind, SystemClock, Timestamp, ids};
use serde_json::json;

use crate::desk::contact;
use crate::support::{Bench, bench};

fn call(extension: &str) -> Call {
    Call {
        direction: CallDirection::Outgoing,
        number: Some("+4938155512345".into()),
        extension: Some(extension.into()),
        state: CallState::Wanted,
        wait_seconds: None,
        duration_seconds: None,
        reference: None,
        task: None,
    }
}

fn told(contact: &Interaction) -> Delivery {
    let record = Record::Interaction(contact.clone());
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: "record.created".into(),
        record: Some((RecordKind::Interaction, contact.meta.id)),
        detail: json!({}),
        about: Some(Box::new(About { record, above: vec![], links: vec![], files: vec![] })),
    }
}

async fn wants(bench: &Bench, at: Timestamp, extension: &str) -> (Delivery, Receipt) {
    let contact = contact(at, Some(Box::new(call(extension))));
    bench.desk.put(Record::Interaction(contact.clone()));
    let delivery = told(&contact);
    let receipt = bench.asterisk.deliver(&delivery, &[]).await.unwrap();
    (delivery, receipt)
}

fn rung(bench: &Bench) -> Vec<String> {
    let calls = bench.system.calls().into_iter();
    calls.filter(|call| call.starts_with("POST /ari/channels ")).collect()
}

#[tokio::test]
async fn first_the_clerk_is_rung_then_the_citizen() {
    let bench = bench().await;
    let (delivery, receipt) = wants(&bench, SystemClock.now(), "1001").await;
    assert!(receipt.reference.unwrap().ends_with("-a"));
    assert_eq!(rung(&bench).len(), 1);
    // Again, and asked about: the same call.
    assert!(bench.asterisk.reconcile(&delivery).await.unwrap().is_some());
    bench.asterisk.deliver(&delivery, &[]).await.unwrap();
    bench.session().await.unwrap();
    let rung = rung(&bench);
    assert!(rung[0].contains("endpoint=PJSIP/1001 "), "{rung:?}");
    assert!(rung.last().unwrap().contains("endpoint=PJSIP/4938155512345@trunk "), "{rung:?}");
    let call = &bench.desk.calls()[0];
    assert_eq!((call.state, call.duration_seconds), (CallState::Ended, Some(5)));
    let calls = bench.system.calls();
    for path in ["POST /ari/bridges ", "addChannel", "DELETE /ari/bridges/"] {
        assert!(calls.iter().any(|call| call.contains(path)), "{path}: {calls:?}");
    }
    assert_eq!(bench.desk.kept(), Some(json!({})));
}

#[tokio::test]
async fn a_clerk_who_does_not_take_it_rings_nobody() {
    let bench = bench().await;
    bench.system.answers(Recorded::NoAnswer);
    wants(&bench, SystemClock.now(), "1001").await;
    bench.session().await.unwrap();
    assert_eq!(rung(&bench).len(), 1);
    assert_eq!(bench.desk.calls()[0].state, CallState::Missed);
    assert!(bench.desk.tasks().is_empty(), "who wanted to call knows");
}

#[tokio::test]
async fn what_cannot_be_rung_has_failed() {
    let bench = bench().await;
    bench.system.refuses(true);
    let old = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let now = SystemClock.now();
    for (at, extension) in [(now, "1001"), (old, "1001"), (now, "1001@evil/x"), (now, "")] {
        let (_, receipt) = wants(&bench, at, extension).await;
        let [command] = receipt.commands.as_slice() else { panic!("{extension}") };
        let Change::Call(call) = &command.change else { panic!("{extension}") };
        assert_eq!(call.state, CallState::Failed);
    }
    assert_eq!(rung(&bench).len(), 1, "the others were not even tried");
}

#[tokio::test]
async fn a_call_whose_end_nobody_heard_is_settled() {
    let bench = bench().await;
    bench.system.answers(Recorded::NoAnswer);
    bench.system.breaks();
    bench.session().await.unwrap_err();
    let just_now = Timestamp::from_micros(SystemClock.now().micros() - 180_000_000);
    let contact = contact(just_now, Some(Box::new(call("1001"))));
    bench.desk.put(Record::Interaction(contact));
    bench.session().await.unwrap();
    assert_eq!(bench.desk.calls()[0].state, CallState::Missed);
}

#[tokio::test]
async fn other_contacts_are_none_of_its_business() {
    let bench = bench().await;
    let none = contact(SystemClock.now(), None);
    assert!(bench.asterisk.deliver(&told(&none), &[]).await.unwrap().nothing);
    let came_in = Call { direction: CallDirection::Incoming, ..call("1001") };
    let came_in = contact(SystemClock.now(), Some(Box::new(came_in)));
    assert!(bench.asterisk.deliver(&told(&came_in), &[]).await.unwrap().nothing);
    assert!(rung(&bench).is_empty());
}
