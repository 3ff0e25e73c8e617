//! Writes messages of any version that is translated from the case model: records are fetched one at a
//! time, files are streamed behind the XML.

use std::io::{self, Write};

use model::case::{Description, Document, RecordStatus};
use model::exchange::{ExchangeKind, ImportResult};
use model::standard::{Identity, Meaning, Outgoing, OutgoingContent, Records, Written};
use model::{Id, PayloadRef, Record, RecordKind, Report};
use serde_json::Value;
use xml::Writer;

use super::dialect::{Dialect, EITHER, PART, WITH_PARTS};
use super::document::{full_name, make_document, make_version, read_document};
use super::header::{Header, make_header, make_result, read_header, read_result, sending_system};
use super::merge::{merge, sort};
use super::messages::{MessageType, Version, stem};
use super::node::{Node, group, leaf};
use super::placed::Placed;
use super::read::{DEPTH, Kept, fetch, read_stored};
use super::record::{UUID, make_description, read_description};
use super::unnamed;
use crate::Error;
use crate::container::ContainerWriter;

/// Writes a message in its container.
pub(crate) fn write(
    message: &Outgoing,
    records: &mut dyn Records,
    out: &mut dyn Write,
) -> Result<Written, Error> {
    let version = Version::by_number(&message.version).filter(|version| version.is_translated());
    let version = version.ok_or(Error::Unsupported { what: "the version" })?;
    let message_type = type_of(message)?;
    let stem = stem(message.process_id, message_type);
    let mut container = ContainerWriter::new(out);
    let dialect = Dialect::of(version)?;
    let (placed, report) = container.entry(&format!("{stem}.xml"), |sink| {
        let mut buffered = io::BufWriter::with_capacity(64 * 1024, sink);
        let mut writer = MessageWriter {
            writer: Writer::new(&mut buffered)?,
            dialect,
            root: "",
            records,
            placed: Placed::default(),
            moved: Vec::new(),
            report: Report::default(),
        };
        writer.message(message, message_type)?;
        let (placed, report) = (writer.placed, writer.report);
        writer.writer.finish()?;
        buffered.flush()?;
        Ok::<_, Error>((placed, report))
    })?;
    for (name, payload) in placed.files() {
        let mut content = records.open(&payload)?;
        container.entry(name, |sink| io::copy(&mut content, sink))?;
    }
    container.finish()?;
    let identity = identity(message, message_type);
    Ok(Written { identity, file_name: format!("{stem}.zip"), report })
}

/// The message type that says what is to be said.
fn type_of(message: &Outgoing) -> Result<MessageType, Error> {
    let code = match (&message.content, message.answers.as_deref()) {
        (OutgoingContent::Records(ExchangeKind::Submission), _) => "0101",
        (OutgoingContent::Records(ExchangeKind::Handover), _) => "0401",
        (OutgoingContent::Receipt, Some("0101")) => "0102",
        (OutgoingContent::Receipt, Some("0401")) => "0403",
        (OutgoingContent::ImportResults(results), Some("0401") | None) if !results.objects.is_empty() => {
            "0402"
        }
        _ => return Err(Error::Unsupported { what: "the type of message" }),
    };
    MessageType::by_code(code).ok_or(Error::Unsupported { what: "the type of message" })
}

fn identity(message: &Outgoing, message_type: MessageType) -> Identity {
    Identity {
        standard: super::NAME.to_owned(),
        version: message.version.clone(),
        message_type: message_type.code.to_owned(),
        name: message_type.root(),
        process_id: Some(message.process_id),
        sender: Some(message.sender.clone()),
        recipient: Some(message.recipient.clone()),
        wants_receipt: message.wants_receipt && message_type.receipt().is_some(),
        container: true,
        ..Identity::default()
    }
}

/// The same message once more, from what was read of it: for conversion to another version.
///
/// # Errors
/// [`Error::Unsupported`] if the message is not one that is written; [`Error::Extension`] if
/// `extension` is not what [`model::standard::Intake::message`] was given.
pub fn again(identity: &Identity, meaning: &Meaning, extension: &Value) -> Result<Outgoing, Error> {
    let unsupported = Error::Unsupported { what: "the type of message" };
    let content = match meaning {
        Meaning::Records(kind) => OutgoingContent::Records(*kind),
        Meaning::Receipt => OutgoingContent::Receipt,
        Meaning::ImportResults(results) => OutgoingContent::ImportResults(results.clone()),
        _ => return Err(unsupported),
    };
    let kept: Kept = serde_json::from_value(extension.clone()).map_err(|_| Error::Extension)?;
    let answers = match identity.message_type.as_str() {
        "0102" => Some("0101"),
        "0402" | "0403" => Some("0401"),
        _ => None,
    };
    Ok(Outgoing {
        content,
        version: identity.version.clone(),
        process_id: identity.process_id.ok_or(unsupported)?,
        sender: identity.sender.clone().unwrap_or_default(),
        recipient: identity.recipient.clone().unwrap_or_default(),
        created_at: kept.created_at.unwrap_or_default(),
        message_id: identity.message_id.unwrap_or_else(model::ids::new_id),
        sequence: identity.sequence.unwrap_or_default(),
        wants_receipt: identity.wants_receipt,
        wants_archive_references: identity.wants_archive_references,
        answers: answers.map(str::to_owned),
        answers_id: identity.answers,
    })
}

struct MessageWriter<'a, W: Write> {
    writer: Writer<W>,
    dialect: Dialect,
    /// Type of the message's root element.
    root: &'static str,
    records: &'a mut dyn Records,
    placed: Placed,
    /// Documents that the version cannot hold where they lie; they become objects of their own.
    moved: Vec<Id>,
    report: Report,
}

/// A record that is being written.
struct Inside {
    kind: RecordKind,
    children: Vec<(RecordKind, Id)>,
    depth: usize,
}

/// What stands at a place in a record.
enum Slot {
    /// Something of the record itself that its records lie in.
    Wrapper,
    Records(RecordKind),
    Part,
}

fn slot(kind: RecordKind, local: &str) -> Slot {
    use RecordKind as Kind;
    match (kind, local) {
        (Kind::CaseFile, "Akteninhalt") | (Kind::Document, "Dokument" | WITH_PARTS) => Slot::Wrapper,
        (Kind::CaseFile | Kind::Case, "Dokument" | EITHER) | (Kind::Document, "Anlage" | PART) => {
            Slot::Records(Kind::Document)
        }
        (Kind::CaseFile, "Vorgang") | (Kind::Case, "Teilvorgang") => Slot::Records(Kind::Case),
        (Kind::CaseFile, "Teilakte") => Slot::Records(Kind::CaseFile),
        _ => Slot::Part,
    }
}

impl<W: Write> MessageWriter<'_, W> {
    fn message(&mut self, message: &Outgoing, message_type: MessageType) -> Result<(), Error> {
        let unsupported = Error::Unsupported { what: "the type of message" };
        self.root = self.dialect.shape().root(&message_type.root()).ok_or(unsupported)?;
        let extension = self.records.message()?.filter(|extension| !extension.is_null());
        let is_copy = extension.is_some();
        let kept: Kept = match extension {
            Some(extension) => serde_json::from_value(extension).map_err(|_| Error::Extension)?,
            None => Kept::default(),
        };
        let kept = self.fetch(kept)?;
        for (name, payload) in &kept.files {
            self.placed.place(name, payload, true)?;
        }
        if let Some(list) = &kept.unnamed {
            let placed = &mut self.placed;
            unnamed::each(&mut self.records.open(list)?, |(name, payload)| {
                placed.place(&name, &payload, true).map(|_| ())
            })?;
        }
        let root = super::node::qualified(&message_type.root());
        self.writer.start(&root, &[("xmlns:xdomea", self.dialect.version().namespace())])?;
        self.header(message, message_type, &kept, is_copy)?;
        self.beside(&kept, "Anschreiben")?;
        match &message.content {
            OutgoingContent::Records(_) => self.roots()?,
            OutgoingContent::ImportResults(results) => self.results(&results.objects, &kept)?,
            _ => {}
        }
        if message_type.code == "0401" {
            self.beside(&kept, "Aktenplan")?;
        }
        Ok(self.writer.end()?)
    }

    fn header(
        &mut self,
        message: &Outgoing,
        message_type: MessageType,
        kept: &Kept,
        is_copy: bool,
    ) -> Result<(), Error> {
        let header = Header {
            process_id: message.process_id,
            code: message_type.code.to_owned(),
            created_at: message.created_at,
            sender: message.sender.clone(),
            recipient: message.recipient.clone(),
            wants_receipt: message.wants_receipt,
        };
        let mut made = make_header(&header, message_type);
        if !is_copy {
            made.nodes.push(sending_system());
            sort("Kopf", &mut made.nodes);
        }
        let kept = kept.nodes.iter().find(|node| node.is("Kopf")).cloned().unwrap_or_default();
        let old = make_header(&read_header(&kept), message_type);
        let nodes = merge("Kopf", &kept.nodes, &old.nodes, &made.nodes);
        self.part(&Node { nodes, attributes: kept.attributes, ..made })
    }

    /// Writes an element that lies directly in the message.
    fn part(&mut self, node: &Node) -> Result<(), Error> {
        let Some(kind) = self.dialect.shape().kind_of(self.root, node.local()) else {
            Dialect::unknown(node).report("", "", &mut self.report);
            return Ok(());
        };
        let lowered = self.dialect.lower(node, kind);
        lowered.report(node.local(), "", &mut self.report);
        lowered.node.iter().try_for_each(|node| node.write(&mut self.writer))
    }

    fn beside(&mut self, kept: &Kept, local: &str) -> Result<(), Error> {
        kept.nodes.iter().filter(|node| node.is(local)).try_for_each(|node| self.part(node))
    }

    fn results(&mut self, results: &[(Id, ImportResult)], kept: &Kept) -> Result<(), Error> {
        let made: Vec<Node> = results.iter().map(|(id, result)| make_result(*id, result)).collect();
        let kept: Vec<Node> =
            kept.nodes.iter().filter(|node| node.is("AbgegebenesObjekt")).cloned().collect();
        let old: Vec<Node> =
            kept.iter().filter_map(read_result).map(|(id, result)| make_result(id, &result)).collect();
        merge("", &kept, &old, &made).iter().try_for_each(|node| self.part(node))
    }

    fn roots(&mut self) -> Result<(), Error> {
        for id in self.records.roots() {
            self.root(id)?;
        }
        for id in std::mem::take(&mut self.moved) {
            self.root(id)?;
        }
        Ok(())
    }

    fn root(&mut self, id: Id) -> Result<(), Error> {
        let record = self.records.record(id)?;
        let unsupported = Error::Unsupported { what: "a record of this kind" };
        let element = match record.kind() {
            RecordKind::CaseFile => "Akte",
            RecordKind::Case => "Vorgang",
            RecordKind::Document => "Dokument",
            _ => return Err(unsupported),
        };
        let shape = self.dialect.shape();
        let object = shape.kind_of(self.root, "Schriftgutobjekt");
        let kind = object.and_then(|object| shape.kind_of(object, element)).ok_or(unsupported)?;
        self.writer.start("xdomea:Schriftgutobjekt", &[])?;
        self.record(record, element, kind, 1)?;
        Ok(self.writer.end()?)
    }

    /// Writes a record and everything in it. `element` and `kind` are its name and type in the version.
    fn record(&mut self, record: Record, element: &str, kind: &str, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let children = self.records.children(record.meta().id)?;
        let mut node = group(element, self.nodes(&record, element)?);
        if self.has_content(&record, &children) && node.child("Akteninhalt").is_none() {
            node.nodes.push(group("Akteninhalt", Vec::new()));
        }
        let lowered = self.dialect.lower(&node, kind);
        lowered.report(element, &record.meta().id.to_string(), &mut self.report);
        let node = lowered.node.ok_or(Error::Unsupported { what: "a record of this kind" })?;
        self.element(&node, kind, &Inside { kind: record.kind(), children, depth })
    }

    /// Whether an Akte has an Akteninhalt. In 2.x a Teilakte lies beside it.
    fn has_content(&self, record: &Record, children: &[(RecordKind, Id)]) -> bool {
        let teilakte_too = self.dialect.version() >= Version::V3_0_0;
        record.kind() == RecordKind::CaseFile
            && children.iter().any(|(kind, _)| match kind {
                RecordKind::Case | RecordKind::Document => true,
                RecordKind::CaseFile => teilakte_too,
                _ => false,
            })
    }

    /// Writes an element of a record with the records that lie in it.
    fn element(&mut self, node: &Node, kind: &str, inside: &Inside) -> Result<(), Error> {
        let Some(shape) = self.dialect.shape().kind(kind) else { return Err(Error::Extension) };
        node.start(&mut self.writer)?;
        let has_parts = shape.child(PART).is_some();
        for child in &shape.children {
            let local = child.local().unwrap_or_default();
            let mut own = node.nodes.iter().filter(|node| node.name == child.name);
            match slot(inside.kind, local) {
                Slot::Wrapper => own.try_for_each(|node| self.element(node, &child.kind, inside))?,
                Slot::Records(kind) => {
                    let only = has_parts.then_some(local == PART);
                    self.children(inside, kind, (local, &child.kind), only)?;
                }
                Slot::Part => own.try_for_each(|node| node.write(&mut self.writer))?,
            }
        }
        Ok(self.writer.end()?)
    }

    /// Writes the records of a kind that lie in another. `only` picks the documents that 4.0 calls
    /// Schriftstueck, or the others.
    fn children(
        &mut self,
        inside: &Inside,
        kind: RecordKind,
        (element, type_name): (&str, &str),
        only: Option<bool>,
    ) -> Result<(), Error> {
        let is_case = |(kind, _): &(RecordKind, Id)| *kind == RecordKind::Case;
        let must_move = self.dialect.version() < Version::V3_0_0
            && (inside.kind, kind) == (RecordKind::CaseFile, RecordKind::Document)
            && inside.children.iter().any(is_case);
        for (_, id) in inside.children.iter().filter(|(child, _)| *child == kind) {
            if must_move {
                Dialect::moved(*id, &mut self.report);
                self.moved.push(*id);
                continue;
            }
            let record = self.records.record(*id)?;
            if only.is_some() && only != Some(self.is_part(&record)?) {
                continue;
            }
            self.record(record, element, type_name, inside.depth + 1)?;
        }
        Ok(())
    }

    fn is_part(&mut self, record: &Record) -> Result<bool, Error> {
        let Some(description) = record.description() else { return Ok(false) };
        let kept = self.fetch(super::extended(&description.extensions)?)?;
        Ok(kept.nodes.iter().any(|node| node.is(PART)))
    }

    /// The elements of a record, put together from the model and what was kept, in the schema's order.
    fn nodes(&mut self, record: &Record, element: &str) -> Result<Vec<Node>, Error> {
        let description = record.description().ok_or(Error::Unsupported { what: "a record of this kind" })?;
        let kept = self.fetch(super::extended(&description.extensions)?)?;
        for (name, payload) in &kept.files {
            self.placed.place(name, payload, true)?;
        }
        let own_id = record.meta().id.to_string();
        let uuid = description.reference(UUID).unwrap_or(&own_id);
        let document = match record {
            Record::Document(document) => Some(document),
            _ => None,
        };
        let mut new = make_nodes(description, uuid, document);
        let old = old_nodes(&kept.nodes, document.is_some());
        if kept.unnumbered {
            let ids = new.iter_mut().filter(|node| node.is("Identifikation"));
            ids.for_each(|id| id.nodes.retain(|node| !node.is("NummerImUebergeordnetenContainer")));
        }
        let mut nodes = merge(element, &kept.nodes, &old, &new);
        if kept.empty_content {
            nodes.push(group("Akteninhalt", Vec::new()));
        }
        let is_closed = match record {
            Record::CaseFile(file) => file.status == RecordStatus::Closed,
            Record::Case(case) => case.status == RecordStatus::Closed,
            _ => false,
        };
        if is_closed && !nodes.iter().any(|node| node.is("ZdA")) {
            nodes.push(leaf("ZdA", "1"));
        }
        for version in document.iter().flat_map(|document| &document.versions) {
            let (placed, dialect) = (&mut self.placed, self.dialect);
            nodes.push(make_version(version, &mut |name, payload, exactly| match exactly
                || dialect.holds_file_name(name)
            {
                true => placed.place(name, payload, exactly),
                false => placed.place(&full_name(name), payload, exactly),
            })?);
        }
        Ok(nodes)
    }

    fn fetch(&mut self, kept: Kept) -> Result<Kept, Error> {
        let records = &mut self.records;
        fetch(kept, &mut |payload: &PayloadRef| read_stored(&mut records.open(payload)?))
    }
}

fn make_nodes(description: &Description, uuid: &str, document: Option<&Document>) -> Vec<Node> {
    let mut nodes = make_description(description, uuid, document.is_some());
    nodes.extend(document.map(make_document).unwrap_or_default());
    nodes
}

/// What the kept elements mean to the model.
fn old_nodes(kept: &[Node], is_document: bool) -> Vec<Node> {
    let description = read_description(kept);
    let uuid = description.reference(UUID).unwrap_or_default().to_owned();
    let mut nodes = make_description(&description, &uuid, is_document);
    if is_document {
        let mut document = Document {
            meta: model::standard::placeholder(),
            description,
            parent: None,
            kind: None,
            dates: Default::default(),
            versions: Vec::new(),
            status: Default::default(),
        };
        read_document(&mut document, kept, &mut |_| None);
        nodes.extend(make_document(&document));
    }
    nodes
}
