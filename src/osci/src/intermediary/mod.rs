//! The intermediary (OSCI-Manager): OSCI-Transport 1.2, sections 3 and 4. It takes orders, remembers deliveries for their
//! recipients, passes them on, and proves every step in process cards. It holds no content keys.
//!
//! | module | holds |
//! |---|---|
//! | here | the way of an order through the checks |
//! | `orders` | what each order does |
//! | `pass_on` | passing on to passive recipients |
//! | `store_chunks`, `fetch_chunks` | messages that come and go in chunks |
//! | `dialog` | explicit and implicit dialogs |
//! | `inspect` | what is found out about certificates |
//! | `cards` | process cards as they are told |
//! | `reply` | the answer: signed, and encrypted if the order was |
//! | [`backend`] | what has to be remembered |

pub mod backend;
mod cards;
mod dialog;
mod fetch_chunks;
mod inspect;
mod orders;
mod pass_on;
mod reply;
mod store_chunks;

pub(crate) use reply::fault;

use std::io::Read;
use std::rc::Rc;

use seal::algorithm::{BlockCipher, Policy, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmlenc::{OaepHash, Plaintext};

pub use backend::Backend;
pub use inspect::{Inspected, Inspector};

use crate::code::{Code, Level, language};
use crate::message::{Features, Message};
use crate::names::Kind;
use crate::package::Package;
use crate::transport::{Limits, Opened, Protection, open};
use crate::{Error, Result};
use backend::Dialog;
use inspect::{Findings, Part};

/// Keys, rules and limits of an intermediary.
pub struct Settings {
    /// Key pairs for which orders are encrypted; the old ones after a renewal are kept.
    pub cipher: Vec<Identity>,
    /// The key pair that signs answers.
    pub signer: Identity,
    /// How answers are signed.
    pub method: SignatureMethod,
    /// Who judges certificates.
    pub inspector: Box<dyn Inspector>,
    /// Which algorithms are taken.
    pub policy: Policy,
    /// Whether orders must be signed (9600).
    pub must_be_signed: bool,
    /// Whether orders must be encrypted. Whoever opens a dialog in the clear proves nothing about the certificate whose
    /// mailbox it then asks for; encrypted, the answer can only be read by the owner.
    pub must_be_encrypted: bool,
    /// How much is taken in.
    pub limits: Limits,
    /// What is said of our own abilities.
    pub features: Features,
}

/// An intermediary.
pub struct Intermediary<B> {
    settings: Settings,
    backend: B,
}

/// An order that passed the checks.
struct Accepted {
    package: Rc<Package>,
    message: Message,
    /// The dialog that it belongs to, already moved on.
    dialog: Option<Dialog>,
    /// SHA-256 of the certificate that signed it.
    signer: Option<String>,
    /// The client's cipher certificate, from the order or its dialog.
    client: Option<Certificate>,
    findings: Findings,
    language: &'static str,
    /// It came in an envelope of encryption.
    is_sealed: bool,
    at: i64,
}

/// For whom an answer is encrypted.
struct Receiver {
    certificate: Certificate,
    knows_short_iv: bool,
}

impl<B: Backend> Intermediary<B> {
    /// An intermediary with these settings.
    pub fn new(settings: Settings, backend: B) -> Self {
        Intermediary { settings, backend }
    }

    /// What it remembers with.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Takes a request and gives the answer, a whole package. Whatever is wrong with the request is answered, too.
    ///
    /// # Errors
    /// If not even an answer can be made; whatever failed, [`Intermediary::fault`] may then be answered with 9000.
    pub fn answer(&self, request: impl Read) -> Result<Plaintext> {
        match self.answer_or_fault(request) {
            Ok(answer) => Ok(answer),
            Err(Error::Refused(code)) => self.fault(code),
            Err(error) => Err(error),
        }
    }

    /// A SOAP fault as a whole package: what is answered if [`Intermediary::answer`] cannot make an answer.
    ///
    /// # Errors
    /// If there are no random bytes, or there is no room for it.
    pub fn fault(&self, code: Code) -> Result<Plaintext> {
        reply::fault(self.backend.random()?, code, &self.settings.limits)
    }

    /// [`Error::Refused`] is to be told as a fault.
    fn answer_or_fault(&self, request: impl Read) -> Result<Plaintext> {
        let Settings { cipher, policy, limits, .. } = &self.settings;
        let Opened { package, protection } = open(request, cipher, policy, limits)?;
        // The standard has no code of its own for it.
        if self.settings.must_be_encrypted && protection.is_none() {
            return Err(Error::Refused(Code::NO_ORDER));
        }
        let is_malleable = protection.as_ref().is_some_and(Protection::is_malleable);
        // Within an envelope of encryption, what is no order is told as 9300.
        let code = match &protection {
            None => Code::NO_MESSAGE,
            Some(_) if is_malleable => Code::NOT_DECRYPTED,
            Some(_) => Code::NO_ORDER,
        };
        let no_order = |error| match error {
            Error::Io(_) => error,
            Error::Refused(_) if !is_malleable => error,
            _ => Error::Refused(code),
        };
        let mut package = Package::open(package, limits).map_err(no_order)?;
        // Blocks that somebody put behind an order would tell by it whether they are well padded.
        if is_malleable && package.has_epilogue() {
            return Err(Error::Refused(code));
        }
        let unverified = package.read().map_err(no_order)?;
        match unverified.unbelieved().kind {
            Kind::Order(order) if !order.is_for_recipient() => {}
            _ => return Err(no_order(Error::Refused(Code::NO_ORDER))),
        }
        let claimed = unverified.unbelieved().clone();
        let verified = match unverified.is_signed() {
            true => unverified.verify(policy).map(|(message, signer)| (message, Some(signer))),
            // Only a signature tells an order from garbage there.
            false if self.settings.must_be_signed || is_malleable => Err(Error::Refused(Code::UNSIGNED)),
            false => unverified.unsigned().map(|message| (message, None)),
        };
        match verified {
            Ok((message, signer)) => self.carry_out(Rc::new(package), message, signer, protection.as_ref()),
            Err(Error::Refused(code)) if !is_malleable => {
                self.refuse_unbelieved(&claimed, code, protection.as_ref())
            }
            Err(error) => Err(no_order(error)),
        }
    }

    /// Answers an order whose signature is missing or wrong. It moves no dialog, and is told nothing of one: our challenge
    /// is for those who are believed.
    fn refuse_unbelieved(
        &self,
        claimed: &Message,
        code: Code,
        protection: Option<&Protection>,
    ) -> Result<Plaintext> {
        let dialog = match claimed.control.conversation.as_deref() {
            Some(conversation) => self.backend.dialog(conversation)?,
            None => None,
        };
        let receiver = self.receiver(claimed, dialog.as_ref(), protection)?;
        let words = language(claimed.languages.iter().map(String::as_str));
        self.reply_to(claimed, None, receiver, reply::Said::only(&[code], words))
    }

    fn carry_out(
        &self,
        package: Rc<Package>,
        message: Message,
        signer: Option<Certificate>,
        protection: Option<&Protection>,
    ) -> Result<Plaintext> {
        let fingerprint = signer.as_ref().map(|certificate| certificate.fingerprint().to_owned());
        let dialog = dialog::go_on(&self.backend, &message, fingerprint.as_deref(), protection.is_some())?;
        let receiver = self.receiver(&message, dialog.as_ref(), protection)?;
        let at = self.backend.now();
        let mut findings = Findings::default();
        let client = self.client(&message, dialog.as_ref())?;
        if let Some(client) = &client {
            findings.look(&*self.settings.inspector, client, Part::ClientCipher, at)?;
        }
        if let Some(code) = findings.codes.iter().find(|code| code.level() == Level::ClientFault) {
            return Err(Error::Refused(*code));
        }
        if let Some(signer) = &signer {
            findings.look(&*self.settings.inspector, signer, Part::ClientSigner, at)?;
        }
        // Only codes are of interest here; an order that brings a delivery is inspected as a whole.
        findings.inspections.clear();
        let language = language(message.languages.iter().map(String::as_str));
        let is_sealed = protection.is_some();
        let order = Accepted {
            package,
            message,
            dialog,
            signer: fingerprint,
            client,
            findings,
            language,
            is_sealed,
            at,
        };
        orders::carry_out(self, order, receiver)
    }

    /// The client's cipher certificate: that of the order, or else that of its dialog.
    fn client(&self, message: &Message, dialog: Option<&Dialog>) -> Result<Option<Certificate>> {
        match (&message.certificates.cipher_originator, dialog) {
            (_, Some(dialog)) => dialog.client().map(Some),
            (Some(named), None) => Ok(Some(named.certificate.clone())),
            (None, None) => Ok(None),
        }
    }

    /// For whom the answer is encrypted; `None` if the order came in the clear.
    fn receiver(
        &self,
        message: &Message,
        dialog: Option<&Dialog>,
        protection: Option<&Protection>,
    ) -> Result<Option<Receiver>> {
        let Some(protection) = protection else { return Ok(None) };
        let certificate = self.client(message, dialog)?.ok_or(Error::Refused(Code::NO_CIPHER_CERTIFICATE))?;
        let knows =
            |features: &Features| features.supported.iter().any(|(key, _)| key == "Support96Bit12ByteIV");
        let knows_short_iv = protection.knows_short_iv || message.features.as_ref().is_some_and(knows);
        Ok(Some(Receiver { certificate, knows_short_iv }))
    }
}

/// The cipher of our answers.
const CIPHER: BlockCipher = BlockCipher::Aes256Gcm;
/// The digest of OAEP in our answers.
const OAEP: OaepHash = OaepHash::Sha256;
