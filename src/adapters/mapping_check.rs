//! `amtsbote check --mapping`: what the data of a form would become by a mapping of the configuration, without store and network: which
//! template found what, what is missing, and why a clerk would have to look at it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adapter_online::mapping::{Applied, Data, Mapping, Row, Sources};
use config::{AdapterKind, Config};
use serde_json::{Value, json};

use crate::adapters::mapping;
use crate::error::Error;

/// Most bytes of a file of data.
const MOST: u64 = 64 << 20;

/// Explains files one after the other; the worst decides the exit code: 1 if a clerk would have to look at one, 2 if one is no data.
///
/// # Errors
/// If the configuration has no such mapping, or a file cannot be read.
pub(crate) fn check(
    files: &[PathBuf],
    config: &Path,
    name: &str,
    metadata: Option<&Path>,
    as_json: bool,
) -> Result<ExitCode, Error> {
    let mapping = named(&Config::load(config)?, name)?;
    let metadata = match metadata {
        Some(path) => serde_json::from_slice(&read(path)?).unwrap_or_default(),
        None => Value::Null,
    };
    let mut worst = 0;
    for file in files {
        let bytes = read(file)?;
        let (code, result) = match Data::read(&bytes, media_type(&bytes)) {
            Ok(data) => {
                let applied = mapping.apply(&Sources { data: &data, metadata: &metadata }, "(Leistung)");
                (u8::from(!applied.concerns.is_empty()), described(file, &applied))
            }
            Err(_) => {
                (2, json!({ "file": file, "mapping": name, "concerns": ["syntax-violation"], "fields": [] }))
            }
        };
        worst = worst.max(code);
        match as_json {
            true => output::json(&result),
            false => output::line(&in_words(&result)),
        }
    }
    Ok(worst.into())
}

/// The mapping of this name, or of `ADAPTER/NAME` where several adapters have one.
fn named(config: &Config, name: &str) -> Result<Mapping, Error> {
    let mut found = config.adapters.iter().filter_map(|entry| match &entry.kind {
        AdapterKind::FitConnect(it) => {
            let own = name.strip_prefix(&format!("{}/", entry.serves.id)).unwrap_or(name);
            it.mapping.iter().find(|mapping| mapping.id == own)
        }
        _ => None,
    });
    let unknown = || Error::Usage(format!("the configuration has no mapping {name}"));
    let first = found.next().ok_or_else(unknown)?;
    mapping(first).map_err(|wrong| Error::Usage(format!("mapping {name}: {}: {}", wrong.key, wrong.rule)))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |reason| Error::File { file: path.to_owned(), reason };
    match std::fs::metadata(path).map_err(unreadable)?.len() {
        0..=MOST => std::fs::read(path).map_err(unreadable),
        _ => Err(unreadable(std::io::ErrorKind::FileTooLarge.into())),
    }
}

fn media_type(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    if first == Some(&b'<') { "application/xml" } else { "application/json" }
}

fn described(file: &Path, applied: &Applied) -> Value {
    let field = |row: &Row| json!({ "field": row.field, "value": row.value, "wrong": row.wrong });
    json!({
        "file": file,
        "unit": applied.unit,
        "publicService": applied.public_service,
        "fields": applied.rows.iter().map(field).collect::<Vec<_>>(),
        "concerns": applied.concerns,
        "case": {
            "description": applied.description,
            "locations": applied.locations,
        },
    })
}

fn in_words(result: &Value) -> String {
    let text = |value: &Value| value.as_str().map(output::harmless).unwrap_or_default();
    let mut lines = vec![text(&result["file"])];
    for field in result["fields"].as_array().into_iter().flatten() {
        let value = field["value"].as_str().map_or_else(|| "-".to_owned(), output::harmless);
        let wrong = field["wrong"].as_str().map(|why| format!("   ! {why}")).unwrap_or_default();
        lines.push(format!("  {:<32} {value}{wrong}", text(&field["field"])));
    }
    for concern in result["concerns"].as_array().into_iter().flatten() {
        let code = text(concern);
        let sentence = model::catalog::sentence(&code).map(|it| format!(": {}", it.en)).unwrap_or_default();
        lines.push(format!("  a clerk has to look at it: {code}{sentence}"));
    }
    lines.join("\n")
}
