//! Messages of one version in another: valid by the official schema, what was lost is reported, and what
//! rides in an extension comes back.

use model::standard::{Outgoing, Sequence};
use schemas::testdata::{Maker, Outline};
use xoev::xdomea::again;
use xoev::xdomea::messages::{MessageType, Version, stem};

use crate::memory::{Memory, check, read, write};
use crate::tools::{Judge, canonical, own, pack, shared, unpack};

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
const RICH: &str = r#"<xdomea:Akte><xdomea:Identifikation><xdomea:xdomeaUUID>20552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Kontextobjekt>1</xdomea:Kontextobjekt><xdomea:AllgemeineMetadaten><xdomea:Betreff>Bauakte ☂</xdomea:Betreff><xdomea:Geheimhaltung><xdomea:Geheimhaltungsgrad listURI="urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe" listVersionID="1.0"><code>003</code></xdomea:Geheimhaltungsgrad><xdomea:Einstufungsfrist>2040</xdomea:Einstufungsfrist></xdomea:Geheimhaltung><xdomea:Strukturpfad><xdomea:Pfadelement><xdomea:Name>Bauen</xdomea:Name><xdomea:Typ><code>005</code></xdomea:Typ></xdomea:Pfadelement></xdomea:Strukturpfad></xdomea:AllgemeineMetadaten><xdomea:Aussonderungsmetadaten><xdomea:Aufbewahrungsdauer><xdomea:Unbefristet>1</xdomea:Unbefristet></xdomea:Aufbewahrungsdauer><xdomea:Aufbewahrungsende>2030-06-30</xdomea:Aufbewahrungsende><xdomea:Transferfristende>2031-01-01</xdomea:Transferfristende></xdomea:Aussonderungsmetadaten><xdomea:Akteninhalt><xdomea:DokumentOderDokumentMitSchriftstueck><xdomea:DokumentMitSchriftstueck><xdomea:Identifikation><xdomea:xdomeaUUID>30552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Anlage><xdomea:Dokument><xdomea:Identifikation><xdomea:xdomeaUUID>40552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation></xdomea:Dokument><xdomea:Nummer>1</xdomea:Nummer></xdomea:Anlage><xdomea:Autor><xdomea:erreichbarkeit><kanal listVersionID="3"><code>08</code></kanal><kennung>a@b.example</kennung></xdomea:erreichbarkeit></xdomea:Autor><xdomea:Schriftstueck><xdomea:Identifikation><xdomea:xdomeaUUID>50552d67-43a1-4b7c-b813-65ae087befa7</xdomea:xdomeaUUID></xdomea:Identifikation><xdomea:Version><xdomea:Nummer>1</xdomea:Nummer><xdomea:Format><xdomea:Name listVersionID="1.0"><code>045</code></xdomea:Name><xdomea:Version/><xdomea:Primaerdokument><xdomea:Dateiname>60552d67-43a1-4b7c-b813-65ae087befa7_Text.txt</xdomea:Dateiname><xdomea:Hash><xdomea:Wert>ab</xdomea:Wert></xdomea:Hash></xdomea:Primaerdokument></xdomea:Format></xdomea:Version></xdomea:Schriftstueck></xdomea:DokumentMitSchriftstueck></xdomea:DokumentOderDokumentMitSchriftstueck></xdomea:Akteninhalt></xdomea:Akte>"#;

#[test]
fn what_rides_in_an_extension_comes_back_in_its_place() {
    let Some(samples) = shared("samples/xoev/xdomea/opengovdoc-4.0.0-0503") else { return };
    let Some(packs) = shared("packs") else { return };
    let sample =
        std::fs::read_to_string(samples.join("dcf9f610-edce-5531-ad75-2499d4978bea_0503_1.xml")).unwrap();
    let from = sample.find("<xdomea:Schriftgutobjekt>").unwrap();
    let xml = format!(
        "{}<xdomea:Schriftgutobjekt>{RICH}</xdomea:Schriftgutobjekt></xdomea:Aussonderung.Aussonderung.0503>",
        sample[..from].replace("dcf9f610-edce-5531-ad75-2499d4978bea", PROCESS)
    );
    let message = MessageType::by_root("Aussonderung.Aussonderung.0503", Version::V4_0_0).unwrap();
    for between in [Version::V2_3_0, Version::V2_4_0, Version::V3_0_0, Version::V3_1_0] {
        let (mut memory, mut outgoing) = taken(Version::V4_0_0, message, &xml);
        let (id, sequence) = (outgoing.message_id, outgoing.sequence);
        outgoing.version = between.number().to_owned();
        let (bytes, written) = write(&own(), &outgoing, &mut memory).unwrap();
        let other = unpack(&bytes).0;
        crate::tools::xmllint(&packs, between.number(), "0503", &other).unwrap();
        let found = |rule: &str| written.report.findings.iter().filter(|f| f.rule == rule).count();
        assert!(found("xdomea.carried-in-extension") > 5, "{:#?}", written.report);
        let lost: Vec<_> =
            written.report.findings.iter().filter(|f| f.rule == "xdomea.not-carried").collect();
        assert!(
            lost.iter().all(|f| f.path.as_deref().is_some_and(|path| path.starts_with("Kopf/"))),
            "{lost:#?}"
        );
        let (mut memory, mut outgoing) = taken(between, message, &other);
        outgoing.version = Version::V4_0_0.number().to_owned();
        (outgoing.message_id, outgoing.sequence) = (id, sequence);
        let back = unpack(&write(&own(), &outgoing, &mut memory).unwrap().0).0;
        let records = |xml: &str| {
            let text = canonical(xml);
            text[text.find("<xdomea:Schriftgutobjekt>").unwrap()..].to_owned()
        };
        let (was, is) = (records(&xml), records(&back));
        assert_eq!(
            was.replace(" listURI=\"urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe\"", ""),
            is.replace(" listURI=\"urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe\"", ""),
            "{between:?}"
        );
    }
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
