//! Every recorded request and answer of XTA opens, and its header says what Python's XML reader finds there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use soap::message::{Header, Limits, open};
use xml::Event;

use crate::{files, shared};

/// For each file: action within the header, MessageID, number of other blocks, their names, name of the body's child.
const READER: &str = r#"
import re, sys
import xml.etree.ElementTree as E
SOAP, WSA = "{http://www.w3.org/2003/05/soap-envelope}", "{http://www.w3.org/2005/08/addressing}"
for path in sys.stdin.read().split():
    body = open(path, "rb").read().split(b"\r\n\r\n", 1)[1] if path.endswith(".http") else open(path, "rb").read()
    envelope = E.fromstring(body[body.index(b"<?xml"):body.index(b"Envelope>") + 9])
    header = envelope.find(SOAP + "Header")
    blocks = list(header) if header is not None else []
    text = lambda name: next((b.text.strip() for b in blocks if b.tag == WSA + name), "-")
    others = [b.tag for b in blocks if not b.tag.startswith(WSA)]
    child = list(envelope.find(SOAP + "Body"))
    print("|".join([text("Action"), text("MessageID"), text("RelatesTo"), text("To"), " ".join(others), child[0].tag if child else "-"]))
"#;

fn python(paths: &[PathBuf]) -> Vec<String> {
    let mut child = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    let list: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    child.stdin.take().unwrap().write_all(list.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python failed");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The value of Content-Type, and the body.
fn split(path: &Path) -> (String, Vec<u8>) {
    let file = std::fs::read(path).unwrap();
    if !path.to_str().unwrap().ends_with(".http") {
        return ("application/soap+xml".to_owned(), file);
    }
    let end = file.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(file[..end].to_vec()).unwrap();
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    (content_type.unwrap(), file[end + 4..].to_vec())
}

fn summary(header: &Header, child: Option<String>) -> String {
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let names = header.blocks.iter().map(|block| format!("{{{}}}{}", block.namespace, block.local));
    let addressing = &header.addressing;
    [
        or_dash(&addressing.action),
        or_dash(&addressing.message_id),
        or_dash(&addressing.relates_to),
        or_dash(&addressing.to),
        names.collect::<Vec<_>>().join(" "),
        child.unwrap_or_else(|| "-".to_owned()),
    ]
    .join("|")
}

/// Reads a whole message; its summary, and the operation.
fn read(path: &Path) -> (String, String) {
    let (content_type, body) = split(path);
    let mut incoming = open(&content_type, &body[..], Limits::default()).unwrap();
    let header = incoming.header().unwrap();
    let operation = incoming.operation(&header).unwrap().to_owned();
    let mut child = None;
    if incoming.child().unwrap() {
        let start = incoming.body().current();
        child = Some(format!("{{{}}}{}", start.namespace().unwrap(), start.local()));
        incoming.body().skip().unwrap();
    }
    incoming.end().unwrap();
    let mut parts = 0;
    while incoming.next_part().unwrap().is_some() {
        parts += 1;
    }
    assert!(incoming.is_package() || parts == 0);
    for block in &header.blocks {
        let mut reader = xml::Reader::new(block.xml.as_bytes(), xml::Limits::default());
        assert!(matches!(reader.next(), Ok(Event::Start(start)) if start.is(&block.namespace, &block.local)));
        reader.skip().unwrap();
    }
    (summary(&header, child), operation)
}

#[test]
fn every_recorded_message_opens_and_its_header_is_what_python_finds() {
    let mut paths = Vec::new();
    for folder in ["v3-jaxws-wire", "v5-jaxws-wire", "v3-zeep-requests"] {
        paths.extend(files(&shared(&format!("samples/xta/{folder}")), &[".http", ".xml"]));
    }
    assert_eq!(paths.len(), 18 + 20 + 8, "the number of recordings");
    let expected = python(&paths);
    let read: Vec<_> = paths.iter().map(|path| read(path).0).collect();
    assert_eq!(read, expected);
}

#[test]
fn the_operation_of_a_recorded_message_is_the_one_that_its_file_is_named_after() {
    for version in ["v3", "v5"] {
        let named = files(&shared(&format!("samples/xta/{version}-xml")), &[".xml"]);
        let recorded = files(&shared(&format!("samples/xta/{version}-jaxws-wire")), &[".http"]);
        assert_eq!(named.len(), recorded.len());
        for path in recorded {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let name = named.iter().find_map(|name| name.file_stem()?.to_str()?.strip_prefix(stem));
            let name = name.unwrap().trim_start_matches('_');
            let (_, operation) = read(&path);
            assert_eq!(operation.rsplit('/').next(), Some(name), "{}", path.display());
        }
    }
}

#[test]
fn a_recorded_request_names_its_action_in_the_media_type() {
    for version in ["v3", "v5"] {
        for path in files(&shared(&format!("samples/xta/{version}-jaxws-wire")), &["request.http"]) {
            let (content_type, body) = split(&path);
            let mut incoming = open(&content_type, &body[..], Limits::default()).unwrap();
            let header = incoming.header().unwrap();
            assert!(incoming.action().is_some());
            assert_eq!(incoming.action(), header.addressing.action.as_deref());
        }
    }
}
