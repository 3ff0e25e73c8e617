//! xdomea in, xdomea out loses nothing: every sample, and a message with everything in it.

use model::standard::{Outgoing, Standard};
use xoev::xdomea::messages::{MessageType, Version, stem};
use xoev::xdomea::{Xdomea, again};

use crate::memory::{check, read, write};
use crate::tools::{Judge, canonical, mentioned, official, own, pack, pack_as, shared, unpack, xmllint};
use schemas::testdata::{Maker, Outline};

/// Takes a message in and writes it again, and compares.
fn round_trip(standard: &Xdomea, label: &str, stem: &str, xml: &str) -> (Outgoing, String) {
    let container = pack(stem, xml);
    let name = format!("{stem}.zip");
    let (identity, report) = check(standard, &container, Some(&name));
    assert!(report.is_acceptable(), "{label}: {:#?}", errors(&report));
    let identity = identity.unwrap();
    let (mut memory, meaning) = read(standard, &container);
    let outgoing = again(&identity, &meaning, memory.message.as_ref().unwrap()).unwrap();
    let (bytes, written) = write(standard, &outgoing, &mut memory).unwrap();
    assert_eq!(written.identity, identity, "{label}");
    assert_eq!(written.file_name, name, "{label}");
    let (rewritten, files) = unpack(&bytes);
    let (was, is) = (as_written(&canonical(xml)), canonical(&rewritten));
    if let Some(at) = was.lines().zip(is.lines()).position(|(was, is)| was != is) {
        let around =
            |text: &str| text.lines().skip(at.saturating_sub(3)).take(7).collect::<Vec<_>>().join("\n");
        panic!("{label}, canonical line {at}, was:\n{}\nis:\n{}", around(&was), around(&is));
    }
    assert_eq!(was.lines().count(), is.lines().count(), "{label}");
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, mentioned(xml), "{label}");
    assert!(files.iter().all(|(name, content)| *content == format!("content of {name}").as_bytes()));
    assert_eq!(written.report.findings, [], "{label}");
    let (_, report) = check(standard, &bytes, Some(&written.file_name));
    assert!(report.is_acceptable(), "{label}: {:#?}", errors(&report));
    (outgoing, rewritten)
}

/// What makes a message unacceptable.
pub(crate) fn errors(report: &model::Report) -> Vec<&model::Finding> {
    report.findings.iter().filter(|finding| finding.severity == model::Severity::Error).collect()
}

#[test]
fn a_reference_that_is_too_long_to_be_looked_up_comes_back() {
    let reference = "63/".repeat(100);
    let subject = "<xdomea:Betreff>Neubau</xdomea:Betreff>";
    let long = format!("{subject}<xdomea:Kennzeichen>{reference}</xdomea:Kennzeichen>");
    let xml = crate::checks::handover().replace(subject, &long);
    let (_, rewritten) = round_trip(&own(), "long reference", &crate::checks::stem(), &xml);
    assert!(rewritten.contains(&reference));
}

/// What of a message is not kept: attributes of the root that are hints, and another form of what the schema fixes.
fn as_written(canonical: &str) -> String {
    let (root, rest) = canonical.split_once('\n').unwrap();
    let (name, attributes) = root.trim_end_matches('>').split_once(' ').unwrap();
    let own = attributes.split_inclusive("\" ").map(str::trim).filter(|attribute| !attribute.contains("xsi"));
    let own: Vec<&str> = own.collect();
    let rest = rest.replace("Importbestaetigung>true<", "Importbestaetigung>1<");
    let is_end = |line: &str| line.trim_start().starts_with("</");
    let lines = rest.lines().map(|line| if is_end(line) { line.trim_start() } else { line });
    format!("{name} {}>\n{}", own.join(" "), lines.collect::<Vec<_>>().join("\n"))
}

/// The message as the seventh of at most 99: what is made counts as it pleases. Degrees of secrecy are those that are taken.
pub(crate) fn counted(xml: &str) -> String {
    let numbers = [("LfdNrNachrichtProTyp", "007"), ("GesamtanzahlNachrichtenProTyp", "99")];
    numbers.iter().fold(open_degrees(xml), |xml, (name, number)| {
        let tag = format!("<xdomea:{name}>");
        let Some((before, rest)) = xml.split_once(&tag) else { return xml };
        let (_, rest) = rest.split_once('<').unwrap();
        format!("{before}{tag}{number}<{rest}")
    })
}

fn open_degrees(xml: &str) -> String {
    let list = "urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe";
    let mut parts = xml.split("<xdomea:Geheimhaltungsgrad");
    let mut open = parts.next().unwrap().to_owned();
    for part in parts {
        let (degree, rest) = part.split_once("</code>").unwrap();
        let (attributes, _) = degree.split_once("<code>").unwrap();
        let attributes = attributes.replace("urn:x\"", &format!("{list}\""));
        open.push_str(&format!("<xdomea:Geheimhaltungsgrad{attributes}<code>003</code>{rest}"));
    }
    open
}

/// Local name of the root element.
pub(crate) fn root_of(xml: &str) -> String {
    let (_, rest) = xml.split_once("<xdomea:").unwrap();
    rest.split([' ', '>']).next().unwrap().to_owned()
}

#[test]
fn every_sample_comes_back_as_it_was() {
    let (Some(samples), Some(packs)) = (shared("samples/xoev/xdomea"), shared("packs")) else { return };
    let by_pack = official(&packs);
    let mut count = 0;
    let mut judge = Judge::default();
    for folder in std::fs::read_dir(&samples).unwrap() {
        let folder = folder.unwrap().path();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let (mut stem, xml) = match path.extension().and_then(|ending| ending.to_str()) {
                Some("xml") => (
                    path.file_stem().unwrap().to_str().unwrap().to_owned(),
                    std::fs::read_to_string(&path).unwrap(),
                ),
                Some("zip") => (
                    path.file_stem().unwrap().to_str().unwrap().to_owned(),
                    unpack(&std::fs::read(&path).unwrap()).0,
                ),
                _ => continue,
            };
            let process = xml.split_once(":ProzessID>").and_then(|(_, rest)| rest.get(..36)).unwrap();
            if let Some(rest) = stem.strip_prefix("xx_") {
                stem = format!("{}_{rest}", process.to_lowercase());
            }
            let label = path.display().to_string();
            // Its header says another type than its root.
            let code = root_of(&xml);
            if !xml.contains(&format!("<code>{}</code>", &code[code.len() - 4..])) {
                continue;
            }
            for standard in [&own(), &by_pack] {
                let (outgoing, rewritten) = round_trip(standard, &label, &stem, &xml);
                let code = MessageType::by_root(
                    &root_of(&rewritten),
                    Version::by_number(&outgoing.version).unwrap(),
                );
                judge.take(&packs, &outgoing.version, code.unwrap().code, &label, &rewritten);
            }
            count += 1;
        }
    }
    judge.verdict().unwrap_or_else(|faults| panic!("{faults}"));
    assert!(count >= 33, "{count} samples");
}

#[test]
fn a_message_goes_into_the_other_version() {
    let (Some(samples), Some(packs)) = (shared("samples/xoev/xdomea"), shared("packs")) else { return };
    let stem = "11110000-0000-4000-8000-000000000401_Abgabe.Abgabe.0401";
    let xml = std::fs::read_to_string(samples.join(format!("derived-3.0.0/{stem}.xml"))).unwrap();
    let standard = own();
    let container = pack(stem, &xml);
    let identity = check(&standard, &container, None).0.unwrap();
    let (mut memory, meaning) = read(&standard, &container);
    let mut outgoing = again(&identity, &meaning, memory.message.as_ref().unwrap()).unwrap();
    outgoing.version = "3.1.0".into();
    let (bytes, _) = write(&standard, &outgoing, &mut memory).unwrap();
    let rewritten = unpack(&bytes).0;
    assert_eq!(canonical(&rewritten), canonical(&xml.replace("schema:3.0.0", "schema:3.1.0")));
    xmllint(&packs, "3.1.0", "0401", &rewritten).unwrap();
    outgoing.version = "4.0.0".into();
    assert_eq!(write(&standard, &outgoing, &mut memory).unwrap_err().code, "xdomea.not-written");
    assert_eq!(standard.writes(), ["3.1.0", "3.0.0", "2.4.0", "2.3.0", "4.0.0"]);
}

#[test]
fn what_docs_xdomea_names_as_exceptions_is_all_that_changes() {
    let Some(samples) = shared("samples/xoev/xdomea/derived-3.0.0") else { return };
    let stem = "11110000-0000-4000-8000-000000000401_Abgabe.Abgabe.0401";
    let xml = std::fs::read_to_string(samples.join(format!("{stem}.xml"))).unwrap();
    // The message with a document in front of the only one, whose number is larger.
    let (from, to) = (xml.find("<xdomea:Dokument>").unwrap(), xml.find("</xdomea:Dokument>").unwrap() + 18);
    let first = &xml[from..to];
    let second = first
        .replace("7bf9473a-b4a7-11ec-a407-005056871b7c", "7BF9473A-B4A7-11EC-A407-00000000000B")
        .replace("f4bcaaf7-d7cb-11ef-a278-005056871b7c", "f4bcaaf7-d7cb-11ef-a278-00000000000b")
        .replace("Container>1<", "Container>2<");
    let in_order = xml.replace(first, &format!("{first}{second}"));
    let other = xml.replace(first, &format!("{second}\n<!-- comment --><?pi?>{first}"));
    let hint =
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x /dev/null\"";
    let other = other
        .replace("<xdomea:", "<ns2:")
        .replace("</xdomea:", "</ns2:")
        .replace(" xmlns:xdomea", &format!(" {hint} xmlns:ns2"))
        .replace("[Dokumentbetreff]", "<![CDATA[[Dokument]]>betreff&#x5D;");
    let standard = own();
    let container = pack_as(stem, &other, &in_order);
    let (identity, report) = check(&standard, &container, None);
    assert!(report.is_acceptable(), "{report:#?}");
    let (mut memory, meaning) = read(&standard, &container);
    let outgoing = again(&identity.unwrap(), &meaning, memory.message.as_ref().unwrap()).unwrap();
    let rewritten = unpack(&write(&standard, &outgoing, &mut memory).unwrap().0).0;
    assert_eq!(canonical(&rewritten), canonical(&in_order));
}

const TYPES: [&str; 22] = [
    "Information.Information.0101",
    "Information.EmpfangBestaetigen.0102",
    "Geschaeftsgang.Geschaeftsgang.0201",
    "Geschaeftsgang.EmpfangBestaetigen.0202",
    "Aktenplan.Aktenplan.0301",
    "Aktenplan.EmpfangBestaetigen.0302",
    "Abgabe.Abgabe.0401",
    "Abgabe.ImportBestaetigen.0402",
    "Abgabe.EmpfangBestaetigen.0403",
    "Aussonderung.Anbieteverzeichnis.0501",
    "Aussonderung.Bewertungsverzeichnis.0502",
    "Aussonderung.Aussonderung.0503",
    "Aussonderung.AnbietungEmpfangBestaetigen.0504",
    "Aussonderung.BewertungEmpfangBestaetigen.0505",
    "Aussonderung.AussonderungImportBestaetigen.0506",
    "Aussonderung.AussonderungEmpfangBestaetigen.0507",
    "Aussonderung.AktenplanZurBewertung.0511",
    "Aussonderung.AktenplanZurBewertungEmpfangBestaetigen.0512",
    "Aussonderung.Bewertungskatalog.0513",
    "Aussonderung.BewertungskatalogImportBestaetigen.0514",
    "Aussonderung.BewerteterAktenplanEmpfangBestaetigen.0515",
    "Aussonderung.BewertungskatalogEmpfangBestaetigen.0515",
];

/// Makes messages of every type that is written, has the official schema confirm that they are valid, and takes them in and out.
/// Gives back how many, and the size of the largest.
fn made(annex: &std::path::Path, packs: &std::path::Path, seeds: &[Option<u64>]) -> (usize, usize) {
    let standard = own();
    let (mut count, mut largest) = (0, 0);
    let mut judge = Judge::default();
    for version in Version::ALL.into_iter().filter(|version| version.is_translated()) {
        let outline = Outline::read(annex, version.number()).unwrap();
        for root in TYPES {
            let message = MessageType::by_root(root, version);
            let Some(message) = message.filter(|message| message.is_translated_in(version)) else { continue };
            for seed in seeds {
                let process = "7BF9473A-b4a7-11ec-a407-005056871b7c";
                // A name that ends in a dot is not one for every file system.
                let xml = Maker::make(&outline, root, process, *seed).replace("_.<", "_x.y<");
                // Another format would need its name.
                let xml = counted(&xml.replace("<code>100</code>", "<code>018</code>"));
                let label = format!("{root} {version:?} seed {seed:?}");
                let number = xml
                    .split_once("LfdNrNachrichtProTyp>")
                    .map_or("1", |(_, rest)| rest.split('<').next().unwrap());
                let stem = stem(process.parse().unwrap(), message, version, number.parse().unwrap());
                judge.take(packs, version.number(), message.code, &format!("{label}, made"), &xml);
                let (_, rewritten) = round_trip(&standard, &label, &stem, &xml);
                judge.take(packs, version.number(), message.code, &label, &rewritten);
                largest = largest.max(xml.len());
                count += 1;
            }
        }
    }
    judge.verdict().unwrap_or_else(|faults| panic!("{faults}"));
    (count, largest)
}

#[test]
fn a_message_with_everything_in_it_comes_back_as_it_was() {
    let (Some(annex), Some(packs)) = (shared("standards/annex"), shared("packs")) else { return };
    let (count, largest) = made(&annex, &packs, &[None]);
    assert!(largest > 1_000_000, "{largest} bytes: everything is more");
    assert!(count >= 41, "{count}: every type");
}

#[test]
fn messages_with_anything_in_them_come_back_as_they_were() {
    let (Some(annex), Some(packs)) = (shared("standards/annex"), shared("packs")) else { return };
    let seeds: Vec<Option<u64>> = (1..=4).map(Some).collect();
    made(&annex, &packs, &seeds);
}
