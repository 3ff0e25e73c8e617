//! What the simulated repository holds, and what may be done with it: the rules are those that the recorded server kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::types::{self, Type};

/// What it refuses: the name of an exception, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) &'static str, pub(super) String);

pub(super) type Outcome<T> = Result<T, Refusal>;

pub(super) fn refuse<T>(exception: &'static str, words: impl Into<String>) -> Outcome<T> {
    Err(Refusal(exception, words.into()))
}

/// Bytes; large ones lie in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) memory: Vec<u8>,
    pub(super) file: Option<Arc<NamedTempFile>>,
    pub(super) length: u64,
    pub(super) media_type: String,
    pub(super) name: String,
}

/// A folder or document.
#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) type_id: String,
    pub(super) name: String,
    pub(super) parents: Vec<String>,
    pub(super) secondary: Vec<String>,
    pub(super) custom: BTreeMap<String, Value>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) created_by: String,
    pub(super) modified_by: String,
    pub(super) content: Option<Content>,
    /// Absent for what has no versions.
    pub(super) series: Option<String>,
    pub(super) label: (u32, u32),
    pub(super) comment: Option<String>,
    pub(super) is_copy: bool,
}

impl Object {
    pub(super) fn kind(&self) -> &'static Type {
        types::of(&self.type_id).unwrap_or(&types::TYPES[0])
    }

    pub(super) fn is_folder(&self) -> bool {
        self.kind().base == "cmis:folder"
    }

    pub(super) fn token(&self) -> String {
        self.modified.to_string()
    }
}

/// Something for the change log.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) object: String,
    pub(super) change: &'static str,
    pub(super) at: i64,
    pub(super) base: &'static str,
}

/// All that it holds.
#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<String, Object>,
    pub(super) log: Vec<Logged>,
    next: u64,
    clock: i64,
}

/// Id of the root folder.
pub(super) const ROOT: &str = "100";

impl Store {
    pub(super) fn new(first_id: u64) -> Self {
        let mut store = Store { objects: BTreeMap::new(), log: vec![], next: first_id, clock: 0 };
        let now = store.now();
        let root = Object {
            id: ROOT.into(),
            type_id: "cmis:folder".into(),
            name: "RootFolder".into(),
            created: now,
            modified: now,
            ..Object::default()
        };
        store.objects.insert(ROOT.into(), root);
        store
    }

    /// Milliseconds since 1970, never the same twice: it makes change tokens.
    pub(super) fn now(&mut self) -> i64 {
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        self.clock = i64::try_from(now).unwrap_or(i64::MAX).max(self.clock + 1);
        self.clock
    }

    /// As if these had changed at the very same moment.
    pub(super) fn at_one_moment(&mut self, ids: &[String]) {
        let now = self.now();
        for id in ids {
            self.objects.entry(id.clone()).and_modify(|object| object.modified = now);
        }
    }

    fn id(&mut self) -> String {
        self.next += 1;
        (self.next - 1).to_string()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub(super) fn get(&self, id: &str) -> Outcome<&Object> {
        self.objects.get(id).map_or_else(|| refuse("objectNotFound", format!("Unknown object id: {id}")), Ok)
    }

    pub(super) fn by_path(&self, path: &str) -> Outcome<&Object> {
        let mut at = self.get(ROOT)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let child = self.children(&at.id).into_iter().find(|it| it.name == name);
            at = child.map_or_else(|| refuse("objectNotFound", format!("Unknown path: {path}")), Ok)?;
        }
        Ok(at)
    }

    /// What lies in a folder, by name; of documents the latest version.
    pub(super) fn children(&self, folder: &str) -> Vec<&Object> {
        let lies =
            |it: &&Object| it.parents.iter().any(|id| id == folder) && !it.is_copy && self.is_latest(it);
        let mut found: Vec<&Object> = self.all().filter(lies).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    pub(super) fn path(&self, folder: &Object) -> String {
        match folder.parents.first().and_then(|id| self.get(id).ok()) {
            Some(above) => format!("{}/{}", self.path(above).trim_end_matches('/'), folder.name),
            None => "/".to_owned(),
        }
    }

    /// Whether an object is this folder or lies below it.
    pub(super) fn is_below(&self, object: &Object, folder: &str) -> bool {
        object.parents.iter().any(|id| id == folder || self.get(id).is_ok_and(|it| self.is_below(it, folder)))
    }

    /// Versions of a document, the oldest first.
    pub(super) fn versions(&self, of: &Object) -> Vec<&Object> {
        let Some(series) = &of.series else { return self.get(&of.id).into_iter().collect() };
        let mut all: Vec<&Object> = self.all().filter(|it| it.series.as_ref() == Some(series)).collect();
        all.sort_by_key(|it| it.created);
        all
    }

    pub(super) fn copy_of(&self, of: &Object) -> Option<&Object> {
        self.versions(of).into_iter().find(|it| it.is_copy)
    }

    pub(super) fn is_latest(&self, it: &Object) -> bool {
        let versions = self.versions(it);
        versions.into_iter().rfind(|it| !it.is_copy).is_none_or(|latest| latest.id == it.id)
    }

    fn note(&mut self, id: &str, change: &'static str, base: &'static str) {
        let at = self.now();
        self.log.push(Logged { object: id.to_owned(), change, at, base });
    }

    /// Makes something; properties by their id.
    pub(super) fn create(
        &mut self,
        parent: &str,
        user: &str,
        properties: &BTreeMap<String, Value>,
        content: Option<Content>,
        wants_folder: bool,
    ) -> Outcome<String> {
        let text = |id: &str| properties.get(id).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (type_id, name) = (text("cmis:objectTypeId"), text("cmis:name"));
        let kind = types::of(&type_id);
        let fits = |it: &&Type| (it.base == "cmis:folder") == wants_folder && it.base != "cmis:secondary";
        let Some(kind) = kind.filter(fits) else {
            return refuse("invalidArgument", format!("Cannot create object, unknown type id {type_id}"));
        };
        if name.is_empty() || name.contains('/') {
            return refuse("nameConstraintViolation", "Name is not valid.");
        }
        let path = self.path(self.get(parent)?);
        // The recorded server takes a number for the series before it looks at the name.
        let series = kind.versionable.then(|| self.id());
        let lies_there = |it: &Object| it.parents.iter().any(|id| id == parent) && !it.is_copy;
        if self.all().any(|it| it.name == name && lies_there(it) && self.is_latest(it)) {
            let words = match wants_folder {
                true => "Cannot create folder, this name already exists in parent folder.".to_owned(),
                false => format!(
                    "Cannot create document an object with name {name} already exists in folder {path}"
                ),
            };
            return refuse("nameConstraintViolation", words);
        }
        let (id, now) = (self.id(), self.now());
        let mut object = Object {
            id: id.clone(),
            type_id,
            name,
            parents: vec![parent.to_owned()],
            created: now,
            modified: now,
            created_by: user.to_owned(),
            modified_by: user.to_owned(),
            content,
            series,
            label: (1, 0),
            ..Object::default()
        };
        apply(&mut object, properties)?;
        self.objects.insert(id.clone(), object);
        self.note(&id, "created", kind.base);
        Ok(id)
    }

    fn touch(
        &mut self,
        id: &str,
        user: &str,
        change: impl FnOnce(&mut Object) -> Outcome<()>,
    ) -> Outcome<()> {
        let now = self.now();
        let object = self.objects.get_mut(id);
        let Some(object) = object else {
            return refuse("objectNotFound", format!("Unknown object id: {id}"));
        };
        change(object)?;
        object.modified = now;
        object.modified_by = user.to_owned();
        let base = object.kind().base;
        self.note(id, "updated", base);
        Ok(())
    }

    fn same_token(&self, id: &str, token: Option<&str>) -> Outcome<()> {
        let object = self.get(id)?;
        match token {
            Some(token) if token != object.token() => refuse("updateConflict", "ChangeToken does not match."),
            _ => Ok(()),
        }
    }

    pub(super) fn update(
        &mut self,
        id: &str,
        user: &str,
        token: Option<&str>,
        properties: &BTreeMap<String, Value>,
    ) -> Outcome<()> {
        self.same_token(id, token)?;
        if let Some(name) = properties.get("cmis:name").and_then(Value::as_str) {
            let object = self.get(id)?;
            let beside =
                |parent: &String| self.children(parent).iter().any(|it| it.name == name && it.id != id);
            if object.parents.iter().any(beside) {
                return refuse("nameConstraintViolation", format!("name {name} already exists"));
            }
        }
        self.touch(id, user, |object| apply(object, properties))
    }

    pub(super) fn set_content(
        &mut self,
        id: &str,
        user: &str,
        token: Option<&str>,
        content: Option<Content>,
        append: bool,
    ) -> Outcome<()> {
        let object = self.get(id)?;
        if let (Some(series), false) = (&object.series, object.is_copy) {
            return refuse("updateConflict", format!("Document {series} is not checked out."));
        }
        self.same_token(id, token)?;
        self.touch(id, user, |object| {
            match (append, &mut object.content, content) {
                (true, Some(known), Some(more)) => {
                    known.memory.extend(&more.memory);
                    known.length += more.length;
                }
                (_, known, content) => *known = content,
            }
            // As the recorded server does.
            object.custom.retain(|name, _| !name.starts_with("Secondary"));
            Ok(())
        })
    }

    pub(super) fn check_out(&mut self, id: &str, user: &str) -> Outcome<String> {
        let object = self.get(id)?.clone();
        if object.series.is_none() {
            return refuse("invalidArgument", format!("Object {id} is not versionable."));
        }
        if self.copy_of(&object).is_some() {
            return refuse("updateConflict", format!("Document {id} is already checked out."));
        }
        let copy = self.id();
        let now = self.now();
        let label = (object.label.0, object.label.1 + 1);
        let (created_by, modified_by) = (user.to_owned(), user.to_owned());
        let working = Object {
            id: copy.clone(),
            is_copy: true,
            created: now,
            modified: now,
            label,
            created_by,
            modified_by,
            comment: None,
            ..object
        };
        self.objects.insert(copy.clone(), working);
        Ok(copy)
    }

    pub(super) fn check_in(
        &mut self,
        id: &str,
        user: &str,
        comment: Option<String>,
        content: Option<Content>,
        properties: &BTreeMap<String, Value>,
    ) -> Outcome<()> {
        let object = self.get(id)?;
        if !object.is_copy {
            return refuse("updateConflict", format!("Document {id} is not checked out."));
        }
        self.touch(id, user, |object| {
            apply(object, properties)?;
            object.is_copy = false;
            object.label = (object.label.0 + 1, 0);
            object.comment = comment;
            if content.is_some() {
                object.content = content;
            }
            Ok(())
        })
    }

    pub(super) fn cancel(&mut self, id: &str) -> Outcome<()> {
        let object = self.get(id)?;
        let copy = if object.is_copy { Some(object) } else { self.copy_of(object) };
        let Some(copy) = copy.map(|it| it.id.clone()) else {
            return refuse("updateConflict", format!("Document {id} is not checked out."));
        };
        self.objects.remove(&copy);
        Ok(())
    }

    pub(super) fn delete(&mut self, id: &str, all_versions: bool) -> Outcome<()> {
        let object = self.get(id)?.clone();
        if object.is_folder() && !self.children(id).is_empty() {
            return refuse(
                "constraint",
                format!("Cannot delete folder with id:  {id}. Folder is not empty."),
            );
        }
        let gone: Vec<String> = match all_versions {
            true => self.versions(&object).iter().map(|it| it.id.clone()).collect(),
            false => vec![id.to_owned()],
        };
        for id in gone {
            self.objects.remove(&id);
            self.note(&id, "deleted", object.kind().base);
        }
        Ok(())
    }

    pub(super) fn delete_tree(&mut self, id: &str) -> Outcome<()> {
        let children: Vec<String> = self.children(id).iter().map(|it| it.id.clone()).collect();
        for child in children {
            self.delete_tree(&child)?;
        }
        self.delete(id, true)
    }

    pub(super) fn refile(&mut self, id: &str, from: Option<&str>, to: Option<&str>) -> Outcome<()> {
        if let Some(to) = to {
            self.get(to)?;
        }
        let object = self.objects.get_mut(id);
        let Some(object) = object else {
            return refuse("objectNotFound", format!("Unknown object id: {id}"));
        };
        object.parents.retain(|parent| Some(parent.as_str()) != from);
        object.parents.extend(to.map(str::to_owned));
        Ok(())
    }

    /// Id, type, cardinality and value of each property.
    pub(super) fn properties(&self, it: &Object) -> Vec<(&'static str, &'static str, bool, Value)> {
        let secondary = it.secondary.iter().filter_map(|id| types::of(id)).flat_map(Type::properties);
        let all = it.kind().properties().chain(secondary);
        all.map(|(id, kind, multi, _)| (*id, *kind, *multi, self.value(it, id))).collect()
    }

    /// Of one property; null if it has none.
    pub(super) fn value(&self, it: &Object, id: &str) -> Value {
        let content = it.content.as_ref();
        let copy = self.copy_of(it);
        match id {
            "cmis:objectId" => json!(it.id),
            "cmis:baseTypeId" => json!(it.kind().base),
            "cmis:objectTypeId" => json!(it.type_id),
            "cmis:secondaryObjectTypeIds" if it.secondary.is_empty() => Value::Null,
            "cmis:secondaryObjectTypeIds" => json!(it.secondary),
            "cmis:name" => json!(it.name),
            "cmis:createdBy" => json!(it.created_by),
            "cmis:lastModifiedBy" => json!(it.modified_by),
            "cmis:creationDate" => json!(it.created),
            "cmis:lastModificationDate" => json!(it.modified),
            "cmis:changeToken" => json!(it.token()),
            "cmis:path" => json!(self.path(it)),
            "cmis:parentId" => json!(it.parents.first()),
            "cmis:isImmutable" => json!(false),
            "cmis:versionLabel" => {
                json!(it.series.as_ref().map(|_| format!("{}.{}", it.label.0, it.label.1)))
            }
            "cmis:checkinComment" => json!(it.comment),
            "cmis:isMajorVersion" => json!(!it.is_copy),
            "cmis:isLatestVersion" | "cmis:isLatestMajorVersion" => json!(!it.is_copy && self.is_latest(it)),
            "cmis:isPrivateWorkingCopy" => json!(it.is_copy),
            "cmis:isVersionSeriesCheckedOut" => json!(copy.is_some()),
            "cmis:versionSeriesCheckedOutBy" => json!(copy.map(|it| &it.created_by)),
            "cmis:versionSeriesCheckedOutId" => json!(copy.map(|it| &it.id)),
            "cmis:versionSeriesId" => json!(it.series.as_ref().unwrap_or(&it.id)),
            "cmis:contentStreamFileName" => json!(content.map(|it| &it.name)),
            "cmis:contentStreamLength" => json!(content.map(|it| it.length)),
            "cmis:contentStreamMimeType" => json!(content.map(|it| &it.media_type)),
            _ => it.custom.get(id).cloned().unwrap_or(Value::Null),
        }
    }
}

/// Sets what may be set; null clears.
fn apply(object: &mut Object, properties: &BTreeMap<String, Value>) -> Outcome<()> {
    if let Some(ids) = properties.get("cmis:secondaryObjectTypeIds") {
        let ids = ids.as_array().cloned().unwrap_or_else(|| vec![ids.clone()]);
        object.secondary = ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
    }
    let secondary = object.secondary.iter().filter_map(|id| types::of(id)).flat_map(Type::properties);
    let known: Vec<types::Property> = object.kind().properties().chain(secondary).copied().collect();
    for (id, value) in properties {
        let Some((_, kind, ..)) = known.iter().find(|(known, ..)| known == id) else {
            return refuse("invalidArgument", format!("{id} is unknown!"));
        };
        match id.as_str() {
            "cmis:name" => object.name = value.as_str().unwrap_or_default().to_owned(),
            id if id.starts_with("cmis:") && id != "cmis:description" => {}
            _ => {
                let value = match (*kind, value.as_str()) {
                    ("datetime", Some(text)) => json!(super::query::millis(text)),
                    ("integer", Some(text)) => json!(text.parse::<i64>().ok()),
                    _ => value.clone(),
                };
                object.custom.insert(id.clone(), value);
            }
        }
    }
    Ok(())
}
