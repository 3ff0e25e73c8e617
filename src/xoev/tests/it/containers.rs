//! Containers that must be taken, and what holds of any bytes. Those that must be refused are in `hostile`.

use std::io::{Cursor, Read};
use std::process::Command;

use model::Report;
use proptest::prelude::*;
use xoev::container::{Container, ContainerWriter, Limits};

use crate::zip::{Entry, build, end, with_zip64_end};

/// What opening says: rules in the order met, and whether the container may be used.
pub(crate) fn open(bytes: &[u8], limits: Limits) -> (Vec<String>, Option<Container>) {
    let mut report = Report::default();
    let container = Container::open(&mut Cursor::new(bytes.to_vec()), &limits, &mut report).unwrap();
    assert_eq!(container.is_some(), report.is_acceptable(), "{report:?}");
    (report.findings.into_iter().map(|finding| finding.rule).collect(), container)
}

pub(crate) fn read(bytes: &[u8], name: &str) -> std::io::Result<Vec<u8>> {
    let (rules, container) = open(bytes, Limits::default());
    let container = container.unwrap_or_else(|| panic!("refused: {rules:?}"));
    let index = container.find(name).expect("the entry is there");
    let mut content = Vec::new();
    container.read(&mut Cursor::new(bytes.to_vec()), index)?.read_to_end(&mut content)?;
    Ok(content)
}

pub(crate) fn xml() -> Entry {
    Entry::deflated("x_0401_1.xml", b"<a/>")
}

pub(crate) fn with(entry: Entry) -> Vec<u8> {
    build(&[xml(), entry])
}

pub(crate) fn named(name: &[u8]) -> Vec<u8> {
    with(Entry::stored(name, b"content"))
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
