//! How often number and secret may be tried: each number by itself, wrong or right, and how many are looked at at once. Counted in memory of
//! a fixed size, so several numbers may share a counter; which ones nobody outside can know. A secret has 100 bits, so nobody has to be kept
//! from guessing: the limits keep whoever tries from making work, and nobody who tries locks others out.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Counters of numbers.
const PLACES: usize = 65_536;

/// Wrong attempts at one number, and right ones, within a window.
pub(super) const FOR_NUMBER: u16 = 20;
pub(super) const FOR_RIGHT: u16 = 300;

/// Refusals within a window that each leave an event; those beyond are told with the next one that does.
pub(super) const TOLD: u32 = 3_000;

/// Attempts that are looked at at once; others wait.
const AT_ONCE: usize = 16;

/// How long is counted.
pub(super) const WINDOW: Duration = Duration::from_secs(600);

/// Counts attempts.
pub(super) struct Guard {
    hasher: RandomState,
    counted: Mutex<Counted>,
    places: Semaphore,
}

struct Counted {
    since: Option<Instant>,
    refused: u32,
    /// Refusals that no event has told of yet.
    untold: u32,
    tried: Vec<u16>,
    right: Vec<u16>,
}

impl Counted {
    fn begin_window(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.since = Some(now);
            self.refused = 0;
            self.tried.fill(0);
            self.right.fill(0);
        }
    }
}

impl Default for Guard {
    fn default() -> Self {
        let (tried, right) = (vec![0; PLACES], vec![0; PLACES]);
        let counted = Counted { since: None, refused: 0, untold: 0, tried, right };
        Guard { hasher: RandomState::new(), counted: Mutex::new(counted), places: Semaphore::new(AT_ONCE) }
    }
}

impl Guard {
    /// Whether one more attempt at `number` is let in. Counted before it is looked at, so that many at once gain nothing.
    pub(super) fn lets_in(&self, number: &str, now: Instant) -> bool {
        let place = self.place(number);
        let Ok(mut counted) = self.counted.lock() else { return false };
        counted.begin_window(now);
        if counted.right.get(place).is_none_or(|right| *right >= FOR_RIGHT) {
            return false;
        }
        let Some(tried) = counted.tried.get_mut(place) else { return false };
        *tried = tried.saturating_add(1);
        *tried <= FOR_NUMBER
    }

    /// The secret was right: that was no guess.
    pub(super) fn was_right(&self, number: &str) {
        let place = self.place(number);
        let Ok(mut counted) = self.counted.lock() else { return };
        if let Some(tried) = counted.tried.get_mut(place) {
            *tried = tried.saturating_sub(1);
        }
        if let Some(right) = counted.right.get_mut(place) {
            *right = right.saturating_add(1);
        }
    }

    /// The attempt was refused: whether an event tells of it, and of how many others that none told of.
    pub(super) fn was_refused(&self, now: Instant) -> Option<u32> {
        let Ok(mut counted) = self.counted.lock() else { return Some(0) };
        counted.begin_window(now);
        counted.refused = counted.refused.saturating_add(1);
        if counted.refused <= TOLD {
            return Some(std::mem::take(&mut counted.untold));
        }
        counted.untold = counted.untold.saturating_add(1);
        None
    }

    /// Waits until one more may be looked at, as long as what is given is held.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    fn place(&self, number: &str) -> usize {
        usize::try_from(self.hasher.hash_one(number) % PLACES as u64).unwrap_or_default()
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
    fn who_has_the_secret_may_come_more_often_but_not_without_an_end() {
        let (guard, now) = (Guard::default(), Instant::now());
        let enters = |now| guard.lets_in("1", now).then(|| guard.was_right("1")).is_some();
        assert_eq!((0..10_000).filter(|_| enters(now)).count(), usize::from(FOR_RIGHT));
        assert!(enters(now + WINDOW));
    }

    #[test]
    fn neither_one_number_nor_many_lock_others_out() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..10_000 {
            guard.lets_in("2", now);
        }
        for other in 0..20_000 {
            guard.lets_in(&format!("x{other}"), now);
        }
        let others = (10..60).filter(|other| guard.lets_in(&other.to_string(), now)).count();
        assert!(others > 45, "{others}");
    }

    #[test]
    fn of_many_refusals_the_number_is_told_when_it_gets_quiet() {
        let (guard, now) = (Guard::default(), Instant::now());
        let told = (0..TOLD + 7).filter_map(|_| guard.was_refused(now)).collect::<Vec<_>>();
        assert_eq!((told.len(), told.iter().sum::<u32>()), (TOLD as usize, 0));
        assert_eq!([1, 2].map(|_| guard.was_refused(now + WINDOW)), [Some(7), Some(0)]);
    }

    #[tokio::test]
    async fn so_many_are_looked_at_at_once() {
        let guard = Guard::default();
        let mut held = vec![];
        for _ in 0..AT_ONCE {
            held.push(guard.turn().await.unwrap());
        }
        assert!(futures::FutureExt::now_or_never(guard.turn()).is_none());
        held.pop();
        assert!(futures::FutureExt::now_or_never(guard.turn()).is_some());
    }
}
