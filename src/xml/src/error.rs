//! What can be wrong with a document. Texts name lines and rules, never the content.

use std::io;

/// In place of a line that only the reader knows: counting lines ahead of errors costs time.
pub(crate) const HERE: u64 = 0;

/// Why reading or writing stopped. After an error the reader yields nothing more of the document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source or sink failed.
    #[error("input or output failed: {0}")]
    Io(#[from] io::Error),
    /// A document type declaration, in any form.
    #[error("line {line}: a DOCTYPE is not accepted")]
    Doctype {
        /// Line, from 1.
        line: u64,
    },
    /// Not UTF-8, or declared as something else.
    #[error("line {line}: the only accepted encoding is UTF-8")]
    Encoding {
        /// Line, from 1.
        line: u64,
    },
    /// A character outside XML 1.0 section 2.2, literally or by reference.
    #[error("line {line}: a character that XML 1.0 does not allow")]
    Character {
        /// Line, from 1.
        line: u64,
    },
    /// A reference to an entity other than the five predefined ones, or a bare `&`.
    #[error("line {line}: only the five predefined entities are accepted")]
    Entity {
        /// Line, from 1.
        line: u64,
    },
    /// Not well-formed.
    #[error("line {line}: not well-formed: {rule}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// Against Namespaces in XML 1.0.
    #[error("line {line}: {rule}")]
    Namespace {
        /// Line, from 1.
        line: u64,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The document ends before its root element does.
    #[error("line {line}: the document ends inside an element")]
    Truncated {
        /// Line, from 1.
        line: u64,
    },
    /// One of [`crate::Limits`] is exceeded.
    #[error("line {line}: too large: {limit}")]
    Limit {
        /// Line, from 1.
        line: u64,
        /// The limit that is exceeded.
        limit: &'static str,
    },
    /// An element where only text may stand.
    #[error("line {line}: an element where only text is expected")]
    UnexpectedElement {
        /// Line, from 1.
        line: u64,
    },
    /// A text that is not a value of the named XML Schema type.
    #[error("not a valid {expected}")]
    Value {
        /// Name of the type, such as `xs:date`.
        expected: &'static str,
    },
    /// The caller asked the writer for something that is not XML.
    #[error("cannot be written as XML: {rule}")]
    Write {
        /// The rule that is broken.
        rule: &'static str,
    },
}

impl Error {
    /// The stable code; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "xml.io",
            Self::Doctype { .. } => "xml.doctype",
            Self::Encoding { .. } => "xml.encoding",
            Self::Character { .. } => "xml.character",
            Self::Entity { .. } => "xml.entity",
            Self::Syntax { .. } => "xml.syntax",
            Self::Namespace { .. } => "xml.namespace",
            Self::Truncated { .. } => "xml.truncated",
            Self::Limit { .. } => "xml.limit",
            Self::UnexpectedElement { .. } => "xml.unexpected-element",
            Self::Value { .. } => "xml.value",
            Self::Write { .. } => "xml.write",
        }
    }

    /// The line of the document, from 1, where there is one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Io(_) | Self::Value { .. } | Self::Write { .. } => None,
            Self::Doctype { line }
            | Self::Encoding { line }
            | Self::Character { line }
            | Self::Entity { line }
            | Self::Syntax { line, .. }
            | Self::Namespace { line, .. }
            | Self::Truncated { line }
            | Self::Limit { line, .. }
            | Self::UnexpectedElement { line } => Some(*line),
        }
    }

    /// Puts the line in where it is still [`HERE`].
    pub(crate) fn at(mut self, here: u64) -> Self {
        match &mut self {
            Self::Io(_) | Self::Value { .. } | Self::Write { .. } => {}
            Self::Doctype { line }
            | Self::Encoding { line }
            | Self::Character { line }
            | Self::Entity { line }
            | Self::Syntax { line, .. }
            | Self::Namespace { line, .. }
            | Self::Truncated { line }
            | Self::Limit { line, .. }
            | Self::UnexpectedElement { line } => {
                if *line == HERE {
                    *line = here;
                }
            }
        }
        self
    }
}
