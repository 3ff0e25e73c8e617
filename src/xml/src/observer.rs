//! A second pair of eyes on the same pass: who observes a reader sees every event before the
//! caller does, also those that the caller skips. A validator is one.

use crate::names::Symbol;
use crate::state::State;
use crate::tag::Start;
use std::any::Any;

/// Sees every event of a [`crate::Reader`].
pub trait Observer: Any + Send {
    /// An element begins.
    fn start(&mut self, start: &Start<'_>, place: Place<'_>);
    /// Text of the innermost open element, possibly one piece of several.
    fn text(&mut self, text: &str, place: Place<'_>);
    /// The innermost open element ends.
    fn end(&mut self, place: Place<'_>);
    /// The document has ended well.
    fn finish(&mut self) {}
}

/// Where an event stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Line where the innermost element begins, from 1.
    pub line: u64,
    pub(crate) state: &'a State,
}

impl<'a> Place<'a> {
    /// Path of the innermost element, such as `/a/b[2]/c`; see [`crate::Reader::path`].
    pub fn path(&self) -> String {
        self.state.path()
    }

    /// Symbols of local name, prefix and namespace of the innermost element.
    pub fn symbols(&self) -> [Symbol; 3] {
        let Some(open) = self.state.open.last() else { return [Symbol::EMPTY; 3] };
        [open.name.local, open.name.prefix, open.namespace.unwrap_or(Symbol::EMPTY)]
    }

    /// Local name of the innermost element.
    pub fn local(&self) -> &'a str {
        self.state.open.last().map_or("", |open| self.state.names.text(open.name.local))
    }

    /// Namespace of the innermost element.
    pub fn namespace(&self) -> Option<&'a str> {
        let open = self.state.open.last()?;
        open.namespace.map(|namespace| self.state.names.text(namespace))
    }
}
