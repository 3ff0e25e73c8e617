//! `amtsbote check`: the same report as for a message that comes in, without store or configuration. An XML file by itself
//! is judged without the files that it names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use model::message::{Finding, Report, Severity};
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
    let standards = registry::standards(&Arc::new(schemas), &limits, policy.allow_restricted, rules.as_ref());
    let mut worst = 0;
    for file in files {
        let (code, result) = match found(file, None, &standards) {
            Ok(mut checked) => {
                without_files(&mut checked.report);
                let code = u8::from(!checked.report.is_acceptable());
                (code, described(file, &checked))
            }
            Err(error) => {
                error.report(as_json);
                (2, unreadable(file, &error))
            }
        };
        worst = worst.max(code);
        match as_json {
            true => output::json(&result),
            false if code < 2 => output::line(&in_words(&result, language)),
            false => {}
        }
    }
    Ok(worst.into())
}

/// Packs, limits and policy: those of the configuration if there is one, else the defaults. A folder of
/// packs on the command line goes before.
pub(crate) fn settings(
    folder: Option<PathBuf>,
    config: &Path,
) -> Result<(Option<PathBuf>, Limits, Policy), Error> {
    if !config.exists() {
        return Ok((folder, Limits::default(), Policy::default()));
    }
    let config = Config::load(config)?;
    Ok((folder.or(Some(config.store.schemas)), config.limits, config.policy))
}

/// What a file is, and everything found in it; `name` is another name than its own that it will have.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn found(
    path: &Path,
    name: Option<&str>,
    standards: &[Arc<dyn Standard>],
) -> Result<broker::Checked, Error> {
    let unreadable = |reason| Error::File { file: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::ErrorKind::InvalidInput.into()));
    }
    let bar = output::bar(metadata.len());
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let checked = broker::check(standards, &mut bar.wrap_read(file), name.or(own.as_deref()));
    bar.finish_and_clear();
    Ok(checked?)
}

/// Who checks an XML file by itself has its files elsewhere; a gateway that takes it in must have them.
fn without_files(report: &mut Report) {
    let of_files = |finding: &&mut Finding| finding.rule == "xdomea.no-container";
    report.findings.iter_mut().filter(of_files).for_each(|finding| finding.severity = Severity::Warning);
}

/// As JSON.
pub(crate) fn described(file: &Path, checked: &broker::Checked) -> Value {
    let findings: Vec<Value> = checked.report.findings.iter().map(with_sentences).collect();
    let identity = checked.identity.as_ref();
    json!({
        "file": file,
        "standard": identity.map(|identity| &identity.standard),
        "version": identity.map(|identity| &identity.version),
        "type": identity.map(|identity| &identity.message_type),
        "valid": verdict(&checked.report),
        "findings": findings,
        "more": checked.report.more,
        "identity": identity,
    })
}

/// Whether a message is valid; `None` if nothing speaks against it, but no schema was there to say so.
fn verdict(report: &Report) -> Option<bool> {
    let is_unvalidated = report.findings.iter().any(|finding| finding.rule == "schema.absent");
    match report.is_acceptable() {
        true => (!is_unvalidated).then_some(true),
        false => Some(false),
    }
}

/// The result for a file that cannot be read.
fn unreadable(file: &Path, error: &Error) -> Value {
    let nothing = Value::Null;
    json!({
        "file": file, "standard": nothing, "version": nothing, "type": nothing, "valid": nothing,
        "findings": [], "more": 0, "identity": nothing, "code": error.code(),
    })
}

/// A finding with what its rule means.
pub(crate) fn with_sentences(finding: &Finding) -> Value {
    let mut value = json!(finding);
    if let Some(sentence) = model::catalog::sentence(&finding.rule) {
        value["en"] = json!(sentence.en);
        value["de"] = json!(sentence.de);
    }
    value
}

/// What [`described`] gives, for people.
pub(crate) fn in_words(result: &Value, language: Language) -> String {
    let german = language == Language::De;
    let text = |value: &Value| value.as_str().map(output::harmless);
    let count = |severity: Severity| {
        let findings = result["findings"].as_array().into_iter().flatten();
        findings.filter(|finding| finding["severity"] == json!(severity)).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = match (result["valid"].as_bool(), german) {
        (Some(true), true) => "gültig",
        (Some(true), false) => "valid",
        (Some(false), true) => "nicht gültig",
        (Some(false), false) => "not valid",
        (None, true) => "nicht validiert",
        (None, false) => "not validated",
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
    let head = format!("{file}: {verdict} ({counts}) {known}").trim_end().to_owned();
    let lines = sentences_in_words(result, language);
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

/// A line for each finding of a result.
pub(crate) fn sentences_in_words(result: &Value, language: Language) -> Vec<String> {
    let german = language == Language::De;
    let findings = result["findings"].as_array().into_iter().flatten();
    let mut lines: Vec<String> =
        findings.map(|finding| format!("  {}", finding_in_words(finding, german))).collect();
    if let Some(more) = result["more"].as_u64().filter(|more| *more > 0) {
        lines.push(format!("  … {more} {}", if german { "weitere" } else { "more" }));
    }
    lines
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
