//! Reads faults (`XTA-Webservice-Exceptions.xsd` of either version). The element of the exception decides what kind it is, not the code:
//! codes that no list has are kept.

use xml::Reader;

use crate::element;
use crate::server::Operation;
use crate::v3::names::XTA;
use crate::v5::names::CORE;
use crate::{Error, Exception, Fault, Result, v3, v5};

/// The unspecified error.
const UNSPECIFIED: u16 = 9000;
/// Codes of the list of version 3 that say more.
const LISTED: std::ops::RangeInclusive<u16> = 9010..=9101;

/// All exceptions, those first that several have the element of.
const EXCEPTIONS: [Exception; 12] = [
    Exception::PermissionDenied,
    Exception::ParameterIsNotValid,
    Exception::XtaWsTechnicalProblem,
    Exception::MessageSchemaViolation,
    Exception::MessageVirusDetection,
    Exception::SyncAsync,
    Exception::InvalidMessageId,
    Exception::CancelDenied,
    Exception::NotImplemented,
    Exception::ParameterNotSupported,
    Exception::UnsupportedExtension,
    Exception::ExternalServiceUnavailable,
];

/// The fault within the detail of one of SOAP that answers this operation; others may stand beside it, such as where a program failed.
pub(super) fn read(fault: &soap::fault::Fault, operation: Operation) -> Error {
    let document = format!("<detail>{}</detail>", fault.detail);
    match find(&document, operation) {
        Ok(Some(fault)) => Error::Fault(fault),
        Ok(None) | Err(_) => Error::OtherFault(fault.code),
    }
}

fn find(document: &str, operation: Operation) -> Result<Option<Fault>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    while element::child(&mut reader)? {
        let is_own = |exception: &Exception| match operation {
            Operation::V3(_) => element::is(&reader, XTA, v3::fault::element(*exception)),
            Operation::V5(_) => element::is(&reader, CORE, v5::names::element(*exception)),
        };
        let exception = EXCEPTIONS.into_iter().find(is_own);
        let inside = reader.copy_element(document.len())?;
        if let Some(exception) = exception {
            return Ok(Some(meant(exception, code(&inside)?, operation)));
        }
    }
    Ok(None)
}

/// The fault that an exception with this code tells. The list of version 5 is not known to us. Where it has the codes of version 3, the
/// fault is that of version 3, which some operations tell by another exception; else the exception alone is to be relied on.
fn meant(exception: Exception, code: Option<u16>, operation: Operation) -> Fault {
    let as_told = Fault { code: code.unwrap_or(UNSPECIFIED), exception };
    let Operation::V5(operation) = operation else { return as_told };
    let listed = code.filter(|code| LISTED.contains(code)).map(Fault::of);
    match listed.filter(|fault| v5::fault::exception(*fault, Some(operation)) == exception) {
        Some(fault) => fault,
        None if exception == Exception::InvalidMessageId => Fault::UNKNOWN_ID,
        None => as_told,
    }
}

/// The text of the first `code`, whatever its namespace, if it is a number.
fn code(document: &str) -> Result<Option<u16>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    loop {
        match reader.next()? {
            xml::Event::Start(start) if start.local() == "code" => {
                return Ok(element::text(&mut reader)?.parse().ok());
            }
            xml::Event::Eof => return Ok(None),
            _ => {}
        }
    }
}
