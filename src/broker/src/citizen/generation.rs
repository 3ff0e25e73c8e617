//! Which secret of a case is good: a generation that is counted up when access is revoked. Secret, sessions and links are made with its
//! number, so that all of them end with it.

use model::{Id, Timestamp};
use serde_json::{Value, json};
use store::Work;

use super::PLACE;
use crate::{Broker, Error};

/// The generation of a case that nobody has revoked anything of.
pub(super) const FIRST: u64 = 1;

/// The generation of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    /// Its number.
    pub(super) number: u64,
    /// Since when it is the one.
    pub(super) since: Timestamp,
}

impl Generation {
    /// The one after it.
    pub(super) fn next(self, now: Timestamp) -> Self {
        Generation { number: self.number + 1, since: now }
    }

    /// The number that something was made with at this time: if that is over, any that is over.
    pub(super) fn at(self, made: Timestamp) -> u64 {
        if made < self.since { self.number - 1 } else { self.number }
    }

    /// Keeps it as that of a case.
    pub(super) fn keep(self, work: &mut Work, tenant: &str, case: Id) {
        let value = json!({ "number": self.number, "since": self.since });
        work.set_adapter_state(tenant, PLACE, &key(case), &value);
    }

    /// As it is kept; before there was a time of it, as a number alone.
    fn read(kept: &Value) -> Option<Self> {
        let number = kept.as_u64().or_else(|| kept["number"].as_u64())?;
        let since = serde_json::from_value(kept["since"].clone()).unwrap_or_default();
        Some(Generation { number, since })
    }
}

impl Broker {
    /// The generation of a case, which there need not be.
    pub(super) async fn generation(&self, tenant: &str, case: Id) -> Result<Generation, Error> {
        let first = Generation { number: FIRST, since: Timestamp::default() };
        let kept = self.store().adapter_state(tenant, PLACE, &key(case)).await?;
        Ok(kept.as_ref().and_then(Generation::read).unwrap_or(first))
    }
}

fn key(case: Id) -> String {
    format!("generation:{case}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_a_generation_is_of_another() {
        let at = Timestamp::from_micros;
        let second = Generation { number: FIRST, since: at(0) }.next(at(100));
        assert_eq!([0, 99, 100, 200].map(|made| second.at(at(made))), [1, 1, 2, 2]);
        assert_eq!(Generation::read(&json!(4)), Some(Generation { number: 4, since: at(0) }));
        assert_eq!(Generation::read(&json!({ "number": 2, "since": at(100) })), Some(second));
        assert_eq!(Generation::read(&json!("x")), None);
    }
}
