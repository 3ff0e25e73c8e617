//! Legal holds (Löschsperren): all records that are barred from destruction. They are set and lifted on the page of each.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::Page;
use maud::{Markup, html};
use model::{Record, RecordKind};

use super::show;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::{Console, Visit};

/// Where the list has its page.
pub(super) const PATH: &str = "/retention/holds";

/// Rows of one page.
const ROWS: u32 = 50;

/// `GET /console/retention/holds`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let page = Page { after: asked.after(), limit: ROWS };
    let held = match console.broker.held(&visit.caller, &page).await {
        Ok(held) => held,
        Err(error) => return page::failed(&look, &error),
    };
    let body = html! {
        (page::help(&look, &html! { p { (look.of_two(
            "Was gesperrt ist, wird weder vernichtet noch gelöscht, samt allem, was darin liegt: etwa solange ein Rechtsstreit läuft. Gesetzt und \
             aufgehoben wird die Sperre auf der Seite der Akte, des Vorgangs oder Dokuments.",
            "What is barred is neither destroyed nor erased, with all that lies in it: such as for as long as a suit at law goes on. The bar is set \
             and lifted on the page of the file, case or document.",
        )) } }))
        @if look.enters("/cases") { (find(&look)) }
        (table(&look, &held.items))
        @if let Some(next) = held.next {
            p { a.button rel="next" href=(look.to(&asked.with(PATH, "after", Some(&next.to_string())))) {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        }
        p.acts { a.button href=(look.to("/retention")) { (look.of_two("Aufbewahrung und Löschung", "Retention and deletion")) } }
    };
    page::page(&look, look.of_two("Löschsperren", "Legal holds"), &body)
}

/// The way to the page on which a bar is set.
fn find(look: &Look) -> Markup {
    html! {
        form.filter method="get" action=(look.to("/cases")) role="search" {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="q" { (look.of_two("Akte suchen, um sie zu sperren", "Find a record to bar it")) }
                input #q type="search" name="q" maxlength="200" required autocomplete="off";
            }
            button type="submit" { (look.of_two("Suchen", "Search")) }
        }
    }
}

/// Records that are barred: which, since when, why. Their titles are content.
pub(super) fn table(look: &Look, held: &[Record]) -> Markup {
    if held.is_empty() {
        return page::empty(look.of_two("Keine Akte ist gesperrt.", "No record is barred from destruction."));
    }
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Löschsperren", "Legal holds")) }
            thead { tr {
                th scope="col" { (look.of_two("Akte", "Record")) }
                th scope="col" { (look.of_two("Einheit", "Unit")) }
                th scope="col" { (look.of_two("Seit", "Since")) }
                th scope="col" { (look.of_two("Grund", "Reason")) }
            } }
            tbody { @for record in held {
                @let description = record.description();
                @let hold = description.and_then(|it| it.hold.as_ref());
                tr {
                    td {
                        (description.and_then(|it| it.record_reference.as_deref()).unwrap_or("–"))
                        " " code { (look.link(&path_of(record), &record.meta().id.to_string())) }
                    }
                    td { (record.meta().unit) }
                    td { @if let Some(hold) = hold { (show::when(look, hold.since)) } }
                    td { @if let Some(hold) = hold { (hold.reason) } }
                }
            } }
        } }
    }
}

fn path_of(record: &Record) -> String {
    let place = match record.kind() {
        RecordKind::Document => "documents",
        _ => "cases",
    };
    format!("/{place}/{}", record.meta().id)
}
