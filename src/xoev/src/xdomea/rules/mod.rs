//! What the schemas cannot say: identifiers that occur once, files that must be there, classified
//! content, codes of lists that are not part of the schemas, characters. One pass, little memory.

mod characters;
mod codes;
mod files;
mod found;
mod records;
mod results;
mod sequence;
mod uuids;
mod words;

use std::io::BufRead;

use model::{Finding, Report, Severity};
use schemas::CodeLists;
use xml::{Event, Reader, Start};

use super::node::Node;
use super::read::MEMORY_BYTES;
use super::text::truth;
use crate::container::Container;
use characters::{Fault, fault};
use codes::{Codes, Where};
use files::Files;
pub(crate) use files::Named;
use found::{Found, Spot};
use records::Records;
use results::OpenResult;
use sequence::Sequence;
use uuids::uuid;
use words::{Kind, Word};

/// Longest text that a rule looks at.
const TEXT_BYTES: usize = 1_024;

/// What the rules depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Levels of records that are taken without a warning.
    pub(crate) depth: usize,
    /// Whether "VS - Nur für den Dienstgebrauch" is taken.
    pub(crate) allow_restricted: bool,
    /// Code of the message type.
    pub(crate) code: &'static str,
    /// Whether the type of message carries the files that it names.
    pub(crate) carries_files: bool,
    /// Whether the message will be read into the case model.
    pub(crate) is_translated: bool,
    /// Whether it is of 4.0, where enclosures and cover letters only hold documents.
    pub(crate) is_4: bool,
    /// Whether texts are any characters, not only those of String.Latin (from 3.0).
    pub(crate) has_any_text: bool,
    /// ProzessID.
    pub(crate) process: Option<u128>,
}

impl Setting {
    /// How bad it is what only its receiver would care for.
    fn severity(&self) -> Severity {
        if self.is_translated { Severity::Error } else { Severity::Warning }
    }
}

/// What the rules made out.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// By entry of the container.
    pub(crate) entries: Vec<Named>,
    /// Files named where there is no container.
    pub(crate) absent_files: u64,
    /// LfdNrNachrichtProTyp.
    pub(crate) number: Option<u64>,
}

/// The rules and what they remember.
pub(crate) struct Rules<'a> {
    setting: Setting,
    found: Found,
    records: Records,
    files: Files<'a>,
    codes: Codes<'a>,
    sequence: Sequence,
    words: Vec<Word>,
    open: Vec<Word>,
    text: String,
    /// Whether the open Verweis says what it refers to.
    refers: bool,
    /// How many open elements are of other standards.
    foreign: usize,
    held: usize,
    result: Option<OpenResult>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(setting: Setting, lists: &'a CodeLists, container: Option<&'a Container>) -> Self {
        let mut records = Records::default();
        records.uuids.head.extend(setting.process);
        Rules {
            setting,
            found: Found::default(),
            records,
            files: Files::new(container),
            codes: Codes::new(lists),
            sequence: Sequence::default(),
            words: Vec::new(),
            open: Vec::new(),
            text: String::new(),
            refers: false,
            foreign: 0,
            held: 0,
            result: None,
        }
    }

    /// What was made out by reading.
    pub(crate) fn outcome(self) -> Outcome {
        Outcome {
            report: self.found.report,
            entries: self.files.entries,
            absent_files: self.files.absent,
            number: self.sequence.number,
        }
    }

    /// Reads to the end of the document.
    pub(crate) fn run<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<(), xml::Error> {
        loop {
            match reader.next()? {
                Event::Start(start) => {
                    let word = self.word(&start);
                    self.hold(word, &start);
                    self.open.push(word);
                    if word != Word::Other {
                        self.begin(word, reader);
                    }
                }
                Event::Text(text) => {
                    self.keep(text);
                    if !text.is_ascii() && self.setting.has_any_text && self.foreign == 0 {
                        let fault = fault(text);
                        self.check_characters(fault, reader);
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
            if self.held > MEMORY_BYTES && self.setting.is_translated {
                self.found.once(Finding::error("xdomea.record-too-large"), "size", reader);
            }
        }
    }

    fn word(&mut self, start: &Start<'_>) -> Word {
        if self.foreign > 0 {
            return Word::Other;
        }
        let index = start.symbols()[0].index();
        if self.words.len() <= index {
            self.words.resize(index + 1, Word::NotLookedUp);
        }
        if self.words[index] == Word::NotLookedUp {
            self.words[index] = Word::of(start.local());
        }
        match self.words[index] {
            Word::RecordOrWrapper if self.setting.is_4 || self.open.len() == 1 => Word::Other,
            Word::RecordOrWrapper => Word::Record(Kind::Document),
            word => word,
        }
    }

    /// Counts what reading would keep in memory, and remembers the list that a code is of.
    fn hold(&mut self, word: Word, start: &Start<'_>) {
        let of_attribute = |attribute: xml::Attribute<'_>| attribute.local.len() + attribute.value.len() + 48;
        let attributes: usize = start.attributes().map(of_attribute).sum();
        let bytes = size_of::<Node>() + start.local().len() + 8 + attributes;
        self.codes.begin(start);
        self.held += bytes;
        self.records.hold(bytes);
        let is_plain = attributes == 0;
        match &mut self.result {
            Some(result) => result.element(word, bytes, is_plain),
            // The root, the result.
            None if word == Word::Result && self.open.len() == 1 => {
                self.result = Some(OpenResult::new(bytes, is_plain));
            }
            None => {}
        }
    }

    fn keep(&mut self, text: &str) {
        self.held += text.len();
        self.records.hold(text.len());
        self.result.iter_mut().for_each(|result| result.text(text.len()));
        let is_wanted = self.open.last().is_some_and(|word| word.has_text());
        if is_wanted && self.text.len() + text.len() <= TEXT_BYTES {
            self.text.push_str(text);
        }
    }

    fn check_characters(&mut self, fault: Option<Fault>, spot: &dyn Spot) {
        match fault {
            Some(Fault::Unknown) => self.found.warn("xdomea.characters", spot),
            Some(Fault::NotComposed) => self.found.warn("xdomea.not-composed", spot),
            None => {}
        }
    }

    fn begin(&mut self, word: Word, spot: &dyn Spot) {
        match word {
            Word::Record(kind) => {
                // The root, Schriftgutobjekt, the record.
                if self.open.len() == 3 {
                    self.records.begin_root(kind, &self.setting, &mut self.found, spot);
                }
                self.records.begin(kind, &self.setting, &mut self.found, spot);
            }
            Word::Foreign => self.foreign += 1,
            Word::Format => self.files.begin_format(),
            Word::Verweis => self.refers = false,
            Word::Metadata if matches!(self.above(1), Word::Record(_)) => self.records.metadata(),
            _ => self.text.clear(),
        }
    }

    /// The open element so many levels above the innermost.
    fn above(&self, levels: usize) -> Word {
        self.open.iter().rev().nth(levels).copied().unwrap_or(Word::Other)
    }

    fn end(&mut self, word: Word, spot: &dyn Spot) {
        let (parent, grandparent) = (self.above(0), self.above(1));
        // Workflows have an Identifikation, too.
        let is_of_record = matches!(grandparent, Word::Record(_));
        if self.open.len() == 1 {
            let result = self.result.take();
            self.held = self.held.saturating_sub(result.map_or(0, |result| result.freed()));
        }
        self.result.iter_mut().for_each(|result| result.end(word, &self.text));
        let (setting, found, records) = (&self.setting, &mut self.found, &mut self.records);
        let text = self.text.trim();
        match (word, parent) {
            (Word::Record(_), _) => {
                let bytes = records.end(setting, found, spot);
                self.held = self.held.saturating_sub(bytes);
            }
            (Word::Foreign, _) => self.foreign -= 1,
            (Word::Identifikation, Word::Record(_)) => records.identified(found, spot),
            (Word::Number, Word::Identifikation) if is_of_record => records.number(text),
            (Word::Id, Word::Identifikation) => records.id(text, is_of_record, found, spot),
            (Word::Id, Word::Result) => records.result(text, found, spot),
            (Word::Id | Word::SgoKennzeichen, Word::Verweis) => self.refers |= !text.is_empty(),
            (Word::Verweis, _) if !self.refers => found.warn("xdomea.reference-empty", spot),
            (Word::Kontextobjekt, Word::Record(_)) => {
                truth(text).into_iter().for_each(|is_context| records.context(is_context, found, spot));
            }
            (Word::Code, _) => self.end_code(parent, spot),
            (Word::SonstigerName, Word::Format) => self.files.other_name(text),
            (Word::Dateiname, _) => self.files.primary(&self.text, records, setting, found, spot),
            (Word::SignaturSiegelDatei, _) => self.files.signature(&self.text, setting, found, spot),
            (Word::Format, _) => self.files.end_format(found, spot),
            (Word::NachrichtenUuid | Word::UrsprungUuid | Word::Running | Word::Total, _) => {
                self.end_sequence(word, spot);
            }
            _ => {}
        }
    }

    fn end_code(&mut self, parent: Word, spot: &dyn Spot) {
        let code = self.text.trim();
        let place = match (parent, self.above(1)) {
            (Word::Name, Word::Format) => Where::Format,
            (Word::Kanal, _) => Where::Channel,
            _ => Where::Elsewhere,
        };
        if place == Where::Format {
            self.files.code(code);
        }
        if parent == Word::Aussonderungsart && self.is_disposal() {
            self.records.disposal(code, &mut self.found, spot);
        }
        if parent == Word::Confidentiality && self.codes.is_refused(code, &self.setting) {
            self.found.add(Finding::error("xdomea.classified"), spot);
            return;
        }
        self.codes.check(code, place, &mut self.found, spot);
    }

    /// Whether the innermost Aussonderungsart is that of a record: from 3.0 one stands in another.
    fn is_disposal(&self) -> bool {
        let above = if self.above(1) == Word::Aussonderungsart { 2 } else { 1 };
        self.above(above) == Word::Metadata && matches!(self.above(above + 1), Word::Record(_))
    }

    fn end_sequence(&mut self, word: Word, spot: &dyn Spot) {
        let (severity, found) = (self.setting.severity(), &mut self.found);
        let text = self.text.trim();
        match word {
            // Only that of the header: a message may say many UUIDs, each of which all records would be compared with.
            Word::NachrichtenUuid if self.sequence.own(text) => self.records.uuids.head.extend(uuid(text)),
            Word::NachrichtenUuid => {}
            Word::UrsprungUuid => self.sequence.answered(text, severity, found, spot),
            Word::Running => self.sequence.number(text, severity, found, spot),
            _ => self.sequence.total(text, severity, found, spot),
        }
    }
}
