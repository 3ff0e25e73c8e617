//! Every rule finds what it is for, and nothing in a good message.

use model::Severity;
use model::standard::Standard;
use xoev::container::ContainerWriter;
use xoev::xdomea::{Options, Xdomea};

use crate::memory::check;
use crate::tools::{official, own, pack, shared};

const ID: &str = "7bf9473a-b4a7-11ec-a407-005056871b7c";
const FILE: &str = "f4bcaaf7-d7cb-11ef-a278-005056871b7c_Plan.pdf";

/// A hand-over of a case with one document.
pub(crate) fn handover() -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<xdomea:Abgabe.Abgabe.0401 xmlns:xdomea="urn:xoev-de:xdomea:schema:3.1.0">
  <xdomea:Kopf>
    <xdomea:ProzessID>{ID}</xdomea:ProzessID>
    <xdomea:Nachrichtentyp listURI="urn:xoev-de:xdomea:codeliste:nachrichtentyp" listVersionID="2.0"><code>0401</code></xdomea:Nachrichtentyp>
    <xdomea:Erstellungszeitpunkt>2026-11-24T09:15:00</xdomea:Erstellungszeitpunkt>
    <xdomea:Absender><xdomea:Behoerdenkennung>
      <xdomea:Behoerdenschluessel listURI="" listVersionID=""><code>05974000</code></xdomea:Behoerdenschluessel>
      <xdomea:Praefix listURI="" listVersionID=""><code>bab</code></xdomea:Praefix></xdomea:Behoerdenkennung>
      <xdomea:Institution><xdomea:Name>Kreis</xdomea:Name></xdomea:Institution></xdomea:Absender>
    <xdomea:Empfaenger><xdomea:Institution><xdomea:Name>Stadt</xdomea:Name></xdomea:Institution></xdomea:Empfaenger>
    <xdomea:Importbestaetigung>true</xdomea:Importbestaetigung>
    <xdomea:Empfangsbestaetigung>true</xdomea:Empfangsbestaetigung>
  </xdomea:Kopf>
  <xdomea:Schriftgutobjekt><xdomea:Vorgang>
    <xdomea:Identifikation><xdomea:ID>11110000-0000-4000-8000-00000000000A</xdomea:ID></xdomea:Identifikation>
    <xdomea:AllgemeineMetadaten><xdomea:Betreff>Neubau</xdomea:Betreff>
      <xdomea:Vertraulichkeitsstufe><code>003</code></xdomea:Vertraulichkeitsstufe></xdomea:AllgemeineMetadaten>
    <xdomea:ArchivspezifischeMetadaten><xdomea:Aufbewahrungsdauer><xdomea:AnzahlJahre>10</xdomea:AnzahlJahre></xdomea:Aufbewahrungsdauer>
      <xdomea:Aussonderungsart><xdomea:Aussonderungsart><code>A</code></xdomea:Aussonderungsart></xdomea:Aussonderungsart></xdomea:ArchivspezifischeMetadaten>
    <xdomea:Dokument>
      <xdomea:Identifikation><xdomea:ID>11110000-0000-4000-8000-00000000000b</xdomea:ID></xdomea:Identifikation>
      <xdomea:Version><xdomea:Nummer>1</xdomea:Nummer><xdomea:Format>
        <xdomea:Name listVersionID="1.0"><code>018</code></xdomea:Name>
        <xdomea:Version/>
        <xdomea:Primaerdokument><xdomea:Dateiname>{FILE}</xdomea:Dateiname></xdomea:Primaerdokument>
      </xdomea:Format></xdomea:Version>
    </xdomea:Dokument>
  </xdomea:Vorgang></xdomea:Schriftgutobjekt>
</xdomea:Abgabe.Abgabe.0401>"#
    )
}

pub(crate) fn stem() -> String {
    format!("{ID}_Abgabe.Abgabe.0401")
}

fn container(xml: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    writer.entry(&format!("{}.xml", stem()), |sink| sink.write_all(xml.as_bytes())).unwrap();
    for (name, content) in files {
        writer.entry(name, |sink| sink.write_all(content)).unwrap();
    }
    writer.finish().unwrap()
}

fn good_files() -> Files<'static> {
    vec![(FILE, b"%PDF-1.7")]
}

/// Names and contents of files.
type Files<'a> = Vec<(&'a str, &'a [u8])>;

/// Rules with their severity.
fn rules(standard: &dyn Standard, bytes: &[u8], name: &str) -> Vec<(String, Severity)> {
    let report = check(standard, bytes, Some(name)).1;
    report.findings.into_iter().map(|finding| (finding.rule, finding.severity)).collect()
}

fn found(xml: &str, files: &[(&str, &[u8])]) -> Vec<(String, Severity)> {
    rules(&own(), &container(xml, files), &format!("{}.zip", stem()))
}

#[test]
fn a_good_message_is_identified_and_nothing_is_found_but_a_word_of_advice() {
    let name = format!("{}.zip", stem());
    let (identity, report) = check(&own(), &container(&handover(), &good_files()), Some(&name));
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["xdomea.fixed-boolean"]);
    let identity = identity.unwrap();
    assert_eq!((identity.standard.as_str(), identity.version.as_str()), ("xdomea", "3.1.0"));
    assert_eq!((identity.message_type.as_str(), identity.name.as_str()), ("0401", "Abgabe.Abgabe.0401"));
    assert_eq!(identity.process_id, Some(ID.parse().unwrap()));
    let sender = identity.sender.unwrap();
    assert_eq!(sender.authority.unwrap().as_str(), "bab:05974000");
    assert_eq!(sender.name.as_deref(), Some("Kreis"));
    assert!(identity.wants_receipt && identity.container);
}

#[test]
fn every_rule_finds_what_it_is_for() {
    use Severity::{Error, Warning};
    let good = handover();
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let document = &good[good.find("<xdomea:Dokument>").unwrap()..good.find("</xdomea:Vorgang>").unwrap()];
    let own_file = "11110000-0000-4000-8000-00000000000b.pdf";
    let nested = |levels: usize| {
        let open: String = (0..levels)
            .map(|n| format!("<xdomea:Teilvorgang><xdomea:Identifikation><xdomea:ID>22220000-0000-4000-8000-{n:012}</xdomea:ID></xdomea:Identifikation>"))
            .collect();
        good.replace(
            "</xdomea:Vorgang>",
            &format!("{open}{}</xdomea:Vorgang>", "</xdomea:Teilvorgang>".repeat(levels)),
        )
    };
    let pdf: &[u8] = b"%PDF-1.7";
    let cases: Vec<(&str, String, Files<'_>, Severity)> = vec![
        ("xdomea.file-missing", good.clone(), vec![], Error),
        ("xdomea.file-extra", good.clone(), vec![(FILE, pdf), ("a.txt", b"x")], Warning),
        (
            "xdomea.file-twice",
            replaced("</xdomea:Vorgang>", &format!("{}</xdomea:Vorgang>", document.replace("00b<", "00c<"))),
            good_files(),
            Warning,
        ),
        ("xdomea.file-uuid", replaced(FILE, own_file), vec![(own_file, pdf)], Warning),
        ("xdomea.uuid-twice", replaced("00000000000b<", "00000000000a<"), good_files(), Error),
        ("xdomea.uuid", replaced("00000000000b<", "00000000000|<"), good_files(), Error),
        ("xdomea.depth", nested(5), good_files(), Warning),
        ("xdomea.depth", nested(50), good_files(), Error),
        ("xdomea.format-name", replaced("<code>018</code>", "<code>100</code>"), good_files(), Error),
        ("xdomea.format-contradicted", good.clone(), vec![(FILE, b"PK\x03\x04")], Warning),
        ("xdomea.code-unknown", replaced("<code>018</code>", "<code>999</code>"), good_files(), Warning),
        (
            "xdomea.code-list-version",
            replaced("\"1.0\"><code>018", "\"9.9\"><code>018"),
            good_files(),
            Warning,
        ),
        ("xdomea.classified", replaced("<code>003</code>", "<code>001</code>"), good_files(), Error),
        ("xdomea.classified", replaced("<code>003</code>", "<code>002</code>"), good_files(), Error),
        ("xdomea.classified", replaced("<code>003</code>", "<code>004</code>"), good_files(), Error),
        ("xdomea.classified", replaced("<code>003</code>", "<code>005</code>"), good_files(), Error),
        ("xdomea.type-mismatch", replaced("<code>0401</code>", "<code>0101</code>"), good_files(), Warning),
        (
            "xdomea.process-id",
            replaced(&format!("{ID}</xdomea:P"), "11110000-0000-4000-8000-000000000001</xdomea:P"),
            good_files(),
            Error,
        ),
        (
            "xdomea.process-id",
            replaced(&format!("{ID}</xdomea:P"), "||||0000-0000-4000-8000-000000000001</xdomea:P"),
            good_files(),
            Error,
        ),
        ("xdomea.version-unsupported", replaced("schema:3.1.0", "schema:9.0.0"), good_files(), Error),
        (
            "xdomea.type-unsupported",
            good.replace("Abgabe.Abgabe.0401", "Abgabe.Abgabe.0499"),
            good_files(),
            Error,
        ),
        ("xdomea.record-too-large", replaced("Neubau", &"x".repeat(17 << 20)), good_files(), Error),
        ("xsd.1871", replaced("<xdomea:Nummer>1</xdomea:Nummer>", ""), good_files(), Error),
        ("xsd.1824", replaced("2026-11-24T", "2026-99-24T"), good_files(), Error),
        ("xml.truncated", good[..good.len() - 10].to_owned(), good_files(), Error),
        ("xml.entity", replaced("Neubau", "&neubau;"), good_files(), Error),
    ];
    let mut wrong = Vec::new();
    for (rule, xml, files, severity) in &cases {
        let found = found(xml, files);
        if !found.contains(&((*rule).to_owned(), *severity)) {
            wrong.push(format!("{rule}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn findings_have_their_place_and_never_a_value() {
    let secret = "Erika Mustermann";
    let xml = handover()
        .replace("Neubau", secret)
        .replace("<code>003</code>", "<code>001</code>")
        .replace("<xdomea:Erstellungszeitpunkt>2026", &format!("<xdomea:Erstellungszeitpunkt>{secret}"));
    let report = check(&own(), &container(&xml, &[]), None).1;
    let finding = report.findings.iter().find(|finding| finding.rule == "xdomea.classified").unwrap();
    assert_eq!(finding.line, Some(18));
    let path = "/Abgabe.Abgabe.0401/Schriftgutobjekt/Vorgang/AllgemeineMetadaten/Vertraulichkeitsstufe/code";
    assert_eq!(finding.path.as_deref(), Some(path));
    assert!(report.findings.len() >= 3, "all at once: {report:?}");
    assert!(!format!("{report:?}").contains("Mustermann"), "{report:?}");
    let lines: Vec<_> = report.findings.iter().filter_map(|finding| finding.line).collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn long_names_of_elements_do_not_make_a_long_report() {
    let name = format!("xdomea:{}", "x".repeat(500));
    let (open, close) = (format!("<{name}>").repeat(40), format!("</{name}>").repeat(40));
    let codes = "<xdomea:Vertraulichkeitsstufe><code>001</code></xdomea:Vertraulichkeitsstufe>".repeat(1_500);
    let xml = handover().replace(
        "<xdomea:AllgemeineMetadaten>",
        &format!("{open}{codes}{close}<xdomea:AllgemeineMetadaten>"),
    );
    let report = check(&own(), &container(&xml, &good_files()), None).1;
    assert!(report.more > 0 && !report.is_acceptable());
    assert!(report.findings.iter().any(|finding| finding.rule == "xdomea.classified"));
    let size = serde_json::to_vec(&report).unwrap().len();
    assert!(size < 2 << 20, "{size} bytes");
}

#[test]
fn a_foreign_version_is_shown_without_control_characters() {
    let xml = handover().replace("schema:3.1.0", "schema:&#x9b;31mEVIL&#10;forged");
    let identity = check(&own(), &container(&xml, &good_files()), None).0.unwrap();
    assert_eq!(identity.version, "\u{fffd}31mEVIL\u{fffd}forged");
}

#[test]
fn classified_for_official_use_is_taken_if_allowed() {
    let options = Options { allow_restricted: true, ..Options::default() };
    let standard = Xdomea::new(std::sync::Arc::new(schemas::Schemas::new()), options);
    let xml = handover().replace("<code>003</code>", "<code>002</code>");
    let report = check(&standard, &container(&xml, &good_files()), None).1;
    assert!(report.is_acceptable(), "{report:?}");
}

#[test]
fn a_lone_message_must_name_no_files() {
    let name = format!("{}.xml", stem());
    let found = rules(&own(), handover().as_bytes(), &name);
    assert!(found.contains(&("xdomea.no-container".into(), Severity::Error)), "{found:?}");
    let from = handover().find("<xdomea:Dokument>").unwrap();
    let to = handover().find("</xdomea:Vorgang>").unwrap();
    let mut bare = handover();
    bare.replace_range(from..to, "");
    let report = check(&own(), bare.as_bytes(), Some(&name)).1;
    assert!(report.is_acceptable(), "{report:?}");
}

#[test]
fn names_are_compared_with_what_is_inside() {
    let bytes = container(&handover(), &good_files());
    let mismatch = ("xdomea.type-mismatch".to_owned(), Severity::Error);
    let process = ("xdomea.process-id".to_owned(), Severity::Error);
    let name = ("xdomea.file-name".to_owned(), Severity::Warning);
    assert!(rules(&own(), &bytes, &format!("{ID}_Abgabe.Abgabe.0402.zip")).contains(&mismatch));
    let other = "11110000-0000-4000-8000-000000000001_Abgabe.Abgabe.0401.zip";
    assert!(rules(&own(), &bytes, other).contains(&process));
    assert!(rules(&own(), &bytes, "upload.zip").contains(&name));
}

#[test]
fn what_is_not_ours_is_left_to_others() {
    for bytes in [&b""[..], b"%PDF-1.7", b"<a/>", b"<a", b"\xff\xfe<\0a\0"] {
        let (identity, report) = check(&own(), bytes, None);
        assert!(identity.is_none(), "{bytes:?}");
        assert!(bytes == b"<a" || report.findings.is_empty(), "{bytes:?}: {report:?}");
    }
    let doctype = check(&own(), b"<!DOCTYPE a><a/>", None).1;
    assert_eq!(doctype.findings[0].rule, "xml.doctype");
    let damaged = container(&handover(), &good_files());
    let damaged = check(&own(), &damaged[..damaged.len() - 30], None).1;
    assert_eq!(damaged.findings[0].rule, "container.broken");
}

#[test]
fn a_damaged_file_in_the_container_is_found_by_the_check() {
    let mut bytes = container(&handover(), &good_files());
    let at = bytes.windows(8).position(|window| window == b"%PDF-1.7").unwrap();
    bytes[at] = b'x';
    let found = rules(&own(), &bytes, &format!("{}.zip", stem()));
    assert!(found.contains(&("container.checksum".into(), Severity::Error)), "{found:?}");
}

#[test]
fn every_xdomea_sample_is_judged_as_its_index_says() {
    let (Some(samples), Some(packs)) = (shared("samples/xoev/xdomea"), shared("packs")) else { return };
    let (by_pack, by_own) = (official(&packs), own());
    let mut count = 0;
    for folder in std::fs::read_dir(&samples).unwrap() {
        for entry in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            let bytes = match path.extension().and_then(|ending| ending.to_str()) {
                Some("zip") => bytes,
                Some("xml") => {
                    pack(path.file_stem().unwrap().to_str().unwrap(), &String::from_utf8(bytes).unwrap())
                }
                _ => continue,
            };
            let (identity, report) = check(&by_pack, &bytes, Some(&name));
            assert!(report.is_acceptable(), "{name}: {report:#?}");
            let identity = identity.unwrap();
            assert_eq!(
                by_pack.identify(&mut std::io::Cursor::new(bytes.clone()), None).unwrap(),
                Some(identity.clone())
            );
            let own_report = check(&by_own, &bytes, Some(&name)).1;
            let is_ours = ["3.0.0", "3.1.0"].contains(&identity.version.as_str())
                && ["0101", "0102", "0401", "0402", "0403"].contains(&identity.message_type.as_str());
            let is_absent = own_report.findings.iter().any(|finding| finding.rule == "schema.absent");
            assert!(!(is_ours && is_absent), "{name}: {own_report:#?}");
            assert!(own_report.is_acceptable() || is_absent, "{name}: {own_report:#?}");
            count += 1;
        }
    }
    assert_eq!(count, 42);
}

#[test]
fn other_standards_are_recognised_and_carried_on() {
    let Some(samples) = shared("samples/xoev") else { return };
    let all = xoev::standards(std::sync::Arc::new(schemas::Schemas::new()), Options::default());
    let cases = [
        ("xjustiz/eeb1_v3_2.xml", "xjustiz", "3.2.1", "2200007"),
        ("xbeteiligung/xbeteiligung-test-kommunal.Initiieren.0401.xml", "xbeteiligung", "1.2", "0401"),
        ("xwasser/administration_receipt.xml", "xwasser", "1.0.0", "0020"),
        ("xgewerbeanzeige/xgwa2.2-valid.xml", "xgewerbeanzeige", "2.2", "0500"),
        ("xdatenfelder/v2-data/simple.xml", "xdatenfelder", "2", "0102"),
        ("xplanung/BPlan002_5-4.gml", "xplanung", "5.4", "XPlanAuszug"),
        ("xplanung/BPlan001_6-0.zip", "xplanung", "6.0", "XPlanAuszug"),
    ];
    for (path, standard, version, message_type) in cases {
        let bytes = std::fs::read(samples.join(path)).unwrap();
        let owners: Vec<_> = all.iter().filter_map(|standard| check(&**standard, &bytes, None).0).collect();
        assert_eq!(owners.len(), 1, "{path}: {owners:?}");
        let is = (owners[0].standard.as_str(), owners[0].version.as_str(), owners[0].message_type.as_str());
        assert_eq!(is, (standard, version, message_type), "{path}");
    }
}
