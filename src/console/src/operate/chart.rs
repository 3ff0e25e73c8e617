//! Lines of figures over time, drawn here (SVG) with the same figures as a table beside, so that nobody needs to see the picture.

use maud::{Markup, PreEscaped, html};
use model::Timestamp;

use super::show;
use crate::page::Look;

/// Size of the drawing; the page scales it.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;
/// Points that are drawn; more are put together, and the highest of them is drawn.
const POINTS: usize = 240;
/// Rows of the table.
const ROWS: usize = 48;
/// Marks of the upright axis, so many that 1, 2, 5 and 10 are parted into round figures.
const MARKS: u32 = 5;

/// One line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(Timestamp, f64)>,
}

/// A chart of a span of time: heading, unit, lines (at most four are drawn, in four patterns).
pub(super) fn chart(
    look: &Look,
    span: (Timestamp, Timestamp),
    id: &str,
    title: &str,
    unit: &str,
    lines: &[Line],
) -> Markup {
    let lines: Vec<Line> = lines.iter().filter(|it| !it.points.is_empty()).take(4).map(thinned).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    // A figure of an hour stands at its beginning, which may lie before the span.
    let Some(first) = all().map(|it| it.0).min() else {
        return html! {
            section.card aria-labelledby=(id) {
                h2 #(id) { (title) }
                p.soft { (look.of_two("Noch keine Werte in diesem Zeitraum.", "No figures in this span yet.")) }
            }
        };
    };
    let most = round_up(all().map(|it| it.1).fold(0.0, f64::max));
    html! {
        section.card aria-labelledby=(id) {
            h2 #(id) { (title) " " span.soft { "(" (unit) ")" } }
            div.drawing tabindex="0" role="region" aria-label=(format!("{title}: {}", look.of_two("Bild", "picture"))) {
                (drawing(look, title, &lines, (first.min(span.0), span.1), most))
            }
            @if lines.len() > 1 {
                ul.legend { @for (at, line) in lines.iter().enumerate() { li { (sample(at)) (line.name) } } }
            }
            details {
                summary { (look.of_two("Als Tabelle", "As a table")) }
                (table(look, title, unit, &lines))
            }
        }
    }
}

fn drawing(
    look: &Look,
    title: &str,
    lines: &[Line],
    (from, to): (Timestamp, Timestamp),
    most: f64,
) -> Markup {
    let span = (to.micros() - from.micros()).max(1) as f64;
    let x = |at: Timestamp| LEFT + (at.micros() - from.micros()) as f64 / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value / most) * (HEIGHT - TOP - BOTTOM);
    let path = |line: &Line| {
        let step = |(at, (time, value)): (usize, &(Timestamp, f64))| {
            format!("{}{:.1} {:.1}", if at == 0 { "M" } else { "L" }, x(*time), y(*value))
        };
        line.points.iter().enumerate().map(step).collect::<Vec<_>>().join("")
    };
    let marks = (0..=MARKS).map(|at| most * f64::from(at) / f64::from(MARKS));
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
            @for mark in marks {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(format!("{:.1}", y(mark))) y2=(format!("{:.1}", y(mark))) {}
                text x=(LEFT - 8.0) y=(format!("{:.1}", y(mark) + 4.0)) text-anchor="end" { (figure(look, mark)) }
            }
            text x=(LEFT) y=(HEIGHT - 8.0) { (show::moment(look, from)) }
            text x=(WIDTH - RIGHT) y=(HEIGHT - 8.0) text-anchor="end" { (show::moment(look, to)) }
            @for (at, line) in lines.iter().enumerate() {
                path class=(format!("line line-{at}")) d=(path(line)) fill="none" {}
                @if let [(time, value)] = line.points.as_slice() {
                    circle class=(format!("dot line-{at}")) cx=(x(*time)) cy=(y(*value)) r="3" {}
                }
            }
        }
    }
}

/// How the line looks, beside its name.
fn sample(at: usize) -> Markup {
    // An empty picture for those who hear the page: the name says it.
    let shown = format!(
        "<svg class=\"sample\" viewBox=\"0 0 32 8\" aria-hidden=\"true\"><path class=\"line line-{at}\" d=\"M0 4L32 4\"/></svg>"
    );
    html! { (PreEscaped(shown)) " " }
}

fn table(look: &Look, title: &str, unit: &str, lines: &[Line]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(format!("{title}: {}", look.of_two("Tabelle", "table"))) { table {
            caption { (title) " (" (unit) "), " (look.of_two("die neuesten zuerst", "the newest first")) }
            thead { tr {
                @if lines.len() > 1 { th scope="col" { (look.of_two("Linie", "Line")) } }
                th scope="col" { (look.of_two("Zeit", "Time")) }
                th.number scope="col" { (look.of_two("Wert", "Figure")) }
            } }
            tbody { @for line in lines { @for (at, value) in line.points.iter().rev().take(ROWS) { tr {
                @if lines.len() > 1 { td { (line.name) } }
                td { (show::when(look, *at)) }
                td.number { (figure(look, *value)) }
            } } } }
        } }
    }
}

/// The same line with at most [`POINTS`] points: of those that fall together the highest.
fn thinned(line: &Line) -> Line {
    let step = line.points.len().div_ceil(POINTS).max(1);
    let highest =
        |some: &[(Timestamp, f64)]| some.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1));
    let points = line.points.chunks(step).filter_map(highest).filter(|it| it.1.is_finite()).collect();
    Line { name: line.name.clone(), points }
}

/// The next of 1, 2, 5, 10, 20 … that is not smaller.
fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|it| it * power)
        .find(|it| *it >= value * 0.999_999)
        .unwrap_or(value)
}

/// A figure as people write it.
pub(super) fn figure(look: &Look, value: f64) -> String {
    let text = match value {
        value if value.fract() == 0.0 || value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    };
    if look.words.tag() == "de" { text.replace('.', ",") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_figure() {
        for (value, round) in
            [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (7.0, 10.0), (12.0, 20.0), (499.0, 500.0), (f64::NAN, 1.0)]
        {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_long_line_keeps_its_peaks() {
        let point = |at: i64| (Timestamp::from_micros(at), if at == 777 { 9.0 } else { 1.0 });
        let line = thinned(&Line { name: String::new(), points: (0..1_000).map(point).collect() });
        assert!(line.points.len() <= POINTS);
        assert!(line.points.iter().any(|it| it.0.micros() == 777));
    }
}
