//! What the pages of the desk have in common: whose units these are, times in words, links, paging.

use std::time::Duration;

use axum::response::Response;
use broker::{Error, RecordFilter};
use maud::{Markup, html};
use model::record::Meta;
use model::{Id, Record, RecordKind, Timestamp};

use crate::Console;
use crate::asked::Asked;
pub(super) use crate::operate::show::{size, when as moment};
use crate::page::{self, Look};
use crate::visit::Visit;

/// Rows of one page of a list.
pub(super) const ROWS: u32 = 50;

/// The page, or what stands in its place.
pub(super) fn answer(look: &Look, outcome: Result<Response, Error>) -> Response {
    outcome.unwrap_or_else(|error| page::failed(look, &error))
}

/// Units of the visitor's tenant: id and name.
pub(super) fn all_units(console: &Console, visit: &Visit) -> Vec<(String, String)> {
    let mut tenants = console.broker.house().tenants();
    let Some(tenant) = tenants.find(|tenant| tenant.id == visit.caller.scope.tenant) else { return vec![] };
    tenant.units.iter().map(|unit| (unit.id.clone(), unit.name.clone())).collect()
}

/// Those that the visitor works in.
pub(super) fn own_units(console: &Console, visit: &Visit) -> Vec<(String, String)> {
    let mut units = all_units(console, visit);
    units.retain(|(unit, _)| visit.caller.scope.units.covers(Some(unit)));
    units
}

/// Whether something lies with the visitor's units and services, and was not only given to them to read.
pub(super) fn is_theirs(visit: &Visit, meta: &Meta) -> bool {
    visit.caller.scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref())
}

/// The name of a unit, and its id.
pub(super) fn unit_name(units: &[(String, String)], id: &str) -> String {
    let known = units.iter().find(|(unit, _)| unit == id);
    known.map_or_else(|| id.to_owned(), |(unit, name)| format!("{name} ({unit})"))
}

/// A choice of units as a filter.
pub(super) fn unit_filter(look: &Look, units: &[(String, String)], chosen: Option<&str>) -> Markup {
    unit_choice(look, units, (look.of_two("alle meine", "all of mine"), false), chosen)
}

/// The unit that something goes to.
pub(super) fn next_unit(look: &Look, units: &[(String, String)]) -> Markup {
    unit_choice(look, units, (look.of_two("bitte wählen", "please choose"), true), None)
}

/// A choice of units; the first entry stands for none.
fn unit_choice(
    look: &Look,
    units: &[(String, String)],
    (none, must): (&str, bool),
    chosen: Option<&str>,
) -> Markup {
    let field = "unit";
    html! {
        div {
            label for=(field) { (look.of_two("Organisationseinheit", "Unit")) }
            select id=(field) name=(field) required[must] {
                option value="" { (none) }
                @for (unit, name) in units {
                    option value=(unit) selected[chosen == Some(unit)] { (name) " (" (unit) ")" }
                }
            }
        }
    }
}

/// When something has to be done, in words, seen from now.
pub(super) fn due(look: &Look, now: Timestamp, due: Timestamp) -> Markup {
    const DAY: Duration = Duration::from_secs(86_400);
    let (today, day) = (look.words.date(now), look.words.date(due));
    let (state, text) = if due < now {
        ("state bad", look.of_two("überfällig seit ", "overdue since ").to_owned() + &day)
    } else if day == today {
        ("state warn", look.of_two("heute, ", "today, ").to_owned() + &look.words.clock(due))
    } else if day == look.words.date(now.plus(DAY)) {
        ("state warn", look.of_two("morgen, ", "tomorrow, ").to_owned() + &look.words.clock(due))
    } else {
        ("state", look.of_two("bis ", "by ").to_owned() + &day)
    };
    html! { span class=(state) { (text) } }
}

/// Where a record has its page.
pub(super) fn path_of(kind: RecordKind, id: Id) -> Option<String> {
    let place = match kind {
        RecordKind::CaseFile | RecordKind::Case => "cases",
        RecordKind::Document => "documents",
        RecordKind::Task => "tasks",
        RecordKind::Interaction => "post",
        RecordKind::Dispatch => "dispatches",
        RecordKind::Payment => "payments",
        RecordKind::Exchange | RecordKind::Decision | RecordKind::Claim => return None,
    };
    Some(format!("/{place}/{id}"))
}

/// Title of a case or document as a link to its page.
pub(super) fn titled(look: &Look, record: &Record) -> Markup {
    let description = record.description();
    let title = description.map(|it| it.title.trim()).filter(|title| !title.is_empty());
    let title = title.unwrap_or(look.of_two("ohne Titel", "without a title"));
    let reference = description.and_then(|it| it.record_reference.as_deref());
    html! {
        @if let Some(path) = path_of(record.kind(), record.meta().id) { (look.link(&path, title)) }
        @if let Some(reference) = reference { " " span.code { (reference) } }
    }
}

/// One page of a list of records, and behind which one the next page begins. One more than is shown is asked for: it alone says that there
/// is another page.
pub(super) async fn newest(
    console: &Console,
    visit: &Visit,
    filter: &RecordFilter,
    asked: &Asked,
) -> Result<(Vec<Record>, Option<Id>), Error> {
    let mut found = console.broker.newest_records(&visit.caller, filter, asked.after(), ROWS + 1).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let next = found.last().map(|it| it.meta().id).filter(|_| more);
    Ok((found, next))
}

/// The way to the next page of a list.
pub(super) fn next_page(look: &Look, asked: &Asked, path: &str, next: Option<Id>) -> Markup {
    html! {
        @if let Some(next) = next {
            p { a.button rel="next" href=(look.to(&asked.with(path, "after", Some(&next.to_string())))) {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        }
    }
}

/// What a page is for, in two languages.
pub(super) fn help(look: &Look, (german, english): (&str, &str)) -> Markup {
    page::help(look, &html! { p { (look.of_two(german, english)) } })
}

/// What was done by the act that led here.
pub(super) fn just_done(look: &Look, asked: &Asked) -> Markup {
    let text = match asked.get("done") {
        Some("taken") => ("Sie haben die Aufgabe übernommen.", "You have taken the task."),
        Some("handed-on") => ("Weitergegeben.", "Handed on."),
        Some("completed") => ("Erledigt.", "Done."),
        Some("filed") => ("Zugeordnet.", "Filed."),
        Some("dismissed") => ("Ohne Vorgang abgelegt.", "Put away without a case."),
        Some("mended") => (
            "Die berichtigte Datei wurde übernommen und wird verarbeitet.",
            "The mended file was taken over and is being processed.",
        ),
        Some("decided") => ("Entschieden.", "Decided."),
        Some("asked") => {
            ("Festgehalten. Eine zweite Person muss zustimmen.", "Noted. A second person has to agree.")
        }
        Some("agreed") => ("Zugestimmt.", "Agreed."),
        Some("held") => ("Die Löschsperre ist gesetzt.", "It is barred from destruction."),
        Some("lifted") => ("Die Löschsperre ist aufgehoben.", "The bar to destruction is lifted."),
        Some("destroying") => ("Die Vernichtung ist beauftragt.", "The destruction was ordered."),
        Some("declined") => ("Abgelehnt.", "Declined."),
        Some("withdrawn") => ("Zurückgezogen.", "Withdrawn."),
        _ => return html! {},
    };
    page::done(look.of_two(text.0, text.1))
}
