//! The queue: lanes, caps, FIFO keys, leases, fencing.

use std::collections::HashSet;
use std::time::Duration;

use model::Timestamp;
use store::{Class, Job, LANE_CAP, NewJob, Work};

use crate::make::{self, TENANT};
use crate::{Bed, conflict, on_every_engine};

const LONG: Duration = Duration::from_secs(600);

async fn enqueue(bed: &Bed, jobs: &[store::NewJob]) {
    let mut work = Work::new();
    for job in jobs.iter() {
        work.enqueue(job);
    }
    bed.store.commit(work).await.unwrap();
}

async fn finish(bed: &Bed, job: &Job) -> Result<(), store::Error> {
    let mut work = Work::new();
    work.finish_job(job.id, job.epoch);
    bed.store.commit(work).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_has_a_cap_and_does_not_hold_up_others() {
    on_every_engine(|bed| async move {
        let slow: Vec<_> = (0..10).map(|_| make::job("slow", None)).collect();
        enqueue(&bed, &slow).await;
        enqueue(&bed, &[make::job("quick", None)]).await;
        let first = bed.store.claim(Class::Work, "w", LONG, 20).await.unwrap();
        let of = |jobs: &[Job], lane| jobs.iter().filter(|job| job.lane == lane).count();
        assert_eq!((of(&first, "slow"), of(&first, "quick")), (LANE_CAP as usize, 1));
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 20).await.unwrap(), vec![]);
        let known = &slow[0];
        assert_eq!(
            (first[0].id, first[0].subject, &first[0].detail),
            (known.id, known.subject, &known.detail)
        );

        finish(&bed, &first[0]).await.unwrap();
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 20).await.unwrap().len(), 1);
        let counts = bed.store.lanes(TENANT).await.unwrap();
        let slow = counts.iter().find(|count| count.lane == "slow").unwrap();
        assert_eq!((slow.waiting, slow.leased), (5, u64::from(LANE_CAP)));
        assert!(bed.store.lanes("lippstadt").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_limit_is_claimed() {
    on_every_engine(|bed| async move {
        for lane in 0..5 {
            enqueue(&bed, &[make::job(&lane.to_string(), None), make::job(&lane.to_string(), None)]).await;
        }
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 3).await.unwrap().len(), 3);
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 0).await.unwrap().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_key_are_done_one_after_the_other() {
    on_every_engine(|bed| async move {
        let mut jobs: Vec<_> = (0..5).map(|_| make::job("a", Some("case-1"))).collect();
        // Even across lanes, and even if the ids do not ascend.
        jobs[2].lane = "b".into();
        jobs.swap(0, 4);
        enqueue(&bed, &jobs).await;
        for expected in &jobs {
            let claimed = bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap();
            assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), vec![expected.id]);
            assert!(
                bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap().is_empty(),
                "its successor has to wait"
            );
            finish(&bed, &claimed[0]).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_put_back_keeps_its_place_before_its_successors() {
    on_every_engine(|bed| async move {
        let jobs = [make::job("a", Some("k")), make::job("a", Some("k"))];
        enqueue(&bed, &jobs).await;
        let claimed = bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap();
        let mut later = Work::new();
        later.retry_job(claimed[0].id, claimed[0].epoch, Timestamp::from_micros(i64::MAX));
        bed.store.commit(later).await.unwrap();
        assert!(bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_job_counts_its_attempts_and_waits_until_it_is_due() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("a", None)]).await;
        let job = bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap().remove(0);
        let put_back = |job: &Job, at| {
            let mut work = Work::new();
            work.retry_job(job.id, job.epoch, at);
            work
        };
        bed.store.commit(put_back(&job, Timestamp::default())).await.unwrap();
        let again = bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap().remove(0);
        assert_eq!((again.id, again.attempts, again.epoch), (job.id, 1, job.epoch + 1));
        bed.store.commit(put_back(&again, Timestamp::from_micros(i64::MAX))).await.unwrap();
        assert!(bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_worker_can_neither_finish_nor_put_back() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("a", None)]).await;
        // A lease of no length has run out at once.
        let stale = bed.store.claim(Class::Work, "dead", Duration::ZERO, 1).await.unwrap().remove(0);
        let fresh = bed.store.claim(Class::Work, "alive", LONG, 1).await.unwrap().remove(0);
        assert_eq!((fresh.id, fresh.epoch), (stale.id, stale.epoch + 1));
        assert_eq!(conflict(finish(&bed, &stale).await), "job");
        let mut back = Work::new();
        back.retry_job(stale.id, stale.epoch, Timestamp::default());
        assert_eq!(conflict(bed.store.commit(back).await), "job");
        finish(&bed, &fresh).await.unwrap();
        assert_eq!(conflict(finish(&bed, &fresh).await), "job");
        assert!(bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_can_be_renewed_by_whoever_has_it() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("a", None)]).await;
        let first = bed.store.claim(Class::Work, "a", Duration::ZERO, 1).await.unwrap().remove(0);
        assert!(bed.store.renew_job(first.id, first.epoch, LONG).await.unwrap());
        assert!(bed.store.claim(Class::Work, "b", LONG, 1).await.unwrap().is_empty());
        assert!(bed.store.renew_job(first.id, first.epoch, Duration::ZERO).await.unwrap());
        let second = bed.store.claim(Class::Work, "b", LONG, 1).await.unwrap().remove(0);
        assert!(!bed.store.renew_job(first.id, first.epoch, LONG).await.unwrap());

        let hold = |job: &Job| {
            let mut work = Work::new();
            work.hold_job(job.id, job.epoch).insert_message(&make::message());
            work
        };
        assert_eq!(conflict(bed.store.commit(hold(&first)).await), "job");
        bed.store.commit(hold(&second)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_again_gives_back_what_it_had() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("a", None), make::job("a", None)]).await;
        let before = bed.store.claim(Class::Work, "a", LONG, 1).await.unwrap().remove(0);
        bed.store.claim(Class::Work, "b", LONG, 1).await.unwrap();
        assert_eq!(bed.store.release_leases("a").await.unwrap(), 1);
        assert_eq!(conflict(finish(&bed, &before).await), "job");
        let again = bed.store.claim(Class::Work, "a", LONG, 9).await.unwrap();
        assert_eq!((again.len(), again[0].id, again[0].epoch), (1, before.id, before.epoch + 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_the_queue_is_not_enqueued_twice() {
    on_every_engine(|bed| async move {
        let job = make::job("a", None);
        enqueue(&bed, std::slice::from_ref(&job)).await;
        enqueue(&bed, &[job]).await;
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_workers_never_get_the_same_job_nor_more_than_a_lane_allows() {
    on_every_engine(|bed| async move {
        let jobs: Vec<_> = (0..120).map(|n| make::job(&format!("lane-{}", n % 6), None)).collect();
        enqueue(&bed, &jobs).await;
        let workers: Vec<_> = (0..16)
            .map(|number| {
                let bed = bed.clone();
                tokio::spawn(async move {
                    bed.store.claim(Class::Work, &number.to_string(), LONG, 5).await.unwrap()
                })
            })
            .collect();
        let mut claimed = Vec::new();
        for worker in workers {
            claimed.extend(worker.await.unwrap());
        }
        let distinct: HashSet<_> = claimed.iter().map(|job| job.id).collect();
        assert_eq!(distinct.len(), claimed.len());
        for lane in 0..6 {
            let lane = format!("lane-{lane}");
            assert!(claimed.iter().filter(|job| job.lane == lane).count() <= LANE_CAP as usize);
        }

        // All of them get done, each once.
        let mut done = HashSet::new();
        let mut todo = claimed;
        while !todo.is_empty() {
            for job in &todo {
                assert!(done.insert(job.id));
                finish(&bed, job).await.unwrap();
            }
            todo = bed.store.claim(Class::Work, "w", LONG, 50).await.unwrap();
        }
        assert_eq!(done.len(), 120);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_woken_by_an_enqueue_here_or_on_another_node() {
    on_every_engine(|bed| async move {
        let job = make::job("a", None);
        let waiting = tokio::time::Instant::now();
        enqueue(&bed, &[job]).await;
        bed.store.wait_for_jobs(Class::Work, LONG).await;
        if !bed.is_sqlite() {
            let other = bed.reopen().await;
            let mut work = Work::new();
            work.enqueue(&make::job("b", None));
            other.commit(work).await.unwrap();
            bed.store.wait_for_jobs(Class::Work, LONG).await;
            other.close().await;
        }
        assert!(waiting.elapsed() < LONG);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_its_key_holds_up_no_other_lane() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("x", Some("case-1")), make::job("x", Some("case-1"))]).await;
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap()[0].lane, "x");
        enqueue(&bed, &[make::job("y", None)]).await;
        let next = bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap();
        assert_eq!(next.iter().map(|job| job.lane.as_str()).collect::<Vec<_>>(), ["y"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_holder_never_came_back_counts_as_tried() {
    on_every_engine(|bed| async move {
        enqueue(&bed, &[make::job("x", None)]).await;
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap()[0].attempts, 0);
        bed.store.release_leases("w").await.unwrap();
        assert_eq!(bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap()[0].attempts, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_cannot_be_finished_by_whoever_has_it() {
    on_every_engine(|bed| async move {
        let job = make::job("x", None);
        enqueue(&bed, std::slice::from_ref(&job)).await;
        let claimed = bed.store.claim(Class::Work, "w", LONG, 1).await.unwrap();
        let mut work = Work::new();
        work.cancel_jobs(TENANT, job.subject);
        bed.store.commit(work).await.unwrap();
        assert_eq!(conflict(finish(&bed, &claimed[0]).await), "job");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_are_ended_unless_somebody_is_at_one_or_has_called_outside() {
    on_every_engine(|bed| async move {
        let end = |subject| {
            let mut work = Work::new();
            work.end_waiting_jobs(TENANT, subject).insert_message(&make::message());
            bed.store.commit(work)
        };
        let waiting = make::job("a", None);
        enqueue(&bed, std::slice::from_ref(&waiting)).await;
        end(waiting.subject).await.unwrap();
        assert!(bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap().is_empty());

        // One of two is held: neither is ended.
        let held = make::job("a", None);
        let behind = NewJob { subject: held.subject, ..make::job("b", None) };
        enqueue(&bed, std::slice::from_ref(&held)).await;
        let claimed = bed.store.claim(Class::Work, "w", LONG, 9).await.unwrap().remove(0);
        enqueue(&bed, &[behind]).await;
        assert_eq!(conflict(end(held.subject).await), "job");
        let lanes = bed.store.lanes(TENANT).await.unwrap();
        assert_eq!(lanes.iter().map(|lane| lane.waiting).sum::<u64>(), 1);

        let mut call = Work::new();
        call.mark_call(claimed.id, claimed.epoch, true);
        call.retry_job(claimed.id, claimed.epoch, Timestamp::from_micros(i64::MAX));
        bed.store.commit(call).await.unwrap();
        assert_eq!(conflict(end(held.subject).await), "job", "its outcome is not known");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_claim_and_the_end_of_what_waits_only_one_succeeds() {
    on_every_engine(|bed| async move {
        for _ in 0..50 {
            let job = make::job("a", None);
            enqueue(&bed, std::slice::from_ref(&job)).await;
            let mut end = Work::new();
            end.end_waiting_jobs(TENANT, job.subject);
            let claim = bed.store.claim(Class::Work, "w", LONG, 1);
            let (claimed, ended) = tokio::join!(claim, bed.store.commit(end));
            let claimed = claimed.unwrap();
            assert_ne!(claimed.is_empty(), ended.is_err());
            for job in &claimed {
                finish(&bed, job).await.unwrap();
            }
        }
    })
    .await;
}
