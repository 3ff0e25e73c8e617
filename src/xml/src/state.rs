//! Where in the document the reader stands: open elements, namespaces, the current tag.

use crate::Error;
use crate::error::HERE;
use crate::names::{Names, QName, Symbol};
use crate::scope::Scope;
use crate::tag::Tag;
use std::fmt::Write;

/// Distinct child names of one element that are counted for [`State::path`].
const COUNTED_NAMES: usize = 64;

/// An open element.
pub(crate) struct Open {
    pub(crate) name: QName,
    pub(crate) namespace: Option<Symbol>,
    ordinal: u64,
    /// Line of the start tag, if there is an observer to tell it to.
    pub(crate) line: u64,
    /// Position among siblings of the same local name, from 1; 0 if not counted.
    index: u32,
    /// Where this element's child counters and namespace log begin.
    counters: usize,
    scope: usize,
    /// The same for the `xml:` attributes.
    inherited: usize,
}

/// An element that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenElement<'a> {
    /// Its start tag is the n-th of the document, from 0.
    pub ordinal: u64,
    /// Namespace.
    pub namespace: Option<&'a str>,
    /// Local name.
    pub local: &'a str,
}

/// An attribute in the namespace of `xml`, which Canonical XML 1.0 hands down to subtrees.
pub(crate) struct Inherited {
    pub(crate) local: Symbol,
    pub(crate) value: String,
}

/// All `xml:` attributes of the open elements together, in bytes, each counted with an overhead.
const INHERITED_BYTES: usize = 16 * 1024;
const INHERITED_OVERHEAD: usize = 64;

pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) scope: Scope,
    pub(crate) open: Vec<Open>,
    counters: Vec<(Symbol, u32)>,
    pub(crate) tag: Tag,
    /// The innermost element was closed by the current event; it goes with the next one.
    pub(crate) closing: bool,
    pub(crate) seen_root: bool,
    /// Start tags so far.
    starts: u64,
    inherited: Vec<Inherited>,
    inherited_bytes: usize,
}

impl State {
    pub(crate) fn new(names: usize) -> Self {
        State {
            names: Names::new(names),
            scope: Scope::new(),
            open: Vec::new(),
            counters: Vec::new(),
            tag: Tag::default(),
            closing: false,
            seen_root: false,
            starts: 0,
            inherited: Vec::new(),
            inherited_bytes: 0,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.open.len() - usize::from(self.closing)
    }

    /// Takes the element of the current tag as open; `scope` is the mark before its declarations.
    pub(crate) fn enter(&mut self, scope: usize) -> Result<(), Error> {
        self.seen_root = true;
        let (ordinal, inherited) = (self.starts, self.inherited.len());
        self.starts += 1;
        if self.tag.has_xml_attribute {
            self.hand_down()?;
        }
        let index = self.count_sibling(self.tag.name.local);
        let (name, namespace) = (self.tag.name, self.tag.namespace);
        let counters = self.counters.len();
        self.open.push(Open { name, namespace, ordinal, line: 0, index, counters, scope, inherited });
        Ok(())
    }

    /// Keeps the `xml:` attributes of the current tag for the elements below.
    fn hand_down(&mut self) -> Result<(), Error> {
        for (local, value) in self.tag.xml_attributes() {
            self.inherited_bytes += value.len() + INHERITED_OVERHEAD;
            self.inherited.push(Inherited { local, value: value.to_owned() });
        }
        match self.inherited_bytes > INHERITED_BYTES {
            true => Err(Error::Limit { line: HERE, limit: "attributes that open elements hand down" }),
            false => Ok(()),
        }
    }

    /// The `xml:` attributes of the ancestors of the innermost element, the outermost first.
    pub(crate) fn inherited(&self) -> &[Inherited] {
        let own = self.open.last().map_or(0, |open| open.inherited);
        self.inherited.get(..own).unwrap_or_default()
    }

    pub(crate) fn ordinal(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    pub(crate) fn open_elements(&self) -> impl Iterator<Item = OpenElement<'_>> {
        self.open.iter().take(self.depth()).map(|open| OpenElement {
            ordinal: open.ordinal,
            namespace: open.namespace.map(|namespace| self.names.text(namespace)),
            local: self.names.text(open.name.local),
        })
    }

    /// Forgets the element that the last event closed.
    #[inline]
    pub(crate) fn leave(&mut self) {
        if std::mem::take(&mut self.closing) {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(closed) = self.open.last() else { return };
        self.counters.truncate(closed.counters);
        self.scope.restore(closed.scope);
        if self.inherited.len() > closed.inherited {
            let bytes = |it: Inherited| it.value.len() + INHERITED_OVERHEAD;
            let gone = self.inherited.drain(closed.inherited..).map(bytes).sum();
            self.inherited_bytes = self.inherited_bytes.saturating_sub(gone);
        }
        self.open.pop();
    }

    fn count_sibling(&mut self, local: Symbol) -> u32 {
        let from = self.open.last().map_or(0, |parent| parent.counters);
        let siblings = &mut self.counters[from..];
        if let Some((_, count)) = siblings.iter_mut().rev().find(|(name, _)| *name == local) {
            *count = count.saturating_add(1);
            return *count;
        }
        if siblings.len() >= COUNTED_NAMES {
            return 0;
        }
        self.counters.push((local, 1));
        1
    }

    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            path.push('/');
            path.push_str(self.names.text(open.name.local));
            if open.index > 1 {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{}]", open.index);
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }
}
