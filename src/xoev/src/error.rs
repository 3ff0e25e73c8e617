//! What can go wrong in reading and writing messages. What is wrong with a message itself is a finding.

use std::io;

use model::{Failure, FailureKind};

/// Why a message was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source or sink failed.
    #[error("input or output failed")]
    Io(#[from] io::Error),
    /// The XML cannot be read or written.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// Where records and files go to or come from.
    #[error(transparent)]
    Surroundings(#[from] Failure),
    /// A record holds more than is kept in memory.
    #[error("a record of the message is too large")]
    TooLarge,
    /// The message is not one that `check` accepted.
    #[error("the message was not checked or not accepted")]
    Unreadable,
    /// Records lie too deep in each other.
    #[error("the records lie too deep in each other")]
    TooDeep,
    /// A file of a document has no bytes.
    #[error("a file of a document has no content")]
    NoContent,
    /// Two files need the same name in the container.
    #[error("two files need the same name in the container")]
    NameConflict,
    /// What a record kept of an earlier message cannot be read any more.
    #[error("the kept part of an earlier message is damaged")]
    Extension,
    /// A record is classified, and the standard has no way for it.
    #[error("a record is classified and may not be sent this way")]
    Classified,
    /// The version, message type or kind of record is not written.
    #[error("this is not written: {what}")]
    Unsupported {
        /// What is not written.
        what: &'static str,
    },
}

impl Error {
    /// Whether it is the source that failed, not the message.
    pub(crate) fn is_of_source(&self) -> bool {
        let (Error::Io(error) | Error::Xml(xml::Error::Io(error))) = self else { return false };
        error.kind() != io::ErrorKind::InvalidData
    }

    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Io(_) => "xdomea.io",
            Error::Xml(error) => error.code(),
            Error::Surroundings(_) => "xdomea.surroundings",
            Error::TooLarge => "xdomea.record-too-large",
            Error::Unreadable => "xdomea.unreadable",
            Error::TooDeep => "xdomea.depth",
            Error::NoContent => "xdomea.file-missing",
            Error::NameConflict => "xdomea.file-conflict",
            Error::Extension => "xdomea.extension",
            Error::Classified => "xjustiz.classified",
            Error::Unsupported { .. } => "xdomea.not-written",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Surroundings(failure) => failure,
            Error::Xml(xml::Error::Io(_)) => Failure::transient("xdomea.io", "input or output failed"),
            Error::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
                Failure::permanent("container.checksum", "a file of the container is damaged")
            }
            Error::Io(_) => Failure::transient("xdomea.io", "input or output failed"),
            other => Failure::new(FailureKind::Permanent, other.code(), other.to_string()),
        }
    }
}
