//! What every document management system is to this crate: folders and documents with an identifier of ours, a change token of theirs, and
//! bytes as streams. No product creates idempotently; each lets itself be asked for our identifier before.
//!
//! | kind of system | module |
//! |---|---|
//! | CMIS 1.1, browser binding and AtomPub | [`cmis`](crate::cmis) |
//! | WebDAV (RFC 4918) | [`webdav`](crate::webdav) |
//! | d.velop documents (dmsApp) | [`dvelop`](crate::dvelop) |
//! | enaio (AppConnector) | [`enaio`](crate::enaio) |
//!
//! Failures have the kinds of [`Failure`]: since everything is looked for before it is made, an outcome that nobody knows is passing
//! trouble (`Transient`) here, never `Uncertain`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::adapter::{Content, Source};
use model::{Failure, Timestamp};

/// Longest reference, in bytes: what the gateway can keep as a link.
pub const REFERENCE_BYTES: usize = 500;

/// Most changes of one page.
pub const MOST_CHANGES: usize = 100;

/// A folder or document there, in its latest version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// Its identifier there, at most [`REFERENCE_BYTES`]. That of a document may be another after each version; then [`Port::get`] finds
    /// the latest by any of them.
    pub reference: String,
    /// What stands for it over all its versions, and for no copy of it. Absent where a copy does not take our identifier along.
    pub series: Option<String>,
    /// Change token: another one whenever anything of it changed. Absent where the system has none.
    pub token: Option<String>,
    /// Our identifier, if it has one: see [`Entry::own`].
    pub own: Option<String>,
    /// A folder, or a document.
    pub is_folder: bool,
    /// Name in its folder.
    pub name: String,
    /// What its version is called there, such as `2.0`.
    pub version: Option<String>,
    /// Another text whenever its bytes changed, such as the id of the version or an ETag; absent for folders.
    pub content: Option<String>,
    /// The mark of its latest version, see [`Bytes::mark`].
    pub mark: Option<String>,
    /// Size of its bytes.
    pub size: Option<u64>,
    /// Media type of its bytes.
    pub media_type: Option<String>,
    /// File name of its bytes, where that is not its name.
    pub file_name: Option<String>,
    /// When it changed last, by the clock there.
    pub modified_at: Option<Timestamp>,
    /// Values of the properties that were asked for in the settings, by the property's name there. Absent: it has none.
    pub properties: BTreeMap<String, String>,
}

/// What a folder or document is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Our identifier of it, kept in a property of its own: the id of a record, `<id>/<n>` for the further files of a document,
    /// `plan:<code>` for a unit of the file plan.
    pub own: String,
    /// Name in its folder: no `/`, no control characters, neither empty, `.` nor `..`, at most 200 characters.
    pub name: String,
    /// Values by the property's name there; `None` clears.
    pub properties: BTreeMap<String, Value>,
}

/// A value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// How the property is typed there.
    pub kind: ValueKind,
    /// The value: text; `YYYY-MM-DD` or RFC 3339 for a date; a whole number; `true` or `false`. `None`: there is none.
    pub value: Option<String>,
}

/// Type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueKind {
    /// Text.
    #[default]
    Text,
    /// Date or date with time.
    Date,
    /// Whole number.
    Number,
    /// Yes or no.
    Flag,
}

/// Bytes of a document.
pub struct Bytes<'a> {
    /// Where they are read from, as often as wanted.
    pub source: &'a dyn Source,
    /// How many they are.
    pub size: u64,
    /// Media type, if known.
    pub media_type: Option<&'a str>,
    /// File name.
    pub file_name: &'a str,
    /// What the version is marked with there, so that [`Port::has_version`] knows it again: the id of the payload.
    pub mark: &'a str,
}

/// What became of the wish for a new folder or document.
#[expect(clippy::large_enum_variant, reason = "one of them at a time, for a moment")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    New(Object),
    /// Its folder has another of this name.
    NameTaken,
}

/// Something that changed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which object: the identifier there.
    pub reference: String,
    /// What is known of it.
    pub what: What,
}

/// What is known of something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is gone.
    Gone,
    /// It has to be asked for, by [`Port::get`]. A text that is another one after each change, if the system tells it here.
    Changed(Option<String>),
    /// It is so now.
    Is(Box<Object>),
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// What changed, oldest first, at most [`MOST_CHANGES`]. Something may be told more than once, and our own changes are told, too.
    pub changes: Vec<Change>,
    /// Where the next page begins; at most 2,000 bytes.
    pub cursor: String,
    /// Whether there is more already.
    pub more: bool,
}

/// A document management system.
#[async_trait]
pub trait Port: Send + Sync {
    /// The folder that everything is put under; made if it is not there.
    async fn root(&self) -> Result<Object, Failure>;

    /// What has our identifier.
    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure>;

    /// The latest version of what the other side calls so; `None` if it is gone.
    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure>;

    /// What has this name in a folder. `None` where names do not have to be unique.
    async fn child(&self, folder: &str, name: &str) -> Result<Option<Object>, Failure>;

    /// The folder that something lies in; of several one that has our identifier. `None` where there is none, or it is not known.
    async fn parent(&self, of: &Object) -> Result<Option<Object>, Failure>;

    /// A new folder in another one.
    async fn create_folder(&self, parent: &str, entry: &Entry) -> Result<Created, Failure>;

    /// A new document in a folder.
    async fn create_document(
        &self,
        folder: &str,
        entry: &Entry,
        bytes: &Bytes<'_>,
    ) -> Result<Created, Failure>;

    /// A new version of a document that is as in `of` and no other: otherwise the failure is `dms.conflict`.
    async fn new_version(&self, of: &Object, bytes: &Bytes<'_>) -> Result<Object, Failure>;

    /// Whether a mark belongs to its version alone. Otherwise it is a property, which stays when somebody makes a version.
    fn marks_versions(&self) -> bool {
        true
    }

    /// Whether a version has this mark.
    async fn has_version(&self, of: &Object, mark: &str) -> Result<bool, Failure>;

    /// Sets properties, and our identifier if `own` is given, of an object that is as in `of`: otherwise the failure is `dms.conflict`.
    async fn set_metadata(
        &self,
        of: &Object,
        own: Option<&str>,
        properties: &BTreeMap<String, Value>,
    ) -> Result<Object, Failure>;

    /// The bytes of a document.
    async fn open(&self, of: &Object) -> Result<Content, Failure>;

    /// What changed since; `None` for the first time, which tells nothing and gives a place to begin. `Ok(None)`: the system cannot tell
    /// changes.
    async fn changes(&self, since: Option<&str>) -> Result<Option<Changes>, Failure>;

    /// Asks what the system is and whether it has what is needed; words for the operator, without content and secrets.
    async fn check(&self) -> Result<String, Failure>;
}
