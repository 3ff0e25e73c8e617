//! Kopf of a message (NkBasisType and its extensions of 3.1.0). The head of 4.0 comes and goes in the same form
//! (see [`super::head_4`]); what only that knows stands in it under its own name.

use model::standard::{Endpoint, Sequence};
use model::{Id, Timestamp};

use super::messages::{MessageType, Version};
use super::node::{Node, code, group, leaf};
use super::party::{make_authority, make_institution, make_unit, read_authority};
use super::text::{digit, moment, truth};

const TYPES: &str = "urn:xoev-de:xdomea:codeliste:nachrichtentyp";

/// What the model knows of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) process_id: Id,
    /// Code of the message type.
    pub(crate) code: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) sender: Endpoint,
    pub(crate) recipient: Endpoint,
    pub(crate) wants_receipt: bool,
    pub(crate) wants_archive_references: bool,
    /// Who gets the receipt of a circulation.
    pub(crate) receipt_to_initiator: bool,
    pub(crate) receipt_to_predecessor: bool,
    /// What only 4.0 says.
    pub(crate) message_id: Option<Id>,
    pub(crate) answers: Option<Id>,
    pub(crate) sequence: Option<Sequence>,
}

impl Header {
    /// Whether anybody gets a receipt.
    pub(crate) fn wants_receipt(&self) -> bool {
        self.wants_receipt || self.receipt_to_initiator || self.receipt_to_predecessor
    }
}

/// Reads a header; what cannot be read has its default.
pub(crate) fn read_header(kopf: &Node) -> Header {
    let endpoint = |local| kopf.child(local).map(read_endpoint).unwrap_or_default();
    let flag = |local| kopf.text_of(local).and_then(truth).unwrap_or_default();
    let id = |local| kopf.text_of(local).and_then(|text| text.trim().parse::<Id>().ok());
    let number = |local| kopf.text_of(local).and_then(|text| text.trim().parse::<u32>().ok());
    let sequence = number("LfdNrNachrichtProTyp").zip(number("GesamtanzahlNachrichtenProTyp"));
    Header {
        process_id: id("ProzessID").unwrap_or_default(),
        code: kopf.code_of("Nachrichtentyp").unwrap_or_default().to_owned(),
        created_at: kopf.text_of("Erstellungszeitpunkt").and_then(moment),
        sender: endpoint("Absender"),
        recipient: endpoint("Empfaenger"),
        wants_receipt: flag("Empfangsbestaetigung"),
        wants_archive_references: flag("RueckmeldungArchivkennung"),
        receipt_to_initiator: flag("EmpfangsbestaetigungAnInitiator"),
        receipt_to_predecessor: flag("EmpfangsbestaetigungAnVorgaenger"),
        message_id: id("nachrichtenUUID"),
        answers: id("UUIDUrsprungsnachricht"),
        sequence: sequence.map(|(number, total)| Sequence { number, total }),
    }
}

/// Writes a header.
pub(crate) fn make_header(header: &Header, message: MessageType) -> Node {
    let created_at = header.created_at.unwrap_or_default();
    let mut nodes = vec![
        leaf("ProzessID", header.process_id.to_string()),
        code("Nachrichtentyp", TYPES, "2.0", &header.code),
        leaf("Erstellungszeitpunkt", created_at.to_string()),
        make_endpoint(&header.sender, "Absender"),
        make_endpoint(&header.recipient, "Empfaenger"),
    ];
    let mut flag = |local: &str, value: bool| nodes.push(leaf(local, digit(value)));
    if message.code == "0201" {
        flag("EmpfangsbestaetigungAnInitiator", header.receipt_to_initiator);
        flag("EmpfangsbestaetigungAnVorgaenger", header.receipt_to_predecessor);
    }
    if matches!(message.code, "0401" | "0503") {
        flag("Importbestaetigung", true);
    }
    if message.code == "0503" {
        flag("RueckmeldungArchivkennung", header.wants_archive_references);
    }
    if message.code != "0201" && message.receipt(Version::V3_1_0).is_some() {
        flag("Empfangsbestaetigung", header.wants_receipt);
    }
    nodes.extend(header.message_id.map(|id| leaf("nachrichtenUUID", id.to_string())));
    nodes.extend(header.answers.map(|id| leaf("UUIDUrsprungsnachricht", id.to_string())));
    if let Some(sequence) = header.sequence {
        nodes.push(leaf("LfdNrNachrichtProTyp", sequence.number.to_string()));
        nodes.push(leaf("GesamtanzahlNachrichtenProTyp", sequence.total.to_string()));
    }
    group("Kopf", nodes)
}

/// The system that writes, for messages that are not a copy of one received.
pub(crate) fn sending_system() -> Node {
    let nodes = vec![leaf("Produktname", "Amtsbote"), leaf("Version", env!("CARGO_PKG_VERSION"))];
    group("SendendesSystem", nodes)
}

fn read_endpoint(node: &Node) -> Endpoint {
    let name = |local| node.child(local).and_then(|node| node.text_of("Name")).map(str::to_owned);
    Endpoint {
        authority: read_authority(node),
        name: name("Institution"),
        unit: name("Organisationseinheit"),
    }
}

fn make_endpoint(endpoint: &Endpoint, element: &str) -> Node {
    let mut nodes: Vec<Node> = endpoint.authority.iter().map(make_authority).collect();
    nodes.extend(make_institution(endpoint.name.as_deref(), None));
    nodes.extend(make_unit(endpoint.unit.as_deref()));
    group(element, nodes)
}
