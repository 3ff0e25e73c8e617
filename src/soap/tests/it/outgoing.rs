//! Envelopes and packages that we write, read by Python and by our own reader; faults of SOAP 1.2 against its schema.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use soap::addressing::{ADDRESSING, Problem, Reply, message_id};
use soap::envelope::Version;
use soap::fault::{Code, Fault};
use soap::message::{Limits, NewBlock, Outgoing, Package, content_type, open};
use soap::mime::NewPart;
use soap::{Error, xop};

use crate::{code, shared};

fn reply() -> Reply<'static> {
    Reply { action: "urn:act?a=1&b", relates_to: Some("uuid:1 <&>"), message_id: "urn:uuid:2" }
}

/// A package with one part that its body names.
fn package(content: &[u8]) -> (String, Vec<u8>) {
    let package = Package::new([3; 24], Some("urn:act?a=1&b")).unwrap();
    let mut parts = package.begin(Vec::new()).unwrap();
    let mut outgoing = Outgoing::new(&mut parts, &reply().blocks().unwrap()).unwrap();
    outgoing.body().start("c", &[]).unwrap();
    xop::write(outgoing.body(), "p@q").unwrap();
    outgoing.body().end().unwrap();
    outgoing.finish().unwrap();
    parts.begin(&NewPart::attachment("p@q")).unwrap();
    parts.write_all(content).unwrap();
    (package.content_type().unwrap(), parts.finish().unwrap())
}

fn python(program: &str, input: &[u8]) -> String {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python failed");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_finds_the_envelope_and_the_part_of_a_package_that_we_write() {
    const READER: &str = r#"
import email, sys
import xml.etree.ElementTree as E
package = email.message_from_bytes(sys.stdin.buffer.read())
root, part = package.get_payload()
print(package.get_content_type(), package.get_param("type"), package.get_param("start-info"), package.get_param("start") == root["Content-ID"])
print(root.get_content_type(), root.get_param("type"))
envelope = E.fromstring(root.get_payload(decode=True))
for block in envelope[0]: print(block.tag.rsplit("}")[1], block.text)
print(envelope[1][0][0].get("href"), part["Content-ID"], part.get_payload(decode=True).hex())
"#;
    let (content_type, body) = package(b"a\0b");
    let input = [format!("Content-Type: {content_type}\r\n\r\n").as_bytes(), &body].concat();
    let envelope_type = "application/soap+xml; action=\"urn:act?a=1&b\"";
    let expected = format!(
        "multipart/related application/xop+xml {envelope_type} True\n\
        application/xop+xml {envelope_type}\n\
        Action urn:act?a=1&b\nMessageID urn:uuid:2\nRelatesTo uuid:1 <&>\n\
        To http://www.w3.org/2005/08/addressing/anonymous\n\
        cid:p@q <p@q> 610062\n"
    );
    assert_eq!(python(READER, &input), expected);
}

#[test]
fn what_is_written_is_read_again() {
    let (content_type, body) = package(b"\r\n--MIME_boundary");
    let mut incoming = open(&content_type, &body[..], Limits::default()).unwrap();
    assert_eq!(incoming.action(), Some("urn:act?a=1&b"));
    let header = incoming.header().unwrap();
    assert_eq!(header.addressing.relates_to.as_deref(), Some("uuid:1 <&>"));
    assert!(header.blocks.is_empty());
    assert!(incoming.child().unwrap());
    incoming.body().skip().unwrap();
    incoming.end().unwrap();
    let mut content = Vec::new();
    incoming.next_part().unwrap().unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, b"\r\n--MIME_boundary");
    assert!(incoming.next_part().unwrap().is_none());
}

#[test]
fn a_bare_envelope_has_the_media_type_of_soap_12() {
    assert_eq!(content_type(None).unwrap(), "application/soap+xml; charset=utf-8");
    let with_action = "application/soap+xml; charset=utf-8; action=\"urn:a\"";
    assert_eq!(content_type(Some("urn:a")).unwrap(), with_action);
    for action in ["a\"b", "a\\b", "a b", "a\r\nX: y", "ä"] {
        assert_eq!(code(content_type(Some(action))), "mime.write");
        assert!(Package::new([0; 24], Some(action)).is_err());
    }
}

#[test]
fn what_would_break_out_of_the_header_is_no_block() {
    for block in ["</soap:Header>", "<a>", "<a/></soap:Header><soap:Body>", "<!DOCTYPE a>"] {
        assert!(NewBlock::checked(block.to_owned()).is_err(), "{block}");
    }
    for text in ["\u{1}", "a\u{fffe}"] {
        assert!(Reply { message_id: text, ..reply() }.blocks().is_err(), "{text:?}");
    }
}

#[test]
fn an_id_of_random_bytes_is_a_uuid_of_version_4() {
    assert_eq!(message_id([0xff; 16]), "urn:uuid:ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(message_id([0; 16]), "urn:uuid:00000000-0000-4000-8000-000000000000");
}

/// The errors that have faults of their own, and the one that stands for the rest.
fn faults() -> Vec<Fault> {
    let must_understand =
        Error::MustUnderstand { namespace: "urn:\"x&".to_owned(), local: "Security".to_owned() };
    let addressing = |problem, header| Error::Addressing { problem, header };
    [
        Error::VersionMismatch,
        must_understand,
        addressing(Problem::Cardinality, "To"),
        addressing(Problem::ActionMismatch, "Action"),
        addressing(Problem::Required, "Action"),
        addressing(Problem::MissingAddress, "ReplyTo"),
        Error::Message { rule: "a rule" },
    ]
    .iter()
    .map(Fault::answering)
    .collect()
}

#[test]
fn every_fault_that_answers_an_error_says_what_the_standards_ask_for() {
    const READER: &str = r#"
import sys
import xml.etree.ElementTree as E
import io
S = "{http://www.w3.org/2003/05/soap-envelope}"
for document in sys.stdin.read().split("\n\n"):
    spaces, root = {}, None
    for event, it in E.iterparse(io.StringIO(document), ["start-ns", "start"]):
        if event == "start-ns": spaces[it[0]] = it[1]
        elif root is None: root = it
    name = lambda text: "{%s}%s" % (spaces[text.split(":")[0]], text.split(":")[1])
    codes, code = [], root.find(".//" + S + "Code")
    while code is not None:
        codes.append(name(code[0].text)); code = code.find(S + "Subcode")
    blocks = [(b.tag, name(b.get("qname") or b[0].get("qname"))) for b in root.findall(S + "Header/*")]
    detail = [name(d.text) for d in root.findall(".//" + S + "Detail/*")]
    print(" ".join(codes), blocks, detail)
"#;
    let mut documents = Vec::new();
    for fault in faults() {
        let mut document = Vec::new();
        fault.write(Version::Soap12, &mut document).unwrap();
        documents.push(String::from_utf8(document).unwrap());
    }
    let said = python(
        READER,
        documents.join("\n").replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "").as_bytes(),
    );
    let s = "{http://www.w3.org/2003/05/soap-envelope}";
    let a = format!("{{{ADDRESSING}}}");
    let header = format!("{s}Sender {a}InvalidAddressingHeader");
    let expected = [
        format!("{s}VersionMismatch [('{s}Upgrade', '{s}Envelope')] []"),
        format!("{s}MustUnderstand [('{s}NotUnderstood', '{{urn:\"x&}}Security')] []"),
        format!("{header} {a}InvalidCardinality [] ['{a}To']"),
        format!("{header} {a}ActionMismatch [] ['{a}Action']"),
        format!("{s}Sender {a}MessageAddressingHeaderRequired [] ['{a}Action']"),
        format!("{header} {a}MissingAddressInEPR [] ['{a}ReplyTo']"),
        format!("{s}Sender [] []"),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_fault_may_stand_in_a_package_like_any_envelope() {
    let package = Package::new([9; 24], None).unwrap();
    let mut parts = package.begin(Vec::new()).unwrap();
    let fault = Fault { headers: reply().blocks().unwrap(), ..Fault::new(Code::Receiver, "x") };
    fault.write(Version::Soap12, &mut parts).unwrap();
    let body = parts.finish().unwrap();
    let mut incoming = open(&package.content_type().unwrap(), &body[..], Limits::default()).unwrap();
    assert_eq!(incoming.header().unwrap().addressing.message_id.as_deref(), Some("urn:uuid:2"));
    assert!(incoming.child().unwrap());
    assert_eq!(Fault::read(incoming.body()).unwrap().code, Code::Receiver);
    incoming.finish().unwrap();
}

#[test]
fn a_recorded_fault_is_read_from_its_package() {
    let file = std::fs::read(shared("samples/xta/v3-jaxws-wire/12_response.http")).unwrap();
    let text = String::from_utf8_lossy(&file);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let content_type = head.lines().find_map(|line| line.strip_prefix("Content-type:")).unwrap().trim();
    let mut incoming = open(content_type, body.as_bytes(), Limits::default()).unwrap();
    incoming.header().unwrap();
    assert!(incoming.child().unwrap());
    let fault = Fault::read(incoming.body()).unwrap();
    assert!(fault.code == Code::Receiver && fault.detail.contains("9070"));
    incoming.finish().unwrap();
}
