//! Fetching from mailboxes elsewhere, again and again, whatever the transport.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{Authority, Failure};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What a round brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Deliveries that were taken in, parked ones included.
    pub taken: u64,
    /// Of these, those that wait for a human.
    pub parked: u64,
    /// Deliveries that could not be had and stay where they are.
    pub aside: u64,
}

/// Whoever fetches from one mailbox.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Whose mailbox it is.
    fn authority(&self) -> &Authority;

    /// Time between two looks.
    fn every(&self) -> Duration;

    /// Fetches until nothing waits any more.
    ///
    /// # Errors
    /// If the other side cannot be reached or refuses, or our own store fails.
    async fn once(&self) -> Result<Fetched, Failure>;
}

/// The running fetchers of this node.
pub struct Fetchers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Fetchers {
    /// Starts them.
    pub fn start(fetchers: Vec<Arc<dyn Fetch>>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for fetcher in fetchers {
            tasks.spawn(run(fetcher, stopped.clone()));
        }
        Fetchers { stop, tasks }
    }

    /// Lets every round end and stops.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Fetches again and again until it is told to stop. After failures the pause grows.
async fn run(fetcher: Arc<dyn Fetch>, mut stopped: watch::Receiver<bool>) {
    let every = fetcher.every();
    let mut pause = every;
    while !*stopped.borrow() {
        match fetcher.once().await {
            Ok(fetched) => {
                pause = every;
                if fetched != Fetched::default() {
                    let Fetched { taken, parked, aside } = fetched;
                    tracing::info!(authority = %fetcher.authority(), taken, parked, aside, "messages were fetched");
                }
            }
            Err(failure) => {
                tracing::warn!(
                    authority = %fetcher.authority(),
                    code = %failure.code,
                    detail = failure.detail,
                    "a mailbox could not be fetched from"
                );
                pause = pause.saturating_mul(2).clamp(every, LONGEST_PAUSE.max(every));
            }
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
