//! Partners of the tenant, and what authorities can take.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{DoneOrAsked, Partner, Wanted};
use model::directory::Way;
use model::{Action, Authority, Caller, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::body::Json;
use crate::params::{IfMatch, Params, PathName};
use crate::problem::Problem;
use crate::{Api, approvals};

/// A partner as its administrator states it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PartnerStatement")]
pub(crate) struct Stated {
    /// Authority, if it is one.
    #[serde(default)]
    authority: Option<Authority>,
    /// Name, 1 to 200 characters.
    name: String,
    /// How it is reached and what is agreed with it: an object.
    #[serde(default)]
    settings: Value,
    /// Why, 1 to 500 characters: for whoever has to agree where the house wants four eyes.
    #[serde(default)]
    reason: Option<String>,
}

/// A partner.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Partner")]
pub(crate) struct ShownPartner {
    /// Identifier within the tenant.
    id: String,
    /// Authority, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<Authority>,
    /// Name.
    name: String,
    /// How it is reached and what is agreed with it.
    settings: Value,
    /// Counts the changes, from 1.
    version: u64,
    /// When it changed last.
    updated_at: Timestamp,
}

/// All partners: a county has dozens, not thousands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PartnerList {
    items: Vec<ShownPartner>,
}

/// For what something shall be sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CapabilityQuery {
    /// Public service (Leistung): what is agreed for it counts, too.
    service: Option<String>,
    /// Authority of this gateway that would send; the default is the caller's own.
    from: Option<Authority>,
    /// Size of what would be sent.
    bytes: Option<u64>,
}

/// What an authority can take, and how much.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Capabilities {
    /// The authority.
    authority: Authority,
    /// Its name.
    name: String,
    /// Transport by which it is reached, such as `local`: that of the first of its ways that can be used now.
    transport: &'static str,
    /// Message standards that it reads, newest first.
    reads: Vec<Reads>,
    /// Largest message that is sent to it, in bytes: what it takes, or less if so agreed with it (`mostBytes` in the settings
    /// of a partner with its key, also under `services`).
    most_bytes: u64,
    /// Whether any of its ways can be used now. If not, what stands above is that of the first.
    usable: bool,
    /// All ways to it, the preferred one first.
    ways: Vec<ShownWay>,
}

/// A way to an authority.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "WayToAuthority")]
pub(crate) struct ShownWay {
    /// Transport: `local`, `adapter`, `osci` or `xta`.
    transport: &'static str,
    /// Who knows it: `house`, `configuration`, `imported` or `dvdv`.
    source: &'static str,
    /// Message standards that are read there, newest first.
    reads: Vec<Reads>,
    /// Largest message, in bytes.
    most_bytes: u64,
    /// When the first certificate that it needs ends, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates_until: Option<Timestamp>,
    /// Whether it is the one that would be used now.
    used: bool,
    /// The code of the rule by which it cannot be used now.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<&'static str>,
}

/// A version of a message standard.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StandardVersion")]
pub(crate) struct Reads {
    /// Name, such as `xdomea`.
    standard: String,
    /// Version, such as `3.1.0`.
    version: String,
}

/// `GET /partners`.
pub(crate) async fn list(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Answer {
    let partners = api.broker.partners(&caller).await?;
    Ok(answer::json(&PartnerList { items: partners.into_iter().map(shown).collect() }))
}

/// `GET /partners/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(id): PathName,
) -> Answer {
    let found = find(&api, &caller, &id).await?.ok_or_else(Problem::not_found)?;
    Ok(tagged(found))
}

/// `PUT /partners/{id}`: creates one, or changes the version that `If-Match` names.
pub(crate) async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(id): PathName,
    IfMatch(expected): IfMatch,
    Json(stated): Json<Stated>,
) -> Answer {
    caller.may(Action::ManagePartners)?;
    if !(1..=200).contains(&stated.name.chars().count()) {
        return Err(model::Error::Invalid { field: "name" }.into());
    }
    if !stated.settings.is_object() && !stated.settings.is_null() {
        return Err(model::Error::Invalid { field: "settings" }.into());
    }
    let before = find(&api, &caller, &id).await?;
    let version = match (&before, expected) {
        (None, None) => 1,
        (None, Some(_)) => return Err(Problem::not_found()),
        (Some(_), None) => {
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "api.if-match-missing"));
        }
        (Some(known), Some(seen)) if known.version != seen => {
            return Err(Problem::from(model::Error::VersionConflict).if_expected(expected));
        }
        (Some(_), Some(seen)) => seen + 1,
    };
    let partner = Partner {
        id,
        tenant: caller.scope.tenant.clone(),
        authority: stated.authority,
        name: stated.name,
        settings: stated.settings,
        version,
        updated_at: Timestamp::default(),
    };
    let put = api.broker.put_partner_or_ask(&caller, partner, stated.reason.as_deref()).await;
    let partner = match put.map_err(|error| Problem::from(error).if_expected(expected))? {
        DoneOrAsked::Done(partner) => partner,
        DoneOrAsked::Asked(asked) => return Ok(approvals::asked(&api, *asked)),
    };
    let path = format!("/partners/{}", partner.id);
    let response = tagged(partner);
    Ok(if before.is_none() { answer::created(response, StatusCode::CREATED, &path) } else { response })
}

/// `GET /capabilities/{authority}`.
pub(crate) async fn capabilities(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(key): PathName,
    Params(query): Params<CapabilityQuery>,
) -> Answer {
    let authority: Authority = key.parse().map_err(|_| Problem::not_found())?;
    let from = query.from.as_ref().or(caller.authority.as_ref());
    let wanted = Wanted { from, service: query.service.as_deref(), bytes: query.bytes };
    let ways = match api.broker.capabilities(&caller, &authority, wanted).await {
        Err(broker::Error::UnknownAuthority) => return Err(Problem::not_found()),
        outcome => outcome?,
    };
    let used = ways.iter().position(Way::is_usable);
    let Some(best) = ways.get(used.unwrap_or_default()) else { return Err(Problem::not_found()) };
    Ok(answer::json(&Capabilities {
        authority,
        name: best.reach.name.clone(),
        transport: best.reach.transport.name(),
        reads: reads(best),
        most_bytes: best.reach.most_bytes,
        usable: used.is_some(),
        ways: ways.iter().enumerate().map(|(at, way)| shown_way(way, used == Some(at))).collect(),
    }))
}

fn shown_way(way: &Way, used: bool) -> ShownWay {
    ShownWay {
        transport: way.reach.transport.name(),
        source: way.reach.source.name(),
        reads: reads(way),
        most_bytes: way.reach.most_bytes,
        certificates_until: way.until,
        used,
        obstacle: way.obstacle,
    }
}

fn reads(way: &Way) -> Vec<Reads> {
    let version = |(standard, version): &(String, String)| Reads {
        standard: standard.clone(),
        version: version.clone(),
    };
    way.reach.reads.iter().map(version).collect()
}

async fn find(api: &Api, caller: &Caller, id: &str) -> Result<Option<Partner>, Problem> {
    Ok(api.broker.partners(caller).await?.into_iter().find(|partner| partner.id == id))
}

fn shown(partner: Partner) -> ShownPartner {
    let Partner { id, authority, name, settings, version, updated_at, .. } = partner;
    ShownPartner { id, authority, name, settings, version, updated_at }
}

fn tagged(partner: Partner) -> Response {
    let version = partner.version;
    let mut response = answer::json(&shown(partner));
    answer::tag(&mut response, version);
    response
}
