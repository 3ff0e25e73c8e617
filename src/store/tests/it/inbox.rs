//! Mailboxes: leases and confirmation.

use std::time::Duration;

use model::Scope;
use model::rights::Within;
use store::{InboxEntry, InboxFilter, InboxState, Lease, LeaseKey, Page, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

const LONG: Duration = Duration::from_secs(600);

async fn fill(bed: &Bed, count: usize) -> Vec<InboxEntry> {
    let entries: Vec<_> = (0..count).map(|_| make::entry()).collect();
    let mut work = Work::new();
    for entry in entries.iter() {
        work.insert_inbox(entry);
    }
    bed.store.commit(work).await.unwrap();
    entries
}

async fn lease(bed: &Bed, scope: &Scope, holder: &str, lease: Duration, limit: u32) -> Vec<InboxEntry> {
    let filter = InboxFilter::default();
    let authority = make::authority();
    let lease = Lease { authority: &authority, filter: &filter, holder, duration: lease, limit, once: None };
    bed.store.lease_inbox(scope, &lease).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_handed_out_once_and_confirmed_by_its_holder() {
    on_every_engine(|bed| async move {
        let scope = Scope::tenant(TENANT);
        let entries = fill(&bed, 3).await;
        let first = lease(&bed, &scope, "a", LONG, 2).await;
        assert_eq!(first.iter().map(|e| e.id).collect::<Vec<_>>(), vec![entries[0].id, entries[1].id]);
        assert_eq!((first[0].state, first[0].holder.as_deref()), (InboxState::HandedOut, Some("a")));
        assert_eq!(lease(&bed, &scope, "b", LONG, 9).await.len(), 1);
        assert_eq!(lease(&bed, &scope, "b", LONG, 9).await.len(), 0);

        let confirm = |holder: &'static str| {
            let mut work = Work::new();
            let from = &[InboxState::HandedOut];
            work.set_inbox(TENANT, entries[0].id, from, InboxState::Confirmed, Some(holder));
            work
        };
        assert_eq!(conflict(bed.store.commit(confirm("b")).await), "inbox entry");
        bed.store.commit(confirm("a")).await.unwrap();
        assert_eq!(conflict(bed.store.commit(confirm("a")).await), "inbox entry");
        let kept = bed.store.inbox_entry(&scope, entries[0].id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.lease_until), (InboxState::Confirmed, None));

        let filter = InboxFilter { state: Some(InboxState::HandedOut), ..InboxFilter::default() };
        assert_eq!(bed.store.inbox(&scope, &filter, &Page::first(9)).await.unwrap().items.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_lease_has_run_out_is_handed_out_again() {
    on_every_engine(|bed| async move {
        let scope = Scope::tenant(TENANT);
        fill(&bed, 1).await;
        assert_eq!(lease(&bed, &scope, "a", Duration::ZERO, 9).await.len(), 1);
        let again = lease(&bed, &scope, "b", LONG, 9).await;
        assert_eq!(again[0].holder.as_deref(), Some("b"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_leases_beyond_his_scope_or_another_authoritys_mailbox() {
    on_every_engine(|bed| async move {
        fill(&bed, 2).await;
        let within = |tenant: &str, unit: &str| Scope {
            tenant: tenant.into(),
            units: Within::one(unit),
            services: Within::All,
        };
        assert!(lease(&bed, &within(TENANT, "70"), "a", LONG, 9).await.is_empty());
        assert!(lease(&bed, &within("lippstadt", "63"), "a", LONG, 9).await.is_empty());
        let other = "bab:05978000".parse().unwrap();
        let scope = Scope::tenant(TENANT);
        let of = |authority, filter| Lease {
            authority,
            filter,
            holder: "a",
            duration: LONG,
            limit: 9,
            once: None,
        };
        let all = InboxFilter::default();
        assert!(bed.store.lease_inbox(&scope, &of(&other, &all)).await.unwrap().is_empty());
        let cars = InboxFilter { service: Some("kfz".into()), ..InboxFilter::default() };
        let own = make::authority();
        assert!(bed.store.lease_inbox(&scope, &of(&own, &cars)).await.unwrap().is_empty());
        assert_eq!(lease(&bed, &within(TENANT, "63"), "a", LONG, 9).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_holders_share_a_mailbox_without_overlap() {
    on_every_engine(|bed| async move {
        fill(&bed, 40).await;
        let holders: Vec<_> = (0..8)
            .map(|number| {
                let bed = bed.clone();
                tokio::spawn(async move {
                    lease(&bed, &Scope::tenant(TENANT), &number.to_string(), LONG, 5).await
                })
            })
            .collect();
        let mut ids = std::collections::HashSet::new();
        for holder in holders {
            for entry in holder.await.unwrap() {
                assert!(ids.insert(entry.id));
            }
        }
        assert!(ids.len() <= 40);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_takes_its_key_with_the_entries_as_answer_and_leaves_it_free_if_there_are_none() {
    on_every_engine(|bed| async move {
        let scope = Scope::tenant(TENANT);
        let (authority, filter) = (make::authority(), InboxFilter::default());
        let lease = || Lease {
            authority: &authority,
            filter: &filter,
            holder: "a",
            duration: LONG,
            limit: 1,
            once: Some(LeaseKey { space: "rest:a", key: "k", digest: "d" }),
        };
        assert!(bed.store.lease_inbox(&scope, &lease()).await.unwrap().is_empty());
        assert_eq!(bed.store.dedup(TENANT, "rest:a", "k").await.unwrap(), None);
        fill(&bed, 2).await;
        let first = bed.store.lease_inbox(&scope, &lease()).await.unwrap();
        let known = bed.store.dedup(TENANT, "rest:a", "k").await.unwrap().unwrap();
        assert_eq!((known.subject, known.digest.as_str()), (first[0].id, "d"));
        assert_eq!(serde_json::from_value::<Vec<InboxEntry>>(known.answer.unwrap()).unwrap(), first);
        assert_eq!(conflict(bed.store.lease_inbox(&scope, &lease()).await.map(drop)), "dedup");
        let waiting = InboxFilter { state: Some(InboxState::Available), ..InboxFilter::default() };
        assert_eq!(bed.store.inbox(&scope, &waiting, &Page::first(9)).await.unwrap().items.len(), 1);
    })
    .await;
}
