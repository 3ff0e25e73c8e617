//! What an intermediary has to remember and to reach. Each function returns after its effect is durable; none of them
//! knows the protocol.

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

    /// Of the deliveries in the client's mailbox that are meant, the one to hand out now in this dialog: one that it had
    /// before only if it is named.
    fn find_delivery(&self, dialog: &Dialog, selection: &Selection) -> Result<Option<Found>>;

    /// Notes that a delivery is handed out within a dialog, now, and moves the dialog to `next`. Returns its card, or
    /// `None` if the dialog has been moved since it was read.
    fn hand_out(&self, was: &Dialog, next: &DialogState, message_id: &str) -> Result<Option<Card>>;

    /// Whether our rules let a passive recipient at this address be called.
    fn may_call(&self, receiver: &str) -> bool;

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

impl Dialog {
    /// The client's cipher certificate.
    ///
    /// # Errors
    /// If what was remembered is none.
    pub fn client(&self) -> Result<Certificate> {
        Certificate::from_der(&self.state.cipher).map_err(Error::from)
    }
}
