//! What is wrong is refused with the exception that tells it, and nothing of it is kept.

use super::*;
use crate::bed;
use crate::memory::{LOCKED, Memory};
use xta::v3::names::Operation as V3;
use xta::v5::names::Port as CorePort;

/// A name, a request, and the verdict on its answer.
type Row = (&'static str, Asked, &'static str);

const CHECK: Operation = Operation::CheckAccountActive;
const SEND: Operation = Operation::SendMessage;
const LIST: Operation = Operation::GetStatusList;

fn send(change: impl Fn(String) -> String) -> Asked {
    bare(SEND, &change(sending(ID)), CONTAINER)
}

fn contained(container: &str) -> Asked {
    bare(SEND, &sending(ID), container)
}

/// What is wrong with ports, headers and callers.
fn headers() -> Vec<Row> {
    let v3 = Asked::bare(V3::CheckAccountActive, &bed::author(AUTHOR), "");
    let extended = format!("<c:Party><c:Identifier>{AUTHOR}</c:Identifier>{}</c:Party>", extensions("e"));
    vec![
        ("no party", bare(CHECK, "", ""), "Sender 9020"),
        ("no party, and a list", bare(LIST, "", &criteria("")), "Sender 9020"),
        ("no party, and metadata", bare(SEND, &meta(ID), CONTAINER), "Sender 9020"),
        ("two parties", bare(CHECK, &party(AUTHOR).repeat(2), ""), "Sender 9022"),
        ("two metadata", bare(SEND, &format!("{}{}", meta(ID), sending(ID)), CONTAINER), "Sender 9022"),
        ("no metadata", bare(SEND, &party(AUTHOR), CONTAINER), "Sender 9020"),
        ("a party with an extension", bare(CHECK, &extended, ""), "Sender 9000"),
        ("a party without identifier", bare(CHECK, "<c:Party/>", ""), "Sender 9022"),
        ("a locked account", bare(CHECK, &party(LOCKED), ""), "Sender 9011"),
        ("the header of version 3", bare(CHECK, &bed::author(AUTHOR).replace("m:", "c:"), ""), "Sender 9020"),
        (
            "an action of version 3",
            Asked { port: Port::V5(CorePort::Base), ..v3 },
            "Sender/ActionNotSupported",
        ),
        (
            "an action of another port",
            Asked { port: Port::V5(CorePort::Reader), ..send(|it| it) },
            "Sender/ActionNotSupported",
        ),
    ]
}

/// What is wrong with metadata.
fn metadata() -> Vec<Row> {
    let without = |from: &'static str, to: &'static str| {
        send(move |it| {
            assert!(it.contains(from), "{from}");
            it.replace(from, to)
        })
    };
    vec![
        ("no id at an element", without(" id=\"q\"", ""), "Sender 9022"),
        ("no size", without("<c:MessageSize>21</c:MessageSize>", ""), "Sender 9022"),
        ("a size of nothing", without(">21<", ">0<"), "Sender 9022"),
        ("no moment", without("2026-11-23T02:47:04Z", "gestern"), "Sender 9022"),
        ("no schema of the message", without(" messageSchema=\"urn:s\"", ""), "Sender 9022"),
        ("an empty message id", without(ID, ""), "Sender 9022"),
        ("a certificate of nothing", without("d:X509SubjectName", "d:Other"), "Sender 9022"),
        ("a code without its list", without(" listVersionID=\"1\"", ""), "Sender 9022"),
        ("an element nobody knows", without("<c:Qualifier", "<c:New/><c:Qualifier"), "Sender 9022"),
        (
            "metadata of version 3",
            bare(SEND, &format!("{}{}", bed::meta(ID).replace("m:", "c:"), party(AUTHOR)), CONTAINER),
            "Sender 9022",
        ),
    ]
}

/// What is wrong with bodies.
fn bodies() -> Vec<Row> {
    let ids = "<c:MessageSelector><c:XTAMessageIDs/></c:MessageSelector>";
    let reader = party(READER);
    let extended = criteria(&extensions("e"));
    let fetch_by = format!("<c:MessageFetch>{}</c:MessageFetch>", extensions("e"));
    let container = |inner: &str| contained(&format!("<c:ContentContainer>{inner}</c:ContentContainer>"));
    let lookup = |service: &str| {
        let query = format!(
            "<c:LookupQuery><c:LookupService><c:Reader><c:Identifier>x</c:Identifier></c:Reader>{service}\
             </c:LookupService></c:LookupQuery>"
        );
        bare(Operation::LookupService, &party(AUTHOR), &query)
    };
    vec![
        ("a body where none is", bare(CHECK, &reader, CONTAINER), "Sender 9022"),
        ("no selector", bare(LIST, &reader, ""), "Sender 9020"),
        ("an empty selector", bare(LIST, &reader, "<c:MessageSelector/>"), "Sender 9022"),
        ("a selector of no messages", bare(LIST, &reader, ids), "Sender 9020"),
        ("no number", bare(LIST, &reader, &criteria("<c:MaxMessages>0</c:MaxMessages>")), "Sender 9022"),
        ("neither yes nor no", bare(LIST, &reader, &criteria("<c:NewEntry>x</c:NewEntry>")), "Sender 9022"),
        ("a selector with an extension", bare(LIST, &reader, &extended), "Sender 9000"),
        ("a fetch by an extension", bare(Operation::GetMessage, &reader, &fetch_by), "Sender 9000"),
        ("a fetch of nothing", bare(Operation::GetMessage, &reader, "<c:MessageFetch/>"), "Sender 9020"),
        ("a fetch of what is not there", bare(Operation::GetMessage, &reader, &fetch(ID)), "Sender 9070"),
        ("a report on nothing", bare(Operation::GetTransportReport, &reader, ""), "Sender 9020"),
        ("closing what is not there", bare(Operation::Close, &reader, &fetch(ID)), "Sender 9070"),
        ("no URI", lookup("<c:Service>a b</c:Service>"), "Sender 9021"),
        ("no query", bare(Operation::LookupService, &reader, "<c:LookupQuery/>"), "Sender 9020"),
        ("no container", contained(""), "Sender"),
        ("an empty container", container(""), "Sender"),
        ("the container of version 3", contained("<c:GenericContentContainer/>"), "Sender"),
        (
            "a container with an extension",
            container(&format!("<c:Message id=\"a\">QQ==</c:Message>{}", extensions("e"))),
            "Sender 9000",
        ),
        ("two messages", container("<c:Message id=\"a\"/><c:Message id=\"b\"/>"), "Sender"),
        ("no base64", container("<c:Message id=\"a\">???</c:Message>"), "Sender"),
    ]
}

#[test]
fn what_is_wrong_is_refused_by_its_exception_and_nothing_is_kept() {
    let rows: Vec<Row> = [headers(), metadata(), bodies()].into_iter().flatten().collect();
    let backend = Memory::default();
    let got: Vec<Got> = rows.iter().map(|(_, asked, _)| asked.of(&backend)).collect();
    for ((name, _, verdict), judged) in rows.iter().zip(checked(&got)) {
        assert_eq!(judged.verdict, *verdict, "{name}");
    }
    assert!(got.iter().all(|got| got.status == 500));
    assert!(backend.boxes.lock().unwrap().is_empty());
}

#[test]
fn a_message_id_is_used_once() {
    let backend = Memory::default();
    let got = [send(|it| it), send(|it| it)].map(|asked| asked.of(&backend));
    let verdicts: Vec<String> = checked(&got).into_iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, ["answered", "Sender 9024"]);
}

#[test]
fn a_header_that_must_be_understood_and_is_not_is_refused() {
    let unknown = "<n:New xmlns:n=\"urn:n\" s:mustUnderstand=\"true\"/>";
    let got = bare(CHECK, &format!("{}{unknown}", party(AUTHOR)), "").of(&Memory::default());
    assert_eq!(judge(&[got])[0].verdict, "MustUnderstand");
}
