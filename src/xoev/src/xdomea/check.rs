//! Checks a message: its container, its schema, its code lists and the standard's rules, in one pass
//! over the XML and one over the files. Every finding comes at once.

use std::sync::Arc;

use model::standard::{Identity, Source};
use model::{Failure, Finding, Report, Severity};
use schemas::{Schemas, Validator};

use super::Options;
use super::files::{Claims, check_files};
use super::identify::{Head, by_root, read_head};
use super::messages::{FileName, Version, is_xdomea};
use super::rules::{Outcome, Rules, Setting};
use crate::Error;
use crate::container::shown;
use crate::family::unusable;
use crate::findings::{of_schema, unless_failed, unreadable};
use crate::head::{Place, Root, read_root};

/// Messages that carry the files they name. Offer lists (0501) name files that come later.
const CARRYING: [&str; 7] = ["0101", "0201", "0401", "0503", "0701", "0712", "0722"];

/// Messages that a receiving archive files by the key of their sender.
const TO_ARCHIVE: [&str; 3] = ["0501", "0503", "0505"];

/// Identifies and checks a message or container.
pub(crate) fn check(
    schemas: &Arc<Schemas>,
    options: &Options,
    source: &mut dyn Source,
    file_name: Option<&str>,
    report: &mut Report,
) -> Result<Option<Identity>, Failure> {
    let Some(place) = Place::find(source, &options.container, report).map_err(Error::from)? else {
        return Ok(None);
    };
    let (root, mut head) = match identified(&place, source)? {
        Ok(identified) => identified,
        Err(error) => {
            report.add(unreadable(error)?);
            return Ok(None);
        }
    };
    if !is_xdomea(&root.namespace) {
        return Ok(None);
    }
    head.identity.container = place.container().is_some();
    if head.identity.test {
        report.add(Finding::warning("xoev.test"));
    }
    let supported = check_support(&head, report);
    check_names(&head, file_name, &place, report);
    if supported {
        let setting = setting(options, &head);
        check_content(schemas, setting, (&head, file_name), &place, source, &root, report)?;
    }
    Ok(Some(head.identity))
}

/// The root, and the head as far as it can be read: what is wrong with it is found by the pass over the whole.
pub(crate) fn identified(
    place: &Place,
    source: &mut dyn Source,
) -> Result<Result<(Root, Head), xml::Error>, Failure> {
    let mut reader = place.reader(source).map_err(Error::from)?;
    let root = match unless_failed(read_root(&mut reader))? {
        Ok(root) => root,
        Err(error) => return Ok(Err(error)),
    };
    if !is_xdomea(&root.namespace) {
        let head = by_root(&root);
        return Ok(Ok((root, head)));
    }
    match read_head(&mut reader, &root) {
        Ok(head) => Ok(Ok((root, head))),
        Err(error) if error.is_of_source() => Err(error.into()),
        Err(_) => {
            let head = by_root(&root);
            Ok(Ok((root, head)))
        }
    }
}

fn check_support(head: &Head, report: &mut Report) -> bool {
    if head.version.is_none() {
        report
            .add(Finding::error("xdomea.version-unsupported").with("version", shown(&head.identity.version)));
    } else if head.message.is_none() {
        report.add(Finding::error("xdomea.type-unsupported").with("name", shown(&head.identity.name)));
    }
    head.version.is_some() && head.message.is_some()
}

/// The header against the root element and the names of the files.
fn check_names(head: &Head, file_name: Option<&str>, place: &Place, report: &mut Report) {
    let code = head.message.map_or("", |message| message.code);
    let severity = severity(head);
    // The root element says what is read; real senders leave the code of another message in the header.
    if !code.is_empty() && !head.code.is_empty() && head.code != code {
        report.add(Finding::warning("xdomea.type-mismatch"));
    }
    if head.is_translated() && head.identity.process_id.is_none() {
        report.add(Finding::error("xdomea.process-id"));
    }
    let is_keyed = head.identity.sender.as_ref().is_some_and(|sender| sender.authority.is_some());
    if TO_ARCHIVE.contains(&code) && !is_keyed {
        report.add(Finding::warning("xdomea.sender-key"));
    }
    for name in names(file_name, place) {
        check_name(name, head, code, severity, report);
    }
    if let (Some(outer), Some(inner)) = (file_name, place.entry_name())
        && stem(outer) != stem(inner)
    {
        report.add(Finding::warning("xdomea.stem-mismatch").in_file(shown(inner)));
    }
}

/// How bad it is what only the receiver of a message would care for.
fn severity(head: &Head) -> Severity {
    if head.is_translated() { Severity::Error } else { Severity::Warning }
}

/// Names of the container and the message in it, without folders.
fn names<'a>(file_name: Option<&'a str>, place: &'a Place) -> impl Iterator<Item = &'a str> {
    let names = file_name.into_iter().chain(place.entry_name());
    names.map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default())
}

/// A name without folders and ending.
fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn check_name(name: &str, head: &Head, code: &str, severity: Severity, report: &mut Report) {
    let Some(parsed) = FileName::parse(name) else {
        report.add(Finding::warning("xdomea.file-name").in_file(shown(name)));
        return;
    };
    if !code.is_empty() && parsed.code != code {
        report.add(Finding::new("xdomea.type-mismatch", severity).in_file(shown(name)));
    }
    let is_4 = head.version == Some(Version::V4_0_0);
    match parsed.process.parse::<model::Id>() {
        Err(_) => report.add(Finding::warning("xdomea.file-name").in_file(shown(name))),
        Ok(id) if head.identity.process_id.is_some_and(|known| known != id) => {
            report.add(Finding::new("xdomea.process-id", severity).in_file(shown(name)));
        }
        // Each version has a form of its own.
        Ok(_) if is_4 != parsed.number.is_some() => {
            report.add(Finding::warning("xdomea.file-name").in_file(shown(name)));
        }
        Ok(_) => {}
    }
}

/// The number in the names of the files against that of the message.
fn check_number(
    number: Option<u64>,
    severity: Severity,
    file_name: Option<&str>,
    place: &Place,
    report: &mut Report,
) {
    for name in names(file_name, place) {
        let named = FileName::parse(name).and_then(|parsed| parsed.number);
        if named.zip(number).is_some_and(|(named, number)| named != number) {
            report.add(Finding::new("xdomea.sequence-name", severity).in_file(shown(name)));
        }
    }
}

fn setting(options: &Options, head: &Head) -> Setting {
    let code = head.message.map_or("", |message| message.code);
    Setting {
        depth: options.depth,
        allow_restricted: options.allow_restricted,
        code,
        carries_files: CARRYING.contains(&code),
        is_translated: head.is_translated(),
        is_4: head.version == Some(Version::V4_0_0),
        has_any_text: head.version >= Some(Version::V3_0_0),
        process: head.identity.process_id.map(|id| id.as_u128()),
    }
}

fn check_content(
    schemas: &Arc<Schemas>,
    setting: Setting,
    named: (&Head, Option<&str>),
    place: &Place,
    source: &mut dyn Source,
    root: &Root,
    report: &mut Report,
) -> Result<(), Failure> {
    let (head, file_name) = named;
    let lists = schemas.code_lists();
    let mut rules = Rules::new(setting, &lists, place.container());
    let mut reader = place.reader(source).map_err(Error::from)?;
    match schemas.find(&root.namespace, &root.local) {
        Ok(Some(schema)) => reader.observe(Box::new(Validator::new(schema))),
        Ok(None) => {
            let severity = severity(head);
            report.add(Finding::new("schema.absent", severity).with("name", &root.local));
        }
        Err(error) => return Err(unusable(&error)),
    }
    let end = rules.run(&mut reader);
    let by_schema =
        reader.take_observer::<Validator>().map(|validator| validator.report()).unwrap_or_default();
    drop(reader);
    let end = end.err().map(unreadable).transpose()?;
    let is_whole = end.is_none();
    let Outcome { report: by_rules, entries, absent_files, number } = rules.outcome();
    add_by_line(by_rules, by_schema, end, report);
    check_number(number, severity(head), file_name, place, report);
    if setting.carries_files && absent_files > 0 {
        report.add(Finding::error("xdomea.no-container"));
    }
    if let Place::In(container, message) = place {
        let claims = Claims { named: &entries, code: setting.code, is_whole };
        check_files(container, *message, source, &claims, report)?;
    }
    Ok(())
}

/// Brings findings of rules and schema into the order of the document.
fn add_by_line(rules: Report, by_schema: schemas::Report, end: Option<Finding>, report: &mut Report) {
    let schema_kept = by_schema.findings.len() as u64;
    report.more += rules.more + (by_schema.errors + by_schema.notes).saturating_sub(schema_kept);
    let converted = by_schema.findings.into_iter().map(of_schema);
    let mut all: Vec<Finding> = rules.findings.into_iter().chain(converted).collect();
    all.sort_by_key(|finding| finding.line);
    all.into_iter().chain(end).for_each(|finding| report.add(finding));
}
