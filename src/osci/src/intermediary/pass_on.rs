//! Passing a delivery on to a passive recipient while the client waits: OSCI-Transport 1.2, sections 4.2.3
//! (ForwardDelivery, answered by AcceptDelivery's answer) and 4.2.4 (MediateDelivery and ProcessDelivery).

use std::rc::Rc;

use seal::x509::{Certificate, OfflineResult, OnlineResult, Standing};
use seal::xmlenc::Plaintext;
use soap::mime::Boundary;

use super::backend::{Backend, Call, Card, NewDelivery, Refusal};
use super::cards::bundle;
use super::inspect::{Findings, Inspector};
use super::reply::Said;
use super::{Accepted, CIPHER, Intermediary, OAEP, dialog};
use crate::code::{Code, Level};
use crate::letter::{Carried, Handed, Letter};
use crate::message::{Body, Certificates, ControlBlock, IntermediaryCertificates, Message, Named};
use crate::names::{Kind, Order};
use crate::package::Package;
use crate::transport::{Sealing, open};
use crate::{Error, Result};

/// `Id`s of our certificates in an order to a recipient.
const CIPHER_ID: &str = "intermed_cipher";
const SIGNER_ID: &str = "intermed_signature";

/// What is to be passed on.
struct Errand<'a> {
    receiver: &'a str,
    message_id: Option<&'a str>,
    subject: Option<&'a str>,
    mediates: bool,
}

impl<'a> Errand<'a> {
    fn of(body: &'a Body) -> Option<Self> {
        let (receiver, message_id, subject, mediates) = match body {
            Body::Forward { receiver, message_id, subject } => (receiver, message_id, subject, false),
            Body::Mediate { receiver, message_id, subject } => (receiver, message_id, subject, true),
            _ => return None,
        };
        Some(Errand { receiver, message_id: message_id.as_deref(), subject: subject.as_deref(), mediates })
    }
}

/// What the recipient said.
struct Outcome {
    code: Option<Code>,
    warnings: Vec<Code>,
    /// His answer, if it carries a delivery.
    package: Option<Plaintext>,
    /// Message id and subject of that delivery.
    reply: Option<(String, Option<String>)>,
    reception: i64,
}

/// Carries a ForwardDelivery or MediateDelivery out.
pub(super) fn carry_out<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    said: Said,
) -> Result<Said> {
    let Some(errand) = Errand::of(&order.message.body) else { return Ok(said) };
    // A request without protocol has no id.
    if errand.message_id.is_none() && !errand.mediates {
        return Ok(said.and(&[Code::NO_MESSAGE_ID]));
    }
    let mut findings = order.findings.afresh();
    findings.look_at_all(&*intermediary.settings.inspector, &order.message.certificates, order.at)?;
    let said = said.and(&findings.codes);
    if findings.codes.iter().any(|code| code.level() == Level::Error) {
        return Ok(said);
    }
    if !intermediary.backend.may_call(errand.receiver) {
        return Ok(said.and(&[Code::NOT_FORWARDED]));
    }
    let delivery = new_delivery(order, &errand, &findings);
    // Remembered before anything leaves, so that it cannot leave twice.
    let mut card = match &delivery {
        None => card_without_protocol(order, &errand, &findings),
        Some(delivery) => match intermediary.backend.take_in(delivery, &order.package.raw)? {
            Ok(card) => card,
            Err(Refusal::MessageId) => return Ok(said.and(&[Code::MESSAGE_ID])),
            Err(Refusal::NoMailbox | Refusal::Full) => return Ok(said.and(&[Code::ORDER_INTERNAL])),
        },
    };
    let forwarding = intermediary.backend.now();
    card.forwarding = Some(forwarding);
    card.modification = forwarding;
    let outcome = deliver(intermediary, order, &errand, &card)?;
    let said = said.and(&outcome.warnings);
    if let Some(code) = outcome.code {
        // What was not reached, or says itself that it failed, is tried again under the same id.
        if let (Code::NOT_FORWARDED | Code::RECIPIENT_INTERNAL, Some(delivery)) = (code, &delivery) {
            intermediary.backend.withdraw(delivery)?;
        }
        return Ok(said.and(&[code]));
    }
    let mut said = said;
    if let Some(delivery) = &delivery {
        card = intermediary.backend.passed_on(delivery, forwarding)?;
        said.answer.cards.push(bundle(&card)?);
        said.answer.reply_card = reply_card(&outcome, &card)?;
    }
    said.handed = outcome.package.map(|it| Handed::open(it, &intermediary.settings.limits)).transpose()?;
    Ok(said.and(&[order.done()]))
}

/// What is remembered of it; nothing without protocol. The rules see to it that there is an addressee.
fn new_delivery<'a>(
    order: &'a Accepted,
    errand: &Errand<'a>,
    findings: &'a Findings,
) -> Option<NewDelivery<'a>> {
    let addressee = order.message.certificates.cipher_addressee.as_ref()?;
    Some(NewDelivery {
        message_id: errand.message_id?,
        addressee: &addressee.certificate,
        originator: order.client.as_ref(),
        subject: errand.subject,
        inspections: &findings.inspections,
        is_passed_on: true,
        whole: None,
    })
}

fn card_without_protocol(order: &Accepted, errand: &Errand<'_>, findings: &Findings) -> Card {
    Card {
        message_id: errand.message_id.unwrap_or_default().to_owned(),
        subject: errand.subject.map(str::to_owned),
        creation: order.at,
        forwarding: None,
        reception: None,
        modification: order.at,
        inspections: findings.inspections.clone(),
    }
}

/// Sends the delivery to the recipient and judges his answer.
fn deliver<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    errand: &Errand<'_>,
    card: &Card,
) -> Result<Outcome> {
    let request = request(intermediary, order, errand, card)?;
    let failed = |code| Outcome {
        code: Some(code),
        warnings: Vec::new(),
        package: None,
        reply: None,
        reception: intermediary.backend.now(),
    };
    let answer = match intermediary.backend.call(errand.receiver, &request.package)? {
        Call::Answered(answer) => answer,
        Call::NotReached => return Ok(failed(Code::NOT_FORWARDED)),
        Call::Unknown => return Ok(failed(Code::FORWARDED_THEN_FAILED)),
    };
    match judge(intermediary, &request, errand, answer) {
        Ok(outcome) => Ok(outcome),
        Err(Error::Io(error)) => Err(Error::Io(error)),
        Err(Error::Refused(code)) => Ok(failed(code)),
        // It has answered, and nobody knows what: it may have the delivery.
        Err(_) => Ok(failed(Code::FORWARDED_THEN_FAILED)),
    }
}

/// The order to the recipient.
struct Request {
    package: Plaintext,
    challenge: String,
    order: Order,
    is_sealed: bool,
    is_protocolled: bool,
    /// Who alone may sign the answer; nobody is named: whoever is trusted.
    signers: Vec<Certificate>,
}

fn request<B: Backend>(
    intermediary: &Intermediary<B>,
    order: &Accepted,
    errand: &Errand<'_>,
    card: &Card,
) -> Result<Request> {
    let settings = &intermediary.settings;
    let challenge = dialog::challenge(&intermediary.backend)?;
    let signers = signers(&intermediary.backend, order, errand);
    let is_protocolled = errand.message_id.is_some();
    let (kind, body) = match (errand.mediates, is_protocolled) {
        (false, _) => (Order::AcceptDelivery, Body::Accept(Box::new(bundle(card)?))),
        (true, false) => (Order::ProcessDelivery, Body::Process { answer_id: None, card: None }),
        (true, true) => {
            let answer_id = Some(intermediary.backend.issue_message_id()?);
            (Order::ProcessDelivery, Body::Process { answer_id, card: Some(Box::new(bundle(card)?)) })
        }
    };
    let named = |id: &str, certificate: &seal::x509::Certificate| Named {
        id: id.to_owned(),
        certificate: certificate.clone(),
    };
    let cipher = settings.cipher.first().map(|own| named(CIPHER_ID, own.certificate()));
    let message = Message {
        kind: Kind::Order(kind),
        control: ControlBlock { challenge: Some(challenge.clone()), ..ControlBlock::default() },
        languages: order.message.languages.clone(),
        time_stamps: Vec::new(),
        body,
        intermediary: IntermediaryCertificates {
            cipher,
            signature: Some(named(SIGNER_ID, settings.signer.certificate())),
        },
        certificates: Certificates::default(),
        features: None,
        custom: Vec::new(),
        content: None,
        namespaces: Vec::new(),
    };
    let handed = Handed { package: Rc::clone(&order.package), message: order.message.clone() };
    let letter = Letter {
        message: &message,
        carried: Carried::Handed(&handed),
        signer: Some((&settings.signer, settings.method, SIGNER_ID)),
        limits: &settings.limits,
    };
    let boundary = || Ok::<_, Error>(Boundary::from_random(intermediary.backend.random()?));
    let receiver = order.message.certificates.cipher_addressee.as_ref();
    let Some(receiver) = receiver.filter(|_| order.is_sealed) else {
        let package = letter.write(boundary()?)?;
        return Ok(Request { package, challenge, order: kind, is_sealed: false, is_protocolled, signers });
    };
    let sealing =
        Sealing { receiver: &receiver.certificate, cipher: CIPHER, oaep: OAEP, knows_short_iv: true };
    let package = letter.write_sealed(boundary()?, &sealing, &settings.policy, boundary()?)?;
    Ok(Request { package, challenge, order: kind, is_sealed: true, is_protocolled, signers })
}

/// Whose signature the answer must bear: as our own rules say, or else as the sender does, who knows his recipient.
fn signers<B: Backend>(backend: &B, order: &Accepted, errand: &Errand<'_>) -> Vec<Certificate> {
    let known = backend.signers(errand.receiver);
    if !known.is_empty() {
        return known.to_vec();
    }
    order.message.certificates.signature_addressee.iter().map(|named| named.certificate.clone()).collect()
}

/// What the recipient's answer means.
fn judge<B: Backend>(
    intermediary: &Intermediary<B>,
    request: &Request,
    errand: &Errand<'_>,
    answer: Plaintext,
) -> Result<Outcome> {
    let settings = &intermediary.settings;
    let opened = open(answer.open(), &settings.cipher, &settings.policy, &settings.limits)
        .map_err(|_| Error::Refused(Code::FORWARDED_THEN_FAILED))?;
    let mut warnings = Vec::new();
    if request.is_sealed && opened.protection.is_none() {
        warnings.push(Code::ANSWER_UNENCRYPTED);
    }
    let mut package = Package::open(opened.package, &settings.limits)?;
    let unverified = package.read()?;
    let message = if unverified.is_signed() {
        let (message, signer) =
            unverified.verify(&settings.policy).map_err(|_| Error::Refused(Code::ANSWER_SIGNATURE))?;
        let at = intermediary.backend.now();
        warnings.extend(believe(&*settings.inspector, &request.signers, &signer, at)?);
        message
    } else if !request.signers.is_empty() {
        return Err(Error::Refused(Code::ANSWER_SIGNATURE));
    } else {
        warnings.push(Code::ANSWER_UNSIGNED);
        unverified.unsigned()?
    };
    let is_ours = message.kind == Kind::Answer(request.order)
        && message.control.response.as_deref() == Some(request.challenge.as_str());
    if !is_ours {
        return Err(Error::Refused(Code::FORWARDED_THEN_FAILED));
    }
    let reception = intermediary.backend.now();
    // The field says that there is nothing with a ContentPackage that holds nothing.
    let has_delivery = message.content.as_ref().is_some_and(|it| it.containers + it.encrypted > 0);
    let code = match (message.was_carried_out(), errand.mediates, has_delivery) {
        (false, ..) if has_failed(&message) => Some(Code::RECIPIENT_INTERNAL),
        (false, ..) => Some(Code::NOT_ACCEPTED),
        (true, true, false) => Some(Code::NO_DELIVERY_IN_ANSWER),
        (true, ..) => None,
    };
    let reply = match &message.body {
        Body::Answer(said) if request.is_protocolled => {
            said.message_id.clone().map(|id| (id, said.subject.clone()))
        }
        _ => None,
    };
    let package = has_delivery.then_some(package.raw);
    Ok(Outcome { code, warnings, package, reply, reception })
}

/// Whether the recipient says that it is its own trouble: it has refused nothing.
fn has_failed(message: &Message) -> bool {
    let Body::Answer(answer) = &message.body else { return false };
    answer.feedback.last().is_some_and(|entry| Code::parse(&entry.code) == Some(Code::RECIPIENT_INTERNAL))
}

/// Whether a signature that is right is the recipient's: by a certificate that is trusted, valid and not revoked, and by the
/// one that is known, if there is one. What nobody knows about revocation is a warning, as with everybody's certificates.
fn believe(
    inspector: &dyn Inspector,
    known: &[Certificate],
    signer: &Certificate,
    at: i64,
) -> Result<Option<Code>> {
    let found = inspector.inspect(signer, at)?;
    let is_good = found.offline == OfflineResult::Valid && found.online != Some(OnlineResult::Revoked);
    let is_known = known.is_empty() || known.contains(signer);
    match is_good && is_known {
        true => Ok((found.standing() == Standing::Incomplete).then_some(Code::CERTIFICATE_UNCHECKED)),
        false => Err(Error::Refused(Code::ANSWER_SIGNATURE)),
    }
}

/// The process card of the delivery that came back.
fn reply_card(outcome: &Outcome, request: &Card) -> Result<Option<crate::card::ProcessCardBundle>> {
    let Some((message_id, subject)) = &outcome.reply else { return Ok(None) };
    bundle(&Card {
        message_id: message_id.clone(),
        subject: subject.clone(),
        creation: outcome.reception,
        forwarding: Some(outcome.reception),
        reception: None,
        modification: outcome.reception,
        inspections: request.inspections.clone(),
    })
    .map(Some)
}
