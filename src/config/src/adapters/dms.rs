//! Document management systems: `kind = "cmis"`, `"webdav"`, `"dvelop"`, `"enaio"` and `"xdomea-folder"`. Details: docs/dms.md.

use std::path::PathBuf;

use model::Authority;
use serde::{Deserialize, Serialize};

use super::Refers;

/// Keys of [`Mapped`].
pub(super) const MAPPED: &[&str] =
    &["folder_fields", "document_fields", "reference_property", "within_seconds", "transfer_minutes"];

/// Fields of records that a change there may change.
const COME_BACK: [&str; 5] = ["title", "note", "lead", "keeper", "kind"];

/// A system, with what all of them have.
#[derive(Clone, Serialize)]
pub struct OfDms<T> {
    /// The system.
    #[serde(flatten)]
    pub system: T,
    /// What all have.
    #[serde(flatten)]
    pub mapped: Mapped,
}

/// What all systems have.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mapped {
    /// How fields of case files and cases are called there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folder_fields: Vec<DmsField>,
    /// How fields of documents are called there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub document_fields: Vec<DmsField>,
    /// Property of a folder that holds the Aktenzeichen which the system assigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_property: Option<String>,
    /// Longest time of a call without content, in seconds.
    #[serde(default = "sixty")]
    pub within_seconds: u32,
    /// Longest time of a call with content, in minutes.
    #[serde(default = "sixty")]
    pub transfer_minutes: u32,
}

/// How a field is called there.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DmsField {
    /// Path in the record's JSON form, or `reference:KIND`.
    pub field: String,
    /// The property there.
    pub property: String,
    /// Its type there.
    #[serde(default, rename = "type")]
    pub kind: DmsFieldType,
    /// Whether a change there comes back.
    #[serde(default)]
    pub comes_back: bool,
}

/// Type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DmsFieldType {
    /// Text.
    #[default]
    Text,
    /// Date, or date with time.
    Date,
    /// Whole number.
    Number,
    /// Yes or no.
    Flag,
}

/// CMIS 1.1.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cmis {
    /// Service URL of the binding.
    pub url: String,
    /// Which binding it speaks.
    #[serde(default)]
    pub binding: CmisBinding,
    /// Repository; absent where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Technical user.
    pub user: String,
    /// Reference to the password.
    pub password: String,
    /// Folder that everything is put under.
    pub folder: String,
    /// Type of folders.
    #[serde(default = "cmis_folder")]
    pub folder_type: String,
    /// Type of documents.
    #[serde(default = "cmis_document")]
    pub document_type: String,
    /// Secondary types that the properties need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondary_types: Vec<String>,
    /// Property that keeps the gateway's own identifier.
    pub own_property: String,
    /// Where changes are seen.
    #[serde(default)]
    pub changes: CmisChanges,
    /// Pause between two looks at what changed there, in seconds.
    #[serde(default = "sixty")]
    pub poll_seconds: u32,
}

/// Binding of CMIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CmisBinding {
    /// JSON and forms.
    #[default]
    Browser,
    /// Atom feeds.
    Atompub,
}

/// Where changes are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CmisChanges {
    /// The change log where there is one, otherwise queries.
    #[default]
    Auto,
    /// The change log.
    Log,
    /// Queries.
    Query,
    /// Nowhere.
    Off,
}

/// A folder of a WebDAV server.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webdav {
    /// Address of the folder that everything is put under.
    pub url: String,
    /// User; without one nobody signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the user's password; without a user it is a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Name of the gateway's own folder in it.
    #[serde(default = "dot_amtsbote")]
    pub own_folder: String,
    /// Whether the bytes that a new version replaces are kept there.
    #[serde(default = "yes")]
    pub keep_versions: bool,
    /// Pause between two looks at what changed there, in seconds.
    #[serde(default = "sixty")]
    pub poll_seconds: u32,
}

/// d.velop documents.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dvelop {
    /// Address of the system, without a path.
    pub url: String,
    /// Reference to the API key.
    pub api_key: String,
    /// Repository.
    pub repository: String,
    /// Category of objects that are folders.
    pub folder_category: String,
    /// Category of documents.
    pub document_category: String,
    /// Property that holds the gateway's own identifier.
    pub own_property: String,
    /// Property of documents that holds the mark of the latest version.
    pub mark_property: String,
    /// Property that holds the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_property: Option<String>,
    /// Property that holds our identifier of what it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_property: Option<String>,
    /// Object that everything is put under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// enaio.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enaio {
    /// Address of its interface.
    pub url: String,
    /// User.
    pub user: String,
    /// Reference to the password.
    pub password: String,
    /// Type of folders at the top.
    pub cabinet: EnaioType,
    /// Type of folders within others.
    pub register: EnaioType,
    /// Type of documents.
    pub document: EnaioType,
    /// Field of documents that holds the mark of the latest version.
    pub mark_field: String,
    /// Folder that everything is put under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u64>,
}

/// A type of objects of enaio.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnaioType {
    /// Its id.
    pub id: String,
    /// Field that holds the gateway's own identifier.
    pub own_field: String,
    /// Field that holds the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_field: Option<String>,
}

/// Folders of xdomea containers.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct XdomeaFolder {
    /// Folder that the system takes containers from.
    pub export: PathBuf,
    /// Folder that it puts containers into.
    pub import: PathBuf,
    /// Who the system is as a partner of the gateway.
    pub partner: Authority,
    /// Seconds that a file has to be left alone before it is taken.
    #[serde(default = "ten")]
    pub quiet_seconds: u32,
    /// Pause between two looks, in seconds.
    #[serde(default = "fifteen")]
    pub poll_seconds: u32,
    /// Largest file that is taken (MiB).
    #[serde(default = "four_gib")]
    pub max_mb: u64,
    /// Whether what was taken in is kept.
    #[serde(default)]
    pub keep_done: bool,
    /// Whether the system is told of each new file of a document, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldByXdomea>,
}

/// How a system is told of documents by xdomea.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldByXdomea {
    /// Version of xdomea.
    pub version: String,
    /// Name of the institution that sends.
    pub sender: String,
    /// Name of the institution that receives.
    pub recipient: String,
}

fn sixty() -> u32 {
    60
}

fn ten() -> u32 {
    10
}

fn fifteen() -> u32 {
    15
}

fn four_gib() -> u64 {
    4_096
}

fn yes() -> bool {
    true
}

fn cmis_folder() -> String {
    "cmis:folder".to_owned()
}

fn cmis_document() -> String {
    "cmis:document".to_owned()
}

fn dot_amtsbote() -> String {
    ".amtsbote".to_owned()
}

impl<'a> Refers<'a> {
    /// With what all have, of a system where changes are looked for or not.
    pub(super) fn and(self, mapped: &'a Mapped, looks: bool) -> Self {
        let fields = || mapped.folder_fields.iter().chain(&mapped.document_fields);
        let is_wrong = fields().any(|it| it.field.trim().is_empty() || it.property.trim().is_empty());
        let back = || fields().filter(|it| it.comes_back);
        let none_may = back().any(|it| !COME_BACK.contains(&it.field.as_str()));
        let rule = "only title, note, lead, keeper and kind come back";
        self.numbers([
            ("within_seconds", mapped.within_seconds.into(), 1, 600),
            ("transfer_minutes", mapped.transfer_minutes.into(), 1, 360),
        ])
        .texts(mapped.reference_property.iter().map(|it| ("reference_property", it.as_str())))
        .wrong_if(is_wrong, "folder_fields", "expected names of fields and properties")
        .wrong_if(
            !looks && back().next().is_some(),
            "folder_fields",
            "changes there are not seen: nothing comes back",
        )
        .wrong_if(none_may, "folder_fields", rule)
    }
}

impl Cmis {
    pub(super) fn looks(&self) -> bool {
        self.changes != CmisChanges::Off
    }

    pub(super) fn refers(&mut self) -> Refers<'_> {
        let is_path = self.folder.starts_with('/');
        Refers::default()
            .secrets([("password", &mut self.password)])
            .url("url", &self.url)
            .texts([
                ("user", self.user.as_str()),
                ("folder_type", &self.folder_type),
                ("document_type", &self.document_type),
                ("own_property", &self.own_property),
            ])
            .numbers([("poll_seconds", self.poll_seconds.into(), 1, 86_400)])
            .wrong_if(!is_path, "folder", "expected a path that begins with a slash")
    }
}

impl Webdav {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let lonely = self.user.is_some() && self.password.is_none();
        let is_name = !self.own_folder.contains(['/', '\\']) && !self.own_folder.trim_matches('.').is_empty();
        Refers::default()
            .secrets(self.password.iter_mut().map(|it| ("password", it)))
            .url("url", &self.url)
            .texts([("own_folder", self.own_folder.as_str())])
            .numbers([("poll_seconds", self.poll_seconds.into(), 1, 86_400)])
            .wrong_if(!is_name, "own_folder", "expected the name of a folder")
            .wrong_if(lonely, "user", "there is no password to use with it")
    }
}

impl Dvelop {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default().secrets([("api_key", &mut self.api_key)]).url("url", &self.url).texts([
            ("repository", self.repository.as_str()),
            ("folder_category", &self.folder_category),
            ("document_category", &self.document_category),
            ("own_property", &self.own_property),
            ("mark_property", &self.mark_property),
        ])
    }
}

impl Enaio {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let types = [&self.cabinet, &self.register, &self.document];
        let nameless = types.iter().any(|it| it.name_field.as_ref().is_some_and(|it| it.trim().is_empty()));
        Refers::default()
            .secrets([("password", &mut self.password)])
            .url("url", &self.url)
            .texts([
                ("user", self.user.as_str()),
                ("cabinet.id", &self.cabinet.id),
                ("cabinet.own_field", &self.cabinet.own_field),
                ("register.id", &self.register.id),
                ("register.own_field", &self.register.own_field),
                ("document.id", &self.document.id),
                ("document.own_field", &self.document.own_field),
                ("mark_field", &self.mark_field),
            ])
            .wrong_if(nameless, "name_field", "expected the name of a field, or nothing")
    }
}

impl XdomeaFolder {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let same = self.export == self.import;
        Refers::default()
            .paths([&mut self.export, &mut self.import])
            .numbers([
                ("quiet_seconds", self.quiet_seconds.into(), 0, 3_600),
                ("poll_seconds", self.poll_seconds.into(), 1, 3_600),
                ("max_mb", self.max_mb, 1, 1 << 20),
            ])
            .wrong_if(same, "import", "expected another folder than export")
    }
}
