//! Messages: raw in, raw out, and what became of them. Their repair stands in `repairs`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use broker::{Incoming, Listed, MessageFilter, UploadTarget};
use model::clarification::Side;
use model::message::{Direction, Finding};
use model::{Action, Authority, Caller, Id, Message, MessageState, catalog};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::body::{Raw, require_type};
use crate::params::{self, Params, PathId};
use crate::problem::Problem;
use crate::records::{self, PageQuery};
use crate::{Api, paging, range, uploads};

/// Media types of messages and containers.
pub(crate) const MEDIA_TYPES: &[&str] =
    &["application/xml", "text/xml", "application/zip", "application/octet-stream"];

/// What is said of a raw message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SendQuery {
    /// Name of the file or container; standards prescribe its form.
    file_name: Option<String>,
    /// A test message: never touches productive cases.
    #[serde(default)]
    test: bool,
    /// Whom it is for, if the authority of the token sends it; absent: it is for that authority.
    to: Option<Authority>,
}

/// Which messages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MessageQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// In or out.
    direction: Option<Direction>,
    /// State.
    state: Option<MessageState>,
    /// Type, such as `0401`.
    #[serde(rename = "type")]
    message_type: Option<String>,
    /// The other side.
    partner: Option<String>,
    /// Exchange it belongs to.
    exchange: Option<Id>,
    /// Process it belongs to (ProzessID).
    process_id: Option<Id>,
}

/// `POST /messages`: 202 once the message is durable; what becomes of it is seen at its `Location`. With
/// `Upload-Complete: ?0` an upload begins, which goes on elsewhere.
pub(crate) async fn send(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SendQuery>,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    caller.may(Action::SendMessages)?;
    require_type(&headers, MEDIA_TYPES)?;
    let incoming = Incoming {
        file_name: file_name(query.file_name)?,
        key: params::idempotency_key(&headers)?,
        digest: params::repr_digest(&headers)?,
        test: query.test,
        to: query.to,
    };
    if uploads::is_part(&headers)? {
        return uploads::begin(&api, &caller, &headers, UploadTarget::Message(incoming), raw).await;
    }
    let replayed = match &incoming.key {
        Some(key) => api.broker.knows_key(&caller, key).await?,
        None => false,
    };
    let (body, fault) = raw.split();
    let accepted = api.broker.accept(&caller, incoming, body).await;
    let message = accepted.map_err(|error| Raw::explain(&fault, error))?;
    let path = format!("/messages/{}", message.id);
    let response = answer::created(answer::json(&shown(&message)), StatusCode::ACCEPTED, &path);
    Ok(answer::replayed(response, replayed))
}

/// A name that came from outside: kept to show it, never used as a path.
pub(crate) fn file_name(name: Option<String>) -> Result<Option<String>, Problem> {
    match name {
        Some(name) if !(1..=255).contains(&name.len()) => Err(Problem::invalid_query("fileName")),
        name => Ok(name),
    }
}

/// `GET /messages`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<MessageQuery>,
) -> Answer {
    let filter = MessageFilter {
        direction: query.direction,
        state: query.state,
        partner: query.partner,
        message_type: query.message_type,
        exchange: query.exchange,
        process_id: query.process_id,
        ..MessageFilter::default()
    };
    let page = paging::page(query.limit, query.after)?;
    let listed = api.broker.messages(&caller, &filter, &page).await?;
    let items: Vec<Value> = listed.items.iter().map(brief).collect();
    Ok(paging::answer(&uri, Listed { items, next: listed.next }))
}

/// `GET /messages/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    Ok(answer::json(&shown(&api.broker.message(&caller, id).await?)))
}

/// `GET /messages/{id}/content`.
pub(crate) async fn content(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Answer {
    let (message, reference, payload) = api.broker.message_content(&caller, id).await?;
    let container = message.identity.as_ref().map(|identity| identity.container);
    let media_type = match container {
        Some(true) => "application/zip",
        Some(false) => "application/xml",
        None => "application/octet-stream",
    };
    let name = message.file_name.unwrap_or_else(|| id.to_string());
    Ok(range::answer(&headers, &payload, (reference.size, &reference.sha256), media_type, &name))
}

/// `GET /messages/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    let page = paging::page(query.limit, query.after)?;
    let events = api.broker.message_timeline(&caller, id, &page).await?;
    Ok(records::timeline_page(&caller, &uri, events, page.limit))
}

/// A message as it is shown: every finding with its sentences.
pub(crate) fn shown(message: &Message) -> Value {
    let mut json = json!(message);
    if let Some(report) = &message.report {
        json["report"]["findings"] =
            report.findings.iter().map(|finding| explained(finding, message.direction)).collect();
    }
    json
}

/// A message as it is shown in a list: with the first findings, the others counted in `more`.
pub(crate) fn brief(message: &Message) -> Value {
    shown(&message.clone().brief())
}

/// A finding with its sentences and the side that has to act.
pub(crate) fn explained(finding: &Finding, direction: Direction) -> Value {
    let mut json = json!(finding);
    json["side"] = json!(Side::of(&finding.rule, direction));
    if let Some(sentence) = catalog::sentence(&finding.rule) {
        json["en"] = finding.filled(&sentence.en).into();
        json["de"] = finding.filled(&sentence.de).into();
    }
    json
}

#[cfg(test)]
mod tests {
    use model::message::{Door, Report};
    use model::{Timestamp, ids};

    use super::*;

    #[test]
    fn a_list_has_the_first_findings_and_counts_the_others() {
        let findings: Vec<Finding> = (0..25).map(|n| Finding::error(&format!("test.{n}"))).collect();
        let message = Message {
            id: ids::new_id(),
            tenant: "soest".to_owned(),
            authority: "bab:05974000".parse().unwrap(),
            unit: "63".to_owned(),
            public_service: None,
            direction: Direction::In,
            door: Door::Rest,
            partner: "fach".to_owned(),
            identity: None,
            dedup_key: "1".to_owned(),
            payload: None,
            file_name: None,
            test: false,
            state: MessageState::Parked,
            received_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            report: Some(Report { findings, more: 3 }),
            related: None,
            exchange: None,
            forwarding: None,
        };
        let (brief, whole) = (brief(&message), shown(&message));
        let count = |json: &Value| json["report"]["findings"].as_array().map(Vec::len);
        assert_eq!((count(&brief), &brief["report"]["more"]), (Some(10), &json!(18)));
        assert_eq!((count(&whole), &whole["report"]["more"]), (Some(25), &json!(3)));
        assert_eq!(brief["report"]["findings"][9]["rule"], "test.9");
    }
}
