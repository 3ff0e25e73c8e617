//! Where looking through a message box goes on (`MsgBoxRequestID`). An iterator carries its selector and its place itself,
//! so no node has to remember anything. It opens nothing: it is applied to the message box of whoever brings it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use xta::server::backend::Selector;

/// What iterators begin with: they have to be URIs.
const PREFIX: &str = "urn:amtsbote:box:";
/// Longest iterator that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;

/// A selector and the entry that was had last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Cursor {
    /// Message ids that are looked for, in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ids: Vec<String>,
    /// Messages that are answered, in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) related: Vec<String>,
    /// Entered the message box then or later, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<i64>,
    /// Entered the message box then or before, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
    /// Not fetched before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) only_new: bool,
    /// Entries in one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) most: Option<u32>,
    /// When the last one entered, in microseconds, and its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<(i64, Id)>,
}

impl Cursor {
    /// The beginning of what a selector fits; none if its moments are none.
    pub(super) fn of(selector: &Selector) -> Option<Self> {
        let lower = |ids: &[String]| ids.iter().map(|id| id.trim().to_lowercase()).collect();
        let moment = |text: Option<String>| match text {
            Some(text) => super::boxes::moment(&text).map(|moment| Some(moment.micros())),
            None => Some(None),
        };
        Some(Cursor {
            ids: lower(&selector.message_ids),
            related: lower(&selector.relates_to),
            from: moment(selector.from.as_ref().map(ToString::to_string))?,
            until: moment(selector.to.as_ref().map(ToString::to_string))?,
            only_new: selector.is_new == Some(true),
            most: None,
            after: None,
        })
    }

    /// The same behind an entry.
    pub(super) fn behind(mut self, entered: Timestamp, message: Id) -> Self {
        self.after = Some((entered.micros(), message));
        self
    }

    /// Reads what a client gives back.
    pub(super) fn read(text: &str) -> Option<Self> {
        let coded = text.trim().strip_prefix(PREFIX).filter(|coded| coded.len() <= LONGEST)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(coded).ok()?).ok()
    }

    /// As it is handed out.
    pub(super) fn write(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_comes_back_as_it_was_handed_out_and_nothing_else_is_one() {
        let selector = Selector {
            message_ids: vec!["urn:de:xta:messageid:X:ABC".into()],
            relates_to: vec!["B".into()],
            from: "2026-11-29T01:00:00+01:00".parse().ok(),
            to: "2026-11-30T00:00:00".parse().ok(),
            is_new: Some(true),
        };
        let first = Cursor::of(&selector).unwrap();
        assert_eq!(first.ids, ["urn:de:xta:messageid:x:abc"]);
        let next = first.behind(Timestamp::from_micros(7), Id::nil());
        let written = next.write();
        assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_".contains(&b)), "{written}");
        assert_eq!(Cursor::read(&written), Some(next));
        for wrong in ["", "1", "urn:amtsbote:box:", "urn:amtsbote:box:e30=", "urn:amtsbote:box:MQ", PREFIX] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
        let unknown = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(r#"{"tenant":"x"}"#));
        assert_eq!(Cursor::read(&unknown), None);
    }
}
