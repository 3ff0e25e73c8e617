//! Whatever the case model can say in messages, made at random.

use model::Id;
use model::case::{Disposition, File, FilePlanUnit, Period, Retention};
use model::circulation::{Order, Outcome, Route, Step, StepStatus};
use model::exchange::{Appraisal, ExchangeKind, ImportResult, ImportResults};
use model::file_plan::{FilePlan, FilePlanNode};
use model::party::Party;
use model::standard::OutgoingContent;
use proptest::prelude::*;

use crate::memory::Memory;
use crate::trees::{Tree, a_day, party, plant, some, text, tree};

/// What a message says, before it has ids.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    Records(Vec<Tree>),
    Circulation(Route, Vec<Tree>, Vec<Tree>),
    Results(ImportResults),
    Appraisals(Vec<(Id, Appraisal)>),
    Plan(FilePlan),
    Receipt,
}

fn station() -> impl Strategy<Value = Party> {
    // What is a list of its own in documents is no role here.
    let authority = prop::option::of("bab:0597400[0-9]");
    (party(), authority).prop_map(|(mut party, authority)| {
        party.role = party.role.filter(|role| role != "sender" && role != "recipient");
        party.authority = authority.map(|key| key.parse().unwrap());
        party
    })
}

fn a_time() -> impl Strategy<Value = String> {
    "[01][0-9]:[0-5][0-9]:[0-5][0-9]"
}

fn step() -> impl Strategy<Value = Step> {
    let words = (some(text()), some(text()));
    let order = (station(), station(), a_day(), some(a_time()), words, some(a_day()), some(a_time()))
        .prop_map(|(by, to, on, at, (instruction, note), due_on, due_at)| Order {
            by,
            to,
            on,
            at,
            instruction,
            due_on,
            due_at,
            note,
        });
    let outcome = (station(), a_day(), some(a_time()), some(text()), some(text()))
        .prop_map(|(by, on, at, remark, note)| Outcome { by, on, at, remark, note });
    let status = prop::sample::select(vec![
        StepStatus::Planned,
        StepStatus::Current,
        StepStatus::Done,
        StepStatus::Skipped,
    ]);
    (text(), status, order, prop::option::of(outcome)).prop_map(|(number, status, order, outcome)| Step {
        number,
        status,
        order,
        outcome,
    })
}

fn route() -> impl Strategy<Value = Route> {
    (prop::collection::vec(step(), 1..4), any::<(bool, bool)>()).prop_map(|(steps, receipts)| Route {
        id: model::ids::new_id(),
        steps,
        receipt_to_initiator: receipts.0,
        receipt_to_predecessor: receipts.1,
        ..Route::default()
    })
}

fn disposition() -> impl Strategy<Value = Disposition> {
    prop::sample::select(vec![Disposition::Archive, Disposition::Appraise, Disposition::Destroy])
}

/// One of the three, or another that both sides agreed on.
fn decided() -> impl Strategy<Value = (Option<Disposition>, Option<String>)> {
    prop_oneof![
        disposition().prop_map(|disposition| (Some(disposition), None)),
        text().prop_map(|other| (None, Some(other))),
    ]
}

fn appraisals() -> impl Strategy<Value = Vec<(Id, Appraisal)>> {
    let one =
        decided().prop_map(|(disposition, other)| (model::ids::new_id(), Appraisal { disposition, other }));
    prop::collection::vec(one, 1..8)
}

fn results() -> impl Strategy<Value = ImportResults> {
    let result = |reference: Option<String>| {
        (any::<bool>(), prop::collection::vec(text(), 0..3), Just(reference)).prop_map(
            |(successful, messages, archive_reference)| ImportResult {
                successful,
                messages,
                archive_reference,
                ..ImportResult::default()
            },
        )
    };
    let object = some(text()).prop_flat_map(result).prop_map(|result| (model::ids::new_id(), result));
    (prop::option::of(result(None)), prop::collection::vec(object, 1..6))
        .prop_map(|(whole, objects)| ImportResults { whole, objects })
}

fn period() -> impl Strategy<Value = Option<Period>> {
    let period = (some(a_day()), some(a_day())).prop_map(|(begin, end)| Period { begin, end });
    prop::option::of(period.prop_filter("empty", |period| *period != Period::default()))
}

fn unit() -> impl Strategy<Value = FilePlanNode> {
    let names = (some(text()), some(text()), some(text()))
        .prop_map(|(code, title, short_title)| FilePlanUnit { code, title, short_title });
    let lists = prop::collection::vec(text(), 0..3);
    let leaf = (names, decided(), prop::option::of(any::<u16>()), period(), any::<bool>(), lists).prop_map(
        |(unit, (disposition, other_disposition), years, valid, retired, references)| FilePlanNode {
            id: Some(model::ids::new_id()),
            unit,
            retention: Retention { years, unlimited: years.is_none(), until: None, disposition },
            other_disposition,
            valid,
            retired,
            references,
            ..FilePlanNode::default()
        },
    );
    let leaf = leaf.boxed();
    leaf.clone().prop_recursive(3, 12, 4, move |inner| {
        (leaf.clone(), prop::collection::vec(inner, 1..4))
            .prop_map(|(unit, units)| FilePlanNode { units, ..unit })
    })
}

fn plan() -> impl Strategy<Value = FilePlan> {
    let words = (text(), some(text()), text());
    (words, period(), prop::collection::vec(unit(), 0..4)).prop_map(
        |((name, kind, version), valid, units)| {
            let id = Some(model::ids::new_id());
            FilePlan { id, name, kind, version, valid, units, ..FilePlan::default() }
        },
    )
}

pub(crate) fn said(code: &str, version: &str) -> BoxedStrategy<Said> {
    let trees = |count| prop::collection::vec(tree(), count);
    // A document alone has no children.
    let documents = prop::collection::vec(tree(), 1..3).prop_map(|trees| {
        let first = |tree: Tree| {
            let mut tree = tree;
            while let Some(child) = tree.children.pop() {
                tree = child;
            }
            tree
        };
        trees.into_iter().map(first).collect::<Vec<_>>()
    });
    match code {
        // 4.0 has no place for a document that lies in nothing.
        "0501" | "0503" if version.starts_with('4') => {
            let tree = tree().prop_filter("a document alone", |tree| !tree.children.is_empty());
            prop::collection::vec(tree, 1..3).prop_map(Said::Records).boxed()
        }
        "0101" | "0401" | "0501" | "0503" => trees(1..3).prop_map(Said::Records).boxed(),
        "0201" => (route(), documents, trees(0..3)).prop_map(|(r, d, a)| Said::Circulation(r, d, a)).boxed(),
        "0402" | "0506" | "0514" => results().prop_map(Said::Results).boxed(),
        "0502" | "0513" => appraisals().prop_map(Said::Appraisals).boxed(),
        "0301" | "0511" => plan().prop_map(Said::Plan).boxed(),
        _ => Just(Said::Receipt).boxed(),
    }
}

/// Every type that is written, and the type that it answers.
pub(crate) const TYPES: [(&str, Option<&str>); 21] = [
    ("0101", None),
    ("0102", Some("0101")),
    ("0201", None),
    ("0202", Some("0201")),
    ("0301", None),
    ("0302", Some("0301")),
    ("0401", None),
    ("0402", Some("0401")),
    ("0403", Some("0401")),
    ("0501", None),
    ("0502", Some("0501")),
    ("0503", None),
    ("0504", Some("0501")),
    ("0505", Some("0502")),
    ("0506", Some("0503")),
    ("0507", Some("0503")),
    ("0511", None),
    ("0512", Some("0511")),
    ("0513", Some("0511")),
    ("0514", Some("0513")),
    ("0515", Some("0513")),
];

/// Lays what is said into memory and makes the message of it, in the form in which it will be read again.
pub(crate) fn content(code: &str, version: &str, said: Said, memory: &mut Memory) -> OutgoingContent {
    let mut sow = |trees: &[Tree]| -> Vec<Id> {
        let planted =
            trees.iter().enumerate().map(|(index, tree)| plant(memory, tree, &[], index as u32 + 1));
        planted.collect()
    };
    match said {
        Said::Records(trees) => {
            sow(&trees);
            match code {
                "0101" => OutgoingContent::Records(ExchangeKind::Submission),
                "0401" => OutgoingContent::Records(ExchangeKind::Handover),
                "0501" => OutgoingContent::Offer,
                _ => OutgoingContent::Records(ExchangeKind::Disposition),
            }
        }
        Said::Circulation(mut route, documents, attachments) => {
            sow(&documents);
            route.attachments = sow(&attachments);
            OutgoingContent::Circulation(Box::new(route))
        }
        Said::Results(results) => OutgoingContent::ImportResults(sayable(code, version, results)),
        Said::Appraisals(mut appraisals) => {
            for (_, appraisal) in appraisals.iter_mut().filter(|_| version.starts_with('2')) {
                appraisal.other = None;
                appraisal.disposition.get_or_insert(Disposition::Destroy);
            }
            OutgoingContent::Appraisals(appraisals)
        }
        Said::Plan(mut plan) => {
            let bytes = memory.store(plan.name.clone().into_bytes());
            plan.files = vec![File {
                name: format!("{}_plan.pdf", bytes.id),
                media_type: Some("application/pdf".into()),
                content: Some(bytes),
                ..File::default()
            }];
            if code == "0511" {
                return OutgoingContent::FilePlanToAppraise(Box::new(plan));
            }
            plan.id = None;
            plan.units.iter_mut().for_each(|unit| without_ids(unit, version));
            OutgoingContent::FilePlan(Box::new(plan))
        }
        Said::Receipt => OutgoingContent::Receipt,
    }
}

/// Letters that every version holds.
fn latin(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || "äöüÄÖÜß".contains(c) { c } else { 'x' }).collect()
}

/// The same with texts that every version holds.
fn in_latin<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    fn each(json: &mut serde_json::Value) {
        match json {
            serde_json::Value::String(text) => *text = latin(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(each),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(each),
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).unwrap();
    each(&mut json);
    serde_json::from_value(json).unwrap()
}

fn tree_before_3(tree: &mut Tree) {
    tree.description = in_latin(&tree.description);
    let contacts = tree.description.parties.iter_mut().flat_map(|party| &mut party.contacts);
    contacts.for_each(|contact| contact.channel = "email".into());
    for retention in tree.description.retention.iter_mut() {
        // Ends are years, and all of them have an end.
        retention.until = retention.until.as_ref().map(|until| format!("{}-12-31", &until[..4]));
        retention.unlimited = false;
    }
    // It has no documents beside cases.
    let has_children = tree.children.first().is_some_and(|child| !child.children.is_empty());
    tree.children.retain(|child| child.children.is_empty() != has_children);
    tree.children.iter_mut().for_each(tree_before_3);
}

/// What 2.x has places for.
pub(crate) fn as_before_3(said: Said) -> Said {
    fn unit_before_3(unit: &mut FilePlanNode) {
        (unit.valid, unit.unit.short_title) = (None, None);
        unit.references.clear();
        unit.retention.unlimited = false;
        unit.retention.years.get_or_insert(10);
        unit.units.iter_mut().for_each(unit_before_3);
    }
    match said {
        Said::Records(mut trees) => {
            trees.iter_mut().for_each(tree_before_3);
            Said::Records(trees)
        }
        Said::Circulation(route, mut documents, mut attachments) => {
            documents.iter_mut().chain(&mut attachments).for_each(tree_before_3);
            let mut route = in_latin(&route);
            for step in &mut route.steps {
                step.order.at.get_or_insert("08:00:00".into());
                let outcome = step.outcome.get_or_insert_default();
                outcome.at.get_or_insert("09:00:00".into());
                if outcome.on.is_empty() {
                    outcome.on = "2026-11-29".into();
                }
                for party in [&mut step.order.by, &mut step.order.to, &mut outcome.by] {
                    party.contacts.iter_mut().for_each(|contact| contact.channel = "email".into());
                }
            }
            Said::Circulation(route, documents, attachments)
        }
        Said::Results(mut results) => {
            for (_, result) in results.objects.iter_mut() {
                *result = in_latin(result);
            }
            results.whole = results.whole.as_ref().map(in_latin);
            Said::Results(results)
        }
        Said::Plan(plan) => {
            let mut plan = in_latin(&plan);
            plan.units.iter_mut().for_each(unit_before_3);
            Said::Plan(plan)
        }
        other => other,
    }
}

/// What 0301 has a place for.
fn without_ids(unit: &mut FilePlanNode, version: &str) {
    unit.id = None;
    if version.starts_with('2') && unit.other_disposition.take().is_some() {
        unit.retention.disposition = Some(Disposition::Appraise);
    }
    unit.units.iter_mut().for_each(|unit| without_ids(unit, version));
}

/// Results as the type and version have places for them.
fn sayable(code: &str, version: &str, mut results: ImportResults) -> ImportResults {
    let reference_only = |whole: &ImportResult, result: &ImportResult| ImportResult {
        successful: whole.successful,
        archive_reference: result.archive_reference.clone(),
        ..ImportResult::default()
    };
    for (_, result) in results.objects.iter_mut().filter(|_| code != "0506") {
        result.archive_reference = None;
    }
    match &version[..1] {
        "2" => {
            let mut whole = results.whole.unwrap_or_default();
            whole.messages.truncate(1);
            results.objects.retain(|(_, result)| result.archive_reference.is_some());
            results.objects.iter_mut().for_each(|(_, result)| *result = reference_only(&whole, result));
            results.whole = Some(whole);
        }
        "4" => results.whole = Some(results.whole.unwrap_or_default()),
        _ => results.whole = None,
    }
    results
}
