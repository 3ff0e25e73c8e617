//! Messages of one version in another: valid by the official schema, what was lost is reported, and what
//! rides in an extension comes back.

use model::standard::{Outgoing, Sequence};
use schemas::testdata::{Maker, Outline};
use xoev::xdomea::again;
use xoev::xdomea::messages::{MessageType, Version, stem};

use crate::memory::{Memory, check, read, write};
use crate::tools::{Judge, own, pack, shared, unpack};

pub(crate) const PROCESS: &str = "7bf9473a-b4a7-11ec-a407-005056871b7c";
/// Types whose records and parts differ most between versions.
const ROOTS: [&str; 6] = [
    "Information.Information.0101",
    "Geschaeftsgang.Geschaeftsgang.0201",
    "Aktenplan.Aktenplan.0301",
    "Abgabe.Abgabe.0401",
    "Aussonderung.Anbieteverzeichnis.0501",
    "Aussonderung.Aussonderung.0503",
];

fn translated() -> impl Iterator<Item = Version> {
    Version::ALL.into_iter().filter(|version| version.is_translated())
}

/// Takes a message in.
pub(crate) fn taken(version: Version, message: MessageType, xml: &str) -> (Memory, Outgoing) {
    let standard = own();
    let number =
        xml.split_once("LfdNrNachrichtProTyp>").map_or("1", |(_, rest)| rest.split('<').next().unwrap());
    let container = pack(&stem(PROCESS.parse().unwrap(), message, version, number.parse().unwrap()), xml);
    let (identity, report) = check(&standard, &container, None);
    assert!(
        report.is_acceptable(),
        "{version:?} {}: {:#?}",
        message.code,
        crate::round_trip::errors(&report)
    );
    let (memory, meaning) = read(&standard, &container);
    let outgoing = again(&identity.unwrap(), &meaning, memory.message.as_ref().unwrap()).unwrap();
    (memory, outgoing)
}

#[test]
fn every_message_goes_into_every_version_that_has_its_type() {
    let (Some(annex), Some(packs)) = (shared("standards/annex"), shared("packs")) else { return };
    let (mut judge, mut count) = (Judge::default(), 0);
    for (from, root, seed) in translated().flat_map(|from| {
        ROOTS
            .map(|root| (from, root))
            .into_iter()
            .flat_map(|(from, root)| [1, 2].map(|seed| (from, root, seed)))
    }) {
        let Some(message) = MessageType::by_root(root, from).filter(|m| m.is_translated_in(from)) else {
            continue;
        };
        let outline = Outline::read(&annex, from.number()).unwrap();
        let xml = Maker::make(&outline, root, PROCESS, Some(seed));
        let xml = xml.replace("_.<", "_x.y<").replace("<code>100</code>", "<code>018</code>");
        let xml = as_no_test(&crate::round_trip::counted(&xml));
        // What is only context goes into no other version.
        let xml = ["1", "true"].iter().fold(xml, |xml, truth| {
            let context = |truth: &str| format!("<xdomea:Kontextobjekt>{truth}</xdomea:Kontextobjekt>");
            xml.replace(&context(truth), &context("0"))
        });
        let (mut memory, mut outgoing) = taken(from, message, &xml);
        for to in translated().filter(|to| *to != from && message.is_translated_in(*to)) {
            outgoing.version = to.number().to_owned();
            outgoing.answers_id = outgoing.answers_id.or(Some(outgoing.process_id));
            // One of several is refused.
            outgoing.sequence = Sequence::default();
            let label = format!("{root} {from:?} as {to:?}, seed {seed}");
            let (bytes, _) = match write(&own(), &outgoing, &mut memory) {
                Ok(written) => written,
                // 4.0 has no documents at the root.
                Err(failure) if to == Version::V4_0_0 => {
                    assert_eq!(failure.code, "xdomea.not-written", "{label}");
                    continue;
                }
                Err(failure) => panic!("{label}: {failure:?}"),
            };
            judge.take(&packs, to.number(), message.code, &label, &unpack(&bytes).0);
            count += 1;
        }
    }
    judge.verdict().unwrap_or_else(|faults| panic!("{faults}"));
    assert!(count > 80, "{count} conversions");
}

/// The message without the mark of a test, which keeps it in its version.
fn as_no_test(xml: &str) -> String {
    let Some((before, rest)) = xml.split_once(" test=\"") else { return xml.to_owned() };
    format!("{before}{}", rest.split_once('"').unwrap().1)
}

/// A record of 4.0 with what no other version knows.
const RICH: &str = r#"<xdomea:Akte><xdomea:Identifikation><xdomea:xdomeaUUID>20552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Kontextobjekt>0</xdomea:Kontextobjekt><xdomea:AllgemeineMetadaten><xdomea:Betreff>Bauakte ☂</xdomea:Betreff><xdomea:Geheimhaltung><xdomea:Geheimhaltungsgrad listURI="urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe" listVersionID="1.0"><code>003</code></xdomea:Geheimhaltungsgrad><xdomea:Einstufungsfrist>2040</xdomea:Einstufungsfrist></xdomea:Geheimhaltung><xdomea:Strukturpfad><xdomea:Pfadelement><xdomea:Name>Bauen</xdomea:Name><xdomea:Typ><code>005</code></xdomea:Typ></xdomea:Pfadelement></xdomea:Strukturpfad></xdomea:AllgemeineMetadaten><xdomea:Aussonderungsmetadaten><xdomea:Aufbewahrungsdauer><xdomea:Unbefristet>1</xdomea:Unbefristet></xdomea:Aufbewahrungsdauer><xdomea:Aufbewahrungsende>2030-06-30</xdomea:Aufbewahrungsende><xdomea:Transferfristende>2031-01-01</xdomea:Transferfristende></xdomea:Aussonderungsmetadaten><xdomea:Akteninhalt><xdomea:DokumentOderDokumentMitSchriftstueck><xdomea:DokumentMitSchriftstueck><xdomea:Identifikation><xdomea:xdomeaUUID>30552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Anlage><xdomea:Dokument><xdomea:Identifikation><xdomea:xdomeaUUID>40552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation></xdomea:Dokument><xdomea:Nummer>1</xdomea:Nummer></xdomea:Anlage><xdomea:Autor><xdomea:erreichbarkeit><kanal listVersionID="3"><code>08</code></kanal><kennung>a@b.example</kennung></xdomea:erreichbarkeit></xdomea:Autor><xdomea:Schriftstueck><xdomea:Identifikation><xdomea:xdomeaUUID>50552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Version><xdomea:Nummer>1</xdomea:Nummer><xdomea:Format><xdomea:Name listVersionID="1.0"><code>045</code></xdomea:Name><xdomea:Version/><xdomea:Primaerdokument><xdomea:Dateiname>60552d67-43a1-4b7c-b813-65ae087befa7_Text.txt</xdomea:Dateiname><xdomea:Hash><xdomea:Wert>ab</xdomea:Wert></xdomea:Hash></xdomea:Primaerdokument></xdomea:Format></xdomea:Version></xdomea:Schriftstueck></xdomea:DokumentMitSchriftstueck></xdomea:DokumentOderDokumentMitSchriftstueck></xdomea:Akteninhalt></xdomea:Akte>"#;

/// A message of 4.0 with one object.
fn with_object(object: &str) -> Option<String> {
    let samples = shared("samples/xoev/xdomea/opengovdoc-4.0.0-0503")?;
    let sample =
        std::fs::read_to_string(samples.join("dcf9f610-edce-5531-ad75-2499d4978bea_0503_1.xml")).unwrap();
    let from = sample.find("<xdomea:Schriftgutobjekt>").unwrap();
    let head = sample[..from].replace("dcf9f610-edce-5531-ad75-2499d4978bea", PROCESS);
    Some(format!(
        "{head}<xdomea:Schriftgutobjekt>{object}</xdomea:Schriftgutobjekt></xdomea:Aussonderung.Aussonderung.0503>"
    ))
}

/// Writes it in another version.
fn lowered(xml: &str, to: Version) -> (String, Vec<(String, String)>) {
    let message = MessageType::by_root("Aussonderung.Aussonderung.0503", Version::V4_0_0).unwrap();
    let (mut memory, mut outgoing) = taken(Version::V4_0_0, message, xml);
    outgoing.version = to.number().to_owned();
    let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
    let findings = written.report.findings.into_iter();
    (unpack(&bytes).0, findings.map(|f| (f.rule, f.path.unwrap_or_default())).collect())
}

/// Reads it and writes it in 4.0.
fn raised(xml: &str, from: Version) -> String {
    let message = MessageType::by_root("Aussonderung.Aussonderung.0503", from).unwrap();
    let (mut memory, mut outgoing) = taken(from, message, xml);
    outgoing.version = Version::V4_0_0.number().to_owned();
    unpack(&write(&own(), &outgoing, &mut memory).unwrap().0).0
}

/// Facts of [`RICH`] that ride.
const FACTS: [&str; 3] = [
    "<xdomea:Strukturpfad><xdomea:Pfadelement><xdomea:Name>Bauen</xdomea:Name>",
    "<xdomea:Transferfristende>2031-01-01</xdomea:Transferfristende>",
    "<xdomea:Hash><xdomea:Wert>ab</xdomea:Wert></xdomea:Hash>",
];

#[test]
fn single_facts_ride_in_an_extension_and_come_back() {
    let Some(packs) = shared("packs") else { return };
    let Some(xml) = with_object(RICH) else { return };
    for between in [Version::V2_3_0, Version::V2_4_0, Version::V3_0_0, Version::V3_1_0] {
        let (other, findings) = lowered(&xml, between);
        crate::tools::xmllint(&packs, between.number(), "0503", &other).unwrap();
        let found = |rule: &str, name: &str| {
            findings.iter().any(|(known, path)| known == rule && path.ends_with(name))
        };
        for name in ["Strukturpfad", "Transferfristende"] {
            assert!(found("xdomea.carried-in-extension", name), "{name}: {findings:#?}");
        }
        assert!(found("xdomea.not-carried", "Geheimhaltung"), "{findings:#?}");
        if between < Version::V3_0_0 {
            assert!(found("xdomea.changed", "Betreff") && found("xdomea.changed", "Kanal"), "{findings:#?}");
        }
        let back = raised(&other, between);
        crate::tools::xmllint(&packs, "4.0.0", "0503", &back).unwrap();
        let file = if between < Version::V3_0_0 { 2 } else { 3 };
        for fact in &FACTS[..file] {
            assert!(back.contains(fact), "{between:?}: {fact}\n{back}");
        }
        assert!(!back.contains("mitgefuehrt"), "{back}");
    }
}

#[test]
fn an_extension_says_nothing_beyond_the_facts_of_its_record() {
    let Some(packs) = shared("packs") else { return };
    let Some(xml) = with_object(RICH) else { return };
    let other = lowered(&xml, Version::V3_1_0).0;
    let from = other.rfind("<amtsbote:mitgefuehrt").unwrap();
    let end = "</amtsbote:mitgefuehrt>";
    let to = other[from..].find(end).unwrap() + from + end.len();
    let ours = &other[from..to];
    let evil = [
        ("of another record", ours.replace("20552d67", "20552d68")),
        ("twice", format!("{ours}{ours}")),
        ("of no place", ours.replace("AllgemeineMetadaten", "Identifikation")),
        ("of another name", ours.replace("xdomea:Strukturpfad", "xdomea:Vertraulichkeitsstufe")),
        ("with a text that no message holds", ours.replace("Bauen", "Bau\\u0001en")),
        ("with an element that is not there", ours.replace("xdomea:Pfadelement", "xdomea:Akte")),
        (
            "with another namespace",
            ours.replace(
                "\"name\":\"xdomea:Pfadelement\"",
                "\"name\":\"xdomea:Pfadelement\",\"foreign\":[\"&lt;x/&gt;\"]",
            ),
        ),
    ];
    for (label, evil) in evil {
        assert_ne!(evil, ours, "{label}");
        let back = raised(&other.replace(ours, &evil), Version::V3_1_0);
        crate::tools::xmllint(&packs, "4.0.0", "0503", &back).unwrap();
        assert!(!back.contains("<xdomea:Strukturpfad"), "{label}: {back}");
        assert!(!back.contains("mitgefuehrt"), "{label}: {back}");
        assert!(back.contains("20552d67-43a1-4b7c-b813-65ae087befa7"), "{label}");
    }
}

#[test]
fn elements_deep_in_each_other_in_an_extension_take_no_time() {
    let Some(xml) = with_object(RICH) else { return };
    let other = lowered(&xml, Version::V3_1_0).0;
    let nest = (0..60).fold(String::new(), |inner, _| {
        let nodes = if inner.is_empty() { String::new() } else { format!(",\"nodes\":[{inner}]") };
        format!("{{\"name\":\"xdomea:Pfadelement\"{nodes}}}")
    });
    let (from, to) = (other.rfind("{\"record").unwrap(), other.rfind("</amtsbote:mitgefuehrt>").unwrap());
    let json = format!(
        "{{\"record\":\"20552d67-43a1-4b7c-b813-65ae087befa7\",\"facts\":[{{\"path\":\"AllgemeineMetadaten\",\"node\":{{\"name\":\"xdomea:Strukturpfad\",\"nodes\":[{nest}]}}}}]}}"
    );
    let back = raised(&other.replace(&other[from..to], &json), Version::V3_1_0);
    assert!(!back.contains("Strukturpfad"), "{back}");
}

#[test]
fn a_fact_of_a_file_does_not_go_to_another() {
    let Some(xml) = with_object(RICH) else { return };
    let other = lowered(&xml, Version::V3_1_0).0;
    let name = "<xdomea:Dateiname>60552d67";
    assert!(other.contains(name));
    let back = raised(&other.replace(name, "<xdomea:Dateiname>61552d67"), Version::V3_1_0);
    assert!(!back.contains("<xdomea:Hash>"), "{back}");
}

#[test]
fn what_only_4_0_can_tell_from_an_ordinary_record_goes_into_no_other() {
    let context = "<xdomea:Kontextobjekt>0</xdomea:Kontextobjekt>";
    let Some(xml) = with_object(&RICH.replace(context, &context.replace('0', "1"))) else { return };
    let message = MessageType::by_root("Aussonderung.Aussonderung.0503", Version::V4_0_0).unwrap();
    for to in [Version::V2_4_0, Version::V3_1_0] {
        let (mut memory, mut outgoing) = taken(Version::V4_0_0, message, &xml);
        outgoing.version = to.number().to_owned();
        let failure = write(&own(), &outgoing, &mut memory).unwrap_err();
        assert_eq!(failure.code, "xdomea.not-written");
    }
}

#[test]
fn a_degree_of_secrecy_that_is_not_known_is_not_taken() {
    let list = "urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe";
    let Some(xml) = with_object(&RICH.replace(list, "urn:example:degrees")) else { return };
    let message = MessageType::by_root("Aussonderung.Aussonderung.0503", Version::V4_0_0).unwrap();
    let container = pack(&stem(PROCESS.parse().unwrap(), message, Version::V4_0_0, 1), &xml);
    let (_, report) = check(&own(), &container, None);
    assert!(report.findings.iter().any(|finding| finding.rule == "xdomea.classified"), "{report:#?}");
}

#[test]
fn documents_beside_cases_become_objects_of_their_own_before_3_0() {
    let Some(packs) = shared("packs") else { return };
    let xml = crate::checks::handover();
    let document = "<xdomea:Dokument><xdomea:Identifikation><xdomea:ID>10552d67-43a1-4b7c-b813-65ae087befa7</xdomea:ID></xdomea:Identifikation></xdomea:Dokument>";
    let case = "<xdomea:Vorgang><xdomea:Identifikation><xdomea:ID>11552d67-43a1-4b7c-b813-65ae087befa7</xdomea:ID></xdomea:Identifikation></xdomea:Vorgang>";
    let file = format!(
        "<xdomea:Schriftgutobjekt><xdomea:Akte><xdomea:Identifikation><xdomea:ID>12552d67-43a1-4b7c-b813-65ae087befa7</xdomea:ID></xdomea:Identifikation><xdomea:Akteninhalt>{document}{case}</xdomea:Akteninhalt></xdomea:Akte></xdomea:Schriftgutobjekt>"
    );
    let (from, to) = (
        xml.find("<xdomea:Schriftgutobjekt>").unwrap(),
        xml.rfind("</xdomea:Schriftgutobjekt>").unwrap() + 26,
    );
    let xml = xml.replace(&xml[from..to], &file);
    let version = Version::ALL.into_iter().find(|version| xml.contains(version.namespace())).unwrap();
    let message = MessageType::by_root("Abgabe.Abgabe.0401", version).unwrap();
    let (mut memory, mut outgoing) = taken(version, message, &xml);
    outgoing.version = "2.4.0".to_owned();
    let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
    let other = unpack(&bytes).0;
    crate::tools::xmllint(&packs, "2.4.0", "0401", &other).unwrap();
    assert!(other.contains("<xdomea:Schriftgutobjekt><xdomea:Dokument>"), "{other}");
    assert!(written.report.findings.iter().any(|finding| finding.rule == "xdomea.moved"));
}

#[test]
fn a_fact_of_a_file_whose_name_occurs_twice_is_said_to_be_lost() {
    let (from, to) = (RICH.find("<xdomea:Format>").unwrap(), RICH.find("</xdomea:Format>").unwrap() + 16);
    let format = &RICH[from..to];
    let plain = format.replace("<xdomea:Hash><xdomea:Wert>ab</xdomea:Wert></xdomea:Hash>", "");
    let Some(xml) = with_object(&RICH.replace(format, &format!("{format}{plain}"))) else { return };
    let (other, findings) = lowered(&xml, Version::V3_1_0);
    let of_hash: Vec<&str> =
        findings.iter().filter(|(_, path)| path.ends_with("Hash")).map(|(rule, _)| &rule[..]).collect();
    assert_eq!(of_hash, ["xdomea.not-carried"], "{findings:#?}");
    assert!(!raised(&other, Version::V3_1_0).contains("<xdomea:Hash>"), "nobody knows whose it is");
}

#[test]
fn of_several_file_plans_the_first_goes_into_a_version_that_has_one() {
    let Some(packs) = shared("packs") else { return };
    let Some(xml) = with_object(RICH) else { return };
    let plan = |name: &str| {
        format!(
            "<xdomea:Aktenplan><xdomea:Bezeichnung>{name}</xdomea:Bezeichnung><xdomea:Version>1</xdomea:Version></xdomea:Aktenplan>"
        )
    };
    let end = "</xdomea:Aussonderung.Aussonderung.0503>";
    let xml = xml.replace(end, &format!("{}{}{end}", plan("Bauen"), plan("Wohnen")));
    for to in [Version::V2_4_0, Version::V3_1_0] {
        let (other, findings) = lowered(&xml, to);
        crate::tools::xmllint(&packs, to.number(), "0503", &other).unwrap();
        assert!(other.contains("Bauen</xdomea:Bezeichnung>") && !other.contains("Wohnen"), "{other}");
        let lost = ("xdomea.not-carried".to_owned(), "Aktenplan[2]".to_owned());
        assert!(findings.contains(&lost), "{findings:#?}");
    }
}
