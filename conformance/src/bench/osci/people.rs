//! Those who speak with the intermediary, and what they send each other.

use std::io::{self, Read, Write as _};
use std::path::Path;

use osci::client::{Answered, Client, NewOrder, Ordered, SIGNER_ID};
use osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use osci::content::{self, Part};
use osci::message::{Body, Certificates, Named};
use osci::transport::Limits;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmldsig::Hasher;
use seal::xmlenc::Plaintext;

use crate::Error;

/// How everybody signs.
pub(super) const METHOD: SignatureMethod =
    SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };

/// Password of the key files.
const PIN: &str = "123456";

/// Somebody who sends, somebody who receives, and the keys of the intermediary.
pub(super) struct People {
    sender_cipher: Identity,
    sender_signer: Identity,
    recipient_cipher: Identity,
    recipient_signer: Identity,
    pub(super) intermediary_cipher: Identity,
    pub(super) intermediary_signer: Identity,
}

/// Where content stands.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// In the XML, as base64.
    Inline,
    /// In a part of the package.
    Attachment,
}

impl People {
    /// Reads their key pairs.
    pub(super) fn read(keys: &Path) -> Result<Self, Error> {
        let identity = |name: &str| {
            let file = std::fs::read(keys.join(format!("{name}.p12")))?;
            Identity::from_pkcs12(&file, PIN).map_err(failed)
        };
        Ok(People {
            sender_cipher: identity("alice_cipher")?,
            sender_signer: identity("alice_signature")?,
            recipient_cipher: identity("bob_cipher")?,
            recipient_signer: identity("bob_signature")?,
            intermediary_cipher: identity("intermed_cipher")?,
            intermediary_signer: identity("intermed_signature")?,
        })
    }

    pub(super) fn sender(&self) -> Client<'_> {
        self.client(&self.sender_cipher, &self.sender_signer)
    }

    pub(super) fn recipient(&self) -> Client<'_> {
        self.client(&self.recipient_cipher, &self.recipient_signer)
    }

    /// Somebody who signs and encrypts.
    fn client<'a>(&'a self, cipher: &'a Identity, signer: &'a Identity) -> Client<'a> {
        Client {
            cipher,
            signer: Some((signer, METHOD)),
            intermediary: Some(self.intermediary_cipher.certificate()),
            answers_by: Some(self.intermediary_signer.certificate()),
            policy: Policy::default(),
            limits: Limits::default(),
            random: &random,
        }
    }

    /// One container, signed by the sender and encrypted for the recipient.
    pub(super) fn content(&self, kind: Kind, bytes: &mut dyn Read) -> Result<NewContent, Error> {
        let (policy, limits) = (Policy::default(), Limits::default());
        let mut maker = Maker::new(&policy, &limits);
        let part = match kind {
            Kind::Inline => NewPart::Inline(bytes),
            Kind::Attachment => NewPart::Attachment("content.bin", bytes),
        };
        let reader = self.addressee();
        let author = Author { signer: &self.sender_signer, method: METHOD, certificate: SIGNER_ID };
        let container = NewContainer { parts: vec![part], authors: vec![author], readers: vec![&reader] };
        maker.add(container).map_err(failed)?;
        maker.finish().map_err(failed)
    }

    /// The order to store it for the recipient.
    pub(super) fn store(
        &self,
        client: &Client<'_>,
        id: &str,
        content: &NewContent,
    ) -> Result<Ordered, Error> {
        let order = NewOrder::Store { message_id: id.to_owned(), subject: Some("Messung".to_owned()) };
        let certificates =
            Certificates { cipher_addressee: Some(self.addressee()), ..Certificates::default() };
        client.order(None, &order, certificates, Some(content)).map_err(failed)
    }

    fn addressee(&self) -> Named {
        let certificate: Certificate = self.recipient_cipher.certificate().clone();
        Named { id: "addressee_cipher".to_owned(), certificate }
    }

    /// Whether a delivery brings an attachment of so many bytes of noise.
    pub(super) fn is_noise(&self, fetched: &Answered, bytes: u64) -> Result<bool, Error> {
        let (policy, limits) = (Policy::default(), Limits::default());
        let reader = content::Reader {
            package: &fetched.package,
            message: &fetched.message,
            keys: std::slice::from_ref(&self.recipient_cipher),
            policy: &policy,
            limits: &limits,
        };
        let parts = reader.read().map_err(failed)?;
        let Some(attached) = parts.iter().find_map(attachment) else { return Ok(false) };
        let attachment = reader.open_attachment(attached).map_err(failed)?;
        Ok(digest(&mut attachment.open())? == digest(&mut Noise::new(bytes))?)
    }
}

/// The first attachment, however deep.
fn attachment(part: &Part) -> Option<&content::Attached> {
    match part {
        Part::Attachment(attached) => Some(attached),
        Part::Container(container) => container.parts.iter().find_map(attachment),
        Part::Opened(parts) => parts.iter().find_map(attachment),
        Part::Inline { .. } | Part::Locked => None,
    }
}

fn digest(bytes: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut hasher = Hasher::new(DigestMethod::Sha256).map_err(failed)?;
    io::copy(bytes, &mut hasher)?;
    hasher.finish().map_err(failed)
}

/// An order as it goes over the wire.
pub(super) fn request(package: &Plaintext) -> Result<Vec<u8>, Error> {
    let mut request = Vec::new();
    write!(
        request,
        "POST /osci HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        package.length()
    )?;
    package.open().read_to_end(&mut request)?;
    Ok(request)
}

/// Whether the last code of an answer is this one.
pub(super) fn said(answered: &Answered, code: &str) -> Result<(), Error> {
    let Body::Answer(answer) = &answered.message.body else {
        return Err(Error::Unverified("an answer".to_owned()));
    };
    match answer.feedback.last() {
        Some(entry) if entry.code == code => Ok(()),
        other => {
            let found = other.map_or("nothing", |entry| entry.code.as_str());
            Err(Error::Unverified(format!("{found} is answered instead of {code}")))
        }
    }
}

/// What our own side of the wire says.
pub(super) fn failed(error: impl Into<osci::Error>) -> Error {
    let error = error.into();
    Error::Unverified(format!("{error} [{}]", error.code()))
}

fn random() -> [u8; 24] {
    let mut bytes = [0; 24];
    fastrand::fill(&mut bytes);
    bytes
}

/// Bytes that do not repeat themselves, the same each time.
pub(super) struct Noise {
    random: fastrand::Rng,
    left: u64,
}

impl Noise {
    pub(super) fn new(bytes: u64) -> Self {
        Noise { random: fastrand::Rng::with_seed(7), left: bytes }
    }
}

impl Read for Noise {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        // The generator makes eight bytes at a time: only in such steps are they the same, however they are read.
        let whole = target.len() / 8 * 8;
        let wanted = whole.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let Some(target) = target.get_mut(..wanted) else { return Ok(0) };
        self.random.fill(target);
        self.left -= wanted as u64;
        Ok(wanted)
    }
}
