//! Whoever else works with the simulated repository.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::store::Content;
use super::{Repository, lock};

const SOMEBODY: &str = "jemand";

impl Repository {
    /// Somebody else puts a document into a folder; its id, unless that is refused.
    pub fn put(&self, folder: &str, type_id: &str, name: &str, bytes: &[u8]) -> Option<String> {
        let properties = BTreeMap::from([
            ("cmis:objectTypeId".to_owned(), json!(type_id)),
            ("cmis:name".to_owned(), json!(name)),
        ]);
        let content = Some(small(name, bytes));
        lock(&self.shared.store).create(folder, SOMEBODY, &properties, content, false).ok()
    }

    /// Somebody else makes a new version; its id, unless that is refused.
    pub fn revise(&self, id: &str, name: &str, bytes: &[u8]) -> Option<String> {
        let mut store = lock(&self.shared.store);
        let copy = store.check_out(id, SOMEBODY).ok()?;
        store.check_in(&copy, SOMEBODY, None, Some(small(name, bytes)), &BTreeMap::new()).ok()?;
        Some(copy)
    }

    /// Somebody else checks a document out; the id of the working copy, unless that is refused.
    pub fn check_out(&self, id: &str) -> Option<String> {
        lock(&self.shared.store).check_out(id, SOMEBODY).ok()
    }

    /// Somebody else sets a property. False if that is refused.
    pub fn set(&self, id: &str, property: &str, value: Value) -> bool {
        let properties = BTreeMap::from([(property.to_owned(), value)]);
        lock(&self.shared.store).update(id, SOMEBODY, None, &properties).is_ok()
    }

    /// Somebody else deletes something. False if that is refused.
    pub fn delete(&self, id: &str) -> bool {
        lock(&self.shared.store).delete(id, true).is_ok()
    }

    /// Somebody else puts so many documents into a folder, all at the very same moment; their ids.
    pub fn put_many(&self, folder: &str, type_id: &str, count: usize) -> Vec<String> {
        let name = |number: usize| format!("Scan {number:03}.pdf");
        let put = |number| self.put(folder, type_id, &name(number), name(number).as_bytes());
        let ids: Vec<String> = (0..count).filter_map(put).collect();
        lock(&self.shared.store).at_one_moment(&ids);
        ids
    }

    /// Somebody else copies a document with all its properties; the id of the copy, unless that is refused.
    pub fn copy(&self, id: &str, folder: &str, name: &str) -> Option<String> {
        let mut store = lock(&self.shared.store);
        let of = store.get(id).ok()?.clone();
        let mut properties = of.custom;
        properties.insert("cmis:objectTypeId".to_owned(), json!(of.type_id));
        properties.insert("cmis:name".to_owned(), json!(name));
        let is_folder = of.content.is_none();
        store.create(folder, SOMEBODY, &properties, of.content, is_folder).ok()
    }
}

fn small(name: &str, bytes: &[u8]) -> Content {
    Content {
        memory: bytes.to_vec(),
        length: bytes.len() as u64,
        media_type: "application/pdf".into(),
        name: name.to_owned(),
        ..Content::default()
    }
}
