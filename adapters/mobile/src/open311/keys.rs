//! Who calls, by `api_key`, and how often. Keys are known by their digest alone; all are compared, each in the same time. Calls are counted in
//! memory of a fixed size: one counter for each key, one for all who have none.

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

struct Counted {
    since: Timestamp,
    calls: Vec<u32>,
}

impl Keys {
    pub(crate) fn new(keys: Vec<Key>, reads_per_minute: u32) -> Self {
        let counted = Counted { since: Timestamp::default(), calls: vec![0; keys.len() + 1] };
        Keys { keys, reads_per_minute, counted: Mutex::new(counted) }
    }

    /// The name of the app whose key that is.
    ///
    /// # Errors
    /// 403 if it is nobody's, 429 if it calls too often.
    pub(crate) fn known(&self, key: Option<&str>, now: Timestamp) -> Result<&str, Refusal> {
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
        Ok(&known.name)
    }

    /// Lets somebody read who needs no key; a key that is known counts for itself.
    ///
    /// # Errors
    /// 429.
    pub(crate) fn reads(&self, key: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        match key {
            Some(_) => self.known(key, now).map(drop),
            None => self.count(self.keys.len(), self.reads_per_minute, now),
        }
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
        assert_eq!(keys.known(Some("b-key"), now).unwrap(), "b");
        assert_eq!(keys.known(Some("wrong"), now).unwrap_err().status, 403);
        assert_eq!(keys.known(None, now).unwrap_err().status, 403);
        assert_eq!(keys.known(Some("b-key"), now).unwrap(), "b");
        assert_eq!(keys.known(Some("b-key"), now).unwrap_err().status, 429);
        assert_eq!(keys.known(Some("a-key"), now).unwrap(), "a", "one does not count for another");
        keys.reads(None, now).unwrap();
        assert_eq!(keys.reads(None, now).unwrap_err().status, 429);
        assert_eq!(keys.known(Some("wrong"), now).unwrap_err().status, 429);
        keys.reads(None, Timestamp::from_micros(2 * WINDOW)).unwrap();
    }
}
