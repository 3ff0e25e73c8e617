//! What a courier remembers of a message: the id that it was given under, and whose id that is. Another intermediary or server has
//! never heard of it, which does not say that the message has not arrived.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An id that was issued for a message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remembered {
    message_id: String,
    /// Who issued it; absent in what an older version has written.
    #[serde(default)]
    at: Option<String>,
}

impl Remembered {
    /// As it is kept.
    pub(crate) fn write(message_id: &str, at: &str) -> Value {
        json!(Remembered { message_id: message_id.to_owned(), at: Some(at.to_owned()) })
    }

    /// What is kept.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Remembered::deserialize(value).ok()
    }

    /// The id, if it is one of this intermediary or server.
    pub(crate) fn at(&self, at: &str) -> Option<&str> {
        self.at.as_deref().is_none_or(|issuer| issuer == at).then_some(self.message_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_counts_where_it_was_issued_only() {
        let kept = Remembered::read(&Remembered::write("urn:1", "https://a.example/m")).unwrap();
        assert_eq!(kept.at("https://a.example/m"), Some("urn:1"));
        assert_eq!(kept.at("https://b.example/m"), None);
        let older = Remembered::read(&json!({ "messageId": "urn:1" })).unwrap();
        assert_eq!(older.at("https://b.example/m"), Some("urn:1"));
        assert!(Remembered::read(&json!({})).is_none());
    }
}
