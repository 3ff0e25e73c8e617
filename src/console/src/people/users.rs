//! `/users`: who works here, and adding somebody.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Act, Error, Invited, NewUser, User, UserChange, UserFilter, UserList};
use maud::{Markup, html};
use model::{Caller, Id};

use super::rights::Rights;
use super::said;
use super::sign_in::refused;
use crate::Console;
use crate::asked::Asked;
use crate::asking::{self, Reason};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// `GET /users`.
pub(super) async fn page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let after = asked.get("after").map(str::to_owned);
    let filter = UserFilter { search: asked.text("q").to_owned(), after };
    match console.broker.users(&visit.caller, &filter).await {
        Ok(list) => page::page(&look, look.of_two("Benutzer", "Users"), &body(&look, &asked, &list)),
        Err(error) => page::failed(&look, &error),
    }
}

fn body(look: &Look, asked: &Asked, list: &UserList) -> Markup {
    html! {
        (page::help(look, &html! { p { (look.of_two(
            "Benutzer melden sich an der Konsole an. Was sie dürfen, folgt aus Rollen, Organisationseinheiten und Leistungen. Sie sehen hier, \
             wer höchstens Ihre eigenen Einheiten und Leistungen hat.",
            "Users sign in to the console. What they may do follows from roles, units and public services. You see those here who have no \
             units and services beyond your own.",
        )) } }))
        form.filter role="search" method="get" action={ (crate::BASE) "/users" } {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="q" { (look.of_two("Name oder Anmeldename", "Name or login name")) }
                input #q type="search" name="q" value=(asked.text("q")) maxlength="200";
            }
            button type="submit" { (look.of_two("Suchen", "Search")) }
        }
        p.acts { a.button.main href=(look.to("/users/new")) { (look.of_two("Benutzer anlegen", "Add a user")) } }
        @if list.items.is_empty() {
            (page::empty(look.of_two("Niemand gefunden. Angelegte Benutzer stehen hier.", "Nobody found. Users that were added stand here.")))
        } @else { (table(look, &list.items)) }
        @if let Some(next) = &list.next {
            p { a href=(look.to(&asked.with("/users", "after", Some(next)))) { (look.of_two("Weitere", "More")) } }
        }
    }
}

fn table(look: &Look, users: &[User]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Benutzer", "Users")) {
            table {
                thead { tr {
                    th scope="col" { (look.of_two("Name", "Name")) }
                    th scope="col" { (look.of_two("Anmeldename", "Login name")) }
                    th scope="col" { (look.of_two("Rollen", "Roles")) }
                    th scope="col" { (look.of_two("Einheiten", "Units")) }
                    th scope="col" { (look.of_two("Stand", "State")) }
                } }
                tbody { @for user in users {
                    @let roles: Vec<&str> = user.roles.iter().map(|it| said::role(look, *it)).collect();
                    tr {
                        th scope="row" { a href=(look.to(&format!("/users/{}", user.id))) { (user.name) } }
                        td { code { (user.login) } }
                        td { (roles.join(", ")) }
                        td { (said::within(look, &user.units)) }
                        td {
                            (said::state(look, user.state))
                            @if user.invited_until.is_some() { " " span.state { (look.of_two("eingeladen", "invited")) } }
                        }
                    }
                } }
            }
        }
    }
}

/// `GET /users/new`.
pub(super) async fn new_page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
) -> Response {
    let body = form(&console, &look, &visit.caller, &Form::default(), None);
    page::page(&look, new_title(&look), &body)
}

fn new_title(look: &Look) -> &'static str {
    look.of_two("Benutzer anlegen", "Add a user")
}

fn form(console: &Console, look: &Look, caller: &Caller, fields: &Form, error: Option<&Error>) -> Markup {
    let rights = match error {
        Some(_) => Rights::of(fields),
        None => Rights::none(caller),
    };
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        form method="post" action=(look.to("/users/new")) {
            (look.form_token())
            div.card {
                (names(look, fields.field("name"), fields.field("email")))
                label for="login" { (look.of_two("Anmeldename", "Login name")) }
                p.hint #login-hint { (look.of_two(
                    "2 bis 64 Buchstaben ohne Umlaute, Ziffern und . - _ @ +", "2 to 64 letters without accents, digits and . - _ @ +",
                )) }
                input #login type="text" name="login" autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-describedby="login-hint" required maxlength="64" value=(fields.field("login"));
            }
            (rights.fields(console, look, caller))
            (asking::field_if_wanted(console, look, Reason { value: fields.field("reason"), ..Reason::may("reason") }))
            button.main type="submit" { (look.of_two("Anlegen", "Add")) }
        }
    }
}

/// The fields of name and e-mail.
pub(super) fn names(look: &Look, name: &str, email: &str) -> Markup {
    html! {
        label for="name" { (look.of_two("Name", "Name")) }
        input #name type="text" name="name" autocomplete="off" required maxlength="200" value=(name);
        label for="email" { (look.of_two("E-Mail (freiwillig)", "E-mail (optional)")) }
        input #email type="email" name="email" autocomplete="off" maxlength="254" value=(email);
    }
}

/// `POST /users/new`.
pub(super) async fn add(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    fields: Form,
) -> Response {
    match added(&console, &visit.caller, &fields).await {
        Ok((invited, asked)) => {
            let above = html! { @if let Some(approval) = asked { (asking::waits(&look, approval)) } };
            page::page(&look, new_title(&look), &html! { (above) (invitation(&look, &invited)) })
        }
        Err(error) => {
            let body = form(&console, &look, &visit.caller, &fields, Some(&error));
            refused(&look, &error, new_title(&look), &body)
        }
    }
}

/// The user, and under which approval the roles were only asked for.
async fn added(console: &Console, caller: &Caller, fields: &Form) -> Result<(Invited, Option<Id>), Error> {
    let Rights { roles, units, services, authority } = Rights::of(fields);
    let reason = match console.broker.four_eyes() && !roles.is_empty() {
        true => Some(asking::reason(fields)?),
        false => None,
    };
    let new = NewUser {
        login: fields.field("login").to_owned(),
        name: fields.field("name").to_owned(),
        email: fields.given("email").map(str::to_owned),
        roles: if reason.is_some() { vec![] } else { roles.clone() },
        units,
        services,
        authority,
    };
    let invited = console.broker.create_user(caller, new).await?;
    let Some(reason) = reason else { return Ok((invited, None)) };
    let change = UserChange { roles: Some(roles), ..UserChange::default() };
    let act = Act::User { user: invited.user.id, change: Box::new(change), before: None };
    let asked = asking::ask(console, caller, act, reason).await?;
    Ok((invited, Some(asked.id)))
}

/// The initial secret, which is shown once.
pub(super) fn invitation(look: &Look, invited: &Invited) -> Markup {
    let user = &invited.user;
    let until = user.invited_until.map(|it| said::when(look, it)).unwrap_or_default();
    html! {
        (page::done(look.of_two(
            "Der Einrichtungscode steht nur jetzt hier. Geben Sie ihn persönlich weiter.",
            "The initial secret is shown only now. Hand it over in person.",
        )))
        dl.card {
            dt { (look.of_two("Name", "Name")) } dd { (user.name) }
            dt { (look.of_two("Anmeldename", "Login name")) } dd { code { (user.login) } }
            dt { (look.of_two("Einrichtungscode", "Initial secret")) } dd { code #secret { (invited.secret) } }
            dt { (look.of_two("Einzugeben auf", "To be entered at")) } dd { code { (crate::BASE) "/welcome" } }
            dt { (look.of_two("Gilt bis", "Holds until")) } dd { (until) }
        }
        p { a.button href=(look.to(&format!("/users/{}", user.id))) { (look.of_two("Zum Benutzer", "To the user")) } }
    }
}
