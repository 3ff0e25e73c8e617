//! `/users`: who works here, and adding somebody.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Act, Error, Invited, NewUser, User, UserChange, UserFilter, UserList};
use maud::{Markup, html};
use model::{Caller, Id};

use super::parts;
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

const HEADS: [(&str, &str); 5] = [
    ("Name", "Name"),
    ("Anmeldename", "Login name"),
    ("Rollen", "Roles"),
    ("Einheiten", "Units"),
    ("Stand", "State"),
];

fn table(look: &Look, users: &[User]) -> Markup {
    let rows = html! { @for user in users { tr {
        th scope="row" { a href=(look.to(&format!("/users/{}", user.id))) { (user.name) } }
        td { code { (user.login) } }
        td { (said::role_names(look, &user.roles)) }
        td { (said::within(look, &user.units)) }
        td {
            (said::state(look, user.state))
            @if user.invited_until.is_some() { " " span.state { (look.of_two("eingeladen", "invited")) } }
        }
    } } };
    parts::list(look, ("Benutzer", "Users"), &HEADS, &rows)
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
    let own = html! {
        (names(look, fields.field("name"), fields.field("email")))
        label for="login" { (look.of_two("Anmeldename", "Login name")) }
        p.hint #login-hint { (look.of_two(
            "2 bis 64 Buchstaben ohne Umlaute, Ziffern und . - _ @ +", "2 to 64 letters without accents, digits and . - _ @ +",
        )) }
        input #login type="text" name="login" autocomplete="off" autocapitalize="none" spellcheck="false"
            aria-describedby="login-hint" required maxlength="64" value=(fields.field("login"));
    };
    let rights = Rights::of_new(caller, fields, error);
    let sent = (&own, &rights, Reason { value: fields.field("reason"), ..Reason::may("reason") });
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        (page::help(look, &html! { p { (look.of_two(
            "Wer hier angelegt wird, setzt mit einem Einrichtungscode selbst ein Kennwort; Sie erfahren es nie. Sie geben höchstens die Einheiten \
             und Leistungen, die Sie selbst haben.",
            "Whoever is added here sets a password with an initial secret; you never learn it. You give no more units and services than you \
             have.",
        )) } }))
        (parts::rights_form(console, look, caller, ("/users/new", look.of_two("Anlegen", "Add")), sent))
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
    let facts = [
        (("Name", "Name"), html! { (user.name) }),
        (("Anmeldename", "Login name"), html! { code { (user.login) } }),
        (("Einrichtungscode", "Initial secret"), html! { code #secret { (invited.secret) } }),
        (("Einzugeben auf", "To be entered at"), html! { code { (crate::BASE) "/welcome" } }),
        (("Gilt bis", "Holds until"), html! { (until) }),
    ];
    let what_to_do = (
        "Der Einrichtungscode steht nur jetzt hier. Geben Sie ihn persönlich weiter.",
        "The initial secret is shown only now. Hand it over in person.",
    );
    html! {
        (parts::secret(look, what_to_do, &facts))
        p { a.button href=(look.to(&format!("/users/{}", user.id))) { (look.of_two("Zum Benutzer", "To the user")) } }
    }
}
