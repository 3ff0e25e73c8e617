//! Circulation (Geschäftsgang): documents go from station to station along a route (Laufweg).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::case::Extensions;
use crate::party::Party;

/// The way of the documents. Every message tells all steps, whatever their state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Route {
    /// Its UUID in messages.
    pub id: Id,
    /// Steps (Beteiligungsschritte) in the order in which they come.
    pub steps: Vec<Step>,
    /// Objects, by their UUIDs in the message, that only accompany the documents (Anlagen).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Id>,
    /// Whether each station tells the initiator that the documents have come.
    pub receipt_to_initiator: bool,
    /// Whether it tells the station before it.
    pub receipt_to_predecessor: bool,
    /// See [`Extensions`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// A step of a route (Beteiligungsschritt): who asks whom for what, and what was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Step {
    /// Its number, in words of the initiator.
    pub number: String,
    /// Where it stands.
    pub status: StepStatus,
    /// What is asked for (Verfügung).
    pub order: Order,
    /// What was done (Bearbeitung), once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// State of a step (Beteiligungsstatus).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    /// Still to come.
    #[default]
    Planned,
    /// The documents are there.
    Current,
    /// Done.
    Done,
    /// Passed over; who did that stands in the outcome.
    Skipped,
}

/// What is asked for at a step (Verfügung).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Order {
    /// Who asks (Ersteller).
    pub by: Party,
    /// Who is asked (Adressat).
    pub to: Party,
    /// Day, `YYYY-MM-DD`.
    pub on: String,
    /// Time of day, `hh:mm:ss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What is to be done (Verfügung).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Day until when, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<String>,
    /// Time until when, `hh:mm:ss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Notiz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was done at a step (Bearbeitung).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Outcome {
    /// Who did it (Bearbeiter).
    pub by: Party,
    /// Day, `YYYY-MM-DD`.
    pub on: String,
    /// Time of day, `hh:mm:ss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Vermerk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Notiz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
