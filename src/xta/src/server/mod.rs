//! The server of both versions: a request is read and carried out by a [`Backend`] ([`carry_out`]), then answered ([`Done::answer`]). What the
//! backend does is durable before it is answered.
//!
//! | module | holds |
//! |---|---|
//! | [`backend`] | what a server has to remember and to decide |
//! | `operations` | the operations of version 3, one after the other |
//! | `core` | those of version 5 |
//! | `said` | what the header of a request says |
//! | `reply` | answers and faults, bare or as a package |

use std::io::Read;

use seal::xmlenc::Plaintext;
use soap::addressing::{ANONYMOUS, Addressing, Problem};
use soap::message::{Incoming, Limits};

pub mod backend;
mod core;
mod operations;
mod reply;
mod said;

pub use backend::Backend;

use crate::model::Version;
use crate::v3::names::{META, OSCI};
use crate::{Error, Fault, Result, Rules, v3, v5};
use operations::{Body, Exchange, Outcome};
use reply::Frame;
use said::Said;

/// Header blocks of version 3 that are known, by namespace and local name. The last one is not looked at: some send it in a form that no schema
/// allows.
const KNOWN: [(&str, &str); 3] = [(META, "Author"), (META, "MessageMetaData"), (OSCI, "X509TokenContainer")];

/// Most bytes of a request that brings no message.
const SMALL: u64 = 1 << 20;

/// A port of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Of version 3.
    V3(v3::names::Port),
    /// Of version 5.
    V5(v5::names::Port),
}

impl Port {
    /// Its version.
    pub fn version(self) -> Version {
        match self {
            Port::V3(_) => Version::V3,
            Port::V5(_) => Version::V5,
        }
    }

    /// Whether messages are sent to it.
    fn takes_messages(self) -> bool {
        use v3::names::Port::Send;
        use v5::names::Port::{Reader, Sender};
        matches!(self, Port::V3(Send) | Port::V5(Sender | Reader))
    }

    /// The operation of the port that has this action.
    fn operation(self, action: &str) -> Option<Operation> {
        match self {
            Port::V3(port) => v3::names::Operation::of(port, action).map(Operation::V3),
            Port::V5(port) => v5::names::Operation::of(port, action).map(Operation::V5),
        }
    }
}

/// An operation of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Of version 3.
    V3(v3::names::Operation),
    /// Of version 5.
    V5(v5::names::Operation),
}

impl Operation {
    /// Action of its request.
    pub fn action(self) -> &'static str {
        match self {
            Operation::V3(operation) => operation.action(),
            Operation::V5(operation) => operation.action(),
        }
    }

    /// Where it is asked for.
    pub fn port(self) -> Port {
        match self {
            Operation::V3(operation) => Port::V3(operation.port()),
            Operation::V5(operation) => Port::V5(operation.port()),
        }
    }

    /// Whether its answer may hold a message.
    pub(crate) fn answers_with_message(self) -> bool {
        use v3::names::Operation::{GetMessage, GetNextMessage, SendMessageSync};
        use v5::names::Operation as Core;
        match self {
            Operation::V3(operation) => matches!(operation, GetMessage | GetNextMessage | SendMessageSync),
            Operation::V5(operation) => {
                matches!(operation, Core::GetMessage | Core::SendMessageSync | Core::DeliverMessage)
            }
        }
    }
}

/// A request as it came over HTTP.
pub struct Request<R> {
    /// Whose path it was sent to.
    pub port: Port,
    /// HTTP's `Content-Type`.
    pub content_type: String,
    /// HTTP's `Accept`.
    pub accept: Option<String>,
    /// Its body.
    pub body: R,
}

/// What goes back over HTTP.
#[derive(Debug)]
pub struct Answer {
    /// 200, or 500 for a fault.
    pub status: u16,
    /// HTTP's `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Plaintext,
    /// Which operation it answers, if it came that far.
    pub operation: Option<Operation>,
    /// Why it is a fault; for logs.
    pub error: Option<Error>,
}

/// How requests are read.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The headers of WS-Addressing must be there, as the standard demands.
    pub needs_addressing: bool,
    /// How large a request may be.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { needs_addressing: true, limits: Limits::default() }
    }
}

/// A request that was carried out, or refused; what goes back is still to be written.
pub struct Done {
    frame: Frame,
    outcome: Result<Outcome>,
}

impl Done {
    /// Whether contents go back, which may be large.
    pub fn has_contents(&self) -> bool {
        let contents = |outcome: &Outcome| matches!(outcome.body, Body::Contents(_) | Body::Reply(Some(_)));
        self.outcome.as_ref().is_ok_and(contents)
    }

    /// Why it was refused.
    pub fn refusal(&self) -> Option<&Error> {
        self.outcome.as_ref().err()
    }

    /// Writes what goes back; contents are read meanwhile. What was wrong is told in it.
    ///
    /// # Errors
    /// If not even a fault can be written.
    pub fn answer(self) -> Result<Answer> {
        let Done { frame, outcome } = self;
        match outcome.and_then(|outcome| frame.answer(outcome)) {
            Ok(answer) => Ok(answer),
            Err(error) => frame.fault(error),
        }
    }
}

/// Carries a request out. It is not waited for its body: `body` is read as it is needed, and a thread on which it may block is for
/// the caller to provide.
pub async fn carry_out<B: Backend, R: Read + Send>(
    backend: &B,
    request: Request<R>,
    settings: &Settings,
) -> Done {
    let version = request.port.version();
    let mut frame = Frame::of(version, &request.content_type, request.accept.as_deref());
    let outcome = respond(backend, request, settings, &mut frame).await;
    Done { frame, outcome }
}

/// The answer of a version to a request that ended in a failure of ours.
///
/// # Errors
/// If not even an answer can be made.
pub fn failure(version: Version) -> Result<Answer> {
    Frame::of(version, "", None).fault(Fault::INTERNAL.into())
}

async fn respond<B: Backend, R: Read + Send>(
    backend: &B,
    request: Request<R>,
    settings: &Settings,
    frame: &mut Frame,
) -> Result<Outcome> {
    let limits = limits(request.port, settings.limits);
    let mut incoming = soap::message::open(&request.content_type, request.body, limits)?;
    let mut said = Said::new(request.port.version());
    let header = incoming.header_with(|reader| said.take(reader).map(|()| true))?;
    frame.relates_to = header.addressing.message_id.clone().filter(|id| !id.is_empty());
    let operation = operation(&incoming, &header, request.port)?;
    frame.operation = Some(operation);
    check_addressing(&header.addressing, settings)?;
    let mut exchange = Exchange { backend, incoming, said, rules: Rules::Strict };
    match operation {
        Operation::V3(operation) => {
            header.check_understood(&KNOWN)?;
            exchange.carry_out(operation).await
        }
        Operation::V5(operation) => {
            header.check_understood(&core::KNOWN)?;
            exchange.carry_out_v5(operation).await
        }
    }
}

/// Only messages that are sent are large.
fn limits(port: Port, limits: Limits) -> Limits {
    match port.takes_messages() {
        true => limits,
        false => Limits {
            root_bytes: limits.root_bytes.min(SMALL),
            envelope_bytes: limits.envelope_bytes.min(SMALL),
            package_bytes: limits.package_bytes.min(SMALL),
            ..limits
        },
    }
}

/// The action tells it, never the body.
fn operation<R: Read>(
    incoming: &Incoming<R>,
    header: &soap::message::Header,
    port: Port,
) -> Result<Operation> {
    let action = incoming.operation(header)?;
    port.operation(action).ok_or(Error::UnknownAction)
}

/// WS-Addressing is demanded with answers on the same connection (`wsam:AnonymousResponses`).
fn check_addressing(addressing: &Addressing, settings: &Settings) -> Result<()> {
    let all = [("Action", &addressing.action), ("MessageID", &addressing.message_id), ("To", &addressing.to)];
    for (header, value) in all {
        if settings.needs_addressing && value.as_ref().is_none_or(String::is_empty) {
            return Err(soap::Error::Addressing { problem: Problem::Required, header }.into());
        }
    }
    for (header, address) in [("ReplyTo", &addressing.reply_to), ("FaultTo", &addressing.fault_to)] {
        if address.as_ref().is_some_and(|address| address != ANONYMOUS) {
            return Err(Error::NotAnonymous(header));
        }
    }
    Ok(())
}
