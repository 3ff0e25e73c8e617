//! One message: what it is, its way as one line of time over all hops, findings, and what may be done about it. Metadata, never content.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::MessageWay;
use maud::{Markup, html};
use model::clarification::{Act, Side};
use model::message::Direction;
use model::rights::Action;
use model::{Event, EventKind, Message, MessageState};
use serde_json::Value;

use super::{labels, messages, show};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::asking::{self, Reason};
use crate::message_acts::{self, Offer};
use crate::page::{self, Look};
use crate::visit::Visit;

/// Codes of one event.
const SHOWN_CODES: usize = 3;

/// `GET /console/messages/{id}`.
pub(super) async fn one(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    let way = match console.broker.message_way(&visit.caller, id).await {
        Ok(way) => way,
        Err(error) => return page::failed(&look, &error),
    };
    let message = &way.message;
    let number = message.id.to_string();
    let short = number.get(24..).unwrap_or_default();
    let title = format!("{} …{short}", look.of_two("Nachricht", "Message"));
    page::page(
        &look,
        &title,
        &html! {
            @if let Some(text) = message_acts::done(&look, asked.text("done")) { (page::done(text)) }
            (page::help(&look, &html! { p { (look.of_two(
                "Oben steht, was die Nachricht ist und was Sie tun können, darunter ihr Verlauf über alle Stationen: auch Antworten und andere \
                 Nachrichten desselben Austauschs. Ihren Inhalt sieht der Betrieb nur mit Freigabe einer zweiten Person.",
                "At the top stands what the message is and what you may do, below it its course over all hops, with replies and other messages \
                 of the same exchange. Operators see its content only if a second person releases it.",
            )) } }))
            (head(&console, &look, &visit, message))
            (findings(&look, message))
            (acts(&console, &look, &visit, message))
            (timeline(&console, &look, &way))
            (others(&console, &look, &visit, &way))
        },
    )
}

fn head(console: &Console, look: &Look, visit: &Visit, message: &Message) -> Markup {
    let tenant = &visit.caller.scope.tenant;
    let process = message.identity.as_ref().and_then(|it| it.process_id);
    let filtered =
        |name: &str, value: &str| look.to(&Asked::default().with(messages::PATH, name, Some(value)));
    html! {
        div.card {
            dl {
                dt { (look.of_two("Zustand", "State")) }
                dd {
                    (show::state(look, message.state))
                    @if message.test { " " span.state { (look.of_two("Testnachricht", "test message")) } }
                }
                dt { (look.of_two("Art", "Kind")) } dd { (show::kind(look, message)) }
                dt { (look.of_two("Richtung", "Direction")) }
                dd { (labels::direction(look, message.direction)) " · " (labels::door(look, message.door)) }
                dt { "Partner" }
                dd { a href=(filtered("partner", &message.partner)) { (show::partner(console, tenant, &message.partner)) } }
                dt { (look.of_two("Behörde des Hauses", "Authority of the house")) }
                dd { (show::partner(console, tenant, message.authority.as_str())) }
                dt { (look.of_two("Einheit, Leistung", "Unit, service")) }
                dd { (message.unit) @if let Some(service) = &message.public_service { " · " (service) } }
                dt { (look.of_two("Angenommen", "Taken in")) } dd { (show::when(look, message.received_at)) }
                dt { (look.of_two("Zuletzt geändert", "Changed last")) } dd { (show::when(look, message.updated_at)) }
                @if let Some(payload) = &message.payload {
                    dt { (look.of_two("Größe", "Size")) } dd { (show::size(look, payload.size)) }
                    dt { "SHA-256" } dd.code { (payload.sha256) }
                }
                @if let Some(process) = process {
                    dt { (look.of_two("Prozess", "Process")) }
                    dd { a.code href=(filtered("process", &process.to_string())) { (process) } }
                }
                @if let Some(exchange) = message.exchange {
                    dt { (look.of_two("Austausch", "Exchange")) }
                    dd { a.code href=(filtered("exchange", &exchange.to_string())) { (exchange) } }
                }
                @if let Some(forwarding) = &message.forwarding {
                    @for from in &forwarding.from {
                        dt { (look.of_two("Zuvor bei", "Before at")) }
                        dd { (show::partner(console, tenant, from.as_str())) }
                    }
                    @if let Some(to) = &forwarding.to {
                        dt { (look.of_two("Weitergeleitet an", "Forwarded to")) }
                        dd { (show::partner(console, tenant, to.as_str())) }
                    }
                }
                dt { (look.of_two("Kennung", "Id")) } dd.code { (message.id) }
            }
        }
    }
}

fn findings(look: &Look, message: &Message) -> Markup {
    let Some(report) = message.report.as_ref().filter(|it| !it.findings.is_empty()) else { return html! {} };
    let leading = model::clarification::leading(report);
    let side = leading.map(|it| Side::of(&it.rule, message.direction));
    html! {
        h2 { (look.of_two("Befunde", "Findings")) }
        @if let Some(side) = side.filter(|_| message.state == MessageState::Parked) {
            p { (look.of_two("Am Zug ist ", "To act: ")) strong { (labels::side(look, side)) } "." }
        }
        (show::report(look, report))
    }
}

fn acts(console: &Console, look: &Look, visit: &Visit, message: &Message) -> Markup {
    let is_within =
        visit.caller.scope.covers(&message.tenant, &message.unit, message.public_service.as_deref());
    let mends = is_within && visit.caller.may(Action::RepairMessages).is_ok();
    let offers = offers(message);
    html! {
        @if mends && !offers.is_empty() {
            h2 { (look.of_two("Was Sie tun können", "What you may do")) }
            (message_acts::forms(console, look, messages::PATH, message, &offers))
        }
        @if is_within && message.payload.is_some() && message.state != MessageState::Returned { (release(look, message)) }
    }
}

/// What state and direction of a message allow.
fn offers(message: &Message) -> Vec<Offer> {
    use MessageState::{Accepted, Parked, Preparing, Processed, Ready};
    let allowed = Act::on(message);
    let parks = matches!(message.state, Accepted | Preparing | Ready);
    let returns = allowed.contains(&Act::Return) || parks || message.state == Processed;
    let forwards = message.direction == Direction::In && matches!(message.state, Parked | Processed);
    let offers = [
        (Offer::Resend, allowed.contains(&Act::Resend)),
        (Offer::Park, parks),
        (Offer::Forward, forwards),
        (Offer::Return, returns),
    ];
    offers.into_iter().filter(|(_, fits)| *fits).map(|(offer, _)| offer).collect()
}

/// Contents are shown to an operator only if somebody else agrees, for a time.
fn release(look: &Look, message: &Message) -> Markup {
    html! {
        details.act {
            summary { (look.of_two("Einsicht in den Inhalt beantragen", "Ask to see the content")) }
            form method="post" action=(look.to("/approvals/release")) {
                (look.form_token())
                input type="hidden" name="message" value=(message.id);
                p.hint { (look.of_two(
                    "Der Betrieb sieht keine Inhalte. Eine zweite Person kann sie Ihnen für eine begrenzte Zeit freigeben. Antrag, Freigabe \
                     und Einsicht stehen im Protokoll.",
                    "Operators see no contents. A second person may release it to you for a limited time. Request, release and access are \
                     in the audit log.",
                )) }
                label for="release-minutes" { (look.of_two("Wie lange", "For how long")) }
                select #release-minutes name="minutes" {
                    option value="30" { "30 " (look.of_two("Minuten", "minutes")) }
                    option value="60" selected { "60 " (look.of_two("Minuten", "minutes")) }
                    option value="240" { "4 " (look.of_two("Stunden", "hours")) }
                }
                (asking::field(look, Reason::must("release-reason")))
                button type="submit" { (look.of_two("Beantragen", "Ask")) }
            }
        }
    }
}

fn timeline(console: &Console, look: &Look, way: &MessageWay) -> Markup {
    let tenant = &way.message.tenant;
    html! {
        h2 { (look.of_two("Verlauf", "Course")) }
        ol.timeline {
            @for event in &way.steps {
                li.beside[event.message_id != Some(way.message.id)] {
                    p.at { (show::when(look, event.at)) }
                    div {
                        p { strong { (labels::event(look, event.kind)) } (hop(look, way, event)) }
                        (details(look, event))
                        p.who { (who(console, look, tenant, event)) }
                    }
                }
            }
        }
    }
}

/// Which message of the way it is, if it is not the page's own.
fn hop(look: &Look, way: &MessageWay, event: &Event) -> Markup {
    let other = way.others.iter().find(|it| Some(it.id) == event.message_id);
    html! {
        @if let Some(other) = other {
            " · "
            a href=(look.to(&format!("/messages/{}", other.id))) {
                (labels::direction(look, other.direction))
                @if let Some(it) = &other.identity { " " (it.message_type) }
            }
        }
    }
}

/// What an event tells besides its kind: codes, the attempt, the operator's note.
fn details(look: &Look, event: &Event) -> Markup {
    let detail = event.detail.as_ref().unwrap_or(&Value::Null);
    let attempt = &detail["attempt"];
    // Findings stay with a message; they are told where they have decided something.
    let decided = matches!(event.kind, EventKind::MessageParked | EventKind::MessageReturned);
    let rules = detail["rules"].as_array().filter(|_| decided).into_iter().flatten();
    let codes = [attempt["code"].as_str(), detail["code"].as_str()].into_iter().flatten();
    let codes: Vec<&str> = codes.chain(rules.filter_map(Value::as_str)).take(SHOWN_CODES).collect();
    let next = attempt["nextAt"].as_str().and_then(model::Timestamp::parse);
    let text = |name: &str| detail[name].as_str().filter(|it| !it.is_empty());
    html! {
        @for code in codes { p { (show::code(look, code)) } }
        @if let Some(number) = attempt["number"].as_u64() {
            p.place {
                (look.of_two("Versuch ", "attempt ")) (number)
                @if let Some(next) = next { ", " (look.of_two("nächster ", "next ")) (show::when(look, next)) }
            }
        }
        @if let Some(note) = text("note") { blockquote { (note) } }
        @if let Some(reference) = text("reference") { p.place { (look.of_two("Kennung dort ", "id there ")) span.code { (reference) } } }
        @if let Some(to) = text("to").or_else(|| text("forwardedTo")) { p.place { (look.of_two("an ", "to ")) span.code { (to) } } }
    }
}

/// Who it was: a person of the house, a system, the partner, the gateway.
fn who(console: &Console, look: &Look, tenant: &str, event: &Event) -> Markup {
    let actor = &event.actor;
    html! {
        @match actor.kind.as_str() {
            "gateway" => "Amtsbote",
            "partner" => (show::partner(console, tenant, &actor.id)),
            "person" => { (look.of_two(
                "eine Person des Hauses ",
                "a person of the house ",
            )) span.code { (show::short(&actor.id)) } },
            _ => { (look.of_two("System ", "system ")) span.code { (show::short(&actor.id)) } },
        }
    }
}

fn others(console: &Console, look: &Look, visit: &Visit, way: &MessageWay) -> Markup {
    html! {
        @if !way.others.is_empty() {
            h2 { (look.of_two("Gehört dazu", "Belongs to it")) }
            (messages::table(console, look, visit, &way.others))
        }
    }
}
