//! What a clarification (Klärungsfall) tells: why a message waits, who has to act, what may be done.
//!
//! A clarification is no record of its own: it is a parked message, looked at by whoever has to decide.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::{Direction, Finding, Report, Severity};
use crate::{Id, Message, MessageState, Timestamp, catalog, event::Actor, event::EventKind};

/// Who has to act so that a message can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Whoever sent it: the message itself has to be mended.
    Sender,
    /// Whoever is to receive it.
    Recipient,
    /// This house.
    Us,
}

impl Side {
    /// All of them.
    pub const ALL: [Side; 3] = [Side::Sender, Side::Recipient, Side::Us];

    /// Name as in the JSON form, in the store and on the pages of rules.
    pub fn name(self) -> &'static str {
        match self {
            Side::Sender => "sender",
            Side::Recipient => "recipient",
            Side::Us => "us",
        }
    }

    /// The side of that name.
    pub fn of_name(name: &str) -> Option<Side> {
        Side::ALL.into_iter().find(|side| side.name() == name)
    }

    /// Who has to act on a finding of `rule` in a message of this direction. The page of the rule says it; where it
    /// says nothing, the sender has to. The sender of what goes out and the recipient of what comes in are we.
    pub fn of(rule: &str, direction: Direction) -> Side {
        let stated = catalog::sentence(rule).and_then(|sentence| sentence.side).unwrap_or(Side::Sender);
        match (stated, direction) {
            (Side::Sender, Direction::Out) | (Side::Recipient, Direction::In) => Side::Us,
            (side, _) => side,
        }
    }
}

/// What may be done about a message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Try it again as it is.
    Resend,
    /// Give it mended bytes and try it again.
    Repair,
    /// Send it back to its sender.
    Return,
    /// Hand it to the authority that is competent.
    Forward,
}

impl Act {
    /// What the state and direction of a message allow; rights are looked at besides.
    pub fn on(message: &Message) -> &'static [Act] {
        match (message.state, message.direction) {
            (MessageState::Parked, Direction::In) => &[Act::Resend, Act::Repair, Act::Return, Act::Forward],
            (MessageState::Parked, Direction::Out) => &[Act::Resend, Act::Return],
            _ => &[],
        }
    }
}

/// Something that was tried before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// What: the kind of its event.
    pub kind: EventKind,
    /// By whom.
    pub actor: Actor,
    /// Rule or code of the failure that it ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the operator noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A message that waits for a human, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clarification {
    /// The message; its id is the clarification's.
    pub message: Message,
    /// The rule that keeps it.
    pub rule: String,
    /// Who has to act.
    pub side: Side,
    /// Since when it waits.
    pub since: Timestamp,
    /// The task on the desk of its unit.
    pub task: Option<Id>,
}

/// How many clarifications wait for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClarificationCount {
    /// The rule.
    pub rule: String,
    /// Who has to act.
    pub side: Side,
    /// How many.
    pub count: u64,
    /// Since when the oldest waits.
    pub oldest: Timestamp,
}

/// The finding that a message waits or came back for: the first error, else the first of any.
pub fn leading(report: &Report) -> Option<&Finding> {
    let findings = &report.findings;
    findings.iter().find(|finding| finding.severity == Severity::Error).or(findings.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_acts_where_no_page_says_otherwise_and_of_what_goes_out_that_is_us() {
        assert_eq!(Side::of("county.own-code", Direction::In), Side::Sender);
        assert_eq!(Side::of("county.own-code", Direction::Out), Side::Us);
        assert_eq!(Side::of("message.unknown", Direction::In), Side::Sender);
        assert_eq!(Side::of("broker.given-up", Direction::In), Side::Us);
        assert_eq!(Side::of("message.too-large-for-recipient", Direction::Out), Side::Us);
    }

    #[test]
    fn an_error_leads_before_the_warnings_around_it() {
        let mut report = Report::default();
        assert_eq!(leading(&report), None);
        report.add(Finding::warning("a"));
        assert_eq!(leading(&report).unwrap().rule, "a");
        report.add(Finding::error("b"));
        assert_eq!(leading(&report).unwrap().rule, "b");
    }
}
