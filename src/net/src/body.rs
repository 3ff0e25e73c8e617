//! The body of a request. HTTP asks for the first piece only when it has a connection and before it writes to it, so
//! whether the body was asked for tells whether a byte may have left.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// Pieces of a body.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

/// What happened to a body.
#[derive(Debug)]
pub(crate) struct Sent {
    begun: AtomicBool,
    failed: AtomicBool,
    /// Since when the other side is waited for; nothing while there is no connection, or the next piece is ours to find.
    since: Mutex<Option<Instant>>,
}

impl Sent {
    /// Nothing yet. A connection has its own time, which nobody can tell from the rest without a body.
    pub(crate) fn nothing(has_body: bool) -> Self {
        let since = Mutex::new((!has_body).then(Instant::now));
        Sent { begun: AtomicBool::new(false), failed: AtomicBool::new(false), since }
    }

    /// Returns when the other side has wanted nothing of the body, and answered nothing, for so long.
    pub(crate) async fn silence(&self, longest: Duration) {
        loop {
            let seen = *self.since();
            sleep_until(seen.unwrap_or_else(Instant::now) + longest).await;
            if seen.is_some() && *self.since() == seen {
                return;
            }
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a byte of the request may have left.
    pub(crate) fn begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Whether the source of the body failed.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}

/// A body that notes what happens to it.
pub(crate) struct Watched {
    pub(crate) pieces: Pieces,
    /// Bytes in all, if known: sent as `Content-Length`, otherwise in chunks.
    pub(crate) length: Option<u64>,
    pub(crate) sent: Arc<Sent>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.sent.begun.store(true, Ordering::SeqCst);
        *self.sent.since() = None;
        let piece = std::task::ready!(self.pieces.as_mut().poll_next(context));
        *self.sent.since() = Some(Instant::now());
        if matches!(piece, Some(Err(_))) {
            self.sent.failed.store(true, Ordering::SeqCst);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
