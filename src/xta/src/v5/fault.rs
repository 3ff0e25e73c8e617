//! Faults of version 5.1.1 (`XTA-Webservice-Exceptions.xsd`, core 3.1.1): the exception's element as the detail. The codes of this
//! version's list are not known to us; those of version 3 stand in their place.

use super::names::{CORE, Operation, element};
use crate::v3::answer::block;
use crate::v3::fault::meaning;
use crate::{Exception, Fault, Result};

/// List of the codes, and its version.
const CODES: (&str, &str) = ("urn:xoev-de:kosit:codeliste:xta.core.fehlernummer", "1");

/// The exception that tells a fault to whoever asked for this operation.
pub(crate) fn exception(fault: Fault, operation: Option<Operation>) -> Exception {
    let wanted = match fault {
        Fault { code: 9031, exception: Exception::XtaWsTechnicalProblem } => {
            Exception::ExternalServiceUnavailable
        }
        // Only who waits for the reader's answer is told that it is the reader who does not answer.
        Fault { code: 9032, exception: Exception::XtaWsTechnicalProblem }
            if operation == Some(Operation::SendMessageSync) =>
        {
            Exception::ExternalServiceUnavailable
        }
        fault => fault.exception,
    };
    operation.map_or(wanted, |operation| operation.exception(wanted))
}

/// Its element.
pub(crate) fn detail(fault: Fault, exception: Exception) -> Result<String> {
    block(|writer| {
        writer.start(&format!("c:{}", element(exception)), &[("xmlns:c", CORE)])?;
        writer.start("c:ErrorCode", &[("listURI", CODES.0), ("listVersionID", CODES.1)])?;
        writer.element("code", &fault.code.to_string())?;
        writer.end()?;
        writer.element("c:Detail", meaning(fault))?;
        Ok(writer.end()?)
    })
}
