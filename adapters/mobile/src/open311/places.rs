//! Places for what takes memory or time. Those for callers whose key is known stand apart from those for everybody else, so that nobody
//! without a key is in the way of whoever has one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Refusal;

/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// Places, each for one of whatever is counted.
pub(crate) struct Places {
    known: Arc<Semaphore>,
    others: Arc<Semaphore>,
    most: u32,
}

impl Places {
    /// So many for callers whose key is known, and as many for all others.
    pub(crate) fn new(most: u32) -> Self {
        let half = || Arc::new(Semaphore::new(most as usize));
        Places { known: half(), others: half(), most }
    }

    /// So many places, or all that there are if more are wanted; they are free again once what this gives is dropped.
    ///
    /// # Errors
    /// 503 if there are none for a while.
    pub(crate) async fn take(&self, count: u64, is_known: bool) -> Result<OwnedSemaphorePermit, Refusal> {
        let half = Arc::clone(if is_known { &self.known } else { &self.others });
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.most);
        let place = tokio::time::timeout(PATIENCE, half.acquire_many_owned(count)).await;
        place.ok().and_then(Result::ok).ok_or_else(Refusal::busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_has_no_key_is_in_nobodys_way() {
        let places = Places::new(3);
        let taken = places.take(100, false).await.unwrap();
        let known = places.take(2, true).await.unwrap();
        let also = places.take(1, true).await.unwrap();
        drop((taken, known, also));
        assert!(places.take(3, false).await.is_ok());
    }
}
