//! Case file, case and document: the records themselves (Schriftgut).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::PayloadRef;
use crate::party::Party;
use crate::record::Meta;
use crate::{Id, Timestamp};

/// What a channel or standard knows beyond the model, by its name (`xdomea`). Kept unread and given
/// back when the record leaves by the same standard.
pub type Extensions = BTreeMap<String, serde_json::Value>;

/// A node of the file plan (Aktenplaneinheit) as a record refers to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FilePlanUnit {
    /// Kennzeichen of the unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Inhaltsangabe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Kurzbetreff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_title: Option<String>,
}

/// What describes case file, case and document alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Description {
    /// Betreff, at most 2,000 characters.
    pub title: String,
    /// Aktenzeichen or Geschäftszeichen, usually assigned by the record-keeping system; at most 200
    /// characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_reference: Option<String>,
    /// Other identifiers of the same thing: application ids, Kassenzeichen, UUIDs of other systems. At
    /// most 200; kinds of at most 80 and values of at most 200 characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Who leads the matter (Federführung).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// Who keeps the records (Aktenführung).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
    /// Where it stands in the file plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_plan_unit: Option<FilePlanUnit>,
    /// Bemerkung.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Geheimhaltungsgrad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidentiality: Option<Confidentiality>,
    /// Electronic, paper or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<Medium>,
    /// Begin and end (Laufzeit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// How long it is kept, and what becomes of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Beteiligte.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<Party>,
    /// Links to other records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// Position among its siblings, unique there, gaps allowed; never an identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Why it, and what lies in it, may not be destroyed (Löschsperre).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The disposition (Aussonderung) that it was put into; whoever changes it takes it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_disposition: Option<Id>,
    /// The exchange along whose route it goes: it is locked until it is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circulates: Option<Id>,
    /// See [`Extensions`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// A bar to destruction, such as a suit at law (Löschsperre).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// Why, in words; 1 to 500 characters.
    pub reason: String,
    /// When it was set.
    pub since: Timestamp,
}

impl Description {
    /// The value of the first reference of `kind`.
    pub fn reference(&self, kind: &str) -> Option<&str> {
        self.references.iter().find(|r| r.kind == kind).map(|r| r.value.as_str())
    }
}

/// Another identifier of the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// Which system or list it comes from, such as `xdomea` or `kassenzeichen`.
    pub kind: String,
    /// The identifier there.
    pub value: String,
}

/// A link to another record (Verweis).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relation {
    /// What the link means, such as `refers-to`.
    pub kind: String,
    /// The other record, if known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Id>,
    /// The other record's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Words about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Begin and end as calendar days, `YYYY-MM-DD`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Period {
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin: Option<String>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// How long records are kept (Aufbewahrung) and what becomes of them (Aussonderung).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// Years after closing; absent together with `unlimited` unset means not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub years: Option<u16>,
    /// Kept without end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlimited: bool,
    /// Last day of keeping, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What becomes of it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
}

/// Aussonderungsart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// A: goes to the archive.
    Archive,
    /// B: the archive decides.
    Appraise,
    /// V: is destroyed.
    Destroy,
}

/// Geheimhaltungsgrad. What is classified higher than `Restricted` is refused by the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Confidentiality {
    /// Offen.
    Open,
    /// VS - Nur für den Dienstgebrauch; carried only if the operator has configured it.
    Restricted,
    /// VS-Vertraulich.
    Confidential,
    /// Geheim.
    Secret,
    /// Streng geheim.
    TopSecret,
}

/// Medium of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Medium {
    /// Elektronisch.
    Electronic,
    /// Hybrid.
    Hybrid,
    /// Papier.
    Paper,
}

/// Where a case file, case or document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum RecordStatus {
    /// Received from elsewhere; the record-keeping system has not confirmed the import yet.
    Received,
    /// Being worked on.
    #[default]
    Open,
    /// Closed (zu den Akten).
    Closed,
    /// Handed over and confirmed by the receiver, or on its way along a route: read-only.
    Locked,
    /// Disposed of: nothing is left but what proves it.
    Destroyed,
}

impl RecordStatus {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            RecordStatus::Received => "received",
            RecordStatus::Open => "open",
            RecordStatus::Closed => "closed",
            RecordStatus::Locked => "locked",
            RecordStatus::Destroyed => "destroyed",
        }
    }
}

/// A case file (Akte).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseFile {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Title, references, retention and so on.
    #[serde(flatten)]
    pub description: Description,
    /// The case file this one is a part of (Teilakte).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// Where it stands.
    #[serde(default)]
    pub status: RecordStatus,
}

/// A case (Vorgang), possibly within a case file or another case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Title, references, retention and so on.
    #[serde(flatten)]
    pub description: Description,
    /// The case file (Akte) it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_file: Option<Id>,
    /// The case this one is a part of (Teilvorgang).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// Where it stands.
    #[serde(default)]
    pub status: RecordStatus,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// Places it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Priority {
    /// Can wait.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before others.
    High,
}

/// A place (Ort): coordinates in WGS 84, an address, or words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Location {
    /// Latitude in millionths of a degree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude_micro: Option<i32>,
    /// Longitude in millionths of a degree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude_micro: Option<i32>,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<crate::party::Address>,
    /// Words, such as a parcel (Flurstück).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A document (Dokument) with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Title, references, retention and so on.
    #[serde(flatten)]
    pub description: Description,
    /// The record it lies in; absent only for a document sent alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// Kind of document (Dokumenttyp).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Day it came in, was sent, was written: `YYYY-MM-DD`.
    #[serde(default)]
    pub dates: DocumentDates,
    /// Versions, oldest first.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// Where it stands: received or locked only if it was sent alone, otherwise what it lies in says so.
    #[serde(default)]
    pub status: RecordStatus,
}

/// Dates of a document as calendar days, `YYYY-MM-DD`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DocumentDates {
    /// Posteingang.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// Postausgang.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Datum des Schreibens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

/// One version of a document in one or more formats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Version {
    /// Number or name of the version.
    pub number: String,
    /// The same content in different formats.
    #[serde(default)]
    pub files: Vec<File>,
}

/// A file of a document version (Primärdokument).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct File {
    /// Name within the gateway and in containers; unique there.
    pub name: String,
    /// Name that it had where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_name: Option<String>,
    /// Media type (RFC 6838).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The bytes, once they are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PayloadRef>,
    /// Who made the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// When the file was made, lexically as it came (a zone may be missing).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What its signature or seal is worth; absent if there is none or nobody has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_level: Option<SealLevel>,
    /// See [`Extensions`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// What an electronic signature or seal on a file is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SealLevel {
    /// Made inside the house.
    Internal,
    /// Fortgeschritten.
    Advanced,
    /// Qualifiziert.
    Qualified,
}
