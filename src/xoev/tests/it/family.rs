//! Messages of other XÖV standards: what they are, what their headers say, and how they are rejected. Judged by xmllint with the
//! official schemas.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use model::party::{Address, Contact, Party};
use model::standard::{Identity, Rejecting, Standard, Written};
use model::{FailureKind, Finding, Report, Timestamp};
use proptest::prelude::*;
use schemas::Schemas;
use xoev::family::Family;
use xoev::xdomea::Options;

use crate::memory::check;
use crate::tools::{run, shared};

const ID: &str = "1c7a7b0e-6f0c-4c9e-9a3e-7d8b0a6a1f10";
const OURS: &str = "2d8b0a6a-1f10-4c9e-9a3e-1c7a7b0e6f0c";
const ANSWERED: &str = "3e9c1b7b-2021-4daf-8b4f-2d8b0a6a1f10";

/// An acknowledgement of XInneres (0020), the smallest message with its header.
fn xinneres() -> String {
    let office = |key: &str, rest: &str, name: &str| {
        format!(
            r#"<behoerdenkennung><praefix listVersionID="51"><code>ags</code></praefix><kennung listURI="urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:ags" listVersionID="2018-01-31"><code>{key}</code></kennung></behoerdenkennung>{rest}<behoerdenname>{name}</behoerdenname>"#
        )
    };
    let place = "<erreichbarkeit><kanal><code>01</code></kanal><kennung>a@example.org</kennung></erreichbarkeit>\
        <anschrift><gebaeude><postleitzahl>59494</postleitzahl><strasse>Weg</strasse><wohnort>Soest</wohnort></gebaeude></anschrift>";
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<q:quittungVonSachverhalten.quittung.0020 xmlns:q="http://www.osci.de/xinneres/quittung/3" produkt="p" produkthersteller="h" standard="XInneres-QuittungVonSachverhalten" version="3" test="1"><nachrichtenkopf><identifikation.nachricht><nachrichtenUUID>{ID}</nachrichtenUUID><nachrichtentyp><code>0020</code></nachrichtentyp><erstellungszeitpunkt>2026-11-24T09:15:00+01:00</erstellungszeitpunkt></identifikation.nachricht><leser>{}</leser><autor>{}</autor></nachrichtenkopf><ursprungsnachricht><nachrichtenUUID>{ANSWERED}</nachrichtenUUID><nachrichtentyp listURI="urn:x" listVersionID="1"><code>0201</code></nachrichtentyp><erstellungszeitpunkt>2026-11-23T09:15:00+01:00</erstellungszeitpunkt></ursprungsnachricht><quittung><ursprungsereignis><ereignis.zeitpunkt>2026-11-22T09:15:00</ereignis.zeitpunkt><ereignis.zeichen>7</ereignis.zeichen></ursprungsereignis><sachverhalt><code>1</code></sachverhalt></quittung></q:quittungVonSachverhalten.quittung.0020>"#,
        office("05974040", "", "Meldebehörde Soest"),
        office("05974028", place, "Meldebehörde Lippstadt")
    )
}

/// A message of XBau-Kernmodul 1.3.0 (1150) that brings a plan.
fn xbau() -> String {
    let office = |key: &str, name: &str| {
        format!(
            r#"<verzeichnisdienst listVersionID="1"><code>DVDV</code></verzeichnisdienst><kennung>{key}</kennung><name>{name}</name>"#
        )
    };
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<x:prozessnachrichten.ruecknahme.1130 xmlns:x="http://www.xleitstelle.de/xbau/kernmodul/1/3/0" xmlns:g="http://xoev.de/schemata/basisnachricht/g2g/1_1" produkt="p" produkthersteller="h" standard="XBau-Kernmodul" version="1.3.0"><nachrichtenkopf.g2g><identifikation.nachricht><nachrichtenUUID>{ID}</nachrichtenUUID><nachrichtentyp listURI="urn:xoev-de:xbau-kernmodul:codeliste:xbau-kernmodul-nachrichten" listVersionID="3.0"><code>1130</code></nachrichtentyp><erstellungszeitpunkt>2026-11-24T09:15:00</erstellungszeitpunkt></identifikation.nachricht><leser>{}</leser><autor>{}</autor></nachrichtenkopf.g2g><bezug><vorgang>7</vorgang><bezugNachricht><g:nachrichtenUUID>{ANSWERED}</g:nachrichtenUUID><g:nachrichtentyp><code>1200</code></g:nachrichtentyp><g:erstellungszeitpunkt>2026-11-23T09:15:00</g:erstellungszeitpunkt></bezugNachricht></bezug><anlagen><anlage><bezeichnung>Plan</bezeichnung><datum>2026-11-01</datum><anlageart listURI="urn:x" listVersionID="1"><code>1</code></anlageart><mimeType listURI="urn:xoev-de:xbau:codeliste:xbau-mimetypes" listVersionID="1"><code>1</code></mimeType><anhangOderVerlinkung><anhang><dokumentid>doc-1</dokumentid><dateiname>Plan.pdf</dateiname></anhang></anhangOderVerlinkung></anlage></anlagen></x:prozessnachrichten.ruecknahme.1130>"#,
        office("bab:05974000", "Bauaufsicht"),
        office("bap:050000000001", "Bauportal")
    )
}

fn family() -> Family {
    Family::new(&Arc::new(Schemas::new()), Options::default().container)
}

/// What xmllint says of a message by an official schema.
fn official(schema: &str, xml: &[u8]) -> Result<(), String> {
    let packs = shared("packs").unwrap();
    let catalog = format!("XML_CATALOG_FILES={}", packs.join("catalog.xml").display());
    let schema = packs.join(schema);
    let arguments = [&catalog, "xmllint", "--nonet", "--noout", "--schema", schema.to_str().unwrap(), "-"];
    run("env", &arguments, xml).map(|_| ())
}

fn rejecting() -> Rejecting {
    let address = Address {
        street: Some("Hoher Weg".into()),
        house_number: Some("1a".into()),
        postcode: Some("59494".into()),
        town: Some("Soest".into()),
        ..Address::default()
    };
    let contact = Contact { channel: "email".into(), value: "post@kreis.example".into(), addition: None };
    Rejecting {
        message_id: OURS.parse().unwrap(),
        created_at: Timestamp::parse("2026-11-25T08:00:00Z").unwrap(),
        by: Party { addresses: vec![address], contacts: vec![contact], ..Party::default() },
    }
}

fn reject(rejecting: &Rejecting, xml: &str) -> Option<(Vec<u8>, Written)> {
    let mut report = Report::default();
    report.add(Finding::error("xsd.1824").at(12, "/Straße/Ω"));
    report.add(Finding::error("xml.limit"));
    report.add(Finding::warning("schema.absent"));
    reject_for(rejecting, &report, xml)
}

fn reject_for(rejecting: &Rejecting, report: &Report, xml: &str) -> Option<(Vec<u8>, Written)> {
    let mut out = Vec::new();
    let written = family().rejection(rejecting, report, &mut Cursor::new(xml.as_bytes()), &mut out).unwrap();
    written.map(|written| (out, written))
}

fn ends(identity: &Identity) -> (&str, &str) {
    let key = |end: &'_ Option<model::standard::Endpoint>| {
        end.as_ref().unwrap().authority.as_ref().unwrap().to_string()
    };
    let keys = (key(&identity.sender), key(&identity.recipient));
    (keys.0.leak(), keys.1.leak())
}

#[test]
fn every_sample_of_other_standards_says_its_standard_version_and_type() {
    let Some(samples) = shared("samples/xoev") else { return };
    let all = xoev::standards(Arc::new(Schemas::new()), Options::default());
    let mut count = 0;
    let folders = [
        ("xbeteiligung", "xbeteiligung", &["1.2"][..]),
        ("xbildung", "xbildung", &["0.4", "1.1"]),
        ("xdatenfelder/v2-data", "xdatenfelder", &["2", "unknown"]),
        ("xdatenfelder/v3-data", "xdatenfelder", &["3.0.0", "unknown"]),
        ("xgewerbeanzeige", "xgewerbeanzeige", &["1.3", "2.1", "2.2"]),
        ("xplanung", "xplanung", &["5.2", "5.3", "5.4", "6.0"]),
        ("xwasser", "xwasser", &["1.0.0"]),
    ];
    for (folder, standard, versions) in folders {
        for entry in std::fs::read_dir(samples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let owners: Vec<_> = all.iter().filter_map(|one| check(&**one, &bytes, None).0).collect();
            if path.ends_with("xy-unknown.xml") {
                assert!(owners.is_empty(), "nobody knows {path:?}");
                continue;
            }
            let [owner] = &owners[..] else { panic!("{path:?}: {owners:?}") };
            assert_eq!(owner.standard, standard, "{path:?}");
            assert!(versions.contains(&owner.version.as_str()), "{path:?}: {}", owner.version);
            assert_eq!(owner.message_type, expected_type(&path, &owner.name), "{path:?}");
            count += 1;
        }
    }
    assert_eq!(count, 36);
}

/// The number that the root of the sample ends in, by a look at the text.
fn expected_type(path: &Path, name: &str) -> String {
    let number = name.rsplit('.').next().unwrap();
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    assert!(is_number || !name.contains('.'), "{path:?}");
    if is_number { number.to_owned() } else { name.to_owned() }
}

#[test]
fn headers_of_samples_become_identities() {
    let Some(samples) = shared("samples/xoev") else { return };
    let identity = |path: &str| {
        let bytes = std::fs::read(samples.join(path)).unwrap();
        let mut source = Cursor::new(bytes.clone());
        let by_head = family().identify(&mut source, None).unwrap().unwrap();
        let checked = check(&family(), &bytes, None).0.unwrap();
        assert_eq!((&by_head.message_id, &by_head.sender), (&checked.message_id, &checked.sender));
        checked
    };
    let participation = identity("xbeteiligung/xbeteiligung-test-kommunal.Initiieren.0401.pipe-format.xml");
    assert_eq!(participation.message_id.unwrap().to_string(), "60f6667b-fa45-4bd7-b717-f4d6c65e5edb");
    assert_eq!(participation.created_at, Timestamp::parse("2025-02-20T16:41:19.880Z"));
    assert_eq!(participation.recipient.unwrap().name.as_deref(), Some("behoerde2"));

    let trade = identity("xgewerbeanzeige/xgwa2.1-valid.xml");
    assert_eq!(ends(&trade), ("MELDID:12052000", "xga:491000000000"));
    assert_eq!(trade.created_at, Timestamp::parse("2019-07-16T22:00:00Z"));

    let old = identity("xgewerbeanzeige/xgwa1.3-valid.xml");
    assert_eq!(ends(&old), ("MELDID:12052000", "xga:000492949"));
    assert_eq!(old.created_at, Timestamp::parse("2017-10-27T19:15:24Z"));
    assert_eq!(old.sender.unwrap().name.as_deref(), Some("Testverwaltung"));

    let water = identity("xwasser/olb_report_signature_builder_test_result.xml");
    assert_eq!(water.message_id.unwrap().to_string(), "ec73524e-9dee-4fa8-afd9-2df54361e285");
}

#[test]
fn headers_of_xinneres_and_of_the_basic_message_become_identities() {
    if shared("packs").is_none() {
        return;
    }
    official("xinneres/basismodul-9/xinneres-quittung.xsd", xinneres().as_bytes()).unwrap();
    official("xbau/2.6/xbau-kernmodul-prozessnachrichten.xsd", xbau().as_bytes()).unwrap();
    let cases = [
        (xinneres(), "xinneres", "3", "0020", ("ags:05974028", "ags:05974040"), "2026-11-24T08:15:00Z"),
        (xbau(), "xbau", "1.3.0", "1130", ("bap:050000000001", "bab:05974000"), "2026-11-24T09:15:00Z"),
    ];
    for (xml, standard, version, message_type, between, at) in cases {
        let identity = check(&family(), xml.as_bytes(), None).0.unwrap();
        let is = (&*identity.standard, &*identity.version, &*identity.message_type);
        assert_eq!(is, (standard, version, message_type));
        assert_eq!(ends(&identity), between);
        assert_eq!(identity.created_at, Timestamp::parse(at));
        assert_eq!(identity.message_id, ID.parse().ok());
        assert_eq!(identity.process_id, ID.parse().ok());
        assert_eq!(identity.answers, ANSWERED.parse().ok());
        assert_eq!(identity.acknowledgement, None);
    }
}

#[test]
fn a_message_of_a_standard_that_is_not_known_is_recognised_by_its_header() {
    let xml = xbau().replace("http://www.xleitstelle.de/xbau/kernmodul/1/3/0", "urn:somebody");
    let xml = xml.replace("standard=\"XBau-Kernmodul\"", "standard=\"XUnternehmen\"");
    let (identity, report) = check(&family(), xml.as_bytes(), None);
    let identity = identity.unwrap();
    assert_eq!((&*identity.standard, &*identity.version), ("xunternehmen", "1.3.0"));
    let rules: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["schema.absent"]);
    assert!(report.is_acceptable());
}

#[test]
fn a_second_header_and_what_only_looks_like_one_say_nothing() {
    let xml = xbau()
        .replace("<bezug>", "<nachrichtenkopf><autor><name>Falsch</name></autor></nachrichtenkopf><bezug>");
    let identity = check(&family(), xml.as_bytes(), None).0.unwrap();
    assert_eq!(identity.sender.unwrap().name.as_deref(), Some("Bauportal"));
    let xml = "<a><nachrichtenkopf/></a>";
    assert_eq!(check(&family(), xml.as_bytes(), None).0, None);
}

#[test]
fn attachments_of_xbau_are_looked_for_in_the_container() {
    let pack = |files: &[&str]| {
        let mut writer = xoev::container::ContainerWriter::new(Vec::new());
        writer.entry("message.xml", |sink| sink.write_all(xbau().as_bytes())).unwrap();
        for name in files {
            writer.entry(name, |sink| sink.write_all(b"%PDF")).unwrap();
        }
        writer.finish().unwrap()
    };
    let rules = |bytes: &[u8]| -> Vec<String> {
        let report = check(&family(), bytes, None).1;
        report
            .findings
            .into_iter()
            .map(|finding| finding.rule)
            .filter(|rule| rule.starts_with("xoev"))
            .collect()
    };
    assert_eq!(rules(&pack(&["Plan.pdf"])), Vec::<String>::new());
    assert_eq!(rules(&pack(&[])), ["xoev.attachment-missing"]);
    assert_eq!(rules(xbau().as_bytes()), ["xoev.attachments"]);
}

#[test]
fn messages_are_validated_by_the_official_pack_of_their_own_entry_point() {
    let Some(packs) = shared("packs") else { return };
    let schemas = Schemas::new();
    for pack in ["xoev-common", "xinneres/basismodul-9", "xbau/2.6"] {
        schemas.add_pack(&packs.join(pack)).unwrap();
    }
    let family = Family::new(&Arc::new(schemas), Options::default().container);
    for xml in [xinneres(), xbau()] {
        let report = check(&family, xml.as_bytes(), None).1;
        let beside = ["xoev.attachments", "xoev.test"];
        let rules = report.findings.iter().map(|it| it.rule.as_str());
        let rules: Vec<&str> = rules.filter(|rule| !beside.contains(rule)).collect();
        assert_eq!(rules, Vec::<&str>::new(), "{report:#?}");
        let says_test = report.findings.iter().any(|it| it.rule == "xoev.test");
        assert_eq!(says_test, xml.contains("test=\"1\""));
        let broken = xml.replace("erstellungszeitpunkt", "erstellungszeit");
        assert!(!check(&family, broken.as_bytes(), None).1.is_acceptable());
    }
}

#[test]
fn rejections_are_valid_bring_the_message_back_and_are_recognised() {
    if shared("packs").is_none() {
        return;
    }
    let cases = [
        (
            xinneres(),
            "xinneres/basismodul-9/xinneres-rueckweisung.xsd",
            "0010",
            ("ags:05974040", "ags:05974028"),
        ),
        (
            xbau(),
            "xbau/2.6/xbau-kernmodul-prozessnachrichten.xsd",
            "1100",
            ("bab:05974000", "bap:050000000001"),
        ),
    ];
    for (xml, schema, message_type, between) in cases {
        let (out, written) = reject(&rejecting(), &xml).unwrap();
        let text = String::from_utf8(out.clone()).unwrap();
        official(schema, &out).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let back = text.split("<nachricht>").nth(1).unwrap().split("</nachricht>").next().unwrap();
        assert_eq!(run("base64", &["-d"], back.as_bytes()).unwrap(), xml.as_bytes());
        assert!(text.contains("xsd.1824, Zeile 12, /Straße/?"), "{text}");
        assert!(!text.contains("schema.absent"), "what is no error is no reason");
        assert_eq!(text.contains("test=\"1\""), xml.contains("test=\"1\""));

        let identity = check(&family(), &out, None).0.unwrap();
        assert_eq!(identity, written.identity);
        assert_eq!(identity.message_type, message_type);
        assert_eq!(ends(&identity), between);
        assert_eq!((identity.message_id, identity.answers), (OURS.parse().ok(), ID.parse().ok()));
        let refused = identity.acknowledgement.unwrap().refused.unwrap();
        assert!(["X000", "X001"].contains(&refused.as_str()), "{refused}");
        assert!(reject(&rejecting(), &text).is_none(), "nobody rejects a rejection");
    }
}

#[test]
fn what_the_official_schema_finds_is_rejected_as_that() {
    let Some(packs) = shared("packs") else { return };
    let schemas = Schemas::new();
    for pack in ["xoev-common", "xinneres/basismodul-9", "xbau/2.6"] {
        schemas.add_pack(&packs.join(pack)).unwrap();
    }
    let with_packs = Family::new(&Arc::new(schemas), Options::default().container);
    let broken = [
        (
            xinneres().replace("2026-11-22T09:15:00", "yesterday"),
            "xinneres/basismodul-9/xinneres-rueckweisung.xsd",
        ),
        (xbau().replace("2026-11-01", "yesterday"), "xbau/2.6/xbau-kernmodul-prozessnachrichten.xsd"),
    ];
    for (xml, schema) in broken {
        let report = check(&with_packs, xml.as_bytes(), None).1;
        let (out, written) = reject_for(&rejecting(), &report, &xml).unwrap();
        official(schema, &out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("<code>X001</code>") && !text.contains("S999"), "{report:#?}");
        assert_eq!(written.identity.acknowledgement.unwrap().refused.as_deref(), Some("X001"));
    }
}

#[test]
fn a_pack_of_ours_that_is_broken_is_not_held_against_the_message() {
    let Some(packs) = shared("packs") else { return };
    let folder = tempfile::tempdir().unwrap();
    let schemas = Schemas::open(folder.path()).unwrap();
    for pack in ["xoev-common", "xinneres/basismodul-9"] {
        schemas.add_pack(&packs.join(pack)).unwrap();
    }
    drop(schemas);
    let spoilt = "xinneres-quittung.xsd";
    let mut found = 0;
    for pack in std::fs::read_dir(folder.path()).unwrap() {
        let file = pack.unwrap().path().join(spoilt);
        if file.exists() {
            std::fs::write(file, "<xs:schema").unwrap();
            found += 1;
        }
    }
    assert_eq!(found, 1);
    let family = Family::new(&Arc::new(Schemas::open(folder.path()).unwrap()), Options::default().container);
    let mut report = Report::default();
    let failed = family.check(&mut Cursor::new(xinneres().as_bytes()), None, &mut report).unwrap_err();
    assert_eq!((failed.kind, &*failed.code), (FailureKind::Transient, "schema.defect"));
    assert!(report.is_acceptable());
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(cut in 0_usize..2_000, noise in "[<>/a-z\"= .:]{0,30}", standard in 0..3) {
        let mut xml = match standard {
            0 => xbau(),
            1 => xinneres(),
            _ => xinneres().replace("http://www.osci.de/xinneres/quittung/3", "http://www.destatis.de/schema/datml-raw/2.0/de"),
        };
        let at = xml.floor_char_boundary(cut.min(xml.len()));
        xml.insert_str(at, &noise);
        let by_head = family().identify(&mut Cursor::new(xml.as_bytes()), None).unwrap();
        let (checked, _) = check(&family(), xml.as_bytes(), None);
        prop_assert_eq!(by_head.is_some(), checked.is_some());
        let mut out = Vec::new();
        let _ = family().rejection(&rejecting(), &Report::default(), &mut Cursor::new(xml.as_bytes()), &mut out);
    }
}

#[test]
fn nothing_is_rejected_without_a_form_for_it() {
    let no_place = Rejecting { by: Party::default(), ..rejecting() };
    assert!(reject(&no_place, &xinneres()).is_none(), "XInneres asks where the authority is reached");
    assert!(reject(&no_place, &xbau()).is_some());
    assert!(reject(&rejecting(), &xbau().replace("/kernmodul/1/3/0", "/2/3")).is_none());
    assert!(reject(&rejecting(), &xbau().replace(ID, "7")).is_none(), "without an id");
    let timeless = xbau().replacen("erstellungszeitpunkt>2026-11-24T09:15:00<", "erstellungszeitpunkt><", 1);
    assert!(reject(&rejecting(), &timeless).is_none(), "without its time, which a rejection names");
    let unlisted = xinneres().replacen(" listVersionID=\"2018-01-31\"", "", 1);
    assert!(reject(&rejecting(), &unlisted).is_none(), "without the list of its sender's key");
}
