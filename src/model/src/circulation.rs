//! Circulation (Geschäftsgang): documents go from station to station along a route (Laufweg).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Extensions;
use crate::party::Party;
use crate::{Authority, Id};

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

impl Route {
    /// The step that the documents are at.
    pub fn current(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.status == StepStatus::Current)
    }

    /// The last step that is not passed over.
    pub fn last(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.status != StepStatus::Skipped)
    }

    /// Whether the documents are at the last step.
    pub fn is_at_its_end(&self) -> bool {
        self.last().is_some_and(|step| step.status == StepStatus::Current)
    }

    /// Whether `other` is the same route with the same stations, wherever the documents are.
    pub fn is_same_way(&self, other: &Route) -> bool {
        let stations = |route: &Route| -> Vec<Option<Authority>> {
            route.steps.iter().map(|step| step.order.to.authority.clone()).collect()
        };
        self.id == other.id && stations(self) == stations(other)
    }

    /// Whether documents may come from `authority` at the last step: it is a station before, or one of them names no authority, or
    /// it did the step before the present one in the place of whom the route names (it was handed the documents).
    pub fn passes(&self, authority: &Authority) -> bool {
        let before = self.steps.len().saturating_sub(1);
        let stations = self.steps.get(..before).unwrap_or_default();
        stations.iter().any(|step| step.may_be_at(authority)) || self.last_done_by() == Some(authority)
    }

    /// Whether `authority` may be one of its stations: one that it names, or one where it names none.
    pub fn has_station(&self, authority: &Authority) -> bool {
        self.steps.iter().any(|step| step.may_be_at(authority))
    }

    /// Who did the last step that was done, by what is said there.
    fn last_done_by(&self) -> Option<&Authority> {
        let done = self.steps.iter().rfind(|step| step.status == StepStatus::Done)?;
        done.outcome.as_ref()?.by.authority.as_ref()
    }
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

impl Step {
    fn may_be_at(&self, authority: &Authority) -> bool {
        self.order.to.authority.as_ref().is_none_or(|station| station == authority)
    }
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
