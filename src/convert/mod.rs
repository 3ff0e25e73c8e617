//! `amtsbote convert`: a message of xdomea in another version, without store or configuration. The source is checked before anything
//! is written, the result before anybody gets it.

mod spool;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use cli::{Conversion, Language};
use model::Report;
use model::standard::{Identity, Outgoing, Standard, Written};
use schemas::Schemas;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use xoev::container::{Container, is_container};
use xoev::xdomea;

use crate::commands::check::{described, found, in_words, sentences_in_words, settings, with_sentences};
use crate::error::Error;
use crate::registry;
use spool::Spool;

/// What it needs to know.
struct Converter {
    standards: Vec<Arc<dyn Standard>>,
    limits: xoev::container::Limits,
    as_json: bool,
    language: Language,
}

/// Converts a message; says what became of it.
///
/// # Errors
/// If it cannot be converted or a file cannot be read or written.
pub(crate) fn convert(
    wanted: &Conversion,
    config: &Path,
    as_json: bool,
    language: Language,
) -> Result<ExitCode, Error> {
    let (folder, limits, policy) = settings(wanted.schemas.clone(), config)?;
    let schemas = match folder {
        Some(folder) => Schemas::open(folder)?,
        None => Schemas::new(),
    };
    let standards = registry::standards(&Arc::new(schemas), &limits, policy.allow_restricted, None);
    Converter { standards, limits: registry::container(&limits), as_json, language }.convert(wanted)
}

impl Converter {
    fn convert(&self, wanted: &Conversion) -> Result<ExitCode, Error> {
        let version = self.version(&wanted.to)?;
        if let Some(output) = wanted.output.as_deref().filter(|output| !wanted.force && output.exists()) {
            return Err(Error::Exists(output.to_owned()));
        }
        let source = found(&wanted.file, None, &self.standards)?;
        if !source.report.is_acceptable() {
            self.print(&described(&wanted.file, &source), |result| in_words(result, self.language));
            return Ok(1.into());
        }
        let identity = source.identity.filter(|identity| identity.standard == xdomea::NAME);
        let identity = identity.ok_or(Error::NotConvertible)?;
        let folder = wanted.output.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let (file, written) = self.written(&wanted.file, &identity, version, folder)?;
        let output = wanted.output.clone().unwrap_or_else(|| PathBuf::from(&written.file_name));
        let result = found(file.path(), Some(&written.file_name), &self.standards)?;
        if !result.report.is_acceptable() {
            self.print(&described(&wanted.file, &result), |result| in_words(result, self.language));
            return Err(Error::ResultRefused);
        }
        hand_out(file, &output, wanted.force)?;
        let result = converted(&wanted.file, &output, &identity, &written);
        self.print(&result, |result| self.converted_in_words(result, &written.report));
        Ok(ExitCode::SUCCESS)
    }

    /// The version that is asked for, if it is one that is written.
    fn version(&self, to: &str) -> Result<&'static str, Error> {
        let (standard, version) = to.split_once(':').unwrap_or((xdomea::NAME, to));
        let known = self.standards.iter().find(|known| known.name() == standard && standard == xdomea::NAME);
        let versions = known.map(|known| known.writes()).unwrap_or_default();
        versions
            .iter()
            .find(|known| **known == version)
            .copied()
            .ok_or_else(|| Error::Usage(format!("--to takes {}", versions_in_words(&self.standards))))
    }

    /// Reads the message and writes it in the version, into a temporary file in the folder.
    fn written(
        &self,
        path: &Path,
        identity: &Identity,
        version: &str,
        folder: &Path,
    ) -> Result<(NamedTempFile, Written), Error> {
        let unreadable = |reason| Error::File { file: path.to_owned(), reason };
        let unwritable = |reason| Error::File { file: folder.to_owned(), reason };
        let standard = self.standards.iter().find(|known| known.name() == xdomea::NAME);
        let standard = standard.ok_or(Error::NotConvertible)?;
        let mut source = File::open(path).map_err(unreadable)?;
        let bytes = source.metadata().map_err(unreadable)?.len();
        let container = self.container(&mut source).map_err(unreadable)?;
        let spooled = tempfile::tempfile_in(folder).map_err(unwritable)?;
        let mut spool = Spool::new(spooled, container);
        let bar = output::bar(bytes);
        let meaning = standard.read(&mut bar.wrap_read(&mut source), &mut spool)?;
        bar.finish_and_clear();
        let outgoing = xdomea::again(identity, &meaning, spool.beside()).map_err(model::Failure::from)?;
        let outgoing = Outgoing { version: version.to_owned(), ..outgoing };
        let mut records = spool.into_records(source).map_err(unwritable)?;
        let file = NamedTempFile::new_in(folder).map_err(unwritable)?;
        let bar = output::bar(bytes);
        let mut sink = BufWriter::new(bar.wrap_write(file.as_file()));
        let written = standard.write(&outgoing, &mut records, &mut sink)?;
        sink.flush().map_err(unwritable)?;
        drop(sink);
        bar.finish_and_clear();
        Ok((file, written))
    }

    fn container(&self, source: &mut File) -> io::Result<Option<Container>> {
        match is_container(source)? {
            true => Container::open(source, &self.limits, &mut Report::default()),
            false => Ok(None),
        }
    }

    fn print(&self, result: &Value, words: impl Fn(&Value) -> String) {
        output::print(self.as_json, result, words);
    }

    fn converted_in_words(&self, result: &Value, report: &Report) -> String {
        let german = self.language == Language::De;
        let text = |value: &Value| output::harmless(value.as_str().unwrap_or_default());
        let told = match (report.findings.is_empty(), german) {
            (true, true) => "alles übertragen",
            (true, false) => "everything was carried over",
            (false, true) => "nicht alles unverändert übertragen:",
            (false, false) => "not everything was carried over as it was:",
        };
        let (from, to) = (text(&result["from"]["version"]), text(&result["to"]["version"]));
        let name = text(&result["to"]["name"]);
        let head = format!("{}: {name} {from} → {to}, {told}", text(&result["output"]));
        let lines = sentences_in_words(result, self.language);
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

fn versions_in_words(standards: &[Arc<dyn Standard>]) -> String {
    let xdomea = standards.iter().filter(|standard| standard.name() == xdomea::NAME);
    let versions = xdomea.flat_map(|standard| standard.writes().iter());
    versions.map(|version| format!("{}:{version}", xdomea::NAME)).collect::<Vec<_>>().join(", ")
}

/// Gives the result its name, once its bytes are on the disk. Never takes the place of another file unasked.
fn hand_out(file: NamedTempFile, output: &Path, force: bool) -> Result<(), Error> {
    let unwritable = |reason| Error::File { file: output.to_owned(), reason };
    file.as_file().sync_all().map_err(unwritable)?;
    if force {
        return file.persist(output).map(|_| ()).map_err(|error| unwritable(error.error));
    }
    match file.persist_noclobber(output) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::Exists(output.to_owned()))
        }
        Err(error) => Err(unwritable(error.error)),
    }
}

fn converted(file: &Path, output: &Path, from: &Identity, written: &Written) -> Value {
    let findings: Vec<Value> = written.report.findings.iter().map(with_sentences).collect();
    json!({
        "file": file,
        "output": output,
        "from": from,
        "to": written.identity,
        "findings": findings,
        "more": written.report.more,
    })
}
