//! XAIP (BSI TR-03125 TR-ESOR, annex F, version 1.3.0): the package of an archive by TR-ESOR, whose evidence records cover versions of it.
//!
//! | annex | here |
//! |---|---|
//! | F, package header, manifests, credentials | [`outline`] |
//! | F and ERS, what is hashed of each object | [`digests`] |
//! | F (LXAIP), files beside the package by their digest | [`digests`] |
//! | Verify, by what is inside | [`judge`] |
//!
//! Everything is read as a stream and twice: the rule for hashing a manifest stands behind it. Nothing grows with the objects.

pub mod digests;
pub mod judge;
pub mod outline;
pub mod write;

/// Namespace of XAIP, the same for all versions.
pub const XAIP: &str = "http://www.bsi.bund.de/tr-esor/xaip";
/// XML Signature, of which the canonical form's name comes.
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// OASIS DSS core 1.0.
pub const DSS: &str = "urn:oasis:names:tc:dss:1.0:core:schema";
/// ASiC (ETSI TS 102 918), of which LXAIP takes its references to files.
pub const ASIC: &str = "http://uri.etsi.org/02918/v1.2.1#";

/// Why a package cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no well-formed XML, or exceeds every measure.
    #[error("the package cannot be read: {0}")]
    Xml(#[from] xml::Error),
    /// It is no XAIP, or one whose parts contradict one another.
    #[error("the package is no XAIP: {0}")]
    Form(&'static str),
    /// Its content, or a file beside it, cannot be read.
    #[error("the package cannot be read")]
    Io(#[from] std::io::Error),
    /// OpenSSL does not do what is asked of it.
    #[error("the package cannot be hashed")]
    Seal(#[from] seal::Error),
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Xml(error) => error.code(),
            Error::Form(_) => "archive.no-xaip",
            Error::Io(_) => "archive.unreadable",
            Error::Seal(error) => error.code(),
        }
    }
}

impl From<soap::Error> for Error {
    fn from(_: soap::Error) -> Self {
        Error::Form("content is not base64")
    }
}

/// Longest identifier that is kept, in bytes.
pub(crate) const MOST_ID: usize = 500;

/// How a XAIP is read: base64 comes in pieces of any length, and identifiers are many.
pub(crate) fn limits() -> xml::Limits {
    xml::Limits { attribute_bytes: 1 << 20, ..xml::Limits::default() }
}
