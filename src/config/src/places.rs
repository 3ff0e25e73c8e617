//! Where a key stands in a TOML text, so that a refusal can name line and key.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1; 0 if not known.
    pub line: usize,
    /// Character in it, from 1; 0 if not known.
    pub column: usize,
    /// Key, such as `tenant[0].unit[1].id`; empty for the whole file.
    pub key: String,
}

impl Place {
    /// A key whose line is not known any more.
    pub(crate) fn key(key: &str) -> Self {
        Place { line: 0, column: 0, key: key.to_owned() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, key } = self;
        match (line, key.as_str()) {
            (0, "") => f.write_str("the file"),
            (0, key) => f.write_str(key),
            (_, "") => write!(f, "line {line}:{column}"),
            (_, key) => write!(f, "line {line}:{column}, {key}"),
        }
    }
}

/// Every key of a text with the bytes it takes.
pub(crate) struct Places {
    keys: Vec<(String, Range<usize>)>,
    text: String,
    line_ends: Vec<usize>,
}

impl Places {
    /// The places of a text; or where and why it is not TOML.
    pub(crate) fn of(text: &str) -> Result<Self, (Place, String)> {
        let line_ends =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let mut places = Places { keys: Vec::new(), text: text.to_owned(), line_ends };
        match DeTable::parse(text) {
            Ok(table) => places.walk("", table.get_ref()),
            Err(error) => {
                let place = error.span().map(|span| places.at(span.start)).unwrap_or_default();
                return Err((place, error.message().to_owned()));
            }
        }
        Ok(places)
    }

    /// The innermost key around a byte.
    pub(crate) fn at(&self, offset: usize) -> Place {
        let around = self.keys.iter().filter(|(_, span)| span.contains(&offset));
        let key = around.min_by_key(|(_, span)| span.len()).map(|(key, _)| key.clone()).unwrap_or_default();
        self.place(offset, key)
    }

    /// What takes exactly these bytes, such as an entry of a list, whose first byte belongs to other keys as well; or else the innermost
    /// key around the first.
    pub(crate) fn of_span(&self, span: &Range<usize>) -> Place {
        match self.keys.iter().rev().find(|(_, known)| known == span) {
            Some((key, _)) => self.place(span.start, key.clone()),
            None => self.at(span.start),
        }
    }

    /// The place of a key, or of the closest one around it if it is not there.
    pub(crate) fn of_key(&self, key: &str) -> Place {
        // Of name and value, which have the same key, the name: it comes first, and `max_by_key` takes the last.
        let around = self.keys.iter().rev().filter(|(known, _)| key.starts_with(known.as_str()));
        match around.max_by_key(|(known, _)| known.len()) {
            Some((_, span)) => self.place(span.start, key.to_owned()),
            None => Place::key(key),
        }
    }

    fn place(&self, offset: usize, key: String) -> Place {
        let line = self.line(offset);
        let start =
            line.checked_sub(2).and_then(|before| self.line_ends.get(before)).map_or(0, |end| end + 1);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count() + 1);
        Place { line, column, key }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }

    fn walk(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            self.keys.push((key.clone(), name.span()));
            self.value(key, value);
        }
    }

    fn value(&mut self, key: String, value: &Spanned<DeValue<'_>>) {
        self.keys.push((key.clone(), value.span()));
        match value.get_ref() {
            DeValue::Table(table) => self.walk(&key, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(format!("{key}[{index}]"), item);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_path_and_by_its_bytes() {
        let text = "node = \"a\"\n\n[store]\ndatabase = \"x\"\n[[tenant]]\nid = \"t\"\n[[tenant.unit]]\nid = \"63\"\n";
        let places = Places::of(text).unwrap();
        assert_eq!(
            places.of_key("tenant[0].unit[0].id"),
            Place { line: 8, column: 1, key: "tenant[0].unit[0].id".into() }
        );
        assert_eq!(places.of_key("store.payloads").line, 3, "the closest key around a missing one");
        assert_eq!(places.at(text.find("\"63\"").unwrap()).to_string(), "line 8:6, tenant[0].unit[0].id");
    }

    #[test]
    fn what_is_not_toml_is_named_by_its_line() {
        let Err((place, _)) = Places::of("node = \"a\"\n[store\n") else { panic!("accepted") };
        assert_eq!(place.line, 2);
    }
}
