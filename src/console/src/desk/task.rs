//! A task: what it is about, and taking it, handing it on, completing it.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::Error;
use maud::{Markup, html};
use model::activity::Task;
use model::command::{Change, Command};
use model::{Id, Record, RecordKind};

use super::parts::{
    all_units, answer, help, is_theirs, just_done, moment, next_unit, path_of, titled, unit_name,
};
use super::{board, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Longest result, in characters.
const RESULT: usize = 10_000;

/// `GET /console/tasks/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(task): PathId,
    asked: Asked,
) -> Response {
    answer(&look, try_show(&console, &look, &visit, task, &asked).await)
}

async fn read(console: &Console, visit: &Visit, id: Id) -> Result<Task, Error> {
    match console.broker.record(&visit.caller, RecordKind::Task, id).await? {
        Record::Task(task) => Ok(task),
        _ => Err(model::Error::NotFound { kind: "task" }.into()),
    }
}

async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    id: Id,
    asked: &Asked,
) -> Result<Response, Error> {
    let task = read(console, visit, id).await?;
    let about = about(console, look, visit, &task).await?;
    let delivery = delivery(console, look, visit, &task).await?;
    let units = all_units(console, visit);
    let undecided = console.broker.undecided(&visit.caller, &task).await?;
    let acts = match (undecided, undecided.and_then(board::decided_at)) {
        _ if !task.status.is_open() => html! {},
        // Whoever has asked for it follows it; it is done where it lies.
        _ if !is_theirs(visit, &task.meta) => html! {},
        (None, _) => acts(look, &task, &units),
        (Some(_), Some(path)) => decided_elsewhere(look, &task, &path, &units),
        // The operators end it by making the hand-over again, or by giving it up.
        (Some(_), None) => html! { section.card { h2 { (what_to_do(look)) } (take_form(look, &task)) } },
    };
    let title = board::what(look, &task);
    let body = html! {
        (just_done(look, asked))
        (help(look, (
            "Eine Aufgabe Ihrer Einheit. Wer sie übernimmt, zeigt den anderen, dass jemand daran arbeitet; weitergegeben liegt sie bei der anderen Einheit.",
            "A task of your unit. Whoever takes it shows the others that somebody works on it; handed on, it lies with the other unit.",
        )))
        dl.card {
            dt { (look.of_two("Stand", "State")) } dd { (words::shown(look, words::task(task.status))) }
            dt { (look.of_two("Bearbeitung", "Work")) } dd { (board::whose(look, visit, &task)) }
            dt { (look.of_two("Frist", "Due")) } dd { (board::when(look, console.broker.now(), &task)) }
            dt { (look.of_two("Seit", "Since")) } dd { (moment(look, task.meta.created_at)) }
            dt { (look.of_two("Einheit", "Unit")) } dd { (unit_name(&units, &task.meta.unit)) }
            @if let Some(by) = &task.requested_by {
                dt { (look.of_two("Gefragt von", "Asked by")) } dd { (unit_name(&units, by)) }
            }
            @if let Some(code) = board::why(look, &task) {
                dt { (look.of_two("Warum", "Why")) } dd { (code) }
            }
            dt { (look.of_two("Betrifft", "About")) } dd { (about) }
            @if let Some(result) = &task.result {
                dt { (look.of_two("Ergebnis", "Result")) } dd { (result) }
            }
        }
        @if let Some(delivery) = delivery { (delivery) }
        (acts)
    };
    Ok(page::page(look, &title, &body))
}

/// Links to what the task is about, as far as the visitor may see it.
async fn about(console: &Console, look: &Look, visit: &Visit, task: &Task) -> Result<Markup, Error> {
    let record = match task.case_id {
        Some(case) => match console.broker.require_visible(&visit.caller, case).await {
            Ok(record) => Some(record),
            Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let link = |place: &str, id: Option<Id>, text: &str| {
        id.map(|id| look.link(&format!("/{place}/{id}"), text)).unwrap_or_default()
    };
    let nothing = record.is_none() && task.message_id.or(task.payment_id).or(task.task_id).is_none();
    Ok(html! {
        @if let Some(record) = &record { (named(look, record)) " " }
        (link("clarifications", task.message_id, look.of_two("Nachricht", "Message"))) " "
        (link("payments", task.payment_id, look.of_two("Zahlung", "Payment"))) " "
        (link("tasks", task.task_id, look.of_two("Aufgabe", "Task")))
        @if nothing { "–" }
    })
}

fn named(look: &Look, record: &Record) -> Markup {
    let kind = words::kind(record.kind());
    let kind = look.of_two(kind.0, kind.1);
    html! {
        @match (record.description(), path_of(record.kind(), record.meta().id)) {
            (Some(_), _) => { (kind) " " (titled(look, record)) },
            (None, Some(path)) => (look.link(&path, kind)),
            (None, None) => (kind),
        }
    }
}

/// The delivery to an adapter that the task is about, for as long as it waits.
async fn delivery(
    console: &Console,
    look: &Look,
    visit: &Visit,
    task: &Task,
) -> Result<Option<Markup>, Error> {
    let Some(id) = task.delivery_id else { return Ok(None) };
    let row = match console.broker.channel_delivery(&visit.caller, id).await {
        Ok(row) if row.parked.is_some() => row,
        Ok(_) | Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let kind = words::kind(row.kind);
    Ok(Some(html! {
        section.card {
            h2 { (look.of_two("Übergabe, die nicht gelang", "Hand-over that failed")) }
            dl {
                dt { (look.of_two("An", "To")) } dd.code { (row.adapter) }
                dt { (look.of_two("Was", "What")) } dd {
                    @if let Some(path) = path_of(row.kind, row.record) { (look.link(&path, look.of_two(kind.0, kind.1))) }
                    @else { (look.of_two(kind.0, kind.1)) }
                }
                @if let Some(code) = &row.parked {
                    dt { (look.of_two("Grund", "Reason")) } dd { (words::meaning(look, code)) " " span.code { "(" (code) ")" } }
                }
            }
            p.hint { (look.of_two(
                "Beheben Sie, was hier im Weg ist, und bitten Sie den Betrieb, die Übergabe zu wiederholen.",
                "Mend what is in the way here, and ask the operators to make the hand-over again.",
            )) }
        }
    }))
}

fn what_to_do(look: &Look) -> &str {
    look.of_two("Was tun?", "What to do?")
}

fn path(look: &Look, task: &Task, act: &str) -> String {
    look.to(&format!("/tasks/{}/{act}", task.meta.id))
}

fn version(task: &Task) -> Markup {
    html! { input type="hidden" name="version" value=(task.meta.version); }
}

fn take_form(look: &Look, task: &Task) -> Markup {
    html! { form method="post" action=(path(look, task, "take")) {
        (look.form_token()) (version(task))
        button type="submit" { (look.of_two("Ich übernehme", "I take it")) }
    } }
}

/// Whatever is done there ends the task: it must not be gone from the desk while something still waits. A message is seen by its own unit
/// alone, and a letter goes to another one with all that it brought, so that neither is handed on here.
fn decided_elsewhere(look: &Look, task: &Task, place: &str, units: &[(String, String)]) -> Markup {
    html! {
        section.card {
            h2 { (what_to_do(look)) }
            @if look.enters(place) {
                p { a.button.main href=(look.to(place)) { (look.of_two("Ansehen und entscheiden", "Look and decide")) } }
                p.hint { (look.of_two("Ist dort entschieden, ist die Aufgabe erledigt.", "Once it is decided there, the task is done.")) }
            } @else {
                p.hint { (look.of_two(
                    "Darüber entscheidet jemand mit einer anderen Rolle. Ist entschieden, ist die Aufgabe erledigt.",
                    "Somebody with another role decides about it. Once it is decided, the task is done.",
                )) }
            }
            (take_form(look, task))
            @if task.payment_id.is_some() { (hand_on_form(look, task, units)) }
        }
    }
}

fn hand_on_form(look: &Look, task: &Task, units: &[(String, String)]) -> Markup {
    let others: Vec<_> = units.iter().filter(|(unit, _)| *unit != task.meta.unit).cloned().collect();
    html! { @if !others.is_empty() { details {
        summary { (look.of_two("An eine andere Einheit weitergeben", "Hand on to another unit")) }
        form method="post" action=(path(look, task, "hand-on")) {
            (look.form_token()) (version(task))
            (next_unit(look, &others))
            button type="submit" { (look.of_two("Weitergeben", "Hand on")) }
        }
    } } }
}

fn acts(look: &Look, task: &Task, units: &[(String, String)]) -> Markup {
    html! {
        section.card {
            h2 { (what_to_do(look)) }
            (take_form(look, task))
            form method="post" action=(path(look, task, "complete")) {
                (look.form_token()) (version(task))
                label for="result" { (look.of_two("Ergebnis (freiwillig)", "Result (optional)")) }
                textarea #result name="result" maxlength=(RESULT) {}
                button.main type="submit" { (look.of_two("Erledigt", "Done")) }
            }
            (hand_on_form(look, task, units))
        }
    }
}

/// `POST /console/tasks/{id}/take`.
pub(super) async fn take(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(task): PathId,
    form: Form,
) -> Response {
    let change = Change::AssignTask(visit.caller.actor.id.clone());
    act(&console, &look, &visit, (task, &form), change, "taken").await
}

/// `POST /console/tasks/{id}/hand-on`.
pub(super) async fn hand_on(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(task): PathId,
    form: Form,
) -> Response {
    let change = Change::HandOn(form.field("unit").to_owned());
    act(&console, &look, &visit, (task, &form), change, "handed-on").await
}

/// `POST /console/tasks/{id}/complete`.
pub(super) async fn complete(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(task): PathId,
    form: Form,
) -> Response {
    let result = form.given("result").map(str::to_owned);
    if result.as_ref().is_some_and(|text| text.chars().count() > RESULT) {
        return page::failed(&look, &model::Error::Invalid { field: "result" }.into());
    }
    act(&console, &look, &visit, (task, &form), Change::CompleteTask(result), "completed").await
}

/// Carries a change of a task out as it was seen; whoever cannot see it afterwards goes back to the desk.
async fn act(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, form): (Id, &Form),
    change: Change,
    done: &str,
) -> Response {
    let expected = form.field("version").parse().ok();
    let command = Command { kind: RecordKind::Task, id, expected, change };
    match console.broker.submit(&visit.caller, command, None).await {
        Ok(_) if done == "taken" => look.onward(&format!("/tasks/{id}?done={done}")),
        Ok(_) => look.onward(&format!("/desk?done={done}")),
        Err(error) => page::failed(look, &error),
    }
}
