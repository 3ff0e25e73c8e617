//! What becomes of a job that failed: decided by the kind of failure alone.
//!
//! | kind | what becomes of it |
//! |---|---|
//! | transient | tried again, until its time is over: then its message goes back to the sender |
//! | rejected | its message goes back to the sender |
//! | permanent, unauthorised | its message waits for a human |
//! | uncertain | its message waits for a human: nobody may send it again blindly |

use std::time::Duration;

use model::{Failure, FailureKind, Timestamp};
use store::Job;

/// Attempts at a job without a time limit that fails transiently before a human is asked.
const MOST_ATTEMPTS: u32 = 12;

/// How often a job may end its worker without a word.
const MOST_LOST: u32 = 5;

/// Longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The same of what alone cannot be done yet: the other side is well and is not burdened by being asked.
const LONGEST_ALONE: Duration = Duration::from_secs(300);

/// Longest pause that the other side is granted.
const MOST_ASKED: Duration = Duration::from_secs(24 * 3_600);

/// Code of what comes too late.
pub(crate) const TOO_LATE: &str = "message.expired";

/// What becomes of a failed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is tried again then.
    Retry(Timestamp),
    /// Its message goes back to the sender.
    Return,
    /// Its message waits for a human.
    Park,
}

/// Decides. `random` is from 0 to 1.
pub(crate) fn next(job: &Job, failure: &Failure, now: Timestamp, random: f64) -> Next {
    match failure.kind {
        FailureKind::Rejected => Next::Return,
        FailureKind::Permanent | FailureKind::Unauthorised | FailureKind::Uncertain => Next::Park,
        FailureKind::Transient => match job.expires_at {
            // One attempt more at the very end: it then finds that it is too late.
            Some(end) if now < end => Next::Retry(now.plus(pause(job.attempts, failure, random)).min(end)),
            Some(_) if job.calling => Next::Park,
            Some(_) => Next::Return,
            None if job.attempts < MOST_ATTEMPTS => {
                Next::Retry(now.plus(pause(job.attempts, failure, random)))
            }
            None => Next::Park,
        },
    }
}

/// Why a job is not even begun; `None` if it may be.
pub(crate) fn hopeless(job: &Job) -> Option<Failure> {
    let given_up = job.lost >= MOST_LOST || (job.expires_at.is_none() && job.attempts > MOST_ATTEMPTS);
    let why = "given up after many attempts that ended without a word";
    given_up.then(|| Failure::permanent("broker.given-up", why))
}

/// What it means that a job's time is over. What may have arrived is not sent back.
pub(crate) fn too_late(job: &Job) -> Failure {
    let kind = if job.calling { FailureKind::Uncertain } else { FailureKind::Rejected };
    Failure::new(kind, TOO_LATE, "the message could not be delivered in time")
}

/// Whether an attempt of this number, from 1, leaves an event: the first, and each doubling.
pub(crate) fn is_told(attempt: u32) -> bool {
    attempt.is_power_of_two()
}

/// Doubles from one second to an hour; the second half of it is random, so that jobs that failed together do not come
/// back together. Never shorter than what the other side asks for.
fn pause(attempts: u32, failure: &Failure, random: f64) -> Duration {
    let most = if failure.alone { LONGEST_ALONE } else { LONGEST };
    let longest = Duration::from_secs(1 << attempts.min(12)).min(most);
    let jittered = longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
    jittered.max(failure.retry_after.unwrap_or_default().min(MOST_ASKED))
}

#[cfg(test)]
mod tests {
    use model::Id;
    use serde_json::json;

    use super::*;

    fn job(attempts: u32, expires_at: Option<u64>) -> Job {
        Job {
            id: Id::default(),
            tenant: "soest".into(),
            lane: "to:x".into(),
            kind: "deliver".into(),
            subject: Id::default(),
            detail: json!(null),
            attempts,
            epoch: 1,
            fifo_key: None,
            created_at: at(0),
            calling: false,
            lost: 0,
            expires_at: expires_at.map(at),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(seconds))
    }

    fn failed(kind: FailureKind) -> Failure {
        Failure::new(kind, "test.failed", "")
    }

    #[test]
    fn only_passing_trouble_is_tried_again() {
        let next = |kind| next(&job(0, Some(100)), &failed(kind), at(0), 1.0);
        assert_eq!(next(FailureKind::Transient), Next::Retry(at(1)));
        assert_eq!(next(FailureKind::Rejected), Next::Return);
        for kind in [FailureKind::Permanent, FailureKind::Unauthorised, FailureKind::Uncertain] {
            assert_eq!(next(kind), Next::Park);
        }
    }

    #[test]
    fn what_has_a_time_limit_is_tried_until_then_however_often_that_is() {
        let transient = failed(FailureKind::Transient);
        assert_eq!(next(&job(1_000, Some(9_000)), &transient, at(0), 1.0), Next::Retry(at(3_600)));
        assert_eq!(next(&job(1_000, Some(9_000)), &transient, at(8_999), 1.0), Next::Retry(at(9_000)));
        assert_eq!(next(&job(1_000, Some(9_000)), &transient, at(9_000), 1.0), Next::Return);
        let unknown = Job { calling: true, ..job(1, Some(9_000)) };
        assert_eq!(next(&unknown, &transient, at(9_000), 1.0), Next::Park);
        assert_eq!(too_late(&unknown).kind, FailureKind::Uncertain);
        assert_eq!(next(&job(12, None), &transient, at(0), 1.0), Next::Park);
    }

    #[test]
    fn a_job_that_ends_its_workers_is_given_up() {
        assert_eq!(hopeless(&job(1_000, Some(1))), None);
        let poison = Job { lost: 5, ..job(5, Some(1)) };
        assert_eq!(hopeless(&poison).unwrap().code, "broker.given-up");
    }

    #[test]
    fn the_pause_is_random_in_its_second_half_and_heeds_what_is_asked() {
        let asked = |pause| failed(FailureKind::Transient).after(pause);
        assert_eq!(pause(3, &asked(None), 0.0), Duration::from_secs(4));
        assert_eq!(pause(3, &asked(None), 1.0), Duration::from_secs(8));
        assert_eq!(pause(60, &asked(None), 1.0), LONGEST);
        assert_eq!(pause(60, &asked(None).alone(), 1.0), LONGEST_ALONE);
        assert_eq!(pause(0, &asked(Some(Duration::from_secs(90))), 1.0), Duration::from_secs(90));
        assert_eq!(pause(0, &asked(Some(Duration::MAX)), 1.0), MOST_ASKED);
    }

    #[test]
    fn the_events_of_endless_attempts_are_few() {
        assert_eq!((1..=10_000).filter(|attempt| is_told(*attempt)).count(), 14);
    }
}
