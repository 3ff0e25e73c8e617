//! Dry runs: what would be found in a message, with no row written.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use model::message::Direction;
use model::standard::Identity;
use model::{Action, Caller, Finding};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Raw, require_type};
use crate::messages::{MEDIA_TYPES, explained, file_name};
use crate::params::Params;

/// What is said of the message that is checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CheckQuery {
    /// Name of the file or container; standards prescribe its form.
    file_name: Option<String>,
}

/// What a check found; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members that `run` writes")]
pub(crate) struct Check {
    /// Whether the message would be taken.
    acceptable: bool,
    /// What the content says it is; absent if nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    /// Findings in the order met.
    findings: Vec<Finding>,
    /// How many more there are.
    more: u64,
}

/// `POST /checks`. It has no effect, so an idempotency key changes nothing.
pub(crate) async fn run(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<CheckQuery>,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    caller.may(Action::SendMessages)?;
    require_type(&headers, MEDIA_TYPES)?;
    let name = file_name(query.file_name)?;
    let (body, fault) = raw.split();
    let checked = api.broker.check(&caller, name, body).await;
    let checked = checked.map_err(|error| Raw::explain(&fault, error))?;
    let findings: Vec<Value> =
        checked.report.findings.iter().map(|finding| explained(finding, Direction::In)).collect();
    let mut json = json!({
        "acceptable": checked.report.is_acceptable(),
        "findings": findings,
        "more": checked.report.more,
    });
    if let Some(identity) = checked.identity {
        json["identity"] = json!(identity);
    }
    Ok(answer::json(&json))
}
