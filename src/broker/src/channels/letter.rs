//! A piece of post is taken in: into the case that it names for sure, else onto the desk of a unit with proposals.

use model::letter::{Letter, TakenIn};

use super::host::Session;
use crate::Error;

impl Session {
    pub(super) async fn take_letter(&self, letter: Letter) -> Result<TakenIn, Error> {
        let _ = letter;
        Err(model::Error::Invalid { field: "letter" }.into())
    }
}
