//! PartialFetchDelivery: a delivery that is fetched in chunks (supplement of 2017).
//!
//! The whole is the answer to a FetchDelivery, and all chunks must be cut from the same one. It is kept nowhere: it is made
//! again for each chunk, and always the same, since nothing is in it but what the delivery is. So a client can go on after
//! a restart, and in another dialog.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;

use seal::xmldsig::Hasher;
use seal::xmlenc::Plaintext;
use soap::mime::Boundary;

use super::backend::{Backend, Card, Dialog, Found, Selection};
use super::cards::{bundle, selection};
use super::reply::Said;
use super::{Accepted, Intermediary};
use crate::chunk::{self, UNIT};
use crate::code::{Code, language};
use crate::letter::{Carried, Handed, Letter};
use crate::message::{
    Answer, Body, Certificates, Chunk, ControlBlock, Feedback, IntermediaryCertificates, Message,
    SelectionRule,
};
use crate::names::{Kind, Order};
use crate::package::OWN_DIGEST;
use crate::transport::{ChunkLimits, Limits};
use crate::{Error, Result};

/// What stands in the whole where a dialog's data would: it must be there, and it is the dialog of the chunks that counts.
const NO_DIALOG: &str = "0";

/// What is asked for.
struct Wanted<'a> {
    number: u32,
    /// In units.
    size: u64,
    /// Chunks that the client has.
    received: BTreeSet<u32>,
    rule: Option<&'a SelectionRule>,
}

/// Carries a PartialFetchDelivery out.
pub(super) fn carry_out<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    mut said: Said,
) -> Result<Said> {
    let Body::PartialFetch { rule, chunk } = &order.message.body else { return Ok(said) };
    let Some(dialog) = &order.dialog else { return Ok(said) };
    said.answer.rule.clone_from(rule);
    said.answer.chunk = Some(Chunk { number: Some(chunk.number.unwrap_or(0)), ..Chunk::default() });
    let wanted = match wanted(rule.as_ref(), chunk, &intermediary.settings.limits.chunks) {
        Ok(wanted) => wanted,
        Err(code) => return Ok(said.and(&[code])),
    };
    let found = match meant(dialog, &wanted)? {
        Some(selection) => intermediary.backend.find_delivery(dialog, &selection)?,
        None => None,
    };
    match found {
        Some(found) => hand_out(intermediary, order, dialog, &wanted, found, said),
        None => Ok(said.and(&[Code::NO_DELIVERY])),
    }
}

fn wanted<'a>(
    rule: Option<&'a SelectionRule>,
    chunk: &Chunk,
    limits: &ChunkLimits,
) -> Result<Wanted<'a>, Code> {
    let (Some(number), Some(size)) = (chunk.number, chunk.size) else {
        return Err(Code::CHUNK_INFORMATION);
    };
    if number == 0 {
        return Err(Code::CHUNK_NUMBER);
    }
    if size > limits.largest {
        return Err(Code::CHUNK_TOO_LARGE);
    }
    if size < limits.smallest.max(1) {
        return Err(Code::CHUNK_TOO_SMALL);
    }
    let received = chunk.received.iter().flatten().copied().collect();
    Ok(Wanted { number, size, received, rule })
}

/// Which delivery is meant: without an id, the first chunk chooses, and the others are of the same. One id is one delivery.
fn meant(dialog: &Dialog, wanted: &Wanted<'_>) -> Result<Option<Selection>> {
    let goes_on = wanted.number > 1 || !wanted.received.is_empty();
    Ok(match (wanted.rule, &dialog.state.fetching) {
        (Some(SelectionRule::MessageIds(ids)), _) if ids.len() > 1 => None,
        (rule @ Some(SelectionRule::MessageIds(_)), _) => Some(selection(rule)?),
        (_, Some(id)) if goes_on => Some(Selection::Ids(vec![id.clone()])),
        (rule, _) => Some(selection(rule)?),
    })
}

fn hand_out<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    dialog: &Dialog,
    wanted: &Wanted<'_>,
    found: Found,
    said: Said,
) -> Result<Said> {
    let limits = &intermediary.settings.limits;
    let Found { mut card, more, package } = found;
    let (is_new, handed) = (card.forwarding.is_none(), Handed::open(package, limits)?);
    card.forwarding.get_or_insert(intermediary.backend.now());
    let mut whole = render(&handed, &card, limits)?;
    let total = match u32::try_from(chunk::count(whole.length(), wanted.size)) {
        Ok(total) if total <= limits.chunks.most => total,
        _ => return Ok(said.and(&[Code::CHUNK_TOO_SMALL])),
    };
    if wanted.number > total {
        return Ok(said.and(&[Code::CHUNK_NUMBER]));
    }
    let is_last = (1..=total).all(|number| number == wanted.number || wanted.received.contains(&number));
    // Between the first chunk and the last there is nothing to remember.
    if is_new || is_last || wanted.received.is_empty() {
        let noted = note(intermediary, dialog, &card.message_id, is_last)?;
        if noted.forwarding != card.forwarding {
            whole = render(&handed, &noted, limits)?;
        }
        card = noted;
    }
    let said = if more { said.and(&[Code::MORE_DELIVERIES]) } else { said };
    if total == 1 {
        return as_a_whole(order, card, handed, said);
    }
    let mut said = said.and(&[order.done()]);
    let (number, total) = (Some(wanted.number), Some(total));
    let size = Some(whole.length() / UNIT);
    said.answer.chunk = Some(Chunk { number, total_chunks: total, total_size: size, ..Chunk::default() });
    said.answer.message_id = Some(card.message_id);
    said.chunk = Some(chunk::content(chunk::cut(&whole, wanted.number, wanted.size), limits)?);
    Ok(said)
}

/// Notes that the delivery is being handed out; with the last chunk that it was, so that the next order shows its
/// reception.
fn note<B: Backend>(
    intermediary: &Intermediary<B>,
    dialog: &Dialog,
    message_id: &str,
    is_last: bool,
) -> Result<Card> {
    let id = Some(message_id.to_owned());
    let mut next = dialog.state.clone();
    (next.fetching, next.handed_out) =
        if is_last { (None, id.into_iter().collect()) } else { (id, Vec::new()) };
    let noted = intermediary.backend.hand_out(dialog, &next, message_id)?;
    noted.ok_or(Error::Refused(Code::DIALOG))
}

/// What fits into one chunk is answered as if nobody had spoken of chunks.
fn as_a_whole(order: &Accepted, card: Card, handed: Handed, mut said: Said) -> Result<Said> {
    said.order = Some(Order::FetchDelivery);
    said.answer.chunk = None;
    said.answer.cards.push(bundle(&card)?);
    said.handed = Some(handed);
    Ok(said.and(&[order.done()]))
}

/// The answer that is cut into chunks: the same whenever and for whomever it is made.
fn render(handed: &Handed, card: &Card, limits: &Limits) -> Result<Plaintext> {
    // What became of the delivery after it was first handed out is told in the answers.
    let modification = card.forwarding.unwrap_or(card.modification);
    let then = Card { reception: None, modification, ..card.clone() };
    let answer = Answer {
        feedback: vec![Feedback::of(Code::DIALOG_OPEN, language([]))],
        rule: Some(SelectionRule::MessageIds(vec![card.message_id.clone()])),
        cards: vec![bundle(&then)?],
        ..Answer::default()
    };
    let message = Message {
        kind: Kind::Answer(Order::FetchDelivery),
        control: ControlBlock {
            response: Some(NO_DIALOG.to_owned()),
            challenge: Some(NO_DIALOG.to_owned()),
            conversation: Some(NO_DIALOG.to_owned()),
            sequence: Some(0),
        },
        languages: Vec::new(),
        time_stamps: Vec::new(),
        body: Body::Answer(Box::new(answer)),
        intermediary: IntermediaryCertificates::default(),
        certificates: Certificates::default(),
        features: None,
        custom: Vec::new(),
        content: None,
        namespaces: Vec::new(),
    };
    let letter = Letter { message: &message, carried: Carried::Handed(handed), signer: None, limits };
    letter.write(boundary(handed)?)
}

/// A boundary that is always the same, and yet nobody can have put into the delivery: it comes of a digest of all that
/// is in it.
fn boundary(handed: &Handed) -> Result<Boundary> {
    let package = Rc::clone(&handed.package);
    let mut hasher = Hasher::new(OWN_DIGEST)?;
    io::copy(&mut package.xml.open(), &mut hasher)?;
    for attachment in &package.attachments {
        io::Write::write_all(&mut hasher, attachment.id.as_bytes())?;
        io::Write::write_all(&mut hasher, &attachment.digest)?;
    }
    let digest = hasher.finish()?;
    let start = digest.first_chunk::<24>().ok_or(Error::Malformed("a digest is too short"))?;
    Ok(Boundary::from_random(*start))
}
