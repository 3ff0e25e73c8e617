//! `/users/{id}`: one user: names and rights, state, initial secret, sessions.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Act, Error, User, UserChange, UserState};
use maud::{Markup, html};
use model::{Caller, Id, Timestamp};

use super::rights::Rights;
use super::sign_in::refused;
use super::users::{invitation, names};
use super::{parts, said};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::asking::{self, Reason};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// `GET /users/{id}`.
pub(super) async fn page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    let above =
        html! { @if asked.get("done").is_some() { (page::done(look.of_two("Gespeichert.", "Saved."))) } };
    shown(&console, &look, &visit.caller, id, None, above).await
}

/// The page of a user; with an error, the page again with what is wrong.
async fn shown(
    console: &Console,
    look: &Look,
    caller: &Caller,
    id: Id,
    error: Option<&Error>,
    above: Markup,
) -> Response {
    let found = async {
        let user = console.broker.user(caller, id).await?;
        Ok::<_, Error>((user, console.broker.user_waits(caller, id).await?))
    };
    let (user, waits) = match found.await {
        Ok(found) => found,
        Err(error) => return page::failed(look, &error),
    };
    let above =
        html! { (above) @if let Some(error) = error { (page::alert(&page::explained(look, error))) } };
    let body = body(console, look, caller, &user, waits, &above);
    match error {
        Some(error) => refused(look, error, &user.name, &body),
        None => page::page(look, &user.name, &body),
    }
}

fn body(
    console: &Console,
    look: &Look,
    caller: &Caller,
    user: &User,
    waits: Option<Timestamp>,
    above: &Markup,
) -> Markup {
    let is_own = caller.actor.kind == "person" && caller.actor.id == user.id.to_string();
    html! {
        (above)
        (page::help(look, &html! { p { (look.of_two(
            "Eine Person, die hier arbeitet: was sie darf und wie sie sich anmeldet. Sie können sie sperren, ihre Anmeldungen beenden, ihr einen \
             neuen Einrichtungscode geben und ihre Rechte ändern. Kennwörter sieht niemand.",
            "Somebody who works here: what the person may do, and how the person signs in. You can lock the account, end its sessions, make a \
             new initial secret, and change its rights. Nobody sees passwords.",
        )) } }))
        (facts(look, user, waits))
        @if is_own {
            p.hint { (look.of_two(
                "Das sind Sie selbst. Ihre eigenen Rechte ändert jemand anderes.", "This is you. Your own rights are changed by somebody else.",
            )) }
            p { a href=(look.to("/account")) { (look.of_two("Mein Konto", "My account")) } }
        } @else {
            (acts(console, look, user, waits))
            (form(console, look, caller, user))
        }
        p.acts { a.button href=(look.to("/users")) { (look.of_two("Alle Benutzer", "All users")) } }
    }
}

fn facts(look: &Look, user: &User, waits: Option<Timestamp>) -> Markup {
    let yes = |it: bool| if it { look.of_two("ja", "yes") } else { look.of_two("nein", "no") };
    html! {
        section.card {
            dl {
                dt { (look.of_two("Stand", "State")) } dd { (said::state(look, user.state)) }
                dt { (look.of_two("Anmeldename", "Login name")) } dd { code { (user.login) } }
                dt { (look.of_two("Kennwort gesetzt", "Password set")) }
                dd { (yes(user.has_password)) @if let Some(at) = user.password_changed_at { " (" (said::when(look, at)) ")" } }
                dt { (look.of_two("Zweiter Faktor", "Second factor")) } dd { (yes(user.has_totp)) }
                @if let Some(until) = user.invited_until {
                    dt { (look.of_two("Einrichtungscode gilt bis", "Initial secret holds until")) } dd { (said::when(look, until)) }
                }
                @if let Some(until) = waits {
                    dt { (look.of_two("Wartezeit nach Fehlversuchen bis", "Waits after failures until")) } dd { (said::when(look, until)) }
                }
                dt { (look.of_two("Angelegt", "Added")) } dd { (said::when(look, user.created_at)) }
                dt { (look.of_two("Geändert", "Changed")) } dd { (said::when(look, user.changed_at)) }
            }
            h2 { (look.of_two("Was erlaubt ist", "What is allowed")) }
            (said::roles(look, &user.roles))
        }
    }
}

fn acts(console: &Console, look: &Look, user: &User, waits: Option<Timestamp>) -> Markup {
    let act = |path: &str, fields: Markup, german: &'static str, english: &'static str, grave: bool| {
        html! {
            form method="post" action=(look.to(&format!("/users/{}/{path}", user.id))) {
                (look.form_token())
                input type="hidden" name="version" value=(user.version);
                (fields)
                button.grave[grave] type="submit" { (look.of_two(german, english)) }
            }
        }
    };
    let state = |name: &str, german, english, grave| {
        let is_back = name == "active" && user.state == UserState::Disabled;
        let fields = html! {
            input type="hidden" name="state" value=(name);
            @if is_back { (asking::field_if_wanted(console, look, Reason::must("reason-back"))) }
        };
        act("state", fields, german, english, grave)
    };
    html! {
        div.acts {
            @if user.state == UserState::Active {
                (state("locked", "Sperren", "Lock", false))
                (state("disabled", "Stilllegen", "Disable", true))
            } @else { (state("active", "Entsperren", "Unlock", false)) }
            @if waits.is_some() { (act("waiting/lift", html! {}, "Wartezeit aufheben", "Lift waiting", false)) }
            (act("sessions/end", html! {}, "Anmeldungen beenden", "End sessions", false))
            (act("reset", asking::field_if_wanted(console, look, Reason::may("reason-reset")), "Neuer Einrichtungscode", "New initial secret", true))
        }
        p.hint { (look.of_two(
            "Ein neuer Einrichtungscode löscht Kennwort und zweiten Faktor. Jede Änderung der Rechte beendet die Anmeldungen sofort.",
            "A new initial secret takes away password and second factor. Each change of rights ends the sessions at once.",
        )) }
    }
}

fn form(console: &Console, look: &Look, caller: &Caller, user: &User) -> Markup {
    let rights = Rights {
        roles: user.roles.clone(),
        units: user.units.clone(),
        services: user.services.clone(),
        authority: user.authority.clone(),
    };
    let own = html! {
        input type="hidden" name="version" value=(user.version);
        (names(look, &user.name, user.email.as_deref().unwrap_or_default()))
    };
    let to = (&*format!("/users/{}", user.id), look.of_two("Speichern", "Save"));
    html! {
        h2 { (look.of_two("Name und Rechte", "Name and rights")) }
        (parts::rights_form(console, look, caller, to, (&own, &rights, Reason::may("reason"))))
    }
}

/// `POST /users/{id}`.
pub(super) async fn change(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    fields: Form,
) -> Response {
    let user = match console.broker.user(&visit.caller, id).await {
        Ok(user) => user,
        Err(error) => return page::failed(&look, &error),
    };
    let change = difference(&user, &fields);
    changed(&console, &look, &visit.caller, id, &fields, change).await
}

/// What the form says other than the user is.
fn difference(user: &User, fields: &Form) -> UserChange {
    let said = Rights::of(fields);
    let (name, email) = (fields.field("name").to_owned(), fields.given("email").map(str::to_owned));
    UserChange {
        name: Some(name).filter(|it| *it != user.name),
        email: Some(email).filter(|it| *it != user.email),
        roles: Some(said.roles).filter(|it| *it != user.roles),
        units: Some(said.units).filter(|it| *it != user.units),
        services: Some(said.services).filter(|it| *it != user.services),
        authority: Some(said.authority).filter(|it| *it != user.authority),
        ..UserChange::default()
    }
}

/// `POST /users/{id}/state`.
pub(super) async fn state(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    fields: Form,
) -> Response {
    let state = match fields.field("state") {
        "active" => UserState::Active,
        "locked" => UserState::Locked,
        "disabled" => UserState::Disabled,
        _ => return page::stale(&look),
    };
    let change = UserChange { state: Some(state), ..UserChange::default() };
    changed(&console, &look, &visit.caller, id, &fields, change).await
}

async fn changed(
    console: &Console,
    look: &Look,
    caller: &Caller,
    id: Id,
    fields: &Form,
    change: UserChange,
) -> Response {
    let Ok(version) = fields.field("version").parse() else { return page::missing(look) };
    match console.broker.change_user(caller, id, version, &change).await {
        Ok(_) => look.onward(&format!("/users/{id}?done=1")),
        Err(Error::UserNeedsApproval) if fields.given("reason").is_some() => {
            ask(console, look, caller, (id, version), change, fields).await
        }
        Err(error) => shown(console, look, caller, id, Some(&error), html! {}).await,
    }
}

/// A second person has to agree to the change.
async fn ask(
    console: &Console,
    look: &Look,
    caller: &Caller,
    (user, version): (Id, u64),
    change: UserChange,
    fields: &Form,
) -> Response {
    let asked = async {
        console.broker.check_user_change(caller, user, version, &change).await?;
        let act = Act::User { user, change: Box::new(change), before: None };
        asking::ask(console, caller, act, asking::reason(fields)?).await
    };
    match asked.await {
        Ok(asked) => asking::onward(look, &asked),
        Err(error) => page::failed(look, &error),
    }
}

/// `POST /users/{id}/reset`.
pub(super) async fn reset(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    fields: Form,
) -> Response {
    match console.broker.reset_user(&visit.caller, id).await {
        Ok(invited) => page::page(&look, &invited.user.name, &invitation(&look, &invited)),
        Err(Error::UserNeedsApproval) if fields.given("reason").is_some() => {
            let Ok(version) = fields.field("version").parse() else { return page::stale(&look) };
            let change = UserChange { reset: true, ..UserChange::default() };
            ask(&console, &look, &visit.caller, (id, version), change, &fields).await
        }
        Err(error) => shown(&console, &look, &visit.caller, id, Some(&error), html! {}).await,
    }
}

/// `POST /users/{id}/sessions/end`.
pub(super) async fn end_sessions(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    ended(&look, id, console.broker.end_user_sessions(&visit.caller, id).await)
}

/// `POST /users/{id}/waiting/lift`.
pub(super) async fn lift_waiting(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    ended(&look, id, console.broker.lift_waiting(&visit.caller, id).await)
}

fn ended(look: &Look, id: Id, outcome: Result<(), Error>) -> Response {
    match outcome {
        Ok(()) => look.onward(&format!("/users/{id}?done=1")),
        Err(error) => page::failed(look, &error),
    }
}
