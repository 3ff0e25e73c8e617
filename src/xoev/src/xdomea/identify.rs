//! Who sends what to whom: root element and header of any version (2.2.0 to 3.1.0: Kopf; 4.0.0:
//! nachrichtenkopf).

use model::standard::Identity;
use xml::Event;

use super::header::read_header;
use super::messages::{MessageType, Version};
use super::node::{Budget, Node};
use super::{funnel, head_4};
use crate::Error;
use crate::container::shown;
use crate::head::{Root, XmlReader};

/// Bytes that a header may have.
const HEADER_BYTES: usize = 1 << 20;
/// Elements that the head of 4.0 may have.
const HEAD_ELEMENTS: usize = 40;

/// What the head of a message says.
pub(crate) struct Head {
    pub(crate) identity: Identity,
    pub(crate) version: Option<Version>,
    pub(crate) message: Option<MessageType>,
    /// Code in the header.
    pub(crate) code: String,
}

impl Head {
    /// Whether the message is read into the case model.
    pub(crate) fn is_translated(&self) -> bool {
        let (Some(version), Some(message)) = (self.version, self.message) else { return false };
        version.is_translated() && message.is_translated_in(version)
    }
}

/// What the root element alone says.
pub(crate) fn by_root(root: &Root) -> Head {
    let version = Version::by_namespace(&root.namespace);
    let number = match version {
        Some(version) => version.number().to_owned(),
        None => shown(root.namespace.rsplit(':').next().unwrap_or_default()),
    };
    let message = version.and_then(|version| MessageType::by_root(&root.local, version));
    let code = message.map_or("", |message| message.code);
    let identity = Identity {
        standard: super::NAME.to_owned(),
        version: number,
        message_type: code.to_owned(),
        name: root.local.clone(),
        ..Identity::default()
    };
    Head { identity, version, message, code: String::new() }
}

/// Reads the header behind the root's start.
pub(crate) fn read_head(reader: &mut XmlReader<'_>, root: &Root) -> Result<Head, Error> {
    let mut head = by_root(root);
    let attributes = head_4::attributes(&reader.current());
    head.identity.test = head_4::is_test(&attributes);
    let mut budget = Budget(HEADER_BYTES);
    let Some(first) = next_element(reader, root, &mut budget)? else { return Ok(head) };
    let version = head.version.filter(|version| version.is_translated()).unwrap_or(Version::V3_1_0);
    let kopf = if first.is("Kopf") {
        funnel::raise(version, first)?
    } else if first.is("nachrichtenkopf") {
        let parts = head_parts(reader, root, first, &mut budget)?;
        head_4::raise(&attributes, parts)?
    } else {
        return Ok(head);
    };
    take_header(&mut head, &kopf);
    Ok(head)
}

/// The elements of a head of 4.0, as far as they come.
fn head_parts(
    reader: &mut XmlReader<'_>,
    root: &Root,
    first: Node,
    budget: &mut Budget,
) -> Result<Vec<Node>, Error> {
    let mut parts = vec![first];
    while parts.len() < HEAD_ELEMENTS && !parts.last().is_some_and(|node| head_4::is_last(node.local())) {
        // What is wrong here is found by the pass over the whole.
        match next_element(reader, root, budget) {
            Ok(Some(node)) if head_4::is_part(node.local()) => parts.push(node),
            Err(error) if error.is_of_source() => return Err(error),
            _ => break,
        }
    }
    Ok(parts)
}

/// What a header says of a message.
fn take_header(head: &mut Head, kopf: &Node) {
    let header = read_header(kopf);
    let identity = &mut head.identity;
    identity.wants_receipt = header.wants_receipt();
    head.code = header.code;
    identity.process_id = Some(header.process_id).filter(|id| !id.is_nil());
    identity.created_at = header.created_at;
    identity.message_id = header.message_id;
    identity.sequence = header.sequence;
    identity.answers = header.answers;
    identity.wants_archive_references = header.wants_archive_references;
    identity.sender = kopf.child("Absender").map(|_| header.sender);
    identity.recipient = kopf.child("Empfaenger").map(|_| header.recipient);
}

fn next_element(reader: &mut XmlReader<'_>, root: &Root, budget: &mut Budget) -> Result<Option<Node>, Error> {
    loop {
        match reader.next()? {
            Event::Start(_) => return Node::read(reader, &root.namespace, budget).map(Some),
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(None),
        }
    }
}
