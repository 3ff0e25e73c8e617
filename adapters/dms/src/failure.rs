//! What goes wrong with a document management system; each code has a page under `docs/errors`. No text quotes the other side.

use model::{Failure, FailureKind};

/// Both sides changed the same since they last agreed.
pub const CONFLICT: &str = "dms.conflict";

/// Both sides changed the same.
pub(crate) fn conflict() -> Failure {
    Failure::permanent(CONFLICT, "both sides changed the same since they last agreed")
}

/// A later version of ours is there already.
pub(crate) fn newer_there() -> Failure {
    Failure::permanent("dms.newer-version", "a later version of the document is there already")
}

/// What was put there is not there any more.
pub(crate) fn gone() -> Failure {
    Failure::permanent("dms.gone", "what was put there is not there any more")
}

/// The folder has others of every name that was tried.
pub(crate) fn name_taken() -> Failure {
    Failure::permanent("dms.name-taken", "the folder has others of every name that was tried")
}

/// The answer is not what was agreed.
pub(crate) fn not_understood(what: &'static str) -> Failure {
    Failure::new(FailureKind::Transient, "dms.not-understood", what)
}

/// Our account may not do this.
pub(crate) fn unauthorised() -> Failure {
    Failure::new(FailureKind::Unauthorised, "dms.unauthorised", "the account may not do this")
}

/// It cannot work at the moment.
pub(crate) fn unavailable() -> Failure {
    Failure::transient("dms.unavailable", "the system cannot work at the moment")
}

/// It refuses what was asked of it.
pub(crate) fn refused(why: &'static str) -> Failure {
    Failure::permanent("dms.refused", why)
}

/// Somebody is working on the document.
pub(crate) fn checked_out() -> Failure {
    Failure::transient("dms.checked-out", "somebody has checked the document out")
}

/// Something that the gateway needs is not there or set up otherwise.
pub(crate) fn setup(what: impl Into<String>) -> Failure {
    Failure::permanent("dms.setup", what)
}

/// A folder that containers are put into or taken from cannot be used.
pub(crate) fn folder(what: &'static str) -> Failure {
    Failure::transient("dms.folder", what)
}

/// The system has not taken an earlier container of the same name.
pub(crate) fn not_taken_yet() -> Failure {
    Failure::transient("dms.folder-full", "an earlier container of this name is still in the folder")
}
