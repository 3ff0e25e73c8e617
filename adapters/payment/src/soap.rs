//! SOAP 1.1 as a client, as far as payment providers speak it: messages of the RPC style with encoded values (sections 5 and 7)
//! and of the document style, over HTTP (section 6).
//!
//! Answers are small and are read as a whole, within hard limits and without DTDs. Below the operation's element only local names
//! count: whether a service qualifies its own elements is different from one to the next. A value that refers to another
//! element of the body (`href`, section 5.4.1) is found there. What stands twice where one is meant is refused, so nobody has to
//! choose.

use std::time::Duration;

use model::{Clock, Failure};
use net::{Answer, Client, Method, Request};
use xml::{Event, Limits, Reader, Start, Writer};

use crate::http::{self, Call};

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Most bytes of an answer that are read, most elements of it, and longest text of one.
const MOST_ANSWER: usize = 256 * 1024;
const MOST_ELEMENTS: usize = 4_000;
const MOST_TEXT: usize = 8 * 1024;

/// Elements within elements.
const DEPTH: usize = 20;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// RPC with encoded values: the operation is qualified, its parts are not, each names its type.
    Encoded,
    /// Document: all elements are of the service's namespace, without types.
    Document,
}

/// A value of a message that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    name: &'static str,
    /// Type as XML Schema or the service names it; only the encoded style writes it.
    kind: Kind,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Named(&'static str),
    /// An array of this type.
    Array(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

impl Part {
    /// A text (`xsd:string`).
    pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Part {
        Part::typed(name, "xsd:string", text)
    }

    /// A simple value of another type, such as `xsd:decimal`.
    pub(crate) fn typed(name: &'static str, kind: &'static str, text: impl Into<String>) -> Part {
        Part { name, kind: Kind::Named(kind), content: Content::Text(text.into()) }
    }

    /// An object of the service's type `kind`, with the service's prefix (`ns1:`).
    pub(crate) fn object(name: &'static str, kind: &'static str, parts: Vec<Part>) -> Part {
        Part { name, kind: Kind::Named(kind), content: Content::Parts(parts) }
    }

    /// An array of objects of the service's type `kind`; all have the name `item`.
    pub(crate) fn array(name: &'static str, kind: &'static str, items: Vec<Part>) -> Part {
        Part { name, kind: Kind::Array(kind), content: Content::Parts(items) }
    }
}

/// A service.
pub(crate) struct Service {
    /// Its namespace.
    pub(crate) namespace: &'static str,
    /// How it wants values.
    pub(crate) style: Style,
    /// Its address.
    pub(crate) url: String,
    /// Header fields of every call, such as `authorization`.
    pub(crate) headers: Vec<(String, String)>,
    /// By which it is called.
    pub(crate) client: Client,
}

impl Service {
    /// Calls an operation and returns what it answers. Errors: see [`http`]; a fault that blames us is a refusal.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        parts: &[Part],
        call: Call,
        within: Duration,
        clock: &dyn Clock,
    ) -> Result<Message, Failure> {
        let action = match self.style {
            Style::Encoded => String::new(),
            Style::Document => format!("{}/{operation}", self.namespace),
        };
        let body = message(self.namespace, self.style, operation, parts).map_err(|_| {
            Failure::permanent("payment.provider-order", "a text of the order cannot be written")
        })?;
        let mut headers = self.headers.clone();
        headers.push(("content-type".to_owned(), "text/xml; charset=utf-8".to_owned()));
        headers.push(("soapaction".to_owned(), format!("\"{action}\"")));
        let request = Request {
            method: Method::POST,
            url: self.url.clone(),
            chosen_by: model::outbound::ChosenBy::Administrator,
            headers,
            body: Some(body.into()),
            within,
            most_answer: MOST_ANSWER,
        };
        let answer = self.client.send(request).await.map_err(|error| http::unsent(error, call))?;
        self.read(operation, &answer, call, clock)
    }

    fn read(
        &self,
        operation: &str,
        answer: &Answer,
        call: Call,
        clock: &dyn Clock,
    ) -> Result<Message, Failure> {
        // Section 6.2: a fault comes with 500.
        let refused = || http::refusal(answer, call, clock.now());
        if answer.status != 200 && answer.status != 500 {
            return Err(refused());
        }
        let message = match Message::read(&answer.body) {
            Ok(message) => message,
            Err(Garbage) if answer.status == 500 => return Err(refused()),
            Err(Garbage) => return Err(http::garbage(call)),
        };
        if let Some(fault) = message.body.iter().find(|element| element.name == "Fault") {
            return Err(fault_of(fault, call));
        }
        let wanted = format!("{operation}Response");
        let is_answer = |first: &Element| first.name == wanted && first.is_of(self.namespace);
        if answer.status == 500 || !message.body.first().is_some_and(is_answer) {
            return Err(http::garbage(call));
        }
        Ok(message)
    }
}

/// Section 4.4: `Client` blames us, everything else is the service's own trouble. What it says is never quoted.
fn fault_of(fault: &Element, call: Call) -> Failure {
    let code = fault.children.iter().find(|child| child.name == "faultcode");
    let code = code.map_or("", |code| code.text.rsplit(':').next().unwrap_or_default());
    if code.split('.').next() == Some("Client") {
        return http::refused("the service answered with a fault that blames the call");
    }
    http::troubled("the service answered with a fault", call)
}

/// The message of a call, in UTF-8.
pub(crate) fn message(
    namespace: &str,
    style: Style,
    operation: &str,
    parts: &[Part],
) -> Result<Vec<u8>, xml::Error> {
    let mut writer = Writer::new(Vec::new())?;
    match style {
        Style::Encoded => {
            let attributes = [
                ("xmlns:SOAP-ENV", ENVELOPE),
                ("xmlns:ns1", namespace),
                ("xmlns:xsd", SCHEMA),
                ("xmlns:xsi", INSTANCE),
                ("xmlns:SOAP-ENC", ENCODING),
                ("SOAP-ENV:encodingStyle", ENCODING),
            ];
            writer.start("SOAP-ENV:Envelope", &attributes)?;
            writer.start("SOAP-ENV:Body", &[])?;
            writer.start(&format!("ns1:{operation}"), &[])?;
        }
        Style::Document => {
            writer.start("SOAP-ENV:Envelope", &[("xmlns:SOAP-ENV", ENVELOPE)])?;
            writer.start("SOAP-ENV:Body", &[])?;
            writer.start(operation, &[("xmlns", namespace)])?;
        }
    }
    for part in parts {
        write(&mut writer, style, part, part.name)?;
    }
    for _ in 0..3 {
        writer.end()?;
    }
    writer.finish()
}

fn write(writer: &mut Writer<Vec<u8>>, style: Style, part: &Part, name: &str) -> Result<(), xml::Error> {
    let size = match (part.kind, &part.content) {
        (Kind::Array(kind), Content::Parts(items)) => format!("{kind}[{}]", items.len()),
        _ => String::new(),
    };
    let attributes: &[(&str, &str)] = match (style, part.kind) {
        (Style::Document, _) => &[],
        (Style::Encoded, Kind::Named(kind)) => &[("xsi:type", kind)],
        (Style::Encoded, Kind::Array(_)) => &[("xsi:type", "SOAP-ENC:Array"), ("SOAP-ENC:arrayType", &size)],
    };
    writer.start(name, attributes)?;
    match &part.content {
        Content::Text(text) => writer.text(text)?,
        Content::Parts(parts) => {
            for child in parts {
                let name = if matches!(part.kind, Kind::Array(_)) { "item" } else { child.name };
                write(writer, style, child, name)?;
            }
        }
    }
    writer.end()
}

/// An answer that is not what was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbage;

/// The body of a message that came: the elements in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    body: Vec<Element>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Element {
    name: String,
    namespace: String,
    /// What others refer to it by.
    id: Option<String>,
    /// What it refers to.
    href: Option<String>,
    is_nil: bool,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn is_of(&self, namespace: &str) -> bool {
        self.namespace == namespace
    }
}

/// A place in a message. Looking for what is not there leads to another empty place.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    message: &'a Message,
    element: Option<&'a Element>,
}

impl<'a> Place<'a> {
    /// The only child with this name; none at all is an empty place.
    pub(crate) fn at(self, name: &str) -> Result<Place<'a>, Garbage> {
        let children = self.element.map_or(&[][..], |element| &element.children);
        let mut named = children.iter().filter(|child| child.name == name);
        let (first, second) = (named.next(), named.next());
        if second.is_some() {
            return Err(Garbage);
        }
        self.message.place(first)
    }

    /// Whether anything stands here.
    pub(crate) fn is_there(self) -> bool {
        self.element.is_some()
    }

    /// The text, without white space around it; `None` if nothing stands here, or no text.
    pub(crate) fn text(self) -> Option<&'a str> {
        let element = self.element.filter(|element| element.children.is_empty())?;
        Some(element.text.trim()).filter(|text| !text.is_empty())
    }

    /// The text of the only child with this name.
    pub(crate) fn text_at(self, name: &str) -> Result<Option<&'a str>, Garbage> {
        Ok(self.at(name)?.text())
    }
}

impl Message {
    /// What the operation returns: the first element in its answer, whatever its name is (section 7.1).
    pub(crate) fn returned(&self) -> Result<Place<'_>, Garbage> {
        self.place(self.body.first().and_then(|answer| answer.children.first()))
    }

    fn place<'a>(&'a self, element: Option<&'a Element>) -> Result<Place<'a>, Garbage> {
        let element = element.filter(|element| !element.is_nil);
        let Some(href) = element.and_then(|element| element.href.as_deref()) else {
            return Ok(Place { message: self, element });
        };
        let id = href.strip_prefix('#').ok_or(Garbage)?;
        let mut targets = self.body.iter().filter(|element| element.id.as_deref() == Some(id));
        match (targets.next(), targets.next()) {
            // One step only: what is referred to is the value itself.
            (Some(target), None) if target.href.is_none() => {
                Ok(Place { message: self, element: Some(target) })
            }
            _ => Err(Garbage),
        }
    }

    /// Reads a message.
    pub(crate) fn read(bytes: &[u8]) -> Result<Message, Garbage> {
        let limits = Limits {
            depth: DEPTH,
            attributes: 30,
            attribute_bytes: 8 * 1024,
            text_bytes: MOST_TEXT,
            total_bytes: MOST_ANSWER as u64,
            names: 500,
        };
        let mut reader = Reader::new(bytes, limits);
        let envelope = parse(&mut reader).map_err(|_| Garbage)?;
        if envelope.name != "Envelope" || !envelope.is_of(ENVELOPE) {
            return Err(Garbage);
        }
        let is_body = |child: &Element| child.name == "Body" && child.is_of(ENVELOPE);
        let mut bodies = envelope.children.into_iter().filter(is_body);
        match (bodies.next(), bodies.next()) {
            (Some(body), None) => Ok(Message { body: body.children }),
            _ => Err(Garbage),
        }
    }
}

/// The document as a tree.
fn parse(reader: &mut Reader<&[u8]>) -> Result<Element, Garbage> {
    let mut open = vec![Element::default()];
    let mut count = 0;
    loop {
        match reader.next().map_err(|_| Garbage)? {
            Event::Start(start) if count < MOST_ELEMENTS => {
                count += 1;
                open.push(begun(&start));
            }
            Event::Text(text) => {
                let element = open.last_mut().ok_or(Garbage)?;
                if element.text.len() + text.len() > MOST_TEXT {
                    return Err(Garbage);
                }
                element.text.push_str(text);
            }
            Event::End => {
                let ended = open.pop().ok_or(Garbage)?;
                open.last_mut().ok_or(Garbage)?.children.push(ended);
            }
            Event::Start(_) => return Err(Garbage),
            Event::Eof => break,
        }
    }
    open.pop().and_then(|mut document| document.children.pop()).ok_or(Garbage)
}

fn begun(start: &Start<'_>) -> Element {
    let is_nil = start.attribute_ns(INSTANCE, "nil").is_some_and(|value| matches!(value, "true" | "1"));
    Element {
        name: start.local().to_owned(),
        namespace: start.namespace().unwrap_or_default().to_owned(),
        id: start.attribute("id").map(str::to_owned),
        href: start.attribute("href").map(str::to_owned),
        is_nil,
        ..Element::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Message, Garbage> {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:xsi=\"{INSTANCE}\"><s:Header><a/></s:Header>\
             <s:Body>{body}</s:Body></s:Envelope>"
        );
        Message::read(envelope.as_bytes())
    }

    #[test]
    fn a_value_is_found_where_it_is_referred_to() {
        let message = read(
            "<r><return href=\"#id0\"/></r><multiRef id=\"id0\"><a href=\"#id1\"/><n xsi:nil=\"1\">x</n></multiRef>\
             <multiRef id=\"id1\"> 7 </multiRef>",
        )
        .unwrap();
        let returned = message.returned().unwrap();
        assert_eq!(returned.text_at("a"), Ok(Some("7")));
        assert_eq!(returned.text_at("n"), Ok(None), "nil is nothing");
        assert_eq!(returned.at("b").unwrap().text_at("c"), Ok(None), "what is not there is empty");
    }

    #[test]
    fn what_could_mean_two_things_or_leads_nowhere_is_garbage() {
        let twice = read("<r><ret><a>1</a><a>2</a></ret></r>").unwrap();
        assert_eq!(twice.returned().unwrap().text_at("a"), Err(Garbage));
        for body in [
            "<r><ret href=\"#x\"/></r>",
            "<r><ret href=\"http://x/\"/></r>",
            "<r><ret href=\"#x\"/></r><m id=\"x\"/><m id=\"x\"/>",
            "<r><ret href=\"#x\"/></r><m id=\"x\" href=\"#x\"/>",
        ] {
            assert!(read(body).unwrap().returned().is_err(), "{body}");
        }
        let mixed = read("<r><ret>1<a/></ret></r>").unwrap();
        assert_eq!(mixed.returned().unwrap().text(), None, "elements are no text");
    }

    #[test]
    fn what_is_no_envelope_of_soap_1_1_is_garbage() {
        let good = format!("<Envelope xmlns=\"{ENVELOPE}\"><Body/></Envelope>");
        assert_eq!(Message::read(good.as_bytes()), Ok(Message::default()));
        for bad in [
            good.replace("xmlns", "y"),
            good.replace("<Body/>", ""),
            good.replace("<Body/>", "<Body/><Body/>"),
            good.replace("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
            format!("<!DOCTYPE x>{good}"),
            format!("{good}<x/>"),
            String::new(),
        ] {
            assert_eq!(Message::read(bad.as_bytes()), Err(Garbage), "{bad}");
        }
        assert!(read(&"<a>".repeat(30)).is_err());
        assert!(read(&format!("<a>{}</a>", "x".repeat(MOST_TEXT + 1))).is_err());
        assert!(read(&"<a/>".repeat(MOST_ELEMENTS)).is_err());
    }

    #[test]
    fn a_document_has_the_namespace_of_its_service_and_no_types() {
        let parts = [Part::object("Query", "", vec![Part::text("PayID", "a&b")])];
        let text = String::from_utf8(message("urn:x", Style::Document, "Confirm", &parts).unwrap()).unwrap();
        assert!(
            text.contains("<Confirm xmlns=\"urn:x\"><Query><PayID>a&amp;b</PayID></Query></Confirm>"),
            "{text}"
        );
    }
}
