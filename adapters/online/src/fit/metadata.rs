//! The metadata of a submission (FIT-Connect metadata schema 2.x, and 1.x as some senders still write it), and what must hold of them.
//!
//! The schema's rules are checked natively: what is required, kinds of values, lists of allowed words, the forms of hashes and ids, and
//! exactly one reply channel. Formats of URIs and e-mail addresses are not.

use std::collections::BTreeSet;

use seal::jose::PublicKey;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::problems::{Kind, Part, Problem};
use super::set::uuid;

/// Most attachments of a submission.
const ATTACHMENTS: usize = 400;
/// Most attachments and fragments of a submission.
const PARTS: usize = 2_000;
/// Longest text that is looked at.
const TEXT: usize = 4_096;

/// What a submission says of itself.
#[derive(Debug, Clone)]
pub struct Metadata {
    pub(crate) data: Content,
    pub(crate) attachments: Vec<Attachment>,
    /// The service that metadata 1.x name.
    pub(crate) service: Option<String>,
    /// As they came.
    pub(crate) json: Value,
}

/// The data of the form.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// SHA-512, hex.
    pub(crate) sha512: String,
    pub(crate) schema: String,
    pub(crate) media_type: String,
}

/// An attachment.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) id: Uuid,
    pub(crate) sha512: String,
    pub(crate) media_type: String,
    pub(crate) purpose: String,
    pub(crate) file_name: Option<String>,
    pub(crate) description: Option<String>,
    /// What was announced and downloaded for it: itself, or its fragments in their order.
    pub(crate) parts: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "contentStructure")]
    content: RawStructure,
    #[serde(rename = "publicServiceType")]
    service: Option<RawService>,
    #[serde(rename = "paymentInformation")]
    payment: Option<RawPayment>,
    #[serde(rename = "replyChannel")]
    reply: Option<serde_json::Map<String, Value>>,
    #[serde(rename = "additionalReferenceInfo")]
    references: Option<RawReferences>,
    author: Option<RawAuthor>,
    #[serde(rename = "dataSets", default)]
    data_sets: Vec<RawDataSet>,
}

#[derive(Deserialize)]
struct RawStructure {
    data: Option<RawData>,
    attachments: Vec<RawAttachment>,
}

#[derive(Deserialize)]
struct RawData {
    hash: RawHash,
    #[serde(rename = "submissionSchema")]
    schema: RawSchema,
    signature: Option<RawSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAttachment {
    attachment_id: String,
    purpose: String,
    mime_type: String,
    hash: RawHash,
    filename: Option<String>,
    description: Option<String>,
    signature: Option<RawSignature>,
    #[serde(default)]
    fragments: Vec<String>,
}

#[derive(Deserialize)]
struct RawHash {
    #[serde(rename = "type")]
    kind: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSchema {
    schema_uri: String,
    mime_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSignature {
    signature_format: String,
    #[serde(rename = "detachedSignature")]
    _detached: bool,
}

#[derive(Deserialize)]
struct RawService {
    identifier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPayment {
    transaction_id: String,
    #[serde(rename = "transactionReference")]
    _reference: String,
    payment_method: String,
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReferences {
    #[serde(rename = "senderReference")]
    _sender: Option<String>,
    application_date: Option<String>,
    id_bund_de_application_id: Option<String>,
    #[serde(rename = "zustimmungZumDigitalenBescheid")]
    _consent: Option<bool>,
}

#[derive(Deserialize)]
struct RawAuthor {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "product")]
    _product: RawProduct,
}

#[derive(Deserialize)]
struct RawProduct {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "manufacturer")]
    _manufacturer: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDataSet {
    data_set_id: String,
    schema: RawSchema,
    hash: RawHash,
    #[serde(rename = "content")]
    _content: Value,
}

impl Metadata {
    /// Reads decrypted metadata.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let wrong = |kind| Problem { kind, part: Part::Metadata };
        let json: Value = serde_json::from_slice(bytes).map_err(|_| wrong(Kind::Syntax))?;
        let version = match &json["$schema"] {
            Value::Null => return Err(wrong(Kind::MissingSchema)),
            schema => schema.as_str().and_then(version).ok_or(wrong(Kind::UnsupportedSchema))?,
        };
        let raw = Raw::deserialize(&json).map_err(|_| wrong(Kind::Schema))?;
        if !raw.is_valid(version) {
            return Err(wrong(Kind::Schema));
        }
        let data = raw.content.data.ok_or(Problem { kind: Kind::MissingData, part: Part::Data })?;
        let attachments = raw.content.attachments.into_iter().map(RawAttachment::read).collect::<Option<_>>();
        Ok(Metadata {
            data: Content {
                sha512: data.hash.content,
                schema: data.schema.schema_uri,
                media_type: data.schema.mime_type,
            },
            attachments: attachments.ok_or(wrong(Kind::Schema))?,
            service: raw.service.map(|service| service.identifier),
            json,
        })
    }
}

/// The major version of a metadata schema that is understood.
fn version(schema: &str) -> Option<u32> {
    let rest = schema.strip_prefix("https://schema.fitko.de/fit-connect/metadata/")?;
    let numbers = rest.strip_suffix("/metadata.schema.json")?;
    let parts: Vec<u32> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [major @ (1 | 2), _, _] = parts.as_slice() else { return None };
    Some(*major)
}

impl Raw {
    fn is_valid(&self, version: u32) -> bool {
        let content = &self.content;
        let data = content.data.as_ref();
        let named = content.attachments.iter().flat_map(|it| it.fragments.iter().chain([&it.attachment_id]));
        let (count, ids) = (named.clone().count(), named.collect::<BTreeSet<_>>());
        content.attachments.len() <= ATTACHMENTS
            && count <= PARTS
            && ids.len() == count
            // 2.x require data; whoever writes 1.x without them is told that they are missing.
            && (data.is_some() || version == 1)
            && data.is_none_or(|data| {
                data.hash.is_valid() && data.schema.is_of(&DATA_TYPES) && is_signed_well(data.signature.as_ref())
            })
            && content.attachments.iter().all(RawAttachment::is_valid)
            && self.service.as_ref().is_none_or(|service| is_service(&service.identifier))
            && self.payment.as_ref().is_none_or(RawPayment::is_valid)
            && self.reply.as_ref().is_none_or(is_reply_channel)
            && self.references.as_ref().is_none_or(RawReferences::is_valid)
            && self.author.as_ref().is_none_or(|_| version >= 2)
            && self.data_sets.iter().all(RawDataSet::is_valid)
    }
}

const DATA_TYPES: [&str; 2] = ["application/json", "application/xml"];
const DATA_SET_TYPES: [&str; 3] = ["application/json", "application/xml", "application/jose"];

impl RawHash {
    fn is_valid(&self) -> bool {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        self.kind == "sha512" && self.content.len() == 128 && self.content.bytes().all(is_hex)
    }
}

impl RawSchema {
    fn is_of(&self, types: &[&str]) -> bool {
        types.contains(&self.mime_type.as_str()) && (1..=TEXT).contains(&self.schema_uri.len())
    }
}

impl RawAttachment {
    fn is_valid(&self) -> bool {
        uuid(&self.attachment_id).is_some()
            && ["form", "attachment", "report", "data"].contains(&self.purpose.as_str())
            && is_media_type(&self.mime_type)
            && self.hash.is_valid()
            && is_signed_well(self.signature.as_ref())
            && self.fragments.iter().all(|id| uuid(id).is_some())
    }

    fn read(self) -> Option<Attachment> {
        let id = uuid(&self.attachment_id)?;
        let fragments = self.fragments.iter().map(|id| uuid(id)).collect::<Option<Vec<_>>>()?;
        Some(Attachment {
            id,
            parts: if fragments.is_empty() { vec![id] } else { fragments },
            sha512: self.hash.content,
            media_type: self.mime_type,
            purpose: self.purpose,
            file_name: self.filename,
            description: self.description,
        })
    }
}

impl RawPayment {
    fn is_valid(&self) -> bool {
        ["GIROPAY", "PAYDIRECT", "CREDITCARD", "PAYPAL", "INVOICE", "OTHER"].contains(&&*self.payment_method)
            && ["INITIAL", "BOOKED", "FAILED", "CANCELED"].contains(&&*self.status)
            && (1..=36).contains(&self.transaction_id.chars().count())
    }
}

impl RawReferences {
    fn is_valid(&self) -> bool {
        self.application_date.as_deref().is_none_or(is_day)
            && self.id_bund_de_application_id.as_deref().is_none_or(|id| uuid(id).is_some())
    }
}

impl RawDataSet {
    fn is_valid(&self) -> bool {
        uuid(&self.data_set_id).is_some() && self.schema.is_of(&DATA_SET_TYPES) && self.hash.is_valid()
    }
}

fn is_signed_well(signature: Option<&RawSignature>) -> bool {
    let known = |it: &RawSignature| ["cms", "xml", "pdf", "asic", "json"].contains(&&*it.signature_format);
    signature.is_none_or(known)
}

/// A calendar day, `YYYY-MM-DD`.
pub(crate) fn is_day(text: &str) -> bool {
    let form = time::macros::format_description!("[year]-[month]-[day]");
    text.len() == 10 && time::Date::parse(text, &form).is_ok()
}

fn is_media_type(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.+".contains(&it))
    };
    text.len() <= 200 && text.split_once('/').is_some_and(|(kind, name)| is_part(kind) && is_part(name))
}

/// The identifier of a public service.
pub(crate) fn is_service(urn: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_rest = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"()+,.:=@;$_!*'%/?#-".contains(&byte)
    };
    let parts = urn.strip_prefix("urn:").and_then(|rest| rest.split_once(':'));
    (7..=255).contains(&urn.len())
        && parts.is_some_and(|(name, rest)| {
            (1..=32).contains(&name.len())
                && !name.starts_with('-')
                && name.bytes().all(is_name)
                && !rest.is_empty()
                && rest.bytes().all(is_rest)
        })
}

/// Names of reply channels. Another name breaks no rule of the schema, and nobody can answer by it.
const CHANNELS: [&str; 6] = ["eMail", "deMail", "fink", "elster", "idBundDeMailbox", "fitConnect"];

/// Whether a reply channel is one that is known.
pub(crate) fn is_known_channel(channel: &Value) -> bool {
    CHANNELS.iter().any(|name| channel[name].is_object())
}

fn is_reply_channel(channel: &serde_json::Map<String, Value>) -> bool {
    let mut all = channel.iter();
    let Some((name, value)) = all.next() else { return false };
    let has = |member: &str| value[member].as_str().is_some_and(|text| (1..=TEXT).contains(&text.len()));
    all.len() == 0
        && match name.as_str() {
            "eMail" | "deMail" => has("address"),
            "fink" => has("finkPostfachRef"),
            "elster" => has("accountId"),
            "idBundDeMailbox" => value["mailboxUuid"].as_str().is_some_and(|id| uuid(id).is_some()),
            "fitConnect" => {
                value["processStandards"].as_array().is_some_and(|all| !all.is_empty())
                    && PublicKey::from_value(&value["encryptionPublicKey"]).is_ok()
            }
            _ => true,
        }
}
