//! The desk: everything that waits for a human in the visitor's units. All of it is a task, so there is one list: what is overdue first.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{About, Desk, DeskFilter, Error, Undecided, Waiting};
use maud::{Markup, html};
use model::activity::{Pile, Task, TaskStatus};
use model::{Record, Timestamp};

use super::parts::{ROWS, answer, due, just_done, moment, own_units, unit_filter, unit_name};
use super::{clarification, words};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// German and English name of a pile.
fn words_of(pile: Pile) -> (&'static str, &'static str) {
    match pile {
        Pile::Clarification => ("Klärungsfälle", "Clarifications"),
        Pile::Post => ("Post", "Post"),
        Pile::Money => ("Zahlungen", "Payments"),
        Pile::Delivery => ("Übergaben", "Hand-overs"),
        Pile::Other => ("Aufgaben", "Tasks"),
    }
}

/// The page on which something is decided about that a task waits for; operators alone decide about hand-overs.
pub(super) fn decided_at(undecided: Undecided) -> Option<String> {
    let (place, id) = match undecided {
        Undecided::Message(id) => ("clarifications", id),
        Undecided::Letter(id) => ("post", id),
        Undecided::Payment(id) => ("payments", id),
        Undecided::Delivery(_) => return None,
    };
    Some(format!("/{place}/{id}"))
}

/// `GET /console/desk`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, &asked).await)
}

async fn try_show(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Result<Response, Error> {
    let mine = asked.get("whose") == Some("mine");
    let filter = DeskFilter {
        unit: asked.get("unit").map(str::to_owned),
        taken_by: mine.then(|| visit.caller.actor.id.clone()),
    };
    let pile = asked.get("kind").and_then(Pile::named);
    let from = asked.get("from").and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let mut desk = console.broker.desk(&visit.caller, &filter, pile, (from, ROWS + 1)).await?;
    let more = (desk.waiting.len() > ROWS as usize).then(|| from.saturating_add(ROWS).to_string());
    desk.waiting.truncate(ROWS as usize);
    let lines = match look.enters("/statement-lines") {
        true => console.broker.lines_waiting(&visit.caller).await?,
        false => (0, false),
    };
    let body = html! {
        (just_done(look, asked))
        (help(look))
        (tiles(look, asked, &desk, pile))
        (statement_lines(look, lines))
        (filter_form(console, look, visit, asked, (pile, mine)))
        @if desk.waiting.is_empty() { (page::empty(nothing(look, &desk, mine))) }
        @else { (table(console, look, visit, &desk.waiting)) }
        @if let Some(more) = more {
            p { a.button rel="next" href=(look.to(&asked.with("/desk", "from", Some(&more)))) {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        }
    };
    Ok(page::page(look, look.of_two("Zu entscheiden", "To decide"), &body))
}

fn help(look: &Look) -> Markup {
    page::help(
        look,
        &html! { p { (look.of_two(
            "Hier liegt alles, was in Ihren Organisationseinheiten auf einen Menschen wartet: Nachrichten, die nicht verarbeitet werden \
             konnten, Post ohne sicheren Vorgang, widersprüchliche Zahlungen, gescheiterte Übergaben und Aufgaben. Überfälliges steht oben.",
            "Everything that waits for a human in your units lies here: messages that could not be processed, post without a sure case, \
             contradictory payments, hand-overs that failed, and tasks. What is overdue comes first.",
        )) } },
    )
}

fn nothing<'a>(look: &'a Look, desk: &Desk, mine: bool) -> &'a str {
    match (desk.counts.is_empty(), mine) {
        (true, true) => look.of_two("Sie haben nichts übernommen.", "You have taken nothing."),
        (true, false) => look.of_two(
            "Der Schreibtisch ist leer. Es wartet nichts auf Sie.",
            "The desk is empty. Nothing waits for you.",
        ),
        (false, _) => look.of_two("Davon wartet gerade nichts.", "Nothing of this kind waits."),
    }
}

fn tiles(look: &Look, asked: &Asked, desk: &Desk, wanted: Option<Pile>) -> Markup {
    html! {
        ul.tiles.five {
            @for pile in Pile::ALL {
                @let words = words_of(pile);
                li { a href=(look.to(&asked.with("/desk", "kind", Some(pile.name()))))
                    aria-current=[(wanted == Some(pile)).then_some("true")] {
                    span.figure { (desk.counts.get(&pile).unwrap_or(&0)) } (look.of_two(words.0, words.1))
                } }
            }
        }
    }
}

/// The way to lines of bank statements that belong to nothing, which are no tasks: how many, and whether there are more.
fn statement_lines(look: &Look, (count, more): (usize, bool)) -> Markup {
    html! { @if count > 0 { p {
        a href=(look.to("/statement-lines")) { (look.of_two("Umsätze der Kontoauszüge, die warten", "Lines of bank statements that wait")) }
        ": " (count) @if more { "+" }
    } } }
}

fn filter_form(
    console: &Console,
    look: &Look,
    visit: &Visit,
    asked: &Asked,
    (wanted, mine): (Option<Pile>, bool),
) -> Markup {
    let units = own_units(console, visit);
    html! {
        form.filter method="get" action=(look.to("/desk")) {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="kind" { (look.of_two("Art", "Kind")) }
                select #kind name="kind" {
                    option value="" { (look.of_two("alles", "everything")) }
                    @for pile in Pile::ALL {
                        @let words = words_of(pile);
                        option value=(pile.name()) selected[wanted == Some(pile)] {
                            (look.of_two(words.0, words.1))
                        }
                    }
                }
            }
            @if units.len() > 1 {
                (unit_filter(look, &units, asked.get("unit")))
            }
            div {
                label for="whose" { (look.of_two("Wessen", "Whose")) }
                select #whose name="whose" {
                    option value="" { (look.of_two("der ganzen Einheit", "of the whole unit")) }
                    option value="mine" selected[mine] { (look.of_two("von mir übernommen", "taken by me")) }
                }
            }
            button type="submit" { (look.of_two("Anzeigen", "Show")) }
        }
    }
}

/// What a task is about, on one line: by their titles alone tasks of one kind are all the same.
fn about(look: &Look, about: &About) -> String {
    match about {
        About::Message(message) => clarification::name(look, message),
        About::Record(record) => match &**record {
            Record::Interaction(letter) => letter.subject.clone().unwrap_or_default(),
            record => record.description().map(|it| it.title.clone()).unwrap_or_default(),
        },
        About::Nothing => String::new(),
    }
}

fn table(console: &Console, look: &Look, visit: &Visit, rows: &[Waiting]) -> Markup {
    let (units, now) = (own_units(console, visit), console.broker.now());
    let own = |task: &Task| format!("/tasks/{}", task.meta.id);
    html! {
        div.wide { table {
            caption.unseen { (look.of_two("Was wartet, Überfälliges zuerst", "What waits, overdue first")) }
            thead { tr {
                th scope="col" { (look.of_two("Was", "What")) }
                th scope="col" { (look.of_two("Frist", "Due")) }
                th scope="col" { (look.of_two("Seit", "Since")) }
                @if units.len() > 1 { th scope="col" { (look.of_two("Einheit", "Unit")) } }
                th scope="col" { (look.of_two("Bearbeitung", "Work")) }
            } }
            tbody { @for Waiting { task, about: subject, undecided } in rows {
                // Who may not go there begins at the task.
                @let elsewhere = undecided.and_then(decided_at).filter(|path| look.enters(path));
                @let about = about(look, subject);
                tr {
                    td { a href=(look.to(elsewhere.as_ref().unwrap_or(&own(task)))) { (what(look, task)) }
                        @if !about.trim().is_empty() { br; (about) }
                        @if let Some(code) = why(look, task) { br; span.hint { (code) } } }
                    td { (when(look, now, task)) }
                    td { (moment(look, task.meta.created_at)) }
                    @if units.len() > 1 { td { (unit_name(&units, &task.meta.unit)) } }
                    td { (whose(look, visit, task))
                        @if elsewhere.is_some() { " " a href=(look.to(&own(task))) { (look.of_two("Aufgabe", "Task")) } } }
                }
            } }
        } }
    }
}

/// Title of a task; those of the gateway's own are said in the page's language.
pub(super) fn what(look: &Look, task: &Task) -> String {
    let english = match task.title.as_str() {
        "Klärungsfall" => "Message that waits to be clarified",
        "Posteingang zuordnen" => "File incoming post",
        "Posteingang prüfen" => "Look at incoming post",
        "Rückruf" => "Call back",
        "Übergabe an ein Verfahren klären" => "Clarify a hand-over to a system",
        "Versand klären: Sendung nicht angekommen" => "Clarify a dispatch that did not arrive",
        "Weitergeleitetes Anliegen beantworten" => "Answer a concern that was forwarded",
        "Aufgabe einer anderen Organisationseinheit überfällig" => "Task of another unit is overdue",
        "Angekündigte Anlagen fehlen: bei der antragstellenden Person nachfragen" => {
            "Announced attachments are missing: ask the applicant"
        }
        "Zahlung klären" => "Clear a payment",
        "Abgelehnte Buchung klären" => "Clear a booking that was refused",
        "Erstattung unterblieben" => "Refund was not carried out",
        "Zugang zum Zahlungsdienst prüfen" => "Check the access to the payment service",
        "Austausch überfällig" => "Exchange is overdue",
        "Vernichtung unterblieben" => "Destruction was not carried out",
        own => own,
    };
    look.of_two(&task.title, english).to_owned()
}

/// Why a task exists, if its kind is a code that a page explains.
pub(super) fn why(look: &Look, task: &Task) -> Option<String> {
    model::catalog::sentence(&task.kind).map(|it| look.of_two(&it.de, &it.en).to_owned())
}

pub(super) fn when(look: &Look, now: Timestamp, task: &Task) -> Markup {
    html! {
        @match task.due {
            Some(at) => (due(look, now, at)),
            None if task.overdue.is_some() => span.state.bad { (look.of_two("überfällig", "overdue")) },
            None => span.hint { (look.of_two("ohne Frist", "no due date")) },
        }
    }
}

/// Who works on it: the visitor, or somebody else, who is not named.
pub(super) fn whose(look: &Look, visit: &Visit, task: &Task) -> Markup {
    let mine = task.assignee.as_deref() == Some(visit.caller.actor.id.as_str());
    html! {
        @match (task.status, mine) {
            (TaskStatus::Assigned, true) => span.state.good { (look.of_two("bei Ihnen", "yours")) },
            (TaskStatus::Assigned, false) => span.state { (look.of_two("übernommen", "taken")) },
            (status, _) => (words::shown(look, words::task(status))),
        }
    }
}
