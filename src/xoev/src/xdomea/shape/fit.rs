//! Brings an element into the shape of a version: children into order, what the version does not know
//! left out, what it demands and nobody said filled in. What is left out is found by comparison
//! (see [`super::super::dialect`]).

use super::super::node::{Node, code, group, leaf};
use super::{Attribute, Child, Shape};

/// Versions of code lists that the schema before had fixed, by list: what stands for one that is not said.
const LIST_VERSIONS: [(&str, &str); 6] = [
    ("urn:xoev-de:xdomea:codeliste:anschriftstyp", "1.0"),
    ("urn:xoev-de:xdomea:codeliste:beteiligungsstatus", "1.1"),
    ("urn:xoev-de:xdomea:codeliste:bewertungsvorschlag", "1.0"),
    ("urn:xoev-de:xdomea:codeliste:dateiformat", "1.0"),
    ("urn:de:xoev:codeliste:erreichbarkeit", "3"),
    ("urn:xoev-de:kosit:codeliste:verzeichnisdienst", "3"),
];

/// What a version demands and another does not know.
fn default_of(child: &str) -> Option<Node> {
    match child {
        "xdomea:SendendesSystem" => Some(group("SendendesSystem", Vec::new())),
        "xdomea:Uhrzeit" => Some(leaf("Uhrzeit", "00:00:00")),
        "xdomea:Erstellungsuhrzeit" => Some(leaf("Erstellungsuhrzeit", "00:00:00")),
        "xdomea:Kontextobjekt" => Some(leaf("Kontextobjekt", "0")),
        "xdomea:Empfangsbestaetigung" => Some(leaf("Empfangsbestaetigung", "0")),
        "xdomea:Importbestaetigung" => Some(leaf("Importbestaetigung", "1")),
        "xdomea:RueckmeldungArchivkennung" => Some(leaf("RueckmeldungArchivkennung", "0")),
        // 07: another channel.
        "kanal" => {
            Some(Node { name: "kanal".into(), ..code("", "urn:de:xoev:codeliste:erreichbarkeit", "3", "07") })
        }
        "kennung" => Some(Node { name: "kennung".into(), ..Node::default() }),
        _ => None,
    }
}

impl Shape {
    /// The element as a type has it; `None` if the type cannot hold it.
    pub(crate) fn fit(&self, node: &Node, kind: &str) -> Option<Node> {
        let kind = self.kind(kind)?;
        let attributes = fit_attributes(node, &kind.attributes)?;
        if let Some(value) = &kind.value {
            let text = if node.nodes.is_empty() { value.hold(&node.text)? } else { return None };
            return Some(Node { name: node.name.clone(), attributes, text, ..Node::default() });
        }
        if kind.any {
            return Some(Node { attributes, ..node.clone() });
        }
        let mut fitted = Node { name: node.name.clone(), attributes, ..Node::default() };
        let mut chosen = vec![None; kind.choices.len()];
        for child in &kind.children {
            let is_open = child.choice.is_none_or(|choice| chosen.get(choice).is_some_and(Option::is_none));
            if !is_open {
                continue;
            }
            let before = fitted.nodes.len();
            self.add_children(node, child, &mut fitted.nodes);
            if fitted.nodes.len() == before && child.required {
                fitted.nodes.push(self.fit(&default_of(&child.name)?, &child.kind)?);
            }
            if fitted.nodes.len() > before {
                child
                    .choice
                    .and_then(|choice| chosen.get_mut(choice))
                    .into_iter()
                    .for_each(|slot| *slot = Some(()));
            }
        }
        let is_whole =
            kind.choices.iter().zip(&chosen).all(|(required, chosen)| !required || chosen.is_some());
        is_whole.then_some(fitted)
    }

    fn add_children(&self, node: &Node, child: &Child, to: &mut Vec<Node>) {
        for found in node.nodes.iter().filter(|found| found.name == child.name) {
            let Some(mut fitted) = self.fit(found, &child.kind) else { continue };
            // Nothing is left of it.
            if !child.required && is_empty(&fitted) && !is_empty(found) {
                continue;
            }
            if let Some(fixed) = &child.fixed
                && fitted.text.trim() != fixed
            {
                match fitted.text.trim() {
                    "true" if fixed == "1" => fitted.text.clone_from(fixed),
                    _ => continue,
                }
            }
            to.push(fitted);
            if !child.many {
                return;
            }
        }
    }
}

fn is_empty(node: &Node) -> bool {
    node.nodes.is_empty() && node.text.trim().is_empty() && node.foreign.is_empty()
}

/// Attributes as a type has them; `None` if one that it demands is not known.
fn fit_attributes(node: &Node, known: &[Attribute]) -> Option<Vec<(String, String)>> {
    let mut fitted: Vec<(String, String)> = Vec::new();
    for (name, value) in &node.attributes {
        if name.contains(':') || name == "xmlns" {
            fitted.push((name.clone(), value.clone()));
        } else if let Some(attribute) = known.iter().find(|attribute| attribute.name == *name) {
            fitted.push((name.clone(), attribute.fixed.as_ref().unwrap_or(value).clone()));
        }
    }
    for attribute in known.iter().filter(|attribute| attribute.required) {
        if fitted.iter().any(|(name, _)| *name == attribute.name) {
            continue;
        }
        let value = attribute.fixed.clone().or_else(|| list_version(attribute, known))?;
        fitted.push((attribute.name.clone(), value));
    }
    Some(fitted)
}

/// The version of a list whose name the schema fixes. Nothing says which one of another list it is.
fn list_version(attribute: &Attribute, known: &[Attribute]) -> Option<String> {
    let list = known.iter().find(|other| attribute.name == "listVersionID" && other.name == "listURI")?;
    let list = list.fixed.as_deref()?;
    let version = LIST_VERSIONS.iter().find(|(known, _)| *known == list).map_or("", |(_, version)| *version);
    Some(version.to_owned())
}
