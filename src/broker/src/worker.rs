//! The workers: they claim jobs, do them, and decide by the kind of failure alone what comes next.

use std::sync::Arc;
use std::time::Duration;

use model::{Actor, Failure, FailureKind, Scope};
use store::{Job, OperationState, Work};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::pressure::LOOK;
use crate::process::with_finding;
use crate::stamping::keep_stamping;
use crate::{Broker, Error, redrive};

/// Lease of a job; renewed while it runs.
const LEASE: Duration = Duration::from_secs(60);

/// Longest pause between two looks into the queue.
const IDLE: Duration = Duration::from_secs(1);

/// Pause between two looks for subscriptions that have events before them; of the order of the sealer's.
const HOOK_PAUSE: Duration = Duration::from_millis(250);

/// Pause between two rounds of housekeeping.
const HOUR: Duration = Duration::from_secs(3_600);

/// A payload file without a row is nobody's after this time; longer than any upload may take.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Attempts at a job that fails transiently before a human is asked.
const MOST_ATTEMPTS: u32 = 12;

/// How many jobs one node does at once.
const AT_ONCE: usize = 4;

/// The running workers of this node.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts the workers, the sealer, and whoever has heads stamped.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn start(broker: Broker) -> Result<Self, Error> {
        broker.store().release_leases(&broker.parts.node).await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(work(broker.clone(), stopped.clone()));
        tasks.spawn(seal(broker.clone(), stopped.clone()));
        tasks.spawn(feed_hooks(broker.clone(), stopped.clone()));
        if broker.parts.stamping.is_some() {
            tasks.spawn(keep_stamping(broker.clone(), stopped.clone()));
        }
        broker.look_at_pressure().await;
        tasks.spawn(watch_pressure(broker.clone(), stopped.clone()));
        tasks.spawn(keep_house(broker, stopped));
        Ok(Workers { stop, tasks })
    }

    /// Lets every job in hand end and stops.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn work(broker: Broker, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    while !*stopped.borrow() {
        while running.try_join_next().is_some() {}
        let free = places.available_permits() as u32;
        let jobs = match free {
            0 => vec![],
            _ => claim(&broker, free).await,
        };
        if jobs.is_empty() {
            tokio::select! {
                _ = stopped.changed() => {}
                _ = running.join_next(), if free == 0 => {}
                () = broker.store().wait_for_jobs(IDLE), if free > 0 => {}
            }
        }
        for job in jobs {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let broker = broker.clone();
            running.spawn(async move {
                broker.run(job).await;
                drop(place);
            });
        }
    }
    while running.join_next().await.is_some() {}
}

async fn claim(broker: &Broker, most: u32) -> Vec<Job> {
    match broker.store().claim(&broker.parts.node, LEASE, most).await {
        Ok(jobs) => jobs,
        Err(error) => {
            tracing::error!(code = error.code(), "jobs could not be claimed");
            tokio::time::sleep(IDLE).await;
            vec![]
        }
    }
}

async fn seal(broker: Broker, mut stopped: watch::Receiver<bool>) {
    loop {
        broker.seal_all().await;
        if *stopped.borrow() {
            return;
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// Looks for subscriptions that have events before them.
async fn feed_hooks(broker: Broker, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = broker.feed_hooks().await {
            tracing::error!(code = error.code(), "subscriptions could not be looked for");
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(HOOK_PAUSE) => {}
        }
    }
}

async fn watch_pressure(broker: Broker, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(LOOK) => broker.look_at_pressure().await,
        }
    }
}

/// Removes what interrupted uploads left, and makes room for the coming months. Never on anybody's way.
async fn keep_house(broker: Broker, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = broker.store().maintain().await {
            tracing::error!(code = error.code(), "partitions could not be made");
        }
        match broker.store().sweep_uploads().await {
            Ok(swept) => tracing::debug!(swept, "uploads whose time is over"),
            Err(error) => tracing::error!(code = error.code(), "uploads could not be swept"),
        }
        match broker.store().sweep(ORPHAN_AGE).await {
            Ok(report) => tracing::debug!(removed = report.removed, bytes = report.bytes, "swept"),
            Err(error) => tracing::error!(code = error.code(), "sweeping failed"),
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(HOUR) => {}
        }
    }
}

impl Broker {
    /// Does every job that is due, one after the other, and seals what happened; returns how many jobs
    /// there were. For tests and tools that run without workers.
    ///
    /// # Errors
    /// If the queue cannot be read.
    pub async fn run_due_jobs(&self) -> Result<usize, Error> {
        let mut done = 0;
        loop {
            let jobs = self.store().claim(&self.parts.node, LEASE, 1).await?;
            if jobs.is_empty() {
                self.seal_all().await;
                if self.feed_hooks().await? == 0 {
                    return Ok(done);
                }
            }
            for job in jobs {
                self.run(job).await;
                done += 1;
            }
        }
    }

    async fn run(&self, job: Job) {
        let outcome = tokio::select! {
            outcome = self.do_job(&job) => outcome,
            () = self.keep_lease(&job) => return,
        };
        let Err(error) = outcome else { return };
        if error.is_conflict("job") {
            // Another worker has the job: whatever we did was not committed.
            return;
        }
        let failure = error.into_failure();
        tracing::warn!(job = %job.id, kind = job.kind, code = %failure.code, attempts = job.attempts, "job failed");
        if let Err(error) = self.give_up_or_retry(&job, failure).await {
            tracing::error!(job = %job.id, code = error.code(), "failed job could not be put back");
        }
    }

    async fn do_job(&self, job: &Job) -> Result<(), Error> {
        if job.attempts >= MOST_ATTEMPTS {
            let why = "given up after many attempts that ended without a word";
            return Err(Failure::permanent("broker.given-up", why).into());
        }
        match job.kind.as_str() {
            "process" => self.process(job).await,
            "prepare" => self.prepare(job).await,
            "deliver" => self.deliver(job).await,
            "hook" => self.hook(job).await,
            "hook-test" => self.hook_test(job).await,
            redrive::JOB => self.redrive(job).await,
            _ => Err(Failure::permanent("broker.unknown-job", "a job of an unknown kind").into()),
        }
    }

    /// Renews the lease until it is lost.
    async fn keep_lease(&self, job: &Job) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            if let Ok(false) = self.store().renew_job(job.id, job.epoch, LEASE).await {
                return;
            }
        }
    }

    async fn give_up_or_retry(&self, job: &Job, failure: Failure) -> Result<(), Error> {
        let mut work = Work::new();
        if failure.kind == FailureKind::Transient && job.attempts < MOST_ATTEMPTS {
            work.retry_job(job.id, job.epoch, self.now().plus(pause(job)));
            return Ok(self.store().commit(work).await?);
        }
        if job.kind == redrive::JOB {
            work.end_operation(&job.tenant, job.subject, OperationState::Failed);
            return self.finish(job, work).await;
        }
        let message = self.store().message(&Scope::tenant(&job.tenant), job.subject).await?;
        let Some(mut message) =
            message.filter(|message| message.state.may_become(model::MessageState::Parked))
        else {
            return self.finish(job, work).await;
        };
        message.report = Some(with_finding(message.report.take(), &failure.code));
        match failure.kind {
            FailureKind::Rejected => self.returned(&mut work, message, &Actor::gateway(), None).await?,
            _ => self.parked(&mut work, message, &Actor::gateway(), None)?,
        };
        self.finish(job, work).await
    }

    async fn seal_all(&self) {
        let tenants = match self.store().unsealed_tenants().await {
            Ok(tenants) => tenants,
            Err(error) => return tracing::error!(code = error.code(), "sealing failed"),
        };
        for tenant in tenants {
            if let Err(error) = self.store().seal(&tenant, &self.parts.evidence_key).await {
                tracing::error!(code = error.code(), "sealing failed");
            }
        }
    }
}

/// Doubles from one second to about an hour, with up to a quarter of jitter drawn from the job's id so
/// that jobs that failed together do not come back together.
fn pause(job: &Job) -> Duration {
    let seconds = 1_u64 << job.attempts.min(12);
    let jitter = u64::from(job.id.as_bytes()[15]) * seconds * 1_000 / 4 / 255;
    Duration::from_millis(seconds * 1_000 + jitter)
}
