//! An exchange of records with another authority, and the process its messages belong to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{Disposition, Extensions};
use crate::circulation::Route;
use crate::file_plan::FilePlan;
use crate::process::{Part, Waits};
use crate::record::{Meta, RecordKind};
use crate::standard::Sequence;
use crate::{Authority, Id, Timestamp};

/// What an exchange is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExchangeKind {
    /// Abgabe (xdomea 0401): the file moves; the source locks what was confirmed.
    Handover,
    /// Aktenvorlage (xdomea 0101): the file stays.
    Submission,
    /// Geschäftsgang (xdomea 0201): documents go from station to station along a route.
    Circulation,
    /// Aussonderung (xdomea 0501 to 0507): records are offered to the archive, appraised and transferred.
    Disposition,
    /// Austausch eines Aktenplans (xdomea 0301).
    FilePlan,
    /// Bewertung eines Aktenplans (xdomea 0511 to 0515): the archive appraises units before any record is offered.
    Catalogue,
}

/// Which side of the exchange this record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Ours goes out.
    Sender,
    /// Theirs came in.
    Receiver,
}

/// An exchange with another authority (Austausch). Each side has its own record; the process id
/// (ProzessID) is common to both and to all messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// What it is for.
    pub kind: ExchangeKind,
    /// Which side we are.
    pub side: Side,
    /// The other authority.
    pub partner: Authority,
    /// ProzessID.
    pub process_id: Id,
    /// Message standard, such as `xdomea`.
    pub standard: String,
    /// Version of the standard, such as `3.1.0`. (`version` counts the record's changes.)
    pub standard_version: String,
    /// Where it stands.
    #[serde(default)]
    pub status: ExchangeStatus,
    /// Whether the receiver was asked for a receipt of what we send, or the sender asks us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants_receipt: bool,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
    /// The root objects and what became of each.
    pub objects: Vec<ExchangeObject>,
    /// Objects below these whose appraisal is another than that of what they lie in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<AppraisedObject>,
    /// That what was disposed of be destroyed, where a second one has to agree and has not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destruction_asked: Option<DestructionAsked>,
    /// The way of the documents, in a circulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Box<Route>>,
    /// The file plan that is exchanged or appraised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_plan: Option<Box<FilePlan>>,
    /// Messages of the process in the order in which they came or went.
    #[serde(default)]
    pub messages: Vec<ExchangeMessage>,
    /// What the message said beside its objects, such as its header and cover letter, by standard.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// State of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExchangeStatus {
    /// The message is being built or is on its way.
    #[default]
    Sending,
    /// Handed to the receiver's mailbox or transport.
    Sent,
    /// The receiver has durably taken it in (0403, 0102).
    Received,
    /// The archive has appraised what was offered (0502, 0513).
    Appraised,
    /// What was appraised for the archive is being built or is on its way (0503).
    Transferring,
    /// It has been handed to the archive's mailbox or transport.
    Transferred,
    /// The archive has durably taken it in (0507).
    TransferReceived,
    /// The receiver's record-keeping system has imported every object (0402, 0506); a circulation has come to its end.
    Confirmed,
    /// It has imported some objects and refused others.
    PartlyConfirmed,
    /// It has refused all objects.
    Refused,
    /// The message came back for a technical reason.
    Returned,
}

/// A root object of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeObject {
    /// Kind of record.
    pub kind: RecordKind,
    /// The record here.
    pub id: Id,
    /// Topmost record of the tree it lies in.
    pub root: Id,
    /// Its UUID in the messages.
    pub object_id: Id,
    /// What the archive decided of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appraisal: Option<Appraisal>,
    /// The record as it was offered, where another came with the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Id>,
    /// When its destruction was begun: from then on no other appraisal of it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destruction_begun: Option<Timestamp>,
    /// When it was destroyed here, with everything in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<Timestamp>,
    /// Code of the error for which it was not destroyed when that was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_destroyed: Option<String>,
    /// What the receiving record-keeping system said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ImportResult>,
}

/// What the record-keeping system said of one imported object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportResult {
    /// Whether the import succeeded.
    pub successful: bool,
    /// Reasons if not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// The receiver's own record reference, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_reference: Option<String>,
    /// What the archive calls it (Archivkennung).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_reference: Option<String>,
}

/// What a message says of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportResults {
    /// Of everything that came: it holds for each object of which nothing is said, or only what it is called.
    pub whole: Option<ImportResult>,
    /// By the object's UUID in the messages.
    pub objects: Vec<(Id, ImportResult)>,
}

/// What the archive decided of an object (Bewertung): one of the two is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Appraisal {
    /// Aussonderungsart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// One that both sides have agreed on (AussonderungsartKonfigurierbar).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

/// An object below the roots of an exchange, with its own appraisal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppraisedObject {
    /// Kind of record.
    pub kind: RecordKind,
    /// The record here.
    pub id: Id,
    /// Topmost record of the tree it lies in.
    pub root: Id,
    /// The object that was offered and that it lies in; absent in exchanges of versions that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Id>,
    /// Its UUID in the messages.
    pub object_id: Id,
    /// What the archive decided of it.
    pub appraisal: Appraisal,
}

/// A request that a second one has to agree to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DestructionAsked {
    /// Who has asked: an actor's id.
    pub by: String,
    /// What is to be destroyed: UUIDs of objects.
    pub objects: Vec<Id>,
}

impl Appraisal {
    /// One of the usual three.
    pub fn of(disposition: Disposition) -> Self {
        Appraisal { disposition: Some(disposition), other: None }
    }
}

impl ExchangeObject {
    /// An object that nothing is known of yet.
    pub fn new(kind: RecordKind, id: Id, root: Id, object_id: Id) -> Self {
        ExchangeObject {
            kind,
            id,
            root,
            object_id,
            appraisal: None,
            offered: None,
            destruction_begun: None,
            destroyed_at: None,
            not_destroyed: None,
            result: None,
        }
    }

    /// Whether the archive decided this of it.
    pub fn is_appraised(&self, as_what: Disposition) -> bool {
        self.appraisal.as_ref().is_some_and(|appraisal| appraisal.disposition == Some(as_what))
    }

    /// Whether something of it may be gone, so that it is too late for another appraisal.
    pub fn is_fixed(&self) -> bool {
        self.destruction_begun.is_some() || self.destroyed_at.is_some() || self.not_destroyed.is_some()
    }

    /// Whether its import was confirmed.
    pub fn is_imported(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.successful)
    }
}

/// Most messages of an exchange: an offer and a transfer of a thousand messages each, their receipts and much beside. Whoever may
/// repeat a reply under a new id must not make it grow for ever.
pub const MOST_MESSAGES: usize = 5_000;

/// A message of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeMessage {
    /// The message.
    pub id: Id,
    /// Its type, such as `0401`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// When it went or came.
    pub at: Timestamp,
    /// Which of several it is, if there are several of its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
}

impl ExchangeMessage {
    /// A message that is the only one of its type.
    pub fn new(id: Id, message_type: &str, at: Timestamp) -> Self {
        ExchangeMessage { id, message_type: message_type.to_owned(), at, sequence: None }
    }
}

/// How an exchange is looked up: by its process and our side of it.
pub fn process_name(process_id: Id, side: Side) -> (String, String) {
    let kind = match side {
        Side::Sender => "process-sent",
        Side::Receiver => "process-received",
    };
    (kind.to_owned(), process_id.to_string())
}

impl Exchange {
    /// See [`process_name`].
    pub fn name(&self) -> (String, String) {
        process_name(self.process_id, self.side)
    }

    /// The objects whose import the receiver has to report on: of a disposition those that go to the archive.
    pub fn sent_objects(&self) -> impl Iterator<Item = &ExchangeObject> {
        let all = self.kind != ExchangeKind::Disposition;
        self.objects.iter().filter(move |object| all || object.is_appraised(Disposition::Archive))
    }

    /// The state that the objects' results add up to; unchanged while any is missing. An archive reports once: what it says
    /// nothing of was not taken.
    pub fn status_by_results(&self) -> ExchangeStatus {
        let all_came = self.side == Side::Sender || self.is_whole(Part::Transfer);
        if !all_came {
            return self.status;
        }
        let reports_once = self.kind == ExchangeKind::Disposition && self.side == Side::Sender;
        let mut all = vec![];
        for object in self.sent_objects() {
            match &object.result {
                None if !reports_once => return self.status,
                _ => all.push(object.is_imported()),
            }
        }
        if all.iter().all(|ok| *ok) {
            ExchangeStatus::Confirmed
        } else if all.iter().any(|ok| *ok) {
            ExchangeStatus::PartlyConfirmed
        } else {
            ExchangeStatus::Refused
        }
    }

    /// Whether the receiver has confirmed the import of the root object `id`.
    pub fn is_confirmed(&self, id: Id) -> bool {
        self.objects.iter().any(|object| object.id == id && object.is_imported())
    }

    /// Whether it disposes of what it has offered: of what goes out, as long as it has not come back.
    pub fn disposes(&self) -> bool {
        self.side == Side::Sender
            && self.kind == ExchangeKind::Disposition
            && self.status != ExchangeStatus::Returned
    }

    /// What is appraised otherwise in an object, or, if it goes to the archive by itself, in what it lies in.
    pub fn exceptions_of<'a>(
        &'a self,
        object: &'a ExchangeObject,
    ) -> impl Iterator<Item = &'a AppraisedObject> {
        let own = self.exceptions.iter().find(|it| it.id == object.id);
        let offered = own.and_then(|own| own.within).unwrap_or(object.id);
        self.exceptions.iter().filter(move |it| match it.within {
            Some(within) => within == offered,
            None => it.root == object.root,
        })
    }

    /// Whether an object was offered, appraised, and taken by the archive if it went there; and so was everything below it.
    pub fn is_disposed(&self, object: &ExchangeObject) -> bool {
        let is_taken = |uuid: Id| self.objects.iter().any(|it| it.object_id == uuid && it.is_imported());
        let is_over = |uuid: Id, disposition: Option<Disposition>| match disposition {
            Some(Disposition::Archive) => is_taken(uuid),
            Some(Disposition::Destroy) => true,
            _ => false,
        };
        let own = object.appraisal.as_ref().and_then(|appraisal| appraisal.disposition);
        let mut below = self.exceptions_of(object);
        self.disposes()
            && is_over(object.object_id, own)
            && below.all(|it| is_over(it.object_id, it.appraisal.disposition))
    }

    /// Whether the record `id`, which was put into this disposition, still is what was offered because nobody may change it: until
    /// it has come back, was not worth it and is not to be destroyed, or was refused by the archive.
    pub fn keeps(&self, id: Id) -> bool {
        use ExchangeStatus::{Confirmed, PartlyConfirmed, Received, Refused, Sending, Sent};
        let Some(object) = self.objects.iter().find(|object| object.id == id) else { return false };
        let below = self.exceptions_of(object).map(|it| &it.appraisal);
        let decided = [Some(Disposition::Archive), Some(Disposition::Destroy)];
        let mut appraisals = object.appraisal.iter().chain(below);
        let goes = match self.status {
            Sending | Sent | Received => true,
            Confirmed | PartlyConfirmed | Refused => self.is_disposed(object),
            _ => appraisals.any(|appraisal| decided.contains(&appraisal.disposition)),
        };
        self.disposes() && object.destroyed_at.is_none() && goes
    }

    /// Whether the documents of a circulation come back here: the last step of its route is ours; where it names no authority,
    /// that of whoever drew the route up.
    pub fn comes_back(&self) -> bool {
        let Some(route) = &self.route else { return false };
        let Some(last) = route.last() else { return false };
        match &last.order.to.authority {
            Some(authority) => *authority == self.meta.authority,
            None => route.steps.first().is_some_and(|first| first.order.by == last.order.to),
        }
    }

    /// The documents that go along a route, without what only accompanies them.
    pub fn main_documents(&self) -> impl Iterator<Item = &ExchangeObject> {
        let attachments = self.route.as_ref().map(|route| route.attachments.as_slice()).unwrap_or_default();
        let documents = self.objects.iter().filter(|object| object.kind == RecordKind::Document);
        documents.filter(move |object| !attachments.contains(&object.object_id))
    }

    /// Whether the documents that came along a route have gone on from here, or ended here.
    pub fn has_passed_on(&self) -> bool {
        self.kind == ExchangeKind::Circulation
            && self.side == Side::Receiver
            && self.status == ExchangeStatus::Confirmed
    }

    /// Whether what it sent is still under way along its route.
    pub fn is_under_way(&self) -> bool {
        use ExchangeStatus::{Received, Sending, Sent};
        self.kind == ExchangeKind::Circulation
            && self.side == Side::Sender
            && matches!(self.status, Sending | Sent | Received)
    }
}
