//! What can go wrong, and how XTA tells it (version 3: `XTA-Webservice-Exceptions.xsd`, code list `Codelist.Fehlernummer`).

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request is not answered as it wishes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is answered with a fault of XTA.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It is no message that SOAP or WS-Addressing allow.
    #[error(transparent)]
    Soap(#[from] soap::Error),
    /// Its XML is not sound.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// What the answer is encrypted or kept with.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// It could not be read or written.
    #[error("reading or writing failed")]
    Io(#[from] io::Error),
}

/// A fault of XTA by its code. The exception that carries it follows from the code, except for 9000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("XTA {code}")]
pub struct Fault {
    /// Code, 9000 to 9101.
    pub code: u16,
    /// The exception whose element carries it.
    pub exception: Exception,
}

/// The exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// 9010 to 9014.
    PermissionDenied,
    /// 9020 to 9024.
    ParameterIsNotValid,
    /// 9030 to 9032.
    XtaWsTechnicalProblem,
    /// 9050 to 9052.
    MessageSchemaViolation,
    /// 9060.
    MessageVirusDetection,
    /// 9070.
    InvalidMessageId,
    /// 9080 and 9081.
    SyncAsync,
    /// 9100 and 9101.
    CancelDenied,
}
