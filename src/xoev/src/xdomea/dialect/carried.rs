//! Facts of a record that a version has no place for, in an extension of ours:
//! AnwendungsspezifischeErweiterungXML where the version has it, else AnwendungsspezifischeErweiterung with
//! one Feld. Its text is JSON, all of it ASCII, since 2.x does not hold every character.
//!
//! Anybody can write such an extension, and no schema sees what is in it. So only single facts of a short
//! list ride in it, each bound to its record or file; they are put back where nothing stands, and only if
//! they are what 4.0.0 has at that place.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xml::is_character;

use super::super::messages::Version;
use super::super::node::{Node, group, leaf, qualified};
use super::super::text::moment;
use super::Dialect;

/// Kennung of the extension, and namespace of its element.
const ID: &str = "urn:amtsbote:xdomea:mitgefuehrt";
const ELEMENT: &str = "mitgefuehrt";
const PLAIN: &str = "AnwendungsspezifischeErweiterung";
const XML: &str = "AnwendungsspezifischeErweiterungXML";
/// Bytes that one extension may have. More is not carried.
const MOST_BYTES: usize = 64 * 1024;
/// Facts that one extension may have.
const MOST_FACTS: usize = 200;
/// Bytes in memory that they may take.
const MOST_MEMORY: usize = 256 * 1024;

/// Where the facts of files stand.
const FILE: &str = "Version/Format/Primaerdokument";
const MOMENT: &str = "ZeitpunktLetzteAenderung";
/// What rides: where it stands in a record, the type of its parent in 4.0.0, and the names.
const FACTS: [(&str, &str, &[&str]); 3] = [
    (
        "AllgemeineMetadaten",
        "AllgemeineMetadatenType",
        &["Aktenfuehrung", "Strukturpfad", MOMENT, "Datenschutzstufe", "DatenschutzstufeCode"],
    ),
    (
        "ArchivspezifischeMetadaten",
        "AussonderungsmetadatenType",
        &["BewertungsvorschlagBegruendung", "Transferfristende"],
    ),
    (FILE, "PrimaerdokumentType", &["DateinameOriginal", "Hash", MOMENT]),
];

/// A fact of a record or of one of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fact {
    /// Names of the elements that lead to its parent.
    path: String,
    /// Dateiname of the file that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    file: String,
    /// The element as it was.
    node: Node,
}

/// What one extension says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    /// UUID of the record.
    record: String,
    facts: Vec<Fact>,
}

impl Fact {
    /// The fact, if it is one that rides.
    pub(super) fn of(path: &str, parent: &Node, node: &Node) -> Option<Fact> {
        let file = if path == FILE { parent.text_of("Dateiname")? } else { "" };
        let fact = Fact { path: path.to_owned(), file: file.to_owned(), node: node.clone() };
        fact.is_sound().then_some(fact)
    }

    /// Whether it is of the list, and in itself what 4.0.0 has there.
    fn is_sound(&self) -> bool {
        let local = self.node.local();
        let Some((_, parent, names)) = FACTS.iter().find(|(path, _, _)| *path == self.path) else {
            return false;
        };
        if !self.node.is(local) || !names.contains(&local) || !is_plain(&self.node) {
            return false;
        }
        if local == MOMENT && moment(self.node.text.trim()).is_none() {
            return false;
        }
        let Ok(dialect) = Dialect::of(Version::V4_0_0) else { return false };
        let kind = dialect.shape().kind_of(parent, local);
        let fitted = kind.and_then(|kind| dialect.lower_plain(&self.node, kind));
        fitted.is_some_and(|fitted| dialect.canonical(&fitted) == self.node)
    }

    /// Puts it to its place, if that is there and nothing stands in it.
    fn restore(self, record: &mut Node) {
        let Some(parent) =
            (if self.path == FILE { file(record, &self.file) } else { only(record, &self.path) })
        else {
            return;
        };
        if parent.child(self.node.local()).is_none() {
            parent.nodes.push(self.node);
        }
    }
}

/// Where facts of a record can be put back.
pub(super) struct Places<'a> {
    /// Names of files, and whether one alone has it.
    files: HashMap<&'a str, bool>,
}

impl<'a> Places<'a> {
    /// Those of a record in the canonical form.
    pub(super) fn of(record: &'a Node) -> Self {
        let formats = record.children("Version").flat_map(|version| version.children("Format"));
        let primaries = formats.flat_map(|format| format.children("Primaerdokument"));
        let mut files = HashMap::new();
        for name in primaries.filter_map(|primary| primary.text_of("Dateiname")) {
            files.entry(name).and_modify(|is_alone| *is_alone = false).or_insert(true);
        }
        Places { files }
    }

    /// Whether a fact has one: nobody could say which of two files of the same name it is about.
    pub(super) fn have(&self, fact: &Fact) -> bool {
        fact.path != FILE || self.files.get(fact.file.as_str()) == Some(&true)
    }
}

/// Whether texts and attributes are what may stand in a message, and nothing is of another namespace.
fn is_plain(node: &Node) -> bool {
    let is_plain_attribute = |(name, value): &(String, String)| {
        !name.contains(':') && name != "xmlns" && value.chars().all(is_character)
    };
    node.foreign.is_empty()
        && node.text.chars().all(is_character)
        && node.attributes.iter().all(is_plain_attribute)
        && node.nodes.iter().all(is_plain)
}

/// The one child of this name, made if there is none.
fn only<'a>(record: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    if record.child(name).is_none() {
        record.nodes.push(group(name, Vec::new()));
    }
    let name = qualified(name);
    let mut found = record.nodes.iter_mut().filter(|child| child.name == name);
    found.next().filter(|_| found.next().is_none())
}

/// The one file of this name.
fn file<'a>(record: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let within = |node: &'a mut Node, local: &str| {
        let name = qualified(local);
        node.nodes.iter_mut().filter(move |child| child.name == name)
    };
    let formats = within(record, "Version").flat_map(|version| within(version, "Format"));
    let mut found = formats
        .flat_map(|format| within(format, "Primaerdokument"))
        .filter(|primary| primary.text_of("Dateiname") == Some(name));
    found.next().filter(|_| found.next().is_none())
}

/// The UUID of a record in the canonical form.
fn uuid(record: &Node) -> Option<&str> {
    record.child("Identifikation")?.text_of("ID").map(str::trim)
}

/// The record with an extension that says these facts; `None` if that is too much, or no record.
pub(super) fn attach(record: &Node, facts: &[Fact], in_xml: bool) -> Option<Node> {
    let extension = Extension { record: uuid(record)?.to_owned(), facts: facts.to_vec() };
    let text = ascii(&serde_json::to_string(&extension).ok()?);
    let mut node = record.clone();
    read(&text)?;
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

/// Whether a record of the canonical form has one extension of ours, with these facts.
pub(super) fn rides(record: &Node, facts: &[Fact]) -> bool {
    matches!(&take(&mut record.clone())[..], [text] if read(text).is_some_and(|read| read.facts == facts))
}

/// Puts what rides in our extension back to its place, and takes extensions of ours away. Where there are
/// two, nothing says which one is true.
pub(super) fn restore(record: &mut Node) {
    if uuid(record).is_none() {
        return;
    }
    let texts = take(record);
    let [text] = &texts[..] else { return };
    let Some(extension) = read(text) else { return };
    if !uuid(record).is_some_and(|uuid| uuid.eq_ignore_ascii_case(&extension.record)) {
        return;
    }
    extension.facts.into_iter().filter(Fact::is_sound).for_each(|fact| fact.restore(record));
}

/// Takes all extensions of ours out of a record, and gives their texts back.
fn take(record: &mut Node) -> Vec<String> {
    let mut texts = Vec::new();
    record.nodes.retain_mut(|child| {
        if child.is(PLAIN) && child.text_of("Kennung").map(str::trim) == Some(ID) {
            let text = child.child("Feld").and_then(|field| field.text_of("Wert"));
            texts.push(text.unwrap_or_default().to_owned());
            return false;
        }
        if !child.is(XML) {
            return true;
        }
        let before = child.foreign.len();
        child.foreign.retain(|fragment| match text_of(fragment) {
            Some(text) => {
                texts.push(text);
                false
            }
            None => true,
        });
        before == child.foreign.len() || !child.foreign.is_empty()
    });
    texts
}

/// What an extension says, if it is not too much.
fn read(text: &str) -> Option<Extension> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let extension: Extension = serde_json::from_str(text).ok()?;
    let memory: usize = extension.facts.iter().map(|fact| fact.node.cost()).sum();
    (extension.facts.len() <= MOST_FACTS && memory <= MOST_MEMORY).then_some(extension)
}

/// The text of an element of ours, empty if it cannot be read; `None` if it is not ours.
fn text_of(fragment: &str) -> Option<String> {
    if !fragment.contains(ID) {
        return None;
    }
    let mut reader = xml::Reader::new(fragment.as_bytes(), xml::Limits::default());
    match reader.next().ok()? {
        xml::Event::Start(start) if start.is(ID, ELEMENT) => {}
        _ => return None,
    }
    Some(reader.read_text(MOST_BYTES).unwrap_or_default())
}
