//! The workers: they claim jobs, do them, and decide by the kind of failure alone what comes next.

use std::borrow::Cow;
use std::time::Duration;

use futures::future::BoxFuture;
use model::{Actor, Failure, FailureKind, Finding, Message, MessageState, Scope};
use store::{Class, Job, LANE_CAP, OperationState, Work};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::citizen::OUTSTANDING;
use crate::figures::keep_figures;
use crate::payments::is_money;
use crate::pressure::LOOK;
use crate::retry::{self, Next};
use crate::stamping::keep_stamping;
use crate::{Broker, Error, channels, exchange, follow, notes, redrive, retention, tasks};

/// Target of the spans of which collectors are told: one for each request and for each job, with names of our own and ids. Where nobody
/// wants them (most programs are built without), they are never made.
pub const TRACED: &str = "traced-by-amtsbote";

/// Lease of a job; renewed while it runs.
const LEASE: Duration = Duration::from_secs(60);

/// Longest pause between two looks into the queue.
const IDLE: Duration = Duration::from_secs(1);

/// How long ends of jobs are gathered before the queue is looked into again: while little waits, and while much does.
const TOGETHER: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

/// Pause between two looks for subscriptions that have events before them; of the order of the sealer's.
const HOOK_PAUSE: Duration = Duration::from_millis(250);

/// Pause between two rounds of housekeeping.
const HOUR: Duration = Duration::from_secs(3_600);

/// A payload file without a row is nobody's after this time; longer than any upload may take.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Pause between two looks for what is too late.
const EXPIRY: Duration = Duration::from_secs(30);

/// How many jobs one node does at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Jobs of processor and disk; with 0 this node only takes in, and others have to work and seal.
    pub work: u32,
    /// Calls outside, which mostly wait.
    pub network: u32,
}

impl Default for Places {
    /// Two jobs of work for each processor, since each also waits for the disk, and in any case more than one lane may
    /// have; and many calls.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        Places { work: cores.saturating_mul(2).max(LANE_CAP + 2), network: 64 }
    }
}

/// The running workers of this node.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts the workers, the sealer, and whoever has heads stamped, in as many places as are usual.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn start(broker: Broker) -> Result<Self, Error> {
        Workers::start_in(broker, Places::default()).await
    }

    /// Starts the workers and the sealer.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn start_in(broker: Broker, places: Places) -> Result<Self, Error> {
        broker.store().release_leases(&broker.parts.node).await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        if places.work > 0 {
            tasks.spawn(work(broker.clone(), Class::Work, places.work, stopped.clone()));
            tasks.spawn(work(broker.clone(), Class::Network, places.network, stopped.clone()));
            tasks.spawn(seal(broker.clone(), stopped.clone()));
            tasks.spawn(feed(broker.clone(), stopped.clone()));
            broker.enqueue_sessions().await?;
            tasks.spawn(keep_time(broker.clone(), stopped.clone()));
            tasks.spawn(keep_figures(broker.clone(), stopped.clone()));
            retention::say(broker.keeping());
            if broker.parts.stamping.is_some() {
                tasks.spawn(keep_stamping(broker.clone(), stopped.clone()));
            }
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

async fn work(broker: Broker, class: Class, most: u32, mut stopped: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut much_waits = false;
    while !*stopped.borrow() {
        while running.try_join_next().is_some() {}
        let free = most.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX));
        if free > 0 {
            let jobs = claim(&broker, class, free).await;
            much_waits = jobs.len() == free as usize;
            for job in jobs {
                running.spawn(broker.clone().run(class, job));
            }
        }
        // What ends here may let others begin; with a place left, so may what is enqueued.
        tokio::select! {
            _ = stopped.changed() => {}
            _ = running.join_next(), if !running.is_empty() => gather(&mut running, much_waits).await,
            () = broker.store().wait_for_jobs(class, IDLE), if !much_waits => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Jobs that end together are followed by one claim, not by one each.
async fn gather(running: &mut JoinSet<()>, much_waits: bool) {
    let all = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(TOGETHER[usize::from(much_waits)], all).await;
}

async fn claim(broker: &Broker, class: Class, most: u32) -> Vec<Job> {
    match broker.store().claim(class, &broker.parts.node, LEASE, most).await {
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

/// Sends back what is too late.
async fn keep_time(broker: Broker, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = broker.expire_due().await {
            tracing::error!(code = error.code(), "what is too late could not be looked for");
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(EXPIRY) => {}
        }
    }
}

/// Looks for subscriptions and adapters that have events before them.
async fn feed(broker: Broker, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = broker.feed_hooks().await {
            tracing::error!(code = error.code(), "subscriptions could not be looked for");
        }
        // More may be there already.
        if broker.feed_channels().await > 0 {
            continue;
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
        if let Err(error) = broker.retention_due().await {
            tracing::error!(code = error.code(), "a run of deletion could not begin");
        }
        match broker.store().sweep_uploads().await {
            Ok(swept) => tracing::debug!(swept, "uploads whose time is over"),
            Err(error) => tracing::error!(code = error.code(), "uploads could not be swept"),
        }
        match broker.relay().sweep().await {
            Ok(swept) => tracing::debug!(swept, "conversations and tickets whose time is over"),
            Err(error) => {
                tracing::error!(code = error.code(), "conversations and tickets could not be swept")
            }
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
    pub fn run_due_jobs(&self) -> BoxFuture<'_, Result<usize, Error>> {
        Box::pin(async move {
            let mut done = 0;
            loop {
                let mut jobs = vec![];
                for class in Class::ALL {
                    let claimed = self.store().claim(class, &self.parts.node, LEASE, 1).await?;
                    jobs.extend(claimed.into_iter().map(|job| (class, job)));
                }
                if jobs.is_empty() {
                    self.seal_all().await;
                    if self.feed_hooks().await? + self.feed_channels().await == 0 {
                        return Ok(done);
                    }
                }
                for (class, job) in jobs {
                    self.clone().run(class, job).await;
                    done += 1;
                }
            }
        })
    }

    async fn run(self, class: Class, job: Job) {
        let span = tracing::info_span!(
            target: TRACED, "job", otel.name = %format_args!("job {}", job.kind), otel.kind = "consumer",
            otel.status_code = tracing::field::Empty, job.id = %job.id, job.kind = job.kind, job.class = class.name(),
            job.subject = %job.subject, job.attempts = i64::from(job.attempts), job.outcome = tracing::field::Empty,
        );
        let done = self.run_claimed(&job).instrument(span.clone()).await;
        match done {
            Ok(outcome) => span.record("job.outcome", outcome),
            Err(code) => span.record("otel.status_code", "error").record("job.outcome", code.as_ref()),
        };
    }

    /// What became of a job: in a word, or the code of its failure.
    async fn run_claimed(&self, job: &Job) -> Result<&'static str, Cow<'static, str>> {
        let outcome = tokio::select! {
            outcome = self.do_job(job) => outcome,
            () = self.keep_lease(job) => return Ok("lost"),
        };
        let Err(error) = outcome else { return Ok("done") };
        if error.is_conflict("job") {
            // Another worker has the job: whatever we did was not committed.
            return Ok("lost");
        }
        let failure = error.into_failure();
        let code = failure.code.clone();
        tracing::warn!(job = %job.id, kind = job.kind, code = %failure.code, attempts = job.attempts, "job failed");
        if let Err(error) = self.give_up_or_retry(job, failure).await {
            tracing::error!(job = %job.id, code = error.code(), "failed job could not be put back");
        }
        Err(code)
    }

    async fn do_job(&self, job: &Job) -> Result<(), Error> {
        if let Some(failure) = retry::hopeless(job) {
            return Err(failure.into());
        }
        // Whether it has arrived may still be asked.
        if !job.calling && job.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(retry::too_late(job).into());
        }
        self.work_of(job).await
    }

    /// The work of a job, on the heap: the largest of these would otherwise take its room on the stack of whoever does any of them.
    fn work_of<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Error>> {
        match job.kind.as_str() {
            "process" => Box::pin(self.process(job)),
            "prepare" => Box::pin(self.prepare(job)),
            "deliver" => Box::pin(self.deliver(job)),
            follow::JOB => Box::pin(self.follow(job)),
            "hook" => Box::pin(self.hook(job)),
            "hook-test" => Box::pin(self.hook_test(job)),
            redrive::JOB => Box::pin(self.redrive(job)),
            exchange::REMIND => Box::pin(self.remind(job)),
            exchange::DESTROY => Box::pin(self.destroy_next(job)),
            tasks::JOB => Box::pin(self.task_due(job)),
            retention::JOB => Box::pin(self.retention_next(job)),
            OUTSTANDING => Box::pin(self.attachments_due(job)),
            channels::TELL => Box::pin(self.tell(job)),
            channels::RUN => Box::pin(self.run_session(job)),
            channels::IMPORT => Box::pin(self.report_import(job)),
            channels::BELOW => Box::pin(self.tell_below(job)),
            _ if is_money(job) => Box::pin(self.do_money(job)),
            _ => {
                let unknown = Failure::permanent("broker.unknown-job", "a job of an unknown kind");
                Box::pin(std::future::ready(Err(unknown.into())))
            }
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
        if is_money(job) {
            return self.money_failed(job, &failure).await;
        }
        if job.kind == channels::RUN {
            return self.session_failed(job, &failure).await;
        }
        let next = retry::next(job, &failure, self.now(), fastrand::f64());
        let mut work = Work::new();
        let Next::Retry(at) = next else {
            match job.kind.as_str() {
                channels::IMPORT | channels::BELOW | OUTSTANDING | retention::JOB => {
                    return self.begin_anew(job).await;
                }
                // Whatever was in the way: nobody may wait for ever without being told.
                exchange::REMIND => self.remind_later(&mut work, job),
                tasks::JOB => self.task_due_later(&mut work, job),
                redrive::JOB => {
                    work.end_operation(&job.tenant, job.subject, OperationState::Failed);
                }
                exchange::DESTROY => self.end_destruction(&mut work, job, &failure).await?,
                channels::TELL => self.untold(&mut work, job, &failure).await?,
                _ => self.end_message(&mut work, job, &failure, next).await?,
            }
            return self.finish(job, work).await;
        };
        let attempt = job.attempts.saturating_add(1);
        work.retry_job(job.id, job.epoch, at);
        if job.kind == channels::TELL {
            work.fail_channel_delivery(&job.tenant, job.subject, &failure.code);
        }
        if job.kind == "deliver" && retry::is_told(attempt) {
            let message = self.store().message(&Scope::tenant(&job.tenant), job.subject).await?;
            if let Some(message) = message {
                work.insert_event(&notes::of_attempt(&message, &failure, attempt, Some(at), self.now()));
            }
        }
        Ok(self.store().commit(work).await?)
    }

    /// Rows of the end of a job that is not tried again: what becomes of its message. A message that has ended
    /// meanwhile stays as it is.
    pub(crate) async fn end_message(
        &self,
        work: &mut Work,
        job: &Job,
        failure: &Failure,
        next: Next,
    ) -> Result<(), Error> {
        // A message that is followed up has arrived, whatever becomes of the questions.
        let is_followed = job.kind == follow::JOB;
        if is_followed && !self.asks_for_answer(job) {
            return Ok(());
        }
        let message = self.store().message(&Scope::tenant(&job.tenant), job.subject).await?;
        let may_end = |message: &Message| match is_followed {
            true => message.state == MessageState::Delivered,
            false => message.state.may_become(MessageState::Parked),
        };
        let Some(mut message) = message.filter(may_end) else {
            return Ok(());
        };
        if job.kind == "deliver" {
            let attempt = job.attempts.saturating_add(1);
            work.insert_event(&notes::of_attempt(&message, failure, attempt, None, self.now()));
        }
        let mut report = message.report.take().unwrap_or_default();
        match failure.findings.is_empty() {
            true => report.add(finding(job, failure, next)),
            false => failure.findings.iter().for_each(|finding| report.add(finding.clone())),
        }
        message.report = Some(report);
        match next == Next::Return && !is_followed && self.is_told(&message).await? {
            true => self.returned(work, message, &Actor::gateway(), None).await?,
            false => self.parked(work, message, &Actor::gateway(), None)?,
        };
        Ok(())
    }

    async fn seal_all(&self) {
        let tenants = match self.store().unsealed_tenants().await {
            Ok(tenants) => tenants,
            Err(error) => return tracing::error!(code = error.code(), "sealing failed"),
        };
        for tenant in tenants {
            if let Err(error) = self.seal(&tenant).await {
                tracing::error!(code = error.code(), "sealing failed");
            }
        }
    }
}

/// Why a message was returned or parked. Whoever reads it must not send again what may have arrived.
fn finding(job: &Job, failure: &Failure, next: Next) -> Finding {
    let unclear = failure.kind == FailureKind::Uncertain || (next == Next::Park && job.calling);
    let expired = next == Next::Return && failure.kind == FailureKind::Transient;
    let rule = match (unclear, expired) {
        (true, _) => "broker.uncertain",
        (_, true) => "message.expired",
        _ => return Finding::error(&failure.code).with("detail", failure.detail.as_str()),
    };
    Finding::error(rule).with("code", failure.code.as_ref())
}
