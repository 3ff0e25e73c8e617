//! What an OSCI message says, whatever its wire form: header blocks and body of the orders and answers of
//! OSCI-Transport 1.2 and its supplement of 2017. Content stays where it is: [`Content`] names its place.

use std::ops::Range;

use seal::x509::Certificate;
use xml::value::DateTime;

use crate::card::ProcessCardBundle;
use crate::code::Code;
use crate::names::Kind;

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which order or answer.
    pub kind: Kind,
    /// Dialog data.
    pub control: ControlBlock,
    /// Languages that the requester reads, first choice first; empty in answers.
    pub languages: Vec<String>,
    /// Which time stamps the requester wants.
    pub time_stamps: Vec<QualityOfTimestamp>,
    /// What is ordered or answered.
    pub body: Body,
    /// Certificates of the intermediary.
    pub intermediary: IntermediaryCertificates,
    /// Certificates of everybody else.
    pub certificates: Certificates,
    /// What the sender's software can do.
    pub features: Option<Features>,
    /// Header blocks in foreign namespaces, which are handed on as they are.
    pub custom: Vec<CustomHeader>,
    /// The content, if the message carries any.
    pub content: Option<Content>,
    /// Namespace declarations of the envelope, as written: author signatures depend on them.
    pub namespaces: Vec<(Option<String>, String)>,
}

/// `osci:ControlBlock`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlBlock {
    /// Repeats the other side's last challenge.
    pub response: Option<String>,
    /// A challenge of our own, base64 as written.
    pub challenge: Option<String>,
    /// Digits that name the dialog.
    pub conversation: Option<String>,
    /// Counts the orders of a dialog from 0.
    pub sequence: Option<u32>,
}

/// `osci:QualityOfTimestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QualityOfTimestamp {
    /// The moment of `creation`, or else of `reception`.
    pub of_creation: bool,
    /// A cryptographic time stamp is wanted, or else a plain one.
    pub cryptographic: bool,
}

/// A certificate in a header block, with the `Id` that signatures and encrypted keys refer to.
#[derive(Debug, Clone)]
pub struct Named {
    /// The `Id`.
    pub id: String,
    /// The certificate.
    pub certificate: Certificate,
}

/// `osci:NonIntermediaryCertificates`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The names are the standard's.
pub struct Certificates {
    pub cipher_originator: Option<Named>,
    pub cipher_other_authors: Vec<Named>,
    pub cipher_addressee: Option<Named>,
    pub cipher_other_readers: Vec<Named>,
    pub signature_originator: Option<Named>,
    pub signature_other_authors: Vec<Named>,
    pub signature_addressee: Option<Named>,
    /// The block as it stands in the XML: it is handed on as it is.
    pub block: Option<Placed>,
}

/// `osci:IntermediaryCertificates`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The names are the standard's.
pub struct IntermediaryCertificates {
    pub cipher: Option<Named>,
    pub signature: Option<Named>,
}

/// `osci2017:FeatureDescription`. Sizes in units of 1,024 bytes, the time-out in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub struct Features {
    pub chunk_message_timeout: Option<u64>,
    pub max_chunk_size: Option<u64>,
    pub max_message_size: Option<u64>,
    pub min_chunk_size: Option<u64>,
    /// Key and version.
    pub supported: Vec<(String, String)>,
}

/// A header block in a foreign namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomHeader {
    /// Namespace of its element.
    pub namespace: String,
    /// Local name of its element.
    pub local: String,
    /// Where it stands.
    pub block: Placed,
}

/// A header block of an XML that is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its `Id`.
    pub id: String,
    /// Its place in the XML, in bytes.
    pub place: Range<u64>,
}

/// `osci:ContentPackage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its place in the XML, in bytes.
    pub place: Range<u64>,
    /// Containers in the clear.
    pub containers: u32,
    /// Encrypted containers.
    pub encrypted: u32,
}

/// What is ordered or answered.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Body {
    /// Nothing is said beyond the kind.
    Plain,
    Store {
        message_id: Option<String>,
        subject: Option<String>,
    },
    Forward {
        receiver: String,
        message_id: Option<String>,
        subject: Option<String>,
    },
    Mediate {
        receiver: String,
        message_id: Option<String>,
        subject: Option<String>,
    },
    FetchDelivery(Option<SelectionRule>),
    FetchProcessCard {
        rule: Option<SelectionRule>,
        limit: Option<u32>,
    },
    Accept(Box<ProcessCardBundle>),
    Process {
        answer_id: Option<String>,
        card: Option<Box<ProcessCardBundle>>,
    },
    PartialStore {
        message_id: Option<String>,
        subject: Option<String>,
        chunk: Option<Chunk>,
    },
    PartialFetch {
        rule: Option<SelectionRule>,
        chunk: Chunk,
    },
    /// The answer to any order.
    Answer(Box<Answer>),
}

/// What an answer says; which parts there are depends on the order.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The names are the standard's.
pub struct Answer {
    pub feedback: Vec<Feedback>,
    /// Feedback on the whole message that came in chunks.
    pub inside_feedback: Vec<Feedback>,
    pub message_id: Option<String>,
    pub subject: Option<String>,
    /// Repeats what was selected.
    pub rule: Option<SelectionRule>,
    pub limit: Option<u32>,
    /// One, or with `FetchProcessCard` any number; with `MediateDelivery` that of the request.
    pub cards: Vec<ProcessCardBundle>,
    /// With `MediateDelivery`: that of the reply.
    pub reply_card: Option<ProcessCardBundle>,
    pub chunk: Option<Chunk>,
}

/// An entry of `osci:Feedback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// Digits of the code as written.
    pub code: String,
    /// Its text, for people.
    pub text: String,
    /// `xml:lang` of the text, if given.
    pub language: Option<String>,
}

impl Feedback {
    /// An entry of ours.
    pub fn of(code: Code, language: &str) -> Self {
        let text = code.text(language).to_owned();
        Feedback { code: code.to_string(), text, language: Some(language.to_owned()) }
    }
}

/// `osci:SelectionRule`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectionRule {
    /// These messages; exactly one with `FetchDelivery`.
    MessageIds(Vec<String>),
    /// Received since then.
    ReceptionOfDelivery(Since),
    /// Changed since then.
    RecentModification(Since),
}

/// A moment, and for process cards which ones are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The moment, as written.
    pub moment: DateTime,
    /// Only cards of messages that are not received yet.
    pub no_reception: bool,
    /// Only cards of messages that one sent or received; both if absent.
    pub role: Option<Role>,
}

/// On which side of a message one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Role {
    Addressee,
    Originator,
}

/// `osci2017:ChunkInformation`. Sizes in units of 1,024 bytes; chunks are counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub struct Chunk {
    pub number: Option<u32>,
    pub size: Option<u64>,
    pub total_chunks: Option<u32>,
    pub total_size: Option<u64>,
    /// Chunks that are there already; `Some` of nothing is written `-1`.
    pub received: Option<Vec<u32>>,
}

impl Message {
    /// The last code of the feedback decides: `true` if the order was carried out.
    pub fn was_carried_out(&self) -> bool {
        let Body::Answer(answer) = &self.body else { return false };
        answer.feedback.last().is_some_and(|entry| entry.code.starts_with(['0', '3']))
    }
}

impl IntermediaryCertificates {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cipher.is_none() && self.signature.is_none()
    }
}

impl Certificates {
    /// The certificate with this `Id`.
    pub fn by_id(&self, id: &str) -> Option<&Named> {
        self.all().find(|named| named.id == id)
    }

    /// All of them, in the order of the schema.
    pub fn all(&self) -> impl Iterator<Item = &Named> {
        let ciphers = self.cipher_originator.iter().chain(&self.cipher_other_authors);
        let readers = self.cipher_addressee.iter().chain(&self.cipher_other_readers);
        let signers = self.signature_originator.iter().chain(&self.signature_other_authors);
        ciphers.chain(readers).chain(signers).chain(&self.signature_addressee)
    }
}
