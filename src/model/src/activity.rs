//! What happens in and around a case: tasks, interactions, dispatches, decisions. Money: [`payment`](crate::payment).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Meta;
use crate::{Id, Timestamp};

/// Something a person or unit has to do (Aufgabe). Work between units of one authority is a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Identity and ownership; `unit` is the unit that has to act.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id>,
    /// Message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Id>,
    /// Exchange it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_id: Option<Id>,
    /// Payment it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<Id>,
    /// What has to be done, without personal data.
    pub title: String,
    /// Why it exists: a stable code, `clarification` (Klärungsfall) or a kind of the county's own.
    pub kind: String,
    /// The unit that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// The person who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// When it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Where it stands.
    #[serde(default)]
    pub status: TaskStatus,
    /// Answer of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskStatus {
    /// Nobody has taken it.
    #[default]
    Open,
    /// Somebody works on it.
    Assigned,
    /// Done.
    Done,
    /// Not needed any more.
    Cancelled,
}

impl TaskStatus {
    /// Whether somebody still has to act.
    pub fn is_open(self) -> bool {
        matches!(self, TaskStatus::Open | TaskStatus::Assigned)
    }

    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            TaskStatus::Open => "open",
            TaskStatus::Assigned => "assigned",
            TaskStatus::Done => "done",
            TaskStatus::Cancelled => "cancelled",
        }
    }
}

/// A contact with somebody (Vorsprache, Anruf, Schreiben).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it is about, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id>,
    /// `call`, `visit`, `mail` or the channel's own word.
    pub kind: String,
    /// When it took place.
    pub at: Timestamp,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// Something sent to a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dispatch {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it belongs to.
    pub case_id: Id,
    /// Legal kind.
    pub kind: DispatchKind,
    /// Documents that were sent.
    #[serde(default)]
    pub documents: Vec<Id>,
    /// What is known of its way.
    #[serde(default)]
    pub steps: Vec<DispatchStep>,
}

/// Legal kind of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DispatchKind {
    /// Mitteilung.
    Notification,
    /// Bekanntgabe (§ 41 VwVfG).
    Disclosure,
    /// Zustellung (VwZG).
    FormalService,
}

/// One step on a dispatch's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DispatchStep {
    /// `posted`, `provided`, `retrieved` or `returned`.
    pub kind: String,
    /// When.
    pub at: Timestamp,
}

/// A decision on the merits (Bescheid). Only a person's or line system's word becomes one: a
/// technical return never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it decides.
    pub case_id: Id,
    /// `granted`, `refused`, `partly-granted`, `withdrawn`.
    pub outcome: String,
    /// The document that states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Id>,
    /// When it was taken.
    pub at: Timestamp,
}
