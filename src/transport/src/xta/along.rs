//! Metadata that go along with a message which has come by one way and goes on by another, or into a message box.

use broker::Carried;
use serde_json::{Value, json};
use xta::model::MetaData;

use super::kept::KeptMeta;

/// Most bytes of metadata, as they are kept.
pub(crate) const MOST_META: usize = 60 * 1024;
/// Longest message id, in bytes, and most of those that a message answers.
const ID_BYTES: usize = 200;
const MOST_RELATED: usize = 100;

/// Whether metadata of somebody else can be kept.
pub(crate) fn is_usable(meta: &MetaData) -> bool {
    let is_id = |id: &str| (1..=ID_BYTES).contains(&id.trim().len()) && !id.chars().any(char::is_control);
    let json = serde_json::to_string(&KeptMeta::from(meta)).unwrap_or_default();
    let answers = &meta.in_reply_to;
    json.len() <= MOST_META
        && is_id(&meta.message_id)
        && answers.len() <= MOST_RELATED
        && answers.iter().all(|id| is_id(id))
}

/// Metadata for the broker, whole if the reader `fetches` them.
pub(crate) fn carried(meta: &MetaData, container: bool, fetches: bool) -> Carried {
    let id = |id: &String| id.trim().to_lowercase();
    Carried {
        metadata: if fetches { json!(KeptMeta::from(meta)) } else { Value::Null },
        container,
        ticket: Some(id(&meta.message_id)),
        related: meta.in_reply_to.iter().map(id).collect(),
    }
}
