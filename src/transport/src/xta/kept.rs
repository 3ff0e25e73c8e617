//! Metadata and contents of a message as JSON: what a delivery and its container remember. Nothing is lost, so that the
//! reader gets what the author wrote.

use serde::{Deserialize, Serialize};
use xta::model::{Content, ContentRole, DeliveryAttributes, Extension, Key, MetaData, Party, Scenario};

/// Metadata of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptMeta {
    pub(crate) is_test: bool,
    delivery: KeptDelivery,
    author: KeptParty,
    sender: Option<KeptParty>,
    reply_to: Option<KeptParty>,
    reader: KeptParty,
    other_readers: Vec<KeptParty>,
    cc_readers: Vec<KeptParty>,
    message_id: String,
    in_reply_to: Vec<String>,
    process_ref: Option<String>,
    subject: Option<String>,
    service: String,
    scenario: Option<KeptScenario>,
    message_type: KeptKey,
    payload_schema: String,
    properties: Vec<(KeptKey, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    additional_ids: Vec<(String, KeptKey)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<KeptExtension>,
    size: Option<u64>,
}

/// Moments, in their lexical form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptDelivery {
    origin: Option<String>,
    initial_send: Option<String>,
    not_before: Option<String>,
    obsolete_after: Option<String>,
    delivery: Option<String>,
    initial_fetch: Option<String>,
    reception: Option<String>,
    service_quality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_quality: Option<String>,
    receipt_requests: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptParty {
    id: String,
    scheme: Option<String>,
    name: Option<String>,
    category: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<KeptKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<KeptExtension>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptExtension {
    identifier: String,
    version: String,
    data: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptKey {
    code: String,
    name: Option<String>,
    list: String,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptScenario {
    Defined(KeptKey),
    Undefined(String),
}

/// A content, and where it lies in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptContent {
    /// Its place in the container of the message.
    pub(crate) index: usize,
    /// Name of its entry.
    pub(crate) entry: String,
    /// Bytes that it has.
    pub(crate) length: u64,
    role: KeptRole,
    media_type: String,
    description: Option<String>,
    encoding: Option<String>,
    pub(crate) file_name: Option<String>,
    id: Option<String>,
    language: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptRole {
    Message,
    Attachment,
    Encrypted,
}

impl From<&MetaData> for KeptMeta {
    fn from(meta: &MetaData) -> Self {
        KeptMeta {
            is_test: meta.is_test,
            delivery: (&meta.delivery).into(),
            author: (&meta.author).into(),
            sender: meta.sender.as_ref().map(KeptParty::from),
            reply_to: meta.reply_to.as_ref().map(KeptParty::from),
            reader: (&meta.reader).into(),
            other_readers: meta.other_readers.iter().map(KeptParty::from).collect(),
            cc_readers: meta.cc_readers.iter().map(KeptParty::from).collect(),
            message_id: meta.message_id.clone(),
            in_reply_to: meta.in_reply_to.clone(),
            process_ref: meta.process_ref.clone(),
            subject: meta.subject.clone(),
            service: meta.service.clone(),
            scenario: meta.scenario.as_ref().map(KeptScenario::from),
            message_type: (&meta.message_type).into(),
            payload_schema: meta.payload_schema.clone(),
            properties: meta.properties.iter().map(|(key, value)| (key.into(), value.clone())).collect(),
            additional_ids: meta.additional_ids.iter().map(|(id, key)| (id.clone(), key.into())).collect(),
            extensions: meta.extensions.iter().map(KeptExtension::from).collect(),
            size: meta.size,
        }
    }
}

impl From<KeptMeta> for MetaData {
    fn from(kept: KeptMeta) -> Self {
        MetaData {
            is_test: kept.is_test,
            delivery: kept.delivery.into(),
            author: kept.author.into(),
            sender: kept.sender.map(Party::from),
            reply_to: kept.reply_to.map(Party::from),
            reader: kept.reader.into(),
            other_readers: kept.other_readers.into_iter().map(Party::from).collect(),
            cc_readers: kept.cc_readers.into_iter().map(Party::from).collect(),
            message_id: kept.message_id,
            in_reply_to: kept.in_reply_to,
            process_ref: kept.process_ref,
            subject: kept.subject,
            service: kept.service,
            scenario: kept.scenario.map(Scenario::from),
            message_type: kept.message_type.into(),
            payload_schema: kept.payload_schema,
            properties: kept.properties.into_iter().map(|(key, value)| (key.into(), value)).collect(),
            additional_ids: kept.additional_ids.into_iter().map(|(id, key)| (id, key.into())).collect(),
            extensions: kept.extensions.into_iter().map(Extension::from).collect(),
            size: kept.size,
        }
    }
}

impl From<&DeliveryAttributes> for KeptDelivery {
    fn from(delivery: &DeliveryAttributes) -> Self {
        KeptDelivery {
            origin: delivery.origin.as_ref().map(ToString::to_string),
            initial_send: delivery.initial_send.as_ref().map(ToString::to_string),
            not_before: delivery.not_before.as_ref().map(ToString::to_string),
            obsolete_after: delivery.obsolete_after.as_ref().map(ToString::to_string),
            delivery: delivery.delivery.as_ref().map(ToString::to_string),
            initial_fetch: delivery.initial_fetch.as_ref().map(ToString::to_string),
            reception: delivery.reception.as_ref().map(ToString::to_string),
            service_quality: delivery.service_quality.clone(),
            no_quality: delivery.no_quality.clone(),
            receipt_requests: delivery.receipt_requests.clone(),
        }
    }
}

impl From<KeptDelivery> for DeliveryAttributes {
    fn from(kept: KeptDelivery) -> Self {
        DeliveryAttributes {
            origin: kept.origin.and_then(|text| text.parse().ok()),
            initial_send: kept.initial_send.and_then(|text| text.parse().ok()),
            not_before: kept.not_before.and_then(|text| text.parse().ok()),
            obsolete_after: kept.obsolete_after.and_then(|text| text.parse().ok()),
            delivery: kept.delivery.and_then(|text| text.parse().ok()),
            initial_fetch: kept.initial_fetch.and_then(|text| text.parse().ok()),
            reception: kept.reception.and_then(|text| text.parse().ok()),
            service_quality: kept.service_quality,
            no_quality: kept.no_quality,
            receipt_requests: kept.receipt_requests,
        }
    }
}

impl From<&Party> for KeptParty {
    fn from(party: &Party) -> Self {
        let party = party.clone();
        KeptParty {
            id: party.id,
            scheme: party.scheme,
            name: party.name,
            category: party.category,
            tokens: party.tokens,
            directory: party.directory.as_ref().map(KeptKey::from),
            extensions: party.extensions.iter().map(KeptExtension::from).collect(),
            certificates: party.certificates,
        }
    }
}

impl From<KeptParty> for Party {
    fn from(kept: KeptParty) -> Self {
        Party {
            id: kept.id,
            scheme: kept.scheme,
            name: kept.name,
            category: kept.category,
            tokens: kept.tokens,
            directory: kept.directory.map(Key::from),
            extensions: kept.extensions.into_iter().map(Extension::from).collect(),
            certificates: kept.certificates,
        }
    }
}

impl From<&Extension> for KeptExtension {
    fn from(extension: &Extension) -> Self {
        let Extension { identifier, version, data } = extension.clone();
        KeptExtension { identifier, version, data }
    }
}

impl From<KeptExtension> for Extension {
    fn from(kept: KeptExtension) -> Self {
        let KeptExtension { identifier, version, data } = kept;
        Extension { identifier, version, data }
    }
}

impl From<&Key> for KeptKey {
    fn from(key: &Key) -> Self {
        let Key { code, name, list, version } = key.clone();
        KeptKey { code, name, list, version }
    }
}

impl From<KeptKey> for Key {
    fn from(kept: KeptKey) -> Self {
        let KeptKey { code, name, list, version } = kept;
        Key { code, name, list, version }
    }
}

impl From<&Scenario> for KeptScenario {
    fn from(scenario: &Scenario) -> Self {
        match scenario {
            Scenario::Defined(key) => KeptScenario::Defined(key.into()),
            Scenario::Undefined(text) => KeptScenario::Undefined(text.clone()),
        }
    }
}

impl From<KeptScenario> for Scenario {
    fn from(kept: KeptScenario) -> Self {
        match kept {
            KeptScenario::Defined(key) => Scenario::Defined(key.into()),
            KeptScenario::Undefined(text) => Scenario::Undefined(text),
        }
    }
}

impl KeptContent {
    /// The content at a place of the container, in this entry; its length is not known yet.
    pub(crate) fn new(index: usize, content: &Content, entry: String) -> Self {
        let role = match content.role {
            ContentRole::Message => KeptRole::Message,
            ContentRole::Attachment => KeptRole::Attachment,
            ContentRole::Encrypted => KeptRole::Encrypted,
        };
        let content = content.clone();
        KeptContent {
            index,
            entry,
            length: 0,
            role,
            media_type: content.media_type,
            description: content.description,
            encoding: content.encoding,
            file_name: content.file_name,
            id: content.id,
            language: content.language,
            size: content.size,
        }
    }

    /// What it says of itself.
    pub(crate) fn content(&self) -> Content {
        let role = match self.role {
            KeptRole::Message => ContentRole::Message,
            KeptRole::Attachment => ContentRole::Attachment,
            KeptRole::Encrypted => ContentRole::Encrypted,
        };
        let kept = self.clone();
        Content {
            role,
            media_type: kept.media_type,
            description: kept.description,
            encoding: kept.encoding,
            file_name: kept.file_name,
            id: kept.id,
            language: kept.language,
            size: kept.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(id: &str) -> Party {
        Party {
            id: id.into(),
            scheme: Some("xoev".into()),
            name: Some("Bauaufsicht \u{10ffff}".into()),
            category: None,
            tokens: vec!["<wsse:BinarySecurityToken/>".into()],
            directory: Some(key("dvdv")),
            extensions: vec![extension()],
            certificates: vec!["<Certificate/>".into()],
        }
    }

    fn extension() -> Extension {
        Extension { identifier: "urn:e".into(), version: "1.0.0".into(), data: "<Data/>".into() }
    }

    fn key(code: &str) -> Key {
        Key { code: code.into(), name: None, list: "urn:list".into(), version: "1".into() }
    }

    #[test]
    fn what_is_kept_of_metadata_is_all_of_it() {
        let moment = |text: &str| text.parse().ok();
        let full = MetaData {
            is_test: true,
            delivery: DeliveryAttributes {
                origin: moment("2026-11-29T01:02:03.004500+01:00"),
                initial_send: moment("2026-11-29T01:02:04"),
                not_before: moment("2026-11-29T24:00:00Z"),
                obsolete_after: "2027-01-31+01:00".parse().ok(),
                delivery: moment("2026-11-30T00:00:00Z"),
                initial_fetch: moment("2026-11-30T00:00:01Z"),
                reception: moment("2026-11-30T00:00:02Z"),
                service_quality: Some("urn:profile".into()),
                no_quality: Some("none".into()),
                receipt_requests: Some("<ReceiptRequests/>".into()),
            },
            author: party("bab:1"),
            sender: Some(party("bab:2")),
            reply_to: Some(party("bab:3")),
            reader: party("bab:4"),
            other_readers: vec![party("bab:5")],
            cc_readers: vec![party("bab:6"), Party::default()],
            message_id: "urn:de:xta:messageid:X:1".into(),
            in_reply_to: vec!["a".into(), "b".into()],
            process_ref: Some("<ProcessRef/>".into()),
            subject: Some("Antrag".into()),
            service: "urn:service".into(),
            scenario: Some(Scenario::Defined(key("XBAU"))),
            message_type: key("0201"),
            payload_schema: "http://www.xleitstelle.de".into(),
            properties: vec![(key("p"), "v".into())],
            additional_ids: vec![("uuid".into(), key("xoev"))],
            extensions: vec![extension()],
            size: Some(u64::MAX),
        };
        let undefined = MetaData { scenario: Some(Scenario::Undefined("frei".into())), ..full.clone() };
        for meta in [full, undefined, MetaData::default()] {
            let json = serde_json::to_string(&KeptMeta::from(&meta)).unwrap();
            let kept: KeptMeta = serde_json::from_str(&json).unwrap();
            assert_eq!(MetaData::from(kept), meta);
        }
    }
}
