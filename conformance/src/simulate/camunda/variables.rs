//! Variables: what the engine takes and how it gives them back.

use serde_json::{Map, Value, json};

use super::time;

/// Types that it knows without Spin.
const TYPES: [&str; 11] =
    ["String", "Integer", "Long", "Short", "Double", "Boolean", "Date", "Bytes", "File", "Null", "Object"];

/// The variables of a request as they are kept; what the engine says if it takes one of them not.
pub(super) fn taken(given: &Value) -> Result<Vec<(String, Value)>, String> {
    let given = given.as_object().cloned().unwrap_or_default();
    given.into_iter().map(|(name, variable)| Ok((name, one(&variable)?))).collect()
}

pub(super) fn one(variable: &Value) -> Result<Value, String> {
    let value = variable["value"].clone();
    let kind = match variable["type"].as_str() {
        Some(kind) => capital(kind),
        None => inferred(&value).to_owned(),
    };
    if !TYPES.contains(&kind.as_str()) {
        return Err(format!("Unsupported value type '{kind}'"));
    }
    let value = match (kind.as_str(), &value) {
        ("Null", _) => Value::Null,
        (_, Value::Null) => Value::Null,
        ("Integer", Value::Number(number)) if number.as_i64().is_some_and(|it| i32::try_from(it).is_ok()) => {
            value
        }
        ("Long" | "Short", Value::Number(number)) if number.is_i64() => value,
        ("Double", Value::Number(_)) | ("Boolean", Value::Bool(_)) => value,
        ("Integer" | "Long" | "Short" | "Double" | "Boolean", other) => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return Err(format!(
                "Cannot convert value '{text}' of type '{kind}' to java type java.lang.{kind}"
            ));
        }
        ("Date", Value::String(text)) => match time::read(text) {
            Some(millis) => time::written(millis).into(),
            None => {
                return Err(format!(
                    "Cannot convert value '{text}' of type 'Date' to java type java.util.Date"
                ));
            }
        },
        _ => value,
    };
    Ok(json!({ "type": kind, "value": value, "valueInfo": {} }))
}

fn capital(kind: &str) -> String {
    let mut chars = kind.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn inferred(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.as_i64().is_some_and(|it| i32::try_from(it).is_ok()) => "Integer",
        Value::Number(number) if number.is_i64() => "Long",
        Value::Number(_) => "Double",
        _ => "String",
    }
}

/// Some of the variables, or all.
pub(super) fn shown(all: &Map<String, Value>, wanted: &Value) -> Value {
    let Some(names) = wanted.as_array() else { return Value::Object(all.clone()) };
    let is_wanted = |name: &String| names.iter().any(|wanted| wanted == name.as_str());
    all.iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}
