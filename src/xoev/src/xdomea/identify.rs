//! Who sends what to whom: root element and header of any version (2.2.0 to 3.1.0: Kopf; 4.0.0:
//! nachrichtenkopf).

use model::standard::{Endpoint, Identity};
use xml::Event;

use super::header::read_header;
use super::messages::{MessageType, Version};
use super::node::{Budget, Node};
use super::text::truth;
use crate::Error;
use crate::container::shown;
use crate::head::{Root, XmlReader};

/// Bytes that a header may have.
const HEADER_BYTES: usize = 1 << 20;
/// Elements between nachrichtenkopf and what says whether a receipt is asked for.
const RECEIPT_SEARCH: usize = 40;

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
        self.version.zip(self.message).is_some_and(|(version, message)| message.is_translated(version))
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
    let mut budget = Budget(HEADER_BYTES);
    let Some(first) = next_element(reader, root, &mut budget)? else { return Ok(head) };
    if first.is("Kopf") {
        let header = read_header(&first);
        head.code = header.code;
        head.identity.process_id = Some(header.process_id).filter(|id| !id.is_nil());
        head.identity.sender = first.child("Absender").map(|_| header.sender);
        head.identity.recipient = first.child("Empfaenger").map(|_| header.recipient);
        head.identity.wants_receipt = header.wants_receipt;
    } else if first.is("nachrichtenkopf") {
        read_kopf_4(&mut head, &first);
        for _ in 0..RECEIPT_SEARCH {
            let Some(node) = next_element(reader, root, &mut budget)? else { break };
            if node.is("Empfangsbestaetigung") {
                head.identity.wants_receipt = truth(&node.text).unwrap_or_default();
            }
            if !["Importbestaetigung", "RueckmeldungArchivkennung", "WeitererLeser"].contains(&node.local()) {
                break;
            }
        }
    }
    Ok(head)
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

fn read_kopf_4(head: &mut Head, kopf: &Node) {
    let identification = kopf.child("identifikation.nachricht");
    let types = identification.iter().flat_map(|node| &node.nodes);
    let code = types.filter(|node| node.local() == "nachrichtentyp").find_map(Node::code);
    head.code = code.unwrap_or_default().to_owned();
    head.identity.process_id = kopf.text_of("ProzessID").and_then(|text| text.trim().parse().ok());
    head.identity.sender = kopf.child("autor").map(read_endpoint_4);
    head.identity.recipient = kopf.child("leser").map(read_endpoint_4);
}

fn read_endpoint_4(node: &Node) -> Endpoint {
    let key = node.child("Behoerdenkennung").and_then(|key| key.text_of("kennung"));
    Endpoint {
        authority: key.and_then(|key| key.trim().parse().ok()),
        name: node.text_of("NameInstitution").map(str::to_owned),
        unit: node.text_of("NameOrganisationseinheit").map(str::to_owned),
    }
}
