//! How often one address may be called: whoever has one could otherwise fill the disk with hints. Counted in memory of a fixed
//! size, so several addresses may share a counter; which ones nobody outside can know.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Counters.
const PLACES: usize = 8_192;

/// Calls of one counter within a window.
const MOST: u16 = 120;

/// How long is counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts calls.
pub(super) struct Throttle {
    hasher: RandomState,
    counted: Mutex<Counted>,
}

struct Counted {
    since: Instant,
    calls: Vec<u16>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        let counted = Counted { since: Instant::now(), calls: vec![0; PLACES] };
        Throttle { hasher: RandomState::new(), counted: Mutex::new(counted) }
    }

    /// Whether one more call of `address` is let in.
    pub(super) fn lets_in(&self, address: &impl Hash, now: Instant) -> bool {
        let place = usize::try_from(self.hasher.hash_one(address) % PLACES as u64).unwrap_or_default();
        let Ok(mut counted) = self.counted.lock() else { return true };
        if now.saturating_duration_since(counted.since) >= WINDOW {
            counted.since = now;
            counted.calls.fill(0);
        }
        let Some(calls) = counted.calls.get_mut(place) else { return true };
        *calls = calls.saturating_add(1);
        *calls <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_let_in_so_often_and_again_later() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        let let_in = (0..1_000).filter(|_| throttle.lets_in(&"a", now)).count();
        assert_eq!(let_in, usize::from(MOST));
        let others = (0..100).filter(|other| throttle.lets_in(other, now)).count();
        assert!(others > 90, "{others} of 100");
        assert!(throttle.lets_in(&"a", now + WINDOW));
    }
}
