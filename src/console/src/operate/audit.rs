//! The audit log: who did what, when. Ids of people, and no counting of anybody's work.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{ActFilter, Listed, Page};
use maud::{Markup, html};
use model::{Event, EventKind, Id};
use serde_json::Value;

use super::{labels, messages, show};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Acts of a page.
const PAGE: u32 = 100;
const PATH: &str = "/audit";
/// Names that are shown of what differs; the event has all.
const SHOWN: usize = 12;
/// Kinds that are offered as a filter.
const KINDS: &[EventKind] = &[
    EventKind::MessageResent,
    EventKind::MessageRepaired,
    EventKind::MessageParked,
    EventKind::MessageReturned,
    EventKind::MessageForwarded,
    EventKind::OperationStarted,
    EventKind::PartnerChanged,
    EventKind::PartnerRetried,
    EventKind::DirectoryChanged,
    EventKind::TokenChanged,
    EventKind::UserChanged,
    EventKind::UserSignedIn,
    EventKind::UserRefused,
    EventKind::UserLockedOut,
    EventKind::UserSignedOut,
    EventKind::SubscriptionChanged,
    EventKind::EvidenceExported,
    EventKind::PayloadErased,
    EventKind::EventErased,
    EventKind::RecordHeld,
    EventKind::HoldLifted,
    EventKind::ChannelResent,
    EventKind::ChannelDropped,
    EventKind::ApprovalAsked,
    EventKind::ApprovalAgreed,
    EventKind::ApprovalRefused,
    EventKind::ApprovalWithdrawn,
    EventKind::ContentDisclosed,
    EventKind::RecordCreated,
    EventKind::RecordChanged,
    EventKind::RecordAppraised,
    EventKind::RecordLocked,
    EventKind::RecordReleased,
    EventKind::RecordDestroyed,
    EventKind::DestructionAsked,
    EventKind::DestructionRefused,
    EventKind::ContentAdded,
    EventKind::ExchangeAppraised,
    EventKind::PaymentCleared,
    EventKind::RefundAsked,
    EventKind::RefundDeclined,
    EventKind::RefundWithdrawn,
    EventKind::ClaimCancelled,
    EventKind::StatementTaken,
    EventKind::LineDecided,
    EventKind::BookingsHandedOver,
    EventKind::AlertTested,
    EventKind::StoreBackedUp,
    EventKind::StoreRestored,
    EventKind::KeysRewrapped,
    EventKind::ConfigurationReloaded,
    EventKind::ConfigurationChanged,
    EventKind::SchemasChanged,
    EventKind::EvidenceKeyChanged,
    EventKind::RetentionBegun,
    EventKind::RetentionEnded,
    EventKind::PersonSought,
    EventKind::PersonExported,
    EventKind::PersonErasureAsked,
    EventKind::PersonErased,
];

/// `GET /console/audit`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let filter = ActFilter {
        kind: asked.named("kind"),
        subject: asked.parsed("subject"),
        since: asked.time("since"),
        until: asked.end("until"),
    };
    let page = Page { after: asked.parsed("after"), limit: PAGE };
    // What is no id is the subject of nothing: left out, the whole log would seem to be about it.
    let listed = match asked.get("subject").is_some() && filter.subject.is_none() {
        true => Ok(Listed { items: vec![], next: None }),
        false => console.broker.acts_done(&visit.caller, &filter, &page).await,
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => return page::failed(&look, &error),
    };
    let people = listed.items.iter().filter(|(_, _, event)| event.actor.kind == "person");
    let people = people.filter_map(|(_, _, event)| event.actor.id.parse().ok()).collect();
    let names = match console.broker.names_of_people(&visit.caller, people).await {
        Ok(names) => names,
        Err(error) => return page::failed(&look, &error),
    };
    let kinds =
        KINDS.iter().map(|kind| (labels::kind_name(*kind), labels::event(&look, *kind))).collect::<Vec<_>>();
    let kinds = kinds.iter().map(|(value, shown)| (value.clone(), shown.as_str()));
    page::page(
        &look,
        look.of_two("Protokoll", "Audit log"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Was Menschen und Systeme des Hauses getan haben, aus der versiegelten Ereigniskette. Personen erscheinen mit Namen, \
                 solange sie Benutzer sind. Auswertungen über einzelne Personen gibt es nicht.",
                "What people and systems of the house have done, from the sealed chain of events. People appear by name as long as \
                 they are users. There are no statistics of individual people.",
            )) } }))
            form.filter method="get" {
                input type="hidden" name="lang" value=(look.words.tag());
                (show::choice("kind", look.of_two("Was", "What"), Some(look.of_two("alles", "all")), asked.text("kind"), kinds))
                (show::field("subject", look.of_two(
                    "Nachricht, Vorgang oder Datensatz (Kennung)",
                    "Message, case or record (id)",
                ), "text", asked.text("subject")))
                (show::field("since", look.of_two("Seit", "Since"), "date", asked.text("since").get(..10).unwrap_or_default()))
                (show::field("until", look.of_two("Bis", "Until"), "date", asked.text("until").get(..10).unwrap_or_default()))
                div.end {
                    button.main type="submit" { (look.of_two("Anzeigen", "Show")) }
                    @if !asked.is_empty() { a.button href=(look.to(PATH)) { (look.of_two("Zurücksetzen", "Reset")) } }
                }
            }
            (table(&look, &visit, &listed, &names))
            (messages::pager(&look, &asked, PATH, &listed))
        },
    )
}

fn table(
    look: &Look,
    visit: &Visit,
    listed: &Listed<(Id, Option<u64>, Event)>,
    names: &BTreeMap<Id, String>,
) -> Markup {
    if listed.items.is_empty() {
        return page::empty(look.of_two(
            "Nichts passt dazu. Prüfen Sie die Eingrenzung; nach Nachrichten und Vorgängen wird mit ihrer vollständigen Kennung gesucht.",
            "Nothing fits. Look at the filters; messages and cases are sought by their whole id.",
        ));
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Protokoll", "Audit log")) { table {
            thead { tr {
                th scope="col" { (look.of_two("Wann", "When")) }
                th scope="col" { (look.of_two("Was", "What")) }
                th scope="col" { (look.of_two("Woran", "About")) }
                th scope="col" { (look.of_two("Wer", "Who")) }
                th.number scope="col" { (look.of_two("Nr. in der Kette", "No. in the chain")) }
            } }
            tbody { @for (_, number, event) in &listed.items { tr {
                td { (show::when(look, event.at)) }
                td { (labels::event(look, event.kind)) (note(event)) }
                td { (about(look, event)) }
                td {
                    @let name = event.actor.id.parse().ok().and_then(|id: Id| names.get(&id));
                    @match name {
                        Some(name) => { (name) },
                        None => { (actor(look, &event.actor.kind)) " " span.code { (event.actor.id) } },
                    }
                    @if event.actor == visit.caller.actor { " (" (look.of_two("Sie", "you")) ")" }
                }
                td.number { @match number { Some(number) => (number), None => (look.of_two("noch keine", "none yet")) } }
            } } }
        } }
    }
}

fn actor(look: &Look, kind: &str) -> &'static str {
    match kind {
        "person" => "Person",
        "system" => "System",
        "partner" => "Partner",
        "gateway" => "Gateway",
        _ => look.words.of("anderes", "other"),
    }
}

fn note(event: &Event) -> Markup {
    let detail = event.detail.as_ref().unwrap_or(&Value::Null);
    html! { @if let Some(note) = detail["note"].as_str() { blockquote { (note) } } }
}

fn about(look: &Look, event: &Event) -> Markup {
    let detail = event.detail.as_ref().unwrap_or(&Value::Null);
    html! {
        @if let Some(message) = event.message_id {
            span.code { (look.link(&format!("/messages/{message}"), &message.to_string())) }
        } @else if let Some(subject) = event.subject {
            (subject.kind.name()) " " span.code { (subject.id) }
        } @else if let Some(case) = event.case_id {
            span.code { (case) }
        }
        @for name in ["partner", "token", "lane", "user", "approval", "operation", "subscription", "entries", "node"] {
            @if let Some(value) = detail[name].as_str() { " " span.code { (value) } }
        }
        @if detail["place"] == "origin" { (look.of_two("eine Herkunftsadresse", "an address of origin")) }
        (differing(look, event))
    }
}

/// Names of what differs from before: keys of the configuration; packs that came (`+`) and went (`-`).
fn differing(look: &Look, event: &Event) -> Markup {
    let detail = event.detail.as_ref().unwrap_or(&Value::Null);
    let all = |list: &str| detail[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let pack = |sign: &str, pack: &Value| format!("{sign} {}", pack["pack"].as_str().unwrap_or_default());
    let names: Vec<String> = match event.kind {
        EventKind::ConfigurationChanged => {
            all("keys").iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        EventKind::SchemasChanged => {
            let added = all("added").iter().map(|it| pack("+", it));
            added.chain(all("removed").iter().map(|it| pack("-", it))).collect()
        }
        _ => return html! {},
    };
    html! {
        @for name in names.iter().take(SHOWN) { " " span.code { (name) } }
        @if names.len() > SHOWN { " " (look.of_two("und weitere:", "and more:")) " " (names.len() - SHOWN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_offered_once() {
        let names: Vec<String> = KINDS.iter().map(|kind| labels::kind_name(*kind)).collect();
        let once: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(once.len(), names.len());
    }
}
