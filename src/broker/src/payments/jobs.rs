//! Jobs of money: which they are, and what becomes of one that failed in a way that its own code does not treat. None ends without a
//! state that a human sees.

use model::{Failure, FailureKind};
use store::{Job, Work};

use super::orders::{PULL, REFUND, START};
use crate::retry::{self, Next};
use crate::{Broker, Error};

/// Whether a job is one of money.
pub(crate) fn is_money(job: &Job) -> bool {
    [START, PULL, REFUND].contains(&job.kind.as_str())
}

impl Broker {
    /// Does a job of money.
    pub(crate) async fn do_money(&self, job: &Job) -> Result<(), Error> {
        match job.kind.as_str() {
            START => self.start(job).await,
            PULL => self.pull(job).await,
            _ => self.refund(job).await,
        }
    }

    /// What becomes of a job that failed.
    pub(crate) async fn money_failed(&self, job: &Job, failure: &Failure) -> Result<(), Error> {
        if job.kind == PULL {
            return self.pull_later(job, failure).await;
        }
        if let Next::Retry(at) = retry::next(job, failure, self.now(), fastrand::f64()) {
            let mut work = Work::new();
            work.retry_job(job.id, job.epoch, at);
            return Ok(self.store().commit(work).await?);
        }
        match job.kind.as_str() {
            // Nobody knows, or nobody will: in any case it was never shown to the payer.
            START if job.calling || failure.kind == FailureKind::Uncertain => {
                self.not_started(job, "payment.start-unclear").await
            }
            START => self.not_started(job, &failure.code).await,
            _ => self.refund_given_up(job).await,
        }
    }
}
