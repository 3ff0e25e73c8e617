//! Metadata of a message whose author gave none, since it came by another way than XTA: made of what the broker knows of it
//! (OSCI MessageMetaData 2.02 wants author, reader, service and type). Nothing is said that nobody knows.

use serde::Deserialize;
use xta::model::{Key, MetaData, Party};

/// Scheme of authorities' keys.
const SCHEME: &str = "xoev";
/// What clients of the field name as the list of message types.
const TYPES: (&str, &str) = ("urn:de:payloadSchema:elementName", "1.0");
/// The type and the schema of what no standard of the house knows.
const UNKNOWN: (&str, &str) = ("unknown", "about:blank");

/// What the broker knows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    id: String,
    from: String,
    from_name: Option<String>,
    to: String,
    to_name: Option<String>,
    service: Option<String>,
    standard: Option<String>,
    version: Option<String>,
    #[serde(rename = "type")]
    message_type: Option<String>,
    name: Option<String>,
    in_reply_to: Vec<String>,
    test: bool,
}

/// The metadata of a letter; nothing if it is none.
pub(super) fn meta(letter: &serde_json::Value) -> Option<MetaData> {
    let letter = Letter::deserialize(letter).ok()?;
    let schema = letter.standard.zip(letter.version);
    let schema = schema.map(|(standard, version)| format!("urn:xoev-de:{standard}:schema:{version}"));
    let schema = schema.unwrap_or_else(|| UNKNOWN.1.to_owned());
    Some(MetaData {
        is_test: letter.test,
        author: party(letter.from, letter.from_name),
        reader: party(letter.to, letter.to_name),
        message_id: letter.id,
        in_reply_to: letter.in_reply_to,
        service: letter.service.unwrap_or_else(|| schema.clone()),
        message_type: Key {
            code: letter.message_type.unwrap_or_else(|| UNKNOWN.0.to_owned()),
            name: letter.name.filter(|name| !name.is_empty()),
            list: TYPES.0.to_owned(),
            version: TYPES.1.to_owned(),
        },
        payload_schema: schema,
        ..MetaData::default()
    })
}

fn party(id: String, name: Option<String>) -> Party {
    Party { id, scheme: Some(SCHEME.to_owned()), name, ..Party::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_letter_says_what_is_known_and_nothing_else() {
        let known = json!({
            "id": "urn:de:xta:messageid:x:1", "from": "bab:1", "fromName": "Bauamt", "to": "bab:2", "toName": null,
            "service": null, "standard": "xdomea", "version": "3.1.0", "type": "0401", "name": "Abgabe.Abgabe.0401",
            "processId": null, "inReplyTo": ["urn:a"], "test": true,
        });
        let meta = meta(&known).unwrap();
        assert_eq!(
            (meta.author.id.as_str(), meta.reader.id.as_str(), meta.is_test),
            ("bab:1", "bab:2", true)
        );
        assert_eq!(meta.payload_schema, "urn:xoev-de:xdomea:schema:3.1.0");
        assert_eq!((meta.service, meta.in_reply_to), (meta.payload_schema, vec!["urn:a".to_owned()]));
        let unknown = json!({ "id": "a", "from": "system", "to": "bab:2", "inReplyTo": [], "test": false });
        let meta = super::meta(&unknown).unwrap();
        assert_eq!((meta.message_type.code.as_str(), meta.payload_schema.as_str()), UNKNOWN);
        assert!(super::meta(&json!({ "id": "a" })).is_none());
    }
}
