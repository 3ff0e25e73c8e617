//! Time stamps in a bundle: what they prove, what is said when they are missing or wrong, and openssl's judgement.

use std::io::Cursor;

use seal::bundle::{Absence, BundleFile, BundleWriter, Trust, verify, verify_with};

use crate::{
    fixture::{
        BUNDLE, CASE, LARGE, SMALL, TENANT, THE_CASE, bytes_of, codes, entries, large_content, unzip,
        verdict, verdict_on,
    },
    tsa::Tsa,
};

#[test]
fn each_event_is_proven_by_the_first_stamp_behind_it() {
    let report = verdict(&BUNDLE);
    assert!(report.ok && report.stamps_trusted, "{:?}", report.findings);
    let covered: Vec<_> =
        report.stamps.iter().map(|s| (s.batch, s.events, s.first_event, s.last_event)).collect();
    assert_eq!(covered, [(1, 18, 2, 36), (3, 32, 38, 100)]);
    assert_eq!((report.counts.stamps, report.unstamped_events), (2, 0));
    assert_eq!(report.erased_events, [20, 40, 60, 80, 100]);
    assert!(!verify(Cursor::new(&*BUNDLE), None, |_| {}).stamps_trusted);
}

#[test]
fn plain_openssl_verifies_every_stamp() {
    let tsa = Tsa::good();
    let stamp = tsa.stamp(&THE_CASE.batches[0].batch.head.0);
    let mut case = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    THE_CASE.batches.iter().for_each(|batch| case.batch(batch).unwrap());
    case.stamp(1, &THE_CASE.batches[0].batch.head, &stamp).unwrap();
    let mut files = unzip(&case.finish(&THE_CASE.key).unwrap().into_inner());
    for (file, name) in [(BundleFile::StampedHead(1), "1.head"), (BundleFile::Stamp(1), "1.tsr")] {
        std::fs::write(tsa.path().join(name), bytes_of(&mut files, file)).unwrap();
    }
    tsa.openssl("ts -verify -data 1.head -in 1.tsr -CAfile ca.pem");
}

#[test]
fn missing_stamps_are_said_and_failed_only_if_they_are_required() {
    let mut writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
    THE_CASE
        .events
        .iter()
        .filter(|event| event.number % 20 == 0)
        .for_each(|event| writer.event(event).unwrap());
    THE_CASE
        .proofs
        .iter()
        .filter(|proof| proof.number % 20 == 0)
        .for_each(|proof| writer.proof(proof).unwrap());
    THE_CASE.batches.iter().for_each(|batch| writer.batch(batch).unwrap());
    let (no, stamp) = &THE_CASE.stamps[0];
    writer.stamp(*no, &THE_CASE.batches[0].batch.head, stamp).unwrap();
    let bundle = writer.finish(&THE_CASE.key).unwrap().into_inner();
    let report = verdict(&bundle);
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!((report.stamps.len(), report.unstamped_events), (1, 4));
    let trust = Trust { require_stamps: true, ..Trust::default() };
    assert_eq!(codes(&verify_with(Cursor::new(&bundle), trust, |_| {})), ["evidence.stamp-missing"]);
    assert!(verify_with(Cursor::new(&*BUNDLE), trust, |_| {}).ok);
}

#[test]
fn a_stamp_of_another_authority_or_over_another_head_is_wrong() {
    let stranger = Tsa::good().authorities();
    let trust = Trust { authorities: Some(&stranger), ..Trust::default() };
    let report = verify_with(Cursor::new(&*BUNDLE), trust, |_| {});
    assert_eq!(codes(&report), ["evidence.stamp-wrong"; 2]);
    assert!(report.findings[0].message.contains("timestamp.untrusted") && !report.stamps_trusted);
    assert_eq!(report.unstamped_events, 50, "what a wrong stamp covers is not proven");

    let mut swapped = entries();
    let first = bytes_of(&mut swapped, BundleFile::Stamp(1)).clone();
    *bytes_of(&mut swapped, BundleFile::Stamp(3)) = first;
    let report = verdict_on(&swapped);
    assert_eq!(codes(&report), ["evidence.stamp-wrong"]);
    assert_eq!(
        (report.findings[0].place.file, report.findings[0].place.batch),
        (Some(BundleFile::Stamp(3)), Some(3))
    );
    assert_eq!((report.stamps.len(), report.unstamped_events), (1, 32));
}

#[test]
fn content_that_the_gateway_lost_is_named_by_its_first_lost_chunk() {
    use std::io::Write;
    let bundle = |keep: Option<usize>, why: Absence| {
        let case = &*THE_CASE;
        let mut writer = BundleWriter::new(Cursor::new(Vec::new()), TENANT, CASE, 0).unwrap();
        case.events.iter().for_each(|event| writer.event(event).unwrap());
        case.proofs.iter().for_each(|proof| writer.proof(proof).unwrap());
        case.batches.iter().for_each(|batch| writer.batch(batch).unwrap());
        if let Some(keep) = keep {
            writer.payload(&case.large.info, case.large.chunks.iter().copied()).unwrap();
            let mut content = writer.content(LARGE).unwrap();
            content.write_all(&large_content()[..keep]).unwrap();
            content.break_off().unwrap();
        } else {
            writer.absent(LARGE, why).unwrap();
        }
        writer.payload(&case.small.info, case.small.chunks.iter().copied()).unwrap();
        writer.absent(SMALL, Absence::Erased).unwrap();
        writer.finish(&case.key).unwrap().into_inner()
    };
    for (keep, chunk) in [(0, 0), (3 * 65_536, 3), (999_999, 15)] {
        let report = verdict(&bundle(Some(keep), Absence::Lost));
        assert_eq!(codes(&report), ["evidence.content-lost"]);
        assert_eq!(report.findings[0].place.chunk, Some(chunk));
        assert_eq!(report.erased_payloads, [SMALL]);
    }
    let report = verdict(&bundle(None, Absence::Lost));
    assert_eq!(codes(&report), ["evidence.content-lost"; 2]);
    assert_eq!(report.findings[0].place.event, Some(4));
    // "Erased" is no excuse for digests that are not there: those outlive the content.
    assert_eq!(codes(&verdict(&bundle(None, Absence::Erased))), ["evidence.payload-missing"; 2]);
}
