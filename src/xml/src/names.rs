//! The dictionary of names: each distinct name is checked and split once, and is a number from
//! then on. A document of a million elements has a few hundred distinct names.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Longest accepted name or prefix, in bytes.
const NAME_BYTES: usize = 1_000;
/// All distinct names and namespace URIs of a document together, in bytes.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Texts for which there is room from the beginning: as many as short documents have.
const USUAL: usize = 96;
/// And their bytes together.
const USUAL_BYTES: usize = 2 * 1024;

/// A distinct name, prefix or namespace URI of one document. Equal texts have equal symbols, so
/// that an observer can keep what it knows about a name in a plain vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The empty text: no prefix, no namespace.
    pub const EMPTY: Symbol = Symbol(0);
    pub(crate) const XML: Symbol = Symbol(1);
    pub(crate) const XMLNS: Symbol = Symbol(2);
    pub(crate) const XML_NAMESPACE: Symbol = Symbol(3);
    pub(crate) const XMLNS_NAMESPACE: Symbol = Symbol(4);

    /// The symbol with this number.
    pub(crate) fn at(index: usize) -> Symbol {
        Symbol(index as u32)
    }

    /// The number: dense, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A qualified name as it stands in a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QName {
    pub(crate) raw: Symbol,
    pub(crate) prefix: Symbol,
    pub(crate) local: Symbol,
}

/// Why a name is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadName {
    Syntax,
    TooMany,
}

struct Entry {
    /// Where it stands in [`Names::texts`].
    text: Range<usize>,
    split: Option<(Symbol, Symbol)>,
    /// The name that came next the last time: documents repeat themselves, and one comparison is
    /// cheaper than one hash.
    next: Symbol,
}

pub(crate) struct Names {
    /// All texts, one behind the other: a document of a few kilobytes has a hundred, and an allocation for each
    /// costs more than reading them.
    texts: String,
    entries: Vec<Entry>,
    /// Numbers of entries by the hashes of their texts. The hasher has a seed that nobody outside knows.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    limit: usize,
    last: Symbol,
}

impl Names {
    pub(crate) fn new(limit: usize) -> Self {
        let mut names = Names {
            texts: String::with_capacity(USUAL_BYTES),
            entries: Vec::with_capacity(USUAL),
            table: HashTable::with_capacity(USUAL),
            hasher: DefaultHashBuilder::default(),
            limit: usize::MAX,
            last: Symbol::EMPTY,
        };
        for text in ["", "xml", "xmlns", XML_NAMESPACE, XMLNS_NAMESPACE] {
            let hash = names.hasher.hash_one(text);
            names.add(text, hash);
        }
        names.limit = limit.saturating_add(names.entries.len());
        names
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[self.entries[symbol.index()].text.clone()]
    }

    /// The symbol of any text, such as a namespace URI.
    pub(crate) fn intern(&mut self, text: &str) -> Result<Symbol, BadName> {
        let hash = self.hasher.hash_one(text);
        let is_it = |&index: &u32| self.text(Symbol(index)) == text;
        if let Some(&index) = self.table.find(hash, is_it) {
            return Ok(Symbol(index));
        }
        if self.entries.len() >= self.limit || self.texts.len() + text.len() > DICTIONARY_BYTES {
            return Err(BadName::TooMany);
        }
        Ok(self.add(text, hash))
    }

    /// The symbols of a qualified name, checked against XML and Namespaces in XML.
    pub(crate) fn qname(&mut self, text: &str) -> Result<QName, BadName> {
        let guess = self.entries[self.last.index()].next;
        let raw = if self.text(guess) == text {
            guess
        } else {
            let symbol = self.intern(text)?;
            self.entries[self.last.index()].next = symbol;
            symbol
        };
        self.last = raw;
        if let Some((prefix, local)) = self.entries[raw.index()].split {
            return Ok(QName { raw, prefix, local });
        }
        let (prefix, local) = split(text).ok_or(BadName::Syntax)?;
        let (prefix, local) = match prefix {
            "" => (Symbol::EMPTY, raw),
            prefix => (self.intern(prefix)?, self.intern(local)?),
        };
        self.entries[raw.index()].split = Some((prefix, local));
        Ok(QName { raw, prefix, local })
    }

    fn add(&mut self, text: &str, hash: u64) -> Symbol {
        let index = self.entries.len() as u32;
        let begin = self.texts.len();
        self.texts.push_str(text);
        self.entries.push(Entry { text: begin..self.texts.len(), split: None, next: Symbol::EMPTY });
        let Names { texts, entries, hasher, .. } = self;
        let rehash = |&index: &u32| hasher.hash_one(&texts[entries[index as usize].text.clone()]);
        self.table.insert_unique(hash, index, rehash);
        Symbol(index)
    }
}

pub(crate) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
pub(crate) const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Splits a qualified name in prefix (possibly empty) and local part, if both are `NCName`s.
pub(crate) fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() > NAME_BYTES {
        return None;
    }
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let good_prefix = prefix.len() + local.len() == name.len() || is_ncname(prefix);
    (good_prefix && is_ncname(local)).then_some((prefix, local))
}

/// `NCName` of Namespaces in XML 1.0, section 3.
pub(crate) fn is_ncname(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_character)
}

/// `NameStartChar` of XML 1.0, section 2.3, without the colon.
fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` of XML 1.0, section 2.3, without the colon.
fn is_name_character(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// `Char` of XML 1.0, section 2.2.
pub fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
