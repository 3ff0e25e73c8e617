//! Clarifications (Klärungsfälle) as clerks and operators see them: which messages wait, for which rule, who has to
//! act, what was tried. Metadata only, within the caller's scope.

use model::clarification::{Act, Attempt, Clarification, ClarificationCount};
use model::rights::Action;
use model::{Caller, Event, EventKind, Id, Scope};
use serde_json::Value;
use store::{ClarificationFilter, Listed, Page, TimelineOf};

use crate::{Broker, Error, notes};

/// Events that are looked at for what was tried.
const EVENTS: u32 = 1_000;

impl Broker {
    /// Clarifications within the caller's scope.
    ///
    /// # Errors
    /// If the caller may not read messages.
    pub async fn clarifications(
        &self,
        caller: &Caller,
        filter: &ClarificationFilter,
        page: &Page,
    ) -> Result<Listed<Clarification>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        Ok(self.store().clarifications(scope, filter, page).await?)
    }

    /// The clarification of a message, with what was tried, oldest first.
    ///
    /// # Errors
    /// `NotFound` if the message does not wait, or lies outside the caller's scope.
    pub async fn clarification(
        &self,
        caller: &Caller,
        id: Id,
    ) -> Result<(Clarification, Vec<Attempt>), Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let found = self.store().clarification(scope, id).await?;
        let found = found.ok_or(model::Error::NotFound { kind: "clarification" })?;
        let whole = Scope::tenant(&scope.tenant);
        let page = Page { after: None, limit: EVENTS };
        let events = self.store().timeline(&whole, TimelineOf::Message(id), &page).await?;
        Ok((found, events.into_iter().filter_map(|(_, event)| attempt(event)).collect()))
    }

    /// How many clarifications wait for which rule, the most frequent first.
    ///
    /// # Errors
    /// If the caller may not read messages.
    pub async fn clarification_counts(
        &self,
        caller: &Caller,
        filter: &ClarificationFilter,
    ) -> Result<Vec<ClarificationCount>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        Ok(self.store().clarification_counts(scope, filter).await?)
    }

    /// What the caller may do about it now.
    pub fn acts(&self, caller: &Caller, clarification: &Clarification) -> Vec<Act> {
        let message = &clarification.message;
        let mends = caller.may(Action::ClearMessages).is_ok();
        let reads = caller.may(Action::ReadContent).is_ok();
        let may = |act: &Act| mends && (*act != Act::Repair || reads);
        Act::on(message).iter().copied().filter(may).collect()
    }
}

/// An event of the message itself that says what was tried, by whatever part of the gateway.
fn attempt(event: Event) -> Option<Attempt> {
    let passed_on = matches!(
        event.kind,
        EventKind::MessageAccepted | EventKind::MessagePrepared | EventKind::MessageProcessed
    );
    if event.subject.is_some() || passed_on {
        return None;
    }
    let detail = event.detail.unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let code = text(&detail["code"]).or_else(|| text(&detail["rules"][0]));
    Some(Attempt {
        at: event.at,
        kind: event.kind,
        actor: event.actor,
        code,
        note: text(&detail[notes::NOTE]),
    })
}
