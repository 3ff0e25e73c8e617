//! Units of work: all or nothing, alone within their group, preconditions.

use model::{MessageState, RecordKind, Scope, Timestamp};
use serde_json::json;
use store::{Dedup, Page, Partner, RecordFilter, Work};

use crate::make::{self, TENANT};
use crate::{conflict, on_every_engine};

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_written_whole_or_not_at_all() {
    on_every_engine(|bed| async move {
        let scope = Scope::tenant(TENANT);
        let (message, case, event) = (make::message(), make::case("a"), make::event(None));
        let mut work = Work::new();
        work.claim_dedup(TENANT, "in", "k", message.id, "d", None);
        bed.store.commit(work).await.unwrap();

        let mut work = Work::new();
        work.insert_message(&message).put_record(&case, None).insert_event(&event);
        work.claim_dedup(TENANT, "in", "k", message.id, "d", None);
        assert_eq!(conflict(bed.store.commit(work).await), "dedup");
        assert!(bed.store.message(&scope, message.id).await.unwrap().is_none());
        assert!(bed.store.record_any(&scope, case.meta().id).await.unwrap().is_none());
        assert_eq!(bed.store.stats().await.unwrap().unsealed_events, 0);

        let mut work = Work::new();
        work.insert_message(&message).put_record(&case, None).insert_event(&event);
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.message(&scope, message.id).await.unwrap(), Some(message));
        assert_eq!(bed.store.record(&scope, RecordKind::Case, case.meta().id).await.unwrap(), Some(case));
        assert_eq!(bed.store.stats().await.unwrap().unsealed_events, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conflicting_unit_among_fifty_fails_alone() {
    on_every_engine(|bed| async move {
        let mut taken = Work::new();
        taken.claim_dedup(TENANT, "in", "17", model::ids::new_id(), "d", None);
        bed.store.commit(taken).await.unwrap();
        let commits = (0..50).map(|number| {
            let store = bed.store.clone();
            tokio::spawn(async move {
                let message = make::message();
                let mut work = Work::new();
                work.insert_message(&message);
                work.claim_dedup(TENANT, "in", &number.to_string(), message.id, "d", None);
                (message.id, store.commit(work).await)
            })
        });
        let commits: Vec<_> = commits.collect();
        let mut failed = 0;
        for commit in commits {
            let (id, outcome) = commit.await.unwrap();
            let written = bed.store.message(&Scope::tenant(TENANT), id).await.unwrap().is_some();
            assert_eq!(written, outcome.is_ok());
            failed += u32::from(outcome.is_err());
        }
        assert_eq!(failed, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_is_a_conflict() {
    on_every_engine(|bed| async move {
        let put = async |record: &model::Record| {
            let mut work = Work::new();
            work.put_record(record, None);
            bed.store.commit(work).await
        };
        let first = make::case("a");
        let second = make::changed(&first, "b");
        assert_eq!(conflict(put(&second).await), "record", "version 2 before version 1");
        put(&first).await.unwrap();
        assert_eq!(conflict(put(&first).await), "record", "version 1 twice");
        put(&second).await.unwrap();
        assert_eq!(conflict(put(&make::changed(&first, "c")).await), "record", "version 2 twice");
        let kept = bed.store.record_any(&Scope::tenant(TENANT), first.meta().id).await.unwrap();
        assert_eq!(kept, Some(second));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_can_rest_on_the_version_of_another_record() {
    on_every_engine(|bed| async move {
        let case = make::case("a");
        let mut work = Work::new();
        work.put_record(&case, None);
        bed.store.commit(work).await.unwrap();
        let resting_on = |tenant, version| {
            let mut work = Work::new();
            work.require_version(tenant, case.meta().id, version).put_record(&make::case("b"), None);
            work
        };
        bed.store.commit(resting_on(TENANT, 1)).await.unwrap();
        assert_eq!(conflict(bed.store.commit(resting_on(TENANT, 2)).await), "root");
        assert_eq!(conflict(bed.store.commit(resting_on("lippstadt", 1)).await), "root");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_version_exactly_one_wins() {
    on_every_engine(|bed| async move {
        let first = make::case("a");
        let mut work = Work::new();
        work.put_record(&first, None);
        bed.store.commit(work).await.unwrap();
        let writers: Vec<_> = (0..16)
            .map(|number| {
                let (store, second) = (bed.store.clone(), make::changed(&first, &number.to_string()));
                tokio::spawn(async move {
                    let mut work = Work::new();
                    work.put_record(&second, None);
                    store.commit(work).await.is_ok()
                })
            })
            .collect();
        let mut won = 0;
        for writer in writers {
            won += u32::from(writer.await.unwrap());
        }
        assert_eq!(won, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_moves_on_from_its_state_only_and_keeps_when_it_was_received() {
    on_every_engine(|bed| async move {
        let mut message = make::message();
        let received_at = message.received_at;
        let mut work = Work::new();
        work.insert_message(&message);
        bed.store.commit(work).await.unwrap();

        message.state = MessageState::Processed;
        message.received_at = Timestamp::from_micros(77);
        for (from, expected) in
            [(MessageState::Parked, false), (MessageState::Accepted, true), (MessageState::Accepted, false)]
        {
            let mut work = Work::new();
            work.update_message(&message, from);
            assert_eq!(bed.store.commit(work).await.is_ok(), expected);
        }
        let kept = bed.store.message(&Scope::tenant(TENANT), message.id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.received_at), (MessageState::Processed, received_at));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_once_and_remembers_the_answer() {
    on_every_engine(|bed| async move {
        let subject = model::ids::new_id();
        let claim = || {
            let mut work = Work::new();
            work.claim_dedup(TENANT, "in", "k", subject, "digest", Some(&json!({ "status": 201 })));
            work
        };
        bed.store.commit(claim()).await.unwrap();
        assert_eq!(conflict(bed.store.commit(claim()).await), "dedup");
        let known = Dedup { subject, digest: "digest".into(), answer: Some(json!({ "status": 201 })) };
        assert_eq!(bed.store.dedup(TENANT, "in", "k").await.unwrap(), Some(known));
        let next = model::ids::new_id();
        let replace = |from| {
            let mut work = Work::new();
            work.replace_dedup(TENANT, "in", "k", from, next, "other", None);
            work
        };
        bed.store.commit(replace(subject)).await.unwrap();
        assert_eq!(conflict(bed.store.commit(replace(subject)).await), "dedup");
        assert_eq!(bed.store.dedup(TENANT, "in", "k").await.unwrap().unwrap().subject, next);
        for (tenant, space, key) in [("lippstadt", "in", "k"), (TENANT, "out", "k"), (TENANT, "in", "K")] {
            assert_eq!(bed.store.dedup(tenant, space, key).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_after_the_other_shows_everything_once_while_others_insert() {
    on_every_engine(|bed| async move {
        let mut work = Work::new();
        let before: Vec<_> = (0..50).map(|n| make::case(&n.to_string())).collect();
        for case in before.iter() {
            work.put_record(case, None);
        }
        bed.store.commit(work).await.unwrap();
        let store = bed.store.clone();
        let inserting = tokio::spawn(async move {
            for n in 0..50 {
                let mut work = Work::new();
                work.put_record(&make::case(&n.to_string()), None);
                store.commit(work).await.unwrap();
            }
        });
        let mut seen = Vec::new();
        let mut page = Page::first(7);
        loop {
            let filter = RecordFilter::of(RecordKind::Case);
            let listed = bed.store.records(&Scope::tenant(TENANT), &filter, &page).await.unwrap();
            assert!(listed.items.len() <= 7);
            seen.extend(listed.items.iter().map(|record| record.meta().id));
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
        inserting.await.unwrap();
        assert!(seen.is_sorted_by(|a, b| a < b), "in order, nothing twice");
        assert!(before.iter().all(|case| seen.contains(&case.meta().id)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_each_filter() {
    on_every_engine(|bed| async move {
        let mut case = make::with_alias(make::case("a"), "kassenzeichen", "4711");
        if let model::Record::Case(case) = &mut case {
            case.description.record_reference = Some("63-1/26".into());
            case.parent = Some(model::ids::new_id());
        }
        let mut work = Work::new();
        work.put_record(&case, None).put_record(&make::case("b"), None);
        bed.store.commit(work).await.unwrap();
        let found = async |filter: RecordFilter| {
            let listed = bed.store.records(&Scope::tenant(TENANT), &filter, &Page::first(9)).await.unwrap();
            listed.items.len()
        };
        let all = || RecordFilter::of(RecordKind::Case);
        let alias = |kind: &str, value: &str| Some((kind.to_owned(), value.to_owned()));
        assert_eq!(found(all()).await, 2);
        assert_eq!(found(RecordFilter::of(RecordKind::Document)).await, 0);
        assert_eq!(found(RecordFilter { parent: case.parent(), ..all() }).await, 1);
        assert_eq!(found(RecordFilter { root: Some(case.meta().root), ..all() }).await, 1);
        assert_eq!(found(RecordFilter { record_reference: Some("63-1/26".into()), ..all() }).await, 1);
        assert_eq!(found(RecordFilter { reference: alias("kassenzeichen", "4711"), ..all() }).await, 1);
        assert_eq!(found(RecordFilter { reference: alias("kassenzeichen", "471"), ..all() }).await, 0);
        assert_eq!(found(RecordFilter { status: Some("open".into()), ..all() }).await, 2);
        assert_eq!(found(RecordFilter { status: Some("closed".into()), ..all() }).await, 0);
        assert_eq!(found(RecordFilter { authority: Some(make::authority()), ..all() }).await, 2);
        assert_eq!(found(RecordFilter { owner_unit: Some("70".into()), ..all() }).await, 0);

        // A changed alias replaces the old one.
        let renamed = make::with_alias(make::changed(&make::case("a"), "c"), "kassenzeichen", "4712");
        let mut next = renamed.clone();
        *next.meta_mut() = case.meta().clone();
        next.meta_mut().version = 2;
        let mut work = Work::new();
        work.put_record(&next, None);
        bed.store.commit(work).await.unwrap();
        assert_eq!(found(RecordFilter { reference: alias("kassenzeichen", "4711"), ..all() }).await, 0);
        assert_eq!(found(RecordFilter { reference: alias("kassenzeichen", "4712"), ..all() }).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_u0000_is_refused_on_both_engines() {
    on_every_engine(|bed| async move {
        let mut work = Work::new();
        work.claim_dedup(TENANT, "in", "a\0b", model::ids::new_id(), "d", None);
        assert_eq!(bed.store.commit(work).await.unwrap_err().code(), "store.nul");
        assert_eq!(bed.store.dedup(TENANT, "in", "a\0b").await.unwrap_err().code(), "store.nul");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_canonical_json_refuses_is_not_written() {
    on_every_engine(|bed| async move {
        let mut event = make::event(None);
        event.detail = Some(json!(0.5));
        let mut work = Work::new();
        work.insert_event(&event).claim_dedup(TENANT, "in", "k", event.id, "d", None);
        assert_eq!(bed.store.commit(work).await.unwrap_err().code(), "json.not-integer");
        assert_eq!(bed.store.dedup(TENANT, "in", "k").await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_and_adapter_state_are_kept() {
    on_every_engine(|bed| async move {
        let scope = Scope::tenant(TENANT);
        let mut partner = Partner {
            id: "lippstadt".into(),
            tenant: TENANT.into(),
            authority: Some(make::authority()),
            name: "Stadt Lippstadt".into(),
            settings: json!({ "version": "3.1.0" }),
            version: 1,
            updated_at: Timestamp::from_micros(5),
        };
        let put = async |partner: &Partner| {
            let mut work = Work::new();
            work.put_partner(partner);
            work.set_adapter_state(TENANT, "dms", "cursor", &json!(partner.version));
            bed.store.commit(work).await
        };
        put(&partner).await.unwrap();
        assert_eq!(conflict(put(&partner).await), "partner");
        partner.version = 2;
        partner.name = "Lippstadt".into();
        put(&partner).await.unwrap();
        assert_eq!(bed.store.partners(&scope).await.unwrap(), vec![partner.clone()]);
        assert_eq!(bed.store.partner(&scope, "lippstadt").await.unwrap(), Some(partner));
        assert_eq!(bed.store.adapter_state(TENANT, "dms", "cursor").await.unwrap(), Some(json!(2)));
        assert_eq!(bed.store.adapter_state("unna", "dms", "cursor").await.unwrap(), None);
        let mut work = Work::new();
        work.set_adapter_state(TENANT, "dms", "a", &json!("x")).set_adapter_state(
            TENANT,
            "other",
            "b",
            &json!(1),
        );
        bed.store.commit(work).await.unwrap();
        let all = bed.store.adapter_states(TENANT, "dms").await.unwrap();
        assert_eq!(all, [("a".to_owned(), json!("x")), ("cursor".to_owned(), json!(2))]);
        let mut work = Work::new();
        work.remove_adapter_state(TENANT, "dms", "a").remove_adapter_state("unna", "dms", "cursor");
        bed.store.commit(work).await.unwrap();
        assert_eq!(bed.store.adapter_states(TENANT, "dms").await.unwrap(), [("cursor".to_owned(), json!(2))]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_on_anything_in_a_tree_keeps_what_requires_that_there_is_none() {
    on_every_engine(|bed| async move {
        let (top, mut inner) = (make::case("oben"), make::case("darin"));
        inner.meta_mut().root = top.meta().id;
        let put = async |record: &model::Record| {
            let mut work = Work::new();
            work.put_record(record, None);
            bed.store.commit(work).await.unwrap();
        };
        put(&top).await;
        put(&inner).await;
        let dedup = |key: &str| {
            let mut work = Work::new();
            work.require_unheld(TENANT, top.meta().id);
            work.claim_dedup(TENANT, "in", key, top.meta().id, "d", None);
            work
        };
        bed.store.commit(dedup("free")).await.unwrap();
        let mut held = make::changed(&inner, "darin");
        if let model::Record::Case(case) = &mut held {
            let since = Timestamp::from_micros(1);
            case.description.hold = Some(model::case::Hold { reason: "Klage".into(), since });
        }
        put(&held).await;
        assert_eq!(conflict(bed.store.commit(dedup("held")).await), "held");
    })
    .await;
}
