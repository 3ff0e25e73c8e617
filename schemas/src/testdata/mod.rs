//! Documents for tests and benches: a large xdomea message 0503 of many files, in the shape that
//! real exports have, always the same for the same size; and messages of every type and version
//! with anything that can stand in them ([`Outline`], [`Maker`]).

mod maker;
mod outline;

pub use maker::Maker;
pub use outline::Outline;

use std::io::{self, Write};

/// Primary documents of one file (Akte).
const DOCUMENTS: u32 = 15;

/// Writes a valid xdomea 3.0.0 message 0503 of at least `target_bytes`: files with cases, cases
/// with documents, one primary document each. 22 MB are about 1,200 files and 18,000 documents.
pub fn generate_0503(out: &mut impl Write, target_bytes: u64) -> io::Result<()> {
    let mut out = Counted { out, bytes: 0 };
    out.write_all(HEAD.as_bytes())?;
    let mut file = 0;
    while out.bytes < target_bytes {
        write_file(&mut out, file)?;
        file += 1;
    }
    out.write_all(b"</xdomea:Aussonderung.Aussonderung.0503>\n")
}

struct Counted<'a, W: Write> {
    out: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<xdomea:Aussonderung.Aussonderung.0503 xmlns:xdomea="urn:xoev-de:xdomea:schema:3.0.0">
  <xdomea:Kopf>
    <xdomea:ProzessID>00000000-0000-4000-8000-000000000503</xdomea:ProzessID>
    <xdomea:Nachrichtentyp listURI="urn:xoev-de:xdomea:codeliste:nachrichtentyp" listVersionID="2.0">
      <code>0503</code>
      <name>Aussonderung.Aussonderung</name>
    </xdomea:Nachrichtentyp>
    <xdomea:Erstellungszeitpunkt>2026-01-02T03:04:05Z</xdomea:Erstellungszeitpunkt>
    <xdomea:Absender><xdomea:Institution><xdomea:Name>Kreis Musterland</xdomea:Name></xdomea:Institution></xdomea:Absender>
    <xdomea:Empfaenger><xdomea:Institution><xdomea:Name>Archiv</xdomea:Name></xdomea:Institution></xdomea:Empfaenger>
    <xdomea:Importbestaetigung>1</xdomea:Importbestaetigung>
    <xdomea:RueckmeldungArchivkennung>0</xdomea:RueckmeldungArchivkennung>
    <xdomea:Empfangsbestaetigung>0</xdomea:Empfangsbestaetigung>
  </xdomea:Kopf>
"#;

fn uuid(kind: u32, number: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn write_file(out: &mut impl Write, file: u32) -> io::Result<()> {
    let id = uuid(1, file);
    write!(
        out,
        r#"  <xdomea:Schriftgutobjekt>
    <xdomea:Akte>
      <xdomea:Identifikation>
        <xdomea:ID>{id}</xdomea:ID>
      </xdomea:Identifikation>
"#
    )?;
    write_metadata(out, "Bauantrag & Genehmigung", file, 6)?;
    write!(
        out,
        r#"      <xdomea:ArchivspezifischeMetadaten>
        <xdomea:Aufbewahrungsdauer>
          <xdomea:AnzahlJahre>10</xdomea:AnzahlJahre>
        </xdomea:Aufbewahrungsdauer>
        <xdomea:Aussonderungsart>
          <xdomea:Aussonderungsart listURI="urn:xoev-de:xdomea:codeliste:aussonderungsart" listVersionID="1.0">
            <code>A</code>
          </xdomea:Aussonderungsart>
        </xdomea:Aussonderungsart>
      </xdomea:ArchivspezifischeMetadaten>
      <xdomea:Laufzeit>
        <xdomea:Beginn>2010-04-04</xdomea:Beginn>
        <xdomea:Ende>2012-04-04</xdomea:Ende>
      </xdomea:Laufzeit>
      <xdomea:Akteninhalt>
        <xdomea:Vorgang>
          <xdomea:Identifikation>
            <xdomea:ID>{}</xdomea:ID>
          </xdomea:Identifikation>
"#,
        uuid(2, file)
    )?;
    for document in 0..DOCUMENTS {
        write_document(out, file * DOCUMENTS + document)?;
    }
    out.write_all(
        br"        </xdomea:Vorgang>
      </xdomea:Akteninhalt>
    </xdomea:Akte>
  </xdomea:Schriftgutobjekt>
",
    )
}

fn write_metadata(out: &mut impl Write, subject: &str, number: u32, indent: usize) -> io::Result<()> {
    let subject = subject.replace('&', "&amp;");
    let space = " ".repeat(indent);
    write!(
        out,
        r#"{space}<xdomea:AllgemeineMetadaten>
{space}  <xdomea:Betreff>{subject} Straße der Prüfung {number}</xdomea:Betreff>
{space}  <xdomea:Kennzeichen>63.1-{number:06}/2026</xdomea:Kennzeichen>
{space}  <xdomea:Medium listURI="urn:xoev-de:xdomea:codeliste:medium" listVersionID="1.0">
{space}    <code>001</code>
{space}  </xdomea:Medium>
{space}</xdomea:AllgemeineMetadaten>
"#
    )
}

fn write_document(out: &mut impl Write, number: u32) -> io::Result<()> {
    write!(
        out,
        r#"          <xdomea:Dokument>
            <xdomea:Identifikation>
              <xdomea:ID>{}</xdomea:ID>
            </xdomea:Identifikation>
            <xdomea:AllgemeineMetadaten>
              <xdomea:Betreff>Schreiben Nr. {number}</xdomea:Betreff>
            </xdomea:AllgemeineMetadaten>
            <xdomea:DatumDesSchreibens>2011-05-06</xdomea:DatumDesSchreibens>
            <xdomea:Version>
              <xdomea:Nummer>1</xdomea:Nummer>
              <xdomea:Format>
                <xdomea:Name listURI="urn:xoev-de:xdomea:codeliste:dateiformat" listVersionID="1.0">
                  <code>018</code>
                </xdomea:Name>
                <xdomea:Version>1.7</xdomea:Version>
                <xdomea:Primaerdokument>
                  <xdomea:Dateiname>{}.pdf</xdomea:Dateiname>
                  <xdomea:DateinameOriginal>Schreiben {number}.pdf</xdomea:DateinameOriginal>
                </xdomea:Primaerdokument>
              </xdomea:Format>
            </xdomea:Version>
          </xdomea:Dokument>
"#,
        uuid(3, number),
        uuid(4, number)
    )
}
