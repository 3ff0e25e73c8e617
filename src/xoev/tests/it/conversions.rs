//! What a conversion leaves out, it says; what would be read as something else, it refuses.

use model::standard::Outgoing;
use xoev::xdomea::messages::{MessageType, Version};

use crate::memory::{Memory, write};
use crate::tools::{shared, unpack, xmllint};
use crate::versions::{PROCESS, taken};

/// A message of a sample with another text in a place, taken in.
fn changed(version: Version, code: &str, sample: &str, change: (&str, &str)) -> Option<(Memory, Outgoing)> {
    let xml = std::fs::read_to_string(shared("samples/xoev/xdomea")?.join(sample)).unwrap();
    assert!(xml.contains(change.0), "{sample}: {}", change.0);
    let process = xml.split_once("ProzessID>").unwrap().1.split('<').next().unwrap().to_owned();
    let xml = xml.replace(&process, PROCESS).replacen(change.0, change.1, 1);
    Some(taken(version, MessageType::by_code(code, version).unwrap(), &xml))
}

const CIRCULATION: &str =
    "derived-3.0.0/11110000-0000-4000-8000-000000000201_Geschaeftsgang.Geschaeftsgang.0201.xml";

#[test]
fn documents_beside_cases_in_what_accompanies_a_circulation_become_attachments() {
    let element = |name: &str, number: u32, content: &str| {
        format!(
            "<xdomea:{name}><xdomea:Identifikation><xdomea:ID>1{number}552d67-43a1-4b7c-b813-65ae087befa7</xdomea:ID></xdomea:Identifikation>{content}</xdomea:{name}>"
        )
    };
    let (document, case) = (element("Dokument", 0, ""), element("Vorgang", 1, ""));
    let content = format!("<xdomea:Akteninhalt>{document}{case}</xdomea:Akteninhalt>");
    let attachment = format!("<xdomea:Anlage>{}</xdomea:Anlage>", element("Akte", 2, &content));
    let end = "</xdomea:Geschaeftsgang.Geschaeftsgang.0201>";
    let change = (end, &*(attachment + end));
    let Some((mut memory, mut outgoing)) = changed(Version::V3_0_0, "0201", CIRCULATION, change) else {
        return;
    };
    outgoing.version = "2.4.0".to_owned();
    let (bytes, written) = write(&crate::tools::own(), &outgoing, &mut memory).unwrap();
    let xml = unpack(&bytes).0;
    assert!(written.report.findings.iter().any(|finding| finding.rule == "xdomea.moved"));
    assert_eq!(xml.matches("10552d67-43a1-4b7c-b813-65ae087befa7").count(), 1, "{xml}");
    let Some(packs) = shared("packs") else { return };
    xmllint(&packs, "2.4.0", "0201", &xml).unwrap();
}
