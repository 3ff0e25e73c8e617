//! Why somebody is not who a token or a provider says.

/// Why somebody is not recognised. Nothing of a token or an answer is told, only which rule it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a token that could be verified here.
    #[error("the token is not one that is taken here")]
    Malformed,
    /// An algorithm that is not allowed.
    #[error("the token is signed by an algorithm that is not allowed")]
    Algorithm,
    /// No key of the issuer signed it.
    #[error("no key of the issuer signed the token")]
    Signature,
    /// Made by somebody else.
    #[error("the token or the answer comes from another issuer")]
    Issuer,
    /// Made for somebody else.
    #[error("the token is for somebody else")]
    Audience,
    /// Over, or not valid yet.
    #[error("the token is over, or not valid yet")]
    Time,
    /// Not of the kind that is wanted here.
    #[error("the token is of another kind")]
    Kind,
    /// The client is not one of those that the configuration names.
    #[error("the client is unknown")]
    Client,
    /// The token is bound to another certificate, or has to be bound and is not.
    #[error("the token is bound to another certificate, or to none")]
    Binding,
    /// The answer does not belong to the sign-in that this browser began.
    #[error("the answer belongs to another sign-in")]
    State,
    /// The provider says that nobody was signed in.
    #[error("the provider refused the sign-in")]
    Refused,
    /// The provider cannot be reached, or does not answer as it should.
    #[error("the provider cannot be asked")]
    Unreachable,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(self) -> &'static str {
        match self {
            Error::Malformed => "identity.malformed",
            Error::Algorithm => "identity.algorithm",
            Error::Signature => "identity.signature",
            Error::Issuer => "identity.issuer",
            Error::Audience => "identity.audience",
            Error::Time => "identity.time",
            Error::Kind => "identity.kind",
            Error::Client => "identity.client",
            Error::Binding => "identity.binding",
            Error::State => "identity.state",
            Error::Refused => "identity.refused",
            Error::Unreachable => "identity.unreachable",
        }
    }
}

impl From<seal::Error> for Error {
    fn from(error: seal::Error) -> Self {
        match error {
            seal::Error::AlgorithmForbidden => Error::Algorithm,
            seal::Error::JoseSignature => Error::Signature,
            _ => Error::Malformed,
        }
    }
}
