//! Bodies of forms with files (RFC 7578), so that whoever reads them holds a bounded part of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt};

/// A body, piece by piece: the form's reader takes the next only after it has looked at the one before, and none after `most` bytes
/// that it has given nothing out of, so that whatever stands before the first part or in the head of one is bounded. Whoever gets
/// something out sets `held` to 0.
pub fn bounded<E: Send + 'static>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    held: Arc<AtomicUsize>,
    most: usize,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::try_unfold((pieces, true), move |(mut pieces, is_first)| {
        let held = Arc::clone(&held);
        async move {
            if !is_first {
                tokio::task::yield_now().await;
            }
            let Some(piece) = pieces.next().await else { return Ok(None) };
            let piece = piece.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            match held.fetch_add(piece.len(), Ordering::Relaxed) > most {
                true => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
                false => Ok(Some((piece, (pieces, false)))),
            }
        }
    })
}
