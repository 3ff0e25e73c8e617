//! `/sign-in`: login and password, then a code; and signing out.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use broker::{Error, Next, SignIn};
use maud::{Markup, html};

use super::cookie::{with_session, without_session};
use super::oidc;
use super::other_ways::other_ways;
use super::to;
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::COOKIE;

/// `GET /sign-in`.
pub(super) async fn page(State(console): State<Console>, look: Look, RawQuery(query): RawQuery) -> Response {
    let wanted = to::of_query(query.as_deref());
    if look.visit.is_some() {
        return to::onward(&look, wanted.as_deref());
    }
    let is_out = query.as_deref().is_some_and(|it| it.split('&').any(|pair| pair == "out=1"));
    let body = html! {
        @if is_out { (signed_out(&console, &look)) }
        (form(&console, &look, wanted.as_deref(), None))
    };
    page::page(&look, title(&look), &body)
}

fn title(look: &Look) -> &'static str {
    look.of_two("Anmelden", "Sign in")
}

/// What whoever has signed out is told. At the provider somebody else could still go on, at a shared place of work.
fn signed_out(console: &Console, look: &Look) -> Markup {
    html! {
        (page::done(look.of_two("Sie sind abgemeldet.", "You are signed out.")))
        (oidc::way_out(console, look))
    }
}

fn form(console: &Console, look: &Look, wanted: Option<&str>, error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        form.card method="post" action=(look.to("/sign-in")) {
            (look.form_token())
            @if let Some(wanted) = wanted { input type="hidden" name="to" value=(wanted); }
            label for="login" { (look.of_two("Anmeldename", "Login name")) }
            input #login type="text" name="login" autocomplete="username" autocapitalize="none" spellcheck="false"
                required maxlength="64";
            label for="password" { (look.of_two("Kennwort", "Password")) }
            input #password type="password" name="password" autocomplete="current-password" required maxlength="1000";
            button.main type="submit" { (look.of_two("Anmelden", "Sign in")) }
        }
        (other_ways(console, look, wanted))
        p { a href=(look.to("/welcome")) {
            (look.of_two("Zum ersten Mal hier, mit einem Einrichtungscode", "Here for the first time, with an initial secret"))
        } }
    }
}

/// `POST /sign-in`.
pub(super) async fn act(
    State(console): State<Console>,
    look: Look,
    to::Origin(origin): to::Origin,
    fields: Form,
) -> Response {
    let wanted = to::own(fields.given("to"));
    let outcome =
        console.broker.sign_in(fields.field("login"), fields.exact("password"), origin.as_deref()).await;
    match outcome {
        Ok(session) => next(&look, wanted, &session),
        Err(error) => {
            let body = form(&console, &look, wanted, Some(&error));
            refused(&look, &error, title(&look), &body)
        }
    }
}

/// Where one goes on with a session.
pub(super) fn next(look: &Look, wanted: Option<&str>, session: &SignIn) -> Response {
    let response = match session.next {
        Next::Open => to::onward(look, wanted),
        Next::Code => look.onward(&to::with("/sign-in/code", wanted)),
        Next::SetUp => look.onward(&to::with("/set-up", wanted)),
    };
    with_session(response, session)
}

/// The page again, with what is wrong. If it is the gateway's fault, that is said instead.
pub(super) fn refused(look: &Look, error: &Error, title: &str, body: &Markup) -> Response {
    if error.is_ours() {
        return page::failed(look, error);
    }
    page::with_status(look, StatusCode::UNPROCESSABLE_ENTITY, title, body)
}

/// `GET /sign-in/code`.
pub(super) async fn code_page(look: Look, RawQuery(query): RawQuery) -> Response {
    let wanted = to::of_query(query.as_deref());
    let body = code_form(&look, wanted.as_deref(), None);
    page::page(&look, code_title(&look), &body)
}

fn code_title(look: &Look) -> &'static str {
    look.of_two("Code eingeben", "Enter your code")
}

fn code_form(look: &Look, wanted: Option<&str>, error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        form.card method="post" action=(look.to("/sign-in/code")) {
            (look.form_token())
            @if let Some(wanted) = wanted { input type="hidden" name="to" value=(wanted); }
            label for="code" { (look.of_two("Sechsstelliger Code", "Six-digit code")) }
            p.hint #code-hint { (look.of_two(
                "Aus der App auf Ihrem Gerät. Ist das Gerät verloren, geht auch ein Wiederherstellungscode.",
                "From the app on your device. If the device is lost, a recovery code will do as well.",
            )) }
            input #code type="text" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false"
                aria-describedby="code-hint" required maxlength="40";
            button.main type="submit" { (look.of_two("Anmelden", "Sign in")) }
        }
        p { a href=(look.to("/sign-in")) { (look.of_two("Von vorn beginnen", "Start over")) } }
    }
}

/// `POST /sign-in/code`.
pub(super) async fn code_act(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    to::Origin(origin): to::Origin,
    fields: Form,
) -> Response {
    let wanted = to::own(fields.given("to"));
    let Some(token) = pages::cookie(&headers, COOKIE) else { return look.onward("/sign-in") };
    match console.broker.sign_in_code(token, fields.field("code"), origin.as_deref()).await {
        Ok(session) => next(&look, wanted, &session),
        Err(error) => refused(&look, &error, code_title(&look), &code_form(&look, wanted, Some(&error))),
    }
}

/// `POST /sign-out`.
pub(super) async fn out(State(console): State<Console>, look: Look, headers: HeaderMap, _: Form) -> Response {
    let Some(token) = pages::cookie(&headers, COOKIE) else { return look.onward("/sign-in") };
    match console.broker.sign_out(token).await {
        Ok(()) => without_session(look.onward("/sign-in?out=1")),
        Err(error) => page::failed(&look, &error),
    }
}
