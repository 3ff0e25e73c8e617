//! Tokens that were recognised a moment ago: a system that sends much is not looked up in the store for each
//! request.

use std::collections::HashMap;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use model::{Caller, Timestamp};

/// How long a token is taken for what it was. A token that another node or the command line revokes ends so much
/// later here.
const FOR: Duration = Duration::from_secs(1);

/// Tokens remembered at once; an attacker's guesses are not among them.
const MOST: usize = 4_096;

/// Callers by the digest of their token.
#[derive(Default)]
pub(crate) struct Known(RwLock<HashMap<String, Recognised>>);

struct Recognised {
    at: Instant,
    ends: Option<Timestamp>,
    caller: Caller,
}

impl Known {
    /// The caller, if he was recognised a moment ago and his token has not ended since.
    pub(crate) fn caller(&self, hash: &str, now: Timestamp) -> Option<Caller> {
        let known = self.0.read().ok()?;
        let recognised = known.get(hash)?;
        let ended = recognised.ends.is_some_and(|end| end <= now);
        (recognised.at.elapsed() < FOR && !ended).then(|| recognised.caller.clone())
    }

    /// Remembers a caller whose token ends at `ends`.
    pub(crate) fn remember(&self, hash: String, caller: &Caller, ends: Option<Timestamp>) {
        let Ok(mut known) = self.0.write() else { return };
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(hash, Recognised { at: Instant::now(), ends, caller: caller.clone() });
    }

    /// Forgets everybody, because a token was revoked.
    pub(crate) fn forget(&self) {
        if let Ok(mut known) = self.0.write() {
            known.clear();
        }
    }
}
