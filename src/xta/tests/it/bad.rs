//! What is wrong is refused with the fault that tells it, and nothing of it is kept.

use xta::server::Port;
use xta::v3::names::{Operation, Port as PortV3};

use crate::bed::{Asked, CONTAINER, Got, addressing, author, envelope, judge, meta, soap_xml};
use crate::memory::{LOCKED, MOST, Memory};

const ID: &str = "urn:de:xta:messageid:x:1";
const CHECK: Operation = Operation::CheckAccountActive;
const SEND: Operation = Operation::SendMessage;
const LIST: Operation = Operation::GetStatusList;
const FETCH: Operation = Operation::GetMessage;
const CLOSE: Operation = Operation::Close;
const LOOKUP: Operation = Operation::LookupService;
const REPORT: Operation = Operation::GetTransportReport;

/// A name, a request, and the verdict on its answer.
type Row = (&'static str, Asked, &'static str);

fn check_with(blocks: &str) -> Asked {
    Asked::raw(Port::V3(PortV3::Management), &soap_xml(CHECK.action()), envelope(blocks, ""))
}

fn check_as(content_type: &str) -> Asked {
    Asked { content_type: content_type.to_owned(), ..Asked::bare(CHECK, "", "") }
}

/// What SOAP and HTTP forbid.
fn soap() -> Vec<Row> {
    let well = Asked::bare(CHECK, "", "");
    let text = String::from_utf8(well.body.clone()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        Asked { body: text.replace(from, to).into_bytes(), ..well.clone() }
    };
    let cut = Asked { body: text.as_bytes()[..text.len() - 30].to_vec(), ..well.clone() };
    let unknown = "<n:New xmlns:n=\"urn:n\" s:mustUnderstand=\"true\"/>";
    let large = format!("<n:New xmlns:n=\"urn:n\">{}</n:New>", "x".repeat(300_000));
    vec![
        ("nothing at all", Asked { body: Vec::new(), ..well.clone() }, "Sender"),
        ("no XML", Asked { body: b"hello".to_vec(), ..well.clone() }, "Sender"),
        ("cut off", cut, "Sender"),
        ("another media type", check_as("application/json"), "Sender"),
        ("no media type", check_as(""), "Sender"),
        ("another character set", check_as("application/soap+xml; charset=iso-8859-1"), "Sender"),
        ("media type of SOAP 1.1", check_as("text/xml; charset=utf-8"), "VersionMismatch"),
        (
            "envelope of SOAP 1.1",
            with("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
            "VersionMismatch",
        ),
        ("a DOCTYPE", with("<s:Envelope", "<!DOCTYPE s:Envelope><s:Envelope"), "Sender"),
        ("an entity", with("https://xta.example.test/", "&xxe;"), "Sender"),
        ("no body", with("<s:Body></s:Body>", ""), "Sender"),
        ("two bodies", with("<s:Body></s:Body>", "<s:Body/><s:Body/>"), "Sender"),
        ("two headers", with("<s:Header>", "<s:Header/><s:Header>"), "Sender"),
        ("text in the envelope", with("<s:Body>", "x<s:Body>"), "Sender"),
        ("a trailer", with("</s:Body>", "</s:Body><m:Author/>"), "Sender"),
        ("something behind the envelope", with("</s:Envelope>", "</s:Envelope><a/>"), "Sender"),
        ("a header nobody knows", Asked::bare(CHECK, unknown, ""), "MustUnderstand"),
        ("a header that is too large", Asked::bare(CHECK, &large, ""), "Sender"),
        ("no UTF-8", Asked { body: b"<s:Envelope xmlns:s=\"\xff\"/>".to_vec(), ..well }, "Sender"),
    ]
}

/// What WS-Addressing forbids.
fn wsa() -> Vec<Row> {
    let good = addressing(CHECK.action());
    let without = |block: &str| check_with(&good.replace(block, ""));
    let other = addressing(LIST.action());
    let elsewhere = |name: &str| {
        format!("{good}<wsa:{name}><wsa:Address>https://elsewhere.example.test/</wsa:Address></wsa:{name}>")
    };
    let no_action = envelope(&good.replace("wsa:Action>", "wsa:Auction>"), "");
    vec![
        ("no headers", check_with(""), "Sender/MessageAddressingHeaderRequired"),
        (
            "no message id",
            without("<wsa:MessageID>urn:uuid:7</wsa:MessageID>"),
            "Sender/MessageAddressingHeaderRequired",
        ),
        (
            "no recipient",
            without("<wsa:To>https://xta.example.test/</wsa:To>"),
            "Sender/MessageAddressingHeaderRequired",
        ),
        (
            "no action anywhere",
            Asked::raw(Port::V3(PortV3::Management), "application/soap+xml", no_action),
            "Sender/MessageAddressingHeaderRequired",
        ),
        (
            "two actions",
            check_with(&format!("{good}<wsa:Action>{}</wsa:Action>", CHECK.action())),
            "Sender/InvalidAddressingHeader/InvalidCardinality",
        ),
        (
            "two message ids",
            check_with(&format!("{good}<wsa:MessageID>urn:uuid:8</wsa:MessageID>")),
            "Sender/InvalidAddressingHeader/InvalidCardinality",
        ),
        ("actions that differ", check_with(&other), "Sender/InvalidAddressingHeader/ActionMismatch"),
        (
            "an action that nobody has",
            Asked::raw(
                Port::V3(PortV3::Management),
                &soap_xml("urn:new"),
                envelope(&addressing("urn:new"), ""),
            ),
            "Sender/ActionNotSupported",
        ),
        (
            "an action of another port",
            Asked { port: Port::V3(PortV3::Send), ..Asked::bare(CHECK, "", "") },
            "Sender/ActionNotSupported",
        ),
        (
            "an answer that is to go elsewhere",
            check_with(&elsewhere("ReplyTo")),
            "Sender/InvalidAddressingHeader/OnlyAnonymousAddressSupported",
        ),
        (
            "a fault that is to go elsewhere",
            check_with(&elsewhere("FaultTo")),
            "Sender/InvalidAddressingHeader/OnlyAnonymousAddressSupported",
        ),
        (
            "an endpoint without address",
            check_with(&format!("{good}<wsa:ReplyTo/>")),
            "Sender/InvalidAddressingHeader/MissingAddressInEPR",
        ),
    ]
}

/// What packages must not be.
fn packages() -> Vec<Row> {
    let well = Asked::bare(SEND, &meta(ID), CONTAINER).packed(SEND);
    let text = String::from_utf8(well.body.clone()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        Asked { body: text.replace(from, to).into_bytes(), ..well.clone() }
    };
    let as_type = |from: &str, to: &str| {
        assert!(well.content_type.contains(from));
        Asked { content_type: well.content_type.replace(from, to), ..well.clone() }
    };
    let include = |href: &str| {
        let include =
            format!("<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"{href}\"/>");
        with("JVBERi0xLjQ=", &include)
    };
    let part = "\r\n--b\r\nContent-ID: <p@test>\r\n\r\nx\r\n--b--";
    vec![
        ("no boundary", as_type("boundary=b; ", ""), "Sender"),
        ("another root type", as_type("application/xop+xml", "text/xml"), "Sender"),
        ("another boundary", as_type("boundary=b;", "boundary=c;"), "Sender"),
        ("a package that is cut off", with("\r\n--b--\r\n", "\r\n--b"), "Sender"),
        ("a part that nothing names", with("\r\n--b--", part), "Sender"),
        ("a part that is not there", include("cid:p@test"), "Sender"),
        ("no cid", include("https://elsewhere.example.test/"), "Sender"),
        ("a file", include("file:///etc/passwd"), "Sender"),
        (
            "a root that is not the first part",
            as_type("start=\"<root@test>\"", "start=\"<other@test>\""),
            "Sender",
        ),
        (
            "an action that differs",
            as_type("SendMessage\\\"", "SendMessageSync\\\""),
            "Sender/InvalidAddressingHeader/ActionMismatch",
        ),
    ]
}

/// Messages that are not as the schemas want them.
fn messages() -> Vec<Row> {
    let send = |blocks: &str, body: &str| Asked::bare(SEND, blocks, body);
    let with = |from: &str, to: &str| {
        let well = meta(ID);
        assert!(well.contains(from), "{from}");
        send(&well.replacen(from, to, 1), CONTAINER)
    };
    let contents = |from: &str, to: &str| {
        assert!(CONTAINER.contains(from), "{from}");
        send(&meta(ID), &CONTAINER.replacen(from, to, 1))
    };
    let large = "A".repeat(MOST * 2);
    vec![
        ("no metadata", send("", CONTAINER), "Sender 9020"),
        ("metadata without author", with(&author("ags:12345678"), ""), "Sender 9022"),
        ("an identifier without type", with(" type=\"xoev\"", ""), "Sender 9022"),
        ("an empty identifier", with(">ags:12345678<", "><"), "Sender 9022"),
        ("an empty message id", with(&format!(">{ID}<"), "><"), "Sender 9022"),
        ("no message id", with(&format!("<wsa:MessageID>{ID}</wsa:MessageID>"), ""), "Sender 9022"),
        ("a moment that is none", with("2026-11-23T02:47:03.3Z", "gestern"), "Sender 9022"),
        ("a day that does not exist", with("2027-01-01", "2027-02-30"), "Sender 9022"),
        ("a size of nothing", with("<m:MsgSize>21", "<m:MsgSize>0"), "Sender 9022"),
        ("a size below zero", with("<m:MsgSize>21", "<m:MsgSize>-1"), "Sender 9022"),
        ("a test that is neither", with("TestMsg=\"true\"", "TestMsg=\"ja\""), "Sender 9022"),
        (
            "elements in another order",
            with("<m:Qualifier>", "<m:MsgSize>1</m:MsgSize><m:Qualifier>"),
            "Sender 9022",
        ),
        ("an element nobody knows", with("<m:Subject>", "<m:Betreff/><m:Subject>"), "Sender 9022"),
        ("an element of another namespace", with("<code>X_DATA</code>", "<m:code>X</m:code>"), "Sender 9022"),
        ("a code without its list", with("listURI=\"urn:l\" ", ""), "Sender 9022"),
        ("a type without schema", with(" payloadSchema=\"urn:s\"", ""), "Sender 9022"),
        ("text between elements", with("<m:Qualifier>", "x<m:Qualifier>"), "Sender 9022"),
        ("an element within a text", with("M\u{fc}ller", "<b/>"), "Sender 9022"),
        ("two sets of metadata", send(&meta(ID).repeat(2), CONTAINER), "Sender 9022"),
        (
            "an id that is too long",
            with(&format!(">{ID}<"), &format!(">{}<", "x".repeat(2_000))),
            "Sender 9022",
        ),
        (
            "a process of other things",
            send(&meta(ID).replace("m:Requester", "m:Nobody"), CONTAINER),
            "Sender 9022",
        ),
        ("a receipt that nobody gives", with("<m:Delivery/>", "<m:Quittung/>"), "Sender 9022"),
        (
            "a token for nothing",
            with("ags:1</m:Identifier>", "ags:1</m:Identifier><m:SecurityToken/>"),
            "Sender 9022",
        ),
        ("no container", send(&meta(ID), ""), "Sender"),
        ("another body", send(&meta(ID), "<x:LookupServiceRequest/>"), "Sender"),
        ("two containers", send(&meta(ID), &CONTAINER.repeat(2)), "Sender"),
        ("a container without message", contents("x:Message c", "x:Nachricht c"), "Sender"),
        ("a content without its type", contents("contentType=\"application/pdf\" ", ""), "Sender"),
        ("no base64", contents("JVBERi0xLjQ=", "JVBERi0x!!!!"), "Sender"),
        ("base64 that is cut off", contents("JVBERi0xLjQ=", "JVBERi0xLjQ"), "Sender"),
        ("a content that is too large", contents("JVBERi0xLjQ=", &large), "Sender 9023"),
    ]
}

/// Other requests that are not as the schemas want them, or ask for what is not there.
fn requests() -> Vec<Row> {
    let lookup = |service: &str| {
        format!(
            "<x:LookupServiceRequest><x:LookupServiceRequestList><x:LookupService>\
             <m:Reader><m:Identifier type=\"xoev\">ags:1</m:Identifier></m:Reader>\
             <x:ServiceType>{service}</x:ServiceType></x:LookupService></x:LookupServiceRequestList>\
             </x:LookupServiceRequest>"
        )
    };
    let list = |inner: &str| Asked::bare(LIST, "", &format!("<o:MsgBoxStatusListRequest {inner}"));
    let select = |inner: &str| list(&format!("><o:MsgSelector {inner}</o:MsgBoxStatusListRequest>"));
    let close = |inner: &str| Asked::bare(CLOSE, "", &format!("<o:MsgBoxCloseRequest {inner}"));
    let received =
        "MsgBoxRequestID=\"1\"><o:LastMsgReceived>urn:none</o:LastMsgReceived></o:MsgBoxCloseRequest>";
    vec![
        ("a locked account", Asked::bare(CHECK, &author(LOCKED), ""), "Sender 9011"),
        ("an author that is none", Asked::bare(CHECK, "<m:Author/>", ""), "Sender 9022"),
        ("two authors", Asked::bare(CHECK, &author("ags:1").repeat(2), ""), "Sender 9022"),
        ("more than a small request holds", list(&format!("/>{}", " ".repeat(1 << 20))), "Sender"),
        ("a body where none is expected", Asked::bare(CHECK, "", "<x:a/>"), "Sender 9022"),
        ("text in the body", Asked::bare(CHECK, "", "text"), "Sender 9022"),
        ("a lookup of nothing", Asked::bare(LOOKUP, "", ""), "Sender 9020"),
        ("an empty lookup", Asked::bare(LOOKUP, "", "<x:LookupServiceRequest/>"), "Sender 9020"),
        ("a service that is no URI", Asked::bare(LOOKUP, "", &lookup("Wohngeld")), "Sender 9021"),
        ("a service without name", Asked::bare(LOOKUP, "", &lookup("")), "Sender 9021"),
        ("a service with spaces", Asked::bare(LOOKUP, "", &lookup("urn:a b")), "Sender 9021"),
        ("a report on nothing", Asked::bare(REPORT, "", ""), "Sender 9020"),
        ("a report on an empty id", Asked::bare(REPORT, "", "<wsa:MessageID/>"), "Sender 9020"),
        (
            "a report on a message that is not there",
            Asked::bare(REPORT, "", "<wsa:MessageID>urn:none</wsa:MessageID>"),
            "Sender 9070",
        ),
        (
            "two ids",
            Asked::bare(
                REPORT,
                "",
                "<wsa:MessageID>urn:a</wsa:MessageID><wsa:MessageID>urn:b</wsa:MessageID>",
            ),
            "Sender",
        ),
        ("no list request", Asked::bare(LIST, "", ""), "Sender 9020"),
        ("another request", Asked::bare(LIST, "", "<o:MsgBoxFetchRequest/>"), "Sender 9022"),
        ("a list of no entries", list("maxListItems=\"0\"/>"), "Sender 9022"),
        ("a list of minus one", list("maxListItems=\"-1\"/>"), "Sender 9022"),
        ("a form that is not known", list("ListForm=\"Kurz\"/>"), "Sender 9022"),
        (
            "a moment in a selector",
            select("><o:MsgBoxEntryTimeFrom>x</o:MsgBoxEntryTimeFrom></o:MsgSelector>"),
            "Sender 9022",
        ),
        ("a new entry that is neither", select("newEntry=\"vielleicht\"/>"), "Sender 9022"),
        ("an extension", select("><o:Extension/></o:MsgSelector>"), "Sender 9022"),
        (
            "a part of a message",
            Asked::bare(FETCH, "", "<o:MsgBoxFetchRequest MsgPart=\"Body\"/>"),
            "Sender 9022",
        ),
        ("an empty box", Asked::bare(FETCH, "", "<o:MsgBoxFetchRequest/>"), "Sender 9070"),
        ("a close without id of its request", close("/>"), "Sender 9022"),
        ("a close of what is not there", close(received), "Sender 9070"),
    ]
}

#[test]
fn what_is_wrong_is_told_and_nothing_of_it_is_kept() {
    let rows = [soap(), wsa(), packages(), messages(), requests()].concat();
    assert!(rows.len() >= 90, "{}", rows.len());
    let mut answers: Vec<Got> = Vec::new();
    for (name, asked, _) in &rows {
        let backend = Memory::default();
        let got = asked.of(&backend);
        assert_eq!(got.status, 500, "{name}");
        assert!(backend.boxes.lock().unwrap().is_empty(), "{name} was kept");
        answers.push(got);
    }
    let mut wrong = Vec::new();
    for ((name, _, expected), judged) in rows.iter().zip(judge(&answers)) {
        if judged.verdict != *expected {
            wrong.push(format!("{name}: {} instead of {expected}", judged.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_say_nothing_of_what_came() {
    let secret = "geheim-4711";
    let wrong = meta(ID).replace("2027-01-01", secret);
    let got = [
        Asked::bare(SEND, &wrong, CONTAINER),
        Asked::bare(LOOKUP, "", &format!("<x:{secret}/>")),
        Asked::raw(Port::V3(PortV3::Management), &soap_xml(secret), envelope(&addressing(secret), "")),
    ]
    .map(|asked| asked.of(&Memory::default()));
    for got in got {
        assert!(!String::from_utf8_lossy(&got.body).contains(secret));
    }
}

#[test]
fn faults_answer_packages_with_packages() {
    let got = Asked::bare(FETCH, "", "<o:MsgBoxFetchRequest/>").packed(FETCH).of(&Memory::default());
    assert!(got.content_type.starts_with("multipart/related"));
    let judged = judge(&[got]).remove(0);
    assert_eq!(judged.verdict, "Sender 9070");
    assert_eq!(judged.texts("Action"), [FETCH.action()]);
}
