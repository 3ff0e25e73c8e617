//! What can be wrong with a package or a fault. Texts name rules and limits, never what came from outside.

use std::io;

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
    /// The XML of a fault cannot be read or written.
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
