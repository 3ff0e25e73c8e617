//! Looking for harmful content (virus check) in whatever comes in.

use std::io::Read;

use crate::Failure;

/// What a scanner says of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It knows nothing against it.
    Clean,
    /// It is harmful.
    Harmful,
}

/// Looks for harmful content.
pub trait Scanner: Send + Sync {
    /// Looks at a content of `length` bytes, as a stream. On a thread that may block.
    ///
    /// # Errors
    /// If nobody can say, and it must not be taken unseen.
    fn scan(&self, content: &mut dyn Read, length: u64) -> Result<Verdict, Failure>;
}
