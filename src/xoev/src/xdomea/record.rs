//! What Akte, Vorgang and Dokument have in common, and [`Description`]: Identifikation,
//! AllgemeineMetadaten, ArchivspezifischeMetadaten, Laufzeit, Verweis, Kontakt (Baukasten of 3.0.0 and
//! 3.1.0).

use model::case::{
    Confidentiality, Description, Disposition, FilePlanUnit, Medium, Period, Reference, Relation, Retention,
};
use model::command::RECORD_REFERENCE_CHARS;
use model::party::Party;

use super::node::{Node, code, filled, group, leaf};
use super::party::{RECIPIENT, SENDER, make_party, read_party};
use super::text::{day, title};

/// Kind of [`Reference`] that holds the UUID of a record in xdomea, as it came.
pub(crate) const UUID: &str = "xdomea";

const CONFIDENTIALITY: [(&str, Confidentiality); 5] = [
    ("001", Confidentiality::Secret),
    ("002", Confidentiality::Restricted),
    ("003", Confidentiality::Open),
    ("004", Confidentiality::TopSecret),
    ("005", Confidentiality::Confidential),
];
const MEDIUM: [(&str, Medium); 3] =
    [("001", Medium::Electronic), ("002", Medium::Hybrid), ("003", Medium::Paper)];
const DISPOSITION: [(&str, Disposition); 3] =
    [("A", Disposition::Archive), ("B", Disposition::Appraise), ("V", Disposition::Destroy)];
/// What a link to a record of each kind is called.
const RELATION: [(&str, &str); 3] =
    [("003", "refers-to"), ("001", "refers-to-case-file"), ("002", "refers-to-document")];

fn by_code<T: Copy>(table: &[(&str, T)], code: Option<&str>) -> Option<T> {
    table.iter().find(|(known, _)| Some(*known) == code).map(|(_, value)| *value)
}

fn code_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(code, _)| code)
}

/// Reads the children of a record. Lists of parties go by the names of their elements.
pub(crate) fn read_description(nodes: &[Node]) -> Description {
    let record = Node { nodes: nodes.to_vec(), ..Node::default() };
    let empty = Node::default();
    let part = |local| record.child(local).unwrap_or(&empty);
    let (id, general) = (part("Identifikation"), part("AllgemeineMetadaten"));
    let text = |local| general.text_of(local).map(str::to_owned);
    Description {
        title: title(general.text_of("Betreff").unwrap_or_default()),
        // One that is longer stays with what the model does not know.
        record_reference: text("Kennzeichen").filter(|text| text.chars().count() <= RECORD_REFERENCE_CHARS),
        references: id
            .text_of("ID")
            .map(|value| Reference { kind: UUID.to_owned(), value: value.to_owned() })
            .into_iter()
            .collect(),
        lead: text("Federfuehrung"),
        keeper: text("Aktenfuehrung"),
        file_plan_unit: general
            .child("Aktenplaneinheit")
            .map(read_unit_names)
            .filter(|unit| *unit != FilePlanUnit::default()),
        note: text("Bemerkung"),
        confidentiality: by_code(&CONFIDENTIALITY, general.code_of("Vertraulichkeitsstufe")),
        medium: by_code(&MEDIUM, general.code_of("Medium")),
        period: read_period(part("Laufzeit")),
        retention: read_retention(part("ArchivspezifischeMetadaten")),
        parties: nodes.iter().filter_map(read_any_party).collect(),
        relations: record.children("Verweis").map(read_relation).collect(),
        position: id.text_of("NummerImUebergeordnetenContainer").and_then(|text| text.trim().parse().ok()),
        ..Description::default()
    }
}

/// Writes the children of a record that a description knows. `uuid` is the record's in xdomea.
pub(crate) fn make_description(description: &Description, uuid: &str, is_document: bool) -> Vec<Node> {
    let mut id = vec![leaf("ID", uuid)];
    id.extend(description.position.map(|n| leaf("NummerImUebergeordnetenContainer", n.to_string())));
    let mut nodes = vec![group("Identifikation", id)];
    nodes.extend(make_general(description));
    if !is_document {
        nodes.extend(description.retention.as_ref().and_then(make_retention));
        nodes.extend(description.period.as_ref().and_then(|period| make_period(period, "Laufzeit")));
    }
    nodes.extend(description.relations.iter().map(make_relation));
    nodes.extend(description.parties.iter().map(|party| make_any_party(party, is_document)));
    nodes
}

fn make_general(description: &Description) -> Option<Node> {
    let mut nodes = Vec::new();
    if !description.title.is_empty() {
        nodes.push(leaf("Betreff", &description.title));
    }
    let mut text =
        |local: &str, text: &Option<String>| nodes.extend(text.as_ref().map(|text| leaf(local, text)));
    text("Kennzeichen", &description.record_reference);
    text("Federfuehrung", &description.lead);
    text("Aktenfuehrung", &description.keeper);
    nodes.extend(description.confidentiality.map(|level| {
        let list = "urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe";
        code("Vertraulichkeitsstufe", list, "1.0", code_of(&CONFIDENTIALITY, &level))
    }));
    nodes.extend(description.note.as_ref().map(|text| leaf("Bemerkung", text)));
    nodes.extend(description.medium.map(|medium| {
        code("Medium", "urn:xoev-de:xdomea:codeliste:medium", "1.0", code_of(&MEDIUM, &medium))
    }));
    let unit = description.file_plan_unit.as_ref();
    nodes.extend(unit.and_then(|unit| filled("Aktenplaneinheit", make_unit_names(unit))));
    filled("AllgemeineMetadaten", nodes)
}

/// Names of a unit of a file plan (AktenplaneinheitType).
pub(crate) fn read_unit_names(node: &Node) -> FilePlanUnit {
    let text = |local| node.text_of(local).map(str::to_owned);
    FilePlanUnit { code: text("Kennzeichen"), title: text("Inhaltsangabe"), short_title: text("BetreffKurz") }
}

/// Writes what [`read_unit_names`] reads.
pub(crate) fn make_unit_names(unit: &FilePlanUnit) -> Vec<Node> {
    let parts =
        [("Kennzeichen", &unit.code), ("Inhaltsangabe", &unit.title), ("BetreffKurz", &unit.short_title)];
    parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text))).collect()
}

/// ZeitraumType.
pub(crate) fn read_period(node: &Node) -> Option<Period> {
    let period =
        Period { begin: node.text_of("Beginn").and_then(day), end: node.text_of("Ende").and_then(day) };
    (period != Period::default()).then_some(period)
}

/// Writes what [`read_period`] reads, under the name `element`.
pub(crate) fn make_period(period: &Period, element: &str) -> Option<Node> {
    let parts = [("Beginn", &period.begin), ("Ende", &period.end)];
    let nodes = parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text)));
    filled(element, nodes.collect())
}

fn read_retention(node: &Node) -> Option<Retention> {
    let retention = Retention {
        until: node.text_of("Aufbewahrungsende").and_then(day),
        disposition: node.child("Aussonderungsart").and_then(|node| read_disposition(node).0),
        ..node.child("Aufbewahrungsdauer").map(read_duration).unwrap_or_default()
    };
    (retention != Retention::default()).then_some(retention)
}

/// Years or without end (AufbewahrungsdauerType).
pub(crate) fn read_duration(node: &Node) -> Retention {
    Retention {
        years: node.text_of("AnzahlJahre").and_then(|text| text.trim().parse().ok()),
        unlimited: node.child("Unbefristet").is_some(),
        ..Retention::default()
    }
}

/// Writes what [`read_duration`] reads.
pub(crate) fn make_duration(retention: &Retention) -> Option<Node> {
    let duration = match (retention.unlimited, retention.years) {
        (true, _) => leaf("Unbefristet", "1"),
        (false, years) => leaf("AnzahlJahre", years?.to_string()),
    };
    Some(group("Aufbewahrungsdauer", vec![duration]))
}

/// What becomes of something (AussonderungsartType): one of the three, or what both sides agreed on.
pub(crate) fn read_disposition(node: &Node) -> (Option<Disposition>, Option<String>) {
    let other = node.child("AussonderungsartKonfigurierbar").map(|node| node.text.clone());
    (by_code(&DISPOSITION, node.code_of("Aussonderungsart")), other)
}

/// Writes what [`read_disposition`] reads.
pub(crate) fn make_disposition(disposition: Option<Disposition>, other: Option<&str>) -> Option<Node> {
    let list = "urn:xoev-de:xdomea:codeliste:aussonderungsart";
    let node = match disposition {
        Some(disposition) => code("Aussonderungsart", list, "1.0", code_of(&DISPOSITION, &disposition)),
        None => leaf("AussonderungsartKonfigurierbar", other?),
    };
    Some(group("Aussonderungsart", vec![node]))
}

fn make_retention(retention: &Retention) -> Option<Node> {
    let mut nodes = Vec::new();
    nodes.extend(make_duration(retention));
    nodes.extend(make_disposition(retention.disposition, None));
    nodes.extend(retention.until.as_ref().map(|until| leaf("Aufbewahrungsende", until)));
    filled("ArchivspezifischeMetadaten", nodes)
}

/// The target's UUID is not read: it names a record of the sender's, and stays in the kept part.
fn read_relation(node: &Node) -> Relation {
    let kind = by_code(&RELATION, node.code_of("SGOTyp")).unwrap_or(RELATION[0].1);
    Relation {
        kind: kind.to_owned(),
        target: None,
        reference: node.text_of("SGOKennzeichen").map(str::to_owned),
        note: node.text_of("Bemerkung").map(str::to_owned),
    }
}

fn make_relation(relation: &Relation) -> Node {
    let known = RELATION.iter().find(|(_, kind)| *kind == relation.kind);
    let target_kind = known.unwrap_or(&RELATION[0]).0;
    let mut nodes: Vec<Node> = relation.target.map(|id| leaf("ID", id.to_string())).into_iter().collect();
    nodes.push(code("SGOTyp", "urn:xoev-de:xdomea:codeliste:schriftgutobjekttyp", "1.0", target_kind));
    nodes.extend(relation.reference.as_ref().map(|text| leaf("SGOKennzeichen", text)));
    nodes.extend(relation.note.as_ref().map(|text| leaf("Bemerkung", text)));
    group("Verweis", nodes)
}

fn read_any_party(node: &Node) -> Option<Party> {
    let role = match node.name.strip_prefix("xdomea:")? {
        "Absender" => Some(SENDER),
        "Empfaenger" => Some(RECIPIENT),
        "Kontakt" | "WeitererKontakt" => None,
        _ => return None,
    };
    Some(read_party(node, role))
}

fn make_any_party(party: &Party, is_document: bool) -> Node {
    let element = match party.role.as_deref() {
        Some(SENDER) if is_document => "Absender",
        Some(RECIPIENT) if is_document => "Empfaenger",
        _ if is_document => "WeitererKontakt",
        _ => "Kontakt",
    };
    make_party(party, element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_that_is_too_long_to_be_looked_up_is_left_to_what_is_kept() {
        let read = |length: usize| {
            let reference = leaf("Kennzeichen", "ü".repeat(length));
            read_description(&[group("AllgemeineMetadaten", vec![reference])]).record_reference
        };
        assert_eq!(read(200), Some("ü".repeat(200)));
        assert_eq!(read(201), None);
    }
}
