use std::io::Read;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use xoev::container::ContainerWriter;
use xta::client::{self, Call, Client};
use xta::model::{DeliveryAttributes, Version};

use super::*;

const ID: &str = "5558aeab-4b75-44db-80e5-7219da4751a2";

fn now() -> Timestamp {
    Timestamp::parse("2026-11-29T09:00:00Z").unwrap()
}

/// A submission that names these files.
fn message(files: &[&str]) -> String {
    let file = |name: &&str| format!("<datei><dateiname>{name}</dateiname></datei>");
    format!(
        r#"<nachricht.gds.uebermittlungSchriftgutobjekte.0005005 xmlns="http://www.xjustiz.de"><nachrichtenkopf
xjustizVersion="3.5.1"><aktenzeichen.empfaenger>12 OWi 7/26</aktenzeichen.empfaenger><eigeneNachrichtenID>{ID}</eigeneNachrichtenID>
</nachrichtenkopf><dokument>{}</dokument></nachricht.gds.uebermittlungSchriftgutobjekte.0005005>"#,
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

/// The contents that a court is sent, or the rules that keep it from being sent.
fn sent(bytes: &[u8], form: &CourtForm) -> Result<Goods, Vec<String>> {
    let detail = json!({ "fileName": "antrag.zip" });
    let goods = Goods::stage(bytes, &detail, 1 << 20).unwrap();
    unpacked(goods, &detail, &rules(form, Limits::default(), now())).map_err(|failure| {
        assert_eq!((failure.kind, failure.code.as_ref()), (FailureKind::Rejected, "xta-party.court"));
        failure.findings.into_iter().map(|finding| finding.rule).collect()
    })
}

fn rules_of(bytes: &[u8], form: &CourtForm) -> Vec<String> {
    sent(bytes, form).map_or_else(|rules| rules, |_| vec![])
}

fn text(goods: &Goods, index: usize) -> String {
    let mut text = String::new();
    goods.open(index).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn submission() -> (String, Vec<u8>) {
    let message = message(&["Klage.pdf"]);
    let bytes = zip(&[("Klage.pdf", "%PDF"), ("nachricht.txt", "Grüße"), (FILE_NAME, &message)]);
    (message, bytes)
}

/// The envelope as the courier makes it.
fn meta(form: &CourtForm, scheme: Option<&str>) -> MetaData {
    let name = |id: &str, scheme: Option<&str>| Name {
        id: id.to_owned(),
        scheme: scheme.map(str::to_owned),
        ..Name::default()
    };
    let author = Name { name: Some("Bußgeldstelle".to_owned()), ..name("DE.Test.1", Some("xoev")) };
    let plain = MetaData {
        delivery: DeliveryAttributes { origin: "2026-11-29T09:00:00Z".parse().ok(), ..Default::default() },
        author,
        reader: name("DE.Justiz.2", scheme),
        message_id: "urn:de:xta:messageid:t:1".to_owned(),
        ..MetaData::default()
    };
    envelope(plain, form, Some("Az. 12 OWi 7/26"))
}

#[test]
fn the_letter_is_the_message_and_each_file_an_attachment_with_xjustiz_first() {
    let (message, bytes) = submission();
    let goods = sent(&bytes, &CourtForm::default()).unwrap();
    let shown = goods.list().iter().map(|(it, size)| {
        (it.role, it.media_type.as_str(), it.encoding.as_deref(), it.file_name.as_deref(), *size)
    });
    let shown: Vec<_> = shown.collect();
    let attachment = ContentRole::Attachment;
    let expected = [
        (ContentRole::Message, "text/plain", Some("UTF-8"), None, 7),
        (attachment, "application/xml", None, Some(FILE_NAME), message.len() as u64),
        (attachment, "application/pdf", None, Some("Klage.pdf"), 4),
    ];
    assert_eq!(shown, expected);
    assert_eq!([0, 1, 2].map(|index| text(&goods, index)), ["Grüße".to_owned(), message, "%PDF".to_owned()]);
    assert_eq!(goods.subject(), Some("Az. 12 OWi 7/26"));
}

#[test]
fn without_a_letter_the_subject_is_the_text() {
    let goods = sent(message(&[]).as_bytes(), &CourtForm::default()).unwrap();
    assert_eq!((goods.list().len(), text(&goods, 0).as_str()), (2, "Az. 12 OWi 7/26"));
    let eeb = format!(
        r#"<nachricht.eeb.zuruecklaufend.2200007 xmlns="http://www.xjustiz.de"><nachrichtenkopf xjustizVersion="3.5.1">
<aktenzeichen.empfaenger>7 C 1/26</aktenzeichen.empfaenger><fremdeNachrichtenID>{ID}</fremdeNachrichtenID></nachrichtenkopf>
<fachdaten><empfangsbestaetigung>2026-11-28</empfangsbestaetigung></fachdaten></nachricht.eeb.zuruecklaufend.2200007>"#
    );
    assert_eq!(sent(eeb.as_bytes(), &CourtForm::default()).unwrap().subject(), Some("EB zu: 7 C 1/26"));
}

#[test]
fn what_a_court_does_not_take_goes_back_with_every_rule() {
    let bytes = zip(&[(FILE_NAME, &message(&["a.pdf"])), ("Notiz 1.docx", "x")]);
    let broken = ["xjustiz.file-name-characters", "xjustiz.file-not-listed", "xjustiz.file-missing"];
    assert_eq!(rules_of(&bytes, &CourtForm::default()), broken);
    assert_eq!(rules_of(b"<a/>", &CourtForm::default()), ["xjustiz.no-message"]);
}

#[test]
fn what_the_configuration_says_of_a_court_holds() {
    let video = zip(&[(FILE_NAME, &message(&["Messung.mp4"])), ("Messung.mp4", "x")]);
    let usual = CourtForm::default();
    assert_eq!(rules_of(&video, &usual), ["xjustiz.file-format"]);
    assert_eq!(rules_of(&video, &CourtForm { formats: vec!["mp4".into()], ..usual.clone() }), [""; 0]);
    let (_, bytes) = submission();
    assert_eq!(rules_of(&bytes, &CourtForm { files: Some(1), ..usual.clone() }), ["xjustiz.too-many-files"]);
    assert_eq!(rules_of(&bytes, &CourtForm { megabytes: Some(0), ..usual.clone() }), ["xjustiz.too-large"]);
    let versions = vec!["3.7".to_owned()];
    assert_eq!(rules_of(&bytes, &CourtForm { versions, ..usual }), ["xjustiz.version"]);
}

#[test]
fn what_was_sent_by_xta_is_judged_as_it_is() {
    let detail = json!({ "container": true });
    let message = message(&["Klage 1.pdf"]);
    let listed = |name: &str, length: usize| {
        let content = Content { file_name: Some(name.to_owned()), ..Content::default() };
        (content, length as u64)
    };
    let goods = |name: &str| {
        let mut staging = Staging::new(1 << 16, u64::MAX);
        staging.take(format!("{message}%PDF").as_bytes()).unwrap();
        Goods::of(staging.finish(), vec![listed(name, message.len()), listed("Klage 1.pdf", 4)], None)
    };
    let rules = |name: &str| {
        let outcome =
            unpacked(goods(name), &detail, &super::rules(&CourtForm::default(), Limits::default(), now()));
        outcome.map_or_else(|failure| failure.findings, |_| vec![]).into_iter().map(|it| it.rule)
    };
    assert_eq!(rules(FILE_NAME).collect::<Vec<_>>(), ["xjustiz.file-name-characters"]);
    assert_eq!(rules("brief.xml").collect::<Vec<_>>(), ["xjustiz.no-message"]);
}

#[test]
fn a_content_without_a_name_counts_and_breaks_the_rules_unless_it_is_the_text() {
    let message = message(&[]);
    let content = |role, name: Option<&str>, length: usize| {
        (Content { role, file_name: name.map(str::to_owned), ..Content::default() }, length as u64)
    };
    let rules = |nameless| {
        let mut staging = Staging::new(1 << 16, u64::MAX);
        staging.take(format!("{message}%PDF").as_bytes()).unwrap();
        let listed = vec![
            content(ContentRole::Attachment, Some(FILE_NAME), message.len()),
            content(nameless, None, 4),
        ];
        let goods = Goods::of(staging.finish(), listed, None);
        let form = CourtForm { files: Some(1), ..CourtForm::default() };
        let rules = super::rules(&form, Limits::default(), now());
        let outcome = unpacked(goods, &json!({ "container": true }), &rules);
        outcome.map_or_else(|failure| failure.findings, |_| vec![]).into_iter().map(|it| it.rule)
    };
    assert_eq!(rules(ContentRole::Message).count(), 0);
    let broken = ["xjustiz.too-many-files", "xjustiz.file-format", "xjustiz.file-not-listed"];
    assert_eq!(rules(ContentRole::Attachment).collect::<Vec<_>>(), broken);
}

#[test]
fn a_container_may_hold_what_is_taken_in() {
    let goods = |detail| Goods::stage(&submission().1[..], detail, 1 << 20).unwrap();
    let detail = json!({ "fileName": "antrag.zip" });
    let few = Limits { entries: 2, ..Limits::default() };
    let refused = unpacked(goods(&detail), &detail, &rules(&CourtForm::default(), few, now()));
    let rules: Vec<_> = refused.err().unwrap().findings.into_iter().map(|it| it.rule).collect();
    assert_eq!(rules, ["container.too-many-files"]);
}

/// What the schemas of the standard say of the request that carries a submission: the blocks with a fault, and the fault.
fn judged(form: &CourtForm, scheme: Option<&str>) -> (String, String) {
    let goods = sent(&submission().1, form).unwrap();
    let meta = meta(form, scheme);
    let client = Client {
        version: Version::V3,
        party: meta.author.clone(),
        as_packages: false,
        limits: client::Limits::default(),
    };
    let request = client.request("https://gateway.test/send", &Call::Send(&meta, &goods)).unwrap();
    let mut envelope = String::new();
    request.body.open().read_to_string(&mut envelope).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("request.xml");
    std::fs::write(&file, &envelope).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/senders/xta/validate.py");
    assert!(script.exists(), "the test material {} is missing", script.display());
    let said = Command::new("/usr/bin/python3").arg("-B").arg(script).arg("v3").arg(file).output().unwrap();
    (String::from_utf8(said.stdout).unwrap() + &String::from_utf8_lossy(&said.stderr), envelope)
}

#[test]
fn a_submission_is_valid_and_of_the_form_that_was_seen() {
    let form = CourtForm::default();
    let (verdict, envelope) = judged(&form, Some("XTA_ID"));
    assert!(verdict.starts_with("ok ") && !verdict.contains("FAIL"), "{verdict}");
    // The reader with its id alone, as it was seen, is the one thing that the schema does not allow.
    let (verdict, as_seen) = judged(&form, None);
    assert!(verdict.contains("FAIL") && verdict.contains("'type' is required"), "{verdict}");
    let without_type = |text: &str| text.replace(" type=\"XTA_ID\">DE.Justiz.2", ">DE.Justiz.2");
    let meta_of = |text: &str| {
        let from = text.find("MessageMetaData").unwrap();
        text[from..text.find("/m:MessageMetaData").unwrap()].to_owned()
    };
    assert_eq!(without_type(&meta_of(&envelope)), meta_of(&as_seen));
    for part in [
        "<m:Identifier type=\"XTA_ID\" name=\"Bußgeldstelle\">DE.Test.1</m:Identifier>",
        "<m:Identifier>DE.Justiz.2</m:Identifier>",
        "<m:Subject>Az. 12 OWi 7/26</m:Subject>",
        "listURI=\"urn:de:bos_bremen:gov:gateway:messageTypes\" listVersionID=\"1.0\" \
         payloadSchema=\"http://xoev.de/transport/xta/211\"><code>XTA</code>",
    ] {
        assert!(as_seen.contains(part), "{part}: {as_seen}");
    }
    assert!(as_seen.contains("<m:Service/>") || as_seen.contains("<m:Service></m:Service>"), "{as_seen}");
}
