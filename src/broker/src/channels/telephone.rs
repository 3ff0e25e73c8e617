//! Who calls, as far as whoever asks may know: looked up by the number alone. The number is what the caller shows, so it is a hint to a
//! person, and nothing that anything is decided by.

use model::record::{CALL, PHONE};
use model::rights::Action;
use model::{Caller, Record};

use crate::{Broker, Error};

/// Cases and calls that are given, at most.
const MOST: u32 = 10;

/// What is known of a number within somebody's scope, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNumber {
    /// Cases and case files with a party who has it.
    pub cases: Vec<Record>,
    /// Calls from it and to it.
    pub calls: Vec<Record>,
}

impl Broker {
    /// What is known of a number, by E.164.
    ///
    /// # Errors
    /// If the caller may not read cases.
    pub async fn known_number(&self, caller: &Caller, number: &str) -> Result<KnownNumber, Error> {
        let scope = caller.may(Action::ReadCases)?;
        let cases = self.store().newest_named(scope, (PHONE, number), MOST).await?;
        let calls = self.store().newest_named(scope, (CALL, number), MOST).await?;
        Ok(KnownNumber { cases, calls })
    }
}
