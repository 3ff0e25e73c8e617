//! Answers and faults on the wire (SOAP 1.2, WS-Addressing 1.0, MTOM), bare or as a package. The action of an answer and of a fault is
//! that of the request.

use std::io::{self, BufWriter, Write};

use seal::xmlenc::Staging;
use soap::addressing::{ADDRESSING, Reply, message_id};
use soap::envelope::Version;
use soap::fault::{Code, Fault as SoapFault, Subcode};
use soap::message::{Outgoing, Package, content_type};
use soap::mime;

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
        let answer = match outcome.body {
            Body::Contents(contents) if self.is_package || self.accepts_packages => {
                in_parts(&blocks, &*contents)?
            }
            body => self.envelope(200, |sink| write_envelope(sink, &blocks, &body))?,
        };
        Ok(Answer { operation: self.operation, ..answer })
    }

    /// The fault that tells an error.
    pub(super) fn fault(&self, error: Error) -> Result<Answer> {
        let mut fault = soap_fault(&error)?;
        fault.headers.extend(self.reply_blocks()?);
        let answer = self.envelope(500, |sink| Ok(fault.write(Version::Soap12, sink)?))?;
        Ok(Answer { operation: self.operation, error: Some(error), ..answer })
    }

    fn reply_blocks(&self) -> Result<Vec<String>> {
        let action = self.operation.map_or(FAULT_ACTION, Operation::action);
        let message_id = message_id(seal::random_bytes()?);
        let reply = Reply { action, relates_to: self.relates_to.as_deref(), message_id: &message_id };
        Ok(reply.blocks())
    }

    /// An envelope that has no parts, in a package if the request was one.
    fn envelope(&self, status: u16, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Answer> {
        if self.is_package {
            return package(status, |parts| write(parts));
        }
        let mut sink = sink();
        write(&mut sink)?;
        staged(status, content_type(None)?, sink)
    }
}

/// A package: the envelope with the container, then each content as it is.
fn in_parts(blocks: &[String], contents: &dyn Contents) -> Result<Answer> {
    package(200, |parts| {
        let mut envelope = Outgoing::new(&mut *parts, blocks)?;
        container::write(envelope.body(), contents, true)?;
        envelope.finish()?;
        container::write_parts(parts, contents)
    })
}

/// A package whose root and parts are written by `write`.
fn package(status: u16, write: impl FnOnce(&mut mime::Writer<Sink>) -> Result<()>) -> Result<Answer> {
    let package = Package::new(seal::random_bytes()?, None)?;
    let mut parts = package.begin(sink())?;
    write(&mut parts)?;
    staged(status, package.content_type()?, parts.finish()?)
}

fn write_envelope(sink: &mut dyn Write, blocks: &[String], body: &Body) -> Result<()> {
    let mut envelope = Outgoing::new(sink, blocks)?;
    match body {
        Body::Contents(contents) => container::write(envelope.body(), &**contents, false)?,
        body => body.write(envelope.body())?,
    }
    envelope.finish()?;
    Ok(())
}

fn sink() -> Sink {
    BufWriter::new(Staging::new(MEMORY, u64::MAX))
}

fn staged(status: u16, content_type: String, sink: Sink) -> Result<Answer> {
    let body = sink.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
    Ok(Answer { status, content_type, body, operation: None, error: None })
}

/// The fault of SOAP that tells an error.
fn soap_fault(error: &Error) -> Result<SoapFault> {
    Ok(match error {
        Error::Fault(fault) => exception(*fault, fault::meaning(*fault))?,
        Error::Malformed(rule) => exception(Fault::PARAMETERS, rule)?,
        Error::Soap(error) => SoapFault::answering(error),
        Error::Xml(error) => SoapFault::new(Code::Sender, &error.to_string()),
        Error::UnknownAction => addressing("ActionNotSupported", None),
        Error::NotAnonymous(header) => addressing("OnlyAnonymousAddressSupported", Some(header)),
        Error::OtherFault(_) | Error::Status(_) | Error::Seal(_) | Error::Io(_) => {
            exception(Fault::INTERNAL, fault::meaning(Fault::INTERNAL))?
        }
    })
}

/// A fault with the exception of XTA as its detail. What is not for the sender to mend is ours.
fn exception(fault: Fault, reason: &str) -> Result<SoapFault> {
    let code = match fault.exception {
        Exception::XtaWsTechnicalProblem => Code::Receiver,
        _ => Code::Sender,
    };
    Ok(SoapFault { detail: fault::detail(fault)?, ..SoapFault::new(code, reason) })
}

/// Faults of WS-Addressing that only a server has (SOAP Binding sections 6.4.1.7 and 6.4.2).
fn addressing(local: &str, header: Option<&str>) -> SoapFault {
    let subcode = |local: &str| Subcode { namespace: ADDRESSING.to_owned(), local: local.to_owned() };
    let Some(header) = header else {
        let subcodes = vec![subcode(local)];
        return SoapFault { subcodes, ..SoapFault::new(Code::Sender, "the port has no such action") };
    };
    let detail =
        format!("<wsa:ProblemHeaderQName xmlns:wsa=\"{ADDRESSING}\">wsa:{header}</wsa:ProblemHeaderQName>");
    let subcodes = vec![subcode("InvalidAddressingHeader"), subcode(local)];
    let reason = "answers go only where the request came from";
    SoapFault { subcodes, detail, ..SoapFault::new(Code::Sender, reason) }
}
