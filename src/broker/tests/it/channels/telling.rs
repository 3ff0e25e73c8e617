//! What adapters are told of: in order, once, and only of what they may see.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use broker::{Channel, Error, Page, RecordFilter};
use model::adapter::Receipt;
use model::case::{File, Version};
use model::command::{Change, Command};
use model::record::Meta;
use model::rights::Within;
use model::{EventKind, FailureKind, Record, RecordKind, Scope, ids};
use serde_json::json;

use super::bed::{Bed, DMS, FOLLOWS, Fault, Scripted, a_document, detail, kept, kinds};
use crate::engines::on_every_engine;
use crate::house::{caller, change, create, new_case, soest};

fn told(kind: &str, title: &str) -> (String, String) {
    (kind.to_owned(), title.to_owned())
}

#[tokio::test]
async fn a_tree_is_told_in_the_order_in_which_it_happened() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.case("Neubau").await;
        let document = bed.document(&case, "Lageplan", "Plan").await;
        bed.broker
            .submit(
                &bed.ours,
                change(RecordKind::Case, case.meta.id, Change::Amend(json!({"note": "x"}))),
                None,
            )
            .await
            .unwrap();
        bed.run().await;
        let expected = [
            told("record.created", "Neubau"),
            told("record.created", "Lageplan"),
            told("document.content-added", "Lageplan"),
            told("record.changed", "Neubau"),
        ];
        assert_eq!(bed.dms.heard(), expected);
        let all = bed.dms.told();
        assert_eq!((&all[2].bytes, &all[2].above), (&vec![b"Plan".to_vec()], &vec![case.meta.id]));
        let references: Vec<_> = all[2].links.iter().map(|link| link.reference.clone()).collect();
        assert_eq!(references, [format!("dms:{}", case.meta.id), format!("dms:{document}")]);
        assert!(bed.waiting().await.is_empty());

        let links = bed.broker.links(&bed.ours, document).await.unwrap();
        assert_eq!((links.len(), links[0].0.as_str()), (1, DMS));
        let events = bed.timeline(document).await;
        let delivered: Vec<_> = events.iter().filter(|it| it.kind == EventKind::ChannelDelivered).collect();
        assert_eq!(delivered.len(), 2);
        let last = delivered[1].detail.as_ref().unwrap();
        assert_eq!(
            (&last["reference"], &last["of"]),
            (&json!(format!("dms:{document}")), &json!("document.content-added"))
        );
        assert_eq!(delivered[1].case_id, Some(case.meta.id), "it is in the evidence of the case");
    })
    .await;
}

#[tokio::test]
async fn a_state_is_told_with_what_brought_the_record_into_it_and_with_nothing_else() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.case("Neubau").await.meta.id;
        let amend = |note: &str| Change::Amend(json!({ "note": note }));
        for wanted in [amend("x"), Change::Close, Change::Reopen] {
            bed.broker.submit(&bed.ours, change(RecordKind::Case, case, wanted), None).await.unwrap();
        }
        bed.run().await;
        let told = bed.dms.told();
        let states: Vec<_> = told.iter().map(|told| told.detail["status"].as_str()).collect();
        assert_eq!(states, [Some("open"), None, Some("closed"), Some("open")]);
        let events = bed.timeline(case).await;
        assert_eq!(told[0].detail["at"], json!(events[0].at));
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_call_and_commit_is_asked_about() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        for fault in [Fault::Silent, Fault::Lost] {
            let case = bed.case("Neubau").await;
            bed.dms.fails(&[fault]);
            match fault {
                Fault::Silent => {
                    // First what happened becomes a job: the adapter is told in the course of this.
                    bed.dies_in_a_call(&bed.dms).await;
                }
                _ => bed.run().await,
            }
            bed.later(Duration::from_secs(7_200)).await;
            let told = bed.dms.told();
            assert_eq!(told.iter().filter(|told| told.record.1 == case.meta.id).count(), 1);
            let events = bed.timeline(case.meta.id).await;
            assert_eq!(kinds(&events), [EventKind::RecordCreated, EventKind::ChannelDelivered]);
            assert_eq!(bed.broker.links(&bed.ours, case.meta.id).await.unwrap().len(), 1);
        }
        assert_eq!(bed.dms.set(|state| state.asked), 2);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_about_waits_for_a_human() {
    let mut dms = Scripted::new(DMS, FOLLOWS);
    dms.descriptor.capabilities.retain(|it| *it != model::adapter::Capability::Reconcile);
    let bed = Bed::with(None, dms, Scope::tenant("soest")).await;
    let case = bed.case("Neubau").await;
    bed.dms.fails(&[Fault::Lost]);
    bed.run().await;
    bed.later(Duration::from_secs(7_200)).await;
    assert_eq!(bed.dms.told().len(), 1);
    let waiting = bed.waiting().await;
    assert_eq!((waiting.len(), waiting[0].record), (1, case.meta.id));
    assert!(waiting[0].parked.is_some());
}

#[tokio::test]
async fn what_is_refused_waits_for_a_human_and_keeps_nothing_else_waiting() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.case("Neubau").await;
        bed.dms.fails(&[Fault::Before(FailureKind::Permanent)]);
        bed.run().await;
        bed.document(&case, "Lageplan", "Plan").await;
        bed.run().await;
        assert_eq!(bed.dms.heard().len(), 2, "what comes after it goes on");
        let waiting = bed.waiting().await;
        assert_eq!(waiting[0].parked.as_deref(), Some("adapter.failed"));
        let tasks = bed.open_tasks().await;
        assert_eq!(
            (tasks.len(), tasks[0].kind.as_str(), tasks[0].meta.unit.as_str()),
            (1, "adapter.failed", "63")
        );
        assert_eq!(waiting[0].task, Some(tasks[0].meta.id));

        let other = caller("soest", "70");
        let hidden = bed.broker.resend_channel(&other, waiting[0].id, None).await;
        assert!(matches!(hidden, Err(Error::Model(model::Error::NotFound { .. }))));
        bed.broker.resend_channel(&bed.ours, waiting[0].id, None).await.unwrap();
        let again = bed.broker.resend_channel(&bed.ours, waiting[0].id, None).await;
        assert!(matches!(again, Err(Error::Model(model::Error::WrongState { .. }))), "{again:?}");
        assert!(bed.open_tasks().await.is_empty());
        bed.run().await;
        assert_eq!(bed.dms.heard().last().unwrap(), &told("record.created", "Neubau"));
        assert!(bed.waiting().await.is_empty());

        bed.dms.fails(&[Fault::Before(FailureKind::Rejected)]);
        let other = bed.case("Abriss").await;
        bed.run().await;
        let waiting = bed.waiting().await;
        bed.broker.drop_channel(&bed.ours, waiting[0].id, None).await.unwrap();
        bed.run().await;
        assert!(bed.waiting().await.is_empty() && bed.open_tasks().await.is_empty());
        let events = bed.timeline(other.meta.id).await;
        let expected = [EventKind::RecordCreated, EventKind::ChannelParked, EventKind::ChannelDropped];
        assert_eq!(kinds(&events), expected);
        assert_eq!(events[2].actor, bed.ours.actor);
        assert_eq!(detail(&events, EventKind::ChannelDropped)["code"], "adapter.failed");
    })
    .await;
}

#[tokio::test]
async fn what_an_adapter_answers_changes_records_and_comes_back_to_nobody() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        bed.dms.set(|state| {
            state.answer = Some(Box::new(|delivery| {
                let (kind, id) = delivery.record.unwrap();
                let command = |change| Command { kind, id, expected: None, change };
                let commands = vec![
                    command(Change::AssignReference("63-4711/26".into())),
                    command(Change::ConfirmReceived),
                    command(Change::Destroy),
                    Command { expected: Some(1), ..command(Change::Close) },
                ];
                Receipt { commands, ..Receipt::default() }
            }));
        });
        let case = bed.case("Neubau").await;
        bed.run().await;
        assert_eq!(bed.dms.heard(), [told("record.created", "Neubau")], "no echo");
        let Record::Case(now) = bed.record(RecordKind::Case, case.meta.id).await else { panic!("a case") };
        assert_eq!(now.description.record_reference.as_deref(), Some("63-4711/26"));
        assert_eq!((now.meta.version, now.status.name()), (2, "open"));
        let delivered = detail(&bed.timeline(case.meta.id).await, EventKind::ChannelDelivered);
        let refused = json!(["model.forbidden", "model.forbidden", "model.version-conflict"]);
        assert_eq!(delivered["refused"], refused, "{delivered}");
    })
    .await;
}

#[tokio::test]
async fn what_an_adapter_may_not_make_is_refused_and_ends_the_delivery() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let other = bed.case("Anderes").await;
        bed.run().await;
        let hash = "0".repeat(64);
        let unknown =
            model::PayloadRef { id: ids::new_id(), size: 3, sha256: hash.clone(), chunk_root: hash };
        let (meta, by) = (other.meta.clone(), bed.ours.clone());
        bed.dms.set(|state| {
            state.answer = Some(Box::new(move |delivery| {
                let parent = delivery.record.map(|(_, id)| id);
                let case = delivery.about.as_ref().unwrap().record.meta().clone();
                let file = File { name: "a".into(), content: Some(unknown.clone()), ..File::default() };
                let mut with_bytes = a_document(Meta { id: ids::new_id(), ..case.clone() }, parent, "Bytes");
                with_bytes.versions = vec![Version { number: "1".into(), files: vec![file] }];
                let there = a_document(Meta { id: meta.id, ..case.clone() }, parent, "Schon da");
                let id = ids::new_id();
                let new = |title| a_document(Meta { id, ..case.clone() }, parent, title);
                let records = [with_bytes, there, new("Neu"), new("Nochmal")].map(Record::Document);
                let commands = records.into_iter().map(create).collect();
                Receipt { commands, ..Receipt::default() }
            }));
        });
        let case = bed.case("Neubau").await;
        bed.run().await;
        let delivered = detail(&bed.timeline(case.meta.id).await, EventKind::ChannelDelivered);
        assert_eq!(delivered["refused"], json!(["model.invalid", "model.exists", "model.exists"]));
        let made = bed.broker.records(&by, &RecordFilter::of(RecordKind::Document), &Page::first(9)).await;
        let titles = made.unwrap().items.into_iter().map(|it| it.description().unwrap().title.clone());
        assert_eq!(titles.collect::<Vec<_>>(), ["Neu"]);
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_wants_no_bytes_is_told_of_a_record_once() {
    for takes_bytes in [true, false] {
        let mut dms = Scripted::new(DMS, FOLLOWS);
        dms.descriptor.takes_bytes = takes_bytes;
        let bed = Bed::with(None, dms, Scope::tenant("soest")).await;
        let case = bed.case("Neubau").await;
        bed.sessions().await;
        let host = bed.post.host();
        let files = vec![kept(&host, "a", "eins").await, kept(&host, "b", "zwei").await];
        let meta = Meta { id: ids::new_id(), ..case.meta.clone() };
        let mut document = a_document(meta, Some(case.meta.id), "Bescheid");
        document.versions = vec![Version { number: "1".into(), files }];
        host.submit("d", create(Record::Document(document))).await.unwrap();
        bed.run().await;
        let told = bed.dms.told();
        let bytes: Vec<Vec<u8>> = told[1..].iter().flat_map(|told| told.bytes.clone()).collect();
        let expected = if takes_bytes { vec![b"eins".to_vec(), b"zwei".to_vec()] } else { vec![] };
        assert_eq!(bytes, expected);
        assert_eq!(told.len(), if takes_bytes { 3 } else { 2 });
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_adapter_keeps_no_other_waiting() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let first = Arc::new(Scripted::new("a", FOLLOWS));
        let channel = Channel {
            scope: Scope::tenant("soest"),
            authority: soest(),
            unit: "63".into(),
            from_beginning: true,
            patience: Duration::from_secs(3_600),
        };
        let broker = bed.gateway.broker.clone().with_adapters(vec![first.clone(), bed.dms.clone()]);
        let broker = broker.with_channels([("a".to_owned(), channel.clone()), (DMS.to_owned(), channel)]);
        broker.run_due_jobs().await.unwrap();
        bed.damage("UPDATE channel SET reached = -1 WHERE adapter = 'a'").await;
        bed.gateway.a_case(&bed.ours, "Neubau").await;
        for _ in 0..3 {
            broker.run_due_jobs().await.unwrap();
        }
        assert_eq!((first.told().len(), bed.dms.heard()), (0, vec![told("record.created", "Neubau")]));
    })
    .await;
}

#[tokio::test]
async fn an_adapter_never_sees_what_it_does_not_serve() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let others = caller("soest", "70");
        let foreign = new_case(&others, "70", "Fremdes");
        bed.broker.submit(&others, crate::house::create(foreign.clone()), None).await.unwrap();
        let elsewhere = caller("unna", "63");
        bed.gateway.a_case(&elsewhere, "Anderswo").await;
        bed.case("Eigenes").await;
        bed.run().await;
        assert_eq!(bed.dms.heard(), [told("record.created", "Eigenes")]);

        bed.sessions().await;
        let (host, id) = (bed.dms.host(), foreign.meta().id);
        assert_eq!(host.record(RecordKind::Case, id).await.unwrap(), None);
        let amend = Command {
            kind: RecordKind::Case,
            id,
            expected: None,
            change: Change::Amend(json!({ "title": "x" })),
        };
        assert_eq!(host.submit("a", amend).await.unwrap_err().code, "model.not-found");
        assert!(host.note("n", RecordKind::Case, id, json!({})).await.is_err());
        let link = model::adapter::Link {
            kind: RecordKind::Case,
            record: id,
            part: String::new(),
            reference: "x".into(),
            state: json!(null),
        };
        assert!(host.link(link).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_tell_nothing_twice() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        for number in 0..30 {
            bed.case(&format!("Fall {number}")).await;
        }
        let (one, two) = (bed.broker.clone(), bed.broker.clone());
        for _ in 0..3 {
            let (first, second) = tokio::join!(one.run_due_jobs(), two.run_due_jobs());
            first.unwrap();
            second.unwrap();
        }
        let told = bed.dms.told();
        let once: BTreeSet<_> = told.iter().map(|told| told.id).collect();
        assert_eq!((told.len(), once.len()), (30, 30));
        assert!(bed.waiting().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_does_not_care_for_the_order_waits_for_nobody() {
    // Of whoever carries dispatches only these stand each for itself.
    for (in_order, way) in [(true, None), (true, Some("fit-connect")), (false, None)] {
        let mut dms = Scripted::new(DMS, FOLLOWS);
        (dms.descriptor.in_order, dms.descriptor.way) = (in_order, way.map(str::to_owned));
        let bed = Bed::with(None, dms, Scope { units: Within::All, ..Scope::tenant("soest") }).await;
        let case = bed.case("Neubau").await;
        bed.dms.fails(&[Fault::Before(FailureKind::Transient)]);
        bed.run().await;
        bed.document(&case, "Lageplan", "Plan").await;
        bed.run().await;
        let heard = bed.dms.heard().len();
        assert_eq!(heard, if in_order { 0 } else { 2 });
        bed.later(Duration::from_secs(600)).await;
        assert_eq!(bed.dms.heard().len(), 3);
    }
}

#[tokio::test]
async fn a_record_that_nobody_knows_has_no_links() {
    let bed = Bed::new(None).await;
    let unknown = bed.broker.links(&bed.ours, ids::new_id()).await;
    assert!(matches!(unknown, Err(Error::Model(model::Error::NotFound { .. }))));
}
