//! How moments, sizes, codes and messages look in lists.

use maud::{Markup, html};
use model::message::{Finding, Report};
use model::payment::day::german_clock;
use model::{Authority, Id, Message, MessageState, Timestamp, catalog};
use pages::Language;

use super::labels;
use crate::Console;
use crate::page::Look;

/// What requests of a page carry that renews itself (`hx-headers`): they keep nobody signed in.
pub(crate) const POLLING: &str = r#"{"amtsbote-polling":"1"}"#;

/// A moment, as clocks in Germany show it.
pub(crate) fn when(look: &Look, at: Timestamp) -> Markup {
    html! { time datetime=(at) { (moment(look, at)) } }
}

/// The same as text.
pub(crate) fn moment(look: &Look, at: Timestamp) -> String {
    let shown = german_clock(at);
    let (day, month, year) = (shown.day(), u8::from(shown.month()), shown.year());
    let (hour, minute) = (shown.hour(), shown.minute());
    match look.words.0 {
        Language::German => format!("{day:02}.{month:02}.{year} {hour:02}:{minute:02}"),
        Language::English => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    }
}

/// How long ago something was, with the moment itself for whoever wants to know.
pub(crate) fn ago(look: &Look, now: Timestamp, at: Timestamp) -> Markup {
    let span = span(look, now.micros().saturating_sub(at.micros()));
    html! { time datetime=(at) title=(moment(look, at)) { (look.of_two("seit ", "for ")) (span) } }
}

/// A span of time in its largest unit.
pub(crate) fn span(look: &Look, micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    let (count, german, english) = match seconds {
        0..120 => (seconds, ("Sekunde", "Sekunden"), ("second", "seconds")),
        120..7_200 => (seconds / 60, ("Minute", "Minuten"), ("minute", "minutes")),
        7_200..172_800 => (seconds / 3_600, ("Stunde", "Stunden"), ("hour", "hours")),
        _ => (seconds / 86_400, ("Tag", "Tagen"), ("day", "days")),
    };
    let (one, many) = if look.words.0 == Language::German { german } else { english };
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A size in bytes.
pub(crate) fn size(look: &Look, bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000 => return format!("{bytes} Byte"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    let text = format!("{value:.1}");
    match look.words.0 {
        Language::German => format!("{} {unit}", text.replace('.', ",")),
        Language::English => format!("{text} {unit}"),
    }
}

/// The badge of a state.
pub(crate) fn state(look: &Look, state: MessageState) -> Markup {
    html! { span class=(labels::state_class(state)) { (labels::state(look, state)) } }
}

/// What a message says it is, such as `xdomea 3.1.0 · 0401`.
pub(crate) fn kind(look: &Look, message: &Message) -> Markup {
    match &message.identity {
        Some(it) => html! { (it.standard) " " (it.version) " · " (it.message_type) },
        None => html! { span.soft { (look.of_two("noch unbekannt", "not known yet")) } },
    }
}

/// The other side of a message by its name, if the house knows one.
pub(crate) fn partner(console: &Console, tenant: &str, key: &str) -> Markup {
    match name_of(console, tenant, key) {
        Some(name) => html! { (name) " " span.code { (key) } },
        // A system of the house that brings its messages itself.
        None if key.parse::<Id>().is_ok() => html! { "System " span.code title=(key) { (short(key)) } },
        None => html! { span.code { (key) } },
    }
}

/// The end of an id, which tells it from its neighbours.
pub(crate) fn short(id: &str) -> &str {
    if id.len() == 36 { id.get(24..).unwrap_or(id) } else { id }
}

/// Name of an authority that the house or its configuration knows.
pub(crate) fn name_of<'a>(console: &'a Console, tenant: &str, key: &str) -> Option<&'a str> {
    let key: Authority = key.parse().ok()?;
    let house = console.broker.house();
    let ours = house.tenant_of(&key).and_then(|it| it.authorities.iter().find(|entry| entry.key == key));
    let theirs = || house.partners_of(tenant).find(|it| it.authority == key).map(|it| it.name.as_str());
    ours.map(|entry| entry.name.as_str()).or_else(theirs)
}

/// A code with its sentence.
pub(crate) fn code(look: &Look, code: &str) -> Markup {
    let sentence = catalog::sentence(code);
    html! {
        @if let Some(sentence) = sentence { (look.of_two(&sentence.de, &sentence.en)) " " }
        span.code { (code) }
    }
}

/// Findings of a check: how bad, where, what it means.
pub(crate) fn report(look: &Look, report: &Report) -> Markup {
    html! {
        ol.findings {
            @for finding in report.findings.iter().take(200) { li { (finding_in_words(look, finding)) } }
        }
        @let more = report.more + report.findings.len().saturating_sub(200) as u64;
        @if more > 0 {
            p.soft { "+ " (more) " " (look.of_two("weitere", "more")) }
        }
    }
}

fn finding_in_words(look: &Look, finding: &Finding) -> Markup {
    let (class, name) = labels::severity(look, finding.severity);
    let sentence = catalog::sentence(&finding.rule).map(|it| finding.filled(look.of_two(&it.de, &it.en)));
    html! {
        p { span class=(class) { (name) } " " (sentence.unwrap_or_default()) }
        p.place {
            @if let Some(file) = &finding.file { (look.of_two("Datei ", "file ")) span.code { (file) } " " }
            @if let Some(line) = finding.line { (look.of_two("Zeile ", "line ")) (line) " " }
            @if let Some(path) = &finding.path { span.code { (path) } " " }
            span.code { (finding.rule) }
        }
    }
}

/// A field of a filter that offers values, and first `all` of them if that may be chosen.
pub(crate) fn choice<'a>(
    name: &str,
    label: &str,
    all: Option<&str>,
    chosen: &str,
    options: impl Iterator<Item = (String, &'a str)>,
) -> Markup {
    html! {
        div {
            label for={ "filter-" (name) } { (label) }
            select id={ "filter-" (name) } name=(name) {
                @if let Some(all) = all { option value="" { (all) } }
                @for (value, shown) in options {
                    option value=(value) selected[value == chosen] { (shown) }
                }
            }
        }
    }
}

/// A field of a filter that takes text; `kind` is that of the input.
pub(crate) fn field(name: &str, label: &str, kind: &str, value: &str) -> Markup {
    html! {
        div {
            label for={ "filter-" (name) } { (label) }
            input id={ "filter-" (name) } name=(name) type=(kind) value=(value) maxlength="200" autocomplete="off";
        }
    }
}
