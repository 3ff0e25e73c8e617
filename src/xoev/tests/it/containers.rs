//! Containers that must be refused, each with its finding, and containers that must be taken.

use std::io::{Cursor, Read};
use std::process::Command;

use model::Report;
use proptest::prelude::*;
use xoev::container::{Container, ContainerWriter, Limits};

use crate::zip::{Entry, build, end, with_zip64_end};

/// What opening says: rules in the order met, and whether the container may be used.
fn open(bytes: &[u8], limits: Limits) -> (Vec<String>, Option<Container>) {
    let mut report = Report::default();
    let container = Container::open(&mut Cursor::new(bytes.to_vec()), &limits, &mut report).unwrap();
    assert_eq!(container.is_some(), report.is_acceptable(), "{report:?}");
    (report.findings.into_iter().map(|finding| finding.rule).collect(), container)
}

fn read(bytes: &[u8], name: &str) -> std::io::Result<Vec<u8>> {
    let (rules, container) = open(bytes, Limits::default());
    let container = container.unwrap_or_else(|| panic!("refused: {rules:?}"));
    let index = container.find(name).expect("the entry is there");
    let mut content = Vec::new();
    container.read(&mut Cursor::new(bytes.to_vec()), index)?.read_to_end(&mut content)?;
    Ok(content)
}

fn xml() -> Entry {
    Entry::deflated("x_0401_1.xml", b"<a/>")
}

fn with(entry: Entry) -> Vec<u8> {
    build(&[xml(), entry])
}

fn named(name: &[u8]) -> Vec<u8> {
    with(Entry::stored(name, b"content"))
}

/// Every entry claims the data of the one kernel, as in the bombs of David Fifield.
fn overlapping() -> Vec<u8> {
    let kernel = Entry::deflated("a", &vec![0; 500_000]);
    let mut entries = vec![kernel.clone()];
    for index in 0..50 {
        let mut entry = kernel.clone().central(|header| header.name = format!("f{index}").into());
        entry.offset = Some(0);
        entries.push(entry);
    }
    build(&entries)
}

fn quoted() -> Vec<u8> {
    let inner = build(&[Entry::stored("b", b"x")]);
    let outer = Entry::stored("a", &inner);
    let mut second = Entry::stored("b", b"x");
    second.offset = Some(31);
    second.data.clear();
    build(&[outer, second])
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

#[test]
fn malformed_containers_are_refused_with_their_finding() {
    let plain = build(&[xml(), Entry::stored("a.pdf", b"content")]);
    let descriptor = |entry: Entry| entry.both(|h| h.flags |= 8);
    let symlink = Entry { attributes: 0o120_777 << 16, ..Entry::stored("a", b"/etc/passwd") };
    let device = Entry { attributes: 0o020_666 << 16, ..Entry::stored("a", b"") };
    let folder = Entry { attributes: 0x10, ..Entry::stored("a", b"") };
    let mut changed_offset = plain.clone();
    let at = changed_offset.len() - 6;
    changed_offset[at] ^= 0x40;
    let mut no_central = plain.clone();
    let at = no_central.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    no_central[at] = b'X';
    let mut no_local = plain.clone();
    let at = no_local.windows(4).rposition(|w| w == b"PK\x03\x04").unwrap();
    no_local[at] = b'X';
    let mut miscounted = plain.clone();
    let at = miscounted.len() - 12;
    miscounted[at] = 1;
    let mut in_front = b"#!/bin/sh\n".to_vec();
    in_front.extend(&plain);
    let mut behind = plain.clone();
    behind.extend(b"tail");
    let mut hidden = Entry::stored("a", b"x");
    hidden.data.extend(b"PK\x03\x04 something that no directory names");

    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing but the beginning", plain[..20].to_vec(), "container.broken"),
        ("cut in the middle", plain[..plain.len() / 2].to_vec(), "container.broken"),
        ("the last byte is missing", plain[..plain.len() - 1].to_vec(), "container.broken"),
        ("directory at a wrong place", changed_offset, "container.broken"),
        ("damaged central directory", no_central, "container.broken"),
        ("damaged local header", no_local, "container.broken"),
        ("fewer entries than declared", miscounted, "container.broken"),
        ("bytes in front", in_front, "container.extra-data"),
        ("bytes behind", behind, "container.extra-data"),
        ("hidden entry", build(&[xml(), hidden]), "container.extra-data"),
        ("absolute path", named(b"/etc/passwd"), "container.path"),
        ("zip-slip", named(b"../../etc/passwd"), "container.path"),
        ("zip-slip with backslashes", named(b"..\\..\\boot.ini"), "container.path"),
        ("drive letter", named(b"C:boot.ini"), "container.path"),
        ("network share", named(b"\\\\host\\share"), "container.path"),
        ("folder", named(b"folder/"), "container.folder"),
        ("file in a folder", named(b"folder/a.pdf"), "container.folder"),
        ("NUL", named(b"a.pdf\0.exe"), "container.name"),
        ("control character", named(b"a\x1b[31m.pdf"), "container.name"),
        ("other reading direction", named("Plan\u{202e}fdp.exe".as_bytes()), "container.name"),
        ("reserved device", named(b"AUX.pdf"), "container.name"),
        ("empty name", named(b""), "container.name"),
        ("long name", named(&[b'a'; 256]), "container.name"),
        ("alternate stream", named(b"a.pdf:stream"), "container.name"),
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
            build(&[
                Entry::stored("ä.pdf", b"").both(|h| h.flags |= 0x800),
                Entry::stored("Ä.PDF", b"").both(|h| h.flags |= 0x800),
            ]),
            "container.duplicate-name",
        ),
        ("symbolic link", with(symlink), "container.special-file"),
        ("device", with(device), "container.special-file"),
        ("folder by attribute", with(folder), "container.special-file"),
        ("encrypted", with(Entry::stored("a", b"x").both(|h| h.flags |= 1)), "container.encrypted"),
        (
            "strongly encrypted",
            with(Entry::stored("a", b"x").both(|h| h.flags |= 0x41)),
            "container.encrypted",
        ),
        ("masked headers", with(Entry::stored("a", b"x").both(|h| h.flags |= 0x2000)), "container.encrypted"),
        ("bzip2", with(Entry::stored("a", b"x").both(|h| h.method = 12)), "container.method"),
        ("deflate64", with(Entry::stored("a", b"x").both(|h| h.method = 9)), "container.method"),
        (
            "stored with two sizes",
            with(Entry::stored("a", b"x").both(|h| h.size = 9)),
            "container.header-mismatch",
        ),
        (
            "other name in the local header",
            with(Entry::stored("a", b"x").local(|h| h.name = b"b".to_vec())),
            "container.header-mismatch",
        ),
        (
            "other name in an extra field of the directory",
            with(Entry::stored("a", b"x").central(|h| h.extra = unicode_path())),
            "container.header-mismatch",
        ),
        (
            "other name in an extra field of the local header",
            with(Entry::stored("a", b"x").local(|h| h.extra = unicode_path())),
            "container.header-mismatch",
        ),
        (
            "names that differ by composition",
            build(&[xml(), Entry::stored("Pr\u{fc}f", b"x"), Entry::stored("PRu\u{308}f", b"y")]),
            "container.duplicate-name",
        ),
        (
            "other size in the local header",
            with(Entry::deflated("a", b"x").local(|h| h.size = 2)),
            "container.header-mismatch",
        ),
        (
            "other method in the local header",
            with(Entry::deflated("a", b"x").local(|h| h.method = 0)),
            "container.header-mismatch",
        ),
        (
            "other checksum in the local header",
            with(Entry::stored("a", b"x").local(|h| h.crc ^= 1)),
            "container.header-mismatch",
        ),
        (
            "encryption only in the local header",
            with(Entry::stored("a", b"x").local(|h| h.flags |= 1)),
            "container.header-mismatch",
        ),
        (
            "other size before a data descriptor",
            with(descriptor(Entry::deflated("a", b"x")).local(|h| h.size = 2)),
            "container.header-mismatch",
        ),
        (
            "a data descriptor that is missing",
            with(descriptor(Entry::deflated("a", b"x"))),
            "container.extra-data",
        ),
        ("bomb", with(Entry::deflated("a", &vec![0; 8 << 20])), "container.ratio"),
        (
            "larger than allowed",
            with(Entry::deflated("a", b"x").both(|h| (h.zip64, h.size) = (true, 5 << 30))),
            "container.too-large",
        ),
        (
            "larger than anything",
            with(Entry::deflated("a", b"x").both(|h| (h.zip64, h.size) = (true, u64::MAX))),
            "container.too-large",
        ),
        ("overlapping bomb", overlapping(), "container.overlap"),
        ("entry within an entry", quoted(), "container.overlap"),
        (
            "data beyond the directory",
            with(Entry::deflated("a", b"x").both(|h| h.compressed = 10_000)),
            "container.overlap",
        ),
        (
            "data beyond any file",
            with(Entry::deflated("a", b"x").both(|h| (h.zip64, h.compressed) = (true, u64::MAX))),
            "container.broken",
        ),
        (
            "local header beyond the file",
            with(Entry { offset: Some(1 << 30), ..Entry::stored("a", b"x") }),
            "container.broken",
        ),
        ("ZIP64 with a wrong count", with_zip64_end(plain.clone(), 1 << 40), "container.broken"),
    ];
    let mut wrong = Vec::new();
    for (label, bytes, expected) in &cases {
        let (rules, _) = open(bytes, Limits::default());
        if !rules.iter().any(|rule| rule == expected) {
            wrong.push(format!("{label}: expected {expected}, found {rules:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_hundred_thousand_entries_are_refused() {
    let entries: Vec<Entry> = (0..100_000).map(|index| Entry::stored(format!("{index}"), b"")).collect();
    let file = with_zip64_end(build(&entries), entries.len() as u64);
    assert_eq!(open(&file, Limits::default()).0, ["container.too-many-files"]);
}

#[test]
fn all_findings_come_at_once() {
    let bad = [named(b"/a"), named(b"a\0")];
    assert_eq!(bad.map(|bytes| open(&bytes, Limits::default()).0.len()), [1, 1]);
    let file = build(&[
        Entry::stored("/a", b"x").both(|h| h.flags |= 1),
        Entry::stored("b\\c", b"x").both(|h| h.method = 12),
    ]);
    let expected = ["container.path", "container.encrypted", "container.path", "container.method"];
    assert_eq!(open(&file, Limits::default()).0, expected);
}

#[test]
fn lies_about_the_content_are_found_while_inflating() {
    let long = vec![7; 300_000];
    let cases: [(&str, Entry); 6] = [
        ("wrong checksum", Entry::stored("a", b"x").both(|h| h.crc ^= 1)),
        ("wrong checksum, deflated", Entry::deflated("a", &long).both(|h| h.crc ^= 1)),
        ("longer than declared", Entry::deflated("a", &long).both(|h| h.size -= 1)),
        ("shorter than declared", Entry::deflated("a", &long).both(|h| h.size += 1)),
        ("not deflated at all", Entry::stored("a", b"\xff\xff\xff").both(|h| h.method = 8)),
        ("an empty stream", Entry::stored("a", b"").both(|h| h.method = 8).both(|h| h.size = 5)),
    ];
    for (label, entry) in cases {
        let error = read(&with(entry), "a").expect_err(label);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{label}");
    }
}

#[test]
fn what_is_well_formed_is_taken() {
    let text = b"some text, some text, some text".to_vec();
    let utf8 = Entry::stored("Prüfung.pdf", b"x").both(|h| h.flags |= 0x800);
    let cp437 = Entry::stored(&b"Pr\x81fung.pdf"[..], b"x");
    let zip64 = Entry::deflated("a", &text).both(|h| h.zip64 = true);
    assert_eq!(read(&with(Entry::stored("a", &text)), "a").unwrap(), text);
    assert_eq!(read(&with(Entry::deflated("a", &text)), "a").unwrap(), text);
    assert_eq!(read(&with(Entry::stored("a", b"")), "a").unwrap(), b"");
    assert_eq!(read(&with(zip64.clone()), "a").unwrap(), text);
    assert_eq!(read(&with_zip64_end(with(zip64), 2), "a").unwrap(), text);
    assert_eq!(read(&with(utf8), "Prüfung.pdf").unwrap(), b"x");
    assert_eq!(read(&with(cp437), "Prüfung.pdf").unwrap(), b"x");
    assert!(open(&end(0, 0, 0), Limits::default()).1.is_some());
    let unflagged = with(Entry::stored("Prüfung.pdf", b"x"));
    assert_eq!(open(&unflagged, Limits::default()).0, ["container.name-encoding"]);
}

/// Some bytes that hardly compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn write(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    for (name, content) in files {
        writer.entry(name, |sink| sink.write_all(content)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn other_programs_read_what_we_write() {
    let files = [("m.xml", b"<a>text</a>".repeat(1000)), ("b.pdf", noise(200_000)), ("c.txt", vec![])];
    let bytes = write(&files);
    assert_eq!(bytes, write(&files), "the same message gives the same bytes");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.zip");
    std::fs::write(&path, &bytes).unwrap();
    let script = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  print([(i.filename,i.file_size) for i in z.infolist()])";
    let programs: [(&str, &[&str]); 3] =
        [("unzip", &["-t"]), ("zipinfo", &["-v"]), ("python3", &["-c", script])];
    for (program, arguments) in programs {
        let output = Command::new(program).args(arguments).arg(&path).output().expect(program);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{program}: {text}");
        assert!(!text.to_lowercase().contains("warning"), "{program}: {text}");
    }
    for (name, content) in &files {
        assert_eq!(read(&bytes, name).unwrap(), *content);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"PK\x03\x04".to_vec();
        file.extend(bytes);
        file.extend(end(1, 40, 10));
        open(&file, Limits::default());
    }

    #[test]
    fn a_container_with_any_byte_changed_is_read_or_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut file = build(&[xml(), Entry::stored("a.pdf", b"content"), Entry::deflated("b.txt", &[b'x'; 5_000])]);
        let at = at.index(file.len());
        file[at] = to;
        let Some(container) = open(&file, Limits::default()).1 else { return Ok(()) };
        for index in 0..container.entries().len() {
            let mut content = Vec::new();
            let _ = container.read(&mut Cursor::new(file.clone()), index).unwrap().read_to_end(&mut content);
            prop_assert!(content.len() as u64 <= container.entries()[index].size());
        }
    }

    #[test]
    fn what_is_written_is_read_back(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 0..8)) {
        let names: Vec<String> = (0..contents.len()).map(|index| format!("{index}.txt")).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(String::as_str).zip(contents).collect();
        let bytes = write(&files);
        for (name, content) in &files {
            prop_assert_eq!(&read(&bytes, name).unwrap(), content);
        }
    }
}
