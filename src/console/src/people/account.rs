//! `/account`: one's own account: what the roles allow, password, second factor, sessions.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use broker::{Error, OwnSession, SignedIn, User};
use maud::{Markup, html};

use super::said;
use super::set_up::{differ, new_password};
use super::sign_in::refused;
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::{COOKIE, Visit};

/// The session of a request; `None` if who visits was recognised otherwise.
pub(super) async fn session(console: &Console, headers: &HeaderMap) -> Result<Option<SignedIn>, Error> {
    match pages::cookie(headers, COOKIE) {
        Some(token) => console.broker.visit(token).await,
        None => Ok(None),
    }
}

/// `GET /account`.
pub(super) async fn page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let done = query.as_deref().and_then(|it| done(&look, it));
    let above = html! { @if let Some(done) = done { (page::done(done)) } };
    match body(&console, &look, &visit, &headers, &above).await {
        Ok(body) => page::page(&look, look.of_two("Mein Konto", "My account"), &body),
        Err(error) => page::failed(&look, &error),
    }
}

fn done<'a>(look: &Look, query: &str) -> Option<&'a str> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, what) = pairs.find(|(name, _)| name == "done")?;
    Some(match what.as_ref() {
        "password" => look.of_two(
            "Das Kennwort ist geändert; andere Anmeldungen sind beendet.",
            "The password is changed; other sessions are ended.",
        ),
        "sessions" => look.of_two("Andere Anmeldungen sind beendet.", "Other sessions are ended."),
        "codes" => look.of_two("Der zweite Faktor ist entfernt.", "The second factor is removed."),
        _ => return None,
    })
}

async fn body(
    console: &Console,
    look: &Look,
    visit: &Visit,
    headers: &HeaderMap,
    above: &Markup,
) -> Result<Markup, Error> {
    let session = session(console, headers).await?;
    let sessions = match &session {
        Some(session) => console.broker.own_sessions(session).await?,
        None => vec![],
    };
    let caller = &visit.caller;
    Ok(html! {
        (above)
        (page::help(look, &html! { p { (look.of_two(
            "Ihr eigenes Konto: was Ihre Rollen erlauben, Ihr Kennwort, Ihr zweiter Faktor und wo Sie angemeldet sind. Rechte ändert die \
             Benutzerverwaltung; beenden Sie Anmeldungen, die nicht von Ihnen sind, und ändern Sie dann Ihr Kennwort.",
            "Your own account: what your roles allow, your password, your second factor, and where you are signed in. Rights are changed by \
             the user administration; end sessions that are not yours, and then change your password.",
        )) } }))
        section.card {
            h2 { (visit.name) }
            dl {
                @if let Some(session) = &session {
                    dt { (look.of_two("Anmeldename", "Login name")) } dd { (session.user.login) }
                }
                dt { (look.of_two("Organisationseinheiten", "Organisational units")) } dd { (said::within(look, &caller.scope.units)) }
                dt { (look.of_two("Leistungen", "Public services")) } dd { (said::within(look, &caller.scope.services)) }
                @if let Some(authority) = &caller.authority { dt { (look.of_two("Behörde", "Authority")) } dd { (authority) } }
            }
            h3 { (look.of_two("Was meine Rollen erlauben", "What my roles allow")) }
            (said::roles(look, &caller.roles))
        }
        @if let Some(session) = &session {
            @if session.user.has_password { (password_form(look)) (codes(console, look, &session.user)) }
            (sessions_of(look, &sessions))
        }
    })
}

fn password_form(look: &Look) -> Markup {
    html! {
        h2 { (look.of_two("Kennwort ändern", "Change password")) }
        form method="post" action=(look.to("/account/password")) {
            (look.form_token())
            label for="now" { (look.of_two("Bisheriges Kennwort", "Password of now")) }
            input #now type="password" name="now" autocomplete="current-password" required maxlength="1000";
            (new_password(look))
            button type="submit" { (look.of_two("Kennwort ändern", "Change password")) }
        }
    }
}

fn codes(console: &Console, look: &Look, user: &User) -> Markup {
    html! {
        section.card {
            h2 { (look.of_two("Zweiter Faktor", "Second factor")) }
            @if user.has_totp {
                p { (look.of_two("Eingerichtet. Übrige Wiederherstellungscodes: ", "Set up. Recovery codes left: ")) (user.recovery_left) }
            } @else { p { (look.of_two("Nicht eingerichtet.", "Not set up.")) } }
            @if console.broker.needs_totp(&user.roles) {
                p.hint { (look.of_two("Ihre Rollen verlangen ihn.", "Your roles need it.")) }
            }
            p { a.button href=(look.to("/account/codes")) { (look.of_two("Zweiten Faktor verwalten", "Manage second factor")) } }
        }
    }
}

fn sessions_of(look: &Look, sessions: &[OwnSession]) -> Markup {
    html! {
        h2 { (look.of_two("Anmeldungen", "Sessions")) }
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Anmeldungen", "Sessions")) {
            table {
                thead { tr {
                    th scope="col" { (look.of_two("Seit", "Since")) }
                    th scope="col" { (look.of_two("Zuletzt benutzt", "Last used")) }
                    th scope="col" { (look.of_two("Endet spätestens", "Ends at the latest")) }
                } }
                tbody { @for it in sessions { tr {
                    td { (said::when(look, it.begun)) @if it.is_this { " " span.state.good { (look.of_two("diese", "this one")) } } }
                    td { (said::when(look, it.seen)) }
                    td { (said::when(look, it.ends)) }
                } } }
            }
        }
        @if sessions.len() > 1 {
            form method="post" action=(look.to("/account/sessions/end")) {
                (look.form_token())
                button.grave type="submit" { (look.of_two("Alle anderen beenden", "End all others")) }
            }
        }
    }
}

/// `POST /account/password`.
pub(super) async fn password(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let title = look.of_two("Mein Konto", "My account");
    let session = match session(&console, &headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return page::missing(&look),
        Err(error) => return page::failed(&look, &error),
    };
    let alert = if fields.exact("new") == fields.exact("again") {
        match console.broker.change_password(&session, fields.exact("now"), fields.exact("new")).await {
            Ok(()) => return look.onward("/account?done=password"),
            Err(error) if error.is_ours() => return page::failed(&look, &error),
            Err(error) => page::explained(&look, &error),
        }
    } else {
        differ(&look).to_owned()
    };
    match body(&console, &look, &visit, &headers, &page::alert(&alert)).await {
        Ok(body) => page::with_status(&look, axum::http::StatusCode::UNPROCESSABLE_ENTITY, title, &body),
        Err(error) => refused(&look, &error, title, &html! {}),
    }
}

/// `POST /account/sessions/end`.
pub(super) async fn end_sessions(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    _: Form,
) -> Response {
    let outcome = match session(&console, &headers).await {
        Ok(Some(session)) => console.broker.end_other_sessions(&session).await,
        Ok(None) => return page::missing(&look),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => look.onward("/account?done=sessions"),
        Err(error) => page::failed(&look, &error),
    }
}
