//! The one error type of this crate. No text holds anything of a message.

use std::io;

use crate::code::Code;

/// `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a message was not read, written or carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A source or sink failed.
    #[error("input or output failed")]
    Io(#[source] io::Error),
    /// The XML cannot be read or written.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// The MIME package cannot be read or written.
    #[error(transparent)]
    Package(soap::Error),
    /// A signature, an encryption or a certificate is not in order.
    #[error(transparent)]
    Security(#[from] seal::Error),
    /// The message breaks the schema of its kind.
    #[error("no valid OSCI message: {0}")]
    Malformed(&'static str),
    /// The message is refused with this code of the standard.
    #[error("refused with code {0}")]
    Refused(Code),
}

impl Error {
    /// The stable code of this error; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Io(_) => "osci-transport.io",
            Error::Xml(error) => error.code(),
            Error::Package(error) => error.code(),
            Error::Security(error) => error.code(),
            Error::Malformed(_) => "osci-transport.malformed",
            Error::Refused(_) => "osci-transport.refused",
        }
    }
}

/// What our own readers and sinks say comes through `Read` and `Write` unchanged: only what is left is a source or sink
/// that failed.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<soap::Error>() {
            Ok(error) => error.into(),
            Err(error) => error.downcast::<seal::Error>().map_or_else(Error::Io, Error::Security),
        }
    }
}

impl From<soap::Error> for Error {
    fn from(error: soap::Error) -> Self {
        match error {
            soap::Error::Io(error) => error.into(),
            error => Error::Package(error),
        }
    }
}
