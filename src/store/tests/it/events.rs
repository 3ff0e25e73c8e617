//! Events and the sealer: gapless, complete, verifiable.

use std::collections::HashSet;

use model::rights::Within;
use model::{Event, Id, Scope};
use seal::bundle::Content;
use seal::chain::{Batch, event_digest, tree};
use store::{EvidenceKey, Page, Store, TimelineOf, Work};

use crate::make::{self, TENANT};
use crate::{Bed, on_every_engine};

async fn emit(store: &Store, count: usize) -> Vec<Id> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = make::event(None);
        ids.push(event.id);
        let mut work = Work::new();
        work.insert_event(&event);
        store.commit(work).await.unwrap();
    }
    ids
}

/// Checks the whole chain as an auditor would, and returns how many entries it has.
async fn verify(store: &Store, key: &EvidenceKey) -> u64 {
    let keys = key.keys().unwrap();
    let mut previous: Option<Batch> = None;
    for signed in store.batches(TENANT, 0, 1_000).await.unwrap() {
        assert!(signed.is_signed_by(&keys));
        let entries = store.chain_entries(TENANT, signed.batch.first, signed.batch.last).await.unwrap();
        assert_eq!(tree(&entries).root(), signed.batch.root);
        let again = Batch::seal(TENANT, previous.as_ref(), &entries, signed.batch.sealed_at_micros).unwrap();
        assert_eq!(again, signed.batch);
        previous = Some(signed.batch);
    }
    previous.map_or(0, |batch| batch.last)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_numbered_without_gaps_and_the_chain_verifies() {
    on_every_engine(|bed| async move {
        let key = EvidenceKey::random().unwrap();
        let scope = Scope::tenant(TENANT);
        assert_eq!(bed.store.seal(TENANT, &key).await.unwrap(), 0);
        emit(&bed.store, 5).await;
        assert!(bed.store.events(&scope, 0, 10).await.unwrap().is_empty(), "not before they are sealed");
        assert_eq!(bed.store.unsealed_tenants().await.unwrap(), vec![TENANT.to_owned()]);
        assert_eq!(bed.store.seal(TENANT, &key).await.unwrap(), 5);
        emit(&bed.store, 3).await;
        assert_eq!(bed.store.seal(TENANT, &key).await.unwrap(), 3);
        assert!(bed.store.unsealed_tenants().await.unwrap().is_empty());
        let numbers: Vec<_> =
            bed.store.events(&scope, 0, 10).await.unwrap().iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
        assert_eq!(bed.store.events(&scope, 6, 1).await.unwrap()[0].number, 7);
        assert_eq!(verify(&bed.store, &key).await, 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_misses_nothing_while_eight_writers_commit_and_two_sealers_seal() {
    on_every_engine(|bed| async move {
        const EACH: usize = 40;
        let key = std::sync::Arc::new(EvidenceKey::random().unwrap());
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let store = bed.store.clone();
                tokio::spawn(async move { emit(&store, EACH).await })
            })
            .collect();
        let second = if bed.is_sqlite() { bed.store.clone() } else { bed.reopen().await };
        let sealers: Vec<_> = [bed.store.clone(), second]
            .into_iter()
            .map(|store| {
                let key = std::sync::Arc::clone(&key);
                tokio::spawn(async move {
                    loop {
                        store.seal(TENANT, &key).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        let mut after = 0;
        while seen.len() < 8 * EACH {
            for sealed in bed.store.events(&Scope::tenant(TENANT), after, 50).await.unwrap() {
                assert_eq!(sealed.number, after + 1, "no gap, even while others commit");
                after = sealed.number;
                seen.push(sealed.event.id);
            }
        }
        sealers.iter().for_each(tokio::task::JoinHandle::abort);
        let seen: HashSet<_> = seen.into_iter().collect();
        for writer in writers {
            assert!(writer.await.unwrap().iter().all(|id| seen.contains(id)));
        }
        assert_eq!(verify(&bed.store, &key).await, 8 * EACH as u64);
    })
    .await;
}

/// Readers of one unit, each with pages of another size, while writers of two units commit several events at once and the
/// sealer runs between them.
#[tokio::test(flavor = "multi_thread")]
async fn readers_of_one_unit_see_each_of_its_events_once_and_in_order_whatever_their_pages() {
    on_every_engine(|bed| async move {
        const WORKS: usize = 25;
        let key = EvidenceKey::random().unwrap();
        let writers = (0..6_usize).map(|writer| {
            let store = bed.store.clone();
            tokio::spawn(async move {
                let mut own = Vec::new();
                for number in 0..WORKS {
                    let mut work = Work::new();
                    for part in 0..=(writer + number) % 4 {
                        let unit = if (number + part) % 3 == 0 { "70" } else { "63" };
                        let event = Event { unit: Some(unit.into()), ..make::event(None) };
                        own.extend((unit == "63").then_some(event.id));
                        work.insert_event(&event);
                    }
                    store.commit(work).await.unwrap();
                }
                own
            })
        });
        let writers: Vec<_> = writers.collect();
        let (done, over) = tokio::sync::watch::channel(false);
        let readers = [1, 3, 50].map(|page| {
            let (store, over) = (bed.store.clone(), over.clone());
            tokio::spawn(async move {
                let scope = Scope { units: Within::one("63"), ..Scope::tenant(TENANT) };
                let (mut seen, mut after) = (Vec::new(), 0);
                loop {
                    let is_over = *over.borrow();
                    let events = store.events(&scope, after, page).await.unwrap();
                    if events.is_empty() && is_over {
                        return seen;
                    }
                    for sealed in events {
                        assert!(sealed.number > after, "numbers ascend");
                        after = sealed.number;
                        seen.push(sealed.event.id);
                    }
                }
            })
        });
        while writers.iter().any(|writer| !writer.is_finished()) {
            bed.store.seal(TENANT, &key).await.unwrap();
        }
        bed.store.seal(TENANT, &key).await.unwrap();
        done.send(true).unwrap();
        let mut written = HashSet::new();
        for writer in writers {
            written.extend(writer.await.unwrap());
        }
        for reader in readers {
            let seen = reader.await.unwrap();
            assert_eq!(seen.len(), written.len(), "none twice, none left out");
            assert_eq!(seen.into_iter().collect::<HashSet<_>>(), written);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_goes_on_after_a_restart() {
    on_every_engine(|bed| async move {
        let key = EvidenceKey::random().unwrap();
        emit(&bed.store, 4).await;
        bed.store.seal(TENANT, &key).await.unwrap();
        emit(&bed.store, 2).await;
        bed.store.clone().close().await;
        let store = bed.reopen().await;
        assert_eq!(store.seal(TENANT, &key).await.unwrap(), 2);
        assert_eq!(verify(&store, &key).await, 6);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_a_batch_holds_are_sealed_in_one_call() {
    on_every_engine(|bed| async move {
        let key = EvidenceKey::random().unwrap();
        let mut work = Work::new();
        for _ in 0..5_000 {
            work.insert_event(&make::event(None));
        }
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.seal(TENANT, &key).await.unwrap(), 5_000);
        assert_eq!(bed.store.batches(TENANT, 0, 9).await.unwrap().len(), 2);
        assert_eq!(verify(&bed.store, &key).await, 5_000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_chains_of_their_own() {
    on_every_engine(|bed| async move {
        let key = EvidenceKey::random().unwrap();
        emit(&bed.store, 2).await;
        let mut event = make::event(None);
        event.tenant = "lippstadt".into();
        let mut work = Work::new();
        work.insert_event(&event);
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.seal("lippstadt", &key).await.unwrap(), 1);
        assert_eq!(bed.store.seal(TENANT, &key).await.unwrap(), 2);
        let events = bed.store.events(&Scope::tenant("lippstadt"), 0, 9).await.unwrap();
        assert_eq!((events.len(), events[0].number), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_proved_with_the_messages_that_occur_in_it() {
    on_every_engine(|bed: Bed| async move {
        let key = EvidenceKey::random().unwrap();
        let (root, message) = (model::ids::new_id(), model::ids::new_id());
        let mut of_case = make::event(Some(root));
        of_case.message_id = Some(message);
        let mut of_message = make::event(None);
        of_message.message_id = Some(message);
        let mut work = Work::new();
        work.insert_event(&of_message).insert_event(&of_case).insert_event(&make::event(None));
        bed.store.commit(work).await.unwrap();
        bed.store.seal(TENANT, &key).await.unwrap();

        let scope = Scope::tenant(TENANT);
        let records = bed.store.case_events(&scope, root, 0, 9).await.unwrap();
        let ids: HashSet<_> = records.iter().map(|record| record.event_id).collect();
        assert_eq!(ids, HashSet::from([of_case.id, of_message.id]));
        for record in &records {
            let entry = bed.store.chain_entries(TENANT, record.number, record.number).await.unwrap()[0];
            assert_eq!(record.entry().unwrap(), entry);
            let Content::Full { salt, event } = &record.content else { panic!("it is not erased") };
            assert_eq!(event_digest(salt, event).unwrap(), entry.digest);
        }
        assert_eq!(bed.store.case_events(&scope, root, records[0].number, 9).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_line_shows_unsealed_events_too() {
    on_every_engine(|bed| async move {
        let root = model::ids::new_id();
        let put = async || {
            let mut work = Work::new();
            work.insert_event(&make::event(Some(root)));
            bed.store.commit(work).await.unwrap();
        };
        put().await;
        bed.store.seal(TENANT, &EvidenceKey::random().unwrap()).await.unwrap();
        put().await;
        let scope = Scope::tenant(TENANT);
        let line = bed.store.timeline(&scope, TimelineOf::Root(root), &Page::first(9)).await.unwrap();
        assert_eq!(line.iter().map(|(number, _)| *number).collect::<Vec<_>>(), vec![Some(1), None]);
        let page = Page { after: Some(line[0].1.id), limit: 9 };
        assert_eq!(bed.store.timeline(&scope, TimelineOf::Record(root), &page).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_message_are_its_first_and_its_last_events_whatever_it_led_to() {
    on_every_engine(|bed| async move {
        let (scope, message) = (Scope::tenant(TENANT), make::message().id);
        let record = make::message().id;
        let mut own = Vec::new();
        for number in 0..9 {
            let mut work = Work::new();
            let step = Event { message_id: Some(message), subject: None, ..make::event(None) };
            let led_to = Event { message_id: Some(message), ..make::event(Some(record)) };
            work.insert_event(&step).insert_event(&led_to).insert_event(&make::event(None));
            bed.store.commit(work).await.unwrap();
            own.push(step.id);
            let steps = bed.store.steps(&scope, message, 3).await.unwrap();
            let ids: Vec<_> = steps.into_iter().map(|event| event.id).collect();
            let mut wanted: Vec<_> = own.iter().take(3).chain(own.iter().rev().take(3)).copied().collect();
            wanted.sort();
            wanted.dedup();
            assert_eq!(ids, wanted, "after {number}");
        }
        let others = Scope { units: Within::Only([].into()), ..scope };
        assert!(bed.store.steps(&others, message, 3).await.unwrap().is_empty());
    })
    .await;
}
