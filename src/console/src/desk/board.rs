//! The desk: everything that waits for a human in the visitor's units. All of it is a task, so there is one list: what is overdue first.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{ChannelFilter, Desk, DeskFilter, Error, Page};
use maud::{Markup, html};
use model::activity::{Task, TaskStatus};
use model::payment::record::ClearingReason;
use model::{Id, Record, Timestamp};

use super::parts::{ROWS, answer, due, just_done, moment, own_units, unit_filter, unit_name};
use super::{clarification, post, words};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Deliveries that wait for a human and are looked at.
const DELIVERIES: u32 = 500;

/// What something on the desk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Clarification,
    Post,
    Money,
    Delivery,
    Other,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Clarification, Kind::Post, Kind::Money, Kind::Delivery, Kind::Other];

    fn of(task: &Task, deliveries: &BTreeSet<Id>) -> Kind {
        match task.kind.as_str() {
            "clarification" if task.message_id.is_some() => Kind::Clarification,
            "letter" | "forwarded" | "call-back" if task.case_id.is_some() => Kind::Post,
            _ if task.payment_id.is_some() => Kind::Money,
            _ if deliveries.contains(&task.meta.id) => Kind::Delivery,
            _ => Kind::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Clarification => "clarification",
            Kind::Post => "post",
            Kind::Money => "money",
            Kind::Delivery => "delivery",
            Kind::Other => "task",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Clarification => ("Klärungsfälle", "Clarifications"),
            Kind::Post => ("Post", "Post"),
            Kind::Money => ("Zahlungen", "Payments"),
            Kind::Delivery => ("Übergaben", "Hand-overs"),
            Kind::Other => ("Aufgaben", "Tasks"),
        }
    }
}

/// Where a task is decided about, if that ends it: a message, a letter that lies on the desk, a contradiction. Any other one, such as a call
/// that was promised, is ended by whoever has done it.
pub(super) fn decided_at(task: &Task) -> Option<String> {
    let at = |place: &str, id: Option<Id>| id.map(|id| format!("/{place}/{id}"));
    match task.kind.as_str() {
        "clarification" => at("clarifications", task.message_id),
        "letter" => at("post", task.case_id),
        kind if ClearingReason::ALL.iter().any(|reason| reason.code() == kind) => {
            at("payments", task.payment_id)
        }
        _ => None,
    }
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
    let desk = console.broker.desk(&visit.caller, &filter).await?;
    let deliveries = parked(console, visit).await?;
    let kinds: Vec<Kind> = desk.tasks.iter().map(|task| Kind::of(task, &deliveries)).collect();
    let wanted = Kind::ALL.into_iter().find(|kind| asked.get("kind") == Some(kind.name()));
    let from = asked.parsed::<usize>("from").unwrap_or(0);
    let chosen = desk.tasks.iter().zip(&kinds).filter(|(_, kind)| wanted.is_none_or(|it| it == **kind));
    let all: Vec<&Task> = chosen.map(|(task, _)| task).collect();
    let next = from.saturating_add(ROWS as usize);
    let more = (all.len() > next).then(|| next.to_string());
    let mut rows = vec![];
    for task in all.into_iter().skip(from).take(ROWS as usize) {
        rows.push((task, about(console, look, visit, task).await?));
    }
    let body = html! {
        (just_done(look, asked))
        (help(look))
        (tiles(look, asked, &kinds, wanted))
        (filter_form(console, look, visit, asked, mine))
        @if desk.more { (page::alert(look.of_two(
            "Es liegt mehr auf dem Schreibtisch, als auf einmal gezeigt wird. Wählen Sie eine Organisationseinheit.",
            "More lies on the desk than is shown at once. Choose a unit.",
        ))) }
        @if rows.is_empty() { (page::empty(nothing(look, &desk, mine))) }
        @else { (table(console, look, visit, &rows)) }
        @if let Some(more) = more {
            p { a.button rel="next" href=(look.to(&asked.with("/desk", "from", Some(&more)))) {
                (look.of_two("Weitere anzeigen", "Show more"))
            } }
        }
    };
    Ok(page::page(look, look.of_two("Zu entscheiden", "To decide"), &body))
}

/// Tasks of deliveries to adapters that could not be made.
async fn parked(console: &Console, visit: &Visit) -> Result<BTreeSet<Id>, Error> {
    let filter = ChannelFilter { parked: Some(true), ..ChannelFilter::default() };
    match console.broker.channel_deliveries(&visit.caller, &filter, &Page::first(DELIVERIES)).await {
        Ok(listed) => Ok(listed.items.into_iter().filter_map(|row| row.task).collect()),
        Err(Error::Model(model::Error::Forbidden)) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
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
    match (desk.tasks.is_empty(), mine) {
        (true, true) => look.of_two("Sie haben nichts übernommen.", "You have taken nothing."),
        (true, false) => look.of_two(
            "Der Schreibtisch ist leer. Es wartet nichts auf Sie.",
            "The desk is empty. Nothing waits for you.",
        ),
        (false, _) => look.of_two("Davon wartet gerade nichts.", "Nothing of this kind waits."),
    }
}

fn tiles(look: &Look, asked: &Asked, kinds: &[Kind], wanted: Option<Kind>) -> Markup {
    html! {
        ul.tiles.five {
            @for kind in Kind::ALL {
                @let count = kinds.iter().filter(|it| **it == kind).count();
                @let words = kind.words();
                li { a href=(look.to(&asked.with("/desk", "kind", Some(kind.name()))))
                    aria-current=[(wanted == Some(kind)).then_some("true")] {
                    span.figure { (count) } (look.of_two(words.0, words.1))
                } }
            }
        }
    }
}

fn filter_form(console: &Console, look: &Look, visit: &Visit, asked: &Asked, mine: bool) -> Markup {
    let units = own_units(console, visit);
    html! {
        form.filter method="get" action=(look.to("/desk")) {
            input type="hidden" name="lang" value=(look.words.tag());
            div {
                label for="kind" { (look.of_two("Art", "Kind")) }
                select #kind name="kind" {
                    option value="" { (look.of_two("alles", "everything")) }
                    @for kind in Kind::ALL {
                        @let words = kind.words();
                        option value=(kind.name()) selected[asked.get("kind") == Some(kind.name())] {
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

/// What a task is about, on one line, as far as the visitor may see it: by their titles alone tasks of one kind are all the same.
async fn about(console: &Console, look: &Look, visit: &Visit, task: &Task) -> Result<String, Error> {
    if let Some(message) = task.message_id {
        return match console.broker.message(&visit.caller, message).await {
            Ok(message) => Ok(clarification::name(look, &message)),
            Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => Ok(String::new()),
            Err(error) => Err(error),
        };
    }
    let Some(id) = task.case_id else { return Ok(String::new()) };
    Ok(match post::seen(console, visit, id).await? {
        Some(Record::Interaction(letter)) => letter.subject.unwrap_or_default(),
        Some(record) => record.description().map(|it| it.title.clone()).unwrap_or_default(),
        None => String::new(),
    })
}

fn table(console: &Console, look: &Look, visit: &Visit, rows: &[(&Task, String)]) -> Markup {
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
            tbody { @for (task, about) in rows {
                @let elsewhere = decided_at(task);
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
