//! Time stamps over the heads of the chains, off everybody's way: the newest head of each tenant is stamped by a foreign
//! authority (RFC 3161) at most every so often, and covers all that came before.
//!
//! An authority that is slow or away stops nothing: it is asked again with growing, jittered pauses, and figures tell how
//! old the oldest head without a stamp is. Only after the tolerated time health tells it, and only if the house wants it
//! so, no new messages are taken in until the stamp is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::outbound::{ChosenBy, Outbound, Post};
use model::{Failure, Id, Timestamp, ids};
use seal::timestamp::{Authorities, MAX_RESPONSE, Policy, QUERY_TYPE, Request};
use store::{SignedBatch, StampRow};
use tokio::sync::watch;

use crate::{Broker, Error};

/// Pause between two looks at the chains. Whether the authority is asked is decided by the store's row.
const LOOK: Duration = Duration::from_secs(10);
/// Longest time for an answer of the authority.
const WITHIN: Duration = Duration::from_secs(30);
/// A node that died while asking is replaced after this time.
const LEASE: Duration = Duration::from_secs(120);
/// First pause after a failure; it doubles, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(1_800);

/// Who stamps, and what the house demands of it.
pub struct Stamping {
    /// Carries the questions.
    pub outbound: Arc<dyn Outbound>,
    /// Address of the authority.
    pub url: String,
    /// The certificates that its stamps must go back to.
    pub authorities: Authorities,
    /// The policy to stamp under; absent: the authority's own choice.
    pub policy: Option<Policy>,
    /// Shortest time between two stamps of a tenant.
    pub every: Duration,
    /// How long a head may be without a stamp before it is called overdue.
    pub tolerate: Duration,
    /// Whether no new messages are taken in while stamps are overdue.
    pub stop_intake: bool,
}

/// How the stamps stand, over all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StampHealth {
    /// The last stamp of the tenant whose last stamp is the oldest; absent if one has none yet, or there is nothing to
    /// stamp.
    pub last: Option<Timestamp>,
    /// When the oldest head that no stamp covers was sealed.
    pub unstamped_since: Option<Timestamp>,
    /// Whether that is longer ago than is tolerated.
    pub overdue: bool,
}

impl Broker {
    /// How the stamps stand; `None` if none are wanted.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn stamp_health(&self) -> Result<Option<StampHealth>, Error> {
        let Some(stamping) = &self.parts.stamping else { return Ok(None) };
        let mut health = StampHealth::default();
        let mut never = false;
        for tenant in self.house().tenants() {
            let state = self.store().stamp_state(&tenant.id).await?;
            never |= state.last.is_none() && state.unstamped.is_some();
            health.last = earliest(health.last, state.last);
            health.unstamped_since = earliest(health.unstamped_since, state.unstamped_since);
        }
        if never {
            health.last = None;
        }
        health.overdue =
            health.unstamped_since.is_some_and(|since| since.plus(stamping.tolerate) < self.now());
        Ok(Some(health))
    }

    /// Refuses what would come in while stamps are overdue, if the house wants that. As of the last look of the workers.
    pub(crate) fn may_take_in(&self) -> Result<(), Error> {
        let stops = self.parts.stamping.as_ref().is_some_and(|stamping| stamping.stop_intake);
        if stops && self.stamps_overdue.load(Ordering::Relaxed) {
            return Err(Error::TimeStampOverdue);
        }
        Ok(())
    }

    /// Stamps what is due. The workers do this all the time; for tests and tools that run without them.
    ///
    /// # Errors
    /// If the store cannot be asked. An authority that fails is tried again later.
    pub async fn stamp_due(&self) -> Result<(), Error> {
        let Some(stamping) = &self.parts.stamping else { return Ok(()) };
        for tenant in self.house().tenants() {
            self.stamp(stamping, &tenant.id).await?;
        }
        let overdue = self.stamp_health().await?.is_some_and(|health| health.overdue);
        let before = self.stamps_overdue.swap(overdue, Ordering::Relaxed);
        if overdue && !before {
            tracing::error!(code = Error::TimeStampOverdue.code(), "time stamps are overdue");
        }
        Ok(())
    }

    async fn stamp(&self, stamping: &Stamping, tenant: &str) -> Result<(), Error> {
        let Some(signed) = self.store().stamp_state(tenant).await?.unstamped else { return Ok(()) };
        let Some(failures) = self.store().claim_stamping(tenant, LEASE).await? else { return Ok(()) };
        match stamping.ask(&signed).await {
            Ok(stamp) => {
                tracing::debug!(batch = stamp.batch_no, "a head was stamped");
                Ok(self.store().put_stamp(tenant, &stamp, stamping.every).await?)
            }
            Err(failure) => {
                tracing::warn!(code = %failure.code, failures, "the time stamp authority gave no stamp");
                Ok(self.store().stamping_failed(tenant, pause(failures, ids::new_id())).await?)
            }
        }
    }
}

impl Stamping {
    /// Asks for a stamp over a head, and judges the answer.
    async fn ask(&self, signed: &SignedBatch) -> Result<StampRow, Failure> {
        let failed = |error: seal::Error| Failure::transient(error.code(), error.to_string());
        let request = Request::new(&signed.batch.head.0, self.policy.clone()).map_err(failed)?;
        let post = Post {
            url: self.url.clone(),
            chosen_by: ChosenBy::Administrator,
            headers: vec![("Content-Type".to_owned(), QUERY_TYPE.to_owned())],
            body: request.to_der(),
            within: WITHIN,
            most_answer: MAX_RESPONSE,
        };
        let reply = self.outbound.post(&post).await?;
        if reply.status != 200 {
            let detail = format!("the time stamp authority answered with status {}", reply.status);
            return Err(Failure::transient("broker.time-stamp-status", detail));
        }
        let stamp = request.check(&reply.body, Some(&self.authorities)).map_err(failed)?;
        let at = Timestamp::from_micros(stamp.at_micros);
        Ok(StampRow { batch_no: signed.batch.no, at, response: reply.body })
    }
}

/// Stamps from time to time until the workers stop; a question that is under way then is given up.
pub(crate) async fn keep_stamping(broker: Broker, mut stopped: watch::Receiver<bool>) {
    let stamping = async {
        loop {
            if let Err(error) = broker.stamp_due().await {
                tracing::error!(code = error.code(), "stamping failed");
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = stamping => {}
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// The pause after so many failures in a row and one more, with up to a quarter of jitter from random bits, so that
/// tenants and nodes do not come back together.
fn pause(failures: u32, random: Id) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    doubled + doubled * u32::from(random.as_bytes()[15]) / (4 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_half_an_hour_and_differ() {
        let none = Id::from_bytes([0; 16]);
        let most = Id::from_bytes([255; 16]);
        let seconds = |failures, random| pause(failures, random).as_secs_f64();
        assert_eq!((seconds(0, none), seconds(1, none), seconds(2, most)), (15.0, 30.0, 75.0));
        assert_eq!((seconds(40, none), seconds(u32::MAX, most)), (1_800.0, 2_250.0));
    }
}
