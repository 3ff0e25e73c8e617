//! The passive recipient: OSCI-Transport 1.2, sections 4.2.3 and 4.2.4. An intermediary calls, and waits for the answer.
//! Taking a call and answering it are two steps, so that the caller can make durable what came before it is accepted.

use std::io::Read;

use seal::algorithm::{BlockCipher, Policy, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmlenc::{OaepHash, Plaintext};
use soap::mime::Boundary;

use crate::code::{Code, language};
use crate::content::write::NewContent;
use crate::letter::{Carried, Letter};
use crate::message::{
    Answer, Body, Certificates, ControlBlock, Feedback, IntermediaryCertificates, Message, Named,
};
use crate::names::{Kind, Order};
use crate::package::Package;
use crate::transport::{Limits, Protection, Sealing, open};
use crate::{Error, Result};

/// `Id` of the recipient's signature certificate in an answer.
pub const SIGNER_ID: &str = "addressee_signature";

/// Keys and rules of a passive recipient.
pub struct Recipient<'a> {
    /// Key pairs for which deliveries are encrypted.
    pub cipher: &'a [Identity],
    /// The key pair that signs answers.
    pub signer: &'a Identity,
    /// How they are signed.
    pub method: SignatureMethod,
    /// Intermediaries that may call, by their signature certificates; nobody else is listened to.
    pub intermediaries: &'a [Certificate],
    /// Which algorithms are taken.
    pub policy: Policy,
    /// How much is taken.
    pub limits: Limits,
    /// Random bytes.
    pub random: &'a dyn Fn() -> [u8; 24],
}

/// A SOAP fault as a whole package: what a call is answered that cannot be taken.
///
/// # Errors
/// If there is no room for it.
pub fn fault(code: Code, limits: &Limits, random: [u8; 24]) -> Result<Plaintext> {
    crate::intermediary::fault(random, code, limits)
}

/// A call that was verified and waits for its answer.
#[derive(Debug)]
pub struct Called {
    /// What it says.
    pub message: Message,
    /// Its package, for reading content.
    pub package: Package,
    is_sealed: bool,
}

/// What an answer to ProcessDelivery brings.
pub struct Reply<'a> {
    /// Its content.
    pub content: &'a NewContent,
    /// Its subject.
    pub subject: Option<String>,
    /// Certificates of readers and other authors; our own are put beside them.
    pub certificates: Certificates,
}

impl Recipient<'_> {
    /// Takes a call.
    ///
    /// # Errors
    /// [`Error::Refused`] with the code of the fault that is to be answered.
    pub fn take(&self, call: impl Read) -> Result<Called> {
        let opened = open(call, self.cipher, &self.policy, &self.limits)?;
        let is_sealed = opened.protection.is_some();
        let is_malleable = opened.protection.as_ref().is_some_and(Protection::is_malleable);
        let no_order = |error| match error {
            Error::Io(_) => error,
            _ if is_malleable => Error::Refused(Code::NOT_DECRYPTED),
            Error::Refused(_) => error,
            _ if is_sealed => Error::Refused(Code::NO_ORDER),
            _ => Error::Refused(Code::NO_MESSAGE),
        };
        let mut package = Package::open(opened.package, &self.limits).map_err(no_order)?;
        if is_malleable && package.has_epilogue() {
            return Err(Error::Refused(Code::NOT_DECRYPTED));
        }
        let unverified = package.read().map_err(no_order)?;
        if !matches!(unverified.unbelieved().kind, Kind::Order(order) if order.is_for_recipient()) {
            return Err(no_order(Error::Refused(Code::NO_ORDER)));
        }
        let (message, signer) = unverified.verify(&self.policy).map_err(no_order)?;
        if !self.intermediaries.contains(&signer) {
            return Err(Error::Refused(Code::SIGNATURE));
        }
        Ok(Called { message, package, is_sealed })
    }

    /// Answers a call. With [`Code::DIALOG_CLOSED`] it is accepted; other codes say why not.
    ///
    /// # Errors
    /// If signing or encrypting fails; [`Error::Refused`] with 9500 if the call does not say for whom to encrypt.
    pub fn answer(&self, called: &Called, code: Code, reply: Option<Reply<'_>>) -> Result<Plaintext> {
        let order = called.message.kind.order().ok_or(Error::Refused(Code::NO_ORDER))?;
        let languages = called.message.languages.iter().map(String::as_str);
        let mut answer =
            Answer { feedback: vec![Feedback::of(code, language(languages))], ..Answer::default() };
        if let (Some(reply), Body::Process { answer_id, .. }) = (&reply, &called.message.body) {
            answer.message_id.clone_from(answer_id);
            answer.subject = reply.subject.clone().filter(|_| answer_id.is_some());
        }
        let content = reply.as_ref().map(|reply| reply.content);
        let certificates =
            self.certificates(order, reply.map(|reply| reply.certificates).unwrap_or_default());
        let message = Message {
            kind: Kind::Answer(order),
            control: ControlBlock {
                response: called.message.control.challenge.clone(),
                ..ControlBlock::default()
            },
            languages: Vec::new(),
            time_stamps: Vec::new(),
            body: Body::Answer(Box::new(answer)),
            intermediary: IntermediaryCertificates::default(),
            certificates,
            features: None,
            custom: Vec::new(),
            content: None,
            namespaces: Vec::new(),
        };
        let letter = Letter {
            message: &message,
            carried: content.map_or(Carried::Nothing, Carried::Own),
            signer: Some((self.signer, self.method, SIGNER_ID)),
            limits: &self.limits,
        };
        let boundary = || Boundary::from_random((self.random)());
        if !called.is_sealed {
            return letter.write(boundary());
        }
        let receiver = called.message.intermediary.cipher.as_ref();
        let receiver = &receiver.ok_or(Error::Refused(Code::NO_CIPHER_CERTIFICATE))?.certificate;
        let sealing = Sealing {
            receiver,
            cipher: BlockCipher::Aes256Gcm,
            oaep: OaepHash::Sha256,
            knows_short_iv: true,
        };
        letter.write_sealed(boundary(), &sealing, &self.policy, boundary())
    }

    /// The recipient signs as addressee of a delivery, and as originator of an answer that is one itself.
    fn certificates(&self, order: Order, mut all: Certificates) -> Certificates {
        let named = Named { id: SIGNER_ID.to_owned(), certificate: self.signer.certificate().clone() };
        match order {
            Order::AcceptDelivery => all.signature_addressee = Some(named),
            _ => all.signature_originator = Some(named),
        }
        all
    }
}
