//! What commands print: JSON for programs, aligned text for people; progress only on a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Prints lines on standard output, without anything that could command a terminal. If nobody reads
/// them any more, that is no reason to fail.
pub fn line(text: &str) {
    let lines: Vec<String> = text.split('\n').map(harmless).collect();
    let _ = writeln!(io::stdout().lock(), "{}", lines.join("\n"));
}

/// Prints JSON, with every control character escaped.
pub fn json(value: &Value) {
    let _ = writeln!(io::stdout().lock(), "{}", escaped(&value.to_string()));
}

/// Prints JSON, or the text made of it.
pub fn print(as_json: bool, value: &Value, text: impl FnOnce(&Value) -> String) {
    if as_json { json(value) } else { line(&text(value)) }
}

/// A text from outside as it may stand within a line: control characters (C0, DEL, C1) are replaced.
pub fn harmless(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// JSON leaves DEL and C1 as they are; they stand within strings only.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_control() {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Prints the named members of each item as columns.
pub fn table(items: &Value, columns: &[&str]) -> String {
    let cell = |item: &Value, column: &&str| {
        let value = column.split('.').fold(item, |value, name| &value[name]);
        match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => harmless(text),
            Value::Array(items) => {
                let names = items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
                harmless(&names.collect::<Vec<_>>().join(","))
            }
            other => harmless(&other.to_string()),
        }
    };
    let head =
        columns.iter().map(|column| column.rsplit('.').next().unwrap_or_default().to_uppercase()).collect();
    let rows = items.as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.map(|item| columns.iter().map(|column| cell(item, column)).collect()))
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A bar over so many bytes; unseen unless standard error is a terminal.
pub fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

/// A bar over so many messages; unseen unless standard error is a terminal.
pub fn count(messages: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(messages), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_printed_cannot_command_a_terminal() {
        assert_eq!(harmless("a\u{9b}31m\x1b\x7f\nb ü"), "a\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}b ü");
        let items = json!([{ "name": "a\nforged", "list": ["\u{9b}"] }]);
        assert_eq!(table(&items, &["name", "list"]), "NAME      LIST\na\u{fffd}forged  \u{fffd}");
    }

    #[test]
    fn json_keeps_its_meaning_with_control_characters_escaped() {
        let value = json!({ "name": "a\u{9b}\x7f\n\"ü" });
        let text = escaped(&value.to_string());
        assert!(!text.contains(char::is_control), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
