//! The mailbox of the caller's authority: look, lease, confirm or return. Only what was confirmed counts as
//! delivered.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::{InboxFilter, InboxItem, InboxState, Listed};
use model::{Caller, Id, Message, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::params::{Params, PathId};
use crate::{Api, messages, paging};

/// Which entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InboxQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// Public service (Leistung) that it is for.
    service: Option<String>,
    /// Unit that it is for.
    unit: Option<String>,
    /// State.
    #[schemars(with = "Option<EntryState>")]
    state: Option<InboxState>,
}

/// Where an entry of a mailbox stands; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the states of the store's type")]
pub(crate) enum EntryState {
    /// Waits to be fetched.
    Available,
    /// Leased to somebody who fetches it.
    HandedOut,
    /// The recipient has it.
    Confirmed,
    /// Nobody fetched it in time.
    Expired,
    /// Went back to its sender.
    Returned,
}

/// An entry of a mailbox; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members that `shown` writes")]
pub(crate) struct InboxEntry {
    /// Identifier.
    id: Id,
    /// Where it stands.
    state: EntryState,
    /// Unit that it is for.
    unit: String,
    /// Public service that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_service: Option<String>,
    /// Until when it is leased.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<Timestamp>,
    /// The message with the first findings of its report; the whole report is at `messages/{id}`, the
    /// content at `messages/{id}/content`.
    message: Message,
    /// The exchange that the message belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<Id>,
}

/// Entries that were leased; for the OpenAPI document.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "names the members that `lease` writes")]
pub(crate) struct Leased {
    /// The entries, oldest first; empty if nothing waits.
    items: Vec<InboxEntry>,
}

/// What shall be leased.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewLease {
    /// Only for this public service.
    #[serde(default)]
    service: Option<String>,
    /// Only for this unit.
    #[serde(default)]
    unit: Option<String>,
    /// How long, 1 to 3,600 seconds.
    seconds: u64,
    /// Most entries, 1 to 200; 50 if absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// Why an entry goes back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewReturn {
    /// Stable code of the reason; `message.returned-by-recipient` if absent.
    #[serde(default)]
    rule: Option<String>,
}

/// `GET /inbox`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<InboxQuery>,
) -> Answer {
    let filter =
        InboxFilter { authority: None, service: query.service, unit: query.unit, state: query.state };
    let page = paging::page(query.limit, query.after)?;
    let listed = api.broker.inbox(&caller, &filter, &page).await?;
    let items: Vec<Value> = listed.items.iter().map(shown).collect();
    Ok(paging::answer(&uri, Listed { items, next: listed.next }))
}

/// `POST /inbox/leases`. A repetition with the same key gets the same entries again.
pub(crate) async fn lease(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewLease>,
) -> Answer {
    let new = posted.body;
    let once = posted.once.as_ref();
    if !(1..=3_600).contains(&new.seconds) {
        return Err(model::Error::Invalid { field: "seconds" }.into());
    }
    let limit = paging::size(new.limit).map_err(|_| model::Error::Invalid { field: "limit" })?;
    caller.may(model::Action::UseInbox)?;
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let filter = InboxFilter { authority: None, service: new.service, unit: new.unit, state: None };
    let lease = Duration::from_secs(new.seconds);
    let items = api.broker.lease(&caller, &filter, lease, limit, once).await?;
    let json = json!({ "items": items.iter().map(shown).collect::<Vec<_>>() });
    Ok(answer::replayed(answer::json(&json), replayed))
}

/// `POST /inbox/{id}/confirm`. Confirming again changes nothing.
pub(crate) async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = api.first_answer(&caller, once.as_ref()).await?.is_some();
    let item = api.broker.confirm(&caller, id, once.as_ref()).await?;
    Ok(answer::replayed(answer::json(&shown(&item)), replayed))
}

/// `POST /inbox/{id}/return`. Returning again changes nothing.
pub(crate) async fn give_back(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewReturn>,
) -> Answer {
    let replayed = api.first_answer(&caller, posted.once.as_ref()).await?.is_some();
    let rule = posted.body.rule.as_deref().unwrap_or("message.returned-by-recipient");
    let item = api.broker.give_back(&caller, id, rule, posted.once.as_ref()).await?;
    Ok(answer::replayed(answer::json(&shown(&item)), replayed))
}

fn shown(item: &InboxItem) -> Value {
    let InboxItem { entry, message } = item;
    let mut json = json!({
        "id": entry.id,
        "state": entry.state.name(),
        "unit": entry.unit,
        "message": messages::brief(message),
    });
    for (name, value) in [
        ("publicService", json!(entry.public_service)),
        ("leaseUntil", json!(entry.lease_until)),
        ("exchange", json!(message.exchange)),
    ] {
        if !value.is_null() {
            json[name] = value;
        }
    }
    json
}
