//! Requests and answers of the tests, and those who judge them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};

use xta::server::{Answer, Port, Request, Settings, carry_out};
use xta::v3::names::{Operation, Port as PortV3};
use xta::v5::names::Port as PortV5;

use crate::memory::Memory;

/// The Python that has lxml: another one that comes first on the PATH may not.
const PYTHON: &str = "/usr/bin/python3";

/// A file or folder beside the project; its absence fails the test.
pub(crate) fn shared(path: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    assert!(place.exists(), "the test material {} is missing", place.display());
    place
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) port: Port,
    pub(crate) content_type: String,
    pub(crate) accept: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// An answer as it goes over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// How the judge reads an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    /// `answered`, or the code of the fault with subcodes, and the code of XTA.
    pub(crate) verdict: String,
    /// Elements with attributes and texts.
    pub(crate) elements: Vec<String>,
}

impl Asked {
    /// A bare envelope as a client with WS-Addressing sends it.
    pub(crate) fn bare(operation: Operation, blocks: &str, body: &str) -> Self {
        let envelope = envelope(&format!("{}{blocks}", addressing(operation.action())), body);
        Asked::raw(Port::V3(operation.port()), &soap_xml(operation.action()), envelope)
    }

    pub(crate) fn raw(port: Port, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Asked { port, content_type: content_type.to_owned(), accept: None, body: body.into() }
    }

    /// The same as a package.
    pub(crate) fn packed(&self, operation: Operation) -> Self {
        self.packed_as(operation.action())
    }

    /// The same as a package with this action.
    pub(crate) fn packed_as(&self, action: &str) -> Self {
        let content_type = format!(
            "multipart/related; boundary=b; type=\"application/xop+xml\"; start=\"<root@test>\"; \
             start-info=\"application/soap+xml; action=\\\"{action}\\\"\""
        );
        let mut body =
            b"--b\r\nContent-Type: application/xop+xml; charset=utf-8; type=\"application/soap+xml\"\r\n\
            Content-ID: <root@test>\r\n\r\n"
                .to_vec();
        body.extend_from_slice(&self.body);
        body.extend_from_slice(b"\r\n--b--\r\n");
        Asked { content_type, body, ..self.clone() }
    }

    /// A request as it was recorded.
    pub(crate) fn recorded(file: &str) -> Self {
        let bytes = std::fs::read(shared(file)).unwrap();
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let value = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
            line.map(|line| line[name.len()..].trim().to_owned())
        };
        let port = match head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap() {
            "management" => Port::V3(PortV3::Management),
            "send" => Port::V3(PortV3::Send),
            "msgbox" => Port::V3(PortV3::MessageBox),
            "TransportBase" => Port::V5(PortV5::Base),
            "Sender" => Port::V5(PortV5::Sender),
            "Recipient" => Port::V5(PortV5::Recipient),
            "Reader" => Port::V5(PortV5::Reader),
            other => panic!("{other} is no port"),
        };
        let content_type = value("content-type:").unwrap();
        Asked { port, content_type, accept: value("accept:"), body: bytes[at + 4..].to_vec() }
    }

    pub(crate) fn accepting_packages(self) -> Self {
        Asked { accept: Some("application/soap+xml, multipart/related".to_owned()), ..self }
    }

    pub(crate) fn of(&self, backend: &Memory) -> Got {
        self.with(backend, &Settings::default())
    }

    pub(crate) fn with(&self, backend: &Memory, settings: &Settings) -> Got {
        let request = Request {
            port: self.port,
            content_type: self.content_type.clone(),
            accept: self.accept.clone(),
            body: self.body.as_slice(),
        };
        let done = at_once(carry_out(backend, request, settings));
        let Answer { status, content_type, body, .. } = done.answer().unwrap();
        let mut bytes = Vec::new();
        body.open().read_to_end(&mut bytes).unwrap();
        Got { status, content_type, body: bytes }
    }
}

/// The outcome of something that waits for nothing, since a backend in memory does not.
pub(crate) fn at_once<T>(act: impl Future<Output = T>) -> T {
    match pin!(act).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("something is waited for"),
    }
}

pub(crate) fn soap_xml(action: &str) -> String {
    format!("application/soap+xml; charset=utf-8; action=\"{action}\"")
}

pub(crate) fn envelope(blocks: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" xmlns:x=\"http://xoev.de/transport/xta/211\" \
         xmlns:o=\"http://www.osci.eu/ws/2008/05/transport\" \
         xmlns:m=\"http://www.osci.eu/ws/2014/10/transport\"><s:Header>{blocks}</s:Header>\
         <s:Body>{body}</s:Body></s:Envelope>"
    )
}

pub(crate) fn addressing(action: &str) -> String {
    format!(
        "<wsa:Action>{action}</wsa:Action><wsa:MessageID>urn:uuid:7</wsa:MessageID>\
         <wsa:To>https://xta.example.test/</wsa:To>"
    )
}

pub(crate) fn author(id: &str) -> String {
    format!("<m:Author><m:Identifier type=\"xoev\">{id}</m:Identifier></m:Author>")
}

/// Metadata of a message from `ags:12345678` to `ags:87654321`, with every element that the schema knows.
pub(crate) fn meta(message_id: &str) -> String {
    format!(
        "<m:MessageMetaData TestMsg=\"true\"><m:DeliveryAttributes><m:Origin>2026-11-23T02:47:03.3Z</m:Origin>\
         <m:InitialSend>2026-11-23T02:47:04Z</m:InitialSend><m:NotBefore>2026-11-23T02:47:05+01:00</m:NotBefore>\
         <m:ObsoleteAfter>2027-01-01</m:ObsoleteAfter><m:ServiceQuality>profil</m:ServiceQuality>\
         <m:ReceiptRequests><m:Delivery/></m:ReceiptRequests></m:DeliveryAttributes><m:Originators>{}\
         <m:Sender><m:Identifier type=\"xoev\" name=\"S\" category=\"c\">ags:1</m:Identifier></m:Sender>\
         <m:ReplyTo><m:Identifier type=\"xoev\">ags:2</m:Identifier></m:ReplyTo></m:Originators><m:Destinations>\
         <m:Reader><m:Identifier type=\"xoev\">ags:87654321</m:Identifier></m:Reader><m:OtherDestinations>\
         <m:OtherReaders type=\"xoev\">ags:3</m:OtherReaders><m:CcReaders type=\"xoev\">ags:4</m:CcReaders>\
         </m:OtherDestinations></m:Destinations><m:MsgIdentification><wsa:MessageID>{message_id}</wsa:MessageID>\
         <m:In-Reply-To>urn:de:xta:messageid:x:1</m:In-Reply-To><m:ProcessRef><m:Requester \
         ProccesName=\"p\">4711</m:Requester></m:ProcessRef></m:MsgIdentification><m:Qualifier>\
         <m:Subject>Müller &amp; Söhne</m:Subject><m:Service>urn:dienst</m:Service><m:BusinessScenario><m:Defined \
         listURI=\"urn:l\" listVersionID=\"1\"><code>X_DATA</code><name>n</name></m:Defined></m:BusinessScenario>\
         <m:MessageType listURI=\"urn:t\" listVersionID=\"1.0\" payloadSchema=\"urn:s\"><code>0401</code>\
         </m:MessageType></m:Qualifier><m:MessageProperties><m:Property><m:Key listURI=\"urn:k\" \
         listVersionID=\"1\"><code>k</code></m:Key><m:Value>v</m:Value></m:Property></m:MessageProperties>\
         <m:MsgSize>21</m:MsgSize></m:MessageMetaData>",
        author("ags:12345678")
    )
}

/// A container: a message and an attachment.
pub(crate) const CONTAINER: &str = "<x:GenericContentContainer><x:ContentContainer>\
    <x:Message contentType=\"application/xml\" encoding=\"UTF-8\" filename=\"nachricht.xml\" size=\"21\">\
    PG4geG1sbnM9InVybjp0ZXN0Ii8+</x:Message><x:Attachment contentType=\"application/pdf\" contentDescription=\"d\" \
    id=\"a\" lang=\"de\">JVBERi0xLjQ=</x:Attachment></x:ContentContainer></x:GenericContentContainer>";

/// Answers as files, and the folder that they live in.
fn written(answers: &[Got]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let files = answers.iter().enumerate().map(|(index, got)| {
        let file = folder.path().join(format!("{index:04}.http"));
        let head = format!("HTTP/1.1 {} X\r\nContent-Type: {}\r\n\r\n", got.status, got.content_type);
        std::fs::write(&file, [head.as_bytes(), &got.body].concat()).unwrap();
        file
    });
    let files = files.collect();
    (folder, files)
}

/// Has the schemas of the standard judge every block, body and detail of these answers.
pub(crate) fn validate(answers: &[Got]) {
    validate_as("v3", answers);
}

/// The same with the schemas of a version.
pub(crate) fn validate_as(version: &str, answers: &[Got]) {
    let (_folder, files) = written(answers);
    let mut command = Command::new(PYTHON);
    command.arg(shared("senders/xta/validate.py")).arg(version).args(&files);
    let output = command.output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("FAIL"), "{said}{wrong}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), answers.len(), "{said}{wrong}");
}

/// How an XML library that is not ours reads these answers.
pub(crate) fn judge(answers: &[Got]) -> Vec<Judged> {
    let (_folder, files) = written(answers);
    let output = Command::new(PYTHON).args(["-c", include_str!("judge.py")]).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut judged: Vec<Judged> = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match line.strip_prefix("== ") {
            Some(verdict) => judged.push(Judged { verdict: verdict.to_owned(), ..Judged::default() }),
            None => judged.last_mut().unwrap().elements.push(line.to_owned()),
        }
    }
    assert_eq!(judged.len(), answers.len());
    judged
}

impl Judged {
    /// Texts of the elements with this name.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.shown(name).filter_map(|line| Some(line.split_once(" | ")?.1)).collect()
    }

    /// The elements with this name: attributes and text.
    pub(crate) fn shown(&self, name: &str) -> impl Iterator<Item = &str> {
        let rests = self.elements.iter().filter_map(move |line| line.strip_prefix(name));
        rests.filter(|rest| rest.starts_with(' '))
    }
}
