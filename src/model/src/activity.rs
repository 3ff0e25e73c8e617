//! What happens in and around a case: tasks, interactions, dispatches, decisions. Money: [`payment`](crate::payment).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::letter::{Hint, Proposal};
use crate::record::Meta;
use crate::{Id, Timestamp};

/// Something a person or unit has to do (Aufgabe). Work between units of one authority is a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Identity and ownership; `unit` is the unit that has to act.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id>,
    /// Message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Id>,
    /// Exchange it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_id: Option<Id>,
    /// Payment it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<Id>,
    /// Hand-over to an adapter (delivery) it is about: one that could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<Id>,
    /// Task it is about: one of another unit that is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Id>,
    /// What has to be done, without personal data.
    pub title: String,
    /// Why it exists: a stable code, `clarification` (Klärungsfall) or a kind of the county's own.
    pub kind: String,
    /// The unit that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// The person who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// When it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Since when it should have been done, and who was asked because of that. Gone with another time to be done by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<Overdue>,
    /// Where it stands.
    #[serde(default)]
    pub status: TaskStatus,
    /// Answer of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// What was told because a task was not done in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overdue {
    /// When it was told.
    pub since: Timestamp,
    /// The unit that was asked to see to it (Eskalation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_to: Option<String>,
    /// The task that it was asked by; while that is open, whoever has it may see this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Id>,
}

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskStatus {
    /// Nobody has taken it.
    #[default]
    Open,
    /// Somebody works on it.
    Assigned,
    /// Done.
    Done,
    /// Not needed any more.
    Cancelled,
}

impl TaskStatus {
    /// Whether somebody still has to act.
    pub fn is_open(self) -> bool {
        matches!(self, TaskStatus::Open | TaskStatus::Assigned)
    }

    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            TaskStatus::Open => "open",
            TaskStatus::Assigned => "assigned",
            TaskStatus::Done => "done",
            TaskStatus::Cancelled => "cancelled",
        }
    }
}

/// What a task on a desk is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pile {
    /// A message that waits to be clarified (Klärungsfall).
    Clarification,
    /// A letter or call that came in.
    Post,
    /// A payment.
    Money,
    /// A hand-over to a system of the house that could not be made.
    Delivery,
    /// Anything else.
    Other,
}

impl Pile {
    /// All, in the order in which desks show them.
    pub const ALL: [Pile; 5] = [Pile::Clarification, Pile::Post, Pile::Money, Pile::Delivery, Pile::Other];

    /// Name in addresses, and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Pile::Clarification => "clarification",
            Pile::Post => "post",
            Pile::Money => "money",
            Pile::Delivery => "delivery",
            Pile::Other => "task",
        }
    }

    /// The pile of this name.
    pub fn named(name: &str) -> Option<Pile> {
        Pile::ALL.into_iter().find(|pile| pile.name() == name)
    }
}

/// A contact with somebody (Vorsprache, Anruf, Schreiben), or a piece of post that came in (Sendung).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// Identity and ownership; `unit` is the unit on whose desk it lies.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case or case file it is about, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<Id>,
    /// `call`, `visit`, `mail`, `scan` or the channel's own word.
    pub kind: String,
    /// When it took place; of post: when the authority had it.
    pub at: Timestamp,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whom it says it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The documents that came with it, the letter itself first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Id>,
    /// What was recognised in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// Cases and case files that it may belong to, the surest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposal>,
    /// Why somebody has to look at it even if its case is known: stable codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concerns: Vec<String>,
    /// The telephone call that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<Call>>,
    /// What proves how it came in: identifiers and states, no content.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub proof: Value,
    /// Where it stands.
    #[serde(default)]
    pub status: InteractionStatus,
}

/// A telephone call (Telefonat).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// Who called whom.
    pub direction: CallDirection,
    /// The other side's number by E.164, such as `+492921300`. It names nobody: whoever calls can make any number appear. Absent: withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The extension (Nebenstelle) of the person in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Where it stands.
    pub state: CallState,
    /// Seconds until it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
    /// Seconds that were spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// The telephone system's identifier of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The task of calling back that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
}

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallDirection {
    /// Somebody called the house.
    Incoming,
    /// The house called somebody.
    Outgoing,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallState {
    /// Somebody of the house wants to call.
    Wanted,
    /// It rings.
    Ringing,
    /// It is spoken.
    Answered,
    /// It was spoken, and is over.
    Ended,
    /// Nobody took it.
    Missed,
    /// It was engaged.
    Busy,
    /// The caller asks to be called back.
    CallBack,
    /// It could not be made.
    Failed,
    /// It is over, and nobody saw how it ended: whether somebody took it is not known.
    Unknown,
}

impl CallState {
    /// Whether nothing more is to come.
    pub fn is_over(self) -> bool {
        !matches!(self, CallState::Wanted | CallState::Ringing | CallState::Answered)
    }
}

/// State of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum InteractionStatus {
    /// It lies on a desk: somebody has to say what it is about.
    #[default]
    Open,
    /// It is in its case.
    Filed,
    /// It needs no case, such as advertising.
    Dismissed,
}

impl InteractionStatus {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            InteractionStatus::Open => "open",
            InteractionStatus::Filed => "filed",
            InteractionStatus::Dismissed => "dismissed",
        }
    }
}

/// Something sent to a party (Versand).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dispatch {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it belongs to.
    pub case_id: Id,
    /// Legal kind.
    pub kind: DispatchKind,
    /// Documents that were sent, in this order.
    #[serde(default)]
    pub documents: Vec<Id>,
    /// What a notification says by itself, without content of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// Not before this time (Ruhezeit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The ways that are tried next, in this order, if this one comes to nothing. Only of a notification without documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub otherwise: Vec<String>,
    /// How it goes: `print`, `hybrid`, `mail` or the channel's own word; absent: not by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// The dispatch that came to nothing and that it goes instead of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Id>,
    /// Whom it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Addressee>,
    /// How it shall be made and carried.
    #[serde(default)]
    pub options: DispatchOptions,
    /// What whoever carries it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where it stands, by its latest step.
    #[serde(default)]
    pub status: DispatchStatus,
    /// What is known of its way, oldest first.
    #[serde(default)]
    pub steps: Vec<DispatchStep>,
    /// What proves steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<StepProof>,
    /// What of its documents lies on the citizens' pages, as it was when it was laid there: nothing that comes to a document later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<Provided>,
}

impl Dispatch {
    /// Whether it is a notification that brings no document: only that may go by another way by itself.
    pub fn is_mere_notice(&self) -> bool {
        self.kind == DispatchKind::Notification && self.documents.is_empty()
    }
}

/// What of a document was provided (Bereitstellung): the files of the version that was its newest then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provided {
    /// The document.
    pub document: Id,
    /// Number of the version.
    pub version: String,
    /// SHA-256 of each of its files, hex, in their order.
    pub sha256: Vec<String>,
}

/// What a notification (Mitteilung) says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notice {
    /// Subject, on one line of at most 200 characters.
    pub subject: String,
    /// Text, at most 4,000 characters.
    pub text: String,
    /// Where more is to be read: an address of the citizens' pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Whom something is sent to: by post, or by e-mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Addressee {
    /// Lines of the address as they are printed above postal code and city: name, street; at most six of 80 characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Country by ISO 3166-1 alpha-2; absent: Germany.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Address of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Electronic mailbox (Postfach), as the party of the case has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// Telephone number by E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Addressee {
    /// Whether it says what a way needs to reach somebody. What other ways need they know themselves.
    pub fn is_reached_by(&self, way: &str) -> bool {
        match way {
            "mail" => self.email.is_some(),
            "call" => self.phone.is_some(),
            "fit-connect" => self.mailbox.is_some(),
            "print" | "hybrid" | "letter" => !self.lines.is_empty(),
            _ => true,
        }
    }
}

/// How something sent is made and carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DispatchOptions {
    /// Registered mail (Einschreiben), in the carrier's word; absent: ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<String>,
    /// Printed in colour.
    pub colour: bool,
    /// Printed on both sides.
    pub duplex: bool,
    /// With a sheet of its own for the address.
    pub cover_page: bool,
}

/// What proves a step (Nachweis).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepProof {
    /// The step.
    pub step: DispatchStep,
    /// What it is.
    pub kind: ProofKind,
    /// The document that is it, within the tree of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Id>,
}

/// Kinds of proof of a formal service, and of any step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProofKind {
    /// Postzustellungsurkunde (§ 3 VwZG, § 182 ZPO).
    PostalRecord,
    /// Einschreiben: Rückschein or Beleg (§ 4 VwZG).
    RegisteredMail,
    /// Empfangsbekenntnis (§ 5 VwZG).
    Acknowledgement,
    /// Abholbestätigung of an electronic mailbox (§ 5a VwZG), or another record of a retrieval.
    RetrievalRecord,
    /// An event that whoever carries it has signed (Security Event Token of FIT-Connect).
    SignedEvent,
}

/// Where something sent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DispatchStatus {
    /// Nobody carries it yet.
    #[default]
    Open,
    /// Whoever carries it has it.
    Accepted,
    /// It was posted (zur Post gegeben).
    Posted,
    /// It was made available to its recipient.
    Provided,
    /// Its recipient has fetched it.
    Retrieved,
    /// It came back.
    Returned,
    /// Whoever was to carry it did not.
    Failed,
}

impl DispatchStatus {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            DispatchStatus::Open => "open",
            DispatchStatus::Accepted => "accepted",
            DispatchStatus::Posted => "posted",
            DispatchStatus::Provided => "provided",
            DispatchStatus::Retrieved => "retrieved",
            DispatchStatus::Returned => "returned",
            DispatchStatus::Failed => "failed",
        }
    }
}

/// Legal kind of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DispatchKind {
    /// Mitteilung.
    Notification,
    /// Bekanntgabe (§ 41 VwVfG).
    Disclosure,
    /// Zustellung (VwZG).
    FormalService,
}

/// One step on a dispatch's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DispatchStep {
    /// What happened; never `open`.
    pub kind: DispatchStatus,
    /// When.
    pub at: Timestamp,
}

/// A decision on the merits (Bescheid). Only a person's or line system's word becomes one: a
/// technical return never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Identity and ownership.
    #[serde(flatten)]
    pub meta: Meta,
    /// Case it decides.
    pub case_id: Id,
    /// `granted`, `refused`, `partly-granted`, `withdrawn`.
    pub outcome: String,
    /// The document that states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Id>,
    /// When it was taken.
    pub at: Timestamp,
}
