//! XJustiz (versions 2.4 to 3.7): messages between courts and whoever writes to them. What comes is kept as it is;
//! documents that a court sends (message 0005005) become facts of a case, too; acknowledgements (eEB, message 2200007) say what became of
//! the message that they answer. Records are submitted to courts in message 0005005 of 3.5.1 and 3.6.2.
//!
//! | module | holds |
//! |---|---|
//! | `read` | what a message says |
//! | `files` | rules for what is sent to a court: files, names, formats, volume |
//! | `versions` | which version is valid when |
//! | `submission` | a message with its files, for whoever sends it |
//! | `beside` | files that came with a message |
//! | `facts`, `draft` | the records of what a court sends |
//! | `court` | a court's file number, and to whom it is told |
//! | `write`, `header`, `parties`, `attachments` | a submission of records: the message, its parts, its files |
//! | `sink`, `latin` | elements and texts as XJustiz takes them |

mod attachments;
mod beside;
mod court;
mod draft;
mod facts;
mod files;
mod header;
mod latin;
mod parties;
mod read;
mod sink;
mod submission;
mod versions;
mod write;

use std::io::Write;
use std::sync::Arc;

use model::exchange::ExchangeKind;
use model::standard::{
    Acknowledgement, Identity, Intake, Meaning, Outgoing, Records, Source, Standard, Written,
};
use model::{Failure, Finding, Report, Severity};
use schemas::Schemas;

pub use court::{COURT_CODE, COURT_REFERENCE};
pub use files::{FORMATS, Rules, volume};
pub use read::{Eeb, Said, read};
pub use submission::{LETTER, Submission, judge};
pub use versions::{in_use, is_in_use};

use crate::Error;
use crate::container::{Limits, shown};
use crate::family::{type_of, validate};
use crate::findings::{unless_failed, unreadable};
use crate::head::{Place, Root, read_root};
use beside::{check_files, named_files};
use read::{Until, said};

/// Namespace of all versions.
pub const NAMESPACE: &str = "http://www.xjustiz.de";
/// Name of the message among the files of a transmission.
pub const FILE_NAME: &str = "xjustiz_nachricht.xml";
pub(crate) const NAME: &str = "xjustiz";

/// The standard.
pub struct XJustiz {
    schemas: Arc<Schemas>,
    limits: Limits,
}

impl XJustiz {
    /// The standard, with the schemas that are there and what a container may hold.
    pub fn new(schemas: &Arc<Schemas>, limits: Limits) -> Self {
        XJustiz { schemas: Arc::clone(schemas), limits }
    }

    fn find(&self, source: &mut dyn Source) -> Result<Option<(Place, Root)>, Failure> {
        // What is wrong with a container is said once, by the standard that owns containers.
        let found = Place::find(source, &self.limits, &mut Report::default());
        let Some(place) = found.map_err(Error::from)? else { return Ok(None) };
        let root = read_root(&mut place.reader(source).map_err(Error::from)?);
        Ok(unless_failed(root)?.ok().filter(|root| root.namespace == NAMESPACE).map(|root| (place, root)))
    }

    fn said(
        source: &mut dyn Source,
        (place, root): &(Place, Root),
        until: Until,
    ) -> Result<Result<Said, xml::Error>, Failure> {
        let mut reader = place.reader(source).map_err(Error::from)?;
        unless_failed(read_root(&mut reader).and_then(|_| said(&mut reader, root.local.clone(), until)))
    }
}

impl Said {
    fn identity(&self, container: bool) -> Identity {
        Identity {
            standard: NAME.to_owned(),
            version: shown(&self.version),
            message_type: type_of(&self.root).to_owned(),
            name: self.root.clone(),
            process_id: self.id,
            answers: self.answers,
            acknowledgement: self.eeb.as_ref().map(Eeb::acknowledgement),
            wants_receipt: self.wants_eeb,
            container,
            ..Identity::default()
        }
    }
}

impl Eeb {
    fn acknowledgement(&self) -> Acknowledgement {
        match self {
            Eeb::Received(day) => {
                Acknowledgement { day: Some(day.clone()).filter(|day| !day.is_empty()), refused: None }
            }
            Eeb::Refused(reason) => Acknowledgement { day: None, refused: Some(reason.clone()) },
        }
    }
}

impl Standard for XJustiz {
    fn name(&self) -> &'static str {
        NAME
    }

    fn writes(&self) -> &'static [&'static str] {
        &header::WRITTEN
    }

    fn carries(&self, _: &str, kind: ExchangeKind) -> bool {
        kind == ExchangeKind::Submission
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        let Some(found) = self.find(source)? else { return Ok(None) };
        let by_root = || Said { root: found.1.local.clone(), ..Said::default() };
        let said = Self::said(source, &found, Until::Head)?.unwrap_or_else(|_| by_root());
        Ok(Some(said.identity(found.0.container().is_some())))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let Some(found) = self.find(source)? else { return Ok(None) };
        validate(&self.schemas, &found.0, source, &found.1, report)?;
        let said = match Self::said(source, &found, Until::End)? {
            Ok(said) => said,
            Err(error) if report.is_acceptable() => {
                report.add(unreadable(error)?);
                return self.identify(source, None);
            }
            Err(_) => return self.identify(source, None),
        };
        if said.wants_eeb {
            report.add(Finding::new("xjustiz.eeb-requested", Severity::Info));
        }
        check_files(&found.0, source, &said, report)?;
        Ok(Some(said.identity(found.0.container().is_some())))
    }

    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure> {
        let Some(found) = self.find(source)? else { return Ok(Meaning::CarryOn) };
        let said = match Self::said(source, &found, Until::End)? {
            Ok(said) if facts::is_known(&said) => said,
            _ => return Ok(Meaning::CarryOn),
        };
        let files = named_files(&found.0, source, &said, intake)?;
        let mut reader = found.0.reader(source).map_err(Error::from)?;
        read_root(&mut reader).map_err(Error::from)?;
        Ok(facts::Facts::new(intake, &said, files).read(&mut reader)?)
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
