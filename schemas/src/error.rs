//! What can go wrong with schemas; what is wrong with a message is a [`crate::Finding`].

use std::io;

/// Why a schema, pack or code list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing a pack failed.
    #[error("input or output failed: {0}")]
    Io(#[from] io::Error),
    /// A schema refers to a file that is neither in its pack nor known otherwise.
    #[error("a schema refers to {url}, which is not there")]
    Missing {
        /// The location asked for.
        url: String,
    },
    /// A schema file is not a valid schema.
    #[error("{file}, line {line}: not a valid schema")]
    Defect {
        /// The file within its pack.
        file: String,
        /// Line, from 1; 0 if not known.
        line: u64,
    },
    /// Nothing in the pack is a schema or a code list.
    #[error("there is no schema and no code list in it")]
    Empty,
    /// The pack has too many or too large files, or a name that leads out of it.
    #[error("the pack is refused: {reason}")]
    Pack {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The ZIP cannot be read.
    #[error("the ZIP cannot be read")]
    Zip,
    /// A code list file is not Genericode as the XÖV repository publishes it.
    #[error("not a code list in Genericode 1.0")]
    CodeList,
    /// A location that is not a URL.
    #[error("not a location of a schema")]
    BadLocation,
    /// libxml2 had no memory.
    #[error("no memory for the validator")]
    Memory,
}

impl Error {
    /// The stable code; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "schema.io",
            Self::Missing { .. } => "schema.missing-file",
            Self::Defect { .. } => "schema.defect",
            Self::Empty => "schema.empty-pack",
            Self::Pack { .. } => "schema.pack",
            Self::Zip => "schema.zip",
            Self::CodeList => "schema.code-list",
            Self::BadLocation => "schema.location",
            Self::Memory => "schema.memory",
        }
    }
}
