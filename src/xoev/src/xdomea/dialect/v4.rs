//! 4.0.0 (fact sheet on xdomea, part 1.9, "3.1.0 to 4.0.0"). Its header is not here.

use super::super::node::{Node, code, filled, group, leaf, qualified};
use super::{EITHER, PART, WITH_PARTS, rename, rename_back};

/// Names of 4.0 and the canonical ones, whatever they lie in.
const NAMES: [(&str, &str); 7] = [
    ("xdomeaUUID", "ID"),
    ("Aussonderungsmetadaten", "ArchivspezifischeMetadaten"),
    ("NameInstitution", "Institution"),
    ("NameOrganisationseinheit", "Organisationseinheit"),
    ("erreichbarkeit", "Kommunikation"),
    ("Autor", "Absender"),
    ("Leser", "Empfaenger"),
];
/// The names of a person in a contact.
const PERSON: [(&str, &str); 1] = [("NameAnsprechpartner", "Name")];
/// Elements that are contacts, by their names in both.
const CONTACTS: [&str; 13] = [
    "Kontakt",
    "WeitererKontakt",
    "Absender",
    "Empfaenger",
    "WeitererEmpfaenger",
    "Autor",
    "Leser",
    "autor",
    "leser",
    "WeitererLeser",
    "Ersteller",
    "Adressat",
    "Bearbeiter",
];
/// Children of Kommunikation, without a namespace in 4.0.
const CHANNEL: [(&str, &str); 3] = [("kanal", "Kanal"), ("kennung", "Kennung"), ("zusatz", "Zusatz")];

const CONFIDENTIALITY: &str = "urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe";
const CONFIDENTIALITY_VERSION: &str = "1.0";
const CONFIDENTIALITIES: [&str; 5] = ["001", "002", "003", "004", "005"];
const KEYS: &str = "urn:xoev-de:bund:bmi:bit:codeliste:dvdv.behoerdenschluessel";
const PREFIXES: &str = "urn:xoev-de:bund:bmi:bit:codeliste:dvdv.praefix";
const DIRECTORIES: &str = "urn:xoev-de:kosit:codeliste:verzeichnisdienst";
const DVDV: &str = "DVDV";
/// The text of a role, whose code is called Rolle in the canonical form.
const ROLE_TEXT: &str = "RolleText";

/// Reads one element; those in it were read before.
pub(super) fn raise(node: &mut Node) {
    unwrap(node);
    if node.is("Behoerdenkennung") {
        raise_authority(node);
    }
    if node.is("AllgemeineMetadaten") {
        raise_confidentiality(node);
    }
    if node.is("erreichbarkeit") {
        for child in &mut node.nodes {
            if let Some((_, name)) = CHANNEL.iter().find(|(known, _)| child.name == *known) {
                child.name = qualified(name);
            }
        }
    }
    rename(node, &[("Rolle", ROLE_TEXT)]);
    rename(node, &[("RolleCode", "Rolle")]);
    rename(node, &PERSON);
    rename(node, &NAMES);
}

/// Writes one element; what it lies in was written before.
pub(super) fn lower(node: &mut Node) {
    if ["Anschreiben", "Anlage", EITHER].iter().any(|name| node.is(name)) {
        wrap(node);
        return;
    }
    match node.local() {
        "Behoerdenkennung" => lower_authority(node),
        "AllgemeineMetadaten" => lower_confidentiality(node),
        "erreichbarkeit" => {
            for child in &mut node.nodes {
                if let Some((name, _)) = CHANNEL.iter().find(|(_, known)| child.is(known)) {
                    child.name = (*name).to_owned();
                }
            }
        }
        _ => {}
    }
    lower_names(node);
}

fn lower_names(node: &mut Node) {
    lower_role(node);
    // Other elements have a Name, too.
    if CONTACTS.contains(&node.local()) {
        rename_back(node, &PERSON);
    }
    rename_back(node, &NAMES);
}

fn lower_role(node: &mut Node) {
    let has_text = node.child(ROLE_TEXT).is_some();
    for child in node.nodes.iter_mut().filter(|child| child.is("Rolle")) {
        let says = |name: &str| child.attributes.iter().any(|(known, _)| known == name);
        let is_listed = says("listURI") && says("listVersionID");
        match child.code().map(str::to_owned) {
            Some(code) if !(has_text || is_listed) => *child = leaf(ROLE_TEXT, code),
            Some(_) => child.name = qualified("RolleCode"),
            None => {}
        }
    }
    rename(node, &[(ROLE_TEXT, "Rolle")]);
}

/// Takes a document out of the element that only says which kind of document it is.
fn unwrap(node: &mut Node) {
    let Some(at) = node.nodes.iter().position(|child| child.is("Dokument") || child.is(WITH_PARTS)) else {
        return;
    };
    if !["Anschreiben", "Anlage", EITHER].iter().any(|name| node.is(name)) {
        return;
    }
    let inner = node.nodes.remove(at);
    if inner.nodes.is_empty() {
        // What says that it was one, not one itself.
        node.nodes.insert(at, inner);
        return;
    }
    let mut nodes = inner.nodes;
    if inner.name == qualified(WITH_PARTS) {
        nodes.push(group(WITH_PARTS, Vec::new()));
    }
    for part in nodes.iter_mut().filter(|child| child.is(PART) && !child.nodes.is_empty()) {
        part.name = qualified("Anlage");
        part.nodes.push(group(PART, Vec::new()));
    }
    nodes.append(&mut node.nodes);
    node.nodes = nodes;
}

/// Puts a document into an element that says which kind of document it is.
fn wrap(node: &mut Node) {
    let has_parts = node.child(WITH_PARTS).is_some() && node.child("Version").is_none();
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    for mut child in std::mem::take(&mut node.nodes) {
        let is_part = child.child(PART).is_some_and(|part| part.nodes.is_empty());
        if child.is(WITH_PARTS) || (child.is(PART) && child.nodes.is_empty()) {
            continue;
        }
        if has_parts && child.is("Anlage") && is_part {
            child.nodes.retain(|child| !child.is(PART));
            child.name = qualified(PART);
        }
        if child.is("Nummer") { outer.push(child) } else { inner.push(child) }
    }
    node.nodes = vec![group(if has_parts { WITH_PARTS } else { "Dokument" }, inner)];
    node.nodes.append(&mut outer);
}

/// A key of the directory DVDV is a prefix and a key of its lists. Other directories stay as they are.
fn raise_authority(node: &mut Node) {
    let key = node.text_of("kennung").and_then(|text| text.split_once(':'));
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    let Some((prefix, key)) = key.filter(|(prefix, key)| is_word(prefix) && is_word(key)) else { return };
    if node.code_of("verzeichnisdienst") != Some(DVDV) {
        return;
    }
    let parts = [code("Behoerdenschluessel", KEYS, "", key), code("Praefix", PREFIXES, "", prefix)];
    node.nodes.retain(|child| !child.is("kennung") && *child != directory());
    node.nodes.extend(parts);
}

fn lower_authority(node: &mut Node) {
    // Keys of other lists would be read as those of the directory.
    let key = |local, list: &str| {
        let node = node.child(local).filter(|node| node.list().is_none_or(|known| known == list))?;
        node.code().map(str::to_owned)
    };
    let (prefix, key) = (key("Praefix", PREFIXES), key("Behoerdenschluessel", KEYS));
    let (Some(prefix), Some(key)) = (prefix, key) else { return };
    let kept = node.child("verzeichnisdienst").cloned();
    node.nodes = vec![kept.unwrap_or_else(directory), leaf("kennung", format!("{prefix}:{key}"))];
}

fn directory() -> Node {
    code("verzeichnisdienst", DIRECTORIES, "3", DVDV)
}

/// A degree of secrecy by the list of earlier versions is what those called Vertraulichkeitsstufe.
fn raise_confidentiality(node: &mut Node) {
    let Some(at) = node.nodes.iter().position(|child| child.is("Geheimhaltung")) else { return };
    let secrecy = &mut node.nodes[at];
    let is_old = |degree: &Node| {
        degree.list() == Some(CONFIDENTIALITY)
            && degree.code().is_some_and(|code| CONFIDENTIALITIES.contains(&code))
    };
    let Some(index) = secrecy.nodes.iter().position(|child| child.is("Geheimhaltungsgrad") && is_old(child))
    else {
        return;
    };
    let degree = Node { name: qualified("Vertraulichkeitsstufe"), ..secrecy.nodes.remove(index) };
    if secrecy.nodes.is_empty() {
        node.nodes.remove(at);
    }
    node.nodes.push(degree);
}

fn lower_confidentiality(node: &mut Node) {
    let Some(at) = node.nodes.iter().position(|child| child.is("Vertraulichkeitsstufe")) else { return };
    let mut degree = node.nodes.remove(at);
    degree.name = qualified("Geheimhaltungsgrad");
    for (name, value) in [("listURI", CONFIDENTIALITY), ("listVersionID", CONFIDENTIALITY_VERSION)] {
        if !degree.attributes.iter().any(|(known, _)| known == name) {
            degree.attributes.push((name.to_owned(), value.to_owned()));
        }
    }
    match node.nodes.iter_mut().find(|child| child.is("Geheimhaltung")) {
        // One of another list is there already: it says more.
        Some(secrecy) if secrecy.child("Geheimhaltungsgrad").is_some() => {}
        Some(secrecy) => secrecy.nodes.insert(0, degree),
        None => node.nodes.extend(filled("Geheimhaltung", vec![degree])),
    }
}
