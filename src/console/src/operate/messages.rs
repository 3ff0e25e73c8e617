//! Messages as a list: search, filters, pages. Every view has an address of its own.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{ClarificationFilter, Listed, MessageFilter, Page};
use maud::{Markup, html};
use model::message::{Direction, Door};
use model::rights::Action;
use model::{Authority, Message, MessageState};

use super::{labels, show};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Messages of a page.
const PAGE: u32 = 50;
pub(super) const PATH: &str = "/messages";

/// `GET /console/messages`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let listed = match asked.get("q") {
        Some(text) => {
            let found = console.broker.find_messages(&visit.caller, text).await;
            found.map(|items| Listed { items, next: None })
        }
        None => {
            let page = Page { after: asked.parsed("after"), limit: PAGE };
            console.broker.messages(&visit.caller, &filter(&asked), &page).await
        }
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => return page::failed(&look, &error),
    };
    // A partner may have very many: its key leads to the list of them, which has pages.
    let key = asked.get("q").filter(|text| listed.items.is_empty() && text.parse::<Authority>().is_ok());
    if let Some(key) = key {
        return look.onward(&Asked::default().with(PATH, "partner", Some(key)));
    }
    let title = look.of_two("Nachrichten", "Messages");
    page::page(
        &look,
        title,
        &html! {
            (about(&look))
            (search(&look, &asked))
            (filters(&look, &asked))
            (rules(&console, &look, &visit, &asked).await)
            (table(&console, &look, &visit, &listed.items))
            (pager(&look, &asked, PATH, &listed))
        },
    )
}

fn filter(asked: &Asked) -> MessageFilter {
    MessageFilter {
        direction: asked.named("direction"),
        state: asked.named("state"),
        partner: asked.get("partner").map(str::to_owned),
        authority: asked.parsed("authority"),
        message_type: asked.get("type").map(str::to_owned),
        exchange: asked.parsed("exchange"),
        process_id: asked.parsed("process"),
        door: asked.named("door"),
        standard: asked.get("standard").map(str::to_owned),
        rule: asked.get("rule").map(str::to_owned),
        since: asked.time("since"),
        until: asked.end("until"),
        newest: asked.get("order") != Some("oldest"),
    }
}

fn about(look: &Look) -> Markup {
    page::help(
        look,
        &html! {
            p { (look.of_two(
                "Hier steht jede Nachricht, die das Gateway angenommen oder versandt hat, mit ihren Metadaten. Inhalte sehen Sie hier \
                 nicht. Jede Ansicht hat ihre eigene Adresse: Sie können sie weitergeben oder als Lesezeichen ablegen.",
                "Every message that the gateway has taken in or sent, with its metadata. Contents are not shown here. Each view has an \
                 address of its own, to be shared or kept as a bookmark.",
            )) }
        },
    )
}

fn search(look: &Look, asked: &Asked) -> Markup {
    html! {
        form.search method="get" role="search" {
            input type="hidden" name="lang" value=(look.words.tag());
            label for="q" { (look.of_two("Nachricht suchen", "Find a message")) }
            p.hint #q-hint { (look.of_two(
                "Kennung einer Nachricht, eines Prozesses, Austauschs oder Vorgangs, Aktenzeichen, oder Kennung eines Partners",
                "Id of a message, process, exchange or case, file reference, or key of a partner",
            )) }
            div.beside-it {
                input #q type="search" name="q" value=(asked.text("q")) maxlength="200" aria-describedby="q-hint" autocomplete="off";
                button.main type="submit" { (look.of_two("Suchen", "Find")) }
            }
        }
    }
}

fn filters(look: &Look, asked: &Asked) -> Markup {
    let all = Some(look.of_two("alle", "all"));
    let directions = [("in", Direction::In), ("out", Direction::Out)];
    let directions = directions.map(|(name, it)| (name.to_owned(), labels::direction(look, it))).into_iter();
    let states = MessageState::ALL.iter().map(|it| (it.name().to_owned(), labels::state(look, *it)));
    let doors = Door::ALL.iter().map(|it| (json_name(it), labels::door(look, *it)));
    let is_open = !asked.is_empty() && asked.get("q").is_none();
    html! {
        details.filters open[is_open] {
            summary { (look.of_two("Eingrenzen", "Filter")) }
            form.filter method="get" {
                input type="hidden" name="lang" value=(look.words.tag());
                (show::choice("state", look.of_two("Zustand", "State"), all, asked.text("state"), states))
                (show::choice("direction", look.of_two("Richtung", "Direction"), all, asked.text("direction"), directions))
                (show::choice("door", look.of_two("Weg", "Door"), all, asked.text("door"), doors))
                (show::field("partner", "Partner", "text", asked.text("partner")))
                (show::field("standard", "Standard", "text", asked.text("standard")))
                (show::field("type", look.of_two("Nachrichtentyp", "Type"), "text", asked.text("type")))
                (show::field("rule", look.of_two(
                    "Zurückgestellt durch Regel",
                    "Parked by rule",
                ), "text", asked.text("rule")))
                (show::field("since", look.of_two("Seit", "Since"), "date", day(asked.text("since"))))
                (show::field("until", look.of_two("Bis", "Until"), "date", day(asked.text("until"))))
                div.end {
                    button.main type="submit" { (look.of_two("Anzeigen", "Show")) }
                    @if !asked.is_empty() {
                        a.button href=(look.to(PATH)) { (look.of_two("Zurücksetzen", "Reset")) }
                    }
                }
            }
        }
    }
}

/// What keeps messages waiting, if the list is of those: each rule leads to its messages.
async fn rules(console: &Console, look: &Look, visit: &Visit, asked: &Asked) -> Markup {
    let is_parked = asked.get("state") == Some("parked") || asked.get("rule").is_some();
    if !is_parked {
        return html! {};
    }
    // The counts know the partner alone: what they lead to is about the same messages, whatever else the list is filtered by.
    let asked = asked.only("partner");
    let filter = ClarificationFilter {
        partner: asked.get("partner").map(str::to_owned),
        ..ClarificationFilter::default()
    };
    let counts = console.broker.clarification_counts(&visit.caller, &filter).await.unwrap_or_default();
    let now = console.broker.now();
    let mends = visit.caller.may(Action::RepairMessages).is_ok();
    html! {
        @if !counts.is_empty() {
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Gründe", "Reasons")) {
                table {
                    caption { (look.of_two("Warum Nachrichten zurückgestellt sind", "Why messages are parked")) }
                    thead { tr {
                        th scope="col" { (look.of_two("Grund", "Reason")) }
                        th scope="col" { (look.of_two("Am Zug", "To act")) }
                        th scope="col" { (look.of_two("Älteste", "Oldest")) }
                        th.number scope="col" { (look.of_two("Anzahl", "Count")) }
                        @if mends { th scope="col" { span.unseen { (look.of_two("Aktion", "Act")) } } }
                    } }
                    tbody { @for count in &counts { tr {
                        td { (show::code(look, &count.rule)) }
                        td.short { (labels::side(look, count.side)) }
                        td { (show::ago(look, now, count.oldest)) }
                        td.number {
                            a href=(look.to(&asked.with(PATH, "rule", Some(&count.rule)))) { (count.count) }
                        }
                        @if mends { td {
                            a href=(look.to(&asked.with("/messages/resend", "rule", Some(&count.rule)))) {
                                (look.of_two("alle erneut versuchen …", "try all again …"))
                            }
                        } }
                    } } }
                }
            }
        }
    }
}

/// Messages as a table.
pub(super) fn table(console: &Console, look: &Look, visit: &Visit, items: &[Message]) -> Markup {
    if items.is_empty() {
        return page::empty(look.of_two(
            "Keine Nachricht passt dazu. Prüfen Sie die Eingrenzung, oder suchen Sie nach einer Kennung.",
            "No message fits. Look at the filters, or search for an id.",
        ));
    }
    let tenant = &visit.caller.scope.tenant;
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Liste der Nachrichten", "List of messages")) {
            table {
                caption.unseen { (look.of_two("Nachrichten", "Messages")) }
                thead { tr {
                    th scope="col" { (look.of_two("Zeit", "Time")) }
                    th scope="col" { (look.of_two("Richtung", "Direction")) }
                    th scope="col" { "Partner" }
                    th scope="col" { (look.of_two("Art", "Kind")) }
                    th scope="col" { (look.of_two("Zustand", "State")) }
                    th.number scope="col" { (look.of_two("Größe", "Size")) }
                } }
                tbody { @for message in items { tr {
                    th scope="row" { a href=(look.to(&format!("{PATH}/{}", message.id))) { (show::when(look, message.received_at)) } }
                    td { (labels::direction(look, message.direction)) }
                    td { (show::partner(console, tenant, &message.partner)) }
                    td {
                        (show::kind(look, message))
                        @if message.test { " " span.state { "Test" } }
                    }
                    td { (show::state(look, message.state)) }
                    td.number { @if let Some(payload) = &message.payload { (show::size(look, payload.size)) } }
                } } }
            }
        }
    }
}

/// Links to the next page and back to the first.
pub(super) fn pager<T>(look: &Look, asked: &Asked, path: &str, listed: &Listed<T>) -> Markup {
    let next = listed.next.map(|id| asked.with(path, "after", Some(&id.to_string())));
    html! {
        @if next.is_some() || asked.get("after").is_some() {
            nav.pager aria-label=(look.of_two("Seiten der Liste", "Pages of the list")) {
                @if asked.get("after").is_some() {
                    a href=(look.to(&asked.with(path, "after", None))) { (look.of_two("Zum Anfang", "To the start")) }
                }
                @if let Some(next) = next {
                    a rel="next" href=(look.to(&next)) { (look.of_two("Weitere anzeigen", "Show more")) }
                }
            }
        }
    }
}

/// Name of a value of the model in JSON.
fn json_name(value: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// The day of a time, as the field of a form wants it.
fn day(text: &str) -> &str {
    text.get(..10).unwrap_or_default()
}
