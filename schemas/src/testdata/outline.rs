//! The outline of xdomea's schemas, as text: every root and type with its children in order, how
//! often each may stand, and its type; and every code type with its list. One line per child:
//! `Name [1..n] type`, indented by two for what is inside.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;

/// What 4.0.0 takes from the XÖV basic message, whose types have names of their own there.
const BASIC_MESSAGE: &str = "TYPE bn-uq-g2g:KommunikationType
  kanal [1..1] bn-uq-g2g:Code.Kommunikation.KanalType form=unqualified
  kennung [1..1] din91379:datatypeC form=unqualified
  zusatz [0..1] din91379:datatypeC form=unqualified";
const BASIC_CODES: &str = "
Code.Kommunikation.KanalType: name=0 listURI=('optional', 'urn:de:xoev:codeliste:erreichbarkeit') listVersionID=('required', None) enum=0
Code.VerzeichnisdienstType: name=0 listURI=('optional', 'urn:xoev-de:kosit:codeliste:verzeichnisdienst') listVersionID=('required', None) enum=0
";

/// A line of the outline.
pub(super) enum Item {
    Extends(String),
    Choice(Vec<Item>),
    Any,
    Child(Child),
}

/// An element in its parent.
pub(super) struct Child {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) is_many: bool,
    pub(super) is_fixed: bool,
    pub(super) is_qualified: bool,
    pub(super) kind: Kind,
}

/// What an element holds.
pub(super) enum Kind {
    Named(String),
    Children(Vec<Item>),
}

pub(super) struct Code {
    pub(super) is_named: bool,
    pub(super) uri: Option<String>,
    pub(super) version: Option<String>,
    /// Empty: not enumerated.
    pub(super) values: Vec<String>,
}

/// The outline of one version.
pub struct Outline {
    pub(super) version: String,
    pub(super) types: HashMap<String, Vec<Item>>,
    pub(super) codes: HashMap<String, Code>,
    roots: BTreeMap<String, String>,
}

impl Outline {
    /// Reads `xdomea-VERSION-structure.txt` and `xdomea-codetypes.txt` in a folder, for 2.3.0 to 4.0.0.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read(annex: &Path, version: &str) -> io::Result<Outline> {
        let text = fs::read_to_string(annex.join(format!("xdomea-{version}-structure.txt")))?;
        let lines: Vec<&str> = text.lines().chain(BASIC_MESSAGE.lines()).collect();
        let (mut types, mut roots) = (HashMap::new(), BTreeMap::new());
        for (index, line) in lines.iter().enumerate() {
            let root = line.strip_prefix("ELEMENT ").map(str::trim);
            if let Some(name) = root {
                let code = name.rsplit('.').next().unwrap_or_default();
                roots.insert(code.to_owned(), name.to_owned());
            }
            if let Some(name) = root.or_else(|| line.strip_prefix("TYPE ")) {
                types.insert(name.to_owned(), parse(&lines[index + 1..], 2).0);
            }
        }
        let text = fs::read_to_string(annex.join("xdomea-codetypes.txt"))?;
        let mut codes = codes(BASIC_CODES);
        let head = format!("xdomea/{version}/");
        text.split("### ")
            .filter(|part| part.starts_with(&head))
            .for_each(|part| codes.extend(self::codes(part)));
        Ok(Outline { version: version.to_owned(), types, codes, roots })
    }

    /// The four digits and the root's name of every message, sorted.
    pub fn roots(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roots.iter().map(|(code, root)| (code.as_str(), root.as_str()))
    }
}

/// The lines with at least this indent, and how many they are.
fn parse(lines: &[&str], indent: usize) -> (Vec<Item>, usize) {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if line.len() - line.trim_start().len() < indent || line.starts_with('#') {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (children, used) = parse(&lines[at + 1..], indent + 2);
        at += 1 + used;
        match words[0] {
            "(extension" => items.push(Item::Extends(base(words[2]))),
            "(restriction" => {}
            "CHOICE" => items.push(Item::Choice(children)),
            "ANY" => items.push(Item::Any),
            // Only 4.0.0's roots have some that matter; the maker knows them.
            name if name.starts_with('@') => {}
            _ => items.push(Item::Child(child(&words, children))),
        }
    }
    (items, at)
}

/// A base type: those of xdomea go by their name, others with their prefix.
fn base(word: &str) -> String {
    let name = word.trim_end_matches(')');
    name.strip_prefix("xdomea:").unwrap_or(name).to_owned()
}

fn child(words: &[&str], children: Vec<Item>) -> Child {
    Child {
        name: words[0].to_owned(),
        is_required: words[1].starts_with("[1"),
        is_many: words[1].ends_with("n]"),
        is_fixed: words.iter().any(|word| word.starts_with("fixed=")),
        is_qualified: !words.contains(&"form=unqualified"),
        kind: match words.get(2) {
            Some(kind) => Kind::Named(kind.rsplit(':').next().unwrap_or_default().to_owned()),
            None => Kind::Children(children),
        },
    }
}

/// Lines such as `XCodeType: name=0..1 listURI=('optional', 'urn:x') listVersionID=('required', None) enum=2`,
/// each followed by its values, if they are enumerated.
fn codes(text: &str) -> HashMap<String, Code> {
    let mut codes: HashMap<String, Code> = HashMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            let values = line.split(';').map(str::trim).filter(|value| !value.is_empty());
            codes.entry(last.clone()).and_modify(|code| code.values.extend(values.map(str::to_owned)));
            continue;
        }
        let Some((name, rest)) = line.split_once(": name=") else { continue };
        let attribute = |key: &str| {
            let value = rest.split_once(&format!("{key}=('"))?.1.split_once("', ")?.1.split_once(')')?.0;
            value.strip_prefix('\'').map(|value| value.trim_end_matches('\'').to_owned())
        };
        let (uri, version) = (attribute("listURI"), attribute("listVersionID"));
        let code = Code { is_named: rest.starts_with("0..1"), uri, version, values: Vec::new() };
        name.clone_into(&mut last);
        codes.insert(last.clone(), code);
    }
    codes
}
