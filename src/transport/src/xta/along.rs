//! Metadata that go along with a message which has come by one way and goes on by another, or into a message box.

use broker::Carried;
use serde_json::{Value, json};
use xta::model::MetaData;

use super::boxes::{end_of_day, moment};
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
        not_before: meta.delivery.not_before.as_ref().and_then(|it| moment(&it.to_string())),
        obsolete_at: meta.delivery.obsolete_after.as_ref().and_then(|it| end_of_day(&it.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_that_an_author_names_go_along() {
        let mut meta = MetaData { message_id: " URN:1 ".to_owned(), ..MetaData::default() };
        assert_eq!(carried(&meta, false, true).obsolete_at, None);
        meta.delivery.obsolete_after = "2026-11-29".parse().ok();
        meta.delivery.not_before = "2026-11-28T12:00:00Z".parse().ok();
        let carried = carried(&meta, false, false);
        assert_eq!(carried.obsolete_at.map(|it| it.to_string()).as_deref(), Some("2026-11-30T00:00:00Z"));
        assert_eq!(carried.not_before.map(|it| it.to_string()).as_deref(), Some("2026-11-28T12:00:00Z"));
        assert_eq!(carried.ticket.as_deref(), Some("urn:1"));
    }
}
