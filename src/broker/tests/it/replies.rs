//! Replies that come back may be given again; what was told is not told otherwise; what cannot be noted is said.

use std::sync::Arc;
use std::time::Duration;

use broker::{Error, NewExchange, Opening};
use model::case::Disposition::{Appraise, Archive};
use model::command::Change;
use model::exchange::{Appraisal, Exchange, ExchangeKind, ExchangeStatus, ImportResult};
use model::message::Direction;
use model::{Id, MessageState, Record, RecordKind};
use serde_json::{Value, json};
use store::{InboxFilter, MessageFilter, Page, RecordFilter};

use crate::disposition::Bed;
use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, change, lippstadt, unna};

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.unwrap_err().code().to_owned()
}

async fn hand_over(bed: &Bed, objects: Vec<Id>) -> Exchange {
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects,
        version: None,
        wants_receipt: true,
        opening: Opening::Usual,
    };
    let sent = bed.gateway.broker.start_exchange(&bed.agency, wanted, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    sent
}

/// The operator of the agency returns what waits there.
async fn return_parked(bed: &Bed) {
    let filter = MessageFilter { state: Some(MessageState::Parked), ..MessageFilter::default() };
    let page = Page { after: None, limit: 9 };
    let parked = bed.gateway.broker.messages(&bed.agency, &filter, &page).await.unwrap().items;
    let id = parked.iter().find(|message| message.direction == Direction::In).unwrap().id;
    bed.gateway.broker.return_by_hand(&bed.agency, id, None, None, None).await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
}

fn with_id(mut body: Value) -> Value {
    body["id"] = json!(Id::now_v7());
    body
}

fn told(exchange: &Exchange, message_type: &str) -> usize {
    exchange.messages.iter().filter(|message| message.message_type == message_type).count()
}

#[tokio::test]
async fn an_appraisal_that_came_back_may_be_given_again() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Usual).await;
    let all = [(bed.one, Archive), (bed.two, Archive)];
    let by_system = json!({ "toy": "0502", "process": sent.process_id,
        "appraisals": [[bed.one, "archive"], [bed.two, "archive"]] });
    bed.replies(&with_id(by_system)).await;
    bed.transfer(sent.meta.id).await.unwrap();
    bed.appraise(&all).await;
    assert_eq!(bed.there().await.status, ExchangeStatus::Appraised);
    return_parked(&bed).await;
    let back = bed.there().await;
    assert_eq!((back.status, back.waits.is_some()), (ExchangeStatus::Received, true));
    bed.appraise(&all).await;
    let again = bed.there().await;
    assert_eq!((again.status, told(&again, "0502")), (ExchangeStatus::Appraised, 2));
}

#[tokio::test]
async fn an_outcome_is_not_told_otherwise_unless_it_came_back() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = hand_over(&bed, vec![bed.one]).await;
    let early = json!({ "toy": "0402", "process": sent.process_id, "results": [[bed.one, true]] });
    assert_eq!(bed.replies(&with_id(early)).await.0, MessageState::Confirmed);
    bed.import(bed.one, false).await;
    let there = bed.there().await;
    assert_eq!((there.status, told(&there, "0402")), (ExchangeStatus::Refused, 1));
    let yes = || vec![(bed.one, ImportResult { successful: true, ..ImportResult::default() })];
    let confirm = || bed.gateway.broker.confirm_import(&bed.archive, there.meta.id, yes(), None);
    assert_eq!(code(confirm().await), "model.wrong-state", "the other side would not learn of it");
    return_parked(&bed).await;
    assert_eq!(bed.there().await.status, ExchangeStatus::Received);
    confirm().await.unwrap();
    bed.gateway.broker.run_due_jobs().await.unwrap();
    let there = bed.there().await;
    assert_eq!((there.status, told(&there, "0402")), (ExchangeStatus::Confirmed, 2));
    confirm().await.unwrap();
    assert_eq!(told(&bed.there().await, "0402"), 2);
}

#[tokio::test]
async fn a_refusal_below_bars_the_lock_of_what_was_handed_over() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = hand_over(&bed, vec![bed.one]).await;
    let reply = json!({ "toy": "0402", "process": sent.process_id,
        "results": [[bed.one, true], [bed.inner, false]] });
    assert_eq!(bed.replies(&reply).await.0, MessageState::Confirmed);
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::Refused);
    let lock = bed.gateway.broker.lock(&bed.agency, RecordKind::Case, bed.one, sent.meta.id, None).await;
    assert_eq!(code(lock), "model.not-confirmed");
}

#[tokio::test]
async fn what_is_barred_from_destruction_is_not_taken_back() {
    on_every_engine(|database| async move {
        let clock = Arc::new(SetClock::default());
        let bed = Bed::start(Gateway::on(database, clock.clone()).await).await;
        let sent = hand_over(&bed, vec![bed.one]).await;
        let broker = &bed.gateway.broker;
        let filter = RecordFilter::of(RecordKind::Case);
        let page = Page { after: None, limit: 9 };
        let came = || async { broker.records(&bed.archive, &filter, &page).await.unwrap().items };
        let inner = came().await.iter().find(|record| record.parent().is_some()).unwrap().meta().id;
        let bar = change(RecordKind::Case, inner, Change::Hold("Klage".into()));
        broker.submit(&bed.archive, bar, None).await.unwrap();

        let minute = Duration::from_secs(60);
        let leased = broker
            .lease(&bed.archive, &InboxFilter::default(), minute, 9, None)
            .await
            .unwrap()
            .remove(0)
            .entry;
        let back = broker.give_back(&bed.archive, leased.id, "message.not-competent", None).await;
        assert_eq!(code(back.map(drop)), "model.held");
        let forward = broker.forward(&bed.archive, leased.message_id, &unna(), None, None).await;
        assert_eq!(code(forward.map(drop)), "model.held");
        clock.advance(Duration::from_secs(365 * 86_400));
        broker.expire_due().await.unwrap();
        assert_eq!(came().await.len(), 2, "nothing is gone");
        let message = broker.message(&bed.archive, leased.message_id).await.unwrap();
        assert_eq!(message.state, MessageState::Processed);

        broker.submit(&bed.archive, change(RecordKind::Case, inner, Change::LiftHold), None).await.unwrap();
        broker.forward(&bed.archive, leased.message_id, &unna(), None, None).await.unwrap();
        assert_eq!(came().await.len(), 0);
        assert_eq!(bed.sent(sent.meta.id).await.partner, unna());
    })
    .await;
}

#[tokio::test]
async fn an_archive_says_what_becomes_of_what_it_was_offered() {
    let bed = Bed::start(Gateway::start().await).await;
    bed.begin(Opening::Usual).await;
    let all = vec![(bed.one, Appraisal::of(Appraise))];
    let id = bed.there().await.meta.id;
    let undecided = bed.gateway.broker.appraise(&bed.archive, id, all, None).await;
    assert!(matches!(undecided, Err(Error::Model(model::Error::Invalid { field: "disposition" }))));
}

#[tokio::test]
async fn what_an_outcome_says_twice_or_too_long_does_not_get_lost() {
    let bed = Bed::start(Gateway::start().await).await;
    let sent = bed.begin(Opening::Transfer).await;
    let outcome = |results: Value| {
        with_id(json!({ "toy": "0506", "process": sent.process_id, "whole": true, "results": results }))
    };
    let twice = outcome(json!([[bed.one, true, "AIP 1"], [bed.one, true, "AIP 2"]]));
    assert_eq!(bed.replies(&twice).await, (MessageState::Parked, "exchange.contradiction".into()));
    let long = outcome(json!([
        [bed.one, true, "A".repeat(201)],
        [bed.two, true, "AIP 2"],
        [bed.two, true, "AIP 2"]
    ]));
    assert_eq!(bed.replies(&long).await, (MessageState::Confirmed, "exchange.not-noted".into()));
    assert_eq!(bed.sent(sent.meta.id).await.status, ExchangeStatus::Confirmed);
    let named = |record: Record| record.description().unwrap().reference("archive").map(str::to_owned);
    assert_eq!(named(bed.case(bed.one).await), None);
    assert_eq!(named(bed.case(bed.two).await).as_deref(), Some("AIP 2"));
}
