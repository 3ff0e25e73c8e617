//! xdomea: exchange of e-files between authorities.
//!
//! Messages of the groups 01 to 05 are read into the case model and written from it. One translation serves
//! all versions: it knows the form of 3.1.0, and each version is a [`dialect`] of that. What the model
//! does not know is kept beside it (see [`merge`]).

mod body;
mod body_versions;
mod check;
mod dialect;
mod document;
mod files;
mod formats;
mod funnel;
mod head_4;
mod header;
mod identify;
mod merge;
pub mod messages;
mod node;
mod outgoing;
mod party;
mod placed;
mod read;
mod record;
mod rules;
mod shape;
mod signatures;
mod text;
mod unnamed;
mod write;

use std::io::Write;
use std::sync::Arc;

use model::case::Extensions;
use model::exchange::ExchangeKind;
use model::standard::{Identity, Intake, Meaning, Outgoing, Records, Source, Standard, Written};
use model::{Failure, Report};
use schemas::Schemas;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use outgoing::again;

use crate::Error;
use crate::container::Limits;
use crate::head::{Place, read_root};
use messages::{MessageType, Version, is_xdomea};

/// Name of the standard, also of what it keeps in a record's extensions.
pub const NAME: &str = "xdomea";

/// What the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What a container may hold.
    pub container: Limits,
    /// Levels of records that are taken without a warning; the specification foresees 5.
    pub depth: usize,
    /// Whether "VS - Nur für den Dienstgebrauch" is taken. What is classified higher never is.
    pub allow_restricted: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { container: Limits::default(), depth: 5, allow_restricted: false }
    }
}

/// The standard.
pub struct Xdomea {
    schemas: Arc<Schemas>,
    options: Options,
}

impl Xdomea {
    /// With schemas and code lists to check against.
    pub fn new(schemas: Arc<Schemas>, options: Options) -> Self {
        Xdomea { schemas, options }
    }

    fn read_message(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Error> {
        let place = Place::find(source, &self.options.container, &mut Report::default())?;
        let place = place.ok_or(Error::Unreadable)?;
        let root = read_root(&mut place.reader(source)?)?;
        let head = identify::by_root(&root);
        let (true, Some(version), Some(message)) = (head.is_translated(), head.version, head.message) else {
            return match is_xdomea(&root.namespace) {
                true => Ok(Meaning::CarryOn),
                false => Err(Error::Unreadable),
            };
        };
        let mut files = read::Files::default();
        if let Place::In(container, own) = &place {
            for (index, entry) in container.entries().iter().enumerate().filter(|(index, _)| index != own) {
                let payload = intake.file(entry.name(), &mut container.read(source, index)?)?;
                files.add(entry.name(), payload);
            }
        }
        let mut reader = place.reader(source)?;
        read_root(&mut reader)?;
        read::MessageReader::new(reader, version, message, intake, files).read()
    }
}

impl Standard for Xdomea {
    fn name(&self) -> &'static str {
        NAME
    }

    fn writes(&self) -> &'static [&'static str] {
        &["3.1.0", "3.0.0", "2.4.0", "2.3.0", "4.0.0"]
    }

    fn carries(&self, version: &str, kind: ExchangeKind) -> bool {
        let first = match kind {
            ExchangeKind::Handover => "0401",
            ExchangeKind::Submission => "0101",
            ExchangeKind::Circulation => "0201",
            ExchangeKind::Disposition => "0501",
            ExchangeKind::FilePlan => "0301",
            ExchangeKind::Catalogue => "0511",
        };
        is_written(version, first)
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        let found = Place::find(source, &self.options.container, &mut Report::default());
        let Some(place) = found.map_err(Error::from)? else { return Ok(None) };
        let Ok((root, head)) = check::identified(&place, source)? else { return Ok(None) };
        if !is_xdomea(&root.namespace) {
            return Ok(None);
        }
        let mut identity = head.identity;
        identity.container = place.container().is_some();
        Ok(Some(identity))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        file_name: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        check::check(&self.schemas, &self.options, source, file_name, report)
    }

    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure> {
        Ok(self.read_message(source, intake)?)
    }

    fn write(
        &self,
        message: &Outgoing,
        records: &mut dyn Records,
        out: &mut dyn Write,
    ) -> Result<Written, Failure> {
        Ok(write::write(message, records, out)?)
    }
}

/// Whether messages of this type are written in this version.
pub fn is_written(version: &str, code: &str) -> bool {
    let Some(version) = Version::by_number(version).filter(|version| version.is_translated()) else {
        return false;
    };
    MessageType::by_code(code, version).is_some_and(|message| message.is_translated_in(version))
}

/// An extension of ours.
fn extension(value: &impl Serialize) -> Extensions {
    // Our types always have a JSON form.
    let json = serde_json::to_value(value).unwrap_or_default();
    Extensions::from([(NAME.to_owned(), json)])
}

/// Our extension; the default if there is none.
fn extended<T: DeserializeOwned + Default>(extensions: &Extensions) -> Result<T, Error> {
    let Some(json) = extensions.get(NAME) else { return Ok(T::default()) };
    serde_json::from_value(json.clone()).map_err(|_| Error::Extension)
}
