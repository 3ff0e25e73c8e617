//! Adapters: what they are, whether their other sides answer, how their lanes stand, and what they were to be told and waits for a human.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{AdapterState, ChannelDelivery, ChannelFilter, Lane, Page};
use maud::{Markup, html};
use model::adapter::Descriptor;
use model::rights::Action;

use super::{labels, messages, partners, show, trial};
use crate::Console;
use crate::asked::{Asked, PathId};
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::workshop::{About, Found};

/// Deliveries of a page.
const PAGE: u32 = 50;

/// `GET /console/adapters`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let (broker, caller) = (&console.broker, &visit.caller);
    let filter = ChannelFilter {
        parked: Some(true),
        adapter: asked.get("adapter").map(str::to_owned),
        ..ChannelFilter::default()
    };
    let page = Page { after: asked.parsed("after"), limit: PAGE };
    let found = async {
        let descriptors = broker.adapter_descriptors(caller)?;
        let lanes = broker.lanes(caller).await?;
        Ok::<_, broker::Error>((descriptors, lanes, broker.channel_deliveries(caller, &filter, &page).await?))
    };
    let (descriptors, lanes, parked) = match found.await {
        Ok(found) => found,
        Err(error) => return page::failed(&look, &error),
    };
    page::page(
        &look,
        look.of_two("Adapter", "Adapters"),
        &html! {
            @match asked.text("done") {
                "resend" => (page::done(look.of_two(
                    "Die Meldung wird noch einmal versucht.",
                    "The delivery is being tried again.",
                ))),
                "drop" => (page::done(look.of_two("Die Meldung ist verworfen.", "The delivery was dropped."))),
                _ => {}
            }
            (page::help(&look, &html! { p { (look.of_two(
                "Adapter verbinden das Gateway mit Fachsystemen, Postfächern und Diensten. Jede Gegenseite hat ihre eigene Spur: hakt eine, \
                 laufen die anderen weiter.",
                "Adapters connect the gateway with systems, mailboxes and services. Each other side has a lane of its own: if one is stuck, the \
                 others go on.",
            )) } }))
            @if !caller.scope.is_whole() { p.soft { (look.of_two(
                "Adapter gehören dem ganzen Haus. Sie sieht, wer für alle Einheiten zuständig ist.",
                "Adapters belong to the whole house. Whoever is responsible for all units sees them.",
            )) } }
            @else if descriptors.is_empty() { (page::empty(look.of_two(
                "Kein Adapter ist eingerichtet.",
                "No adapter is configured.",
            ))) }
            @else {
                (table(&look, &descriptors, &lanes))
                form.acts method="post" action=(look.to("/adapters/check")) {
                    (look.form_token())
                    button.main type="submit" { (look.of_two("Alle prüfen", "Test all")) }
                }
            }
            h2 { (look.of_two("Zurückgestellte Meldungen", "Parked deliveries")) }
            (deliveries(&console, &look, &visit, &parked.items))
            (messages::pager(&look, &asked, "/adapters", &parked))
        },
    )
}

fn lanes_of<'a>(lanes: &'a [Lane], id: &str) -> impl Iterator<Item = &'a Lane> {
    let wanted = [format!("channel:{id}"), format!("session:{id}")];
    lanes.iter().filter(move |lane| wanted.contains(&lane.lane))
}

fn table(look: &Look, descriptors: &[Descriptor], lanes: &[Lane]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Adapter", "Adapters")) { table {
            thead { tr {
                th scope="col" { (look.of_two("Kennung", "Id")) }
                th scope="col" { (look.of_two("Kanal", "Channel")) }
                th scope="col" { (look.of_two("Spuren", "Lanes")) }
                th.number scope="col" { (look.of_two("Wartend", "Waiting")) }
            } }
            tbody { @for it in descriptors {
                tr {
                    th scope="row" { a href=(look.to(&Asked::default().with("/adapters", "adapter", Some(&it.id)))) { (it.id) } }
                    td { (it.channel) }
                    td {
                        @for lane in lanes_of(lanes, &it.id) {
                            p.lane { span.code { (lane.lane) } " " (partners::breaker(look, lane)) " "
                                @if let Some(code) = &lane.breaker.last_code { span.code { (code) } } }
                        }
                    }
                    td.number { (lanes_of(lanes, &it.id).map(|lane| lane.waiting + lane.leased).sum::<u64>()) }
                }
            } }
        } }
    }
}

fn deliveries(console: &Console, look: &Look, visit: &Visit, items: &[ChannelDelivery]) -> Markup {
    let now = console.broker.now();
    let mends = visit.caller.may(Action::RepairMessages).is_ok();
    let act = |id: &str, name: &str, class: &str, label: &str| {
        html! {
            form method="post" action=(look.to(&format!("/adapters/deliveries/{id}/{name}"))) {
                (look.form_token())
                button class=(class) type="submit" { (label) }
            }
        }
    };
    html! {
        @if items.is_empty() { (page::empty(look.of_two(
            "Keine Meldung wartet auf eine Entscheidung.",
            "No delivery waits for a decision.",
        ))) }
        @else {
            div.wide tabindex="0" role="region" aria-label=(look.of_two(
                "Zurückgestellte Meldungen",
                "Parked deliveries",
            )) { table {
                thead { tr {
                    th scope="col" { "Adapter" }
                    th scope="col" { (look.of_two("Was", "What")) }
                    th scope="col" { (look.of_two("Warum", "Why")) }
                    th scope="col" { (look.of_two("Seit", "Since")) }
                    @if mends { th scope="col" { span.unseen { (look.of_two("Aktionen", "Acts")) } } }
                } }
                tbody { @for it in items { tr {
                    td { (it.adapter) }
                    td { (labels::event(look, it.event)) p.place { (it.kind.name()) " " span.code { (it.record) } } }
                    td { @if let Some(code) = &it.parked { (show::code(look, code)) } }
                    td { (show::ago(look, now, it.created_at)) }
                    @if mends { td { div.acts {
                        (act(&it.id.to_string(), "resend", "", look.of_two("Erneut versuchen", "Try again")))
                        (act(&it.id.to_string(), "drop", "grave", look.of_two("Verwerfen", "Drop")))
                    } } }
                } } }
            } }
        }
    }
}

/// `POST /console/adapters/check`.
pub(super) async fn check(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    _: Form,
) -> Response {
    let (broker, caller) = (console.broker.clone(), visit.caller.clone());
    let work = async move {
        match broker.adapter_states(&caller).await {
            Ok(states) => Found::Adapters(states),
            Err(error) => Found::Failed(error.code().to_owned()),
        }
    };
    trial::begin(&console, &look, &visit, About::Adapters, work)
}

/// What came of asking all adapters.
pub(super) fn states(look: &Look, states: &[AdapterState]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Ergebnis", "Result")) { table {
            thead { tr {
                th scope="col" { "Adapter" }
                th scope="col" { (look.of_two("Ergebnis", "Result")) }
            } }
            tbody { @for it in states { tr {
                th scope="row" { (it.descriptor.id) }
                td {
                    @match &it.health {
                        Some(health) if health.ok => { span.state.good { "ok" } " " (health.detail) },
                        Some(health) => { span.state.bad { (look.of_two("Fehler", "error")) } " " (health.detail) },
                        None => span.state.bad { (look.of_two("keine Antwort", "no answer")) },
                    }
                }
            } } }
        } }
        p { a href=(look.to("/adapters")) { (look.of_two("Zurück zu den Adaptern", "Back to the adapters")) } }
    }
}

/// `POST /console/adapters/deliveries/{id}/resend`.
pub(super) async fn resend(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    match console.broker.resend_channel(&visit.caller, id, None).await {
        Ok(()) => look.onward("/adapters?done=resend"),
        Err(error) => page::failed(&look, &error),
    }
}

/// `POST /console/adapters/deliveries/{id}/drop`.
pub(super) async fn drop_it(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    _: Form,
) -> Response {
    match console.broker.drop_channel(&visit.caller, id, None).await {
        Ok(()) => look.onward("/adapters?done=drop"),
        Err(error) => page::failed(&look, &error),
    }
}
