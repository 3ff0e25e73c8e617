//! The one error type of this crate. No text quotes a foreign system, an address or a value.

use model::{Failure, FailureKind};

/// Why a call did not lead to an answer.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An egress rule is neither `host`, `host:port`, an address nor a network.
    #[error("the egress rule at place {place} is neither a host, host:port nor a network")]
    Rule {
        /// Its place in the list, from 1.
        place: usize,
    },
    /// The TLS library could not be set up.
    #[error("TLS cannot be set up")]
    Setup,
    /// A key pair cannot be used for TLS: key and certificate are no pair, or too weak.
    #[error("the key pair cannot be used for TLS")]
    Identity,
    /// Not an absolute `http` or `https` URL with a host, or one with credentials.
    #[error("the address to call is not an http or https URL without credentials")]
    Url,
    /// A header field that HTTP cannot carry, or that the client sets itself.
    #[error("a header field cannot be sent")]
    Header,
    /// Plain HTTP to a host that is not on the allow-list.
    #[error("plain HTTP is spoken with listed hosts only")]
    PlainHttp,
    /// A line without TLS would leave the machine.
    #[error("a line without TLS may only lead to the same machine")]
    PlainLine,
    /// The egress rules forbid the address.
    #[error("the egress rules forbid the address")]
    Forbidden,
    /// No name, no connection, no connection in time. Nothing was sent.
    #[error("the host cannot be reached")]
    Unreachable,
    /// No TLS connection: certificate, name, version. Nothing was sent.
    #[error("no TLS connection could be made with the host")]
    Tls,
    /// Something may have been sent, and no whole answer came in time.
    #[error("no whole answer came")]
    NoAnswer,
    /// The answer has more bytes than are read.
    #[error("the answer is larger than what is read")]
    AnswerTooLarge,
    /// Our own source of the request's body failed; the other side saw part of it at most.
    #[error("the body of the request could not be read")]
    Body,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Rule { .. } => "net.rule",
            Error::Setup => "net.setup",
            Error::Identity => "net.identity",
            Error::Url => "net.url",
            Error::Header => "net.header",
            Error::PlainHttp => "net.plain-http",
            Error::PlainLine => "net.plain-line",
            Error::Forbidden => "net.forbidden",
            Error::Unreachable => "net.unreachable",
            Error::Tls => "net.tls",
            Error::NoAnswer => "net.no-answer",
            Error::AnswerTooLarge => "net.answer-too-large",
            Error::Body => "net.body",
        }
    }

    /// What may be done about it: try again only if nothing can have been sent.
    pub fn kind(&self) -> FailureKind {
        match self {
            Error::Unreachable | Error::Tls => FailureKind::Transient,
            Error::NoAnswer | Error::AnswerTooLarge | Error::Body => FailureKind::Uncertain,
            Error::Rule { .. }
            | Error::Setup
            | Error::Identity
            | Error::Url
            | Error::Header
            | Error::PlainHttp
            | Error::PlainLine
            | Error::Forbidden => FailureKind::Permanent,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::new(error.kind(), error.code(), error.to_string())
    }
}
