//! What can go wrong with an archive, by stable codes. Each has a page under `docs/errors`.

use std::io;

use model::{Failure, FailureKind};

/// The disk that packages are made on, or the folder that they go to.
pub(crate) fn io_failed(error: io::Error) -> Failure {
    Failure::transient("archive.disk", format!("a package cannot be written: {}", error.kind()))
}

/// Another attempt is at the same package.
pub(crate) fn being_packed() -> Failure {
    Failure::transient("archive.being-packed", "an earlier attempt is still making the package")
}

/// The message is nothing that can be packed.
pub(crate) fn not_understood(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Permanent, "archive.not-understood", detail)
}

/// A message that is no matter of archives, or an offer that nobody appraises.
pub(crate) fn not_for_archives(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Permanent, "archive.not-for-archives", detail)
}

/// The archive cannot be reached, or is busy: nothing was done.
pub(crate) fn unreachable(detail: impl Into<String>) -> Failure {
    Failure::transient("archive.unreachable", detail)
}

/// Our credentials, or the name under which the archive knows us, are wrong.
pub(crate) fn unauthorised(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unauthorised, "archive.unauthorised", detail)
}

/// The archive will not take it.
pub(crate) fn refused(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Rejected, "archive.refused", detail)
}

/// No whole answer to a submission: it may have arrived.
pub(crate) fn unclear(detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Uncertain, "archive.unclear", detail)
}

/// An answer that is not what was agreed.
pub(crate) fn garbage(acting: bool) -> Failure {
    let kind = if acting { FailureKind::Uncertain } else { FailureKind::Transient };
    Failure::new(kind, "archive.garbage", "the archive's answer is not what was agreed")
}
