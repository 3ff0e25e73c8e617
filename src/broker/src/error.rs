//! Why the broker did not do what it was asked.

use model::{Failure, FailureKind};

/// Why the broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule of the case model refuses.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The store failed or a precondition did not hold.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Evidence could not be sealed or written.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A standard or directory failed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The idempotency key was used for something else.
    #[error("the key was used for another request")]
    KeyReused,
    /// The message's own id was used with other bytes.
    #[error("this message id was used with other content")]
    IdReused,
    /// More bytes than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body broke off.
    #[error("the body ended early")]
    Interrupted,
    /// The bytes do not have the digest that the sender announced.
    #[error("the content does not have the announced digest")]
    DigestMismatch,
    /// No directory knows the authority.
    #[error("no directory knows this authority")]
    UnknownAuthority,
    /// The recipient reads no version that can be written.
    #[error("the recipient reads no version of a standard that can be written")]
    NoCommonStandard,
    /// The caller acts for no authority, so it has no mailbox.
    #[error("the token belongs to no authority")]
    NoAuthority,
    /// The unit is not one of the tenant's.
    #[error("there is no such unit")]
    UnknownUnit,
    /// An inbox entry is not the caller's to confirm or return (any more).
    #[error("the lease of the inbox entry is not the caller's or has run out")]
    NotLeased,
    /// The token has as many subscriptions as it may have.
    #[error("the token has too many subscriptions")]
    TooManySubscriptions,
    /// A content has been erased or quarantined.
    #[error("the content is not available")]
    ContentUnavailable,
    /// A thread of the gateway ended unexpectedly.
    #[error("an internal task ended unexpectedly")]
    Internal,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Error::Model(error) => error.code(),
            Error::Store(error) => error.code(),
            Error::Seal(error) => error.code(),
            Error::Failure(failure) => &failure.code,
            Error::KeyReused => "broker.key-reused",
            Error::IdReused => "broker.id-reused",
            Error::TooLarge { .. } => "broker.too-large",
            Error::Interrupted => "broker.interrupted",
            Error::DigestMismatch => "broker.digest-mismatch",
            Error::UnknownAuthority => "broker.unknown-authority",
            Error::NoCommonStandard => "broker.no-common-standard",
            Error::NoAuthority => "broker.no-authority",
            Error::UnknownUnit => "broker.unknown-unit",
            Error::NotLeased => "broker.not-leased",
            Error::TooManySubscriptions => "webhook.too-many",
            Error::ContentUnavailable => "broker.content-unavailable",
            Error::Internal => "broker.internal",
        }
    }

    /// Whether a precondition named `what` did not hold, that is: somebody else was quicker.
    pub(crate) fn is_conflict(&self, what: &str) -> bool {
        matches!(self, Error::Store(store::Error::Conflict { what: lost }) if *lost == what)
    }

    /// How the worker treats it.
    pub(crate) fn into_failure(self) -> Failure {
        let kind = match &self {
            Error::Failure(failure) => return failure.clone(),
            Error::Store(store::Error::Conflict { .. }) | Error::Interrupted | Error::Internal => {
                FailureKind::Transient
            }
            Error::Store(error) if error.is_transient() => FailureKind::Transient,
            _ => FailureKind::Permanent,
        };
        let code = self.code().to_owned();
        Failure { kind, code: code.into(), detail: self.to_string(), retry_after: None }
    }
}
