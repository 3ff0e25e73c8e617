//! Which message says what is to be said, what its header says, and what it is known by.

use model::exchange::ExchangeKind;
use model::standard::{Identity, Meaning, Outgoing, OutgoingContent};
use model::{Id, Timestamp};
use serde_json::Value;

use super::header::Header;
use super::messages::{MessageType, Version, acknowledged_by};
use super::read::Kept;
use crate::Error;

/// The message type that says what is to be said.
pub(crate) fn type_of(message: &Outgoing, version: Version) -> Result<MessageType, Error> {
    let unsupported = Error::Unsupported { what: "the type of message" };
    let answers = message.answers.as_deref();
    let answered = || answers.and_then(|code| MessageType::by_code(code, Version::V3_1_0));
    let code = match &message.content {
        OutgoingContent::Records(ExchangeKind::Submission) => "0101",
        OutgoingContent::Records(ExchangeKind::Handover) => "0401",
        OutgoingContent::Records(ExchangeKind::Disposition) => "0503",
        OutgoingContent::Offer => "0501",
        OutgoingContent::Circulation(_) => "0201",
        OutgoingContent::FilePlan(_) => "0301",
        OutgoingContent::FilePlanToAppraise(_) => "0511",
        OutgoingContent::Receipt => {
            let receipt = answered().and_then(|answered| answered.receipt(Version::V3_1_0));
            receipt.map_or("", |receipt| receipt.code)
        }
        OutgoingContent::ImportResults(results) => match answers {
            _ if results.whole.is_none() && results.objects.is_empty() => "",
            Some("0401") | None => "0402",
            Some("0503") => "0506",
            Some("0513") => "0514",
            _ => "",
        },
        OutgoingContent::Appraisals(appraisals) => match answers {
            _ if appraisals.is_empty() => "",
            Some("0501") => "0502",
            Some("0511") => "0513",
            _ => "",
        },
        OutgoingContent::Records(_) => "",
    };
    let found = MessageType::by_code(code, version).filter(|found| found.is_translated_in(version));
    found.ok_or(unsupported)
}

/// The type of the message that one of this type answers.
pub(crate) fn answered_by(code: &str) -> Option<&'static str> {
    match code {
        "0402" => Some("0401"),
        "0502" => Some("0501"),
        "0506" => Some("0503"),
        "0513" => Some("0511"),
        "0514" => Some("0513"),
        receipt => acknowledged_by(receipt),
    }
}

/// What the header says.
///
/// # Errors
/// [`Error::Unsupported`] if the message answers one whose own id is not known, in a version that must name it;
/// if it is one of several in a version that knows one: all but the first would be taken for repeats.
pub(crate) fn header(
    message: &Outgoing,
    version: Version,
    message_type: MessageType,
) -> Result<Header, Error> {
    let route = match &message.content {
        OutgoingContent::Circulation(route) => (route.receipt_to_initiator, route.receipt_to_predecessor),
        _ => (false, false),
    };
    let is_4 = version == Version::V4_0_0;
    if !is_4 && message.sequence.total > 1 {
        return Err(Error::Unsupported { what: "one of several messages of its type, before 4.0" });
    }
    let asks = message_type.code != "0201" && message_type.receipt(version).is_some();
    let answers = message.answers_id.filter(|_| is_4 && answered_by(message_type.code).is_some());
    if is_4 && answers.is_none() && answered_by(message_type.code).is_some() {
        return Err(Error::Unsupported { what: "an answer to a message whose own id is not known" });
    }
    Ok(Header {
        process_id: message.process_id,
        code: message_type.code.to_owned(),
        // What came may have a time that cannot be read; see `again`.
        created_at: Some(message.created_at).filter(|at| *at != Timestamp::default()),
        sender: message.sender.clone(),
        recipient: message.recipient.clone(),
        wants_receipt: message.wants_receipt && asks,
        wants_archive_references: message.wants_archive_references && message_type.code == "0503",
        receipt_to_initiator: route.0,
        receipt_to_predecessor: route.1,
        message_id: is_4.then_some(message.message_id),
        answers,
        sequence: is_4.then_some(message.sequence),
    })
}

/// What a message will say it is.
pub(crate) fn identity(message: &Outgoing, message_type: MessageType, header: Header) -> Identity {
    Identity {
        standard: super::NAME.to_owned(),
        version: message.version.clone(),
        message_type: message_type.code.to_owned(),
        name: message_type.root(),
        process_id: Some(message.process_id),
        message_id: header.message_id,
        sequence: header.sequence,
        created_at: header.created_at,
        answers: header.answers,
        wants_receipt: header.wants_receipt(),
        wants_archive_references: header.wants_archive_references,
        sender: Some(header.sender),
        recipient: Some(header.recipient),
        container: true,
        ..Identity::default()
    }
}

/// The same message once more, from what was read of it: for conversion to another version.
///
/// # Errors
/// [`Error::Unsupported`] if the message is not one that is written; [`Error::Extension`] if
/// `extension` is not what [`model::standard::Intake::message`] was given.
pub fn again(identity: &Identity, meaning: &Meaning, extension: &Value) -> Result<Outgoing, Error> {
    let unsupported = Error::Unsupported { what: "the type of message" };
    let content = match meaning {
        Meaning::Records(kind) => OutgoingContent::Records(*kind),
        Meaning::Offer => OutgoingContent::Offer,
        Meaning::Circulation(route) => OutgoingContent::Circulation(route.clone()),
        Meaning::Receipt => OutgoingContent::Receipt,
        Meaning::ImportResults(results) => OutgoingContent::ImportResults(results.clone()),
        Meaning::Appraisals(appraisals) => OutgoingContent::Appraisals(appraisals.clone()),
        Meaning::FilePlan(plan) => OutgoingContent::FilePlan(plan.clone()),
        Meaning::FilePlanToAppraise(plan) => OutgoingContent::FilePlanToAppraise(plan.clone()),
        _ => return Err(unsupported),
    };
    let kept: Kept = serde_json::from_value(extension.clone()).map_err(|_| Error::Extension)?;
    let process_id = identity.process_id.ok_or(unsupported)?;
    Ok(Outgoing {
        content,
        version: identity.version.clone(),
        process_id,
        sender: identity.sender.clone().unwrap_or_default(),
        recipient: identity.recipient.clone().unwrap_or_default(),
        created_at: kept.created_at.unwrap_or_default(),
        message_id: identity.message_id.unwrap_or_else(|| own_id(identity, process_id)),
        sequence: identity.sequence.unwrap_or_default(),
        wants_receipt: identity.wants_receipt,
        wants_archive_references: identity.wants_archive_references,
        answers: answered_by(&identity.message_type).map(str::to_owned),
        answers_id: identity.answers,
    })
}

/// The own id of a message that came without: the same whenever the same message is written again.
fn own_id(identity: &Identity, process_id: Id) -> Id {
    let sender = identity.sender.clone().unwrap_or_default();
    let authority = sender.authority.map(|authority| authority.to_string());
    let number = identity.sequence.unwrap_or_default().number;
    let sender = [authority, sender.name, sender.unit];
    model::ids::derived_id(process_id, &format!("{} {number} {sender:?}", identity.message_type))
}
