//! The envelope of whatever comes in or goes out, its states, and the findings of its checks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::PayloadRef;
use crate::standard::Identity;
use crate::{Authority, Id, Timestamp};

/// Whether a message came in or goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Came in.
    In,
    /// Goes out.
    Out,
}

/// By which door a message comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Door {
    /// A county system brought it by REST.
    Rest,
    /// Another authority of the same gateway.
    Local,
    /// A channel of ours carried it.
    Adapter,
    /// By OSCI-Transport.
    Osci,
    /// By XTA.
    Xta,
}

impl Door {
    /// All doors.
    pub const ALL: [Door; 5] = [Door::Rest, Door::Local, Door::Adapter, Door::Osci, Door::Xta];
}

/// State of a message. `Confirmed`, `Returned` and `Parked` are the three places where messages end;
/// only a human moves one out of `Parked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MessageState {
    /// In: durably taken in, not yet looked at.
    Accepted,
    /// In: checked and translated; waits in the authority's mailbox.
    Processed,
    /// Out: being built.
    Preparing,
    /// Out: built, waits for its lane.
    Ready,
    /// Out: with the recipient's mailbox or transport, not yet confirmed.
    Delivered,
    /// The recipient has confirmed it.
    Confirmed,
    /// Went back to its sender with a reason; its bytes are quarantined.
    Returned,
    /// Waits for a human decision (Klärungsfall).
    Parked,
}

impl MessageState {
    /// All states, in the order of a message's life.
    pub const ALL: [MessageState; 8] = [
        MessageState::Accepted,
        MessageState::Processed,
        MessageState::Preparing,
        MessageState::Ready,
        MessageState::Delivered,
        MessageState::Confirmed,
        MessageState::Returned,
        MessageState::Parked,
    ];

    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            MessageState::Accepted => "accepted",
            MessageState::Processed => "processed",
            MessageState::Preparing => "preparing",
            MessageState::Ready => "ready",
            MessageState::Delivered => "delivered",
            MessageState::Confirmed => "confirmed",
            MessageState::Returned => "returned",
            MessageState::Parked => "parked",
        }
    }

    /// Whether a message in this state may become `next`.
    pub fn may_become(self, next: MessageState) -> bool {
        use MessageState::*;
        match self {
            Accepted => matches!(next, Processed | Confirmed | Returned | Parked),
            Processed => matches!(next, Confirmed | Returned | Parked),
            Preparing => matches!(next, Ready | Returned | Parked),
            Ready => matches!(next, Delivered | Confirmed | Returned | Parked),
            Delivered => matches!(next, Confirmed | Returned | Parked),
            // Confirmed: somebody else has it now, see `Forwarding`.
            Parked => matches!(next, Accepted | Preparing | Ready | Returned | Confirmed),
            Confirmed | Returned => false,
        }
    }
}

/// A message with everything that is known about it from outside its content (Nachricht).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Identifier.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Our authority: the sender of what goes out, the recipient of what comes in.
    pub authority: Authority,
    /// Unit it belongs to.
    pub unit: String,
    /// Public service it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_service: Option<String>,
    /// In or out.
    pub direction: Direction,
    /// By which door.
    pub door: Door,
    /// The other side: an authority, or the id of the system that brought it.
    pub partner: String,
    /// What the content says it is; absent until checked, or if unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The same key twice is the same message. Unique within authority and direction.
    pub dedup_key: String,
    /// The bytes; absent while an outgoing message is being built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadRef>,
    /// Name of the file or container, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Test messages never touch productive cases, payments or deadlines.
    #[serde(default)]
    pub test: bool,
    /// Where it stands.
    pub state: MessageState,
    /// Earliest provable availability. Never changed.
    pub received_at: Timestamp,
    /// When the state changed last.
    pub updated_at: Timestamp,
    /// Why it was returned or parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// The message at the other end of a local delivery, or the one that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<Id>,
    /// The exchange it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Id>,
    /// Its way between authorities, if one that was not competent (unzuständig) has handed it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,
}

impl Message {
    /// Findings of a message in a list or in an answer that is kept: whole reports would have up to 200,000.
    const BRIEF_FINDINGS: usize = 10;

    /// The same with the first findings of its report, the others counted.
    pub fn brief(mut self) -> Message {
        if let Some(report) = &mut self.report {
            let left_out = report.findings.len().saturating_sub(Self::BRIEF_FINDINGS) as u64;
            report.findings.truncate(Self::BRIEF_FINDINGS);
            report.more = report.more.saturating_add(left_out);
        }
        self
    }
}

/// How a message was handed from one authority to another (Abgabe wegen Unzuständigkeit).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Authorities that it was at before, the first recipient first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Authority>,
    /// The authority that has it from this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Authority>,
    /// Whether one before has sent the receipt already; there is only one.
    #[serde(default)]
    pub receipted: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Accepted, but the sender should mend it.
    Warning,
    /// The message cannot be taken.
    Error,
}

/// One thing that a check found. Holds places and names, never values of the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// Stable id of the rule, documented under `docs/errors/`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// File of the container, if not the message itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Path of the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Names that the sentence needs, such as an element or a file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
}

impl Finding {
    /// An error without a place.
    pub fn error(rule: &str) -> Self {
        Finding::new(rule, Severity::Error)
    }

    /// A warning without a place.
    pub fn warning(rule: &str) -> Self {
        Finding::new(rule, Severity::Warning)
    }

    /// A finding without a place.
    pub fn new(rule: &str, severity: Severity) -> Self {
        Finding { rule: rule.to_owned(), severity, file: None, line: None, path: None, with: BTreeMap::new() }
    }

    /// The same at a line and element path.
    pub fn at(mut self, line: u64, path: impl Into<String>) -> Self {
        self.line = Some(line);
        self.path = Some(path.into());
        self
    }

    /// The same in a file of the container.
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// A sentence of its rule with the names that it brings along in their places (`{element}`).
    pub fn filled(&self, sentence: &str) -> String {
        let put =
            |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
        self.with.iter().fold(sentence.to_owned(), put)
    }

    /// The same with a name that its sentence needs.
    pub fn with(mut self, key: &str, name: impl Into<String>) -> Self {
        self.with.insert(key.to_owned(), name.into());
        self
    }
}

/// Everything a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Findings in the order met, at most [`Report::MOST`].
    pub findings: Vec<Finding>,
    /// How many more there were.
    #[serde(default)]
    pub more: u64,
}

impl Report {
    /// How many findings are kept.
    pub const MOST: usize = 1_000;
    /// Longest path that is kept, in bytes. Names of elements come from outside.
    pub const PATH_BYTES: usize = 1_000;
    /// Longest name of a file and longest value of [`Finding::with`] that are kept, in bytes.
    pub const NAME_BYTES: usize = 300;

    /// Whether a further finding of this severity would be kept; if not, it is only counted.
    pub fn keeps(&self, severity: Severity) -> bool {
        let has_lesser = || self.findings.iter().any(|finding| finding.severity < Severity::Error);
        self.findings.len() < Self::MOST || (severity == Severity::Error && has_lesser())
    }

    /// Adds a finding, or counts it once the report is full. Errors push out of a full report what
    /// is not one, so that a flood of warnings cannot hide them. Long texts are cut.
    pub fn add(&mut self, mut finding: Finding) {
        finding.path.iter_mut().for_each(|path| cut(path, Self::PATH_BYTES));
        finding.file.iter_mut().for_each(|file| cut(file, Self::NAME_BYTES));
        finding.with.values_mut().for_each(|name| cut(name, Self::NAME_BYTES));
        if self.findings.len() < Self::MOST {
            self.findings.push(finding);
            return;
        }
        self.more += 1;
        if finding.severity == Severity::Error
            && let Some(lesser) = self.findings.iter_mut().rev().find(|f| f.severity < Severity::Error)
        {
            *lesser = finding;
        }
    }

    /// Whether nothing stands against taking the message.
    pub fn is_acceptable(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }
}

/// Shortens a text to at most so many bytes, with an ellipsis as its last character.
fn cut(text: &mut String, bytes: usize) {
    const ELLIPSIS: char = '…';
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes - ELLIPSIS.len_utf8()));
        text.push(ELLIPSIS);
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_states_and_doors_have_all() {
        use MessageState::*;
        // Without a last arm for all others: a new one does not compile before it is named here, and then has to stand in its list.
        let place = |state| match state {
            Accepted => 0,
            Processed => 1,
            Preparing => 2,
            Ready => 3,
            Delivered => 4,
            Confirmed => 5,
            Returned => 6,
            Parked => 7,
        };
        assert_eq!(MessageState::ALL.map(place), [0, 1, 2, 3, 4, 5, 6, 7]);
        let place = |door| match door {
            Door::Rest => 0,
            Door::Local => 1,
            Door::Adapter => 2,
            Door::Osci => 3,
            Door::Xta => 4,
        };
        assert_eq!(Door::ALL.map(place), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn long_texts_of_a_finding_are_cut_between_characters() {
        let mut report = Report::default();
        let long = format!("x{}", "ü".repeat(1_000));
        report.add(Finding::error("a").at(1, long.clone()).in_file(long.clone()).with("name", long));
        report.add(Finding::error("a").at(1, "x".repeat(Report::PATH_BYTES)).with("name", "short"));
        let [first, second] = &report.findings[..] else { panic!("two findings") };
        let (path, file) = (first.path.as_ref().unwrap(), first.file.as_ref().unwrap());
        assert_eq!((path.len(), file.len(), first.with["name"].len()), (1_000, 300, 300));
        assert!(path.starts_with("xüü") && path.ends_with("ü…"));
        assert!(second.path.as_ref().unwrap().ends_with('x'), "what fits stays");
        assert_eq!(second.with["name"], "short");
    }

    #[test]
    fn a_full_report_keeps_errors_as_long_as_there_is_something_lesser() {
        let mut report = Report::default();
        assert!(report.keeps(Severity::Warning));
        (1..Report::MOST).for_each(|_| report.add(Finding::error("a")));
        report.add(Finding::warning("b"));
        assert!(!report.keeps(Severity::Warning) && report.keeps(Severity::Error));
        report.add(Finding::error("a"));
        assert!(!report.keeps(Severity::Error));
    }

    #[test]
    fn a_flood_of_warnings_does_not_hide_an_error() {
        let mut report = Report::default();
        for _ in 0..2_000 {
            report.add(Finding::warning("a"));
        }
        report.add(Finding::error("b"));
        assert_eq!(report.findings.len(), Report::MOST);
        assert_eq!(report.more, 1_001);
        assert!(!report.is_acceptable());
    }

    #[test]
    fn a_message_that_has_ended_stays_where_it_is() {
        use MessageState::*;
        let all = [Accepted, Processed, Preparing, Ready, Delivered, Confirmed, Returned, Parked];
        for end in [Confirmed, Returned] {
            assert!(all.iter().all(|next| !end.may_become(*next)));
        }
        assert!(
            all.iter()
                .filter(|state| **state != Confirmed && **state != Returned)
                .all(|state| { *state == Parked || state.may_become(Parked) })
        );
    }
}
