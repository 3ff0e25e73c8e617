//! What a program wants done, as it says it, and the one form in which it names a record.
//!
//! | `do` | what | in a receipt or callback, too |
//! |---|---|---|
//! | `assignReference` | the Aktenzeichen of a record | yes |
//! | `completeTask` | a task is done | yes |
//! | `createDocument` | a document with its files, whose bytes are fetched | |
//! | `link` | what the program calls a record | |
//! | `note` | something for the time line | |
//! | `letter` | a piece of post | |
//! | `message` | a message of a standard, whole | |

use model::adapter::{Delivery, Host};
use model::case::Reference;
use model::command::{Change, Command};
use model::letter::Hint;
use model::{Authority, Failure, Id, RecordKind, Timestamp};
use serde::Deserialize;
use serde_json::Value;

/// Something that is to be done.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Act {
    AssignReference {
        record: Place,
        record_reference: String,
    },
    CompleteTask {
        record: Place,
        #[serde(default)]
        result: Option<String>,
    },
    CreateDocument {
        #[serde(rename = "in")]
        place: Place,
        #[serde(flatten)]
        document: Paper,
        #[serde(default)]
        references: Vec<Reference>,
        /// What the program calls it.
        #[serde(default)]
        reference: Option<String>,
    },
    Link {
        record: Place,
        #[serde(default)]
        part: String,
        reference: String,
        #[serde(default)]
        state: Value,
    },
    Note {
        record: Place,
        detail: Value,
    },
    Letter(Box<Post>),
    Message {
        #[serde(default)]
        from: Option<Authority>,
        #[serde(default)]
        to: Option<Authority>,
        file: Fetched,
    },
}

/// A document: its files are fetched.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Paper {
    pub(crate) title: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) files: Vec<Fetched>,
}

/// A file whose bytes the program has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fetched {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    pub(crate) size: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
    /// What it is fetched by: 1 to 120 of `A-Z a-z 0-9 _ -`.
    pub(crate) content: String,
}

/// A piece of post.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    pub(crate) way: String,
    pub(crate) received_at: Timestamp,
    #[serde(default)]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) from: Option<String>,
    pub(crate) documents: Vec<Paper>,
    #[serde(default)]
    pub(crate) hints: Vec<Hint>,
    #[serde(default)]
    pub(crate) proof: Value,
}

/// Which record: by its id, by a name it has in the gateway, or by what the program calls it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Place {
    Known { kind: RecordKind, id: Id },
    Named { name: String, value: String },
    Linked { reference: String },
}

impl Place {
    /// The one record; nothing if there is none, or more than one.
    pub(crate) async fn find(&self, host: &dyn Host) -> Result<Option<(RecordKind, Id)>, Failure> {
        match self {
            Place::Known { kind, id } => Ok(host.record(*kind, *id).await?.map(|_| (*kind, *id))),
            Place::Linked { reference } => {
                Ok(host.linked(reference).await?.map(|link| (link.kind, link.record)))
            }
            Place::Named { name, value } => match host.find(name, value).await?.as_slice() {
                [only] => Ok(Some((only.kind(), only.meta().id))),
                _ => Ok(None),
            },
        }
    }
}

impl Act {
    /// The record that it is about, if it is about one that is there.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Act::AssignReference { record, .. }
            | Act::CompleteTask { record, .. }
            | Act::CreateDocument { place: record, .. }
            | Act::Link { record, .. }
            | Act::Note { record, .. } => Some(record),
            Act::Letter(_) | Act::Message { .. } => None,
        }
    }
}

/// The change of a record that an act is.
pub(crate) fn change(act: &Act) -> Option<(&Place, Change)> {
    match act {
        Act::AssignReference { record, record_reference } => {
            Some((record, Change::AssignReference(record_reference.clone())))
        }
        Act::CompleteTask { record, result } => Some((record, Change::CompleteTask(result.clone()))),
        _ => None,
    }
}

/// The command of an act that names its record by its id, where nothing can be looked up.
pub(crate) fn command(act: &Act) -> Option<Command> {
    match change(act)? {
        (Place::Known { kind, id }, change) => Some(Command { kind: *kind, id: *id, expected: None, change }),
        _ => None,
    }
}

/// Whether a delivery tells of a record, so that the program may say something of it.
pub(crate) fn is_told(delivery: &Delivery, kind: RecordKind, id: Id) -> bool {
    let above = delivery.about.iter().flat_map(|about| &about.above);
    delivery.record == Some((kind, id))
        || above.map(|record| (record.kind(), record.meta().id)).any(|told| told == (kind, id))
}
