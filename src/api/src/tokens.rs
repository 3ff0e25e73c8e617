//! Tokens of the tenant. Nobody gives away what they do not have: a token sees no more units and services
//! than the one that made it and acts for the same authority, and only such tokens are seen. Whoever sees
//! all units answers for the whole tenant, and so for each of its authorities.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use broker::{NewToken, TokenRow};
use model::rights::Within;
use model::{Action, Authority, Caller, Id, Role, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::Posted;
use crate::params::PathId;
use crate::problem::Problem;

/// A token that shall be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewToken")]
pub(crate) struct Wanted {
    /// What it is for: a system, never a person; 1 to 200 characters.
    name: String,
    /// Roles that it holds.
    roles: Vec<Role>,
    /// Units that it sees.
    units: Within,
    /// Public services that it sees.
    services: Within,
    /// Authority that it acts for: the caller's own, unless the caller sees all units.
    #[serde(default)]
    authority: Option<Authority>,
    /// When it ends by itself.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// Why it is needed, 1 to 500 characters: for whoever has to agree where the house wants four eyes.
    #[serde(default)]
    reason: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub(crate) struct ShownToken {
    /// Identifier, recorded with everything that is done with the token.
    id: Id,
    /// What it is for.
    name: String,
    /// Roles that it holds.
    roles: Vec<Role>,
    /// Units that it sees.
    units: Within,
    /// Public services that it sees.
    services: Within,
    /// Authority whose mailbox it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<Authority>,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    /// The token itself: shown once, when it is made, and kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What somebody else has to agree to before the token is valid, where the house wants four eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Id>,
}

/// All tokens that the caller may see.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenList {
    items: Vec<ShownToken>,
}

/// `GET /tokens`.
pub(crate) async fn list(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Answer {
    let items = api.broker.own_tokens(&caller).await?.into_iter().map(|row| shown(row, None)).collect();
    Ok(answer::json(&TokenList { items }))
}

/// `POST /tokens`. A repetition with the same key makes no second token; it cannot be shown the secret again, so it is
/// answered by a conflict whose `Location` names the token.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<Wanted>,
) -> Answer {
    caller.may(Action::ManageTokens)?;
    let reason = posted.body.reason.clone();
    let new = wanted(posted.body);
    let once = posted.once.as_ref();
    let made = if api.broker.four_eyes() {
        let reason = reason.ok_or(model::Error::Invalid { field: "reason" })?;
        let asked = api.broker.ask_for_token(&caller, new, &reason, once).await;
        asked.map(|(token, approval)| (token, Some(approval.id)))
    } else {
        api.broker.create_token_once(&caller, new, once).await.map(|token| (token, None))
    };
    let (made, approval) = match made {
        Err(error @ broker::Error::AnswerNotKept { subject }) => {
            let response = Problem::from(error).into_response();
            return Ok(answer::created(response, StatusCode::CONFLICT, &format!("/tokens/{subject}")));
        }
        made => made?,
    };
    let id = made.row.id;
    let token = ShownToken { approval, ..shown(made.row, Some(made.secret)) };
    let response = answer::json(&token);
    Ok(answer::created(response, StatusCode::CREATED, &format!("/tokens/{id}")))
}

fn wanted(wanted: Wanted) -> NewToken {
    let Wanted { name, roles, units, services, authority, expires_at, reason: _ } = wanted;
    NewToken { name, roles, units, services, authority, expires_at }
}

/// `DELETE /tokens/{id}`: it ends at once.
pub(crate) async fn revoke(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    api.broker.end_token(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn shown(row: TokenRow, secret: Option<String>) -> ShownToken {
    let TokenRow { id, name, roles, units, services, authority, created_at, expires_at, revoked_at, .. } =
        row;
    let approval = None;
    ShownToken {
        id,
        name,
        roles,
        units,
        services,
        authority,
        created_at,
        expires_at,
        revoked_at,
        secret,
        approval,
    }
}
