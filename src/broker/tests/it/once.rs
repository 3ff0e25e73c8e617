//! The first answer belongs to its effect: both are committed together, so neither many requests at once nor a lost
//! answer lead to a second effect or another answer.

use std::time::Duration;

use broker::{Error, NewExchange, NewToken, Once};
use futures::future::join_all;
use model::exchange::{ExchangeKind, ImportResult};
use model::rights::Within;
use model::{Caller, EventKind, Id, MessageState, RecordKind, Role, ids};
use serde_json::json;
use store::{InboxFilter, Page};

use crate::house::{Gateway, caller, lippstadt};

const MINUTE: Duration = Duration::from_secs(60);

fn once(key: &str) -> Once {
    Once::new(key.into(), "d".into())
}

async fn a_parked_message(gateway: &Gateway, caller: &Caller) -> Id {
    let message = gateway.accept(caller, &json!({"toy": "0403", "process": ids::new_id()})).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    message.id
}

async fn waiting(gateway: &Gateway, caller: &Caller, count: usize) {
    for _ in 0..count {
        gateway.accept(caller, &json!({"toy": "0101", "process": ids::new_id()})).await.unwrap();
    }
    gateway.broker.run_due_jobs().await.unwrap();
}

async fn events(gateway: &Gateway, caller: &Caller, message: Id, kind: EventKind) -> usize {
    let page = Page { after: None, limit: 200 };
    let events = gateway.broker.message_timeline(caller, message, &page).await.unwrap();
    events.iter().filter(|(_, event)| event.kind == kind && event.subject.is_none()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_asked_for_many_times_at_once_happen_once_and_answer_alike() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let id = a_parked_message(&gateway, &caller).await;
    let key = once("resend");
    let all =
        join_all((0..12).map(|_| gateway.broker.resend(&caller, id, Some("Netz war weg"), Some(&key)))).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|answer| *answer == all[0]));
    assert_eq!(events(&gateway, &caller, id, EventKind::MessageResent).await, 1);
    gateway.broker.run_due_jobs().await.unwrap();
    let late = gateway.broker.resend(&caller, id, None, Some(&key)).await.unwrap();
    assert_eq!((&late, late.state), (&all[0], MessageState::Accepted), "the first answer, not another try");
    let other = Once { digest: "e".into(), ..key };
    assert!(matches!(gateway.broker.resend(&caller, id, None, Some(&other)).await, Err(Error::KeyReused)));
    let key = once("return");
    let all =
        join_all((0..12).map(|_| gateway.broker.return_by_hand(&caller, id, None, None, Some(&key)))).await;
    assert!(all.into_iter().all(|answer| answer.unwrap().state == MessageState::Returned));
    assert_eq!(events(&gateway, &caller, id, EventKind::MessageReturned).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_about_a_message_that_stands_otherwise_by_now_is_not_done() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let id = a_parked_message(&gateway, &caller).await;
    let shown = gateway.broker.message(&caller, id).await.unwrap();
    let of_the_page = |key: &str| Once { seen: Some(broker::seen(&shown)), ..once(key) };
    // A colleague was quicker.
    gateway.broker.resend(&caller, id, None, None).await.unwrap();
    let stale = of_the_page("stale");
    for refused in [
        gateway.broker.return_by_hand(&caller, id, None, None, Some(&stale)).await,
        gateway.broker.park_by_hand(&caller, id, None, Some(&stale)).await,
        gateway.broker.resend(&caller, id, None, Some(&stale)).await,
        gateway.broker.forward(&caller, id, &lippstadt(), None, Some(&stale)).await,
    ] {
        assert!(matches!(refused, Err(Error::Model(model::Error::VersionConflict))), "{refused:?}");
    }
    // It waits again, for the same: what was decided about it is right again.
    gateway.broker.run_due_jobs().await.unwrap();
    let key = of_the_page("return");
    for _ in 0..2 {
        let returned = gateway.broker.return_by_hand(&caller, id, None, None, Some(&key)).await.unwrap();
        assert_eq!(returned.state, MessageState::Returned, "and again for the same key");
    }
}

/// Drops `act` after so many tenths of a millisecond, wherever it is then, as when the client goes.
async fn cut_off<T>(after: u64, act: impl Future<Output = T>) {
    let _ = tokio::time::timeout(Duration::from_micros(100 * after), act).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_at_any_point_is_given_when_it_is_asked_for_again() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    for after in 0..24 {
        let id = a_parked_message(&gateway, &caller).await;
        let key = once(&format!("return-{after}"));
        cut_off(after, gateway.broker.return_by_hand(&caller, id, None, None, Some(&key))).await;
        let answer = gateway.broker.return_by_hand(&caller, id, None, None, Some(&key)).await.unwrap();
        assert_eq!(answer.state, MessageState::Returned, "cut off after {after}");
        assert_eq!(
            events(&gateway, &caller, id, EventKind::MessageReturned).await,
            1,
            "cut off after {after}"
        );

        waiting(&gateway, &caller, 1).await;
        let key = once(&format!("lease-{after}"));
        let filter = InboxFilter::default();
        cut_off(after, gateway.broker.lease(&caller, &filter, MINUTE, 9, Some(&key))).await;
        let leased = gateway.broker.lease(&caller, &filter, MINUTE, 9, Some(&key)).await.unwrap();
        assert_eq!(leased.len(), 1, "cut off after {after}");
        let again = gateway.broker.lease(&caller, &filter, MINUTE, 9, Some(&key)).await.unwrap();
        assert_eq!(again[0].entry, leased[0].entry);
        let key = once(&format!("confirm-{after}"));
        cut_off(after, gateway.broker.confirm(&caller, leased[0].entry.id, Some(&key))).await;
        let ended = gateway.broker.confirm(&caller, leased[0].entry.id, Some(&key)).await.unwrap();
        assert_eq!(ended.message.state, MessageState::Confirmed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_asked_for_many_times_at_once_hands_out_once() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    waiting(&gateway, &caller, 6).await;
    let (key, filter) = (once("lease"), InboxFilter::default());
    let all = join_all((0..12).map(|_| gateway.broker.lease(&caller, &filter, MINUTE, 2, Some(&key)))).await;
    let all: Vec<Vec<Id>> =
        all.into_iter().map(|items| items.unwrap().iter().map(|item| item.entry.id).collect()).collect();
    assert!(all.iter().all(|ids| *ids == all[0] && ids.len() == 2), "{all:?}");
    let rest = gateway.broker.lease(&caller, &filter, MINUTE, 9, None).await.unwrap();
    assert_eq!(rest.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_is_made_and_its_secret_is_nowhere_in_the_store() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let new = || NewToken {
        name: "Portal".into(),
        roles: vec![Role::System],
        units: Within::one("63"),
        services: Within::All,
        authority: caller.authority.clone(),
        expires_at: None,
    };
    let key = once("token");
    let all = join_all((0..8).map(|_| gateway.broker.create_token_once(&caller, new(), Some(&key)))).await;
    let made: Vec<_> = all.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(made.len(), 1);
    let id = made[0].row.id;
    let refused = |outcome: &&Result<_, Error>| matches!(outcome, Err(Error::AnswerNotKept { subject }) if *subject == id);
    assert_eq!(all.iter().filter(refused).count(), 7);
    assert_eq!(gateway.broker.tokens("soest").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn import_results_and_a_lock_asked_for_many_times_happen_once() {
    let gateway = Gateway::start().await;
    let (ours, theirs) = (caller("soest", "63"), caller("lippstadt", "63"));
    let case = gateway.a_case(&ours, "Neubau").await.meta.id;
    let wanted = NewExchange {
        kind: ExchangeKind::Handover,
        to: lippstadt(),
        objects: vec![case],
        version: None,
        wants_receipt: true,
        opening: broker::Opening::Usual,
    };
    let sent = gateway.broker.start_exchange(&ours, wanted, None).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = store::RecordFilter::of(RecordKind::Exchange);
    let there = gateway.broker.records(&theirs, &filter, &Page { after: None, limit: 9 }).await.unwrap();
    let there = there.items[0].meta().id;
    let key = once("import");
    let result = ImportResult { successful: true, ..Default::default() };
    let report = || gateway.broker.confirm_import(&theirs, there, vec![(case, result.clone())], Some(&key));
    let all: Vec<_> = join_all((0..8).map(|_| report())).await.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|answer| *answer == all[0]));
    assert_eq!(all[0].messages.iter().filter(|message| message.message_type == "0402").count(), 1);
    gateway.broker.run_due_jobs().await.unwrap();
    let key = once("lock");
    let lock = || gateway.broker.lock(&ours, RecordKind::Case, case, sent.meta.id, Some(&key));
    let all: Vec<_> = join_all((0..8).map(|_| lock())).await.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|answer| *answer == all[0] && answer.status() == "locked"));
}
