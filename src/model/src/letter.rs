//! A piece of post (Sendung) as it comes in: a scanned letter, an e-mail. What is known of it decides whether it goes into a case at once or
//! onto the desk of a unit, with proposals. Applications, reports and calls come in the same way, and may open a case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activity::Call;
use crate::case::{Description, File, Location};
use crate::{Id, Timestamp};

/// From this confidence on, a single case that is named is the right one.
pub const SURE: u8 = 90;

/// A piece of post.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Letter {
    /// Makes it known: the same key of the same adapter is the same letter. At most 200 bytes.
    pub key: String,
    /// How it came: `scan`, `mail` or the channel's own word.
    pub way: String,
    /// When the authority had it, which deadlines count from: never the time it was fetched.
    pub received_at: Timestamp,
    /// What it says it is about.
    pub subject: Option<String>,
    /// Whom it says it comes from.
    pub from: Option<String>,
    /// What is in it, the letter itself first. A call has none.
    pub documents: Vec<Enclosure>,
    /// The case that it opens if none is named: of an application, a report.
    pub opens: Option<Box<NewCase>>,
    /// The call that it is.
    pub call: Option<Box<Call>>,
    /// What was recognised.
    pub hints: Vec<Hint>,
    /// What proves how it came in (original e-mail, batch, Transfervermerk), told on the time line: identifiers and states, no content.
    pub proof: serde_json::Value,
    /// Why a human has to look at it although its case is known: stable codes, each with a page of its own.
    pub concerns: Vec<&'static str>,
}

/// A case that a letter opens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewCase {
    /// Its unit; absent: the one on whose desk the letter would lie.
    pub unit: Option<String>,
    /// Its public service (Leistung).
    pub public_service: Option<String>,
    /// Title, references, parties and so on.
    pub description: Description,
    /// Places that it is about.
    pub locations: Vec<Location>,
}

/// One document of a letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Enclosure {
    /// Title.
    pub title: String,
    /// Kind of document (Dokumenttyp).
    pub kind: Option<String>,
    /// Its bytes in one or more forms, kept before by [`Host::keep`](crate::adapter::Host::keep); names unique within the document.
    pub files: Vec<File>,
}

/// Something in a letter that says where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// What was recognised.
    pub kind: HintKind,
    /// As it was recognised, white space normalised.
    pub value: String,
    /// How sure it is, in per cent.
    pub confidence: u8,
    /// Where it stood, such as `separator`, `page 1`, `subject`.
    pub place: String,
}

/// What a hint names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HintKind {
    /// Aktenzeichen, or another reference of a case.
    RecordReference,
    /// Kassenzeichen.
    CashReference,
    /// Telephone number of a party, by E.164. Whoever calls can make any appear: never sure.
    Phone,
    /// Organisational unit.
    Unit,
    /// The person or office it is for, in words.
    Recipient,
}

/// A case that a letter may belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The case or case file.
    pub record: Id,
    /// How sure it is, in per cent.
    pub confidence: u8,
    /// What says so.
    pub because: HintKind,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenIn {
    /// The contact that it is from now on.
    pub interaction: Id,
    /// The case that it went into; none while a clerk has to decide.
    pub case: Option<Id>,
    /// Whether it had been taken in before.
    pub again: bool,
}
