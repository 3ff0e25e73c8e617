//! JSON as it may come from outside (RFC 8259, with the choices of RFC 7493): UTF-8, members once, integers
//! that every client reads alike, texts that every standard can carry, and a limit on depth.
//!
//! `serde_json` alone keeps the last of several members of one name, so that two readers of one body may
//! see two different bodies; and it reads numbers and characters that the evidence chain and XML cannot
//! express.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Deepest nesting of arrays and objects.
pub(crate) const DEPTH: usize = 32;

/// Largest integer that every JSON reader keeps exactly (RFC 7493, 2.2).
const LARGEST: i64 = (1 << 53) - 1;

/// Reads a body.
///
/// # Errors
/// The JSON Pointer (RFC 6901) of the place where it is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let at = RefCell::new(Vec::new());
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { at: &at, left: DEPTH }.deserialize(&mut json);
    match value.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) => Err(pointer(at.borrow().iter().map(String::as_str))),
    }
}

/// Gives a value its type.
///
/// # Errors
/// As [`parse`].
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    use serde_path_to_error::Segment;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let steps = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        });
        let steps: Vec<String> = steps.collect();
        pointer(steps.iter().map(String::as_str))
    })
}

/// A pointer of these steps.
pub(crate) fn pointer<'a>(steps: impl Iterator<Item = &'a str>) -> String {
    steps.fold(String::new(), |all, step| all + "/" + &step.replace('~', "~0").replace('/', "~1"))
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    /// Where we are; left as it is when something is wrong there.
    at: &'a RefCell<Vec<String>>,
    left: usize,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Strict { left, ..self })
    }

    fn text<E: Error>(self, text: &str) -> Result<String, E> {
        if pages::is_plain(text) {
            Ok(text.to_owned())
        } else {
            Err(E::custom("a character that cannot be carried"))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        if value < -LARGEST { Err(E::custom("too small")) } else { Ok(value.into()) }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        if value > LARGEST.unsigned_abs() { Err(E::custom("too large")) } else { Ok(value.into()) }
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("not an integer"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.text(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut all = vec![];
        self.at.borrow_mut().push("0".to_owned());
        while let Some(item) = items.next_element_seed(inner)? {
            all.push(item);
            if let Some(step) = self.at.borrow_mut().last_mut() {
                *step = all.len().to_string();
            }
        }
        self.at.borrow_mut().pop();
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let name = self.text::<A::Error>(&name)?;
            self.at.borrow_mut().push(name.clone());
            let value = members.next_value_seed(inner)?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
            self.at.borrow_mut().pop();
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_named_by_its_pointer() {
        for (text, at) in [
            (r#"{"a": {"b": [1, 1.5]}}"#, "/a/b/1"),
            (r#"{"a": 1, "b": 2, "a": 3}"#, "/a"),
            (r#"{"a/b": {"~": 1e3}}"#, "/a~1b/~0"),
            (r#"{"a": "x\u0000"}"#, "/a"),
            (r#"{"a": "\u0001"}"#, "/a"),
            (r#"{"a": 9007199254740992}"#, "/a"),
            (r#"{"a": "\ud800"}"#, "/a"),
            (r#"{"a": tru}"#, "/a"),
            ("{} x", ""),
            ("", ""),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(at.to_owned()), "{text}");
        }
        assert_eq!(parse(b"{\"a\": \"\xff\"}"), Err("/a".to_owned()));
        assert_eq!(parse(b"\xef\xbb\xbf{}"), Err(String::new()), "a byte order mark is no JSON");
    }

    #[test]
    fn the_depth_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH + 1).as_bytes()).is_err());
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_wrong_type_is_named_by_its_pointer() {
        let value = json!({"begin": 5});
        assert_eq!(typed::<model::case::Period>(value), Err("/begin".to_owned()));
    }

    proptest! {
        #[test]
        fn what_is_accepted_means_what_serde_json_reads(text in r#"[\[\]{}",:0-9a-c\\ ]{0,24}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str::<Value>(&text).ok());
            }
        }
    }
}
