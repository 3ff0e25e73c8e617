//! The body of a request. HTTP asks for the first piece only when it has a connection and before it writes to it, so
//! whether the body was asked for tells whether a byte may have left.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::{Body, Frame, SizeHint};

/// Pieces of a body.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

/// What happened to a body.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    begun: AtomicBool,
    failed: AtomicBool,
}

impl Sent {
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
        let piece = std::task::ready!(self.pieces.as_mut().poll_next(context));
        if matches!(piece, Some(Err(_))) {
            self.sent.failed.store(true, Ordering::SeqCst);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
