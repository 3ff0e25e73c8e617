//! From records to the variables of processes, and from variables to what records hold.

use std::time::Duration;

use model::Timestamp;
use serde_json::Value as Json;

use crate::camunda::{Typed, Variables};
use crate::settings::{Text, Value, Variable, Wait};

/// Longest text that the engine's tables take, in characters.
const MOST_TEXT: usize = 4_000;

/// The variables that are wanted, of the JSON forms of a case and of the record that something happened to.
pub(crate) fn variables(wanted: &[Variable], case: &Json, record: &Json) -> Variables {
    let value = |variable: &Variable| match &variable.value {
        Value::Case(path) => typed(path, member(case, path)),
        Value::Record(path) => typed(path, member(record, path)),
        Value::Fixed(text) => typed_text(text),
    };
    wanted.iter().map(|variable| (variable.name.clone(), value(variable))).collect()
}

/// A text as a variable.
pub(crate) fn typed_text(text: &str) -> Typed {
    let text: String = text.chars().take(MOST_TEXT).collect();
    Typed { value: Json::String(text), kind: Some("String".to_owned()) }
}

/// Nothing as a variable.
pub(crate) fn typed_null() -> Typed {
    Typed { value: Json::Null, kind: Some("Null".to_owned()) }
}

/// The member that a path names. Of a list of named things, such as references, the value of the first one of this kind.
fn member<'a>(json: &'a Json, path: &str) -> &'a Json {
    let step = |at: &'a Json, name: &str| match at {
        Json::Array(list) => {
            let named = list.iter().find(|one| one["kind"] == name);
            named.map_or(&Json::Null, |one| &one["value"])
        }
        at => &at[name],
    };
    path.split('.').fold(json, step)
}

/// Texts, numbers and truth values are variables; a time where its name says that it is one. Whatever else there is, is none.
fn typed(path: &str, value: &Json) -> Typed {
    let of = |kind: &str, value: Json| Typed { value, kind: Some(kind.to_owned()) };
    match value {
        Json::String(text) => match Timestamp::parse(text).filter(|_| is_time(path)) {
            Some(time) => of("Date", engine_time(time).into()),
            None => typed_text(text),
        },
        Json::Bool(_) => of("Boolean", value.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => of("Integer", value.clone()),
            Some(_) => of("Long", value.clone()),
            None => of("Double", value.clone()),
        },
        _ => typed_null(),
    }
}

fn is_time(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    name == "due" || name == "at" || name.ends_with("At")
}

/// A time as the engine writes it: `2026-11-23T08:15:00.000+0000`, without a colon in the zone.
pub(crate) fn engine_time(time: Timestamp) -> String {
    let millis = time.micros().div_euclid(1_000);
    let whole = Timestamp::from_micros(millis.div_euclid(1_000) * 1_000_000).to_string();
    format!("{}.{:03}+0000", whole.trim_end_matches('Z'), millis.rem_euclid(1_000))
}

/// Reads such a time, or one of RFC 3339.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    if let Some(time) = Timestamp::parse(text) {
        return Some(time);
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub(5)?)?;
    let is_zone = zone.starts_with(['+', '-']) && zone.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !is_zone {
        return None;
    }
    let (hours, minutes) = zone.split_at(3);
    Timestamp::parse(&format!("{local}{hours}:{minutes}"))
}

/// A text of the configuration or of a variable; `None` if the variable holds none.
pub(crate) fn text(wanted: &Text, variables: &Variables) -> Option<String> {
    match wanted {
        Text::Fixed(text) => Some(text.clone()),
        Text::Variable(name) => {
            variables.get(name)?.value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        }
    }
}

/// When something is due that began then; `None` if the variable holds no time.
pub(crate) fn due(wait: &Wait, began: Timestamp, variables: &Variables) -> Option<Timestamp> {
    match wait {
        Wait::For(time) => Some(began.plus(*time)),
        Wait::Until(name) => read_time(variables.get(name)?.value.as_str()?),
    }
}

/// This moment less a time.
pub(crate) fn before(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(path: &str, json: Json) -> (String, Json) {
        let typed = typed(path, member(&json, path));
        (typed.kind.unwrap(), typed.value)
    }

    #[test]
    fn members_become_variables_of_the_type_that_they_have() {
        assert_eq!(of("title", json!({ "title": "Neubau" })), ("String".into(), json!("Neubau")));
        assert_eq!(of("amountCents", json!({ "amountCents": 4250 })), ("Integer".into(), json!(4250)));
        let large = 3_000_000_000_i64;
        assert_eq!(of("amountCents", json!({ "amountCents": large })), ("Long".into(), json!(large)));
        assert_eq!(of("a.b", json!({ "a": { "b": true } })), ("Boolean".into(), json!(true)));
        assert_eq!(
            of("parties", json!({ "parties": [{ "name": "x" }] })).0,
            "Null",
            "lists are no variables"
        );
        assert_eq!(of("note", json!({})).0, "Null");
        let at = json!({ "createdAt": "2026-11-23T09:15:00.123456+01:00" });
        assert_eq!(of("createdAt", at), ("Date".into(), json!("2026-11-23T08:15:00.123+0000")));
        let title = json!({ "title": "2026-11-23T09:15:00Z" });
        assert_eq!(of("title", title).0, "String", "only what is called a time is one");
    }

    #[test]
    fn a_reference_is_found_by_its_kind() {
        let case = json!({ "references": [{ "kind": "antragsnummer", "value": "A-1" }] });
        assert_eq!(of("references.antragsnummer", case.clone()).1, json!("A-1"));
        assert_eq!(of("references.other", case).0, "Null");
    }

    #[test]
    fn times_of_the_engine_are_read_and_written() {
        let time = read_time("2026-11-23T09:15:00.050+0100").unwrap();
        assert_eq!(time, Timestamp::parse("2026-11-23T08:15:00.05Z").unwrap());
        assert_eq!(engine_time(time), "2026-11-23T08:15:00.050+0000");
        assert_eq!(engine_time(Timestamp::from_micros(-1)), "1969-12-31T23:59:59.999+0000");
        for bad in ["", "2026", "2026-11-23T09:15:00.050", "2026-11-23T09:15:00.050 0100", "ääääää"] {
            assert_eq!(read_time(bad), None, "{bad}");
        }
    }
}
