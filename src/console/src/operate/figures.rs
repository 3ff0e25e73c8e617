//! Figures over time: how much comes and goes, how long it takes, what waits. Of partners and adapters, never of people.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use broker::Figure;
use maud::{Markup, html};
use model::Timestamp;

use super::chart::{Line, chart};
use super::show;
use crate::Console;
use crate::asked::Asked;
use crate::page::{self, Look};
use crate::visit::Visit;

/// What is drawn.
const SERIES: [&str; 7] = [
    "messages.in",
    "messages.out",
    "delivery.p50",
    "delivery.p95",
    "messages.parked",
    "messages.oldest",
    "adapters.waiting",
];
const HOUR: i64 = 3_600_000_000;
/// Spans that are offered: name, hours, German, English.
const SPANS: [(&str, i64, &str, &str); 4] = [
    ("6h", 6, "6 Stunden", "6 hours"),
    ("24h", 24, "24 Stunden", "24 hours"),
    ("7d", 168, "7 Tage", "7 days"),
    ("30d", 720, "30 Tage", "30 days"),
];

/// `GET /console/figures`.
pub(super) async fn figures(
    State(console): State<Console>,
    look: Look,
    Extension(visit): Extension<Visit>,
    asked: Asked,
) -> Response {
    let chosen = SPANS.iter().find(|it| Some(it.0) == asked.get("span")).unwrap_or(&SPANS[1]);
    let to = console.broker.now();
    let from = Timestamp::from_micros(to.micros().saturating_sub(chosen.1 * HOUR));
    let drawn = match drawn(&console, &look, &visit, &asked, (from, to)).await {
        Ok(drawn) => drawn,
        Err(error) => return page::failed(&look, &error),
    };
    let spans = SPANS.iter().map(|it| (it.0.to_owned(), look.of_two(it.2, it.3)));
    page::page(
        &look,
        look.of_two("Kennzahlen", "Figures"),
        &html! {
            (page::help(&look, &html! { p { (look.of_two(
                "Jede Minute wird festgehalten, wie das Gateway steht; nach zwei Tagen je Stunde. Zahlen über einzelne Personen gibt es nicht.",
                "Every minute it is noted how the gateway stands; after two days for each hour. There are no figures of individual people.",
            )) } }))
            form.filter method="get" {
                input type="hidden" name="lang" value=(look.words.tag());
                (show::choice("span", look.of_two("Zeitraum", "Span"), None, chosen.0, spans))
                (show::field("label", look.of_two("Partner oder Adapter", "Partner or adapter"), "text", asked.text("label")))
                div.end { button.main type="submit" { (look.of_two("Anzeigen", "Show")) } }
            }
            (drawn)
        },
    )
}

async fn drawn(
    console: &Console,
    look: &Look,
    visit: &Visit,
    asked: &Asked,
    (from, to): (Timestamp, Timestamp),
) -> Result<Markup, broker::Error> {
    let mut found: BTreeMap<&str, Vec<Figure>> = BTreeMap::new();
    for series in SERIES {
        let mut figures = console.broker.figures(&visit.caller, series, from, to).await?;
        if let Some(label) = asked.get("label") {
            figures.retain(|it| it.label.contains(label));
        }
        found.insert(series, figures);
    }
    let mut of = |series: &str| found.remove(series).unwrap_or_default();
    let (came, went) = (of("messages.in"), of("messages.out"));
    let hourly = [
        Line { name: look.of_two("Eingang", "in").to_owned(), points: by_hour(&whole(&came)) },
        Line { name: look.of_two("Ausgang", "out").to_owned(), points: by_hour(&whole(&went)) },
    ];
    let (half, most) = (of("delivery.p50"), of("delivery.p95"));
    let took = [
        Line { name: look.of_two("Hälfte (p50)", "half (p50)").to_owned(), points: highest(&half) },
        Line { name: look.of_two("fast alle (p95)", "nearly all (p95)").to_owned(), points: highest(&most) },
    ];
    let busiest = by_label(look, &[came, went].concat());
    Ok(html! {
        (chart(look, (from, to), "through", look.of_two(
            "Nachrichten je Stunde",
            "Messages per hour",
        ), look.of_two("Anzahl", "count"), &hourly))
        (chart(look, (from, to), "took", look.of_two(
            "Von der Annahme bis zur Zustellung",
            "From acceptance to delivery",
        ), look.of_two("Sekunden", "seconds"), &took))
        (chart(look, (from, to), "parked", look.of_two("Klärungsfälle", "Need clarification"), look.of_two("Anzahl", "count"), &[one(look, &of("messages.parked"))]))
        (chart(look, (from, to), "oldest", look.of_two(
            "Älteste unzugestellte Nachricht",
            "Oldest undelivered message",
        ), look.of_two("Sekunden", "seconds"), &labelled(look, &of("messages.oldest"))))
        (chart(look, (from, to), "partners", look.of_two(
            "Nachrichten je Stunde und Partner",
            "Messages per hour and partner",
        ), look.of_two("Anzahl", "count"), &busiest))
        (chart(look, (from, to), "adapters", look.of_two(
            "Adapter: wartende Meldungen",
            "Adapters: waiting deliveries",
        ), look.of_two("Anzahl", "count"), &labelled(look, &of("adapters.waiting"))))
    })
}

fn one(look: &Look, figures: &[Figure]) -> Line {
    Line { name: look.of_two("Anzahl", "count").to_owned(), points: highest(figures) }
}

/// Those of the whole, which has no label; where a partner is chosen, those of the partner.
fn whole(figures: &[Figure]) -> Vec<Figure> {
    let of_all = figures.iter().any(|it| it.label.is_empty());
    figures.iter().filter(|it| it.label.is_empty() == of_all).cloned().collect()
}

/// The sum for each hour. What was counted in a span that lies in several hours (nobody counted for a time) is shared out among them.
fn by_hour(figures: &[Figure]) -> Vec<(Timestamp, f64)> {
    let mut hours = BTreeMap::new();
    for figure in figures {
        let span = i64::try_from(figure.span.as_micros()).unwrap_or(i64::MAX);
        let (begin, end) = (figure.at.micros(), figure.at.micros().saturating_add(span));
        let mut hour = begin.div_euclid(HOUR) * HOUR;
        loop {
            let part = (end.min(hour + HOUR) - begin.max(hour)) as f64;
            let share = if span == 0 { 1.0 } else { part / span as f64 };
            *hours.entry(hour).or_insert(0.0) += figure.value * share;
            hour += HOUR;
            if hour >= end {
                break;
            }
        }
    }
    hours.into_iter().map(|(at, value): (i64, f64)| (Timestamp::from_micros(at), value.round())).collect()
}

/// The highest of all labels at each moment.
fn highest(figures: &[Figure]) -> Vec<(Timestamp, f64)> {
    let mut moments: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for figure in figures {
        let value = moments.entry(figure.at).or_insert(figure.value);
        *value = value.max(figure.value);
    }
    moments.into_iter().collect()
}

/// A line of sums by the hour for each label, the busiest first.
fn by_label(look: &Look, figures: &[Figure]) -> Vec<Line> {
    let line = |(name, figures): (String, Vec<Figure>)| Line { name, points: by_hour(&figures) };
    sorted(parted(look, figures).into_iter().map(line).collect())
}

/// A line for each label, the highest first.
fn labelled(look: &Look, figures: &[Figure]) -> Vec<Line> {
    let points = |figures: Vec<Figure>| figures.iter().map(|it| (it.at, it.value)).collect();
    let line = |(name, figures)| Line { name, points: points(figures) };
    sorted(parted(look, figures).into_iter().map(line).collect())
}

/// By label; the whole only where there is nothing else.
fn parted(look: &Look, figures: &[Figure]) -> BTreeMap<String, Vec<Figure>> {
    let mut labels: BTreeMap<String, Vec<Figure>> = BTreeMap::new();
    figures.iter().for_each(|it| labels.entry(it.label.clone()).or_default().push(it.clone()));
    if let Some(all) = labels.remove("").filter(|_| labels.is_empty()) {
        labels.insert(look.of_two("alle", "all").to_owned(), all);
    }
    labels
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    let sum = |line: &Line| line.points.iter().map(|it| it.1).sum::<f64>();
    lines.sort_by(|one, other| sum(other).total_cmp(&sum(one)));
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_counted_in_a_long_span_is_shared_out_among_its_hours() {
        // Half an hour before the second hour begins, and for three hours.
        let figure = Figure {
            label: String::new(),
            at: Timestamp::from_micros(HOUR / 2),
            span: Duration::from_secs(3 * 3_600),
            value: 600.0,
        };
        let hours: Vec<f64> = by_hour(&[figure]).into_iter().map(|it| it.1).collect();
        assert_eq!(hours, [100.0, 200.0, 200.0, 100.0]);
    }

    #[test]
    fn messages_of_a_partner_are_not_counted_twice() {
        let figure = |label: &str, value| Figure {
            label: label.to_owned(),
            at: Timestamp::from_micros(HOUR),
            span: Duration::from_secs(60),
            value,
        };
        let both = [figure("", 3.0), figure("dbs:060010001", 2.0), figure("other", 1.0)];
        assert_eq!(by_hour(&whole(&both)), [(Timestamp::from_micros(HOUR), 3.0)]);
        assert_eq!(by_hour(&whole(&both[1..2])), [(Timestamp::from_micros(HOUR), 2.0)]);
    }
}
