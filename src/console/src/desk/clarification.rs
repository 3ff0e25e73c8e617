//! A message that waits for a human: which rule keeps it, where, who has to act, what was tried, what may be done now. Once it goes on,
//! the same page says where it is.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::Error;
use maud::{Markup, html};
use model::clarification::{Act, Attempt, Clarification, Side, leading};
use model::message::{Direction, Finding};
use model::rights::Action;
use model::{Authority, Id, Message};

use super::document::download;
use super::parts::{all_units, answer, help, just_done, moment, size, unit_name};
use super::{line, mend, words};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::message_acts::{self, Offer};
use crate::operate::show;
use crate::page::{self, Look};
use crate::visit::Visit;

const PATH: &str = "/clarifications";

/// Attempts that are written out.
const ATTEMPTS: usize = 100;

/// `GET /console/clarifications/{id}`.
pub(super) async fn show(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(message): PathId,
    asked: Asked,
) -> Response {
    let told = match message_acts::done(&look, asked.get("done").unwrap_or_default()) {
        Some(text) => page::done(text),
        None => just_done(&look, &asked),
    };
    answer(&look, try_show(&console, &look, &visit, (message, told)).await)
}

/// The page of a message, with something said at its top.
pub(super) async fn try_show(
    console: &Console,
    look: &Look,
    visit: &Visit,
    (id, told): (Id, Markup),
) -> Result<Response, Error> {
    let message = console.broker.message(&visit.caller, id).await?;
    let waits = match console.broker.clarification(&visit.caller, id).await {
        Ok(found) => Some(found),
        Err(Error::Model(model::Error::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    let body = html! {
        (told)
        (help(look, (
            "Warum eine Nachricht nicht weiterkommt, wer handeln muss und was Sie tun können. Was Sie tun, wird mit Ihrer Notiz festgehalten.",
            "Why a message does not go on, who has to act, and what you can do. What you do is kept with your note.",
        )))
        @match &waits {
            Some((found, _)) => (why(look, found)),
            None => { (state_of(look, &message)) (parking(console, look, visit, &message)) },
        }
        (facts(console, look, visit, &message))
        (findings(look, &message, waits.as_ref().map(|(found, _)| found.rule.as_str())))
        @if let Some((found, _)) = &waits { (acts(console, look, visit, found)) }
        @if let Some((_, attempts)) = &waits { (tried(look, attempts)) }
        @if waits.is_none() { p { a href=(look.to("/desk")) { (look.of_two("Zurück zum Schreibtisch", "Back to the desk")) } } }
    };
    let title = match waits {
        Some(_) => look.of_two("Klärungsfall: ", "To be clarified: "),
        None => look.of_two("Nachricht: ", "Message: "),
    };
    Ok(page::page(look, &format!("{title}{}", name(look, &message)), &body))
}

/// What a message is called.
pub(super) fn name(look: &Look, message: &Message) -> String {
    let kind = message.identity.as_ref().map(|it| format!("{} {}", it.standard, it.message_type));
    let kind = kind.unwrap_or_else(|| look.of_two("unbekannte Nachricht", "unknown message").to_owned());
    let way = match message.direction {
        Direction::In => look.of_two("von", "from"),
        Direction::Out => look.of_two("an", "to"),
    };
    match message.partner.parse::<Authority>() {
        Ok(partner) => format!("{kind} {way} {partner}"),
        Err(_) => format!("{kind} {way} {}", look.of_two("einem Verfahren", "a system")),
    }
}

fn why(look: &Look, found: &Clarification) -> Markup {
    let finding = found.message.report.as_ref().and_then(leading).filter(|it| it.rule == found.rule);
    let sentence = model::catalog::sentence(&found.rule).map(|it| {
        let text = look.of_two(&it.de, &it.en);
        finding.map_or_else(|| text.to_owned(), |finding| finding.filled(text))
    });
    let side = match found.side {
        Side::Sender => ("die absendende Stelle", "the sender"),
        Side::Recipient => ("die empfangende Stelle", "the recipient"),
        Side::Us => ("wir", "we"),
    };
    html! {
        section.card {
            h2 { (look.of_two("Warum wartet die Nachricht?", "Why does the message wait?")) }
            @if let Some(text) = sentence { p { (text) } }
            dl {
                dt { (look.of_two("Regel", "Rule")) } dd.code { (found.rule) }
                @if let Some(finding) = finding { dt { (look.of_two("Stelle", "Place")) } dd { (place(look, finding)) } }
                dt { (look.of_two("Handeln muss", "Who has to act")) } dd { (look.of_two(side.0, side.1)) }
                dt { (look.of_two("Seit", "Since")) } dd { (moment(look, found.since)) }
            }
        }
    }
}

fn place(look: &Look, finding: &Finding) -> Markup {
    html! {
        @if let Some(file) = &finding.file { span.code { (file) } " " }
        @if let Some(line) = finding.line { (look.of_two("Zeile ", "line ")) (line) " " }
        @if let Some(path) = &finding.path { span.code { (path) } }
        @if finding.file.is_none() && finding.line.is_none() && finding.path.is_none() {
            (look.of_two("die Nachricht als Ganzes", "the message as a whole"))
        }
    }
}

/// Where a message is that does not wait; looked at again while it is on its way.
fn state_of(look: &Look, message: &Message) -> Markup {
    let moving = words::is_moving(message);
    let here = look.to(&format!("/clarifications/{}/state", message.id));
    html! {
        div.card #state hx-get=[moving.then_some(&here)] hx-trigger=[moving.then_some("every 2s")] hx-swap=[moving.then_some("outerHTML")]
            hx-headers=[moving.then_some(show::POLLING)] {
            p role="status" { (words::shown(look, words::message(message))) }
            @if moving {
                progress aria-label=(look.of_two("wird verarbeitet", "being processed")) {}
                p { a.button href=(look.to(&format!("/clarifications/{}", message.id))) { (look.of_two("Neu laden", "Reload")) } }
            }
        }
    }
}

/// What is on its way may be stopped; outside of what renews itself, since somebody writes here.
fn parking(console: &Console, look: &Look, visit: &Visit, message: &Message) -> Markup {
    let may = words::is_moving(message) && visit.caller.may(Action::ClearMessages).is_ok();
    html! { @if may { (message_acts::forms(console, look, PATH, message, &[Offer::Park])) } }
}

/// `GET /console/clarifications/{id}/state`: the state alone, for the page that looks again; of a message that waits again, the way there.
pub(super) async fn state(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(message): PathId,
) -> Response {
    match console.broker.message(&visit.caller, message).await {
        Ok(message) => {
            let href = look.to(&format!("/clarifications/{}", message.id));
            let shown = html! {
                (state_of(&look, &message))
                @if message.state == model::MessageState::Parked { p { a.button href=(href) {
                    (look.of_two("Die Nachricht wartet wieder: ansehen", "The message waits again: show"))
                } } }
            };
            page::part(&look, &shown)
        }
        Err(error) => page::failed(&look, &error),
    }
}

fn facts(console: &Console, look: &Look, visit: &Visit, message: &Message) -> Markup {
    let reads = visit.caller.may(Action::ReadContent).is_ok();
    html! {
        dl.card {
            dt { (look.of_two("Partner", "Partner")) } dd.code { (message.partner) }
            @if let Some(identity) = &message.identity {
                dt { (look.of_two("Standard", "Standard")) } dd { (identity.standard) " " (identity.version) }
                dt { (look.of_two("Nachrichtentyp", "Type")) } dd { (identity.message_type) }
            }
            dt { (look.of_two("Eingang", "Received")) } dd { (moment(look, message.received_at)) }
            dt { (look.of_two("Einheit", "Unit")) } dd { (unit_name(&all_units(console, visit), &message.unit)) }
            @if let Some(payload) = &message.payload {
                dt { (look.of_two("Datei", "File")) }
                dd { (message.file_name.as_deref().unwrap_or("–")) " (" (size(look, payload.size)) ") "
                    @if reads { a href=(look.to(&format!("/clarifications/{}/file", message.id))) {
                        (look.of_two("herunterladen", "download"))
                    } }
                }
            }
            @if message.test { dt { (look.of_two("Test", "Test")) } dd { (look.of_two("Testnachricht", "test message")) } }
        }
    }
}

/// What checks have found, unless all of it is the rule that is explained already.
fn findings(look: &Look, message: &Message, explained: Option<&str>) -> Markup {
    let Some(report) = &message.report else { return html! {} };
    if report.findings.iter().all(|it| Some(it.rule.as_str()) == explained) {
        return html! {};
    }
    html! { section { h2 { (look.of_two("Befunde", "Findings")) } (show::report(look, report)) } }
}

fn tried(look: &Look, attempts: &[Attempt]) -> Markup {
    html! {
        section {
            h2 { (look.of_two("Bisher versucht", "Tried so far")) }
            @if attempts.is_empty() { (page::empty(look.of_two("Noch nichts.", "Nothing yet."))) }
            ul.line { @for attempt in attempts.iter().rev().take(ATTEMPTS) {
                @let what = words::event(attempt.kind);
                li {
                    (moment(look, attempt.at)) " · " strong { (look.of_two(what.0, what.1)) }
                    " " span.hint { "(" (line::actor(look, &attempt.actor.kind)) ")" }
                    @if let Some(code) = &attempt.code { " " (words::meaning(look, code)) }
                    @if let Some(note) = &attempt.note { br; (note) }
                }
            } }
        }
    }
}

fn acts(console: &Console, look: &Look, visit: &Visit, found: &Clarification) -> Markup {
    let may = console.broker.acts(&visit.caller, found);
    let offers = [(Act::Resend, Offer::Resend), (Act::Forward, Offer::Forward), (Act::Return, Offer::Return)];
    let offers: Vec<_> =
        offers.iter().filter(|(act, _)| may.contains(act)).map(|(_, offer)| *offer).collect();
    html! {
        section {
            h2 { (look.of_two("Was tun?", "What to do?")) }
            @if may.is_empty() { (page::empty(look.of_two(
                "Sie dürfen diese Nachricht ansehen, aber nicht über sie entscheiden.",
                "You may see this message, but not decide about it.",
            ))) }
            @if may.contains(&Act::Repair) { (mend::form(look, &found.message, "")) }
            (message_acts::forms(console, look, PATH, &found.message, &offers))
        }
    }
}

/// `GET /console/clarifications/{id}/file`.
pub(super) async fn file(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(message): PathId,
) -> Response {
    let outcome = async {
        let (message, _, payload) = console.broker.message_content(&visit.caller, message).await?;
        Ok(download(&payload, message.file_name.as_deref().unwrap_or("nachricht")))
    };
    answer(&look, outcome.await)
}
