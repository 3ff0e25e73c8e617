//! Lines of time: what happened, to what, when and by what kind of actor; never by whom by name.

use broker::Error;
use maud::{Markup, html};
use model::{Caller, Event, Id};

use super::parts::{moment, path_of};
use super::words;
use crate::Console;
use crate::page::Look;

/// Events of one page of a line.
pub(super) const EVENTS: u32 = 50;

/// Whoever did something, without a name.
pub(super) fn actor(look: &Look, kind: &str) -> &'static str {
    let (german, english) = match kind {
        "person" => ("Person im Haus", "somebody of the house"),
        "partner" => ("Partner", "partner"),
        "system" => ("Verfahren", "system"),
        _ => ("Amtsbote", "Amtsbote"),
    };
    look.words.of(german, english)
}

/// One event as an entry of a list.
pub(super) fn entry(look: &Look, event: &Event) -> Markup {
    let what = words::event(event.kind);
    let of = event.subject.map(|subject| (words::kind(subject.kind), path_of(subject.kind, subject.id)));
    html! {
        li {
            (moment(look, event.at)) " · "
            @if let Some((kind, path)) = &of {
                @match path {
                    Some(path) => (look.link(path, look.of_two(kind.0, kind.1))),
                    None => (look.of_two(kind.0, kind.1)),
                }
                " "
            }
            strong { (look.of_two(what.0, what.1)) }
            " " span.hint { "(" (actor(look, &event.actor.kind)) ")" }
            @if let Some(code) = event.detail.as_ref().and_then(|it| it["code"].as_str()) {
                " " span.hint { (words::meaning(look, code)) }
            }
            @if let Some(message) = event.message_id {
                " " (look.link(&format!("/clarifications/{message}"), look.of_two("Nachricht", "message")))
            }
        }
    }
}

/// What happened in the tree of a record, the latest first, behind an event; and the way to what happened before.
pub(super) async fn of_tree(
    console: &Console,
    look: &Look,
    caller: &Caller,
    (record, path, title): (Id, &str, &str),
    before: Option<Id>,
) -> Result<Markup, Error> {
    // One more than is shown tells whether there is more.
    let mut events = console.broker.tree_events(caller, record, before, EVENTS + 1).await?;
    let is_all = events.len() <= EVENTS as usize;
    events.truncate(EVENTS as usize);
    let last = events.last().map(|event| event.id).filter(|_| !is_all);
    Ok(html! {
        section #line {
            h2 { (title) }
            @if events.is_empty() { p.empty { (look.of_two("Hier ist nichts (weiter) geschehen.", "Nothing (more) happened here.")) } }
            @else { ul.line { @for event in &events { (entry(look, event)) } } }
            @if let Some(last) = last {
                p { a.button href={ (look.to(&format!("{path}?before={last}"))) "#line" } {
                    (look.of_two("Früheres anzeigen", "Show what was before"))
                } }
            }
        }
    })
}
