//! Version 5.1.1: every operation, every exception, what was recorded, and what is refused, judged by the schemas and by others.

mod bad;
mod codes;
mod operations;
mod recordings;

use std::collections::HashSet;

use xta::server::Port;
use xta::v5::names::Operation;

use crate::bed::{Asked, Got, Judged, addressing, judge, soap_xml, validate_as};

const ID: &str = "urn:de:xta:messageid:x:1";
const AUTHOR: &str = "ags:12345678";
const READER: &str = "ags:87654321";

/// A bare envelope as a client with WS-Addressing sends it.
fn bare(operation: Operation, blocks: &str, body: &str) -> Asked {
    let envelope = envelope(&format!("{}{blocks}", addressing(operation.action())), body);
    Asked::raw(Port::V5(operation.port()), &soap_xml(operation.action()), envelope)
}

fn envelope(blocks: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" xmlns:c=\"https://xoev.de/transport/xta/core/3.1.1\">\
         <s:Header>{blocks}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn party(id: &str) -> String {
    format!("<c:Party><c:Identifier identifierScheme=\"xoev\">{id}</c:Identifier></c:Party>")
}

/// An extension with this id.
fn extensions(id: &str) -> String {
    format!(
        "<c:Extensions><c:Extension id=\"{id}\"><c:Identifier>urn:e</c:Identifier><c:Version>1.0.0</c:Version>\
         <c:Data><n:any xmlns:n=\"urn:n\">mehr</n:any></c:Data></c:Extension></c:Extensions>"
    )
}

/// Metadata of a message from the author to the reader, with every element that the schema knows.
fn meta(message_id: &str) -> String {
    let code =
        |name: &str| format!("<c:{name} listURI=\"urn:l\" listVersionID=\"1\"><code>k</code></c:{name}>");
    let party = |name: &str, id: &str, number: u8| {
        format!(
            "<c:{name} id=\"p{number}\"><c:Identifier identifierScheme=\"xoev\" name=\"N\" \
             organizationCategory=\"k\">{id}</c:Identifier>{}{}<c:Certificate>{}<c:Data><d:X509SubjectName \
             xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">CN=x</d:X509SubjectName></c:Data></c:Certificate></c:{name}>",
            code("Directory"),
            extensions(&format!("pe{number}")),
            code("Usage"),
        )
    };
    let (reader, author, sender) =
        (party("Reader", READER, 1), party("Author", AUTHOR, 2), party("Sender", "ags:1", 3));
    let (defined, context, more) = (code("Defined"), code("Context"), extensions("e1"));
    format!(
        "<c:MessageMetaData><c:XTAMessageID id=\"m\">{message_id}</c:XTAMessageID>{reader}<c:Originators>{author}\
         {sender}</c:Originators><c:Qualifier id=\"q\"><c:Service>urn:dienst</c:Service><c:BusinessScenario>{defined}\
         </c:BusinessScenario><c:MessageType messageSchema=\"urn:s\">0401</c:MessageType></c:Qualifier>\
         <c:MessageSize>21</c:MessageSize><c:DeliveryAttributes><c:Origin id=\"o\">2026-11-23T02:47:03.3Z</c:Origin>\
         <c:InitialSend id=\"i\">2026-11-23T02:47:04Z</c:InitialSend></c:DeliveryAttributes><c:ServiceQuality id=\"s\">\
         <c:Undefined>keins vereinbart</c:Undefined></c:ServiceQuality><c:AdditionalIdentifier id=\"a\">\
         <c:MessageIdentifier>4711</c:MessageIdentifier>{context}</c:AdditionalIdentifier><c:MessageProperty id=\"w\">\
         <c:Key>k</c:Key><c:Value>v</c:Value></c:MessageProperty>{more}</c:MessageMetaData>"
    )
}

/// Metadata and the party that sends.
fn sending(message_id: &str) -> String {
    format!("{}{}", meta(message_id), party(AUTHOR))
}

/// A container: a message and an attachment.
const CONTAINER: &str = "<c:ContentContainer><c:Message contentType=\"application/xml\" encoding=\"UTF-8\" \
    filename=\"nachricht.xml\" id=\"c1\" size=\"21\">PG4geG1sbnM9InVybjp0ZXN0Ii8+</c:Message><c:Attachment id=\"c2\">\
    JVBERi0xLjQ=</c:Attachment></c:ContentContainer>";

fn fetch(id: &str) -> String {
    format!("<c:MessageFetch><c:XTAMessageID id=\"m\">{id}</c:XTAMessageID></c:MessageFetch>")
}

/// A selector with these criteria.
fn criteria(inner: &str) -> String {
    format!("<c:MessageSelector><c:OtherCriteria>{inner}</c:OtherCriteria></c:MessageSelector>")
}

/// How others read these answers, which must hold to the schemas; in none of them an id may stand twice.
fn checked(got: &[Got]) -> Vec<Judged> {
    validate_as("v5", got);
    let judged = judge(got);
    for judged in &judged {
        let said = judged.elements.iter().filter_map(|line| line.split_once(" id=")?.1.split(' ').next());
        let ids: Vec<&str> = said.collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    }
    judged
}
