//! Containers that must be refused, each with exactly its rule.

use xoev::container::Limits;

use crate::containers::{named, open, with, xml};
use crate::zip::{Entry, build, with_zip64_end};

/// What it is, its bytes, and the rules that refuse it: nearly always one.
type Case = (&'static str, Vec<u8>, &'static str);

fn plain() -> Vec<u8> {
    build(&[xml(), Entry::stored("a.pdf", b"content")])
}

/// A sound container with bytes at a place changed.
fn changed(at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = plain();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// The same, counted from the beginning of the end record.
fn changed_end(at: usize, to: &[u8]) -> Vec<u8> {
    changed(plain().len() - 22 + at, to)
}

fn last(signature: &[u8]) -> usize {
    plain().windows(4).rposition(|window| window == signature).unwrap()
}

fn broken() -> Vec<Case> {
    let plain = plain();
    let more = u16::try_from(plain.len()).unwrap();
    let directory_size = u16::from_le_bytes(plain[plain.len() - 10..][..2].try_into().unwrap());
    vec![
        ("nothing but the beginning", plain[..20].to_vec(), "container.broken"),
        ("cut in the middle", plain[..plain.len() / 2].to_vec(), "container.broken"),
        ("cut before the end record", plain[..plain.len() - 22].to_vec(), "container.broken"),
        ("the last byte is missing", plain[..plain.len() - 1].to_vec(), "container.broken"),
        ("directory at a wrong place", changed_end(16, &more.to_le_bytes()), "container.broken"),
        ("directory at the beginning", changed_end(16, &[0, 0, 0, 0]), "container.broken"),
        ("directory at 4 GB", changed_end(16, &[0xff, 0xff, 0xff, 0xfe]), "container.broken"),
        (
            "larger directory than there is",
            changed_end(12, &(directory_size + 1).to_le_bytes()),
            "container.broken",
        ),
        (
            "smaller directory than there is",
            changed_end(12, &(directory_size - 1).to_le_bytes()),
            "container.broken",
        ),
        ("fewer entries than declared", changed_end(8, &[1, 0, 1, 0]), "container.broken"),
        ("more entries than declared", changed_end(8, &[9, 0, 9, 0]), "container.broken"),
        ("comment longer than the file", changed_end(20, &[9, 0]), "container.broken"),
        ("damaged central directory", changed(last(b"PK\x01\x02"), b"XX"), "container.broken"),
        ("damaged local header", changed(last(b"PK\x03\x04"), b"XX"), "container.broken"),
        (
            "name longer than the directory",
            changed(last(b"PK\x01\x02") + 28, &[0xff, 0xff]),
            "container.broken",
        ),
        (
            "local header beyond the file",
            with(Entry { offset: Some(1 << 30), ..Entry::stored("a", b"x") }),
            "container.broken",
        ),
        (
            "data beyond any file",
            with(Entry::deflated("a", b"x").both(|h| (h.zip64, h.compressed) = (true, u64::MAX))),
            "container.broken",
        ),
    ]
}

fn several_disks_and_zip64() -> Vec<Case> {
    let zip64 = with_zip64_end(plain(), 2);
    let record = zip64.windows(4).rposition(|window| window == b"PK\x06\x06").unwrap();
    let in_zip64 = |at: usize, to: u8| {
        let mut bytes = zip64.clone();
        bytes[record + at] = to;
        bytes
    };
    let mut also_short = zip64.clone();
    let end = also_short.len() - 22;
    also_short[end + 10..end + 12].copy_from_slice(&[1, 0]);
    vec![
        ("second of two disks", changed_end(4, &[1, 0]), "container.several-disks"),
        ("directory on another disk", changed_end(6, &[1, 0]), "container.several-disks"),
        ("entries on other disks", changed_end(8, &[1, 0]), "container.several-disks"),
        ("second of two disks, ZIP64", in_zip64(16, 1), "container.several-disks"),
        ("entries on other disks, ZIP64", in_zip64(24, 1), "container.several-disks"),
        ("ZIP64 with a wrong count", with_zip64_end(plain(), 1 << 40), "container.broken"),
        ("ZIP64 with another size of the directory", in_zip64(40, 1), "container.broken"),
        ("ZIP64 with another place of the directory", in_zip64(48, 1), "container.broken"),
        ("ZIP64 with another length", in_zip64(4, 45), "container.broken"),
        ("ZIP64 record that is damaged", in_zip64(0, b'X'), "container.broken"),
        ("two counts of entries", also_short, "container.broken"),
    ]
}

fn hidden_bytes() -> Vec<Case> {
    let plain = plain();
    let mut in_comment = plain.clone();
    let end = in_comment.len() - 22;
    let other = build(&[Entry::stored("evil.sh", b"x")]);
    in_comment[end + 20..end + 22].copy_from_slice(&u16::try_from(other.len()).unwrap().to_le_bytes());
    in_comment.extend(&other);
    let mut hidden = Entry::stored("a", b"x");
    hidden.data.extend(b"PK\x03\x04 something that no directory names");
    vec![
        ("bytes in front", [&b"#!/bin/sh\n"[..], &plain].concat(), "container.extra-data"),
        ("bytes behind", [&plain[..], b"tail"].concat(), "container.extra-data"),
        ("two containers in a row", [&plain[..], &plain].concat(), "container.broken"),
        ("a container in the comment", in_comment, "container.extra-data"),
        ("hidden entry", build(&[xml(), hidden]), "container.extra-data"),
        (
            "a data descriptor that is missing",
            with(Entry::deflated("a", b"x").both(|h| h.flags |= 8)),
            "container.extra-data",
        ),
        (
            "a data descriptor that is not declared",
            with(described(|_| {}).both(|h| h.flags &= !8)),
            "container.extra-data",
        ),
    ]
}

fn names() -> Vec<Case> {
    let name = |label, bytes: &[u8], rule| (label, named(bytes), rule);
    let mut cases = vec![
        name("absolute path", b"/etc/passwd", "container.path"),
        name("path upwards", b"../../etc/passwd", "container.path"),
        name("path upwards within", b"a/../../b", "container.path"),
        name("path upwards with backslashes", b"..\\..\\boot.ini", "container.path"),
        name("drive letter", b"C:boot.ini", "container.path"),
        name("drive letter and path", b"c:\\boot.ini", "container.path"),
        name("network share", b"\\\\host\\share", "container.path"),
        name("folder", b"folder/", "container.folder"),
        name("file in a folder", b"folder/a.pdf", "container.folder"),
        name("NUL", b"a.pdf\0.exe", "container.name"),
        name("control character", b"a\x1b[31m.pdf", "container.name"),
        name("line end", b"a\n.pdf", "container.name"),
        name("reserved device", b"AUX.pdf", "container.name"),
        name("reserved device with a number", b"com1", "container.name"),
        name("empty name", b"", "container.name"),
        name("dot at the end", b"a.pdf.", "container.name"),
        name("blank at the end", b"a.pdf ", "container.name"),
        name("long name", &[b'a'; 256], "container.name"),
        name("longest name", &[b'a'; 65_535], "container.name"),
        name("alternate stream", b"a.pdf:stream", "container.name"),
        name("wildcard", b"*.pdf", "container.name"),
    ];
    let utf8 = |name: &str| Entry::stored(name, b"").both(|h| h.flags |= 0x800);
    cases.extend([
        ("other reading direction", with(utf8("Plan\u{202e}fdp.exe")), "container.name"),
        ("isolated reading direction", with(utf8("Plan\u{2067}fdp.exe")), "container.name"),
        ("byte order mark", with(utf8("\u{feff}a.pdf")), "container.name"),
        (
            "not UTF-8",
            with(Entry::stored(&b"\xff\xfe.pdf"[..], b"").both(|h| h.flags |= 0x800)),
            "container.name-encoding",
        ),
        ("the same name", build(&[xml(), xml()]), "container.duplicate-name"),
        (
            "the same name in capitals",
            build(&[xml(), Entry::stored("X_0401_1.XML", b"")]),
            "container.duplicate-name",
        ),
        (
            "the same name in capitals, beyond ASCII",
            build(&[utf8("ä.pdf"), utf8("Ä.PDF")]),
            "container.duplicate-name",
        ),
        (
            "names that differ by composition",
            build(&[utf8("Pr\u{fc}f"), utf8("PRu\u{308}f")]),
            "container.duplicate-name",
        ),
    ]);
    cases
}

fn special_files() -> Vec<Case> {
    let kind = |label, attributes: u32| {
        (label, with(Entry { attributes, ..Entry::stored("a", b"x") }), "container.special-file")
    };
    let both = |label, rule, flags: u16, method: u16| {
        let entry = Entry::stored("a", b"x").both(|h| (h.flags, h.method) = (h.flags | flags, method));
        (label, with(entry), rule)
    };
    vec![
        kind("symbolic link", 0o120_777 << 16),
        kind("character device", 0o020_666 << 16),
        kind("block device", 0o060_666 << 16),
        kind("pipe", 0o010_666 << 16),
        kind("socket", 0o140_666 << 16),
        kind("folder by its mode", 0o040_755 << 16),
        kind("folder by attribute", 0x10),
        both("encrypted as of old", "container.encrypted", 1, 0),
        both("encrypted with AES", "container.encrypted", 1, 99),
        both("strongly encrypted", "container.encrypted", 0x41, 0),
        both("masked headers", "container.encrypted", 0x2000, 0),
        both("shrunk", "container.method", 0, 1),
        both("imploded", "container.method", 0, 6),
        both("deflate64", "container.method", 0, 9),
        both("bzip2", "container.method", 0, 12),
        both("LZMA", "container.method", 0, 14),
        both("Zstandard", "container.method", 0, 93),
        both("AES without encryption", "container.method", 0, 99),
    ]
}

/// The extra field 0x7075 with another name.
fn unicode_path() -> Vec<u8> {
    let name = b"../../evil.sh";
    let mut field = 0x7075_u16.to_le_bytes().to_vec();
    field.extend((5 + name.len() as u16).to_le_bytes());
    field.push(1);
    field.extend(rawzip::crc32(b"a").to_le_bytes());
    field.extend(name);
    field
}

/// An entry with a data descriptor, which is changed.
fn described(change: impl Fn(&mut Vec<u8>)) -> Entry {
    let mut entry = Entry::deflated("a", b"content").both(|h| h.flags |= 8);
    let header = entry.central.clone();
    entry.descriptor.extend(b"PK\x07\x08");
    entry.descriptor.extend(header.crc.to_le_bytes());
    entry.descriptor.extend((header.compressed as u32).to_le_bytes());
    entry.descriptor.extend((header.size as u32).to_le_bytes());
    change(&mut entry.descriptor);
    entry
}

fn contradictions() -> Vec<Case> {
    let local = |label, change: fn(&mut crate::zip::Header)| {
        (label, with(Entry::deflated("a", b"x").local(change)), "container.header-mismatch")
    };
    let lying =
        |label, at: usize| (label, with(described(|bytes| bytes[at] ^= 1)), "container.header-mismatch");
    let stored = Entry::stored("a", b"x");
    vec![
        local("other name in the local header", |h| h.name = b"b".to_vec()),
        local("other size in the local header", |h| h.size = 2),
        local("other method in the local header", |h| h.method = 0),
        local("other checksum in the local header", |h| h.crc ^= 1),
        local("encryption only in the local header", |h| h.flags |= 1),
        local("UTF-8 only in the local header", |h| h.flags |= 0x800),
        local("other name in an extra field of the local header", |h| h.extra = unicode_path()),
        (
            "other name in an extra field of the directory",
            with(stored.clone().central(|h| h.extra = unicode_path())),
            "container.header-mismatch",
        ),
        ("stored with two sizes", with(stored.both(|h| h.size = 9)), "container.header-mismatch"),
        (
            "other size before a data descriptor",
            with(described(|_| {}).local(|h| h.size = 2)),
            "container.header-mismatch",
        ),
        lying("data descriptor with another checksum", 4),
        lying("data descriptor with another compressed size", 8),
        lying("data descriptor with another size", 12),
        lying("data descriptor with another signature", 0),
    ]
}

/// Every entry claims the data of the one kernel, as in the bombs of David Fifield.
fn overlapping() -> Vec<u8> {
    let kernel = Entry::deflated("a", &vec![0; 100_000]);
    let mut entries = vec![kernel.clone()];
    for index in 0..50 {
        let entry = kernel.clone().central(|h| h.name = format!("f{index}").into());
        entries.push(Entry { offset: Some(0), ..entry });
    }
    build(&entries)
}

/// An entry that is also the content of another, as in archives that contain themselves.
fn within_another() -> Vec<u8> {
    let inner = build(&[Entry::stored("b", b"x")]);
    let outer = Entry::stored("a", &inner);
    let mut second = Entry::stored("b", b"x");
    second.offset = Some(31);
    let mut file = build(&[outer, second.clone()]);
    // Only the directory knows the second one.
    let at = 31 + inner.len();
    file.drain(at..at + 32);
    let end = file.len() - 22;
    let place = u32::from_le_bytes(file[end + 16..end + 20].try_into().unwrap()) - 32;
    file[end + 16..end + 20].copy_from_slice(&place.to_le_bytes());
    file
}

fn bombs() -> Vec<Case> {
    let claims = |label, size: u64, rule| {
        (label, with(Entry::deflated("a", b"x").both(move |h| (h.zip64, h.size) = (true, size))), rule)
    };
    let zeros = Entry::deflated("a", &vec![0; 1 << 20]);
    let many = (0..100).map(|n| zeros.clone().both(|h| h.name = format!("{n}").into()));
    let many: Vec<Entry> = many.collect();
    vec![
        ("bomb", with(Entry::deflated("a", &vec![0; 8 << 20])), "container.ratio"),
        ("bomb of many files that are small each", build(&many), "container.ratio"),
        claims("claims 3 GB", 3 << 30, "container.ratio"),
        claims("claims 4 GB", u64::from(u32::MAX), "container.ratio, container.too-large, container.ratio"),
        (
            "overlapping bomb",
            overlapping(),
            "container.header-mismatch, container.ratio, container.overlap, container.extra-data",
        ),
        ("entry within an entry", within_another(), "container.overlap, container.extra-data"),
        (
            "the same data for two names",
            build(&[
                Entry::stored("a", b"x"),
                Entry { offset: Some(0), ..Entry::stored("a", b"x") }.central(|h| h.name = b"b".to_vec()),
            ]),
            "container.header-mismatch, container.overlap, container.extra-data",
        ),
        (
            "data beyond the directory",
            with(Entry::deflated("a", b"x").both(|h| h.compressed = 100)),
            "container.overlap",
        ),
    ]
}

#[test]
fn hostile_containers_are_refused_with_exactly_their_rule() {
    let groups = [
        broken(),
        several_disks_and_zip64(),
        hidden_bytes(),
        names(),
        special_files(),
        contradictions(),
        bombs(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut wrong = Vec::new();
    for (label, bytes, expected) in &cases {
        let (mut rules, container) = open(bytes, Limits::default());
        rules.dedup();
        if rules.join(", ") != *expected || container.is_some() {
            wrong.push(format!("{label}: expected {expected}, found {rules:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_too_large_in_every_way_is_named_in_every_way() {
    for size in [5_u64 << 30, u64::MAX] {
        let bytes = with(Entry::deflated("a", b"x").both(move |h| (h.zip64, h.size) = (true, size)));
        let expected = ["container.ratio", "container.too-large", "container.ratio"];
        assert_eq!(open(&bytes, Limits::default()).0, expected);
    }
}
