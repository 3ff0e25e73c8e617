//! Signing in by a provider of identities (OpenID Connect): there, and back. Nothing that the provider says in an error is shown.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use broker::{GivenRights, LinkBy, Stranger};
use identity::{Back, Known, Pending, Provider};
use maud::{Markup, html};
use model::Role;
use model::rights::Within;
use serde::Deserialize;

use super::cookie::with_session;
use super::to;
use crate::Console;
use crate::page::{self, Look};
use crate::route::{Needs, Route};

/// What a sign-in was begun with. It has to come along from the provider's site, so it is not `Strict`.
const PENDING: &str = "__Host-amtsbote-oidc";
/// How the rest of a cookie is confined, for as long as a sign-in may take.
const FENCE: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=";

/// The provider by whom people sign in, and what that means here.
pub struct Elsewhere {
    /// The provider.
    pub provider: Arc<Provider>,
    /// What stands on the button.
    pub label: String,
    /// Whose users they are.
    pub tenant: String,
    /// By what a person who comes first is taken for a user who is there already.
    pub link: LinkBy,
    /// What members of groups may do; none: rights stand with the users alone.
    pub groups: Vec<GroupRights>,
}

/// What members of a group may do.
#[derive(Debug, Clone)]
pub struct GroupRights {
    /// The group.
    pub group: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Units.
    pub units: Within,
    /// Public services.
    pub services: Within,
}

impl Elsewhere {
    fn stranger(&self, known: Known) -> Stranger {
        let rights = (!self.groups.is_empty()).then(|| self.rights(&known.groups));
        let Known { issuer, subject, email, login, name, .. } = known;
        Stranger { issuer, subject, email, login, name, rights }
    }

    /// Roles hold where they are given and nowhere else: the first entry of a group decides where, and others add roles for the same place.
    fn rights(&self, groups: &[String]) -> GivenRights {
        let mut entries = self.groups.iter().filter(|entry| groups.contains(&entry.group));
        let Some(first) = entries.next() else {
            let none = || Within::Only([].into());
            return GivenRights { roles: vec![], units: none(), services: none() };
        };
        let mut roles = first.roles.clone();
        for entry in entries.filter(|it| it.units == first.units && it.services == first.services) {
            roles.extend(entry.roles.iter().copied());
        }
        roles.sort_unstable_by_key(|role| *role as u8);
        roles.dedup();
        GivenRights { roles, units: first.units.clone(), services: first.services.clone() }
    }
}

/// Pages of signing in elsewhere.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::page("/oidc/start", Needs::Nothing, start),
        Route::page("/oidc/back", Needs::Nothing, back),
        Route::page("/oidc/out", Needs::Nothing, out),
    ]
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
}

/// The way to the provider, for the page on which people sign in; nothing if there is none.
pub(super) fn button(console: &Console, look: &Look, wanted: Option<&str>) -> Markup {
    let Some(elsewhere) = &console.elsewhere else { return html! {} };
    html! { p { a.button href=(look.to(&to::with("/oidc/start", wanted))) { (elsewhere.label) } } }
}

/// The way to sign out at the provider, too; nothing if there is none. A link: forms lead nowhere but here (`form-action`).
pub(super) fn way_out(console: &Console, look: &Look) -> Markup {
    html! { @if console.elsewhere.is_some() {
        p { a.button href=(look.to("/oidc/out")) { (look.of_two("Auch beim Anbieter abmelden", "Sign out at the provider, too")) } }
    } }
}

async fn start(State(console): State<Console>, look: Look, Query(wanted): Query<Wanted>) -> Response {
    let Some(elsewhere) = &console.elsewhere else { return page::missing(&look) };
    let started = match elsewhere.provider.start().await {
        Ok(started) => started,
        Err(error) => return failed(&look, error),
    };
    let wanted = to::own(wanted.to.as_deref()).map_or_else(|| look.to("/"), str::to_owned);
    let to: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    let cookie = format!("{PENDING}={}~{to}{FENCE}600", started.pending.to_cookie());
    match (HeaderValue::from_str(&cookie), HeaderValue::from_str(&started.url)) {
        (Ok(cookie), Ok(url)) => {
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, url)]).into_response()
        }
        _ => failed(&look, identity::Error::Unreachable),
    }
}

async fn back(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    Query(answer): Query<Back>,
) -> Response {
    let Some(elsewhere) = &console.elsewhere else { return page::missing(&look) };
    let mut response = match begun(&headers) {
        Some((pending, to)) => signed_in(&console, elsewhere, &look, (&pending, &answer), &to).await,
        None => failed(&look, identity::Error::State),
    };
    // What a sign-in was begun with ends it once.
    if let Ok(gone) = HeaderValue::from_str(&format!("{PENDING}={FENCE}0")) {
        response.headers_mut().append(SET_COOKIE, gone);
    }
    response
}

async fn signed_in(
    console: &Console,
    elsewhere: &Elsewhere,
    look: &Look,
    (pending, answer): (&Pending, &Back),
    to: &str,
) -> Response {
    let known = match elsewhere.provider.back(pending, answer).await {
        Ok(known) => known,
        Err(error) => return failed(look, error),
    };
    let stranger = elsewhere.stranger(known);
    let sign_in = match console.broker.sign_in_stranger(&elsewhere.tenant, &stranger, elsewhere.link).await {
        Ok(sign_in) => sign_in,
        Err(broker::Error::SignInRefused) => return unknown(look),
        Err(error) => return page::failed(look, &error),
    };
    with_session(Redirect::to(to).into_response(), &sign_in)
}

/// Signs out at the provider, too.
async fn out(State(console): State<Console>, look: Look) -> Response {
    let Some(elsewhere) = &console.elsewhere else { return page::missing(&look) };
    match elsewhere.provider.sign_out_url().await {
        Some(url) => Redirect::to(&url).into_response(),
        None => look.onward("/sign-in"),
    }
}

/// What the browser began, and where it wants to go.
fn begun(headers: &HeaderMap) -> Option<(Pending, String)> {
    let cookie = pages::cookie(headers, PENDING)?;
    let (pending, to) = cookie.split_once('~')?;
    let pairs = format!("to={to}");
    let (_, to) = form_urlencoded::parse(pairs.as_bytes()).next()?;
    Some((Pending::from_cookie(pending)?, to::own(Some(&to))?.to_owned()))
}

fn failed(look: &Look, error: identity::Error) -> Response {
    let code = error.code();
    tracing::info!(code, "a sign-in by the provider failed");
    let sentence = model::catalog::sentence(code);
    let text = format!("{} ({code})", sentence.map_or("", |it| look.of_two(&it.de, &it.en)));
    let status = match error {
        identity::Error::Unreachable => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    };
    refused(look, status, &text)
}

/// The provider knows the person, and the house does not.
fn unknown(look: &Look) -> Response {
    let text = look.of_two(
        "Sie sind beim Anbieter angemeldet, haben hier aber keinen Zugang. Wenden Sie sich an die Benutzerverwaltung Ihres Hauses.",
        "You are signed in at the provider but have no access here. Ask the user administration of your house.",
    );
    refused(look, StatusCode::FORBIDDEN, text)
}

fn refused(look: &Look, status: StatusCode, text: &str) -> Response {
    let title = look.of_two("Die Anmeldung ist nicht gelungen", "Signing in did not succeed");
    let body = html! {
        (page::alert(text))
        p { a href=(look.to("/sign-in")) { (look.of_two("Noch einmal anmelden", "Sign in again")) } }
    };
    page::with_status(look, status, title, &body)
}
