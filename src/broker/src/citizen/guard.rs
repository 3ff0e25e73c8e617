//! How often number and secret may be tried: for each number, and by all together. Counted in memory of a fixed size, so several
//! numbers may share a counter; which ones nobody outside can know. A secret has 100 bits: the limit is there for what people choose
//! badly (they choose nothing here) and to keep whoever tries from making work.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Counters of numbers.
const PLACES: usize = 8_192;

/// Attempts at one number, and at all, within a window.
pub(super) const FOR_NUMBER: u16 = 20;
pub(super) const FOR_ALL: u32 = 3_000;

/// How long is counted.
pub(super) const WINDOW: Duration = Duration::from_secs(600);

/// Counts attempts.
pub(super) struct Guard {
    hasher: RandomState,
    counted: Mutex<Counted>,
}

struct Counted {
    since: Option<Instant>,
    all: u32,
    numbers: Vec<u16>,
}

impl Default for Guard {
    fn default() -> Self {
        let counted = Counted { since: None, all: 0, numbers: vec![0; PLACES] };
        Guard { hasher: RandomState::new(), counted: Mutex::new(counted) }
    }
}

impl Guard {
    /// Whether one more attempt at `number` is let in. Counted before it is looked at, so that many at once gain nothing.
    pub(super) fn lets_in(&self, number: &str, now: Instant) -> bool {
        let place = usize::try_from(self.hasher.hash_one(number) % PLACES as u64).unwrap_or_default();
        let Ok(mut counted) = self.counted.lock() else { return false };
        let since = *counted.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            counted.since = Some(now);
            counted.all = 0;
            counted.numbers.fill(0);
        }
        let Some(attempts) = counted.numbers.get_mut(place) else { return false };
        *attempts = attempts.saturating_add(1);
        // Whoever tries one number again and again is in nobody else's way.
        if *attempts > FOR_NUMBER {
            return false;
        }
        counted.all = counted.all.saturating_add(1);
        counted.all <= FOR_ALL
    }

    /// The secret was right: that was no guess.
    pub(super) fn was_right(&self, number: &str) {
        let place = usize::try_from(self.hasher.hash_one(number) % PLACES as u64).unwrap_or_default();
        let Ok(mut counted) = self.counted.lock() else { return };
        counted.all = counted.all.saturating_sub(1);
        if let Some(attempts) = counted.numbers.get_mut(place) {
            *attempts = attempts.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_tried_so_often_and_again_later() {
        let (guard, now) = (Guard::default(), Instant::now());
        let let_in = (0..100).filter(|_| guard.lets_in("1", now)).count();
        assert_eq!(let_in, usize::from(FOR_NUMBER));
        assert!(guard.lets_in("2", now) && guard.lets_in("1", now + WINDOW));
    }

    #[test]
    fn who_has_the_secret_is_never_too_often_there_and_one_number_locks_no_other_out() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..10_000 {
            assert!(guard.lets_in("1", now));
            guard.was_right("1");
        }
        let let_in = (0..10_000).filter(|_| guard.lets_in("2", now)).count();
        assert_eq!(let_in, usize::from(FOR_NUMBER));
        let others = (10..60).filter(|other| guard.lets_in(&other.to_string(), now)).count();
        assert!(others > 45, "{others}");
    }

    #[test]
    fn all_together_may_try_so_often() {
        let (guard, now) = (Guard::default(), Instant::now());
        let let_in = (0..10_000).filter(|number| guard.lets_in(&number.to_string(), now)).count();
        assert!(let_in <= FOR_ALL as usize && let_in > FOR_ALL as usize - 200, "{let_in}");
    }
}
