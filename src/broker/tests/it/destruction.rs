//! Destruction refuses when in doubt, and says why: what is offered stays as it was, and nothing goes that anything speaks against.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier};

use broker::{Error, NewExchange, Once, Opening};
use model::case::Disposition::{Archive, Destroy};
use model::command::{Change, Rules};
use model::exchange::{Exchange, ExchangeKind, ExchangeStatus};
use model::{Clock, EventKind, Id, MessageState, Record, RecordKind, Scope, SystemClock, Timestamp};
use serde_json::{Value, json};
use store::{Page, RecordFilter};

use crate::disposition::Bed;
use crate::engines::on_every_engine;
use crate::house::{Gateway, change, create, lippstadt, new_case};

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.unwrap_err().code().to_owned()
}

fn wanted(kind: ExchangeKind, objects: Vec<Id>) -> NewExchange {
    NewExchange {
        kind,
        to: lippstadt(),
        objects,
        version: None,
        wants_receipt: true,
        opening: Opening::Usual,
    }
}

async fn submit(bed: &Bed, id: Id, what: Change) -> Result<Record, Error> {
    bed.gateway.broker.submit(&bed.agency, change(RecordKind::Case, id, what), None).await
}

async fn starts(bed: &Bed, kind: ExchangeKind, objects: Vec<Id>) -> Result<Exchange, Error> {
    bed.gateway.broker.start_exchange(&bed.agency, wanted(kind, objects), None).await
}

/// A new case in another; its own unit may differ.
async fn put_below(bed: &Bed, parent: Id, unit: &str) -> Result<Id, Error> {
    let mut by = bed.agency.clone();
    by.scope = Scope::tenant("soest");
    let Record::Case(mut case) = new_case(&by, unit, "neu") else { unreachable!() };
    (case.parent, case.meta.root) = (Some(parent), parent);
    Ok(bed.gateway.broker.submit(&by, create(Record::Case(case)), None).await?.meta().id)
}

fn why(exchange: &Exchange, id: Id) -> Option<&str> {
    exchange.objects.iter().find(|object| object.id == id)?.not_destroyed.as_deref()
}

fn gone(exchange: &Exchange) -> Vec<Id> {
    exchange.objects.iter().filter(|object| object.destroyed_at.is_some()).map(|object| object.id).collect()
}

#[tokio::test]
async fn objects_that_lie_in_one_another_or_in_another_disposition_are_not_offered() {
    let bed = Bed::start(Gateway::start().await).await;
    let nested = starts(&bed, ExchangeKind::Disposition, vec![bed.inner, bed.one]).await;
    assert_eq!(code(nested), "model.invalid");
    bed.begin(Opening::Usual).await;
    for id in [bed.one, bed.inner] {
        assert_eq!(code(starts(&bed, ExchangeKind::Disposition, vec![id]).await), "model.wrong-state");
        assert_eq!(code(starts(&bed, ExchangeKind::Handover, vec![id]).await), "model.wrong-state");
    }
}

#[tokio::test]
async fn what_holds_an_object_of_another_disposition_is_not_offered() {
    let bed = Bed::start(Gateway::start().await).await;
    starts(&bed, ExchangeKind::Disposition, vec![bed.inner]).await.unwrap();
    assert_eq!(code(starts(&bed, ExchangeKind::Disposition, vec![bed.one]).await), "model.wrong-state");
}

#[tokio::test]
async fn what_holds_something_open_is_not_offered() {
    let bed = Bed::start(Gateway::start().await).await;
    put_below(&bed, bed.one, "63").await.unwrap();
    assert_eq!(code(starts(&bed, ExchangeKind::Disposition, vec![bed.one]).await), "model.wrong-state");
}

#[tokio::test]
async fn what_is_offered_takes_no_change_until_the_exchange_is_done_with_it() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let amend = || Change::Amend(json!({ "title": "anders" }));
    for id in [bed.one, bed.inner] {
        assert_eq!(code(submit(&bed, id, amend()).await), "model.wrong-state");
        assert_eq!(code(submit(&bed, id, Change::Reopen).await), "model.wrong-state");
        assert_eq!(code(put_below(&bed, id, "63").await), "model.wrong-state");
    }
    bed.appraise(&[(bed.one, Archive), (bed.two, Archive)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    assert_eq!(code(submit(&bed, bed.one, amend()).await), "model.wrong-state");
    bed.import(bed.one, false).await;
    bed.import(bed.two, true).await;
    assert_eq!(code(submit(&bed, bed.two, Change::Reopen).await), "model.wrong-state", "to be destroyed");
    submit(&bed, bed.inner, amend()).await.unwrap();
    let refused = bed.case(bed.one).await;
    assert_eq!(refused.description().unwrap().in_disposition, None, "whoever works on it takes it out");
    starts(&bed, ExchangeKind::Disposition, vec![bed.one]).await.unwrap();
}

#[tokio::test]
async fn a_correction_to_what_it_lies_in_takes_the_exception_back() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Archive), (bed.inner, Destroy)]).await;
    assert_eq!(bed.there().await.exceptions.len(), 1);
    let inner = bed.there().await.exceptions[0].id;
    let corrected = bed.appraise(&[(bed.inner, Archive)]).await;
    assert_eq!(corrected.exceptions, []);
    let record = bed.gateway.broker.record(&bed.archive, RecordKind::Case, inner).await.unwrap();
    let retention = record.description().unwrap().retention.clone().unwrap();
    assert_eq!(retention.disposition, Some(Archive), "the record says so too");
    bed.appraise(&[(bed.two, Destroy)]).await;
    assert_eq!(bed.sent(sent.meta.id).await.exceptions, []);
}

#[tokio::test]
async fn what_is_appraised_before_that_which_it_lies_in_is_no_exception_if_both_are_the_same() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.inner, Archive)]).await;
    assert_eq!(bed.there().await.exceptions.len(), 1);
    assert_eq!(bed.appraise(&[(bed.one, Archive)]).await.exceptions, []);
    bed.appraise(&[(bed.two, Destroy)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    bed.import(bed.one, true).await;
    assert_eq!(gone(&bed.destroy(sent.meta.id).await.unwrap()), [bed.one, bed.two]);
}

#[tokio::test]
async fn a_bar_that_comes_after_the_call_keeps_its_object_and_the_exchange_tells_why() {
    on_every_engine(|database| async move {
        let bed = Bed::start(Gateway::on(database, Arc::new(SystemClock)).await).await;
        let sent = bed.begin(Opening::Usual).await;
        bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
        bed.gateway.broker.destroy(&bed.agency, sent.meta.id, vec![], None).await.unwrap();
        submit(&bed, bed.inner, Change::Hold("Klage".into())).await.unwrap();
        bed.gateway.broker.run_due_jobs().await.unwrap();
        let after = bed.sent(sent.meta.id).await;
        assert_eq!((gone(&after), why(&after, bed.one)), (vec![bed.two], Some("model.held")));
        let filter = RecordFilter { parent: Some(sent.meta.id), ..RecordFilter::of(RecordKind::Task) };
        let page = Page { after: None, limit: 9 };
        let tasks = bed.gateway.broker.records(&bed.agency, &filter, &page).await.unwrap().items;
        assert_eq!(tasks.len(), 1, "somebody has to look at it");
        submit(&bed, bed.inner, Change::LiftHold).await.unwrap();
        let after = bed.destroy(sent.meta.id).await.unwrap();
        assert_eq!((gone(&after), why(&after, bed.one)), (vec![bed.one, bed.two], None));
    })
    .await;
}

#[tokio::test]
async fn the_second_person_agrees_to_exactly_what_the_first_has_asked() {
    let rules = Rules { four_eyes: true, ..Rules::default() };
    let bed = Bed::start(Gateway::with_rules(rules, Arc::new(SystemClock)).await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    let mut second = bed.agency.clone();
    second.actor.id = "another".into();
    let (first, broker, id) = (&bed.agency, &bed.gateway.broker, sent.meta.id);
    let asked = |exchange: Exchange| exchange.destruction_asked.map(|asked| (asked.by, asked.objects));
    let ask = |by, objects| async move { broker.destroy(by, id, objects, None).await };
    let by_first = ask(first, vec![bed.one]).await.unwrap();
    assert_eq!(asked(by_first), Some((first.actor.id.clone(), vec![bed.one])));
    let other = ask(&second, vec![]).await.unwrap();
    assert_eq!(asked(other).unwrap().0, "another", "what is not the same is asked anew");
    broker.run_due_jobs().await.unwrap();
    assert!(gone(&bed.sent(id).await).is_empty(), "nobody has agreed to anything");
    assert_eq!(code(ask(&second, vec![]).await), "model.second-person");
    assert_eq!(asked(ask(first, vec![]).await.unwrap()), None, "agreed, and done with");
    broker.run_due_jobs().await.unwrap();
    assert_eq!(gone(&bed.sent(id).await), [bed.one, bed.two]);
}

#[tokio::test]
async fn what_belongs_to_another_unit_is_not_destroyed_by_one_that_does_not_see_it() {
    let bed = Bed::start(Gateway::start().await).await;
    let other = put_below(&bed, bed.one, "70").await.unwrap();
    let mut both = bed.agency.clone();
    both.scope = Scope::tenant("soest");
    bed.gateway.broker.submit(&both, change(RecordKind::Case, other, Change::Close), None).await.unwrap();
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    assert_eq!(code(bed.destroy(sent.meta.id).await), "model.forbidden");
    bed.gateway.broker.destroy(&both, sent.meta.id, vec![], None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(gone(&bed.sent(sent.meta.id).await), [bed.one, bed.two]);
}

#[tokio::test]
async fn nothing_comes_into_being_below_what_is_destroyed_and_what_is_locked_may_be_barred() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    bed.destroy(sent.meta.id).await.unwrap();
    assert_eq!(code(put_below(&bed, bed.one, "63").await), "model.wrong-state");

    let outer = bed.gateway.a_case(&bed.agency, "aussen").await.meta.id;
    let inside = put_below(&bed, outer, "63").await.unwrap();
    submit(&bed, outer, Change::Lock).await.unwrap();
    submit(&bed, inside, Change::Hold("Klage".into())).await.unwrap();
    assert_eq!(code(submit(&bed, inside, Change::Close).await), "model.locked");
}

#[tokio::test]
async fn what_another_exchange_was_done_with_is_offered_anew_and_out_of_reach_of_the_first() {
    let bed = Bed::start(Gateway::start().await).await;
    let first = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Archive), (bed.two, Destroy)]).await;
    bed.transfer(first.meta.id).await.unwrap();
    bed.import(bed.one, false).await;
    let second = starts(&bed, ExchangeKind::Disposition, vec![bed.inner]).await.unwrap();
    let by = |record: Record| record.description().unwrap().in_disposition;
    assert_eq!(by(bed.case(bed.one).await), None);
    assert_eq!(by(bed.case(bed.inner).await), Some(second.meta.id));
    assert_eq!(by(bed.case(bed.two).await), Some(first.meta.id), "still to be destroyed by the first");
}

#[tokio::test]
async fn what_lies_in_an_object_and_was_refused_keeps_that_object() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Archive), (bed.two, Archive)]).await;
    bed.transfer(sent.meta.id).await.unwrap();
    let reply = json!({ "toy": "0506", "process": sent.process_id,
        "results": [[bed.inner, false], [bed.one, true], [bed.two, true]] });
    assert_eq!(bed.replies(&reply).await, (MessageState::Confirmed, String::new()));
    let ended = bed.sent(sent.meta.id).await;
    assert_eq!(ended.status, ExchangeStatus::PartlyConfirmed);
    let result = ended.objects[0].result.clone().unwrap();
    assert_eq!((result.successful, result.messages), (false, vec![bed.inner.to_string()]));
    assert_eq!(gone(&bed.destroy(sent.meta.id).await.unwrap()), [bed.two]);
}

#[tokio::test]
async fn what_is_destroyed_is_in_no_kept_answer() {
    on_every_engine(|database| async move {
        let bed = Bed::start(Gateway::on(database, Arc::new(SystemClock)).await).await;
        let once = Once::new("k".into(), "d".into());
        let amend =
            || change(RecordKind::Case, bed.inner, Change::Amend(json!({ "note": "streng vertraulich" })));
        bed.gateway.broker.submit(&bed.agency, amend(), Some(&once)).await.unwrap();
        bed.gateway.broker.submit(&bed.agency, amend(), Some(&once)).await.unwrap();
        let sent = bed.begin(Opening::Usual).await;
        bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
        bed.destroy(sent.meta.id).await.unwrap();
        let again = bed.gateway.broker.submit(&bed.agency, amend(), Some(&once)).await;
        assert_eq!(code(again), "broker.answer-not-kept");
    })
    .await;
}

#[tokio::test]
async fn another_appraisal_of_what_is_destroyed_or_was_taken_out_waits_for_a_human() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let appraisals = |all: Value| json!({ "toy": "0502", "process": sent.process_id, "id": Id::now_v7(), "appraisals": all });
    let parked = (MessageState::Parked, "exchange.contradiction".to_owned());
    let confirmed = (MessageState::Confirmed, String::new());
    let first = appraisals(json!([[bed.one, "appraise"], [bed.two, "destroy"]]));
    assert_eq!(bed.replies(&first).await, confirmed);
    assert_eq!(gone(&bed.destroy(sent.meta.id).await.unwrap()), [bed.two]);
    assert_eq!(bed.replies(&appraisals(json!([[bed.two, "archive"]]))).await, parked);
    assert_eq!(bed.replies(&appraisals(json!([[bed.two, "destroy"]]))).await, confirmed, "says the same");

    submit(&bed, bed.one, Change::Reopen).await.unwrap();
    assert_eq!(bed.replies(&appraisals(json!([[bed.one, "archive"]]))).await, parked);
    assert_eq!(bed.replies(&appraisals(json!([[bed.inner, "destroy"]]))).await, parked);
    let before = bed.case(bed.one).await;
    assert_eq!(bed.replies(&appraisals(json!([[bed.one, "appraise"]]))).await, confirmed);
    assert_eq!(bed.case(bed.one).await, before, "it is no longer the exchange's");
    let twice = appraisals(json!([[bed.two, "destroy"], [bed.two, "archive"]]));
    assert_eq!(bed.replies(&twice).await, parked);
}

#[tokio::test]
async fn what_lies_in_one_object_of_a_file_does_not_keep_another() {
    let bed = Bed::start(Gateway::start().await).await;
    let file = bed.gateway.a_case(&bed.agency, "Akte").await.meta.id;
    let (one, two) = (put_below(&bed, file, "63").await.unwrap(), put_below(&bed, file, "63").await.unwrap());
    let inner = put_below(&bed, one, "63").await.unwrap();
    for id in [inner, one, two] {
        submit(&bed, id, Change::Close).await.unwrap();
    }
    let sent = starts(&bed, ExchangeKind::Disposition, vec![one, two]).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let reply = json!({ "toy": "0502", "process": sent.process_id,
        "appraisals": [[one, "destroy"], [inner, "appraise"], [two, "destroy"]] });
    assert_eq!(bed.replies(&reply).await, (MessageState::Confirmed, String::new()));
    assert_eq!(gone(&bed.destroy(sent.meta.id).await.unwrap()), [two]);
    assert_eq!(bed.case(one).await.status(), "closed");
}

#[tokio::test]
async fn messages_of_other_processes_lose_what_is_destroyed_too() {
    let bed = Bed::start(Gateway::start().await).await;
    let shown = starts(&bed, ExchangeKind::Submission, vec![bed.one, bed.two]).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let sent = bed.begin(Opening::Usual).await;
    let reply = json!({ "toy": "0502", "process": sent.process_id,
        "appraisals": [[bed.one, "destroy"], [bed.two, "destroy"]] });
    bed.replies(&reply).await;
    let content = || bed.gateway.broker.message_content(&bed.agency, shown.messages[0].id);
    bed.gateway.broker.destroy(&bed.agency, sent.meta.id, vec![bed.one], None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    assert!(content().await.is_ok(), "half of it is still there");
    bed.destroy(sent.meta.id).await.unwrap();
    assert!(content().await.is_err());
}

/// A clock that stands still once, when it was asked so often, until it is let go.
struct Standing {
    left: AtomicI64,
    stands: Barrier,
    goes: Barrier,
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.stands.wait();
            self.goes.wait();
        }
        SystemClock.now()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bar_that_comes_between_two_slices_keeps_the_rest_and_what_is_gone_is_told_by_no_event() {
    let left = AtomicI64::new(i64::MAX);
    let clock = Arc::new(Standing { left, stands: Barrier::new(2), goes: Barrier::new(2) });
    let bed = Bed::start(Gateway::with_rules(Rules::default(), clock.clone()).await).await;
    let mut below = vec![];
    for _ in 0..120 {
        let id = put_below(&bed, bed.two, "63").await.unwrap();
        submit(&bed, id, Change::Close).await.unwrap();
        below.push(id);
    }
    let sent = bed.begin(Opening::Usual).await;
    bed.appraise(&[(bed.one, Destroy), (bed.two, Destroy)]).await;
    bed.gateway.broker.destroy(&bed.agency, sent.meta.id, vec![bed.two], None).await.unwrap();
    clock.left.store(60, Ordering::SeqCst);
    let broker = bed.gateway.broker.clone();
    let job = tokio::spawn(async move { broker.run_due_jobs().await.unwrap() });
    let stands = clock.clone();
    tokio::task::spawn_blocking(move || stands.stands.wait()).await.unwrap();
    // The innermost go first, the last of them at first.
    submit(&bed, below[0], Change::Hold("Klage".into())).await.unwrap();
    tokio::task::spawn_blocking(move || clock.goes.wait()).await.unwrap();
    job.await.unwrap();

    let after = bed.sent(sent.meta.id).await;
    assert_eq!((gone(&after), why(&after, bed.two)), (vec![], Some("model.held")));
    let is_gone = |record: &Record| record.status() == "destroyed";
    assert!(is_gone(&bed.case(below[119]).await) && !is_gone(&bed.case(below[0]).await));
    let page = Page { after: None, limit: 50 };
    let kinds = |id: Id| {
        let timeline = bed.gateway.broker.record_timeline(&bed.agency, id, &page);
        async { timeline.await.unwrap().into_iter().map(|(_, event)| event.kind).collect::<Vec<_>>() }
    };
    assert_eq!(kinds(below[119]).await, [EventKind::RecordDestroyed]);
    assert!(kinds(below[0]).await.contains(&EventKind::RecordCreated), "what stays keeps its account");
}
