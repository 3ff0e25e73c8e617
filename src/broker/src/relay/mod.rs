//! The relay: takes an opaque delivery in for somebody who picks it up later, and proves every step. Its content is
//! not for the gateway, so nothing is checked and no case is touched; a door that speaks a protocol stands on it.
//!
//! ```text
//! issue     a ticket: the message id that a delivery may use once
//! take_in   transaction 1: ticket, message, dedup key, delivery, room in the mailbox, event
//! next      what waits; hand_out: it is on its way to whoever asked, and the conversation remembers it
//! advance   the next request of the same conversation shows that it has arrived: received, confirmed
//! receive   the same at once, for a recipient that was called and has answered
//! keep_piece  one piece of a delivery that comes in several; take_in_whole: all of them are one delivery now
//! entries, fetch, close  message boxes: looked through by their owner, who says itself what it has received
//! withdraw  a delivery of which its recipient certainly saw nothing: back, and its ticket may be used again
//! ```
//! A caller is known by its actor's id, which is the fingerprint of its certificate: that is the originator of what
//! it brings. Its mailboxes are that of its authority and the one named like that fingerprint.

mod boxes;
mod conversation;
mod delivery;
mod pieces;

use std::time::Duration;

use model::message::Door;
use model::rights::Action;
use model::{Authority, Caller, Id, JsonText, Message, Scope, Timestamp};
pub use pieces::NewPiece;
use serde_json::Value;
use store::{PayloadWriterBlocking, RelayDelivery, RelayQuota, WholeQuota};

use crate::{Broker, Error};

/// How often an act is decided anew because the delivery or its message changed in between.
const ATTEMPTS: usize = 5;
/// Longest id of a conversation, in digits.
const CONVERSATION_DIGITS: usize = 40;
/// Longest ticket, in bytes.
const TICKET_BYTES: usize = 200;
/// Longest subject, in bytes.
const SUBJECT_BYTES: usize = 4_000;
/// Largest body of a conversation or delivery, in bytes of its JSON form.
const BODY_BYTES: usize = 64 * 1024;
/// Most deliveries or tickets that one call names.
const MOST_NAMED: usize = 100;

/// How long the relay waits for what, and how much it keeps. How long a delivery waits is said by its service.
#[derive(Debug, Clone, Copy)]
pub struct RelayLimits {
    /// How long a conversation may be idle.
    pub idle: Duration,
    /// How long a ticket may be used.
    pub ticket: Duration,
    /// How much may wait in one mailbox.
    pub mailbox: RelayQuota,
    /// How much may be kept of deliveries that come in pieces; as long as a ticket may be used.
    pub wholes: WholeQuota,
}

impl Default for RelayLimits {
    fn default() -> Self {
        RelayLimits {
            idle: Duration::from_secs(30 * 60),
            ticket: Duration::from_secs(24 * 3_600),
            mailbox: RelayQuota { deliveries: 10_000, bytes: 64 << 30 },
            wholes: WholeQuota { per_sender: 16, sender_bytes: 8 << 30, tenant_bytes: 64 << 30 },
        }
    }
}

/// A request within a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The conversation.
    pub id: &'a str,
    /// Its version as the request found it.
    pub version: u64,
    /// Messages that were handed out before and have arrived, as this request shows; at most 100. What is not (any
    /// more) in a mailbox of the caller, or was received before, changes nothing.
    pub received: &'a [Id],
}

/// What is to be taken in, beside its payload. Who brings it is the caller.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// By which door it comes.
    pub door: Door,
    /// The id that was issued for it.
    pub ticket: String,
    /// Whom that id was issued to, if not to the caller: a door that gives ids to whoever asks. It may be of another tenant.
    pub issued_to: Option<Caller>,
    /// Authority of the house that it is for, or that keeps the mailbox: decides its unit.
    pub authority: Authority,
    /// Whose mailbox: an authority, or the fingerprint of a certificate.
    pub mailbox: String,
    /// Name of the originator, as messages name partners.
    pub partner: String,
    /// Fingerprint of the certificate that it was encrypted for.
    pub addressee: String,
    /// What it is about, as its sender says; at most 4,000 bytes. Stands in no event.
    pub subject: Option<String>,
    /// The same key twice is the same message. Unique within the authority.
    pub dedup_key: String,
    /// What its protocol has to remember; at most 64 KiB of JSON.
    pub body: JsonText,
    /// For a message box; others have none.
    pub terms: BoxTerms,
}

/// When a delivery is in its mailbox, and what it is found by there.
#[derive(Debug, Clone, Default)]
pub struct BoxTerms {
    /// Not to be seen before; absent: at once.
    pub not_before: Option<Timestamp>,
    /// Goes back to its sender then at the latest.
    pub obsolete_at: Option<Timestamp>,
    /// Ids of what it answers.
    pub related: Vec<String>,
}

/// A delivery with its message.
#[derive(Debug, Clone, PartialEq)]
pub struct Relayed {
    /// Who sent it to whom, and how far it has come.
    pub delivery: RelayDelivery,
    /// The message that it is, which names its payload.
    pub message: Message,
}

/// The relay of a broker. Cheap to clone.
#[derive(Clone)]
pub struct Relay(Broker);

impl Broker {
    /// Its relay.
    pub fn relay(&self) -> Relay {
        Relay(self.clone())
    }

    /// The same with other limits on the relay. Before it is cloned.
    pub fn with_relay_limits(self, relay_limits: RelayLimits) -> Self {
        Broker { relay_limits, ..self }
    }
}

impl Relay {
    /// Writes the payload of a delivery; for threads that may block. Dropped, it leaves nothing behind.
    ///
    /// # Errors
    /// If the caller may not bring messages, or nothing is taken in now.
    pub fn writer(&self, caller: &Caller) -> Result<PayloadWriterBlocking, Error> {
        let tenant = &caller.may(Action::SendMessages)?.tenant;
        self.0.may_bring_message(tenant)?;
        Ok(self.0.store().payload_writer_blocking(tenant))
    }

    /// Removes conversations that have been idle for too long, tickets that nobody used in time, and what is kept of
    /// deliveries whose pieces never came; returns how many.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let now = self.0.now();
        let swept = self.0.store().sweep_relay(self.idle_since(), now).await?;
        Ok(swept + self.0.store().sweep_wholes(now).await?)
    }

    /// Conversations that were last touched then or before are over.
    fn idle_since(&self) -> Timestamp {
        let idle = i64::try_from(self.0.relay_limits.idle.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.0.now().micros().saturating_sub(idle))
    }

    /// A delivery with its message, if both lie within the scope.
    async fn find(&self, scope: &Scope, id: Id) -> Result<Option<Relayed>, Error> {
        let Some(delivery) = self.0.store().relay_delivery(scope, id).await? else { return Ok(None) };
        let message = self.0.store().message(scope, id).await?;
        Ok(message.map(|message| Relayed { delivery, message }))
    }
}

/// Whether a mailbox is one of the caller's.
fn is_own(caller: &Caller, mailbox: &str) -> bool {
    caller.actor.id == mailbox || caller.authority.as_ref().is_some_and(|own| own.as_str() == mailbox)
}

pub(crate) fn no_delivery() -> Error {
    model::Error::NotFound { kind: "delivery" }.into()
}

/// Whether a text may be a ticket: nothing that the store could not keep.
fn is_ticket(text: &str) -> bool {
    (1..=TICKET_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn refuse(field: &'static str, wrong: bool) -> Result<(), Error> {
    if wrong { Err(model::Error::Invalid { field }.into()) } else { Ok(()) }
}

pub(crate) fn check_body(body: &Value) -> Result<(), Error> {
    check_json(&serde_json::to_string(body).map_err(|_| Error::Internal)?)
}

fn check_json(json: &str) -> Result<(), Error> {
    refuse("body", json.len() > BODY_BYTES || json.contains("\\u0000"))
}

/// Does `act` anew as long as the delivery or its message changes in between.
pub(crate) async fn retried<T, F: Future<Output = Result<T, Error>>>(
    act: impl Fn() -> F,
) -> Result<T, Error> {
    for _ in 1..ATTEMPTS {
        match act().await {
            Err(error) if error.is_conflict("relay delivery") || error.is_conflict("message") => {}
            outcome => return outcome.map_err(named),
        }
    }
    act().await.map_err(named)
}

/// A precondition that did not hold, by its own name.
fn named(error: Error) -> Error {
    if error.is_conflict("conversation") {
        Error::ConversationChanged
    // Pieces that have become a delivery have used their ticket.
    } else if error.is_conflict("ticket") || error.is_conflict("relay whole") {
        Error::TicketRefused
    } else if error.is_conflict("relay mailbox") {
        Error::MailboxFull
    } else {
        error
    }
}
