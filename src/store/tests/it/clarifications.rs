//! Clarifications and operations, on both engines.

use model::clarification::{Clarification, Side};
use model::{MessageState, Scope, Timestamp, ids};
use serde_json::json;
use store::{ClarificationFilter, Operation, OperationState, Page, Work};

use crate::make::{self, TENANT};
use crate::{conflict, on_every_engine};

fn parked(rule: &str, since: i64) -> Clarification {
    let message = model::Message { state: MessageState::Parked, ..make::message() };
    Clarification {
        side: Side::of(rule, message.direction),
        message,
        rule: rule.into(),
        since: Timestamp::from_micros(since),
        task: Some(ids::new_id()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clarifications_are_listed_counted_and_gone_with_their_message() {
    on_every_engine(|bed| async move {
        let all = [parked("xml.doctype", 10), parked("xml.doctype", 20), parked("broker.given-up", 30)];
        let mut work = Work::new();
        for one in &all {
            work.insert_message(&one.message).open_clarification(one).open_clarification(one);
        }
        bed.store.commit(work).await.unwrap();
        let scope = Scope::tenant(TENANT);
        let find = async |filter: ClarificationFilter| {
            bed.store.clarifications(&scope, &filter, &Page::first(9)).await.unwrap().items
        };
        let none = ClarificationFilter::default;
        assert_eq!(find(none()).await, all);
        assert_eq!(find(ClarificationFilter { side: Some(Side::Us), ..none() }).await, all[2..]);
        let between = ClarificationFilter {
            from: Some(Timestamp::from_micros(15)),
            until: Some(Timestamp::from_micros(25)),
            ..none()
        };
        assert_eq!(find(between).await, all[1..2]);
        let counts = bed.store.clarification_counts(&scope, &none()).await.unwrap();
        let counts: Vec<_> =
            counts.iter().map(|one| (one.rule.as_str(), one.side, one.count, one.oldest.micros())).collect();
        assert_eq!(counts, [("xml.doctype", Side::Sender, 2, 10), ("broker.given-up", Side::Us, 1, 30)]);
        assert!(bed.store.clarification(&Scope::tenant("unna"), all[0].message.id).await.unwrap().is_none());
        let mut work = Work::new();
        work.close_clarification(TENANT, all[0].message.id);
        bed.store.commit(work).await.unwrap();
        assert_eq!(find(none()).await, all[1..]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_counts_each_message_once_until_it_ends() {
    on_every_engine(|bed| async move {
        let operation = Operation {
            id: ids::new_id(),
            tenant: TENANT.into(),
            state: OperationState::Running,
            done: 0,
            passed: 0,
            behind: None,
            body: json!({ "a": 1 }),
        };
        let mut work = Work::new();
        work.insert_operation(&operation);
        bed.store.commit(work).await.unwrap();
        let (first, second) = (ids::new_id(), ids::new_id());
        let advance = async |message, done| {
            let mut work = Work::new();
            work.advance_operation(TENANT, operation.id, message, done);
            bed.store.commit(work).await
        };
        advance(first, true).await.unwrap();
        assert_eq!(conflict(advance(first, true).await), "operation");
        advance(second, false).await.unwrap();
        let mut work = Work::new();
        work.end_operation(TENANT, operation.id, OperationState::Done);
        bed.store.commit(work).await.unwrap();
        assert_eq!(conflict(advance(ids::new_id(), true).await), "operation");
        let known = bed.store.operation(TENANT, operation.id).await.unwrap().unwrap();
        let state = OperationState::Done;
        assert_eq!(known, Operation { state, done: 1, passed: 1, behind: Some(second), ..operation });
        assert!(bed.store.operation("unna", known.id).await.unwrap().is_none());
    })
    .await;
}
