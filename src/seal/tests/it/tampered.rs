//! Changed bundles: the finding names the place.

use std::io::Cursor;

use proptest::prelude::*;
use seal::{
    bundle::{BundleFile, Report, verify},
    evidence_key::{EvidenceKey, EvidencePublicKey},
    payload::CHUNK,
};

use crate::fixture::{
    BUNDLE, LARGE, LARGE_SIZE, SMALL, THE_CASE, bytes_of, codes, entries, lines_of, verdict_on, zip,
};

const EVENTS: BundleFile = BundleFile::Events;
const PROOFS: BundleFile = BundleFile::Proofs;
const BATCHES: BundleFile = BundleFile::Batches;

/// Changes one byte of a file; returns the verdict and the line that the byte was in.
fn flip(file: BundleFile, at: prop::sample::Index, mask: u8) -> (Report, u64) {
    let mut entries = entries();
    let bytes = bytes_of(&mut entries, file);
    let at = at.index(bytes.len());
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
    bytes[at] ^= mask;
    (verdict_on(&entries), line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_changed_byte_of_a_record_is_named_by_file_and_line(
        file in prop::sample::select(&[EVENTS, PROOFS, BATCHES]), at: prop::sample::Index, mask in 1u8..,
    ) {
        let (report, line) = flip(file, at, mask);
        prop_assert!(!report.ok);
        let place = report.findings[0].place;
        prop_assert_eq!((place.file, place.line), (Some(file), Some(line)), "{:?}", report.findings);
        prop_assert!(report.findings.iter().all(|finding| finding.place.file == Some(file)), "{:?}", report.findings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_changed_byte_of_content_is_named_by_chunk(at in 0..LARGE_SIZE, mask in 1u8..) {
        let mut entries = entries();
        bytes_of(&mut entries, BundleFile::PayloadContent(LARGE))[at] ^= mask;
        let report = verdict_on(&entries);
        prop_assert_eq!(codes(&report), ["evidence.chunk-changed"]);
        let (place, chunk) = (report.findings[0].place, (at / CHUNK) as u64);
        prop_assert_eq!((place.chunk, place.offset), (Some(chunk), Some(chunk * CHUNK as u64)));
    }

    #[test]
    fn a_changed_byte_of_a_digest_list_is_named(id in prop::sample::select(&[LARGE, SMALL]), at: prop::sample::Index, mask in 1u8..) {
        let file = BundleFile::PayloadInfo(id);
        let (report, line) = flip(file, at, mask);
        prop_assert!(!report.ok);
        let place = report.findings[0].place;
        prop_assert_eq!(place.file, Some(file), "{:?}", report.findings);
        // Where the content is at hand, the wrong digest can be told from the right ones.
        if id == LARGE && line > 1 {
            prop_assert_eq!(place.line, Some(line), "{:?}", report.findings);
        }
    }

    #[test]
    fn a_changed_byte_of_the_manifest_breaks_it(
        file in prop::sample::select(&[BundleFile::Manifest, BundleFile::Signature]), at: prop::sample::Index, mask in 1u8..,
    ) {
        let (report, _) = flip(file, at, mask);
        prop_assert!(!report.ok);
        let first = report.findings[0].code;
        prop_assert!(["evidence.manifest-invalid", "evidence.manifest-signature"].contains(&first), "{}", first);
    }
}

/// Applies a change to the lines of a file.
fn with_lines(file: BundleFile, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Report {
    let mut entries = entries();
    let bytes = bytes_of(&mut entries, file);
    let mut lines = lines_of(bytes);
    change(&mut lines);
    *bytes = lines.concat();
    verdict_on(&entries)
}

#[test]
fn a_cut_tail_is_named() {
    for (file, lines) in [(EVENTS, 50), (PROOFS, 50), (BATCHES, 3)] {
        for cut in [1, 2, lines] {
            let report = with_lines(file, |all| all.truncate(lines - cut));
            let finding = report.findings.iter().find(|finding| finding.code == "evidence.tail-cut").unwrap();
            assert_eq!(finding.place.file, Some(file));
            assert_eq!(finding.place.line, Some((lines - cut + 1) as u64));
        }
    }
}

#[test]
fn a_lost_line_is_named() {
    for (file, line, code) in [
        (EVENTS, 7, "evidence.event-missing"),
        (PROOFS, 7, "evidence.proof-missing"),
        (BATCHES, 2, "evidence.batch-gap"),
    ] {
        let report = with_lines(file, |lines| drop(lines.remove(line - 1)));
        let first = &report.findings[0];
        assert_eq!((first.code, first.place.file, first.place.line), (code, Some(file), Some(line as u64)));
        assert!(codes(&report).contains(&"evidence.tail-cut"), "{:?}", report.findings);
    }
}

#[test]
fn swapped_lines_are_named() {
    for (file, line) in [(EVENTS, 7), (PROOFS, 7), (BATCHES, 1)] {
        let report = with_lines(file, |lines| lines.swap(line - 1, line));
        let place = report.findings[0].place;
        assert_eq!((place.file, place.line), (Some(file), Some(line as u64)), "{:?}", report.findings);
    }
}

#[test]
fn doubled_and_added_lines_are_named() {
    for (file, line) in [(EVENTS, 7), (PROOFS, 7), (BATCHES, 2)] {
        let report = with_lines(file, |lines| lines.insert(line, lines[line - 1].clone()));
        let place = report.findings[0].place;
        assert_eq!((place.file, place.line), (Some(file), Some(line as u64 + 1)), "{:?}", report.findings);
        assert!(codes(&report).contains(&"evidence.count-differs"));
    }
}

#[test]
fn content_exchanged_between_two_events_is_named() {
    let report = with_lines(EVENTS, |lines| {
        let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
        let (sixth, seventh) = (text(&lines[5]), text(&lines[6]));
        let event = |line: &str| line.split_once(",\"eventId\"").unwrap().0.to_owned();
        lines[5] = sixth.replace(&event(&sixth), &event(&seventh)).into_bytes();
    });
    assert_eq!(codes(&report), ["evidence.event-changed"]);
    assert_eq!((report.findings[0].place.line, report.findings[0].place.event), (Some(6), Some(12)));
}

#[test]
fn a_missing_file_is_named() {
    for (name, _) in entries() {
        let mut entries = entries();
        entries.retain(|(other, _)| *other != name);
        let report = verdict_on(&entries);
        let first = &report.findings[0];
        assert_eq!(first.code, "evidence.file-missing", "{name}: {:?}", report.findings);
        assert_eq!(first.place.file, BundleFile::parse(&name));
    }
}

#[test]
fn an_added_file_is_named() {
    let mut with_payload = entries();
    with_payload.push(("payloads/00000000-0000-0000-0000-00000000000b.bin".to_owned(), vec![7; 70_000]));
    let mut with_stranger = entries();
    with_stranger.push(("../../etc/passwd".to_owned(), b"x".to_vec()));
    for entries in [with_payload, with_stranger] {
        assert_eq!(codes(&verdict_on(&entries)), ["evidence.file-extra"]);
    }
}

#[test]
fn lost_and_added_content_is_named_by_chunk() {
    for (change, chunk) in [
        ((|content| content.truncate(3 * CHUNK)) as fn(&mut Vec<u8>), 3),
        (|content| content.truncate(3 * CHUNK + 1), 3),
        (|content| content.clear(), 0),
        (|content| content.push(1), (LARGE_SIZE / CHUNK) as u64),
        (|content| content.extend([1; CHUNK]), (LARGE_SIZE / CHUNK) as u64),
        (|content| content.truncate(LARGE_SIZE - 1), (LARGE_SIZE / CHUNK) as u64),
        (|content| content[..2 * CHUNK].rotate_left(CHUNK), 0),
    ] {
        let mut entries = entries();
        change(bytes_of(&mut entries, BundleFile::PayloadContent(LARGE)));
        let report = verdict_on(&entries);
        assert_eq!(codes(&report), ["evidence.chunk-changed"], "{chunk}");
        assert_eq!(report.findings[0].place.chunk, Some(chunk));
    }
}

/// The same case, exported and signed by somebody else.
fn forged() -> Vec<u8> {
    let mut entries = entries();
    let key = EvidenceKey::random().unwrap();
    let pem = |key: &EvidencePublicKey| key.to_pem().unwrap().replace('\n', "\\n");
    let manifest = bytes_of(&mut entries, BundleFile::Manifest);
    let text = String::from_utf8(manifest.clone()).unwrap();
    *manifest = text.replace(&pem(&THE_CASE.public()), &pem(&key.public().unwrap())).into_bytes();
    let signature = key.sign(manifest).unwrap();
    *bytes_of(&mut entries, BundleFile::Signature) = signature.0;
    zip(&entries)
}

#[test]
fn a_manifest_signed_by_somebody_else_is_found() {
    let report = verify(Cursor::new(forged()), Some(&THE_CASE.public()), |_| {});
    assert!(!report.ok && !report.key_trusted);
    assert_eq!(codes(&report)[..2], ["evidence.key-untrusted", "evidence.batch-signature"]);
    assert!(!verify(Cursor::new(forged()), None, |_| {}).ok);
}

#[test]
fn a_whole_bundle_of_another_key_is_not_trusted() {
    let other = EvidenceKey::random().unwrap().public().unwrap();
    let report = verify(Cursor::new(&*BUNDLE), Some(&other), |_| {});
    assert_eq!(codes(&report), ["evidence.key-untrusted"]);
}

#[test]
fn changes_signed_anew_by_the_exporter_are_still_found_in_the_chain() {
    // The exporter's own key signs the manifest, but the batches were sealed (and published) before.
    let mut entries = entries();
    let events = bytes_of(&mut entries, EVENTS);
    let text = String::from_utf8(events.clone()).unwrap();
    *events = text.replacen("documentAdded", "documentMoved", 1).into_bytes();
    let digest = seal::sha256(&[events]);
    let manifest = bytes_of(&mut entries, BundleFile::Manifest);
    let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    value["files"]["events.jsonl"]["sha256"] = digest.to_string().into();
    *manifest = value.to_string().into_bytes();
    let signature = THE_CASE.key.sign(manifest).unwrap();
    *bytes_of(&mut entries, BundleFile::Signature) = signature.0;
    let report = verdict_on(&entries);
    assert_eq!(codes(&report), ["evidence.event-changed"]);
    assert_eq!(report.findings[0].place.line, Some(1));
}

#[test]
fn findings_are_limited_and_counted() {
    let report = with_lines(EVENTS, |lines| lines.extend((0..1000).map(|_| b"{}\n".to_vec())));
    assert_eq!(report.findings.len(), 200);
    assert!(report.more_findings >= 800 && !report.ok);
}
