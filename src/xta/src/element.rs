//! Reading elements of header blocks and bodies: small, in the order of a schema, nothing but what it knows. Attributes that are
//! not asked for are left alone; elements that are not asked for are refused.

use std::io::BufRead;

use xml::{Event, Reader};

use crate::v5::names::current;
use crate::{Error, Result};

/// Longest text of an element, in bytes.
const TEXT: usize = 64 * 1024;
/// Longest id, in bytes; the standard wants no more than 100.
const ID: usize = 1024;
/// Longest element that is kept as it came, in bytes. It repeats the namespaces around it.
const FRAGMENT: usize = 32 * 1024;

/// A start tag: its attributes that have no namespace.
pub(crate) struct Element {
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The element whose start the reader read last.
    pub(crate) fn current<R: BufRead>(reader: &Reader<R>) -> Self {
        let own = reader.current().attributes().filter(|attribute| attribute.namespace.is_none());
        Element { attributes: own.map(|it| (it.local.to_owned(), it.value.to_owned())).collect() }
    }

    pub(crate) fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == local).map(|(_, value)| value.as_str())
    }

    /// An attribute with a value; an empty one is as good as none.
    pub(crate) fn filled(&self, local: &str) -> Option<String> {
        self.attribute(local).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
    }
}

/// Whether the element whose start was read last has this name.
pub(crate) fn is<R: BufRead>(reader: &Reader<R>, namespace: &str, local: &str) -> bool {
    let start = reader.current();
    start.local() == local && current(start.namespace().unwrap_or_default()) == namespace
}

/// Goes to the start of the next child of the innermost element; `false`: the element has ended.
pub(crate) fn child<R: BufRead>(reader: &mut Reader<R>) -> Result<bool> {
    loop {
        match reader.next()? {
            Event::Start(_) => return Ok(true),
            Event::End | Event::Eof => return Ok(false),
            Event::Text(text) if text.trim_ascii().is_empty() => {}
            Event::Text(_) => return Err(Error::Malformed("text between elements")),
        }
    }
}

/// The text of the innermost element without white space around it, up to and with its end.
pub(crate) fn text<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    Ok(verbatim(reader)?.trim().to_owned())
}

/// The text of the innermost element, up to and with its end.
pub(crate) fn verbatim<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    match reader.read_text(TEXT) {
        Err(xml::Error::UnexpectedElement { .. }) => Err(Error::Malformed("an element within a text")),
        other => Ok(other?),
    }
}

/// The same, which must not be empty.
pub(crate) fn required_text<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    Some(text(reader)?).filter(|text| !text.is_empty()).ok_or(Error::Malformed("an element is empty"))
}

/// The id of a message, up to and with the end of the innermost element.
pub(crate) fn id<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    Some(required_text(reader)?).filter(|id| id.len() <= ID).ok_or(Error::Malformed("an id is too long"))
}

/// A value of a type of XML Schema, up to and with the end of the innermost element.
pub(crate) fn value<R: BufRead, T: std::str::FromStr>(reader: &mut Reader<R>) -> Result<T> {
    text(reader)?.parse().map_err(|_| Error::Malformed("a date, moment or number is none"))
}

/// The innermost element as it came, whatever it holds, up to and with its end.
pub(crate) fn any<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    Ok(reader.copy_element(FRAGMENT)?)
}

/// The innermost element as it came, up to and with its end. Its children are some of these, in their order.
pub(crate) fn fragment<R: BufRead>(
    reader: &mut Reader<R>,
    namespace: &'static str,
    locals: &[&str],
) -> Result<String> {
    let fragment = any(reader)?;
    let mut copy = Reader::new(fragment.as_bytes(), xml::Limits::default());
    copy.next()?;
    let mut children = Children::of(&mut copy, namespace)?;
    for local in locals {
        children.optional(local, |reader, _| Ok(reader.skip()?))?;
    }
    children.finish()?;
    Ok(fragment)
}

/// Children of the innermost element, one after the other, in the order of a schema.
pub(crate) struct Children<'a, R: BufRead> {
    reader: &'a mut Reader<R>,
    /// The start of a child was read last, and nothing of it yet.
    is_at_child: bool,
    namespace: &'static str,
}

impl<'a, R: BufRead> Children<'a, R> {
    /// Those of `namespace` are meant where no other is named.
    pub(crate) fn of(reader: &'a mut Reader<R>, namespace: &'static str) -> Result<Self> {
        let is_at_child = child(reader)?;
        Ok(Children { reader, is_at_child, namespace })
    }

    /// Reads the next child if it has this name; `read` takes the reader up to and with the child's end.
    pub(crate) fn optional_of<T>(
        &mut self,
        namespace: &str,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Option<T>> {
        if !self.is_at_child || !is(self.reader, namespace, local) {
            return Ok(None);
        }
        let element = Element::current(self.reader);
        let value = read(self.reader, &element)?;
        self.is_at_child = child(self.reader)?;
        Ok(Some(value))
    }

    pub(crate) fn optional<T>(
        &mut self,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Option<T>> {
        self.optional_of(self.namespace, local, read)
    }

    /// The same for a child that must be there.
    pub(crate) fn required_of<T>(
        &mut self,
        namespace: &str,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<T> {
        self.optional_of(namespace, local, read)?
            .ok_or(Error::Malformed("an element is missing or misplaced"))
    }

    pub(crate) fn required<T>(
        &mut self,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<T> {
        self.required_of(self.namespace, local, read)
    }

    /// Reads as many children of this name as there are, at most `most`.
    pub(crate) fn many_of<T>(
        &mut self,
        (namespace, local): (&str, &str),
        most: usize,
        mut read: impl FnMut(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(value) = self.optional_of(namespace, local, &mut read)? {
            if all.len() == most {
                return Err(Error::Malformed("too many elements of one name"));
            }
            all.push(value);
        }
        Ok(all)
    }

    pub(crate) fn many<T>(
        &mut self,
        local: &str,
        most: usize,
        read: impl FnMut(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.many_of((self.namespace, local), most, read)
    }

    /// Whatever else there is, is not looked at.
    pub(crate) fn skip_rest(mut self) -> Result<()> {
        while self.is_at_child {
            self.reader.skip()?;
            self.is_at_child = child(self.reader)?;
        }
        Ok(())
    }

    /// There must be no more.
    pub(crate) fn finish(self) -> Result<()> {
        match self.is_at_child {
            false => Ok(()),
            true => Err(Error::Malformed("an element that is not known, or misplaced")),
        }
    }
}
