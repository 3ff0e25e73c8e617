//! What each kind of message must and must not bring: OSCI-Transport 1.2, section 4, as the schemas `soap*.xsd` say
//! it. What the field sends against them is allowed: a left-over `Response` outside of a dialog, a `SequenceNumber` in
//! the answer to a forward order.

use crate::message::{Body, Certificates, ControlBlock, Message};
use crate::names::{Kind, Order};
use crate::{Error, Result};

/// How often something comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Zero,
    One,
    Any,
}

impl Count {
    fn allows(self, there: bool) -> bool {
        match self {
            Count::Zero => !there,
            Count::One => there,
            Count::Any => true,
        }
    }
}

/// Refuses a message that lacks what its kind needs or brings what it must not.
///
/// # Errors
/// [`Error::Malformed`].
pub fn check(message: &Message) -> Result<()> {
    control(message.kind, &message.control)?;
    certificates(message.kind, &message.certificates)?;
    time_stamps(message)?;
    statement(message)
}

fn control(kind: Kind, block: &ControlBlock) -> Result<()> {
    let [response, challenge, conversation, sequence] = counts(kind);
    let is_sound = response.allows(block.response.is_some())
        && challenge.allows(block.challenge.is_some())
        && conversation.allows(block.conversation.is_some())
        && sequence.allows(block.sequence.is_some());
    if is_sound { Ok(()) } else { Err(Error::Malformed("the ControlBlock has too little or too much")) }
}

/// Response, Challenge, ConversationId and SequenceNumber of a kind.
fn counts(kind: Kind) -> [Count; 4] {
    use Count::{Any, One, Zero};
    use Order::{
        AcceptDelivery, ExitDialog, ForwardDelivery, GetMessageId, InitDialog, PartialStoreDelivery,
        ProcessDelivery, StoreDelivery,
    };
    match kind {
        Kind::Order(InitDialog) => [Any, One, Zero, Zero],
        Kind::Answer(InitDialog) => [One, One, One, Zero],
        Kind::Answer(ExitDialog) => [One, Zero, One, One],
        Kind::Answer(GetMessageId | StoreDelivery | PartialStoreDelivery) => [One, Any, One, One],
        Kind::Answer(ForwardDelivery) => [One, Any, Any, Any],
        Kind::Order(AcceptDelivery | ProcessDelivery) => [Zero, One, Zero, Zero],
        Kind::Answer(AcceptDelivery | ProcessDelivery) => [One, Zero, Zero, Zero],
        // Whether there is a dialog is a question that the intermediary answers with 9802.
        Kind::Order(_) => [Any, One, Any, One],
        Kind::Answer(_) => [One, One, One, One],
        Kind::Encrypted => [Zero; 4],
    }
}

/// Which of the seven roles may be there, in the order of [`Certificates`].
fn certificates(kind: Kind, all: &Certificates) -> Result<()> {
    use Count::{Any, One, Zero};
    use Order::{
        ExitDialog, FetchDelivery, FetchProcessCard, GetMessageId, InitDialog, PartialFetchDelivery,
    };
    let allowed = match kind {
        Kind::Order(InitDialog) => [One, Zero, Zero, Zero, Any, Zero, Zero],
        Kind::Order(GetMessageId) => [Any, Zero, Zero, Zero, Any, Zero, Zero],
        Kind::Order(Order::StoreDelivery) => [Any, Any, One, Any, Any, Any, Zero],
        Kind::Order(Order::PartialStoreDelivery) => [Any, Zero, Any, Zero, Any, Zero, Zero],
        Kind::Order(FetchDelivery | FetchProcessCard | PartialFetchDelivery | ExitDialog) => {
            [Zero, Zero, Zero, Zero, Any, Zero, Zero]
        }
        Kind::Answer(Order::AcceptDelivery) => [Zero, Zero, Zero, Zero, Zero, Zero, Any],
        Kind::Answer(InitDialog | ExitDialog | GetMessageId | FetchProcessCard | Order::StoreDelivery) => {
            [Zero; 7]
        }
        _ => [Any; 7],
    };
    let there = [
        all.cipher_originator.is_some(),
        !all.cipher_other_authors.is_empty(),
        all.cipher_addressee.is_some(),
        !all.cipher_other_readers.is_empty(),
        all.signature_originator.is_some(),
        !all.signature_other_authors.is_empty(),
        all.signature_addressee.is_some(),
    ];
    match allowed.iter().zip(there).all(|(count, there)| count.allows(there)) {
        true => Ok(()),
        false => Err(Error::Malformed("the certificates are not those of this order")),
    }
}

/// Store and forward orders carry both wishes for time stamps.
fn time_stamps(message: &Message) -> Result<()> {
    let Kind::Order(Order::StoreDelivery | Order::ForwardDelivery) = message.kind else { return Ok(()) };
    let wishes =
        |of_creation| message.time_stamps.iter().filter(|wish| wish.of_creation == of_creation).count();
    match (wishes(true), wishes(false)) {
        (1, 1) => Ok(()),
        _ => Err(Error::Malformed("QualityOfTimestamp must be given for creation and reception")),
    }
}

fn statement(message: &Message) -> Result<()> {
    let carries = match (message.kind, &message.body) {
        (Kind::Order(order), _) => matches!(
            order,
            Order::StoreDelivery
                | Order::ForwardDelivery
                | Order::MediateDelivery
                | Order::AcceptDelivery
                | Order::ProcessDelivery
                | Order::PartialStoreDelivery
        ),
        (Kind::Answer(_), Body::Answer(_)) => return Ok(()),
        _ => return Err(Error::Malformed("the order or answer itself is missing")),
    };
    if carries == message.content.is_some() {
        Ok(())
    } else {
        Err(Error::Malformed("a ContentPackage is missing or out of place"))
    }
}
