//! Canonical JSON: the subset of RFC 8785 (JCS) without fractions.
//!
//! * no white space between tokens;
//! * members sorted by the UTF-16 code units of their names (RFC 8785 section 3.2.3);
//! * strings with the shortest escapes: `\" \\ \b \t \n \f \r`, other control characters as `\u00xx`, all else as it is;
//! * numbers are integers within ±(2^53 − 1), in decimal; anything else is refused, so that no two readers differ.

use serde_json::Value;

use crate::{Error, Result};

/// The largest integer that every JSON reader keeps exactly.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The canonical bytes of a value.
///
/// # Errors
/// [`Error::NotInteger`] if a number is a fraction or out of range.
pub fn to_vec(value: &Value) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Ok(out)
}

/// The canonical bytes of anything that serde can express as JSON.
pub fn serialize(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    to_vec(&serde_json::to_value(value)?)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => write_integer(number, out)?,
        Value::String(text) => serde_json::to_writer(out, text)?,
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name)?;
                out.push(b':');
                write(member, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_integer(number: &serde_json::Number, out: &mut Vec<u8>) -> Result<()> {
    let magnitude = match (number.as_u64(), number.as_i64()) {
        (Some(positive), _) => positive,
        (None, Some(negative)) => negative.unsigned_abs(),
        (None, None) => return Err(Error::NotInteger),
    };
    if magnitude > MAX_INTEGER {
        return Err(Error::NotInteger);
    }
    out.extend(number.to_string().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    #[test]
    fn members_are_sorted_by_utf16_code_units() {
        // The example of RFC 8785 section 3.2.3: the emoji's surrogates sort before U+FB33.
        let value = json!({
            "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7,
        });
        assert_eq!(
            text(&value),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn strings_have_the_shortest_escapes() {
        let value = json!("\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/\u{7f}\u{2028}ä");
        assert_eq!(text(&value), "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}\u{2028}ä\"");
    }

    #[test]
    fn no_white_space_stays() {
        let value: Value = serde_json::from_str(" { \"b\" : [ 1 , true , null ] , \"a\" : { } } ").unwrap();
        assert_eq!(text(&value), r#"{"a":{},"b":[1,true,null]}"#);
    }

    #[test]
    fn fractions_and_large_numbers_are_refused() {
        for number in
            ["1.5", "1.0", "1e3", "-0", "9007199254740992", "-9007199254740992", "18446744073709551615"]
        {
            let value: Value = serde_json::from_str(&format!("[{number}]")).unwrap();
            assert_eq!(to_vec(&value).unwrap_err().code(), "json.not-integer", "{number}");
        }
        assert_eq!(
            text(&json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64, 0])),
            "[9007199254740991,-9007199254740991,0]"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_bytes_read_back_to_the_same_value(value in values()) {
            let bytes = to_vec(&value).unwrap();
            let back: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(to_vec(&back).unwrap(), bytes);
        }
    }
}
