//! Writes messages of the groups 01 to 05 from the case model: records are fetched one at a time, files are streamed behind the XML.

use std::io::{self, Write};

use model::case::{Description, Document, RecordStatus};
use model::circulation::Route;
use model::exchange::{Appraisal, ImportResults};
use model::file_plan::FilePlan;
use model::standard::{Outgoing, OutgoingContent, Records, Written};
use model::{Id, PayloadRef, Record, RecordKind, Report};
use xml::Writer;

use super::body::{appraisals, file_plan, results, route};
use super::document::{is_legal, make_document, make_version, read_document};
use super::header::{Header, make_header, read_header, sending_system};
use super::merge::{merge, sort};
use super::messages::{MessageType, Version, stem};
use super::node::{Node, leaf, qualified};
use super::order::order_of;
use super::outgoing::{header, identity, type_of};
use super::placed::Placed;
use super::read::{DEPTH, Kept, fetch, read_stored};
use super::record::{UUID, make_description, read_description};
use super::{body_versions, funnel, head_4, unnamed};
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
    let message_type = type_of(message, version)?;
    let header = header(message, version, message_type)?;
    let stem = stem(message.process_id, message_type, version, message.sequence.number);
    let mut container = ContainerWriter::new(out);
    let (placed, report) = container.entry(&format!("{stem}.xml"), |sink| {
        let mut buffered = io::BufWriter::with_capacity(64 * 1024, sink);
        let mut writer = MessageWriter::new(Writer::new(&mut buffered)?, records, version, message_type);
        writer.message(message, &header)?;
        // A new offer names files that come later; one that came has the files that it had.
        let placed = if writer.is_offer && !writer.is_copy { Placed::default() } else { writer.placed };
        let report = writer.report;
        writer.writer.finish()?;
        buffered.flush()?;
        Ok::<_, Error>((placed, report))
    })?;
    for (name, payload) in placed.files() {
        let mut content = records.open(&payload)?;
        container.entry(name, |sink| io::copy(&mut content, sink))?;
    }
    container.finish()?;
    let identity = identity(message, message_type, header);
    Ok(Written { identity, file_name: format!("{stem}.zip"), report })
}

struct MessageWriter<'a, W: Write> {
    writer: Writer<W>,
    records: &'a mut dyn Records,
    version: Version,
    message_type: MessageType,
    placed: Placed,
    /// Files come later.
    is_offer: bool,
    /// The message is one that came, with what it brought.
    is_copy: bool,
    report: Report,
}

impl<'a, W: Write> MessageWriter<'a, W> {
    fn new(
        writer: Writer<W>,
        records: &'a mut dyn Records,
        version: Version,
        message_type: MessageType,
    ) -> Self {
        let (placed, report) = (Placed::default(), Report::default());
        let is_offer = message_type.code == "0501";
        MessageWriter { writer, records, version, message_type, placed, is_offer, is_copy: false, report }
    }

    fn message(&mut self, message: &Outgoing, header: &Header) -> Result<(), Error> {
        let extension = self.records.message()?.filter(|extension| !extension.is_null());
        self.is_copy = extension.is_some();
        let kept: Kept = match extension {
            Some(extension) => serde_json::from_value(extension).map_err(|_| Error::Extension)?,
            None => Kept::default(),
        };
        let kept = self.fetch(kept)?;
        self.place_kept(&kept)?;
        if let Some(list) = &kept.unnamed {
            let placed = &mut self.placed;
            unnamed::each(&mut self.records.open(list)?, |(name, payload)| {
                placed.place(&name, &payload, true).map(|_| ())
            })?;
        }
        self.head(header, &kept)?;
        self.beside(&kept, "Anschreiben")?;
        let code = self.message_type.code;
        match &message.content {
            OutgoingContent::Records(_) | OutgoingContent::Offer => self.roots()?,
            OutgoingContent::Circulation(route) => self.circulation(route)?,
            OutgoingContent::ImportResults(results) => self.results(results, &kept)?,
            OutgoingContent::Appraisals(appraisals) => self.appraisals(appraisals, &kept)?,
            OutgoingContent::FilePlan(plan) | OutgoingContent::FilePlanToAppraise(plan) => self.plan(plan)?,
            OutgoingContent::Receipt => {}
        }
        if matches!(code, "0401" | "0501" | "0503") {
            self.beside(&kept, "Aktenplan")?;
        }
        Ok(self.writer.end()?)
    }

    /// Root and header.
    fn head(&mut self, header: &Header, kept: &Kept) -> Result<(), Error> {
        let mut made = make_header(header, self.message_type);
        if !self.is_copy {
            made.nodes.push(sending_system());
            sort("Kopf", &mut made.nodes);
        }
        let kept = kept.nodes.iter().find(|node| node.is("Kopf")).cloned().unwrap_or_default();
        let old = make_header(&read_header(&kept), self.message_type);
        let nodes = merge("Kopf", &kept.nodes, &old.nodes, &made.nodes);
        let kopf = Node { nodes, attributes: kept.attributes, ..made };
        let root = self.message_type.root();
        let (attributes, head) = match self.version {
            Version::V4_0_0 => head_4::lower(&kopf, &mut self.report)?,
            _ => (Vec::new(), vec![funnel::lower(self.version, &root, kopf, &mut self.report)?]),
        };
        let mut all = vec![("xmlns:xdomea", self.version.namespace())];
        all.extend(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.writer.start(&qualified(&root), &all)?;
        head.iter().try_for_each(|node| node.write(&mut self.writer))
    }

    /// Writes elements beside the records that came with the message.
    fn beside(&mut self, kept: &Kept, local: &str) -> Result<(), Error> {
        kept.nodes.iter().filter(|node| node.is(local)).try_for_each(|node| self.lower(node.clone()))
    }

    /// Writes an element of the root in the form of the version.
    fn lower(&mut self, node: Node) -> Result<(), Error> {
        let root = self.message_type.root();
        funnel::lower(self.version, &root, node, &mut self.report)?.write(&mut self.writer)
    }

    fn results(&mut self, results: &ImportResults, kept: &Kept) -> Result<(), Error> {
        let nodes = results::make(self.message_type.code, results, &kept.nodes);
        self.body(nodes)
    }

    fn appraisals(&mut self, appraisals: &[(Id, Appraisal)], kept: &Kept) -> Result<(), Error> {
        let nodes = appraisals::make(self.message_type.code, appraisals, &kept.nodes)?;
        self.body(nodes)
    }

    fn body(&mut self, nodes: Vec<Node>) -> Result<(), Error> {
        let nodes = body_versions::lower(self.version, self.message_type.code, nodes, &mut self.report)?;
        nodes.iter().try_for_each(|node| node.write(&mut self.writer))
    }

    fn plan(&mut self, plan: &FilePlan) -> Result<(), Error> {
        let with_ids = self.message_type.code == "0511";
        let node = file_plan::make_plan(plan, with_ids, &mut |name, payload, exactly| {
            place(&mut self.placed, false, name, payload, exactly)
        })?;
        self.lower(node)
    }

    fn roots(&mut self) -> Result<(), Error> {
        let roots = self.records.roots();
        if roots.is_empty() {
            return Err(Error::Unsupported { what: "a message without records" });
        }
        roots.into_iter().try_for_each(|id| self.root("Schriftgutobjekt", id))
    }

    /// Writes a record that lies in no other, in the element that holds it.
    fn root(&mut self, holder: &str, id: Id) -> Result<(), Error> {
        let record = self.records.record(id)?;
        let element = match record.kind() {
            RecordKind::CaseFile => "Akte",
            RecordKind::Case => "Vorgang",
            RecordKind::Document => "Dokument",
            _ => return Err(Error::Unsupported { what: "a record of this kind" }),
        };
        self.writer.start(&qualified(holder), &[])?;
        self.record(record, element, 1)?;
        Ok(self.writer.end()?)
    }

    /// Documents, their route, and what accompanies them.
    fn circulation(&mut self, route: &Route) -> Result<(), Error> {
        let (mut documents, mut attachments) = (Vec::new(), Vec::new());
        for id in self.records.roots() {
            let record = self.records.record(id)?;
            let own = uuid_of(&record).parse().unwrap_or(id);
            match (route.attachments.contains(&own), record.kind()) {
                (true, _) => attachments.push(id),
                (false, RecordKind::Document) => documents.push(id),
                _ => return Err(Error::Unsupported { what: "a circulation of what is not a document" }),
            }
        }
        if documents.is_empty() {
            return Err(Error::Unsupported { what: "a circulation without documents" });
        }
        self.writer.start("xdomea:Hauptobjekt", &[])?;
        for id in documents {
            let record = self.records.record(id)?;
            self.record(record, "Dokument", 1)?;
        }
        self.writer.end()?;
        let kept = self.fetch(super::extended(&route.extensions)?)?;
        self.place_kept(&kept)?;
        self.lower(route::make_route(route, &kept.nodes)?)?;
        attachments.into_iter().try_for_each(|id| self.root("Anlage", id))
    }

    /// Takes the files that kept elements name.
    fn place_kept(&mut self, kept: &Kept) -> Result<(), Error> {
        for (name, payload) in &kept.files {
            self.placed.place(name, payload, true)?;
        }
        Ok(())
    }

    /// Writes a record and everything in it.
    fn record(&mut self, record: Record, element: &str, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let children = self.records.children(record.meta().id)?;
        let nodes = self.nodes(&record, element)?;
        self.writer.start(&super::node::qualified(element), &[])?;
        for slot in order_of(element) {
            match (element, *slot) {
                ("Akte" | "Teilakte", "Akteninhalt") => self.content(&children, &nodes, depth)?,
                ("Vorgang" | "Teilvorgang", "Dokument") | ("Dokument" | "Anlage", "Anlage") => {
                    self.children(&children, RecordKind::Document, slot, depth)?;
                }
                ("Vorgang" | "Teilvorgang", "Teilvorgang") => {
                    self.children(&children, RecordKind::Case, slot, depth)?;
                }
                _ => nodes
                    .iter()
                    .filter(|node| node.is(slot))
                    .try_for_each(|node| node.write(&mut self.writer))?,
            }
        }
        Ok(self.writer.end()?)
    }

    fn content(&mut self, children: &[(RecordKind, Id)], nodes: &[Node], depth: usize) -> Result<(), Error> {
        let is_there = nodes.iter().any(|node| node.is("Akteninhalt"));
        let is_record = |kind| matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document);
        if !is_there && !children.iter().any(|(kind, _)| is_record(*kind)) {
            return Ok(());
        }
        self.writer.start("xdomea:Akteninhalt", &[])?;
        self.children(children, RecordKind::Document, "Dokument", depth)?;
        self.children(children, RecordKind::Case, "Vorgang", depth)?;
        self.children(children, RecordKind::CaseFile, "Teilakte", depth)?;
        Ok(self.writer.end()?)
    }

    fn children(
        &mut self,
        children: &[(RecordKind, Id)],
        kind: RecordKind,
        element: &str,
        depth: usize,
    ) -> Result<(), Error> {
        for (_, id) in children.iter().filter(|(child, _)| *child == kind) {
            let record = self.records.record(*id)?;
            self.record(record, element, depth + 1)?;
        }
        Ok(())
    }

    /// The elements of a record, put together from the model and what was kept, in the schema's order.
    fn nodes(&mut self, record: &Record, element: &str) -> Result<Vec<Node>, Error> {
        let description = record.description().ok_or(Error::Unsupported { what: "a record of this kind" })?;
        let kept = self.fetch(super::extended(&description.extensions)?)?;
        self.place_kept(&kept)?;
        let uuid = uuid_of(record);
        let document = match record {
            Record::Document(document) => Some(document),
            _ => None,
        };
        let mut new = make_nodes(description, &uuid, document);
        let old = old_nodes(&kept.nodes, document.is_some());
        if kept.unnumbered {
            let ids = new.iter_mut().filter(|node| node.is("Identifikation"));
            ids.for_each(|id| id.nodes.retain(|node| !node.is("NummerImUebergeordnetenContainer")));
        }
        let mut nodes = merge(element, &kept.nodes, &old, &new);
        if kept.empty_content {
            nodes.push(super::node::group("Akteninhalt", Vec::new()));
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
            let (placed, is_offer) = (&mut self.placed, self.is_offer);
            nodes.push(make_version(version, &mut |name, payload, exactly| {
                place(placed, is_offer, name, payload, exactly)
            })?);
        }
        Ok(nodes)
    }

    fn fetch(&mut self, kept: Kept) -> Result<Kept, Error> {
        let records = &mut self.records;
        fetch(kept, &mut |payload: &PayloadRef| read_stored(&mut records.open(payload)?))
    }
}

/// Gives a file its place in the container. Only what is offered may have no bytes yet.
fn place(
    placed: &mut Placed,
    is_offer: bool,
    name: &str,
    payload: Option<&PayloadRef>,
    exactly: bool,
) -> Result<String, Error> {
    match payload {
        Some(payload) => placed.place(name, payload, exactly),
        None if is_offer && is_legal(name) => Ok(name.to_owned()),
        None => Err(Error::NoContent),
    }
}

/// The UUID of a record in messages.
fn uuid_of(record: &Record) -> String {
    let known = record.description().and_then(|description| description.reference(UUID));
    known.map_or_else(|| record.meta().id.to_string(), str::to_owned)
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
