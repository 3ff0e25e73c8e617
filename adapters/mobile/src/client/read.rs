//! Answers of foreign servers, read as they come: XML or JSON, ids as numbers or texts, spelled `service_request_id` or `servicerequest_id`
//! (Mark-a-Spot), in a list or alone, with fields that nobody knows. Errors stand in `errors` or `error_messages` (Klarschiff).

use std::collections::BTreeMap;

use serde_json::Value;
use xml::{Event, Limits, Reader};

/// Reports of one answer that are read.
const MOST: usize = 1_000;

/// Longest text of a field that is kept, in bytes.
const TEXT: usize = 4_096;

/// A report, or an error, as a foreign server tells of it: its fields by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Item(BTreeMap<String, String>);

impl Item {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The report's id there.
    pub(super) fn id(&self) -> Option<&str> {
        self.get("service_request_id").or_else(|| self.get("servicerequest_id"))
    }

    /// The token that the id will be given for.
    pub(super) fn token(&self) -> Option<&str> {
        self.get("token")
    }

    /// `open` or `closed`, in small letters.
    pub(super) fn status(&self) -> Option<String> {
        self.get("status").map(str::to_ascii_lowercase)
    }

    /// When it changed last, as it was written.
    pub(super) fn updated(&self) -> Option<&str> {
        self.get("updated_datetime")
    }

    /// The code of an error.
    pub(super) fn code(&self) -> Option<u16> {
        self.get("code")?.parse().ok()
    }
}

/// All that an answer tells of; `None` if it is neither XML nor JSON.
pub(super) fn items(body: &[u8]) -> Option<Vec<Item>> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte))?;
    if *first == b'<' { from_xml(body) } else { from_json(body) }
}

fn from_json(body: &[u8]) -> Option<Vec<Item>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let mut items = vec![];
    collect(&value, 0, &mut items);
    Some(items)
}

/// Lists, and what wraps them, are gone into; an object with plain fields is an item.
fn collect(value: &Value, depth: usize, items: &mut Vec<Item>) {
    if depth > 4 || items.len() >= MOST {
        return;
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, depth + 1, items)),
        Value::Object(fields) => {
            let plain: BTreeMap<String, String> =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect();
            if plain.is_empty() {
                fields.values().for_each(|one| collect(one, depth + 1, items));
            } else {
                items.push(Item(plain));
            }
        }
        _ => {}
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Every element `request` or `error`, wherever it stands.
fn from_xml(body: &[u8]) -> Option<Vec<Item>> {
    let limits = Limits { depth: 20, total_bytes: body.len() as u64, ..Limits::default() };
    let mut reader = Reader::new(body, limits);
    let mut items = vec![];
    let mut names: Vec<String> = vec![];
    let mut item: Option<(usize, Item)> = None;
    loop {
        match reader.next().ok()? {
            Event::Start(start) => {
                let name = start.local().to_owned();
                if item.is_none() && matches!(name.as_str(), "request" | "error" | "service_request") {
                    item = Some((names.len() + 1, Item::default()));
                }
                names.push(name);
            }
            Event::Text(text) => {
                let within = item.as_mut().filter(|(depth, _)| names.len() == depth + 1);
                if let (Some((_, item)), Some(name)) = (within, names.last()) {
                    let known = item.0.entry(name.clone()).or_default();
                    if known.len() + text.len() <= TEXT {
                        known.push_str(text);
                    }
                }
            }
            Event::End => {
                let is_end = item.as_ref().is_some_and(|(depth, _)| names.len() == *depth);
                if let (true, Some((_, done))) = (is_end && items.len() < MOST, item.as_ref()) {
                    items.push(done.clone());
                }
                if is_end {
                    item = None;
                }
                names.pop();
            }
            Event::Eof => return Some(items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Vec<String> {
        items(body.as_bytes()).unwrap().iter().filter_map(Item::id).map(str::to_owned).collect()
    }

    #[test]
    fn an_id_is_found_however_it_is_written() {
        for body in [
            r#"[{"service_request_id":638344,"service_notice":null}]"#,
            r#"[{"servicerequest_id":"638344","address_string":"a","new":{"x":[1]}}]"#,
            r#"{"service_requests":[{"service_request_id":"638344"}]}"#,
            r#" {"service_request_id":"638344"}"#,
            "<service_requests><request><service_request_id>638344</service_request_id><x><y>1</y></x>\
             </request></service_requests>",
            "\u{feff}<?xml version=\"1.0\"?>\n<service_requests type=\"array\"><request>\
             <servicerequest_id> 638344 </servicerequest_id></request></service_requests>",
        ] {
            assert_eq!(ids(body), ["638344"], "{body}");
        }
    }

    #[test]
    fn errors_have_their_codes() {
        for body in [
            r#"[{"code":401,"description":"Invalid api_key"}]"#,
            "<error_messages><error><code>401</code><description>x</description></error></error_messages>",
        ] {
            assert_eq!(items(body.as_bytes()).unwrap()[0].code(), Some(401));
        }
    }

    #[test]
    fn rubbish_is_nothing() {
        for body in ["", "  ", "hello", "<a><b></a>", "{", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"] {
            assert_eq!(items(body.as_bytes()), None, "{body}");
        }
        assert_eq!(ids("[]"), Vec::<String>::new());
    }
}
