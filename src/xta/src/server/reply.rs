//! Answers and faults on the wire (SOAP 1.2, WS-Addressing 1.0, MTOM), bare or as a package. The action of an answer and of a fault is
//! that of the request.

use std::io::{self, BufWriter, Write};

use seal::xmlenc::Staging;
use soap::addressing::{ADDRESSING, Reply, message_id};
use soap::envelope::Version;
use soap::fault::{Code, Fault as SoapFault, Subcode};
use soap::message::{Outgoing, Package};
use soap::mime::NewPart;

use super::backend::Contents;
use super::operations::{Body, Outcome};
use super::{Answer, Operation};
use crate::v3::fault;
use crate::{Error, Exception, Fault, Result, container};

/// Bytes of an answer that are kept in memory; what is more lies in a file.
const MEMORY: usize = 256 * 1024;
/// Action of faults of requests whose own is not known (WS-Addressing 1.0 SOAP Binding section 6).
const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/fault";

type Sink = BufWriter<Staging>;

/// What an answer has to fit.
#[derive(Default)]
pub(super) struct Frame {
    /// The request is a package, so its sender reads packages.
    is_package: bool,
    /// The sender says that it reads packages.
    accepts_packages: bool,
    pub(super) operation: Option<Operation>,
    /// `MessageID` of the request.
    pub(super) relates_to: Option<String>,
}

impl Frame {
    pub(super) fn of(content_type: &str, accept: Option<&str>) -> Self {
        let names_package = |text: &str| text.to_ascii_lowercase().contains("multipart/related");
        Frame {
            is_package: names_package(content_type.split(';').next().unwrap_or_default()),
            accepts_packages: accept.is_some_and(names_package),
            ..Frame::default()
        }
    }

    /// An answer. Contents go into parts of their own if the other side reads them.
    pub(super) fn answer(&self, outcome: Outcome) -> Result<Answer> {
        let mut blocks = outcome.blocks;
        blocks.extend(self.reply_blocks()?);
        let Body::Contents(contents) = outcome.body else {
            return self.staged(200, |sink| write_envelope(sink, &blocks, &outcome.body));
        };
        if self.is_package || self.accepts_packages {
            return package(&blocks, &*contents);
        }
        bare(200, |sink| {
            let mut envelope = Outgoing::new(sink, &blocks)?;
            container::write(envelope.body(), &*contents, None)?;
            envelope.finish()?;
            Ok(())
        })
    }

    /// The fault that tells an error.
    pub(super) fn fault(&self, error: Error) -> Result<Answer> {
        let mut fault = soap_fault(&error)?;
        fault.headers.extend(self.reply_blocks()?);
        let answer = self.staged(500, |sink| Ok(fault.write(Version::Soap12, sink)?))?;
        Ok(Answer { error: Some(error), ..answer })
    }

    fn reply_blocks(&self) -> Result<Vec<String>> {
        let action = self.operation.map_or(FAULT_ACTION, Operation::action);
        let message_id = message_id(seal::random_bytes()?);
        let reply = Reply { action, relates_to: self.relates_to.as_deref(), message_id: &message_id };
        Ok(reply.blocks())
    }

    /// An envelope without parts, in a package if the request was one.
    fn staged(&self, status: u16, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Answer> {
        let answer = match self.is_package {
            false => bare(status, write),
            true => packed(status, |parts| write(parts)),
        };
        answer.map(|answer| Answer { operation: self.operation, ..answer })
    }
}
