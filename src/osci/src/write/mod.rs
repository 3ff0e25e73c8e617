//! Writing messages: OSCI-Transport 1.2, section 4, in the order and the spelling that the field reads.
//!
//! Everything is written in its canonical form (Canonical XML 1.0): namespaces and attributes sorted, no empty-element
//! tags. The canonical form of a header block is then the text of the block itself.

mod answer;
mod blocks;
mod card;
mod order;

use crate::message::{Body, Message};
use crate::names::{ACTOR_NEXT, ACTOR_NONE, ENVELOPE, Kind, OSCI2017, Order, SOAP, XSI};

/// A header block of ours, or one that is handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its `Id`.
    pub id: String,
    /// Its XML.
    pub xml: String,
}

/// The parts of an envelope, without a signature.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// XML declaration and everything up to the first header block.
    pub head: String,
    /// Namespace declarations of the envelope.
    pub namespaces: Vec<(Option<String>, String)>,
    /// The header blocks; a signature goes behind the first.
    pub blocks: Vec<Block>,
    /// The end of the header.
    pub middle: String,
    /// `Id` of the body.
    pub body_id: String,
    /// The start tag of the body.
    pub body_start: String,
    /// What the body holds, if it is ours.
    pub body: String,
    /// The end tag of the body.
    pub body_end: String,
    /// From there to the end.
    pub tail: String,
}

/// `Id` of the body.
const BODY: &str = "body";

/// Header blocks that are handed on as they came.
#[derive(Debug, Clone, Default)]
pub struct Foreign {
    /// `osci:NonIntermediaryCertificates`, in place of the message's own.
    pub certificates: Option<Block>,
    /// Blocks in foreign namespaces.
    pub custom: Vec<Block>,
}

/// Lays out a message of ours. What the body holds may be handed on, too: the caller puts it in place of
/// [`Envelope::body`]. `mark` stands behind each `Id` of ours: what is handed on may have the same without it.
pub fn envelope(message: &Message, foreign: Foreign, mark: &str) -> Envelope {
    let mut namespaces =
        if message.namespaces.is_empty() { own_namespaces() } else { message.namespaces.clone() };
    let soap = match namespaces.iter().any(|(prefix, uri)| prefix.is_none() && uri == SOAP) {
        true => String::new(),
        false => format!("{}:", prefix_of(&mut namespaces, SOAP, "soap")),
    };
    let xsi = prefix_of(&mut namespaces, XSI, "xsi");
    let mut head = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\r\n");
    let location = message.kind.schema_location();
    head.push_str(&format!("<{soap}Envelope{}", declarations(&namespaces)));
    head.push_str(&format!(" {xsi}:schemaLocation=\"{location}\"><{soap}Header>"));
    let blocks = blocks::of(message, foreign, mark);
    let body_id = format!("{BODY}{mark}");
    let content = if holds_body(message.kind) { statement(message) } else { String::new() };
    Envelope {
        head,
        blocks,
        namespaces: namespaces.clone(),
        middle: format!("</{soap}Header>"),
        body_start: format!("<{soap}Body{} Id=\"{body_id}\">", declarations(&namespaces)),
        body_id,
        body: content,
        body_end: format!("</{soap}Body>"),
        tail: format!("</{soap}Envelope>"),
    }
}

/// Whether the element of this kind stands in the body; the others are header blocks.
pub(crate) fn holds_body(kind: Kind) -> bool {
    use Order::{ExitDialog, FetchProcessCard, GetMessageId, InitDialog};
    matches!(kind.order(), Some(InitDialog | ExitDialog | GetMessageId | FetchProcessCard))
}

/// The element that says what is ordered or answered.
fn statement(message: &Message) -> String {
    let mut xml = Xml::default();
    let (prefix, order) = match message.kind.order() {
        Some(order) if order.namespace() == OSCI2017 => ("osci2017", order),
        Some(order) => ("osci", order),
        None => return String::new(),
    };
    let name = format!("{prefix}:{}", message.kind.element());
    if holds_body(message.kind) {
        xml.open(&name, &[]);
    } else {
        xml.block(&name, &message.kind.element().to_ascii_lowercase(), ACTOR_NEXT, &[]);
    }
    match &message.body {
        Body::Answer(answer) => answer::body(&mut xml, order, answer),
        body => order::body(&mut xml, body),
    }
    xml.close(&name);
    xml.text
}

fn own_namespaces() -> Vec<(Option<String>, String)> {
    ENVELOPE.iter().map(|(prefix, uri)| (Some((*prefix).to_owned()), (*uri).to_owned())).collect()
}

/// The prefix of a namespace. If there is none, one is declared: `wanted`, or what is like it and means nothing else.
fn prefix_of(namespaces: &mut Vec<(Option<String>, String)>, uri: &str, wanted: &str) -> String {
    let found = namespaces.iter().find_map(|(prefix, known)| prefix.clone().filter(|_| known == uri));
    if let Some(prefix) = found {
        return prefix;
    }
    let mut name = wanted.to_owned();
    while namespaces.iter().any(|(prefix, _)| prefix.as_deref() == Some(name.as_str())) {
        name.push('_');
    }
    namespaces.push((Some(name.clone()), uri.to_owned()));
    name
}

pub(crate) fn declarations(namespaces: &[(Option<String>, String)]) -> String {
    let mut text = String::new();
    for (prefix, uri) in namespaces {
        match prefix.as_deref() {
            Some("xml") => continue,
            Some(prefix) => text.push_str(&format!(" xmlns:{prefix}=\"")),
            None => text.push_str(" xmlns=\""),
        }
        xml::escape_attribute(uri, &mut text);
        text.push('"');
    }
    text
}

/// Canonical XML in the making. Names and the order of attributes are the caller's; values are escaped, and characters
/// that XML does not know are replaced.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    pub(crate) text: String,
}

impl Xml {
    pub(crate) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        self.attributes(attributes);
        self.text.push('>');
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element that has only text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.put(text);
        self.close(name);
    }

    /// An element that has only attributes.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.close(name);
    }

    pub(crate) fn put(&mut self, text: &str) {
        xml::escape_text(&legal(text), &mut self.text);
    }

    /// The start of a header block. `attributes` without namespace stand behind `Id` in the alphabet, except those that
    /// the caller gives before it.
    pub(crate) fn block(&mut self, name: &str, id: &str, actor: &str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (prefix, uri) in ENVELOPE {
            // Sorted: osci2017 lies between osci and soap.
            if prefix == "soap" && name.starts_with("osci2017:") {
                self.declaration("osci2017", OSCI2017);
            }
            self.declaration(prefix, uri);
        }
        let mut all: Vec<(&str, &str)> = attributes.to_vec();
        all.push(("Id", id));
        all.sort_unstable();
        self.attributes(&all);
        if !actor.is_empty() {
            self.attributes(&[("soap:actor", actor), ("soap:mustUnderstand", "1")]);
        }
        self.text.push('>');
    }

    fn declaration(&mut self, prefix: &str, uri: &str) {
        for piece in [" xmlns:", prefix, "=\"", uri, "\""] {
            self.text.push_str(piece);
        }
    }

    fn attributes(&mut self, attributes: &[(&str, &str)]) {
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            xml::escape_attribute(&legal(value), &mut self.text);
            self.text.push('"');
        }
    }
}

/// Replaces what XML 1.0 does not allow.
fn legal(text: &str) -> std::borrow::Cow<'_, str> {
    if text.chars().all(xml::is_character) {
        return text.into();
    }
    text.chars().map(|c| if xml::is_character(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Where certificates are put.
pub(crate) const CERTIFICATES_ACTOR: &str = ACTOR_NONE;
