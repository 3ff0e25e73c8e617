//! Reading elements of header blocks and bodies: small, in a fixed order, nothing but what the schema knows.
//! Attributes that are not asked for are left alone; elements that are not asked for are refused.

use std::io::BufRead;

use xml::{Event, Reader};

use crate::{Error, Result};

/// Longest text of an element that is no certificate, in bytes.
const TEXT: usize = 64 * 1024;
/// Longest value of an attribute that is kept, in bytes.
const ATTRIBUTE: usize = 4 * 1024;

/// A start tag, taken along.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) namespace: String,
    pub(crate) local: String,
    /// Namespace, local name and value.
    attributes: Vec<(Option<String>, String, String)>,
}

impl Element {
    /// The element whose start the reader read last.
    pub(crate) fn current<R: BufRead>(reader: &Reader<R>) -> Result<Self> {
        let start = reader.current();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            if attribute.value.len() > ATTRIBUTE {
                return Err(Error::Malformed("an attribute is too long"));
            }
            let namespace = attribute.namespace.map(str::to_owned);
            attributes.push((namespace, attribute.local.to_owned(), attribute.value.to_owned()));
        }
        let namespace = start.namespace().unwrap_or_default().to_owned();
        Ok(Element { namespace, local: start.local().to_owned(), attributes })
    }

    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }

    /// Value of an attribute without namespace.
    pub(crate) fn attribute(&self, local: &str) -> Option<&str> {
        let wanted =
            |(namespace, name, _): &&(Option<String>, String, String)| namespace.is_none() && name == local;
        self.attributes.iter().find(wanted).map(|(.., value)| value.as_str())
    }

    pub(crate) fn attribute_ns(&self, namespace: &str, local: &str) -> Option<&str> {
        let wanted = |(is, name, _): &&(Option<String>, String, String)| {
            is.as_deref() == Some(namespace) && name == local
        };
        self.attributes.iter().find(wanted).map(|(.., value)| value.as_str())
    }

    pub(crate) fn required(&self, local: &str) -> Result<&str> {
        self.attribute(local).ok_or(Error::Malformed("an attribute is missing"))
    }

    /// A whole number in an attribute.
    pub(crate) fn number<T: std::str::FromStr>(&self, local: &str) -> Result<Option<T>> {
        let Some(text) = self.attribute(local) else { return Ok(None) };
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(Some).ok_or(Error::Malformed("an attribute is no number"))
    }
}

/// The next child of the innermost element; `None` at that element's end.
pub(crate) fn child<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Element>> {
    loop {
        match reader.next()? {
            Event::Start(_) => return Element::current(reader).map(Some),
            Event::End | Event::Eof => return Ok(None),
            Event::Text(text) if text.trim_ascii().is_empty() => {}
            Event::Text(_) => return Err(Error::Malformed("text between elements")),
        }
    }
}

/// The end of the innermost element, which has no more children.
pub(crate) fn end<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    match child(reader)? {
        None => Ok(()),
        Some(_) => Err(Error::Malformed("an element too many")),
    }
}

/// The text of the innermost element, up to and with its end.
pub(crate) fn text<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    Ok(reader.read_text(TEXT)?)
}

/// Children of the innermost element, one after the other, in the order of a schema.
pub(crate) struct Children<'a, R: BufRead> {
    pub(crate) reader: &'a mut Reader<R>,
    next: Option<Element>,
}

impl<'a, R: BufRead> Children<'a, R> {
    pub(crate) fn of(reader: &'a mut Reader<R>) -> Result<Self> {
        let next = child(reader)?;
        Ok(Children { reader, next })
    }

    /// Reads the next child if it has this name; `read` takes the reader up to and with the child's end.
    pub(crate) fn optional<T>(
        &mut self,
        namespace: &str,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(element) = self.next.take_if(|next| next.is(namespace, local)) else {
            return Ok(None);
        };
        let value = read(self.reader, &element)?;
        self.next = child(self.reader)?;
        Ok(Some(value))
    }

    /// The same for a child that must be there.
    pub(crate) fn required<T>(
        &mut self,
        namespace: &str,
        local: &str,
        read: impl FnOnce(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<T> {
        self.optional(namespace, local, read)?.ok_or(Error::Malformed("an element is missing"))
    }

    /// Reads as many children of this name as there are, at most `most`.
    pub(crate) fn many<T>(
        &mut self,
        (namespace, local): (&str, &str),
        most: usize,
        mut read: impl FnMut(&mut Reader<R>, &Element) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(value) = self.optional(namespace, local, &mut read)? {
            if all.len() == most {
                return Err(Error::Malformed("too many elements of one name"));
            }
            all.push(value);
        }
        Ok(all)
    }

    /// There must be no more.
    pub(crate) fn done(self) -> Result<()> {
        match self.next {
            None => Ok(()),
            Some(_) => Err(Error::Malformed("an element too many")),
        }
    }
}
