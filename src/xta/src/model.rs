//! What all versions of XTA 2 know, by the structures of version 3 (OSCI MessageMetaData V2.02), and what version 5 has beside them. German terms of the
//! standard where it has them: Autor (author), Leser (reader), Sender, Empfänger (recipient), Fachnachricht.

use xml::value::{Date, DateTime};

/// A version of XTA 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Web service 2.1.1.
    V3,
    /// 5.1.1, core 3.1.1.
    V5,
}

/// A party (`PartyType` without its security tokens, which are kept as they came in [`Party::tokens`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// `Identifier`: for authorities prefix and Kennung, as `ags:05974000`.
    pub id: String,
    /// `type`: the scheme of the identifier. Required by the schema; some leave it out.
    pub scheme: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `category`.
    pub category: Option<String>,
    /// Each `SecurityToken` as it came, an element that declares its namespaces itself. Version 3 only.
    pub tokens: Vec<String>,
    /// `Directory`: where the party is listed. Version 5 only, as what follows.
    pub directory: Option<Key>,
    /// `Extensions`.
    pub extensions: Vec<Extension>,
    /// Each `Certificate` as it came, an element that declares its namespaces itself.
    pub certificates: Vec<String>,
}

/// `Extension` (version 5): what some agreed upon beside the standard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extension {
    /// `Identifier`, a URI.
    pub identifier: String,
    /// `Version`.
    pub version: String,
    /// `Data` as it came, an element that declares its namespaces itself.
    pub data: String,
}

/// A code with the list that it is of (`KeyCodeType`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// `code`.
    pub code: String,
    /// `name`.
    pub name: Option<String>,
    /// `listURI`.
    pub list: String,
    /// `listVersionID`.
    pub version: String,
}

/// `BusinessScenario`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scenario {
    /// Of a list.
    Defined(Key),
    /// In words.
    Undefined(String),
}

/// `MessageMetaData`, the envelope of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetaData {
    /// `TestMsg`.
    pub is_test: bool,
    /// `DeliveryAttributes`.
    pub delivery: DeliveryAttributes,
    /// `Originators/Author`.
    pub author: Party,
    /// `Originators/Sender`.
    pub sender: Option<Party>,
    /// `Originators/ReplyTo`.
    pub reply_to: Option<Party>,
    /// `Destinations/Reader`.
    pub reader: Party,
    /// `Destinations/OtherDestinations/OtherReaders`.
    pub other_readers: Vec<Party>,
    /// `Destinations/OtherDestinations/CcReaders`.
    pub cc_readers: Vec<Party>,
    /// `MsgIdentification/MessageID`.
    pub message_id: String,
    /// `MsgIdentification/In-Reply-To`.
    pub in_reply_to: Vec<String>,
    /// `MsgIdentification/ProcessRef`, as it came.
    pub process_ref: Option<String>,
    /// `Qualifier/Subject`.
    pub subject: Option<String>,
    /// `Qualifier/Service`; some leave it empty.
    pub service: String,
    /// `Qualifier/BusinessScenario`; some leave it out.
    pub scenario: Option<Scenario>,
    /// `Qualifier/MessageType`.
    pub message_type: Key,
    /// `Qualifier/MessageType/@payloadSchema`.
    pub payload_schema: String,
    /// `MessageProperties`. In version 5 a key is of no list.
    pub properties: Vec<(Key, String)>,
    /// `AdditionalIdentifier`: other names of the message, each with its context. Version 5 only.
    pub additional_ids: Vec<(String, Key)>,
    /// `Extensions`. Version 5 only.
    pub extensions: Vec<Extension>,
    /// `MsgSize` in bytes.
    pub size: Option<u64>,
}

/// `DeliveryAttributes`: moments of a message's way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryAttributes {
    /// When its author wrote it.
    pub origin: Option<DateTime>,
    /// When its sender had it.
    pub initial_send: Option<DateTime>,
    /// Not to be delivered before.
    pub not_before: Option<DateTime>,
    /// Of no use after.
    pub obsolete_after: Option<Date>,
    /// When its recipient had it.
    pub delivery: Option<DateTime>,
    /// When its reader fetched it first.
    pub initial_fetch: Option<DateTime>,
    /// When its reader closed it.
    pub reception: Option<DateTime>,
    /// `ServiceQuality`: the service profile.
    pub service_quality: Option<String>,
    /// `ServiceQuality/Undefined`: why there is none. Version 5 only.
    pub no_quality: Option<String>,
    /// `ReceiptRequests`, as it came.
    pub receipt_requests: Option<String>,
}

/// What one content of a message says of itself (`ContentType`), beside its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// `Message`, `Attachment`, or an `EncryptedData` in place of both.
    pub role: ContentRole,
    /// `contentType`: media type.
    pub media_type: String,
    /// `contentDescription`.
    pub description: Option<String>,
    /// `encoding`: character set.
    pub encoding: Option<String>,
    /// `filename`.
    pub file_name: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `lang`.
    pub language: Option<String>,
    /// `size` in bytes, as said.
    pub size: Option<u64>,
}

/// What a content is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContentRole {
    /// The Fachnachricht.
    #[default]
    Message,
    /// An attachment.
    Attachment,
    /// The whole container encrypted by its author: a document with the root `xenc:EncryptedData`, handed on as it is.
    Encrypted,
}

/// `TransportReport`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The message.
    pub meta: MetaData,
    /// When it was asked.
    pub time: DateTime,
    /// `XTAServerIdentity`.
    pub server: String,
    /// Where the message stands.
    pub status: Status,
    /// Entries, the oldest first; each goes into the list of its severity.
    pub records: Vec<Record>,
}

/// `Status` of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: still under way.
    Open,
    /// 1: arrived, without errors or warnings.
    Green,
    /// 2: arrived, with warnings.
    Yellow,
    /// 3: came to nothing.
    Red,
}

/// An entry of a report (`RecordType`).
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The list that it stands in.
    pub severity: Severity,
    /// When.
    pub time: DateTime,
    /// Code of the list `urn:de:xta:codeliste:record.type`, whose content is not known to us: configurable names.
    pub code: String,
    /// In words.
    pub reason: String,
}

/// Lists of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// `ErrorList`.
    Error,
    /// `WarnList`.
    Warning,
    /// `InfoList`.
    Info,
}

/// Whether a service is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Availability {
    /// `ServiceIsAvailable`; nothing is `ServiceIsAvailableUnknown`.
    pub is_available: Option<bool>,
    /// `ServiceParameter`: type and resource.
    pub parameters: Vec<(Key, Vec<u8>)>,
}
