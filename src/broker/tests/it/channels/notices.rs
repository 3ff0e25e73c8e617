//! Notices to citizens: what goes on by another way and what does not, when they wait, and that nothing goes twice.

use std::collections::BTreeMap;
use std::time::Duration;

use broker::Error;
use model::activity::{
    Addressee, Dispatch, DispatchKind, DispatchStatus, DispatchStep, Notice, ProofKind, StepProof,
};
use model::adapter::Receipt;
use model::case::Case;
use model::command::{Change, Command};
use model::payment::day::german_clock;
use model::record::Meta;
use model::sending::{Clock, Quiet, Sending};
use model::testkit::a_dispatch;
use model::{Clock as _, EventKind, FailureKind, Id, Record, RecordKind, Scope, Timestamp, ids};

use super::bed::{Bed, DMS, FOLLOWS, Fault, Scripted};
use crate::engines::on_every_engine;
use crate::house::create;

/// Ways of the two adapters: `dms` pushes, `post` sends e-mails.
const WAYS: [&str; 2] = ["push", "mail"];

fn dispatch(case: &Case, kind: DispatchKind, way: &str) -> Dispatch {
    Dispatch {
        meta: Meta { id: ids::new_id(), ..case.meta.clone() },
        case_id: case.meta.id,
        way: Some(way.into()),
        to: Some(Addressee {
            email: Some("erika@post.example".into()),
            phone: Some("+492921300".into()),
            ..Addressee::default()
        }),
        ..a_dispatch(kind)
    }
}

fn notice(case: &Case, way: &str, otherwise: &[&str]) -> Dispatch {
    let notice =
        Notice { subject: "Neues zu Ihrem Vorgang".into(), text: "Es gibt Neues.".into(), link: None };
    Dispatch {
        notice: Some(notice),
        otherwise: otherwise.iter().map(|way| (*way).to_owned()).collect(),
        ..dispatch(case, DispatchKind::Notification, way)
    }
}

async fn sent(bed: &Bed, it: Dispatch) -> Id {
    bed.submit(Record::Dispatch(it)).await.meta().id
}

async fn read(bed: &Bed, id: Id) -> Dispatch {
    match bed.record(RecordKind::Dispatch, id).await {
        Record::Dispatch(it) => it,
        other => panic!("{other:?}"),
    }
}

/// All dispatches, the oldest first.
async fn all(bed: &Bed) -> Vec<Dispatch> {
    let all = bed.all(RecordKind::Dispatch).await.into_iter();
    let mut all: Vec<Dispatch> = all
        .filter_map(|record| match record {
            Record::Dispatch(it) => Some(it),
            _ => None,
        })
        .collect();
    all.sort_by_key(|it| (it.meta.created_at, it.instead_of.is_some()));
    all
}

async fn told_step(bed: &Bed, id: Id, kind: DispatchStatus) -> Result<Record, Error> {
    told_at(bed, id, kind, bed.clock.now()).await
}

async fn told_at(bed: &Bed, id: Id, kind: DispatchStatus, at: Timestamp) -> Result<Record, Error> {
    let step = DispatchStep { kind, at };
    let change = Change::DispatchStep(step, None);
    let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
    bed.broker.submit(&bed.ours, command, None).await
}

async fn kinds_of_tasks(bed: &Bed) -> Vec<String> {
    bed.open_tasks().await.into_iter().map(|task| task.kind).collect()
}

#[tokio::test]
async fn a_notice_whose_way_fails_for_good_goes_on_by_the_next() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        bed.dms.fails(&[Fault::Before(FailureKind::Rejected)]);
        let first = sent(&bed, notice(&case, "push", &["fax", "mail", "call"])).await;
        bed.run().await;
        let all = all(&bed).await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((all[0].meta.id, all[0].status), (first, DispatchStatus::Failed));
        let next = &all[1];
        assert_eq!((next.instead_of, next.way.as_deref()), (Some(first), Some("mail")), "nobody carries fax");
        assert_eq!(
            (&next.notice, next.otherwise.as_slice()),
            (&all[0].notice, ["call".to_owned()].as_slice())
        );
        assert_eq!(bed.post.told().iter().map(|told| told.record.1).collect::<Vec<_>>(), [next.meta.id]);
        assert!(bed.open_tasks().await.is_empty() && bed.waiting().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_may_have_arrived_goes_by_no_other_way() {
    let bed = Bed::carrying(None, WAYS, Sending::default()).await;
    let case = bed.case("Neubau").await;
    bed.dms.fails(&[Fault::Before(FailureKind::Uncertain)]);
    bed.dms.set(|state| state.by_title.insert(String::new(), FailureKind::Uncertain));
    sent(&bed, notice(&case, "push", &["mail"])).await;
    bed.run().await;
    bed.patience_ends().await;
    assert_eq!((all(&bed).await.len(), bed.post.told().len()), (1, 0));
}

/// However the answer to the question fails, it says nothing of the delivery.
#[tokio::test]
async fn what_nobody_knows_of_waits_for_a_human_and_goes_by_no_other_way() {
    for answered in [FailureKind::Permanent, FailureKind::Unauthorised] {
        on_every_engine(move |database| async move {
            let bed = Bed::carrying(database, WAYS, Sending::default()).await;
            let case = bed.case("Neubau").await;
            bed.dms.fails(&[Fault::Lost]);
            bed.dms.set(|state| state.unasked = Some(answered));
            let first = sent(&bed, notice(&case, "push", &["mail"])).await;
            bed.run().await;
            bed.later(Duration::from_secs(60)).await;
            let parked = bed.waiting().await.into_iter().filter(|row| row.parked.is_some()).count();
            assert_eq!((parked, all(&bed).await.len(), bed.post.told().len()), (1, 1, 0), "{answered:?}");
            assert_eq!(read(&bed, first).await.status, DispatchStatus::Open);
        })
        .await;
    }
}

#[tokio::test]
async fn what_may_have_arrived_when_its_time_is_over_goes_by_no_other_way() {
    let bed = Bed::carrying(None, WAYS, Sending::default()).await;
    let case = bed.case("Neubau").await;
    bed.dms.fails(&[Fault::Before(FailureKind::Uncertain)]);
    sent(&bed, notice(&case, "push", &["mail"])).await;
    bed.run().await;
    // Whoever is asked does not know of it (yet), and it is too late to tell it again.
    bed.damage("UPDATE job SET expires_at = 1 WHERE expires_at IS NOT NULL").await;
    bed.later(Duration::from_secs(60)).await;
    let parked = bed.waiting().await.into_iter().filter(|row| row.parked.is_some()).count();
    assert_eq!((parked, all(&bed).await.len(), bed.post.told().len()), (1, 1, 0));
}

#[tokio::test]
async fn a_way_that_is_told_to_have_failed_later_is_left_once() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let first = sent(&bed, notice(&case, "mail", &["call"])).await;
        bed.run().await;
        told_step(&bed, first, DispatchStatus::Posted).await.unwrap();
        bed.clock.advance(Duration::from_secs(60));
        // It failed, arrived after all, and came back: each is noted, and leads to one other way.
        for kind in [DispatchStatus::Failed, DispatchStatus::Provided, DispatchStatus::Returned] {
            told_step(&bed, first, kind).await.unwrap();
            bed.clock.advance(Duration::from_secs(60));
        }
        bed.run().await;
        assert_eq!((all(&bed).await.len(), read(&bed, first).await.steps.len()), (2, 4));
        let tasks = bed.open_tasks().await;
        assert_eq!(tasks.iter().map(|task| task.kind.as_str()).collect::<Vec<_>>(), ["call"]);
        assert!(tasks[0].due.is_some() && tasks[0].case_id == Some(case.meta.id));
    })
    .await;
}

/// Documents tell days, and clocks of others go wrong.
#[tokio::test]
async fn what_came_back_is_seen_though_its_time_is_before_that_of_its_posting() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let now = bed.clock.now();
        let before = Timestamp::from_micros(now.micros() - 8 * 3_600_000_000);
        let formal = sent(&bed, dispatch(&case, DispatchKind::FormalService, "mail")).await;
        told_at(&bed, formal, DispatchStatus::Posted, now).await.unwrap();
        told_at(&bed, formal, DispatchStatus::Returned, before).await.unwrap();
        assert_eq!(kinds_of_tasks(&bed).await, ["dispatch.came-back"]);
        // Posted once more, to the right address, and back again.
        let later = Timestamp::from_micros(now.micros() + 1_000_000);
        told_at(&bed, formal, DispatchStatus::Posted, later).await.unwrap();
        told_at(&bed, formal, DispatchStatus::Returned, later).await.unwrap();
        assert_eq!(kinds_of_tasks(&bed).await, ["dispatch.came-back"; 2]);
        let bounced = sent(&bed, notice(&case, "mail", &["push"])).await;
        told_at(&bed, bounced, DispatchStatus::Posted, now).await.unwrap();
        told_at(&bed, bounced, DispatchStatus::Failed, before).await.unwrap();
        let next = all(&bed).await.into_iter().find(|it| it.instead_of.is_some());
        assert_eq!(next.map(|it| it.way), Some(Some("push".into())));
    })
    .await;
}

#[tokio::test]
async fn a_task_to_call_ends_its_dispatch_however_many_are_open() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let called = sent(&bed, notice(&case, "call", &[])).await;
        let more = (0..250).map(|_| Dispatch { way: None, ..dispatch(&case, DispatchKind::Disclosure, "x") });
        futures::future::join_all(more.map(|it| sent(&bed, it))).await;
        let task = bed.open_tasks().await.into_iter().find(|task| task.kind == "call").unwrap();
        let change = Change::CompleteTask(None);
        let command = Command { kind: RecordKind::Task, id: task.meta.id, expected: None, change };
        bed.broker.submit(&bed.ours, command, None).await.unwrap();
        assert_eq!(read(&bed, called).await.status, DispatchStatus::Provided);
    })
    .await;
}

#[tokio::test]
async fn whom_only_a_letter_reaches_somebody_writes_to() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let to = Addressee { lines: vec!["Erika Mustermann".into(), "Weg 1".into()], ..Addressee::default() };
        let by_post = Dispatch { to: Some(to), ..notice(&case, "push", &["mail", "call", "letter"]) };
        let first = sent(&bed, by_post).await;
        told_step(&bed, first, DispatchStatus::Failed).await.unwrap();
        let [task] = <[_; 1]>::try_from(bed.open_tasks().await).unwrap();
        assert_eq!((task.kind.as_str(), task.due.is_some()), ("letter", true));
        let change = Change::CompleteTask(None);
        let command = Command { kind: RecordKind::Task, id: task.meta.id, expected: None, change };
        bed.broker.submit(&bed.ours, command, None).await.unwrap();
        let letter = all(&bed).await.into_iter().find(|it| it.instead_of.is_some()).unwrap();
        assert_eq!((letter.way.as_deref(), letter.status), (Some("letter"), DispatchStatus::Posted));
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_task_to_call_is_that_of_the_dispatch() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let ends = [
            (Change::CompleteTask(None), DispatchStatus::Provided, 0),
            (Change::CancelTask, DispatchStatus::Failed, 1),
        ];
        for (end, status, told) in ends {
            let id = sent(&bed, notice(&case, "call", &["mail"])).await;
            let task = bed.open_tasks().await.into_iter().find(|task| task.kind == "call").unwrap();
            let command = Command { kind: RecordKind::Task, id: task.meta.id, expected: None, change: end };
            bed.broker.submit(&bed.ours, command, None).await.unwrap();
            bed.run().await;
            assert_eq!((read(&bed, id).await.status, bed.post.told().len()), (status, told));
        }
        assert!(bed.open_tasks().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn with_no_way_left_a_clerk_is_asked() {
    let bed = Bed::carrying(None, WAYS, Sending::default()).await;
    let case = bed.case("Neubau").await;
    let unreached = Dispatch { to: Some(Addressee::default()), ..notice(&case, "push", &["mail", "call"]) };
    let first = sent(&bed, unreached).await;
    told_step(&bed, first, DispatchStatus::Failed).await.unwrap();
    assert_eq!(kinds_of_tasks(&bed).await, ["dispatch.no-way-left"]);
    assert_eq!(all(&bed).await.len(), 1);
}

#[tokio::test]
async fn disclosure_and_formal_service_never_go_by_another_way_by_themselves() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let document = bed.document(&case, "Bescheid", "Der Bescheid").await;
        let with_document = |kind| Dispatch { documents: vec![document], ..dispatch(&case, kind, "mail") };
        let all_kinds = [DispatchKind::Notification, DispatchKind::Disclosure, DispatchKind::FormalService];
        for (at, kind) in all_kinds.into_iter().enumerate() {
            let refused = Dispatch { otherwise: vec!["push".into()], ..with_document(kind) };
            let refused = bed.broker.submit(&bed.ours, create(Record::Dispatch(refused)), None).await;
            assert!(matches!(refused, Err(Error::Model(model::Error::Invalid { .. }))), "{refused:?}");
            let id = sent(&bed, with_document(kind)).await;
            bed.run().await;
            told_step(&bed, id, DispatchStatus::Returned).await.unwrap();
            bed.run().await;
            assert_eq!(kinds_of_tasks(&bed).await, vec!["dispatch.came-back"; at + 1]);
            assert_eq!((read(&bed, id).await.kind, all(&bed).await.len()), (kind, at + 1));
        }
        // What its adapter refuses waits for a human as ever.
        bed.post.fails(&[Fault::Before(FailureKind::Permanent)]);
        let parked = sent(&bed, with_document(DispatchKind::FormalService)).await;
        bed.run().await;
        assert_eq!(read(&bed, parked).await.status, DispatchStatus::Open);
        assert_eq!(bed.waiting().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_has_to_wait_for_its_time_keeps_nobody_waiting() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let case = bed.case("Neubau").await;
        let hour = Duration::from_secs(3_600);
        let later = Dispatch { not_before: Some(bed.clock.now().plus(hour)), ..notice(&case, "push", &[]) };
        let (later, now) = (sent(&bed, later).await, sent(&bed, notice(&case, "push", &[])).await);
        bed.run().await;
        let told = || bed.dms.told().iter().map(|told| told.record.1).collect::<Vec<_>>();
        assert_eq!(told(), [now]);
        bed.later(hour / 2).await;
        assert_eq!(told(), [now]);
        bed.later(hour).await;
        assert_eq!(told(), [now, later]);
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}

/// A house whose way is quiet for an hour from now, and was for an hour.
fn quiet(bed_now: model::Timestamp, way: &str) -> Sending {
    let hour = Duration::from_secs(3_600);
    let now = german_clock(bed_now).time();
    let quiet = Quiet { from: Clock(now - hour), until: Clock(now + hour), sundays: false };
    Sending { quiet: BTreeMap::from([(way.to_owned(), quiet)]), ..Sending::default() }
}

#[tokio::test]
async fn a_notice_waits_for_the_end_of_the_quiet_time_and_a_disclosure_does_not() {
    on_every_engine(|database| async move {
        let sending = quiet(model::SystemClock.now(), "push");
        let bed = Bed::carrying(database, WAYS, sending).await;
        let case = bed.case("Neubau").await;
        let quietly = sent(&bed, notice(&case, "push", &["mail"])).await;
        let loudly = sent(&bed, dispatch(&case, DispatchKind::Disclosure, "push")).await;
        bed.run().await;
        let told = || bed.dms.told().iter().map(|told| told.record.1).collect::<Vec<_>>();
        assert_eq!(told(), [loudly]);
        bed.later(Duration::from_secs(3_700)).await;
        assert_eq!(told(), [loudly, quietly]);
    })
    .await;
}

#[tokio::test]
async fn a_notice_that_goes_on_by_a_quiet_way_says_when() {
    let bed = Bed::carrying(None, WAYS, quiet(model::SystemClock.now(), "mail")).await;
    let case = bed.case("Neubau").await;
    let first = sent(&bed, notice(&case, "push", &["mail"])).await;
    bed.run().await;
    told_step(&bed, first, DispatchStatus::Failed).await.unwrap();
    bed.run().await;
    assert!(all(&bed).await[1].not_before.is_some() && bed.post.told().is_empty());
    bed.later(Duration::from_secs(3_700)).await;
    assert_eq!(bed.post.told().len(), 1);
}

#[tokio::test]
async fn what_follows_from_an_event_comes_into_being_once_though_the_gateway_ends_between() {
    on_every_engine(|database| async move {
        let bed = Bed::with(database, Scripted::new(DMS, FOLLOWS), Scope::tenant("soest")).await;
        bed.dms.set(|state| {
            state.answer = Some(Box::new(|delivery| {
                let about = delivery.about.as_deref().unwrap();
                let Record::Case(case) = &about.record else { return Receipt::nothing() };
                let mut it = notice(case, "call", &[]);
                it.meta.id = ids::derived_id(delivery.id, "notice:0");
                let (id, change) = (it.meta.id, Change::Create(Box::new(Record::Dispatch(it))));
                let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
                Receipt { commands: vec![command], ..Receipt::default() }
            }));
        });
        bed.dms.fails(&[Fault::Silent]);
        bed.case("Neubau").await;
        bed.dies_in_a_call(&bed.dms).await;
        bed.run().await;
        assert_eq!(all(&bed).await.len(), 1);
        assert_eq!(kinds_of_tasks(&bed).await, ["call"]);
        bed.restart().await;
        bed.run().await;
        assert_eq!((all(&bed).await.len(), bed.open_tasks().await.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_notice_makes_no_letter_and_only_a_notice_is_called() {
    let bed = Bed::carrying(None, ["print", "mail"], Sending::default()).await;
    let case = bed.case("Neubau").await;
    let submit = async |it| bed.broker.submit(&bed.ours, create(Record::Dispatch(it)), None).await;
    let refused = submit(notice(&case, "print", &[])).await;
    assert!(matches!(refused, Err(Error::NoLetter)), "{refused:?}");
    let refused = submit(dispatch(&case, DispatchKind::Disclosure, "call")).await;
    assert!(matches!(refused, Err(Error::UnknownWay)), "{refused:?}");
}

#[tokio::test]
async fn a_proof_lies_in_the_tree_of_the_case_and_stands_in_the_event() {
    on_every_engine(|database| async move {
        let bed = Bed::carrying(database, WAYS, Sending::default()).await;
        let (case, other) = (bed.case("Neubau").await, bed.case("Anbau").await);
        let urkunde = bed.document(&case, "Zustellungsurkunde", "PZU").await;
        let foreign = bed.document(&other, "Zustellungsurkunde", "PZU").await;
        let id =
            sent(&bed, Dispatch { way: None, ..dispatch(&case, DispatchKind::FormalService, "x") }).await;
        let step = DispatchStep { kind: DispatchStatus::Provided, at: bed.clock.now() };
        let proven = async |document| {
            let proof = StepProof { step, kind: ProofKind::PostalRecord, document: Some(document) };
            let change = Change::ProvenStep(proof);
            let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
            bed.broker.submit(&bed.ours, command, None).await
        };
        let refused = proven(foreign).await;
        assert!(matches!(refused, Err(Error::Model(model::Error::Invalid { field: "document" }))));
        assert_eq!(proven(urkunde).await.unwrap().status(), "provided");
        let events = bed.timeline(id).await;
        let told = events.iter().find(|event| event.kind == EventKind::RecordChanged).unwrap();
        let proofs = &told.changes.as_ref().unwrap()["proofs"];
        assert_eq!(proofs[0]["kind"], "postalRecord");
        assert_eq!(proofs[0]["document"], urkunde.to_string());
        assert_eq!(told.actor, bed.ours.actor);
    })
    .await;
}
