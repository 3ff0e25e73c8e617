//! Every recorded package is read, and what is read agrees with its index and with Python's reader.

use std::collections::HashMap;
use std::path::Path;

use soap::mime::{Limits, Multipart};

use crate::python::{self, Seen};
use crate::{code, files, osci_parts, parts, shared};

/// Made by hand, to be no package at all.
const BROKEN: [(&str, &str); 2] = [
    ("raw-garbage-9100/01q-Invalid.osci", "mime.truncated"),
    ("raw-empty-9100/01q-Invalid.osci", "mime.truncated"),
];

fn broken(file: &Path) -> Option<&'static str> {
    BROKEN.iter().find(|(name, _)| file.ends_with(name)).map(|(_, code)| *code)
}

/// What the index says of a message: whether it is encrypted, and the number of its attachments.
fn index() -> HashMap<String, (bool, usize)> {
    let text = std::fs::read_to_string(shared("samples/osci/INDEX.md")).unwrap();
    let mut index = HashMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("- `messages/")) {
        let (name, rest) = line.split_once('`').unwrap();
        if let Some((_, count)) = rest.split_once("attachments=") {
            let count = count.split_whitespace().next().unwrap().parse().unwrap();
            index.insert(name.to_owned(), (rest.contains(" encrypted "), count));
        }
    }
    index
}

#[test]
fn every_recorded_osci_message_is_read_as_python_reads_it() {
    let mut whole = Vec::new();
    for file in files(&shared("samples/osci/messages"), &[".osci", ".inner"]) {
        let package = std::fs::read(&file).unwrap();
        let read = osci_parts(&package[..]);
        match broken(&file) {
            Some(expected) => assert_eq!(code(read), expected, "{}", file.display()),
            None => {
                let read = read.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                assert_eq!(read[0].0.as_deref(), Some("osci@message"));
                whole.push((package, read));
            }
        }
    }
    assert_eq!(whole.len(), 747, "the number of recordings");
    let (packages, ours): (Vec<_>, Vec<Vec<Seen>>) = whole.into_iter().unzip();
    assert_eq!(python::read(&packages), ours);
}

#[test]
fn a_recorded_message_has_the_attachments_of_the_index() {
    let messages = shared("samples/osci/messages");
    let index = index();
    assert_eq!(index.len(), 49);
    for (name, (encrypted, attachments)) in index {
        let file = messages.join(&name);
        let read = osci_parts(&std::fs::read(&file).unwrap()[..]).unwrap();
        if !encrypted {
            assert_eq!(read.len(), 1 + attachments, "{name}");
            continue;
        }
        assert_eq!(read.len(), 2, "{name}");
        assert_eq!(read[1].0.as_deref(), Some("osci_enc"), "{name}");
        let inner = osci_parts(&std::fs::read(file.with_extension("inner")).unwrap()[..]).unwrap();
        assert_eq!(inner.len(), 1 + attachments, "{name}");
    }
}

#[test]
fn an_unencrypted_attachment_is_what_the_readers_saw() {
    let mut compared = 0;
    for listing in files(&shared("samples/osci/messages"), &[".content.txt"]) {
        let base = listing.to_str().unwrap().strip_suffix(".content.txt").unwrap().to_owned();
        let [inner, plain] = ["inner", "osci"].map(|ending| format!("{base}.{ending}"));
        let file = if Path::new(&inner).exists() { inner } else { plain };
        let read = osci_parts(&std::fs::read(&file).unwrap()[..]).unwrap();
        for line in std::fs::read_to_string(&listing).unwrap().lines() {
            let Some((_, rest)) = line.split_once(" attachment=") else { continue };
            let (id, rest) = rest.split_once(" encrypted=").unwrap();
            let Some(rest) = rest.strip_prefix("false ") else { continue };
            let content = &read.iter().find(|(other, _)| other.as_deref() == Some(id)).unwrap().1;
            let expected = format!("bytes={} sha256={}", content.len(), seal::sha256(&[content]));
            assert_eq!(rest.trim(), expected, "{file}: {id}");
            compared += 1;
        }
    }
    assert!(compared > 10, "only {compared} attachments were compared");
}

#[test]
fn a_message_with_a_doctype_is_a_sound_package() {
    let file = shared("samples/osci/messages/doctype-refused-9100/02q-Invalid.osci");
    let read = osci_parts(&std::fs::read(file).unwrap()[..]).unwrap();
    assert!(read[0].1.windows(9).any(|window| window == b"<!DOCTYPE"));
}

#[test]
fn every_recorded_mtom_message_is_read_as_python_reads_it() {
    let mut packages = Vec::new();
    let mut ours = Vec::new();
    for file in files(&shared("samples/xta"), &[".http"]) {
        let bytes = std::fs::read(&file).unwrap();
        let body = memchr::memmem::find(&bytes, b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&bytes[..body]).into_owned();
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with("content-type: multipart/");
        let Some(line) = head.lines().find(is_it) else { continue };
        let content_type = &line["content-type: ".len()..];
        let open = || Multipart::with_content_type(&bytes[body..], content_type, Limits::default()).unwrap();
        let read = parts(Ok(open())).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(read[0].0, open().root_id().unwrap(), "{}", file.display());
        packages.push([line.as_bytes(), b"\r\n\r\n", &bytes[body..]].concat());
        ours.push(read);
    }
    assert_eq!(packages.len(), 24, "the number of recordings");
    assert!(ours.iter().any(|parts| parts.len() > 1), "no recording has an attachment");
    assert_eq!(python::read(&packages), ours);
}
