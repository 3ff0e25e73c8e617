//! Checks a message: its container, its schema, its code lists and the standard's rules, in one pass
//! over the XML and one over the files. Every finding comes at once.

use std::io::{self, Read};
use std::sync::Arc;

use model::standard::{Identity, Source};
use model::{Failure, Finding, Report, Severity};
use schemas::{Schemas, Validator};

use super::Options;
use super::formats::{HEAD_BYTES, contradicts};
use super::identify::{Head, by_root, read_head};
use super::messages::{FileName, is_xdomea};
use super::rules::{Named, Rules, Setting};
use crate::Error;
use crate::container::{Container, shown};
use crate::findings::{of_schema, unreadable};
use crate::head::{Place, Root, read_root};

/// Messages that carry the files they name. Offer lists (0501) name files that come later.
const CARRYING: [&str; 7] = ["0101", "0201", "0401", "0503", "0701", "0712", "0722"];

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
    let supported = check_support(&head, report);
    check_names(&head, file_name, &place, report);
    if supported {
        check_content(schemas, options, &place, source, &root, &head, report)?;
    }
    Ok(Some(head.identity))
}

/// The root, and the head as far as it can be read: what is wrong with it is found by the pass over the whole.
pub(crate) fn identified(
    place: &Place,
    source: &mut dyn Source,
) -> Result<Result<(Root, Head), xml::Error>, Failure> {
    let mut reader = place.reader(source).map_err(Error::from)?;
    let root = match read_root(&mut reader) {
        Ok(root) => root,
        Err(error) => return Ok(Err(error)),
    };
    let head = match is_xdomea(&root.namespace) {
        true => read_head(&mut reader, &root).unwrap_or_else(|_| by_root(&root)),
        false => by_root(&root),
    };
    Ok(Ok((root, head)))
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
    // What is only carried on is for its receiver to judge.
    let severity = if head.is_translated() { Severity::Error } else { Severity::Warning };
    if !code.is_empty() && !head.code.is_empty() && head.code != code {
        report.add(Finding::new("xdomea.type-mismatch", severity));
    }
    if head.is_translated() && head.identity.process_id.is_none() {
        report.add(Finding::error("xdomea.process-id"));
    }
    for name in file_name.into_iter().chain(place.entry_name()) {
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let Some(parsed) = FileName::parse(name) else {
            report.add(Finding::warning("xdomea.file-name").in_file(shown(name)));
            continue;
        };
        if !code.is_empty() && parsed.code != code {
            report.add(Finding::new("xdomea.type-mismatch", severity).in_file(shown(name)));
        }
        match parsed.process.parse::<model::Id>() {
            Err(_) => report.add(Finding::warning("xdomea.file-name").in_file(shown(name))),
            Ok(id) if head.identity.process_id.is_some_and(|known| known != id) => {
                report.add(Finding::new("xdomea.process-id", severity).in_file(shown(name)));
            }
            Ok(_) => {}
        }
    }
}

fn check_content(
    schemas: &Arc<Schemas>,
    options: &Options,
    place: &Place,
    source: &mut dyn Source,
    root: &Root,
    head: &Head,
    report: &mut Report,
) -> Result<(), Failure> {
    let code = head.message.map_or("", |message| message.code);
    let setting = Setting {
        depth: options.depth,
        allow_restricted: options.allow_restricted,
        carries_files: CARRYING.contains(&code),
        is_translated: head.is_translated(),
    };
    let lists = schemas.code_lists();
    let mut rules = Rules::new(setting, &lists, place.container());
    let mut reader = place.reader(source).map_err(Error::from)?;
    match schemas.find(&root.namespace, &root.local) {
        Ok(Some(schema)) => reader.observe(Box::new(Validator::new(schema))),
        Ok(None) => {
            let severity = if head.is_translated() { Severity::Error } else { Severity::Warning };
            report.add(Finding::new("schema.absent", severity).with("name", &root.local));
        }
        Err(error) => report.add(Finding::error(error.code())),
    }
    let end = rules.run(&mut reader);
    let by_schema =
        reader.take_observer::<Validator>().map(|validator| validator.report()).unwrap_or_default();
    drop(reader);
    let end = end.err().map(unreadable).transpose()?;
    let is_whole = end.is_none();
    let absent_files = rules.absent_files;
    let entries = std::mem::take(&mut rules.entries);
    add_by_line(rules.report, by_schema, end, report);
    if setting.carries_files && absent_files > 0 {
        report.add(Finding::error("xdomea.no-container"));
    }
    if let Place::In(container, message) = place {
        check_files(container, *message, source, &entries, is_whole, report)?;
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

/// Reads every file once: whether it is whole, and whether it begins like what the message says it is.
fn check_files(
    container: &Container,
    message: usize,
    source: &mut dyn Source,
    named: &[Named],
    is_whole: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 * 1024];
    for (index, entry) in container.entries().iter().enumerate().filter(|(index, _)| *index != message) {
        let name = shown(entry.name());
        let mut content = container.read(source, index).map_err(Error::from)?;
        let head = match verify(&mut content, &mut buffer) {
            Ok(head) => head,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                report.add(Finding::error("container.checksum").in_file(name));
                continue;
            }
            Err(error) => return Err(Error::Io(error).into()),
        };
        let Named { named, claim } = named[index];
        // What stands behind a fault of the XML may have named it.
        if !named && is_whole {
            report.add(Finding::warning("xdomea.file-extra").in_file(&name));
        }
        let claim = claim.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        if claim.is_some_and(|code| entry.size() > 0 && contradicts(code, &head)) {
            report.add(Finding::warning("xdomea.format-contradicted").in_file(name));
        }
    }
    Ok(())
}

/// Reads to the end and returns the first bytes.
fn verify(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let count = match content.read(buffer) {
            Ok(0) => return Ok(head),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let missing = HEAD_BYTES.saturating_sub(head.len()).min(count);
        head.extend_from_slice(&buffer[..missing]);
    }
}
