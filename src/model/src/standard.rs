//! What a message standard (xdomea, XBau …) does for the broker: identify, check, read, write.
//!
//! The calls are synchronous and may take long: the broker runs them on threads kept for that.

use std::io::{Read, Seek, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::circulation::Route;
use crate::event::PayloadRef;
use crate::exchange::{Appraisal, ExchangeKind, ImportResults};
use crate::file_plan::FilePlan;
use crate::message::Report;
use crate::record::Record;
use crate::{Authority, Failure, Id, RecordKind};

/// Bytes of a message or container: readable, and seekable because a ZIP's directory is at its end.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// What a message says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Standard, such as `xdomea`.
    pub standard: String,
    /// Its version.
    pub version: String,
    /// Type of the message, such as `0401`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Full name of the type, such as `Abgabe.Abgabe.0401`.
    pub name: String,
    /// Process it belongs to (ProzessID). Where the standard gives each message an id of its own instead, that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<Id>,
    /// Its own id, where the standard gives each message one beside the process (nachrichtenUUID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Id>,
    /// Which of the messages of its type in the process it is, where the standard allows several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// When it says it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<crate::Timestamp>,
    /// What it is about in words, where its standard says so in a known place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The message that it answers, by the own id of that, where the standard gives messages own ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Id>,
    /// What it says if it acknowledges the message that it answers, or says why not; known once the message was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<Acknowledgement>,
    /// Who says to have sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Endpoint>,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Endpoint>,
    /// Whether the sender asks for a receipt (Empfangsbestätigung).
    #[serde(default)]
    pub wants_receipt: bool,
    /// Whether the sender asks what the archive calls each object (RueckmeldungArchivkennung).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants_archive_references: bool,
    /// Whether it came in a container (ZIP).
    #[serde(default)]
    pub container: bool,
    /// Whether it says of itself that it is a test: then it touches no case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// The place of a message among those of its type in its process (LfdNrNachrichtProTyp,
/// GesamtanzahlNachrichtenProTyp of xdomea 4.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    /// Its number, from 1.
    pub number: u32,
    /// How many there are, at most.
    pub total: u32,
}

impl Default for Sequence {
    fn default() -> Self {
        Sequence { number: 1, total: 1 }
    }
}

/// An acknowledgement of a single message (such as the Empfangsbekenntnis of XJustiz).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// The day of receipt, `YYYY-MM-DD`, maybe with a zone, if it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// If receipt is not acknowledged: the code of the reason, empty if it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An authority as a message names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Behördenkennung, if given in a usable form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Name of the institution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Organisational unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What a checked message means for the case model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// Records come in; they went to the [`Intake`]. In a disposition they are the transfer to the archive (0503).
    Records(ExchangeKind),
    /// Records are offered to the archive (0501): described, without their files. They went to the [`Intake`].
    Offer,
    /// Documents come in along a route (0201). They and what accompanies them went to the [`Intake`].
    Circulation(Box<Route>),
    /// The receiver has durably taken in our message.
    Receipt,
    /// The receiver's record-keeping system or archive reports on the import.
    ImportResults(ImportResults),
    /// The archive has appraised what it was offered, by the UUIDs of records (0502) or units of a file plan (0513).
    Appraisals(Vec<(Id, Appraisal)>),
    /// A file plan comes in, for information (0301).
    FilePlan(Box<FilePlan>),
    /// A file plan comes in to be appraised (0511).
    FilePlanToAppraise(Box<FilePlan>),
    /// A case of the receiver comes into being from what the message says, such as an invoice: it belongs to no exchange, and nothing
    /// is answered. Its records went to the [`Intake`].
    Facts,
    /// Understood as far as it can be carried on, but it changes no case.
    CarryOn,
}

/// Where a standard puts what it reads. Nothing is kept in memory beyond the object in hand.
pub trait Intake {
    /// Takes one file of the container in; called for every file before the objects that name it. What
    /// a standard keeps beside a record comes as a file too where it is too large for the record.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<PayloadRef, Failure>;

    /// Takes one object in. Children come before their parents.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn object(&mut self, object: Object) -> Result<(), Failure>;

    /// Takes in what the message says beside its objects: header, cover letter, files that no object
    /// names. Called once, last. Needed only to write the same message again, by [`Records::message`].
    ///
    /// # Errors
    /// If it cannot be stored.
    fn message(&mut self, extension: serde_json::Value) -> Result<(), Failure> {
        let _ = extension;
        Ok(())
    }
}

/// A record as it stands in a message: identified by the message's own UUIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// UUID in the message.
    pub object_id: Id,
    /// UUIDs of the objects it lies in, outermost first; empty for a root object.
    pub ancestors: Vec<(RecordKind, Id)>,
    /// The record. Its `meta` is a placeholder (see [`placeholder`]) that the broker fills in; links to
    /// parents are set by the broker too.
    pub record: Record,
}

/// The `meta` that a standard puts into the records it reads: the nil id, to be filled in.
pub fn placeholder() -> crate::record::Meta {
    crate::record::Meta {
        id: Id::nil(),
        tenant: String::new(),
        authority: Authority::nobody(),
        unit: String::new(),
        public_service: None,
        root: Id::nil(),
        version: 0,
        created_at: crate::Timestamp::default(),
        updated_at: crate::Timestamp::default(),
    }
}

/// A message that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What it says.
    pub content: OutgoingContent,
    /// Version of the standard to write.
    pub version: String,
    /// Process it belongs to.
    pub process_id: Id,
    /// Who sends it.
    pub sender: Endpoint,
    /// Whom it is for.
    pub recipient: Endpoint,
    /// When it was created.
    pub created_at: crate::Timestamp,
    /// Its own id, for versions that give each message one.
    pub message_id: Id,
    /// Its place among those of its type, for versions that say it.
    pub sequence: Sequence,
    /// Whether a receipt is asked for.
    pub wants_receipt: bool,
    /// Whether the archive is asked what it calls each object.
    pub wants_archive_references: bool,
    /// Type of the message answered, such as `0401`, for everything that answers one.
    pub answers: Option<String>,
    /// Own id of the message answered, if it has one.
    pub answers_id: Option<Id>,
}

/// What an outgoing message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutgoingContent {
    /// The records of the [`Records`] given beside it. In a disposition: the transfer to the archive (0503).
    Records(ExchangeKind),
    /// The records of the [`Records`] given beside it are offered to the archive, without their files (0501).
    Offer,
    /// The documents of the [`Records`] given beside it go along a route (0201).
    Circulation(Box<Route>),
    /// The receipt of the message named by `answers`.
    Receipt,
    /// The result of the import of the message named by `answers`.
    ImportResults(ImportResults),
    /// The appraisal of what the message named by `answers` offered: records (0501) or units of a file plan (0511).
    Appraisals(Vec<(Id, Appraisal)>),
    /// A file plan, for information (0301).
    FilePlan(Box<FilePlan>),
    /// A file plan to be appraised (0511).
    FilePlanToAppraise(Box<FilePlan>),
}

/// The records of an outgoing message, fetched one at a time.
pub trait Records {
    /// The root objects, in order.
    fn roots(&mut self) -> Vec<Id>;

    /// One record.
    ///
    /// # Errors
    /// If it cannot be read.
    fn record(&mut self, id: Id) -> Result<Record, Failure>;

    /// What lies directly in it, by kind and then position.
    ///
    /// # Errors
    /// If it cannot be read.
    fn children(&mut self, id: Id) -> Result<Vec<(RecordKind, Id)>, Failure>;

    /// The bytes of a file.
    ///
    /// # Errors
    /// If they cannot be read.
    fn open(&mut self, payload: &PayloadRef) -> Result<Box<dyn Read + '_>, Failure>;

    /// What [`Intake::message`] was given, if the same message is written again. A new message has none:
    /// what one sender wrote beside the objects is not for the next receiver.
    ///
    /// # Errors
    /// If it cannot be read.
    fn message(&mut self) -> Result<Option<serde_json::Value>, Failure> {
        Ok(None)
    }
}

/// The message by which another one is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejecting {
    /// Its own id.
    pub message_id: Id,
    /// When it was created.
    pub created_at: crate::Timestamp,
    /// Addresses and contacts of the authority that rejects, for standards that ask for them.
    pub by: crate::party::Party,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the message says it is.
    pub identity: Identity,
    /// The name that the standard prescribes for the file or container.
    pub file_name: String,
    /// What the version has no place for: left out, or carried in an extension.
    pub report: Report,
}

/// A message standard.
pub trait Standard: Send + Sync {
    /// Name, such as `xdomea`.
    fn name(&self) -> &'static str;

    /// Whether messages whose identity names this standard are its own. One object may serve many standards.
    fn is_of(&self, standard: &str) -> bool {
        self.name() == standard
    }

    /// Versions that can be written, newest first.
    fn writes(&self) -> &'static [&'static str];

    /// Whether messages of exchanges of `kind` are written in `version`, one of those that are.
    fn carries(&self, version: &str, kind: ExchangeKind) -> bool {
        let _ = (version, kind);
        true
    }

    /// Identifies a message or container by its head alone; `None` if it is not of this standard or
    /// cannot be read so far. Cheap: doors call it before they answer, to find the message's own id.
    ///
    /// # Errors
    /// Only if the bytes cannot be read from their store.
    fn identify(&self, source: &mut dyn Source, file_name: Option<&str>)
    -> Result<Option<Identity>, Failure>;

    /// Identifies and checks a message or container; every finding goes into `report`. `None` if the
    /// bytes are not of this standard, or too broken to tell; then findings say why they are broken.
    ///
    /// # Errors
    /// Only if the bytes cannot be read from their store; whatever is wrong with them is a finding.
    fn check(
        &self,
        source: &mut dyn Source,
        file_name: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure>;

    /// Reads a message that [`check`](Standard::check) found acceptable into `intake`.
    ///
    /// # Errors
    /// If reading or storing fails.
    fn read(&self, source: &mut dyn Source, intake: &mut dyn Intake) -> Result<Meaning, Failure>;

    /// Writes a message or container.
    ///
    /// # Errors
    /// If the version is not written, or reading or writing fails.
    fn write(
        &self,
        message: &Outgoing,
        records: &mut dyn Records,
        out: &mut dyn Write,
    ) -> Result<Written, Failure>;

    /// Writes the message by which the standard says that another cannot be accepted, if it has one: `source` goes back with the
    /// errors of `report`. `None` if it has none, or says nothing to this message; nobody rejects a rejection.
    ///
    /// # Errors
    /// If reading or writing fails.
    fn rejection(
        &self,
        rejecting: &Rejecting,
        report: &Report,
        source: &mut dyn Source,
        out: &mut dyn Write,
    ) -> Result<Option<Written>, Failure> {
        let _ = (rejecting, report, source, out);
        Ok(None)
    }
}
