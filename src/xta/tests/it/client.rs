//! Our client: its requests judged by the schemas, its reading by what JAX-WS answered, both by our own server.

use std::io::{Cursor, Read, Write};

use xta::client::{ACCEPT, Call, Client, Reply, Request, Sink};
use xta::model::{Content, ContentRole, Key, MetaData, Party, Severity, Status};
use xta::server::Port;
use xta::server::backend::{Contents, Rest};
use xta::{Error, Exception, Fault};

use crate::bed::{Asked, Got, shared, validate};
use crate::memory::{AUTHOR, Handed, LOCKED, Memory};

const READER: &str = "ags:87654321";
const ID: &str = "urn:de:xta:messageid:test:00000000-0000-4000-8000-000000000001";

fn party(id: &str) -> Party {
    Party { id: id.into(), scheme: Some("xoev".into()), ..Party::default() }
}

fn client(id: &str, as_packages: bool) -> Client {
    Client { party: party(id), as_packages, limits: soap::message::Limits::default() }
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
        ..Asked::raw(Port::V3(request.operation.port()), &request.content_type, bytes(&request))
    };
    let Got { status, content_type, body } = asked.of(backend);
    client.open(&request, status, &content_type, Cursor::new(body)).and_then(read)
}

#[test]
fn every_request_is_valid_bare_and_as_a_package() {
    let (meta, contents) = (meta(), contents());
    let asked = [(party(READER), "urn:a".to_owned()), (party(AUTHOR), "urn:b".to_owned())];
    let calls = [
        Call::CheckAccountActive,
        Call::LookupService(&asked),
        Call::CreateMessageId,
        Call::TransportReport(ID),
        Call::Send(&meta, &contents),
        Call::SendSync(&meta, &contents),
        Call::StatusList(7),
        Call::Message(ID),
        Call::Close(ID, "urn:uuid:1"),
    ];
    let mut written = Vec::new();
    for as_packages in [false, true] {
        for call in &calls {
            let request = client(AUTHOR, as_packages).request("https://xta.test/a?b&c", call).unwrap();
            assert_eq!(request.content_type.starts_with("multipart/related"), as_packages);
            let body = bytes(&request);
            written.push(Got { status: 200, content_type: request.content_type, body });
        }
    }
    validate(&written);
}

#[test]
fn a_message_goes_from_its_author_to_its_reader_over_our_own_server() {
    for as_packages in [false, true] {
        let backend = Memory::default();
        let (author, reader) = (client(AUTHOR, as_packages), client(READER, as_packages));
        ask(&author, &backend, &Call::CheckAccountActive, Reply::nothing).unwrap();
        assert_eq!(ask(&author, &backend, &Call::CreateMessageId, Reply::message_id).unwrap(), ID);
        let asked = [(party(READER), "urn:a".to_owned()), (party(AUTHOR), "urn:unknown".to_owned())];
        let services = ask(&author, &backend, &Call::LookupService(&asked), Reply::services).unwrap();
        let said: Vec<_> = services
            .iter()
            .map(|((reader, service), availability)| {
                (reader.id.as_str(), service.as_str(), availability.is_available)
            })
            .collect();
        assert_eq!(said, [(READER, "urn:a", Some(true)), (AUTHOR, "urn:unknown", None)]);
        assert_eq!(services[0].1.parameters[0].1, b"certificate");
        let (meta, contents) = (meta(), contents());
        ask(&author, &backend, &Call::Send(&meta, &contents), Reply::nothing).unwrap();
        let again = ask(&author, &backend, &Call::Send(&meta, &contents), Reply::nothing).unwrap_err();
        assert!(matches!(again, Error::Fault(Fault::USED_ID)), "{again:?}");
        let report = ask(&author, &backend, &Call::TransportReport(ID), Reply::report).unwrap();
        assert_eq!((report.status, report.records.len()), (Status::Red, 4));
        assert_eq!(report.records[0].severity, Severity::Error);
        assert_eq!(report.meta.subject, meta.subject);
        let listed = ask(&reader, &backend, &Call::StatusList(10), Reply::list).unwrap();
        assert_eq!((listed.entries.len(), listed.position.rest), (1, Rest::Pending(0)));
        let mut taken = Taken::default();
        let call = Call::Message(&listed.entries[0].message_id);
        let got = ask(&reader, &backend, &call, |reply| reply.message(&mut taken)).unwrap().unwrap();
        assert_eq!((got.author.id.as_str(), got.message_type), (AUTHOR, meta.message_type));
        for (index, content, bytes) in &taken.0 {
            let (sent, length) = &contents.list()[*index];
            assert_eq!((content, bytes.len() as u64), (sent, *length));
        }
        assert_eq!(taken.0.len(), 2);
        let close = Call::Close(ID, &listed.position.iterator);
        ask(&reader, &backend, &close, Reply::nothing).unwrap();
        let empty = ask(&reader, &backend, &Call::StatusList(10), Reply::list).unwrap();
        assert!(empty.entries.is_empty() && matches!(empty.position.rest, Rest::Nothing(_)));
    }
}

#[test]
fn a_synchronous_message_is_answered_with_a_message() {
    let (meta, contents, mut taken) = (meta(), contents(), Taken::default());
    let author = client(AUTHOR, true);
    let call = Call::SendSync(&meta, &contents);
    let reply = ask(&author, &Memory::default(), &call, |reply| reply.message(&mut taken)).unwrap();
    assert_eq!(reply.unwrap().message_id, ID);
    assert_eq!(taken.0.len(), 2);
}

/// Reads what JAX-WS answered to a request of its own. The first number is that of the pair.
fn recorded<T>(
    number: &str,
    call: &Call<'_>,
    read: impl FnOnce(Reply<Cursor<Vec<u8>>>) -> xta::Result<T>,
) -> xta::Result<T> {
    let whole = std::fs::read(shared(&format!("samples/xta/v3-jaxws-wire/{number}_response.http"))).unwrap();
    let at = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(whole[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let content_type = head.lines().find_map(|line| line.strip_prefix("Content-type: ")).unwrap();
    let text = String::from_utf8_lossy(&whole);
    let related = text.split("<RelatesTo").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    let client = client(AUTHOR, false);
    let mut request = client.request("https://xta.test/", call).unwrap();
    request.message_id = related.unwrap_or("none").to_owned();
    client.open(&request, status, content_type, Cursor::new(whole[at + 4..].to_vec())).and_then(read)
}

#[test]
fn what_jax_ws_answered_is_read() {
    let code = |outcome: xta::Result<()>| match outcome.unwrap_err() {
        Error::Fault(fault) => (fault.code, fault.exception),
        other => panic!("{other:?}"),
    };
    recorded("01", &Call::CheckAccountActive, Reply::nothing).unwrap();
    let id = recorded("03", &Call::CreateMessageId, Reply::message_id).unwrap();
    assert!(id.starts_with("urn:de:xta:messageid:"), "{id}");
    recorded("04", &Call::CreateMessageId, Reply::nothing).unwrap();
    let report = recorded("06", &Call::TransportReport(&id), Reply::report).unwrap();
    assert_eq!(report.meta.message_id, id);
    let listed = recorded("07", &Call::StatusList(10), Reply::list).unwrap();
    assert_eq!(listed.entries[0].message_id, id);
    assert!(listed.position.iterator.starts_with("urn:uuid:"));
    let mut taken = Taken::default();
    let meta = recorded("08", &Call::Message(&id), |reply| reply.message(&mut taken)).unwrap();
    assert_eq!(meta.unwrap().message_id, id);
    assert!(taken.0.iter().all(|(_, _, bytes)| !bytes.is_empty()) && taken.0.len() > 1);
    recorded("09", &Call::Close(&id, "1"), Reply::nothing).unwrap();
    let unknown = recorded("12", &Call::Message("x"), |reply| reply.message(&mut Taken::default()));
    assert_eq!(code(unknown.map(drop)), (9070, Exception::InvalidMessageId));
    assert_eq!(code(recorded("14", &Call::CreateMessageId, Reply::nothing)).1, Exception::CancelDenied);
}

#[test]
fn every_fault_of_ours_is_read_as_what_it_is() {
    for code in [9000, 9010, 9011, 9014, 9020, 9023, 9024, 9030, 9032, 9050, 9060, 9070, 9080, 9100] {
        let backend = Memory::refusing(Fault::of(code));
        let refused = ask(&client(AUTHOR, true), &backend, &Call::CreateMessageId, Reply::message_id);
        assert!(matches!(refused, Err(Error::Fault(fault)) if fault == Fault::of(code)), "{code}");
    }
    let locked = ask(&client(LOCKED, false), &Memory::default(), &Call::CheckAccountActive, Reply::nothing);
    assert!(matches!(locked, Err(Error::Fault(Fault::LOCKED))));
}

/// What is made of an answer in SOAP with this in its body.
fn told(status: u16, body: &str) -> Error {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:x=\"http://xoev.de/transport/xta/211\"><s:Body>{body}</s:Body></s:Envelope>"
    );
    let client = client(AUTHOR, false);
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
    let client = client(AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::CreateMessageId).unwrap();
    let page = client.open(&request, 403, "text/html", &b"<html>"[..]).err().unwrap();
    assert!(matches!(page, Error::Status(403)), "{page:?}");
}

#[test]
fn an_answer_to_another_request_is_none() {
    let envelope = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><a:RelatesTo \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\">urn:uuid:other</a:RelatesTo></s:Header><s:Body/>\
         </s:Envelope>";
    let client = client(AUTHOR, false);
    let request = client.request("https://xta.test/", &Call::CheckAccountActive).unwrap();
    let outcome = client.open(&request, 200, "application/soap+xml", envelope.as_bytes());
    assert!(matches!(outcome.err(), Some(Error::Malformed(_))));
}
