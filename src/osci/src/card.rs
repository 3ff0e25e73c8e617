//! The process card ("Laufzettel") of a message and its inspection report ("Prüfprotokoll"):
//! OSCI-Transport 1.2, section 4.2.6 and following, `osci:ProcessCardBundle`.

use xml::value::DateTime;

/// `osci:ProcessCardBundle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessCardBundle {
    /// Whose card this is.
    pub message_id: String,
    /// When the card last changed.
    pub recent_modification: DateTime,
    /// When the intermediary noticed that it had received the order.
    pub creation: Option<TimeStamp>,
    /// When the message to the recipient was completely built.
    pub forwarding: Option<TimeStamp>,
    /// When the intermediary noticed that the recipient had received it.
    pub reception: Option<TimeStamp>,
    /// Subject of the message.
    pub subject: Option<String>,
    /// What the intermediary found out about the certificates.
    pub inspections: Vec<Inspection>,
}

/// A moment, plain or proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeStamp {
    /// The intermediary's clock.
    Plain(DateTime),
    /// A token of a time stamp authority, base64 as written.
    Cryptographic {
        /// URI of the algorithm, if given.
        algorithm: Option<String>,
        /// The token.
        token: String,
    },
}

/// `osci:Inspection`: what is known about one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// When it was looked at.
    pub moment: TimeStamp,
    /// Subject in the form of RFC 2253.
    pub subject: String,
    /// Issuer in the form of RFC 2253.
    pub issuer: String,
    /// Serial number, decimal.
    pub serial: String,
    /// `advanced`, `qualified`, `accredited` or `unknown`.
    pub kind: CertType,
    /// Whether the issuer's signature is right.
    pub math: MathResult,
    /// Whether it is within its validity.
    pub offline: OfflineResult,
    /// Whether it is revoked, if that could be found out.
    pub online: Option<OnlineResult>,
}

/// `osci:CertType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub enum CertType {
    Advanced,
    Qualified,
    Accredited,
    Unknown,
}

/// `osci:MathResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub enum MathResult {
    Ok,
    Corrupted,
    Indeterminate,
}

/// `osci:OfflineResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the standard's.
pub enum OfflineResult {
    Valid,
    Invalid,
    Indeterminate,
}

/// `osci:OnlineResult`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineResult {
    /// Revoked, or else all right.
    pub revoked: bool,
    /// What says so.
    pub source: OnlineSource,
}

/// Where an online result comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnlineSource {
    /// An OCSP response, base64.
    Ocsp(String),
    /// A revocation list of this moment.
    Crl(DateTime),
    /// A directory's answer, base64.
    Ldap(String),
    /// Nothing is said.
    None,
}

impl CertType {
    const WORDS: [(CertType, &str); 4] = [
        (CertType::Advanced, "advanced"),
        (CertType::Qualified, "qualified"),
        (CertType::Accredited, "accredited"),
        (CertType::Unknown, "unknown"),
    ];

    pub(crate) fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }

    pub(crate) fn from_word(text: &str) -> Option<Self> {
        from_word(&Self::WORDS, text)
    }
}

impl MathResult {
    const WORDS: [(MathResult, &str); 3] = [
        (MathResult::Ok, "ok"),
        (MathResult::Corrupted, "corrupted"),
        (MathResult::Indeterminate, "indeterminate"),
    ];

    pub(crate) fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }

    pub(crate) fn from_word(text: &str) -> Option<Self> {
        from_word(&Self::WORDS, text)
    }
}

impl OfflineResult {
    const WORDS: [(OfflineResult, &str); 3] = [
        (OfflineResult::Valid, "valid"),
        (OfflineResult::Invalid, "invalid"),
        (OfflineResult::Indeterminate, "indeterminate"),
    ];

    pub(crate) fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }

    pub(crate) fn from_word(text: &str) -> Option<Self> {
        from_word(&Self::WORDS, text)
    }
}

fn word<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

fn from_word<T: Copy>(words: &[(T, &'static str)], text: &str) -> Option<T> {
    words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value)
}
