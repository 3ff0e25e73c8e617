//! Our client of both versions: its requests judged by the schemas, its reading by what JAX-WS answered, both by our own server.

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};

use xta::client::{ACCEPT, Call, Client, Reply, Request, Sink};
use xta::model::{Content, ContentRole, Extension, Key, MetaData, Party, Severity, Status, Version};
use xta::server::backend::{Contents, Rest, Selector};
use xta::{Error, Exception, Fault};

use crate::bed::{Asked, Got, judge, shared, validate_as};
use crate::memory::{AUTHOR, Handed, LOCKED, Memory};

const READER: &str = "ags:87654321";
const ID: &str = "urn:de:xta:messageid:test:00000000-0000-4000-8000-000000000001";

fn party(id: &str) -> Party {
    Party { id: id.into(), scheme: Some("xoev".into()), ..Party::default() }
}

/// Both versions, each with the folder of its recordings.
const VERSIONS: [(Version, &str); 2] = [(Version::V3, "v3"), (Version::V5, "v5")];

fn client(version: Version, id: &str, as_packages: bool) -> Client {
    Client { version, party: party(id), as_packages, limits: soap::message::Limits::default() }
}

/// Everything that waits.
fn all() -> Selector {
    Selector::default()
}

fn meta() -> MetaData {
    let list = "urn:t".to_owned();
    MetaData {
        author: party(AUTHOR),
        reader: party(READER),
        message_id: ID.into(),
        subject: Some("Müller & Söhne".into()),
        service: "urn:dienst".into(),
        message_type: Key { code: "0401".into(), list, version: "1.0".into(), ..Key::default() },
        payload_schema: "urn:s".into(),
        ..MetaData::default()
    }
}

/// A message and an attachment that base64 makes longer.
fn contents() -> Handed {
    let message = Content { media_type: "application/xml".into(), size: Some(4), ..Content::default() };
    let attachment = Content {
        role: ContentRole::Attachment,
        media_type: "application/pdf".into(),
        file_name: Some("plan.pdf".into()),
        ..Content::default()
    };
    Handed::of(vec![(message, b"<a/>".to_vec()), (attachment, vec![0xfe; 100_001])])
}

/// What was read of a message.
#[derive(Default)]
struct Taken(Vec<(usize, Content, Vec<u8>)>);

impl Sink for Taken {
    fn content(&mut self, index: usize, content: &Content) -> xta::Result<&mut dyn Write> {
        self.0.push((index, content.clone(), Vec::new()));
        Ok(&mut self.0.last_mut().unwrap().2)
    }
}

fn bytes(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.body.open().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Asks our own server over this backend.
fn ask<T>(
    client: &Client,
    backend: &Memory,
    call: &Call<'_>,
    read: impl FnOnce(Reply<Cursor<Vec<u8>>>) -> xta::Result<T>,
) -> xta::Result<T> {
    let request = client.request("https://xta.example.test/xta", call)?;
    let asked = Asked {
        accept: Some(ACCEPT.to_owned()),
        ..Asked::raw(request.operation.port(), &request.content_type, bytes(&request))
    };
    let Got { status, content_type, body } = asked.of(backend);
    client.open(&request, status, &content_type, Cursor::new(body)).and_then(read)
}

#[test]
fn every_request_is_valid_bare_and_as_a_package() {
    let (meta, contents) = (meta(), contents());
    let asked = [(party(READER), "urn:a".to_owned()), (party(AUTHOR), "urn:b".to_owned())];
    let moment = Some("2026-11-23T02:51:01.554Z".parse().unwrap());
    let narrow = Selector { is_new: Some(true), from: moment.clone(), to: moment, ..Selector::default() };
    let named = Selector { message_ids: vec![ID.into(), "urn:b".into()], ..Selector::default() };
    let all = all();
    let calls = [
        Call::CheckAccountActive,
        Call::LookupService(&asked),
        Call::CreateMessageId,
        Call::TransportReport(ID),
        Call::Send(&meta, &contents),
        Call::SendSync(&meta, &contents),
        Call::Deliver(&meta, &contents),
        Call::StatusList(&all, 7),
        Call::StatusList(&narrow, 7),
        Call::StatusList(&named, 7),
        Call::Message(ID),
        Call::Close(ID, "urn:uuid:1"),
    ];
    for (version, schemas) in VERSIONS {
        let mut written = Vec::new();
        for as_packages in [false, true] {
            let client = client(version, AUTHOR, as_packages);
            for call in &calls {
                let request = client.request("https://xta.test/a?b&c", call).unwrap();
                assert_eq!(request.content_type.starts_with("multipart/related"), as_packages);
                assert!(request.content_type.contains(call.operation(version).action()));
                let body = bytes(&request);
                written.push(Got { status: 200, content_type: request.content_type, body });
            }
        }
        validate_as(schemas, &written);
    }
}

#[test]
fn in_version_5_every_request_says_who_calls_and_no_id_stands_twice() {
    let extension = Extension {
        identifier: "urn:e".into(),
        version: "1.0.0".into(),
        data: "<c:Data xmlns:c=\"https://xoev.de/transport/xta/core/3.1.1\">x</c:Data>".into(),
    };
    let mut client = client(Version::V5, AUTHOR, false);
    client.party.extensions = vec![extension.clone()];
    let (meta, contents) = (MetaData { extensions: vec![extension], ..meta() }, contents());
    let selector = Selector { message_ids: vec![ID.into(), "urn:b".into()], ..Selector::default() };
    let calls = [
        Call::CheckAccountActive,
        Call::CreateMessageId,
        Call::TransportReport(ID),
        Call::Send(&meta, &contents),
        Call::Deliver(&meta, &contents),
        Call::StatusList(&selector, 7),
        Call::Close(ID, ""),
    ];
    let written = calls.map(|call| {
        let request = client.request("https://xta.test/", &call).unwrap();
        let body = bytes(&request);
        Got { status: 200, content_type: request.content_type, body }
    });
    validate_as("v5", &written);
    for judged in judge(&written) {
        assert_eq!(judged.shown("Party").count(), 1);
        let said = judged.elements.iter().filter_map(|line| line.split_once(" id=")?.1.split(' ').next());
        let ids: Vec<&str> = said.collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn a_message_goes_from_its_author_to_its_reader_over_our_own_server() {
    for (version, as_packages) in
        [(Version::V3, false), (Version::V3, true), (Version::V5, false), (Version::V5, true)]
    {
        let backend = Memory::default();
        let [author, reader] = [AUTHOR, READER].map(|id| client(version, id, as_packages));
        is_sent(&author, &backend);
        is_fetched(&reader, &backend);
    }
}

fn is_sent(author: &Client, backend: &Memory) {
    ask(author, backend, &Call::CheckAccountActive, Reply::nothing).unwrap();
    assert_eq!(ask(author, backend, &Call::CreateMessageId, Reply::message_id).unwrap(), ID);
    let asked = [(party(READER), "urn:a".to_owned()), (party(AUTHOR), "urn:unknown".to_owned())];
    let services = ask(author, backend, &Call::LookupService(&asked), Reply::services).unwrap();
    let said: Vec<_> = services
        .iter()
        .map(|((reader, service), availability)| {
            (reader.id.as_str(), service.as_str(), availability.is_available)
        })
        .collect();
    assert_eq!(said, [(READER, "urn:a", Some(true)), (AUTHOR, "urn:unknown", None)]);
    assert_eq!(services[0].1.parameters[0].1, b"certificate");
    let (meta, contents) = (meta(), contents());
    ask(author, backend, &Call::Send(&meta, &contents), Reply::nothing).unwrap();
    let again = ask(author, backend, &Call::Send(&meta, &contents), Reply::nothing).unwrap_err();
    assert!(matches!(again, Error::Fault(Fault::USED_ID)), "{again:?}");
    let report = ask(author, backend, &Call::TransportReport(ID), Reply::report).unwrap();
    assert_eq!((report.status, report.records.len()), (Status::Red, 4));
    assert_eq!(report.records[0].severity, Severity::Error);
    assert_eq!(report.meta.subject, meta.subject);
    let unknown = ask(author, backend, &Call::TransportReport("urn:x"), Reply::report).unwrap_err();
    assert!(matches!(unknown, Error::Fault(Fault::UNKNOWN_ID)), "{unknown:?}");
}

fn is_fetched(reader: &Client, backend: &Memory) {
    let listed = ask(reader, backend, &Call::StatusList(&all(), 10), Reply::list).unwrap();
    assert_eq!((listed.entries.len(), listed.position.rest), (1, Rest::Pending(0)));
    let (meta, contents, mut taken) = (meta(), contents(), Taken::default());
    let call = Call::Message(&listed.entries[0].message_id);
    let got = ask(reader, backend, &call, |reply| reply.message(&mut taken)).unwrap().unwrap();
    assert_eq!((got.author.id.as_str(), got.message_type), (AUTHOR, meta.message_type));
    for (index, content, bytes) in &taken.0 {
        let (sent, length) = &contents.list()[*index];
        // Version 5 gives each content an id.
        let content = Content { id: sent.id.clone(), ..content.clone() };
        assert_eq!((&content, bytes.len() as u64), (sent, *length));
    }
    assert_eq!(taken.0.len(), 2);
    // What was fetched and not closed is not new, and is there still.
    let new = Selector { is_new: Some(true), ..Selector::default() };
    let counts = [new, all()]
        .map(|it| ask(reader, backend, &Call::StatusList(&it, 10), Reply::list).unwrap().entries.len());
    assert_eq!(counts, [0, 1]);
    let close = Call::Close(ID, &listed.position.iterator);
    ask(reader, backend, &close, Reply::nothing).unwrap();
    let empty = ask(reader, backend, &Call::StatusList(&all(), 10), Reply::list).unwrap();
    assert!(empty.entries.is_empty() && matches!(empty.position.rest, Rest::Nothing(_)));
}

#[test]
fn a_synchronous_message_is_answered_with_a_message() {
    let (meta, contents) = (meta(), contents());
    for (version, as_packages) in [(Version::V3, true), (Version::V5, false), (Version::V5, true)] {
        let (author, mut taken) = (client(version, AUTHOR, as_packages), Taken::default());
        let call = Call::SendSync(&meta, &contents);
        let reply = ask(&author, &Memory::default(), &call, |reply| reply.message(&mut taken)).unwrap();
        assert_eq!(reply.unwrap().message_id, ID);
        assert_eq!(taken.0.len(), 2);
    }
}

#[test]
fn what_is_delivered_to_a_reader_need_not_be_answered_in_version_5() {
    let (backend, mut taken) = (Memory::default(), Taken::default());
    let (meta, contents) = (meta(), contents());
    let call = Call::Deliver(&meta, &contents);
    let recipient = client(Version::V5, READER, true);
    let reply = ask(&recipient, &backend, &call, |reply| reply.message(&mut taken)).unwrap();
    assert!(reply.is_none() && taken.0.is_empty());
    assert_eq!(backend.boxes.lock().unwrap().len(), 1);
}

/// Reads what JAX-WS answered to a request of its own: the version, and the number of the pair.
fn recorded<T>(
    (version, folder): (Version, &str),
    number: &str,
    call: &Call<'_>,
    read: impl FnOnce(Reply<Cursor<Vec<u8>>>) -> xta::Result<T>,
) -> xta::Result<T> {
    let whole =
        std::fs::read(shared(&format!("samples/xta/{folder}-jaxws-wire/{number}_response.http"))).unwrap();
    let at = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(whole[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let content_type = head.lines().find_map(|line| line.strip_prefix("Content-type: ")).unwrap();
    let text = String::from_utf8_lossy(&whole);
    let related = text.split("<RelatesTo").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    let client = client(version, AUTHOR, false);
    let mut request = client.request("https://xta.test/", call).unwrap();
    request.message_id = related.unwrap_or("none").to_owned();
    client.open(&request, status, content_type, Cursor::new(whole[at + 4..].to_vec())).and_then(read)
}

fn code(outcome: xta::Result<()>) -> (u16, Exception) {
    match outcome.unwrap_err() {
        Error::Fault(fault) => (fault.code, fault.exception),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_jax_ws_answered_is_read() {
    let v3 = VERSIONS[0];
    recorded(v3, "01", &Call::CheckAccountActive, Reply::nothing).unwrap();
    let id = recorded(v3, "03", &Call::CreateMessageId, Reply::message_id).unwrap();
    assert!(id.starts_with("urn:de:xta:messageid:"), "{id}");
    recorded(v3, "04", &Call::CreateMessageId, Reply::nothing).unwrap();
    let report = recorded(v3, "06", &Call::TransportReport(&id), Reply::report).unwrap();
    assert_eq!(report.meta.message_id, id);
    let listed = recorded(v3, "07", &Call::StatusList(&all(), 10), Reply::list).unwrap();
    assert_eq!(listed.entries[0].message_id, id);
    assert!(listed.position.iterator.starts_with("urn:uuid:"));
    let mut taken = Taken::default();
    let meta = recorded(v3, "08", &Call::Message(&id), |reply| reply.message(&mut taken)).unwrap();
    assert_eq!(meta.unwrap().message_id, id);
    assert!(taken.0.iter().all(|(_, _, bytes)| !bytes.is_empty()) && taken.0.len() > 1);
    recorded(v3, "09", &Call::Close(&id, "1"), Reply::nothing).unwrap();
    let unknown = recorded(v3, "12", &Call::Message("x"), |reply| reply.message(&mut Taken::default()));
    assert_eq!(code(unknown.map(drop)), (9070, Exception::InvalidMessageId));
    assert_eq!(code(recorded(v3, "14", &Call::CreateMessageId, Reply::nothing)).1, Exception::CancelDenied);
}

#[test]
fn what_jax_ws_answered_in_version_5_is_read() {
    let v5 = VERSIONS[1];
    recorded(v5, "01", &Call::CheckAccountActive, Reply::nothing).unwrap();
    let id = recorded(v5, "03", &Call::CreateMessageId, Reply::message_id).unwrap();
    assert!(id.starts_with("urn:de:xta:messageid:"), "{id}");
    let (own, contents) = (meta(), contents());
    recorded(v5, "04", &Call::Send(&own, &contents), Reply::nothing).unwrap();
    let listed = recorded(v5, "06", &Call::StatusList(&all(), 10), Reply::list).unwrap();
    assert_eq!((listed.entries.len(), listed.position.rest), (1, Rest::Pending(0)));
    assert_eq!(listed.entries[0].message_id, id);
    assert_eq!(listed.entries[0].payload_schema, "urn:xoev-de:xdomea:schema:3.1.0");
    let mut taken = Taken::default();
    let meta = recorded(v5, "07", &Call::Message(&id), |reply| reply.message(&mut taken)).unwrap();
    assert_eq!(meta.unwrap().message_id, id);
    let lengths: Vec<usize> = taken.0.iter().map(|(_, _, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [33, 2000]);
    recorded(v5, "08", &Call::Close(&id, ""), Reply::nothing).unwrap();
    let report = recorded(v5, "09", &Call::TransportReport(&id), Reply::report).unwrap();
    assert_eq!((report.meta.message_id, report.status), (id, Status::Green));
    let locked = code(recorded(v5, "12", &Call::CheckAccountActive, Reply::nothing));
    assert_eq!(locked, (9011, Exception::PermissionDenied));
    let call = Call::Deliver(&own, &contents);
    let mut taken = Taken::default();
    let reply = recorded(v5, "15", &call, |reply| reply.message(&mut taken)).unwrap();
    assert!(reply.is_none() && taken.0.is_empty());
}

#[test]
fn every_fault_of_ours_is_read_as_what_it_is() {
    for (version, _) in VERSIONS {
        for code in [9000, 9010, 9011, 9014, 9020, 9023, 9024, 9030, 9031, 9032, 9050, 9060, 9070, 9080, 9100]
        {
            let backend = Memory::refusing(Fault::of(code));
            let author = client(version, AUTHOR, true);
            let refused = ask(&author, &backend, &Call::CreateMessageId, Reply::message_id);
            assert!(matches!(refused, Err(Error::Fault(fault)) if fault == Fault::of(code)), "{code}");
            let (meta, contents) = (meta(), contents());
            let call = Call::SendSync(&meta, &contents);
            let refused = ask(&author, &backend, &call, |reply| reply.message(&mut Taken::default()));
            assert!(matches!(refused, Err(Error::Fault(fault)) if fault == Fault::of(code)), "{code}");
        }
        let locked = client(version, LOCKED, false);
        let locked = ask(&locked, &Memory::default(), &Call::CheckAccountActive, Reply::nothing);
        assert!(matches!(locked, Err(Error::Fault(Fault::LOCKED))));
    }
}

/// What version 5 makes of a fault with these in its detail, as an answer to a question for a report.
fn told_v5(detail: &str) -> Error {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:c=\"https://xoev.de/transport/xta/core/3.1.1\"><s:Body>{}</s:Body></s:Envelope>",
        fault(detail)
    );
    let client = client(Version::V5, AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::TransportReport(ID)).unwrap();
    client.open(&request, 500, "application/soap+xml", envelope.as_bytes()).err().unwrap()
}

#[test]
fn in_version_5_the_exception_counts_where_its_code_is_not_known() {
    let element = |name: &str, code: &str| {
        format!(
            "<c:{name}><c:ErrorCode listURI=\"urn:l\" listVersionID=\"1\"><code>{code}</code></c:ErrorCode></c:{name}>"
        )
    };
    for (name, said, code, exception) in [
        ("PermissionDeniedException", "9011", 9011, Exception::PermissionDenied),
        ("PermissionDeniedException", "9070", 9070, Exception::PermissionDenied),
        ("PermissionDeniedException", "A1", 9000, Exception::PermissionDenied),
        ("InvalidMessageIDException", "4711", 9070, Exception::InvalidMessageId),
        ("TechnicalProblemException", "9030", 9030, Exception::XtaWsTechnicalProblem),
        // Reports have no exception for a directory that fails.
        ("TechnicalProblemException", "9031", 9031, Exception::XtaWsTechnicalProblem),
        ("ExternalServiceUnavailableException", "7", 7, Exception::ExternalServiceUnavailable),
        ("NotImplementedException", "9000", 9000, Exception::NotImplemented),
        ("UnsupportedExtensionException", "x", 9000, Exception::UnsupportedExtension),
    ] {
        let beside = format!("<e:trace xmlns:e=\"urn:e\"><code>1</code></e:trace>{}", element(name, said));
        for detail in [element(name, said), beside] {
            let error = told_v5(&detail);
            let expected = Fault { code, exception };
            assert!(matches!(error, Error::Fault(fault) if fault == expected), "{name} {said}: {error:?}");
        }
    }
    let older = element("PermissionDeniedException", "9012").replace(
        "<c:PermissionDeniedException>",
        "<c:PermissionDeniedException xmlns:c=\"https://xoev.de/transport/xta/core/3.1.0\">",
    );
    assert!(matches!(told_v5(&older), Error::Fault(Fault::NO_ACCOUNT)));
    let of_v3 = "<x:PermissionDeniedException xmlns:x=\"http://xoev.de/transport/xta/211\"/>";
    assert!(matches!(told_v5(of_v3), Error::OtherFault(_)));
}

/// What is made of an answer in SOAP with this in its body.
fn told(status: u16, body: &str) -> Error {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:x=\"http://xoev.de/transport/xta/211\"><s:Body>{body}</s:Body></s:Envelope>"
    );
    let client = client(Version::V3, AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::CreateMessageId).unwrap();
    let reply = client.open(&request, status, "application/soap+xml", envelope.as_bytes());
    reply.and_then(Reply::message_id).unwrap_err()
}

fn fault(detail: &str) -> String {
    format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang=\"de\">x</s:Text>\
         </s:Reason><s:Detail>{detail}</s:Detail></s:Fault>"
    )
}

#[test]
fn faults_of_the_field_are_understood() {
    let own = "<x:PermissionDeniedException><x:errorCode><code>9999</code><name>n</name></x:errorCode>\
               </x:PermissionDeniedException>";
    let beside = format!("<e:exception xmlns:e=\"urn:e\"><code>1</code></e:exception>{own}");
    let odd = own.replace("9999", "kaputt");
    for (status, detail, code) in
        [(500, own, 9999), (500, &*beside, 9999), (200, own, 9999), (500, &*odd, 9000)]
    {
        let error = told(status, &fault(detail));
        let expected = Fault { code, exception: Exception::PermissionDenied };
        assert!(matches!(error, Error::Fault(fault) if fault == expected), "{error:?}");
    }
    let other = told(500, &fault("<e:exception xmlns:e=\"urn:e\"/>"));
    assert!(matches!(other, Error::OtherFault(soap::fault::Code::Receiver)), "{other:?}");
    assert!(matches!(told(500, ""), Error::Status(500)));
    assert!(matches!(told(200, ""), Error::Malformed(_)));
    let client = client(Version::V3, AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::CreateMessageId).unwrap();
    let page = client.open(&request, 403, "text/html", &b"<html>"[..]).err().unwrap();
    assert!(matches!(page, Error::Status(403)), "{page:?}");
}

#[test]
fn an_answer_to_another_request_is_none() {
    let envelope = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><a:RelatesTo \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\">urn:uuid:other</a:RelatesTo></s:Header><s:Body/>\
         </s:Envelope>";
    let client = client(Version::V3, AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::CheckAccountActive).unwrap();
    let outcome = client.open(&request, 200, "application/soap+xml", envelope.as_bytes());
    assert!(matches!(outcome.err(), Some(Error::Malformed(_))));
}
