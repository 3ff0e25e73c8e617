//! What each order does (OSCI-Transport 1.2, section 4.2).

use seal::x509::Certificate;
use seal::xmlenc::Plaintext;

use super::backend::{Backend, Found, NewDelivery, Refusal, Whole};
use super::cards::{bundle, selection, wanted};
use super::inspect::Findings;
use super::reply::Said;
use super::{Accepted, Intermediary, Receiver, dialog, fetch_chunks, pass_on, store_chunks};
use crate::Result;
use crate::code::{Code, Level};
use crate::letter::Handed;
use crate::message::{Body, Message, SelectionRule};
use crate::names::{Kind, Order};

/// Carries an order out and makes the answer.
pub(super) fn carry_out<B: Backend>(
    intermediary: &Intermediary<B>,
    mut order: Accepted,
    receiver: Option<Receiver>,
) -> Result<Plaintext> {
    let said = order.said();
    if order.findings.codes.iter().any(|code| code.level() == Level::Error) {
        return order.reply(intermediary, receiver, said.and(&order.findings.codes));
    }
    let Kind::Order(kind) = order.message.kind else { return order.reply(intermediary, receiver, said) };
    if kind.needs_dialog() && order.dialog.is_none() {
        return order.reply(intermediary, receiver, said.and(&[Code::NO_DIALOG]));
    }
    let said = said.and(&order.findings.codes);
    let said = match kind {
        Order::InitDialog => init_dialog(intermediary, &mut order, said)?,
        Order::ExitDialog => said.and(&[Code::DIALOG_CLOSED]),
        Order::GetMessageId => get_message_id(intermediary, &order, said)?,
        Order::StoreDelivery => store(intermediary, &order, said)?,
        Order::FetchDelivery => fetch(intermediary, &order, said)?,
        Order::FetchProcessCard => cards(intermediary, &order, said)?,
        Order::ForwardDelivery | Order::MediateDelivery => pass_on::carry_out(intermediary, &order, said)?,
        Order::PartialStoreDelivery => store_chunks::carry_out(intermediary, &order, said)?,
        Order::PartialFetchDelivery => fetch_chunks::carry_out(intermediary, &order, said)?,
        // Nobody orders these at an intermediary.
        Order::AcceptDelivery | Order::ProcessDelivery => return Err(crate::Error::Refused(Code::NO_ORDER)),
    };
    order.reply(intermediary, receiver, said)
}

impl Accepted {
    fn said(&self) -> Said {
        Said::only(&[], self.language)
    }

    /// What ends the feedback of an order that was carried out.
    pub(super) fn done(&self) -> Code {
        if self.dialog.is_some() { Code::DIALOG_OPEN } else { Code::DIALOG_CLOSED }
    }

    fn reply<B: Backend>(
        &self,
        intermediary: &Intermediary<B>,
        receiver: Option<Receiver>,
        said: Said,
    ) -> Result<Plaintext> {
        intermediary.reply_to(&self.message, self.dialog.as_ref(), receiver, said)
    }
}

fn init_dialog<B: Backend>(intermediary: &Intermediary<B>, order: &mut Accepted, said: Said) -> Result<Said> {
    // The rules see to it that there is one.
    let Some(client) = &order.client else { return Ok(said.and(&[Code::NO_CIPHER_CERTIFICATE])) };
    let features = order.message.features.as_ref();
    let knows = features.is_some_and(|it| it.supported.iter().any(|(key, _)| key == "Support96Bit12ByteIV"));
    let (signer, is_sealed) = (order.signer.clone(), order.is_sealed);
    let dialog = dialog::begin(&intermediary.backend, client.der(), signer, knows, is_sealed)?;
    order.dialog = Some(dialog);
    Ok(said.and(&[Code::DIALOG_OPEN]))
}

fn get_message_id<B: Backend>(intermediary: &Intermediary<B>, order: &Accepted, said: Said) -> Result<Said> {
    let mut said = said.and(&[order.done()]);
    said.answer.message_id = Some(intermediary.backend.issue_message_id()?);
    Ok(said)
}

/// A StoreDelivery, however it came.
pub(super) struct Delivered<'a> {
    pub(super) message: &'a Message,
    /// Its package.
    pub(super) package: &'a Plaintext,
    /// The client's cipher certificate.
    pub(super) client: Option<&'a Certificate>,
    /// When it came, in seconds since 1970-01-01 UTC.
    pub(super) at: i64,
    /// What was found about the client's certificates already.
    pub(super) findings: &'a Findings,
    /// It came in chunks.
    pub(super) whole: Option<Whole<'a>>,
}

fn store<B: Backend>(intermediary: &Intermediary<B>, order: &Accepted, said: Said) -> Result<Said> {
    let delivered = Delivered {
        message: &order.message,
        package: &order.package.raw,
        client: order.client.as_ref(),
        at: order.at,
        findings: &order.findings,
        whole: None,
    };
    take_in(intermediary, &delivered, order.done(), said)
}

/// Takes a delivery in. `done` ends the feedback if that went well.
pub(super) fn take_in<B: Backend>(
    intermediary: &Intermediary<B>,
    delivered: &Delivered<'_>,
    done: Code,
    said: Said,
) -> Result<Said> {
    let Body::Store { message_id, subject } = &delivered.message.body else { return Ok(said) };
    let Some(message_id) = message_id else { return Ok(said.and(&[Code::NO_MESSAGE_ID])) };
    let mut findings = delivered.findings.afresh();
    findings.look_at_all(&*intermediary.settings.inspector, &delivered.message.certificates, delivered.at)?;
    let said = said.and(&findings.codes);
    if findings.codes.iter().any(|code| code.level() == Level::Error) {
        return Ok(said);
    }
    // The rules see to it that there is one.
    let Some(addressee) = &delivered.message.certificates.cipher_addressee else { return Ok(said) };
    let delivery = NewDelivery {
        message_id,
        addressee: &addressee.certificate,
        originator: delivered.client,
        subject: subject.as_deref(),
        inspections: &findings.inspections,
        is_passed_on: false,
        whole: delivered.whole,
    };
    let card = match intermediary.backend.take_in(&delivery, delivered.package)? {
        Err(Refusal::MessageId) => return Ok(said.and(&[Code::MESSAGE_ID])),
        // The standard has no code for a mailbox that is full or not there.
        Err(Refusal::NoMailbox | Refusal::Full) => return Ok(said.and(&[Code::ORDER_INTERNAL])),
        Ok(card) => card,
    };
    let mut said = said.and(&[done]);
    said.answer.cards.push(bundle(&card)?);
    Ok(said)
}

fn fetch<B: Backend>(intermediary: &Intermediary<B>, order: &Accepted, said: Said) -> Result<Said> {
    let Body::FetchDelivery(rule) = &order.message.body else { return Ok(said) };
    let Some(dialog) = &order.dialog else { return Ok(said) };
    let mut said = said;
    said.answer.rule.clone_from(rule);
    // One id is one delivery; a list of them is for process cards.
    let several = matches!(rule, Some(SelectionRule::MessageIds(ids)) if ids.len() > 1);
    let found = match several {
        true => None,
        false => intermediary.backend.find_delivery(dialog, &selection(rule.as_ref())?)?,
    };
    let Some(Found { card, more, package }) = found else { return Ok(said.and(&[Code::NO_DELIVERY])) };
    let mut next = dialog.state.clone();
    next.handed_out = vec![card.message_id.clone()];
    let Some(card) = intermediary.backend.hand_out(dialog, &next, &card.message_id)? else {
        return Err(crate::Error::Refused(Code::DIALOG));
    };
    said.answer.cards.push(bundle(&card)?);
    said.handed = Some(Handed::open(package, &intermediary.settings.limits)?);
    let said = if more { said.and(&[Code::MORE_DELIVERIES]) } else { said };
    Ok(said.and(&[order.done()]))
}

fn cards<B: Backend>(intermediary: &Intermediary<B>, order: &Accepted, said: Said) -> Result<Said> {
    let Body::FetchProcessCard { rule, limit } = &order.message.body else { return Ok(said) };
    let Some(client) = &order.client else { return Ok(said) };
    let mut said = said;
    said.answer.rule.clone_from(rule);
    said.answer.limit = *limit;
    let (cards, more) = intermediary.backend.cards(client, &wanted(rule.as_ref(), *limit)?)?;
    if cards.is_empty() {
        return Ok(said.and(&[Code::NO_PROCESS_CARD]));
    }
    said.answer.cards = cards.iter().map(bundle).collect::<Result<_>>()?;
    let said = if more { said.and(&[Code::MORE_PROCESS_CARDS]) } else { said };
    Ok(said.and(&[order.done()]))
}
