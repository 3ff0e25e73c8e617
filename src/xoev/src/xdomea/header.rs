//! Kopf of a message up to 3.1 (NkBasisType and its extensions), and the results of message 0402.

use model::exchange::ImportResult;
use model::standard::Endpoint;
use model::{Id, Timestamp};

use super::messages::MessageType;
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
    pub(crate) created_at: Timestamp,
    pub(crate) sender: Endpoint,
    pub(crate) recipient: Endpoint,
    pub(crate) wants_receipt: bool,
}

/// Reads a header; what cannot be read has its default.
pub(crate) fn read_header(kopf: &Node) -> Header {
    let endpoint = |local| kopf.child(local).map(read_endpoint).unwrap_or_default();
    Header {
        process_id: kopf.text_of("ProzessID").and_then(|text| text.trim().parse().ok()).unwrap_or_default(),
        code: kopf.code_of("Nachrichtentyp").unwrap_or_default().to_owned(),
        created_at: kopf.text_of("Erstellungszeitpunkt").and_then(moment).unwrap_or_default(),
        sender: endpoint("Absender"),
        recipient: endpoint("Empfaenger"),
        wants_receipt: kopf.text_of("Empfangsbestaetigung").and_then(truth).unwrap_or_default(),
    }
}

/// Writes a header for 3.0 and 3.1.
pub(crate) fn make_header(header: &Header, message: MessageType) -> Node {
    let mut nodes = vec![
        leaf("ProzessID", header.process_id.to_string()),
        code("Nachrichtentyp", TYPES, "2.0", &header.code),
        leaf("Erstellungszeitpunkt", header.created_at.to_string()),
        make_endpoint(&header.sender, "Absender"),
        make_endpoint(&header.recipient, "Empfaenger"),
    ];
    if message.code == "0401" {
        nodes.push(leaf("Importbestaetigung", digit(true)));
    }
    if message.receipt().is_some() {
        nodes.push(leaf("Empfangsbestaetigung", digit(header.wants_receipt)));
    }
    group("Kopf", nodes)
}

/// The system that writes, for messages that are not a copy of one received.
pub(crate) fn sending_system() -> Node {
    let nodes = vec![leaf("Produktname", "Amtsbote"), leaf("Version", env!("CARGO_PKG_VERSION"))];
    group("SendendesSystem", nodes)
}

pub(crate) fn read_endpoint(node: &Node) -> Endpoint {
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

/// Reads an AbgegebenesObjekt; `None` if its UUID cannot be used.
pub(crate) fn read_result(node: &Node) -> Option<(Id, ImportResult)> {
    let id = node.text_of("IDSGO")?.trim().parse().ok()?;
    let result = ImportResult {
        successful: node.text_of("Erfolgreich").and_then(truth).unwrap_or_default(),
        messages: node.children("Fehlermeldung").map(|node| node.text.clone()).collect(),
        ..ImportResult::default()
    };
    Some((id, result))
}

/// Writes an AbgegebenesObjekt.
pub(crate) fn make_result(id: Id, result: &ImportResult) -> Node {
    let mut nodes = vec![leaf("IDSGO", id.to_string()), leaf("Erfolgreich", digit(result.successful))];
    nodes.extend(result.messages.iter().map(|text| leaf("Fehlermeldung", text)));
    group("AbgegebenesObjekt", nodes)
}
