//! Files that never were bundles.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use seal::bundle::{BundleFile, MAX_LINE};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::fixture::{BUNDLE, Entries, bytes_of, codes, entries, verdict, verdict_on, zip};

fn small() -> Vec<u8> {
    let mut entries = entries();
    entries.retain(|(name, _)| !name.ends_with(".bin"));
    zip(&entries)
}

/// The position of the end record's first byte.
fn end_record(bytes: &[u8]) -> usize {
    bytes.len() - 22
}

#[test]
fn what_is_no_zip_is_no_bundle() {
    let junk = vec![b'x'; 100_000];
    for bytes in [&b""[..], b"PK", &junk, &BUNDLE[..BUNDLE.len() - 1], &BUNDLE[..1000]] {
        assert_eq!(codes(&verdict(bytes)), ["evidence.not-a-bundle"]);
    }
}

#[test]
fn compressed_entries_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file("events.jsonl", options).unwrap();
    zip.write_all(&[b'0'; 10_000_000]).unwrap();
    assert_eq!(codes(&verdict(&zip.finish().unwrap().into_inner())), ["evidence.not-a-bundle"]);
}

#[test]
fn an_entry_that_comes_twice_is_refused() {
    // The same length, so that only the two headers' names need to change.
    let mut entries = entries();
    entries.push(("events.jsonX".to_owned(), b"{}\n".to_vec()));
    let mut bytes = zip(&entries);
    for at in 0..bytes.len() - 12 {
        if &bytes[at..at + 12] == b"events.jsonX" {
            bytes[at + 11] = b'l';
        }
    }
    assert_eq!(codes(&verdict(&bytes)), ["evidence.not-a-bundle"]);
}

#[test]
fn a_false_count_or_place_of_the_directory_is_refused() {
    for (offset, value) in [(10, 0xff), (10, 0), (12, 0xff), (16, 0xff), (20, 1)] {
        let mut bytes = BUNDLE.clone();
        let at = end_record(&bytes) + offset;
        bytes[at] = value;
        let found = codes(&verdict(&bytes));
        assert!(["evidence.not-a-bundle", "evidence.unreadable"].contains(&found[0]), "{offset}: {found:?}");
    }
}

/// The bundle with a ZIP64 end record that says `entries`, as ZIP has it from 65,535 entries on.
fn with_zip64_end(entries: u64) -> Vec<u8> {
    let mut bytes = BUNDLE.clone();
    let end = end_record(&bytes);
    let mut tail = bytes.split_off(end);
    let narrow = |at: usize| u64::from(u32::from_le_bytes(tail[at..at + 4].try_into().unwrap()));
    let mut record = b"PK\x06\x06".to_vec();
    record.resize(32, 0);
    [entries, narrow(12), narrow(16)].iter().for_each(|value| record.extend(value.to_le_bytes()));
    let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
    locator.extend((end as u64).to_le_bytes());
    locator.extend([1, 0, 0, 0]);
    tail[10..12].fill(0xff);
    [bytes, record, locator, tail].concat()
}

#[test]
fn a_zip64_count_of_billions_is_refused_before_it_is_believed() {
    assert!(verdict(&with_zip64_end(12)).ok);
    for entries in [100_001, u64::MAX] {
        assert_eq!(verdict(&with_zip64_end(entries)).findings[0].message, "it has too many entries");
    }
}

#[test]
fn overlapping_entries_are_refused() {
    // Both directory entries point to the same, long content.
    let content = vec![b'x'; 10_000];
    let name = |n: u8| format!("payloads/00000000-0000-0000-0000-0000000000{n:02x}.bin");
    let entries: Entries = vec![(name(1), content), (name(2), b"y".to_vec())];
    let bytes = zip(&entries);
    let directory = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let second =
        directory + 4 + bytes[directory + 4..].windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let mut forged = bytes.clone();
    forged[second + 20..second + 28].copy_from_slice(&bytes[directory + 20..directory + 28]);
    assert_eq!(codes(&verdict(&forged)), ["evidence.not-a-bundle"]);
}

#[test]
fn endless_lines_and_deep_nesting_are_refused() {
    let long = vec![b'7'; 3 * MAX_LINE];
    let deep = [vec![b'['; 500_000], b"\n".to_vec()].concat();
    for content in [long, deep] {
        for file in [BundleFile::Events, BundleFile::Proofs, BundleFile::Batches] {
            let mut entries = entries();
            *bytes_of(&mut entries, file) = content.clone();
            let report = verdict_on(&entries);
            let first = &report.findings[0];
            assert_eq!((first.code, first.place.line), ("evidence.line-invalid", Some(1)));
        }
    }
}

#[test]
fn a_manifest_of_another_kind_is_refused() {
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("amtsbote-evidence", "something-else"),
        ("\"events.jsonl\":", "\"manifest.sig\":"),
        ("\"tenant\":", "\"unknown\":1,\"tenant\":"),
        ("BEGIN PUBLIC KEY", "BEGIN SECRET KEY"),
    ] {
        let mut entries = entries();
        let manifest = bytes_of(&mut entries, BundleFile::Manifest);
        *manifest = String::from_utf8(manifest.clone()).unwrap().replace(from, to).into_bytes();
        assert_eq!(codes(&verdict_on(&entries)), ["evidence.manifest-invalid"], "{from}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_change_of_the_zip_itself_brings_the_verifier_down(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), from_end in any::<bool>(),
    ) {
        let mut bytes = small();
        // Half of the changes hit the directory, which is most of what there is to parse.
        let base = if from_end { bytes.len() - 700 } else { 0 };
        for (at, value) in changes {
            let at = base + at.index(bytes.len() - base);
            bytes[at] = value;
        }
        verdict(&bytes);
    }

    #[test]
    fn a_cut_file_is_never_ok(length in any::<prop::sample::Index>()) {
        let bytes = small();
        prop_assert!(!verdict(&bytes[..length.index(bytes.len())]).ok);
    }
}
