//! The circuit breaker of a lane: too many failures in a row, and nothing is tried for a time that grows; then one
//! job goes ahead to see, and only its success lets the others follow.
//!
//! ```text
//! closed --(five failures in a row, or the other side asks for a pause)--> open
//! open --(its time is over, a job is claimed)--> half-open --success--> closed
//!                                                half-open --failure--> open, for longer
//! ```
//! Pure; the row of the lane holds it, so that all nodes see the same.

use std::time::Duration;

use model::Timestamp;

/// Failures in a row that open a closed breaker.
const MOST_FAILURES: u32 = 5;
/// How long it stays open the first time. Doubles with each opening that no success came between.
const SHORTEST: Duration = Duration::from_secs(10);
/// It stays open no longer than this (the jitter aside), unless the other side asks for more.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest pause that the other side is granted.
const MOST_ASKED: Duration = Duration::from_secs(24 * 3_600);

/// State of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// Jobs are given out.
    #[default]
    Closed,
    /// None is given out until its time is over.
    Open,
    /// One was given out to see.
    HalfOpen,
}

impl BreakerState {
    pub(crate) const ALL: [BreakerState; 3] =
        [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];

    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "halfOpen",
        }
    }
}

/// A breaker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// State. An open one stays so until a job is claimed after its time.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// Openings in a row.
    pub openings: u32,
    /// Nothing is claimed before.
    pub open_until: Timestamp,
    /// When the state changed last.
    pub since: Timestamp,
    /// Code of the last failure.
    pub last_code: Option<String>,
}

/// What is known of a failure.
#[derive(Debug, Clone)]
pub struct LaneFailure {
    /// Its code.
    pub code: String,
    /// The pause that the other side asks for; the breaker opens for it at once.
    pub asked: Option<Duration>,
    /// Random, from 0 to 1: so much of a quarter is added to the time it stays open.
    pub jitter: f64,
}

impl Breaker {
    /// How many jobs may be under way at `now`, where a closed breaker allows `most`.
    pub fn room(&self, now: Timestamp, most: u32) -> u32 {
        match self.state {
            BreakerState::Closed => most,
            _ if self.open_until > now => 0,
            _ => 1,
        }
    }

    /// A job was claimed.
    pub fn claimed(&mut self, now: Timestamp) {
        if self.state == BreakerState::Open {
            self.turn(BreakerState::HalfOpen, now);
        }
    }

    /// A job has succeeded, or was refused with an answer: the other side is there.
    pub fn worked(&mut self, now: Timestamp) {
        let since = if self.state == BreakerState::Closed { self.since } else { now };
        *self = Breaker { since, last_code: self.last_code.take(), ..Breaker::default() };
    }

    /// A job has failed and the other side is to blame. Of jobs that were under way when it opened, none opens it longer.
    pub fn failed(&mut self, failure: &LaneFailure, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.last_code = Some(failure.code.clone());
        let asked = failure.asked.map(|pause| pause.min(MOST_ASKED));
        let opens = match self.state {
            BreakerState::Closed => self.failures >= MOST_FAILURES || asked.is_some(),
            BreakerState::HalfOpen => true,
            BreakerState::Open => false,
        };
        if opens {
            let doubled = SHORTEST.saturating_mul(1 << self.openings.min(16)).min(LONGEST);
            let pause = doubled.mul_f64(1.0 + failure.jitter.clamp(0.0, 1.0) / 4.0);
            self.openings = self.openings.saturating_add(1);
            self.open_until = now.plus(pause);
            self.turn(BreakerState::Open, now);
        }
        if let Some(asked) = asked {
            self.open_until = self.open_until.max(now.plus(asked));
        }
    }

    fn turn(&mut self, state: BreakerState, now: Timestamp) {
        self.state = state;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(seconds))
    }

    fn failure(asked: Option<u64>) -> LaneFailure {
        LaneFailure { code: "a.b".into(), asked: asked.map(Duration::from_secs), jitter: 0.0 }
    }

    fn open(now: Timestamp) -> Breaker {
        let mut breaker = Breaker::default();
        (0..MOST_FAILURES).for_each(|_| breaker.failed(&failure(None), now));
        breaker
    }

    #[test]
    fn some_failures_in_a_row_open_it_and_one_success_forgets_them() {
        let mut breaker = Breaker::default();
        for _ in 1..MOST_FAILURES {
            breaker.failed(&failure(None), at(1));
        }
        breaker.worked(at(2));
        assert_eq!((breaker.failures, breaker.room(at(2), 4)), (0, 4));
        let breaker = open(at(3));
        assert_eq!((breaker.state, breaker.open_until), (BreakerState::Open, at(13)));
        assert_eq!((breaker.room(at(12), 4), breaker.room(at(13), 4)), (0, 1));
    }

    #[test]
    fn each_failed_trial_doubles_the_time_and_a_success_closes_it() {
        let mut breaker = open(at(0));
        breaker.claimed(at(10));
        assert_eq!((breaker.state, breaker.since), (BreakerState::HalfOpen, at(10)));
        breaker.failed(&failure(None), at(11));
        assert_eq!((breaker.state, breaker.open_until), (BreakerState::Open, at(31)));
        breaker.claimed(at(31));
        breaker.worked(at(40));
        let closed = Breaker { since: at(40), last_code: Some("a.b".into()), ..Breaker::default() };
        assert_eq!(breaker, closed);
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_open_it_longer() {
        let mut breaker = open(at(0));
        breaker.failed(&failure(None), at(9));
        assert_eq!((breaker.openings, breaker.open_until), (1, at(10)));
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_within_bounds() {
        let mut breaker = Breaker::default();
        breaker.failed(&failure(Some(120)), at(0));
        assert_eq!((breaker.state, breaker.open_until), (BreakerState::Open, at(120)));
        breaker.failed(&failure(Some(u64::MAX)), at(0));
        assert_eq!(breaker.open_until, Timestamp::default().plus(MOST_ASKED));
    }

    proptest! {
        /// Whatever happens in whatever order, jobs go ahead only when they may, it never stays open for ever, and one
        /// success is enough to close it.
        #[test]
        fn it_lets_through_what_it_may_and_never_stays_open_for_ever(
            steps in prop::collection::vec((0_u8..4, 0_u64..2_000, prop::option::of(0_u64..500), 0.0..=1.0), 1..200)
        ) {
            let (mut breaker, mut now, mut under_way) = (Breaker::default(), 0, 0_u32);
            for (step, pause, asked, jitter) in steps {
                now += pause;
                let room = breaker.room(at(now), 4).saturating_sub(under_way);
                match step {
                    0 | 1 if room > 0 => {
                        breaker.claimed(at(now));
                        under_way += 1;
                        prop_assert!(breaker.state != BreakerState::Open);
                    }
                    2 if under_way > 0 => {
                        under_way -= 1;
                        let failure = LaneFailure { jitter, ..failure(asked) };
                        let half_open = breaker.state == BreakerState::HalfOpen;
                        breaker.failed(&failure, at(now));
                        prop_assert!(!half_open || breaker.state == BreakerState::Open);
                    }
                    3 if under_way > 0 => {
                        under_way -= 1;
                        breaker.worked(at(now));
                        prop_assert_eq!(breaker.room(at(now), 4), 4);
                    }
                    _ => {}
                }
                prop_assert!(under_way <= 4);
                prop_assert!((breaker.state == BreakerState::Closed) == (breaker.openings == 0));
                let longest = Duration::from_secs_f64(LONGEST.as_secs_f64() * 1.25).max(Duration::from_secs(500));
                prop_assert!(breaker.open_until <= at(now).plus(longest));
                prop_assert!(breaker.room(at(now).plus(longest), 4) >= 1);
            }
        }
    }
}
