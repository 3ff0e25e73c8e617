//! What is remembered of an object at its link: how it was when both sides last agreed. Of values only digests, so that nothing of a case
//! stands there.

use std::collections::BTreeMap;

use model::adapter::Link;
use model::case::{Document, File};
use model::{Id, RecordKind};
use serde::{Deserialize, Serialize};

use crate::mapping::{Field, Mapping, normal};
use crate::port::{Object, Value, ValueKind};

/// Bytes of a digest that are kept.
const DIGEST: usize = 12;

/// How an object was when both sides last agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Remembered {
    /// Its change token.
    pub(super) token: Option<String>,
    /// What stands for it over all its versions.
    pub(super) series: Option<String>,
    /// What stands for its bytes.
    pub(super) content: Option<String>,
    /// The id here of these bytes, if it is known.
    pub(super) mark: Option<String>,
    /// Whether somebody there made that version.
    pub(super) from_there: bool,
    /// Digests of the values of its mapped properties.
    pub(super) values: BTreeMap<String, String>,
}

impl Remembered {
    /// As it is now.
    pub(super) fn of(object: &Object, fields: &[Field]) -> Self {
        let values = fields
            .iter()
            .map(|field| (field.property.clone(), digest(field.kind, object.properties.get(&field.property))))
            .collect();
        Remembered {
            token: object.token.clone(),
            series: object.series.clone(),
            content: object.content.clone(),
            mark: object.mark.clone(),
            from_there: false,
            values,
        }
    }

    /// Whether an object is still so.
    pub(super) fn is(&self, object: &Object, fields: &[Field]) -> bool {
        let now = Remembered::of(object, fields);
        let is_other = self.series.is_some() && self.series != now.series;
        !is_other && self.token == now.token && self.content == now.content && self.values == now.values
    }

    /// Notes which bytes it holds: what stands for them there, and their id here.
    pub(super) fn holds(&mut self, content: Option<&String>, mark: Option<String>, from_there: bool) {
        self.content = content.cloned();
        self.mark = mark;
        self.from_there = from_there;
    }

    /// What a link remembers.
    pub(super) fn at(link: &Link) -> Self {
        serde_json::from_value(link.state.clone()).unwrap_or_default()
    }

    /// The link that remembers this.
    pub(super) fn link(&self, kind: RecordKind, record: Id, part: &str, object: &Object) -> Link {
        Link {
            kind,
            record,
            part: part.to_owned(),
            reference: object.reference.clone(),
            state: serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

/// The link of an object as it is now.
pub(super) fn link_of(mapping: &Mapping, kind: RecordKind, record: Id, part: &str, object: &Object) -> Link {
    let fields = mapping.fields(object.is_folder);
    Remembered::of(object, fields).link(kind, record, part, object)
}

/// Which version of a document has the bytes of this id, counted from the oldest.
pub(super) fn version_of(document: &Document, mark: &str) -> Option<usize> {
    let has = |file: &File| file.content.as_ref().is_some_and(|content| content.id.to_string() == mark);
    document.versions.iter().position(|version| version.files.iter().any(has))
}

/// Digest of a value, so that equal ones are known to be equal.
pub(super) fn digest(kind: ValueKind, value: Option<&String>) -> String {
    let Some(value) = value.and_then(|value| normal(kind, value)) else { return String::new() };
    let digest = seal::sha256(&[value.as_bytes()]).0;
    hex::encode(&digest[..DIGEST])
}

/// What is to be written, and what both sides have changed. Without a memory everything that differs is to be written: whoever comes
/// upon an object by our identifier has just made it.
pub(super) fn merge(
    object: &Object,
    remembered: Option<&Remembered>,
    wanted: &BTreeMap<String, Value>,
) -> (BTreeMap<String, Value>, Vec<String>) {
    let (mut write, mut conflicts) = (BTreeMap::new(), vec![]);
    for (property, value) in wanted {
        let there = digest(value.kind, object.properties.get(property));
        let here = digest(value.kind, value.value.as_ref());
        if there == here {
            continue;
        }
        let before = remembered.and_then(|remembered| remembered.values.get(property));
        match before {
            // Only they have changed it: that comes to us another way.
            Some(before) if *before == here => {}
            Some(before) if *before != there => conflicts.push(property.clone()),
            _ => _ = write.insert(property.clone(), value.clone()),
        }
    }
    (write, conflicts)
}
