//! What was sent: to whom by which way, and each step of it.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Error, RecordFilter};
use maud::{Markup, html};
use model::activity::{Addressee, Dispatch};
use model::{Id, Record, RecordKind};

use super::parts::{answer, help, moment, newest, next_page, own_units, titled, unit_name};
use super::{post, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::page::{self, Look};
use crate::visit::Visit;

/// `GET /console/dispatches`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_list(&console, &look, &visit, &asked).await)
}

async fn try_list(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let status = asked.get("status").map(str::to_owned);
    let filter = RecordFilter { status, ..RecordFilter::of(RecordKind::Dispatch) };
    let (found, next) = newest(console, visit, &filter, asked).await?;
    let dispatches: Vec<Dispatch> = found.into_iter().filter_map(dispatch_of).collect();
    let body = html! {
        (help(look, (
            "Was das Haus versandt hat: Mitteilungen, Bekanntgaben, Zustellungen, und wie weit sie sind.",
            "What the house has sent: notifications, disclosures, formal services, and how far they are.",
        )))
        form.filter method="get" action=(look.to("/dispatches")) {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="status" { (look.of_two("Stand", "State")) }
                select #status name="status" {
                    option value="" { (look.of_two("jeder", "any")) }
                    @for status in words::DISPATCHES {
                        @let (_, german, english) = words::dispatch(status);
                        option value=(status.name()) selected[asked.get("status") == Some(status.name())] {
                            (look.of_two(german, english))
                        }
                    }
                }
            }
            button type="submit" { (look.of_two("Anzeigen", "Show")) }
        }
        @if dispatches.is_empty() {
            (page::empty(look.of_two("Hier ist nichts versandt worden.", "Nothing was sent here.")))
        } @else { (table(look, &dispatches)) (next_page(look, asked, "/dispatches", next)) }
    };
    Ok(page::page(look, look.of_two("Versand", "Dispatches"), &body))
}

fn dispatch_of(record: Record) -> Option<Dispatch> {
    match record {
        Record::Dispatch(dispatch) => Some(dispatch),
        _ => None,
    }
}

/// What was sent, as a table.
pub(super) fn table(look: &Look, dispatches: &[Dispatch]) -> Markup {
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Versand", "Dispatches")) }
            thead { tr {
                th scope="col" { (look.of_two("Was", "What")) }
                th scope="col" { (look.of_two("An", "To")) }
                th scope="col" { (look.of_two("Weg", "Way")) }
                th scope="col" { (look.of_two("Stand", "State")) }
                th scope="col" { (look.of_two("Seit", "Since")) }
            } }
            tbody { @for it in dispatches {
                @let kind = words::dispatch_kind(it.kind);
                tr {
                    td { a href=(look.to(&format!("/dispatches/{}", it.meta.id))) { (look.of_two(kind.0, kind.1)) } }
                    td { (it.to.as_ref().map(receiver).unwrap_or_default()) }
                    td { (words::way_out(look, it.way.as_deref())) }
                    td { (words::shown(look, words::dispatch(it.status))) }
                    td { (moment(look, it.steps.last().map_or(it.meta.created_at, |step| step.at))) }
                }
            } }
        } }
    }
}

/// Whom it goes to, on one line.
fn receiver(to: &Addressee) -> String {
    let town = [to.zip.as_deref(), to.city.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let others = [to.email.clone(), to.phone.clone(), to.mailbox.clone()].into_iter().flatten();
    let all = to.lines.iter().cloned().chain(Some(town)).chain(others);
    all.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `GET /console/dispatches/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(dispatch): PathId,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, dispatch).await)
}

async fn try_show(console: &Console, look: &Look, visit: &Visit, id: Id) -> Result<Response, Error> {
    let found = console.broker.record(&visit.caller, RecordKind::Dispatch, id).await?;
    let Some(it) = dispatch_of(found) else { return Err(model::Error::NotFound { kind: "dispatch" }.into()) };
    let case = post::seen(console, visit, it.case_id).await?;
    let kind = words::dispatch_kind(it.kind);
    let body = html! {
        (help(look, (
            "Ein Versand mit allen Schritten und Nachweisen. Kommt er nicht an, liegt eine Aufgabe auf dem Schreibtisch.",
            "One dispatch with all its steps and proofs. If it does not arrive, a task lies on the desk.",
        )))
        dl.card {
            @if let Some(case) = &case { dt { (look.of_two("Vorgang", "Case")) } dd { (titled(look, case)) } }
            dt { (look.of_two("An", "To")) } dd { (it.to.as_ref().map(receiver).unwrap_or_default()) }
            dt { (look.of_two("Weg", "Way")) } dd { (words::way_out(look, it.way.as_deref())) }
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::dispatch(it.status))) }
            dt { (look.of_two("Einheit", "Unit")) } dd { (unit_name(&own_units(console, visit), &it.meta.unit)) }
            @if let Some(reference) = &it.reference {
                dt { (look.of_two("Kennzeichen des Beförderers", "Carrier's reference")) } dd.code { (reference) }
            }
            @if let Some(deemed) = console.broker.deemed(&it) {
                dt { (look.of_two("Gilt als bekannt gegeben", "Counts as disclosed")) }
                dd { (look.words.day(&deemed.date)) " (" (deemed.rule) ")" }
            }
            @if let Some(before) = it.instead_of {
                dt { (look.of_two("Anstelle von", "Instead of")) }
                dd { a href=(look.to(&format!("/dispatches/{before}"))) { (look.of_two("früherem Versand", "an earlier dispatch")) } }
            }
        }
        h2 { (look.of_two("Dokumente", "Documents")) }
        @if it.documents.is_empty() { p.hint { (look.of_two("Ohne Dokument.", "Without a document.")) } }
        ul { @for document in &it.documents {
            li { a href=(look.to(&format!("/documents/{document}"))) { (look.of_two("Dokument", "Document")) " " span.code { (document) } } }
        } }
        h2 { (look.of_two("Schritte", "Steps")) }
        (steps(look, &it))
    };
    Ok(page::page(look, look.of_two(kind.0, kind.1), &body))
}

fn steps(look: &Look, it: &Dispatch) -> Markup {
    html! {
        ul.line {
            li { (moment(look, it.meta.created_at)) " · " (look.of_two("angelegt", "created")) }
            @for step in &it.steps {
                li {
                    (moment(look, step.at)) " · " (words::shown(look, words::dispatch(step.kind)))
                    @for proof in it.proofs.iter().filter(|proof| proof.step == *step) {
                        @let kind = words::proof(proof.kind);
                        " " (look.of_two("Nachweis: ", "Proof: ")) (look.of_two(kind.0, kind.1))
                        @if let Some(document) = proof.document {
                            " " a href=(look.to(&format!("/documents/{document}"))) { (look.of_two("ansehen", "show")) }
                        }
                    }
                }
            }
        }
    }
}
