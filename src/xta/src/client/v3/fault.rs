//! Reads faults of version 3 (`XTA-Webservice-Exceptions.xsd`). The element of the exception decides what kind it is, not the code:
//! codes that no list has are kept.

use xml::Reader;

use crate::element::{self, Element};
use crate::v3::names::XTA;
use crate::{Error, Exception, Fault, Result};

/// The unspecified error.
const UNSPECIFIED: u16 = 9000;

/// The fault within the detail of one of SOAP; others may stand beside it, such as where a program failed.
pub(in crate::client) fn read(fault: &soap::fault::Fault) -> Error {
    let document = format!("<detail>{}</detail>", fault.detail);
    match find(&document) {
        Ok(Some(fault)) => Error::Fault(fault),
        Ok(None) | Err(_) => Error::OtherFault(fault.code),
    }
}

fn find(document: &str) -> Result<Option<Fault>> {
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next()?;
    while let Some(child) = element::child(&mut reader)? {
        let inside = reader.copy_element(document.len())?;
        if let Some(exception) = exception(&child) {
            return Ok(Some(Fault { code: code(&inside)?.unwrap_or(UNSPECIFIED), exception }));
        }
    }
    Ok(None)
}

fn exception(element: &Element) -> Option<Exception> {
    let all = [
        ("PermissionDeniedException", Exception::PermissionDenied),
        ("ParameterIsNotValidException", Exception::ParameterIsNotValid),
        ("XTAWSTechnicalProblemException", Exception::XtaWsTechnicalProblem),
        ("MessageSchemaViolationException", Exception::MessageSchemaViolation),
        ("MessageVirusDetectionException", Exception::MessageVirusDetection),
        ("SyncAsyncException", Exception::SyncAsync),
        ("InvalidMessageIDException", Exception::InvalidMessageId),
        ("CancelDeniedException", Exception::CancelDenied),
    ];
    all.into_iter().find(|(local, _)| element.is(XTA, local)).map(|(_, exception)| exception)
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
