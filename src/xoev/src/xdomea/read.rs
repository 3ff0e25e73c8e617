//! Reads messages of any version that is translated into the case model, one record in memory at a time,
//! besides those that it lies in.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read};

use model::case::{Case, CaseFile, Document, Priority, RecordStatus};
use model::exchange::{ExchangeKind, ImportResult, ImportResults};
use model::standard::{Intake, Meaning, Object, placeholder};
use model::{Id, PayloadRef, Record, RecordKind, Timestamp};
use serde::{Deserialize, Serialize};
use xml::{Event, Reader};

use super::dialect::{Dialect, EITHER, PART, WITH_PARTS};
use super::document::{make_document, read_document};
use super::header::{make_header, make_result, read_header, read_result};
use super::merge::prune;
use super::messages::MessageType;
use super::node::{Budget, Node, group};
use super::record::{make_description, read_description};
use super::text::moment;
use super::unnamed::{self, Unnamed};
use crate::Error;

/// Bytes of one record and those that it lies in, and of everything else in the message.
pub(crate) const MEMORY_BYTES: usize = 16 << 20;
/// Larger kept parts are stored as a file, so that the record itself stays small.
const KEPT_BYTES: usize = 64 * 1024;
/// How deep records may lie in each other.
pub(crate) const DEPTH: usize = 50;

/// What a record or message knows beyond the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Kept {
    /// Elements that the model would not be written as.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nodes: Vec<Node>,
    /// The elements, if they are many, as a JSON file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<PayloadRef>,
    /// Files that the elements name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) files: BTreeMap<String, PayloadRef>,
    /// Files of the container that no record names; see [`unnamed`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unnamed: Option<PayloadRef>,
    /// When a message was created: written again, it has the time that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<Timestamp>,
    /// The position was not written but counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unnumbered: bool,
    /// An Akteninhalt came that is empty.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) empty_content: bool,
}

/// A file of the container that was taken in.
struct Taken {
    payload: PayloadRef,
    named: bool,
}

/// The files of the container by name.
#[derive(Default)]
pub(crate) struct Files(HashMap<Box<str>, Taken>);

impl Files {
    pub(crate) fn add(&mut self, name: &str, payload: PayloadRef) {
        self.0.insert(name.into(), Taken { payload, named: false });
    }

    /// The bytes of a file that a record names.
    fn name(&mut self, name: &str) -> Option<PayloadRef> {
        let taken = self.0.get_mut(name)?;
        taken.named = true;
        Some(taken.payload.clone())
    }

    /// Those that no record has named.
    fn rest(self) -> impl Iterator<Item = Unnamed> {
        self.0.into_iter().filter(|(_, taken)| !taken.named).map(|(name, taken)| (name.into(), taken.payload))
    }
}

/// Where an element of a record leads.
enum Step {
    Record(RecordKind),
    /// Akteninhalt, or in 4.0 what says which kind of document it is: its children are the record's.
    Content,
    Part,
}

fn step(parent: Option<RecordKind>, local: &str) -> Step {
    use RecordKind as Kind;
    match (parent, local) {
        (None, "Akte") | (Some(Kind::CaseFile), "Teilakte") => Step::Record(Kind::CaseFile),
        (None | Some(Kind::CaseFile), "Vorgang") | (Some(Kind::Case), "Teilvorgang") => {
            Step::Record(Kind::Case)
        }
        (None | Some(Kind::CaseFile | Kind::Case), "Dokument" | EITHER)
        | (Some(Kind::Document), "Anlage" | PART) => Step::Record(Kind::Document),
        (Some(Kind::CaseFile), "Akteninhalt") | (Some(Kind::Document), "Dokument" | WITH_PARTS) => {
            Step::Content
        }
        _ => Step::Part,
    }
}

/// Reads one message.
pub(crate) struct MessageReader<'a, R: BufRead> {
    reader: Reader<R>,
    dialect: Dialect,
    message: MessageType,
    intake: &'a mut dyn Intake,
    files: Files,
    budget: Budget,
    ancestors: Vec<(RecordKind, Id)>,
    created_at: Option<Timestamp>,
    /// What stands beside the records.
    beside: Vec<Node>,
    results: Vec<(Id, ImportResult)>,
}

impl<'a, R: BufRead> MessageReader<'a, R> {
    pub(crate) fn new(
        reader: Reader<R>,
        dialect: Dialect,
        message: MessageType,
        intake: &'a mut dyn Intake,
        files: Files,
    ) -> Self {
        MessageReader {
            reader,
            dialect,
            message,
            intake,
            files,
            budget: Budget(MEMORY_BYTES),
            ancestors: Vec::new(),
            created_at: None,
            beside: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Reads the message behind its root's start.
    pub(crate) fn read(mut self) -> Result<Meaning, Error> {
        let mut in_wrapper = false;
        let mut last = 0;
        loop {
            let local = match self.reader.next()? {
                Event::Start(start) => start.local().to_owned(),
                Event::End if in_wrapper => {
                    in_wrapper = false;
                    continue;
                }
                Event::Text(_) => continue,
                Event::End => break,
                Event::Eof => return Err(Error::Unreadable),
            };
            match step(None, &local) {
                Step::Record(kind) if in_wrapper => self.record(kind, &mut last)?,
                _ if local == "Schriftgutobjekt" => in_wrapper = true,
                _ => self.beside(&local)?,
            }
        }
        self.reader.next()?;
        self.finish()
    }

    /// Takes an element beside the records.
    fn beside(&mut self, local: &str) -> Result<(), Error> {
        let node = self.node()?;
        let node = self.dialect.raise(node);
        if local == "Kopf" {
            let made = make_header(&read_header(&node), self.message);
            self.created_at = node.text_of("Erstellungszeitpunkt").and_then(moment);
            let nodes = prune(node.nodes.clone(), &made.nodes);
            self.beside.push(Node { nodes, ..node });
        } else if local == "AbgegebenesObjekt" {
            let (id, result) = read_result(&node).ok_or(Error::Unreadable)?;
            if make_result(id, &result) != node {
                self.beside.push(node);
            }
            self.results.push((id, result));
        } else {
            self.beside.push(node);
        }
        Ok(())
    }

    /// Reads the element whose start was read last.
    fn node(&mut self) -> Result<Node, Error> {
        Node::read(&mut self.reader, self.dialect.version().namespace(), &mut self.budget)
    }

    /// Reads a record to its end and everything in it. `last` is the position of the sibling before it.
    fn record(&mut self, kind: RecordKind, last: &mut u32) -> Result<(), Error> {
        if self.ancestors.len() >= DEPTH {
            return Err(Error::TooDeep);
        }
        let left = self.budget.0;
        let element = self.reader.current().local().to_owned();
        let mut nodes: Vec<Node> = Vec::new();
        if element == PART {
            nodes.push(group(PART, Vec::new()));
        }
        let mut id = None;
        let mut kept = Kept::default();
        let mut own_last = 0;
        let mut in_content = false;
        loop {
            let local = match self.reader.next()? {
                Event::Start(start) => start.local().to_owned(),
                Event::End if in_content => {
                    in_content = false;
                    continue;
                }
                Event::Text(_) => continue,
                Event::End => break,
                Event::Eof => return Err(Error::Unreadable),
            };
            match step(Some(kind), &local) {
                Step::Content => {
                    in_content = true;
                    kept.empty_content = local == "Akteninhalt";
                    if local == WITH_PARTS {
                        nodes.push(group(WITH_PARTS, Vec::new()));
                    }
                }
                Step::Record(child) => {
                    kept.empty_content &= !in_content;
                    // Identifikation comes first.
                    self.ancestors.push((kind, id.ok_or(Error::Unreadable)?));
                    self.record(child, &mut own_last)?;
                    self.ancestors.pop();
                }
                Step::Part => {
                    let node = self.node()?;
                    if node.is("Identifikation") {
                        let text = node.text_of("ID").or_else(|| node.text_of("xdomeaUUID"));
                        id = text.and_then(|text| text.trim().parse().ok());
                    }
                    nodes.push(node);
                }
            }
        }
        let record = self.dialect.raise(group(&element, nodes));
        *last = self.emit(kind, id.ok_or(Error::Unreadable)?, record.nodes, kept, *last)?;
        self.budget.0 = left;
        Ok(())
    }

    /// Makes a record of its elements, hands it on, and returns its position. `last` is that of the
    /// sibling before it.
    fn emit(
        &mut self,
        kind: RecordKind,
        object_id: Id,
        nodes: Vec<Node>,
        mut kept: Kept,
        last: u32,
    ) -> Result<u32, Error> {
        let mut description = read_description(&nodes);
        let uuid = description.reference(super::record::UUID).unwrap_or_default().to_owned();
        let mut made = make_description(&description, &uuid, kind == RecordKind::Document);
        kept.unnumbered = description.position.is_none();
        // Siblings keep their order also if not all of them are numbered.
        let position = *description.position.get_or_insert(last.saturating_add(1));
        let meta = placeholder();
        let mut record = match kind {
            RecordKind::CaseFile => {
                Record::CaseFile(CaseFile { meta, description, parent: None, status: RecordStatus::Received })
            }
            RecordKind::Case => Record::Case(Case {
                meta,
                description,
                case_file: None,
                parent: None,
                status: RecordStatus::Received,
                priority: Priority::default(),
                locations: Vec::new(),
            }),
            _ => {
                let files = &mut self.files;
                let mut document = Document {
                    meta,
                    description,
                    parent: None,
                    kind: None,
                    dates: Default::default(),
                    versions: Vec::new(),
                    status: RecordStatus::Received,
                };
                read_document(&mut document, &nodes, &mut |name| files.name(name));
                made.extend(make_document(&document));
                Record::Document(document)
            }
        };
        let unwritten = nodes.into_iter().filter(|node| kind != RecordKind::Document || !node.is("Version"));
        kept.nodes = prune(unwritten.collect(), &made);
        let extensions = self.kept(kept, &object_id.to_string())?;
        if let Some(description) = description_mut(&mut record) {
            description.extensions = extensions;
        }
        self.intake.object(Object { object_id, ancestors: self.ancestors.clone(), record })?;
        Ok(position.max(last))
    }

    /// The extension of a record or message; large ones go into a file of their own.
    fn kept(&mut self, mut kept: Kept, name: &str) -> Result<model::case::Extensions, Error> {
        let mut names = Vec::new();
        kept.nodes.iter().for_each(|node| node.file_names(&mut names));
        let files = &mut self.files;
        kept.files =
            names.into_iter().filter_map(|name| Some((name.to_owned(), files.name(name)?))).collect();
        let bytes: usize = kept.nodes.iter().map(Node::cost).sum();
        if bytes > KEPT_BYTES {
            let json = serde_json::to_vec(&kept.nodes).map_err(|_| Error::Extension)?;
            kept.stored = Some(self.intake.file(&format!("{name}.json"), &mut &json[..])?);
            kept.nodes = Vec::new();
        }
        if kept == Kept::default() { Ok(Default::default()) } else { Ok(super::extension(&kept)) }
    }

    fn finish(mut self) -> Result<Meaning, Error> {
        let nodes = std::mem::take(&mut self.beside);
        let mut extension =
            self.kept(Kept { nodes, created_at: self.created_at, ..Kept::default() }, "message")?;
        let rest = std::mem::take(&mut self.files).rest();
        if let Some(list) = unnamed::store(rest, self.intake)? {
            let kept = Kept { unnamed: Some(list), ..super::extended(&extension)? };
            extension = super::extension(&kept);
        }
        self.intake.message(extension.remove(super::NAME).unwrap_or_default())?;
        Ok(match self.message.code {
            "0101" => Meaning::Records(ExchangeKind::Submission),
            "0401" => Meaning::Records(ExchangeKind::Handover),
            "0402" => Meaning::ImportResults(ImportResults { whole: None, objects: self.results }),
            _ => Meaning::Receipt,
        })
    }
}

pub(crate) fn description_mut(record: &mut Record) -> Option<&mut model::case::Description> {
    match record {
        Record::CaseFile(file) => Some(&mut file.description),
        Record::Case(case) => Some(&mut case.description),
        Record::Document(document) => Some(&mut document.description),
        _ => None,
    }
}

/// The kept part of a record or message, fetched from its file if it has one of its own.
pub(crate) fn fetch(
    mut kept: Kept,
    open: &mut dyn FnMut(&PayloadRef) -> Result<Vec<u8>, Error>,
) -> Result<Kept, Error> {
    if let Some(stored) = kept.stored.take() {
        kept.nodes = serde_json::from_slice(&open(&stored)?).map_err(|_| Error::Extension)?;
    }
    Ok(kept)
}

/// Reads a stored kept part whole; it was never larger than what is kept in memory.
pub(crate) fn read_stored(content: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    content.take(4 * MEMORY_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
