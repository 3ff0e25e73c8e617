//! Letters that open a case: applications, reports, calls of somebody whose case nobody knows.

use model::activity::{Call, CallDirection, CallState, InteractionStatus};
use model::adapter::Wanted;
use model::case::{Description, Reference};
use model::command::Change;
use model::letter::{HintKind, Letter, NewCase, SURE};
use model::{EventKind, Record, RecordKind};

use super::bed::{Bed, a_letter, hint, kinds};
use crate::engines::on_every_engine;
use crate::house::change;

fn an_application(letter: Letter) -> Letter {
    let description = Description {
        title: "Bauantrag".into(),
        references: vec![Reference { kind: "application".into(), value: "A-1".into() }],
        ..Description::default()
    };
    let new = NewCase { description, public_service: Some("baugenehmigung".into()), ..NewCase::default() };
    Letter { way: "online".into(), opens: Some(Box::new(new)), ..letter }
}

#[tokio::test]
async fn an_application_opens_one_case_however_often_it_comes() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.sessions().await;
        let host = bed.post.host();
        let mut seen = vec![];
        for _ in 0..2 {
            let letter = an_application(a_letter(&host, "a-1", vec![]).await);
            seen.push(host.take_in(letter).await.unwrap());
        }
        assert_eq!((seen[0].interaction, seen[0].case), (seen[1].interaction, seen[1].case));
        assert_eq!((seen[0].again, seen[1].again), (false, true));
        let cases = host.find("application", "A-1").await.unwrap();
        let [Record::Case(case)] = cases.as_slice() else { panic!("one case: {cases:?}") };
        assert_eq!((Some(case.meta.id), case.meta.unit.as_str()), (seen[0].case, "63"));
        let contact = bed.record(RecordKind::Interaction, seen[0].interaction).await;
        let Record::Interaction(contact) = contact else { panic!("a contact") };
        assert_eq!((contact.status, contact.meta.root), (InteractionStatus::Filed, case.meta.id));
        let document = bed.record(RecordKind::Document, contact.documents[0]).await;
        assert_eq!(document.parent(), Some(case.meta.id));
        assert_eq!(kinds(&bed.timeline(case.meta.id).await), [EventKind::RecordCreated]);
        assert!(bed.open_tasks().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_application_that_names_its_case_opens_none() {
    let bed = Bed::new(None).await;
    let case = bed.case("Neubau").await;
    let assign = change(RecordKind::Case, case.meta.id, Change::AssignReference("63-1/26".into()));
    bed.broker.submit(&bed.ours, assign, None).await.unwrap();
    bed.sessions().await;
    let host = bed.post.host();
    let named = hint(HintKind::RecordReference, "63-1/26", SURE);
    let letter = an_application(a_letter(&host, "a-1", vec![named]).await);
    assert_eq!(host.take_in(letter).await.unwrap().case, Some(case.meta.id));
    assert_eq!(bed.all(RecordKind::Case).await.len(), 1);
}

#[tokio::test]
async fn what_follows_an_application_under_its_reference_goes_into_its_case() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.sessions().await;
        let host = bed.post.host();
        let first = host.take_in(an_application(a_letter(&host, "a-1", vec![]).await)).await.unwrap();
        let named = hint(HintKind::RecordReference, "A-1", 100);
        let mut second = an_application(a_letter(&host, "a-2", vec![named]).await);
        second.opens.as_mut().unwrap().description.references[0].value = "A-2".into();
        let second = host.take_in(second).await.unwrap();
        assert_eq!((second.case, second.again), (first.case, false));
        assert_ne!(second.interaction, first.interaction);
        assert_eq!(bed.all(RecordKind::Case).await.len(), 1);
        assert!(bed.open_tasks().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_contact_that_needs_no_case_keeps_its_proof_and_the_first_one_stays() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.sessions().await;
        let host = bed.post.host();
        let taken = host.take_in(an_application(a_letter(&host, "a-1", vec![]).await)).await.unwrap();
        let Record::Interaction(like) = bed.record(RecordKind::Interaction, taken.interaction).await else {
            panic!("a contact")
        };
        let filed = |token: &str| {
            let mut it = like.clone();
            let id = model::ids::new_id();
            (it.meta.id, it.meta.root, it.meta.version) = (id, id, 0);
            (it.case_id, it.documents) = (None, vec![]);
            (it.proof, it.status) = (serde_json::json!({ "token": token }), InteractionStatus::Dismissed);
            change(RecordKind::Interaction, id, Change::Create(Box::new(Record::Interaction(it))))
        };
        let first = host.submit("rejected:1", filed("eins")).await.unwrap();
        let again = host.submit("rejected:1", filed("zwei")).await.unwrap();
        assert_eq!(first, again);
        let Record::Interaction(kept) = bed.record(RecordKind::Interaction, first.meta().id).await else {
            panic!("a contact")
        };
        assert_eq!((&kept.proof["token"], kept.status), (&"eins".into(), InteractionStatus::Dismissed));
    })
    .await;
}

#[tokio::test]
async fn a_case_is_opened_only_where_the_adapter_serves() {
    let bed = Bed::new(None).await;
    bed.sessions().await;
    let host = bed.post.host();
    let mut elsewhere = an_application(a_letter(&host, "a-1", vec![]).await);
    let new = elsewhere.opens.as_mut().unwrap();
    new.unit = Some("99".into());
    assert_eq!(host.take_in(elsewhere).await.unwrap_err().code, "broker.unknown-unit");
    assert!(bed.all(RecordKind::Case).await.is_empty() && bed.all(RecordKind::Interaction).await.is_empty());
}

#[tokio::test]
async fn a_call_lies_on_the_desk_is_found_by_its_number_and_moves_on_until_it_is_over() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.sessions().await;
        let host = bed.post.host();
        let call = |state, seconds| Call {
            direction: CallDirection::Incoming,
            number: Some("+492921300".into()),
            extension: Some("4711".into()),
            state,
            wait_seconds: None,
            duration_seconds: seconds,
            reference: Some("1.1".into()),
            task: None,
        };
        let letter = Letter {
            key: "1.1".into(),
            way: "call".into(),
            call: Some(Box::new(call(CallState::Ringing, None))),
            ..Letter::default()
        };
        let taken = host.take_in(letter).await.unwrap();
        assert_eq!(taken.case, None);
        let number = Some((model::record::CALL.to_owned(), "+492921300".to_owned()));
        let wanted = Wanted { name: number, ..Wanted::of(RecordKind::Interaction) };
        let found = host.records(&wanted).await.unwrap();
        assert_eq!(found.iter().map(|it| it.meta().id).collect::<Vec<_>>(), [taken.interaction]);

        let become_ =
            |call: Call| change(RecordKind::Interaction, taken.interaction, Change::Call(Box::new(call)));
        for (key, call) in [("2", call(CallState::Answered, None)), ("3", call(CallState::Ended, Some(61)))] {
            host.submit(key, become_(call)).await.unwrap();
        }
        let late = host.submit("4", become_(call(CallState::Missed, None))).await.unwrap_err();
        assert_eq!(late.code, "model.wrong-state");
        let Record::Interaction(now) = bed.record(RecordKind::Interaction, taken.interaction).await else {
            panic!("a contact")
        };
        assert_eq!(now.call.unwrap().duration_seconds, Some(61));
    })
    .await;
}

#[tokio::test]
async fn records_are_given_the_newest_first_page_by_page() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let mut made = vec![];
        for title in ["1", "2", "3"] {
            made.push(bed.case(title).await.meta.id);
        }
        bed.sessions().await;
        let host = bed.post.host();
        let of = |wanted: Wanted| {
            let host = host.clone();
            async move { host.records(&wanted).await.unwrap().iter().map(|it| it.meta().id).collect::<Vec<_>>() }
        };
        let cases = Wanted { limit: 2, ..Wanted::of(RecordKind::Case) };
        assert_eq!(of(cases.clone()).await, [made[2], made[1]]);
        assert_eq!(of(Wanted { after: Some(made[1]), ..cases.clone() }).await, [made[0]]);
        let service = |name: &str| Wanted { services: vec!["x".into(), name.into()], ..cases.clone() };
        assert_eq!(of(service("baugenehmigung")).await.len(), 2);
        assert!(of(service("abfall")).await.is_empty());
        let later = model::Timestamp::from_micros(i64::MAX / 2);
        assert!(of(Wanted { since: Some(later), ..cases.clone() }).await.is_empty());
        assert_eq!(of(Wanted { before: Some(later), ..cases.clone() }).await.len(), 2);
        let all = host.records(&Wanted { limit: 1_001, ..cases }).await;
        assert_eq!(all.unwrap_err().code, "model.invalid");
    })
    .await;
}
