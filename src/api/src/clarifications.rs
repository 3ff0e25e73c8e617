//! Clarifications (Klärungsfälle): messages that wait for a human, explained. The id is the message's.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::{ClarificationFilter, Listed};
use model::clarification::{self, Act, Attempt, Side};
use model::message::{Direction, Finding};
use model::{Authority, Caller, Id, Message, Timestamp, catalog};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, Answer};
use crate::params::{Params, PathId};
use crate::{Api, messages, paging};

/// Which clarifications.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClarificationQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// To or from this partner.
    partner: Option<String>,
    /// Kept by this rule.
    rule: Option<String>,
    /// This side has to act.
    side: Option<Side>,
    /// Of this unit.
    unit: Option<String>,
}

/// Which clarifications are counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SummaryQuery {
    /// To or from this partner.
    partner: Option<String>,
    /// This side has to act.
    side: Option<Side>,
    /// Of this unit.
    unit: Option<String>,
}

/// A clarification.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Clarification {
    /// Identifier: the message's.
    id: Id,
    /// The rule that keeps it.
    rule: String,
    /// What is wrong and what to do, in English.
    en: String,
    /// The same in German.
    de: String,
    /// Where in the message.
    place: Place,
    /// Who has to act.
    side: Side,
    /// The other side.
    partner: PartnerOf,
    /// Since when it waits.
    since: Timestamp,
    /// The task on the desk of its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Id>,
    /// What the caller may do about it now.
    actions: Vec<Act>,
    /// What was tried, oldest first; only when one is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<Attempt>>,
    /// The message with the first findings of its report; the whole report is at `messages/{id}`.
    #[schemars(with = "Message")]
    message: serde_json::Value,
}

/// Where in a message something was found. Empty if it is about the message as a whole.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    /// File of the container, if not the message itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Path of the element.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// The other side of a message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClarificationPartner")]
pub(crate) struct PartnerOf {
    /// Authority, or id of the system that brought the message.
    id: String,
    /// Which of both it is.
    kind: PartnerKind,
    /// Whether the message came from it or goes to it.
    direction: Direction,
}

/// Kinds of partners.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PartnerKind {
    /// Another authority.
    Authority,
    /// A county system.
    System,
}

/// How many wait for which rule.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClarificationSummary")]
pub(crate) struct Summary {
    /// One entry per rule and side, the most frequent first.
    items: Vec<RuleCount>,
}

/// How many wait for a rule.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleCount {
    /// The rule.
    rule: String,
    /// What it means, in English.
    en: String,
    /// The same in German.
    de: String,
    /// Who has to act.
    side: Side,
    /// How many.
    count: u64,
    /// Since when the oldest waits.
    oldest: Timestamp,
}

/// `GET /clarifications`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ClarificationQuery>,
) -> Answer {
    let ClarificationQuery { limit, after, partner, rule, side, unit } = query;
    let filter = ClarificationFilter { partner, rule, side, unit, ..ClarificationFilter::default() };
    let listed = api.broker.clarifications(&caller, &filter, &paging::page(limit, after)?).await?;
    let items = listed.items.into_iter().map(|found| shown(&api, &caller, found, None)).collect();
    Ok(paging::answer::<Clarification>(&uri, Listed { items, next: listed.next }))
}

/// `GET /clarifications/summary`.
pub(crate) async fn summary(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SummaryQuery>,
) -> Answer {
    let SummaryQuery { partner, side, unit } = query;
    let filter = ClarificationFilter { partner, side, unit, ..ClarificationFilter::default() };
    let counts = api.broker.clarification_counts(&caller, &filter).await?;
    let items = counts.into_iter().map(|counted| {
        let clarification::ClarificationCount { rule, side, count, oldest } = counted;
        let (en, de) = sentences(&rule, None);
        RuleCount { rule, en, de, side, count, oldest }
    });
    Ok(answer::json(&Summary { items: items.collect() }))
}

/// `GET /clarifications/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let (found, attempts) = api.broker.clarification(&caller, id).await?;
    Ok(answer::json(&shown(&api, &caller, found, Some(attempts))))
}

fn shown(
    api: &Api,
    caller: &Caller,
    found: clarification::Clarification,
    attempts: Option<Vec<Attempt>>,
) -> Clarification {
    let actions = api.broker.acts(caller, &found);
    let clarification::Clarification { message, rule, side, since, task } = found;
    let finding = message.report.as_ref().and_then(clarification::leading);
    let (en, de) = sentences(&rule, finding);
    let place = finding.map(|finding| (finding.file.clone(), finding.line, finding.path.clone()));
    let (file, line, path) = place.unwrap_or_default();
    let kind = match message.partner.parse::<Authority>() {
        Ok(_) => PartnerKind::Authority,
        Err(_) => PartnerKind::System,
    };
    Clarification {
        id: message.id,
        rule,
        en,
        de,
        place: Place { file, line, path },
        side,
        partner: PartnerOf { id: message.partner.clone(), kind, direction: message.direction },
        since,
        task,
        actions,
        attempts,
        message: messages::brief(&message),
    }
}

/// The sentences of a rule; its code where it is a county's own, which no page explains.
fn sentences(rule: &str, finding: Option<&Finding>) -> (String, String) {
    let Some(sentence) = catalog::sentence(rule) else { return (rule.to_owned(), rule.to_owned()) };
    let filled = |text: &str| match finding {
        Some(finding) => finding.filled(text),
        None => text.to_owned(),
    };
    (filled(&sentence.en), filled(&sentence.de))
}
