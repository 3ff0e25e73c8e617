//! What an intermediary has to remember and to reach. Each function returns after its effect is durable; none of them
//! knows the protocol.

use std::io::{Read, Write};

use seal::x509::Certificate;
use seal::xmlenc::Plaintext;
use serde::{Deserialize, Serialize};

use super::inspect::Inspected;
use crate::message::Role;
use crate::{Error, Result};

/// A dialog, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Its `ConversationId`.
    pub conversation: String,
    /// Grows with each change; a change names the version that it was made from.
    pub version: u64,
    /// Where it stands.
    pub state: DialogState,
}

/// Where a dialog stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogState {
    /// The client's cipher certificate, DER: answers are encrypted for it, and it is the address of the mailbox.
    #[serde(with = "base64_text")]
    pub cipher: Vec<u8>,
    /// SHA-256 of the certificate that signed the first order, if it was signed: nobody else may go on.
    pub signer: Option<String>,
    /// `SequenceNumber` of the next order.
    pub next: u32,
    /// Our last challenge.
    pub challenge: String,
    /// Deliveries handed out with the last answer; the next order proves that they have arrived.
    pub handed_out: Vec<String>,
    /// Whether the client knows IVs of 12 bytes.
    pub knows_short_iv: bool,
    /// The delivery that was begun to be handed out in chunks: further chunks are of it.
    #[serde(default)]
    pub fetching: Option<String>,
    /// Whether it began in an envelope of encryption: then it goes on in one. Who cannot read the answers, and so our
    /// challenges, cannot go on; in the clear anybody could.
    pub is_sealed: bool,
}

/// A delivery that is taken in.
#[derive(Debug)]
pub struct NewDelivery<'a> {
    /// Its message id; it was issued here and is used up with the delivery.
    pub message_id: &'a str,
    /// Whose mailbox it is for.
    pub addressee: &'a Certificate,
    /// The client's cipher certificate: who sent it.
    pub originator: Option<&'a Certificate>,
    /// Subject.
    pub subject: Option<&'a str>,
    /// What was found out about the certificates.
    pub inspections: &'a [Inspected],
    /// It is passed on to a passive recipient at once, and nobody fetches it.
    pub is_passed_on: bool,
    /// It came in these chunks, which are not needed any more once it is taken in.
    pub whole: Option<Whole<'a>>,
}

/// A message that comes in chunks. Chunks of different senders never meet, even under the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<'a> {
    /// Who brings it: a text without white space, at most 100 bytes.
    pub sender: &'a str,
    /// The message id that the whole will use up.
    pub message_id: &'a str,
}

/// A chunk that is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewChunk<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// Its bytes.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub digest: &'a [u8],
    /// How many chunks the whole has.
    pub total_chunks: u32,
    /// Size of the whole as announced, in units of 1,024 bytes.
    pub total_size: u64,
}

/// What is here of a message that comes in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// How many chunks it has, as the first of them said.
    pub total_chunks: u32,
    /// Size of the whole in units of 1,024 bytes, as the first of them said.
    pub total_size: u64,
    /// When the first of them came, in seconds since 1970-01-01 UTC.
    pub creation: i64,
    /// When the last of them came.
    pub modification: i64,
    /// The whole has become a delivery.
    pub is_taken_in: bool,
    /// The chunks that are here, by their numbers. Of a whole that was taken in, all.
    pub chunks: Vec<ArrivedChunk>,
}

/// A chunk that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedChunk {
    /// Its number, from 1.
    pub number: u32,
    /// Its bytes.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub digest: Vec<u8>,
}

/// A delivery that may be handed out.
#[derive(Debug)]
pub struct Found {
    /// What is known of it.
    pub card: Card,
    /// There are more that are meant.
    pub more: bool,
    /// Its package as it was taken in.
    pub package: Plaintext,
}

/// What became of a call to a passive recipient.
#[derive(Debug)]
pub enum Call {
    /// He answered.
    Answered(Plaintext),
    /// He was certainly not reached.
    NotReached,
    /// Nobody knows whether he was reached.
    Unknown,
}

/// Why a delivery was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The message id was not issued here, or was used before.
    MessageId,
    /// Nobody here has this mailbox.
    NoMailbox,
    /// The mailbox holds as much as it may.
    Full,
}

/// What is known of a delivery beside its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its message id.
    pub message_id: String,
    /// Subject.
    pub subject: Option<String>,
    /// When it was taken in, in seconds since 1970-01-01 UTC.
    pub creation: i64,
    /// When it was first handed out.
    pub forwarding: Option<i64>,
    /// When it was seen to have arrived.
    pub reception: Option<i64>,
    /// The last of these.
    pub modification: i64,
    /// What was found out about the certificates.
    pub inspections: Vec<Inspected>,
}

/// Which deliveries are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The oldest that was never handed out.
    Next,
    /// These.
    Ids(Vec<String>),
    /// Taken in at or after this moment, in seconds since 1970-01-01 UTC.
    Since(i64),
    /// Changed at or after this moment.
    Modified(i64),
}

/// Which process cards are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cards {
    /// Of which deliveries.
    pub selection: Selection,
    /// On which side the client stands; both if absent.
    pub role: Option<Role>,
    /// Only of those that were not seen to have arrived.
    pub no_reception: bool,
    /// Most of them.
    pub limit: usize,
}

/// What an intermediary remembers.
pub trait Backend: Send + Sync {
    /// The time, in seconds since 1970-01-01 UTC.
    fn now(&self) -> i64;

    /// Random bytes, fit for challenges and boundaries.
    fn random(&self) -> Result<[u8; 24]>;

    /// Remembers a new dialog; `false` if there is one of this name.
    fn begin_dialog(&self, conversation: &str, state: &DialogState) -> Result<bool>;

    /// The dialog of this name, unless it has been idle for too long.
    fn dialog(&self, conversation: &str) -> Result<Option<Dialog>>;

    /// Moves a dialog on, and notes in the same step that what it handed out has arrived. `false` if it has been moved
    /// since it was read: somebody else was faster.
    fn advance_dialog(&self, was: &Dialog, next: &DialogState) -> Result<bool>;

    /// Ends a dialog, likewise.
    fn end_dialog(&self, was: &Dialog) -> Result<bool>;

    /// A new message id.
    fn issue_message_id(&self) -> Result<String>;

    /// Takes a delivery in, now. Returns its card.
    fn take_in(
        &self,
        delivery: &NewDelivery<'_>,
        package: &Plaintext,
    ) -> Result<std::result::Result<Card, Refusal>>;

    /// What is here of a message that comes in chunks; `None` if nothing is, or its time is over.
    fn arrived(&self, whole: &Whole<'_>) -> Result<Option<Arrived>>;

    /// Keeps a chunk. If one of this number is here, that one stays. Refused if the message id cannot be used any more,
    /// or as much is kept for this sender as may be.
    fn keep_chunk(
        &self,
        whole: &Whole<'_>,
        chunk: &NewChunk<'_>,
        bytes: &mut dyn Read,
    ) -> Result<std::result::Result<(), Refusal>>;

    /// Writes the chunks that are kept one behind the other. To be called once all are here.
    fn assemble(&self, whole: &Whole<'_>, sink: &mut dyn Write) -> Result<()>;

    /// Forgets the chunks of a message that cannot be taken in.
    fn forget_chunks(&self, whole: &Whole<'_>) -> Result<()>;

    /// Of the deliveries in the client's mailbox that are meant, the one to hand out now in this dialog: one that it had
    /// before only if it is named.
    fn find_delivery(&self, dialog: &Dialog, selection: &Selection) -> Result<Option<Found>>;

    /// Notes that a delivery is handed out within a dialog, now, and moves the dialog to `next`. Returns its card, or
    /// `None` if the dialog has been moved since it was read.
    fn hand_out(&self, was: &Dialog, next: &DialogState, message_id: &str) -> Result<Option<Card>>;

    /// Whether our rules let a passive recipient at this address be called.
    fn may_call(&self, receiver: &str) -> bool;

    /// The certificates by which alone the recipient at this address signs its answers; none if our rules name none.
    fn signers(&self, receiver: &str) -> &[Certificate];

    /// Calls a passive recipient.
    fn call(&self, receiver: &str, package: &Plaintext) -> Result<Call>;

    /// Notes that a delivery was passed on at `forwarding`, in seconds since 1970-01-01 UTC, and that its recipient has it
    /// now. Returns its card.
    fn passed_on(&self, delivery: &NewDelivery<'_>, forwarding: i64) -> Result<Card>;

    /// Takes back a delivery that could not be passed on: it did not happen, and its message id may be used again.
    fn withdraw(&self, delivery: &NewDelivery<'_>) -> Result<()>;

    /// The cards that are meant, oldest first, and whether there are more. A client sees those of what he sent and of
    /// what is addressed to him.
    fn cards(&self, client: &Certificate, cards: &Cards) -> Result<(Vec<Card>, bool)>;
}

mod base64_text {
    //! Bytes as base64 in JSON.

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))
    }
}

impl Arrived {
    /// Whether no chunk is missing.
    pub fn is_complete(&self) -> bool {
        usize::try_from(self.total_chunks).is_ok_and(|total| self.chunks.len() == total)
    }

    /// The chunk of this number, if it is here.
    pub fn chunk(&self, number: u32) -> Option<&ArrivedChunk> {
        self.chunks.iter().find(|chunk| chunk.number == number)
    }

    /// Bytes of the chunks that are here.
    pub fn length(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.length).sum()
    }
}

impl Dialog {
    /// The client's cipher certificate.
    ///
    /// # Errors
    /// If what was remembered is none.
    pub fn client(&self) -> Result<Certificate> {
        Certificate::from_der(&self.state.cipher).map_err(Error::from)
    }
}
