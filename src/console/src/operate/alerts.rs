//! Alarms: the rules of the configuration, how each stands, and telling somebody as a test.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{AlertNow, AlertSent, AlertSeverity};
use maud::{Markup, html};

use super::chart::figure;
use super::{show, trial};
use crate::Console;
use crate::asked::PathName;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::workshop::{About, Found};

/// `GET /console/alerts`.
pub(super) async fn list(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
) -> Response {
    let mut alerts = match console.broker.alerts(&visit.caller).await {
        Ok(alerts) => alerts,
        Err(error) => return page::failed(&look, &error),
    };
    alerts.sort_by_key(|it| !it.firing);
    page::page(
        &look,
        look.of_two("Alarme", "Alerts"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Regeln stehen in der Konfigurationsdatei unter [[alert]]. Verletzt ein Wert eine Regel lange genug, werden die genannten \
                 Stellen benachrichtigt, und noch einmal, wenn alles wieder gut ist.",
                "Rules stand in the configuration file under [[alert]]. If a figure breaks a rule for long enough, the named offices are told, \
                 and once more when all is well again.",
            )) } }))
            @if alerts.is_empty() { (page::empty(look.of_two(
                "Keine Regel ist eingerichtet.",
                "No rule is configured.",
            ))) }
            @else { (table(&console, &look, &alerts)) }
        },
    )
}

fn table(console: &Console, look: &Look, alerts: &[AlertNow]) -> Markup {
    let now = console.broker.now();
    html! {
        div.wide tabindex="0" role="region" aria-label=(look.of_two("Alarme", "Alerts")) { table {
            thead { tr {
                th scope="col" { (look.of_two("Regel", "Rule")) }
                th scope="col" { (look.of_two("Zustand", "State")) }
                th scope="col" { (look.of_two("Wert", "Figure")) }
                th scope="col" { (look.of_two("Zuletzt benachrichtigt", "Told last")) }
                th scope="col" { span.unseen { (look.of_two("Aktion", "Act")) } }
            } }
            tbody { @for it in alerts { tr {
                th scope="row" {
                    (it.id) @if !it.label.is_empty() { " " span.code { (it.label) } }
                    p.place { (it.series) " " (it.rule) " · " (severity(look, it.severity)) }
                }
                td {
                    span class=(if it.firing { "state bad" } else { "state good" }) {
                        (if it.firing { look.of_two("Alarm", "alarm") } else { look.of_two("ruhig", "quiet") })
                    }
                    @if let Some(since) = it.since { " " (show::ago(look, now, since)) }
                }
                td { @if let Some(value) = it.value { (figure(look, value)) } }
                td {
                    @if let Some(at) = it.told_at { (show::when(look, at)) }
                    @if let Some(code) = &it.failed { p { (show::code(look, code)) } }
                }
                td { form method="post" action=(look.to(&format!("/alerts/{}/test", it.id))) {
                    (look.form_token())
                    button type="submit" { (look.of_two("Probealarm senden", "Send a test alert")) }
                } }
            } } }
        } }
    }
}

fn severity(look: &Look, severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Critical => look.words.of("kritisch", "critical"),
        _ => look.words.of("Warnung", "warning"),
    }
}

/// `POST /console/alerts/{id}/test`. It leads to what came of it, so that reloading tells nobody once more.
pub(super) async fn test(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathName(id): PathName,
    _: Form,
) -> Response {
    match console.broker.alerts(&visit.caller).await {
        Ok(alerts) if alerts.iter().any(|it| it.id == id) => {}
        Ok(_) => return page::missing(&look),
        Err(error) => return page::failed(&look, &error),
    }
    let (broker, caller, rule) = (console.broker.clone(), visit.caller.clone(), id.clone());
    let work = async move {
        match broker.test_alert(&caller, &rule).await {
            Ok(sent) => Found::Alert(sent),
            Err(error) => Found::Failed(error.code().to_owned()),
        }
    };
    trial::begin(&console, &look, &visit, About::Alert(id), work)
}

/// Who was told as a test, and who could not be.
pub(super) fn told(look: &Look, sent: &[AlertSent]) -> Markup {
    html! {
        @if sent.is_empty() { (page::empty(look.of_two(
            "Die Regel nennt niemanden, der benachrichtigt würde.",
            "The rule names nobody to be told.",
        ))) }
        @else { ul { @for it in sent { li {
            span class=(if it.code.is_none() { "state good" } else { "state bad" }) {
                (if it.code.is_none() { look.of_two("angenommen", "taken") } else { look.of_two("gescheitert", "failed") })
            }
            " " span.code { (it.to) }
            @if let Some(code) = &it.code { " " (show::code(look, code)) }
        } } } }
        p { a href=(look.to("/alerts")) { (look.of_two("Zurück zu den Alarmen", "Back to the alerts")) } }
    }
}
