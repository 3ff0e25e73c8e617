//! Trying a partner without sending anything: its connection, and a message that is checked as if it were sent. Long work shows that it goes on.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Checked, Wanted};
use maud::{Markup, html};
use model::Authority;
use model::directory::Way;

use super::partners::Known;
use super::{adapters, alerts, evidence, labels, partner, schemas, show};
use crate::Console;
use crate::asked::{Asked, PathId, PathName};
use crate::file_form::FileForm;
use crate::form::Form;
use crate::page::{self, Look};
use crate::visit::Visit;
use crate::workshop::{About, Check, Found, Try};

/// The forms on the page of a partner.
pub(super) fn forms(console: &Console, look: &Look, visit: &Visit, known: &Known) -> Markup {
    let path = format!("/partners/{}", known.id);
    let own = own(console, visit);
    let from = |id: &str| {
        html! {
            @if own.len() > 1 {
                label for=(id) { (look.of_two("Absendende Behörde", "Authority that sends")) }
                select id=(id) name="from" { @for (key, name) in &own { option value=(key) { (name) } } }
            } @else if let Some((key, _)) = own.first() { input type="hidden" name="from" value=(key); }
        }
    };
    html! {
        h2 { (look.of_two("Probieren", "Try")) }
        div.card {
            h3 { (look.of_two("Verbindung prüfen", "Test the connection")) }
            p.hint { (look.of_two(
                "Prüft Zertifikate und spricht mit der Gegenseite, ohne eine Nachricht zu senden. Das dauert einige Sekunden.",
                "Looks at certificates and talks to the other side without sending a message. It takes some seconds.",
            )) }
            form method="post" action=(look.to(&format!("{path}/test"))) {
                (look.form_token()) (from("test-from"))
                button.main type="submit" { (look.of_two("Verbindung prüfen", "Test the connection")) }
            }
        }
        div.card {
            h3 { (look.of_two("Probelauf mit einer Datei", "Dry run with a file")) }
            p.hint { (look.of_two(
                "Die Datei wird geprüft, als ob sie gesandt würde: Weg, Größe, Zertifikate, Schema. Sie wird weder gesandt noch behalten.",
                "The file is checked as if it were sent: way, size, certificates, schema. It is neither sent nor kept.",
            )) }
            form method="post" enctype="multipart/form-data" action=(look.to(&format!("{path}/dry-run"))) {
                (look.form_token()) (from("dry-from"))
                label for="dry-service" { (look.of_two("Leistung, wenn vereinbart", "Service, if agreed")) }
                input #dry-service name="service" type="text" maxlength="80" autocomplete="off";
                label for="dry-file" { (look.of_two("Nachricht oder Container", "Message or container")) }
                input #dry-file name="file" type="file" required;
                button type="submit" { (look.of_two("Probelauf", "Dry run")) }
            }
        }
    }
}

/// Authorities of the tenant: key and name.
fn own(console: &Console, visit: &Visit) -> Vec<(String, String)> {
    let tenants = console.broker.house().tenants().filter(|it| it.id == visit.caller.scope.tenant);
    tenants.flat_map(|it| &it.authorities).map(|it| (it.key.to_string(), it.name.clone())).collect()
}

/// `POST /console/partners/{id}/test`.
pub(super) async fn test(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathName(id): PathName,
    form: Form,
) -> Response {
    let known = match partner::find(&console, &visit, &id).await {
        Ok(known) => known,
        Err(error) => return page::failed(&look, &error),
    };
    let Some((authority, known)) = known.and_then(|it| Some((it.authority.clone()?, it))) else {
        return page::missing(&look);
    };
    let from: Option<Authority> = form.given("from").and_then(|key| key.parse().ok());
    let (workshop, caller) = (console.workshop.clone(), visit.caller.clone());
    let about = About::Partner { id: known.id, name: known.name, from: from.clone() };
    let work = async move { Found::Partner(workshop.try_partner(&caller, from.as_ref(), &authority).await) };
    begin(&console, &look, &visit, about, work)
}

/// Begins long work, and goes on to the page of its outcome.
pub(super) fn begin(
    console: &Console,
    look: &Look,
    visit: &Visit,
    about: About,
    work: impl Future<Output = Found> + Send + 'static,
) -> Response {
    match console.tries.begin(&visit.caller, about, console.broker.now(), work) {
        Ok(begun) => look.onward(&format!("/tries/{begun}")),
        Err(error) => page::failed(look, &error),
    }
}

/// `POST /console/partners/{id}/dry-run`.
pub(super) async fn dry_run(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathName(id): PathName,
    form: FileForm,
) -> Response {
    let known = match partner::find(&console, &visit, &id).await {
        Ok(known) => known,
        Err(error) => return page::failed(&look, &error),
    };
    let Some((to, known)) = known.and_then(|it| Some((it.authority.clone()?, it))) else {
        return page::missing(&look);
    };
    let from: Option<Authority> = form.fields.given("from").and_then(|key| key.parse().ok());
    let service = form.fields.given("service").map(str::to_owned);
    let name = form.name;
    let (bytes, counted) = counting(form.bytes);
    let checked = match console.broker.try_out(&visit.caller, name, bytes).await {
        Ok(checked) => checked,
        Err(error) => return page::failed(&look, &error),
    };
    let bytes = counted.load(std::sync::atomic::Ordering::Relaxed);
    let wanted = Wanted { from: from.as_ref(), service: service.as_deref(), bytes: Some(bytes) };
    let ways = console.broker.capabilities(&visit.caller, &to, wanted).await.unwrap_or_default();
    let title = format!("{} {}", look.of_two("Probelauf an", "Dry run to"), known.name);
    page::page(&look, &title, &judged(&look, &known, &checked, &ways, bytes))
}

/// The same stream, and how many bytes have come.
fn counting<S, E>(
    bytes: S,
) -> (impl futures::Stream<Item = Result<axum::body::Bytes, E>> + Send + Unpin, Counter)
where
    S: futures::Stream<Item = Result<axum::body::Bytes, E>> + Send + Unpin,
{
    use futures::StreamExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    let counter = std::sync::Arc::new(AtomicU64::new(0));
    let count = counter.clone();
    let counted = bytes.inspect(move |piece| {
        if let Ok(piece) = piece {
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    });
    (counted, counter)
}

type Counter = std::sync::Arc<std::sync::atomic::AtomicU64>;

fn judged(look: &Look, known: &Known, checked: &Checked, ways: &[Way], bytes: u64) -> Markup {
    let way = ways.iter().find(|way| way.is_usable());
    let fits = checked.report.is_acceptable();
    let reads = |way: &&Way| {
        let identity = checked.identity.as_ref();
        identity.is_none_or(|it| {
            way.reach.reads.iter().any(|(name, version)| *name == it.standard && *version == it.version)
        })
    };
    let verdict = |ok: bool| {
        html! {
            span class=(if ok { "state good" } else { "state bad" }) { (if ok { look.of_two("ja", "yes") } else { look.of_two("nein", "no") }) }
        }
    };
    html! {
        div.card { dl {
            dt { (look.of_two("Würde angenommen", "Would be taken")) } dd { (verdict(fits && way.is_some())) }
            dt { (look.of_two("Größe", "Size")) } dd { (show::size(look, bytes)) }
            dt { (look.of_two("Art", "Kind")) }
            dd { @match &checked.identity {
                Some(it) => { (it.standard) " " (it.version) " · " (it.message_type) },
                None => (look.of_two("unbekannt", "unknown")),
            } }
            dt { (look.of_two("Weg", "Way")) }
            dd { @match way {
                Some(way) => { (labels::transport(look, way.reach.transport.name())) ", " (look.of_two("höchstens ", "at most ")) (show::size(look, way.reach.most_bytes)) },
                None => { (no_way(look, ways)) },
            } }
            @if let Some(way) = way.filter(|_| checked.identity.is_some()) {
                dt { (look.of_two(
                    "Empfänger liest diese Fassung",
                    "Recipient reads this version",
                )) } dd { (verdict(reads(&way))) }
            }
        } }
        h2 { (look.of_two("Befunde", "Findings")) }
        @if checked.report.findings.is_empty() { p.soft { (look.of_two("Keine.", "None.")) } }
        @else { (show::report(look, &checked.report)) }
        (back(look, &known.id))
    }
}

fn back(look: &Look, id: &str) -> Markup {
    html! { p { a href=(look.to(&format!("/partners/{id}"))) { (look.of_two("Zurück zum Partner", "Back to the partner")) } } }
}

fn no_way(look: &Look, ways: &[Way]) -> Markup {
    match ways.first().and_then(|way| way.obstacle) {
        Some(code) => show::code(look, code),
        None => html! { (look.of_two("keiner bekannt", "none known")) },
    }
}

/// `GET /console/tries/{id}`: how far long work is, and what came of it.
pub(super) async fn one(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    PathId(id): PathId,
    asked: Asked,
) -> Response {
    let Some(found) = console.tries.get(&visit.caller, id) else { return forgotten(&look) };
    let body = outcome(&console, &look, &found);
    if asked.get("part").is_some() {
        return page::part(&look, &body);
    }
    let help = page::help(
        &look,
        &html! { p { (look.of_two(
            "Was eine Prüfung gefunden hat, die Sie oder andere begonnen haben. Sie können diese Seite verlassen und wiederkommen: Die \
             Prüfung geht weiter, und Neuladen beginnt keine neue. Am Betrieb ändert sie nichts.",
            "What a test has found that you or others began. You may leave this page and come back: the test goes on, and reloading begins no \
             other. It changes nothing in operation.",
        )) } },
    );
    page::page(&look, &title(&look, &found), &html! { (help) (body) })
}

/// The outcome is no longer known, or not to this node.
fn forgotten(look: &Look) -> Response {
    let title = look.of_two("Dieses Ergebnis ist nicht (mehr) da", "This outcome is not here (any more)");
    page::with_status(
        look,
        StatusCode::NOT_FOUND,
        title,
        &html! { p { (look.of_two(
            "Ergebnisse von Prüfungen merkt sich nur der Knoten, der geprüft hat, und nur für kurze Zeit. Beginnen Sie die Prüfung noch \
             einmal; das ändert nichts am Betrieb.",
            "Outcomes are remembered by the node that tested alone, and for a short time. Begin the test again; it changes nothing.",
        )) } },
    )
}

fn title(look: &Look, found: &Try) -> String {
    match &found.about {
        About::Packs => look.of_two("Schemas prüfen", "Compile the schemas").to_owned(),
        About::Chain => look.of_two("Beweiskette prüfen", "Check the chain of evidence").to_owned(),
        About::Adapters => look.of_two("Adapter prüfen", "Test the adapters").to_owned(),
        About::Alert(rule) => format!("{} {rule}", look.of_two("Probealarm", "Test alert")),
        About::Partner { name, .. } => format!("{} {name}", look.of_two("Verbindung zu", "Connection to")),
    }
}

fn outcome(console: &Console, look: &Look, found: &Try) -> Markup {
    let path = format!("/tries/{}", found.id);
    match &found.found {
        Found::Running => html! {
            div aria-live="polite" hx-get=(look.to(&format!("{path}?part=yes"))) hx-trigger="every 1s" hx-headers=(show::POLLING) hx-swap="outerHTML" {
                p { (look.of_two("Es wird gearbeitet, seit ", "At work, for "))
                    (show::span(look, console.broker.now().micros() - found.since.micros())) " …" }
                progress aria-label=(look.of_two("Arbeit geht voran", "Work goes on")) {}
                p { a href=(look.to(&path)) { (look.of_two("Neu laden", "Reload")) } }
            }
        },
        Found::Partner(checks) => html! {
            (checks_shown(console, look, checks))
            @if let About::Partner { id, .. } = &found.about { (back(look, id)) }
        },
        Found::Packs(faults) => schemas::faults(look, faults),
        Found::Adapters(states) => adapters::states(look, states),
        Found::Chain(report) => evidence::chain(look, report),
        Found::Alert(sent) => alerts::told(look, sent),
        Found::Failed(code) => html! { div.alert role="alert" { p { (show::code(look, code)) } } },
    }
}

fn checks_shown(console: &Console, look: &Look, checks: &[Check]) -> Markup {
    let well = !checks.is_empty() && checks.iter().all(|it| it.ok);
    let goes = checks.iter().any(|it| it.what == "way" && it.ok);
    let now = console.broker.now();
    html! {
        @if well { (page::done(look.of_two(
            "Alles in Ordnung: Nachrichten können gehen.",
            "All is well: messages can go.",
        ))) }
        @else if goes { (page::alert(look.of_two(
            "Ein Weg ist nutzbar, aber nicht alles ist in Ordnung. Was nicht stimmt, steht unten.",
            "There is a way, but not all is well. What is wrong stands below.",
        ))) }
        @else { (page::alert(look.of_two(
            "So können keine Nachrichten gehen. Was nicht stimmt, steht unten.",
            "Messages cannot go like this. What is wrong stands below.",
        ))) }
        @if checks.is_empty() {
            (page::empty(look.of_two(
                "Kein Weg nach draußen ist bekannt, der sich prüfen ließe.",
                "No way outside is known that could be tested.",
            )))
        } @else {
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Ergebnis", "Result")) { table {
                thead { tr {
                    th scope="col" { (look.of_two("Geprüft", "Looked at")) }
                    th scope="col" { (look.of_two("Ergebnis", "Result")) }
                    th scope="col" { (look.of_two("Gilt bis", "Until")) }
                } }
                tbody { @for check in checks { tr {
                    th scope="row" { (check_name(look, check.what)) " " span.soft { (check.name) } }
                    td {
                        span class=(if check.ok { "state good" } else { "state bad" }) { (if check.ok { "ok" } else { look.of_two("Fehler", "error") }) }
                        @if let Some(code) = &check.code { " " (show::code(look, code)) }
                        @if !check.detail.is_empty() { p.place { (check.detail) } }
                    }
                    td { @if let Some(end) = check.until { (show::when(look, end)) " " (super::overview::left(look, now, end)) } }
                } } }
            } }
        }
    }
}

fn check_name(look: &Look, what: &str) -> &'static str {
    match what {
        "certificate" => look.words.of("Zertifikat", "certificate"),
        "dialog" => look.words.of("Dialog mit dem Intermediär", "dialog with the intermediary"),
        "account" => look.words.of("Konto beim Server", "account at the server"),
        "adapter" => "Adapter",
        _ => look.words.of("Weg", "way"),
    }
}
