//! The writer: UTF-8 with a declaration, elements always closed, never a character that XML 1.0
//! does not allow. Namespaces are the caller's: declare them as attributes.

use crate::Error;
use crate::names::{is_character, split};
use std::io::Write;

/// Writes one document. Give it a buffered sink: it writes small pieces.
pub struct Writer<W: Write> {
    sink: W,
    open: Vec<Open>,
    indent: bool,
    has_root: bool,
}

struct Open {
    name: String,
    /// The start tag still lacks its `>`.
    in_tag: bool,
    has_text: bool,
}

impl<W: Write> Writer<W> {
    /// Writes the XML declaration.
    pub fn new(sink: W) -> Result<Self, Error> {
        Self::begin(sink, false)
    }

    /// Like [`Writer::new`], but each element that is not beside text gets a line of its own.
    pub fn indented(sink: W) -> Result<Self, Error> {
        Self::begin(sink, true)
    }

    fn begin(mut sink: W, indent: bool) -> Result<Self, Error> {
        sink.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        Ok(Writer { sink, open: Vec::new(), indent, has_root: false })
    }

    /// Begins an element.
    pub fn start(&mut self, name: &str, attributes: &[(&str, &str)]) -> Result<(), Error> {
        check_name(name)?;
        self.before_child()?;
        let mut tag = format!("<{name}");
        for (index, (attribute, value)) in attributes.iter().enumerate() {
            check_name(attribute)?;
            check_text(value)?;
            if attributes[..index].iter().any(|(other, _)| other == attribute) {
                return Err(Error::Write { rule: "an attribute is given twice" });
            }
            tag.push(' ');
            tag.push_str(attribute);
            tag.push_str("=\"");
            escape_attribute(value, &mut tag);
            tag.push('"');
        }
        self.sink.write_all(tag.as_bytes())?;
        self.open.push(Open { name: name.to_owned(), in_tag: true, has_text: false });
        Ok(())
    }

    /// Writes text into the innermost element.
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        check_text(text)?;
        if text.is_empty() && !self.open.is_empty() {
            return Ok(());
        }
        self.close_tag()?;
        let open = self.open.last_mut().ok_or(Error::Write { rule: "text outside the root element" })?;
        open.has_text = true;
        let mut escaped = String::with_capacity(text.len());
        escape_text(text, &mut escaped);
        Ok(self.sink.write_all(escaped.as_bytes())?)
    }

    /// Writes an element that has only text.
    pub fn element(&mut self, name: &str, text: &str) -> Result<(), Error> {
        self.start(name, &[])?;
        self.text(text)?;
        self.end()
    }

    /// Writes one element that is XML already, such as [`crate::Reader::copy_element`] returns.
    pub fn fragment(&mut self, fragment: &str) -> Result<(), Error> {
        if self.open.is_empty() {
            return Err(Error::Write { rule: "a fragment outside the root element" });
        }
        self.before_child()?;
        Ok(self.sink.write_all(fragment.as_bytes())?)
    }

    /// Ends the innermost element.
    pub fn end(&mut self) -> Result<(), Error> {
        let open = self.open.pop().ok_or(Error::Write { rule: "an end without a start" })?;
        if open.in_tag {
            return Ok(self.sink.write_all(b"/>")?);
        }
        if !open.has_text {
            self.new_line()?;
        }
        Ok(write!(self.sink, "</{}>", open.name)?)
    }

    /// Ends the document, flushes, and gives the sink back.
    pub fn finish(mut self) -> Result<W, Error> {
        if !self.open.is_empty() || !self.has_root {
            return Err(Error::Write { rule: "the document is not complete" });
        }
        self.sink.write_all(b"\n")?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    /// Makes the innermost element ready for a child.
    fn before_child(&mut self) -> Result<(), Error> {
        if self.open.is_empty() && std::mem::replace(&mut self.has_root, true) {
            return Err(Error::Write { rule: "a second root element" });
        }
        self.close_tag()?;
        match self.open.last() {
            Some(open) if !open.has_text => self.new_line(),
            _ => Ok(()),
        }
    }

    fn close_tag(&mut self) -> Result<(), Error> {
        if let Some(open) = self.open.last_mut().filter(|open| open.in_tag) {
            open.in_tag = false;
            self.sink.write_all(b">")?;
        }
        Ok(())
    }

    fn new_line(&mut self) -> Result<(), Error> {
        if !self.indent {
            return Ok(());
        }
        self.sink.write_all(b"\n")?;
        for _ in &self.open {
            self.sink.write_all(b"  ")?;
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    split(name).map(|_| ()).ok_or(Error::Write { rule: "not a qualified name" })
}

fn check_text(text: &str) -> Result<(), Error> {
    match text.chars().all(is_character) {
        true => Ok(()),
        false => Err(Error::Write { rule: "a character that XML 1.0 does not allow" }),
    }
}

/// Escapes text as Canonical XML does.
pub fn escape_text(text: &str, target: &mut String) {
    escape(text, target, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Escapes an attribute value as Canonical XML does.
pub fn escape_attribute(value: &str, target: &mut String) {
    escape(value, target, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        '\r' => Some("&#xD;"),
        _ => None,
    });
}

fn escape(text: &str, target: &mut String, replacement: fn(char) -> Option<&'static str>) {
    let mut from = 0;
    for (index, c) in text.char_indices() {
        if let Some(escaped) = replacement(c) {
            target.push_str(&text[from..index]);
            target.push_str(escaped);
            from = index + c.len_utf8();
        }
    }
    target.push_str(&text[from..]);
}
