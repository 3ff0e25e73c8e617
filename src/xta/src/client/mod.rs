//! The client: requests to a server elsewhere are written, its answers read. It knows no network: whoever carries a [`Request`] gives
//! what came back to [`Client::open`], and asks the [`Reply`] for what the operation answers with.
//!
//! | module | holds |
//! |---|---|
//! | `reply` | an answer, read as far as it is asked for |
//! | `fault` | faults, read |
//! | `v3`, `v5` | bodies of requests written, bodies of answers read |
//! | `answer` | what answers of both versions have in common |
//!
//! What is read is read leniently: servers of the field leave out what the schema demands.

use std::io::{self, BufWriter, Read, Write};

use seal::xmlenc::{Plaintext, Staging};
use soap::addressing::{self, message_id};
pub use soap::message::Limits;
use soap::message::{NewBlock, Outgoing, Package, content_type};

mod answer;
mod fault;
mod reply;
mod v3;
mod v5;

pub use reply::{Reply, Sink};

use crate::model::{MetaData, Party, Version};
use crate::server::Operation;
use crate::server::backend::{Contents, Selector};
use crate::v5::metadata::Ids;
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
    /// Which version it speaks.
    pub version: Version,
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
    /// `deliverMessage` at the server of a reader, which in version 3 takes `sendMessageSync`.
    Deliver(&'a MetaData, &'a dyn Contents),
    /// `getStatusList`: this many entries of those that the selector fits. Version 5 has no word for all, only for those that are
    /// new and for those that need not be; it selects by ids or by what else there is, not by both, and not by what is answered.
    StatusList(&'a Selector, u32),
    /// `getMessage` with a message id.
    Message(&'a str),
    /// `close`: a message id, and the iterator by which it was found. Version 5 has none.
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
    /// Its operation in a version.
    pub fn operation(&self, version: Version) -> Operation {
        match version {
            Version::V3 => Operation::V3(v3::request::operation(self)),
            Version::V5 => Operation::V5(v5::request::operation(self)),
        }
    }

    fn meta(&self) -> Option<&MetaData> {
        match self {
            Call::Send(meta, _) | Call::SendSync(meta, _) | Call::Deliver(meta, _) => Some(meta),
            _ => None,
        }
    }

    fn contents(&self) -> Option<&dyn Contents> {
        match self {
            Call::Send(_, contents) | Call::SendSync(_, contents) | Call::Deliver(_, contents) => {
                Some(*contents)
            }
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
        let operation = call.operation(self.version);
        let message_id = message_id(seal::random_bytes()?);
        let head = addressing::Request { action: operation.action(), to: address, message_id: &message_id };
        let mut ids = Ids::default();
        let mut blocks = match self.version {
            Version::V3 => vec![v3::request::block(&self.party, call.meta())?],
            Version::V5 => v5::request::blocks(&self.party, call.meta(), &mut ids)?,
        };
        blocks.extend(head.blocks()?);
        let sink = BufWriter::new(Staging::new(MEMORY, u64::MAX));
        let (content_type, sink) = match self.as_packages {
            true => self.in_parts(sink, &blocks, call, &mut ids)?,
            false => {
                let sink = self.write_envelope(sink, &blocks, (call, false), &mut ids)?;
                (content_type(Some(operation.action()))?, sink)
            }
        };
        let body = sink.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
        Ok(Request { operation, message_id, content_type, body })
    }

    /// A package: the envelope, then each content as it is.
    fn in_parts<W: Write>(
        &self,
        sink: W,
        blocks: &[NewBlock],
        call: &Call<'_>,
        ids: &mut Ids,
    ) -> Result<(String, W)> {
        let action = call.operation(self.version).action();
        let package = Package::new(seal::random_bytes()?, Some(action))?;
        let mut parts = package.begin(sink)?;
        self.write_envelope(&mut parts, blocks, (call, true), ids)?;
        if let Some(contents) = call.contents() {
            container::write_parts(&mut parts, contents, self.version)?;
        }
        Ok((package.content_type()?, parts.finish()?))
    }

    fn write_envelope<W: Write>(
        &self,
        sink: W,
        blocks: &[NewBlock],
        (call, in_package): (&Call<'_>, bool),
        ids: &mut Ids,
    ) -> Result<W> {
        let mut envelope = Outgoing::new(sink, blocks)?;
        match (call.contents(), self.version) {
            (Some(contents), version) => container::write(envelope.body(), contents, in_package, version)?,
            (None, Version::V3) => v3::request::write(envelope.body(), call)?,
            (None, Version::V5) => v5::request::write(envelope.body(), call, ids)?,
        }
        Ok(envelope.finish()?)
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
        let limits = match request.operation.answers_with_message() {
            true => self.limits,
            false => Limits {
                root_bytes: SMALL,
                envelope_bytes: self.limits.envelope_bytes.min(SMALL),
                package_bytes: self.limits.package_bytes.min(SMALL),
                ..self.limits
            },
        };
        Reply::open(request, (status, content_type), body, limits)
    }
}
