//! The description of the service in version 5.1.1 (WSDL 1.1 over SOAP 1.2), for tools that make clients of it: made of one table with a
//! row for each operation. The schemas of XTA 2 are not part of it. It names their files as the standard does, so whoever puts
//! it into the folder `wsdl` beside theirs can use it.

use std::collections::BTreeSet;
use std::fmt::Write;

use ::xta::v5::names::{Operation, Port, element, exceptions};

/// Element of nothing: an empty body.
const EMPTY: &str = "";
/// The caller, in the header.
const PARTY: &[&str] = &["Party"];
/// A message that is sent, in the header.
const MESSAGE: &[&str] = &["MessageMetaData", "Party"];
/// Where a message box stands, in the header.
const BOX: &[&str] = &["MessageBoxStatus"];
/// A message of a box, in the header.
const BOXED: &[&str] = &["MessageBoxStatus", "MessageMetaData"];
/// The reader's answer, in the header.
const REPLY: &[&str] = &["MessageMetaDataReply"];
const CONTAINER: &str = "ContentContainer";
const CONTAINER_REPLY: &str = "ContentContainerReply";
const FETCH: &str = "MessageFetch";
const MESSAGE_ID: &str = "XTAMessageID";

/// An operation: its name, header and body of request and answer.
struct Row {
    operation: Operation,
    name: &'static str,
    request: (&'static [&'static str], &'static str),
    answer: (&'static [&'static str], &'static str),
}

const fn row(
    operation: Operation,
    name: &'static str,
    request: (&'static [&'static str], &'static str),
    answer: (&'static [&'static str], &'static str),
) -> Row {
    Row { operation, name, request, answer }
}

#[rustfmt::skip]
const ROWS: [Row; 10] = [
    row(Operation::CheckAccountActive, "checkAccountActive", (PARTY, EMPTY), (&[], EMPTY)),
    row(Operation::GetTransportReport, "getTransportReport", (PARTY, MESSAGE_ID), (&[], "ReportResult")),
    row(Operation::CreateMessageId, "createMessageID", (PARTY, EMPTY), (&[], MESSAGE_ID)),
    row(Operation::LookupService, "lookupService", (PARTY, "LookupQuery"), (&[], "LookupStatus")),
    row(Operation::SendMessage, "sendMessage", (MESSAGE, CONTAINER), (&[], EMPTY)),
    row(Operation::SendMessageSync, "sendMessageSync", (MESSAGE, CONTAINER), (REPLY, CONTAINER_REPLY)),
    row(Operation::GetStatusList, "getStatusList", (PARTY, "MessageSelector"), (BOX, "MessageStatusList")),
    row(Operation::GetMessage, "getMessage", (PARTY, FETCH), (BOXED, CONTAINER)),
    row(Operation::Close, "close", (PARTY, FETCH), (&[], EMPTY)),
    row(Operation::DeliverMessage, "deliverMessage", (MESSAGE, CONTAINER), (REPLY, CONTAINER_REPLY)),
];

/// A port: its name, its type, and the last step of its path.
const PORTS: [(Port, &str, &str, &str); 4] = [
    (Port::Base, "transport.base", "core.transport.base", "base"),
    (Port::Sender, "sender", "core.sender", "sender"),
    (Port::Recipient, "recipient", "core.recipient", "recipient"),
    (Port::Reader, "reader", "core.reader", "reader"),
];

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions name="XTACore" targetNamespace="https://xoev.de/transport/xta/core/3.1.1"
    xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:core="https://xoev.de/transport/xta/core/3.1.1"
    xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata" xmlns:wsp="http://www.w3.org/ns/ws-policy"
    xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    xmlns:mtom="http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization">
<wsp:Policy wsu:Id="wire"><wsp:All>
<wsam:Addressing><wsp:Policy><wsam:AnonymousResponses/></wsp:Policy></wsam:Addressing>
<mtom:OptimizedMimeSerialization wsp:Optional="true"/>
</wsp:All></wsp:Policy>
<types><xs:schema targetNamespace="https://xoev.de/transport/xta/core/3.1.1">
<xs:include schemaLocation="../xsd/XTA-Webservice.xsd"/>
<xs:include schemaLocation="../xsd/XTA-Webservice-Exceptions.xsd"/>
</xs:schema></types>
"#;

/// The description, with ports at `https://HOST/xta/v5/…`. `host` must be one.
pub(super) fn wsdl(host: &str) -> String {
    let mut text = HEAD.to_owned();
    messages(&mut text);
    for (port, _, kind, _) in PORTS {
        let _ = writeln!(text, "<portType name=\"{kind}\">");
        rows(port).for_each(|row| operation(&mut text, row));
        text += "</portType>\n";
    }
    for (port, _, kind, _) in PORTS {
        let _ = writeln!(text, "<binding name=\"{kind}.binding\" type=\"core:{kind}\">");
        text += "<soap:binding style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n";
        text += "<wsp:PolicyReference URI=\"#wire\"/>\n";
        rows(port).for_each(|row| bound(&mut text, row));
        text += "</binding>\n";
    }
    text += "<service name=\"XTACore\">\n";
    for (_, name, kind, path) in PORTS {
        let address = format!("<soap:address location=\"https://{host}/xta/v5/{path}\"/>");
        let _ = writeln!(text, "<port name=\"{name}\" binding=\"core:{kind}.binding\">{address}</port>");
    }
    text + "</service>\n</definitions>\n"
}

fn rows(port: Port) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.operation.port() == port)
}

/// The name of a message with this body.
fn message(element: &str) -> &str {
    if element.is_empty() { "Empty" } else { element }
}

fn messages(text: &mut String) {
    let headers = ROWS.iter().flat_map(|row| row.request.0.iter().chain(row.answer.0)).copied();
    text.push_str("<message name=\"Headers\">");
    for name in headers.collect::<BTreeSet<&str>>() {
        let _ = write!(text, "<part name=\"{name}\" element=\"core:{name}\"/>");
    }
    text.push_str("</message>\n<message name=\"Empty\"/>\n");
    let bodies = ROWS.iter().flat_map(|row| [row.request.1, row.answer.1]);
    let faults = ROWS.iter().flat_map(|row| exceptions(row.operation).map(element));
    for name in bodies.chain(faults).filter(|name| !name.is_empty()).collect::<BTreeSet<&str>>() {
        let part = format!("<part name=\"body\" element=\"core:{name}\"/>");
        let _ = writeln!(text, "<message name=\"{name}\">{part}</message>");
    }
}

fn operation(text: &mut String, row: &Row) {
    let _ = writeln!(text, "<operation name=\"{}\">", row.name);
    let (asked, answered) = (row.operation.action().to_owned(), row.operation.answer_action());
    for (what, body, action) in [("input", row.request.1, asked), ("output", row.answer.1, answered)] {
        let name = message(body);
        let _ = writeln!(text, "<{what} message=\"core:{name}\" wsam:Action=\"{action}\"/>");
    }
    for exception in exceptions(row.operation) {
        let (name, action) = (element(exception), row.operation.fault_action(exception));
        let _ = writeln!(text, "<fault name=\"{name}\" message=\"core:{name}\" wsam:Action=\"{action}\"/>");
    }
    text.push_str("</operation>\n");
}

fn bound(text: &mut String, row: &Row) {
    let action = row.operation.action();
    let _ = writeln!(text, "<operation name=\"{}\">", row.name);
    let _ = writeln!(
        text,
        "<soap:operation soapAction=\"{action}\" soapActionRequired=\"true\" style=\"document\"/>"
    );
    for (what, headers) in [("input", row.request.0), ("output", row.answer.0)] {
        let _ = write!(text, "<{what}><soap:body use=\"literal\"/>");
        for part in headers {
            let _ = write!(text, "<soap:header message=\"core:Headers\" part=\"{part}\" use=\"literal\"/>");
        }
        let _ = writeln!(text, "</{what}>");
    }
    for name in exceptions(row.operation).map(element) {
        let _ =
            writeln!(text, "<fault name=\"{name}\"><soap:fault name=\"{name}\" use=\"literal\"/></fault>");
    }
    text.push_str("</operation>\n");
}
