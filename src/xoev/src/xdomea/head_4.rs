//! The head of 4.0.0 (attributes of NachrichtType, NachrichtenkopfType and what stands between it and the body) in the form of the
//! Kopf of 3.1.0, and back.

use model::Report;

use super::body_versions::not_carried;
use super::funnel;
use super::header::sending_system;
use super::messages::Version;
use super::node::{Node, group, leaf, qualified};
use super::text::{digit, truth};
use crate::Error;

/// Elements between nachrichtenkopf and the body, in their order.
const BEHIND: [&str; 7] = [
    "WeitererLeser",
    "Importbestaetigung",
    "RueckmeldungArchivkennung",
    "Empfangsbestaetigung",
    "UUIDUrsprungsnachricht",
    "LfdNrNachrichtProTyp",
    "GesamtanzahlNachrichtenProTyp",
];
/// Elements of both heads that have the same names, in the order of nachrichtenkopf.
const SAME: [&str; 3] =
    ["Hinweis", "AnwendungsspezifischeErweiterung", "AnwendungsspezifischeErweiterungXML"];
/// Elements of identifikation.nachricht, which have no namespace, and what Kopf calls them.
const IDENTIFICATION: [(&str, &str); 3] = [
    ("nachrichtenUUID", "nachrichtenUUID"),
    ("nachrichtentyp", "Nachrichtentyp"),
    ("erstellungszeitpunkt", "Erstellungszeitpunkt"),
];
/// Attributes of the root and the children of SendendesSystem that say the same.
const SYSTEM: [(&str, &str); 3] =
    [("produkt", "Produktname"), ("produktversion", "Version"), ("produkthersteller", "Produkthersteller")];
/// The attribute that says that a message is a test.
const TEST: &str = "test";
/// Versions of the list of message types in 3.1.0 and 4.0.0.
const LISTS: [&str; 2] = ["2.0", "3.0"];
/// What of a message only 4.0 says, besides its number, which is refused where it is not 1 of 1.
const ONLY_4: [&str; 2] = ["nachrichtenUUID", "UUIDUrsprungsnachricht"];

/// Attributes of a root.
pub(crate) type Attributes = Vec<(String, String)>;

/// The attributes of a root that have no namespace.
pub(crate) fn attributes(root: &xml::Start<'_>) -> Attributes {
    let own = root.attributes().filter(|attribute| attribute.namespace.is_none());
    own.map(|attribute| (attribute.local.to_owned(), attribute.value.to_owned())).collect()
}

/// Whether the message says of itself that it is a test.
pub(crate) fn is_test(attributes: &Attributes) -> bool {
    attribute(attributes, TEST).is_some()
}

/// Whether the kept Kopf says that its message is a test.
pub(crate) fn is_marked(kopf: &Node) -> bool {
    kopf.child(TEST).is_some()
}

/// What the kept Kopf of a message of 4.0 says and a version before does not.
///
/// # Errors
/// [`Error::Unsupported`] if it is a test: it would become a real message.
pub(crate) fn report_lost(kopf: &Node, report: &mut Report) -> Result<(), Error> {
    if is_marked(kopf) {
        return Err(Error::Unsupported { what: "a test message, before 4.0" });
    }
    for local in ONLY_4.into_iter().filter(|local| kopf.child(local).is_some()) {
        report.add(not_carried(&format!("Kopf/{local}")));
    }
    Ok(())
}

/// Whether an element of the root belongs to the head.
pub(crate) fn is_part(local: &str) -> bool {
    local == "nachrichtenkopf" || BEHIND.contains(&local)
}

/// Whether it is the last of the head.
pub(crate) fn is_last(local: &str) -> bool {
    BEHIND.last() == Some(&local)
}

/// The head as a Kopf of 3.1.0. What that does not know stands in it under its own name.
pub(crate) fn raise(attributes: &Attributes, head: Vec<Node>) -> Result<Node, Error> {
    let mut nodes = Vec::new();
    let mut behind = Vec::new();
    for node in head {
        match node.local() {
            "nachrichtenkopf" => nodes = raise_kopf(attributes, &node)?,
            "WeitererLeser" => behind.push(raise_party(node, "WeitererEmpfaenger")?),
            _ => behind.push(node),
        }
    }
    nodes.extend(behind);
    nodes.extend(attribute(attributes, TEST).map(|value| leaf(TEST, value)));
    Ok(group("Kopf", nodes))
}

fn raise_kopf(attributes: &Attributes, kopf: &Node) -> Result<Vec<Node>, Error> {
    let identification = kopf.child("identifikation.nachricht").cloned().unwrap_or_default();
    let identified = |unqualified: &str, local: &str| {
        let node = identification.nodes.iter().find(|node| node.name == unqualified)?;
        Some(listed(Node { name: qualified(local), ..node.clone() }, LISTS[1], LISTS[0]))
    };
    let mut nodes: Vec<Node> = kopf.children("ProzessID").cloned().collect();
    nodes.extend(IDENTIFICATION.iter().filter_map(|(unqualified, local)| identified(unqualified, local)));
    for (local, name) in [("autor", "Absender"), ("leser", "Empfaenger")] {
        for node in kopf.children(local) {
            nodes.push(raise_party(node.clone(), name)?);
        }
    }
    let mut system: Vec<Node> = kopf.children("InstanzID").cloned().collect();
    system.extend(SYSTEM.iter().filter_map(|(name, local)| Some(leaf(local, attribute(attributes, name)?))));
    nodes.push(group("SendendesSystem", system));
    for local in SAME {
        for node in kopf.children(local) {
            nodes.push(funnel::raise(Version::V4_0_0, node.clone())?);
        }
    }
    Ok(nodes)
}

fn attribute<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn raise_party(node: Node, name: &str) -> Result<Node, Error> {
    let raised = funnel::raise(Version::V4_0_0, Node { name: qualified("leser"), ..node })?;
    Ok(Node { name: qualified(name), ..raised })
}

/// A code of one version of its list as one of another.
fn listed(mut node: Node, from: &str, to: &str) -> Node {
    for (name, value) in &mut node.attributes {
        if name == "listVersionID" && value == from {
            *value = to.to_owned();
        }
    }
    node
}

/// The attributes of the root, and the head that a Kopf of 3.1.0 says.
/// `root` is the root element's name.
pub(crate) fn lower(root: &str, kopf: &Node, report: &mut Report) -> Result<(Attributes, Vec<Node>), Error> {
    let system = kopf.child("SendendesSystem").cloned().unwrap_or_default();
    let mut attributes = lower_system(&system, report);
    attributes.push(("standard".to_owned(), super::NAME.to_owned()));
    attributes.push(("version".to_owned(), Version::V4_0_0.number().to_owned()));
    attributes.extend(kopf.child(TEST).map(|node| (TEST.to_owned(), node.text.clone())));
    let first = lower_kopf(kopf, &system, report)?;
    let mut head = vec![funnel::fit(Version::V4_0_0, "NachrichtType", &first, report)?];
    for local in BEHIND {
        match local {
            "WeitererLeser" => {
                for node in kopf.children("WeitererEmpfaenger") {
                    head.push(lower_party(node, "WeitererLeser", report)?);
                }
            }
            _ => {
                for node in kopf.children(local) {
                    head.push(funnel::fit(Version::V4_0_0, root, &fixed(node), report)?);
                }
            }
        }
    }
    Ok((attributes, head))
}

/// A truth that the schema fixes, as the text that it fixes.
fn fixed(node: &Node) -> Node {
    match truth(&node.text) {
        Some(value) if node.is("Importbestaetigung") => leaf("Importbestaetigung", digit(value)),
        _ => node.clone(),
    }
}

/// The attributes that say which product writes. 4.0 asks for its maker, whom no other version names: where
/// the maker is not known, it is we who write.
fn lower_system(system: &Node, report: &mut Report) -> Attributes {
    let ours = sending_system();
    let text = |node: &Node, local| node.child(local).map(|node| node.text.clone());
    let said = |local| text(system, local).filter(|text| is_plain(text));
    let product = said("Produktname");
    let is_ours = product.is_some() && product == text(&ours, "Produktname");
    let is_known = product.is_some() && said("Produkthersteller").is_some();
    let mut attributes = Vec::new();
    for (name, local) in SYSTEM {
        let known = said(local).filter(|_| is_known);
        if known.is_none() && !is_ours && system.child(local).is_some() {
            report.add(not_carried(&format!("Kopf/SendendesSystem/{local}")));
        }
        let maker = || text(&ours, if local == "Version" { local } else { "Produktname" });
        let value = if is_known { known } else { maker() };
        attributes.extend(value.map(|value| (name.to_owned(), value)));
    }
    attributes
}

/// Whether an attribute of DIN 91379, type C, surely holds a text.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ž'))
}

fn lower_kopf(kopf: &Node, system: &Node, report: &mut Report) -> Result<Node, Error> {
    let identified = IDENTIFICATION.iter().filter_map(|(unqualified, local)| {
        let node = kopf.child(local)?;
        Some(listed(Node { name: (*unqualified).to_owned(), ..node.clone() }, LISTS[0], LISTS[1]))
    });
    let mut nodes = vec![group("identifikation.nachricht", identified.collect())];
    for (local, name) in [("Empfaenger", "leser"), ("Absender", "autor")] {
        for node in kopf.children(local) {
            nodes.push(lower_party(node, name, report)?);
        }
    }
    nodes.extend(kopf.children("ProzessID").cloned());
    nodes.extend(system.children("InstanzID").cloned());
    for local in SAME {
        for node in kopf.children(local) {
            nodes.extend(funnel::lower(Version::V4_0_0, "NachrichtenkopfType", node.clone(), report)?);
        }
    }
    Ok(group("nachrichtenkopf", nodes))
}

fn lower_party(node: &Node, name: &str, report: &mut Report) -> Result<Node, Error> {
    let node = Node { name: qualified("leser"), ..node.clone() };
    let lowered = funnel::lower(Version::V4_0_0, "NachrichtenkopfType", node, report)?.unwrap_or_default();
    Ok(Node { name: qualified(name), ..lowered })
}
