//! Answers and faults on the wire (SOAP 1.2, WS-Addressing 1.0, MTOM), bare or as a package. In version 3 the action of an answer and
//! of a fault is that of the request; in version 5 each has its own.

use std::io::{self, BufWriter, Write};

use seal::xmlenc::Staging;
use soap::addressing::{ADDRESSING, Reply, message_id};
use soap::envelope::Version::Soap12;
use soap::fault::{Code, Fault as SoapFault, Subcode};
use soap::message::{NewBlock, Outgoing, Package, content_type};
use soap::mime;

use super::backend::Contents;
use super::operations::{Body, Outcome};
use super::{Answer, Operation};
use crate::model::Version;
use crate::v3::fault;
use crate::{Error, Exception, Fault, Result, container, v5};

/// Bytes of an answer that are kept in memory; what is more lies in a file.
const MEMORY: usize = 256 * 1024;
/// Action of faults of requests whose own is not known (WS-Addressing 1.0 SOAP Binding section 6).
const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/fault";

type Sink = BufWriter<Staging>;

/// What an answer has to fit.
pub(super) struct Frame {
    version: Version,
    /// The request is a package, so its sender reads packages.
    is_package: bool,
    /// The sender says that it reads packages.
    accepts_packages: bool,
    pub(super) operation: Option<Operation>,
    /// `MessageID` of the request.
    pub(super) relates_to: Option<String>,
}

impl Frame {
    pub(super) fn of(version: Version, content_type: &str, accept: Option<&str>) -> Self {
        let names_package = |text: &str| text.to_ascii_lowercase().contains("multipart/related");
        Frame {
            version,
            is_package: names_package(content_type.split(';').next().unwrap_or_default()),
            accepts_packages: accept.is_some_and(names_package),
            operation: None,
            relates_to: None,
        }
    }

    /// An answer. Contents go into parts of their own if the other side reads them.
    pub(super) fn answer(&self, outcome: Outcome) -> Result<Answer> {
        let mut blocks = outcome.blocks;
        blocks.extend(self.reply_blocks(&self.action())?);
        let in_parts = self.is_package || self.accepts_packages;
        let answer = match outcome.body {
            Body::Contents(contents) if in_parts => self.in_parts(&blocks, &*contents, false)?,
            Body::Reply(Some(contents)) if in_parts => self.in_parts(&blocks, &*contents, true)?,
            body => self.envelope(200, |sink| write_envelope(sink, &blocks, &body, self.version))?,
        };
        Ok(Answer { operation: self.operation, ..answer })
    }

    /// The fault that tells an error.
    pub(super) fn fault(&self, error: Error) -> Result<Answer> {
        let (mut fault, exception) = self.soap_fault(&error)?;
        fault.headers.extend(self.reply_blocks(&self.fault_action(exception))?);
        let answer = self.envelope(500, |sink| Ok(fault.write(Soap12, sink)?))?;
        Ok(Answer { operation: self.operation, error: Some(error), ..answer })
    }

    /// Action of an answer.
    fn action(&self) -> String {
        match self.operation {
            Some(Operation::V3(operation)) => operation.action().to_owned(),
            Some(Operation::V5(operation)) => operation.answer_action(),
            None => FAULT_ACTION.to_owned(),
        }
    }

    /// Action of a fault, which may have an exception of XTA for its detail.
    fn fault_action(&self, exception: Option<Exception>) -> String {
        match (self.operation, exception) {
            (Some(Operation::V3(operation)), _) => operation.action().to_owned(),
            (Some(Operation::V5(operation)), Some(exception)) => operation.fault_action(exception),
            _ => FAULT_ACTION.to_owned(),
        }
    }

    fn reply_blocks(&self, action: &str) -> Result<Vec<NewBlock>> {
        let message_id = message_id(seal::random_bytes()?);
        let reply = Reply { action, relates_to: self.relates_to.as_deref(), message_id: &message_id };
        Ok(reply.blocks()?)
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

    /// A package: the envelope with the container, then each content as it is.
    fn in_parts(&self, blocks: &[NewBlock], contents: &dyn Contents, is_reply: bool) -> Result<Answer> {
        package(200, |parts| {
            let mut envelope = Outgoing::new(&mut *parts, blocks)?;
            match is_reply {
                true => container::write_reply(envelope.body(), Some(contents), true)?,
                false => container::write(envelope.body(), contents, true, self.version)?,
            }
            envelope.finish()?;
            container::write_parts(parts, contents, self.version)
        })
    }

    /// The fault of SOAP that tells an error, and the exception of XTA that it holds.
    fn soap_fault(&self, error: &Error) -> Result<(SoapFault, Option<Exception>)> {
        let fault = match error {
            Error::Fault(fault) => return self.exception(*fault, fault::meaning(*fault)),
            Error::Malformed(rule) => return self.exception(Fault::PARAMETERS, rule),
            Error::OtherFault(_) | Error::Status(_) | Error::Seal(_) | Error::Io(_) => {
                return self.exception(Fault::INTERNAL, fault::meaning(Fault::INTERNAL));
            }
            Error::Soap(error) => SoapFault::answering(error),
            Error::Xml(error) => SoapFault::new(Code::Sender, &error.to_string()),
            Error::UnknownAction => addressing("ActionNotSupported", None),
            Error::NotAnonymous(header) => addressing("OnlyAnonymousAddressSupported", Some(header)),
        };
        Ok((fault, None))
    }

    /// A fault with the exception of XTA as its detail. What is not for the sender to mend is ours.
    fn exception(&self, fault: Fault, reason: &str) -> Result<(SoapFault, Option<Exception>)> {
        let (exception, detail) = match (self.version, self.operation) {
            (Version::V3, _) => (fault.exception, fault::detail(fault)?),
            (Version::V5, operation) => {
                let operation = match operation {
                    Some(Operation::V5(operation)) => Some(operation),
                    _ => None,
                };
                let exception = v5::fault::exception(fault, operation);
                (exception, v5::fault::detail(fault, exception)?)
            }
        };
        let code = match fault.exception {
            Exception::XtaWsTechnicalProblem => Code::Receiver,
            _ => Code::Sender,
        };
        Ok((SoapFault { detail, ..SoapFault::new(code, reason) }, Some(exception)))
    }
}

/// A package whose root and parts are written by `write`.
fn package(status: u16, write: impl FnOnce(&mut mime::Writer<Sink>) -> Result<()>) -> Result<Answer> {
    let package = Package::new(seal::random_bytes()?, None)?;
    let mut parts = package.begin(sink())?;
    write(&mut parts)?;
    staged(status, package.content_type()?, parts.finish()?)
}

fn write_envelope(sink: &mut dyn Write, blocks: &[NewBlock], body: &Body, version: Version) -> Result<()> {
    let mut envelope = Outgoing::new(sink, blocks)?;
    match body {
        Body::Contents(contents) => container::write(envelope.body(), &**contents, false, version)?,
        Body::Reply(contents) => container::write_reply(envelope.body(), contents.as_deref(), false)?,
        body => body.write(envelope.body(), version)?,
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
