//! Records and what they are called there: names, values of properties, identifiers of ours.

use std::collections::BTreeMap;

use model::case::{Description, Document, File};
use model::{Record, RecordKind};

use crate::port::{Entry, Value, ValueKind};

/// Longest name in a folder, in characters.
const NAME_CHARS: usize = 200;

/// Longest value of a property, in characters: what every system takes.
const VALUE_CHARS: usize = 2_000;

/// How a field of a record is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Path in the record's JSON form, such as `title`, `recordReference`, `unit`, `filePlanUnit.code`, `retention.years`,
    /// `dates.received`; `reference:KIND` for one of its references; `id` for the record's own.
    pub field: String,
    /// The property there.
    pub property: String,
    /// Its type there.
    pub kind: ValueKind,
    /// Whether a change there comes back: only `title`, `note`, `lead`, `keeper` and `kind`. Otherwise it is told on the time line.
    pub comes_back: bool,
}

/// What is mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Of case files and cases.
    pub folders: Vec<Field>,
    /// Of documents.
    pub documents: Vec<Field>,
    /// The property of a folder that holds the Aktenzeichen which the system assigns: it comes back as soon as it is there.
    pub reference: Option<String>,
}

impl Mapping {
    /// The fields of a kind of record.
    pub fn fields(&self, is_folder: bool) -> &[Field] {
        if is_folder { &self.folders } else { &self.documents }
    }

    /// Every property that is read.
    pub fn properties(&self, is_folder: bool) -> Vec<String> {
        let mapped = self.fields(is_folder).iter().map(|field| field.property.clone());
        mapped.chain(self.reference.clone().filter(|_| is_folder)).collect()
    }

    /// The values of a record.
    pub fn values(&self, record: &Record) -> BTreeMap<String, Value> {
        let json = record.to_json();
        let is_folder = record.kind() != RecordKind::Document;
        let fields = self.fields(is_folder).iter();
        fields
            .map(|field| {
                let value = value(&json, &field.field).map(|text| cut(&text, VALUE_CHARS));
                (field.property.clone(), Value { kind: field.kind, value })
            })
            .collect()
    }
}

/// Where the further files of a document stand: the first has no part, the others have their place, from 1.
pub(crate) fn part(place: usize) -> String {
    if place == 0 { String::new() } else { place.to_string() }
}

/// Our identifier of a record, or of a part of it.
pub(crate) fn own(record: model::Id, part: &str) -> String {
    if part.is_empty() { record.to_string() } else { format!("{record}/{part}") }
}

/// The record and the part that an identifier of ours names.
pub(crate) fn of_own(own: &str) -> Option<(model::Id, String)> {
    let (id, part) = own.split_once('/').unwrap_or((own, ""));
    Some((id.parse().ok()?, part.to_owned()))
}

/// The folder of a unit of the file plan, if the record has one.
pub(crate) fn plan_folder(description: &Description) -> Option<Entry> {
    let unit = description.file_plan_unit.as_ref()?;
    let code = unit.code.as_deref().map(str::trim).filter(|code| !code.is_empty())?;
    let title = unit.title.as_deref().unwrap_or_default();
    let own = format!("plan:{}", cut(code, NAME_CHARS));
    Some(Entry { own, name: name(&format!("{code} {title}"), code), properties: BTreeMap::new() })
}

/// The folder of a case file or case.
pub(crate) fn folder(mapping: &Mapping, record: &Record) -> Option<Entry> {
    let description = record.description()?;
    let id = record.meta().id.to_string();
    let name = name(&description.title, &id);
    Some(Entry { own: id, name, properties: mapping.values(record) })
}

/// The document of one of a record's files.
pub(crate) fn document(mapping: &Mapping, record: &Record, file: &File, part: &str) -> Option<Entry> {
    let Record::Document(Document { meta, description, .. }) = record else { return None };
    let own = own(meta.id, part);
    let ending = extension(file.original_name.as_deref().unwrap_or(&file.name));
    let title = match ending {
        Some(ending) if extension(&description.title) != Some(ending) => {
            format!("{}.{ending}", cut(&description.title, NAME_CHARS - 40))
        }
        _ => description.title.clone(),
    };
    let name = name(&title, &own.replace('/', "-"));
    Some(Entry { own, name, properties: mapping.values(record) })
}

/// The same name with something that nobody else's has.
pub(crate) fn other_name(name: &str, own: &str) -> String {
    let digest = hex::encode(seal::sha256(&[own.as_bytes()]).0);
    let (stem, ending) = match extension(name) {
        Some(ending) => (&name[..name.len() - ending.len() - 1], format!(".{ending}")),
        None => (name, String::new()),
    };
    format!("{} ({}){ending}", cut(stem, NAME_CHARS - 40).trim_end(), &digest[..8])
}

/// What follows the last dot of a file's name, if that looks like an ending.
fn extension(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let is_ending = (1..=8).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_ending && !stem.is_empty()).then_some(ending)
}

/// A name that every system takes.
fn name(text: &str, otherwise: &str) -> String {
    let is_bad = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let clean: String = text.chars().map(|c| if is_bad(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let name = cut(&words.join(" "), NAME_CHARS);
    // Systems on Windows drop a dot or blank at the end.
    let name = name.trim_end_matches(['.', ' ']).trim_start();
    if name.is_empty() { otherwise.to_owned() } else { name.to_owned() }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn value(json: &serde_json::Value, path: &str) -> Option<String> {
    if let Some(kind) = path.strip_prefix("reference:") {
        let references = json["references"].as_array()?;
        let found = references.iter().find(|reference| reference["kind"] == kind)?;
        return found["value"].as_str().map(str::to_owned);
    }
    let found = path.split('.').try_fold(json, |at, step| at.get(step))?;
    match found {
        serde_json::Value::String(text) if text.trim().is_empty() => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Some(found.to_string()),
        _ => None,
    }
}

/// A value as it is compared: dates as moments, without blanks around; `None` if there is none.
pub(crate) fn normal(kind: ValueKind, value: &str) -> Option<String> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    let moment = match kind {
        ValueKind::Date => moment(value).map(|at| at.micros().to_string()),
        _ => None,
    };
    Some(moment.unwrap_or_else(|| value.to_owned()))
}

/// A day or a moment; a day is its beginning, in UTC.
pub(crate) fn moment(value: &str) -> Option<model::Timestamp> {
    let is_day = value.len() == 10;
    let text = if is_day { format!("{value}T00:00:00Z") } else { value.to_owned() };
    model::Timestamp::parse(&text)
}
