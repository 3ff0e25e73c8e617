//! The validator: sees the events of a reader, hands them to libxml2, and turns what it reports
//! into findings.

use crate::ffi::{Feed, Schema, Violation};
use crate::registry::Schemas;
use crate::rules::describe;
use crate::{Error, Finding, Report, Severity};
use std::sync::Arc;
use xml::{Observer, Place, Start};

/// Bytes of one text that libxml2 gets, since it collects a value before it looks at it.
const TEXT_BYTES: usize = 4 << 20;

/// White space of XML.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Elements of xdomea whose declared fixed value is the boolean `1` (2.2 to 4.0). libxml2 compares
/// fixed values by their characters, so that `true`, which is equal, would be refused.
const FIXED_BOOLEANS: [&str; 5] =
    ["Importbestaetigung", "Unbefristet", "SignaturSiegelEingebettet", "Neu", "Uebersprungen"];

/// Where the schema comes from.
enum Choice {
    Given(Arc<Schema>),
    ByRoot(Arc<Schemas>),
}

/// Validates what an [`xml::Reader`] reads: give it to [`xml::Reader::observe`], read to the end,
/// take it back with [`xml::Reader::take_observer`] and ask for the [`Validator::report`].
pub struct Validator {
    choice: Choice,
    feed: Option<Feed>,
    report: Report,
    /// The text of a fixed boolean, until its element ends.
    fixed: Option<String>,
    /// Bytes of the current text.
    text_bytes: usize,
    /// The part of the current text that libxml2 does not get is not only white space.
    has_more_text: bool,
    /// Some violations were dropped, because libxml2 saw a part of a value only.
    dropped: bool,
    started: bool,
}

impl Validator {
    /// A validator with a schema that is known already.
    pub fn new(schema: Arc<Schema>) -> Self {
        Self::with(Choice::Given(schema))
    }

    /// A validator that chooses the schema by the root element.
    pub fn by_root(schemas: Arc<Schemas>) -> Self {
        Self::with(Choice::ByRoot(schemas))
    }

    fn with(choice: Choice) -> Self {
        let report = Report::default();
        Validator {
            choice,
            feed: None,
            report,
            fixed: None,
            text_bytes: 0,
            has_more_text: false,
            dropped: false,
            started: false,
        }
    }

    /// What was found so far.
    pub fn report(self) -> Report {
        self.report
    }

    fn begin(&mut self, start: &Start<'_>, place: Place<'_>) {
        self.started = true;
        match self.choose(start).and_then(|schema| schema.map(Feed::new).transpose()) {
            Ok(Some(feed)) => self.feed = Some(feed),
            Ok(None) => {
                let message = format!("There is no schema for the root element {}.", start.local());
                self.note(Severity::Error, "schema.unknown", place, message);
            }
            Err(error) => {
                let message = format!("The schema cannot be used: {error}.");
                self.note(Severity::Error, error.code(), place, message);
            }
        }
    }

    fn choose(&self, start: &Start<'_>) -> Result<Option<Arc<Schema>>, Error> {
        match &self.choice {
            Choice::Given(schema) => Ok(Some(Arc::clone(schema))),
            Choice::ByRoot(schemas) => schemas.find(start.namespace().unwrap_or_default(), start.local()),
        }
    }

    /// Hands over the text of a fixed boolean, in the form that the schema declares.
    fn flush_fixed(&mut self, place: Place<'_>) {
        let Some(text) = self.fixed.take() else { return };
        let value = text.trim_matches(BLANKS);
        let is_true = value == "true" || value == "1";
        if is_true && text != "1" {
            let message = format!("Element {} is equal to 1 but not written as 1.", place.local());
            self.note(Severity::Warning, "xdomea.fixed-boolean", place, message);
        }
        if let Some(feed) = &mut self.feed {
            feed.text(if is_true { "1" } else { &text });
        }
    }

    fn collect(&mut self, place: Place<'_>) {
        let Some(feed) = &mut self.feed else { return };
        let violations = feed.take_violations();
        self.note_all(&violations, place);
    }

    fn note_all(&mut self, violations: &[Violation], place: Place<'_>) {
        for violation in violations {
            let (rule, message) = describe(violation, place.local());
            self.note(Severity::Error, &rule, place, message);
        }
    }

    fn note(&mut self, severity: Severity, rule: &str, place: Place<'_>, message: String) {
        if self.report.is_full() {
            return self.report.count(severity);
        }
        let (rule, line, path) = (rule.to_owned(), place.line, place.path());
        self.report.add(Finding { severity, rule, line, path, message });
    }
}

impl Observer for Validator {
    fn start(&mut self, start: &Start<'_>, place: Place<'_>) {
        if !self.started {
            self.begin(start, place);
        }
        self.flush_fixed(place);
        (self.text_bytes, self.has_more_text) = (0, false);
        let Some(feed) = &mut self.feed else { return };
        feed.start(start);
        if is_fixed_boolean(start) {
            self.fixed = Some(String::new());
        }
        self.collect(place);
    }

    fn text(&mut self, text: &str, place: Place<'_>) {
        match &mut self.fixed {
            Some(fixed) if fixed.len() + text.len() <= 64 => {
                fixed.push_str(text);
                return;
            }
            _ => self.flush_fixed(place),
        }
        let Some(feed) = &mut self.feed else { return };
        let before = self.text_bytes;
        self.text_bytes = before.saturating_add(text.len());
        if self.text_bytes <= TEXT_BYTES {
            feed.text(text);
            return self.collect(place);
        }
        if !self.has_more_text && !text.trim_matches(BLANKS).is_empty() {
            // One character stands for the rest, so that text where none may be is still found.
            self.has_more_text = true;
            feed.text("x");
        }
        if before <= TEXT_BYTES {
            let message = format!("Element {} is too long for its value to be checked.", place.local());
            self.note(Severity::Warning, "schema.long-text", place, message);
        }
        self.collect(place);
    }

    fn end(&mut self, place: Place<'_>) {
        self.flush_fixed(place);
        let is_cut = std::mem::take(&mut self.text_bytes) > TEXT_BYTES;
        self.has_more_text = false;
        let Some(feed) = &mut self.feed else { return };
        feed.end(place);
        let mut violations = feed.take_violations();
        if is_cut {
            // It judged a part of the value; what it says about the elements stands.
            let all = violations.len();
            violations.retain(|violation| !violation.is_of_value());
            self.dropped |= violations.len() < all;
        }
        self.note_all(&violations, place);
    }

    fn finish(&mut self) {
        let Some(mut feed) = self.feed.take() else { return };
        if !feed.finish() && self.report.is_valid() && !self.dropped {
            // libxml2 found something without reporting it: never call that valid.
            let message = "The message breaks a rule of the schema.".to_owned();
            let (rule, path) = ("xsd.1879".to_owned(), "/".to_owned());
            self.report.add(Finding { severity: Severity::Error, rule, line: 0, path, message });
        }
    }
}

fn is_fixed_boolean(start: &Start<'_>) -> bool {
    let in_xdomea =
        |uri: &str| uri.starts_with("urn:xoev-de:xdomea:schema:") || uri.starts_with("http://www.xdomea.de/");
    FIXED_BOOLEANS.contains(&start.local()) && start.namespace().is_some_and(in_xdomea)
}
