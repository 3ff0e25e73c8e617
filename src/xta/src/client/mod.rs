//! The client: requests to a server elsewhere are written, its answers read. It knows no network: whoever carries a [`Request`] gives
//! what came back to [`Client::open`], and asks the [`Reply`] for what the operation answers with.
//!
//! | module | holds |
//! |---|---|
//! | `reply` | an answer, read as far as it is asked for |
//! | `v3` | bodies of requests written, bodies of answers and faults read |
//!
//! What is read is read leniently: servers of the field leave out what the schema demands.

use std::io::{self, BufWriter, Read, Write};

use seal::xmlenc::{Plaintext, Staging};
use soap::addressing::{self, message_id};
pub use soap::message::Limits;
use soap::message::{Outgoing, Package, content_type};

mod reply;
mod v3;

pub use reply::{Reply, Sink};

use crate::model::{MetaData, Party};
use crate::server::backend::Contents;
use crate::v3::answer::block;
use crate::v3::metadata;
use crate::v3::names::Operation;
use crate::{Result, container};

/// Bytes of a request that are kept in memory; what is more lies in a file.
const MEMORY: usize = 256 * 1024;
/// Most bytes of an answer that brings no message.
const SMALL: u64 = 16 << 20;

/// HTTP's `Accept` of every request.
pub const ACCEPT: &str = "application/soap+xml, multipart/related";

/// A caller of servers of XTA.
#[derive(Debug, Clone)]
pub struct Client {
    /// Whom it speaks for.
    pub party: Party,
    /// Whether requests are packages (MTOM); otherwise contents stand in them as base64.
    pub as_packages: bool,
    /// How large answers that bring a message may be.
    pub limits: Limits,
}

/// What is asked of a server.
pub enum Call<'a> {
    /// `checkAccountActive`.
    CheckAccountActive,
    /// `lookupService`: readers and services.
    LookupService(&'a [(Party, String)]),
    /// `createMessageId`.
    CreateMessageId,
    /// `getTransportReport` of a message id.
    TransportReport(&'a str),
    /// `sendMessage`.
    Send(&'a MetaData, &'a dyn Contents),
    /// `sendMessageSync`.
    SendSync(&'a MetaData, &'a dyn Contents),
    /// `getStatusList` of all that lies in the message box, this many entries.
    StatusList(u32),
    /// `getMessage` with a message id.
    Message(&'a str),
    /// `close`: a message id, and the iterator by which it was found.
    Close(&'a str, &'a str),
}

/// A request that is to be posted.
pub struct Request {
    /// What it asks for; its port says to which address.
    pub operation: Operation,
    /// `MessageID` of the SOAP message, which its answer relates to.
    pub message_id: String,
    /// HTTP's `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Plaintext,
}

impl Call<'_> {
    /// Its operation.
    pub fn operation(&self) -> Operation {
        match self {
            Call::CheckAccountActive => Operation::CheckAccountActive,
            Call::LookupService(_) => Operation::LookupService,
            Call::CreateMessageId => Operation::CreateMessageId,
            Call::TransportReport(_) => Operation::GetTransportReport,
            Call::Send(..) => Operation::SendMessage,
            Call::SendSync(..) => Operation::SendMessageSync,
            Call::StatusList(_) => Operation::GetStatusList,
            Call::Message(_) => Operation::GetMessage,
            Call::Close(..) => Operation::Close,
        }
    }

    fn contents(&self) -> Option<&dyn Contents> {
        match self {
            Call::Send(_, contents) | Call::SendSync(_, contents) => Some(*contents),
            _ => None,
        }
    }
}

impl Client {
    /// Writes a request to the port at this address.
    ///
    /// # Errors
    /// If contents cannot be read, or are no message with its attachments.
    pub fn request(&self, address: &str, call: &Call<'_>) -> Result<Request> {
        let operation = call.operation();
        let message_id = message_id(seal::random_bytes()?);
        let head = addressing::Request { action: operation.action(), to: address, message_id: &message_id };
        let mut blocks = vec![self.own_block(call)?];
        blocks.extend(head.blocks());
        let sink = BufWriter::new(Staging::new(MEMORY, u64::MAX));
        let (content_type, sink) = match self.as_packages {
            true => in_parts(sink, &blocks, call)?,
            false => (content_type(Some(operation.action()))?, write_envelope(sink, &blocks, call, false)?),
        };
        let body = sink.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
        Ok(Request { operation, message_id, content_type, body })
    }

    /// The header block of XTA: who calls, or the envelope of the message.
    fn own_block(&self, call: &Call<'_>) -> Result<String> {
        match call {
            Call::Send(meta, _) | Call::SendSync(meta, _) => block(|writer| metadata::write(writer, meta)),
            _ => block(|writer| v3::request::author(writer, &self.party)),
        }
    }

    /// Begins to read what a server answered, up to its body.
    ///
    /// # Errors
    /// [`Error::Fault`](crate::Error::Fault) if it answers with a fault of XTA,
    /// [`Error::OtherFault`](crate::Error::OtherFault) with another one, [`Error::Status`](crate::Error::Status) with no message
    /// at all; else if what came is no answer to the request.
    pub fn open<R: Read>(
        &self,
        request: &Request,
        status: u16,
        content_type: &str,
        body: R,
    ) -> Result<Reply<R>> {
        let limits = match request.operation {
            Operation::GetMessage | Operation::SendMessageSync => self.limits,
            _ => Limits {
                root_bytes: SMALL,
                envelope_bytes: self.limits.envelope_bytes.min(SMALL),
                package_bytes: self.limits.package_bytes.min(SMALL),
                ..self.limits
            },
        };
        Reply::open(request, (status, content_type), body, limits)
    }
}

/// A package: the envelope, then each content as it is.
fn in_parts<W: Write>(sink: W, blocks: &[String], call: &Call<'_>) -> Result<(String, W)> {
    let package = Package::new(seal::random_bytes()?, Some(call.operation().action()))?;
    let mut parts = package.begin(sink)?;
    write_envelope(&mut parts, blocks, call, true)?;
    if let Some(contents) = call.contents() {
        container::write_parts(&mut parts, contents)?;
    }
    Ok((package.content_type()?, parts.finish()?))
}

fn write_envelope<W: Write>(sink: W, blocks: &[String], call: &Call<'_>, in_package: bool) -> Result<W> {
    let mut envelope = Outgoing::new(sink, blocks)?;
    match call.contents() {
        Some(contents) => container::write(envelope.body(), contents, in_package)?,
        None => v3::request::write(envelope.body(), call)?,
    }
    Ok(envelope.finish()?)
}
