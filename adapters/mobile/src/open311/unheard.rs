//! Reports that are under way or whose answer nobody may have heard, because the call ended too early or something of ours failed. An app
//! that has no name for its report sends the same words again then, and means the same report.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Id, Timestamp, ids};
use seal::Digest;

/// Reports that are remembered at most, the newest ones, and for how long.
const MOST: usize = 1_000;
const HELD: Duration = Duration::from_secs(3_600);

/// Such reports: what they say, under which name they are known, and since when.
#[derive(Default)]
pub(super) struct Unheard(Mutex<VecDeque<(Digest, Id, Timestamp)>>);

impl Unheard {
    /// The name of a report that says so: a new one, unless the same is under way, or was in vain.
    pub(super) fn name(&self, says: Digest, now: Timestamp) -> Id {
        let mut all = self.all();
        all.retain(|(_, _, since)| since.plus(HELD) > now);
        if let Some((_, name, _)) = all.iter().find(|(said, _, _)| *said == says) {
            return *name;
        }
        if all.len() >= MOST {
            all.pop_front();
        }
        let name = ids::new_id();
        all.push_back((says, name, now));
        name
    }

    /// A report that says so is answered: the next one is another.
    pub(super) fn heard(&self, says: Digest) {
        self.all().retain(|(said, _, _)| *said != says);
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(Digest, Id, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_the_same_report_until_they_are_answered() {
        let (unheard, now) = (Unheard::default(), Timestamp::default());
        let says = |what: usize| seal::sha256(&[what.to_string().as_bytes()]);
        let first = unheard.name(says(0), now);
        assert_eq!(unheard.name(says(0), now), first);
        assert_ne!(unheard.name(says(1), now), first);
        unheard.heard(says(0));
        let second = unheard.name(says(0), now);
        assert_ne!(second, first);
        assert_ne!(unheard.name(says(0), now.plus(HELD)), second);
        (2..5_000).for_each(|what| _ = unheard.name(says(what), now.plus(HELD)));
        assert_eq!(unheard.all().len(), MOST);
    }
}
