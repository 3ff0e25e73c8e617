//! Start tags: attributes (XML 1.0 section 3.1, 3.3.3) and their namespaces (Namespaces in XML 1.0).

use crate::error::HERE;
use crate::names::{BadName, Names, QName, Symbol, is_character};
use crate::state::State;
use crate::{Error, Limits};
use std::ops::Range;

/// The start tag that was read last. Its vectors are reused, so that a tag costs no allocation.
pub(crate) struct Tag {
    pub(crate) name: QName,
    pub(crate) namespace: Option<Symbol>,
    attributes: Vec<Entry>,
    /// (prefix, namespace); the empty symbol is the default namespace or none.
    declarations: Vec<(Symbol, Symbol)>,
    /// All attribute values, normalised, one behind the other.
    values: String,
    pub(crate) has_xml_attribute: bool,
}

struct Entry {
    name: QName,
    namespace: Option<Symbol>,
    value: Range<usize>,
}

impl Default for Tag {
    fn default() -> Self {
        let name = QName { raw: Symbol::EMPTY, prefix: Symbol::EMPTY, local: Symbol::EMPTY };
        let (attributes, declarations) = (Vec::new(), Vec::new());
        let values = String::new();
        Tag { name, namespace: None, attributes, declarations, values, has_xml_attribute: false }
    }
}

impl Tag {
    /// Local names and values of the attributes in the namespace of `xml`.
    pub(crate) fn xml_attributes(&self) -> impl Iterator<Item = (Symbol, &str)> {
        let is_xml = |entry: &&Entry| entry.namespace == Some(Symbol::XML_NAMESPACE);
        self.attributes.iter().filter(is_xml).map(|it| (it.name.local, &self.values[it.value.clone()]))
    }
}

/// The start of an element.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub(crate) state: &'a State,
}

/// An attribute; namespace declarations are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Namespace, if the name has a prefix.
    pub namespace: Option<&'a str>,
    /// Prefix as written.
    pub prefix: Option<&'a str>,
    /// Local name.
    pub local: &'a str,
    /// Value: references resolved, white space normalised.
    pub value: &'a str,
    symbols: [Symbol; 3],
}

impl<'a> Attribute<'a> {
    /// An attribute by the symbols of local name, prefix and namespace.
    pub(crate) fn new(names: &'a Names, symbols: [Symbol; 3], value: &'a str) -> Self {
        let [local, prefix, namespace] = symbols;
        Attribute {
            namespace: not_empty(names.text(namespace)),
            prefix: not_empty(names.text(prefix)),
            local: names.text(local),
            value,
            symbols,
        }
    }

    /// Symbols of local name, prefix and namespace.
    pub fn symbols(&self) -> [Symbol; 3] {
        self.symbols
    }
}

impl<'a> Start<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Start { state }
    }

    /// Namespace of the element.
    pub fn namespace(&self) -> Option<&'a str> {
        self.state.tag.namespace.map(|namespace| self.state.names.text(namespace))
    }

    /// Local name of the element.
    pub fn local(&self) -> &'a str {
        self.state.names.text(self.state.tag.name.local)
    }

    /// Prefix as written.
    pub fn prefix(&self) -> Option<&'a str> {
        not_empty(self.state.names.text(self.state.tag.name.prefix))
    }

    /// Whether the element has this namespace and this local name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == Some(namespace)
    }

    /// Its place among the start tags of the document, from 0.
    pub fn ordinal(&self) -> u64 {
        self.state.ordinal()
    }

    /// Symbols of local name, prefix and namespace.
    pub fn symbols(&self) -> [Symbol; 3] {
        let tag = &self.state.tag;
        [tag.name.local, tag.name.prefix, tag.namespace.unwrap_or(Symbol::EMPTY)]
    }

    /// The attributes in document order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let state = self.state;
        state.tag.attributes.iter().map(|entry| entry.attribute(state))
    }

    /// The number of attributes.
    pub(crate) fn attribute_count(&self) -> usize {
        self.state.tag.attributes.len()
    }

    /// The attribute with this index in document order.
    pub(crate) fn attribute_at(&self, index: usize) -> Attribute<'a> {
        self.state.tag.attributes[index].attribute(self.state)
    }

    /// Value of the attribute with this name and no namespace.
    pub fn attribute(&self, local: &str) -> Option<&'a str> {
        self.attributes().find(|a| a.namespace.is_none() && a.local == local).map(|a| a.value)
    }

    /// Value of the attribute with this namespace and local name.
    pub fn attribute_ns(&self, namespace: &str, local: &str) -> Option<&'a str> {
        self.attributes().find(|a| a.namespace == Some(namespace) && a.local == local).map(|a| a.value)
    }

    /// The namespace declarations of this tag: prefix (`None`: default namespace) and URI (empty:
    /// the default namespace is taken back).
    pub fn declarations(&self) -> impl Iterator<Item = (Option<&'a str>, &'a str)> + use<'a> {
        let state = self.state;
        let text =
            |(prefix, uri): &(Symbol, Symbol)| (not_empty(state.names.text(*prefix)), state.names.text(*uri));
        state.tag.declarations.iter().map(text)
    }

    /// Symbols (prefix, namespace) of [`Start::declarations`].
    pub fn declaration_symbols(&self) -> &'a [(Symbol, Symbol)] {
        &self.state.tag.declarations
    }

    /// Every namespace in scope, declared here or above: prefix (`None`: default) and URI, sorted.
    pub fn namespaces(&self) -> Vec<(Option<&'a str>, &'a str)> {
        let names = &self.state.names;
        let text = |(prefix, uri): (Symbol, Symbol)| (not_empty(names.text(prefix)), names.text(uri));
        let mut all: Vec<_> = self.state.scope.bindings().map(text).collect();
        all.sort_unstable();
        all
    }
}

impl Entry {
    fn attribute<'a>(&self, state: &'a State) -> Attribute<'a> {
        let symbols = [self.name.local, self.name.prefix, self.namespace.unwrap_or(Symbol::EMPTY)];
        Attribute::new(&state.names, symbols, &state.tag.values[self.value.clone()])
    }
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl State {
    /// Reads a start tag: `name` and the raw text between it and the end of the tag.
    pub(crate) fn read_tag(&mut self, name: &str, raw: &str, limits: &Limits) -> Result<(), Error> {
        if self.open.len() >= limits.depth {
            return Err(Error::Limit { line: HERE, limit: "depth of nesting" });
        }
        let scope = self.scope.mark();
        self.tag.name = self.names.qname(name).map_err(bad_name)?;
        self.tag.attributes.clear();
        self.tag.declarations.clear();
        self.tag.values.clear();
        self.tag.has_xml_attribute = false;
        if !raw.is_empty() {
            self.read_attributes(raw, limits)?;
        }
        self.resolve()?;
        self.enter(scope)
    }

    fn read_attributes(&mut self, raw: &str, limits: &Limits) -> Result<(), Error> {
        let mut rest = raw;
        while let Some((name, value, after)) =
            next_attribute(rest).map_err(|rule| Error::Syntax { line: HERE, rule })?
        {
            rest = after;
            if self.tag.attributes.len() + self.tag.declarations.len() >= limits.attributes {
                return Err(Error::Limit { line: HERE, limit: "attributes of an element" });
            }
            let name = self.names.qname(name).map_err(bad_name)?;
            let from = self.tag.values.len();
            normalise_value(value, &mut self.tag.values)?;
            let value = from..self.tag.values.len();
            if name.raw == Symbol::XMLNS {
                self.declare(Symbol::EMPTY, value)?;
            } else if name.prefix == Symbol::XMLNS {
                self.declare(name.local, value)?;
            } else {
                self.tag.attributes.push(Entry { name, namespace: None, value });
            }
        }
        Ok(())
    }

    fn declare(&mut self, prefix: Symbol, uri: Range<usize>) -> Result<(), Error> {
        let wrong = |rule| Err(Error::Namespace { line: HERE, rule });
        let uri = &self.tag.values[uri];
        // Documents declare the same again and again, and one comparison is cheaper than one hash.
        let uri = match self.scope.namespace(prefix).filter(|bound| self.names.text(*bound) == uri) {
            Some(bound) => bound,
            None => self.names.intern(uri).map_err(bad_name)?,
        };
        if self.tag.declarations.iter().any(|(other, _)| *other == prefix) {
            return Err(Error::Syntax { line: HERE, rule: "a prefix is declared twice in one tag" });
        }
        if prefix == Symbol::XMLNS || uri == Symbol::XMLNS_NAMESPACE {
            return wrong("the prefix xmlns and its namespace must not be declared");
        }
        if (prefix == Symbol::XML) != (uri == Symbol::XML_NAMESPACE) {
            return wrong("the prefix xml and its namespace belong together");
        }
        if prefix != Symbol::EMPTY && uri == Symbol::EMPTY {
            return wrong("a prefix must not be declared as empty");
        }
        self.tag.declarations.push((prefix, uri));
        self.scope.bind(prefix, uri);
        Ok(())
    }

    /// Looks up the prefixes of the element and its attributes, and refuses duplicates.
    fn resolve(&mut self) -> Result<(), Error> {
        let undeclared = Error::Namespace { line: HERE, rule: "a prefix is used but not declared" };
        let prefix = self.tag.name.prefix;
        self.tag.namespace = self.scope.namespace(prefix);
        if prefix != Symbol::EMPTY && self.tag.namespace.is_none() {
            return Err(undeclared);
        }
        for index in 0..self.tag.attributes.len() {
            let (earlier, rest) = self.tag.attributes.split_at_mut(index);
            let entry = &mut rest[0];
            if entry.name.prefix != Symbol::EMPTY {
                entry.namespace = self.scope.namespace(entry.name.prefix);
                if entry.namespace.is_none() {
                    return Err(undeclared);
                }
                self.tag.has_xml_attribute |= entry.name.prefix == Symbol::XML;
            }
            let same = |e: &Entry| e.name.local == entry.name.local && e.namespace == entry.namespace;
            if earlier.iter().any(same) {
                return Err(Error::Syntax { line: HERE, rule: "an attribute stands twice in one tag" });
            }
        }
        Ok(())
    }
}

pub(crate) fn bad_name(bad: BadName) -> Error {
    match bad {
        BadName::Syntax => Error::Syntax { line: HERE, rule: "not a qualified name" },
        BadName::TooMany => Error::Limit { line: HERE, limit: "distinct names" },
    }
}

/// Splits the next attribute off: name, raw value, rest. `None` at the end of the tag.
pub(crate) fn next_attribute(rest: &str) -> Result<Option<(&str, &str, &str)>, &'static str> {
    let is_space = |c| matches!(c, ' ' | '\t' | '\n');
    let trimmed = rest.trim_start_matches(is_space);
    if trimmed.is_empty() {
        return Ok(None);
    }
    if trimmed.len() == rest.len() {
        return Err("white space is missing before an attribute");
    }
    let (name, after) = trimmed.split_once('=').ok_or("an attribute has no value")?;
    let after = after.trim_start_matches(is_space);
    let quote = match after.as_bytes().first() {
        Some(b'"') => '"',
        Some(b'\'') => '\'',
        _ => return Err("an attribute value has no quotes"),
    };
    let (value, rest) = after[1..].split_once(quote).ok_or("an attribute value is not closed")?;
    Ok(Some((name.trim_end_matches(is_space), value, rest)))
}

/// Attribute-value normalisation for the type CDATA (XML 1.0 section 3.3.3).
fn normalise_value(raw: &str, target: &mut String) -> Result<(), Error> {
    let special = |byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n');
    let mut rest = raw;
    while let Some(index) = rest.bytes().position(special) {
        target.push_str(&rest[..index]);
        let after = &rest[index + 1..];
        match rest.as_bytes()[index] {
            b'<' => return Err(Error::Syntax { line: HERE, rule: "an attribute value contains <" }),
            b'&' => {
                let (name, behind) = after.split_once(';').ok_or(Error::Entity { line: HERE })?;
                target.push(resolve_reference(name)?);
                rest = behind;
            }
            _ => {
                target.push(' ');
                rest = after;
            }
        }
    }
    target.push_str(rest);
    Ok(())
}

/// The character behind a reference, given without `&` and `;` (XML 1.0 sections 4.1 and 4.6).
pub(crate) fn resolve_reference(name: &str) -> Result<char, Error> {
    match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => {}
    }
    let digits = name.strip_prefix('#').ok_or(Error::Entity { line: HERE })?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Error::Syntax { line: HERE, rule: "a character reference is malformed" });
    }
    let number = u32::from_str_radix(digits, radix).map_err(|_| Error::Character { line: HERE })?;
    char::from_u32(number).filter(|c| is_character(*c)).ok_or(Error::Character { line: HERE })
}
