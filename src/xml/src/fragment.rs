//! Helpers on the element whose start was read last: skip it, read its text, copy it.

use crate::Error;
use crate::reader::{Event, Reader};
use crate::tag::Start;
use crate::writer::{escape_attribute, escape_text};
use std::io::BufRead;

impl<R: BufRead> Reader<R> {
    /// Skips to the end of the innermost open element, checking all the same.
    pub fn skip(&mut self) -> Result<(), Error> {
        let depth = self.depth();
        while self.depth() >= depth {
            self.next()?;
        }
        Ok(())
    }

    /// Reads the text of the element whose start was read last, up to and with its end. An element
    /// inside is refused, and text of more than `max_bytes`.
    pub fn read_text(&mut self, max_bytes: usize) -> Result<String, Error> {
        let mut collected = String::new();
        loop {
            match self.next()? {
                Event::Text(piece) if collected.len() + piece.len() <= max_bytes => collected.push_str(piece),
                Event::End => return Ok(collected),
                Event::Text(_) => {
                    let line = self.position().line;
                    return Err(Error::Limit { line, limit: "length of a text" });
                }
                Event::Start(_) | Event::Eof => {
                    let line = self.position().line;
                    return Err(Error::UnexpectedElement { line });
                }
            }
        }
    }

    /// Copies the element whose start was read last, up to and with its end, as a fragment that can
    /// stand anywhere: every namespace in scope is declared on it. The form is that of Canonical
    /// XML without comments, except that declarations below stand as the sender wrote them. More
    /// than `max_bytes` are refused.
    pub fn copy_element(&mut self, max_bytes: usize) -> Result<String, Error> {
        let depth = self.depth();
        let mut copy = String::new();
        let mut open = Vec::new();
        let start = self.current();
        open.push(write_start(&mut copy, &start, &start.namespaces()));
        loop {
            if copy.len() > max_bytes {
                let line = self.position().line;
                return Err(Error::Limit { line, limit: "size of an extension" });
            }
            match self.next()? {
                Event::Start(start) => {
                    let mut declared: Vec<_> = start.declarations().collect();
                    declared.sort_unstable();
                    open.push(write_start(&mut copy, &start, &declared));
                }
                Event::Text(text) => escape_text(text, &mut copy),
                Event::End => {
                    if let Some(name) = open.pop() {
                        copy.push_str("</");
                        copy.push_str(&name);
                        copy.push('>');
                    }
                }
                Event::Eof => {}
            }
            if self.depth() < depth {
                return Ok(copy);
            }
        }
    }
}

/// Writes a start tag and returns the qualified name.
fn write_start(copy: &mut String, start: &Start<'_>, declared: &[(Option<&str>, &str)]) -> String {
    let name = qualified(start.prefix(), start.local());
    copy.push('<');
    copy.push_str(&name);
    for (prefix, uri) in declared.iter().filter(|(prefix, _)| *prefix != Some("xml")) {
        let attribute = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        write_attribute(copy, &attribute, uri);
    }
    let mut attributes: Vec<_> = start.attributes().collect();
    attributes.sort_unstable_by_key(|a| (a.namespace.unwrap_or(""), a.local));
    for attribute in attributes {
        write_attribute(copy, &qualified(attribute.prefix, attribute.local), attribute.value);
    }
    copy.push('>');
    name
}

fn write_attribute(copy: &mut String, name: &str, value: &str) {
    copy.push(' ');
    copy.push_str(name);
    copy.push_str("=\"");
    escape_attribute(value, copy);
    copy.push('"');
}

fn qualified(prefix: Option<&str>, local: &str) -> String {
    prefix.map_or(local.to_owned(), |prefix| format!("{prefix}:{local}"))
}
