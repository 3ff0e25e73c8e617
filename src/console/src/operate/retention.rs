//! Retention and deletion: what goes next, what stays and why, the runs with their proofs, and what is barred from destruction.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::StatusCode};
use broker::{Keeping, RetentionDue, RetentionKept, RetentionPlan, RetentionRun};
use maud::{Markup, html};
use model::{Action, Id, Record, Timestamp, catalog};

use crate::form::Form;
use crate::page::{self, Look};
use crate::route::{Needs, Route};
use crate::{Console, Visit};

const RIGHTS: &[Action] = &[Action::HoldRecords, Action::Erase];

/// Lines of each list.
const SHOWN: usize = 50;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::page("/retention", Needs::AnyOf(RIGHTS), list),
        Route::act("/retention/run", Needs::Right(Action::Erase), run),
        Route::page("/retention/runs/{id}/proof", Needs::AnyOf(RIGHTS), proof),
    ]
}

/// `GET /console/retention`.
async fn list(State(console): State<Console>, look: Look, Extension(visit): Extension<Visit>) -> Response {
    let (broker, caller) = (&console.broker, &visit.caller);
    let asked = async {
        let plan = broker.retention_plan(caller, SHOWN).await?;
        let runs = broker.retention_runs(caller, 20).await?;
        let held = broker.held(caller, 100).await?;
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
        (all_held(&look, &held))
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
            }
        }
    }
}

/// Proofs name what was deleted in all units: they are for those who look after the whole tenant.
fn all_runs(look: &Look, runs: &[RetentionRun], is_whole: bool) -> Markup {
    html! {
        section aria-labelledby="runs" {
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
                        td.number { (run.deleted) }
                        td { @if run.ended_at.is_some() && is_whole {
                            a href=(look.to(&format!("/retention/runs/{}/proof", run.id))) download {
                                (look.of_two("Nachweis herunterladen", "Load the proof")) " " (moment(look, run.started_at))
                            }
                        } }
                    } } }
                } }
            }
        }
    }
}

fn all_held(look: &Look, held: &[Record]) -> Markup {
    html! {
        section aria-labelledby="held" {
            h2 #held { (look.of_two("Löschsperren", "Legal holds")) }
            @if held.is_empty() {
                (page::empty(look.of_two("Keine Akte ist gesperrt.", "No record is barred from destruction.")))
            } @else {
                div.wide { table {
                    thead { tr {
                        th scope="col" { (look.of_two("Akte", "Record")) }
                        th scope="col" { (look.of_two("Seit", "Since")) }
                        th scope="col" { (look.of_two("Grund", "Reason")) }
                    } }
                    tbody { @for record in held {
                        @let description = record.description();
                        @let hold = description.and_then(|it| it.hold.as_ref());
                        tr {
                            td {
                                (description.and_then(|it| it.record_reference.as_deref()).unwrap_or("–"))
                                " " code { (record.meta().id) }
                            }
                            td { @if let Some(hold) = hold { (moment(look, hold.since)) } }
                            td { @if let Some(hold) = hold { (hold.reason) } }
                        }
                    } }
                } }
            }
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
