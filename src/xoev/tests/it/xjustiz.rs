//! XJustiz: what messages say of themselves in every version, and what may be sent to a court.

use std::io::Cursor;

use model::Report;
use model::Timestamp;
use model::standard::{Acknowledgement, Standard};
use xoev::container::ContainerWriter;
use xoev::xdomea::Options;
use xoev::xjustiz::{self, Eeb, Rules, Submission};

use crate::memory::check;
use crate::tools::shared;

const ID: &str = "5558aeab-4b75-44db-80e5-7219da4751a2";

fn standard() -> Box<dyn Standard> {
    let all = xoev::standards(std::sync::Arc::new(schemas::Schemas::new()), Options::default());
    all.into_iter().find(|standard| standard.name() == "xjustiz").unwrap()
}

/// A submission of version 3.6 that names files.
pub(crate) fn submission(files: &[&str]) -> String {
    let file = |name: &&str| {
        format!("<datei><dateiname>{name}</dateiname><bestandteil><code>001</code></bestandteil></datei>")
    };
    format!(
        r#"<nachricht.gds.uebermittlungSchriftgutobjekte.0005005 xmlns="http://www.xjustiz.de">
<nachrichtenkopf xjustizVersion="3.6.2"><absender><eigeneNachrichtenID>{ID}</eigeneNachrichtenID></absender>
<empfaenger><auswahl_aktenzeichen><aktenzeichen.freitext>12 OWi 7/26</aktenzeichen.freitext></auswahl_aktenzeichen>
</empfaenger></nachrichtenkopf><schriftgutobjekte><dokument>{}</dokument></schriftgutobjekte>
</nachricht.gds.uebermittlungSchriftgutobjekte.0005005>"#,
        files.iter().map(file).collect::<String>()
    )
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    for (name, content) in files {
        writer.entry(name, |sink| sink.write_all(content.as_bytes())).unwrap();
    }
    writer.finish().unwrap()
}

fn open(bytes: &[u8]) -> (Option<Submission>, Vec<String>) {
    let now = Timestamp::parse("2026-11-29T09:00:00Z").unwrap();
    let mut report = Report::default();
    let opened = Submission::open(&mut Cursor::new(bytes), &Rules::at(now), &mut report).unwrap();
    (opened, report.findings.into_iter().map(|finding| finding.rule).collect())
}

/// The id of the message that one answers, and what it says of its receipt.
fn answer(bytes: &[u8]) -> (Option<String>, Option<Acknowledgement>) {
    let identity = check(&*standard(), bytes, None).0.unwrap();
    (identity.answers.map(|id| id.to_string()), identity.acknowledgement)
}

#[test]
fn every_sample_says_its_version_its_id_and_whether_it_asks_for_an_acknowledgement() {
    let Some(folder) = shared("samples/xoev/xjustiz") else { return };
    let standard = standard();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, bytes) = (path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (identity, report) = check(&*standard, &bytes, Some(name));
        let identity = identity.unwrap();
        let version = if text.contains("xjustizVersion=\"2.4.0\"") { "2.4.0" } else { "3.2.1" };
        assert_eq!(identity.version, version, "{name}");
        let is_eeb = text.contains("nachricht.eeb.zuruecklaufend");
        assert_eq!(identity.message_type, if is_eeb { "2200007" } else { "0005005" }, "{name}");
        let has_id = text.contains("eigene_Nachrichten_ID") || text.contains("eigeneNachrichtenID");
        assert_eq!(identity.process_id.is_some(), has_id, "{name}");
        let asks = text.lines().any(|line| line.contains("EEB") && line.contains("erforderlich>true<"));
        assert_eq!(identity.wants_receipt, asks, "{name}");
        assert_eq!(report.findings.iter().any(|it| it.rule == "xjustiz.eeb-requested"), asks, "{name}");
        let at_door = standard.identify(&mut Cursor::new(bytes), None).unwrap().unwrap();
        assert_eq!((at_door.version, at_door.process_id), (identity.version, identity.process_id), "{name}");
        count += 1;
    }
    assert_eq!(count, 27);
}

#[test]
fn an_acknowledgement_says_which_message_was_received_and_when() {
    let Some(folder) = shared("samples/xoev/xjustiz") else { return };
    for name in ["eeb1_v2_4.xml", "eeb1_v3_2.xml"] {
        let day = Some("2019-05-28".to_owned());
        let expected = (Some(ID.to_owned()), Some(Acknowledgement { day, refused: None }));
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(answer(&bytes), expected, "{name}");
        // Also in a container, as it is fetched.
        let text = String::from_utf8(bytes).unwrap();
        let packed = zip(&[("nachricht.txt", "EB zu: 1"), (xjustiz::FILE_NAME, &text), ("x.xml", "<x/>")]);
        assert_eq!(answer(&packed), expected, "{name}");
    }
}

#[test]
fn a_refusal_says_its_reason_by_the_code_alone() {
    let message = |inner: &str| {
        format!(
            r#"<nachricht.eeb.zuruecklaufend.2200007 xmlns="http://www.xjustiz.de"><nachrichtenkopf xjustizVersion="3.6.2">
<empfaenger><fremdeNachrichtenID>{ID}</fremdeNachrichtenID></empfaenger></nachrichtenkopf><fachdaten>{inner}</fachdaten>
</nachricht.eeb.zuruecklaufend.2200007>"#
        )
    };
    for (inner, reason) in [
        (
            "<stoerungsmeldung><stoerungsID><code xmlns=\"\">2</code></stoerungsID><stoerungsGrund>Seite 3 fehlt</stoerungsGrund></stoerungsmeldung>",
            "2",
        ),
        (
            "<stoerungsmeldung><stoerungsID><code xmlns=\"\">nicht &lt;so&gt;</code></stoerungsID></stoerungsmeldung>",
            "",
        ),
        ("<stoerungsmeldung/>", ""),
    ] {
        let refused = Acknowledgement { day: None, refused: Some(reason.to_owned()) };
        let expected = (Some(ID.to_owned()), Some(refused));
        assert_eq!(answer(message(inner).as_bytes()), expected, "{inner}");
    }
    let said = xjustiz::read(message("<empfangsbestaetigung>gestern</empfangsbestaetigung>").as_bytes());
    assert_eq!(said.unwrap().unwrap().eeb, Some(Eeb::Received(String::new())));
    assert_eq!(answer(message("").as_bytes()), (Some(ID.to_owned()), None));
}

#[test]
fn a_submission_has_the_message_first_and_its_letter_is_no_file() {
    let message = submission(&["Klage.pdf", "Anlage_1.tif"]);
    let all = [
        ("Klage.pdf", "%PDF"),
        ("nachricht.txt", "Guten Tag"),
        ("eingabe.xml", &message),
        ("Anlage_1.tif", "II"),
    ];
    let bytes = zip(&all);
    let (opened, rules) = open(&bytes);
    assert_eq!(rules, Vec::<String>::new());
    let (opened, mut source) = (opened.unwrap(), Cursor::new(&bytes));
    assert_eq!(opened.said.file_number.as_deref(), Some("12 OWi 7/26"));
    assert_eq!(opened.letter.as_deref(), Some("Guten Tag"));
    let mut read = Vec::new();
    let each = opened.each(&mut source, |name, content| {
        let mut text = String::new();
        content.read_to_string(&mut text)?;
        read.push((name.to_owned(), text));
        Ok::<(), std::io::Error>(())
    });
    each.unwrap();
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [xjustiz::FILE_NAME, "Anlage_1.tif", "Klage.pdf"]);
    assert_eq!((read[0].1.as_str(), read[2].1.as_str()), (message.as_str(), "%PDF"));
}

#[test]
fn a_lone_message_is_sent_if_it_names_no_files() {
    assert!(open(submission(&[]).as_bytes()).0.is_some());
    let (opened, rules) = open(submission(&["Klage.pdf"]).as_bytes());
    assert!(opened.is_none());
    assert_eq!(rules, ["xjustiz.file-missing"]);
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let message = submission(&["99 - Klage.pdf", "Fehlt.pdf"]);
    let (opened, rules) =
        open(&zip(&[(xjustiz::FILE_NAME, &message), ("99 - Klage.pdf", "%PDF"), ("Anlagen.zip", "PK")]));
    assert!(opened.is_none());
    let expected = [
        "xjustiz.file-name-characters",
        "xjustiz.file-format",
        "xjustiz.file-not-listed",
        "xjustiz.file-missing",
    ];
    assert_eq!(rules, expected);
    for (bytes, rule) in [
        (zip(&[("Klage.pdf", "%PDF")]), "xjustiz.no-message"),
        (b"%PDF".to_vec(), "xjustiz.no-message"),
        (b"<a/>".to_vec(), "xjustiz.no-message"),
        (submission(&[]).replace("</nachrichtenkopf>", "").into_bytes(), "xml.syntax"),
    ] {
        let (opened, rules) = open(&bytes);
        assert!(opened.is_none());
        assert_eq!(rules, [rule]);
    }
}

#[test]
fn a_letter_is_text_of_at_most_sixty_four_kibibytes() {
    let message = submission(&[]);
    for (length, expected) in [(65_536, vec![]), (65_537, vec!["xjustiz.letter"])] {
        let letter = "x".repeat(length);
        let rules = open(&zip(&[(xjustiz::FILE_NAME, &message), ("nachricht.txt", &letter)])).1;
        assert_eq!(rules, expected, "{length}");
    }
    let mut writer = ContainerWriter::new(Vec::new());
    writer.entry(xjustiz::FILE_NAME, |sink| sink.write_all(message.as_bytes())).unwrap();
    writer.entry("nachricht.txt", |sink| sink.write_all(b"Gr\xfc\xdfe")).unwrap();
    assert_eq!(open(&writer.finish().unwrap()).1, ["xjustiz.letter"]);
}
