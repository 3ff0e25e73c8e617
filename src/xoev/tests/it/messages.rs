//! Messages of every type, made from whatever the case model can say: valid by the official schemas, and the same when they are read.

use model::circulation::{Outcome, StepStatus};
use model::exchange::{ExchangeKind, ImportResult, ImportResults};
use model::file_plan::{FilePlan, FilePlanNode};
use model::standard::{Meaning, Outgoing, OutgoingContent, Sequence, Standard};
use model::{Id, Report};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use xoev::xdomea::Xdomea;

use crate::memory::{Memory, check, read, write};
use crate::said::{TYPES, as_before_3, content, said};
use crate::tools::{Judge, own, shared, unpack};
use crate::trees::{comparable, outgoing};

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
            let mut comparable = comparable(memory, &object);
            without_extensions(&mut comparable);
            (object.object_id, comparable)
        })
        .collect();
    all.sort_by_key(|(id, _)| *id);
    all
}

/// 4.0 demands a channel: one of which nothing is known is another one there.
fn with_channels(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            if fields.get("channel").is_some_and(|channel| channel == "") {
                fields.insert("channel".into(), "07".into());
            }
            fields.values_mut().for_each(with_channels);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(with_channels),
        _ => {}
    }
}

/// What a version fills in, or says in another form than ours, is kept beside what the model knows.
fn without_extensions(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            fields.remove("extensions");
            fields.values_mut().for_each(without_extensions);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_extensions),
        _ => {}
    }
}

/// What the model knows of a meaning. Files are stored anew: only their bytes are the same.
fn known(memory: &Memory, meaning: Meaning) -> Meaning {
    fn strip_unit(unit: &mut FilePlanNode) {
        unit.extensions.clear();
        unit.units.iter_mut().for_each(strip_unit);
    }
    let strip = |mut plan: Box<FilePlan>| {
        for file in &mut plan.files {
            file.creator = file.content.take().map(|content| format!("{:?}", memory.files[&content.id]));
            file.extensions.clear();
        }
        plan.extensions.clear();
        plan.units.iter_mut().for_each(strip_unit);
        plan
    };
    match meaning {
        Meaning::FilePlan(plan) => Meaning::FilePlan(strip(plan)),
        Meaning::FilePlanToAppraise(plan) => Meaning::FilePlanToAppraise(strip(plan)),
        Meaning::Circulation(mut route) => {
            route.extensions.clear();
            Meaning::Circulation(route)
        }
        other => other,
    }
}

/// Writes a message, has it checked and read, and compares. Gives its XML back, and what was reported.
fn there_and_back(standard: &Xdomea, message: &Outgoing, memory: &mut Memory) -> (String, Report) {
    let (bytes, written) = write(standard, message, memory).unwrap();
    let (identity, report) = check(standard, &bytes, Some(&written.file_name));
    let (xml, files) = unpack(&bytes);
    assert!(report.is_acceptable(), "{report:#?}\n{xml}");
    assert_eq!(identity, Some(written.identity.clone()), "{xml}");
    assert_eq!(standard.identify(&mut std::io::Cursor::new(bytes.clone()), None).unwrap(), identity);
    let (back, meaning) = read(standard, &bytes);
    let is_offer = message.content == OutgoingContent::Offer;
    assert!(!is_offer || files.is_empty(), "an offer comes without files");
    if is_whole(&written.report) {
        let expected = known(memory, meaning_of(&message.content));
        assert_eq!(known(&back, meaning), expected, "{xml}");
        let (mut sent, mut came) = (records(memory, is_offer), records(&back, false));
        if message.version.starts_with('4') {
            sent.iter_mut().chain(&mut came).for_each(|(_, record)| with_channels(record));
        }
        assert_eq!(came, sent, "{xml}");
    }
    if message.version.starts_with('3') {
        assert_eq!(written.report, Report::default(), "{xml}");
        assert!(
            back.objects.iter().all(|object| object.record.description().unwrap().extensions.is_empty()),
            "{xml}"
        );
    }
    (xml, written.report)
}

/// Whether a version had a place for everything.
fn is_whole(report: &Report) -> bool {
    let is_kept = |rule: &str| matches!(rule, "xdomea.carried-in-extension" | "xdomea.filled-in");
    report.findings.iter().all(|finding| is_kept(&finding.rule))
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
        let mut judge = Judge::default();
        for (code, answers) in TYPES {
            if !xoev::xdomea::is_written(version, code) {
                continue;
            }
            let mut whole = 0;
            for number in 0..count {
                let mut said = said(code, version).new_tree(&mut runner).unwrap().current();
                let is_held = version.starts_with('2') && number % 2 == 0;
                if is_held {
                    said = as_before_3(said);
                }
                let (flags, (place, more)) = sentences.new_tree(&mut runner).unwrap().current();
                let among = Sequence { number: place, total: place + more };
                let mut memory = Memory::default();
                let message = Outgoing {
                    version: (*version).into(),
                    wants_receipt: flags.0 && !is_held,
                    wants_archive_references: flags.1,
                    sequence: if version.starts_with('4') { among } else { Sequence::default() },
                    answers: answers.map(str::to_owned),
                    answers_id: answers.map(|_| model::ids::new_id()),
                    ..outgoing(content(code, version, said, &mut memory))
                };
                let (xml, report) = there_and_back(&standard, &message, &mut memory);
                judge.take(&packs, version, code, &format!("{code} {version}"), &xml);
                whole += u32::from(is_whole(&report));
                assert!(is_whole(&report) || !is_held, "{code} {version}: {report:#?}\n{xml}");
            }
            println!("{code} {version}: nothing lost in {whole} of {count}");
        }
        judge.verdict().unwrap_or_else(|faults| panic!("{faults}"));
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

#[test]
fn an_exchange_goes_in_a_version_that_has_its_messages() {
    let standard = own();
    for (version, kind, is_carried) in [
        ("4.0.0", ExchangeKind::Handover, false),
        ("4.0.0", ExchangeKind::Disposition, true),
        ("4.0.0", ExchangeKind::Catalogue, true),
        ("3.1.0", ExchangeKind::Catalogue, true),
        ("3.0.0", ExchangeKind::Catalogue, false),
        ("2.4.0", ExchangeKind::Catalogue, false),
        ("2.4.0", ExchangeKind::Circulation, true),
        ("2.2.0", ExchangeKind::Handover, false),
    ] {
        assert_eq!(standard.carries(version, kind), is_carried, "{version} {kind:?}");
    }
}

#[test]
fn an_answer_of_4_to_a_message_whose_id_is_not_known_is_refused() {
    let message = Outgoing {
        version: "4.0.0".into(),
        answers: Some("0501".into()),
        ..outgoing(OutgoingContent::Receipt)
    };
    let refused = write(&own(), &message, &mut Memory::default()).unwrap_err();
    assert_eq!(refused.code, "xdomea.not-written");
    let known = Outgoing { answers_id: Some(model::ids::new_id()), ..message };
    assert!(write(&own(), &known, &mut Memory::default()).is_ok());
}

#[test]
fn a_route_goes_on_with_what_its_stations_added_and_what_came_beside() {
    let Some(samples) = shared("samples/xoev/xdomea/derived-3.0.0") else { return };
    let stem = "11110000-0000-4000-8000-000000000201_Geschaeftsgang.Geschaeftsgang.0201";
    let xml = std::fs::read_to_string(samples.join(format!("{stem}.xml"))).unwrap();
    let note = "<xdomea:Vermerk>gesehen</xdomea:Vermerk>";
    let history = "<xdomea:Taetigkeit>Registratur</xdomea:Taetigkeit></xdomea:Bearbeiter>";
    let (before, behind) = xml.rsplit_once("</xdomea:Bearbeiter>").unwrap();
    let xml = format!("{before}{history}{behind}");
    assert!(xml.contains(note) && xml.contains(history));
    let (mut memory, meaning) = read(&own(), &crate::tools::pack(stem, &xml));
    memory.message = None;
    let Meaning::Circulation(mut route) = meaning else { panic!("a route: {meaning:?}") };
    let done = route.steps.iter_mut().find(|step| step.status == StepStatus::Current).unwrap();
    done.status = StepStatus::Done;
    done.outcome =
        Some(Outcome { on: "2026-11-29".into(), remark: Some("erledigt".into()), ..Outcome::default() });
    let message = outgoing(OutgoingContent::Circulation(route.clone()));
    let (bytes, written) = write(&own(), &message, &mut memory).unwrap();
    let sent = unpack(&bytes).0;
    if let Some(packs) = shared("packs") {
        crate::tools::xmllint(&packs, "3.1.0", &written.identity.message_type, &sent).unwrap();
    }
    assert!(sent.contains(history) && sent.contains(note) && sent.contains("erledigt"), "{sent}");
    let (_, meaning) = read(&own(), &bytes);
    let Meaning::Circulation(back) = meaning else { panic!("a route: {meaning:?}") };
    assert_eq!(back.steps, route.steps);
}

/// Takes a sample in and gives back what it means.
fn sample(path: &str) -> Option<Meaning> {
    let bytes = std::fs::read(shared("samples/xoev/xdomea")?.join(path)).unwrap();
    let standard = own();
    let (identity, report) = check(&standard, &bytes, None);
    assert!(report.is_acceptable(), "{path}: {report:#?}");
    assert!(identity.unwrap().created_at.is_some(), "{path}: a time without a zone");
    Some(read(&standard, &bytes).1)
}

#[test]
fn what_the_archive_of_thuringia_answers_is_understood() {
    let (old, new) = ("72ea624e-3fc8-48e6-afb9-5cf054d8222d", "9a75050f-323a-4e84-94c9-a889aa2b4fe8");
    let path =
        |version, process, name: &str| format!("xman-replies-{version}/{process}_Aussonderung.{name}.zip");
    for (version, process, least) in [("2.3.0", old, 4), ("3.0.0", new, 3)] {
        let Some(meaning) = sample(&path(version, process, "Bewertungsverzeichnis.0502")) else { return };
        let Meaning::Appraisals(appraisals) = meaning else { panic!("{meaning:?}") };
        assert!(appraisals.len() >= least, "{}", appraisals.len());
        assert!(appraisals.iter().all(|(_, appraisal)| appraisal.disposition.is_some()), "{appraisals:?}");
        let meaning = sample(&path(version, process, "AussonderungImportBestaetigen.0506")).unwrap();
        let Meaning::ImportResults(results) = meaning else { panic!("{meaning:?}") };
        assert_eq!(results.whole.is_some(), version == "2.3.0", "2.x says one result of everything");
        assert!(results.objects.len() >= 3, "{results:?}");
        let is_archived = |result: &ImportResult| {
            result.successful
                && result.archive_reference.as_deref().is_some_and(|name| name.starts_with("AIP-"))
        };
        assert!(results.objects.iter().all(|(_, result)| is_archived(result)), "{results:?}");
        let receipt = sample(&path(version, process, "AnbietungEmpfangBestaetigen.0504"));
        assert_eq!(receipt, Some(Meaning::Receipt));
    }
}

#[test]
fn one_result_of_everything_is_said_in_each_version_as_far_as_it_goes() {
    let id = model::ids::new_id();
    let failed = ImportResult { messages: vec!["Kennzeichen fehlt".into()], ..ImportResult::default() };
    let good =
        ImportResult { successful: true, archive_reference: Some("AIP-1".into()), ..ImportResult::default() };
    let said = |version: &str, whole: Option<&ImportResult>, objects: Vec<(Id, ImportResult)>| {
        let results = ImportResults { whole: whole.cloned(), objects };
        let message = Outgoing {
            version: version.into(),
            answers: Some("0503".into()),
            answers_id: Some(id),
            ..outgoing(OutgoingContent::ImportResults(results))
        };
        let (bytes, written) = write(&own(), &message, &mut Memory::default())?;
        Ok::<_, model::Failure>((read(&own(), &bytes).1, is_whole(&written.report)))
    };
    // 3.x says results of objects alone.
    assert_eq!(said("3.1.0", Some(&failed), vec![]).unwrap_err().code, "xdomea.not-written");
    // 2.x cannot say that one object failed.
    let (meaning, is_whole) = said("2.4.0", None, vec![(id, failed.clone())]).unwrap();
    let Meaning::ImportResults(results) = meaning else { panic!("{meaning:?}") };
    assert_eq!((results.whole, results.objects), (Some(failed.clone()), vec![]));
    assert!(!is_whole, "that it was this object is lost");
    // 4.0 says both.
    let (meaning, is_whole) = said("4.0.0", None, vec![(id, good.clone())]).unwrap();
    let Meaning::ImportResults(results) = meaning else { panic!("{meaning:?}") };
    assert_eq!(results.objects, vec![(id, good)]);
    assert!(results.whole.is_some_and(|whole| whole.successful) && is_whole);
}
