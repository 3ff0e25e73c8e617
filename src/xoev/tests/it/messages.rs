//! Messages of every type, made from whatever the case model can say: valid by the official schemas, and the same when they are read.

use model::case::{Disposition, File, FilePlanUnit, Period, Retention};
use model::circulation::{Order, Outcome, Route, Step, StepStatus};
use model::exchange::{Appraisal, ExchangeKind, ImportResult, ImportResults};
use model::file_plan::{FilePlan, FilePlanNode};
use model::party::Party;
use model::standard::{Meaning, Outgoing, OutgoingContent, Sequence, Standard};
use model::{Id, Report};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use xoev::xdomea::Xdomea;

use crate::memory::{Memory, check, read, write};
use crate::tools::{Judge, own, shared, unpack};
use crate::trees::{Tree, a_day, comparable, outgoing, party, plant, some, text, tree};

/// What a message says, before it has ids.
#[derive(Debug, Clone)]
enum Said {
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

fn said(code: &str) -> BoxedStrategy<Said> {
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
        "0101" | "0401" | "0501" | "0503" => trees(1..3).prop_map(Said::Records).boxed(),
        "0201" => (route(), documents, trees(0..3)).prop_map(|(r, d, a)| Said::Circulation(r, d, a)).boxed(),
        "0402" | "0506" | "0514" => results().prop_map(Said::Results).boxed(),
        "0502" | "0513" => appraisals().prop_map(Said::Appraisals).boxed(),
        "0301" | "0511" => plan().prop_map(Said::Plan).boxed(),
        _ => Just(Said::Receipt).boxed(),
    }
}

/// Every type that is written, and the type that it answers.
const TYPES: [(&str, Option<&str>); 21] = [
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
fn content(code: &str, version: &str, said: Said, memory: &mut Memory) -> OutgoingContent {
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

fn meaning_of(content: &OutgoingContent) -> Meaning {
    match content.clone() {
        OutgoingContent::Records(kind) => Meaning::Records(kind),
        OutgoingContent::Offer => Meaning::Offer,
        OutgoingContent::Circulation(route) => Meaning::Circulation(route),
        OutgoingContent::Receipt => Meaning::Receipt,
        OutgoingContent::ImportResults(results) => Meaning::ImportResults(results),
        OutgoingContent::Appraisals(appraisals) => Meaning::Appraisals(appraisals),
        OutgoingContent::FilePlan(plan) => Meaning::FilePlan(plan),
        OutgoingContent::FilePlanToAppraise(plan) => Meaning::FilePlanToAppraise(plan),
    }
}

/// The records in memory, files by their bytes; those of an offer come later.
fn records(memory: &Memory, is_offer: bool) -> Vec<(Id, serde_json::Value)> {
    let mut all: Vec<_> = memory
        .objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            if let (true, model::Record::Document(document)) = (is_offer, &mut object.record) {
                let files = document.versions.iter_mut().flat_map(|version| &mut version.files);
                files.for_each(|file| file.content = None);
            }
            (object.object_id, comparable(memory, &object))
        })
        .collect();
    all.sort_by_key(|(id, _)| *id);
    all
}

/// Files are stored anew: only their bytes are the same.
fn without_payloads(memory: &Memory, meaning: Meaning) -> Meaning {
    let strip = |mut plan: Box<FilePlan>| {
        for file in &mut plan.files {
            file.creator = file.content.take().map(|content| format!("{:?}", memory.files[&content.id]));
        }
        plan
    };
    match meaning {
        Meaning::FilePlan(plan) => Meaning::FilePlan(strip(plan)),
        Meaning::FilePlanToAppraise(plan) => Meaning::FilePlanToAppraise(strip(plan)),
        other => other,
    }
}

/// Writes a message, has it checked and read, and compares. Gives its XML back, and whether nothing was lost.
fn there_and_back(standard: &Xdomea, message: &Outgoing, memory: &mut Memory) -> (String, bool) {
    let (bytes, written) = write(standard, message, memory).unwrap();
    let (identity, report) = check(standard, &bytes, Some(&written.file_name));
    let (xml, files) = unpack(&bytes);
    assert!(report.is_acceptable(), "{report:#?}\n{xml}");
    assert_eq!(identity, Some(written.identity.clone()), "{xml}");
    assert_eq!(standard.identify(&mut std::io::Cursor::new(bytes.clone()), None).unwrap(), identity);
    let (back, meaning) = read(standard, &bytes);
    let is_offer = message.content == OutgoingContent::Offer;
    assert!(!is_offer || files.is_empty(), "an offer comes without files");
    let is_whole = written.report == Report::default();
    if is_whole {
        let expected = without_payloads(memory, meaning_of(&message.content));
        assert_eq!(without_payloads(&back, meaning), expected, "{xml}");
        assert_eq!(records(&back, false), records(memory, is_offer), "{xml}");
    }
    (xml, is_whole)
}

/// `count` messages of every type and version.
fn made(count: u32) {
    let Some(packs) = shared("packs") else { return };
    let seed: u64 = std::env::var("AMTSBOTE_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("AMTSBOTE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let sentences = ((any::<bool>(), any::<bool>()), (1_u32..100, 0_u32..100));
    let standard = own();
    for version in standard.writes() {
        for (code, answers) in TYPES {
            let mut judge = Judge::default();
            let mut whole = 0;
            for _ in 0..count {
                let said = said(code).new_tree(&mut runner).unwrap().current();
                let (flags, (number, more)) = sentences.new_tree(&mut runner).unwrap().current();
                let mut memory = Memory::default();
                let message = Outgoing {
                    version: (*version).into(),
                    wants_receipt: flags.0,
                    wants_archive_references: flags.1,
                    sequence: Sequence { number, total: number + more },
                    answers: answers.map(str::to_owned),
                    answers_id: answers.map(|_| model::ids::new_id()),
                    ..outgoing(content(code, version, said, &mut memory))
                };
                let is_written = xoev::xdomea::is_written(version, code);
                if !is_written {
                    assert_eq!(
                        write(&standard, &message, &mut memory).unwrap_err().code,
                        "xdomea.not-written"
                    );
                    break;
                }
                let (xml, is_whole) = there_and_back(&standard, &message, &mut memory);
                judge.take(&packs, version, code, &format!("{code} {version}"), &xml);
                whole += u32::from(is_whole);
            }
            judge.verdict().unwrap_or_else(|faults| panic!("{faults}"));
            let is_3 = version.starts_with('3') && xoev::xdomea::is_written(version, code);
            assert!(!is_3 || whole == count, "{code} {version}: nothing is lost");
        }
    }
}

#[test]
fn what_the_model_says_is_written_valid_and_read_the_same() {
    made(15);
}

#[test]
#[ignore = "takes long: ./dev test --full"]
fn what_the_model_says_is_written_valid_and_read_the_same_500_times() {
    made(500);
}
