//! Submissions of records to courts: what XJustiz writes is valid by the official schemas, and courts take it.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use model::case::{
    Case, CaseFile, Confidentiality, Description, Document, DocumentDates, File, FilePlanUnit, Medium,
    Period, Priority, RecordStatus, Reference, Retention, Version,
};
use model::exchange::ExchangeKind;
use model::party::{Address, Organisation, Party, Person};
use model::standard::{
    Endpoint, Object, Outgoing, OutgoingContent, Sequence, Standard, Written, placeholder,
};
use model::{Failure, Finding, Id, Record, RecordKind, Report, Timestamp};
use proptest::prelude::*;
use schemas::Schemas;
use xoev::xdomea::Options;
use xoev::xjustiz::{COURT_CODE, COURT_REFERENCE, Rules, Submission, XJustiz};

use crate::memory::{Memory, check, write};
use crate::tools::{shared, unpack_named};

const VERSIONS: [&str; 2] = ["3.6.2", "3.5.1"];

pub(crate) fn standard() -> XJustiz {
    XJustiz::new(&Arc::new(Schemas::new()), Options::default().container)
}

/// With the official schemas of a version.
fn official(packs: &Path, version: &str) -> XJustiz {
    let schemas = Schemas::new();
    schemas.add_pack(&packs.join("xjustiz").join(version)).unwrap();
    XJustiz::new(&Arc::new(schemas), Options::default().container)
}

fn id(number: u8) -> Id {
    Id::from_bytes([number; 16])
}

fn outgoing(version: &str) -> Outgoing {
    let endpoint = |key: &str, name: &str| Endpoint {
        authority: Some(key.parse().unwrap()),
        name: Some(name.to_owned()),
        unit: None,
    };
    Outgoing {
        content: OutgoingContent::Records(ExchangeKind::Submission),
        version: version.to_owned(),
        process_id: id(0x77),
        sender: endpoint("bab:05974000", "Kreis Soest"),
        recipient: endpoint("gericht:R3203", "Verwaltungsgericht Arnsberg"),
        created_at: Timestamp::parse("2026-11-29T09:00:00Z").unwrap(),
        message_id: id(0x78),
        sequence: Sequence::default(),
        wants_receipt: false,
        wants_archive_references: false,
        answers: None,
        answers_id: None,
    }
}

fn description(title: &str) -> Description {
    Description { title: title.to_owned(), position: Some(1), ..Description::default() }
}

/// A case file with a part, a case, and documents in and beside them.
pub(crate) fn everything() -> Memory {
    let mut memory = Memory::default();
    let mut file = |name: &str| File {
        name: name.to_owned(),
        content: Some(memory.store(format!("content of {name}").into_bytes())),
        ..File::default()
    };
    let plan =
        document("Lageplan \u{201e}Nord\u{201c}", vec![file("Lageplan.pdf"), file("Lageplan.pdf.p7s")]);
    let enclosure = document("Anlage 1", vec![file("7bf9473a-b4a7-11ec-a407-005056871b7c_Anlage.tif")]);
    let letter = document("Bescheid", vec![file("Bescheid vom 1.2. (neu).pdf")]);
    let alone = document("Anschreiben", vec![file("Anschreiben.pdf")]);
    let paper = document("Papier", Vec::new());
    let case_file = Record::CaseFile(CaseFile {
        meta: placeholder(),
        description: Description {
            record_reference: Some("63/2026-0815".into()),
            references: vec![Reference { kind: COURT_REFERENCE.into(), value: "8 K 17/26".into() }],
            file_plan_unit: Some(FilePlanUnit { code: Some("63.1".into()), ..FilePlanUnit::default() }),
            medium: Some(Medium::Hybrid),
            period: Some(Period { begin: Some("2026-01-01".into()), end: None }),
            retention: Some(Retention { years: Some(10), ..Retention::default() }),
            confidentiality: Some(Confidentiality::Open),
            parties: vec![person(), organisation()],
            note: Some("nur intern".into()),
            ..description("Neubau")
        },
        parent: None,
        status: RecordStatus::Open,
    });
    let case = Record::Case(Case {
        meta: placeholder(),
        description: Description { record_reference: Some("63/1".into()), ..description("Widerspruch") },
        case_file: None,
        parent: None,
        status: RecordStatus::Open,
        priority: Priority::Normal,
        locations: Vec::new(),
    });
    let (top, part, deep) =
        ((RecordKind::CaseFile, id(1)), (RecordKind::Case, id(2)), (RecordKind::Document, id(3)));
    memory.objects = vec![
        object(6, vec![], alone),
        object(4, vec![top, part, deep], enclosure),
        object(3, vec![top, part], plan),
        object(2, vec![top], case),
        object(5, vec![top], letter),
        object(7, vec![top], paper),
        object(1, vec![], case_file),
    ];
    memory
}

fn object(number: u8, ancestors: Vec<(RecordKind, Id)>, mut record: Record) -> Object {
    record.meta_mut().id = id(number);
    Object { object_id: id(number), ancestors, record }
}

fn document(title: &str, files: Vec<File>) -> Record {
    let sender = Party { role: Some("sender".into()), ..organisation() };
    let dates =
        DocumentDates { received: Some("2026-02-03".into()), sent: None, written: Some("2026-02-01".into()) };
    Record::Document(Document {
        meta: placeholder(),
        description: Description { parties: vec![sender], ..description(title) },
        parent: None,
        kind: Some("Plan".into()),
        dates,
        versions: vec![Version { number: "1".into(), files }],
        status: RecordStatus::Open,
    })
}

fn person() -> Party {
    let text = |text: &str| Some(text.to_owned());
    Party {
        role: text("Antragstellerin"),
        person: Some(Person {
            title: text("Dr."),
            given_name: text("Anna-Łucja"),
            family_name: text("Müller"),
            born: text("1980-05-06"),
            ..Person::default()
        }),
        addresses: vec![Address {
            street: text("Am Wall"),
            house_number: text("7a"),
            postcode: text("59494"),
            town: text("Soest"),
            ..Address::default()
        }],
        ..Party::default()
    }
}

fn organisation() -> Party {
    let organisation = Organisation { name: Some("Bau & Söhne GmbH".into()), ..Organisation::default() };
    Party { organisation: Some(organisation), ..Party::default() }
}

pub(crate) fn written(version: &str, memory: &mut Memory) -> Result<(Vec<u8>, Written), Failure> {
    write(&standard(), &outgoing(version), memory)
}

/// Validates with the official schema through xmllint, without the network.
fn xmllint(packs: &Path, version: &str, xml: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.xml");
    std::fs::write(&path, xml).unwrap();
    let file = if version == "3.6.2" {
        "xjustiz_0005_nachrichten_3_2.xsd"
    } else {
        "xjustiz_0005_nachrichten_3_1.xsd"
    };
    let mut command = Command::new("xmllint");
    command.env("XML_CATALOG_FILES", packs.join("catalog.xml")).args(["--nonet", "--noout", "--schema"]);
    command.arg(packs.join("xjustiz").join(version).join(file)).arg(&path);
    let output = command.output().expect("xmllint is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_submission_is_valid_by_the_official_schema_and_courts_take_it() {
    let Some(packs) = shared("packs") else { return };
    let now = Timestamp::parse("2026-11-29T09:00:00Z").unwrap();
    for version in VERSIONS {
        let (bytes, told) = written(version, &mut everything()).unwrap();
        let (xml, files) = unpack_named(&bytes, "xjustiz_nachricht.xml");
        xmllint(&packs, version, &xml).unwrap_or_else(|error| panic!("{version}: {error}\n{xml}"));
        assert_eq!(files.len(), 5, "{files:?}");
        let mut report = Report::default();
        let taken = Submission::open(&mut Cursor::new(bytes.clone()), &Rules::at(now), &mut report).unwrap();
        assert!(report.findings.is_empty(), "{report:#?}");
        assert_eq!(taken.unwrap().said.file_number.as_deref(), Some("8 K 17/26"));
        let (identity, report) = check(&official(&packs, version), &bytes, Some(&told.file_name));
        assert!(report.is_acceptable() && report.findings.is_empty(), "{report:#?}");
        let identity = identity.unwrap();
        assert_eq!((identity.process_id, identity.message_type.as_str()), (Some(id(0x77)), "0005005"));
        let left: Vec<String> =
            told.report.findings.iter().map(|it| it.with.get("what").cloned().unwrap_or_default()).collect();
        for what in ["note", "retention", "document-without-file", "kind-of-document"] {
            assert!(left.iter().any(|known| known == what), "{what}: {left:?}");
        }
        assert!(told.report.findings.iter().any(|it| it.rule == "xjustiz.letters-changed"));
    }
}

#[test]
fn what_lies_in_a_record_lies_in_its_element() {
    let (bytes, _) = written("3.6.2", &mut everything()).unwrap();
    let (xml, files) = unpack_named(&bytes, "xjustiz_nachricht.xml");
    let at = |text: &str| xml.find(text).unwrap_or_else(|| panic!("{text} in {xml}"));
    let order = [
        "<tns:akte>",
        "63/2026-0815",
        "<tns:teilakte>",
        "Lageplan \"Nord\"",
        "Anlage 1",
        "</tns:teilakte>",
        "Bescheid",
        "</tns:akte>",
        "Anschreiben",
    ];
    // The file number stands in the header, too.
    let places: Vec<usize> = order.iter().skip(2).map(|text| at(text)).collect();
    assert!(places.is_sorted(), "{xml}");
    assert!(at("<tns:ref.sgo>03030303-") > at("Anlage 1"), "the enclosure names its document");
    let signature = files.iter().find(|(name, _)| name.ends_with(".pdf.p7s")).unwrap();
    assert_eq!(signature.1, b"content of Lageplan.pdf.p7s");
    assert!(at("<tns:dateiname.bezugsdatei>Lageplan_") > at(&signature.0));
    assert_eq!(xml.matches("<tns:beteiligung>").count(), 2);
}

#[test]
fn what_is_classified_or_no_submission_is_not_written() {
    for level in [Confidentiality::Restricted, Confidentiality::Secret] {
        let mut memory = everything();
        let Record::Document(document) = &mut memory.objects[1].record else { unreachable!() };
        document.description.confidentiality = Some(level);
        assert_eq!(written("3.6.2", &mut memory).unwrap_err().code, "xjustiz.classified");
    }
    assert_eq!(written("3.4.1", &mut everything()).unwrap_err().code, "xdomea.not-written");
    let handover =
        Outgoing { content: OutgoingContent::Records(ExchangeKind::Handover), ..outgoing("3.6.2") };
    assert_eq!(write(&standard(), &handover, &mut everything()).unwrap_err().code, "xdomea.not-written");
    assert_eq!(standard().writes(), VERSIONS);
}

#[test]
fn a_file_without_bytes_is_not_left_out() {
    let mut memory = everything();
    let Record::Document(document) = &mut memory.objects[0].record else { unreachable!() };
    document.versions[0].files[0].content = None;
    assert_eq!(written("3.6.2", &mut memory).unwrap_err().code, "xdomea.file-missing");
}

/// A case file with any words in it, in a memory with one document.
fn with_words(words: &[String; 8]) -> Memory {
    let mut memory = everything();
    let [title, number, role, family, given, street, court, note] = words.clone();
    let Record::CaseFile(file) = &mut memory.objects[6].record else { unreachable!() };
    file.description.title = title;
    file.description.record_reference = Some(number);
    file.description.references[0].value = court;
    let party = &mut file.description.parties[0];
    party.role = Some(role);
    party.addresses[0].street = Some(street.clone());
    party.addresses[0].town = Some(note);
    let person = party.person.as_mut().unwrap();
    person.family_name = Some(family);
    person.given_name = Some(given);
    person.born = Some(street);
    memory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Words of any letters, also such as no court takes.
    #[test]
    fn whatever_words_records_have_the_message_is_valid(words in prop::array::uniform8("\\PC{0,30}|[a-zäöü 0-9-]{0,20}")) {
        let packs = shared("packs").expect("../shared is there");
        for version in VERSIONS {
            let (bytes, _) = written(version, &mut with_words(&words)).unwrap();
            let xml = unpack_named(&bytes, "xjustiz_nachricht.xml").0;
            let valid = xmllint(&packs, version, &xml);
            prop_assert!(valid.is_ok(), "{valid:?}");
        }
    }
}

/// What is written about the first party, and what is told to be left out.
fn with_party(party: Party) -> (String, Vec<String>) {
    let mut memory = everything();
    let Record::CaseFile(file) = &mut memory.objects[6].record else { unreachable!() };
    file.description.parties = vec![party];
    let (bytes, told) = written("3.6.2", &mut memory).unwrap();
    let xml = unpack_named(&bytes, "xjustiz_nachricht.xml").0;
    let left = told.report.findings.iter().filter_map(|it| it.with.get("what").cloned());
    (xml, left.filter(|what| what.starts_with("party-d")).collect())
}

#[test]
fn a_person_beside_an_organisation_is_whom_to_ask_there() {
    let (xml, left) = with_party(Party { organisation: organisation().organisation, ..person() });
    assert!(xml.contains("Bau &amp; Söhne GmbH</tns:bezeichnung.aktuell>"), "{xml}");
    assert!(!xml.contains("<tns:natuerlichePerson>"), "{xml}");
    assert_eq!(left, ["party-details"]);
}

#[test]
fn a_person_whose_name_is_blank_is_told_to_be_left_out() {
    for blank in ["", " ", " \u{a0}"] {
        let mut memory = everything();
        let Record::CaseFile(file) = &mut memory.objects[6].record else { unreachable!() };
        file.description.parties[0].person.as_mut().unwrap().family_name = Some(blank.into());
        let (bytes, told) = written("3.6.2", &mut memory).unwrap();
        let xml = unpack_named(&bytes, "xjustiz_nachricht.xml").0;
        assert!(!xml.contains("<tns:natuerlichePerson>"), "{xml}");
        let is_told = |it: &Finding| it.with.get("what").is_some_and(|what| what == "party");
        assert!(told.report.findings.iter().any(is_told), "{:?}", told.report.findings);
    }
}

#[test]
fn a_birthday_that_is_none_is_told_and_names_are_composed() {
    let mut party = person();
    let (xml, left) = with_party(party.clone());
    assert!(xml.contains("1980-05-06") && left.is_empty(), "{left:?}");
    let person = party.person.as_mut().unwrap();
    person.born = Some("1980".into());
    person.family_name = Some("Mu\u{308}ller".into());
    let (xml, left) = with_party(party);
    assert!(xml.contains("<tns:nachname>Müller</tns:nachname>"), "{xml}");
    assert_eq!(left, ["party-details"]);
}

#[test]
fn the_number_of_another_court_is_not_written_but_told() {
    for version in VERSIONS {
        let mut memory = everything();
        let Record::CaseFile(file) = &mut memory.objects[6].record else { unreachable!() };
        let code = Reference { kind: COURT_CODE.into(), value: "R3201".into() };
        file.description.references.push(code);
        let (bytes, told) = written(version, &mut memory).unwrap();
        let xml = unpack_named(&bytes, "xjustiz_nachricht.xml").0;
        assert!(!xml.contains("8 K 17/26"), "{xml}");
        assert!(
            told.report.findings.iter().any(|it| it.with.get("what").is_some_and(|it| it == "court-number"))
        );
    }
}
