//! Simulated sender of xdomea containers: message 0401 of xdomea 3.1.0 with its primary documents in
//! one flat ZIP, valid or with mistakes whose lines are known.

use std::io::{Cursor, Write};

use uuid::Uuid;
use zip::write::SimpleFileOptions;

use super::files::{self, Content};

/// A container ready to be sent.
#[derive(Debug, Clone)]
pub struct Container {
    /// The ZIP, named as the standard wants it.
    pub content: Content,
    /// ProzessID.
    pub process_id: Uuid,
    /// What is wrong with it.
    pub mistakes: Vec<Mistake>,
}

/// A mistake made on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line of the message, from 1.
    pub line: u64,
    /// Words for people, in German.
    pub words: &'static str,
}

/// A hand-over (0401) of one file with one case and one document of `size` bytes, as another
/// authority's system would write it. It asks for no receipt.
pub fn handover(process_id: Uuid, seed: u64, size: u64) -> Container {
    let mut message = Message::default();
    write_handover(&mut message, process_id, seed, None);
    pack(process_id, message, vec![(primary_name(seed), files::noise(seed, size).to_vec())])
}

/// A hand-over of one file with `documents` documents of `size` bytes each, a hundred to a case.
pub fn handover_of_many(process_id: Uuid, seed: u64, documents: u32, size: u64) -> Container {
    let id = |number: u64| seeded_id(seed, number);
    let mut m = Message::default();
    write_head(&mut m, process_id, None);
    write_file(&mut m, seed, None);
    let mut files = vec![];
    for first in (0..documents).step_by(100) {
        m.line("        <xdomea:Vorgang>");
        let case = id(1_000_000 + u64::from(first));
        m.line(&format!(
            "          <xdomea:Identifikation><xdomea:ID>{case}</xdomea:ID></xdomea:Identifikation>"
        ));
        let title = format!("<xdomea:Betreff>Erfundener Vorgang {first}</xdomea:Betreff>");
        m.line(&format!("          <xdomea:AllgemeineMetadaten>{title}</xdomea:AllgemeineMetadaten>"));
        for number in first..documents.min(first + 100) {
            let name = format!("{}_Blatt.bin", id(2_000_000 + u64::from(number)));
            let document = id(3_000_000 + u64::from(number));
            write_document(&mut m, document, &format!("Blatt {number}"), &name, None);
            files.push((name, files::noise(seed + u64::from(number), size).to_vec()));
        }
        m.line("        </xdomea:Vorgang>");
    }
    write_end(&mut m);
    pack(process_id, m, files)
}

/// A hand-over like [`handover`] with mistakes: a code that is in no list, a date that is none, an element that the
/// standard does not know, and a primary document that is named but not there.
pub fn broken(process_id: Uuid, seed: u64) -> Container {
    let mut message = Message::default();
    write_handover(&mut message, process_id, seed, Some(()));
    pack(process_id, message, vec![])
}

/// An id that is the same for the same seed and number.
pub fn seeded_id(seed: u64, number: u64) -> Uuid {
    let bytes = files::noise(seed.wrapping_mul(31).wrapping_add(number), 24);
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[8..24]);
    uuid::Builder::from_random_bytes(id).into_uuid()
}

#[derive(Default)]
struct Message {
    xml: String,
    lines: u64,
    mistakes: Vec<Mistake>,
}

impl Message {
    fn line(&mut self, text: &str) {
        self.xml.push_str(text);
        self.xml.push('\n');
        self.lines += 1;
    }

    /// Writes `right`, or `wrong` as a mistake.
    fn either(&mut self, wrong: Option<()>, right: &str, mistaken: &str, words: &'static str) {
        match wrong {
            None if right.is_empty() => {}
            None => self.line(right),
            Some(()) => {
                self.line(mistaken);
                self.mistakes.push(Mistake { line: self.lines, words });
            }
        }
    }
}

fn primary_name(seed: u64) -> String {
    format!("{}_Lageplan.bin", seeded_id(seed, 4))
}

fn authority(message: &mut Message, element: &str, key: &str, name: &str) {
    message.line(&format!("    <xdomea:{element}>"));
    message.line("      <xdomea:Behoerdenkennung>");
    message.line(
        "        <xdomea:Behoerdenschluessel \
         listURI=\"urn:xoev-de:bund:bmi:bit:codeliste:dvdv.behoerdenschluessel\" listVersionID=\"1\">",
    );
    message.line(&format!("          <code>{key}</code>"));
    message.line("        </xdomea:Behoerdenschluessel>");
    message.line(
        "        <xdomea:Praefix listURI=\"urn:xoev-de:bund:bmi:bit:codeliste:dvdv.praefix\" listVersionID=\"1\">",
    );
    message.line("          <code>bab</code>");
    message.line("        </xdomea:Praefix>");
    message.line("      </xdomea:Behoerdenkennung>");
    message
        .line(&format!("      <xdomea:Institution><xdomea:Name>{name}</xdomea:Name></xdomea:Institution>"));
    message.line(&format!("    </xdomea:{element}>"));
}

fn write_handover(m: &mut Message, process_id: Uuid, seed: u64, wrong: Option<()>) {
    let id = |number| seeded_id(seed, number);
    write_head(m, process_id, wrong);
    write_file(m, seed, wrong);
    m.line("        <xdomea:Vorgang>");
    m.line(&format!(
        "          <xdomea:Identifikation><xdomea:ID>{}</xdomea:ID></xdomea:Identifikation>",
        id(2)
    ));
    m.line("          <xdomea:AllgemeineMetadaten>");
    m.line(&format!("            <xdomea:Betreff>Erfundener Bauantrag {seed}</xdomea:Betreff>"));
    m.either(
        wrong,
        "",
        "            <xdomea:Hausfarbe>blau</xdomea:Hausfarbe>",
        "Element ist im Standard unbekannt",
    );
    m.line("          </xdomea:AllgemeineMetadaten>");
    write_document(m, id(3), &format!("Lageplan {seed}"), &primary_name(seed), wrong);
    m.line("        </xdomea:Vorgang>");
    write_end(m);
}

fn write_head(m: &mut Message, process_id: Uuid, wrong: Option<()>) {
    m.line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    m.line("<xdomea:Abgabe.Abgabe.0401 xmlns:xdomea=\"urn:xoev-de:xdomea:schema:3.1.0\">");
    m.line("  <xdomea:Kopf>");
    m.line(&format!("    <xdomea:ProzessID>{process_id}</xdomea:ProzessID>"));
    m.line(
        "    <xdomea:Nachrichtentyp listURI=\"urn:xoev-de:xdomea:codeliste:nachrichtentyp\" listVersionID=\"2.0\">",
    );
    m.line("      <code>0401</code>");
    m.line("    </xdomea:Nachrichtentyp>");
    m.either(
        wrong,
        "    <xdomea:Erstellungszeitpunkt>2026-11-24T08:00:00Z</xdomea:Erstellungszeitpunkt>",
        "    <xdomea:Erstellungszeitpunkt>gestern</xdomea:Erstellungszeitpunkt>",
        "Erstellungszeitpunkt ist kein Zeitpunkt",
    );
    authority(m, "Absender", "05974999", "Erfundene Nachbarbehörde");
    authority(m, "Empfaenger", "05974000", "Kreis Soest, Bauaufsicht");
    m.line("    <xdomea:Importbestaetigung>1</xdomea:Importbestaetigung>");
    m.line("    <xdomea:Empfangsbestaetigung>0</xdomea:Empfangsbestaetigung>");
    m.line("  </xdomea:Kopf>");
}

/// The beginning of the case file, up to its first case.
fn write_file(m: &mut Message, seed: u64, wrong: Option<()>) {
    m.line("  <xdomea:Schriftgutobjekt>");
    m.line("    <xdomea:Akte>");
    m.line(&format!(
        "      <xdomea:Identifikation><xdomea:ID>{}</xdomea:ID></xdomea:Identifikation>",
        seeded_id(seed, 1)
    ));
    m.line("      <xdomea:AllgemeineMetadaten>");
    m.line(&format!("        <xdomea:Betreff>Erfundene Bauakte {seed}</xdomea:Betreff>"));
    m.line(&format!("        <xdomea:Kennzeichen>63-{seed:06}</xdomea:Kennzeichen>"));
    m.line("        <xdomea:Medium listURI=\"urn:xoev-de:xdomea:codeliste:medium\" listVersionID=\"1.0\">");
    m.either(
        wrong,
        "          <code>001</code>",
        "          <code>999</code>",
        "Medium steht in keiner Codeliste",
    );
    m.line("        </xdomea:Medium>");
    m.line("      </xdomea:AllgemeineMetadaten>");
    m.line("      <xdomea:Akteninhalt>");
}

fn write_document(m: &mut Message, id: Uuid, title: &str, file: &str, wrong: Option<()>) {
    m.line("          <xdomea:Dokument>");
    m.line(&format!(
        "            <xdomea:Identifikation><xdomea:ID>{id}</xdomea:ID></xdomea:Identifikation>"
    ));
    let title = format!("<xdomea:Betreff>{title}</xdomea:Betreff>");
    m.line(&format!("            <xdomea:AllgemeineMetadaten>{title}</xdomea:AllgemeineMetadaten>"));
    m.line("            <xdomea:Version>");
    m.line("              <xdomea:Nummer>1</xdomea:Nummer>");
    m.line("              <xdomea:Format>");
    m.line("                <xdomea:Name listURI=\"urn:xoev-de:xdomea:codeliste:dateiformat\" listVersionID=\"1.0\">");
    m.line("                  <code>100</code>");
    m.line("                </xdomea:Name>");
    m.line("                <xdomea:SonstigerName>bin</xdomea:SonstigerName>");
    m.line("                <xdomea:Version>1</xdomea:Version>");
    m.line("                <xdomea:Primaerdokument>");
    let name = format!("                  <xdomea:Dateiname>{file}</xdomea:Dateiname>");
    m.either(wrong, &name, &name, "Primärdokument genannt, aber nicht im Container");
    m.line("                </xdomea:Primaerdokument>");
    m.line("              </xdomea:Format>");
    m.line("            </xdomea:Version>");
    m.line("          </xdomea:Dokument>");
}

fn write_end(m: &mut Message) {
    m.line("      </xdomea:Akteninhalt>");
    m.line("    </xdomea:Akte>");
    m.line("  </xdomea:Schriftgutobjekt>");
    m.line("</xdomea:Abgabe.Abgabe.0401>");
}

fn pack(process_id: Uuid, message: Message, files: Vec<(String, Vec<u8>)>) -> Container {
    let stem = format!("{process_id}_Abgabe.Abgabe.0401");
    let mut entries = vec![(format!("{stem}.xml"), message.xml.into_bytes())];
    entries.extend(files);
    let content = Content::new(&format!("{stem}.zip"), "application/zip", stored_zip(&entries));
    Container { content, process_id, mistakes: message.mistakes }
}

/// A ZIP of stored entries with fixed times, so that the same content is the same bytes.
#[expect(clippy::expect_used, reason = "a cursor over a vector never fails to be written")]
pub(super) fn stored_zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), options).expect("a name of our own");
        zip.write_all(bytes).expect("a vector takes all");
    }
    zip.finish().expect("a vector takes all").into_inner()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Lines at which xmllint finds the message invalid against the official pack; `None` without it.
    fn judged(message: &str) -> Option<Vec<u64>> {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let schema = shared.join("packs/xdomea/3.1.0/xdomea-Nachrichten-AbgabeDurchfuehren.xsd");
        if !schema.exists() {
            eprintln!("SKIPPED: ../shared is absent");
            return None;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), message).unwrap();
        let output = Command::new("xmllint")
            .args(["--nonet", "--noout", "--schema"])
            .arg(schema)
            .arg(file.path())
            .env("XML_CATALOG_FILES", shared.join("packs/catalog.xml"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Some(said.lines().filter_map(|line| line.split(':').nth(1)?.parse().ok()).collect())
    }

    #[test]
    fn the_valid_message_is_valid_by_the_official_schemas() {
        let mut message = Message::default();
        write_handover(&mut message, seeded_id(1, 0), 7, None);
        if let Some(lines) = judged(&message.xml) {
            assert_eq!(lines, Vec::<u64>::new());
        }
    }

    #[test]
    fn the_broken_message_is_wrong_where_it_says() {
        let mut message = Message::default();
        write_handover(&mut message, seeded_id(1, 0), 7, Some(()));
        let Some(mut lines) = judged(&message.xml) else { return };
        lines.dedup();
        // The last mistake is one of the container: no schema sees it.
        let mut made: Vec<u64> = message.mistakes.iter().map(|mistake| mistake.line).collect();
        made.pop();
        assert_eq!(lines, made);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let one = handover(seeded_id(1, 0), 7, 100);
        assert_eq!(one.content.sha256, handover(seeded_id(1, 0), 7, 100).content.sha256);
        assert_ne!(one.content.sha256, handover(seeded_id(1, 0), 8, 100).content.sha256);
    }
}
