//! A file plan (Aktenplan), as authorities exchange it and archives appraise it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::case::{Disposition, Extensions, File, FilePlanUnit, Period, Retention};
use crate::exchange::Appraisal;

/// A file plan (Aktenplan): the tree of units that case files are ordered by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FilePlan {
    /// Its UUID in messages, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Bezeichnung.
    pub name: String,
    /// Kind of plan (Typ).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Version of the plan.
    pub version: String,
    /// When it is in force (Gültigkeit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Period>,
    /// Top units; each may hold further ones.
    pub units: Vec<FilePlanNode>,
    /// The plan as files (Aktenplandatei).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// See [`Extensions`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// A unit within the file plan's tree (Aktenplaneinheit).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FilePlanNode {
    /// Its UUID in messages, if it has one: whoever gave it keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// How records refer to it.
    pub unit: FilePlanUnit,
    /// How long its records are kept, and what becomes of them then.
    pub retention: Retention,
    /// What becomes of them, where both sides have agreed on more than the usual three (AussonderungsartKonfigurierbar).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_disposition: Option<String>,
    /// When it is in force (Gültigkeit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Period>,
    /// No new records are put there (stillgelegt).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// Other units that it refers to (Verweis).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Units below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<FilePlanNode>,
    /// See [`Extensions`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl FilePlan {
    /// The appraisals of its units that have an id and are appraised, outermost first.
    pub fn appraised(&self) -> Vec<(Id, Appraisal)> {
        let mut found = vec![];
        let mut next: Vec<&FilePlanNode> = self.units.iter().rev().collect();
        while let Some(node) = next.pop() {
            next.extend(node.units.iter().rev());
            let appraisal =
                Appraisal { disposition: node.retention.disposition, other: node.other_disposition.clone() };
            let is_decided = appraisal.other.is_some()
                || matches!(appraisal.disposition, Some(Disposition::Archive | Disposition::Destroy));
            if let (Some(id), true) = (node.id, is_decided) {
                found.push((id, appraisal));
            }
        }
        found
    }

    /// Sets the appraisal of a unit; false if there is no such unit.
    pub fn appraise(&mut self, id: Id, appraisal: &Appraisal) -> bool {
        let mut next: Vec<&mut FilePlanNode> = self.units.iter_mut().collect();
        while let Some(node) = next.pop() {
            if node.id == Some(id) {
                node.retention.disposition = appraisal.disposition;
                node.other_disposition.clone_from(&appraisal.other);
                return true;
            }
            next.extend(node.units.iter_mut());
        }
        false
    }
}
