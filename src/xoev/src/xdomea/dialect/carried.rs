//! What a version cannot hold, in an extension of ours: AnwendungsspezifischeErweiterungXML where the
//! version has it, else AnwendungsspezifischeErweiterung with one Feld. Its text is a list of [`Part`]s
//! in JSON, all of it ASCII, since 2.x does not hold every character.

use serde::{Deserialize, Serialize};

use super::super::node::{Node, group, leaf, qualified};

/// Kennung of the extension, and namespace of its element.
const ID: &str = "urn:amtsbote:xdomea:mitgefuehrt";
const ELEMENT: &str = "mitgefuehrt";
const PLAIN: &str = "AnwendungsspezifischeErweiterung";
const XML: &str = "AnwendungsspezifischeErweiterungXML";
/// Bytes that one extension may have. More is not carried.
const MOST_BYTES: usize = 256 * 1024;

/// Children of one name that were lost or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Names of the elements that lead to their parent, each with its number among its like, from 1.
    at: Vec<(String, usize)>,
    /// Their local name.
    name: String,
    /// As they were.
    was: Vec<Node>,
    /// As they stand in the message.
    is: Vec<Node>,
}

impl Part {
    /// Where they are, for a reader.
    pub(super) fn place(&self) -> String {
        let mut place = String::new();
        for (name, number) in &self.at {
            place.push_str(name);
            if *number > 1 {
                place.push_str(&format!("[{number}]"));
            }
            place.push('/');
        }
        place + &self.name
    }
}

/// What of `was` is not in `is` or is otherwise there. What only `is` has is not lost.
pub(super) fn differences(was: &Node, is: &Node) -> Vec<Part> {
    let mut parts = Vec::new();
    compare(was, is, &mut Vec::new(), &mut parts);
    parts
}

fn compare(was: &Node, is: &Node, at: &mut Vec<(String, usize)>, parts: &mut Vec<Part>) {
    let mut seen: Vec<&str> = Vec::new();
    for child in &was.nodes {
        if seen.contains(&child.name.as_str()) {
            continue;
        }
        seen.push(&child.name);
        let (before, after) = (named(was, &child.name), named(is, &child.name));
        if before.len() == after.len() && before.iter().zip(&after).all(|(one, other)| is_same(one, other)) {
            continue;
        }
        if before.len() == after.len() && before.iter().chain(&after).all(|node| is_group(node)) {
            for (index, (one, other)) in before.iter().zip(&after).enumerate() {
                at.push((child.local().to_owned(), index + 1));
                compare(one, other, at, parts);
                at.pop();
            }
        } else {
            let owned = |nodes: Vec<&Node>| nodes.into_iter().cloned().collect();
            let name = child.local().to_owned();
            parts.push(Part { at: at.clone(), name, was: owned(before), is: owned(after) });
        }
    }
}

fn named<'a>(node: &'a Node, name: &str) -> Vec<&'a Node> {
    node.nodes.iter().filter(|child| child.name == name).collect()
}

/// Whether its children can be looked at one by one.
fn is_group(node: &Node) -> bool {
    !node.nodes.is_empty() && node.code().is_none() && node.foreign.is_empty()
}

/// Whether nothing of the one is lost in the other. Lists and names of codes follow the version.
fn is_same(was: &Node, is: &Node) -> bool {
    if was.name != is.name || was.foreign != is.foreign {
        return false;
    }
    match (was.code(), is.code()) {
        (Some(one), Some(other)) => one == other,
        (None, None) if was.nodes.is_empty() => is.nodes.is_empty() && is_same_text(&was.text, &is.text),
        (None, None) => differences(was, is).is_empty(),
        _ => false,
    }
}

/// White space alone stands between elements, and a truth that is fixed is written as a digit.
fn is_same_text(was: &str, is: &str) -> bool {
    was == is || (was.trim().is_empty() && is.is_empty()) || (was.trim() == "true" && is == "1")
}

/// The element with an extension that says what is lost of it; `None` if that is too much.
pub(super) fn attach(node: &Node, parts: &[Part], in_xml: bool) -> Option<Node> {
    let text = ascii(&serde_json::to_string(parts).ok()?);
    if text.len() > MOST_BYTES {
        return None;
    }
    let mut node = node.clone();
    if !in_xml {
        let field = group("Feld", vec![leaf("Name", ELEMENT), leaf("Wert", text)]);
        let name = "Amtsbote: was diese Fassung nicht kennt";
        node.nodes.push(group(PLAIN, vec![leaf("Kennung", ID), leaf("Name", name), field]));
        return Some(node);
    }
    let mut escaped = String::new();
    xml::escape_text(&text, &mut escaped);
    let fragment = format!("<amtsbote:{ELEMENT} xmlns:amtsbote=\"{ID}\">{escaped}</amtsbote:{ELEMENT}>");
    match node.nodes.iter_mut().find(|child| child.is(XML)) {
        Some(extension) => extension.foreign.push(fragment),
        None => node.nodes.push(Node { name: qualified(XML), foreign: vec![fragment], ..Node::default() }),
    }
    Some(node)
}

/// JSON with every other character as an escape; such characters stand in strings only.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            _ => character
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// Whether an element of the canonical form has our extension.
pub(super) fn rides(node: &Node) -> bool {
    take(&mut node.clone()).is_some()
}

/// Puts what rides in our extension back to its place, and takes the extension away.
pub(super) fn restore(node: &mut Node) {
    let Some(parts) = take(node) else { return };
    parts.into_iter().for_each(|part| restore_part(node, part));
}

fn restore_part(node: &mut Node, part: Part) {
    // What decides whether a message is taken was checked where it stands.
    if ["ID", "Identifikation", "Vertraulichkeitsstufe"].contains(&part.name.as_str()) {
        return;
    }
    let mut parent = node;
    for (name, number) in &part.at {
        let count = parent.children(name).count();
        if count + 1 == *number {
            parent.nodes.push(group(name, Vec::new()));
        }
        let name = qualified(name);
        let mut like = parent.nodes.iter_mut().filter(|child| child.name == name);
        let Some(next) = number.checked_sub(1).and_then(|index| like.nth(index)) else { return };
        parent = next;
    }
    let name = part.was.first().map_or_else(|| qualified(&part.name), |node| node.name.clone());
    let stands = named(parent, &name);
    // Somebody has changed it since.
    if stands.len() != part.is.len() || !stands.iter().zip(&part.is).all(|(one, other)| is_same(one, other)) {
        return;
    }
    parent.nodes.retain(|child| child.name != name);
    parent.nodes.extend(part.was.into_iter().filter(|node| node.name == name));
}

/// Takes our extension out of an element and reads it; one that cannot be read stays.
fn take(node: &mut Node) -> Option<Vec<Part>> {
    for (index, child) in node.nodes.iter_mut().enumerate() {
        if child.is(PLAIN) && child.text_of("Kennung") == Some(ID) {
            let parts = read(child.child("Feld").and_then(|field| field.text_of("Wert"))?)?;
            node.nodes.remove(index);
            return Some(parts);
        }
        if !child.is(XML) {
            continue;
        }
        let found = child
            .foreign
            .iter()
            .enumerate()
            .find_map(|(at, fragment)| Some((at, read(&text_of(fragment)?)?)));
        if let Some((at, parts)) = found {
            child.foreign.remove(at);
            if child.foreign.is_empty() {
                node.nodes.remove(index);
            }
            return Some(parts);
        }
    }
    None
}

fn read(text: &str) -> Option<Vec<Part>> {
    if text.len() > MOST_BYTES { None } else { serde_json::from_str(text).ok() }
}

/// The text of our element.
fn text_of(fragment: &str) -> Option<String> {
    if !fragment.contains(ID) {
        return None;
    }
    let mut reader = xml::Reader::new(fragment.as_bytes(), xml::Limits::default());
    match reader.next().ok()? {
        xml::Event::Start(start) if start.is(ID, ELEMENT) => {}
        _ => return None,
    }
    reader.read_text(MOST_BYTES).ok()
}
