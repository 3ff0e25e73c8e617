//! Partners: who they are, how their lanes stand, and having what waits tried again at once.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{Lane, Partner};
use maud::{Markup, html};
use model::rights::Action;
use model::{Authority, Timestamp};

use super::{labels, show};
use crate::Console;
use crate::asked::{Asked, PathName};
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

impl Known {
    /// One that no entry of ours names.
    pub(super) fn looked_up(key: Authority) -> Self {
        let (id, name) = (key.to_string(), key.to_string());
        Known { id, name, authority: Some(key), source: Source::LookedUp, kept: None }
    }

    /// Whether its name or key has this text, in small letters, in it.
    fn fits(&self, sought: &str) -> bool {
        let key = self.authority.as_ref().is_some_and(|key| key.as_str().to_lowercase().contains(sought));
        key || self.name.to_lowercase().contains(sought) || self.id.to_lowercase().contains(sought)
    }
}

/// Who says that there is a partner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Store,
    Configuration,
    Imported,
    /// A directory that is asked each time; something goes there.
    LookedUp,
}

impl Source {
    pub(super) fn name(self, look: &Look) -> &'static str {
        match self {
            Source::Store => look.words.of("hier angelegt", "added here"),
            Source::Configuration => look.words.of("Konfiguration", "configuration"),
            Source::Imported => look.words.of("Verzeichnis", "directory"),
            Source::LookedUp => look.words.of("nachgeschlagen", "looked up"),
        }
    }
}

/// Partners that are shown at once; a directory may have ten thousand.
const SHOWN: usize = 200;

/// All partners of the tenant, by name.
pub(super) async fn known(console: &Console, visit: &Visit) -> Result<Vec<Known>, broker::Error> {
    let (broker, caller) = (&console.broker, &visit.caller);
    let (mut all, mut keys) = (vec![], BTreeSet::new());
    for kept in broker.partners(caller).await? {
        keys.extend(kept.authority.clone());
        let (id, name, authority) = (kept.id.clone(), kept.name.clone(), kept.authority.clone());
        all.push(Known { id, name, authority, source: Source::Store, kept: Some(kept) });
    }
    let imported = broker.directory(caller).await?;
    let configured = broker.house().partners_of(&caller.scope.tenant);
    let configured = configured.map(|it| (it.authority.clone(), it.name.clone(), Source::Configuration));
    let imported = imported.into_iter().map(|it| (it.authority, it.name, Source::Imported));
    for (key, name, source) in configured.chain(imported) {
        if keys.insert(key.clone()) {
            all.push(Known { id: key.to_string(), name, authority: Some(key), source, kept: None });
        }
    }
    all.sort_by_cached_key(|it| it.name.to_lowercase());
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
    asked: Asked,
) -> Response {
    let found = async {
        Ok::<_, broker::Error>((known(&console, &visit).await?, console.broker.lanes(&visit.caller).await?))
    };
    let (mut all, lanes) = match found.await {
        Ok(found) => found,
        Err(error) => return page::failed(&look, &error),
    };
    let (any, sought) = (!all.is_empty(), asked.text("q").to_lowercase());
    all.retain(|it| it.fits(&sought));
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let manages = visit.caller.may(Action::ManagePartners).is_ok();
    page::page(
        &look,
        look.of_two("Partner", "Partners"),
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
            @if !any { (page::empty(look.of_two("Noch kein Partner.", "No partner yet."))) }
            @else {
                (search(&look, &asked))
                @if all.is_empty() { (page::empty(look.of_two(
                    "Kein Partner heißt so. Gesucht wird in Namen und Behördenkennungen.",
                    "No partner is called so. Names and keys of authorities are looked at.",
                ))) } @else { (table(&console, &look, &all, &lanes)) }
                @if more > 0 { p.soft { "+ " (more) " " (look.of_two(
                    "weitere. Suchen Sie nach Namen oder Kennung.",
                    "more. Search by name or key.",
                )) } }
            }
        },
    )
}

fn search(look: &Look, asked: &Asked) -> Markup {
    html! {
        form.search method="get" role="search" {
            input type="hidden" name="lang" value=(look.words.tag());
            label for="q" { (look.of_two("Partner suchen", "Find a partner")) }
            p.hint #q-hint { (look.of_two("Teil des Namens oder der Behördenkennung", "Part of the name or of the key")) }
            div.beside-it {
                input #q type="search" name="q" value=(asked.text("q")) maxlength="200" aria-describedby="q-hint" autocomplete="off";
                button type="submit" { (look.of_two("Suchen", "Find")) }
            }
        }
    }
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
    PathName(key): PathName,
    _: Form,
) -> Response {
    match console.broker.retry_lane(&visit.caller, &format!("to:{key}")).await {
        Ok(_) => look.onward(&format!("/partners/{key}?done=retry")),
        Err(error) => page::failed(&look, &error),
    }
}
