//! What the configuration says of messages to a court by way of a certified gateway in front of a beBPo. The form was seen in one
//! example only, so all of it can be said otherwise.

use serde::{Deserialize, Serialize};

/// The form of messages to a court, and what it takes beside what everybody takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CourtForm {
    /// Scheme of the name of the authority that sends.
    pub author_scheme: String,
    /// `Service`.
    pub service: String,
    /// `BusinessScenario/Undefined`.
    pub scenario: String,
    /// List of message types.
    pub message_types: String,
    /// Version of that list.
    pub message_types_version: String,
    /// Type of the message.
    pub message_type: String,
    /// `payloadSchema`.
    pub payload_schema: String,
    /// Endings of documents that are taken beside PDF and TIFF, in lower case.
    pub formats: Vec<String>,
    /// Versions of XJustiz by their first two numbers; none named: those in use on the day of sending.
    pub versions: Vec<String>,
    /// Most files; absent: what the law says on the day of sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<usize>,
    /// Most megabytes (of a million bytes) of all files; absent: what the law says on the day of sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megabytes: Option<u64>,
}

impl Default for CourtForm {
    fn default() -> Self {
        CourtForm {
            author_scheme: "XTA_ID".to_owned(),
            service: String::new(),
            scenario: String::new(),
            message_types: "urn:de:bos_bremen:gov:gateway:messageTypes".to_owned(),
            message_types_version: "1.0".to_owned(),
            message_type: "XTA".to_owned(),
            payload_schema: "http://xoev.de/transport/xta/211".to_owned(),
            formats: vec![],
            versions: vec![],
            files: None,
            megabytes: None,
        }
    }
}
