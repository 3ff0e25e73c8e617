//! Whole bundles verify; the writer refuses what its verifier would.

use std::io::{Cursor, Write};

use seal::{
    bundle::{BundleWriter, Content, Counts, EventRecord, MAX_LINE, PayloadInfo, Progress, verify},
    chain::Salt,
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{
    BUNDLE, CASE, LARGE, TENANT, THE_CASE, codes, describe, entries, unzip, verdict, verdict_on, zip,
};

#[test]
fn an_unchanged_bundle_verifies() {
    let report = verdict(&BUNDLE);
    assert!(report.ok, "{:?}", report.findings);
    assert!(report.key_trusted);
    assert_eq!(report.tenant.as_deref(), Some(TENANT));
    assert_eq!(report.case_id, Some(CASE));
    assert_eq!(report.last_batch, 3);
    assert_eq!(
        report.counts,
        Counts { events: 50, erased: 5, batches: 3, stamps: 2, payloads: 2, contents: 1 }
    );
    assert_eq!(report.proofs, 50);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["ok"], &json["counts"]["events"]), (&json!(true), &json!(50)));
}

#[test]
fn without_a_trusted_key_the_report_says_so() {
    let report = verify(Cursor::new(&*BUNDLE), None, |_| {});
    assert!(report.ok && !report.key_trusted);
    assert_eq!(report.key_fingerprint, Some(THE_CASE.public().fingerprint()));
}

#[test]
fn packing_the_same_files_again_changes_nothing() {
    let mut entries = entries();
    entries.reverse();
    assert!(verdict_on(&entries).ok);
    assert_eq!(unzip(&zip(&entries)), entries);
}

#[test]
fn progress_ascends_to_the_total() {
    let mut seen: Vec<Progress> = Vec::new();
    verify(Cursor::new(&*BUNDLE), None, |progress| seen.push(progress));
    assert!(seen.len() >= 2);
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    assert!(seen.iter().all(|progress| progress.total == seen[0].total));
    assert_eq!(seen.last().map(|progress| progress.done), seen.last().map(|progress| progress.total));
}

#[test]
fn a_case_without_anything_makes_a_bundle() {
    let writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    let bundle = writer.finish(&THE_CASE.key).unwrap().into_inner();
    let report = verdict(&bundle);
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!(report.counts, Counts::default());
}

#[test]
fn payloads_of_every_edge_size_verify() {
    for size in [0, 1, 65_535, 65_536, 65_537, 131_072] {
        let content = vec![9; size];
        let payload = describe(LARGE, &content);
        let event = json!({ "payload": payload.info });
        let entry = seal::chain::Entry {
            number: 1,
            event_id: Uuid::nil(),
            digest: seal::chain::event_digest(&Salt([1; 16]), &event).unwrap(),
        };
        let mut writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
        let content_of_event = Content::Full { salt: Salt([1; 16]), event };
        writer.event(&EventRecord { number: 1, event_id: Uuid::nil(), content: content_of_event }).unwrap();
        let proof = seal::bundle::ProofRecord { number: 1, batch: 1, index: 0, path: Vec::new() };
        writer.proof(&proof).unwrap();
        let batch = seal::chain::Batch::seal(TENANT, None, &[entry], 0).unwrap();
        writer.batch(&batch.sign(&THE_CASE.key).unwrap()).unwrap();
        writer.payload(&payload.info, payload.chunks).unwrap();
        let mut sink = writer.content(LARGE).unwrap();
        sink.write_all(&content).unwrap();
        sink.close().unwrap();
        let report = verdict(&writer.finish(&THE_CASE.key).unwrap().into_inner());
        assert!(report.ok, "{size}: {:?}", codes(&report));
    }
}

#[test]
#[ignore = "long campaign: 66,000 entries take 20 seconds unoptimised"]
fn more_files_than_a_plain_zip_can_count_verify() {
    const PAYLOADS: u128 = 66_000;
    let empty = describe(Uuid::nil(), b"");
    let info = |n: u128| PayloadInfo { id: Uuid::from_u128(n), ..empty.info };
    let events: Vec<_> = (0..PAYLOADS)
        .step_by(1000)
        .map(|from| json!({ "payloads": (from..from + 1000).map(info).collect::<Vec<_>>() }))
        .collect();
    let entries: Vec<_> = (1..)
        .zip(&events)
        .map(|(number, event)| seal::chain::Entry {
            number,
            event_id: Uuid::nil(),
            digest: seal::chain::event_digest(&Salt([1; 16]), event).unwrap(),
        })
        .collect();
    let mut writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    for (number, event) in (1..).zip(events) {
        let content = Content::Full { salt: Salt([1; 16]), event };
        writer.event(&EventRecord { number, event_id: Uuid::nil(), content }).unwrap();
    }
    let tree = seal::chain::tree(&entries);
    for index in 0..entries.len() as u64 {
        let path = tree.proof(index).unwrap();
        writer.proof(&seal::bundle::ProofRecord { number: index + 1, batch: 1, index, path }).unwrap();
    }
    let batch = seal::chain::Batch::seal(TENANT, None, &entries, 0).unwrap();
    writer.batch(&batch.sign(&THE_CASE.key).unwrap()).unwrap();
    for n in 0..PAYLOADS {
        writer.payload(&info(n), empty.chunks.iter().copied()).unwrap();
    }
    let report = verdict(&writer.finish(&THE_CASE.key).unwrap().into_inner());
    assert!(report.ok, "{:?}", codes(&report));
    assert_eq!(report.counts.payloads, PAYLOADS as u64);
}

#[test]
fn the_writer_refuses_a_wrong_order() {
    let case = &*THE_CASE;
    let writer = || BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    let mut late_event = writer();
    late_event.proof(&case.proofs[0]).unwrap();
    let mut doubled_event = writer();
    doubled_event.event(&case.events[0]).unwrap();
    let mut doubled_payload = writer();
    doubled_payload.payload(&case.large.info, []).unwrap();
    for error in [
        late_event.event(&case.events[0]).unwrap_err(),
        doubled_event.event(&case.events[0]).unwrap_err(),
        doubled_payload.payload(&case.large.info, []).unwrap_err(),
        writer().batch(&case.batches[1]).unwrap_err(),
        writer().content(LARGE).err().unwrap(),
    ] {
        assert_eq!(error.code(), "evidence.bundle-order");
    }
}

#[test]
fn the_writer_refuses_foreign_content_and_long_lines() {
    let case = &*THE_CASE;
    let mut writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    let event = json!({ "note": "x".repeat(MAX_LINE) });
    let content = Content::Full { salt: Salt([1; 16]), event };
    let long = EventRecord { number: 1, event_id: Uuid::nil(), content };
    assert_eq!(writer.event(&long).unwrap_err().code(), "evidence.bundle-limit");
    writer.payload(&case.large.info, case.large.chunks.iter().copied()).unwrap();
    let mut content = writer.content(LARGE).unwrap();
    content.write_all(b"something else").unwrap();
    assert_eq!(content.close().unwrap_err().code(), "evidence.bundle-content");
}
