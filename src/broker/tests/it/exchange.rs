//! A file goes from one authority to another, once, and is locked only after its import was confirmed.

use std::time::Duration;

use broker::{Error, NewExchange};
use model::command::Change;
use model::exchange::{Exchange, ExchangeKind, ExchangeStatus, ImportResult};
use model::{Caller, Id, MessageState, Record, RecordKind, Role};
use serde_json::json;
use store::{InboxFilter, MessageFilter, Page, RecordFilter};

use crate::house::{Gateway, caller, change, lippstadt};

fn page() -> Page {
    Page { after: None, limit: 50 }
}

async fn hand_over(gateway: &Gateway, caller: &Caller, objects: Vec<Id>) -> Exchange {
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects,
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    let exchange = gateway.broker.start_exchange(caller, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    exchange
}

async fn exchange(gateway: &Gateway, caller: &Caller, id: Id) -> Exchange {
    match gateway.broker.record(caller, RecordKind::Exchange, id).await.unwrap() {
        Record::Exchange(exchange) => exchange,
        _ => unreachable!(),
    }
}

async fn received(gateway: &Gateway, caller: &Caller) -> Exchange {
    let filter = RecordFilter::of(RecordKind::Exchange);
    let mut found = gateway.broker.records(caller, &filter, &page()).await.unwrap().items;
    assert_eq!(found.len(), 1);
    match found.remove(0) {
        Record::Exchange(exchange) => exchange,
        _ => unreachable!(),
    }
}

fn result(successful: bool) -> ImportResult {
    ImportResult { successful, ..ImportResult::default() }
}

#[tokio::test]
async fn a_receipt_follows_the_take_in_and_an_import_result_only_the_import() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    let sent = hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let sent = exchange(&gateway, &ours, sent.meta.id).await;
    assert_eq!(sent.status, ExchangeStatus::Received);
    assert_eq!(sent.messages.iter().map(|m| m.message_type.as_str()).collect::<Vec<_>>(), ["0401", "0403"]);

    let too_early = gateway.broker.lock(&ours, RecordKind::Case, case.meta.id, sent.meta.id, None).await;
    assert!(matches!(too_early, Err(Error::Model(model::Error::NotConfirmed))));

    let there = received(&gateway, &theirs).await;
    let object = there.objects[0].object_id;
    gateway.broker.confirm_import(&theirs, there.meta.id, vec![(object, result(true))], None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let imported = gateway.broker.record(&theirs, RecordKind::Case, there.objects[0].id).await.unwrap();
    assert_eq!(imported.status(), "open");

    let sent = exchange(&gateway, &ours, sent.meta.id).await;
    assert_eq!(sent.status, ExchangeStatus::Confirmed);
    let locked =
        gateway.broker.lock(&ours, RecordKind::Case, case.meta.id, sent.meta.id, None).await.unwrap();
    assert_eq!(locked.status(), "locked");
    let amended = change(RecordKind::Case, case.meta.id, Change::Amend(json!({"title": "x"})));
    let refused = gateway.broker.submit(&ours, amended, None).await;
    assert!(matches!(refused, Err(Error::Model(model::Error::Locked))));
}

#[tokio::test]
async fn only_the_objects_that_were_imported_may_be_locked() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let one = gateway.a_case(&ours, "eins").await;
    let two = gateway.a_case(&ours, "zwei").await;
    let sent = hand_over(&gateway, &ours, vec![one.meta.id, two.meta.id]).await;
    let there = received(&gateway, &theirs).await;
    let results = vec![(one.meta.id, result(true)), (two.meta.id, result(false))];
    gateway.broker.confirm_import(&theirs, there.meta.id, results, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let sent = exchange(&gateway, &ours, sent.meta.id).await;
    assert_eq!(sent.status, ExchangeStatus::PartlyConfirmed);
    assert!(gateway.broker.lock(&ours, RecordKind::Case, one.meta.id, sent.meta.id, None).await.is_ok());
    let refused = gateway.broker.lock(&ours, RecordKind::Case, two.meta.id, sent.meta.id, None).await;
    assert!(matches!(refused, Err(Error::Model(model::Error::NotConfirmed))));
}

#[tokio::test]
async fn the_import_result_goes_out_once_every_object_has_one() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let one = gateway.a_case(&ours, "eins").await;
    let two = gateway.a_case(&ours, "zwei").await;
    let sent = hand_over(&gateway, &ours, vec![one.meta.id, two.meta.id]).await;
    let there = received(&gateway, &theirs).await;
    for object in [one.meta.id, two.meta.id, two.meta.id] {
        gateway
            .broker
            .confirm_import(&theirs, there.meta.id, vec![(object, result(true))], None)
            .await
            .unwrap();
        gateway.broker.run_due_jobs().await.unwrap();
    }
    let there = exchange(&gateway, &theirs, there.meta.id).await;
    let results = there.messages.iter().filter(|message| message.message_type == "0402").count();
    assert_eq!(results, 1);
    assert_eq!(exchange(&gateway, &ours, sent.meta.id).await.status, ExchangeStatus::Confirmed);
}

#[tokio::test]
async fn a_message_is_confirmed_at_its_sender_when_the_recipient_s_system_confirms_it() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    let sent = hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let first = sent.messages[0].id;
    assert_eq!(gateway.broker.message(&ours, first).await.unwrap().state, MessageState::Delivered);
    let leased = gateway
        .broker
        .lease(&theirs, &InboxFilter::default(), Duration::from_secs(60), 10, None)
        .await
        .unwrap();
    assert_eq!(leased.len(), 1);
    gateway.broker.confirm(&theirs, leased[0].entry.id, None).await.unwrap();
    gateway.broker.confirm(&theirs, leased[0].entry.id, None).await.unwrap();
    assert_eq!(gateway.broker.message(&ours, first).await.unwrap().state, MessageState::Confirmed);
}

#[tokio::test]
async fn what_the_recipient_gives_back_is_returned_at_its_sender() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    let sent = hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let leased = gateway
        .broker
        .lease(&theirs, &InboxFilter::default(), Duration::from_secs(60), 10, None)
        .await
        .unwrap();
    gateway.broker.give_back(&theirs, leased[0].entry.id, "message.not-competent", None).await.unwrap();
    let first = gateway.broker.message(&ours, sent.messages[0].id).await.unwrap();
    assert_eq!(first.state, MessageState::Returned);
    assert_eq!(first.report.unwrap().findings[0].rule, "message.not-competent");
}

#[tokio::test]
async fn an_entry_leased_to_one_system_cannot_be_confirmed_by_another() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let leased = gateway
        .broker
        .lease(&theirs, &InboxFilter::default(), Duration::from_secs(60), 10, None)
        .await
        .unwrap();
    let mut other = theirs.clone();
    other.actor.id = "another".into();
    assert!(matches!(gateway.broker.confirm(&other, leased[0].entry.id, None).await, Err(Error::NotLeased)));
    let again = gateway
        .broker
        .lease(&other, &InboxFilter::default(), Duration::from_secs(60), 10, None)
        .await
        .unwrap();
    assert!(again.is_empty());
}

#[tokio::test]
async fn the_same_request_twice_starts_one_exchange() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let case = gateway.a_case(&ours, "Neubau").await;
    let once = broker::Once::new("k1".into(), "d".into());
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![case.meta.id],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    let first = gateway.broker.start_exchange(&ours, wanted.clone(), Some(&once)).await.unwrap();
    let second = gateway.broker.start_exchange(&ours, wanted.clone(), Some(&once)).await.unwrap();
    assert_eq!(first, second);
    let other = broker::Once { digest: "e".into(), ..once };
    assert!(matches!(
        gateway.broker.start_exchange(&ours, wanted, Some(&other)).await,
        Err(Error::KeyReused)
    ));
    let outgoing = gateway.broker.messages(&ours, &MessageFilter::default(), &page()).await.unwrap();
    assert_eq!(outgoing.items.len(), 1);
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let case = gateway.a_case(&ours, "Neubau").await;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: "bab:99999999".parse().unwrap(),
        objects: vec![case.meta.id],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    assert!(matches!(gateway.broker.start_exchange(&ours, wanted, None).await, Err(Error::UnknownAuthority)));
}

#[tokio::test]
async fn a_clerk_cannot_confirm_an_import() {
    let gateway = Gateway::start().await;
    let (ours, mut theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await;
    hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let there = received(&gateway, &theirs).await;
    theirs.roles = vec![Role::Clerk];
    let refused =
        gateway.broker.confirm_import(&theirs, there.meta.id, vec![(case.meta.id, result(true))], None).await;
    assert!(matches!(refused, Err(Error::Model(model::Error::Forbidden))));
}

#[tokio::test]
async fn a_receipt_for_an_unknown_authority_is_built_and_waits_for_a_human() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let body = json!({
        "toy": "0401", "process": model::ids::new_id(), "receipt": true, "objects": [[model::ids::new_id(), "x"]],
    });
    gateway.accept(&ours, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = MessageFilter { state: Some(MessageState::Parked), ..MessageFilter::default() };
    let parked = gateway.broker.messages(&ours, &filter, &page()).await.unwrap().items;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].report.as_ref().unwrap().findings[0].rule, "broker.unknown-authority");
    assert!(gateway.broker.message_content(&ours, parked[0].id).await.is_ok());
}

#[tokio::test]
async fn the_evidence_of_a_case_verifies_without_the_gateway() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let case = gateway.a_case(&ours, "Neubau").await;
    hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let file = tempfile::tempfile().unwrap();
    let bundle = gateway.broker.export_evidence(&ours, case.meta.id, file, true).await.unwrap();
    let report = seal::bundle::verify(bundle, None, |_| {});
    assert!(report.ok, "{:?}", report.findings);
    assert!(report.counts.events >= 4, "case, exchange and both messages are in it");
    assert_eq!(report.counts.contents, report.counts.payloads);
}

#[tokio::test]
async fn a_reply_counts_only_from_the_authority_that_the_exchange_is_with() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let case = gateway.a_case(&ours, "Neubau").await;
    let sent = hand_over(&gateway, &ours, vec![case.meta.id]).await;
    let forged = json!({"toy": "0402", "process": sent.process_id, "results": [[case.meta.id, true]]});
    let message = gateway.accept(&ours, &forged).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let message = gateway.broker.message(&ours, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Parked);
    assert_eq!(message.report.unwrap().findings[0].rule, "exchange.wrong-partner");
    assert_eq!(exchange(&gateway, &ours, sent.meta.id).await.status, ExchangeStatus::Received);
}

#[tokio::test]
async fn whatever_lies_in_a_locked_case_is_locked_too() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let file = gateway.a_case(&ours, "oben").await;
    let Record::Case(mut inner) = crate::house::new_case(&ours, "63", "darin") else { unreachable!() };
    inner.parent = Some(file.meta.id);
    inner.meta.root = file.meta.id;
    let inner = gateway.broker.submit(&ours, crate::house::create(Record::Case(inner)), None).await.unwrap();
    let Record::Case(mut innermost) = crate::house::new_case(&ours, "63", "ganz darin") else {
        unreachable!()
    };
    innermost.parent = Some(inner.meta().id);
    innermost.meta.root = file.meta.id;
    let innermost =
        gateway.broker.submit(&ours, crate::house::create(Record::Case(innermost)), None).await.unwrap();

    let sent = hand_over(&gateway, &ours, vec![inner.meta().id]).await;
    let there = received(&gateway, &theirs).await;
    gateway
        .broker
        .confirm_import(&theirs, there.meta.id, vec![(inner.meta().id, result(true))], None)
        .await
        .unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    gateway.broker.lock(&ours, RecordKind::Case, inner.meta().id, sent.meta.id, None).await.unwrap();
    let amend = |id| change(RecordKind::Case, id, Change::Amend(json!({"title": "x"})));
    let refused = gateway.broker.submit(&ours, amend(innermost.meta().id), None).await.unwrap_err();
    assert_eq!(refused.code(), "model.locked");
    assert!(
        gateway.broker.submit(&ours, amend(file.meta.id), None).await.is_ok(),
        "what lies around it is not"
    );
}
