//! Metadata that go along with a message which has come by one way and goes on by another, or into a message box.

use broker::Carried;
use serde_json::{Value, json};
use xta::model::{Key, MetaData};

use super::boxes::{end_of_day, moment};
use super::kept::KeptMeta;

/// Most bytes of metadata, as they are kept.
pub(crate) const MOST_META: usize = 60 * 1024;
/// Longest message id, in bytes, and most of those that a message answers.
const ID_BYTES: usize = 200;
const MOST_RELATED: usize = 100;

/// List of the properties of ours.
const PROPERTIES: (&str, &str) = ("urn:amtsbote:xta:property", "1");
/// Most properties of a message.
const MOST_PROPERTIES: usize = 1_000;

/// Metadata with the id that the message has so far among its properties, if it has one and there is room.
pub(crate) fn with_original_id(mut meta: MetaData) -> MetaData {
    if !meta.message_id.is_empty() && meta.properties.len() < MOST_PROPERTIES {
        let (list, version) = (PROPERTIES.0.to_owned(), PROPERTIES.1.to_owned());
        let key = Key { code: "originalMessageId".to_owned(), list, version, name: None };
        meta.properties.push((key, meta.message_id.clone()));
    }
    meta
}

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
    fn the_id_that_a_message_had_is_one_more_property_unless_there_are_too_many() {
        let mut meta = with_original_id(MetaData { message_id: "urn:1".to_owned(), ..MetaData::default() });
        assert!(
            matches!(&meta.properties[..], [(key, id)] if key.code == "originalMessageId" && id == "urn:1")
        );
        meta.properties = vec![Default::default(); MOST_PROPERTIES];
        assert_eq!(with_original_id(meta).properties.len(), MOST_PROPERTIES);
        assert!(with_original_id(MetaData::default()).properties.is_empty());
    }

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
