//! An answer whose body is read as a stream, so that it never stands in memory: with all limits of the request that it answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use model::adapter::Content;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::pace::{Pace, Paced};

/// An answer whose body is still to be read.
pub struct Opened {
    /// HTTP status. Redirects are never followed.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body. Reading fails where it is too slow, too late, too large, or breaks off.
    pub body: Content,
}

/// A body within the limits of its request.
pub(crate) struct Limited {
    body: Paced<reqwest::Body>,
    /// What was read and not taken yet.
    piece: Bytes,
    /// Bytes that may still come.
    left: usize,
    until: Pin<Box<Sleep>>,
}

impl Limited {
    pub(crate) fn new(body: reqwest::Body, pace: Pace, most: usize, until: Instant) -> Self {
        let until = Box::pin(sleep_until(until));
        Limited { body: Paced::new(body, pace), piece: Bytes::new(), left: most, until }
    }
}

impl AsyncRead for Limited {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.piece.is_empty() {
            if self.until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // What others say of the reason is not told on.
            let broken = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
                return Poll::Ready(Ok(()));
            };
            let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
            let Some(left) = self.left.checked_sub(piece.len()) else {
                return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
            };
            (self.left, self.piece) = (left, piece);
        }
        let taken = buffer.remaining().min(self.piece.len());
        buffer.put_slice(&self.piece[..taken]);
        self.piece.advance(taken);
        Poll::Ready(Ok(()))
    }
}
