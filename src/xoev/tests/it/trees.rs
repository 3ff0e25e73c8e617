//! Records that were made here: written, judged by others, read back.

use std::io::Cursor;

use model::case::{
    Case, CaseFile, Description, Disposition, Document, DocumentDates, File, FilePlanUnit, Medium, Period,
    Priority, RecordStatus, Reference, Relation, Retention, Version,
};
use model::exchange::{ExchangeKind, ImportResult, ImportResults};
use model::party::{Address, Contact, Organisation, Party, Person};
use model::standard::{Endpoint, Meaning, Object, Outgoing, OutgoingContent, Standard, placeholder};
use model::{Id, Record, RecordKind, Report, Timestamp};
use proptest::prelude::*;

use crate::memory::{Memory, check, read, write};
use crate::tools::{own, shared, unpack, xmllint};

pub(crate) fn outgoing(content: OutgoingContent) -> Outgoing {
    let endpoint = |key: &str, name: &str| Endpoint {
        authority: Some(key.parse().unwrap()),
        name: Some(name.into()),
        unit: Some("63".into()),
    };
    Outgoing {
        content,
        version: "3.1.0".into(),
        process_id: model::ids::new_id(),
        sender: endpoint("bab:05974000", "Kreis"),
        recipient: endpoint("bab:05974040", "Stadt"),
        created_at: Timestamp::from_micros(1_764_000_000_000_000),
        message_id: model::ids::new_id(),
        sequence: Default::default(),
        wants_receipt: true,
        wants_archive_references: false,
        answers: None,
        answers_id: None,
    }
}

fn case(title: &str) -> Record {
    Record::Case(Case {
        meta: placeholder(),
        description: Description { title: title.into(), ..Description::default() },
        case_file: None,
        parent: None,
        status: RecordStatus::Received,
        priority: Priority::default(),
        locations: vec![],
    })
}

fn document(description: Description, versions: Vec<Version>) -> Record {
    let (kind, dates) = (None, DocumentDates::default());
    let status = RecordStatus::Received;
    Record::Document(Document {
        meta: placeholder(),
        description,
        parent: None,
        kind,
        dates,
        versions,
        status,
    })
}

fn add(memory: &mut Memory, ancestors: &[(RecordKind, Id)], mut record: Record) -> (RecordKind, Id) {
    let id = model::ids::new_id();
    record.meta_mut().id = id;
    let kind = record.kind();
    memory.objects.push(Object { object_id: id, ancestors: ancestors.to_vec(), record });
    (kind, id)
}

/// Writes, has it judged by our check and by xmllint, and reads it back.
fn there_and_back(memory: &mut Memory, message: &Outgoing) -> (Memory, Meaning) {
    let standard = own();
    let (bytes, written) = write(&standard, message, memory).unwrap();
    let (identity, report) = check(&standard, &bytes, Some(&written.file_name));
    assert!(report.is_acceptable(), "{report:#?}");
    assert_eq!(identity, Some(written.identity.clone()));
    if let Some(packs) = shared("packs") {
        let xml = unpack(&bytes).0;
        xmllint(&packs, &message.version, &written.identity.message_type, &xml).unwrap();
    }
    read(&standard, &bytes)
}

#[test]
fn a_case_made_here_is_handed_over_with_its_files() {
    let mut memory = Memory::default();
    let content = memory.store(b"%PDF-1.7 plan".to_vec());
    let parent = add(&mut memory, &[], case("Neubau"));
    let file = |name: &str| File { name: name.into(), content: Some(content.clone()), ..File::default() };
    let versions = vec![Version { number: "1".into(), files: vec![file("Bauplan Süd.pdf"), file("x.dwg")] }];
    add(
        &mut memory,
        &[parent],
        document(Description { title: "Plan".into(), ..Description::default() }, versions),
    );
    let (back, meaning) =
        there_and_back(&mut memory, &outgoing(OutgoingContent::Records(ExchangeKind::Handover)));
    assert_eq!(meaning, Meaning::Records(ExchangeKind::Handover));
    let Record::Document(document) = &back.objects[0].record else { panic!("children come first") };
    assert_eq!(back.objects[0].ancestors, [parent]);
    let [plan, drawing] = &document.versions[0].files[..] else { panic!("two files") };
    assert_eq!(plan.name, format!("{}_Bauplan_S_d.pdf", content.id));
    assert_eq!(plan.original_name.as_deref(), Some("Bauplan Süd.pdf"));
    assert_eq!(plan.media_type.as_deref(), Some("application/pdf"));
    assert_eq!(back.files[&plan.content.as_ref().unwrap().id], b"%PDF-1.7 plan");
    assert_eq!(drawing.original_name.as_deref(), Some("x.dwg"));
}

#[test]
fn a_closed_record_is_written_as_filed_away() {
    let mut memory = Memory::default();
    let mut record = case("Neubau");
    let Record::Case(inner) = &mut record else { panic!("a case") };
    inner.status = RecordStatus::Closed;
    add(&mut memory, &[], record);
    let message = outgoing(OutgoingContent::Records(ExchangeKind::Submission));
    let xml = unpack(&write(&own(), &message, &mut memory).unwrap().0).0;
    assert!(xml.contains("<xdomea:ZdA>1</xdomea:ZdA>"), "{xml}");
}

#[test]
fn receipts_and_results_answer_what_came() {
    let mut receipt = outgoing(OutgoingContent::Receipt);
    for (answers, name) in
        [("0401", "Abgabe.EmpfangBestaetigen.0403"), ("0101", "Information.EmpfangBestaetigen.0102")]
    {
        receipt.answers = Some(answers.into());
        let (bytes, written) = write(&own(), &receipt, &mut Memory::default()).unwrap();
        assert_eq!(written.file_name, format!("{}_{name}.zip", receipt.process_id));
        assert!(!written.identity.wants_receipt, "a receipt asks for none");
        assert_eq!(check(&own(), &bytes, Some(&written.file_name)).1, Report::default());
        assert_eq!(there_and_back(&mut Memory::default(), &receipt).1, Meaning::Receipt);
    }
    let result = |successful, messages: &[&str]| ImportResult {
        successful,
        messages: messages.iter().map(|text| (*text).to_owned()).collect(),
        ..ImportResult::default()
    };
    let results = vec![
        (model::ids::new_id(), result(true, &[])),
        (model::ids::new_id(), result(false, &["Aktenplan unbekannt", "und mehr"])),
    ];
    let message =
        outgoing(OutgoingContent::ImportResults(ImportResults { whole: None, objects: results.clone() }));
    assert_eq!(
        there_and_back(&mut Memory::default(), &message).1,
        Meaning::ImportResults(ImportResults { whole: None, objects: results })
    );
}

#[test]
fn what_cannot_be_written_is_refused_with_its_reason() {
    let standard = own();
    let refused =
        |message: &Outgoing, memory: &mut Memory| write(&standard, message, memory).unwrap_err().code;
    let records = outgoing(OutgoingContent::Records(ExchangeKind::Handover));
    let old = Outgoing { version: "2.4.0".into(), ..records.clone() };
    assert_eq!(refused(&old, &mut Memory::default()), "xdomea.not-written");
    let unasked = outgoing(OutgoingContent::Receipt);
    assert_eq!(refused(&unasked, &mut Memory::default()), "xdomea.not-written");
    let nothing = outgoing(OutgoingContent::ImportResults(ImportResults::default()));
    assert_eq!(refused(&nothing, &mut Memory::default()), "xdomea.not-written");

    let mut memory = Memory::default();
    let versions = vec![Version { number: "1".into(), files: vec![File::default()] }];
    add(&mut memory, &[], document(Description::default(), versions));
    assert_eq!(refused(&records, &mut memory), "xdomea.file-missing");

    let mut deep = Memory::default();
    let mut ancestors = vec![];
    for _ in 0..51 {
        let next = add(&mut deep, &ancestors, case("x"));
        ancestors.push(next);
    }
    assert_eq!(refused(&records, &mut deep), "xdomea.depth");
}

#[test]
fn a_change_is_written_and_what_it_does_not_touch_stays_as_it_came() {
    let Some(samples) = shared("samples/xoev/xdomea/derived-3.0.0") else { return };
    let stem = "11110000-0000-4000-8000-000000000401_Abgabe.Abgabe.0401";
    let xml = std::fs::read_to_string(samples.join(format!("{stem}.xml"))).unwrap();
    let (mut memory, _) = read(&own(), &crate::tools::pack(stem, &xml));
    memory.message = None;
    let parent = memory.objects.iter_mut().find(|object| object.ancestors.is_empty()).unwrap();
    let Record::Case(case) = &mut parent.record else { panic!("a case") };
    case.description.title = "Neuer Betreff".into();
    case.description.medium = Some(Medium::Paper);
    case.description.parties.push(Party { role: Some("applicant".into()), ..Party::default() });
    let message = outgoing(OutgoingContent::Records(ExchangeKind::Handover));
    let (back, _) = there_and_back(&mut memory, &message);
    let written = unpack(&write(&own(), &message, &mut memory).unwrap().0).0;
    let case = back.objects.last().unwrap().record.description().unwrap();
    assert_eq!((case.title.as_str(), case.medium), ("Neuer Betreff", Some(Medium::Paper)));
    assert_eq!(case.parties[0].role.as_deref(), Some("applicant"));
    assert!(written.contains("<name>Offen: Das Schriftgutobjekt ist nicht eingestuft.</name>"), "{written}");
    assert!(written.contains("<xdomea:Akteur>[Person/System]</xdomea:Akteur>"), "{written}");
    assert!(written.contains("<xdomea:Produktname>Amtsbote</xdomea:Produktname>"), "{written}");
    assert!(!written.contains("Landesarchiv NRW"), "the old receiver is gone");
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    "\\PC{1,12}"
}

pub(crate) fn some(strategy: impl Strategy<Value = String>) -> impl Strategy<Value = Option<String>> {
    prop::option::of(strategy)
}

pub(crate) fn a_day() -> impl Strategy<Value = String> {
    "20[0-9]{2}-0[1-9]-[012][1-8]"
}

pub(crate) fn party() -> impl Strategy<Value = Party> {
    let person =
        (some(text()), some(text()), some(text()), a_day()).prop_map(|(title, given, family, born)| Person {
            salutation: None,
            title,
            given_name: given,
            family_name: family,
            born: Some(born),
        });
    let organisation = (text(), some(text()), some(text()))
        .prop_map(|(name, short_name, unit)| Organisation { name: Some(name), short_name, unit });
    let address = (some(text()), some(text()), prop::option::of("[A-Z]{2}"))
        .prop_map(|(street, town, country)| Address { street, town, country, ..Address::default() });
    let contact = ("email|phone|mobile|fax|de-mail|web|05|", text(), some(text()))
        .prop_map(|(channel, value, addition)| Contact { channel, value, addition });
    let role = prop::option::of("applicant|sender|recipient|architect");
    let lists = (prop::collection::vec(address, 0..3), prop::collection::vec(contact, 0..3));
    (role, prop::option::of(person), prop::option::of(organisation), lists).prop_map(
        |(role, person, organisation, (addresses, contacts))| Party {
            role,
            person,
            organisation,
            addresses,
            contacts,
            ..Party::default()
        },
    )
}

fn description(is_document: bool) -> impl Strategy<Value = Description> {
    let words = (some(text()), some(text()), some(text()), some(text()));
    let unit = prop::option::of(
        text().prop_map(|code| FilePlanUnit { code: Some(code), ..FilePlanUnit::default() }),
    );
    let medium =
        prop::option::of(prop_oneof![Just(Medium::Electronic), Just(Medium::Hybrid), Just(Medium::Paper)]);
    let period = prop::option::of(a_day().prop_map(|day| Period { begin: None, end: Some(day) }));
    let retention = prop::option::of((any::<u16>(), a_day()).prop_map(|(years, until)| Retention {
        years: Some(years),
        unlimited: false,
        until: Some(until),
        disposition: Some(Disposition::Appraise),
    }));
    let kinds = "refers-to|refers-to-case-file|refers-to-document";
    let relation = (kinds, text(), some(text())).prop_map(|(kind, reference, note)| Relation {
        kind,
        target: None,
        reference: Some(reference),
        note,
    });
    let lists = (prop::collection::vec(party(), 0..3), prop::collection::vec(relation, 0..3));
    (text(), words, unit, medium, (period, retention), lists).prop_map(
        move |(
            title,
            (reference, lead, keeper, note),
            file_plan_unit,
            medium,
            (period, retention),
            lists,
        )| {
            let (mut parties, relations) = lists;
            // In documents, senders and recipients are lists of their own, in this order.
            let place = |party: &Party| match party.role.as_deref() {
                Some("sender") => 0,
                Some("recipient") => 1,
                _ => 2,
            };
            match is_document {
                true => parties.sort_by_key(place),
                false => parties.retain(|party| place(party) == 2),
            }
            Description {
                title,
                record_reference: reference,
                lead,
                keeper,
                note,
                file_plan_unit,
                medium,
                period: period.filter(|_| !is_document),
                retention: retention.filter(|_| !is_document),
                parties,
                relations,
                ..Description::default()
            }
        },
    )
}

/// What a record is, and what lies in it.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    description: Description,
    files: Vec<(String, Vec<u8>)>,
    pub(crate) children: Vec<Tree>,
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let file = ("pdf|txt|xml|tiff|docx", prop::collection::vec(any::<u8>(), 0..50));
    let leaf = (description(true), prop::collection::vec(file, 0..3)).prop_map(|(description, files)| Tree {
        description,
        files,
        children: vec![],
    });
    leaf.prop_recursive(3, 12, 4, |inner| {
        (description(false), prop::collection::vec(inner, 1..4)).prop_map(|(description, children)| Tree {
            description,
            files: vec![],
            children,
        })
    })
}

/// Lays a tree into memory and gives back the id of its root: what has children is a case file at the top and a case below.
pub(crate) fn plant(memory: &mut Memory, tree: &Tree, ancestors: &[(RecordKind, Id)], position: u32) -> Id {
    let mut description = Description { position: Some(position), ..tree.description.clone() };
    let uuid = model::ids::new_id();
    description.references = vec![Reference { kind: "xdomea".into(), value: uuid.to_string() }];
    let record = if !tree.children.is_empty() && ancestors.len() < 2 {
        let (meta, parent, status) = (placeholder(), None, RecordStatus::Received);
        Record::CaseFile(CaseFile { meta, description, parent, status })
    } else if !tree.children.is_empty() {
        let mut record = case("");
        if let Record::Case(case) = &mut record {
            case.description = description;
        }
        record
    } else {
        let files = tree.files.iter().map(|(ending, bytes)| {
            let content = memory.store(bytes.clone());
            let media_type = match ending.as_str() {
                "pdf" => "application/pdf",
                "txt" => "text/plain",
                "xml" => "application/xml",
                "tiff" => "image/tiff",
                _ => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            };
            File {
                name: format!("{}_x.{ending}", content.id),
                media_type: Some(media_type.into()),
                content: Some(content),
                ..File::default()
            }
        });
        let files: Vec<File> = files.collect();
        let versions = if files.is_empty() { vec![] } else { vec![Version { number: "1".into(), files }] };
        document(description, versions)
    };
    let mut record = record;
    record.meta_mut().id = uuid;
    let mut path = ancestors.to_vec();
    path.push((record.kind(), uuid));
    for (index, child) in tree.children.iter().enumerate() {
        plant(memory, child, &path, index as u32 + 1);
    }
    memory.objects.push(Object { object_id: uuid, ancestors: ancestors.to_vec(), record });
    uuid
}

/// A record without what the gateway adds, its files by their bytes.
pub(crate) fn comparable(memory: &Memory, object: &Object) -> serde_json::Value {
    let mut record = object.record.clone();
    let id = record.meta().id;
    *record.meta_mut() = placeholder();
    record.meta_mut().id = id;
    if let Record::Document(document) = &mut record {
        for file in document.versions.iter_mut().flat_map(|version| &mut version.files) {
            let content = file.content.take();
            file.creator = content.map(|content| format!("{:?}", memory.files[&content.id]));
        }
    }
    let ancestors = serde_json::to_value(&object.ancestors).unwrap();
    serde_json::json!({ "record": record.to_json(), "ancestors": ancestors })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn trees_written_and_read_are_the_same(trees in prop::collection::vec(tree(), 1..3), kind in any::<bool>()) {
        let mut memory = Memory::default();
        for (index, tree) in trees.iter().enumerate() {
            plant(&mut memory, tree, &[], index as u32 + 1);
        }
        let kind = if kind { ExchangeKind::Handover } else { ExchangeKind::Submission };
        let message = outgoing(OutgoingContent::Records(kind));
        let (bytes, written) = write(&own(), &message, &mut memory).unwrap();
        let (_, report) = check(&own(), &bytes, Some(&written.file_name));
        prop_assert!(report.is_acceptable(), "{:#?}", report);
        let (back, meaning) = read(&own(), &bytes);
        prop_assert_eq!(meaning, Meaning::Records(kind));
        let sorted = |memory: &Memory| {
            let mut all: Vec<_> = memory.objects.iter().map(|o| (o.object_id, comparable(memory, o))).collect();
            all.sort_by_key(|(id, _)| *id);
            all
        };
        let (was, is) = (sorted(&memory), sorted(&back));
        prop_assert_eq!(was, is);
    }

    #[test]
    fn any_bytes_are_checked_and_read_without_a_panic(
        start in "(<xdomea:Abgabe.Abgabe.0401 xmlns:xdomea=\"urn:xoev-de:xdomea:schema:3.1.0\">|PK\u{3}\u{4}|)",
        rest in "(<xdomea:(Kopf|Schriftgutobjekt|Vorgang|Akte|Dokument|Identifikation|ID|Akteninhalt|Version)/?>|</xdomea:[A-Za-z]{2,6}>|\\PC|11110000-0000-4000-8000-000000000401){0,30}",
    ) {
        let standard = own();
        let bytes = format!("{start}{rest}").into_bytes();
        check(&standard, &bytes, Some("x_0401_1.zip"));
        let _ = standard.read(&mut Cursor::new(bytes), &mut Memory::default());
    }

    #[test]
    fn a_message_with_any_part_cut_out_is_judged_and_never_panics(from in 0_usize..5_000, length in 1_usize..400) {
        let Some(samples) = shared("samples/xoev/xdomea/derived-3.0.0") else { return Ok(()) };
        let stem = "11110000-0000-4000-8000-000000000401_Abgabe.Abgabe.0401";
        let mut xml = std::fs::read(samples.join(format!("{stem}.xml"))).unwrap();
        let from = from.min(xml.len());
        let to = (from + length).min(xml.len());
        xml.drain(from..to);
        let standard = own();
        let (identity, report) = check(&standard, &xml, None);
        let read = standard.read(&mut Cursor::new(xml), &mut Memory::default());
        // What the check knows and accepts can always be read.
        prop_assert!(read.is_ok() || identity.is_none() || !report.is_acceptable());
    }
}
