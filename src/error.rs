//! Why a command did not do what it was asked: a stable code, one sentence in English and German, and
//! an exit code.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done; nothing was found |
//! | 1 | something was found, or the gateway refused |
//! | 2 | the command line or a file that it names cannot be read |
//! | 3 | the configuration, the store, a key or an address is not available |

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The broker refused or failed.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] seal::Error),
    /// The egress rules cannot be read, or TLS is not to be had.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A message of OSCI-Transport cannot be read.
    #[error(transparent)]
    Osci(#[from] osci::Error),
    /// A schema pack cannot be used.
    #[error(transparent)]
    Schemas(#[from] schemas::Error),
    /// A standard failed.
    #[error("{}", .0.detail)]
    Standard(#[from] model::Failure),
    /// A file cannot be read or written.
    #[error("{file}: {reason}")]
    File {
        /// The file named.
        file: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file is there already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// Somebody else makes this backup already.
    #[error("another backup is being made in {0}")]
    BackupUnderWay(PathBuf),
    /// A backup was changed, or is none.
    #[error("{0}")]
    BackupDamaged(String),
    /// A backup cannot be opened with the keys that are configured.
    #[error("the keys that this backup needs are not where the configuration names them")]
    BackupKeys,
    /// A message of another standard than xdomea was to be converted.
    #[error("this is no message of xdomea")]
    NotConvertible,
    /// What a conversion made would be refused by whoever gets it.
    #[error("the converted message is not valid; nothing was written")]
    ResultRefused,
    /// What was given on the command line does not fit.
    #[error("{0}")]
    Usage(String),
    /// Somebody else listens there, or the address is not this machine's.
    #[error("{address}: {reason}")]
    Address {
        /// The address configured.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The machine's clock stands before the first release.
    #[error("the clock of this machine says {0}")]
    Clock(model::Timestamp),
    /// The system refuses what every program needs.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A self-test failed.
    #[error("{0} failed")]
    Selftest(&'static str),
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub(crate) fn code(&self) -> &str {
        match self {
            Error::Config(error) => error.code(),
            Error::Broker(error) => error.code(),
            Error::Store(error) => error.code(),
            Error::Key(error) => error.code(),
            Error::Net(error) => error.code(),
            Error::Osci(error) => error.code(),
            Error::Schemas(error) => error.code(),
            Error::Standard(failure) => &failure.code,
            Error::File { .. } => "cli.file",
            Error::Exists(_) => "cli.exists",
            Error::BackupUnderWay(_) => "backup.under-way",
            Error::BackupDamaged(_) => "backup.damaged",
            Error::BackupKeys => "backup.keys-missing",
            Error::NotConvertible => "cli.not-convertible",
            Error::ResultRefused => "cli.result-refused",
            Error::Usage(_) => "cli.usage",
            Error::Address { .. } => "cli.address",
            Error::Clock(_) => "cli.clock",
            Error::System(_) => "cli.system",
            Error::Selftest(_) => "cli.selftest",
        }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Error::File { .. } | Error::Exists(_) | Error::NotConvertible | Error::Usage(_) => 2,
            Error::BackupUnderWay(_) => 2,
            Error::Config(_)
            | Error::Net(_)
            | Error::Store(_)
            | Error::Key(_)
            | Error::Broker(broker::Error::Store(_)) => 3,
            Error::Address { .. } | Error::Clock(_) | Error::System(_) | Error::BackupKeys => 3,
            _ => 1,
        }
        .into()
    }

    /// Says it on standard error: what happened here, then what the code means in both languages.
    pub(crate) fn report(&self, as_json: bool) {
        let code = self.code();
        let sentence = model::catalog::sentence(code);
        let mut err = io::stderr().lock();
        // With standard error closed there is nobody left to tell.
        let _ = if as_json {
            let (en, de) = sentence.map(|sentence| (&sentence.en, &sentence.de)).unzip();
            writeln!(err, "{}", json!({ "code": code, "detail": self.to_string(), "en": en, "de": de }))
        } else {
            let sentences = sentence.map_or(String::new(), |text| format!("\n  {}\n  {}", text.de, text.en));
            writeln!(err, "amtsbote: {self} [{code}]{sentences}")
        };
    }
}
