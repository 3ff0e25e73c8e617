//! Telling the system of records.

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::adapter::{About, AboutFile, Content, Delivery, Link, Receipt, Source, Sources};
use model::case::Document;
use model::command::{Change as RecordChange, Command};
use model::{Failure, Record};
use serde_json::json;

use super::remembered::{Remembered, digest, link_of, merge, version_of};
use crate::failure;
use crate::mapping::{self, Mapping};
use crate::port::{Bytes, Changes, Created, Entry, Object, Port, Value};

/// Stands in no failure that leaves: what was asked about is not done.
pub(super) const NOT_DONE: &str = "not-done";

/// Tells of one delivery.
pub(super) struct Teller<'a> {
    pub(super) port: &'a dyn Port,
    pub(super) mapping: &'a Mapping,
}

/// What came of it so far.
#[derive(Default)]
struct Told {
    links: Vec<Link>,
    commands: Vec<Command>,
}

impl Teller<'_> {
    /// Brings folders, document, version and properties to what they are to be; each only if it is not so already.
    pub(super) async fn deliver(
        &self,
        delivery: &Delivery,
        sources: Sources<'_>,
    ) -> Result<Receipt, Failure> {
        let about = delivery.about.as_deref().ok_or_else(|| failure::refused("a delivery of no record"))?;
        let mut told = Told::default();
        let object = match &about.record {
            Record::Document(document) => self.document(about, document, sources, &mut told).await?,
            _ => {
                let folder = self.folder_of(about, &about.record, &mut told, about.above.len()).await?;
                Some(self.brought_up(about, folder, "", None, &mut told).await?)
            }
        };
        let reference = object.as_ref().map(|object| object.reference.clone());
        Ok(Receipt {
            data: json!({ "version": object.and_then(|object| object.version) }),
            reference,
            confirmed: true,
            links: told.links,
            commands: told.commands,
            ..Receipt::default()
        })
    }

    /// Brings the properties up to the record and remembers the object. `holds`: the id here of its bytes; absent if
    /// they are not looked at.
    async fn brought_up(
        &self,
        about: &About,
        object: Object,
        part: &str,
        holds: Option<String>,
        told: &mut Told,
    ) -> Result<Object, Failure> {
        let meta = about.record.meta();
        let remembered = link(about, meta.id, part).map(Remembered::at);
        let wanted = self.mapping.values(&about.record);
        let (write, conflicts) = merge(&object, remembered.as_ref(), &wanted);
        if !conflicts.is_empty() {
            return Err(failure::conflict());
        }
        let object = match write.is_empty() {
            true => object,
            false => self.port.set_metadata(&object, None, &write).await?,
        };
        let mut now = match &remembered {
            Some(before) => kept(before, &object, self.mapping, &write, &wanted),
            None => Remembered::of(&object, self.mapping.fields(object.is_folder)),
        };
        match (holds, &remembered) {
            (Some(mark), _) => now.holds(object.content.as_ref(), Some(mark), false),
            (None, Some(before)) => {
                now.holds(before.content.as_ref(), before.mark.clone(), before.from_there)
            }
            (None, None) => {}
        }
        let now = now.link(about.record.kind(), meta.id, part, &object);
        told.links.retain(|known| (known.record, known.part.as_str()) != (meta.id, part));
        told.links.push(now);
        told.commands.extend(assigned(self.mapping, &about.record, &object));
        Ok(object)
    }

    /// The folder of a record, which is the `depth`th from outside.
    async fn folder_of(
        &self,
        about: &About,
        record: &Record,
        told: &mut Told,
        depth: usize,
    ) -> Result<Object, Failure> {
        if let Some(known) = link(about, record.meta().id, "") {
            return self.port.get(&known.reference).await?.ok_or_else(failure::gone);
        }
        let entry = mapping::folder(self.mapping, record);
        let entry = entry.ok_or_else(|| failure::refused("the record has no folder"))?;
        // First, so that a repetition tells of the same as what it repeats.
        let parent = self.place(about, told, depth).await?;
        if let Some(found) = self.port.find(&entry.own, true).await? {
            return Ok(found);
        }
        self.make(&parent, &entry, None).await
    }

    /// The folder that the record which is the `depth`th from outside lies in; what is missing is made.
    async fn place(&self, about: &About, told: &mut Told, depth: usize) -> Result<String, Failure> {
        if let Some(above) = about.above[..depth].last() {
            if let Some(known) = link(about, above.meta().id, "") {
                return Ok(known.reference.clone());
            }
            let folder = Box::pin(self.folder_of(about, above, told, depth - 1)).await?;
            told.links.push(link_of(self.mapping, above.kind(), above.meta().id, "", &folder));
            return Ok(folder.reference);
        }
        let root = self.port.root().await?.reference;
        let outermost = about.above.first().unwrap_or(&about.record);
        let Some(plan) = outermost.description().and_then(mapping::plan_folder) else { return Ok(root) };
        if let Some(found) = self.port.find(&plan.own, true).await? {
            return Ok(found.reference);
        }
        match self.port.create_folder(&root, &plan).await? {
            Created::New(folder) => Ok(folder.reference),
            // Somebody has made it by hand, or another node just now.
            Created::NameTaken => {
                let folder = self.port.child(&root, &plan.name).await?.filter(|it| it.is_folder);
                folder.map(|folder| folder.reference).ok_or_else(failure::name_taken)
            }
        }
    }

    /// Makes a document of the bytes, or a folder, under its name, or another if somebody else's has it.
    async fn make(&self, parent: &str, entry: &Entry, bytes: Option<&Bytes<'_>>) -> Result<Object, Failure> {
        for name in [entry.name.clone(), mapping::other_name(&entry.name, &entry.own)] {
            let entry = Entry { name, ..entry.clone() };
            let created = match bytes {
                Some(bytes) => self.port.create_document(parent, &entry, bytes).await?,
                None => self.port.create_folder(parent, &entry).await?,
            };
            if let Created::New(object) = created {
                return Ok(object);
            }
            // A search may lag behind; who asked for it before may have been slow.
            let taken = self.port.child(parent, &entry.name).await?;
            let is_ours =
                |it: &Object| it.own.as_ref() == Some(&entry.own) && it.is_folder == bytes.is_none();
            if let Some(object) = taken.filter(is_ours) {
                return Ok(object);
            }
        }
        Err(failure::name_taken())
    }

    /// A document: with one of its files, or its properties alone.
    async fn document(
        &self,
        about: &About,
        document: &Document,
        sources: Sources<'_>,
        told: &mut Told,
    ) -> Result<Option<Object>, Failure> {
        if let Some(file) = about.files.first() {
            let nothing: Vec<u8> = vec![];
            let source: &dyn Source = sources.first().map_or(&nothing, |source| &**source);
            return self.file(about, document, file, source, told).await.map(Some);
        }
        let mut first = None;
        for known in about.links.iter().filter(|link| link.record == document.meta.id) {
            let object = self.port.get(&known.reference).await?.ok_or_else(failure::gone)?;
            let object = self.brought_up(about, object, &known.part, None, told).await?;
            first = first.or(Some(object));
        }
        Ok(first)
    }

    async fn file(
        &self,
        about: &About,
        document: &Document,
        file: &AboutFile,
        source: &dyn Source,
        told: &mut Told,
    ) -> Result<Object, Failure> {
        let content = file.file.content.as_ref();
        let content = content.ok_or_else(|| failure::refused("the file has no content"))?;
        let part = part_of(document, file);
        let entry = mapping::document(self.mapping, &about.record, &file.file, &part);
        let entry = entry.ok_or_else(|| failure::refused("the record is no document"))?;
        let mark = content.id.to_string();
        let bytes = Bytes {
            source,
            size: content.size,
            media_type: file.file.media_type.as_deref(),
            file_name: file.file.original_name.as_deref().unwrap_or(&file.file.name),
            mark: &mark,
        };
        let known = link(about, document.meta.id, &part);
        let (object, holds) = match known {
            Some(link) => {
                let object = self.port.get(&link.reference).await?.ok_or_else(failure::gone)?;
                self.version(object, Some(Remembered::at(link)), document, &bytes).await?
            }
            None => {
                let folder = self.place(about, told, about.above.len()).await?;
                match self.port.find(&entry.own, false).await? {
                    Some(object) => self.version(object, None, document, &bytes).await?,
                    None => (self.make(&folder, &entry, Some(&bytes)).await?, Some(mark.clone())),
                }
            }
        };
        self.brought_up(about, object, &part, holds, told).await
    }

    /// The document with these bytes as a version, and the id here of what its latest version holds, if that is ours.
    async fn version(
        &self,
        object: Object,
        before: Option<Remembered>,
        document: &Document,
        bytes: &Bytes<'_>,
    ) -> Result<(Object, Option<String>), Failure> {
        let holds = self.holds(&object, before.as_ref(), document);
        let was_found = before.is_none();
        let is_there = holds.as_deref() == Some(bytes.mark)
            || object.mark.as_deref() == Some(bytes.mark)
            || (was_found && object.size == Some(bytes.size))
            || self.port.has_version(&object, bytes.mark).await?;
        if is_there {
            let holds = holds.or_else(|| was_found.then(|| bytes.mark.to_owned()));
            return Ok((object, holds));
        }
        let is_changed = before.is_some_and(|before| before.content != object.content);
        if is_changed && holds.is_none() {
            return Err(failure::conflict());
        }
        let is_later = |mark: &String| version_of(document, mark) > version_of(document, bytes.mark);
        if holds.as_ref().is_some_and(is_later) {
            return Err(failure::newer_there());
        }
        Ok((self.port.new_version(&object, bytes).await?, Some(bytes.mark.to_owned())))
    }

    /// The id here of what the latest version holds, if it was put there by us.
    fn holds(&self, object: &Object, before: Option<&Remembered>, document: &Document) -> Option<String> {
        let is_same = before.is_some_and(|before| before.content == object.content);
        // A mark that stays when somebody makes a version proves nothing, unless it is another one since.
        let is_proof = |mark: &&String| {
            let is_other = before.is_none_or(|before| before.mark.as_ref() != Some(*mark));
            self.port.marks_versions() || is_same || is_other
        };
        let marked = object.mark.as_ref().filter(|mark| version_of(document, mark).is_some());
        if let Some(mark) = marked.filter(is_proof) {
            return Some(mark.clone());
        }
        let before = before.filter(|before| is_same && !before.from_there)?;
        before.mark.clone()
    }
}

/// What is remembered after writing: what only they have changed is still to come back from there.
fn kept(
    before: &Remembered,
    object: &Object,
    mapping: &Mapping,
    written: &BTreeMap<String, Value>,
    wanted: &BTreeMap<String, Value>,
) -> Remembered {
    let mut now = Remembered::of(object, mapping.fields(object.is_folder));
    for (property, there) in &mut now.values {
        let here = wanted.get(property).map(|value| digest(value.kind, value.value.as_ref()));
        let is_theirs = !written.contains_key(property) && here.as_deref() != Some(there.as_str());
        if let Some(before) = before.values.get(property).filter(|_| is_theirs) {
            there.clone_from(before);
        }
    }
    now
}

/// The Aktenzeichen that the system has assigned, if the record does not have it yet.
pub(super) fn assigned(mapping: &Mapping, record: &Record, object: &Object) -> Option<Command> {
    let value = object.properties.get(mapping.reference.as_ref().filter(|_| object.is_folder)?)?.trim();
    let has = record.description()?.record_reference.as_deref();
    let is_new = !value.is_empty() && has != Some(value) && value.chars().count() <= 200;
    is_new.then(|| Command {
        kind: record.kind(),
        id: record.meta().id,
        expected: None,
        change: RecordChange::AssignReference(value.to_owned()),
    })
}

fn link<'a>(about: &'a About, record: model::Id, part: &str) -> Option<&'a Link> {
    about.links.iter().find(|link| link.record == record && link.part == part)
}

/// Which of the files of its version it is.
fn part_of(document: &Document, file: &AboutFile) -> String {
    let version = document.versions.iter().find(|version| version.number == file.version);
    let place = version.and_then(|version| version.files.iter().position(|it| it.name == file.file.name));
    mapping::part(place.unwrap_or(0))
}

/// A system that is looked at only.
pub(super) struct Looking<'a>(pub(super) &'a dyn Port);

fn not_done<T>() -> Result<T, Failure> {
    Err(Failure::permanent(NOT_DONE, "it is not done"))
}

#[async_trait]
impl Port for Looking<'_> {
    async fn root(&self) -> Result<Object, Failure> {
        self.0.root().await
    }

    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure> {
        self.0.find(own, is_folder).await
    }

    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure> {
        self.0.get(reference).await
    }

    async fn child(&self, folder: &str, name: &str) -> Result<Option<Object>, Failure> {
        self.0.child(folder, name).await
    }

    async fn parent(&self, of: &Object) -> Result<Option<Object>, Failure> {
        self.0.parent(of).await
    }

    fn marks_versions(&self) -> bool {
        self.0.marks_versions()
    }

    async fn create_folder(&self, _: &str, _: &Entry) -> Result<Created, Failure> {
        not_done()
    }

    async fn create_document(&self, _: &str, _: &Entry, _: &Bytes<'_>) -> Result<Created, Failure> {
        not_done()
    }

    async fn new_version(&self, _: &Object, _: &Bytes<'_>) -> Result<Object, Failure> {
        not_done()
    }

    async fn has_version(&self, of: &Object, mark: &str) -> Result<bool, Failure> {
        self.0.has_version(of, mark).await
    }

    async fn set_metadata(
        &self,
        _: &Object,
        _: Option<&str>,
        _: &BTreeMap<String, Value>,
    ) -> Result<Object, Failure> {
        not_done()
    }

    async fn open(&self, of: &Object) -> Result<Content, Failure> {
        self.0.open(of).await
    }

    async fn changes(&self, since: Option<&str>) -> Result<Option<Changes>, Failure> {
        self.0.changes(since).await
    }

    async fn check(&self) -> Result<String, Failure> {
        self.0.check().await
    }
}
