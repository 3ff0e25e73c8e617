//! The description of the service in version 3 (WSDL 1.1 over SOAP 1.2), for tools that make clients of it: made of one table with a row
//! for each operation. The schemas of XTA 2 are not part of it. It names their files as the standard does, so whoever puts
//! it beside them can use it.

use std::collections::BTreeSet;
use std::fmt::Write;

use ::xta::v3::names::{Operation, Port};

/// Element of nothing: an empty body.
const EMPTY: &str = "";
/// The caller, in the header.
const AUTHOR: &[&str] = &["AuthorIdentifier"];
/// Metadata of a message that is sent, in the header.
const MESSAGE: &[&str] = &["MessageMetaData", "X509TokenContainer"];
/// Where a message box stands, in the header.
const BOX: &[&str] = &["FetchResponseHeader"];
/// A message of a box, in the header.
const BOXED: &[&str] = &["MessageMetaData", "FetchResponseHeader"];
/// Parts of headers with their elements.
const HEADERS: [(&str, &str); 4] = [
    ("AuthorIdentifier", "oscimeta:Author"),
    ("MessageMetaData", "oscimeta:MessageMetaData"),
    ("FetchResponseHeader", "osci:MsgBoxResponse"),
    ("X509TokenContainer", "osci:X509TokenContainer"),
];
/// Exceptions that every operation knows.
const ALWAYS: [&str; 2] = ["PermissionDeniedException", "XTAWSTechnicalProblemException"];
const PARAMETERS: &str = "ParameterIsNotValidException";
const UNKNOWN_ID: &str = "InvalidMessageIDException";
const SENDING: &[&str] =
    &[PARAMETERS, "MessageSchemaViolationException", "MessageVirusDetectionException", "SyncAsyncException"];
const CONTAINER: &str = "xta:GenericContentContainer";
const NEXT: &str = "osci:MsgBoxGetNextRequest";
const LIST: &str = "osci:MsgStatusList";
const MESSAGE_ID: &str = "wsa:MessageID";

/// An operation: header and body of request and answer, and further exceptions.
struct Row {
    operation: Operation,
    name: &'static str,
    request: (&'static [&'static str], &'static str),
    answer: (&'static [&'static str], &'static str),
    exceptions: &'static [&'static str],
}

const fn row(
    operation: Operation,
    name: &'static str,
    request: (&'static [&'static str], &'static str),
    answer: (&'static [&'static str], &'static str),
    exceptions: &'static [&'static str],
) -> Row {
    Row { operation, name, request, answer, exceptions }
}

#[rustfmt::skip]
const ROWS: [Row; 12] = [
    row(Operation::CheckAccountActive, "checkAccountActive", (AUTHOR, EMPTY), (&[], EMPTY), &[]),
    row(Operation::LookupService, "lookupService", (AUTHOR, "xta:LookupServiceRequest"), (&[], "xta:LookupServiceResponse"), &[PARAMETERS]),
    row(Operation::GetTransportReport, "getTransportReport", (AUTHOR, MESSAGE_ID), (&[], "xta:TransportReport"), &[UNKNOWN_ID]),
    row(Operation::CancelMessage, "cancelMessage", (AUTHOR, MESSAGE_ID), (&[], EMPTY), &[PARAMETERS, "CancelDeniedException"]),
    row(Operation::CreateMessageId, "createMessageId", (AUTHOR, EMPTY), (&[], MESSAGE_ID), &[]),
    row(Operation::SendMessage, "sendMessage", (MESSAGE, CONTAINER), (&[], EMPTY), SENDING),
    row(Operation::SendMessageSync, "sendMessageSync", (MESSAGE, CONTAINER), (MESSAGE, CONTAINER), SENDING),
    row(Operation::GetStatusList, "getStatusList", (AUTHOR, "osci:MsgBoxStatusListRequest"), (BOX, LIST), &[]),
    row(Operation::GetMessage, "getMessage", (AUTHOR, "osci:MsgBoxFetchRequest"), (BOXED, CONTAINER), &[UNKNOWN_ID]),
    row(Operation::GetNextMessage, "getNextMessage", (AUTHOR, NEXT), (BOXED, CONTAINER), &[UNKNOWN_ID]),
    row(Operation::GetNextStatusList, "getNextStatusList", (AUTHOR, NEXT), (BOX, LIST), &[]),
    row(Operation::Close, "close", (AUTHOR, "osci:MsgBoxCloseRequest"), (&[], EMPTY), &[UNKNOWN_ID]),
];

/// A port: name, type, binding, and last step of its path.
const PORTS: [(Port, &str, &str, &str, &str); 3] = [
    (Port::Management, "ManagementPort", "managementPortType", "managementHttpsBinding", "management"),
    (Port::Send, "SendXtaPort", "sendPortType", "sendXTAHttpsBinding", "send"),
    (Port::MessageBox, "MsgBoxPort", "msgBoxPortType", "msgBoxHttpsBinding", "msgbox"),
];

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions name="XTA" targetNamespace="http://xoev.de/transport/xta/211" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:xta="http://xoev.de/transport/xta/211" xmlns:osci="http://www.osci.eu/ws/2008/05/transport"
    xmlns:oscimeta="http://www.osci.eu/ws/2014/10/transport" xmlns:wsa="http://www.w3.org/2005/08/addressing"
    xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata" xmlns:wsp="http://www.w3.org/ns/ws-policy"
    xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    xmlns:mtom="http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization">
<wsp:Policy wsu:Id="wire"><wsp:All>
<wsam:Addressing><wsp:Policy><wsam:AnonymousResponses/></wsp:Policy></wsam:Addressing>
<mtom:OptimizedMimeSerialization wsp:Optional="true"/>
</wsp:All></wsp:Policy>
<types><xs:schema targetNamespace="http://xoev.de/transport/xta/211">
<xs:import namespace="http://www.osci.eu/ws/2014/10/transport" schemaLocation="OSCI_MessageMetaData_V2.02.xsd"/>
<xs:import namespace="http://www.osci.eu/ws/2008/05/transport" schemaLocation="OSCI2_02.xsd"/>
<xs:include schemaLocation="XTA-Webservice-Globale-Elemente.xsd"/>
<xs:include schemaLocation="XTA-Webservice-Exceptions.xsd"/>
</xs:schema></types>
"#;

/// The description, with ports at `https://HOST/xta/v3/…`. `host` must be one.
pub(super) fn wsdl(host: &str) -> String {
    let mut text = HEAD.to_owned();
    messages(&mut text);
    for (port, _, kind, ..) in PORTS {
        let _ = writeln!(text, "<portType name=\"{kind}\">");
        rows(port).for_each(|row| operation(&mut text, row));
        text += "</portType>\n";
    }
    for (port, _, kind, binding, _) in PORTS {
        let _ = writeln!(text, "<binding name=\"{binding}\" type=\"xta:{kind}\">");
        text += "<soap:binding style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n";
        text += "<wsp:PolicyReference URI=\"#wire\"/>\n";
        rows(port).for_each(|row| bound(&mut text, row));
        text += "</binding>\n";
    }
    text += "<service name=\"XTAService\">\n";
    for (_, name, _, binding, path) in PORTS {
        let address = format!("<soap:address location=\"https://{host}/xta/v3/{path}\"/>");
        let _ = writeln!(text, "<port name=\"{name}\" binding=\"xta:{binding}\">{address}</port>");
    }
    text + "</service>\n</definitions>\n"
}

fn rows(port: Port) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.operation.port() == port)
}

fn exceptions(row: &Row) -> impl Iterator<Item = &'static str> {
    ALWAYS.into_iter().chain(row.exceptions.iter().copied())
}

/// The name of a message with this body.
fn message(element: &str) -> &str {
    element.split_once(':').map_or("Empty", |(_, local)| local)
}

fn messages(text: &mut String) {
    text.push_str("<message name=\"Headers\">");
    for (part, element) in HEADERS {
        let _ = write!(text, "<part name=\"{part}\" element=\"{element}\"/>");
    }
    text.push_str("</message>\n<message name=\"Empty\"/>\n");
    let bodies = ROWS.iter().flat_map(|row| [row.request.1, row.answer.1]).map(str::to_owned);
    let faults = ROWS.iter().flat_map(exceptions).map(|name| format!("xta:{name}"));
    let all: BTreeSet<String> = bodies.chain(faults).filter(|element| !element.is_empty()).collect();
    for element in all {
        let part = format!("<part name=\"body\" element=\"{element}\"/>");
        let _ = writeln!(text, "<message name=\"{}\">{part}</message>", message(&element));
    }
}

fn operation(text: &mut String, row: &Row) {
    let action = row.operation.action();
    let _ = writeln!(text, "<operation name=\"{}\">", row.name);
    for (what, element) in [("input", row.request.1), ("output", row.answer.1)] {
        let _ = writeln!(text, "<{what} message=\"xta:{}\" wsam:Action=\"{action}\"/>", message(element));
    }
    for name in exceptions(row) {
        let _ = writeln!(text, "<fault name=\"{name}\" message=\"xta:{name}\" wsam:Action=\"{action}\"/>");
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
            let _ = write!(text, "<soap:header message=\"xta:Headers\" part=\"{part}\" use=\"literal\"/>");
        }
        let _ = writeln!(text, "</{what}>");
    }
    for name in exceptions(row) {
        let _ =
            writeln!(text, "<fault name=\"{name}\"><soap:fault name=\"{name}\" use=\"literal\"/></fault>");
    }
    text.push_str("</operation>\n");
}
