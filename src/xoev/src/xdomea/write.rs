//! Writes messages of the groups 01 to 05 from the case model: records are fetched one at a time, files are streamed behind the XML.

use std::io::{self, Write};

use model::case::{Description, Document, RecordStatus};
use model::circulation::Route;
use model::exchange::{Appraisal, ImportResults};
use model::file_plan::FilePlan;
use model::standard::{Identity, Outgoing, OutgoingContent, Records, Written};
use model::{Id, PayloadRef, Record, RecordKind, Report};
use xml::Writer;

use super::body::{appraisals, file_plan, results, route};
use super::dialect::{Dialect, EITHER, PART, WITH_PARTS};
use super::document::{full_name, is_legal, make_document, make_version, read_document};
use super::header::{Header, make_header, read_header, sending_system};
use super::merge::merge;
use super::messages::{MessageType, Version, stem};
use super::node::{Node, group, leaf, qualified};
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
    let (placed, report, is_test) = container.entry(&format!("{stem}.xml"), |sink| {
        let mut buffered = io::BufWriter::with_capacity(64 * 1024, sink);
        let mut writer = MessageWriter::new(Writer::new(&mut buffered)?, records, version, message_type)?;
        let has_receipt = |version| message_type.receipt(version).is_some();
        if message.wants_receipt && has_receipt(Version::V3_1_0) && !has_receipt(version) {
            writer.report.add(body_versions::not_carried("Kopf/Empfangsbestaetigung"));
        }
        writer.message(message, &header)?;
        // A new offer names files that come later; one that came has the files that it had.
        let placed = if writer.is_offer && !writer.is_copy { Placed::default() } else { writer.placed };
        let (report, is_test) = (writer.report, writer.is_test);
        writer.writer.finish()?;
        buffered.flush()?;
        Ok::<_, Error>((placed, report, is_test))
    })?;
    for (name, payload) in placed.files() {
        let mut content = records.open(&payload)?;
        container.entry(name, |sink| io::copy(&mut content, sink))?;
    }
    container.finish()?;
    let identity = Identity { test: is_test, ..identity(message, message_type, header) };
    Ok(Written { identity, file_name: format!("{stem}.zip"), report })
}

struct MessageWriter<'a, W: Write> {
    writer: Writer<W>,
    records: &'a mut dyn Records,
    version: Version,
    dialect: Dialect,
    message_type: MessageType,
    placed: Placed,
    /// Documents that the version cannot hold where they lie; they become objects of their own.
    moved: Vec<Id>,
    /// Files come later.
    is_offer: bool,
    /// The message is one that came, with what it brought.
    is_copy: bool,
    /// The message says of itself that it is a test, as it came.
    is_test: bool,
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

impl<'a, W: Write> MessageWriter<'a, W> {
    fn new(
        writer: Writer<W>,
        records: &'a mut dyn Records,
        version: Version,
        message_type: MessageType,
    ) -> Result<Self, Error> {
        Ok(MessageWriter {
            writer,
            records,
            version,
            dialect: Dialect::of(version)?,
            message_type,
            placed: Placed::default(),
            moved: Vec::new(),
            is_offer: message_type.code == "0501",
            is_copy: false,
            is_test: false,
            report: Report::default(),
        })
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
        let mut made = make_header(header, self.message_type, self.version);
        if self.message_type.receipt(self.version).is_none() {
            made.nodes.retain(|node| !node.is("Empfangsbestaetigung"));
        }
        if !self.is_copy {
            made.nodes.push(sending_system());
        }
        let kept = kept.nodes.iter().find(|node| node.is("Kopf")).cloned().unwrap_or_default();
        if self.version != Version::V4_0_0 {
            head_4::report_lost(&kept, &mut self.report)?;
        }
        self.is_test = head_4::is_marked(&kept);
        let old = make_header(&read_header(&kept), self.message_type, self.version);
        let nodes = merge(&kept.nodes, &old.nodes, &made.nodes);
        let kopf = Node { nodes, attributes: kept.attributes, ..made };
        let root = self.message_type.root();
        let (attributes, head) = match self.version {
            Version::V4_0_0 => head_4::lower(&root, &kopf, &mut self.report)?,
            _ => {
                let head = funnel::lower(self.version, &root, kopf, &mut self.report)?;
                (Vec::new(), head.into_iter().collect())
            }
        };
        let mut all = vec![("xmlns:xdomea", self.version.namespace())];
        all.extend(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.writer.start(&qualified(&root), &all)?;
        head.iter().try_for_each(|node| node.write(&mut self.writer))
    }

    /// Writes elements beside the records that came with the message: the first, where the version has only one.
    fn beside(&mut self, kept: &Kept, local: &str) -> Result<(), Error> {
        let shape = self.dialect.shape();
        let kind = shape.root(&self.message_type.root()).and_then(|root| shape.kind(root));
        let child = kind.and_then(|kind| kind.child(local));
        let is_one = child.is_some_and(|child| !child.is_many());
        for (index, node) in kept.nodes.iter().filter(|node| node.is(local)).enumerate() {
            if is_one && index > 0 {
                self.report.add(body_versions::not_carried(&format!("{local}[{}]", index + 1)));
                continue;
            }
            self.lower(node.clone())?;
        }
        Ok(())
    }

    /// Writes an element of the root in the form of the version.
    fn lower(&mut self, node: Node) -> Result<(), Error> {
        let root = self.message_type.root();
        let lowered = funnel::lower(self.version, &root, node, &mut self.report)?;
        lowered.iter().try_for_each(|node| node.write(&mut self.writer))
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
        let nodes = body_versions::lower(
            self.version,
            self.message_type.code,
            nodes,
            self.is_copy,
            &mut self.report,
        )?;
        let root = self.message_type.root();
        for node in nodes {
            let fitted = funnel::fit(self.version, &root, &node, &mut self.report)?;
            fitted.write(&mut self.writer)?;
        }
        Ok(())
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
        roots.into_iter().try_for_each(|id| self.root("Schriftgutobjekt", id))?;
        let moved = std::mem::take(&mut self.moved);
        moved.into_iter().try_for_each(|id| self.root("Schriftgutobjekt", id))
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
        let kind = self.kind(holder, element)?;
        self.writer.start(&qualified(holder), &[])?;
        self.record(record, element, kind, 1)?;
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
        let kind = self.kind("Hauptobjekt", "Dokument")?;
        self.writer.start("xdomea:Hauptobjekt", &[])?;
        for id in documents {
            let record = self.records.record(id)?;
            self.record(record, "Dokument", kind, 1)?;
        }
        self.writer.end()?;
        let kept = self.fetch(super::extended(&route.extensions)?)?;
        self.place_kept(&kept)?;
        self.lower(route::make_route(route, &kept.nodes)?)?;
        attachments.into_iter().try_for_each(|id| self.root("Anlage", id))?;
        let moved = std::mem::take(&mut self.moved);
        moved.into_iter().try_for_each(|id| self.root("Anlage", id))
    }

    /// Takes the files that kept elements name.
    fn place_kept(&mut self, kept: &Kept) -> Result<(), Error> {
        for (name, payload) in &kept.files {
            self.placed.place(name, payload, true)?;
        }
        Ok(())
    }

    /// The type of an element in one that holds records.
    fn kind(&self, holder: &str, element: &str) -> Result<&'static str, Error> {
        let shape = self.dialect.shape();
        let holder = shape.root(&self.message_type.root()).and_then(|root| shape.kind_of(root, holder));
        let kind = holder.and_then(|holder| shape.kind_of(holder, element));
        kind.ok_or(Error::Unsupported { what: "a record of this kind" })
    }

    /// Writes a record and everything in it. `element` and `kind` are its name and type in the version.
    fn record(&mut self, record: Record, element: &str, kind: &str, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let children = self.records.children(record.meta().id)?;
        let mut node = group(element, self.nodes(&record)?);
        if element == PART {
            node.nodes.retain(|node| !node.is(PART));
        }
        if self.has_content(&record, &children) && node.child("Akteninhalt").is_none() {
            node.nodes.push(group("Akteninhalt", Vec::new()));
        }
        let lowered = self.dialect.lower(&node, kind)?;
        lowered.report(element, &uuid_of(&record), &mut self.report);
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
    fn nodes(&mut self, record: &Record) -> Result<Vec<Node>, Error> {
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
        let mut nodes = merge(&kept.nodes, &old, &new);
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
            let (placed, is_offer, dialect) = (&mut self.placed, self.is_offer, self.dialect);
            nodes.push(make_version(version, &mut |name, payload, exactly| match exactly
                || dialect.holds_file_name(name)
            {
                true => place(placed, is_offer, name, payload, exactly),
                false => place(placed, is_offer, &full_name(name), payload, exactly),
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
