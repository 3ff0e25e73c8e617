//! Lanes that fail: their breakers, as all nodes see them; calls with unknown outcome; what comes too late.

use std::collections::BTreeSet;
use std::time::Duration;

use model::Timestamp;
use store::{BreakerState, Class, Job, LaneFailure, NewJob, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

const LONG: Duration = Duration::from_secs(600);

async fn enqueue(bed: &Bed, jobs: &[NewJob], expires_at: Option<Timestamp>) {
    let mut work = Work::new();
    for job in jobs {
        work.enqueue_call(job, expires_at);
    }
    bed.store.commit(work).await.unwrap();
}

async fn claim(bed: &Bed) -> Vec<Job> {
    bed.store.claim(Class::Network, "w", LONG, 50).await.unwrap()
}

async fn put_back(bed: &Bed, job: &Job) {
    let mut work = Work::new();
    work.retry_job(job.id, job.epoch, Timestamp::default());
    bed.store.commit(work).await.unwrap();
}

fn failure(asked: Option<Duration>) -> Option<LaneFailure> {
    Some(LaneFailure { code: "test.failed".into(), asked, jitter: 0.0 })
}

async fn breaker(bed: &Bed, lane: &str) -> store::Breaker {
    let lanes = bed.store.lanes(TENANT).await.unwrap();
    lanes.into_iter().find(|known| known.lane == lane).unwrap().breaker
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_one_class_get_no_jobs_of_the_other() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("to:a", None)], None).await;
        let mut work = Work::new();
        work.enqueue(&make::job("in:b", None));
        bed.store.commit(work).await.unwrap();
        assert_eq!(claim(&bed).await[0].lane, "to:a");
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap()[0].lane, "in:b");
        assert!(claim(&bed).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_holds_its_own_lane_and_lets_one_job_through_in_the_end() {
    on_every_engine(|bed| async move {
        let jobs: Vec<_> = (0..6).map(|_| make::job("to:a", None)).collect();
        enqueue(&bed, &jobs, None).await;
        let taken = claim(&bed).await;
        assert_eq!(taken.len(), 4);
        // The other side asks to be left alone, but not for long: time passes on its own.
        bed.store.note_lane(TENANT, "to:a", failure(None)).await.unwrap();
        assert_eq!(breaker(&bed, "to:a").await.failures, 1);
        bed.store.note_lane(TENANT, "to:a", failure(Some(LONG))).await.unwrap();
        for job in &taken {
            put_back(&bed, job).await;
        }
        enqueue(&bed, &[make::job("to:b", None)], None).await;
        let others: Vec<_> = claim(&bed).await.into_iter().map(|job| (job.lane, job.attempts)).collect();
        assert_eq!(others, [("to:b".to_owned(), 0)], "only the other lane goes on");
        let open = breaker(&bed, "to:a").await;
        assert_eq!((open.state, open.last_code.as_deref()), (BreakerState::Open, Some("test.failed")));

        // An operator has it tried again.
        let mut work = Work::new();
        work.retry_lane(TENANT, "to:a", Timestamp::from_micros(1));
        bed.store.commit(work).await.unwrap();
        let trial = claim(&bed).await;
        assert_eq!(trial.len(), 1, "one job goes ahead");
        assert_eq!(breaker(&bed, "to:a").await.state, BreakerState::HalfOpen);
        assert!(claim(&bed).await.is_empty(), "the others wait for it");
        bed.store.note_lane(TENANT, "to:a", None).await.unwrap();
        assert_eq!(breaker(&bed, "to:a").await.state, BreakerState::Closed);
        assert_eq!(claim(&bed).await.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retrying_a_lane_hastens_what_was_tried_before_and_what_asks() {
    on_every_engine(|bed| async move {
        let later = Timestamp::from_micros(i64::MAX);
        let (tried, ahead) = (make::job("to:a", None), NewJob { next_at: later, ..make::job("to:a", None) });
        // Its first question has not been asked yet; what is to be sent only later stays untouched.
        let asks = NewJob { kind: "follow".into(), next_at: later, ..make::job("to:a", None) };
        enqueue(&bed, &[tried.clone(), ahead, asks.clone()], None).await;
        let mut work = Work::new();
        let job = claim(&bed).await.remove(0);
        work.retry_job(job.id, job.epoch, later);
        work.retry_lane(TENANT, "to:a", Timestamp::default());
        bed.store.commit(work).await.unwrap();
        let hastened: BTreeSet<_> = claim(&bed).await.iter().map(|job| job.id).collect();
        assert_eq!(hastened, BTreeSet::from([tried.id, asks.id]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retrying_an_unknown_lane_is_refused() {
    on_every_engine(|bed| async move {
        let mut work = Work::new();
        work.retry_lane(TENANT, "to:nobody", Timestamp::default());
        assert_eq!(conflict(bed.store.commit(work).await), "lane");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_begun_is_known_after_the_worker_has_gone() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("to:a", None)], None).await;
        let job = claim(&bed).await.remove(0);
        assert!(!job.calling);
        let is_calling = || bed.store.is_calling(TENANT, job.subject);
        assert!(!is_calling().await.unwrap());
        let mark = |job: &Job, calling| {
            let mut work = Work::new();
            work.mark_call(job.id, job.epoch, calling);
            work
        };
        bed.store.commit(mark(&job, true)).await.unwrap();
        assert!(is_calling().await.unwrap());
        bed.store.release_leases("w").await.unwrap();
        let again = claim(&bed).await.remove(0);
        assert_eq!((again.calling, again.lost, again.attempts), (true, 1, 1));
        assert_eq!(conflict(bed.store.commit(mark(&job, false)).await), "job");
        bed.store.commit(mark(&again, false)).await.unwrap();
        put_back(&bed, &again).await;
        assert!(!claim(&bed).await[0].calling);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_late_is_found_even_behind_an_open_breaker_but_not_in_hand() {
    on_every_engine(|bed| async move {
        let (late, never) = (make::job("to:a", None), make::job("to:a", None));
        enqueue(&bed, std::slice::from_ref(&late), Some(Timestamp::from_micros(1))).await;
        enqueue(&bed, &[never], Some(Timestamp::from_micros(i64::MAX))).await;
        bed.store.note_lane(TENANT, "to:a", failure(Some(LONG))).await.unwrap();
        let expired = bed.store.expired_jobs(10).await.unwrap();
        assert_eq!(expired.iter().map(|job| job.id).collect::<Vec<_>>(), [late.id]);
        let end = |job: &Job| {
            let mut work = Work::new();
            work.expire_job(job.id, job.epoch);
            work
        };

        let mut work = Work::new();
        work.retry_lane(TENANT, "to:a", Timestamp::default());
        bed.store.commit(work).await.unwrap();
        let taken = claim(&bed).await.remove(0);
        assert!(bed.store.expired_jobs(10).await.unwrap().is_empty(), "somebody is at it");
        assert_eq!(conflict(bed.store.commit(end(&expired[0])).await), "job");
        put_back(&bed, &taken).await;
        let expired = bed.store.expired_jobs(10).await.unwrap();
        bed.store.commit(end(&expired[0])).await.unwrap();
        assert!(bed.store.expired_jobs(10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_entry_expires_unless_somebody_holds_it() {
    on_every_engine(|bed| async move {
        let (late, held, lasting) = (make::entry(), make::entry(), make::entry());
        let mut work = Work::new();
        for (entry, at) in [(&late, Some(1)), (&held, Some(1)), (&lasting, None)] {
            work.insert_inbox(entry).set_inbox_expiry(entry.id, at.map(Timestamp::from_micros));
        }
        bed.store.commit(work).await.unwrap();
        let scope = model::Scope::tenant(TENANT);
        let expired = bed.store.expired_inbox(10).await.unwrap();
        assert_eq!(expired.iter().map(|entry| entry.id).collect::<Vec<_>>(), [late.id, held.id]);
        let (authority, filter) = (make::authority(), store::InboxFilter::default());
        let lease = store::Lease {
            authority: &authority,
            filter: &filter,
            holder: "x",
            duration: LONG,
            limit: 2,
            once: None,
        };
        bed.store.lease_inbox(&scope, &lease).await.unwrap();
        assert!(bed.store.expired_inbox(10).await.unwrap().is_empty());
    })
    .await;
}

/// The lane as a whole against its rule: whatever workers do in whatever order, no lane has more in flight than its breaker
/// allows, every job is done in the end, and none twice.
#[tokio::test(flavor = "multi_thread")]
async fn seeded_histories_of_failing_lanes_lose_and_double_nothing() {
    on_every_engine(|bed| async move {
        for seed in 0..6_u64 {
            let mut random = Random(seed);
            let lanes = [format!("to:{seed}:a"), format!("to:{seed}:b")];
            let jobs: Vec<_> =
                (0..24).map(|n| make::job(&lanes[n % 2], (n % 5 == 0).then_some("key"))).collect();
            enqueue(&bed, &jobs, None).await;
            let (mut in_hand, mut done) = (Vec::<Job>::new(), Vec::new());
            while done.len() < jobs.len() {
                for job in claim(&bed).await {
                    in_hand.push(job);
                }
                for lane in &lanes {
                    let most = match breaker(&bed, lane).await.state {
                        BreakerState::HalfOpen => 1,
                        _ => 4,
                    };
                    assert!(in_hand.iter().filter(|job| job.lane == *lane).count() <= most, "seed {seed}");
                }
                if in_hand.is_empty() {
                    let mut work = Work::new();
                    for lane in &lanes {
                        work.retry_lane(TENANT, lane, Timestamp::default());
                    }
                    bed.store.commit(work).await.unwrap();
                    continue;
                }
                let job = in_hand.swap_remove(random.below(in_hand.len()));
                if random.below(3) == 0 {
                    bed.store.note_lane(TENANT, &job.lane, None).await.unwrap();
                    let mut work = Work::new();
                    work.finish_job(job.id, job.epoch);
                    bed.store.commit(work).await.unwrap();
                    assert!(!done.contains(&job.id), "seed {seed}");
                    done.push(job.id);
                } else {
                    bed.store.note_lane(TENANT, &job.lane, failure(None)).await.unwrap();
                    put_back(&bed, &job).await;
                }
            }
        }
    })
    .await;
}

/// A small generator, so that a seed names a history.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}
