//! Persons: what is known is complete for the scope and holds nothing of other units or persons; what is erased leaves events that give
//! the record.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use broker::{Filing, PersonBy};
use model::activity::{
    Addressee, Call, CallDirection, CallState, Dispatch, DispatchKind, Interaction, InteractionStatus,
};
use model::case::{Description, Document, DocumentDates, RecordStatus, Retention};
use model::command::{Change, Rules};
use model::party::{Contact, ERASED, Party, Person};
use model::record::Meta;
use model::testkit::a_meta;
use model::{Caller, EventKind, Id, Record, RecordKind, Role, Scope, SystemClock, Timestamp, patch};
use serde_json::{Value, json};
use store::Page;

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, change, create, new_case};

fn somebody(family: &str, born: &str, mail: &str) -> Party {
    Party {
        role: Some("applicant".into()),
        person: Some(Person {
            family_name: Some(family.into()),
            given_name: Some("Kim".into()),
            born: Some(born.into()),
            ..Person::default()
        }),
        contacts: vec![
            Contact { channel: "email".into(), value: mail.into(), addition: None },
            Contact { channel: "phone".into(), value: "02921 30-1234".into(), addition: None },
        ],
        ..Party::default()
    }
}

async fn case_of(gateway: &Gateway, by: &Caller, unit: &str, reference: &str, parties: Vec<Party>) -> Id {
    let Record::Case(mut case) = new_case(by, unit, "Neubau") else { unreachable!() };
    case.description = Description {
        title: "Neubau".into(),
        record_reference: Some(reference.into()),
        parties,
        retention: Some(Retention { until: Some("2020-12-31".into()), ..Retention::default() }),
        ..Description::default()
    };
    gateway.broker.submit(by, create(Record::Case(case)), None).await.unwrap().meta().id
}

fn born() -> PersonBy {
    PersonBy::Born { family_name: "muster".into(), given_name: None, born: "1970-01-02".into() }
}

async fn unzipped(gateway: &Gateway, by: &Caller, who: &PersonBy) -> Vec<(String, String)> {
    let file = tempfile::tempfile().unwrap();
    let file = gateway.broker.export_person(by, who, file).await.unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut all = vec![];
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        all.push((entry.name().to_owned(), text));
    }
    all
}

#[tokio::test]
async fn what_is_known_is_complete_for_the_scope_and_holds_nothing_of_others() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SystemClock)).await;
        let (ours, theirs) = (caller("soest", "63"), caller("soest", "70"));
        let (muster, other) = (
            somebody("Muster", "1970-01-02", "Muster@mail.example"),
            somebody("Nachbar", "1980-03-04", "n@mail.example"),
        );
        let first = case_of(&gateway, &ours, "63", "63-1", vec![muster.clone(), other.clone()]).await;
        let second = case_of(&gateway, &ours, "63", "63-2", vec![muster.clone()]).await;
        let foreign = case_of(&gateway, &theirs, "70", "70-1", vec![muster.clone()]).await;
        let nobody = case_of(&gateway, &ours, "63", "63-3", vec![other]).await;

        let ids = |found: &broker::PersonFound| found.places.iter().map(|place| place.id).collect::<Vec<_>>();
        let mail = PersonBy::Email("muster@MAIL.example".into());
        for by in [born(), mail] {
            let found = gateway.broker.person(&ours, &by).await.unwrap();
            assert_eq!(ids(&found), [first, second], "{by:?}");
        }
        // The neighbours share the telephone.
        let phone = PersonBy::Phone("+49 2921 301234".into());
        assert_eq!(ids(&gateway.broker.person(&ours, &phone).await.unwrap()), [first, second, nobody]);
        let reference = PersonBy::Reference("63-1".into());
        assert_eq!(ids(&gateway.broker.person(&ours, &reference).await.unwrap()), [first]);
        let whole = Caller { scope: Scope::tenant("soest"), ..ours.clone() };
        assert_eq!(ids(&gateway.broker.person(&whole, &born()).await.unwrap()), [first, second, foreign]);

        let files = unzipped(&gateway, &ours, &born()).await;
        let names: Vec<&str> = files.iter().map(|file| file.0.as_str()).collect();
        assert!(
            names.contains(&"overview.json")
                && names.contains(&format!("records/case/{first}.json").as_str())
        );
        let all: String = files.iter().map(|file| file.1.as_str()).collect();
        assert!(all.contains("Muster@mail.example") && all.contains(&second.to_string()));
        for stranger in ["Nachbar", "n@mail.example", &foreign.to_string(), "70-1"] {
            assert!(!all.contains(stranger), "{stranger}");
        }
        let mut clerk = ours.clone();
        clerk.roles = vec![Role::Clerk];
        assert_eq!(gateway.broker.person(&clerk, &born()).await.unwrap_err().code(), "model.forbidden");

        gateway.broker.run_due_jobs().await.unwrap();
        let events = gateway.broker.events(&whole, 0, 100).await.unwrap();
        let told = events.iter().find(|sealed| sealed.event.kind == EventKind::PersonExported).unwrap();
        assert_eq!(told.event.detail, Some(json!({ "by": "born", "records": 2 })), "for whom, is not told");
    })
    .await;
}

#[tokio::test]
async fn documents_of_the_person_s_cases_are_in_the_export() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let case =
        case_of(&gateway, &ours, "63", "63-1", vec![somebody("Muster", "1970-01-02", "m@mail.example")])
            .await;
    let document = crate::content::a_file_in(&gateway, &ours, case, b"Bauantrag").await;
    let files = unzipped(&gateway, &ours, &born()).await;
    let content = files.iter().find(|file| file.0.starts_with(&format!("documents/{document}/"))).unwrap();
    assert_eq!(content.1, "Bauantrag");
}

/// The record that the events give, beginning with the last one that holds it whole.
async fn replayed(gateway: &Gateway, by: &Caller, id: Id) -> Value {
    let events = gateway.broker.record_timeline(by, id, &Page { after: None, limit: 100 }).await.unwrap();
    let mut record = json!({});
    for (_, event) in events.iter().filter(|(_, event)| event.changes.is_some()) {
        if event.kind == EventKind::PersonErased {
            record = json!({});
        }
        patch::apply(&mut record, event.changes.as_ref().unwrap());
    }
    record
}

#[tokio::test]
async fn who_is_erased_is_in_no_event_and_the_events_still_give_the_record() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SystemClock)).await;
        let ours = caller("soest", "63");
        let broker = &gateway.broker;
        let party = || somebody("Muster", "1970-01-02", "m@mail.example");
        let other = somebody("Nachbar", "1980-03-04", "n@mail.example");
        let over = case_of(&gateway, &ours, "63", "63-1", vec![party(), other]).await;
        let open = case_of(&gateway, &ours, "63", "63-2", vec![party()]).await;
        let held = case_of(&gateway, &ours, "63", "63-3", vec![party()]).await;
        for id in [over, held] {
            broker.submit(&ours, change(RecordKind::Case, id, Change::Close), None).await.unwrap();
        }
        let hold = change(RecordKind::Case, held, Change::Hold("Klage".into()));
        broker.submit(&ours, hold, None).await.unwrap();

        let mut manager = ours.clone();
        manager.roles = vec![Role::RecordsManager];
        assert_eq!(broker.erase_person(&manager, &born(), None).await.unwrap_err().code(), "model.forbidden");
        let outcome = broker.erase_person(&ours, &born(), None).await.unwrap();
        assert_eq!(outcome.erased, [over]);
        let stays: Vec<_> = outcome.stays.iter().map(|it| (it.id, it.reason)).collect();
        assert_eq!(stays, [(open, "retention.not-over"), (held, "retention.held")]);

        let record = broker.record(&ours, RecordKind::Case, over).await.unwrap();
        let text = record.to_json().to_string();
        assert!(text.contains(ERASED) && text.contains("Nachbar") && !text.contains("Muster"));
        assert_eq!(replayed(&gateway, &ours, over).await, record.to_json());
        let events = broker.record_timeline(&ours, over, &Page { after: None, limit: 100 }).await.unwrap();
        assert!(!events.iter().any(|(_, event)| json!(event).to_string().contains("Muster")));
        broker.run_due_jobs().await.unwrap();
        assert_eq!(broker.check_chain(&ours, None).await.unwrap().findings, vec![]);

        let again = broker.erase_person(&ours, &born(), Some("Einwilligung widerrufen")).await.unwrap();
        assert_eq!(again.erased, [open], "consent was withdrawn; a hold still holds");
        let amend = change(RecordKind::Case, open, Change::Amend(json!({ "note": "danach" })));
        let record = broker.submit(&ours, amend, None).await.unwrap();
        assert_eq!(replayed(&gateway, &ours, open).await, record.to_json());
    })
    .await;
}

#[tokio::test]
async fn who_is_erased_from_a_case_is_erased_from_what_lies_in_it_at_once() {
    let clock = Arc::new(SetClock::default());
    let gateway = Gateway::on(None, clock.clone()).await;
    let ours = caller("soest", "63");
    let party = || somebody("Muster", "1970-01-02", "m@mail.example");
    let case = case_of(&gateway, &ours, "63", "63-1", vec![party()]).await;
    let mut meta = new_case(&ours, "63", "").meta().clone();
    meta.root = case;
    let document = meta.id;
    let inner = Document {
        meta,
        description: Description {
            title: "Lageplan".into(),
            parties: vec![party()],
            ..Description::default()
        },
        parent: Some(case),
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    };
    gateway.broker.submit(&ours, create(Record::Document(inner)), None).await.unwrap();
    let years = Change::Amend(json!({ "retention": { "until": null, "years": 1 } }));
    for what in [years, Change::Close] {
        gateway.broker.submit(&ours, change(RecordKind::Case, case, what), None).await.unwrap();
    }
    clock.advance(Duration::from_secs(3 * 366 * 86_400));
    let mut outcome = gateway.broker.erase_person(&ours, &born(), None).await.unwrap();
    let mut both = vec![case, document];
    outcome.erased.sort();
    both.sort();
    assert_eq!(outcome.erased, both);
}

#[tokio::test]
async fn where_four_eyes_are_wanted_a_second_person_asks_for_the_same() {
    let rules = Rules { four_eyes: true, ..Rules::default() };
    let gateway = Gateway::with_rules(rules, Arc::new(SystemClock)).await;
    let ours = caller("soest", "63");
    let parties = vec![
        somebody("Muster", "1970-01-02", "m@mail.example"),
        somebody("Nachbar", "1980-03-04", "n@mail.example"),
    ];
    let case = case_of(&gateway, &ours, "63", "63-1", parties).await;
    let withdrawn = Some("Einwilligung widerrufen");
    for _ in 0..2 {
        let asked = gateway.broker.erase_person(&ours, &born(), withdrawn).await.unwrap();
        assert!(asked.asked && asked.erased.is_empty(), "the same person twice is one person");
    }
    let mut second = ours.clone();
    second.actor.id = "another".into();
    // Of the same case, and still something else.
    let neighbour = PersonBy::Email("n@mail.example".into());
    for (who, why) in [(&neighbour, withdrawn), (&born(), None)] {
        let outcome = gateway.broker.erase_person(&second, who, why).await.unwrap();
        assert!(outcome.asked && outcome.erased.is_empty(), "{who:?} {why:?}");
    }
    assert_eq!(gateway.broker.erase_person(&second, &born(), withdrawn).await.unwrap().erased, [case]);
}

#[tokio::test]
async fn a_name_of_two_letters_leaves_the_events_as_well() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let mut party = somebody("Ng", "1970-01-02", "m@mail.example");
    party.contacts.clear();
    party.person.as_mut().unwrap().born = None;
    let case = case_of(&gateway, &ours, "63", "63-1", vec![party]).await;
    let reference = PersonBy::Reference("63-1".into());
    let outcome = gateway.broker.erase_person(&ours, &reference, Some("widerrufen")).await.unwrap();
    assert_eq!(outcome.erased, [case]);
    let events =
        gateway.broker.record_timeline(&ours, case, &Page { after: None, limit: 100 }).await.unwrap();
    assert!(!events.iter().any(|(_, event)| json!(event).to_string().contains("\"Ng\"")));
    let erased = events.iter().find(|(_, event)| event.kind == EventKind::PersonErased).unwrap();
    assert_eq!(erased.1.detail, Some(json!({ "withdrawn": "widerrufen" })), "why, and not who");
}

/// A call that nobody of the house had a case for.
fn call_of(number: &str) -> Interaction {
    Interaction {
        meta: a_meta(),
        case_id: None,
        kind: "call".into(),
        at: Timestamp::from_micros(1),
        subject: Some("fragt nach Öffnungszeiten".into()),
        from: Some("Kim Muster <M@mail.example>".into()),
        documents: vec![],
        hints: vec![],
        proposals: vec![],
        concerns: vec![],
        call: Some(Box::new(Call {
            direction: CallDirection::Incoming,
            number: Some(number.into()),
            extension: None,
            state: CallState::Ended,
            wait_seconds: None,
            duration_seconds: None,
            reference: None,
            task: None,
        })),
        proof: Value::Null,
        status: InteractionStatus::Open,
    }
}

#[tokio::test]
async fn who_called_wrote_or_was_written_to_is_found_and_erased() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SystemClock)).await;
        let ours = caller("soest", "63");
        let broker = &gateway.broker;
        let case = case_of(&gateway, &ours, "63", "63-1", vec![]).await;
        let to = Addressee {
            email: Some("M@mail.example".into()),
            phone: Some("+492921301234".into()),
            ..Addressee::default()
        };
        let dispatch = Dispatch {
            to: Some(to),
            ..Dispatch::new(
                Meta { root: case, public_service: None, ..a_meta() },
                case,
                DispatchKind::Notification,
            )
        };
        let [call, stranger] = [call_of("+492921301234"), call_of("+492921309999")];
        let stranger = Interaction { from: None, ..stranger };
        let (called, sent) = (call.meta.id, dispatch.meta.id);
        let all = [Record::Interaction(call), Record::Interaction(stranger), Record::Dispatch(dispatch)];
        for record in all {
            broker.submit(&ours, create(record), None).await.unwrap();
        }
        let by = [PersonBy::Phone("02921 30-1234".into()), PersonBy::Email("m@MAIL.example".into())];
        for by in &by {
            let found = broker.person(&ours, by).await.unwrap();
            let mut places: Vec<Id> = found.places.iter().map(|place| place.id).collect();
            places.sort_unstable();
            let mut both = vec![called, sent];
            both.sort_unstable();
            assert_eq!(places, both, "{by:?}");
        }
        let outcome = broker.erase_person(&ours, &by[0], None).await.unwrap();
        assert!(outcome.erased.is_empty(), "the case is open, and the call lies on a desk");
        broker.file_interaction(&ours, (called, None), &Filing::Dismissed, None).await.unwrap();
        let outcome = broker.erase_person(&ours, &by[0], None).await.unwrap();
        assert_eq!(outcome.erased, [called], "what needs no case is kept for nothing");
        let outcome = broker.erase_person(&ours, &by[1], Some("widerrufen")).await.unwrap();
        assert_eq!(outcome.erased, [sent]);
        for (kind, id) in [(RecordKind::Interaction, called), (RecordKind::Dispatch, sent)] {
            let record = broker.record(&ours, kind, id).await.unwrap();
            let events = broker.record_timeline(&ours, id, &Page { after: None, limit: 100 }).await.unwrap();
            let text = format!("{} {events:?}", record.to_json());
            for word in ["mail.example", "+492921301234", "Öffnungszeiten"] {
                assert!(!text.contains(word), "{kind:?}: {word}");
            }
            assert_eq!(replayed(&gateway, &ours, id).await, record.to_json());
        }
        for by in &by {
            assert!(broker.person(&ours, by).await.unwrap().places.is_empty());
        }
    })
    .await;
}
