//! Standards of the XÖV family that are recognised and carried on unchanged: by namespace, or by the header that they have in common;
//! validated where an official pack is installed. What the header says becomes the message's identity.
//!
//! | module | holds |
//! |---|---|
//! | `known` | standards by namespace |
//! | `header` | the header of the basic message and of XInneres |
//! | `datml` | the head of XGewerbeanzeige 1.3 |
//! | `rejection` | a message that rejects another, in the form of its standard |

mod datml;
mod header;
mod known;
mod rejection;

use std::io::Write;
use std::sync::Arc;

use model::standard::{Identity, Intake, Meaning, Outgoing, Records, Rejecting, Source, Standard, Written};
use model::{Failure, Finding, Report, Severity};
use schemas::{Schemas, Validator};
use xml::Event;

pub use header::Attachment;
pub(crate) use known::type_of;

use crate::Error;
use crate::container::Limits;
use crate::findings::{of_schema, unless_failed, unreadable};
use crate::head::{Place, Root};
use datml::DatmlReader;
use header::{Header, HeaderReader};

/// Name for standards that nobody but their header names.
pub(crate) const NAME: &str = "xoev";
/// The standard whose messages name their attachments.
const XBAU: &str = "xbau";
/// Events that are read at most until the end of a header.
const MOST_HEAD_EVENTS: usize = 2_000;

/// Every standard that is only carried on.
pub struct Family {
    schemas: Arc<Schemas>,
    limits: Limits,
}

/// What a message says, while it is read.
#[derive(Default)]
struct Said {
    root: Option<Root>,
    header: HeaderReader,
    datml: DatmlReader,
}

impl Said {
    fn take(&mut self, event: &Event<'_>) {
        if let (None, Event::Start(start)) = (&self.root, event) {
            let namespace = start.namespace().unwrap_or_default().to_owned();
            self.root = Some(Root { namespace, local: start.local().to_owned() });
        }
        if self.is_datml() {
            self.datml.take(event);
        } else {
            self.header.take(event);
        }
    }

    fn is_datml(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.namespace == datml::NAMESPACE)
    }

    fn is_head_read(&self) -> bool {
        if self.is_datml() { self.datml.is_head_read() } else { self.header.is_head_read() }
    }

    fn finish(self, is_container: bool) -> Option<(Header, Identity)> {
        let is_datml = self.is_datml();
        let root = self.root?;
        let header = self.header.finish();
        let mut identity = header.identity(&root)?;
        if is_datml {
            self.datml.complete(&mut identity);
        }
        identity.container = is_container;
        Some((header, identity))
    }
}

/// A message: where it is, and what its beginning says.
struct Found {
    place: Place,
    root: Root,
    header: Header,
    identity: Identity,
}

impl Family {
    /// With the schemas that are there and what a container may hold.
    pub fn new(schemas: &Arc<Schemas>, limits: Limits) -> Self {
        Family { schemas: Arc::clone(schemas), limits }
    }

    fn find(&self, source: &mut dyn Source) -> Result<Option<Found>, Failure> {
        // What is wrong with a container is said once, by the standard that owns containers.
        let found = Place::find(source, &self.limits, &mut Report::default());
        let Some(place) = found.map_err(Error::from)? else { return Ok(None) };
        let mut reader = place.reader(source).map_err(Error::from)?;
        let mut said = Said::default();
        for _ in 0..MOST_HEAD_EVENTS {
            match unless_failed(reader.next())? {
                Ok(Event::Eof) | Err(_) => break,
                Ok(event) => said.take(&event),
            }
            if said.is_head_read() {
                break;
            }
        }
        drop(reader);
        let Some(root) = said.root.clone() else { return Ok(None) };
        let found = said.finish(place.container().is_some());
        Ok(found.map(|(header, identity)| Found { place, root, header, identity }))
    }
}

/// Validates a message by the schema of its root, where a pack has one.
pub(crate) fn validate(
    schemas: &Schemas,
    place: &Place,
    source: &mut dyn Source,
    root: &Root,
    report: &mut Report,
) -> Result<(), Failure> {
    validate_and(schemas, place, source, root, report, &mut |_| ())
}

/// The same in one pass with somebody who reads it, the root's start included.
pub(crate) fn validate_and(
    schemas: &Schemas,
    place: &Place,
    source: &mut dyn Source,
    root: &Root,
    report: &mut Report,
    watch: &mut dyn FnMut(&Event<'_>),
) -> Result<(), Failure> {
    let mut reader = place.reader(source).map_err(Error::from)?;
    match schemas.find(&root.namespace, &root.local) {
        Ok(Some(schema)) => reader.observe(Box::new(Validator::new(schema))),
        Ok(None) => report.add(Finding::warning("schema.absent").with("name", &root.local)),
        Err(error) => return Err(unusable(&error)),
    }
    let end = loop {
        match reader.next() {
            Ok(Event::Eof) => break None,
            Ok(event) => watch(&event),
            Err(error) => break Some(error),
        }
    };
    let found = reader.take_observer::<Validator>().map(|validator| validator.report()).unwrap_or_default();
    report.more += (found.errors + found.notes).saturating_sub(found.findings.len() as u64);
    found.findings.into_iter().map(of_schema).for_each(|finding| report.add(finding));
    if let Some(error) = end {
        report.add(unreadable(error)?);
    }
    Ok(())
}

/// A schema of ours that cannot be used says nothing about a message.
pub(crate) fn unusable(error: &schemas::Error) -> Failure {
    Failure::transient(error.code(), "the schema of the message cannot be used")
}

/// Attachments of an XBau message (Kernmodul 1.3.0, 2.6 of the facts) travel beside it. In a container they are there or not; alone
/// it is for the transport to bring them.
fn check_attachments(header: &Header, place: &Place, report: &mut Report) {
    let attachments = &header.attachments;
    let Some(container) = place.container() else {
        if !attachments.is_empty() {
            let count = attachments.len().to_string();
            report.add(Finding::new("xoev.attachments", Severity::Info).with("count", count));
        }
        return;
    };
    for attachment in attachments.iter().filter(|it| container.find(&it.name).is_none()) {
        report.add(
            Finding::warning("xoev.attachment-missing")
                .with("name", crate::container::shown(&attachment.name)),
        );
    }
}

impl Standard for Family {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Asked last: whatever no other standard calls its own.
    fn is_of(&self, _: &str) -> bool {
        true
    }

    fn writes(&self) -> &'static [&'static str] {
        &[]
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        Ok(self.find(source)?.map(|found| found.identity))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let Some(Found { place, root, identity, .. }) = self.find(source)? else { return Ok(None) };
        let mut said = Said::default();
        validate_and(&self.schemas, &place, source, &root, report, &mut |event| said.take(event))?;
        let Some((header, identity)) = said.finish(identity.container) else { return Ok(Some(identity)) };
        if identity.test {
            report.add(Finding::warning("xoev.test"));
        }
        if identity.standard == XBAU {
            check_attachments(&header, &place, report);
        }
        Ok(Some(identity))
    }

    fn read(&self, _: &mut dyn Source, _: &mut dyn Intake) -> Result<Meaning, Failure> {
        Ok(Meaning::CarryOn)
    }

    fn write(&self, _: &Outgoing, _: &mut dyn Records, _: &mut dyn Write) -> Result<Written, Failure> {
        Err(Error::Unsupported { what: "this standard" }.into())
    }

    fn rejection(
        &self,
        rejecting: &Rejecting,
        report: &Report,
        source: &mut dyn Source,
        out: &mut dyn Write,
    ) -> Result<Option<Written>, Failure> {
        let Some(rejected) = self.find(source)? else { return Ok(None) };
        Ok(rejection::write(&rejected, rejecting, report, source, out)?)
    }
}
