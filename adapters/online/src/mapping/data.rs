//! The data of a form as one tree, whether they came as JSON (XFall, FIM) or as XML: an element is an object of its children and, with `@`,
//! its attributes; what repeats is a list; an element with text alone is that text. Namespaces are left out.

use serde_json::{Map, Value};
use xml::{Event, Limits, Reader};

/// Values that are mapped at most; more is taken in, and not looked into.
const VALUES: usize = 100_000;
/// Elements within elements.
const DEPTH: usize = 64;

/// What the data of a form are.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A tree.
    Tree(Value),
    /// Too many values to be looked into.
    TooMany,
}

/// The data are not what their media type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Data {
    /// Reads data of this media type.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(bytes: &[u8], media_type: &str) -> Result<Self, Malformed> {
        match media_type {
            "application/xml" => read_xml(bytes),
            _ => read_json(bytes),
        }
    }

    /// The value at a pointer, as text; absent what is empty, an object or a list.
    pub fn text(&self, pointer: &str) -> Option<String> {
        let Data::Tree(tree) = self else { return None };
        text_at(tree, pointer)
    }
}

/// The value at a pointer (RFC 6901) as text. A list stands for its first item where a name follows, and what is no list is its own item 0.
pub(crate) fn text_at(tree: &Value, pointer: &str) -> Option<String> {
    let mut at = tree;
    for name in pointer.strip_prefix('/')?.split('/') {
        let name = name.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Array(items) => match name.parse::<usize>() {
                Ok(index) => items.get(index)?,
                Err(_) => items.first()?.get(&name)?,
            },
            Value::Object(members) if members.contains_key(&name) => members.get(&name)?,
            other if name == "0" => other,
            _ => return None,
        };
    }
    plain(at)
}

fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Array(items) => return items.first().filter(|it| !it.is_array()).and_then(plain),
        Value::Object(members) => return members.get("#text").filter(|it| it.is_string()).and_then(plain),
        Value::Null => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn read_json(bytes: &[u8]) -> Result<Data, Malformed> {
    // Counted before a tree is made of it: a tree of empty lists takes twenty times its text.
    if bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > VALUES {
        let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(bytes);
        return checked.map(|_| Data::TooMany).map_err(|_| Malformed);
    }
    serde_json::from_slice(bytes).map(Data::Tree).map_err(|_| Malformed)
}

fn read_xml(bytes: &[u8]) -> Result<Data, Malformed> {
    let limits = Limits { depth: DEPTH, ..Limits::default() };
    let mut reader = Reader::new(bytes, limits);
    let mut open = vec![(String::new(), Map::new())];
    let (mut text, mut left) = (vec![String::new()], VALUES);
    loop {
        match reader.next().map_err(|_| Malformed)? {
            Event::Start(start) => {
                let mut members = Map::new();
                for attribute in start.attributes() {
                    left = left.saturating_sub(1);
                    members.insert(format!("@{}", attribute.local), Value::from(attribute.value));
                }
                left = left.saturating_sub(1);
                open.push((start.local().to_owned(), members));
                text.push(String::new());
            }
            Event::Text(piece) => text.last_mut().ok_or(Malformed)?.push_str(piece),
            Event::End => {
                let ((name, members), words) = open.pop().zip(text.pop()).ok_or(Malformed)?;
                let (_, above) = open.last_mut().ok_or(Malformed)?;
                if left > 0 {
                    add(above, name, element(members, words));
                }
            }
            Event::Eof => break,
        }
    }
    let (_, root) = open.pop().ok_or(Malformed)?;
    Ok(if left == 0 { Data::TooMany } else { Data::Tree(Value::Object(root)) })
}

fn element(mut members: Map<String, Value>, text: String) -> Value {
    if members.is_empty() {
        return Value::String(text);
    }
    if !text.trim().is_empty() {
        members.insert("#text".to_owned(), Value::String(text));
    }
    Value::Object(members)
}

fn add(above: &mut Map<String, Value>, name: String, value: Value) {
    match above.get_mut(&name) {
        None => _ = above.insert(name, value),
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_xml_are_found_by_the_same_pointers() {
        let json =
            br#"{"G1":{"F1":" Max  Mustermann ","F2":[{"a/b":7},{"a/b":8}],"F3":true,"F4":"","F5":{}}}"#;
        let xml = br#"<x:G1 xmlns:x="urn:x"><F1 art="n"> Max
            Mustermann </F1><F2><a>7</a></F2><F2><a>8</a></F2></x:G1>"#;
        let json = Data::read(json, "application/json").unwrap();
        let xml = Data::read(xml, "application/xml").unwrap();
        for (data, pointer, expected) in [
            (&json, "/G1/F1", Some("Max Mustermann")),
            (&json, "/G1/0/F1", Some("Max Mustermann")),
            (&json, "/G1/F2/1/a~1b", Some("8")),
            (&json, "/G1/F2/a~1b", Some("7")),
            (&json, "/G1/F3", Some("true")),
            (&json, "/G1/F4", None),
            (&json, "/G1/F5", None),
            (&json, "/G1/F9", None),
            (&json, "G1", None),
            (&xml, "/G1/F1", Some("Max Mustermann")),
            (&xml, "/G1/F1/@art", Some("n")),
            (&xml, "/G1/F2/a", Some("7")),
            (&xml, "/G1/F2/1/a", Some("8")),
            (&xml, "/G1/F2/2/a", None),
        ] {
            assert_eq!(data.text(pointer).as_deref(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_and_what_has_too_many_values_is_not_looked_into() {
        for (wrong, media_type) in [
            ("{", "application/json"),
            ("", "application/json"),
            ("<a>", "application/xml"),
            ("", "application/xml"),
        ] {
            assert_eq!(Data::read(wrong.as_bytes(), media_type), Err(Malformed), "{wrong}");
        }
        let entities = "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>";
        assert_eq!(Data::read(entities.as_bytes(), "application/xml"), Err(Malformed));
        let many = format!("[{}1]", "[],".repeat(VALUES));
        assert_eq!(Data::read(many.as_bytes(), "application/json"), Ok(Data::TooMany));
        assert_eq!(Data::read(&many.as_bytes()[..many.len() - 1], "application/json"), Err(Malformed));
        let many = format!("<a>{}</a>", "<b/>".repeat(VALUES));
        assert_eq!(Data::read(many.as_bytes(), "application/xml"), Ok(Data::TooMany));
    }
}
