//! `/account/codes`: one's own second factor.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use broker::{Error, SignedIn, TotpOffer};
use maud::{Markup, html};

use super::account::session;
use super::set_up::{recovery_codes, scan};
use super::sign_in::refused;
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};

/// `GET /account/codes`.
pub(super) async fn page(State(console): State<Console>, look: Look, headers: HeaderMap) -> Response {
    match offered(&console, &look, &headers).await {
        Ok((who, offer)) => page::page(&look, title(&look), &body(&console, &look, &who, &offer, None)),
        Err(response) => response,
    }
}

fn title(look: &Look) -> &'static str {
    look.of_two("Zweiter Faktor", "Second factor")
}

/// Who visits, and what codes can be made of from now on.
async fn offered(
    console: &Console,
    look: &Look,
    headers: &HeaderMap,
) -> Result<(SignedIn, TotpOffer), Response> {
    let who = who(console, look, headers).await?;
    let offer = console.broker.offer_totp(&who).await.map_err(|error| page::failed(look, &error))?;
    Ok((who, offer))
}

/// Who visits by a session with a password.
async fn who(console: &Console, look: &Look, headers: &HeaderMap) -> Result<SignedIn, Response> {
    match session(console, headers).await {
        Ok(Some(who)) if who.user.has_password => Ok(who),
        Ok(_) => Err(page::missing(look)),
        Err(error) => Err(page::failed(look, &error)),
    }
}

fn body(console: &Console, look: &Look, who: &SignedIn, offer: &TotpOffer, error: Option<&Error>) -> Markup {
    let user = &who.user;
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        (page::help(look, &html! { p { (look.of_two(
            "Ein Code aus einer App auf Ihrem Telefon, der beim Anmelden nach dem Kennwort gefragt wird: Wer nur das Kennwort kennt, kommt nicht \
             hinein. Geht das Gerät verloren, hilft ein Wiederherstellungscode; jeder gilt einmal.",
            "A code of an app on your telephone that is asked for after the password: whoever knows the password alone does not get in. If the \
             device is lost, a recovery code helps; each is good for once.",
        )) } }))
        @if user.has_totp {
            p { (look.of_two(
                "Ein zweiter Faktor ist eingerichtet. Mit einem neuen Gerät richten Sie ihn neu ein; der alte gilt dann nicht mehr.",
                "A second factor is set up. With a new device you set it up anew; the old one is then no longer valid.",
            )) }
        }
        form method="post" action=(look.to("/account/codes")) {
            (look.form_token())
            (scan(look, offer))
            (password(look, "password-new"))
            button.main type="submit" { (look.of_two("Einrichten", "Set up")) }
        }
        @if user.has_totp {
            h2 { (look.of_two("Wiederherstellungscodes", "Recovery codes")) }
            p { (look.of_two("Übrig: ", "Left: ")) (user.recovery_left) }
            form method="post" action=(look.to("/account/recovery")) {
                (look.form_token())
                (password(look, "password-recovery"))
                button type="submit" { (look.of_two("Neue Codes, die alten verfallen", "New codes, the old ones are void")) }
            }
            @if !console.broker.needs_totp(&user.roles) {
                h2 { (look.of_two("Entfernen", "Remove")) }
                form method="post" action=(look.to("/account/codes/remove")) {
                    (look.form_token())
                    (password(look, "password-remove"))
                    button.grave type="submit" { (look.of_two("Zweiten Faktor entfernen", "Remove second factor")) }
                }
            }
        }
    }
}

fn password(look: &Look, id: &str) -> Markup {
    html! {
        label for=(id) { (look.of_two("Ihr Kennwort", "Your password")) }
        input id=(id) type="password" name="password" autocomplete="current-password" required maxlength="1000";
    }
}

/// `POST /account/codes`.
pub(super) async fn confirm(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let who = match who(&console, &look, &headers).await {
        Ok(who) => who,
        Err(response) => return response,
    };
    let outcome = console.broker.confirm_totp(&who, fields.exact("password"), fields.field("code")).await;
    shown(&console, &look, &headers, outcome).await
}

/// `POST /account/recovery`.
pub(super) async fn recovery(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let who = match who(&console, &look, &headers).await {
        Ok(who) => who,
        Err(response) => return response,
    };
    let outcome = console.broker.new_recovery_codes(&who, fields.exact("password")).await;
    shown(&console, &look, &headers, outcome).await
}

async fn shown(
    console: &Console,
    look: &Look,
    headers: &HeaderMap,
    outcome: Result<Vec<String>, Error>,
) -> Response {
    match outcome {
        Ok(codes) => page::page(look, title(look), &recovery_codes(look, &codes, &look.to("/account"))),
        Err(error) => again(console, look, headers, &error).await,
    }
}

async fn again(console: &Console, look: &Look, headers: &HeaderMap, error: &Error) -> Response {
    match offered(console, look, headers).await {
        Ok((who, offer)) => {
            refused(look, error, title(look), &body(console, look, &who, &offer, Some(error)))
        }
        Err(response) => response,
    }
}

/// `POST /account/codes/remove`.
pub(super) async fn remove(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let who = match who(&console, &look, &headers).await {
        Ok(who) => who,
        Err(response) => return response,
    };
    match console.broker.remove_totp(&who, fields.exact("password")).await {
        Ok(()) => look.onward("/account?done=codes"),
        Err(error) => again(&console, &look, &headers, &error).await,
    }
}
