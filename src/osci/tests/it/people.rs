//! Clients for tests: who they are, and short ways to order.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use osci::client::{Answered, Client, Dialog, NewOrder};
use osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use osci::intermediary::Intermediary;
use osci::message::{Body, Certificates, Named};
use osci::transport::Limits;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmlenc::Plaintext;

use crate::bed::{certificate, identity};
use crate::memory::Memory;

pub(crate) const METHOD: SignatureMethod =
    SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };

/// Keys of somebody in the corpus.
pub(crate) struct Person {
    pub(crate) cipher: Identity,
    pub(crate) signer: Identity,
}

impl Person {
    pub(crate) fn of(name: &str) -> Self {
        Person { cipher: identity(&format!("{name}_cipher")), signer: identity(&format!("{name}_signature")) }
    }

    /// Who signs and encrypts.
    pub(crate) fn client<'a>(&'a self, intermediary: &'a Certificate) -> Client<'a> {
        Client { intermediary: Some(intermediary), ..self.in_the_clear() }
    }

    /// Who signs only.
    pub(crate) fn in_the_clear(&self) -> Client<'_> {
        Client {
            cipher: &self.cipher,
            signer: Some((&self.signer, METHOD)),
            intermediary: None,
            answers_by: None,
            policy: Policy::default(),
            limits: Limits::default(),
            random: &random,
        }
    }
}

fn random() -> [u8; 24] {
    static COUNT: AtomicU64 = AtomicU64::new(1 << 32);
    let mut bytes = [7; 24];
    bytes[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

pub(crate) fn intermediary_certificate() -> Certificate {
    certificate("intermed_cipher")
}

pub(crate) fn all(bytes: &Plaintext) -> Vec<u8> {
    let mut all = Vec::new();
    bytes.open().read_to_end(&mut all).unwrap();
    all
}

/// Orders, and reads the answer.
pub(crate) fn order(
    at: &Intermediary<Memory>,
    client: &Client<'_>,
    dialog: Option<&Dialog>,
    order: &NewOrder,
) -> osci::Result<Answered> {
    deliver(at, client, dialog, order, Certificates::default(), None)
}

/// The same with certificates and content.
pub(crate) fn deliver(
    at: &Intermediary<Memory>,
    client: &Client<'_>,
    dialog: Option<&Dialog>,
    order: &NewOrder,
    certificates: Certificates,
    content: Option<&NewContent>,
) -> osci::Result<Answered> {
    let ordered = client.order(dialog, order, certificates, content)?;
    let answer = all(&at.answer(&all(&ordered.package)[..])?);
    client.answer(&ordered, &answer[..])
}

pub(crate) fn codes(answered: &Answered) -> Vec<String> {
    let Body::Answer(answer) = &answered.message.body else { panic!("an answer") };
    answer.feedback.iter().map(|entry| entry.code.clone()).collect()
}

pub(crate) fn message_id(at: &Intermediary<Memory>, client: &Client<'_>) -> String {
    let answered = order(at, client, None, &NewOrder::GetMessageId).unwrap();
    assert_eq!(codes(&answered), ["0800"]);
    let Body::Answer(answer) = &answered.message.body else { panic!("an answer") };
    answer.message_id.clone().expect("an id")
}

pub(crate) fn addressed_to(name: &str) -> Certificates {
    let certificate = certificate(&format!("{name}_cipher"));
    let named = Named { id: "addressee_cipher".to_owned(), certificate };
    Certificates { cipher_addressee: Some(named), ..Certificates::default() }
}

/// A container signed by the client and readable by the addressee, with a text and an attachment.
pub(crate) fn letter(person: &Person, certificates: &Certificates, text: &str) -> NewContent {
    let (policy, limits) = (Policy::default(), Limits::default());
    let mut maker = Maker::new(&policy, &limits);
    let (mut inline, mut attached) = (text.as_bytes(), [1_u8, 2, 3].as_slice());
    let author = Author { signer: &person.signer, method: METHOD, certificate: osci::client::SIGNER_ID };
    maker
        .add(NewContainer {
            parts: vec![NewPart::Inline(&mut inline), NewPart::Attachment("file.bin", &mut attached)],
            authors: vec![author],
            readers: certificates.cipher_addressee.iter().collect(),
        })
        .unwrap();
    maker.finish().unwrap()
}

/// Stores a letter for somebody. Returns its id.
pub(crate) fn store(at: &Intermediary<Memory>, from: &Person, to: &str, text: &str) -> String {
    let intermediary = intermediary_certificate();
    let client = from.client(&intermediary);
    let id = message_id(at, &client);
    let certificates = addressed_to(to);
    let content = letter(from, &certificates, text);
    let new = NewOrder::Store { message_id: id.clone(), subject: Some("Betreff <1> äöü".to_owned()) };
    let answered = deliver(at, &client, None, &new, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["0800"]);
    id
}

pub(crate) fn dialog(at: &Intermediary<Memory>, client: &Client<'_>) -> Dialog {
    let answered = order(at, client, None, &NewOrder::InitDialog).unwrap();
    assert_eq!(codes(&answered), ["0801"]);
    answered.dialog.expect("a dialog")
}
