//! ExternerGeschaeftsgang of 0201 (GeschaeftsgangType, BeteiligungsschrittType, VerfuegungType, BearbeitungType) and [`Route`].

use model::circulation::{Order, Outcome, Route, Step, StepStatus};

use super::super::merge::{merge, prune};
use super::super::node::{Node, code, group, leaf};
use super::super::party::{make_party, read_party};
use super::super::text::{day, time};
use crate::Error;

const STATUSES: &str = "urn:xoev-de:xdomea:codeliste:beteiligungsstatus";
const STATUS: [(&str, StepStatus); 4] = [
    ("001", StepStatus::Planned),
    ("002", StepStatus::Current),
    ("003", StepStatus::Done),
    ("004", StepStatus::Skipped),
];

/// Reads a route, and what of it the model would not be written as. Attachments and receipts stand elsewhere.
pub(crate) fn read_route(node: &Node) -> (Route, Vec<Node>) {
    let route = read(&node.nodes);
    let kept = prune(node.nodes.clone(), &make(&route));
    (route, kept)
}

/// Writes a route with what was kept of it.
///
/// # Errors
/// [`Error::Unsupported`] if it has no steps, or a day or time is none.
pub(crate) fn make_route(route: &Route, kept: &[Node]) -> Result<Node, Error> {
    if route.steps.is_empty() || !route.steps.iter().all(has_times) {
        return Err(Error::Unsupported { what: "a route without steps, or a step without its day" });
    }
    let old = make(&read(kept));
    Ok(group("ExternerGeschaeftsgang", merge(kept, &old, &make(route))))
}

fn has_times(step: &Step) -> bool {
    let order = &step.order;
    let days = step.outcome.iter().map(|outcome| &outcome.on).chain([&order.on]).chain(&order.due_on);
    let outcome_at = step.outcome.iter().flat_map(|outcome| &outcome.at);
    let mut times = outcome_at.chain(&order.at).chain(&order.due_at);
    days.into_iter().all(|text| day(text).is_some()) && times.all(|text| time(text).is_some())
}

fn read(nodes: &[Node]) -> Route {
    let id = nodes.iter().find(|node| node.is("Identifikation")).and_then(|node| node.text_of("ID"));
    Route {
        id: id.and_then(|text| text.trim().parse().ok()).unwrap_or_default(),
        steps: nodes.iter().filter(|node| node.is("Beteiligungsschritt")).map(read_step).collect(),
        ..Route::default()
    }
}

fn make(route: &Route) -> Vec<Node> {
    let mut nodes = vec![group("Identifikation", vec![leaf("ID", route.id.to_string())])];
    nodes.extend(route.steps.iter().map(make_step));
    nodes
}

fn read_step(node: &Node) -> Step {
    let status = node.code_of("Status");
    let known = STATUS.iter().find(|(code, _)| Some(*code) == status);
    Step {
        number: node.text_of("Nummer").unwrap_or_default().to_owned(),
        status: known.map(|(_, status)| *status).unwrap_or_default(),
        order: node.child("Verfuegung").map(read_order).unwrap_or_default(),
        outcome: node.child("Bearbeitung").map(read_outcome),
    }
}

fn make_step(step: &Step) -> Node {
    let status = STATUS.iter().find(|(_, status)| *status == step.status).map_or("", |(code, _)| code);
    let mut nodes = vec![
        leaf("Nummer", &step.number),
        code("Status", STATUSES, "1.1", status),
        group("Verfuegung", make_order(&step.order)),
    ];
    nodes.extend(step.outcome.as_ref().map(|outcome| group("Bearbeitung", make_outcome(outcome))));
    group("Beteiligungsschritt", nodes)
}

fn read_order(node: &Node) -> Order {
    let (text, party) = readers(node);
    Order {
        by: party("Ersteller"),
        to: party("Adressat"),
        on: node.text_of("Erstellungsdatum").and_then(day).unwrap_or_default(),
        at: node.text_of("Erstellungsuhrzeit").and_then(time),
        instruction: text("Verfuegung"),
        due_on: node.text_of("TerminDatum").and_then(day),
        due_at: node.text_of("TerminUhrzeit").and_then(time),
        note: text("Notiz"),
    }
}

fn make_order(order: &Order) -> Vec<Node> {
    let mut nodes = vec![
        make_party(&order.by, "Ersteller"),
        make_party(&order.to, "Adressat"),
        leaf("Erstellungsdatum", &order.on),
    ];
    nodes.extend(texts([
        ("Erstellungsuhrzeit", &order.at),
        ("Verfuegung", &order.instruction),
        ("TerminDatum", &order.due_on),
        ("TerminUhrzeit", &order.due_at),
        ("Notiz", &order.note),
    ]));
    nodes
}

fn read_outcome(node: &Node) -> Outcome {
    let (text, party) = readers(node);
    Outcome {
        by: party("Bearbeiter"),
        on: node.text_of("Datum").and_then(day).unwrap_or_default(),
        at: node.text_of("Uhrzeit").and_then(time),
        remark: text("Vermerk"),
        note: text("Notiz"),
    }
}

fn make_outcome(outcome: &Outcome) -> Vec<Node> {
    let mut nodes = vec![make_party(&outcome.by, "Bearbeiter"), leaf("Datum", &outcome.on)];
    nodes.extend(texts([("Uhrzeit", &outcome.at), ("Vermerk", &outcome.remark), ("Notiz", &outcome.note)]));
    nodes
}

/// What reads texts and parties among the children of an element.
fn readers(node: &Node) -> (impl Fn(&str) -> Option<String> + '_, impl Fn(&str) -> model::party::Party + '_) {
    let text = |local: &str| node.text_of(local).map(str::to_owned);
    let party = |local: &str| node.child(local).map(|node| read_party(node, None)).unwrap_or_default();
    (text, party)
}

fn texts<const COUNT: usize>(parts: [(&str, &Option<String>); COUNT]) -> Vec<Node> {
    parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text))).collect()
}
