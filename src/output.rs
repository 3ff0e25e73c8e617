//! What commands print: JSON for programs, aligned text for people; progress only on a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Prints a line on standard output. If nobody reads it any more, that is no reason to fail.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints JSON, or the text made of it.
pub(crate) fn print(as_json: bool, value: &Value, text: impl FnOnce(&Value) -> String) {
    line(&if as_json { value.to_string() } else { text(value) });
}

/// Prints the named members of each item as columns.
pub(crate) fn table(items: &Value, columns: &[&str]) -> String {
    let cell = |item: &Value, column: &&str| {
        let value = column.split('.').fold(item, |value, name| &value[name]);
        match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let names = items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
                names.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
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
pub(crate) fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
