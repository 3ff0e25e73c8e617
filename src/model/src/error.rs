//! Errors of the model, and [`Failure`]: what a channel or standard reports back to the broker.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::Finding;

/// Why a command or value was refused.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A field has a value outside its rules.
    #[error("the field {field} has a value that its rules do not allow")]
    Invalid {
        /// Name of the field in the JSON form.
        field: &'static str,
    },
    /// The record is not there, or not visible to the caller: the two are never told apart.
    #[error("there is no such {kind}")]
    NotFound {
        /// Kind of record.
        kind: &'static str,
    },
    /// The record exists already.
    #[error("the record exists already")]
    Exists,
    /// The record's version is not the one that the command was made for.
    #[error("the record was changed meanwhile: read it again")]
    VersionConflict,
    /// The record's state does not allow the command.
    #[error("the state {state} does not allow this")]
    WrongState {
        /// State the record is in.
        state: &'static str,
    },
    /// The record is locked because it was handed over to another authority.
    #[error("the record was handed over and is locked")]
    Locked,
    /// The receiving authority has not confirmed the import of the object.
    #[error("the receiver has not confirmed the import of this object")]
    NotConfirmed,
    /// The record, one that it lies in or one in it is barred from destruction.
    #[error("the record is barred from destruction")]
    Held,
    /// Nothing has decided that the record may be destroyed: no appraisal, or no confirmed import.
    #[error("the record has not been appraised and taken, so it may not be destroyed")]
    NotDisposed,
    /// Somebody still works on what belongs to the record: a task, a call, something to be sent, money.
    #[error("somebody still works on what belongs to the record")]
    NotSettled,
    /// Whoever asked for the destruction may not agree to it too.
    #[error("a second person has to agree")]
    SecondPerson,
    /// What the task is about waits for a decision, which ends the task.
    #[error("what this task is about waits for a decision")]
    Undecided,
    /// Classified above what the gateway may carry (Verschlusssache).
    #[error("classified content of this level is not accepted")]
    Classified,
    /// The caller's rights do not cover the command.
    #[error("the caller may not do this")]
    Forbidden,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "model.invalid",
            Error::NotFound { .. } => "model.not-found",
            Error::Exists => "model.exists",
            Error::VersionConflict => "model.version-conflict",
            Error::WrongState { .. } => "model.wrong-state",
            Error::Locked => "model.locked",
            Error::NotConfirmed => "model.not-confirmed",
            Error::Held => "model.held",
            Error::NotDisposed => "model.not-disposed",
            Error::NotSettled => "model.not-settled",
            Error::SecondPerson => "model.second-person",
            Error::Undecided => "model.undecided",
            Error::Classified => "model.classified",
            Error::Forbidden => "model.forbidden",
        }
    }
}

/// What an adapter, a standard or a transport reports when it could not do its work. The broker
/// decides by [`kind`](Failure::kind) alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{kind:?}: {code}")]
pub struct Failure {
    /// What may be done about it.
    pub kind: FailureKind,
    /// Stable code, documented under `docs/errors/`.
    pub code: Cow<'static, str>,
    /// Words for the operator, free of content and personal data.
    pub detail: String,
    /// How long the other side asks to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The other side is well: it is this alone that cannot be done yet, and others are not held back because of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// What was found in a message, if that is more than the code says: told instead of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl FailureKind {
    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Transient => "transient",
            FailureKind::Permanent => "permanent",
            FailureKind::Rejected => "rejected",
            FailureKind::Unauthorised => "unauthorised",
            FailureKind::Uncertain => "uncertain",
        }
    }
}

/// Kinds of failure; each has exactly one treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// Passing trouble: tried again with growing pauses.
    Transient,
    /// Will fail again the same way: parked for a human.
    Permanent,
    /// The other side refused the content: returned to its sender.
    Rejected,
    /// Credentials or rights are wrong: parked for the operator.
    Unauthorised,
    /// Nobody knows whether it happened: asked by `reconcile`, never repeated blindly.
    Uncertain,
}

impl Failure {
    /// A failure of `kind` with a documented `code`.
    pub fn new(kind: FailureKind, code: &'static str, detail: impl Into<String>) -> Self {
        Failure {
            kind,
            code: Cow::Borrowed(code),
            detail: detail.into(),
            retry_after: None,
            alone: false,
            findings: vec![],
        }
    }

    /// Passing trouble.
    pub fn transient(code: &'static str, detail: impl Into<String>) -> Self {
        Failure::new(FailureKind::Transient, code, detail)
    }

    /// Will fail again the same way.
    pub fn permanent(code: &'static str, detail: impl Into<String>) -> Self {
        Failure::new(FailureKind::Permanent, code, detail)
    }

    /// The same, with what was found in the message.
    pub fn finding(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// The same; the other side is well, only this cannot be done yet.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// The same, with the pause that the other side asks for.
    pub fn after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_failure_have_the_names_of_their_json_form() {
        let kinds = [
            FailureKind::Transient,
            FailureKind::Permanent,
            FailureKind::Rejected,
            FailureKind::Unauthorised,
            FailureKind::Uncertain,
        ];
        for kind in kinds {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
