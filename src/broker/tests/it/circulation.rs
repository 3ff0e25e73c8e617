//! Documents go along a route from station to station and come back; file plans go to others and are appraised.

use broker::house::PartnerEntry;
use broker::{NewExchange, Opening, StepDone};
use model::case::{Disposition, Document, DocumentDates, RecordStatus};
use model::circulation::{Order, Outcome, Route, Step, StepStatus};
use model::command::{Change, Rules};
use model::exchange::{Appraisal, Exchange, ExchangeKind, ExchangeStatus, ImportResult, Side};
use model::file_plan::{FilePlan, FilePlanNode};
use model::party::Party;
use model::record::Meta;
use model::{Authority, Caller, Id, MessageState, Record, RecordKind};
use serde_json::json;
use store::{InboxFilter, Page, RecordFilter};

use crate::house::{Gateway, SetClock, caller, change, create, lippstadt, new_case, soest, unna};

async fn exchanges(gateway: &Gateway, caller: &Caller, side: Side) -> Vec<Exchange> {
    let page = Page { after: None, limit: 50 };
    let found = gateway.broker.records(caller, &RecordFilter::of(RecordKind::Exchange), &page).await.unwrap();
    let all = found.items.into_iter().filter_map(|record| match record {
        Record::Exchange(exchange) => Some(exchange),
        _ => None,
    });
    all.filter(|exchange| exchange.side == side).collect()
}

async fn a_document(gateway: &Gateway, caller: &Caller) -> Id {
    let Record::Case(case) = new_case(caller, "63", "Lageplan") else { unreachable!() };
    let meta = Meta { public_service: case.meta.public_service.clone(), ..case.meta };
    let document = Document {
        meta,
        description: case.description,
        parent: None,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    };
    gateway.broker.submit(caller, create(Record::Document(document)), None).await.unwrap().meta().id
}

fn step(number: &str, to: Authority) -> Step {
    let party = |authority| Party { authority: Some(authority), ..Party::default() };
    Step {
        number: number.into(),
        order: Order { by: party(soest()), to: party(to), on: "2026-11-29".into(), ..Order::default() },
        ..Step::default()
    }
}

/// Soest asks Lippstadt, then Unna, then itself.
fn route() -> Route {
    let steps = vec![step("1", lippstadt()), step("2", unna()), step("3", soest())];
    Route {
        id: Id::now_v7(),
        steps,
        receipt_to_initiator: true,
        receipt_to_predecessor: true,
        ..Route::default()
    }
}

async fn start(gateway: &Gateway, caller: &Caller, objects: Vec<Id>, route: Route) -> Exchange {
    let wanted = NewExchange {
        kind: ExchangeKind::Circulation,
        to: lippstadt(),
        objects,
        version: None,
        wants_receipt: true,
        opening: Opening::Route(Box::new(route)),
    };
    let started = gateway.broker.start_exchange(caller, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    started
}

fn done(step: usize) -> StepDone {
    let outcome = Outcome { remark: Some("gesehen".into()), on: "2026-11-30".into(), ..Outcome::default() };
    StepDone { step, skipped: false, outcome }
}

async fn is_locked(gateway: &Gateway, caller: &Caller, id: Id) -> bool {
    gateway.broker.record(caller, RecordKind::Document, id).await.unwrap().status() == "locked"
}

async fn does_its_step(gateway: &Gateway, caller: &Caller, step: usize) {
    let here = exchanges(gateway, caller, Side::Receiver).await;
    let here = here.into_iter().find(|here| here.status == ExchangeStatus::Received).unwrap();
    gateway.broker.do_step(caller, here.meta.id, done(step), None).await.unwrap();
    gateway.broker.pass_on(caller, here.meta.id, None, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let twice = gateway.broker.pass_on(caller, here.meta.id, None, None).await.unwrap_err();
    assert_eq!(twice.code(), "model.wrong-state");
}

#[tokio::test]
async fn documents_go_from_station_to_station_and_are_locked_until_they_are_back() {
    let gateway = Gateway::start().await;
    let (ours, second, third) = (caller("soest", "63"), caller("lippstadt", "63"), caller("unna", "63"));
    let document = a_document(&gateway, &ours).await;
    let started = start(&gateway, &ours, vec![document], route()).await;
    let amend = || change(RecordKind::Document, document, Change::Amend(json!({ "title": "x" })));
    assert_eq!(gateway.broker.submit(&ours, amend(), None).await.unwrap_err().code(), "model.locked");

    does_its_step(&gateway, &second, 0).await;
    does_its_step(&gateway, &third, 1).await;
    let sent = exchanges(&gateway, &ours, Side::Sender).await.remove(0);
    assert_eq!(sent.status, ExchangeStatus::Confirmed, "it is back");
    let receipts = sent.messages.iter().filter(|message| message.message_type == "0202").count();
    assert_eq!(receipts, 2, "from each station");
    let known: Vec<StepStatus> = sent.route.unwrap().steps.iter().map(|step| step.status).collect();
    assert_eq!(
        known,
        [StepStatus::Done, StepStatus::Done, StepStatus::Current],
        "every message tells all steps"
    );
    assert!(gateway.broker.submit(&ours, amend(), None).await.is_ok());
    let back = exchanges(&gateway, &ours, Side::Receiver).await.remove(0);
    assert_eq!(back.process_id, started.process_id);
    let early = gateway.broker.pass_on(&ours, back.meta.id, None, None).await.unwrap_err();
    assert_eq!(early.code(), "model.wrong-state", "nobody has said what was done here");
    gateway.broker.do_step(&ours, back.meta.id, done(2), None).await.unwrap();
    let ended = gateway.broker.pass_on(&ours, back.meta.id, None, None).await.unwrap();
    assert_eq!(ended.status, ExchangeStatus::Confirmed);
}

#[tokio::test]
async fn documents_that_do_not_come_back_are_not_locked() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let document = a_document(&gateway, &ours).await;
    let one_way = Route { steps: vec![step("1", lippstadt())], ..route() };
    start(&gateway, &ours, vec![document], one_way).await;
    let amend = change(RecordKind::Document, document, Change::Amend(json!({ "title": "x" })));
    assert!(gateway.broker.submit(&ours, amend, None).await.is_ok());
}

#[tokio::test]
async fn documents_stay_locked_while_they_are_at_the_initiators_between_two_stations() {
    let gateway = Gateway::start().await;
    let (ours, second, third) = (caller("soest", "63"), caller("lippstadt", "63"), caller("unna", "63"));
    let document = a_document(&gateway, &ours).await;
    let steps = vec![step("1", lippstadt()), step("2", soest()), step("3", unna()), step("4", soest())];
    start(&gateway, &ours, vec![document], Route { steps, ..route() }).await;
    does_its_step(&gateway, &second, 0).await;
    assert!(is_locked(&gateway, &ours, document).await, "they go on from here");
    does_its_step(&gateway, &ours, 1).await;
    assert!(is_locked(&gateway, &ours, document).await);
    does_its_step(&gateway, &third, 2).await;
    assert!(!is_locked(&gateway, &ours, document).await);
    let sent = exchanges(&gateway, &ours, Side::Sender).await;
    assert!(sent.iter().all(|sent| sent.status == ExchangeStatus::Confirmed), "{sent:?}");
}

#[tokio::test]
async fn nobody_but_a_station_of_the_same_route_brings_documents_back() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let document = a_document(&gateway, &ours).await;
    let only = Route { steps: vec![step("1", lippstadt()), step("2", soest())], ..route() };
    let sent = start(&gateway, &ours, vec![document], only.clone()).await;
    let at_the_end = |mut route: Route| {
        route.steps[0].status = StepStatus::Done;
        route.steps[1].status = StepStatus::Current;
        route
    };
    let other = Route { id: Id::now_v7(), ..only.clone() };
    let longer = Route { steps: [only.steps.clone(), vec![step("3", soest())]].concat(), ..only.clone() };
    for (from, route) in [(unna(), &only), (lippstadt(), &other), (lippstadt(), &longer)] {
        let body = json!({ "toy": "0201", "process": sent.process_id, "id": Id::now_v7(),
            "route": at_the_end(route.clone()), "objects": [[document, "Lageplan", []]] });
        let mut by = ours.clone();
        by.actor.id = from.to_string();
        let message = gateway.accept(&by, &body).await.unwrap();
        gateway.broker.run_due_jobs().await.unwrap();
        let message = gateway.broker.message(&ours, message.id).await.unwrap();
        assert_eq!(message.state, MessageState::Parked);
        assert_eq!(message.report.unwrap().findings[0].rule, "exchange.route-differs");
        assert!(is_locked(&gateway, &ours, document).await);
    }
    let ended = gateway.broker.end_circulation(&ours, sent.meta.id, None).await.unwrap();
    assert_eq!((ended.status, ended.waits), (ExchangeStatus::Confirmed, None));
    assert!(!is_locked(&gateway, &ours, document).await, "somebody has decided that they do not come back");
    let twice = gateway.broker.end_circulation(&ours, sent.meta.id, None).await.unwrap_err();
    assert_eq!(twice.code(), "model.wrong-state");
}

#[tokio::test]
async fn documents_that_the_first_station_gives_back_may_be_changed_again() {
    let gateway = Gateway::start().await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let document = a_document(&gateway, &ours).await;
    let sent = start(&gateway, &ours, vec![document], route()).await;
    let (filter, minute) = (InboxFilter::default(), std::time::Duration::from_secs(60));
    let leased = gateway.broker.lease(&second, &filter, minute, 1, None).await.unwrap();
    gateway.broker.give_back(&second, leased[0].entry.id, "message.not-competent", None).await.unwrap();
    let now = exchanges(&gateway, &ours, Side::Sender).await.remove(0);
    assert_eq!((now.meta.id, now.status), (sent.meta.id, ExchangeStatus::Returned));
    assert!(!is_locked(&gateway, &ours, document).await);
}

#[tokio::test]
async fn what_was_handed_over_meanwhile_stays_locked_when_it_is_back() {
    let gateway = Gateway::start().await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let document = a_document(&gateway, &ours).await;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: unna(),
        objects: vec![document],
        version: None,
        wants_receipt: true,
        opening: Opening::Usual,
    };
    let handed_over = gateway.broker.start_exchange(&ours, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let only = Route { steps: vec![step("1", lippstadt()), step("2", soest())], ..route() };
    start(&gateway, &ours, vec![document], only).await;
    let third = caller("unna", "63");
    let there = exchanges(&gateway, &third, Side::Receiver).await.remove(0);
    let result = ImportResult { successful: true, ..ImportResult::default() };
    gateway.broker.confirm_import(&third, there.meta.id, vec![(document, result)], None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let lock = || gateway.broker.lock(&ours, RecordKind::Document, document, handed_over.meta.id, None);
    lock().await.unwrap();
    lock().await.unwrap();
    does_its_step(&gateway, &second, 0).await;
    assert!(is_locked(&gateway, &ours, document).await);
}

#[tokio::test]
async fn a_station_reports_on_its_own_step_alone_and_in_its_own_name() {
    let gateway = Gateway::start().await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let document = a_document(&gateway, &ours).await;
    start(&gateway, &ours, vec![document], route()).await;
    let here = exchanges(&gateway, &second, Side::Receiver).await.remove(0).meta.id;
    let mut of_another = done(0);
    of_another.outcome.by.authority = Some(unna());
    for wrong in [done(1), done(2), done(3), of_another] {
        let refused = gateway.broker.do_step(&second, here, wrong, None).await.unwrap_err();
        assert_eq!(refused.code(), "model.invalid");
    }
    let early = gateway.broker.pass_on(&second, here, None, None).await.unwrap_err();
    assert_eq!(early.code(), "model.wrong-state");
}

#[tokio::test]
async fn a_route_that_goes_nowhere_or_elsewhere_is_not_begun() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let document = a_document(&gateway, &ours).await;
    let begun = Step { status: StepStatus::Done, ..step("1", lippstadt()) };
    let passed_over = Step { status: StepStatus::Skipped, ..step("1", lippstadt()) };
    for steps in [vec![begun], vec![passed_over], vec![step("1", unna()), step("2", soest())]] {
        let wanted = NewExchange {
            kind: ExchangeKind::Circulation,
            to: lippstadt(),
            objects: vec![document],
            version: None,
            wants_receipt: true,
            opening: Opening::Route(Box::new(Route { steps, ..route() })),
        };
        assert_eq!(
            gateway.broker.start_exchange(&ours, wanted, None).await.unwrap_err().code(),
            "model.invalid"
        );
    }
}

#[tokio::test]
async fn a_file_plan_is_receipted_appraised_and_its_appraisal_confirmed() {
    let gateway = Gateway::start().await;
    let (ours, archive) = (caller("soest", "63"), caller("lippstadt", "63"));
    let unit = Id::now_v7();
    let node = FilePlanNode { id: Some(unit), ..FilePlanNode::default() };
    let plan =
        FilePlan { name: "Plan".into(), version: "1".into(), units: vec![node], ..FilePlan::default() };
    for kind in [ExchangeKind::FilePlan, ExchangeKind::Catalogue] {
        let wanted = NewExchange {
            kind,
            to: lippstadt(),
            objects: vec![],
            version: None,
            wants_receipt: true,
            opening: Opening::FilePlan(Box::new(plan.clone())),
        };
        gateway.broker.start_exchange(&ours, wanted, None).await.unwrap();
        gateway.broker.run_due_jobs().await.unwrap();
    }
    let sent = exchanges(&gateway, &ours, Side::Sender).await;
    assert!(sent.iter().all(|exchange| exchange.status == ExchangeStatus::Received), "{sent:?}");
    let there = exchanges(&gateway, &archive, Side::Receiver).await;
    let there = there.into_iter().find(|exchange| exchange.kind == ExchangeKind::Catalogue).unwrap();
    assert_eq!(there.file_plan.as_deref(), Some(&plan));
    let appraisal = vec![(unit, Appraisal::of(Disposition::Archive))];
    gateway.broker.appraise(&archive, there.meta.id, appraisal, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let sent = exchanges(&gateway, &ours, Side::Sender).await;
    let sent = sent.into_iter().find(|exchange| exchange.kind == ExchangeKind::Catalogue).unwrap();
    assert_eq!(sent.status, ExchangeStatus::Appraised);
    assert_eq!(sent.file_plan.unwrap().units[0].retention.disposition, Some(Disposition::Archive));
    gateway.broker.transfer(&ours, sent.meta.id, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let there = exchanges(&gateway, &archive, Side::Receiver).await;
    let there = there.into_iter().find(|exchange| exchange.kind == ExchangeKind::Catalogue).unwrap();
    assert_eq!(there.status, ExchangeStatus::Confirmed);
}

/// Gives back the first entry of the mailbox.
async fn gives_back(gateway: &Gateway, caller: &Caller) -> Result<(), broker::Error> {
    let (filter, minute) = (InboxFilter::default(), std::time::Duration::from_secs(60));
    let leased = gateway.broker.lease(caller, &filter, minute, 1, None).await.unwrap();
    let rule = "message.not-competent";
    gateway.broker.give_back(caller, leased[0].entry.id, rule, None).await.map(|_| ())
}

/// A message that `from` brings to the authority of `to`.
async fn brings(gateway: &Gateway, to: &Caller, from: Authority, body: serde_json::Value) -> model::Message {
    let mut by = to.clone();
    by.actor.id = from.to_string();
    let message = gateway.accept(&by, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.message(to, message.id).await.unwrap()
}

fn leading(message: &model::Message) -> &str {
    message.report.as_ref().map_or("", |report| report.findings[0].rule.as_str())
}

#[tokio::test]
async fn what_has_gone_on_along_its_route_goes_back_no_more() {
    let clock = std::sync::Arc::new(SetClock::default());
    let gateway = Gateway::with_rules(Rules::default(), clock.clone()).await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let document = a_document(&gateway, &ours).await;
    start(&gateway, &ours, vec![document], route()).await;
    does_its_step(&gateway, &second, 0).await;
    assert_eq!(gives_back(&gateway, &second).await.unwrap_err().code(), "model.wrong-state");
    clock.advance(std::time::Duration::from_secs(11 * 3_600));
    gateway.broker.expire_due().await.unwrap();
    let there = exchanges(&gateway, &second, Side::Receiver).await.remove(0);
    assert_eq!(there.status, ExchangeStatus::Confirmed);
    let came = gateway.broker.message(&second, there.messages[0].id).await.unwrap();
    assert_eq!(came.state, MessageState::Processed);
    let records = gateway.broker.record(&second, RecordKind::Document, there.objects[0].id).await;
    assert!(records.is_ok(), "what came stays");
}

#[tokio::test]
async fn documents_that_came_back_are_under_way_again_if_they_are_given_back() {
    let gateway = Gateway::start().await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let (document, busy) = (a_document(&gateway, &ours).await, a_document(&gateway, &ours).await);
    let only = Route { steps: vec![step("1", lippstadt()), step("2", soest())], ..route() };
    let sent = start(&gateway, &ours, vec![document, busy], only).await;
    does_its_step(&gateway, &second, 0).await;
    assert!(!is_locked(&gateway, &ours, document).await);
    let other = Route { steps: vec![step("1", lippstadt()), step("2", soest())], ..route() };
    start(&gateway, &ours, vec![busy], other).await;
    gives_back(&gateway, &ours).await.unwrap();
    let now = exchanges(&gateway, &ours, Side::Sender).await;
    let now = now.into_iter().find(|now| now.meta.id == sent.meta.id).unwrap();
    assert_eq!(now.status, ExchangeStatus::Received);
    assert!(now.waits.is_some());
    assert!(is_locked(&gateway, &ours, document).await);
    gateway.broker.end_circulation(&ours, sent.meta.id, None).await.unwrap();
    assert!(!is_locked(&gateway, &ours, document).await);
    assert!(is_locked(&gateway, &ours, busy).await, "it goes along another route meanwhile");
}

#[tokio::test]
async fn a_receipt_counts_from_stations_alone_and_for_the_leg_of_whoever_sends_it() {
    let gateway = Gateway::start().await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let document = a_document(&gateway, &ours).await;
    let steps = vec![step("1", lippstadt()), step("2", soest()), step("3", soest())];
    let sent = start(&gateway, &ours, vec![document], Route { steps, ..route() }).await;
    let receipt = || json!({ "toy": "0202", "process": sent.process_id, "id": Id::now_v7() });
    let foreign = brings(&gateway, &ours, unna(), receipt()).await;
    assert_eq!((foreign.state, leading(&foreign)), (MessageState::Parked, "exchange.wrong-partner"));
    does_its_step(&gateway, &second, 0).await;
    let there = exchanges(&gateway, &ours, Side::Receiver).await.remove(0);
    gateway.broker.do_step(&ours, there.meta.id, done(1), None).await.unwrap();
    gateway.broker.pass_on(&ours, there.meta.id, None, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let late = brings(&gateway, &ours, lippstadt(), receipt()).await;
    assert_eq!((late.state, late.exchange), (MessageState::Confirmed, Some(sent.meta.id)));
}

#[tokio::test]
async fn another_who_uses_the_process_of_a_file_plan_is_in_nobody_s_way() {
    let gateway = Gateway::start().await;
    let archive = caller("lippstadt", "63");
    let unit = Id::now_v7();
    let node = FilePlanNode { id: Some(unit), ..FilePlanNode::default() };
    let plan = FilePlan { name: "Plan".into(), units: vec![node], ..FilePlan::default() };
    let process = Id::now_v7();
    let says = |kind: &str| json!({ "toy": kind, "process": process, "id": Id::now_v7(), "plan": plan });
    for from in [soest(), unna()] {
        brings(&gateway, &archive, from, says("0511")).await;
    }
    let there = exchanges(&gateway, &archive, Side::Receiver).await;
    let there = there.into_iter().find(|there| there.partner == soest()).unwrap();
    let appraisal = vec![(unit, Appraisal::of(Disposition::Archive))];
    gateway.broker.appraise(&archive, there.meta.id, appraisal, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    for kind in ["0515", "0514"] {
        let reply = brings(&gateway, &archive, soest(), says(kind)).await;
        assert_eq!((reply.state, reply.exchange), (MessageState::Confirmed, Some(there.meta.id)));
    }
}

#[tokio::test]
async fn documents_go_on_only_to_whom_the_route_names_and_who_can_read_them() {
    let reads_another = PartnerEntry {
        tenant: Some("lippstadt".into()),
        authority: "ger:1".parse().unwrap(),
        name: "Amtsgericht".into(),
        adapter: Some("none".into()),
        osci: None,
        xta: None,
        prefer: vec![],
        reads: vec![("xdomea".into(), "3.1.0".into())],
        most_bytes: 1 << 20,
        may_repeat: true,
    };
    let clock = std::sync::Arc::new(SetClock::default());
    let gateway = Gateway::with_partners(clock, vec![reads_another], vec![]).await;
    let (ours, second) = (caller("soest", "63"), caller("lippstadt", "63"));
    let wrong = [
        (unna(), Some(soest()), "model.invalid"),
        ("bab:99999999".parse().unwrap(), None, "broker.unknown-authority"),
        ("ger:1".parse().unwrap(), None, "broker.no-common-standard"),
    ];
    for (next, to, code) in wrong {
        let document = a_document(&gateway, &ours).await;
        let steps = vec![step("1", lippstadt()), step("2", next)];
        let sent = start(&gateway, &ours, vec![document], Route { steps, ..route() }).await;
        let here = exchanges(&gateway, &second, Side::Receiver).await;
        let here = here.into_iter().find(|here| here.process_id == sent.process_id).unwrap();
        gateway.broker.do_step(&second, here.meta.id, done(0), None).await.unwrap();
        let refused = gateway.broker.pass_on(&second, here.meta.id, to, None).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let here = exchanges(&gateway, &second, Side::Receiver).await;
    assert!(here.iter().all(|here| here.status == ExchangeStatus::Received), "they are still here");
    assert!(exchanges(&gateway, &second, Side::Sender).await.is_empty());
}

#[tokio::test]
async fn who_did_the_step_of_another_brings_the_documents_back() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let document = a_document(&gateway, &ours).await;
    let only = Route { steps: vec![step("1", lippstadt()), step("2", soest())], ..route() };
    let sent = start(&gateway, &ours, vec![document], only.clone()).await;
    let mut back = only;
    back.steps[0].status = StepStatus::Done;
    back.steps[0].outcome = Some(done(0).outcome);
    back.steps[0].outcome.as_mut().unwrap().by.authority = Some(unna());
    back.steps[1].status = StepStatus::Current;
    let body = json!({ "toy": "0201", "process": sent.process_id, "id": Id::now_v7(), "route": back,
        "objects": [[document, "Lageplan", []]] });
    brings(&gateway, &ours, unna(), body).await;
    assert!(!is_locked(&gateway, &ours, document).await);
}
