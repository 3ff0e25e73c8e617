//! Clarifications: what they tell, and what is done about them.

use broker::{ClarificationFilter, Error, Incoming, NewExchange, Redrive};
use bytes::Bytes;
use model::clarification::{Act, Side};
use model::command::Change;
use model::exchange::ExchangeKind;
use model::rights::Within;
use model::{
    Authority, Caller, EventKind, Id, Message, MessageState, Record, RecordKind, Role, SystemClock, ids,
};
use serde_json::{Value, json};
use store::{InboxFilter, MessageFilter, Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, caller, change, lippstadt, soest, unna};

fn page() -> Page {
    Page { after: None, limit: 200 }
}

async fn taken(gateway: &Gateway, caller: &Caller, body: &Value) -> Message {
    let message = gateway.accept(caller, body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.message(caller, message.id).await.unwrap()
}

/// A reply that belongs to no exchange.
async fn a_parked_message(gateway: &Gateway, caller: &Caller) -> Message {
    taken(gateway, caller, &json!({"toy": "0403", "process": ids::new_id()})).await
}

async fn tasks(gateway: &Gateway, caller: &Caller) -> Vec<String> {
    let tasks = gateway.broker.records(caller, &RecordFilter::of(RecordKind::Task), &page()).await.unwrap();
    tasks.items.iter().map(|task| task.status().to_owned()).collect()
}

async fn waiting(gateway: &Gateway, caller: &Caller) -> Vec<Id> {
    let all = gateway.broker.clarifications(caller, &ClarificationFilter::default(), &page()).await.unwrap();
    all.items.iter().map(|found| found.message.id).collect()
}

async fn kinds(gateway: &Gateway, caller: &Caller, message: Id) -> Vec<EventKind> {
    let events = gateway.broker.message_timeline(caller, message, &page()).await.unwrap();
    events.into_iter().filter(|(_, event)| event.subject.is_none()).map(|(_, event)| event.kind).collect()
}

async fn mend(
    gateway: &Gateway,
    caller: &Caller,
    id: Id,
    key: Option<&str>,
    body: &Value,
) -> Result<Message, Error> {
    let incoming = Incoming { key: key.map(str::to_owned), ..Incoming::default() };
    let bytes = futures::stream::iter([Ok(Bytes::from(body.to_string()))]);
    gateway.broker.repair(caller, id, incoming, Some("ProzessID verschrieben"), bytes).await
}

#[tokio::test]
async fn a_clarification_tells_rule_side_attempts_and_what_may_be_done() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = a_parked_message(&gateway, &caller).await;
    gateway.broker.resend(&caller, message.id, Some("Versuch nach Umstellung"), None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let (found, attempts) = gateway.broker.clarification(&caller, message.id).await.unwrap();
    assert_eq!((found.rule.as_str(), found.side), ("exchange.unknown-process", Side::Us));
    use EventKind::{MessageParked, MessageResent};
    let tried: Vec<_> = attempts.iter().map(|attempt| attempt.kind).collect();
    assert_eq!(tried, [MessageParked, MessageResent, MessageParked]);
    assert_eq!(attempts[0].code.as_deref(), Some("exchange.unknown-process"));
    assert_eq!(attempts[1].note.as_deref(), Some("Versuch nach Umstellung"));
    let all = [Act::Resend, Act::Repair, Act::Return, Act::Forward];
    assert_eq!(gateway.broker.acts(&caller, &found), all);
    let as_role = |role| Caller { roles: vec![role], ..caller.clone() };
    assert_eq!(
        gateway.broker.acts(&as_role(Role::Operator), &found),
        [Act::Resend, Act::Return, Act::Forward]
    );
    assert_eq!(gateway.broker.acts(&as_role(Role::Clerk), &found), all);
    assert!(gateway.broker.acts(&as_role(Role::Auditor), &found).is_empty());
    let count = gateway.broker.clarification_counts(&caller, &ClarificationFilter::default()).await.unwrap();
    assert_eq!((count.len(), count[0].count, count[0].rule.as_str()), (1, 1, "exchange.unknown-process"));
}

#[tokio::test]
async fn nobody_ends_the_task_of_a_message_that_waits_but_whoever_decides_about_it() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, std::sync::Arc::new(SystemClock)).await;
        let caller = caller("soest", "63");
        let message = a_parked_message(&gateway, &caller).await;
        let (found, _) = gateway.broker.clarification(&caller, message.id).await.unwrap();
        let task = found.task.unwrap();
        for end in [Change::CompleteTask(None), Change::CancelTask] {
            let end = change(RecordKind::Task, task, end);
            let refused = gateway.broker.submit(&caller, end, None).await.unwrap_err();
            assert_eq!(refused.code(), "model.undecided");
        }
        assert_eq!(tasks(&gateway, &caller).await, ["open"]);
        gateway.broker.return_by_hand(&caller, message.id, None, None, None).await.unwrap();
        assert_eq!(tasks(&gateway, &caller).await, ["done"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_parked_twice_has_one_open_task_and_none_once_it_has_left() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = a_parked_message(&gateway, &caller).await;
    gateway.broker.resend(&caller, message.id, None, None).await.unwrap();
    assert_eq!(tasks(&gateway, &caller).await, ["done"]);
    gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(tasks(&gateway, &caller).await, ["done", "open"]);
    gateway.broker.return_by_hand(&caller, message.id, None, None, None).await.unwrap();
    assert_eq!(tasks(&gateway, &caller).await, ["done", "done"]);
    assert!(waiting(&gateway, &caller).await.is_empty());
    assert_eq!(
        gateway.broker.clarification(&caller, message.id).await.unwrap_err().code(),
        "model.not-found"
    );
}

#[tokio::test]
async fn clarifications_are_seen_in_their_unit_service_and_tenant_alone() {
    let gateway = Gateway::start().await;
    let owner = caller("soest", "63");
    let message = a_parked_message(&gateway, &owner).await;
    let mut other_service = owner.clone();
    other_service.scope.services = Within::one("abfall");
    for other in [caller("soest", "70"), caller("lippstadt", "63"), other_service] {
        assert!(waiting(&gateway, &other).await.is_empty());
        let all = ClarificationFilter::default();
        assert!(gateway.broker.clarification_counts(&other, &all).await.unwrap().is_empty());
        assert!(gateway.broker.clarification(&other, message.id).await.is_err());
        assert_eq!(gateway.broker.count_redrive(&other, &Redrive::default()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn filters_confine_the_list() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let message = a_parked_message(&gateway, &caller).await;
    let find = async |filter: ClarificationFilter| {
        gateway.broker.clarifications(&caller, &filter, &page()).await.unwrap().items.len()
    };
    let none = ClarificationFilter::default;
    assert_eq!(find(ClarificationFilter { partner: Some(message.partner.clone()), ..none() }).await, 1);
    assert_eq!(find(ClarificationFilter { partner: Some("other".into()), ..none() }).await, 0);
    assert_eq!(
        find(ClarificationFilter { rule: Some("exchange.unknown-process".into()), ..none() }).await,
        1
    );
    assert_eq!(find(ClarificationFilter { rule: Some("message.unknown".into()), ..none() }).await, 0);
    assert_eq!(find(ClarificationFilter { side: Some(Side::Us), ..none() }).await, 1);
    assert_eq!(find(ClarificationFilter { side: Some(Side::Sender), ..none() }).await, 0);
    assert_eq!(find(ClarificationFilter { unit: Some("70".into()), ..none() }).await, 0);
}

#[tokio::test]
async fn a_mended_message_is_processed_and_the_first_bytes_stay_as_evidence() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let process = ids::new_id();
    let message =
        gateway.accept(&caller, &json!({"toy": "0401", "process": process, "broken": true})).await.unwrap();
    gateway.broker.park_by_hand(&caller, message.id, None, None).await.unwrap();
    let mended = json!({"toy": "0401", "process": process, "objects": [[ids::new_id(), "Neubau"]]});
    let first = mend(&gateway, &caller, message.id, Some("k"), &mended).await.unwrap();
    let again = mend(&gateway, &caller, message.id, Some("k"), &mended).await.unwrap();
    assert_eq!(first, again);
    gateway.broker.run_due_jobs().await.unwrap();
    let now = gateway.broker.message(&caller, message.id).await.unwrap();
    assert_eq!(now.state, MessageState::Processed);
    let (old, new) = (message.payload.unwrap(), now.payload.unwrap());
    assert_ne!(old.sha256, new.sha256);
    let events = gateway.broker.message_timeline(&caller, message.id, &page()).await.unwrap();
    let event = events.iter().map(|(_, event)| event).find(|event| event.kind == EventKind::MessageRepaired);
    let event = event.unwrap();
    assert_eq!(event.payloads, [old.clone(), new.clone()]);
    assert_eq!(event.actor, caller.actor);
    let detail = event.detail.as_ref().unwrap();
    assert_eq!(detail["digests"], json!({ "before": old.sha256, "after": new.sha256 }));
    assert_eq!(detail["note"], "ProzessID verschrieben");
    assert_eq!(tasks(&gateway, &caller).await, ["done"]);
    // The sender that sends its message again is told of its own message.
    let repeated = gateway.accept(&caller, &json!({"toy": "0401", "process": process, "broken": true})).await;
    assert_eq!(repeated.unwrap().id, message.id);
}

#[tokio::test]
async fn only_the_same_message_that_waits_is_mended_by_whoever_may_see_it() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let parked = a_parked_message(&gateway, &caller).await;
    let other = json!({"toy": "0403", "process": ids::new_id()});
    let refused = mend(&gateway, &caller, parked.id, None, &other).await.unwrap_err();
    assert_eq!(refused.code(), "broker.other-message");
    let operator = Caller { roles: vec![Role::Operator], ..caller.clone() };
    let refused = mend(&gateway, &operator, parked.id, None, &other).await.unwrap_err();
    assert_eq!(refused.code(), "model.forbidden", "operators see no content");
    let waits = taken(&gateway, &caller, &json!({"toy": "0101", "process": ids::new_id()})).await;
    let refused = mend(&gateway, &caller, waits.id, None, &other).await.unwrap_err();
    assert_eq!(refused.code(), "model.wrong-state");
    let long = "x".repeat(broker::NOTE_CHARS + 1);
    let refused = gateway.broker.resend(&caller, parked.id, Some(&long), None).await.unwrap_err();
    assert_eq!(refused.code(), "model.invalid");
    assert_eq!(kinds(&gateway, &caller, parked.id).await.last(), Some(&EventKind::MessageParked));
}

#[tokio::test]
async fn whoever_only_brought_a_message_sees_no_notes() {
    let gateway = Gateway::start().await;
    let mut mailroom = caller("soest", "70");
    let operator = caller("soest", "63");
    let message = gateway.accept(&mailroom, &json!({"toy": "0101", "process": ids::new_id()})).await.unwrap();
    gateway.broker.park_by_hand(&operator, message.id, Some("nur intern"), None).await.unwrap();
    let notes = async |caller: &Caller| {
        let events = gateway.broker.message_timeline(caller, message.id, &page()).await.unwrap();
        json!(events.iter().map(|(_, event)| event).collect::<Vec<_>>()).to_string().contains("nur intern")
    };
    assert!(notes(&operator).await && !notes(&mailroom).await);
    mailroom.actor.id = "another".into();
    assert!(gateway.broker.message_timeline(&mailroom, message.id, &page()).await.is_err());
}

async fn handed_over(gateway: &Gateway, ours: &Caller) -> (Id, Id) {
    let case = gateway.a_case(ours, "Neubau").await.meta.id;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![case],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    let sent = gateway.broker.start_exchange(ours, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    (sent.meta.id, sent.messages[0].id)
}

async fn only_incoming(gateway: &Gateway, caller: &Caller) -> Message {
    let filter = MessageFilter {
        direction: Some(model::message::Direction::In),
        message_type: Some("0401".into()),
        ..MessageFilter::default()
    };
    let mut found = gateway.broker.messages(caller, &filter, &page()).await.unwrap().items;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn exchange_partner(gateway: &Gateway, caller: &Caller, id: Id) -> (Authority, String) {
    match gateway.broker.record(caller, RecordKind::Exchange, id).await.unwrap() {
        Record::Exchange(exchange) => (exchange.partner, format!("{:?}", exchange.status)),
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_message_goes_on_to_the_competent_authority_and_its_sender_follows_it() {
    let gateway = Gateway::start().await;
    let (ours, theirs, third) = (caller("soest", "63"), caller("lippstadt", "63"), caller("unna", "63"));
    let (exchange, sent) = handed_over(&gateway, &ours).await;
    let there = only_incoming(&gateway, &theirs).await;
    assert_eq!(there.state, MessageState::Processed);
    let left =
        gateway.broker.forward(&theirs, there.id, &unna(), Some("Unna ist zuständig"), None).await.unwrap();
    assert_eq!(left.state, MessageState::Confirmed);
    assert_eq!(left.forwarding.unwrap().to, Some(unna()));
    gateway.broker.run_due_jobs().await.unwrap();
    let cases = RecordFilter::of(RecordKind::Case);
    let count =
        async |caller: &Caller| gateway.broker.records(caller, &cases, &page()).await.unwrap().items.len();
    assert_eq!((count(&theirs).await, count(&third).await), (0, 1), "its records went with it");

    let copy = only_incoming(&gateway, &third).await;
    assert_eq!((copy.state, copy.partner.as_str()), (MessageState::Processed, soest().as_str()));
    assert_eq!(copy.forwarding.as_ref().unwrap().from, [lippstadt()]);
    let seen = kinds(&gateway, &ours, sent).await;
    assert_eq!(seen.last(), Some(&EventKind::MessageForwarded));
    assert_eq!(exchange_partner(&gateway, &ours, exchange).await, (unna(), "Received".to_owned()));
    let timeline = gateway.broker.message_timeline(&ours, sent, &page()).await.unwrap();
    let timeline = json!(timeline.iter().map(|(_, event)| event).collect::<Vec<_>>()).to_string();
    assert!(!timeline.contains("Unna ist"), "notes stay with whoever made them");

    for (target, of) in
        [(lippstadt(), "it was there"), (soest(), "it comes from there"), (unna(), "it is there")]
    {
        let refused = gateway.broker.forward(&third, copy.id, &target, None, None).await.unwrap_err();
        assert_eq!(refused.code(), "broker.forward-loop", "{of}");
    }
    let minute = std::time::Duration::from_secs(60);
    let leased = gateway.broker.lease(&third, &InboxFilter::default(), minute, 9, None).await.unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!(gateway.broker.message(&ours, sent).await.unwrap().state, MessageState::Delivered);
    gateway.broker.confirm(&third, leased[0].entry.id, None).await.unwrap();
    assert_eq!(gateway.broker.message(&ours, sent).await.unwrap().state, MessageState::Confirmed);
    let left = gateway.broker.lease(&theirs, &InboxFilter::default(), minute, 9, None).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn what_is_returned_by_the_competent_authority_is_returned_at_its_sender() {
    let gateway = Gateway::start().await;
    let (ours, theirs, third) = (caller("soest", "63"), caller("lippstadt", "63"), caller("unna", "63"));
    let (exchange, sent) = handed_over(&gateway, &ours).await;
    let there = only_incoming(&gateway, &theirs).await;
    let once = broker::Once::new("k".into(), "d".into());
    let to = unna();
    let forward = || gateway.broker.forward(&theirs, there.id, &to, None, Some(&once));
    let all = futures::future::join_all((0..6).map(|_| forward())).await;
    let all: Vec<Message> = all.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|answer| *answer == all[0]));
    gateway.broker.run_due_jobs().await.unwrap();
    let copy = only_incoming(&gateway, &third).await;
    gateway.broker.return_by_hand(&third, copy.id, Some("county.not-competent"), None, None).await.unwrap();
    let sent = gateway.broker.message(&ours, sent).await.unwrap();
    assert_eq!(sent.state, MessageState::Returned);
    assert_eq!(sent.report.unwrap().findings[0].rule, "county.not-competent");
    assert_eq!(exchange_partner(&gateway, &ours, exchange).await.0, unna());
}

#[tokio::test]
async fn a_parked_message_that_a_system_brought_is_forwarded_with_its_bytes() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let body = json!({"toy": "0401", "process": ids::new_id(), "to": "bab:05974000", "objects": [[ids::new_id(), "x"]]});
    let message = gateway.accept(&ours, &body).await.unwrap();
    gateway.broker.park_by_hand(&ours, message.id, None, None).await.unwrap();
    let unknown = "bab:1".parse().unwrap();
    let refused = gateway.broker.forward(&ours, message.id, &unknown, None, None).await.unwrap_err();
    assert_eq!(refused.code(), "broker.unknown-authority");
    gateway.broker.forward(&ours, message.id, &lippstadt(), None, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let copy = only_incoming(&gateway, &theirs).await;
    assert_eq!(copy.state, MessageState::Processed, "named for the authority that it was at before");
    assert_eq!(copy.payload.unwrap().sha256, message.payload.unwrap().sha256);
    assert_eq!(copy.partner, soest().to_string());
    assert_eq!(tasks(&gateway, &ours).await, ["done"]);
}

#[tokio::test]
async fn many_parked_messages_are_tried_again_once_each_whatever_happens_meanwhile() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let mut all = vec![];
    for _ in 0..130 {
        let body = json!({"toy": "0403", "process": ids::new_id()});
        all.push(gateway.accept(&caller, &body).await.unwrap().id);
    }
    gateway.broker.run_due_jobs().await.unwrap();
    let rule = Some("exchange.unknown-process".to_owned());
    let wanted = Redrive { rule, note: Some("nach dem Ausfall".into()), ..Redrive::default() };
    let some = Redrive { limit: Some(7), ..wanted.clone() };
    assert_eq!(gateway.broker.count_redrive(&caller, &wanted).await.unwrap(), 130);
    assert_eq!(gateway.broker.count_redrive(&caller, &some).await.unwrap(), 7);
    assert_eq!(waiting(&gateway, &caller).await.len(), 130, "counting changes nothing");

    let once = broker::Once::new("k".into(), "d".into());
    let started = gateway.broker.start_redrive(&caller, &wanted, Some(&once)).await.unwrap();
    let again = gateway.broker.start_redrive(&caller, &wanted, Some(&once)).await.unwrap();
    assert_eq!((started.id, started.matched), (again.id, 130));
    gateway.broker.return_by_hand(&caller, all[5], None, None, None).await.unwrap();
    // Whatever is tried again is parked again, and must not be tried a second time.
    let mut state = started;
    while state.state == "running" {
        gateway.broker.run_due_jobs().await.unwrap();
        state = gateway.broker.operation(&caller, state.id).await.unwrap();
    }
    assert_eq!((state.state.as_str(), state.resent + state.passed), ("done", 129));
    for (number, id) in all.iter().enumerate() {
        let resent = kinds(&gateway, &caller, *id).await;
        let resent = resent.iter().filter(|kind| **kind == EventKind::MessageResent).count();
        assert_eq!(resent, usize::from(number != 5), "message {number}");
    }
    let foreign = gateway.broker.operation(&crate::house::caller("soest", "70"), state.id).await;
    assert_eq!(foreign.unwrap_err().code(), "model.not-found");
    let some = gateway.broker.start_redrive(&caller, &some, None).await.unwrap();
    while gateway.broker.operation(&caller, some.id).await.unwrap().state == "running" {
        gateway.broker.run_due_jobs().await.unwrap();
    }
    assert!(gateway.broker.operation(&caller, some.id).await.unwrap().resent <= 7);
}

#[tokio::test]
async fn each_rule_that_parks_a_message_names_the_side_that_must_act() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let (exchange, _) = handed_over(&gateway, &ours).await;
    let Record::Exchange(exchange) =
        gateway.broker.record(&ours, RecordKind::Exchange, exchange).await.unwrap()
    else {
        panic!("an exchange")
    };
    let object = exchange.objects[0].object_id;
    let process = exchange.process_id;
    let forged = json!({"toy": "0402", "process": process, "results": [[object, true]]});
    let unknown_sender =
        json!({"toy": "0401", "process": ids::new_id(), "receipt": true, "objects": [[ids::new_id(), "x"]]});
    for body in [json!({"toy": "0403", "process": ids::new_id()}), forged, unknown_sender] {
        taken(&gateway, &ours, &body).await;
    }
    let put_aside = gateway.accept(&ours, &json!({"toy": "0101", "process": ids::new_id()})).await.unwrap();
    gateway.broker.park_by_hand(&ours, put_aside.id, None, None).await.unwrap();
    let all = gateway.broker.clarifications(&ours, &ClarificationFilter::default(), &page()).await.unwrap();
    let mut all: Vec<(&str, Side)> =
        all.items.iter().map(|found| (found.rule.as_str(), found.side)).collect();
    all.sort_unstable();
    assert_eq!(
        all,
        [
            ("broker.unknown-authority", Side::Us),
            ("exchange.unknown-process", Side::Us),
            ("exchange.wrong-partner", Side::Us),
            ("message.parked-by-hand", Side::Us),
        ]
    );
}

#[tokio::test]
async fn a_document_that_was_handed_over_alone_is_locked_once_its_import_was_confirmed() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let mut meta = crate::house::new_case(&ours, "63", "").meta().clone();
    meta.root = meta.id;
    let id = meta.id;
    let document = Record::Document(model::case::Document {
        meta,
        description: model::case::Description { title: "Lageplan".into(), ..Default::default() },
        parent: None,
        kind: None,
        dates: Default::default(),
        versions: vec![],
        status: Default::default(),
    });
    gateway.broker.submit(&ours, crate::house::create(document), None).await.unwrap();
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![id],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    let sent = gateway.broker.start_exchange(&ours, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let lock = || gateway.broker.lock(&ours, RecordKind::Document, id, sent.meta.id, None);
    assert_eq!(lock().await.unwrap_err().code(), "model.not-confirmed");
    let exchanges = RecordFilter::of(RecordKind::Exchange);
    let there = gateway.broker.records(&theirs, &exchanges, &page()).await.unwrap().items.remove(0);
    let Record::Exchange(there) = there else { panic!("an exchange") };
    let result = model::exchange::ImportResult { successful: true, ..Default::default() };
    let results = vec![(there.objects[0].object_id, result)];
    gateway.broker.confirm_import(&theirs, there.meta.id, results, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    assert_eq!(lock().await.unwrap().status(), "locked");
    assert_eq!(lock().await.unwrap().status(), "locked", "locking again changes nothing");
    let upload = broker::Upload { file_name: "a".into(), version: "1".into(), ..Default::default() };
    let bytes = futures::stream::iter([Ok(Bytes::from_static(b"x"))]);
    let refused = gateway.broker.add_content(&ours, id, upload, bytes).await.unwrap_err();
    assert_eq!(refused.code(), "model.locked");
}
