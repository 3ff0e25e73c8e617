//! What may be in the way of a scan, by what is done about it.

use std::io::{self, ErrorKind};

use model::{Failure, FailureKind};
use rustix::io::Errno;

/// What is in the way.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file cannot be taken in as it is: it goes to `error`. The words stand beside it there and nowhere else.
    File {
        /// Code with a page of its own.
        code: &'static str,
        /// Words for whoever looks at the file.
        why: String,
    },
    /// Something broke off that may work the next time.
    BrokeOff {
        /// Code with a page of its own.
        code: &'static str,
    },
    /// Somebody still writes to the file.
    Unready,
    /// Not this file's fault: the session ends.
    Session(Failure),
}

impl Trouble {
    /// The file cannot be taken.
    pub(super) fn file(code: &'static str, why: impl Into<String>) -> Self {
        Trouble::File { code, why: why.into() }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Session(failure)
    }
}

/// What fails with one file keeps none of the others waiting.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if is_of_all(&error) {
            return Trouble::Session(folder(&error));
        }
        Trouble::BrokeOff { code: "post.scan-folder" }
    }
}

/// Whether any other file would fare the same: the disk is full or gone, or the process has no more of something.
pub(super) fn is_of_all(error: &io::Error) -> bool {
    let is_kind = matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StaleNetworkFileHandle
            | ErrorKind::NotConnected
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
            | ErrorKind::OutOfMemory
    );
    is_kind || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::HOSTDOWN))
}

/// The folder cannot be worked in.
pub(super) fn folder(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Transient, "post.scan-folder", error.kind().to_string())
}

/// The settings cannot be used.
pub(super) fn settings(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Permanent, "post.scan-settings", why)
}

/// Runs what blocks on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let broken = |_| Failure::new(FailureKind::Transient, "post.scan-folder", "the work was broken off");
    tokio::task::spawn_blocking(work).await.map_err(broken)
}
