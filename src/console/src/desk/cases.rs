//! Looking up cases: by Aktenzeichen or any other name that is indexed; else the newest.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, RecordFilter};
use maud::{Markup, html};
use model::{Id, Record, RecordKind};

use super::parts::{answer, moment, next_page, own_units, titled, unit_filter, unit_name};
use super::{parts, words};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Cases of one look-up, of each kind of name.
pub(super) const FOUND: u32 = 20;

/// `GET /console/cases`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let (cases, next) = match asked.get("q") {
        Some(text) => (console.broker.find_cases(&visit.caller, text, FOUND).await?, None),
        None => newest(console, visit, asked).await?,
    };
    let units = own_units(console, visit);
    let body = html! {
        (page::help(look, &html! { p { (look.of_two(
            "Gesucht wird nach genau diesem Aktenzeichen, Kennzeichen, Kassenzeichen oder einer Telefonnummer, nicht nach Wörtern des \
             Betreffs. Ohne Suchwort stehen hier die neuesten Vorgänge Ihrer Einheiten.",
            "Looked up by exactly this reference, name in another system, reference of the cash office, or telephone number, not by words \
             of the title. \
             Without one, the newest cases of your units stand here.",
        )) } }))
        form.filter method="get" action=(look.to("/cases")) role="search" {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="q" { (look.of_two("Aktenzeichen oder Kennzeichen", "Reference or name")) }
                input #q type="search" name="q" value=(asked.get("q").unwrap_or_default()) maxlength="200";
            }
            @if asked.get("q").is_none() && units.len() > 1 {
                (unit_filter(look, &units, asked.get("unit")))
            }
            button.main type="submit" { (look.of_two("Suchen", "Search")) }
        }
        @if cases.is_empty() {
            (page::empty(match asked.get("q") {
                Some(_) => look.of_two("Nichts gefunden, das in Ihrer Zuständigkeit liegt.", "Nothing found within your responsibility."),
                None => look.of_two("In Ihren Einheiten gibt es noch keinen Vorgang.", "There is no case in your units yet."),
            }))
        } @else {
            (table(look, &units, &cases))
            (next_page(look, asked, "/cases", next))
        }
    };
    Ok(page::page(look, look.of_two("Vorgänge", "Cases"), &body))
}

async fn newest(console: &Console, visit: &Visit, asked: &Asked) -> Result<(Vec<Record>, Option<Id>), Error> {
    let unit = asked.get("unit").map(str::to_owned);
    let filter = RecordFilter { owner_unit: unit, ..RecordFilter::of(RecordKind::Case) };
    parts::newest(console, visit, &filter, asked).await
}

fn table(look: &Look, units: &[(String, String)], cases: &[Record]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Vorgänge und Akten", "Cases and case files")) }
            thead { tr {
                th scope="col" { (look.of_two("Betreff", "Title")) }
                th scope="col" { (look.of_two("Art", "Kind")) }
                th scope="col" { (look.of_two("Stand", "State")) }
                th scope="col" { (look.of_two("Einheit", "Unit")) }
                th scope="col" { (look.of_two("Zuletzt geändert", "Changed")) }
            } }
            tbody { @for case in cases {
                @let kind = words::kind(case.kind());
                tr {
                    td { (titled(look, case)) }
                    td { (look.of_two(kind.0, kind.1)) }
                    td { (words::shown(look, words::record(case.status()))) }
                    td { (unit_name(units, &case.meta().unit)) }
                    td { (moment(look, case.meta().updated_at)) }
                }
            } }
        } }
    }
}
