//! What a court sends as facts of a case: message 0005005 (Übermittlung von Schriftgutobjekten) of XJustiz 2.4 and 3.2 to 3.6, read by the
//! names of its elements, which these versions share.
//!
//! The message becomes a case with the parties and, if its sender is a court, that court's file number; an Akte or Teilakte is a case within it, a Dokument a
//! document with its files. Everything else stays in the message, which is kept as it came.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use model::case::{Case, Description, Document, DocumentDates, Priority, RecordStatus};
use model::standard::{Intake, Meaning, Object, placeholder};
use model::{Id, PayloadRef, Record, RecordKind, ids};
use xml::{Event, Reader};

use super::court::Sender;
use super::draft::{Draft, line, text_cut};
use super::{NAMESPACE, Said};
use crate::Error;

/// Versions whose elements are known, by their first two numbers.
const KNOWN: [&str; 6] = ["2.4", "3.2", "3.3", "3.4", "3.5", "3.6"];
/// Most records; a message with more is carried on as it is.
const MOST_RECORDS: usize = 20_000;
/// Most levels of Akte and Teilakte.
const DEPTH: usize = 20;
/// Most parties; the others are in the message.
const MOST_PARTIES: usize = 200;
/// Longest text that is looked at, in bytes.
const TEXT_BYTES: usize = 8_000;
/// Longest title of a record, in characters.
const TITLE_CHARS: usize = 2_000;

/// Element of a code, of whatever list.
const CODE: &str = "code";
/// Elements that something is read of.
const WORDS: [&str; 52] = [
    "nachrichtenkopf",
    "grunddaten",
    "absender",
    "absender_Gericht",
    "absender.gericht",
    "informationen",
    "auswahl_kommunikationspartner",
    "gericht",
    "empfaenger",
    "aktenzeichen",
    "aktenzeichen.absender",
    "aktenzeichen.empfaenger",
    "aktenzeichen.freitext",
    "auswahl_aktenzeichen",
    "kurzrubrum",
    "gegenstand",
    "beteiligung",
    "sonstigeBezeichnung",
    "beteiligter",
    "auswahl_beteiligter",
    "natuerlichePerson",
    "vollerName",
    "vorname",
    "nachname",
    "titel",
    "geburt",
    "geburtsdatum",
    "organisation",
    "ra.kanzlei",
    "bezeichnung.aktuell",
    "anschrift",
    "strasse",
    "hausnummer",
    "postfachnummer",
    "postleitzahl",
    "ort",
    "akte",
    "teilakte",
    "dokument",
    "identifikation",
    "id",
    "anzeigename",
    "fremdesGeschaeftszeichen",
    "posteingang",
    "datum",
    "posteingangsdatum",
    "datumDesSchreibens",
    "absenderAnzeigename",
    "adressatAnzeigename",
    "datei",
    "dateiname",
    "versionsnummer",
];

/// Whether the elements of a message are known.
pub(super) fn is_known(said: &Said) -> bool {
    said.root.ends_with(".0005005") && KNOWN.iter().any(|known| super::versions::is_of(&said.version, known))
}

/// An Akte or Teilakte that is being read.
#[derive(Default)]
struct Level {
    id: Option<Id>,
    description: Description,
    /// Records in it so far.
    count: u32,
}

/// Reads the records of a message.
pub(super) struct Facts<'a> {
    intake: &'a mut dyn Intake,
    /// The message's own id.
    id: Id,
    files: HashMap<String, PayloadRef>,
    sender: Sender,
    /// The case that the message is, then what is open in it, outermost first.
    levels: Vec<Level>,
    draft: Option<Draft>,
    party: Option<super::draft::PartyDraft>,
    seen: HashSet<Id>,
    /// Whether there is more than is read.
    is_too_much: bool,
}

impl<'a> Facts<'a> {
    /// For a message; `files` are those that it names and came with.
    pub(super) fn new(intake: &'a mut dyn Intake, said: &Said, files: HashMap<String, PayloadRef>) -> Self {
        let id = said.id.unwrap_or_else(|| ids::derived_id(Id::nil(), "message"));
        let matter = Level { id: Some(id), ..Level::default() };
        let seen = HashSet::from([id]);
        let (sender, levels) = (Sender::default(), vec![matter]);
        Facts { intake, id, files, sender, levels, draft: None, party: None, seen, is_too_much: false }
    }

    /// Reads on behind the start of the root.
    pub(super) fn read<R: BufRead>(mut self, reader: &mut Reader<R>) -> Result<Meaning, Error> {
        let mut open: Vec<&'static str> = vec![""];
        let mut text = String::new();
        while !open.is_empty() && !self.is_too_much {
            match reader.next()? {
                Event::Start(start) => {
                    let word = match (start.namespace(), start.local()) {
                        (Some(NAMESPACE), local) => word(local),
                        // Elements of code lists have no namespace.
                        (None, CODE) => CODE,
                        _ => "",
                    };
                    self.begin(&open, word);
                    open.push(word);
                    text.clear();
                }
                Event::Text(piece) if text.len() < TEXT_BYTES => text.push_str(text_cut(piece, TEXT_BYTES)),
                Event::Text(_) => {}
                Event::End => {
                    self.note(&open, text.trim());
                    self.end(&open)?;
                    text.clear();
                    open.pop();
                }
                Event::Eof => break,
            }
        }
        match self.is_too_much {
            true => Ok(Meaning::CarryOn),
            false => self.finish(),
        }
    }

    fn begin(&mut self, open: &[&str], word: &str) {
        let is_beside = open.contains(&"nachrichtenkopf") || open.contains(&"grunddaten");
        match word {
            "beteiligung" if is_beside => self.party = Some(Default::default()),
            "akte" | "teilakte" if !is_beside && self.draft.is_none() => {
                self.is_too_much |= self.levels.len() > DEPTH;
                self.levels.push(Level::default());
            }
            "dokument" if !is_beside && self.draft.is_none() => self.draft = Some(Draft::default()),
            _ => {}
        }
    }

    /// Takes note of the text of the element that ends, the last of those that are open.
    fn note(&mut self, open: &[&str], text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(party) = &mut self.party {
            return party.note(open, text);
        }
        if let Some(draft) = &mut self.draft {
            return draft.note(open, text);
        }
        if self.levels.len() > 1 {
            return self.note_level(open, text);
        }
        let Some(matter) = self.levels.first_mut() else { return };
        let description = &mut matter.description;
        match open {
            [.., "nachrichtenkopf", "aktenzeichen.absender"]
            | [.., "nachrichtenkopf", "absender", "aktenzeichen"] => {
                self.sender.number.get_or_insert_with(|| text.to_owned());
            }
            // By version: 2.4, 3.2 to 3.5, 3.6.
            [.., "nachrichtenkopf", "absender_Gericht", CODE]
            | [.., "nachrichtenkopf", _, "absender.gericht", CODE]
            | [
                ..,
                "nachrichtenkopf",
                "absender",
                "informationen",
                "auswahl_kommunikationspartner",
                "gericht",
                CODE,
            ] => {
                self.sender.court = Some(text.to_owned());
            }
            [.., "nachrichtenkopf", "aktenzeichen.empfaenger"]
            | [.., "empfaenger", "auswahl_aktenzeichen", "aktenzeichen.freitext"]
                if description.record_reference.is_none() =>
            {
                description.record_reference = Some(line(text));
            }
            [.., "kurzrubrum"] => description.title = text_cut(text, TITLE_CHARS).to_owned(),
            [.., "gegenstand"] if description.title.is_empty() => {
                description.title = text_cut(text, TITLE_CHARS).to_owned();
            }
            _ => {}
        }
    }

    fn note_level(&mut self, open: &[&str], text: &str) {
        if let [.., "identifikation", "id"] = open {
            let id = self.unique(text.parse().ok());
            if let Some(level) = self.levels.last_mut() {
                level.id.get_or_insert(id);
            }
            return;
        }
        let Some(level) = self.levels.last_mut() else { return };
        let description = &mut level.description;
        match open {
            [.., "anzeigename"] => description.title = text_cut(text, TITLE_CHARS).to_owned(),
            [.., "aktenzeichen"] | [.., "aktenzeichen", "auswahl_aktenzeichen", "aktenzeichen.freitext"]
                if description.record_reference.is_none() =>
            {
                description.record_reference = Some(line(text));
            }
            _ => {}
        }
    }

    fn end(&mut self, open: &[&str]) -> Result<(), Error> {
        match open.last() {
            Some(&"anschrift") => {
                self.party.iter_mut().for_each(super::draft::PartyDraft::end_address);
                Ok(())
            }
            Some(&"beteiligung") => {
                let party = self.party.take().and_then(super::draft::PartyDraft::finish);
                let parties = self.levels.first_mut().map(|matter| &mut matter.description.parties);
                if let (Some(party), Some(parties)) = (party, parties)
                    && parties.len() < MOST_PARTIES
                {
                    parties.push(party);
                }
                Ok(())
            }
            Some(&("akte" | "teilakte")) if self.draft.is_none() && self.levels.len() > 1 => {
                let Some(level) = self.levels.pop() else { return Ok(()) };
                let id = level.id.unwrap_or_else(|| self.unique(None));
                let record = Record::Case(case(self.numbered(level.description)));
                self.emit(id, record)
            }
            Some(&"dokument") if !open.contains(&"grunddaten") => match self.draft.take() {
                Some(draft) => self.document(draft),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn document(&mut self, draft: Draft) -> Result<(), Error> {
        let id = self.unique(draft.id);
        let (description, received, written) =
            (draft.description(), draft.received.clone(), draft.written.clone());
        if let Some(matter) = self.levels.first_mut().filter(|matter| matter.description.title.is_empty()) {
            matter.description.title = description.title.clone();
        }
        let document = Document {
            meta: placeholder(),
            description: self.numbered(description),
            parent: None,
            kind: None,
            dates: DocumentDates { received, sent: None, written },
            versions: draft.versions(&self.files),
            status: RecordStatus::Received,
        };
        self.emit(id, Record::Document(document))
    }

    /// The id, or another if the message says none or has used it.
    fn unique(&mut self, id: Option<Id>) -> Id {
        if let Some(id) = id.filter(|id| self.seen.insert(*id)) {
            return id;
        }
        let id = ids::derived_id(self.id, &self.seen.len().to_string());
        self.seen.insert(id);
        id
    }

    /// With the next number of the innermost open level.
    fn numbered(&mut self, mut description: Description) -> Description {
        if let Some(level) = self.levels.last_mut() {
            level.count += 1;
            description.position = Some(level.count);
        }
        description
    }

    fn emit(&mut self, object_id: Id, record: Record) -> Result<(), Error> {
        let mut levels = std::mem::take(&mut self.levels);
        let ids = levels.iter_mut().map(|level| *level.id.get_or_insert_with(|| self.unique(None)));
        let ancestors = ids.map(|id| (RecordKind::Case, id)).collect();
        self.levels = levels;
        self.is_too_much |= self.seen.len() > MOST_RECORDS;
        Ok(self.intake.object(Object { object_id, ancestors, record })?)
    }

    /// The case that the message is comes last.
    fn finish(mut self) -> Result<Meaning, Error> {
        let Some(mut matter) = self.levels.drain(..).next() else { return Ok(Meaning::CarryOn) };
        self.sender.keep(&mut matter.description);
        let record = Record::Case(case(matter.description));
        self.intake.object(Object { object_id: self.id, ancestors: Vec::new(), record })?;
        Ok(Meaning::Facts)
    }
}

fn case(description: Description) -> Case {
    Case {
        meta: placeholder(),
        description,
        case_file: None,
        parent: None,
        status: RecordStatus::Received,
        priority: Priority::default(),
        locations: Vec::new(),
    }
}

fn word(local: &str) -> &'static str {
    WORDS.into_iter().find(|word| *word == local).unwrap_or_default()
}
