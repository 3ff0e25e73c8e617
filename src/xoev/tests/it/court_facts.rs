//! What courts send as facts of a case: public samples of 2.4 and 3.2, and our own submissions of 3.5 and 3.6.

use model::standard::Meaning;
use model::{Record, RecordKind};
use proptest::prelude::*;
use xoev::container::ContainerWriter;
use xoev::xjustiz::{COURT_CODE, COURT_REFERENCE};

use crate::memory::{Memory, check, read};
use crate::submission::{everything, standard, written};
use crate::tools::shared;

/// Reads a message with some bytes for each file.
fn facts(xml: &str, files: &[&str]) -> (Memory, Meaning) {
    read(&standard(), &container(xml, files))
}

/// The message with some bytes for each file.
fn container(xml: &str, files: &[&str]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    writer.entry("xjustiz_nachricht.xml", |sink| sink.write_all(xml.as_bytes())).unwrap();
    for name in files {
        writer.entry(name, |sink| sink.write_all(format!("content of {name}").as_bytes())).unwrap();
    }
    writer.finish().unwrap()
}

fn sample(name: &str) -> Option<String> {
    Some(std::fs::read_to_string(shared("samples/xoev/xjustiz")?.join(name)).unwrap())
}

fn titles(memory: &Memory, kind: RecordKind) -> Vec<&str> {
    let of_kind = memory.objects.iter().filter(|object| object.record.kind() == kind);
    of_kind.map(|object| object.record.description().unwrap().title.as_str()).collect()
}

#[test]
fn documents_that_are_sent_lie_in_a_case_with_the_file_number_of_whom_they_are_for() {
    for version in ["v2_4", "v3_2"] {
        let name = format!("xjustiz_nachricht_abs_sonst_empf_ag_{version}.xml");
        let Some(xml) = sample(&name) else { return };
        let (memory, meaning) = facts(&xml, &["Testdokumentname 01", "other.pdf"]);
        assert_eq!(meaning, Meaning::Facts, "{name}");
        assert_eq!(memory.names, ["Testdokumentname 01"], "{name}: only what a document names");
        let Record::Case(case) = &memory.objects.last().unwrap().record else { panic!("{name}") };
        assert_eq!(case.description.reference(COURT_REFERENCE), None, "{name}: its sender is no court");
        assert_eq!(case.description.record_reference.as_deref(), Some("12345BG1234567 987654321"), "{name}");
        let Record::Document(document) = &memory.objects[0].record else { panic!("{name}") };
        assert_eq!(memory.objects[0].ancestors.len(), 1);
        let files = &document.versions[0].files;
        assert_eq!(files.len(), 2, "{name}");
        assert!(files[0].content.is_some() && files[1].content.is_none(), "{name}: the second did not come");
    }
}

/// Names that a message says, those that came, and those that came to it.
const NAMES: [(&[&str], &[&str], &[&str]); 4] = [
    (&["Klage.pdf"], &["Klage.pdf"], &["Klage.pdf"]),
    (&["Klage.PDF", "Pru\u{308}f.pdf"], &["klage.pdf", "Pr\u{fc}f.pdf"], &["Klage.PDF", "Pru\u{308}f.pdf"]),
    // Each file is that of one name only.
    (&["Klage.pdf", "klage.pdf"], &["Klage.pdf"], &["Klage.pdf"]),
    (&["KLAGE.pdf", "klage.pdf"], &["Klage.pdf"], &[]),
];

#[test]
fn a_file_that_did_not_come_is_told_and_one_that_differs_by_case_is_found() {
    for (said, came, expected) in NAMES {
        let xml = crate::xjustiz::submission(said);
        let (memory, _) = facts(&xml, came);
        assert_eq!(memory.names, expected, "{said:?} {came:?}");
        let (_, report) = check(&standard(), &container(&xml, came), None);
        let absent = report.findings.iter().filter(|finding| finding.rule == "xjustiz.file-absent").count();
        assert_eq!(absent, said.len() - expected.len(), "{report:#?}");
    }
    let (_, report) = check(&standard(), crate::xjustiz::submission(&["Klage.pdf"]).as_bytes(), None);
    assert!(report.findings.iter().any(|finding| finding.rule == "xjustiz.file-absent"), "{report:#?}");
}

#[test]
fn every_sample_is_read_and_acknowledgements_say_no_facts() {
    let Some(folder) = shared("samples/xoev/xjustiz") else { return };
    let mut count = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let xml = std::fs::read(&path).unwrap();
        let (memory, meaning) = read(&standard(), &xml);
        let says_eeb = check(&standard(), &xml, None).0.unwrap().message_type == "2200007";
        match meaning {
            Meaning::Facts => {
                count.0 += 1;
                assert!(memory.objects.last().unwrap().ancestors.is_empty(), "{path:?}");
                assert!(!says_eeb, "{path:?}");
            }
            _ => {
                count.1 += 1;
                assert!(memory.objects.is_empty() && says_eeb, "{path:?}");
            }
        }
    }
    assert_eq!(count, (21, 6));
}

#[test]
fn parties_are_read_with_their_names_and_addresses() {
    let Some(xml) = sample("Beispiel_synthetisch1.xml") else { return };
    let (memory, _) = facts(&xml, &[]);
    let parties = &memory.objects.last().unwrap().record.description().unwrap().parties;
    assert!(parties.len() > 1, "{parties:#?}");
    let office = &parties[0];
    assert_eq!(office.organisation.as_ref().unwrap().name.as_deref(), Some("tns:bezeichnung.aktuell"));
    assert!(office.person.is_none(), "the lawyer within the office is not the party");
    let address = &office.addresses[0];
    assert_eq!((address.street.as_deref(), address.town.as_deref()), (Some("Enge Gasse"), Some("Oberursel")));
}

#[test]
fn a_submission_of_ours_is_read_as_what_it_says() {
    for version in ["3.6.2", "3.5.1"] {
        let (bytes, told) = written(version, &mut everything()).unwrap();
        let (memory, meaning) = read(&standard(), &bytes);
        assert_eq!(meaning, Meaning::Facts);
        assert_eq!(
            titles(&memory, RecordKind::Document),
            ["Lageplan \"Nord\"", "Anlage 1", "Bescheid", "Anschreiben"]
        );
        assert_eq!(titles(&memory, RecordKind::Case), ["Widerspruch", "Neubau", "Lageplan \"Nord\""]);
        let matter = memory.objects.last().unwrap();
        assert_eq!(Some(matter.object_id), told.identity.process_id);
        // Ours was its sender's number, which is no court's, and the court's that of whom it is for.
        let description = matter.record.description().unwrap();
        assert_eq!(description.reference(COURT_REFERENCE), None);
        assert_eq!(description.record_reference.as_deref(), Some("8 K 17/26"));
        let person = description.parties[0].person.as_ref().unwrap();
        assert_eq!(
            (person.family_name.as_deref(), person.born.as_deref()),
            (Some("Müller"), Some("1980-05-06"))
        );
        let deep = &memory.objects[0];
        assert_eq!(deep.ancestors.len(), 3, "matter, Akte, Teilakte");
        let Record::Document(plan) = &deep.record else { panic!() };
        assert_eq!(plan.dates.written.as_deref(), Some("2026-02-01"));
        assert_eq!(plan.versions[0].files.len(), 2);
        let file = &plan.versions[0].files[0];
        let content = &memory.files[&file.content.as_ref().unwrap().id];
        assert_eq!(content, b"content of Lageplan.pdf");
    }
}

#[test]
fn what_is_of_an_unknown_version_or_too_much_is_carried_on() {
    let xml = crate::xjustiz::submission(&["a.pdf"]);
    assert_eq!(facts(&xml, &[]).1, Meaning::Facts);
    let (memory, meaning) = facts(&xml.replace("3.6.2", "3.7.0"), &["a.pdf"]);
    assert_eq!((meaning, memory.names.len()), (Meaning::CarryOn, 0));
    let deep = format!("<schriftgutobjekte>{}{}", "<akte>".repeat(30), "</akte>".repeat(30));
    assert_eq!(facts(&xml.replace("<schriftgutobjekte>", &deep), &[]).1, Meaning::CarryOn);
    let many = format!("<schriftgutobjekte>{}", "<dokument/>".repeat(20_001));
    assert_eq!(facts(&xml.replace("<schriftgutobjekte>", &many), &[]).1, Meaning::CarryOn);
}

#[test]
fn an_id_that_is_used_twice_is_no_record_twice() {
    let once =
        "<dokument><identifikation><id>7bf9473a-b4a7-11ec-a407-005056871b7c</id></identifikation></dokument>";
    let xml = crate::xjustiz::submission(&[]);
    let (memory, _) =
        facts(&xml.replace("<schriftgutobjekte>", &format!("<schriftgutobjekte>{once}{once}")), &[]);
    let mut ids: Vec<_> = memory.objects.iter().map(|object| object.object_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), memory.objects.len());
}

/// Any nesting of the elements that something is read of.
fn tree() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "akte",
        "teilakte",
        "dokument",
        "inhalt",
        "datei",
        "dateiname",
        "identifikation",
        "id",
        "beteiligung",
        "natuerlichePerson",
        "vollerName",
        "nachname",
        "aktenzeichen",
        "xjustiz.fachspezifischeDaten",
        "grunddaten",
    ]);
    let leaf = "[a-zäß0-9 -]{0,12}".prop_map(String::from);
    leaf.prop_recursive(6, 40, 5, move |inner| {
        (names.clone(), prop::collection::vec(inner, 0..5))
            .prop_map(|(name, parts)| format!("<{name}>{}</{name}>", parts.concat()))
    })
}

proptest! {
    /// Whatever stands in whatever: parents come after their children, and nothing panics.
    #[test]
    fn records_lie_in_records_that_come_after_them(inner in tree()) {
        let xml = crate::xjustiz::submission(&[]);
        let xml = xml.replace("<schriftgutobjekte>", &format!("<schriftgutobjekte>{inner}"));
        let (memory, meaning) = facts(&xml, &[]);
        prop_assert_eq!(meaning, Meaning::Facts);
        for (at, object) in memory.objects.iter().enumerate() {
            for (_, ancestor) in &object.ancestors {
                let later = memory.objects[at + 1..].iter().any(|other| other.object_id == *ancestor);
                prop_assert!(later, "{:?}", object);
            }
        }
    }
}

/// A message of 3.5 whose header has this sender.
fn from(sender: &str) -> String {
    let xml = crate::xjustiz::submission(&["a.pdf"]);
    let head = format!("<aktenzeichen.absender>8 K 17/26</aktenzeichen.absender>{sender}");
    xml.replace("\"3.6.2\">", &format!("\"3.5.1\">{head}"))
}

#[test]
fn a_number_is_kept_as_a_courts_only_if_a_court_sent_it() {
    let court = "<auswahl_absender><absender.gericht><code xmlns=\"\">R3203</code></absender.gericht></auswahl_absender>";
    let old = "<absender_Gericht><code xmlns=\"\">R3203</code></absender_Gericht>";
    let other = "<auswahl_absender><absender.sonstige>R3203</absender.sonstige></auswahl_absender>";
    let recipient = court.replace("absender", "empfaenger") + other;
    for (sender, kept) in [(court, true), (old, true), (other, false), (&*recipient, false), ("", false)] {
        let (memory, _) = facts(&from(sender), &[]);
        let description = memory.objects.last().unwrap().record.description().unwrap();
        let found = [COURT_REFERENCE, COURT_CODE].map(|kind| description.reference(kind));
        assert_eq!(found, if kept { [Some("8 K 17/26"), Some("R3203")] } else { [None; 2] }, "{sender}");
    }
    let newest = crate::xjustiz::submission(&[]).replace(
        "</absender>",
        "<informationen><auswahl_kommunikationspartner><gericht><code xmlns=\"\">R3203</code></gericht>\
         </auswahl_kommunikationspartner></informationen><aktenzeichen>8 K 17/26</aktenzeichen></absender>",
    );
    let (memory, _) = facts(&newest, &[]);
    let description = memory.objects.last().unwrap().record.description().unwrap();
    assert_eq!(description.reference(COURT_REFERENCE), Some("8 K 17/26"));
    assert_eq!(description.reference(COURT_CODE), Some("R3203"));
}

#[test]
fn the_first_address_of_a_party_gets_nothing_of_the_others() {
    let party = "<grunddaten><beteiligung><beteiligter><auswahl_beteiligter><organisation><bezeichnung>\
        <bezeichnung.aktuell>Bau GmbH</bezeichnung.aktuell></bezeichnung><anschrift/><anschrift><ort>Soest</ort></anschrift>\
        <anschrift><strasse>Am Wall</strasse><ort>Werl</ort></anschrift></organisation></auswahl_beteiligter></beteiligter>\
        </beteiligung></grunddaten><schriftgutobjekte>";
    let xml = crate::xjustiz::submission(&[]).replace("<schriftgutobjekte>", party);
    let (memory, _) = facts(&xml, &[]);
    let party = &memory.objects.last().unwrap().record.description().unwrap().parties[0];
    let address = model::party::Address { town: Some("Soest".into()), ..Default::default() };
    assert_eq!(party.addresses, [address]);
}

#[test]
fn names_of_files_are_harmless_and_known_by_what_they_were() {
    let long = "x".repeat(8_000);
    let names = ["a.pdf", "../../etc/passwd", "C:\\a.tif", &long];
    let (memory, _) = facts(&crate::xjustiz::submission(&names), &["a.pdf"]);
    let Record::Document(document) = &memory.objects[0].record else { panic!() };
    let files = &document.versions[0].files;
    let kept: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(kept, ["a.pdf", "datei-2", "datei-3", "datei-4"]);
    assert!(files[0].content.is_some() && files[0].original_name.is_none());
    assert_eq!(files[1].original_name.as_deref(), Some("../../etc/passwd"));
    assert_eq!(files[3].original_name.as_ref().unwrap().len(), 120);
}

#[test]
fn a_damaged_file_is_the_senders_fault_before_it_is_read() {
    let mut writer = ContainerWriter::new(Vec::new());
    let xml = crate::xjustiz::submission(&["a.bin"]);
    writer.entry("xjustiz_nachricht.xml", |sink| sink.write_all(xml.as_bytes())).unwrap();
    writer.entry("a.bin", |sink| sink.write_all(&noise())).unwrap();
    let mut bytes = writer.finish().unwrap();
    let rules = |bytes: &[u8]| -> Vec<String> {
        let findings = check(&standard(), bytes, None).1.findings.into_iter();
        findings.map(|it| it.rule).filter(|rule| rule != "schema.absent").collect()
    };
    assert_eq!(rules(&bytes), Vec::<String>::new());
    let at = bytes.windows(5).rposition(|name| name == b"a.bin").unwrap() / 2;
    bytes[at] ^= 1;
    assert_eq!(rules(&bytes), ["container.checksum"]);
}

/// Bytes that do not get shorter.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..50_000).map(next).collect()
}
