//! Deletion: what was handed over loses its bytes and keeps its evidence; what is not confirmed, barred or not offered stays, and it
//! is said why. Each run proves what it deleted.

use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, DeletionProof, Keeping, Opening, verify_deletion};
use model::case::Disposition::{Archive, Destroy};
use model::command::Change;
use model::{Caller, Id, Message, MessageState, Record, RecordKind, Role, SystemClock};
use seal::bundle::verify;
use seal::evidence_key::EvidencePublicKey;
use serde_json::json;
use store::{InboxFilter, Page, RecordFilter, RetentionRun};

use crate::disposition::Bed;
use crate::engines::on_every_engine;
use crate::evidence::export;
use crate::house::{Gateway, caller, change};

/// Everything at once.
fn at_once() -> Keeping {
    let none = Some(0);
    Keeping {
        messages: none,
        returned: none,
        relay: none,
        notices: none,
        records: none,
        ..Keeping::default()
    }
}

/// A message that the authority has taken in; with the case that it brought.
async fn taken_in(gateway: &Gateway, ours: &Caller) -> (Message, Id) {
    let object = model::ids::new_id();
    let body = json!({
        "toy": "0401", "process": model::ids::new_id(), "objects": [[object, "Geheimnis"]],
        "padding": "x".repeat(100_000),
    });
    let message = gateway.accept(ours, &body).await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    let filter = RecordFilter::of(RecordKind::Case);
    let cases = gateway.broker.records(ours, &filter, &Page::first(99)).await.unwrap().items;
    (message, cases.last().unwrap().meta().id)
}

async fn confirmed(gateway: &Gateway, ours: &Caller) -> (Message, Id) {
    let (message, case) = taken_in(gateway, ours).await;
    let minute = Duration::from_secs(60);
    let leased = gateway.broker.lease(ours, &InboxFilter::default(), minute, 9, None).await.unwrap();
    for item in leased {
        gateway.broker.confirm(ours, item.entry.id, None).await.unwrap();
    }
    let message = gateway.broker.message(ours, message.id).await.unwrap();
    assert_eq!(message.state, MessageState::Confirmed);
    (message, case)
}

/// A run of deletion in the whole tenant.
async fn run(broker: &Broker, ours: &Caller) -> RetentionRun {
    let mut by = ours.clone();
    by.scope = model::Scope::tenant(&ours.scope.tenant);
    // Not in the millisecond of what it is about.
    tokio::time::sleep(Duration::from_millis(3)).await;
    let run = broker.start_retention(&by).await.unwrap();
    broker.run_due_jobs().await.unwrap();
    let ended =
        broker.retention_runs(&by, 9).await.unwrap().into_iter().find(|known| known.id == run.id).unwrap();
    assert!(ended.ended_at.is_some());
    ended
}

async fn proof(broker: &Broker, ours: &Caller, run: &RetentionRun) -> DeletionProof {
    // Its lines are of all units.
    if !ours.scope.is_whole() {
        assert_eq!(broker.retention_proof(ours, run.id).await.unwrap_err().code(), "model.forbidden");
    }
    let mut whole = ours.clone();
    whole.scope = model::Scope::tenant(&ours.scope.tenant);
    let proof = broker.retention_proof(&whole, run.id).await.unwrap();
    // As an auditor has it: from a file.
    serde_json::from_str(&serde_json::to_string(&proof).unwrap()).unwrap()
}

fn key(broker: &Broker) -> EvidencePublicKey {
    broker.evidence_keys().unwrap().current().clone()
}

fn reasons(run: &RetentionRun) -> Vec<(String, u64)> {
    let kept = run.body["kept"].as_object().unwrap();
    kept.iter().map(|(reason, count)| (reason.clone(), count.as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_confirmed_message_loses_its_bytes_and_keeps_its_evidence_and_others_stay() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database.clone(), Arc::new(SystemClock)).await;
        let broker = gateway.broker.clone().with_keeping(at_once());
        let ours = caller("soest", "63");
        let (gone, case) = confirmed(&gateway, &ours).await;
        let (held, barred) = confirmed(&gateway, &ours).await;
        let hold = change(RecordKind::Case, barred, Change::Hold("Klage".into()));
        broker.submit(&ours, hold, None).await.unwrap();
        let (open, _) = taken_in(&gateway, &ours).await;

        tokio::time::sleep(Duration::from_millis(3)).await;
        let plan = broker.retention_plan(&ours, 100).await.unwrap();
        let due: Vec<_> = plan.due.iter().map(|due| (due.kind, due.subject)).collect();
        assert_eq!(due, [("message", gone.id)]);
        assert!(broker.message_content(&ours, gone.id).await.is_ok(), "a plan changes nothing");

        let ended = run(&broker, &ours).await;
        assert_eq!(ended.deleted, 1);
        assert_eq!(reasons(&ended), [("retention.held".into(), 1), ("retention.not-confirmed".into(), 1)]);
        assert!(broker.message_content(&ours, gone.id).await.is_err());
        for message in [&held, &open] {
            assert!(broker.message_content(&ours, message.id).await.is_ok());
        }
        assert_eq!(broker.message(&ours, gone.id).await.unwrap().payload, gone.payload, "its digests stay");
        let (bundle, events) = export(&gateway, &ours, case).await;
        let report = verify(bundle, None, |_| {});
        assert!(report.ok, "{:?}", report.findings);
        assert_eq!(report.erased_payloads, [gone.payload.unwrap().id]);
        assert!(events.iter().any(|event| event["event"]["kind"] == "payload.erased"));
        assert_eq!(broker.check_chain(&ours, None).await.unwrap().findings, vec![]);

        let proven = proof(&broker, &ours, &ended).await;
        assert_eq!(verify_deletion(&proven, &key(&broker)), Ok(()));
        assert_eq!(proven.items[0]["subject"], json!(gone.id));
        assert_eq!(run(&broker, &ours).await.deleted, 0, "once is enough");

        // What was sealed with an older key is proven by the newer one.
        drop(broker);
        let gateway = gateway.with_another_evidence_key(database).await;
        let again = proof(&gateway.broker, &ours, &ended).await;
        assert_eq!((&again.batch, again.older_keys.len()), (&proven.batch, 1));
        assert_eq!(verify_deletion(&again, &key(&gateway.broker)), Ok(()));
        let alone = DeletionProof { older_keys: vec![], ..again };
        let alone = gateway.broker.sign_deletion(alone).unwrap();
        assert_eq!(verify_deletion(&alone, &key(&gateway.broker)), Err("evidence.batch-signature"));
    })
    .await;
}

#[tokio::test]
async fn a_proof_of_which_anything_was_changed_does_not_verify() {
    let gateway = Gateway::start().await;
    let broker = gateway.broker.clone().with_keeping(at_once());
    let ours = caller("soest", "63");
    confirmed(&gateway, &ours).await;
    confirmed(&gateway, &ours).await;
    let ended = run(&broker, &ours).await;
    let proof = proof(&broker, &ours, &ended).await;
    let key = key(&broker);
    assert_eq!(verify_deletion(&proof, &key), Ok(()));
    let stranger = seal::evidence_key::EvidenceKey::random().unwrap();
    assert!(verify_deletion(&proof, &stranger.public().unwrap()).is_err());

    // Whoever has the gateway's key cannot change the list either: the chain names it.
    type Change<'a> = &'a dyn Fn(&mut DeletionProof);
    let changed: [(&str, Change<'_>); 4] = [
        ("evidence.file-changed", &|proof| proof.items[0]["subject"] = json!(model::ids::new_id())),
        ("evidence.file-changed", &|proof| drop(proof.items.pop())),
        ("evidence.event-changed", &|proof| proof.run = model::ids::new_id()),
        ("evidence.proof-wrong", &|proof| proof.proof.path.iter_mut().for_each(|digest| digest.0[0] ^= 1)),
    ];
    for (code, change) in changed {
        let mut other = proof.clone();
        change(&mut other);
        assert_eq!(verify_deletion(&other, &key), Err("evidence.manifest-signature"));
        let signed = broker.sign_deletion(DeletionProof { signature: None, ..other }).unwrap();
        assert_eq!(verify_deletion(&signed, &key), Err(code));
    }
}

#[tokio::test]
async fn records_go_by_a_disposition_alone() {
    on_every_engine(|database| async move {
        let bed = Bed::start(Gateway::on(database, Arc::new(SystemClock)).await).await;
        let broker = bed.gateway.broker.clone().with_keeping(at_once());
        // Its time is over and nobody has offered it.
        let forgotten = bed.gateway.a_case(&bed.agency, "vergessen").await.meta.id;
        let over = json!({ "retention": { "until": "2020-12-31", "disposition": "appraise" } });
        for what in [Change::Amend(over), Change::Close] {
            broker.submit(&bed.agency, change(RecordKind::Case, forgotten, what), None).await.unwrap();
        }
        let sent = bed.begin(Opening::Usual).await;
        let before = run(&broker, &bed.agency).await;
        let reason = |run: &RetentionRun, name: &str| run.body["kept"][name].as_u64().unwrap_or(0);
        assert_eq!(reason(&before, "retention.not-appraised"), 2);
        assert_eq!(reason(&before, "retention.not-offered"), 1);
        bed.appraise(&[(bed.one, Archive), (bed.two, Destroy)]).await;
        run(&broker, &bed.agency).await;
        let gone = |record: Record| record.status() == "destroyed";
        assert!(gone(bed.case(bed.two).await));
        assert!(!gone(bed.case(bed.one).await), "the archive does not have it yet");
        bed.transfer(sent.meta.id).await.unwrap();
        bed.import(bed.one, true).await;
        let hold = change(RecordKind::Case, bed.inner, Change::Hold("Klage".into()));
        broker.submit(&bed.agency, hold, None).await.unwrap();
        let held = run(&broker, &bed.agency).await;
        assert!(!gone(bed.case(bed.one).await) && reason(&held, "retention.held") >= 1);
        let lift = change(RecordKind::Case, bed.inner, Change::LiftHold);
        broker.submit(&bed.agency, lift, None).await.unwrap();
        let last = run(&broker, &bed.agency).await;
        assert!(gone(bed.case(bed.one).await) && gone(bed.case(bed.inner).await));
        assert!(!gone(bed.case(forgotten).await));
        let proof = proof(&broker, &bed.agency, &last).await;
        assert!(proof.items.iter().any(|item| item["kind"] == "record" && item["subject"] == json!(bed.one)));
    })
    .await;
}

#[tokio::test]
async fn nothing_goes_without_a_section_and_only_those_who_may_see_to_it() {
    let gateway = Gateway::start().await;
    let ours = caller("soest", "63");
    let (message, _) = confirmed(&gateway, &ours).await;
    gateway.broker.retention_due().await.unwrap();
    gateway.broker.run_due_jobs().await.unwrap();
    assert!(gateway.broker.message_content(&ours, message.id).await.is_ok());
    assert_eq!(gateway.broker.retention_runs(&ours, 9).await.unwrap(), vec![]);

    let broker = gateway.broker.clone().with_keeping(at_once());
    let mut clerk = ours.clone();
    clerk.roles = vec![Role::Clerk, Role::Operator];
    assert_eq!(broker.retention_plan(&clerk, 9).await.unwrap_err().code(), "model.forbidden");
    assert_eq!(
        broker.start_retention(&ours).await.unwrap_err().code(),
        "model.forbidden",
        "not the whole tenant"
    );
    let elsewhere = broker.retention_plan(&caller("soest", "70"), 9).await.unwrap();
    assert!(elsewhere.due.is_empty() && elsewhere.kept.is_empty(), "another unit's");

    // Of two nodes one begins.
    tokio::time::sleep(Duration::from_millis(3)).await;
    broker.retention_due().await.unwrap();
    broker.clone().retention_due().await.unwrap();
    broker.run_due_jobs().await.unwrap();
    assert_eq!(broker.retention_runs(&ours, 9).await.unwrap().len(), 1);
    assert!(broker.message_content(&ours, message.id).await.is_err());
}
