//! Where in the document the reader stands: open elements, namespaces, the current tag.

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
    /// Line of the start tag, if there is an observer to tell it to.
    pub(crate) line: u64,
    /// Position among siblings of the same local name, from 1; 0 if not counted.
    index: u32,
    /// Where this element's child counters and namespace log begin.
    counters: usize,
    scope: usize,
}

pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) scope: Scope,
    pub(crate) open: Vec<Open>,
    counters: Vec<(Symbol, u32)>,
    pub(crate) tag: Tag,
    /// The innermost element was closed by the current event; it goes with the next one.
    pub(crate) closing: bool,
    pub(crate) seen_root: bool,
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
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.open.len() - usize::from(self.closing)
    }

    /// Takes the element of the current tag as open; `scope` is the mark before its declarations.
    pub(crate) fn enter(&mut self, scope: usize) {
        self.seen_root = true;
        let index = self.count_sibling(self.tag.name.local);
        let (name, namespace) = (self.tag.name, self.tag.namespace);
        self.open.push(Open { name, namespace, line: 0, index, counters: self.counters.len(), scope });
    }

    /// Forgets the element that the last event closed.
    pub(crate) fn leave(&mut self) {
        if !std::mem::take(&mut self.closing) {
            return;
        }
        if let Some(closed) = self.open.pop() {
            self.counters.truncate(closed.counters);
            self.scope.restore(closed.scope);
        }
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
