//! Who orders at an intermediary: OSCI-Transport 1.2, section 3. Orders are made here as packages, and answers are judged;
//! how they travel is the caller's business.

mod chunks;

use std::io::Read;

use seal::algorithm::{BlockCipher, Policy, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmlenc::{OaepHash, Plaintext};
use soap::mime::Boundary;

pub use chunks::{Gathering, Whole};

use crate::chunk::SUFFIX;
use crate::code::Code;
use crate::content::write::NewContent;
use crate::letter::{Carried, Letter};
use crate::message::{
    Body, Certificates, Chunk, ControlBlock, IntermediaryCertificates, Message, Named, QualityOfTimestamp,
    SelectionRule,
};
use crate::names::{Kind, Order};
use crate::package::Package;
use crate::transport::{Limits, Sealing, open};
use crate::{Error, Result};

/// `Id` of the client's cipher certificate in its orders.
pub const CIPHER_ID: &str = "originator_cipher";
/// `Id` of the client's signature certificate in its orders.
pub const SIGNER_ID: &str = "originator_signature";

/// Who orders, and at whom.
pub struct Client<'a> {
    /// The client's key pair for encryption.
    pub cipher: &'a Identity,
    /// The client's key pair for signing, and how; without, orders are not signed.
    pub signer: Option<(&'a Identity, SignatureMethod)>,
    /// The intermediary's cipher certificate; without, orders go in the clear.
    pub intermediary: Option<&'a Certificate>,
    /// The certificate that must sign its answers; without, any may, and need not.
    pub answers_by: Option<&'a Certificate>,
    /// Which algorithms are taken.
    pub policy: Policy,
    /// How much is taken.
    pub limits: Limits,
    /// Random bytes.
    pub random: &'a dyn Fn() -> [u8; 24],
}

/// An explicit dialog, as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Its `ConversationId`.
    pub conversation: String,
    /// `SequenceNumber` of the next order.
    pub next: u32,
    /// The intermediary's last challenge.
    pub challenge: String,
}

/// What is ordered.
#[derive(Debug, Clone)]
pub enum NewOrder {
    /// Open a dialog.
    InitDialog,
    /// Close it.
    ExitDialog,
    /// A new message id.
    GetMessageId,
    /// Store a delivery in a mailbox.
    Store {
        /// Its message id.
        message_id: String,
        /// Its subject.
        subject: Option<String>,
    },
    /// Pass a delivery on to a passive recipient.
    Forward {
        /// His address.
        receiver: String,
        /// Its message id.
        message_id: String,
        /// Its subject.
        subject: Option<String>,
    },
    /// Pass a request on, and bring the answer.
    Mediate {
        /// The recipient's address.
        receiver: String,
        /// Its message id, if process cards are wanted.
        message_id: Option<String>,
        /// Its subject.
        subject: Option<String>,
    },
    /// A delivery out of one's own mailbox.
    Fetch(Option<SelectionRule>),
    /// Process cards.
    Cards {
        /// Which.
        rule: Option<SelectionRule>,
        /// Most of them.
        limit: Option<u32>,
    },
    /// Store a delivery in a mailbox, chunk by chunk; see [`Client::whole`].
    StoreChunk {
        /// Its message id.
        message_id: String,
        /// Which chunk; nothing: which ones are there?
        chunk: Option<Chunk>,
    },
    /// A part of a delivery that is too large for one piece; see [`Gathering`].
    FetchChunk {
        /// Which delivery.
        rule: Option<SelectionRule>,
        /// Which part.
        chunk: Chunk,
    },
}

/// An order that was made, and what its answer must fit.
#[derive(Debug)]
pub struct Ordered {
    /// The package to be sent.
    pub package: Plaintext,
    order: Order,
    control: ControlBlock,
    is_sealed: bool,
}

/// An answer that fits its order.
#[derive(Debug)]
pub struct Answered {
    /// What it says.
    pub message: Message,
    /// Its package, for reading content.
    pub package: Package,
    /// The dialog, if it is open.
    pub dialog: Option<Dialog>,
}

impl Client<'_> {
    /// Makes an order. Certificates of a delivery's addressee, readers and authors are the caller's; the client's own are
    /// put beside them.
    ///
    /// # Errors
    /// If signing or encrypting fails.
    pub fn order(
        &self,
        dialog: Option<&Dialog>,
        order: &NewOrder,
        certificates: Certificates,
        content: Option<&NewContent>,
    ) -> Result<Ordered> {
        let (kind, message) = self.message(dialog, order, certificates);
        let control = message.control.clone();
        let letter = Letter {
            message: &message,
            carried: content.map_or(Carried::Nothing, Carried::Own),
            signer: self.signer.map(|(identity, method)| (identity, method, SIGNER_ID)),
            limits: &self.limits,
        };
        let boundary = || Boundary::from_random((self.random)());
        let Some(receiver) = self.intermediary else {
            let package = letter.write(boundary())?;
            return Ok(Ordered { package, order: kind, control, is_sealed: false });
        };
        let sealing = Sealing {
            receiver,
            cipher: BlockCipher::Aes256Gcm,
            oaep: OaepHash::Sha256,
            knows_short_iv: true,
        };
        let package = letter.write_sealed(boundary(), &sealing, &self.policy, boundary())?;
        Ok(Ordered { package, order: kind, control, is_sealed: true })
    }

    fn message(
        &self,
        dialog: Option<&Dialog>,
        order: &NewOrder,
        certificates: Certificates,
    ) -> (Order, Message) {
        let (kind, body) = order.statement();
        let message = Message {
            kind: Kind::Order(kind),
            control: self.control(dialog, kind),
            languages: vec!["de".to_owned(), "en".to_owned()],
            time_stamps: order.time_stamps(),
            body,
            intermediary: IntermediaryCertificates::default(),
            certificates: self.certificates(kind, certificates),
            features: kind.is_partial().then(chunks::features),
            custom: Vec::new(),
            content: None,
            namespaces: Vec::new(),
        };
        (kind, message)
    }

    fn control(&self, dialog: Option<&Dialog>, order: Order) -> ControlBlock {
        use base64::Engine as _;
        let challenge = base64::engine::general_purpose::STANDARD.encode(&(self.random)()[..18]);
        ControlBlock {
            response: dialog.map(|dialog| dialog.challenge.clone()),
            challenge: Some(challenge),
            conversation: dialog.map(|dialog| dialog.conversation.clone()),
            sequence: (order != Order::InitDialog).then(|| dialog.map_or(0, |dialog| dialog.next)),
        }
    }

    fn certificates(&self, order: Order, mut all: Certificates) -> Certificates {
        use Order::{ExitDialog, FetchDelivery, FetchProcessCard, PartialFetchDelivery};
        let named = |id: &str, identity: &Identity| {
            Some(Named { id: id.to_owned(), certificate: identity.certificate().clone() })
        };
        if !matches!(order, ExitDialog | FetchDelivery | FetchProcessCard | PartialFetchDelivery) {
            all.cipher_originator = named(CIPHER_ID, self.cipher);
        }
        all.signature_originator = self.signer.and_then(|(identity, _)| named(SIGNER_ID, identity));
        all
    }

    /// Judges the answer to an order.
    ///
    /// # Errors
    /// [`Error::Refused`] with the code of a fault, or with 9400 if the answer belongs to another order; others if it is
    /// unsigned or wrongly signed though it must be, in the clear though the order was not, or no answer at all.
    pub fn answer(&self, ordered: &Ordered, answer: impl Read) -> Result<Answered> {
        let keys = std::slice::from_ref(self.cipher);
        let opened = open(answer, keys, &self.policy, &self.limits)?;
        let is_sealed = opened.protection.is_some();
        let mut package = Package::open(opened.package, &self.limits)?;
        if let Some(code) = package.fault()? {
            return Err(Error::Refused(code));
        }
        if ordered.is_sealed && !is_sealed {
            return Err(Error::Malformed("the answer is not encrypted"));
        }
        let unverified = package.read()?;
        let message = match (unverified.is_signed(), self.answers_by) {
            (true, expected) => {
                let (message, signer) = unverified.verify(&self.policy)?;
                if expected.is_some_and(|expected| *expected != signer) {
                    return Err(Error::Malformed("the answer is signed by somebody else"));
                }
                message
            }
            (false, None) => unverified.unsigned()?,
            (false, Some(_)) => return Err(Error::Refused(Code::UNSIGNED)),
        };
        let dialog = ordered.judge(&message)?;
        Ok(Answered { message, package, dialog })
    }
}

impl Ordered {
    /// Whether an answer belongs to this order, and the dialog that goes on with it.
    fn judge(&self, answer: &Message) -> Result<Option<Dialog>> {
        let (ours, theirs) = (&self.control, &answer.control);
        // What fits into one chunk is answered as if nobody had spoken of chunks.
        let is_whole =
            self.order == Order::PartialFetchDelivery && answer.kind == Kind::Answer(Order::FetchDelivery);
        let is_ours = (answer.kind == Kind::Answer(self.order) || is_whole)
            && theirs.response == ours.challenge
            && (ours.conversation.is_none() || theirs.conversation == ours.conversation)
            && (ours.sequence.is_none() || theirs.sequence.is_none() || theirs.sequence == ours.sequence);
        if !is_ours {
            return Err(Error::Refused(Code::DIALOG));
        }
        let is_explicit = self.order == Order::InitDialog || ours.conversation.is_some();
        let (Some(conversation), Some(challenge)) = (&theirs.conversation, &theirs.challenge) else {
            return Ok(None);
        };
        let next = ours.sequence.map_or(0, |sequence| sequence.saturating_add(1));
        let dialog = Dialog { conversation: conversation.clone(), next, challenge: challenge.clone() };
        Ok(Some(dialog).filter(|_| is_explicit && self.order != Order::ExitDialog))
    }
}

impl NewOrder {
    fn statement(&self) -> (Order, Body) {
        match self.clone() {
            NewOrder::InitDialog => (Order::InitDialog, Body::Plain),
            NewOrder::ExitDialog => (Order::ExitDialog, Body::Plain),
            NewOrder::GetMessageId => (Order::GetMessageId, Body::Plain),
            NewOrder::Store { message_id, subject } => {
                (Order::StoreDelivery, Body::Store { message_id: Some(message_id), subject })
            }
            NewOrder::Forward { receiver, message_id, subject } => {
                (Order::ForwardDelivery, Body::Forward { receiver, message_id: Some(message_id), subject })
            }
            NewOrder::Mediate { receiver, message_id, subject } => {
                (Order::MediateDelivery, Body::Mediate { receiver, message_id, subject })
            }
            NewOrder::Fetch(rule) => (Order::FetchDelivery, Body::FetchDelivery(rule)),
            NewOrder::Cards { rule, limit } => {
                (Order::FetchProcessCard, Body::FetchProcessCard { rule, limit })
            }
            NewOrder::StoreChunk { message_id, chunk } => {
                let message_id = Some(format!("{message_id}{SUFFIX}"));
                (Order::PartialStoreDelivery, Body::PartialStore { message_id, subject: None, chunk })
            }
            NewOrder::FetchChunk { rule, chunk } => {
                (Order::PartialFetchDelivery, Body::PartialFetch { rule, chunk })
            }
        }
    }

    /// Store and forward orders must say which time stamps they want.
    fn time_stamps(&self) -> Vec<QualityOfTimestamp> {
        let plain = |of_creation| QualityOfTimestamp { of_creation, cryptographic: false };
        match self {
            NewOrder::Store { .. } | NewOrder::Forward { .. } => vec![plain(true), plain(false)],
            NewOrder::StoreChunk { .. } => vec![plain(true)],
            _ => Vec::new(),
        }
    }
}
