//! `/welcome` and `/set-up`: how a new user comes to a password and codes.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use broker::{Error, SetUp, TotpOffer};
use maud::{Markup, PreEscaped, html};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use super::cookie::with_session;
use super::sign_in::{next, refused};
use super::to;
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::COOKIE;

/// `GET /welcome`.
pub(super) async fn welcome(look: Look) -> Response {
    page::page(&look, welcome_title(&look), &welcome_form(&look, None))
}

fn welcome_title(look: &Look) -> &'static str {
    look.of_two("Willkommen", "Welcome")
}

fn welcome_form(look: &Look, error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        p.lead { (look.of_two(
            "Ihre Benutzerverwaltung hat Ihnen einen Einrichtungscode gegeben. Damit legen Sie Ihr Kennwort und, wenn Ihre Aufgaben es \
             verlangen, einen zweiten Faktor fest.",
            "Your user administration has given you an initial secret. With it you set your password and, if your tasks need it, a \
             second factor.",
        )) }
        form.card method="post" action=(look.to("/welcome")) {
            (look.form_token())
            label for="secret" { (look.of_two("Einrichtungscode", "Initial secret")) }
            input #secret type="text" name="secret" autocomplete="off" autocapitalize="none" spellcheck="false" required maxlength="100";
            button.main type="submit" { (look.of_two("Weiter", "Continue")) }
        }
    }
}

/// `POST /welcome`.
pub(super) async fn welcome_act(State(console): State<Console>, look: Look, fields: Form) -> Response {
    match console.broker.begin_set_up(fields.field("secret")).await {
        Ok(session) => next(&look, None, &session),
        Err(error) => refused(&look, &error, welcome_title(&look), &welcome_form(&look, Some(&error))),
    }
}

/// `GET /set-up`.
pub(super) async fn page(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = to::of_query(query.as_deref());
    match console.broker.set_up_wanted(pages::cookie(&headers, COOKIE).unwrap_or_default()).await {
        Ok(it) => page::page(&look, title(&look), &form(&look, &it, wanted.as_deref(), None)),
        Err(Error::SetUpOver) => look.onward("/sign-in"),
        Err(error) => page::failed(&look, &error),
    }
}

fn title(look: &Look) -> &'static str {
    look.of_two("Zugang einrichten", "Set up your access")
}

fn form(look: &Look, it: &SetUp, wanted: Option<&str>, error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        p { (it.name) " (" code { (it.login) } ")" }
        form method="post" action=(look.to("/set-up")) {
            (look.form_token())
            @if let Some(wanted) = wanted { input type="hidden" name="to" value=(wanted); }
            input type="hidden" name="username" value=(it.login) autocomplete="username";
            @if it.password { (new_password(look)) }
            @if let Some(offer) = &it.totp { (scan(look, offer)) }
            button.main type="submit" { (look.of_two("Speichern und anmelden", "Save and sign in")) }
        }
    }
}

/// The fields of a new password.
pub(super) fn new_password(look: &Look) -> Markup {
    html! {
        section.card {
            h2 { (look.of_two("Kennwort", "Password")) }
            p.hint #password-hint { (look.of_two(
                "Mindestens zwölf Zeichen; am besten ein Satz, den nur Sie kennen. Nicht Ihr Name, nicht ein verbreitetes Kennwort.",
                "At least twelve characters; best a sentence that only you know. Not your name, and no common password.",
            )) }
            label for="new" { (look.of_two("Neues Kennwort", "New password")) }
            input #new type="password" name="new" autocomplete="new-password" aria-describedby="password-hint" required
                minlength="12" maxlength="1000";
            label for="again" { (look.of_two("Neues Kennwort noch einmal", "New password once more")) }
            input #again type="password" name="again" autocomplete="new-password" required minlength="12" maxlength="1000";
        }
    }
}

/// What an app needs to make codes, and the field of the first one.
pub(super) fn scan(look: &Look, offer: &TotpOffer) -> Markup {
    let groups: Vec<String> =
        offer.secret.as_bytes().chunks(4).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
    html! {
        section.card {
            h2 { (look.of_two("Zweiter Faktor", "Second factor")) }
            p.hint { (look.of_two(
                "Lesen Sie das Bild mit einer App für Einmalcodes (TOTP) auf Ihrem Diensthandy, oder tippen Sie den Schlüssel ab.",
                "Scan the picture with an app for one-time codes (TOTP) on your phone, or type the key.",
            )) }
            @if let Some(picture) = qr_code(&offer.uri) {
                div.qr role="img" aria-label=(look.of_two(
                    "QR-Code mit dem Schlüssel, der auch darunter steht", "QR code of the key that also stands below",
                )) { (PreEscaped(picture)) }
            }
            p { (look.of_two("Schlüssel: ", "Key: ")) code { (groups.join(" ")) } }
            label for="code" { (look.of_two("Code, den die App jetzt zeigt", "Code that the app shows now")) }
            input #code type="text" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="12";
        }
    }
}

fn qr_code(uri: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(uri, EcLevel::M).ok()?;
    let (dark, light) = (svg::Color("#000000"), svg::Color("#ffffff"));
    let picture = code.render().min_dimensions(200, 200).dark_color(dark).light_color(light).build();
    picture.find("<svg").and_then(|at| picture.get(at..)).map(str::to_owned)
}

/// Recovery codes, which are shown once.
pub(super) fn recovery_codes(look: &Look, codes: &[String], onward: &str) -> Markup {
    html! {
        (page::done(look.of_two("Der zweite Faktor ist eingerichtet.", "The second factor is set up.")))
        p { (look.of_two(
            "Mit jedem dieser Wiederherstellungscodes können Sie sich einmal anmelden, wenn Ihr Gerät fehlt. Sie stehen nur jetzt hier: \
             Drucken Sie sie aus oder schreiben Sie sie auf, und verwahren Sie sie getrennt vom Gerät.",
            "With each of these recovery codes you can sign in once if your device is missing. They are shown only now: print them or \
             write them down, and keep them apart from the device.",
        )) }
        ul.card { @for code in codes { li { code { (code) } } } }
        p { a.button.main href=(onward) { (look.of_two("Ich habe sie verwahrt", "I have kept them")) } }
    }
}

/// `POST /set-up`.
pub(super) async fn act(
    State(console): State<Console>,
    look: Look,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let wanted = to::own(fields.given("to"));
    let token = pages::cookie(&headers, COOKIE).unwrap_or_default();
    let it = match console.broker.set_up_wanted(token).await {
        Ok(it) => it,
        Err(Error::SetUpOver) => return look.onward("/sign-in"),
        Err(error) => return page::failed(&look, &error),
    };
    if it.password && fields.exact("new") != fields.exact("again") {
        let body = html! { (page::alert(differ(&look))) (form(&look, &it, wanted, None)) };
        return page::with_status(&look, axum::http::StatusCode::UNPROCESSABLE_ENTITY, title(&look), &body);
    }
    match console.broker.set_up(token, fields.exact("new"), fields.field("code")).await {
        Ok((session, codes)) if codes.is_empty() => next(&look, wanted, &session),
        Ok((session, codes)) => {
            let onward = wanted.map_or_else(|| look.to("/"), str::to_owned);
            let body = recovery_codes(&look, &codes, &onward);
            with_session(page::page(&look, title(&look), &body), &session)
        }
        Err(Error::SetUpOver) => look.onward("/sign-in"),
        Err(error) => refused(&look, &error, title(&look), &form(&look, &it, wanted, Some(&error))),
    }
}

/// The password was written in two ways.
pub(super) fn differ(look: &Look) -> &'static str {
    look.of_two("Die beiden neuen Kennwörter sind verschieden.", "The two new passwords differ.")
}
