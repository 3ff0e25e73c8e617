//! Deliveries that are brought and fetched in chunks: supplement of 2017 ("Effiziente Übertragung großer Datenmengen").
//!
//! A whole that is to be brought is a package of its own, and its bytes are kept by the client until it has arrived: after
//! a break it asks which chunks are there, and brings the others. Its chunks are signed, it is not.

use std::io;

use seal::xmlenc::{Plaintext, Staging};
use soap::mime::Boundary;

use super::{Answered, Client, Dialog, NewOrder, Ordered};
use crate::chunk::{self, UNIT};
use crate::code::Code;
use crate::content::write::NewContent;
use crate::letter::{Carried, Letter};
use crate::message::{Answer, Body, Certificates, Chunk, Features, Message, Named, SelectionRule};
use crate::names::{Kind, Order};
use crate::package::Package;
use crate::transport::Limits;
use crate::{Error, Result};

/// What we say of our abilities where it must be said.
const SUPPORTED: [(&str, &str); 4] = [
    ("OAEPEncryption", "1.6.0"),
    ("GCMPaddingModus", "1.7.0"),
    ("PartialMessageTransmission", "1.8.0"),
    ("Support96Bit12ByteIV", "1.9.0"),
];

pub(super) fn features() -> Features {
    let supported = SUPPORTED.map(|(key, version)| (key.to_owned(), version.to_owned())).to_vec();
    Features { supported, ..Features::default() }
}

/// A delivery that is brought in chunks.
#[derive(Debug)]
pub struct Whole {
    /// Its message id.
    pub message_id: String,
    /// Whose mailbox it is for: told beside each chunk.
    pub addressee: Option<Named>,
    /// The package of a StoreDelivery, unsigned and unencrypted. To go on after a break, it must be these very bytes.
    pub package: Plaintext,
    /// Size of a chunk, in units of 1,024 bytes. Stays as it is once a chunk was brought.
    pub chunk_size: u64,
}

impl Client<'_> {
    /// A delivery as a whole that can be cut into chunks of `chunk_size` units of 1,024 bytes. Certificates as with
    /// [`Client::order`].
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn whole(
        &self,
        message_id: &str,
        subject: Option<&str>,
        certificates: Certificates,
        content: &NewContent,
        chunk_size: u64,
    ) -> Result<Whole> {
        let order =
            NewOrder::Store { message_id: message_id.to_owned(), subject: subject.map(str::to_owned) };
        let addressee = certificates.cipher_addressee.clone();
        let (_, message) = self.message(None, &order, certificates);
        let letter =
            Letter { message: &message, carried: Carried::Own(content), signer: None, limits: &self.limits };
        let package = letter.write(Boundary::from_random((self.random)()))?;
        Ok(Whole { message_id: message_id.to_owned(), addressee, package, chunk_size })
    }

    /// The order that brings a chunk; they are counted from 1, see [`Whole::chunks`].
    ///
    /// # Errors
    /// As [`Client::order`].
    pub fn bring_chunk(&self, dialog: Option<&Dialog>, whole: &Whole, number: u32) -> Result<Ordered> {
        let chunk = Chunk {
            number: Some(number),
            size: Some(whole.chunk_size),
            total_chunks: Some(whole.chunks()?),
            total_size: Some(whole.package.length() / UNIT),
            received: None,
        };
        let content = chunk::content(chunk::cut(&whole.package, number, whole.chunk_size), &self.limits)?;
        let order = NewOrder::StoreChunk { message_id: whole.message_id.clone(), chunk: Some(chunk) };
        let certificates =
            Certificates { cipher_addressee: whole.addressee.clone(), ..Certificates::default() };
        self.order(dialog, &order, certificates, Some(&content))
    }

    /// The order that asks which chunks of a message to this addressee are there. Where all are and the whole was not
    /// carried out yet, it is now.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub fn ask_for_chunks(
        &self,
        dialog: Option<&Dialog>,
        message_id: &str,
        addressee: Option<&Named>,
    ) -> Result<Ordered> {
        let certificates = Certificates { cipher_addressee: addressee.cloned(), ..Certificates::default() };
        let nothing = NewContent::of("", Vec::new(), &self.limits)?;
        let order = NewOrder::StoreChunk { message_id: message_id.to_owned(), chunk: None };
        self.order(dialog, &order, certificates, Some(&nothing))
    }
}

impl Whole {
    /// How many chunks it has.
    ///
    /// # Errors
    /// If they cannot be counted.
    pub fn chunks(&self) -> Result<u32> {
        let count = chunk::count(self.package.length(), self.chunk_size);
        u32::try_from(count).map_err(|_| Error::Malformed("too many chunks"))
    }

    /// The chunks that are still missing, as an answer says.
    ///
    /// # Errors
    /// If it does not say so, or the chunks cannot be counted.
    pub fn missing(&self, answered: &Answered) -> Result<Vec<u32>> {
        let information = said(&answered.message)?.chunk.as_ref();
        let received = information.and_then(|chunk| chunk.received.as_ref());
        let received = received.ok_or(Error::Malformed("the answer does not say which chunks are there"))?;
        Ok((1..=self.chunks()?).filter(|number| !received.contains(number)).collect())
    }
}

/// A delivery that is fetched in chunks, one after the other.
pub struct Gathering {
    rule: Option<SelectionRule>,
    chunk_size: u64,
    /// The chunks before `next`.
    kept: Staging,
    next: u32,
    total: Option<u32>,
}

impl Gathering {
    /// Nothing of the delivery that `rule` means, yet. `chunk_size` in units of 1,024 bytes.
    pub fn new(rule: Option<SelectionRule>, chunk_size: u64, limits: &Limits) -> Self {
        Gathering { rule, chunk_size, kept: limits.staging(), next: 1, total: None }
    }

    /// The order that fetches the next chunk.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub fn order(&self, client: &Client<'_>, dialog: &Dialog) -> Result<Ordered> {
        let chunk = Chunk {
            number: Some(self.next),
            size: Some(self.chunk_size),
            received: Some((1..self.next).collect()),
            ..Chunk::default()
        };
        let order = NewOrder::FetchChunk { rule: self.rule.clone(), chunk };
        client.order(Some(dialog), &order, Certificates::default(), None)
    }

    /// Takes the answer. If nothing is missing any more: the answer to a FetchDelivery, unsigned if it came in chunks, since
    /// the answers that brought it were signed.
    ///
    /// # Errors
    /// [`Error::Refused`] with the code of an order that was not carried out; [`Error::Malformed`] if the chunks do not
    /// make up a delivery.
    pub fn take(&mut self, answered: Answered, limits: &Limits) -> Result<Option<(Message, Package)>> {
        let Answered { message, package, .. } = answered;
        let answer = said(&message)?;
        if !message.was_carried_out() {
            let code = answer.feedback.last().and_then(|entry| Code::parse(&entry.code));
            return Err(Error::Refused(code.unwrap_or(Code::ORDER_INTERNAL)));
        }
        if message.kind == Kind::Answer(Order::FetchDelivery) {
            return Ok(Some((message, package)));
        }
        let information = answer.chunk.clone().unwrap_or_default();
        // All further chunks are of the delivery that the first was of.
        if let Some(id) = &answer.message_id {
            self.rule = Some(SelectionRule::MessageIds(vec![id.clone()]));
        }
        self.total = self.total.or(information.total_chunks);
        let total = self.total.ok_or(Error::Malformed("nobody says how many chunks there are"))?;
        if information.number != Some(self.next) || self.next > total || chunk::of(&package).is_none() {
            return Err(Error::Malformed("the answer holds another chunk"));
        }
        package.each_attachment(|_, bytes| {
            io::copy(bytes, &mut self.kept)?;
            Ok(())
        })?;
        self.next += 1;
        if self.next <= total {
            return Ok(None);
        }
        let whole = std::mem::replace(&mut self.kept, limits.staging()).finish();
        open(whole, limits).map(Some)
    }
}

fn open(whole: Plaintext, limits: &Limits) -> Result<(Message, Package)> {
    let mut package = Package::open(whole, limits)?;
    let message = package.read()?.unsigned()?;
    match message.kind {
        Kind::Answer(Order::FetchDelivery) => Ok((message, package)),
        _ => Err(Error::Malformed("the chunks are no answer to FetchDelivery")),
    }
}

fn said(message: &Message) -> Result<&Answer> {
    match &message.body {
        Body::Answer(answer) => Ok(answer),
        _ => Err(Error::Malformed("no answer")),
    }
}
