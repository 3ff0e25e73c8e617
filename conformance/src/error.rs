//! What can go wrong with a suite itself, as against what a suite finds.

/// Errors of the suites, the simulators and the gateway that they start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer came: whether the request had an effect is unknown.
    #[error("no answer from the gateway: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// An answer came that the contract does not foresee here.
    #[error("{what}: unexpected answer {status} {code}")]
    Unexpected {
        /// What was asked.
        what: String,
        /// HTTP status.
        status: u16,
        /// Stable code of the problem, or empty.
        code: String,
    },
    /// Something did not come about in time.
    #[error("not in time: {0}")]
    Late(String),
    /// Something is not as it has to be.
    #[error("not so: {0}")]
    Unverified(String),
    /// The gateway did not start, or ended by itself.
    #[error("the gateway did not start: {0}")]
    Start(String),
    /// A program that the suite needs is missing or failed.
    #[error("{tool}: {detail}")]
    Tool {
        /// Name of the program.
        tool: &'static str,
        /// What it said.
        detail: String,
    },
    /// A file or process could not be used.
    #[error("input or output: {0}")]
    Io(#[from] std::io::Error),
    /// The test database could not be created or dropped.
    #[error("test database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// Stable dotted code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unreachable(_) => "conformance.unreachable",
            Error::Unexpected { .. } => "conformance.unexpected",
            Error::Late(_) => "conformance.late",
            Error::Unverified(_) => "conformance.unverified",
            Error::Start(_) => "conformance.start",
            Error::Tool { .. } => "conformance.tool",
            Error::Io(_) => "conformance.io",
            Error::Database(_) => "conformance.database",
        }
    }
}
