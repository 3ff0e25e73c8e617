//! Isolation: whoever is of another tenant, unit or service sees nothing, nowhere.

use std::collections::BTreeSet;

use model::rights::Within;
use model::{RecordKind, Role, Scope, ids};
use store::{EvidenceKey, InboxFilter, MessageFilter, Page, RecordFilter, TimelineOf, TokenRow, Work};

use crate::make::{self, TENANT};
use crate::{Bed, on_every_engine};

fn scope(tenant: &str, units: Within, services: Within) -> Scope {
    Scope { tenant: tenant.into(), units, services }
}

/// How many answers each read function gives.
async fn counts(bed: &Bed, scope: &Scope, rows: &Rows) -> Vec<usize> {
    let store = &bed.store;
    let page = Page::first(10);
    let listed = store.records(scope, &RecordFilter::of(RecordKind::Case), &page).await.unwrap();
    assert_eq!(listed.next, None);
    let by_alias =
        RecordFilter { reference: Some(("k".into(), "v".into())), ..RecordFilter::of(RecordKind::Case) };
    vec![
        usize::from(store.record(scope, RecordKind::Case, rows.case).await.unwrap().is_some()),
        usize::from(store.record_any(scope, rows.case).await.unwrap().is_some()),
        listed.items.len(),
        store.records(scope, &by_alias, &page).await.unwrap().items.len(),
        store.children(scope, rows.parent).await.unwrap().len(),
        usize::from(store.message(scope, rows.message).await.unwrap().is_some()),
        store.messages(scope, &MessageFilter::default(), &page).await.unwrap().items.len(),
        store.events(scope, 0, 10).await.unwrap().len(),
        store.timeline(scope, TimelineOf::Root(rows.case), &page).await.unwrap().len(),
        store.timeline(scope, TimelineOf::Record(rows.case), &page).await.unwrap().len(),
        store.timeline(scope, TimelineOf::Message(rows.message), &page).await.unwrap().len(),
        store.case_events(scope, rows.case, 0, 10).await.unwrap().len(),
        store.inbox(scope, &InboxFilter::default(), &page).await.unwrap().items.len(),
        usize::from(store.inbox_entry(scope, rows.entry).await.unwrap().is_some()),
    ]
}

struct Rows {
    case: model::Id,
    parent: model::Id,
    message: model::Id,
    entry: model::Id,
}

async fn fill(bed: &Bed) -> Rows {
    let parent = ids::new_id();
    let mut case = make::with_alias(make::case("a"), "k", "v");
    if let model::Record::Case(case) = &mut case {
        case.parent = Some(parent);
    }
    let (message, entry) = (make::message(), make::entry());
    let mut event = make::event(Some(case.meta().id));
    event.message_id = Some(message.id);
    let mut work = Work::new();
    work.put_record(&case, None).insert_message(&message).insert_event(&event).insert_inbox(&entry);
    bed.store.commit(work).await.unwrap();
    bed.store.seal(TENANT, &EvidenceKey::random().unwrap()).await.unwrap();
    Rows { case: case.meta().id, parent, message: message.id, entry: entry.id }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_unit_or_service_sees_nothing() {
    on_every_engine(|bed| async move {
        let rows = fill(&bed).await;
        let (all, none) = (|| Within::All, || Within::Only(BTreeSet::new()));
        let both = Within::Only(BTreeSet::from(["63".to_owned(), "70".to_owned()]));
        for scope in [
            scope(TENANT, all(), all()),
            scope(TENANT, Within::one("63"), all()),
            scope(TENANT, both, Within::one("baugenehmigung")),
        ] {
            assert_eq!(counts(&bed, &scope, &rows).await, vec![1; 14], "{scope:?}");
        }
        for scope in [
            scope("lippstadt", all(), all()),
            scope("SOEST", all(), all()),
            scope(TENANT, Within::one("70"), all()),
            scope(TENANT, Within::one("6"), all()),
            scope(TENANT, Within::one("633"), all()),
            scope(TENANT, all(), Within::one("kfz")),
            scope(TENANT, all(), Within::one("Baugenehmigung")),
            scope(TENANT, Within::one("63"), Within::one("_augenehmigung")),
            scope(TENANT, Within::one("%"), Within::one("%")),
            scope(TENANT, none(), all()),
            scope(TENANT, all(), none()),
        ] {
            assert_eq!(counts(&bed, &scope, &rows).await, vec![0; 14], "{scope:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_unit_or_service_is_seen_by_those_alone_who_see_all() {
    on_every_engine(|bed| async move {
        let mut case = make::case("a");
        case.meta_mut().public_service = None;
        let mut event = make::event(None);
        event.unit = None;
        event.public_service = None;
        let mut work = Work::new();
        work.put_record(&case, None).insert_event(&event);
        bed.store.commit(work).await.unwrap();
        bed.store.seal(TENANT, &EvidenceKey::random().unwrap()).await.unwrap();
        let sees = async |units, services| {
            let scope = scope(TENANT, units, services);
            let record = bed.store.record_any(&scope, case.meta().id).await.unwrap();
            (record.is_some(), bed.store.events(&scope, 0, 9).await.unwrap().len())
        };
        assert_eq!(sees(Within::All, Within::All).await, (true, 1));
        assert_eq!(sees(Within::one("63"), Within::All).await, (true, 0));
        assert_eq!(sees(Within::All, Within::one("baugenehmigung")).await, (false, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_one_tenant_do_not_touch_rows_of_another() {
    on_every_engine(|bed| async move {
        let (message, entry, case) = (make::message(), make::entry(), make::case("a"));
        let mut work = Work::new();
        work.insert_message(&message).insert_inbox(&entry).put_record(&case, None);
        bed.store.commit(work).await.unwrap();
        let mut foreign = message.clone();
        foreign.tenant = "lippstadt".into();
        let mut foreign_case = make::changed(&case, "b");
        foreign_case.meta_mut().tenant = "lippstadt".into();
        let mut works = [Work::new(), Work::new(), Work::new()];
        works[0].update_message(&foreign, message.state);
        works[1].set_inbox("lippstadt", entry.id, &[entry.state], store::InboxState::Confirmed, None);
        works[2].put_record(&foreign_case, None);
        for work in works {
            assert!(bed.store.commit(work).await.is_err());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_found_by_its_hash_until_it_is_revoked_or_expires() {
    on_every_engine(|bed| async move {
        let now = model::Clock::now(&*bed.clock);
        let token = |hash: &str, unit: &str| TokenRow {
            id: ids::new_id(),
            tenant: TENANT.into(),
            name: "DMS".into(),
            hash: hash.into(),
            roles: vec![Role::RecordKeeping],
            units: Within::one(unit),
            services: Within::All,
            authority: None,
            created_at: now,
            expires_at: Some(now.plus(std::time::Duration::from_secs(60))),
            revoked_at: None,
        };
        let (one, other) = (token("aa", "63"), token("bb", "70"));
        let mut work = Work::new();
        work.put_token(&one).put_token(&other);
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.token_by_hash("aa").await.unwrap(), Some(one.clone()));
        assert_eq!(bed.store.token_by_hash("AA").await.unwrap(), None);

        let seen = async |tenant, units| bed.store.tokens(&scope(tenant, units, Within::All)).await.unwrap();
        assert_eq!(seen(TENANT, Within::All).await, vec![one.clone(), other.clone()]);
        assert_eq!(seen(TENANT, Within::one("70")).await, vec![other]);
        assert_eq!(seen("lippstadt", Within::All).await, vec![]);

        let mut revoke = Work::new();
        revoke.revoke_token(TENANT, one.id, now);
        bed.store.commit(revoke).await.unwrap();
        assert_eq!(bed.store.token_by_hash("aa").await.unwrap(), None);
        assert_eq!(seen(TENANT, Within::All).await[0].revoked_at, Some(now));
        bed.clock.advance(std::time::Duration::from_secs(61));
        assert_eq!(bed.store.token_by_hash("bb").await.unwrap(), None);
    })
    .await;
}
