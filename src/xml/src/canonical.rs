//! Canonical XML 1.0 (W3C recommendation of 15 March 2001, section 2) and Exclusive XML Canonicalization
//! 1.0 (18 July 2002, section 3), streaming: nodes go in, bytes come out.
//!
//! What is canonicalised is always one element with all below it, as a node set of its document, or the
//! whole document. Who wants to leave an element out (an enveloped signature) does not hand in its nodes.

use crate::names::Symbol;
use crate::reader::{Node, Reader};
use crate::scope::Scope;
use crate::tag::{Attribute, Start};
use crate::{Error, Limits};
use std::io::{self, BufRead, Write};

const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const INCLUSIVE_WITH_COMMENTS: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const EXCLUSIVE_WITH_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
/// What is collected before it is handed on, in bytes.
const PIECE: usize = 8 * 1024;

/// Which canonical form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Form {
    /// Only namespaces that are visibly used are rendered; else all in scope.
    pub exclusive: bool,
    /// Comments are kept.
    pub comments: bool,
    /// For an exclusive form: prefixes that are rendered as in an inclusive one, `""` for the default
    /// namespace (`InclusiveNamespaces PrefixList`, where that is `#default`).
    pub prefixes: Vec<String>,
}

impl Form {
    /// The form with this identifier, without a list of prefixes.
    pub fn from_uri(uri: &str) -> Option<Form> {
        let (exclusive, comments) = match uri {
            INCLUSIVE => (false, false),
            INCLUSIVE_WITH_COMMENTS => (false, true),
            EXCLUSIVE => (true, false),
            EXCLUSIVE_WITH_COMMENTS => (true, true),
            _ => return None,
        };
        Some(Form { exclusive, comments, prefixes: Vec::new() })
    }

    /// The identifier.
    pub fn uri(&self) -> &'static str {
        match (self.exclusive, self.comments) {
            (false, false) => INCLUSIVE,
            (false, true) => INCLUSIVE_WITH_COMMENTS,
            (true, false) => EXCLUSIVE,
            (true, true) => EXCLUSIVE_WITH_COMMENTS,
        }
    }

    /// This form with the prefixes of a `PrefixList`.
    pub fn with_prefix_list(mut self, list: &str) -> Form {
        let prefix = |word: &str| if word == "#default" { String::new() } else { word.to_owned() };
        self.prefixes = list.split_ascii_whitespace().map(prefix).collect();
        self
    }
}

/// Writes the canonical form of the nodes that it is given. They must be those of one element, from its
/// start to its end, or of a whole document, and come from one [`Reader::next_node`].
pub struct Canonical<W: Write> {
    form: Form,
    sink: W,
    ready: Vec<u8>,
    /// Namespaces as the ancestors in the output have rendered them.
    rendered: Scope,
    open: Vec<Open>,
    /// Names of the open elements, one behind the other.
    names: String,
    /// Of the current tag: namespaces to render, indices of the attributes in order.
    spaces: Vec<(Symbol, Option<Symbol>)>,
    order: Vec<usize>,
    seen_root: bool,
    alone: bool,
}

struct Open {
    /// Where its name begins, and the mark of `rendered` before it.
    name: usize,
    rendered: usize,
}

impl<W: Write> Canonical<W> {
    /// Into `sink`, which gets pieces of several KB.
    pub fn new(form: Form, sink: W) -> Self {
        Canonical {
            form,
            sink,
            ready: Vec::new(),
            rendered: Scope::new(),
            open: Vec::new(),
            names: String::new(),
            spaces: Vec::new(),
            order: Vec::new(),
            seen_root: false,
            alone: false,
        }
    }

    /// Takes the element as if nothing stood around it: no namespace and no `xml:` attribute of an
    /// ancestor is rendered. That is not the standard's inclusive form, but some signers' idea of it.
    pub fn standing_alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Takes the next node.
    pub fn take(&mut self, node: &Node<'_>) -> io::Result<()> {
        match node {
            Node::Start(start) => self.start(start),
            Node::End => self.end(),
            Node::Text(text) => return self.text(text),
            Node::Comment(comment) if self.form.comments => self.markup(&["<!--", comment, "-->"]),
            Node::Instruction { target, data: "" } => self.markup(&["<?", target, "?>"]),
            Node::Instruction { target, data } => self.markup(&["<?", target, " ", data, "?>"]),
            Node::Comment(_) | Node::Eof => {}
        }
        self.hand_on(PIECE)
    }

    /// Hands on what is left and returns the sink.
    pub fn finish(mut self) -> io::Result<W> {
        self.hand_on(1)?;
        Ok(self.sink)
    }

    fn hand_on(&mut self, least: usize) -> io::Result<()> {
        if self.ready.len() >= least {
            self.sink.write_all(&self.ready)?;
            self.ready.clear();
        }
        Ok(())
    }

    fn start(&mut self, start: &Start<'_>) {
        let is_apex = self.open.is_empty();
        self.seen_root = true;
        self.open.push(Open { name: self.names.len(), rendered: self.rendered.mark() });
        self.ready.push(b'<');
        push_name(&mut self.ready, start.prefix(), start.local());
        if let Some(prefix) = start.prefix() {
            self.names.push_str(prefix);
            self.names.push(':');
        }
        self.names.push_str(start.local());
        self.choose_namespaces(start, is_apex);
        self.write_namespaces(start);
        if is_apex && !self.form.exclusive && !self.alone && !start.state.inherited().is_empty() {
            self.write_with_inherited(start);
        } else {
            self.write_attributes(start);
        }
        self.ready.push(b'>');
    }

    fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.ready.extend_from_slice(b"</");
            self.ready.extend_from_slice(self.names.as_bytes().get(open.name..).unwrap_or_default());
            self.ready.push(b'>');
            self.names.truncate(open.name);
            self.rendered.restore(open.rendered);
        }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        // Text outside of the root element is white space, which is left out.
        if self.open.is_empty() {
            return Ok(());
        }
        let bytes = text.as_bytes();
        let is_plain = |bytes| {
            memchr::memchr3(b'<', b'&', b'>', bytes).is_none() && memchr::memchr(b'\r', bytes).is_none()
        };
        if bytes.len() >= PIECE && is_plain(bytes) {
            self.hand_on(1)?;
            return self.sink.write_all(bytes);
        }
        escape(bytes, &mut self.ready, |byte| match byte {
            b'&' => Some("&amp;"),
            b'<' => Some("&lt;"),
            b'>' => Some("&gt;"),
            b'\r' => Some("&#xD;"),
            _ => None,
        });
        self.hand_on(PIECE)
    }

    /// A comment or processing instruction; outside of the root element it has a line of its own.
    fn markup(&mut self, parts: &[&str]) {
        let outside = self.open.is_empty();
        if outside && self.seen_root {
            self.ready.push(b'\n');
        }
        parts.iter().for_each(|part| self.ready.extend_from_slice(part.as_bytes()));
        if outside && !self.seen_root {
            self.ready.push(b'\n');
        }
    }

    /// Collects the namespaces that the current tag must render.
    fn choose_namespaces(&mut self, start: &Start<'_>, is_apex: bool) {
        self.spaces.clear();
        let state = start.state;
        if self.form.exclusive {
            self.consider(state.tag.name.prefix, state.tag.namespace);
            for index in 0..start.attribute_count() {
                let [_, prefix, namespace] = start.attribute_at(index).symbols();
                if prefix != Symbol::EMPTY {
                    self.consider(prefix, Some(namespace));
                }
            }
            if self.form.prefixes.is_empty() {
                return;
            }
        }
        if is_apex && !self.alone {
            for (prefix, namespace) in state.scope.bindings() {
                self.consider_listed(start, prefix, Some(namespace));
            }
            return;
        }
        for &(prefix, namespace) in start.declaration_symbols() {
            let namespace = (namespace != Symbol::EMPTY).then_some(namespace);
            self.consider_listed(start, prefix, namespace);
        }
    }

    fn consider_listed(&mut self, start: &Start<'_>, prefix: Symbol, namespace: Option<Symbol>) {
        let text = start.state.names.text(prefix);
        if !self.form.exclusive || self.form.prefixes.iter().any(|listed| listed == text) {
            self.consider(prefix, namespace);
        }
    }

    /// A namespace is rendered unless the nearest ancestor in the output rendered the same.
    fn consider(&mut self, prefix: Symbol, namespace: Option<Symbol>) {
        if self.rendered.namespace(prefix) != namespace {
            self.rendered.bind(prefix, namespace.unwrap_or(Symbol::EMPTY));
            self.spaces.push((prefix, namespace));
        }
    }

    fn write_namespaces(&mut self, start: &Start<'_>) {
        let names = &start.state.names;
        if self.spaces.len() > 1 {
            self.spaces.sort_unstable_by(|(a, _), (b, _)| names.text(*a).cmp(names.text(*b)));
        }
        for (prefix, namespace) in &self.spaces {
            let uri = namespace.map_or("", |namespace| names.text(namespace));
            match names.text(*prefix) {
                "" => write_attribute(&mut self.ready, None, "xmlns", uri),
                prefix => write_attribute(&mut self.ready, Some("xmlns"), prefix, uri),
            }
        }
    }

    fn write_attributes(&mut self, start: &Start<'_>) {
        self.order.clear();
        self.order.extend(0..start.attribute_count());
        if self.order.len() > 1 {
            self.order.sort_unstable_by_key(|index| rank(&start.attribute_at(*index)));
        }
        for index in &self.order {
            let attribute = start.attribute_at(*index);
            write_attribute(&mut self.ready, attribute.prefix, attribute.local, attribute.value);
        }
    }

    /// The attributes of an apex below `xml:` attributes: those of the nearest ancestors are its own.
    fn write_with_inherited(&mut self, start: &Start<'_>) {
        let names = &start.state.names;
        let mut all: Vec<Attribute<'_>> = start.attributes().collect();
        for inherited in start.state.inherited().iter().rev() {
            let symbols = [inherited.local, Symbol::XML, Symbol::XML_NAMESPACE];
            let is_same = |other: &Attribute<'_>| {
                let [local, _, namespace] = other.symbols();
                local == inherited.local && namespace == Symbol::XML_NAMESPACE
            };
            if !all.iter().any(is_same) {
                all.push(Attribute::new(names, symbols, &inherited.value));
            }
        }
        all.sort_unstable_by_key(rank);
        for attribute in &all {
            write_attribute(&mut self.ready, attribute.prefix, attribute.local, attribute.value);
        }
    }
}

/// Attributes are in the order of namespace and local name, those without a namespace first.
fn rank<'a>(attribute: &Attribute<'a>) -> (&'a str, &'a str) {
    (attribute.namespace.unwrap_or(""), attribute.local)
}

fn push_name(target: &mut Vec<u8>, prefix: Option<&str>, local: &str) {
    if let Some(prefix) = prefix {
        target.extend_from_slice(prefix.as_bytes());
        target.push(b':');
    }
    target.extend_from_slice(local.as_bytes());
}

fn write_attribute(target: &mut Vec<u8>, prefix: Option<&str>, local: &str, value: &str) {
    target.push(b' ');
    push_name(target, prefix, local);
    target.extend_from_slice(b"=\"");
    escape(value.as_bytes(), target, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
    target.push(b'"');
}

fn escape(bytes: &[u8], target: &mut Vec<u8>, replacement: impl Fn(u8) -> Option<&'static str>) {
    let mut rest = bytes;
    while let Some(index) = rest.iter().position(|byte| replacement(*byte).is_some()) {
        let (before, after) = rest.split_at(index);
        target.extend_from_slice(before);
        let Some((special, behind)) = after.split_first() else { return };
        target.extend_from_slice(replacement(*special).unwrap_or_default().as_bytes());
        rest = behind;
    }
    target.extend_from_slice(rest);
}

impl<R: BufRead> Reader<R> {
    /// Writes the canonical form of the element whose start was read last, up to and with its end.
    pub fn canonicalise<W: Write>(&mut self, form: Form, sink: W) -> Result<W, Error> {
        let mut canonical = Canonical::new(form, sink);
        let depth = self.depth();
        canonical.take(&Node::Start(self.current()))?;
        while self.depth() >= depth {
            canonical.take(&self.next_node()?)?;
        }
        Ok(canonical.finish()?)
    }
}

/// Writes the canonical form of a whole document.
pub fn canonical_document<W: Write>(
    input: impl BufRead,
    limits: Limits,
    form: Form,
    sink: W,
) -> Result<W, Error> {
    let mut reader = Reader::new(input, limits);
    let mut canonical = Canonical::new(form, sink);
    loop {
        match reader.next_node()? {
            Node::Eof => return Ok(canonical.finish()?),
            node => canonical.take(&node)?,
        }
    }
}
