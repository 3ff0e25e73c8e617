//! Post: into the case that it names for sure, else onto a desk; each letter once, whatever breaks off.

use std::sync::Arc;

use broker::{Error, Filing, Keeping};
use model::activity::{Interaction, InteractionStatus, Task};
use model::adapter::Host;
use model::case::Case;
use model::command::Change;
use model::letter::{HintKind, SURE, TakenIn};
use model::record::Meta;
use model::{Caller, EventKind, FailureKind, Id, Record, RecordKind, Scope, Timestamp};
use serde_json::json;

use super::bed::{Bed, a_letter, detail, hint, kept, kinds};
use super::imports::{MINUTE, receive};
use crate::engines::on_every_engine;
use crate::house::{caller, change};
use crate::payments::till::Till;

async fn host(bed: &Bed) -> Arc<dyn Host> {
    bed.broker.enqueue_sessions().await.unwrap();
    bed.later(std::time::Duration::from_secs(61)).await;
    bed.post.host()
}

async fn named(bed: &Bed, title: &str, reference: &str) -> Case {
    let case = bed.case(title).await;
    let assign = change(RecordKind::Case, case.meta.id, Change::AssignReference(reference.into()));
    bed.broker.submit(&bed.ours, assign, None).await.unwrap();
    case
}

async fn contact(bed: &Bed, id: Id) -> Interaction {
    match bed.record(RecordKind::Interaction, id).await {
        Record::Interaction(it) => it,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_letter_that_names_one_case_for_sure_goes_into_it() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = named(&bed, "Neubau", "63-1/26").await;
        let by_other = json!({ "references": [{ "kind": "Baustelle", "value": "B 17" }] });
        let amend = change(RecordKind::Case, case.meta.id, Change::Amend(by_other));
        bed.broker.submit(&bed.ours, amend, None).await.unwrap();
        bed.run().await;
        for (key, value) in [("l-1", "63-1/26"), ("l-2", "B 17")] {
            let host = host(&bed).await;
            let letter = a_letter(&host, key, vec![hint(HintKind::RecordReference, value, SURE)]).await;
            let taken = host.take_in(letter).await.unwrap();
            assert_eq!((taken.case, taken.again), (Some(case.meta.id), false), "{key}");
            let it = contact(&bed, taken.interaction).await;
            assert_eq!(
                (it.status, it.meta.root, it.documents.len()),
                (InteractionStatus::Filed, case.meta.id, 1)
            );
            assert_eq!(it.meta.public_service, case.meta.public_service);
            bed.run().await;
            let told = bed.dms.told().pop().unwrap();
            assert_eq!((told.record.1, told.above.clone()), (it.documents[0], vec![case.meta.id]));
            assert_eq!(told.bytes, [b"%PDF-1.7 Brief"]);
            let events = bed.timeline(taken.interaction).await;
            assert_eq!(events[0].case_id, Some(case.meta.id), "in the evidence of the case");
            assert_eq!(detail(&events, EventKind::RecordCreated)["proof"], json!({ "batch": "b-1" }));
            assert_eq!(bed.timeline(it.documents[0]).await[0].payloads.len(), 1);
        }
        assert!(bed.open_tasks().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_names_none_for_sure_lies_on_a_desk_until_it_is_filed() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let (one, two) = (named(&bed, "Neubau", "63-1/26").await, named(&bed, "Abriss", "63-2/26").await);
        let closed = named(&bed, "Altes", "63-3/26").await;
        bed.broker
            .submit(&bed.ours, change(RecordKind::Case, closed.meta.id, Change::Close), None)
            .await
            .unwrap();
        bed.run().await;
        let told = bed.dms.told().len();
        let reference = |value, confidence| hint(HintKind::RecordReference, value, confidence);
        for (key, hints, proposed) in [
            ("none", vec![], 0),
            ("unknown", vec![reference("63-9/26", 100)], 0),
            ("unsure", vec![reference("63-1/26", SURE - 1)], 1),
            ("two", vec![reference("63-1/26", 99), reference("63-2/26", 95)], 2),
            ("closed", vec![reference("63-3/26", 99)], 1),
        ] {
            let host = host(&bed).await;
            let taken = host.take_in(a_letter(&host, key, hints).await).await.unwrap();
            assert_eq!(taken.case, None, "{key}");
            let it = contact(&bed, taken.interaction).await;
            assert_eq!((it.status, it.proposals.len()), (InteractionStatus::Open, proposed), "{key}");
        }
        assert_eq!(bed.open_tasks().await.len(), 5);
        bed.run().await;
        assert_eq!(bed.dms.told().len(), told, "nobody is told of what lies on a desk");

        let desk = bed.all(RecordKind::Interaction).await;
        let ids: Vec<Id> = desk.iter().map(|it| it.meta().id).collect();
        let refused = bed.file(ids[0], Filing::Into(closed.meta.id)).await;
        assert!(matches!(refused, Err(Error::Model(model::Error::WrongState { state: "closed" }))));
        let of_it =
            |tasks: Vec<model::activity::Task>| tasks.into_iter().find(|it| it.case_id == Some(ids[0]));
        let task = of_it(bed.open_tasks().await).unwrap().meta.id;
        for end in [Change::CompleteTask(None), Change::CancelTask] {
            let end = change(RecordKind::Task, task, end);
            let by_hand = bed.broker.submit(&bed.ours, end.clone(), None).await.unwrap_err();
            assert_eq!(by_hand.code(), "model.undecided", "it lies there still");
            let by_adapter = host(&bed).await.submit("end", end).await.unwrap_err();
            assert_eq!(by_adapter.code, "model.undecided");
        }
        let filed = bed.file(ids[0], Filing::Into(two.meta.id)).await.unwrap();
        assert_eq!(bed.record(RecordKind::Task, task).await.status(), "done");
        assert_eq!((filed.status, filed.case_id), (InteractionStatus::Filed, Some(two.meta.id)));
        let again = bed.file(ids[0], Filing::Into(one.meta.id)).await;
        assert!(matches!(again, Err(Error::Model(model::Error::WrongState { state: "filed" }))));
        bed.run().await;
        let now = bed.dms.told();
        assert_eq!(now.len(), told + 1);
        assert_eq!((now[told].kind.as_str(), now[told].bytes.len()), ("record.created", 1));
        assert_eq!((now[told].record.1, now[told].above.clone()), (filed.documents[0], vec![two.meta.id]));
        let placed = bed.timeline(filed.documents[0]).await;
        assert_eq!(kinds(&placed)[..2], [EventKind::RecordCreated, EventKind::RecordPlaced]);
        assert_eq!((placed[1].case_id, placed[1].payloads.len()), (Some(two.meta.id), 1));
        let event = detail(&bed.timeline(ids[0]).await, EventKind::RecordPlaced);
        assert_eq!(event["proof"], json!({ "batch": "b-1" }));

        bed.file(ids[1], Filing::Dismissed).await.unwrap();
        let elsewhere = bed.file(ids[2], Filing::To("99".into())).await;
        assert!(matches!(elsewhere, Err(Error::UnknownUnit)));
        bed.file(ids[2], Filing::To("70".into())).await.unwrap();
        assert_eq!(bed.open_tasks().await.len(), 2);
        let others = caller("soest", "70");
        let there = bed.broker.record(&others, RecordKind::Interaction, ids[2]).await.unwrap();
        let Record::Interaction(there) = there else { panic!("a contact") };
        let document = bed.broker.record(&others, RecordKind::Document, there.documents[0]).await;
        assert_eq!(document.unwrap().meta().unit, "70");
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_names_a_claim_goes_into_its_case() {
    let till = Till::open(None).await;
    let (case, named) = (till.case, till.claim(2_500).await.cash_reference.unwrap());
    let bed = Bed::over(till.gateway, till.clock).await;
    for (value, into) in [(named.as_str(), Some(case)), ("42999999", None)] {
        let host = host(&bed).await;
        let letter = a_letter(&host, value, vec![hint(HintKind::CashReference, value, SURE)]).await;
        assert_eq!(host.take_in(letter).await.unwrap().case, into, "{value}");
    }
}

#[tokio::test]
async fn no_letter_goes_into_what_its_sender_may_still_get_back() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.dms.set(|state| _ = state.by_title.insert("Akte".into(), FailureKind::Rejected));
        let (file, part) = (model::ids::new_id(), model::ids::new_id());
        receive(&bed, vec![json!([part, "Teil", [file]]), json!([file, "Akte", []])]).await;
        bed.run().await;
        let host = host(&bed).await;
        let hints = vec![hint(HintKind::RecordReference, &part.to_string(), SURE)];
        let taken = host.take_in(a_letter(&host, "l", hints).await).await.unwrap();
        let it = contact(&bed, taken.interaction).await;
        assert_eq!((taken.case, it.proposals.len()), (None, 1));
        let into = Filing::Into(it.proposals[0].record);
        let refused = bed.file(taken.interaction, into.clone()).await;
        assert!(matches!(refused, Err(Error::Model(model::Error::WrongState { state: "received" }))));

        bed.dms.set(|state| state.by_title.clear());
        let parked = bed.waiting().await;
        bed.broker.resend_channel(&bed.ours, parked[0].id, None).await.unwrap();
        bed.run().await;
        bed.later(MINUTE).await;
        let filed = bed.file(taken.interaction, into).await.unwrap();
        assert_eq!(filed.status, InteractionStatus::Filed, "it was imported");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_letter_twice_is_one_in_any_interleaving() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = named(&bed, "Neubau", "63-1/26").await;
        bed.run().await;
        let hints = || vec![hint(HintKind::RecordReference, "63-1/26", 99)];
        let (one, two) = (host(&bed).await, host(&bed).await);
        for round in 0..10 {
            let key = format!("l-{round}");
            let (first, second) = (a_letter(&one, &key, hints()).await, a_letter(&two, &key, hints()).await);
            let (first, second) = tokio::join!(one.take_in(first), two.take_in(second));
            let (first, second) = (first.unwrap(), second.unwrap());
            assert_eq!(first.interaction, second.interaction);
            assert_ne!(first.again, second.again);
            // After a crash the session begins with the same letter again, and knows nothing.
            let third = host(&bed).await;
            let again = third.take_in(a_letter(&third, &key, hints()).await).await.unwrap();
            let expected = TakenIn { interaction: first.interaction, case: Some(case.meta.id), again: true };
            assert_eq!(again, expected);
        }
        assert_eq!(bed.all(RecordKind::Interaction).await.len(), 10);
        assert_eq!(bed.all(RecordKind::Document).await.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn bytes_that_were_not_kept_in_the_session_are_no_letter() {
    let bed = Bed::new(None).await;
    let (before, now) = (host(&bed).await, host(&bed).await);
    let letter = a_letter(&before, "l", vec![]).await;
    let refused = now.take_in(letter.clone()).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_ref()), (FailureKind::Permanent, "model.invalid"));
    let mut twice = letter.clone();
    twice.documents[0].files.push(kept(&before, "brief.pdf", "x").await);
    assert!(before.take_in(twice).await.is_err(), "two files of one name");
    assert!(bed.all(RecordKind::Interaction).await.is_empty() && bed.open_tasks().await.is_empty());
    assert!(!before.take_in(letter).await.unwrap().again, "its bytes are still there");
}

#[tokio::test]
async fn a_letter_that_came_after_midnight_is_of_that_day() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let host = host(&bed).await;
        let mut letter = a_letter(&host, "l", vec![]).await;
        letter.received_at = Timestamp::parse("2026-11-04T23:30:00Z").unwrap();
        let taken = host.take_in(letter).await.unwrap();
        let document = contact(&bed, taken.interaction).await.documents[0];
        let Record::Document(document) = bed.record(RecordKind::Document, document).await else {
            unreachable!()
        };
        assert_eq!(document.dates.received.as_deref(), Some("2026-11-05"));
    })
    .await;
}

#[tokio::test]
async fn a_letter_with_concerns_is_looked_at_in_its_case() {
    let bed = Bed::new(None).await;
    named(&bed, "Neubau", "63-1/26").await;
    bed.run().await;
    let host = host(&bed).await;
    let mut letter = a_letter(&host, "l", vec![hint(HintKind::RecordReference, "63-1/26", 99)]).await;
    letter.concerns = vec!["signature.value"];
    let taken = host.take_in(letter).await.unwrap();
    let tasks = bed.open_tasks().await;
    assert_eq!((tasks[0].kind.as_str(), tasks[0].case_id), ("signature.value", taken.case));
    let mut letter = a_letter(&host, "m", vec![hint(HintKind::Unit, "70", 99)]).await;
    letter.concerns = vec!["signature.value"];
    let taken = host.take_in(letter).await.unwrap();
    assert_eq!(contact(&bed, taken.interaction).await.meta.unit, "63", "70 is outside of what it serves");
}

#[tokio::test]
async fn what_needs_no_case_is_emptied_in_time_with_its_documents() {
    on_every_engine(|database| async move {
        let mut bed = Bed::new(database).await;
        let host = host(&bed).await;
        let mut letters = vec![];
        for key in ["l-1", "l-2", "l-3", "l-4"] {
            letters.push(host.take_in(a_letter(&host, key, vec![]).await).await.unwrap().interaction);
        }
        let [gone, held, asked, lies] = letters[..] else { panic!("four letters") };
        for id in [gone, held, asked] {
            bed.file(id, Filing::Dismissed).await.unwrap();
        }
        let letter = contact(&bed, gone).await.documents[0];
        let document = contact(&bed, held).await.documents[0];
        let hold = change(RecordKind::Document, document, Change::Hold("Klage".into()));
        bed.broker.submit(&bed.ours, hold, None).await.unwrap();
        let task = Task::new(contact(&bed, asked).await.meta, "test", "Rückfrage");
        let task =
            Task { meta: Meta { id: model::ids::new_id(), ..task.meta }, case_id: Some(asked), ..task };
        bed.submit(Record::Task(task)).await;

        let keeping = Keeping { contacts: Some(1), ..Keeping::default() };
        bed.broker = bed.broker.clone().with_keeping(keeping);
        let whole = Caller { scope: Scope::tenant("soest"), ..bed.ours.clone() };
        let plan = bed.broker.retention_plan(&whole, 9).await.unwrap();
        assert!(plan.due.is_empty(), "not before the day is over: {plan:?}");
        bed.later(std::time::Duration::from_secs(25 * 3_600)).await;
        bed.broker.start_retention(&whole).await.unwrap();
        bed.run().await;
        let run = bed.broker.retention_runs(&whole, 1).await.unwrap().remove(0);
        assert_eq!(run.deleted, 1);
        assert_eq!(run.body["kept"], json!({ "retention.held": 1, "retention.under-way": 1 }));

        let it = contact(&bed, gone).await;
        let text = json!([it, bed.record(RecordKind::Document, letter).await.to_json()]).to_string();
        let mut told = bed.timeline(gone).await;
        told.extend(bed.timeline(letter).await);
        let events = json!(told).to_string();
        for word in ["Mustermann", "Ihr Schreiben", "b-1", "brief.pdf"] {
            assert!(!text.contains(word) && !events.contains(word), "{word}");
        }
        assert!(kinds(&told).contains(&EventKind::RecordDestroyed));
        assert_eq!(bed.record(RecordKind::Document, letter).await.status(), "destroyed");
        for id in [held, asked, lies] {
            let it = contact(&bed, id).await;
            assert_eq!(it.from.as_deref(), Some("Erika Mustermann"));
            assert_eq!(bed.record(RecordKind::Document, it.documents[0]).await.status(), "open");
        }
        assert!(bed.broker.check_chain(&whole, None).await.unwrap().ok);
        bed.later(std::time::Duration::from_secs(25 * 3_600)).await;
        let plan = bed.broker.retention_plan(&whole, 9).await.unwrap();
        assert!(plan.due.is_empty(), "once is enough: {plan:?}");
    })
    .await;
}
