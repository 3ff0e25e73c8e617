//! What becomes of events: to whom, by which way, in which words; nothing of the content of a case.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::collections::{BTreeMap, BTreeSet};

use adapter_notify::template::{Language, Template};
use adapter_notify::{Carried, Notify, Rule, Settings};
use model::activity::{Dispatch, DispatchKind};
use model::adapter::{About, Adapter, Delivery, Receipt};
use model::case::Case;
use model::command::{Change, Command};
use model::party::{Address, Contact, Party, Person};
use model::rights::{Scope, Within};
use model::sending::{Clock, Quiet, Sending};
use model::testkit::{a_case, a_dispatch, a_task};
use model::{EventKind, Record, RecordKind, ids};
use serde_json::{Value, json};
use tempfile::TempDir;

const GEHEIM: &str = "Geheimer Titel";

fn templates(folder: &TempDir) -> BTreeMap<String, Template> {
    let files = [
        ("neues.de", "Ihr Vorgang {number}\n\n{service}: {state} am {date}. {link}\n"),
        ("neues.en", "Your case {number}\n\n{service}: {state} on {date}. {link}\n"),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(format!("{name}.txt")), text).unwrap();
    }
    [("neues".to_owned(), Template::load(folder.path(), "neues", true).unwrap())].into()
}

fn rule(event: EventKind, record: RecordKind, status: Option<&str>, kind: Option<&str>) -> Rule {
    Rule {
        event,
        record,
        status: status.map(str::to_owned),
        kind: kind.map(str::to_owned),
        services: vec![],
        template: "neues".into(),
    }
}

fn settings() -> Settings {
    let folder = TempDir::new().unwrap();
    let scope = |units| Some(Scope { units, ..Scope::tenant("soest") });
    let way = |way: &str, scope| Carried { way: Some(way.into()), scope };
    Settings {
        id: "notify".into(),
        rules: vec![
            rule(EventKind::RecordChanged, RecordKind::Case, Some("closed"), None),
            rule(EventKind::RecordCreated, RecordKind::Dispatch, None, Some("disclosure")),
            rule(EventKind::RecordCreated, RecordKind::Task, None, Some("missing-document")),
        ],
        templates: templates(&folder),
        language: Language::German,
        roles: vec!["applicant".into()],
        ways: vec!["portal".into(), "mail".into(), "call".into()],
        carried: vec![
            way("mail", scope(Within::All)),
            way("push", scope(Within::one("32"))),
            way("fit-connect", scope(Within::one("63"))),
            way("print", scope(Within::All)),
            way("call", None),
            way("letter", None),
        ],
        sending: Sending::default(),
        link: Some("https://buerger.kreis.example/citizen/".into()),
        services: [(
            "baugenehmigung".to_owned(),
            ["Baugenehmigung".to_owned(), "Building permit".to_owned()],
        )]
        .into(),
        area: Some("2921".into()),
    }
}

fn contact(channel: &str, value: &str) -> Contact {
    Contact { channel: channel.into(), value: value.into(), addition: None }
}

fn erika(prefers: Option<&str>) -> Party {
    Party {
        role: Some("applicant".into()),
        person: Some(Person {
            given_name: Some("Erika".into()),
            family_name: Some("Mustermann".into()),
            ..Person::default()
        }),
        addresses: vec![Address { street: Some("Hauptstraße".into()), ..Address::default() }],
        contacts: vec![contact("email", "erika@post.example"), contact("phone", "30 12 34")],
        mailbox: Some("postfach-1".into()),
        prefers: prefers.map(str::to_owned),
        ..Party::default()
    }
}

fn case(parties: Vec<Party>) -> Case {
    let Record::Case(mut case) = a_case(GEHEIM) else { panic!("a case") };
    case.description.record_reference = Some("63-2026-0017".into());
    case.description.parties = parties;
    case
}

fn delivery(kind: &str, record: Record, above: Vec<Record>, status: Option<&str>) -> Delivery {
    let mut detail = json!({ "eventNumber": 1, "at": "2026-11-30T23:30:00Z" });
    if let Some(status) = status {
        detail["status"] = Value::from(status);
    }
    Delivery {
        id: ids::new_id(),
        tenant: "soest".into(),
        kind: kind.into(),
        record: Some((record.kind(), record.meta().id)),
        detail,
        about: Some(Box::new(About { record, above, links: vec![], files: vec![] })),
    }
}

fn closed(parties: Vec<Party>) -> Delivery {
    delivery("record.changed", Record::Case(case(parties)), vec![], Some("closed"))
}

async fn told(settings: Settings, delivery: &Delivery) -> Receipt {
    Notify::new(settings).deliver(delivery, &[]).await.unwrap()
}

fn notices(receipt: &Receipt) -> Vec<Dispatch> {
    let one = |command: &Command| match &command.change {
        Change::Create(record) => match &**record {
            Record::Dispatch(it) => it.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    receipt.commands.iter().map(one).collect()
}

#[tokio::test]
async fn the_chosen_way_is_taken_and_the_house_has_the_next() {
    for (prefers, way, otherwise) in [
        (Some("fit-connect"), "fit-connect", vec!["mail", "call"]),
        (Some("call"), "call", vec!["mail"]),
        (None, "mail", vec!["call"]),
        // Nobody pushes for this unit; who chose paper is written to; there are no pages.
        (Some("push"), "mail", vec!["call"]),
        (Some("print"), "letter", vec!["mail", "call"]),
        (Some("portal"), "mail", vec!["call"]),
    ] {
        let receipt = told(settings(), &closed(vec![erika(prefers)])).await;
        let notices = notices(&receipt);
        let [it] = notices.as_slice() else { panic!("{notices:?}") };
        assert_eq!(
            (it.way.as_deref(), it.otherwise.clone()),
            (Some(way), otherwise.iter().map(|it| (*it).to_owned()).collect())
        );
        assert_eq!((it.kind, it.documents.len()), (DispatchKind::Notification, 0));
        let to = it.to.as_ref().unwrap();
        assert_eq!(to.phone.as_deref(), Some("+492921301234"));
        assert_eq!(to.lines, ["Erika Mustermann", "Hauptstraße"]);
    }
}

#[tokio::test]
async fn a_notice_says_number_state_and_day_and_nothing_of_the_case() {
    let receipt = told(settings(), &closed(vec![erika(None)])).await;
    let all = notices(&receipt);
    let notice = all[0].notice.as_ref().unwrap();
    assert_eq!(notice.subject, "Ihr Vorgang 63-2026-0017");
    assert_eq!(
        notice.text,
        "Baugenehmigung: in Bearbeitung am 01.12.2026. https://buerger.kreis.example/citizen/"
    );
    let said = format!("{notice:?}{}", receipt.data);
    assert!(!said.contains("Geheim") && !said.contains("Erika"), "{said}");
    assert_eq!(receipt.data, json!({ "template": "neues", "notices": 1, "unreached": 0 }));
}

#[tokio::test]
async fn only_applicants_are_told_and_the_first_if_there_is_none() {
    let other = Party { role: Some("neighbour".into()), ..erika(None) };
    let both = told(settings(), &closed(vec![other.clone(), erika(None), erika(Some("call"))])).await;
    let ids: BTreeSet<_> = both.commands.iter().map(|command| command.id).collect();
    assert_eq!((both.commands.len(), ids.len()), (2, 2));
    assert_eq!(told(settings(), &closed(vec![other.clone(), other])).await.commands.len(), 1);
    let nobody = Party { contacts: vec![], mailbox: None, ..erika(None) };
    let receipt = told(settings(), &closed(vec![nobody])).await;
    assert_eq!((receipt.commands.len(), &receipt.data["unreached"]), (0, &json!(1)));
}

/// Browsers subscribe for a case, not for a party, and so are its pages.
#[tokio::test]
async fn what_goes_to_whoever_has_access_counts_for_the_citizen_alone() {
    let house = || {
        let ways = ["push", "portal", "mail"].map(str::to_owned).to_vec();
        let mut house = Settings { ways, ..settings() };
        house.carried.extend(["push", "portal"].map(|way| Carried { way: Some(way.into()), scope: None }));
        house
    };
    let neighbour = Party { role: Some("neighbour".into()), ..erika(Some("push")) };
    let all = vec!["push", "portal", "mail"];
    for (parties, expected) in [
        (vec![erika(None), erika(None)], [all.clone(), vec!["mail"]]),
        (vec![erika(None), erika(Some("push"))], [all.clone(), vec!["mail"]]),
        (vec![erika(Some("mail")), erika(Some("portal"))], [vec!["mail", "push", "portal"], vec!["mail"]]),
        (vec![erika(Some("portal")), erika(None)], [vec!["portal", "push", "mail"], vec!["mail"]]),
        (vec![neighbour, erika(None), erika(None)], [all, vec!["mail"]]),
    ] {
        let receipt = told(house(), &closed(parties)).await;
        let ways =
            notices(&receipt).into_iter().map(|it| [it.way.into_iter().collect(), it.otherwise].concat());
        assert_eq!(ways.collect::<Vec<Vec<String>>>(), expected);
    }
}

#[tokio::test]
async fn each_party_is_told_in_its_language() {
    let speaking = |language: &str| Party { language: Some(language.into()), ..erika(None) };
    let parties = ["en", "EN-gb", "de", "fr"].map(speaking);
    let receipt = told(settings(), &closed([&parties[..], &[erika(None)]].concat())).await;
    let subjects = notices(&receipt).into_iter().map(|it| it.notice.unwrap().subject);
    let (german, english) = ("Ihr Vorgang 63-2026-0017", "Your case 63-2026-0017");
    assert_eq!(subjects.collect::<Vec<_>>(), [english, english, german, german, german]);
}

#[tokio::test]
async fn the_same_delivery_makes_the_same_dispatches() {
    let delivery = closed(vec![erika(None)]);
    let (first, again) = (told(settings(), &delivery).await, told(settings(), &delivery).await);
    assert_eq!(first, again);
    let notify = Notify::new(settings());
    assert_eq!(notify.reconcile(&delivery).await.unwrap(), None, "nothing has left");
}

#[tokio::test]
async fn only_what_the_house_named_leads_to_a_notice() {
    let above = || vec![Record::Case(case(vec![erika(None)]))];
    let task = |kind: &str| {
        let Record::Task(mut task) = a_task("Unterlagen nachreichen") else { panic!("a task") };
        task.kind = kind.into();
        Record::Task(task)
    };
    let sent = |kind| Record::Dispatch(a_dispatch(kind));
    for (delivery, expected) in [
        (delivery("record.created", task("missing-document"), above(), Some("open")), 1),
        (delivery("record.created", task("hearing"), above(), Some("open")), 0),
        (delivery("record.created", sent(DispatchKind::Disclosure), above(), Some("open")), 1),
        (delivery("record.created", sent(DispatchKind::Notification), above(), Some("open")), 0),
        (delivery("record.created", task("missing-document"), vec![], Some("open")), 0),
        (delivery("record.changed", Record::Case(case(vec![erika(None)])), vec![], None), 0),
        (delivery("record.changed", Record::Case(case(vec![erika(None)])), vec![], Some("open")), 0),
    ] {
        let receipt = told(settings(), &delivery).await;
        assert_eq!((receipt.commands.len(), receipt.nothing), (expected, expected == 0), "{delivery:?}");
    }
    let mut of_service = settings();
    of_service.rules[0].services = vec!["hundesteuer".into()];
    assert!(told(of_service, &closed(vec![erika(None)])).await.nothing);
}

#[tokio::test]
async fn a_notice_in_the_quiet_time_says_when_it_may_leave() {
    let clock = |text: &str| Clock::try_from(text.to_owned()).unwrap();
    let quiet = Quiet { from: clock("20:00"), until: clock("08:00"), sundays: false };
    let sending = Sending { quiet: [("mail".to_owned(), quiet)].into(), ..Sending::default() };
    let receipt = told(Settings { sending, ..settings() }, &closed(vec![erika(None)])).await;
    let not_before = notices(&receipt)[0].not_before.unwrap();
    assert_eq!(not_before.to_string(), "2026-12-01T07:00:00Z");
}

#[test]
fn a_rule_by_which_notices_would_follow_from_notices_is_refused() {
    let created = EventKind::RecordCreated;
    for (record, kind) in [
        (RecordKind::Dispatch, None),
        (RecordKind::Dispatch, Some("notification")),
        (RecordKind::Task, None),
        (RecordKind::Task, Some("call")),
        (RecordKind::Task, Some("letter")),
        (RecordKind::Task, Some("dispatch.came-back")),
        (RecordKind::Case, Some("x")),
        (RecordKind::Payment, None),
    ] {
        assert!(rule(created, record, None, kind).lack().is_some(), "{record:?} {kind:?}");
    }
    assert!(settings().rules.iter().all(|rule| rule.lack().is_none()));
}
