//! `amtsbote scan …`: what people at the scanner need.

use std::process::ExitCode;

use adapter_post::scan::Facts;
use adapter_post::scan::settings::{Fact, Opens};
use adapter_post::scan::sheet::{self, Sheet};
use cli::{ScanCommand, SeparatorSheet};

use crate::commands::Outcome;
use crate::error::Error;

/// Most characters of a value: what is longer is not read from a sheet.
const VALUE: usize = 200;

/// `amtsbote scan …`
pub(crate) fn scan(command: ScanCommand) -> Outcome {
    let ScanCommand::Sheet(wanted) = command;
    let opens = if wanted.attachment { Opens::Document } else { Opens::Letter };
    let facts = facts(&wanted)?;
    let svg = sheet::svg(&Sheet { opens, facts });
    let svg = svg.map_err(|_| Error::Usage("a sheet cannot say so much: leave something out".to_owned()))?;
    match wanted.output {
        Some(file) => std::fs::write(&file, svg).map_err(|reason| Error::File { file, reason })?,
        None => output::line(&svg),
    }
    Ok(ExitCode::SUCCESS)
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
