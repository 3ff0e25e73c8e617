//! What can be wrong with a package, a message or a fault. Texts name rules and limits, never what came from outside.

use std::io;

use crate::addressing::Problem;

/// `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why reading or writing stopped. After an error nothing more of the message is given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source or sink failed.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
    /// The message is no multipart/related package.
    #[error("the message is not multipart/related")]
    NotMultipart,
    /// The boundary is missing, too long or holds characters that no boundary has.
    #[error("the boundary of the package is missing or not allowed")]
    Boundary,
    /// A header or delimiter is malformed, or a header stands twice.
    #[error("the package is malformed: {rule}")]
    Syntax {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// Lines end with CRLF here and with LF there, so that readers could disagree on what is a delimiter.
    #[error("the lines of the package do not all end alike")]
    LineEnds,
    /// The input ends before the closing boundary.
    #[error("the package ends before its closing boundary")]
    Truncated,
    /// One of the limits is exceeded.
    #[error("too large: {limit}")]
    Limit {
        /// The limit that is exceeded.
        limit: &'static str,
    },
    /// A part is itself a multipart.
    #[error("a part of the package is itself a multipart")]
    Nested,
    /// Two parts have the same Content-ID.
    #[error("two parts have the same Content-ID")]
    DuplicateId,
    /// A transfer encoding that is not read, such as quoted-printable.
    #[error("only the transfer encodings 7bit, 8bit, binary and base64 are read")]
    Encoding,
    /// The content of a base64 part is not base64.
    #[error("the content of a part is not valid base64")]
    Base64,
    /// The caller asked the writer for something that is no package.
    #[error("cannot be written as a package: {rule}")]
    Write {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// A SOAP fault does not have the form that its version demands.
    #[error("the SOAP fault is malformed: {rule}")]
    Fault {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// A SOAP message is not one, or its package does not fit it.
    #[error("the SOAP message is malformed: {rule}")]
    Message {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The envelope is none of SOAP 1.2.
    #[error("the envelope is none of SOAP 1.2")]
    VersionMismatch,
    /// A header block must be understood and is not. The text does not name it; the fault does.
    #[error("a header that must be understood is not known")]
    MustUnderstand {
        /// Namespace of the block.
        namespace: String,
        /// Local name of the block.
        local: String,
    },
    /// A header of WS-Addressing is missing or not as it must be.
    #[error("the header {header} of WS-Addressing is missing, or not as it must be")]
    Addressing {
        /// What is wrong.
        problem: Problem,
        /// Local name of the header.
        header: &'static str,
    },
    /// The XML of a fault or message cannot be read or written.
    #[error(transparent)]
    Xml(xml::Error),
}

impl Error {
    /// The stable code; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Io(_) => "mime.io",
            Error::NotMultipart => "mime.not-multipart",
            Error::Boundary => "mime.boundary",
            Error::Syntax { .. } => "mime.syntax",
            Error::LineEnds => "mime.line-ends",
            Error::Truncated => "mime.truncated",
            Error::Limit { .. } => "mime.limit",
            Error::Nested => "mime.nested",
            Error::DuplicateId => "mime.duplicate-id",
            Error::Encoding => "mime.encoding",
            Error::Base64 => "mime.base64",
            Error::Write { .. } => "mime.write",
            Error::Fault { .. } => "soap.fault",
            Error::Message { .. } => "soap.message",
            Error::VersionMismatch => "soap.version",
            Error::MustUnderstand { .. } => "soap.must-understand",
            Error::Addressing { .. } => "soap.addressing",
            Error::Xml(error) => error.code(),
        }
    }
}

/// Errors of a package travel through `Read`, for instance through the XML reader, and come out unchanged.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Error::Io)
    }
}

impl From<xml::Error> for Error {
    fn from(error: xml::Error) -> Self {
        match error {
            xml::Error::Io(error) => error.into(),
            error => Error::Xml(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}
