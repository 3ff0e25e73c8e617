//! What some in the field write against the letter of the schema, and still is understood: an identifier without its scheme, a qualifier
//! without scenario, an element without its id. It is read all the same, since whose it is may be known only afterwards; then it is judged.

use std::cell::Cell;

use crate::{Error, Result};

/// How exactly a request must follow the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// To the letter.
    Strict,
    /// As some in the field write it.
    Lenient,
}

/// What was read against the letter of the schema: the first of it.
#[derive(Debug, Default)]
pub(crate) struct Deviations(Cell<Option<&'static str>>);

impl Deviations {
    /// Notes what is wrong.
    pub(crate) fn note(&self, rule: &'static str) {
        self.0.set(self.0.get().or(Some(rule)));
    }

    /// Refuses what the rules do not allow.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub(crate) fn judge(&self, rules: Rules) -> Result<()> {
        match (self.0.get(), rules) {
            (Some(rule), Rules::Strict) => Err(Error::Malformed(rule)),
            _ => Ok(()),
        }
    }
}
