//! Channels: what adapters (DMS, workflow, post) do not have yet of what happened to records, and what they call the records.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use broker::{ChannelDelivery, ChannelFilter, Listed};
use model::event::Subject;
use model::{Caller, EventKind, Id, RecordKind, Timestamp, catalog};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{self, Answer};
use crate::body::Plain;
use crate::params::{Params, PathId};
use crate::{Api, paging};

/// Which deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeliveryQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// To this adapter.
    adapter: Option<String>,
    /// `true`: what waits for a human; `false`: what waits for its turn.
    parked: Option<bool>,
    /// Of the tree of this topmost case file or case.
    root: Option<Id>,
}

/// Something that an adapter is to be told and does not have yet.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ChannelDelivery")]
pub(crate) struct Shown {
    /// Identifier, as the adapter knows it.
    id: Id,
    /// The adapter.
    adapter: String,
    /// What happened.
    event: EventKind,
    /// To which record.
    record: Subject,
    /// Topmost record of its tree.
    root: Id,
    /// Number of the event in the evidence chain.
    event_number: u64,
    /// When the event was.
    since: Timestamp,
    /// Why it waits for a human; absent: it waits for its turn, or for a better time.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<Reason>,
    /// The task on the desk of the record's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Id>,
}

/// Why something waits for a human.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedBecause")]
pub(crate) struct Reason {
    /// Stable code.
    code: String,
    /// What is wrong and what to do, in English.
    en: String,
    /// The same in German.
    de: String,
}

/// What an adapter's other side calls a record.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RecordLink")]
pub(crate) struct ShownLink {
    /// The adapter.
    adapter: String,
    /// Kind of the record.
    kind: RecordKind,
    /// The record.
    record: Id,
    /// Which part of it, such as the name of a file; absent: the whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    /// The other side's identifier.
    reference: String,
}

/// All names of a record elsewhere.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordLinks")]
pub(crate) struct LinkList {
    items: Vec<ShownLink>,
}

/// `GET /channel-deliveries`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<DeliveryQuery>,
) -> Answer {
    let DeliveryQuery { limit, after, adapter, parked, root } = query;
    let filter = ChannelFilter { adapter, parked, root };
    let listed = api.broker.channel_deliveries(&caller, &filter, &paging::page(limit, after)?).await?;
    let items = listed.items.into_iter().map(shown).collect();
    Ok(paging::answer::<Shown>(&uri, Listed { items, next: listed.next }))
}

/// `GET /channel-deliveries/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    Ok(answer::json(&shown(api.broker.channel_delivery(&caller, id).await?)))
}

/// `POST /channel-deliveries/{id}/resend`.
pub(crate) async fn resend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = api.first_answer(&caller, once.as_ref()).await?.is_some();
    api.broker.resend_channel(&caller, id, once.as_ref()).await?;
    Ok(answer::replayed(nothing(), replayed))
}

/// `POST /channel-deliveries/{id}/drop`.
pub(crate) async fn drop_it(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = api.first_answer(&caller, once.as_ref()).await?.is_some();
    api.broker.drop_channel(&caller, id, once.as_ref()).await?;
    Ok(answer::replayed(nothing(), replayed))
}

fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /links/{id}`.
pub(crate) async fn links(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let links = api.broker.links(&caller, id).await?;
    let shown = |(adapter, link): (String, model::adapter::Link)| ShownLink {
        adapter,
        kind: link.kind,
        record: link.record,
        part: link.part,
        reference: link.reference,
    };
    Ok(answer::json(&LinkList { items: links.into_iter().map(shown).collect() }))
}

fn shown(row: ChannelDelivery) -> Shown {
    let reason = |code: String| {
        let sentence = catalog::sentence(&code);
        let (en, de) =
            sentence.map_or((code.clone(), code.clone()), |it| (it.en.to_string(), it.de.to_string()));
        Reason { code, en, de }
    };
    Shown {
        id: row.id,
        adapter: row.adapter,
        event: row.event,
        record: Subject { kind: row.kind, id: row.record },
        root: row.root,
        event_number: row.number,
        since: row.created_at,
        parked: row.parked.map(reason),
        task: row.task,
    }
}
