//! `amtsbote check`: the same report as for a message that comes in, without store or configuration.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use model::message::{Finding, Severity};
use model::standard::Standard;
use schemas::Schemas;
use serde_json::{Value, json};

use crate::error::Error;
use crate::registry;
use cli::Language;
use config::{Config, Limits, Policy};

/// Checks files one after the other; the worst decides the exit code.
///
/// # Errors
/// If the schemas cannot be opened.
pub(crate) fn check(
    files: &[PathBuf],
    folder: Option<PathBuf>,
    config: &Path,
    as_json: bool,
    language: Language,
) -> Result<ExitCode, Error> {
    let (folder, limits, policy) = settings(folder, config)?;
    let schemas = match folder {
        Some(folder) => Schemas::open(folder)?,
        None => Schemas::new(),
    };
    let rules = if config.exists() { Config::load(config)?.xrechnung } else { None };
    let standards =
        registry::standards_with(&Arc::new(schemas), &limits, policy.allow_restricted, rules.as_ref());
    let mut worst = 0;
    let mut results = Vec::new();
    for file in files {
        let (code, result) = match check_file(file, &standards) {
            Ok(checked) => {
                let code = u8::from(!checked.report.is_acceptable());
                (code, described(file, &checked))
            }
            Err(error) => {
                error.report(as_json);
                (2, json!({ "file": file, "acceptable": false, "code": error.code() }))
            }
        };
        worst = worst.max(code);
        if !as_json && code < 2 {
            output::line(&in_words(&result, language));
        }
        results.push(result);
    }
    if as_json {
        let whole = if files.len() == 1 { results.remove(0) } else { Value::Array(results) };
        output::json(&whole);
    }
    Ok(worst.into())
}

/// Packs, limits and policy: those of the configuration if there is one, else the defaults. A folder of
/// packs on the command line goes before.
fn settings(folder: Option<PathBuf>, config: &Path) -> Result<(Option<PathBuf>, Limits, Policy), Error> {
    if !config.exists() {
        return Ok((folder, Limits::default(), Policy::default()));
    }
    let config = Config::load(config)?;
    Ok((folder.or(Some(config.store.schemas)), config.limits, config.policy))
}

fn check_file(path: &Path, standards: &[Arc<dyn Standard>]) -> Result<broker::Checked, Error> {
    let unreadable = |reason| Error::File { file: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::ErrorKind::InvalidInput.into()));
    }
    let bar = output::bar(metadata.len());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let checked = broker::check(standards, &mut bar.wrap_read(file), name.as_deref());
    bar.finish_and_clear();
    Ok(checked?)
}

fn described(file: &Path, checked: &broker::Checked) -> Value {
    let findings: Vec<Value> = checked.report.findings.iter().map(with_sentences).collect();
    json!({
        "file": file,
        "acceptable": checked.report.is_acceptable(),
        "identity": checked.identity,
        "findings": findings,
        "more": checked.report.more,
    })
}

fn with_sentences(finding: &Finding) -> Value {
    let mut value = json!(finding);
    if let Some(sentence) = model::catalog::sentence(&finding.rule) {
        value["en"] = json!(sentence.en);
        value["de"] = json!(sentence.de);
    }
    value
}

fn in_words(result: &Value, language: Language) -> String {
    let german = language == Language::De;
    let text = |value: &Value| value.as_str().map(output::harmless);
    let count = |severity: Severity| {
        let findings = result["findings"].as_array().into_iter().flatten();
        findings.filter(|finding| finding["severity"] == json!(severity)).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = match (result["acceptable"] == true, german) {
        (true, true) => "gültig",
        (true, false) => "valid",
        (false, true) => "nicht gültig",
        (false, false) => "not valid",
    };
    let identity = &result["identity"];
    let known = ["standard", "version", "name"].iter().filter_map(|member| text(&identity[*member]));
    let known = known.collect::<Vec<_>>().join(" ");
    let counts = match german {
        true => {
            format!("{errors} Fehler, {warnings} {}", if warnings == 1 { "Warnung" } else { "Warnungen" })
        }
        false => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let file = text(&result["file"]).unwrap_or_default();
    let mut lines = vec![format!("{file}: {verdict} ({counts}) {known}").trim_end().to_owned()];
    for finding in result["findings"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", finding_in_words(finding, german)));
    }
    if let Some(more) = result["more"].as_u64().filter(|more| *more > 0) {
        lines.push(format!("  … {more} {}", if german { "weitere" } else { "more" }));
    }
    lines.join("\n")
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Severity, place, sentence, the names it needs, rule: `error, line 7, /a/b: … (element: c) [xsd.1871]`.
fn finding_in_words(finding: &Value, german: bool) -> String {
    let text = |name: &str| output::harmless(finding[name].as_str().unwrap_or_default());
    let severity = match (finding["severity"].as_str().unwrap_or_default(), german) {
        ("error", true) => "Fehler",
        ("warning", true) => "Warnung",
        ("info", true) => "Hinweis",
        (other, _) => other,
    };
    let line = finding["line"].as_u64().map(|line| match german {
        true => format!("Zeile {line}"),
        false => format!("line {line}"),
    });
    let place = [Some(severity.to_owned()), Some(text("file")), line, Some(text("path"))];
    let place: Vec<String> = place.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let names = finding["with"].as_object().into_iter().flatten();
    let names: Vec<String> = names
        .map(|(key, name)| format!("{key}: {}", output::harmless(name.as_str().unwrap_or_default())))
        .collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let sentence = text(if german { "de" } else { "en" });
    format!("{}: {sentence}{names} [{}]", place.join(", "), text("rule"))
}
