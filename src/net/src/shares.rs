//! Places of which nobody takes all: whoever has some already gets one more only as long as at least as many are free. One
//! alone so gets half of them, and however many are greedy, there are places left for the next.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Places.
#[derive(Debug)]
pub struct Shares {
    most: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    each: HashMap<String, usize>,
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    whose: String,
}

impl Shares {
    /// So many places.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Shares { most, held: Mutex::default(), freed: Notify::new() })
    }

    /// A place, if whoever asks may have one now.
    pub fn try_take(self: &Arc<Self>, whose: &str) -> Option<Share> {
        let mut held = self.held();
        let free = self.most.saturating_sub(held.all);
        let own = held.each.get(whose).copied().unwrap_or_default();
        if free == 0 || own > free {
            return None;
        }
        held.all += 1;
        *held.each.entry(whose.to_owned()).or_default() += 1;
        Some(Share { shares: Arc::clone(self), whose: whose.to_owned() })
    }

    /// A place as soon as whoever asks may have one, if that is soon enough.
    pub async fn take(self: &Arc<Self>, whose: &str, within: Duration) -> Option<Share> {
        let wait = async {
            loop {
                // Told of what is given back between looking and waiting, too.
                let mut freed = pin!(self.freed.notified());
                freed.as_mut().enable();
                if let Some(share) = self.try_take(whose) {
                    return share;
                }
                freed.await;
            }
        };
        timeout(within, wait).await.ok()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        held.all -= 1;
        if let Some(own) = held.each.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                held.each.remove(&self.whose);
            }
        }
        drop(held);
        self.shares.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that somebody can have.
    fn all(shares: &Arc<Shares>, whose: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.try_take(whose)).collect()
    }

    #[test]
    fn one_alone_gets_half_and_leaves_room_for_others() {
        let shares = Shares::new(64);
        let first = all(&shares, "a");
        let second = all(&shares, "b");
        let third = all(&shares, "c");
        assert_eq!((first.len(), second.len(), third.len()), (33, 16, 8));
        drop(first);
        assert!(shares.try_take("c").is_some() && shares.try_take("d").is_some());
        drop((second, third));
        assert!(shares.held().each.is_empty() && shares.held().all == 0);
        assert!(Shares::new(1).try_take("a").is_some() && Shares::new(0).try_take("a").is_none());
    }

    #[tokio::test]
    async fn whoever_waits_is_let_in_as_soon_as_it_may() {
        let shares = Shares::new(2);
        let own = all(&shares, "a");
        assert_eq!(own.len(), 2);
        assert!(shares.take("b", Duration::ZERO).await.is_none());
        let waiting = tokio::spawn({
            let shares = Arc::clone(&shares);
            async move { shares.take("b", Duration::from_secs(600)).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(own);
        assert!(waiting.await.unwrap());
    }

    proptest! {
        /// However they come and go: no more than there are, and a newcomer gets one of 64 places while fewer than 64 hold any.
        #[test]
        fn a_newcomer_gets_in(steps in proptest::collection::vec((0_usize..6, any::<bool>()), 1..400)) {
            let shares = Shares::new(64);
            let mut held: Vec<Vec<Share>> = (0..6).map(|_| vec![]).collect();
            for (who, takes) in steps {
                match takes {
                    true => held[who].extend(shares.try_take(&who.to_string())),
                    false => drop(held[who].pop()),
                }
                prop_assert!(held.iter().map(Vec::len).sum::<usize>() <= 64);
                prop_assert!(shares.try_take("new").is_some());
            }
        }
    }
}
