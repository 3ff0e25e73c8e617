//! Findings of the XML reader and of the validator as findings of the model.

use std::io;

use model::{Failure, Finding, Severity};

use crate::Error;

/// A finding about XML or a container that cannot be read on, unless it is the source that fails.
pub(crate) fn unreadable(error: xml::Error) -> Result<Finding, Failure> {
    match error {
        xml::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Ok(Finding::error("container.checksum"))
        }
        xml::Error::Io(error) => Err(Error::Io(error).into()),
        error => {
            let mut finding = Finding::error(error.code()).with("says", error.to_string());
            finding.line = error.line();
            Ok(finding)
        }
    }
}

/// What was read, or what is wrong with what was read. A source that fails may work again, so the message is no other for it.
///
/// # Errors
/// If the source failed.
pub(crate) fn unless_failed<T>(read: Result<T, xml::Error>) -> Result<Result<T, xml::Error>, Failure> {
    match read {
        Err(xml::Error::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
            Err(Error::Io(error).into())
        }
        read => Ok(read),
    }
}

/// A finding of the validator.
pub(crate) fn of_schema(finding: schemas::Finding) -> Finding {
    let severity = match finding.severity {
        schemas::Severity::Info => Severity::Info,
        schemas::Severity::Warning => Severity::Warning,
        schemas::Severity::Error => Severity::Error,
    };
    Finding::new(&finding.rule, severity).at(finding.line, finding.path).with("says", finding.message)
}
