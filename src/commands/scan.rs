//! `amtsbote scan …`: what people at the scanner need.

use std::path::Path;
use std::process::ExitCode;

use adapter_post::scan::Facts;
use adapter_post::scan::settings::{Fact, Opens, Word};
use adapter_post::scan::sheet::{self, Sheet};
use cli::{ScanCommand, SeparatorSheet};
use config::{AdapterKind, Config};
use zeroize::Zeroizing;

use crate::commands::Outcome;
use crate::error::Error;

/// Most characters of a value: what is longer is not read from a sheet.
const VALUE: usize = 200;

/// `amtsbote scan …`
pub(crate) fn scan(command: ScanCommand, config: &Path) -> Outcome {
    let ScanCommand::Sheet(wanted) = command;
    let word = wanted.adapter.as_ref().map(|id| word_of(id, config)).transpose()?.flatten();
    let opens = if wanted.attachment { Opens::Document } else { Opens::Letter };
    let facts = facts(&wanted)?;
    let svg = sheet::svg(&Sheet { opens, facts }, word.as_ref());
    let svg = svg.map_err(|_| Error::Usage("a sheet cannot say so much: leave something out".to_owned()))?;
    match wanted.output {
        Some(file) => std::fs::write(&file, svg).map_err(|reason| Error::File { file, reason })?,
        None => output::line(&svg),
    }
    Ok(ExitCode::SUCCESS)
}

/// The word that the sheets of an adapter must carry, if there is one.
fn word_of(id: &str, config: &Path) -> Result<Option<Word>, Error> {
    let config = Config::load(config)?;
    let found = config.adapters.iter().find_map(|entry| match &entry.kind {
        AdapterKind::Scan(scan) if entry.serves.id == id => Some((entry, scan)),
        _ => None,
    });
    let (entry, scan) =
        found.ok_or_else(|| Error::Usage("the configuration has no such adapter of kind scan".to_owned()))?;
    let Some(reference) = scan.separate.as_ref().and_then(|it| it.word.as_ref()) else { return Ok(None) };
    let word = config.adapter_secret(entry, "separate.word", reference)?;
    Ok(Some(Word::new(Zeroizing::new(word))?))
}

/// What the sheet says, as whoever reads it again takes it.
fn facts(it: &SeparatorSheet) -> Result<Facts, Error> {
    let said = [
        (Fact::Reference, "--reference", &it.reference),
        (Fact::Cash, "--cash", &it.cash),
        (Fact::Unit, "--unit", &it.unit),
        (Fact::Recipient, "--to", &it.to),
        (Fact::Received, "--received", &it.received),
        (Fact::Subject, "--subject", &it.subject),
        (Fact::From, "--from", &it.from),
        (Fact::Kind, "--kind", &it.kind),
    ];
    let mut facts = Facts::new();
    for (fact, option, value) in said {
        let Some(value) = value else { continue };
        if value.trim().is_empty() || value.chars().count() > VALUE || value.chars().any(char::is_control) {
            return Err(Error::Usage(format!("{option}: expected 1 to {VALUE} characters on one line")));
        }
        facts.insert(fact, value.clone());
    }
    Ok(facts)
}
