//! Content Management Interoperability Services (CMIS) 1.1, OASIS Standard of 23 May 2013: the browser binding (section 5) and the AtomPub
//! binding (section 3).
//!
//! | module | holds |
//! |---|---|
//! | `repository` | the port over a repository, whatever the binding |
//! | `seen` | what changed there: change log or queries |
//! | `wire` | what both bindings offer |
//! | `browser`, `form` | JSON and forms |
//! | `atom`, `entry` | feeds and entries |
//! | `http`, `pump` | calls, exceptions, bytes on their way |

mod atom;
mod browser;
mod entry;
mod form;
mod http;
mod pump;
#[cfg(test)]
mod recorded;
mod repository;
mod seen;
mod wire;

use std::time::Duration;

use zeroize::Zeroizing;

pub use repository::Cmis;

/// A CMIS repository and how it is reached.
pub struct Settings {
    /// Service URL: of the browser binding the service URL itself, of AtomPub that of the service document. `https://…`.
    pub url: String,
    /// Which binding it speaks.
    pub binding: Binding,
    /// Repository id; absent where there is only one.
    pub repository: Option<String>,
    /// Technical user.
    pub user: String,
    /// Its password.
    pub password: Zeroizing<String>,
    /// Folder that everything is put under, such as `/Fachverfahren/Amtsbote`; made if it is not there. `/` is the root.
    pub folder: String,
    /// Type of the folders of case files and cases, such as `cmis:folder`.
    pub folder_type: String,
    /// Type of documents, such as `cmis:document`; it must be versionable.
    pub document_type: String,
    /// Secondary types (aspects) of folders and documents that the mapped properties need.
    pub secondary_types: Vec<String>,
    /// Property of folders and documents that keeps the gateway's own identifier: text, queryable, settable.
    pub own_property: String,
    /// Where changes are seen.
    pub changes: ChangeSource,
    /// Longest time of one call, from the connection to the answer, without those that carry bytes.
    pub within: Duration,
    /// Longest time of a call that carries bytes.
    pub transfer_within: Duration,
}

/// How a repository is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binding {
    /// JSON and forms.
    #[default]
    Browser,
    /// Atom feeds; where nothing else is offered.
    AtomPub,
}

/// Where changes are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeSource {
    /// The change log where the repository says that it has one, otherwise queries.
    #[default]
    Auto,
    /// The change log: it tells deletions, too.
    Log,
    /// Queries for what was modified since.
    Query,
    /// Nowhere: what happens there does not come back.
    Off,
}
