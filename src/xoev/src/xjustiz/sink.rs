//! What writes the XML of a message: names get their prefix, texts the letters that XJustiz takes; and what is left out is counted.

use std::collections::BTreeMap;
use std::io::Write;

use model::{Finding, Report};
use xml::Writer;

use super::NAMESPACE;
use super::latin::fitted;
use crate::Error;

/// Longest text that is written, in bytes; what is longer is cut and counted.
const TEXT_BYTES: usize = 4_000;

/// What could not be written as it is, by what it is, and how often.
#[derive(Default)]
pub(super) struct Left {
    out: BTreeMap<&'static str, u64>,
    changed: u64,
}

impl Left {
    /// Counts something that has no place, if it is there.
    pub(super) fn out(&mut self, what: &'static str, is_there: bool) {
        if is_there {
            *self.out.entry(what).or_default() += 1;
        }
    }

    /// What is told of it.
    pub(super) fn report(self) -> Report {
        let mut report = Report::default();
        for (what, count) in self.out {
            let finding = Finding::warning("xjustiz.not-carried").with("what", what);
            report.add(finding.with("count", count.to_string()));
        }
        if self.changed > 0 {
            let finding = Finding::warning("xjustiz.letters-changed");
            report.add(finding.with("count", self.changed.to_string()));
        }
        report
    }
}

/// A writer of elements of XJustiz.
pub(super) struct Sink<W: Write> {
    writer: Writer<W>,
    /// What is left out.
    pub(super) left: Left,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(sink: W) -> Result<Self, Error> {
        Ok(Sink { writer: Writer::new(sink)?, left: Left::default() })
    }

    /// Begins the root.
    pub(super) fn root(&mut self, local: &str) -> Result<(), Error> {
        Ok(self.writer.start(&format!("tns:{local}"), &[("xmlns:tns", NAMESPACE)])?)
    }

    pub(super) fn start(&mut self, local: &str) -> Result<(), Error> {
        self.start_with(local, &[])
    }

    pub(super) fn start_with(&mut self, local: &str, attributes: &[(&str, &str)]) -> Result<(), Error> {
        Ok(self.writer.start(&format!("tns:{local}"), attributes)?)
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        Ok(self.writer.end()?)
    }

    /// An element with text.
    pub(super) fn text(&mut self, local: &str, text: &str) -> Result<(), Error> {
        let (mut text, is_changed) = fitted(text);
        let end = text.floor_char_boundary(TEXT_BYTES);
        if is_changed || end < text.len() {
            self.left.changed += 1;
        }
        text.truncate(end);
        Ok(self.writer.element(&format!("tns:{local}"), &text)?)
    }

    /// An element with text, if there is any.
    pub(super) fn some(&mut self, local: &str, text: Option<&str>) -> Result<(), Error> {
        match text.filter(|text| !text.trim().is_empty()) {
            Some(text) => self.text(local, text),
            None => Ok(()),
        }
    }

    /// An element with a day. What is no day, without a zone, is counted as left out.
    pub(super) fn day(&mut self, local: &str, day: Option<&str>) -> Result<(), Error> {
        let Some(day) = day else { return Ok(()) };
        match is_day(day) {
            true => self.text(local, day),
            false => {
                self.left.out("day", true);
                Ok(())
            }
        }
    }

    /// An element with a code; `version` is that of the list, where the standard leaves it open.
    pub(super) fn code(&mut self, local: &str, code: &str, version: Option<&str>) -> Result<(), Error> {
        let version = version.map(|version| ("listVersionID", version));
        self.start_with(local, version.as_slice())?;
        // Elements of code lists have no namespace.
        self.writer.element("code", code)?;
        self.end()
    }

    /// Ends the document and says what was left out.
    pub(super) fn finish(self) -> Result<Left, Error> {
        self.writer.finish()?;
        Ok(self.left)
    }
}

/// `YYYY-MM-DD`.
pub(super) fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<xml::value::Date>().is_ok()
}
