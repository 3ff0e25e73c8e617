//! Reads messages of the groups 01 to 05 into the case model, one record in memory at a time, besides those that it lies in.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read};

use model::case::{Case, CaseFile, Document, Priority, RecordStatus};
use model::circulation::Route;
use model::exchange::{Appraisal, ExchangeKind, ImportResults};
use model::file_plan::FilePlan;
use model::standard::{Intake, Meaning, Object, placeholder};
use model::{Id, PayloadRef, Record, RecordKind, Timestamp};
use serde::{Deserialize, Serialize};
use xml::{Event, Reader};

use super::body::{appraisals, file_plan, results, route};
use super::dialect::{Dialect, EITHER, PART, WITH_PARTS};
use super::document::{make_document, read_document};
use super::header::{Header, make_header, read_header};
use super::merge::prune;
use super::messages::{MessageType, Version};
use super::node::{Budget, Node, group};
use super::record::{make_description, read_description};
use super::unnamed::{self, Unnamed};
use super::{body_versions, funnel, head_4};
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
    version: Version,
    namespace: &'static str,
    message: MessageType,
    intake: &'a mut dyn Intake,
    files: Files,
    budget: Budget,
    ancestors: Vec<(RecordKind, Id)>,
    /// Attributes of the root and elements of the head of 4.0, until it is whole.
    attributes: head_4::Attributes,
    head: Vec<Node>,
    header: Header,
    /// What stands beside the records and is kept.
    beside: Vec<Node>,
    results: ImportResults,
    appraisals: Vec<(Id, Appraisal)>,
    route: Box<Route>,
    plan: Box<FilePlan>,
}

/// What holds records in a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    Records,
    Attachment,
}

impl<'a, R: BufRead> MessageReader<'a, R> {
    /// A reader of the message whose root's start was read last.
    pub(crate) fn new(
        reader: Reader<R>,
        version: Version,
        message: MessageType,
        intake: &'a mut dyn Intake,
        files: Files,
    ) -> Self {
        let attributes = head_4::attributes(&reader.current());
        MessageReader {
            reader,
            version,
            namespace: version.namespace(),
            message,
            intake,
            files,
            budget: Budget(MEMORY_BYTES),
            ancestors: Vec::new(),
            attributes,
            head: Vec::new(),
            header: Header::default(),
            beside: Vec::new(),
            results: ImportResults::default(),
            appraisals: Vec::new(),
            route: Box::default(),
            plan: Box::default(),
        }
    }

    /// Reads the message behind its root's start.
    pub(crate) fn read(mut self) -> Result<Meaning, Error> {
        let mut wrapper = None;
        let mut last = 0;
        loop {
            let local = match self.reader.next()? {
                Event::Start(start) => start.local().to_owned(),
                Event::End if wrapper.is_some() => {
                    wrapper = None;
                    continue;
                }
                Event::Text(_) => continue,
                Event::End => break,
                Event::Eof => return Err(Error::Unreadable),
            };
            match (wrapper, step(None, &local)) {
                (Some(wrapper), Step::Record(kind)) => {
                    let id = self.record(kind, &mut last)?;
                    if wrapper == Wrapper::Attachment {
                        self.route.attachments.push(id);
                    }
                }
                (None, _) if matches!(&*local, "Schriftgutobjekt" | "Hauptobjekt") => {
                    wrapper = Some(Wrapper::Records);
                }
                (None, _) if local == "Anlage" => wrapper = Some(Wrapper::Attachment),
                _ => self.beside(&local)?,
            }
        }
        self.reader.next()?;
        self.finish()
    }

    /// Takes an element beside the records.
    fn beside(&mut self, local: &str) -> Result<(), Error> {
        let left = self.budget.0;
        let node = Node::read(&mut self.reader, self.namespace, &mut self.budget)?;
        if self.version == Version::V4_0_0 && head_4::is_part(local) {
            self.head.push(node);
            return Ok(());
        }
        let results_before = self.results.objects.len();
        let mut is_kept = false;
        for node in body_versions::raise(self.version, self.message.code, node) {
            let kept = self.take(node)?;
            is_kept |= kept.is_some();
            self.beside.extend(kept);
        }
        if is_kept {
            return Ok(());
        }
        // There may be very many results, and what the model holds of them is held until the end.
        let results = self.results.objects.iter().skip(results_before);
        self.budget.0 = left;
        self.budget.spend(results.map(|(_, result)| results::cost(result)).sum())
    }

    /// Reads what an element says, and gives back what of it is kept with the message.
    fn take(&mut self, node: Node) -> Result<Option<Node>, Error> {
        let code = self.message.code;
        match (code, node.local()) {
            (_, "Kopf") => {
                let kopf = funnel::raise(self.version, node)?;
                Ok(Some(self.kopf(kopf)))
            }
            ("0402" | "0506" | "0514", _) => results::take(code, node, &mut self.results),
            ("0502" | "0513", _) => appraisals::take(node, &mut self.appraisals),
            (_, local) => {
                let (is_route, is_plan) = (local == "ExternerGeschaeftsgang", local == "Aktenplan");
                let node = funnel::raise(self.version, node)?;
                match code {
                    "0201" if is_route => self.take_route(&node).map(|()| None),
                    "0301" | "0511" if is_plan => {
                        let files = &mut self.files;
                        *self.plan = file_plan::read_plan(node, &mut |name| files.name(name))?;
                        Ok(None)
                    }
                    _ => Ok(Some(node)),
                }
            }
        }
    }

    fn kopf(&mut self, kopf: Node) -> Node {
        self.header = read_header(&kopf);
        // Kept, so that a version that does not say them knows that they were said.
        let known = Header { message_id: None, answers: None, ..self.header.clone() };
        let nodes = prune(kopf.nodes.clone(), &make_header(&known, self.message, self.version).nodes);
        Node { nodes, ..kopf }
    }

    fn take_route(&mut self, node: &Node) -> Result<(), Error> {
        let (route, nodes) = route::read_route(node);
        let extensions = self.kept(Kept { nodes, ..Kept::default() }, "route")?;
        let attachments = std::mem::take(&mut self.route.attachments);
        *self.route = Route { extensions, attachments, ..route };
        Ok(())
    }

    /// Reads a record to its end and everything in it, and returns its id. `last` is the position of the sibling before it.
    fn record(&mut self, kind: RecordKind, last: &mut u32) -> Result<Id, Error> {
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
                    let node = Node::read(&mut self.reader, self.namespace, &mut self.budget)?;
                    if node.is("Identifikation") {
                        let text = node.text_of("ID").or_else(|| node.text_of("xdomeaUUID"));
                        id = text.and_then(|text| text.trim().parse().ok());
                    }
                    nodes.push(node);
                }
            }
        }
        let id = id.ok_or(Error::Unreadable)?;
        let record = Dialect::of(self.version)?.raise(group(&element, nodes));
        *last = self.emit(kind, id, record.nodes, kept, *last)?;
        self.budget.0 = left;
        Ok(id)
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
        if !self.head.is_empty() {
            let kopf = head_4::raise(&self.attributes, std::mem::take(&mut self.head))?;
            let kopf = self.kopf(kopf);
            self.beside.push(kopf);
        }
        let nodes = std::mem::take(&mut self.beside);
        let created_at = self.header.created_at;
        let mut extension = self.kept(Kept { nodes, created_at, ..Kept::default() }, "message")?;
        let rest = std::mem::take(&mut self.files).rest();
        if let Some(list) = unnamed::store(rest, self.intake)? {
            let kept = Kept { unnamed: Some(list), ..super::extended(&extension)? };
            extension = super::extension(&kept);
        }
        self.intake.message(extension.remove(super::NAME).unwrap_or_default())?;
        Ok(self.meaning())
    }

    fn meaning(mut self) -> Meaning {
        match self.message.code {
            "0101" => Meaning::Records(ExchangeKind::Submission),
            "0201" => {
                self.route.receipt_to_initiator = self.header.receipt_to_initiator;
                self.route.receipt_to_predecessor = self.header.receipt_to_predecessor;
                Meaning::Circulation(self.route)
            }
            "0301" => Meaning::FilePlan(self.plan),
            "0401" => Meaning::Records(ExchangeKind::Handover),
            "0501" => Meaning::Offer,
            "0503" => Meaning::Records(ExchangeKind::Disposition),
            "0402" | "0506" | "0514" => Meaning::ImportResults(self.results),
            "0502" | "0513" => Meaning::Appraisals(self.appraisals),
            "0511" => Meaning::FilePlanToAppraise(self.plan),
            _ => Meaning::Receipt,
        }
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
