//! The part of CMIS-SQL that is understood: one type, conditions joined by AND, one order.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::store::{Object, Outcome, Store, refuse};
use super::types;

/// A condition.
#[derive(Debug)]
enum Condition {
    Is(String, String),
    Since(String, i64),
    In(String),
    Below(String),
}

/// The objects that a statement finds; latest versions, no working copies.
pub(super) fn run<'a>(store: &'a Store, statement: &str) -> Outcome<Vec<&'a Object>> {
    let words = words(statement);
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    if !word(0).eq_ignore_ascii_case("select") {
        return refuse("invalidArgument", format!("line 1:0 missing SELECT at '{}'\n", word(0)));
    }
    let Some(from) = words.iter().position(|it| it.eq_ignore_ascii_case("from")) else {
        return refuse("invalidArgument", "line 1:8 mismatched input '<EOF>' expecting FROM\n");
    };
    let of = types::of(word(from + 1));
    let Some(of) = of else {
        return refuse(
            "invalidArgument",
            format!("{} is neither a type query name nor an alias.", word(from + 1)),
        );
    };
    let conditions = conditions(&words[from + 2..])?;
    let is_of = |it: &&Object| {
        it.type_id == of.id
            || (of.id == of.base && it.kind().base == of.base)
            || it.secondary.iter().any(|id| id == of.id)
    };
    let fits =
        |it: &&Object| !it.is_copy && store.is_latest(it) && conditions.iter().all(|c| holds(store, it, c));
    let mut found: Vec<&Object> = store.all().filter(is_of).filter(fits).collect();
    found.sort_by_key(|it| it.modified);
    Ok(found)
}

fn holds(store: &Store, it: &Object, condition: &Condition) -> bool {
    let value = |id: &str| store.value(it, id);
    match condition {
        Condition::Is(id, wanted) => value(id).as_str() == Some(wanted),
        Condition::Since(id, at) => value(id).as_i64().is_some_and(|value| value >= *at),
        Condition::In(folder) => it.parents.contains(folder),
        Condition::Below(folder) => store.is_below(it, folder),
    }
}

fn conditions(words: &[String]) -> Outcome<Vec<Condition>> {
    let mut found = vec![];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut rest = match words.as_slice() {
        [] => return Ok(found),
        ["where" | "WHERE", rest @ ..] => rest,
        ["order" | "ORDER", ..] => return Ok(found),
        other => {
            return refuse("invalidArgument", format!("line 1: no viable alternative at '{}'", other[0]));
        }
    };
    loop {
        let (condition, after) = match rest {
            [property, "=", value, after @ ..] => (Condition::Is((*property).into(), text(value)), after),
            [property, ">=", "TIMESTAMP", value, after @ ..] => {
                (Condition::Since((*property).into(), millis(&text(value)).as_i64().unwrap_or(0)), after)
            }
            ["IN_FOLDER", "(", id, ")", after @ ..] => (Condition::In(text(id)), after),
            ["IN_TREE", "(", id, ")", after @ ..] => (Condition::Below(text(id)), after),
            _ => return refuse("invalidArgument", "line 1: no viable alternative at input"),
        };
        found.push(condition);
        match after {
            ["and" | "AND", more @ ..] => rest = more,
            [] | ["order" | "ORDER", ..] => return Ok(found),
            _ => return refuse("invalidArgument", "line 1: missing EOF"),
        }
    }
}

/// The value of a literal.
fn text(literal: &str) -> String {
    let inner = literal.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(literal);
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        text.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    text
}

fn words(statement: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    let mut characters = statement.chars();
    while let Some(c) = characters.next() {
        if c == '\'' {
            word.push(c);
            while let Some(c) = characters.next() {
                word.push(c);
                match c {
                    '\\' => word.extend(characters.next()),
                    '\'' => break,
                    _ => {}
                }
            }
        }
        if c.is_whitespace() || c == '\'' || c == '(' || c == ')' {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if c == '(' || c == ')' {
                words.push(c.to_string());
            }
            continue;
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Milliseconds of a date: as they are, or of ISO 8601 in UTC.
pub(super) fn millis(text: &str) -> Value {
    if let Ok(millis) = text.parse::<i64>() {
        return Value::from(millis);
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    moment.map_or(Value::Null, |at| Value::from(at.unix_timestamp() * 1_000 + i64::from(at.millisecond())))
}

/// A moment in ISO 8601, UTC.
pub(super) fn iso(millis: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    moment.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
