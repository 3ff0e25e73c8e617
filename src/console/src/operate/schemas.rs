//! Schema packs: what messages are checked by, in order of precedence.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{show, trial};
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::workshop::{About, Found, Pack, PackFault};

/// `GET /console/schemas`.
pub(super) async fn list(State(console): State<Console>, look: Look) -> Response {
    let packs = console.workshop.packs();
    page::page(
        &look,
        look.of_two("Schemapakete", "Schema packs"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Nachrichten werden nach diesen Schemas geprüft. Beschreiben mehrere denselben Namensraum, gilt das oberste. Pakete werden auf \
                 der Kommandozeile importiert: ",
                "Messages are checked by these schemas. If several describe the same namespace, the topmost holds. Packs are imported on the \
                 command line: ",
            )) code { "amtsbote schema add " (look.of_two("DATEI", "FILE")) } } }))
            @if packs.is_empty() { (page::empty(look.of_two("Keine Schemas bekannt.", "No schemas are known."))) }
            @else { (table(&look, &packs)) }
            form method="post" action=(look.to("/schemas/check")) {
                (look.form_token())
                button type="submit" { (look.of_two("Alle Schemas prüfen", "Compile all schemas")) }
            }
        },
    )
}

fn table(look: &Look, packs: &[Pack]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Schemapakete", "Schema packs")) { table {
            thead { tr {
                th.number scope="col" { (look.of_two("Rang", "Rank")) }
                th scope="col" { "Name" }
                th scope="col" { (look.of_two("Herkunft", "Origin")) }
                th scope="col" { (look.of_two("Namensräume (Fassungen)", "Namespaces (versions)")) }
                th.number scope="col" { "Schemas" }
                th.number scope="col" { (look.of_two("Codelisten", "Code lists")) }
            } }
            tbody { @for (at, pack) in packs.iter().enumerate() { tr {
                td.number { (at + 1) }
                th scope="row" { (pack.name) }
                td { (if pack.own { look.of_two(
                    "Teil des Programms",
                    "part of the program",
                ) } else { look.of_two("importiert", "imported") }) }
                td { ul.plain { @for namespace in &pack.namespaces { li.code { (namespace) } } } }
                td.number { (pack.schemas) }
                td.number { (pack.code_lists) }
            } } }
        } }
    }
}

/// `POST /console/schemas/check`.
pub(super) async fn check(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    _: Form,
) -> Response {
    let workshop = console.workshop.clone();
    let work = async move {
        let compiled = tokio::task::spawn_blocking(move || workshop.pack_faults()).await;
        compiled.map_or(Found::Failed("broker.internal".to_owned()), Found::Packs)
    };
    trial::begin(&console, &look, &visit, About::Packs, work)
}

/// What came of compiling all schemas.
pub(super) fn faults(look: &Look, faults: &[PackFault]) -> Markup {
    html! {
        @if faults.is_empty() { (page::done(look.of_two(
            "Alle Schemas lassen sich übersetzen.",
            "All schemas compile.",
        ))) }
        @else {
            (page::alert(look.of_two("Diese Schemas lassen sich nicht übersetzen.", "These schemas do not compile.")))
            ul { @for it in faults { li {
                strong { (it.pack) } " " span.code { (it.file) } ": " (show::code(look, &it.code))
                p.place { (it.detail) }
            } } }
        }
        p { a href=(look.to("/schemas")) { (look.of_two("Zurück zu den Paketen", "Back to the packs")) } }
    }
}
