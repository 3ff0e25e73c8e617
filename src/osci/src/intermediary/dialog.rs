//! Dialogs: OSCI-Transport 1.2, section 3.3. Within an explicit dialog each order repeats our last challenge, and orders
//! are counted; an implicit dialog is one order and its answer.

use super::backend::{Backend, Dialog, DialogState};
use crate::code::Code;
use crate::message::{ControlBlock, Message};
use crate::names::{Kind, Order};
use crate::{Error, Result};

/// Digits of a `ConversationId`: below 2^53, as the field's software reads numbers.
const CONVERSATIONS: u64 = 9_000_000_000_000_000;

/// The dialog that an order belongs to, moved on, so that no other order can take its place. `None` if it is an implicit
/// one. `signer` is the SHA-256 of the certificate that signed the order, `is_sealed` says that it came encrypted.
///
/// # Errors
/// [`Error::Refused`] with 9400 if the order is not the one that is expected next.
pub(super) fn go_on(
    backend: &dyn Backend,
    order: &Message,
    signer: Option<&str>,
    is_sealed: bool,
) -> Result<Option<Dialog>> {
    let Some(conversation) = order.control.conversation.as_deref() else { return Ok(None) };
    let dialog = backend.dialog(conversation)?.ok_or(Error::Refused(Code::DIALOG))?;
    let state = &dialog.state;
    let is_next = order.control.sequence == Some(state.next)
        && order.control.response.as_deref() == Some(state.challenge.as_str())
        && (state.signer.is_none() || state.signer.as_deref() == signer)
        && (is_sealed || !state.is_sealed);
    if !is_next {
        return Err(Error::Refused(Code::DIALOG));
    }
    if order.kind == Kind::Order(Order::ExitDialog) {
        return if backend.end_dialog(&dialog)? {
            Ok(Some(dialog))
        } else {
            Err(Error::Refused(Code::DIALOG))
        };
    }
    let next = DialogState {
        next: state.next.checked_add(1).ok_or(Error::Refused(Code::DIALOG))?,
        challenge: challenge(backend)?,
        handed_out: Vec::new(),
        ..state.clone()
    };
    if !backend.advance_dialog(&dialog, &next)? {
        return Err(Error::Refused(Code::DIALOG));
    }
    Ok(Some(Dialog { version: dialog.version + 1, state: next, ..dialog }))
}

/// Begins the dialog that an InitDialog asks for.
pub(super) fn begin(
    backend: &dyn Backend,
    cipher: &[u8],
    signer: Option<String>,
    knows_short_iv: bool,
    is_sealed: bool,
) -> Result<Dialog> {
    let state = DialogState {
        cipher: cipher.to_vec(),
        signer,
        next: 0,
        challenge: challenge(backend)?,
        handed_out: Vec::new(),
        fetching: None,
        knows_short_iv,
        is_sealed,
    };
    loop {
        let conversation = conversation(backend)?;
        if backend.begin_dialog(&conversation, &state)? {
            return Ok(Dialog { conversation, version: 0, state });
        }
    }
}

/// The ControlBlock of the answer to an order. Without a dialog that is known and believed, conversation and challenge
/// are only made to look complete.
pub(super) fn answer(
    backend: &dyn Backend,
    order: &Message,
    dialog: Option<&Dialog>,
) -> Result<ControlBlock> {
    let (conversation, challenge) = match dialog {
        Some(dialog) => (dialog.conversation.clone(), dialog.state.challenge.clone()),
        None => {
            let claimed = order.control.conversation.clone();
            (claimed.map_or_else(|| conversation(backend), Ok)?, challenge(backend)?)
        }
    };
    let is_over = order.kind == Kind::Order(Order::ExitDialog);
    Ok(ControlBlock {
        response: order.control.challenge.clone(),
        challenge: Some(challenge).filter(|_| !is_over),
        conversation: Some(conversation),
        sequence: order.control.sequence,
    })
}

/// A challenge: base64 of random bytes.
pub(super) fn challenge(backend: &dyn Backend) -> Result<String> {
    use base64::Engine as _;
    let random = backend.random()?;
    Ok(base64::engine::general_purpose::STANDARD.encode(&random[..18]))
}

fn conversation(backend: &dyn Backend) -> Result<String> {
    let random = backend.random()?;
    let number = random.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Ok((number % CONVERSATIONS + 1).to_string())
}
