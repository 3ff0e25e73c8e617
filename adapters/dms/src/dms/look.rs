//! Taking back what happens there. Everything is keyed by what it is there, so a session that ends anywhere is made good by the next.

use std::time::Duration;

use model::adapter::{Host, Link};
use model::case::{Description, Document, DocumentDates, File, RecordStatus};
use model::command::{Change as RecordChange, Command};
use model::record::Meta;
use model::{Failure, FailureKind, Id, PayloadRef, Record, RecordKind, ids};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::remembered::{Remembered, digest, version_of};
use super::stuck::{self, Stuck};
use super::tell::assigned;
use crate::mapping::{self, Field, Mapping};
use crate::port::{Change, Object, Port, What};

/// How long a session looks before it lets others have their turn.
const SESSION: Duration = Duration::from_secs(90);

/// Where the next look begins.
const CURSOR: &str = "changes";

/// Longest name of a version or file that is taken over, in characters.
const NAME_CHARS: usize = 200;

/// Nothing has this identifier.
const PROBE: &str = "check";

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
        let mut stuck = Stuck::load(self.host).await?;
        loop {
            let since = self.host.state(CURSOR).await?;
            let since = since.as_ref().and_then(Json::as_str);
            let Some(page) = self.port.changes(since).await? else { return Ok(()) };
            for change in &page.changes {
                self.seen(change, &stuck::one(change, since.unwrap_or_default()), &mut stuck).await?;
            }
            if since != Some(&page.cursor) {
                self.host.set_state(CURSOR, Json::from(page.cursor.as_str())).await?;
            }
            if !page.more || begun.elapsed() > SESSION {
                return Ok(());
            }
        }
    }

    /// Takes one change, for which `one` stands. What cannot be taken must not stop the others: it is told on the time line.
    async fn seen(&self, change: &Change, one: &str, stuck: &mut Stuck) -> Result<(), Failure> {
        if stuck.is_given_up(one) {
            return Ok(());
        }
        let object = match self.object(change).await {
            Ok(object) => object,
            Err(failure) => return self.not_taken(failure, change, None, one, stuck).await,
        };
        let taken = match &object {
            None => self.gone(&change.reference).await,
            Some(object) => match object.own.as_deref() {
                Some(own) => self.known(own, object).await,
                None => self.unknown(object).await,
            },
        };
        match taken {
            Ok(()) => Ok(()),
            Err(failure) => self.not_taken(failure, change, object.as_ref(), one, stuck).await,
        }
    }

    /// As it is now; `None` if it is gone.
    async fn object(&self, change: &Change) -> Result<Option<Object>, Failure> {
        match &change.what {
            What::Gone => Ok(None),
            What::Changed(_) => self.port.get(&change.reference).await,
            What::Is(object) => Ok(Some((**object).clone())),
        }
    }

    /// A change could not be taken. Passing trouble ends the session, which tries again later, but not for ever; all else is told on the
    /// time line of what it is about, if that is known, and the others go on.
    async fn not_taken(
        &self,
        failure: Failure,
        change: &Change,
        object: Option<&Object>,
        one: &str,
        stuck: &mut Stuck,
    ) -> Result<(), Failure> {
        let is_passing = matches!(failure.kind, FailureKind::Transient | FailureKind::Uncertain);
        if is_passing && !stuck.failed(self.host, one).await? {
            return Err(failure);
        }
        if failure.kind == FailureKind::Unauthorised {
            // Whether the account may do nothing any more, or only this, another call tells.
            self.port.find(PROBE, false).await?;
        }
        tracing::warn!(code = %failure.code, "a change in the document management system could not be taken");
        if let Some(record) = self.concerned(change, object).await? {
            let detail =
                json!({ "happened": "not-taken", "code": failure.code, "reference": change.reference });
            let key = hashed("not-taken", &[one, &failure.code]);
            self.host.note(&key, record.kind(), record.meta().id, detail).await?;
        }
        if is_passing { stuck.give_up(self.host, one).await } else { Ok(()) }
    }

    /// Whose time line tells of a change: that of what it is here, or of what it lies in.
    async fn concerned(&self, change: &Change, object: Option<&Object>) -> Result<Option<Record>, Failure> {
        let Some(object) = object else {
            let link = self.host.linked(&change.reference).await?;
            return self.any(link.map(|link| link.record)).await;
        };
        let own = match &object.own {
            Some(own) => Some(own.clone()),
            // That it cannot be asked for must not stop the others either.
            None => self.port.parent(object).await.ok().flatten().and_then(|parent| parent.own),
        };
        self.any(own.as_deref().and_then(mapping::of_own).map(|(id, _)| id)).await
    }

    /// Something was deleted there. The records here stay.
    async fn gone(&self, reference: &str) -> Result<(), Failure> {
        let Some(link) = self.host.linked(reference).await? else { return Ok(()) };
        // The adapter may not see it any more.
        let Some(record) = self.any(Some(link.record)).await? else { return Ok(()) };
        let detail = json!({ "happened": "deleted", "reference": reference });
        let before = Remembered::at(&link).token.unwrap_or_default();
        let key = hashed("gone", &[reference, &before]);
        self.host.note(&key, record.kind(), link.record, detail).await
    }

    /// A change of what has an identifier of ours.
    async fn known(&self, own: &str, object: &Object) -> Result<(), Failure> {
        let Some((id, part)) = mapping::of_own(own) else { return Ok(()) };
        let Some(record) = self.any(Some(id)).await? else {
            return self.begun(id, object, None).await;
        };
        let links = self.host.links(id).await?;
        // Without a link it was made just now, and its delivery is about to end; or it was begun by a session of ours.
        let Some(link) = links.iter().find(|link| link.part == part) else {
            return self.begun(id, object, None).await;
        };
        let before = Remembered::at(link);
        let fields = self.mapping.fields(object.is_folder);
        if before.is(object, fields) {
            return Ok(());
        }
        if self.is_copy(link, &before, object).await? {
            return self.unknown(object).await;
        }
        let mut now = self.properties(&record, object, &before, fields).await?;
        let kept = (before.mark.clone(), before.from_there);
        let (mark, from_there) = match &record {
            Record::Document(document) if before.content != object.content => {
                self.content(document, &part, &before, object).await?
            }
            _ => kept,
        };
        now.holds(object.content.as_ref(), mark, from_there);
        if let Some(command) = assigned(self.mapping, &record, object) {
            self.host.submit(&key("reference", object, &digest_of(&command.change)), command).await?;
        }
        // What does not come back stays another than it was, and is told again as long as it is the latest.
        if now == before && link.reference == object.reference {
            return Ok(());
        }
        self.host.link(now.link(record.kind(), id, &part, object)).await
    }

    /// Whether somebody made it of what is linked: copies take the identifier along.
    async fn is_copy(&self, link: &Link, before: &Remembered, object: &Object) -> Result<bool, Failure> {
        let Some(series) = &object.series else { return Ok(false) };
        if let Some(known) = &before.series {
            return Ok(known != series);
        }
        // Linked before the gateway remembered it.
        let linked = self.port.get(&link.reference).await?;
        Ok(linked.and_then(|linked| linked.series).is_some_and(|known| known != *series))
    }

    /// Changed properties come back or are told. Gives what is to be remembered: what does not come back stays as it was, so that telling
    /// the system of the record leaves it alone or, if both sides changed it, meets the conflict.
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
            let happened = if is_conflict { "conflict" } else { "property-changed" };
            let comes_back = field.comes_back && COMES_BACK.contains(&field.field.as_str()) && !is_conflict;
            if !comes_back {
                now.values.insert(field.property.clone(), old.clone());
            }
            // The same value may come again later, so it does not stand alone.
            let part = format!("{}:{old}:{there}", field.property);
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

    /// New bytes: a version of the document, unless it has them already. Gives the id of the bytes here, and whether they came from
    /// there.
    async fn content(
        &self,
        document: &Document,
        part: &str,
        before: &Remembered,
        object: &Object,
    ) -> Result<(Option<String>, bool), Failure> {
        let is_ours = |mark: &&String| self.port.marks_versions() && version_of(document, mark).is_some();
        if let Some(mark) = object.mark.as_ref().filter(is_ours) {
            return Ok((Some(mark.clone()), false));
        }
        let content = self.host.keep(self.port.open(object).await?).await?;
        if let Some(known) = known_as(document, part, before, &content.sha256) {
            let is_same = before.mark.as_ref() == Some(&known);
            return Ok((Some(known), is_same && before.from_there));
        }
        let number = free_number(document, object);
        let mark = content.id.to_string();
        let file = file(object, content);
        let id = document.meta.id;
        let change = RecordChange::AddContent { version: number, file: Box::new(file) };
        let command = Command { kind: RecordKind::Document, id, expected: None, change };
        let standing = object.content.as_deref().unwrap_or_default();
        self.host.submit(&key("content", object, standing), command).await?;
        let detail =
            json!({ "happened": "version", "version": object.version, "reference": object.reference });
        self.host.note(&key("version", object, standing), RecordKind::Document, id, detail).await?;
        Ok((Some(mark), true))
    }

    /// Something without an identifier of ours, or a copy that has one of something else, in a folder that has one: documents are taken
    /// in, folders told.
    async fn unknown(&self, object: &Object) -> Result<(), Failure> {
        let Some(above) = self.parent(object).await? else { return Ok(()) };
        let meta = above.meta();
        if object.is_folder {
            let detail = json!({ "happened": "folder", "reference": object.reference });
            let key = hashed("folder", &[&object.reference]);
            return self.host.note(&key, above.kind(), meta.id, detail).await;
        }
        let id = ids::derived_id(meta.id, &format!("dms:{}", object.reference));
        // First, so that the document is known by it whatever happens next.
        let object = self.port.set_metadata(object, Some(&id.to_string()), &Default::default()).await?;
        self.begun(id, &object, Some(above)).await
    }

    /// A document from there whose record may not be there yet, or not with everything. `above`: what it lies in, if that is known.
    async fn begun(&self, id: Id, object: &Object, above: Option<Record>) -> Result<(), Failure> {
        if object.is_folder {
            return Ok(());
        }
        let record = match self.host.record(RecordKind::Document, id).await? {
            // Ours: its delivery keeps the link.
            Some(Record::Document(document)) if !is_from_there(&document) => return Ok(()),
            Some(Record::Document(document)) => document,
            _ => {
                let above = match above {
                    Some(above) => Some(above),
                    None => self.parent(object).await?,
                };
                let Some(above) = above else { return Ok(()) };
                let document = document(id, above.meta(), object);
                let change = RecordChange::Create(Box::new(Record::Document(document.clone())));
                let command = Command { kind: RecordKind::Document, id, expected: None, change };
                self.host.submit(&format!("new:{id}"), command).await?;
                document
            }
        };
        let mut now = Remembered::of(object, self.mapping.fields(false));
        let (mark, _) = self.content(&record, "", &Remembered::default(), object).await?;
        now.holds(object.content.as_ref(), mark, true);
        self.host.link(now.link(RecordKind::Document, id, "", object)).await
    }

    /// The case or case file whose folder it lies in. A copy of that folder is none.
    async fn parent(&self, object: &Object) -> Result<Option<Record>, Failure> {
        let Some(folder) = self.port.parent(object).await? else { return Ok(None) };
        let id = folder.own.as_deref().and_then(mapping::of_own).map(|(id, _)| id);
        let Some(record) = self.any(id).await? else { return Ok(None) };
        let links = self.host.links(record.meta().id).await?;
        let is_it = links.iter().any(|link| link.part.is_empty() && link.reference == folder.reference);
        Ok(is_it.then_some(record))
    }

    /// The record of an id, of whichever kind.
    async fn any(&self, id: Option<Id>) -> Result<Option<Record>, Failure> {
        let Some(id) = id else { return Ok(None) };
        for kind in [RecordKind::Document, RecordKind::Case, RecordKind::CaseFile] {
            if let Some(record) = self.host.record(kind, id).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

/// Makes a thing known that happened to an object as it is now: the same may happen to it again later.
fn key(what: &str, object: &Object, part: &str) -> String {
    let moment = object.modified_at.map(|at| at.to_string());
    let state = object.token.as_ref().or(moment.as_ref());
    hashed(what, &[&object.reference, state.map_or("", String::as_str), part])
}

/// Within the 200 bytes that a key may have.
fn hashed(what: &str, parts: &[&str]) -> String {
    format!("{what}:{}", hex::encode(seal::sha256(&[parts.join("\0").as_bytes()]).0))
}

/// The id here of bytes that a document has got since both sides last agreed, or had then: what lies further back has come back.
fn known_as(document: &Document, part: &str, before: &Remembered, sha256: &str) -> Option<String> {
    let place: usize = part.parse().unwrap_or(0);
    let has_part = |at: &usize| document.versions[*at].files.len() > place;
    let agreed = before.mark.as_deref().and_then(|mark| version_of(document, mark));
    let newest = || (0..document.versions.len()).rev().find(has_part);
    let from = agreed.or_else(newest).unwrap_or(0);
    let files = document.versions.iter().skip(from).flat_map(|version| &version.files);
    let mut ids = files.filter_map(|file| file.content.as_ref()).filter(|known| known.sha256 == sha256);
    ids.next_back().map(|known| known.id.to_string())
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
