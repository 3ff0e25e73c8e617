//! How the gateway stands, at a glance. Each tile leads to the list behind it.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::{BreakerState, ClarificationFilter, Lane, Page, Standing};
use maud::{Markup, html};
use model::rights::Action;
use model::{MessageState, Timestamp};

use super::certificates::{self, Ends};
use super::{labels, messages, show};
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// Days before its end from which a certificate is spoken of.
pub(super) const SOON_DAYS: i64 = 60;
/// Days before its end from which that is urgent.
const URGENT_DAYS: i64 = 14;
const DAY: i64 = 86_400_000_000;

/// `GET /console/overview`.
pub(super) async fn overview(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let body = match board(&console, &look, &visit).await {
        Ok(body) => body,
        Err(error) => return page::failed(&look, &error),
    };
    if asked.get("part").is_some() {
        return page::part(&look, &body);
    }
    page::page(
        &look,
        look.of_two("Überblick", "Overview"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Wie das Gateway steht: was wartet, was festhängt, was abläuft. Jede Kachel führt zu der Liste dahinter; dort wird gehandelt, \
                 hier ändert sich nichts. Farbig ist, wonach jemand sehen sollte.",
                "How the gateway stands: what waits, what is stuck, what is about to end. Each tile leads to the list behind it; there you act, \
                 nothing is changed here. What somebody should look at is in colour.",
            )) } }))
            p.lead {
                (look.of_two("Der Stand erneuert sich alle 30 Sekunden. ", "Refreshed every 30 seconds. "))
                a href=(look.to("/overview")) { (look.of_two("Jetzt neu laden", "Reload now")) }
            }
            div hx-get=(look.to("/overview?part=board")) hx-trigger="every 30s" hx-headers=(show::POLLING) hx-swap="innerHTML" { (body) }
        },
    )
}

async fn board(console: &Console, look: &Look, visit: &Visit) -> Result<Markup, broker::Error> {
    let (broker, caller) = (&console.broker, &visit.caller);
    let now = broker.now();
    let standing = broker.standing(caller).await?;
    let reasons = match caller.may(Action::ReadMessages) {
        Ok(_) => broker.clarification_counts(caller, &ClarificationFilter::default()).await?,
        Err(_) => vec![],
    };
    let partners = caller.may(Action::ReadPartners).is_ok() && caller.scope.is_whole();
    let lanes = if partners { broker.lanes(caller).await? } else { vec![] };
    let outside: Vec<&Lane> = lanes.iter().filter(|lane| lane.lane.starts_with("to:")).collect();
    let ends = match partners {
        true => Ends { ways: broker.certificate_ends(caller).await?, pairs: broker.key_pair_ends(caller)? },
        false => Ends { ways: vec![], pairs: vec![] },
    };
    let soon = ends.soon(now);
    let short = if partners { broker.weak_certificates_of(caller).await? } else { vec![] };
    let weak = console.workshop.weaknesses(&caller.scope.tenant);
    let failing: BTreeSet<&str> = lanes
        .iter()
        .filter(|lane| lane.breaker.state != BreakerState::Closed)
        .filter_map(Lane::adapter)
        .collect();
    let open = outside.iter().filter(|lane| lane.breaker.state != BreakerState::Closed).count();
    let urgent = soon.iter().any(|end| days_left(now, *end) < URGENT_DAYS);
    let parked = count(&standing, MessageState::Parked);
    let oldest = reasons.iter().map(|it| it.oldest).min();
    let waiting: u64 = outside.iter().map(|lane| lane.waiting + lane.leased).sum();
    let longest = outside.iter().filter_map(|lane| lane.oldest).min();
    let ready = Tile::new(
        look.of_two("Warten auf Zustellung", "Wait for delivery"),
        waiting.to_string(),
        "/partners",
    );
    let interrupted = look.of_two("Unterbrochene Partner", "Interrupted partners");
    let ending = look.of_two("Zertifikate laufen ab", "Certificates about to end");
    let deliveries = look.of_two("Adapter: zurückgestellt", "Adapters: parked");
    let alone = !broker.four_eyes();
    Ok(html! {
        ul.tiles {
            (Tile::new(look.of_two("Klärungsfälle", "Need clarification"), counted(parked), "/messages?state=parked")
                .bad(parked > 0).with(oldest.map(|at| show::ago(look, now, at))).shown(look))
            @if partners {
                (ready.with(longest.map(|at| show::ago(look, now, at))).shown(look))
                (Tile::new(interrupted, open.to_string(), "/partners").bad(open > 0).shown(look))
                (Tile::new(look.of_two("Gestörte Adapter", "Adapters that fail"), failing.len().to_string(), "/adapters")
                    .bad(!failing.is_empty()).shown(look))
                (Tile::new(ending, soon.len().to_string(), "/overview#certificates")
                    .warn(!soon.is_empty()).bad(urgent).shown(look))
                (Tile::new(look.of_two("Schwache Zertifikate", "Weak certificates"), short.len().to_string(), "/overview#short")
                    .warn(!short.is_empty()).shown(look))
            }
            (Tile::new(deliveries, at_most(standing.parked_deliveries, u64::from(Page::MOST)), "/adapters")
                .bad(standing.parked_deliveries > 0).shown(look))
            (Tile::new(look.of_two("In Verarbeitung", "Being processed"), counted(count(&standing, MessageState::Accepted)), "/messages?state=accepted").shown(look))
            (Tile::new(look.of_two("Im Postfach", "In the mailbox"), counted(count(&standing, MessageState::Processed)), "/messages?state=processed").shown(look))
            (Tile::new(look.of_two(
                "Alte Verfahren erlaubt",
                "Old algorithms allowed",
            ), weak.len().to_string(), "/overview#weak").warn(!weak.is_empty()).shown(look))
            @if alone { (Tile::new(
                look.of_two("Vier-Augen-Prinzip", "Four eyes"),
                look.of_two("aus", "off").to_owned(),
                "/overview#four-eyes",
            ).shown(look)) }
        }
        (stuck(look, now, &reasons))
        @if partners {
            (undelivered(console, look, visit, now, &outside))
            (certificates::shown(console, look, visit, now, &ends))
            (certificates::weak(look, &short))
        } @else {
            p.soft { (look.of_two(
                "Zustellung und Zertifikate der Partner betreffen das ganze Haus. Sie sieht, wer für alle Einheiten zuständig ist.",
                "Deliveries to partners and their certificates concern the whole house. Whoever is responsible for all units sees them.",
            )) }
        }
        h2 #weak { (look.of_two("Alte Verfahren", "Old algorithms")) }
        @if weak.is_empty() {
            p.soft { (look.of_two(
                "Nirgends sind SHA-1, 3DES, RSA-1_5 oder kurze Schlüssel erlaubt.",
                "SHA-1, 3DES, RSA-1_5 and short keys are allowed nowhere.",
            )) }
        } @else {
            ul { @for it in &weak { li { strong { (it.place) } ": " (it.algorithms) } } }
        }
        @if alone { (without_four_eyes(look)) }
        (machine(look, &standing, now))
    })
}

/// What a house should know in which nobody needs a second person, and how that is changed.
fn without_four_eyes(look: &Look) -> Markup {
    html! {
        h2 #four-eyes { (look.of_two("Vier-Augen-Prinzip", "Four eyes")) }
        p.soft { (look.of_two(
            "Für dieses Haus ist es ausgeschaltet: Wer die Rechte dazu hat, leitet Nachrichten weiter, legt Zugänge an, ändert Rechte und Partner, \
             klärt Zahlungen und vernichtet Ausgesondertes allein. Rückzahlungen und die Einsicht in Inhalte haben immer eine zweite Person. \
             Eingeschaltet wird es in der Konfigurationsdatei mit ",
            "They are off for this house: whoever has the right needs nobody else to forward messages, make tokens, change rights and partners, \
             clear payments, and destroy what was disposed of. Refunds and seeing contents always have a second person. They are turned on in \
             the configuration file by ",
        )) code { "four_eyes = true" } (look.of_two(" unter ", " in ")) code { "[policy]" }
        (look.of_two("; was dann gilt, steht in ", "; what holds then stands in ")) code { "docs/identity.md" } "." }
    }
}

fn count(standing: &Standing, state: MessageState) -> u64 {
    standing.messages.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
}

fn counted(count: u64) -> String {
    at_most(count, Standing::MOST)
}

/// A count that ends at `most`.
fn at_most(count: u64, most: u64) -> String {
    if count >= most { format!("{count}+") } else { count.to_string() }
}

pub(super) fn days_left(now: Timestamp, end: Timestamp) -> i64 {
    end.micros().saturating_sub(now.micros()).div_euclid(DAY)
}

/// A figure that leads to the list behind it.
struct Tile<'a> {
    label: &'a str,
    figure: String,
    path: &'a str,
    class: &'static str,
    more: Option<Markup>,
}

impl<'a> Tile<'a> {
    fn new(label: &'a str, figure: String, path: &'a str) -> Self {
        Tile { label, figure, path, class: "", more: None }
    }

    fn bad(self, is_so: bool) -> Self {
        if is_so { Tile { class: "bad", ..self } } else { self }
    }

    fn warn(self, is_so: bool) -> Self {
        if is_so { Tile { class: "warn", ..self } } else { self }
    }

    fn with(self, more: Option<Markup>) -> Self {
        Tile { more, ..self }
    }

    fn shown(self, look: &Look) -> Markup {
        let Tile { label, figure, path, class, more } = self;
        html! {
            li class=(class) {
                a href=(look.to_anchor(path)) { span.figure { (figure) } " " span.label { (label) } }
                @if let Some(more) = more { p.more { (more) } }
            }
        }
    }
}

fn machine(look: &Look, standing: &Standing, now: Timestamp) -> Markup {
    let full = standing.pressure.disk_full;
    html! {
        h2 { (look.of_two("Maschine und Beweise", "Machine and evidence")) }
        div.card { dl {
            dt { (look.of_two("Freier Plattenplatz", "Free disk")) }
            dd {
                @match standing.pressure.disk_free {
                    Some(bytes) => (show::size(look, bytes)),
                    None => (look.of_two("nicht bekannt", "not known")),
                }
                " "
                span class=(if full { "state bad" } else { "state good" }) {
                    (if full { look.of_two("zu wenig", "too little") } else { look.of_two("genug", "enough") })
                }
            }
            dt { (look.of_two("Datenbank", "Database")) } dd { (if standing.engine == "sqlite" { "SQLite" } else { "PostgreSQL" }) }
            dt { (look.of_two("Laufende Anfragen", "Requests now")) }
            dd { (standing.pressure.requests) ", " (look.of_two("davon mit Inhalt ", "with a body ")) (standing.pressure.bodies) }
            dt { (look.of_two(
                "Noch nicht versiegelte Ereignisse",
                "Events not sealed yet",
            )) } dd { (standing.unsealed) }
            dt { (look.of_two("Zeitstempel", "Time stamps")) }
            dd {
                @match &standing.stamps {
                    None => (look.of_two("nicht eingerichtet", "not configured")),
                    Some(stamps) => {
                        @if let Some(last) = stamps.last { (look.of_two("zuletzt ", "last ")) (show::when(look, last)) " " }
                        @if let Some(since) = stamps.unstamped_since { (look.of_two("ungestempelt ", "unstamped ")) (show::ago(look, now, since)) " " }
                        @if stamps.overdue { span.state.bad { (look.of_two("überfällig", "overdue")) } }
                        @else { span.state.good { (look.of_two("in Ordnung", "fine")) } }
                    }
                }
            }
        } }
    }
}

fn stuck(look: &Look, now: Timestamp, reasons: &[model::clarification::ClarificationCount]) -> Markup {
    let path = |rule: &str| look.to(&Asked::default().with(messages::PATH, "rule", Some(rule)));
    html! {
        h2 { (look.of_two("Was festhängt", "What is stuck")) }
        @if reasons.is_empty() {
            (page::empty(look.of_two(
                "Nichts hängt fest. Zurückgestellte Nachrichten stehen hier mit ihrem Grund.",
                "Nothing is stuck. Parked messages stand here by reason.",
            )))
        } @else {
            div.wide tabindex="0" role="region" aria-label=(look.of_two("Was festhängt", "What is stuck")) { table {
                thead { tr {
                    th scope="col" { (look.of_two("Grund", "Reason")) }
                    th scope="col" { (look.of_two("Am Zug", "To act")) }
                    th scope="col" { (look.of_two("Älteste", "Oldest")) }
                    th.number scope="col" { (look.of_two("Anzahl", "Count")) }
                } }
                tbody { @for reason in reasons { tr {
                    td { (show::code(look, &reason.rule)) }
                    td.short { (labels::side(look, reason.side)) }
                    td { (show::ago(look, now, reason.oldest)) }
                    td.number { a href=(path(&reason.rule)) { (reason.count) } }
                } } }
            } }
        }
    }
}

fn undelivered(console: &Console, look: &Look, visit: &Visit, now: Timestamp, lanes: &[&Lane]) -> Markup {
    let busy: Vec<&&Lane> = lanes
        .iter()
        .filter(|lane| lane.oldest.is_some() || lane.breaker.state != BreakerState::Closed)
        .collect();
    html! {
        h2 { (look.of_two("Unzugestellt je Partner", "Undelivered by partner")) }
        @if busy.is_empty() {
            (page::empty(look.of_two("Für keinen Partner wartet etwas.", "Nothing waits for any partner.")))
        } @else { (super::partners::lanes(console, look, visit, now, &busy)) }
    }
}

/// Days until a certificate ends.
pub(super) fn left(look: &Look, now: Timestamp, end: Timestamp) -> Markup {
    let days = days_left(now, end);
    let class = match days {
        ..URGENT_DAYS => "state bad",
        URGENT_DAYS..SOON_DAYS => "state warn",
        _ => "state good",
    };
    html! {
        span class=(class) {
            @match days {
                ..0 => (look.of_two("abgelaufen", "ended")),
                0 => (look.of_two("heute", "today")),
                1 => (look.of_two("1 Tag", "1 day")),
                _ => { (days) " " (look.of_two("Tage", "days")) },
            }
        }
    }
}
