//! Partners: who they are, how their lanes stand, and having what waits tried again at once.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Lane, Partner};
use maud::{Markup, html};
use model::rights::Action;
use model::{Authority, Timestamp};

use super::{labels, show};
use crate::Console;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;

/// A partner from wherever it is known.
pub(super) struct Known {
    /// The part of its address: the id of a partner of the store, else the key of its authority.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) authority: Option<Authority>,
    pub(super) source: Source,
    /// What the store holds of it.
    pub(super) kept: Option<Partner>,
}

/// Who says that there is a partner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Store,
    Configuration,
    Imported,
}

impl Source {
    pub(super) fn name(self, look: &Look) -> &'static str {
        match self {
            Source::Store => look.words.of("hier angelegt", "added here"),
            Source::Configuration => look.words.of("Konfiguration", "configuration"),
            Source::Imported => look.words.of("Verzeichnis", "directory"),
        }
    }
}

/// All partners of the tenant, by name.
pub(super) async fn known(console: &Console, visit: &Visit) -> Result<Vec<Known>, broker::Error> {
    let (broker, caller) = (&console.broker, &visit.caller);
    let mut all: Vec<Known> = vec![];
    for kept in broker.partners(caller).await? {
        let (id, name, authority) = (kept.id.clone(), kept.name.clone(), kept.authority.clone());
        all.push(Known { id, name, authority, source: Source::Store, kept: Some(kept) });
    }
    let beside = |all: &[Known], key: &Authority| all.iter().any(|it| it.authority.as_ref() == Some(key));
    for entry in broker.house().partners_of(&caller.scope.tenant) {
        if !beside(&all, &entry.authority) {
            let (id, authority) = (entry.authority.to_string(), Some(entry.authority.clone()));
            all.push(Known {
                id,
                name: entry.name.clone(),
                authority,
                source: Source::Configuration,
                kept: None,
            });
        }
    }
    for entry in broker.directory(caller).await? {
        if !beside(&all, &entry.authority) {
            let (id, authority) = (entry.authority.to_string(), Some(entry.authority));
            all.push(Known { id, name: entry.name, authority, source: Source::Imported, kept: None });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// The lane to an authority outside.
pub(super) fn lane_to<'a>(lanes: &'a [Lane], authority: &Authority) -> Option<&'a Lane> {
    lanes.iter().find(|lane| lane.lane.strip_prefix("to:") == Some(authority.as_str()))
}

/// `GET /console/partners`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
) -> Response {
    let asked = async {
        Ok::<_, broker::Error>((known(&console, &visit).await?, console.broker.lanes(&visit.caller).await?))
    };
    let (all, lanes) = match asked.await {
        Ok(found) => found,
        Err(error) => return page::failed(&look, &error),
    };
    let manages = visit.caller.may(Action::ManagePartners).is_ok();
    page::page(
        &look,
        "Partner",
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Behörden und Systeme außerhalb dieses Hauses. Was hier angelegt ist, ändern Sie hier; was in der Konfigurationsdatei steht, \
                 nur dort. Auf der Seite eines Partners prüfen Sie die Verbindung, ohne etwas zu senden.",
                "Authorities and systems outside of this house. What was added here is changed here; what stands in the configuration file \
                 only there. The page of a partner tests the connection without sending anything.",
            )) } }))
            @if manages {
                p.acts { a.button.main href=(look.to("/partners/new")) { (look.of_two("Partner anlegen", "Add a partner")) } }
            }
            @if all.is_empty() {
                (page::empty(look.of_two("Noch kein Partner.", "No partner yet.")))
            } @else { (table(&console, &look, &all, &lanes)) }
        },
    )
}

fn table(console: &Console, look: &Look, all: &[Known], lanes: &[Lane]) -> Markup {
    let now = console.broker.now();
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Liste der Partner", "List of partners")) { table {
            thead { tr {
                th scope="col" { "Name" }
                th scope="col" { (look.of_two("Behörde", "Authority")) }
                th scope="col" { (look.of_two("Quelle", "Source")) }
                th scope="col" { (look.of_two("Zustellung", "Delivery")) }
                th.number scope="col" { (look.of_two("Wartend", "Waiting")) }
                th scope="col" { (look.of_two("Letzter Fehler", "Last failure")) }
            } }
            tbody { @for it in all {
                @let lane = it.authority.as_ref().and_then(|key| lane_to(lanes, key));
                tr {
                    th scope="row" { a href=(look.to(&format!("/partners/{}", it.id))) { (it.name) } }
                    td.code { @if let Some(key) = &it.authority { (key) } @else { "–" } }
                    td { (it.source.name(look)) }
                    td { @if let Some(lane) = lane { (breaker(look, lane)) } @else { "–" } }
                    td.number { (lane.map_or(0, |lane| lane.waiting + lane.leased)) }
                    td { @if let Some(lane) = lane { (last_failure(look, now, lane)) } }
                }
            } }
        } }
    }
}

/// The badge of a lane's breaker.
pub(super) fn breaker(look: &Look, lane: &Lane) -> Markup {
    let (class, name) = labels::breaker(look, lane.breaker.state);
    html! { span class=(class) { (name) } }
}

/// The code of the last failure of a lane.
pub(super) fn last_failure(look: &Look, now: Timestamp, lane: &Lane) -> Markup {
    html! {
        @if let Some(code) = &lane.breaker.last_code {
            span.code { (code) }
            @if lane.breaker.since.micros() > 0 { " " (show::ago(look, now, lane.breaker.since)) }
        }
    }
}

/// Lanes to partners that have something to do, each with the act that tries it again.
pub(super) fn lanes(
    console: &Console,
    look: &Look,
    visit: &Visit,
    now: Timestamp,
    lanes: &[&&Lane],
) -> Markup {
    let tenant = &visit.caller.scope.tenant;
    let mends = visit.caller.may(Action::RepairMessages).is_ok();
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two(
            "Unzugestellt je Partner",
            "Undelivered by partner",
        )) { table {
            thead { tr {
                th scope="col" { "Partner" }
                th scope="col" { (look.of_two("Zustellung", "Delivery")) }
                th.number scope="col" { (look.of_two("Wartend", "Waiting")) }
                th scope="col" { (look.of_two("Älteste", "Oldest")) }
                th scope="col" { (look.of_two("Letzter Fehler", "Last failure")) }
                @if mends { th scope="col" { span.unseen { (look.of_two("Aktion", "Act")) } } }
            } }
            tbody { @for lane in lanes {
                @let key = lane.lane.trim_start_matches("to:");
                tr {
                    td { a href=(look.to(&format!("/partners/{key}"))) { (show::partner(console, tenant, key)) } }
                    td { (breaker(look, lane)) }
                    td.number { (lane.waiting + lane.leased) }
                    td { @if let Some(at) = lane.oldest { (show::ago(look, now, at)) } }
                    td { (last_failure(look, now, lane)) }
                    @if mends { td { (retry(look, key)) } }
                }
            } }
        } }
    }
}

/// The form that has what waits for a partner tried at once.
pub(super) fn retry(look: &Look, key: &str) -> Markup {
    html! {
        form method="post" action=(look.to(&format!("/partners/{key}/retry"))) {
            (look.form_token())
            button type="submit" { (look.of_two("Jetzt versuchen", "Try now")) }
        }
    }
}

/// `POST /console/partners/{id}/retry`, by the key of the authority.
pub(super) async fn retry_now(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    super::ask::PathName(key): super::ask::PathName,
    _: Form,
) -> Response {
    match console.broker.retry_lane(&visit.caller, &format!("to:{key}")).await {
        Ok(_) => look.onward(&format!("/partners/{key}?done=retry")),
        Err(error) => page::failed(&look, &error),
    }
}
