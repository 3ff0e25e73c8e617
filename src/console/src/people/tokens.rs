//! `/tokens`: tokens by which systems call the REST interface. As there, nobody gives away what he does not have.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Error, NewToken, Once, TokenRow, TokenSecret};
use maud::{Markup, html};
use model::{Caller, Id, Timestamp};

use super::rights::Rights;
use super::sign_in::refused;
use super::{parts, said};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::asking::{self, Reason};
use crate::form::{Form, once_field};
use crate::page::{self, Look};
use crate::visit::Visit;

/// All that the form says.
const FIELDS: [&str; 7] = ["name", "expires", "role", "unit", "services", "authority", "reason"];

/// `GET /tokens`.
pub(super) async fn page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    match console.broker.own_tokens(&visit.caller).await {
        Ok(rows) => page::page(
            &look,
            look.of_two("Zugänge von Systemen", "Tokens of systems"),
            &html! {
                @if asked.get("done").is_some() { (page::done(look.of_two("Der Zugang ist beendet.", "The token is ended."))) }
                (body(&console, &look, &rows))
            },
        ),
        Err(error) => page::failed(&look, &error),
    }
}

fn body(console: &Console, look: &Look, rows: &[TokenRow]) -> Markup {
    html! {
        (page::help(look, &html! { p { (look.of_two(
            "Mit einem Zugang ruft ein Fachverfahren, ein Portal oder ein DMS die REST-Schnittstelle auf. Personen melden sich dagegen mit \
             Kennwort an; einen Zugang bekommen sie nicht.",
            "With a token a line-of-business system, a portal or a DMS calls the REST interface. People sign in with a password instead; \
             they do not get tokens.",
        )) } }))
        p.acts { a.button.main href=(look.to("/tokens/new")) { (look.of_two("Zugang anlegen", "Create a token")) } }
        @if rows.is_empty() {
            (page::empty(look.of_two("Es gibt noch keinen Zugang.", "There is no token yet.")))
        } @else { (table(console, look, rows)) }
    }
}

const HEADS: [(&str, &str); 6] = [
    ("System", "System"),
    ("Rollen", "Roles"),
    ("Einheiten", "Units"),
    ("Leistungen", "Services"),
    ("Angelegt", "Created"),
    ("Stand", "State"),
];

fn table(console: &Console, look: &Look, rows: &[TokenRow]) -> Markup {
    let rows = html! { @for row in rows { tr {
        th scope="row" { (row.name) }
        td { (said::role_names(look, &row.roles)) }
        td { (said::within(look, &row.units)) }
        td { (said::within(look, &row.services)) }
        td { (said::when(look, row.created_at)) }
        td { (state(console, look, row)) }
    } } };
    parts::list(look, ("Zugänge", "Tokens"), &HEADS, &rows)
}

fn state(console: &Console, look: &Look, row: &TokenRow) -> Markup {
    if let Some(at) = row.revoked_at {
        return html! { span.state.bad { (look.of_two("beendet", "ended")) } " " (said::when(look, at)) };
    }
    if let Some(at) = row.expires_at.filter(|it| *it <= console.broker.now()) {
        return html! { span.state.bad { (look.of_two("abgelaufen", "expired")) } " " (said::when(look, at)) };
    }
    html! {
        span.state.good { (look.of_two("gilt", "valid")) }
        @if let Some(at) = row.expires_at { " " (look.of_two("bis ", "until ")) (said::when(look, at)) }
        form method="post" action=(look.to(&format!("/tokens/{}/end", row.id))) {
            (look.form_token())
            button.grave type="submit" { (look.of_two("Beenden", "End")) span.unseen { ": " (row.name) } }
        }
    }
}

/// `GET /tokens/new`.
pub(super) async fn new_page(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
) -> Response {
    let body = form(&console, &look, &visit.caller, &Form::default(), None);
    page::page(&look, new_title(&look), &body)
}

fn new_title(look: &Look) -> &'static str {
    look.of_two("Zugang anlegen", "Create a token")
}

fn form(console: &Console, look: &Look, caller: &Caller, fields: &Form, error: Option<&Error>) -> Markup {
    let own = html! {
        (once_field())
        label for="name" { (look.of_two("System", "System")) }
        p.hint #name-hint { (look.of_two("Wofür der Zugang ist; nie eine Person.", "What the token is for; never a person.")) }
        input #name type="text" name="name" aria-describedby="name-hint" required maxlength="200" value=(fields.field("name"));
        label for="expires" { (look.of_two("Letzter Tag (freiwillig)", "Last day (optional)")) }
        input #expires type="date" name="expires" value=(fields.field("expires"));
    };
    let rights = Rights::of_new(caller, fields, error);
    let sent = (&own, &rights, Reason { value: fields.field("reason"), ..Reason::must("reason") });
    html! {
        @if let Some(error) = error { (page::alert(&page::explained(look, error))) }
        (page::help(look, &html! { p { (look.of_two(
            "Hier bekommt ein System einen Zugang zur REST-Schnittstelle, mit höchstens den Einheiten und Leistungen, die Sie selbst haben. \
             Geben Sie ihm nur die Rollen, die es braucht. Das Geheimnis wird einmal gezeigt und nirgends aufbewahrt.",
            "Here a system gets a token for the REST interface, with no more units and services than you have. Give it the roles that it needs \
             and no others. The secret is shown once and kept nowhere.",
        )) } }))
        (parts::rights_form(console, look, caller, ("/tokens/new", look.of_two("Anlegen", "Create")), sent))
    }
}

/// `POST /tokens/new`.
pub(super) async fn add(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    fields: Form,
) -> Response {
    let caller = &visit.caller;
    match made(&console, caller, &fields).await {
        Ok((made, approval)) => page::page(&look, new_title(&look), &secret(&look, &made, approval)),
        Err(error @ Error::AnswerNotKept { subject }) => {
            let body = made_before(&look, &fields, subject, &error);
            page::with_status(&look, StatusCode::CONFLICT, new_title(&look), &body)
        }
        Err(error) => {
            let body = form(&console, &look, caller, &fields, Some(&error));
            refused(&look, &error, new_title(&look), &body)
        }
    }
}

/// The token, and the approval under which it was only asked for.
async fn made(console: &Console, caller: &Caller, fields: &Form) -> Result<(TokenSecret, Option<Id>), Error> {
    let (new, once) = (wanted(fields)?, once(fields));
    if !console.broker.four_eyes() {
        return Ok((console.broker.create_token_once(caller, new, once.as_ref()).await?, None));
    }
    let reason = asking::reason(fields)?;
    let (token, asked) = console.broker.ask_for_token(caller, new, reason, once.as_ref()).await?;
    Ok((token, Some(asked.id)))
}

/// The same form makes one token, however often it is sent.
fn once(fields: &Form) -> Option<Once> {
    let said = FIELDS.into_iter().flat_map(|name| [name].into_iter().chain(fields.all(name)));
    fields.once(&said.collect::<Vec<_>>())
}

/// The form came again: its token is there, or is asked for, and its secret was shown.
fn made_before(look: &Look, fields: &Form, token: Id, error: &Error) -> Markup {
    html! {
        (page::alert(&format!("{} ({})", look.of_two(
            "Dieses Formular kam schon einmal an; es wurde kein zweiter Zugang angelegt. Das Geheimnis wurde einmal gezeigt und wird nicht aufbewahrt.",
            "This form came before; no second token was made. The secret was shown once and is not kept.",
        ), error.code())))
        dl.card {
            dt { (look.of_two("System", "System")) } dd { (fields.field("name")) }
            dt { (look.of_two("Kennung", "Id")) } dd { code { (token) } }
        }
        p { (look.of_two(
            "Ist das Geheimnis verloren gegangen, beenden Sie diesen Zugang und legen einen neuen an.",
            "If the secret got lost, end this token and create another one.",
        )) }
        p.acts {
            a.button href=(look.to("/tokens")) { (look.of_two("Alle Zugänge", "All tokens")) }
            a.button href=(look.to("/tokens/new")) { (look.of_two("Neuen Zugang anlegen", "Create another token")) }
        }
    }
}

fn wanted(fields: &Form) -> Result<NewToken, Error> {
    let Rights { roles, units, services, authority } = Rights::of(fields);
    let name = fields.field("name").to_owned();
    let expires_at = match fields.given("expires") {
        Some(day) => Some(
            Timestamp::parse(&format!("{day}T23:59:59Z"))
                .ok_or(model::Error::Invalid { field: "expiresAt" })?,
        ),
        None => None,
    };
    Ok(NewToken { name, roles, units, services, authority, expires_at })
}

fn secret(look: &Look, made: &TokenSecret, approval: Option<Id>) -> Markup {
    let facts = [
        (("System", "System"), html! { (made.row.name) }),
        (("Kennung", "Id"), html! { code { (made.row.id) } }),
        (("Geheimnis", "Secret"), html! { code #secret { (made.secret) } }),
    ];
    let what_to_do = (
        "Das Geheimnis steht nur jetzt hier. Tragen Sie es im System ein.",
        "The secret is shown only now. Enter it in the system.",
    );
    html! {
        @if let Some(approval) = approval { (asking::waits(look, approval)) }
        (parts::secret(look, what_to_do, &facts))
        p { a.button href=(look.to("/tokens")) { (look.of_two("Alle Zugänge", "All tokens")) } }
    }
}

/// `POST /tokens/{id}/end`.
pub(super) async fn end(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    match console.broker.end_token(&visit.caller, id).await {
        Ok(()) => look.onward("/tokens?done=1"),
        Err(error) => page::failed(&look, &error),
    }
}
