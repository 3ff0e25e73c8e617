//! Who calls, by `api_key`, and how often. Keys are known by their digest alone; all are compared, each in the same time. Calls are counted in
//! memory of a fixed size: one counter for each key, one for all who have none. What a call makes the records' database do counts, too.

use std::sync::{Mutex, PoisonError};

use model::Timestamp;
use seal::mac::is_same;
use seal::sha256;

use super::Refusal;
use crate::settings::Key;

/// How long is counted, in microseconds.
const WINDOW: i64 = 60_000_000;

/// All keys with their counters; the last counter is that of callers without a key.
pub(crate) struct Keys {
    keys: Vec<Key>,
    reads_per_minute: u32,
    counted: Mutex<Counted>,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counter {
    at: usize,
    /// Whether that is an app whose key is known.
    pub(crate) is_known: bool,
}

struct Counted {
    since: Timestamp,
    calls: Vec<u32>,
}

impl Keys {
    pub(crate) fn new(keys: Vec<Key>, reads_per_minute: u32) -> Self {
        let counted = Counted { since: Timestamp::default(), calls: vec![0; keys.len() + 1] };
        Keys { keys, reads_per_minute, counted: Mutex::new(counted) }
    }

    /// The name of the app whose key that is, and its counter.
    ///
    /// # Errors
    /// 403 if it is nobody's, 429 if it calls too often.
    pub(crate) fn known(&self, key: Option<&str>, now: Timestamp) -> Result<(&str, Counter), Refusal> {
        let Some(key) = key else {
            self.count(self.keys.len(), self.reads_per_minute, now)?;
            return Err(Refusal::new(403, "api_key is missing"));
        };
        let digest = sha256(&[key.as_bytes()]);
        let mut found = None;
        for (at, known) in self.keys.iter().enumerate() {
            if is_same(&known.digest.0, &digest.0) {
                found = Some((at, known));
            }
        }
        let Some((at, known)) = found else {
            // Guessing is counted, too.
            self.count(self.keys.len(), self.reads_per_minute, now)?;
            return Err(Refusal::new(403, "api_key is not known"));
        };
        self.count(at, known.per_minute, now)?;
        Ok((&known.name, Counter { at, is_known: true }))
    }

    /// Lets somebody read who needs no key; a key that is known counts for itself.
    ///
    /// # Errors
    /// 429.
    pub(crate) fn reads(&self, key: Option<&str>, now: Timestamp) -> Result<Counter, Refusal> {
        if key.is_some() {
            return self.known(key, now).map(|(_, counter)| counter);
        }
        let at = self.keys.len();
        self.count(at, self.reads_per_minute, now)?;
        Ok(Counter { at, is_known: false })
    }

    /// Counts a call as so many more, for what it cost.
    pub(crate) fn cost(&self, counter: Counter, calls: usize) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = counted.calls.get_mut(counter.at) else { return };
        *known = known.saturating_add(u32::try_from(calls).unwrap_or(u32::MAX));
    }

    fn count(&self, place: usize, most: u32, now: Timestamp) -> Result<(), Refusal> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if now.micros().saturating_sub(counted.since.micros()) >= WINDOW {
            counted.since = now;
            counted.calls.fill(0);
        }
        let Some(calls) = counted.calls.get_mut(place) else { return Ok(()) };
        *calls = calls.saturating_add(1);
        if *calls <= most { Ok(()) } else { Err(Refusal::new(429, "too many calls: try again in a minute")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_and_may_call_so_often() {
        let key = |name: &str| Key {
            name: name.into(),
            digest: sha256(&[format!("{name}-key").as_bytes()]),
            per_minute: 2,
        };
        let keys = Keys::new(vec![key("a"), key("b")], 3);
        let now = Timestamp::from_micros(WINDOW);
        assert_eq!(keys.known(Some("b-key"), now).unwrap().0, "b");
        assert_eq!(keys.known(Some("wrong"), now).unwrap_err().status, 403);
        assert_eq!(keys.known(None, now).unwrap_err().status, 403);
        assert_eq!(keys.known(Some("b-key"), now).unwrap().0, "b");
        assert_eq!(keys.known(Some("b-key"), now).unwrap_err().status, 429);
        assert_eq!(keys.known(Some("a-key"), now).unwrap().0, "a", "one does not count for another");
        keys.reads(None, now).unwrap();
        assert_eq!(keys.reads(None, now).unwrap_err().status, 429);
        assert_eq!(keys.known(Some("wrong"), now).unwrap_err().status, 429);
        let later = Timestamp::from_micros(2 * WINDOW);
        let nobody = keys.reads(None, later).unwrap();
        assert!(!nobody.is_known);
        keys.cost(nobody, 2);
        assert_eq!(keys.reads(None, later).unwrap_err().status, 429, "what costs much counts for more");
    }
}
