//! Calls that a clerk wants.

use conformance::simulate::ari::Recorded;
use model::activity::{Call, CallDirection, CallState, Interaction};
use model::adapter::{About, Adapter, Delivery, Receipt};
use model::command::Change;
use model::{Clock, Record, RecordKind, SystemClock, Timestamp, ids};
use serde_json::json;

use crate::desk::contact;
use crate::support::{Bench, bench, bench_of};

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
async fn a_citizen_who_could_not_be_rung_at_first_is_rung_by_the_next_line() {
    let bench = bench().await;
    bench.system.fails("appArgs=citizen", 1);
    wants(&bench, SystemClock.now(), "1001").await;
    bench.session().await.unwrap_err();
    assert_eq!(bench.desk.calls()[0].state, CallState::Ringing);
    bench.session().await.unwrap();
    let to_citizen = rung(&bench).iter().filter(|call| call.contains("trunk")).count();
    assert_eq!(to_citizen, 2, "once in vain");
    assert_eq!(
        (bench.desk.calls()[0].state, bench.desk.calls()[0].duration_seconds),
        (CallState::Ended, Some(5))
    );
}

#[tokio::test]
async fn who_is_left_alone_on_a_call_is_hung_up() {
    let bench = bench().await;
    bench.system.answers_without_end();
    wants(&bench, SystemClock.now(), "1001").await;
    bench.session().await.unwrap();
    assert_eq!((bench.desk.calls()[0].state, bench.system.channels().len()), (CallState::Answered, 2));
    bench.system.breaks();
    bench.session().await.unwrap_err();
    let clerk = bench.system.channels().into_iter().find(|id| id.ends_with("-a")).unwrap();
    bench.system.tell(&json!({ "type": "ChannelDestroyed", "channel": { "id": clerk } }));
    let bench = bench.restarted();
    bench.session().await.unwrap();
    assert_eq!(bench.system.channels(), Vec::<String>::new(), "nobody hears anything there");
    let call = &bench.desk.calls()[0];
    assert_eq!((call.state, call.duration_seconds), (CallState::Ended, None));
}

#[tokio::test]
async fn numbers_that_cost_more_and_those_abroad_are_not_called() {
    let bench = bench().await;
    for (number, is_called) in [
        ("+4938155512345", true),
        ("+4915112345678", true),
        ("+498001234567", true),
        ("+499001234567", false),
        ("+491371234567", false),
        ("+4918012345", false),
        ("+4911833", false),
        ("+493221234567", false),
        ("+43123456789", false),
        ("+881612345678", false),
    ] {
        let contact =
            contact(SystemClock.now(), Some(Box::new(Call { number: Some(number.into()), ..call("1001") })));
        bench.desk.put(Record::Interaction(contact.clone()));
        let receipt = bench.asterisk.deliver(&told(&contact), &[]).await.unwrap();
        assert_eq!(receipt.commands.is_empty(), is_called, "{number}");
        assert!(is_called || receipt.data["because"] == "telephone.barred", "{number}");
    }
    assert_eq!(rung(&bench).len(), 3, "nothing rings for the others, not even the clerk");
    let bench = bench_of(|settings| settings.may_call = vec!["+49".into(), "+49180".into()]).await;
    let contact = contact(
        SystemClock.now(),
        Some(Box::new(Call { number: Some("+4918012345".into()), ..call("1001") })),
    );
    assert!(
        bench.asterisk.deliver(&told(&contact), &[]).await.unwrap().commands.is_empty(),
        "the house allows it"
    );
    let bench = bench_of(|settings| settings.may_call = vec![]).await;
    assert_eq!(wants(&bench, SystemClock.now(), "1001").await.1.commands.len(), 1, "nobody is called");
}

#[tokio::test]
async fn calls_that_were_wanted_long_ago_are_settled_however_many_there_are() {
    let bench = bench().await;
    bench.system.breaks();
    bench.session().await.unwrap_err();
    let long_ago = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    for _ in 0..450 {
        bench.desk.put(Record::Interaction(contact(long_ago, Some(Box::new(call("1001"))))));
    }
    bench.session().await.unwrap();
    assert!(bench.desk.calls().iter().all(|call| call.state == CallState::Missed));
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
