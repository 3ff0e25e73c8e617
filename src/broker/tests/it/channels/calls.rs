//! Calls: a number proposes and never files, whoever calls how often; what somebody was promised stays promised.

use std::sync::Arc;
use std::time::Duration;

use broker::Filing;
use model::activity::{Call, CallDirection, CallState, InteractionStatus, Task};
use model::adapter::Host;
use model::case::Case;
use model::command::{Change, Forward};
use model::letter::{HintKind, Letter};
use model::record::Meta;
use model::{Clock, Record, RecordKind, Timestamp, ids};
use serde_json::json;

use super::bed::{Bed, a_document, hint};
use crate::engines::on_every_engine;
use crate::house::{caller, change};

const NUMBER: &str = "+492921300";

async fn host(bed: &Bed) -> Arc<dyn Host> {
    bed.broker.enqueue_sessions().await.unwrap();
    bed.later(Duration::from_secs(61)).await;
    bed.post.host()
}

async fn of_caller(bed: &Bed, title: &str) -> Case {
    let case = bed.case(title).await;
    let parties = json!({ "parties": [{ "contacts": [{ "channel": "phone", "value": "02921 300" }] }] });
    let amend = change(RecordKind::Case, case.meta.id, Change::Amend(parties));
    bed.broker.submit(&bed.ours, amend, None).await.unwrap();
    case
}

fn a_call(key: &str, at: Timestamp) -> Letter {
    let call = Call {
        direction: CallDirection::Incoming,
        number: Some(NUMBER.into()),
        extension: None,
        state: CallState::Ringing,
        wait_seconds: None,
        duration_seconds: None,
        reference: Some(key.into()),
        task: None,
    };
    Letter {
        key: format!("call:{key}"),
        way: "call".into(),
        received_at: at,
        call: Some(Box::new(call)),
        // However sure somebody says it is.
        hints: vec![hint(HintKind::Phone, NUMBER, 100)],
        ..Letter::default()
    }
}

#[tokio::test]
async fn a_number_proposes_cases_and_never_files() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = of_caller(&bed, "Neubau").await;
        let host = host(&bed).await;
        for key in ["1", "2", "3"] {
            let taken = host.take_in(a_call(key, bed.clock.now())).await.unwrap();
            assert_eq!((taken.case, taken.again), (None, false));
            let Record::Interaction(it) = bed.record(RecordKind::Interaction, taken.interaction).await else {
                panic!("a contact")
            };
            assert_eq!(it.status, InteractionStatus::Open);
            let proposed: Vec<_> = it.proposals.iter().map(|it| (it.record, it.because)).collect();
            assert_eq!(proposed, [(case.meta.id, HintKind::Phone)], "{key}: calls are no cases");
        }
        assert!(host.take_in(a_call("1", bed.clock.now())).await.unwrap().again);
        assert!(bed.open_tasks().await.is_empty(), "whoever took the call says where it belongs");

        let known = bed.broker.known_number(&bed.ours, NUMBER).await.unwrap();
        assert_eq!((known.cases.len(), known.calls.len()), (1, 3));
        assert!(known.calls[0].meta().id > known.calls[2].meta().id, "the newest first");
        for (tenant, unit) in [("soest", "70"), ("lippstadt", "63")] {
            let known = bed.broker.known_number(&caller(tenant, unit), NUMBER).await.unwrap();
            assert!(known.cases.is_empty() && known.calls.is_empty(), "{tenant} {unit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_moves_on_until_it_is_over() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let host = host(&bed).await;
        let letter = a_call("1", bed.clock.now());
        let first = letter.call.clone().unwrap();
        let id = host.take_in(letter).await.unwrap().interaction;
        let moved = |state| {
            let call = Call { state, ..(*first).clone() };
            change(RecordKind::Interaction, id, Change::Call(Box::new(call)))
        };
        host.submit("a", moved(CallState::Answered)).await.unwrap();
        host.submit("b", moved(CallState::Ended)).await.unwrap();
        host.submit("b", moved(CallState::Ended)).await.unwrap();
        assert!(host.submit("c", moved(CallState::Missed)).await.is_err(), "it stays as it ended");
        assert_eq!(bed.timeline(id).await.len(), 3);
    })
    .await;
}

fn call_back(of: &Meta, due: Option<Timestamp>) -> Task {
    let meta = Meta { id: ids::new_id(), ..of.clone() };
    Task { case_id: Some(of.id), due, ..Task::new(meta, "call-back", "Rückruf") }
}

async fn case_of(bed: &Bed, id: model::Id) -> Case {
    match bed.record(RecordKind::Case, id).await {
        Record::Case(case) => case,
        _ => panic!("a case"),
    }
}

async fn promised(bed: &Bed) -> Vec<(String, String, Option<Timestamp>)> {
    let open = bed.open_tasks().await.into_iter();
    open.map(|task| (task.meta.unit, task.kind, task.due)).collect()
}

#[tokio::test]
async fn what_somebody_was_promised_is_promised_until_it_is_kept() {
    on_every_engine(|database| async move {
        let mut bed = Bed::new(database).await;
        bed.ours.scope.units = model::rights::Within::All;
        let case = bed.case("Neubau").await;
        let host = host(&bed).await;
        let at = Timestamp::parse("2026-12-04T16:00:00Z").unwrap();
        let id = host.take_in(a_call("1", at)).await.unwrap().interaction;
        let contact = bed.record(RecordKind::Interaction, id).await;
        let due = Some(Timestamp::parse("2026-12-07T08:00:00Z").unwrap());
        bed.submit(Record::Task(call_back(contact.meta(), due))).await;
        bed.file(id, Filing::To("70".into())).await.unwrap();
        let mut tasks = promised(&bed).await;
        tasks.sort();
        assert_eq!(tasks[0], ("70".into(), "call-back".into(), due), "of the next unit, at the same time");
        assert_eq!((tasks[1].0.as_str(), tasks[1].1.as_str()), ("70", "letter"));

        let forward = Forward {
            unit: "63".into(),
            public_service: None,
            concern: Some("Stand".into()),
            answer_by: Some("mail".into()),
        };
        bed.file(id, Filing::On(Box::new(forward), Duration::from_secs(24 * 3_600))).await.unwrap();
        // 24 hours of service after Friday 17:00 would be on Wednesday: who was told Monday is not called later.
        assert_eq!(promised(&bed).await, [("63".into(), "forwarded".into(), due)]);
        bed.file(id, Filing::Into(case.meta.id)).await.unwrap();
        assert_eq!(promised(&bed).await.len(), 1, "to know where it belongs is not to have answered");
    })
    .await;
}

#[tokio::test]
async fn what_needs_no_case_is_called_back_all_the_same() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let host = host(&bed).await;
        let id = host.take_in(a_call("1", bed.clock.now())).await.unwrap().interaction;
        let contact = bed.record(RecordKind::Interaction, id).await;
        bed.submit(Record::Task(call_back(contact.meta(), None))).await;
        bed.file(id, Filing::Dismissed).await.unwrap();
        assert_eq!(promised(&bed).await, [("63".into(), "call-back".into(), None)]);
    })
    .await;
}

#[tokio::test]
async fn a_case_is_found_however_many_documents_name_its_party() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = of_caller(&bed, "Neubau").await;
        for number in 0..12 {
            let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
            let mut document = a_document(meta, Some(case.meta.id), &number.to_string());
            document.description.parties.clone_from(&case_of(&bed, case.meta.id).await.description.parties);
            bed.submit(Record::Document(document)).await;
        }
        let host = host(&bed).await;
        let taken = host.take_in(a_call("1", bed.clock.now())).await.unwrap();
        let Record::Interaction(it) = bed.record(RecordKind::Interaction, taken.interaction).await else {
            panic!("a contact")
        };
        assert_eq!(it.proposals.iter().map(|it| it.record).collect::<Vec<_>>(), [case.meta.id]);
        let known = bed.broker.known_number(&bed.ours, NUMBER).await.unwrap();
        assert_eq!(known.cases.iter().map(|it| it.meta().id).collect::<Vec<_>>(), [case.meta.id]);
    })
    .await;
}
