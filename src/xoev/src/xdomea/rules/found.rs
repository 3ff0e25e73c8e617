//! What the rules find, with its place.

use std::collections::HashSet;
use std::io::BufRead;

use model::{Finding, Report, Severity};
use xml::Reader;

/// Where in the document a finding is.
pub(super) trait Spot {
    /// Line, from 1.
    fn line(&self) -> u64;
    /// Path of the element.
    fn path(&self) -> String;
}

impl<R: BufRead> Spot for Reader<R> {
    fn line(&self) -> u64 {
        self.position().line
    }

    fn path(&self) -> String {
        Reader::path(self)
    }
}

/// The findings so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) report: Report,
    said: HashSet<&'static str>,
}

impl Found {
    pub(super) fn add(&mut self, finding: Finding, spot: &dyn Spot) {
        // A path can be long, so none is made for what is only counted.
        match self.report.keeps(finding.severity) {
            true => self.report.add(finding.at(spot.line(), spot.path())),
            false => self.report.add(finding),
        }
    }

    /// Adds a finding unless one as bad was already made about the same `subject`.
    pub(super) fn once(&mut self, finding: Finding, subject: &'static str, spot: &dyn Spot) {
        let key = match (subject, finding.severity) {
            ("depth", Severity::Error) => "depth too large",
            (subject, _) => subject,
        };
        if self.said.insert(key) {
            self.add(finding, spot);
        }
    }

    pub(super) fn warn(&mut self, rule: &str, spot: &dyn Spot) {
        self.add(Finding::warning(rule), spot);
    }
}
