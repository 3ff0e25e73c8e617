//! What the schemas cannot say: identifiers that occur once, files that must be there, classified
//! content, codes of lists that are not part of the schemas. One pass, little memory.

use std::collections::HashSet;

use model::{Finding, Report, Severity};
use schemas::{CodeLists, Verdict};
use xml::{Event, Reader, Start};

use super::formats::OTHER;
use super::node::Node;
use super::read::{DEPTH, MEMORY_BYTES};
use crate::container::{Container, shown};

/// Records of one message whose UUIDs are remembered, 16 bytes each.
const MOST_RECORDS: usize = 500_000;
/// Longest text that a rule looks at.
const TEXT_BYTES: usize = 1_024;
const FORMATS: &str = "urn:xoev-de:xdomea:codeliste:dateiformat";
const CHANNELS: &str = "urn:de:xoev:codeliste:erreichbarkeit";

/// What the rules depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Levels of records that are taken without a warning.
    pub(crate) depth: usize,
    /// Whether "VS - Nur für den Dienstgebrauch" is taken.
    pub(crate) allow_restricted: bool,
    /// Whether the type of message carries the files that it names.
    pub(crate) carries_files: bool,
    /// Whether the message will be read into the case model.
    pub(crate) is_translated: bool,
}

/// Elements that rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    NotLookedUp,
    Other,
    Record,
    Identifikation,
    Id,
    Format,
    Name,
    SonstigerName,
    Code,
    Kanal,
    Confidentiality,
    Dateiname,
    SignaturSiegelDatei,
}

impl Word {
    fn of(local: &str) -> Word {
        match local {
            "Akte"
            | "Teilakte"
            | "Vorgang"
            | "Teilvorgang"
            | "Dokument"
            | "Anlage"
            | "Anschreiben"
            | "DokumentMitSchriftstueck"
            | "Schriftstueck" => Word::Record,
            "Identifikation" => Word::Identifikation,
            "ID" | "xdomeaUUID" => Word::Id,
            "Format" => Word::Format,
            "Name" => Word::Name,
            "SonstigerName" => Word::SonstigerName,
            "code" => Word::Code,
            "Kanal" => Word::Kanal,
            "Vertraulichkeitsstufe" | "Geheimhaltungsgrad" => Word::Confidentiality,
            "Dateiname" => Word::Dateiname,
            "SignaturSiegelDatei" => Word::SignaturSiegelDatei,
            _ => Word::Other,
        }
    }

    fn has_text(self) -> bool {
        matches!(
            self,
            Word::Id | Word::SonstigerName | Word::Code | Word::Dateiname | Word::SignaturSiegelDatei
        )
    }
}

/// A UUID in its usual form, whatever its case.
fn uuid(text: &str) -> Option<u128> {
    let uuid = (text.len() == 36).then(|| text.parse::<model::Id>().ok())??;
    Some(uuid.as_u128())
}

/// A record that is open.
#[derive(Default)]
struct OpenRecord {
    uuid: Option<u128>,
    bytes: usize,
}

/// A Format that is open.
#[derive(Default)]
struct OpenFormat {
    code: String,
    has_other_name: bool,
    entry: Option<usize>,
}

/// What is known of an entry of the container.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named {
    pub(crate) named: bool,
    /// Code of the format that the message claims.
    pub(crate) claim: Option<[u8; 3]>,
}

/// The rules and what they remember.
pub(crate) struct Rules<'a> {
    setting: Setting,
    lists: &'a CodeLists,
    container: Option<&'a Container>,
    pub(crate) report: Report,
    /// By entry of the container.
    pub(crate) entries: Vec<Named>,
    /// Files named where there is no container.
    pub(crate) absent_files: u64,
    words: Vec<Word>,
    open: Vec<Word>,
    records: Vec<OpenRecord>,
    format: OpenFormat,
    uuids: HashSet<u128>,
    text: String,
    list: Option<(String, String)>,
    held: usize,
    said: HashSet<&'static str>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(setting: Setting, lists: &'a CodeLists, container: Option<&'a Container>) -> Self {
        let count = container.map_or(0, |container| container.entries().len());
        Rules {
            setting,
            lists,
            container,
            report: Report::default(),
            entries: vec![Named::default(); count],
            absent_files: 0,
            words: Vec::new(),
            open: Vec::new(),
            records: Vec::new(),
            format: OpenFormat::default(),
            uuids: HashSet::new(),
            text: String::new(),
            list: None,
            held: 0,
            said: HashSet::new(),
        }
    }

    /// Reads to the end of the document.
    pub(crate) fn run<R: std::io::BufRead>(&mut self, reader: &mut Reader<R>) -> Result<(), xml::Error> {
        loop {
            match reader.next()? {
                Event::Start(start) => {
                    let word = self.word(&start);
                    self.hold(&start);
                    self.open.push(word);
                    match word {
                        Word::Record => self.begin_record(reader),
                        Word::Format => self.format = OpenFormat::default(),
                        Word::Other => {}
                        _ => self.text.clear(),
                    }
                }
                Event::Text(text) => {
                    self.held += text.len();
                    self.records.last_mut().into_iter().for_each(|record| record.bytes += text.len());
                    let wanted = self.open.last().is_some_and(|word| word.has_text());
                    if wanted && self.text.len() + text.len() <= TEXT_BYTES {
                        self.text.push_str(text);
                    }
                }
                Event::End => {
                    let word = self.open.pop().unwrap_or(Word::Other);
                    if word != Word::Other {
                        self.end(word, reader);
                    }
                }
                Event::Eof => return Ok(()),
            }
            if self.setting.is_translated && self.held > MEMORY_BYTES {
                self.once(Finding::error("xdomea.record-too-large"), "size", reader);
            }
        }
    }

    fn word(&mut self, start: &Start<'_>) -> Word {
        let index = start.symbols()[0].index();
        if self.words.len() <= index {
            self.words.resize(index + 1, Word::NotLookedUp);
        }
        if self.words[index] == Word::NotLookedUp {
            self.words[index] = Word::of(start.local());
        }
        self.words[index]
    }

    /// Counts what reading would keep in memory, and remembers the list that a code is of.
    fn hold(&mut self, start: &Start<'_>) {
        let mut bytes = size_of::<Node>() + start.local().len() + 8;
        let is_code = start.namespace().is_none();
        if !is_code {
            self.list = None;
        }
        for attribute in start.attributes() {
            bytes += attribute.local.len() + attribute.value.len() + 48;
            let (uri, version) = self.list.get_or_insert_default();
            match attribute.local {
                "listURI" => attribute.value.clone_into(uri),
                "listVersionID" => attribute.value.clone_into(version),
                _ => {}
            }
        }
        self.held += bytes;
        if let Some(record) = self.records.last_mut() {
            record.bytes += bytes;
        }
    }

    fn begin_record<R: std::io::BufRead>(&mut self, reader: &Reader<R>) {
        self.records.push(OpenRecord::default());
        let depth = self.records.len();
        if depth > DEPTH {
            self.once(Finding::error("xdomea.depth"), "depth", reader);
        } else if depth > self.setting.depth {
            self.once(Finding::warning("xdomea.depth"), "depth", reader);
        }
    }

    fn end<R: std::io::BufRead>(&mut self, word: Word, reader: &Reader<R>) {
        let parent = self.open.last().copied().unwrap_or(Word::Other);
        match (word, parent) {
            (Word::Record, _) => {
                let record = self.records.pop().unwrap_or_default();
                self.held = self.held.saturating_sub(record.bytes);
            }
            (Word::Id, Word::Identifikation) if self.open.iter().rev().nth(1) == Some(&Word::Record) => {
                self.end_id(reader);
            }
            (Word::Code, parent) => self.end_code(parent, reader),
            (Word::SonstigerName, Word::Format) => self.format.has_other_name = !self.text.trim().is_empty(),
            (Word::Dateiname, _) => self.end_file_name(reader),
            (Word::SignaturSiegelDatei, _) => {
                self.name_file(reader);
            }
            (Word::Format, _) => self.end_format(reader),
            _ => {}
        }
    }

    fn end_id<R: std::io::BufRead>(&mut self, reader: &Reader<R>) {
        let Some(uuid) = uuid(self.text.trim()) else {
            // Else the schema has said so.
            if self.text.parse::<xml::value::Uuid>().is_ok() {
                self.add(Finding::error("xdomea.uuid"), reader);
            }
            return;
        };
        if let Some(record) = self.records.last_mut() {
            record.uuid = Some(uuid);
        }
        if self.uuids.len() >= MOST_RECORDS {
            self.once(Finding::error("xdomea.too-many-records"), "records", reader);
        } else if !self.uuids.insert(uuid) {
            self.add(Finding::error("xdomea.uuid-twice"), reader);
        }
    }

    fn end_code<R: std::io::BufRead>(&mut self, parent: Word, reader: &Reader<R>) {
        let code = self.text.trim();
        let is_format = parent == Word::Name && self.open.iter().rev().nth(1) == Some(&Word::Format);
        if is_format {
            code.clone_into(&mut self.format.code);
        }
        let is_restricted = code == "002";
        let is_classified = matches!(code, "001" | "004" | "005");
        if parent == Word::Confidentiality
            && (is_classified || (is_restricted && !self.setting.allow_restricted))
        {
            self.add(Finding::error("xdomea.classified"), reader);
            return;
        }
        let Some((uri, version)) = &self.list else { return };
        let uri = match (uri.as_str(), parent) {
            ("", Word::Kanal) => CHANNELS,
            ("", _) if is_format => FORMATS,
            (uri, _) => uri,
        };
        let finding = match self.lists.check(uri, version, code) {
            // Only a warning, as of unknown versions: real senders get the lists of contact channels wrong.
            Verdict::UnknownCode => Finding::warning("xdomea.code-unknown"),
            Verdict::UnknownVersion => Finding::warning("xdomea.code-list-version"),
            // Lists that nobody has given us cannot be judged.
            Verdict::Known | Verdict::UnknownList => return,
        };
        let finding = finding.with("list", shown(uri));
        self.add(finding, reader);
    }

    fn end_file_name<R: std::io::BufRead>(&mut self, reader: &Reader<R>) {
        let uuid = self.text.get(..36).and_then(uuid);
        let of_record = self.records.last().and_then(|record| record.uuid);
        if uuid.is_none() || uuid == of_record {
            self.add(Finding::warning("xdomea.file-uuid"), reader);
        }
        if let Some(index) = self.name_file(reader) {
            if self.entries[index].named {
                let name = shown(&self.text);
                self.add(Finding::warning("xdomea.file-twice").in_file(name), reader);
            }
            self.entries[index].named = true;
            self.format.entry = Some(index);
        }
    }

    /// Notes that the message names a file; its entry, if there is one.
    fn name_file<R: std::io::BufRead>(&mut self, reader: &Reader<R>) -> Option<usize> {
        let Some(container) = self.container else {
            self.absent_files += 1;
            return None;
        };
        let Some(index) = container.find(&self.text) else {
            if self.setting.carries_files {
                let name = shown(&self.text);
                self.add(Finding::error("xdomea.file-missing").with("name", name), reader);
            }
            return None;
        };
        if self.open.last() == Some(&Word::SignaturSiegelDatei) {
            self.entries[index].named = true;
        }
        Some(index)
    }

    fn end_format<R: std::io::BufRead>(&mut self, reader: &Reader<R>) {
        let format = std::mem::take(&mut self.format);
        if format.code == OTHER && !format.has_other_name {
            self.add(Finding::error("xdomea.format-name"), reader);
        }
        if let Some(index) = format.entry {
            self.entries[index].claim = format.code.as_bytes().try_into().ok();
        }
    }

    fn add<R: std::io::BufRead>(&mut self, finding: Finding, reader: &Reader<R>) {
        // A path can be long, so none is made for what is only counted.
        match self.report.keeps(finding.severity) {
            true => self.report.add(finding.at(reader.position().line, reader.path())),
            false => self.report.add(finding),
        }
    }

    /// Adds a finding unless one as bad was already made about the same `subject`.
    fn once<R: std::io::BufRead>(&mut self, finding: Finding, subject: &'static str, reader: &Reader<R>) {
        let key = match (subject, finding.severity) {
            ("depth", Severity::Error) => "depth too large",
            (subject, _) => subject,
        };
        if self.said.insert(key) {
            self.add(finding, reader);
        }
    }
}
