//! `kind = "portal"`: documents and notices lie on the citizens' pages of the gateway itself (`[citizen]`) until they are fetched.

use serde::{Deserialize, Serialize};

use super::Refers;

/// The citizens' pages. It has no keys of its own.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Portal {}

impl Portal {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        Refers::default()
    }
}
