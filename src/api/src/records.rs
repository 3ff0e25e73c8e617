//! What case files, cases, documents and tasks have in common: reading, listing, changing, their time line.

use axum::http::{StatusCode, Uri};
use axum::response::Response;
use broker::{Listed, Once, RecordFilter};
use model::command::{Change, Command};
use model::record::Meta;
use model::{Action, Authority, Caller, Event, Id, Record, RecordKind, Timestamp, ids};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::paging;
use crate::problem::Problem;
use crate::{Api, json};

/// Which records of a list; what is absent does not filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) after: Option<Id>,
    /// State.
    pub(crate) status: Option<String>,
    /// Aktenzeichen.
    pub(crate) record_reference: Option<String>,
    /// Record that it lies in.
    pub(crate) parent: Option<Id>,
    /// Case file (Akte) that it lies in.
    pub(crate) case_file: Option<Id>,
    /// Organisational unit that owns it.
    pub(crate) unit: Option<String>,
    /// Public service (Leistung).
    pub(crate) service: Option<String>,
}

/// A page without further filters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) after: Option<Id>,
}

/// An event of a time line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimelineEntry {
    /// Number in the evidence chain; absent until it is sealed, moments after the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    /// What happened.
    pub(crate) event: Event,
}

/// One record.
pub(crate) async fn read(api: &Api, caller: &Caller, kind: RecordKind, id: Id) -> Answer {
    Ok(answer::record(&api.broker.record(caller, kind, id).await?))
}

/// Records of a kind.
pub(crate) async fn list(
    api: &Api,
    caller: &Caller,
    uri: &Uri,
    kind: RecordKind,
    query: ListQuery,
) -> Answer {
    if query.parent.is_some() && query.case_file.is_some() {
        return Err(Problem::invalid_query("caseFile"));
    }
    let filter = RecordFilter {
        parent: query.parent.or(query.case_file),
        status: query.status,
        record_reference: query.record_reference,
        owner_unit: query.unit,
        service: query.service,
        ..RecordFilter::of(kind)
    };
    let page = paging::page(query.limit, query.after)?;
    Ok(listed(uri, api.broker.records(caller, &filter, &page).await?))
}

/// Records that a filter names.
pub(crate) async fn listed_by(
    api: &Api,
    caller: &Caller,
    uri: &Uri,
    filter: &RecordFilter,
    page: &broker::Page,
) -> Answer {
    Ok(listed(uri, api.broker.records(caller, filter, page).await?))
}

fn listed(uri: &Uri, listed: Listed<Record>) -> Response {
    let items: Vec<Value> = listed.items.iter().map(Record::to_json).collect();
    paging::answer(uri, Listed { items, next: listed.next })
}

/// The documents directly in a record of `kind`.
pub(crate) async fn documents_of(
    api: &Api,
    caller: &Caller,
    uri: &Uri,
    (kind, id): (RecordKind, Id),
    query: PageQuery,
) -> Answer {
    api.broker.record(caller, kind, id).await?;
    let filter = RecordFilter { parent: Some(id), ..RecordFilter::of(RecordKind::Document) };
    let page = paging::page(query.limit, query.after)?;
    Ok(listed(uri, api.broker.records(caller, &filter, &page).await?))
}

/// What happened to a record of `kind`.
pub(crate) async fn timeline(
    api: &Api,
    caller: &Caller,
    uri: &Uri,
    (kind, id): (RecordKind, Id),
    query: PageQuery,
) -> Answer {
    api.broker.record(caller, kind, id).await?;
    let page = paging::page(query.limit, query.after)?;
    let events = api.broker.record_timeline(caller, id, &page).await?;
    Ok(timeline_page(caller, uri, events, page.limit))
}

/// Events as a page. A full page may have another one behind it.
pub(crate) fn timeline_page(
    caller: &Caller,
    uri: &Uri,
    events: Vec<(Option<u64>, Event)>,
    limit: u32,
) -> Response {
    let next = events.last().map(|(_, event)| event.id).filter(|_| events.len() >= limit as usize);
    let items =
        events.into_iter().map(|(number, event)| TimelineEntry { number, event: shown(caller, event) });
    paging::answer(uri, Listed { items: items.collect(), next })
}

/// An event as the caller may see it: what changed in a record is content of the record.
pub(crate) fn shown(caller: &Caller, event: Event) -> Event {
    if caller.may(Action::ReadCases).is_ok() {
        return event;
    }
    Event { changes: None, ..event }
}

/// Identity and ownership of a new record, which takes from its parent what is not said. Whoever acts for an
/// authority names no other one.
pub(crate) fn new_meta(
    caller: &Caller,
    authority: Option<Authority>,
    unit: Option<String>,
    public_service: Option<String>,
    parent: Option<&Record>,
) -> Result<Meta, Problem> {
    if let (Some(own), Some(named)) = (&caller.authority, &authority)
        && own != named
    {
        return Err(model::Error::Forbidden.into());
    }
    let id = ids::new_id();
    let parent = parent.map(Record::meta);
    if let (Some(parent), Some(authority)) = (parent, &authority)
        && parent.authority != *authority
    {
        return Err(model::Error::Invalid { field: "authority" }.into());
    }
    let authority = authority.or_else(|| parent.map(|parent| parent.authority.clone()));
    let authority = authority.or_else(|| caller.authority.clone()).ok_or(broker::Error::NoAuthority)?;
    let unit = unit.or_else(|| parent.map(|parent| parent.unit.clone()));
    let public_service = public_service.or_else(|| parent.and_then(|parent| parent.public_service.clone()));
    if public_service.as_ref().is_some_and(|service| !ids::is_name(service)) {
        return Err(model::Error::Invalid { field: "publicService" }.into());
    }
    Ok(Meta {
        id,
        tenant: caller.scope.tenant.clone(),
        authority,
        unit: unit.ok_or(model::Error::Invalid { field: "unit" })?,
        public_service,
        root: parent.map_or(id, |parent| parent.root),
        version: 0,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    })
}

/// Brings a record into being.
pub(crate) async fn create(api: &Api, caller: &Caller, record: Record, once: Option<Once>) -> Answer {
    let (kind, id) = (record.kind(), record.meta().id);
    let change = Change::Create(Box::new(record));
    let command = Command { kind, id, expected: None, change };
    let (record, replayed) = submit(api, caller, command, once).await?;
    let path = answer::path_of(&record);
    let response = answer::created(answer::record(&record), StatusCode::CREATED, &path);
    Ok(answer::replayed(response, replayed))
}

/// Changes a record.
pub(crate) async fn change(
    api: &Api,
    caller: &Caller,
    (kind, id): (RecordKind, Id),
    expected: Option<u64>,
    once: Option<Once>,
    change: Change,
) -> Answer {
    let command = Command { kind, id, expected, change };
    let (record, replayed) = submit(api, caller, command, once).await?;
    Ok(answer::replayed(answer::record(&record), replayed))
}

/// Applies a merge patch to a record, whose type `known` names the members of.
pub(crate) async fn amend(
    api: &Api,
    caller: &Caller,
    (kind, id): (RecordKind, Id),
    expected: Option<u64>,
    known: &std::collections::BTreeSet<String>,
    patch: Value,
) -> Answer {
    let unknown = patch.as_object().and_then(|members| members.keys().find(|name| !known.contains(*name)));
    if let Some(unknown) = unknown {
        return Err(Problem::invalid_body(json::pointer([unknown.as_str()].into_iter())));
    }
    change(api, caller, (kind, id), expected, None, Change::Amend(patch)).await
}

/// Carries a command out, or finds that it was carried out before under the same key.
async fn submit(
    api: &Api,
    caller: &Caller,
    command: Command,
    once: Option<Once>,
) -> Result<(Record, bool), Problem> {
    let replayed = api.first_answer(caller, once.as_ref()).await?.is_some();
    let expected = command.expected;
    let outcome = api.broker.submit(caller, command, once.as_ref()).await;
    outcome.map(|record| (record, replayed)).map_err(|error| Problem::from(error).if_expected(expected))
}

impl Api {
    /// The answer that was given to this request before, if it comes again.
    pub(crate) async fn first_answer(
        &self,
        caller: &Caller,
        once: Option<&Once>,
    ) -> Result<Option<Value>, Problem> {
        match once {
            Some(_) => Ok(self.broker.answered(caller, once).await?),
            None => Ok(None),
        }
    }
}
