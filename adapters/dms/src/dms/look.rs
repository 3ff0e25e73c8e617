//! Taking back what happens there. Everything is keyed by what it is there, so a session that ends anywhere is made good by the next.

use std::time::Duration;

use model::adapter::{Host, Link};
use model::case::{Description, Document, DocumentDates, File, RecordStatus};
use model::command::{Change as RecordChange, Command};
use model::record::Meta;
use model::{Failure, FailureKind, Id, PayloadRef, Record, RecordKind, ids};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::remembered::{Remembered, digest, link_of};
use super::tell::assigned;
use crate::mapping::{self, Field, Mapping};
use crate::port::{Change, Object, Port};

/// How long a session looks before it lets others have their turn.
const SESSION: Duration = Duration::from_secs(90);

/// Where the next look begins.
const CURSOR: &str = "changes";

/// Longest name of a version or file that is taken over, in characters.
const NAME_CHARS: usize = 200;

/// What may be amended by a change there.
const COMES_BACK: [&str; 5] = ["title", "note", "lead", "keeper", "kind"];

/// Looks for what changed.
pub(super) struct Looker<'a> {
    pub(super) port: &'a dyn Port,
    pub(super) mapping: &'a Mapping,
    pub(super) host: &'a dyn Host,
}

impl Looker<'_> {
    /// One session: page after page, each with its end noted once it is through.
    pub(super) async fn session(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let since = self.host.state(CURSOR).await?;
            let since = since.as_ref().and_then(Json::as_str);
            let Some(page) = self.port.changes(since).await? else { return Ok(()) };
            for change in &page.changes {
                self.seen(change).await?;
            }
            if since != Some(&page.cursor) {
                self.host.set_state(CURSOR, Json::from(page.cursor.as_str())).await?;
            }
            if !page.more || begun.elapsed() > SESSION {
                return Ok(());
            }
        }
    }

    /// Takes one change. What cannot be done for good must not stop the others: it is told on the time line.
    async fn seen(&self, change: &Change) -> Result<(), Failure> {
        let Some(object) = &change.object else { return self.gone(&change.reference).await };
        let taken = match object.own.as_deref() {
            Some(own) => self.known(own, object, change).await,
            None => self.unknown(object, change).await,
        };
        let Err(failure) = taken else { return Ok(()) };
        if matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain | FailureKind::Unauthorised)
        {
            return Err(failure);
        }
        let above = change.parent.as_ref().and_then(|parent| parent.own.as_deref());
        let named = object.own.as_deref().or(above).and_then(mapping::of_own);
        tracing::warn!(code = %failure.code, "a change in the document management system could not be taken");
        let Some(record) = self.any(named).await? else { return Ok(()) };
        let detail = json!({ "happened": "not-taken", "code": failure.code, "reference": object.reference });
        let key = key("not-taken", object, &failure.code);
        self.host.note(&key, record.kind(), record.meta().id, detail).await
    }

    /// Something was deleted there. The records here stay.
    async fn gone(&self, reference: &str) -> Result<(), Failure> {
        let Some(link) = self.host.linked(reference).await? else { return Ok(()) };
        let detail = json!({ "happened": "deleted", "reference": reference });
        self.host.note(&format!("gone:{reference}"), link.kind, link.record, detail).await
    }

    /// A change of what has an identifier of ours.
    async fn known(&self, own: &str, object: &Object, change: &Change) -> Result<(), Failure> {
        let Some((id, part)) = mapping::of_own(own) else { return Ok(()) };
        let Some(record) = self.any(Some((id, part.clone()))).await? else {
            return self.begun(id, object, change).await;
        };
        let links = self.host.links(id).await?;
        // Without a link it was made just now, and its delivery is about to end; or it was begun by a session of ours.
        let Some(link) = links.iter().find(|link| link.part == part) else {
            return self.begun(id, object, change).await;
        };
        let before = Remembered::at(link);
        let fields = self.mapping.fields(object.is_folder);
        if before == Remembered::of(object, fields) {
            return Ok(());
        }
        let now = self.properties(&record, object, &before, fields).await?;
        let mut content = before.content.clone();
        if let Record::Document(document) = &record
            && before.content != object.content
        {
            self.content(document, object).await?;
            content.clone_from(&object.content);
        }
        if let Some(command) = assigned(self.mapping, &record, object) {
            self.host.submit(&key("reference", object, &digest_of(&command.change)), command).await?;
        }
        let now = Remembered { content, ..now };
        self.host.link(now.link(record.kind(), id, &part, object)).await
    }

    /// Changed properties come back or are told. Gives what is to be remembered: what both sides changed stays as it was, so that telling
    /// the system of it meets the conflict.
    async fn properties(
        &self,
        record: &Record,
        object: &Object,
        before: &Remembered,
        fields: &[Field],
    ) -> Result<Remembered, Failure> {
        let mut now = Remembered::of(object, fields);
        let wanted = self.mapping.values(record);
        let id = record.meta().id;
        for field in fields {
            let Some(old) = before.values.get(&field.property) else { continue };
            let there = digest(field.kind, object.properties.get(&field.property));
            let here = digest(field.kind, wanted.get(&field.property).and_then(|value| value.value.as_ref()));
            if there == *old || there == here {
                continue;
            }
            let is_conflict = here != *old;
            if is_conflict {
                now.values.insert(field.property.clone(), old.clone());
            }
            let happened = if is_conflict { "conflict" } else { "property-changed" };
            let comes_back = field.comes_back && COMES_BACK.contains(&field.field.as_str()) && !is_conflict;
            let part = format!("{}:{there}", field.property);
            if comes_back {
                let value = object.properties.get(&field.property).filter(|_| !there.is_empty());
                let value = value.map_or(Json::Null, |value| Json::from(value.as_str()));
                let change = RecordChange::Amend(json!({ field.field.clone(): value }));
                let command = Command { kind: record.kind(), id, expected: None, change };
                self.host.submit(&key("amend", object, &part), command).await?;
                continue;
            }
            let detail = json!({
                "happened": happened, "property": field.property, "reference": object.reference,
            });
            self.host.note(&key(happened, object, &part), record.kind(), id, detail).await?;
        }
        Ok(now)
    }

    /// New bytes: a version of the document, unless it has them already.
    async fn content(&self, document: &Document, object: &Object) -> Result<(), Failure> {
        let content = self.host.keep(self.port.open(object).await?).await?;
        let mut files = document.versions.iter().flat_map(|version| &version.files);
        let is_known =
            files.any(|file| file.content.as_ref().is_some_and(|known| known.sha256 == content.sha256));
        if is_known {
            return Ok(());
        }
        let number = free_number(document, object);
        let file = file(object, content);
        let id = document.meta.id;
        let change = RecordChange::AddContent { version: number, file: Box::new(file) };
        let command = Command { kind: RecordKind::Document, id, expected: None, change };
        self.host.submit(&key("content", object, object.content.as_deref().unwrap_or("")), command).await?;
        let detail =
            json!({ "happened": "version", "version": object.version, "reference": object.reference });
        let key = key("version", object, object.content.as_deref().unwrap_or(""));
        self.host.note(&key, RecordKind::Document, id, detail).await
    }

    /// Something without an identifier of ours, in a folder that has one: documents are taken in, folders told.
    async fn unknown(&self, object: &Object, change: &Change) -> Result<(), Failure> {
        let Some((above, _)) = self.parent(change).await? else { return Ok(()) };
        let meta = above.meta();
        if object.is_folder {
            let detail = json!({ "happened": "folder", "reference": object.reference });
            return self.host.note(&key("folder", object, ""), above.kind(), meta.id, detail).await;
        }
        let id = ids::derived_id(meta.id, &format!("dms:{}", object.reference));
        // First, so that the document is known by it whatever happens next.
        let object = self.port.set_metadata(object, Some(&id.to_string()), &Default::default()).await?;
        self.begun(id, &object, change).await
    }

    /// A document from there whose record may not be there yet, or not with everything.
    async fn begun(&self, id: Id, object: &Object, change: &Change) -> Result<(), Failure> {
        if object.is_folder {
            return Ok(());
        }
        let Some((above, _)) = self.parent(change).await? else { return Ok(()) };
        let record = match self.host.record(RecordKind::Document, id).await? {
            // Ours: its delivery keeps the link.
            Some(Record::Document(document)) if !is_from_there(&document) => return Ok(()),
            Some(Record::Document(document)) => document,
            _ => {
                let document = document(id, above.meta(), object);
                let change = RecordChange::Create(Box::new(Record::Document(document.clone())));
                let command = Command { kind: RecordKind::Document, id, expected: None, change };
                self.host.submit(&format!("new:{id}"), command).await?;
                document
            }
        };
        self.content(&record, object).await?;
        let record_kind = RecordKind::Document;
        self.host.link(link_of(self.mapping, record_kind, id, "", object)).await
    }

    /// The case or case file whose folder it lies in.
    async fn parent(&self, change: &Change) -> Result<Option<(Record, Link)>, Failure> {
        let Some(own) = change.parent.as_ref().and_then(|parent| parent.own.as_deref()) else {
            return Ok(None);
        };
        let Some(record) = self.any(mapping::of_own(own)).await? else { return Ok(None) };
        let link = self.host.links(record.meta().id).await?.into_iter().find(|link| link.part.is_empty());
        Ok(link.map(|link| (record, link)))
    }

    /// The record of an identifier, of whichever kind.
    async fn any(&self, named: Option<(Id, String)>) -> Result<Option<Record>, Failure> {
        let Some((id, _)) = named else { return Ok(None) };
        for kind in [RecordKind::Document, RecordKind::Case, RecordKind::CaseFile] {
            if let Some(record) = self.host.record(kind, id).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

/// Makes a thing known that happened to an object: within the 200 bytes that a key may have.
fn key(what: &str, object: &Object, part: &str) -> String {
    let parts = [object.reference.as_bytes(), b"\0", part.as_bytes()];
    format!("{what}:{}", hex::encode(seal::sha256(&parts).0))
}

fn digest_of(change: &RecordChange) -> String {
    match change {
        RecordChange::AssignReference(reference) => reference.clone(),
        _ => String::new(),
    }
}

/// Extension of a document that came from there.
const FROM_THERE: &str = "dms";

fn is_from_there(document: &Document) -> bool {
    document.description.extensions.contains_key(FROM_THERE)
}

/// A document that somebody has put into a folder there.
fn document(id: Id, above: &Meta, object: &Object) -> Document {
    let mut description = Description { title: clean(&object.name), ..Description::default() };
    description.extensions.insert(FROM_THERE.to_owned(), json!({ "reference": object.reference }));
    Document {
        meta: Meta { id, version: 0, ..above.clone() },
        description,
        parent: Some(above.id),
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    }
}

fn file(object: &Object, content: PayloadRef) -> File {
    let name = object.file_name.as_deref().unwrap_or(&object.name);
    File {
        name: clean(name),
        original_name: None,
        media_type: object.media_type.clone().filter(|it| it.len() <= 120),
        content: Some(content),
        ..File::default()
    }
}

/// What the version is called there, unless the document has one of this name.
fn free_number(document: &Document, object: &Object) -> String {
    let label = clean(object.version.as_deref().unwrap_or("1"));
    let is_taken = |number: &str| document.versions.iter().any(|version| version.number == number);
    let mut number = label.clone();
    let mut place = 2;
    while is_taken(&number) {
        number = format!("{label} ({place})");
        place += 1;
    }
    number
}

/// A name from outside, as a name here may be.
fn clean(name: &str) -> String {
    let is_bad = |c: char| c.is_control() || c == '/' || c == '\\';
    let clean: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).take(NAME_CHARS).collect();
    if clean.trim().is_empty() { "Dokument".to_owned() } else { clean.trim().to_owned() }
}
