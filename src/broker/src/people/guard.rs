//! How often it may be tried to sign in, and how many passwords are checked at once.
//!
//! Failures are counted in the store, so that they count on every node and after a restart: by login, whether there is such a user or
//! not, and by the address that it comes from. Both share a fixed number of places by their digests. A login whose failures get many
//! waits, longer each time; an origin only after many more, because a whole office may be behind one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::Timestamp;
use seal::sha256;
use store::{SignInTry, Work};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Places of logins; as many again are there for origins.
const PLACES: u32 = 65_536;

/// Passwords that are checked at once: each takes 19 MiB.
const AT_ONCE: usize = 4;

/// How many wait for that.
const WAITING: usize = 64;

/// The first wait; the next is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// How failures at a place count.
struct Patience {
    /// Failures from which on it has to wait.
    free: u64,
    /// The longest wait.
    longest: Duration,
    /// Failures are forgotten when there was none for so long.
    forgotten: Duration,
}

/// Nobody but the user has to wait.
const OF_LOGIN: Patience =
    Patience { free: 5, longest: Duration::from_secs(15 * 60), forgotten: Duration::from_secs(12 * 3_600) };

/// A whole office may be behind one address, and somebody there mistypes every so often: that must not add up over days, and whoever
/// has the right password is not kept out for longer than a minute. At one attempt a minute there is little to gain by guessing.
const OF_ORIGIN: Patience =
    Patience { free: 50, longest: Duration::from_secs(60), forgotten: Duration::from_secs(15 * 60) };

/// Refusals, and waits that begin, within a window that each leave an event.
const TOLD: u32 = 1_000;
const TOLD_IN: Duration = Duration::from_secs(600);

/// Limits what signing in takes.
pub(super) struct Guard {
    turns: Semaphore,
    waiting: AtomicUsize,
    hashed: AtomicU64,
    refusals: Told,
    waits: Told,
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            turns: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
            hashed: AtomicU64::new(0),
            refusals: Told::default(),
            waits: Told::default(),
        }
    }
}

impl Guard {
    /// Waits until one more password may be checked, as long as what is given is held; `None` if too many wait.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _leaves = Leaves(&self.waiting);
        self.turns.acquire().await.ok()
    }

    /// Whether an event tells of one more refusal: of very many only the places of failures do.
    pub(super) fn tells_refusal(&self) -> bool {
        self.refusals.one_more()
    }

    /// The same of one more wait. Counted apart: however many are refused, it is told who has to wait.
    pub(super) fn tells_wait(&self) -> bool {
        self.waits.one_more()
    }

    pub(super) fn count_hash(&self) {
        self.hashed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn times_hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }
}

/// How many events were left since the window began.
#[derive(Default)]
struct Told(Mutex<(Option<Instant>, u32)>);

impl Told {
    /// Counts one more; whether it still leaves an event.
    fn one_more(&self) -> bool {
        let Ok(mut told) = self.0.lock() else { return true };
        let now = Instant::now();
        if told.0.is_none_or(|since| now.saturating_duration_since(since) >= TOLD_IN) {
            *told = (Some(now), 0);
        }
        told.1 = told.1.saturating_add(1);
        told.1 <= TOLD
    }
}

/// Whoever gives up waiting is not counted any more either.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where failures are counted: of the login, and of the origin if it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) login: u32,
    pub(super) origin: Option<u32>,
}

impl Places {
    pub(super) fn of(login: &str, origin: Option<&str>) -> Self {
        let place = |kind: &str, text: &str| {
            let digest = sha256(&[kind.as_bytes(), text.as_bytes()]).to_string();
            let start = digest.get(..8).and_then(|it| u32::from_str_radix(it, 16).ok());
            start.unwrap_or_default() % PLACES
        };
        let origin = origin.map(|it| PLACES + place("origin:", it));
        Places { login: place("login:", login), origin }
    }

    /// The second place that is looked at; another look at the first if there is none.
    pub(super) fn second(self) -> u32 {
        self.origin.unwrap_or(self.login)
    }

    fn patience(self, place: u32) -> &'static Patience {
        if place == self.login { &OF_LOGIN } else { &OF_ORIGIN }
    }

    /// One more failure at each place. Returns the waits that begin with it: of several at the same time only the first begins one.
    pub(super) fn note(self, work: &mut Work, tries: &[SignInTry], now: Timestamp) -> Vec<Wait> {
        let mut begun = vec![];
        for place in [Some(self.login), self.origin].into_iter().flatten() {
            let before = tries.iter().find(|it| it.place == place);
            let after = after_failure(before, place, self.patience(place), now);
            work.note_sign_in_try(before, &after);
            if after.until > now && before.is_none_or(|it| it.until <= now) {
                begun.push(Wait { is_of_login: place == self.login, until: after.until });
            }
        }
        begun
    }
}

/// A wait that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// Whether the login waits, or else the origin.
    pub(super) is_of_login: bool,
    /// Nothing is tried before.
    pub(super) until: Timestamp,
}

/// Whether one of the places has to wait.
pub(super) fn must_wait(tries: &[SignInTry], now: Timestamp) -> bool {
    tries.iter().any(|it| it.until > now)
}

fn after_failure(before: Option<&SignInTry>, place: u32, patience: &Patience, now: Timestamp) -> SignInTry {
    let counts = before.filter(|it| it.last_at.plus(patience.forgotten) > now);
    let failures = counts.map_or(0, |it| it.failures).saturating_add(1);
    let until = match failures.checked_sub(patience.free) {
        None => now,
        Some(beyond) => {
            let wait = FIRST_WAIT.saturating_mul(1 << beyond.min(10)).min(patience.longest);
            now.plus(wait)
        }
    };
    SignInTry { place, failures, last_at: now, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_after_some_failures_and_grow_to_the_longest() {
        let now = Timestamp::from_micros(1_000_000_000);
        let mut before = None;
        let mut waits = vec![];
        for _ in 0..12 {
            let after = after_failure(before.as_ref(), 7, &OF_LOGIN, now);
            waits.push((after.until.micros() - now.micros()) / 1_000_000);
            before = Some(after);
        }
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        let later = now.plus(OF_LOGIN.forgotten);
        assert_eq!(after_failure(before.as_ref(), 7, &OF_LOGIN, later).failures, 1);
    }

    #[test]
    fn a_wait_begins_once_however_many_fail_while_it_lasts() {
        let (places, mut now) = (Places::of("a", Some("b")), Timestamp::from_micros(1_000_000_000));
        let mut last: Vec<SignInTry> = vec![];
        let mut fails = |now: Timestamp| {
            let begun = places.note(&mut Work::new(), &last, now);
            let after = |place: u32| {
                let before = last.iter().find(|it| it.place == place);
                after_failure(before, place, places.patience(place), now)
            };
            last = vec![after(places.login), after(places.second())];
            begun
        };
        assert_eq!((0..4).map(|_| fails(now).len()).sum::<usize>(), 0);
        assert_eq!(fails(now), [Wait { is_of_login: true, until: now.plus(FIRST_WAIT) }]);
        assert_eq!((fails(now), fails(now)), (vec![], vec![]), "others at the same time");
        now = now.plus(Duration::from_secs(121));
        assert_eq!(fails(now).len(), 1, "the next");
        for _ in 8..49 {
            fails(now);
        }
        let until = now.plus(FIRST_WAIT);
        assert_eq!(fails(now), [Wait { is_of_login: false, until }], "the fiftieth from there");
    }

    #[test]
    fn so_many_events_are_left_within_a_window_and_no_more() {
        let guard = Guard::default();
        assert_eq!((0..TOLD + 10).filter(|_| guard.tells_refusal()).count(), TOLD as usize);
        assert!(guard.tells_wait(), "refusals take nothing from it");
    }

    #[test]
    fn mistakes_of_an_office_do_not_add_up_and_an_origin_waits_a_minute_at_most() {
        let mut now = Timestamp::from_micros(1_000_000_000);
        let mut last = None;
        for _ in 0..200 {
            now = now.plus(Duration::from_secs(15 * 60));
            last = Some(after_failure(last.as_ref(), 7, &OF_ORIGIN, now));
        }
        assert!(last.is_some_and(|it| it.failures == 1 && it.until == now));
        for _ in 0..200 {
            now = now.plus(Duration::from_secs(61));
            last = Some(after_failure(last.as_ref(), 7, &OF_ORIGIN, now));
        }
        assert!(last.is_some_and(|it| it.failures == 201 && it.until == now.plus(Duration::from_secs(60))));
    }

    #[test]
    fn logins_and_origins_never_share_a_place() {
        for text in ["a", "b", "10.0.0.7", ""] {
            let places = Places::of(text, Some(text));
            assert!(
                places.login < PLACES && places.origin.is_some_and(|it| (PLACES..2 * PLACES).contains(&it))
            );
        }
        assert_eq!(Places::of("a", None).second(), Places::of("a", None).login);
    }

    #[tokio::test]
    async fn so_many_are_checked_at_once_so_many_wait_and_the_others_are_sent_away() {
        let guard = Guard::default();
        let mut held = vec![];
        for _ in 0..AT_ONCE {
            held.push(guard.turn().await.unwrap());
        }
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(guard.turn())).collect();
        for it in &mut waiting {
            assert!(futures::FutureExt::now_or_never(it).is_none());
        }
        assert!(guard.turn().await.is_none());
        waiting.clear();
        held.clear();
        assert!(guard.turn().await.is_some());
    }
}
