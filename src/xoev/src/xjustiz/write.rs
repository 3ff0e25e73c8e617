//! Writes a submission of records to a court: message 0005005 (nachricht.gds.uebermittlungSchriftgutobjekte) of XJustiz 3.5.1 and 3.6.2.
//!
//! Case files and cases that stand alone become an Akte, those within them a Teilakte, documents a Dokument; what lies in a document
//! follows it and refers to it as its Anlage. Records are fetched one at a time, files are streamed behind the XML.

use std::io::{self, Write};

use model::case::{Case, CaseFile, Confidentiality, Description, Document, Medium, Version as Edition};
use model::exchange::ExchangeKind;
use model::standard::{Identity, Outgoing, OutgoingContent, Records, Written};
use model::{Id, Record, RecordKind};

use super::attachments::Attachments;
use super::court::Numbers;
use super::header::{Header, Version, write_header};
use super::parties::write_party;
use super::sink::{Left, Sink};
use super::{FILE_NAME, NAME};
use crate::Error;
use crate::container::ContainerWriter;
use crate::family::type_of;

/// Local name of the root element.
const ROOT: &str = "nachricht.gds.uebermittlungSchriftgutobjekte.0005005";
/// Name of the container.
const CONTAINER: &str = "xjustiz_nachricht.zip";
/// Kind of the reference that is the UUID of a record in messages.
const UUID: &str = "xdomea";
/// Behördenakte, of the list GDS.Aktentyp.
const FILE_TYPE: &str = "018";
/// Andere / Sonstige, of the list GDS.Teilaktentyp.
const PART_TYPE: &str = "001";
/// Andere / Sonstige, of the list GDS.Dokumentklasse, and the version of that.
const DOCUMENT_CLASS: (&str, &str) = ("001", "1.4");
/// Original and Signaturdatei, of the list GDS.Bestandteiltyp.
const ORIGINAL: &str = "001";
const SIGNATURE: &str = "003";
/// Anlage, of the list GDS.Verweistyp.
const ATTACHED: &str = "002";
/// Most levels of records.
const DEPTH: usize = 50;

/// Writes a message in its container.
pub(super) fn write(
    message: &Outgoing,
    records: &mut dyn Records,
    out: &mut dyn Write,
) -> Result<Written, Error> {
    let version = Version::by_number(&message.version).ok_or(Error::Unsupported { what: "the version" })?;
    if message.content != OutgoingContent::Records(ExchangeKind::Submission) {
        return Err(Error::Unsupported { what: "the type of message" });
    }
    let mut container = ContainerWriter::new(out);
    let (attachments, left) = container.entry(FILE_NAME, |entry| {
        let mut buffered = io::BufWriter::with_capacity(64 * 1024, entry);
        let sink = Sink::new(&mut buffered)?;
        let mut writer = MessageWriter { sink, records, version, attachments: Attachments::default() };
        writer.message(message)?;
        let MessageWriter { sink, attachments, .. } = writer;
        let left: Left = sink.finish()?;
        buffered.flush()?;
        Ok::<_, Error>((attachments, left))
    })?;
    for (name, payload) in attachments.iter() {
        let mut content = records.open(payload)?;
        container.entry(name, |sink| io::copy(&mut content, sink))?;
    }
    container.finish()?;
    let identity = identity(message);
    Ok(Written { identity, file_name: CONTAINER.to_owned(), report: left.report() })
}

fn identity(message: &Outgoing) -> Identity {
    Identity {
        standard: NAME.to_owned(),
        version: message.version.clone(),
        message_type: type_of(ROOT).to_owned(),
        name: ROOT.to_owned(),
        process_id: Some(message.process_id),
        answers: message.answers_id,
        sender: Some(message.sender.clone()),
        recipient: Some(message.recipient.clone()),
        container: true,
        ..Identity::default()
    }
}

struct MessageWriter<'a, W: Write> {
    sink: Sink<W>,
    records: &'a mut dyn Records,
    version: Version,
    attachments: Attachments,
}

/// Where a record is written: how deep, and its number among its siblings.
struct Place<'a> {
    depth: usize,
    number: &'a mut u32,
}

impl Place<'_> {
    /// The next sibling's number.
    fn next(&mut self) -> String {
        *self.number += 1;
        self.number.to_string()
    }
}

impl<W: Write> MessageWriter<'_, W> {
    fn message(&mut self, message: &Outgoing) -> Result<(), Error> {
        let roots = self.records.roots();
        let (mut header, mut numbers, mut kinds) = (Header::default(), Numbers::default(), Vec::new());
        for id in &roots {
            let record = self.records.record(*id)?;
            kinds.push((*id, record.kind()));
            let Some(description) = record.description() else { continue };
            numbers.note(description, record.kind() == RecordKind::Document);
            header.own_number = header.own_number.or(description.record_reference.clone());
        }
        let are_there = numbers.are_there();
        header.court_number = numbers.of(&message.recipient);
        self.sink.left.out("court-number", are_there && header.court_number.is_none());
        self.sink.root(ROOT)?;
        write_header(&mut self.sink, message, &header, self.version)?;
        self.parties(&roots)?;
        self.sink.start("schriftgutobjekte")?;
        // Files come first, documents that lie in none behind them.
        let (documents, files): (Vec<_>, Vec<_>) =
            kinds.into_iter().partition(|(_, kind)| *kind == RecordKind::Document);
        let mut number = 0;
        for (id, _) in files.into_iter().chain(documents) {
            self.record(id, &mut Place { depth: 1, number: &mut number }, None)?;
        }
        self.sink.end()?;
        self.sink.end()
    }

    /// Who takes part in what is sent.
    fn parties(&mut self, roots: &[Id]) -> Result<(), Error> {
        self.sink.start("grunddaten")?;
        self.sink.start("verfahrensdaten")?;
        let mut number = 0;
        for id in roots {
            let record = self.records.record(*id)?;
            if record.kind() == RecordKind::Document {
                continue;
            }
            for party in record.description().map_or(&[][..], |description| &description.parties) {
                number += 1;
                write_party(&mut self.sink, party, number)?;
            }
        }
        self.sink.end()?;
        self.sink.end()
    }

    /// Writes a record and everything in it; `above` is the document that a document lies in.
    fn record(&mut self, id: Id, place: &mut Place<'_>, above: Option<Id>) -> Result<(), Error> {
        if place.depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let record = self.records.record(id)?;
        if let Some(description) = record.description() {
            check_open(description)?;
            self.count_left(description);
        }
        match record {
            Record::CaseFile(CaseFile { description, .. }) => self.file(id, &description, place),
            Record::Case(Case { description, locations, .. }) => {
                self.sink.left.out("location", !locations.is_empty());
                self.file(id, &description, place)
            }
            Record::Document(document) => self.document(id, &document, place, above),
            _ => Err(Error::Unsupported { what: "a record of this kind" }),
        }
    }

    /// What no element of XJustiz is for.
    fn count_left(&mut self, description: &Description) {
        let left = &mut self.sink.left;
        left.out("note", description.note.is_some());
        left.out("relation", !description.relations.is_empty());
        left.out("retention", description.retention.is_some());
        left.out("lead-or-keeper", description.lead.is_some() || description.keeper.is_some());
    }

    /// Writes a case file or case.
    fn file(&mut self, id: Id, description: &Description, place: &mut Place<'_>) -> Result<(), Error> {
        let is_root = place.depth == 1;
        self.sink.left.out("party", !is_root && !description.parties.is_empty());
        self.sink.start(if is_root { "akte" } else { "teilakte" })?;
        self.identification(uuid(description, id), place)?;
        if let Some(period) = &description.period {
            self.sink.start("laufzeit")?;
            self.sink.day("beginn", period.begin.as_deref())?;
            self.sink.day("ende", period.end.as_deref())?;
            self.sink.end()?;
        }
        self.sink.start("xjustiz.fachspezifischeDaten")?;
        let (element, code) = if is_root { ("aktentyp", FILE_TYPE) } else { ("teilaktentyp", PART_TYPE) };
        self.sink.code(element, code, None)?;
        if is_root && self.version == Version::V3_6 && description.medium == Some(Medium::Hybrid) {
            self.sink.text("hybridakte", "true")?;
        }
        self.sink.some("anzeigename", Some(&description.title))?;
        self.file_number(description, id, is_root)?;
        let plan = description.file_plan_unit.as_ref().and_then(|unit| unit.code.as_deref());
        if is_root {
            self.sink.some("weiteresOrdnungskriteriumBehoerde", plan)?;
        } else {
            self.sink.left.out("file-plan-unit", plan.is_some());
        }
        self.content(id, place.depth)?;
        self.sink.end()?;
        self.sink.end()
    }

    /// The file number; an Akte must have one.
    fn file_number(&mut self, description: &Description, id: Id, is_root: bool) -> Result<(), Error> {
        let uuid = uuid(description, id).to_string();
        let number = description.record_reference.as_deref().filter(|number| !number.trim().is_empty());
        let Some(number) = number.or(is_root.then_some(&uuid)) else { return Ok(()) };
        self.sink.start("aktenzeichen")?;
        self.sink.start("auswahl_aktenzeichen")?;
        self.sink.text("aktenzeichen.freitext", number)?;
        self.sink.end()?;
        self.sink.end()
    }

    /// What lies in a case file or case: parts first, then documents.
    fn content(&mut self, id: Id, depth: usize) -> Result<(), Error> {
        let children = self.records.children(id)?;
        if children.is_empty() {
            return Ok(());
        }
        let (documents, parts): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|(kind, _)| *kind == RecordKind::Document);
        self.sink.start("inhalt")?;
        let mut number = 0;
        for (_, child) in parts.into_iter().chain(documents) {
            self.record(child, &mut Place { depth: depth + 1, number: &mut number }, None)?;
        }
        self.sink.end()
    }

    /// Writes a document, and behind it what lies in it.
    fn document(
        &mut self,
        id: Id,
        document: &Document,
        place: &mut Place<'_>,
        above: Option<Id>,
    ) -> Result<(), Error> {
        let uuid = uuid(&document.description, id);
        // A document must have a file, so one that has none cannot be named.
        let has_files = document.versions.iter().any(|edition| !edition.files.is_empty());
        self.sink.left.out("document-without-file", !has_files);
        if has_files {
            self.written_document(uuid, document, place, above)?;
        }
        for (kind, child) in self.records.children(id)? {
            if kind != RecordKind::Document {
                return Err(Error::Unsupported { what: "a record of this kind" });
            }
            let mut place = Place { depth: place.depth + 1, number: place.number };
            self.record(child, &mut place, has_files.then_some(uuid))?;
        }
        Ok(())
    }

    fn written_document(
        &mut self,
        uuid: Id,
        document: &Document,
        place: &mut Place<'_>,
        above: Option<Id>,
    ) -> Result<(), Error> {
        let Document { description, dates, kind, .. } = document;
        self.sink.left.out("kind-of-document", kind.is_some());
        self.sink.left.out("day", dates.sent.is_some());
        self.sink.start("dokument")?;
        self.identification(uuid, place)?;
        self.sink.some("fremdesGeschaeftszeichen", description.record_reference.as_deref())?;
        match self.version {
            Version::V3_6 if dates.received.as_deref().is_some_and(super::sink::is_day) => {
                self.sink.start("posteingang")?;
                self.sink.day("datum", dates.received.as_deref())?;
                self.sink.end()?;
            }
            // Before 3.6 it is a moment, which is not known.
            _ => self.sink.left.out("day", dates.received.is_some()),
        }
        self.sink.day("datumDesSchreibens", dates.written.as_deref())?;
        self.sink.start("xjustiz.fachspezifischeDaten")?;
        self.sink.code("dokumentklasse", DOCUMENT_CLASS.0, Some(DOCUMENT_CLASS.1))?;
        self.sink.some("anzeigename", Some(&description.title))?;
        self.correspondents(description)?;
        if let Some(above) = above {
            self.sink.start("verweis")?;
            self.sink.code("verweistyp", ATTACHED, None)?;
            self.sink.start("bezugsdokument")?;
            self.sink.text("ref.sgo", &above.to_string())?;
            self.sink.end()?;
            self.sink.end()?;
        }
        document.versions.iter().try_for_each(|edition| self.edition(edition))?;
        self.sink.end()?;
        self.sink.end()
    }

    /// From whom and to whom a document is, in words.
    fn correspondents(&mut self, description: &Description) -> Result<(), Error> {
        for (role, element) in [("sender", "absenderAnzeigename"), ("recipient", "adressatAnzeigename")] {
            let of = description.parties.iter().filter(|party| party.role.as_deref() == Some(role));
            let names: Vec<String> = of.filter_map(shown_name).collect();
            self.sink.some(element, Some(&names.join("; ")))?;
        }
        let is_said = |role: Option<&str>| matches!(role, Some("sender" | "recipient"));
        let others = description.parties.iter().any(|party| !is_said(party.role.as_deref()));
        self.sink.left.out("party", others);
        Ok(())
    }

    fn edition(&mut self, edition: &Edition) -> Result<(), Error> {
        for named in self.attachments.take(&edition.files)? {
            self.sink.start("datei")?;
            self.sink.text("dateiname", &named.name)?;
            let part = if named.signs.is_some() { SIGNATURE } else { ORIGINAL };
            self.sink.code("bestandteil", part, None)?;
            if let Ok(number) = edition.number.parse::<u32>() {
                self.sink.text("versionsnummer", &number.to_string())?;
            }
            self.sink.some("dateiname.bezugsdatei", named.signs.flatten().as_deref())?;
            self.sink.end()?;
        }
        Ok(())
    }

    fn identification(&mut self, uuid: Id, place: &mut Place<'_>) -> Result<(), Error> {
        self.sink.start("identifikation")?;
        self.sink.text("id", &uuid.to_string())?;
        self.sink.text("nummerImUebergeordnetenContainer", &place.next())?;
        self.sink.end()
    }
}

/// Nothing that is classified goes to a court this way: its element may not be used yet.
fn check_open(description: &Description) -> Result<(), Error> {
    match description.confidentiality {
        None | Some(Confidentiality::Open) => Ok(()),
        Some(_) => Err(Error::Classified),
    }
}

/// The UUID of a record in messages: the one it came with, else its own.
fn uuid(description: &Description, id: Id) -> Id {
    description.reference(UUID).and_then(|uuid| uuid.parse().ok()).unwrap_or(id)
}

fn shown_name(party: &model::party::Party) -> Option<String> {
    let person = party.person.as_ref().map(|person| {
        let parts = [&person.title, &person.given_name, &person.family_name];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    });
    let organisation = party.organisation.as_ref().and_then(|organisation| organisation.name.clone());
    person.filter(|name| !name.trim().is_empty()).or(organisation)
}
