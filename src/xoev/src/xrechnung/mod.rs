//! XRechnung: invoices to authorities (EN 16931 in UBL 2.1 and UN/CEFACT CII D16B). They are validated, their totals are compared, the
//! rules of the Schematron are asked for where a processor is configured; and they become facts: a case with its documents.
//!
//! | module | holds |
//! |---|---|
//! | `fields` | which term stands where, in both grammars |
//! | `invoice` | an invoice while it is read |
//! | `text64` | attachments as they pass |
//! | `amounts` | cents, and whether totals fit each other |
//! | `facts` | the records that it becomes |
//! | `rules`, `exchange`, `svrl` | the Schematron, by an outside processor: asking it, talking with it, what it says |

mod amounts;
mod exchange;
mod facts;
mod fields;
mod invoice;
mod rules;
mod svrl;
mod text64;

use std::io::Write;
use std::sync::Arc;

use model::standard::{Endpoint, Identity, Intake, Meaning, Outgoing, Records, Source, Standard, Written};
use model::{Failure, Finding, Report, Severity};
use schemas::Schemas;
use xml::Event;

pub use rules::Rules;

use crate::Error;
use crate::container::{Limits, shown};
use crate::family::validate_and;
use crate::findings::unless_failed;
use crate::head::{Place, Root, read_root};
use facts::{Facts, name, title};
use fields::{Field, Side, Syntax};
use invoice::{Invoice, InvoiceReader};

/// Name of the standard, also of what it keeps in a case's extensions.
pub const NAME: &str = "xrechnung";
/// Before the version in the specification that an invoice names.
const SPECIFICATION: &str = ":xrechnung_";
/// Stands in the specification of every invoice to which EN 16931 applies.
const NORM: &str = "en16931";
/// Events that are read at most to identify an invoice.
const MOST_HEAD_EVENTS: usize = 500;

/// The standard.
pub struct XRechnung {
    schemas: Arc<Schemas>,
    limits: Limits,
    rules: Option<Rules>,
}

/// An invoice: where it is, and its grammar.
struct Found {
    place: Place,
    root: Root,
    syntax: Syntax,
}

impl XRechnung {
    /// With the schemas that are there, what a container may hold, and whoever knows the rules.
    pub fn new(schemas: &Arc<Schemas>, limits: Limits, rules: Option<Rules>) -> Self {
        XRechnung { schemas: Arc::clone(schemas), limits, rules }
    }

    fn find(&self, source: &mut dyn Source) -> Result<Option<Found>, Failure> {
        // What is wrong with a container is said once, by the standard that owns containers.
        let found = Place::find(source, &self.limits, &mut Report::default());
        let Some(place) = found.map_err(Error::from)? else { return Ok(None) };
        let root = read_root(&mut place.reader(source).map_err(Error::from)?);
        let Ok(root) = unless_failed(root)? else { return Ok(None) };
        let Some(syntax) = Syntax::of(&root.namespace) else { return Ok(None) };
        Ok(Some(Found { place, root, syntax }))
    }

    /// Compares the totals and asks for the rules. They bind only whoever says that the invoice follows them.
    fn judge(
        &self,
        found: &Found,
        invoice: &Invoice,
        source: &mut dyn Source,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut judged = Report::default();
        amounts::check(invoice, &mut judged);
        match &self.rules {
            Some(rules) => rules.check(found.syntax, &found.place, source, &mut judged)?,
            None => judged.add(Finding::warning("xrechnung.rules-not-checked")),
        }
        let binds = invoice.first(Field::Customization).is_some_and(|it| it.contains(NORM));
        for mut finding in judged.findings {
            if !binds {
                finding.severity = finding.severity.min(Severity::Warning);
            }
            report.add(finding);
        }
        report.more += judged.more;
        Ok(())
    }

    fn take(&self, found: &Found, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<(), Error> {
        let (_, mut whole) = found.place.bytes(source)?;
        let (facts, payload) = Facts::begin(intake, &mut whole)?;
        drop(whole);
        facts.read(&mut found.place.reader(source)?, found.syntax, payload)
    }
}

impl Found {
    fn identity(&self, invoice: &Invoice) -> Identity {
        let specification = invoice.first(Field::Customization).unwrap_or_default();
        let named = specification.split_once(SPECIFICATION).and_then(|(_, rest)| rest.split('#').next());
        let version = named.unwrap_or(self.syntax.name());
        let end = |side| {
            let name = Some(shown(name(invoice, side)?));
            Some(Endpoint { name, ..Endpoint::default() })
        };
        Identity {
            standard: NAME.to_owned(),
            version: shown(version),
            message_type: self.root.local.clone(),
            name: self.root.local.clone(),
            subject: invoice.first(Field::Number).map(|_| shown(&title(invoice))),
            sender: end(Side::Seller),
            recipient: end(Side::Buyer),
            container: self.place.container().is_some(),
            ..Identity::default()
        }
    }
}

impl Standard for XRechnung {
    fn name(&self) -> &'static str {
        NAME
    }

    fn writes(&self) -> &'static [&'static str] {
        &[]
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        let Some(found) = self.find(source)? else { return Ok(None) };
        let mut reader = found.place.reader(source).map_err(Error::from)?;
        let mut invoice = InvoiceReader::new(found.syntax);
        for _ in 0..MOST_HEAD_EVENTS {
            match unless_failed(reader.next())? {
                Ok(Event::Eof) | Err(_) => break,
                Ok(event) => invoice.take(&event),
            }
        }
        drop(reader);
        Ok(Some(found.identity(&invoice.invoice)))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let Some(found) = self.find(source)? else { return Ok(None) };
        let mut reader = InvoiceReader::new(found.syntax);
        let mut watch = |event: &Event<'_>| reader.take(event);
        validate_and(&self.schemas, &found.place, source, &found.root, report, &mut watch)?;
        let invoice = reader.invoice;
        if report.is_acceptable() {
            self.judge(&found, &invoice, source, report)?;
        }
        Ok(Some(found.identity(&invoice)))
    }

    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure> {
        let found = self.find(source)?.ok_or(Error::Unreadable)?;
        // What was not validated becomes no facts.
        if self.schemas.knows(&found.root.namespace, &found.root.local).is_none() {
            return Ok(Meaning::CarryOn);
        }
        self.take(&found, source, intake)?;
        Ok(Meaning::Facts)
    }

    fn write(&self, _: &Outgoing, _: &mut dyn Records, _: &mut dyn Write) -> Result<Written, Failure> {
        Err(Error::Unsupported { what: "XRechnung" }.into())
    }
}
