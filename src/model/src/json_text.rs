//! JSON that one part of the house writes and reads again, and that all others only keep. It stays the text that it is: making a
//! tree of it, and a text of the tree, takes longer than anything else that happens to it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// JSON as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// The JSON of a value.
    ///
    /// # Errors
    /// If the value cannot be JSON, such as a map whose keys are no texts.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(JsonText)
    }

    /// JSON that was kept before.
    pub fn kept(text: String) -> Self {
        JsonText(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says; nothing if it is no such value.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        JsonText(value.to_string())
    }
}
