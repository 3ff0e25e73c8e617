//! Rules that hold in every version, whatever its elements are called: each finds exactly what it is for.

use model::Severity;
use xoev::container::ContainerWriter;

use crate::memory::check;
use crate::tools::own;

const PROCESS: &str = "7bf9473a-b4a7-11ec-a407-005056871b7c";
const VERSIONS: [&str; 5] = ["2.3.0", "2.4.0", "3.0.0", "3.1.0", "4.0.0"];

/// A transfer: a file with two cases, the first with a document. Elements that differ by version are written by it.
#[derive(Clone)]
struct Message {
    version: &'static str,
    code: &'static str,
    has_key: bool,
    subject: &'static str,
    /// Aussonderungsart of the file and the first case; none if empty.
    disposal: [&'static str; 2],
    /// Kontextobjekt of the file and the cases (4.0).
    context: [&'static str; 3],
    /// Numbers of the two cases; none if empty.
    numbers: [&'static str; 2],
    /// UUID of the second case.
    second: &'static str,
    /// Inside Verweis; none if empty.
    reference: String,
    /// Elements behind the first document.
    more: String,
    format: &'static str,
    /// Named by the document.
    named: &'static str,
    /// In the container, with their contents.
    files: Vec<(&'static str, &'static [u8])>,
    /// nachrichtenUUID, and number and total of 4.0.
    own_id: &'static str,
    sequence: [&'static str; 2],
    /// Names of container and message.
    names: Option<[String; 2]>,
}

const FILE: &str = "f4bcaaf7-d7cb-11ef-a278-005056871b7c_Plan.pdf";
const SECOND: &str = "22220000-0000-4000-8000-000000000002";
const DOCUMENT: &str = "11110000-0000-4000-8000-00000000000d";
const OWN_ID: &str = "33330000-0000-4000-8000-000000000001";

fn good(version: &'static str) -> Message {
    Message {
        version,
        code: "0503",
        has_key: true,
        subject: "Prüfung",
        disposal: ["A", ""],
        context: ["0"; 3],
        numbers: ["1", "7"],
        second: SECOND,
        reference: String::new(),
        more: String::new(),
        format: "018",
        named: FILE,
        files: vec![(FILE, b"%PDF-1.7")],
        own_id: OWN_ID,
        sequence: ["1", "3"],
        names: None,
    }
}

/// An element of xdomea.
fn tag(name: &str, content: &str) -> String {
    format!("<xdomea:{name}>{content}</xdomea:{name}>")
}

/// The same unless it would be empty.
fn maybe(name: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { tag(name, content) }
}

impl Message {
    fn is_2(&self) -> bool {
        self.version.starts_with('2')
    }

    fn is_4(&self) -> bool {
        self.version == "4.0.0"
    }

    fn root(&self) -> &'static str {
        match self.code {
            "0501" => "Aussonderung.Anbieteverzeichnis.0501",
            _ => "Aussonderung.Aussonderung.0503",
        }
    }

    fn stem(&self) -> String {
        match self.is_4() {
            true => format!("{PROCESS}_{}_{}", self.code, self.sequence[0]),
            false => format!("{PROCESS}_{}", self.root()),
        }
    }

    fn identification(&self, uuid: &str, number: &str) -> String {
        let id = tag(if self.is_4() { "xdomeaUUID" } else { "ID" }, uuid);
        tag("Identifikation", &(id + &maybe("NummerImUebergeordnetenContainer", number)))
    }

    fn metadata(&self, disposal: &str) -> String {
        if disposal.is_empty() {
            return String::new();
        }
        let code = tag("Aussonderungsart", &format!("<code>{disposal}</code>"));
        let code = if self.is_2() { code } else { tag("Aussonderungsart", &code) };
        tag(if self.is_4() { "Aussonderungsmetadaten" } else { "ArchivspezifischeMetadaten" }, &code)
    }

    /// Identifikation and what comes after it in files and cases.
    fn begin(&self, uuid: &str, number: &str, context: &str, disposal: &str) -> String {
        let context = if self.is_4() { tag("Kontextobjekt", context) } else { String::new() };
        let general = tag("AllgemeineMetadaten", &tag("Betreff", self.subject));
        self.identification(uuid, number) + &context + &general + &self.metadata(disposal)
    }

    fn version_of_file(&self) -> String {
        let list = if self.is_2() { "" } else { " listVersionID=\"1.0\"" };
        let name = format!("<xdomea:Name{list}><code>{}</code></xdomea:Name>", self.format);
        let other = if self.format == "100" { tag("SonstigerName", "Film") } else { String::new() };
        let file = tag("Primaerdokument", &tag("Dateiname", self.named));
        tag(
            "Version",
            &(tag("Nummer", "1") + &tag("Format", &(name + &other + &tag("Version", "1") + &file))),
        )
    }

    /// A document in what it stands in.
    fn document(&self, uuid: &str, content: &str) -> String {
        let document = tag("Dokument", &(self.identification(uuid, "") + content));
        if self.is_4() { tag("DokumentOderDokumentMitSchriftstueck", &document) } else { document }
    }

    /// A document within another.
    fn enclosure(&self, uuid: &str, content: &str) -> String {
        let inside = self.identification(uuid, "") + content;
        tag("Anlage", &if self.is_4() { tag("Dokument", &inside) } else { inside })
    }

    fn records(&self) -> String {
        let document = self.document(DOCUMENT, &self.version_of_file());
        let cases = [
            self.begin(
                "22220000-0000-4000-8000-000000000001",
                self.numbers[0],
                self.context[1],
                self.disposal[1],
            ) + &document
                + &self.more,
            self.begin(self.second, self.numbers[1], self.context[2], "")
                + &maybe("Verweis", &self.reference),
        ];
        let cases: String = cases.iter().map(|case| tag("Vorgang", case)).collect();
        let file = self.begin("11110000-0000-4000-8000-00000000000A", "", self.context[0], self.disposal[0]);
        tag("Schriftgutobjekt", &tag("Akte", &(file + &tag("Akteninhalt", &cases))))
    }

    fn head(&self) -> String {
        let receipt = if self.is_2() && self.code == "0503" {
            ""
        } else {
            "<xdomea:Empfangsbestaetigung>0</xdomea:Empfangsbestaetigung>"
        };
        let import = match self.code {
            "0503" => tag("Importbestaetigung", "1") + &tag("RueckmeldungArchivkennung", "0"),
            _ => String::new(),
        };
        if self.is_4() {
            return self.head_4()
                + &import
                + receipt
                + &tag("LfdNrNachrichtProTyp", self.sequence[0])
                + &tag("GesamtanzahlNachrichtenProTyp", self.sequence[1]);
        }
        let key = if self.is_2() { "Kennung" } else { "Behoerdenschluessel" };
        let code = |name: &str, code: &str| {
            format!("<xdomea:{name} listURI=\"\" listVersionID=\"\"><code>{code}</code></xdomea:{name}>")
        };
        let sender = code(key, "05974000") + &code("Praefix", "bab");
        let sender = if self.has_key { tag("Behoerdenkennung", &sender) } else { String::new() };
        let system = if self.is_2() { "<xdomea:SendendesSystem/>" } else { "" };
        let head = tag("ProzessID", PROCESS)
            + &tag("Nachrichtentyp", &format!("<code>{}</code>", self.code))
            + &tag("Erstellungszeitpunkt", "2026-11-24T09:15:00")
            + &tag("Absender", &sender)
            + &tag("Empfaenger", &tag("Institution", &tag("Name", "Archiv")))
            + system
            + &import
            + receipt;
        tag("Kopf", &head)
    }

    fn head_4(&self) -> String {
        let identification = format!(
            "<nachrichtenUUID>{}</nachrichtenUUID><nachrichtentyp><code>{}</code></nachrichtentyp>\
             <erstellungszeitpunkt>2026-11-24T09:15:00</erstellungszeitpunkt>",
            self.own_id, self.code
        );
        let key =
            "<xdomea:verzeichnisdienst listVersionID=\"1\"><code>DVDV</code></xdomea:verzeichnisdienst>";
        let key = tag("Behoerdenkennung", &(key.to_owned() + &tag("kennung", "bab:05974000")));
        let head = tag("identifikation.nachricht", &identification)
            + &tag("leser", &tag("NameInstitution", &tag("Name", "Archiv")))
            + &tag("autor", if self.has_key { &key } else { "" })
            + &tag("ProzessID", PROCESS);
        tag("nachrichtenkopf", &head)
    }

    fn xml(&self) -> String {
        let (root, version) = (self.root(), self.version);
        let attributes = match self.is_4() {
            true => " produkt=\"x\" produkthersteller=\"x\" standard=\"xdomea\" version=\"4.0.0\"",
            false => "",
        };
        let (head, records) = (self.head(), self.records());
        format!(
            "<xdomea:{root} xmlns:xdomea=\"urn:xoev-de:xdomea:schema:{version}\"{attributes}>{head}{records}</xdomea:{root}>"
        )
    }

    /// What the check finds, in its order.
    fn found(&self) -> Vec<(String, Severity)> {
        let stem = self.stem();
        let names = self.names.clone().unwrap_or_else(|| [format!("{stem}.zip"), format!("{stem}.xml")]);
        let mut writer = ContainerWriter::new(Vec::new());
        writer.entry(&names[1], |sink| sink.write_all(self.xml().as_bytes())).unwrap();
        for (name, content) in &self.files {
            writer.entry(name, |sink| sink.write_all(content)).unwrap();
        }
        let report = check(&own(), &writer.finish().unwrap(), Some(&names[0])).1;
        report.findings.into_iter().map(|finding| (finding.rule, finding.severity)).collect()
    }
}

/// A change, and the rules that then are found, all of them warnings unless they end with `!`.
type Case = (fn(&mut Message), &'static [&'static str]);

const EVERYWHERE: &[Case] = &[
    (|_| {}, &[]),
    (|m| m.numbers = ["", ""], &[]),
    (|m| m.numbers = ["7", "7"], &["xdomea.number-twice"]),
    (|m| m.numbers = ["07", "7"], &["xdomea.number-twice"]),
    (|m| m.numbers = ["7", ""], &["xdomea.number-missing"]),
    (|m| m.numbers = ["", "7"], &["xdomea.number-missing"]),
    (|m| m.second = "22220000-0000-4000-8000-000000000001", &["xdomea.uuid-twice!"]),
    (|m| m.second = "11110000-0000-4000-8000-00000000000a", &["xdomea.uuid-twice!"]),
    (|m| m.second = PROCESS, &["xdomea.uuid-reused"]),
    (|m| m.second = "f4bcaaf7-d7cb-11ef-a278-005056871b7c", &["xdomea.uuid-reused"]),
    (|m| m.disposal = ["A", "A"], &[]),
    (|m| m.disposal = ["A", "V"], &["xdomea.disposal-contradicted"]),
    (|m| m.disposal = ["A", "B"], &["xdomea.disposal-contradicted"]),
    (|m| m.disposal = ["B", "A"], &[]),
    (|m| m.disposal = ["B", "V"], &[]),
    (|m| m.disposal = ["V", "V"], &["xdomea.not-archival"]),
    (|m| m.disposal = ["", "A"], &["xdomea.disposal-absent"]),
    (|m| m.has_key = false, &["xdomea.sender-key"]),
    (|m| m.reference = tag("SGOTyp", "<code>001</code>") + &tag("SGOKennzeichen", "1/26"), &[]),
    (|m| m.reference = tag("SGOTyp", "<code>001</code>"), &["xdomea.reference-empty"]),
    (|m| m.files[0].1 = b"", &["xdomea.file-empty"]),
    (|m| m.files[0].1 = b"PK\x03\x04", &["xdomea.format-contradicted"]),
    (|m| (m.format, m.files[0].1) = ("019", b"\x89PNG\r\n\x1a\n"), &["xdomea.file-ending"]),
    (|m| m.files.clear(), &["xdomea.file-missing!"]),
    (|m| m.files[0].0 = "f4bcaaf7-d7cb-11ef-a278-005056871b7c_Plan (1).pdf", &["xdomea.file-renamed!"]),
    (|m| m.files[0].0 = "F4BCAAF7-D7CB-11EF-A278-005056871B7C_Plan.PDF", &["xdomea.file-renamed!"]),
    (|m| m.files.push(("a.txt", b"x")), &["xdomea.file-extra"]),
    (
        |m| {
            let name = "11110000-0000-4000-8000-00000000000d_Plan.pdf";
            (m.named, m.files[0].0) = (name, name);
        },
        &["xdomea.file-uuid"],
    ),
    (|m| m.code = "0501", &["xdomea.file-unexpected"]),
    (|m| (m.code, m.files) = ("0501", vec![]), &[]),
    (
        |m| {
            let stem = m.stem();
            m.names = Some([format!("{stem}.zip"), format!("{}.xml", stem.replace("7bf9", "7BF9"))]);
        },
        &["xdomea.stem-mismatch"],
    ),
    (
        |m| {
            let innermost = m.enclosure("44440000-0000-4000-8000-000000000002", "");
            let enclosure = m.enclosure("44440000-0000-4000-8000-000000000001", &innermost);
            m.more = m.document("44440000-0000-4000-8000-000000000003", &enclosure);
        },
        &[],
    ),
    (
        |m| {
            let innermost = m.enclosure("44440000-0000-4000-8000-000000000002", "");
            let enclosure = m.enclosure("44440000-0000-4000-8000-000000000001", &innermost);
            let outer = m.enclosure("44440000-0000-4000-8000-000000000004", &enclosure);
            m.more = m.document("44440000-0000-4000-8000-000000000003", &outer);
        },
        &["xdomea.depth"],
    ),
];

const FROM_3: &[Case] = &[
    (|m| m.subject = "a – b", &["xdomea.characters"; 3]),
    (|m| m.subject = "Pru\u{308}fung", &["xdomea.not-composed"; 3]),
    (|m| m.subject = "Λάμδα, Чехов, Łódź", &[]),
    (
        |m| {
            let name = "f4bcaaf7-d7cb-11ef-a278-005056871b7c_Film.mp4";
            (m.format, m.named, m.files) = ("100", name, vec![(name, &b"RIFF"[..])]);
        },
        &["xdomea.format-contradicted"],
    ),
];

const IN_4: &[Case] = &[
    (|m| m.context = ["1", "0", "0"], &[]),
    (|m| m.context = ["1", "1", "0"], &["xdomea.context-content", "xdomea.context-alone"]),
    (|m| m.context = ["1", "0", "1"], &["xdomea.context-alone"]),
    (|m| m.context = ["0", "0", "1"], &["xdomea.context-inside", "xdomea.context-alone"]),
    (|m| (m.disposal, m.context) = (["V", "V"], ["1", "0", "0"]), &[]),
    (|m| m.sequence = ["3", "3"], &[]),
    (|m| m.sequence = ["4", "3"], &["xdomea.sequence!"]),
    (|m| m.sequence = ["0", "3"], &["xdomea.sequence!"]),
    (|m| m.sequence = ["1", "0"], &["xdomea.sequence!"]),
    (
        |m| m.names = Some([format!("{PROCESS}_0503_2.zip"), format!("{PROCESS}_0503_2.xml")]),
        &["xdomea.sequence-name!", "xdomea.sequence-name!"],
    ),
    (
        |m| {
            m.names = Some([
                format!("{PROCESS}_Aussonderung.Aussonderung.0503.zip"),
                format!("{PROCESS}_0503_1.xml"),
            ])
        },
        &["xdomea.file-name", "xdomea.stem-mismatch"],
    ),
    (|m| m.second = OWN_ID, &["xdomea.uuid-reused"]),
];

fn assert_cases(cases: &[Case], versions: &[&'static str]) {
    let mut wrong = Vec::new();
    for version in versions {
        for (number, (change, expected)) in cases.iter().enumerate() {
            let mut message = good(version);
            change(&mut message);
            let found: Vec<String> = message
                .found()
                .into_iter()
                .map(|(rule, severity)| if severity == Severity::Error { rule + "!" } else { rule })
                .collect();
            if found != *expected {
                wrong.push(format!("{version}, case {number}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_find_what_they_are_for_in_every_version() {
    assert_cases(EVERYWHERE, &VERSIONS);
}

#[test]
fn characters_are_looked_at_where_the_schema_takes_any() {
    assert_cases(FROM_3, &VERSIONS[2..]);
}

#[test]
fn context_objects_and_numbers_of_messages_are_looked_at_in_4_0() {
    assert_cases(IN_4, &VERSIONS[4..]);
}

#[test]
fn a_document_at_the_top_of_a_transfer_is_found() {
    for version in &VERSIONS[..4] {
        let message = good(version);
        let document = tag("Schriftgutobjekt", &message.document("44440000-0000-4000-8000-000000000001", ""));
        let xml =
            message.xml().replacen("<xdomea:Schriftgutobjekt>", &(document + "<xdomea:Schriftgutobjekt>"), 1);
        let report = check(&own(), xml.as_bytes(), None).1;
        let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["xdomea.root-document", "xdomea.no-container"], "{version}");
    }
}

#[test]
fn a_reply_says_one_thing_about_each_object_and_does_not_answer_itself() {
    let object = |id: &str, code: &str| {
        let code = tag("Aussonderungsart", &tag("Aussonderungsart", &format!("<code>{code}</code>")));
        tag("BewertetesObjekt", &(tag("ID", id) + &code))
    };
    let message = Message { code: "0501", ..good("3.1.0") };
    let reply = |objects: &str| {
        format!(
            "<xdomea:Aussonderung.Bewertungsverzeichnis.0502 xmlns:xdomea=\"urn:xoev-de:xdomea:schema:3.1.0\">{}{objects}\
             </xdomea:Aussonderung.Bewertungsverzeichnis.0502>",
            message.head().replace("0501", "0502")
        )
    };
    let rules = |xml: &str| -> Vec<(String, Severity)> {
        let findings = check(&own(), xml.as_bytes(), None).1.findings;
        findings.into_iter().map(|finding| (finding.rule, finding.severity)).collect()
    };
    assert_eq!(rules(&reply(&(object(SECOND, "A") + &object(DOCUMENT, "V")))), []);
    let twice = reply(&(object(DOCUMENT, "A") + &object(&DOCUMENT.to_uppercase(), "V")));
    assert_eq!(rules(&twice), [("xdomea.result-twice".to_owned(), Severity::Error)]);

    let message = Message { code: "0504", ..good("4.0.0") };
    let reply = |answered: &str| {
        let head = message.head().replace("<xdomea:Empfangsbestaetigung>0</xdomea:Empfangsbestaetigung>", "");
        let answered = tag("UUIDUrsprungsnachricht", answered) + "<xdomea:LfdNr";
        format!(
            "<xdomea:Aussonderung.AnbietungEmpfangBestaetigen.0504 xmlns:xdomea=\"urn:xoev-de:xdomea:schema:4.0.0\" \
             produkt=\"x\" produkthersteller=\"x\" standard=\"xdomea\" version=\"4.0.0\">{}\
             </xdomea:Aussonderung.AnbietungEmpfangBestaetigen.0504>",
            head.replace("<xdomea:LfdNr", &answered)
        )
    };
    assert_eq!(rules(&reply(SECOND)), []);
    assert_eq!(rules(&reply(OWN_ID)), [("xdomea.answers-itself".to_owned(), Severity::Error)]);
}

#[test]
fn only_the_first_uuid_of_a_message_is_its_own() {
    let more = (0..3)
        .map(|at| format!("<nachrichtenUUID>44440000-0000-4000-8000-00000000000{at}</nachrichtenUUID>"));
    let mut message = good("4.0.0");
    message.more = more.collect();
    message.second = "44440000-0000-4000-8000-000000000002";
    let found = message.found();
    assert!(found.iter().all(|(rule, _)| rule != "xdomea.uuid-reused"), "{found:?}");
    message.second = OWN_ID;
    let found = message.found();
    assert!(found.iter().any(|(rule, _)| rule == "xdomea.uuid-reused"), "{found:?}");
}
