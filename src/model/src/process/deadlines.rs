//! How long an exchange waits for what, and whose turn it is meanwhile: days for each step, by kind of exchange. The state of an
//! exchange never changes because time is over.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::exchange::ExchangeKind::{
    self, Catalogue, Circulation, Disposition, FilePlan, Handover, Submission,
};

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Turn {
    /// The other authority's.
    Partner,
    /// Ours.
    Us,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Awaited {
    /// Receipt of what was sent.
    Receipt,
    /// The archive's appraisal.
    Appraisal,
    /// The transfer of what was appraised.
    Transfer,
    /// What became of the import.
    Outcome,
    /// A step of a route.
    Step,
    /// The documents of a circulation come back.
    ComesBack,
}

/// What an exchange waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waits {
    /// Whose turn it is.
    pub turn: Turn,
    /// What is waited for.
    pub what: Awaited,
    /// When it should be there; moved on with each reminder.
    pub until: Timestamp,
    /// Reminders so far.
    pub reminders: u32,
}

/// How long each step may take, in days. The state of an exchange never changes because time is over: somebody is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// Between two reminders.
    pub reminder: u16,
    /// Abgabe.
    pub handover: Days,
    /// Aktenvorlage.
    pub submission: Days,
    /// Geschäftsgang.
    pub circulation: Days,
    /// Aussonderung.
    pub disposition: Days,
    /// Aktenplan, for information.
    pub file_plan: Days,
    /// Aktenplan, to be appraised.
    pub catalogue: Days,
}

impl Default for Deadlines {
    fn default() -> Self {
        let days = Days::default();
        Deadlines {
            reminder: 7,
            handover: days,
            submission: days,
            circulation: days,
            disposition: days,
            file_plan: days,
            catalogue: days,
        }
    }
}

/// Days for the steps of one kind of exchange; absent: what is usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Days {
    /// Until a receipt has come: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u16>,
    /// Until the archive has appraised: 180.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appraisal: Option<u16>,
    /// Until what was appraised is transferred: 90.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<u16>,
    /// Until the outcome of the import is told: 30; of an archive 90.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<u16>,
    /// Until a step of a route is done: 14.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u16>,
    /// Until the documents of a circulation are back: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comes_back: Option<u16>,
}

impl Deadlines {
    /// How long `what` may take in an exchange of `kind`.
    pub fn of(&self, kind: ExchangeKind, what: Awaited) -> Duration {
        let (days, outcome) = match kind {
            Handover => (self.handover, 30),
            Submission => (self.submission, 30),
            Circulation => (self.circulation, 30),
            Disposition => (self.disposition, 90),
            FilePlan => (self.file_plan, 30),
            Catalogue => (self.catalogue, 90),
        };
        let days = match what {
            Awaited::Receipt => days.receipt.unwrap_or(3),
            Awaited::Appraisal => days.appraisal.unwrap_or(180),
            Awaited::Transfer => days.transfer.unwrap_or(90),
            Awaited::Outcome => days.outcome.unwrap_or(outcome),
            Awaited::Step => days.step.unwrap_or(14),
            Awaited::ComesBack => days.comes_back.unwrap_or(60),
        };
        in_days(days)
    }

    /// Between two reminders.
    pub fn pause(&self) -> Duration {
        in_days(self.reminder.max(1))
    }
}

fn in_days(days: u16) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3_600)
}
