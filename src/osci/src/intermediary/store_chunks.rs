//! PartialStoreDelivery: a StoreDelivery that comes in chunks (supplement of 2017). Chunks come in any order, and more than
//! once if the client likes; what matters is that all of them come from the same sender. As soon as the last one is
//! here, the whole is carried out like a StoreDelivery, and what came of it is told beside.
//!
//! Where the texts at hand say nothing, it is ours: the same chunk again is told as carried out, another one of the same
//! number as 9900; a whole that is refused is forgotten, and can begin anew under its id.

use super::backend::{Arrived, Backend, Card, Cards, NewChunk, Refusal, Selection, Whole};
use super::cards::bundle;
use super::orders::{Delivered, take_in};
use super::reply::Said;
use super::{Accepted, Intermediary};
use crate::chunk::{self, SUFFIX, UNIT};
use crate::code::{Code, Level};
use crate::message::{Body, Chunk, Message, Role};
use crate::names::{Kind, Order};
use crate::package::{Attachment, Package};
use crate::transport::Limits;
use crate::{Error, Result};

/// Carries a PartialStoreDelivery out.
pub(super) fn carry_out<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    said: Said,
) -> Result<Said> {
    let Body::PartialStore { message_id, chunk, .. } = &order.message.body else { return Ok(said) };
    let Some(named) = message_id else { return Ok(said.and(&[Code::NO_MESSAGE_ID])) };
    let Some(message_id) = named.strip_suffix(SUFFIX).filter(|id| !id.is_empty()) else {
        return Ok(said.and(&[Code::MESSAGE_ID]));
    };
    let Some(sender) = sender(order) else { return Ok(said.and(&[Code::UNSIGNED])) };
    let whole = Whole { sender: &sender, message_id };
    let mut arrived = intermediary.backend.arrived(&whole)?;
    let mut refused = None;
    if let Some(chunk) = chunk {
        refused = take_chunk(intermediary, order, &whole, chunk, arrived.as_ref())?;
        arrived = intermediary.backend.arrived(&whole)?;
        refused = refused.or_else(|| other_chunk(order, chunk, arrived.as_ref()));
    }
    let mut said = said;
    said.answer.chunk = Some(information(chunk.as_ref(), arrived.as_ref()));
    if let Some(code) = refused {
        return Ok(said.and(&[code]));
    }
    let Some(arrived) = arrived else { return Ok(said.and(&[order.done()])) };
    if !arrived.is_complete() {
        said.answer.cards.push(bundle(&card_of_chunks(named, &arrived))?);
        return Ok(said.and(&[order.done()]));
    }
    if arrived.is_taken_in {
        return tell_taken_in(intermediary, order, message_id, said);
    }
    conclude(intermediary, order, &whole, &arrived, said)
}

/// Whose chunks they are: the signer's, or else the client's. Nobody else can add to them.
fn sender(order: &Accepted) -> Option<String> {
    let claimed = order.client.as_ref().map(|client| format!("unsigned-{}", client.fingerprint()));
    order.signer.clone().or(claimed)
}

/// Keeps a chunk; gives the code if it is not taken.
fn take_chunk<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    whole: &Whole<'_>,
    said: &Chunk,
    arrived: Option<&Arrived>,
) -> Result<Option<Code>> {
    let limits = &intermediary.settings.limits;
    let Some(part) = chunk::of(&order.package) else { return Ok(Some(Code::CHUNK_INFORMATION)) };
    let chunk = match new_chunk(said, part, limits, arrived) {
        Ok(chunk) => chunk,
        Err(code) => return Ok(Some(code)),
    };
    if arrived.is_some_and(|arrived| arrived.chunk(chunk.number).is_some()) {
        return Ok(None);
    }
    Ok(match keep(intermediary, order, whole, &chunk)? {
        Ok(()) => None,
        Err(Refusal::MessageId) => Some(Code::MESSAGE_ID),
        Err(Refusal::NoMailbox | Refusal::Full) => Some(Code::ORDER_INTERNAL),
    })
}

/// The code if the chunk that is here under the number of the order is not the one that the order brought.
fn other_chunk(order: &Accepted, said: &Chunk, arrived: Option<&Arrived>) -> Option<Code> {
    let there = arrived?.chunk(said.number?)?;
    let ours = chunk::of(&order.package)?;
    (there.digest != ours.digest).then_some(Code::CHUNK_AGAIN)
}

/// What is to be kept, if what is said of it can be.
fn new_chunk<'a>(
    said: &Chunk,
    part: &'a Attachment,
    limits: &Limits,
    arrived: Option<&Arrived>,
) -> Result<NewChunk<'a>, Code> {
    let (Some(number), Some(size), Some(total_chunks), Some(total_size)) =
        (said.number, said.size, said.total_chunks, said.total_size)
    else {
        return Err(Code::CHUNK_INFORMATION);
    };
    let is_other = arrived.is_some_and(|it| (it.total_chunks, it.total_size) != (total_chunks, total_size));
    if is_other || total_chunks == 0 || part.length == 0 {
        return Err(Code::CHUNK_INFORMATION);
    }
    if number == 0 || number > total_chunks {
        return Err(Code::CHUNK_NUMBER);
    }
    if size > limits.chunks.largest || part.length > size.saturating_mul(UNIT) {
        return Err(Code::CHUNK_TOO_LARGE);
    }
    if total_size > limits.package / UNIT {
        return Err(Code::MESSAGE_TOO_LARGE);
    }
    let is_last = number == total_chunks;
    if total_chunks > limits.chunks.most
        || (total_chunks > 1 && size < limits.chunks.smallest)
        || (!is_last && part.length < limits.chunks.smallest * UNIT)
    {
        return Err(Code::CHUNK_TOO_SMALL);
    }
    let others = arrived.map_or(0, |it| it.length() - it.chunk(number).map_or(0, |same| same.length));
    if total_size > size.saturating_mul(u64::from(total_chunks)) || others + part.length > most(total_size) {
        return Err(Code::CHUNK_INFORMATION);
    }
    Ok(NewChunk { number, length: part.length, digest: &part.digest, total_chunks, total_size })
}

/// Most bytes of a whole that is told in units: the field cuts the rest off, others may round up.
fn most(total_size: u64) -> u64 {
    (total_size + 1) * UNIT - 1
}

fn keep<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    whole: &Whole<'_>,
    chunk: &NewChunk<'_>,
) -> Result<std::result::Result<(), Refusal>> {
    let mut kept = Ok(());
    order.package.each_attachment(|_, bytes| {
        kept = intermediary.backend.keep_chunk(whole, chunk, bytes)?;
        Ok(())
    })?;
    Ok(kept)
}

/// Carries the whole out and tells what came of it.
fn conclude<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    whole: &Whole<'_>,
    arrived: &Arrived,
    mut said: Said,
) -> Result<Said> {
    if arrived.length() + UNIT <= arrived.total_size * UNIT {
        intermediary.backend.forget_chunks(whole)?;
        said.answer.chunk = said.answer.chunk.map(|chunk| Chunk { received: Some(Vec::new()), ..chunk });
        return Ok(said.and(&[Code::CHUNK_INFORMATION]));
    }
    let inside = carry_whole_out(intermediary, order, whole)?;
    let code = inside.answer.feedback.last().and_then(|entry| Code::parse(&entry.code));
    if code.is_some_and(|code| code.level() == Level::Success) {
        said.answer.inside_feedback = inside.answer.feedback;
        said.answer.cards = inside.answer.cards;
        return Ok(said.and(&[order.done()]));
    }
    // Of two orders that complete it, one may have found it taken in already.
    if intermediary.backend.arrived(whole)?.is_some_and(|now| now.is_taken_in) {
        return tell_taken_in(intermediary, order, whole.message_id, said);
    }
    intermediary.backend.forget_chunks(whole)?;
    said.answer.inside_feedback = inside.answer.feedback;
    Ok(said.and(&[Code::INSIDE_ERROR]))
}

/// The feedback of the StoreDelivery that the chunks are.
fn carry_whole_out<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    whole: &Whole<'_>,
) -> Result<Said> {
    let said = Said::only(&[], order.language);
    let mut staging = intermediary.settings.limits.staging();
    intermediary.backend.assemble(whole, &mut staging)?;
    let (package, message) = match open(staging.finish(), &intermediary.settings.limits) {
        Ok(opened) => opened,
        Err(Error::Io(error)) => return Err(Error::Io(error)),
        Err(Error::Refused(code)) => return Ok(said.and(&[code])),
        Err(_) => return Ok(said.and(&[Code::NO_ORDER])),
    };
    if let Some(code) = contradiction(order, whole, &message) {
        return Ok(said.and(&[code]));
    }
    let delivered = Delivered {
        message: &message,
        package: &package.raw,
        client: order.client.as_ref(),
        at: order.at,
        findings: &order.findings,
        whole: Some(*whole),
    };
    take_in(intermediary, &delivered, Code::DIALOG_CLOSED, said)
}

fn open(whole: seal::xmlenc::Plaintext, limits: &Limits) -> Result<(Package, Message)> {
    let mut package = Package::open(whole, limits)?;
    // The orders that brought it were signed: nobody signs it by itself.
    let message = package.read()?.unsigned()?;
    match message.kind {
        Kind::Order(Order::StoreDelivery) => Ok((package, message)),
        _ => Err(Error::Refused(Code::NO_ORDER)),
    }
}

/// What the whole says otherwise than the orders that brought it: it has no signature of its own, so it must not name
/// anybody else as who signed it.
fn contradiction(order: &Accepted, whole: &Whole<'_>, inside: &Message) -> Option<Code> {
    let id = if let Body::Store { message_id, .. } = &inside.body { message_id.as_deref() } else { None };
    if id.is_some_and(|id| id != whole.message_id) {
        return Some(Code::MESSAGE_ID);
    }
    let (signer, cipher) =
        (&inside.certificates.signature_originator, &inside.certificates.cipher_originator);
    let is_signer = |it: &str| order.signer.as_deref().is_none_or(|signer| signer == it);
    let is_client = |it: &str| order.client.as_ref().is_none_or(|client| client.fingerprint() == it);
    let is_sound = signer.as_ref().is_none_or(|it| is_signer(it.certificate.fingerprint()))
        && cipher.as_ref().is_none_or(|it| is_client(it.certificate.fingerprint()));
    (!is_sound).then_some(Code::SIGNATURE)
}

/// Tells once more what came of a whole that was taken in before.
fn tell_taken_in<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    message_id: &str,
    mut said: Said,
) -> Result<Said> {
    said.answer.inside_feedback = Said::only(&[Code::DIALOG_CLOSED], order.language).answer.feedback;
    if let Some(client) = &order.client {
        let meant = Cards {
            selection: Selection::Ids(vec![message_id.to_owned()]),
            role: Some(Role::Originator),
            no_reception: false,
            limit: 1,
        };
        let (cards, _) = intermediary.backend.cards(client, &meant)?;
        said.answer.cards = cards.iter().map(bundle).collect::<Result<_>>()?;
    }
    Ok(said.and(&[order.done()]))
}

/// The card of a message of which chunks are missing.
fn card_of_chunks(named: &str, arrived: &Arrived) -> Card {
    Card {
        message_id: named.to_owned(),
        subject: None,
        creation: arrived.creation,
        forwarding: None,
        reception: None,
        modification: arrived.modification,
        inspections: Vec::new(),
    }
}

/// What is told of the chunks: the number is that of the order, or else of the last that is here.
fn information(ordered: Option<&Chunk>, arrived: Option<&Arrived>) -> Chunk {
    let received: Vec<u32> =
        arrived.map(|it| it.chunks.iter().map(|chunk| chunk.number).collect()).unwrap_or_default();
    let number = ordered.and_then(|chunk| chunk.number).or(received.last().copied());
    let total = arrived.map(|it| it.total_chunks).or(ordered.and_then(|chunk| chunk.total_chunks));
    Chunk {
        number: Some(number.unwrap_or(0)),
        total_chunks: Some(total.unwrap_or(0)),
        received: Some(received),
        ..Chunk::default()
    }
}
