//! The one error type of this crate. No text holds a value: neither SQL messages nor parameters are ever quoted.

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such row, or the scope does not cover it: the two are never told apart.
    #[error("there is no such {what}")]
    NotFound {
        /// Kind of row.
        what: &'static str,
    },
    /// The content was erased; only its digests are left.
    #[error("the content was erased")]
    Erased,
    /// A precondition of a unit of work did not hold; nothing of the unit was written.
    #[error("the {what} is not as the unit of work expects it")]
    Conflict {
        /// Kind of row whose precondition failed, such as `dedup`, `record`, `message`, `job`.
        what: &'static str,
    },
    /// The database is locked or under too much contention: try again.
    #[error("the database is busy")]
    Busy,
    /// The disk, or a quota on it, is full: nothing of what was to be written is kept.
    #[error("the disk is full")]
    DiskFull,
    /// The database cannot be reached: try again.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The connection was lost while committing: nobody knows whether the unit was written. It may be committed again;
    /// preconditions and ids keep it from taking effect twice.
    #[error("the outcome of the commit is unknown")]
    Uncertain,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Stored bytes or rows are not what was written.
    #[error("the stored {what} is damaged")]
    Corrupt {
        /// What is damaged, such as `payload` or `record`.
        what: &'static str,
    },
    /// A text holds the character U+0000, which PostgreSQL cannot keep.
    #[error("a text holds the character U+0000")]
    Nul,
    /// The database belongs to a newer version of the gateway.
    #[error("the database has schema {found}, this version knows up to {known}")]
    NewerSchema {
        /// Version of the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A backup is restored into an empty database only.
    #[error("there is a database already, and it is not empty")]
    NotEmpty,
    /// A setting of the database would lose acknowledged data.
    #[error("the database setting {setting} would lose acknowledged data")]
    UnsafeSetting {
        /// Name of the setting.
        setting: &'static str,
    },
    /// The configuration does not name a usable database or folder.
    #[error("the store's configuration is not usable: {what}")]
    Config {
        /// Which part.
        what: &'static str,
    },
    /// A file operation on payload segments failed.
    #[error("a file operation failed: {0}")]
    Io(std::io::Error),
    /// The database refused a statement.
    #[error("the database failed with code {code}")]
    Database {
        /// SQLSTATE, or SQLite's extended result code; `-` if it gave none.
        code: String,
    },
    /// Sealing, opening or signing failed.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A value cannot be expressed as JSON.
    #[error("a value cannot be expressed as JSON")]
    Json,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "store.not-found",
            Error::Erased => "store.erased",
            Error::Conflict { .. } => "store.conflict",
            Error::Busy => "store.busy",
            Error::DiskFull => "store.disk-full",
            Error::Unavailable => "store.unavailable",
            Error::Uncertain => "store.uncertain",
            Error::Closed => "store.closed",
            Error::Corrupt { .. } => "store.corrupt",
            Error::Nul => "store.nul",
            Error::NewerSchema { .. } => "store.newer-schema",
            Error::NotEmpty => "store.not-empty",
            Error::UnsafeSetting { .. } => "store.unsafe-setting",
            Error::Config { .. } => "store.config",
            Error::Io(_) => "store.io",
            Error::Database { .. } => "store.database",
            Error::Seal(error) => error.code(),
            Error::Json => "store.json",
        }
    }

    /// Whether the same call may succeed later without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Busy | Error::DiskFull | Error::Unavailable | Error::Uncertain)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Error::DiskFull,
            _ => Error::Io(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    /// Keeps the code alone: messages and details of databases quote values.
    fn from(error: sqlx::Error) -> Self {
        let database = match &error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => {
                return Error::Unavailable;
            }
            sqlx::Error::PoolClosed => return Error::Closed,
            sqlx::Error::Configuration(_) => return Error::Config { what: "database" },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                return Error::Corrupt { what: "row" };
            }
            _ => return Error::Database { code: "-".to_owned() },
        };
        let code = database.code().unwrap_or_default().into_owned();
        match code.as_str() {
            // PostgreSQL: serialization failure, deadlock. SQLite: BUSY, LOCKED and their extended codes.
            "40001" | "40P01" | "5" | "6" | "261" | "262" | "517" => Error::Busy,
            // PostgreSQL: disk full. SQLite: FULL.
            "53100" | "13" => Error::DiskFull,
            // PostgreSQL: shutting down, starting, too many connections.
            "57P01" | "57P02" | "57P03" | "53300" => Error::Unavailable,
            "3D000" | "28000" | "28P01" => Error::Config { what: "database" },
            _ => Error::Database { code },
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(_: serde_json::Error) -> Self {
        Error::Json
    }
}

/// Stops the process because a sync or a commit failed: what the kernel holds of the file is unknown from here on, and
/// trying again could acknowledge what is not on the disk. The only place of the store that does so.
pub(crate) fn stop_the_process(what: &str, code: &str) -> ! {
    tracing::error!(what, code, "the disk did not take what must be durable: the process stops");
    std::process::abort()
}
