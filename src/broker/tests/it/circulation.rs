//! Documents go along a route from station to station and come back; file plans go to others and are appraised.

use broker::{NewExchange, Opening, StepDone};
use model::case::{Disposition, Document, DocumentDates, RecordStatus};
use model::circulation::{Order, Outcome, Route, Step, StepStatus};
use model::command::Change;
use model::exchange::{Appraisal, Exchange, ExchangeKind, ExchangeStatus, Side};
use model::file_plan::{FilePlan, FilePlanNode};
use model::party::Party;
use model::record::Meta;
use model::{Authority, Caller, Id, Record, RecordKind};
use serde_json::json;
use store::{Page, RecordFilter};

use crate::house::{Gateway, caller, change, create, lippstadt, new_case, soest, unna};

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

async fn does_its_step(gateway: &Gateway, caller: &Caller, step: usize) {
    let here = exchanges(gateway, caller, Side::Receiver).await.remove(0);
    let outcome = Outcome { remark: Some("gesehen".into()), on: "2026-11-30".into(), ..Outcome::default() };
    let done = StepDone { step, skipped: false, outcome };
    gateway.broker.do_step(caller, here.meta.id, done, None).await.unwrap();
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
