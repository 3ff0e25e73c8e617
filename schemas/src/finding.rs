//! Findings: what is wrong with a message, where, and by which rule. Never a value of the message.

use serde::Serialize;

/// Findings kept in a [`Report`]; the rest is counted.
const KEPT: usize = 1_000;
/// Longest path that is kept.
const PATH_BYTES: usize = 1_000;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Accepted, worth knowing.
    Info,
    /// Accepted, should be repaired.
    Warning,
    /// The message is not valid.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule, such as `xsd.1871`; `docs/errors/<rule>.md` explains it.
    pub rule: String,
    /// Line, from 1.
    pub line: u64,
    /// Path of the element, such as `/a/b[2]/c`.
    pub path: String,
    /// A sentence in English.
    pub message: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The first thousand findings, in the order of the document.
    pub findings: Vec<Finding>,
    /// All findings of severity error, also those that are not kept.
    pub errors: u64,
    /// All other findings.
    pub notes: u64,
}

impl Report {
    /// Whether there is no error.
    pub fn is_valid(&self) -> bool {
        self.errors == 0
    }

    /// Whether further findings are only counted.
    pub fn is_full(&self) -> bool {
        self.findings.len() >= KEPT
    }

    /// Adds a finding.
    pub fn add(&mut self, mut finding: Finding) {
        self.count(finding.severity);
        if !self.is_full() {
            truncate(&mut finding.path);
            self.findings.push(finding);
        }
    }

    /// Counts a finding without keeping it.
    pub(crate) fn count(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning | Severity::Info => self.notes += 1,
        }
    }
}

/// Cuts a path that was made long on purpose.
fn truncate(path: &mut String) {
    if path.len() > PATH_BYTES {
        path.truncate(path.floor_char_boundary(PATH_BYTES));
        path.push('\u{2026}');
        path.shrink_to_fit();
    }
}
