//! Retention and deletion: what goes next, what stays and why, the runs with their proofs, and what is barred from destruction.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::StatusCode};
use broker::{Keeping, Listed, Page, RetentionDue, RetentionKept, RetentionPlan, RetentionRun};
use maud::{Markup, html};
use model::{Action, Id, Record, Timestamp, catalog};

use super::{holds, show};
use crate::asked::Asked;
use crate::form::Form;
use crate::page::{self, Look};
use crate::route::{Needs, Route};
use crate::{Console, Visit};

const RIGHTS: &[Action] = &[Action::HoldRecords, Action::Erase];

/// Lines of what goes and of what stays.
const SHOWN: usize = 50;
/// Runs that are shown, the newest.
const RUNS: u32 = 20;
/// Holds that are shown; all of them have a page.
const HELD: u32 = 20;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::page("/retention", Needs::AnyOf(RIGHTS), list),
        Route::act("/retention/run", Needs::Right(Action::Erase), run),
        Route::page("/retention/runs/{id}/proof", Needs::AnyOf(RIGHTS), proof),
        Route::page(holds::PATH, Needs::AnyOf(RIGHTS), holds::list),
    ]
}

/// `GET /console/retention`.
async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let (broker, caller) = (&console.broker, &visit.caller);
    if asked.get("part").is_some() {
        return match broker.retention_runs(caller, RUNS).await {
            Ok(runs) => page::part(&look, &all_runs(&look, &runs, caller.scope.is_whole())),
            Err(error) => page::failed(&look, &error),
        };
    }
    let asked = async {
        let plan = broker.retention_plan(caller, SHOWN).await?;
        let runs = broker.retention_runs(caller, RUNS).await?;
        let held = broker.held(caller, &Page::first(HELD)).await?;
        Ok::<_, broker::Error>((plan, runs, held))
    };
    let (plan, runs, held) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return page::failed(&look, &error),
    };
    let may_run = caller.may(Action::Erase).is_ok_and(model::Scope::is_whole);
    let body = html! {
        (page::help(&look, &html! { p { (look.of_two(
            "Transportkopien werden nach Ablauf ihrer Frist gelöscht: Ihr Schlüssel wird vernichtet, die Nachweise bleiben erhalten. \
             Akten werden nur gelöscht, nachdem sie dem Archiv angeboten und von ihm bewertet wurden, und nie unter einer Löschsperre. \
             Jeder Löschlauf endet mit einem Nachweis, den jeder mit dem öffentlichen Schlüssel prüfen kann.",
            "Copies that only carried something go after their time: their key is destroyed, their evidence stays. \
             Records go only after they were offered to and appraised by the archive, and never under a legal hold. \
             Each run ends with a proof that anybody with the public key can verify.",
        )) } }))
        (times(&look, broker.keeping()))
        @if may_run && broker.keeping().deletes() {
            form.acts method="post" action=(look.to("/retention/run")) {
                (look.form_token())
                button type="submit" { (look.of_two("Löschlauf jetzt starten", "Begin a run now")) }
            }
        }
        (due(&look, &plan))
        (kept(&look, &plan.kept))
        (all_runs(&look, &runs, caller.scope.is_whole()))
        (first_held(&look, &held))
    };
    page::page(&look, look.of_two("Aufbewahrung und Löschung", "Retention and deletion"), &body)
}

/// `POST /console/retention/run`.
async fn run(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    _: Form,
) -> Response {
    match console.broker.start_retention(&visit.caller).await {
        Ok(_) => look.onward("/retention"),
        Err(error) => page::failed(&look, &error),
    }
}

/// `GET /console/retention/runs/{id}/proof`: the proof as a file.
async fn proof(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<Id>() else { return page::missing(&look) };
    let proof = match console.broker.retention_proof(&visit.caller, id).await {
        Ok(proof) => proof,
        Err(error) => return page::failed(&look, &error),
    };
    let Ok(bytes) = proof.to_json() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let name = format!("attachment; filename=\"deletion-proof-{id}.json\"");
    ([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, name)], bytes).into_response()
}

fn times(look: &Look, keeping: &Keeping) -> Markup {
    let rows = [
        (look.of_two("Bestätigte Nachrichten", "Confirmed messages"), keeping.messages),
        (look.of_two("Zurückgegebene Nachrichten", "Returned messages"), keeping.returned),
        (look.of_two("Zur Abholung bereitgelegte Sendungen", "Deliveries for pick-up"), keeping.relay),
        (look.of_two("Rückmeldungen von Zahlungsanbietern", "Calls of payment providers"), keeping.notices),
        (look.of_two("Ausgesonderte Akten", "Records disposed of"), keeping.records),
        (
            look.of_two("Ohne Vorgang abgelegte Kontakte", "Contacts put away without a case"),
            keeping.contacts,
        ),
    ];
    let for_ever = look.of_two("unbefristet", "without end");
    html! {
        section aria-labelledby="times" {
            h2 #times { (look.of_two("Fristen", "Times")) }
            dl {
                @for (name, days) in rows {
                    dt { (name) }
                    dd {
                        @match days {
                            Some(days) => { (days) " " (look.of_two("Tage", "days")) }
                            None => { (for_ever) }
                        }
                    }
                }
            }
        }
    }
}

fn due(look: &Look, plan: &RetentionPlan) -> Markup {
    html! {
        section aria-labelledby="due" {
            h2 #due { (look.of_two("Wird beim nächsten Lauf gelöscht", "Goes with the next run")) }
            @if plan.due.is_empty() {
                (page::empty(look.of_two("Nichts ist fällig.", "Nothing is due.")))
            } @else {
                div.wide { table {
                    thead { tr {
                        th scope="col" { (look.of_two("Was", "What")) }
                        th scope="col" { (look.of_two("Einheit", "Unit")) }
                        th scope="col" { (look.of_two("Beendet", "Ended")) }
                        th.number scope="col" { (look.of_two("Bytes", "Bytes")) }
                    } }
                    tbody { @for it in &plan.due { (one_due(look, it)) } }
                } }
                @if plan.more { p.hint { (look.of_two("Es gibt noch mehr.", "There is more.")) } }
            }
        }
    }
}

fn one_due(look: &Look, it: &RetentionDue) -> Markup {
    html! { tr {
        td { (kind(look, it.kind)) " " code { (it.subject) } }
        td { (it.unit) }
        td { (moment(look, it.since)) }
        td.number { (it.bytes) }
    } }
}

fn kept(look: &Look, all: &[RetentionKept]) -> Markup {
    html! {
        section aria-labelledby="kept" {
            h2 #kept { (look.of_two("Bleibt erhalten", "Has to stay")) }
            @if all.is_empty() {
                (page::empty(look.of_two("Nichts steht einer Löschung entgegen.", "Nothing stands against a deletion.")))
            } @else {
                div.wide { table {
                    thead { tr {
                        th scope="col" { (look.of_two("Was", "What")) }
                        th scope="col" { (look.of_two("Seit", "Since")) }
                        th scope="col" { (look.of_two("Warum", "Why")) }
                    } }
                    tbody { @for it in all { tr {
                        td { (kind(look, &it.kind)) " " code { (it.subject) } }
                        td { (moment(look, it.since)) }
                        td { (why(look, &it.reason)) }
                    } } }
                } }
                @if all.len() >= SHOWN { p.hint { (look.of_two("Es stehen nur die ersten hier.", "Only the first of them stand here.")) } }
                @if look.enters("/dispositions") {
                    p { a href=(look.to("/dispositions")) { (look.of_two("Zur Aussonderung", "To the dispositions")) } }
                }
            }
        }
    }
}

/// Proofs name what was deleted in all units: they are for those who look after the whole tenant. It renews itself while a run is under way.
fn all_runs(look: &Look, runs: &[RetentionRun], is_whole: bool) -> Markup {
    let is_running = runs.iter().any(|run| run.ended_at.is_none());
    let part = is_running.then(|| look.to("/retention?part=runs"));
    html! {
        section aria-labelledby="runs" aria-live="polite" hx-get=[part] hx-trigger=[is_running.then_some("every 2s")]
            hx-headers=(show::POLLING) hx-swap=[is_running.then_some("outerHTML")] {
            h2 #runs { (look.of_two("Löschläufe", "Runs")) }
            @if runs.is_empty() {
                (page::empty(look.of_two("Es gab noch keinen Lauf.", "There was no run yet.")))
            } @else {
                div.wide { table {
                    thead { tr {
                        th scope="col" { (look.of_two("Begonnen", "Begun")) }
                        th scope="col" { (look.of_two("Beendet", "Ended")) }
                        th.number scope="col" { (look.of_two("Gelöscht", "Deleted")) }
                        th scope="col" { (look.of_two("Nachweis", "Proof")) }
                    } }
                    tbody { @for run in runs { tr {
                        td { (moment(look, run.started_at)) }
                        td { @match run.ended_at {
                            Some(at) => { (moment(look, at)) }
                            None => { span.state { (look.of_two("läuft", "under way")) } }
                        } }
                        td.number {
                            @if run.ended_at.is_none() { (look.of_two("bisher ", "so far ")) }
                            (run.deleted)
                        }
                        td { @if run.ended_at.is_some() && is_whole {
                            a href=(look.to(&format!("/retention/runs/{}/proof", run.id))) download {
                                (look.of_two("Nachweis herunterladen", "Load the proof")) " " (moment(look, run.started_at))
                            }
                        } }
                    } } }
                } }
                @if is_running { p { a href=(look.to("/retention")) { (look.of_two("Neu laden", "Reload")) } } }
            }
        }
    }
}

/// The first of what is barred, and the way to all of it.
fn first_held(look: &Look, held: &Listed<Record>) -> Markup {
    html! {
        section aria-labelledby="held" {
            h2 #held { (look.of_two("Löschsperren", "Legal holds")) }
            @if held.next.is_some() { p.hint { (look.of_two("Nicht alle stehen hier.", "Not all of them stand here.")) } }
            (holds::table(look, &held.items))
            p { a.button href=(look.to(holds::PATH)) { (look.of_two("Alle Löschsperren", "All legal holds")) } }
        }
    }
}

fn kind<'a>(look: &'a Look, kind: &'a str) -> &'a str {
    match kind {
        "message" => look.of_two("Nachricht", "Message"),
        "relay" => look.of_two("Sendung", "Delivery"),
        "notice" => look.of_two("Rückmeldung", "Call"),
        "record" => look.of_two("Akte", "Record"),
        "contact" => look.of_two("Kontakt", "Contact"),
        other => other,
    }
}

/// The sentence of a reason, which its page explains.
fn why(look: &Look, code: &str) -> Markup {
    let sentence = catalog::sentence(code);
    html! { (sentence.map_or(code, |it| look.of_two(&it.de, &it.en))) " " span.hint { "(" (code) ")" } }
}

fn moment(look: &Look, at: Timestamp) -> String {
    format!("{}, {}", look.words.date(at), look.words.clock(at))
}
